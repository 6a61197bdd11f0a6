"""
Lines to a store from the process: what arrives, what is counted, what is said.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ctxlog
from ctxlog import sinks
from ctxlog.errors import ConfigError
from ctxlog.sinks._fan import Fan
from tests.aggregators.web import RESET, Answer, serving
from tests.helpers import free_port, need, run_python

need("urllib3", "opentelemetry.proto.logs.v1.logs_pb2", "google.protobuf")
from ctxlog.sinks import _accounts, shipping  # noqa: E402
from tests.aggregators.otlp_store import OtlpStore  # noqa: E402


@pytest.fixture
def store() -> Iterator[OtlpStore]:
    """A receiver that takes all records."""
    with serving(OtlpStore()) as store:
        assert isinstance(store, OtlpStore)
        yield store


def ship(store: OtlpStore, **options: Any) -> sinks.Ship:
    """Return a sink that sends to it."""
    return sinks.Ship(f"otlp://127.0.0.1:{store.port}", **options)


def line(number: int) -> bytes:
    """Return a line with a number."""
    return json.dumps({"message": str(number)}).encode() + b"\n"


def numbers(count: int) -> list[str]:
    """Return the messages of so many lines."""
    return [str(number) for number in range(count)]


class Other(sinks.Sink):
    """The sink beside it, which keeps its lines."""

    name = "other"

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.changed = threading.Condition()

    def write(self, line: bytes) -> None:
        with self.changed:
            self.lines.append(line)
            self.changed.notify_all()

    @property
    def said(self) -> list[str]:
        """The messages of the lines."""
        with self.changed:
            return [json.loads(line)["message"] for line in self.lines]

    def wait_for(self, text: str) -> None:
        """Return when a line says something."""
        with self.changed:
            assert self.changed.wait_for(
                lambda: any(text in line.decode() for line in self.lines), 60
            )


@pytest.fixture
def other() -> Other:
    """The sink beside it."""
    return Other()


@pytest.fixture
def fanned(other: Other) -> Iterator[Any]:
    """Returns a sink after putting it into a fan with the other one."""
    fans = []

    def beside(sink: sinks.Ship) -> sinks.Ship:
        fans.append(Fan([sink, other]))
        return sink

    yield beside
    for fan in fans:
        fan.close(0)


def test_lines_arrive_in_order(store: OtlpStore) -> None:
    """What is written arrives, in few requests, and is counted."""
    sink = ship(store)
    for number in range(2500):
        sink.write(line(number))
    assert sink.flush(60) == 0
    assert store.messages == numbers(2500)
    assert len(store.requests) <= 5
    assert sink.stats()["shipped"] == sink.stats()["written"] == 2500
    assert sink.close(60) == 0
    sink.write(line(2500))  # a closed sink takes lines again
    assert sink.close(60) == 0
    assert store.messages == numbers(2501)


def test_a_trickle_of_lines_is_gathered(store: OtlpStore) -> None:
    """Lines that come one by one do not become a request each."""
    sink = ship(store)
    for number in range(300):
        sink.write(line(number))
        threading.Event().wait(0.001)
    assert sink.close(60) == 0
    assert store.messages == numbers(300)
    assert len(store.requests) <= 60


def test_an_address_in_to_is_a_ship(store: OtlpStore) -> None:
    """An address with `://` gives a sink that ships, named by it without options."""
    sink = sinks.sink(f"otlp://127.0.0.1:{store.port}?header=X-Scope-OrgID:team")
    assert isinstance(sink, sinks.Ship)
    assert sink.name == f"otlp://127.0.0.1:{store.port}"
    sink.write(line(0))
    assert sink.close(60) == 0
    assert store.requests[0].headers["X-Scope-OrgID"] == "team"


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"max_bytes": "64"}, None),
        ({"max_bytes": 64}, None),
        ({"max_bytes": "1 kb", "on_full": "wait", "wait": 0.1}, None),
        ({"max_bytes": "64MiB"}, "'16MB'"),
        ({"max_bytes": 0}, "'16MB'"),
        ({"max_bytes": True}, "'16MB'"),
        ({"max_bytes": None}, "'16MB'"),
        ({"on_full": "block"}, "drop or wait"),
        ({"wait": "long"}, "seconds"),
        ({"wait": -1}, "seconds"),
    ],
)
def test_options_are_checked(options: dict[str, Any], complaint: str | None) -> None:
    """A size is a number of bytes or a text with a unit; errors say what is right."""
    if complaint is None:
        sinks.Ship("otlp://host", **options)
        sinks.Background(None, **options)
        return
    with pytest.raises(ConfigError, match=complaint):
        sinks.Ship("otlp://host", **options)
    with pytest.raises(ConfigError, match=complaint):
        sinks.Background(None, **options)


def test_an_outage_loses_nothing(
    store: OtlpStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever kind of failure there is for a while, each line arrives once."""
    monkeypatch.setattr(shipping, "FIRST_PAUSE", 0.001)
    store.answers += [Answer(503), RESET, Answer(429, headers={"Retry-After": "0"})]
    sink = ship(store)
    for number in range(100):
        sink.write(line(number))
    store.wait_for_records(100)
    assert sink.close(60) == 0
    assert store.messages == numbers(100)
    assert sink.stats()["retried"] >= 3


@pytest.mark.parametrize("status", [401, 403, 404, 407])
def test_a_store_that_denies_is_said_at_once(
    store: OtlpStore,
    other: Other,
    fanned: Any,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    A wrong credential is an error after the first attempt, without the credential.
    """
    monkeypatch.setenv("WORD", "Bearer s3cret-word")
    later = {"Retry-After": "300"}
    store.usual = Answer(status, b"no user has s3cret-word", later)
    address = f"otlp://127.0.0.1:{store.port}?header=Authorization:$WORD"
    sink = fanned(sinks.Ship(address))
    sink.write(line(0))
    other.wait_for(f"lines are held: it answers {status}: no user has ***")
    assert len(store.requests) == 1
    assert store.requests[0].headers["Authorization"] == "Bearer s3cret-word"
    assert json.loads(other.lines[0])["level"] == "ERROR"
    assert sink.close(60) == 1  # nobody changes it by then
    assert b"s3cret" not in b"".join(other.lines)
    assert "s3cret" not in f"{sink.stats()} {sink!r} {sink.name}"


def test_wrong_lines_are_counted_and_said(
    store: OtlpStore, other: Other, fanned: Any
) -> None:
    """Lines that the store refuses are rejected, which the other sink is told."""
    store.poison = {"5", "7"}
    sink = fanned(ship(store))
    with sink._buffer._state.lock:  # so that they are one batch
        for number in range(10):
            sink.write(line(number))
    assert sink.close(60) == 0
    said_here = f"{sink.name}: 2 lines were rejected: it answers 400: a record is wrong"
    right = [number for number in numbers(10) if number not in store.poison]
    assert store.messages == [*right, said_here]
    assert sink.stats()["rejected"] == 2
    assert other.said == [said_here]
    said = json.loads(other.lines[0])
    assert (said["sink"], said["rejected"]) == (sink.name, 2)
    assert (said["logger"], said["level"]) == ("ctxlog.sinks", "WARNING")


def test_what_does_not_fit_is_said_on_both(
    store: OtlpStore, other: Other, fanned: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dropped lines are said on the other sink, and on this one when it is back."""
    monkeypatch.setattr(_accounts, "_BRIEF", 0.0)
    monkeypatch.setattr(_accounts, "_INTERVAL", 0.0)
    store.usual = Answer(503)
    sink = fanned(ship(store, max_bytes=3000))
    with sink._buffer._state.lock:  # so that they are dropped before one is sent
        for number in range(100):
            sink.write(line(number))
    stats = sink.stats()
    assert stats["written"] == 100
    assert stats["dropped"] == 100 - stats["held"] > 0
    other.wait_for("were dropped")
    store.usual = Answer()
    other.wait_for("taken again")
    assert sink.close(60) == 0
    held = stats["held"]
    assert store.messages[:held] == numbers(held)
    for said in (other.said, store.messages[held:]):
        assert "lines are held: it answers 503" in said[0]
        dropped = 100 - held
        assert f"{dropped} lines were dropped: there was no room" in said[1]
        assert "lines are taken again" in said[2]
    assert len(other.said) == len(store.messages[held:]) == 3
    assert sink.stats()["written"] == 103


def test_a_line_about_a_line_does_not_come_back(
    store: OtlpStore, other: Other, fanned: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that refuses all lines is told so once, not about that line again."""
    monkeypatch.setattr(_accounts, "_INTERVAL", 0.0)
    sink = fanned(ship(store))
    store.answers += [Answer(400), Answer(400)]
    sink.write(line(0))
    store.wait_for_requests(2)  # the line about it, which is refused, too
    assert sink.flush(60) == 0
    store.answers.clear()
    sink.write(line(1))
    assert sink.close(60) == 0
    assert len(other.said) == 1
    assert store.messages == ["1"]
    assert sink.stats()["rejected"] == 2


def test_what_is_given_up_is_said(other: Other, fanned: Any) -> None:
    """Where nothing listens, closing is quick and says how many lines are lost."""
    sink = fanned(sinks.Ship(f"otlp://127.0.0.1:{free_port()}"))
    for number in range(10):
        sink.write(line(number))
    assert sink.close(60) == 10  # the limit of this test is far below 60 s
    assert other.said == [f"{sink.name}: 10 lines were not shipped: Connection refused"]
    assert sink.stats()["dropped"] == 10
    assert sink.close(0) == 0
    assert len(other.said) == 1


def test_what_is_given_up_is_said_once(
    store: OtlpStore, other: Other, fanned: Any
) -> None:
    """Although the thread that is given up looks for losses at the same time."""
    never = threading.Event()
    store.usual = Answer(after=never)
    sink = fanned(ship(store))
    sink.write(line(0))
    store.wait_for_requests(1)
    feed = sink._buffer._state.feed
    count = sink._buffer.close(0)
    sink._accounts.losses(at_once=True)  # as that thread does
    sink._accounts.given_up(count)
    never.set()
    assert feed.ended.acquire(timeout=60)
    assert other.said == [f"{sink.name}: 1 line was not shipped: no answer in time"]
    assert sink.close(60) == 0


def test_one_line_is_one_line(other: Other, fanned: Any) -> None:
    """The number is said in words that fit."""
    sink = fanned(sinks.Ship(f"otlp://127.0.0.1:{free_port()}"))
    sink.write(line(0))
    assert sink.close(60) == 1
    assert other.said == [f"{sink.name}: 1 line was not shipped: Connection refused"]


def test_its_own_lines_never_go_to_itself(store: OtlpStore) -> None:
    """What urllib3 logs while lines are sent is no line of a sink that ships."""
    first, second = ship(store), ship(store)
    fan = Fan([first, second])

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            fan.write(json.dumps({"message": record.getMessage()}).encode() + b"\n")

    logger = logging.getLogger("urllib3")
    level, handler = logger.level, Handler()
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    try:
        first.write(line(0))
        second.write(line(1))
        assert first.flush(60) == second.flush(60) == 0
        assert fan.close(60) == 0
        assert first.close(60) == second.close(60) == 0
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    assert sorted(store.messages) == ["0", "1"]


def test_a_slow_store_does_not_hold_up_the_end(store: OtlpStore) -> None:
    """A store that does not answer is given up when the time is over."""
    never = threading.Event()
    store.usual = Answer(after=never)
    sink = ship(store)
    sink.write(line(0))
    store.wait_for_requests(0)
    feed = sink._buffer._state.feed
    assert sink.close(0.05) == 1
    assert sink.stats()["dropped"] == sink.stats()["written"] == 1
    never.set()
    # What was said of it waits for the next line: it opens no sink that is closed.
    assert feed.ended.acquire(timeout=60)
    assert sink._buffer._state.feed is None
    sink.write(line(1))
    assert sink.close(60) == 0
    assert store.messages[-1].endswith("1 line was not shipped: no answer in time")


_PROGRAM = """
import logging, os, sys
import ctxlog
from ctxlog import sinks
from ctxlog.sinks._fan import Fan

port, count = sys.argv[1:]
fan = Fan([sinks.Ship(f"otlp://127.0.0.1:{port}")])

def log(text):
    fan.write(b'{"message":"%s"}\\n' % text.encode())

for number in range(int(count)):
    log(str(number))
"""


def test_the_end_of_a_process_ships_what_is_held(
    store: OtlpStore, tmp_path: Path
) -> None:
    """Lines that are held when the program ends arrive before it is over."""
    done = run_python("-c", _PROGRAM, str(store.port), "1500", cwd=tmp_path)
    assert store.messages == numbers(1500)
    assert done.stderr == ""


def test_the_end_of_a_process_says_what_it_gives_up(tmp_path: Path) -> None:
    """Without a store the program ends at once, and says on standard error how many."""
    done = run_python("-c", _PROGRAM, str(free_port()), "1500", cwd=tmp_path)
    (said,) = map(json.loads, done.stderr.splitlines())
    assert "1500 lines were not shipped: Connection refused" in said["message"]
    assert said["dropped"] == 1500


def test_a_forked_child_ships_its_own_lines(store: OtlpStore, tmp_path: Path) -> None:
    """Parent and child have each their own thread and connection; no line is twice."""
    program = (
        _PROGRAM
        + """
import warnings
warnings.simplefilter("ignore")
assert sinks.flush(60) == 0
log("before")
child = os.fork()
log("child" if child == 0 else "parent")
if child == 0:
    assert sinks.flush(60) == 0
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""
    )
    run_python("-c", program, str(store.port), "10", cwd=tmp_path)
    assert store.messages[:10] == numbers(10)
    assert sorted(store.messages[10:]) == ["before", "child", "parent"]


def test_context_fields_are_on_the_lines_alone(store: OtlpStore) -> None:
    """The thread that a request's line starts does not keep the request's store."""
    sink = ship(store)
    with ctxlog.scope(requestID="req-A"):
        sink.write(line(0))
    assert sink.close(60) == 0
    assert store.messages == ["0"]
