"""
Threads and executors go on in the context that they were started in.

A thread and a pool's job carry ctxlog's own variables only: the store with its scopes,
and every `AsyncLocalStorage`. The worker threads of a pool carry nothing themselves.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import Context
from typing import Any, ParamSpec, TypeVar

from ctxlog.context import Carried, withheld
from ctxlog.patch import Patch

__all__ = ["ContextThreadPoolExecutor", "install", "uninstall"]

_P = ParamSpec("_P")
_T = TypeVar("_T")

#: Libraries whose own threads serve one request after another. Most hand the context
#: over themselves; where one does not, no id is better than the first request's.
_POOLS = ("anyio", "concurrent", "multiprocessing", "trio")


def install() -> None:
    """
    Have threads and executors carry the context, in the whole process.

    `threading.Thread` and `Timer`, with their subclasses, go on in the context of the
    `start()`; the jobs of every `ThreadPoolExecutor` (`submit`, `map`, and so
    `loop.run_in_executor`) in that of the submission; callbacks of
    `concurrent.futures.Future` in that of `add_done_callback()`. A job that is
    submitted without a context has none. Doing it twice changes nothing; it lasts
    until `uninstall()`.
    """
    for patch in _PATCHES:
        patch.install()


def uninstall() -> None:
    """
    Undo `install()`. What was started meanwhile keeps its context.

    Where somebody else has patched the same function since, ours only hands through
    to what was there before. Without an `install()` nothing happens.
    """
    for patch in _PATCHES:
        patch.uninstall()


class ContextThreadPoolExecutor(ThreadPoolExecutor):
    """
    A `ThreadPoolExecutor` whose jobs run in the context of their submission.

    For who would rather not patch. Its worker threads have no context themselves, so
    that a pool that was made in a request does not stay in it.
    """

    def submit(
        self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> Future[_T]:
        """
        Submit `fn`, to be called in the context that is active now.

        Raises:
            RuntimeError: the pool was shut down.
        """
        carried = Carried()
        with withheld():  # a worker thread may be started by the call
            return super().submit(carried.run, fn, *args, **kwargs)


def _submit(
    previous: Callable[..., Future[Any]],
    pool: ThreadPoolExecutor,
    fn: Callable[..., Any],
    /,
    *args: Any,
    **kwargs: Any,
) -> Future[Any]:
    carried = Carried()
    if carried.empty:
        return previous(pool, carried.run, fn, *args, **kwargs)
    with withheld():  # a worker thread may be started by the call
        return previous(pool, carried.run, fn, *args, **kwargs)


def _add_done_callback(
    previous: Callable[..., None], future: Future[Any], fn: Callable[..., Any]
) -> None:
    carried = Carried()
    previous(future, lambda done: carried.run(fn, done))


def _start(previous: Callable[..., None], thread: threading.Thread) -> None:
    carried = Carried()
    if _serves_many(thread):
        with withheld():  # threads may inherit by themselves, greenlets do
            previous(thread)
        return
    if carried.empty or _has_context(thread):
        previous(thread)
        return
    # The instance's own `run` is replaced, which also subclasses that override it go
    # through, and only until it is called: it refers to the thread.
    attributes = vars(thread)
    replaced = attributes.get("run")
    run = thread.run

    def give_back() -> None:
        if replaced is None:
            attributes.pop("run", None)
        else:
            attributes["run"] = replaced

    def run_in_context() -> None:
        give_back()
        # For good, so that `threading.excepthook` is called in the context too.
        carried.enter()
        carried.run(run)

    attributes["run"] = run_in_context
    try:
        previous(thread)
    except BaseException:
        give_back()
        raise


def _has_context(thread: threading.Thread) -> bool:
    """Whether the interpreter or the caller gives the thread a context (3.14)."""
    inherits = getattr(sys.flags, "thread_inherit_context", False)
    return bool(inherits) or isinstance(getattr(thread, "_context", None), Context)


def _serves_many(thread: threading.Thread) -> bool:
    """Whether it is a pool's own thread, by where what it runs was defined."""
    runs = getattr(thread, "_target", None) or type(thread)
    return str(getattr(runs, "__module__", "")).partition(".")[0] in _POOLS


_PATCHES = (
    Patch(threading.Thread, "start", _start),
    Patch(ThreadPoolExecutor, "submit", _submit),
    Patch(Future, "add_done_callback", _add_done_callback),
)
