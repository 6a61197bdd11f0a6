"""
Lines that wait: each as what is needed to write it later, and never of later values.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, TypeAlias
from uuid import UUID

from ctxlog.context.adapter import View
from ctxlog.line.event import Encoder, Event, ExceptionParts, Plain
from ctxlog.line.redactor import get_redactor
from ctxlog.line.values import Walk
from ctxlog.line.writer import Writer
from ctxlog.retention._pool import Pool

#: A line that waits: when it was logged, in seconds since the epoch, a function that
#: makes it, its writer, and what the function needs.
Held: TypeAlias = tuple[Any, ...]
#: What makes a line that waits, with further fields.
Make: TypeAlias = Callable[[Held, dict[str, object]], bytes]

#: Types whose values never change: such a value may be encoded later.
IMMUTABLE = frozenset(
    {
        *(str, int, float, bool, complex, bytes, type(None), Decimal, UUID),
        *(datetime, date, time, timedelta),
    }
)

# What a line takes beside its texts: the tuple, the time, its place among others.
_OVERHEAD = 256
_MAX_FIELDS = 262_144

_size_of = sys.getsizeof


def are_immutable(values: Any) -> bool:
    """Return whether none of some values can change. Never raises."""
    return all(type(value) in IMMUTABLE for value in values)


def size_of(message: str, values: Any, fields: Mapping[Any, Any]) -> int:
    """Return about how many bytes of memory a line takes that waits."""
    size = _OVERHEAD + _size_of(message)
    for value in values:
        size += _size_of(value)
    if fields:
        size += _size_of(fields)
        for value in fields.values():
            size += _size_of(value)
    return size


def hold_event(event: Event, encoder: Encoder, writer: Writer) -> tuple[int, Held]:
    """
    Return an event as a line that waits, and about how many bytes it takes.

    Args:
        event: The event; values that may change are made plain now.
        encoder: Makes the line.
        writer: Writes it.
    """
    fields, problems = event.fields, event.problems
    if type(fields) is not dict or not are_immutable(fields.values()):
        walk = Walk(get_redactor(), _MAX_FIELDS, _MAX_FIELDS)
        fields = walk.named(_items(fields))
        problems += tuple(walk.problems)
    error = event.error
    if isinstance(error, BaseException):
        # Its traceback has frames, whose variables would live as long as the line.
        error = ExceptionParts.of(error)
    view, size = frozen(event.view, encoder)
    event = event._replace(fields=fields, problems=problems, error=error, view=view)
    size += size_of(event.message, (error and error.stack, event.stack_info), {})
    if fields:
        size += _deep_size(fields)
    return size, (event.created, _made, writer, event, encoder)


def hold_plain(plain: Plain, encoder: Encoder, writer: Writer) -> tuple[int, Held]:
    """Return the same of an event without an exception, a stack or problems."""
    created, _, _, _, message, view, fields = plain
    if type(message) is not str or not are_immutable(fields.values()):
        return hold_event(Event(*plain), encoder, writer)
    view, size = frozen(view, encoder)
    size += size_of(message, (), fields)
    return size, (created, _made_of_plain, writer, plain, view, {**fields}, encoder)


def _made_of_plain(held: Held, more: dict[str, object]) -> bytes:
    plain, view, fields, encoder = held[3:]
    event = Event(*plain)._replace(view=view, fields={**fields, **more})
    line: bytes = encoder.encode(event)
    return line


def as_formatted(held: Held, more: dict[str, object]) -> bytes:
    """Return the line that a formatter of the application's has made."""
    line: bytes = held[3]
    return line


def _items(fields: Mapping[Any, Any]) -> list[tuple[Any, Any]]:
    return list(fields.items())


def _made(held: Held, more: dict[str, object]) -> bytes:
    event, encoder = held[3:]
    line: bytes = encoder.encode(event._replace(fields={**event.fields, **more}))
    return line


def frozen(view: View, encoder: Encoder) -> tuple[View, int]:
    """
    Return a view that a line can be made of later, and the bytes that it takes.

    The bytes are 0 if lines before it have it already.
    """
    known = view.encoded
    if known is not None and encoder in known:
        return view, 0
    size = encoder.prepare(view)
    if size is not None:
        return view, size
    if are_immutable(view.fields.values()):
        return view, 0
    walk = Walk(get_redactor(), _MAX_FIELDS, _MAX_FIELDS)
    fields = walk.named(_items(view.fields))
    return View(fields, view.started, view.late), _deep_size(fields)


def _deep_size(value: object) -> int:
    """Return about how many bytes a plain value takes."""
    size = _size_of(value)
    if type(value) is dict:
        size += sum(map(_deep_size, value.values()))
    elif type(value) is list:
        size += sum(map(_deep_size, value))
    return size


class Queue:
    """
    The lines of one store that wait, the oldest first. Guarded by its user's lock.

    Args:
        pool: The memory of the process.
        limit: The most bytes.

    Attributes:
        size: How many bytes the lines take.
    """

    __slots__ = ("_lines", "_limit", "_pool", "_taken", "size")

    def __init__(self, pool: Pool, limit: int) -> None:
        self._pool = pool
        self._limit = limit
        self._lines: deque[tuple[int, Held]] = deque()
        self._taken = 0
        self.size = 0

    def fits(self, size: int, users: int) -> bool:
        """
        Return whether a further line has room, and make sure that it has.

        Args:
            size: The bytes of the line.
            users: How many stores share the memory of the process.
        """
        needed = self.size + size
        if needed > self._limit:
            return False
        pool = self._pool
        chunk = pool.chunk
        while self._taken * chunk < needed:
            if (self._taken + 1) * chunk > pool.share(users) or not pool.take():
                return False
            self._taken += 1
        return True

    def put(self, size: int, line: Held) -> None:
        """Add a line that fits."""
        self._lines.append((size, line))
        self.size += size

    def make_room(self, size: int, users: int) -> tuple[bool, list[Held]]:
        """
        Drop the oldest lines until a further one fits.

        Returns:
            Whether it fits at all, and the lines that were dropped.
        """
        dropped: list[Held] = []
        if size > self._limit:
            return False, dropped
        while not self.fits(size, users):
            if not self._lines:
                return False, dropped
            freed, line = self._lines.popleft()
            self.size -= freed
            dropped.append(line)
        return True, dropped

    def drain(self) -> list[tuple[int, Held]]:
        """Return all lines, with their sizes, and have none."""
        lines = list(self._lines)
        self._lines.clear()
        self._pool.give_back(self._taken)
        self._taken = self.size = 0
        return lines

    def __len__(self) -> int:
        return len(self._lines)

    def __del__(self) -> None:
        # Of a store that nobody has closed.
        self._pool.give_back(self._taken)
