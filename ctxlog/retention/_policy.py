"""
What the process does with the lines of its requests, as it was configured.
"""

from __future__ import annotations

import functools
import math
import threading
import time
import weakref
from typing import Protocol

from ctxlog._native import AutoResetEvent, start_thread
from ctxlog.retention._pool import Pool
from ctxlog.retention.options import Buffer, Sampling

#: A level above all others.
NEVER = math.inf

# What a process may hold that has no buffer: of requests that wait to be sampled.
_TOTAL_BYTES = 67_108_864


class HoldingLines(Protocol):
    """
    The lines of a store, some of which wait.

    Attributes:
        began: When the store was made, on the clock of `time.monotonic()`.
    """

    began: float

    def keep(self) -> None:
        """Write the usual lines that wait, and all others."""

    def renew(self) -> None:
        """In a forked child: what waits is the parent's to write."""


#: All of this process, since stores outlive a configuration.
policies: weakref.WeakSet[Policy] = weakref.WeakSet()


class Policy:
    """
    What becomes of the lines of requests.

    Args:
        buffer: Which lines wait that are below the level; None for none.
        sampling: Which requests are written; None for all.

    Attributes:
        pool: The memory for lines that wait.
        least: The lowest level of lines that wait though they are below the level.
        holding: The stores that hold lines, the first one first.
        lock: Held where it is decided whether a request is one of the share.
        stopped: Whether another policy has taken over: no line waits any more to be
            sampled.
    """

    def __init__(
        self, buffer: Buffer | None = None, sampling: Sampling | None = None
    ) -> None:
        self.buffer = buffer
        self.sampling = sampling
        self.least: float = NEVER if buffer is None else buffer.least
        self.pool = Pool(_TOTAL_BYTES if buffer is None else buffer.total_bytes)
        # Held for a few assignments, never while anything is called.
        self.lock = threading.RLock()
        self.stopped = False
        # A dict, since adding to one and removing from it are atomic.
        self.holding: dict[int, weakref.ref[HoldingLines]] = {}
        self._wake = AutoResetEvent()
        self._watching = False
        policies.add(self)

    def note(self, lines: HoldingLines) -> None:
        """Take note of a store that begins to hold lines."""
        key, holding = id(lines), self.holding
        # Without any code of Python's, as in `Pool`: `pop()` with the dead reference
        # as what it returns if the key is gone, too.
        holding[key] = weakref.ref(lines, functools.partial(holding.pop, key))
        if self.sampling is not None and not (self._watching or self.stopped):
            self._watch()

    def forget(self, lines: HoldingLines) -> None:
        """Take note of a store that holds no lines any more."""
        self.holding.pop(id(lines), None)

    def give_up(self) -> None:
        """Write what waits for the end of its request: the process ends before it."""
        for lines in self._stores():
            lines.keep()

    def renew(self) -> None:
        """In a forked child: what waits is its parent's."""
        stores = self._stores()
        self.lock = threading.RLock()
        self.holding = {}
        self.pool = self.pool.renewed()
        self._wake = AutoResetEvent()
        self._watching = False
        for lines in stores:
            lines.renew()

    def stop(self) -> None:
        """Write what waits to be sampled, and watch no longer."""
        self.stopped = True
        self._wake.set()
        self.give_up()

    def _stores(self) -> list[HoldingLines]:
        found = [one() for one in list(self.holding.values())]
        return [one for one in found if one is not None]

    def _watch(self) -> None:
        """Look after requests that last, such as streams that log nothing more."""
        self._watching = True
        try:
            start_thread(self._keep_lasting)
        except RuntimeError:  # no threads here, or no longer: the next line looks
            self._watching = False

    def _keep_lasting(self) -> None:
        assert self.sampling is not None
        longest, wake = self.sampling.max_wait, self._wake
        pause = longest
        while not wake.wait(max(pause, _SHORTEST)):
            now, pause = time.monotonic(), longest
            for lines in self._stores():
                waited = now - lines.began
                if waited >= longest:
                    lines.keep()
                else:
                    pause = min(pause, longest - waited)


# The watch looks no more often, in seconds.
_SHORTEST = 0.05
