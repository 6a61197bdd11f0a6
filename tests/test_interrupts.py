"""
Signal handlers that raise: a time limit leaves a log call, whatever that survives else.
"""

from __future__ import annotations

import functools
import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import ctxlog
from ctxlog import _interrupts
from ctxlog._interrupts import add_interrupt, is_interrupt
from ctxlog.line.writer import LineWriter
from tests.helpers import load_line, need, run_python
from tests.interrupting import LIMITS

pytestmark = pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="no interval timers"
)


class TimeLimit(Exception):
    """
    As `rq`'s and Celery's: an Exception, not a BaseException.
    """


def fail(*args: object) -> None:
    raise TimeLimit


def handle(number: int, frame: FrameType | None) -> None:
    fail()


def handle_once(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)
    raise TimeLimit


def handle_and_forget(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise TimeLimit


class Handling:
    def method(self, number: int, frame: FrameType | None) -> None:
        raise TimeLimit

    @staticmethod
    def static(number: int, frame: FrameType | None) -> None:
        raise TimeLimit

    def __call__(self, number: int, frame: FrameType | None) -> None:
        raise TimeLimit


class Made:
    def __init__(self, number: int, frame: FrameType | None) -> None:
        raise TimeLimit


def decorated(*args: Any, **kwargs: Any) -> None:
    return functools.wraps(handle)(lambda *args: handle(*args))(*args, **kwargs)


HANDLERS: dict[str, Callable[..., Any]] = {
    "function": handle,
    "method": Handling().method,
    "static method": Handling.static,
    "callable object": Handling(),
    "lambda": lambda number, frame: fail(),
    "any arguments": lambda *args: fail(),
    "partial": functools.partial(lambda more, number, frame: fail(), 1),
    "partial of a method": functools.partial(Handling().method),
    "cached": functools.lru_cache(handle),
    "decorated": decorated,
    "class": Made,
    "one that resets itself": handle_once,
    "one that deletes its arguments": handle_and_forget,
}


@pytest.fixture
def alarm() -> Iterator[Callable[[Callable[..., Any]], None]]:
    """
    Set the handler of SIGALRM for one test.
    """
    before = signal.getsignal(signal.SIGALRM)
    yield lambda handler: (signal.signal(signal.SIGALRM, handler), None)[1]
    signal.signal(signal.SIGALRM, before)


class Interrupted:
    """
    A value that is interrupted by a signal while it is read.
    """

    def __str__(self) -> str:
        signal.raise_signal(signal.SIGALRM)
        return "read"

    __repr__ = __str__


@pytest.mark.parametrize("kind", HANDLERS)
def test_what_a_signal_handler_raises_leaves_a_log_call(
    kind: str, alarm: Any, log_env: Any
) -> None:
    """
    The exception passes for any kind of handler, which its traceback shows.
    """
    log_env.set_formatter(ctxlog.JsonFormatter())
    log_env.use(ctxlog.LineHandler(log_env.stream))
    alarm(HANDLERS[kind])
    with pytest.raises(TimeLimit):
        log_env.logger.info("charged", extra={"order": Interrupted()})
    alarm(HANDLERS[kind])
    with pytest.raises(TimeLimit):
        log_env.logger.info("charged %s", Interrupted())
    log_env.logger.info("after")
    assert log_env.load_json()["message"] == "after"


def raised_by(call: Callable[[], object]) -> Exception:
    """
    What *call* raises.
    """
    try:
        call()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


class Raising:
    def __init__(self, error: Exception) -> None:
        self.error = error

    def __str__(self) -> str:
        raise self.error

    def __bool__(self) -> bool:
        raise self.error


@pytest.mark.parametrize(
    "call",
    [
        lambda: str(Raising(TimeLimit())),
        lambda: [1 for _ in range(3) if Raising(TimeLimit())],
        lambda: fail(14, sys._getframe(1)),
        lambda: int("x"),
        lambda: open("/does/not/exist"),
    ],
)
def test_what_a_value_raises_is_no_interrupt(call: Callable[[], object]) -> None:
    """
    A log call survives it, also where a handler is set.
    """
    assert not is_interrupt(raised_by(call))


def test_an_exception_without_a_traceback_is_no_interrupt() -> None:
    """
    One that was made and never raised.
    """
    assert not is_interrupt(TimeLimit())


def test_the_type_of_a_known_time_limit_is_one(
    monkeypatch: pytest.MonkeyPatch, log_env: Any
) -> None:
    """
    For those that another thread raises, of which no frame tells.
    """
    monkeypatch.setattr(_interrupts, "_KNOWN", ())

    class Known(Exception):
        pass

    add_interrupt(Known)
    add_interrupt(Known)
    log_env.use(ctxlog.LineHandler(log_env.stream))
    with pytest.raises(Known):
        log_env.logger.info("x", extra={"value": Raising(Known())})


@pytest.mark.parametrize("kind", ["stdlib", "structlog", "loguru"])
def test_time_limits_inside_log_calls(kind: str, tmp_path: Path) -> None:
    """
    Each of a hundred ends what it limits, and leaves lines, locks and context whole.
    """
    if kind != "stdlib":
        need(kind)
    path = tmp_path / "log"
    done = run_python("-c", LIMITS, kind, "100", str(path), cwd=tmp_path)
    assert json.loads(done.stdout) == [0, 0, False]
    lines = [load_line(line) for line in path.read_text().splitlines()]
    assert lines[-1]["last"] is True
    assert done.stderr == ""


def test_a_limit_that_another_thread_raises(tmp_path: Path) -> None:
    """
    One of RQ's threads, without signals: the adapter knows the type.
    """
    need("rq")
    program = """
import logging, time
import ctxlog, ctxlog.tasks.rq
from rq.timeouts import JobTimeoutException, TimerDeathPenalty

ctxlog.configure(format="json")
ctxlog.tasks.rq.install()

class Sleeping:
    def __str__(self):
        time.sleep(0.01)
        return "slow"

swallowed = 0
for _ in range(5):
    try:
        with TimerDeathPenalty(0.1):
            for _ in range(500):
                logging.info("%s", Sleeping())
            swallowed += 1
    except JobTimeoutException:
        pass
print(swallowed)
"""
    done = run_python("-c", program, cwd=tmp_path)
    assert done.stdout.splitlines()[-1] == "0"


def test_a_limit_while_another_thread_writes(alarm: Any, tmp_path: Path) -> None:
    """
    It ends the wait for the stream, which is free when the other line is written.
    """
    with open(tmp_path / "lines", "w") as stream:
        writer = LineWriter(stream)
        lock = writer._aim[1].lock
        held, done = threading.Event(), threading.Event()

        def hold() -> None:
            with lock:
                held.set()
                done.wait(60)

        other = threading.Thread(target=hold)
        other.start()
        held.wait(60)
        alarm(handle)
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        with pytest.raises(TimeLimit):
            writer.write(b"not written\n")
        done.set()
        other.join()
        writer.write(b"written\n")
        other = threading.Thread(target=writer.write, args=(b"as well\n",))
        other.start()
        other.join(60)
    assert (tmp_path / "lines").read_text() == "written\nas well\n"
