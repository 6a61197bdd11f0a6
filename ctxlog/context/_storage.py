"""
Captures of the whole context, and stores of any value beside ctxlog's own.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from typing import Any, Generic, ParamSpec, TypeVar, cast

from ctxlog.context.bodies import (
    ContextRunner,
    VariableRunner,
    continued,
    decorated,
)

_P = ParamSpec("_P")
_T = TypeVar("_T")
_R = TypeVar("_R")
_F = TypeVar("_F", bound=Callable[..., Any])


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
            TypeError: if *fn* is not callable.
        """
        if not callable(fn):
            raise TypeError(f"run() takes a function to call, not {fn!r}")
        context = self._context.copy()
        result = context.run(fn, *args, **kwargs)
        return cast(_T, continued(result, ContextRunner(context)))


_wrapped: weakref.WeakSet[Callable[..., Any]] = weakref.WeakSet()


def wrap(fn: _F, /) -> _F:
    """
    Return `fn` bound to the context that is active now.

    For callbacks that a library calls from elsewhere. The result has the name, the
    signature and the kind of `fn`; wrapping it again changes nothing.

    Raises:
        TypeError: if *fn* is not callable.
    """
    if not callable(fn):
        raise TypeError(f"wrap() takes a function, not {fn!r}")
    try:
        if fn in _wrapped:
            return fn
    except TypeError:  # not hashable, so it cannot be one of `_wrapped`
        pass
    context = copy_context()
    bound = decorated(fn, lambda *_, **__: ContextRunner(context.copy()))
    _wrapped.add(bound)
    return cast(_F, bound)


_MISSING: Any = object()

# The variables of all storages. A dict, since adding to one, removing from it and
# listing it are atomic: threads do so at any time.
_variables: dict[ContextVar[Any], None] = {}


def storage_values() -> dict[ContextVar[Any], Any]:
    """Return the values of all storages that have one."""
    if not _variables:
        return {}
    values = ((variable, variable.get()) for variable in list(_variables))
    return {variable: value for variable, value in values if value is not _MISSING}


def set_storage_values(values: dict[ContextVar[Any], Any]) -> None:
    """Set the values of all storages; one that is not in *values* has none."""
    for variable in list(_variables):
        variable.set(values.get(variable, _MISSING))


class AsyncLocalStorage(Generic[_T]):
    """
    A further store of any value, independent of ctxlog's own and of all others.

    Node's `AsyncLocalStorage`, for values that do not belong on the log lines, or not
    under the request's store: a tenant, a transaction. Make one at the top of a module
    and keep it: Python never frees the context variable behind it.

    Args:
        name: The name in its `repr()`; any object is turned into a string.
        default: The value of `get_store()` outside of any run.
    """

    __slots__ = ("__weakref__", "_default", "_variable", "name")

    def __init__(self, name: object = "", *, default: _T | None = None) -> None:
        self.name = str(name)
        self._default = default
        self._variable: ContextVar[Any] = ContextVar(self.name, default=_MISSING)
        _variables[self._variable] = None
        forget = weakref.finalize(self, _variables.pop, self._variable, None)
        forget.atexit = False

    def __repr__(self) -> str:
        return f"<AsyncLocalStorage {self.name!r}>"

    def get_store(self) -> _T | None:
        """Return the active value, or the default outside of any run. Never raises."""
        value = self._variable.get()
        return self._default if value is _MISSING else value

    def run(
        self,
        store: _T | None,
        fn: Callable[_P, _R],
        /,
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> _R:
        """
        Call `fn` with `store` as the active value and return what it returns.

        The body of a coroutine or generator that it returns has the value too. None
        is a value like any other; it does not mean the default.

        Raises:
            TypeError: if *fn* is not callable; the context is as before.
        """
        if not callable(fn):
            raise TypeError(f"run() takes a function to call, not {fn!r}")
        runner = VariableRunner(self._variable, store)
        return cast(_R, continued(runner.step(fn, *args, **kwargs), runner))

    def enter_with(self, store: _T) -> None:
        """
        Make `store` the active value for the rest of the current context.

        It holds for the rest of the task or `run()`, and in what is started from
        here on. A coroutine that is awaited directly leaks it to its caller, so
        prefer `run()`.
        """
        self._variable.set(store)

    def exit(self, fn: Callable[_P, _R], /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        """
        Call `fn` with no value: `get_store()` is None, also if there is a default.

        Raises:
            TypeError: if *fn* is not callable; the context is as before.
        """
        return self.run(None, fn, *args, **kwargs)
