"""
The levels of `logging`, as options and the application's callables give them. Core.
"""

from __future__ import annotations

import logging

from ctxlog.errors import ConfigError

#: What a callable may return as a level.
A_LEVEL = "the number or name of a level"

# More digits than any level has.
_MOST_DIGITS = 9


def level_number(level: object) -> int | None:
    """Return the number of a level, given that or its name; None if it is none."""
    if isinstance(level, str):
        if level.isdecimal() and len(level) <= _MOST_DIGITS:  # of an environment
            return int(level)
        known = logging._nameToLevel  # getLevelNamesMapping() is of Python 3.11
        return known.get(level, known.get(level.upper()))
    if isinstance(level, int) and not isinstance(level, bool) and level >= 0:
        return level
    return None


def level_of(option: str, value: object) -> int:
    """
    Return the number of a level that is an option.

    Args:
        option: The name of the option.
        value: The number or the name of the level, in any case.

    Raises:
        ConfigError: if it is neither.
    """
    number = level_number(value)
    if number is None:
        known = logging._nameToLevel
        names = ", ".join(sorted(known, key=known.__getitem__))
        raise ConfigError(option, value, f"one of: {names}, or a number")
    return number
