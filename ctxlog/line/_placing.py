"""
Where fields stand on a line whose schema does more than rename them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from ctxlog._json import dumps
from ctxlog.line._schema import without_dots

# Objects of the Google Cloud schema that several fields fill.
_MERGED = frozenset({"httpRequest", "serviceContext"})

# GELF 1.1: what the name of an additional field must not have.
_NOT_IN_KEYS = re.compile(r"[^A-Za-z0-9_.-]")

#: Returns the members of a field, or None where it has no place of its own.
Place = Callable[[str, Any], "Mapping[str, Any] | None"]


def placed(
    fields: Mapping[str, Any],
    place: Place,
    key: Callable[[str], str],
    taken: Collection[str],
    flat: bool,
) -> dict[str, Any]:
    """
    Return plain fields as members of a line.

    Args:
        fields: The fields, in their order.
        place: Tells the members of a field that has a place of its own.
        key: Tells the key of any other field.
        taken: The keys that no field may have.
        flat: Whether members are texts and numbers only.
    """
    members: dict[str, Any] = {}
    claimed: set[str] = set()
    for name, value in fields.items():
        found = place(name, value)
        is_placed = found is not None
        if found is None:
            found = {key(name): value}
        for wanted, part in (flattened(found) if flat else found).items():
            # A field that is called as the vendor calls it is the vendor's own: a
            # tracer's id goes before one that came with the request.
            vendors = is_placed and wanted == name
            if is_placed and wanted in members and (vendors or wanted in claimed):
                if vendors:
                    members[wanted] = part
                continue
            if vendors:
                claimed.add(wanted)
            if type(part) is dict and wanted in _MERGED and wanted in members:
                members[wanted].update(part)
                continue
            members[_free(wanted, members, taken)] = part
    return members


def _free(wanted: str, taken: Collection[str], reserved: Collection[str] = ()) -> str:
    """Return a key that is not taken: the one that is wanted, or one with a number."""
    key, number = wanted, 2
    while key in taken or key in reserved:
        key, number = f"{wanted}_{number}", number + 1
    return key


def undotted(value: Any) -> Any:
    """Return a plain value in which no object has a name with a dot."""
    if type(value) is list:
        return [undotted(item) for item in value]
    if type(value) is not dict:
        return value
    found: dict[str, Any] = {}
    for name, of in value.items():
        wanted = without_dots(name)
        # A name without dots is its own; another one must not take it.
        others = () if wanted == name else value
        found[_free(wanted, found, others)] = undotted(of)
    return found


def with_allowed_characters(name: str) -> str:
    """Return a name that GELF allows."""
    return _NOT_IN_KEYS.sub("_", name)


def flattened(members: Mapping[str, Any]) -> dict[str, Any]:
    """Return members with texts and numbers only: objects by dots, lists as JSON."""
    flat: dict[str, Any] = {}
    for name, value in members.items():
        if type(value) is dict and value:
            nested = {
                f"{name}.{with_allowed_characters(part)}": of
                for part, of in value.items()
            }
            found: Mapping[str, Any] = flattened(nested)
        elif type(value) in (str, int, float):
            found = {name: value}
        else:
            found = {name: dumps(value).decode()}
        for wanted, part in found.items():
            flat[_free(wanted, flat)] = part
    return flat
