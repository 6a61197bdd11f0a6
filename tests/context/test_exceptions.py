"""
Errors: they pass unchanged, and remember the context that they left.
"""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import gc
import logging
import pickle
import subprocess
import sys
import threading
import traceback
import warnings
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import pytest

import ctxlog
from ctxlog.context import _exceptions
from ctxlog.context.adapter import error_view
from tests.helpers import LogEnvironment

if sys.version_info >= (3, 11):
    from builtins import ExceptionGroup
else:
    from exceptiongroup import ExceptionGroup


def _raise(error: BaseException) -> NoReturn:
    raise error


def _failed(
    error: BaseException, fields: dict[str, object], **scope: object
) -> BaseException:
    """
    Raise `error` out of a store, and out of a scope in it if there is one.
    """

    def body() -> None:
        if not scope:
            raise error
        with ctxlog.scope(**scope):
            raise error

    try:
        ctxlog.run(fields, body)
    except BaseException as caught:
        assert caught is error
    return error


def _origin(error: BaseException | None) -> dict[str, object]:
    """
    The fields of a line that reports `error` where there is no context.
    """
    return ctxlog.Snapshot().run(lambda: error_view(error).fields)


# How errors pass ------------------------------------------------------------------


def test_an_error_passes_unchanged() -> None:
    """
    The same error object leaves run(), and in `except` the outer context is back.
    """
    error = ValueError("bad")

    def outer() -> None:
        try:
            ctxlog.run({"b": 2}, _raise, error)
        except ValueError as caught:
            assert caught is error
            assert caught.args == ("bad",)
            assert caught.__cause__ is None
            assert caught.__context__ is None
            assert ctxlog.fields() == {"a": 1}

    ctxlog.run({"a": 1}, outer)


def test_an_error_of_a_coroutine_passes_unchanged() -> None:
    """
    The same error object leaves an awaited run(), and outside there is no context.
    """
    error = ValueError("bad")

    async def body() -> None:
        await asyncio.sleep(0)
        raise error

    async def main() -> None:
        with pytest.raises(ValueError, match="bad") as caught:
            await ctxlog.run({"a": 1}, body)
        assert caught.value is error
        assert ctxlog.get_store() is None

    asyncio.run(main())


def test_the_traceback_ends_where_the_error_was_raised() -> None:
    """
    The last frame of a traceback through run() is the user's, the first one too.
    """

    async def body() -> None:
        await asyncio.sleep(0)
        raise ValueError("bad")

    async def main() -> list[traceback.FrameSummary]:
        try:
            await ctxlog.run({"a": 1}, body)
        except ValueError as error:
            return list(traceback.extract_tb(error.__traceback__))
        raise AssertionError("no error")

    frames = asyncio.run(main())
    assert frames[0].name == "main"
    assert frames[-1].name == "body"
    assert len(frames) <= 6


def test_the_traceback_of_an_error_thrown_into_a_body_ends_in_the_body() -> None:
    """
    An error that is thrown into a suspended body shows none of our frames below it.
    """

    def body() -> Any:
        yield

    for make in (
        lambda: ctxlog.run({}, body),
        lambda: ctxlog.Snapshot().run(body),
        ctxlog.scope(a=1)(body),
    ):
        generator = make()
        next(generator)
        with pytest.raises(ValueError, match="bad") as caught:
            generator.throw(ValueError("bad"))
        assert traceback.extract_tb(caught.value.__traceback__)[-1].name == "body"


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_errors_that_end_programs_pass_too(error: BaseException) -> None:
    """
    SystemExit, KeyboardInterrupt and GeneratorExit pass, and remember their context.
    """
    assert _origin(_failed(error, {"a": 1})) == {"a": 1}
    assert ctxlog.fields() == {}


# What they remember ---------------------------------------------------------------


def test_no_error_changes_nothing() -> None:
    """
    A line that reports no error, or one from nowhere, has the context of its place.
    """
    with ctxlog.scope(a=1):
        assert error_view(None).fields == {"a": 1}
        assert error_view(ValueError()).fields == {"a": 1}


def test_an_error_remembers_its_store_and_scopes() -> None:
    """
    An error that left a scope and its store is reported with the fields of both.
    """
    error = _failed(ValueError(), {"a": 1}, s=2)
    assert _origin(error) == {"a": 1, "s": 2}


def test_an_error_remembers_a_scope_without_a_store() -> None:
    """
    A scope outside of any run() is remembered as well.
    """
    error = ValueError()
    with pytest.raises(ValueError):  # noqa: PT011
        with ctxlog.scope(s=1):
            raise error
    assert _origin(error) == {"s": 1}


def test_the_innermost_context_wins() -> None:
    """
    An error that left several contexts is reported with those of the innermost one.
    """

    def outer() -> None:
        with ctxlog.scope(o=1):
            ctxlog.run({"inner": 1}, inner)

    def inner() -> None:
        with ctxlog.scope(i=1):
            raise ValueError("bad")

    with pytest.raises(ValueError, match="bad") as caught:
        ctxlog.run({"outer": 1}, outer)
    assert _origin(caught.value) == {"inner": 1, "i": 1}


def test_an_error_remembers_through_coroutines() -> None:
    """
    The innermost context wins also where every level is an awaited coroutine.
    """

    async def inner() -> None:
        with ctxlog.scope(i=1):
            await asyncio.sleep(0)
            raise ValueError("bad")

    async def outer() -> None:
        await ctxlog.run({"inner": 1}, inner)

    async def main() -> BaseException:
        try:
            await ctxlog.run({"outer": 1}, outer)
        except ValueError as error:
            return error
        raise AssertionError("no error")

    assert _origin(asyncio.run(main())) == {"inner": 1, "i": 1}


def test_what_is_bound_after_the_error_is_reported_too() -> None:
    """
    The store is remembered, not a copy: a field bound on the way out is on the line.
    """
    error = ValueError()

    def body() -> None:
        try:
            with ctxlog.scope(s=1):
                raise error
        finally:
            ctxlog.bind(status=500)

    store = ctxlog.Store(a=1)
    with pytest.raises(ValueError):  # noqa: PT011
        ctxlog.run(store, body)
    assert _origin(error) == {"a": 1, "s": 1, "status": 500}
    store["retried"] = True
    assert _origin(error) == {"a": 1, "s": 1, "status": 500, "retried": True}


def test_an_error_of_a_decorated_function_remembers() -> None:
    """
    An error that left a decorated function, or a generator, is reported with its scope.
    """

    @ctxlog.scope(s=1)
    def fail() -> None:
        raise ValueError("bad")

    @ctxlog.scope(s=1)
    def fail_at_the_second_step() -> Any:
        yield
        raise ValueError("bad")

    for call in (fail, lambda: list(fail_at_the_second_step())):
        with pytest.raises(ValueError, match="bad") as caught:
            ctxlog.run({"a": 1}, call)
        assert _origin(caught.value) == {"a": 1, "s": 1}


def test_an_error_of_detached_code_is_of_nowhere() -> None:
    """
    A block without context gives nothing to remember.
    """
    error = ValueError()
    with pytest.raises(ValueError):  # noqa: PT011
        with ctxlog.detached():
            raise error
    assert _origin(error) == {}
    assert "__ctxlog_origin__" not in vars(error)


def test_a_shared_error_takes_the_newer_request() -> None:
    """
    One error instance that is raised in two requests belongs to the second.
    """
    error = ValueError()
    _failed(error, {"id": 1}, s=1)
    _failed(error, {"id": 2}, s=2)
    assert _origin(error) == {"id": 2, "s": 2}


def test_a_shared_error_of_requests_in_several_threads() -> None:
    """
    One instance that is raised in several threads is of the one that reports it.
    """
    error = ValueError()
    everybody = threading.Barrier(8)

    def serve(number: int) -> tuple[int, dict[str, object]]:
        everybody.wait()
        _failed(error, {"id": number}, s=number)
        everybody.wait()
        return number, _origin(error)

    with ThreadPoolExecutor(8) as pool:
        for number, origin in pool.map(serve, range(8)):
            assert origin == {"id": number, "s": number}
    # Its request is unknown: the report could be of either.
    assert _origin(error) == {}


def test_a_shared_error_of_several_tasks() -> None:
    """
    One instance that is raised in several tasks is of the one it is reported in.
    """
    error = ValueError()

    async def serve(number: int) -> None:
        with pytest.raises(ValueError):  # noqa: PT011
            with ctxlog.scope(s=number):
                await asyncio.sleep(0)
                raise error
        await asyncio.sleep(0)
        assert error_view(error, reporting=True).fields == {"id": number, "s": number}

    async def main() -> None:
        await asyncio.gather(*(ctxlog.run({"id": n}, serve, n) for n in range(8)))

    asyncio.run(main())


def test_an_error_that_is_raised_for_ever_keeps_few_requests() -> None:
    """
    A module's only instance of an error does not hold all stores that it has left.
    """
    error = ValueError()
    stores = [ctxlog.Store(n=number) for number in range(100)]
    gone = [weakref.ref(store) for store in stores]
    while stores:
        with pytest.raises(ValueError):  # noqa: PT011
            ctxlog.run(stores.pop(), _raise, error)
        error.__traceback__ = None
    gc.collect()
    assert sum(ref() is not None for ref in gone) <= 32


def test_a_shared_error_takes_the_newer_scope() -> None:
    """
    One error instance that is raised in two scopes of a request belongs to the second.
    """
    error = ValueError()

    def body() -> None:
        for n in (1, 2):
            try:
                with ctxlog.scope(**{f"s{n}": n}):
                    raise error
            except ValueError:
                pass

    ctxlog.run({"a": 1}, body)
    assert _origin(error) == {"a": 1, "s2": 2}


def test_an_error_that_another_task_awaits_keeps_its_own_context() -> None:
    """
    An error of a child task, awaited in a scope of the parent's, stays the child's.
    """

    async def child() -> None:
        with ctxlog.scope(c=1):
            raise ValueError("bad")

    async def main() -> BaseException:
        try:
            with ctxlog.scope(parent=1):
                await ctxlog.run({"a": 1}, asyncio.create_task, child())
        except ValueError as error:
            return error
        raise AssertionError("no error")

    assert _origin(asyncio.run(main())) == {"a": 1, "c": 1}


# Chains and groups ----------------------------------------------------------------


def test_the_cause_is_asked_when_the_error_itself_has_no_context() -> None:
    """
    `raise ... from` outside of any context is reported with the cause's context.
    """
    error = RuntimeError("outer")
    error.__cause__ = _failed(ValueError("inner"), {"a": 1})
    assert _origin(error) == {"a": 1}


def test_the_context_is_asked_when_there_is_no_cause() -> None:
    """
    An error raised while another was handled is reported with that one's context.
    """
    try:
        try:
            ctxlog.run({"a": 1}, _raise, ValueError())
        except ValueError:
            raise RuntimeError from None
    except RuntimeError as error:
        assert _origin(error) == {}
    try:
        try:
            ctxlog.run({"a": 1}, _raise, ValueError())
        except ValueError:
            raise RuntimeError  # noqa: B904  the implicit context is the point
    except RuntimeError as error:
        assert _origin(error) == {"a": 1}


def test_the_errors_own_context_comes_before_its_causes() -> None:
    """
    An error with a context of its own is not reported with its cause's.
    """
    error = RuntimeError()
    error.__cause__ = _failed(ValueError(), {"cause": 1})
    assert _origin(_failed(error, {"own": 1})) == {"own": 1}


def test_a_cycle_of_errors_ends() -> None:
    """
    Errors that refer to each other in a circle are reported without an endless loop.
    """
    one, two = ValueError(), RuntimeError()
    one.__cause__, two.__cause__ = two, one
    assert _origin(one) == {}


def test_an_error_unwrapped_from_its_group_ends() -> None:
    """
    An error raised from the very group that it was in is reported without recursion.
    """
    member = ValueError("member")
    group = ExceptionGroup("group", [member])
    member.__cause__ = group
    assert _origin(member) == {}
    assert _origin(group) == {}
    _failed(member, {"a": 1})
    assert _origin(group) == {"a": 1}


def test_a_group_of_one_request_is_reported_with_it() -> None:
    """
    A group whose members all come from one store is reported with that store.
    """
    store = ctxlog.Store(a=1)
    members = []
    for n in range(2):
        try:
            with ctxlog.scope(n=n):
                ctxlog.run(store, _raise, ValueError(n))
        except ValueError as error:
            members.append(error)
    assert _origin(ExceptionGroup("group", members)) == {"a": 1}


def test_a_group_of_several_requests_is_of_none() -> None:
    """
    A group whose members come from different stores is not reported under either.
    """
    members = [_failed(ValueError(), {"id": n}) for n in range(2)]
    group = ExceptionGroup("group", members)
    assert _origin(group) == {}
    assert [_origin(member) for member in group.exceptions] == [{"id": 0}, {"id": 1}]


def test_a_group_with_a_member_from_nowhere_is_of_none() -> None:
    """
    A group with a member that has no context is not reported under the others'.
    """
    members = [_failed(ValueError(), {"a": 1}), ValueError()]
    assert _origin(ExceptionGroup("group", members)) == {}


def test_members_with_a_common_cause_share_its_context() -> None:
    """
    Members of a group that were all caused by one error are reported with its context.
    """
    cause = _failed(KeyError(), {"a": 1})
    members = [ValueError(), RuntimeError()]
    for member in members:
        member.__cause__ = cause
    assert _origin(ExceptionGroup("group", members)) == {"a": 1}


def test_a_group_that_left_a_context_has_its_own() -> None:
    """
    A group that itself left a store is reported with that, members keep their own.
    """
    member = _failed(ValueError(), {"member": 1})
    group = _failed(ExceptionGroup("group", [member]), {"group": 1})
    assert _origin(group) == {"group": 1}
    assert _origin(member) == {"member": 1}


# Who takes it -----------------------------------------------------------------------


def test_a_line_with_a_context_gains_only_what_it_lacks() -> None:
    """
    A line in a request of its own keeps its fields and gains the error's others.
    """
    error = _failed(ValueError(), {"id": "theirs", "order": "o"}, s=1)
    view = ctxlog.run({"id": "mine"}, error_view, error)
    assert view.fields == {"id": "mine", "order": "o", "s": 1}


def test_a_line_that_lacks_nothing_has_its_own_view() -> None:
    """
    Reporting a request's own error inside it takes the very view of its other lines.
    """
    error = ValueError()

    def body() -> None:
        with pytest.raises(ValueError):  # noqa: PT011
            with ctxlog.scope():
                raise error
        assert error_view(error).fields == ctxlog.fields()

    ctxlog.run({"a": 1}, body)


def test_a_logger_that_reports_for_others_takes_everything() -> None:
    """
    A line on behalf of others has nothing of the context that it happens to run in.
    """
    error = _failed(ValueError(), {"id": "theirs"})

    def body() -> dict[str, object]:
        return error_view(error, reporting=True).fields

    assert ctxlog.run({"id": "mine", "mine": 1}, body) == {"id": "theirs"}


def test_a_line_of_an_ended_request_takes_everything() -> None:
    """
    A line in the context of a request that is over is reported as the error's.
    """
    error = _failed(ValueError(), {"id": "theirs"})
    store = ctxlog.Store(id="mine", mine=1)
    store.close()
    assert ctxlog.run(store, lambda: error_view(error).fields) == {"id": "theirs"}


def test_the_report_of_the_requests_own_failure_is_not_late() -> None:
    """
    An error that left an open store is not late, though the store is closed by then.
    """
    error = _failed(ValueError(), {"a": 1})
    assert not error_view(error).late


def test_an_error_of_a_late_task_is_late() -> None:
    """
    An error that was raised after its request had completed is late.
    """
    store = ctxlog.Store(a=1)
    store.close()
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        ctxlog.run(store, _raise, ValueError())
    assert error_view(caught.value).late


# Odd kinds of errors ----------------------------------------------------------------


class Slots(Exception):
    """
    An exception with slots.
    """

    __slots__ = ("code",)


@dataclasses.dataclass(frozen=True)
class Frozen(Exception):
    """
    A frozen dataclass.
    """

    code: int = 3


@dataclasses.dataclass(frozen=True, slots=True)
class FrozenSlots(Exception):
    """
    A frozen dataclass with slots: its state is a list of field values.
    """

    code: int = 3


class NoSetattr(Exception):
    """
    An exception that refuses attributes.
    """

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(name)


class NoGetattribute(Exception):
    """
    An exception that refuses to be looked at.
    """

    def __getattribute__(self, name: str) -> NoReturn:
        raise RuntimeError(name)


class HostileProperties(Exception):
    """
    An exception whose every interesting attribute fails.
    """

    @property
    def exceptions(self) -> NoReturn:
        """
        Fail.
        """
        raise RuntimeError

    @property
    def __cause__(self) -> NoReturn:  # type: ignore[override]
        raise RuntimeError

    @property
    def __context__(self) -> NoReturn:  # type: ignore[override]
        raise RuntimeError


class NoDict(Exception):
    """
    An exception that hides its attributes.
    """

    @property
    def __dict__(self) -> NoReturn:  # type: ignore[override]
        raise RuntimeError


class Falsy(Exception):
    """
    An exception that is false and equal to everything.
    """

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        return True


@pytest.mark.parametrize(
    "kind",
    [Slots, Frozen, NoGetattribute, HostileProperties, Falsy, OSError, UnicodeError],
)
def test_odd_errors_remember(kind: type[Exception]) -> None:
    """
    Exceptions with slots, frozen, false or hostile ones pass and remember.
    """
    error = _failed(kind(), {"a": 1}, s=1)
    assert _origin(error) == {"a": 1, "s": 1}


@pytest.mark.parametrize("kind", [NoSetattr, NoDict])
def test_errors_that_can_hold_no_attribute_remember(kind: type[Exception]) -> None:
    """
    Their origins are kept beside them, and freed with them.
    """
    error = _failed(kind(), {"a": 1})
    assert _origin(error) == {"a": 1}
    kept = len(_exceptions._beside)
    del error
    gc.collect()
    assert len(_exceptions._beside) == kept - 1


def test_errors_that_cannot_carry_anything_pass() -> None:
    """
    An exception with neither attributes nor weak references is left alone.
    """
    assert _origin(_failed(FrozenSlots(), {"a": 1})) == {}


def test_a_cause_that_is_false_is_followed() -> None:
    """
    A chain is followed through an exception that is false.
    """
    error = RuntimeError()
    error.__cause__ = _failed(Falsy(), {"a": 1})
    assert _origin(error) == {"a": 1}


@pytest.mark.parametrize("kind", [NoGetattribute, HostileProperties, NoDict, NoSetattr])
def test_looking_at_a_hostile_error_never_raises(kind: type[Exception]) -> None:
    """
    A hostile exception from nowhere is reported like any other.
    """
    assert _origin(kind()) == {}
    error = RuntimeError()
    error.__cause__ = kind()
    assert _origin(error) == {}


@pytest.mark.parametrize("kind", [NoGetattribute, NoSetattr, Frozen])
def test_a_hostile_error_can_be_thrown_into_a_body(kind: type[Exception]) -> None:
    """
    Throwing a hostile or frozen exception into a suspended body raises that one.
    """

    def body() -> Any:
        yield

    generator = ctxlog.run({}, body)
    next(generator)
    error = kind()
    with pytest.raises(kind) as caught:
        generator.throw(error)
    assert caught.value is error


@pytest.mark.parametrize(
    "duplicate",
    [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy],
    ids=["pickle", "copy", "deepcopy"],
)
@pytest.mark.parametrize("kind", [ValueError, OSError, Slots, FrozenSlots, NoSetattr])
def test_pickling_and_copying_still_work(
    kind: type[Exception], duplicate: Callable[[Any], Any]
) -> None:
    """
    An error that remembers is pickled and copied to an equal one, as without ctxlog.
    """
    error = kind(7) if kind is not NoSetattr else kind()
    _failed(error, {"token": "s3cret"})
    other = duplicate(error)
    assert type(other) is kind
    assert other.args == error.args
    if kind is FrozenSlots:
        assert other.code == 7


def test_no_field_is_in_a_pickle() -> None:
    """
    A pickled error has nothing of the store: it may go anywhere.
    """
    error = _failed(ValueError("bad"), {"token": "s3cret"}, other="s3cret")
    assert b"s3cret" not in pickle.dumps(error)
    assert _origin(pickle.loads(pickle.dumps(error))) == {}


def test_a_pickle_needs_no_ctxlog_to_be_read() -> None:
    """
    A process that has no ctxlog reads a pickled error that remembered.
    """
    error = ValueError("bad")
    error.code = 7  # type: ignore[attr-defined]
    _failed(error, {"a": 1})
    reader = (
        "import pickle, sys; sys.modules['ctxlog'] = None;"
        "error = pickle.load(sys.stdin.buffer); print(error.args, error.code)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", reader],
        input=pickle.dumps(error),
        capture_output=True,
        check=True,
    )
    assert done.stdout.split() == [b"('bad',)", b"7"]


# Hooks ------------------------------------------------------------------------------


def test_asyncio_reports_a_task_nobody_awaited_with_its_origin() -> None:
    """
    The loop's exception handler finds the context of a failed, forgotten task.
    """
    seen: list[dict[str, object]] = []

    def handler(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        seen.append(error_view(context["exception"], reporting=True).fields)

    async def body() -> None:
        raise ValueError("bad")

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(handler)
        task = asyncio.create_task(ctxlog.run({"a": 1}, body))
        await asyncio.wait([task])
        del task
        await ctxlog.run({"other": 1}, asyncio.sleep, 0)
        ctxlog.run({"other": 1}, gc.collect)

    asyncio.run(main())
    assert seen == [{"a": 1}]


def test_asyncio_reports_a_failed_callback_with_its_origin() -> None:
    """
    The loop's exception handler finds the context of a callback that raised.
    """
    seen: list[dict[str, object]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        reported = asyncio.Event()

        def handler(_: object, context: dict[str, Any]) -> None:
            seen.append(error_view(context["exception"], reporting=True).fields)
            reported.set()

        loop.set_exception_handler(handler)
        loop.call_soon(ctxlog.run, {"a": 1}, _raise, ValueError("bad"))
        await reported.wait()

    asyncio.run(main())
    assert seen == [{"a": 1}]


def test_the_threads_hook_finds_the_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    `threading.excepthook` finds the context of the error that ended a thread.
    """
    seen: list[dict[str, object]] = []
    monkeypatch.setattr(
        threading, "excepthook", lambda args: seen.append(_origin(args.exc_value))
    )
    thread = threading.Thread(target=ctxlog.run, args=({"a": 1}, _raise, ValueError()))
    thread.start()
    thread.join()
    assert seen == [{"a": 1}]


def test_a_captured_warning_is_the_requests(
    log_env: LogEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A warning that logging captures is on a line of the request that caused it.
    """
    log_env.set_formatter(ctxlog.JsonFormatter())
    monkeypatch.setattr(logging.getLogger("py.warnings"), "parent", log_env.logger)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        try:
            for number in (1, 2):
                ctxlog.run({"requestID": f"req-{number}"}, warnings.warn, "old")
        finally:
            logging.captureWarnings(False)
    assert [one["requestID"] for one in log_env.load_all()] == ["req-1", "req-2"]


def test_the_unraisable_hook_finds_the_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    `sys.unraisablehook` finds the context of an error in a finaliser.
    """
    seen: list[dict[str, object]] = []
    monkeypatch.setattr(
        sys, "unraisablehook", lambda args: seen.append(_origin(args.exc_value))
    )

    class Finalised:
        def __del__(self) -> None:
            ctxlog.run({"a": 1}, _raise, ValueError())

    ctxlog.run({"other": 1}, Finalised)
    gc.collect()
    assert seen == [{"a": 1}]


# Cancellation -------------------------------------------------------------------------


def test_a_cancelled_task_sees_its_own_fields() -> None:
    """
    In `except CancelledError` and `finally` a task sees its own store and scopes.
    """
    seen: list[dict[str, object]] = []

    async def body(started: asyncio.Event) -> None:
        with ctxlog.scope(s=1):
            try:
                started.set()
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                seen.append(ctxlog.fields())
                raise
            finally:
                seen.append(ctxlog.fields())

    async def main() -> BaseException:
        started = asyncio.Event()
        task = asyncio.create_task(ctxlog.run({"a": 1}, body, started))
        await started.wait()
        ctxlog.run({"canceller": 1}, task.cancel)
        try:
            await task
        except asyncio.CancelledError as error:
            return error
        raise AssertionError("not cancelled")

    asyncio.run(main())
    assert seen == [{"a": 1, "s": 1}] * 2


def test_a_timeout_leaves_scopes_in_order() -> None:
    """
    After a timeout inside scopes every level sees its own again.
    """

    async def body() -> None:
        with ctxlog.scope(s=1):
            with pytest.raises(asyncio.TimeoutError):
                with ctxlog.scope(t=1):
                    await asyncio.wait_for(asyncio.Event().wait(), 0.001)
            assert ctxlog.fields() == {"a": 1, "s": 1}
        assert ctxlog.fields() == {"a": 1}

    asyncio.run(ctxlog.run({"a": 1}, body))


def test_closing_a_coroutine_elsewhere_touches_nobody() -> None:
    """
    A suspended coroutine closed in another request runs its `finally` in its own.
    """
    seen: list[dict[str, object]] = []

    class Forever:
        def __await__(self) -> Any:
            yield

    async def body() -> None:
        try:
            with ctxlog.scope(s=1):
                await Forever()
        finally:
            seen.append(ctxlog.fields())

    suspended = ctxlog.run({"a": 1}, body)
    suspended.send(None)
    assert ctxlog.fields() == {}

    def other() -> dict[str, object]:
        with ctxlog.scope(o=1):
            suspended.close()
            return ctxlog.fields()

    assert ctxlog.run({"b": 2}, other) == {"b": 2, "o": 1}
    assert seen == [{"a": 1}]


def test_collecting_a_bare_scope_elsewhere_touches_nobody() -> None:
    """
    A scope in a suspended coroutine that is collected in another request stays silent.
    """

    class Forever:
        def __await__(self) -> Any:
            yield

    async def body() -> None:
        with ctxlog.scope(s=1):
            await Forever()

    suspended = [body()]
    ctxlog.Snapshot().run(suspended[0].send, None)

    def other() -> dict[str, object]:
        with ctxlog.scope(o=1):
            suspended.clear()
            gc.collect()
            return ctxlog.fields()

    assert ctxlog.run({"b": 2}, other) == {"b": 2, "o": 1}
