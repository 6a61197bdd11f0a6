"""
Run the body of a function where the function itself was called.

Python runs the body of a coroutine or a generator elsewhere than the call that made it:
where it is awaited, or at each `next()`. So a `run(store, fn)` that only called `fn`
would do nothing for `async def` and generator functions. The functions here take the
object that `fn` returned and return one of the same kind, whose body runs step by step
in a `Runner`.
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
from typing import Any, Protocol, TypeVar, cast

_T = TypeVar("_T")


def apart(fn: Callable[..., _T], /, *args: Any, **kwargs: Any) -> _T:
    """
    Call `fn` in a copy of the current context, and return what it returns.

    For the work of finalizers. The garbage collector may run in the middle of a
    `ContextVar.set()`, and up to Python 3.11 a second `set()` inside of that frees what
    the first one is working on. Later versions collect between instructions only.
    """
    return copy_context().run(fn, *args, **kwargs)


class Runner(Protocol):
    """
    An object that runs a body step by step.

    A step is what a coroutine or a generator does between two suspensions. It is
    synchronous, so whatever a runner sets up for a step is undone in the same thread
    and the same context: also if the body is driven by hand, shares its context with
    other tasks, or is closed by the garbage collector elsewhere. An `Entry` is a
    runner; write another one for a body that does not end its request.
    """

    __slots__ = ()

    def step(self, fn: Callable[..., _T], /, *args: Any, **kwargs: Any) -> _T:
        """Run one step: call `fn`, return what it returns, and leave nothing behind."""
        ...

    def done(self, error: BaseException | None, /) -> None:
        """Note that the body has ended: by `error`, or None. Called once."""
        return


class VariableRunner(Runner):
    """Sets a context variable during each step, and keeps its value in between."""

    __slots__ = ("_value", "_variable")

    def __init__(self, variable: ContextVar[Any], value: object) -> None:
        self._variable = variable
        self._value = value

    def step(self, fn: Callable[..., _T], /, *args: Any, **kwargs: Any) -> _T:
        """Call `fn` with the variable set, and return what it returns."""
        variable = self._variable
        found = back = variable.get()
        # A signal handler may raise after any call: the variable is set within the
        # block that restores it, and that is a block of its own.
        try:
            try:
                variable.set(self._value)
                return fn(*args, **kwargs)
            finally:
                # A value that the body set (a scope around a `yield`) is the body's
                # own: it is active again in the next step.
                self._value = variable.get()
                back = self._restored(found)
        finally:
            variable.set(back)

    def _restored(self, found: Any, /) -> Any:
        """Return what to set after a step, given what was found before it."""
        return found


class ContextRunner(Runner):
    """Runs each step in a `contextvars.Context`."""

    __slots__ = ("_context",)

    def __init__(self, context: Context) -> None:
        self._context = context

    def step(self, fn: Callable[..., _T], /, *args: Any, **kwargs: Any) -> _T:
        """Call `fn` in the context, and return what it returns."""
        return self._context.run(fn, *args, **kwargs)


@types.coroutine
def _drive(body: Any, runner: Runner) -> Generator[Any, Any, Any]:
    """Do `yield from body`, or await it, each step of it in `runner`."""
    iterate = getattr(body, "__await__", None)
    if iterate is not None:
        body = iterate()
    thrown: list[BaseException] = []

    def step(sent: Any) -> Any:
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
                item = runner.step(step, sent)
            except StopIteration as stop:
                return stop.value
            try:
                sent = yield item
            except GeneratorExit:
                if hasattr(body, "close"):
                    runner.step(body.close)
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
        body = iterate = None


_Start = Callable[..., tuple[Any, Runner]]


def _coroutine_function(start: _Start) -> Callable[..., Coroutine[Any, Any, Any]]:
    async def coroutine(*args: Any, **kwargs: Any) -> Any:
        body, runner = start(*args, **kwargs)
        try:
            result = await _drive(body, runner)
        except BaseException as error:
            runner.done(error)
            raise
        runner.done(None)
        return result

    return coroutine


def _generator_function(start: _Start) -> Callable[..., Generator[Any, Any, Any]]:
    def generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        body, runner = start(*args, **kwargs)
        try:
            result = yield from cast(Any, _drive(body, runner))
        except BaseException as error:
            runner.done(error)
            raise
        runner.done(None)
        return result

    return generator


def _async_generator_function(start: _Start) -> Callable[..., AsyncGenerator[Any, Any]]:
    async def async_generator(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        body, runner = start(*args, **kwargs)
        step: Any = _first_step(body)
        try:
            while True:
                try:
                    item = await _drive(step, runner)
                except StopAsyncIteration:
                    break
                try:
                    sent = yield item
                except GeneratorExit:
                    await _drive(body.aclose(), runner)
                    raise
                except BaseException as error:
                    step = body.athrow(error)
                else:
                    step = body.asend(sent)
        except BaseException as error:
            runner.done(error)
            step = None  # an `athrow()` holds the error, see `_drive`
            raise
        runner.done(None)

    return async_generator


def _first_step(body: AsyncGenerator[Any, Any]) -> Awaitable[Any]:
    # An event loop closes the async generators that it saw starting. It must see only
    # the outer one: closing the inner one by itself would run its `finally` outside of
    # its runner, at the same time as the outer one's.
    hooks = sys.get_asyncgen_hooks()
    try:
        sys.set_asyncgen_hooks(firstiter=None, finalizer=None)
        return body.__anext__()
    finally:
        sys.set_asyncgen_hooks(*hooks)


class _Unstarted:
    """
    A body that has not begun; starts the wrapper around it.

    A wrapper that is closed or cancelled before its first step never asks for the body.
    Nothing else refers to the body then: Python would warn that it was never awaited,
    and its runner would never be done.
    """

    __slots__ = ("_body", "_runner")

    def __init__(self, body: Any, runner: Runner) -> None:
        self._body = body
        self._runner: Runner | None = runner

    def __call__(self) -> tuple[Any, Runner]:
        runner = self._runner
        assert runner is not None, "a body is started once"
        self._runner = None
        return self._body, runner

    def __del__(self) -> None:
        if self._runner is not None:
            apart(self._drop, self._runner)

    def _drop(self, runner: Runner) -> None:
        if hasattr(self._body, "close"):  # not an async generator
            self._body.close()
        runner.done(None)


def continued(result: Any, runner: Runner) -> Any:
    """
    Return `result` such that the rest of its work runs in `runner`.

    For adapters that call a handler which may return a body: `continued(
    entry.step(handler, request), entry)`. The function never raises.

    Args:
        result: The result of a function. A coroutine, a generator or an async generator
            comes back as one of the same kind, whose body runs step by step in
            `runner`. Any other object has no work left and comes back as it is.
        runner: Its `done()` is called once: when the body has ended, also by an
            exception or by being closed or dropped; at once if there is no body.
    """
    maker: Callable[[_Start], Callable[..., Any]]
    if result is None:  # as of most functions
        runner.done(None)
        return None
    if isinstance(result, types.GeneratorType):
        awaitable = result.gi_code.co_flags & inspect.CO_ITERABLE_COROUTINE
        maker = _coroutine_function if awaitable else _generator_function
    elif isinstance(result, types.AsyncGeneratorType):
        maker = _async_generator_function
    elif isinstance(result, Coroutine):
        maker = _coroutine_function
    else:
        runner.done(None)
        return result
    body: Any = maker(_Unstarted(result, runner))()
    body.__name__ = getattr(result, "__name__", body.__name__)
    body.__qualname__ = getattr(result, "__qualname__", body.__qualname__)
    return body


def decorated(
    fn: Callable[..., Any], open_runner: Callable[..., Runner]
) -> Callable[..., Any]:
    """
    Return a function of the same kind as `fn` whose every call has its own runner.

    `inspect.iscoroutinefunction()` and its siblings give the same answers for the
    result as for `fn`, since frameworks decide by them how to call it. The runner of a
    coroutine or generator function is opened when its body starts.

    Args:
        fn: The function to decorate.
        open_runner: Gets the arguments of each call and returns its runner.

    Raises:
        TypeError: if *fn* is not callable.
    """
    if not callable(fn):
        raise TypeError(f"expected a function to decorate, not {fn!r}")

    def start(*args: Any, **kwargs: Any) -> tuple[Any, Runner]:
        return fn(*args, **kwargs), open_runner(*args, **kwargs)

    def call(*args: Any, **kwargs: Any) -> Any:
        runner = open_runner(*args, **kwargs)
        try:
            result = runner.step(fn, *args, **kwargs)
        except BaseException as error:
            runner.done(error)
            raise
        return continued(result, runner)

    if inspect.iscoroutinefunction(fn):
        return functools.wraps(fn)(_coroutine_function(start))
    if inspect.isasyncgenfunction(fn):
        return functools.wraps(fn)(_async_generator_function(start))
    if inspect.isgeneratorfunction(fn):
        return functools.wraps(fn)(_generator_function(start))
    return functools.wraps(fn)(call)
