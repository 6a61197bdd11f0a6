"""
The requests that the page lists: known piece by piece, and as they are written.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from math import inf
from operator import itemgetter
from typing import Any

from ctxlog.aggregators import is_address
from ctxlog.viewer.group.collected import OUTSIDE
from ctxlog.viewer.group.summary import Row
from ctxlog.viewer.query.needles import Every
from ctxlog.viewer.query.silence import reason
from ctxlog.viewer.read.source import BROKEN, Hit, Source
from ctxlog.viewer.show.times import Clock
from ctxlog.viewer.web.answers import Answer, AnswerBeside, Beside
from ctxlog.viewer.web.grown import Grown
from ctxlog.viewer.web.opening import rows_of
from ctxlog.viewer.web.outside import Outside
from ctxlog.viewer.web.reading import Given, Job, Piece, pieces, summed_up
from ctxlog.viewer.web.selection import Selection, Wish
from ctxlog.viewer.web.singles import NONE, Line, Singles

_PAUSE = 0.25
_HOW = "A text, such as ready, lists the lines outside of requests that have it."
_ALONE = "no line has a request's id: each access line is a request of its own"
_BARS = 96
_MOST_ANSWERS = 16
_MOST_CHANGED = 200


class Index:
    """
    The requests of files and stores. Its reading goes on in threads and processes.

    Args:
        given: What is read.
        changed: Called, in any thread, when there is news.
    """

    def __init__(self, given: Given, changed: Callable[[], None]) -> None:
        self._given, self._changed = given, changed
        self._lock = threading.Lock()
        self._rows: dict[str, Row] = {}
        self._beside = Beside()
        self._told: dict[Line, Row | None] = {}
        self._answers: OrderedDict[tuple[object, ...], Answer | AnswerBeside]
        self._answers = OrderedDict()
        self._problems: list[str] = []
        self._why = ""
        self._read, self._done = 0, False
        self._recent: OrderedDict[str, int] = OrderedDict()
        self._version = 0
        self._stopped = threading.Event()
        numbered = enumerate(given.files)
        files = [(n, Grown(name)) for n, name in numbered if not is_address(name)]
        self._files = [(number, file) for number, file in files if file.grows]
        self._total = sum(self._ends.values())
        self._job = Job(pieces, given, self._ends)
        self._threads = [
            threading.Thread(target=self._fill, daemon=True),
            threading.Thread(target=self._watch, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def _ends(self) -> dict[str, int]:
        return {file.name: file.end for _, file in self._files}

    def close(self) -> None:
        """End all reading."""
        self._stopped.set()
        self._job.end()
        for answer in list(self._answers.values()):
            answer.end()
        for thread in self._threads:
            thread.join()

    def _fill(self) -> None:
        try:
            for made in self._job.results():
                if isinstance(made, Piece):
                    self._add(made.rows, made.outside, made.singles, older=made.older)
                    self._read += made.size
                else:
                    self._problems.append(made)
                self._note()
            if self._beside.singles:
                self._why = _ALONE
            elif not self._rows and self._given.is_files:
                sources = [Source(name) for name in self._given.files]
                self._why = f"{reason(sources, self._given.names)}. {_HOW}"
        except OSError as error:
            self._problems.append(str(error))
        self._done = True
        self._note()

    def _add(
        self,
        rows: Mapping[str, Row],
        outside: Outside,
        singles: Singles,
        *,
        older: bool,
    ) -> None:
        self._beside.add(outside, singles)
        with self._lock:
            for request, row in rows.items():
                known = self._rows.get(request)
                if known is None:
                    self._rows[request] = row
                elif older:
                    row.merge(known)
                    self._rows[request] = row
                else:
                    known.merge(row)

    def _note(self) -> None:
        self._version += 1
        self._changed()

    def _watch(self) -> None:
        """Read what is written, until it is closed."""
        names = self._given.names
        while not self._stopped.wait(_PAUSE):
            for number, file in self._files:
                turns = file.turns
                try:
                    with self._lock:  # an answer reads as far, or looks at what comes
                        answers = list(self._answers.values())
                        hits = file.news(Every(names))
                except BROKEN as error:
                    problem = f"{file.name}: {error}"
                    if problem not in self._problems:  # it is looked at again and again
                        self._problems.append(problem)
                        self._note()
                    continue
                if file.turns != turns:
                    self._forget(number, answers)
                if hits:
                    self._take(number, hits, answers)

    def _take(
        self, number: int, hits: list[Hit], answers: list[Answer | AnswerBeside]
    ) -> None:
        """Take lines into account that were written to a file."""
        given = self._given
        listed = number if given.is_files else None
        rows, outside, singles = summed_up(hits, given.names, listed)
        self._add(rows, outside, singles, older=False)
        names = given.names.within(given.files[number])
        has_outside = [answer.look(hits, names, listed) for answer in answers]
        self._grow([*rows, OUTSIDE] if outside or any(has_outside) else [*rows])

    def _forget(self, number: int, answers: Iterable[Answer | AnswerBeside]) -> None:
        """Forget requests that are one line each of a file that is gone."""
        self._beside.forget(number)
        for answer in answers:
            if isinstance(answer, AnswerBeside):
                answer.found.forget(number)
        self._note()

    def _grow(self, requests: Iterable[str]) -> None:
        """Note that these have new lines."""
        with self._lock:
            for request in requests:
                self._recent[request] = self._version + 1
                self._recent.move_to_end(request)
            while len(self._recent) > _MOST_CHANGED:
                self._recent.popitem(last=False)
        self._note()

    def state(self) -> dict[str, Any]:
        """Return how far it has come, and which requests have grown of late."""
        with self._lock:
            answers, recent = list(self._answers.values()), dict(self._recent)
            version = self._version
        return {
            "version": version,
            "requests": len(self._rows) + len(self._beside.singles),
            "read": self._read,
            "total": self._total,
            "done": self._done and all(answer.done for answer in answers),
            "problems": self._problems[:20],
            "why": "" if self._rows else self._why,
            "recent": recent,
        }

    def listed(self, selection: Selection, limit: int) -> dict[str, Any]:
        """
        Return the newest requests that are chosen, and how all are spread over time.

        Args:
            selection: What is chosen.
            limit: How many requests are listed at most.
        """
        traced = selection.request and self._has_none(selection)
        chosen = selection.of_trace if traced else selection
        beside = self._beside
        if traced:  # a line that has a trace belongs to a request
            beside = Beside()
        elif chosen.wishes:
            beside = self._answer_beside(chosen.wishes).found
        ids = self._ids(chosen.wishes)
        state = self.state()  # no more is read than what is listed below
        with self._lock:
            rows = [
                row
                for row in self._rows.values()
                if chosen.holds(row) and all(row.id in some for some in ids)
            ]
        shown = [row for row in rows if chosen.is_within(row)]
        shown.sort(key=lambda row: row.extent.start or 0.0, reverse=True)
        singles = NONE
        if not chosen.request:
            singles = beside.singles.those(failed=chosen.errors, slow=chosen.slow)
        within = singles.within(chosen.since, chosen.until)
        alone = None
        if chosen.outside:
            times = (chosen.since, chosen.until)
            alone = beside.outside.row(*times, failed=chosen.errors)
        clock = self._given.look.clock
        return {
            "outside": None if alone is None else _summary(alone, clock),
            "rows": self._newest(shown, within, limit),
            "matched": len(shown) + len(within),
            "failed": sum(row.failed for row in shown) + within.failed,
            "bars": _bars(rows, singles, clock),
            "since": chosen.since,
            "until": chosen.until,
            "traced": bool(traced),
            "state": state,
        }

    def _has_none(self, selection: Selection) -> bool:
        """Whether no request is named, once all are known."""
        if not (self._done and self._given.is_files):
            return False
        with self._lock:
            return not any(map(selection.names, self._rows.values()))

    def _newest(self, rows: list[Row], singles: Singles, limit: int) -> list[list[Any]]:
        """Return so many of them as the list has them, the newest first."""
        clock, known = self._given.look.clock, self._told
        lines = singles.newest(limit)
        read = rows_of(self._given, [line for line in lines if line not in known])
        # of one that is gone nothing is read again
        told = {line: read.get(line) or known.get(line) for line in lines}
        self._told = told
        listed = [(row.extent.start or 0.0, row, "") for row in rows[:limit]]
        for line, row in told.items():
            if row is not None:
                listed.append((line.start, row, line.name))
        listed.sort(key=itemgetter(0), reverse=True)
        return [_summary(row, clock, name) for _, row, name in listed[:limit]]

    def _ids(self, wishes: Iterable[Wish]) -> list[set[str]]:
        """Return the ids of the requests for which each of these holds."""
        if self._done and not self._rows:  # there are none to be found
            return []
        return [self._answer_of(wish).found for wish in wishes]

    def _answer_of(self, wish: Wish) -> Answer:
        found = self._answer(
            (wish,), lambda: Answer(self._given, [wish], self._ends, self._note)
        )
        assert isinstance(found, Answer)
        return found

    def _answer_beside(self, wishes: Iterable[Wish]) -> AnswerBeside:
        every = tuple(wishes)
        found = self._answer(
            ("beside", *every),
            lambda: AnswerBeside(self._given, every, self._ends, self._note),
        )
        assert isinstance(found, AnswerBeside)
        return found

    def _answer(
        self, key: tuple[object, ...], make: Callable[[], Answer | AnswerBeside]
    ) -> Answer | AnswerBeside:
        with self._lock:
            answer = self._answers.get(key)
            if answer is None:
                answer = self._answers[key] = make()
                while len(self._answers) > _MOST_ANSWERS:
                    _, oldest = self._answers.popitem(last=False)
                    oldest.end()
            self._answers.move_to_end(key)
            return answer


def _summary(row: Row, clock: Clock, line: str = "") -> list[Any]:
    """
    Return a request as the list has it.

    Last come the name of its line, if it has no id, and how far its zone is ahead of
    UTC.
    """
    about, start = row.about, row.extent.start
    return [
        row.id,
        None if start is None else start * 1000,
        row.duration,
        row.lines,
        row.errors,
        row.failed,
        about.method,
        about.path,
        about.status,
        about.user,
        line,
        0 if start is None else clock.offset(start) * 1000,
    ]


def _bars(rows: list[Row], singles: Singles, clock: Clock) -> dict[str, Any] | None:
    """Return how many requests began when, and how many of them failed."""
    starts = [row.extent.start for row in rows if row.extent.start is not None]
    known = [*starts, *(singles.span or ())]
    if not known:
        return None
    first, last = min(known), max(known)
    step = max((last - first) / _BARS, 0.001)
    edges = [*(first + step * number for number in range(_BARS)), inf]
    bars = [list(counted) for counted in singles.counted(edges)]
    for row in rows:
        if row.extent.start is not None:
            bar = bars[min(int((row.extent.start - first) / step), _BARS - 1)]
            bar[0] += 1
            bar[1] += row.failed
    return {
        "first": first * 1000,
        "ahead": clock.offset(first) * 1000,
        "step": step * 1000,
        "bars": bars,
    }
