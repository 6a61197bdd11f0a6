"""
Run what a function returned where the function ran. Core: standard library only.

Python creates a coroutine or a generator in one place and runs its body in
another: at await time, or at each `next()`. A `run(store, fn)` that only calls
`fn` would therefore do nothing for `async def` and generator functions. The
functions here take the object that `fn` returned and give back one of the same
kind whose body always runs in a `Place`.
"""

from __future__ import annotations

import functools
import inspect
import sys
import types
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
)
from contextvars import Context, ContextVar, copy_context
from typing import Any, Protocol, TypeVar

_T = TypeVar("_T")


def apart(fn: Callable[..., _T], /, *args: Any, **kwargs: Any) -> _T:
    """
    Call `fn` in a copy of the current context, and return what it returns.

    For what finalizers do: the collector may come in the middle of a
    `ContextVar.set()`, and up to Python 3.11 another one within that frees what the
    first is working on. Later ones come between instructions only.
    """
    return copy_context().run(fn, *args, **kwargs)


class Place(Protocol):
    """
    Somewhere to run a body piece by piece.

    A piece is what runs between two suspensions, of a generator or of a coroutine.
    It is synchronous, so whatever a place sets up is taken down in the same thread
    and the same context: also when a body is driven by hand, shares its context
    with other tasks, or is closed by the garbage collector in a foreign one.

    1. `step` runs one piece and leaves nothing behind.
    2. `done` is called once, when the body has ended: with the exception that
       ended it, or None.
    """

    def step(self, fn: Callable[..., _T], /, *args: Any, **kwargs: Any) -> _T:
        """Run one piece: call `fn` here and return what it returns."""
        ...

    def done(self, error: BaseException | None, /) -> None:
        """Take note that the body has ended."""
        ...


class HeldPlace:
    """A place that holds one context variable at a value while a piece runs."""

    __slots__ = ("_value", "_variable")

    def __init__(self, variable: ContextVar[Any], value: object) -> None:
        self._variable = variable
        self._value = value

    def step(self, fn: Callable[..., _T], /, *args: Any, **kwargs: Any) -> _T:
        """Run one piece of a body here; return what `fn` returns."""
        variable = self._variable
        found = back = variable.get()
        # A signal handler may raise after any call: what is set is set within the
        # block that puts it back, and that is a block of its own.
        try:
            try:
                variable.set(self._value)
                return fn(*args, **kwargs)
            finally:
                # What the body set meanwhile (a scope around a `yield`) is the body's
                # own: it comes back with the next piece.
                self._value = variable.get()
                back = self.standing(found)
        finally:
            variable.set(back)

    def left(self, value: object, /) -> None:
        """Take note of what a piece that ran elsewhere has left behind."""
        self._value = value

    def standing(self, found: Any, /) -> Any:
        """What to put back, given what was found before the piece."""
        return found

    def done(self, error: BaseException | None, /) -> None:
        """Nothing to do: a bare value has no end."""


class ContextPlace:
    """A place that is a whole `contextvars.Context`."""

    __slots__ = ("_context",)

    def __init__(self, context: Context) -> None:
        self._context = context

    def step(self, fn: Callable[..., _T], /, *args: Any, **kwargs: Any) -> _T:
        """Run one piece of a body here; return what `fn` returns."""
        return self._context.run(fn, *args, **kwargs)

    def done(self, error: BaseException | None, /) -> None:
        """Nothing to do: the copied context is dropped."""


class _Pieces:
    """Awaits `awaitable`, each piece of it in `place`."""

    __slots__ = ("_awaitable", "_place")

    def __init__(self, awaitable: Any, place: Place) -> None:
        self._awaitable = awaitable
        self._place = place

    def __await__(self) -> Generator[Any, Any, Any]:
        iterate = getattr(self._awaitable, "__await__", None)
        # A generator marked by `types.coroutine` is awaitable without the method.
        return _drive(iterate() if iterate else self._awaitable, self._place)


def _drive(body: Any, place: Place) -> Generator[Any, Any, Any]:
    """Do `yield from body`, each piece of it in `place`."""
    thrown: list[BaseException] = []

    def piece(sent: Any) -> Any:
        # Popped, and `body` dropped below (it may be an `athrow()`, which holds the
        # error): an error that its own traceback's frames refer to is a cycle, and
        # would keep the store alive until the garbage collector runs.
        if thrown:
            return body.throw(thrown.pop())
        return next(body) if sent is None else body.send(sent)

    sent: Any = None
    try:
        while True:
            try:
                item = place.step(piece, sent)
            except StopIteration as stop:
                return stop.value
            try:
                sent = yield item
            except GeneratorExit:
                if hasattr(body, "close"):
                    place.step(body.close)
                raise
            except BaseException as error:
                if not hasattr(body, "throw"):
                    raise
                # Without this frame, which would stand below the one that raised.
                # Unbound, since an exception may override anything.
                trace = sys.exc_info()[2]
                below = None if trace is None else trace.tb_next
                thrown.append(BaseException.with_traceback(error, below))
                sent = trace = below = None
    finally:
        body = None


_Start = Callable[..., tuple[Any, Place]]


def _coroutine_function(start: _Start) -> Callable[..., Coroutine[Any, Any, Any]]:
    async def coroutine(*args: Any, **kwargs: Any) -> Any:
        body, place = start(*args, **kwargs)
        try:
            result = await _Pieces(body, place)
        except BaseException as error:
            place.done(error)
            raise
        place.done(None)
        return result

    return coroutine


def _generator_function(start: _Start) -> Callable[..., Generator[Any, Any, Any]]:
    def generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        body, place = start(*args, **kwargs)
        try:
            result = yield from _drive(body, place)
        except BaseException as error:
            place.done(error)
            raise
        place.done(None)
        return result

    return generator


def _async_generator_function(start: _Start) -> Callable[..., AsyncGenerator[Any, Any]]:
    async def async_generator(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        body, place = start(*args, **kwargs)
        step: Any = _first_step(body)
        try:
            while True:
                try:
                    item = await _Pieces(step, place)
                except StopAsyncIteration:
                    break
                try:
                    sent = yield item
                except GeneratorExit:
                    await _Pieces(body.aclose(), place)
                    raise
                except BaseException as error:
                    step = body.athrow(error)
                else:
                    step = body.asend(sent)
        except BaseException as error:
            place.done(error)
            step = None  # an `athrow()` holds the error, see `_drive`
            raise
        place.done(None)

    return async_generator


def _first_step(body: AsyncGenerator[Any, Any]) -> Awaitable[Any]:
    # An event loop closes the async generators that it saw starting. It must see
    # only the outer one: closing the inner one by itself would run its `finally`
    # outside its place, at the same time as the outer one's.
    hooks = sys.get_asyncgen_hooks()
    try:
        sys.set_asyncgen_hooks(firstiter=None, finalizer=None)
        return body.__anext__()
    finally:
        sys.set_asyncgen_hooks(*hooks)


class _Unstarted:
    """
    A body that has not begun; the start of the wrapper around it.

    A wrapper that is closed or cancelled before its first piece never asks for the
    body, and nobody else knows it: it would complain of never having been awaited,
    and its place would never be done.
    """

    __slots__ = ("_body", "_place")

    def __init__(self, body: Any, place: Place) -> None:
        self._body = body
        self._place: Place | None = place

    def __call__(self) -> tuple[Any, Place]:
        place = self._place
        assert place is not None, "a body is started once"
        self._place = None
        return self._body, place

    def __del__(self) -> None:
        if self._place is not None:
            apart(self._drop, self._place)

    def _drop(self, place: Place) -> None:
        if hasattr(self._body, "close"):  # not an async generator
            self._body.close()
        place.done(None)


def continued(result: Any, place: Place) -> Any:
    """
    Return `result` such that what is left of it to run will run in `place`.

    A coroutine, a generator or an async generator comes back as one of the same
    kind; `place.done()` is called when its body ends. Anything else has nothing
    left to run: `place.done(None)` is called and `result` comes back as it is.
    """
    maker: Callable[[_Start], Callable[..., Any]]
    if result is None:
        place.done(None)
        return None
    if isinstance(result, types.CoroutineType) or _is_awaitable_body(result):
        maker = _coroutine_function
    elif isinstance(result, types.GeneratorType):
        maker = _generator_function
    elif isinstance(result, types.AsyncGeneratorType):
        maker = _async_generator_function
    else:
        place.done(None)
        return result
    body: Any = maker(_Unstarted(result, place))()
    body.__name__ = getattr(result, "__name__", body.__name__)
    body.__qualname__ = getattr(result, "__qualname__", body.__qualname__)
    return body


def _is_awaitable_body(result: object) -> bool:
    """Whether `result` is a coroutine other than an `async def` function's."""
    if isinstance(result, types.GeneratorType):
        return bool(result.gi_code.co_flags & inspect.CO_ITERABLE_COROUTINE)
    return isinstance(result, Coroutine)


def decorated(
    fn: Callable[..., Any], open_place: Callable[..., Place]
) -> Callable[..., Any]:
    """
    Return a function of the same kind as `fn` whose every call has its own place.

    `inspect.iscoroutinefunction()` and its siblings answer for the result as they
    do for `fn`, since frameworks decide by them how to call it. The place of a
    coroutine or generator function is opened when its body starts.

    Args:
        fn: What to decorate.
        open_place: Gets the arguments of each call and returns its place.

    Raises:
        TypeError: *fn* is not callable.
    """
    if not callable(fn):
        raise TypeError(f"expected a function to decorate, not {fn!r}")

    def start(*args: Any, **kwargs: Any) -> tuple[Any, Place]:
        return fn(*args, **kwargs), open_place(*args, **kwargs)

    def call(*args: Any, **kwargs: Any) -> Any:
        place = open_place(*args, **kwargs)
        try:
            result = place.step(fn, *args, **kwargs)
        except BaseException as error:
            place.done(error)
            raise
        return continued(result, place)

    if inspect.iscoroutinefunction(fn):
        return functools.wraps(fn)(_coroutine_function(start))
    if inspect.isasyncgenfunction(fn):
        return functools.wraps(fn)(_async_generator_function(start))
    if inspect.isgeneratorfunction(fn):
        return functools.wraps(fn)(_generator_function(start))
    return functools.wraps(fn)(call)
