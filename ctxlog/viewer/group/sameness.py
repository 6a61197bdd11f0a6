"""
The same line from two sources, counted once.

Two lines are the same if they have the same request, time to the microsecond, level,
message and fields. A store may have taken a line apart, so a member of an object is the
same as a key with a dot, a number the same as its digits as text, a list the same as
its JSON as text, and a field without a value as none. A line that is no JSON object is
the same as its own bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from ctxlog._json import dumps
from ctxlog.viewer.recognize.keys import Names
from ctxlog.viewer.recognize.record import Record


def _pairs(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _pairs(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, str):
        if value:
            yield path, value
    elif value is not None and value != []:
        try:
            yield path, dumps(value).decode()
        except TypeError:  # an integer of more than 64 bits
            yield path, str(value)


def fingerprint(line: bytes, names: Names) -> bytes:
    """Return a digest that is that of the same lines only."""
    records = Record.read(line, names)
    said: object = line.strip()
    if records:
        said = [
            (
                record.request,
                None if record.time is None else round(record.time * 1e6),
                record.level,
                record.message,
                sorted(_pairs(record.fields, "")),
                record.stack,
            )
            for record in records
        ]
    digest = hashlib.blake2b(repr(said).encode("utf-8", "replace"), digest_size=12)
    return digest.digest()


class Once:
    """
    Tells lines that have come by now from those that have not.

    A store counts a line once: it may have stored a batch twice, because its answer was
    lost. A file counts a line as often as it has it.

    Args:
        names: The user's own names of fields.
        several: Whether there are several sources; of one store the same lines are
            the same bytes.
    """

    def __init__(self, names: Names, *, several: bool) -> None:
        self._names, self._several = names, several
        self._most: dict[bytes, int] = {}
        self._here: dict[bytes, int] = {}

    def begin(self) -> None:
        """Say that another source begins."""
        self._here = {}

    def is_new(self, line: bytes, *, stored: bool) -> bool:
        """
        Return whether a line has not come from another source.

        Args:
            line: The line.
            stored: Whether it is a store's.
        """
        if self._several:
            key = fingerprint(line, self._names)
        else:
            key = hashlib.blake2b(line, digest_size=12).digest()
        if stored:
            number = 1
        else:
            number = self._here[key] = self._here.get(key, 0) + 1
        if number <= self._most.get(key, 0):
            return False
        self._most[key] = number
        return True
