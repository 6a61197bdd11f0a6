"""
Tasks and entry points: a fresh store each, and one line that says how it ended.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import math
import pickle
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

import ctxlog
from ctxlog import _endings
from ctxlog.carrier import pack, unpack
from ctxlog.completion import Completed
from ctxlog.tasks._task import Task, TaskOptions
from ctxlog.testing import CapturedLines, capture_lines


@pytest.fixture
def lines() -> Iterator[CapturedLines]:
    """Collect the lines logged meanwhile."""
    with capture_lines() as captured:
        yield captured


def completion(lines: CapturedLines) -> dict[str, Any]:
    """The one completion line."""
    (line,) = [line for line in lines if line["logger"] == "ctxlog.task"]
    return dict(line)


def task(message: object = None, **options: Any) -> Task:
    """A task as an adapter makes it."""
    task_id, attempt = options.pop("task_id", None), options.pop("attempt", None)
    store = unpack(message)
    return TaskOptions(**options).task(store, "shop.charge", task_id, attempt)


# Tasks --------------------------------------------------------------------------


def test_a_task_has_a_store_of_its_own(lines: CapturedLines) -> None:
    """Inside there are the sender's id and the task's own fields, and nothing else."""
    message = ctxlog.run(
        {"requestID": "req-A", "taskID": "t-1", "user": "alice"},
        lambda: pack(fields=["user"], task_id="t-2"),
    )
    with task(message, task_id="t-2", attempt=1):
        found = ctxlog.fields()
    assert found == {
        "requestID": "req-A",
        "parentTaskID": "t-1",
        "user": "alice",
        "task": "shop.charge",
        "taskID": "t-2",
        "attempt": 1,
    }
    assert ctxlog.get_store() is None


def test_a_task_does_not_inherit(lines: CapturedLines) -> None:
    """Whatever is active where the task begins is not the task's, and is back after."""

    def work() -> None:
        with task():
            assert ctxlog.fields()["requestID"] != "req-A"
            assert "user" not in ctxlog.fields()
        assert ctxlog.fields() == {"requestID": "req-A", "user": "alice"}

    ctxlog.run({"requestID": "req-A", "user": "alice"}, work)


def test_a_task_logs_its_end(lines: CapturedLines) -> None:
    """One line, with duration and outcome, and what was bound meanwhile."""
    with task('{"requestID":"req-A"}', task_id="t-2", attempt=2):
        ctxlog.bind(rows=3)
    line = completion(lines)
    assert line["message"] == "shop.charge succeeded"
    assert line["level"] == "INFO"
    assert (line["requestID"], line["taskID"], line["attempt"]) == ("req-A", "t-2", 2)
    assert (line["outcome"], line["rows"]) == ("succeeded", 3)
    assert line["durationMs"] > 0
    assert line["route"] == "shop.charge"
    assert {"late", "queueMs", "slow"}.isdisjoint(line)


@pytest.mark.parametrize(
    ("error", "outcome", "level"),
    [
        (ValueError("no"), "failed", "ERROR"),
        (asyncio.CancelledError(), "cancelled", "WARNING"),
        (KeyboardInterrupt(), "cancelled", "WARNING"),
        (SystemExit(1), "failed", "ERROR"),
        (SystemExit("a message"), "failed", "ERROR"),
        (SystemExit(0), "succeeded", "INFO"),
        (SystemExit(), "succeeded", "INFO"),
    ],
)
def test_an_exception_decides_the_outcome(
    lines: CapturedLines, error: BaseException, outcome: str, level: str
) -> None:
    """An exception of a task passes unchanged, and its line has the outcome."""
    with pytest.raises(type(error)) as caught, task():
        raise error
    assert caught.value is error
    line = completion(lines)
    assert (line["outcome"], line["level"]) == (outcome, level)
    expected = None if outcome == "succeeded" else type(error).__name__
    assert line.get("error") == expected


def test_the_library_may_know_the_outcome_better(lines: CapturedLines) -> None:
    """An adapter can say that an exception means a retry, and add fields."""
    with pytest.raises(ValueError, match="again"), task() as store:
        raise ValueError("again")
    assert completion(lines)["outcome"] == "failed"
    lines.clear()
    running = task()
    with running:
        running.outcome = "retried"
        running.details["countdown"] = 3
    line = completion(lines)
    assert (line["outcome"], line["level"]) == ("retried", "WARNING")
    assert line["countdown"] == 3
    assert store is not None


def test_a_task_in_pieces_ends_once(lines: CapturedLines) -> None:
    """Pieces run in the store, leave nothing behind, and `done()` twice is once."""
    running = task('{"requestID":"req-A"}')
    assert running.step(ctxlog.fields)["requestID"] == "req-A"
    assert ctxlog.get_store() is None
    running.done(None)
    running.done(None)
    assert completion(lines)["requestID"] == "req-A"


def test_an_exception_of_a_task_remembers_it(lines: CapturedLines) -> None:
    """A later report of the failure has the task's id."""
    try:
        with task('{"requestID":"req-A"}'):
            raise ValueError("no")
    except ValueError:
        logging.getLogger("worker").exception("Task failed")
    (line,) = [line for line in lines if line["logger"] == "worker"]
    assert line["requestID"] == "req-A"


def test_no_completion_line_where_it_is_not_wanted(lines: CapturedLines) -> None:
    """`completion_line=False` leaves the end unsaid."""
    with task(completion_line=False):
        pass
    assert list(lines) == []


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("fields", "user"),
        ("fields", ["level"]),
        ("completion_line", 1),
        ("completion", "yes"),
        ("completion_level", 30),
        ("slow", "1s"),
    ],
)
def test_wrong_options_are_refused(option: str, value: Any) -> None:
    """A wrong option is named, with what is allowed."""
    with pytest.raises(ctxlog.ConfigError, match=option):
        TaskOptions(**{option: value})


# What the completion line has ----------------------------------------------------


def test_a_task_counts_and_times(lines: CapturedLines) -> None:
    """What was counted and timed is on the completion line, and on no other."""
    with task():
        ctxlog.count("rows", 12)
        with ctxlog.timed("render"):
            ctxlog.count("rows", 3)
        logging.info("working")
    line = completion(lines)
    assert (line["rows"], line["render"]["count"]) == (15, 1)
    assert "rows" not in lines[0]
    assert "route" not in lines[0]


def test_the_totals_of_a_name_of_the_line_are_prefixed(lines: CapturedLines) -> None:
    """The line's own fields stand."""
    with task():
        ctxlog.count("outcome")
        ctxlog.count("route")
    line = completion(lines)
    assert (line["outcome"], line["fields.outcome"]) == ("succeeded", 1)
    assert (line["route"], line["fields.route"]) == ("shop.charge", 1)


def test_a_route_that_the_application_has_bound_stands(lines: CapturedLines) -> None:
    """It is on the completion line instead of the task's name, and in `Completed`."""
    seen: list[Completed] = []
    with task(completion=seen.append):
        ctxlog.bind(route="orders")
    assert (completion(lines)["route"], seen[0].route) == ("orders", "orders")


def test_a_slow_task_is_a_warning(lines: CapturedLines) -> None:
    """From its duration on; a failure stays an error."""
    with task(slow=0):
        pass
    line = completion(lines)
    assert (line["slow"], line["level"]) == (True, "WARNING")
    lines.clear()
    with task(slow=3600):
        pass
    line = completion(lines)
    assert ("slow" in line, line["level"]) == (False, "INFO")
    lines.clear()
    with pytest.raises(ValueError, match="no"), task(slow=0):
        raise ValueError("no")
    assert completion(lines)["level"] == "ERROR"


def test_the_application_is_asked(lines: CapturedLines) -> None:
    """It gets the task that has ended, and adds fields or chooses the level."""
    error = ValueError("no")
    seen: list[tuple[Any, ...]] = []

    def fields(done: Completed) -> dict[str, object]:
        seen.append((done.route, done.status, done.error, done.method, done.path))
        seen.append((done.duration > 0, dict(done.headers), done.request))
        return {"queue": "fast", "outcome": 1}

    running = task(completion=fields, completion_level=lambda done: "CRITICAL")
    running.read_request = lambda: "the message"
    running.read_headers = {"Tenant": b"t1"}.items
    with pytest.raises(ValueError, match="no"), running:
        raise error
    line = completion(lines)
    assert (line["level"], line["queue"]) == ("CRITICAL", "fast")
    assert (line["outcome"], line["fields.outcome"]) == ("failed", 1)
    assert seen[0] == ("shop.charge", "failed", error, None, None)
    assert seen[1] == (True, {"tenant": "t1"}, "the message")


def test_the_application_gets_an_exception_that_its_library_has_caught(
    lines: CapturedLines,
) -> None:
    """The one that the adapter has noted, but none of a task that has succeeded."""
    seen: list[object] = []

    def note(done: Completed) -> bool:
        seen.append(done.error)
        return False

    error = ValueError("no")
    for outcome in ("failed", "succeeded"):
        running = task(completion=note)
        with running:
            running.outcome = outcome
            running.note_error(error)
    assert seen == [error, None]


def test_the_application_may_want_no_line(lines: CapturedLines) -> None:
    """`False` leaves the line out; an exception costs the fields alone."""
    with task(completion=lambda done: False):
        pass
    assert list(lines) == []
    with task(completion=lambda done: {"a": 1 / 0}):
        pass
    assert completion(lines)["outcome"] == "succeeded"


def test_options_travel_to_other_processes(lines: CapturedLines) -> None:
    """A callable that cannot be pickled stays behind, which is said once."""
    options = TaskOptions(
        fields=["user"],
        completion=lambda done: None,
        completion_level=_error,
        slow=0,
    )
    for _ in range(2):
        there = pickle.loads(pickle.dumps(options))
    with there.task(unpack(None), "shop.charge", None):
        pass
    assert there.fields == options.fields
    line = completion(lines)
    assert (line["level"], line["slow"]) == ("ERROR", True)
    (said,) = [line["message"] for line in lines if line["logger"] == "ctxlog"]
    assert said.startswith("completion cannot be pickled")


def _error(done: Completed) -> str:
    return "ERROR"


# The time in the queue -----------------------------------------------------------


@pytest.mark.parametrize(
    ("ago", "expected"),
    [
        (0.0, 0),
        (2.5, 2500),
        (86_400.0, 86_400_000),
        (-20.0, 0),  # the sender's clock is ahead
        (-3600.0, None),
        (365 * 86_400.0, None),
        (-math.inf, None),
        (math.nan, None),
    ],
)
def test_the_time_in_the_queue(
    lines: CapturedLines,
    monkeypatch: pytest.MonkeyPatch,
    ago: float,
    expected: float | None,
) -> None:
    """From when the task was due to its start: never negative, and no nonsense."""
    monkeypatch.setattr(time, "time", lambda: 1_764_000_000.0)
    running = task()
    running.note_due(1_764_000_000.0 - ago)
    with running:
        pass
    assert completion(lines).get("queueMs") == expected


def test_a_message_says_when_its_task_was_due(
    lines: CapturedLines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker counts from there, and forgets it if the library knows better."""
    monkeypatch.setattr(time, "time", lambda: 1_764_000_000.0)
    message = ctxlog.run({"requestID": "req-A"}, lambda: pack(due=1_763_999_999.25))
    with task(message):
        pass
    assert completion(lines)["queueMs"] == 750
    lines.clear()
    running = task(message)
    running.note_due(None)
    with running:
        pass
    assert "queueMs" not in completion(lines)


def test_a_task_that_has_ended_elsewhere(lines: CapturedLines) -> None:
    """A worker that completes it knows when it began, and how long it took."""
    running = task(slow=60)
    running.note_due(1_764_000_000.0, 1_764_000_001.5)
    running.duration = 90
    running.done(None)
    line = completion(lines)
    assert (line["queueMs"], line["durationMs"], line["slow"]) == (1500, 90_000, True)


# Entry points -------------------------------------------------------------------


def test_an_entry_has_the_rules_of_a_task(lines: CapturedLines) -> None:
    """Its line has the route, what was counted, and what the application wants."""
    seen: list[Completed] = []

    def fields(done: Completed) -> dict[str, object]:
        seen.append(done)
        return {"tenant": done.headers["x-tenant"]}

    @ctxlog.entry(
        "consume",
        headers=lambda message: message["headers"],
        completion=fields,
        completion_level=lambda done: logging.ERROR,
        slow=0,
        shop="a",
    )
    def consume(message: object) -> None:
        ctxlog.count("rows", 3)

    consume({"headers": {"X-Tenant": "t1"}})
    line = completion(lines)
    assert (line["route"], line["rows"], line["tenant"]) == ("consume", 3, "t1")
    assert (line["level"], line["slow"], line["shop"]) == ("ERROR", True, "a")
    assert "queueMs" not in line
    assert (seen[0].request, seen[0].status) == (None, "succeeded")


def test_an_entry_within_a_request_counts_for_itself(lines: CapturedLines) -> None:
    """The totals of the caller and those of the call do not mix."""

    @ctxlog.entry("inner")
    def inner() -> None:
        ctxlog.count("rows", 5)

    with task():
        ctxlog.count("rows")
        inner()
        ctxlog.count("rows")
    found = [(line["route"], line["rows"]) for line in lines]
    assert found == [("inner", 5), ("shop.charge", 2)]


def test_an_entry_opens_a_store(lines: CapturedLines) -> None:
    """Every call has a new id, the function's name as `task`, and a completion line."""

    @ctxlog.entry
    def nightly(rows: int) -> tuple[int, dict[str, object]]:
        return rows, ctxlog.fields()

    rows, first = nightly(3)
    _, second = nightly(rows=4)
    assert rows == 3
    assert str(first["task"]).endswith("nightly")
    assert first["requestID"] != second["requestID"]
    assert [line["requestID"] for line in lines] == [
        first["requestID"],
        second["requestID"],
    ]


def test_an_entry_takes_a_name_and_fields(lines: CapturedLines) -> None:
    """The first argument is the task's name, further ones are fields."""

    @ctxlog.entry("nightly", tenant="t1")
    def clean_up() -> dict[str, object]:
        return ctxlog.fields()

    found = clean_up()
    assert (found["task"], found["tenant"]) == ("nightly", "t1")
    assert completion(lines)["message"] == "nightly succeeded"


def test_an_entry_may_be_called_without_arguments(lines: CapturedLines) -> None:
    """`@entry()` is the same as `@entry`."""

    @ctxlog.entry()
    def nightly() -> object:
        return ctxlog.fields()["requestID"]

    request_id = nightly()
    assert completion(lines)["requestID"] == request_id


def test_every_shape_of_function_keeps_its_kind(lines: CapturedLines) -> None:
    """`async def`, generators, async generators and methods run in the store."""

    class Jobs:
        @ctxlog.entry
        def method(self) -> object:
            return ctxlog.fields()["requestID"]

        @ctxlog.entry
        @staticmethod
        def static() -> object:
            return ctxlog.fields()["requestID"]

        @ctxlog.entry
        @classmethod
        def of_class(cls) -> object:
            assert cls is Jobs
            return ctxlog.fields()["requestID"]

    @ctxlog.entry
    async def coroutine() -> object:
        await asyncio.sleep(0)
        return ctxlog.fields()["requestID"]

    @ctxlog.entry
    def generator() -> Iterator[object]:
        yield ctxlog.fields()["requestID"]
        yield ctxlog.fields()["requestID"]

    @ctxlog.entry
    async def async_generator() -> AsyncIterator[object]:
        yield ctxlog.fields()["requestID"]

    async def collected() -> list[object]:
        return [item async for item in async_generator()]

    assert inspect.iscoroutinefunction(coroutine)
    assert inspect.isgeneratorfunction(generator)
    assert inspect.isasyncgenfunction(async_generator)
    found = [Jobs().method(), Jobs.static(), Jobs.of_class()]
    found.append(asyncio.run(coroutine()))
    first, second = generator()
    assert first == second
    found += [first, *asyncio.run(collected())]
    ended = [line for line in lines if line["logger"] == "ctxlog.task"]
    assert [line["requestID"] for line in ended] == found
    assert len(set(found)) == 6
    assert ctxlog.get_store() is None


class LambdaContext:
    """As AWS Lambda's runtime has it; recognized by its name."""

    aws_request_id = "req-L"

    def get_remaining_time_in_millis(self) -> int:
        return 3000


def test_an_invocation_of_lambda_ships_before_it_is_frozen(
    lines: CapturedLines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its last line, within half the time that it has left."""
    waits: list[float] = []

    def pause(seconds: float) -> None:
        assert completion(lines)["requestID"] == "req-L"
        waits.append(seconds)

    monkeypatch.setattr(_endings, "pause", pause)

    @ctxlog.entry
    def handler(event: object, context: object) -> None: ...

    handler({}, LambdaContext())
    assert waits == [1.5]
    lines.clear()
    handler({}, object())
    assert waits == [1.5]


def test_an_invocation_of_lambda_without_a_clients_id_has_its_own(
    lines: CapturedLines,
) -> None:
    """What `request_id` returns comes first; None leaves the invocation's id."""

    @ctxlog.entry(request_id=lambda event, context: event.get("id"))
    def handler(event: object, context: object) -> None: ...

    handler({"id": "req-A"}, LambdaContext())
    handler({}, LambdaContext())
    assert [line["requestID"] for line in lines] == ["req-A", "req-L"]


def test_an_entry_that_fails_says_so(lines: CapturedLines) -> None:
    """The exception goes on, and the line names it."""

    @ctxlog.entry("nightly")
    async def nightly() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        asyncio.run(nightly())
    line = completion(lines)
    assert (line["outcome"], line["error"]) == ("failed", "ValueError")


class Exit(RuntimeError):
    """An exception that a command line library raises to end the program."""

    def __init__(self, exit_code: object) -> None:
        self.exit_code = exit_code


@pytest.mark.parametrize(
    ("error", "outcome", "level", "code"),
    [
        (SystemExit(), "succeeded", "INFO", None),
        (SystemExit(0), "succeeded", "INFO", None),
        (SystemExit(False), "succeeded", "INFO", None),
        (SystemExit(3), "failed", "ERROR", 3),
        (SystemExit(""), "failed", "ERROR", 1),
        (SystemExit("text"), "failed", "ERROR", 1),
        (Exit(0), "succeeded", "INFO", None),
        (Exit(3), "failed", "ERROR", 3),
        (Exit("no code"), "failed", "ERROR", None),
        (ValueError(), "failed", "ERROR", None),
        (KeyboardInterrupt(), "cancelled", "WARNING", None),
    ],
    ids=repr,
)
def test_an_entry_ends_as_the_program_does(
    lines: CapturedLines,
    error: BaseException,
    outcome: str,
    level: str,
    code: int | None,
) -> None:
    """The outcome of an entry follows the exit code that its exception stands for."""

    @ctxlog.entry
    def main() -> None:
        raise error

    with pytest.raises(type(error)) as raised:
        main()
    assert raised.value is error
    line = completion(lines)
    assert (line["outcome"], line["level"]) == (outcome, level)
    assert line.get("exitCode") == code
    assert line.get("error") == (None if level == "INFO" else type(error).__name__)


def test_a_task_fails_by_an_exception_with_an_exit_code(lines: CapturedLines) -> None:
    """In a task of a queue such an exception ends no program: the task has failed."""
    with pytest.raises(Exit), task():
        raise Exit(0)
    assert completion(lines)["outcome"] == "failed"


@pytest.mark.parametrize(
    "given", ["req-A", lambda event, context: context["id"]], ids=["text", "callable"]
)
def test_the_id_may_come_from_the_call(
    lines: CapturedLines, given: str | Callable[..., str]
) -> None:
    """As that of an AWS Lambda invocation."""

    @ctxlog.entry(request_id=given)
    def handler(event: object, context: dict[str, str]) -> None: ...

    handler(None, {"id": "req-A"})
    assert completion(lines)["requestID"] == "req-A"


def test_headers_may_come_from_the_call(lines: CapturedLines) -> None:
    """An event with headers brings its id and its trace."""
    parent = "00-12345678901234567890123456789012-1234567890123456-01"

    @ctxlog.entry(headers=lambda event: event["headers"])
    def handler(event: object) -> None: ...

    handler({"headers": {"X-Request-Id": "req-A", "traceparent": parent}})
    line = completion(lines)
    assert (line["requestID"], line["traceID"]) == ("req-A", parent[3:35])


def test_an_id_that_is_none_is_replaced(lines: CapturedLines) -> None:
    """An unusable result or an exception of the callable never stops the call."""

    def broken(value: object) -> Any:
        if value is KeyError:
            raise KeyError("id")
        return value

    @ctxlog.entry(request_id=broken, headers=broken)
    def handler(value: object) -> object:
        return ctxlog.fields()["requestID"]

    for wrong in (None, "", "a\nb", 5, KeyError):
        assert len(str(handler(wrong))) == 32
    said = [line for line in lines if line["logger"] == "ctxlog"]
    assert len(said) == 5
    assert all("the call" in line["message"] for line in said)


@pytest.mark.parametrize(
    "options",
    [
        {"request_id": 5},
        {"request_id": "a b\n"},
        {"headers": {}},
        {"completion_line": 0},
        {"completion": {}},
        {"completion_level": 30},
        {"slow": -1},
    ],
)
def test_wrong_options_of_an_entry_are_refused(options: dict[str, Any]) -> None:
    """A wrong option is named when the function is decorated."""
    with pytest.raises(ctxlog.ConfigError, match=next(iter(options))):
        ctxlog.entry(**options)


def test_a_wrong_name_is_refused() -> None:
    """The name of an entry is a text."""
    with pytest.raises(ctxlog.ConfigError, match="name"):
        ctxlog.entry(5)  # type: ignore[call-overload]


def test_an_entry_within_a_request_is_on_its_own(lines: CapturedLines) -> None:
    """Wherever it is called from, it is alone; the caller's context is back after."""

    @ctxlog.entry
    def nightly() -> object:
        return ctxlog.fields()["requestID"]

    def handle() -> None:
        assert nightly() != "req-A"
        assert ctxlog.fields() == {"requestID": "req-A"}

    ctxlog.run({"requestID": "req-A"}, handle)
