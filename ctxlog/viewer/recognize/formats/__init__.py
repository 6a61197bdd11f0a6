"""
The formats that are known, one small declaration each: a new format is a row.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ctxlog.viewer.recognize.formats._format import Format

__all__ = ["FORMATS", "Format", "format_of"]

#: The first one that is told by its names counts.
FORMATS: Sequence[Format] = ()
_ANY = Format("JSON of any kind")
_TOLD = [(frozenset(one.known_by.split()), one) for one in FORMATS if one.known_by]


def format_of(members: Collection[str]) -> Format:
    """Return the format that the names of an object's members tell."""
    names = set(members)
    return next((one for known_by, one in _TOLD if known_by <= names), _ANY)
