"""
What waits is neither lost nor written twice, whatever interrupts it.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import ctxlog
from tests.helpers import clean_environment, load_line, run_python
from tests.retention.conftest import Written

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
needs_signals = pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="no timers that signal"
)


def lines_of(text: str) -> list[dict[str, Any]]:
    """
    The lines that a process has written.
    """
    return [load_line(line) for line in text.splitlines()]


#: Many requests, in the middle of which a signal handler flushes and logs.
SIGNALS = """
import logging, signal
import ctxlog

ctxlog.configure(format="json", buffer=ctxlog.Buffer(max_bytes=10_000_000))
log = logging.getLogger("shop")
count = 0

def handler(number, frame):
    global count
    count += 1
    log.debug("handler %d", count)
    ctxlog.flush_buffer()

signal.signal(signal.SIGALRM, handler)

def body(number):
    signal.setitimer(signal.ITIMER_REAL, 0.0001 + number % 40 * 0.00002)
    for line in range(60):
        log.debug("line %d", line)
    log.error("failed")

for number in range(300):
    ctxlog.run({"requestID": number}, body, number)
signal.setitimer(signal.ITIMER_REAL, 0)
log.info("%d", count)
"""


@needs_signals
def test_a_signal_handler_that_flushes(tmp_path: Path) -> None:
    """
    In the middle of a log call, or of a flush: each line comes once, none is missing.
    """
    *lines, last = lines_of(run_python("-c", SIGNALS, cwd=tmp_path).stdout)
    found = Counter((one["requestID"], one["message"]) for one in lines)
    assert max(found.values()) == 1
    for number in range(300):
        for message in [*(f"line {n}" for n in range(60)), "failed"]:
            assert found[str(number), message] == 1
    assert int(last["message"]) > 50


#: A child of a request whose buffer is full.
FORK = """
import logging, os
import ctxlog

sampling = ctxlog.Sampling(rate=0)
ctxlog.configure(format="json", buffer=ctxlog.Buffer(), sampling=sampling)
log = logging.getLogger("shop")

def body():
    log.debug("parent, before")
    log.info("parent, before, usual")
    child = os.fork()
    if not child:
        log.debug("child")
        log.info("child, usual")
        log.error("child failed")
        os._exit(0)
    os.waitpid(child, 0)
    log.debug("parent, after")
    log.error("parent failed")

ctxlog.run({"requestID": "req-1"}, body)
"""


@needs_fork
def test_a_fork_with_a_full_buffer(tmp_path: Path) -> None:
    """
    The child begins with nothing; the parent still has what it had.
    """
    found = [
        one["message"] for one in lines_of(run_python("-c", FORK, cwd=tmp_path).stdout)
    ]
    assert found == [
        *("child", "child, usual", "child failed"),
        *("parent, before", "parent, before, usual", "parent, after"),
        "parent failed",
    ]


class Interrupting:
    """
    A stream that raises once, in the middle of what is written to it.
    """

    def __init__(self, after: int) -> None:
        self.left = after
        self.written: list[bytes] = []

    def write(self, data: bytes) -> int:
        if self.left == 0:
            self.left = -1
            raise KeyboardInterrupt
        self.left -= 1
        self.written.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        pass


@pytest.mark.parametrize("after", [0, 1, 10, 19])
def test_an_interrupt_in_the_middle_of_a_flush(written: Written, after: int) -> None:
    """
    The rest comes later, none twice; at most the line is missing that was interrupted.
    """
    stream: Any = Interrupting(after)
    ctxlog.configure(stream=stream, format="json", buffer=ctxlog.Buffer())
    log = logging.getLogger("retention.shop")

    def body() -> None:
        for number in range(20):
            log.debug("line %d", number)
        log.error("failed")

    with pytest.raises(KeyboardInterrupt):
        ctxlog.run({"requestID": "req-1"}, body)
    found = [load_line(line)["message"] for line in stream.written]
    assert len(found) == len(set(found))
    missing = {f"line {n}" for n in range(20)} - set(found)
    assert len(missing) <= 1
    assert found == sorted(found, key=lambda one: int(one.split()[1]))


def speak() -> None:
    """
    Log something.
    """
    logging.getLogger("retention.shop").debug("stream")


class Logging:
    """
    A stream that logs whenever it is written to.
    """

    def __init__(self) -> None:
        # It has no logger: ctxlog passes streams by of which it sees that they log.
        self.written: list[bytes] = []

    def write(self, data: bytes) -> int:
        self.written.append(bytes(data))
        if b"stream" not in data:
            speak()
        return len(data)

    def flush(self) -> None:
        pass


def test_a_stream_that_logs(written: Written) -> None:
    """
    Also from two threads of one request: neither waits for the other for good.
    """
    log = logging.getLogger("retention.shop")
    stream: Any = Logging()
    ctxlog.configure(stream=stream, format="json", buffer=ctxlog.Buffer())
    store = ctxlog.Store(requestID="req-1")

    def body(name: str) -> None:
        for number in range(50):
            log.debug("%s %d", name, number)
            log.info("%s usual %d", name, number)
            if number % 10 == 9:
                log.error("%s failed %d", name, number)

    threads = [
        threading.Thread(target=ctxlog.run, args=(store, body, name), daemon=True)
        for name in ("one", "two")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    store.close()
    found = Counter(load_line(line)["message"] for line in stream.written)
    for name in ("one", "two"):
        for number in range(50):
            assert found[f"{name} {number}"] == 1
            assert found[f"{name} usual {number}"] == 1


def test_lines_of_ten_megabytes(written: Written) -> None:
    """
    They do not wait where there is no room for them, and are counted.
    """
    written.configure(buffer=ctxlog.Buffer(max_bytes=25_000_000))
    log = logging.getLogger("retention.shop")

    def body() -> None:
        for number in range(6):
            log.debug("%d %s", number, "x" * 10_000_000)
        log.error("failed")

    ctxlog.run({"requestID": "req-1"}, body)
    assert [one["message"][:2] for one in written.lines()] == ["4 ", "5 ", "fa"]
    assert written.lines()[0]["droppedLines"] == 4


#: A process that ends, or is killed, while requests are open.
ENDING = """
import logging, os, signal, sys
import ctxlog

sampling = ctxlog.Sampling(rate=0) if "sampling" in sys.argv else None
ctxlog.configure(format="json", buffer=ctxlog.Buffer(), sampling=sampling)
log = logging.getLogger("shop")
stores = [ctxlog.Store(requestID=n) for n in range(50)]
for store in stores:
    ctxlog.run(store, log.debug, "debug")
    ctxlog.run(store, log.info, "info")
if "kill" in sys.argv:
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
@pytest.mark.parametrize(
    ("how", "written"), [("sampling", 50), ("kill", 50), ("sampling kill", 0)]
)
def test_the_end_of_a_process(tmp_path: Path, how: str, written: int) -> None:
    """
    What waits to be sampled is written; `kill -9` takes only what was below the level,
    unless requests are sampled.
    """
    done = subprocess.run(
        [sys.executable, "-I", "-c", ENDING, *how.split()],
        cwd=tmp_path,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=240,
        check=False,
    )
    found = Counter(one["message"] for one in lines_of(done.stdout.decode()))
    assert found == ({"info": written} if written else {})


def test_another_configuration_in_the_middle_of_a_request(written: Written) -> None:
    """
    No usual line is lost: what waits is written, and all that comes after.
    """
    log = logging.getLogger("retention.shop")
    written.configure(sampling=ctxlog.Sampling(rate=0.0))
    begun, fresh = ctxlog.Store(requestID=1), ctxlog.Store(requestID=2)
    ctxlog.run(begun, log.info, "one")
    assert written.messages() == []
    written.configure()
    assert written.messages() == ["one"]
    ctxlog.run(begun, log.info, "two")
    ctxlog.run(fresh, log.info, "three")
    begun.close()
    fresh.close()
    assert written.messages() == ["one", "two", "three"]


def test_what_has_waited_is_gone_with_its_request(written: Written) -> None:
    """
    A request leaves nothing to the garbage collector.
    """
    written.configure(buffer=ctxlog.Buffer(), sampling=ctxlog.Sampling(rate=0.5))
    log = logging.getLogger("retention.shop")

    def body() -> None:
        log.debug("one")
        log.info("two")

    for number in range(20):
        ctxlog.run({"requestID": number}, body)
    gc.collect()
    gc.disable()
    try:
        for number in range(50):
            ctxlog.run({"requestID": number}, body)
        assert gc.collect() < 10
    finally:
        gc.enable()
