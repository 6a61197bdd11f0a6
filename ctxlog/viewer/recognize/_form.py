"""
The form of one line: what all have in common that one place in a program writes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from ctxlog.viewer.recognize._objects import simple
from ctxlog.viewer.recognize._shape import Shape, inner, name_of
from ctxlog.viewer.recognize.keys import CALLS

_LONGEST, _DEEPEST, _MOST_VALUES = 16_384, 6, 80

_TOKEN = re.compile(
    rb'[ \t]*(?:([{}:,])|("(?:[^"\\\n]|\\.)*")'
    rb"|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)|(true|false|null)"
    rb'|(\[(?:[^\[\]{}"\\\n]|"[^"\\\n]*")*\]))'
)
_END = re.compile(rb"[ \t]*\r?\n?")
# A quote that is escaped ends no value: another one than the pattern's comes behind it.
_TEXT, _MESSAGE = rb'"[^"]*"', rb'"([^"]*)"'
_NUMBER = rb"[-+.0-9eE]+"
_LIST = rb'\[(?:[^\[\]{}"\\\n]|"[^"\\\n]*")*\]'
_CLOCK = rb"\d\d\d\d-[01]\d-[0-3]\dT[012]\d:[0-5]\d:[0-5]\d"
_ISO = re.compile(rb'"%s(\.\d+)?(Z|[+-]\d\d:?\d\d)"' % _CLOCK)
_EPOCH = re.compile(rb"([1-9]\d{8,18})(\.\d{1,12})?")
_NONE = rb"(?!)"
_NOT_FAILED = re.compile(r"[1-4]\d\d")
#: Values that say something, as texts and as numbers; what is odd is looked at apart.
_CAPTURED: Mapping[str, tuple[bytes, bytes]] = {
    "level": (rb'"([^"]+)"', rb"(\d{1,4})"),
    "id": (rb'"([^"]+)"', rb"([1-9]\d{0,17})"),
    "user": (rb'"([^"\\-][^"\\]*)"', rb"([1-9]\d{0,17})"),
    "path": (rb'"([^"\\]+)"', _NONE),
    "method": (rb'"([A-Za-z][A-Za-z-]{1,19})"', _NONE),
    # What is no call of another service, whose path is not that of the request.
    "logger": (rb'"(?!%s")[^"]*"' % re.escape(CALLS.encode()), _NONE),
    "status": (rb'"[1-4]\d\d"', rb"[1-4]\d\d"),
}
#: Of these there is nothing to tell: a line of which they are otherwise has no form.
_UNTOLD = frozenset({"logger", "status"})


class Token(NamedTuple):
    """
    A piece of a form: what all lines have there, and the value behind it.

    Attributes:
        before: A pattern of what they have in common.
        value: A pattern of the value; its group is what it says.
        role: What it is: `time`, `id`, ...; empty if that does not matter.
        name: The field that it is, such as `user.id`; empty if it is none.
    """

    before: bytes
    value: bytes = b""
    role: str = ""
    name: str = ""

    @property
    def captured(self) -> bytes:
        """A pattern of both whose group is what the value says."""
        return self.before + self.value

    @property
    def alone(self) -> bytes:
        """A pattern of both where the value may say anything, without a group."""
        if not self.role:
            return self.before + self.value
        return self.before + (_TEXT if self.value.startswith(b'"') else _NUMBER)

    @property
    def written(self) -> bytes:
        """A pattern of both whose group is the value as it is written."""
        return b"%s(%s)" % (self.before, self._value)

    @property
    def _value(self) -> bytes:
        return self.value.replace(b"(", b"(?:", 1) if self.role else self.value

    def among(self, words: Iterable[bytes]) -> bytes:
        """Return a pattern of both where the value says one of some words."""
        begin, end = self.value.index(b"("), self.value.rindex(b")")
        some = b"|".join(map(re.escape, sorted(words)))
        return (
            self.before + self.value[:begin] + b"(?:%s)" % some + self.value[end + 1 :]
        )


class Form(NamedTuple):
    """
    What the lines of a form have in common.

    Attributes:
        tokens: What matches such a line, one after the other.
        time: How times are written; those that are written alike sort as texts.
        level: The level of lines that say none; None if they do.
        scale: The name of the level, and the scale of its numbers.
        is_number: Whether the level is one.
        is_shown: Whether what is shown of such a line is its time, level, message and
            fields as they are written.
        answers: Whether it says how its request, or a call, was answered: not as one
            that failed.
    """

    tokens: tuple[Token, ...]
    time: tuple[object, ...]
    level: int | None
    scale: tuple[str, str]
    is_number: bool
    is_shown: bool = False
    answers: bool = False

    @property
    def reading(self) -> tuple[object, ...]:
        """How its times and levels are read."""
        return self[1:5]


def form_of(line: bytes, *, answers: bool = False) -> Form | None:
    """
    Return the form of a line; None if it has to be read, as all like it.

    Args:
        line: The line.
        answers: Whether one that says how its request was answered may have one.
    """
    members = simple(line) if len(line) <= _LONGEST and line[:1] == b"{" else None
    if members is None:
        return None
    shape = Shape.of(members)
    roles = None
    if answers or shape.is_bare(members):
        roles = _roles(shape, members)
    if roles is None:
        return None
    message = shape.best("message", members)
    if message is not None and type(members[message]) is str:
        roles.setdefault((message,), "message")
    return _Walk(line, roles, shape.fields(members)).form(shape, members)


def _roles(shape: Shape, members: dict[str, Any]) -> dict[tuple[str, ...], str] | None:
    """Return what stands at which path; None if the like may stand elsewhere, too."""
    asked: tuple[str, ...] = ("status",)
    if shape.is_bare(members):
        if shape.places("request line", members):
            return None
        asked = ("user",)
        if shape.asks(members):
            asked = ("user", "path", "method", "logger")
    roles: dict[tuple[str, ...], str] = {}
    for what in ("id", "time", "level", *asked):
        for place in shape.places(what, members):
            path = [place] if isinstance(place, str) else place
            value = inner(members, path)
            skipped = {"user": (dict, list, type(None)), "logger": (dict, type(None))}
            if isinstance(value, skipped.get(what, ())):
                continue  # the next one counts
            names = tuple(step for step in path if isinstance(step, str))
            if len(names) < len(path) or names in roles:
                return None
            if what == "status" and _NOT_FAILED.fullmatch(str(value)) is None:
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
        fields: The members that are fields; None if that must be looked at.
    """

    def __init__(
        self,
        line: bytes,
        roles: Mapping[tuple[str, ...], str],
        fields: Collection[str] | None,
    ) -> None:
        self._line, self._roles = line, roles
        self._is_shown, self._fields = fields is not None, fields or ()
        self._at = 0
        self._literal = b""
        self._tokens: list[Token] = []
        self._time: tuple[object, ...] | None = None

    def form(self, shape: Shape, members: dict[str, Any]) -> Form | None:
        """Return the form, given the shape of the line's object."""
        try:
            self._object((), 0)
        except _NoFormError:
            return None
        if self._time is None or _END.fullmatch(self._line, self._at) is None:
            return None
        self._tokens.append(Token(re.escape(self._literal) + rb"[ \t]*\r?"))
        level: int | None = shape.format.level
        scale, is_number = ("", ""), False
        if any(token.role == "level" for token in self._tokens):
            place = shape.places("level", members)[0]
            path = (place,) if isinstance(place, str) else place
            is_number = isinstance(inner(members, path), int)
            level, scale = None, (name_of(place), shape.format.scale)
        answers = not shape.is_bare(members)
        is_shown = self._is_shown and not (shape.is_marked or shape.format.template)
        is_shown &= any(token.role == "message" for token in self._tokens)
        return Form(
            tuple(self._tokens),
            self._time,
            level,
            scale,
            is_number,
            is_shown and not answers,
            answers,
        )

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
                self._is_shown &= depth < 2  # a value of an object is shown as it is
                return
            if match[2] is None:
                raise _NoFormError
            name = json.loads(match[2])
            if name in names:  # the last one counts
                raise _NoFormError
            names.add(name)
            self._is_shown &= "." not in name
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
        name = ".".join(path) if path[0] in self._fields and role != "id" else ""
        if role == "message":
            self._put(_MESSAGE, role)
        elif role is not None:
            self._is_shown &= role != "id" or len(path) < 3
            self._capture(role, name, match[0].lstrip(), text is not None)
        elif word is not None:
            self._put(b"null" if word == b"null" else rb"(?:true|false)", name=name)
        elif listed is not None:
            self._put(_LIST, name=name)
        else:
            self._put(_TEXT if text is not None else _NUMBER, name=name)

    def _capture(self, role: str, name: str, value: bytes, is_text: bool) -> None:
        if role == "time":
            pattern = self._of_time(value)
        else:
            pattern = _CAPTURED[role][0 if is_text else 1]
        if re.fullmatch(pattern, value) is None:
            raise _NoFormError
        self._put(pattern, "" if role in _UNTOLD else role, name)

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

    def _put(self, pattern: bytes, role: str = "", name: str = "") -> None:
        self._tokens.append(Token(re.escape(self._literal), pattern, role, name))
        self._literal = b""


class _NoFormError(Exception):
    """A line has no form."""
