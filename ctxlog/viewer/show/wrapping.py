"""
Long lines in rows of the terminal's width.
"""

from __future__ import annotations

from collections.abc import Sequence

from ctxlog.terminal import paint

_NAME = "36"


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
    rows = _Rows(room, color)
    for word in message.split(" "):
        rows.add(" ", (word, ""))
    gap = "  "
    for name, text in fields:
        rows.add(gap if message else "", (f"{name}=", _NAME), (text, ""))
        message, gap = message or name, " "
    return rows.rows


class _Rows:
    def __init__(self, room: int, color: bool) -> None:
        self.rows = [""]
        self._room, self._color = room, color
        self._left = room

    def add(self, gap: str, *parts: tuple[str, str]) -> None:
        """Add what stays together, if a row has room for it, each part in a color."""
        size = len(gap) + sum(len(text) for text, _ in parts)
        if self.rows[-1] and size > self._left:
            self._begin()
        elif self._left < self._room:
            self._put(gap, "")
        for text, code in parts:
            while text:
                if not self._left:
                    self._begin()
                piece, text = text[: self._left], text[self._left :]
                self._put(piece, code)

    def _begin(self) -> None:
        self.rows.append("")
        self._left = self._room

    def _put(self, text: str, code: str) -> None:
        self.rows[-1] += paint(text, code, self._color) if code else text
        self._left -= len(text)
