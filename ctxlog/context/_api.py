"""
The store, and how it travels. Core: imports the standard library only.

One `ContextVar` holds the current *frame*. A frame refers to the request's
mutable `Store` and to the scopes laid over it, so whoever holds the frame (the
outer middleware, a task that was started earlier, a worker thread) sees what is
bound later. Inside, everything is copy-on-write: a write swaps one immutable
`View`, and a log line keeps the view that it was written under.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from contextvars import Context, ContextVar, Token, copy_context
from types import TracebackType
from typing import Any, Generic, ParamSpec, TypeVar, cast

from ctxlog._names import get_names
from ctxlog.context._bodies import ContextPlace, HeldPlace, continued, decorated
from ctxlog.context._exceptions import Origin, origin_of, remember

_P = ParamSpec("_P")
_T = TypeVar("_T")
_D = TypeVar("_D")
_F = TypeVar("_F", bound=Callable[..., Any])


class View:
    """
    What a line logged at one moment takes from its context. Never changes.

    Attributes:
        fields: The store's fields with the scopes' laid over them.
        started: When the store was made, in nanoseconds since the epoch; None
            where there is no store.
        late: Whether the store was already closed.
        encoded: Where the encoders of lines keep the bytes of *fields*, each under
            itself; dropped together with the view when something is bound.
    """

    __slots__ = ("base", "encoded", "fields", "late", "started")

    def __init__(
        self,
        fields: dict[str, object],
        started: int | None,
        late: bool = False,
        base: View | None = None,
    ) -> None:
        self.fields = fields
        self.started = started
        self.late = late
        self.base = base
        self.encoded: dict[object, Any] | None = None

    @property
    def empty(self) -> bool:
        """Whether there was no context at all."""
        return self.started is None and not self.fields


_NOTHING = View({}, None)
_NOT_MADE = View({}, None)

# Guards the swap of a store's view. Re-entrant, since a signal handler may bind
# while the interrupted code does.
_swap_lock = threading.RLock()


def _renew_swap_lock() -> None:
    # In a forked child another thread's hold on the lock would last for ever.
    global _swap_lock
    _swap_lock = threading.RLock()


if hasattr(os, "register_at_fork"):  # pragma: no branch (all but Windows)
    os.register_at_fork(after_in_child=_renew_swap_lock)


class Store(MutableMapping[str, object]):
    """
    The fields of one request, shared by everything that runs for it.

    A mapping from field names to any values: what was put in comes back. Writing
    is safe from any thread; a line that was logged before keeps the values that it
    had. Values are encoded when they are first logged after a write, so changing a
    bound value in place is not seen until it is bound again. May be subclassed to
    give the fields names and types.

    It lives as long as something refers to it: the request, and the tasks and
    threads that the request started.

    Args:
        fields: The first fields.
        more: Further fields.

    Raises:
        TypeError: a field's name is not a string.
    """

    __slots__ = ("__weakref__", "_view")

    def __init__(
        self,
        fields: Mapping[str, object] | Iterable[tuple[str, object]] = (),
        /,
        **more: object,
    ) -> None:
        first = dict(fields)
        if more:
            first.update(more)
        for name in first:
            if type(name) is not str:
                _check_name(name)
        self._view = View(first, time.time_ns())

    @property
    def closed(self) -> bool:
        """Whether the request has completed; lines logged since then are late."""
        return self._view.late

    def close(self) -> None:
        """Say that the request has completed; its fields stay. Twice is fine."""
        with _swap_lock:
            seen = self._view
            if not seen.late:
                self._view = View(seen.fields, seen.started, late=True)

    def __getitem__(self, name: str) -> object:
        return self._view.fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._view.fields)

    def __len__(self) -> int:
        return len(self._view.fields)

    def __contains__(self, name: object) -> bool:
        return name in self._view.fields

    def __setitem__(self, name: str, value: object) -> None:
        _check_name(name)
        self._put({name: value})

    def __delitem__(self, name: str) -> None:
        self._swap(lambda fields: fields.__delitem__(name))

    # What `MutableMapping` makes of two steps each is one here: a write of another
    # thread never falls between them.

    def setdefault(self, name: str, default: Any = None) -> Any:
        """Return a field; if it is not there, write `default` to it first."""
        _check_name(name)
        return self._swap(lambda fields: fields.setdefault(name, default))

    def pop(self, name: str, *default: Any) -> Any:
        """Remove a field and return its value, or `default` if it is not there."""
        return self._swap(lambda fields: fields.pop(name, *default))

    def popitem(self) -> tuple[str, object]:
        """Remove the newest field and return its name and value."""
        return self._swap(lambda fields: fields.popitem())

    def clear(self) -> None:
        """Remove all fields at once."""
        self._swap(lambda fields: fields.clear())

    def update(self, other: Any = (), /, **more: object) -> None:
        """Write several fields at once: no line shows only some of them."""
        new = dict(other, **more)
        for name in new:
            if type(name) is not str:
                _check_name(name)
        self._put(new)

    def discard(self, *names: str) -> None:
        """Remove fields; those that are not there are passed over."""

        def remove(fields: dict[str, object]) -> None:
            for name in names:
                fields.pop(name, None)

        self._swap(remove)

    def __repr__(self) -> str:
        # Names only: the values may be secrets, and a repr ends up in a log.
        return f"<{type(self).__name__} of {', '.join(self) or 'no fields'}>"

    #: Sentry would expand a mapping among a frame's variables.
    __sentry_repr__ = __repr__

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._view.fields,)

    def _put(self, new: dict[str, object]) -> None:
        with _swap_lock:
            seen = self._view
            self._view = View({**seen.fields, **new}, seen.started, seen.late)

    def _swap(self, change: Callable[[dict[str, object]], _D]) -> _D:
        # Outside of the lock, and anew if somebody else was faster: what compares and
        # hashes names may be foreign.
        while True:
            seen = self._view
            changed = dict(seen.fields)
            result = change(changed)
            view = View(changed, seen.started, seen.late)
            with _swap_lock:
                if self._view is seen:
                    self._view = view
                    return result


def _check_name(name: object) -> None:
    if not isinstance(name, str):
        raise TypeError(
            f"a field's name must be a string, not {type(name).__name__}: {name!r}"
        )


class _NoStore:
    """Stands where a frame has no store, so that reading a view needs no branch."""

    _view = _NOTHING


_NO_STORE = _NoStore()


class _Frame:
    """
    One entry of the context: a store, a scope over it, or nothing.

    Attributes:
        store: The innermost store, None without one.
        source: The store again, or what stands for none: it has the newest view.
        parent: The frame that was current when this one was entered.
        overlay: The fields of all scopes over the store.
        left: Whether its block has ended, here or in another context.
        view: The last view that was made of it.
    """

    __slots__ = ("left", "overlay", "parent", "source", "store", "view")

    def __init__(
        self,
        store: Store | None,
        parent: _Frame | None,
        overlay: dict[str, object] | None = None,
    ) -> None:
        self.store = store
        self.source: Store | _NoStore = _NO_STORE if store is None else store
        self.parent = parent
        self.overlay = overlay
        self.left = False
        self.view = _NOT_MADE

    def refresh(self) -> View:
        """Make the view anew: the store was written to, or was never looked at."""
        newest = self.source._view
        view = newest
        if self.overlay:
            # The view knows what it was made of: both change by one assignment,
            # so a thread that shares the frame never sees one without the other.
            merged = {**newest.fields, **self.overlay}
            view = View(merged, newest.started, newest.late, base=newest)
        self.view = view
        return view

    def current(self) -> View:
        """The view of what a line logged in this frame carries now."""
        view = self.view
        newest = self.source._view
        if view is newest or view.base is newest:
            return view
        return self.refresh()

    def end(self) -> None:
        """The block has ended."""
        self.left = True


class _VanishingFrame(_Frame):
    """A frame that is nothing once its block has ended, and keeps nothing alive."""

    __slots__ = ()

    def end(self) -> None:
        self.left = True
        self.store = self.parent = self.overlay = None
        self.source = _NO_STORE
        self.view = _NOTHING


class _BlockFrame(_Frame):
    """
    A frame of a block.

    Attributes:
        owner: The object that opened it.
        token: Proves in which `contextvars.Context` a `with` block entered it; None
            for a decorated function's frame, and once the block was left there.
    """

    __slots__ = ("owner", "token")

    def __init__(
        self,
        owner: object,
        store: Store | None,
        parent: _Frame | None,
        overlay: dict[str, object] | None = None,
    ) -> None:
        super().__init__(store, parent, overlay)
        self.owner = owner
        self.token: Token[_Frame | None] | None = None


class _ScopeFrame(_BlockFrame):
    """Lays fields over the frame below it."""

    __slots__ = ()


class _DetachedFrame(_BlockFrame, _VanishingFrame):
    """Hides the frames below it."""

    __slots__ = ()


class _ImplicitFrame(_Frame):
    """Holds the store that `bind()` made because there was none."""

    __slots__ = ()


_current: ContextVar[_Frame | None] = ContextVar("ctxlog", default=None)


def current_view() -> View:
    """
    Return what a line logged now takes from its context. Never raises.

    The view is immutable and cheap to take: one reference, made anew only when
    something was bound since the last line.
    """
    frame = _current.get()
    if frame is None:
        view = _NOTHING
    else:
        view = frame.view
        newest = frame.source._view
        if view is not newest and view.base is not newest:
            view = frame.refresh()
    return _with_sources(view) if _sources else view


_Source = Callable[[], Mapping[str, object]]

# Further places that fields come from, the first of the highest precedence; and the
# last view that was made with them, since most lines in a row have the same.
_sources: tuple[_Source, ...] = ()
_last_with_sources: tuple[View, dict[str, object], View] = (_NOTHING, {}, _NOTHING)


def add_source(source: _Source, /) -> None:
    """
    Take fields from a further place, over the store's and the scopes'.

    For adapters of libraries that keep a context of their own. *source* is called in
    the context of each log call, must not raise, and be quick. Twice is as once.
    """
    global _sources
    if source not in _sources:
        _sources = (*_sources, source)


def remove_source(source: _Source, /) -> None:
    """Take no more fields from *source*; if it was not added, nothing."""
    global _sources
    _sources = tuple(other for other in _sources if other is not source)


def _with_sources(view: View) -> View:
    global _last_with_sources
    found: dict[str, object] = {}
    for source in _sources:
        fields = source()
        if fields:
            found = {**fields, **found}
    if not found:
        return view
    below, known, merged = _last_with_sources
    if below is view and known is not found and _same(known, found):
        return merged
    merged = View({**view.fields, **found}, view.started, view.late)
    _last_with_sources = (view, found, merged)
    return merged


def _same(one: dict[str, object], other: dict[str, object]) -> bool:
    # By identity: values may be equal without being the same on a line (1 and True).
    return list(one) == list(other) and all(one[name] is other[name] for name in one)


def get_store() -> Store | None:
    """
    Return the active store: the innermost `run()`'s, or None outside of any.

    Everybody who runs for one request gets the same object, so a write is seen by
    all of them. Never raises.
    """
    frame = _current.get()
    return None if frame is None else frame.store


def fields() -> dict[str, object]:
    """
    Return the fields that a line logged now would carry, as a new dict.

    Those of the active store with those of the active scopes over them, unencoded
    and unredacted. The request's id has the name that was chosen for it, also where it
    was bound as `request_id` or the like. Empty outside of any context. Never raises.
    """
    return get_names().applied(current_view().fields)


def bind(**fields: object) -> None:
    """
    Put fields on every further line of the request, whoever logs it.

    They go into the innermost *store*, also inside a `scope()`, and stay until the
    request ends or `unbind()` removes them: an authentication deep down puts the
    user on the outermost middleware's line. Concurrent parts of one request that
    each need a value of their own use `scope()`.

    Outside of any context a store is made for the current one. Other than at the
    top level of a script that store may outlive what it was meant for (a worker
    thread is used again), so there a `RuntimeWarning` says so.
    """
    store = get_store()
    if store is None:
        store = _implicit_store()
    store.update(fields)


def unbind(*names: str) -> None:
    """
    Remove fields from the innermost store.

    Names that are not bound, and a missing context, are passed over. A scope's
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
    below = _current.get()
    store = Store()
    _current.set(_implicit_frame(store, below))
    return store


def _implicit_frame(store: Store, below: _Frame | None) -> _Frame:
    return _ImplicitFrame(store, below, None if below is None else below.overlay)


def _in_event_loop() -> bool:
    # Not imported for this: it is there if a loop of it runs, and takes long to load.
    asyncio: Any = sys.modules.get("asyncio")
    try:
        asyncio.get_running_loop()
    except (AttributeError, RuntimeError):
        pass
    else:
        return True
    try:
        # trio is only there if somebody imported it, and wholly.
        return bool(sys.modules["trio"].lowlevel.in_trio_run())
    except (KeyError, AttributeError):
        return False


# Leaving ------------------------------------------------------------------------


def _leave(frame: _Frame) -> bool:
    """
    End `frame`: its nearest ancestor becomes current if it is in the current chain.

    Scopes are left out of order, twice, by another task, by the garbage collector.
    Whatever happens, the fields of `frame` are gone and no frame that was left
    comes back. Returns whether the current context was in it.
    """
    below = frame.parent
    frame.end()
    node = _current.get()
    implicit = None
    while node is not frame:
        if type(node) is _ImplicitFrame:
            implicit = node.store
        elif node is None or not _goes_with(node, frame):
            return False
        node = node.parent
    below = _standing(below)
    if implicit is not None and type(frame) is _ScopeFrame:
        # `bind()` writes to the store, never to a scope: it outlives the block.
        below = _implicit_frame(implicit, below)
    if isinstance(frame, _BlockFrame):
        _opened_here(frame)
    _current.set(below)
    return True


def _goes_with(upper: _Frame, frame: _Frame) -> bool:
    """
    Whether `upper`, which lies over `frame`, ends with it.

    A block that a handler never left does not outlive its request. But a function
    that still runs in a frame of its own (`run()`, a decorated one) stays in that,
    and what hides a scope goes on hiding: neither will come back to `frame`, see
    `_standing`.
    """
    if not isinstance(upper, _BlockFrame) or upper.token is None:
        return False
    return type(upper) is _ScopeFrame or type(frame) is not _ScopeFrame


def _opened_here(frame: _BlockFrame) -> bool:
    """
    Whether this very context entered `frame`. Says so once.

    Using the token up is the only way to ask, and ends the cycle that it is in: it
    refers to the context, which refers to the frame. The variable is to be set anew.
    """
    if frame.token is None:
        return False
    try:
        _current.reset(frame.token)
    except (ValueError, RuntimeError):
        return False
    frame.token = None
    return True


def _standing(frame: _Frame | None) -> _Frame | None:
    """
    The nearest frame from `frame` on down that this context has not left.

    A scope that ended elsewhere may have been opened elsewhere, too: a task that
    was started in it keeps its fields. The variable is to be set anew.
    """
    while type(frame) is _ScopeFrame and frame.left and _opened_here(frame):
        frame = frame.parent
    return frame


def _open_ancestor(frame: _Frame | None) -> _Frame | None:
    """
    The nearest frame from `frame` on down whose block has not ended.

    What is opened over an ended frame refers to this one instead: the chain of a
    timer that starts itself again must not grow for ever.
    """
    while frame is not None and frame.left:
        frame = frame.parent
    return frame


class _Block:
    """A context manager, and the same as a decorator."""

    __slots__ = ("_entered",)

    def __init__(self) -> None:
        self._entered: _BlockFrame | None = None

    def _open(self) -> _BlockFrame:
        raise NotImplementedError

    def __enter__(self) -> None:
        frame = self._open()
        try:
            self._entered = frame
            frame.token = _current.set(frame)
        except BaseException:  # of a signal handler: there will be no __exit__
            self.__exit__(None, None, None)
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # The one to leave is the nearest that this object opened *here*: the same
        # object may have been entered by other tasks meanwhile.
        node = _current.get()
        while node is not None and not (
            isinstance(node, _BlockFrame) and node.owner is self
        ):
            node = node.parent
        frame = self._entered if node is None else node
        if frame is self._entered:
            self._entered = None
        if frame is not None:
            remember(frame, error)
            _leave(frame)

    def __call__(self, fn: _F, /) -> _F:
        """
        Decorate `fn`: every call runs in the block, opened anew.

        `def`, `async def`, generator and async generator functions keep their kind.
        A generator's body is isolated: its consumer never sees the fields.
        """
        if isinstance(fn, staticmethod | classmethod):
            return cast(_F, type(fn)(self(fn.__func__)))
        return cast(_F, decorated(fn, lambda *_, **__: _FramePlace(self._open())))


class scope(_Block):
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
        super().__init__()
        self._fields = fields

    def _open(self) -> _BlockFrame:
        below = _current.get()
        if below is None:
            return _ScopeFrame(self, None, None, self._fields)
        if below.left:
            below.parent = _open_ancestor(below.parent)
        overlay = self._fields
        if below.overlay:
            overlay = {**below.overlay, **overlay}
        return _ScopeFrame(self, below.store, below, overlay)


class detached(_Block):
    """
    Have no context inside a block: neither store nor scopes.

    For starting what outlives the request: a connection pool, a worker, a timer.
    What is started inside stays without the request's fields for its whole life and
    does not keep the request's store alive. Also a decorator.
    """

    __slots__ = ()

    def _open(self) -> _BlockFrame:
        return _DetachedFrame(self, None, _current.get())


class _FramePlace(HeldPlace):
    """The place of a function's body in a frame of its own."""

    __slots__ = ("_frame", "_owned")

    def __init__(self, frame: _Frame, owned: Store | None = None) -> None:
        super().__init__(_current, frame)
        self._frame = frame
        self._owned = owned

    def standing(self, found: _Frame | None, /) -> _Frame | None:
        # The body may have ended a scope of its caller's: by finishing a generator
        # that had opened one.
        return _standing(found)

    def done(self, error: BaseException | None, /) -> None:
        remember(self._frame, error)
        self._frame.end()
        if self._owned is not None:
            self._owned.close()


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
        fn: What to call.

    Raises:
        TypeError: *store* is not a mapping with string keys, or *fn* is not
            callable; the context is as before.
    """
    if not callable(fn):
        raise TypeError(f"run() takes a function to call, not {fn!r}")
    # A dict is told by its type: asking an abstract class takes longer than the rest.
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
    found = _current.get()
    frame = _Frame(active, _open_ancestor(found))
    # As `_FramePlace.step`, without the calls in between: a run within a run within a
    # run goes deep. A signal handler may raise after any call, so everything up to
    # the last one is within the block.
    back = found
    try:
        _current.set(frame)
        result = fn(*args, **kwargs)
        left = _current.get()
        back = _standing(found)
    except BaseException as error:
        try:
            if back is found:
                back = _standing(found)
        finally:
            _current.set(back)
        remember(frame, error)
        frame.end()
        if owned is not None:
            owned.close()
        raise
    _current.set(back)
    place = _FramePlace(frame, owned)
    place.left(left)
    return cast(_T, continued(result, place))


class Entry(_FramePlace):
    """
    A context manager for where a request enters the program.

    For adapters: middleware, tasks, consumers. Inside, `store` is active in a frame
    without a parent, whatever was active before: an event loop may start one
    request's task in the context of the previous one on the same connection
    (https://github.com/python/cpython/issues/140947). At the end `store` is closed;
    what was found is put back only if that is still open, since a stale id on the
    server's own lines is worse than none. Leaving never raises.

    A request that is served piece by piece (a WSGI application, then its body chunk
    by chunk) runs each piece with `step`, which leaves nothing behind in the server's
    thread, and ends with `done`.

    Args:
        store: The request's own, fresh store.
    """

    __slots__ = ("_found", "_served", "store")

    def __init__(self, store: Store, /) -> None:
        super().__init__(_Frame(store, None), store)
        self.store = store
        self._found: _Frame | None = None
        self._served: weakref.ref[Store] | None = None

    def __enter__(self) -> Store:
        self._found = _current.get()
        try:
            _current.set(self._frame)
        except BaseException:  # of a signal handler: there will be no __exit__
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
            self.note(error)
            self.store.close()
        finally:
            found, self._found = self._found, None
            if _leave(self._frame):
                _current.set(self.standing(found))

    def step(self, fn: Callable[..., _T], /, *args: Any, **kwargs: Any) -> _T:
        """Run one piece; after it the server's own lines are the request's."""
        try:
            return super().step(fn, *args, **kwargs)
        except BaseException as error:
            self.note(error)
            raise
        finally:
            if self._served is None:
                self._served = weakref.ref(self.store)
            _served.set(self._served)

    def standing(self, found: _Frame | None, /) -> _Frame | None:
        """What to put back, given what was found: nothing that is over."""
        return None if _ended(found) else _standing(found)

    def note(self, error: BaseException | None, /) -> None:
        """Let an exception that a piece raised remember the request."""
        remember(self._frame, error)


def _ended(frame: _Frame | None) -> bool:
    """Whether the request that `frame` belongs to is over."""
    node = frame
    while type(node) is _ScopeFrame:
        node = node.parent
    return (node is not None and node.left) or (
        frame is not None and frame.source._view.late
    )


def within(
    store: Store, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs
) -> _T:
    """
    Call `fn` where `store` is active: here, with its open scopes, or else in it alone.

    For adapters: what they log about a request is its own, wherever they are told of
    it. Returns what `fn` returns.
    """
    if get_store() is store:
        return fn(*args, **kwargs)
    return run(store, fn, *args, **kwargs)


# The store that `Entry.step` ran last in this thread or task. Not held: a server may
# forget to close what it was given.
_served: ContextVar[weakref.ref[Store] | None] = ContextVar(
    "ctxlog.served", default=None
)


def server_store() -> Store | None:
    """
    Return the store of the request that a server's own line is about, if it is known.

    The active one; else that of the error which the server is handling; else that of
    the request between whose pieces it is. Never raises.
    """
    store = get_store()
    if store is not None:
        return store
    origin = origin_of(sys.exc_info()[1], _current.get())
    if origin is not None:
        found: Store | None = origin.frame.store
        return found
    return _store_between_pieces()


def _store_between_pieces() -> Store | None:
    store = served_store()
    return None if store is None or store.closed else store


def served_store() -> Store | None:
    """
    Return the store that `Entry.step` ran last in this thread or task, closed or not.

    None once nobody but ctxlog knows it any more. Never raises.
    """
    served = _served.get()
    return None if served is None else served()


def store_view(store: Store) -> View:
    """Return what a line takes from a store. Never raises."""
    return store._view


def server_view(*, late: bool) -> View:
    """
    Return what a server's own line takes from `server_store()`. Never raises.

    Args:
        late: Whether a request that is over may be meant, as by its access line. Else
            the server speaks of itself there: the context has been captured by a
            timer, or by a signal that came in the request's last moment.
    """
    own = current_view()
    if not own.empty and (late or not own.late):
        return own
    origin = origin_of(sys.exc_info()[1], _current.get())
    if origin is not None:
        return _reported(origin)
    store = _store_between_pieces() if own.empty else None
    return _NOTHING if store is None else store._view


class lent:
    """
    Lend the current context to code that may capture it, for one block.

    For adapters: a server's `send` writes the access line, which belongs to the
    request, and registers callbacks with the transport, which do not. After the
    block whatever was captured in it has no context.
    """

    __slots__ = ("_frame",)

    def _open(self) -> _Frame:
        below = _current.get()
        if below is None:
            return _VanishingFrame(None, None)
        return _VanishingFrame(below.store, below, below.overlay)

    def __enter__(self) -> None:
        self._frame = frame = self._open()
        try:
            _current.set(frame)
        except BaseException:  # of a signal handler: there will be no __exit__
            self.__exit__(None, None, None)
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        frame = self._frame
        below = frame.parent
        if _current.get() is frame and type(below) is not _ScopeFrame:
            # As nearly always: nothing was opened over it, and nothing left below.
            frame.end()
            _current.set(below)
        else:
            _leave(frame)


class withheld(lent):
    """Withhold the context from a block: `lent` with nothing in it."""

    __slots__ = ()

    def _open(self) -> _Frame:
        return _VanishingFrame(None, _current.get())


class lent_from(lent):
    """
    Lend the context of somebody else, or none, to one block.

    For adapters that report on behalf of others: what a task, a callback or a greenlet
    did belongs to its own context, wherever the report happens to be made.

    Args:
        context: The other's context; None withholds the one that is active.
    """

    __slots__ = ("_context",)

    def __init__(self, context: Context | None, /) -> None:
        self._context = context

    def _open(self) -> _Frame:
        theirs = None if self._context is None else self._context.get(_current)
        below = _current.get()
        if theirs is None:
            return _VanishingFrame(None, below)
        return _VanishingFrame(theirs.store, below, theirs.overlay)


class Carried:
    """
    A capture of ctxlog's own part of the active context, to go on with elsewhere.

    For adapters: a thread, a pool's job, a greenlet. It holds the store with its
    scopes and the values of every `AsyncLocalStorage`; no other variable, since those
    of async libraries and of `decimal` are about where they were set.
    """

    __slots__ = ("_frame", "_values")

    def __init__(self) -> None:
        self._frame = _current.get()
        self._values = _storage_values()

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
        _current.set(self._frame)
        for variable in _storage_variables:
            variable.set(self._values.get(variable, _MISSING))

    def run(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """
        Call `fn` in the capture and return what it returns.

        Whatever `fn` leaves behind is gone afterwards: the thread may be used again.
        """
        found = _current.get()
        values = _storage_values()
        try:
            self.enter()
            return fn(*args, **kwargs)
        except BaseException as error:
            if self._frame is not None:
                remember(self._frame, error)
            raise
        finally:
            _current.set(_standing(found))
            for variable in _storage_variables:
                variable.set(values.get(variable, _MISSING))


# Exceptions ---------------------------------------------------------------------


def error_view(error: BaseException | None, *, reporting: bool = False) -> View:
    """
    Return what a line that reports `error` takes from its context. Never raises.

    An exception that left a store or a scope remembers it. The line takes everything
    from there if it has no context of its own, if its own request has completed, or
    if its logger reports on behalf of others; else it gains the fields that it lacks.

    Args:
        error: The exception that the line reports, if any.
        reporting: Whether the logger writes about other requests than the one in
            whose context it happens to run (`asyncio`, a server's error log).
    """
    own = current_view()
    origin = origin_of(error, _current.get())
    if origin is None:
        return own
    theirs = _reported(origin)
    if reporting or own.late or own.empty:
        return theirs
    gained = {k: v for k, v in theirs.fields.items() if k not in own.fields}
    if not gained:
        return own
    return View({**own.fields, **gained}, own.started, own.late)


def _reported(origin: Origin) -> View:
    view: View = origin.frame.current()
    if view.late and not origin.late:
        # The report of a request's failure comes after its end, necessarily.
        return View(view.fields, view.started)
    return view


# Snapshots and further storages -------------------------------------------------


class Snapshot:
    """
    A capture of the whole active context, to run something in later.

    It holds every context variable, not only ctxlog's, as `AsyncContext.Snapshot` of
    the TC39 proposal does. A snapshot may be used any number of times, from any
    thread, also recursively: each run has its own copy.
    """

    __slots__ = ("_context",)

    def __init__(self) -> None:
        self._context = copy_context()

    def run(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """
        Call `fn` in the captured context and return what it returns.

        The body of a coroutine or generator that it returns runs there too.

        Raises:
            TypeError: *fn* is not callable.
        """
        if not callable(fn):
            raise TypeError(f"run() takes a function to call, not {fn!r}")
        context = self._context.copy()
        result = context.run(fn, *args, **kwargs)
        return cast(_T, continued(result, ContextPlace(context)))


_wrapped: weakref.WeakSet[Callable[..., Any]] = weakref.WeakSet()


def wrap(fn: _F, /) -> _F:
    """
    Return `fn` bound to the context that is active now.

    For callbacks that a library calls from elsewhere. The result has the name, the
    signature and the kind of `fn`; wrapping it again changes nothing.

    Raises:
        TypeError: *fn* is not callable.
    """
    if not callable(fn):
        raise TypeError(f"wrap() takes a function, not {fn!r}")
    try:
        if fn in _wrapped:
            return fn
    except TypeError:  # not hashable, so it is none of ours
        pass
    snapshot = Snapshot()
    bound = decorated(fn, lambda *_, **__: ContextPlace(snapshot._context.copy()))
    _wrapped.add(bound)
    return cast(_F, bound)


class _Missing:
    def __repr__(self) -> str:
        return "<missing>"


_MISSING = _Missing()

# Of every storage there is. Replaced as a whole, since threads read it at any time.
_storage_variables: tuple[ContextVar[Any], ...] = ()


def _know_variable(variable: ContextVar[Any]) -> None:
    global _storage_variables
    with _swap_lock:
        _storage_variables = (*_storage_variables, variable)


def _forget_variable(variable: ContextVar[Any]) -> None:
    global _storage_variables
    with _swap_lock:
        known = _storage_variables
        _storage_variables = tuple(one for one in known if one is not variable)


def _storage_values() -> dict[ContextVar[Any], Any]:
    if not _storage_variables:
        return {}
    values = ((variable, variable.get()) for variable in _storage_variables)
    return {variable: value for variable, value in values if value is not _MISSING}


class AsyncLocalStorage(Generic[_T]):
    """
    A further store of any value, independent of ctxlog's own and of all others.

    Node's `AsyncLocalStorage`, for what does not belong on the log lines, or not
    under the request's store: a tenant, a transaction. Make one at the top of a
    module and keep it: Python never frees the context variable behind it.

    Args:
        name: For its `repr()`; anything is turned into a string.
        default: What `get_store()` returns outside of any run; None unless given.
    """

    __slots__ = ("__weakref__", "_default", "_variable", "name")

    def __init__(self, name: object = "", *, default: _T | None = None) -> None:
        self.name = str(name)
        self._default = default
        self._variable: ContextVar[Any] = ContextVar(self.name, default=_MISSING)
        _know_variable(self._variable)
        weakref.finalize(self, _forget_variable, self._variable).atexit = False

    def __repr__(self) -> str:
        return f"<AsyncLocalStorage {self.name!r}>"

    def get_store(self) -> _T | None:
        """Return the active value, or the default outside of any. Never raises."""
        value = self._variable.get()
        return self._default if value is _MISSING else value

    def run(
        self,
        store: _T | None,
        fn: Callable[_P, _D],
        /,
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> _D:
        """
        Call `fn` with `store` as the active value and return what it returns.

        The body of a coroutine or generator that it returns has the value too. None
        is a value as any other, it does not mean the default.

        Raises:
            TypeError: *fn* is not callable; the context is as before.
        """
        if not callable(fn):
            raise TypeError(f"run() takes a function to call, not {fn!r}")
        place = HeldPlace(self._variable, store)
        return cast(_D, continued(place.step(fn, *args, **kwargs), place))

    def enter_with(self, store: _T) -> None:
        """
        Make `store` the active value for the rest of the current context.

        It holds for the rest of the task or `run()`, and in what is started from
        here on. A coroutine that is awaited directly leaks it to its caller, so
        prefer `run()`.
        """
        self._variable.set(store)

    def exit(self, fn: Callable[_P, _D], /, *args: _P.args, **kwargs: _P.kwargs) -> _D:
        """
        Call `fn` with no value (None, also where there is a default).

        Raises:
            TypeError: *fn* is not callable; the context is as before.
        """
        return self.run(None, fn, *args, **kwargs)
