"""
Times as text logs write them, brought into one form: that of ISO 8601.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
#: Names of zones that mean one offset; others are ambiguous, and read as UTC.
_ZONES = {
    "UTC": "Z",
    "GMT": "Z",
    "CET": "+01:00",
    "CEST": "+02:00",
    "MSK": "+03:00",
    "JST": "+09:00",
    "EDT": "-04:00",
    "PDT": "-07:00",
    "PST": "-08:00",
}

#: How far a time zone may be ahead of UTC.
_AHEAD = timedelta(hours=14)
_CLOCK = r"(?P<clock>\d\d:\d\d:\d\d)(?:[.,](?P<part>\d{1,9}))?"
#: A clock of two times twelve hours.
_HALVES = (
    r"(?P<clock>(?:0?\d|1[0-2]):\d\d(?::\d\d(?:\.(?P<part>\d{1,9}))?)?)\s?"
    r"(?P<half>[AP]M)"
)
#: PHP writes a zone with its name, such as Europe/Berlin.
_ZONE = (
    r"(?: ?(?P<zone>Z|[+-]\d\d(?::?\d\d)?|[A-Z]{3,5}|[A-Z][a-z]+/[A-Za-z_/-]{2,40}))?"
)
#: Seconds, milliseconds, and seconds as zap writes them for people.
_EPOCH = re.compile(r"\d{10}(?:\d{3}|\.\d{1,9})?|\d\.\d{1,19}e\+09")
_FORMS = [
    re.compile(form)
    for form in (
        r"(?P<year>\d{4})[-/.]?(?P<month>\d\d)[-/.]?(?P<day>\d\d)(?:[T \t]|, | - |\]\[)"
        + _CLOCK
        + _ZONE,
        r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d) (?P<clock> \d:\d\d:\d\d)",
        r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)(?P<clock>\d{6})(?P<part>\d{3})",
        r"(?:[A-Z][a-z]{2}, )?(?P<day>\d\d?)[/ -](?P<name>[A-Z][a-z]{2})[/ -]"
        r"(?P<year>\d{4})(?:::?| )" + _CLOCK + _ZONE,
        r"[A-Z][a-z]{2} (?P<name>[A-Z][a-z]{2}) (?P<day>[ \d]\d) "
        + _CLOCK
        + r" (?P<year>\d{4})",
        r"(?P<name>[A-Z][a-z]{2}) (?P<day>[ \d]\d) " + _CLOCK,
        r"(?P<day>\d\d) (?P<name>[A-Z][a-z]{2}) " + _CLOCK,
        r"(?P<month>\d\d)-?(?P<day>\d\d) " + _CLOCK,
        r"(?P<month>\d\d)(?P<day>\d\d)/(?P<clock>\d{6})(?:\.(?P<part>\d{1,9}))?",
        r"(?P<day>\d\d)\.(?P<month>\d\d)\.(?P<short>\d\d) " + _CLOCK,
        r"(?P<month>\d\d?)/(?P<day>\d\d?)/(?P<year>\d{4}),? " + _HALVES,
        r"(?P<month>\d\d)/(?P<day>\d\d)/(?P<year>\d{4}) " + _CLOCK,
        r"[A-Z][a-z]{2} (?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d) "
        + _CLOCK
        + _ZONE,
        r"(?P<name>[A-Z][a-z]{2}) (?P<day>\d\d?), (?P<year>\d{4}) " + _HALVES,
        r"(?P<name>[A-Z][a-z]{2}) (?P<day>\d\d?), (?P<year>\d{4}) @ " + _CLOCK,
        r"\[(?P<month>\d\d)/(?P<day>\d\d)/(?P<short>\d\d) " + _CLOCK + r"\]",  # rich's
        r"(?P<short>\d\d)/?(?P<month>\d\d)/?(?P<day>\d\d)[ /]"
        r"(?P<clock>\d\d:?\d\d:?\d\d)(?:\.(?P<part>\d{1,9}))?",
        _CLOCK + "Z?",
        _HALVES,
    )
]


def written(text: str, now: float) -> str | None:
    """
    Return a time as ISO 8601 has it; None if it is none, such as February 30.

    Seconds since the epoch are returned as they are.

    A time without a year, or without a day, is the last such time that is not after
    *now*; one without a zone is in UTC. (What has no year may have been written in a
    zone that is ahead, so that it may seem to be as much later.)

    Args:
        text: The time as the line has it.
        now: Seconds since the epoch: when the file was written last.
    """
    for form in _FORMS:
        match = form.fullmatch(text)
        if match is not None:
            break
    else:
        if not _EPOCH.fullmatch(text):
            return None
        return f"{float(text):.6f}" if "e" in text else text
    found = match.groupdict()
    part = found.get("part")
    clock = _clock(found["clock"] or "", found.get("half"))
    day = _day(found, clock, now)
    if day is None:
        return None
    fraction = f".{part}" if part else ""
    return f"{day}T{clock}{fraction}{_offset(found.get('zone'), f'{day}T{clock}')}"


def _offset(zone: str | None, moment: str) -> str:
    """Return a zone's offset at a moment of its clocks, as ISO 8601 has it."""
    if not zone:
        return "Z"
    if "/" in zone:
        try:
            ahead = datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo(zone))
        except (ZoneInfoNotFoundError, ValueError, OSError):
            return "Z"
        return ahead.isoformat()[19:]
    if zone[0] not in "+-":
        return _ZONES.get(zone, "Z")
    return zone if ":" in zone else f"{zone[:3]}:{zone[3:] or '00'}"


def _clock(text: str, half: str | None) -> str:
    """Return hours, minutes and seconds, of 24 hours."""
    if half is None and text[2] == ":":  # as most are
        return text.replace(" ", "0")
    hour, minute, second, *_ = (*re.findall(r"\d\d?", text), "00")
    if half is not None:
        hour = f"{int(hour) % 12 + (12 if half == 'PM' else 0):02}"
    return f"{hour}:{minute}:{second}"


def _day(found: dict[str, str | None], clock: str, now: float) -> str | None:
    """Return the day of a time, as ISO 8601 has it."""
    day, year = found.get("day"), found.get("year")
    if short := found.get("short"):
        year = f"20{short}"
    if day is not None and year is not None:
        return _dated(year, found.get("month"), found.get("name"), day, clock)
    latest = datetime.fromtimestamp(now, timezone.utc) + timedelta(seconds=1)
    if day is None:
        today = latest.date()
        if clock > latest.strftime("%H:%M:%S"):
            today -= timedelta(days=1)
        return today.isoformat()
    for one in range(latest.year, latest.year - 9, -1):
        date = _dated(f"{one:04}", found.get("month"), found.get("name"), day, clock)
        if date is not None:  # not so the 29th of February
            moment = datetime.fromisoformat(f"{date}T{clock}+00:00")
            if moment <= latest + _AHEAD:
                return date
    return None


@lru_cache(4096)
def _dated(
    year: str, month: str | None, name: str | None, day: str, clock: str
) -> str | None:
    """Return a day as ISO 8601 has it; None if there was no such time."""
    if name is not None:
        if name not in _MONTHS:
            return None
        month = f"{_MONTHS.index(name) + 1:02}"
    date = f"{year}-{month or '':>02}-{day.strip():>02}"
    try:
        datetime.fromisoformat(f"{date}T{clock}+00:00")
    except ValueError:
        return None
    return date
