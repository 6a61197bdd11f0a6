"""
Values that ctxlog keeps on objects of other libraries. Core.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

_T = TypeVar("_T")


class Kept(Generic[_T]):
    """
    A value on an object that error trackers and debuggers show, such as a WSGI environ.

    A store is a mapping of raw values, secrets among them, which those tools expand.
    This object shows the value's `repr()` only, which for a store is the names of its
    fields: it cannot be iterated, and no attribute of it holds the value.

    Args:
        value: The value.
    """

    __slots__ = ("_read",)

    def __init__(self, value: _T, /) -> None:
        # A closure, since walkers look into attributes but not into functions.
        def read() -> _T:
            return value

        self._read: Callable[[], _T] = read

    def take(self) -> _T:
        """Return the value."""
        return self._read()

    def __repr__(self) -> str:
        return repr(self._read())
