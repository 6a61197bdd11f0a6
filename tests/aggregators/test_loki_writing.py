"""
Loki: what is pushed, and what becomes of what Loki answers.

The stub checks a push as Loki 3.7 does, and answers in its words.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from ctxlog.aggregators import UnavailableError, receiver
from ctxlog.aggregators._store import RefusedError
from ctxlog.errors import ConfigError
from tests.aggregators.hostile import HOSTILE
from tests.aggregators.lines import SECOND, TIME, line_of
from tests.aggregators.loki_stub import Loki, rfc
from tests.aggregators.web import Answer, serving
from tests.helpers import need

need("urllib3")


@pytest.fixture
def loki() -> Iterator[Loki]:
    with serving(Loki()) as store:
        assert isinstance(store, Loki)
        yield store


def address(loki: Loki, rest: str = "") -> str:
    return f"loki://127.0.0.1:{loki.port}{rest}"


def at(seconds: int, message: str = "paid", level: str = "INFO") -> bytes:
    """Return a line of a time."""
    members = {"timestamp": rfc(seconds), "level": level, "message": message}
    return json.dumps(members).encode() + b"\n"


def test_a_push_has_few_labels_and_the_id_beside_the_line(loki: Loki) -> None:
    """
    One stream of service, environment and level; the request is metadata.
    """
    line = line_of(traceID="4bf92f3577b34da6a3ce929d0e0e4736")
    other = line_of(request_id=None)

    assert receiver(address(loki)).send([line, other], 5) == {}

    (request,) = loki.requests
    assert json.loads(request.body) == {
        "streams": [
            {
                "stream": {
                    "service": "shop",
                    "environment": "production",
                    "level": "error",
                },
                "values": [
                    [
                        str(TIME),
                        line.decode().rstrip("\n"),
                        {
                            "request_id": "req-A",
                            "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
                        },
                    ],
                    [str(TIME), other.decode().rstrip("\n")],
                ],
            }
        ]
    }


def test_each_set_of_labels_is_a_stream(loki: Loki) -> None:
    """
    Lines of a level stay in order in their stream.
    """
    lines = [at(SECOND + n, str(n), level) for n, level in enumerate(["INFO", "x"] * 2)]
    writer = receiver(address(loki, "?labels=host:web-1,zone:a"))

    writer.send(lines, 5)
    writer.close()

    streams = json.loads(loki.requests[0].body)["streams"]
    assert [stream["stream"] for stream in streams] == [
        {"host": "web-1", "zone": "a", "level": "info"},
        {"host": "web-1", "zone": "a", "level": "unknown"},
    ]
    assert [len(stream["values"]) for stream in streams] == [2, 2]


@pytest.mark.parametrize("labels", ["host", "1:a", "level:x", "a:", "a:b,,c:d"])
def test_labels_that_are_none(labels: str) -> None:
    """
    The address says what is wrong before a line is sent.
    """
    with pytest.raises(ConfigError, match="labels=host:web-1"):
        receiver(f"loki://localhost?labels={labels}")


def test_an_unknown_option() -> None:
    """
    A misspelled option is no option.
    """
    with pytest.raises(ConfigError, match="label"):
        receiver("loki://localhost?label=host:a")


def test_hostile_lines_are_stored_as_they_were_written(loki: Loki) -> None:
    """
    All but the one that is longer than Loki takes; that one is refused alone.
    """
    lines = [line for line in HOSTILE.values() if len(line) < 256 * 1024]
    writer = receiver(address(loki))

    assert writer.send(lines, 5) == {}
    with pytest.raises(RefusedError, match="max entry size"):
        writer.send([HOSTILE["too long"]], 5)

    written = {line.decode("utf-8", "replace").rstrip("\n") for line in lines}
    assert set(loki.lines) == written


def test_lines_that_are_too_old_are_refused_and_the_others_stored(loki: Loki) -> None:
    """
    They are found by what Loki says, not by halving: a backlog may be nothing else.
    """
    loki.oldest = SECOND
    lines = [at(SECOND + n, str(n)) for n in (-3, 1, -2, 2, -1)]

    refused = receiver(address(loki)).send(lines, 5)

    assert list(refused) == [0, 2, 4]
    assert refused[0] == "too old: the oldest that Loki takes is of " + (
        "2026-11-28T09:30:37.000000Z"
    )
    assert [json.loads(line)["message"] for line in loki.lines] == ["1", "2"]
    assert len(loki.requests) == 2


def test_lines_too_far_behind_their_stream_are_refused(loki: Loki) -> None:
    """
    Another stream takes lines of that time.
    """
    loki.behind = {"info": SECOND, "error": SECOND - 10}
    lines = [
        at(SECOND - 20, "a", "ERROR"),
        at(SECOND - 5, "b", "ERROR"),
        at(SECOND - 5, "c", "INFO"),
        at(SECOND, "d", "INFO"),
        line_of(message="e"),
    ]

    refused = receiver(address(loki, "?labels=host:a")).send(lines, 5)

    assert sorted(refused) == [0, 2]
    assert {json.loads(line)["message"] for line in loki.lines} == {"b", "d", "e"}


def test_all_lines_may_be_too_old(loki: Loki) -> None:
    """
    Then there is nothing left to send.
    """
    loki.oldest = SECOND
    lines = [at(SECOND - 1)] * 3

    assert list(receiver(address(loki)).send(lines, 5)) == [0, 1, 2]
    assert len(loki.requests) == 1


def test_a_refusal_that_names_no_line_is_one_of_the_batch(loki: Loki) -> None:
    """
    The caller halves the batch; what Loki has taken of it, it shows once.
    """
    writer = receiver(address(loki))
    lines = [HOSTILE["too long"], line_of()]

    with pytest.raises(RefusedError):
        writer.send(lines, 5)
    assert len(loki.stored) == 1
    writer.send(lines[1:], 5)
    assert len(loki.stored) == 1


def test_a_line_that_is_not_older_than_the_oldest_is_found_by_halving(
    loki: Loki,
) -> None:
    """
    Times in Loki's answer have no parts of a second.
    """
    text = b"has timestamp too old: x, oldest acceptable timestamp is: "
    loki.answers.append(Answer(400, text + rfc(SECOND).encode()))

    with pytest.raises(RefusedError, match="too old"):
        receiver(address(loki)).send([line_of()], 5)


@pytest.mark.parametrize(
    ("answer", "reason", "after"),
    [
        (Answer(429, b"ingestion rate limit exceeded for user fake"), "429", None),
        (Answer(503, b"", {"Retry-After": "7"}), "503", 7.0),
        (Answer(500, b"at least 2 live replicas required"), "500", None),
        # `block_ingestion_status_code` is 260 by default: nothing is stored.
        (Answer(260, b"ingestion blocked for user 'fake'"), "260", None),
        (Answer(401, b"no org id"), "401", None),
    ],
)
def test_lines_that_are_not_taken_now(
    loki: Loki, answer: Answer, reason: str, after: float | None
) -> None:
    """
    Loki says so in several ways; the lines may be sent again.
    """
    loki.answers.append(answer)
    writer = receiver(address(loki))

    with pytest.raises(UnavailableError, match=reason) as error:
        writer.send([line_of()], 5)
    assert error.value.retry_after == after
    assert error.value.left == [0]

    assert writer.send([line_of()], 5) == {}
    assert len(loki.stored) == 1


def test_what_was_refused_before_loki_went_away_is_said(loki: Loki) -> None:
    """
    The lines that are left are not too old.
    """
    text = "has timestamp too old: x, oldest acceptable timestamp is: " + rfc(SECOND)
    loki.answers.extend([Answer(400, text.encode()), Answer(503)])

    with pytest.raises(UnavailableError) as error:
        receiver(address(loki)).send([at(SECOND - 9), line_of()], 5)

    assert error.value.left == [1]
    assert list(error.value.refused) == [0]


def test_a_prefix_and_a_tenant(loki: Loki, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A gateway has a path; credentials come from the environment.
    """
    monkeypatch.setenv("LOKI_AUTH", "Basic c2hvcDpzZWNyZXQ=")
    loki.answers.append(Answer(204))
    rest = "/logs/?header=X-Scope-OrgID:team&header=Authorization:$LOKI_AUTH"
    writer = receiver(address(loki, rest))

    writer.send([line_of()], 5)

    (request,) = loki.requests
    assert request.path == "/logs/loki/api/v1/push"
    assert request.headers["X-Scope-OrgID"] == "team"
    assert request.headers["Authorization"] == "Basic c2hvcDpzZWNyZXQ="
    assert "c2hvcDpzZWNyZXQ" not in writer.name
