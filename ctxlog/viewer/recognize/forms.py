"""
Forms of lines: what most lines say of their request, by their bytes alone.

Lines that one place in a program writes differ in their values only. One that was read
gives a pattern for all that have the same names in the same order, with values of the
same kinds: what they say stands at the same places.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from io import BytesIO
from itertools import accumulate, compress, islice, repeat
from operator import gt, itemgetter

from ctxlog.viewer.recognize._form import Form, Token, form_of
from ctxlog.viewer.recognize._levels import level_of
from ctxlog.viewer.recognize._patterns import (
    OTHER,
    ROLES,
    Leaf,
    Node,
    Pattern,
    compiled,
    low_step,
)
from ctxlog.viewer.recognize.keys import NO_ID
from ctxlog.viewer.recognize.times import seconds

#: What a form tells of a line: its time, level, request, user, path and method.
Said = tuple[bytes, int, bytes, bytes, bytes, bytes]

# Of so many lines that have no form yet one is looked for at a time, and in all.
_MOST_AT_ONCE, _MOST_TRIED = 40, 800
_MOST_FORMS = 48
_HEAD = 64 << 10
#: The most words for levels that are told apart; others are read.
_MOST_WORDS = 24
#: Fewer lines than this share are looked for one by one.
_FEW = 1 / 16
#: Of a smaller share of lines with a form it is not worth to look for forms.
LEAST_SHARE = 0.5


class Learned:
    """
    The forms that several lines have.

    Args:
        answers: Whether lines that say how their request was answered are among them.

    Attributes:
        forms: The forms.
    """

    def __init__(self, *, answers: bool = False) -> None:
        self._answers = answers
        self.forms: dict[tuple[Token, ...], Form] = {}
        self._met: Counter[tuple[Token, ...]] = Counter()
        self._left = _MOST_TRIED
        self._time: tuple[object, ...] | None = None

    @property
    def is_full(self) -> bool:
        """Whether no more forms are looked for."""
        return self._left <= 0 or len(self.forms) >= _MOST_FORMS

    def learn(self, lines: Iterable[bytes]) -> bool:
        """Look for forms of lines that have none; return whether there are new ones."""
        known = len(self.forms)
        for line in () if self.is_full else islice(lines, _MOST_AT_ONCE):
            self._left -= 1
            form = form_of(line, answers=self._answers)
            if form is None or form.tokens in self.forms:
                continue
            if self._time is not None and form.time != self._time:
                continue
            self._met[form.tokens] += 1
            if self._met[form.tokens] > 1:
                self._time = form.time
                self.forms[form.tokens] = form
        return len(self.forms) > known


class Forms:
    """
    The forms of a source's lines, learned while it is read.

    Args:
        asked: What lines are to tell: some of `time`, `level`, `id`, `user`, `path`,
            `method`; all if none. The fewer, the faster.
    """

    def __init__(self, *asked: str) -> None:
        self._asked = asked or ROLES
        # What a line says of an answer does not change any of these by itself.
        alone = self._asked in (("time",), ("level",), ("id",))
        self._learned = Learned(answers=alone)
        self._pattern: re.Pattern[bytes] | None = None
        self._leaves: Mapping[int, Leaf] = {}
        self._low: _Low | None = None

    def __reduce__(self) -> tuple[type[Forms], tuple[str, ...]]:
        """Another process learns its own."""
        return Forms, self._asked

    def told(self, data: bytes, stop: int) -> Told | None:
        """
        Return what lines say; None if no form is known.

        Args:
            data: The lines.
            stop: Where in *data* they end.
        """
        if self._pattern is None:
            self._learn(lines_of(data[: min(stop, _HEAD)]))
        if self._pattern is None:
            return None
        rows, leaves = self._pattern.findall(data, 0, stop), self._leaves
        if len(rows) != count(data, stop):
            return None  # a value without an end went on in the next line
        # For the next ones: the groups of these are those of the pattern until now.
        if not self._learned.is_full:
            self._learn(row[-1] for row in rows if row[-1])
        return Told(data, stop, rows, leaves, self._asked)

    def from_level(self, data: bytes, stop: int, least: int) -> Sequence[int] | None:
        """
        Return where lines begin that may have a level, or a higher one.

        Args:
            data: The lines.
            stop: Where in *data* they end.
            least: The level on logging's scale, the same each time.

        Returns:
            Where these lines begin, in order; None if most lines have no form.
        """
        if self._low is None:
            self._low = _Low(least)
        others = self._low.others(data, stop)
        if others is None:
            told = self.told(data, stop)
            if told is None or told.share < LEAST_SHARE:
                return None
            self._low.learn(told.words, self._learned.forms.values())
            return told.starts(told.from_level(least))
        if not others:
            return ()
        told = self.told(joined := b"".join(others), len(joined))
        if told is not None:
            self._low.learn(told.words, self._learned.forms.values())
            others = [told.lines[number] for number in told.from_level(least)]
        return _places(others, data, stop)

    def _learn(self, lines: Iterable[bytes]) -> None:
        if self._learned.learn(lines):
            forms = self._learned.forms.values()
            self._pattern, self._leaves = compiled(forms, self._asked)


class _Low:
    """
    Lines of known forms and with known words for levels below another one.

    Args:
        least: That level.
    """

    def __init__(self, least: int) -> None:
        self._least = least
        self._words: set[bytes] = set()
        self._forms: list[Form] = []
        self._pattern: re.Pattern[bytes] | None = None

    def learn(self, words: Iterable[bytes], forms: Iterable[Form]) -> None:
        """Take words for levels into account, and forms."""
        before, known = len(self._words), len(self._forms)
        self._words.update(islice(words, max(_MOST_WORDS - before, 0)))
        self._forms = list(forms)
        if (before, known) == (len(self._words), len(self._forms)):
            return
        root = Node()
        for form in self._forms:
            low = [word for word in self._words if self._is_low(word, form)]
            if low or (form.level is not None and form.level < self._least):
                root.add(form, [low_step(token, low) for token in form.tokens])
        self._pattern = None
        if root.next:
            self._pattern = re.compile(rb"%s|%s" % (Pattern(root).source, OTHER))

    def _is_low(self, word: bytes, form: Form) -> bool:
        return 0 <= level_in(word, form) < self._least

    def others(self, data: bytes, stop: int) -> list[bytes] | None:
        """Return the other lines; None if there may be many."""
        if self._pattern is None:
            return None
        rows = self._pattern.findall(data, 0, stop)
        others = [*filter(None, rows)]
        is_whole = len(rows) == count(data, stop)
        return others if is_whole and len(others) < len(rows) * LEAST_SHARE else None


def count(data: bytes, stop: int) -> int:
    """Return how many lines there are."""
    return data.count(b"\n", 0, stop) + (not data.endswith(b"\n", 0, stop))


def _places(lines: Iterable[bytes], data: bytes, stop: int) -> list[int]:
    """Return where lines begin: all that are written like one of them, in order."""
    places, at = [], 0
    for line in lines:
        if not line.endswith(b"\n"):  # the last one, and maybe how another one begins
            places.append(stop - len(line))
            break
        at = data.find(line, at)
        while at and data[at - 1] != 10:  # the end of a longer one
            at = data.find(line, at + 1)
        places.append(at)
        at += len(line)
    return places


def lines_of(data: bytes) -> list[bytes]:
    """Return the lines, each with its end."""
    return BytesIO(data).readlines()


class Told:
    """
    What the lines of a block say, as far as their forms tell it.

    Of a line it is what a `Record` of it says, and that it says nothing else of its
    request: `Record.is_bare`.

    Args:
        data: The lines.
        stop: Where in *data* they end.
        rows: The groups of each line; the last one is the line if it has no form.
        leaves: What these mean; of several, by the group that is the line's end.
        asked: What lines tell.
    """

    def __init__(
        self,
        data: bytes,
        stop: int,
        rows: Sequence[tuple[bytes, ...]],
        leaves: Mapping[int, Leaf],
        asked: Collection[str],
    ) -> None:
        self._data, self._stop, self._asked = data, stop, asked
        common = leaves.get(0)
        if common is None:
            rows = [_picked(row, leaves) for row in rows]
            common = _PICKED
        self._rows, (self._groups, self._form) = rows, common

    @cached_property
    def times(self) -> Sequence[bytes]:
        """
        The time of each line as it is written; nothing if it has no form.

        All that are there sort as texts.
        """
        group = self._groups[0]
        return [row[group] for row in self._rows]

    @cached_property
    def seconds(self) -> Sequence[float]:
        """The time of each in seconds since the epoch; NaN if there was none."""
        return [seconds_of(time) if time else math.nan for time in self.times]

    @cached_property
    def levels(self) -> Sequence[int]:
        """The level of each on logging's scale; -1 if the line has to be read."""
        group, level = self._groups[1], self._form.level
        if level is not None:
            return [-1 if row[-1] else level for row in self._rows]
        known = Levels(self._form)
        return [known[row[group]] for row in self._rows]

    @property
    def words(self) -> Collection[bytes]:
        """The words for levels, as they are written."""
        group = _WRITTEN if self._form is _PICKED.form else self._groups[1]
        return {row[group] for row in self._rows} if group else ()

    @cached_property
    def requests(self) -> Sequence[bytes]:
        """The request of each; nothing if it names none."""
        group = self._groups[2]
        return [row[group] for row in self._rows]

    @cached_property
    def odd(self) -> Collection[bytes]:
        """
        Requests that are none, and those that are written with escapes.

        Lines that name one have to be read.
        """
        return {one for one in set(self.requests) if one and _is_odd(one)}

    def said(self) -> Iterator[Said]:
        """Yield what each line says."""
        user, path, method = [
            [row[group] for row in self._rows] if group else repeat(b"")
            for group in self._groups[3:]
        ]
        return zip(  # noqa: B905 - what no line says has no end
            self.times, self.levels, self.requests, user, path, method
        )

    @cached_property
    def lines(self) -> Sequence[bytes]:
        """The lines themselves."""
        return lines_of(self._data[: self._stop])

    def starts(self, numbers: Sequence[int]) -> list[int]:
        """Return where some lines begin, by their numbers in order."""
        if len(numbers) < _FEW * len(self._rows):
            others = [self._rows[number][-1] for number in numbers]
            if all(others):  # to look for them takes less than to take all apart
                return _places(others, self._data, self._stop)
        every = [0, *accumulate(map(len, self.lines))]
        return [every[number] for number in numbers]

    def line(self, number: int) -> bytes:
        """Return a line."""
        return self._rows[number][-1] or self.lines[number]

    @cached_property
    def _formless(self) -> Sequence[int]:
        """The numbers of the lines without a form."""
        return [*compress(range(len(self._rows)), map(itemgetter(-1), self._rows))]

    @property
    def share(self) -> float:
        """The share of lines that need not be read."""
        return 1 - len(self._formless) / len(self._rows)

    @cached_property
    def others(self) -> Sequence[int]:
        """The numbers of the lines that have to be read."""
        found = {*self._formless}
        if "level" in self._asked and -1 in self.levels:
            levels = enumerate(self.levels)
            found |= {number for number, level in levels if level < 0}
        if odd := self.odd:
            requests = enumerate(self.requests)
            found |= {number for number, request in requests if request in odd}
        return sorted(found)

    def unread(self) -> Iterator[tuple[int, int, bytes]]:
        """Yield the lines that have to be read: number, where it begins, its bytes."""
        others = self.others
        yield from zip(others, self.starts(others), map(self.line, others), strict=True)

    def from_level(self, least: int) -> list[int]:
        """Return the numbers of the lines that may have a level, or a higher one."""
        levels = enumerate(self.levels)
        return [number for number, level in levels if not 0 <= level < least]

    def within(self, since: float, until: float) -> Sequence[int]:
        """Return the numbers of the lines that may have a time within two others."""
        times = self.times
        last = max(times)
        first = min(filter(None, times), default=last)
        if not last or seconds_of(last) < since or seconds_of(first) > until:
            return self._formless
        if seconds_of(first) >= since and seconds_of(last) <= until:
            return range(len(times))
        return [
            number
            for number, time in enumerate(times)
            if not (time and (seconds_of(time) < since or seconds_of(time) > until))
        ]

    def spans(self) -> dict[bytes, tuple[bytes, bytes]]:
        """Return the first and the last time of the lines of each request."""
        requests, times = self.requests, self.times
        known_times = [*filter(None, times)]
        if any(map(gt, known_times, islice(known_times, 1, None))):
            order = sorted(range(len(times)), key=times.__getitem__)
            requests = [requests[number] for number in order]
            times = [times[number] for number in order]
        last = dict(zip(requests, times, strict=True))
        first = dict(zip(reversed(requests), reversed(times), strict=True))
        known = last.keys() - {*self.odd, b""}
        return {one: (first[one], last[one]) for one in known}


_POINT, _ZULU = b".Z"
_TENS = (1, 10, 100, 1000, 10**4, 10**5)


def seconds_of(time: bytes) -> float:
    """
    Return a time that was told as seconds since the epoch.

    NaN if there was no such day: in comparisons that is neither before nor after.
    """
    size = len(time)
    if 21 < size <= 27 and time[19] == _POINT and time[-1] == _ZULU:
        second = _second(time[:19])
        if second is not None:  # as exact as a datetime's time stamp
            return (second * 10**6 + int(time[20:-1]) * _TENS[27 - size]) / 10**6
        return math.nan
    found = seconds(int(time) if time.isdigit() else time.decode())
    return math.nan if found is None else found


@lru_cache(4096)
def _second(clock: bytes) -> int | None:
    """Return the seconds since the epoch of a time in UTC without a fraction."""
    found = seconds(f"{clock.decode()}Z")
    return None if found is None else int(found)


class Levels(dict[bytes, int]):
    """
    Levels as they are written, on logging's scale; -1 if the line must be read.

    Args:
        form: The form of the lines that have them.
    """

    def __init__(self, form: Form) -> None:
        super().__init__()
        self._form = form

    def __missing__(self, written: bytes) -> int:
        level = self[written] = level_in(written.strip(b'"'), self._form)
        return level


@lru_cache(4096)
def _is_odd(request: bytes) -> bool:
    """Whether an id is none, or is not written as it is."""
    try:
        text = request.decode()
    except UnicodeDecodeError:
        return True
    return "\\" in text or NO_ID.fullmatch(text) is not None


def level_in(written: bytes, form: Form) -> int:
    """Return a level as a line has it on logging's scale; -1 if it must be read."""
    if form.level is not None:
        return form.level
    if not written or (form.is_number and not written.isdigit()):
        return -1
    found = int(written) if form.is_number else written.decode("utf-8", "replace")
    return level_of(found, *form.scale) or -1


def _picked(row: tuple[bytes, ...], leaves: Mapping[int, Leaf]) -> tuple[bytes, ...]:
    """Return what a line says in the order of `_PICKED`, its level as a number."""
    if row[-1]:
        return b"", b"", b"-1", b"", b"", b"", b"", b"", row[-1]
    groups, form = leaves[row.index(b"\n")]
    time, level, *others = (row[group] for group in groups)
    return b"", time, b"%d" % level_in(level, form), *others, level, b""


#: How the rows of `_picked` are read; their first group is empty, too.
_PICKED = Leaf((1, 2, 3, 4, 5, 6), Form((), (), None, ("levelno", ""), is_number=True))
#: Where these rows have the level as it is written.
_WRITTEN = 7
