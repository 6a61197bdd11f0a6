"""
Which requests are of the share, and which have failed.
"""

from __future__ import annotations

import hashlib
import random

from ctxlog.line.values import safe_str


def in_share(request_id: object, rate: float) -> bool:
    """
    Return whether a request is of the share: the same in all processes.

    Args:
        request_id: Its id. A request without one is left to chance.
        rate: The share, from 0.0 to 1.0.
    """
    if request_id is None:
        return random.random() < rate
    text = safe_str(request_id).encode("utf-8", "surrogatepass")
    digest = hashlib.blake2b(text, digest_size=8).digest()
    # Of two shares, the smaller one is a part of the larger one.
    return int.from_bytes(digest, "big") < rate * 2**64


def failed_by(error: BaseException | None) -> bool:
    """
    Return whether an exception that leaves a request is a failure.

    One that only stops it is none: a client that leaves, a generator that is closed.
    """
    if isinstance(error, SystemExit):
        return error.code not in (None, 0)
    return isinstance(error, Exception)
