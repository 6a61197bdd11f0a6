"""
Any value, made fit for JSON. Core: standard library only.

A log call takes whatever it is given: cycles, NaN, lone surrogates, objects whose
`__str__` raises. Nothing here raises; what JSON cannot hold is replaced by something
readable, and the replacement is reported. Secrets are hidden on the way, since this is
the one place that looks into every value.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import math
import re
import sys
import threading
import traceback
from collections import deque
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Mapping,
    Sequence,
    Set,
)
from enum import Enum
from itertools import chain, islice
from types import SimpleNamespace, TracebackType
from typing import Any

from ctxlog._interrupts import is_interrupt
from ctxlog._json import FLAT_TYPES, dumps
from ctxlog.line._pairs import VALUE_KEYS
from ctxlog.line.redact import REDACTED, Redactor

#: Containers within containers, beyond which a value is replaced. Deeper documents
#: are refused by common stores (Elasticsearch: 20, jq: 256).
_MAX_DEPTH = 32

# What is left of a text when there is no room.
_SHORT = 64

# The longest secret that is still found where a text is cut.
_EDGE = 512

_LEAST, _MOST = -(2**63), 2**64 - 1
_PROBLEMS = 8

# Not `kind.__name__`, which a metaclass may define as it likes.
_name_of: Callable[[type], str] = type.__dict__["__name__"].__get__


class _Reading(threading.local):
    """Who in this thread reads a foreign value, and within how many others."""

    reader: object = None
    depth = 0


#: A value may log while it is being read, itself perhaps: a line within a line within
#: a line. Beyond so many nothing foreign is read, or there would be no end to it.
reading = _Reading()
MAX_READING = 4


def type_name(value: object) -> str:
    """Return the name of the type of `value`. Never raises."""
    return _name_of(type(value))


def safe_str(value: object) -> str:
    """
    Return `str(value)`, else its `repr()`, else its type's name.

    Raises nothing but what interrupts it.
    """
    for convert in (str, repr):
        try:
            return str.__str__(convert(value))
        except Exception as error:  # whatever a third-party __str__ raises
            if is_interrupt(error):
                raise
    return f"<unprintable {type_name(value)}>"


def cut(text: str, limit: int, hide: Callable[[str], str] | None = None) -> str:
    """
    Return `text`, shortened in the middle if it has over `limit` characters.

    With `hide`, which hides the secrets of a text, one on the edge of a cut is hidden
    too, and the text between the edges is never searched.
    """
    if len(text) <= limit:
        return text if hide is None else hide(text)
    head, tail = limit * 2 // 3, limit // 3
    dropped = len(text) - head - tail
    first, last = text[:head], text[len(text) - tail :]
    if hide is not None:
        # Half of the edge goes again: half a secret may stand at its end.
        first, last = hide(text[: head + _EDGE]), hide(text[-tail - _EDGE :])
        if len(text) > head + _EDGE:
            first = first[: -_EDGE // 2]
        if len(text) > tail + _EDGE:
            last = last[_EDGE // 2 :]
        first, last = first[:head], last[max(len(last) - tail, 0) :]
    return f"{first}[... {dropped} characters ...]{last}"


# A word, as in a list of words: it is no secret because "token" stands before it.
_PLAIN_WORD = re.compile(r"[A-Za-z_.-]*")

# Members of an object that is still taken for a name with its value.
_FEW = 32

# Bytes of a value after which its containers are looked at all together.
_MANY_BYTES = 512

# Methods of mappings that give a list of all values of a name: of Werkzeug and Django,
# and of Twisted.
_MANY = ("lists", "getAllRawHeaders")

_CONTAINERS = frozenset({dict, list, tuple})
_PLAIN_TYPES = _CONTAINERS | FLAT_TYPES | {float}


class Walk:
    """
    One pass over values, making them plain: None, bool, int, float, str, list, dict.

    Args:
        redactor: What to hide.
        max_text: Bytes beyond which a text is cut.
        max_bytes: Bytes of JSON beyond which containers are cut and texts are short,
            over the whole pass: a structure that refers to its parts many times has
            more than fit in memory.
        default: Asked first about a value of an unknown type; may raise `TypeError`.

    Attributes:
        cut: Whether something was too long.
        problems: What was replaced, and where.
    """

    __slots__ = (
        "_active",
        "_default",
        "_looks",
        "_path",
        "_redactor",
        "_room",
        "_soon",
        "_spare",
        "cut",
        "max_text",
        "problems",
    )

    def __init__(
        self,
        redactor: Redactor,
        max_text: int,
        max_bytes: int,
        default: Callable[[Any], Any] | None = None,
    ) -> None:
        self._redactor = redactor
        self._room = max_bytes
        self._soon = max_bytes - _MANY_BYTES
        self._spare = max_bytes // 8
        self._looks = 0 if redactor.patterns else max_bytes
        self._default = default
        self._path: list[object] = []
        self._active: set[int] = set()
        self.cut = False
        self.max_text = max_text
        self.problems: list[str] = []

    def problem(self, what: str) -> None:
        """Report that something was replaced, and where."""
        if len(self.problems) == _PROBLEMS:
            self.problems.append("and more")
        elif len(self.problems) < _PROBLEMS:
            where = ".".join(cut(str(part), 80) for part in self._path)
            self.problems.append(f"{where}: {what}" if where else what)

    def _left_out(self) -> None:
        self.cut = True
        self.problem("further values left out")

    def text(self, text: str) -> str:
        """Return `text` with secrets hidden, valid as UTF-8, and cut to its limit."""
        length = len(text)
        patterns = self._redactor.patterns
        if length <= _SHORT and not patterns and text.isascii() and text.isprintable():
            self._room -= length + 3
            return text
        limit = min(self.max_text, max(self._room, _SHORT))
        hide = self._redactor.text if patterns else None
        if length > limit:
            text = cut(text, limit, hide)
        elif hide is not None:
            text = hide(text)
        try:
            size = len(dumps(text))
        except (TypeError, ValueError) as error:
            if is_interrupt(error):
                raise
            self.problem("lone surrogates escaped")
            text = text.encode("utf-8", "backslashreplace").decode()
            size = len(dumps(text))
        if size > limit + _SHORT:  # characters of several bytes
            text = cut(text, limit * len(text) // size)
            size = len(dumps(text))
        if length > limit or size > limit + _SHORT:
            self.cut = True
            self.problem(f"text of {length} characters cut")
        self._room -= size + 1
        return text

    def named(
        self,
        pairs: Collection[tuple[object, object]],
        rename: Callable[[str], str] | None = None,
        repeats: bool = False,
    ) -> dict[str, Any]:
        """
        Return pairs as a plain dict.

        Args:
            pairs: The names and values.
            rename: Maps the names of the outermost.
            repeats: Whether a name may come again, as in headers: its values become a
                list. Otherwise a second key of one name gets a name of its own.
        """
        plain: dict[str, Any] = {}
        lists: set[str] = set()
        # A field after one that fills the line is still there, cut short.
        least = 0 if self._path else -self._spare
        self._room -= 3
        for key, value in pairs:
            if self._room <= least:
                self._left_out()
                break
            name = self._name(key)
            hidden = self._redactor.hides(name, value) or (
                name in VALUE_KEYS and self._is_named(name, value, pairs)
            )
            name = self.text(name)
            if rename is not None:
                name = rename(name)
            self._path.append(name)
            if name in plain and not repeats:
                self.problem(f"a second key of this name, {type_name(key)}")
                name = self._unique(name, plain)
            shown = self._hidden() if hidden else self.value(value)
            if name not in plain:
                plain[name] = shown
            elif name in lists:
                plain[name].append(shown)
            else:
                plain[name] = [plain[name], shown]
                lists.add(name)
            self._path.pop()
        return plain

    @staticmethod
    def _unique(name: str, taken: dict[str, Any]) -> str:
        number = 2
        while f"{name}#{number}" in taken:
            number += 1
        return f"{name}#{number}"

    def _hidden(self) -> str:
        self._room -= len(REDACTED) + 3
        return REDACTED

    def _is_named(
        self, key: str, value: object, pairs: Iterable[tuple[object, object]]
    ) -> bool:
        """Whether another member of an object says that `value` is a secret."""
        for other, name in islice(pairs, _FEW):
            if type(other) is str and other in VALUE_KEYS[key]:
                if other == "loc" and isinstance(name, (list, tuple)) and name:
                    name = name[-1]
                if (text := _text_of(name)) and self._redactor.hides(text, value):
                    return True
        return False

    def _name(self, key: object) -> str:
        if type(key) is str:
            return key
        if key is None or key is True or key is False:
            return {None: "null", True: "true", False: "false"}[key]
        if issubclass(type(key), Enum):  # isinstance() would ask a foreign __class__
            key = getattr(key, "_value_", key)
        return key if type(key) is str else self._str(key)

    def value(self, value: object) -> Any:
        """Return `value` made plain."""
        kind = type(value)
        if kind is str:
            return self.text(value)  # type: ignore[arg-type]
        if value is None or kind is bool:
            self._room -= 6
            return value
        if kind is int:
            return self._int(value)  # type: ignore[arg-type]
        if kind is float:
            return self._float(value)  # type: ignore[arg-type]
        if kind in _CONTAINERS:
            return self._within(value, self._builtin)
        within, depth = reading.reader, reading.depth
        if within is not self and depth >= MAX_READING:
            self.problem("logged by what is being logged")
            return self.text(f"<{type_name(value)}>")
        try:
            if within is not self:
                reading.reader, reading.depth = self, depth + 1
            return self._other(value)
        except Exception as error:  # a third-party property, method, __class__
            if is_interrupt(error):
                raise
            return self._unreadable(value, error)
        finally:
            reading.reader, reading.depth = within, depth

    def _builtin(self, value: Any) -> Any:
        # Few values are read one by one sooner than all together.
        if self._looks > 0 and (len(value) > _FEW or self._room < self._soon):
            with contextlib.suppress(ValueError, OverflowError):
                return self._copied(value)
        if type(value) is dict:
            # A copy first: another thread may write to it meanwhile.
            few = value if len(value) <= _FEW else _copy(value, self._most())
            return self.named(list(few.items()))
        if self._is_secret(value) and not _is_plain_word(value[1]):
            self._room -= 3
            return [self.value(value[0]), self._hidden()]
        return self._items(value)

    def _copied(self, value: Any) -> Any:
        """
        Return a copy of containers in which nothing need be replaced.

        It looks at all values of one depth at a time, without a step of Python for
        each: large values are mostly of this kind.

        Raises:
            ValueError: If something in it may have to be replaced.
            OverflowError: If it is too long, and must be cut member by member.
        """
        length = len(value)
        most = min(self._most(), length)
        while (whole := self._taken(value, most)) is None:
            most //= 4
            if most < _FEW:
                raise OverflowError
        try:
            return self._cut_to_fit(whole, most < length)
        except TypeError as error:  # a big integer, a lone surrogate
            raise ValueError from error

    def _taken(self, value: Any, most: int) -> Any:
        """Return a copy with at most so many members; None if there is more in it."""
        whole = _copy(value, most)
        level, looks = [whole], self._looks
        left = self._room // 2  # a member takes two bytes or more
        for _ in range(_MAX_DEPTH - len(self._active)):
            left -= sum(map(len, level))
            self._looks -= sum(map(len, level))
            members = self._plain_members(level) if left >= 0 else None
            if members is None or sum(len(member) for _, _, member in members) > left:
                return None
            if not members:
                self._looks = looks
                return whole
            if self._looks < 0:  # the same value may be in it many times
                break
            level = []
            for container, position, member in members:
                container[position] = copy = _copy(member, left)
                level.append(copy)
        raise ValueError

    def _plain_members(self, level: list[Any]) -> list[tuple[Any, Any, Any]] | None:
        """
        Look at the members of copied containers.

        Returns:
            Those that are containers: where they are, under what, and themselves.
            None if the texts among them are too long.

        Raises:
            ValueError: If one may have to be replaced.
        """
        dicts = [container for container in level if type(container) is dict]
        lists = [container for container in level if type(container) is list]
        if dicts and not self._redactor.shows_all(set(map(tuple, dicts))):
            raise ValueError
        members = [
            *chain.from_iterable(map(dict.values, dicts)),
            *chain.from_iterable(lists),
        ]
        kinds = set(map(type, members))
        if not kinds <= _PLAIN_TYPES:
            raise ValueError
        if float in kinds and not math.isfinite(
            sum(member for member in members if type(member) is float)
        ):
            raise ValueError
        if str in kinds:
            if lists and self._redactor.hides_any(
                {pair[0] for pair in lists if len(pair) == 2 and type(pair[0]) is str}
            ):
                raise ValueError
            texts = members if kinds == {str} else _texts(members)
            length = sum(map(len, texts))
            if length > self._room or (
                length > self.max_text and max(map(len, texts)) > self.max_text
            ):
                return None
        if kinds.isdisjoint(_CONTAINERS):
            return []
        return [
            (container, position, member)
            for container in level
            for position, member in (
                list(container.items())
                if type(container) is dict
                else enumerate(container)
            )
            if type(member) in _CONTAINERS
        ]

    def _cut_to_fit(self, whole: Any, is_cut: bool) -> Any:
        """Return as many members of a plain container as there is room for."""
        size, number, part = len(dumps(whole)), len(whole), whole
        while size > self._room:
            # In proportion, which is right at once where its members are alike.
            fewer = number * (self._room - _SHORT) // size
            if fewer < _FEW:
                raise OverflowError
            is_cut, number = True, fewer
            part = _copy(whole, number)
            size = len(dumps(part))
        if is_cut:
            self._left_out()
            if type(part) is list:
                part.append("[...]")
        self._room -= size + 1
        return part

    def _is_secret(self, pair: Any) -> bool:
        """Whether `pair` is the name of a secret and its value, as headers have it."""
        if not issubclass(type(pair), (list, tuple)) or len(pair) != 2:
            return False
        name = _text_of(pair[0])
        return name is not None and self._redactor.hides(name, pair[1])

    def _unreadable(self, value: object, error: Exception) -> str:
        kind = type_name(value)
        self.problem(f"{kind} raised {type_name(error)} while being read")
        return self.text(f"<unreadable {kind}>")

    def _within(self, value: object, convert: Callable[[Any], Any]) -> Any:
        identity = id(value)
        if identity in self._active:
            self.problem("refers to itself")
            return self.text("[circular]")
        if len(self._active) >= _MAX_DEPTH:
            self.problem(f"more than {_MAX_DEPTH} levels deep")
            return self.text("[too deep]")
        self._active.add(identity)
        try:
            return convert(value)
        finally:
            self._active.discard(identity)

    def _pairs(self, value: Any) -> dict[str, Any]:
        """Return what any mapping has, all values of a name that comes again."""
        kind = type(value)
        many = [name for name in _MANY if hasattr(kind, name)]
        pairs: Iterable[Any]
        if hasattr(kind, "multi_items"):  # Starlette's and httpx' parameters
            pairs = value.multi_items()
        elif many:
            named = getattr(value, many[0])()
            pairs = ((key, one) for key, values in named for one in values)
        elif hasattr(kind, "items"):
            pairs = value.items()
        else:
            pairs = zip(value.keys(), value, strict=True)
        if issubclass(kind, dict):  # another thread may write to it meanwhile
            pairs = list(pairs)
        found = [
            (bytes.decode(key, "latin-1") if isinstance(key, bytes) else key, one)
            for key, one in islice(pairs, self._most())
        ]
        return self.named(found, repeats=True)

    def _most(self) -> int:
        # The least that a member takes is four bytes.
        return max(self._room, 0) // 4 + 1

    def _items(self, value: Iterable[Any]) -> list[Any]:
        plain: list[Any] = []
        self._room -= 3
        for i, item in enumerate(value):
            if self._room <= 0:
                self._left_out()
                plain.append("[...]")
                break
            self._path.append(i)
            if type(item) not in FLAT_TYPES and self._is_secret(item):
                self._room -= 3
                plain.append([self.value(item[0]), self._hidden()])
            else:
                plain.append(self.value(item))
            self._path.pop()
        return plain

    def _int(self, value: int) -> int | str:
        if _LEAST <= value <= _MOST:
            self._room -= len(str(value)) + 1
            return value
        self.problem("an integer of over 64 bits written as text")
        try:
            return self.text(str(value))
        except ValueError as error:  # over sys.get_int_max_str_digits()
            if is_interrupt(error):
                raise
            return self.text(hex(value))

    def _float(self, value: float) -> float | str:
        if math.isfinite(value):
            self._room -= len(repr(value)) + 1
            return value
        self.problem(f"{value} is not a JSON number, written as text")
        shown = {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")
        return self.text(shown)

    def _bytes(self, value: bytes) -> str:
        try:
            return self.text(value.decode())
        except UnicodeDecodeError:
            self.problem("bytes that are not UTF-8 escaped")
            shown = value[: self.max_text + 1]
            return self.text(shown.decode("utf-8", "backslashreplace"))

    def _other(self, value: Any) -> Any:
        if isinstance(value, Enum):
            return self._within(value, lambda member: self.value(member.value))
        if self._default is not None:
            try:
                found = self._default(value)
            except TypeError as error:
                if is_interrupt(error):
                    raise
            else:
                return self._within(value, lambda _: self.value(found))
        if isinstance(value, str):
            return self.text(self._str(value))
        if isinstance(value, bool):
            return bool(value)
        if isinstance(value, int):
            return self._int(int.__add__(value, 0))
        if isinstance(value, float):
            return self._float(float.__add__(value, 0.0))
        if isinstance(value, (bytes, bytearray, memoryview)):
            return self._bytes(bytes(value))
        if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
            return self.text(value.isoformat())
        if isinstance(value, BaseException):
            return self.text(f"{type_name(value)}: {self._str(value)}")
        if isinstance(value, TracebackType):
            return self.text("".join(traceback.format_tb(value)))
        if isinstance(value, type):
            return self.text(_name_of(value))
        if getattr(type(value), "__pydantic_root_model__", False):
            return self._within(value, lambda model: self.value(model.root))
        pairs = _attributes(value)
        if pairs is None:
            pairs = self._cookies(value)
        if pairs is not None:
            return self._within(value, lambda _: self.named(pairs))
        if isinstance(value, Mapping) or _is_paired(value):
            return self._within(value, self._pairs)
        if isinstance(value, Set):
            return self._within(value, lambda members: self._items(_ordered(members)))
        if isinstance(value, deque):
            # Unlike a list it cannot be read while another thread writes to it.
            return self._within(value, lambda items: self._items(list(items)))
        if isinstance(value, Sequence):
            return self._within(value, self._items)
        listed = self._array(value)
        if listed is not None:
            return self._within(value, lambda _: self.value(listed[0]))
        return self.text(self._str(value))

    @staticmethod
    def _cookies(value: Any) -> list[tuple[str, str]] | None:
        """The cookies of a jar of the standard library, requests or httpx, hidden."""
        library: Any = sys.modules.get("http.cookiejar")
        if library is None:
            return None
        jar = getattr(value, "__dict__", {}).get("jar", value)
        if isinstance(jar, library.CookieJar):
            return [(cookie.name, REDACTED) for cookie in jar]
        return [(value.name, REDACTED)] if isinstance(value, library.Cookie) else None

    def _str(self, value: object) -> str:
        try:
            return str.__str__(str(value))
        except Exception as error:  # whatever a third-party __str__ raises
            if is_interrupt(error):
                raise
            self.problem(f"str() raised {type_name(error)}")
            return safe_str(value)

    def _array(self, value: Any) -> tuple[Any] | None:
        # numpy's scalars and arrays, known by name since the library is not imported.
        if str(type(value).__module__).partition(".")[0] != "numpy":
            return None
        if getattr(value, "size", 1) > self._room // 2:
            self.problem(f"array of {value.size} values left out")
            shape = "x".join(map(str, value.shape))
            return (f"<array of {shape} {value.dtype}>",)
        if not hasattr(value, "tolist"):
            return None
        if value.dtype.kind in "mM":  # or nanoseconds would be a bare number
            value = value.astype(str)
        return (value.tolist(),)


def _text_of(name: Any) -> str | None:
    """The text that names a value: of a header, in bytes too."""
    kind = type(name)
    if issubclass(kind, str):
        return str.__str__(name)
    if issubclass(kind, bytes) and len(name) <= _EDGE:
        return bytes.decode(name, "latin-1")
    return None


def _texts(members: list[Any]) -> list[str]:
    return [member for member in members if type(member) is str]


def _is_plain_word(value: object) -> bool:
    return type(value) is str and _PLAIN_WORD.fullmatch(value) is not None


def _is_paired(value: Any) -> bool:
    """Whether a value is a mapping without saying so, as many headers and rows are."""
    kind = type(value)
    if hasattr(kind, "getAllRawHeaders"):
        return True
    if not hasattr(kind, "__getitem__") or not callable(getattr(kind, "keys", None)):
        return False
    if not callable(getattr(kind, "items", None)):
        return isinstance(value, Sequence)  # a row of sqlite3
    # A table has columns for items: its text is better. A row is a mapping.
    return not hasattr(kind, "__array__") or getattr(value, "ndim", None) == 1


def _copy(container: Any, most: int) -> Any:
    """Return a shallow copy with at most so many members; a tuple becomes a list."""
    if type(container) is dict:
        if len(container) <= most:
            return container.copy()
        return dict(islice(list(container.items()), most))
    return list(container[:most])


def _is_names(fields: object) -> bool:
    return isinstance(fields, tuple) and all(isinstance(name, str) for name in fields)


def _ordered(members: Set[Any]) -> Iterable[Any]:
    # The order of a set of strings differs from process to process.
    if len(members) > 1000:
        return members
    try:
        return sorted(members)
    except TypeError as error:
        if is_interrupt(error):
            raise
        return list(members)


def _attributes(value: Any) -> list[tuple[str, Any]] | None:
    """The fields of a record-like value, known by what its library documents."""
    kind = type(value)
    if dataclasses.is_dataclass(value):
        # repr=False is how an author says: not for printing.
        names = [field.name for field in dataclasses.fields(value) if field.repr]
    elif hasattr(kind, "__attrs_attrs__"):
        names = [field.name for field in kind.__attrs_attrs__ if field.repr]
    elif hasattr(kind, "__struct_fields__"):
        names = list(kind.__struct_fields__)
    elif isinstance(value, Sequence) and _is_names(getattr(value, "_fields", None)):
        row: Any = value  # a named tuple, a row of SQLAlchemy
        return list(zip(row._fields, row, strict=True))
    elif isinstance(value, SimpleNamespace) or _is_arguments(kind):
        names = list(vars(value))
    elif (fields := _model_fields(kind)) is not None:
        more = getattr(value, "__pydantic_extra__", None) or {}
        shown = [name for name in vars(value) if _is_shown(fields.get(name))]
        return [(name, getattr(value, name)) for name in [*shown, *more]]
    else:
        return None
    # A slot that was never assigned has no value to show.
    return [(name, getattr(value, name)) for name in names if hasattr(value, name)]


def _is_arguments(kind: type) -> bool:
    # argparse's, whose text shows every password of a command line.
    return (kind.__module__, kind.__qualname__) == ("argparse", "Namespace")


def _model_fields(kind: Any) -> dict[str, Any] | None:
    """What describes the fields of a pydantic model, of version 2 or 1."""
    if hasattr(kind, "__pydantic_core_schema__"):
        fields = getattr(kind, "__pydantic_fields__", None)
        fields = getattr(kind, "model_fields", None) if fields is None else fields
    elif hasattr(kind, "__fields_set__"):
        fields = getattr(kind, "__fields__", None)
    else:
        return None
    return fields if isinstance(fields, dict) else None


def _is_shown(field: Any) -> bool:
    described = getattr(field, "field_info", field)  # version 1 has one within
    hidden = getattr(described, "exclude", None) is True
    return not hidden and getattr(described, "repr", True) is not False
