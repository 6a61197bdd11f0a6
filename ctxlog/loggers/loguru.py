"""
loguru. Adapter: imports core, its siblings for records and levels, and loguru.

A record is stamped by a *patcher*, which loguru calls in the thread that logs; from
then on it may wait in a queue (`enqueue=True`) or go to another process.

loguru formats a message before any patcher or sink sees it: a wrong `{}` raises in the
log call, as it does without ctxlog.
"""

from __future__ import annotations

import copy
import logging
import os
import pickle
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from types import CellType, FrameType
from typing import Any, NamedTuple

from ctxlog._interrupts import is_interrupt
from ctxlog._json import FLAT_TYPES
from ctxlog._names import REPORTING_LOGGERS, get_names
from ctxlog.context.adapter import View, current_view, error_view
from ctxlog.errors import requires
from ctxlog.line.encoder import LineEncoder
from ctxlog.line.event import Encoder, Event, ExceptionParts
from ctxlog.line.redactor import get_redactor
from ctxlog.line.schema import Schema
from ctxlog.line.values import Walk, safe_str
from ctxlog.line.vendors import get_schema
from ctxlog.line.writer import LineWriter, is_console
from ctxlog.loggers._callers import passed_on
from ctxlog.loggers._levels import Levels
from ctxlog.loggers._record import Stamp, plain_fields, read

with requires("loguru"):
    from loguru import logger

__all__ = [
    "JsonSink",
    "install",
    "is_configured",
    "is_fed_by",
    "outside",
    "patcher",
    "sinks_on_console",
    "uninstall",
]

_Record = dict[str, Any]
_Patcher = Callable[[_Record], None]

# loguru has no public way to ask for its patcher and its sinks.
_now = time.time
_core: Any = logger._core  # type: ignore[attr-defined]


class _Extra(dict[Any, Any]):
    """
    A record's `extra` with the context's fields in it, and with the record's stamp.

    loguru hands one record to all sinks, and some show everything that is in it: so
    the stamp is an attribute here, and no key of the record.

    Attributes:
        stamp: What the record took from its context, as on a record of stdlib logging.
        shown: The context's fields, as they were put here.
        own: The names of the fields that are not the context's.
        line: The finished line of a record on its way through a queue; else not set.
    """

    __slots__ = ("line", "own", "shown", "stamp")

    stamp: View | Stamp | dict[str, Any] | None
    shown: dict[str, Any]
    own: Iterable[Any]
    line: bytes | None

    def __copy__(self) -> dict[Any, Any]:
        return dict(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[Any, Any]:
        return copy.deepcopy(dict(self), memo)

    def __reduce__(self) -> tuple[Any, ...]:
        # A value that does not pickle arrives as a line would show it.
        items = []
        for name, value in self.items():
            if type(value) not in FLAT_TYPES:
                value = _Packed(value, _plain(value))
            items.append((name, value))
        line = getattr(self, "line", None)
        return _extra, (items, self.stamp, tuple(self.own), line)


def _extra(
    items: Any, stamp: Any, own: Iterable[Any], line: bytes | None = None
) -> _Extra:
    extra = _Extra(items)
    extra.stamp, extra.shown, extra.own, extra.line = stamp, {}, own, line
    return extra


# Stamping -----------------------------------------------------------------------


def patcher(record: Any) -> Any:
    """
    Stamp a record with the context, for `logger.configure(patcher=patcher)`.

    The context's fields are put into `extra`, so that every sink can show them (with
    the format `{extra[requestID]} {message}`); what is bound to the logger or given in
    the call stays. The request's id is always there, under the name that was chosen for
    it, `N/A` outside of any request. The context's secrets are redacted; what the call
    brings is as loguru has it.

    `configure(patcher=...)` replaces a patcher that is there. To keep it, give it:
    `logger.configure(patcher=patcher(mine))`; `install()` keeps it by itself.

    Args:
        record: loguru's record; or another patcher, to return one that does both.
    """
    if callable(record):
        return _Chained(record)
    exception = record["exception"]
    stamp: View | Stamp
    if exception is None:
        stamp = view = current_view()
    else:
        error = exception.value
        reporting = record["name"] in REPORTING_LOGGERS
        view = error_view(error, reporting=reporting)
        stamp = Stamp(view, error)
    own = record["extra"]
    name = record["name"]
    if type(name) is str and name[:7] == "ctxlog.":
        handed = _handed_on()
        if handed is None:
            _show_caller(record)
        else:
            record["name"] = handed.name
            own = {**read(handed).fields, **own}
    shown = _shown(view)
    record["extra"] = extra = _Extra(shown)
    extra.update(own)
    extra.stamp, extra.shown, extra.own = stamp, shown, own
    return None


def _handed_on() -> logging.LogRecord | None:
    """
    Return the record of a line of ctxlog's own that `logging` has handed to loguru.

    The handler of loguru's documentation, `InterceptHandler`, hands on the text of a
    record; a completion line without its fields says little. The line gets the name
    of the logger, too, in place of a module's.
    """
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_name == "emit":
            for handed in list(frame.f_locals.values()):
                if isinstance(handed, logging.LogRecord):
                    return handed
        frame = frame.f_back
    return None


def _show_caller(record: _Record) -> None:
    """Show where a log call stands that ctxlog has passed on, as `run` does."""
    frame = passed_on(record["file"].path, record["line"], "depth", 0)
    if frame is None:
        return
    path = frame.f_code.co_filename
    name = os.path.basename(path)
    record["name"] = frame.f_globals.get("__name__")
    record["function"], record["line"] = frame.f_code.co_name, frame.f_lineno
    record["file"] = type(record["file"])(name, path)
    record["module"] = os.path.splitext(name)[0]


class _Chained:
    """Two patchers: the one that was there, then ours."""

    def __init__(self, previous: Callable[[_Record], object]) -> None:
        self.previous = previous

    def __call__(self, record: _Record) -> None:
        self.previous(record)
        patcher(record)


def _shown(view: View) -> dict[str, Any]:
    """What `extra` gets of a view: made once for it."""
    if view.encoded is None:
        view.encoded = {}
    hiding, names = get_redactor(), get_names()
    seen, known = view.encoded.get(hiding) or (None, {})
    if seen is not names:
        known = {**plain_fields(view)}
        key, request_id = names.request_id, names.id_of(view.fields)
        if not isinstance(request_id, str):
            known[key] = "N/A" if request_id is None else safe_str(known[key])
        view.encoded[hiding] = names, known
    return known


# Writing ------------------------------------------------------------------------


class JsonSink:
    """
    A sink that writes ctxlog's JSON lines, for `logger.add(JsonSink(), format="")`.

    The line is the same as that of a record of stdlib logging. The context is the
    stamp's that the `patcher` left on the record, else the active one. `install()` does
    both. Never raises.

    Args:
        stream: Where the lines go; unless given, `sys.stdout` as it is when a line is
            written.
        schema: Name of a schema, or one.
        encoder: Turns the event into the line, in place of an encoder of *schema*.
        writer: Writes the lines, in place of one for *stream*.
        levels: Least levels of single loggers: name to level.
        options: Those of `ctxlog.line.LineEncoder`.

    Raises:
        ConfigError: an option has a value that it cannot have.
    """

    def __init__(
        self,
        stream: Any = None,
        *,
        schema: str | Schema = "default",
        encoder: Encoder | None = None,
        writer: LineWriter | None = None,
        levels: Levels | None = None,
        **options: Any,
    ) -> None:
        self._encoder = encoder or LineEncoder(get_schema(schema), **options)
        self._writer = writer or LineWriter(stream, self._encoder)
        self._levels = levels or None

    def __repr__(self) -> str:
        return f"<JsonSink {getattr(self._writer.stream, 'name', '')}>"

    def write(self, message: Any) -> None:
        """Write the line of a message, as loguru calls it. Never raises."""
        self._write(message.record, message.record["time"].timestamp())

    def take(self, record: Any) -> bool:
        """
        Write the line of a record; always False. Never raises.

        As the `filter` of a sink it spares all that loguru would do to show the record:
        copies, formats and renders the exception, only for us to pass it over.
        """
        # Its time is this one, and takes long to read off.
        self._write(record, _now())
        return False

    def encode(self, record: Any) -> bytes:
        """Return the line of a record, with the time as it is now. Never raises."""
        return _encoded(self._encoder, record, _now())

    def _write(self, record: _Record, created: float) -> None:
        if self._levels is None or _is_wanted(record, self._levels):
            self._writer.write(_encoded(self._encoder, record, created))


def _is_wanted(record: _Record, levels: Levels) -> bool:
    """Whether a record has at least the level of its logger."""
    return bool(record["level"].no >= levels.of(record["name"]))


def _encoded(encoder: Encoder, record: _Record, created: float) -> bytes:
    """Return the line of a record."""
    error: ExceptionParts | BaseException | None = None
    own = extra = record["extra"]
    stamp = extra.stamp if type(extra) is _Extra else None
    if isinstance(stamp, View):
        view = stamp
        own = _own(extra)
    elif stamp is None:
        view, error = _unstamped(record)
    elif isinstance(stamp, Stamp):
        view, error = stamp.view, stamp.error
        own = _own(extra)
    else:  # it was pickled
        revived = Stamp.revived(stamp)
        view, error = revived.view, revived.error
        own = {name: extra[name] for name in extra.own if name in extra}
    level = record["level"]
    name = level.name
    if name[:6] == "Level ":
        name = _name_of(level)
    source, message = record["name"] or "root", record["message"]
    if error is None:
        line = encoder.encode_plain(created, name, level.no, source, message, view, own)
        if line is not None:
            return line
    return encoder.encode(
        Event(created, name, level.no, source, message, view, own, error)
    )


def _name_of(level: Any) -> str:
    """Return the name of a level that was given by its number, which has a name."""
    name = str(logging.getLevelName(level.no))
    if not name.startswith("Level "):
        return name
    # The application's, where loguru has one with that number, too.
    named = [one.name for one in list(_core.levels.values()) if one.no == level.no]
    return str(named[-1]) if named else name


_MISSING = object()


def _own(extra: _Extra) -> dict[Any, Any]:
    """Return what is in `extra` besides what the patcher put there."""
    shown = extra.shown
    own = {}
    for name in extra.own:
        if name in extra:
            own[name] = extra[name]
    for name, value in extra.items():  # another patcher may have come later
        if name not in own and shown.get(name, _MISSING) is not value:
            own[name] = value
    return own


def _unstamped(record: _Record) -> tuple[View, BaseException | None]:
    exception = record["exception"]
    if exception is None:
        return current_view(), None
    reporting = record["name"] in REPORTING_LOGGERS
    return error_view(exception.value, reporting=reporting), exception.value


# Through a queue ----------------------------------------------------------------


class _QueuedSink(JsonSink):
    """Writes, in the thread of loguru's queue, what `_Queueing` made of the records."""

    def write(self, message: Any) -> None:
        line = getattr(message.record["extra"], "line", None)
        if line is None:
            super().write(message)
        else:
            self._writer.write(line)

    def queueing(self) -> _Queueing:
        """Return the filter that belongs to it."""
        return _Queueing(self._encoder, self._levels)


class _Queueing:
    """
    As the filter of a queued sink: finishes the line in the thread that logs.

    loguru's queue pickles whole records, and drops those that do not pickle. So the
    line is made before, and all else in the record is made to pickle; that is for other
    queued sinks: those without a queue find the values as they are.

    It goes to spawned processes. Where the encoder cannot, the process of the queue
    makes the line.
    """

    def __init__(self, encoder: Encoder | None, levels: Levels | None) -> None:
        self._encoder = encoder
        self._levels = levels

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (_Packed(self._encoder, None), self._levels)

    def __call__(self, record: _Record) -> bool:
        if self._levels is not None and not _is_wanted(record, self._levels):
            return False
        extra = record["extra"]
        if type(extra) is not _Extra:  # a patcher that came later has replaced it
            extra = record["extra"] = _extra(extra, None, extra)
        if self._encoder is not None:
            extra.line = _encoded(self._encoder, record, _now())
        if record["exception"] is not None:
            record["exception"] = _Exception(*record["exception"])
        # What patchers have added.
        for name in record.keys() - _KEYS:
            value = record[name]
            if type(value) not in FLAT_TYPES and not _pickles(value):
                record[name] = _plain(value)
        return True


_KEYS = frozenset(
    {
        *("elapsed", "exception", "extra", "file", "function", "level", "line"),
        *("message", "module", "name", "process", "thread", "time"),
    }
)


class _Exception(NamedTuple):
    """The exception of a record, as loguru's own, whose type may fail to pickle."""

    type: Any
    value: Any
    traceback: Any

    def __reduce__(self) -> tuple[Any, ...]:
        kind = _Packed(self.type, Exception)
        return _Exception, (kind, _Packed(self.value, None), None)


class _Packed:
    """A value in a pickle: comes out as itself if it pickles, else as another."""

    def __init__(self, value: object, instead: object) -> None:
        self._value = value
        self._instead = instead

    def __reduce__(self) -> tuple[Any, ...]:
        try:
            pickled = pickle.dumps(self._value)
        except Exception as error:  # a third-party __reduce__
            if is_interrupt(error):
                raise
            pickled = b""
        return _unpacked, (pickled, self._instead)


def _unpacked(pickled: bytes, instead: Any) -> Any:
    try:
        return pickle.loads(pickled)
    except Exception:  # a foreign __setstate__, a class that is not in this process
        return instead


def _pickles(value: object) -> bool:
    try:
        pickle.loads(pickle.dumps(value))
    except Exception as error:  # a third-party __reduce__
        if is_interrupt(error):
            raise
        return False
    return True


def _plain(value: object) -> Any:
    return Walk(get_redactor(), 262_144, 262_144).value(value)


# A whole set-up -----------------------------------------------------------------

_sink_id: int | None = None
_patcher_before: _Patcher | None = None

# loguru's handlers that wrote to the console, by their numbers, while ours does.
_aside: dict[int, Any] = {}


def _default(handlers: Mapping[int, Any]) -> int | None:
    """
    Return the number of the handler that loguru comes with: 0, by which applications
    remove it, unless a tracer has added one while loguru was imported. None if it is
    not there.
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
    writer: LineWriter | None = None,
    **options: Any,
) -> None:
    """
    Let loguru write stamped lines, the same as those of stdlib logging.

    For the whole process, until `uninstall()`. Sinks that write to the console, as
    loguru's default one, would write every event a second time: they are set aside
    until then. All other sinks stay and find the context's fields in `extra`; a patcher
    that is there is kept. A further call replaces the one before. The sink has the
    number of loguru's default one where that was there, so `logger.remove(0)` and
    `logger.remove()` mean what they always do.

    Args:
        stream: Where the lines go; unless given, `sys.stdout` as it is when a line is
            written.
        level: The least level that is logged: one of loguru's names, or a number.
        levels: Least levels of single loggers (modules): name to level.
        enqueue: Whether another thread writes; also for child processes. The line is
            finished in the thread that logs: a field or an exception that does not
            pickle costs none.
        context: How those are started, as `logger.add()` takes it: `spawn`, ...
        writer: Writes the lines, in place of one for *stream*.
        options: Those of `JsonSink`.

    Raises:
        ConfigError: an option is invalid.
        ValueError: loguru has no such level.
    """
    global _sink_id, _patcher_before
    number = level if isinstance(level, int) else logger.level(level).no
    least = Levels(number, levels)
    make = _QueuedSink if enqueue else JsonSink
    sink = make(stream, writer=writer, levels=least, **options)
    chosen: Any = sink.queueing() if isinstance(sink, _QueuedSink) else sink.take
    # loguru takes it from version 0.7 on.
    started = {} if context is None else {"context": context}
    uninstall()
    added = logger.add(
        sink,
        level=least.least,
        format=_no_text,
        filter=chosen,
        enqueue=enqueue,
        colorize=False,
        backtrace=False,
        diagnose=False,
        # Ours raises nothing but what interrupts it, which is not to be caught. Where
        # loguru writes in a thread of its own, that must survive.
        catch=enqueue,
        **started,
    )
    _sink_id = _put_in_place(added)
    _patcher_before = _core.patcher
    chained = patcher if _patcher_before is None else patcher(_patcher_before)
    logger.configure(patcher=chained)


def _no_text(record: Any) -> str:
    return ""


def _put_in_place(added: int) -> int:
    """Set aside what writes to the console; return the number that ours has then."""
    with _core.lock:
        handlers = _core.handlers.copy()
        ours = handlers.pop(added)
        default = _default(handlers)
        for number in list(handlers):
            # The default one writes to what was standard error at its import.
            if number == default or _is_on_console(handlers[number]):
                _aside[number] = handlers.pop(number)
        number = added if default is None else default
        handlers[number] = ours
        _have_handlers(handlers)
    return number


def _have_handlers(handlers: dict[int, Any]) -> None:
    # As `logger.add()` and `remove()` do it; there is no other way to have one back.
    levels = (handler.levelno for handler in handlers.values())
    _core.min_level = min(levels, default=float("inf"))
    _core.handlers = handlers


def uninstall() -> None:
    """
    Give loguru back what it had before `install()`; without one, a no-op.

    Sinks that were set aside stay so if the application has removed ctxlog's: it has
    set up sinks of its own since.
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
    if current is patcher or isinstance(current, _Chained):
        with _core.lock:
            _core.patcher = _patcher_before
    _sink_id, _patcher_before = None, None


# What the application has set up --------------------------------------------------


def is_configured() -> bool:
    """
    Whether the application has set up loguru's output by itself.

    By a sink of its own to the console, or by removing the default one. What trackers
    and tracers add, a sink that reports elsewhere or a patcher, does not count.
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
    """Return why loguru's lines are not ctxlog's; None where they are."""
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
    Whether a handler of `logging` hands its records to loguru.

    As the `InterceptHandler` of loguru's documentation does, by whatever name: its
    `emit` refers to loguru's logger.
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
    """Return of each sink whether it writes to the console; ctxlog's does."""
    found = [one for one in _core.handlers.values()]
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
