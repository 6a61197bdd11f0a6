"""
The parts of a line that are shown, taken from its bytes by its form.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple

from ctxlog.viewer.recognize._form import Form, Token
from ctxlog.viewer.recognize._objects import simple
from ctxlog.viewer.recognize._patterns import Node, Pattern, Step
from ctxlog.viewer.recognize.forms import Learned, Levels

#: All but what a terminal would obey, which JSON has escaped.
_PLAIN = b"\n" + bytes(range(32, 127)) + bytes(range(128, 256))
# Of lower levels the word is shown.
_LEAST = 10
_ASKED = ("level", "id", "message", "user", "path", "method")


class Facts(NamedTuple):
    """
    What is shown of a line that says nothing of an answer.

    Attributes:
        time: Seconds since the epoch.
        level: The level on logging's scale, from 10 on.
        user: The user as it is written; empty if it names none.
        path: The path of its request as it is written; empty if it names none.
        method: The method of its request as it is written; empty if it names none.
        message: The message, which is not empty.
        names: The names of its fields, such as `user.id`.
        values: The values of these as they are written: JSON, unless the line is none.
    """

    time: float
    level: int
    user: bytes
    path: bytes
    method: bytes
    message: str
    names: Sequence[str]
    values: Sequence[bytes]


_Take = Callable[[Sequence[bytes]], Sequence[bytes]]


class _Leaf(NamedTuple):
    """
    A form, and what takes values out of a row.

    Attributes:
        levels: Its levels as they are written, on logging's scale.
        asked: What takes what is asked for.
        names: The names of the fields.
        values: What takes their values.
    """

    levels: Levels
    asked: _Take
    names: Sequence[str]
    values: _Take


class Teller:
    """Tells what is shown of lines: of most, once it has met some that are alike."""

    def __init__(self) -> None:
        self._learned = Learned()
        self._pattern: re.Pattern[bytes] | None = None
        self._leaves: dict[int, _Leaf] = {}

    def told(
        self, lines: Sequence[bytes], times: Sequence[float], request: str
    ) -> Sequence[Facts | None]:
        """
        Return what is shown of each line; None of those that are to be read.

        Args:
            lines: The lines.
            times: The time of each in seconds since the epoch; NaN if there was none.
            request: The id of the request whose lines they are.
        """
        data = b"".join(lines)
        if self._pattern is None:
            self._learn(lines)
        try:
            data.decode()
        except UnicodeDecodeError:
            return [None] * len(lines)
        if self._pattern is None or data.translate(None, _PLAIN):
            return [None] * len(lines)
        rows, leaves = self._pattern.findall(data), self._leaves
        if len(rows) != len(lines):
            return [None] * len(lines)
        if not self._learned.is_full:
            self._learn([row[-1] for row in rows if row[-1]])
        id = request.encode("utf-8", "replace")
        has_escapes = b"\\" in data
        return [
            None
            if row[-1] or (has_escapes and _is_doubtful(line))
            else _facts(row, leaves, time, id)
            for row, line, time in zip(rows, lines, times, strict=True)
        ]

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
        self._pattern = pattern.compiled
        self._leaves = {
            number: _leaf(form, groups) for number, form, groups in pattern.leaves
        }


def _facts(
    row: tuple[bytes, ...], leaves: Mapping[int, _Leaf], time: float, id: bytes
) -> Facts | None:
    levels, asked, names, values = leaves[row.index(b"\n")]
    written, named, message, user, path, method = asked(row)
    level = levels[written]
    text = json.loads(b'"%s"' % message) if b"\\" in message else message.decode()
    is_shown = named == id and level >= _LEAST and text and text[-1] != "\n"
    if not is_shown or time != time:
        return None
    return Facts(time, level, user, path, method, text, names, values(row))


def _is_doubtful(line: bytes) -> bool:
    """Whether a line that has a form is no JSON, by its escapes."""
    return b"\\" in line and simple(line) is None


def _step(token: Token) -> Step:
    if token.name:
        return Step(token.written, f"{token.role} {token.name}")
    if token.role in _ASKED:
        return Step(token.captured, f"{token.role} ")
    return Step(token.alone)


def _leaf(form: Form, groups: Mapping[str, int]) -> _Leaf:
    """Return where values are, given the number of the group of each role and name."""
    asked: dict[str, int] = dict.fromkeys(_ASKED, 0)
    names: dict[str, int] = {}
    for what, group in groups.items():
        role, _, name = what.partition(" ")
        if role in asked:
            asked[role] = group
        if name:
            names[name] = group
    return _Leaf(Levels(form), _take(asked.values()), [*names], _take(names.values()))


def _take(numbers: Collection[int]) -> _Take:
    if len(numbers) > 1:
        return itemgetter(*numbers)
    return lambda row: [row[number] for number in numbers]
