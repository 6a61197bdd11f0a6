"""
`run()`, `get_store()`, `bind()`, `unbind()`, `fields()` and the `Store` itself.
"""

from __future__ import annotations

import asyncio
import copy
import functools
import pickle
import threading
import types
import warnings
from collections.abc import Callable, Generator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

import pytest
import trio

import ctxlog
from ctxlog.context import _store
from ctxlog.context.adapter import View, add_source, current_view, remove_source

#: Names that a careless signature would take for its own parameters.
NAMES = [
    *("self", "store", "fn", "fields", "cls", "args", "kwargs", "name", "names"),
    *("other", "more", "value", "owner", "error", "class", "with space", ""),
]


class PlainStore(ctxlog.Store):
    """
    A typed store: a property over a field.
    """

    @property
    def tenant(self) -> str:
        """
        The tenant's name.
        """
        return str(self["tenant"])


def test_outside_of_any_run_there_is_no_store() -> None:
    """
    Outside of any run the store is None and the fields are empty, without an error.
    """
    assert ctxlog.get_store() is None
    assert ctxlog.fields() == {}
    assert current_view().empty


def test_inside_a_run_the_store_has_its_fields() -> None:
    """
    What was passed to run() is in the store and on the lines of the function called.
    """
    seen = ctxlog.run({"requestID": "A"}, lambda: (ctxlog.get_store(), ctxlog.fields()))
    assert seen == ({"requestID": "A"}, {"requestID": "A"})
    assert ctxlog.get_store() is None


def test_run_passes_arguments_and_returns_the_value() -> None:
    """
    run() hands positional and keyword arguments on and returns the function's value.
    """
    value = object()
    got = ctxlog.run({}, lambda *args, **kwargs: (args, kwargs, value), 1, 2, x=3)
    assert got == ((1, 2), {"x": 3}, value)
    assert got[2] is value


def test_run_gives_the_function_no_further_argument() -> None:
    """
    A function that takes nothing is called with nothing.
    """
    assert ctxlog.run({}, lambda *args, **kwargs: (args, kwargs)) == ((), {})


@pytest.mark.parametrize("name", NAMES)
def test_any_name_works_everywhere(name: str) -> None:
    """
    No field name and no keyword of the function clashes with a parameter of ours.
    """

    def body(**kwargs: object) -> tuple[dict[str, object], dict[str, object]]:
        ctxlog.bind(**{name: "bound"})
        bound = ctxlog.fields()
        ctxlog.unbind(name)
        with ctxlog.scope(**{name: "scoped"}):
            assert ctxlog.fields() == {name: "scoped"}
        return kwargs, bound

    expected = {name: "kwarg"}, {name: "bound"}
    assert ctxlog.run({}, body, **{name: "kwarg"}) == expected
    assert ctxlog.Snapshot().run(ctxlog.run, {}, body, **{name: "kwarg"}) == expected
    storage = ctxlog.AsyncLocalStorage[int]()
    assert storage.run(1, lambda **kw: kw, **{name: "kwarg"}) == {name: "kwarg"}
    assert storage.exit(lambda **kw: kw, **{name: "kwarg"}) == {name: "kwarg"}
    store = ctxlog.Store(**{name: 1})
    store.update(**{name: 2})
    assert store == {name: 2}


def test_a_dict_is_copied() -> None:
    """
    A dict passed to run() is neither changed by bind() nor watched for changes.
    """
    given: dict[str, object] = {"a": 1}

    def body() -> dict[str, object]:
        ctxlog.bind(b=2)
        given["c"] = 3
        return ctxlog.fields()

    assert ctxlog.run(given, body) == {"a": 1, "b": 2}
    assert given == {"a": 1, "c": 3}


def test_a_store_is_used_as_it_is() -> None:
    """
    A Store passed to run() is the active one itself, and stays open afterwards.
    """
    store = ctxlog.Store(a=1)
    assert ctxlog.run(store, ctxlog.get_store) is store
    assert not store.closed


def test_a_dict_makes_a_store_that_is_closed_at_the_end() -> None:
    """
    The store that run() made itself is closed once the function has ended.
    """
    store = ctxlog.run({"a": 1}, ctxlog.get_store)
    assert store is not None
    assert store.closed
    assert store == {"a": 1}


@pytest.mark.parametrize(
    "fn", [None, 3, "f", (), object()], ids=lambda value: type(value).__name__
)
def test_what_cannot_be_called_is_a_type_error(fn: Any) -> None:
    """
    Something that is not callable is a TypeError, and the context is as before.
    """

    def outer() -> None:
        before = ctxlog.get_store()
        with pytest.raises(TypeError):
            ctxlog.run({"b": 2}, fn)
        with pytest.raises(TypeError):
            ctxlog.Snapshot().run(fn)
        assert ctxlog.get_store() is before
        assert ctxlog.fields() == {"a": 1}

    ctxlog.run({"a": 1}, outer)
    with pytest.raises(TypeError):
        ctxlog.run({"b": 2}, fn)


@pytest.mark.parametrize(
    "store", [None, 3, "requestID", [("a", 1)]], ids=lambda value: type(value).__name__
)
def test_a_store_that_is_no_mapping_is_a_type_error(store: Any) -> None:
    """
    run() takes a dict or a Store, and does not call the function with anything else.
    """
    called: list[object] = []
    with pytest.raises(TypeError, match="dict or a Store"):
        ctxlog.run(store, called.append, 1)
    assert called == []


@pytest.mark.parametrize(
    "key", [1, None, b"a", ("a",)], ids=lambda value: type(value).__name__
)
def test_a_field_name_that_is_no_string_is_a_type_error(key: Any) -> None:
    """
    Every way to write a field refuses a name that is not a string, and says which.
    """
    store = ctxlog.Store(a=1)
    for write in (
        lambda: ctxlog.run({key: 1}, dict),
        lambda: ctxlog.Store({key: 1}),
        lambda: store.update({key: 1, "b": 2}),
        lambda: store.__setitem__(key, 1),
        lambda: store.setdefault(key, 1),
    ):
        with pytest.raises(TypeError, match="a field's name must be a string"):
            write()
    assert store == {"a": 1}


class Callables:
    """
    Things that can be called, each returning the fields that it saw.
    """

    def __call__(self) -> dict[str, object]:
        """
        Be a callable object.
        """
        return ctxlog.fields()

    def method(self) -> dict[str, object]:
        """
        Be a bound method.
        """
        return ctxlog.fields()

    @classmethod
    def class_method(cls) -> dict[str, object]:
        """
        Be a class method.
        """
        return ctxlog.fields()

    @staticmethod
    def static_method() -> dict[str, object]:
        """
        Be a static method.
        """
        return ctxlog.fields()


@pytest.mark.parametrize(
    "fn",
    [
        Callables(),
        Callables().method,
        Callables.class_method,
        Callables.static_method,
        functools.partial(Callables.method, Callables()),
        functools.lru_cache(ctxlog.fields),
        lambda: ctxlog.fields(),
    ],
    ids=[
        "object",
        "method",
        "classmethod",
        "static",
        "partial",
        "C callable",
        "lambda",
    ],
)
def test_every_kind_of_callable_runs_in_the_store(
    fn: Callable[[], dict[str, object]],
) -> None:
    """
    Methods, partials, callable objects and lambdas run in the store like functions.
    """
    assert ctxlog.run({"a": 1}, fn) == {"a": 1}


def test_builtins_and_classes_can_be_run() -> None:
    """
    A builtin returns what it always does; a class returns its instance.
    """
    assert ctxlog.run({}, len, "abc") == 3
    assert isinstance(ctxlog.run({}, Callables), Callables)


async def _seen() -> dict[str, object]:
    before = ctxlog.fields()
    await asyncio.sleep(0)
    assert ctxlog.fields() == before
    return before


class _AsyncCallable:
    async def __call__(self) -> dict[str, object]:
        return await _seen()


@pytest.mark.parametrize(
    "fn",
    [_seen, lambda: _seen(), functools.partial(_seen), _AsyncCallable()],
    ids=["async def", "lambda", "partial", "object"],
)
def test_the_body_of_a_coroutine_runs_in_the_store(fn: Callable[[], Any]) -> None:
    """
    Whatever returned a coroutine, its body sees the store, before and after an await.
    """

    async def main() -> None:
        body = ctxlog.run({"a": 1}, fn)
        assert asyncio.iscoroutine(body)
        assert ctxlog.get_store() is None
        assert await ctxlog.run({"awaited in": 2}, lambda: body) == {"a": 1}
        assert ctxlog.get_store() is None

    asyncio.run(main())


def test_a_coroutine_of_the_old_kind_runs_in_the_store() -> None:
    """
    A generator marked by `types.coroutine` has the store at every step of its await.
    """

    @types.coroutine
    def old() -> Generator[Any, Any, list[dict[str, object]]]:
        before = ctxlog.fields()
        yield from asyncio.sleep(0).__await__()
        return [before, ctxlog.fields()]

    async def main() -> None:
        assert await ctxlog.run({"a": 1}, old) == [{"a": 1}, {"a": 1}]
        assert ctxlog.fields() == {}

    asyncio.run(main())


def test_awaiting_what_run_returned_is_not_in_the_store() -> None:
    """
    Only the body is in the store: who awaits it sees their own, before and after.
    """

    async def main() -> None:
        seen = []

        async def outer() -> None:
            body = ctxlog.run({"a": 1}, _seen)
            seen.append(ctxlog.fields())
            seen.append(await body)
            seen.append(ctxlog.fields())

        await ctxlog.run({"outer": 1}, outer)
        assert seen == [{"outer": 1}, {"a": 1}, {"outer": 1}]

    asyncio.run(main())


def test_the_store_of_a_coroutine_is_closed_at_the_end_of_its_body() -> None:
    """
    A store that run() made for an async function is open until its body has ended.
    """

    async def body() -> tuple[ctxlog.Store | None, bool]:
        await asyncio.sleep(0)
        return ctxlog.get_store(), current_view().late

    async def main() -> None:
        store, late = await ctxlog.run({}, body)
        assert not late
        assert store is not None
        assert store.closed

    asyncio.run(main())


def test_a_coroutine_from_run_keeps_its_name() -> None:
    """
    The coroutine that run() returns is named after the one that it wraps.
    """
    body = ctxlog.run({}, _seen)
    assert (body.__name__, body.__qualname__) == ("_seen", "_seen")
    body.close()


def test_closing_a_coroutine_that_never_started_is_silent() -> None:
    """
    A coroutine from run() can be closed unstarted, without a warning from inside it.
    """
    store = None

    def make() -> Any:
        nonlocal store
        store = ctxlog.get_store()
        return _seen()

    body = ctxlog.run({"a": 1}, make)
    body.close()
    del body
    assert store is not None
    assert store.closed


def test_a_coroutine_that_is_never_awaited_warns_once() -> None:
    """
    Forgetting to await what run() returned warns as for any coroutine, under its name.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ctxlog.run({}, _seen)
    assert [str(w.message) for w in caught] == ["coroutine '_seen' was never awaited"]


def test_a_task_cancelled_before_it_starts_is_silent() -> None:
    """
    A task of a run() that is cancelled before its first step leaves no warning behind.
    """

    async def main() -> None:
        task = asyncio.create_task(ctxlog.run({}, _seen))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


# What is bound ------------------------------------------------------------------


def test_bind_reaches_every_holder_of_the_store() -> None:
    """
    A field bound deep down is on the lines of the outermost caller.
    """

    def deep() -> None:
        ctxlog.bind(user="u")

    def outer() -> dict[str, object]:
        deep()
        return ctxlog.fields()

    assert ctxlog.run({"requestID": "A"}, outer) == {"requestID": "A", "user": "u"}


def test_bind_replaces_and_unbind_removes() -> None:
    """
    Binding a name again replaces its value; unbinding removes it, missing names too.
    """

    def body() -> None:
        ctxlog.bind(a=1, b=1)
        ctxlog.bind(a=2)
        assert ctxlog.fields() == {"a": 2, "b": 1}
        ctxlog.unbind("a", "never bound")
        assert ctxlog.fields() == {"b": 1}

    ctxlog.run({}, body)


def test_fields_returns_a_copy() -> None:
    """
    Changing the dict that fields() returned changes nothing.
    """

    def body() -> None:
        ctxlog.fields()["b"] = 2
        assert ctxlog.fields() == {"a": 1}

    ctxlog.run({"a": 1}, body)


def test_a_value_comes_back_as_it_was_put_in() -> None:
    """
    The store gives back the very object that was bound, of whatever type.
    """
    value = object()

    def body() -> object:
        ctxlog.bind(value=value)
        store = ctxlog.get_store()
        assert store is not None
        return store["value"]

    assert ctxlog.run({}, body) is value


def test_a_view_never_changes() -> None:
    """
    The view that a line was written under keeps its values after a later bind().
    """

    def body() -> None:
        before = current_view()
        ctxlog.bind(a=2, b=2)
        ctxlog.unbind("a")
        assert before.fields == {"a": 1}
        assert current_view().fields == {"b": 2}

    ctxlog.run({"a": 1}, body)


def test_a_view_is_shared_until_something_is_bound() -> None:
    """
    Lines between two writes share one view, so what was encoded for one serves all.
    """

    def body() -> None:
        with ctxlog.scope(s=1):
            first = current_view()
            first.encoded = {"schema": b"bytes"}
            assert current_view() is first
            ctxlog.bind(a=2)
            assert current_view() is not first
            assert current_view().encoded is None
            assert current_view().started == first.started

    ctxlog.run({"a": 1}, body)


def test_nothing_is_needed_to_unbind() -> None:
    """
    Unbinding outside of any context does nothing and makes no store.
    """
    ctxlog.unbind("a")
    assert ctxlog.get_store() is None


def test_bind_outside_makes_a_store_for_the_current_context() -> None:
    """
    At a script's top level bind() makes a store, silently, and the next one adds.
    """

    def script() -> dict[str, object]:
        ctxlog.bind(job="j")
        ctxlog.bind(step=1)
        return ctxlog.fields()

    assert copy_context().run(script) == {"job": "j", "step": 1}
    assert ctxlog.get_store() is None


def test_bind_outside_inside_a_scope_outlives_the_scope() -> None:
    """
    A store that bind() made inside nested scopes is still there after them.
    """

    def script() -> None:
        with ctxlog.scope(a=1):
            with ctxlog.scope(b=2):
                ctxlog.bind(job="j")
                assert ctxlog.fields() == {"a": 1, "b": 2, "job": "j"}
            store = ctxlog.get_store()
            assert ctxlog.fields() == {"a": 1, "job": "j"}
        assert ctxlog.fields() == {"job": "j"}
        assert ctxlog.get_store() is store

    copy_context().run(script)


def test_bind_inside_detached_ends_with_the_block() -> None:
    """
    What is bound where there is no context inside a request does not leak into it.
    """

    def body() -> None:
        with ctxlog.detached():
            ctxlog.bind(b=2)
            assert ctxlog.fields() == {"b": 2}
        assert ctxlog.fields() == {"a": 1}

    ctxlog.run({"a": 1}, body)


def _bind_and_read() -> dict[str, object]:
    ctxlog.bind(a=1)
    return ctxlog.fields()


async def _bind_and_read_async() -> dict[str, object]:
    return _bind_and_read()


def test_bind_outside_in_a_thread_warns() -> None:
    """
    In another thread, which may be used again, bind() outside of a context warns.
    """
    with ThreadPoolExecutor(1) as pool, pytest.warns(RuntimeWarning, match="outside"):
        assert pool.submit(_bind_and_read).result() == {"a": 1}


def test_bind_outside_in_an_event_loop_warns(
    run_loop: Callable[[Callable[[], Any]], Any],
) -> None:
    """
    In a running event loop, of asyncio or trio, bind() outside of a context warns.
    """
    with pytest.warns(RuntimeWarning, match=r"ctxlog\.run\(\)"):
        assert run_loop(_bind_and_read_async) == {"a": 1}


def test_the_warning_names_the_line_that_bound() -> None:
    """
    The warning about bind() outside of a context points at the caller's file, once.
    """
    with ThreadPoolExecutor(1) as pool, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(3):
            pool.submit(copy_context().run, _bind_and_read).result()
    assert [w.filename for w in caught] == [__file__]


def test_trio_present_but_not_running_does_not_warn() -> None:
    """
    That trio was imported is no reason to warn at a script's top level.
    """
    assert trio.lowlevel.in_trio_run() is False
    assert copy_context().run(_bind_and_read) == {"a": 1}


# The Store ----------------------------------------------------------------------


def test_a_store_is_a_mutable_mapping() -> None:
    """
    A Store does all that a dict does with items.
    """
    store = ctxlog.Store({"a": 1}, b=2)
    assert isinstance(store, MutableMapping)
    assert list(store) == ["a", "b"]
    assert len(store) == 2
    assert "a" in store
    assert "z" not in store
    assert 3 not in store
    assert store.get("z", 9) == 9
    assert store.setdefault("a", 5) == 1
    assert store.pop("a") == 1
    store["c"] = 3
    del store["b"]
    assert dict(store) == {"c": 3}
    store.clear()
    assert store == {}


def test_a_missing_field_is_a_key_error() -> None:
    """
    Reading or deleting a field that is not there is a KeyError with its name.
    """
    store = ctxlog.Store(a=1)
    with pytest.raises(KeyError, match="z"):
        store["z"]
    with pytest.raises(KeyError, match="z"):
        del store["z"]
    assert store == {"a": 1}


def test_a_store_is_made_of_pairs_too() -> None:
    """
    A Store takes what dict() takes: pairs, a mapping, keywords; later ones win.
    """
    assert ctxlog.Store([("a", 1), ("b", 2)], b=3) == {"a": 1, "b": 3}


def test_removing_gives_back_what_was_there() -> None:
    """
    pop() and popitem() return what they remove, and fail as a dict's do.
    """
    store = ctxlog.Store(a=1, b=2)
    assert store.popitem() == ("b", 2)
    assert store.pop("a") == 1
    assert store.pop("a", None) is None
    with pytest.raises(KeyError, match="a"):
        store.pop("a")
    with pytest.raises(KeyError):
        store.popitem()


def test_setdefault_writes_once() -> None:
    """
    setdefault() writes what is missing, None unless given, and takes strings only.
    """
    store = ctxlog.Store()
    assert store.setdefault("a") is None
    assert store.setdefault("a", 1) is None
    assert store.setdefault("b", 2) == 2
    assert store == {"a": None, "b": 2}
    with pytest.raises(TypeError, match="string"):
        store.setdefault(1, 2)  # type: ignore[arg-type]


def test_discard_passes_over_what_is_not_there() -> None:
    """
    discard() removes the fields that are there and says nothing about the others.
    """
    store = ctxlog.Store(a=1, b=2)
    store.discard("a", "z")
    assert store == {"b": 2}


def test_the_repr_shows_no_values() -> None:
    """
    A Store's repr names its fields but no value, which may be a secret.
    """
    assert repr(ctxlog.Store(token="s3cret")) == "<Store of token>"
    assert repr(PlainStore()) == "<PlainStore of no fields>"


def test_closing_twice_is_fine_and_keeps_the_fields() -> None:
    """
    A closed Store keeps its fields, can be written to and closed again.
    """
    store = ctxlog.Store(a=1)
    assert not store.closed
    store.close()
    store.close()
    store["b"] = 2
    assert store.closed
    assert store == {"a": 1, "b": 2}


def test_what_runs_on_in_a_closed_store_is_late() -> None:
    """
    A view of a closed store says that it is late, and only then.
    """
    store = ctxlog.Store(a=1)

    def body() -> list[bool]:
        late = [current_view().late]
        store.close()
        return [*late, current_view().late]

    assert ctxlog.run(store, body) == [False, True]


def test_a_store_may_be_subclassed() -> None:
    """
    A subclass of Store is active as itself, with what it adds.
    """

    def body() -> str:
        ctxlog.bind(tenant="t")
        store = ctxlog.get_store()
        assert isinstance(store, PlainStore)
        return store.tenant

    assert ctxlog.run(PlainStore(), body) == "t"


@pytest.mark.parametrize(
    "duplicate",
    [lambda s: pickle.loads(pickle.dumps(s)), copy.copy, copy.deepcopy],
    ids=["pickle", "copy", "deepcopy"],
)
def test_a_copy_of_a_store_is_independent(
    duplicate: Callable[[ctxlog.Store], ctxlog.Store],
) -> None:
    """
    A Store can be pickled and copied; the copy has the fields and its own life.
    """
    store = PlainStore(tenant="t")
    other = duplicate(store)
    assert type(other) is PlainStore
    assert other == store
    other["tenant"] = "u"
    assert store.tenant == "t"


def test_no_concurrent_write_is_lost() -> None:
    """
    Fields that many threads write to one store at the same time are all there.
    """
    store = ctxlog.Store()
    workers, each = 8, 300
    start = threading.Barrier(workers)

    def write(worker: int) -> None:
        start.wait()
        for number in range(each):
            ctxlog.bind(**{f"{worker}.{number}": number, f"{worker}.last": number})

    with ThreadPoolExecutor(workers) as pool:
        for done in [pool.submit(ctxlog.run, store, write, w) for w in range(workers)]:
            done.result()
    assert len(store) == workers * (each + 1)
    assert all(store[f"{worker}.last"] == each - 1 for worker in range(workers))


def test_a_write_in_the_middle_of_a_write_is_not_lost() -> None:
    """
    A write that happens while another one is under way is kept, and so is that.
    """
    store = ctxlog.Store()

    class Name(str):
        __slots__ = ()
        hashed = 0

        def __hash__(self) -> int:
            Name.hashed += 1
            if Name.hashed == 1:
                store["inner"] = 1
            return super().__hash__()

    store[Name("outer")] = 2
    assert store == {"inner": 1, "outer": 2}


@pytest.mark.parametrize("how", ["setdefault", "pop"])
def test_a_write_in_the_middle_of_a_step_is_seen(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    setdefault() and pop() are one step: a write that comes between counts.
    """
    store = ctxlog.Store()

    def interrupted(*args: Any, **more: Any) -> View:
        monkeypatch.setattr(_store, "View", View)
        store["name"] = 1
        return View(*args, **more)

    monkeypatch.setattr(_store, "View", interrupted)
    assert getattr(store, how)("name", 2) == 1
    assert store == ({"name": 1} if how == "setdefault" else {})


def test_each_field_is_popped_by_one_thread() -> None:
    """
    Threads that empty one store at the same time share its fields without a repeat.
    """
    store = ctxlog.Store({str(number): number for number in range(400)})
    start = threading.Barrier(4)

    def drain() -> list[str]:
        start.wait()
        names = []
        while True:
            try:
                names.append(store.popitem()[0])
            except KeyError:
                return names

    with ThreadPoolExecutor(4) as pool:
        drained = [pool.submit(drain) for _ in range(4)]
        names = [name for one in drained for name in one.result()]
    assert sorted(names) == sorted(str(number) for number in range(400))


def test_a_signal_handler_may_bind_while_the_code_does() -> None:
    """
    A write by the same thread inside a write's last step, as by a signal, goes through.
    """
    store = ctxlog.Store()
    with _store._lock:
        store["a"] = 1
    assert store == {"a": 1}


def test_an_update_is_seen_whole() -> None:
    """
    No reader ever sees only some of the fields of one bind().
    """
    store = ctxlog.Store(a=0, b=0)
    stop = threading.Event()
    torn: list[dict[str, object]] = []

    def read() -> None:
        while not stop.is_set():
            seen = ctxlog.fields()
            if seen["a"] != seen["b"]:
                torn.append(seen)

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(ctxlog.run, store, read)
        for number in range(3_000):
            store.update(a=number, b=number)
        stop.set()
        reading.result()
    assert torn == []


def test_sources_are_not_called_while_none_has_a_field() -> None:
    """
    One whose fields may come at any time always is, and the others with it.
    """
    called: list[str] = []
    fields: dict[str, object] = {}

    def watched() -> dict[str, object]:
        called.append("watched")
        return fields

    def other() -> dict[str, object]:
        called.append("other")
        return {"other": 1}

    try:
        add_source(watched, unless_empty=fields)
        assert dict(current_view().fields) == {}
        assert called == []
        fields["found"] = 1
        assert dict(current_view().fields) == {"found": 1}
        fields.clear()
        add_source(other)
        add_source(other)
        assert dict(current_view().fields) == {"other": 1}
        assert called == ["watched", "watched", "other"]
    finally:
        remove_source(watched)
        remove_source(other)
    assert dict(current_view().fields) == {}
