"""
`ctxlog ship` with a store of its own: a folder, where `lines` is what it has.

Run as a program with the folder and the arguments of `ctxlog ship`. With a file `away`
in the folder the store takes nothing; with `refuse` it refuses lines that have the text
in there; every `send()` adds the number of its lines to `sends`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ctxlog import aggregators
from ctxlog.__main__ import main
from ctxlog.aggregators import Receiver, RefusedError, UnavailableError


class FolderStore(Receiver):
    """A store in a folder, which a test looks at from outside."""

    name = "folder://store"
    max_lines = 100

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, lines: Sequence[bytes], timeout: float) -> Mapping[int, str]:
        """Append lines by one write, as a store that has all or nothing."""
        if (self._folder / "away").exists():
            raise UnavailableError("connection refused")
        refused = self._folder / "refuse"
        if refused.exists():
            text = refused.read_bytes()
            if any(text in line for line in lines):
                raise RefusedError("no such text")
        with (self._folder / "lines").open("ab", buffering=0) as file:
            file.write(b"".join(lines))
        with (self._folder / "sends").open("a") as file:
            file.write(f"{len(lines)}\n")
        return {}


def ship(folder: Path, *words: str) -> int:
    """Run `ctxlog ship` with the store, in this process."""
    before = aggregators.receiver
    aggregators.receiver = lambda address: FolderStore(folder)
    try:
        return main(["ship", *words, "--to", "folder://store"])
    finally:
        aggregators.receiver = before


if __name__ == "__main__":
    sys.exit(ship(Path(os.environ["STORE"]), *sys.argv[1:]))
