"""
granian's reports of crashes, which come after the request and without the error.

granian logs the traceback of an ASGI application as text, when the request's context is
gone (https://github.com/emmett-framework/granian/issues/203), so a crash would be found
by no request's id. A filter of its logger is enough; nothing of granian is replaced.
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
        """Note an error that has ended a request, before granian reports it."""
        if not logging.getLogger(_LOGGER).isEnabledFor(logging.ERROR):
            return
        try:
            lines = traceback.format_exception_only(type(error), error)
        except Exception as failure:
            # A user-defined `__str__` raises anything. The report stays as granian
            # writes it.
            if is_interrupt(failure):
                raise
            return
        self._waiting.append(("".join(lines).strip(), error))

    def forget(self) -> None:
        """Forget the errors that wait for their report."""
        self._waiting.clear()

    def filter(self, record: logging.LogRecord) -> bool:
        """Give a report its error; drop no record."""
        text = record.msg  # other records have any object there
        if self._waiting and isinstance(text, str) and text.startswith(_REPORT):
            text = text.rstrip()
            meant = [one for one in list(self._waiting) if text.endswith(one[0])]
            for one in meant:
                self._waiting.remove(one)
            # Errors of the same text at the same time cannot be told apart.
            if len(meant) == 1:
                _, error = meant[0]
                record.msg = _REPORT
                record.exc_info = (type(error), error, error.__traceback__)
                set_stamp(record, None)  # it was made without the error
        return True


_filter = _CrashFilter()


def install() -> None:
    """
    Make granian's report of a failed ASGI application a line of its request.

    The line has the exception and the request's id if the text of the error differs
    from those that are reported at the same time; else it stays as it is. Calling it
    again is a no-op; it lasts until `uninstall()`. `configure(hooks=True)`, the
    default, calls it where granian is imported.
    """
    if _filter.expect not in failed:
        failed.append(_filter.expect)
    logging.getLogger(_LOGGER).addFilter(_filter)


def uninstall() -> None:
    """Undo `install()`. Without it, a no-op."""
    if _filter.expect in failed:
        failed.remove(_filter.expect)
    _filter.forget()
    logging.getLogger(_LOGGER).removeFilter(_filter)
