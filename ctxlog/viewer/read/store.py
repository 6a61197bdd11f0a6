"""
Stores of lines, beside files: what they answer, and what comes later.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from ctxlog import aggregators
from ctxlog.aggregators import Cursor, Question, RefusedError, UnavailableError
from ctxlog.viewer.read.source import Hit, Source

#: The exceptions of asking a store.
FAILED = (UnavailableError, RefusedError)

_AT_ONCE = 1000
_PREFIX = 400


class Store:
    """
    A store that can be asked more than once.

    Args:
        address: Its address.

    Raises:
        ConfigError: if it is no address of a store that can be read.
        MissingDependencyError: if the library that it needs is not installed.
    """

    def __init__(self, address: str) -> None:
        self._reader = aggregators.reader(address)
        self.name = self._reader.name

    #: A store does not say how many bytes it will send.
    size = None

    def hits(self, question: Question) -> Iterator[list[Hit]]:
        """
        Yield the lines that are asked for, some at once.

        Raises:
            UnavailableError: if the store does not answer.
            RefusedError: if it refuses the question.
        """
        hits: list[Hit] = []
        for position, line in enumerate(self._reader.lines(question)):
            below = self._reader.as_written and line.find(b"{", 0, _PREFIX) < 0
            if below and hits:
                hits[-1].below.append(line)
                continue
            if len(hits) >= _AT_ONCE:
                yield hits
                hits = []
            hits.append(Hit(position, line, []))
        if hits:
            yield hits

    def explain(self, question: Question) -> str:
        """
        Return the query of a question, to be read.

        Raises:
            UnavailableError: if the store must say what fields it has, and does not.
            RefusedError: if it refuses to.
        """
        try:
            return self._reader.explain(question)
        except UnavailableError as error:
            raise UnavailableError(f"{self.name}: {error}") from None
        except RefusedError as error:
            raise RefusedError(f"{self.name}: {error}") from None

    def tail(
        self, question: Question, say: Callable[[str], None], *, from_start: bool
    ) -> StoreTail:
        """Return what reads the lines as they come."""
        cursor = self._reader.follow(question, from_start=from_start)
        return StoreTail(self.name, cursor, self._reader.pause, say)


def source_of(name: str) -> Source | Store:
    """
    Return what reads a file, or a store, given its name or address.

    Raises:
        ConfigError: if it is no address of a store that can be read.
        MissingDependencyError: if the library that it needs is not installed.
    """
    return Store(name) if aggregators.is_address(name) else Source(name)


class StoreTail:
    """
    A store, read as it grows.

    Args:
        name: Its name.
        cursor: What reads it.
        pause: The seconds between two looks.
        say: Told once when the store does not answer any more.
    """

    def __init__(
        self, name: str, cursor: Cursor, pause: float, say: Callable[[str], None]
    ) -> None:
        self.name = name
        self._cursor, self._pause, self._say = cursor, pause, say
        self._next = 0.0
        self._answers: bool | None = None

    def read(self) -> Iterator[bytes]:
        """
        Yield the lines that have come since the last time, if it is time to look.

        Raises:
            UnavailableError: if the store does not answer the first time; later it is
                asked again and again.
            RefusedError: if it refuses the question.
        """
        if time.monotonic() < self._next:
            return
        try:
            yield from self._cursor.read()
            self._answers = True
        except UnavailableError as error:
            if self._answers is None:
                raise UnavailableError(f"{self.name}: {error}") from None
            if self._answers:
                self._say(f"{self.name}: {error}; it is asked again")
            self._answers = False
        except RefusedError as error:
            raise RefusedError(f"{self.name}: {error}") from None
        finally:
            self._next = time.monotonic() + self._pause

    def close(self) -> None:
        """Give back what it holds."""
        self._cursor.close()
