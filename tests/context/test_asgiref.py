"""
asgiref's bridges between synchronous and asynchronous code, which Django stands on.
"""

from __future__ import annotations

import asyncio
import threading

import ctxlog
from tests.helpers import need


def test_a_synchronous_function_has_its_awaiters_store() -> None:
    """
    sync_to_async() runs in the store, binds to it and opens scopes of its own.
    """
    sync = need("asgiref.sync")

    def work() -> dict[str, object]:
        ctxlog.bind(thread=threading.current_thread() is threading.main_thread())
        with ctxlog.scope(step="sync"):
            return ctxlog.fields()

    async def body(number: int) -> None:
        with ctxlog.scope(part=number):
            seen = await sync.sync_to_async(work, thread_sensitive=False)()
            expected = {"id": number, "thread": False, "part": number}
            assert seen == {**expected, "step": "sync"}
            assert ctxlog.fields() == expected

    async def main() -> None:
        await asyncio.gather(*(ctxlog.run({"id": n}, body, n) for n in range(10)))
        assert ctxlog.fields() == {}

    asyncio.run(main())


def test_an_asynchronous_function_has_its_callers_store() -> None:
    """
    async_to_sync() runs in the store, and what it binds is there afterwards.
    """
    sync = need("asgiref.sync")

    async def work() -> dict[str, object]:
        await asyncio.sleep(0)
        ctxlog.bind(user="alice")
        return ctxlog.fields()

    def body() -> None:
        with ctxlog.scope(part=1):
            assert sync.async_to_sync(work)() == {"id": 1, "user": "alice", "part": 1}
            assert ctxlog.fields() == {"id": 1, "user": "alice", "part": 1}
        assert ctxlog.fields() == {"id": 1, "user": "alice"}

    ctxlog.run({"id": 1}, body)
    assert ctxlog.fields() == {}


def test_both_bridges_at_once_keep_the_requests_apart() -> None:
    """
    From a task to a thread and back to the loop, each request keeps its own store.
    """
    sync = need("asgiref.sync")

    async def deep(number: int) -> object:
        await asyncio.sleep(0)
        ctxlog.bind(deep=number)
        return ctxlog.fields()["id"]

    def middle(number: int) -> object:
        return sync.async_to_sync(deep)(number)

    async def body(number: int) -> dict[str, object]:
        assert await sync.sync_to_async(middle)(number) == number
        return ctxlog.fields()

    async def main() -> None:
        seen = await asyncio.gather(
            *(ctxlog.run({"id": n}, body, n) for n in range(10))
        )
        assert seen == [{"id": n, "deep": n} for n in range(10)]

    asyncio.run(main())


def test_a_scope_left_on_the_other_side_of_a_bridge_ends() -> None:
    """
    A scope that was entered in a task may be left in its worker thread.
    """
    sync = need("asgiref.sync")

    async def body() -> None:
        block = ctxlog.scope(part=1)
        block.__enter__()
        await sync.sync_to_async(block.__exit__)(None, None, None)
        assert ctxlog.fields() == {"id": 1}

    asyncio.run(ctxlog.run({"id": 1}, body))
