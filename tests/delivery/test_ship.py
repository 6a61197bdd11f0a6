"""
`ctxlog ship` and a store over HTTP: nothing is lost while programs, files, the store
and the ship itself come and go.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.aggregators.web import Answer, Request, Store, serving
from tests.helpers import LIMIT, clean_environment, need, run_python

need("urllib3")

_SHIP = [sys.executable, "-Im", "ctxlog", "ship"]


class Rows(Store):
    """What a VictoriaLogs has: the lines as they were written, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[bytes] = []

    def answer_to(self, request: Request) -> Answer | str:
        """Take the lines."""
        rows = [json.loads(row) for row in request.body.splitlines()]
        with self.changed:
            self.lines += [row["_line"].encode() + b"\n" for row in rows]
            self.changed.notify_all()
        return self.usual

    @property
    def address(self) -> str:
        """Its address."""
        return f"vlogs://127.0.0.1:{self.port}"

    def wait_for(self, number: int) -> None:
        """Return when it has so many different lines."""
        with self.changed:
            assert self.changed.wait_for(lambda: len({*self.lines}) >= number, LIMIT)


@pytest.fixture
def rows() -> Iterator[Rows]:
    """A store that runs."""
    with serving(Rows()) as store:
        assert isinstance(store, Rows)
        yield store


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes, which are ended."""
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        if process.poll() is None and os.getpgid(process.pid) == process.pid:
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


def _start(
    started: list[subprocess.Popen[bytes]],
    words: Sequence[str],
    cwd: Path,
    **options: Any,
) -> subprocess.Popen[bytes]:
    with (cwd / "stderr").open("ab") as errors:
        process = subprocess.Popen(
            list(words), cwd=cwd, env=clean_environment(), stderr=errors, **options
        )
    started.append(process)
    return process


_KILLED = """\
import logging, os, signal, ctxlog
ctxlog.configure(format="json")
for number in range(50_000):
    logging.info("line %d", number)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("options", [[], ["--spill=spill"]])
def test_a_killed_application_loses_nothing(
    rows: Rows,
    started: list[subprocess.Popen[bytes]],
    options: list[str],
    tmp_path: Path,
) -> None:
    """50,000 of 50,000 lines arrive of one that is killed by SIGKILL, in order."""
    python = [sys.executable, "-I", "-c", _KILLED]
    app = _start(started, python, tmp_path, stdout=subprocess.PIPE)
    words = [*_SHIP, "-", *options, "--to", rows.address]
    ship = _start(started, words, tmp_path, stdin=app.stdout)
    assert app.wait(LIMIT) == -signal.SIGKILL
    assert ship.wait(LIMIT) == 0
    messages = [json.loads(line)["message"] for line in rows.lines]
    assert messages == [f"line {number}" for number in range(50_000)]


_STOPPING = """\
import signal, sys
def stop(number, frame):
    print('{"message":"stopped"}', flush=True)
    sys.exit()
signal.signal(signal.SIGTERM, stop)
print('{"message":"started"}', flush=True)
while True:
    signal.pause()
"""


def test_a_pipeline_that_is_stopped(
    rows: Rows, started: list[subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    """All processes get SIGTERM: the application's last line arrives."""
    (tmp_path / "app.py").write_text(_STOPPING)
    python = shlex.quote(sys.executable)
    ship = f"{python} -Im ctxlog ship - --tee --timeout 60s --to {rows.address}"
    script = f"trap : TERM; {python} -I app.py | {ship}"
    shell = _start(
        started,
        ["sh", "-c", script],
        tmp_path,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    rows.wait_for(1)
    os.killpg(shell.pid, signal.SIGTERM)
    assert shell.stdout is not None
    printed = shell.stdout.read()
    assert shell.wait(LIMIT) == 0
    assert b"".join(rows.lines) == printed
    assert printed == b'{"message":"started"}\n{"message":"stopped"}\n'


_ROTATING = """\
import os, shutil, sys
how, number = sys.argv[1], int(sys.argv[2])
file = open("app.log", "ab", buffering=0)
for n in range(1, number + 1):
    file.write(b'{"message":"line %d"}\\n' % n)
    if n % 997 == 500:  # a file that comes and goes before anybody looks is nobody's
        print(n, flush=True)
        sys.stdin.readline()
    if n % 997 == 0:
        for old in range(4, 0, -1):
            if os.path.exists(f"app.log.{old}"):
                os.rename(f"app.log.{old}", f"app.log.{old + 1}")
        if how == "rename":
            os.rename("app.log", "app.log.1")
            file = open("app.log", "ab", buffering=0)
        else:
            shutil.copy("app.log", "app.log.1")
            os.truncate("app.log", 0)
"""


@pytest.mark.parametrize("how", ["rename", "copytruncate"])
@pytest.mark.parametrize("name", ["app.log", "app.log*"])
def test_rotation(
    rows: Rows,
    started: list[subprocess.Popen[bytes]],
    how: str,
    name: str,
    tmp_path: Path,
) -> None:
    """Through ten rotations, and a SIGKILL in the middle, nothing is lost."""
    words = [*_SHIP, name, "--position=state", "--to", rows.address]
    ship = _start(started, words, tmp_path)
    writer = _start(
        started,
        [sys.executable, "-I", "-c", _ROTATING, how, "10000"],
        tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert writer.stdin is not None
    assert writer.stdout is not None
    for number, line in enumerate(writer.stdout, 1):
        if number == 5:
            ship.kill()
            ship.wait()
            ship = _start(started, words, tmp_path)
        rows.wait_for(int(line))
        writer.stdin.write(b"\n")
        writer.stdin.flush()
    writer.stdin.close()
    rows.wait_for(10_000)
    ship.terminate()
    assert ship.wait(LIMIT) == 0
    arrived = Counter(rows.lines)
    written = (b'{"message":"line %d"}\n' % n for n in range(1, 10_001))
    assert [line for line in written if line not in arrived] == []
    # What was on its way, and what was sent since positions were saved last: they are
    # when a new file is found, whose 997 lines come next.
    twice = sum(number - 1 for number in arrived.values())
    assert twice <= 2 * 997


_STEADY = """\
import sys, time
start = time.monotonic()
for n in range(12_000):
    if n % 30 == 0:
        ahead = n / 3000 - (time.monotonic() - start)
        if ahead > 0:
            time.sleep(ahead)
    begun = time.monotonic()
    sys.stdout.write('{"message":"line %d"}\\n' % n)
    sys.stdout.flush()
"""


@pytest.mark.parametrize("options", [[], ["--spill=spill"]])
def test_a_store_that_is_away(
    started: list[subprocess.Popen[bytes]], options: list[str], tmp_path: Path
) -> None:
    """For 3 s of 4, at 3,000 lines a second: none is lost, none is there twice."""
    with ExitStack() as stack:
        store = stack.enter_context(serving(Rows()))
        assert isinstance(store, Rows)
        python = [sys.executable, "-I", "-c", _STEADY]
        app = _start(started, python, tmp_path, stdout=subprocess.PIPE)
        words = [*_SHIP, "-", *options, "--timeout=30s", "--to", store.address]
        ship = _start(started, words, tmp_path, stdin=app.stdout)
        store.wait_for(1)
        stack.pop_all().close()
        # No longer than that: the lines that are written meanwhile are 3 s of them.
        threading.Event().wait(3.0)
        stack.enter_context(serving(store, store.port))
        assert app.wait(LIMIT) == 0
        assert ship.wait(LIMIT) == 0
        assert Counter(store.lines) == Counter(
            b'{"message":"line %d"}\n' % n for n in range(12_000)
        )


def test_one_request_of_many(rows: Rows, tmp_path: Path) -> None:
    """The lines of one of 200 concurrent requests are in the store as in the file."""
    source = """\
import asyncio, logging, ctxlog
ctxlog.configure(format="json", stream=open("app.log", "w"))
async def handle(n):
    ctxlog.bind(user={"id": n})
    for step in range(5):
        await asyncio.sleep(0.001 * (n % 7))
        logging.getLogger("shop").info("step %d", step, extra={"order": n * step})
async def main():
    await asyncio.gather(*(
        ctxlog.run({"requestID": f"req-{n:03}"}, handle, n) for n in range(200)
    ))
asyncio.run(main())
"""
    run_python("-c", source, cwd=tmp_path)
    run_python(
        *("-m", "ctxlog", "ship", "app.log", "--once", "--to", rows.address),
        cwd=tmp_path,
    )
    wanted = run_python(
        "-m", "ctxlog", "show", "app.log", "-r", "req-123", "--json", cwd=tmp_path
    ).stdout
    found = [one for one in rows.lines if json.loads(one)["requestID"] == "req-123"]
    assert len(found) == 5
    assert b"".join(found).decode() == wanted
    assert len(rows.lines) == 1000


def _docker(text: str) -> Iterator[str]:
    pieces = [text[at : at + 16_384] for at in range(0, len(text), 16_384)]
    for piece in pieces:
        entry = {"log": piece, "stream": "stdout", "time": _TIME}
        yield json.dumps(entry, separators=(",", ":"))


def _cri(text: str) -> Iterator[str]:
    pieces = [text[at : at + 16_384] for at in range(0, len(text), 16_384)]
    for number, piece in enumerate(pieces):
        tag = "F" if number == len(pieces) - 1 else "P"
        yield f"{_TIME} stdout {tag} {piece.rstrip()}"


_TIME = "2026-01-31T12:00:00.123456789Z"


@pytest.mark.parametrize("split", [_docker, _cri])
@pytest.mark.parametrize("piped", [True, False])
def test_a_line_that_was_split(
    rows: Rows, split: Any, piped: bool, tmp_path: Path
) -> None:
    """A line of 40 kB, written in parts by Docker or a CRI runtime, arrives whole."""
    line = json.dumps({"level": "ERROR", "message": "x" * 40_000, "requestID": "req-A"})
    entries = [*split(line + "\n"), *split('{"message":"next"}\n')]
    log = tmp_path / "0.log"
    log.write_text("\n".join(entries) + "\n")
    with log.open("rb") as file:
        subprocess.run(
            [*_SHIP, "-" if piped else "0.log", "--to", rows.address]
            + ([] if piped else ["--once"]),
            cwd=tmp_path,
            env=clean_environment(),
            stdin=file,
            timeout=LIMIT,
            check=True,
        )
    assert rows.lines == [line.encode() + b"\n", b'{"message":"next"}\n']
