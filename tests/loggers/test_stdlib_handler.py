"""
`LineHandler`: one write per line, in order, and never lost.
"""

from __future__ import annotations

import gzip
import io
import logging
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ctxlog
from tests.helpers import load_line, run_python

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX descriptors")


def make_record(msg: str = "hello", **values: Any) -> logging.LogRecord:
    """
    A record that says *msg*.
    """
    return logging.makeLogRecord({"msg": msg, **values})


class Pipe:
    """
    A pipe whose writing end is a text stream as `sys.stdout` is one.
    """

    def __init__(self) -> None:
        self.reading, writing = os.pipe()
        self.stream = os.fdopen(writing, "w", encoding="utf-8")

    def take(self) -> bytes:
        """
        Return the bytes in the pipe, by one read.
        """
        return os.read(self.reading, 1 << 20)

    def drain(self, meanwhile: Callable[[], None]) -> bytes:
        """
        Run *meanwhile*, close the pipe, and return all that went through it.
        """
        parts: list[bytes] = []

        def read() -> None:
            while part := self.take():
                parts.append(part)

        reader = threading.Thread(target=read)
        reader.start()
        try:
            meanwhile()
        finally:
            self.stream.close()
            reader.join()
            os.close(self.reading)
        return b"".join(parts)


@posix
@pytest.mark.parametrize(
    "formatter", [None, logging.Formatter("%(message)s")], ids=["json", "text"]
)
def test_a_line_is_one_write(
    monkeypatch: pytest.MonkeyPatch, formatter: logging.Formatter | None
) -> None:
    """
    Newline and all in one call, also if the stream would buffer.
    """
    written: list[bytes] = []
    write = os.write

    def counting(descriptor: int, data: bytes) -> int:
        written.append(bytes(data))
        return write(descriptor, data)

    pipe = Pipe()
    handler = ctxlog.LineHandler(pipe.stream)
    handler.setFormatter(formatter)
    monkeypatch.setattr(os, "write", counting)
    handler.handle(make_record("one"))
    handler.handle(make_record("two"))
    assert len(written) == 2
    assert all(data.endswith(b"\n") and data.count(b"\n") == 1 for data in written)
    assert pipe.drain(lambda: None) == b"".join(written)


@posix
def test_a_line_can_be_read_at_once() -> None:
    """
    Nothing waits in a buffer for the process to end.
    """
    pipe = Pipe()
    ctxlog.LineHandler(pipe.stream).handle(make_record())
    assert load_line(pipe.take())["message"] == "hello"
    pipe.drain(lambda: None)


def test_print_and_log_keep_their_order(tmp_path: Path) -> None:
    """
    Also when an exception or the interpreter's end comes next.
    """
    program = (
        "import ctxlog, logging, sys\n"
        "ctxlog.configure(format='json')\n"
        "for number in range(3):\n"
        "    print('printed', number)\n"
        "    logging.info('logged %d', number)\n"
        "sys.stdout.write('no newline, ')\n"
        "logging.info('last')\n"
        "print('end', end='')\n"
    )
    out = run_python("-c", program, cwd=tmp_path).stdout
    shown = []
    for line in out.split("\n"):
        text, brace, rest = line.partition("{")
        shown.append(text + (load_line(brace + rest)["message"] if brace else ""))
    assert shown == [
        *("printed 0", "logged 0", "printed 1", "logged 1", "printed 2", "logged 2"),
        *("no newline, last", "end"),
    ]


@posix
def test_threads_never_mix_their_lines() -> None:
    """
    Lines longer than a pipe's buffer, from four threads: each comes out whole.
    """
    pipe = Pipe()
    handler = ctxlog.LineHandler(pipe.stream)

    def log(letter: str) -> None:
        for _ in range(10):
            handler.handle(make_record(letter * 150_000))

    def run() -> None:
        threads = [threading.Thread(target=log, args=(letter,)) for letter in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    lines = [load_line(line)["message"] for line in pipe.drain(run).splitlines()]
    assert sorted(lines) == sorted(letter * 150_000 for letter in "abcd" * 10)


@posix
@pytest.mark.parametrize("printed", ["", "x" * 4000], ids=["log", "print and log"])
def test_a_full_pipe_that_does_not_block_is_waited_for(printed: str) -> None:
    """
    With a non-blocking descriptor neither our line nor a print is lost.
    """
    pipe = Pipe()
    os.set_blocking(pipe.stream.fileno(), False)
    handler = ctxlog.LineHandler(pipe.stream)

    def log() -> None:
        while True:  # fill it
            try:
                os.write(pipe.stream.fileno(), b"-" * 4096)
            except BlockingIOError:
                break
        pipe.stream.write(printed)  # stays in the buffer
        reader_may_begin.set()
        handler.handle(make_record("y" * 200_000))

    reader_may_begin = threading.Event()
    take = pipe.take
    pipe.take = lambda: (reader_may_begin.wait(), take())[1]  # type: ignore[method-assign]
    out = pipe.drain(log).lstrip(b"-")
    assert load_line(out.lstrip(b"x"))["message"] == "y" * 200_000
    assert out.startswith(printed.encode())


@posix
def test_a_torn_line_does_not_spoil_the_next(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """
    A disk that fills up within a line: that line is on standard error, whole, and the
    next one begins on a line of its own.
    """
    pipe = Pipe()
    handler = ctxlog.LineHandler(pipe.stream)
    write = os.write

    def full(descriptor: int, data: bytes) -> int:
        if len(data) < 20:
            raise OSError(28, "No space left on device")
        return write(descriptor, data[:-10])

    monkeypatch.setattr(os, "write", full)
    handler.handle(make_record("torn"))
    monkeypatch.setattr(os, "write", write)
    handler.handle(make_record("whole"))
    handler.handle(make_record("more"))
    torn, whole, more = pipe.drain(lambda: None).splitlines()
    assert b"torn" in torn
    assert load_line(whole)["message"] == "whole"
    assert load_line(more)["message"] == "more"
    assert load_line(capfd.readouterr().err)["message"] == "torn"


@posix
def test_a_line_that_was_not_begun_leaves_no_empty_line(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """
    Where nothing of it was written there is nothing to end.
    """
    pipe = Pipe()
    handler = ctxlog.LineHandler(pipe.stream)
    write = os.write

    def full(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    handler.handle(make_record("lost"))
    monkeypatch.setattr(os, "write", write)
    handler.handle(make_record("whole"))
    assert load_line(pipe.drain(lambda: None))["message"] == "whole"
    assert load_line(capfd.readouterr().err)["message"] == "lost"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_a_full_disk_is_survived(tmp_path: Path) -> None:
    """
    Every line is on standard error, and the program goes on.
    """
    program = (
        "import ctxlog, logging; ctxlog.configure(stream=open('/dev/full', 'w'))\n"
        "logging.info('one'); logging.info('two'); print('alive')"
    )
    done = run_python("-c", program, cwd=tmp_path)
    assert done.stdout == "alive\n"
    lines = [line for line in done.stderr.splitlines() if line.startswith("{")]
    assert [load_line(line)["message"] for line in lines] == ["one", "two"]


@posix
def test_a_reader_that_has_gone_is_survived(capfd: pytest.CaptureFixture[str]) -> None:
    """
    `program | head` closes the pipe: the line goes to standard error.
    """
    pipe = Pipe()
    os.close(pipe.reading)
    ctxlog.LineHandler(pipe.stream).handle(make_record("kept"))
    assert load_line(capfd.readouterr().err)["message"] == "kept"
    pipe.stream.close()


@posix
def test_a_closed_stream_is_not_written_to_by_its_old_number(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """
    The descriptor may be another file's by now.
    """
    stream = open(tmp_path / "first", "w")
    number = stream.fileno()
    handler = ctxlog.LineHandler(stream)
    stream.close()
    other = os.open(tmp_path / "second", os.O_WRONLY | os.O_CREAT)
    assert other == number
    handler.handle(make_record("kept"))
    os.close(other)
    assert (tmp_path / "second").read_bytes() == b""
    assert load_line(capfd.readouterr().err)["message"] == "kept"


class Raising(io.StringIO):
    """
    A stream that fails in a way that no stream should.
    """

    def write(self, text: str) -> int:
        raise RuntimeError("reentrant call")


def test_a_stream_that_raises_anything_is_survived(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """
    A log call never raises, whatever the stream does.
    """
    ctxlog.LineHandler(Raising()).handle(make_record("kept"))
    assert load_line(capfd.readouterr().err)["message"] == "kept"


def test_without_any_stream_nothing_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    As under pythonw, where both standard streams are None.
    """
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    ctxlog.LineHandler().handle(make_record("nowhere"))


class Tee:
    """
    A stream that writes twice and hands everything else through to one of the two.
    """

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.copy: list[str] = []

    def write(self, text: str) -> int:
        self.copy.append(text)
        return int(self.stream.write(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def test_a_stream_that_stands_for_another_is_written_to(tmp_path: Path) -> None:
    """
    One that has the other's descriptor is not passed by: a tee, a notebook's output.
    """
    with open(tmp_path / "log", "w") as file:
        tee = Tee(file)
        ctxlog.LineHandler(tee).handle(make_record())
        assert load_line(tee.copy[0])["message"] == "hello"
    assert load_line((tmp_path / "log").read_bytes())["message"] == "hello"


def test_a_compressing_stream_compresses(tmp_path: Path) -> None:
    """
    gzip's file has a descriptor, too, which is not for plain text.
    """
    path = tmp_path / "log.gz"
    with gzip.open(path, "wb") as file:
        ctxlog.LineHandler(file).handle(make_record())
    with gzip.open(path) as file:
        assert load_line(file.read())["message"] == "hello"


class Bytes:
    """
    A binary stream that is none of io's.
    """

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        if not isinstance(data, bytes):
            raise TypeError("bytes only")
        self.data += data


def test_any_stream_is_written_to_in_its_way(tmp_path: Path) -> None:
    """
    Files, memory, a class of its own; a character that an encoding lacks is escaped.
    """
    record = make_record("caf\u00e9")
    shown = []
    for mode in ("w", "wb", "ab"):
        path = tmp_path / mode
        with open(path, mode, encoding=None if "b" in mode else "utf-8") as file:
            ctxlog.LineHandler(file).handle(record)
        shown.append(path.read_bytes())
    binary, text, own = io.BytesIO(), io.StringIO(), Bytes()
    for stream in (binary, text, own):
        ctxlog.LineHandler(stream).handle(record)
    shown += [binary.getvalue(), text.getvalue().encode(), own.data]
    assert {load_line(data)["message"] for data in shown} == {"caf\u00e9"}

    narrow = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    ctxlog.LineHandler(narrow).handle(record)
    assert b"caf\\xe9" in narrow.buffer.getvalue()  # type: ignore[attr-defined]


def test_the_standard_output_is_that_of_the_time_of_the_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    A redirection of print takes the lines along; a stream that was given stays.
    """
    first, second = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", first)
    following, fixed = ctxlog.LineHandler(), ctxlog.LineHandler(first)
    monkeypatch.setattr(sys, "stdout", second)
    following.handle(make_record("following"))
    fixed.handle(make_record("fixed"))
    assert load_line(second.getvalue())["message"] == "following"
    assert load_line(first.getvalue())["message"] == "fixed"
    assert (following.stream, fixed.stream) == (second, first)


def test_a_slow_value_delays_its_own_thread_only(log_env: Any) -> None:
    """
    A line is encoded before the lock is taken.
    """
    handler = ctxlog.LineHandler(log_env.stream)
    other_done = threading.Event()

    class Slow:
        def __str__(self) -> str:
            # Comes back only if the other thread's line is not kept waiting.
            assert other_done.wait(timeout=30)
            return "slow"

    def other() -> None:
        handler.handle(make_record("other"))
        other_done.set()

    thread = threading.Thread(target=other)

    def log() -> None:
        thread.start()
        handler.handle(make_record("slow", value=Slow()))

    log()
    thread.join()
    assert [line["message"] for line in log_env.load_all()] == ["other", "slow"]


def test_handlers_of_child_and_parent_each_write(log_env: Any) -> None:
    """
    A record that both handle is the same line twice.
    """
    handlers = [ctxlog.LineHandler(log_env.stream) for _ in range(2)]
    log_env.use(handlers[0])
    child = log_env.logger.getChild("child")
    child.addHandler(handlers[1])
    ctxlog.run({"requestID": "A"}, child.info, "x", extra={"rows": 1})
    child.removeHandler(handlers[1])
    first, second = log_env.load_all()
    assert first == second


def test_closing_it_loses_nothing_and_it_still_writes(log_env: Any) -> None:
    """
    Servers close the handlers they find when they configure logging.
    """
    handler = ctxlog.LineHandler(log_env.stream)
    handler.close()
    handler.flush()
    handler.handle(make_record())
    assert log_env.load_json()["message"] == "hello"
