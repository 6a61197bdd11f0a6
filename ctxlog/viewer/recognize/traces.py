"""
Ids of traces and spans, which tracers write in several forms.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

# How W3C writes both in one text, as .NET's activities do.
_PARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
# Datadog's are decimal; those of X-Ray begin with a version.
_DECIMAL = re.compile(r"[0-9]{17,20}")
_HEXADECIMAL = re.compile(r"[0-9a-f]{16,32}")
_SPAN = re.compile(r"[0-9a-f]{8,32}")


def trace_key(text: str) -> str:
    """
    Return what is the same for all forms of a trace's id.

    That are the last 64 bits, in hexadecimal: some tracers have no more. An id that is
    no number is its own key.
    """
    lower = text.lower()
    whole = _PARENT.fullmatch(lower)
    if whole is not None:
        return whole[1][-16:]
    if _DECIMAL.fullmatch(lower):
        return f"{int(lower) % (1 << 64):016x}"
    joined = lower.removeprefix("1-").replace("-", "")
    return joined[-16:] if _HEXADECIMAL.fullmatch(joined) else text


def trace_pieces(key: str) -> Sequence[str]:
    """Return texts, one of which stands on every line that has an id with this key."""
    if not _HEXADECIMAL.fullmatch(key) or len(key) != 16:
        return (key,)
    # An UUID has a dash before its last twelve digits.
    last = key[-12:]
    return tuple(dict.fromkeys((last, last.upper(), str(int(key, 16)))))


def span_key(text: str) -> str | None:
    """Return what is the same for all forms of a span's id; None if it is none."""
    lower = text.lower()
    whole = _PARENT.fullmatch(lower)
    if whole is not None:
        lower = whole[2]
    if not lower.strip("0"):  # as some tracers write no span
        return None
    if _DECIMAL.fullmatch(lower):
        return f"{int(lower) % (1 << 64):016x}"
    return lower if _SPAN.fullmatch(lower) else None
