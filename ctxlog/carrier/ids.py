"""Request ids."""

import os


def new_request_id() -> str:
    """
    Return a new id of 32 hexadecimal digits: 128 random bits.

    It has the shape of `uuid.uuid4().hex`, which log readers know, without the six
    fixed bits, and of a W3C trace id. Safe from any thread and after a fork.
    """
    return os.urandom(16).hex()
