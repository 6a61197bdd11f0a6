"""
Any value, made fit for JSON.
A log call takes whatever it is given: cycles, NaN, lone surrogates, objects whose
`__str__` raises. Nothing here raises; what JSON cannot hold is replaced by something
readable, and the replacement is reported. Secrets are hidden on the way, since this is
the one place that looks into every value.
"""

from __future__ import annotations

import datetime
import re
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
from itertools import islice
from types import TracebackType
from typing import Any

from ctxlog._interrupts import is_interrupt
from ctxlog._json import FLAT_TYPES
from ctxlog.line import _objects
from ctxlog.line._budget import EDGE, Budget
from ctxlog.line._copies import CONTAINERS, Copier, shallow_copy
from ctxlog.line._pairs import VALUE_KEYS
from ctxlog.line._text import MAX_READING as MAX_READING
from ctxlog.line._text import class_name
from ctxlog.line._text import reading as reading
from ctxlog.line._text import safe_str as safe_str
from ctxlog.line._text import type_name as type_name
from ctxlog.line.redact import Redactor

#: Containers within containers, beyond which a value is replaced. Deeper documents
#: are refused by common stores (Elasticsearch: 20, jq: 256).
_MAX_DEPTH = 32

# A word, as in a list of words: it is no secret because "token" stands before it.
_PLAIN_WORD = re.compile(r"[A-Za-z_.-]*")

# Members of an object that is still taken for a name with its value.
_FEW = 32

# Bytes of a value after which its containers are looked at all together.
_MANY_BYTES = 512


class Walk(Budget):
    """
    One pass over values, making them plain: None, bool, int, float, str, list, dict.

    The class is long because each kind of value has a branch of its own.

    Args:
        redactor: Decides which values to hide.
        max_text: Bytes beyond which a text is cut.
        max_bytes: Bytes of JSON beyond which containers are cut and texts are short,
            over the whole pass: a structure that refers to its parts many times has
            more than fit in memory.
        default: Asked first about a value of an unknown type; may raise `TypeError`.
    """

    __slots__ = ("_active", "_copier", "_default", "_soon", "_spare")

    def __init__(
        self,
        redactor: Redactor,
        max_text: int,
        max_bytes: int,
        default: Callable[[Any], Any] | None = None,
    ) -> None:
        super().__init__(redactor, max_text, max_bytes)
        self._soon = max_bytes - _MANY_BYTES
        self._spare = max_bytes // 8
        self._copier: Copier | None = None
        self._default = default
        self._active: set[int] = set()

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
                name = _unique(name, plain)
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

    def _is_named(
        self, key: str, value: object, pairs: Iterable[tuple[object, object]]
    ) -> bool:
        """Return whether another member of an object says that `value` is a secret."""
        for other, name in islice(pairs, _FEW):
            if type(other) is str and other in VALUE_KEYS[key]:
                if other == "loc" and isinstance(name, (list, tuple)) and name:
                    name = name[-1]
                if (text := _text_of(name)) and self._redactor.hides(text, value):
                    return True
        return False

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
        if kind in CONTAINERS:
            return self._within(value, self._builtin)
        within, depth = reading.reader, reading.depth
        if within is not self and depth >= MAX_READING:
            self.problem("logged by what is being logged")
            return self.text(f"<{type_name(value)}>")
        try:
            if within is not self:
                reading.reader, reading.depth = self, depth + 1
            return self._other(value)
        except Exception as error:
            # A third-party property, method or __class__ may raise anything: the line
            # says so in place of the value.
            if is_interrupt(error):
                raise
            return self._unreadable(value, error)
        finally:
            reading.reader, reading.depth = within, depth

    def _builtin(self, value: Any) -> Any:
        # Few values are read one by one sooner than all together.
        if len(value) > _FEW or self._room < self._soon:
            if self._copier is None:
                self._copier = Copier(self._redactor, self._soon + _MANY_BYTES)
            levels = _MAX_DEPTH - len(self._active)
            found = self._copier.copy(value, self._room, self.max_text, levels)
            if found is not None:
                return self._copied(*found)
        if type(value) is dict:
            # A copy first: another thread may write to it meanwhile.
            few = value if len(value) <= _FEW else shallow_copy(value, self._most())
            return self.named(list(few.items()))
        if self._is_secret(value) and not _is_plain_word(value[1]):
            self._room -= 3
            return [self.value(value[0]), self._hidden()]
        return self._items(value)

    def _copied(self, copy: Any, size: int, is_cut: bool) -> Any:
        if is_cut:
            self._left_out()
            if type(copy) is list:
                copy.append("[...]")
        self._room -= size + 1
        return copy

    def _is_secret(self, pair: Any) -> bool:
        """Return whether `pair` is a secret and the name before it, as in headers."""
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
        found = [
            (bytes.decode(key, "latin-1") if isinstance(key, bytes) else key, one)
            for key, one in islice(_objects.pairs(value), self._most())
        ]
        return self.named(found, repeats=True)

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
            return self.text(class_name(value))
        if getattr(type(value), "__pydantic_root_model__", False):
            return self._within(value, lambda model: self.value(model.root))
        pairs = _objects.attributes(value)
        if pairs is None:
            pairs = _objects.cookies(value)
        if pairs is not None:
            return self._within(value, lambda _: self.named(pairs))
        if isinstance(value, Mapping) or _objects.is_paired(value):
            return self._within(value, self._pairs)
        if isinstance(value, Set):
            return self._within(
                value, lambda members: self._items(_objects.ordered(members))
            )
        if isinstance(value, deque):
            # Unlike a list it cannot be read while another thread writes to it.
            return self._within(value, lambda items: self._items(list(items)))
        if isinstance(value, Sequence):
            return self._within(value, self._items)
        listed = self._array(value)
        if listed is not None:
            return self._within(value, lambda _: self.value(listed[0]))
        return self.text(self._str(value))

    def _array(self, value: Any) -> tuple[Any] | None:
        if not _objects.is_numpys(value):
            return None
        if getattr(value, "size", 1) > self._room // 2:
            self.problem(f"array of {value.size} values left out")
            return (_objects.array_type(value),)
        return _objects.listed(value)


def _unique(name: str, taken: dict[str, Any]) -> str:
    number = 2
    while f"{name}#{number}" in taken:
        number += 1
    return f"{name}#{number}"


def _text_of(name: Any) -> str | None:
    """Return the text that names a value: that of a header may be bytes."""
    kind = type(name)
    if issubclass(kind, str):
        return str.__str__(name)
    if issubclass(kind, bytes) and len(name) <= EDGE:
        return bytes.decode(name, "latin-1")
    return None


def _is_plain_word(value: object) -> bool:
    return type(value) is str and _PLAIN_WORD.fullmatch(value) is not None
