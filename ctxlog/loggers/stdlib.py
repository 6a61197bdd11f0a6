"""
The standard library's `logging`. Adapter: imports core and python-json-logger.

A record is stamped with the context in which it was made, as one private attribute:
by `ContextFilter` or by the record factory, else when it is formatted. From then on
it may wait in a queue, be pickled or be written by another thread.
"""

from __future__ import annotations

import copyreg
import io
import json
import logging
import os
import select
import sys
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any, TextIO

from pythonjsonlogger.core import BaseJsonFormatter

from ctxlog._json import FLAT_TYPES, dumps
from ctxlog.context import AsyncLocalStorage, View, current_view, error_view
from ctxlog.line import REPORTING_LOGGERS, REQUEST_ID, ExceptionParts, LineEncoder
from ctxlog.redact import REDACTED, Redactor, redactor
from ctxlog.schema import Schema, find
from ctxlog.values import Walk, safe_str

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
    merges the traceback into the message), and the names of the attributes that
    `ContextFilter` set, which are not the log call's own.
    """

    __slots__ = ("error", "message", "names", "stack_info", "view")

    def __init__(self, view: View) -> None:
        self.view = view
        self.error: ExceptionParts | BaseException | None = None
        self.stack_info: str | None = None
        self.message: str | None = None
        self.names: frozenset[str] = frozenset()

    def __reduce__(self) -> tuple[Any, ...]:
        error = self.error
        if isinstance(error, BaseException):
            error = ExceptionParts.of(error)
        return _plain_stamp(
            self.view,
            error=error and error._asdict(),
            stack_info=self.stack_info,
            message=self.message,
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
        for name in ("stack_info", "message"):
            if isinstance(plain.get(name), str):
                setattr(stamp, name, plain[name])
        stamp.names = frozenset(filter(_is_text, plain.get("names") or ()))
        return stamp


def _is_text(value: object) -> bool:
    return isinstance(value, str)


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
    info = record.exc_info
    if not info and record.stack_info is None:
        return current_view()
    error = info[1] if isinstance(info, tuple) and len(info) == 3 else None
    reporting = record.name in REPORTING_LOGGERS
    stamp = _Stamp(error_view(error, reporting=reporting))
    stamp.error = error
    stamp.stack_info = record.stack_info
    stamp.message = _message(record)[0]
    return stamp


def _stamp_of(record: logging.LogRecord) -> View | _Stamp:
    """Return the stamp that `record` has, else one of the active context."""
    stamp = record.__dict__.get(_STAMP)
    if isinstance(stamp, (View, _Stamp)):
        return stamp
    if isinstance(stamp, dict):  # it was pickled
        return _Stamp.revived(stamp)
    return _stamp(record)


def _message(record: logging.LogRecord) -> tuple[str, tuple[str, ...]]:
    """Return the formatted message, and what was wrong with its format."""
    try:
        return logging.LogRecord.getMessage(record), ()
    except Exception as error:  # a foreign __str__, a wrong format
        template = safe_str(record.msg)
        what = f"message not formatted: {type(error).__name__}: {safe_str(error)}"
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
        return _message(self)[0]


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


def install_record_factory() -> Callable[[], None]:
    """
    Stamp every record where it is made, whoever logs and whichever handler writes.

    The factory that is there is called and its records are stamped, with one private
    attribute: no name of a user's `extra` can clash. Records stay right in queues, in
    other threads and in pickles. Doing it twice changes nothing.

    Returns:
        `uninstall_record_factory`.
    """
    current = logging.getLogRecordFactory()
    if not (isinstance(current, _RecordFactory) and current.active):
        logging.setLogRecordFactory(_RecordFactory(current))
    return uninstall_record_factory


def uninstall_record_factory() -> None:
    """
    Stop stamping records where they are made.

    The factory of before comes back. If somebody else's was put over ours, ours only
    hands through to it. Without an installed factory nothing happens.
    """
    current = logging.getLogRecordFactory()
    if isinstance(current, _RecordFactory):
        current.active = False
        logging.setLogRecordFactory(current.previous)
        return
    below = getattr(current, "previous", None) or getattr(current, "__wrapped__", None)
    if isinstance(below, _RecordFactory):
        below.active = False


class ContextFilter(logging.Filter):
    """
    Set the context's fields as attributes of every record, for any formatter.

    For handlers (a filter on a logger does not see its children's records), also on a
    `QueueHandler`: the record is stamped in the thread that logs. It never drops a
    record and never replaces an attribute that is there. `requestID` is always set.
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
        self._redact = redact
        redactor(redact)

    def filter(self, record: logging.LogRecord) -> bool:
        """Stamp `record` and set its attributes; always True. Never raises."""
        found = _stamp_of(record)
        stamp = _Stamp(found) if isinstance(found, View) else found
        record.__dict__[_STAMP] = stamp
        if record.args:
            text, problems = _message(record)
            if problems:  # the stock QueueHandler would lose the line
                record.msg, record.args = text, None
                stamp.message = text
        attributes = record.__dict__
        if self._storage is None and self._fields is None:
            own = self._of_view(stamp.view)
            names = own.keys() - attributes.keys() - _STANDARD
            stamp.names |= names
        else:
            own = self._of_storage()
            names = own.keys() - attributes.keys() - _STANDARD
        for name in names:
            attributes[name] = own[name]
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
            return {"logError": f"context fields: {type(error).__name__}: {error}"}

    def _redacted(self, fields: Mapping[str, object]) -> dict[str, Any]:
        hiding: Redactor = redactor(self._redact)
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
        for name, value in record.__dict__.items()
        if name not in _STANDARD and name not in names
    }
    if own and record.name.startswith("django."):
        own.pop("request", None)  # its text has the query string, which holds secrets
    return own


class _Event:
    """A record taken apart."""

    __slots__ = ("error", "message", "own", "problems", "stack_info", "view")

    def __init__(self, record: logging.LogRecord) -> None:
        stamp = _stamp_of(record)
        if isinstance(stamp, View):
            self.view: View = stamp
            self.error: ExceptionParts | BaseException | None = None
            self.stack_info: str | None = None
            message, names = None, _NO_NAMES
        else:
            self.view = stamp.view
            self.error = stamp.error
            self.stack_info = stamp.stack_info
            message, names = stamp.message, stamp.names
        self.problems: tuple[str, ...] = ()
        self.own = _extras(record, names)
        if isinstance(record.msg, dict):
            # As in python-json-logger: a dict for a message is the event's fields.
            self.own = {**record.msg, **self.own}
            message = ""
        if message is None or record.args:
            message, self.problems = _message(record)
        if record.name in REPORTING_LOGGERS:
            message = message.rstrip("\n")  # uvicorn ends its crash report with one
        self.message: str = message
        if self.error is None and record.exc_text:
            self.error = ExceptionParts("", "", record.exc_text)


_NO_NAMES: frozenset[str] = frozenset()


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
        event = _Event(record)
        if self._assembled:
            try:
                data: dict[str, Any] = {}
                self.add_fields(data, record, {})
                data = self.process_log_record(data)
                return (self.serialize_log_record(data) + "\n").encode()
            except Exception as error:  # hooks of a subclass
                what = f"formatter options: {type(error).__name__}: {safe_str(error)}"
                event.problems += (what,)
        return self._line(record, event)

    def _line(self, record: logging.LogRecord, event: _Event) -> bytes:
        return self._encoder.encode(
            record.created,
            record.levelname,
            record.name,
            event.message,
            event.view,
            event.own,
            event.error,
            event.stack_info,
            event.problems,
        )

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
        line: dict[str, Any] = json.loads(self._line(record, event))
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
                members[self._get_rename(name)] = value
        else:
            for key in (*first[:2], schema.request_id, *first[2:]):
                if key in line:
                    members[self._get_rename(key)] = line.pop(key)
        members.update((self._get_rename(k), v) for k, v in self.static_fields.items())
        members.update((self._get_rename(k), v) for k, v in message_dict.items())
        hidden = event.own.keys() & self.reserved_attrs
        for name, value in line.items():
            if name not in hidden:
                members[self._get_rename(name)] = value
        for name in _STANDARD - self._skip_fields:  # reserved_attrs that leave some out
            if name in record.__dict__ and not name.startswith("_"):
                members.setdefault(self._get_rename(name), record.__dict__[name])
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
        if name in line:
            return line.pop(name)
        return record.__dict__.get(name)

    def jsonify_log_record(self, log_data: dict[str, Any]) -> str:
        """Return `log_data` as JSON, whatever it holds, cut to size. Never raises."""
        limit = self._encoder.max_line_bytes - len(self.prefix.encode()) - 1
        share = limit
        while True:
            text = self._encoder.json(log_data, share)
            if len(text) <= limit or share < 16:
                return text.decode()
            share //= 4


class ConsoleFormatter(logging.Formatter):
    """
    Format records as text for people: time, level, request, logger, message, fields.

    Args:
        color: Whether to colour the level and the request's id.
        redact: What to hide: see `configure()`.
    """

    _LEVELS = {
        logging.DEBUG: "2",
        logging.INFO: "32",
        logging.WARNING: "33",
        logging.ERROR: "31",
        logging.CRITICAL: "1;31",
    }

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
        self.datefmt = datefmt
        self._color = color
        self._redactor = redactor(redact)

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of `record`; several lines with a traceback. Never raises."""
        event = _Event(record)
        walk = Walk(self._redactor, 8192, 4096)
        fields = walk.named([*event.view.fields.items(), *event.own.items()])
        request_id = safe_str(fields.pop(REQUEST_ID, None) or "")
        time = self.formatTime(record, self.datefmt or "%H:%M:%S")
        parts = [
            f"{time}.{int(record.msecs):03d}",
            self._paint(
                f"{record.levelname:<8}", self._LEVELS.get(record.levelno, "36")
            ),
        ]
        if request_id:
            parts.append(self._paint(_printable(request_id[:8]), _hue(request_id)))
        parts.append(f"{record.name}: {_printable(walk.text(event.message))}")
        parts += [
            f"{_printable(k)}={_printable(_inline(v))}" for k, v in fields.items()
        ]
        text = " ".join(parts)
        if event.error is not None:
            error = event.error
            if isinstance(error, BaseException):
                error = ExceptionParts.of(error)
            text += "\n" + walk.text(error.stack)
        if event.stack_info is not None:
            text += "\n" + walk.text(safe_str(event.stack_info))
        return text

    def _paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._color else text


def _hue(request_id: str) -> str:
    """The colour of a request, the same for all its lines."""
    hues = ("34", "35", "36", "94", "95", "96", "92", "93")
    return hues[sum(request_id.encode("utf-8", "replace")) % len(hues)]


def _inline(value: object) -> str:
    return value if isinstance(value, str) else dumps(value).decode()


def _printable(text: str) -> str:
    # Control characters in the data must not drive the terminal.
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in text
    )


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
        self.stream = sys.stdout if stream is None else stream
        self._torn = False

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
        self._write(line)

    def _encode(self, record: logging.LogRecord) -> bytes:
        formatter = self.formatter or _LAST_RESORT
        if isinstance(formatter, JsonFormatter):
            return formatter.encode(record)
        text = formatter.format(record) + self.terminator
        return text.encode("utf-8", "backslashreplace")

    def _write(self, line: bytes) -> None:
        self.acquire()
        try:
            _write_line(self.stream, b"\n" + line if self._torn else line)
            self._torn = False
        except (OSError, ValueError) as error:
            # Part of it may have been written: the next line begins on a new one.
            self._torn = True
            self._rescue(line, error)
        finally:
            self.release()

    def _rescue(self, line: bytes, error: Exception) -> None:
        stream: TextIO | None = sys.stderr
        if stream is None or stream is self.stream:
            return
        try:
            _write_line(stream, line)
        except (OSError, ValueError):
            return  # neither stream takes anything: there is nowhere left to say so

    def flush(self) -> None:
        """Nothing to do: lines are not buffered."""


_LAST_RESORT: JsonFormatter


def _write_line(stream: Any, line: bytes) -> None:
    """
    Write `line` to `stream` at once, after whatever the stream has buffered.

    Raises:
        OSError: the stream's file does not take it.
        ValueError: the stream is closed.
    """
    descriptor = _descriptor(stream)
    if descriptor is not None:
        stream.flush()  # what print() left there comes first
        _write_all(descriptor, line)
    elif isinstance(stream, (io.RawIOBase, io.BufferedIOBase)):
        stream.write(line)
        stream.flush()
    else:
        text = line.decode("utf-8", "replace")
        try:
            stream.write(text)
        except UnicodeEncodeError:  # a text stream with a narrow encoding
            stream.write(text.encode("ascii", "backslashreplace").decode())
        flush = getattr(stream, "flush", None)
        if flush is not None:
            flush()


def _descriptor(stream: Any) -> int | None:
    if getattr(stream, "closed", False):
        # The number may be another file's by now.
        raise ValueError("the log stream is closed")
    try:
        descriptor = stream.fileno()
    except (AttributeError, OSError, io.UnsupportedOperation):
        return None
    return descriptor if isinstance(descriptor, int) else None


def _write_all(descriptor: int, line: bytes) -> None:
    written = 0
    while written < len(line):
        try:
            written += os.write(descriptor, line[written:])
        except BlockingIOError:  # a full pipe that somebody made non-blocking
            select.select((), (descriptor,), (), 1.0)


_LAST_RESORT = JsonFormatter()
