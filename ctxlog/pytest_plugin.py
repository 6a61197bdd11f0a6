"""
The pytest plugin `ctxlog`. Edge: imports pytest, and nothing heavy before it is used.

It changes nothing by itself. A test that asks for the fixture `ctxlog_lines` has the
lines that it logs. `ctxlog_store = true` among pytest's options runs every test in a
store of its own, with field `test` set to its node id, its fixtures with it; fixtures
of a wider scope, which serve several tests, run outside of any.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

import pytest

from ctxlog.context import Store, detached, run
from ctxlog.context.adapter import Entry

if TYPE_CHECKING:
    from ctxlog.testing import CapturedLines

__all__ = ["ctxlog_lines", "pytest_addoption", "pytest_configure"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the option `ctxlog_store`."""
    text = "run every test in a ctxlog store of its own (default: false)"
    parser.addini("ctxlog_store", text, type="bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    """Give every test a store, if the configuration asks for it."""
    if config.getini("ctxlog_store"):
        config.pluginmanager.register(_Stores(), "ctxlog_stores")


@pytest.fixture
def ctxlog_lines() -> Generator[CapturedLines, None, None]:
    """The lines that this test logs, by whichever logger: `capture_lines()`."""
    from ctxlog.testing import capture_lines

    with capture_lines() as lines:
        yield lines


_STORE = pytest.StashKey[Store]()


class _Stores:
    """The hooks that open a store for each test."""

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, None]:
        """Open the test's store around its fixtures and itself."""
        item.stash[_STORE] = store = Store(test=item.nodeid)
        with Entry(store):
            yield

    # An event loop that serves several tests runs them in the context that it was made
    # in, so what is asynchronous is given its store function by function.

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, None]:
        """Run an asynchronous test in its store, whatever context its loop has."""
        store = item.stash[_STORE]
        function: Any = getattr(item, "obj", None)
        handle = getattr(function, "hypothesis", None)
        if handle is not None and inspect.iscoroutinefunction(handle.inner_test):
            inner = handle.inner_test
            handle.inner_test = _within(store)(inner)
            yield
            handle.inner_test = inner
        elif inspect.iscoroutinefunction(function):
            holder: Any = item
            holder.obj = _redone(function, _within(store))
            yield
            holder.obj = function
        else:
            yield

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, Any, None]:
        """Run a fixture in the test's store, or in none if it serves several tests."""
        store = request.node.stash.get(_STORE, None)
        function = fixturedef.func
        holder: Any = fixturedef
        if fixturedef.scope != "function":
            holder.func = _redone(function, detached())
        elif store is not None and (
            inspect.iscoroutinefunction(function)
            or inspect.isasyncgenfunction(function)
        ):
            holder.func = _redone(function, _within(store))
        yield
        holder.func = function


def _redone(
    function: Callable[..., Any], decorate: Callable[[Any], Any]
) -> Callable[..., Any]:
    """Decorate a function, or a method such that pytest can still bind it anew."""
    if isinstance(function, types.MethodType):
        decorated: Any = decorate(function.__func__)
        return types.MethodType(decorated, function.__self__)
    wrapped: Callable[..., Any] = decorate(function)
    return wrapped


def _within(store: Store) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator for asynchronous functions: each call runs in `store`."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        if inspect.isasyncgenfunction(function):

            @functools.wraps(function)
            async def generator(*args: Any, **kwargs: Any) -> Any:
                body = run(store, function, *args, **kwargs)
                try:
                    async for value in body:
                        yield value
                finally:
                    await body.aclose()

            return generator

        @functools.wraps(function)
        async def coroutine(*args: Any, **kwargs: Any) -> Any:
            return await run(store, function, *args, **kwargs)

        return coroutine

    return decorate
