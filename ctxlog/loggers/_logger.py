"""
The logger class: a log call that writes its line itself. Private to `loggers/`.

`logging` looks for the caller, makes a record and hands it from logger to logger. Most
calls end in one handler, ours, which needs none of that. The class skips it where
nothing could tell the difference, and leaves every other call to `logging`: whatever
filters, handles, counts or replaces records sees each of them.

The decision is taken in `info()` and the others, for each call anew. A call that goes
through `logging` has their frame on its stack, in the place of that of `logging`'s own
methods. Their code names the file of `logging` as its own, so that whatever looks for
the caller skips them, too.
"""

from __future__ import annotations

import functools
import logging
import sys
import time
from collections.abc import Iterator, Mapping
from types import FunctionType
from typing import Any

from ctxlog._interrupts import is_interrupt
from ctxlog._names import REPORTING_LOGGERS
from ctxlog.context.adapter import View, current_view, error_view
from ctxlog.line.event import Event
from ctxlog.loggers._callers import LOGGING_FILE
from ctxlog.loggers._events import error_of
from ctxlog.loggers._factory import RecordFactory
from ctxlog.loggers._handler import LineHandler, changes
from ctxlog.loggers._messages import Problems, formatted, sole_mapping
from ctxlog.loggers._record import RESERVED
from ctxlog.loggers._request_events import last_fields
from ctxlog.loggers._request_levels import is_enabled_for, is_usual
from ctxlog.loggers._request_records import follow, is_ours
from ctxlog.retention import (
    DROP,
    HOLD,
    Held,
    asked,
    frozen,
    hold_event,
    size_of,
)

_now = time.time
_level_names, _get_level_name = logging._levelToName, logging.getLevelName


def _stock(name: str) -> Any:
    """
    Return a method of `logging.Logger` if it is the one of `logging`, else None.

    A library that was set up before ctxlog was imported may have replaced it, by a
    function with the name and the module of the original.
    """
    method = getattr(logging.Logger, name)
    if type(method) is FunctionType and method.__code__.co_filename == LOGGING_FILE:
        return method
    return None


# The steps of a log call that the direct way skips. Trackers and tracers replace them,
# on a class or on one logger.
_log = _stock("_log")
_find_caller = _stock("findCaller")
_make_record = _stock("makeRecord")
_handle = _stock_handle = _stock("handle")
_filter = _stock("filter")
_call_handlers = _stock("callHandlers")
_handle_line, _emit_line = LineHandler.handle, LineHandler.emit
_STEPS = frozenset(
    {"_log", "findCaller", "makeRecord", "handle", "filter", "callHandlers"}
)


_NO_FIELDS: dict[str, Any] = {}

# The methods as they are now, which others may replace.
_methods: Mapping[str, Any] = vars(logging.Logger)


class _Way:
    """
    The way of one logger's lines, until a logger or a handler changes.

    Attributes:
        logger: The logger.
        chosen: The last change before the way was chosen.
        lists: The handlers of the loggers that a record would come through, and the
            filters. Others may change them in place.
        seen: A copy of them.
        direct: Whether a line may be written without a record.
    """

    __slots__ = (
        *("chosen", "direct", "encode", "encode_plain", "encoder", "level", "lists"),
        *("logger", "name", "reports", "seen", "write", "writer"),
    )

    def __init__(self, logger: logging.Logger) -> None:
        # Before anything is looked at, which may change meanwhile.
        self.chosen = changes.latest
        loggers: list[logging.Logger] = []
        handlers: list[logging.Handler] = []
        self.lists: list[list[Any]] = []
        self.seen: list[list[Any]] = []
        above: logging.Logger | None = logger
        while above:
            changes.watch(above)
            loggers.append(above)
            handlers += self._look_at(above.handlers)
            above = above.parent if above.propagate else None
        self.logger = logger
        self.name = logger.name
        self.direct = False
        if len(handlers) == 1 and type(handlers[0]) is LineHandler:
            handler = handlers[0]
            changes.watch(handler)
            filters = self._look_at(logger.filters) + self._look_at(handler.filters)
            if (
                handler.direct_encoder is not None
                and not handler.direct_encoder.caller
                and all(isinstance(one, ContextLogger) for one in loggers)
                and not (logger.disabled or filters)
                and _STEPS.isdisjoint(logger.__dict__)
                and not {"handle", "emit"}.intersection(handler.__dict__)
            ):
                self.encoder = handler.direct_encoder
                self.writer = handler.writer
                self.encode = handler.direct_encoder.encode
                self.encode_plain = handler.direct_encoder.encode_plain
                self.write = handler.writer.write
                self.level = handler.level
                self.reports = logger.name in REPORTING_LOGGERS
                self.direct = True

    def _look_at(self, live: list[Any]) -> list[Any]:
        """Return a copy of a list, which decides as long as the list is equal to it."""
        self.lists.append(live)
        self.seen.append(list(live))
        return self.seen[-1]


def _written(
    logger: logging.Logger, level: int, msg: Any, args: Any, options: dict[str, Any]
) -> bool:
    """
    Write the line of a call, and return True, if it needs no record.

    The arguments are those of `logging.Logger._log`.
    """
    extra = exc_info = None
    for option in options:
        if option == "extra":
            extra = options[option]
        elif option == "exc_info":
            exc_info = options[option]
        elif option == "stack_info":
            if options[option]:
                return False
        elif option != "stacklevel":  # a line without a record needs none
            return False  # `logging` says that it does not know it
    factory: object = logging._logRecordFactory  # type: ignore[attr-defined]
    kind = type(logger)
    if (
        type(msg) is not str
        or (extra and (type(extra) is not dict or not RESERVED.isdisjoint(extra)))
        or type(factory) is not RecordFactory
        or kind._log is not _log
        or kind.callHandlers is not _call_handlers
        or kind.handle is not _handle
        or kind.filter is not _filter
        or kind.makeRecord is not _make_record
        or kind.findCaller is not _find_caller
        or LineHandler.handle is not _handle_line
        or LineHandler.emit is not _emit_line
    ):
        return False
    way: _Way | None = factory.ways.get(logger.name)
    if (
        way is None
        or way.logger is not logger
        or way.chosen is not changes.latest
        or way.lists != way.seen
    ):
        way = _choose(factory, logger)
    if way is None or not way.direct:
        return False
    if level < way.level:
        return True
    error = None
    if exc_info:
        # As `logging` makes it the record's.
        if not isinstance(exc_info, (BaseException, tuple)):
            exc_info = sys.exc_info()
        error = error_of(exc_info)
        view = error_view(error, reporting=way.reports)
    else:
        view = current_view()
    if view.lines is not None or asked.limit is not None:
        extra = _admitted(way, level, msg, args, error, extra or _NO_FIELDS, view)
        if extra is None:
            return True
    created, name = _now(), _level_names.get(level) or _get_level_name(level)
    problems: Problems = ()
    try:
        message = msg % args if args else msg
    except Exception as failure:
        # A third-party __str__ may raise anything, and a template may not fit, or be
        # for the names of a mapping.
        if is_interrupt(failure):
            raise
        message, problems = formatted(msg, sole_mapping(args))
        if not exc_info:
            view = error_view(None, reporting=way.reports)
    line = None
    if not (exc_info or problems):
        line = way.encode_plain(
            created, name, level, way.name, message, view, extra or {}
        )
    if line is None:
        event = (created, name, level, way.name, message, view, extra or {})
        line = way.encode(Event(*event, error, None, problems))
    way.write(line)
    return True


def _admitted(
    way: _Way,
    level: int,
    msg: str,
    args: tuple[Any, ...],
    error: BaseException | None,
    extra: dict[str, Any],
    view: View,
) -> dict[str, Any] | None:
    """Return the fields of a line to write; None if it waits, or is dropped."""
    lines: Any = view.lines
    if lines is not None:
        usual = is_usual(way.logger, level, lines)
        verdict = lines.verdict(way.name, level, usual, view)
        if verdict is DROP:
            return None
        if verdict is HOLD and lines.hold(
            usual, *_held(way, level, msg, args, error, extra, view)
        ):
            return None
    name = _level_names.get(level) or _get_level_name(level)
    further = last_fields(lines, way.writer, way.name, (name, level), msg)
    if not further:
        return None if further is None else extra
    return {**extra, **further}


def _held(
    way: _Way,
    level: int,
    msg: str,
    args: tuple[Any, ...],
    error: BaseException | None,
    extra: dict[str, Any],
    view: View,
) -> tuple[int, Held]:
    """Return a line that waits, and its size: unformatted, if nothing of it changes."""
    created = _now()
    size = size_of(msg, args, extra) if error is None else None
    if size is not None:
        view, more = frozen(view, way.encoder)
        extra = {**extra} if extra else extra
        line = (way, level, msg, args, view, extra)
        return size + more, (created, _made, way.writer, *line)
    name = _level_names.get(level) or _get_level_name(level)
    message, problems = formatted(msg, sole_mapping(args))
    event = (created, name, level, way.name, message, view, extra)
    return hold_event(Event(*event, error, None, problems), way.encoder, way.writer)


def _made(held: Held, more: dict[str, object]) -> bytes:
    created, _, _, way, level, msg, args, view, extra = held
    name = _level_names.get(level) or _get_level_name(level)
    message, problems = formatted(msg, args)
    event = (created, name, level, way.name, message, view, {**extra, **more})
    line: bytes = way.encode(Event(*event, None, None, problems))
    return line


def _choose(factory: RecordFactory, logger: logging.Logger) -> _Way | None:
    """Return the way of a logger's next lines; None before its first line."""
    # A server's lines are records, and so is every logger's first line: the factory
    # looks at where it goes.
    if logger.name not in factory.ways:
        return None
    way = factory.ways[logger.name] = _Way(logger)
    return way


def _method(name: str, level: int) -> Any:
    """Return the method of `ContextLogger` that logs at a level."""
    stock = _stock(name)

    def log(self: logging.Logger, msg: Any, *args: Any, **options: Any) -> Any:
        now = _methods[name]
        if now is not stock:  # replaced, by a test or a tracer
            return now(self, msg, *args, **options)
        if self.isEnabledFor(level) and not _written(self, level, msg, args, options):
            self._log(level, msg, args, **options)
        return None

    return _as_of_logging(log, name)


def _log_method() -> Any:
    """
    Return the method of `ContextLogger` that logs at any level.

    Written out once more: a function in common would be one more on each stack.
    """
    stock = _stock("log")

    def log(
        self: logging.Logger, level: Any, msg: Any, *args: Any, **options: Any
    ) -> Any:
        now = _methods["log"]
        if now is not stock:
            return now(self, level, msg, *args, **options)
        if not isinstance(level, int):
            if logging.raiseExceptions:
                raise TypeError("level must be an integer")
            return None
        if self.isEnabledFor(level) and not _written(self, level, msg, args, options):
            self._log(level, msg, args, **options)
        return None

    return _as_of_logging(log, "log")


def _as_of_logging(method: Any, name: str) -> Any:
    """Return a method that looks like the one of `logging` in whose place it is."""
    stock = _stock(name)
    line = 1 if stock is None else stock.__code__.co_firstlineno
    method.__code__ = method.__code__.replace(
        co_filename=LOGGING_FILE, co_firstlineno=line, co_name=name
    )
    return functools.wraps(_methods[name])(method)


class ContextLogger(logging.Logger):
    """
    A logger of `logging` whose usual lines are written straight from the call.

    `configure()` makes it the class of loggers. Everything of `logging.Logger` holds.
    Its `debug()`, which is mostly switched off, is the stock one: a call that logs
    nothing must cost nothing more.
    """

    info = _method("info", logging.INFO)
    warning = _method("warning", logging.WARNING)
    error = _method("error", logging.ERROR)
    critical = _method("critical", logging.CRITICAL)
    log = _log_method()

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name != "level":  # of which each call asks `isEnabledFor()`
            changes.note(self)


class ContextRootLogger(ContextLogger, logging.RootLogger):
    """The same for the root logger."""


_OURS: dict[type[logging.Logger], type[logging.Logger]] = {
    logging.Logger: ContextLogger,
    logging.RootLogger: ContextRootLogger,
}
_STOCK = {ours: stock for stock, ours in _OURS.items()}


def install_logger_class() -> None:
    """
    Make `ContextLogger` the class of stock loggers, those of now and new ones.

    Loggers of another class stay as they are, and so does a class that
    `logging.setLoggerClass` was given before. Calling it again is a no-op.
    """
    if not issubclass(ContextLogger, logging.Logger):
        return  # `logging` was reloaded: its classes are others now
    if logging.getLoggerClass() is logging.Logger:
        logging.setLoggerClass(ContextLogger)
    _change(_OURS)


def uninstall_logger_class() -> None:
    """Give all loggers back their class. Without an installation, a no-op."""
    if logging.getLoggerClass() is ContextLogger:
        logging.setLoggerClass(logging.Logger)
    _change(_STOCK)


def _change(classes: dict[type[logging.Logger], type[logging.Logger]]) -> None:
    for logger in _loggers():
        kind = classes.get(type(logger))
        if kind is not None:
            logger.__class__ = kind
            # The dict that a change of the class leaves is slow to look names up in,
            # on each call whose level is disabled.
            object.__setattr__(logger, "__dict__", dict(logger.__dict__))


def _loggers() -> Iterator[logging.Logger]:
    yield logging.root
    for logger in list(logging.Logger.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            yield logger


_enabled = _stock("isEnabledFor")


def _follow() -> None:
    """Have loggers ask the active request, as long as one may answer."""
    global _handle
    follow()
    now = _methods["handle"]
    _handle = now if is_ours(now) else _stock_handle
    now = _methods["isEnabledFor"]
    # Where another library has replaced the method, it has its say in each call.
    asks = asked.active and (now is _enabled or is_ours(now))
    _give("isEnabledFor", is_enabled_for if asks else None)
    # Of a request with a level of its own the stock one logs, by records: the calls of
    # all other requests must cost nothing more.
    _give("debug", _debug if asks and asked.held <= logging.DEBUG else None)


def _give(name: str, method: Any) -> None:
    """Give `ContextLogger` a method; None for that of `logging`."""
    if method is not None:
        setattr(ContextLogger, name, method)
    elif name in vars(ContextLogger):
        delattr(ContextLogger, name)


# For as long as most of its lines are made.
_debug = _method("debug", logging.DEBUG)

asked.changed.append(_follow)
