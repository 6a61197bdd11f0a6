"""
structlog's and loguru's events as records of `logging`. Private to `config`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from ctxlog._names import get_names
from ctxlog.context.adapter import View
from ctxlog.line.encoder import ExceptionParts

_UNKNOWN = ("(unknown file)", 0)

#: What a field cannot be as an attribute of a record.
_TAKEN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class RecordEncoder:
    """
    Hands every event to `logging` instead of encoding it.

    It stands where an adapter wants an encoder, so that all handlers of `logging` get
    the events of structlog and loguru: ctxlog's own, which writes the line, a file's,
    an exporter's.
    """

    def encode(
        self,
        created: float,
        level: str,
        levelno: int,
        logger: str,
        message: str,
        view: View,
        own: Mapping[Any, Any] | None = None,
        error: ExceptionParts | BaseException | None = None,
        stack_info: str | None = None,
        problems: tuple[str, ...] = (),
    ) -> bytes:
        """Hand on one event; see `LineEncoder.encode`. Never raises."""
        log = logging.getLogger(logger)
        info = None
        if isinstance(error, BaseException):
            info = (type(error), error, error.__traceback__)
        make = logging.getLogRecordFactory()
        record = make(
            *(logger, levelno, *_UNKNOWN, "%s", (message,), info),
            sinfo=stack_info,
        )
        record.levelname = level
        if isinstance(error, ExceptionParts):
            record.exc_text = error.stack
        attributes = record.__dict__
        for name, value in (own or {}).items():
            attributes[f"fields.{name}" if name in _TAKEN else str(name)] = value
        if problems:
            attributes[f"fields.{get_names().log_error}"] = "; ".join(problems)
        log.handle(record)
        return b""


class NoWriter:
    """Writes nothing: the handlers have done so."""

    stream = None

    def write(self, line: bytes) -> None:
        """Pass over `line`, which is empty."""
