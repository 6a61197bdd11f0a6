"""
Kafka, NATS and Redis: lines are in real brokers once they count as sent, keyed by
request; a broker that is away keeps nothing, and is used again when it is back.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator, Sequence

import pytest

from ctxlog.aggregators import (
    Receiver,
    UnavailableError,
    UnreachableError,
    receiver,
)
from tests.aggregators.hostile import HOSTILE
from tests.aggregators.lines import line_of
from tests.delivery import brokers
from tests.delivery.streams import KINDS, Stream, kafka, nats
from tests.helpers import LIMIT, need

pytestmark = pytest.mark.real_server


@pytest.fixture(params=KINDS)
def stream(request: pytest.FixtureRequest) -> Iterator[Stream]:
    with KINDS[request.param]() as made:
        yield made


@contextlib.contextmanager
def sending(address: str) -> Iterator[Receiver]:
    """Return the writing side; closed when the block ends."""
    made = receiver(address)
    try:
        yield made
    finally:
        made.close()


def until_sent(writer: Receiver, lines: Sequence[bytes]) -> None:
    """Send lines as the sending loop does: what is left again, until all are there."""
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        try:
            assert writer.send(lines, 5) == {}
        except UnavailableError as error:
            if error.left is not None:
                lines = [lines[place] for place in error.left]
            time.sleep(0.05)
        else:
            return
    pytest.fail("the broker does not come back")


def test_lines_are_there_once_they_count_as_sent(stream: Stream) -> None:
    """
    All are stored as they were written, those of a request in order, by its id.
    """
    lines = [line_of(request_id=f"req-{n % 7}", number=n) for n in range(1_000)]
    lines.append(line_of(request_id=None))

    with sending(stream.address) as writer:
        assert writer.send(lines[:600], 30) == {}
        assert writer.send(lines[600:], 30) == {}

    found = stream.stored(len(lines))
    assert sorted(line for _, line in found) == sorted(line[:-1] for line in lines)
    for name in ["", *(f"req-{n}" for n in range(7))]:
        expected = [
            line[:-1]
            for line in lines
            if (b'"requestID":"%s"' % (name or "N/A").encode()) in line
        ]
        assert [line for key, line in found if key == name] == expected


def test_hostile_lines_are_messages(stream: Stream) -> None:
    """
    A broker looks into none of them.
    """
    lines = list(HOSTILE.values())

    with sending(stream.address) as writer:
        assert writer.send(lines, 30) == {}

    found = sorted(line for _, line in stream.stored(len(lines)))
    assert found == sorted(line.rstrip(b"\r\n") for line in lines)


def test_a_broker_that_is_away_and_back(stream: Stream) -> None:
    """
    Nobody waits for one that does not listen; lines are taken when it is back.
    """
    with sending(stream.address) as writer:
        assert writer.send([line_of(number=1)], 30) == {}
        stream.broker.stop()
        with pytest.raises(UnavailableError) as error:
            writer.send([line_of(number=2)], 30)
        assert error.value.left in (None, [0])
        # The first attempt may only have lost its connection.
        assert any(_is_unreachable(writer) for _ in range(20))

        stream.broker.start()
        stream.create()
        until_sent(writer, [line_of(number=2)])

    kept = 1 if stream.address.startswith("kafka:") else 2
    lines = [line for _, line in stream.stored(kept)]
    assert lines[-1] == line_of(number=2)[:-1]


def _is_unreachable(writer: Receiver) -> bool:
    try:
        writer.send([line_of()], 1)
    except UnavailableError as error:
        return isinstance(error, UnreachableError)
    return False


def test_a_closed_receiver_sends_again(stream: Stream) -> None:
    """
    Closing twice is closing once.
    """
    with sending(stream.address) as writer:
        writer.send([line_of(number=1)], 30)
        writer.close()
        writer.close()
        writer.send([line_of(number=2)], 30)

    assert len(stream.stored(2)) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_has_a_connection_of_its_own(stream: Stream) -> None:
    """
    The parent's threads and sockets are not the child's.
    """
    with sending(stream.address) as writer:
        writer.send([line_of(number=1)], 30)
        child = os.fork()
        if child == 0:
            try:
                writer.send([line_of(number=2)], 30)
                os._exit(0)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        writer.send([line_of(number=3)], 30)

    assert status == 0
    assert len(stream.stored(3)) == 3


@pytest.mark.parametrize("scheme", KINDS)
def test_no_answer_in_time(scheme: str) -> None:
    """
    Something listens, and says nothing: the time that was given is the limit.
    """
    need("redis", "nats", "confluent_kafka")
    with socket.create_server(("127.0.0.1", 0)) as mute:
        place = f"127.0.0.1:{mute.getsockname()[1]}/logs"
        with sending(f"{scheme}://{place}") as writer:
            with pytest.raises(UnavailableError):
                writer.send([line_of()], 0.3)


def test_a_topic_subject_or_user_that_is_not_there() -> None:
    """
    The lines are kept: somebody will make it.
    """
    need("nats", "redis")
    with brokers.nats() as broker:
        with sending(f"nats://127.0.0.1:{broker.port}/nowhere") as writer:
            with pytest.raises(UnavailableError, match="no stream takes") as error:
                writer.send([line_of()], 30)
            assert error.value.left == [0]
    with brokers.valkey() as broker:
        rest = f"127.0.0.1:{broker.port}/logs"
        library = need("redis")
        with library.Redis(port=broker.port) as client:
            client.set("logs", "a text")
        with sending(f"redis://{rest}") as writer:
            with pytest.raises(UnavailableError, match="WRONGTYPE") as error:
                writer.send([line_of(), line_of()], 30)
            assert error.value.left == [0, 1]


def test_credentials_are_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A wrong one is no reason to lose lines, and is not shown.
    """
    library = need("redis")
    monkeypatch.setenv("REDIS_PASSWORD", "s3cret")
    with brokers.valkey() as broker:
        with library.Redis(port=broker.port) as client:
            client.config_set("requirepass", "another")
        rest = f"127.0.0.1:{broker.port}/logs?password=$REDIS_PASSWORD"
        with sending(f"redis://{rest}") as writer:
            with pytest.raises(UnavailableError) as error:
                writer.send([line_of()], 30)
            assert "s3cret" not in f"{error.value}{writer.name}"
            monkeypatch.setenv("REDIS_PASSWORD", "another")
        with sending(f"redis://{rest}") as writer:
            assert writer.send([line_of()], 30) == {}


def test_a_stream_of_redis_in_parts_and_of_limited_length() -> None:
    """
    Lines of a request are in one part.
    """
    library = need("redis")
    lines = [line_of(request_id=f"req-{n % 50}", number=n) for n in range(500)]
    with brokers.valkey() as broker:
        rest = f"127.0.0.1:{broker.port}/logs"
        with sending(f"redis://{rest}?partitions=4&db=0") as writer:
            assert writer.send(lines, 30) == {}
        with sending(f"redis://{rest}?maxlen=100") as writer:
            assert writer.send(lines, 30) == {}
        with library.Redis(port=broker.port) as client:
            parts = [client.xrange(f"logs:{part}") for part in range(4)]
            assert client.xlen("logs") < 500
    names = [{of[b"request_id"] for _, of in part} for part in parts]
    assert sum(map(len, parts)) == 500
    assert sum(map(len, names)) == len(set().union(*names)) == 50


def test_a_line_that_is_longer_than_the_server_takes() -> None:
    """
    It is refused alone, with the reason.
    """
    long = b'{"message":"%s"}\n' % (b"x" * 1_100_000)
    with nats() as stream, sending(stream.address) as writer:
        refused = writer.send([line_of(), long, line_of()], 30)
        assert refused == {1: "longer than the server's limit of 1048576 bytes"}
        assert len(stream.stored(2)) == 2
    with kafka() as stream, sending(stream.address) as writer:
        refused = writer.send([line_of(), long, line_of()], 30)
        assert list(refused) == [1]
        assert "too large" in refused[1]
        assert len(stream.stored(2)) == 2
