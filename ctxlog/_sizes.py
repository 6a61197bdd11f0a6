"""
Sizes as options: a number of bytes, or a text with a unit. Core.
"""

from __future__ import annotations

import re

from ctxlog.errors import ConfigError

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9}
_SIZE = re.compile(r"\s*([0-9]{1,15})\s*([A-Za-z]*)\s*")


def size_of(option: str, value: object) -> int:
    """
    Return an option that is a size, as a number of bytes.

    Args:
        option: The name of the option, for the error.
        value: A number of bytes, or a text as `16MB`: a whole number with B, KB, MB or
            GB, each a thousand of the one before.

    Raises:
        ConfigError: if it is neither, or less than 1.
    """
    size = 0
    if isinstance(value, str):
        match = _SIZE.fullmatch(value)
        size = int(match[1]) * _UNITS.get(match[2].upper(), 0) if match else 0
    elif isinstance(value, int) and not isinstance(value, bool):
        size = int(value)
    if size < 1:
        raise ConfigError(option, value, "a size as '16MB', or a number of bytes")
    return size
