"""
Messages: a template and its arguments, which may not fit. Private to `loggers/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from ctxlog._interrupts import is_interrupt
from ctxlog._json import dumps
from ctxlog.line.redactor import get_redactor
from ctxlog.line.values import Walk, safe_str, type_name

Problems: TypeAlias = tuple[str, ...]

#: The types of most single arguments: none of them is a mapping.
NO_MAPPINGS = frozenset({str, int, float, bool, bytes, list, tuple, type(None)})


def formatted(template: object, args: Any) -> tuple[str, Problems]:
    """
    Return `template % args`, and what was wrong with it. Never raises.

    Args:
        template: The message of a log call.
        args: A tuple of arguments, or a mapping; the template stays without any.
    """
    try:
        message = str(template)
        return (message % args if args else message), ()
    except Exception as error:
        # A third-party __str__ may raise anything, and a template may not fit its
        # arguments: the message shows both.
        if is_interrupt(error):
            raise
        return unformatted(template, args, error)


def unformatted(
    template: object, args: object, error: Exception
) -> tuple[str, Problems]:
    """Return a message that shows the arguments behind the template."""
    problem = f"message not formatted: {type_name(error)}: {safe_str(error)}"
    if not args:
        return safe_str(template), (problem,)
    listed = args if isinstance(args, tuple) else (args,)
    shown = ", ".join(_shown(arg) for arg in listed)
    return f"{safe_str(template)} [{shown}]", (problem,)


def _shown(value: object) -> str:
    plain = Walk(get_redactor(), 1024, 1024).value(value)
    return plain if isinstance(plain, str) else dumps(plain).decode()


def sole_mapping(args: tuple[Any, ...]) -> Any:
    """Return the only argument if it is a mapping, as `logging` does, else *args*."""
    if len(args) != 1 or type(args[0]) in NO_MAPPINGS:
        return args
    try:
        if isinstance(args[0], Mapping) and args[0]:
            return args[0]
    except Exception as error:
        # A third-party __class__ or __bool__ may raise anything: it is an argument.
        if is_interrupt(error):
            raise
    return args
