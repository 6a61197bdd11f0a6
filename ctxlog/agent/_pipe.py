"""
Standard input, read to its end whatever happens to the store.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable

from ctxlog.agent._followed import LONGEST
from ctxlog.agent._input import Memory
from ctxlog.agent._lines import Lines
from ctxlog.agent._spill import Spill

_BLOCK = 1 << 16  # what a pipe of Linux holds
#: The seconds to wait at the end for a reader of the copy that does not read.
_PATIENCE = 1.0


class Pipe:
    """
    Standard input as lines, read by a thread.

    Args:
        descriptor: Where to read.
        kept: Takes lines, and does not wait for the store.
        lines: What makes lines of what is read.
        copy: The descriptor that everything goes to as well, as it came.
        say: Takes a sentence about what cannot be done.
    """

    def __init__(
        self,
        descriptor: int,
        kept: Memory | Spill,
        lines: Lines,
        *,
        copy: int | None,
        say: Callable[[str], object],
    ) -> None:
        self._input, self._kept, self._lines = descriptor, kept, lines
        self._copy, self._say = copy, say
        self._rest = b""
        self._is_stopped = False
        self._woken, self._wake = os.pipe()
        self._thread = threading.Thread(target=self._run, name="stdin", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    @property
    def has_ended(self) -> bool:
        """Whether nothing is read any more."""
        return self._is_stopped or not self._thread.is_alive()

    def stop(self) -> None:
        """Read no more."""
        if not self.has_ended:
            os.write(self._wake, b"x")
            self._thread.join(_PATIENCE)
            self._is_stopped = True
            self._kept.end()

    def close(self) -> None:
        """Give back what is held, once nothing more is read."""
        if not self._thread.is_alive():
            os.close(self._woken)
            os.close(self._wake)

    def _run(self) -> None:
        try:
            self._read()
        finally:
            self._kept.end()

    def _read(self) -> None:
        while True:
            ready, _, _ = select.select([self._input, self._woken], [], [])
            if self._woken in ready:
                break
            try:
                data = os.read(self._input, _BLOCK)
            except OSError as error:
                self._say(f"standard input: {error.strerror}")
                break
            if not data:
                break
            self._pass_on(data)
            data = self._rest + data
            stop = data.rfind(b"\n") + 1
            if not stop and len(data) > LONGEST:
                data, stop = data + b"\n", len(data) + 1
            self._rest = data[stop:]
            if stop:
                self._add(data[:stop])
        if self._rest:
            self._add(self._rest + b"\n")
        self._kept.put(self._lines.end(0).lines)

    def _add(self, data: bytes) -> None:
        entries = data.split(b"\n")
        entries.pop()
        self._kept.put(self._lines.add([entry + b"\n" for entry in entries], 0).lines)

    def _pass_on(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while self._copy is not None and rest:
                rest = rest[os.write(self._copy, rest) :]
        except OSError as error:  # its reader has gone
            self._copy = None
            self._say(f"standard output: {error.strerror}; lines are sent all the same")
