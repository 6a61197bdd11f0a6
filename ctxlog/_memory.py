"""
What may be kept of names that come from outside. Core: standard library only.
"""

from __future__ import annotations

from typing import Any, TypeVar

_K = TypeVar("_K")
_V = TypeVar("_V")

# Parts of a key, and characters of all of them together.
_PARTS, _LONGEST = 64, 1024


def remember(known: dict[_K, _V], key: _K, value: _V, most: int = 1024) -> None:
    """
    Keep `value` under `key`, in bounded memory.

    Names may come from outside without end: a logger per connection, a header per
    request. A key of over 1,024 characters, or 64 parts, is not
    kept, and a dict that is full is
    emptied first.

    Args:
        known: Where to keep it.
        key: A name, or a tuple of names.
        value: What is known of it; not longer than the key by much.
        most: How many entries *known* may have.

    Raises:
        TypeError: If *key* cannot be hashed.
    """
    kind = type(key)
    if kind is str and len(key) > _LONGEST:  # type: ignore[arg-type]
        return
    if kind is tuple and _is_long(key):  # type: ignore[arg-type]
        return
    if len(known) >= most:
        known.clear()
    known[key] = value


def _is_long(key: tuple[Any, ...]) -> bool:
    if len(key) > _PARTS:
        return True
    return sum(len(part) for part in key if isinstance(part, str)) > _LONGEST
