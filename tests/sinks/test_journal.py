"""
`Journal`: lines given to journald by the call that logs them, or held meanwhile.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import ctxlog
from ctxlog.errors import ConfigError
from ctxlog.sinks import Journal, _accounts, sink
from tests.aggregators.test_journal import Journald, line
from tests.helpers import LIMIT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="journald is Linux's")


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where journald would listen."""
    there = tmp_path / "socket"
    monkeypatch.setattr("ctxlog.sinks._journal.SOCKET", str(there))
    return there


@pytest.fixture
def journald(path: Path) -> Iterator[Journald]:
    """A socket there."""
    there = Journald(path)
    with there.socket:
        yield there


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    """The sink."""
    there = Journal("shop", wait=0.001)
    yield there
    there.close(0)


def test_a_line_is_there_when_the_call_returns(
    journald: Journald, journal: Journal
) -> None:
    """No thread is needed for that."""
    journal.write(line(n=1))
    assert journald.entry()["SYSLOG_IDENTIFIER"] == b"shop"
    assert journal.name == "journal:shop"
    stats = journal.stats()
    assert (stats["written"], stats["shipped"], stats["held"]) == (1, 1, 0)
    assert journal.flush(0) == journal.close(0) == 0
    journal.write(line(n=2))
    assert journald.entry()["N"] == b"2"


def test_a_journald_that_is_busy(
    journald: Journald, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines are held in order, and none is lost, nor sent twice."""
    monkeypatch.setattr(_accounts, "_BRIEF", LIMIT)  # no further lines about that
    lines = [line(n=n, data="x" * 500) for n in range(2_000)]
    for one in lines:
        journal.write(one)
    stats = journal.stats()
    assert stats["held"] > 0
    assert stats["shipped"] + stats["held"] == stats["written"] == 2_000
    assert journal.flush(0) == journal.stats()["held"]
    for one in lines:
        assert journald.entry()["CTXLOG_LINE"] + b"\n" == one
    assert journal.flush(LIMIT) == 0
    assert journal.stats()["shipped"] == 2_000


def test_no_call_waits_again(journald: Journald, path: Path) -> None:
    """Once one has waited in vain the thread does, for all that come."""
    journal = Journal(wait=0.2)
    begin = time.monotonic()
    for _ in range(2_000):
        journal.write(line(data="x" * 500))
    # Each of the lines that were held would have waited that long.
    assert journal.stats()["held"] > 100
    assert time.monotonic() - begin < 0.2 * journal.stats()["held"]
    assert journal.close(0) > 0
    assert journal.stats()["dropped"] > 0


def test_memory_is_bounded(
    journald: Journald, path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """What does not fit is dropped, counted and said."""
    journal = Journal(max_bytes=10_000, wait=0)
    for _ in range(3_000):
        journal.write(line(data="x" * 500))
    stats = journal.stats()
    assert stats["dropped"] > 0
    journal.close(0)
    stats = journal.stats()
    assert stats["shipped"] + stats["dropped"] == stats["written"]
    assert "lines were dropped: there was no room" in capfd.readouterr().err


def test_no_journal(
    path: Path, journal: Journal, capfd: pytest.CaptureFixture[str]
) -> None:
    """Lines go to standard error, which is said once, and to a journal that comes."""
    journal.write(line(n=1))
    journal.write(line(n=2))
    said, *lines = capfd.readouterr().err.splitlines()
    assert f"lines go to standard error: {path}: No such file or directory" in said
    assert json.loads(said)["sink"] == "journal:shop"
    assert [json.loads(one)["n"] for one in lines] == [1, 2]
    journald = Journald(path)
    with journald.socket:
        journal.write(line(n=3))
        assert journald.entry()["N"] == b"3"
    stats = journal.stats()
    assert (stats["written"], stats["shipped"], stats["dropped"]) == (3, 1, 2)
    path.unlink()
    journal.write(line(n=4))
    journal.close(0)
    (one,) = capfd.readouterr().err.splitlines()
    assert json.loads(one)["n"] == 4


def test_a_journald_that_is_stopped(path: Path, journal: Journal) -> None:
    """What listens there no more is waited for."""
    Journald(path).socket.close()
    journal.write(line(n=1))
    assert journal.stats()["held"] == 1
    path.unlink()
    journald = Journald(path)
    with journald.socket:
        assert journal.flush(LIMIT) == 0
        assert journald.entry()["N"] == b"1"


def test_a_line_that_is_too_long(
    monkeypatch: pytest.MonkeyPatch,
    journald: Journald,
    journal: Journal,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """It is rejected, counted and said; the others are there."""
    monkeypatch.setattr("ctxlog.aggregators.journal._TOO_LONG", 1_000)
    journal.write(line(data="x" * 2_000))
    assert journal.flush(LIMIT) == 0
    journal.write(line(n=2))
    assert journal.close(LIMIT) == 0
    assert journal.stats()["rejected"] == 1
    assert "1 line was rejected: too long for the journal" in capfd.readouterr().err
    # What is said of it may be in the journal before the next line.
    entry = journald.entry()
    if "N" not in entry:
        entry = journald.entry()
    assert entry["N"] == b"2"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_a_fork_counts_for_itself(journald: Journald, journal: Journal) -> None:
    """Its lines are those that it has logged."""
    journal.write(line(n=1))
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        journal.write(line(n=2))
        os.write(write, json.dumps(journal.stats()).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    os.close(write)
    with open(read, "rb") as pipe:
        assert json.loads(pipe.read())["written"] == 1
    assert [journald.entry()["N"], journald.entry()["N"]] == [b"1", b"2"]
    assert journal.stats()["written"] == 1


def test_beside_other_places(journald: Journald, tmp_path: Path) -> None:
    """`configure(to=["journal:", ...])`: all loggers' lines are there."""
    place = tmp_path / "app.log"
    ctxlog.configure(format="json", to=["journal:", f"file:{place}"])
    try:
        import logging

        logging.getLogger("shop").error("m", extra={"rows": 3})
    finally:
        ctxlog.unconfigure()
    entry = journald.entry()
    assert entry["CTXLOG_LINE"] + b"\n" == place.read_bytes()
    assert (entry["PRIORITY"], entry["LOGGER"], entry["ROWS"]) == (b"3", b"shop", b"3")


def test_options(path: Path) -> None:
    """Wrong ones are named."""
    with pytest.raises(ConfigError, match="wait"):
        Journal(wait=-1)
    with pytest.raises(ConfigError, match="max_bytes"):
        Journal(max_bytes="much")
    made = sink("journal:shop")
    assert isinstance(made, Journal)
