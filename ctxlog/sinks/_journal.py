"""
Lines to the journal of the machine. Private to `sinks/`.
"""

from __future__ import annotations

import errno
import os
import sys
import threading
import weakref

from ctxlog.aggregators.journal import SOCKET, JournalReceiver
from ctxlog.line.writer import LineWriter
from ctxlog.sinks._buffer import Feed, seconds_to_wait
from ctxlog.sinks._fan import report
from ctxlog.sinks._ship import Ship
from ctxlog.sinks._sink import Stats
from ctxlog.sinks._stream import Counter
from ctxlog.sinks.shipping import Shipping

#: There is no journal, or none that this process may use. A journald that is stopped
#: refuses connections instead.
_NO_JOURNAL = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM})


class Journal(Ship):
    """
    Gives lines to systemd's journal, by its native protocol.

    Each line is an entry, with the request, the level and the line's other members as
    fields that the journal has an index of, and the line itself in `CTXLOG_LINE`.

    A line is given to journald by the call that logs it, so that it outlives the
    process. If journald takes none for *wait* seconds, or starts again, a thread holds
    lines in at most *max_bytes* of memory, in order, and no call waits any more until
    they are there; what does not fit is dropped and counted. Where there is no journal,
    lines go to standard error, which is said once, and count as dropped.

    Args:
        identifier: The `SYSLOG_IDENTIFIER` of lines without a service; unless given,
            the program's name.
        max_bytes: The most memory that lines take: `16MB`, or a number of bytes.
        wait: The most seconds that a call waits for a journald that is busy.

    Raises:
        ConfigError: if an option is invalid.
    """

    def __init__(
        self,
        identifier: str | None = None,
        *,
        max_bytes: int | str = "16MB",
        wait: float = 0.02,
    ) -> None:
        super().__init__(f"journal:{identifier or ''}", max_bytes=max_bytes)
        self._identifier, self._wait = identifier or "", seconds_to_wait("wait", wait)
        self._journald = self._receiver()
        self._given, self._elsewhere = Counter(), Counter()
        self._lock = threading.RLock()
        self._said = False
        _journals.add(self)

    def _receiver(self) -> JournalReceiver:
        return JournalReceiver(self._identifier, self.name, SOCKET, self._wait)

    def write(self, line: bytes) -> None:
        """Give one line to journald. Raises nothing but interrupts."""
        # Behind those that are held already.
        if not self._buffer.held:
            try:
                data = self._journald.entry(line)
                if data is not None and self._journald.give(data):
                    self._given.add()
                    return
            except OSError as error:
                if error.errno in _NO_JOURNAL:
                    self._write_elsewhere(line, error)
                    return
        self._buffer.put(line)

    def _write_elsewhere(self, line: bytes, error: OSError) -> None:
        with self._lock:
            said, self._said = self._said, True
            self._elsewhere.add()
        if not said:
            message = f"lines go to standard error: {SOCKET}: {error.strerror}"
            report(self, f"{self.name} {message}")
        LineWriter(sys.stderr).write(line)

    def _send(self, feed: Feed) -> None:
        # It sends what there is: the sooner it is gone, the sooner calls do it.
        Shipping(self._receiver(), feed, self._accounts, linger=0.0).run()

    def close(self, timeout: float) -> int:
        """
        Wait until journald has the lines, and end the thread.

        Returns:
            The number of lines that were given up.
        """
        count = super().close(timeout)
        self._journald.close()
        return count

    def stats(self) -> Stats:
        """Return what became of the lines; those on standard error are dropped."""
        stats = self._buffer.stats()
        given, elsewhere = self._given.total(), self._elsewhere.total()
        stats["written"] += given + elsewhere
        stats["shipped"] += given
        stats["dropped"] += elsewhere
        return stats

    def renew(self) -> None:
        """In a forked child: count from nothing."""
        self._given, self._elsewhere = Counter(), Counter()
        self._lock = threading.RLock()


_journals: weakref.WeakSet[Journal] = weakref.WeakSet()


def _renew_journals() -> None:
    for journal in list(_journals):
        journal.renew()


if hasattr(os, "register_at_fork"):  # pragma: no branch (all but Windows)
    os.register_at_fork(after_in_child=_renew_journals)
