"""
Long lines in rows of the terminal's width.
"""

from __future__ import annotations

from collections.abc import Sequence

from ctxlog.terminal import paint
from ctxlog.viewer.show.columns import columns, fitting

_NAME = "36"
_MARGIN = "    "


def in_rows(
    message: str, fields: Sequence[tuple[str, str]], room: int | None, color: bool
) -> list[str]:
    """
    Return a message and fields as rows: a word or a field goes on in the next one.

    Args:
        message: The message.
        fields: The names and texts of the fields.
        room: How many columns a row has; None for one row of any length.
        color: Whether names have colors.
    """
    if room is None:
        shown = [f"{paint(f'{name}=', _NAME, color)}{text}" for name, text in fields]
        return ["  ".join(filter(None, [message, " ".join(shown)]))]
    rows = Rows(room, color)
    for word in message.expandtabs(4).split(" "):
        rows.add(" ", (word, ""))
    gap = "  "
    for name, text in fields:
        rows.add(gap if message else "", (f"{name}=", _NAME), (text, ""))
        message, gap = message or name, " "
    return rows.rows


def joined(parts: Sequence[str], width: int | None) -> list[str]:
    """
    Return parts with two blanks between them, as rows of a width.

    Args:
        parts: What stays together, as far as a row has room for it.
        width: How many columns a row has; None for one row of any length.
    """
    if width is None:
        return ["  ".join(parts)]
    rows = Rows(max(width - len(_MARGIN), 1), color=False)
    for part in parts:
        rows.add("  ", (part, ""))
    first, *others = rows.rows
    return [first, *(f"{_MARGIN}{row}" for row in others)]


class Rows:
    """
    Rows of a width that are filled piece by piece.

    Args:
        room: How many columns a row has.
        color: Whether pieces have colors.

    Attributes:
        rows: The rows.
    """

    def __init__(self, room: int, color: bool) -> None:
        self.rows = [""]
        self._room, self._color = room, color
        self._left = room

    def add(self, gap: str, *parts: tuple[str, str]) -> None:
        """Add what stays together, if a row has room for it, each part in a color."""
        size = len(gap) + sum(columns(text) for text, _ in parts)
        if self.rows[-1] and size > self._left:
            self._begin()
        elif self._left < self._room:
            self._put(gap, "")
        for text, code in parts:
            while text:
                end = fitting(text, self._left)
                if not end and self._left < self._room:
                    self._begin()
                    continue
                # A row takes one character at least, however narrow it is.
                piece, text = text[: end or 1], text[end or 1 :]
                self._put(piece, code)

    def _begin(self) -> None:
        self.rows.append("")
        self._left = self._room

    def _put(self, text: str, code: str) -> None:
        self.rows[-1] += paint(text, code, self._color) if code else text
        self._left = max(self._left - columns(text), 0)
