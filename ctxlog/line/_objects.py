"""
The content of objects of many libraries, as each library documents it.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable, Sequence, Set
from types import SimpleNamespace
from typing import Any

from ctxlog._interrupts import is_interrupt
from ctxlog.line._presets import REDACTED

# Methods of mappings that give a list of all values of a name: of Werkzeug and Django,
# and of Twisted.
_MANY = ("lists", "getAllRawHeaders")


def pairs(value: Any) -> Iterable[Any]:
    """Return the keys and values of any mapping, all values of a key."""
    kind = type(value)
    many = [name for name in _MANY if hasattr(kind, name)]
    found: Iterable[Any]
    if hasattr(kind, "multi_items"):  # Starlette's and httpx' parameters
        found = value.multi_items()
    elif many:
        named = getattr(value, many[0])()
        found = ((key, one) for key, values in named for one in values)
    elif hasattr(kind, "items"):
        found = value.items()
    else:
        found = zip(value.keys(), value, strict=True)
    # A dict may be written to by another thread meanwhile.
    return list(found) if issubclass(kind, dict) else found


def is_paired(value: Any) -> bool:
    """Return whether a value is a mapping that does not say so, as many headers."""
    kind = type(value)
    if hasattr(kind, "getAllRawHeaders"):
        return True
    if not hasattr(kind, "__getitem__") or not callable(getattr(kind, "keys", None)):
        return False
    if not callable(getattr(kind, "items", None)):
        return isinstance(value, Sequence)  # a row of sqlite3
    # A table has columns for items: its text is better. A row is a mapping.
    return not hasattr(kind, "__array__") or getattr(value, "ndim", None) == 1


def cookies(value: Any) -> list[tuple[str, str]] | None:
    """Return the cookies of a jar, of the standard library or httpx, hidden."""
    library: Any = sys.modules.get("http.cookiejar")
    if library is None:
        return None
    jar = getattr(value, "__dict__", {}).get("jar", value)
    if isinstance(jar, library.CookieJar):
        return [(cookie.name, REDACTED) for cookie in jar]
    return [(value.name, REDACTED)] if isinstance(value, library.Cookie) else None


def is_numpys(value: object) -> bool:
    """Return whether a value is numpy's, which is known by name: it is not imported."""
    return str(type(value).__module__).partition(".")[0] == "numpy"


def array_type(value: Any) -> str:
    """Return the type of an array of numpy's, in words."""
    return f"<array of {'x'.join(map(str, value.shape))} {value.dtype}>"


def listed(value: Any) -> tuple[Any] | None:
    """Return a scalar or an array of numpy's as Python's values, within a tuple."""
    if not hasattr(value, "tolist"):
        return None
    if value.dtype.kind in "mM":  # or nanoseconds would be a bare number
        value = value.astype(str)
    return (value.tolist(),)


def _is_names(fields: object) -> bool:
    return isinstance(fields, tuple) and all(isinstance(name, str) for name in fields)


def ordered(members: Set[Any]) -> Iterable[Any]:
    # The order of a set of strings differs from process to process.
    if len(members) > 1000:
        return members
    try:
        return sorted(members)
    except TypeError as error:
        if is_interrupt(error):
            raise
        return list(members)


def attributes(value: Any) -> list[tuple[str, Any]] | None:
    """Return the fields of a record-like value, known by what its library documents."""
    kind = type(value)
    if dataclasses.is_dataclass(value):
        # With repr=False the author says that a field is not for printing.
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
    """Return the descriptions of a pydantic model's fields, of version 2 or 1."""
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
