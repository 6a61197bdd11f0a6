"""
structlog. Adapter: imports core, its sibling for records and structlog.

structlog runs its processors in the thread and the context of the log call, so the
context is taken where the event is rendered. Where structlog hands events over to
`logging` (`ProcessorFormatter`), the record's own stamp says in which one it was made.
"""

from __future__ import annotations

import functools
import logging
import sys
import time
from collections.abc import Mapping, MutableMapping
from types import FrameType
from typing import Any

from ctxlog._interrupts import is_interrupt
from ctxlog._names import REPORTING_LOGGERS, get_names
from ctxlog._patch import Patch
from ctxlog.context.adapter import (
    View,
    add_source,
    current_view,
    error_view,
    remove_source,
)
from ctxlog.errors import requires
from ctxlog.line.encoder import LineEncoder
from ctxlog.line.event import Encoder, Event
from ctxlog.line.schema import Schema
from ctxlog.line.values import safe_str
from ctxlog.line.vendors import get_schema
from ctxlog.line.writer import LineWriter
from ctxlog.loggers._callers import is_ours
from ctxlog.loggers._events import (
    KEYS,
    LEVELS,
    STRUCTLOGS,
    is_true,
    level_of,
    restore_name,
    take_apart,
)
from ctxlog.loggers._levels import Levels
from ctxlog.loggers._messages import formatted, sole_mapping
from ctxlog.loggers._record import plain_fields, read, stamp_of

with requires("structlog"):
    import structlog

__all__ = [
    "JsonRenderer",
    "LineLogger",
    "bridge",
    "configure",
    "hide_callers",
    "is_configured",
    "merge_context",
    "outside",
    "processors",
    "show_callers",
    "unbridge",
    "unconfigure",
]

_EventDict = MutableMapping[str, Any]

_now = time.time
_render_stack = structlog.processors.StackInfoRenderer(additional_ignores=["ctxlog"])


# Processors ---------------------------------------------------------------------


def merge_context(logger: Any, method_name: str, event_dict: _EventDict) -> _EventDict:
    """
    Put the context's fields into the event, for processors that look at them.

    A processor, for the front of a chain: native, of `structlog.stdlib`, or the
    `foreign_pre_chain` of a `ProcessorFormatter`. What is bound to the logger or given
    in the call wins; what was bound through `structlog.contextvars` comes along, and
    wins over the store. Secrets of the context are redacted, whatever renders the event
    then. `JsonRenderer` needs no help from it. Never raises.
    """
    record = event_dict.get("_record")
    if isinstance(record, logging.LogRecord):
        stamp = stamp_of(record)
        view = stamp if isinstance(stamp, View) else stamp.view
    else:
        view = current_view()
    for name, value in _bound_elsewhere().items():
        event_dict.setdefault(name, value)
    log_error = get_names().log_error
    for name, value in plain_fields(view).items():
        # A field must not pass for what processors take as instructions.
        if name not in STRUCTLOGS and name != log_error:
            event_dict.setdefault(name, value)
    return event_dict


def _bound_elsewhere() -> Mapping[str, Any]:
    # Looking for them goes through all context variables there are, so only where
    # something was ever bound.
    return structlog.contextvars.get_contextvars() if _ever_bound else _NOTHING


_ever_bound = getattr(structlog.contextvars, "_CONTEXT_VARS", True)
_NOTHING: Mapping[str, Any] = {}


class JsonRenderer:
    """
    Render events as ctxlog's JSON lines; the last processor of a chain.

    The line is the same as that of a record of stdlib logging: it takes the context
    by itself, and understands what earlier processors have made of the event (level,
    logger, time stamp, rendered exceptions and stacks). It returns text, and bytes to
    a `structlog.BytesLogger`. Also the last of a `ProcessorFormatter`. Never raises.

    One may be shared by any number of loggers and threads.

    Args:
        schema: Name of a schema, or one.
        encoder: Turns the event into the line, in place of an encoder of *schema*.
        options: Those of `ctxlog.line.LineEncoder`.

    Raises:
        ConfigError: an option has a value that it cannot have.
    """

    def __init__(
        self,
        *,
        schema: str | Schema = "default",
        encoder: Encoder | None = None,
        **options: Any,
    ) -> None:
        self.encoder = encoder or LineEncoder(get_schema(schema), **options)

    def __call__(
        self, logger: Any, method_name: str, event_dict: _EventDict
    ) -> str | bytes | bytearray:
        """Return the line of an event."""
        kind = type(logger)
        if kind is not LineLogger and "_record" not in event_dict:
            _give_record_back(sys._getframe(1), event_dict)
        line = self.encode(logger, method_name, event_dict)
        if kind is LineLogger:
            return line
        if kind is structlog.BytesLogger:
            return line[:-1]
        return line[:-1].decode()

    def encode(self, logger: Any, method_name: str, event_dict: _EventDict) -> bytes:
        """Return the line of an event as UTF-8, with its newline. Never raises."""
        restore_name(event_dict)
        message = event_dict.pop("event", "")
        level = LEVELS.get(method_name) or level_of(method_name)
        if not KEYS.isdisjoint(event_dict) or isinstance(message, dict):
            return self._encode_more(logger, level, message, event_dict)
        name = getattr(logger, "name", None) or "root"
        plain = (_now(), *level, name, message, current_view(), event_dict)
        line = self.encoder.encode_plain(*plain)
        return self.encoder.encode(Event(*plain)) if line is None else line

    def _encode_more(
        self,
        logger: Any,
        level: tuple[str, int],
        message: Any,
        event_dict: _EventDict,
    ) -> bytes:
        created = _now()
        event = {**event_dict, "event": message}
        if is_true(event.get("stack_info")):
            event.update(_render_stack(logger, "", {"stack_info": True}))
        parts = take_apart(event, created, level[0])
        message, own, problems = parts.message, parts.own, parts.problems
        name = parts.logger or getattr(logger, "name", None) or "root"
        level = parts.level or level
        error, stack_info = parts.error, parts.stack
        record = own.get("_record")
        if isinstance(record, logging.LogRecord) and "_from_structlog" in own:
            del own["_record"], own["_from_structlog"]
            # Made by a log call some time ago, perhaps in another thread.
            created, name = record.created, record.name
            level = record.levelname, record.levelno
            found = read(record)
            view = found.view
            if type(record.msg) is not dict:
                own = {**found.fields, **own}
            error = error or found.error
            stack_info = stack_info or found.stack_info
        elif isinstance(error, BaseException):
            view = error_view(error, reporting=name in REPORTING_LOGGERS)
        else:
            view = current_view()
        return self.encoder.encode(
            Event(
                *(created, *level, name, message, view),
                *(own, error, stack_info, problems),
            )
        )


_formats_records = structlog.stdlib.ProcessorFormatter.format.__code__


def _give_record_back(frame: FrameType, event: _EventDict) -> None:
    """
    Put the record into the event again if *frame* is that of a `ProcessorFormatter`.

    `remove_processors_meta`, in front of most renderers, has taken it away; it knows
    the logger, the time, the fields and the context of the log call.
    """
    if frame.f_code is _formats_records:
        record = frame.f_locals["record"]
        event["_record"] = record
        event["_from_structlog"] = type(record.msg) is dict


def processors(*between: Any, **options: Any) -> list[Any]:
    """
    Return the processors for `structlog.configure(processors=...)`.

    Args:
        between: Further processors; they find the context's fields in the event.
        options: Those of `JsonRenderer`.
    """
    renderer = JsonRenderer(**options)
    return [merge_context, *between, renderer] if between else [renderer]


# A whole set-up -----------------------------------------------------------------


class LineLogger:
    """
    What structlog's loggers write to: finished lines, to one stream.

    Args:
        name: The logger's name.
    """

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<LineLogger {self.name!r}>"

    def msg(self, line: str | bytes) -> None:
        """Write one line, whole: with its newline if it is bytes. Never raises."""
        if isinstance(line, str):  # of a renderer other than ours
            line = f"{line}\n".encode("utf-8", "backslashreplace")
        _output.writer.write(line)

    log = debug = info = warn = warning = msg
    fatal = failure = err = error = critical = exception = msg


class _Output:
    """Where all `LineLogger`s write to, also those that structlog has cached."""

    def __init__(self) -> None:
        self.writer = LineWriter()
        self.renderer: Any = None
        self.before: dict[str, Any] | None = None
        self.processors: list[Any] = []


_output = _Output()


def _make_logger(*names: Any) -> LineLogger:
    name = names[0] if names else _asking_module()
    return LineLogger(name if isinstance(name, str) else safe_str(name))


def _asking_module() -> str:
    # `structlog.stdlib.LoggerFactory` knows, too, but changes logging's logger class.
    frame: Any = sys._getframe()
    while frame is not None:
        name = str(frame.f_globals.get("__name__"))
        if name.partition(".")[0] not in ("ctxlog", "structlog"):
            return name
        frame = frame.f_back
    return "root"


_EveryLevel: Any = structlog.make_filtering_bound_logger(logging.NOTSET)


class _FilteringLogger(_EveryLevel):  # type: ignore[misc]
    """
    structlog's logger that filters by level, and two things beside.

    Its messages always format: structlog formats `%` arguments before any processor
    sees the event, so that a wrong format would raise in the log call. And where our
    renderer is all there is, the event goes straight to it.

    One class for all levels: `filter_at` changes its methods, so a logger that was
    bound or cached earlier follows.
    """

    least = logging.NOTSET

    @classmethod
    def filter_at(cls, least: int) -> None:
        """Log nothing below a level from now on."""
        cls.least = least
        for name, (_, number) in LEVELS.items():
            enabled = number >= least
            setattr(cls, name, _CALLS[name] if enabled else _nothing)
            setattr(cls, f"a{name}", _CALLS[f"a{name}"] if enabled else _anothing)

    def is_enabled_for(self, level: int) -> bool:
        return level >= self.least

    def get_effective_level(self) -> int:
        return self.least


def _nothing(self: Any, event: Any = None, *args: Any, **fields: Any) -> None:
    return None


async def _anothing(self: Any, event: Any = None, *args: Any, **fields: Any) -> None:
    return None


def _logging(level: str, number: int) -> Any:
    name = level.lower()

    def method(self: Any, event: Any = None, *args: Any, **fields: Any) -> Any:
        if args:
            event, fields = _formatted(event, args, fields)
        processors, logger = self._processors, self._logger
        renderer = processors[0] if len(processors) == 1 else None
        if (
            renderer is None
            or renderer is not _output.renderer
            or type(logger) is not LineLogger
        ):
            return _to_logger(self, name, number, event, fields)
        # Our renderer is all there is: the event goes straight to it.
        if self._context:
            fields = {**self._context, **fields}
        if event is None:
            event = ""
        if KEYS.isdisjoint(fields):
            encoder, created, view = renderer.encoder, _now(), current_view()
            line = encoder.encode_plain(
                created, level, number, logger.name, event, view, fields
            )
            if line is None:
                line = encoder.encode(
                    Event(created, level, number, logger.name, event, view, fields)
                )
        else:
            line = renderer.encode(logger, name, {**fields, "event": event})
        _output.writer.write(line)
        return None

    return method


def _to_logger(
    self: Any, name: str, number: int, event: Any, fields: dict[str, Any]
) -> Any:
    """Process an event and hand it to the logger, which may know no such method."""
    if name in LEVELS or hasattr(self._logger, name):
        return self._proxy_to_logger(name, event, **fields)
    try:
        args, more = self._process_event(name, event, fields)
    except structlog.DropEvent:
        return None
    if isinstance(self._logger, logging.Logger):
        return self._logger.log(number, *args, **more)
    return self._logger.msg(*args, **more)


def _formatting(method: Any) -> Any:
    @functools.wraps(method)
    def call(self: Any, event: Any = None, *args: Any, **fields: Any) -> Any:
        if args:
            event, fields = _formatted(event, args, fields)
        return method(self, event, **fields)

    return call


def _log(self: Any, level: int, event: Any = None, *args: Any, **fields: Any) -> Any:
    """Log at a level that is given by its number."""
    if level < self.least:
        return None
    return _method_of(level)(self, event, *args, **fields)


def _alog(self: Any, level: int, event: Any = None, *args: Any, **fields: Any) -> Any:
    if args:
        event, fields = _formatted(event, args, fields)
    name = _NAMES.get(level)
    if level < self.least:
        return _anothing(self)
    if name is None:  # structlog's own methods know only its levels
        return _at_once(_method_of(level), self, event, **fields)
    return _awaited(sys._getframe(1), name, self, event, fields)


def _asynchronous(name: str) -> Any:
    @functools.wraps(getattr(_EveryLevel, f"a{name}"))
    def call(self: Any, event: Any = None, *args: Any, **fields: Any) -> Any:
        if args:
            event, fields = _formatted(event, args, fields)
        return _awaited(sys._getframe(1), name, self, event, fields)

    return call


def _awaited(
    frame: FrameType, name: str, self: Any, event: Any, fields: dict[str, Any]
) -> Any:
    """Return what structlog's asynchronous method returns when *frame* calls it."""
    if is_ours(frame.f_globals.get("__name__")):
        # `await run(log.ainfo, "x")`: ctxlog awaits, and would be taken for the caller.
        return _at_once(_CALLS[name], self, event, **fields)
    return getattr(_EveryLevel, f"a{name}")(self, event, **fields)


async def _at_once(method: Any, *args: Any, **fields: Any) -> Any:
    return method(*args, **fields)


_NAMES = {10: "debug", 20: "info", 30: "warning", 40: "error", 50: "critical"}


def _method_of(level: int) -> Any:
    name = _NAMES.get(level)
    if name is not None:
        return _CALLS[name]
    return _logging(str(logging.getLevelName(level)), level)


# The methods of `_FilteringLogger` that log, by their names.
_CALLS: dict[str, Any] = {
    name: functools.wraps(getattr(_EveryLevel, name))(_logging(*LEVELS[name]))
    for name in LEVELS
    if name != "exception"
}
_CALLS["exception"] = _formatting(_EveryLevel.exception)
_CALLS.update((f"a{name}", _asynchronous(name)) for name in LEVELS)
_FilteringLogger.log = functools.wraps(_EveryLevel.log)(_log)
_FilteringLogger.alog = functools.wraps(_EveryLevel.alog)(_alog)


def _formatted(
    event: Any, args: Any, fields: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    if type(event) is str and (len(args) > 1 or type(args[0]) is str):
        try:
            return event % args, fields
        except Exception as error:  # a wrong format, a third-party __str__
            if is_interrupt(error):
                raise
    message, problems = formatted(event, sole_mapping(args))
    if problems:
        fields = {**fields, get_names().log_error: problems[0]}
    return message, fields


class _LevelFilter:
    """Drops what is below the level of its logger."""

    def __init__(self, levels: Levels) -> None:
        self._levels = levels

    def __call__(
        self, logger: Any, method_name: str, event_dict: _EventDict
    ) -> _EventDict:
        number = (LEVELS.get(method_name) or level_of(method_name))[1]
        if number < self._levels.of(getattr(logger, "name", None)):
            raise structlog.DropEvent
        return event_dict


def configure(
    *between: Any,
    level: int = logging.INFO,
    levels: Mapping[str, int] | None = None,
    stream: Any = None,
    writer: LineWriter | None = None,
    **options: Any,
) -> None:
    """
    Configure structlog: stamped lines to one stream, the same as of stdlib logging.

    For the whole process, until `unconfigure()`, which brings back what was configured
    before. A further call replaces the set-up, also for loggers that were used since.
    Loggers that were used *before* the first call may have been cached by structlog
    with the chain of then; nothing can reach those.

    Args:
        between: Further processors, in their order.
        level: The least level that is logged.
        levels: Least levels of single loggers: name to level.
        stream: Where the lines go; unless given, `sys.stdout` as it is when a line is
            written.
        writer: Writes the lines, in place of one for *stream*.
        options: Those of `JsonRenderer`.

    Raises:
        ConfigError: an option has a value that it cannot have.
    """
    chain = processors(*between, **options)
    filtered = Levels(level, levels)
    if filtered:
        chain.insert(0, _LevelFilter(filtered))
    if _output.before is None:
        configured = structlog.is_configured()
        _output.before = structlog.get_config() if configured else {}
    _output.writer = writer or LineWriter(stream, chain[-1].encoder)
    _output.renderer = chain[0] if len(chain) == 1 else None
    _FilteringLogger.filter_at(filtered.least)
    # In place: loggers that are cached keep the list.
    _output.processors[:] = chain
    structlog.configure(
        processors=_output.processors,
        wrapper_class=_FilteringLogger,
        logger_factory=_make_logger,
        cache_logger_on_first_use=True,
    )
    bridge()
    show_callers()


def unconfigure() -> None:
    """Give structlog back what it had before `configure()`; without one, nothing."""
    before, ours = _output.before, _is_ours()
    _output.before = None
    if before is None:
        return
    unbridge()
    hide_callers()
    _output.writer = LineWriter()
    if not ours:
        return  # the application has configured it since
    if before:
        structlog.configure(**before)
    else:
        structlog.reset_defaults()


def _is_ours() -> bool:
    processors: object = structlog.get_config()["processors"]
    return processors is _output.processors


def is_configured() -> bool:
    """Whether the application has configured structlog by itself, before or since."""
    configured: bool = structlog.is_configured()
    return configured and not (_output.before is not None and _is_ours())


# What hands events over to `logging` as they are, for a handler to render.
_HANDING_OVER = tuple(
    getattr(structlog.stdlib, name)
    for name in ("render_to_log_kwargs", "render_to_log_args_and_kwargs")
    if hasattr(structlog.stdlib, name)
)


def outside() -> str | None:
    """Return why structlog's lines are not ctxlog's; None where they are."""
    if not is_configured():
        return None
    configured = structlog.get_config()
    chain = list(configured["processors"])
    if any(isinstance(one, JsonRenderer) for one in chain):
        return None
    last = chain[-1] if chain else None
    wrapping = structlog.stdlib.ProcessorFormatter.wrap_for_formatter
    factory = configured["logger_factory"]
    if isinstance(factory, structlog.stdlib.LoggerFactory):
        if last is wrapping or last in _HANDING_OVER:
            return None  # its events become records, which are read as events
        return (
            "structlog renders its events before it hands them to logging: put "
            "structlog.stdlib.ProcessorFormatter.wrap_for_formatter last in its "
            "processors"
        )
    if _output.before is not None:
        return (
            "structlog was configured by the application after ctxlog: call "
            "ctxlog.configure(loggers=['stdlib', 'structlog']) after that, or put "
            "ctxlog.loggers.structlog.JsonRenderer() last in its processors"
        )
    return (
        "structlog was configured by the application and is left alone: put "
        "ctxlog.loggers.structlog.JsonRenderer() last in its processors, or pass "
        "configure(loggers=['stdlib', 'structlog'])"
    )


# Call sites ---------------------------------------------------------------------


def _find_beyond_ours(find: Any, ignored: Any = None, /, **options: Any) -> Any:
    ignored = options.pop("additional_ignores", ignored)
    return find([*(ignored or ()), "ctxlog."], **options)


# structlog looks for the caller outside of itself; each of its modules has imported
# the function. There is no public way to name further modules for all processors.
_PATCHES = [
    Patch(module, "_find_first_app_frame_and_name", _find_beyond_ours)
    for module in (structlog.processors, structlog.stdlib)
    if hasattr(module, "_find_first_app_frame_and_name")
]


def show_callers() -> None:
    """
    Let structlog look for the caller of a log call beyond ctxlog's frames.

    For `CallsiteParameterAdder`, stacks and the names of loggers, in any chain. On with
    `configure()`; calling it again is a no-op.
    """
    for finder in _PATCHES:
        finder.install()


def hide_callers() -> None:
    """Undo `show_callers()`; without it, a no-op."""
    for finder in _PATCHES:
        finder.uninstall()


# The bridge ---------------------------------------------------------------------


def bridge() -> None:
    """
    Let what is bound through `structlog.contextvars` be on every logger's lines.

    Such fields win over the store's. On with `configure()`, also where the application
    has configured structlog by itself; calling it again is a no-op.
    """
    add_source(_bound_elsewhere)


def unbridge() -> None:
    """Leave them to structlog's own lines again; without a bridge, nothing."""
    remove_source(_bound_elsewhere)
