"""
The request that a line is about, where it was not logged in that request's context.

A server's own lines, and lines that report an exception. For `loggers` and `servers`.
"""

from __future__ import annotations

import sys
import weakref
from contextvars import ContextVar

from ctxlog.context._api import get_store
from ctxlog.context._exceptions import Origin, origin_of
from ctxlog.context._frames import get_current
from ctxlog.context._store import NOTHING, Store, View
from ctxlog.context._views import current_view

# The store that `Entry.step` ran last in this thread or task. A weak reference, since
# a server may forget to close what it was given.
_served: ContextVar[weakref.ref[Store] | None] = ContextVar(
    "ctxlog.served", default=None
)
set_served = _served.set


def served_store() -> Store | None:
    """
    Return the store that `Entry.step` ran last in this thread or task, closed or not.

    Return None if the store has been garbage-collected. Never raises.
    """
    reference = _served.get()
    return None if reference is None else reference()


def server_store() -> Store | None:
    """
    Return the store of the request that a server's own line is about, if it is known.

    The active one; else that of the exception which the server is handling; else that
    of the request between whose steps it is. Never raises.
    """
    store = get_store()
    if store is not None:
        return store
    origin = _handled_origin()
    return _store_between_steps() if origin is None else origin.frame.store


def server_view(*, late: bool) -> View:
    """
    Return the context of a server's own line: that of `server_store()`. Never raises.

    Args:
        late: Whether the line may be about a request that is over, as an access line.
            If not, the server speaks of itself in such a context: it was captured by a
            timer, or a signal came in the request's last moment.
    """
    own = current_view()
    if not own.empty and (late or not own.late):
        return own
    origin = _handled_origin()
    if origin is not None:
        return _reported(origin)
    store = _store_between_steps() if own.empty else None
    return NOTHING if store is None else store._view


def _handled_origin() -> Origin | None:
    return origin_of(sys.exc_info()[1], get_current())


def _store_between_steps() -> Store | None:
    store = served_store()
    return None if store is None or store.closed else store


def error_view(error: BaseException | None, *, reporting: bool = False) -> View:
    """
    Return the context of a line that reports an exception. Never raises.

    For adapters of loggers. An exception that left a store or a scope remembers it. The
    line has all its fields from there if it has no context of its own, if its own
    request has completed, or if its logger reports on behalf of others. Otherwise it
    has those of `current_view()`, and gains the ones that it lacks.

    Args:
        error: The exception that the line reports; None is the same as
            `current_view()`.
        reporting: Whether the logger writes about other requests than the one in whose
            context it happens to run: `asyncio`, a server's error log.
    """
    own = current_view()
    origin = origin_of(error, get_current())
    if origin is None:
        return own
    theirs = _reported(origin)
    if reporting or own.late or own.empty:
        return theirs
    gained = {k: v for k, v in theirs.fields.items() if k not in own.fields}
    if not gained:
        return own
    fields = {**own.fields, **gained}
    return View(fields, own.started, own.late, own.lines)


def _reported(origin: Origin) -> View:
    view = origin.frame.current()
    if view.late and not origin.late:
        # The report of a request's failure necessarily comes after its end.
        return View(view.fields, view.started, False, view.lines)
    return view
