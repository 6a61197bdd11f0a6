"""
Times and durations of all loggers: seconds since the epoch, and seconds.
"""

from __future__ import annotations

import re
from datetime import datetime, timezone

_ISO = re.compile(
    r"(\d{4})[-/](\d\d)[-/](\d\d)(?:T|\s+)(\d\d:\d\d)(:\d\d)?(?:[.,](\d+))?"
    r"\s*(Z|[+-]\d\d(?::?\d\d)?)?(?:\s*([A-Za-z]{1,5}|[+-]\d\d))?(?:\s+m=[+-][\d.]+)?(?:\[[^\]]*\])?$"
)
_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(?:[.,](\d+))?Z?$")
#: The common log format's, and that of mails and headers.
_NAMED = re.compile(
    r"\[?(?:[A-Z][a-z]{2},\s+)?(\d{1,2})[/\s-]([A-Z][a-z]{2})[/\s-](\d{4})[:\s]"
    r"(\d\d:\d\d:\d\d)(?:[.,](\d+))?\s*(Z|[+-]\d\d:?\d\d)?(?:\s*([A-Z]{1,5}))?\]?$"
)
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
#: The zones that have one meaning in the logs that write them, in hours.
_ZONES = {"UTC": 0, "GMT": 0, "Z": 0, "WET": 0, "CET": 1, "WEST": 1, "CEST": 2}
_ZONES |= {"EET": 2, "EEST": 3, "MSK": 3, "JST": 9, "EST": -5, "EDT": -4, "CST": -6}
_ZONES |= {"CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7}

_NUMBER = re.compile(r"\d{9,19}(\.\d{1,12})?")


def seconds(value: object) -> float | None:
    """Return a time as seconds since the epoch, None if it is none. Never raises."""
    if isinstance(value, str):
        if value[-1:] == "Z" and value[10:11] == "T":  # as most write it
            try:
                return datetime.fromisoformat(f"{value[:-1]}+00:00").timestamp()
            except ValueError:  # what Python 3.10 does not read, or no time at all
                pass
        return _from_text(value)
    if type(value) is int and 10**17 <= value < 10**20:
        second, nanos = divmod(value, 10**9)  # more digits than a float has
        return second + nanos / 1e9
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        for scale, least in ((1e9, 1e17), (1e6, 1e14), (1e3, 1e11), (1, 1e8)):
            if least <= value < 1e20:
                return value / scale
        return None
    return _from_object(value) if isinstance(value, dict) else None


def _from_text(text: str) -> float | None:
    if len(text) > 80:
        return None
    text = text.strip()
    if _NUMBER.fullmatch(text):
        return seconds(int(text) if text.isdigit() else float(text))
    if match := _ISO.match(text):
        year, month, day, clock, second, part, zone, name = match.groups()
        return _moment(
            f"{year}-{month}-{day}T{clock}{second or ':00'}", part, zone, name
        )
    if match := _COMPACT.match(text):
        year, month, day, hour, minute, second, part = match.groups()
        return _moment(
            f"{year}-{month}-{day}T{hour}:{minute}:{second}", part, None, None
        )
    if match := _NAMED.match(text):
        day, month, year, clock, part, zone, name = match.groups()
        if month in _MONTHS:
            date = f"{year}-{_MONTHS.index(month) + 1:02}-{int(day):02}"
            return _moment(f"{date}T{clock}", part, zone, name)
    return None


def _moment(
    clock: str, part: str | None, zone: str | None, name: str | None
) -> float | None:
    """Return the time of a clock with a fraction, an offset, else a zone's name."""
    if zone in (None, "Z"):
        hours = _ZONES.get((name or "Z").upper())
        if hours is None:  # AM, PM, and zones that are not known
            return None
        zone = f"{hours:+03}:00"
    elif len(zone) == 3:
        zone += ":00"
    elif ":" not in zone:
        zone = f"{zone[:3]}:{zone[3:]}"
    try:
        whole = datetime.fromisoformat(f"{clock}{zone}").timestamp()
    except (ValueError, OverflowError):  # the thirtieth of February
        return None
    return whole + (float(f"0.{part}") if part else 0.0)


def _from_object(value: dict[str, object]) -> float | None:
    """Return the time of MongoDB's `$date`, of PHP's `date`, of seconds and nanos."""
    if "$date" in value:
        date = value["$date"]
        inner = date.get("$numberLong") if isinstance(date, dict) else date
        return None if isinstance(inner, dict) else seconds(inner)
    if isinstance(date := value.get("date"), str):  # PHP's
        return _from_text(f"{date} {value.get('timezone', '')}")
    return of_parts(value)


_PARTS = (
    ("epochSecond", "nanoOfSecond"),
    ("seconds", "nanos"),
    ("timestampSeconds", "timestampNanos"),
)


def of_parts(value: dict[str, object]) -> float | None:
    """Return the seconds of an object that has seconds and nanoseconds, else None."""
    for whole, part in _PARTS:
        second, nanos = value.get(whole), value.get(part, 0)
        if isinstance(second, str) and second.isdigit() and len(second) < 15:
            second = int(second)
        if type(second) is int and type(nanos) is int and 0 <= nanos < 1e9:
            return second + nanos / 1e9 if 0 <= second < 1e11 else None
    return None


def iso(time: float) -> str:
    """Return a time as the viewer shows it, in UTC."""
    moment = datetime.fromtimestamp(time, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


_SUFFIXES = {"d": 86400.0, "day": 86400.0, "days": 86400.0}
_SUFFIXES |= dict.fromkeys(("h", "hr", "hour", "hours"), 3600.0)
_SUFFIXES |= dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60.0)
_SUFFIXES |= dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0)
_SUFFIXES |= dict.fromkeys(
    ("ms", "msec", "millis", "millisecond", "milliseconds"), 1e-3
)
_SUFFIXES |= dict.fromkeys(("us", "µs", "μs", "usec", "microseconds"), 1e-6)
_SUFFIXES |= dict.fromkeys(("ns", "nsec", "nanoseconds"), 1e-9)
_PIECE = r"(\d+(?:\.\d*)?|\.\d+)\s*([a-zµμ]+)"
_PIECES = re.compile(rf"(?:{_PIECE}\s*)+", re.IGNORECASE)
_ISO_PERIOD = re.compile(
    r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:[.,]\d+)?)S)?)?"
)
_CLOCK = re.compile(r"(?:(\d+)[.\s])?(\d{1,2}):(\d\d):(\d\d(?:\.\d+)?)")


def duration(text: str) -> float | None:
    """
    Return the seconds of a duration that says its unit; None if it is none.

    Such are `1.5s`, `3 ms`, Go's `1m2.5s`, the `PT0.5S` of ISO 8601 and the
    `00:00:01.5` of .NET. Never raises.
    """
    if not text or len(text) > 40:
        return None
    text = text.strip()
    if _PIECES.fullmatch(text):
        total = 0.0
        for piece, unit in re.findall(_PIECE, text, re.IGNORECASE):
            scale = _SUFFIXES.get(unit.lower())
            if scale is None:
                return None
            total += float(piece) * scale
        return total
    if len(text) > 2 and (match := _ISO_PERIOD.fullmatch(text)):
        parts = [float((part or "0").replace(",", ".")) for part in match.groups()]
    elif match := _CLOCK.fullmatch(text):
        parts = [float(part or 0) for part in match.groups()]
    else:
        return None
    return sum(
        part * scale for part, scale in zip(parts, (86400, 3600, 60, 1), strict=True)
    )
