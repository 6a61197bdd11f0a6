"""
Messages: a format and its arguments, which may not fit. Private to `loggers/`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, TypeAlias

from ctxlog._interrupts import is_interrupt
from ctxlog._json import dumps
from ctxlog.line.redact import redactor
from ctxlog.line.values import Walk, safe_str, type_name

Problems: TypeAlias = tuple[str, ...]

# The types of most single arguments: none of them is a mapping.
NO_MAPPINGS = frozenset({str, int, float, bool, bytes, list, tuple, type(None)})


def message_of(record: logging.LogRecord, stock: bool) -> tuple[str, Problems]:
    """
    Return the formatted message, and what was wrong with its format.

    With `stock` as the standard library formats it, else as the record's class does.
    """
    try:
        if stock:
            return logging.LogRecord.getMessage(record), ()
        return record.getMessage(), ()
    except Exception as error:  # a third-party __str__, a wrong format
        if is_interrupt(error):
            raise
        return _unformatted(record.msg, record.args, error)


def format_arguments(template: object, args: tuple[Any, ...]) -> tuple[str, Problems]:
    """Return `template % args` as `logging` means it, and what was wrong with it."""
    try:
        if len(args) == 1 and type(args[0]) not in NO_MAPPINGS:
            args = only_mapping(args)
        return str(template) % args, ()
    except Exception as error:  # a third-party __str__, a wrong format
        if is_interrupt(error):
            raise
        return _unformatted(template, args, error)


def _unformatted(
    template: object, args: object, error: Exception
) -> tuple[str, Problems]:
    what = f"message not formatted: {type_name(error)}: {safe_str(error)}"
    if not args:
        return safe_str(template), (what,)
    listed = args if isinstance(args, tuple) else (args,)
    shown = ", ".join(_shown(arg) for arg in listed)
    return f"{safe_str(template)} [{shown}]", (what,)


def _shown(value: object) -> str:
    walk = Walk(redactor(None), 1024, 1024)
    plain = walk.value(value)
    return plain if isinstance(plain, str) else dumps(plain).decode()


def only_mapping(args: Any) -> Any:
    """Return a sole argument that is a mapping: the format's names are in there."""
    try:
        if isinstance(args[0], Mapping) and args[0]:
            return args[0]
    except Exception as error:  # a third-party __class__ or __bool__
        if is_interrupt(error):
            raise
    return args
