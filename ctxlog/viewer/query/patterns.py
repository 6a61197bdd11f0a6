"""
Regular expressions that are looked for in what is shown of a line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ctxlog.errors import ConfigError
from ctxlog.viewer.query.processes import of_processes, uninterrupted
from ctxlog.viewer.recognize.record import Record

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

#: How long a pattern may take on one text, in seconds.
MOST = 5.0
#: So many steps take no time that anybody notices.
_FEW_STEPS = 3e7


class Pattern:
    """
    A regular expression, and what is known of it before it is used.

    Args:
        text: The expression.

    Raises:
        re.error: it is none.

    Attributes:
        text: The expression.
        pieces: Texts that stand in all that it matches, in any case if it is `folded`.
        folded: Whether it matches letters of any case.
        is_risky: Whether it may take without end on a long text.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._form = re.compile(text)
        self.folded = bool(self._form.flags & re.IGNORECASE)
        self.pieces, self._anchored, self._repeats, self._nested = _told(text)
        if self._form.flags & re.VERBOSE:
            self.pieces = []
        self.is_risky = self._nested or self._repeats > 0
        self._guard: _Guard | None = None

    def matches(self, record: Record, below: str) -> bool:
        """
        Return whether it matches what is shown of a line.

        That is the message; and, unless it has `^` or `$`, also the fields, as
        `name=value`, the traceback, and the text below the line.

        Args:
            record: The line.
            below: The text below it.

        Raises:
            ConfigError: if it takes without end.
        """
        if self._found(record.message):
            return True
        if self._anchored:
            return False
        return any(self._found(text) for text in _texts(record, below))

    def _found(self, text: str) -> bool:
        steps = len(text) ** (self._repeats + 1.0)
        if self.is_risky and (self._nested or steps > _FEW_STEPS) and len(text) > 10:
            if self._guard is None:
                self._guard = _Guard(self._form)
            return self._guard.found(text)
        return self._form.search(text) is not None


def _texts(record: Record, below: str) -> Iterator[str]:
    for name, value in record.fields.items():
        yield from _field_texts(name, value)
    yield record.stack
    yield below


def _field_texts(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield f"{name}={value}"
        return
    yield f"{name}={json.dumps(value, ensure_ascii=False, separators=(',', ':'))}"
    if isinstance(value, dict):
        for inner, said in value.items():
            yield from _field_texts(f"{name}.{inner}", said)


_PARTS = re.compile(
    r"(?P<escape>\\.)|(?P<set>\[\^?\]?(?:\\.|[^\]\\])*\])|"
    r"(?P<flags>\(\?[aiLmsux]+\))|(?P<again>\(\?P=\w+\))"
    r"|(?P<open>\((?:\?(?:[aiLmsux-]*:|P?<\w+>|[=!>]|<[=!]))?)"
    r"|(?P<close>\))|(?P<repeat>[*+]|\{\d*,\d*\})|(?P<other>\?|\{\d+\})"
    r"|(?P<or>\|)|(?P<end>[\^$])|(?P<dot>\.)|(?P<plain>.)",
    re.DOTALL,
)


def _told(text: str) -> tuple[list[str], bool, int, bool]:
    """
    Return what is known of an expression without a parser of its own.

    Returns:
        Pieces that all it matches has; whether it is tied to the beginning or the end;
        how often it repeats something; whether it does so within what is repeated, or
        may be.
    """
    pieces, piece = [], ""
    anchored, nested, repeats = False, False, 0
    groups: list[bool] = []  # of each open one: whether it repeats or chooses
    closed = False  # the group that has just ended repeats or chooses
    alternatives = False
    for part in _PARTS.finditer(text):
        kind, said = part.lastgroup, part[0]
        plain = ""
        if kind == "plain" or (kind == "escape" and not said[1].isalnum()):
            plain = said[-1]
        if plain and not groups:
            piece += plain
            closed = False
            continue
        if kind in ("repeat", "other"):
            if said[0] in "*?{":
                piece = piece[:-1]
            if kind == "repeat":
                repeats += 1
                nested = nested or closed
                groups[:] = [True] * len(groups)
        pieces.append(piece)
        piece = ""
        if kind == "close":
            closed = bool(groups) and groups.pop()
        elif kind != "repeat":
            closed = False
        if kind == "open":
            groups.append(False)
        elif kind == "or":
            alternatives = alternatives or not groups
            groups[:] = [True] * len(groups)
        elif kind == "end" or (kind == "escape" and said[1] in "AZ"):
            anchored = True
        elif kind == "again" or (kind == "escape" and said[1].isdigit()):
            nested = True  # a part that came before: there is no telling
    pieces.append(piece)
    if alternatives:
        pieces = []
    return [one for one in pieces if one], anchored, repeats, nested


class _Guard:
    """
    Another process that looks for a pattern, and is ended if that takes too long.

    Args:
        form: The pattern.
    """

    def __init__(self, form: re.Pattern[str]) -> None:
        context = of_processes()
        self._form = form
        self._connection, other = context.Pipe()
        self._process = context.Process(target=_match, args=(other, form), daemon=True)
        with uninterrupted(context):
            self._process.start()
        other.close()

    def found(self, text: str) -> bool:
        """Return whether the pattern matches a text."""
        self._connection.send(text)
        if not self._connection.poll(MOST):
            self._process.kill()
            self._process.join()
            raise ConfigError(
                "-g",
                self._form.pattern,
                f"a pattern with fewer repeats: it took more than {MOST:g} s on a line",
            )
        return bool(self._connection.recv())


def _match(connection: Connection, form: re.Pattern[str]) -> None:
    try:
        while True:
            connection.send(form.search(connection.recv()) is not None)
    except (EOFError, OSError, KeyboardInterrupt):
        return
