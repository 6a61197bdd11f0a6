"""
Counts and times: summed up in the store of a request, and shown by its completion line.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ctxlog
from ctxlog.context import Store
from ctxlog.context.adapter import Entry, add_time, begin_time, end_time, take_totals


def totals_of(fn: Callable[[], object]) -> dict[str, Any]:
    """
    What the completion line of a request shows that calls *fn*.
    """
    with Entry(Store()) as store:
        result = fn()
        if inspect.iscoroutine(result):
            asyncio.run(result)
        return take_totals(store)


def test_amounts_of_a_name_are_summed_up() -> None:
    """
    A count is the sum of its amounts, and one without an amount adds 1.
    """

    def count() -> None:
        ctxlog.count("rows", 12)
        ctxlog.count("rows", amount=3)
        ctxlog.count("hits")
        ctxlog.count("credit", -2.5)

    assert totals_of(count) == {"rows": 15, "hits": 1, "credit": -2.5}


def test_blocks_are_counted_and_timed() -> None:
    """
    A name that blocks are timed under has their number and their milliseconds.
    """

    def render() -> None:
        block = ctxlog.timed("render")
        with block, block:
            pass

    shown = totals_of(render)["render"]
    assert shown["count"] == 2
    assert 0 < shown["ms"] < 10_000


def test_a_block_that_fails_is_timed() -> None:
    """
    An exception ends a block, and goes on.
    """

    def fail() -> None:
        with pytest.raises(LookupError), ctxlog.timed("render"):
            raise LookupError

    assert totals_of(fail)["render"]["count"] == 1


def test_a_block_that_is_open_at_the_end_counts_until_then() -> None:
    """
    The completion line shows a block that has not ended with its time so far.
    """
    block = ctxlog.timed("stream")
    shown = totals_of(block.__enter__)["stream"]
    assert shown["count"] == 1
    assert 0 <= shown["ms"] < 10_000
    block.__exit__(None, None, None)


def test_a_count_of_a_timed_name_adds_to_its_count() -> None:
    """
    A name that is counted and timed has one total.
    """

    def both() -> None:
        with ctxlog.timed("db"):
            ctxlog.count("db", 2)

    assert totals_of(both)["db"]["count"] == 3


@pytest.mark.parametrize("name", ["plain", "coroutine", "generator", "async_generator"])
def test_functions_of_every_kind_are_timed(name: str) -> None:
    """
    A decorated function keeps its kind and its results; each call is one block.
    """

    @ctxlog.timed("work")
    def plain() -> int:
        return 7

    @ctxlog.timed("work")
    async def coroutine() -> int:
        await asyncio.sleep(0)
        return 7

    @ctxlog.timed("work")
    def generator() -> Iterator[int]:
        yield 7

    @ctxlog.timed("work")
    async def async_generator() -> AsyncIterator[int]:
        yield 7

    assert inspect.iscoroutinefunction(coroutine)
    assert inspect.isgeneratorfunction(generator)
    assert inspect.isasyncgenfunction(async_generator)
    seen: list[int] = []

    async def use() -> None:
        if name == "plain":
            seen.append(plain())
        elif name == "coroutine":
            seen.append(await coroutine())
        elif name == "generator":
            seen.extend(generator())
        else:
            seen.extend([item async for item in async_generator()])

    shown = totals_of(use)
    assert seen == [7]
    assert shown["work"]["count"] == 1


def test_methods_of_a_class_are_timed() -> None:
    """
    Class methods and static methods may be decorated from outside.
    """

    class Page:
        @ctxlog.timed("render")
        @classmethod
        def made(cls) -> type:
            return cls

        @ctxlog.timed("render")
        @staticmethod
        def size() -> int:
            return 3

    def use() -> None:
        assert Page.made() is Page
        assert Page.size() == 3

    assert totals_of(use)["render"]["count"] == 2


def test_only_functions_are_decorated() -> None:
    """
    Another object is refused by name.
    """
    with pytest.raises(TypeError, match="expected a function to decorate, not 7"):
        ctxlog.timed("render")(7)  # type: ignore[type-var]


def test_adapters_add_the_time_of_a_call() -> None:
    """
    A client's adapter knows how long a call took, and adds it.
    """

    def call() -> None:
        add_time("http", 1_500_000)
        add_time("http", 500_000)

    assert totals_of(call) == {"http": {"count": 2, "ms": 2.0}}


def test_a_call_that_ends_elsewhere_is_that_of_its_request() -> None:
    """
    An adapter ends a call in any thread and context, for the request that made it.
    """

    def request() -> None:
        store = begin_time("http")
        end = threading.Thread(target=end_time, args=("http", store))
        end.start()
        end.join()
        store = begin_time("http")
        assert totals_of(lambda: end_time("http", store)) == {}

    shown = totals_of(request)["http"]
    assert shown["count"] == 2
    assert 0 < shown["ms"] < 10_000


def test_a_call_that_does_not_end_counts_until_the_request_completes() -> None:
    """
    A call that is under way is counted, and ends in vain after the completion line.
    """
    stores = []
    shown = totals_of(lambda: stores.append(begin_time("http")))
    assert shown["http"]["count"] == 1
    (store,) = stores
    assert store is not None
    end_time("http", store)
    assert take_totals(store) == {}


def test_a_call_begins_only_in_a_request() -> None:
    """
    There is nothing to end without a request, and after its completion line.
    """
    assert begin_time("http") is None
    end_time("http", None)
    with Entry(Store()) as store:
        take_totals(store)
        assert begin_time("http") is None


def test_without_a_request_nothing_happens() -> None:
    """
    Counting outside of any request, or in a plain `run()`, has no effect.
    """

    def count() -> Store | None:
        ctxlog.count("rows")
        add_time("db", 1)
        with ctxlog.timed("render"):
            return ctxlog.get_store()

    count()
    store = ctxlog.run({"requestID": "req-A"}, count)
    assert store is not None
    assert take_totals(store) == {}


def test_a_nested_store_counts_for_its_request() -> None:
    """
    `run()` within a request has no completion line: the request's shows the count.
    """

    def request() -> None:
        ctxlog.run({"requestID": "req-B"}, ctxlog.count, "rows")
        with ctxlog.scope(part=1):
            ctxlog.count("rows")

    assert totals_of(request) == {"rows": 2}


def test_a_nested_entry_counts_for_itself() -> None:
    """
    A task that is run at once within a request has totals of its own.
    """

    def request() -> None:
        ctxlog.count("rows")
        assert totals_of(lambda: ctxlog.count("rows", 5)) == {"rows": 5}

    assert totals_of(request) == {"rows": 1}


def test_a_detached_block_counts_for_nothing() -> None:
    """
    Code that has no context has no request to count for.
    """

    def request() -> None:
        with ctxlog.detached():
            ctxlog.count("rows")

    assert totals_of(request) == {}


def test_counting_ends_with_the_completion_line() -> None:
    """
    What is counted after the completion line is not kept.
    """
    with Entry(Store()) as store:
        ctxlog.count("rows")
        assert take_totals(store) == {"rows": 1}
        ctxlog.count("rows")
        with ctxlog.timed("render"):
            pass
        assert take_totals(store) == {}


def test_a_block_from_before_the_request_does_not_end_in_it() -> None:
    """
    A block that began outside of the request adds no time to it.
    """
    block = ctxlog.timed("render")
    block.__enter__()

    def request() -> None:
        block.__exit__(None, None, None)

    assert totals_of(request) == {}


def test_totals_are_no_fields() -> None:
    """
    Only the completion line shows totals: neither the store nor `fields()` has them.
    """

    def request() -> None:
        ctxlog.count("rows")
        assert ctxlog.fields() == {}

    totals_of(request)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((7,), "the name of a total must be a string, not 7"),
        (("rows", "12"), "the amount of 'rows' must be a number, not '12'"),
        (("rows", None), "the amount of 'rows' must be a number, not None"),
    ],
)
def test_wrong_arguments_are_refused(arguments: Any, message: str) -> None:
    """
    The error names what is wrong, with and without a request.
    """
    with pytest.raises(TypeError, match=message):
        ctxlog.count(*arguments)


def test_a_timed_block_needs_a_name() -> None:
    """
    `@timed` without parentheses is refused where it stands.
    """
    with pytest.raises(TypeError, match="the name of a total must be a string"):
        ctxlog.timed(print)  # type: ignore[arg-type]


@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from("ab"), st.integers(-5, 5)), max_size=20),
        min_size=1,
        max_size=8,
    )
)
def test_totals_of_threads_and_tasks_are_exact(
    parts: list[list[tuple[str, int]]],
) -> None:
    """
    Whatever is counted by tasks and threads of a request at once is in its sums.
    """
    expected: dict[str, int] = {}
    for name, amount in (one for part in parts for one in part):
        expected[name] = expected.get(name, 0) + amount

    def count(part: list[tuple[str, int]]) -> None:
        for name, amount in part:
            ctxlog.count(name, amount)

    async def count_later(part: list[tuple[str, int]]) -> None:
        for name, amount in part:
            await asyncio.sleep(0)
            ctxlog.count(name, amount)

    async def request() -> None:
        threads = []
        for part in parts[::2]:
            context = contextvars.copy_context()
            threads.append(threading.Thread(target=context.run, args=(count, part)))
        for thread in threads:
            thread.start()
        await asyncio.gather(*map(count_later, parts[1::2]))
        for thread in threads:
            thread.join()

    assert totals_of(request) == expected


def test_counts_of_32_threads_and_1000_tasks_are_exact() -> None:
    """
    No count is lost between 32 threads, and between 1,000 tasks in two loops.
    """

    def count() -> None:
        for _ in range(1000):
            ctxlog.count("threads")
            with ctxlog.timed("block"):
                pass

    async def step() -> None:
        ctxlog.count("tasks")
        await asyncio.sleep(0)
        ctxlog.count("tasks")

    async def tasks() -> None:
        await asyncio.gather(*(step() for _ in range(500)))

    def request() -> None:
        started = threading.Barrier(34)

        def run(fn: Callable[[], object]) -> None:
            started.wait()
            fn()

        threads = [
            threading.Thread(target=contextvars.copy_context().run, args=(run, work))
            for work in [count] * 32 + [lambda: asyncio.run(tasks())] * 2
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    shown = totals_of(request)
    assert shown["threads"] == 32_000
    assert shown["tasks"] == 2_000
    assert shown["block"]["count"] == 32_000
