"""
`Entry`, `lent` and `detached`: what adapters use where a request enters the program.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable

import pytest

import ctxlog
from ctxlog.context.adapter import Entry, current_view, error_view, lent


def test_an_entry_opens_its_store_and_closes_it() -> None:
    """
    Inside an entry its store is active; at the end that is closed and not active.
    """
    store = ctxlog.Store(id="A")
    with Entry(store) as active:
        assert active is store
        assert ctxlog.get_store() is store
        assert not store.closed
    assert store.closed
    assert ctxlog.get_store() is None


def test_an_entry_has_nothing_of_what_was_active() -> None:
    """
    A request that is started inside another's context has none of its fields.
    """

    def body() -> None:
        with ctxlog.scope(s=1), Entry(ctxlog.Store(id="B")):
            assert ctxlog.fields() == {"id": "B"}

    ctxlog.run({"id": "A"}, body)


def test_an_open_context_is_back_after_an_entry() -> None:
    """
    What an entry found is put back if it is still open: a worker's own context.
    """

    def worker() -> None:
        with ctxlog.scope(s=1):
            with Entry(ctxlog.Store(id="job")):
                pass
            assert ctxlog.fields() == {"worker": 1, "s": 1}
        assert ctxlog.fields() == {"worker": 1}

    ctxlog.run({"worker": 1}, worker)


def test_a_workers_scope_is_back_after_an_entry_although_its_block_ended() -> None:
    """
    A worker task that outlives the scope it was started in keeps it over its jobs.
    """

    async def worker(ended: asyncio.Event) -> dict[str, object]:
        await ended.wait()
        with Entry(ctxlog.Store(id="job")):
            pass
        return ctxlog.fields()

    async def main() -> dict[str, object]:
        ended = asyncio.Event()
        with ctxlog.scope(pool="p"):
            task = asyncio.create_task(worker(ended))
        ended.set()
        return await task

    assert asyncio.run(ctxlog.run({"app": 1}, main)) == {"app": 1, "pool": "p"}


@pytest.mark.parametrize("how", ["closed before", "closed meanwhile", "run() ended"])
def test_an_ended_request_is_not_back_after_an_entry(how: str) -> None:
    """
    A context whose request is over is not put back: the server's lines have no id then.
    """

    async def connection(started: asyncio.Event) -> dict[str, object]:
        await started.wait()
        with Entry(ctxlog.Store(id="second")):
            if how == "closed meanwhile":
                first.close()
        return ctxlog.fields()

    async def main() -> dict[str, object]:
        started = asyncio.Event()
        task = ctxlog.run(first, lambda: asyncio.create_task(connection(started)))
        if how == "closed before":
            first.close()
        started.set()
        return await task

    first = ctxlog.Store(id="first")
    assert asyncio.run(main()) == {}


def test_requests_of_one_connection_do_not_chain() -> None:
    """
    An entry keeps nothing of the request in whose context it was started.
    """
    store = ctxlog.Store(id="first")
    dead = weakref.ref(store)
    snapshot = ctxlog.run(store, ctxlog.Snapshot)
    second = ctxlog.Store(id="second")

    def nested() -> ctxlog.Snapshot:
        with Entry(second):
            return ctxlog.Snapshot()

    later = snapshot.run(nested)
    del store, snapshot
    assert dead() is None
    assert later.run(ctxlog.get_store) is second


def test_leaving_an_entry_twice_or_elsewhere_is_harmless() -> None:
    """
    An entry that is left again, or in another context, changes nothing there.
    """
    store = ctxlog.Store(id="A")
    entry = Entry(store)
    ctxlog.Snapshot().run(entry.__enter__)

    def other() -> None:
        entry.__exit__(None, None, None)
        entry.__exit__(None, None, None)
        assert ctxlog.fields() == {"id": "B"}

    ctxlog.run({"id": "B"}, other)
    assert store.closed


def test_scopes_left_open_end_with_the_entry() -> None:
    """
    A scope that a handler never left does not outlive the request.
    """
    with Entry(ctxlog.Store(id="A")):
        ctxlog.scope(s=1).__enter__()
        ctxlog.detached().__enter__()
        ctxlog.scope(s=1).__enter__()
    assert ctxlog.fields() == {}


def test_a_block_that_ends_in_an_entry_does_not_come_back() -> None:
    """
    A scope of the worker's that is left during a job is gone after it.
    """
    scope = ctxlog.scope(table="t")

    def worker() -> None:
        scope.__enter__()
        with Entry(ctxlog.Store(id="job")):
            scope.__exit__(None, None, None)
            assert ctxlog.fields() == {"id": "job"}
        assert ctxlog.fields() == {"worker": 1}

    ctxlog.run({"worker": 1}, worker)


def test_the_error_of_an_entry_remembers_and_is_not_late() -> None:
    """
    A crash report written after the request's end has its fields, late ones too.
    """
    error = ValueError()
    with pytest.raises(ValueError):  # noqa: PT011
        with Entry(ctxlog.Store(id="A")) as store:
            raise error
    store["status"] = 500
    view = error_view(error, reporting=True)
    assert view.fields == {"id": "A", "status": 500}
    assert not view.late


def test_a_task_that_outlives_the_request_is_late() -> None:
    """
    What a request started and did not wait for still has its fields, and is late.
    """

    async def background(ended: asyncio.Event) -> list[tuple[dict[str, object], bool]]:
        seen = [(ctxlog.fields(), current_view().late)]
        await ended.wait()
        ctxlog.bind(more=1)
        return [*seen, (ctxlog.fields(), current_view().late)]

    async def main() -> None:
        ended = asyncio.Event()
        with Entry(ctxlog.Store(id="A")):
            task = asyncio.create_task(background(ended))
            await asyncio.sleep(0)
        ended.set()
        assert await task == [({"id": "A"}, False), ({"id": "A", "more": 1}, True)]

    asyncio.run(main())


@pytest.mark.parametrize(
    ("block", "inside"), [(lent, {"id": "A", "s": 1}), (ctxlog.detached, {})]
)
def test_what_is_captured_in_a_block_has_nothing_after_it(
    block: Callable[[], lent | ctxlog.detached], inside: dict[str, object]
) -> None:
    """
    A callback registered in such a block has no context once the block has ended.
    """
    with Entry(ctxlog.Store(id="A")), ctxlog.scope(s=1):
        with block():
            assert ctxlog.fields() == inside
            captured = ctxlog.Snapshot()
            assert captured.run(ctxlog.fields) == inside
        assert ctxlog.fields() == {"id": "A", "s": 1}
        assert captured.run(ctxlog.fields) == {}
        assert captured.run(ctxlog.get_store) is None


@pytest.mark.parametrize("block", [lent, ctxlog.detached])
def test_what_is_captured_in_a_block_keeps_nothing_alive(
    block: Callable[[], lent | ctxlog.detached], no_gc: None
) -> None:
    """
    A callback that a transport keeps from such a block does not keep the store.
    """
    store = ctxlog.Store(id="A")
    dead = weakref.ref(store)
    with Entry(store):
        with block():
            captured = ctxlog.Snapshot()
    del store
    assert dead() is None
    assert captured.run(ctxlog.fields) == {}


def test_what_is_bound_in_a_lent_block_reaches_the_request() -> None:
    """
    Inside a lent block the store is the request's own.
    """
    with Entry(ctxlog.Store(id="A")):
        with lent():
            ctxlog.bind(status=200)
        assert ctxlog.fields() == {"id": "A", "status": 200}


@pytest.mark.parametrize("opened", [True, False])
def test_a_lent_block_without_a_with_statement(opened: bool) -> None:
    """
    Leaving puts the context back, with the scope that the block has left open; nothing
    was changed if an interrupt came before the block was entered.
    """
    with Entry(ctxlog.Store(id="A")), ctxlog.scope(s=1):
        block = lent()
        try:
            if opened:
                block.open()
            captured = ctxlog.Snapshot()
            if opened:
                ctxlog.scope(s=2).__enter__()
        finally:
            block.close()
        assert ctxlog.fields() == {"id": "A", "s": 1}
        assert captured.run(ctxlog.fields) == ({} if opened else {"id": "A", "s": 1})
        block.close()
        assert ctxlog.fields() == {"id": "A", "s": 1}


@pytest.mark.parametrize("block", [lent, ctxlog.detached])
def test_such_a_block_outside_of_any_context_is_nothing(
    block: Callable[[], lent | ctxlog.detached],
) -> None:
    """
    Without a context to lend or hide the block does nothing.
    """
    with block():
        assert ctxlog.fields() == {}
    assert ctxlog.get_store() is None


@pytest.mark.parametrize("block", [lent, ctxlog.detached])
def test_an_error_passes_such_a_block(
    block: Callable[[], lent | ctxlog.detached],
) -> None:
    """
    An error in the block passes unchanged, and the request is active again.
    """
    with Entry(ctxlog.Store(id="A")):
        with pytest.raises(ValueError, match="bad"):
            with block():
                raise ValueError("bad")
        assert ctxlog.fields() == {"id": "A"}


def test_detached_around_an_await() -> None:
    """
    While a server's `receive` is awaited nothing is active; after it the request is.
    """

    async def receive() -> dict[str, object]:
        await asyncio.sleep(0)
        return ctxlog.fields()

    async def main() -> None:
        with Entry(ctxlog.Store(id="A")):
            with ctxlog.detached():
                assert await receive() == {}
            assert ctxlog.fields() == {"id": "A"}

    asyncio.run(main())


def test_a_request_in_pieces_leaves_nothing_between_them() -> None:
    """
    Each piece runs in the store and with what earlier ones opened; between is nothing.
    """
    entry = Entry(ctxlog.Store(id="A"))
    block = ctxlog.scope(part="first")
    entry.step(block.__enter__)
    assert ctxlog.get_store() is None
    assert entry.step(ctxlog.fields) == {"id": "A", "part": "first"}
    entry.step(block.__exit__, None, None, None)
    assert entry.step(ctxlog.fields) == {"id": "A"}
    entry.done(None)
    assert entry.store.closed
    assert ctxlog.fields() == {}


def test_a_piece_hides_what_was_active_and_puts_it_back_if_it_is_open() -> None:
    """
    Around a piece an open store is back afterwards, one that is over is not.
    """
    entry, other = Entry(ctxlog.Store(id="A")), ctxlog.Store(id="B")
    with Entry(other):
        assert entry.step(ctxlog.fields) == {"id": "A"}
        assert ctxlog.get_store() is other
        other.close()
        assert entry.step(ctxlog.fields) == {"id": "A"}
        assert ctxlog.get_store() is None


def test_an_error_of_a_piece_remembers_the_request() -> None:
    """
    A report of an error that a piece raised has the request's fields and is not late.
    """
    entry, error = Entry(ctxlog.Store(id="A")), ValueError("bad")
    entry.note(error)
    entry.done(error)
    view = error_view(error)
    assert view.fields == {"id": "A"}
    assert not view.late
