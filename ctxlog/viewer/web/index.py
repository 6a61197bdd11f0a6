"""
The requests that the page lists: known piece by piece, and as they are written.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ctxlog.aggregators import is_address
from ctxlog.viewer.group.collected import OUTSIDE
from ctxlog.viewer.group.summary import Row
from ctxlog.viewer.query.needles import NAMES, Every
from ctxlog.viewer.query.scan import scan
from ctxlog.viewer.query.silence import reason
from ctxlog.viewer.read.source import BROKEN, Hit, Source
from ctxlog.viewer.recognize.keys import Names
from ctxlog.viewer.recognize.record import Record
from ctxlog.viewer.show.times import Clock
from ctxlog.viewer.web.outside import Outside
from ctxlog.viewer.web.reading import Given, Job, Piece, matching, pieces, summed_up
from ctxlog.viewer.web.selection import ERRORS, Selection, Wish

_PAUSE = 0.25
_HOW = "A text, such as GET, lists the lines outside of requests that have it."
_BARS = 96
#: A last line without an end is whole if it is the same for so many pauses.
_STILL = 4
#: And if it has no more bytes than these.
_LONGEST = 1 << 20
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
        self._outside = Outside()
        self._answers: OrderedDict[tuple[Wish, ...], _Answer] = OrderedDict()
        self._problems: list[str] = []
        self._why = ""
        self._read, self._done = 0, False
        self._recent: OrderedDict[str, int] = OrderedDict()
        self._version = 0
        self._stopped = threading.Event()
        self._files = [_Grown(n) for n in given.files if not is_address(n)]
        self._files = [file for file in self._files if file.grows]
        self._total = sum(file.end for file in self._files)
        self._job = Job(pieces, given, {file.name: file.end for file in self._files})
        self._threads = [
            threading.Thread(target=self._fill, daemon=True),
            threading.Thread(target=self._watch, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

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
                    self._add(made.rows, made.outside, older=made.older)
                    self._read += made.size
                else:
                    self._problems.append(made)
                self._note()
            if not self._rows and self._given.is_files:
                sources = [Source(name) for name in self._given.files]
                self._why = f"{reason(sources, self._given.names)}. {_HOW}"
        except OSError as error:
            self._problems.append(str(error))
        self._done = True
        self._note()

    def _add(self, rows: Mapping[str, Row], outside: Outside, *, older: bool) -> None:
        with self._lock:
            self._outside.merge(outside)
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
            for file in self._files:
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
                if hits:
                    rows, outside = summed_up(hits, names)
                    self._add(rows, outside, older=False)
                    is_held = self._look(hits, names.within(file.name), answers)
                    self._grow([*rows, OUTSIDE] if outside or is_held else [*rows])

    def _grow(self, requests: Sequence[str]) -> None:
        """Note that these have new lines."""
        with self._lock:
            for request in requests:
                self._recent[request] = self._version + 1
                self._recent.move_to_end(request)
            while len(self._recent) > _MOST_CHANGED:
                self._recent.popitem(last=False)
        self._note()

    @staticmethod
    def _look(hits: list[Hit], names: Names, answers: list[_Answer]) -> bool:
        """Note lines in answers; return whether one outside of requests holds."""
        outside = False
        for hit in hits if answers else ():
            for record in Record.read(hit.line, names):
                held = [answer.look(record, hit.whole) for answer in answers]
                outside |= record.request is None and any(held)
        return outside

    def state(self) -> dict[str, Any]:
        """Return how far it has come, and which requests have grown of late."""
        with self._lock:
            answers, recent = list(self._answers.values()), dict(self._recent)
            version = self._version
        return {
            "version": version,
            "requests": len(self._rows),
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
        answers = [self._answer_of(wish) for wish in selection.wishes]
        outside = Outside() if not selection.outside else self._outside
        if selection.outside not in ((), ERRORS):
            outside = self._answer_of(*selection.outside).outside
        with self._lock:
            rows = [
                row
                for row in self._rows.values()
                if selection.holds(row)
                and all(row.id in answer.ids for answer in answers)
            ]
        shown = [row for row in rows if selection.is_within(row)]
        shown.sort(key=lambda row: row.extent.start or 0.0, reverse=True)
        alone = outside.row(selection.since, selection.until)
        clock = self._given.look.clock
        return {
            "outside": None if alone is None else _summary(alone, clock),
            "rows": [_summary(row, clock) for row in shown[:limit]],
            "matched": len(shown),
            "failed": sum(row.failed for row in shown),
            "bars": _bars(rows, clock),
            "since": selection.since,
            "until": selection.until,
            "state": self.state(),
        }

    def _answer_of(self, *wishes: Wish) -> _Answer:
        with self._lock:
            answer = self._answers.get(wishes)
            if answer is None:
                ends = {file.name: file.end for file in self._files}
                answer = _Answer(self._given, wishes, ends, self._note)
                self._answers[wishes] = answer
                while len(self._answers) > _MOST_ANSWERS:
                    _, oldest = self._answers.popitem(last=False)
                    oldest.end()
            self._answers.move_to_end(wishes)
            return answer


class _Answer:
    """
    The requests for which something holds, found while they are shown.

    Attributes:
        ids: Their ids.
        outside: The lines outside of requests for which all of it holds.
        done: Whether everything has been read.
    """

    def __init__(
        self,
        given: Given,
        wishes: Sequence[Wish],
        ends: Mapping[str, int],
        changed: Callable[[], None],
    ) -> None:
        self.ids: set[str] = set()
        self.outside = Outside()
        self.done = False
        self._criteria = [wish.criterion() for wish in wishes]
        self._changed = changed
        self._job = Job(matching, given, wishes, ends)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            for made in self._job.results():
                if isinstance(made, Outside):
                    self.outside.merge(made)
                else:
                    self.ids.update(made)
                self._changed()
        finally:
            self.done = True
            self._changed()

    def look(self, record: Record, line: bytes) -> bool:
        """Take a line into account that was written since; return whether it holds."""
        for one in self._criteria:
            if one.is_risky or not one.holds(record, line):
                return False
        if record.request is not None:
            self.ids.add(record.request)
        elif any(one.outside for one in self._criteria):
            self.outside.add(record)
        return True

    def end(self) -> None:
        """End its reading."""
        self._job.end()


class _Grown:
    """
    A file that may grow.

    Attributes:
        end: Where its whole lines end that are known.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.grows = Source(name).size is not None
        self._identity = self._found()
        self._rest, self._looks, self._is_open = b"", 0, False
        self.end = self._whole_end(0) if self.grows else 0

    def _found(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self.name)
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def news(self, every: Every) -> list[Hit]:
        """Return the lines since the last time, also of a file in its place."""
        identity = self._found()
        if identity is None:
            return []
        if identity != self._identity or os.path.getsize(self.name) < self.end:
            self._identity, self.end, self._is_open = identity, 0, False
        if os.path.getsize(self.name) == self.end:
            return []
        if self._is_open and not self._skip_rest():
            return []
        begin, self.end = self.end, self._whole_end(self.end)
        if self.end == begin:
            return []
        found = scan(Source(self.name), every, begin, self.end)
        return [hit for _, hits in found for hit in hits]

    def _whole_end(self, begin: int) -> int:
        """
        Return where the lines end that are whole.

        The last one may have no end of its own. It is whole if it is an object, or
        stays as it is for a while: more of it may be on its way.
        """
        end = _lines_end(self.name, begin)
        with open(self.name, "rb") as file:
            file.seek(end)
            rest = file.read(_LONGEST + 1)
        if rest != self._rest:
            self._rest, self._looks = rest, 0
        self._looks += 1
        if not rest or len(rest) > _LONGEST:
            return end
        if not (Record.read(rest, NAMES) if rest[:1] == b"{" else self._looks > _STILL):
            return end
        self._is_open = True
        return end + len(rest)

    def _skip_rest(self) -> bool:
        """Pass over what is added to a line that is known; whether that has an end."""
        with open(self.name, "rb") as file:
            file.seek(self.end)
            rest = file.readline(_LONGEST)
        self.end += len(rest)
        self._is_open = not rest.endswith(b"\n")
        return not self._is_open


def _lines_end(name: str, begin: int) -> int:
    """Return where the last whole line of a file ends."""
    with open(name, "rb") as file:
        at = file.seek(0, os.SEEK_END)
        while at > begin:
            size = min(1 << 16, at - begin)
            file.seek(at - size)
            found = file.read(size).rfind(b"\n")
            if found >= 0:
                return at - size + found + 1
            at -= size
    return begin


def _summary(row: Row, clock: Clock) -> list[Any]:
    """Return a request as the list has it; last how far its zone is ahead of UTC."""
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
        0 if start is None else clock.offset(start) * 1000,
    ]


def _bars(rows: list[Row], clock: Clock) -> dict[str, Any] | None:
    """Return how many requests began when, and how many of them failed."""
    starts = [row.extent.start for row in rows if row.extent.start is not None]
    if not starts:
        return None
    first, last = min(starts), max(starts)
    step = max((last - first) / _BARS, 0.001)
    bars = [[0, 0] for _ in range(_BARS)]
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
