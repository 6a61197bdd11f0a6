"""
Tasks, callbacks, threads and structured concurrency: what inherits the context.
"""

from __future__ import annotations

import asyncio
import gc
import random
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import anyio.to_thread
import pytest
import trio

import ctxlog
from tests.helpers import LogEnvironment


def test_ten_clients_at_once_do_not_mix() -> None:
    """
    Handlers that read and append only through the store keep to their own.
    """

    async def handle(number: int) -> object:
        for step in range(20):
            store = ctxlog.get_store()
            assert store is not None
            store["chunks"] = [*store["chunks"], (number, step)]  # type: ignore[misc]
            await asyncio.sleep(0)
        return ctxlog.fields()["chunks"]

    async def main() -> list[object]:
        clients = (ctxlog.run({"chunks": []}, handle, n) for n in range(10))
        return await asyncio.gather(*clients)

    found = asyncio.run(main())

    assert found == [[(n, step) for step in range(20)] for n in range(10)]


def test_a_task_started_earlier_sees_what_is_bound_later() -> None:
    """
    The store is one for all: a bind reaches tasks that run already.
    """

    async def main() -> object:
        bound = asyncio.Event()

        async def child() -> object:
            await bound.wait()
            return ctxlog.fields()["user"]

        task = asyncio.create_task(child())
        await asyncio.sleep(0)
        ctxlog.bind(user="u")
        bound.set()
        return await task

    assert asyncio.run(ctxlog.run({}, main)) == "u"


def test_a_childs_scope_is_its_own() -> None:
    """
    Neither siblings nor the parent see a task's scope, also through `wait_for`.
    """

    async def child(number: int) -> object:
        with ctxlog.scope(number=number):
            await asyncio.sleep(0)
            return ctxlog.fields()["number"]

    async def main() -> list[object]:
        found = [
            *await asyncio.gather(child(1), child(2)),
            await child(3),
            await asyncio.wait_for(child(4), 30),
        ]
        assert ctxlog.fields() == {}
        return found

    assert asyncio.run(ctxlog.run({}, main)) == [1, 2, 3, 4]


def test_callbacks_of_the_loop_run_where_they_were_registered() -> None:
    """
    `call_soon`, `call_later` and `add_done_callback` see the registration's store.
    """

    async def main() -> list[object]:
        loop = asyncio.get_running_loop()
        seen: list[object] = []
        done = loop.create_future()
        ended = asyncio.Event()

        def note(*_: Any) -> None:
            seen.append(ctxlog.fields())
            if len(seen) == 3:
                ended.set()

        def register() -> None:
            loop.call_soon(note)
            loop.call_later(0, note)
            done.add_done_callback(note)

        ctxlog.run({"requestID": "C"}, register)
        ctxlog.run({"requestID": "B"}, done.set_result, None)
        await ended.wait()
        return seen

    assert asyncio.run(main()) == [{"requestID": "C"}] * 3


def test_a_cancelled_task_still_sees_its_own_fields() -> None:
    """
    In `except CancelledError` and in `finally`.
    """

    async def child(seen: list[object], started: asyncio.Event) -> None:
        try:
            started.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append(ctxlog.fields())
            raise
        finally:
            seen.append(ctxlog.fields())

    async def main() -> list[object]:
        seen: list[object] = []
        started = asyncio.Event()
        task = asyncio.create_task(ctxlog.run({"a": 1}, child, seen, started))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return seen

    assert asyncio.run(main()) == [{"a": 1}, {"a": 1}]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_children_of_an_anyio_group_inherit_when_they_start(backend: str) -> None:
    """
    From the call of `start_soon`, not from where the group was opened.
    """

    async def main() -> list[object]:
        seen: list[object] = []

        async def child() -> None:
            with ctxlog.scope(own=len(seen)):
                await anyio.lowlevel.checkpoint()
            seen.append(ctxlog.fields())

        async with anyio.create_task_group() as group:
            with ctxlog.scope(job=1):
                group.start_soon(child)
            group.start_soon(child)
        assert ctxlog.fields() == {"a": 1}
        return seen

    seen = anyio.run(lambda: ctxlog.run({"a": 1}, main), backend=backend)

    assert len(seen) == 2
    assert all(fields["a"] == 1 for fields in seen)
    assert not any("own" in fields for fields in seen)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_worker_thread_of_anyio_writes_to_the_store(backend: str) -> None:
    """
    It inherits the context, and what it binds is the request's.
    """

    async def main() -> object:
        await anyio.to_thread.run_sync(lambda: ctxlog.bind(seen=True))
        return ctxlog.fields()

    found = anyio.run(lambda: ctxlog.run({}, main), backend=backend)

    assert found == {"seen": True}


def test_a_trio_nursery_inherits() -> None:
    """
    Children of a nursery run in their starter's store.
    """
    seen: list[object] = []

    async def child() -> None:
        await trio.lowlevel.checkpoint()
        seen.append(ctxlog.fields())

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(child)

    trio.run(ctxlog.run, {"a": 1}, main)

    assert seen == [{"a": 1}]


def test_wrapped_jobs_carry_the_context_and_leave_none_in_the_pool() -> None:
    """
    A pool's thread that is used again shows nothing of the job before.
    """
    with ThreadPoolExecutor(max_workers=1) as pool:
        carried = ctxlog.run(
            {"requestID": "A"}, lambda: pool.submit(ctxlog.wrap(ctxlog.fields))
        )
        assert carried.result() == {"requestID": "A"}
        assert pool.submit(ctxlog.fields).result() == {}


def test_threads_that_bind_at_once_lose_nothing() -> None:
    """
    Concurrent writes to one store are all there.
    """
    store = ctxlog.Store()

    def write(letter: str) -> None:
        for number in range(200):
            store[f"{letter}{number}"] = number

    threads = [threading.Thread(target=write, args=(letter,)) for letter in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(store) == 800


def test_a_store_is_gone_when_its_request_is() -> None:
    """
    After the last use nothing keeps it, without waiting for the garbage collector.
    """

    async def handle() -> weakref.ref[ctxlog.Store]:
        with ctxlog.scope(step=1):
            await asyncio.sleep(0)
        store = ctxlog.get_store()
        assert store is not None
        return weakref.ref(store)

    async def main() -> weakref.ref[ctxlog.Store]:
        return await ctxlog.run({"a": 1}, handle)

    gc.disable()
    try:
        assert asyncio.run(main())() is None
    finally:
        gc.enable()


def test_a_thousand_tasks_never_share_a_field() -> None:
    """
    1,000 interleaved tasks with random waits: no line has another task's id.
    """
    environment = LogEnvironment("thousand")
    handler = ctxlog.LineHandler(environment.stream)
    handler.setFormatter(ctxlog.JsonFormatter())
    environment.use(handler)
    chance = random.Random(7)

    async def work(number: int) -> None:
        for step in range(3):
            for _ in range(chance.randrange(4)):
                await asyncio.sleep(0)
            with ctxlog.scope(step=step):
                environment.logger.info("%d %d", number, step)

    async def main() -> None:
        await asyncio.gather(
            *(ctxlog.run({"requestID": f"r{n}"}, work, n) for n in range(1_000))
        )

    asyncio.run(main())
    environment.close()
    lines = environment.load_all()

    assert len(lines) == 3_000
    assert all(
        line["message"] == f"{line['requestID'][1:]} {line['step']}" for line in lines
    )
