"""
Async generators that nobody finished: a loop closes them where they were begun.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import AsyncGenerator, Callable
from typing import Any

from ctxlog.context import Carried

__all__ = ["abandoned", "begun"]

_AsyncGenerator = AsyncGenerator[Any, Any]

# Where each was begun, by its identity. Its weak reference goes before the loop is told
# that it was abandoned: right before, in the same thread.
_begun: dict[int, tuple[weakref.ref[_AsyncGenerator], Carried]] = {}


class _Last(threading.local):
    """The async generator of this thread that lost its last reference latest."""

    generator = 0
    carried: Carried | None = None


_last = _Last()


def begun(previous: Callable[..., None], loop: Any, generator: _AsyncGenerator) -> None:
    """Note where `generator` was begun; a loop's hook for the first step of one."""
    previous(loop, generator)
    number = id(generator)

    def gone(_: object) -> None:
        _last.generator = number
        _last.carried = _begun.pop(number)[1]

    _begun[number] = weakref.ref(generator, gone), Carried()


def abandoned(
    previous: Callable[..., None], loop: Any, generator: _AsyncGenerator
) -> None:
    """
    Let the loop close `generator` where it was begun; a loop's hook for that.

    The loop would do so wherever the last reference to it was dropped: in another
    request, as often as not. Where nothing is known it has no context at all.
    """
    carried, _last.carried = _last.carried, None
    if carried is None or _last.generator != id(generator):
        carried = Carried.nothing()
    carried.run(previous, loop, generator)
