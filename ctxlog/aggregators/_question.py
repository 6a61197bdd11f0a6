"""
What every store of lines can be asked. Private to `aggregators/`, which exports it.
"""

from __future__ import annotations

import hashlib
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

#: The field beside a line's own ones in which a store that takes objects apart keeps
#: the line as it was written, without its newline.
LINE_FIELD = "_line"

#: How a field's value is to relate to the values of a condition. Printed as text, it
#: is one of them, begins with one of them, has one of them in it, or is a whole number
#: from the first to the second of them.
Operator: TypeAlias = Literal["in", "begins", "contains", "between"]

Order: TypeAlias = Literal["any", "oldest", "newest"]


@dataclass(frozen=True)
class Condition:
    """
    What must hold for a field of a line.

    Attributes:
        field: What the field means: `request`, `user`, `status`, `level`, `path`, or
            `text`, which is the whole line; for any other field its name.
        operator: How the value relates to `values`.
        values: The values, as texts; between them the relation holds for any of them.
        names: The names under which the field may stand in a store of lines of several
            schemas; it is enough that the condition holds under one of them. A dot
            divides the names of members, or is a part of a name. Empty for `text`.
    """

    field: str
    operator: Operator
    values: tuple[str, ...]
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Question:
    """
    Which lines are asked for.

    Attributes:
        conditions: All that must hold for a line.
        since: The least time, in seconds since the epoch; None for any.
        until: The greatest time; None for any.
        limit: The most lines; None for all.
        order: Which lines come first, and are had if there is a limit; `any` spares
            the store to sort all of them.
    """

    conditions: tuple[Condition, ...] = ()
    since: float | None = None
    until: float | None = None
    limit: int | None = None
    order: Order = "any"


class Reader(ABC):
    """
    The reading side of a store. One thread uses it at a time.

    Attributes:
        name: What errors call it: its address without credentials.
        pause: The seconds between two looks of `follow()`.
        late: The seconds within which a line that was written becomes searchable.
        as_written: Whether all lines come, and one below the other as they were
            written: a line that is no JSON belongs to the one above it.
    """

    name: str
    pause: float = 1.0
    late: float = 10.0
    as_written: bool = False

    @abstractmethod
    def lines(self, question: Question) -> Iterator[bytes]:
        """
        Yield the lines that are asked for, each with its newline.

        They are as they were written where the store has kept them so, else rebuilt
        from what it has kept. They are fetched in pages: memory does not grow with
        their number.

        There may be more lines than those for which the conditions hold: a store that
        can answer a condition only roughly, or not at all, leaves the rest to the
        caller. There must never be fewer, unless `limit` says so.

        Raises:
            UnavailableError: if the store does not answer.
            RefusedError: if it refuses the question, or the credentials.
        """

    @abstractmethod
    def explain(self, question: Question) -> str:
        """
        Return the query that `lines()` would send, to be read; without credentials.

        Nothing is sent.
        """

    def follow(self, question: Question, *, from_start: bool = False) -> Cursor:
        """
        Return a cursor that reads the lines as they come.

        Args:
            question: Which lines; `until`, `limit` and `order` do not count.
            from_start: Whether to begin with what the store has by now.
        """
        return _Polling(self, question, from_start=from_start)

    def close(self) -> None:
        """Close connections; the next question opens them again."""
        return  # a store may have none


class Cursor(ABC):
    """A place in a store that grows."""

    @abstractmethod
    def read(self) -> Iterator[bytes]:
        """
        Yield the lines that have come since the last time, maybe none.

        It waits for no more of them: the caller reads again after the reader's `pause`.

        Raises:
            UnavailableError: if the store does not answer; the next read goes on from
                here.
            RefusedError: if it refuses the question, or the credentials.
        """

    def close(self) -> None:
        """Give back what it holds."""
        return  # most hold nothing


class _Polling(Cursor):
    """
    Polls a store that has no cursor of its own.

    Lines become searchable in any order within some seconds: each time, the last ones
    are asked for again, and those that are known by now are passed over.
    """

    def __init__(self, reader: Reader, question: Question, *, from_start: bool) -> None:
        self._reader = reader
        self._question = replace(question, until=None, limit=None, order="oldest")
        self._known: dict[bytes, int] = {}
        self._since = time.time() - reader.late
        self._first, self._from_start = True, from_start

    def read(self) -> Iterator[bytes]:
        """Yield the lines that are new."""
        passed_over = self._first and not self._from_start
        if self._first and self._from_start:
            yield from self._reader.lines(replace(self._question, until=self._since))
        self._first = False
        begun, since = time.time(), max(self._question.since or 0.0, self._since)
        found: dict[bytes, int] = {}
        try:
            for line in self._reader.lines(replace(self._question, since=since)):
                key = hashlib.blake2b(line, digest_size=16).digest()
                found[key] = found.get(key, 0) + 1
                if found[key] > self._known.get(key, 0) and not passed_over:
                    yield line
        except BaseException:  # the next time begins where this one did
            for key, number in self._known.items():
                found[key] = max(number, found.get(key, 0))
            self._known, self._first = found, passed_over
            raise
        self._known, self._since = found, begun - self._reader.late
