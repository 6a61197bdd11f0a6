"""
The sending of lines to a store: in batches, in order, and again if it fails.

`Ship` sends what a process logs with it, `ctxlog ship` what files and pipes bring.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Protocol

from ctxlog._interrupts import is_interrupt
from ctxlog.aggregators import (
    DeniedError,
    Receiver,
    RefusedError,
    UnavailableError,
    UnreachableError,
)
from ctxlog.sinks._buffer import handing_on

#: The seconds to wait after a failure, the first time and at most.
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0

#: The most seconds that one request takes, if the address says no less.
_TIMEOUT = 30.0


class Source(Protocol):
    """Where the lines come from. One thread uses it."""

    @property
    def deadline(self) -> float | None:
        """When to be done, by `time.monotonic()`; None as long as lines come."""

    def take(
        self, max_lines: int, max_bytes: int, linger: float
    ) -> Sequence[bytes] | None:
        """
        Wait for lines, and return them; those returned before have been settled.

        Args:
            max_lines: The most lines to return.
            max_bytes: The most bytes to return, but for a single line.
            linger: How many seconds to wait for further lines after the first one.

        Returns:
            The lines, each with its newline; none, to be asked again. None if there
            will be no more.
        """

    def settle(self, *, shipped: int = 0, rejected: int = 0) -> None:
        """Take note of what became of the first of the lines that are not settled."""

    def retry(self, count: int) -> None:
        """Take note that so many lines will be sent again."""

    def pause(self, seconds: float, firm: bool = False) -> None:
        """
        Wait, but not over the deadline.

        Args:
            seconds: How long.
            firm: The store asks for it: wait also if somebody is in a hurry.
        """

    def within(self, seconds: float) -> float:
        """Return so many seconds, or those until the deadline if they are less."""
        ...


class Observer(Protocol):
    """What is told how the sending goes."""

    def failed(self, error: UnavailableError, since: float) -> None:
        """
        Note that the store did not take lines, which will be sent again.

        Args:
            error: Why not; a `DeniedError` needs an operator. It has no credentials.
            since: How many seconds it has taken none.
        """

    def rejected(self, line: bytes, reason: str) -> None:
        """Note that the store will never take a line."""

    def settled(self, since: float) -> None:
        """
        Note that all lines of a batch are settled: shipped or rejected.

        Args:
            since: How many seconds the store had taken none before; 0 unless it failed.
        """


class Shipping:
    """
    Sends the lines of a source to a store until there are no more.

    Lines arrive in order and at least once: a batch whose answer is lost is sent again.
    While the store is busy or away, the pauses become longer, with jitter, and are at
    least what it asks for. A batch that is refused is halved until the lines are found
    that the store will not take; these are rejected, and the others arrive.

    Args:
        receiver: The store.
        source: Where the lines come from.
        observer: What is told how the sending goes.
        linger: How many seconds to wait for a batch to become full.
    """

    def __init__(
        self,
        receiver: Receiver,
        source: Source,
        observer: Observer,
        linger: float = 0.2,
    ) -> None:
        self._receiver = receiver
        self._source = source
        self._observer = observer
        self._linger = linger
        self._failures = 0
        self._failing_since = self._away = 0.0
        # Of its own: the application may rely on the numbers of a seed.
        self._random = random.Random()

    def run(self) -> bool:
        """Send until there are no more lines; return False if it gave up before."""
        receiver = self._receiver
        limits = receiver.max_lines, receiver.max_bytes, self._linger
        try:
            while (lines := self._source.take(*limits)) is not None:
                if lines and not self._send(lines):
                    return False
            return True
        finally:
            with handing_on():
                receiver.close()

    def _send(self, lines: Sequence[bytes]) -> bool:
        """Send lines until each is settled; return False to give up."""
        batch = _Batch(lines, self._source, self._observer)
        # Places of lines that are sent together, in order.
        groups = deque([list(range(len(lines)))])
        while groups:
            group = groups.popleft()
            timeout = self._source.within(_TIMEOUT)
            if timeout <= 0:
                return False
            try:
                refused = self._attempt([lines[at] for at in group], timeout)
            except UnavailableError as error:
                left = [group[at] for at in error.left or ()]
                if error.left is not None:
                    batch.note(group, error.refused, left)
                    group = left
                if group:
                    groups.appendleft(group)
                    if not self._waited(error, len(group)):
                        return False
            except RefusedError as error:
                self._answered()
                if len(group) > 1:
                    half = len(group) // 2
                    groups.extendleft((group[half:], group[:half]))
                else:
                    batch.note(group, {0: str(error)})
            else:
                self._answered()
                batch.note(group, refused)
        away, self._away = self._away, 0.0
        self._observer.settled(away)
        return True

    def _attempt(self, lines: Sequence[bytes], timeout: float) -> Mapping[int, str]:
        try:
            with handing_on():
                return self._receiver.send(lines, timeout)
        except (UnavailableError, RefusedError):
            raise
        except OSError as error:
            raise UnavailableError(error.strerror or type(error).__name__) from error
        except Exception as error:
            # A receiver that fails at some line would fail at it again. The line is
            # found as one that the store refuses.
            if is_interrupt(error):
                raise
            raise RefusedError(f"{type(error).__name__}: {error}") from error

    def _waited(self, error: UnavailableError, count: int) -> bool:
        """Wait before the next attempt; return False if there will be none."""
        now = time.monotonic()
        if not self._failures:
            self._failing_since = now
        source = self._source
        self._observer.failed(error, now - self._failing_since)
        hopeless = isinstance(error, (DeniedError, UnreachableError))
        if source.deadline is not None and hopeless:
            return False
        pause = min(FIRST_PAUSE * 2 ** (self._failures + 1), LONGEST_PAUSE)
        pause = self._random.uniform(pause / 2, pause)
        self._failures = min(self._failures + 1, 10)
        asked = error.retry_after or 0.0
        until = now + asked
        source.pause(max(pause, asked), firm=asked > pause)
        # The source may be ending meanwhile. An attempt is made at once then, unless
        # the store has asked for more time than there is.
        left = until - time.monotonic()
        if left > 0:
            if source.within(left) < left:
                return False
            source.pause(left, firm=True)
        source.retry(count)
        return True

    def _answered(self) -> None:
        if self._failures:
            since = time.monotonic() - self._failing_since
            self._away = max(self._away, since)
            self._failures = 0


class _Batch:
    """What became of the lines of one batch: settled in order."""

    def __init__(
        self, lines: Sequence[bytes], source: Source, observer: Observer
    ) -> None:
        self._lines, self._source, self._observer = lines, source, observer
        self._taken: list[bool | None] = [None] * len(lines)
        self._settled = 0

    def note(
        self, group: Sequence[int], refused: Mapping[int, str], left: Sequence[int] = ()
    ) -> None:
        """Note what became of those of a group that are not left."""
        open_ = set(left)
        for number, at in enumerate(group):
            if at not in open_:
                self._taken[at] = number not in refused
                if number in refused:
                    self._observer.rejected(self._lines[at], refused[number])
        first = end = self._settled
        while end < len(self._taken) and self._taken[end] is not None:
            end += 1
        self._settled = end
        shipped = sum(map(bool, self._taken[first:end]))
        if end > first:
            self._source.settle(shipped=shipped, rejected=end - first - shipped)
