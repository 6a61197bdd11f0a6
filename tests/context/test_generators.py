"""
Generators and async generators: what is theirs stays theirs.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from typing import Any

import pytest
from anyio.lowlevel import checkpoint

import ctxlog
from ctxlog.context.adapter import current_view, error_view

_Decorator = Callable[[Any], Any]

#: Every way to give a generator function a context of its own, `{"g": 1}`.
_ISOLATING: dict[str, _Decorator] = {
    "run": lambda fn: lambda *args: ctxlog.run({"g": 1}, fn, *args),
    "scope": lambda fn: ctxlog.scope(g=1)(fn),
    "wrap": lambda fn: ctxlog.run({"g": 1}, ctxlog.wrap, fn),
    "Snapshot": lambda fn: (
        lambda *args: ctxlog.run({"g": 1}, ctxlog.Snapshot).run(fn, *args)
    ),
}


@pytest.fixture(params=_ISOLATING)
def isolate(request: pytest.FixtureRequest) -> _Decorator:
    """
    Give a generator function a context of its own, in each way in turn.
    """
    return _ISOLATING[request.param]


def test_a_generator_and_its_consumer_see_their_own(isolate: _Decorator) -> None:
    """
    A body sees its context at every step, its consumer never, wherever it is consumed.
    """

    def body() -> Iterator[object]:
        for _ in range(3):
            yield ctxlog.fields()["g"]

    generator = isolate(body)()
    for n in range(3):
        seen = ctxlog.run({"n": n}, lambda: (next(generator), ctxlog.fields()))
        assert seen == (1, {"n": n})
    assert ctxlog.fields() == {}


def test_a_scope_around_a_yield_stays_in_the_body(isolate: _Decorator) -> None:
    """
    A scope that an isolated body holds open over yields is back in its next step.
    """

    def body() -> Iterator[object]:
        with ctxlog.scope(s=1):
            yield
            assert (ctxlog.fields()["g"], ctxlog.fields()["s"]) == (1, 1)
            yield
        assert "s" not in ctxlog.fields()
        yield

    for _ in isolate(body)():
        assert ctxlog.fields() == {}


def test_send_throw_close_and_return_reach_the_body(isolate: _Decorator) -> None:
    """
    An isolated generator is driven like any: values, errors and closing reach its body.
    """
    log: list[object] = []

    def body() -> Generator[str, str, str]:
        try:
            log.append((yield "one"))
            try:
                yield "two"
            except KeyError:
                log.append(ctxlog.fields()["g"])
            yield "three"
        finally:
            log.append("closed")
        return "result"

    generator = isolate(body)()
    assert next(generator) == "one"
    assert generator.send("sent") == "two"
    assert generator.throw(KeyError("k")) == "three"
    with pytest.raises(StopIteration) as stop:
        next(generator)
    assert stop.value.value == "result"
    assert log == ["sent", 1, "closed"]

    other = isolate(body)()
    next(other)
    other.close()
    assert log[3:] == ["closed"]
    with pytest.raises(StopIteration):
        next(other)


def test_an_isolated_generator_can_delegate(isolate: _Decorator) -> None:
    """
    `yield from` an isolated generator isolates what it delegates to as well.
    """

    def inner() -> Generator[object, None, int]:
        yield ctxlog.fields()["g"]
        return 7

    def outer() -> Iterator[object]:
        yield (yield from isolate(inner)())
        yield ctxlog.fields()

    assert list(outer()) == [1, 7, {}]


def test_a_generator_closed_elsewhere_ends_in_its_own(isolate: _Decorator) -> None:
    """
    A body that another request closes, or collects, runs its `finally` in its own.
    """
    seen: list[object] = []

    def body() -> Iterator[None]:
        try:
            with ctxlog.scope(s=1):
                yield
        finally:
            seen.append(ctxlog.fields().get("g"))

    def started() -> list[Any]:
        generator = isolate(body)()
        next(generator)
        return [generator]

    def elsewhere(action: Callable[[], object]) -> dict[str, object]:
        with ctxlog.scope(o=1):
            action()
            return ctxlog.fields()

    held = started()
    assert ctxlog.run({"b": 2}, elsewhere, held[0].close) == {"b": 2, "o": 1}
    held = started()
    assert ctxlog.run({"b": 2}, elsewhere, held.clear) == {"b": 2, "o": 1}
    gc.collect()
    assert seen == [1, 1]


def test_the_store_of_a_generator_is_open_until_it_ends() -> None:
    """
    A store that run() made for a generator is closed when its body has ended.
    """

    def body() -> Iterator[tuple[ctxlog.Store | None, bool]]:
        yield ctxlog.get_store(), current_view().late

    generator = ctxlog.run({}, body)
    store, late = next(generator)
    assert store is not None
    assert not (late or store.closed)
    assert list(generator) == []
    assert store.closed


def test_the_store_of_a_generator_that_fails_is_closed() -> None:
    """
    An error that ends a generator's body passes, and closes the store that run() made.
    """
    error = ValueError("bad")

    def body() -> Iterator[ctxlog.Store | None]:
        yield ctxlog.get_store()
        raise error

    generator = ctxlog.run({"a": 1}, body)
    store = next(generator)
    with pytest.raises(ValueError, match="bad") as caught:
        next(generator)
    assert caught.value is error
    assert error_view(error).fields == {"a": 1}
    assert store is not None
    assert store.closed


def test_the_store_of_a_generator_never_started_is_closed_with_it() -> None:
    """
    A store that run() made for a generator that never started is closed with it.
    """
    stores: list[ctxlog.Store | None] = []

    def make() -> Iterator[None]:
        stores.append(ctxlog.get_store())
        return iter_nothing()

    def iter_nothing() -> Iterator[None]:
        yield

    generator = ctxlog.run({}, make)
    assert stores[0] is not None
    assert not stores[0].closed
    generator.close()
    del generator
    assert stores[0].closed


def test_a_bare_scope_in_a_generator_never_raises_and_ends() -> None:
    """
    A bare scope in a plain generator shows in its consumer until the body leaves it.
    """

    def body() -> Iterator[None]:
        with ctxlog.scope(g=1):
            yield
            yield

    generator = body()
    next(generator)
    assert ctxlog.fields() == {"g": 1}
    next(generator)
    with pytest.raises(StopIteration):
        next(generator)
    assert ctxlog.fields() == {}


def test_a_bare_scope_in_a_generator_ends_with_the_consumers_run() -> None:
    """
    A plain generator that outlives its consumer's run() leaves no field behind.
    """

    def body() -> Iterator[None]:
        with ctxlog.scope(g=1):
            yield

    def consume() -> Iterator[None]:
        generator = body()
        next(generator)
        return generator

    kept = [ctxlog.run({"a": 1}, lambda: [consume()])[0]]
    assert ctxlog.fields() == {}
    next(kept[0], None)
    assert ctxlog.fields() == {}


def test_two_generators_with_scopes_can_be_zipped() -> None:
    """
    Plain generators with a scope each, consumed by turns, leave nothing behind.
    """

    def body(name: str, length: int) -> Iterator[int]:
        with ctxlog.scope(**{name: 1}):
            yield from range(length)

    for lengths in ((2, 3), (3, 2), (2, 2)):
        generators = [body(n, length) for n, length in zip("ab", lengths, strict=True)]
        list(zip(*generators, strict=False))
        for generator in generators:
            generator.close()
        assert ctxlog.fields() == {}


def test_an_iterator_that_ends_in_a_nested_run_leaves_that_in_its_store() -> None:
    """
    Finishing the caller's iterator inside a run() neither ends that nor leaves a field.
    """

    def rows() -> Iterator[int]:
        with ctxlog.scope(table="t"):
            yield from range(3)

    def work(iterator: Iterator[int]) -> dict[str, object]:
        list(iterator)
        return ctxlog.fields()

    def job() -> None:
        iterator = rows()
        next(iterator)
        assert ctxlog.run({"id": "inner"}, work, iterator) == {"id": "inner"}
        assert ctxlog.fields() == {"id": "job"}

    ctxlog.run({"id": "job"}, job)


# Async generators -----------------------------------------------------------------


def test_an_async_generator_and_its_consumer_see_their_own(
    isolate: _Decorator, run_loop: Callable[[Any], Any]
) -> None:
    """
    An async body sees its context before and after its awaits, its consumer never.
    """

    async def body() -> AsyncIterator[object]:
        with ctxlog.scope(s=1):
            for _ in range(3):
                await checkpoint()
                assert ctxlog.fields()["s"] == 1
                yield ctxlog.fields()["g"]

    async def main() -> None:
        async for item in isolate(body)():
            assert item == 1
            assert ctxlog.fields() == {"b": 2}
            await checkpoint()
        assert ctxlog.fields() == {"b": 2}

    run_loop(lambda: ctxlog.run({"b": 2}, main))


def test_asend_athrow_and_aclose_reach_the_body(
    isolate: _Decorator, run_loop: Callable[[Any], Any]
) -> None:
    """
    An isolated async generator is driven like any: what is sent or thrown arrives.
    """
    log: list[object] = []

    async def body() -> AsyncGenerator[str, str]:
        try:
            log.append((yield "one"))
            try:
                yield "two"
            except KeyError:
                await checkpoint()
                log.append(ctxlog.fields()["g"])
            yield "three"
        finally:
            await checkpoint()
            log.append(("closed", ctxlog.fields()["g"]))

    async def main() -> None:
        generator = isolate(body)()
        assert await generator.__anext__() == "one"
        assert await generator.asend("sent") == "two"
        assert await generator.athrow(KeyError("k")) == "three"
        await generator.aclose()
        with pytest.raises(StopAsyncIteration):
            await generator.__anext__()
        other = isolate(body)()
        await other.__anext__()
        with pytest.raises(ZeroDivisionError):
            await other.athrow(ZeroDivisionError())
        await isolate(body)().aclose()

    run_loop(main)
    assert log == ["sent", 1, ("closed", 1), ("closed", 1)]


def test_an_async_generator_moves_between_tasks(isolate: _Decorator) -> None:
    """
    An async generator started in one task and closed in another stays in its own.
    """
    seen: list[object] = []

    async def body() -> AsyncIterator[object]:
        try:
            with ctxlog.scope(s=1):
                yield ctxlog.fields()["g"]
        finally:
            await asyncio.sleep(0)
            seen.append(ctxlog.fields().get("g"))

    async def start(generator: Any, n: int) -> dict[str, object]:
        with ctxlog.scope(n=n):
            await generator.__anext__()
            return ctxlog.fields()

    async def close(generator: Any, n: int) -> dict[str, object]:
        with ctxlog.scope(n=n):
            await generator.aclose()
            return ctxlog.fields()

    async def main() -> None:
        generator = isolate(body)()
        assert await asyncio.create_task(start(generator, 1)) == {"n": 1}
        assert await asyncio.create_task(close(generator, 2)) == {"n": 2}

    asyncio.run(main())
    assert seen == [1]


def test_a_bare_scope_in_an_async_generator_moves_between_tasks() -> None:
    """
    A bare scope entered in one task and left in another raises nothing and ends there.
    """

    async def body() -> AsyncIterator[None]:
        with ctxlog.scope(g=1):
            yield

    async def close(generator: Any) -> dict[str, object]:
        with ctxlog.scope(n=2):
            await generator.aclose()
            return ctxlog.fields()

    async def main() -> None:
        generator = body()
        await generator.__anext__()
        assert await asyncio.create_task(close(generator)) != {"g": 1}
        started = asyncio.create_task(_start_and_return(body()))
        await started
        assert await asyncio.create_task(close(started.result())) == {"g": 1, "n": 2}

    async def _start_and_return(generator: Any) -> Any:
        await generator.__anext__()
        return generator

    asyncio.run(ctxlog.run({}, main))
    assert ctxlog.fields() == {}


@pytest.mark.parametrize("kind", ["isolated", "bare"])
def test_the_loop_closes_what_was_not_finished(kind: str) -> None:
    """
    An async generator that the loop closes at its end finishes once, without an error.
    """
    reported: list[object] = []
    seen: list[object] = []

    async def body() -> AsyncIterator[None]:
        try:
            with ctxlog.scope(g=1):
                yield
        finally:
            await asyncio.sleep(0)
            seen.append(ctxlog.fields())

    async def main() -> Any:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: reported.append(context))
        generator = ctxlog.run({"a": 1}, body) if kind == "isolated" else body()
        await ctxlog.run({"b": 2}, generator.__anext__)
        return generator

    kept = asyncio.run(main())
    assert reported == []
    assert seen == ([{"a": 1}] if kind == "isolated" else [{}])
    del kept


def test_a_forgotten_async_generator_ends_in_its_own(isolate: _Decorator) -> None:
    """
    An async generator that is collected in another request finishes in its own.
    """
    seen: list[object] = []

    async def body(ended: asyncio.Event) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await asyncio.sleep(0)
            seen.append(ctxlog.fields().get("g"))
            ended.set()

    async def main() -> None:
        ended = asyncio.Event()
        held = [isolate(body)(ended)]
        await held[0].__anext__()

        async def other() -> dict[str, object]:
            held.clear()
            gc.collect()
            await ended.wait()
            return ctxlog.fields()

        assert await ctxlog.run({"b": 2}, other) == {"b": 2}

    asyncio.run(main())
    assert seen == [1]


def test_an_error_of_an_async_generator_passes_and_remembers() -> None:
    """
    An error inside an isolated async generator reaches its consumer unchanged.
    """
    error = ValueError("bad")

    async def body() -> AsyncIterator[None]:
        yield
        raise error

    async def main() -> None:
        generator = ctxlog.run({"a": 1}, body)
        await generator.__anext__()
        with pytest.raises(ValueError, match="bad") as caught:
            await generator.__anext__()
        assert caught.value is error
        assert error_view(error).fields == {"a": 1}

    asyncio.run(main())


def test_the_store_of_an_async_generator_is_open_until_it_ends() -> None:
    """
    A store that run() made for an async generator is closed when its body has ended.
    """

    async def body() -> AsyncIterator[ctxlog.Store | None]:
        yield ctxlog.get_store()

    async def main() -> None:
        generator = ctxlog.run({}, body)
        store = await generator.__anext__()
        assert store is not None
        assert not store.closed
        await generator.aclose()
        assert store.closed
        finished = [store async for store in ctxlog.run({}, body)]
        assert finished[0] is not None
        assert finished[0].closed

    asyncio.run(main())


# Context managers made of generators ------------------------------------------------


def test_a_scope_in_a_context_manager_reaches_its_block() -> None:
    """
    A bare scope in a `@contextmanager` function is seen in the block, and ends with it.
    """

    @contextlib.contextmanager
    def unit(name: str) -> Iterator[None]:
        with ctxlog.scope(unit=name):
            yield

    with unit("outer"):
        with unit("inner"):
            assert ctxlog.fields() == {"unit": "inner"}
        assert ctxlog.fields() == {"unit": "outer"}
    assert ctxlog.fields() == {}


def test_an_async_context_manager_may_be_left_by_another_task() -> None:
    """
    A `@asynccontextmanager` with a scope, entered and left in two tasks, just ends.
    """

    @contextlib.asynccontextmanager
    async def resource() -> AsyncIterator[str]:
        with ctxlog.scope(resource=1):
            yield "r"

    async def main() -> None:
        async with resource():
            assert ctxlog.fields() == {"b": 2, "resource": 1}
        manager = resource()
        assert await asyncio.create_task(manager.__aenter__()) == "r"
        assert ctxlog.fields() == {"b": 2}
        await asyncio.create_task(manager.__aexit__(None, None, None))
        assert ctxlog.fields() == {"b": 2}

    asyncio.run(ctxlog.run({"b": 2}, main))


def test_a_decorated_context_manager_isolates_its_own_code() -> None:
    """
    Under `@contextmanager`, a decorated generator has the scope; the block has not.
    """
    seen: list[dict[str, object]] = []

    @contextlib.contextmanager
    @ctxlog.scope(s=1)
    def unit() -> Iterator[None]:
        seen.append(ctxlog.fields())
        try:
            yield
        finally:
            seen.append(ctxlog.fields())

    with pytest.raises(ValueError, match="bad"):
        with unit():
            assert ctxlog.fields() == {}
            raise ValueError("bad")
    assert seen == [{"s": 1}, {"s": 1}]


def test_a_body_streamed_after_its_handler_is_in_the_request() -> None:
    """
    A response body that is consumed after the handler returned runs in the request.
    """

    async def handler() -> AsyncIterator[object]:
        ctxlog.bind(user="u")
        return ctxlog.run(_store(), body)

    def _store() -> ctxlog.Store:
        store = ctxlog.get_store()
        assert store is not None
        return store

    async def body() -> AsyncIterator[object]:
        yield ctxlog.fields()
        ctxlog.bind(sent=1)

    async def main() -> None:
        store = ctxlog.Store(a=1)
        stream = await ctxlog.run(store, handler)
        assert [item async for item in stream] == [{"a": 1, "user": "u"}]
        assert ctxlog.fields() == {}
        assert store == {"a": 1, "user": "u", "sent": 1}

    asyncio.run(main())
