"""
Pages whose reader works at terminals, followed from their own text: their files are
written, their commands are run by a shell, and what they show is what its
terminals show.

- A block under `<!-- file: NAME -->` is that file.
- A console block under `<!-- terminal: NAME -->` is what happens in that terminal:
  `$ ` begins the reader's command, `^C` is the reader's Ctrl-C, and all else is
  printed, `...` for anything. A command that a later `^C` ends goes on in its terminal
  meanwhile.
- `<!-- until: COUNT TEXT in FILE -->` waits for a text to be so often in a file, which
  it is when a reader has found the next terminal.
- `<!-- lists: ID -->`: the page at the address that is printed lists that request.

What differs from run to run (times, durations, ids of processes and tasks, bars, an
address with a token) is compared by its kind.
"""

from __future__ import annotations

import contextlib
import doctest
import fcntl
import os
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

from tests.helpers import (
    LIMIT,
    unmeasured_environment,
    until,
    until_listening,
)

#: The reader's terminal has room for the longest line, so that none is broken.
ROWS, COLUMNS = 60, 260

_BLOCK = re.compile(
    r"(?P<remarks>(?:<!--[^>]*-->\n)+)```(?P<kind>\w+)\n(?P<body>.*?)^```$",
    flags=re.DOTALL | re.MULTILINE,
)
_REMARK = re.compile(r"<!-- (\w+): (.*?) -->")
_CHANGING = [
    (re.compile(r"http://127\.0\.0\.1:\d+/[\w-]{20,}/"), "ADDRESS"),
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "UUID"),
    (re.compile(r"\b[0-9a-f]{8}([0-9a-f]{24}|…[0-9a-f]{3})\b"), "ID"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ][\d:.]+Z?"), "TIME"),
    (re.compile(r"\b\d\d:\d\d:\d\d\.\d+"), "TIME"),
    (re.compile(r"\[\d+\]"), "[PID]"),
    (re.compile(r"\|[█· ]+\|"), "|BAR|"),
    (re.compile(r"(Ms\"?[=:])\d+(\.\d+)?"), r"\1NUMBER"),
    (re.compile(r"PID \d+"), "PID"),
    (re.compile(r"/[\w./-]*/(\w+\.py)"), r"\1"),
    (re.compile(r"\d+(\.\d+)? m?s\b"), "NUMBER"),
    (re.compile(r"\d+\.\d+(?= |s\b|ms\b|$)", flags=re.MULTILINE), "NUMBER"),
    (re.compile(r"\n *[~^]+ *(?=\n)"), ""),  # below a traceback's code, from 3.11 on
    (re.compile(r"([=_-])\1{3,}"), r"\1"),  # rules, as wide as the terminal
    (re.compile(r" +"), " "),
]


@dataclass
class Step:
    """What happens in a terminal: a command or a Ctrl-C, and what is shown then."""

    terminal: str
    typed: str | None
    shown: str
    remarks: dict[str, str]
    serves: bool = False


def steps(page: str) -> list[Step]:
    """Return what the page has its reader do, in its order."""
    found = []
    for block in _BLOCK.finditer(page):
        remarks = dict(_REMARK.findall(block["remarks"]))
        if "terminal" not in remarks:
            continue
        parts = re.split(r"^(\$ .*|\^C)\n", block["body"], flags=re.MULTILINE)
        if parts[0]:
            found.append(Step(remarks["terminal"], None, parts[0], {}))
        typed = parts[1::2]
        for number, shown in enumerate(parts[2::2], start=1):
            last = number == len(typed)
            rest = remarks if last else {}
            found.append(Step(remarks["terminal"], typed[number - 1], shown, rest))
    stopped = set()
    for step in reversed(found):
        if step.typed == "^C":
            stopped.add(step.terminal)
        else:
            step.serves = step.terminal in stopped
            if step.typed:
                stopped.discard(step.terminal)
    return found


def files(page: str) -> dict[str, str]:
    """Return the files that the page has its reader write."""
    blocks = [
        (dict(_REMARK.findall(block["remarks"])), block["body"])
        for block in _BLOCK.finditer(page)
    ]
    return {remarks["file"]: body for remarks, body in blocks if "file" in remarks}


def by_kind(text: str) -> str:
    """Replace what differs from run to run by its kind."""
    for pattern, kind in _CHANGING:
        text = pattern.sub(kind, text)
    return text


class Command:
    """A command that the shell runs in a terminal, and what this shows."""

    def __init__(self, command: str, folder: Path) -> None:
        programs = Path(sys.executable).parent, os.environ["PATH"]
        self._shown = b""
        self._changed = threading.Lock()
        self._terminal, theirs = os.openpty()
        size = struct.pack("HHHH", ROWS, COLUMNS, 0, 0)
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, size)
        self.process = subprocess.Popen(
            ["sh", "-c", command],
            cwd=folder,
            env={
                **unmeasured_environment(),
                "PATH": os.pathsep.join(map(str, programs)),
                "TERM": "xterm",
                "COLUMNS": str(COLUMNS),  # in place of what pytest-xdist has set
                "NO_COLOR": "1",
                "PAGER": "cat",
                # Its plugin speaks on standard error where it is installed.
                "PYTEST_ADDOPTS": "-pno:asyncio",
                "PYTHONUTF8": "1",
            },
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # how a terminal says that nobody is there
            while some := os.read(self._terminal, 65536):
                with self._changed:
                    self._shown += some

    def take(self) -> str:
        """Return what was shown since the last time."""
        with self._changed:
            text, self._shown = self._shown, b""
        return text.decode().replace("\r\n", "\n")

    def until_shown(self, text: str) -> None:
        """Wait for as many lines as a text has."""
        lines = text.count("\n")
        until(self.process, lambda: self._shown.count(b"\n") >= lines)

    def until_ended(self) -> int:
        """Wait for the end of the command and return its exit code."""
        code = self.process.wait(LIMIT)
        self._reader.join(LIMIT)
        return code

    def interrupt(self) -> None:
        """Press Ctrl-C, and wait for the end."""
        os.killpg(self.process.pid, signal.SIGINT)
        self.until_ended()

    def close(self) -> None:
        """End what still runs."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.until_ended()
        os.close(self._terminal)


def _requests(address: str) -> str:
    with urlopen(f"{address}api/requests", timeout=LIMIT) as response:
        text: str = response.read().decode()
    return text


class Reader:
    """Does what the page says, in as many terminals as it names."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._all: list[Command] = []
        self._current: dict[str, Command] = {}

    def do(self, step: Step) -> str:
        """Take one step and return what its terminal has shown."""
        if step.typed == "^C":
            self._current[step.terminal].interrupt()
        elif step.typed:
            command = Command(step.typed.removeprefix("$ "), self._folder)
            self._all.append(command)
            self._current[step.terminal] = command
        command = self._current[step.terminal]
        if step.serves:
            command.until_shown(step.shown)
            if port := re.search(r"--port (\d+)", step.typed or ""):
                until_listening(command.process, int(port[1]))
        elif step.typed != "^C":
            assert command.until_ended() == 0, command.take()
        if wanted := re.match(r"(\d+) (\S+) in (\S+)", step.remarks.get("until", "")):
            file = self._folder / wanted[3]
            count, text = int(wanted[1]), wanted[2]

            def is_there() -> bool:
                return file.exists() and file.read_text("utf-8").count(text) >= count

            until(command.process, is_there)
        printed = command.take()
        if wanted := step.remarks.get("lists"):
            until(command.process, lambda: wanted in _requests(printed.strip()))
        return printed

    def close(self) -> None:
        """End what still runs."""
        for command in self._all:
            command.close()


def follow(page: str, folder: Path) -> None:
    """Do what a page says, in a folder, and compare what it shows."""
    for name, text in files(page).items():
        (folder / name).write_text(text, encoding="utf-8")
    reader = Reader(folder)
    try:
        for step in steps(page):
            shown, printed = by_kind(step.shown), by_kind(reader.do(step))
            if step.typed == "^C":
                continue
            same = doctest.OutputChecker().check_output(
                shown, printed, doctest.ELLIPSIS
            )
            assert same, f"{step.typed}\n--- shown\n{shown}\n--- printed\n{printed}"
    finally:
        reader.close()
