"""
The JSON encoder. Core; the only module that knows which one it is.

orjson on CPython, the standard library elsewhere. Both are given plain values only:
`ctxlog.values` has made them so.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

__all__ = ["FLAT_TYPES", "dumps"]

dumps: Callable[[Any], bytes]

try:
    import orjson
except ModuleNotFoundError:
    _encode = json.JSONEncoder(
        ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")
    ).encode

    def _dumps(value: Any) -> bytes:
        return _encode(value).encode()

    dumps = _dumps
    #: Types whose values the encoder takes as they are, or refuses with an exception.
    #: The standard library's writes integers that no other reader can take.
    FLAT_TYPES: frozenset[type] = frozenset({str, bool, type(None)})
else:
    dumps = orjson.dumps
    FLAT_TYPES = frozenset({str, bool, int, type(None)})
