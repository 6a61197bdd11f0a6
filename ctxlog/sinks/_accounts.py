"""
What a sink says about its own lines: those that are lost, and why others are late.
"""

from __future__ import annotations

import logging
import os
import time
from collections import deque

from ctxlog.aggregators import DeniedError, UnavailableError
from ctxlog.sinks._buffer import Buffer
from ctxlog.sinks._fan import report
from ctxlog.sinks._sink import Sink

#: Losses that come one after the other are said together, every so many seconds.
_INTERVAL = 10.0

#: A store that fails for so many seconds is said to.
_BRIEF = 1.0


class Accounts:
    """
    Says what becomes of the lines of a sink, on the others and when it is back on it.

    It is the observer of a `Shipping`.

    Its methods are called by the sink's thread, and `given_up` by the one that closes.

    Args:
        sink: The sink.
        buffer: What holds its lines, and knows the losses that have not been said.
        reason: Why lines are not shipped, unless something else is known.
    """

    def __init__(self, sink: Sink, buffer: Buffer, reason: str) -> None:
        self._sink = sink
        self._buffer = buffer
        self._reason = reason
        self._away = self._denied = False
        self._rejection = ""
        # How many lines are rejected that nothing is to be said about.
        self._unsaid = 0
        # When losses were said last.
        self._last = 0.0
        # Lines for the sink itself, and those that it has got.
        self._owed: deque[bytes] = deque(maxlen=100)
        self._own: deque[bytes] = deque(maxlen=100)
        self._process = os.getpid()

    def failed(self, error: UnavailableError, since: float) -> None:
        """Say that the store is away, unless that is brief; at once if it denies."""
        self._reason = str(error)
        denied = isinstance(error, DeniedError)
        if (denied and not self._denied) or (since >= _BRIEF and not self._away):
            self._away = True
            self._denied = denied
            held = self._sink.stats()["held"]
            level = logging.ERROR if denied else logging.WARNING
            self._say(f"lines are held: {error}", {"held": held}, level)
        self.losses()

    def settled(self, since: float) -> None:
        """Say that the store is back, there too, with all that was said meanwhile."""
        if self._away:
            self._away = self._denied = False
            seconds = round(since, 1)
            self._say("lines are taken again", {"seconds": seconds}, logging.INFO)
        self.losses()
        self._forget_parent()
        while self._owed:
            line = self._owed.popleft()
            self._own.append(line)
            if not self._buffer.add(line):
                # The sink was closed meanwhile: once it is used again.
                self._owed.appendleft(line)
                break

    def rejected(self, line: bytes, reason: str) -> None:
        """Take note of a reason; the lines are counted by the sink."""
        if line in self._own:
            # Said already. Saying it again would not come to an end.
            self._unsaid += 1
        else:
            self._rejection = reason

    def losses(self, at_once: bool = False) -> None:
        """Say how many more lines are lost, unless others have been said just now."""
        now = time.monotonic()
        if at_once or now - self._last >= _INTERVAL:
            dropped, rejected = self._buffer.losses()
            unsaid = min(self._unsaid, rejected)
            self._unsaid -= unsaid
            rejected -= unsaid
            if dropped:
                message = f"{_number(dropped)} dropped: there was no room"
                self._say(message, {"dropped": dropped})
            if rejected:
                message = f"{_number(rejected)} rejected: {self._rejection}"
                self._say(message, {"rejected": rejected})
            if dropped or rejected:
                self._last = now

    def given_up(self, count: int) -> None:
        """Say at the end how many lines were not shipped, beside those said before."""
        if count:
            message = f"{_number(count)} not shipped: {self._reason}"
            self._say(message, {"dropped": count})
        self.losses(at_once=True)

    def _say(
        self,
        message: str,
        fields: dict[str, object],
        level: int = logging.WARNING,
    ) -> None:
        message = f"{self._sink.name}: {message}"
        self._forget_parent()
        self._owed.append(report(self._sink, message, fields, level))

    def _forget_parent(self) -> None:
        """In a forked child, forget what the parent owes: it says that itself."""
        if self._process != os.getpid():
            self._process = os.getpid()
            self._owed.clear()


def _number(count: int) -> str:
    return "1 line was" if count == 1 else f"{count} lines were"
