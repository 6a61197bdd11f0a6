"""
Request ids. Core: standard library only.
"""

import os

__all__ = ["PLACEHOLDERS", "new_request_id"]

#: What lines show for "no request": `N/A`, and what else an encoder of this process was
#: told. A request of such an id could not be found again, so it is not a valid one.
PLACEHOLDERS = {"N/A"}


def new_request_id() -> str:
    """
    Return a new id of 32 hexadecimal digits: 128 random bits.

    It has the shape of `uuid.uuid4().hex`, which log readers know, without the six
    fixed bits, and of a W3C trace id. Safe from any thread and after a fork.
    """
    return os.urandom(16).hex()
