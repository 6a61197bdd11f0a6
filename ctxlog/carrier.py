"""
Headers that carry a request's id between processes. Core: standard library only.

What comes in is trusted only after validation: an id ends up in log lines, in response
headers and in other people's searches.
"""

from __future__ import annotations

import re

__all__ = ["MAX_ID_LENGTH", "is_safe_header_value", "is_valid_request_id"]

#: The most characters of an id that is taken from outside.
MAX_ID_LENGTH = 128

_VALID = re.compile(r"[A-Za-z0-9._~:/+=@-]{1,128}", re.ASCII)
_SAFE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,254}[\x21-\x7e])?", re.ASCII)


def is_valid_request_id(request_id: str) -> bool:
    """
    Whether an id from outside may be used as it is.

    1 to 128 characters of `A-Za-z0-9._~:/+=@-`: UUIDs, ULIDs, W3C and X-Ray trace ids,
    what nginx and Envoy make. No spaces, quotes or control characters. Never raises.
    """
    return _VALID.fullmatch(request_id) is not None


def is_safe_header_value(value: str) -> bool:
    """
    Whether a value may be written into a header and into a line at all.

    At most 256 printable ASCII characters: what no `validator=` can overrule, since a
    line break in a header splits the response. Never raises.
    """
    return _SAFE.fullmatch(value) is not None
