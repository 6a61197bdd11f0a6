"""
Bounded memory of names that come from outside. Core: standard library only.

Such names may come without end: a logger per connection, a header per request.
"""

from __future__ import annotations

from typing import Any, TypeVar

_K = TypeVar("_K")
_V = TypeVar("_V")

_MOST_PARTS, _MOST_CHARACTERS = 64, 1024


def remember(known: dict[_K, _V], key: _K, value: _V, most: int = 1024) -> None:
    """
    Keep *value* under *key*, unless the key is a long one.

    A dict that is full is emptied first.

    Args:
        known: The dict.
        key: A name, or a tuple of names. Keys of more than 64 names or 1,024
            characters are not kept.
        value: Not much longer than the key.
        most: How many entries *known* may have.

    Raises:
        TypeError: if *key* cannot be hashed.
    """
    kind = type(key)
    if kind is str and len(key) > _MOST_CHARACTERS:  # type: ignore[arg-type]
        return
    if kind is tuple and _is_long(key):  # type: ignore[arg-type]
        return
    if len(known) >= most:
        known.clear()
    known[key] = value


def _is_long(names: tuple[Any, ...]) -> bool:
    if len(names) > _MOST_PARTS:
        return True
    texts = (name for name in names if isinstance(name, str))
    return sum(map(len, texts)) > _MOST_CHARACTERS
