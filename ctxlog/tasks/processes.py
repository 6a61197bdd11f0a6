"""
Processes and pools of the standard library. Adapter: standard library and core.

A process is forked in the context of the code that happened to need it first; its jobs
have contexts of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.pool import Pool
from multiprocessing.process import BaseProcess
from typing import Any, Generic, ParamSpec, TypeVar

from ctxlog._patch import Patch
from ctxlog.carrier.items import adopt, carry
from ctxlog.context.adapter import Carried, current_view

__all__ = ["ContextCall", "Initializer", "install", "uninstall"]

_P = ParamSpec("_P")
_T = TypeVar("_T")


class ContextCall(Generic[_P, _T]):
    """
    A function with the context that it was made in; to be called in another process.

    For pools that `install()` does not cover: `pool.submit(ContextCall(work), order)`.
    It is pickled as the function is, with the fields, plain and redacted. Each call
    runs in a fresh store with them; without a store if there was no context.

    Args:
        fn: The function to call.
    """

    __slots__ = ("_carried", "_fn")

    def __init__(self, fn: Callable[_P, _T], /) -> None:
        self._fn = fn
        self._carried = None if current_view().empty else carry(None)

    def __call__(self, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Call the function in its context and return what it returns."""
        if self._carried is None:
            # Not in the context that the process was forked in.
            return Carried.nothing().run(self._fn, *args, **kwargs)
        with adopt(self._carried):
            return self._fn(*args, **kwargs)


class Initializer:
    """
    The function that a pool calls first in each of its processes.

    For `ProcessPoolExecutor(initializer=Initializer(ctxlog.configure, format="json"))`
    and `multiprocessing.Pool`: it leaves the context that the process was forked in,
    and calls *fn*, which configures logging in a process that was spawned.

    Args:
        fn: A function to call.
        args: Its arguments.
        kwargs: Its keyword arguments.
    """

    __slots__ = ("_args", "_fn", "_kwargs")

    def __init__(
        self, fn: Callable[..., object] | None = None, /, *args: Any, **kwargs: Any
    ) -> None:
        self._fn = fn
        self._args = args
        self._kwargs = kwargs

    def __call__(self) -> None:
        """Initialize the process that calls it."""
        Carried.nothing().enter()
        if self._fn is not None:
            self._fn(*self._args, **self._kwargs)


def install() -> None:
    """
    Let processes and the jobs of process pools go on in the context that started them.

    `ProcessPoolExecutor.submit` and `map`, `multiprocessing.Process` with a target, and
    all methods of `multiprocessing.Pool`, for the whole process. Each runs in a fresh
    store with the fields of the call. A job that is submitted outside of any context
    has none, wherever its process was forked. Processes that are spawned configure
    logging themselves: see `Initializer`. It lasts until `uninstall()`.
    """
    for patch in _PATCHES:
        patch.install()


def uninstall() -> None:
    """Undo `install()`; without it, a no-op."""
    for patch in _PATCHES:
        patch.uninstall()


def _carrying(
    previous: Callable[..., Any], pool: Any, fn: Any, /, *args: Any, **kwargs: Any
) -> Any:
    # A chunk of `map()` is such a call already.
    call = fn if isinstance(fn, ContextCall) else ContextCall(fn)
    return previous(pool, call, *args, **kwargs)


def _start(previous: Callable[..., Any], process: Any) -> Any:
    # A subclass with a `run()` of its own has no target.
    target = getattr(process, "_target", None)
    if target is not None and not isinstance(target, ContextCall):
        process._target = ContextCall(target)
    return previous(process)


_PATCHES = (
    Patch(ProcessPoolExecutor, "submit", _carrying),
    Patch(BaseProcess, "start", _start),
    Patch(Pool, "apply_async", _carrying),
    Patch(Pool, "_map_async", _carrying),
    Patch(Pool, "imap", _carrying),
    Patch(Pool, "imap_unordered", _carrying),
)
