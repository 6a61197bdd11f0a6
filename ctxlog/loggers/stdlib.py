"""
The standard library's `logging`. Adapter: imports core and python-json-logger.

A record is stamped with the context in which it was made, as one private attribute:
by `ContextFilter` or by the record factory, else when it is formatted. From then on
it may wait in a queue, be pickled or be written by another thread.
"""

from __future__ import annotations

import copyreg
import json
import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

from pythonjsonlogger.core import BaseJsonFormatter

from ctxlog._json import FLAT_TYPES, dumps
from ctxlog.console import ConsoleEncoder
from ctxlog.context import AsyncLocalStorage, View, current_view, error_view
from ctxlog.errors import ConfigError
from ctxlog.line import REPORTING_LOGGERS, REQUEST_ID, ExceptionParts, LineEncoder
from ctxlog.redact import REDACTED, active, redactor
from ctxlog.schema import Schema, find
from ctxlog.values import Walk, safe_str, type_name
from ctxlog.writer import LineWriter

__all__ = [
    "ConsoleFormatter",
    "ContextFilter",
    "ContextRecord",
    "JsonFormatter",
    "LineHandler",
    "install_record_factory",
    "uninstall_record_factory",
]

_STAMP = "_ctxlog"
_STANDARD = frozenset(
    logging.LogRecord("", 0, "", 0, "", (), None).__dict__.keys()
    | {"message", "asctime", "taskName", _STAMP}
    # uvicorn's message with ANSI escapes; structlog's own marks on a record.
    | {"color_message", "_from_structlog", "_record", "_logger", "_name"}
)


# Stamping -----------------------------------------------------------------------


class _Stamp:
    """
    What a record keeps of the moment in which it was made.

    Besides the context's view: what the stock `QueueHandler.prepare` destroys (it
    merges the stacks into the message), and the names of the attributes that
    `ContextFilter` set, which are not the log call's own.
    """

    __slots__ = ("error", "names", "stack_info", "view")

    def __init__(self, view: View) -> None:
        self.view = view
        self.error: ExceptionParts | BaseException | None = None
        self.stack_info: str | None = None
        self.names: frozenset[str] = frozenset()

    def __reduce__(self) -> tuple[Any, ...]:
        error = self.error
        if isinstance(error, BaseException):
            error = ExceptionParts.of(error)
        return _plain_stamp(
            self.view,
            error=error and error._asdict(),
            stack_info=self.stack_info,
            names=sorted(self.names),
        )

    @classmethod
    def revived(cls, plain: Mapping[str, Any]) -> _Stamp:
        """Read what a pickle holds; one that is not ours is as none."""
        fields = plain.get("fields")
        started = plain.get("started")
        stamp = cls(
            View(
                dict(fields) if isinstance(fields, Mapping) else {},
                started if isinstance(started, int) else None,
                plain.get("late") is True,
            )
        )
        error = plain.get("error")
        if isinstance(error, Mapping):
            texts = [safe_str(error.get(name, "")) for name in ExceptionParts._fields]
            stamp.error = ExceptionParts(*texts)
        stack_info, names = plain.get("stack_info"), plain.get("names")
        if isinstance(stack_info, str):
            stamp.stack_info = stack_info
        if isinstance(names, list):
            stamp.names = frozenset(name for name in names if isinstance(name, str))
        return stamp


def _plain_stamp(view: View, **more: object) -> tuple[Any, ...]:
    # A pickle may leave for a process without ctxlog, and over a network: builtin
    # types only, redacted.
    walk = Walk(redactor(None), 262_144, 131_072)
    fields = walk.named(list(view.fields.items()))
    plain = {"fields": fields, "started": view.started, "late": view.late, **more}
    return dict, (list(plain.items()),)


copyreg.pickle(View, _plain_stamp)


def _stamp(record: logging.LogRecord) -> View | _Stamp:
    """Return what stamps `record`, taken from the context that is active now."""
    if not record.exc_info and record.stack_info is None:
        return current_view()
    error = _error_of(record)
    reporting = record.name in REPORTING_LOGGERS
    stamp = _Stamp(error_view(error, reporting=reporting))
    stamp.error = error
    stamp.stack_info = record.stack_info
    return stamp


def _error_of(record: logging.LogRecord) -> BaseException | None:
    info: Any = record.exc_info
    error = info[1] if isinstance(info, tuple) and len(info) == 3 else info
    return error if isinstance(error, BaseException) else None


def _stamp_of(record: logging.LogRecord) -> View | _Stamp:
    """Return the stamp that `record` has, else one of the active context."""
    stamp = record.__dict__.get(_STAMP)
    if isinstance(stamp, (View, _Stamp)):
        return stamp
    if isinstance(stamp, dict):  # it was pickled
        return _Stamp.revived(stamp)
    return _stamp(record)


def _message(
    record: logging.LogRecord, stock: bool = False
) -> tuple[str, tuple[str, ...]]:
    """
    Return the formatted message, and what was wrong with its format.

    With `stock` as the standard library formats it, else as the record's class does:
    another factory's records may have formats of their own (`{}`).
    """
    try:
        if stock or type(record) is ContextRecord:
            return logging.LogRecord.getMessage(record), ()
        return record.getMessage(), ()
    except Exception as error:  # a foreign __str__, a wrong format
        template = safe_str(record.msg)
        what = f"message not formatted: {type_name(error)}: {safe_str(error)}"
    if not record.args:
        return template, (what,)
    args = record.args if isinstance(record.args, tuple) else (record.args,)
    shown = ", ".join(_shown(arg) for arg in args)
    return f"{template} [{shown}]", (what,)


def _shown(value: object) -> str:
    walk = Walk(redactor(None), 1024, 64)
    plain = walk.value(value)
    return plain if isinstance(plain, str) else dumps(plain).decode()


class ContextRecord(logging.LogRecord):
    """
    A `LogRecord` whose message can always be formatted.

    The record factory makes these, so that a wrong format string costs no handler its
    line, ours or another's.
    """

    def getMessage(self) -> str:
        """Return the message, with the arguments if they do not fit. Never raises."""
        return _message(self, stock=True)[0]

    def __reduce__(self) -> tuple[Any, ...]:
        # To a process that need not have ctxlog, as a plain record.
        return object.__new__, (logging.LogRecord,), self.__dict__


_Factory = Callable[..., logging.LogRecord]


class _RecordFactory:
    """Makes records as the factory before it did, and stamps them."""

    def __init__(self, previous: _Factory) -> None:
        self.previous = previous
        self.make = ContextRecord if previous is logging.LogRecord else previous
        self.active = True

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        if not self.active:
            return self.previous(*args, **kwargs)
        record = self.make(*args, **kwargs)
        record.__dict__[_STAMP] = _stamp(record)
        return record


_installed: _RecordFactory | None = None


def install_record_factory() -> Callable[[], None]:
    """
    Stamp every record where it is made, whoever logs and whichever handler writes.

    The factory that is there is called and its records are stamped, with one private
    attribute: no name of a user's `extra` can clash. Records stay right in queues, in
    other threads and in pickles. Doing it twice changes nothing.

    Returns:
        `uninstall_record_factory`.
    """
    global _installed
    current = logging.getLogRecordFactory()
    if not (isinstance(current, _RecordFactory) and current.active):
        # One that somebody else's factory calls, or replaced, has nothing more to do.
        _hand_through()
        _installed = _RecordFactory(current)
        logging.setLogRecordFactory(_installed)
    return uninstall_record_factory


def uninstall_record_factory() -> None:
    """
    Stop stamping records where they are made.

    The factory of before comes back. If somebody else's was put over ours, ours only
    hands through to it. Without an installed factory nothing happens.
    """
    _hand_through()
    current = logging.getLogRecordFactory()
    while isinstance(current, _RecordFactory) and not current.active:
        current = current.previous
        logging.setLogRecordFactory(current)


def _hand_through() -> None:
    if _installed is not None:
        _installed.active = False


class ContextFilter(logging.Filter):
    """
    Set the context's fields as attributes of every record, for any formatter.

    For handlers (a filter on a logger does not see its children's records), also on a
    `QueueHandler`: the record is stamped in the thread that logs. It never drops a
    record and never replaces an attribute that is there. `requestID` is always set,
    except from another storage or by a callable, which set their own fields only.
    Secrets are redacted; other values are as they were bound, containers copied.

    Args:
        storage: Where the fields come from: ctxlog's store and scopes unless given.
        fields: Called with the storage's value (with ctxlog's active store) when there
            is one; returns the fields as a mapping. Without it a mapping is taken as
            it is, and any other value is one field with the storage's name.
        missing_request_id: `requestID` outside of any request; None leaves it out.
        redact: What to hide: see `configure()`.

    Raises:
        ConfigError: *redact* has a value that it cannot have.
    """

    def __init__(
        self,
        name: str = "",
        *,
        storage: AsyncLocalStorage[Any] | None = None,
        fields: Callable[[Any], Mapping[str, object]] | None = None,
        missing_request_id: str | None = "N/A",
        redact: object = None,
    ) -> None:
        super().__init__(name)
        self._storage = storage
        self._fields = fields
        self._missing = missing_request_id
        # The process's may still be changed by configure().
        self._redactor = None if redact is None else redactor(redact)

    def filter(self, record: logging.LogRecord) -> bool:
        """Stamp `record` and set its attributes; always True. Never raises."""
        found = _stamp_of(record)
        stamp = _Stamp(found) if isinstance(found, View) else found
        record.__dict__[_STAMP] = stamp
        if record.args:
            text, problems = _message(record)
            if problems:  # the stock QueueHandler would lose the line
                record.msg, record.args = text, None
        attributes = record.__dict__
        of_view = self._storage is None and self._fields is None
        own = self._of_view(stamp.view) if of_view else self._of_storage()
        names = [n for n in own if n not in attributes and n not in _STANDARD]
        for name in names:
            attributes[name] = own[name]
        if of_view:
            stamp.names = stamp.names.union(names)
        return True

    def _of_view(self, view: View) -> dict[str, Any]:
        if view.encoded is None:
            view.encoded = {}
        known: dict[str, Any] | None = view.encoded.get(self)
        if known is not None:
            return known
        own = self._redacted(view.fields)
        if own.get(REQUEST_ID) is None:
            own[REQUEST_ID] = self._missing
        elif not isinstance(own[REQUEST_ID], str):
            own[REQUEST_ID] = safe_str(own[REQUEST_ID])
        if own[REQUEST_ID] is None:
            del own[REQUEST_ID]
        view.encoded[self] = own
        return own

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
            return self._redacted(dict(value))
        except Exception as error:  # a callable of the user's
            what = f"{type_name(error)}: {safe_str(error)}"
            return {"logError": f"context fields: {what}"}

    def _redacted(self, fields: Mapping[str, object]) -> dict[str, Any]:
        hiding = self._redactor or active()
        walk = Walk(hiding, 262_144, 131_072)
        own: dict[str, Any] = {}
        for name, value in fields.items():
            if type(name) is not str:
                name = safe_str(name)
            if hiding.hides(name) and value is not None:
                own[name] = REDACTED
            elif isinstance(value, str) or type(value) not in FLAT_TYPES:
                own[name] = walk.value(value)
            else:
                own[name] = value
        return own


# Formatting ---------------------------------------------------------------------


def _extras(record: logging.LogRecord, names: frozenset[str]) -> dict[str, Any]:
    """Return the log call's own fields: what is on the record beyond the standard."""
    own = {
        name: value
        # A copy: another thread's handler may be setting attributes.
        for name, value in list(record.__dict__.items())
        if name not in _STANDARD and name not in names
    }
    if "request" in own and record.name.startswith("django."):
        own.pop("request", None)  # its text has the query string, which holds secrets
    return own


class _Event:
    """A record taken apart."""

    __slots__ = ("error", "message", "own", "problems", "stack_info", "view")

    def __init__(self, record: logging.LogRecord) -> None:
        stamp = _stamp_of(record)
        # Who adds them to the record later is right, too.
        self.error: ExceptionParts | BaseException | None = _error_of(record)
        self.stack_info = record.stack_info
        self.problems: tuple[str, ...] = ()
        self.message = ""
        if isinstance(stamp, View):
            self.view: View = stamp
            self.own = _extras(record, _NO_NAMES)
        else:
            self.view = stamp.view
            self.error = self.error or stamp.error
            self.stack_info = self.stack_info or stamp.stack_info
            self.own = _extras(record, stamp.names)
        if isinstance(record.msg, dict):
            # As in python-json-logger: a dict for a message is the event's fields.
            self.own = {**record.msg, **self.own}
        else:
            self.message, self.problems = _message(record)
        if not record.exc_info and (self.error is not None or self.stack_info):
            self._take_out_stacks()
        if record.name in REPORTING_LOGGERS:
            self.message = self.message.rstrip("\n")  # uvicorn's crash report ends so
        if self.error is None and record.exc_text:
            self.error = ExceptionParts("", "", record.exc_text)

    def encoded(
        self,
        encoder: LineEncoder | ConsoleEncoder,
        record: logging.LogRecord,
        problems: tuple[str, ...] = (),
    ) -> bytes:
        """Return the line of the event, which was `record`."""
        return encoder.encode(
            record.created,
            record.levelname,
            record.levelno,
            record.name,
            self.message,
            self.view,
            self.own,
            self.error,
            self.stack_info,
            (*self.problems, *problems),
        )

    def _take_out_stacks(self) -> None:
        """Undo what the stock `QueueHandler` did: it merges stacks into the message."""
        if isinstance(self.error, BaseException):
            self.error = ExceptionParts.of(self.error)
        for stack in (self.error and self.error.stack, self.stack_info):
            if stack:
                self.message = self.message.partition(f"\n{stack}")[0]


_NO_NAMES: frozenset[str] = frozenset()


def _encoded(
    encoder: LineEncoder | ConsoleEncoder,
    record: logging.LogRecord,
    problems: tuple[str, ...] = (),
) -> bytes:
    """Return the line of `record`. Never raises."""
    try:
        event = _Event(record)
    except Exception as error:  # a record that was unpickled may hold anything
        return encoder.encode(
            record.created,
            record.levelname,
            record.levelno,
            record.name,
            safe_str(record.msg),
            current_view(),
            problems=(f"record not readable: {type_name(error)}",),
        )
    return event.encoded(encoder, record, problems)


class JsonFormatter(BaseJsonFormatter):
    """
    Format records as ctxlog's JSON lines. Formatting never raises.

    As it is, it writes the line of the chosen schema. The options of python-json-logger
    keep their meaning: with `fmt` the line has those attributes of the record in place
    of `timestamp`, `level`, `message` and `logger`; the rest of the line stays.

    One may be shared by any handlers and threads.

    Args:
        fmt: Attributes of the record to write instead of the schema's first keys.
        schema: Name of a schema, or one: the names of the keys.
        service: Field `service` of every line.
        environment: Field `environment` of every line.
        static: Further fields of every line.
        redact: What to hide: see `configure()`.
        missing_request_id: `requestID` outside of any request; None leaves it out.
        timespec: Precision of the timestamp: see `configure()`.
        max_line_bytes: The most bytes a line may have, its newline included.
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
        json_default: Callable[[Any], Any] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(fmt, datefmt, style, validate, **options)
        if static is not None and not isinstance(static, Mapping):
            raise ConfigError("static", static, "a mapping of names to values")
        self._encoder = LineEncoder(
            find(schema),
            redactor=redactor(redact),
            static={"service": service, "environment": environment, **(static or {})},
            missing_request_id=missing_request_id,
            timespec=timespec,
            max_line_bytes=max_line_bytes,
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

    def encode(self, record: logging.LogRecord) -> bytes:
        """Return the line of `record` as UTF-8, with its newline. Never raises."""
        if not self._assembled:
            return _encoded(self._encoder, record)
        problems: tuple[str, ...] = ()
        try:
            data: dict[str, Any] = {}
            self.add_fields(data, record, {})
            data = self.process_log_record(data)
            return (self.serialize_log_record(data) + "\n").encode()
        except Exception as error:  # hooks of a subclass
            what = f"formatter options: {type_name(error)}: {safe_str(error)}"
            problems = (what,)
        return _encoded(self._encoder, record, problems)

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
        event = _Event(record)
        line: dict[str, Any] = json.loads(event.encoded(self._encoder, record))
        schema = self._encoder.schema
        first = (schema.timestamp, schema.level, schema.message, schema.logger)
        members = {self._get_rename(k): v for k, v in self.defaults.items()}
        if self._has_fmt:
            for key in first:
                line.pop(key, None)
            error = line.pop(schema.exception, None)
            if error is not None:
                line["exc_info"] = error[schema.exception_stack]
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
        fields = event.own.keys() | event.view.fields.keys()
        hidden = fields & self.reserved_attrs
        for name, value in line.items():
            if name not in hidden:
                members[self._get_rename(name)] = value
        for name, value in record.__dict__.items():
            # Only there if the option reserved_attrs leaves some of them out.
            if name in _STANDARD - self._skip_fields and not name.startswith("_"):
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
        event: _Event,
        line: dict[str, Any],
    ) -> object:
        if name == "message":
            return event.message
        if name == "asctime":
            return self.formatTime(record, self.datefmt)
        standard = name in _STANDARD and name not in ("exc_info", "stack_info")
        if name in line and not standard:
            return line.pop(name)
        return record.__dict__.get(name)

    def jsonify_log_record(self, log_data: dict[str, Any]) -> str:
        """
        Return `log_data` as JSON, whatever it holds, cut to size.

        Raises:
            ValueError: it is too long even with every value cut.
        """
        limit = self._encoder.max_line_bytes - len(self.prefix.encode()) - 1
        share = limit
        while share >= 16:
            text = self._encoder.json(log_data, share)
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
    ) -> None:
        super().__init__()
        self._encoder = ConsoleEncoder(
            color=color, redactor=redactor(redact), datefmt=datefmt or "%H:%M:%S"
        )

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of `record`; several lines with a traceback. Never raises."""
        return _encoded(self._encoder, record)[:-1].decode()


# Writing ------------------------------------------------------------------------


class LineHandler(logging.Handler):
    """
    Write every record as one line, by one write.

    A line is encoded before the lock is taken, so a slow value delays its own thread
    only. To a file, a pipe or a terminal the bytes go by the descriptor, unbuffered:
    nothing is left to flush at exit. A line that cannot be written (a full disk, a
    closed pipe) goes to standard error instead. Logging never raises.

    Args:
        stream: A text or binary stream; `sys.stdout` as it is now unless given.
        level: The least level to write.
    """

    terminator = "\n"

    def __init__(self, stream: Any = None, level: int | str = logging.NOTSET) -> None:
        super().__init__(level)
        self.writer = LineWriter(stream)

    @property
    def stream(self) -> Any:
        """Where the lines go."""
        return self.writer.stream

    def __repr__(self) -> str:
        name = getattr(self.stream, "name", "")
        return f"<{type(self).__name__} {name} ({logging.getLevelName(self.level)})>"

    def handle(self, record: logging.LogRecord) -> bool:
        """Filter, encode and write `record`. Never raises."""
        passed: Any = self.filter(record)
        if isinstance(passed, logging.LogRecord):  # Python 3.12 and later
            record = passed
        if passed:
            self.emit(record)
        return bool(passed)

    def emit(self, record: logging.LogRecord) -> None:
        """Encode and write `record`. Never raises."""
        try:
            line = self._encode(record)
        except Exception:  # a foreign formatter
            self.handleError(record)
            line = _LAST_RESORT.encode(record)
        self.writer.write(line)

    def _encode(self, record: logging.LogRecord) -> bytes:
        formatter = self.formatter or _LAST_RESORT
        if isinstance(formatter, JsonFormatter):
            return formatter.encode(record)
        text = formatter.format(record) + self.terminator
        return text.encode("utf-8", "backslashreplace")

    def flush(self) -> None:
        """Nothing to do: lines are not buffered."""


_LAST_RESORT: JsonFormatter


_LAST_RESORT = JsonFormatter()
