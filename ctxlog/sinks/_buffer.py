"""
Lines on their way to a thread, in a buffer that is bounded by bytes.

Everything here is of the operating system's threads, in a process of greenlets, too: a
greenlet that computes would keep lines waiting, and one that waits for a pipe would
stop all others. No step waits for a lock that is held longer than another step takes,
and each step leaves the buffer whole for a signal handler or a finalizer that logs in
the middle of it: that is why the lock is one that its thread may take again.
"""

from __future__ import annotations

import os
import sys
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import Context, ContextVar
from typing import Any

from ctxlog._native import AutoResetEvent, original, start_thread
from ctxlog.errors import ConfigError
from ctxlog.sinks._sink import Stats

#: What a line takes in memory beside its bytes: the object, its place in the buffer.
_OVERHEAD = sys.getsizeof(b"") + 8

_NEVER = sys.maxsize

_handing_on: ContextVar[bool] = ContextVar("ctxlog_handing_on", default=False)


@contextmanager
def handing_on() -> Iterator[None]:
    """Inside the block, no buffer takes lines: what is logged there is about them."""
    token = _handing_on.set(True)
    try:
        yield
    finally:
        _handing_on.reset(token)


def seconds_to_wait(on_full: str, wait: float) -> float:
    """
    Return how many seconds a call waits for room in a full buffer.

    Args:
        on_full: `drop` the line at once, or `wait` before.
        wait: How many seconds `wait` waits.

    Raises:
        ConfigError: if an option is invalid.
    """
    if on_full not in ("drop", "wait"):
        raise ConfigError("on_full", on_full, "drop or wait")
    if isinstance(wait, bool) or not isinstance(wait, (int, float)) or wait < 0:
        raise ConfigError("wait", wait, "a number of seconds")
    return float(wait) if on_full == "wait" else 0.0


class Buffer:
    """
    Takes lines from any thread, and hands them to one of its own.

    The thread starts with the first line, and again after `close()` and after a fork,
    where the buffer is empty: what the parent holds is the parent's. It carries no
    context. No call waits for the thread, but for room if it was told to.

    Args:
        work: What the thread does: hand on what `Feed.take()` returns, until that is
            None. It is called anew for each thread.
        max_bytes: The most memory that lines take.
        wait: The most seconds that a call waits for room. Once one has waited in vain,
            no further call waits until lines have left.
    """

    def __init__(
        self, work: Callable[[Feed], None], max_bytes: int, wait: float = 0.0
    ) -> None:
        self._work = work
        self._max_bytes = max_bytes
        self._wait = wait
        self._state = _State()
        _buffers.add(self)

    def put(self, line: bytes) -> bool:
        """
        Take a line; return False if it was dropped for want of room.

        What is logged where lines are handed on is neither taken nor counted: the lines
        of a store's own client would never come to an end.
        """
        if _handing_on.get():
            return True
        state = self._state
        if not state.add(line, self._max_bytes):
            if state.stuck or not self._wait or not self._waited(state, line):
                state.drop()
                return False
        feed = state.feed
        if feed is None:
            self._start(state)
        elif state.size >= feed.wanted:
            feed.wake()
        return True

    def add(self, line: bytes) -> bool:
        """Take a line if there is room, and a thread for it; return whether."""
        state = self._state
        with state.lock:
            feed = state.feed
            if feed is None or not state.add(line, self._max_bytes):
                return False
        feed.wake()
        return True

    def _waited(self, state: _State, line: bytes) -> bool:
        """Return whether there was room for a line in time, which is taken then."""
        end = time.monotonic() + self._wait
        if state.wait_until(lambda: state.add(line, self._max_bytes), end):
            return True
        state.stuck = True
        return False

    def _start(self, state: _State) -> Feed | None:
        """Start the thread, unless that is not possible (any more)."""
        feed = Feed(state)
        try:
            # The first one starts it; it is not started by a second thread meanwhile,
            # nor by a signal handler in between.
            if state.claim(feed):
                start_thread(_run, self._work, feed)
            return state.feed
        except BaseException as error:
            # A thread that was started all the same finds that it has nothing.
            state.part_with(feed)
            if type(error) is not RuntimeError:  # a signal handler's
                raise
            return None

    def flush(self, timeout: float) -> int:
        """Wait until what was put has left; return how many of it are still held."""
        state, end = self._state, time.monotonic() + timeout
        with state.lock:
            goal = state.left + state.held
            state.hurried = max(goal, state.hurried)
        if state.held:
            feed = state.feed or self._start(state)
            if feed is not None:
                feed.wake()
                state.wait_until(lambda: state.left >= goal, end)
        return max(goal - state.left, 0)

    def close(self, timeout: float) -> int:
        """
        Wait as `flush()` does, then end the thread and drop what is still held.

        Returns:
            The number of lines that were given up.
        """
        state, end = self._state, time.monotonic() + timeout
        feed = state.feed
        if feed is None and state.held:
            feed = self._start(state) or self._work_here(state, end)
        if feed is None:
            return 0
        feed.deadline = end
        feed.wake()
        if feed.ended.acquire(timeout=max(end - time.monotonic(), 0.0)):
            feed.ended.release()  # for another one that closes
        # Else it is in the middle of something, and finds its lines taken away.
        return state.give_up(feed)

    def _work_here(self, state: _State, end: float) -> Feed | None:
        """Do the thread's work in this one: the interpreter starts no more."""
        feed = Feed(state)
        feed.deadline = end
        if not state.claim(feed):
            return state.feed
        Context().run(_run, self._work, feed)
        return feed

    @property
    def held(self) -> int:
        """How many lines are in it."""
        return self._state.held

    def stats(self) -> Stats:
        """Return what became of the lines."""
        return self._state.stats()

    def losses(self) -> tuple[int, int]:
        """
        Return how many lines there was no room for, and how many were rejected.

        Each is returned once: those since the last call, of whichever thread.
        """
        return self._state.losses()

    def renew(self) -> None:
        """In a forked child: begin with nothing, whatever the parent was doing."""
        self._state = _State()


class _State:
    """
    What is in a buffer, and what became of the rest.

    Attributes:
        lock: Held while this is changed, for microseconds.
        feed: What the thread has; None without a thread.
        lines: Not taken by the thread yet.
        taken: Taken by the thread, in the same order.
        size: The memory of both, in bytes.
        left: How many lines have left, for whatever reason.
        hurried: The thread does not wait for more lines before so many have left.
        stuck: Whether a call has waited for room in vain since lines have left.
        waiters: Locks to release as soon as lines have left.
        new_dropped: Those of `dropped` for want of room that nobody has asked for yet.
        new_rejected: The same of `rejected`.
    """

    def __init__(self) -> None:
        self.lock = original("RLock")()
        self.feed: Feed | None = None
        self.lines: deque[bytes] = deque()
        self.taken: deque[bytes] = deque()
        self.size = 0
        self.left = self.hurried = 0
        self.stuck = False
        self.waiters: deque[Any] = deque()
        self.shipped = self.dropped = self.rejected = self.retried = 0
        self.new_dropped = self.new_rejected = 0

    def add(self, line: bytes, max_bytes: int) -> bool:
        """Append a line if there is room."""
        size = len(line) + _OVERHEAD
        with self.lock:
            # Python looks for signals and garbage after calls only: the two changes
            # are one.
            if self.size + size > max_bytes:
                return False
            self.size += size
            self.lines.append(line)
        return True

    def drop(self) -> None:
        """Count a line that there was no room for."""
        with self.lock:
            self.dropped += 1
            self.new_dropped += 1

    def losses(self) -> tuple[int, int]:
        """Return the losses that are new, and take note that they were asked for."""
        with self.lock:
            found = self.new_dropped, self.new_rejected
            self.new_dropped = self.new_rejected = 0
            return found

    @property
    def held(self) -> int:
        """How many lines are in the buffer."""
        return len(self.lines) + len(self.taken)

    def wait_until(self, reached: Callable[[], bool], end: float) -> bool:
        """Ask again whenever lines have left; return whether it was reached in time."""
        while True:
            waiter = original("allocate_lock")()
            waiter.acquire()
            self.waiters.append(waiter)
            try:
                if reached():
                    return True
                timeout = end - time.monotonic()
                if timeout <= 0 or not waiter.acquire(timeout=timeout):
                    return reached()
            finally:
                with suppress(ValueError):  # as it is released
                    self.waiters.remove(waiter)

    def leave(self, count: int) -> None:
        """Count lines as left that have been removed; called with the lock."""
        self.left += count
        self.stuck = False
        while self.waiters:
            self.waiters.popleft().release()

    def claim(self, feed: Feed) -> bool:
        """Make this the side of the thread, unless there is one."""
        with self.lock:
            if self.feed is None:
                self.feed = feed
        return self.feed is feed

    def part_with(self, feed: Feed) -> None:
        """Take back what a thread has that ends before its time."""
        with self.lock:
            if self.feed is feed:
                self.lines.extendleft(reversed(self.taken))
                self.taken.clear()
                self.feed = None

    def give_up(self, feed: Feed) -> int:
        """Drop all lines and leave the thread without any; return their number."""
        with self.lock:
            if self.feed is not feed:  # it has come to its end by itself
                return 0
            self.feed = None
            count = self.held
            self.lines.clear()
            self.taken.clear()
            self.size = 0
            self.dropped += count
            self.leave(count)
            return count

    def stats(self) -> Stats:
        """Return the counters."""
        with self.lock:
            return Stats(
                written=self.shipped + self.held + self.dropped + self.rejected,
                shipped=self.shipped,
                held=self.held,
                dropped=self.dropped,
                rejected=self.rejected,
                retried=self.retried,
            )


class Feed:
    """
    The thread's side of a buffer.

    Once the buffer was closed, a thread that comes too late finds no lines any more,
    and what it says about those that it had is not counted.

    Attributes:
        deadline: When to be done, by `time.monotonic()`; None as long as lines come.
        wanted: The size of the buffer at which a call wakes the thread.
        ended: Locked until the thread has ended.
    """

    def __init__(self, state: _State) -> None:
        self._state = state
        self._wake = AutoResetEvent()
        self.deadline: float | None = None
        self.wanted = _NEVER
        self.ended = original("allocate_lock")()
        self.ended.acquire()

    def wake(self) -> None:
        """Let the thread look; also from a signal handler that has interrupted this."""
        self.wanted = _NEVER
        self._wake.set()

    def take(self, max_lines: int, max_bytes: int, linger: float) -> list[bytes] | None:
        """
        Wait for lines, and take them; those taken before have been settled.

        Args:
            max_lines: The most lines to take.
            max_bytes: The most bytes to take, but for a single line.
            linger: How many seconds to wait for further lines after the first one.

        Returns:
            The lines; None if there will be none: the buffer is closed.
        """
        state, until = self._state, None
        while True:
            with state.lock:
                if state.feed is not self:
                    return None
                timeout, self.wanted = None, 1
                if state.lines:
                    now = time.monotonic()
                    until = now + linger if until is None else until
                    timeout, self.wanted = until - now, max_bytes
                    if (
                        timeout <= 0
                        or state.size >= max_bytes
                        or len(state.lines) >= max_lines
                        or state.left < state.hurried
                        or self.deadline is not None
                    ):
                        self.wanted = _NEVER
                        return self._taken(max_lines, max_bytes)
                elif self.deadline is not None:
                    state.feed = None
                    return None
            self._wake.wait(timeout)

    def _taken(self, max_lines: int, max_bytes: int) -> list[bytes]:
        lines, taken = self._state.lines, self._state.taken
        size = 0
        while lines and len(taken) < max_lines:
            size += len(lines[0])
            if taken and size > max_bytes:
                break
            taken.append(lines.popleft())
        return list(taken)

    def settle(self, *, shipped: int = 0, rejected: int = 0) -> None:
        """Count the first of the lines that were taken as shipped, or as rejected."""
        state, size = self._state, 0
        with state.lock:
            if state.feed is not self:
                return
            count = shipped + rejected
            for _ in range(count):
                size += len(state.taken.popleft()) + _OVERHEAD
            state.size -= size
            state.shipped += shipped
            state.rejected += rejected
            state.new_rejected += rejected
            state.leave(count)

    def retry(self, count: int) -> None:
        """Count lines as sent again."""
        with self._state.lock:
            self._state.retried += count

    def pause(self, seconds: float, firm: bool = False) -> None:
        """
        Wait, but not over the deadline; less if the buffer is flushed or closed.

        Args:
            seconds: How long.
            firm: Wait on while it is flushed.
        """
        ending = self.deadline is not None
        end = time.monotonic() + self.within(seconds)
        while (left := end - time.monotonic()) > 0:
            woken = self._wake.wait(left)
            if woken and (not firm or ending is (self.deadline is None)):
                return

    def within(self, seconds: float) -> float:
        """Return so many seconds, or less if the deadline comes before."""
        if self.deadline is None:
            return seconds
        return min(seconds, max(self.deadline - time.monotonic(), 0.0))

    def end(self) -> None:
        """Take note that the thread ends."""
        if self.deadline is None:  # something has gone wrong
            self._state.part_with(self)
        self.ended.release()


def _run(work: Callable[[Feed], None], feed: Feed) -> None:
    try:
        work(feed)
    finally:
        feed.end()


def apart(fn: Callable[[], object], timeout: float) -> bool:
    """
    Call `fn` in a thread, and wait so many seconds for its end.

    Returns:
        Whether the thread could be started: the interpreter may be at its end.
    """
    done = original("allocate_lock")()
    done.acquire()

    def call() -> None:
        try:
            fn()
        finally:
            done.release()

    try:
        start_thread(call)
    except RuntimeError:
        return False
    done.acquire(timeout=timeout)
    return True


_buffers: weakref.WeakSet[Buffer] = weakref.WeakSet()


def _renew_buffers() -> None:
    for buffer in list(_buffers):
        buffer.renew()


if hasattr(os, "register_at_fork"):  # pragma: no branch (all but Windows)
    os.register_at_fork(after_in_child=_renew_buffers)
