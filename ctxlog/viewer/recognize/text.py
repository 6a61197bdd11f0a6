"""
Whether a line is an entry of a log, and what one says that is not an object alone.
"""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ctxlog.viewer.recognize.keys import Names

if TYPE_CHECKING:
    from ctxlog.viewer.recognize.text_entries import Entries


def begins(line: bytes, names: Names) -> bool:
    """
    Return whether a line is an entry, not a part of the one above it. Never raises.

    The line alone decides: it begins with `{`, as a known format of text does, or has a
    known prefix before one of these.
    """
    return line.startswith(b"{") or _entries(names).begins(line)


def read(line: bytes, names: Names) -> Sequence[dict[str, Any]]:
    """
    Return what a line says that does not begin with `{`; nothing if it is no entry.

    Never raises.
    """
    return _entries(names).read(line)


def wrapped(line: bytes, names: Names) -> Sequence[dict[str, Any]]:
    """
    Return what a text says that is wrapped in JSON.

    Of one without a form of its own that is its message and its id; nothing if it names
    no id. Never raises.
    """
    return _entries(names).wrapped(line)


def stream(line: bytes) -> str | None:
    """Return the service that a collector has written before a line; None if none."""
    # imported here, as below: most files have JSON only
    from ctxlog.viewer.recognize.text_prefixes import prefixed

    found = prefixed(line)
    return None if found is None else found.service


def _entries(names: Names) -> Entries:
    return _made(names.id_patterns, names.latest)


@functools.lru_cache(8)
def _made(patterns: tuple[re.Pattern[str], ...], latest: float | None) -> Entries:
    from ctxlog.viewer.recognize.text_entries import Entries

    return Entries(patterns, time.time if latest is None else lambda: latest)
