"""
The standard library's `logging`. Adapter: imports core and python-json-logger.

A record is stamped with the context in which it was made:
by `ContextFilter` or by the record factory, else when it is formatted. From then on
it may wait in a queue, be pickled or be written by another thread.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

from pythonjsonlogger.core import BaseJsonFormatter

from ctxlog._interrupts import is_interrupt
from ctxlog._names import ALIASES, Names, get_names
from ctxlog._stamps import set_stamp
from ctxlog.context import AsyncLocalStorage
from ctxlog.context.adapter import View, current_view
from ctxlog.errors import ConfigError
from ctxlog.line.console import ConsoleEncoder
from ctxlog.line.encoder import LineEncoder
from ctxlog.line.event import Event
from ctxlog.line.redactor import get_redactor
from ctxlog.line.schema import Schema
from ctxlog.line.values import Walk, safe_str, type_name
from ctxlog.line.vendors import get_schema
from ctxlog.line.writer import LineWriter
from ctxlog.loggers._factory import install_record_factory, uninstall_record_factory
from ctxlog.loggers._factory import watch_call_sites as watch_call_sites
from ctxlog.loggers._record import (
    STANDARD,
    ContextRecord,
    Stamp,
    encoded,
    event_of,
    message_of,
    plain_fields,
    read,
    stamp_of,
)

__all__ = [
    "ConsoleFormatter",
    "ContextFilter",
    "ContextRecord",
    "JsonFormatter",
    "LineHandler",
    "install_record_factory",
    "uninstall_record_factory",
]


class ContextFilter(logging.Filter):
    """
    Set the context's fields as attributes of every record, for any formatter.

    For handlers: a filter on a logger does not see its children's records. On a
    `QueueHandler` it stamps the record in the thread that logs. It never drops a record
    and never replaces an attribute. The request's id is always set, as `requestID`
    unless another name was chosen; fields of another storage, or of a callable, are set
    as they are. Secrets are redacted; other values are copies of what was bound.

    Args:
        storage: The source of the fields; by default, ctxlog's store and scopes.
        fields: Called with the storage's value, or with ctxlog's fields; returns the
            fields as a mapping. By default a value that is a mapping is the fields, and
            any other value is one field with the storage's name.
        missing_request_id: The id outside of any request; None leaves it out.
        redact: What to hide: see `configure()`.
        request_id_key: The name of the request's id; the process's unless given.
        case: The spelling of ctxlog's own names; the process's unless given.

    Raises:
        ConfigError: if an option is invalid.
    """

    def __init__(
        self,
        name: str = "",
        *,
        storage: AsyncLocalStorage[Any] | None = None,
        fields: Callable[[Any], Mapping[str, object]] | None = None,
        missing_request_id: str | None = "N/A",
        redact: object = None,
        request_id_key: str | None = None,
        case: str | None = None,
    ) -> None:
        super().__init__(name)
        self._storage = storage
        self._fields = fields
        self._missing = missing_request_id
        # None stands for the process's, which configure() may still change.
        self._redactor = None if redact is None else get_redactor(redact)
        chosen = Names.chosen(case, request_id_key)
        self._names = None if request_id_key is case is None else chosen

    def filter(self, record: logging.LogRecord) -> bool:
        """Stamp *record* and set its attributes; always True. Never raises."""
        found = stamp_of(record)
        stamp = Stamp(found) if isinstance(found, View) else found
        if record.args:
            message, problems = message_of(record)
            if problems:  # the stock QueueHandler would lose the line
                record.msg, record.args = message, None
        attributes = record.__dict__
        of_context = self._storage is None and self._fields is None
        if of_context:
            fields = self._of_context(stamp, attributes)
        else:
            fields = self._of_storage()
        added = [n for n in fields if n not in attributes and n not in STANDARD]
        for name in added:
            attributes[name] = fields[name]
        set_stamp(record, stamp.with_names(added) if of_context else stamp)
        return True

    def _of_context(self, stamp: Stamp, attributes: dict[str, Any]) -> dict[str, Any]:
        names, view = self._names or get_names(), stamp.view
        fields = plain_fields(view, self._redactor, names)
        request_id = fields.get(names.request_id)
        if not attributes.keys().isdisjoint(ALIASES):
            # The line takes the id from the call's own fields, too.
            known = attributes.keys() - stamp.names
            own = {name: attributes[name] for name in ALIASES if name in known}
            name = names.id_name({**view.fields, **own})
            request_id = own.get(name, request_id)
        if request_id is None:
            request_id = self._missing
        if type(request_id) is str and fields.get(names.request_id) == request_id:
            return fields
        others = {n: v for n, v in fields.items() if n != names.request_id}
        if request_id is None:
            return others
        return {**others, names.request_id: safe_str(request_id)}

    def _of_storage(self) -> dict[str, Any]:
        storage = self._storage
        if storage is None:
            view = current_view()
            value: Any = None if view.empty else view.fields
        else:
            value = storage.get_store()
        if value is None:
            return {}
        try:
            if self._fields is not None:
                value = self._fields(value)
            elif not isinstance(value, Mapping):
                value = {storage.name if storage else "context": value}
            pairs = list(dict(value).items())
        except Exception as error:
            # The user's callable may raise anything. The record says so.
            if is_interrupt(error):
                raise
            problem = f"context fields: {type_name(error)}: {safe_str(error)}"
            return {(self._names or get_names()).log_error: problem}
        return Walk(self._redactor or get_redactor(), 262_144, 262_144).named(pairs)


# Formatting ---------------------------------------------------------------------


class JsonFormatter(BaseJsonFormatter):
    """
    Format records as ctxlog's JSON lines. Formatting never raises.

    As it is, it writes the line of the chosen schema. The options of python-json-logger
    keep their meaning: with `fmt` the line has those attributes of the record in place
    of `timestamp`, `level`, `message` and `logger`; the rest of the line stays.

    One may be shared by any handlers and threads. Its `encoder` makes the lines.

    Args:
        fmt: Attributes of the record to write instead of the schema's first keys.
        schema: Name of a schema, or one: the names of the keys.
        service: Field `service` of every line.
        environment: Field `environment` of every line.
        static: Further fields of every line.
        redact: What to hide: see `configure()`.
        missing_request_id: The id outside of any request; None leaves it out.
        timespec: Precision of the timestamp: see `configure()`.
        max_line_bytes: The most bytes a line may have, its newline included.
        request_id_key: The name of the request's id; the process's unless given.
        case: The spelling of ctxlog's own names; the process's unless given.
        json_default: Asked first about values of types that JSON does not have.
        options: Those of `pythonjsonlogger.core.BaseJsonFormatter`.

    Raises:
        ConfigError: an option has a value that it cannot have.
    """

    def __init__(
        self,
        fmt: Any = None,
        datefmt: str | None = None,
        style: str = "%",
        validate: bool = True,
        *,
        schema: str | Schema = "default",
        service: str | None = None,
        environment: str | None = None,
        static: Mapping[str, object] | None = None,
        redact: object = None,
        missing_request_id: str | None = "N/A",
        timespec: str = "microseconds",
        max_line_bytes: int = 262_144,
        request_id_key: str | None = None,
        case: str | None = None,
        json_default: Callable[[Any], Any] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(fmt, datefmt, style, validate, **options)
        if static is not None and not isinstance(static, Mapping):
            raise ConfigError("static", static, "a mapping of names to values")
        self.encoder = LineEncoder(
            get_schema(schema),
            redactor=get_redactor(redact),
            static={"service": service, "environment": environment, **(static or {})},
            missing_request_id=missing_request_id,
            timespec=timespec,
            max_line_bytes=max_line_bytes,
            request_id_key=request_id_key,
            case=case,
            default=json_default,
            stacks_as_lists=(self.exc_info_as_array, self.stack_info_as_array),
        )
        self._has_fmt = fmt is not None
        in_place = {"exc_info_as_array", "stack_info_as_array"}
        hooks = ("add_fields", "process_log_record", "jsonify_log_record")
        self._assembled = (
            fmt is not None
            or any(options[name] for name in options.keys() - in_place)
            or any(
                getattr(type(self), hook) is not getattr(JsonFormatter, hook)
                for hook in hooks
            )
        )

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of `record`, without its newline. Never raises."""
        return self.encode(record)[:-1].decode()

    @property
    def direct(self) -> bool:
        """Whether `encode` does nothing but ask the `encoder`."""
        return not self._assembled and type(self).encode is JsonFormatter.encode

    def encode(self, record: logging.LogRecord) -> bytes:
        """Return the line of `record` as UTF-8, with its newline. Never raises."""
        if not self._assembled:
            return encoded(self.encoder, record)
        problems: tuple[str, ...] = ()
        try:
            data: dict[str, Any] = {}
            self.add_fields(data, record, {})
            data = self.process_log_record(data)
            return (self.serialize_log_record(data) + "\n").encode()
        except Exception as error:  # hooks of a subclass
            if is_interrupt(error):
                raise
            what = f"formatter options: {type_name(error)}: {safe_str(error)}"
            problems = (what,)
        return self.encoder.encode(event_of(record, problems))

    # With options of python-json-logger the finished line is taken apart again and put
    # together as that library does it: slower, and the same values.

    def add_fields(
        self,
        log_data: dict[str, Any],
        record: logging.LogRecord,
        message_dict: dict[str, Any],
    ) -> None:
        """
        Collect the line's members in `log_data`; for subclasses to extend.

        In python-json-logger's order: defaults, the required fields, static fields,
        the context's and the call's, the time stamp.
        """
        event = read(record)
        line: dict[str, Any] = json.loads(encoded(self.encoder, record))
        schema = self.encoder.schema
        first = (schema.timestamp, schema.level, schema.message, schema.logger)
        members = {self._get_rename(k): v for k, v in self.defaults.items()}
        if self._has_fmt:
            for key in first:
                line.pop(key, None)
            error = line.pop(schema.exception, None)
            if error is not None:
                line["exc_info"] = error[schema.exception_stack]
            if schema.stack_info in line:
                line["stack_info"] = line.pop(schema.stack_info)
            for name in self._required_fields:
                value = self._attribute(name, record, event, line)
                if name in line:  # a field that is called as the record's own
                    line[f"fields.{name}"] = line.pop(name)
                members[self._get_rename(name)] = value
        else:
            for key in (*first[:2], schema.request_id, *first[2:]):
                if key in line:
                    members[self._get_rename(key)] = line.pop(key)
        members.update((self._get_rename(k), v) for k, v in self.static_fields.items())
        members.update((self._get_rename(k), v) for k, v in message_dict.items())
        fields = event.fields.keys() | event.view.fields.keys()
        hidden = fields & self.reserved_attrs
        for name, value in line.items():
            if name not in hidden:
                members[self._get_rename(name)] = value
        for name, value in record.__dict__.items():
            # Only there if the option reserved_attrs leaves some of them out.
            if name in STANDARD - self._skip_fields and not name.startswith("_"):
                members.setdefault(self._get_rename(name), value)
        if self.timestamp:
            key = self.timestamp if isinstance(self.timestamp, str) else "timestamp"
            created = datetime.fromtimestamp(record.created, tz=timezone.utc)
            members[self._get_rename(key)] = created
        if self.rename_fields_keep_missing:
            for name in self.rename_fields.values():
                members.setdefault(name, None)
        log_data.update(members)

    def _attribute(
        self,
        name: str,
        record: logging.LogRecord,
        event: Event,
        line: dict[str, Any],
    ) -> object:
        if name == "message":
            return event.message
        if name == "asctime":
            return self.formatTime(record, self.datefmt)
        standard = name in STANDARD and name not in ("exc_info", "stack_info")
        if name in line and not standard:
            return line.pop(name)
        return record.__dict__.get(name)

    def jsonify_log_record(self, log_data: dict[str, Any]) -> str:
        """
        Return `log_data` as JSON, whatever it holds, cut to size.

        Raises:
            ValueError: it is too long even with every value cut.
        """
        limit = self.encoder.max_line_bytes - len(self.prefix.encode()) - 1
        share = limit
        while share >= 16:
            text = self.encoder.json(log_data, share)
            if len(text) <= limit:
                return text.decode()
            share //= 4
        raise ValueError("too many members for one line")


class ConsoleFormatter(logging.Formatter):
    """
    Format records as text for people: time, level, request, logger, message, fields.

    What is in the data cannot drive the terminal: control characters are escaped. `fmt`
    and `style` are taken as `dictConfig` passes them, and not used.

    Args:
        color: Whether to colour the level and the request's id.
        redact: What to hide: see `configure()`.
        request_id_key: The name of the request's id; the process's unless given.
        case: The spelling of ctxlog's own names; the process's unless given.

    Raises:
        ConfigError: if an option is invalid.
    """

    def __init__(
        self,
        fmt: str | None = None,
        datefmt: str | None = None,
        style: str = "%",
        validate: bool = True,
        *,
        color: bool = False,
        redact: object = None,
        request_id_key: str | None = None,
        case: str | None = None,
    ) -> None:
        super().__init__()
        self.encoder = ConsoleEncoder(
            color=color,
            redactor=get_redactor(redact),
            datefmt=datefmt or "%H:%M:%S",
            request_id_key=request_id_key,
            case=case,
        )

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of `record`; several lines with a traceback. Never raises."""
        return encoded(self.encoder, record)[:-1].decode()


# Writing ------------------------------------------------------------------------


class LineHandler(logging.Handler):
    """
    Write every record as one line, by one write.

    A line is encoded before the lock is taken, so a slow value delays its own thread
    only. To a file, a pipe or a terminal the bytes go by the descriptor, unbuffered:
    nothing is left to flush at exit. A line that cannot be written (a full disk, a
    closed pipe) goes to standard error instead. Logging never raises.

    Args:
        stream: A text or binary stream; unless given, `sys.stdout` as it is when a line
            is written.
        level: The least level to write.
    """

    terminator = "\n"

    def __init__(self, stream: Any = None, level: int | str = logging.NOTSET) -> None:
        super().__init__(level)
        self.writer = LineWriter(stream)
        self.setFormatter(None)

    @property
    def stream(self) -> Any:
        """Where the lines go."""
        return self.writer.stream

    def __repr__(self) -> str:
        name = getattr(self.stream, "name", "")
        return f"<{type(self).__name__} {name} ({logging.getLevelName(self.level)})>"

    def setFormatter(self, fmt: logging.Formatter | None) -> None:
        """Encode with `fmt` from now on."""
        super().setFormatter(fmt)
        formatter = self._formatter = fmt or _LAST_RESORT
        self._encoder: LineEncoder | None = None
        if isinstance(formatter, JsonFormatter) and formatter.direct:
            self._encoder = formatter.encoder
        ours = formatter
        if not isinstance(ours, (JsonFormatter, ConsoleFormatter)):
            ours = _LAST_RESORT
        self.writer.encoder = ours.encoder

    def handle(self, record: logging.LogRecord) -> bool:
        """Filter, encode and write `record`. Never raises."""
        if self.filters:
            passed: Any = self.filter(record)
            if not passed:
                return False
            if isinstance(passed, logging.LogRecord):  # Python 3.12 and later
                record = passed
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Encode and write `record`. Never raises."""
        encoder = self._encoder
        try:
            # Straight to the encoder: it is what nearly every line takes.
            line = (
                self._formatted(record) if encoder is None else encoded(encoder, record)
            )
        except Exception as error:  # a third-party formatter
            if is_interrupt(error):
                raise
            self.handleError(record)
            line = _LAST_RESORT.encode(record)
        self.writer.write(line)

    def _formatted(self, record: logging.LogRecord) -> bytes:
        formatter = self._formatter
        if isinstance(formatter, JsonFormatter):
            return formatter.encode(record)
        text = formatter.format(record) + self.terminator
        return text.encode("utf-8", "backslashreplace")

    def flush(self) -> None:
        """Write what was interrupted; else there is nothing to do, or too late."""
        self.writer.flush()


_LAST_RESORT: JsonFormatter


_LAST_RESORT = JsonFormatter()
