"""
Lines below the level wait in the buffer of their request, until they are of use.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import logging.handlers
import queue
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
from pythonjsonlogger.json import JsonFormatter as StockJsonFormatter

import ctxlog
from ctxlog.retention import _process
from tests.helpers import load_line
from tests.retention.conftest import Clock, Written
from tests.retention.requests import ask, asking


class OtherLogger(logging.Logger):
    """
    A logger class of the application's own.
    """


@pytest.fixture(params=["direct", "records", "other class"])
def log(request: pytest.FixtureRequest, written: Written) -> logging.Logger:
    """
    A logger by whose lines the buffer is filled, in each of the ways that they go.
    """
    written.configure(buffer=ctxlog.Buffer(), logger_class=request.param != "records")
    if request.param == "other class":
        with contextlib.ExitStack() as stack:
            stack.callback(logging.setLoggerClass, logging.getLoggerClass())
            logging.setLoggerClass(OtherLogger)
            return logging.getLogger("retention.other.class")
    log = logging.getLogger("retention.shop")
    # pytest has handlers on the root logger, beside which no line is written directly.
    log.addHandler(ctxlog.LineHandler(written.stream))
    log.propagate = False
    # The first line of a logger is a record in any case; this one goes nowhere.
    log.info("first")
    log.info("second")
    written.clear()
    factory: Any = logging.getLogRecordFactory()
    way = factory.ways.get(log.name)
    assert (way is not None and way.direct) is (request.param == "direct")
    return log


def line_handlers(logger: logging.Logger) -> list[logging.Handler]:
    """
    The handlers of a logger that are ctxlog's.
    """
    return [one for one in logger.handlers if isinstance(one, ctxlog.LineHandler)]


def request(fn: Callable[..., Any], *args: Any, **fields: object) -> Any:
    """
    Call *fn* in a store of its own.
    """
    return ctxlog.run({"requestID": "req-1", **fields}, fn, *args)


# What lets lines go ---------------------------------------------------------------


def test_lines_below_the_level_are_dropped_with_their_request(
    log: logging.Logger, written: Written
) -> None:
    """
    A request in which nothing happens writes what it writes without a buffer.
    """

    def body() -> None:
        log.debug("one")
        log.info("two")
        log.debug("three")
        log.warning("four")

    request(body)
    assert written.messages() == ["two", "four"]
    assert written.buffered() == []


def test_an_error_lets_them_go_first(log: logging.Logger, written: Written) -> None:
    """
    All that wait, in their order, say `buffered`; further ones come at once.
    """

    def body() -> None:
        log.debug("one")
        log.debug("two")
        log.info("usual")
        log.debug("three")
        log.error("failed")
        assert written.messages()[-1] == "failed"
        log.debug("after")
        assert written.messages()[-1] == "after"

    request(body)
    assert written.messages() == ["usual", "one", "two", "three", "failed", "after"]
    assert written.buffered() == ["one", "two", "three"]
    assert {line["requestID"] for line in written.lines()} == {"req-1"}
    assert written.lines()[1]["level"] == "DEBUG"
    assert not any("droppedLines" in line for line in written.lines())


def test_each_line_has_the_time_of_its_call(
    log: logging.Logger, written: Written
) -> None:
    """
    A line that has waited shows when it was logged, not when it was written.
    """
    moments: list[float] = []

    def body() -> None:
        for number in range(3):
            moments.append(time.time())
            log.debug("line %d", number)
        moments.append(time.time())
        log.error("failed")

    request(body)
    for number, line in enumerate(written.lines()[:3]):
        shown = datetime.fromisoformat(line["timestamp"].replace("Z", "+00:00"))
        after = moments[number + 1] + 0.000_001  # the digits are rounded
        assert moments[number] - 0.000_001 <= shown.timestamp() <= after
        assert line["elapsedMs"] <= written.lines()[-1]["elapsedMs"]


def test_nothing_waits_below_the_level_of_the_buffer(written: Written) -> None:
    """
    A line below `level` of the buffer is never made.
    """
    written.configure(buffer=ctxlog.Buffer(level=15))
    log = logging.getLogger("retention.shop")

    def body() -> None:
        assert not log.isEnabledFor(logging.DEBUG)
        assert log.isEnabledFor(15)
        log.debug("never")
        log.log(15, "waited")
        log.error("failed")

    request(body)
    assert written.messages() == ["waited", "failed"]


def test_the_level_that_flushes_is_chosen(written: Written) -> None:
    """
    A line below `flush_level` lets nothing go, one at it does.
    """
    written.configure(buffer=ctxlog.Buffer(flush_level="WARNING"))
    log = logging.getLogger("retention.shop")

    def body(level: int) -> None:
        log.debug("debug")
        log.log(level, "level %d", level)

    request(body, logging.WARNING - 1)
    request(body, logging.WARNING)
    assert written.messages() == ["level 29", "debug", "level 30"]


def test_a_line_below_the_level_may_flush(written: Written) -> None:
    """
    The level of the line decides, not whether it would be written.
    """
    written.configure(level="ERROR", buffer=ctxlog.Buffer(flush_level="WARNING"))
    log = logging.getLogger("retention.shop")

    def body() -> None:
        log.debug("debug")
        log.warning("warning")

    request(body)
    assert written.messages() == ["debug", "warning"]
    assert written.buffered() == ["debug"]


def test_flush_buffer_lets_them_go(log: logging.Logger, written: Written) -> None:
    """
    By hand, as an error does: what waits, and what comes.
    """

    def body() -> None:
        log.debug("one")
        ctxlog.flush_buffer()
        log.debug("two")

    request(body)
    assert written.messages() == ["one", "two"]
    assert written.buffered() == ["one"]


def test_flushing_again_writes_nothing_again(
    log: logging.Logger, written: Written
) -> None:
    """
    No line is there twice, whatever else happens.
    """

    def body() -> None:
        log.debug("one")
        ctxlog.flush_buffer()
        ctxlog.flush_buffer()
        log.error("two")
        log.error("three")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        request(body)
    assert written.messages() == ["one", "two", "three"]


def test_an_exception_that_leaves_the_request_lets_them_go(
    log: logging.Logger, written: Written
) -> None:
    """
    Of a function, a coroutine, a generator and an async generator.
    """

    def fails() -> None:
        log.debug("function")
        raise ZeroDivisionError

    async def fails_later() -> None:
        log.debug("coroutine")
        await asyncio.sleep(0)
        raise ZeroDivisionError

    def fails_in_steps() -> Iterator[None]:
        log.debug("generator")
        yield
        raise ZeroDivisionError

    async def fails_in_later_steps() -> Any:
        log.debug("async generator")
        yield
        raise ZeroDivisionError

    async def consume() -> None:
        async for _ in request(fails_in_later_steps):
            pass

    with pytest.raises(ZeroDivisionError):
        request(fails)
    with pytest.raises(ZeroDivisionError):
        asyncio.run(request(fails_later))
    with pytest.raises(ZeroDivisionError):
        list(request(fails_in_steps))
    with pytest.raises(ZeroDivisionError):
        asyncio.run(consume())
    kinds = ["function", "coroutine", "generator", "async generator"]
    assert written.messages() == written.buffered() == kinds


@pytest.mark.parametrize(
    ("error", "is_failure"),
    [
        (ArithmeticError(), True),
        (SystemExit(1), True),
        (SystemExit("no such file"), True),
        (SystemExit(0), False),
        (SystemExit(), False),
        (KeyboardInterrupt(), False),
        (GeneratorExit(), False),
        (asyncio.CancelledError(), False),
    ],
    ids=repr,
)
def test_an_exception_that_only_ends_the_request_is_no_failure(
    log: logging.Logger, written: Written, error: BaseException, is_failure: bool
) -> None:
    """
    A client that leaves and a program that ends as it should let nothing go.
    """

    def body() -> None:
        log.debug("waited")
        raise error

    with pytest.raises(type(error)):
        request(body)
    assert written.messages() == (["waited"] if is_failure else [])


@pytest.mark.parametrize("asynchronous", [False, True])
def test_an_exception_that_leaves_a_store_of_the_applications(
    log: logging.Logger, written: Written, asynchronous: bool
) -> None:
    """
    The store stays open, and its lines are let go all the same.
    """
    store = ctxlog.Store(requestID="req-1")

    def body() -> None:
        log.debug("looked")
        raise ZeroDivisionError

    async def later() -> None:
        body()

    with contextlib.suppress(ZeroDivisionError):
        if asynchronous:
            asyncio.run(ctxlog.run(store, later))
        else:
            ctxlog.run(store, body)
    assert written.buffered() == ["looked"]
    assert not store.closed


def test_an_exception_that_is_caught_lets_nothing_go(
    log: logging.Logger, written: Written
) -> None:
    """
    What the request has dealt with is no failure of it, nor is a part that ends.
    """
    store = ctxlog.Store(requestID="req-1")

    def cancelled() -> None:
        raise asyncio.CancelledError

    @ctxlog.scope(step="pay")
    def step() -> None:
        raise ZeroDivisionError

    @ctxlog.scope(step="ship")
    def steps() -> Iterator[None]:
        yield
        raise ZeroDivisionError

    def body() -> None:
        log.debug("one")
        with contextlib.suppress(ZeroDivisionError):
            step()
        with contextlib.suppress(ZeroDivisionError):
            list(steps())
        with contextlib.suppress(asyncio.CancelledError):
            ctxlog.run(store, cancelled)
        log.debug("two")

    ctxlog.run(store, body)
    assert written.messages() == []
    ctxlog.run(store, log.error, "failed")
    assert written.messages() == ["one", "two", "failed"]
    store.close()


def test_a_response_of_5xx_lets_them_go(log: logging.Logger, written: Written) -> None:
    """
    Before the completion line, which says how it ended; other statuses do not.
    """
    for status in (200, 404, 500, 503):
        ask(lambda status=status: log.debug("debug %d", status), status)  # type: ignore[misc]
    shown = [(one["message"][:5], one.get("status")) for one in written.lines()]
    assert shown == [
        ("GET /", 200),
        ("GET /", 404),
        ("debug", None),
        ("GET /", 500),
        ("debug", None),
        ("GET /", 503),
    ]
    assert written.buffered() == ["debug 500", "debug 503"]


def test_an_exception_of_a_request_lets_them_go(
    log: logging.Logger, written: Written
) -> None:
    """
    Also before the completion line, in the ASGI middleware.
    """

    def body() -> None:
        log.debug("debug")
        raise ZeroDivisionError

    ask(body)
    assert written.messages() == ["debug", "GET / 500"]
    assert written.buffered() == ["debug"]


def test_without_a_completion_line_it_is_the_same(
    log: logging.Logger, written: Written
) -> None:
    """
    What a request's end decides does not depend on whether a line says so.
    """
    ask(lambda: log.debug("good"), 200, completion_line=False)
    ask(lambda: log.debug("bad"), 500, completion_line=False)
    assert written.messages() == ["bad"]


def test_a_call_of_an_entry_point(log: logging.Logger, written: Written) -> None:
    """
    An exception lets the lines go, and so does an exit code other than 0.
    """

    @ctxlog.entry("job")
    def job(error: BaseException | None) -> None:
        log.debug("debug")
        if error is not None:
            raise error

    job(None)
    assert written.messages() == ["job succeeded"]
    for error in (ArithmeticError(), SystemExit(2)):
        written.clear()
        with pytest.raises(type(error)):
            job(error)
        assert written.messages() == ["debug", "job failed"]
        assert written.buffered() == ["debug"]
    written.clear()
    with pytest.raises(SystemExit):
        job(SystemExit(0))
    assert written.messages() == ["job succeeded"]


def test_a_slow_request_lets_them_go(written: Written, clock: Clock) -> None:
    """
    One that lasted as long as `flush_slower_than` says, or longer.
    """
    written.configure(buffer=ctxlog.Buffer(flush_slower_than=2.0))
    log = logging.getLogger("retention.shop")

    def body(seconds: float) -> None:
        log.debug("%s", seconds)
        clock.now += seconds

    request(body, 1.75)
    request(body, 2.0)
    request(body, 30.0)
    assert written.messages() == ["2.0", "30.0"]


def test_a_slow_request_to_a_server_lets_them_go(written: Written) -> None:
    """
    By the duration that its completion line shows, before that line.
    """
    log = logging.getLogger("retention.shop")
    for limit, shown in ((0, ["debug", "GET / 200"]), (3600, ["GET / 200"])):
        written.clear()
        written.configure(buffer=ctxlog.Buffer(flush_slower_than=limit))
        ask(lambda: log.debug("debug"))
        assert written.messages() == shown


# Which request's they are ---------------------------------------------------------


def test_each_request_has_a_buffer_of_its_own(
    log: logging.Logger, written: Written
) -> None:
    """
    An error lets go the lines of its request, not those of the others at the time.
    """

    async def body(number: int, both: asyncio.Barrier) -> None:
        log.debug("debug %d", number)
        await both.wait()
        if number == 1:
            log.error("failed")
        await both.wait()

    async def main() -> None:
        if not hasattr(asyncio, "Barrier"):
            pytest.skip("asyncio.Barrier is of Python 3.11")
        both = asyncio.Barrier(3)
        await asyncio.gather(
            *(ctxlog.run({"requestID": n}, body, n, both) for n in range(3))
        )

    asyncio.run(main())
    assert written.messages() == ["debug 1", "failed"]


def test_tasks_and_threads_of_a_request_share_its_buffer(
    log: logging.Logger, written: Written
) -> None:
    """
    An error in one of them lets go the lines of all.
    """

    async def part(number: int) -> None:
        log.debug("task %d", number)

    async def body() -> None:
        log.debug("request")
        await asyncio.gather(part(1), part(2))
        await asyncio.to_thread(log.debug, "thread")
        await asyncio.to_thread(log.error, "failed")

    asyncio.run(asking(body))
    assert written.messages() == [
        *("request", "task 1", "task 2", "thread", "failed"),
        "GET / 200",
    ]


def test_outside_of_any_request_nothing_waits(
    log: logging.Logger, written: Written
) -> None:
    """
    There a line is written or it is not, as without a buffer.
    """
    assert not log.isEnabledFor(logging.DEBUG)
    log.debug("one")
    log.info("two")
    log.error("three")
    ctxlog.flush_buffer()
    request(log.debug, "four")
    with ctxlog.scope(user=7):
        log.debug("five")
    assert written.messages() == ["two", "three"]


def test_the_flush_of_a_nested_store_flushes_those_around_it(
    log: logging.Logger, written: Written
) -> None:
    """
    From the outermost on; a store beside it keeps its lines.
    """

    def inner() -> None:
        log.debug("inner")
        log.error("failed")

    def body() -> None:
        log.debug("outer")
        ctxlog.run({"part": 1}, log.debug, "beside")
        ctxlog.run({"part": 2}, ctxlog.run, {"part": 3}, inner)
        log.debug("after")
        ctxlog.run({"part": 4}, log.debug, "within")

    request(body)
    assert written.messages() == ["outer", "inner", "failed", "after"]
    assert written.buffered() == ["outer", "inner"]


def test_the_flush_of_a_store_leaves_those_within_it(
    log: logging.Logger, written: Written
) -> None:
    """
    What a part of the request has in its buffer is its own to let go.
    """
    outer, inner = ctxlog.Store(requestID="req-1"), ctxlog.Store(part=1)

    def body() -> None:
        log.debug("outer")
        ctxlog.run(inner, log.debug, "inner")
        log.error("failed")

    ctxlog.run(outer, body)
    assert written.messages() == ["outer", "failed"]
    ctxlog.run(inner, log.error, "failed, too")
    assert written.messages() == ["outer", "failed", "inner", "failed, too"]
    inner.close()
    outer.close()


def test_a_request_is_never_within_another(
    log: logging.Logger, written: Written
) -> None:
    """
    A server's request that begins in the context of another one flushes its own lines.
    """

    async def body() -> None:
        log.debug("first")
        await asking(lambda: log.debug("second"), 500)

    asyncio.run(asking(body))
    assert written.messages() == ["second", "GET / 500", "GET / 200"]


def test_lines_after_the_end_are_dropped(log: logging.Logger, written: Written) -> None:
    """
    A late line below the level is of no use any more, unless the buffer was flushed.
    """
    store = ctxlog.Store(requestID="req-1")
    ctxlog.run(store, log.debug, "one")
    store.close()
    ctxlog.run(store, log.debug, "two")
    ctxlog.run(store, log.info, "three")
    ctxlog.run(store, log.error, "four")
    ctxlog.run(store, log.debug, "five")
    ctxlog.run(store, ctxlog.flush_buffer)
    assert written.messages() == ["three", "four"]


def test_lines_after_the_end_of_a_flushed_request_are_written(
    log: logging.Logger, written: Written
) -> None:
    """
    They belong to a request that is shown whole.
    """
    store = ctxlog.Store(requestID="req-1")
    ctxlog.run(store, log.debug, "one")
    ctxlog.run(store, log.error, "two")
    store.close()
    ctxlog.run(store, log.debug, "three")
    assert written.messages() == ["one", "two", "three"]
    assert written.lines()[-1]["late"] is True
    assert written.buffered() == ["one"]


# What a line shows ----------------------------------------------------------------


class Changing:
    """
    An object that is another text each time.
    """

    def __init__(self) -> None:
        self.asked = 0

    def __str__(self) -> str:
        self.asked += 1
        return f"text {self.asked}"


def test_the_values_of_a_line_are_those_of_its_call(
    log: logging.Logger, written: Written
) -> None:
    """
    Arguments, fields and bound values that change afterwards do not change it.
    """
    items: list[Any] = [1]
    cart: dict[str, Any] = {"items": [1], "deep": {"x": [1]}}
    changing = Changing()

    def body() -> None:
        ctxlog.bind(cart=cart, step="one")
        log.debug("items %s", items)
        log.debug("items", extra={"items": items})
        log.debug("changing %s", changing)
        log.debug("mapping %(a)s", {"a": items})
        log.debug("immutable %s", 1, extra={"n": 1})
        items.append(2)
        cart["items"].append(2)
        cart["deep"]["x"] = "changed"
        str(changing)
        ctxlog.bind(step="two", further="field")
        log.error("failed")

    request(body)
    *waited, failed = written.lines()
    assert [one["message"] for one in waited] == [
        *("items [1]", "items", "changing text 1", "mapping [1]", "immutable 1"),
    ]
    assert waited[1]["items"] == [1]
    assert waited[4]["n"] == 1
    for one in waited:
        assert one["cart"] == {"items": [1], "deep": {"x": [1]}}
        assert one["step"] == "one"
        assert "further" not in one
    assert (failed["step"], failed["further"]) == ("two", "field")
    assert changing.asked == 2


def test_fields_of_a_scope_are_those_of_the_call(
    log: logging.Logger, written: Written
) -> None:
    """
    A scope that has ended is on the lines that were logged in it, and on no others.
    """

    def body() -> None:
        with ctxlog.scope(step="pay", rows=[1]):
            log.debug("one")
        log.debug("two")
        log.error("failed")

    request(body)
    assert [one.get("step") for one in written.lines()] == ["pay", None, None]
    assert written.lines()[0]["rows"] == [1]


def test_a_line_with_an_exception_keeps_its_traceback_only(
    log: logging.Logger, written: Written
) -> None:
    """
    The variables of the frames do not live as long as the line waits.
    """

    class Big:
        pass

    seen: list[weakref.ref[Big]] = []

    def body() -> None:
        def fails() -> None:
            big = Big()
            seen.append(weakref.ref(big))
            raise ValueError("declined")

        try:
            fails()
        except ValueError:
            log.debug("caught", exc_info=True)
        gc.collect()
        assert seen[0]() is None
        log.error("failed")

    request(body)
    line = written.lines()[0]
    assert (line["message"], line["buffered"]) == ("caught", True)
    assert "ValueError: declined" in str(line["exception"])
    assert "in fails" in str(line["exception"])


def test_a_message_that_does_not_fit_its_arguments(
    log: logging.Logger, written: Written, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    It is written as it is without a buffer: nothing is lost, and nothing raised.
    """
    args = ("one",)

    def body(level: int) -> None:
        log.log(level, "%d of %d", *args)
        log.error("failed")

    request(body, logging.INFO)
    usual = written.lines()
    written.clear()
    request(body, logging.DEBUG)
    waited = written.lines()
    own = ("timestamp", "level", "elapsedMs", "buffered")
    assert [{k: v for k, v in one.items() if k not in own} for one in waited] == [
        {k: v for k, v in one.items() if k not in own} for one in usual
    ]


def test_a_secret_is_hidden(log: logging.Logger, written: Written) -> None:
    """
    A line that has waited is redacted as any other.
    """

    def body() -> None:
        ctxlog.bind(password="pw-1")
        log.debug("one", extra={"token": "pw-2"})
        log.debug("two", extra={"nested": {"password": "pw-3"}})
        log.error("failed")

    request(body)
    assert b"pw-" not in written.stream.getvalue()
    assert written.buffered() == ["one", "two"]


# How much waits -------------------------------------------------------------------


def test_the_oldest_lines_go_first(written: Written) -> None:
    """
    Beyond `max_bytes`; the first line that comes out says how many are missing.
    """
    written.configure(buffer=ctxlog.Buffer(max_bytes=8192))
    log = logging.getLogger("retention.shop")

    def body() -> None:
        for number in range(100):
            log.debug("line %d", number)
        log.error("failed")
        log.debug("after")

    request(body)
    first, *rest = written.lines()
    dropped = first["droppedLines"]
    assert 0 < dropped < 100
    kept = [f"line {n}" for n in range(dropped, 100)]
    assert written.buffered() == kept
    assert written.messages() == [*kept, "failed", "after"]
    assert not any("droppedLines" in line for line in rest)


def test_the_name_of_the_number_is_spelled_as_all_are(written: Written) -> None:
    """
    With `case="snake"` it is `dropped_lines`.
    """
    written.configure(buffer=ctxlog.Buffer(max_bytes=2048), case="snake")
    log = logging.getLogger("retention.shop")

    def body() -> None:
        for number in range(100):
            log.debug("line %d", number)
        log.error("failed")

    request(body)
    assert written.lines()[0]["dropped_lines"] == 100 - len(written.buffered())


def test_a_line_that_has_no_room_at_all_is_counted(written: Written) -> None:
    """
    Where nothing waits any more, the line that flushes says how many are missing.
    """
    written.configure(buffer=ctxlog.Buffer(max_bytes=4096))
    log = logging.getLogger("retention.shop")

    def body() -> None:
        log.debug("%s", "x" * 10_000)
        log.debug("%s", "y" * 10_000)
        log.error("failed")
        log.error("failed again")

    request(body)
    assert written.messages() == ["failed", "failed again"]
    first, second = written.lines()
    assert first["droppedLines"] == 2
    assert "droppedLines" not in second


def test_a_long_line_does_not_take_the_room_of_others(written: Written) -> None:
    """
    One that would not fit into an empty buffer drives nothing out.
    """
    written.configure(buffer=ctxlog.Buffer(max_bytes=4096))
    log = logging.getLogger("retention.shop")

    def body() -> None:
        log.debug("one")
        log.debug("%s", "x" * 10_000)
        log.debug("two")
        log.error("failed")

    request(body)
    assert written.messages() == ["one", "two", "failed"]
    assert written.lines()[0]["droppedLines"] == 1


def test_the_process_has_a_bound(written: Written) -> None:
    """
    However many requests there are at once; each gets its room back with its end.
    """
    limit = 64 * 1024
    written.configure(buffer=ctxlog.Buffer(max_bytes=20_000, total_bytes=limit))
    log = logging.getLogger("retention.shop")
    stores = [ctxlog.Store(requestID=number) for number in range(100)]
    for _ in range(10):
        for store in stores:
            ctxlog.run(store, log.debug, "%s", "x" * 1000)
    for store in stores:
        ctxlog.run(store, log.error, "failed")
    waited = len(written.buffered())
    assert 16 <= waited <= limit // 1000
    said = sum(one.get("droppedLines", 0) for one in written.lines())
    assert said + waited == 1000
    for store in stores:
        store.close()
    # All of it is free again.
    written.clear()
    store = ctxlog.Store(requestID="last")
    for _ in range(10):
        ctxlog.run(store, log.debug, "%s", "x" * 1000)
    ctxlog.run(store, log.error, "failed")
    store.close()
    assert len(written.buffered()) == 10


def test_a_store_that_nobody_closes_gives_its_room_back(written: Written) -> None:
    """
    When it is collected, its lines are gone, and nothing of it is left.
    """
    limit = 64 * 1024
    written.configure(buffer=ctxlog.Buffer(max_bytes=limit, total_bytes=limit))
    log = logging.getLogger("retention.shop")
    for number in range(300):
        store = ctxlog.Store(requestID=number)
        store["itself"] = store  # until the garbage collector comes
        ctxlog.run(store, log.debug, "%s", "x" * 1000)
    del store
    gc.collect()
    assert len(_process._policy.holding) == 0

    def body() -> None:
        for _ in range(30):
            log.debug("%s", "x" * 1000)
        log.error("failed")

    request(body)
    assert len(written.buffered()) == 30


# Who sees them --------------------------------------------------------------------


class Seeing(logging.Handler):
    """
    A handler of the application's.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(record.getMessage())


def test_other_handlers_never_see_lines_below_the_level(
    log: logging.Logger, written: Written
) -> None:
    """
    Files, trackers and exporters beside ctxlog are as if there were no buffer.
    """
    beside, above = Seeing(), Seeing()
    log.addHandler(beside)
    log.propagate = True
    for handler in line_handlers(log):
        log.removeHandler(handler)
    logging.getLogger().addHandler(above)

    def body() -> None:
        log.debug("one")
        log.info("two")
        log.error("three")
        log.debug("four")

    request(body)
    assert written.messages() == ["two", "one", "three", "four"]
    assert beside.seen == above.seen == ["two", "three"]


def test_filters_have_their_say(log: logging.Logger, written: Written) -> None:
    """
    Those of the logger and those of the handler, about lines that wait as well.
    """
    (handler,) = line_handlers(log) or line_handlers(logging.root)
    log.addFilter(lambda record: "one" not in record.getMessage())
    handler.addFilter(lambda record: "two" not in record.getMessage())

    def body() -> None:
        log.debug("one")
        log.debug("two")
        log.debug("three")
        log.error("failed")

    request(body)
    assert written.messages() == ["three", "failed"]


def test_a_filter_that_changes_lines(log: logging.Logger, written: Written) -> None:
    """
    What a filter puts on a record is on the line that waits.
    """

    def note(record: logging.LogRecord) -> bool:
        record.tenant = "acme"
        return True

    log.addFilter(note)

    def body() -> None:
        log.debug("one")
        log.error("failed")

    request(body)
    assert [one["tenant"] for one in written.lines()] == ["acme", "acme"]


def test_a_logger_whose_level_was_chosen_keeps_it(written: Written) -> None:
    """
    By `levels=` or by `setLevel()`, in either direction, also of those below it.
    """
    written.configure(buffer=ctxlog.Buffer(), levels={"retention.quiet": "WARNING"})
    quiet = logging.getLogger("retention.quiet.part")
    chosen = logging.getLogger("retention.chosen")
    chosen.setLevel(logging.INFO)
    loud = logging.getLogger("retention.loud")
    loud.setLevel(logging.DEBUG)

    def body() -> None:
        assert not quiet.isEnabledFor(logging.INFO)
        quiet.info("quiet")
        assert not chosen.isEnabledFor(logging.DEBUG)
        chosen.debug("chosen")
        loud.debug("loud")
        logging.getLogger("retention.shop").error("failed")

    request(body)
    assert written.messages() == ["loud", "failed"]
    assert written.buffered() == []


def test_the_level_that_a_library_gives_itself_is_nobodys_choice(
    written: Written,
) -> None:
    """
    SQLAlchemy sets its loggers to WARNING as it is imported.
    """
    written.configure(buffer=ctxlog.Buffer())
    logging.getLogger("sqlalchemy").setLevel(logging.WARNING)
    engine = logging.getLogger("sqlalchemy.engine.Engine")

    def body() -> None:
        assert engine.isEnabledFor(logging.INFO)
        engine.info("SELECT 1")
        engine.error("failed")

    request(body)
    assert written.messages() == ["SELECT 1", "failed"]
    assert written.buffered() == ["SELECT 1"]


def test_is_enabled_for_answers_for_the_request(
    log: logging.Logger, written: Written
) -> None:
    """
    So that `if log.isEnabledFor(DEBUG)` makes what the line needs.
    """
    enabled = log.isEnabledFor

    def body() -> list[bool]:
        return [enabled(logging.DEBUG - 1), enabled(logging.DEBUG), enabled(20)]

    assert body() == [False, False, True]
    assert request(body) == [False, True, True]
    assert request(ctxlog.detached()(body)) == [False, False, True]
    assert body() == [False, False, True]
    assert not request(logging.LoggerAdapter(log, {}).isEnabledFor, 9)
    assert request(logging.LoggerAdapter(log, {}).isEnabledFor, 10)


def test_what_logging_disables_is_not_made(
    log: logging.Logger, written: Written
) -> None:
    """
    `logging.disable()` and `logger.disabled` hold for lines that would wait, too.
    """

    def body() -> None:
        logging.disable(logging.DEBUG)
        assert not log.isEnabledFor(logging.DEBUG)
        log.debug("one")
        logging.disable(logging.NOTSET)
        log.disabled = True
        log.debug("two")
        log.error("three")
        log.disabled = False
        log.debug("four")
        log.error("failed")

    request(body)
    assert written.messages() == ["four", "failed"]


def test_the_level_of_the_handler_holds(written: Written) -> None:
    """
    A handler that takes no DEBUG lines gets none, whatever happens.
    """
    written.configure(buffer=ctxlog.Buffer())
    handler = ctxlog.LineHandler(written.stream, level=logging.INFO)
    log = logging.getLogger("retention.shop")
    log.addHandler(handler)
    log.propagate = False

    def body() -> None:
        log.debug("one")
        log.error("failed")

    request(body)
    assert written.messages() == ["failed"]


# How they are written -------------------------------------------------------------


def test_two_handlers_write_what_waits_each_to_its_own(written: Written) -> None:
    """
    Every handler of ctxlog's has its lines in their order, and says how many of them
    are missing.
    """
    written.configure(buffer=ctxlog.Buffer(max_bytes=8192))
    beside = Written()
    log = logging.getLogger("retention.shop")
    log.addHandler(ctxlog.LineHandler(beside.stream))

    def body() -> None:
        for number in range(100):
            log.debug("line %d", number)
        log.error("failed")

    request(body)
    for one in (written, beside):
        first, *rest = one.lines()
        missing = first["droppedLines"]
        assert one.messages() == [*(f"line {n}" for n in range(missing, 100)), "failed"]
        assert len(one.buffered()) == 100 - missing > 5
        assert not any("droppedLines" in line for line in rest)


def test_lines_that_wait_go_through_a_queue(log: logging.Logger) -> None:
    """
    A `QueueHandler` whose listener is known hands on what waits behind it.
    """
    waiting: queue.Queue[Any] = queue.Queue()
    behind = Written()
    handler: Any = logging.handlers.QueueHandler(waiting)
    listener = logging.handlers.QueueListener(
        waiting, ctxlog.LineHandler(behind.stream)
    )
    handler.listener = listener  # as `dictConfig` has it
    for one in line_handlers(log):
        log.removeHandler(one)
    log.addHandler(handler)
    log.propagate = False
    kept, dropped = ctxlog.Store(requestID="kept"), ctxlog.Store(requestID="dropped")

    def body(store: ctxlog.Store) -> None:
        log.debug("debug %s", store["requestID"])
        log.info("info %s", store["requestID"])

    listener.start()
    for store in (kept, dropped):
        ctxlog.run(store, body, store)
    ctxlog.run(kept, log.error, "failed")
    listener.stop()
    kept.close()
    dropped.close()
    found = behind.messages()
    assert "debug kept" in found
    assert "debug dropped" not in found
    assert sorted(found) == ["debug kept", "failed", "info dropped", "info kept"]
    assert [one["requestID"] for one in behind.lines()] == [
        "dropped" if "dropped" in message else "kept" for message in found
    ]


def test_lines_that_waited_in_a_queue_as_well(written: Written) -> None:
    """
    They are dropped if they arrive after their request has ended, and written if that
    was flushed.
    """
    written.configure(buffer=ctxlog.Buffer())
    log = logging.getLogger("retention.shop")
    waiting: queue.Queue[Any] = queue.Queue()
    handler: Any = logging.handlers.QueueHandler(waiting)
    listener = logging.handlers.QueueListener(
        waiting, ctxlog.LineHandler(written.stream)
    )
    handler.listener = listener
    log.addHandler(handler)
    log.propagate = False

    def body(failing: bool) -> None:
        log.debug("debug %s", failing)
        if failing:
            log.error("failed")

    request(body, False)
    request(body, True)
    listener.start()
    listener.stop()
    assert written.messages() == ["debug True", "failed"]


def test_on_the_console(written: Written) -> None:
    """
    Lines for people wait and come as JSON lines do.
    """
    written.configure(format="console", buffer=ctxlog.Buffer())
    log = logging.getLogger("retention.shop")

    def body() -> None:
        log.debug("one", extra={"items": [1]})
        log.info("two")
        log.error("three")

    request(body)
    text = written.stream.getvalue().decode()
    shown = [line for line in text.splitlines() if "retention.shop" in line]
    assert len(shown) == 3, text
    for line, message in zip(shown, ("two", "one", "three"), strict=True):
        assert message in line
    assert ["buffered" in line for line in shown] == [False, True, False]


class Shouting(ctxlog.JsonFormatter):
    """
    A formatter of the application's, made from ctxlog's.
    """

    def add_fields(
        self,
        log_data: dict[str, Any],
        record: logging.LogRecord,
        message_dict: dict[str, Any],
    ) -> None:
        super().add_fields(log_data, record, message_dict)
        log_data["shouted"] = record.getMessage().upper()


@pytest.mark.parametrize("kind", [Shouting, StockJsonFormatter])
def test_a_formatter_of_the_applications(
    written: Written, kind: type[logging.Formatter]
) -> None:
    """
    It makes the line when the line is logged, from the values of then.
    """
    written.configure(buffer=ctxlog.Buffer(max_bytes=4096))
    (handler,) = line_handlers(logging.root)
    handler.setFormatter(kind())
    log = logging.getLogger("retention.shop")
    items = [0]

    def body() -> None:
        for number in range(100):
            items[0] = number
            log.debug("items %s", items)
        items[0] = -1
        log.error("failed")

    request(body)
    *waited, failed = written.lines()
    assert 0 < len(waited) < 100
    first = 100 - len(waited)
    assert [one["message"] for one in waited] == [
        f"items [{n}]" for n in range(first, 100)
    ]
    assert all(one["buffered"] is True for one in waited)
    if kind is Shouting:
        assert waited[-1]["shouted"] == "ITEMS [99]"
    # The line was finished before anybody knew how many would be missing.
    assert failed["droppedLines"] == first


class Shared:
    """
    A stream in which each write of a thread is noted; the first one waits.
    """

    def __init__(self) -> None:
        self.began, self.go_on = threading.Event(), threading.Event()
        self.written: list[bytes] = []

    def write(self, data: bytes) -> int:
        if not self.began.is_set():
            self.began.set()
            assert self.go_on.wait(60)
        self.written.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        pass


def test_nothing_of_another_thread_comes_in_between(written: Written) -> None:
    """
    The lines that wait are written together.
    """
    stream = Shared()
    ctxlog.configure(stream=stream, format="json", buffer=ctxlog.Buffer())  # type: ignore[arg-type]
    log = logging.getLogger("retention.shop")
    logged = threading.Event()

    def body() -> None:
        for number in range(20):
            log.debug("line %d", number)
        log.error("failed")

    def other() -> None:
        assert stream.began.wait(60)
        logged.set()
        log.info("other")

    threads = [
        threading.Thread(target=ctxlog.run, args=({"requestID": 1}, body)),
        threading.Thread(target=ctxlog.run, args=({"requestID": 2}, other)),
    ]
    for thread in threads:
        thread.start()
    assert logged.wait(60)
    stream.go_on.set()
    for thread in threads:
        thread.join(60)
    messages = [load_line(line)["message"] for line in stream.written]
    assert messages.index("other") >= 20
    assert messages[:20] == [f"line {n}" for n in range(20)]
