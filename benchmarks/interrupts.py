"""
What interrupts do to processes that log: Ctrl-C, and time limits raised by a signal.

`python benchmarks/interrupts.py python3.10 python3.13` runs, with each interpreter (in
which ctxlog, structlog and loguru are installed), fifty processes of five logging
threads, with one Ctrl-C each at a random moment, and a thousand time limits inside log
calls of each kind of logger. It prints a line per interpreter, and fails if a process
hangs, a limit is swallowed or anything stays behind. The tests do the same, less
often.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.interrupting import INTERRUPTED, LIMITS, interrupted  # noqa: E402

KINDS = ("stdlib", "structlog", "loguru")


def hanging(python: str, count: int, folder: Path) -> int:
    """Return how many of `count` processes do not end well after Ctrl-C."""
    bad = 0
    for _ in range(count):
        try:
            lines = interrupted(INTERRUPTED, folder, random.randrange(2000), python)
            bad += lines[-1]["message"] != "the end"
        except AssertionError as error:
            print(f"  {error}", file=sys.stderr)
            bad += 1
    return bad


def limits(python: str, kind: str, count: int, folder: Path) -> tuple[int, int, bool]:
    """Return what `count` time limits have done: swallowed, left behind, deadlock."""
    command = [python, "-c", LIMITS, kind, str(count), str(folder / kind)]
    done = subprocess.run(command, capture_output=True, cwd=folder, check=True)
    swallowed, leaked, held = json.loads(done.stdout)
    for line in (folder / kind).read_bytes().splitlines():
        json.loads(line)
    return swallowed, leaked, held


def main() -> int:
    """Run everything; return 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("python", nargs="*", default=[sys.executable])
    parser.add_argument("--processes", type=int, default=50)
    parser.add_argument("--limits", type=int, default=1000)
    chosen = parser.parse_args()
    wrong = 0
    for python in chosen.python:
        command = [python, "-V"]
        name = subprocess.run(command, capture_output=True, text=True, check=True)
        with tempfile.TemporaryDirectory() as folder:
            bad = hanging(python, chosen.processes, Path(folder))
            found = [f"{bad} of {chosen.processes} processes hang"]
            wrong += bad
            for kind in KINDS:
                swallowed, leaked, held = limits(
                    python, kind, chosen.limits, Path(folder)
                )
                found.append(f"{kind}: {swallowed} of {chosen.limits} limits swallowed")
                wrong += swallowed + leaked + held
        print(f"{name.stdout.strip()}: {', '.join(found)}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
