"""
`run()` in `run()`, `scope()`, `detached()`: what is seen inside, and what after.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import copy_context
from typing import Any

import pytest

import ctxlog


def test_the_innermost_run_wins_and_the_outer_is_back() -> None:
    """
    A nested run() replaces the store, and the outer one is back after it.
    """

    def outer() -> list[dict[str, object]]:
        return [
            ctxlog.fields(),
            ctxlog.run({"b": 2}, ctxlog.fields),
            ctxlog.fields(),
        ]

    assert ctxlog.run({"a": 1}, outer) == [{"a": 1}, {"b": 2}, {"a": 1}]
    assert ctxlog.fields() == {}


def test_a_nested_run_replaces_scopes_too() -> None:
    """
    A run() inside a scope has none of the scope's fields.
    """
    with ctxlog.scope(s=1):
        assert ctxlog.run({"a": 1}, ctxlog.fields) == {"a": 1}
        assert ctxlog.fields() == {"s": 1}


def test_what_a_nested_run_binds_stays_in_it() -> None:
    """
    bind() in a nested run() writes to the inner store; the outer one is unchanged.
    """

    def outer() -> dict[str, object]:
        ctxlog.run({}, ctxlog.bind, b=2)
        return ctxlog.fields()

    assert ctxlog.run({"a": 1}, outer) == {"a": 1}


def test_a_thousand_nested_runs() -> None:
    """
    Runs nested hundreds deep, and a thousand scopes, each have their fields.
    """

    async def level(n: int) -> None:
        assert ctxlog.fields() == {"n": n}
        if n % 2:
            await asyncio.sleep(0)
        if n < 150:
            await ctxlog.run({"n": n + 1}, level, n + 1)
        assert ctxlog.fields() == {"n": n}

    def sync_level(n: int) -> None:
        assert ctxlog.fields() == {"n": n}
        if n < 100:
            ctxlog.run({"n": n + 1}, sync_level, n + 1)
        assert ctxlog.fields() == {"n": n}

    # Each level has frames of ours and, when measured, of the coverage tool.
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(5_000)
    try:
        asyncio.run(ctxlog.run({"n": 0}, level, 0))
        ctxlog.run({"n": 0}, sync_level, 0)
    finally:
        sys.setrecursionlimit(limit)
    with contextlib.ExitStack() as stack:
        for n in range(1_000):
            stack.enter_context(ctxlog.scope(n=n, **{f"n{n % 7}": n}))
            assert ctxlog.fields()["n"] == n
        assert len(ctxlog.fields()) == 8
    assert ctxlog.fields() == {}


def test_scopes_overlay_the_store() -> None:
    """
    A scope's fields are seen over the store's, inner over outer, until its block ends.
    """

    def body() -> None:
        with ctxlog.scope(a="outer", b="outer"):
            with ctxlog.scope(b="inner", c="inner"):
                seen = {"a": "outer", "b": "inner", "c": "inner", "d": "store"}
                assert ctxlog.fields() == seen
            assert ctxlog.fields() == {"a": "outer", "b": "outer", "d": "store"}
        assert ctxlog.fields() == {"a": "store", "d": "store"}

    ctxlog.run({"a": "store", "d": "store"}, body)


def test_bind_inside_a_scope_reaches_the_request() -> None:
    """
    bind() goes into the store and outlives the scope that it was called in.
    """

    def body() -> dict[str, object]:
        with ctxlog.scope(op="auth"), ctxlog.scope(step=1):
            ctxlog.bind(user="u")
            assert ctxlog.fields() == {"a": 1, "op": "auth", "step": 1, "user": "u"}
        return ctxlog.fields()

    assert ctxlog.run({"a": 1}, body) == {"a": 1, "user": "u"}


def test_a_scopes_field_hides_a_later_bind_of_the_name() -> None:
    """
    A scope's field wins over the store's also if that is bound later, until it ends.
    """

    def body() -> None:
        with ctxlog.scope(x="scope"):
            ctxlog.bind(x="bound")
            assert ctxlog.fields() == {"x": "scope"}
            ctxlog.unbind("x")
            assert ctxlog.fields() == {"x": "scope"}
            ctxlog.bind(x="bound")
        assert ctxlog.fields() == {"x": "bound"}

    ctxlog.run({}, body)


def test_a_scope_needs_no_store() -> None:
    """
    A scope outside of any run() has its fields and no store.
    """
    with ctxlog.scope(a=1), ctxlog.scope():
        assert ctxlog.fields() == {"a": 1}
        assert ctxlog.get_store() is None


def test_a_scope_does_not_change_the_store() -> None:
    """
    The store itself, which other holders see, has none of a scope's fields.
    """

    def body() -> None:
        with ctxlog.scope(b=2):
            assert ctxlog.get_store() == {"a": 1}

    ctxlog.run({"a": 1}, body)


def test_a_scope_ends_with_an_exception() -> None:
    """
    A scope's fields are gone after a block that failed, and the error goes on.
    """
    error = ValueError()
    with pytest.raises(ValueError) as caught:  # noqa: PT011  it is this very one
        with ctxlog.scope(a=1):
            raise error
    assert caught.value is error
    assert ctxlog.fields() == {}


def test_detached_has_nothing() -> None:
    """
    Inside detached() there is neither store nor scope; after it, both are back.
    """

    def body() -> None:
        with ctxlog.scope(s=1):
            with ctxlog.detached():
                assert ctxlog.get_store() is None
                assert ctxlog.fields() == {}
                with ctxlog.scope(t=1):
                    assert ctxlog.fields() == {"t": 1}
                assert ctxlog.run({"b": 2}, ctxlog.fields) == {"b": 2}
            assert ctxlog.fields() == {"a": 1, "s": 1}

    ctxlog.run({"a": 1}, body)


def test_what_detached_starts_stays_detached() -> None:
    """
    A task that was started inside detached() never sees the request, also not later.
    """

    async def worker(queue: asyncio.Queue[object]) -> list[dict[str, object]]:
        seen = [ctxlog.fields()]
        await queue.get()
        return [*seen, ctxlog.fields()]

    async def request() -> asyncio.Task[list[dict[str, object]]]:
        queue: asyncio.Queue[object] = asyncio.Queue()
        with ctxlog.detached():
            task = asyncio.create_task(worker(queue))
        await asyncio.sleep(0)
        queue.put_nowait(None)
        assert ctxlog.fields() == {"a": 1}
        return task

    async def main() -> None:
        assert await (await ctxlog.run({"a": 1}, request)) == [{}, {}]

    asyncio.run(main())


def test_what_was_left_open_in_detached_ends_with_it() -> None:
    """
    A block that was opened inside detached() and never left does not hide the request.
    """

    def body() -> None:
        with ctxlog.detached():
            ctxlog.scope(b=2).__enter__()
            ctxlog.detached().__enter__()
        assert ctxlog.fields() == {"a": 1}

    ctxlog.run({"a": 1}, body)


def test_run_and_detached_a_hundred_deep() -> None:
    """
    run() and detached() inside each other a hundred times leave each level as it was.
    """

    def level(n: int) -> None:
        assert ctxlog.fields() == {"n": n}
        with ctxlog.detached():
            assert ctxlog.fields() == {}
            if n < 100:
                ctxlog.run({"n": n + 1}, level, n + 1)
            assert ctxlog.fields() == {}
        assert ctxlog.fields() == {"n": n}

    ctxlog.run({"n": 0}, level, 0)
    assert ctxlog.fields() == {}


def test_a_timer_of_the_outer_code_sees_the_outer_store() -> None:
    """
    A timer set after an inner run() returned sees the outer store when it fires.
    """

    async def outer() -> list[dict[str, object]]:
        loop = asyncio.get_running_loop()
        seen: list[dict[str, object]] = []
        done = asyncio.Event()
        ctxlog.run({"b": 2}, loop.call_later, 0, lambda: seen.append(ctxlog.fields()))
        loop.call_later(0.001, lambda: (seen.append(ctxlog.fields()), done.set()))
        await done.wait()
        return seen

    assert asyncio.run(ctxlog.run({"a": 1}, outer)) == [{"b": 2}, {"a": 1}]


# In any order, any number of times ------------------------------------------------


def test_leaving_out_of_order_brings_nothing_back() -> None:
    """
    Scopes that are left in the order in which they were entered leave no field behind.
    """
    first, second = ctxlog.scope(a=1), ctxlog.scope(b=2)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert "a" not in ctxlog.fields()
    second.__exit__(None, None, None)
    assert ctxlog.fields() == {}


def test_leaving_twice_is_harmless() -> None:
    """
    Leaving a scope a second time does nothing, also while another one is active.
    """
    first, second = ctxlog.scope(a=1), ctxlog.scope(b=2)
    with second:
        with first:
            pass
        first.__exit__(None, None, None)
        assert ctxlog.fields() == {"b": 2}
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)
    assert ctxlog.fields() == {}


def test_leaving_what_was_never_entered_is_harmless() -> None:
    """
    Leaving a scope that was never entered raises nothing and ends no other one.
    """
    with ctxlog.scope(a=1):
        ctxlog.scope(b=2).__exit__(None, None, None)
        ctxlog.detached().__exit__(None, None, None)
        assert ctxlog.fields() == {"a": 1}


def test_one_scope_object_can_be_entered_inside_itself() -> None:
    """
    A scope object that is entered again while active ends once per time.
    """
    scope = ctxlog.scope(a=1)
    with scope:
        with ctxlog.scope(a=2):
            with scope:
                assert ctxlog.fields() == {"a": 1}
            assert ctxlog.fields() == {"a": 2}
        assert ctxlog.fields() == {"a": 1}
    assert ctxlog.fields() == {}


@pytest.mark.parametrize("order", ["as entered", "the other way round"])
def test_one_scope_object_in_two_tasks_at_once(order: str) -> None:
    """
    A scope object that two tasks are in at the same time ends for each by itself.
    """
    scope = ctxlog.scope(shared=1)

    async def user(n: int, leave: asyncio.Event) -> list[dict[str, object]]:
        with ctxlog.scope(n=n):
            with scope:
                await leave.wait()
                seen = [ctxlog.fields()]
            seen.append(ctxlog.fields())
        return [*seen, ctxlog.fields()]

    async def main() -> None:
        events = [asyncio.Event(), asyncio.Event()]
        tasks = [asyncio.create_task(user(n, e)) for n, e in enumerate(events)]
        await asyncio.sleep(0)
        for n in (0, 1) if order == "as entered" else (1, 0):
            events[n].set()
            assert await tasks[n] == [{"n": n, "shared": 1}, {"n": n}, {}]

    asyncio.run(main())


def test_a_scope_that_another_task_ended_does_not_come_back() -> None:
    """
    A scope that a child task left is gone once the parent leaves what lies over it.
    """

    async def leave(scope: ctxlog.scope) -> None:
        scope.__exit__(None, None, None)
        assert ctxlog.fields() == {}

    async def main() -> None:
        lower, upper = ctxlog.scope(a=1), ctxlog.scope(b=2)
        lower.__enter__()
        with upper:
            await asyncio.create_task(leave(lower))
            assert ctxlog.fields()["b"] == 2
        assert ctxlog.fields() == {}

    asyncio.run(main())


def test_a_scope_that_ended_in_an_unrelated_context_does_not_come_back() -> None:
    """
    A scope that was left where it was never active is gone once its opener leaves.
    """
    lower, upper = ctxlog.scope(a=1), ctxlog.scope(b=2)
    opener = copy_context()
    opener.run(lower.__enter__)
    opener.run(upper.__enter__)
    lower.__exit__(None, None, None)
    opener.run(upper.__exit__, None, None, None)
    assert opener.run(ctxlog.fields) == {}


def test_the_opener_can_still_leave_what_another_task_left() -> None:
    """
    A scope that a child task left as well ends for the task that opened it.
    """

    async def leave(scope: ctxlog.scope) -> None:
        scope.__exit__(None, None, None)

    async def main() -> None:
        with ctxlog.scope(a=1), (scope := ctxlog.scope(b=2)):
            await asyncio.create_task(leave(scope))
            assert ctxlog.fields() == {"a": 1, "b": 2}
        assert ctxlog.fields() == {}

    asyncio.run(main())


def test_a_task_keeps_the_scope_that_it_was_started_in() -> None:
    """
    A task keeps a scope's fields after its block, also when it uses scopes of its own.
    """

    async def worker(ended: asyncio.Event) -> list[dict[str, object]]:
        await ended.wait()
        seen = [ctxlog.fields()]
        with ctxlog.scope(step=1):
            seen.append(ctxlog.fields())
        seen.append(ctxlog.fields())
        ctxlog.run({}, lambda: None)
        return [*seen, ctxlog.fields()]

    async def main() -> list[dict[str, object]]:
        ended = asyncio.Event()
        with ctxlog.scope(batch=7):
            task = asyncio.create_task(worker(ended))
        ended.set()
        return await task

    kept = {"batch": 7}
    assert asyncio.run(main()) == [kept, {"batch": 7, "step": 1}, kept, kept]


def test_a_block_that_ends_in_a_nested_run_leaves_that_in_its_store() -> None:
    """
    A scope of the caller's that is left inside a run() does not end the run's store.
    """
    scope = ctxlog.scope(table="t")

    def inner() -> None:
        scope.__exit__(None, None, None)
        assert ctxlog.fields() == {"id": "inner"}

    def outer() -> None:
        scope.__enter__()
        ctxlog.run({"id": "inner"}, inner)
        assert ctxlog.fields() == {"id": "outer"}

    ctxlog.run({"id": "outer"}, outer)


def test_a_block_that_ends_in_an_awaited_run_does_not_come_back() -> None:
    """
    A scope of the caller's that is left in an async run() is gone when that returns.
    """

    async def inner(scope: ctxlog.scope) -> dict[str, object]:
        await asyncio.sleep(0)
        scope.__exit__(None, None, None)
        await asyncio.sleep(0)
        return ctxlog.fields()

    async def outer() -> None:
        scope = ctxlog.scope(table="t")
        scope.__enter__()
        assert await ctxlog.run({"id": "inner"}, inner, scope) == {"id": "inner"}
        assert ctxlog.fields() == {"id": "outer"}

    asyncio.run(ctxlog.run({"id": "outer"}, outer))


def test_a_block_that_ends_in_a_decorated_function_does_not_come_back() -> None:
    """
    A scope of the caller's that is left in a decorated function is gone after it.
    """
    scope = ctxlog.scope(table="t")

    @ctxlog.scope(step="load")
    def load() -> None:
        scope.__exit__(None, None, None)
        assert ctxlog.fields()["step"] == "load"

    scope.__enter__()
    load()
    assert ctxlog.fields() == {}


def test_a_block_that_ends_in_detached_reveals_nothing_there() -> None:
    """
    A scope that is left inside detached() does not bring the request into the block.
    """
    scope = ctxlog.scope(table="t")

    def body() -> None:
        scope.__enter__()
        with ctxlog.detached():
            scope.__exit__(None, None, None)
            assert ctxlog.get_store() is None
            assert ctxlog.fields() == {}
        assert ctxlog.fields() == {"a": 1}

    ctxlog.run({"a": 1}, body)


def test_a_run_discards_scopes_that_were_never_left() -> None:
    """
    A scope that the function entered and never left ends with its run().
    """

    def careless() -> None:
        ctxlog.scope(b=2).__enter__()
        ctxlog.detached().__enter__()

    with ctxlog.scope(a=1):
        ctxlog.run({}, careless)
        assert ctxlog.fields() == {"a": 1}


def test_a_scope_over_an_ended_run_returns_to_that_run() -> None:
    """
    A task that outlives its run() stays in its store, whatever scopes it goes through.
    """

    async def worker(ended: asyncio.Event) -> list[dict[str, object]]:
        await ended.wait()
        with ctxlog.scope(s=1):
            inside = ctxlog.fields()
        return [inside, ctxlog.fields()]

    async def main() -> list[dict[str, object]]:
        ended = asyncio.Event()
        with ctxlog.scope(outer=1):
            task = ctxlog.run({"a": 1}, lambda: asyncio.create_task(worker(ended)))
        ended.set()
        return await task

    assert asyncio.run(main()) == [{"a": 1, "s": 1}, {"a": 1}]


# As decorators --------------------------------------------------------------------


def _plain(x: int, *, y: int = 2) -> tuple[Any, ...]:
    """
    A docstring.
    """
    return x, y, ctxlog.fields()


async def _coroutine(x: int, *, y: int = 2) -> tuple[Any, ...]:
    """
    A docstring.
    """
    await asyncio.sleep(0)
    return x, y, ctxlog.fields()


def _generator(x: int, *, y: int = 2) -> Iterator[Any]:
    """
    A docstring.
    """
    yield x, y, ctxlog.fields()


async def _async_generator(x: int, *, y: int = 2) -> AsyncIterator[Any]:
    """
    A docstring.
    """
    yield x, y, ctxlog.fields()


_FUNCTIONS = [_plain, _coroutine, _generator, _async_generator]
_DECORATORS = [ctxlog.scope(s=1), ctxlog.detached(), ctxlog.wrap]


def _first(result: Any) -> Any:
    if inspect.iscoroutine(result):
        return asyncio.run(result)
    if inspect.isasyncgen(result):

        async def consume() -> list[Any]:
            return [item async for item in result]

        return asyncio.run(consume())[0]
    if inspect.isgenerator(result):
        return list(result)[0]
    return result


@pytest.mark.parametrize("fn", _FUNCTIONS)
@pytest.mark.parametrize("decorate", _DECORATORS, ids=["scope", "detached", "wrap"])
def test_a_decorated_function_is_of_the_same_kind(
    decorate: Callable[[Any], Any], fn: Callable[..., Any]
) -> None:
    """
    A decorated function keeps its name, docstring, signature and kind.
    """
    decorated = decorate(fn)
    assert decorated is not fn
    assert decorated.__name__ == fn.__name__
    assert decorated.__qualname__ == fn.__qualname__
    assert decorated.__module__ == fn.__module__
    assert decorated.__doc__ == fn.__doc__
    assert inspect.signature(decorated) == inspect.signature(fn)
    for kind in (
        inspect.iscoroutinefunction,
        inspect.isgeneratorfunction,
        inspect.isasyncgenfunction,
    ):
        assert kind(decorated) == kind(fn)
    one, other = decorated(1), fn(1)
    assert type(one) is type(other)
    _first(one), _first(other)


@pytest.mark.parametrize("fn", _FUNCTIONS)
def test_a_decorated_function_runs_in_the_scope(fn: Callable[..., Any]) -> None:
    """
    Arguments and result pass through, the body is in the scope, the caller is not.
    """
    decorated = ctxlog.scope(s=1)(fn)

    def body() -> None:
        assert _first(decorated(1, y=5)) == (1, 5, {"a": 1, "s": 1})
        assert ctxlog.fields() == {"a": 1}

    ctxlog.run({"a": 1}, body)


@pytest.mark.parametrize("fn", _FUNCTIONS)
def test_a_detached_function_has_no_context(fn: Callable[..., Any]) -> None:
    """
    The body of a function decorated with detached() sees neither store nor scope.
    """
    decorated = ctxlog.detached()(fn)
    assert ctxlog.run({"a": 1}, lambda: _first(decorated(1))) == (1, 2, {})


def test_a_decorated_function_can_call_itself() -> None:
    """
    Every call has a block of its own, also a recursive one.
    """

    @ctxlog.scope(s=1)
    def countdown(n: int) -> None:
        assert ctxlog.fields() == {"s": 1}
        if n:
            with ctxlog.scope(s=2):
                countdown(n - 1)
                assert ctxlog.fields() == {"s": 2}
        assert ctxlog.fields() == {"s": 1}

    countdown(5)
    assert ctxlog.fields() == {}


class Service:
    """
    Decorated methods of every kind, in the usual order and in the other one.
    """

    @ctxlog.scope(s=1)
    def method(self) -> tuple[object, dict[str, object]]:
        """
        Be a method.
        """
        return self, ctxlog.fields()

    @ctxlog.scope(s=1)
    async def async_method(self) -> tuple[object, dict[str, object]]:
        """
        Be an async method.
        """
        return self, ctxlog.fields()

    @classmethod
    @ctxlog.scope(s=1)
    def class_method(cls) -> tuple[object, dict[str, object]]:
        """
        Be a class method.
        """
        return cls, ctxlog.fields()

    @ctxlog.scope(s=1)
    @classmethod
    def outer_class_method(cls) -> tuple[object, dict[str, object]]:
        """
        Be a class method decorated from outside.
        """
        return cls, ctxlog.fields()

    @staticmethod
    @ctxlog.scope(s=1)
    def static(x: int) -> tuple[object, dict[str, object]]:
        """
        Be a static method.
        """
        return x, ctxlog.fields()

    @ctxlog.scope(s=1)
    @staticmethod
    def outer_static(x: int) -> tuple[object, dict[str, object]]:
        """
        Be a static method decorated from outside.
        """
        return x, ctxlog.fields()

    @property
    @ctxlog.scope(s=1)
    def attribute(self) -> tuple[object, dict[str, object]]:
        """
        Be a property.
        """
        return self, ctxlog.fields()


def test_methods_of_every_kind_can_be_decorated() -> None:
    """
    Methods, class methods, static methods and properties run in the scope, bound right.
    """
    service = Service()
    assert service.method() == (service, {"s": 1})
    assert asyncio.run(service.async_method()) == (service, {"s": 1})
    assert service.class_method() == Service.class_method() == (Service, {"s": 1})
    assert service.outer_class_method() == (Service, {"s": 1})
    assert service.static(3) == Service.static(3) == (3, {"s": 1})
    assert service.outer_static(3) == Service.outer_static(3) == (3, {"s": 1})
    assert service.attribute == (service, {"s": 1})


def test_a_partial_and_a_callable_object_can_be_decorated() -> None:
    """
    What is callable without being a function can be decorated too.
    """
    scope = ctxlog.scope(s=1)
    assert scope(functools.partial(_plain, 1))() == (1, 2, {"s": 1})
    assert asyncio.run(scope(functools.partial(_coroutine, 1))()) == (1, 2, {"s": 1})
    assert scope(len)("abc") == 3


def test_a_function_that_returns_a_coroutine_keeps_the_scope_for_it() -> None:
    """
    A plain function that returns a coroutine gives that coroutine its scope.
    """
    decorated = ctxlog.scope(s=1)(lambda: _coroutine(1))
    assert asyncio.run(decorated()) == (1, 2, {"s": 1})


@pytest.mark.parametrize("decorate", _DECORATORS, ids=["scope", "detached", "wrap"])
def test_only_a_callable_can_be_decorated(decorate: Callable[[Any], Any]) -> None:
    """
    Decorating something that is not callable is a TypeError at once.
    """
    with pytest.raises(TypeError):
        decorate(3)


def test_a_scope_without_parentheses_is_a_type_error() -> None:
    """
    `@scope` without parentheses fails where it stands, not when the function is called.
    """
    with pytest.raises(TypeError):
        ctxlog.scope(_plain)  # type: ignore[call-arg]


def test_a_decorated_function_that_fails_is_over() -> None:
    """
    An error leaves a decorated function as it is, and the scope is gone.
    """

    @ctxlog.scope(s=1)
    def fail() -> None:
        raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        fail()
    assert ctxlog.fields() == {}


def test_scopes_do_not_leak_between_contexts() -> None:
    """
    A scope entered in another `contextvars.Context` is not seen here.
    """
    copy_context().run(ctxlog.scope(a=1).__enter__)
    assert ctxlog.fields() == {}
