"""
The logger class: a log call that writes its line itself. Private to `loggers/`.

`logging` looks for the caller, makes a record and hands it from logger to logger. Most
calls end in one handler, ours, which needs none of that. The class skips it where
nothing could tell the difference, and leaves every other call to `logging`: whatever
filters, handles, counts or replaces records sees each of them.

The decision is an attribute access: `_log` is looked up on the logger by `info()` and
the others, and found to be either the direct way or the stock method. So no function
of ours is on the stack of a call that goes through `logging`: handlers that look for
the caller there find what they know.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from ctxlog._interrupts import is_interrupt
from ctxlog._names import REPORTING_LOGGERS
from ctxlog.context.adapter import current_view, error_view
from ctxlog.line.event import Event
from ctxlog.loggers._factory import RecordFactory
from ctxlog.loggers._handler import LineHandler, changes
from ctxlog.loggers._messages import Problems, formatted, sole_mapping
from ctxlog.loggers._record import RESERVED

_now = time.time
_level_names, _get_level_name = logging._levelToName, logging.getLevelName

# The steps of a log call that the direct way skips. Trackers and tracers replace them,
# on a class or on one logger.
_stock_log = logging.Logger._log
_find_caller = logging.Logger.findCaller
_make_record = logging.Logger.makeRecord
_handle = logging.Logger.handle
_filter = logging.Logger.filter
_call_handlers = logging.Logger.callHandlers
_handle_line, _emit_line = LineHandler.handle, LineHandler.emit
_STEPS = frozenset(
    {"_log", "findCaller", "makeRecord", "handle", "filter", "callHandlers"}
)


class _Way:
    """
    The way of one logger's lines, until a logger or a handler changes.

    Attributes:
        logger: The logger.
        chosen: The last change before the way was chosen.
        lists: The handlers of the loggers that a record would come through, and the
            filters. Others may change them in place.
        seen: A copy of them.
        log: Writes a line without a record; None if there must be one.
    """

    __slots__ = (
        *("_encode", "_encoder", "_level", "_reports", "_write", "chosen", "lists"),
        *("log", "logger", "name", "seen"),
    )

    def __init__(self, logger: logging.Logger) -> None:
        # Before anything is looked at, which may change meanwhile.
        self.chosen = changes.latest
        loggers: list[logging.Logger] = []
        handlers: list[logging.Handler] = []
        self.lists: list[list[Any]] = []
        above: logging.Logger | None = logger
        while above:
            changes.watch(above)
            loggers.append(above)
            handlers += above.handlers
            self.lists.append(above.handlers)
            above = above.parent if above.propagate else None
        self.logger = logger
        self.name = logger.name
        self.log: Callable[..., None] | None = None
        if len(handlers) == 1 and type(handlers[0]) is LineHandler:
            handler = handlers[0]
            changes.watch(handler)
            self.lists += logger.filters, handler.filters
            if (
                handler.direct_encoder is not None
                and not handler.direct_encoder.caller
                and all(isinstance(one, ContextLogger) for one in loggers)
                and not (logger.disabled or logger.filters or handler.filters)
                and _STEPS.isdisjoint(logger.__dict__)
                and not {"handle", "emit"}.intersection(handler.__dict__)
            ):
                self._encoder = handler.direct_encoder
                self._encode = handler.direct_encoder.encode_plain
                self._write = handler.writer.write
                self._level = handler.level
                self._reports = logger.name in REPORTING_LOGGERS
                self.log = self._log
        self.seen = [list(one) for one in self.lists]

    def _log(
        self,
        level: int,
        msg: Any,
        args: Any,
        exc_info: Any = None,
        extra: Any = None,
        stack_info: bool = False,
        stacklevel: int = 1,
    ) -> None:
        """Do what `logging.Logger._log` does, as far as it can be seen afterwards."""
        if (
            stack_info
            or type(msg) is not str
            or (extra and (type(extra) is not dict or not RESERVED.isdisjoint(extra)))
        ):
            # Only our handler gets the record, so one more frame is seen by nothing.
            if stacklevel > 0:
                stacklevel += 1
            more = (exc_info, extra, stack_info, stacklevel)
            _stock_log(self.logger, level, msg, args, *more)
            return
        if level < self._level:
            return
        created, name = _now(), _level_names.get(level) or _get_level_name(level)
        problems: Problems = ()
        try:
            message = msg % args if args else msg
        except Exception as failure:
            # A third-party __str__ may raise anything, and a template may not fit, or
            # be for the names of a mapping.
            if is_interrupt(failure):
                raise
            message, problems = formatted(msg, sole_mapping(args))
        line = None
        if exc_info or problems:
            error = _error_of(exc_info)
            view = error_view(error, reporting=self._reports)
        else:
            error, view = None, current_view()
            line = self._encode(
                created, name, level, self.name, message, view, extra or {}
            )
        if line is None:
            event = (created, name, level, self.name, message, view, extra or {})
            line = self._encoder.encode(Event(*event, error, None, problems))
        self._write(line)


def _error_of(exc_info: Any) -> BaseException | None:
    """Return the exception that `logging` makes of the argument of that name."""
    if not exc_info:
        return None
    if isinstance(exc_info, BaseException):
        return exc_info
    if not isinstance(exc_info, tuple):
        return sys.exc_info()[1]
    error = exc_info[1] if len(exc_info) == 3 else None
    return error if isinstance(error, BaseException) else None


class _Log:
    """
    The attribute `_log` of `ContextLogger`.

    It is looked up once for each call, so whatever takes part may change between two.
    """

    def __get__(
        self, logger: logging.Logger | None, owner: type[logging.Logger]
    ) -> Callable[..., None]:
        if logger is None:
            return logging.Logger._log
        factory: object = logging._logRecordFactory  # type: ignore[attr-defined]
        if (
            type(factory) is RecordFactory
            and owner.callHandlers is _call_handlers
            and owner.handle is _handle
            and owner.filter is _filter
            and owner.makeRecord is _make_record
            and owner.findCaller is _find_caller
            and logging.Logger._log is _stock_log
            and LineHandler.handle is _handle_line
            and LineHandler.emit is _emit_line
        ):
            way: _Way | None = factory.ways.get(logger.name)
            if (
                way is None
                or way.logger is not logger
                or way.chosen is not changes.latest
                or way.lists != way.seen
            ):
                way = _choose(factory, logger)
            direct = None if way is None else way.log
            if direct is not None:
                return direct
        stock: Callable[..., None] = logging.Logger._log.__get__(logger)
        return stock


def _choose(factory: RecordFactory, logger: logging.Logger) -> _Way | None:
    """Return the way of a logger's next lines; None before its first line."""
    # A server's lines are records, and so is every logger's first line: the factory
    # looks at where it goes.
    if logger.name not in factory.ways:
        return None
    way = factory.ways[logger.name] = _Way(logger)
    return way


class ContextLogger(logging.Logger):
    """
    A logger of `logging` whose usual lines are written straight from the call.

    `configure()` makes it the class of loggers. Everything of `logging.Logger` holds.
    """

    _log = _Log()

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


def _loggers() -> Iterator[logging.Logger]:
    yield logging.root
    for logger in list(logging.Logger.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            yield logger
