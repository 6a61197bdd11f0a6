"""
Times and levels of all loggers on one scale: seconds since the epoch, logging's levels.
"""

from __future__ import annotations

import functools
import re
from datetime import datetime, timezone

_WORDS = {
    "trace": 5,
    "verbose": 5,
    "debug": 10,
    "default": 0,
    "info": 20,
    "information": 20,
    "success": 25,
    "notice": 25,
    "warn": 30,
    "warning": 30,
    "err": 40,
    "error": 40,
    "critical": 50,
    "fatal": 50,
    "panic": 50,
    "dpanic": 50,
    "alert": 50,
    "emergency": 50,
}
_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d+))?\s*(Z|[+-]\d\d:?\d\d)?$"
)


def level_number(level: object) -> int:
    """Return a level on logging's scale, 0 where it is not known. Never raises."""
    return _word_number(level) if isinstance(level, str) else 0


@functools.lru_cache(256)
def _word_number(word: str) -> int:
    # slog writes what is between its levels as ERROR+2
    return _WORDS.get(re.split(r"[+-]", word.lower(), maxsplit=1)[0], 0)


def level_texts(least: int) -> tuple[str, ...]:
    """
    Return the levels from one on as they are written: words, and usual numbers.

    The numbers are syslog's, as GELF has them, and those of pino, Bunyan and Monolog.
    """
    words = [word for word, number in _WORDS.items() if number >= least]
    texts = [text for word in words for text in (word, word.upper(), word.capitalize())]
    syslog = (50, 50, 50, 40, 30, 25, 20, 10)
    texts += [str(number) for number, level in enumerate(syslog) if level >= least]
    other = (*range(10, 70, 10), 100, *range(200, 301, 50), 400, 500, 550, 600)
    return (*texts, *(str(number) for number in other if number - 10 >= least))


def seconds(value: object) -> float | None:
    """Return a time as seconds since the epoch, None if it is none. Never raises."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        if value[-1:] == "Z" and value[10:11] == "T":  # as most write it
            try:
                return datetime.fromisoformat(f"{value[:-1]}+00:00").timestamp()
            except ValueError:  # what Python 3.10 does not read, or no time at all
                pass
        match = _ISO.match(value)
        if match is None:
            return seconds(float(value)) if re.fullmatch(r"\d{9,19}", value) else None
        day, clock, part, zone = match.groups()
        zone = "+00:00" if zone in (None, "Z") else zone
        if ":" not in zone:
            zone = f"{zone[:3]}:{zone[3:]}"
        try:
            whole = datetime.fromisoformat(f"{day}T{clock}{zone}").timestamp()
        except ValueError:  # the thirtieth of February
            return None
        return whole + (float(f"0.{part}") if part else 0.0)
    if isinstance(value, (int, float)):
        for scale, least in ((1e9, 1e17), (1e6, 1e14), (1e3, 1e11), (1, 1e8)):
            if least <= value < 1e20:
                return value / scale
    return None


def number(value: object) -> float | None:
    """Return a number, or one that is written as a text; None if it is none."""
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,15}(\.\d{1,15})?", value):
        value = float(value)  # as some stores have all values
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value if -1e15 < value < 1e15 else None
    return None


def iso(time: float) -> str:
    """Return a time as the viewer shows it, in UTC."""
    moment = datetime.fromtimestamp(time, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
