"""
Texts by the columns that they take on a terminal, not by their characters.
"""

from __future__ import annotations

from unicodedata import combining, east_asian_width


def columns(text: str) -> int:
    """Return how many columns *text* takes: wide characters take two, marks none."""
    if text.isascii():
        return len(text)
    return sum(map(_of_character, text))


def fitting(text: str, width: int) -> int:
    """Return how many characters of *text* fit into *width* columns."""
    if text.isascii():
        return min(len(text), width)
    for number, character in enumerate(text):
        width -= _of_character(character)
        if width < 0:
            return number
    return len(text)


def cut(text: str, width: int) -> str:
    """Return *text*, or what fits into *width* columns with an ellipsis at its end."""
    if columns(text) <= width:
        return text
    return f"{text[: fitting(text, max(width - 1, 0))]}…"


def cut_within(text: str, width: int) -> str:
    """Return the same with the ellipsis in the middle: both ends tell what it is."""
    if columns(text) <= width:
        return text
    before = text[: fitting(text, (width - 1) // 2)]
    backwards = text[::-1]
    after = backwards[: fitting(backwards, width - 1 - columns(before))][::-1]
    return f"{before}…{after}"


def padded(text: str, width: int, *, right: bool = False) -> str:
    """Return *text* with blanks up to *width* columns, at its left if *right*."""
    blanks = " " * (width - columns(text))
    return blanks + text if right else text + blanks


def _of_character(character: str) -> int:
    if combining(character) or character in "\u200b\u200c\u200d\ufe0e\ufe0f":
        return 0
    return 2 if east_asian_width(character) in "WF" else 1
