"""Ids: making new ones, and checking those that come from outside."""

from __future__ import annotations

import os
import re
from typing import TypeGuard

from ctxlog._names import PLACEHOLDERS

_VALID = re.compile(r"[A-Za-z0-9._~:/+=@-]{1,128}", re.ASCII)
_SAFE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,254}[\x21-\x7e])?", re.ASCII)


def new_request_id() -> str:
    """
    Return a new id of 32 hexadecimal digits: 128 random bits.

    It has the shape of `uuid.uuid4().hex`, which log readers know, without the six
    fixed bits, and of a W3C trace id. Safe from any thread and after a fork.
    """
    return os.urandom(16).hex()


def new_span_id() -> str:
    """Return a new id of 16 hexadecimal digits, not all of them zero."""
    return f"{int.from_bytes(os.urandom(8), 'big') or 1:016x}"


def is_valid_request_id(request_id: str) -> bool:
    """
    Return whether an id from outside may be used as it is. Never raises.

    Valid are 1 to 128 characters of `A-Za-z0-9._~:/+=@-`: UUIDs, ULIDs, W3C and X-Ray
    trace ids, the ids of nginx and Envoy. Spaces, quotes, control characters and the
    placeholder of lines outside of a request (`N/A`) are not.
    """
    return _VALID.fullmatch(request_id) is not None and request_id not in PLACEHOLDERS


def is_possible_request_id(request_id: object) -> TypeGuard[str]:
    """
    Return whether a value can be a request's id at all. Never raises.

    A string that is safe in a header and is not the placeholder of lines outside of a
    request. No `validator=` overrules this.
    """
    return (
        isinstance(request_id, str)
        and request_id not in PLACEHOLDERS
        and is_safe_header_value(request_id)
    )


def is_safe_header_value(value: str) -> bool:
    """
    Return whether a value may be written into a header and a line. Never raises.

    Safe are at most 256 printable ASCII characters: a line break in a header would
    split the response.
    """
    return _SAFE.fullmatch(value) is not None
