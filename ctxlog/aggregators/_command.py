"""
Stores that are read by a command line tool of theirs. Private to `aggregators/`.

The tool knows where the store is and who may read it; its output comes as it is made.
"""

from __future__ import annotations

import os
import selectors
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import IO

from ctxlog.aggregators._line import Line
from ctxlog.aggregators._question import Question
from ctxlog.aggregators._store import UnavailableError

_BLOCK = 1 << 16
_SHOWN = 300


def output(command: Sequence[str], *, errors_too: bool = False) -> Iterator[bytes]:
    """
    Run a tool; yield the lines that it prints, each with its newline.

    Args:
        command: The tool and its arguments; no shell reads them.
        errors_too: Whether it prints lines of the store on standard error as well.

    Raises:
        UnavailableError: if the tool is not installed, or fails.
    """
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except FileNotFoundError:
        raise UnavailableError(f"{command[0]} is not installed") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise UnavailableError(f"{command[0]} does not start: {reason}") from None
    last = b""
    with process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            for line, is_error in _lines(process.stdout, process.stderr):
                if errors_too or not is_error:
                    yield line
                if is_error:
                    last = line if line.strip() else last
        except BaseException:  # the reader has enough: no more is printed for it
            process.kill()
            raise
    if process.returncode:
        said = last.decode("utf-8", "replace").strip()[:_SHOWN]
        raise UnavailableError(said or f"{command[0]} ends with {process.returncode}")


def _lines(stdout: IO[bytes], stderr: IO[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Yield the lines of both streams, each whole, and whether it is of the second."""
    rests = {stdout: b"", stderr: b""}
    with selectors.DefaultSelector() as selector:
        for stream in rests:
            selector.register(stream, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select():
                stream = stdout if key.fileobj is stdout else stderr
                block = os.read(stream.fileno(), _BLOCK)
                if not block:
                    selector.unregister(stream)
                    if rests[stream]:
                        yield rests[stream] + b"\n", stream is stderr
                    continue
                first, newline, block = block.partition(b"\n")
                if not newline:  # the middle of a long line
                    rests[stream] += first
                    continue
                yield rests[stream] + first + newline, stream is stderr
                *whole, rests[stream] = block.split(b"\n")
                for line in whole:
                    yield line + b"\n", stream is stderr


def shown(command: Sequence[str]) -> str:
    """Return a command as it is typed in a shell."""
    return shlex.join(command)


#: The seconds by which a line may be older than its arrival at the store.
DELAY = 300


def in_order(lines: Iterator[bytes], question: Question) -> Iterator[bytes]:
    """
    Yield lines as a question wants them, of a store that has no order of its own.

    Lines that do not say when they were written stay below the line before them.
    """
    if question.order != "any":
        blocks: list[tuple[int, list[bytes]]] = []
        for line in lines:
            time = Line(line).time
            if time is not None or not blocks:
                blocks.append((time or 0, [line]))
            else:
                blocks[-1][1].append(line)
        newest = question.order == "newest"
        blocks.sort(key=lambda block: block[0], reverse=newest)
        lines = (line for _, block in blocks for line in block)
    return islice(lines, question.limit)
