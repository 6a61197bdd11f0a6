"""
structlog's processors: what shows the context, and what renders lines. Private to
`loggers/`.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping, MutableMapping
from types import FrameType
from typing import Any

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
from ctxlog.line.event import Encoder, Event
from ctxlog.line.schema import Schema
from ctxlog.line.vendors import get_schema
from ctxlog.loggers._events import (
    KEYS,
    LEVELS,
    STRUCTLOGS,
    is_true,
    level_of,
    restore_name,
    take_apart,
)
from ctxlog.loggers._record import plain_fields, read, stamp_of
from ctxlog.loggers._structlog_logger import LineLogger

with requires("structlog"):
    import structlog

EventDict = MutableMapping[str, Any]

_now = time.time
_render_stack = structlog.processors.StackInfoRenderer(additional_ignores=["ctxlog"])


def merge_context(logger: Any, method_name: str, event_dict: EventDict) -> EventDict:
    """
    Put the context's fields into the event, for processors that look at them.

    A processor, for the front of a chain: native, of `structlog.stdlib`, or the
    `foreign_pre_chain` of a `ProcessorFormatter`. What is bound to the logger or given
    in the call wins; what was bound through `structlog.contextvars` comes along, and
    wins over the store. Secrets of the context are redacted, whatever renders the event
    then. `JsonRenderer` needs no help from it. Never raises.
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
        # A field must not pass for what processors take as instructions.
        if name not in STRUCTLOGS and name != log_error:
            event_dict.setdefault(name, value)
    return event_dict


def _bound_elsewhere() -> Mapping[str, Any]:
    # Looking for them goes through all context variables there are, so only where
    # something was ever bound.
    return structlog.contextvars.get_contextvars() if _ever_bound else _NOTHING


_ever_bound = getattr(structlog.contextvars, "_CONTEXT_VARS", True)
_NOTHING: Mapping[str, Any] = {}


class JsonRenderer:
    """
    Render events as ctxlog's JSON lines; the last processor of a chain.

    The line is the same as that of a record of stdlib logging: it takes the context
    by itself, and understands what earlier processors have made of the event (level,
    logger, time stamp, rendered exceptions and stacks). It returns text, and bytes to
    a `structlog.BytesLogger`. Also the last of a `ProcessorFormatter`. Never raises.

    One may be shared by any number of loggers and threads.

    Args:
        schema: Name of a schema, or one.
        encoder: Turns the event into the line, in place of an encoder of *schema*.
        options: Those of `ctxlog.line.LineEncoder`.

    Raises:
        ConfigError: an option has a value that it cannot have.
    """

    def __init__(
        self,
        *,
        schema: str | Schema = "default",
        encoder: Encoder | None = None,
        **options: Any,
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
        level = LEVELS.get(method_name) or level_of(method_name)
        if not KEYS.isdisjoint(event_dict) or isinstance(message, dict):
            return self._encode_more(logger, level, message, event_dict)
        name = getattr(logger, "name", None) or "root"
        plain = (_now(), *level, name, message, current_view(), event_dict)
        line = self.encoder.encode_plain(*plain)
        return self.encoder.encode(Event(*plain)) if line is None else line

    def _encode_more(
        self,
        logger: Any,
        level: tuple[str, int],
        message: Any,
        event_dict: EventDict,
    ) -> bytes:
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
            )
        elif isinstance(event.error, BaseException):
            reporting = event.logger in REPORTING_LOGGERS
            event = event._replace(view=error_view(event.error, reporting=reporting))
        return self.encoder.encode(event)


_formats_records = structlog.stdlib.ProcessorFormatter.format.__code__


def _give_record_back(frame: FrameType, event: EventDict) -> None:
    """
    Put the record into the event again if *frame* is that of a `ProcessorFormatter`.

    `remove_processors_meta`, in front of most renderers, has taken it away; it knows
    the logger, the time, the fields and the context of the log call.
    """
    if frame.f_code is _formats_records:
        record = frame.f_locals["record"]
        event["_record"] = record
        event["_from_structlog"] = type(record.msg) is dict


def processors(*between: Any, **options: Any) -> list[Any]:
    """
    Return the processors for `structlog.configure(processors=...)`.

    Args:
        between: Further processors; they find the context's fields in the event.
        options: Those of `JsonRenderer`.
    """
    renderer = JsonRenderer(**options)
    return [merge_context, *between, renderer] if between else [renderer]


def bridge() -> None:
    """
    Let what is bound through `structlog.contextvars` be on every logger's lines.

    Such fields win over the store's. On with `configure()`, also where the application
    has configured structlog by itself; calling it again is a no-op.
    """
    add_source(_bound_elsewhere)


def unbridge() -> None:
    """Leave them to structlog's own lines again; without a bridge, nothing."""
    remove_source(_bound_elsewhere)
