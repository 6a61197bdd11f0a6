"""
`ctxlog tree`: the requests, tasks and calls of one trace, of all services.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxlog.__main__ import main
from ctxlog.viewer.group.parts import parts_of
from ctxlog.viewer.group.tree import tree_of, walk
from ctxlog.viewer.recognize.keys import Names
from ctxlog.viewer.recognize.record import Record
from ctxlog.viewer.show.look import Look
from ctxlog.viewer.show.tree import tree_text
from tests.helpers import ROOT

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "aaaaaaaaaaaaaaaa"


def _at(milliseconds: float) -> str:
    return f"2026-01-31T12:00:00.{round(milliseconds * 1000):06d}Z"


def _ours(at: float, message: str, logger: str, **more: object) -> dict[str, object]:
    line = {"timestamp": _at(at), "level": "INFO", "requestID": "req-A"}
    return {**line, "message": message, "logger": logger, "traceID": TRACE, **more}


#: What five systems wrote about one trace: each file with its lines.
SERVED: Mapping[str, Sequence[Mapping[str, object]]] = {
    "web.log": [
        _ours(0, "begun", "shop", spanID=SPAN, elapsedMs=0.1),
        _ours(
            *(50, "POST payments/charge 201", "ctxlog.client"),
            **{"elapsedMs": 50, "status": 201, "durationMs": 40.0},
        ),
        _ours(
            *(100, "POST /orders 500", "ctxlog.request"),
            **{"level": "ERROR", "method": "POST", "path": "/orders", "status": 500},
            durationMs=100.0,
        ),
    ],
    "worker.log": [
        _ours(200, "mail begun", "mail", taskID="t1", task="mail.send"),
        _ours(
            *(300, "mail.send succeeded", "ctxlog.task"),
            **{"taskID": "t1", "task": "mail.send", "durationMs": 100.0},
        ),
        _ours(
            *(500, "audit.note succeeded", "ctxlog.task"),
            **{"taskID": "t2", "task": "audit.note", "parentTaskID": "t1"},
            durationMs=50.0,
        ),
    ],
    # Spring Boot, in the Elastic Common Schema.
    "spring.json": [
        {
            "@timestamp": _at(15),
            "log": {"level": "INFO", "logger": "c.e.Payments"},
            "service": {"name": "payments"},
            "message": "charging",
            "traceId": TRACE,
        },
        {
            "@timestamp": _at(45),
            "log": {"level": "WARN", "logger": "c.e.Payments"},
            "service": {"name": "payments"},
            "message": "slow",
            "traceId": TRACE,
        },
    ],
    # pino-http
    "bank.json": [
        {
            "level": 30,
            "time": 1769860800040,
            "req": {"id": "pino-7", "method": "POST", "url": "/debit"},
            "res": {"statusCode": 200},
            "responseTime": 20,
            "trace_id": TRACE,
            "msg": "request completed",
        }
    ],
    # zap
    "fraud.json": [
        {
            "level": "info",
            "ts": 1769860800.025,
            "msg": "scored",
            "requestId": "zap-3",
            "trace_id": TRACE,
        }
    ],
    # .NET
    "stock.json": [
        {
            "Timestamp": _at(60),
            "LogLevel": "Information",
            "Message": "reserved",
            "Scopes": [
                {"SpanId": "cccccccccccccccc", "TraceId": TRACE, "ParentId": SPAN},
                {"RequestId": "0HN1:1", "RequestPath": "/reserve"},
            ],
        }
    ],
    "other.log": [
        {"timestamp": _at(30), "requestID": "req-B", "message": "of another request"}
    ],
}


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """
    A directory with what five systems wrote about one trace, and more.
    """
    for name, lines in SERVED.items():
        text = "".join(f"{json.dumps(line)}\n" for line in lines)
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "core.bin").write_bytes(b"\x00\x01requestID")
    (tmp_path / ".hidden.log").write_text("hidden\n", encoding="utf-8")
    return tmp_path


def _shown(capsys: pytest.CaptureFixture[str]) -> list[tuple[int, str]]:
    """
    Return the rows of a tree: how deep each is, and what it says.
    """
    found = []
    for row in capsys.readouterr().out.splitlines()[1:]:
        match = re.match(r" *-?[\d.]+  ([│ └├─]*)(.*?)  +(\S+) +\|", row)
        assert match is not None, row
        found.append((len(match[1]) // 3, f"{match[3]}: {match[2]}"))
    return found


@pytest.mark.parametrize("wanted", ["req-A", TRACE, TRACE[:12], "pino-7", "0HN1"])
def test_one_trace_of_five_systems(
    served: Path, wanted: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    All that belongs together is one tree, in order, whichever id of it is given.
    """
    assert main(["tree", "-r", wanted, str(served)]) == 0
    assert _shown(capsys) == [
        (0, "web: POST /orders 500"),
        (1, "web: → POST payments/charge 201"),
        (2, "payments: charging"),
        (3, "bank: POST /debit 200"),
        (4, "fraud: scored"),
        (1, "stock: /reserve"),
        (1, "worker: task mail.send"),
        (2, "worker: task audit.note"),
    ]


def test_a_request_without_a_trace(
    served: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    It is a tree of its own; an id that nothing has is none.
    """
    assert main(["tree", "-r", "req-B", str(served)]) == 0
    assert _shown(capsys) == [(0, "other: of another request")]
    assert main(["tree", "-r", "req-X", str(served)]) == 1


@pytest.mark.parametrize("width", [80, 120, 200])
def test_no_row_is_wider_than_the_terminal(
    served: Path,
    width: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    Titles are cut, and bars take what is left.
    """
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert main(["tree", "-r", "req-A", str(served)]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert all(len(row) <= width for row in rows)
    # The facts about the whole have a row, or two.
    assert len([row for row in rows if "|" in row]) == 8


def test_the_page_shows_what_is_printed(
    served: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The tree in docs/viewer.md is that of these files.
    """
    monkeypatch.setenv("COLUMNS", "88")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert main(["tree", "-r", "req-A", str(served)]) == 0
    page = (ROOT / "docs" / "viewer.md").read_text(encoding="utf-8")
    shown = page.partition("$ ctxlog tree -r req-A logs/\n")[2].partition("```")[0]
    assert capsys.readouterr().out == shown


def _records(*lines: Mapping[str, object]) -> list[tuple[str, str, Record]]:
    found = []
    for line in lines:
        (record,) = Record.read(json.dumps(line).encode(), Names())
        found.append((record.request or "", str(line.get("service", "")), record))
    return found


def test_a_task_whose_sender_is_not_in_the_files() -> None:
    """
    It hangs below the request, and says that there is something between.
    """
    lines = (
        _ours(0, "begun", "shop"),
        _ours(9, "done", "mail", taskID="t2", task="mail", parentTaskID="t1"),
    )
    (root,) = tree_of(parts_of(_records(*lines)))
    assert [(one.title, one.adrift) for one in root.children] == [("mail", True)]


def test_parents_that_go_in_circles() -> None:
    """
    Two tasks that name each other are both shown, one below the other.
    """
    lines = (
        _ours(1, "a", "mail", taskID="t1", task="a", parentTaskID="t2"),
        _ours(2, "b", "mail", taskID="t2", task="b", parentTaskID="t1"),
    )
    parts = [part for part, _ in walk(tree_of(parts_of(_records(*lines))))]
    assert sorted(part.title for part in parts) == ["a", "b"]


def test_a_clock_that_is_behind() -> None:
    """
    A span that names its parent is below it, though it seems to begin before.
    """
    lines = (
        {**_ours(50, "outer", "a", spanID=SPAN), "requestID": "r-1"},
        {
            **_ours(10, "inner", "b", spanID="b" * 16, parentSpanID=SPAN),
            "requestID": "r-2",
        },
    )
    (root,) = tree_of(parts_of(_records(*lines)))
    assert root.title == "outer"
    assert [one.title for one in root.children] == ["inner"]


def _span(at: float, service: str, span: str, **more: object) -> dict[str, object]:
    line = {"timestamp": _at(at), "service": service, "traceID": TRACE}
    return {**line, "spanID": span * 16, "message": f"{service} {span}", **more}


def _outline(*lines: Mapping[str, object]) -> list[tuple[int, str]]:
    """
    Return how deep each part of a tree is, and what it is about.
    """
    roots = tree_of(parts_of(_records(*lines)))
    return [(len(lasts), part.title) for part, lasts in walk(roots)]


def test_each_span_of_a_service_that_names_its_parent() -> None:
    """
    A service that was called twice in a trace is there twice.
    """
    assert _outline(
        _span(0, "web", "1"),
        _span(10, "pay", "2", parentSpanID="1" * 16),
        _span(20, "pay", "3", parentSpanID="1" * 16),
        _span(25, "bank", "4", parentSpanID="3" * 16),
        _span(30, "pay", "2", parentSpanID="1" * 16),
    ) == [(0, "web 1"), (1, "pay 2"), (1, "pay 3"), (2, "bank 4")]


def test_a_service_that_was_asked_twice_under_one_id() -> None:
    """
    Without spans each line about a whole request ends one; others are of these by time.
    """
    whole: dict[str, Any] = {"method": "POST", "path": "/c", "durationMs": 15}
    log, calls = "ctxlog.request", "ctxlog.client"
    sent: dict[str, Any] = {**whole, "durationMs": 20, "service": "web"}
    lines = (
        _ours(0, "begun", "shop", service="web"),
        _ours(25, "POST pay/c 503", calls, **sent),
        _ours(50, "POST pay/c 201", calls, **sent),
        _ours(12, "one", "pay", service="pay"),
        _ours(22, "ended", log, service="pay", status=503, **whole),
        _ours(40, "two", "pay", service="pay"),
        _ours(47, "ended", log, service="pay", status=201, **whole),
    )
    assert _outline(*lines) == [
        (0, "begun"),
        (1, "POST pay/c 503"),
        (2, "POST /c 503"),
        (1, "POST pay/c 201"),
        (2, "POST /c 201"),
    ]
    roots = tree_of(parts_of(_records(*lines)))
    assert [part.lines for part, _ in walk(roots)] == [3, 0, 2, 0, 2]


def test_calls_at_the_same_time_are_told_apart_by_their_paths() -> None:
    """
    A request belongs to the call that has its path.
    """
    call: dict[str, Any] = {"service": "web", "method": "GET", "status": 200}
    call["durationMs"] = 50
    assert _outline(
        _ours(0, "begun", "shop", service="web"),
        _ours(60, "GET a/one 200", "ctxlog.client", **call, path="/one"),
        _ours(61, "GET b/two 200", "ctxlog.client", **call, path="/two"),
        _ours(20, "GET /one", "a", service="a", method="GET", path="/one"),
    ) == [
        (0, "begun"),
        (1, "GET a/one 200"),
        (2, "GET /one"),
        (1, "GET b/two 200"),
    ]


@pytest.mark.parametrize("at", [1, 5, 30])
def test_a_parent_that_is_not_in_the_files(at: float) -> None:
    """
    The part hangs below the top with a mark, also if its clock is behind.
    """
    lines = (
        _span(5, "web", "1"),
        _span(at, "pay", "2", parentSpanID="9" * 16),
        _span(40, "web", "1"),
    )
    (root,) = tree_of(parts_of(_records(*lines)))
    assert (root.title, root.adrift) == ("web 1", False)
    assert [(one.title, one.adrift) for one in root.children] == [("pay 2", True)]


def test_a_clock_that_differs_does_not_stretch_the_tree() -> None:
    """
    What is below its cause by name is shown within it, with a mark, in order.
    """
    lines = (
        _span(100, "web", "1", durationMs=100),
        _span(60, "pay", "3", parentSpanID="1" * 16),
        {
            **_span(0, "far", "2", parentSpanID="1" * 16, durationMs=20),
            "timestamp": "2026-01-31T11:00:00Z",
        },
    )
    roots = tree_of(parts_of(_records(*lines)))
    header, *rows = tree_text(roots, [TRACE], 100, Look()).splitlines()
    assert "100.0 ms" in header
    assert [row.split()[0] for row in rows] == ["0.0", "40.0~", "60.0"]


def test_a_request_that_names_what_caused_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    Requests and tasks with ids of their own are found by the one that they name.
    """
    lines = (
        {"timestamp": _at(0), "requestID": "req-A", "message": "first"},
        {
            **{"timestamp": _at(1), "requestID": "req-B", "message": "second"},
            **{"parentRequestID": "req-A", "taskID": "t1", "task": "t"},
        },
        {
            **{"timestamp": _at(2), "requestID": "req-C", "message": "third"},
            **{"parent_task_id": "t1"},
        },
        {"timestamp": _at(3), "requestID": "req-D", "message": "another"},
    )
    file = tmp_path / "app.log"
    file.write_text("".join(f"{json.dumps(one)}\n" for one in lines), encoding="utf-8")
    for wanted in ("req-A", "req-B", "req-C"):
        assert main(["tree", "-r", wanted, str(file)]) == 0
        shown = [title for _, title in _shown(capsys)]
        assert shown == ["app: first", "app: task t", "app: third"]


def test_a_trace_whose_id_is_written_in_several_forms(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    Upper case, an UUID, W3C's text and Datadog's decimal number are the same trace.
    """
    low = int(TRACE[16:], 16)
    forms = [
        *(TRACE, TRACE.upper(), f"00-{TRACE}-{SPAN}-01", str(low)),
        f"{TRACE[:8]}-{TRACE[8:12]}-{TRACE[12:16]}-{TRACE[16:20]}-{TRACE[20:]}",
    ]
    for number, form in enumerate(forms):
        line = {"timestamp": _at(number), "trace_id": form, "message": "m"}
        file = tmp_path / f"s{number}.log"
        file.write_text(json.dumps(line) + "\n", encoding="utf-8")
    for form in forms:
        assert main(["tree", "-r", form, str(tmp_path)]) == 0
        shown = sorted(title for _, title in _shown(capsys))
        assert shown == [f"s{number}: m" for number in range(len(forms))]


def test_ids_that_each_process_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    The seventh request of another process is not of the trace of this one's.
    """
    for service, trace in (("a", TRACE), ("b", "c" * 32), ("c", None)):
        line = {"time": 1769860800040, "req": {"id": 7}, "msg": service}
        if trace is not None:
            line["trace_id"] = trace
        file = tmp_path / f"{service}.log"
        file.write_text(json.dumps(line) + "\n", encoding="utf-8")
    assert main(["tree", "-r", TRACE, str(tmp_path)]) == 0
    assert _shown(capsys) == [(0, "a: a")]


def test_hostile_values_do_not_drive_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    Escape sequences in messages, services and tasks are shown as text.
    """
    line = _ours(0, "\x1b[2Jx", "a", service="\x1b]0;x\x07", task="\x9b2J", taskID="t")
    file = tmp_path / "app.log"
    file.write_text(json.dumps(line) + "\n", encoding="utf-8")
    assert main(["tree", "-r", "req-A", str(file)]) == 0
    out = capsys.readouterr().out
    assert not set("\x1b\x07\x9b") & set(out)


_IDS = st.sampled_from(["1" * 16, "2" * 16, "3" * 16, "4" * 16])
_LINES: Any = st.lists(
    st.fixed_dictionaries(
        {"requestID": st.sampled_from("ABC"), "message": st.just("m")},
        optional={
            "timestamp": st.integers(0, 900).map(_at),
            "durationMs": st.integers(0, 500),
            "service": st.sampled_from("xyz"),
            "traceID": st.sampled_from(["a" * 32, "b" * 32]),
            "spanID": _IDS,
            "parentSpanID": _IDS,
            "taskID": st.sampled_from(["t1", "t2", "t3"]),
            "parentTaskID": st.sampled_from(["t1", "t2", "t3", "t4"]),
            "logger": st.sampled_from(["shop", "ctxlog.client"]),
        },
    ),
    max_size=12,
)


@given(_LINES)
def test_parts_have_one_parent(lines: list[dict[str, object]]) -> None:
    """
    What is at the top is adrift of nothing; a mark is on nothing else's cause.
    """
    roots = tree_of(parts_of(_records(*lines)))
    assert not any(root.adrift for root in roots)
    tops = {id(root) for root in roots}
    for part, _ in walk(roots):
        for child in part.children:
            assert id(child) not in tops
            assert not child.adrift or id(part) in tops


@given(_LINES)
def test_every_line_is_in_the_tree_once(lines: list[dict[str, object]]) -> None:
    """
    Whatever lines say of each other, nothing is lost, twice or its own ancestor.
    """
    parts = parts_of(_records(*lines))
    shown = [part for part, _ in walk(tree_of(parts))]
    assert len(shown) == len(set(map(id, shown))) == len(parts)
    assert sum(part.lines for part in shown) == len(lines)
