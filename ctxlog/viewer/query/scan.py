"""
Lines found by their bytes, without reading them as JSON, by as many processes as help.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ctxlog.viewer.read.progress import LEAST
from ctxlog.viewer.read.source import BROKEN, Block, Hit, Source
from ctxlog.viewer.recognize import in_bytes
from ctxlog.viewer.recognize.keys import FIRST, Names, plain
from ctxlog.viewer.recognize.text import begins, stream

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

_T = TypeVar("_T")

_NAMES = Names()

#: Files of fewer bytes are read sooner than other processes start.
_LARGE = LEAST
_PART = 16 << 20
_MOST_PROCESSES = 8


#: Says where in a block the lines begin that are looked for, in order.
Scan = Callable[[Block], Iterable[int]]


@dataclass(frozen=True)
class Every:
    """
    Every line that is an entry.

    Attributes:
        names: The user's names, which may tell an entry.
    """

    names: Names = _NAMES

    def __call__(self, block: Block) -> Iterator[int]:
        """Return where these lines begin."""
        names = self.names
        for start, line in block.lines():
            if line.startswith(b"{") or begins(line, names):
                yield start


def _texts(block: Block, names: Names) -> Iterator[int]:
    """Yield where the entries of a block begin that are not JSON alone."""
    data, stop = block.data, block.stop
    objects = data.count(b"\n{", 0, stop) + data.startswith(b"{")
    if objects < data.count(b"\n", 0, stop):
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
    names: Names = _NAMES

    def __call__(self, block: Block) -> list[int]:
        """Return where these lines begin."""
        starts: set[int] = set()
        for needle in self.needles:
            starts.update(_with(needle, block))
        for pattern in self.patterns:
            hits = pattern.finditer(block.data, 0, block.stop)
            starts.update(_start(block, match.start()) for match in hits)
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
        self._few: Matches | None = None
        if len(wanted) <= 8:
            self._few = Matches([text_needle(request) for request in wanted])

    def __call__(self, block: Block) -> Iterable[int]:
        """Return where these lines begin."""
        if self._few is not None:
            return self._few(block)
        if self._odd or b"resourceLogs" in block.data:  # every line may be one
            return Every(self.names)(block)
        starts = self._usual(block)
        if starts is None:
            hits = self._general.finditer(block.data, 0, block.stop)
            starts = [
                _start(block, match.start())
                for match in hits
                if match[2] or match[1] in self._known
            ]
        return sorted({*starts, *_texts(block, self.names)})

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
            _start(block, lengths[index - 1] + (index - 1) * len(word))
            for index, head in enumerate(heads)
            if head in wanted
        ]


#: The escapes that some logger writes inside a string.
_ESCAPED = re.compile("[\"'\\\\/<>&=+\x00-\x1f\x7f-\U0010ffff]")


def _inner(key: bytes) -> bytes:
    """The last member of a path: `id` of `req.id`."""
    return key.rpartition(b".")[2]


def text_needle(text: str) -> bytes:
    """Return what stands on every line that has *text* in its JSON, however escaped."""
    return _ESCAPED.split(text, maxsplit=1)[0].encode()


def longest_needle(text: str) -> bytes:
    """Return the same, the longest piece that is written alike by all loggers."""
    return max(_ESCAPED.split(text), key=len).encode()


def _start(block: Block, at: int) -> int:
    return block.data.rfind(b"\n", 0, at) + 1


def _with(needle: bytes, block: Block) -> Iterator[int]:
    data, stop = block.data, block.stop
    at = data.find(needle, 0, stop)
    while at >= 0:
        yield _start(block, at)
        # the rest of the line is known already
        end = data.find(b"\n", at, stop) + 1
        at = data.find(needle, end, stop) if 0 < end < stop else -1


def scan(
    source: Source, lines: Scan, begin: int = 0, end: int | None = None
) -> Iterator[tuple[int, list[Hit]]]:
    """
    Yield the matching lines of a source, and the text below them.

    It comes in order, as often as some bytes have been read: how many, and the hits.
    The source's last line is among them if it has no end: it may have been torn. So are
    the lines that a collector has split and not ended.

    Args:
        source: What is read.
        lines: Which lines.
        begin: The first byte, as for `Source.blocks`.
        end: The byte after the last one, as for `Source.blocks`.

    Raises:
        OSError: the source cannot be read.
    """
    names: Names = getattr(lines, "names", _NAMES)
    above: Hit | None = None
    for block in source.blocks(begin, end):
        hits: list[Hit] = []
        if above is not None and not _followed(above, block, 0, names):
            hits.append(above)
            above = None
        for start in _with_torn(lines(block), block):
            if above is not None:
                hits.append(above)
            _, line = next(block.lines(start))
            above = Hit(block.position + start, line, [])
            if not _followed(above, block, start + len(line), names):
                hits.append(above)
                above = None
        yield block.stop, hits
    if above is None:
        return
    if end is not None:
        for block in source.blocks(end):
            if not _followed(above, block, 0, names):
                break
    yield 0, [above]


def _with_torn(starts: Iterable[int], block: Block) -> Iterator[int]:
    last = -1
    if block.torn:
        starts = sorted({*starts, *block.torn})
    for last in starts:
        yield last
    if 0 < block.stop == len(block.data) and not block.data.endswith(b"\n"):
        torn = _start(block, block.stop)
        if torn > last:
            yield torn


def _followed(above: Hit, block: Block, start: int, names: Names) -> bool:
    """Put the lines that are no entries below the one above; whether all were so."""
    if block.data.startswith(b"{", start, block.stop):
        return False
    is_plain = above.line.startswith(b"{")
    if not is_plain and not begins(above.line, names):
        return False
    service = None if is_plain else stream(above.line)
    for _, line in block.lines(start):
        if begins(line, names) or not (is_plain or stream(line) == service):
            return False
        above.below.append(line)
    return True


def is_large(size: int) -> bool:
    """Whether it takes a while to read so many bytes."""
    return size >= _LARGE


def found(
    source: Source,
    lines: Scan,
    then: Callable[[list[Hit]], _T],
    *,
    processes: int | None = None,
    part: int | None = None,
) -> Iterator[tuple[int, _T]]:
    """
    Do as `scan` does, by several processes where the source is large.

    Args:
        source: What is read.
        lines: Which lines.
        then: What to make of some lines that come one after the other, in the process
            that found them; a function that can be pickled.
        processes: How many; None for as many as there are processors, if it helps.
        part: How many bytes a process reads at once; None for what is best.

    Raises:
        OSError: the source cannot be read.
    """
    if processes is None:
        processes = 1
        if is_large(source.size or 0):
            processes = min(_processors(), _MOST_PROCESSES)
    if processes > 1 and not source.is_collected:
        parts = list(source.parts(part or _PART))
        processes = min(processes, len(parts))
        workers = _workers(source.name, lines, then, parts, processes)
        if workers:
            yield from _in_turn(workers, parts)
            return
    for size, hits in scan(source, lines):
        yield size, then(hits)


# This process's ends of the pipes: a forked process inherits them.
_receivers: list[Connection] = []


class _Worker(Generic[_T]):
    """
    Another process, which sends the result of each of its parts.

    It needs no locks, and ends by itself when its results are no longer read. An
    executor of `concurrent.futures` takes as long (1 to 5 % more on 491 MB), but holds
    the results of all parts that are done, and its processes outlive a killed parent.
    """

    def __init__(
        self,
        name: str,
        lines: Scan,
        then: Callable[[list[Hit]], _T],
        parts: Sequence[tuple[int, int]],
    ) -> None:
        # imported here: most files are small
        import multiprocessing

        # This process has no threads; elsewhere there is no fork that works.
        method = "fork" if sys.platform == "linux" else None
        context: Any = multiprocessing.get_context(method)
        self._receiver, sender = context.Pipe(duplex=False)
        _receivers.append(self._receiver)
        self._process = context.Process(
            target=_work, args=(sender, name, lines, then, parts), daemon=True
        )
        try:
            with sender:
                self._process.start()
        except OSError:
            self._close()
            raise

    def next(self) -> _T:
        """Return what it has made of its next part, or raise what it has raised."""
        try:
            made, error = self._receiver.recv()
        except EOFError:
            raise OSError("a process that read it was ended") from None
        if error is not None:
            raise error
        result: _T = made
        return result

    def end(self) -> None:
        """End it, whatever it does."""
        self._process.terminate()
        self._close()
        self._process.join()

    def _close(self) -> None:
        _receivers.remove(self._receiver)
        self._receiver.close()


def _workers(
    name: str,
    lines: Scan,
    then: Callable[[list[Hit]], _T],
    parts: Sequence[tuple[int, int]],
    number: int,
) -> list[_Worker[_T]]:
    """So many processes that share the parts; none where the system has none left."""
    workers: list[_Worker[_T]] = []
    try:
        for first in range(number):
            workers.append(_Worker(name, lines, then, parts[first::number]))
    except (ImportError, OSError):
        for worker in workers:
            worker.end()
        return []
    return workers


def _in_turn(
    workers: Sequence[_Worker[_T]], parts: Sequence[tuple[int, int]]
) -> Iterator[tuple[int, _T]]:
    try:
        for number, (begin, end) in enumerate(parts):
            yield end - begin, workers[number % len(workers)].next()
    finally:
        for worker in workers:
            worker.end()


def _work(
    sender: Connection,
    name: str,
    lines: Scan,
    then: Callable[[list[Hit]], object],
    parts: Sequence[tuple[int, int]],
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other one is told, too
    # Otherwise it would not notice that the last reader is gone.
    for receiver in _receivers:
        receiver.close()
    source = Source(name)
    try:
        for begin, end in parts:
            pieces = scan(source, lines, begin, end)
            sender.send((then([hit for _, hits in pieces for hit in hits]), None))
    except BrokenPipeError:
        return
    except BROKEN as error:
        sender.send((None, error))


def _processors() -> int:
    """How many processors this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # not everywhere
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1
