"""
What becomes of a line: a probe is sent along the handlers of each logger.

The way is that of `Logger.callHandlers`, up to the formatter of each handler: filters
and formatters are the application's own, and nothing is written.
"""

from __future__ import annotations

import contextvars
import copy
import json
import logging
import sys
from collections.abc import Container, Iterator
from functools import cache
from typing import Any, NamedTuple

from ctxlog._names import SELF_CONFIGURED_LOGGERS, get_names
from ctxlog.config import state
from ctxlog.context import run
from ctxlog.doctor.findings import Finding, Step
from ctxlog.line.writer import is_console
from ctxlog.loggers.stdlib import JsonFormatter, LineHandler

_PROBE = "ctxlog-doctor-probe"
_LEVELS = (10, 20, 30, 40, 50)
_CONSOLE = "the console"


class Passed(NamedTuple):
    """
    A handler that a line would be written by.

    Attributes:
        owner: The logger that has the handler, or the one that hands on to it.
        top: The handler of that logger.
        leaf: The handler that writes: *top*, or one within it.
        place: Where it writes: the console, or a file.
        stamped: Whether the line shows the request's id.
        why: Why there is no line, if formatting it raises.
    """

    owner: logging.Logger
    top: logging.Handler
    leaf: logging.Handler
    place: str
    stamped: bool
    why: str | None


def examine(file: str | None, own: Container[str]) -> Iterator[Finding]:
    """
    Yield what becomes of the lines of all loggers of `logging`.

    Args:
        file: The file of the application, for what is to be written.
        own: The names of the application's packages, and of its modules outside of one.
    """
    state.take_late_handlers()
    _leaves.cache_clear()
    configured = state.settings() is not None
    bare: dict[tuple[int, str], Passed] = {}
    doubled: dict[frozenset[int], tuple[logging.Logger, list[Passed]]] = {}
    heads = list(_heads())
    for logger in heads:
        for level in _LEVELS:
            passed = _probed(logger, level)
            for one in passed:
                if not one.stamped:
                    bare.setdefault(_key(one), one)
            for place in {one.place for one in passed}:
                same = [one for one in passed if one.place == place]
                if len(same) > 1:
                    key = frozenset(id(one.leaf) for one in same)
                    doubled.setdefault(key, (logger, same))
    found = [
        *(_unstamped(one, file, configured) for one in bare.values()),
        *(_doubled(*one, file) for one in doubled.values()),
        *(_unhandled(one, file, own) for one in heads if _is_cut_off(one)),
    ]
    yield from found
    todo = any(one.kind == "todo" for one in found)
    if not todo and (configured or logging.root.handlers):
        yield Finding(
            "ok", f"every line of logging is stamped, and comes out once ({_count()})"
        )


def _key(one: Passed) -> tuple[int, str]:
    """Return what tells two remedies apart: that of a file is the handler's alone."""
    return id(one.leaf), one.owner.name if one.place == _CONSOLE else ""


def _heads() -> Iterator[logging.Logger]:
    """Yield the loggers whose lines go other ways than those of the one above."""
    yield logging.getLogger()
    for logger in list(logging.root.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger) and not logger.disabled:
            if logger.handlers or not logger.propagate or logger.filters:
                yield logger


def _count() -> str:
    known = logging.root.manager.loggerDict.values()
    number = 1 + sum(isinstance(one, logging.Logger) for one in known)
    return f"{number} loggers"


def shows_id(logger: logging.Logger) -> bool:
    """Return whether a handler shows the id of the request on a logger's warnings."""
    return any(one.stamped for one in _probed(logger, logging.WARNING))


# The probe ------------------------------------------------------------------------


def _probed(logger: logging.Logger, level: int) -> list[Passed]:
    """Return the handlers that would write a line of a level, in a request."""
    return run({get_names().request_id: _PROBE}, _passed, logger, level)


def _passed(logger: logging.Logger, level: int) -> list[Passed]:
    if not logger.isEnabledFor(level):
        return []
    record = logger.makeRecord(logger.name, level, __file__, 1, "%s", ("probe",), None)
    logger.filter(record)  # for what it sets: one that drops lines may pass others
    found: list[Passed] = []
    owner: logging.Logger | None = logger
    while owner is not None:
        for handler in owner.handlers:
            found += _written(owner, handler, record)
        owner = owner.parent if owner.propagate else None
    return found


def _written(
    owner: logging.Logger, top: logging.Handler, record: logging.LogRecord
) -> Iterator[Passed]:
    for leaf, later in _leaves(top):
        place = _place(leaf)
        if place is None:
            continue
        one = _taken(top, copy.copy(record))
        if one is not None and leaf is not top:
            one = _taken(leaf, one)
        if one is None:
            continue
        context = contextvars.Context() if later else contextvars.copy_context()
        text, why = context.run(_formatted, leaf, one)
        yield Passed(owner, top, leaf, place, _PROBE in text, why)


@cache
def _leaves(handler: logging.Handler) -> tuple[tuple[logging.Handler, bool], ...]:
    return tuple(state.leaves(handler))


def _taken(
    handler: logging.Handler, record: logging.LogRecord
) -> logging.LogRecord | None:
    """Return the record that a handler goes on with; None if it takes none."""
    if record.levelno < handler.level:
        return None
    passed: Any = handler.filter(record)
    if isinstance(passed, logging.LogRecord):  # Python 3.12 and later
        return passed
    return record if passed else None


def _formatted(
    handler: logging.Handler, record: logging.LogRecord
) -> tuple[str, str | None]:
    try:
        if isinstance(handler, LineHandler) and handler.formatter is None:
            return JsonFormatter().format(record), None
        return handler.format(record), None
    except Exception as error:  # a formatter of the application may raise anything
        return "", f"its formatter raises {type(error).__name__}: {error}"


def _place(handler: logging.Handler) -> str | None:
    """Return where a handler writes lines of text; None if it does something else."""
    file = getattr(handler, "baseFilename", None)
    if isinstance(file, str):
        return file
    if state.console_of(handler) is not None:
        # One that feeds loguru is loguru's matter.
        return _CONSOLE if _is_printer(handler) else None
    if isinstance(handler, LineHandler):
        return f"the places of {handler!r}"
    stream = getattr(handler, "stream", None)
    return None if stream is None else str(getattr(stream, "name", repr(stream)))


def _is_printer(handler: logging.Handler) -> bool:
    streams: tuple[Any, ...] = (
        getattr(handler, "stream", None),
        getattr(getattr(handler, "console", None), "file", None),
    )
    return any(map(is_console, streams))


# What is said of it ---------------------------------------------------------------


def _named(logger: logging.Logger) -> str:
    return "the root logger" if logger.name == "root" else f"logger {logger.name!r}"


def _getter(logger: logging.Logger) -> str:
    name = "" if logger.name == "root" else _quoted(logger.name)
    return f"logging.getLogger({name})"


def _is_cut_off(logger: logging.Logger) -> bool:
    """Return whether no handler gets the lines of a logger that hands nothing on."""
    if logger.name == "root" or logger.propagate:
        return False
    return not logger.handlers and not logger.disabled


def _unhandled(
    logger: logging.Logger, file: str | None, own: Container[str]
) -> Finding:
    package = logger.name.partition(".")[0]
    servers = {name.partition(".")[0] for name in SELF_CONFIGURED_LOGGERS}
    # A library may mute a logger of its own, since its lines are many or confidential.
    is_muted = package in sys.modules and package not in own and package not in servers
    place = f"in {file}, " if file else ""
    lines = ("import logging", "", f"{_getter(logger)}.propagate = True")
    return Finding(
        "note" if is_muted else "todo",
        f"{_named(logger)} has no handler, and does not propagate",
        None,
        "its warnings are printed without anything but the message, the rest is lost",
        None,
        Step(lines, f"{place}where the loggers have been set up", "end", file),
    )


def _unstamped(one: Passed, file: str | None, configured: bool) -> Finding:
    kind = type(one.leaf).__name__
    what = f"lines of {_named(one.owner)} come out without their request's id"
    where = f"its {kind}, to {one.place}"
    if one.leaf is not one.top:
        where = f"its {type(one.top).__name__}, whose {kind} writes to {one.place}"
    return Finding("todo", what, where, one.why, *_remedy(one, file, configured))


def _remedy(
    one: Passed, file: str | None, configured: bool
) -> tuple[dict[str, object] | None, Step | None]:
    if one.place == _CONSOLE:
        return _replacing(one.owner), None
    # A file: the handler may stay, with a formatter of ctxlog's.
    set_formatter = "handler.setFormatter(ctxlog.JsonFormatter())"
    lines: tuple[str, ...] = (set_formatter,)
    where = f"where the {type(one.leaf).__name__} is made, which is `handler` here"
    if one.leaf is one.top:
        lines = _for_handlers(one, set_formatter)
        where = "where the handlers have been set up"
    place = f"in {file}, {where}" if file else where
    step = Step(("import logging", "import ctxlog", "", *lines), place, "end", file)
    # What formats later needs the stamp of the record factory.
    return (None if configured or one.leaf is one.top else {}), step


def _for_handlers(one: Passed, statement: str) -> tuple[str, ...]:
    """Return code that does something with the handlers of a logger of one kind."""
    kind = type(one.leaf)
    return (
        f"for handler in {_getter(one.owner)}.handlers[:]:",
        f"    if type(handler).__name__ == {_quoted(kind.__name__)}:",
        f"        {statement}",
    )


def _quoted(text: str) -> str:
    return json.dumps(text)


def _replacing(owner: logging.Logger) -> dict[str, object]:
    """Return the options of `configure()` that replace a logger's console handlers."""
    if owner.name == "root" or owner.name in SELF_CONFIGURED_LOGGERS:
        return {}
    return {"replace_console_handlers": "all"}


def _doubled(logger: logging.Logger, same: list[Passed], file: str | None) -> Finding:
    by = " and ".join(
        f"{type(one.leaf).__name__} of {_named(one.owner)}" for one in same
    )
    times = {2: "twice", 3: "three times"}.get(len(same), f"{len(same)} times")
    what = f"each line of {_named(logger)} comes out {times} on {same[0].place}"
    # ctxlog's handler of the root logger serves all loggers: another one is too many.
    others = [one for one in same if not isinstance(one.leaf, LineHandler)]
    extra = (others or same)[0]
    if same[0].place == _CONSOLE:
        return Finding("todo", what, by, None, _replacing(extra.owner))
    where = "where the handlers have been set up, or leave that handler out"
    remove = f"{_getter(extra.owner)}.removeHandler(handler)"
    step = Step(
        ("import logging", "", *_for_handlers(extra, remove)),
        f"in {file}, {where}" if file else where,
        "end",
        file,
    )
    return Finding("todo", what, by, None, None, step)
