"""
Copies of containers in which nothing need be replaced: large values are mostly such.
"""

from __future__ import annotations

import math
from itertools import chain, islice
from typing import Any

from ctxlog._interrupts import is_interrupt
from ctxlog._json import FLAT_TYPES, dumps
from ctxlog.line.redact import Redactor

#: The types of containers that are looked into without asking them.
CONTAINERS = frozenset({dict, list, tuple})

_PLAIN_TYPES = CONTAINERS | FLAT_TYPES | {float}

# Why there is no copy: something may have to be replaced; there is more than fits.
_REPLACED, _TOO_LONG = "replaced", "too long"

# The fewest members for which a part of a container is tried.
_FEW = 32

# Bytes reserved for the mark of omitted members.
_SPARE = 64


class Copier:
    """
    Looks at all values of one depth at a time, without a step of Python for each.

    Args:
        redactor: Decides which values to hide.
        max_bytes: How many members it may look at in vain: the same value may be in a
            structure many times.
    """

    def __init__(self, redactor: Redactor, max_bytes: int) -> None:
        self._redactor = redactor
        self.looks = 0 if redactor.patterns else max_bytes

    def copy(
        self, value: Any, room: int, max_text: int, levels: int
    ) -> tuple[Any, int, bool] | None:
        """
        Return a copy, its size as JSON, and whether members were left out.

        Return None if values must be looked at one by one, to replace or cut some.

        Args:
            value: A dict, list or tuple.
            room: How many bytes the copy may have.
            max_text: How long a text may be.
            levels: How many levels of containers there may be.
        """
        if self.looks <= 0:
            return None
        length = len(value)
        most = min(max(room, 0) // 4 + 1, length)  # a member takes four bytes or more
        whole = self._taken(value, most, room, max_text, levels)
        while whole is _TOO_LONG and most // 4 >= _FEW:
            most //= 4
            whole = self._taken(value, most, room, max_text, levels)
        if whole is _TOO_LONG or whole is _REPLACED:
            return None
        try:
            size, number, part = len(dumps(whole)), len(whole), whole
            while size > room:
                # In proportion, which is right at once where members are alike.
                number = number * (room - _SPARE) // size
                if number < _FEW:
                    return None
                part = shallow_copy(whole, number)
                size = len(dumps(part))
        except (TypeError, ValueError) as error:  # a big integer, a lone surrogate
            if is_interrupt(error):
                raise
            return None
        # Not by the length of before: another thread may have removed members since.
        limited = most < length and len(whole) == most
        return part, size, limited or len(part) < len(whole)

    def _taken(
        self, value: Any, most: int, room: int, max_text: int, levels: int
    ) -> Any:
        """Return a copy with at most so many members, or why there is none."""
        whole = shallow_copy(value, most)
        level, looks = [whole], self.looks
        left = room // 2  # a member takes two bytes or more
        for _ in range(levels):
            count = sum(map(len, level))
            left -= count
            self.looks -= count
            if left < 0:
                return _TOO_LONG
            members = self._containers_in(level, room, max_text)
            if isinstance(members, str):
                return members
            if sum(len(member) for _, _, member in members) > left:
                return _TOO_LONG
            if not members:
                self.looks = looks
                return whole
            if self.looks < 0:
                break
            level = []
            for container, position, member in members:
                container[position] = copy = shallow_copy(member, left)
                level.append(copy)
        return _REPLACED

    def _containers_in(
        self, level: list[Any], room: int, max_text: int
    ) -> list[tuple[Any, Any, Any]] | str:
        """
        Look at the members of copied containers.

        Returns:
            The members that are containers: where they are, under what key, and
            themselves. Otherwise, why there is no copy.
        """
        dicts = [container for container in level if type(container) is dict]
        lists = [container for container in level if type(container) is list]
        if dicts and not self._redactor.shows_all(set(map(tuple, dicts))):
            return _REPLACED
        members = [
            *chain.from_iterable(map(dict.values, dicts)),
            *chain.from_iterable(lists),
        ]
        kinds = set(map(type, members))
        if not kinds <= _PLAIN_TYPES:
            return _REPLACED
        floats = (member for member in members if type(member) is float)
        if float in kinds and not math.isfinite(sum(floats)):
            return _REPLACED
        if str in kinds:
            pairs = {one[0] for one in lists if len(one) == 2 and type(one[0]) is str}
            if pairs and self._redactor.hides_any(pairs):
                return _REPLACED
            texts = [len(member) for member in members if type(member) is str]
            if sum(texts) > room or max(texts) > max_text:
                return _TOO_LONG
        if kinds.isdisjoint(CONTAINERS):
            return []
        return [
            (container, position, member)
            for container in level
            for position, member in (
                list(container.items())
                if type(container) is dict
                else enumerate(container)
            )
            if type(member) in CONTAINERS
        ]


def shallow_copy(container: Any, most: int) -> Any:
    """Return a copy with at most so many members; a tuple becomes a list."""
    if type(container) is dict:
        if len(container) <= most:
            return container.copy()
        return dict(islice(list(container.items()), most))
    return list(container[:most])
