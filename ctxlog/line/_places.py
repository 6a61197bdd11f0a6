"""
Where vendors have the fields that ctxlog knows.

The place of one field is a function of its value, already plain: it returns members of
the line, or None for a value that does not fit, which stays where it is.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any

from ctxlog._names import CAMEL, Names
from ctxlog.line._schema import ROUTE

#: The place of one field.
Place = Callable[[Any], "dict[str, Any] | None"]

# A `Host` header (RFC 9110, section 7.2): a name or an address, and a port.
_HOST = re.compile(r"(\[[^\[\]]+\]|[^\[\]:/@\s]+)(?::(\d{1,5}))?")


def text(key: str) -> Place:
    """Return the place of a text."""
    return lambda value: {key: value} if type(value) is str else None


def status(key: str) -> Place:
    """Return the place of a status code of HTTP."""
    return lambda value: (
        {key: value} if type(value) is int and 100 <= value <= 999 else None
    )


def size(key: str) -> Place:
    """Return the place of a number of bytes."""
    return lambda value: (
        {key: value} if type(value) is int and 0 <= value < 2**63 else None
    )


def address(key: str) -> Place:
    """Return the place of an address of the Internet Protocol."""
    return lambda value: (
        {key: value} if type(value) is str and _is_address(value) else None
    )


def _is_address(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return "%" not in value  # a zone, which is of no use elsewhere


def nanoseconds(key: str) -> Place:
    """Return the place of a duration, as nanoseconds."""
    return lambda value: (
        {key: round(float(value) * 1e6)} if is_duration(value) else None
    )


def is_duration(value: Any) -> bool:
    # As nanoseconds, it fits into 64 bits.
    return type(value) in (int, float) and 0 <= value < 9e12


def host(name: str, port: str, *, brackets: bool = True) -> Place:
    """
    Return the places of the two parts of a `Host` header.

    Args:
        name: The key of the name or address.
        port: The key of the port.
        brackets: Leave an address of version 6 in its brackets.
    """

    def place(value: Any) -> dict[str, Any] | None:
        match = _HOST.fullmatch(value) if type(value) is str else None
        if match is None or int(match[2] or 0) > 65535:
            return None
        shown = match[1] if brackets else match[1].strip("[]")
        return {name: shown, port: int(match[2])} if match[2] else {name: shown}

    return place


def headers(prefix: str, *, lists: bool = False) -> Place:
    """
    Return the places of headers, by their names in lower case.

    Args:
        prefix: What stands before the names.
        lists: Whether a value is a list of texts.
    """

    def place(value: Any) -> dict[str, Any] | None:
        if not value or not is_map(value, (str,)) or not all(value):
            return None
        return {
            f"{prefix}{name.lower()}": [of] if lists else of
            for name, of in value.items()
        }

    return place


def user(keys: Mapping[str, str]) -> Place:
    """
    Return the places of a user: a text or a number, or an object with parts.

    Parts that the vendor does not have stand in `fields.user`, so that the others can
    be searched.

    Args:
        keys: The keys of the parts, by their names.
    """

    def place(value: Any) -> dict[str, Any] | None:
        if type(value) in (str, int):
            return {keys["id"]: str(value)}
        if type(value) is not dict:
            return None
        known: dict[str, Any] = {}
        others: dict[str, Any] = {}
        for part, of in value.items():
            if part in keys and type(of) in (str, int):
                known[keys[part]] = str(of)
            elif part not in keys or of is not None:
                others[part] = of
        if known and others:
            known["fields.user"] = others
        return known or None

    return place


def same(key: str, fits: Callable[[Any], bool]) -> Place:
    """Return the place of a field that the vendor has under the same name."""
    return lambda value: {key: value} if fits(value) else None


def within(key: str, place: Place) -> Place:
    """Return a place in an object of the line."""

    def inner(value: Any) -> dict[str, Any] | None:
        found = place(value)
        return None if found is None else {key: found}

    return inner


def is_text(value: Any) -> bool:
    """Return whether a value is a text."""
    return type(value) is str


def is_map(value: Any, kinds: tuple[type, ...]) -> bool:
    """Return whether a value is an object with values of some types."""
    return type(value) is dict and all(type(of) in kinds for of in value.values())


def are_texts(value: Any) -> bool:
    """Return whether a value is a list of texts."""
    return type(value) is list and all(type(item) is str for item in value)


class Placer:
    """
    The places of all fields that a vendor has; other fields stay where they are.

    Args:
        places: The places of fields on any line.
        http: The places of fields of a request's completion line.

    Attributes:
        names: The names of fields that may have a place on other lines, too.
    """

    def __init__(self, places: Mapping[str, Place], http: Mapping[str, Place]) -> None:
        self._places, self._http = places, http
        self.names = frozenset(places) | ({ROUTE} & http.keys())

    def __call__(self, name: str, value: Any, http: bool) -> dict[str, Any] | None:
        place = self._http.get(name) if http else None
        if place is None:
            place = self._places.get(name)
        return None if place is None else place(value)

    def spelled(self, names: Names) -> SpelledPlacer:
        """Return the same for ctxlog's fields under `names`."""
        return SpelledPlacer(self, names)


class SpelledPlacer:
    """A vendor's placer, asked about ctxlog's fields by the names of one spelling."""

    def __init__(self, place: Placer, names: Names) -> None:
        self._place = place
        spelled = dict(zip(CAMEL.of_fields, names.of_fields, strict=True))
        self._canonical = {own: known for known, own in spelled.items()}
        self._not_ours = spelled.keys() - self._canonical.keys()
        self.names = frozenset(spelled.get(name, name) for name in place.names)

    def __call__(self, name: str, value: Any, http: bool) -> dict[str, Any] | None:
        if name in self._not_ours:
            return None
        return self._place(self._canonical.get(name, name), value, http)
