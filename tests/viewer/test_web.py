"""
`ctxlog web`: the server of the page, asked as a browser asks it.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

import pytest

from ctxlog.__main__ import main
from ctxlog.viewer.web.selection import Selection
from tests.helpers import LIMIT, clean_environment, need
from tests.viewer.serving import (
    Asked,
    ids,
    line,
    listed,
    opened,
    serving,
    told,
    without_id,
    written,
)

need("starlette", "uvicorn")

pytestmark = pytest.mark.real_server


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of 50 requests."""
    return written(tmp_path_factory.mktemp("log"))


@pytest.fixture(scope="module")
def address(log: Path) -> Iterator[str]:
    """The address of the page of that log."""
    with serving([log]) as found:
        yield found


def test_the_newest_request_comes_first(address: str) -> None:
    """All requests are listed by when they began, and spread over time."""
    found = listed(address)
    assert ids(found) == [f"req-{number:02d}" for number in reversed(range(50))]
    assert (found["matched"], found["failed"]) == (50, 5)
    assert sum(bar[0] for bar in found["bars"]["bars"]) == 50
    assert sum(bar[1] for bar in found["bars"]["bars"]) == 5


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ({"errors": "1"}, [49, 39, 29, 19, 9]),
        ({"grep": "order 17 received"}, [17]),
        ({"grep": "order 1[78]"}, [18, 17]),
        ({"level": "error", "until": "2026-01-31T12:15:00Z"}, [9]),
        ({"status": "5xx", "since": "2026-01-31T12:39:00Z"}, [49, 39]),
        ({"path": "/ord*", "request": "req-0", "errors": "1"}, [9]),
        ({"user": "alice", "request": "req-33"}, [33]),
        ({"user": "bob"}, []),
        ({"slow": "200ms"}, []),
        ({"slow": "99ms", "errors": "1", "request": "req-4"}, [49]),
        (
            {"since": "2026-01-31T12:01:00Z", "until": "2026-01-31T12:02:00Z"},
            [2, 1],
        ),
    ],
)
def test_requests_are_chosen_as_with_show(
    address: str, selection: dict[str, str], expected: list[int]
) -> None:
    """All options that are given must hold."""
    found = listed(address, **selection)
    assert ids(found) == [f"req-{number:02d}" for number in expected]


@pytest.mark.parametrize(
    "selection", [{"slow": "x"}, {"level": "loud"}, {"grep": "("}, {"since": "soon"}]
)
def test_what_cannot_be_read_is_said(address: str, selection: dict[str, str]) -> None:
    """An option that is wrong is named, and nothing is listed."""
    path = urlsplit(address).path + "api/requests?" + urlencode(selection)
    asked = Asked(address, path)
    assert asked.status == 400
    assert next(iter(selection.values())) in asked.json["error"]
    with pytest.raises(ValueError, match=re.escape(next(iter(selection.values())))):
        Selection(selection)


def test_a_request_has_its_lines(address: str) -> None:
    """First its head, then its lines by when they begin, as they stand in the file."""
    head, rows = opened(address, id="req-09")
    assert (head["id"], head["status"], head["errors"]) == ("req-09", "503", 1)
    assert [row[8] for row in rows] == ["order 9 received", "POST /orders"]
    assert json.loads(rows[1][11])["status"] == 503


def test_times_and_fields_are_shown_as_with_show(log: Path) -> None:
    """Times are those of a zone, also where they are chosen; fields are left out."""
    with serving(["--tz=+02:00", "--hide", "us*", log]) as address:
        found = listed(address, since="2026-01-31 14:48")
        head, rows = opened(address, id="req-49")
    assert ids(found) == ["req-49", "req-48"]
    hours = [found["bars"]["ahead"], found["rows"][0][-1], head["ahead"]]
    assert hours == [7_200_000] * 3
    assert rows[0][9] == ["service", "shop"]
    assert found["words"] == ["--tz=+02:00", "--hide=us*", str(log)]


def test_the_token_is_needed(address: str) -> None:
    """Without it, or with another one, there is nothing."""
    path = urlsplit(address).path
    assert Asked(address, path).status == 200
    for other in ("/", "/api/requests", f"{path[:-2]}x/", "//", f"/%00{path}"):
        asked = Asked(address, other)
        assert asked.status == 404
        assert b"req-" not in asked.body


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", ""])
def test_only_this_machine_is_meant(address: str, host: str) -> None:
    """A name that leads here by a trick is refused, with the token, too."""
    assert Asked(address, urlsplit(address).path, host).status == 403


def test_nothing_else_may_run(address: str) -> None:
    """Every answer forbids scripts and styles but the page's own files."""
    path = urlsplit(address).path
    for part in ("", "page.css", "web.js", "icon.svg", "api/requests", "nothing"):
        headers = Asked(address, path + part).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
    page = Asked(address, path).body.decode()
    assert "style=" not in page
    assert "<style" not in page
    assert "onclick" not in page


def test_what_is_written_is_told(tmp_path: Path) -> None:
    """A line that is written reaches the list, and what was chosen before."""
    log = written(tmp_path)
    with serving([log]) as address:
        assert ids(listed(address, grep="late")) == []
        with log.open("a", encoding="utf-8") as file:
            file.write(line(9000, "ERROR", "a late one", "req-late"))
        state = told(address, lambda state: "req-late" in state["recent"])
        assert state["requests"] == 51
        assert ids(listed(address, grep="late")) == ["req-late"]
        assert ids(listed(address))[0] == "req-late"


def test_why_there_are_no_requests_is_said(tmp_path: Path) -> None:
    """Lines without ids that are about no request: what lists them is said."""
    log = tmp_path / "shop.log"
    log.write_text(without_id(0, "INFO", "ready") + without_id(1, "ERROR", "not ready"))
    with serving([log]) as address:
        found = listed(address)
        assert (found["rows"], found["outside"][3]) == ([], 1)
        assert found["state"]["why"].startswith("2 lines, none has a request's id")
        assert "A text, such as ready" in found["state"]["why"]
        assert listed(address, grep="ready")["outside"][3] == 2
        with log.open("a", encoding="utf-8") as file:
            file.write(line(0, "INFO", "a request", "req-1"))
        state = told(address, lambda state: "req-1" in state["recent"])
        assert state["why"] == ""


@pytest.mark.parametrize("form", ["JSON", "text"])
def test_a_last_line_without_an_end_is_listed(tmp_path: Path, form: str) -> None:
    """It counts once, also when its end is written, and so does the line after it."""
    log = tmp_path / "app.log"

    def made(request: str) -> str:
        if form == "JSON":
            return line(0, "ERROR", "no", request)
        return f"2026-01-31T12:00:00Z ERROR shop: no request_id={request}\n"

    def is_listed(**lines: int) -> Callable[[object], bool]:
        return lambda _: {row[0]: row[3] for row in listed(address)["rows"]} == lines

    log.write_text(made("first").rstrip("\n"))
    with serving([log]) as address:
        told(address, is_listed(first=1))
        with log.open("a", encoding="utf-8") as file:
            file.write("\n" + made("second") + made("first").rstrip("\n"))
        told(address, is_listed(first=2, second=1))
        with log.open("a", encoding="utf-8") as file:
            file.write("\n" + made("third"))
        told(address, is_listed(first=2, second=1, third=1))


def test_a_trace_is_joined(tmp_path: Path) -> None:
    """A request has the lines of its trace; where no id is like a text traces are."""
    shop, other = tmp_path / "shop.log", tmp_path / "payments.log"
    shop.write_text(line(0, "INFO", "order", "req-A", traceID="t-1"))
    more = {"service": "payments", "traceID": "t-1"}
    other.write_text(
        line(1, "ERROR", "refused", "req-B", **more)
        + line(2, "INFO", "another", "req-C", traceID="t-2")
    )
    with serving([shop, other]) as address:
        head, rows = opened(address, id="req-A")
        found = {text: listed(address, request=text) for text in ("t-1", "-A", "-1")}
    assert head["requests"] == ["req-A", "req-B"]
    assert [(row[5], row[6], row[8]) for row in rows] == [
        (0, "shop", "order"),
        (1, "payments", "refused"),
    ]
    shown = {text: (ids(one), one["traced"]) for text, one in found.items()}
    assert shown == {
        "t-1": (["req-B", "req-A"], True),
        "-A": (["req-A"], False),
        "-1": ([], True),
    }


# Lines outside of requests ------------------------------------------------------------


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page of a log with three lines outside of requests, of which two failed."""
    log = written(tmp_path_factory.mktemp("log"))
    with log.open("a", encoding="utf-8") as file:
        file.write(without_id(-60, "INFO", "starting"))
        file.write(without_id(-59, "ERROR", "cannot start", port=80))
        file.write(without_id(3600, "CRITICAL", "out of memory"))
    with serving([log]) as found:
        yield found


@pytest.mark.parametrize(
    ("selection", "lines", "errors"),
    [
        ({}, ["cannot start", "out of memory"], 2),
        ({"errors": "1"}, ["cannot start", "out of memory"], 2),
        ({"level": "critical"}, ["out of memory"], 1),
        ({"grep": "start"}, ["starting", "cannot start"], 1),
        ({"grep": "start", "errors": "1"}, ["cannot start"], 1),
        ({"grep": "start", "level": "critical"}, [], 0),
        ({"until": "2026-01-31T12:00:00Z"}, ["cannot start"], 1),
        ({"grep": "t", "since": "2026-01-31T12:50:00Z"}, ["out of memory"], 1),
        ({"user": "alice"}, [], 0),
        ({"request": "req-1"}, [], 0),
        ({"slow": "1ms"}, [], 0),
    ],
)
def test_lines_outside_of_requests_are_an_entry(
    beside: str, selection: dict[str, str], lines: list[str], errors: int
) -> None:
    """Errors, or all that is searched for: as many are listed as it has when opened."""
    found = listed(beside, **selection)
    entry = found["outside"]
    assert (entry or [None] * 5)[3:5] == ([len(lines), errors] if lines else [None] * 2)
    assert all(ids(found))
    _, rows = opened(beside, id="", **selection)
    assert [row[8] for row in rows] == lines


def test_lines_outside_of_requests_are_told(tmp_path: Path) -> None:
    """Those that are written are counted once, among errors and what is searched."""
    log = written(tmp_path)
    with serving([log]) as address:
        assert listed(address)["outside"] is None
        assert listed(address, grep="disk")["outside"] is None
        with log.open("a", encoding="utf-8") as file:
            file.write(without_id(9000, "WARNING", "disk is nearly full"))
            file.write(without_id(9001, "ERROR", "disk is full"))
        told(address, lambda state: "" in state["recent"])
        assert listed(address)["outside"][3] == 1
        assert listed(address, grep="disk")["outside"][3] == 2
        assert listed(address, grep="full")["outside"][3] == 2


HOSTILE = [
    "</script><img src=x onerror=alert(1)>",
    "\u202eabc\x00\x1b[31m\u2028",
    "\ud800",
    "x" * 100_000,
    float("nan"),
    2**80,
    {"a": [{"b": "<svg>"}]},
]


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_values_are_data(tmp_path: Path, value: object) -> None:
    """Whatever a value or an id is, the answers are JSON without markup."""
    log = tmp_path / "x.log"
    request = value if isinstance(value, str) and len(value) < 100 else "req-A"
    log.write_text(line(0, "INFO", "x", request, path=value, evil=value))
    with serving([log]) as address:
        found = listed(address)
        assert found["matched"] == 1
        path = urlsplit(address).path
        shown = quote(request.encode("utf-8", "replace"))
        asked = [
            Asked(address, f"{path}api/requests"),
            Asked(address, f"{path}api/request?id={shown}"),
        ]
    for answer in asked:
        assert b"<" not in answer.body
        for one in answer.body.splitlines():
            json.loads(one)


@pytest.mark.parametrize("arguments", [["/no/such.log"], ["x.log", "--port", "99999"]])
def test_wrong_use(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    """A file that is not there, or a port that is none, is said in one sentence."""
    assert main(["web", *arguments]) == 2
    assert capfd.readouterr().err.count("\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="groups of processes")
def test_ctrl_c_right_after_the_address_ends_it_without_a_word(tmp_path: Path) -> None:
    """It goes to the processes that read, too, which have only begun then."""
    process = subprocess.Popen(
        [sys.executable, "-Im", "ctxlog", "web", str(written(tmp_path))],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=clean_environment(),
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("http://127.0.0.1:")
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=LIMIT)
    assert said == ""
