"""
`ctxlog ship` as a process: standard input, files, signals, exit codes.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from ctxlog.__main__ import main
from tests.agent import store
from tests.helpers import LIMIT, clean_environment, until

_PROGRAM = Path(store.__file__)


def line(number: int) -> bytes:
    """A line."""
    return b'{"message":"line %d"}\n' % number


def lines(first: int, last: int) -> bytes:
    """Lines, the last included."""
    return b"".join(line(number) for number in range(first, last + 1))


class Ship:
    """A running `ctxlog ship`, and its store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self, *words: str, stdin: Any = None) -> subprocess.Popen[bytes]:
        """Start it."""
        with (self.folder / "stderr").open("ab") as errors:
            process = subprocess.Popen(
                [sys.executable, "-I", str(_PROGRAM), *words],
                env=clean_environment(STORE=str(self.folder)),
                stdin=subprocess.PIPE if stdin is None else stdin,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=self.folder,
            )
        self._running.append(process)
        return process

    def run(self, *words: str, given: bytes = b"") -> int:
        """Run it with a standard input, to its end."""
        process = self.start(*words)
        process.communicate(given, timeout=LIMIT)
        return process.returncode

    @property
    def stored(self) -> bytes:
        """What the store has."""
        found = self.folder / "lines"
        return found.read_bytes() if found.exists() else b""

    @property
    def said(self) -> str:
        """What was said on standard error, since the beginning."""
        return (self.folder / "stderr").read_text()

    def away(self, is_away: bool) -> None:
        """Let the store be away, or be back."""
        if is_away:
            (self.folder / "away").touch()
        else:
            (self.folder / "away").unlink()

    def close(self) -> None:
        """End what is still running."""
        for process in self._running:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()


@pytest.fixture
def ship(tmp_path: Path) -> Iterator[Ship]:
    """`ctxlog ship` with a store in a folder."""
    folder = tmp_path / "store"
    folder.mkdir()
    running = Ship(folder)
    yield running
    running.close()


def _input(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdin is not None
    return process.stdin


# Standard input ---------------------------------------------------------------------


@pytest.mark.parametrize("options", [[], ["--spill", "spill"]])
def test_standard_input_is_sent_to_its_end(ship: Ship, options: list[str]) -> None:
    """All lines arrive, in order, and the exit code says so."""
    assert ship.run("-", *options, given=lines(1, 1000)) == 0
    assert ship.stored == lines(1, 1000)
    assert "read 1,000 lines" in ship.said
    assert "shipped 1,000" in ship.said
    left = [path.name for path in ship.folder.glob("spill/*.lines")]
    assert left == []


def test_without_a_file_it_is_standard_input(ship: Ship) -> None:
    """No FILE is the same as `-`; a last line without a newline gets one."""
    assert ship.run("-q", given=b'{"message":"a"}\n{"message":"b"}') == 0
    assert ship.stored == b'{"message":"a"}\n{"message":"b"}\n'
    assert ship.said == ""


def test_lines_arrive_while_standard_input_is_open(ship: Ship) -> None:
    """Nothing waits for the end."""
    process = ship.start("-")
    _input(process).write(line(1))
    _input(process).flush()
    until(process, lambda: ship.stored == line(1))


def test_what_is_no_json_is_sent_and_counted(ship: Ship) -> None:
    """Lines of other programs are messages; empty lines are none."""
    assert ship.run(given=b'Starting\n\n{"message":"a"}\n') == 0
    assert ship.stored == b'Starting\n{"message":"a"}\n'
    assert "1 no JSON, sent as messages" in ship.said


def test_the_lines_are_printed_too(ship: Ship) -> None:
    """`--tee` prints what came, as it came; its reader may go away."""
    process = ship.start("-", "--tee")
    out, _ = process.communicate(b"Starting\n\n" + line(1) + b"rest", timeout=LIMIT)
    assert out == b"Starting\n\n" + line(1) + b"rest"
    assert process.returncode == 0
    process = ship.start("-", "--tee")
    assert process.stdout is not None
    process.stdout.close()
    _input(process).write(line(2))
    _input(process).close()
    assert process.wait(LIMIT) == 0
    assert ship.stored.endswith(line(2))
    assert "standard output: Broken pipe" in ship.said


@pytest.mark.parametrize("options", [[], ["--spill", "spill"]])
def test_a_store_that_is_away_stops_nobody(ship: Ship, options: list[str]) -> None:
    """Standard input is read on, and everything arrives, in order, as it is back."""
    ship.away(True)
    process = ship.start("-", *options, "--timeout=60s")
    for number in range(0, 20_000, 1000):  # far more than a pipe holds
        _input(process).write(lines(number + 1, number + 1000))
    _input(process).flush()
    until(process, lambda: "connection refused; trying again" in ship.said)
    ship.away(False)
    _input(process).close()
    assert process.wait(LIMIT) == 0
    assert ship.stored == lines(1, 20_000)
    assert "takes lines again, after" in ship.said


def test_a_store_that_stays_away(ship: Ship) -> None:
    """At the end of standard input it is waited for, not for ever; the code says so."""
    ship.away(True)
    assert ship.run("--timeout", "300ms", given=lines(1, 10)) == 1
    assert "read 10 lines" in ship.said
    assert "held" in ship.said


def test_what_does_not_fit_is_counted(ship: Ship) -> None:
    """Memory is bounded: the rest is dropped, and said."""
    ship.away(True)
    code = ship.run("--timeout=200ms", "--max-memory=10kB", given=lines(1, 1000))
    assert code == 1
    assert "dropped" in ship.said
    assert "for want of room" in ship.said


def test_a_spill_is_bounded(ship: Ship) -> None:
    """The disk has what fits, from the first line on; the rest is counted."""
    ship.away(True)
    options = ["--timeout=200ms", "--spill=spill", "--max-spill=10kB"]
    assert ship.run(*options, given=lines(1, 1000)) == 1
    kept = b"".join(p.read_bytes() for p in sorted(ship.folder.glob("spill/*.lines")))
    number = kept.count(b"\n")
    assert kept == lines(1, number)
    assert 9_900 < len(kept) <= 10_000
    assert f"dropped {1000 - number} for want of room" in ship.said
    ship.away(False)
    assert ship.run("--spill=spill", given=line(1001)) == 0
    assert ship.stored == kept + line(1001)
    assert f"{len(kept):,} bytes of an earlier run are sent first" in ship.said


def test_a_spill_survives_a_kill(ship: Ship) -> None:
    """What was read before a SIGKILL is sent by the next run."""
    ship.away(True)
    process = ship.start("-", "--spill=spill")
    _input(process).write(lines(1, 500))
    _input(process).flush()
    folder = ship.folder / "spill"
    size = len(lines(1, 500))
    until(
        process,
        lambda: sum(p.stat().st_size for p in folder.glob("*.lines")) == size,
    )
    process.kill()
    process.wait()
    ship.away(False)
    assert ship.run("-", "--spill=spill", given=lines(501, 510)) == 0
    assert ship.stored == lines(1, 510)


def test_a_refused_line_is_counted_and_the_others_arrive(ship: Ship) -> None:
    """The first reason is said, and the exit code is not 0."""
    (ship.folder / "refuse").write_bytes(b"line 7")
    assert ship.run(given=lines(1, 9)) == 1
    assert ship.stored == lines(1, 6) + lines(8, 9)
    assert "rejected 1 (no such text)" in ship.said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_waits_for_the_last_lines(ship: Ship, number: int) -> None:
    """The application is told to stop as well: its last lines are still read."""
    process = ship.start("-", "--timeout=60s")
    _input(process).write(line(1))
    _input(process).flush()
    until(process, lambda: ship.stored == line(1))
    process.send_signal(number)
    _input(process).write(line(2))
    _input(process).close()
    assert process.wait(LIMIT) == 0
    assert ship.stored == lines(1, 2)


def test_a_signal_ends_it_although_standard_input_stays_open(ship: Ship) -> None:
    """Only for a part of the time it is waited for."""
    process = ship.start("-", "--timeout=500ms")
    _input(process).write(line(1))
    _input(process).flush()
    until(process, lambda: ship.stored == line(1))
    process.terminate()
    assert process.wait(LIMIT) == 0


@pytest.mark.parametrize("options", [[], ["--tee"]])
def test_a_signal_ends_it_although_lines_come(ship: Ship, options: list[str]) -> None:
    """An application goes on writing, or the reader of the copy does not read."""
    (app, ready), feeding = os.pipe(), threading.Event()

    def write() -> None:
        with contextlib.suppress(OSError):
            while not feeding.is_set():
                os.write(ready, lines(1, 100))

    process = ship.start("-", "--timeout=500ms", *options, stdin=app)
    os.close(app)
    writer = threading.Thread(target=write)
    writer.start()
    try:
        until(process, lambda: ship.stored != b"")
        process.terminate()
        assert process.wait(LIMIT) in (0, 1)
        assert "shipped" in ship.said
    finally:
        feeding.set()
        process.kill()
        writer.join()
        os.close(ready)


def test_a_second_signal_ends_it_at_once(ship: Ship) -> None:
    """The exit code says that lines are left."""
    ship.away(True)
    process = ship.start("-", "--timeout=1h")
    _input(process).write(line(1))
    _input(process).flush()
    until(process, lambda: "trying again" in ship.said)
    process.terminate()
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.3)
    for _ in range(LIMIT // 5):
        # One that comes before it has seen the first one is the same one to it.
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
            break
    assert process.returncode == 1


# Files ------------------------------------------------------------------------------


@pytest.fixture
def log(ship: Ship) -> Path:
    """A log."""
    return ship.folder / "app.log"


def test_files_are_sent_once(ship: Ship, log: Path) -> None:
    """`--once` ends at the end; a position goes on there the next time."""
    log.write_bytes(lines(1, 500) + b'{"half')
    words = ["app.log", "--once", "--position=state"]
    assert ship.run(*words) == 0
    assert ship.stored == lines(1, 500)
    with log.open("ab") as file:
        file.write(b'":1}\n' + line(501))
    assert ship.run(*words) == 0
    assert ship.stored == lines(1, 500) + b'{"half":1}\n' + line(501)


@pytest.mark.parametrize("options", [[], ["--position=state"]])
def test_the_last_line_needs_no_newline(
    ship: Ship, log: Path, options: list[str]
) -> None:
    """Of a file that is read once, a last line that is whole is sent."""
    log.write_bytes(lines(1, 3)[:-1])
    assert ship.run("app.log", "--once", *options) == 0
    assert ship.stored == lines(1, 3)


def test_files_are_followed(ship: Ship, log: Path) -> None:
    """Through a rename and a new file; SIGTERM ends it, with everything sent."""
    process = ship.start("app.log", "--position=state")
    log.write_bytes(lines(1, 10))
    until(process, lambda: ship.stored == lines(1, 10))
    log.rename(log.with_name("app.log.1"))
    log.write_bytes(lines(11, 20))
    until(process, lambda: ship.stored == lines(1, 20))
    process.terminate()
    assert process.wait(LIMIT) == 0
    assert "shipped 20" in ship.said


def test_new_files_of_a_pattern(ship: Ship) -> None:
    """A file that appears later is sent; one that is compressed is not."""
    process = ship.start("*.log*")
    (ship.folder / "a.log").write_bytes(line(1))
    until(process, lambda: ship.stored == line(1))
    (ship.folder / "b.log.2.gz").write_bytes(line(3))
    (ship.folder / "b.log").write_bytes(line(2))
    until(process, lambda: ship.stored == lines(1, 2))


def test_what_was_there_may_be_left_out(ship: Ship, log: Path) -> None:
    """`--from-end` begins after the last whole line."""
    log.write_bytes(lines(1, 5) + line(6)[:9])
    process = ship.start("app.log", "--from-end", "--position=state")
    until(process, (ship.folder / "state" / "positions.json").exists)
    with log.open("ab") as file:
        file.write(line(6)[9:])
    until(process, lambda: ship.stored == line(6))


def test_a_kill_in_the_middle(ship: Ship, log: Path) -> None:
    """A ship that was killed goes on; what was acknowledged is not sent again."""
    log.write_bytes(lines(1, 100))
    process = ship.start("app.log", "--position=state")
    positions = ship.folder / "state" / "positions.json"

    def saved() -> bool:
        if not positions.exists():
            return False
        files = json.loads(positions.read_bytes())["files"]
        return bool(files) and files[0]["offset"] == len(lines(1, 100))

    until(process, saved)
    process.kill()
    process.wait()
    with log.open("ab") as file:
        file.write(lines(101, 200))
    assert ship.run("app.log", "--position=state", "--once") == 0
    assert ship.stored == lines(1, 200)


def test_a_signal_leaves_what_a_store_does_not_take(ship: Ship, log: Path) -> None:
    """The exit code says that lines are left; the next run sends them."""
    ship.away(True)
    log.write_bytes(lines(1, 10))
    process = ship.start("app.log", "--position=state", "--timeout=300ms")
    until(process, lambda: "trying again" in ship.said)
    process.terminate()
    assert process.wait(LIMIT) == 1
    assert f"left {len(lines(1, 10))} B" in ship.said
    ship.away(False)
    assert ship.run("app.log", "--position=state", "--once") == 0
    assert ship.stored == lines(1, 10)


def test_two_may_not_share_their_positions(ship: Ship, log: Path) -> None:
    """The second one ends with an error."""
    log.touch()
    first = ship.start("app.log", "--position=state")
    until(first, (ship.folder / "state" / "positions.json").exists)
    assert ship.run("app.log", "--position=state", "--once") == 2
    assert "state: another `ctxlog ship` uses this directory" in ship.said


def test_a_signal_has_what_is_there_sent(ship: Ship, log: Path) -> None:
    """A ship that is stopped sends what the files have by then."""
    ship.away(True)
    log.write_bytes(lines(1, 5000))
    process = ship.start("app.log", "--position=state", "--timeout=60s")
    until(process, lambda: "trying again" in ship.said)
    with log.open("ab") as file:
        file.write(lines(5001, 6000) + b"half")
    ship.away(False)
    process.terminate()
    assert process.wait(LIMIT) == 0
    assert ship.stored == lines(1, 6000)


# Wrong use --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["none.log", "--once"], "none.log: No such file or directory"),
        (["none*.log", "--once"], "none*.log: no file is called so"),
        (["."], ".: is a directory; name files, or './*.log'"),
        (["a.log.zst"], "a.log.zst: of compressed files only .gz can be sent"),
        (["-", "a.log"], "expected standard input, or files"),
        (["-", "--once"], "expected files, for --position, --once, --from-end"),
        (["a.log", "--tee"], "expected -, for --spill and --tee"),
        (
            ["--schema=none"],
            "invalid value for schema: 'none' (expected one of: default",
        ),
        (["--max-memory=much"], "invalid value for --max-memory: 'much'"),
        (["--spill=/dev/null/x"], "/dev/null/x: Not a directory"),
    ],
)
def test_wrong_use(
    words: list[str],
    problem: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """One sentence says what is wrong, and the exit code is 2."""
    monkeypatch.chdir(tmp_path)
    assert store.ship(tmp_path, *words) == 2
    said = capfd.readouterr().err
    assert problem in said
    assert said.count("\n") == 1


def test_a_pipe_is_no_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """It would be followed for ever: the error says how it is sent."""
    os.mkfifo(tmp_path / "pipe")
    assert store.ship(tmp_path, str(tmp_path / "pipe")) == 2
    said = "is no regular file; `ctxlog ship -` reads pipes\n"
    assert capfd.readouterr().err.endswith(said)


def test_a_file_that_once_cannot_be_read(ship: Ship) -> None:
    """The others arrive; the exit code says that not all has."""
    (ship.folder / "a.log").write_bytes(line(1))
    (ship.folder / "b.log.gz").write_bytes(b"no archive")
    assert ship.run("a.log", "b.log.gz", "--once") == 1
    assert ship.stored == line(1)
    assert "b.log.gz: Not a gzipped file" in ship.said


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux's /dev/full")
def test_nothing_can_be_printed(ship: Ship, log: Path) -> None:
    """A full disk or a closed one is said in one sentence, or changes no exit code."""
    log.write_bytes(line(1))
    command = f"{sys.executable} -I {_PROGRAM} app.log"
    for options, code, said in (
        ("--dry-run >/dev/full", 2, "standard output: No space left on device"),
        ("--dry-run >&-", 2, "standard output is closed"),
        ("--once 2>/dev/full", 0, ""),
    ):
        done = subprocess.run(
            ["sh", "-c", f"{command} {options}"],
            env=clean_environment(STORE=str(ship.folder)),
            cwd=ship.folder,
            capture_output=True,
            encoding="utf-8",
            timeout=LIMIT,
            check=False,
        )
        assert done.returncode == code
        assert done.stderr == (f"ctxlog ship: {said}\n" if said else "")


def test_an_interrupt_before_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while it looks for files ends it without a traceback."""

    def interrupted(address: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ctxlog.aggregators.receiver", interrupted)
    assert main(["ship", "-", "--to", "folder://store"]) == 130


def test_positions_that_cannot_be_read(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """They are not thrown away without a word."""
    (tmp_path / "positions.json").write_text("{")
    log = tmp_path / "app.log"
    log.touch()
    assert store.ship(tmp_path, str(log), "--position", str(tmp_path)) == 2
    assert "positions.json cannot be read" in capfd.readouterr().err


def test_an_unknown_store(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The error says which ones there are."""
    assert main(["ship", "-", "--to", "unknown://host"]) == 2
    assert "loki://host:3100" in capfd.readouterr().err


def test_a_dry_run_sends_nothing(ship: Ship, log: Path) -> None:
    """The first ten lines are printed as they would be sent."""
    log.write_bytes(b'{"log":"{\\"a\\":1}\\n","stream":"stdout","time":"T"}\n' * 12)
    process = ship.start("app.log", "--dry-run")
    out, _ = process.communicate(timeout=LIMIT)
    assert out == b'{"a":1}\n' * 10
    assert (process.returncode, ship.stored) == (0, b"")


def test_lines_are_written_in_another_schema(ship: Ship) -> None:
    """`--schema` has the store get the keys that it knows."""
    made = {"timestamp": "2026-01-31T12:00:00.000001Z", "level": "INFO"}
    made |= {"requestID": "req-A", "message": "a", "logger": "shop"}
    given = json.dumps(made).encode() + b"\nStarting\n"
    assert ship.run("--schema=ecs", given=given) == 0
    line, other = ship.stored.splitlines()
    assert json.loads(line)["@timestamp"] == made["timestamp"]
    assert json.loads(line)["http.request.id"] == "req-A"
    assert other == b"Starting"


def test_standard_input_that_is_closed(ship: Ship) -> None:
    """It is an error; standard error that is closed, too, says nothing."""
    command = f"{sys.executable} -I {_PROGRAM} <&-"
    for closed, said in (("", "ctxlog ship: standard input is closed\n"), ("2>&-", "")):
        done = subprocess.run(
            ["sh", "-c", f"{command} {closed}"],
            env=clean_environment(STORE=str(ship.folder)),
            capture_output=True,
            encoding="utf-8",
            timeout=LIMIT,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (2, "", said)
