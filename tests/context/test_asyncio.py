"""
asyncio's own ways to start, to wait and to call back, and what each inherits.
"""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Generator
from contextvars import copy_context
from typing import Any

import pytest

import ctxlog
from ctxlog.context.adapter import current_view


class Thenable:
    """
    An awaitable that notes the fields under which it is awaited.
    """

    def __await__(self) -> Generator[Any, None, tuple[object, object]]:
        before = ctxlog.fields()
        yield from asyncio.sleep(0).__await__()
        return before, ctxlog.fields()


async def _read(go: asyncio.Event | None = None) -> dict[str, object]:
    await (asyncio.sleep(0) if go is None else go.wait())
    return ctxlog.fields()


def test_the_store_survives_every_kind_of_await() -> None:
    """
    After awaiting a future, a coroutine, a task and a group the store is the same.
    """

    async def main() -> None:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        loop.call_soon(future.set_result, 1)
        for awaitable in (
            *(future, _read(), asyncio.create_task(_read())),
            *(asyncio.gather(_read(), _read()), asyncio.sleep(0)),
            *(asyncio.wait_for(_read(), 30), asyncio.shield(_read())),
            loop.getaddrinfo("127.0.0.1", 80),
        ):
            await awaitable
            assert ctxlog.fields() == {"a": 1}

    asyncio.run(ctxlog.run({"a": 1}, main))


def test_an_awaitable_runs_in_the_store_of_its_awaiter() -> None:
    """
    An object with `__await__` sees the awaiter's store, however it is waited for.
    """

    async def returned() -> Thenable:
        return Thenable()

    async def main() -> None:
        both = ({"a": 1}, {"a": 1})
        assert await Thenable() == both
        assert await (await returned()) == both
        assert await asyncio.ensure_future(Thenable()) == both
        assert await asyncio.gather(Thenable(), Thenable()) == [both, both]

    asyncio.run(ctxlog.run({"a": 1}, main))


def test_a_future_brings_no_context_with_its_result() -> None:
    """
    Awaiting a future leaves the store as it is, whichever task set the result.
    """

    async def wait(future: asyncio.Future[None]) -> dict[str, object]:
        await future
        return ctxlog.fields()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        future = ctxlog.run({"id": "A"}, loop.create_future)
        waiting = [
            asyncio.create_task(ctxlog.run({"id": name}, wait, future))
            for name in "CDE"
        ]
        await asyncio.sleep(0)
        ctxlog.run({"id": "B"}, future.set_result, None)
        assert await asyncio.gather(*waiting) == [{"id": name} for name in "CDE"]

    asyncio.run(main())


def test_every_continuation_of_a_future_sees_its_own_registration() -> None:
    """
    Three callbacks on one future run each in the store that it was added in.
    """
    seen: list[object] = []

    async def main() -> None:
        future = asyncio.get_running_loop().create_future()
        for name in "XYZ":
            ctxlog.run(
                {"id": name},
                future.add_done_callback,
                lambda _: seen.append(ctxlog.fields()["id"]),
            )
        future.set_result(None)
        await asyncio.sleep(0)

    asyncio.run(ctxlog.run({"id": "main"}, main))
    assert seen == ["X", "Y", "Z"]


@pytest.mark.parametrize("how", ["call_soon", "call_later", "call_at", "threadsafe"])
def test_a_callback_runs_where_it_was_registered(how: str) -> None:
    """
    Every way to have the loop call something captures the context at the call.
    """

    async def main() -> dict[str, object]:
        loop = asyncio.get_running_loop()
        seen = loop.create_future()
        register: Callable[..., Any] = {
            "call_soon": loop.call_soon,
            "call_later": functools.partial(loop.call_later, 0),
            "call_at": functools.partial(loop.call_at, loop.time()),
            "threadsafe": loop.call_soon_threadsafe,
        }[how]
        ctxlog.run({"id": "R"}, register, lambda: seen.set_result(ctxlog.fields()))
        result: dict[str, object] = await seen
        return result

    assert asyncio.run(ctxlog.run({"id": "main"}, main)) == {"id": "R"}


def test_overlapping_timers_that_rearm_keep_their_ids() -> None:
    """
    Two timers that set themselves again keep each its own store over their ticks.
    """

    async def main() -> list[tuple[str, object]]:
        loop = asyncio.get_running_loop()
        seen: list[tuple[str, object]] = []
        done = asyncio.Event()

        def tick(name: str, left: int) -> None:
            seen.append((name, ctxlog.fields()["id"]))
            if left:
                loop.call_later(0, tick, name, left - 1)
            elif len(seen) == 6:
                done.set()

        for name in "AB":
            ctxlog.run({"id": name}, loop.call_later, 0, tick, name, 2)
        await done.wait()
        return seen

    seen = asyncio.run(main())
    assert sorted(seen) == [("A", "A")] * 3 + [("B", "B")] * 3


def test_a_timer_that_opens_a_run_each_time_has_no_ancestors() -> None:
    """
    A timer that re-arms inside run() or scope() shows the last tick's fields only.
    """

    async def main() -> list[dict[str, object]]:
        loop = asyncio.get_running_loop()
        seen: list[dict[str, object]] = []
        done = asyncio.Event()

        def tick(n: int) -> None:
            ctxlog.run({f"n{n}": n}, rearm, n)

        def rearm(n: int) -> None:
            seen.append(ctxlog.fields())
            if n < 3:
                loop.call_soon(tick, n + 1)
            else:
                done.set()

        tick(0)
        await done.wait()
        return seen

    assert asyncio.run(main()) == [{f"n{n}": n} for n in range(4)]


def test_fire_and_forget_outlives_its_run_and_is_late() -> None:
    """
    A task that is never awaited keeps the store, and its lines are late.
    """

    async def background(go: asyncio.Event) -> tuple[dict[str, object], bool]:
        await go.wait()
        return ctxlog.fields(), current_view().late

    async def request(go: asyncio.Event) -> asyncio.Task[Any]:
        return asyncio.create_task(background(go))

    async def main() -> None:
        go = asyncio.Event()
        task = await ctxlog.run({"a": 1}, request, go)
        go.set()
        assert await task == ({"a": 1}, True)

    asyncio.run(main())


@pytest.mark.parametrize("how", ["create_task", "gather", "wait_for", "await"])
def test_what_a_child_does_to_the_context_stays_with_it(how: str) -> None:
    """
    A child's scope, run and detached() are not seen by its parent, however awaited.
    """

    async def child() -> None:
        with ctxlog.scope(child=1), ctxlog.detached():
            await ctxlog.run({"c": 1}, _read)
            await asyncio.sleep(0)

    async def main() -> None:
        if how == "create_task":
            await asyncio.create_task(child())
        elif how == "gather":
            await asyncio.gather(child(), child())
        elif how == "wait_for":
            await asyncio.wait_for(child(), 30)
        else:
            await child()
        assert ctxlog.fields() == {"a": 1}

    asyncio.run(ctxlog.run({"a": 1}, main))


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks are of 3.12")
def test_an_eager_task_does_not_leak_into_its_parent() -> None:
    """
    A task that starts inside `create_task()` keeps its scopes to itself, and ends them.
    """

    async def child() -> dict[str, object]:
        scope = ctxlog.scope(child=1)
        scope.__enter__()
        await asyncio.sleep(0)
        inside = ctxlog.fields()
        scope.__exit__(None, None, None)
        assert ctxlog.fields() == {"a": 1}
        return inside

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(asyncio.eager_task_factory)
        task = asyncio.create_task(child())
        other = asyncio.create_task(ctxlog.run({"b": 2}, _read))
        assert ctxlog.fields() == {"a": 1}
        assert await task == {"a": 1, "child": 1}
        assert await other == {"b": 2}
        assert ctxlog.fields() == {"a": 1}

    asyncio.run(ctxlog.run({"a": 1}, main))


@pytest.mark.skipif(sys.version_info < (3, 11), reason="`context=` is of 3.11")
def test_an_explicit_context_is_honoured() -> None:
    """
    `create_task(..., context=...)` decides what the task sees.
    """

    async def main() -> None:
        context = ctxlog.run({"b": 2}, copy_context)
        task = asyncio.create_task(_read(), context=context)
        assert await task == {"b": 2}

    asyncio.run(ctxlog.run({"a": 1}, main))


@pytest.mark.skipif(sys.version_info < (3, 11), reason="`context=` is of 3.11")
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_runs_of_tasks_that_share_one_context_do_not_mix(
    order: tuple[int, ...],
) -> None:
    """
    Tasks that were given one and the same context are each in the store of their run().
    """

    async def handle(n: int, go: asyncio.Event) -> None:
        for _ in range(3):
            assert ctxlog.fields() == {"n": n}
            await asyncio.sleep(0)
        await go.wait()
        assert ctxlog.fields() == {"n": n}

    async def main() -> None:
        context = copy_context()
        events = [asyncio.Event(), asyncio.Event()]
        tasks = [
            asyncio.create_task(ctxlog.run({"n": n}, handle, n, go), context=context)
            for n, go in enumerate(events)
        ]
        await asyncio.sleep(0)
        for n in order:
            events[n].set()
            await tasks[n]
        assert context.run(ctxlog.fields) == {}

    asyncio.run(main())


def test_a_worker_sees_its_creator_and_an_item_can_bring_its_own() -> None:
    """
    A queue's worker is in the context that made it; a wrapped job brings its own.
    """

    async def worker(queue: asyncio.Queue[Any], seen: list[object]) -> None:
        while (job := await queue.get()) is not None:
            seen.append(job())

    async def main() -> list[object]:
        queue: asyncio.Queue[Any] = asyncio.Queue()
        seen: list[object] = []
        lazily = ctxlog.run({"id": 0}, lambda: asyncio.create_task(worker(queue, seen)))
        for n in (1, 2):
            ctxlog.run({"id": n}, queue.put_nowait, ctxlog.fields)
            ctxlog.run({"id": n}, lambda: queue.put_nowait(ctxlog.wrap(ctxlog.fields)))
        queue.put_nowait(None)
        await lazily
        return seen

    assert asyncio.run(main()) == [{"id": 0}, {"id": 1}, {"id": 0}, {"id": 2}]


def test_streams_are_read_in_the_readers_store() -> None:
    """
    Both ends of a connection in one process keep their own stores while they talk.
    """

    async def talk(end: socket.socket, name: str) -> list[object]:
        reader, writer = await asyncio.open_connection(sock=end)
        seen: list[object] = []
        for _ in range(3):
            writer.write(f"{name}\n".encode())
            await writer.drain()
            seen.append((await reader.readline(), ctxlog.fields()["id"]))
        writer.close()
        await writer.wait_closed()
        return seen

    async def main() -> None:
        one, two = socket.socketpair()
        left, right = await asyncio.gather(
            ctxlog.run({"id": "left"}, talk, one, "left"),
            ctxlog.run({"id": "right"}, talk, two, "right"),
        )
        assert left == [(b"right\n", "left")] * 3
        assert right == [(b"left\n", "right")] * 3

    asyncio.run(main())


class _Echo(asyncio.Protocol, asyncio.DatagramProtocol):
    """
    Notes the fields that each of its methods sees.
    """

    def __init__(self) -> None:
        self.seen: dict[str, dict[str, object]] = {}
        self.received = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.seen["made"] = ctxlog.fields()

    def data_received(self, data: bytes) -> None:
        self.seen["received"] = ctxlog.fields()
        self.received.set_result(data)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.data_received(data)


def test_a_protocols_methods_run_where_the_connection_was_made() -> None:
    """
    A Protocol sees the store that connected, and not the one that sends to it.
    """

    async def main() -> None:
        loop = asyncio.get_running_loop()
        one, two = socket.socketpair()
        with two:
            two.setblocking(False)
            transport, protocol = await ctxlog.run(
                {"id": "opener"}, loop.create_connection, _Echo, sock=one
            )
            await ctxlog.run({"id": "sender"}, loop.sock_sendall, two, b"data")
            assert await protocol.received == b"data"
            transport.close()
        assert protocol.seen == dict.fromkeys(("made", "received"), {"id": "opener"})

    asyncio.run(main())


def test_a_datagram_is_received_where_the_endpoint_was_made() -> None:
    """
    A datagram brings no context along: its receiver sees the endpoint's store.
    """

    async def main() -> None:
        loop = asyncio.get_running_loop()
        transport, protocol = await ctxlog.run(
            {"id": "opener"},
            loop.create_datagram_endpoint,
            _Echo,
            local_addr=("127.0.0.1", 0),
        )
        address = transport.get_extra_info("sockname")
        ctxlog.run({"id": "sender"}, transport.sendto, b"data", address)
        assert await protocol.received == b"data"
        transport.close()
        assert protocol.seen == dict.fromkeys(("made", "received"), {"id": "opener"})

    asyncio.run(main())


def test_a_server_opens_a_store_for_each_message() -> None:
    """
    A stream server's handler has its listener's context until it opens a store.
    """

    async def answer(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        listener = ctxlog.fields()["id"]
        while name := (await reader.readline()).decode().strip():
            await ctxlog.run({"id": name}, reply, writer, listener)
        writer.close()

    async def reply(writer: asyncio.StreamWriter, listener: object) -> None:
        writer.write(f"{listener} {ctxlog.fields()['id']}\n".encode())
        await writer.drain()

    async def ask(port: int, names: list[str]) -> list[tuple[bytes, object]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        seen = []
        for name in names:
            writer.write(f"{name}\n".encode())
            seen.append((await reader.readline(), ctxlog.fields()["id"]))
        writer.close()
        await writer.wait_closed()
        return seen

    async def main() -> None:
        server = await ctxlog.run(
            {"id": "listener"}, asyncio.start_server, answer, "127.0.0.1", 0
        )
        port = server.sockets[0].getsockname()[1]
        left, right = await asyncio.gather(
            ctxlog.run({"id": "left"}, ask, port, ["a", "b"]),
            ctxlog.run({"id": "right"}, ask, port, ["c", "d"]),
        )
        server.close()
        await server.wait_closed()
        assert left == [(b"listener a\n", "left"), (b"listener b\n", "left")]
        assert right == [(b"listener c\n", "right"), (b"listener d\n", "right")]

    asyncio.run(main())


def test_calls_that_a_thread_pool_makes_come_back_to_their_store() -> None:
    """
    After a name's resolution or a file's reading in a pool the store is the same.
    """

    async def read(number: int) -> object:
        loop = asyncio.get_running_loop()
        await loop.getaddrinfo("127.0.0.1", 80)
        await loop.getnameinfo(("127.0.0.1", 80), socket.NI_NUMERICHOST)
        # As aiofiles does it: the pool's thread has no context, the awaiter has.
        inside = await loop.run_in_executor(None, ctxlog.fields)
        with await asyncio.to_thread(open, os.devnull, "rb") as file:
            assert await loop.run_in_executor(None, file.read) == b""
        return inside, ctxlog.fields()

    async def main() -> None:
        seen = await asyncio.gather(
            *(ctxlog.run({"id": number}, read, number) for number in range(20))
        )
        assert seen == [({}, {"id": number}) for number in range(20)]

    asyncio.run(main())


@pytest.mark.skipif(sys.platform == "win32", reason="add_reader takes no pipes there")
def test_a_reader_callback_runs_where_it_was_registered() -> None:
    """
    `add_reader` captures the context at the call.
    """

    async def main() -> dict[str, object]:
        loop = asyncio.get_running_loop()
        seen = loop.create_future()
        reading, writing = os.pipe()

        def readable() -> None:
            loop.remove_reader(reading)
            seen.set_result(ctxlog.fields())

        ctxlog.run({"id": "R"}, loop.add_reader, reading, readable)
        ctxlog.run({"id": "W"}, os.write, writing, b"x")
        try:
            result: dict[str, object] = await seen
            return result
        finally:
            os.close(reading)
            os.close(writing)

    assert asyncio.run(main()) == {"id": "R"}


@pytest.mark.skipif(
    sys.platform == "win32"
    or threading.current_thread() is not threading.main_thread(),
    reason="signals are handled in the main thread, and by loops of Unix",
)
def test_signal_handlers() -> None:
    """
    The loop's signal handler sees its registration, a plain one the interrupted code.
    """

    async def main() -> tuple[object, list[object]]:
        loop = asyncio.get_running_loop()
        seen = loop.create_future()

        def handler() -> None:
            seen.set_result(ctxlog.fields())

        ctxlog.run({"id": "R"}, loop.add_signal_handler, signal.SIGUSR1, handler)
        ctxlog.run({"id": "W"}, signal.raise_signal, signal.SIGUSR1)
        by_loop = await seen
        loop.remove_signal_handler(signal.SIGUSR1)

        plain: list[object] = []
        before = signal.signal(signal.SIGUSR1, lambda *_: plain.append(ctxlog.fields()))
        try:
            ctxlog.run({"id": "W"}, signal.raise_signal, signal.SIGUSR1)
        finally:
            signal.signal(signal.SIGUSR1, before)
        return by_loop, plain

    assert asyncio.run(main()) == ({"id": "R"}, [{"id": "W"}])


def test_a_pool_made_in_detached_never_shows_the_first_request() -> None:
    """
    A connection made lazily by the first request, but detached, belongs to none.
    """

    class Pool:
        def __init__(self) -> None:
            self.task: asyncio.Task[None] | None = None
            self.requests: asyncio.Queue[Any] = asyncio.Queue()
            self.own: list[object] = []

        async def serve(self) -> None:
            while (answer := await self.requests.get()) is not None:
                self.own.append(ctxlog.fields())
                answer.set_result(None)

        async def request(self) -> dict[str, object]:
            if self.task is None:
                with ctxlog.detached():
                    self.task = asyncio.create_task(self.serve())
            answer = asyncio.get_running_loop().create_future()
            self.requests.put_nowait(answer)
            await answer
            return ctxlog.fields()

    async def main() -> None:
        pool = Pool()
        found = await asyncio.gather(
            *(ctxlog.run({"id": n}, pool.request) for n in range(3))
        )
        pool.requests.put_nowait(None)
        assert pool.task is not None
        await pool.task
        assert found == [{"id": n} for n in range(3)]
        assert pool.own == [{}] * 3

    asyncio.run(main())
