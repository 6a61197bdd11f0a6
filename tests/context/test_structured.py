"""
anyio on both of its backends, and trio: groups, cancel scopes and worker threads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread
import pytest
import trio
from anyio.lowlevel import checkpoint

import ctxlog

_RunAnyio = Callable[[Callable[[], Any]], Any]


def test_run_scope_and_detached_work_in_every_loop(
    run_loop: Callable[[Callable[[], Any]], Any],
) -> None:
    """
    The store and its scopes survive awaits under asyncio, anyio and trio alike.
    """

    async def inner() -> dict[str, object]:
        with ctxlog.scope(s=1):
            await checkpoint()
            with ctxlog.detached():
                await checkpoint()
                assert ctxlog.fields() == {}
            await checkpoint()
            return ctxlog.fields()

    async def main() -> None:
        assert await ctxlog.run({"b": 2}, inner) == {"b": 2, "s": 1}
        assert ctxlog.fields() == {"a": 1}

    run_loop(lambda: ctxlog.run({"a": 1}, main))
    assert ctxlog.fields() == {}


def test_children_inherit_at_the_call_and_not_from_the_group(
    run_anyio: _RunAnyio,
) -> None:
    """
    A child is in the context of `start_soon`, in whatever context the group is.
    """
    seen: dict[str, object] = {}

    async def child(name: str) -> None:
        await checkpoint()
        seen[name] = ctxlog.fields()

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(child, "outside")
            ctxlog.run({"id": "A"}, group.start_soon, child, "in a run")
            with ctxlog.scope(s=1):
                group.start_soon(child, "in a scope")
            with ctxlog.detached():
                group.start_soon(child, "detached")

    run_anyio(lambda: ctxlog.run({"id": "G"}, main))
    assert seen == {
        "outside": {"id": "G"},
        "in a run": {"id": "A"},
        "in a scope": {"id": "G", "s": 1},
        "detached": {},
    }


def test_what_start_waits_for_stays_in_the_child(run_anyio: _RunAnyio) -> None:
    """
    A child awaited by `group.start` keeps its scopes; what it binds, all see.
    """

    async def child(*, task_status: Any) -> None:
        with ctxlog.scope(child=1):
            ctxlog.bind(b=2)
            task_status.started(ctxlog.fields())
            await checkpoint()

    async def main() -> None:
        async with anyio.create_task_group() as group:
            assert await group.start(child) == {"a": 1, "b": 2, "child": 1}
            assert ctxlog.fields() == {"a": 1, "b": 2}

    run_anyio(lambda: ctxlog.run({"a": 1}, main))


def test_a_timeout_inside_a_scope_keeps_the_order(run_anyio: _RunAnyio) -> None:
    """
    A cancel scope that fires inside scopes leaves every level with its own fields.
    """

    async def main() -> None:
        with ctxlog.scope(outer=1):
            with anyio.CancelScope() as cancelled:
                with ctxlog.scope(inner=1):
                    cancelled.cancel()
                    try:
                        await anyio.sleep_forever()
                    finally:
                        assert ctxlog.fields() == {"a": 1, "outer": 1, "inner": 1}
            assert cancelled.cancelled_caught
            assert ctxlog.fields() == {"a": 1, "outer": 1}
        assert ctxlog.fields() == {"a": 1}

    run_anyio(lambda: ctxlog.run({"a": 1}, main))


def test_a_cancelled_run_ends_in_its_own_store(run_anyio: _RunAnyio) -> None:
    """
    A body under run() that is cancelled from outside cleans up in its own store.
    """
    seen: list[object] = []

    async def body() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            seen.append(ctxlog.fields())

    async def main() -> None:
        with anyio.move_on_after(0):
            await ctxlog.run({"b": 2}, body)
        seen.append(ctxlog.fields())

    run_anyio(lambda: ctxlog.run({"a": 1}, main))
    assert seen == [{"b": 2}, {"a": 1}]


def test_a_snapshots_body_may_use_groups_and_timeouts(run_anyio: _RunAnyio) -> None:
    """
    Code that runs in a snapshot's context can open groups and be cancelled there.
    """

    async def body() -> object:
        seen: list[object] = []

        async def child() -> None:
            await checkpoint()
            seen.append(ctxlog.fields())

        with anyio.fail_after(30):
            async with anyio.create_task_group() as group:
                group.start_soon(child)
        return [*seen, ctxlog.fields()]

    async def main() -> None:
        snapshot = ctxlog.run({"a": 1}, ctxlog.Snapshot)
        assert await snapshot.run(body) == [{"a": 1}, {"a": 1}]

    run_anyio(main)


def test_worker_threads_inherit_there_and_back(run_anyio: _RunAnyio) -> None:
    """
    A worker thread and what it calls back in the loop are in the request.
    """

    def work() -> list[object]:
        with ctxlog.scope(thread=1):
            ctxlog.bind(b=2)
            return [
                ctxlog.fields(),
                anyio.from_thread.run_sync(ctxlog.fields),
                anyio.from_thread.run(back),
            ]

    async def back() -> object:
        await checkpoint()
        # Under trio the task that waits for the thread runs it, in its own scopes.
        return ctxlog.get_store()

    async def main() -> None:
        there = {"a": 1, "b": 2, "thread": 1}
        seen = await anyio.to_thread.run_sync(work)
        assert seen == [there, there, ctxlog.get_store()]
        assert ctxlog.fields() == {"a": 1, "b": 2}

    run_anyio(lambda: ctxlog.run({"a": 1}, main))


def test_trios_worker_threads_inherit() -> None:
    """
    `trio.to_thread` and `trio.from_thread` carry the context like anyio's.
    """

    def work() -> tuple[object, object]:
        return ctxlog.fields(), trio.from_thread.run_sync(ctxlog.fields)

    async def main() -> None:
        assert await trio.to_thread.run_sync(work) == ({"a": 1}, {"a": 1})

    trio.run(lambda: ctxlog.run({"a": 1}, main))


def test_trios_run_sync_soon_inherits_nothing_unless_wrapped() -> None:
    """
    A callback given to trio from a thread has no context; a wrapped one has its own.
    """
    seen: list[object] = []

    async def main() -> None:
        token = trio.lowlevel.current_trio_token()
        done = trio.Event()

        def work() -> None:
            token.run_sync_soon(lambda: seen.append(ctxlog.fields()))
            token.run_sync_soon(ctxlog.wrap(lambda: seen.append(ctxlog.fields())))
            token.run_sync_soon(done.set)

        await trio.to_thread.run_sync(work)
        await done.wait()

    trio.run(lambda: ctxlog.run({"a": 1}, main))
    assert seen == [{}, {"a": 1}]


def test_many_requests_at_once_do_not_mix(run_anyio: _RunAnyio) -> None:
    """
    Many interleaved requests with scopes and binds each see only their own fields.
    """

    async def handle(n: int) -> None:
        for step in range(5):
            with ctxlog.scope(step=step):
                await checkpoint()
                ctxlog.bind(**{f"done{step}": n})
                await checkpoint()
                seen = ctxlog.fields()
                assert seen["step"] == step
                assert {v for k, v in seen.items() if k != "step"} == {n}

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for n in range(100):
                group.start_soon(ctxlog.run, {"id": n}, handle, n)

    run_anyio(main)


@pytest.mark.parametrize("depth", [3])
def test_groups_inside_runs_inside_groups(run_anyio: _RunAnyio, depth: int) -> None:
    """
    Groups and runs nested in each other give every task the innermost store.
    """

    async def level(n: int) -> None:
        assert ctxlog.fields() == {"n": n}
        if n < depth:
            async with anyio.create_task_group() as group:
                for _ in range(2):
                    group.start_soon(ctxlog.run, {"n": n + 1}, level, n + 1)
        await checkpoint()
        assert ctxlog.fields() == {"n": n}

    run_anyio(lambda: ctxlog.run({"n": 0}, level, 0))
