"""
Counts and times of a request: summed up while it runs, shown by its completion line.

They are kept beside the fields, since no other line shows them. A store has totals if
an adapter opened it (`Entry`): such a request, task or call ends with a line.
"""

from __future__ import annotations

import functools
import inspect
import os
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar, cast

from ctxlog.context._frames import get_current
from ctxlog.context._store import Store
from ctxlog.context.bodies import Runner, decorated

_F = TypeVar("_F", bound=Callable[..., Any])
_T = TypeVar("_T")

_now = time.perf_counter_ns

# Guards the totals of all stores. Re-entrant, since a signal handler may count while
# the interrupted code does.
_lock = threading.RLock()


def _renew_lock() -> None:
    # In a forked child, a lock that another thread held would never be released.
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):  # pragma: no branch (all but Windows)
    os.register_at_fork(after_in_child=_renew_lock)


class Total:
    """
    What has been counted, and timed, under one name.

    A block that begins subtracts the time, and adds it when it ends: so the sum is
    right for any number of blocks at once, in whatever order they end.

    Attributes:
        count: The sum of the amounts, and the number of blocks that have ended.
        open: How many blocks have begun and not ended.
        nanoseconds: The sum of the blocks' ends minus that of their beginnings.
        timed: Whether there was a block.
    """

    __slots__ = ("count", "nanoseconds", "open", "timed")

    def __init__(self) -> None:
        self.count: float = 0
        self.open = 0
        self.nanoseconds = 0
        self.timed = False

    def shown(self, now: int) -> object:
        """Return what the line shows; a block that is still open ends at *now*."""
        if not self.timed:
            return self.count
        nanoseconds = self.nanoseconds + self.open * now
        return {"count": self.count + self.open, "ms": round(nanoseconds / 1e6, 3)}


#: The totals of a store that has a completion line, before the first. Never written to.
NO_TOTALS: dict[str, Total] = {}


def entry_store() -> Store | None:
    """
    Return the store of the innermost `Entry`; None outside of any.

    Other than `get_store()` it looks through the stores of `run()`, which are nested in
    a request and have no completion line.
    """
    frame = get_current()
    while frame is not None:
        store = frame.store
        if store is None:  # detached
            return None
        if store._totals is not None:
            return store
        frame = frame.parent
    return None


def _total(store: Store, name: str) -> Total | None:
    """Return the total of a name; None after the completion line. With the lock."""
    totals = store._totals
    if totals is NO_TOTALS:
        totals = store._totals = {}
    elif totals is None:
        return None
    total = totals.get(name)
    if total is None:
        total = totals[name] = Total()
    return total


def count(name: str, /, amount: float = 1) -> None:
    """
    Add to a count of the active request, which its completion line shows.

    `count("rows", 12)` and `count("rows", 3)` come out as `"rows":15`. The sum is that
    of the whole request: of all its tasks and threads, exactly. In a nested `run()` it
    is the request's around it. Without a request, and after its completion line, it is
    a no-op. A name that is also given to `timed()` adds to that count.

    Args:
        name: The field's name. The line has it as `fields.NAME` if it is one of its
            own, such as `status`.
        amount: What to add; it may be negative.

    Raises:
        TypeError: if *name* is not a string, or *amount* not a number.
    """
    if type(name) is not str or type(amount) is not int:
        _check(name, amount)
    store = entry_store()
    if store is None:
        return
    with _lock:
        totals = store._totals
        total = totals.get(name) if totals else None
        if total is None:  # the first of its name
            total = _total(store, name)
        if total is not None:
            # One instruction without a call: nothing comes in between.
            total.count += amount


class timed:
    """
    Time a block, or a function, for the completion line of the active request.

    `with timed("render"):` comes out as `"render":{"count":1,"ms":12.4}`: how many
    blocks there were, and how many milliseconds they took together. Blocks that run at
    the same time add up, so the sum may exceed the request's duration. A block that is
    open when the request completes counts with its time until then. Without a request
    it is a no-op. The same object may be used again, also by several threads.

    `@timed("render")` times every call of a function: `def`, `async def`, generator and
    async generator functions keep their kind. A generator counts from its first step
    until it is exhausted or closed, with what its consumer does in between.

    Args:
        name: The field's name, as for `count()`.

    Raises:
        TypeError: if *name* is not a string.
    """

    __slots__ = ("_name",)

    def __init__(self, name: str, /) -> None:
        if type(name) is not str:
            _check(name, 1)
        self._name = name

    def __enter__(self) -> None:
        begin_time(self._name)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        end_time(self._name, entry_store())

    def __call__(self, fn: _F, /) -> _F:
        """Decorate `fn`: every call is timed."""
        if isinstance(fn, staticmethod | classmethod):
            return cast(_F, type(fn)(self(fn.__func__)))
        if not callable(fn):
            raise TypeError(f"expected a function to decorate, not {fn!r}")
        if inspect.isasyncgenfunction(fn):
            return cast(_F, decorated(fn, lambda *_, **__: _TimedBody(self)))
        make = _timed_function
        if inspect.iscoroutinefunction(fn):
            make = _timed_coroutine_function
        elif inspect.isgeneratorfunction(fn):
            make = _timed_generator_function
        return cast(_F, functools.wraps(fn)(make(self, fn)))


def _timed_function(block: timed, fn: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        with block:
            return fn(*args, **kwargs)

    return call


def _timed_coroutine_function(
    block: timed, fn: Callable[..., Any]
) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        with block:
            return await fn(*args, **kwargs)

    return call


def _timed_generator_function(
    block: timed, fn: Callable[..., Any]
) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        with block:
            return (yield from fn(*args, **kwargs))

    return call


class _TimedBody(Runner):
    """Times the body of an async generator, whose steps run as they are."""

    __slots__ = ("_block",)

    def __init__(self, block: timed) -> None:
        self._block = block
        block.__enter__()

    def step(self, fn: Callable[..., _T], /, *args: Any, **kwargs: Any) -> _T:
        return fn(*args, **kwargs)

    def done(self, error: BaseException | None, /) -> None:
        self._block.__exit__(None, None, None)


def add_time(name: str, nanoseconds: int, /) -> None:
    """
    Add the time of one call to a total of the active request.

    For adapters of clients and databases, which know when a call began and ended: the
    same as a block of `ctxlog.timed`. Without a request it is a no-op. Never raises.

    Args:
        name: The field's name.
        nanoseconds: How long the call took.
    """
    store = entry_store()
    if store is None:
        return
    with _lock:
        total = _total(store, name)
        if total is not None:
            total.timed = True
            total.nanoseconds += nanoseconds
            total.count += 1


def begin_time(name: str, /) -> Store | None:
    """
    Begin to time a call for a total of the active request.

    For adapters whose calls may end elsewhere, in a callback, another thread or task:
    the time is that of the request that made the call. A call that has not ended when
    the request completes counts with its time until then. Never raises.

    Args:
        name: The field's name.

    Returns:
        The request's store, which `end_time()` needs, or None without a request.
    """
    store = entry_store()
    if store is None:
        return None
    with _lock:
        total = _total(store, name)
        if total is None:
            return None
        total.timed = True
        total.open += 1
        total.nanoseconds -= _now()
    return store


def end_time(name: str, store: Store | None, /) -> None:
    """
    End a call that `begin_time()` began. Never raises; call it once.

    Args:
        name: The field's name.
        store: What `begin_time()` has returned.
    """
    if store is None:
        return
    now = _now()
    with _lock:
        totals = store._totals
        total = totals.get(name) if totals else None
        if total is not None and total.open:  # else it began in another request
            total.open -= 1
            total.nanoseconds += now
            total.count += 1


def take_totals(store: Store, /) -> dict[str, object]:
    """
    Return the totals of a store for its completion line, and end the counting.

    Args:
        store: The store of an `Entry`. Any other has none.
    """
    if store._totals is NO_TOTALS:  # as nearly always
        store._totals = None
        return {}
    with _lock:
        totals = store._totals
        store._totals = None
    if not totals:
        return {}
    now = _now()
    return {name: total.shown(now) for name, total in totals.items()}


def _check(name: object, amount: object) -> None:
    if not isinstance(name, str):
        raise TypeError(f"the name of a total must be a string, not {name!r}")
    if not isinstance(amount, (int, float)):
        raise TypeError(f"the amount of {name!r} must be a number, not {amount!r}")
