"""
How requests look: times, durations, colors, fields and the width of the terminal.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxlog.__main__ import main
from ctxlog.viewer.query.moments import length, moment
from ctxlog.viewer.show.times import duration_text
from ctxlog.viewer.show.wrapping import in_rows

Captured = pytest.CaptureFixture[str]


def _line(time: str, message: str = "m", **more: object) -> str:
    fields = {"timestamp": time, "level": "INFO", "requestID": "req-A"}
    return json.dumps({**fields, "message": message, **more}) + "\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """
    A file with a request that begins before midnight, in UTC, and one that fails.
    """
    file = tmp_path / "app.log"
    other = {"requestID": "req-B", "status": 503, "path": "/x", "method": "GET"}
    file.write_text(
        _line("2026-01-31T23:30:00.000Z", "one", user={"id": 7, "name": {"x": 1}})
        + _line("2026-02-01T00:00:01.000Z", "two", k8s={"pod": "a"}, order="o-7")
        + _line("2026-02-01T00:00:02.000Z", **other),
        encoding="utf-8",
    )
    return file


def test_another_day_and_a_long_duration(log: Path, capsys: Captured) -> None:
    """
    The date stands where the day changes, and a duration is as people read it.
    """
    assert main(["show", str(log), "-r", "req-A"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "req-A  7  2026-01-31T23:30:00.000Z  30m01s  2 lines  0 errors",
        "      +0.0  INFO      one  user.id=7 user.name.x=1",
        "2026-02-01",
        "+1801000.0  INFO      two  k8s.pod=a order=o-7",
    ]


def test_a_status_of_500_is_an_error(log: Path, capsys: Captured) -> None:
    """
    It is counted, whatever the level of its line.
    """
    assert main(["show", str(log), "-r", "req-B"]) == 0
    assert capsys.readouterr().out.splitlines()[0].endswith("1 line  1 error")


@pytest.mark.parametrize(
    "words", [("--tz", "-05:00"), ("--tz=-05:00",), ("--tz", "-0500")], ids=str
)
def test_an_offset_behind_utc_is_no_option(
    log: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """It is the zone, though it begins as options do."""
    assert main(["show", *words, str(log)]) == 0
    assert "-05:00" in capsys.readouterr().out.splitlines()[0]


@pytest.mark.parametrize("zone", [("--tz", "+02:00"), ("--tz", "Etc/GMT-2")])
def test_a_time_zone(log: Path, zone: tuple[str, str], capsys: Captured) -> None:
    """
    Times are shown in it, and times without one are read in it.
    """
    words = ["show", str(log), *zone]
    assert main([*words, "--since", "2026-02-01 02:00:02"]) == 0
    out = capsys.readouterr().out
    assert "2026-02-01T02:00:02.000+02:00" in out
    assert "req-A" not in out


@pytest.mark.parametrize("command", [["top"], ["tree", "-r", "req-B"]])
def test_a_time_zone_of_other_commands(
    log: Path, command: list[str], capsys: Captured
) -> None:
    """
    What they show of times is in it, too.
    """
    assert main([*command, str(log), "--tz", "+02:00"]) == 0
    assert "2026-02-01T02:00:02.000+02:00" in capsys.readouterr().out


def test_a_zone_or_a_time_that_is_none(log: Path, capsys: Captured) -> None:
    """
    One sentence says what is allowed.
    """
    assert main(["show", str(log), "--tz", "Moon/Base"]) == 2
    assert "Europe/Berlin" in capsys.readouterr().err
    assert main(["show", str(log), "--since", "soon"]) == 2
    assert "--since: 'soon' is no time such as yesterday" in capsys.readouterr().err


def test_fields_that_are_hidden(log: Path, capsys: Captured) -> None:
    """
    By their name, or by a pattern.
    """
    words = ["show", str(log), "-r", "req-A", "--hide", "order", "--hide", "k8s.*"]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "user.id=7" in out
    assert "order" not in out
    assert "k8s" not in out
    words = ["diff", "req-A", "req-B", str(log), "--hide", "order"]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "path=/x" in out
    assert "order" not in out


def test_several_requests_and_a_limit(log: Path, capsys: Captured) -> None:
    """
    Any of the ids is meant, and `-n` ends the list.
    """
    assert main(["show", str(log), "-r", "req-A", "-r", "req-B"]) == 0
    assert capsys.readouterr().out.count("errors") == 1
    assert main(["show", str(log), "-n", "1"]) == 0
    assert "req-B" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "painted"),
    [((), False), (("--color", "always"), True), (("--color", "never"), False)],
)
def test_colors(
    log: Path, words: tuple[str, ...], painted: bool, capsys: Captured
) -> None:
    """
    `--color` decides; else there are none in a pipe.
    """
    assert main(["show", str(log), *words]) == 0
    assert ("\x1b[" in capsys.readouterr().out) == painted


def test_fields_of_other_names(tmp_path: Path, capsys: Captured) -> None:
    """
    For loggers whose names are not known.
    """
    file = tmp_path / "odd.log"
    odd = {"n": "r-1", "when": "2026-01-31T12:00:00Z", "how": "ERROR", "txt": "x"}
    file.write_text(json.dumps({**odd, "took_us": 2500}) + "\n", encoding="utf-8")
    words = ["--id-field", "n", "--time-field", "when", "--level-field", "how"]
    words += ["--message-field", "txt", "--duration-field", "took_us"]
    assert main(["show", str(file), *words]) == 0
    header, line = capsys.readouterr().out.splitlines()
    assert header.split("  ") == [
        *("r-1", "2026-01-31T11:59:59.997Z", "2.5 ms", "1 line", "1 error")
    ]
    assert line.split()[:3] == ["+2.5", "ERROR", "x"]


def test_wrong_use_is_one_sentence(capsys: Captured) -> None:
    """
    Without a summary of all options.
    """
    with pytest.raises(SystemExit) as ended:
        main(["show", "--status", "9"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_file_that_is_missing_beside_one_that_is_there(
    log: Path, capsys: Captured
) -> None:
    """
    What there is is shown, and the exit code says that something is missing.
    """
    assert main(["show", str(log), str(log.parent / "none.log")]) == 2
    out, err = capsys.readouterr()
    assert "req-A" in out
    assert "none.log" in err


def test_the_version_of_each_command(capsys: Captured) -> None:
    """
    As that of the whole.
    """
    with pytest.raises(SystemExit) as ended:
        main(["show", "--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("ctxlog ")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0.0 ms"),
        (0.931, "931.0 ms"),
        (0.99996, "1.0 s"),
        (12.34, "12.3 s"),
        (59.96, "1m00s"),
        (931, "15m31s"),
        (3599.6, "1h00m"),
        (7260, "2h01m"),
        (90_000, "1d01h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    """
    No more exact than one reads them.
    """
    assert duration_text(seconds) == text


def test_moments() -> None:
    """
    Days begin at midnight of the zone; a span is so long ago.
    """
    zone = timezone(timedelta(hours=2))
    now = datetime.now(zone)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    assert moment("today", zone) == today.timestamp()
    assert moment("yesterday", zone) == (today - timedelta(days=1)).timestamp()
    assert moment("12:30", zone) == today.timestamp() + 45_000
    assert moment("2026-01-31", zone) == 1769810400
    assert moment("2026-01-31 12:00:01.5") == 1769860801.5
    assert moment("1769860800") == 1769860800
    ago = moment("1h30m")
    assert ago is not None
    assert abs(now.timestamp() - 5400 - ago) < 60
    for text in ("", "soon", "2026-02-30", "25:00", "12:00 today"):
        assert moment(text) is None
    assert length("1.5h") == 5400


_TEXTS = st.text(st.characters(codec="ascii", exclude_categories=["C"]), max_size=60)


@given(_TEXTS, st.lists(st.tuples(_TEXTS, _TEXTS), max_size=5), st.integers(1, 50))
def test_no_row_is_too_wide_and_nothing_is_lost(
    message: str, fields: list[tuple[str, str]], room: int
) -> None:
    """
    But for spaces where a row ends.
    """
    rows = in_rows(message, fields, room, color=False)
    assert all(len(row) <= room for row in rows)
    (whole,) = in_rows(message, fields, None, color=False)
    assert "".join(rows).replace(" ", "") == whole.replace(" ", "")
