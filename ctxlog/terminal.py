"""
What a terminal shows: whether in color, an id short and in a hue of its own, and text
that cannot drive it. Standard library only; for the console's lines and the viewer.
"""

from __future__ import annotations

import os
import zlib

# Of the sixteen that every terminal has, without those that levels are shown in.
_HUES = ("34", "35", "94", "95", "96", "92", "93")

#: The most characters of an id that `short_id` returns.
ID_WIDTH = 16


def wants_color(terminal: bool) -> bool:
    """
    Return whether text should be colored, by the environment: as Python itself decides.

    `NO_COLOR` (https://no-color.org) and `FORCE_COLOR` count with any value that is not
    empty, in this order; a terminal is colored unless `TERM` is `dumb`.

    Args:
        terminal: Whether the text goes to a terminal.
    """
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return terminal and os.environ.get("TERM") != "dumb"


def paint(text: str, code: str, color: bool = True) -> str:
    """Return `text` in a color, which is given as the terminal's code for it."""
    return f"\x1b[{code}m{text}\x1b[0m" if color else text


def hue(request_id: str) -> str:
    """Return the code of a request's color, the same in all processes."""
    return _HUES[zlib.crc32(request_id.encode("utf-8", "replace")) % len(_HUES)]


def short_id(request_id: str) -> str:
    """
    Return the begin and the end of a long id.

    Ids that are made from the time or a counter differ at their end only.
    """
    if len(request_id) <= ID_WIDTH:
        return request_id
    return f"{request_id[:8]}\u2026{request_id[-3:]}"


def printable(text: str) -> str:
    """Return `text` with its control characters escaped, on one line."""
    if text.isprintable():  # most is, and to ask is cheap
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in text
    )
