"""
`Snapshot` and `wrap()`: what was active here, for something that runs elsewhere.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any

import pytest

import ctxlog


def test_a_snapshot_brings_its_context_along() -> None:
    """
    A function run in a snapshot sees what was active there; after it all is as before.
    """
    snapshot = ctxlog.run({"a": 1}, ctxlog.Snapshot)

    def body() -> None:
        assert snapshot.run(ctxlog.fields) == {"a": 1}
        assert ctxlog.fields() == {"b": 2}

    ctxlog.run({"b": 2}, body)
    assert snapshot.run(ctxlog.fields) == {"a": 1}


def test_a_snapshot_of_nothing_has_nothing() -> None:
    """
    A snapshot taken outside of any context sees nothing, also inside a run().
    """
    snapshot = ctxlog.Snapshot()
    assert ctxlog.run({"b": 2}, snapshot.run, ctxlog.fields) == {}
    assert ctxlog.run({"b": 2}, snapshot.run, ctxlog.get_store) is None


def test_a_snapshot_has_scopes_too() -> None:
    """
    A snapshot keeps the scopes that were active, after their blocks have ended.
    """
    with ctxlog.scope(s=1):
        snapshot = ctxlog.Snapshot()
    assert snapshot.run(ctxlog.fields) == {"s": 1}


def test_a_snapshot_has_every_context_variable() -> None:
    """
    A snapshot captures all context variables, not only ctxlog's own.
    """
    variable: ContextVar[int] = ContextVar("variable", default=0)
    storage = ctxlog.AsyncLocalStorage[int]()

    def capture() -> ctxlog.Snapshot:
        variable.set(1)
        return storage.run(2, ctxlog.Snapshot)

    snapshot = ctxlog.Snapshot().run(capture)
    assert variable.get() == 0
    assert snapshot.run(lambda: (variable.get(), storage.get_store())) == (1, 2)


def test_snapshot_run_passes_arguments_and_returns_the_value() -> None:
    """
    Snapshot.run hands arguments on and returns what the function returns.
    """
    got = ctxlog.Snapshot().run(lambda *a, **k: (a, k), 1, x=2)
    assert got == ((1,), {"x": 2})


def test_snapshots_run_in_any_order_any_number_of_times() -> None:
    """
    Two snapshots run by turns each show their own, every time.
    """
    one = ctxlog.run({"n": 1}, ctxlog.Snapshot)
    two = ctxlog.run({"n": 2}, ctxlog.Snapshot)
    seen = [s.run(ctxlog.fields)["n"] for s in (two, one, two, one)]
    assert seen == [2, 1, 2, 1]


def test_snapshots_nest_and_come_back_level_by_level() -> None:
    """
    A snapshot run inside another restores level by level, also after an error.
    """
    one = ctxlog.run({"n": 1}, ctxlog.Snapshot)
    two = ctxlog.run({"n": 2}, ctxlog.Snapshot)

    def fail() -> None:
        assert ctxlog.fields() == {"n": 2}
        raise ValueError("bad")

    def inner() -> None:
        assert ctxlog.run({"n": 3}, ctxlog.fields) == {"n": 3}
        with pytest.raises(ValueError, match="bad"):
            two.run(fail)
        assert ctxlog.fields() == {"n": 1}

    one.run(inner)
    assert ctxlog.fields() == {}


def test_a_snapshot_can_run_inside_itself() -> None:
    """
    A snapshot may be run recursively, which a plain `Context` refuses.
    """
    snapshot = ctxlog.run({"a": 1}, ctxlog.Snapshot)
    assert snapshot.run(snapshot.run, snapshot.run, ctxlog.fields) == {"a": 1}


def test_two_runs_of_a_snapshot_are_isolated() -> None:
    """
    A variable that one run of a snapshot sets is not seen by the next one.
    """
    variable: ContextVar[int] = ContextVar("variable", default=0)
    snapshot = ctxlog.Snapshot()
    snapshot.run(variable.set, 1)
    assert snapshot.run(variable.get) == 0
    snapshot.run(ctxlog.scope(a=1).__enter__)
    assert snapshot.run(ctxlog.fields) == {}


def test_a_snapshot_shares_the_store() -> None:
    """
    What is bound in a snapshot's run reaches the request that it was taken from.
    """

    def body() -> None:
        snapshot = ctxlog.Snapshot()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(snapshot.run, ctxlog.bind, b=2).result()
        assert ctxlog.fields() == {"a": 1, "b": 2}

    ctxlog.run({"a": 1}, body)


def test_a_snapshot_runs_in_many_threads_at_once() -> None:
    """
    Threads that are in one snapshot at the same time do not disturb each other.
    """
    snapshot = ctxlog.run({"a": 1}, ctxlog.Snapshot)
    together = threading.Barrier(4, timeout=30)

    def body(n: int) -> dict[str, object]:
        with ctxlog.scope(n=n):
            together.wait()
            return ctxlog.fields()

    with ThreadPoolExecutor(4) as pool:
        seen = list(pool.map(lambda n: snapshot.run(body, n), range(4)))
    assert seen == [{"a": 1, "n": n} for n in range(4)]


def test_a_wrapped_function_can_be_mapped_over_an_executor() -> None:
    """
    One wrapped function called by many threads at once has its context in each.
    """

    def body(n: int) -> dict[str, object]:
        with ctxlog.scope(n=n):
            return ctxlog.fields()

    wrapped = ctxlog.run({"a": 1}, ctxlog.wrap, body)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(wrapped, range(20))) == [
            {"a": 1, "n": n} for n in range(20)
        ]


def test_a_wrapped_function_can_call_itself() -> None:
    """
    A wrapped function may be called recursively, and by many threads at a time.
    """
    together = threading.Barrier(3, timeout=30)

    def countdown(n: int) -> dict[str, object]:
        together.wait()
        with ctxlog.scope(n=n):
            return wrapped(n - 1) if n else ctxlog.fields()

    wrapped = ctxlog.run({"a": 1}, ctxlog.wrap, countdown)
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(wrapped, [3, 3, 3])) == [{"a": 1, "n": 0}] * 3


def test_the_body_of_a_coroutine_runs_in_the_snapshot() -> None:
    """
    An async function's body is in the snapshot at every step; its awaiter is not.
    """
    snapshot = ctxlog.run({"a": 1}, ctxlog.Snapshot)

    async def body() -> tuple[dict[str, object], dict[str, object]]:
        before = ctxlog.fields()
        await asyncio.sleep(0)
        return before, ctxlog.fields()

    async def main() -> None:
        assert await snapshot.run(body) == ({"a": 1}, {"a": 1})
        assert ctxlog.fields() == {"b": 2}

    asyncio.run(ctxlog.run({"b": 2}, main))


def test_a_coroutine_in_a_snapshot_can_be_cancelled() -> None:
    """
    Cancelling what awaits a snapshot's coroutine reaches its body, in its context.
    """
    seen: list[dict[str, object]] = []

    async def body(started: asyncio.Event) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append(ctxlog.fields())
            raise

    async def main() -> None:
        started = asyncio.Event()
        snapshot = ctxlog.run({"a": 1}, ctxlog.Snapshot)
        task = asyncio.create_task(snapshot.run(body, started))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert seen == [{"a": 1}]


def test_generators_run_in_the_snapshot() -> None:
    """
    Generators and async generators from a snapshot have its context in their bodies.
    """
    snapshot = ctxlog.run({"a": 1}, ctxlog.Snapshot)

    def numbers() -> Iterator[dict[str, object]]:
        yield ctxlog.fields()
        yield ctxlog.fields()

    async def async_numbers() -> AsyncIterator[dict[str, object]]:
        yield ctxlog.fields()
        await asyncio.sleep(0)
        yield ctxlog.fields()

    async def consume() -> list[dict[str, object]]:
        seen = []
        async for item in snapshot.run(async_numbers):
            assert ctxlog.fields() == {}
            seen.append(item)
        return seen

    assert list(snapshot.run(numbers)) == [{"a": 1}, {"a": 1}]
    assert asyncio.run(consume()) == [{"a": 1}, {"a": 1}]


def test_a_snapshot_does_not_show_values() -> None:
    """
    A snapshot's repr reveals nothing that was captured.
    """
    snapshot = ctxlog.run({"token": "s3cret"}, ctxlog.Snapshot)
    assert "s3cret" not in repr(snapshot)
    assert not hasattr(snapshot, "__dict__")


def test_wrapping_a_wrapped_function_changes_nothing() -> None:
    """
    The first capture wins: wrap() gives a wrapped function back as it is.
    """
    wrapped = ctxlog.run({"n": 1}, ctxlog.wrap, lambda: ctxlog.fields())
    assert ctxlog.run({"n": 2}, ctxlog.wrap, wrapped) is wrapped
    assert wrapped() == {"n": 1}


def test_a_wrapped_method_keeps_the_first_capture() -> None:
    """
    A method that was wrapped in its class stays in that context when wrapped bound.
    """

    class Handler:
        @ctxlog.wrap
        def handle(self) -> dict[str, object]:
            return ctxlog.fields()

    bound = ctxlog.run({"n": 2}, ctxlog.wrap, Handler().handle)
    assert bound() == {}


def test_a_callback_can_be_unhashable() -> None:
    """
    A callable object that is not hashable, or not weakly referable, can be wrapped.
    """

    class Unhashable:
        __hash__ = None  # type: ignore[assignment]

        def __call__(self) -> dict[str, object]:
            return ctxlog.fields()

    class Unreferable:
        __slots__ = ()

        def __call__(self) -> dict[str, object]:
            return ctxlog.fields()

    for callback in (Unhashable(), Unreferable()):
        assert ctxlog.run({"a": 1}, ctxlog.wrap, callback)() == {"a": 1}


def test_builtins_and_classes_can_be_wrapped() -> None:
    """
    A builtin or a class is bound to the context as any function.
    """

    class Reader:
        def __init__(self) -> None:
            self.seen = ctxlog.fields()

    assert ctxlog.wrap(len)("abc") == 3
    assert ctxlog.run({"a": 1}, ctxlog.wrap, Reader)().seen == {"a": 1}


@pytest.mark.parametrize(
    "fn", [None, 3, "f", (), object()], ids=lambda value: type(value).__name__
)
def test_only_a_callable_can_be_wrapped(fn: Any) -> None:
    """
    wrap() of something that is not callable is a TypeError.
    """
    with pytest.raises(TypeError, match="wrap"):
        ctxlog.wrap(fn)


def test_a_wrapped_function_does_not_keep_itself_alive(no_gc: None) -> None:
    """
    wrap() keeps no reference to what it returned, nor to its context.
    """
    store = ctxlog.Store(a=1)
    wrapped = ctxlog.run(store, ctxlog.wrap, lambda: None)
    dead = weakref.ref(store), weakref.ref(wrapped)
    wrapped()
    del store, wrapped
    assert [ref() for ref in dead] == [None, None]


class Emitter:
    """
    An event emitter that calls its listeners where emit() is called.
    """

    def __init__(self) -> None:
        self.listeners: list[Callable[..., Any]] = []

    def emit(self, *args: object) -> list[Any]:
        """
        Call the listeners and return what they return.
        """
        return [listener(*args) for listener in self.listeners]


@pytest.mark.parametrize(
    ("registered", "emitted", "plain", "wrapped"),
    [
        (None, None, {}, {}),
        ("r", None, {}, {"id": "r"}),
        (None, "e", {"id": "e"}, {}),
        ("r", "e", {"id": "e"}, {"id": "r"}),
    ],
)
def test_listeners_run_where_they_are_called_unless_wrapped(
    registered: str | None,
    emitted: str | None,
    plain: dict[str, object],
    wrapped: dict[str, object],
) -> None:
    """
    A plain listener sees the emitter's context, a wrapped one that of registration.
    """
    emitter = Emitter()

    def within(name: str | None, fn: Callable[[], Any]) -> Any:
        return fn() if name is None else ctxlog.run({"id": name}, fn)

    def listener(*args: object) -> tuple[object, ...]:
        return *args, ctxlog.fields()

    def register() -> None:
        emitter.listeners.append(listener)
        emitter.listeners.append(ctxlog.wrap(listener))

    within(registered, register)
    for _ in range(2):
        seen = within(emitted, lambda: emitter.emit(1))
        assert seen == [(1, plain), (1, wrapped)]


def test_a_listener_that_fails_leaves_the_emitter_in_its_context() -> None:
    """
    After a wrapped listener raised, the emitting code is in its own context.
    """
    emitter = Emitter()

    def fail() -> None:
        raise ValueError("bad")

    emitter.listeners.append(ctxlog.run({"a": 1}, ctxlog.wrap, fail))

    def emit() -> None:
        with pytest.raises(ValueError, match="bad"):
            emitter.emit()
        assert ctxlog.fields() == {"b": 2}

    ctxlog.run({"b": 2}, emit)
