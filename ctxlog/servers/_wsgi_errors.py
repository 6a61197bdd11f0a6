"""
The stream `wsgi.errors` as an application gets it: its text becomes lines.

Some frameworks report an exception of the application by writing its traceback to this
stream (PEP 3333), past logging: Bottle, Falcon, werkzeug's debugger.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any

from ctxlog._interrupts import is_interrupt
from ctxlog._kept import Kept
from ctxlog._names import WSGI_ERRORS_LOGGER
from ctxlog.context import Store
from ctxlog.context.adapter import within
from ctxlog.servers._request import RequestEntry

_log = logging.getLogger(WSGI_ERRORS_LOGGER)

_KEY = "wsgi.errors"

#: The most characters that wait for the end of their line.
_MOST_PENDING = 65_536

#: The servers whose report of an exception is a line, by their names in the
#: environment: through `logging`, or (gevent, uWSGI) a hook. uWSGI has no name there.
_REPORTING = ("gevent", "granian", "gunicorn", "waitress", "werkzeug")


def reports_itself(environ: Mapping[str, Any]) -> bool:
    """
    Return whether the server logs an exception of the application.

    A server without a name is a test. Where the line would reach no handler, the
    exception is left to the server as well.
    """
    if not _log.hasHandlers():
        return True
    software = str(environ.get("SERVER_SOFTWARE", "")).lower()
    return not software or software.startswith(_REPORTING)


def report(error: BaseException) -> None:
    """Log that the application has raised an exception."""
    _log.error("Exception in WSGI application", exc_info=error)


def take_errors(
    environ: MutableMapping[str, Any], entry: RequestEntry, store: Kept[Store]
) -> None:
    """
    Log what the application writes to `wsgi.errors`, until its request ends.

    Args:
        environ: The request's environment.
        entry: The request.
        store: Its store.
    """
    stream = environ.get(_KEY)
    if stream is not None:
        environ[_KEY] = errors = ErrorStream(stream, store)
        entry.ending = errors.end


class ErrorStream:
    """
    The server's stream for errors, whose text is logged in the request.

    The logger `wsgi.errors` gets a traceback as one line with the exception, at level
    ERROR, and any other text as one line per line, at level WARNING. Text of a handler
    of `logging` is a line already and goes on to the server's stream, and so does all
    text if that logger has no handler, or is switched off.

    Args:
        stream: The server's own stream.
        store: The request's store.
    """

    __slots__ = ("_logging", "_pending", "_store", "_stream")

    def __init__(self, stream: Any, store: Kept[Store]) -> None:
        self._stream = stream
        self._store = store
        self._pending = ""
        self._logging = False

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # while a copy is being made it has no stream
            raise AttributeError(name)
        return getattr(self._stream, name)

    def write(self, text: str) -> Any:
        """Take text; log it once a line of it, or a traceback, is complete."""
        if self._logging or sys._getframe(1).f_globals.get("__name__") == "logging":
            return self._stream.write(text)
        if not (_log.isEnabledFor(logging.WARNING) and _log.hasHandlers()):
            return self._stream.write(text)
        self._pending += text
        error = sys.exc_info()[1]
        if error is not None and self._shows(error):
            # Of a traceback that is written in pieces the exception comes last.
            self._log_pending(error)
        elif (
            (error is None and text.endswith("\n"))
            or self._store.take().closed
            or len(self._pending) > _MOST_PENDING
        ):
            self._log_pending(None)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write all *lines*."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Log the text so far."""
        error = sys.exc_info()[1]
        self._log_pending(error if error is not None and self._shows(error) else None)
        self._stream.flush()

    def end(self) -> None:
        """Log the rest of the text at the end of the request."""
        self._log_pending(None)

    def _shows(self, error: BaseException) -> bool:
        """Return whether the text so far shows an exception."""
        try:
            shown = "".join(traceback.format_exception_only(type(error), error))
        except Exception as failure:
            # A user-defined `__str__` raises anything. The text is logged without it.
            if is_interrupt(failure):
                raise
            return False
        return shown.rstrip("\n") in self._pending

    def _log_pending(self, error: BaseException | None) -> None:
        text, self._pending = self._pending, ""
        if not text or text.isspace():
            return
        try:
            self._logging = True
            within(self._store.take(), _log_text, text, error)
        finally:
            self._logging = False


def _log_text(text: str, error: BaseException | None) -> None:
    if error is None:
        _log.warning("%s", text.rstrip("\n"))
    else:
        # The text says what the line says, and may have a query string, too.
        report(error)
