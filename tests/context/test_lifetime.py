"""
How long a store lives: as long as something of its request does, and no longer.

Without the garbage collector, so that a reference cycle is found out.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

import ctxlog
from ctxlog.context.adapter import Entry

pytestmark = pytest.mark.usefixtures("no_gc")

_Alive = Callable[[], ctxlog.Store | None]


def _active() -> _Alive:
    store = ctxlog.get_store()
    assert store is not None
    return weakref.ref(store)


def _scoped() -> _Alive:
    with ctxlog.scope(s=1), ctxlog.scope(t=2):
        assert ctxlog.fields() == {"a": 1, "s": 1, "t": 2}
        return _active()


def test_a_store_dies_with_its_run() -> None:
    """
    After run() nothing refers to its store.
    """
    assert ctxlog.run({"a": 1}, _scoped)() is None


def test_a_store_dies_with_its_coroutine() -> None:
    """
    After an awaited run(), with scopes inside, nothing refers to its store.
    """

    async def body() -> _Alive:
        with ctxlog.scope(s=1):
            await asyncio.sleep(0)
            return _scoped()

    async def main() -> None:
        assert (await ctxlog.run({"a": 1}, body))() is None

    asyncio.run(main())


def test_a_store_dies_with_its_entry() -> None:
    """
    After an Entry nothing refers to its store but who made it.
    """
    store = ctxlog.Store(a=1)
    dead = weakref.ref(store)
    with Entry(store), ctxlog.scope(s=1):
        ctxlog.fields()
    del store
    assert dead() is None


def test_a_store_dies_with_a_failed_run() -> None:
    """
    An error keeps the store that it remembers only as long as it is kept itself.
    """
    alive: list[_Alive] = []

    def fail() -> None:
        alive.append(_scoped())
        with ctxlog.scope(s=1):
            raise ValueError

    async def fail_later() -> None:
        await asyncio.sleep(0)
        fail()

    async def main() -> None:
        with pytest.raises(ValueError):  # noqa: PT011
            await ctxlog.run({"a": 1}, fail_later)

    try:
        ctxlog.run({"a": 1}, fail)
    except ValueError:
        pass
    assert alive[0]() is None


@pytest.mark.parametrize("kind", ["run", "Snapshot", "scope"])
def test_a_store_dies_with_a_cancelled_body(kind: str) -> None:
    """
    A body that an error was thrown into, as cancelling does, leaves no cycle behind.
    """
    alive: list[_Alive] = []

    async def body() -> None:
        alive.append(_active())
        await asyncio.Event().wait()

    async def main() -> None:
        def make() -> Any:
            if kind == "run":
                return ctxlog.run({"a": 1}, body)
            if kind == "Snapshot":
                return ctxlog.run({"a": 1}, ctxlog.Snapshot).run(body)
            return ctxlog.run({"a": 1}, ctxlog.scope(s=1)(body))

        task = asyncio.create_task(make())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        del task
        await asyncio.sleep(0)
        assert alive[0]() is None

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["run", "Snapshot"])
def test_a_store_dies_with_a_generator_thrown_into(kind: str) -> None:
    """
    A generator that an error was thrown into leaves no cycle behind.
    """

    def body() -> Iterator[_Alive]:
        yield _active()

    def consume() -> _Alive:
        generator: Any
        if kind == "run":
            generator = ctxlog.run({"a": 1}, body)
        else:
            generator = ctxlog.run({"a": 1}, ctxlog.Snapshot).run(body)
        alive = next(generator)
        try:
            generator.throw(ValueError())
        except ValueError:
            pass
        return alive

    assert consume()() is None


@pytest.mark.parametrize("kind", ["run", "Snapshot"])
def test_a_store_dies_with_an_async_generator_thrown_into(kind: str) -> None:
    """
    An async generator that an error was thrown into leaves no cycle behind.
    """

    async def body() -> AsyncIterator[_Alive]:
        yield _active()

    async def consume() -> _Alive:
        generator: Any
        if kind == "run":
            generator = ctxlog.run({"a": 1}, body)
        else:
            generator = ctxlog.run({"a": 1}, ctxlog.Snapshot).run(body)
        alive: _Alive = await generator.__anext__()
        try:
            await generator.athrow(ValueError())
        except ValueError:
            pass
        return alive

    async def main() -> None:
        assert (await consume())() is None

    asyncio.run(main())


def test_a_store_lives_as_long_as_a_pending_task() -> None:
    """
    A task keeps the store of the request that started it, until it is done.
    """

    async def background(go: asyncio.Event) -> None:
        await go.wait()

    async def request(go: asyncio.Event) -> tuple[_Alive, asyncio.Task[None]]:
        return _active(), asyncio.create_task(background(go))

    async def main() -> None:
        go = asyncio.Event()
        alive, task = await ctxlog.run({"a": 1}, request, go)
        assert alive() is not None
        go.set()
        await task
        del task
        await asyncio.sleep(0)  # the loop still holds what woke this task
        assert alive() is None

    asyncio.run(main())


def test_a_store_lives_as_long_as_a_timer() -> None:
    """
    A timer keeps the store in which it was set, until it is cancelled.
    """

    async def main() -> None:
        loop = asyncio.get_running_loop()
        alive, timer = ctxlog.run(
            {"a": 1}, lambda: (_active(), loop.call_later(3_600, ctxlog.fields))
        )
        assert alive() is not None
        timer.cancel()
        del timer
        # It leaves the loop's heap when the loop looks at it next; a cancelled timer
        # has let go of its function and arguments, and lets go of its context then.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert alive() is None

    asyncio.run(main())


def test_a_snapshot_keeps_its_store() -> None:
    """
    A snapshot, and what was wrapped, hold the store until they are dropped.
    """
    alive, snapshot, wrapped = ctxlog.run(
        {"a": 1}, lambda: (_active(), ctxlog.Snapshot(), ctxlog.wrap(ctxlog.fields))
    )
    assert snapshot.run(ctxlog.fields) == wrapped() == {"a": 1}
    del snapshot
    assert alive() is not None
    del wrapped
    assert alive() is None


def test_values_are_held_while_the_store_is() -> None:
    """
    A bound value lives until it is unbound, or its store dies.
    """

    class Value:
        pass

    def body() -> tuple[weakref.ref[Value], weakref.ref[Value]]:
        first, second = Value(), Value()
        ctxlog.bind(first=first, second=second)
        refs = weakref.ref(first), weakref.ref(second)
        del first, second
        assert refs[0]() is not None
        ctxlog.unbind("first")
        assert refs[0]() is None
        assert refs[1]() is not None
        return refs

    assert ctxlog.run({}, body)[1]() is None


@pytest.mark.parametrize("form", ["with", "decorator", "async decorator"])
def test_what_starts_detached_does_not_keep_the_store(form: str) -> None:
    """
    A task started in a detached block or function does not keep the request's store.
    """

    async def worker(stop: asyncio.Event) -> None:
        await stop.wait()

    def start(stop: asyncio.Event) -> asyncio.Task[None]:
        return asyncio.create_task(worker(stop))

    @ctxlog.detached()
    async def start_async(stop: asyncio.Event) -> asyncio.Task[None]:
        return start(stop)

    async def request(stop: asyncio.Event) -> tuple[_Alive, asyncio.Task[None]]:
        with ctxlog.scope(s=1):
            if form == "with":
                with ctxlog.detached():
                    return _weakly(store), start(stop)
            if form == "decorator":
                return _weakly(store), ctxlog.detached()(start)(stop)
            return _weakly(store), await start_async(stop)

    def _weakly(one: ctxlog.Store | None) -> _Alive:
        assert one is not None
        return weakref.ref(one)

    store: ctxlog.Store | None = ctxlog.Store(a=1)

    async def main() -> None:
        nonlocal store
        stop = asyncio.Event()
        assert store is not None
        alive, task = await ctxlog.run(store, request, stop)
        store = None
        await asyncio.sleep(0)
        assert not task.done()
        assert alive() is None
        stop.set()
        await task

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["run", "scope in run"])
def test_a_chain_of_timers_keeps_no_earlier_store(kind: str) -> None:
    """
    A timer that re-arms itself inside a new run() each time keeps no old stores.
    """
    alive: list[_Alive] = []
    most = 0

    async def main() -> None:
        loop = asyncio.get_running_loop()
        done = asyncio.Event()

        def tick(n: int) -> None:
            ctxlog.run({"n": n}, rearm, n)

        def rearm(n: int) -> None:
            nonlocal most
            alive.append(_active())
            most = max(most, sum(ref() is not None for ref in alive))
            if n == 100:
                done.set()
            elif kind == "run":
                loop.call_soon(tick, n + 1)
            else:
                with ctxlog.scope(s=n):
                    loop.call_soon(tick, n + 1)

        tick(0)
        await done.wait()

    asyncio.run(main())
    assert most <= 3


def test_a_chain_of_scopes_does_not_grow() -> None:
    """
    A timer that re-arms itself inside a scope each time keeps no old scopes.
    """

    class Value:
        pass

    alive: list[weakref.ref[Value]] = []
    most = 0

    async def main() -> None:
        loop = asyncio.get_running_loop()
        done = asyncio.Event()

        def tick(n: int) -> None:
            nonlocal most
            value = Value()
            alive.append(weakref.ref(value))
            with ctxlog.scope(value=value):
                del value
                most = max(most, sum(ref() is not None for ref in alive))
                if n == 100:
                    done.set()
                else:
                    loop.call_soon(tick, n + 1)

        tick(0)
        await done.wait()

    asyncio.run(main())
    assert most <= 3


def test_a_store_dies_while_a_detached_snapshot_lives() -> None:
    """
    A snapshot taken in detached() keeps nothing of the request.
    """

    def body() -> tuple[_Alive, ctxlog.Snapshot]:
        alive = _active()
        with ctxlog.detached():
            return alive, ctxlog.Snapshot()

    alive, snapshot = ctxlog.run({"a": 1}, body)
    assert alive() is None
    assert snapshot.run(ctxlog.fields) == {}
