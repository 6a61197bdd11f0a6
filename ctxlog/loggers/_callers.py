"""
The caller of a log call: the first frame outside of loggers and ctxlog.

`ctxlog.run({}, logger.info, "x")` puts ctxlog's frames between a logger and the code
that logs, and the loggers take those for the caller. Private to `loggers/`.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import traceback
from types import FrameType
from typing import Any

from ctxlog._memory import remember
from ctxlog.line.event import Caller

_LOGGERS = ("logging", "loguru", "structlog")

#: The file of `logging`, as its code has it. `logging` knows it by the same function;
#: methods of loggers may be replaced.
LOGGING_FILE = logging.addLevelName.__code__.co_filename

#: The packages that run tasks and threads.
_RUNNERS = frozenset({"anyio", "asyncio", "concurrent", "threading", "trio", "uvloop"})


def _package(frame: FrameType) -> str:
    if frame.f_code.co_filename == LOGGING_FILE:  # also our methods of loggers
        return "logging"
    return str(frame.f_globals.get("__name__")).partition(".")[0]


def is_ours(module: object) -> bool:
    """Return whether a module, or a logger, with that name is ctxlog's."""
    return str(module).partition(".")[0] == "ctxlog"


def _beyond(frame: FrameType | None, *packages: str) -> FrameType | None:
    while frame is not None and _package(frame) in packages:
        frame = frame.f_back
    return frame


def passed_on(
    path: object, line: object, variable: str, direct: int
) -> FrameType | None:
    """
    Return the caller's frame if ctxlog has passed the log call on, else None.

    Args:
        path: The file of the caller that the logger has found.
        line: The line there.
        variable: The variable of the logger's method `_log` that counts how many frames
            to go up: `stacklevel` or `depth`.
        direct: Its value if no frame is skipped.
    """
    inner: FrameType | None = sys._getframe(1)
    while inner is not None and not (
        inner.f_code.co_name == "_log" and _package(inner) in _LOGGERS
    ):
        inner = inner.f_back
    outer = _beyond(inner, *_LOGGERS)
    if inner is None or outer is None:
        return None
    passed, seen = False, outer
    while seen.f_lineno != line or seen.f_code.co_filename != path:
        passed = passed or _package(seen) == "ctxlog"
        if seen.f_back is None:
            # structlog's asynchronous methods log in another thread.
            return None
        seen = seen.f_back
    if not passed and _package(seen) != "ctxlog":
        return None
    # Go up again, without counting ctxlog's frames.
    found = _beyond(outer, "ctxlog")
    steps = inner.f_locals.get(variable)
    for _ in range(steps - direct if isinstance(steps, int) else 0):
        found = _beyond(found and found.f_back, "ctxlog")
    return found


# Whether a module passes log calls on, by its name.
_passing: dict[object, bool] = {}


def beyond_loggers(frame: FrameType | None) -> FrameType | None:
    """Return the first frame outside of loggers and ctxlog, from a frame up."""
    while frame is not None:
        name = frame.f_globals.get("__name__")
        passes = _passing.get(name) if type(name) is str else False
        if passes is None:
            passes = _package(frame) in ("ctxlog", *_LOGGERS)
            remember(_passing, name, passes, 4096)
        if not passes:
            return frame
        frame = frame.f_back
    return None


def caller_at(frame: FrameType | None) -> Caller | None:
    """
    Return the caller that is found from a frame up.

    Return None if that only runs a task or a thread: structlog's asynchronous method is
    on its own there, and no frame shows its caller.
    """
    found = beyond_loggers(frame)
    if found is None or _package(found) in _RUNNERS:
        return None
    code = found.f_code
    return known_caller((code.co_filename, found.f_lineno, code.co_name))


# The callers that were seen, by their parts.
_callers: dict[tuple[Any, ...], Caller] = {}


def known_caller(place: tuple[Any, ...]) -> Caller | None:
    """
    Return the caller in a place; None if the file or the line is not known.

    Args:
        place: The file's path, the line and the function's name; of any types.
    """
    try:
        return _callers[place]
    except (KeyError, TypeError):  # unknown yet; a part that cannot be hashed
        path, line, function = place
    if type(path) is not str or type(line) is not int:
        return None
    if not path or not 0 < line < 2**31:
        return None
    caller = Caller(path, line, function if type(function) is str else None)
    remember(_callers, tuple(caller), caller, 4096)
    return caller


def awaiting_frame() -> FrameType | None:
    """
    Return the frame that awaits structlog's asynchronous method; None without.

    These methods log in another thread.
    """
    # There is no public way to ask for it.
    module = sys.modules.get("structlog.contextvars")
    stack: Any = getattr(module, "_ASYNC_CALLING_STACK", None)
    frame: FrameType | None = None if stack is None else stack.get(None)
    return frame


# Of records ---------------------------------------------------------------------

#: The logger of `logging.captureWarnings()`, and how its messages begin.
_WARNINGS, _WARNED = "py.warnings", re.compile("(.+?):([0-9]{1,9}): ")

# The callers of records, by their loggers and places.
_recorded: dict[tuple[Any, ...], Caller] = {}


def caller_of(record: logging.LogRecord) -> Caller | None:
    """
    Return the caller of a record. Never raises.

    Return None if nothing is known of it, or if it is ctxlog: of its own lines, such as
    that of a request's completion.
    """
    get = record.__dict__.get
    key = name, *place = get("name"), get("pathname"), get("lineno"), get("funcName")
    try:
        return _recorded[key]
    except (KeyError, TypeError):  # unknown yet; an attribute that cannot be hashed
        caller = known_caller(tuple(place))
    if type(name) is not str:  # a record that was unpickled may hold anything
        return caller
    if name == _WARNINGS:
        return _warned(record)
    if caller is None or is_ours(name):
        return None
    if caller.path.startswith(_folders()):
        return _on_stack(record)
    remember(_recorded, (name, *caller), caller, 4096)
    return caller


def _warned(record: logging.LogRecord) -> Caller | None:
    """Return where a warning comes from, which its text says: the caller shows it."""
    text = record.args[0] if type(record.args) is tuple and record.args else record.msg
    found = _WARNED.match(text[:4096]) if type(text) is str else None
    return None if found is None else Caller(found[1], int(found[2]))


def _folders() -> tuple[str, ...]:
    """Return where the files are that pass log calls on."""
    # Frozen programs have relative paths in their code, unlike in `__file__`.
    structlog: Any = sys.modules.get("structlog")
    wrapper = getattr(structlog, "wrap_logger", None)
    files = [
        os.path.dirname(is_ours.__code__.co_filename),
        getattr(getattr(wrapper, "__code__", None), "co_filename", ""),
    ]
    folders = filter(None, map(os.path.dirname, files))
    return tuple(os.path.join(folder, "") for folder in folders)


def _on_stack(record: logging.LogRecord) -> Caller | None:
    """
    Return the caller of a record that has a logger's frame for it.

    It is looked for on the stack, where the log call still is if no queue has come
    between.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and not (
        frame.f_code.co_name == "_log"
        and _package(frame) == "logging"
        and frame.f_locals.get("msg") is record.msg
    ):
        frame = frame.f_back
    if frame is None:
        return None
    steps = frame.f_locals.get("stacklevel")
    found = beyond_loggers(awaiting_frame() or frame)
    for _ in range(steps - 1 if isinstance(steps, int) else 0):
        found = beyond_loggers(found and found.f_back)
    return caller_at(found)


def call_stack() -> str:
    """Return the stack of the log call, as `logging` shows it."""
    frame = _beyond(sys._getframe(1), "ctxlog", *_LOGGERS)
    lines = traceback.format_stack(frame)
    return "".join(["Stack (most recent call last):\n", *lines]).rstrip("\n")
