"""
Any value, made fit for JSON. Core: standard library only.

A log call takes whatever it is given: cycles, NaN, lone surrogates, objects whose
`__str__` raises. Nothing here raises; what JSON cannot hold is replaced by something
readable, and the replacement is reported. Secrets are hidden on the way, since this is
the one place that looks into every value.
"""

from __future__ import annotations

import dataclasses
import datetime
import math
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Set
from enum import Enum
from types import SimpleNamespace, TracebackType
from typing import Any

from ctxlog.redact import REDACTED, Redactor

__all__ = ["MAX_READING", "Walk", "cut", "reading", "safe_str", "type_name"]

#: Containers within containers, beyond which a value is replaced. Deeper documents
#: are refused by common stores (Elasticsearch: 20, jq: 256).
_MAX_DEPTH = 32

# What is left of a text when all of them together are too long.
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
    """Return `str(value)`, else its `repr()`, else its type's name. Never raises."""
    for convert in (str, repr):
        try:
            return str.__str__(convert(value))
        except Exception:  # whatever a foreign __str__ raises
            continue
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


class Walk:
    """
    One pass over values, making them plain: None, bool, int, float, str, list, dict.

    Args:
        redactor: What to hide.
        max_text: Characters beyond which a text is cut.
        max_values: Values beyond which containers are cut, over the whole pass: a
            structure that refers to its parts many times has more than fit in memory.
        max_total: Characters of all texts together beyond which each further one is
            cut short, for the same reason; four times `max_text` unless given.
        default: Asked first about a value of an unknown type; may raise `TypeError`.
    """

    __slots__ = (
        "_active",
        "_default",
        "_left",
        "_path",
        "_redactor",
        "_room",
        "max_text",
        "problems",
    )

    def __init__(
        self,
        redactor: Redactor,
        max_text: int,
        max_values: int,
        default: Callable[[Any], Any] | None = None,
        max_total: int | None = None,
    ) -> None:
        self._redactor = redactor
        self._left = max_values
        self._room = 4 * max_text if max_total is None else max_total
        self._default = default
        self._path: list[object] = []
        self._active: set[int] = set()
        self.max_text = max_text
        self.problems: list[str] = []

    def problem(self, what: str) -> None:
        """Report that something was replaced, and where."""
        if len(self.problems) == _PROBLEMS:
            self.problems.append("and more")
        elif len(self.problems) < _PROBLEMS:
            where = ".".join(cut(str(part), 80) for part in self._path)
            self.problems.append(f"{where}: {what}" if where else what)

    def text(self, text: str) -> str:
        """Return `text` with secrets hidden, valid as UTF-8, and cut to its limit."""
        limit = self.max_text if self._room > 0 else min(self.max_text, _SHORT)
        hide = self._redactor.text if self._redactor.patterns else None
        if len(text) > limit:
            self.problem(f"text of {len(text)} characters cut")
            text = cut(text, limit, hide)
        elif hide is not None:
            text = hide(text)
        self._room -= len(text)
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError:
                self.problem("lone surrogates escaped")
                text = text.encode("utf-8", "backslashreplace").decode()
        return text

    def named(
        self,
        pairs: Iterable[tuple[object, object]],
        rename: Callable[[str], str] | None = None,
    ) -> dict[str, Any]:
        """Return `pairs` as a plain dict; `rename` maps the names of the outermost."""
        plain: dict[str, Any] = {}
        for key, value in pairs:
            if self._left <= 0:
                self.problem("further values left out")
                break
            name = self._name(key)
            hidden = self._redactor.hides(name)
            name = self.text(name)
            if rename is not None:
                name = rename(name)
            self._path.append(name)
            if name in plain:
                self.problem(f"a second key of this name, {type_name(key)}")
                name = self._unique(name, plain)
            if hidden and value is not None:
                self._left -= 1
                plain[name] = REDACTED
            else:
                plain[name] = self.value(value)
            self._path.pop()
        return plain

    @staticmethod
    def _unique(name: str, taken: dict[str, Any]) -> str:
        number = 2
        while f"{name}#{number}" in taken:
            number += 1
        return f"{name}#{number}"

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
        self._left -= 1
        kind = type(value)
        if kind is str:
            return self.text(value)  # type: ignore[arg-type]
        if value is None or kind is bool:
            return value
        if kind is int:
            return self._int(value)  # type: ignore[arg-type]
        if kind is float:
            return self._float(value)  # type: ignore[arg-type]
        if kind is dict:
            return self._within(value, self._mapping)
        if kind is tuple and self._is_secret(value):  # type: ignore[arg-type]
            return [self.value(value[0]), REDACTED]  # type: ignore[index]
        if kind is list or kind is tuple:
            return self._within(value, self._items)
        within, depth = reading.reader, reading.depth
        if within is not self:
            if depth >= MAX_READING:
                self.problem("logged by what is being logged")
                return self.text(f"<{type_name(value)}>")
            reading.reader, reading.depth = self, depth + 1
        try:
            return self._other(value)
        except Exception as error:  # a foreign property, method, __class__
            return self._unreadable(value, error)
        finally:
            reading.reader, reading.depth = within, depth

    def _is_secret(self, pair: tuple[Any, ...]) -> bool:
        """Whether a pair is a secret with its name, as servers give headers."""
        if len(pair) != 2:
            return False
        name = pair[0]
        if type(name) is bytes and len(name) <= _EDGE:
            name = name.decode("latin-1")
        return type(name) is str and self._redactor.hides(name)

    def _unreadable(self, value: object, error: Exception) -> str:
        kind = type_name(value)
        self.problem(f"{kind} raised {type_name(error)} while being read")
        return self.text(f"<unreadable {kind}>")

    def _within(self, value: object, convert: Callable[[Any], Any]) -> Any:
        identity = id(value)
        if identity in self._active:
            self.problem("refers to itself")
            return "[circular]"
        if len(self._active) >= _MAX_DEPTH:
            self.problem(f"more than {_MAX_DEPTH} levels deep")
            return "[too deep]"
        self._active.add(identity)
        try:
            return convert(value)
        finally:
            self._active.discard(identity)

    def _mapping(self, value: Mapping[Any, Any]) -> dict[str, Any]:
        # A copy first: another thread may write to it meanwhile.
        return self.named(list(value.items()))

    def _items(self, value: Iterable[Any]) -> list[Any]:
        plain = []
        for i, item in enumerate(value):
            if self._left <= 0:
                self.problem("further values left out")
                plain.append("[...]")
                break
            self._path.append(i)
            plain.append(self.value(item))
            self._path.pop()
        return plain

    def _int(self, value: int) -> int | str:
        if _LEAST <= value <= _MOST:
            return value
        self.problem("an integer of over 64 bits written as text")
        try:
            return self.text(str(value))
        except ValueError:  # over sys.get_int_max_str_digits()
            return self.text(hex(value))

    def _float(self, value: float) -> float | str:
        if math.isfinite(value):
            return value
        self.problem(f"{value} is not a JSON number, written as text")
        return {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")

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
            except TypeError:
                pass
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
            return value.isoformat()
        if isinstance(value, BaseException):
            return self.text(f"{type_name(value)}: {self._str(value)}")
        if isinstance(value, TracebackType):
            return self.text("".join(traceback.format_tb(value)))
        if isinstance(value, type):
            return self.text(_name_of(value))
        if getattr(type(value), "__pydantic_root_model__", False):
            return self._within(value, lambda model: self.value(model.root))
        pairs = _attributes(value)
        if pairs is not None:
            return self._within(value, lambda _: self.named(pairs))
        if isinstance(value, Mapping):
            return self._within(value, self._mapping)
        if isinstance(value, Set):
            return self._within(value, lambda members: self._items(_ordered(members)))
        if isinstance(value, (list, tuple, range)):
            return self._within(value, self._items)
        if isinstance(value, deque):
            # Unlike a list it cannot be read while another thread writes to it.
            return self._within(value, lambda items: self._items(list(items)))
        listed = self._array(value)
        if listed is not None:
            return self._within(value, lambda _: self.value(listed[0]))
        return self.text(self._str(value))

    def _str(self, value: object) -> str:
        try:
            return str.__str__(str(value))
        except Exception as error:  # whatever a foreign __str__ raises
            self.problem(f"str() raised {type_name(error)}")
            return safe_str(value)

    def _array(self, value: Any) -> tuple[Any] | None:
        # numpy's scalars and arrays, known by name since the library is not imported.
        if str(type(value).__module__).partition(".")[0] != "numpy":
            return None
        if getattr(value, "size", 1) > self._left:
            self.problem(f"array of {value.size} values left out")
            shape = "x".join(map(str, value.shape))
            return (f"<array of {shape} {value.dtype}>",)
        if not hasattr(value, "tolist"):
            return None
        if value.dtype.kind in "mM":  # or nanoseconds would be a bare number
            value = value.astype(str)
        return (value.tolist(),)


def _ordered(members: Set[Any]) -> Iterable[Any]:
    # The order of a set of strings differs from process to process.
    if len(members) > 1000:
        return members
    try:
        return sorted(members)
    except TypeError:
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
    elif isinstance(value, tuple) and isinstance(getattr(kind, "_fields", None), tuple):
        names = list(kind._fields)
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
