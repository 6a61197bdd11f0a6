"""
The buffer between the callers of a sink and the thread that sends their lines on.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ctxlog
from ctxlog.sinks import _buffer
from ctxlog.sinks._buffer import Buffer, Feed, handing_on
from tests.helpers import need, run_python, unmeasured_environment

#: What a line of ten bytes takes in a buffer.
TEN = 10 + _buffer._OVERHEAD


class Sender:
    """
    The work of a buffer's thread: keeps lines, one at a time, when it may.
    """

    def __init__(self, linger: float = 0.0, most: int = 1) -> None:
        self.linger, self.most = linger, most
        self.may = threading.Event()
        self.taken = threading.Event()
        self.sent: list[bytes] = []
        self.batches: list[int] = []
        self.fields: list[object] = []
        self.threads: set[int] = set()

    def __call__(self, feed: Feed) -> None:
        self.threads.add(threading.get_ident())
        self.fields.append(ctxlog.fields())
        while (lines := feed.take(self.most, 1_000_000, self.linger)) is not None:
            self.taken.set()
            self.may.wait(60)
            self.sent += lines
            self.batches.append(len(lines))
            feed.settle(shipped=len(lines))


@pytest.fixture
def sender() -> Iterator[Sender]:
    """A sender that waits until it may send."""
    sender = Sender()
    yield sender
    sender.may.set()


def line(number: int) -> bytes:
    """Return a line of ten bytes."""
    return b"%09d\n" % number


def test_lines_leave_in_order(sender: Sender) -> None:
    """What is put leaves in the same order, by one thread, which carries no context."""
    buffer = Buffer(sender, 1_000_000)
    sender.may.set()
    with ctxlog.scope(secret=1):
        for number in range(100):
            assert buffer.put(line(number))
    assert buffer.flush(60) == 0
    assert sender.sent == [line(number) for number in range(100)]
    assert sender.fields == [{}]
    assert threading.get_ident() not in sender.threads
    stats = buffer.stats()
    assert stats["written"] == stats["shipped"] == 100
    assert buffer.close(60) == 0


def test_memory_is_bounded_by_bytes(sender: Sender) -> None:
    """Lines that do not fit are dropped and counted, also while some are being sent."""
    buffer = Buffer(sender, 10 * TEN)
    put = [buffer.put(line(number)) for number in range(15)]
    assert put == [True] * 10 + [False] * 5
    sender.taken.wait(60)
    assert not buffer.put(line(15))
    assert buffer.stats() == {
        **{"written": 16, "shipped": 0, "held": 10, "dropped": 6},
        **{"rejected": 0, "retried": 0},
    }
    assert not buffer.put(b"x" * 10 * TEN)
    sender.may.set()
    assert buffer.flush(60) == 0
    assert buffer.put(line(16))
    assert buffer.close(60) == 0
    assert sender.sent == [*map(line, range(10)), line(16)]


def test_a_call_waits_for_room_so_long(sender: Sender) -> None:
    """A full buffer is waited for by one call, and then by none until lines leave."""
    buffer = Buffer(sender, TEN, wait=60)
    assert buffer.put(line(0))
    sender.taken.wait(60)
    putting = threading.Thread(target=buffer.put, args=(line(1),))
    putting.start()
    sender.may.set()
    putting.join()
    assert buffer.flush(60) == 0
    assert sender.sent == [line(0), line(1)]
    sender.may.clear()
    buffer._wait = 0.01
    assert buffer.put(line(2))
    assert not buffer.put(line(3))
    buffer._wait = 60  # and yet this call returns
    assert not buffer.put(line(4))
    sender.may.set()
    assert buffer.flush(60) == 0
    assert buffer.close(60) == 0
    assert buffer.stats()["dropped"] == 2


def test_flush_waits_so_long(sender: Sender) -> None:
    """A flush that cannot succeed says how many lines are held."""
    buffer = Buffer(sender, 1_000_000)
    assert buffer.flush(60) == 0
    buffer.put(line(0))
    buffer.put(line(1))
    assert buffer.flush(0) == 2
    assert buffer.flush(0.01) == 2
    sender.may.set()
    assert buffer.flush(60) == 0
    buffer.close(60)


def test_lingering_gathers_lines() -> None:
    """A thread that lingers takes many lines at once; a flush does not wait for it."""
    sender = Sender(linger=600, most=1_000)
    sender.may.set()
    buffer = Buffer(sender, 1_000_000)
    for number in range(500):
        buffer.put(line(number))
    assert buffer.flush(60) == 0
    assert sender.batches == [500]
    buffer.put(line(500))
    assert buffer.close(60) == 0
    assert sender.batches == [500, 1]


def test_a_batch_is_bounded_by_lines_and_bytes() -> None:
    """A full batch does not wait for more lines; a long line is a batch by itself."""
    sender = Sender(linger=600, most=3)
    buffer = Buffer(sender, 10_000_000)
    buffer.put(line(0))
    buffer.put(line(1))
    buffer.put(b"x" * 1_500_000)  # wakes the thread, too
    sender.taken.wait(60)
    buffer.put(line(2))
    buffer.put(line(3))
    sender.may.set()
    assert buffer.flush(60) == 0
    assert sender.batches == [2, 1, 2]
    buffer.close(60)


def test_a_closed_buffer_takes_lines_again(sender: Sender) -> None:
    """The thread ends with `close()`, and another one starts with the next line."""
    sender.may.set()
    buffer = Buffer(sender, 1_000_000)
    assert buffer.close(60) == 0
    for number in range(3):
        buffer.put(line(number))
        assert buffer.close(60) == 0
    assert sender.sent == [line(0), line(1), line(2)]
    assert len(sender.fields) == 3
    assert buffer.stats()["written"] == buffer.stats()["shipped"] == 3


def test_what_is_given_up_is_counted_once(sender: Sender) -> None:
    """Lines of a stuck thread are dropped by `close()`, whatever comes of them."""
    buffer = Buffer(sender, 1_000_000)
    for number in range(5):
        buffer.put(line(number))
    sender.taken.wait(60)
    assert buffer.close(0.01) == 5
    assert buffer.stats()["dropped"] == buffer.stats()["written"] == 5
    buffer.put(line(5))
    sender.may.set()
    assert buffer.close(60) == 0
    assert line(5) in sender.sent  # the other thread may not have come so far
    stats = buffer.stats()
    assert (stats["written"], stats["dropped"], stats["shipped"]) == (6, 5, 1)


def test_lines_about_lines_are_not_taken(sender: Sender) -> None:
    """Where lines are handed on, no buffer takes any."""
    buffer = Buffer(sender, 1_000_000)
    with handing_on():
        assert buffer.put(line(0))
    assert buffer.stats()["written"] == 0
    assert buffer.close(0) == 0


def test_a_thread_that_fails_loses_nothing(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an unexpected error lines are held, and the next one starts a thread."""
    failed = threading.Event()
    errors: list[object] = []

    def work(feed: Feed) -> None:
        if not failed.is_set():
            feed.take(10, 1000, 0)
            raise RuntimeError("unexpected")
        sender(feed)

    def hook(unraisable: Any) -> None:
        errors.append(unraisable.exc_value)
        failed.set()

    monkeypatch.setattr(sys, "unraisablehook", hook)
    sender.may.set()
    buffer = Buffer(work, 1_000_000)
    buffer.put(line(0))
    failed.wait(60)
    assert str(errors.pop()) == "unexpected"
    assert buffer.stats()["held"] == 1
    buffer.put(line(1))
    assert buffer.flush(60) == 0
    assert sender.sent == [line(0), line(1)]
    buffer.close(60)


def test_pauses_end_when_it_is_flushed_or_closed() -> None:
    """A flush ends a pause, but not a firm one; closing ends both."""
    steps: list[str] = []
    reached = threading.Semaphore(0)

    def work(feed: Feed) -> None:
        feed.take(1, 1000, 0)
        reached.release()
        feed.pause(600)
        steps.append("flushed")
        reached.release()
        feed.pause(600, firm=True)
        steps.append("closed")
        feed.pause(0.001)
        feed.retry(1)
        feed.settle(rejected=1)
        feed.take(1, 1000, 0)

    buffer = Buffer(work, 1_000_000)
    buffer.put(line(0))
    assert reached.acquire(timeout=60)
    assert buffer.flush(0) == 1
    assert reached.acquire(timeout=60)
    assert buffer.flush(0.01) == 1
    assert steps == ["flushed"]
    assert buffer.close(60) == 0
    assert steps == ["flushed", "closed"]
    assert buffer.stats()["rejected"] == buffer.stats()["retried"] == 1


def test_many_threads_put_at_once(sender: Sender) -> None:
    """Whatever threads do, each line leaves once and all are counted."""
    sender.may.set()
    sender.most = 50
    buffer = Buffer(sender, 1_000_000)

    def put(first: int) -> None:
        for number in range(first, first + 1000):
            buffer.put(line(number))

    threads = [threading.Thread(target=put, args=(n * 1000,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert buffer.flush(60) == 0
    assert sorted(sender.sent) == list(map(line, range(8000)))
    assert buffer.stats()["shipped"] == buffer.stats()["written"] == 8000
    buffer.close(60)


_SENDING = """
import os, sys, threading, time
from ctxlog.sinks._buffer import Buffer

sent = []

def work(feed):
    while (lines := feed.take(100, 1_000_000, 0.0)) is not None:
        sent.extend(lines)
        feed.settle(shipped=len(lines))

buffer = Buffer(work, 100_000_000)
"""


def test_a_fork_begins_with_nothing(tmp_path: Path) -> None:
    """A child has an empty buffer and its own thread; the parent keeps its lines."""
    source = (
        _SENDING
        + """
stop = threading.Event()

def slowly(feed):
    while (lines := feed.take(1, 1_000_000, 0.0)) is not None:
        stop.wait()
        sent.extend(lines)
        feed.settle(shipped=len(lines))

buffer = Buffer(slowly, 1_000_000)
for number in range(10):
    buffer.put(b"parent\\n")
import warnings
warnings.simplefilter("ignore")
child = os.fork()
if child == 0:
    stop = threading.Event()
    stop.set()
    assert buffer.stats()["written"] == 0
    buffer.put(b"child\\n")
    assert buffer.flush(60) == 0
    assert sent == [b"child\\n"], sent
    assert buffer.stats()["shipped"] == 1
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert buffer.stats()["held"] == 10
"""
    )
    run_python("-c", source, cwd=tmp_path)


def test_forks_while_other_threads_put(tmp_path: Path) -> None:
    """A fork in the middle of other threads' lines leaves the child no held lock."""
    source = (
        _SENDING
        + """
import warnings
warnings.simplefilter("ignore")
going = True

def put():
    while going:
        buffer.put(b"line\\n")

threads = [threading.Thread(target=put) for _ in range(3)]
for thread in threads:
    thread.start()
for _ in range(30):
    child = os.fork()
    if child == 0:
        buffer.put(b"child\\n")
        os._exit(buffer.flush(60))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
going = False
for thread in threads:
    thread.join()
assert buffer.close(60) == 0
stats = buffer.stats()
assert stats["written"] == stats["shipped"] + stats["dropped"]
"""
    )
    run_python("-c", source, cwd=tmp_path)


def test_signal_handlers_and_finalizers_may_log(tmp_path: Path) -> None:
    """Lines that come in the middle of others are all taken, and nothing hangs."""
    source = (
        _SENDING
        + """
import gc, signal

class Dying:
    def __init__(self):
        self.itself = self
    def __del__(self):
        global finalized
        finalized += 1
        buffer.put(b"finalizer\\n")

def handle(number, frame):
    global handled
    handled += 1
    buffer.put(b"handler\\n")

finalized = handled = 0
gc.set_threshold(5)
signal.signal(signal.SIGALRM, handle)
signal.setitimer(signal.ITIMER_REAL, 0.0003, 0.0003)
put = 0
while handled < 500:
    Dying()
    buffer.put(b"line\\n")
    put += 1
signal.setitimer(signal.ITIMER_REAL, 0)
gc.set_threshold(0)
assert buffer.flush(60) == 0
assert sent.count(b"line\\n") == put
assert sent.count(b"handler\\n") == handled
assert sent.count(b"finalizer\\n") == finalized > 0
assert buffer._state.size == 0
assert buffer.stats()["shipped"] == put + handled + finalized
"""
    )
    # Not measured: an exception within coverage may leave a lock of its own held.
    run_python("-c", source, cwd=tmp_path, env=unmeasured_environment())


def test_exceptions_of_signal_handlers_leave_it_whole(tmp_path: Path) -> None:
    """A time limit that interrupts calls leaves counters right and no lock held."""
    source = (
        _SENDING
        + """
import signal

class Limit(Exception):
    pass

def handle(number, frame):
    raise Limit

signal.signal(signal.SIGALRM, handle)
put = limits = 0
while limits < 300:
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0005)
        while True:
            buffer.put(b"line\\n")
            put += 1
    except Limit:
        limits += 1
assert buffer.flush(60) == 0
assert buffer._state.size == 0
assert put <= len(sent) <= put + limits
assert buffer.stats()["shipped"] == buffer.stats()["written"] == len(sent)
"""
    )
    # Not measured: an exception within coverage may leave a lock of its own held.
    run_python("-c", source, cwd=tmp_path, env=unmeasured_environment())


class Limit(Exception):
    """A time limit that a signal handler raises."""


@pytest.mark.parametrize("step", range(1, 7))
def test_an_exception_while_the_thread_is_started(sender: Sender, step: int) -> None:
    """Wherever it comes, the next line starts the thread, and both lines leave."""
    sender.may.set()
    steps = 0

    def trace(frame: Any, event: str, argument: object) -> Any:
        nonlocal steps
        if frame.f_code is not Buffer._start.__code__:
            return None
        steps += event == "line"
        if steps == step:
            sys.settrace(None)
            raise Limit
        return trace

    buffer = Buffer(sender, 1_000_000)
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        buffer.put(line(0))
    except Limit:
        pass
    finally:
        sys.settrace(before)
    assert buffer.put(line(1))
    assert buffer.flush(60) == 0
    # A thread that was started all the same may have sent the first one, too.
    assert set(sender.sent) == {line(0), line(1)}
    assert buffer.stats()["shipped"] == buffer.stats()["written"] == 2
    buffer.close(60)


def test_lines_at_the_end_of_the_interpreter_leave(tmp_path: Path) -> None:
    """Where no thread can be started any more, `close()` does its work."""
    source = (
        _SENDING
        + """
import atexit, _thread

def end():
    buffer.put(b"last\\n")
    assert buffer.close(60) == 0
    assert sent == [b"last\\n"]
    print("it has left")

def no_more(*args):
    raise RuntimeError("can't create new thread at interpreter shutdown")

if sys.argv[1:]:
    _thread.start_new_thread = no_more
atexit.register(end)
"""
    )
    assert run_python("-c", source, cwd=tmp_path).stdout == "it has left\n"
    assert run_python("-c", source, "none", cwd=tmp_path).stdout == "it has left\n"


def test_greenlets_go_on(tmp_path: Path) -> None:
    """In a process that gevent has patched the thread is a real one all the same."""
    need("gevent")
    source = (
        """
import gevent.monkey
gevent.monkey.patch_all()
"""
        + _SENDING
        + """
import gevent
import queue

def put(number):
    for _ in range(100):
        buffer.put(b"%d\\n" % number)
        gevent.sleep(0)

gevent.joinall([gevent.spawn(put, number) for number in range(10)])
end = time.monotonic() + 60
while len(sent) < 1000 and time.monotonic() < end:
    pass  # no greenlet runs meanwhile
assert len(sent) == 1000
assert buffer.close(60) == 0
"""
    )
    run_python("-c", source, cwd=tmp_path)


def test_a_tracer_follows_the_thread(sender: Sender) -> None:
    """What `threading.settrace` asks for holds for the thread."""
    sender.may.set()
    seen = threading.Event()

    def trace(frame: Any, event: str, argument: object) -> Any:
        if frame.f_code is Sender.__call__.__code__:
            seen.set()

    before = threading.gettrace()
    threading.settrace(trace)
    try:
        buffer = Buffer(sender, 1_000_000)
        buffer.put(line(0))
        assert buffer.flush(60) == 0
    finally:
        threading.settrace(before)  # type: ignore[arg-type]
    assert seen.is_set()
    buffer.close(60)
