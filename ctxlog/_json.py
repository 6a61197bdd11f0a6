"""
The JSON encoder and decoder. Core; the only module that knows which they are.

orjson on CPython, the standard library elsewhere and in subinterpreters, which orjson
refuses. Both are given plain values only: `ctxlog.line.values` has made them so.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

dumps: Callable[[Any], bytes]
#: Raises `ValueError`, or `RecursionError`, for what is no JSON.
loads: Callable[[str | bytes], Any]

try:
    import orjson
except ImportError as error:
    # Of the reasons why an installed module cannot be imported this is the only good
    # one: a broken installation must not be slow without a word.
    absent = isinstance(error, ModuleNotFoundError)
    if not absent and "subinterpreters" not in str(error):
        raise
    _encode = json.JSONEncoder(
        ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")
    ).encode

    def _dumps(value: Any) -> bytes:
        return _encode(value).encode()

    def _refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no JSON")

    def _loads(text: str | bytes) -> Any:
        return json.loads(text, parse_constant=_refuse)

    dumps, loads = _dumps, _loads
    #: Types whose values the encoder takes as they are, or refuses with an exception.
    #: The standard library's writes integers that no other reader can take.
    FLAT_TYPES: frozenset[type] = frozenset({str, bool, type(None)})
else:
    dumps, loads = orjson.dumps, orjson.loads
    FLAT_TYPES = frozenset({str, bool, int, type(None)})
