"""
Objects that have a name and its value as two members.
"""

from __future__ import annotations

from collections.abc import Collection

#: Keys of an object that has a name and its value as two members: HTTP archives, tags
#: of AWS, variables of Kubernetes, attributes of OTLP, and pydantic's errors.
VALUE_KEYS: dict[str, frozenset[str]] = {
    "value": frozenset({"name", "key", "field", "header"}),
    "Value": frozenset({"Name", "Key"}),
    "input": frozenset({"loc"}),
}


def is_named_value(keys: Collection[object]) -> bool:
    """Return whether an object has the name of a value and the value as members."""
    return any(
        key in keys and not names.isdisjoint(keys) for key, names in VALUE_KEYS.items()
    )
