"""
granian's reports of crashes, which come after the request and without the error.
"""

from __future__ import annotations

import logging
import traceback
from collections import deque

from ctxlog._interrupts import is_interrupt
from ctxlog._stamps import set_stamp
from ctxlog.servers._request import failed

__all__ = ["install", "uninstall"]

_LOGGER = "_granian.utils"
_REPORT = "Application callable raised an exception"

#: How many errors may wait for their report; the oldest are forgotten.
_MOST = 64


class _CrashFilter(logging.Filter):
    """Gives a report the error that it is about, instead of its traceback as text."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: deque[tuple[str, BaseException]] = deque(maxlen=_MOST)

    def expect(self, error: BaseException) -> None:
        """Note an error that has ended a request: granian reports it soon."""
        if not logging.getLogger(_LOGGER).isEnabledFor(logging.ERROR):
            return
        try:
            lines = traceback.format_exception_only(type(error), error)
        except Exception as failure:
            # An error that cannot be read cannot be told from others.
            if is_interrupt(failure):
                raise
            return
        self._waiting.append(("".join(lines).strip(), error))

    def forget(self) -> None:
        """Wait for no report any more."""
        self._waiting.clear()

    def filter(self, record: logging.LogRecord) -> bool:
        """Drops nothing."""
        text = record.msg  # another's may be anything, and raise when it is read
        if self._waiting and isinstance(text, str) and text.startswith(_REPORT):
            text = text.rstrip()
            meant = [one for one in list(self._waiting) if text.endswith(one[0])]
            for one in meant:
                self._waiting.remove(one)
            # Of several that fail alike at once nobody can tell which one this is.
            if len(meant) == 1:
                _, error = meant[0]
                record.msg = _REPORT
                record.exc_info = (type(error), error, error.__traceback__)
                set_stamp(record, None)  # there was no error to take it from
        return True


_filter = _CrashFilter()


def install() -> None:
    """
    Make granian's report of a failed ASGI application a line of its request.

    It has the exception and the request's id if the error is told by its text from
    those that are reported at the same time; else it stays as it is. Doing it twice
    changes nothing; it lasts until `uninstall()`
    (https://github.com/emmett-framework/granian/issues/203).
    """
    if _filter.expect not in failed:
        failed.append(_filter.expect)
    logging.getLogger(_LOGGER).addFilter(_filter)


def uninstall() -> None:
    """Undo `install()`. Without one nothing happens."""
    if _filter.expect in failed:
        failed.remove(_filter.expect)
    _filter.forget()
    logging.getLogger(_LOGGER).removeFilter(_filter)
