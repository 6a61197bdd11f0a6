"""
Random programs, interleaved at random, against a simple model of what they must see.

The model knows nothing of frames or context variables. A *region* is what a `run()`, a
`detached()` block, a task or a thread has of its own: a reference to the store that is
active in it, which `bind()` makes if there is none. Scopes are a dict that is handed
down the program's text.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import ExitStack
from contextvars import Context, copy_context
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ctxlog
from ctxlog.context.adapter import current_view

_NAMES = st.sampled_from("abc")
_VALUES = st.integers(0, 9)
_FIELDS = st.dictionaries(_NAMES, _VALUES, max_size=2)

#: An operation is a tuple: its name and its arguments.
_Program = list[Any]

_SIMPLE = st.one_of(
    st.tuples(st.just("bind"), _FIELDS),
    st.tuples(st.just("unbind"), _NAMES),
    st.tuples(st.just("wait")),
)
_BODY = st.lists(
    st.one_of(
        _SIMPLE, st.tuples(st.just("enter"), _FIELDS), st.tuples(st.just("leave"))
    ),
    max_size=4,
)


def _nested(programs: st.SearchStrategy[_Program]) -> st.SearchStrategy[_Program]:
    operation = st.one_of(
        _SIMPLE,
        st.tuples(st.just("run"), _FIELDS, programs),
        st.tuples(st.just("scope"), _FIELDS, programs),
        st.tuples(st.just("decorated"), _FIELDS, programs),
        st.tuples(st.just("detached"), programs),
        st.tuples(st.just("snapshot"), programs),
        st.tuples(st.just("start"), programs),
        st.tuples(st.just("fail"), programs),
        st.tuples(st.just("generator"), _FIELDS, _BODY, st.integers(0, 5)),
    )
    return st.lists(operation, max_size=5)


_PROGRAMS = st.recursive(st.lists(_SIMPLE, max_size=3), _nested, max_leaves=12)
_TURNS = st.lists(st.integers(0, 5), max_size=60)


@dataclasses.dataclass
class ModelStore:
    """
    What the model knows of a store.
    """

    fields: dict[str, object]
    closed: bool = False


@dataclasses.dataclass
class Region:
    """
    Something that has an active store of its own.
    """

    store: ModelStore | None

    def bind(self, fields: dict[str, object]) -> None:
        """
        Write to the store, and make one if there is none.
        """
        if self.store is None:
            self.store = ModelStore({})
        self.store.fields.update(fields)

    def unbind(self, name: str) -> None:
        """
        Remove a field, if there is a store and it has it.
        """
        if self.store is not None:
            self.store.fields.pop(name, None)

    def check(self, overlay: dict[str, object]) -> None:
        """
        Compare what ctxlog shows here and now.
        """
        store = self.store
        own = {} if store is None else store.fields
        assert ctxlog.fields() == {**own, **overlay}
        assert (ctxlog.get_store() is None) == (store is None)
        if store is not None:
            assert ctxlog.get_store() == store.fields
            assert current_view().late == store.closed


class _Failure(Exception):
    """
    Raised to leave blocks by an error.
    """


class Actors:
    """
    Runs programs by actors that take turns, one at a time, in the order of `turns`.
    """

    def __init__(self, turns: list[int]) -> None:
        self._turns = itertools.chain(turns, itertools.repeat(0))

    def start(self, actor: Coroutine[Any, Any, None]) -> None:
        """
        Have `actor` wait for its turn, in the context that is active here.
        """
        raise NotImplementedError

    async def turn(self) -> None:
        """
        Let others have their turn.
        """
        raise NotImplementedError

    async def actor(
        self, program: _Program, region: Region, overlay: dict[str, object]
    ) -> None:
        """
        Execute a whole program.
        """
        region.check(overlay)
        await self._execute(program, region, overlay)

    async def _execute(
        self, program: _Program, region: Region, overlay: dict[str, object]
    ) -> None:
        for operation in program:
            await getattr(self, "do_" + operation[0])(*operation[1:], region, overlay)
            region.check(overlay)

    async def do_wait(self, region: Region, overlay: dict[str, object]) -> None:
        await self.turn()

    async def do_bind(
        self, fields: dict[str, object], region: Region, overlay: dict[str, object]
    ) -> None:
        ctxlog.bind(**fields)
        region.bind(fields)

    async def do_unbind(
        self, name: str, region: Region, overlay: dict[str, object]
    ) -> None:
        ctxlog.unbind(name)
        region.unbind(name)

    async def do_run(
        self,
        fields: dict[str, object],
        program: _Program,
        region: Region,
        overlay: dict[str, object],
    ) -> None:
        store = ModelStore(dict(fields))
        try:
            await ctxlog.run(fields, self._execute, program, Region(store), {})
        finally:
            store.closed = True

    async def do_scope(
        self,
        fields: dict[str, object],
        program: _Program,
        region: Region,
        overlay: dict[str, object],
    ) -> None:
        with ctxlog.scope(**fields):
            await self._execute(program, region, {**overlay, **fields})

    async def do_decorated(
        self,
        fields: dict[str, object],
        program: _Program,
        region: Region,
        overlay: dict[str, object],
    ) -> None:
        # A store that is made inside is the function's own.
        body = ctxlog.scope(**fields)(self._execute)
        await body(program, Region(region.store), {**overlay, **fields})

    async def do_detached(
        self, program: _Program, region: Region, overlay: dict[str, object]
    ) -> None:
        with ctxlog.detached():
            await self._execute(program, Region(None), {})

    async def do_snapshot(
        self, program: _Program, region: Region, overlay: dict[str, object]
    ) -> None:
        own = Region(region.store)
        await ctxlog.Snapshot().run(self._execute, program, own, overlay)

    async def do_start(
        self, program: _Program, region: Region, overlay: dict[str, object]
    ) -> None:
        self.start(self.actor(program, Region(region.store), overlay))

    async def do_fail(
        self, program: _Program, region: Region, overlay: dict[str, object]
    ) -> None:
        with pytest.raises(_Failure):
            with ctxlog.scope(failing=1):
                inner = {**overlay, "failing": 1}
                await self._execute(program, region, inner)
                raise _Failure

    async def do_generator(
        self,
        fields: dict[str, object],
        body: _Program,
        steps: int,
        region: Region,
        overlay: dict[str, object],
    ) -> None:
        store = ModelStore(dict(fields))
        generator = ctxlog.run(fields, self._steps, body, Region(store))
        for _ in range(steps):
            async for _ in generator:
                break
            region.check(overlay)
        await generator.aclose()
        store.closed = True

    async def _steps(self, body: _Program, region: Region) -> AsyncIterator[None]:
        overlays: list[dict[str, object]] = [{}]
        blocks: list[ctxlog.scope] = []
        for name, *arguments in body:
            if name == "enter":
                blocks.append(ctxlog.scope(**arguments[0]))
                blocks[-1].__enter__()
                overlays.append({**overlays[-1], **arguments[0]})
            elif name == "leave":
                if blocks:
                    blocks.pop().__exit__(None, None, None)
                    overlays.pop()
            else:
                await getattr(self, "do_" + name)(*arguments, region, overlays[-1])
            region.check(overlays[-1])
            yield
            region.check(overlays[-1])


class Tasks(Actors):
    """
    The actors are tasks of one loop.
    """

    def __init__(self, turns: list[int]) -> None:
        super().__init__(turns)
        self._waiting: list[asyncio.Future[None]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._paused = asyncio.Event()

    def start(self, actor: Coroutine[Any, Any, None]) -> None:
        """
        Start a task.
        """

        async def wait_first() -> None:
            await self.turn()
            await actor

        task = asyncio.create_task(wait_first())
        task.add_done_callback(lambda _: self._paused.set())
        self._tasks.append(task)

    async def turn(self) -> None:
        """
        Wait to be chosen.
        """
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._paused.set()
        await future

    async def complete(self, programs: list[_Program]) -> None:
        """
        Run `programs` and all that they start.
        """
        for program in programs:
            self.start(self.actor(program, Region(None), {}))
        while not all(task.done() for task in self._tasks):
            await self._paused.wait()
            self._paused.clear()
            if self._waiting:
                chosen = next(self._turns) % len(self._waiting)
                self._waiting.pop(chosen).set_result(None)
        await asyncio.gather(*self._tasks)


class Threads(Actors):
    """
    The actors are threads, each started with the context of what started it.
    """

    def __init__(self, turns: list[int]) -> None:
        super().__init__(turns)
        self._waiting: list[threading.Event] = []
        self._threads: list[threading.Thread] = []
        self._errors: list[BaseException] = []
        self._paused = threading.Semaphore(0)

    def start(self, actor: Coroutine[Any, Any, None]) -> None:
        """
        Start a thread.
        """
        first = threading.Event()

        def body() -> None:
            first.wait()
            try:
                # Blocks where it waits, so there is only one step.
                actor.send(None)
            except StopIteration:
                pass
            except BaseException as error:
                self._errors.append(error)
            finally:
                self._paused.release()

        thread = threading.Thread(target=ctxlog.wrap(body))
        self._threads.append(thread)
        self._waiting.append(first)
        thread.start()

    async def turn(self) -> None:
        """
        Block until chosen.
        """
        chosen = threading.Event()
        self._waiting.append(chosen)
        self._paused.release()
        chosen.wait()

    def complete(self, programs: list[_Program]) -> None:
        """
        Run `programs` and all that they start.
        """
        for program in programs:
            self.start(self.actor(program, Region(None), {}))
        while self._waiting:
            chosen = next(self._turns) % len(self._waiting)
            self._waiting.pop(chosen).set()
            self._paused.acquire()
        for thread in self._threads:
            thread.join()
        if self._errors:
            raise self._errors[0]


@pytest.mark.filterwarnings("ignore:bind:RuntimeWarning")
@given(st.lists(_PROGRAMS, min_size=1, max_size=3), _TURNS)
def test_interleaved_tasks_see_what_the_model_says(
    programs: list[_Program], turns: list[int]
) -> None:
    """
    Random programs in tasks that take random turns see the model's fields throughout.
    """

    async def main() -> None:
        await Tasks(turns).complete(programs)

    asyncio.run(main())


@pytest.mark.filterwarnings("ignore:bind:RuntimeWarning")
@given(st.lists(_PROGRAMS, min_size=1, max_size=3), _TURNS)
def test_interleaved_threads_see_what_the_model_says(
    programs: list[_Program], turns: list[int]
) -> None:
    """
    Random programs in threads that take random turns see the model's fields throughout.
    """
    Threads(turns).complete(programs)


# Blocks that are left in any order ------------------------------------------------

_STEPS = st.lists(
    st.tuples(st.sampled_from(["enter", "leave", "bind"]), st.integers(0, 3)),
    max_size=25,
)


@given(_STEPS)
def test_scopes_left_in_any_order(steps: list[tuple[str, int]]) -> None:
    """
    Entering and leaving four scope objects at random shows exactly the open ones below.
    """
    scopes = [ctxlog.scope(**{f"s{n}": n}) for n in range(4)]
    chain: list[int] = []
    bound: dict[str, object] = {}

    def body() -> None:
        for step, n in steps:
            if step == "enter":
                scopes[n].__enter__()
                chain.append(n)
            elif step == "leave":
                scopes[n].__exit__(None, None, None)
                if n in chain:
                    while chain.pop() != n:
                        pass
            else:
                ctxlog.bind(**{f"b{n}": n})
                bound[f"b{n}"] = n
            assert ctxlog.fields() == {**bound, **{f"s{n}": n for n in chain}}

    copy_context().run(body)


_MOVES = st.lists(
    st.tuples(
        st.sampled_from(
            ["enter", "enter", "leave", "leave", "leave in run", "copy", "throw"]
        ),
        st.integers(0, 3),
        st.integers(0, 20),
    ),
    max_size=40,
)


@given(_MOVES, st.randoms(use_true_random=False))
def test_scopes_left_in_any_context(
    moves: list[tuple[str, int, int]], order: Any
) -> None:
    """
    A context that has left all that it entered shows nothing but what it inherited.
    """
    # Whatever other contexts entered, were handed or left for it meanwhile.
    contexts: list[tuple[Context, dict[str, object]]] = [(copy_context(), {})]
    entered: list[tuple[int, ctxlog.scope]] = []
    for move, where, which in moves:
        number = where % len(contexts)
        context, _ = contexts[number]
        if move == "enter":
            scope = ctxlog.scope(**{f"s{len(entered)}": number})
            context.run(scope.__enter__)
            entered.append((number, scope))
        elif move == "copy" and len(contexts) < 4:
            contexts.append((context.copy(), context.run(ctxlog.fields)))
        elif entered:
            _, scope = entered[which % len(entered)]
            if move == "leave in run":
                assert context.run(ctxlog.run, {"run": 1}, _left, scope) == {"run": 1}
            elif move == "throw":
                context.run(scope.__exit__, ValueError, ValueError(), None)
            else:
                context.run(_left, scope)
    order.shuffle(entered)
    for number, scope in entered:
        contexts[number][0].run(scope.__exit__, None, None, None)
    for context, inherited in contexts:
        # Of what it inherited it may have been told to leave some, never more.
        assert context.run(ctxlog.fields).items() <= inherited.items()


def _left(scope: ctxlog.scope) -> dict[str, object]:
    scope.__exit__(None, None, None)
    return ctxlog.fields()


@given(_TURNS)
def test_generators_left_anywhere_leave_nothing(turns: list[int]) -> None:
    """
    Plain generators with bare scopes, advanced and closed at random, leave no field.
    """

    def body(n: int) -> Iterator[None]:
        with ctxlog.scope(**{f"g{n}": n}):
            yield
            with ctxlog.scope(**{f"h{n}": n}):
                yield
            yield

    def consume() -> dict[str, object]:
        generators = [body(n) for n in range(4)]
        with ExitStack() as stack:
            for turn in turns:
                if turn < 4:
                    next(generators[turn], None)
                elif turn == 4:
                    stack.enter_context(ctxlog.scope(consumer=1))
                else:
                    inner = ctxlog.run({"inner": 1}, _advance, generators)
                    assert inner == {"inner": 1}
            for generator in generators:
                generator.close()
        return ctxlog.fields()

    assert ctxlog.run({"a": 1}, consume) == {"a": 1}


def _advance(generators: list[Iterator[None]]) -> dict[str, object]:
    generators[0].close()  # type: ignore[attr-defined]
    return ctxlog.fields()
