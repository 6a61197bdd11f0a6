"""
structlog's processors: one shows the context, one renders lines. Private to `loggers/`.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping, MutableMapping
from contextlib import AbstractContextManager, nullcontext
from types import FrameType
from typing import TYPE_CHECKING, Any

from ctxlog._names import REPORTING_LOGGERS, get_names
from ctxlog.context.adapter import (
    View,
    add_source,
    current_view,
    error_view,
    remove_source,
)
from ctxlog.errors import requires
from ctxlog.line.encoder import LineEncoder
from ctxlog.line.event import Caller, Encoder, Event, Plain
from ctxlog.line.schema import Schema, get_schema
from ctxlog.loggers._callers import awaiting_frame, caller_at, caller_of
from ctxlog.loggers._events import (
    KEYS,
    LEVELS,
    STRUCTLOGS,
    is_true,
    level_of,
    restore_name,
    take_apart,
)
from ctxlog.loggers._levels import Levels
from ctxlog.loggers._record import plain_fields, read, stamp_of
from ctxlog.loggers._request_events import admitted as admit
from ctxlog.loggers._structlog_logger import LineLogger, output
from ctxlog.retention import asked

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ctxlog.line.options import EncoderOptions, RendererOptions

with requires("structlog"):
    import structlog

EventDict = MutableMapping[str, Any]

_now = time.time
_render_stack = structlog.processors.StackInfoRenderer(additional_ignores=["ctxlog"])


def merge_context(logger: Any, method_name: str, event_dict: EventDict) -> EventDict:
    """
    Put the context's fields into the event, for processors that look at them.

    A processor for the front of any chain, also the `foreign_pre_chain` of a
    `ProcessorFormatter`. Fields that the event has already win over those bound through
    `structlog.contextvars`, and those over the store. Secrets of the context are
    redacted. `JsonRenderer` finds the context without it. Never raises.
    """
    record = event_dict.get("_record")
    if isinstance(record, logging.LogRecord):
        stamp = stamp_of(record)
        view = stamp if isinstance(stamp, View) else stamp.view
    else:
        view = current_view()
    for name, value in _bound_elsewhere().items():
        event_dict.setdefault(name, value)
    log_error = get_names().log_error
    for name, value in plain_fields(view).items():
        # Processors would take such a field for an instruction.
        if name not in STRUCTLOGS and name != log_error:
            event_dict.setdefault(name, value)
    return event_dict


def _bound_elsewhere() -> Mapping[str, Any]:
    # Only if a field was ever bound: structlog looks at all context variables.
    return structlog.contextvars.get_contextvars() if _ever_bound else _NOTHING


_ever_bound = getattr(structlog.contextvars, "_CONTEXT_VARS", (None,))
_NOTHING: Mapping[str, Any] = {}


class JsonRenderer:
    """
    Render events as ctxlog's JSON lines; the last processor of a chain.

    The line is the same as that of a record of stdlib logging. It has the context, and
    each thing once that earlier processors put into the event: level, logger, time
    stamp, rendered exceptions and stacks. The renderer returns text, and bytes to a
    `structlog.BytesLogger`. It may be the last processor of a `ProcessorFormatter`, and
    be shared by loggers and threads. Never raises.

    Args:
        schema: Name of a schema, or one.
        encoder: Encodes the events instead of a `LineEncoder` of *schema*.
        options: Those of `LineEncoder`.

    Raises:
        ConfigError: if an option is invalid.
    """

    def __init__(
        self,
        *,
        schema: str | Schema = "default",
        encoder: Encoder | None = None,
        **options: Unpack[EncoderOptions],
    ) -> None:
        self.encoder = encoder or LineEncoder(get_schema(schema), **options)

    def __call__(
        self, logger: Any, method_name: str, event_dict: EventDict
    ) -> str | bytes | bytearray:
        """Return the line of an event."""
        kind = type(logger)
        if kind is not LineLogger and "_record" not in event_dict:
            _give_record_back(sys._getframe(1), event_dict)
        line = self.encode(logger, method_name, event_dict)
        if kind is LineLogger:
            return line
        if kind is structlog.BytesLogger:
            return line[:-1]
        return line[:-1].decode()

    def encode(self, logger: Any, method_name: str, event_dict: EventDict) -> bytes:
        """Return the line of an event as UTF-8, with its newline. Never raises."""
        restore_name(event_dict)
        message = event_dict.pop("event", "")
        if not KEYS.isdisjoint(event_dict) or isinstance(message, dict):
            return self._encode_more(logger, method_name, message, event_dict)
        name = getattr(logger, "name", None) or "root"
        level = LEVELS.get(method_name) or level_of(method_name)
        view = current_view()
        plain: Plain = (_now(), *level, name, message, view, event_dict)
        if view.lines is not None or asked.limit is not None:
            plain = (*plain[:6], self._admitted(logger, method_name, plain))
        line = self.encoder.encode_plain(*plain)
        if line is None:
            line = self.encoder.encode_at(self._caller(), plain)
        return line

    def _admitted(
        self, logger: Any, method_name: str, event: Plain | Event
    ) -> Mapping[Any, Any]:
        """
        Return the fields of an event to write.

        Raises:
            structlog.DropEvent: if it waits for its request, or is dropped.
        """
        if self.encoder.takes_all:
            return event[6]
        levels, writer = output.levels, output.writer
        if type(logger) is not LineLogger:
            # The application's chain has a level of its own.
            levels, writer = _ALL, _LoggerWriter(logger, method_name)
        usual = levels.writes(getattr(logger, "name", None), event[2], event[5].lines)
        fields = admit(event, usual, self.encoder, writer)
        if fields is None:
            raise structlog.DropEvent
        return fields

    def _caller(self) -> Caller | None:
        """Return the caller of the event, if the encoder asks for it."""
        if not self.encoder.caller:
            return None
        return caller_at(awaiting_frame() or sys._getframe(1))

    def _encode_more(
        self,
        logger: Any,
        method_name: str,
        message: Any,
        event_dict: EventDict,
    ) -> bytes:
        level = LEVELS.get(method_name) or level_of(method_name)
        named = {**event_dict, "event": message}
        if is_true(named.get("stack_info")):
            named.update(_render_stack(logger, "", {"stack_info": True}))
        name = getattr(logger, "name", None) or "root"
        event = take_apart(named, Event(_now(), *level, name, "", current_view()))
        fields = dict(event.fields)
        record = fields.get("_record")
        if isinstance(record, logging.LogRecord) and "_from_structlog" in fields:
            # Made by a log call some time ago, perhaps in another thread.
            del fields["_record"], fields["_from_structlog"]
            found = read(record)
            if type(record.msg) is not dict:
                fields = {**found.fields, **fields}
            event = found._replace(
                message=event.message,
                fields=fields,
                error=event.error or found.error,
                stack_info=event.stack_info or found.stack_info,
                problems=event.problems,
                caller=caller_of(record) if self.encoder.caller else None,
            )
            return self.encoder.encode(event)
        if isinstance(event.error, BaseException):
            reporting = event.logger in REPORTING_LOGGERS
            event = event._replace(view=error_view(event.error, reporting=reporting))
        if event.view.lines is not None or asked.limit is not None:
            admitted = self._admitted(logger, method_name, event)
            event = event._replace(fields=admitted)
        return self.encoder.encode(event._replace(caller=self._caller()))


_ALL = Levels(logging.NOTSET)


class _LoggerWriter:
    """
    Writes lines that have waited to the logger of an application's chain.

    Args:
        logger: The logger that structlog's loggers wrap.
        method: The name of its method.
    """

    encoder: Encoder | None = None
    stream = None

    def __init__(self, logger: Any, method: str) -> None:
        self._logger = logger
        self._method = method

    def __eq__(self, other: object) -> bool:
        # One is made for each line, and all of a logger are one place.
        return isinstance(other, _LoggerWriter) and self._logger is other._logger

    def __hash__(self) -> int:
        return id(self._logger)

    def write(self, line: bytes) -> None:
        """Give it one line."""
        text: Any = line[:-1]
        if type(self._logger) is not structlog.BytesLogger:
            text = line[:-1].decode()
        getattr(self._logger, self._method)(text)

    def together(self) -> AbstractContextManager[object]:
        """Return a block without a meaning: the logger has a lock of its own."""
        return nullcontext()

    def flush(self) -> None:
        """Do nothing: the logger holds no lines."""

    def close(self, timeout: float | None = None) -> int:
        """Do nothing: the logger is the application's."""
        return 0


_formats_records = structlog.stdlib.ProcessorFormatter.format.__code__


def _give_record_back(frame: FrameType, event: EventDict) -> None:
    """
    Put the record into the event again if *frame* is that of a `ProcessorFormatter`.

    `remove_processors_meta`, in front of most renderers, has taken it away. The record
    has the logger, the time, the fields and the context of the log call.
    """
    if frame.f_code is _formats_records:
        record = frame.f_locals["record"]
        event["_record"] = record
        event["_from_structlog"] = type(record.msg) is dict


def processors(*between: Any, **options: Unpack[RendererOptions]) -> list[Any]:
    """
    Return the processors for `structlog.configure(processors=...)`.

    Args:
        between: Further processors, which see the context's fields in the event.
        options: The options of `JsonRenderer`.
    """
    renderer = JsonRenderer(**options)
    return [merge_context, *between, renderer] if between else [renderer]


def bridge() -> None:
    """
    Show fields bound through `structlog.contextvars` on the lines of every logger.

    Such fields win over the store's. `configure()` calls it, also if the application
    has configured structlog by itself. Calling it again is a no-op.
    """
    add_source(_bound_elsewhere, unless_empty=_ever_bound)


def unbridge() -> None:
    """Undo `bridge()`; without it, a no-op."""
    remove_source(_bound_elsewhere)
