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

from ctxlog._patch import Patch
from ctxlog.context import detached
from ctxlog.context.adapter import Carried

__all__ = ["ContextThreadPoolExecutor", "install", "uninstall"]

_P = ParamSpec("_P")
_T = TypeVar("_T")

#: Libraries whose own threads serve one request after another, or send what all have
#: caused. Most pools hand the context over themselves; where one does not, no id is
#: better than the first request's.
_POOLS = frozenset(
    {
        *("anyio", "concurrent", "multiprocessing", "trio"),
        *("ddtrace", "elasticapm", "newrelic", "opentelemetry", "sentry_sdk"),
    }
)


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
    Undo `install()`. Threads started meanwhile keep their context.

    If another library has patched the same function since, ours only calls the
    function that was there before. Without it, a no-op.
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
        with detached():  # a worker thread may be started by the call
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
    with detached():  # a worker thread may be started by the call
        return previous(pool, carried.run, fn, *args, **kwargs)


def _add_done_callback(
    previous: Callable[..., None], future: Future[Any], fn: Callable[..., Any]
) -> None:
    carried = Carried()
    previous(future, lambda done: carried.run(fn, done))


# The attribute of a thread object that holds what the thread is to go on with, from the
# call of `start()` until the thread begins.
_CARRIED = "_ctxlog_carried"


def _start(
    previous: Callable[..., None], thread: threading.Thread, *args: Any, **kwargs: Any
) -> None:
    carried = Carried()
    if _serves_many(thread):
        with detached():  # threads may inherit by themselves, greenlets do
            previous(thread, *args, **kwargs)
        return
    if carried.empty or isinstance(getattr(thread, "_context", None), Context):
        # From Python 3.14 the caller may have given it a context.
        previous(thread, *args, **kwargs)
        return
    vars(thread)[_CARRIED] = carried
    try:
        if getattr(sys.flags, "thread_inherit_context", False):
            # The thread object would keep what it inherits; it gets it here anyway.
            Carried.nothing().run(previous, thread, *args, **kwargs)
        else:
            previous(thread, *args, **kwargs)
    except BaseException:
        vars(thread).pop(_CARRIED, None)
        raise


def _bootstrap_inner(
    previous: Callable[..., None], thread: threading.Thread, *args: Any, **kwargs: Any
) -> None:
    # The first of the thread object's own methods that the new thread calls. `run` may
    # be overridden, and is replaced by error trackers on the way here.
    carried = vars(thread).pop(_CARRIED, None)
    if carried is not None:
        # For good, so that `threading.excepthook` is called in the context, too.
        carried.enter()
        _put_run_into(carried, thread)
        del carried  # what is left of it goes with the thread
    previous(thread, *args, **kwargs)


def _put_run_into(carried: Carried, thread: threading.Thread) -> None:
    attributes = vars(thread)
    own = attributes.get("run")
    run = thread.run

    def run_in_context(*args: Any, **kwargs: Any) -> None:
        # Given back first: it refers to the thread.
        if own is None:
            attributes.pop("run", None)
        else:
            attributes["run"] = own
        carried.run(run, *args, **kwargs)

    attributes["run"] = run_in_context


def _serves_many(thread: threading.Thread) -> bool:
    """Whether it is a pool's own thread, by where what it runs was defined."""
    runs = getattr(thread, "_target", None) or type(thread)
    return str(getattr(runs, "__module__", "")).partition(".")[0] in _POOLS


_PATCHES = (
    Patch(threading.Thread, "start", _start),
    # OpenTelemetry gives it one that calls the `start()` that it found.
    Patch(threading.Timer, "start", _start),
    Patch(threading.Thread, "_bootstrap_inner", _bootstrap_inner),
    Patch(ThreadPoolExecutor, "submit", _submit),
    Patch(Future, "add_done_callback", _add_done_callback),
)
