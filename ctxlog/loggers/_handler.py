"""
The handler that writes lines, and what is noted of its changes. Private to `loggers/`.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping
from typing import Any

from ctxlog._interrupts import is_interrupt
from ctxlog._names import BUFFERED
from ctxlog.errors import ConfigError
from ctxlog.line.encoder import LineEncoder
from ctxlog.line.writer import LineWriter, Writer
from ctxlog.loggers._formatters import ConsoleFormatter, JsonFormatter
from ctxlog.loggers._record import encoded, event_of, template_of, view_of
from ctxlog.loggers._request_events import last_fields
from ctxlog.loggers._request_levels import is_usual, logger_of
from ctxlog.retention import (
    DROP,
    HOLD,
    Held,
    as_formatted,
    asked,
    hold_event,
)
from ctxlog.sinks import places_of, writer_to


class Changes:
    """
    Notes when a logger or a handler changes that the way of a line depends on.

    Attributes:
        latest: A new object after each change.
    """

    def __init__(self) -> None:
        self.latest = object()
        self._watched: set[int] = set()

    def watch(self, one: object) -> None:
        """Take note of the next change of a logger or a handler."""
        self._watched.add(id(one))

    def note(self, changed: object) -> None:
        """Note that an attribute of a logger or a handler has been set."""
        if id(changed) in self._watched:
            # In this order: another thread may be about to watch.
            self._watched.clear()
            self.latest = object()


changes = Changes()


class LineHandler(logging.Handler):
    """
    Write every record as one line, by one write.

    A line is encoded before the lock is taken, so a slow value delays its own thread
    only. Bytes go to the descriptor of a file, a pipe or a terminal, unbuffered:
    nothing is left to flush at exit. A line that cannot be written (a full disk, a
    closed pipe) goes to standard error instead. Logging never raises.

    Args:
        stream: A text or binary stream; by default, `sys.stdout` at the time of each
            line.
        level: The least level to write.
        to: Several places instead of *stream*, as `configure(to=...)` has them. In a
            `dictConfig` also dicts with the key `()`, which make a sink.
        writer: Writes the lines instead of a writer for *stream* or *to*.

    Raises:
        ConfigError: if a place is invalid.

    Attributes:
        writer: Writes the lines.
        direct_encoder: Makes them, unless the formatter has a say in it.
    """

    terminator = "\n"

    def __init__(
        self,
        stream: Any = None,
        level: int | str = logging.NOTSET,
        *,
        to: Any = None,
        writer: Writer | None = None,
    ) -> None:
        super().__init__(level)
        if to is not None and stream is not None:
            raise ConfigError("to", to, "no stream beside it: put it among the places")
        self._owns_writer = writer is None
        self.writer: Writer
        if writer is not None:
            self.writer = writer
        elif to is not None:
            self.writer = writer_to(places_of("to", to))
        else:
            self.writer = LineWriter(stream)
        self.setFormatter(None)

    @property
    def stream(self) -> Any:
        """The stream that the lines go to, None if they go to no stream."""
        return self.writer.stream

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        changes.note(self)

    def __repr__(self) -> str:
        name = getattr(self.writer, "name", getattr(self.stream, "name", ""))
        return f"<{type(self).__name__} {name} ({logging.getLevelName(self.level)})>"

    def setFormatter(self, fmt: logging.Formatter | None) -> None:
        """Encode with `fmt` from now on."""
        super().setFormatter(fmt)
        formatter = self._formatter = fmt or _LAST_RESORT
        self.direct_encoder: LineEncoder | None = None
        if isinstance(formatter, JsonFormatter) and formatter.direct:
            self.direct_encoder = formatter.encoder
        ours = formatter
        if not isinstance(ours, (JsonFormatter, ConsoleFormatter)):
            ours = _LAST_RESORT
        self.writer.encoder = ours.encoder

    def handle(self, record: logging.LogRecord) -> bool:
        """Filter, encode and write *record*. Never raises."""
        if self.filters:
            passed: Any = self.filter(record)
            if not passed:
                return False
            if isinstance(passed, logging.LogRecord):  # Python 3.12 and later
                record = passed
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Encode and write *record*. Never raises."""
        encoder = self.direct_encoder
        try:
            if asked.active:
                admitted = self._admitted(record)
                if admitted is None:
                    return
                record = admitted
            # Straight to the encoder, as for nearly every line.
            line = (
                self._formatted(record) if encoder is None else encoded(encoder, record)
            )
        except Exception as error:
            # A third-party formatter may raise anything. The last resort never raises.
            if is_interrupt(error):
                raise
            self.handleError(record)
            line = _LAST_RESORT.encode(record)
        self.writer.write(line)

    def _admitted(self, record: logging.LogRecord) -> logging.LogRecord | None:
        """Return the record to write; None if it waits, or is dropped."""
        view = view_of(record)
        lines: Any = view.lines
        if lines is not None:
            number = record.levelno
            usual = is_usual(logger_of(record.name), number, lines)
            verdict = lines.verdict(record.name, number, usual, view)
            if verdict is DROP:
                return None
            if verdict is HOLD and lines.hold(usual, *self._held(record)):
                return None
        level = (record.levelname, record.levelno)
        template = None if asked.limit is None else template_of(record)
        further = last_fields(lines, self.writer, record.name, level, template)
        if not further:
            return None if further is None else record
        return _with_fields(record, further)

    def _held(self, record: logging.LogRecord) -> tuple[int, Held]:
        """Return a record as a line that waits, and its size."""
        formatter = self._formatter
        if isinstance(formatter, (JsonFormatter, ConsoleFormatter)) and (
            self.direct_encoder is not None or type(formatter) is ConsoleFormatter
        ):
            encoder = formatter.encoder
            event = event_of(record, encoder.caller)
            return hold_event(event, encoder, self.writer)
        # A formatter of the application's decides what a record is.
        line = self._formatted(_with_fields(record, {BUFFERED: True}))
        return len(line) + 256, (record.created, as_formatted, self.writer, line)

    def _formatted(self, record: logging.LogRecord) -> bytes:
        formatter = self._formatter
        if isinstance(formatter, JsonFormatter):
            return formatter.encode(record)
        text = formatter.format(record) + self.terminator
        return text.encode("utf-8", "backslashreplace")

    def flush(self) -> None:
        """Write the rest of a line whose writing was interrupted."""
        self.writer.flush()

    def close(self) -> None:
        """Flush and close the sinks of *to*; a further line opens them again."""
        if self._owns_writer:
            self.writer.close()
        super().close()


def _with_fields(
    record: logging.LogRecord, fields: Mapping[str, object]
) -> logging.LogRecord:
    """Return a copy of a record, which others see as well, with further fields."""
    record = copy.copy(record)
    record.__dict__.update(fields)
    return record


_LAST_RESORT = JsonFormatter()
