"""
`AsyncLocalStorage`: further stores of any value, independent of each other.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
from collections.abc import Generator
from typing import Any

import pytest

import ctxlog
from ctxlog import AsyncLocalStorage


@dataclasses.dataclass
class Tenant:
    """
    A typed store.
    """

    name: str


def test_outside_of_any_run_the_value_is_none() -> None:
    """
    get_store() outside of any run is None, not a LookupError.
    """
    assert AsyncLocalStorage[int]().get_store() is None


@pytest.mark.parametrize(
    "default", [None, 0, "", False, [], "d"], ids=lambda value: type(value).__name__
)
def test_the_default_is_what_there_is_outside(default: Any) -> None:
    """
    Any default, also a false one, is what get_store() returns outside, by identity.
    """
    assert AsyncLocalStorage(default=default).get_store() is default


def test_none_is_a_value_and_not_the_default() -> None:
    """
    run(None) makes None the value, even where there is a default.
    """
    storage = AsyncLocalStorage(default="d")
    assert storage.run(None, storage.get_store) is None
    assert storage.get_store() == "d"


def test_an_unknown_option_is_a_type_error() -> None:
    """
    An option that does not exist is a TypeError, and the default is a keyword only.
    """
    with pytest.raises(TypeError):
        AsyncLocalStorage("n", defaultValue=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        AsyncLocalStorage("n", 1)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("given", "name"), [("", ""), ("tenant", "tenant"), (7, "7"), (None, "None")]
)
def test_the_name_is_a_string(given: object, name: str) -> None:
    """
    The name is readable, empty unless given, and turned into a string.
    """
    storage = AsyncLocalStorage[int](given)
    assert storage.name == name
    assert repr(storage) == f"<AsyncLocalStorage {name!r}>"
    assert AsyncLocalStorage[int]().name == ""


@pytest.mark.parametrize(
    "value",
    ["text", 0, {"a": 1}, Tenant("t"), object(), [], len],
    ids=lambda value: type(value).__name__,
)
def test_the_value_may_be_anything(value: Any) -> None:
    """
    Whatever was passed to run() is what get_store() returns, the same object.
    """
    storage = AsyncLocalStorage[Any]()
    assert storage.run(value, storage.get_store) is value


def test_run_passes_arguments_and_returns_the_value() -> None:
    """
    run() and exit() hand arguments on and return the function's value.
    """
    storage = AsyncLocalStorage[int]()
    both = dict(x=3)
    assert storage.run(1, lambda *a, **k: (a, k), 1, 2, x=3) == ((1, 2), both)
    assert storage.exit(lambda *a, **k: (a, k), 1, 2, x=3) == ((1, 2), both)


@pytest.mark.parametrize(
    "fn", [None, 3, "f", (), object()], ids=lambda value: type(value).__name__
)
def test_what_cannot_be_called_is_a_type_error(fn: Any) -> None:
    """
    Something that is not callable is a TypeError, and the value is as before.
    """
    storage = AsyncLocalStorage[int]()

    def body() -> None:
        with pytest.raises(TypeError):
            storage.run(2, fn)
        with pytest.raises(TypeError):
            storage.exit(fn)
        assert storage.get_store() == 1

    storage.run(1, body)


def test_the_innermost_run_wins() -> None:
    """
    A nested run replaces the value and the outer one is back after it.
    """
    storage = AsyncLocalStorage[int]()

    def outer() -> list[int | None]:
        return [
            storage.get_store(),
            storage.run(2, storage.get_store),
            storage.get_store(),
        ]

    assert storage.run(1, outer) == [1, 2, 1]
    assert storage.get_store() is None


def test_a_run_that_fails_is_over() -> None:
    """
    An error leaves run() as it is, and the outer value is back.
    """
    storage = AsyncLocalStorage[int]()
    error = ValueError("bad")

    def fail() -> None:
        raise error

    with pytest.raises(ValueError, match="bad") as caught:
        storage.run(1, fail)
    assert caught.value is error
    assert storage.get_store() is None


def test_the_body_of_a_coroutine_has_the_value() -> None:
    """
    An async function's body has the value, and who awaits it keeps their own.
    """
    storage = AsyncLocalStorage[int]()

    async def body() -> tuple[int | None, int | None]:
        before = storage.get_store()
        await asyncio.sleep(0)
        return before, storage.get_store()

    async def main() -> None:
        assert await storage.run(1, body) == (1, 1)
        assert storage.get_store() is None

    asyncio.run(main())


def test_a_generator_has_the_value_and_its_consumer_does_not() -> None:
    """
    A generator's body has the value at every step, its consumer never.
    """
    storage = AsyncLocalStorage[int]()

    def numbers() -> Generator[int | None, None, None]:
        yield storage.get_store()
        yield storage.get_store()

    for value in storage.run(1, numbers):
        assert value == 1
        assert storage.get_store() is None


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_storages_never_interfere(order: tuple[int, ...]) -> None:
    """
    Three storages nested in any order, with a snapshot at every depth, stay apart.
    """
    storages = [AsyncLocalStorage[str](f"s{n}") for n in range(3)]

    def values() -> list[str | None]:
        return [storage.get_store() for storage in storages]

    expected: list[str | None] = [None, None, None]
    snapshots = [(ctxlog.Snapshot(), list(expected))]

    def nest(rest: tuple[int, ...]) -> None:
        if not rest:
            return
        which, *further = rest
        expected[which] = f"v{which}"

        def body() -> None:
            assert values() == expected
            snapshots.append((ctxlog.Snapshot(), list(expected)))
            nest(tuple(further))

        storages[which].run(f"v{which}", body)

    nest(order)
    assert values() == [None, None, None]
    for snapshot, was in snapshots:
        assert snapshot.run(values) == was


def test_two_storages_of_one_name_are_two() -> None:
    """
    A storage is itself, not its name: another of the same name has its own value.
    """
    one, two = AsyncLocalStorage[int]("n"), AsyncLocalStorage[int]("n")
    assert one.run(1, two.get_store) is None
    assert one.run(1, two.run, 2, lambda: (one.get_store(), two.get_store())) == (1, 2)


def test_a_storage_and_the_store_never_interfere() -> None:
    """
    Neither a storage's run nor its exit changes what the log lines carry.
    """
    storage = AsyncLocalStorage[int]()

    def body() -> None:
        assert storage.run(1, ctxlog.fields) == {"a": 1}
        assert storage.exit(ctxlog.fields) == {"a": 1}
        storage.run(1, lambda: ctxlog.run({}, lambda: None))
        with ctxlog.detached():
            assert storage.run(2, storage.get_store) == 2

    ctxlog.run({"a": 1}, body)


def test_enter_with_holds_for_the_rest_and_for_what_is_started_after() -> None:
    """
    enter_with() holds on, for tasks started after it, but not for earlier ones.
    """
    storage = AsyncLocalStorage[int]()

    async def read(go: asyncio.Event) -> int | None:
        await go.wait()
        return storage.get_store()

    async def main() -> list[int | None]:
        go = asyncio.Event()
        earlier = asyncio.create_task(read(go))
        await asyncio.sleep(0)
        storage.enter_with(1)
        later = asyncio.create_task(read(go))
        go.set()
        await asyncio.sleep(0)
        return [storage.get_store(), await earlier, await later]

    assert asyncio.run(main()) == [1, None, 1]
    assert storage.get_store() is None


def test_enter_with_in_one_callback_leaks_into_the_next() -> None:
    """
    Handlers that are called one after the other share enter_with(): prefer run().
    """
    storage = AsyncLocalStorage[int]()

    def emit() -> list[int | None]:
        seen: list[int | None] = []
        for handler in (
            lambda: storage.enter_with(1),
            lambda: seen.append(storage.get_store()),
        ):
            handler()
        return seen

    assert ctxlog.Snapshot().run(emit) == [1]


def test_enter_with_inside_a_run_ends_with_it() -> None:
    """
    enter_with() inside an async run lasts past its awaits and ends with the run.
    """
    storage = AsyncLocalStorage[int]()

    async def body() -> int | None:
        storage.enter_with(2)
        await asyncio.sleep(0)
        return storage.get_store()

    async def main() -> None:
        assert await storage.run(1, body) == 2
        assert storage.get_store() is None

    asyncio.run(main())
    assert storage.run(1, lambda: (storage.enter_with(2), storage.get_store())[1]) == 2
    assert storage.get_store() is None


def test_enter_with_leaks_out_of_an_awaited_coroutine_and_not_of_a_task() -> None:
    """
    A coroutine that is awaited directly leaks enter_with() to its caller; a task not.
    """
    storage = AsyncLocalStorage[int]()

    async def enter(value: int) -> None:
        storage.enter_with(value)

    async def main() -> list[int | None]:
        await asyncio.create_task(enter(1))
        after_task = storage.get_store()
        await enter(2)
        return [after_task, storage.get_store()]

    assert asyncio.run(main()) == [None, 2]


def test_exit_hides_the_value_inside_and_in_what_is_started_inside() -> None:
    """
    Inside exit() and in tasks started there the value is None; after it, it is back.
    """
    storage = AsyncLocalStorage[int](default=0)

    async def read() -> int | None:
        await asyncio.sleep(0)
        return storage.get_store()

    async def body() -> list[int | None]:
        task = storage.exit(lambda: asyncio.create_task(read()))
        return [
            storage.exit(storage.get_store),
            await storage.exit(read),
            await task,
            storage.get_store(),
        ]

    async def main() -> list[int | None]:
        return await storage.run(1, body)

    assert asyncio.run(main()) == [None, None, None, 1]


def test_an_exit_that_fails_is_over() -> None:
    """
    An error leaves exit() as it is, and the value is back.
    """
    storage = AsyncLocalStorage[int]()

    def body() -> int | None:
        with pytest.raises(ZeroDivisionError):
            storage.exit(lambda: 1 // 0)
        return storage.get_store()

    assert storage.run(1, body) == 1


def test_exit_of_one_storage_leaves_the_others() -> None:
    """
    exit() of one storage does not touch another one's value.
    """
    one, two = AsyncLocalStorage[int](), AsyncLocalStorage[int]()

    def body() -> list[int | None]:
        def inside() -> list[int | None]:
            return [one.get_store(), two.get_store()]

        return [*one.exit(inside), one.get_store()]

    assert one.run(1, two.run, 2, body) == [None, 2, 1]


def test_run_and_exit_a_hundred_deep() -> None:
    """
    run and exit inside each other a hundred times: every level has its own value.
    """
    storage = AsyncLocalStorage[int]()

    def level(n: int) -> None:
        assert storage.get_store() is None
        if n < 100:
            storage.run(n, inside, n)
            assert storage.get_store() is None

    def inside(n: int) -> None:
        assert storage.get_store() == n
        storage.exit(level, n + 1)
        assert storage.get_store() == n

    level(0)


def test_a_dataclass_is_a_typed_store() -> None:
    """
    A dataclass instance is shared by all holders, so a change is seen by all.
    """
    storage = AsyncLocalStorage[Tenant]()

    def rename() -> None:
        tenant = storage.get_store()
        assert tenant is not None
        tenant.name = "u"

    async def body() -> str:
        await asyncio.create_task(_call(rename))
        tenant = storage.get_store()
        assert tenant is not None
        return tenant.name

    async def _call(fn: Any) -> None:
        fn()

    async def main() -> str:
        return await storage.run(Tenant("t"), body)

    assert asyncio.run(main()) == "u"
