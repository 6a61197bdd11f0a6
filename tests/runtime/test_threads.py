"""
Threads, timers and executors with the patches of `ctxlog.runtime.threads`.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import logging
import queue
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from logging.handlers import QueueListener
from multiprocessing.pool import ThreadPool
from typing import Any

import anyio.to_thread
import pytest
import wrapt
from hypothesis import given
from hypothesis import strategies as st

import ctxlog
from ctxlog.runtime import threads
from ctxlog.runtime.threads import ContextThreadPoolExecutor

#: On free-threaded builds of 3.14 and later a thread inherits its starter's context.
_INHERITS = bool(getattr(sys.flags, "thread_inherit_context", False))

#: The context of a thread that is started in request A, without the patches.
_UNPATCHED = {"requestID": "A"} if _INHERITS else {}


@pytest.fixture
def installed() -> Iterator[None]:
    """
    The patches, for one test.
    """
    threads.install()
    yield
    threads.uninstall()


class _Overriding(threading.Thread):
    def __init__(self, target: Callable[[], Any]) -> None:
        super().__init__()
        self.work = target

    def run(self) -> None:
        self.work()


class _Starting(threading.Thread):
    def start(self) -> None:
        super().start()


def _timer(target: Callable[[], Any]) -> threading.Timer:
    return threading.Timer(0, target)


def _daemon(target: Callable[[], Any]) -> threading.Thread:
    return threading.Thread(target=target, daemon=True)


_KINDS: list[Callable[..., threading.Thread]] = [
    lambda target: threading.Thread(target=target),
    lambda target: _Starting(target=target),
    _Overriding,
    _timer,
    _daemon,
]
_IDS = ["thread", "start overridden", "run overridden", "timer", "daemon"]


def _seen_by(make: Callable[..., threading.Thread]) -> dict[str, object]:
    seen: list[dict[str, object]] = []
    thread = make(lambda: seen.append(ctxlog.fields()))
    thread.start()
    thread.join()
    return seen[0]


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("make", _KINDS, ids=_IDS)
def test_a_thread_goes_on_in_the_context_of_its_start(
    make: Callable[..., threading.Thread],
) -> None:
    """
    Every kind of thread has the store and the scopes of the place that started it.
    """

    def work() -> dict[str, object]:
        with ctxlog.scope(order="o-7"):
            return _seen_by(make)

    assert ctxlog.run({"requestID": "A"}, work) == {"requestID": "A", "order": "o-7"}


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("make", _KINDS, ids=_IDS)
def test_a_thread_keeps_nothing_of_the_patch(
    make: Callable[..., threading.Thread],
) -> None:
    """
    Once it runs, a thread object is as it was: nothing refers back to it.
    """
    thread = make(lambda: None)
    before = set(vars(thread))
    ctxlog.run({"requestID": "A"}, thread.start)
    thread.join()
    assert {"run", "_ctxlog_carried"}.isdisjoint(set(vars(thread)) - before)


@pytest.mark.usefixtures("installed")
@pytest.mark.skipif(sys.version_info < (3, 14), reason="threads take no context")
def test_a_thread_that_was_given_a_context_keeps_it() -> None:
    """
    `Thread(context=)` of Python 3.14 wins.
    """
    seen: list[object] = []
    given = copy_context()
    kwargs: dict[str, Any] = {"context": given}
    thread = threading.Thread(target=lambda: seen.append(ctxlog.fields()), **kwargs)
    ctxlog.run({"requestID": "A"}, thread.start)
    thread.join()
    assert seen == [{}]


@pytest.mark.usefixtures("installed")
def test_the_place_of_start_counts() -> None:
    """
    A thread object that was made in one request and started in another is the other's.
    """
    seen: list[object] = []
    thread = ctxlog.run(
        {"requestID": "A"},
        lambda: threading.Thread(target=lambda: seen.append(ctxlog.fields())),
    )
    ctxlog.run({"requestID": "B"}, thread.start)
    thread.join()
    assert seen == [{"requestID": "B"}]


@pytest.mark.usefixtures("installed")
def test_a_run_of_the_instances_own_is_kept() -> None:
    """
    A `run` that is set on the instance is called, and stays there.
    """
    seen: list[object] = []

    def own() -> None:
        seen.append(ctxlog.fields())

    thread = threading.Thread()
    thread.run = own  # type: ignore[method-assign]
    ctxlog.run({"requestID": "A"}, thread.start)
    thread.join()
    assert seen == [{"requestID": "A"}]
    assert vars(thread)["run"] is own


def _run_unbound(thread: threading.Thread) -> None:
    """
    Replaces `run` by what calls the function behind it with the thread: sentry-sdk.
    """
    found: Any = getattr(thread.run, "__func__", thread.run)

    def run(*args: Any) -> Any:
        return found(threading.current_thread(), *args[1:])

    thread.run = run  # type: ignore[method-assign]


def _run_of_the_class(thread: threading.Thread) -> None:
    thread.run = functools.partial(  # type: ignore[method-assign]
        type(thread).run, thread
    )


def _run_bound(thread: threading.Thread) -> None:
    found = thread.run
    thread.run = lambda: found()  # type: ignore[method-assign]


def _run_as_wrapt_binds(thread: threading.Thread) -> None:
    def forward(below: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        assert instance is thread
        return below(*args, **kwargs)

    thread.run = wrapt.FunctionWrapper(  # type: ignore[method-assign]
        thread.run, forward
    )


_REPLACING = [_run_unbound, _run_of_the_class, _run_bound, _run_as_wrapt_binds]


def _instrument(replace: Callable[[threading.Thread], None]) -> None:
    found = threading.Thread.start

    def start(thread: threading.Thread, *args: Any, **kwargs: Any) -> None:
        replace(thread)
        found(thread, *args, **kwargs)

    threading.Thread.start = start  # type: ignore[method-assign]


@pytest.mark.parametrize("make", _KINDS, ids=_IDS)
@pytest.mark.parametrize("replace", _REPLACING)
@pytest.mark.parametrize("first", ["ours", "theirs"])
def test_a_run_that_another_start_replaces(
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[..., threading.Thread],
    replace: Callable[[threading.Thread], None],
    first: str,
) -> None:
    """
    Instrumentation that replaces `run` of the thread that it starts gets the one that
    it would get without ctxlog, over and under ours; the target runs, in its context.
    """
    monkeypatch.setattr(threading.Thread, "start", threading.Thread.start)
    if first == "theirs":
        _instrument(replace)
    threads.install()
    try:
        if first == "ours":
            _instrument(replace)
        assert ctxlog.run({"requestID": "A"}, _seen_by, make) == {"requestID": "A"}
        assert _seen_by(make) == {}
    finally:
        threads.uninstall()


@pytest.mark.parametrize("make", _KINDS, ids=_IDS)
@pytest.mark.parametrize("owner", [threading.Thread, threading.Timer])
@pytest.mark.parametrize("first", ["ours", "theirs"])
def test_wrappers_of_wrapt_around_start_and_run(
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[..., threading.Thread],
    owner: type,
    first: str,
) -> None:
    """
    Wrappers that are bound to the thread, as OpenTelemetry's on both classes, work over
    and under ours.
    """
    bound: list[object] = []

    def forward(below: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        bound.append(instance)
        return below(*args, **kwargs)

    def instrument() -> None:
        for name in ("start", "run"):
            found = inspect.getattr_static(owner, name)
            wrapper: Any = wrapt.FunctionWrapper(found, forward)
            monkeypatch.setattr(owner, name, wrapper)

    if first == "theirs":
        instrument()
    threads.install()
    try:
        if first == "ours":
            instrument()
        assert ctxlog.run({"requestID": "A"}, _seen_by, make) == {"requestID": "A"}
    finally:
        threads.uninstall()
        monkeypatch.undo()
        threads.uninstall()
    assert None not in bound
    assert "start" not in vars(threading.Timer)


@pytest.mark.usefixtures("installed")
def test_a_start_with_arguments_gets_them() -> None:
    """
    A subclass whose `start` takes more hands on what Python's takes, or fails by that.
    """
    thread = threading.Thread(target=lambda: None)
    start: Any = threading.Thread.start
    for args in ((thread, 1), ()):
        with pytest.raises(TypeError, match="argument"):
            ctxlog.run({"requestID": "A"}, start, *args)
    assert "_ctxlog_carried" not in vars(thread)


@pytest.mark.usefixtures("installed")
def test_the_thread_of_a_queue_listener() -> None:
    """
    The listener's thread, which a request may start, writes what is queued.
    """
    records: queue.Queue[Any] = queue.Queue()
    seen: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record.getMessage())

    listener = QueueListener(records, Handler())
    ctxlog.run({"requestID": "A"}, listener.start)
    records.put(logging.makeLogRecord({"msg": "queued"}))
    listener.stop()
    assert seen == ["queued"]


@pytest.mark.usefixtures("installed")
def test_a_second_start_fails_as_always() -> None:
    """
    `start()` twice raises what it always did, and leaves the thread as it was.
    """

    def work() -> None:
        thread = threading.Thread(target=lambda: None)
        thread.start()
        with pytest.raises(RuntimeError, match="started once"):
            thread.start()
        thread.join()
        assert "run" not in vars(thread)

    ctxlog.run({"requestID": "A"}, work)


@pytest.mark.usefixtures("installed")
def test_a_thread_that_outlives_its_request_is_late() -> None:
    """
    What a thread logs after the request has ended is marked as late.
    """
    go = threading.Event()
    seen: list[object] = []

    def work() -> None:
        go.wait()
        view = ctxlog.context.adapter.current_view()
        seen.append((view.fields, view.late))

    thread = threading.Thread(target=work)
    ctxlog.run({"requestID": "A"}, thread.start)
    go.set()
    thread.join()
    assert seen == [({"requestID": "A"}, True)]


@pytest.mark.usefixtures("installed")
def test_what_a_thread_binds_reaches_its_request() -> None:
    """
    The thread has the request's own store, not a copy.
    """

    def work() -> dict[str, object]:
        thread = threading.Thread(target=lambda: ctxlog.bind(user="u"))
        thread.start()
        thread.join()
        return ctxlog.fields()

    assert ctxlog.run({"requestID": "A"}, work) == {"requestID": "A", "user": "u"}


@pytest.mark.usefixtures("installed")
def test_storages_travel_and_foreign_variables_do_not() -> None:
    """
    Every `AsyncLocalStorage` goes along; another's `ContextVar` stays where it is.
    """
    tenant = ctxlog.AsyncLocalStorage[str]("tenant")
    foreign: ContextVar[str] = ContextVar("foreign", default="unset")
    seen: list[object] = []

    def work() -> None:
        foreign.set("set")
        thread = threading.Thread(
            target=lambda: seen.append((tenant.get_store(), foreign.get()))
        )
        thread.start()
        thread.join()

    copy_context().run(tenant.run, "t-1", work)
    assert seen == [("t-1", "set" if _INHERITS else "unset")]


@pytest.mark.usefixtures("installed")
def test_the_exception_of_a_thread_keeps_its_context(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    `threading.excepthook` runs in the context, and the exception remembers it.
    """
    seen: list[object] = []

    def hook(args: threading.ExceptHookArgs) -> None:
        seen.append(ctxlog.context.adapter.error_view(args.exc_value).fields)

    monkeypatch.setattr(threading, "excepthook", hook)
    thread = threading.Thread(target=lambda: 1 // 0)
    ctxlog.run({"requestID": "A"}, thread.start)
    thread.join()
    assert seen == [{"requestID": "A"}]


# Pools --------------------------------------------------------------------------


_POOLS = [ThreadPoolExecutor, ContextThreadPoolExecutor]


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("kind", _POOLS)
def test_jobs_have_the_context_of_their_submission(
    kind: type[ThreadPoolExecutor],
) -> None:
    """
    `submit` and `map` carry the context; a job that is submitted without has none.
    """
    with kind(1) as pool:

        def work() -> list[dict[str, object]]:
            by_map = pool.map(lambda _: ctxlog.fields(), [1])
            return [pool.submit(ctxlog.fields).result(), *by_map]

        assert ctxlog.run({"requestID": "A"}, work) == [{"requestID": "A"}] * 2
        assert ctxlog.run({"requestID": "B"}, work) == [{"requestID": "B"}] * 2
        assert pool.submit(ctxlog.fields).result() == {}


def test_the_pool_of_ctxlog_needs_no_patch() -> None:
    """
    `ContextThreadPoolExecutor` carries the context by itself.
    """
    with ContextThreadPoolExecutor(1) as pool:
        future = ctxlog.run({"requestID": "A"}, pool.submit, ctxlog.fields)
        assert future.result() == {"requestID": "A"}


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("kind", _POOLS)
def test_the_workers_of_a_pool_have_no_context(
    kind: type[ThreadPoolExecutor],
) -> None:
    """
    A pool that was born in a request does not stay in it: its `initializer` sees none.
    """
    seen: list[object] = []

    def work() -> None:
        with kind(1, initializer=lambda: seen.append(ctxlog.fields())) as pool:
            pool.submit(int).result()

    ctxlog.run({"requestID": "A"}, work)
    assert seen == [{}]


@pytest.mark.usefixtures("installed")
@pytest.mark.filterwarnings("ignore:bind")
def test_a_worker_keeps_nothing_of_a_job() -> None:
    """
    Stores, scopes and storages that a job leaves open are gone in the next one.
    """
    storage = ctxlog.AsyncLocalStorage[int]("n")

    def careless() -> None:
        ctxlog.bind(a=1)
        ctxlog.scope(b=2).__enter__()
        storage.enter_with(3)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(careless).result()
        assert pool.submit(ctxlog.fields).result() == {}
        assert pool.submit(storage.get_store).result() is None


@pytest.mark.usefixtures("installed")
def test_the_exception_of_a_job_remembers_its_request() -> None:
    """
    What a job raises is reported with the fields of the request that submitted it.
    """
    with ThreadPoolExecutor(1) as pool:
        future = ctxlog.run({"requestID": "A"}, pool.submit, int, "x")
        view = ctxlog.context.adapter.error_view(future.exception())
    assert view.fields == {"requestID": "A"}


@pytest.mark.usefixtures("installed")
def test_callbacks_have_the_context_of_their_registration() -> None:
    """
    A future's callback runs in the context of `add_done_callback`.
    """
    future: Future[None] = Future()
    seen: list[object] = []
    for name in "AB":
        ctxlog.run(
            {"requestID": name},
            future.add_done_callback,
            lambda _: seen.append(ctxlog.fields()),
        )
    future.add_done_callback(lambda _: seen.append(ctxlog.fields()))
    ctxlog.run({"requestID": "C"}, future.set_result, None)
    assert seen == [{"requestID": "A"}, {"requestID": "B"}, {}]


@pytest.mark.usefixtures("installed")
def test_executors_of_event_loops() -> None:
    """
    `run_in_executor` and `asyncio.to_thread` carry the context, also in one thread.
    """

    async def work(name: str) -> list[object]:
        loop = asyncio.get_running_loop()
        return [
            await loop.run_in_executor(None, ctxlog.fields),
            await asyncio.to_thread(ctxlog.fields),
        ]

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(1))
        for name in "AB":
            fields = {"requestID": name}
            assert await ctxlog.run(fields, work, name) == [fields, fields]
        assert await loop.run_in_executor(None, ctxlog.fields) == {}

    asyncio.run(main())


@pytest.mark.usefixtures("installed")
def test_threads_of_foreign_pools_have_no_context() -> None:
    """
    The worker that multiprocessing or anyio starts in a request is not that request's.
    """
    pool = ctxlog.run({"requestID": "A"}, ThreadPool, 1)
    with pool:
        assert pool.apply(ctxlog.fields) == {}
    pool.join()

    async def main() -> list[object]:
        first = ctxlog.run({"requestID": "A"}, anyio.to_thread.run_sync, ctxlog.fields)
        return [await first, await anyio.to_thread.run_sync(ctxlog.fields)]

    assert anyio.run(main) == [{"requestID": "A"}, {}]


@pytest.mark.usefixtures("installed")
def test_ten_thousand_jobs() -> None:
    """
    Of 10,000 jobs that 100 requests submit to one pool, each shows its own id.
    """
    futures: list[tuple[int, Future[Any]]] = []
    with ThreadPoolExecutor(4) as pool:

        def work(name: int) -> None:
            for _ in range(100):
                futures.append((name, pool.submit(ctxlog.fields)))

        requests = [
            threading.Thread(target=ctxlog.run, args=({"requestID": name}, work, name))
            for name in range(100)
        ]
        for request in requests:
            request.start()
        for request in requests:
            request.join()
    assert len(futures) == 10_000
    assert [n for n, f in futures if f.result() != {"requestID": n}] == []


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["submit", "bind", "scope", "run", "careless"]),
        st.sampled_from([None, "A", "B", "C"]),
    ),
    max_size=30,
)


@pytest.mark.filterwarnings("ignore:bind")
@given(_STEPS)
def test_no_job_shows_another_requests_id(steps: list[tuple[str, str | None]]) -> None:
    """
    Whatever is submitted, bound and left open over two workers, every job has the
    fields that its request had, and no others.
    """
    stores = {name: ctxlog.Store(requestID=name) for name in "ABC"}

    def careless() -> object:
        seen = ctxlog.fields().get("requestID")
        ctxlog.scope(left="open").__enter__()
        if ctxlog.get_store() is None:
            ctxlog.bind(requestID="nobody's")
        return seen, "left" in ctxlog.fields()

    def job() -> object:
        return ctxlog.fields().get("requestID"), "left" in ctxlog.fields()

    def nested() -> object:
        return ctxlog.run({"requestID": "inner"}, job)

    threads.install()
    try:
        expected: list[tuple[object, Future[Any]]] = []
        with ThreadPoolExecutor(2) as pool:
            for number, (action, name) in enumerate(steps):
                store = stores[name] if name else None

                def act(action: str = action, number: int = number) -> Any:
                    if action == "bind" and ctxlog.get_store() is not None:
                        ctxlog.bind(n=number)
                    if action == "scope":
                        with ctxlog.scope(n=number):
                            return pool.submit(job)
                    kinds = {"run": nested, "careless": careless}
                    return pool.submit(kinds.get(action, job))

                future = act() if store is None else ctxlog.run(store, act)
                shown = "inner" if action == "run" else name
                expected.append(((shown, action == "careless"), future))
        assert [f.result() for _, f in expected] == [wanted for wanted, _ in expected]
    finally:
        threads.uninstall()


@pytest.mark.usefixtures("installed")
def test_nothing_keeps_the_store_of_a_request() -> None:
    """
    Once its threads, jobs and callbacks have ended, a store is freed by its last
    reference, though the pool and the thread object live on.
    """
    gc.collect()
    gc.disable()
    try:
        with ThreadPoolExecutor(1) as pool:
            store = ctxlog.Store(requestID="A")
            thread = threading.Thread(target=lambda: None)
            ctxlog.run(store, thread.start)
            thread.join()
            ctxlog.run(store, pool.submit, int).result()
            pool.submit(int).result()  # the worker is done with the job before
            alive = weakref.ref(store)
            del store
            assert alive() is None
            assert not thread.is_alive()
    finally:
        gc.enable()


# Installing ---------------------------------------------------------------------


def test_uninstall_gives_back_what_was_there() -> None:
    """
    After any number of installs, one `uninstall` leaves the originals.
    """
    before = (
        threading.Thread.start,
        ThreadPoolExecutor.submit,
        Future.add_done_callback,
    )
    threads.uninstall()
    threads.install()
    threads.install()
    threads.uninstall()
    threads.uninstall()
    after = (
        threading.Thread.start,
        ThreadPoolExecutor.submit,
        Future.add_done_callback,
    )
    assert after == before
    assert ctxlog.run({"requestID": "A"}, _seen_by, _KINDS[0]) == _UNPATCHED


def test_a_patch_over_ours_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Somebody else's patch on top is left alone, and ours below only hands through.
    """
    calls: list[object] = []
    monkeypatch.setattr(threading.Thread, "start", threading.Thread.start)
    threads.install()
    ours = threading.Thread.start

    def theirs(thread: threading.Thread) -> None:
        calls.append(thread)
        ours(thread)

    threading.Thread.start = theirs  # type: ignore[method-assign]
    threads.uninstall()
    assert threading.Thread.start is theirs
    assert ctxlog.run({"requestID": "A"}, _seen_by, _KINDS[0]) == _UNPATCHED
    threads.install()
    assert ctxlog.run({"requestID": "A"}, _seen_by, _KINDS[0]) == {"requestID": "A"}
    threads.uninstall()
    assert len(calls) == 2
    assert threading.Thread.start is theirs
