"""
Unfinished async generators: a loop closes them in the context that began them.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, NamedTuple

from ctxlog.context.adapter import Carried
from ctxlog.context.bodies import apart
from ctxlog.runtime._collecting import collecting

_AsyncGenerator = AsyncGenerator[Any, Any]


class _Begun(NamedTuple):
    """Where an async generator was begun, and in which loop."""

    generator: weakref.ref[_AsyncGenerator]
    carried: Carried
    loop: weakref.ref[Any]


# By their identity. The weak reference of each goes before the loop is told that it was
# abandoned, in the same thread.
_begun: dict[int, _Begun] = {}


class _Gone(threading.local):
    """Objects of this thread that lost their last reference, perhaps abandoned."""

    def __init__(self) -> None:
        self.begun: dict[int, _Begun] = {}


_gone = _Gone()


def note(generator: _AsyncGenerator, loop: Any) -> None:
    """Note that a generator is begun here."""
    number = id(generator)

    def gone(_: object) -> None:
        # The collector takes all weak references of what it found before anything is
        # finalized. A generator that had ended by itself is never asked for.
        if not collecting():
            _gone.begun.clear()
        _gone.begun[number] = _begun.pop(number)

    _begun[number] = _Begun(weakref.ref(generator, gone), Carried(), weakref.ref(loop))


def taken(generator: _AsyncGenerator) -> Carried:
    """
    Where a generator was begun that has lost its last reference right now.

    Without any context where nothing is known. Nothing is noted again: CPython leaves a
    weak reference dangling which is made while its object is finalized.
    """
    known = _gone.begun.pop(id(generator), None)
    return Carried.nothing() if known is None else known.carried


def place(generator: _AsyncGenerator) -> Carried:
    """Where a generator was begun that is still referred to."""
    known = _begun.get(id(generator))
    return Carried.nothing() if known is None else known.carried


def take_hooks() -> None:
    """
    Let the loop that is running here, if there is one, use its hooks as they are now.

    It has taken them when it began to run: servers import the application later.
    """
    try:
        loop: Any = asyncio.get_running_loop()
    except RuntimeError:
        return
    if getattr(sys.get_asyncgen_hooks().firstiter, "__self__", None) == loop:
        sys.set_asyncgen_hooks(
            loop._asyncgen_firstiter_hook, loop._asyncgen_finalizer_hook
        )


def begun(previous: Callable[..., None], loop: Any, generator: _AsyncGenerator) -> None:
    """Note where `generator` was begun; a loop's hook for the first step of one."""
    previous(loop, generator)
    note(generator, loop)


def abandoned(
    previous: Callable[..., None], loop: Any, generator: _AsyncGenerator
) -> None:
    """
    Let the loop close `generator` where it was begun; a loop's hook for that.

    The loop would do so wherever the last reference to it was dropped: in another
    request, as often as not. Where nothing is known it has no context at all.
    """
    apart(taken(generator).run, previous, loop, generator)


async def close_left(previous: Callable[[Any], Awaitable[None]], loop: Any) -> None:
    """Close what is left where it was begun; a loop's method for that, at its end."""
    left = [
        (generator, known.carried)
        for known in list(_begun.values())
        if known.loop() is loop
        and (generator := known.generator()) is not None
        and not generator.ag_running  # type: ignore[attr-defined]
    ]
    ended = await asyncio.gather(
        *(carried.run(loop.create_task, one.aclose()) for one, carried in left),
        return_exceptions=True,
    )
    for (generator, carried), error in zip(left, ended, strict=True):
        if isinstance(error, Exception):
            message = "an error occurred during closing of asynchronous generator"
            report = {
                "message": f"{message} {generator!r}",
                "exception": error,
                "asyncgen": generator,
            }
            carried.run(loop.call_exception_handler, report)
    await previous(loop)
