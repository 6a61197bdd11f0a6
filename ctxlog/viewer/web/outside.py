"""
The lines outside of requests that are chosen, as the list has them: one entry.
"""

from __future__ import annotations

from array import array
from math import isnan, nan

from ctxlog.viewer.group.collected import OUTSIDE, Collected
from ctxlog.viewer.group.summary import Row
from ctxlog.viewer.recognize.record import Record


class Outside:
    """When lines outside of requests were written, and which of them are errors."""

    def __init__(self) -> None:
        self._times = array("d")
        self._failed = bytearray()

    @classmethod
    def of(cls, collected: Collected) -> Outside:
        """Return what it is of the lines outside of requests that were collected."""
        made = cls()
        for request in collected:
            for entry in request.entries:
                made.add(entry.record)
        return made

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._times)

    def add(self, record: Record) -> None:
        """Take a line into account."""
        self._times.append(nan if record.time is None else record.time)
        self._failed.append(record.failed)

    def merge(self, other: Outside) -> None:
        """Take into account what another one knows."""
        self._times += other._times
        self._failed += other._failed

    def row(
        self, since: float | None, until: float | None, *, failed: bool = False
    ) -> Row | None:
        """
        Return the entry of those within a time; None if there are none.

        Args:
            since: The least time, in seconds since the epoch; None if any.
            until: The greatest time.
            failed: Whether only errors are meant.
        """
        row = Row(OUTSIDE)
        # it may grow meanwhile, by another thread
        for time, is_error in zip(self._times, self._failed, strict=False):
            if failed and not is_error:
                continue
            if isnan(time):
                if since is not None or until is not None:
                    continue
            elif (since is None or time >= since) and (until is None or time <= until):
                row.extent.add(time, time)
            else:
                continue
            row.lines += 1
            row.errors += is_error
        row.failed = row.errors > 0
        return row if row.lines else None
