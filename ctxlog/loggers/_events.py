"""
The reader of structlog's event dicts, which structlog hands to our renderer or puts in
a record of `logging`. Private to `loggers/`.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from datetime import datetime, timezone
from typing import Any, TypeGuard

from ctxlog._interrupts import is_interrupt
from ctxlog._names import CASES, get_names
from ctxlog.line.event import Event, ExceptionParts
from ctxlog.line.values import safe_str
from ctxlog.loggers._messages import formatted, sole_mapping

LEVELS = {
    "debug": ("DEBUG", logging.DEBUG),
    "info": ("INFO", logging.INFO),
    "msg": ("INFO", logging.INFO),
    "warning": ("WARNING", logging.WARNING),
    "warn": ("WARNING", logging.WARNING),
    "error": ("ERROR", logging.ERROR),
    "exception": ("ERROR", logging.ERROR),
    "critical": ("CRITICAL", logging.CRITICAL),
    "fatal": ("CRITICAL", logging.CRITICAL),
}

#: structlog's own keys, and those that its processors add.
STRUCTLOGS = frozenset(
    {
        *("event", "exc_info", "exception", "level", "logger", "stack", "stack_info"),
        *("timestamp", "positional_args", "_record", "_from_structlog"),
    }
)
#: Keys that may not be fields: these, and the report of a message that did not fit.
KEYS = STRUCTLOGS.union(names.log_error for names in CASES.values())


def take_apart(event: Mapping[str, Any], known: Event, slack: float = 60) -> Event:
    """
    Take an event dict apart, whatever processors have made of it. Never raises.

    Args:
        event: The event dict; it stays as it is.
        known: The time, level, logger and context; the event dict may name another
            level and logger.
        slack: How many seconds a time stamp may be off to be that of the event.
    """
    own = dict(event)
    restore_name(own)
    message: Any = own.pop("event", "")
    if isinstance(message, dict):
        # As on a record of stdlib logging: the event's fields.
        message, own = "", {**message, **own}
    logger = own.get("logger")
    if logger is None or isinstance(logger, str):
        own.pop("logger", None)
    else:
        logger = None
    level = _named_level(own, known.level) or (known.level, known.levelno)
    found = own.pop(get_names().log_error, None)
    problems: tuple[str, ...] = () if found is None else (safe_str(found),)
    if isinstance(own.get("positional_args"), tuple):
        message, wrong = formatted(message, sole_mapping(own.pop("positional_args")))
        problems += wrong
    if _is_stamp_of_time(own.get("timestamp"), known.created, slack):
        del own["timestamp"]
    own.pop("stack_info", None)
    error, stack = _error(own), _stack(own)
    if not isinstance(message, str):
        message = safe_str(message)
    return Event(
        *(known.created, *level, logger or known.logger, message, known.view),
        *(own, error, stack, problems),
    )


def restore_name(event: MutableMapping[str, Any]) -> None:
    """Call the message `event` again, where `EventRenamer` has renamed it."""
    if "event" in event:
        return
    for name in ("message", "msg"):
        if name in event:
            event["event"] = event.pop(name)
            return


def level_of(name: object) -> tuple[str, int]:
    """Return the level of a logger's method, or of a level's name."""
    known = LEVELS.get(name) if isinstance(name, str) else None
    if known is not None:
        return known
    shown = safe_str(name)
    for named in (shown.upper(), shown):
        number = logging.getLevelName(named)
        if isinstance(number, int):
            return named, number
    word, _, number = shown.partition(" ")
    if word.lower() == "level" and number.isdigit():  # a level without a name
        return f"Level {number}", int(number)
    return shown.upper(), logging.INFO


def error_in(event: Mapping[str, Any]) -> BaseException | None:
    """Return the exception of an event dict, unless it is rendered already."""
    info = event.get("exc_info")
    error = error_of(info)
    if error is None and not _is_exc_info(info) and is_true(info):
        return sys.exc_info()[1]
    return error


def error_of(info: object) -> BaseException | None:
    """Return the exception of what `logging` has as a record's `exc_info`."""
    error = info[1] if _is_exc_info(info) else info
    return error if isinstance(error, BaseException) else None


def _is_exc_info(info: object) -> TypeGuard[tuple[object, object, object]]:
    """Return whether *info* has the shape of `sys.exc_info()`."""
    return isinstance(info, tuple) and len(info) == 3


def _named_level(own: dict[str, Any], level: str) -> tuple[str, int] | None:
    """Take the level of `add_log_level` out of the fields; another value is a field."""
    named = own.get("level")
    if not isinstance(named, str):
        return None
    known = LEVELS.get(named) or LEVELS.get(named.lower())
    if known is None and named.lower() != level.lower():
        return None
    del own["level"]
    return known


def _is_stamp_of_time(value: object, now: float, slack: float) -> bool:
    """Return whether *value* is the time of a `TimeStamper`: just now."""
    if isinstance(value, str):
        try:
            read = _read_time(value)
            values = [read.timestamp()]
            if read.tzinfo is None:  # local time, or UTC
                values.append(read.replace(tzinfo=timezone.utc).timestamp())
        except (ValueError, OverflowError, OSError) as error:
            if is_interrupt(error):
                raise
            return False
        return any(now - slack < one < now + slack for one in values)
    # Compared, not subtracted: an integer may be too large for a float.
    return isinstance(value, (int, float)) and now - slack < value < now + slack


def _read_time(text: str) -> datetime:
    if _ISO.match(text):
        return datetime.fromisoformat(text.replace("Z", "+00:00"))
    # Any format from years down to seconds.
    return datetime.strptime(_NO_DIGITS.sub("", text)[:14], "%Y%m%d%H%M%S")


_ISO = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d")
_NO_DIGITS = re.compile("[^0-9]+")


def _error(own: dict[str, Any]) -> ExceptionParts | BaseException | None:
    """Take the exception out of the fields; it may be rendered already."""
    error = error_in(own)
    own.pop("exc_info", None)
    if error is not None:
        return error
    rendered = _rendered(own.get("exception"))
    if rendered is None:
        return None
    del own["exception"]
    # Only its text is left, but mostly the exception is still being handled.
    error = sys.exc_info()[1]
    last = rendered.stack.rpartition("\n")[2]
    if error is not None and type(error).__name__ in last:
        return error
    return rendered


def _rendered(exception: object) -> ExceptionParts | None:
    """Read the exception that `format_exc_info` or `dict_tracebacks` has rendered."""
    if isinstance(exception, str):
        return ExceptionParts("", "", exception.rstrip("\n"))
    if not isinstance(exception, list) or not exception:
        return None
    texts = []
    for trace in reversed(exception):
        if not isinstance(trace, dict) or "exc_type" not in trace:
            return None
        texts.append(_stack_of_trace(trace))
        texts.append(_CAUSE if trace.get("is_cause") else _CONTEXT)
    first = exception[0]
    kind, value = (safe_str(first.get(name)) for name in ("exc_type", "exc_value"))
    return ExceptionParts(kind, value, "\n\n".join(texts[:-1]))


_CAUSE = "The above exception was the direct cause of the following exception:"
_CONTEXT = "During handling of the above exception, another exception occurred:"


def _stack_of_trace(trace: dict[str, Any]) -> str:
    """Return the text of one traceback of `dict_tracebacks`, without its variables."""
    frames = trace.get("frames")
    lines = ["Traceback (most recent call last):"]
    for frame in frames if isinstance(frames, list) else ():
        if isinstance(frame, dict):
            names = ("filename", "lineno", "name")
            file, line, name = (safe_str(frame.get(key)) for key in names)
            lines.append(f'  File "{file}", line {line}, in {name}')
    what = f"{safe_str(trace['exc_type'])}: {safe_str(trace.get('exc_value'))}"
    return "\n".join([*lines, what])


def is_true(value: object) -> bool:
    """Return whether *value* counts as true. Never raises."""
    try:
        return bool(value)
    except Exception as error:
        # A third-party __bool__ may raise anything: such a value does not.
        if is_interrupt(error):
            raise
        return False


def _stack(own: dict[str, Any]) -> str | None:
    stack = own.get("stack")
    if isinstance(stack, str) and stack.startswith("Stack (most recent call last)"):
        del own["stack"]
        return stack
    return None
