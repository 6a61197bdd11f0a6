"""
Levels and numbers of all loggers on one scale: that of Python's logging.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping

from ctxlog.viewer.recognize.times import iso as iso
from ctxlog.viewer.recognize.times import seconds as seconds

_WORDS = {
    "trace": 5,
    "trce": 5,
    "trc": 5,
    "verbose": 5,
    "vrb": 5,
    "silly": 5,
    "finest": 5,
    "finer": 5,
    "all": 5,
    "debug": 10,
    "debug1": 10,
    "debug2": 10,
    "debug3": 10,
    "debug4": 10,
    "debug5": 10,
    "dbug": 10,
    "debg": 10,
    "debu": 10,
    "dbg": 10,
    "fine": 10,
    "config": 10,
    "d": 10,
    "d1": 10,
    "d2": 10,
    "d3": 10,
    "d4": 10,
    "d5": 10,
    "default": 0,
    "info": 20,
    "information": 20,
    "informational": 20,
    "inf": 20,
    "http": 20,
    "log": 20,
    "i": 20,
    "success": 25,
    "notice": 25,
    "ok": 20,
    "warn": 30,
    "warning": 30,
    "wrn": 30,
    "w": 30,
    "err": 40,
    "error": 40,
    "eror": 40,
    "erro": 40,
    "fail": 40,
    "severe": 40,
    "e": 40,
    "critical": 50,
    "crit": 50,
    "fatal": 50,
    "ftl": 50,
    "fata": 50,
    "f": 50,
    "c": 50,
    "panic": 50,
    "pnc": 50,
    "dpanic": 50,
    "alert": 50,
    "emergency": 50,
    "emerg": 50,
}
#: The colors of terminals, which winston writes into JSON, too.
_COLORS = re.compile(r"\x1b\[[0-9;]*m")
#: Words for how something ended that are levels in one format only.
_OUTCOMES = {
    "Lambda": {"success": 20, "failure": 40, "error": 40, "timeout": 40},
    "Workers": {"ok": 20, "canceled": 30},
}
_SYSLOG = (50, 50, 50, 40, 30, 25, 20, 10)


def _usual(level: int) -> int:
    """Bunyan's and pino's 10 to 60; from 100 on Monolog's."""
    if level >= 100:
        return min(level // 10, 50)
    return max(level - 10, 5) if level >= 10 else 0


def _syslog(level: int) -> int:
    return _SYSLOG[min(max(level, 0), 7)]


#: Levels that are numbers, by whose scale they are on.
SCALES: Mapping[str, Callable[[int], int]] = {
    "": _usual,
    "syslog": _syslog,
    "OpenTelemetry": lambda level: (
        (5, 10, 20, 30, 40, 50)[(level - 1) // 4] if 1 <= level <= 24 else 0
    ),
    "Application Insights": lambda level: (
        (5, 20, 30, 40, 50)[level] if 0 <= level <= 4 else 0
    ),
    "Python": lambda level: level if 0 < level <= 100 else 0,
    "Ruby": lambda level: (10, 20, 30, 40, 50)[level] if 0 <= level <= 4 else 0,
    "lager": lambda level: (10, 20, 40, 50)[level] if 0 <= level <= 3 else 0,
    "MySQL": lambda level: (20, 40, 30, 20)[level] if 0 <= level <= 3 else 0,
    "CockroachDB": lambda level: (0, 20, 30, 40, 50)[level] if 0 <= level <= 4 else 0,
    **dict.fromkeys(_OUTCOMES, lambda _: 0),
}


def outcome(word: str, scale: str) -> int | None:
    """Return the level of how something ended; None if a scale has no such words."""
    words = _OUTCOMES.get(scale)
    if words is None:
        return None
    return words.get(word.lower()) or level_number(word) or 40


def level_number(level: object) -> int:
    """Return a level on logging's scale, 0 where it is not known. Never raises."""
    return _word_number(level) if isinstance(level, str) else 0


@functools.lru_cache(256)
def _word_number(word: str) -> int:
    # slog writes what is between its levels as ERROR+2
    word = _COLORS.sub("", word).strip().lower()
    return _WORDS.get(re.split(r"[+-]", word, maxsplit=1)[0], 0)


def level_words(least: int) -> tuple[str, ...]:
    """Return the words for the levels from one on, in small letters."""
    return tuple(word for word, number in _WORDS.items() if number >= least)


def level_texts(least: int) -> tuple[str, ...]:
    """
    Return the levels from one on as they are written: words, and usual numbers.

    The numbers are syslog's, as GELF has them, and those of pino, Bunyan and Monolog.
    """
    words = level_words(least)
    texts = [text for word in words for text in (word, word.upper(), word.capitalize())]
    texts += [str(number) for number, level in enumerate(_SYSLOG) if level >= least]
    other = (*range(10, 70, 10), 100, *range(200, 301, 50), 400, 500, 550, 600)
    return (*texts, *(str(number) for number in other if number - 10 >= least))


def number(value: object) -> float | None:
    """Return a number, or one that is written as a text; None if it is none."""
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,15}(\.\d{1,15})?", value):
        value = float(value)  # as some stores have all values
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value if -1e15 < value < 1e15 else None
    return None
