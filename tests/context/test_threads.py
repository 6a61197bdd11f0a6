"""
Threads, executors and processes: what is inherited, and what `wrap` and `Snapshot` add.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import ctxlog
from ctxlog.context import _store

#: On free-threaded builds of 3.14 and later a thread inherits its starter's context.
_INHERITS = bool(getattr(sys.flags, "thread_inherit_context", False))


def _in_thread(fn: Callable[[], Any]) -> Any:
    seen: list[Any] = []
    thread = threading.Thread(target=lambda: seen.append(fn()))
    thread.start()
    thread.join()
    return seen[0]


def _in_timer(fn: Callable[[], Any]) -> Any:
    seen: list[Any] = []
    timer = threading.Timer(0, lambda: seen.append(fn()))
    timer.start()
    timer.join()
    return seen[0]


def _in_pool(fn: Callable[[], Any]) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(fn).result()


def _in_map(fn: Callable[[], Any]) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return next(pool.map(lambda _: fn(), [0]))


_WAYS = [_in_thread, _in_timer, _in_pool, _in_map]


@pytest.mark.skipif(_INHERITS, reason="threads inherit in this interpreter")
@pytest.mark.parametrize("start", _WAYS)
def test_a_thread_inherits_nothing(start: Callable[..., Any]) -> None:
    """
    A thread, a timer and an executor's job have no context by themselves.
    """
    assert ctxlog.run({"a": 1}, start, ctxlog.fields) == {}


@pytest.mark.parametrize("start", _WAYS)
@pytest.mark.parametrize("carry", [ctxlog.wrap, lambda fn: _snapshot(fn)])
def test_what_is_wrapped_carries_the_context(
    start: Callable[..., Any], carry: Callable[..., Any]
) -> None:
    """
    A wrapped function, or one run by a Snapshot, sees store and scopes in any thread.
    """

    def body() -> None:
        with ctxlog.scope(s=1):
            assert start(carry(ctxlog.fields)) == {"a": 1, "s": 1}

    ctxlog.run({"a": 1}, body)


def _snapshot(fn: Callable[..., Any]) -> Callable[..., Any]:
    snapshot = ctxlog.Snapshot()
    return lambda: snapshot.run(fn)


def test_run_in_executor_carries_what_is_wrapped() -> None:
    """
    `loop.run_in_executor` inherits nothing; wrapped it does, and binds to the request.
    """

    async def main() -> None:
        loop = asyncio.get_running_loop()
        if not _INHERITS:
            assert await loop.run_in_executor(None, ctxlog.fields) == {}
        await loop.run_in_executor(None, ctxlog.wrap(lambda: ctxlog.bind(b=2)))
        assert ctxlog.fields() == {"a": 1, "b": 2}

    asyncio.run(ctxlog.run({"a": 1}, main))


def test_to_thread_inherits_and_binds_to_the_request() -> None:
    """
    `asyncio.to_thread` sees the request; what it binds comes back, its scopes do not.
    """

    def work() -> dict[str, object]:
        ctxlog.scope(thread=1).__enter__()
        ctxlog.bind(b=2)
        return ctxlog.fields()

    async def main() -> None:
        assert await asyncio.to_thread(work) == {"a": 1, "b": 2, "thread": 1}
        assert ctxlog.fields() == {"a": 1, "b": 2}

    asyncio.run(ctxlog.run({"a": 1}, main))


def test_a_pools_thread_shows_nothing_of_the_job_before() -> None:
    """
    A thread that is used again shows neither store nor scopes of an earlier job.
    """

    def careless() -> int:
        ctxlog.scope(s=1).__enter__()
        ctxlog.bind(b=2)
        return threading.get_ident()

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(ctxlog.run, {"id": 1}, careless).result()
        again = pool.submit(lambda: (threading.get_ident(), ctxlog.fields())).result()
        wrapped = ctxlog.run({"id": 2}, ctxlog.wrap, careless)
        pool.submit(wrapped).result()
        last = pool.submit(ctxlog.fields).result()
    assert again == (first, {})
    assert last == {}


def test_a_scope_can_be_left_by_another_thread() -> None:
    """
    Leaving in one thread what another one entered raises nothing and changes nothing.
    """
    scope = ctxlog.scope(a=1)
    _in_thread(scope.__enter__)
    with ctxlog.scope(b=2):
        scope.__exit__(None, None, None)
        assert ctxlog.fields() == {"b": 2}


def test_threads_share_the_scopes_that_they_were_given() -> None:
    """
    Threads that run in one scope while the store is written to never see a wrong field.
    """
    store = ctxlog.Store(n=0, twice=0)
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            seen = ctxlog.fields()
            assert seen["s"] == 1
            assert seen["twice"] == 2 * seen["n"]  # type: ignore[operator]

    def body() -> None:
        with ctxlog.scope(s=1), ThreadPoolExecutor(3) as pool:
            readers = [pool.submit(ctxlog.wrap(read)) for _ in range(3)]
            for n in range(2_000):
                ctxlog.bind(n=n, twice=2 * n)
            stop.set()
            for reader in readers:
                reader.result()

    ctxlog.run(store, body)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_goes_on_and_can_bind() -> None:
    """
    A forked child is in the request and can bind, whatever other threads were writing.
    """
    store = ctxlog.Store(a=1)
    writing, forked = threading.Event(), threading.Event()

    def write() -> None:
        with _store._lock:
            writing.set()
            forked.wait()

    def fork() -> int:
        child = os.fork()
        if child == 0:  # pragma: no cover (another process)
            signal.alarm(20)  # rather than waiting for a lock for ever
            ctxlog.bind(b=2)
            os._exit(0 if ctxlog.fields() == {"a": 1, "b": 2} else 1)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    thread = threading.Thread(target=write)
    thread.start()
    try:
        writing.wait()
        assert ctxlog.run(store, fork) == 0
    finally:
        forked.set()
        thread.join()
    assert store == {"a": 1}
