"""
Lines that come too often: which are written, and how many were left out.
"""

from __future__ import annotations

import gc
import itertools
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctxlog import _endings
from ctxlog.context import fields, run
from ctxlog.errors import ConfigError
from ctxlog.retention import _floods
from ctxlog.retention._floods import Floods
from ctxlog.retention.options import RateLimit
from tests.helpers import need, run_python

INFO, ERROR = 20, 40
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")


class Flooded:
    """
    A limit on a clock of its own, and what it says.

    Attributes:
        now: The time.
        floods: The limit.
        said: The summaries.
    """

    def __init__(self, first: int = 100, per_second: int = 10) -> None:
        self.now = 1000.0
        self.said: list[tuple[str, int, str, int]] = []
        limit = RateLimit(first, per_second)
        self.floods = Floods(limit, self.say, clock=lambda: self.now)

    def say(self, logger: str, level: int, template: str, suppressed: int) -> None:
        self.said.append((logger, level, template, suppressed))

    def log(self, count: int, template: str = "paid %s", seconds: float = 0.0) -> int:
        """Log so many lines, spread over some seconds; return how many are written."""
        written = 0
        for number in range(count):
            written += self.floods.admits("shop", INFO, template)
            self.now += seconds / count if number < count - 1 else 0.0
        return written

    def pass_second(self) -> None:
        """Let the rest of the second pass, and one line of another kind be logged."""
        self.now = self.floods._state.second.end
        assert self.floods.admits("clock", INFO, "tick")


@pytest.fixture
def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system starts no thread."""
    monkeypatch.setattr(_floods, "start_thread", no_thread)


def no_thread(*args: object) -> None:
    raise RuntimeError("can't start new thread")


@pytest.fixture
def flooded(no_threads: None) -> Iterator[Flooded]:
    flooded = Flooded()
    yield flooded
    flooded.floods.close()


# Which lines are written ----------------------------------------------------------


def test_the_first_lines_then_some(flooded: Flooded) -> None:
    """100 at once, 10 more in the seconds after that, and a summary of each second."""
    assert flooded.log(1_000) == 100
    assert flooded.said == []
    flooded.pass_second()
    assert flooded.said == [("shop", INFO, "paid %s", 900)]
    assert flooded.log(5_000, seconds=0.999) == 10
    flooded.pass_second()
    assert flooded.log(20, seconds=0.999) == 10
    flooded.pass_second()
    assert flooded.said[1:] == [
        ("shop", INFO, "paid %s", 4_990),
        ("shop", INFO, "paid %s", 10),
    ]


def test_lines_beyond_the_first_are_spread(flooded: Flooded) -> None:
    """Each tenth of a second has one of them, in the first second, too."""
    times = []
    for _ in range(2_000):
        if flooded.log(1):
            times.append(round(flooded.now - 1000.0, 2))
        flooded.now += 0.001
    assert times[99] == 0.1
    assert times[100:] == [
        *(0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
        *(1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9),
    ]


def test_a_second_without_a_flood_ends_it(flooded: Flooded) -> None:
    """Not one without any line: as many as would be written anyway."""
    assert flooded.log(101) == 100
    flooded.pass_second()
    assert flooded.log(101) == 1
    flooded.pass_second()
    assert flooded.log(100) == 1
    flooded.pass_second()
    assert flooded.log(100) == 100
    assert flooded.log(1) == 0
    flooded.now += 5.0
    assert flooded.log(101) == 100


def test_lines_of_other_kinds_are_not_left_out(flooded: Flooded) -> None:
    """A kind is a logger, a level and a template."""
    flooded.log(1_000)
    admits = flooded.floods.admits
    assert not admits("shop", INFO, "paid %s")
    assert admits("shop", ERROR, "paid %s")
    assert admits("shop.users", INFO, "paid %s")
    assert admits("shop", INFO, "paid %d")


def test_nothing_more_per_second(no_threads: None) -> None:
    """With 0, only the first ones are written, and a flood shows by its summaries."""
    flooded = Flooded(first=3, per_second=0)
    for _ in range(4):
        flooded.log(10, seconds=0.5)
        flooded.pass_second()
    assert [suppressed for *_, suppressed in flooded.said] == [7, 10, 10, 10]
    flooded.floods.close()


@pytest.mark.parametrize(
    "options",
    [{"first": 0}, {"first": 1.5}, {"first": True}, {"per_second": -1}],
)
def test_invalid_options(options: dict[str, Any]) -> None:
    """Numbers of lines, of which at least one is written."""
    with pytest.raises(ConfigError, match=f"{next(iter(options))}.*a number of lines"):
        RateLimit(**options)


@given(
    first=st.integers(1, 5),
    per_second=st.integers(0, 4),
    steps=st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "c"]),
            st.sampled_from([0.0, 0.0, 0.01, 0.1, 0.3, 1.0, 2.5]),
        ),
        max_size=200,
    ),
)
@settings(deadline=None)
def test_every_line_is_written_or_counted(
    first: int, per_second: int, steps: list[tuple[str, float]]
) -> None:
    """No more than allowed in any second, and the rest is in the summaries."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_floods, "start_thread", no_thread)
        flooded = Flooded(first, per_second)
        logged: Counter[str] = Counter()
        admitted: Counter[str] = Counter()
        in_second: Counter[tuple[str, float]] = Counter()
        for template, pause in steps:
            logged[template] += 1
            if flooded.log(1, template):
                admitted[template] += 1
                in_second[template, flooded.floods._state.second.end] += 1
            flooded.now += pause
        flooded.floods.close()
    assert all(count <= first + per_second for count in in_second.values())
    suppressed: Counter[str] = Counter()
    for logger, level, template, count in flooded.said:
        assert (logger, level) == ("shop", INFO)
        assert count > 0
        suppressed[template] += count
    assert admitted + suppressed == logged


# Bounds ---------------------------------------------------------------------------


def test_templates_that_are_all_different(flooded: Flooded) -> None:
    """They are written and take bounded memory; what was counted before still is."""
    flooded.log(150)
    for number in range(10_000):
        assert flooded.log(1, f"paid {number}")
    assert len(flooded.floods._state.second.kinds) == 4096
    assert flooded.log(50) == 0
    assert flooded.log(1_000, "another") == 1_000
    flooded.pass_second()
    assert flooded.said == [("shop", INFO, "paid %s", 100)]
    assert len(flooded.floods._state.second.kinds) == 2  # the flood goes on


# Who says it, and when ------------------------------------------------------------


def until(reached: Any) -> None:
    """Wait for a condition."""
    end = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_thread_says_it_if_no_further_line_comes() -> None:
    """It has no context, and ends after a second without a flood."""
    found: list[object] = []

    def say(*summary: object) -> None:
        found.append((*summary, threading.get_ident() != main, fields()))

    main = threading.get_ident()
    floods = Floods(RateLimit(1, 0), say)
    state = floods._state
    assert run({"requestID": "req-A"}, floods.admits, "shop", INFO, "paid")
    assert state.watcher is None
    assert not run({"requestID": "req-A"}, floods.admits, "shop", INFO, "paid")
    until(lambda: found)
    assert found == [("shop", INFO, "paid", 1, True, {})]
    until(lambda: state.watcher is None)
    # And another one with the next flood.
    while floods.admits("shop", INFO, "paid"):
        pass
    until(lambda: len(found) == 2)
    floods.close()


def test_closing_says_what_is_pending_and_admits_all() -> None:
    """The thread ends at once; a second `close()` says nothing more."""
    flooded = Flooded()
    state = flooded.floods._state
    flooded.log(300)
    assert state.watcher is not None
    flooded.floods.close()
    assert flooded.said == [("shop", INFO, "paid %s", 200)]
    until(lambda: state.watcher is None)
    assert flooded.log(300) == 300
    flooded.floods.close()
    assert len(flooded.said) == 1
    _endings.end()


def test_an_ending_says_what_is_pending(flooded: Flooded) -> None:
    """The process may go on: nothing is said twice, and limits hold."""
    flooded.log(300)
    _endings.end()
    assert flooded.said == [("shop", INFO, "paid %s", 200)]
    _endings.pause()
    assert flooded.log(5) == 0
    flooded.pass_second()
    assert flooded.said[1:] == [("shop", INFO, "paid %s", 5)]


def test_a_summary_that_logs_is_no_flood_of_its_own(flooded: Flooded) -> None:
    """Whatever is logged while one is said is counted as any other line."""

    def say(*summary: Any) -> None:
        flooded.said.append(summary)
        flooded.floods.admits(*summary[:3])

    flooded.floods._say = say
    flooded.log(102)
    flooded.pass_second()
    flooded.floods.close()
    assert [suppressed for *_, suppressed in flooded.said] == [2]


# Threads, signals, forks ------------------------------------------------------------


def test_threads_lose_no_line() -> None:
    """With seconds that end all the time, every line is written or counted."""
    ticks = itertools.count(1)
    counts: Counter[str] = Counter()

    def say(logger: str, level: int, template: str, suppressed: int) -> None:
        with lock:
            counts["suppressed"] += suppressed

    def log() -> None:
        written = sum(floods.admits("shop", INFO, "paid") for _ in range(20_000))
        with lock:
            counts["written"] += written

    lock = threading.Lock()
    floods = Floods(RateLimit(3, 2), say, clock=lambda: next(ticks) / 50)
    threads = [threading.Thread(target=log) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    floods.close()
    assert counts["written"] + counts["suppressed"] == 80_000
    assert counts["suppressed"] > 0


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers")
def test_a_signal_handler_that_logs() -> None:
    """In the middle of a log call of the same kind: both lines are counted."""
    ticks = itertools.count(1)
    counts: Counter[str] = Counter()

    def say(logger: str, level: int, template: str, suppressed: int) -> None:
        counts["suppressed"] += suppressed

    def log(admitted: list[bool]) -> None:
        admitted.append(floods.admits("shop", INFO, "paid"))

    floods = Floods(RateLimit(2, 1), say, clock=lambda: next(ticks) / 10)
    outer: list[bool] = []
    inner: list[bool] = []
    before = signal.signal(signal.SIGALRM, lambda *_: log(inner))
    timer = signal.getitimer(signal.ITIMER_REAL)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0001)
        while len(inner) < 300:
            log(outer)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *timer)
    floods.close()
    assert sum(outer + inner) + counts["suppressed"] == len(outer + inner)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers")
def test_a_signal_handler_that_raises() -> None:
    """A time limit in the middle of a log call leaves no lock held."""

    class TimeLimit(Exception):
        pass

    def limit(*_: object) -> None:
        raise TimeLimit

    ticks = itertools.count(1)
    floods = Floods(
        RateLimit(2, 1), lambda *summary: None, clock=lambda: next(ticks) / 10
    )
    before = signal.signal(signal.SIGALRM, limit)
    timer = signal.getitimer(signal.ITIMER_REAL)
    # An exception in a callback of the garbage collector, which Hypothesis has, goes
    # nowhere.
    gc.disable()
    try:
        for _ in range(300):
            with suppress(TimeLimit):
                signal.setitimer(signal.ITIMER_REAL, 0.0005)
                while True:
                    floods.admits("shop", INFO, "paid")
    finally:
        signal.setitimer(signal.ITIMER_REAL, *timer)
        signal.signal(signal.SIGALRM, before)
        gc.enable()
    state = floods._state
    with ThreadPoolExecutor(1) as pool:
        for lock in (state.saying, state.lock):
            assert pool.submit(lock.acquire, timeout=60).result()
            pool.submit(lock.release).result()
    floods.close()


_FLOODED = """
import sys, time
from ctxlog.retention._floods import Floods
from ctxlog.retention.options import RateLimit

def say(*summary):
    print(*summary, flush=True)

def log(count):
    return sum(floods.admits("shop", 20, "paid") for _ in range(count))

floods = Floods(RateLimit(), say)
"""


@needs_fork
def test_a_forked_child_starts_anew(tmp_path: Path) -> None:
    """Its parent says what is pending, whatever its threads hold at the fork."""
    source = (
        _FLOODED
        + """
import os, threading

def hold():
    with floods._state.lock, floods._state.saying:
        entered.set()
        may.wait(60)

log(300)
entered, may = threading.Event(), threading.Event()
holder = threading.Thread(target=hold)
holder.start()
entered.wait(60)
child = os.fork()
if not child:
    print("child", log(500), flush=True)
    floods.close()
    os._exit(0)
print("status", os.waitpid(child, 0)[1], flush=True)
may.set()
holder.join()
"""
    )
    assert run_python("-c", source, cwd=tmp_path).stdout.splitlines() == [
        "child 100",
        "shop 20 paid 400",
        "status 0",
        "shop 20 paid 200",
    ]


def test_a_process_that_ends_says_it(tmp_path: Path) -> None:
    """Also of what is logged by functions of `atexit` that are called afterwards."""
    source = (
        """
import atexit
atexit.register(lambda: print([log(300) for _ in range(2)]))
"""
        + _FLOODED
        + """
log(1_000)
"""
    )
    said = run_python("-c", source, cwd=tmp_path).stdout.splitlines()
    assert said == ["shop 20 paid 900", "[300, 300]"]


@needs_fork
def test_a_process_of_multiprocessing_says_it(tmp_path: Path) -> None:
    """Such a process ends by `os._exit`."""
    source = (
        _FLOODED
        + """
import multiprocessing

child = multiprocessing.get_context("fork").Process(target=log, args=(1_000,))
child.start()
child.join()
"""
    )
    assert run_python("-c", source, cwd=tmp_path).stdout == "shop 20 paid 900\n"


def test_greenlets_go_on(tmp_path: Path) -> None:
    """In a process that gevent has patched the summary waits for no greenlet."""
    need("gevent")
    source = (
        "import gevent.monkey; gevent.monkey.patch_all()"
        + _FLOODED
        + """
import gevent

said = []
floods._say = lambda *summary: said.append(summary)

def log():
    for _ in range(100):
        floods.admits("shop", 20, "paid")
        gevent.sleep(0)

gevent.joinall([gevent.spawn(log) for _ in range(10)])
end = time.monotonic() + 60
while not said and time.monotonic() < end:
    pass  # no greenlet runs meanwhile
floods.close()
print(sum(count for *_, count in said) >= 800)
"""
    )
    assert run_python("-c", source, cwd=tmp_path).stdout == "True\n"
