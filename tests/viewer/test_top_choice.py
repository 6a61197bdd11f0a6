"""
`ctxlog top`: chosen requests, as objects, by template of their path, and over time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxlog.__main__ import main
from ctxlog.viewer.group.paths import template_of
from ctxlog.viewer.group.summary import Row
from ctxlog.viewer.read.source import Block, Source
from ctxlog.viewer.show.histogram import Intervals, histogram_text
from ctxlog.viewer.show.look import Look

Captured = pytest.CaptureFixture[str]


def _line(number: int, second: int, path: str, status: int, **more: object) -> str:
    fields = {
        "timestamp": f"2026-01-31T12:00:{second:02d}.000Z",
        "level": "ERROR" if status >= 500 else "INFO",
        "requestID": f"r-{number}",
        "message": f"GET {path} {status}",
        "method": "GET",
        "path": path,
        "status": status,
        "db": {"count": number, "ms": 1.5},
        "durationMs": 10.0 * number,
        **more,
    }
    return json.dumps(fields) + "\n"


@pytest.fixture
def log(tmp_path: Path) -> str:
    """
    A file with four requests.
    """
    file = tmp_path / "app.log"
    file.write_text(
        _line(1, 11, "/users/17", 200)
        + _line(2, 12, "/users/18?x=1", 503, user="ann")
        + _line(3, 32, "/health", 200)
        + _line(4, 33, "/users/19", 200),
        encoding="utf-8",
    )
    return str(file)


def test_several_ids_are_looked_for_at_once(
    log: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A file is read once, however many ids are given.
    """
    reads = []
    blocks = Source.blocks

    def counted(source: Source, *where: int) -> Iterator[Block]:
        reads.append(source.name)
        return blocks(source, *where)

    monkeypatch.setattr(Source, "blocks", counted)
    assert main(["top", log, "-r", "r-1", "-r", "r-2", "-r", "r-3"]) == 0
    assert "r-3" in capsys.readouterr().out
    assert reads == [log]


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        ([], ["r-4", "r-3", "r-2", "r-1"]),
        (["-n", "1"], ["r-4"]),
        (["--errors"], ["r-2"]),
        (["--slow", "30ms"], ["r-4", "r-3"]),
        (["--path", "/users/*", "--status", "200"], ["r-4", "r-1"]),
        (["-r", "r-1", "-r", "r-3"], ["r-3", "r-1"]),
        (["-r", "r-1", "-r", "*-3", "-g", "GET"], ["r-3", "r-1"]),
        (["-r", "*-*"], ["r-4", "r-3", "r-2", "r-1"]),
        (["-g", "health"], ["r-3"]),
        (["--user", "ann"], ["r-2"]),
        (["--since", "2026-01-31 12:00:33"], ["r-4"]),
    ],
)
def test_requests_that_are_chosen(
    log: str, words: list[str], ids: list[str], capsys: Captured
) -> None:
    """
    By all options that `show` has for that.
    """
    assert main(["top", log, *words]) == 0
    _, *rows = capsys.readouterr().out.splitlines()
    assert [row.split()[0] for row in rows] == ids


def test_objects(log: str, capsys: Captured) -> None:
    """
    A row is an object with numbers as numbers; what is not known is left out.
    """
    assert main(["top", log, "--json", "--user", "ann"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "request": "r-2",
        "start": "2026-01-31T12:00:11.980Z",
        "durationMs": 20.0,
        "lines": 1,
        "errors": 1,
        "failed": 1,
        "method": "GET",
        "path": "/users/18?x=1",
        "status": 503,
        "user": "ann",
        "totals": {"db": {"count": 2, "ms": 1.5}},
    }


def test_objects_do_not_drive_the_terminal(tmp_path: Path, capsys: Captured) -> None:
    """
    Control characters and marks of direction are escaped, and read back as they were.
    """
    evil = "/a\x1b[2J\x7f\x9b1m\u202e\u00fc"
    file = tmp_path / "evil.log"
    file.write_text(_line(1, 1, evil, 200), encoding="utf-8")
    assert main(["top", str(file), "--json"]) == 0
    out = capsys.readouterr().out
    assert out.isascii()
    assert out.rstrip("\n").isprintable()
    assert json.loads(out)["path"] == evil


def test_groups_of_paths(log: str, capsys: Captured) -> None:
    """
    Paths that differ in an id only are one; as objects, too.
    """
    assert main(["top", log, "--by", "path"]) == 0
    _, users, health = capsys.readouterr().out.splitlines()
    assert users.split()[:3] == ["/users/{}", "3", "33.3%"]
    assert health.split()[:3] == ["/health", "1", "0.0%"]
    assert main(["top", log, "--by", "path", "--json", "-n", "1"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["path"] == "/users/{}"
    assert found["requests"] == 3
    assert found["totals"]["db"]["ms"] == 1.5


def test_requests_over_time(log: str, capsys: Captured) -> None:
    """
    An interval without any request is a row, too.
    """
    assert main(["top", log, "--over", "10s"]) == 0
    day, *rows = capsys.readouterr().out.splitlines()
    assert day == "2026-01-31"
    assert [row.split()[:2] for row in rows] == [
        *(["12:00:10", "2"], ["12:00:20", "0"], ["12:00:30", "2"])
    ]
    assert rows[0].endswith("1 failed")
    assert rows[0].count("▓") == rows[0].count("█") == 30
    assert main(["top", log, "--over", "10s", "--json"]) == 0
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    assert first == {"start": "2026-01-31T12:00:10.000Z", "requests": 2, "failed": 1}


def test_a_line_of_another_year(log: str, capsys: Captured) -> None:
    """
    It is there; what is between it and the others is said, and takes one row.
    """
    with Path(log).open("a", encoding="utf-8") as file:
        for number, year in ((5, "1970"), (6, "2099"), (7, "9999"), (8, "0001")):
            at = f"{year}-01-31T12:00:00Z"
            file.write(_line(number, 0, "/health", 200, timestamp=at))
    assert main(["top", log, "--over", "10s"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) == 5 + 7 + 4
    assert [row.split()[0] for row in rows if row.count("-") == 2] == [
        *("0001-01-31", "1970-01-31", "2026-01-31", "2099-01-31", "9999-01-31")
    ]
    assert rows[5] == "... 176,722,561 intervals without a request left out"
    assert main(["top", log, "--over", "10s", "--json"]) == 0
    found = list(map(json.loads, capsys.readouterr().out.splitlines()))
    assert [one["requests"] for one in found] == [1, 1, 2, 0, 2, 1, 1]


def test_requests_without_a_time(log: str, capsys: Captured) -> None:
    """
    They are counted in a row of their own.
    """
    with Path(log).open("a", encoding="utf-8") as file:
        file.write(_line(5, 0, "/health", 500, timestamp=None))
        file.write(_line(6, 0, "/health", 200, timestamp="soon"))
    assert main(["top", log, "--over", "10s"]) == 0
    *_, last = capsys.readouterr().out.splitlines()
    assert last == "without a time: 2 requests  1 failed"
    assert main(["top", log, "--over", "10s", "--json"]) == 0
    *_, last = capsys.readouterr().out.splitlines()
    assert json.loads(last) == {"start": None, "requests": 2, "failed": 1}
    assert main(["top", log, "--over", "10s", "-n", "1"]) == 0
    _, first, last = capsys.readouterr().out.splitlines()
    assert first.startswith("12:00:10")
    assert last.startswith("without a time")


def test_failed_is_a_number_of_requests(log: str, capsys: Captured) -> None:
    """
    In the objects of requests, of groups and of intervals.
    """
    for words in ([], ["--by", "path"], ["--over", "10s"]):
        assert main(["top", log, "--json", *words]) == 0
        found = list(map(json.loads, capsys.readouterr().out.splitlines()))
        assert {type(one["failed"]) for one in found} == {int}
        assert sum(one["failed"] for one in found) == 1


def test_too_many_intervals(tmp_path: Path, capsys: Captured) -> None:
    """
    It is said what would make fewer, and there are no rows.
    """
    file = tmp_path / "many.log"
    stamps = (f"2026-01-31T12:{n // 60:02}:{n % 60:02}Z" for n in range(2100))
    lines = (_line(n, 0, "/", 200, timestamp=at) for n, at in enumerate(stamps))
    file.write_text("".join(lines), encoding="utf-8")
    assert main(["top", str(file), "--over", "1s"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "intervals are too many" in err
    assert main(["top", str(file), "--over", "1m"]) == 0


@given(
    st.lists(st.none() | st.floats(-1e11, 1e12, allow_nan=False), max_size=30),
    st.floats(0.001, 1e9),
)
def test_every_request_is_in_an_interval(
    starts: list[float | None], seconds: float
) -> None:
    """
    None is lost, whatever the times are, and all intervals that are told are rows.
    """
    both = table, later = Intervals(seconds), Intervals(seconds)
    for number, start in enumerate(starts):
        row = Row(str(number))
        row.extent.start = row.extent.end = start
        both[number % 2].add(row)
    table.merge(later)
    found = table.all()
    assert sum(one.number for one in found) == table.number == len(starts)
    assert len(found) <= 21 * len(starts)
    assert histogram_text(found, Look()).count("\n") >= len(found)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--over", "0s"], "needs a time"),
        (["--over", "0.1ms"], "1ms at least"),
        (["--over", "1m", "--by", "path"], "neither --by nor --sort"),
    ],
)
def test_intervals_that_cannot_be(
    log: str, words: list[str], said: str, capsys: Captured
) -> None:
    """
    It is told in a sentence.
    """
    assert main(["top", log, *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/users/17/orders/o-99", "/users/{}/orders/{}"),
        ("/f/3f2a9c1e-0b1c-4f6e-9a70-1c2d3e4f5a6b", "/f/{}"),
        ("https://shop.example/a/7f3a91c2?x=1#y", "/a/{}"),
        ("/d/2026-01-31", "/d/{}"),
        ("/by/ann@example.org", "/by/{}"),
        ("/t/01HN3ZKJ8V6Q5R4S3T2W1X0Y9Z", "/t/{}"),
        ("/docs/annual-report-2024", "/docs/annual-report-2024"),
        ("/docs/report_1999_final", "/docs/report_1999_final"),
        ("/docs/2024-annual-report/17", "/docs/2024-annual-report/{}"),
        ("/docs/AnnualReport2024", "/docs/AnnualReport2024"),
        ("/archive/2024", "/archive/{}"),
        ("/docs/annual-report-2024-01-31", "/docs/{}"),
        ("/docs/annual-report-20240131", "/docs/{}"),
        ("/c/abcdef2024", "/c/{}"),
        ("/o/o-2024", "/o/{}"),
        ("/o/order-20241", "/o/{}"),
        ("/o/order-7f3a2024bc", "/o/{}"),
        ("/t/01HN3ZKJ8V6Q5R4S3T2W1X2024", "/t/{}"),
        ("/health", "/health"),
        ("/v1/api/deadbeef", "/v1/api/deadbeef"),
        ("/", "/"),
        ("", ""),
    ],
)
def test_templates(path: str, template: str) -> None:
    """
    Names stay; what may be an id is `{}`.
    """
    assert template_of(path) == template


_WORD = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJ", min_size=3, max_size=9)


@given(st.lists(_WORD, min_size=1, max_size=4), st.integers(1900, 2099), st.data())
def test_words_with_a_year_stay(
    words: list[str], year: int, data: st.DataObject
) -> None:
    """
    Wherever the year stands: they are the name of something.
    """
    parts: list[str] = list(words)
    parts.insert(data.draw(st.integers(0, len(words))), str(year))
    path = "/docs/" + data.draw(st.sampled_from("-_")).join(parts)
    assert template_of(path) == path


def test_a_long_segment_takes_no_longer_than_others() -> None:
    """
    No pattern goes back and forth in it.
    """
    for text in ("a" * 50_000, "a-" * 25_000, "2024-a" * 9000, "a-2024" * 9000):
        assert template_of(f"/x/{text}!") == "/x/{}"


_ID = st.one_of(
    st.integers(0),
    st.uuids(),
    st.integers(1 << 36, 1 << 64)
    .map("{:x}".format)
    .filter(lambda one: not one.isalpha()),
)


@given(st.lists(_ID, min_size=1, max_size=4))
def test_any_ids_are_one_template(ids: list[object]) -> None:
    """
    Whatever ids stand in a path.
    """
    path = "".join(f"/things/{one}" for one in ids)
    assert template_of(path) == "/things/{}" * len(ids)


def test_of_requests_that_took_as_long_the_earliest_is_first(
    tmp_path: Path, capsys: Captured
) -> None:
    """Wherever their lines stand, and however these are read."""
    file = tmp_path / "app.log"
    lines = [_line(n, 30 - n, "/", 200, durationMs=1.0, odd=[n] * n) for n in range(9)]
    late = _line(20, 40, "/", 200, durationMs=0.5)
    file.write_text("".join(lines) + late, encoding="utf-8")
    assert main(["top", str(file), "--json"]) == 0
    rows = [json.loads(row) for row in capsys.readouterr().out.splitlines()]
    assert [row["request"] for row in rows[:9]] == [f"r-{n}" for n in range(8, -1, -1)]
