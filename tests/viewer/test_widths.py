"""
What a terminal shows fits into its columns, also of wide characters.
"""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest

from ctxlog.__main__ import main
from ctxlog.viewer.show.columns import columns, cut, cut_within, padded
from ctxlog.viewer.show.grid import grid_text

ID = "3f2a9c77e0b14d6c8a5f12d09b7e4c31"
OTHER = "01aa9c77e0b14d6c8a5f12d09b7e4c31"
_BOUND = {"service": "checkout-service", "traceID": "4bf92f3577b34da6a3ce929d0e0e4736"}
_TOTALS = {"db": {"count": 7, "ms": 31.2}, "http": {"count": 2, "ms": 61.2}}
_ROUTE = "/api/v2/customers/{customer_id}/orders"
_QUERY = "SELECT id, user_id, total FROM orders WHERE user_id = %(user)s ORDER BY total"
COMMANDS = (
    ("show", "FILE", "--errors", "--no-pager"),
    ("top", "FILE"),
    *(("top", "FILE", "--by", by) for by in ("path", "route", "user")),
    ("top", "FILE", "--over", "1s"),
    ("timeline", "FILE", "-r", ID[:4]),
    ("tree", "FILE", "-r", ID[:4]),
    ("diff", ID[:4], OTHER[:4], "FILE"),
)


def _ended(request: str, second: int, status: int) -> dict[str, object]:
    path = f"/api/v2/customers/88{second}/orders"
    level = "ERROR" if status >= 500 else "INFO"
    about = {"method": "POST", "path": path, "route": _ROUTE, "status": status}
    return {
        "timestamp": f"2026-01-31T12:00:0{second}.200Z",
        "level": level,
        "requestID": request,
        "message": f"POST {path} {status}",
        **_BOUND,
        **about,
        "durationMs": 110.2,
        "user": {"name": "山田太郎" if second % 2 else "alice"},
        **_TOTALS,
    }


def _said(second: int, message: str, **fields: object) -> dict[str, object]:
    time = f"2026-01-31T12:00:0{second}.100Z"
    bound = {"level": "INFO", "requestID": ID, **_BOUND}
    return {"timestamp": time, "message": message, **bound, **fields}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Two requests with long, wide and many texts."""
    lines = [
        _said(1, "在庫が少なくなっています: 残りは 2 個です。" * 3, sku="A-4711"),
        _said(1, _QUERY, url="https://payments.example.com/v2/" + "charges/" * 20),
        _said(1, "a tab\there, and a flag 🚚", address="東京都千代田区" * 9),
        _ended(ID, 1, 503),
        _ended(OTHER, 2, 200),
    ]
    texts = [json.dumps(line, ensure_ascii=False) + "\n" for line in lines]
    made = tmp_path / "app.log"
    made.write_text("".join(texts), encoding="utf-8")
    return made


def _taken(text: str) -> int:
    """Return the columns of a text by Unicode's own table."""
    assert "\t" not in text
    wide = sum(unicodedata.east_asian_width(one) in "WF" for one in text)
    return len(unicodedata.normalize("NFC", text)) + wide


@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_row_is_wider_than_the_terminal(
    command: tuple[str, ...],
    width: int,
    file: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Headers, messages, fields, tables and bars take the columns that there are."""
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert main([str(file) if word == "FILE" else word for word in command]) in (0, 1)
    rows = capsys.readouterr().out.splitlines()
    assert rows
    assert [row for row in rows if _taken(row) > width] == []


_TABLE = [
    ["REQUEST", "START", "MS", "LINES", "ERRORS", "STATUS", "USER", "PATH", "ROUTE"],
    [ID, "2026-01-31T12:00:04.569Z", "430.5", "1", "0", "200", "山田太郎"],
    [OTHER, "2026-01-31T12:00:05.000Z", "5.0", "12", "0", "503", "bob"],
]
_TABLE[1] += ["/a/7", _ROUTE]
_TABLE[2] += ["/a/8", _ROUTE]


def test_a_table_is_whole_where_no_terminal_says_its_width() -> None:
    """Numbers are at the right of their column, and nothing is made shorter."""
    title, first, second = grid_text(_TABLE, None).splitlines()
    assert first.split() == _TABLE[1]
    assert second.split() == _TABLE[2]
    end = first.index("430.5") + len("430.5")
    assert (title[:end][-3:], second[:end][-4:]) == (" MS", " 5.0")
    assert title.index("PATH") == second.index("/a/8")
    # Four wide characters stand where eight others would.
    assert _taken(first.partition("/a/7")[0]) == title.index("PATH")


@pytest.mark.parametrize(
    ("width", "titles"),
    [
        (200, _TABLE[0]),
        (130, ["REQUEST", *_TABLE[0][1:]]),
        (118, ["REQUEST", "2026-01-31", *_TABLE[0][2:]]),
        (100, ["REQUEST", "2026-01-31", *_TABLE[0][2:7], "ROUTE"]),
        (74, ["REQUEST", "2026-01-31", "MS", "ERRORS", "STATUS", "USER", "ROUTE"]),
    ],
)
def test_the_least_important_goes_first(width: int, titles: list[str]) -> None:
    """Ids are cut, then the date is said once, then names are cut and columns left."""
    head, row, _ = grid_text(_TABLE, width).splitlines()
    assert head.split() == titles
    assert (ID in row) == (width == 200)
    assert row.startswith(ID[:12])


def test_times_of_several_days_keep_their_date() -> None:
    """The date is the title of a column of times only if all have the same."""
    other = [*_TABLE[2]]
    other[1] = other[1].replace("01-31", "02-01")
    head, *rows = grid_text([*_TABLE[:2], other], 118).splitlines()
    assert "START" in head
    assert [row.split()[1][:10] for row in rows] == ["2026-01-31", "2026-02-01"]


def test_totals_may_have_the_name_of_a_column() -> None:
    """Each column is shown, also if another one has its title."""
    table = [["REQUEST", "PATH", "PATH"], ["a", "/x", "7"]]
    assert grid_text(table, 80).splitlines()[1].split() == ["a", "/x", "7"]


@pytest.mark.parametrize(
    ("text", "size"),
    [("abc", 3), ("", 0), ("山田", 4), ("e\u0301", 1), ("a🚚", 3), ("한국어", 6)],
)
def test_columns_of_a_text(text: str, size: int) -> None:
    """Wide characters take two columns, combining marks none."""
    assert columns(text) == size
    assert columns(padded(text, 9)) == columns(padded(text, 9, right=True)) == 9


@pytest.mark.parametrize(
    "text", ["abcdefghij", "山田太郎花子", "a山b田c太d郎", "é" * 12]
)
@pytest.mark.parametrize("width", range(1, 12))
def test_what_is_cut_fits(text: str, width: int) -> None:
    """A text that is cut has an ellipsis, and no more columns than it may have."""
    for shown in (cut(text, width), cut_within(text, width)):
        assert columns(shown) <= width
        assert (shown == text) == (columns(text) <= width)
        assert (shown == text) or "…" in shown
