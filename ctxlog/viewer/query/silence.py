"""
Why nothing was printed: what the files have, said in a sentence.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ctxlog.viewer.read.source import BROKEN, Block, Source
from ctxlog.viewer.recognize.flat import flat
from ctxlog.viewer.recognize.forms import Forms
from ctxlog.viewer.recognize.keys import Names
from ctxlog.viewer.recognize.record import Record

#: How many bytes of each file are looked at, at most.
_MOST = 4 << 20
_HEAD = 1024
# Fields that may be ids: by their name, or by what stands there.
_NAMED = re.compile(
    r"(?i).*(?:[_.-]id|Id|ID|^id|key|uuid|guid|session|correl\w*|request|trace|txn"
    r"|transaction|conn\w*|call|job|token|reference)$"
)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+=-]{5,127}")
_DEEPEST, _MOST_NAMES, _MOST_VALUES, _LONGEST, _SHOWN = 4, 200, 5000, 200, 3
_NO_IDS = frozenset({"pid", "thread", "threadid", "tid", "processid", "spanid"})


@dataclass
class Seen:
    """
    What is in some files.

    Attributes:
        empty: The names of the files that have nothing at all.
        binary: The names of those that are no text.
        lines: How many lines there are.
        entries: How many of them are known.
        unread: How many begin as an object, and cannot be read.
        requests: The ids of requests.
        candidates: Fields that may have the requests' ids, with their values.
        whole: Whether everything was looked at.
    """

    empty: list[str] = field(default_factory=list)
    binary: list[str] = field(default_factory=list)
    lines: int = 0
    entries: int = 0
    unread: int = 0
    requests: set[str] = field(default_factory=set)
    candidates: dict[str, Counter[str]] = field(default_factory=dict)
    whole: bool = True

    def read(self, source: Source, names: Names) -> None:
        """Look at a file, or as much of it as takes a moment."""
        before, size, forms = self.lines, 0, Forms("id")
        try:
            for block in source.blocks():
                if not size and b"\0" in block.data[:_HEAD]:
                    self.binary.append(source.name)
                    return
                self._look(block, forms, names)
                size += block.stop
                if size > _MOST:
                    self.whole = False
                    break
        except BROKEN:  # that was told already
            return
        if self.lines == before:
            self.empty.append(source.name)

    def _look(self, block: Block, forms: Forms, names: Names) -> None:
        told = None if names.own else forms.told(block.data, block.stop)
        if told is None:
            for _, line in block.lines():
                self._add(line, names)
            return
        others = {*told.others}
        for number, request in enumerate(told.requests):
            if number in others or not request:
                self._add(told.lines[number], names)
            else:
                self.lines += 1
                self.entries += 1
                self.requests.add(request.decode())

    def _add(self, line: bytes, names: Names) -> None:
        if not line.strip():
            return
        self.lines += 1
        records = Record.read(line, names)
        if not records:
            self.unread += line.lstrip().startswith(b"{")
        for record in records:
            self.entries += 1
            if record.request is not None:
                self.requests.add(record.request)
            elif not self.requests:
                self._note(record)

    def _note(self, record: Record) -> None:
        for name, value in flat(record.fields, _DEEPEST):
            if not isinstance(value, (str, int)) or isinstance(value, bool):
                continue
            text, known = str(value)[:_LONGEST], self.candidates.get(name)
            if known is None:
                if len(self.candidates) >= _MOST_NAMES:
                    continue
                known = self.candidates[name] = Counter()
            if len(known) < _MOST_VALUES or text in known:
                known[text] += 1

    def likely(self) -> list[tuple[str, int]]:
        """Return the fields that may be ids, the likeliest first, and their values."""
        found = []
        for name, values in self.candidates.items():
            if len(values) < 2 or re.sub(r"[^a-z]", "", name.lower()) in _NO_IDS:
                continue
            named = _NAMED.fullmatch(name) is not None
            like = all(map(_ID.fullmatch, list(values)[:100]))
            repeated = values.total() > len(values)
            if (named and not any(" " in value for value in values)) or (
                like and repeated
            ):
                found.append(((not named, not repeated, -len(values)), name))
        return [(name, len(self.candidates[name])) for _, name in sorted(found)]


def reason(
    sources: Iterable[Source],
    names: Names,
    *,
    wanted: Sequence[str] = (),
    asked: Sequence[str] = (),
) -> str:
    """
    Return why no request of some files was printed.

    Args:
        sources: The files; they are read once more.
        names: The user's names.
        wanted: The requests that were asked for by their ids.
        asked: The other options that choose requests, as they were given.
    """
    seen = Seen()
    for source in sources:
        seen.read(source, names)
    if seen.binary and not seen.lines:
        return f"{_listed(seen.binary)}: no text"
    if not seen.lines:
        return f"{_listed(seen.empty)}: empty" if seen.empty else "nothing to read"
    lines = _count(seen.lines, "line") + ("" if seen.whole else " at the beginning")
    if not seen.entries:
        found = f"{lines}, none is JSON, logfmt or of another format that is known"
        if names.id_patterns:
            return f"{found}, and none matches --id-regex"
        return f"{found}; if they name their requests, try --id-regex PATTERN"
    if not seen.requests:
        return f"{lines}, none has a request's id{_proposal(seen.likely())}"
    known = (
        f"{_count(len(seen.requests), 'request')}, "
        f"{_count(seen.unread, 'line')} could not be read"
    )
    where = "" if seen.whole else "at the beginning "
    return f"{missed(wanted, asked)}; {where}{known}"


def missed(wanted: Sequence[str], asked: Sequence[str]) -> str:
    """Return what was asked for, and is not there; the arguments are the same."""
    if wanted and not asked:
        verb = "is like" if any("*" in one for one in wanted) else "begins with"
        return f"no request's id {verb} {' or '.join(wanted)}"
    asked = [*(f"-r {one}" for one in wanted), *asked]
    if list(asked) == ["--errors"]:
        return "no request has an error"
    return f"no request is meant by {' '.join(asked)}" if asked else "no request"


def _proposal(likely: Sequence[tuple[str, int]]) -> str:
    if not likely:
        return "; try --id-field NAME, or --id-regex for lines of text"
    (first, number), *others = likely[:_SHOWN]
    names = [f"{first} ({number:,} different values)", *(name for name, _ in others)]
    return f"; candidates: {', '.join(names)}; try --id-field {first}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join("standard input" if one == "-" else one for one in names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
