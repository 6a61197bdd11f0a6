"""
Buffers under pressure: signals at any moment, forks, thousands of requests at once.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import ctxlog
from tests.helpers import clean_environment, need, run_python
from tests.retention.conftest import Written

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
needs_timers = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers")


@needs_timers
def test_a_signal_handler_flushes_in_the_middle_of_a_line(written: Written) -> None:
    """Whatever it interrupts: no line is lost, none comes twice, nothing blocks."""
    written.configure(buffer=ctxlog.Buffer(max_bytes=10_000_000))
    log = logging.getLogger("retention.shop")
    flushed = 0

    def flush(*_: object) -> None:
        nonlocal flushed
        log.debug("from the handler")
        ctxlog.flush_buffer()
        flushed += 1

    def work() -> int:
        before, count = flushed, 0
        signal.setitimer(signal.ITIMER_REAL, 0.0003)
        while flushed == before:
            log.debug("line %d", count)
            count += 1
        return count

    before = signal.signal(signal.SIGALRM, flush)
    # A handler that runs in a callback of the collector is as good as any other, but
    # what it logs there is Hypothesis's.
    gc.disable()
    try:
        for number in range(200):
            written.clear()
            count = ctxlog.run({"requestID": f"r-{number}"}, work)
            messages = Counter(written.messages())
            assert messages.pop("from the handler") == 1
            # The last ones may have been logged after the flush: they are written, too.
            assert messages == Counter(f"line {n}" for n in range(count))
    finally:
        gc.enable()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@needs_timers
def test_an_exception_of_a_signal_handler_in_the_middle_of_a_flush(
    written: Written,
) -> None:
    """
    It goes on to the application. What it has kept from being written follows in its
    order, and at most the line is missing that it has interrupted.
    """
    written.configure(buffer=ctxlog.Buffer(max_bytes=10_000_000))
    log = logging.getLogger("retention.shop")

    class TimeLimit(Exception):
        pass

    def limit(*_: object) -> None:
        raise TimeLimit

    def work(after: float) -> None:
        for number in range(300):
            log.debug("line %d", number)
        try:
            signal.setitimer(signal.ITIMER_REAL, after)
            ctxlog.flush_buffer()
            # No `signal.pause()`, which would wait for another one.
            while True:
                pass
        except TimeLimit:
            pass
        log.error("failed")

    before = signal.signal(signal.SIGALRM, limit)
    gc.disable()
    try:
        for number in range(100):
            written.clear()
            after = (number % 50 + 1) * 0.00003
            ctxlog.run({"requestID": f"r-{number}"}, work, after)
            *lines, last = written.messages()
            assert last == "failed"
            numbers = [int(line.removeprefix("line ")) for line in lines]
            assert numbers == sorted(set(numbers))
            assert len(numbers) >= 299
    finally:
        gc.enable()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@needs_fork
def test_a_fork_while_another_thread_holds_lines(tmp_path: Path) -> None:
    """Whatever the threads of the parent are about, the child logs and flushes."""
    program = """
import logging, os, threading
import ctxlog

ctxlog.configure(format="json", buffer=ctxlog.Buffer())
log = logging.getLogger("shop")
store = ctxlog.Store(requestID="r-1")
stopping = False

def hold():
    while not stopping:
        log.debug("held")

threads = [threading.Thread(target=ctxlog.run, args=(store, hold)) for _ in range(3)]
for thread in threads:
    thread.start()
for number in range(30):
    child = os.fork()
    if not child:
        def work():
            log.debug("child %d", number)
            ctxlog.flush_buffer()
        ctxlog.run(store, work)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
stopping = True
for thread in threads:
    thread.join()
"""
    done = run_python("-c", program, cwd=tmp_path)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["message"] for line in lines] == [
        f"child {number}" for number in range(30)
    ]


def test_ten_thousand_requests_at_once_stay_within_the_bound(tmp_path: Path) -> None:
    """Each logs a megabyte of DEBUG lines; memory grows by the bound, and little."""
    program = """
import logging, tracemalloc
import ctxlog

total = 16_000_000
ctxlog.configure(format="json", buffer=ctxlog.Buffer(total_bytes=total))
log = logging.getLogger("shop")
text = "x" * 100_000
stores = [ctxlog.Store(requestID=str(number)) for number in range(10_000)]

def work():
    # A megabyte, in ten lines; each text is an object of its own.
    for number in range(10):
        log.debug("%s", text + str(number))
    for number in range(10):
        log.debug("short %d of %s", number, text[:200] + str(number))

tracemalloc.start()
before = tracemalloc.get_traced_memory()[0]
for store in stores:
    ctxlog.run(store, work)
after, peak = tracemalloc.get_traced_memory()
print(after - before, peak - before)
"""
    done = run_python("-c", program, cwd=tmp_path)
    after, peak = map(int, done.stdout.split())
    # What a store itself takes where a buffer is on, and the line in the making.
    own = 10_000 * 1_500
    assert 4_000_000 < after < 16_000_000 + own
    assert peak < 16_000_000 + own + 1_000_000


def test_a_server_that_is_told_to_stop_writes_what_waits(tmp_path: Path) -> None:
    """SIGTERM in the middle of a request: what it has logged is not lost."""
    need("uvicorn")
    (tmp_path / "served.py").write_text(
        """
import asyncio, logging, sys
import ctxlog

ctxlog.configure(format="json", sampling=ctxlog.Sampling(rate=0.0))

async def serve(scope, receive, send):
    logging.getLogger("shop").info("begun")
    print("begun", file=sys.stderr, flush=True)
    await asyncio.Event().wait()

app = ctxlog.servers.asgi.ContextMiddleware(serve)
""",
        encoding="utf-8",
    )
    installed = str(Path(ctxlog.__file__).parent.parent)
    command = [sys.executable, "-m", "uvicorn", "served:app", "--port", "0"]
    command += ["--timeout-graceful-shutdown", "1", "--lifespan", "off"]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        env=clean_environment(PYTHONPATH=installed),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    try:
        assert process.stdout
        assert process.stderr
        port = None
        for line in process.stdout:
            if "Uvicorn running on" in line:
                port = int(json.loads(line)["message"].split(":")[2].split()[0])
                break
        assert port is not None
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert process.stderr.readline().startswith("begun")
            process.send_signal(signal.SIGTERM)
            out, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    messages = [json.loads(line)["message"] for line in out.splitlines()]
    assert messages.count("begun") == 1
