"""
What is found for a choice while the page shows it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

from ctxlog.viewer.read.source import Hit
from ctxlog.viewer.recognize.keys import Names
from ctxlog.viewer.recognize.record import Record
from ctxlog.viewer.web.outside import Outside
from ctxlog.viewer.web.reading import Given, Job, beside, matching, sorted_out
from ctxlog.viewer.web.selection import Wish
from ctxlog.viewer.web.singles import NONE, Singles


class Beside:
    """
    Lines without a request's id.

    Attributes:
        outside: Those outside of requests.
        singles: Those that are requests.
    """

    def __init__(self) -> None:
        self.outside, self.singles = Outside(), NONE
        self._lock = threading.Lock()

    def add(self, outside: Outside, singles: Singles) -> None:
        """Take more of them into account."""
        with self._lock:
            self.outside.merge(outside)
            self.singles = self.singles.merged(singles)

    def forget(self, number: int) -> None:
        """Forget requests whose lines were in a file."""
        with self._lock:
            self.singles = self.singles.without(number)


_Found = TypeVar("_Found")


class _Reading(Generic[_Found]):
    """
    What is found for some wishes, read in a process of its own.

    Args:
        given: What is read.
        wishes: What must hold.
        ends: Where files end that may grow.
        changed: Called when there is news.

    Attributes:
        found: What is found.
        done: Whether everything has been read.
    """

    _work: Callable[..., Iterator[Any]]
    _nothing: Callable[[], _Found]

    def __init__(
        self,
        given: Given,
        wishes: Sequence[Wish],
        ends: Mapping[str, int],
        changed: Callable[[], None],
    ) -> None:
        self.found = self._nothing()
        self.done = False
        self._criteria = [wish.criterion() for wish in wishes]
        self._changed = changed
        self._job = Job(self._work, given, wishes, ends)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            for made in self._job.results():
                self._add(made)
                self._changed()
        finally:
            self.done = True
            self._changed()

    def _add(self, made: Any) -> None:
        raise NotImplementedError

    @property
    def _is_risky(self) -> bool:
        return any(one.is_risky for one in self._criteria)

    def end(self) -> None:
        """End its reading."""
        self._job.end()


class Answer(_Reading[set[str]]):
    """The ids of the requests in which one wish holds for some line."""

    _work = staticmethod(matching)
    _nothing = staticmethod(set[str])

    def _add(self, made: list[str]) -> None:
        self.found.update(made)

    def look(self, hits: Sequence[Hit], names: Names, _number: int | None) -> bool:
        """Take lines into account that were written since; none are outside."""
        (criterion,) = self._criteria
        for hit in () if self._is_risky else hits:
            for record in Record.read(hit.line, names):
                request = record.request
                if request is not None and criterion.holds(record, hit.whole):
                    self.found.add(request)
        return False


class AnswerBeside(_Reading[Beside]):
    """The lines without a request's id for which all wishes hold."""

    _work = staticmethod(beside)
    _nothing = staticmethod(Beside)

    def _add(self, made: tuple[Outside, Singles]) -> None:
        self.found.add(*made)

    def look(self, hits: Sequence[Hit], names: Names, number: int | None) -> bool:
        """Take lines into account that were written since; whether some are outside."""
        if self._is_risky:
            return False
        outside, singles = sorted_out(hits, names, number, self._criteria)
        self.found.add(outside, singles)
        return bool(outside)
