"""
VictoriaLogs: what is sent. It answers 200 also for what it leaves out.

The stub leaves out what VictoriaLogs 1.26 leaves out, and says as little.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from ctxlog.aggregators import RefusedError, UnavailableError, receiver
from ctxlog.aggregators._line import Line
from ctxlog.errors import ConfigError
from tests.aggregators.hostile import HOSTILE
from tests.aggregators.lines import line_of
from tests.aggregators.vlogs_stub import VictoriaLogs
from tests.aggregators.web import Answer, serving
from tests.helpers import need

need("urllib3")


@pytest.fixture
def vlogs() -> Iterator[VictoriaLogs]:
    with serving(VictoriaLogs()) as store:
        assert isinstance(store, VictoriaLogs)
        yield store


def address(vlogs: VictoriaLogs, rest: str = "") -> str:
    return f"vlogs://127.0.0.1:{vlogs.port}{rest}"


def test_a_row_has_the_fields_and_the_line_beside_them(vlogs: VictoriaLogs) -> None:
    """
    Objects are flattened there; the line as it was written is kept whole.
    """
    line = line_of(user={"id": "u-1"}, rows=3)

    assert receiver(address(vlogs)).send([line], 5) == {}

    (row,) = vlogs.rows
    assert row == {
        "_time": "2026-11-28T09:30:37.250000Z",
        "_msg": "paid é",
        "_stream": '{"service": "shop", "environment": "production"}',
        "_line": line.decode().rstrip("\n"),
        "level": "ERROR",
        "requestID": "req-A",
        "logger": "shop.orders",
        "service": "shop",
        "environment": "production",
        "user.id": "u-1",
        "rows": "3",
    }
    assert vlogs.requests[0].headers["Content-Type"] == "application/stream+json"


def test_no_hostile_line_is_left_out_without_a_word(vlogs: VictoriaLogs) -> None:
    """
    Each is stored, with a time and the line as it was written, or refused here.
    """
    names, lines = list(HOSTILE), list(HOSTILE.values())

    refused = receiver(address(vlogs)).send(lines, 5)

    assert {names[place] for place in refused} == {"too long"}
    assert refused[names.index("too long")] == (
        "longer than the 262144 bytes that VictoriaLogs takes"
    )
    assert len(vlogs.rows) == len(lines) - 1
    kept = {row.get("_line", "") for row in vlogs.rows}
    for name, line in HOSTILE.items():
        if name not in ("too long", "255 KiB"):  # no room for it twice
            assert Line(line).text in kept


def test_a_line_without_room_for_it_twice_has_its_fields(vlogs: VictoriaLogs) -> None:
    """
    A line may be as long as what a store takes: there is no room even for a time.
    """
    writer = receiver(address(vlogs))
    longest = line_of(message="x" * (262_144 - len(line_of(message=""))))
    assert len(longest) == 262_144

    assert writer.send([HOSTILE["255 KiB"], longest], 5) == {}

    for row in vlogs.rows:
        assert "_line" not in row
        assert row["requestID"] == "req-A"
        assert row["_time"] == "2026-11-28T09:30:37.250000Z"


def test_a_line_with_too_many_fields_has_the_ones_that_say_whose_it_is(
    vlogs: VictoriaLogs,
) -> None:
    """
    The others are in the line as it was written.
    """
    receiver(address(vlogs)).send([HOSTILE["many fields"], HOSTILE["a long name"]], 5)

    many, named = vlogs.rows
    assert many["requestID"] == "req-A"
    assert many["_msg"] == "paid é"
    assert json.loads(many["_line"])["field1199"] == 1199
    assert "field1" not in many
    assert named["_msg"] == "l"


def test_the_stores_names_are_its_own(vlogs: VictoriaLogs) -> None:
    """
    A field of such a name is on the line as it was written.
    """
    receiver(address(vlogs)).send([HOSTILE["metadata"]], 5)

    (row,) = vlogs.rows
    assert row["_time"].startswith("20")
    assert json.loads(row["_line"])["_time"] == 3


def test_nothing_is_sent_of_lines_that_are_all_too_long(vlogs: VictoriaLogs) -> None:
    """
    They are refused without a request.
    """
    assert list(receiver(address(vlogs)).send([HOSTILE["too long"]] * 2, 5)) == [0, 1]
    assert vlogs.requests == []


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        # Out of disk: "cannot add rows into storage in read-only mode".
        (Answer(429, b"storage is in read-only mode"), UnavailableError),
        (Answer(500), UnavailableError),
        (Answer(400, b"cannot parse AccountID"), RefusedError),
    ],
)
def test_answers(vlogs: VictoriaLogs, answer: Answer, error: type[Exception]) -> None:
    """
    What it cannot take now is sent again.
    """
    vlogs.answers.append(answer)
    writer = receiver(address(vlogs, "?header=AccountID:12"))

    with pytest.raises(error):
        writer.send([line_of()], 5)
    writer.close()
    assert writer.send([line_of()], 5) == {}
    assert vlogs.requests[1].headers["AccountID"] == "12"


def test_an_unknown_option() -> None:
    """
    A misspelled option is no option.
    """
    with pytest.raises(ConfigError, match="tenant"):
        receiver("vlogs://localhost?tenant=12")
