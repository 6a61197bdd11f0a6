"""
How loguru is set up, by the application or by ctxlog. Private to `loggers/`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from types import CellType
from typing import TYPE_CHECKING, Any

from ctxlog.errors import requires
from ctxlog.line.writer import Writer, is_console
from ctxlog.loggers._levels import Levels
from ctxlog.loggers._loguru_record import Chained, Record, patcher
from ctxlog.loggers._loguru_sink import JsonSink, QueuedSink
from ctxlog.retention import asked

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ctxlog.line.options import RendererOptions

with requires("loguru"):
    from loguru import logger

# loguru has no public way to ask for its patcher and its sinks.
_core: Any = logger._core  # type: ignore[attr-defined]

_sink_id: int | None = None
_least = Levels(0)
_patcher_before: Callable[[Record], None] | None = None

# By their numbers, the console handlers of loguru that ours has replaced.
_aside: dict[int, Any] = {}


def _default(handlers: Mapping[int, Any]) -> int | None:
    """
    Return the number of loguru's default handler, or None if it has been removed.

    It is 0 unless a tracer has added a handler while loguru was imported.
    """
    for number in range(len(handlers)):
        if number not in handlers:
            break
        if _stream_of(handlers[number]) is not None:
            return number
    return None


def install(
    stream: Any = None,
    *,
    level: int | str = "INFO",
    levels: Mapping[str, int] | None = None,
    enqueue: bool = False,
    context: Any = None,
    writer: Writer | None = None,
    **options: Unpack[RendererOptions],
) -> None:
    """
    Let loguru write the same lines as stdlib logging, to one stream.

    For the whole process, until `uninstall()`. Sinks that write to the console, such as
    loguru's default one, would write every event a second time: they are replaced until
    then. All other sinks stay and have the context's fields in `extra`; the previous
    patcher is kept. A further call replaces the set-up. The sink takes the number of
    loguru's default one, so that `logger.remove(0)` and `logger.remove()` keep their
    meaning.

    Args:
        stream: A stream for the lines; by default, `sys.stdout` at the time of each
            line.
        level: The least level that is logged: one of loguru's names, or a number.
        levels: Least levels of single loggers (modules): name to level.
        enqueue: Write in another thread, also for child processes. The line is
            finished in the thread that logs, so that no line is lost to a field or an
            exception that does not pickle.
        context: How these processes are started, as `logger.add()` takes it.
        writer: Writes the lines instead of a writer for *stream*.
        options: Those of `JsonSink`.

    Raises:
        ConfigError: if an option is invalid.
        ValueError: if loguru has no such level.
    """
    global _sink_id, _patcher_before, _least
    number = level if isinstance(level, int) else logger.level(level).no
    least = Levels(number, levels)
    make = QueuedSink if enqueue else JsonSink
    sink = make(stream, writer=writer, levels=least, **options)
    chosen: Any = sink.queueing() if isinstance(sink, QueuedSink) else sink.take
    # loguru takes it from version 0.7 on.
    started = {} if context is None else {"context": context}
    uninstall()
    added = logger.add(
        sink,
        level=_sink_level(least),
        format=_no_text,
        filter=chosen,
        enqueue=enqueue,
        colorize=False,
        backtrace=False,
        diagnose=False,
        # The sink raises interrupts only, which must not be caught. A thread of
        # loguru's that writes must survive them.
        catch=enqueue,
        **started,
    )
    _sink_id, _least = _put_in_place(added), least
    _patcher_before = _core.patcher
    chained = patcher if _patcher_before is None else patcher(_patcher_before)
    logger.configure(patcher=chained)


def _sink_level(least: Levels) -> int:
    # loguru asks the sinks' levels before it makes a record, and no request.
    return int(min(least.least, asked.floor))


def _follow() -> None:
    """Let the sink have all records that a request may ask for."""
    if _is_installed():
        with _core.lock:
            handlers = _core.handlers.copy()
            handlers[_sink_id]._levelno = _sink_level(_least)
            _have_handlers(handlers)


asked.changed.append(_follow)


def _no_text(record: Any) -> str:
    return ""


def _put_in_place(added: int) -> int:
    """Replace the console handlers by ours, and return its number."""
    with _core.lock:
        handlers = _core.handlers.copy()
        ours = handlers.pop(added)
        default = _default(handlers)
        for number in list(handlers):
            # The default one's stream may have been replaced as standard error since.
            if number == default or _is_on_console(handlers[number]):
                _aside[number] = handlers.pop(number)
        number = added if default is None else default
        handlers[number] = ours
        _have_handlers(handlers)
    return number


def _have_handlers(handlers: dict[int, Any]) -> None:
    # Like `logger.add()` and `remove()`, which cannot bring a handler back.
    levels = (handler.levelno for handler in handlers.values())
    _core.min_level = min(levels, default=float("inf"))
    _core.handlers = handlers


def uninstall() -> None:
    """
    Bring back loguru's sinks and patcher of before `install()`; without it, a no-op.

    If the application has removed ctxlog's sink, it has set up sinks of its own since:
    the replaced ones stay away.
    """
    global _sink_id, _patcher_before
    if _sink_id is None:
        return
    if _is_ours(_core.handlers.get(_sink_id)):
        logger.remove(_sink_id)
        with _core.lock:
            _have_handlers({**_core.handlers, **_aside})
    _aside.clear()
    current = _core.patcher
    if current is patcher or isinstance(current, Chained):
        with _core.lock:
            _core.patcher = _patcher_before
    _sink_id, _patcher_before = None, None


# The application's set-up ---------------------------------------------------------


def is_configured() -> bool:
    """
    Return whether the application has set up loguru's output by itself.

    That is, whether it has added a console sink or removed the default one. Patchers
    and other sinks, such as those of trackers and tracers, do not count.
    """
    if _is_installed():
        return False
    handlers = dict(_core.handlers)
    default = _default(handlers)
    if default is None:
        return True
    del handlers[default]
    return any(map(_is_on_console, handlers.values()))


def outside() -> str | None:
    """Return why loguru's lines are not ctxlog's, or None if they are."""
    printing = [one for one in _core.handlers.values() if _is_on_console(one)]
    others = [one for one in printing if not _is_ours(one)]
    if not others:
        return None
    if _is_installed():
        return (
            "loguru was given a sink for the console after ctxlog: its lines come out "
            "a second time; leave that sink out"
        )
    if _sink_id is not None:
        return (
            "loguru was configured by the application after ctxlog: call "
            "ctxlog.configure(loggers=['stdlib', 'loguru']) after that, or add "
            "ctxlog.loggers.loguru.JsonSink() in place of its sink for the console"
        )
    if not is_configured():
        return None
    return (
        "loguru was configured by the application and is left alone: add "
        "ctxlog.loggers.loguru.JsonSink() in place of its sink for the console, or "
        "pass configure(loggers=['stdlib', 'loguru'])"
    )


def is_fed_by(handler: logging.Handler) -> bool:
    """
    Return whether a handler of `logging` hands its records to loguru.

    Its `emit` refers to loguru's logger, like that of the `InterceptHandler` in the
    documentation of loguru.
    """
    code = getattr(type(handler).emit, "__code__", None)
    if code is None:
        return False
    names = type(handler).emit.__globals__
    known = [names.get(name) for name in code.co_names]
    known += [_content(cell) for cell in type(handler).emit.__closure__ or ()]
    return "loguru" in code.co_names or any(one is logger for one in known)


def _content(cell: CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # not assigned yet
        return None


def sinks_on_console() -> list[bool]:
    """Return for each sink whether it writes to the console; ctxlog's counts as one."""
    found = list(_core.handlers.values())
    return [_is_ours(one) or _is_on_console(one) for one in found]


def _is_installed() -> bool:
    return _sink_id is not None and _is_ours(_core.handlers.get(_sink_id))


def _is_ours(handler: Any) -> bool:
    return isinstance(_stream_of(handler), JsonSink)


def _is_on_console(handler: Any) -> bool:
    stream = _stream_of(handler)
    # A sink may be a handler of `logging`, with a stream of its own.
    return is_console(stream) or is_console(getattr(stream, "stream", None))


def _stream_of(handler: Any) -> Any:
    """Return the stream, or handler of `logging`, that a handler of loguru has."""
    sink = getattr(handler, "_sink", None)
    return getattr(sink, "_stream", None) or getattr(sink, "_handler", None)
