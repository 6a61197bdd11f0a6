"""
Lines found by their bytes, with the text below them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ctxlog.viewer.query.needles import (
    NAMES,
    Brief,
    Briefly,
    Every,
    Runs,
    Scan,
    is_json,
    start_of,
)
from ctxlog.viewer.read.source import Block, Hit, Run, Source
from ctxlog.viewer.recognize.keys import Names
from ctxlog.viewer.recognize.text import begins, stream


def pieces(
    source: Source, lines: Scan | Briefly, begin: int = 0, end: int | None = None
) -> Iterator[tuple[int, Sequence[Hit | Run] | Sequence[Brief]]]:
    """Do as `scan` does, or yield runs of entries, or those of each block briefly."""
    if isinstance(lines, Briefly):
        for block in source.blocks(begin, end):
            yield block.stop, [lines(block)]
    elif isinstance(lines, Runs):
        yield from _scan(source, lines, begin, end)
    else:
        yield from scan(source, lines, begin, end)


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
    for size, found in _scan(source, lines, begin, end):
        hits: list[Hit] = []
        for one in found:
            if isinstance(one, Run):
                hits += one.hits()
            else:
                hits.append(one)
        yield size, hits


def _scan(
    source: Source, lines: Scan, begin: int, end: int | None
) -> Iterator[tuple[int, list[Hit | Run]]]:
    names: Names = getattr(lines, "names", NAMES)
    above: Hit | None = None
    for block in source.blocks(begin, end):
        hits: list[Hit | Run] = []
        if above is not None and not _followed(above, block, 0, names):
            hits.append(above)
            above = None
        if above is None and isinstance(lines, Every) and _is_alone(block):
            last = block.data.rfind(b"\n", 0, block.stop - 1) + 1
            if last:
                hits.append(Run(block.position, block.data[:last]))
            above = Hit(block.position + last, block.data[last : block.stop], [])
            yield block.stop, hits
            continue
        for start in _with_torn(lines(block), block):
            if above is not None:  # the rest of the block is the text below it
                break
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


def _is_alone(block: Block) -> bool:
    """Whether a block has nothing but objects, with their ends."""
    ends = block.data.endswith(b"\n", 0, block.stop)
    return ends and not block.torn and is_json(block)


def _with_torn(starts: Iterable[int], block: Block) -> Iterator[int]:
    last = -1
    if block.torn:
        starts = sorted({*starts, *block.torn})
    for last in starts:
        yield last
    if 0 < block.stop == len(block.data) and not block.data.endswith(b"\n"):
        torn = start_of(block, block.stop)
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
