"""
Fields that are written as they are: most are, and to know it is much quicker.
"""

from __future__ import annotations

from typing import Any

from ctxlog._json import FLAT_TYPES
from ctxlog._memory import remember
from ctxlog._names import get_names
from ctxlog.line._pairs import is_named_value
from ctxlog.line._shape import NO_NAMES, SHORT_TEXT, Shape

# The most fields of a call whose names are remembered together.
_MOST_KEYS = 64

# Members of a value within a value that is taken as it is, and levels of such: the
# same value may be in a field many times.
_FEW, _DEPTH = 16, 3


class PlainFields:
    """
    Tells which fields need no change: neither their names nor their values.

    Args:
        shape: The plan of the schema.

    Attributes:
        known: The names of fields that were seen together and are written as they are,
            by those names in their order.
    """

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self.known: dict[tuple[Any, ...], frozenset[str]] = {}
        texts = {str} if shape.redactor.patterns else set()
        self._flat = FLAT_TYPES.difference(texts)

    def names(self, fields: dict[Any, Any]) -> frozenset[str]:
        """Return the names of fields that the encoder may have as they are, or none."""
        keys = tuple(fields)
        names = self.known.get(keys) or self._as_they_are(keys)
        return names if names and self.are_flat(fields) else NO_NAMES

    def _as_they_are(self, keys: tuple[Any, ...]) -> frozenset[str]:
        """Return names if fields are written under all of them, and none is hidden."""
        used = get_names()
        respelled = () if used.case == self._shape.names.case else used.of_fields
        plain = len(keys) <= _MOST_KEYS and all(
            type(key) is str
            and key not in respelled
            and key.isascii()
            and len(key) <= SHORT_TEXT
            and self._shape.key(key) == key
            and not (self._shape.placing and self._shape.may_move(key))
            and not self._shape.redactor.hides(key)
            for key in keys
        )
        if not plain or is_named_value(keys):
            return NO_NAMES
        names = frozenset(keys)
        remember(self.known, keys, names)
        return names

    def are_flat(self, fields: dict[Any, Any], depth: int = 0) -> bool:
        """Return whether the encoder may have all values as they are."""
        flat, values = self._flat, fields.values()
        if len(values) > _FEW and flat.issuperset(map(type, values)):
            return True
        for value in values:
            kind = type(value)
            if kind in flat:
                continue
            if kind is dict:
                if not self._is_plain_object(value, depth + 1):
                    return False
            elif kind is list:
                if not self._is_plain_list(value):
                    return False
            # A difference to itself is NaN of the infinite, too.
            elif kind is not float or value - value != 0.0:
                return False
        return True

    def _is_plain_object(self, value: dict[Any, Any], depth: int) -> bool:
        """Return whether a field may be as it is: a user's id and name, mostly."""
        keys = tuple(value)
        return (
            not self._shape.placing
            and depth < _DEPTH
            and (depth == 1 or len(keys) <= _FEW)
            and bool(self.known.get(keys) or self._as_they_are(keys))
            and self.are_flat(value, depth)
        )

    def _is_plain_list(self, value: list[Any]) -> bool:
        """Return whether a field may be as it is: some names or numbers."""
        if self._shape.placing or len(value) > _FEW:
            return False
        if (
            len(value) == 2
            and type(value[0]) is str
            and self._shape.redactor.hides(value[0])
        ):
            return False
        return self._flat.issuperset(map(type, value))
