"""
A stream that a thread writes to: no call waits for its reader.
"""

from __future__ import annotations

import io
import json
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ctxlog import sinks
from ctxlog.sinks import _background
from tests.helpers import need, run_python


def line(number: int) -> bytes:
    """Return a line of ten bytes."""
    return b"%09d\n" % number


@pytest.fixture
def pipe() -> Iterator[tuple[int, Any]]:
    """A pipe: what reads, and a stream that writes."""
    reading, writing = os.pipe()
    with open(writing, "w", encoding="utf-8") as stream:
        yield reading, stream
    os.close(reading)


def test_lines_are_written_in_order(tmp_path: Path) -> None:
    """What is written comes to the stream, and is there after a flush."""
    with (tmp_path / "log").open("w") as stream:
        sink = sinks.Background(stream)
        for number in range(3000):
            sink.write(line(number))
        assert sink.flush(60) == 0
        assert (tmp_path / "log").read_bytes() == b"".join(map(line, range(3000)))
        assert sink.stats()["shipped"] == sink.stats()["written"] == 3000
        assert sink.close(60) == 0
        sink.write(line(3000))
        assert sink.close(60) == 0
        assert sink.name == str(tmp_path / "log")
    assert (tmp_path / "log").read_bytes().endswith(line(3000))


def full(stream: Any) -> int:
    """Return how many lines of ten bytes fill a pipe: none is divided among pages."""
    fcntl = need("fcntl")
    return fcntl.fcntl(stream, fcntl.F_GETPIPE_SZ) // 4096 * (4096 // 10)


@pytest.mark.skipif(sys.platform != "linux", reason="pipes differ elsewhere")
def test_a_reader_that_sleeps_holds_nobody_up(
    pipe: tuple[int, Any], capsys: Any
) -> None:
    """With nobody reading, calls return, memory is bounded, and closing comes to an
    end."""
    reading, stream = pipe
    sink = sinks.Background(stream, max_bytes=200_000, wait=0.01)
    fits = full(stream)
    for number in range(fits):
        sink.write(line(number))
        if number % 1_000 == 0:  # so that none is dropped yet
            assert sink.flush(60) == 0
    assert sink.flush(60) == 0
    for number in range(fits, 20_000):
        sink.write(line(number))
    stats = sink.stats()
    assert (stats["written"], stats["shipped"]) == (20_000, fits)
    assert stats["dropped"] > 0
    assert stats["held"] * 40 < 200_000
    assert sink.flush(0.01) == stats["held"]
    given_up = sink.close(0.01)
    assert given_up == stats["held"]
    assert sink.stats()["dropped"] == stats["dropped"] + given_up
    while len(sink._accounts._owed) < 2:  # it says both in a thread
        threading.Event().wait(0.001)
    errors = capsys.readouterr().err
    said = json.loads(errors.splitlines()[0])
    assert f"{given_up} lines were not shipped" in said["message"]
    # When it is used again, and its lines are read, what was said is said here, too.
    sink.write(line(20_000))
    read = b""
    while b"there was no room" not in read:
        read += os.read(reading, 65536)
    assert read.startswith(b"".join(map(line, range(stats["shipped"]))))
    assert sink.close(60) == 0


def test_a_reader_that_wakes_up_gets_all(pipe: tuple[int, Any]) -> None:
    """Lines are held while the reader sleeps, and arrive when it does not."""
    reading, stream = pipe
    sink = sinks.Background(stream)
    for number in range(20_000):
        sink.write(line(number))
    read: list[bytes] = []

    def reads() -> None:
        while sum(map(len, read)) < 200_000:
            read.append(os.read(reading, 65536))

    thread = threading.Thread(target=reads)
    thread.start()
    assert sink.close(60) == 0
    thread.join()
    assert b"".join(read) == b"".join(map(line, range(20_000)))


def test_another_sink_may_be_in_the_background(tmp_path: Path) -> None:
    """A sink is written, flushed and closed by it; its name stays."""
    inner = sinks.File(tmp_path / "app.log")
    sink = sinks.Background(inner)
    sink.write(line(0))
    assert sink.flush(60) == 0
    assert (tmp_path / "app.log").read_bytes() == line(0)
    assert sink.name == inner.name
    assert sink.close(60) == 0


def test_a_sink_that_raises_rejects_its_lines(capsys: Any) -> None:
    """A line that a third-party sink does not take is counted and said."""

    class Broken(sinks.Sink):
        name = "broken"

        def write(self, line: bytes) -> None:
            if line == b"1\n":
                raise RuntimeError("not this one")

    sink = sinks.Background(Broken())
    for text in (b"0\n", b"1\n", b"2\n"):
        sink.write(text)
    assert sink.close(60) == 0
    stats = sink.stats()
    # Three with the line about it.
    assert (stats["shipped"], stats["rejected"]) == (3, 1)
    assert "rejected: RuntimeError: not this one" in capsys.readouterr().err


def test_a_stream_that_logs_has_an_end() -> None:
    """What a stream logs while it is written to does not come back to it."""
    written: list[str] = []

    class Logs(io.StringIO):
        def write(self, text: str) -> int:
            written.append(text)
            sink.write(b"again\n")
            return len(text)

    sink = sinks.Background(Logs())
    sink.write(b"once\n")
    assert sink.close(60) == 0
    assert written == ["once\n"]
    assert sink.stats()["written"] == 1


def test_the_end_of_a_process_writes_what_is_held(tmp_path: Path) -> None:
    """Lines in the background are on standard output when the program is over."""
    source = """
import sys
from ctxlog import sinks
from ctxlog.sinks._fan import Fan

fan = Fan([sinks.Background()])
for number in range(1000):
    fan.write(b"%d\\n" % number)
"""
    done = run_python("-c", source, cwd=tmp_path)
    assert done.stdout.split() == [str(number) for number in range(1000)]
    assert done.stderr == ""


def test_writable_streams_are_told_from_full_ones(pipe: tuple[int, Any]) -> None:
    """A full pipe is not writable; what cannot be asked counts as writable."""
    _, stream = pipe
    assert _background._is_writable(stream)
    os.set_blocking(stream.fileno(), False)
    while True:
        try:
            os.write(stream.fileno(), b"x" * 4096)
        except BlockingIOError:
            break
    assert not _background._is_writable(stream)
    assert _background._is_writable(io.StringIO())
    assert _background._is_writable(None)
