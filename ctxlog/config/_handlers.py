"""
Handlers that write to the console, directly or not. Private to `config`.

A handler that hands its records on (to a queue's listener, to a target, to a library
that prints) is looked through.
"""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Iterable, Iterator
from logging.handlers import MemoryHandler, QueueHandler, QueueListener
from typing import NamedTuple

from ctxlog.line.writer import is_console
from ctxlog.loggers import stdlib

#: Modules of handlers that print without holding a stream: AWS Lambda's runtime.
_PRINTERS = ("awslambdaric",)

# The most handlers within handlers that are looked through.
_DEPTH = 4


class Console(NamedTuple):
    """
    How a handler reaches the console.

    Attributes:
        wholly: Whether the console is the only place that it reaches.
        sure: False if the records go where nothing can be found out about them.
    """

    wholly: bool = True
    sure: bool = True


def console_of(handler: logging.Handler) -> Console | None:
    """Return how `handler` reaches the console; None if it does not. Never raises."""
    try:
        return _console_of(handler, _DEPTH)
    except Exception:
        # An attribute of a third-party handler may be a property, which may raise
        # anything. This runs within log calls, whose line must be written.
        return None


def _console_of(handler: logging.Handler, depth: int) -> Console | None:
    if _prints(handler):
        return Console(_wholly(handler))
    # Not imported here: a log call may ask while another thread is importing loguru.
    loguru = sys.modules.get("ctxlog.loggers.loguru")
    if loguru is not None and loguru.is_fed_by(handler):
        on_console = loguru.sinks_on_console()
        return Console(all(on_console)) if any(on_console) else None
    if depth == 0:
        return None
    inner = list(inner_handlers(handler))
    if not inner:
        unknown = isinstance(handler, QueueHandler)
        return Console(wholly=False, sure=False) if unknown else None
    found = [_console_of(one, depth - 1) for one in inner]
    if not any(found):
        return None
    wholly = all(one is not None and one.wholly for one in found)
    return Console(wholly, all(one is None or one.sure for one in found))


def _prints(handler: logging.Handler) -> bool:
    if type(handler).__module__.partition(".")[0] in _PRINTERS:
        return True
    rich = getattr(handler, "console", None)
    return is_console(getattr(handler, "stream", None)) or is_console(
        getattr(rich, "file", None)
    )


def _wholly(handler: logging.Handler) -> bool:
    """Return whether a handler that prints does nothing else."""
    if not isinstance(handler, stdlib.LineHandler):
        return True
    sinks = getattr(handler.writer, "sinks", ())
    return all(is_console(getattr(sink, "stream", None)) for sink in sinks)


def inner_handlers(handler: logging.Handler) -> Iterator[logging.Handler]:
    """Yield the handlers that `handler` hands its records to."""
    if isinstance(handler, QueueHandler):
        for listener in _listeners(handler):
            yield from listener.handlers
    elif isinstance(handler, MemoryHandler):
        if handler.target is not None:
            yield handler.target
    elif not isinstance(handler, logging.StreamHandler):
        # absl's, and any other that wraps a handler, or hands on to a logger.
        code = getattr(type(handler).emit, "__code__", None)
        hands_on = code is not None and "handle" in code.co_names
        for value in list(vars(handler).values()):
            if isinstance(value, logging.Handler):
                yield value
            elif hands_on and isinstance(value, logging.Logger):
                yield from _handlers_of(value)


def _handlers_of(logger: logging.Logger) -> Iterator[logging.Handler]:
    """Yield the handlers that get the records of `logger`."""
    above: logging.Logger | None = logger
    while above is not None:
        yield from above.handlers
        above = above.parent if above.propagate else None


def _listeners(handler: QueueHandler) -> Iterable[QueueListener]:
    listener = getattr(handler, "listener", None)
    if isinstance(listener, QueueListener):
        return [listener]
    # The listener knows the queue, not the other way round.
    return [
        one
        for one in gc.get_objects()
        if issubclass(type(one), QueueListener) and one.queue is handler.queue
    ]


def writes_lines(handler: logging.Handler) -> bool:
    """Return whether `handler` writes ctxlog's lines."""
    return isinstance(handler.formatter, stdlib.JsonFormatter)


class Mute:
    """
    Takes the handlers that write to the console out of a listener, and back.

    For a `QueueHandler` whose listener has other handlers beside: those go on.
    """

    def __init__(self, handler: logging.Handler) -> None:
        self._before: list[tuple[QueueListener, tuple[logging.Handler, ...]]] = []
        if isinstance(handler, QueueHandler):
            for listener in _listeners(handler):
                self._take_out(listener)

    def _take_out(self, listener: QueueListener) -> None:
        handlers = tuple(listener.handlers)
        others = tuple(one for one in handlers if console_of(one) is None)
        if len(others) < len(handlers):
            self._before.append((listener, handlers))
            listener.handlers = others

    def undo(self) -> None:
        """Put them back."""
        for listener, handlers in self._before:
            listener.handlers = handlers
