"""
Forms of lines: what most lines say of their request, by their bytes alone.

Lines that one place in a program writes differ in their values only. One that was read
gives a pattern for all that have the same names in the same order, with values of the
same kinds: what they say stands at the same places.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from io import BytesIO
from itertools import accumulate, islice, repeat
from operator import gt, itemgetter
from typing import Any, NamedTuple

from ctxlog.viewer.recognize._levels import level_of
from ctxlog.viewer.recognize._objects import simple
from ctxlog.viewer.recognize._shape import Shape, inner, name_of
from ctxlog.viewer.recognize.keys import CALLS, NO_ID
from ctxlog.viewer.recognize.times import seconds

#: What a form tells of a line: its time, level, request, user, path and method.
Said = tuple[bytes, int, bytes, bytes, bytes, bytes]

# Of so many lines that have no form yet one is looked for at a time, and in all.
_MOST_AT_ONCE, _MOST_TRIED = 40, 800
_MOST_FORMS = 48
_HEAD = 64 << 10
_LONGEST, _DEEPEST, _MOST_VALUES = 16_384, 6, 80

_TOKEN = re.compile(
    rb'[ \t]*(?:([{}:,])|("(?:[^"\\\n]|\\.)*")'
    rb"|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)|(true|false|null)"
    rb'|(\[(?:[^\[\]{}"\\\n]|"[^"\\\n]*")*\]))'
)
_END = re.compile(rb"[ \t]*\r?\n?")
# A quote that is escaped ends no value: another one than the pattern's comes behind it.
_TEXT = rb'"[^"]*"'
_NUMBER = rb"-?\d[\d.eE+-]*"
_LIST = rb'\[(?:[^\[\]{}"\\\n]|"[^"\\\n]*")*\]'
_CLOCK = rb"\d\d\d\d-[01]\d-[0-3]\dT[012]\d:[0-5]\d:[0-5]\d"
_ISO = re.compile(rb'"%s(\.\d+)?(Z|[+-]\d\d:?\d\d)"' % _CLOCK)
_EPOCH = re.compile(rb"([1-9]\d{8,18})(\.\d{1,12})?")
_NONE = rb"(?!)"
#: Values that say something, as texts and as numbers; what is odd is looked at apart.
_CAPTURED: Mapping[str, tuple[bytes, bytes]] = {
    "level": (rb'"([^"]+)"', rb"(\d{1,4})"),
    "id": (rb'"([^"]+)"', rb"([1-9]\d{0,17})"),
    "user": (rb'"([^"\\-][^"\\]*)"', rb"([1-9]\d{0,17})"),
    "path": (rb'"([^"\\]+)"', _NONE),
    "method": (rb'"([A-Za-z][A-Za-z-]{1,19})"', _NONE),
    # What is no call of another service, whose path is not that of the request.
    "logger": (rb'"(?!%s")[^"]*"' % re.escape(CALLS.encode()), _NONE),
}


class _Form(NamedTuple):
    """
    What the lines of a form have in common.

    Attributes:
        tokens: Patterns that match such a line one after the other.
        roles: By the number of a token what its group is: `time`, `id`, ...
        time: How times are written; those that are written alike sort as texts.
        level: The level of lines that say none; None if they do.
        scale: The name of the level, and the scale of its numbers.
        is_number: Whether the level is one.
    """

    tokens: tuple[bytes, ...]
    roles: tuple[tuple[int, str], ...]
    time: tuple[object, ...]
    level: int | None
    scale: tuple[str, str]
    is_number: bool

    @property
    def reading(self) -> tuple[object, ...]:
        """How its times and levels are read."""
        return self[2:]


#: The names of these six, as the places of a line are known by them.
_ROLES = ("time", "level", "id", "user", "path", "method")


class _Leaf(NamedTuple):
    """A form, and the numbers of the six groups of its pattern that make a `Said`."""

    groups: tuple[int, ...]
    form: _Form


class Forms:
    """The forms of a source's lines, learned while it is read."""

    def __init__(self) -> None:
        self._forms: dict[tuple[bytes, ...], _Form] = {}
        self._met: Counter[tuple[bytes, ...]] = Counter()
        self._left = _MOST_TRIED
        self._time: tuple[object, ...] | None = None
        self._pattern: re.Pattern[bytes] | None = None
        self._leaves: dict[int, _Leaf] = {}

    def __reduce__(self) -> tuple[type[Forms], tuple[()]]:
        """Another process learns its own."""
        return Forms, ()

    def told(self, data: bytes, stop: int) -> Told | None:
        """
        Return what lines say; None if no form is known.

        Args:
            data: The lines.
            stop: Where in *data* they end.
        """
        if self._pattern is None:
            self._learn(_lines(data[: min(stop, _HEAD)]))
        if self._pattern is None:
            return None
        rows = self._pattern.findall(data, 0, stop)
        ends = data.count(b"\n", 0, stop) + (not data.endswith(b"\n", 0, stop))
        if len(rows) != ends:
            return None  # a value without an end went on in the next line
        if self._left > 0:
            self._learn(row[-1] for row in rows if row[-1])
        return Told(data, stop, rows, self._leaves)

    def _learn(self, lines: Iterable[bytes]) -> None:
        """Find the forms that several lines have."""
        if self._left <= 0 or len(self._forms) >= _MOST_FORMS:
            return
        new = False
        for line in islice(lines, _MOST_AT_ONCE):
            self._left -= 1
            form = _form(line)
            if form is None or form.tokens in self._forms:
                continue
            if self._time is not None and form.time != self._time:
                continue
            self._met[form.tokens] += 1
            if self._met[form.tokens] > 1:
                self._time = form.time
                self._forms[form.tokens] = form
                new = True
        if new:
            self._pattern, self._leaves = _compiled(self._forms.values())


def _lines(data: bytes) -> list[bytes]:
    return BytesIO(data).readlines()


class Told:
    """
    What the lines of a block say, as far as their forms tell it.

    Of a line it is what a `Record` of it says, and that it says nothing else of its
    request: `Record.is_bare`.

    Args:
        data: The lines.
        stop: Where in *data* they end.
        rows: The groups of each line.
        leaves: What these mean, by the number of the group that is the line's end.
    """

    def __init__(
        self,
        data: bytes,
        stop: int,
        rows: Sequence[tuple[bytes, ...]],
        leaves: Mapping[int, _Leaf],
    ) -> None:
        self._data, self._stop = data, stop
        common = _common(list(leaves.values()))
        if common is None:
            rows = [_picked(row, leaves) for row in rows]
            common = _PICKED
        self._rows, (self._groups, self._form) = rows, common

    @cached_property
    def times(self) -> Sequence[bytes]:
        """
        The time of each line as it is written; nothing if the line has to be read.

        All that are there sort as texts.
        """
        group = self._groups[0]
        return [row[group] for row in self._rows]

    @cached_property
    def levels(self) -> Sequence[int]:
        """The level of each on logging's scale; -1 if the line has to be read."""
        group, level = self._groups[1], self._form.level
        if level is not None:
            return [level if time else -1 for time in self.times]
        known = _Levels(self._form)
        return [known[row[group]] for row in self._rows]

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
        return _lines(self._data[: self._stop])

    def starts(self, numbers: Iterable[int]) -> list[int]:
        """Return where some lines begin, by their numbers."""
        every = [0, *accumulate(map(len, self.lines))]
        return [every[number] for number in numbers]

    @property
    def share(self) -> float:
        """The share of lines that need not be read."""
        return sum(map(bool, self.times)) / len(self.times)

    @cached_property
    def others(self) -> Sequence[int]:
        """The numbers of the lines that have to be read."""
        columns = zip(self.times, self.levels, self.requests, strict=True)
        odd = self.odd
        return [
            number
            for number, (time, level, request) in enumerate(columns)
            if not time or level < 0 or request in odd
        ]

    def from_level(self, least: int) -> list[int]:
        """Return the numbers of the lines that may have a level, or a higher one."""
        levels = enumerate(self.levels)
        return [number for number, level in levels if not 0 <= level < least]

    def within(self, since: float, until: float) -> list[int]:
        """Return the numbers of the lines that may have a time within two others."""
        times = self.times
        last = max(times)
        first = min(filter(None, times), default=last)
        if not last or seconds_of(last) < since or seconds_of(first) > until:
            return [number for number, time in enumerate(times) if not time]
        if seconds_of(first) >= since and seconds_of(last) <= until:
            return [*range(len(times))]
        return [
            number
            for number, time in enumerate(times)
            if not (time and (seconds_of(time) < since or seconds_of(time) > until))
        ]

    def spans(self) -> dict[bytes, tuple[bytes, bytes]]:
        """Return the first and the last time of the lines of each request."""
        pairs = [*zip(self.requests, self.times, strict=True)]
        times = [*filter(None, self.times)]
        if any(map(gt, times, islice(times, 1, None))):
            pairs.sort(key=itemgetter(1))
        last, first = dict(pairs), dict(reversed(pairs))
        known = last.keys() - {*self.odd, b""}
        return {one: (first[one], last[one]) for one in known}


def seconds_of(time: bytes) -> float:
    """
    Return a time that was told as seconds since the epoch.

    NaN if there was no such day: in comparisons that is neither before nor after.
    """
    found = seconds(time.decode())
    return math.nan if found is None else found


class _Levels(dict[bytes, int]):
    """Levels as they are written, on logging's scale; -1 if the line must be read."""

    def __init__(self, form: _Form) -> None:
        super().__init__()
        self._form = form

    def __missing__(self, written: bytes) -> int:
        level = self[written] = _level(written, self._form)
        return level


def _is_odd(request: bytes) -> bool:
    """Whether an id is none, or is not written as it is."""
    try:
        text = request.decode()
    except UnicodeDecodeError:
        return True
    return "\\" in text or NO_ID.fullmatch(text) is not None


def _level(written: bytes, form: _Form) -> int:
    """Return a level as a line has it on logging's scale; -1 if it must be read."""
    if form.level is not None:
        return form.level
    if not written:
        return -1
    found = int(written) if form.is_number else written.decode("utf-8", "replace")
    return level_of(found, *form.scale) or -1


def _form(line: bytes) -> _Form | None:
    """Return the form of a line; None if it has to be read, as all like it."""
    members = simple(line) if len(line) <= _LONGEST and line[:1] == b"{" else None
    if members is None:
        return None
    shape = Shape.of(members)
    roles = _roles(shape, members) if shape.is_bare(members) else None
    return None if roles is None else _Walk(line, roles).form(shape, members)


def _roles(shape: Shape, members: dict[str, Any]) -> dict[tuple[str, ...], str] | None:
    """Return what stands at which path; None if the like may stand elsewhere, too."""
    asked = ("path", "method", "logger") if shape.asks(members) else ()
    if shape.places("request line", members):
        return None
    roles: dict[tuple[str, ...], str] = {}
    for what in ("id", "time", "level", "user", *asked):
        for place in shape.places(what, members):
            path = [place] if isinstance(place, str) else place
            value = inner(members, path)
            skipped = {"user": (dict, list, type(None)), "logger": (dict, type(None))}
            if isinstance(value, skipped.get(what, ())):
                continue  # the next one counts
            names = tuple(step for step in path if isinstance(step, str))
            if len(names) < len(path) or names in roles:
                return None
            roles[names] = what
            break
    if "id" not in roles.values() and "trace" in members:
        return None
    return roles if "time" in roles.values() else None


class _Walk:
    """
    Makes the tokens of a line.

    Args:
        line: The line, which is JSON.
        roles: What stands at which path.
    """

    def __init__(self, line: bytes, roles: Mapping[tuple[str, ...], str]) -> None:
        self._line, self._roles = line, roles
        self._at = 0
        self._literal = b""
        self._tokens: list[bytes] = []
        self._found: list[tuple[int, str]] = []
        self._time: tuple[object, ...] | None = None

    def form(self, shape: Shape, members: dict[str, Any]) -> _Form | None:
        """Return the form, given the shape of the line's object."""
        try:
            self._object((), 0)
        except _NoFormError:
            return None
        if self._time is None or _END.fullmatch(self._line, self._at) is None:
            return None
        self._tokens.append(re.escape(self._literal) + rb"[ \t]*\r?")
        level: int | None = shape.format.level
        scale, is_number = ("", ""), False
        if any(role == "level" for _, role in self._found):
            place = shape.places("level", members)[0]
            path = (place,) if isinstance(place, str) else place
            is_number = isinstance(inner(members, path), int)
            level, scale = None, (name_of(place), shape.format.scale)
        tokens, found = tuple(self._tokens), tuple(self._found)
        return _Form(tokens, found, self._time, level, scale, is_number)

    def _next(self) -> re.Match[bytes]:
        match = _TOKEN.match(self._line, self._at)
        if match is None or len(self._tokens) > _MOST_VALUES:
            raise _NoFormError
        self._at = match.end()
        return match

    def _object(self, above: tuple[str, ...], depth: int) -> None:
        names: set[str] = set()
        mark = self._mark(b"{", depth)
        while mark != b"}":
            match = self._next()
            self._literal += match[0]
            if match[1] == b"}" and not names:
                return
            if match[2] is None:
                raise _NoFormError
            name = json.loads(match[2])
            if name in names:  # the last one counts
                raise _NoFormError
            names.add(name)
            self._mark(b":", 0)
            self._value((*above, name), depth)
            mark = self._mark(b",}", 0)

    def _mark(self, marks: bytes, depth: int) -> bytes:
        match = self._next()
        if match[1] is None or match[1] not in marks or depth > _DEEPEST:
            raise _NoFormError
        self._literal += match[0]
        return match[1]

    def _value(self, path: tuple[str, ...], depth: int) -> None:
        match = self._next()
        mark, text, number, word, listed = match.groups()
        blank = match[0][: len(match[0]) - len(match[0].lstrip())]
        role = self._roles.get(path)
        if mark is not None:
            if mark != b"{" or role is not None:
                raise _NoFormError
            self._at = match.start()
            self._object(path, depth + 1)
            return
        self._literal += blank
        if role is not None:
            self._capture(role, match[0].lstrip(), text is not None)
        elif word == b"null":
            self._literal += word
        elif word is not None:
            self._put(rb"(?:true|false)")
        elif listed is not None:
            self._put(_LIST)
        else:
            self._put(_TEXT if text is not None else _NUMBER)

    def _capture(self, role: str, value: bytes, is_text: bool) -> None:
        if role == "time":
            pattern = self._of_time(value)
        else:
            pattern = _CAPTURED[role][0 if is_text else 1]
        if re.fullmatch(pattern, value) is None:
            raise _NoFormError
        self._found.append((len(self._tokens), role))
        self._put(pattern)

    def _of_time(self, value: bytes) -> bytes:
        """Return the pattern of times that sort as their texts do."""
        if match := _ISO.fullmatch(value):
            fraction, zone = match.groups()
            self._time = ("iso", len(fraction or b""), zone.decode())
            part = rb"\.\d{%d}" % (len(fraction) - 1) if fraction else b""
            return rb'"(%s%s%s)"' % (_CLOCK, part, re.escape(zone))
        if match := _EPOCH.fullmatch(value):
            whole = len(match[1])
            self._time = ("epoch", whole, match[2] is None)
            part = b"" if match[2] is None else rb"\.\d{1,12}"
            return rb"([1-9]\d{%d}%s)" % (whole - 1, part)
        raise _NoFormError

    def _put(self, pattern: bytes) -> None:
        self._tokens.append(re.escape(self._literal) + pattern)
        self._literal = b""


class _NoFormError(Exception):
    """A line has no form."""


class _Node:
    def __init__(self) -> None:
        self.next: dict[bytes, _Node] = {}
        self.form: _Form | None = None


def _compiled(
    forms: Iterable[_Form],
) -> tuple[re.Pattern[bytes], dict[int, _Leaf]]:
    """
    Return a pattern for all lines, of which those with a form share their beginnings.

    Its first group is empty, and the last one has all of a line without a form. The end
    of a line is the group by which its leaf is known.
    """
    root = _Node()
    for form in forms:
        node = root
        for token in form.tokens:
            node = node.next.setdefault(token, _Node())
        node.form = form
    leaves: dict[int, _Leaf] = {}
    count = 0  # of the groups after the first one

    def pattern(node: _Node, above: tuple[int, ...]) -> bytes:
        nonlocal count
        if (form := node.form) is not None:
            count += 1
            at = {role: above[token] for token, role in form.roles}
            leaves[count] = _Leaf(tuple(at.get(role, 0) for role in _ROLES), form)
            return rb"(\n)"
        found = []
        for token, below in node.next.items():
            group = 0
            if re.compile(token).groups:
                count += 1
                group = count
            found.append(token + pattern(below, (*above, group)))
        return found[0] if len(found) == 1 else b"(?:%s)" % b"|".join(found)

    known = pattern(root, ())
    return re.compile(rb"()(?:%s|([^\n]*\n|[^\n]+))" % known), leaves


def _common(leaves: Sequence[_Leaf]) -> _Leaf | None:
    """Return what is true of all leaves; None if they differ."""
    groups = []
    for of_leaves in zip(*(leaf.groups for leaf in leaves), strict=True):
        if len({number for number in of_leaves if number}) > 1:
            return None
        groups.append(max(of_leaves))  # in the others it is empty
    form = leaves[0].form
    if any(leaf.form.reading != form.reading for leaf in leaves):
        return None
    return _Leaf(tuple(groups), form)


def _picked(row: tuple[bytes, ...], leaves: Mapping[int, _Leaf]) -> tuple[bytes, ...]:
    """Return what a line says in the order of `_PICKED`, its level as a number."""
    if row[-1]:
        return b"", b"", b"-1", b"", b"", b"", b""
    groups, form = leaves[row.index(b"\n")]
    time, level, *others = (row[group] for group in groups)
    return b"", time, b"%d" % _level(level, form), *others


#: How the rows of `_picked` are read; their first group is empty, too.
_PICKED = _Leaf(
    (1, 2, 3, 4, 5, 6), _Form((), (), (), None, ("levelno", ""), is_number=True)
)
