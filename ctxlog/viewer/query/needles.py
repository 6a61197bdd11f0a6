"""
The lines of a block that may be meant, found by their bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import NamedTuple

from ctxlog.viewer.read.source import Block, Hit
from ctxlog.viewer.recognize import in_bytes
from ctxlog.viewer.recognize.forms import LEAST_SHARE, Forms, Told
from ctxlog.viewer.recognize.keys import FIRST, Names, plain
from ctxlog.viewer.recognize.text import begins

NAMES = Names()


#: Says where in a block the lines begin that are looked for, in order.
Scan = Callable[[Block], Iterable[int]]


def is_json(block: Block) -> bool:
    """Whether each line of a block begins as an object."""
    data, stop = block.data, block.stop
    return data.startswith(b"{", 0, stop) and not _NO_OBJECT.search(data, 0, stop)


_NO_OBJECT = re.compile(rb"\n[^{]")


@dataclass(frozen=True)
class Every:
    """
    Every line that is an entry.

    Attributes:
        names: The user's names, which may tell an entry.
    """

    names: Names = NAMES

    def __call__(self, block: Block) -> Iterator[int]:
        """Return where these lines begin."""
        names = self.names
        for start, line in block.lines():
            if line.startswith(b"{") or begins(line, names):
                yield start


@dataclass(frozen=True)
class Runs(Every):
    """Every line that is an entry; those of a block of nothing but objects as a run."""


class Brief(NamedTuple):
    """
    The entries of a block, as briefly as they can be told.

    Attributes:
        told: What those of a form say; None if there is none.
        read: The others, by the numbers of their lines.
    """

    told: Told | None
    read: Mapping[int, Hit]


class Briefly:
    """
    Every line that is an entry, without the text below it, as briefly as it is told.

    Args:
        names: The user's names, which may tell an entry.
        asked: What lines are to tell, as `Forms` have it.
    """

    def __init__(self, names: Names, *asked: str) -> None:
        self.names = names
        self._forms = Forms(*asked)

    def __call__(self, block: Block) -> Brief:
        """Return these lines."""
        names = self.names
        told = None if names.own else self._forms.told(block.data, block.stop)
        if told is not None:
            unread: Iterable[tuple[int, int, bytes]] = told.unread()
        else:
            unread = ((number, *one) for number, one in enumerate(block.lines()))
        read = {
            number: Hit(block.position + start, line, [])
            for number, start, line in unread
            if start in block.torn or begins(line, names)
        }
        return Brief(told, read)


@dataclass(frozen=True)
class Plain:
    """
    The lines that may be meant by their levels or times, where their forms tell these.

    Attributes:
        least: The least level on logging's scale; None for any.
        within: The first and the last time, in seconds since the epoch; None for any.
        patterns: What else lines have that are meant, of those that have no form.
        names: The user's names.
    """

    least: int | None = None
    within: tuple[float, float] | None = None
    patterns: Sequence[bytes] = ()
    names: Names = NAMES
    _forms: Forms = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Ask forms for what matters."""
        asked = "level" if self.within is None else "time"
        object.__setattr__(self, "_forms", Forms(asked))

    def __call__(self, block: Block) -> Iterable[int]:
        """Return where these lines begin."""
        found = None if self.names.own else self._told(block)
        if found is None:
            # The patterns look for the level under the keys that are guessed.
            if self.patterns and self.names.level is None:
                patterns = [*map(re.compile, self.patterns)]  # mostly not needed
                return Matches((), patterns, self.names)(block)
            return Every(self.names)(block)
        data, names = block.data, self.names
        return [
            start
            for start in found
            if data.startswith(b"{", start)
            or begins(next(block.lines(start))[1], names)
        ]

    def _told(self, block: Block) -> Sequence[int] | None:
        """The lines of a block of which most have forms; None for another block."""
        if self.within is None:
            return self._forms.from_level(block.data, block.stop, self.least or 0)
        told = self._forms.told(block.data, block.stop)
        if told is None or told.share < LEAST_SHARE:
            return None
        return told.starts(told.within(*self.within))


def _texts(block: Block, names: Names) -> Iterator[int]:
    """Yield where the entries of a block begin that are not JSON alone."""
    if not is_json(block):
        for start, line in block.lines():
            if not line.startswith(b"{") and begins(line, names):
                yield start


@dataclass(frozen=True)
class Matches:
    """
    The lines that have one of several pieces of text, or match one of the patterns.

    Patterns are about JSON: beside them every entry of another kind may be meant.

    Attributes:
        needles: The pieces.
        patterns: The patterns.
        names: The user's names, which may tell an entry.
    """

    needles: Sequence[bytes]
    patterns: Sequence[re.Pattern[bytes]] = ()
    names: Names = NAMES

    def __call__(self, block: Block) -> list[int]:
        """Return where these lines begin."""
        starts: set[int] = set()
        for needle in self.needles:
            starts.update(_with(needle, block))
        for pattern in self.patterns:
            hits = pattern.finditer(block.data, 0, block.stop)
            starts.update(start_of(block, match.start()) for match in hits)
        if self.patterns:
            starts.update(_texts(block, self.names))
        return sorted(starts)


class Ids:
    """
    The lines that may be of some requests.

    Args:
        wanted: The requests' ids.
        names: The user's names: the paths under which an id may stand, the first that
            does counts.
    """

    def __init__(self, wanted: Iterable[str], names: Names) -> None:
        wanted = set(wanted)
        self.names = names
        self._keys = [key.encode() for key in names.ids]
        # The first of a header's values stands in a list.
        self._general = re.compile(
            in_bytes.id_key(names.ids)
            + rb'(?:\{"stringValue":\s*|\[\s*)?"?([^"\n\\,}\]]*)(\\?)'
        )
        # A line that names no request with its first key may do so with another.
        self._known = {b"", b"N/A", *(one.encode("utf-8", "replace") for one in wanted)}
        longest = max(map(len, self._known))
        self._head = len(b': ""') + longest
        self._odd = any(
            _ESCAPED.search(request) or set(",}") & set(request) for request in wanted
        )
        self._forms = Forms("id")
        self._is_formed = False
        self._few: Matches | None = None
        if len(wanted) <= 8:
            self._few = Matches([text_needle(request) for request in wanted])

    def __call__(self, block: Block) -> Iterable[int]:
        """Return where these lines begin."""
        if self._few is not None:
            return self._few(block)
        if self._odd:  # every line may be one
            return Every(self.names)(block)
        starts = self._told(block) if self._is_formed else self._usual(block)
        if starts is None and not self._is_formed:
            starts = self._told(block)
            self._is_formed = starts is not None  # so that of the next ones, mostly
        if starts is None and b"resourceLogs" in block.data:  # lines with many ids
            return Every(self.names)(block)
        if starts is None:
            hits = self._general.finditer(block.data, 0, block.stop)
            starts = [
                start_of(block, match.start())
                for match in hits
                # In text that is wrapped other words follow.
                if match[2]
                or match[1] in self._known
                or match[1].partition(b" ")[0] in self._known
            ]
        return sorted({*starts, *_texts(block, self.names)})

    def _told(self, block: Block) -> list[int] | None:
        """The lines of a block of which most have forms; None for another block."""
        told = None if self.names.own else self._forms.told(block.data, block.stop)
        if told is None or told.share < LEAST_SHARE:
            return None
        known = self._known
        found = [
            number
            for number, request in enumerate(told.requests)
            if request and request in known
        ]
        read = [
            number for number in told.others if begins(told.line(number), self.names)
        ]
        return told.starts(sorted({*found, *read}))

    def _usual(self, block: Block) -> list[int] | None:
        """
        The lines of a block that has one key of an id, once on every line.

        Returns None for another block. The key must be the first in rank that stands
        in the block at all, and be written alike everywhere.
        """
        data = block.data
        for key in self._keys:
            if plain(key.decode()) != FIRST and len(self._keys) > 1:
                return None  # an id under another name may come before it
            word = b'"%s"' % key
            if word in data:
                break
            if b'"%s"' % _inner(key) in data:
                return None
        else:
            return None
        pieces = data.split(word)
        ends = [piece.count(b"\n") for piece in pieces]
        last = ends.pop()
        if ends[0] or ends.count(1) != len(ends) - 1:
            return None
        if block.stop < len(data):
            if last > 1:
                return None
            if last == 0:  # a part of the next line, which comes again
                pieces.pop()
        elif last != data.endswith(b"\n"):
            return None
        heads = [piece[: self._head] for piece in pieces]
        heads[0] = b""
        wanted = set()
        for head in set(heads[1:]):
            colon, quote, rest = head.partition(b'"')
            request, end, _ = rest.partition(b'"')
            if not quote or colon not in (b":", b": ") or b"\\" in request:
                return None
            if end and request in self._known:
                wanted.add(head)
        if not wanted:
            return []
        lengths = list(accumulate(map(len, pieces)))
        return [
            start_of(block, lengths[index - 1] + (index - 1) * len(word))
            for index, head in enumerate(heads)
            if head in wanted
        ]


#: The escapes that some logger writes inside a string.
_ESCAPED = re.compile(r"""[^ -~]|["'\\/<>&=+]""")
#: An escape of a character that need not be escaped: any text may be behind it.
_ODD_ESCAPES = re.compile(rb"\\u00[2-7]")


def _inner(key: bytes) -> bytes:
    """The last member of a path: `id` of `req.id`."""
    return key.rpartition(b".")[2]


def text_needle(text: str) -> bytes:
    """Return what stands on every line that has *text* in its JSON, however escaped."""
    return _ESCAPED.split(text, maxsplit=1)[0].encode()


def longest_needle(text: str) -> bytes:
    """Return the same, the longest piece that is written alike by all loggers."""
    return max(_ESCAPED.split(text), key=len).encode()


def with_text(text: str) -> Matches | None:
    """Return what finds the lines that have *text* in a value; None if nothing can."""
    needle = longest_needle(text)
    return Matches([needle], [_ODD_ESCAPES]) if needle else None


def start_of(block: Block, at: int) -> int:
    """Return where the line of a block begins that has the byte *at*."""
    return block.data.rfind(b"\n", 0, at) + 1


def _with(needle: bytes, block: Block) -> Iterator[int]:
    data, stop = block.data, block.stop
    at = data.find(needle, 0, stop)
    while at >= 0:
        yield start_of(block, at)
        # the rest of the line is known already
        end = data.find(b"\n", at, stop) + 1
        at = data.find(needle, end, stop) if 0 < end < stop else -1


class AnyOf:
    """
    The lines that one of several scans finds.

    Args:
        scans: The scans.
        names: The user's names, which may tell an entry.
    """

    def __init__(self, scans: Iterable[Matches | Shown | Plain], names: Names) -> None:
        self._scans = [replace(scan, names=names) for scan in scans]
        self.names = names

    def __call__(self, block: Block) -> Iterable[int]:
        """Return where these lines begin."""
        if len(self._scans) == 1:
            return self._scans[0](block)
        return sorted({start for scan in self._scans for start in scan(block)})

    def within(self, names: Names) -> AnyOf | Every:
        """
        Return what finds these lines in a file that says the service of its lines.

        Any line may be meant by a text that is in what is shown of the service.
        """
        said = f"service={names.of_file}".encode()
        for scan in self._scans:
            if isinstance(scan, Matches) and any(one in said for one in scan.needles):
                return Every(names)
            if isinstance(scan, Shown):
                if scan.piece in (said.lower() if scan.folded else said):
                    return Every(names)
        return AnyOf(self._scans, names)


#: Words of texts that are put together of what stands elsewhere on a line.
_PUT_TOGETHER = "Traceback most recent call last File line in None True False null"
#: A place in a template that another value of the line is put into.
_TEMPLATE = re.compile(rb"\{[@$]?\w*(?:[,:][^{}\"]*)?\}")


@dataclass(frozen=True)
class Shown:
    """
    The lines that may have a piece of text in what is shown of them.

    Attributes:
        piece: The text, of letters and digits.
        folded: Whether it may be written in any case; it is lower case then.
        names: The user's names, which may tell an entry.
    """

    piece: bytes
    folded: bool = False
    names: Names = NAMES

    @classmethod
    def of(cls, pieces: Iterable[str], *, folded: bool = False) -> Shown | None:
        """Return what looks for the best one of pieces that all are there, if any."""
        apart = re.compile("[^A-Za-z0-9_-]+" if not folded else "[^a-hj-jl-rt-z0-9_-]+")
        words = [
            word.encode()
            for piece in pieces
            for word in apart.split(piece.lower() if folded else piece)
            # A number may be written in more than one way.
            if len(word) > 2 and not re.fullmatch("[0-9e-]+", word)
        ]
        usual = _PUT_TOGETHER.lower() if folded else _PUT_TOGETHER
        words = [word for word in words if word not in usual.encode()]
        # What has a digit is on fewer lines.
        rare = [word for word in words if re.search(rb"\d", word)] or words
        return cls(max(rare, key=len), folded) if words else None

    def __call__(self, block: Block) -> Iterable[int]:
        """Return where these lines begin, or the ones that they stand below."""
        if _TEMPLATE.search(block.data, 0, block.stop):
            return Every(self.names)(block)
        if self.folded:
            block = replace(block, data=block.data.lower())
        starts = {*Matches([self.piece])(block)}
        odd = _ODD_ESCAPES.finditer(block.data, 0, block.stop)
        starts.update(start_of(block, match.start()) for match in odd)
        last = start_of(block, block.stop - 1)
        starts.add(last)  # what stands below it is in the next block
        if not is_json(block):
            for start, line in block.lines():
                if not line.startswith(b"{"):
                    starts.add(last)
                    if begins(line, self.names):
                        starts.add(start)
                last = start
        return sorted(starts)
