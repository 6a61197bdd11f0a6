"""
Objects within objects as names with dots.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def flat(
    members: Mapping[str, Any], deepest: int, path: str = ""
) -> Iterator[tuple[str, Any]]:
    """
    Yield the members of an object with those of its objects: `a.b` for `b` within `a`.

    Args:
        members: The object.
        deepest: How many objects deep names are joined; deeper ones, and those without
            members, are values.
        path: What stands before each name.
    """
    for name, value in members.items():
        if isinstance(value, dict) and value and deepest:
            yield from flat(value, deepest - 1, f"{path}{name}.")
        else:
            yield f"{path}{name}", value
