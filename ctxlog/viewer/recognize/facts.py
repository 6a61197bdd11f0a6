"""
What is shown of lines, told by their forms.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from math import isnan
from operator import itemgetter
from typing import NamedTuple

from ctxlog.viewer.recognize._form import Form, Token
from ctxlog.viewer.recognize._patterns import OTHER, Node, Pattern, Step
from ctxlog.viewer.recognize.forms import Learned, level_in, seconds_of

#: What a terminal would obey, and what JSON has escaped.
_ODD = re.compile(rb"[\x00-\x09\x0b-\x1f\x7f]")
# Of lower levels the word is shown.
_LEAST = 10
_ASKED = ("time", "level", "id", "message", "user", "path", "method")


class Facts(NamedTuple):
    """
    What is shown of a line that says nothing of an answer.

    Attributes:
        time: Seconds since the epoch.
        level: The level on logging's scale, from 10 on.
        user: The user; empty if it names none.
        path: The path of its request; empty if it names none.
        method: The method of its request; empty if it names none.
        message: The message, which is not empty.
        fields: The names of its fields, such as `user.id`, and their values as JSON.
    """

    time: float
    level: int
    user: str
    path: str
    method: str
    message: str
    fields: Mapping[str, bytes]


_Take = Callable[[Sequence[bytes]], Sequence[bytes]]


class _Leaf(NamedTuple):
    """
    A form, and what takes values out of a row.

    Attributes:
        form: The form.
        asked: What takes what is asked for.
        names: The names of the fields.
        values: What takes their values.
    """

    form: Form
    asked: _Take
    names: Sequence[str]
    values: _Take


class Teller:
    """Tells what is shown of lines: of most, once it has met some that are alike."""

    def __init__(self) -> None:
        self._learned = Learned()
        self._pattern: re.Pattern[bytes] | None = None
        self._leaves: dict[int, _Leaf] = {}
        self._levels: dict[tuple[bytes, Form], int] = {}

    def told(self, lines: Sequence[bytes], request: str) -> Sequence[Facts | None]:
        """
        Return what is shown of each line; None of those that are to be read.

        Args:
            lines: The lines.
            request: The id of the request whose lines they are.
        """
        data = b"".join(lines)
        if self._pattern is None:
            self._learn(lines)
        try:
            data.decode()
        except UnicodeDecodeError:
            return [None] * len(lines)
        if self._pattern is None or _ODD.search(data):
            return [None] * len(lines)
        rows = self._pattern.findall(data)
        if len(rows) != len(lines):
            return [None] * len(lines)
        if not self._learned.is_full:
            self._learn([row[-1] for row in rows if row[-1]])
        name = b'"%s"' % request.encode("utf-8", "replace")
        return [None if row[-1] else self._facts(row, name) for row in rows]

    def _facts(self, row: tuple[bytes, ...], name: bytes) -> Facts | None:
        form, asked, names, values = self._leaves[row.index(b"\n")]
        time, level, id, message, *about = asked(row)
        known = self._levels.get((level, form))
        if known is None:
            known = self._levels[level, form] = level_in(level.strip(b'"'), form)
        shown = json.loads(message) if b"\\" in message else message[1:-1].decode()
        if known < _LEAST or id != name or not shown or shown[-1] == "\n":
            return None
        at = seconds_of(time.strip(b'"'))
        if isnan(at):
            return None
        user, path, method = [one.strip(b'"').decode() for one in about]
        fields = dict(zip(names, values(row), strict=True))
        return Facts(at, known, user, path, method, shown, fields)

    def _learn(self, lines: Sequence[bytes]) -> None:
        if not self._learned.learn(lines):
            return
        root = Node()
        for form in self._learned.forms.values():
            if form.is_shown:
                root.add(form, map(_step, form.tokens))
        if not root.next:
            return
        pattern = Pattern(root, ends=True)
        self._pattern = re.compile(rb"()(?:%s|%s)" % (pattern.source, OTHER))
        self._leaves = {
            number: _leaf(form, groups) for number, form, groups in pattern.leaves
        }


def _step(token: Token) -> Step:
    if token.role or token.name:
        return Step(token.written, f"{token.role} {token.name}")
    return Step(token.alone)


def _leaf(form: Form, groups: Mapping[str, int]) -> _Leaf:
    """Return where values are, given the number of the group of each role and name."""
    asked, names = dict.fromkeys(_ASKED, 0), {}
    for what, group in groups.items():
        role, _, name = what.partition(" ")
        if role:
            asked[role] = group
        if name:
            names[name] = group
    return _Leaf(form, _take(asked.values()), [*names], _take(names.values()))


def _take(numbers: Collection[int]) -> _Take:
    if len(numbers) > 1:
        return itemgetter(*numbers)
    return lambda row: [row[number] for number in numbers]
