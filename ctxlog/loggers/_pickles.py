"""
Values that may not pickle. Private to `loggers/`.
"""

from __future__ import annotations

import pickle
from typing import Any

from ctxlog._interrupts import is_interrupt
from ctxlog.line.redactor import get_redactor
from ctxlog.line.values import Walk


class Packed:
    """
    A value in a pickle, which comes out as itself, or as another if it cannot.

    Args:
        value: The value.
        instead: The value that comes out if *value* does not pickle.
    """

    def __init__(self, value: object, instead: object) -> None:
        self._value = value
        self._instead = instead

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpacked, (_pickled(self._value), self._instead)


def pickles(value: object) -> bool:
    """Return whether *value* pickles and unpickles."""
    nothing = object()
    return _unpacked(_pickled(value), nothing) is not nothing


def plain(value: object) -> Any:
    """Return *value* as a line shows it."""
    return Walk(get_redactor(), 262_144, 262_144).value(value)


def _pickled(value: object) -> bytes:
    try:
        return pickle.dumps(value)
    except Exception as error:
        # A third-party __reduce__ may raise anything: the value does not pickle.
        if is_interrupt(error):
            raise
        return b""


def _unpacked(pickled: bytes, instead: Any) -> Any:
    try:
        return pickle.loads(pickled)
    except Exception as error:
        # A third-party __setstate__ may raise anything; the value's class may not be in
        # this process, and nothing may have been pickled.
        if is_interrupt(error):
            raise
        return instead
