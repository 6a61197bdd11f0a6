"""
Worker processes, started from the command line as their users start them.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ctxlog
from tests.helpers import LIMIT, clean_environment

__all__ = ["Event", "Process", "running"]

Event = dict[str, Any]


class Process:
    """A running process and what it has written so far, its lines and others."""

    def __init__(self, command: Sequence[str], folder: Path, **variables: str) -> None:
        program, *args = command
        path = [str(folder)]
        if not Path(program).is_absolute():  # else of an environment of its own
            path.append(str(Path(ctxlog.__file__).parent.parent))
        self.written: list[str] = []
        self._changed = threading.Condition()
        self._ended = False
        self.process = subprocess.Popen(
            [str(Path(sys.executable).parent / program), *args],
            cwd=folder,
            env=clean_environment(
                PYTHONPATH=os.pathsep.join(path),
                PYTHONUTF8="1",
                **variables,
            ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            encoding="utf-8",
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            with self._changed:
                self.written.append(line)
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def events(self) -> list[Event]:
        """Return the lines that it has written, each read as JSON."""
        with self._changed:
            written = list(self.written)
        return [json.loads(one) for one in written if one.startswith("{")]

    def others(self) -> list[str]:
        """Return the output besides lines."""
        with self._changed:
            return [one for one in self.written if not one.startswith("{")]

    def until(self, wanted: Callable[[Event], bool], count: int = 1) -> list[Event]:
        """Wait until there are *count* such lines, as long as any come; return them."""
        checked = 0
        found: list[Event] = []

        def enough() -> bool:
            nonlocal checked
            for one in self.written[checked:]:
                if one.startswith("{"):
                    event = json.loads(one)
                    if wanted(event):
                        found.append(event)
            checked = len(self.written)
            return len(found) >= count or self._ended

        with self._changed:
            while not enough():
                seen = len(self.written)
                if not self._changed.wait_for(
                    lambda: self._ended or len(self.written) > seen,  # noqa: B023
                    timeout=LIMIT,
                ):
                    break
            tail = "".join(self.written[-40:])
        assert len(found) >= count, f"{len(found)} of {count}:\n{tail}"
        return found

    def until_text(self, text: str) -> None:
        """Wait until something is written that has this text."""
        with self._changed:
            assert self._changed.wait_for(
                lambda: self._ended or any(text in one for one in self.written), LIMIT
            )
            assert any(text in one for one in self.written), "".join(self.written)

    def stop(self, signal_number: int = signal.SIGTERM) -> None:
        """End it as a service manager does, then whatever is left of its group."""
        try:
            if self.process.poll() is None:
                self.process.send_signal(signal_number)
                self.process.wait(timeout=15)
            self._reader.join(timeout=5)
        except subprocess.TimeoutExpired:
            pass
        finally:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.process.wait()
            self._reader.join()
            assert self.process.stdout
            self.process.stdout.close()


@contextmanager
def running(
    command: Sequence[str],
    folder: Path,
    stop_with: int = signal.SIGTERM,
    **variables: str,
) -> Iterator[Process]:
    """Run a process for the duration of the block."""
    process = Process(command, folder, **variables)
    try:
        yield process
    finally:
        process.stop(stop_with)
