"""
Texts and numbers made fit for JSON, within the bytes that a line has.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import Enum

from ctxlog._interrupts import is_interrupt
from ctxlog._json import dumps
from ctxlog.line._text import safe_str, type_name
from ctxlog.line.redact import REDACTED, Redactor

# The length of a text when there is no room.
_SHORT = 64

#: The longest secret that is still found where a text is cut.
EDGE = 512

_LEAST, _MOST = -(2**63), 2**64 - 1
_PROBLEMS = 8


def cut(text: str, limit: int, hide: Callable[[str], str] | None = None) -> str:
    """
    Return `text`, shortened in the middle if it has over `limit` characters.

    With `hide`, which hides the secrets of a text, one on the edge of a cut is hidden
    too, and the text between the edges is never searched.
    """
    if len(text) <= limit:
        return text if hide is None else hide(text)
    head, tail = limit * 2 // 3, limit // 3
    dropped = len(text) - head - tail
    first, last = text[:head], text[len(text) - tail :]
    if hide is not None:
        # Half of the edge goes again: half a secret may stand at its end.
        first, last = hide(text[: head + EDGE]), hide(text[-tail - EDGE :])
        if len(text) > head + EDGE:
            first = first[: -EDGE // 2]
        if len(text) > tail + EDGE:
            last = last[EDGE // 2 :]
        first, last = first[:head], last[max(len(last) - tail, 0) :]
    return f"{first}[... {dropped} characters ...]{last}"


class Budget:
    """
    The bytes that remain for one pass over values; cuts texts to fit.

    Args:
        redactor: Decides which values to hide.
        max_text: Bytes beyond which a text is cut.
        max_bytes: Bytes of JSON beyond which texts are short.

    Attributes:
        cut: Whether something was too long.
        problems: The replacements made, and their places.
    """

    __slots__ = ("_path", "_redactor", "_room", "cut", "max_text", "problems")

    def __init__(self, redactor: Redactor, max_text: int, max_bytes: int) -> None:
        self._redactor = redactor
        self._room = max_bytes
        self._path: list[object] = []
        self.cut = False
        self.max_text = max_text
        self.problems: list[str] = []

    def problem(self, what: str) -> None:
        """Report that something was replaced, and where."""
        if len(self.problems) == _PROBLEMS:
            self.problems.append("and more")
        elif len(self.problems) < _PROBLEMS:
            where = ".".join(cut(str(part), 80) for part in self._path)
            self.problems.append(f"{where}: {what}" if where else what)

    def _left_out(self) -> None:
        self.cut = True
        self.problem("further values left out")

    def text(self, text: str) -> str:
        """Return `text` with secrets hidden, valid as UTF-8, and cut to its limit."""
        length = len(text)
        patterns = self._redactor.patterns
        if length <= _SHORT and not patterns and text.isascii() and text.isprintable():
            self._room -= length + 3
            return text
        limit = min(self.max_text, max(self._room, _SHORT))
        hide = self._redactor.text if patterns else None
        if length > limit:
            text = cut(text, limit, hide)
        elif hide is not None:
            text = hide(text)
        try:
            size = len(dumps(text))
        except (TypeError, ValueError) as error:
            if is_interrupt(error):
                raise
            self.problem("lone surrogates escaped")
            text = text.encode("utf-8", "backslashreplace").decode()
            size = len(dumps(text))
        if size > limit + _SHORT:  # characters of several bytes
            text = cut(text, limit * len(text) // size)
            size = len(dumps(text))
        if length > limit or size > limit + _SHORT:
            self.cut = True
            self.problem(f"text of {length} characters cut")
        self._room -= size + 1
        return text

    def _hidden(self) -> str:
        self._room -= len(REDACTED) + 3
        return REDACTED

    def _most(self) -> int:
        # The least that a member takes is four bytes.
        return max(self._room, 0) // 4 + 1

    def _name(self, key: object) -> str:
        if type(key) is str:
            return key
        if key is None or key is True or key is False:
            return {None: "null", True: "true", False: "false"}[key]
        if issubclass(
            type(key), Enum
        ):  # isinstance() would ask a third-party __class__
            key = getattr(key, "_value_", key)
        return key if type(key) is str else self._str(key)

    def _int(self, value: int) -> int | str:
        if _LEAST <= value <= _MOST:
            self._room -= len(str(value)) + 1
            return value
        self.problem("an integer of over 64 bits written as text")
        try:
            return self.text(str(value))
        except ValueError as error:  # over sys.get_int_max_str_digits()
            if is_interrupt(error):
                raise
            return self.text(hex(value))

    def _float(self, value: float) -> float | str:
        if math.isfinite(value):
            self._room -= len(repr(value)) + 1
            return value
        self.problem(f"{value} is not a JSON number, written as text")
        shown = {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")
        return self.text(shown)

    def _bytes(self, value: bytes) -> str:
        try:
            return self.text(value.decode())
        except UnicodeDecodeError:
            self.problem("bytes that are not UTF-8 escaped")
            shown = value[: self.max_text + 1]
            return self.text(shown.decode("utf-8", "backslashreplace"))

    def _str(self, value: object) -> str:
        try:
            return str.__str__(str(value))
        except Exception as error:
            # A third-party __str__ may raise anything: its __repr__ may be left.
            if is_interrupt(error):
                raise
            self.problem(f"str() raised {type_name(error)}")
            return safe_str(value)
