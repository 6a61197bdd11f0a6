"""
The formats that are known, one small declaration each: a new format is a row.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ctxlog.viewer.recognize.formats import (
    clouds,
    dotnet,
    go,
    java,
    javascript,
    php,
    proxies,
    python,
    ruby,
    systems,
)
from ctxlog.viewer.recognize.formats._format import Format as Format

#: All of them. Of those that an object's names tell the first one counts.
FORMATS: Sequence[Format] = (
    *proxies.FORMATS,
    *systems.FORMATS,
    *clouds.FORMATS,
    *java.FORMATS,
    *dotnet.FORMATS,
    *ruby.FORMATS,
    *php.FORMATS,
    *python.FORMATS,
    *javascript.FORMATS,
    *go.FORMATS,
)
_ANY = Format("JSON of any kind")
_TOLD = [(frozenset(one.known_by.split()), one) for one in FORMATS if one.known_by]


def format_of(members: Collection[str]) -> Format:
    """Return the format that the names of an object's members tell."""
    names = set(members)
    return next((one for known_by, one in _TOLD if known_by <= names), _ANY)
