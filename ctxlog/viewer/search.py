"""
Finding the requests asked for, and their lines: bytes first, JSON where they match.

One pass tells which requests are meant, a second one collects their lines. Only lines
that may be meant are parsed, and every parsed line is held against the question again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ctxlog.viewer.formats import Names, Record
from ctxlog.viewer.reading import BROKEN, Source, lines

__all__ = ["Criterion", "Entry", "Reader", "failing"]

_WORDS = rb'"\s*:\s*"(?i:err|crit|fatal|panic|dpanic|alert|emerg)'
#: What a line that fails has somewhere: a level's word or number, GELF's small numbers
#: among them, or a status. Each begins with plain bytes, which `re` looks for fast.
_FAILING = tuple(
    re.compile(pattern)
    for pattern in (
        rb"level(?:name)?" + _WORDS,
        rb"everity(?:Text)?" + _WORDS,
        rb"tatus" + _WORDS,
        rb'"name' + _WORDS,  # loguru
        rb'level"\s*:\s*(?:[5-9]\d|-|[0-3]\b)',
        rb'tatus(?:Code|_code)?"\s*:\s*"?5\d\d',
    )
)
_PREFIX = 400


@dataclass(frozen=True)
class Criterion:
    """
    A question about a line.

    Attributes:
        holds: Whether a line is meant.
        needles: One of these, or of the patterns, stands on every line that is meant;
            any line may be meant if there is neither.
        patterns: Likewise.
    """

    holds: Callable[[Record, bytes], bool]
    needles: Sequence[bytes] = ()
    patterns: Sequence[re.Pattern[bytes]] = ()


#: Lines that make their request one that failed.
failing = Criterion(lambda record, _line: record.failed, (), _FAILING)


@dataclass
class Entry:
    """
    A line of a request, and what stands below it without being JSON.

    Attributes:
        line: The line's own bytes.
        record: What it says.
        below: The lines that follow it.
    """

    line: bytes
    record: Record
    below: list[bytes] = field(default_factory=list)


class Reader:
    """
    Reads the sources with the user's names, and counts what it could not read.

    Attributes:
        unread: How many lines could not be read.
        problems: Which files could not be read, and why.
    """

    def __init__(self, sources: Sequence[Source], names: Names) -> None:
        self._sources, self.names = sources, names
        self._torn: set[tuple[str, int]] = set()
        self.problems: list[str] = []

    @property
    def unread(self) -> int:
        """How many lines could not be read; a line counts once, however often met."""
        return len(self._torn)

    def _blocks(self) -> Iterator[tuple[Source, int, bytes]]:
        for source in self._sources:
            position = 0
            try:
                for block in source.blocks():
                    yield source, position, block
                    position += len(block)
            except BROKEN as error:
                problem = f"{source.name}: {error.__class__.__name__}: {error}"
                if problem not in self.problems:
                    self.problems.append(problem)

    def _read(self, source: Source, position: int, line: bytes) -> Record | None:
        record = Record.read(line, self.names)
        if record is None and line.lstrip().startswith(b"{"):
            self._torn.add((source.name, position))
        return record

    def records(self) -> Iterator[tuple[Record, bytes]]:
        """Yield every line that is an object."""
        for source, position, block in self._blocks():
            for end, line in lines(block):
                record = self._read(source, position + end, line)
                if record is not None:
                    yield record, line

    def matching(self, criteria: Sequence[Criterion]) -> set[str]:
        """Return the ids of requests in which every criterion holds for some line."""
        found: list[set[str]] = [set() for _ in criteria]
        if all(criterion.needles or criterion.patterns for criterion in criteria):
            candidates = self._candidates(criteria)
        else:
            candidates = self.records()
        for record, line in candidates:
            request = record.request
            if request is not None:
                for criterion, ids in zip(criteria, found, strict=True):
                    if request not in ids and criterion.holds(record, line):
                        ids.add(request)
        return set.intersection(*found)

    def _candidates(
        self, criteria: Sequence[Criterion]
    ) -> Iterator[tuple[Record, bytes]]:
        needles = {needle for criterion in criteria for needle in criterion.needles}
        patterns = {pattern for criterion in criteria for pattern in criterion.patterns}
        for source, position, block in self._blocks():
            starts: set[int] = set()
            for needle in needles:
                starts.update(_starts(block, _finds(block, needle)))
            for pattern in patterns:
                hits = (match.start() for match in pattern.finditer(block))
                starts.update(_starts(block, hits))
            for start in sorted(starts):
                end, line = next(lines(block, start))
                record = self._read(source, position + end, line)
                if record is not None:
                    yield record, line

    def ids(self, prefix: str) -> set[str]:
        """Return the ids that begin with *prefix*; the very id alone if it is one."""
        starts_so = Criterion(lambda *_: True, (_escaped(prefix),))
        found = {
            request
            for record, _ in self._candidates([starts_so])
            if (request := record.request) is not None and request.startswith(prefix)
        }
        return {prefix} if prefix in found else found

    def collect(self, wanted: set[str] | None) -> dict[str, list[Entry]]:
        """
        Return the lines of requests, in the order of the files.

        Args:
            wanted: The requests' ids; every request if None.
        """
        requests: dict[str, list[Entry]] = {}
        above: Entry | None = None  # across blocks too
        last: Source | None = None
        find = None
        for source, position, block in self._blocks():
            if source is not last:
                above, last = None, source
                find = None if wanted is None else _finder(wanted, block, self.names)
            start = 0
            for begin in _begins(block, wanted, find):
                if begin > start and above is not None:
                    self._below(above, block, start, begin)
                above = None
                start, line = next(lines(block, begin))
                record = self._read(source, position + start, line)
                request = None if record is None else record.request
                if record is None or request is None:
                    continue
                if wanted is None or request in wanted:
                    above = Entry(line, record)
                    requests.setdefault(request, []).append(above)
            if above is not None and not self._below(above, block, start, len(block)):
                above = None
        return requests

    def _below(self, above: Entry, block: bytes, start: int, stop: int) -> bool:
        """Put the lines that are not JSON below the one above; whether all were so."""
        prefix = above.line[: above.line.find(b"{", 0, _PREFIX)]
        for end, line in lines(block, start):
            if end > stop or not line.startswith(prefix):
                return end > stop
            if line.startswith(b"{", len(prefix)):
                return False
            above.below.append(line)
        return True


def _escaped(text: str) -> bytes:
    # as it stands inside a JSON string, up to what loggers escape differently
    return re.split(r'["\\/\x00-\x1f\x7f-\U0010ffff]', text, maxsplit=1)[0].encode()


def _finds(block: bytes, needle: bytes) -> Iterator[int]:
    at = block.find(needle)
    while at >= 0:
        yield at
        # the rest of the line is known already
        end = block.find(b"\n", at)
        last = end < 0 or end + 1 == len(block)
        at = -1 if last else block.find(needle, end + 1)


def _starts(block: bytes, hits: Iterable[int]) -> Iterator[int]:
    return (block.rfind(b"\n", 0, hit) + 1 for hit in hits)


_Find = Callable[[bytes], Iterator[int]]


def _finder(wanted: set[str], block: bytes, names: Names) -> _Find:
    """Return what finds the lines that may be of the wanted requests."""
    if len(wanted) <= 8:
        needles = [_escaped(request) for request in wanted]
        return lambda block: (at for needle in needles for at in _finds(block, needle))
    keys = [path.encode() for path in names.ids]
    keys += [key.rpartition(b".")[2] for key in keys]
    # only the keys that the file begins with: each further one costs a pass
    used = sorted({key for key in keys if b'"%s"' % key in block}) or keys
    any_key = b"|".join(map(re.escape, used))
    if len(used) > 1:
        any_key = b"(?:%s)" % any_key
    value = rb'"\s*:\s*(?:\{"stringValue":\s*)?"?([^"\n\\,}]*)'
    pattern = re.compile(b'"' + any_key + value)
    known = {request.encode() for request in wanted}
    odd = any(set('"\\,}\n') & set(request) for request in wanted)
    odd = odd or any(not request.isascii() for request in wanted)
    if odd or b"resourceLogs" in block:  # escaped, or elsewhere: every line may be one
        return lambda block: (match.start() for match in re.finditer(rb"\{.*", block))
    return lambda block: (
        match.start() for match in pattern.finditer(block) if match[1] in known
    )


def _begins(block: bytes, wanted: set[str] | None, find: _Find | None) -> Iterator[int]:
    if wanted is None or find is None:
        start = 0
        for end, line in lines(block):
            if b"{" in line[:_PREFIX]:
                yield start
            start = end
    else:
        yield from sorted(set(_starts(block, find(block))))
