"""
`ctxlog diff`: what one request did that another one did not.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxlog.__main__ import main
from ctxlog.viewer.group.alignment import aligned
from ctxlog.viewer.group.collected import LogLine
from ctxlog.viewer.recognize.keys import Names
from ctxlog.viewer.recognize.record import Record


def _line(request: str, at: int, message: str, **more: object) -> str:
    fields = {
        "timestamp": f"2026-01-31T12:00:00.{at:03d}Z",
        "level": "INFO",
        "requestID": request,
        "message": message,
        "logger": "shop.orders",
        "elapsedMs": at,
        **more,
    }
    return json.dumps(fields)


LINES = (
    _line("7f3a91", 0, "order received", items=2),
    _line("7f3a91", 10, "looked up o-17", durationMs=4.0),
    _line("7f3a91", 20, "POST payments/charge 201", logger="ctxlog.client", status=201),
    _line("7f3a91", 25, "order stored", order="o-17"),
    _line("9b2c44", 100, "order received", items=2),
    _line("9b2c44", 110, "looked up o-9", durationMs=5.0),
    _line(
        "9b2c44", 120, "POST payments/charge 402", logger="ctxlog.client", status=402
    ),
    _line(
        "9b2c44",
        140,
        "payment refused",
        level="ERROR",
        exception={"stack": "Traceback:\n  x"},
    ),
)


@pytest.fixture
def log(tmp_path: Path) -> str:
    """
    A file with a request that worked and one that failed.
    """
    file = tmp_path / "app.log"
    file.write_text("\n".join(LINES) + "\n", encoding="utf-8")
    return str(file)


def _rows(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [" ".join(row.split()) for row in capsys.readouterr().out.splitlines()]


def test_same_steps_stand_side_by_side(
    log: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    Values that differ are marked, and so is what only one of the two did.
    """
    assert main(["diff", "7f3a", "9b2c", log]) == 0
    assert _rows(capsys)[2:] == [
        "+0.0 +0.0 INFO order received",
        "~ +10.0 +10.0 INFO looked up o-17 → looked up o-9",
        "~ +20.0 +20.0 INFO POST payments/charge 201 → POST payments/charge 402 "
        "status=201 → 402",
        "- +25.0 INFO order stored logger=shop.orders order=o-17",
        "+ +40.0 ERROR payment refused logger=shop.orders",
        "+ Traceback:",
        "+ x",
    ]


def test_durations_differ_if_one_is_much_longer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    Twice as long and ten milliseconds at least: all others would be on every line.
    """
    file = tmp_path / "app.log"
    lines = [
        _line("a", 0, "query", durationMs=4.0),
        _line("a", 900, "call", durationMs=20.0),
        _line("b", 0, "query", durationMs=9.0),
        _line("b", 900, "call", durationMs=880.0),
    ]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert main(["diff", "a", "b", str(file)]) == 0
    first, second = _rows(capsys)[2:]
    assert "durationMs" not in first
    assert second.endswith("durationMs=20.0 → 880.0")


def _differing(tmp_path: Path, equal: int, end: str = "end") -> str:
    """Return the name of a file with two requests that differ after some steps."""
    file = tmp_path / "app.log"
    ends = {"a": {"user": {"id": 1, "name": {"first": "x"}}}}
    ends["b"] = {"user": {"id": 2, "name": {"first": "x"}}, "n": {"m": {"x": 1}}}
    lines = []
    for one in "ab":
        lines += [_line(one, at, f"step {'i' * (at + 1)}") for at in range(equal)]
        lines += [_line(one, 500, end if one == "a" else "end", **ends[one])]
        lines += [_line(one, 600, f"step {'i' * (at + 1)}") for at in range(equal)]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(file)


@pytest.mark.parametrize(("equal", "shown"), [(1, 1), (3, 3), (4, 0), (12, 0)])
def test_many_equal_steps_are_one_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], equal: int, shown: int
) -> None:
    """
    It says how many there are, before a difference and after it.
    """
    assert main(["diff", "a", "b", _differing(tmp_path, equal)]) == 0
    rows = _rows(capsys)[2:]
    assert sum("step i" in row for row in rows) == 2 * shown
    told = [] if shown else [f"... {equal} equal lines"]
    assert [row for row in rows if row.startswith("...")] == told * 2


def test_members_of_objects_are_compared_one_by_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    They are shown as `a.b=`, and those that do not differ are not.
    """
    assert main(["diff", "a", "b", _differing(tmp_path, 0)]) == 0
    assert _rows(capsys)[2].endswith("INFO end user.id=1 → 2 n.m.x=(none) → 1")
    assert main(["diff", "a", "b", _differing(tmp_path, 1, "over")]) == 0
    rows = _rows(capsys)
    assert rows[3].endswith("over logger=shop.orders user.id=1 user.name.first=x")


def test_a_difference_that_is_hidden_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    Its step is equal to the other one.
    """
    hide = ("--hide", "user.*", "--hide", "n.m.x")
    assert main(["diff", "a", "b", _differing(tmp_path, 2), *hide]) == 0
    assert _rows(capsys)[2:] == ["... 5 equal lines"]


def test_a_request_that_is_missing(
    log: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    Its id is told, and nothing is compared.
    """
    assert main(["diff", "7f3a", "zzz", log]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "ctxlog diff: no request's id begins with zzz; 2 requests" in err


def test_an_id_that_means_several(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    The requests that it may mean are listed.
    """
    file = tmp_path / "app.log"
    lines = [_line("r-1", 0, "x"), _line("r-2", 0, "x")]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert main(["diff", "r-", "r-2", str(file)]) == 2
    assert "r-1" in capsys.readouterr().err


def test_hostile_values_do_not_drive_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    Escape sequences in messages, names and values are shown as text.
    """
    evil = "\x1b[2J\x9b1m"
    file = tmp_path / "app.log"
    lines = [
        _line("a", 0, f"m{evil}", **{f"n{evil}": evil}),
        _line("a", 1, "only", exception={"stack": f"{evil}\nx"}),
        _line("b", 0, f"m{evil}", **{f"n{evil}": 1}),
    ]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert main(["diff", "a", "b", str(file)]) == 0
    assert not set("\x1b\x9b") & set(capsys.readouterr().out)


_STEPS = st.lists(
    st.sampled_from(["one", "two 2", "two 3", "four", "five"]), max_size=8
)


@given(_STEPS, _STEPS)
def test_every_step_stands_once_and_in_order(one: list[str], other: list[str]) -> None:
    """
    Of both requests, whatever they have in common; a request is the same as itself.
    """

    def lines(messages: list[str]) -> list[LogLine]:
        found = []
        for number, message in enumerate(messages):
            text = _line("a", number, message).encode()
            (record,) = Record.read(text, Names())
            found.append(LogLine(text, (), number, record))
        return found

    first, second = lines(one), lines(other)
    pairs = list(aligned(first, second))
    assert [pair.first for pair in pairs if pair.first] == first
    assert [pair.second for pair in pairs if pair.second] == second
    assert not any(pair.differs for pair in aligned(first, first))
