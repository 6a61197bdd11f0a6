"""
The functions of the context: run, bind, unbind, scope, detached, fields, get_store.
"""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar, cast

from ctxlog._names import get_names
from ctxlog.context._blocks import Block, FrameRunner
from ctxlog.context._exceptions import remember
from ctxlog.context._frames import (
    Frame,
    ImplicitFrame,
    ScopeFrame,
    TemporaryFrame,
    get_current,
    is_outermost,
    open_ancestor,
    set_current,
    standing,
)
from ctxlog.context._store import Store
from ctxlog.context._views import current_view
from ctxlog.context.bodies import continued

_P = ParamSpec("_P")
_T = TypeVar("_T")


def get_store() -> Store | None:
    """
    Return the active store: the innermost `run()`'s, or None outside of any.

    All code that runs for one request gets the same object, so a write is seen by all
    of it. Never raises.
    """
    frame = get_current()
    return None if frame is None else frame.store


def fields() -> dict[str, object]:
    """
    Return the fields that a line logged now would carry, as a new dict.

    The active scopes' fields win over those of the active store. Values are neither
    encoded nor redacted. The request's id has the configured name, also if it was bound
    as `request_id` or the like. Empty outside of any context. Never raises.
    """
    return get_names().applied(current_view().fields)


def bind(**fields: object) -> None:
    """
    Put fields on every further line of the request, whatever code logs it.

    They go into the innermost *store*, also inside a `scope()`, and stay until the
    request ends or `unbind()` removes them: an authentication deep down puts the user
    on the outermost middleware's line. Concurrent parts of one request that each need
    a value of their own use `scope()`.

    Outside of any context a store is made for the current one. Except at the top level
    of a script, that store may outlive its purpose (a worker thread is used again), so
    there a `RuntimeWarning` is issued.
    """
    store = get_store()
    if store is None:
        store = _implicit_store()
    store.update(fields)


def unbind(*names: str) -> None:
    """
    Remove fields from the innermost store.

    Names that are not bound are ignored; without a store it is a no-op. A scope's
    fields end with its block; they are not removed here.
    """
    store = get_store()
    if store is not None:
        store.discard(*names)


def _implicit_store() -> Store:
    if threading.current_thread() is not threading.main_thread() or _in_event_loop():
        warnings.warn(
            "bind() outside of any context made a store that lasts as long as this "
            "thread or task does; open one with ctxlog.run() where the work begins",
            RuntimeWarning,
            stacklevel=3,
        )
    store = Store()
    set_current(ImplicitFrame(store, get_current()))
    return store


def _in_event_loop() -> bool:
    # Not imported for this, since that takes long: a running loop has imported it.
    asyncio: Any = sys.modules.get("asyncio")
    try:
        asyncio.get_running_loop()
    except (AttributeError, RuntimeError):
        pass
    else:
        return True
    try:
        return bool(sys.modules["trio"].lowlevel.in_trio_run())
    except (KeyError, AttributeError):
        return False


class scope(Block):
    """
    Lay fields over the store, inside a block and in all that the block starts.

    ::

        with ctxlog.scope(order="o-7"):
            ...

        @ctxlog.scope(job="nightly")
        async def clean_up(): ...

    The fields win over the store's of the same name and end with the block, in
    whatever order blocks end; leaving never raises. A block that ends before one
    that was opened inside it ends that one's fields too. Tasks and threads started
    inside keep them. One object may be entered again, also while it is active.

    In a plain generator a bare `with scope()` around a `yield` shows its fields in
    the consumer until the block or the consumer's own ends; the decorator isolates.

    Args:
        fields: The fields; any name works.
    """

    __slots__ = ("_fields",)

    def __init__(self, /, **fields: object) -> None:
        self._entered = None
        self._fields = fields

    def _open(self) -> ScopeFrame:
        below = get_current()
        if below is None:
            return ScopeFrame(None, None, self._fields)
        if below.left:
            below.parent = open_ancestor(below.parent)
        overlay = self._fields
        if below.overlay:
            overlay = {**below.overlay, **overlay}
        return ScopeFrame(below.store, below, overlay)


class detached(Block):
    """
    Have no context inside a block: neither store nor scopes.

    For starting a part that outlives the request: a connection pool, a worker, a timer.
    A part started inside stays without the request's fields for its whole life and
    does not keep the request's store alive. Also a decorator.
    """

    __slots__ = ()

    def _open(self) -> TemporaryFrame:
        return TemporaryFrame(None, get_current())


def run(
    store: Mapping[str, object],
    fn: Callable[_P, _T],
    /,
    *args: _P.args,
    **kwargs: _P.kwargs,
) -> _T:
    """
    Call `fn(*args, **kwargs)` in a store of its own and return what it returns.

    The store is active in all that `fn` does and starts: calls, tasks, callbacks,
    `asyncio.to_thread`. It replaces an outer one, which is back afterwards. If `fn`
    returns a coroutine, a generator or an async generator, the *body* of that runs
    in the store too, when it is awaited or iterated, and only there. A task is no
    such body: `run(fields, create_task, work())` ends at once and the task is late;
    write `create_task(run(fields, work))`.

    Args:
        store: A dict is copied into a new store, which is closed when `fn` (or the
            body that it returned) has ended: lines logged after that are marked as
            late. A `Store` is used as it is and stays open.
        fn: The function to call.

    Raises:
        TypeError: if *store* is not a mapping with string keys, or *fn* is not
            callable; the context is as before.
    """
    if not callable(fn):
        raise TypeError(f"run() takes a function to call, not {fn!r}")
    # The type is compared first: asking an abstract class takes longer than the rest.
    if type(store) is not dict and isinstance(store, Store):
        active, owned = store, None
    elif type(store) is dict or isinstance(store, Mapping):
        # Under the same name: error trackers show the variables of this frame.
        store = active = owned = Store(store)
    else:
        raise TypeError(
            f"run() takes a dict or a Store, not {type(store).__name__}; "
            "to run without a context use detached()"
        )
    found = get_current()
    frame = Frame(active, open_ancestor(found))
    lines = active._view.lines  # of a Store, `set_level()` may add them later
    if lines is not None and found is not None:
        lines.enter(found.source._view)
    # As `FrameRunner.step`, without the calls in between: a run within a run within a
    # run goes deep. A signal handler may raise after any call, so everything up to
    # the last one is within the block.
    back = found
    try:
        set_current(frame)
        result = fn(*args, **kwargs)
        left = get_current()
        back = standing(found)
    except BaseException as error:
        try:
            if back is found:
                back = standing(found)
        finally:
            set_current(back)
        remember(frame, error)
        frame.end()
        if owned is not None:
            if lines is not None:
                lines.finish(owned, error)
            owned.close()
        elif lines is not None and is_outermost(frame):
            lines.fail(error)
        raise
    set_current(back)
    runner = FrameRunner(frame, owned)
    runner._value = left  # the first step was the call
    return cast(_T, continued(result, runner))
