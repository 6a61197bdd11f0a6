"""
Lines of the default schema, written anew in another one.

So an application keeps the lines that people read, and a store gets the keys that it
knows. What the schema would have written at once is what comes out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from ctxlog._json import loads
from ctxlog._names import ALIASES, CAMEL, PLACEHOLDERS, SNAKE, Names
from ctxlog.context.adapter import View
from ctxlog.line.encoder import LineEncoder
from ctxlog.line.event import Caller, Event, ExceptionParts
from ctxlog.line.redact import Redactor
from ctxlog.line.schema import get_schema

#: Nothing is cut that was not cut when it was logged: keys only become longer.
_LONGEST = 4 << 20

_NUMBERS = {
    "TRACE": 5,
    "DEBUG": 10,
    "INFO": 20,
    "SUCCESS": 25,
    "WARNING": 30,
    "ERROR": 40,
    "CRITICAL": 50,
}


def converter(schema: str) -> Callable[[bytes], bytes]:
    """
    Return what writes a line in a schema; a line of another origin stays as it is.

    Args:
        schema: The name of the schema, as `configure(schema=...)` takes it.

    Raises:
        ConfigError: if there is none of that name.
    """
    encoders = {
        names.case: LineEncoder(
            get_schema(schema),
            redactor=Redactor(keys=()),  # that was done when the line was made
            max_line_bytes=_LONGEST,
            case=names.case,
            request_id_key=names.request_id,
            caller=True,
        )
        for names in (CAMEL, SNAKE)
    }

    def convert(line: bytes) -> bytes:
        try:
            members = loads(line)
            if not isinstance(members, dict):
                return line
            names = SNAKE if SNAKE.request_id in members else CAMEL
            return encoders[names.case].encode(_event(members, names))
        except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError):
            return line

    return convert


def _event(members: dict[str, Any], names: Names) -> Event:
    """Return the event that a line is of. Raises what its absent members raise."""
    created = _seconds(members.pop("timestamp"))
    level, message = members.pop("level"), members.pop("message")
    logger = members.pop("logger")
    if not all(isinstance(text, str) for text in (level, message, logger)):
        raise TypeError("no line of ctxlog's")
    key = next((key for key in (names.request_id, *ALIASES) if key in members), None)
    request_id = None if key is None else members.pop(key)
    error = _exception(members)
    caller = _caller(members)
    stack_info = _text(members, names.stack_info)
    problem = _text(members, names.log_error)
    # The context stands before the time since the request began, the call after it.
    context, own = _divided(members, names.elapsed)
    started = None
    if names.elapsed in members:
        started = round((created - members[names.elapsed] / 1000) * 1e6) * 1000
    late = own.pop("late", False) is True
    if request_id not in (None, *PLACEHOLDERS):
        context = {names.request_id: request_id, **context}
    return Event(
        created,
        level,
        _NUMBERS.get(level, 20),
        logger,
        message,
        View(context, started, late),
        own,
        error,
        stack_info,
        (problem,) if problem else (),
        caller,
    )


def _divided(
    members: Mapping[str, Any], elapsed: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    pairs = list(members.items())
    place = list(members).index(elapsed) if elapsed in members else -1
    return dict(pairs[: max(place, 0)]), dict(pairs[place + 1 :])


def _seconds(text: object) -> float:
    """Return a time as ctxlog writes it, which is UTC, as seconds since the epoch."""
    if not isinstance(text, str) or not text.endswith("Z"):
        raise ValueError(text)
    return datetime.fromisoformat(text[:-1] + "+00:00").timestamp()


def _text(members: dict[str, Any], key: str) -> str | None:
    found = members.get(key)
    return str(members.pop(key)) if isinstance(found, str) else None


def _exception(members: dict[str, Any]) -> ExceptionParts | None:
    found = members.get("exception")
    if not isinstance(found, dict) or found.keys() != {"type", "message", "stack"}:
        return None
    del members["exception"]
    return ExceptionParts(**found)


def _caller(members: dict[str, Any]) -> Caller | None:
    found = members.get("caller")
    if not isinstance(found, dict) or not found.keys() >= {"file", "line"}:
        return None
    del members["caller"]
    return Caller(found["file"], found["line"], found.get("function"))
