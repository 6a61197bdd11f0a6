"""
structlog's and loguru's events as records of `logging`. Private to `config`.
"""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager, nullcontext

from ctxlog._names import get_names
from ctxlog.line.event import Caller, Encoder, Event, ExceptionParts

_UNKNOWN = Caller("(unknown file)", 0)

#: Names that a field cannot have as an attribute of a record.
_TAKEN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class RecordEncoder(Encoder):
    """
    Hand every event to `logging` instead of encoding it.

    An encoder for the adapters of structlog and loguru, so that all handlers of
    `logging` get their events: ctxlog's own, which writes the line, a file's, an
    exporter's.

    Args:
        caller: Whether records have the caller of their event.
    """

    takes_all = True

    def __init__(self, caller: bool = False) -> None:
        self.caller = caller

    def encode(self, event: Event) -> bytes:
        """Hand on one event. Never raises."""
        error = event.error
        log = logging.getLogger(event.logger)
        info = None
        if isinstance(error, BaseException):
            info = (type(error), error, error.__traceback__)
        path, line, function = event.caller or _UNKNOWN
        make = logging.getLogRecordFactory()
        record = make(
            *(event.logger, event.levelno, path, line, "%s", (event.message,), info),
            func=function,
            sinfo=event.stack_info,
        )
        record.levelname = event.level
        if isinstance(error, ExceptionParts):
            record.exc_text = error.stack
        attributes = record.__dict__
        for name, value in event.fields.items():
            attributes[f"fields.{name}" if name in _TAKEN else str(name)] = value
        if event.problems:
            attributes[f"fields.{get_names().log_error}"] = "; ".join(event.problems)
        log.handle(record)
        return b""


class NoWriter:
    """Write nothing: the handlers have written the line."""

    stream = None

    def write(self, line: bytes) -> None:
        """Ignore `line`, which is empty."""

    def together(self) -> AbstractContextManager[object]:
        """Return a block without a meaning: nothing is written."""
        return nullcontext()
