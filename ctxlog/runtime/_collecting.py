"""
Whether garbage is being collected: what is finalized then is not its thread's.
"""

from __future__ import annotations

import threading

__all__ = ["collected", "collecting"]

_collecting: set[int] = set()


def collected(phase: str, info: object) -> None:
    """Note that this thread collects garbage; for `gc.callbacks`."""
    if phase == "start":
        _collecting.add(threading.get_ident())
    else:
        _collecting.discard(threading.get_ident())


def collecting() -> bool:
    """Whether this thread collects garbage, in whatever request that happened."""
    return threading.get_ident() in _collecting
