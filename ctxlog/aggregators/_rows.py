"""
What the reading sides of stores share: rows as lines again. Private to `aggregators/`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from ctxlog._json import dumps, loads
from ctxlog.aggregators._address import Address
from ctxlog.aggregators._question import LINE_FIELD, Condition

#: What a number of at most fifteen digits is, written as JSON writes it.
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,14})(?:\.\d{0,14}[1-9])?")


def for_reading(address: Address) -> Address:
    """Return an address for questions: they may take long, and are sent as they are."""
    options = {"timeout": "60", **address.options, "gzip": "false"}
    return replace(address, options=options)


def kept(row: Mapping[str, Any], message: str) -> bytes | None:
    """
    Return the line that a row has as it was written; None if it has none.

    That is `_line`; or the message, for shippers that send the whole line as that.

    Args:
        row: The row.
        message: The name of its message.
    """
    line = row.get(LINE_FIELD)
    if not isinstance(line, str) or not line:
        line = row.get(message)
        if not isinstance(line, str) or line[:1] != "{" or not _is_object(line):
            return None
    return line.rstrip("\r\n").encode("utf-8", "replace") + b"\n"


def _is_object(text: str) -> bool:
    try:
        return isinstance(loads(text.encode("utf-8", "replace")), dict)
    except (ValueError, RecursionError):
        return False


def rebuilt(members: Mapping[str, Any]) -> bytes:
    """Return a line of what a store has kept, without what it has left out as null."""
    return dumps(_without_nulls(members)) + b"\n"


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            str(name): _without_nulls(of)
            for name, of in value.items()
            if of is not None
        }
    if isinstance(value, list):
        return [_without_nulls(one) for one in value]
    return value


def number(text: str) -> str | int | float:
    """Return the number that a text was, if writing it gives the same text again."""
    if not _NUMBER.fullmatch(text) or text == "-0":
        return text
    found = float(text) if "." in text else int(text)
    return found if str(found) == text else text


#: What some logger writes as an escape, within a text in JSON.
_ESCAPED = re.compile("[\"'\\\\/<>&=+\x00-\x1f\x7f-\U0010ffff]")


def needle(text: str) -> str:
    """Return the longest part of a text that no JSON of it writes as an escape."""
    return max(_ESCAPED.split(text), key=len)


def numbers_pattern(low: str, high: str) -> str:
    """
    Return a regular expression for lines on which a status is between two of them.

    It is one of RE2, and holds for more lines than these. Between the key and the
    number nothing else has a digit, also in OpenTelemetry's objects.

    Args:
        low: The least number, such as `500`.
        high: The greatest one, with as many digits.
    """
    same = os.path.commonprefix([low, high])
    return f"tatus[^:]*:[^0-9]*{same}" + "[0-9]" * (len(low) - len(same))


def printable(text: str) -> str:
    """Return a text without what UTF-8 cannot have: halves of surrogate pairs."""
    return text.encode("utf-8", "replace").decode()


def names_among(condition: Condition, there: Collection[str]) -> list[str]:
    """Return the names of a condition under which a store has a field at all."""
    return [name for name in condition.names if name in there]
