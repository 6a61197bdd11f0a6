"""
Processes that measure in turn.

Each row has a process of its own, since many libraries replace parts of the standard
library or configure it for the whole process. All of a group are alive at once, and one
of them works at a time: short blocks in turn, forwards and backwards. So a machine
whose speed drifts is as unfair to one as to the other, as if all were in one process.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO, NamedTuple

from ratios import Failed, Samples

HERE = Path(__file__).resolve().parent

#: Seconds after which a process that does not answer is stopped.
PATIENCE = 60


class Row(NamedTuple):
    """
    What one process measures.

    Attributes:
        name: A line of `cases.py`, an operation, a way to serve a request.
        kind: Which of them, as `measure.py` knows it.
        sink: Where the lines go: `null`, `file` or `pipe`.
        options: More arguments of `measure.py`.
    """

    name: str
    kind: str = "line"
    sink: str = "null"
    options: tuple[str, ...] = ()


class Worker:
    """A process that measures one block whenever it is asked to."""

    def __init__(self, row: Row, folder: str) -> None:
        command = [sys.executable, str(HERE / "measure.py"), row.kind, row.name]
        self._reader: subprocess.Popen[bytes] | None = None
        output: IO[bytes]
        if row.sink == "pipe":
            self._reader = subprocess.Popen(
                ["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
            )
            assert self._reader.stdin is not None
            output = self._reader.stdin
        else:
            file = tempfile.NamedTemporaryFile(dir=folder, delete=False)
            path = file.name if row.sink == "file" else os.devnull
            file.close()
            output = open(path, "wb")
        with output:
            self._process = subprocess.Popen(
                [*command, *row.options],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.PIPE,
                text=True,
            )

    def ask(self) -> float | Failed | None:
        """Return the figure of one block; None if a process measures no more."""
        assert self._process.stdin is not None
        assert self._process.stderr is not None
        timer = threading.Timer(PATIENCE, self._process.kill)
        timer.start()
        said = "it printed nothing"
        try:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.write("\n")
                self._process.stdin.flush()
            for line in self._process.stderr:
                if line.startswith("="):
                    return float(line[1:])
                said = line.strip() or said
        finally:
            timer.cancel()
        return None if self._process.wait() == 0 else Failed(said[:120])

    def stop(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._process.communicate(timeout=PATIENCE)
        if self._reader is not None:
            self._reader.wait()


def in_turn(
    rows: Sequence[Row], rounds: int, turns: int
) -> dict[str, Samples | Failed]:
    """Measure *rows* in turn, in every round with new processes."""
    found: dict[str, list[list[float]]] = {row.name: [] for row in rows}
    failed: dict[str, Failed] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            progress(f"round {number + 1} of {rounds}: {', '.join(found)}")
            workers = {
                row.name: Worker(row, folder) for row in rows if row.name not in failed
            }
            try:
                _round(workers, turns, found, failed)
            finally:
                for worker in workers.values():
                    worker.stop()
    return {name: failed.get(name) or samples for name, samples in found.items()}


def _round(
    workers: dict[str, Worker],
    turns: int,
    found: dict[str, list[list[float]]],
    failed: dict[str, Failed],
) -> None:
    asked = list(workers)
    for name in asked:
        found[name].append([])
    for _ in range(turns):
        for name in list(asked):
            figure = workers[name].ask()
            if isinstance(figure, float):
                found[name][-1].append(figure)
                continue
            asked.remove(name)
            if isinstance(figure, Failed) or not found[name][-1]:
                failed[name] = figure or Failed("it measured nothing")
        asked.reverse()


def progress(text: str) -> None:
    """Show on a terminal what is going on."""
    if sys.stderr.isatty():
        print(f"\r{text[:78]:<78}", end="\r", file=sys.stderr, flush=True)
