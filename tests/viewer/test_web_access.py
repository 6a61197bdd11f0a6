"""
`ctxlog web` of access logs whose lines have no request's id: each line is a request.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from math import inf
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from ctxlog.__main__ import main
from ctxlog.viewer.web.singles import NONE, Single, Singles
from tests.helpers import need
from tests.viewer.serving import (
    ZERO,
    Asked,
    ids,
    line,
    listed,
    opened,
    serving,
    told,
    without_id,
)

need("starlette", "uvicorn")

pytestmark = pytest.mark.real_server

_LINE, _PATH = 10, 7


def combined(minute: int, method: str, path: str, status: int, user: str = "-") -> str:
    """A line of nginx's format `combined`, so many minutes after noon."""
    time = f"31/Jan/2026:12:{minute:02d}:00 +0000"
    asked = f'"{method} {path} HTTP/1.1" {status} 42'
    return f'10.0.0.7 - {user} [{time}] {asked} "-" "curl/8.5.0"\n'


def caddys(minute: int, method: str, path: str, status: int, took: float) -> str:
    """A line of Caddy's, which is written at the end of a request."""
    members = {
        "level": "error" if status >= 500 else "info",
        "ts": ZERO + minute * 60,
        "logger": "http.log.access.log0",
        "msg": "handled request",
        "request": {"method": method, "host": "shop.example", "uri": path},
        "duration": took,
        "status": status,
    }
    return json.dumps(members) + "\n"


ACCESS = [
    combined(1, "GET", "/orders/1", 200, "alice"),
    combined(3, "POST", "/orders", 503),
    combined(5, "GET", "/static/a[1].js?v=2", 404),
]
CADDY = [
    caddys(2, "GET", "/orders/2", 200, 0.25),
    caddys(4, "DELETE", "/orders/1", 500, 1.5),
]


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """An access log of nginx's and one of Caddy's."""
    folder = tmp_path_factory.mktemp("logs")
    nginx, caddy = folder / "access.log", folder / "caddy.log"
    nginx.write_text("".join(ACCESS))
    caddy.write_text("".join(CADDY))
    return [nginx, caddy]


@pytest.fixture(scope="module")
def address(logs: list[Path]) -> Iterator[str]:
    """The page of both."""
    with serving(logs) as found:
        yield found


def test_each_line_is_listed(address: str) -> None:
    """The newest first, with method, path, status and duration; failing ones marked."""
    found = listed(address)
    shown = [[row[0], *row[2:9]] for row in found["rows"]]
    assert shown == [
        ["-", 0.0, 1, 0, False, "GET", "/static/a[1].js?v=2", "404"],
        ["-", 1500.0, 1, 1, True, "DELETE", "/orders/1", "500"],
        ["-", 0.0, 1, 1, True, "POST", "/orders", "503"],
        ["-", 250.0, 1, 0, False, "GET", "/orders/2", "200"],
        ["-", 0.0, 1, 0, False, "GET", "/orders/1", "200"],
    ]
    assert (found["matched"], found["failed"], found["outside"]) == (5, 2, None)
    assert [sum(some) for some in zip(*found["bars"]["bars"], strict=True)] == [5, 2]
    assert found["state"]["why"].startswith("no line has a request's id")


@pytest.mark.parametrize(
    ("selection", "paths"),
    [
        ({"errors": "1"}, ["/orders/1", "/orders"]),
        ({"status": "5xx", "path": "/orders"}, ["/orders"]),
        ({"path": "/orders/*"}, ["/orders/1", "/orders/2", "/orders/1"]),
        ({"user": "alice"}, ["/orders/1"]),
        ({"grep": "shop.example"}, ["/orders/1", "/orders/2"]),
        ({"grep": "orders", "errors": "1", "slow": "1s"}, ["/orders/1"]),
        ({"level": "error"}, ["/orders/1"]),
        ({"slow": "250ms"}, ["/orders/1", "/orders/2"]),
        ({"since": "2026-01-31 12:04"}, ["/static/a[1].js?v=2", "/orders/1"]),
        ({"until": "2026-01-31 12:02"}, ["/orders/2", "/orders/1"]),
        ({"request": "-"}, []),
    ],
)
def test_lines_are_chosen_as_requests_are(
    address: str, selection: dict[str, str], paths: list[str]
) -> None:
    """All that is chosen must hold for the line; none is outside of requests, too."""
    found = listed(address, **selection)
    assert [row[_PATH] for row in found["rows"]] == paths
    assert (found["matched"], found["outside"]) == (len(paths), None)


@pytest.mark.parametrize("number", range(5))
def test_what_opens_a_line_prints_it_in_a_terminal(
    address: str, logs: list[Path], number: int, capfd: pytest.CaptureFixture[str]
) -> None:
    """It has its line as it stands in its file; so does the command for the same."""
    row = listed(address)["rows"][number]
    head, (shown,) = opened(address, line=row[_LINE])
    assert (head["path"], head["status"]) == (row[_PATH], row[8])
    expected = sorted([*ACCESS, *CADDY], key=lambda one: _minute(one))[::-1][number]
    assert shown[11] + "\n" == expected
    assert main(["show", *map(str, logs), *head["asked"], "--json"]) == 0
    assert capfd.readouterr().out == expected


def _minute(one: str) -> float:
    if one.startswith("{"):
        return float(json.loads(one)["ts"] - ZERO)
    return 60.0 * int(one.split(":")[2])


@pytest.mark.parametrize("name", ["0-1-5.0", "1-0-5.0", "0-999999-5.0"])
def test_a_line_that_is_gone_is_not_opened(address: str, name: str) -> None:
    """Nothing is shown of a place where no such line is."""
    assert opened(address, line=name) == ({}, [])


@pytest.mark.parametrize("name", ["", "x", "0-x-1", "7-0-1.0"])
def test_what_names_no_line_is_refused(address: str, name: str) -> None:
    """A name of another form, or of a file that was not given, is wrong use."""
    path = urlsplit(address).path + "api/request?" + urlencode({"line": name})
    assert Asked(address, path).status == 400


def test_a_packed_file_lists_the_same(address: str, tmp_path: Path) -> None:
    """Its lines are found where they are once it is unpacked."""
    packed = [tmp_path / "access.log.gz", tmp_path / "caddy.log.gz"]
    packed[0].write_bytes(gzip.compress("".join(ACCESS).encode()))
    packed[1].write_bytes(gzip.compress("".join(CADDY).encode()))
    with serving(packed) as other:
        found = listed(other)
        assert found["rows"] == listed(address)["rows"]
        head, _ = opened(other, line=found["rows"][1][_LINE])
    assert (head["method"], head["took"]) == ("DELETE", 1500.0)


def test_lines_that_are_written_are_listed_until_their_file_is_gone(
    tmp_path: Path,
) -> None:
    """New ones come first, also among what was chosen; another file begins anew."""
    log = tmp_path / "access.log"
    log.write_text("".join(ACCESS))
    with serving([log]) as address:
        assert listed(address, status="5xx")["matched"] == 1
        with log.open("a", encoding="utf-8") as file:
            file.write(combined(6, "GET", "/late", 502))
        told(address, lambda state: state["requests"] == 4)
        for selection in ({}, {"status": "5xx"}, {"errors": "1"}):
            assert listed(address, **selection)["rows"][0][_PATH] == "/late"
        log.rename(tmp_path / "access.log.1")
        log.write_text(combined(7, "GET", "/other", 200))
        told(address, lambda state: state["requests"] == 1)
        assert [row[_PATH] for row in listed(address)["rows"]] == ["/other"]
        assert listed(address, status="5xx")["matched"] == 0


def test_beside_requests_and_other_lines(tmp_path: Path) -> None:
    """Requests with an id are among them; lines about no request are not."""
    access, shop = tmp_path / "access.log", tmp_path / "shop.log"
    access.write_text("".join(ACCESS))
    shop.write_text(
        line(200, "INFO", "order", "req-A") + without_id(0, "ERROR", "cannot start")
    )
    with serving([access, shop]) as address:
        found = listed(address)
        assert ids(found) == ["-", "req-A", "-", "-"]
        assert (found["matched"], found["outside"][3]) == (4, 1)
        assert found["state"]["why"] == ""
        _, rows = opened(address, id="", errors="1")
        assert [row[8] for row in rows] == ["cannot start"]
        with_text = listed(address, grep="or")
        assert [row[_PATH] for row in with_text["rows"]] == ["", "/orders", "/orders/1"]


def test_they_are_kept_in_order_however_they_come() -> None:
    """Pieces before, after and within others; an unknown time is the oldest."""
    numbers = random.Random(5)
    some, kept = [], NONE
    for place in range(300):
        start = float(numbers.randrange(100)) if place % 50 else -inf
        took = place % 3 if place % 50 else 0.0
        some.append(Single(start, took, place, place % 7 == 0))
    for first in (100, 0, 250, 200, 50, 150):
        kept = kept.merged(Singles.of(some[first : first + 50]))
    found = kept.newest(1000)
    assert [one.start for one in found] == sorted(
        (one.start for one in some), reverse=True
    )
    starts = {one.place: one.start for one in some}
    assert {one.place: one.start for one in found} == starts
    within = kept.within(20.0, 40.0).newest(1000)
    assert sorted(one.place for one in within) == [
        one.place for one in some if one.start <= 40 and one.start + one.took >= 20
    ]
    counted = kept.counted([0.0, 50.0, inf])
    assert [sum(each) for each in zip(*counted, strict=True)] == [
        sum(one.start >= 0 for one in some),
        sum(one.start >= 0 and one.failed for one in some),
    ]
