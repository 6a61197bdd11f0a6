"""
Times and durations as people read them.
"""

from __future__ import annotations

import math
from datetime import datetime, timezone, tzinfo

_FIRST = datetime.min.replace(tzinfo=timezone.utc)
_LAST = datetime.max.replace(tzinfo=timezone.utc)


class Clock:
    """
    Writes times as they are in one time zone; what no calendar has as its nearest day.

    Args:
        zone: The time zone; None for that of the system.
    """

    def __init__(self, zone: tzinfo | None = timezone.utc) -> None:
        self.zone = zone
        self._second, self._day = math.nan, ""

    def _at(self, time: float) -> datetime:
        try:
            if self.zone is None:
                return datetime.fromtimestamp(time).astimezone()
            return datetime.fromtimestamp(time, self.zone)
        except (ValueError, OverflowError, OSError):  # not within the years 1 to 9999
            return _FIRST if time < 0 else _LAST

    def offset(self, time: float) -> float:
        """Return how many seconds the zone is ahead of UTC."""
        ahead = self._at(time).utcoffset()
        return 0.0 if ahead is None else ahead.total_seconds()

    def full(self, time: float) -> str:
        """Return the day, the time to the millisecond, and the offset to UTC."""
        text = self._at(time).isoformat(timespec="milliseconds")
        return text.replace("+00:00", "Z") if self.zone is timezone.utc else text

    def of_day(self, time: float) -> str:
        """Return the time within its day, to the millisecond."""
        return self._at(time).strftime("%H:%M:%S.%f")[:-3]

    def day(self, time: float) -> str:
        """Return the day."""
        second = time // 1  # most lines have that of the line before
        if second != self._second:
            self._second, self._day = second, self._at(time).date().isoformat()
        return self._day


#: Times as they are in UTC.
UTC = Clock()


def duration_text(seconds: float) -> str:
    """Return a duration, no more exact than one reads it: `350.2 ms`, `15m31s`."""
    if seconds < 0.99995:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    minutes = round(seconds / 60)
    if minutes < 24 * 60:
        return f"{minutes // 60}h{minutes % 60:02}m"
    hours = round(seconds / 3600)
    return f"{hours // 24}d{hours % 24:02}h"
