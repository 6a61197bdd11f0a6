"""
The sinks that write loguru's records as lines. Private to `loggers/`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ctxlog._json import FLAT_TYPES
from ctxlog.line.encoder import LineEncoder
from ctxlog.line.event import Encoder, Event, Plain
from ctxlog.line.schema import Schema, get_schema
from ctxlog.line.writer import LineWriter, Writer
from ctxlog.loggers._levels import Levels
from ctxlog.loggers._loguru_record import (
    Extra,
    Record,
    encoded,
    make_extra,
    template_in_call,
)
from ctxlog.loggers._pickles import Packed, pickles, plain
from ctxlog.loggers._request_events import admitted
from ctxlog.retention import asked

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ctxlog.line.options import EncoderOptions

_now = time.time


class JsonSink:
    """
    A sink that writes ctxlog's JSON lines, for `logger.add(JsonSink(), format="")`.

    The line is the same as that of a record of stdlib logging. It has the context that
    the `patcher` left on the record, or the active one. `install()` does both. Never
    raises.

    Args:
        stream: A stream for the lines; by default, `sys.stdout` at the time of each
            line.
        schema: Name of a schema, or one.
        encoder: Encodes the events instead of a `LineEncoder` of *schema*.
        writer: Writes the lines instead of a writer for *stream*.
        levels: Least levels of single loggers: name to level.
        options: Those of `LineEncoder`.

    Raises:
        ConfigError: if an option is invalid.
    """

    def __init__(
        self,
        stream: Any = None,
        *,
        schema: str | Schema = "default",
        encoder: Encoder | None = None,
        writer: Writer | None = None,
        levels: Levels | None = None,
        **options: Unpack[EncoderOptions],
    ) -> None:
        self._encoder = encoder or LineEncoder(get_schema(schema), **options)
        self._writer = writer or LineWriter(stream, self._encoder)
        # One that the application adds has a level of its own.
        self._levels = Levels(0) if levels is None else levels

    def __repr__(self) -> str:
        return f"<JsonSink {getattr(self._writer.stream, 'name', '')}>"

    def write(self, message: Any) -> None:
        """Write the line of a message, as loguru calls it. Never raises."""
        self._write(message.record, message.record["time"].timestamp())

    def take(self, record: Any) -> bool:
        """
        Write the line of a record; always False. Never raises.

        As the `filter` of a sink it saves the work of loguru after it: copying and
        formatting the record, rendering the exception.
        """
        # The record's own time is this one, and reading it is slow.
        if self._levels.single or asked.active:
            self._write(record, _now())
        else:  # loguru has asked for the level
            line = encoded(self._encoder, record, _now())
            if line is not None:
                self._writer.write(line)
        return False

    def encode(self, record: Any) -> bytes:
        """Return the line of a record, with the time as it is now. Never raises."""
        return encoded(self._encoder, record, _now()) or b""

    def _write(self, record: Record, created: float) -> None:
        line = _line(self._encoder, record, created, self._levels, self._writer)
        if line is not None:
            self._writer.write(line)


def _line(
    encoder: Encoder,
    record: Record,
    created: float,
    levels: Levels,
    writer: Writer | None,
) -> bytes | None:
    """Return the line of a record, if it has the level of its logger or its request."""

    def admit(event: Plain | Event) -> Mapping[Any, Any] | None:
        # Another process has no request.
        lines = None if writer is None else event[5].lines
        known = (record["name"], event[2], lines)
        if not levels.makes(*known):
            return None
        if writer is None or encoder.takes_all:
            return event[6]
        template = None if asked.limit is None else template_in_call()
        return admitted(event, levels.writes(*known), encoder, writer, template)

    return encoded(encoder, record, created, admit)


# Through a queue ----------------------------------------------------------------


class QueuedSink(JsonSink):
    """Writes, in the thread of loguru's queue, the lines that `_Queueing` made."""

    def write(self, message: Any) -> None:
        line = getattr(message.record["extra"], "line", None)
        if line is None:
            super().write(message)
        else:
            self._writer.write(line)

    def queueing(self) -> _Queueing:
        """Return the filter of this sink."""
        return _Queueing(self._encoder, self._levels, self._writer)


class _Queueing:
    """
    The filter of a queued sink: finishes the line in the thread that logs.

    loguru's queue pickles whole records, and drops those that do not pickle. So the
    line is made before, and all other values are made to pickle.

    The filter itself is pickled for spawned processes. If the encoder does not pickle,
    the process of the queue makes the line. There no line waits for its request.
    """

    def __init__(
        self,
        encoder: Encoder | None,
        levels: Levels,
        writer: Writer | None = None,
    ) -> None:
        self._encoder = encoder
        self._levels = levels
        self._writer = writer

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (Packed(self._encoder, None), self._levels)

    def __call__(self, record: Record) -> bool:
        encoder, levels = self._encoder, self._levels
        if encoder is None and not levels.writes(
            record["name"], record["level"].no, None
        ):
            return False
        extra = record["extra"]
        if type(extra) is not Extra:  # a patcher that came later has replaced it
            extra = record["extra"] = make_extra(extra, None, extra)
        if encoder is not None:
            line = _line(encoder, record, _now(), levels, self._writer)
            if line is None:
                return False
            extra.line = line
        if record["exception"] is not None:
            record["exception"] = _Exception(*record["exception"])
        # Keys that other patchers have added.
        for name in record.keys() - _KEYS:
            value = record[name]
            if type(value) not in FLAT_TYPES and not pickles(value):
                record[name] = plain(value)
        return True


_KEYS = frozenset(
    {
        *("elapsed", "exception", "extra", "file", "function", "level", "line"),
        *("message", "module", "name", "process", "thread", "time"),
    }
)


class _Exception(NamedTuple):
    """The exception of a record, like loguru's own; its type may fail to pickle."""

    type: Any
    value: Any
    traceback: Any

    def __reduce__(self) -> tuple[Any, ...]:
        kind = Packed(self.type, Exception)
        return _Exception, (kind, Packed(self.value, None), None)
