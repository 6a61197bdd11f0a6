"""
The formats that are known, one small declaration each: a new format is a row.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Sequence

from ctxlog.viewer.recognize.formats import (
    azure,
    clouds,
    dotnet,
    erlang,
    general,
    go,
    java,
    javascript,
    native,
    php,
    proxies,
    python,
    ruby,
    systems,
)
from ctxlog.viewer.recognize.formats._format import Format as Format
from ctxlog.viewer.recognize.formats._text import TextFormat as TextFormat
from ctxlog.viewer.recognize.keys import plain

#: All of them. Of those that an object's names tell the first one counts.
FORMATS: Sequence[Format] = (
    *proxies.FORMATS,
    *systems.FORMATS,
    *clouds.FORMATS,
    *azure.FORMATS,
    *java.FORMATS,
    *dotnet.FORMATS,
    *ruby.FORMATS,
    *php.FORMATS,
    *python.FORMATS,
    *javascript.FORMATS,
    *go.FORMATS,
    *erlang.FORMATS,
)
#: Those of text. The first that matches counts; those that match more come later.
TEXTS: Sequence[TextFormat] = (
    *proxies.TEXTS,
    *systems.TEXTS,
    *clouds.TEXTS,
    *java.TEXTS,
    *dotnet.TEXTS,
    *ruby.TEXTS,
    *php.TEXTS,
    *python.TEXTS,
    *javascript.TEXTS,
    *go.TEXTS,
    *native.TEXTS,
    *erlang.TEXTS,
    *general.TEXTS,
)


def _known(name: str) -> str:
    """Return a name of several words in one spelling for all; others as they are."""
    return plain(name) if re.search(r"[a-z][A-Z_.-]+[A-Za-z]", name) else name


_ANY = Format("JSON of any kind")
_TOLD = [
    (frozenset(map(_known, one.known_by.split())), one)
    for one in FORMATS
    if one.known_by
]


def format_of(members: Collection[str]) -> Format:
    """Return the format that the names of an object's members tell."""
    names = {*members, *map(_known, members)}
    return next((one for known_by, one in _TOLD if known_by <= names), _ANY)


@functools.lru_cache(1024)
def texts_from(first: str) -> Sequence[TextFormat]:
    """Return the formats of text whose lines may begin with a character."""
    return [one for one in TEXTS if not one.first or re.match(f"[{one.first}]", first)]
