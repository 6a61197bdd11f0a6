"""
The interface for authors of adapters: servers, queues, event loops, loggers.

An adapter of a server or a queue opens a store where its library begins a request
(`Entry`), logs about it with `within`, and keeps it from what the library starts for
itself (`lent`, `ctxlog.detached`). An adapter of threads or an event loop hands the
context over (`Carried`). An adapter of a logger asks for the context of each line
(`current_view`, `error_view`), and may add fields to every line (`add_source`).
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextvars import Context
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from ctxlog.context._api import get_store, run
from ctxlog.context._blocks import FrameRunner
from ctxlog.context._exceptions import remember
from ctxlog.context._frames import (
    Frame,
    ScopeFrame,
    TemporaryFrame,
    current,
    leave,
    set_current,
    standing,
)
from ctxlog.context._frames import get_current as get_current
from ctxlog.context._storage import set_storage_values, storage_values
from ctxlog.context._store import Store, View
from ctxlog.context._store import new_lines as new_lines
from ctxlog.context._totals import (
    NO_TOTALS,
    add_time,
    begin_time,
    end_time,
    entry_store,
    take_totals,
)
from ctxlog.context._views import add_source, current_view, remove_source
from ctxlog.context.bodies import Runner, continued
from ctxlog.context.reporting import error_view, set_served

__all__ = [
    "Carried",
    "Entry",
    "Runner",
    "View",
    "add_source",
    "add_time",
    "begin_time",
    "continued",
    "current_view",
    "end_time",
    "entry_store",
    "error_view",
    "lent",
    "remove_source",
    "take_totals",
    "within",
]

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Entry(FrameRunner):
    """
    A context manager for where a request enters the program.

    For adapters of servers and queues. Inside, `store` is active in a frame without a
    parent, whatever was active before: an event loop may start one request's task in
    the context of the previous one on the same connection
    (https://github.com/python/cpython/issues/140947). At the end `store` is closed, and
    an exception that passes remembers it. The context that was found is restored only
    if its own request is still open, since a stale id on the server's own lines is
    worse than none. Leaving never raises.

    A request that is served step by step (a WSGI application, then its body chunk by
    chunk) runs each step with `step()`, which leaves nothing behind in the server's
    thread, and ends with `done()`. An entry is used once, in one of the two ways.

    Args:
        store: The request's own, new store.

    Attributes:
        store: The same.
    """

    __slots__ = ("_found", "_served", "store")

    def __init__(self, store: Store, /) -> None:
        # All slots at once: this is a part of what every request costs.
        self._variable = current
        self._frame = self._value = Frame(store, None)
        self._owned = self.store = store
        store._totals = NO_TOTALS
        self._found: Frame | None = None
        self._served: weakref.ref[Store] | None = None

    def __enter__(self) -> Store:
        self._found = get_current()
        try:
            set_current(self._frame)
        except BaseException:  # from a signal handler: `__exit__` will not be called
            self.__exit__(None, None, None)
            raise
        return self.store

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if error is not None:
                remember(self._frame, error)
            lines = self.store._view.lines
            if lines is not None:
                lines.finish(self.store, error)
            self.store.close()
        finally:
            found, self._found = self._found, None
            frame = self._frame
            if get_current() is frame:  # as nearly always
                frame.left = True
                set_current(None if found is None else self._restored(found))
            elif leave(frame) and found is not None:
                set_current(self._restored(found))

    def step(self, fn: Callable[..., _T], /, *args: Any, **kwargs: Any) -> _T:
        """
        Call `fn`, one step of the request, in the store and return what it returns.

        Scopes that earlier steps opened are active again. After the step nothing is,
        but the server's own lines count as the request's until it is done. An exception
        of `fn` remembers the request.
        """
        # As `VariableRunner.step`, without the calls in between.
        found = back = get_current()
        try:
            try:
                set_current(self._value)
                return fn(*args, **kwargs)
            finally:
                self._value = get_current()
                if found is not None:
                    back = self._restored(found)
        except BaseException as error:
            remember(self._frame, error)
            raise
        finally:
            set_current(back)
            if self._served is None:
                self._served = weakref.ref(self.store)
            set_served(self._served)

    def _within(self, fn: Callable[..., _T], /, *args: Any) -> _T:
        """
        Call `fn` in the store, wherever the request ends, and return what it returns.

        Scopes are active only if they are here already: not those of earlier steps.
        """
        found = get_current()
        if found is not None and found.store is self.store:
            return fn(*args)
        try:
            set_current(self._frame)
            return fn(*args)
        finally:
            set_current(standing(found))

    def note(self, error: BaseException | None, /) -> None:
        """Let an exception remember the request, which goes on. Never raises."""
        if error is not None:
            remember(self._frame, error)

    def _restored(self, found: Frame | None, /) -> Frame | None:
        return None if _is_over(found) else standing(found)


def _is_over(frame: Frame | None) -> bool:
    """Return whether the request that `frame` belongs to has ended."""
    if frame is None:
        return False
    node: Frame | None = frame
    while type(node) is ScopeFrame:
        node = node.parent
    return (node is not None and node.left) or frame.source._view.late


def within(
    store: Store, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs
) -> _T:
    """
    Call `fn` in a store, and return what it returns.

    For lines that an adapter logs about a request, wherever the library reports on it.
    Other than `run()` it keeps the open scopes if the store is active already.

    Args:
        store: The request's store. It may be closed, and stays as it is.
        fn: The function to call. Its exceptions pass.
    """
    if get_store() is store:
        return fn(*args, **kwargs)
    return run(store, fn, *args, **kwargs)


class lent(TemporaryFrame):
    """
    Lend a context to a block: what captures it inside has none after the block.

    For adapters that call a library which both logs for the request and registers
    callbacks of its own. A server's `send` writes the access line, which belongs to the
    request, and has the transport call back later, which does not. Another use is to
    report on behalf of others: the failure of a task, a callback or a greenlet belongs
    to its own context. `ctxlog.detached()` is the block that has no context. An object
    is made where it is entered, once.

    Args:
        context: The context to lend: the active one by default; an empty one is the
            same as `detached()`. Only ctxlog's own store and scopes are taken from it.
    """

    # The frame is its own block, since servers send twice for every request.
    __slots__ = ()

    def __init__(self, context: Context | None = None, /) -> None:
        self.parent = below = get_current()
        lent = below if context is None else context.get(current)
        if lent is None:
            Frame.__init__(self, None, below)
            return
        # As there, all slots at once.
        self.store = lent.store
        self.source = lent.source
        self.overlay = lent.overlay
        self.view = lent.view
        self.left = False
        self.owner = self.token = None

    def open(self) -> None:
        """Enter the block, as `with` does. For `try` and `finally: close()`."""
        self.token = set_current(self)

    def close(self) -> None:
        """Leave the block, whether `open()` was reached or not."""
        below = self.parent
        if get_current() is self and type(below) is not ScopeFrame:
            self.end()
            set_current(below)
        else:
            leave(self)

    def __enter__(self) -> None:
        try:
            self.open()
        except BaseException:  # from a signal handler: `__exit__` will not be called
            self.close()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class Carried:
    """
    A capture of ctxlog's part of the active context, to go on with elsewhere.

    For adapters of threads, pools and greenlets. It holds the store with its scopes and
    the values of every `AsyncLocalStorage`, and no other variable: those of async
    libraries and of `decimal` belong to where they were set (`ctxlog.Snapshot` captures
    all). It may be used any number of times, from any thread, and keeps the store alive
    as long as it exists.
    """

    __slots__ = ("_frame", "_values")

    def __init__(self) -> None:
        self._frame = get_current()
        self._values = storage_values()

    @classmethod
    def nothing(cls) -> Carried:
        """Return a capture of no context."""
        capture = cls.__new__(cls)
        capture._frame, capture._values = None, {}
        return capture

    @property
    def empty(self) -> bool:
        """Whether there was nothing to capture."""
        return self._frame is None and not self._values

    def enter(self) -> None:
        """Make the capture active for the rest of the current context."""
        set_current(self._frame)
        set_storage_values(self._values)

    def run(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """
        Call `fn` in the capture and return what it returns.

        Afterwards the context is as before, since a pool uses its threads again. An
        exception of `fn` remembers the capture.
        """
        found = get_current()
        values = storage_values()
        try:
            self.enter()
            return fn(*args, **kwargs)
        except BaseException as error:
            if self._frame is not None:
                remember(self._frame, error)
            raise
        finally:
            set_current(standing(found))
            set_storage_values(values)
