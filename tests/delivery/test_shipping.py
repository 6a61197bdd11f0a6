"""
Lines to a store through outages, to the end of a process, and by a real agent.
"""

from __future__ import annotations

import json
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.aggregators.web import HALF, RESET, Answer, serving
from tests.helpers import (
    LIMIT,
    ROOT,
    clean_environment,
    free_port,
    need,
    until_listening,
)

need("urllib3", "opentelemetry.proto.logs.v1.logs_pb2", "google.protobuf")
from tests.aggregators.otlp_store import OtlpStore, attributes  # noqa: E402

#: Logs numbers, so many a second, to an address, and may wait for the store then and at
#: the end. Says what became of them, how long the slowest call took, and the time.
_PROGRAM = """
import json, logging, sys, time
import ctxlog
from ctxlog import sinks

address, count, rate = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
sink = sinks.Ship(address)
at_the_end = {"flush_timeout": float(sys.argv[5])} if sys.argv[5:] else {}
ctxlog.configure(format="json", to=[sink], **at_the_end)
log = logging.getLogger("shop")
begin, slowest = time.perf_counter(), 0.0
for number in range(count):
    before = time.perf_counter()
    log.info("%d", number)
    slowest = max(slowest, time.perf_counter() - before)
    while (ahead := begin + number / rate - time.perf_counter()) > 0:
        time.sleep(ahead)
sink.flush(float(sys.argv[4]))
end = time.monotonic()
print(json.dumps({"slowest": slowest, "end": end, **sink.stats()}), flush=True)
"""


@contextmanager
def program(*args: object, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Run a program that logs; it is killed if the block ends before it does."""
    process = subprocess.Popen(
        [sys.executable, "-I", "-c", options.pop("source", _PROGRAM), *map(str, args)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=clean_environment(),
        **options,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def numbers(messages: list[str]) -> list[int]:
    """Return the numbers among messages; the others are lines about lines."""
    return [int(message) for message in messages if message.isdecimal()]


def store_on(port: int = 0) -> Any:
    """Serve a store, by OTLP, until the block ends."""
    return serving(OtlpStore(), port)


def test_an_outage_of_three_seconds_loses_nothing() -> None:
    """Of 3,000 lines a second each arrives once though the store is away for 3 s."""
    port = free_port()
    with program(f"otlp://127.0.0.1:{port}", 24_000, 3_000, LIMIT) as process:
        with store_on(port) as before:
            before.wait_for_records(3_000)
        time.sleep(3)
        with store_on(port) as after:
            output, errors = process.communicate(timeout=LIMIT)
    assert process.returncode == 0
    assert numbers([*before.messages, *after.messages]) == list(range(24_000))
    said = [json.loads(line)["message"] for line in errors.splitlines()]
    assert [text.rpartition(": ")[0] for text in said[:1]] == [
        f"otlp://127.0.0.1:{port}: lines are held"
    ]
    stats = json.loads(output)
    assert stats["retried"] > 0
    assert stats["dropped"] == stats["rejected"] == 0
    # The call that is the slowest of 24,000 waits for the processor, not for a store.
    assert stats["slowest"] < 2.5


def until_the_end(process: subprocess.Popen[str]) -> tuple[float, str]:
    """Return how long a program takes from its last line of output to its end."""
    output, errors = process.communicate(timeout=LIMIT)
    now = time.monotonic()  # the same clock for all processes
    assert process.returncode == 0
    return now - json.loads(output)["end"], errors


def shortest_end(address: str, count: int, limit: float) -> tuple[float, str]:
    """
    Return the shortest end of some runs of a program; of one, if that is below a limit.

    The machine may be busy: what counts is that it is possible at all. A process that
    waits longer for the store does so each time.
    """
    ends: list[tuple[float, str]] = []
    while not ends or (min(ends)[0] >= limit and len(ends) < 5):
        with program(address, count, 1e9, 0) as process:
            ends.append(until_the_end(process))
    return min(ends)


def test_without_a_store_the_end_comes_at_once() -> None:
    """A process whose store refuses connections ends, and says how many are lost."""
    address = f"otlp://127.0.0.1:{free_port()}"
    seconds, errors = shortest_end(address, 20_000, 2)
    assert seconds < 2
    said = json.loads(errors.splitlines()[-1])
    assert said["message"] == f"{address}: 20000 lines were not shipped: " + (
        "Connection refused"
    )
    assert (said["dropped"], said["logger"]) == (20_000, "ctxlog.sinks")


def test_a_store_that_does_not_answer_is_given_up() -> None:
    """A process whose store is stuck ends after two seconds, and says the number."""
    never = threading.Event()
    with store_on() as store:
        store.usual = Answer(after=never)
        address = f"otlp://127.0.0.1:{store.port}"
        seconds, errors = shortest_end(address, 5_000, 3)
        never.set()
    assert 1 < seconds < 3
    assert "5000 lines were not shipped: no answer in time" in errors


def test_a_slow_store_gets_all_lines() -> None:
    """Of 2,000 lines a second all arrive at a store that takes 0.5 s for each batch."""

    class Slow(OtlpStore):
        def answer_to(self, request: Any) -> Answer | str:
            time.sleep(0.5)
            return super().answer_to(request)

    with serving(Slow()) as store:
        assert isinstance(store, Slow)
        address = f"otlp://127.0.0.1:{store.port}"
        with program(address, 10_000, 2_000, LIMIT) as process:
            _, errors = process.communicate(timeout=LIMIT)
        assert (process.returncode, errors) == (0, "")
        assert numbers(store.messages) == list(range(10_000))


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param([Answer(503)] * 2, id="503"),
        pytest.param([Answer(429, headers={"Retry-After": "1"})], id="429"),
        pytest.param([RESET] * 2, id="reset"),
        pytest.param([HALF], id="half an answer"),
    ],
)
def test_a_store_that_fails_at_the_end_gets_all_lines(answers: list[Any]) -> None:
    """A store that fails for less than the time at the end gets every line."""
    with store_on() as store:
        store.answers += answers
        address = f"otlp://127.0.0.1:{store.port}"
        with program(address, 1_000, 1e9, 0, LIMIT / 2) as process:
            _, errors = process.communicate(timeout=LIMIT)
        assert (process.returncode, errors) == (0, "")
        assert numbers(store.messages) == list(range(1_000))


def test_the_soak_in_short() -> None:
    """Ten seconds of a store that fails at random: each line is accounted for."""
    script = ROOT / "benchmarks" / "soak.py"
    done = subprocess.run(
        [sys.executable, script, "--minutes", "0.17", "--wrong", "7001"],
        capture_output=True,
        text=True,
        timeout=4 * LIMIT,
        check=False,
        env=clean_environment(),
    )
    assert done.returncode == 0, done.stdout


_LOOP = """
import asyncio, json, logging, os, sys, time
import ctxlog
from ctxlog import sinks

place = sinks.Background(sys.stdout) if sys.argv[1] == "background" else sys.stdout
ctxlog.configure(format="json", to=[place])
log = logging.getLogger("shop")

def now():
    # Less the time that the thread could not run since others took the processor.
    try:
        with open("/proc/thread-self/schedstat") as schedule:
            waited = int(schedule.read().split()[1]) / 1e9
    except OSError:  # not on Linux
        waited = 0
    return time.monotonic() - waited

async def tick(ticks):
    while True:
        ticks.append(now())
        await asyncio.sleep(0.002)

async def main():
    ticks = []
    ticking = asyncio.create_task(tick(ticks))
    begin = time.monotonic()
    for number in range(6000):
        log.info("%d", number)
        await asyncio.sleep(max(begin + number / 3000 - time.monotonic(), 0))
    ticking.cancel()
    ticks.append(now())  # it may have stood still until now
    return max(after - before for before, after in zip(ticks, ticks[1:]))

stall = asyncio.run(main())
print(json.dumps({"stall": stall}), file=sys.stderr, flush=True)
"""


def stalled(kind: str) -> tuple[float, list[str]]:
    """Return how long a loop stood still while nobody read for 2 s, and its lines."""
    with program(kind, source=_LOOP) as process:
        select.select([process.stdout], [], [], LIMIT)  # it has begun
        time.sleep(2)
        output, errors = process.communicate(timeout=LIMIT)
    assert process.returncode == 0
    messages = [json.loads(line)["message"] for line in output.splitlines()]
    return json.loads(errors)["stall"], messages


def test_a_stuck_reader_does_not_stop_the_event_loop() -> None:
    """With a reader that sleeps for 2 s, an event loop stands still for less than
    50 ms, and no line is lost."""
    # The machine may be busy: what counts is that it is possible at all. A loop that
    # waits for the reader stands still for most of the two seconds each time.
    stalls = []
    while not stalls or (min(stalls) >= 0.05 and len(stalls) < 5):
        stall, messages = stalled("background")
        stalls.append(stall)
        assert numbers(messages) == list(range(6_000))
    assert min(stalls) < 0.05, stalls


def test_a_stuck_reader_stops_a_plain_stream() -> None:
    """The same without `Background` stands still: the proof sees what it is about."""
    stall, messages = stalled("stream")
    assert stall > 0.5
    assert numbers(messages) == list(range(6_000))


@contextmanager
def rotel(folder: Path, exporter: str) -> Iterator[int]:
    """Run Rotel, an agent that takes OTLP and sends it on; yield its port."""
    agent = Path(need("rotel").__file__).with_name("rotel-agent")
    port = free_port()
    command = [
        *(agent, "start", "--log-file", folder / "rotel.log"),
        *("--otlp-http-endpoint", f"127.0.0.1:{port}"),
        *("--otlp-grpc-endpoint", f"127.0.0.1:{free_port()}"),
        *("--otlp-exporter-endpoint", exporter, "--otlp-exporter-protocol", "http"),
    ]
    process = subprocess.Popen(
        list(map(str, command)), cwd=folder, env=clean_environment()
    )
    try:
        until_listening(process, port)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(LIMIT)


@pytest.mark.skipif(sys.platform != "linux", reason="Rotel's wheels are for Linux")
def test_lines_go_through_a_real_agent(tmp_path: Path) -> None:
    """Rotel passes on what it gets as protobuf: body, severity, service, attributes."""
    source = """
import logging, sys
import ctxlog

ctxlog.configure(format="json", service="shop", to=[sys.argv[1]])
with ctxlog.scope(requestID="req-A", user={"id": "user-123"}):
    for number in range(500):
        logging.getLogger("shop").warning("%d", number)
assert ctxlog.sinks.flush(60) == 0
"""
    with store_on() as store:
        exporter = f"http://127.0.0.1:{store.port}"
        with rotel(tmp_path, exporter) as port:
            address = f"otlp://127.0.0.1:{port}?encoding=protobuf"
            with program(address, source=source) as process:
                _, errors = process.communicate(timeout=LIMIT)
            assert (process.returncode, errors) == (0, "")
            store.wait_for_records(500)
    assert sorted(numbers(store.messages)) == list(range(500))
    resource, record = store.records[0]
    assert attributes(resource)["service.name"] == "shop"
    assert (record.severity_number, record.severity_text) == (13, "WARNING")
    found = attributes(record)
    assert found["requestID"] == "req-A"
    assert found["user"] == {"id": "user-123"}
    assert found["logger.name"] == "shop"
