"""
A file that is rotated while several processes write to it: every line is whole, once,
in one of the files.
"""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.helpers import LIMIT, clean_environment

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="an open file cannot be renamed there"
)

PROCESSES, LINES = 4, 3_000

#: Logs from two threads, slowly enough for several rotations.
PROGRAM = f"""
import logging, sys, threading, time
import ctxlog

ctxlog.configure(format="json", to=[{{place!r}}])
log = logging.getLogger("shop")

def run(thread):
    for number in range(thread, {LINES}, 2):
        log.info("line", extra={{{{"worker": sys.argv[1], "number": number}}}})
        time.sleep(0.001)

threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def running(folder: Path, place: str = "file:app.log") -> list[subprocess.Popen[str]]:
    """
    Start the processes that log.
    """
    program = PROGRAM.format(place=place)
    return [
        subprocess.Popen(
            [sys.executable, "-I", "-c", program, str(number)],
            cwd=folder,
            env=clean_environment(),
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        for number in range(PROCESSES)
    ]


def rotated(
    processes: list[subprocess.Popen[str]], rotate: Callable[[], object]
) -> None:
    """
    Rotate every 0.2 s until the processes have ended.
    """
    while any(process.poll() is None for process in processes):
        rotate()
        time.sleep(0.2)
    for process in processes:
        _, errors = process.communicate(timeout=LIMIT)
        assert (process.returncode, errors) == (0, "")


def lines(folder: Path, *, copied: bool = False) -> Iterator[tuple[str, int]]:
    """
    The lines of all files: of which process, and their numbers.

    A file that was copied may end in the middle of a line that was being written.
    """
    for path in folder.glob("app.log*"):
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
        content, _, rest = content.rpartition(b"\n")
        assert copied or not rest, path
        for line in content.splitlines():
            event = json.loads(line)
            yield event["worker"], event["number"]


def all_once() -> Counter[tuple[str, int]]:
    """
    What the processes log.
    """
    return Counter(
        (str(process), number)
        for process in range(PROCESSES)
        for number in range(LINES)
    )


@pytest.mark.parametrize("creates", [False, True])
def test_a_file_that_is_renamed(tmp_path: Path, creates: bool) -> None:
    """
    The new file is created by the processes, or by the program that renames.
    """
    processes = running(tmp_path)
    path = tmp_path / "app.log"
    renamed: list[Path] = []

    def rename() -> None:
        if path.exists() and path.stat().st_size:
            renamed.append(path.rename(tmp_path / f"app.log.{len(renamed)}"))
            if creates:
                path.touch()

    rotated(processes, rename)
    assert len(renamed) >= 2
    assert Counter(lines(tmp_path)) == all_once()


def test_a_file_that_is_removed(tmp_path: Path) -> None:
    """
    Each process goes on in a new file; the lines of the removed ones are gone.
    """
    processes = running(tmp_path)
    path = tmp_path / "app.log"
    copies: list[Path] = []

    def remove() -> None:
        if path.exists() and path.stat().st_size:
            copy = tmp_path / f"app.log.{len(copies)}"
            copy.hardlink_to(path)
            copies.append(copy)
            path.unlink()

    rotated(processes, remove)
    assert len(copies) >= 2
    assert Counter(lines(tmp_path)) == all_once()


@pytest.mark.parametrize(
    "options", ["create", "nocreate", "create compress", "nocreate compress"]
)
def test_logrotate(tmp_path: Path, options: str) -> None:
    """
    It needs no signal and no delay before it compresses.
    """
    rotate = logrotate(tmp_path, options)  # first: it may have to be skipped
    rotated(running(tmp_path), rotate)
    files = sorted(path.name for path in tmp_path.glob("app.log.*"))
    assert len(files) >= 2
    assert all(name.endswith(".gz") for name in files) == ("compress" in options)
    assert Counter(lines(tmp_path)) == all_once()


def test_logrotate_that_truncates(tmp_path: Path) -> None:
    """
    It loses what comes between its copy and the truncation, and the rest is whole.
    """
    rotate = logrotate(tmp_path, "copytruncate")
    rotated(running(tmp_path), rotate)
    found = Counter(lines(tmp_path, copied=True))
    assert found <= all_once()
    assert found.total() > PROCESSES * LINES / 2


def logrotate(folder: Path, options: str) -> Callable[[], object]:
    """
    What rotates `app.log` once.
    """
    program = shutil.which("logrotate", path="/usr/sbin:/usr/bin:/sbin")
    if program is None:
        pytest.skip("logrotate is not installed (a package of Debian)")
    configuration = folder / "logrotate.conf"
    chosen = "\n".join(options.split())
    configuration.write_text(
        f"{folder}/app.log {{\nrotate 1000\nmissingok\nnotifempty\n{chosen}\n}}\n"
    )
    configuration.chmod(0o600)
    command = [program, "--force", "--state", str(folder / "state"), configuration]
    return lambda: subprocess.run(command, check=True, timeout=LIMIT)
