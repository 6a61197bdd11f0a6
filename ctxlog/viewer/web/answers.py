"""
What is found for a choice while the page shows it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ctxlog.viewer.query.criteria import Criterion
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


class _Reading:
    """
    Something that is read in a process of its own.

    Args:
        job: What reads it.
        changed: Called when there is news.

    Attributes:
        done: Whether everything has been read.
    """

    def __init__(self, job: Job, changed: Callable[[], None]) -> None:
        self.done = False
        self._job, self._changed = job, changed
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

    def end(self) -> None:
        """End its reading."""
        self._job.end()


class Answer(_Reading):
    """
    The requests for which something holds.

    Args:
        given: What is read.
        wish: What must hold.
        ends: Where files end that may grow.
        changed: Called when there is news.

    Attributes:
        ids: Their ids.
    """

    def __init__(
        self,
        given: Given,
        wish: Wish,
        ends: Mapping[str, int],
        changed: Callable[[], None],
    ) -> None:
        self.ids: set[str] = set()
        self._criterion = wish.criterion()
        super().__init__(Job(matching, given, [wish], ends), changed)

    def _add(self, made: list[str]) -> None:
        self.ids.update(made)

    def look(self, hits: Sequence[Hit], names: Names, _number: int | None) -> bool:
        """Take lines into account that were written since; none are outside."""
        if not self._criterion.is_risky:
            for hit in hits:
                for record in Record.read(hit.line, names):
                    request = record.request
                    if request is not None and self._criterion.holds(record, hit.whole):
                        self.ids.add(request)
        return False


class AnswerBeside(_Reading):
    """
    The lines without a request's id for which several things hold.

    Args:
        given: What is read.
        wishes: What must hold.
        ends: Where files end that may grow.
        changed: Called when there is news.

    Attributes:
        found: These lines.
    """

    def __init__(
        self,
        given: Given,
        wishes: Sequence[Wish],
        ends: Mapping[str, int],
        changed: Callable[[], None],
    ) -> None:
        self.found = Beside()
        self._criteria: list[Criterion] = [wish.criterion() for wish in wishes]
        super().__init__(Job(beside, given, wishes, ends), changed)

    def _add(self, made: tuple[Outside, Singles]) -> None:
        self.found.add(*made)

    def look(self, hits: Sequence[Hit], names: Names, number: int | None) -> bool:
        """Take lines into account that were written since; whether some are outside."""
        if any(one.is_risky for one in self._criteria):
            return False
        outside, singles = sorted_out(hits, names, number, self._criteria)
        self.found.add(outside, singles)
        return bool(outside)
