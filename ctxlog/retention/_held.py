"""
Lines that wait: each as what is needed to write it later, and never of later values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, TypeAlias
from uuid import UUID

from ctxlog.context.adapter import View
from ctxlog.line.event import Encoder, Event, ExceptionParts
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

# What is taken beside the values, by measuring: by a line, by each value, by a pair of
# a name and a value, by a context, by an event.
_LINE, _VALUE, _PAIR, _VIEW, _EVENT = 320, 24, 48, 768, 128
_MAX_FIELDS = 262_144


def are_immutable(values: Iterable[Any]) -> bool:
    """Return whether none of some values can change. Never raises."""
    return all(type(value) in IMMUTABLE for value in values)


def size_of(
    message: str, values: Iterable[Any], fields: Mapping[Any, Any]
) -> int | None:
    """
    Return about how many bytes of memory a line takes that waits unformatted.

    Returns:
        The bytes, rather too many than too few; None if any of it can change.
    """
    # Asked for directly: `sys.getsizeof()` takes four times as long.
    size = _LINE + message.__sizeof__()
    for value in values:
        if type(value) not in IMMUTABLE:
            return None
        size += _VALUE + value.__sizeof__()
    if fields:
        size += fields.__sizeof__()
        for name, value in fields.items():
            if type(name) is not str or type(value) not in IMMUTABLE:
                return None
            size += _PAIR + value.__sizeof__()
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
    size += _LINE + _EVENT + _deep_size(fields)
    for part in (event.message, event.stack_info, *problems, *(error or ())):
        size += _deep_size(part)
    return size, (event.created, _made, writer, event, encoder)


def hold_plain(
    created: float,
    level: str,
    levelno: int,
    logger: str,
    message: str,
    view: View,
    fields: Mapping[Any, Any],
    encoder: Encoder,
    writer: Writer,
) -> tuple[int, Held]:
    """
    Return the same of an event without an exception, a stack or problems.

    Args:
        fields: Its fields, in a dict that nobody else has.
        encoder: Makes the line.
        writer: Writes it.
    """
    size = size_of(message, (), fields) if type(message) is str else None
    if size is None:
        event = Event(created, level, levelno, logger, message, view, fields)
        return hold_event(event, encoder, writer)
    view, more = frozen(view, encoder)
    line = (level, levelno, logger, message, view, fields)
    return size + more, (created, _made_of_plain, writer, encoder, *line)


def _made_of_plain(held: Held, more: dict[str, object]) -> bytes:
    created, _, _, encoder, level, levelno, logger, message, view, fields = held
    event = (created, level, levelno, logger, message, view, {**fields, **more})
    line: bytes = encoder.encode(Event(*event))
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

    The bytes are 0 if the line before has the same one.
    """
    lines: Any = view.lines
    latest: dict[Encoder, tuple[View, View]] = lines.latest
    known = latest.get(encoder)
    if known is not None and known[0] is view:
        return known[1], 0
    size = encoder.prepare(view)
    kept = view
    if size is None and not are_immutable(view.fields.values()):
        walk = Walk(get_redactor(), _MAX_FIELDS, _MAX_FIELDS)
        fields = walk.named(_items(view.fields))
        kept = View(fields, view.started, view.late, lines)
    latest[encoder] = view, kept
    return kept, _VIEW + (size or 0) + _deep_size(kept.fields)


def _deep_size(value: object) -> int:
    """Return about how many bytes a value takes, as far as it is a plain one."""
    kind = type(value)
    if kind in IMMUTABLE:
        return value.__sizeof__() + _VALUE
    if kind is dict:
        pairs: Any = value
        return value.__sizeof__() + sum(
            _PAIR + _deep_size(name) + _deep_size(member)
            for name, member in pairs.items()
        )
    if kind is list:
        members: Any = value
        return value.__sizeof__() + sum(map(_deep_size, members))
    return 0


class Queue:
    """
    The lines of one store that wait, the oldest first. Guarded by its user's lock.

    Its memory is given back when it is gone, even if its store was never closed.

    Args:
        pool: The memory of the process.
        limit: The most bytes.

    Attributes:
        lines: The lines, each with its size.
        size: How many bytes the lines take.
        room: How many bytes more there are without asking for them.
    """

    __slots__ = ("__weakref__", "_limit", "_loan", "_pool", "lines", "room", "size")

    def __init__(self, pool: Pool, limit: int) -> None:
        self._pool = pool
        self._loan = pool.lend(self)
        self._limit = limit
        # No deque, which takes 600 bytes of its own.
        self.lines: list[tuple[int, Held]] = []
        self.size = self.room = 0

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
        pool, loan = self._pool, self._loan
        chunk = pool.chunk
        while loan.chunks * chunk < needed:
            if (loan.chunks + 1) * chunk > pool.share(users) or not pool.add_to(loan):
                return False
        self.room = min(loan.chunks * chunk, self._limit) - self.size
        return True

    def put(self, size: int, line: Held) -> None:
        """Add a line that fits."""
        self.lines.append((size, line))
        self.size += size
        self.room -= size

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
            if not self.lines:
                return False, dropped
            freed, line = self.lines.pop(0)
            self.size -= freed
            self.room += freed
            dropped.append(line)
        return True, dropped
