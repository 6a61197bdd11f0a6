"""
Long lines that a collector has split, joined again.

Three write a long line as several entries, each after its published format:

- Docker's `json-file` driver, at 16 KiB: `log` has no newline at its end unless the
  line ends there (https://docs.docker.com/engine/logging/drivers/json-file/).
- Runtimes of Kubernetes' Container Runtime Interface: the tag is `P` until the line
  ends with one that is `F` (https://github.com/kubernetes/cri-api).
- journald, at `LineMax=`, 48 KiB: `_LINE_BREAK` is `line-max`; Docker's driver for it
  sets `CONTAINER_PARTIAL_MESSAGE` (systemd.journal-fields(7)).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ctxlog._json import dumps, loads

#: The most bytes that are held, and the most streams of which a line is.
MOST_BYTES = 64 << 20
_MOST_STREAMS = 256
#: Docker splits after so many bytes: a smaller part is the last that a stream had. It
#: may be more here: each byte of a character that was cut has become a U+FFFD.
_DOCKER_PART = 16 << 10

_DOCKER = b'{"log":"'
_DOCKER_AFTER = b'","stream":"'
_DOCKER_END = b"\\n" + _DOCKER_AFTER
_CRI = re.compile(rb"\d{4}-\d\d-\d\dT\S+ (stdout|stderr) ([PF])(?::\S*)? ")
#: The field of an entry of the journal with the line as it was written.
JOURNAL_LINE = "CTXLOG_LINE"
_CRI_PARTS = (b" stdout P", b" stderr P")
_JOURNAL = b'"__CURSOR"'
_JOURNAL_PARTS = (b'"_LINE_BREAK"', b'"CONTAINER_PARTIAL_MESSAGE"')


class Joined(NamedTuple):
    """
    A line, after its parts have been joined.

    Attributes:
        line: The line, its newline included: as the collector would have written it
            undivided. Of a line that never ended, the text that is there.
        torn: Whether its end is missing.
    """

    line: bytes
    torn: bool


@dataclass
class _Held:
    """The beginning of a line: its first entry, and the text of all so far."""

    first: _Part
    place: int
    texts: list[bytes] = field(default_factory=list)

    @property
    def text(self) -> bytes:
        return b"".join(self.texts)


class _Part(NamedTuple):
    """
    An entry as its collector wrote it.

    Attributes:
        stream: What the line goes on in.
        text: The application's bytes; without a newline.
        ends: Whether the line ends with it.
        entry: The entry as it was read, to write the joined line after it.
    """

    stream: tuple[object, ...]
    text: bytes
    ends: bool
    entry: Any


class Joiner:
    """
    Joins the lines of one file, pipe or journal that a collector has split.

    Lines of other formats pass as they are. Not for several threads at once.

    Args:
        most_bytes: How much is held at most. A line that is longer is not joined: it
            comes in pieces, and the first counts as torn.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._size = 0
        self._held: dict[tuple[object, ...], _Held] = {}

    @property
    def held_from(self) -> int | None:
        """The place of the first part that is held; None if none is."""
        return min((held.place for held in self._held.values()), default=None)

    def add(self, line: bytes, place: int = 0) -> Sequence[Joined]:
        """
        Take an entry; return the lines that are known now, mostly this one.

        Args:
            line: The entry, its newline included.
            place: Where in its source it begins, for `held_from`.
        """
        part = self._part(line)
        if part is None:
            return (Joined(line, False),)
        held = self._held.get(part.stream)
        found: list[Joined] = []
        if held is not None and _begins_anew(part, held):
            found.append(self._give_up(part.stream))
            held = None
        if held is None and part.ends:
            return (*found, Joined(line, False))
        if held is None:
            held = self._held[part.stream] = _Held(part, place)
        held.texts.append(part.text)
        self._size += len(part.text)
        if part.ends:
            text = self._let_go(part.stream)
            found.append(Joined(_whole(held.first, part, text), False))
        elif self._size > self._most_bytes or len(self._held) > _MOST_STREAMS:
            found.append(self._give_up(next(iter(self._held))))
        return found

    def end(self) -> Sequence[Joined]:
        """Return the lines whose end will not come, by when they began."""
        return [self._give_up(stream) for stream in list(self._held)]

    def _give_up(self, stream: tuple[object, ...]) -> Joined:
        return Joined(self._let_go(stream) + b"\n", True)

    def _let_go(self, stream: tuple[object, ...]) -> bytes:
        text = self._held.pop(stream).text
        self._size -= len(text)
        return text

    def _part(self, line: bytes) -> _Part | None:
        """Return a line that is a part, or may be the end of one; None for others."""
        if line.startswith(b"{"):
            if line.startswith(_DOCKER):
                if not self._held and _ends_docker(line):
                    return None
                return _docker_part(line)
            marks = (_JOURNAL,) if self._held else _JOURNAL_PARTS
            return _journal_part(line) if any(map(line.__contains__, marks)) else None
        match = _CRI.match(line)
        if match is None:
            return None
        stream, tag = match.groups()
        text = line[match.end() :].removesuffix(b"\n")
        return _Part(("cri", stream), text, tag == b"F", match[0])


def is_collected(line: bytes) -> bool:
    """Return whether a line is of a format in which long lines are split."""
    if line.startswith(b"{"):
        return line.startswith(_DOCKER) or _JOURNAL in line
    return _CRI.match(line) is not None


def may_have_parts(data: bytes) -> bool:
    """
    Return whether some line may be a part, quickly, by looking at bytes.

    Args:
        data: Lines of one format, from the beginning of a line on.
    """
    if not is_collected(data[: data.find(b"\n") + 1] or data):
        return False
    if data.startswith(_DOCKER):
        # A part may end with a backslash and an `n` of its own.
        ends = data.count(_DOCKER_END)
        return ends != data.count(_DOCKER_AFTER) or b"\\" + _DOCKER_END in data
    marks = _JOURNAL_PARTS if data.startswith(b"{") else _CRI_PARTS
    return any(mark in data for mark in marks)


def unwrapped(line: bytes) -> bytes:
    """
    Return the application's line that a collector has wrapped; any other as it is.

    That is also one that ctxlog has given to the journal.

    Args:
        line: A whole line, as `Joiner` gives it, its newline included.
    """
    part: _Part | None = None
    if line.startswith(_DOCKER):
        part = _docker_part(line)
    elif line.startswith(b"{"):
        if _JOURNAL in line:
            kept = message_bytes(_members(line).get(JOURNAL_LINE))
            if kept is not None:
                return kept + b"\n"
            part = _journal_part(line)
    elif (match := _CRI.match(line)) is not None:
        return line[match.end() :]
    return line if part is None else part.text + b"\n"


def _begins_anew(part: _Part, held: _Held) -> bool:
    """Whether a container of Docker's was started again in the middle of a line."""
    if part.stream[0] != "docker" or len(held.texts[-1]) >= _DOCKER_PART:
        return False
    return part.text.startswith(b"{")


def _whole(first: _Part, last: _Part, text: bytes) -> bytes:
    """Return the entry of a whole line: that of its beginning, with all the text."""
    kind = first.stream[0]
    if kind == "cri":
        head: bytes = first.entry
        before, _, _ = head.rstrip(b" ").rpartition(b" ")
        return before + b" F " + text + b"\n"
    if kind == "docker":
        return dumps({**first.entry, "log": _text(text) + "\n"}) + b"\n"
    entry = {**first.entry, "MESSAGE": _message(text)}
    entry["__CURSOR"] = last.entry.get("__CURSOR")
    for mark in ("_LINE_BREAK", "CONTAINER_PARTIAL_MESSAGE"):
        entry.pop(mark, None)
    return dumps(entry) + b"\n"


def _members(line: bytes) -> dict[str, Any]:
    try:
        found = loads(line)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _ends_docker(line: bytes) -> bool:
    """Whether an entry of Docker's has its newline for sure."""
    end = line.find(_DOCKER_END)
    return end > 0 and line[end - 1] != ord("\\")


def _docker_part(line: bytes) -> _Part | None:
    entry = _members(line)
    text = entry.get("log")
    if not isinstance(text, str) or "time" not in entry:
        return None
    data = text.encode("utf-8", "replace")
    stream = ("docker", entry.get("stream"))
    return _Part(stream, data.removesuffix(b"\n"), data.endswith(b"\n"), entry)


def _journal_part(line: bytes) -> _Part | None:
    entry = _members(line)
    text = message_bytes(entry.get("MESSAGE"))
    if text is None or "__CURSOR" not in entry:
        return None
    partial = entry.get("CONTAINER_PARTIAL_MESSAGE") == "true"
    container = entry.get("CONTAINER_ID_FULL")
    stream: tuple[object, ...] = ("journal", entry.get("_STREAM_ID"))
    if container is not None:
        stream = ("journal", container, entry.get("PRIORITY"))
    ends = entry.get("_LINE_BREAK") != "line-max" and not partial
    return _Part(stream, text, ends, entry)


def message_bytes(value: object) -> bytes | None:
    """
    Return a field of `journalctl -o json` as bytes; None if it has no text.

    What is no UTF-8, or has control characters, stands there as a list of numbers.
    """
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    if isinstance(value, list):
        try:
            return bytes(value)
        except (TypeError, ValueError):  # a field with several values
            return None
    return None


def _message(text: bytes) -> str | list[int]:
    try:
        return text.decode()
    except UnicodeDecodeError:
        return list(text)


def _text(text: bytes) -> str:
    return text.decode("utf-8", "replace")
