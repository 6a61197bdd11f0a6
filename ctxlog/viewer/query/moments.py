"""
Moments and spans of time as people write them: `yesterday`, `12:00`, `2h`.
"""

from __future__ import annotations

import re
import time as clock
from datetime import datetime, time, timedelta, timezone, tzinfo

from ctxlog.viewer.recognize.times import seconds

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PIECE = r"(\d+(?:\.\d+)?)(ms|[smhdw])"
_LENGTH = re.compile(rf"(?:{_PIECE})+")
#: A day, then a time within it; one of them may be missing.
_WRITTEN = re.compile(
    r"(?P<day>today|yesterday|\d{4}-\d\d-\d\d)?"
    r"(?:(?<=.)[ T]|(?<!.)|$)"
    r"(?P<time>\d{1,2}:\d\d(?::\d\d(?:[.,]\d{1,6})?)?)?"
)
#: What one may write, for people.
EXAMPLES = "yesterday, 12:00, 2026-01-31, '2026-01-31 12:00', 2h"


def length(text: str) -> float | None:
    """Return the seconds of a span such as `500ms` or `1h30m`; None if it is none."""
    if not _LENGTH.fullmatch(text):
        return None
    return sum(float(size) * _UNITS[unit] for size, unit in re.findall(_PIECE, text))


def moment(text: str, zone: tzinfo | None = timezone.utc) -> float | None:
    """
    Return what a text means as seconds since the epoch; None if it means no time.

    A day is its first moment, a time of day is today's, a span is so long ago, and a
    number is seconds (or milliseconds and so on) since the epoch.

    Args:
        text: The time, as a person writes it.
        zone: The time zone of what has none of its own; None for that of the system.
    """
    text = text.strip()
    if text == "now":
        return clock.time()
    ago = length(text.removesuffix(" ago"))
    if ago is not None:
        return clock.time() - ago
    written = _WRITTEN.fullmatch(text)
    if text and written is not None:
        try:
            return _at(written["day"], written["time"], zone)
        except (ValueError, OverflowError):  # the thirtieth of February
            return None
    return seconds(text)


def _at(day: str | None, of_day: str | None, zone: tzinfo | None) -> float:
    today = datetime.now(zone).date()
    if day == "yesterday":
        found = today - timedelta(days=1)
    elif day in (None, "today"):
        found = today
    else:
        found = datetime.strptime(day or "", "%Y-%m-%d").date()
    whole, _, part = (of_day or "0:00").replace(",", ".").partition(".")
    hour, minute, *rest = map(int, whole.split(":"))
    within = time(hour, minute, rest[0] if rest else 0)
    at = datetime.combine(found, within, zone).timestamp()
    return at + (float(f"0.{part}") if part else 0.0)
