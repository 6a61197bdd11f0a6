"""
Lines that come too often: which are written, and how many were left out.

Whether a line is written is asked in each log call, so most calls take no lock: the
lines of a kind are counted by `itertools.count`, one step of which is whole for other
threads, a signal handler and a finalizer. Only lines beyond the first ones of their
kind take the lock, which their thread may take again. Python looks for signals and
garbage after calls: statements without a call between them are one step.
"""

from __future__ import annotations

import atexit
import itertools
import math
import os
import time
import weakref
from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import Any

from ctxlog import _endings
from ctxlog._native import AutoResetEvent, original, start_thread
from ctxlog.retention.options import RateLimit

#: Called with the logger, the level and the template of lines that were left out, and
#: their number. Does not raise.
Say = Callable[[str, int, str, int], object]

#: The most kinds that are counted in a second. More of them are f-strings, each of them
#: another kind: all of these are written, as any other kind that begins in that second.
_MOST = 4096

#: How many seconds an ending waits for the thread that is in the middle of a summary.
_PATIENCE = 2.0


class Floods:
    """
    Limits how many lines of one kind are written in a second; see `RateLimit`.

    A summary is said by a thread when its second is over, even if no further line
    comes. The thread has no context, starts with the first line that is left out, and
    ends after a second without such a line. If none can be started, the next line of
    any kind says it. What is pending when the process ends is said before held lines
    are shipped. A forked child starts anew.

    Args:
        limit: The limit.
        say: Writes a summary.
        clock: Returns seconds that only grow.
    """

    def __init__(
        self, limit: RateLimit, say: Say, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._first: float = limit.first
        self._per_second = limit.per_second
        self._step = 1 / limit.per_second if limit.per_second else math.inf
        self._say = say
        self._clock = clock
        self._state = _State()
        _all.add(self)
        _endings.before_end(self.say_pending)
        atexit.register(self.close)

    def admits(self, logger: str, level: int, template: str) -> bool:
        """
        Return whether a line is to be written, and count it.

        Args:
            logger: The name of its logger.
            level: The number of its level.
            template: Its message, before its arguments.
        """
        state, now = self._state, self._clock()
        second = state.second
        if now >= second.end:
            second = self._turn(state, now)
            if state.watcher is None:
                self._say_over(state, 0.0)
        # The hash of three values, two of them strings: it is as good as the values,
        # and no memory is taken by the texts of f-strings.
        key = hash((logger, level, template))
        kind = second.kinds.get(key)
        if kind is None:
            if len(second.kinds) >= _MOST:
                return True
            kind = second.kinds.setdefault(key, _Kind(self._first))
        if kind.count() <= kind.first:
            return True
        return self._admits_more(state, second, kind, now, (logger, level, template))

    def say_pending(self) -> None:
        """Say what was left out so far: the process may end. Limits go on."""
        state = self._state
        state.over.append(state.second)
        self._say_over(state, _PATIENCE)

    def close(self) -> None:
        """Say what is pending, and stop: all further lines are admitted."""
        _endings.not_before_end(self.say_pending)
        atexit.unregister(self.close)
        state, self._first = self._state, math.inf
        self._turn(state, math.inf)
        watcher = state.watcher
        if watcher is not None:
            watcher.set()
        self._say_over(state, _PATIENCE)

    def renew(self) -> None:
        """In a forked child: what is pending is the parent's, and so is a lock."""
        self._state = _State()

    def _turn(self, state: _State, now: float) -> _Second:
        """Begin another second if the current one is over; return the current one."""
        with state.lock:
            old = state.second
            if now < old.end:
                return old
            new = _Second(now + 1.0)
            if now < old.end + 1.0:
                new.end = old.end + 1.0
                for key, kind in list(old.kinds.items()):
                    if kind.floods(self._first):
                        new.kinds[key] = _Kind(0, old.end)
            if state.second is old:  # else a signal handler's line was faster
                state.second = new
                if old.pending:
                    state.over.append(old)
            return state.second

    def _admits_more(
        self,
        state: _State,
        second: _Second,
        kind: _Kind,
        now: float,
        names: tuple[str, int, str],
    ) -> bool:
        """Return the same for a line beyond the first ones of its kind."""
        starts = False
        with state.lock:
            # No call from here on, for the sake of signal handlers.
            current = state.second is second
            if current:
                if not kind.beyond and kind.first:
                    kind.due = now + self._step
                kind.beyond += 1
                if now >= kind.due and kind.more < self._per_second:
                    kind.due += self._step
                    kind.more += 1
                    return True
                kind.names = names
                kind.suppressed += 1
                second.pending = True
                starts = state.watcher is None and not second.asked
                second.asked = True
        if not current:  # it has ended just now
            return self.admits(*names)
        if starts:
            self._start_watching(state)
        return False

    # Saying it ----------------------------------------------------------------------

    def _say_over(self, state: _State, patience: float) -> None:
        """Say what was left out in seconds that are over, in one thread at a time."""
        if not state.over:
            return
        try:
            if state.saying.acquire(timeout=patience):
                while state.over:
                    second = state.over[0]
                    self._say_all(state, second)
                    if state.over and state.over[0] is second:
                        state.over.popleft()
        finally:
            # What a signal handler raises leaves `acquire` with the lock or without it.
            # Nothing comes before the release that it could interrupt.
            try:
                state.saying.release()
            except RuntimeError:
                pass

    def _say_all(self, state: _State, second: _Second) -> None:
        for kind in list(second.kinds.values()):
            with state.lock:
                count, kind.suppressed = kind.suppressed, 0
            if count:
                Context().run(self._say, *kind.names, count)

    def _start_watching(self, state: _State) -> None:
        watcher = _Watcher()
        with state.lock:
            if state.watcher is not None:
                return
            state.watcher = watcher
        try:
            start_thread(self._watch, state, watcher)
        except BaseException as error:
            watcher.leave(state)
            if type(error) is not RuntimeError:  # a signal handler's
                raise

    def _watch(self, state: _State, watcher: _Watcher) -> None:
        """Say what was left out in each second, until a second without."""
        try:
            while state.watcher is watcher:
                if not state.over:
                    watcher.wait(min(state.second.end - self._clock(), 1.0))
                self._turn(state, self._clock())
                self._say_over(state, _PATIENCE)
                with state.lock:
                    if not (state.second.pending or state.over):
                        watcher.leave(state)
        finally:
            watcher.leave(state)


class _Kind:
    """
    The lines of one logger, level and template in one second.

    Attributes:
        count: Counts a line, and returns how many there are.
        first: How many of them are written at once.
        beyond: How many others came.
        due: When the next one of the others may be written.
        more: How many of the others were written.
        suppressed: How many of them were left out and have not been said.
        names: Logger, level and template; only of a kind with lines that were left out.
    """

    __slots__ = (*("beyond", "count", "due", "first", "more", "names", "suppressed"),)

    def __init__(self, first: float, due: float = 0.0) -> None:
        self.count = itertools.count(1).__next__
        self.first = first
        self.due = due
        self.more = self.beyond = self.suppressed = 0
        self.names: tuple[str, int, str]

    def floods(self, first: float) -> bool:
        """Return whether more than the first lines of a second came."""
        return self.beyond > (0 if self.first else first)


class _Second:
    """
    One second.

    Attributes:
        end: When it is over.
        kinds: What came in it, by the hash of logger, level and template.
        pending: Whether a line was left out.
        asked: Whether a thread was asked for.
    """

    __slots__ = ("asked", "end", "kinds", "pending")

    def __init__(self, end: float) -> None:
        self.end = end
        self.kinds: dict[int, _Kind] = {}
        self.pending = self.asked = False


class _State:
    """
    What is counted, in this process.

    Attributes:
        lock: Held while it changes, for microseconds.
        second: The current second.
        over: Seconds with summaries to be said.
        saying: Held by the thread that says them.
        watcher: The thread that does; None without one.
    """

    def __init__(self) -> None:
        self.lock: Any = original("RLock")()
        self.second = _Second(-math.inf)
        self.over: deque[_Second] = deque()
        self.saying: Any = original("RLock")()
        self.watcher: _Watcher | None = None


class _Watcher(AutoResetEvent):
    """The thread that says summaries, which waits for the end of a second."""

    __slots__ = ()

    def leave(self, state: _State) -> None:
        """Take note that it ends, or has never begun."""
        with state.lock:
            if state.watcher is self:
                state.watcher = None


_all: weakref.WeakSet[Floods] = weakref.WeakSet()


def _renew() -> None:
    for floods in list(_all):
        floods.renew()


if hasattr(os, "register_at_fork"):  # pragma: no branch (all but Windows)
    os.register_at_fork(after_in_child=_renew)
