"""
Greenlets go on in the context that spawned them; their crashes become lines.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import Context
from types import TracebackType
from typing import Any

from ctxlog._patch import Patch
from ctxlog.context import detached
from ctxlog.context.adapter import Carried, lent
from ctxlog.errors import requires
from ctxlog.runtime._crash import passed_on, report

with requires("gevent"):
    from gevent import Greenlet
    from gevent.hub import Hub
    from gevent.threadpool import ThreadPool

__all__ = ["install", "uninstall"]


def install() -> None:
    """
    Have greenlets carry the context, and log their uncaught exceptions.

    `gevent.spawn`, `spawn_later`, `Greenlet.start`, `Pool` and `Group` carry the
    context in which the greenlet is scheduled, `ThreadPool` that of its `spawn` and
    `apply`. A greenlet that was given a `gr_context` keeps it. gevent's report of a
    crash is a line of logger `ctxlog.crash`, printed by gevent only if no handler took
    it. To be called before or after monkey patching; doing it twice changes nothing;
    it lasts until `uninstall()`.
    """
    Greenlet.add_spawn_callback(_spawned)
    for patch in _PATCHES:
        patch.install()


def uninstall() -> None:
    """Undo `install()`. Greenlets spawned meanwhile keep their context."""
    Greenlet.remove_spawn_callback(_spawned)
    for patch in _PATCHES:
        patch.uninstall()


def _spawned(greenlet: Any) -> None:
    carried = Carried()
    if carried.empty or greenlet.gr_context is not None:
        return
    context = Context()
    context.run(carried.enter)
    greenlet.gr_context = context


def _spawn_in_thread(
    previous: Callable[..., Any],
    pool: Any,
    func: Callable[..., Any],
    /,
    *args: Any,
    **kwargs: Any,
) -> Any:
    carried = Carried()
    with detached():
        return previous(pool, carried.run, func, *args, **kwargs)


def _print_exception(
    previous: Callable[..., None],
    hub: Any,
    context: object,
    kind: type[BaseException],
    error: BaseException | None,
    traceback: TracebackType | None,
) -> None:
    written = False
    if not passed_on(kind):
        # Not its repr, which has the arguments; of a thread pool it is a tuple.
        name = getattr(context, "name", None)
        message = f"Uncaught exception in {f'greenlet {name}' if name else 'gevent'}"
        with lent(getattr(context, "gr_context", None) or Context()):
            written = report(logging.ERROR, message, kind, error, traceback)
    if not written or previous is not _PRINT:
        previous(hub, context, kind, error, traceback)


_PRINT = Hub.print_exception
_PATCHES = (
    Patch(ThreadPool, "spawn", _spawn_in_thread),
    Patch(Hub, "print_exception", _print_exception),
)
