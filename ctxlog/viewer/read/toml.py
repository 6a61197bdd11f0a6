"""
Files of TOML, by Python's own reader, or by the package tomli before Python 3.11.
"""

from __future__ import annotations

import sys
from typing import Any

from ctxlog.errors import requires

if sys.version_info >= (3, 11):
    import tomllib
else:
    with requires("tomli", extra="cli"):
        import tomli as tomllib


def read(text: bytes) -> dict[str, Any]:
    """
    Return what a file says.

    Raises:
        ValueError: if it is no TOML, not UTF-8, or nested too deeply.
    """
    try:
        return tomllib.loads(text.decode())
    except RecursionError:
        raise ValueError("nested too deeply") from None
