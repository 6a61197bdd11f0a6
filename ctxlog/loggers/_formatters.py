"""
The formatters of `logging`. Imports python-json-logger. Private to `loggers/`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

from pythonjsonlogger.core import BaseJsonFormatter

from ctxlog._interrupts import is_interrupt
from ctxlog.errors import ConfigError
from ctxlog.line.console import ConsoleEncoder
from ctxlog.line.encoder import LineEncoder
from ctxlog.line.event import Event, ExceptionParts
from ctxlog.line.redactor import get_redactor
from ctxlog.line.schema import Schema, get_schema
from ctxlog.line.values import safe_str, type_name
from ctxlog.loggers._record import STANDARD, encoded, event_of

#: The methods of python-json-logger that a subclass may override.
_HOOKS = ("add_fields", "process_log_record", "jsonify_log_record")


def _time_of(event: Event) -> datetime:
    return datetime.fromtimestamp(event.created, tz=timezone.utc)


class JsonFormatter(BaseJsonFormatter):
    """
    Format records as ctxlog's JSON lines. Formatting never raises.

    The options and hooks of python-json-logger keep their meaning: with `fmt` the line
    begins with those attributes of the record instead of `timestamp`, `level`, the
    request's id, `message` and `logger`. They are slower, and for the default schema.

    Handlers and threads may share a formatter. Its `encoder` makes the lines.

    Args:
        fmt: Attributes of the record to write instead of the schema's first keys.
        schema: Name of a schema, or one: the names of the keys.
        service: Field `service` of every line.
        environment: Field `environment` of every line.
        static: Further fields of every line.
        redact: The fields and texts to hide: see `configure()`.
        missing_request_id: The id outside of any request; None leaves it out.
        timespec: Precision of the timestamp: see `configure()`.
        max_line_bytes: The most bytes a line may have, its newline included.
        request_id_key: The name of the request's id; the process's unless given.
        case: The spelling of ctxlog's own names; the process's unless given.
        json_default: Asked first about values of types that JSON does not have.
        caller: Show where in the code an event was logged: see `configure()`.
        options: Those of `pythonjsonlogger.core.BaseJsonFormatter`.

    Raises:
        ConfigError: if an option is invalid.
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
        caller: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(fmt, datefmt, style, validate, **options)
        if static is not None and not isinstance(static, Mapping):
            raise ConfigError("static", static, "a mapping of names to values")
        self._static = {
            "service": service,
            "environment": environment,
            **(static or {}),
        }
        self._timespec = timespec
        self.encoder = LineEncoder(
            get_schema(schema),
            redactor=get_redactor(redact),
            static=self._static,
            missing_request_id=missing_request_id,
            timespec=timespec,
            max_line_bytes=max_line_bytes,
            request_id_key=request_id_key,
            case=case,
            default=json_default,
            caller=caller,
        )
        self._has_fmt = fmt is not None
        self._assembled = (
            self._has_fmt
            or any(options.values())
            or any(
                getattr(type(self), n) is not getattr(JsonFormatter, n) for n in _HOOKS
            )
        )
        if self._assembled and get_schema(schema) != get_schema("default"):
            expected = "'default' with a hook or an option of python-json-logger"
            raise ConfigError("schema", schema, expected)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of *record*, without its newline. Never raises."""
        return self.encode(record)[:-1].decode()

    @property
    def direct(self) -> bool:
        """Return whether `encode` only calls the `encoder`."""
        return not self._assembled and type(self).encode is JsonFormatter.encode

    def encode(self, record: logging.LogRecord) -> bytes:
        """Return the line of *record* as UTF-8, with its newline. Never raises."""
        if not self._assembled:
            return encoded(self.encoder, record)
        try:
            data: dict[str, Any] = {}
            self.add_fields(data, record, {})
            data = self.process_log_record(data)
            return (self.serialize_log_record(data) + "\n").encode()
        except Exception as error:
            # A subclass's hook may raise anything. The line is that of the schema.
            if is_interrupt(error):
                raise
            problem = f"formatter options: {type_name(error)}: {safe_str(error)}"
        event = event_of(record, self.encoder.caller, (problem,))
        return self.encoder.encode(event)

    def add_fields(
        self,
        log_data: dict[str, Any],
        record: logging.LogRecord,
        message_dict: dict[str, Any],
    ) -> None:
        """
        Collect the line's members in *log_data*; subclasses may extend it.

        In python-json-logger's order: defaults, the first keys, static fields, the
        context's and the call's fields, the timestamp. Values need not be plain.
        """
        event = event_of(record, self.encoder.caller)
        fields = self._fields(event)
        first = self._first(event, record, fields)
        for part in (self.defaults, first, self.static_fields, message_dict, fields):
            log_data.update((self._get_rename(name), part[name]) for name in part)
        # Attributes that the option reserved_attrs does not have.
        for name in record.__dict__.keys() & (STANDARD - self._skip_fields):
            if not name.startswith("_"):
                log_data.setdefault(self._get_rename(name), record.__dict__[name])
        if self.timestamp:
            key = self.timestamp if isinstance(self.timestamp, str) else "timestamp"
            log_data[self._get_rename(key)] = _time_of(event)
        if self.rename_fields_keep_missing:
            for name in self.rename_fields.values():
                log_data.setdefault(name, None)

    def _first(
        self, event: Event, record: logging.LogRecord, fields: dict[str, Any]
    ) -> dict[str, Any]:
        """Return the first members of a line; those among *fields* are taken out."""
        if self._has_fmt:
            own: dict[str, Any] = {"message": event.message}
            if "asctime" in self._required_fields:
                own["asctime"] = self.formatTime(record, self.datefmt)
            known = {**record.__dict__, **own}
            return {n: fields.pop(n, known.get(n)) for n in self._required_fields}
        schema = self.encoder.schema
        time = _time_of(event).isoformat(timespec=self._timespec)
        first = {
            schema.timestamp: time.replace("+00:00", "Z"),
            schema.level: event.level,
        }
        if schema.request_id in fields:
            first[schema.request_id] = fields.pop(schema.request_id)
        return {**first, schema.message: event.message, schema.logger: event.logger}

    def _fields(self, event: Event) -> dict[str, Any]:
        """Return the id, all fields and the stacks, under the keys of the line."""
        encoder, schema, view = self.encoder, self.encoder.schema, event.view
        key, request_id, own, context = event.divided(encoder.names)
        if request_id is None:
            request_id = encoder.missing_request_id
        taken = {schema.request_id, *schema.own_keys, *schema.caller_keys}
        if self._has_fmt:
            taken = {"exc_info", "stack_info", *self._required_fields} & STANDARD
            taken.update(schema.caller_keys)
        fields: dict[str, Any] = {}
        if request_id is not None:
            fields[schema.request_id] = safe_str(request_id)
        static = {n: v for n, v in self._static.items() if v is not None}
        for name, value in {**static, **context, **own}.items():
            if name in (key, encoder.names.request_id):
                continue
            if name in taken:
                fields[schema.prefixed(name)] = value
            elif name not in self.reserved_attrs:
                fields[safe_str(name)] = value
        if view.started is not None:
            lasted = event.created * 1000 - view.started / 1_000_000
            fields[schema.elapsed] = max(round(lasted, 3), 0.0)
        if view.late:
            fields[schema.late] = True
        if event.caller is not None:
            fields.update(encoder.caller_members(event.caller))
        fields.update(self._stacks(event))
        if event.problems:
            fields[schema.log_error] = "; ".join(event.problems)
        return fields

    def _stacks(self, event: Event) -> dict[str, Any]:
        schema, error = self.encoder.schema, event.error
        stacks: dict[str, Any] = {}
        if isinstance(error, BaseException):
            error = ExceptionParts.of(error)
        if error is not None:
            as_list = self.exc_info_as_array
            stack = error.stack.splitlines() if as_list else error.stack
            if self._has_fmt:
                stacks["exc_info"] = stack
            else:
                stacks[schema.exception] = {**error._asdict(), "stack": stack}
        if event.stack_info is not None:
            info = safe_str(event.stack_info)
            key = "stack_info" if self._has_fmt else schema.stack_info
            stacks[key] = info.splitlines() if self.stack_info_as_array else info
        return stacks

    def jsonify_log_record(self, log_data: dict[str, Any]) -> str:
        """
        Return *log_data* as JSON, made plain and cut to size.

        Raises:
            ValueError: if it is too long even with every value cut.
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

    Data cannot drive the terminal: control characters are escaped. `dictConfig` passes
    `fmt` and `style`, which have no effect.

    Args:
        color: Use colors for the level and the request's id.
        redact: The fields and texts to hide: see `configure()`.
        request_id_key: The name of the request's id; the process's unless given.
        case: The spelling of ctxlog's own names; the process's unless given.
        caller: Show the file and the line where an event was logged.

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
        caller: bool = False,
    ) -> None:
        super().__init__()
        self.encoder = ConsoleEncoder(
            color=color,
            redactor=get_redactor(redact),
            datefmt=datefmt or "%H:%M:%S",
            request_id_key=request_id_key,
            case=case,
            caller=caller,
        )

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of *record*; several lines with a traceback. Never raises."""
        return encoded(self.encoder, record)[:-1].decode()
