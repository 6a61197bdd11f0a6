"""
A share of the requests is written whole, and those that matter; of others, one line.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import logging
import threading
from pathlib import Path
from typing import Any

import pytest

import ctxlog
from ctxlog.retention._sample import in_share
from tests.helpers import run_python
from tests.retention.conftest import Clock, Written
from tests.retention.requests import ask, asking

#: One id that is in a share of a tenth, one that is in a half only, one in neither.
IN, HALF, OUT = "req-1", "req-2", "req-5"


@pytest.fixture
def log() -> logging.Logger:
    """
    The application's logger.
    """
    return logging.getLogger("retention.shop")


def shown(written: Written) -> list[tuple[str, str]]:
    """
    The request and the message of each line.
    """
    return [(one["requestID"], one["message"]) for one in written.lines()]


def rates(written: Written) -> list[object]:
    """
    How many requests each line says it stands for.
    """
    return [one.get("sampleRate") for one in written.lines()]


# The share ------------------------------------------------------------------------

#: Some ids, and the share that each belongs to: the smallest rate with it. The same on
#: every Python, in every process, for good.
SHARES = {
    "req-1": 0.016713432581392337,
    "0" * 32: 0.5286925786349209,
    "": 0.8931675160897388,
    "Ünïcode-✓": 0.19051652754552464,
    "4bf92f3577b34da6a3ce929d0e0e4736": 0.15039768000230236,
}


@pytest.mark.parametrize("request_id", SHARES)
def test_the_share_of_an_id_is_fixed(request_id: str) -> None:
    """
    Another release that decided otherwise would tear requests of two services apart.
    """
    share = SHARES[request_id]
    assert not in_share(request_id, share - 0.0001)
    assert in_share(request_id, share + 0.0001)


def test_no_request_and_all() -> None:
    """
    Of a rate of 0 and of 1.
    """
    ids = [f"req-{n}" for n in range(1000)]
    assert not any(in_share(one, 0.0) for one in ids)
    assert all(in_share(one, 1.0) for one in ids)


def test_a_smaller_share_is_a_part_of_a_larger_one() -> None:
    """
    A service that keeps less keeps a part of what the others keep.
    """
    ids = [f"req-{n}" for n in range(10_000)]
    shares = [{n for n in ids if in_share(n, rate)} for rate in (0.01, 0.05, 0.3)]
    assert shares[0] < shares[1] < shares[2]
    for share, rate in zip(shares, (0.01, 0.05, 0.3), strict=True):
        # Four standard deviations.
        assert abs(len(share) - 10_000 * rate) < 4 * (10_000 * rate * (1 - rate)) ** 0.5


def test_every_process_agrees(tmp_path: Path) -> None:
    """
    Whatever seed its hashes have.
    """
    program = (
        "from ctxlog.retention._sample import in_share\n"
        "print([n for n in range(2000) if in_share(f'req-{n}', 0.05)])"
    )
    done = run_python("-c", program, cwd=tmp_path)
    here = [n for n in range(2000) if in_share(f"req-{n}", 0.05)]
    assert json.loads(done.stdout) == here


def test_ids_that_are_no_text() -> None:
    """
    A number is decided as its text; what has none is decided all the same.
    """

    class Silent:
        def __str__(self) -> str:
            raise ZeroDivisionError

    assert in_share(17, 0.5) == in_share("17", 0.5)
    assert in_share(Silent(), 1.0)
    assert in_share("\ud800", 1.0)


# What is written ------------------------------------------------------------------


def test_a_request_of_the_share_is_written_at_once(
    log: logging.Logger, written: Written
) -> None:
    """
    Its lines say how many requests each stands for; so does its completion line.
    """
    written.configure(sampling=ctxlog.Sampling(rate=0.1))

    def body() -> None:
        log.info("one")
        assert written.messages() == ["one"]
        log.info("two")
        assert written.messages() == ["one", "two"]

    ask(body, request_id=IN)
    assert shown(written) == [(IN, "one"), (IN, "two"), (IN, "GET / 200")]
    assert rates(written) == [10, 10, 10]
    assert written.buffered() == []


def test_of_others_the_completion_line_is_written(
    log: logging.Logger, written: Written
) -> None:
    """
    Nothing else, and it stands for itself.
    """
    written.configure(sampling=ctxlog.Sampling(rate=0.1))
    ask(lambda: log.info("one"), request_id=OUT)
    assert shown(written) == [(OUT, "GET / 200")]
    assert rates(written) == [None]


def test_without_completion_lines_nothing_is_written(
    log: logging.Logger, written: Written
) -> None:
    """
    Of those that are not kept; a request that is written is written whole.
    """
    written.configure(sampling=ctxlog.Sampling(rate=0.1, completion_lines=False))
    ask(lambda: log.info("one"), request_id=OUT)
    assert written.lines() == []
    ask(lambda: log.info("one"), request_id=IN)
    ask(lambda: log.warning("two"), request_id=OUT)
    assert shown(written) == [
        *((IN, "one"), (IN, "GET / 200")),
        *((OUT, "two"), (OUT, "GET / 200")),
    ]


@pytest.mark.parametrize("rate", [0, 0.0])
def test_a_rate_of_0_keeps_what_matters(
    log: logging.Logger, written: Written, rate: float
) -> None:
    """
    Nothing else, whatever the id.
    """
    written.configure(sampling=ctxlog.Sampling(rate=rate, completion_lines=False))
    for number in range(20):
        ask(lambda: log.info("one"), request_id=f"req-{number}")
    ask(lambda: log.info("two"), 500, request_id="req-X")
    assert shown(written) == [("req-X", "two"), ("req-X", "GET / 500")]
    assert rates(written) == [None, None]


@pytest.mark.parametrize("rate", [1, 1.0])
def test_a_rate_of_1_keeps_all(
    log: logging.Logger, written: Written, rate: float
) -> None:
    """
    A line stands for itself, and says nothing.
    """
    written.configure(sampling=ctxlog.Sampling(rate=rate))
    for number in range(20):
        ask(lambda: log.info("one"), request_id=f"req-{number}")
    assert len(written.lines()) == 40
    assert set(rates(written)) == {None}


@pytest.mark.parametrize(
    ("rate", "said"), [(0.5, 2), (0.1, 10), (0.001, 1000), (0.3, 3.333333)]
)
def test_what_a_line_says_it_stands_for(
    log: logging.Logger, written: Written, rate: float, said: float
) -> None:
    """
    A whole number where it is one.
    """
    written.configure(sampling=ctxlog.Sampling(rate=rate))
    share = next(n for n in range(100_000) if in_share(f"req-{n}", rate))
    ask(lambda: log.info("one"), request_id=f"req-{share}")
    assert written.lines()[0]["sampleRate"] == said
    assert f'"sampleRate":{said},' in written.stream.getvalue().decode() or (
        f'"sampleRate":{said}}}' in written.stream.getvalue().decode()
    )


def test_the_rate_is_spelled_as_all_names_are(
    log: logging.Logger, written: Written
) -> None:
    """
    With `case="snake"` it is `sample_rate`.
    """
    written.configure(sampling=ctxlog.Sampling(rate=0.1), case="snake")
    ask(lambda: log.info("one"), request_id=IN)
    assert [one["sample_rate"] for one in written.lines()] == [10, 10]


def test_lines_outside_of_any_request_are_not_sampled(
    log: logging.Logger, written: Written
) -> None:
    """
    They belong to no request that could be shown instead.
    """
    written.configure(sampling=ctxlog.Sampling(rate=0.0))
    log.info("one")
    with ctxlog.scope(user=7):
        log.info("two")
    ctxlog.run({"requestID": OUT}, ctxlog.detached()(log.info), "three")
    assert written.messages() == ["one", "two", "three"]
    assert rates(written) == [None] * 3


# What a request is kept for -------------------------------------------------------


def test_a_line_at_the_level_keeps_the_request(
    log: logging.Logger, written: Written
) -> None:
    """
    Those that wait go first, and say `buffered`; all further ones come at once.
    """
    written.configure(sampling=ctxlog.Sampling(rate=0.0))

    def body() -> None:
        log.info("one")
        log.info("two")
        assert written.messages() == []
        log.warning("three")
        assert written.messages() == ["one", "two", "three"]
        log.info("four")
        assert written.messages()[-1] == "four"

    ask(body)
    assert written.messages() == ["one", "two", "three", "four", "GET / 200"]
    assert written.buffered() == ["one", "two"]
    assert rates(written) == [None] * 5


def test_the_level_is_chosen(log: logging.Logger, written: Written) -> None:
    """
    Of `keep_level`; a line below it waits, whatever its level.
    """
    written.configure(sampling=ctxlog.Sampling(rate=0.0, keep_level="CRITICAL"))

    def body(level: int) -> None:
        log.info("one")
        log.log(level, "two")

    ask(lambda: body(logging.ERROR))
    assert written.messages() == ["GET / 200"]
    ask(lambda: body(logging.CRITICAL))
    assert written.messages() == ["GET / 200", "one", "two", "GET / 200"]


@pytest.mark.parametrize(
    ("status", "kept"), [(200, False), (404, False), (500, True), (503, True)]
)
def test_a_response_of_5xx_keeps_the_request(
    log: logging.Logger, written: Written, status: int, kept: bool
) -> None:
    """
    Before its completion line.
    """
    written.configure(sampling=ctxlog.Sampling(rate=0.0, keep_level="CRITICAL"))
    ask(lambda: log.info("one"), status)
    assert written.messages() == ["one"] * kept + [f"GET / {status}"]


def test_an_exception_keeps_the_request(log: logging.Logger, written: Written) -> None:
    """
    Of a server, of an entry point, of `run()`.
    """
    written.configure(sampling=ctxlog.Sampling(rate=0.0, keep_level="CRITICAL"))

    def body(name: str) -> None:
        log.info("in %s", name)
        raise ZeroDivisionError

    ask(lambda: body("server"))
    for fn in (ctxlog.entry("job")(body), lambda name: ctxlog.run({}, body, name)):
        with pytest.raises(ZeroDivisionError):
            fn("function")
    assert written.messages() == [
        *("in server", "GET / 500", "in function", "job failed", "in function"),
    ]


def test_a_slow_request_is_kept(
    log: logging.Logger, written: Written, clock: Clock
) -> None:
    """
    One that lasts as long as `keep_slower_than` says, or longer.
    """
    written.configure(sampling=ctxlog.Sampling(rate=0.0, keep_slower_than=2.0))

    def body(seconds: float) -> None:
        log.info("%s", seconds)
        clock.now += seconds

    for seconds in (1.75, 2.0, 30.0):
        ctxlog.run({"requestID": OUT}, body, seconds)
    assert written.messages() == ["2.0", "30.0"]


def test_the_application_keeps_what_it_wants(
    log: logging.Logger, written: Written
) -> None:
    """
    `keep` gets the store at the end of a request about which nothing else decides.
    """
    asked: list[object] = []

    def keep(store: ctxlog.Store) -> object:
        asked.append(store["requestID"])
        return store.get("user") == "alice"

    written.configure(sampling=ctxlog.Sampling(rate=0.1, keep=keep))

    def body(user: str) -> None:
        ctxlog.bind(user=user)
        log.info("hello")

    ask(lambda: body("alice"), request_id="req-A")
    ask(lambda: body("bob"), request_id="req-B")
    ask(lambda: body("bob"), 500, request_id="req-C")
    assert shown(written) == [
        *(("req-A", "hello"), ("req-A", "GET / 200")),
        ("req-B", "GET / 200"),
        *(("req-C", "hello"), ("req-C", "GET / 500")),
    ]
    assert asked == ["req-A", "req-B"]
    # Of the share, the completion line is that of a request that is kept anyway.
    written.clear()
    ask(lambda: body("alice"), request_id=IN)
    assert rates(written) == [10, None]


@pytest.mark.parametrize("kind", [ValueError, RecursionError])
def test_a_request_is_kept_if_keep_fails(
    log: logging.Logger, written: Written, kind: type[Exception]
) -> None:
    """
    It may have been one that matters; the failure is told in it, and nothing raised.
    """

    def keep(store: ctxlog.Store) -> bool:
        raise kind("broken")

    written.configure(sampling=ctxlog.Sampling(rate=0.0, keep=keep))
    ask(lambda: log.info("one"), request_id=OUT)
    assert written.messages() == ["one", "keep failed", "GET / 200"]
    assert f"{kind.__name__}: broken" in str(written.lines()[1]["exception"])
    assert {one["requestID"] for one in written.lines()} == {OUT}


def test_keep_may_log(log: logging.Logger, written: Written) -> None:
    """
    A line of its own is one of the request's.
    """

    def keep(store: ctxlog.Store) -> bool:
        log.info("asked about %s", store["requestID"])
        return store["requestID"] == "req-A"

    written.configure(sampling=ctxlog.Sampling(rate=0.0, keep=keep))
    for request_id in ("req-A", "req-B"):
        ask(lambda: log.info("one"), request_id=request_id)
    assert shown(written) == [
        *(("req-A", "one"), ("req-A", "asked about req-A"), ("req-A", "GET / 200")),
        ("req-B", "GET / 200"),
    ]


def test_keep_logs_in_the_store_that_it_is_asked_about(
    log: logging.Logger, written: Written
) -> None:
    """
    Also where that one has been left, and the one around it is active again.
    """

    def keep(store: ctxlog.Store) -> bool:
        log.info("about %s", store["requestID"])
        return True

    def part() -> None:
        log.info("one")

    written.configure(sampling=ctxlog.Sampling(rate=0.0, keep=keep))
    ctxlog.run({"requestID": "outer"}, ctxlog.run, {"requestID": "inner"}, part)
    assert [(line["message"], line["requestID"]) for line in written.lines()] == [
        ("one", "inner"),
        ("about inner", "inner"),
    ]


def test_a_completion_line_at_the_level_keeps_the_request(
    log: logging.Logger, written: Written
) -> None:
    """
    Such as that of a request that the application calls slow.
    """
    written.configure(sampling=ctxlog.Sampling(rate=0.0))
    ask(lambda: log.info("one"), slow=0.0)
    assert written.messages() == ["one", "GET / 200"]
    assert written.lines()[1]["level"] == "WARNING"


def test_the_completion_line_of_one_that_is_kept_anyway(
    log: logging.Logger, written: Written
) -> None:
    """
    It stands for itself, though its request is one of the share, whose other lines do
    not: a store that weighs completion lines counts right.
    """
    written.configure(sampling=ctxlog.Sampling(rate=0.1))

    def body() -> None:
        log.info("one")
        log.error("two")
        log.info("three")

    ask(body, request_id=IN)
    ask(lambda: log.info("one"), 500, request_id=IN)
    assert rates(written) == [10, 10, 10, None, 10, None]


def test_flush_buffer_keeps_the_request(log: logging.Logger, written: Written) -> None:
    """
    By hand, also without a buffer.
    """
    written.configure(sampling=ctxlog.Sampling(rate=0.0))

    def body() -> None:
        log.info("one")
        ctxlog.flush_buffer()
        log.info("two")

    ask(body)
    assert written.messages() == ["one", "two", "GET / 200"]


def test_a_request_with_more_lines_than_there_is_room_for_is_kept(
    log: logging.Logger, written: Written
) -> None:
    """
    A stream that goes on for hours, say: none of its lines is dropped.
    """
    written.configure(sampling=ctxlog.Sampling(rate=0.0, max_bytes=4096))

    def body() -> None:
        for number in range(100):
            log.info("line %d", number)
        assert written.messages() == [f"line {n}" for n in range(100)]

    ask(body)
    assert written.messages() == [*(f"line {n}" for n in range(100)), "GET / 200"]
    assert 0 < len(written.buffered()) < 20
    assert not any("droppedLines" in one for one in written.lines())


def test_a_request_is_kept_where_the_process_has_no_room(
    log: logging.Logger, written: Written
) -> None:
    """
    Beyond `total_bytes` no line waits: it is written.
    """
    written.configure(
        buffer=ctxlog.Buffer(total_bytes=16_384), sampling=ctxlog.Sampling(rate=0.0)
    )
    stores = [ctxlog.Store(requestID=f"req-{n}") for n in range(50)]
    for store in stores:
        ctxlog.run(store, log.info, "%s", "x" * 1000)
    assert 50 - 16 <= len(written.lines()) < 50
    for store in stores:
        store.close()


def test_a_request_that_lasts_is_kept(
    log: logging.Logger, written: Written, clock: Clock
) -> None:
    """
    Its next line after `max_wait` is written, after those that wait.
    """
    written.configure(sampling=ctxlog.Sampling(rate=0.0, max_wait=60.0))

    def body() -> None:
        log.info("one")
        clock.now += 59
        log.info("two")
        assert written.messages() == []
        clock.now += 2
        log.info("three")
        assert written.messages() == ["one", "two", "three"]

    ctxlog.run({"requestID": OUT}, body)
    assert written.buffered() == ["one", "two"]


class Telling(io.BytesIO):
    """
    A stream that tells when something is written.
    """

    def __init__(self) -> None:
        super().__init__()
        self.told = threading.Event()

    def write(self, data: Any) -> int:
        count = super().write(data)
        self.told.set()
        return count


def test_a_request_that_lasts_and_logs_nothing_more_is_kept(
    log: logging.Logger, written: Written
) -> None:
    """
    A thread looks after those that wait.
    """
    written.stream = stream = Telling()
    written.configure(sampling=ctxlog.Sampling(rate=0.0, max_wait=1.0))

    def body() -> None:
        log.info("one")
        assert stream.told.wait(60)

    ctxlog.run({"requestID": OUT}, body)
    assert written.messages() == written.buffered() == ["one"]


# Stores within stores -------------------------------------------------------------


def test_a_store_without_an_id_follows_its_request(
    log: logging.Logger, written: Written
) -> None:
    """
    A part of a request is written if the request is.
    """
    written.configure(sampling=ctxlog.Sampling(rate=0.1))

    def body(failing: bool) -> None:
        log.info("one")
        ctxlog.run({"part": 1}, log.info, "part")
        log.info("two")
        if failing:
            log.error("failed")

    ask(lambda: body(False), request_id=IN)
    ask(lambda: body(False), request_id=OUT)
    ask(lambda: body(True), request_id=HALF)
    ends = ["GET / 200"]
    assert written.messages() == [
        *("one", "part", "two", *ends),
        *ends,
        *("one", "part", "two", "failed", *ends),
    ]
    assert rates(written) == [10] * 4 + [None] * 6
    assert written.buffered() == ["one", "part", "two"]


def test_what_a_part_is_kept_for_keeps_the_request(
    log: logging.Logger, written: Written
) -> None:
    """
    A warning in a nested store, or an exception that leaves it.
    """
    written.configure(sampling=ctxlog.Sampling(rate=0.0))

    def fails() -> None:
        log.info("part")
        raise ZeroDivisionError

    def warns() -> None:
        log.info("one")
        ctxlog.run({"part": 1}, log.warning, "part")
        log.info("two")

    def raises() -> None:
        log.info("one")
        with contextlib.suppress(ZeroDivisionError):
            ctxlog.run({"part": 1}, fails)
        log.info("two")

    for body in (warns, raises):
        written.clear()
        ask(body)
        assert written.messages() == ["one", "part", "two", "GET / 200"]


def test_a_part_that_outlives_its_request(
    log: logging.Logger, written: Written
) -> None:
    """
    It is written if its request was.
    """
    for kept in (False, True):
        written.clear()
        written.configure(sampling=ctxlog.Sampling(rate=0.0))
        outer, inner = ctxlog.Store(requestID="req-A"), ctxlog.Store(part=1)
        ctxlog.run(outer, ctxlog.run, inner, log.info, "part")
        ctxlog.run(outer, log.info, "one")
        if kept:
            ctxlog.run(outer, log.error, "failed")
        outer.close()
        inner.close()
        assert sorted(written.messages()) == ["failed", "one", "part"] * kept


def test_a_store_with_an_id_of_its_own_decides_by_it(
    log: logging.Logger, written: Written
) -> None:
    """
    It is a request, wherever it is opened.
    """
    written.configure(sampling=ctxlog.Sampling(rate=0.1))

    def body(other: str) -> None:
        log.info("outer")
        ctxlog.run({"requestID": other}, log.info, "inner")

    ctxlog.run({"requestID": IN}, body, OUT)
    ctxlog.run({"requestID": OUT}, body, IN)
    assert shown(written) == [(IN, "outer"), (IN, "inner")]


def test_an_exception_that_is_caught_decides_nothing(
    log: logging.Logger, written: Written
) -> None:
    """
    A part of the request that is cancelled is not its end.
    """
    written.configure(sampling=ctxlog.Sampling(rate=0.0))
    store = ctxlog.Store(requestID=OUT)

    def cancelled() -> None:
        raise asyncio.CancelledError

    def body() -> None:
        log.info("one")
        with contextlib.suppress(asyncio.CancelledError):
            ctxlog.run(store, cancelled)
        log.info("two")
        log.error("three")

    ctxlog.run(store, body)
    store.close()
    assert written.messages() == ["one", "two", "three"]


def test_a_store_that_its_owner_closes(
    log: logging.Logger, written: Written, clock: Clock
) -> None:
    """
    It is decided about as any other: by `keep`, and by its duration.
    """
    written.configure(
        sampling=ctxlog.Sampling(
            rate=0.0, keep=lambda store: store.get("user") == 7, keep_slower_than=5.0
        )
    )
    for user, seconds in ((7, 0), (8, 0), (9, 10)):
        store = ctxlog.Store(requestID=OUT, user=user)
        ctxlog.run(store, log.info, "user %d", user)
        clock.now += seconds
        store.close()
    assert written.messages() == ["user 7", "user 9"]


def test_lines_after_the_end(log: logging.Logger, written: Written) -> None:
    """
    They are written if their request was; an error is written in any case.
    """
    written.configure(sampling=ctxlog.Sampling(rate=0.1))
    for request_id, failing in ((IN, False), (OUT, False), (HALF, True)):
        store = ctxlog.Store(requestID=request_id)
        if failing:
            ctxlog.run(store, log.error, "failed")
        store.close()
        ctxlog.run(store, log.info, "late")
        ctxlog.run(store, log.error, "late error")
    assert shown(written) == [
        *((IN, "late"), (IN, "late error"), (OUT, "late error")),
        *((HALF, "failed"), (HALF, "late"), (HALF, "late error")),
    ]


# With a buffer --------------------------------------------------------------------


def test_both(log: logging.Logger, written: Written) -> None:
    """
    Lines below the level wait for the buffer, others for the sample; a failure writes
    all of them in their order.
    """
    written.configure(
        buffer=ctxlog.Buffer(flush_level="ERROR"), sampling=ctxlog.Sampling(rate=0.1)
    )

    def body(level: int) -> None:
        log.debug("debug")
        log.info("info")
        log.debug("debug again")
        log.log(level, "last")

    ask(lambda: body(logging.INFO), request_id=OUT)
    assert written.messages() == ["GET / 200"]
    written.clear()
    ask(lambda: body(logging.WARNING), request_id=OUT)
    assert written.messages() == ["info", "last", "GET / 200"]
    written.clear()
    ask(lambda: body(logging.ERROR), request_id=OUT)
    assert written.messages() == [
        *("debug", "info", "debug again", "last", "GET / 200"),
    ]
    assert written.buffered() == ["debug", "info", "debug again"]
    written.clear()
    ask(lambda: body(logging.ERROR), request_id=IN)
    assert written.messages() == [
        *("info", "debug", "debug again", "last", "GET / 200"),
    ]
    assert rates(written)[0] == 10
    assert written.buffered() == ["debug", "debug again"]


def test_many_requests_at_once(log: logging.Logger, written: Written) -> None:
    """
    Each is written whole, or only its completion line is.
    """
    written.configure(sampling=ctxlog.Sampling(rate=0.1))

    async def body(number: int) -> None:
        for step in range(3):
            log.info("step %d", step)
            await asyncio.sleep(0)
        if number % 50 == 0:
            log.error("failed")

    async def main() -> None:
        await asyncio.gather(
            *(
                asking(lambda n=n: body(n), request_id=f"req-{n}")  # type: ignore[misc]
                for n in range(300)
            )
        )

    asyncio.run(main())
    whole = ["step 0", "step 1", "step 2"]
    for number in range(300):
        found = [m for i, m in shown(written) if i == f"req-{number}"]
        failed = ["failed"] if number % 50 == 0 else []
        kept = failed or in_share(f"req-{number}", 0.1)
        assert found == [*(whole if kept else []), *failed, "GET / 200"]
