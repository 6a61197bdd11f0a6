"""
Lines to a store, sent from the process.
"""

from __future__ import annotations

from ctxlog._sizes import size_of
from ctxlog.aggregators import Address, receiver
from ctxlog.sinks._accounts import Accounts
from ctxlog.sinks._buffer import Buffer, Feed, seconds_to_wait
from ctxlog.sinks._sink import Sink, Stats
from ctxlog.sinks.shipping import Shipping


class Ship(Sink):
    """
    Sends lines to a store, in batches, by a thread of its own.

    A log call never waits for the network. Lines arrive in order and at least once;
    while the store is away or busy they are held, in at most *max_bytes* of memory.
    What does not fit, what the store rejects, and what is left when the process ends is
    counted, and said by a line of the logger `ctxlog.sinks` on the other sinks or on
    standard error, and on this one when the store is back. A process that is killed
    loses what is held: `ctxlog ship` beside it loses nothing.

    Args:
        address: The store's address, as `otlp://collector:4318`.
        max_bytes: The most memory that lines take: `64MB`, or a number of bytes.
        on_full: What happens to a line that finds the memory full: `drop` it, or
            `wait` for room before.
        wait: The most seconds that a call waits then. Once one has waited in vain, no
            further call waits until lines have left.

    Raises:
        ConfigError: if an option or the address is invalid.
        MissingDependencyError: if the library that the store needs is not installed.
    """

    def __init__(
        self,
        address: str,
        *,
        max_bytes: int | str = "64MB",
        on_full: str = "drop",
        wait: float = 0.05,
    ) -> None:
        size = size_of("max_bytes", max_bytes)
        self._address = Address.parse(address)
        self.name = receiver(self._address).name
        self._buffer = Buffer(self._send, size, seconds_to_wait(on_full, wait))
        self._accounts = Accounts(self, self._buffer, "no answer in time")

    def write(self, line: bytes) -> None:
        """Take one line. Never waits for the network, nor raises."""
        self._buffer.put(line)

    def flush(self, timeout: float) -> int:
        """Wait until the store has the lines; return the number of those still held."""
        return self._buffer.flush(timeout)

    def close(self, timeout: float) -> int:
        """
        Wait until the store has the lines, and end the thread.

        It is not waited for if nothing listens there.

        Returns:
            The number of lines that were given up.
        """
        count = self._buffer.close(timeout)
        self._accounts.given_up(count)
        return count

    def stats(self) -> Stats:
        """Return what became of the lines."""
        return self._buffer.stats()

    def _send(self, feed: Feed) -> None:
        # A receiver for each thread: one that is stuck may still use its own, and a
        # forked child must not use its parent's connections.
        Shipping(receiver(self._address), feed, self._accounts).run()
