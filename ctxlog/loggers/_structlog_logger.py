"""
The loggers that structlog gets from `configure()`. Private to `loggers/`.
"""

from __future__ import annotations

import functools
import logging
import sys
import time
from typing import Any

from ctxlog._interrupts import is_interrupt
from ctxlog._names import get_names
from ctxlog.context.adapter import current_view, get_current
from ctxlog.errors import requires
from ctxlog.line.values import safe_str
from ctxlog.line.writer import LineWriter, Writer
from ctxlog.loggers._callers import caller_at, is_ours
from ctxlog.loggers._events import KEYS, LEVELS
from ctxlog.loggers._levels import Levels
from ctxlog.loggers._messages import formatted, sole_mapping
from ctxlog.loggers._request_events import admitted_plain as admit
from ctxlog.retention import asked

with requires("structlog"):
    import structlog

_now = time.time


class LineLogger:
    """
    The logger that structlog's loggers wrap: writes finished lines to one stream.

    Args:
        name: The logger's name.
    """

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<LineLogger {self.name!r}>"

    def msg(self, line: str | bytes) -> None:
        """Write a line: text, or bytes with its newline. Never raises."""
        if isinstance(line, str):  # another renderer's
            line = f"{line}\n".encode("utf-8", "backslashreplace")
        output.writer.write(line)

    log = debug = info = warn = warning = msg
    fatal = failure = err = error = critical = exception = msg


class _Output:
    """The set-up that all loggers share, also those that structlog has cached."""

    def __init__(self) -> None:
        self.writer: Writer = LineWriter()
        self.renderer: Any = None
        self.levels = Levels(logging.NOTSET)
        self.before: dict[str, Any] | None = None
        self.processors: list[Any] = []


output = _Output()


def make_logger(*names: Any) -> LineLogger:
    """Return the logger of a name, or of the calling module: structlog's factory."""
    name = names[0] if names else _asking_module()
    return LineLogger(name if isinstance(name, str) else safe_str(name))


def _asking_module() -> str:
    # `structlog.stdlib.LoggerFactory` would change logging's logger class.
    frame: Any = sys._getframe()
    while frame is not None:
        name = str(frame.f_globals.get("__name__"))
        if name.partition(".")[0] not in ("ctxlog", "structlog"):
            return name
        frame = frame.f_back
    return "root"


# Whatever takes structlog's events of all loggers replaces it.
_proxy: Any = structlog.BoundLoggerBase._proxy_to_logger

_EveryLevel: Any = structlog.make_filtering_bound_logger(logging.NOTSET)


class FilteringLogger(_EveryLevel):  # type: ignore[misc]
    """
    structlog's logger that filters by level, with two differences.

    A wrong format costs no line: structlog formats `%` arguments before any processor
    sees the event, and raises in the log call. And if our renderer is the only
    processor, the event goes straight to it.

    There is one class for all levels. `filter_at` changes its methods, so loggers that
    are bound or cached follow.
    """

    least = logging.NOTSET

    @classmethod
    def filter_at(cls, least: int) -> None:
        """Log nothing below a level from now on, unless a request asks for it."""
        cls.least = least
        for name, (_, number) in LEVELS.items():
            calls = (_CALLS[name], _CALLS[f"a{name}"])
            if _is_asked(number, least):
                calls = (_ASKING[name], _asking_later(number, calls[1]))
            elif number < least:
                calls = (_nothing, _anothing)
            setattr(cls, name, calls[0])
            setattr(cls, f"a{name}", calls[1])

    def is_enabled_for(self, level: int) -> bool:
        if output.levels.single or _is_asked(level, self.least):
            return _is_made(self, level)
        return level >= self.least

    def get_effective_level(self) -> int:
        return self.least


def _is_asked(level: int, least: int) -> bool:
    """Return whether the active request has a say in events of a level."""
    return asked.floor <= level < least or least <= level < asked.ceiling


def _is_made(logger: Any, level: int) -> bool:
    """Return whether an event of a structlog logger is made, for the active request."""
    frame, levels = get_current(), output.levels
    lines: Any = None if frame is None else frame.source._view.lines
    if levels.single:
        return levels.makes(getattr(logger._logger, "name", None), level, lines)
    # The same, without the calls.
    made: bool = level >= logger.least
    if lines is not None:
        made = lines.wants(level, made)
    return made


def _asking_later(level: int, call: Any) -> Any:
    """Return an asynchronous method that does the same."""

    @functools.wraps(call)
    def method(self: Any, event: Any = None, *args: Any, **fields: Any) -> Any:
        if _is_made(self, level):
            return call(self, event, *args, **fields)
        return _anothing(self)

    return method


def _nothing(self: Any, event: Any = None, *args: Any, **fields: Any) -> None:
    return None


async def _anothing(self: Any, event: Any = None, *args: Any, **fields: Any) -> None:
    return None


def _logging(level: str, number: int, asks: bool = False) -> Any:
    """Return the method of a level, which may ask the request whether it logs."""
    name = level.lower()

    def method(self: Any, event: Any = None, *args: Any, **fields: Any) -> Any:
        if asks and not _is_made(self, number):
            return None
        template = event
        if args:
            message = None
            try:
                # What has no mapping for its only argument.
                if type(event) is str and (len(args) != 1 or type(args[0]) is str):
                    message = event % args
            except Exception as error:
                # A wrong format, or a third-party __str__: `_formatted` says so.
                if is_interrupt(error):
                    raise
            if message is None:
                event, fields = _formatted(event, args, fields)
            else:
                event = message
        processors, logger = self._processors, self._logger
        renderer = processors[0] if len(processors) == 1 else None
        if (
            renderer is None
            or renderer is not output.renderer
            or type(logger) is not LineLogger
            or type(self)._proxy_to_logger is not _proxy
        ):
            return _to_logger(self, name, number, event, fields)
        # Our renderer is the only processor: the event goes straight to it.
        if self._context:
            fields = {**self._context, **fields}
        if event is None:
            event = ""
        if KEYS.isdisjoint(fields):
            encoder, created, view = renderer.encoder, _now(), current_view()
            if (
                view.lines is not None or asked.limit is not None
            ) and not encoder.takes_all:
                parts = (created, level, number, logger.name, event, view, fields)
                usual = output.levels.writes(logger.name, number, view.lines)
                admitted = admit(*parts, usual, encoder, output.writer, template)
                if admitted is None:
                    return None
                if admitted is not fields:
                    fields = dict(admitted)
            line = encoder.encode_plain(
                created, level, number, logger.name, event, view, fields
            )
            if line is None:
                plain = (created, level, number, logger.name, event, view, fields)
                caller = caller_at(sys._getframe(1)) if encoder.caller else None
                line = encoder.encode_at(caller, plain)
        else:
            try:
                line = renderer.encode(logger, name, {**fields, "event": event})
            except structlog.DropEvent:  # it waits for its request, or is dropped
                return None
        output.writer.write(line)
        return None

    return method


def _to_logger(
    self: Any, name: str, number: int, event: Any, fields: dict[str, Any]
) -> Any:
    """Process an event and hand it to the logger, which may lack such a method."""
    if name in LEVELS or hasattr(self._logger, name):
        return self._proxy_to_logger(name, event, **fields)
    try:
        args, more = self._process_event(name, event, fields)
    except structlog.DropEvent:
        return None
    if isinstance(self._logger, logging.Logger):
        return self._logger.log(number, *args, **more)
    return self._logger.msg(*args, **more)


def _exception(self: Any, event: Any = None, *args: Any, **fields: Any) -> Any:
    fields.setdefault("exc_info", True)
    return self.error(event, *args, **fields)


def _log(self: Any, level: int, event: Any = None, *args: Any, **fields: Any) -> Any:
    """Log at a level that is given by its number."""
    if not self.is_enabled_for(level):
        return None
    return _method_of(level)(self, event, *args, **fields)


def _alog(self: Any, level: int, event: Any = None, *args: Any, **fields: Any) -> Any:
    if not self.is_enabled_for(level):
        return _anothing(self)
    name = _NAMES.get(level)
    if name is None:  # structlog's own methods know only its levels
        return _at_once(_method_of(level), self, event, *args, **fields)
    return _CALLS[f"a{name}"](self, event, *args, **fields)


def _asynchronous(name: str) -> Any:
    @functools.wraps(getattr(_EveryLevel, f"a{name}"))
    def call(self: Any, event: Any = None, *args: Any, **fields: Any) -> Any:
        if is_ours(sys._getframe(1).f_globals.get("__name__")):
            # `await run(log.ainfo, "x")`: ctxlog awaits, and would be the caller.
            return _at_once(_CALLS[name], self, event, *args, **fields)
        if args:
            event, fields = _formatted(event, args, fields)
        return getattr(_EveryLevel, f"a{name}")(self, event, **fields)

    return call


async def _at_once(method: Any, *args: Any, **fields: Any) -> Any:
    return method(*args, **fields)


_NAMES = {10: "debug", 20: "info", 30: "warning", 40: "error", 50: "critical"}


def _method_of(level: int) -> Any:
    name = _NAMES.get(level)
    if name is not None:
        return _CALLS[name]
    return _logging(str(logging.getLevelName(level)), level)


# The methods of `FilteringLogger` that log, by their names.
_CALLS: dict[str, Any] = {
    name: functools.wraps(getattr(_EveryLevel, name))(_logging(*LEVELS[name]))
    for name in LEVELS
    if name != "exception"
}
_CALLS["exception"] = functools.wraps(_EveryLevel.exception)(_exception)
_CALLS.update((f"a{name}", _asynchronous(name)) for name in LEVELS)
# Those that ask the active request first.
_ASKING = {
    name: functools.wraps(getattr(_EveryLevel, name))(_logging(*LEVELS[name], True))
    for name in LEVELS
    if name != "exception"
}
_ASKING["exception"] = _CALLS["exception"]  # which calls `error()`
FilteringLogger.log = functools.wraps(_EveryLevel.log)(_log)
FilteringLogger.alog = functools.wraps(_EveryLevel.alog)(_alog)


def _formatted(
    event: Any, args: Any, fields: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    message, problems = formatted(event, sole_mapping(args))
    if problems:
        fields = {**fields, get_names().log_error: problems[0]}
    return message, fields


asked.changed.append(lambda: FilteringLogger.filter_at(FilteringLogger.least))
