"""
Routes and totals: `ctxlog top` by them, and where `show` and `timeline` say them.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxlog.__main__ import main
from ctxlog.context.adapter import View
from ctxlog.line.encoder import LineEncoder
from ctxlog.line.event import Event
from ctxlog.line.vendors import SCHEMAS
from ctxlog.viewer.query.criteria import by_field, by_route
from ctxlog.viewer.read.source import Block
from ctxlog.viewer.recognize.keys import Names
from ctxlog.viewer.recognize.record import Record
from tests.helpers import need

Run = Callable[..., tuple[int, str, str]]

ROUTE = "/orders/{id}"


@pytest.fixture
def run(capfdbinary: pytest.CaptureFixture[bytes]) -> Run:
    """Run the command line in this process: exit code, output, complaints."""

    def run(*words: object) -> tuple[int, str, str]:
        code = main([str(word) for word in words])
        sys.stderr.flush()
        out, err = capfdbinary.readouterr()
        return code, out.decode(), err.decode()

    return run


def ended(
    request: str,
    route: str | None,
    *,
    path: str = "/orders/7",
    took: float = 10.0,
    schema: str = "default",
    case: str = "camel",
    logger: str = "ctxlog.request",
    **more: object,
) -> bytes:
    """Return the completion line of a request."""
    encoder = LineEncoder(SCHEMAS[schema], case=case)
    bound: dict[str, object] = {encoder.names.request_id: request}
    if route is not None:
        bound["route"] = route
    own = {"method": "GET", "path": path, "status": 200, encoder.names.duration: took}
    view = View(bound, 0)
    return encoder.encode(
        Event(1_767_225_600.0, "INFO", 20, logger, "GET", view, {**own, **more})
    )


def timed(count: int, ms: float) -> dict[str, float]:
    """Return a total."""
    return {"count": count, "ms": ms}


def table(out: str) -> list[list[str]]:
    """Return the cells of a table, without its head."""
    return [row.split() for row in out.splitlines()[1:]]


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("case", ["camel", "snake"])
def test_every_schema_is_read_alike(
    run: Run, tmp_path: Path, schema: str, case: str
) -> None:
    """The route and the totals are where each vendor has them."""
    form = {"schema": schema, "case": case}
    file = tmp_path / "a.log"
    file.write_bytes(
        ended("r1", ROUTE, db=timed(7, 31.2), http=timed(2, 80), cacheHits=3, **form)
        + ended("r2", ROUTE, db=timed(3, 8.8), redis=timed(1, 0.4), took=30.0, **form)
        + ended("r3", "/", path="/", took=70.0, **form)
    )
    _, out, err = run("top", file, "--by", "route", "--sort", "db")
    assert err == ""
    assert [re.split("  +", row) for row in out.splitlines()] == [
        "ROUTE REQUESTS FAILED P50 P95 P99 DB HTTP REDIS".split(),
        [ROUTE, "2", "0.0%", "10.0", "30.0", "30.0", "5x 20.0", "1x 40.0", "0.5x 0.2"],
        ["/", "1", "0.0%", "70.0", "70.0", "70.0"],
    ]
    _, out, _ = run("top", file, "--sort", "cacheHits")
    assert out.splitlines()[0].split()[-4:] == ["DB", "HTTP", "REDIS", "CACHEHITS"]
    assert [(row[0], row[-1]) for row in table(out)][0] == ("r1", "3")
    for words in (("--route", ROUTE), ("--field", f"route={ROUTE}")):
        code, out, _ = run("show", file, *words)
        assert (code, out.count("route /orders/{id}")) == (0, 2)
        assert "r3" not in out
    _, out, _ = run("show", file, "-r", "r1")
    assert "route /orders/{id}  db 7x 31.2 ms, http 2x 80.0 ms\n" in out
    _, out, _ = run("timeline", file, "-r", "r1")
    assert "10.0 ms  route /orders/{id}  db 7x 31.2 ms, http 2x 80.0 ms\n" in out
    page = tmp_path / "r1.html"
    assert run("timeline", file, "-r", "r1", "--html", page)[0] == 0
    assert '[["db","7x 31.2"],["http","2x 80.0"]]' in page.read_text()


def test_what_matched_nothing_is_one_group(run: Run, tmp_path: Path) -> None:
    """Paths without an end do not become groups without an end."""
    file = tmp_path / "a.log"
    file.write_bytes(
        b"".join(ended(f"r{n}", None, path=f"/wp-admin/{n}") for n in range(50))
        + ended("s", ROUTE)
    )
    _, out, _ = run("top", file, "--by", "route")
    assert [row[:2] for row in table(out)] == [["(none)", "50"], [ROUTE, "1"]]
    assert "wp-admin" not in out


def test_a_request_goes_by_its_own_line(run: Run, tmp_path: Path) -> None:
    """Not by that of a task that it sent, however long that took; a task by its own."""
    task = {"timestamp": "2026-01-01T00:00:05Z", "level": "INFO", "message": "done"}
    task |= {"logger": "ctxlog.task", "task": "mail.send", "route": "mail.send"}
    file = tmp_path / "a.log"
    file.write_bytes(
        ended("r1", ROUTE, took=10.0, db=timed(1, 2.0))
        + b"".join(
            json.dumps(
                {**task, "requestID": one, "durationMs": 900.0, "db": timed(2, 3.0)}
            ).encode()
            + b"\n"
            for one in ("r1", "t1")
        )
    )
    _, out, _ = run("top", file, "--by", "route", "--sort", "db.count")
    assert [[row[0], *row[-2:]] for row in table(out)] == [
        [ROUTE, "3x", "5.0"],
        ["mail.send", "2x", "3.0"],
    ]
    _, out, _ = run("top", file)
    assert out.splitlines()[0].split()[-3:] == ["PATH", "ROUTE", "DB"]


def test_orders(run: Run, tmp_path: Path) -> None:
    """Rows and groups come by what their column shows, else the earliest first."""
    file = tmp_path / "a.log"
    file.write_bytes(
        ended("r1", "/a", took=5.0, db=timed(212, 40.0), rows=2)
        + ended("r2", "/b", took=90.0, db=timed(1, 60.0), rows=9)
        + ended("r3", "/b", took=1.0, status=500)
        + ended("r4", "/c", took=50.0)
    )

    def first(*words: str) -> list[str]:
        return [row[0] for row in table(run("top", file, *words)[1])]

    assert first() == ["r2", "r4", "r1", "r3"]
    assert first("--sort", "db") == ["r2", "r1", "r4", "r3"]
    assert first("--sort", "db.count")[0] == "r1"
    assert first("--sort", "rows")[:2] == ["r2", "r1"]
    by = ("--by", "route", "--sort")
    assert first("--by", "route") == ["/b", "/c", "/a"]
    assert first(*by, "db") == ["/a", "/b", "/c"]
    assert first(*by, "db.count") == ["/a", "/b", "/c"]
    assert first(*by, "duration") == ["/b", "/c", "/a"]
    assert first(*by, "errors")[0] == "/b"
    assert first(*by, "lines") == ["/b", "/c", "/a"]
    assert len(first(*by, "start")) == 3
    code, _, err = run("top", file, "--sort", "dbs")
    assert (code, err) == (0, "ctxlog top: no line has a total 'dbs'\n")


@pytest.mark.parametrize(
    ("line", "route"),
    [
        ({"http.route": "/a/{b}"}, "/a/{b}"),
        ({"http": {"route": "/a/:b"}}, "/a/:b"),
        ({"fields": {"http.route": "/a"}}, "/a"),
        ({"controller": "JobsController", "action": "show"}, "JobsController#show"),
        ({"controller": 7, "action": "show"}, None),
        ({"route": {"path": "/a"}}, None),
        ({"route": 42}, "42"),
        ({"route": None}, None),
        ({"route": "^a/(?P<pk>[0-9]+)/$"}, "^a/(?P<pk>[0-9]+)/$"),
    ],
)
def test_routes_of_other_loggers(line: dict[str, Any], route: str | None) -> None:
    """Under the names that are sure to mean one."""
    assert Record(line, Names()).route == route


@pytest.mark.parametrize(
    ("line", "totals"),
    [
        ({"db": {"count": 1, "ms": 2.5}}, {"db": (1, 2.5)}),
        ({"fields.http": {"count": 1, "ms": 2}}, {"http": (1, 2)}),
        ({"_db.count": 3, "_db.ms": 2}, {"db": (3, 2)}),
        ({"_fields.db.count": 3, "_fields.db.ms": 2}, {"db": (3, 2)}),
        ({"db.count": "3", "db.ms": "2.25"}, {"db": (3, 2.25)}),
        ({"db": "orders"}, {}),
        ({"db": 7}, {}),
        ({"db": {"count": 1, "ms": "soon"}}, {}),
        ({"db": {"count": True, "ms": 1}}, {}),
        ({"db": {"count": 1e300, "ms": float("nan")}}, {}),
        ({"db": {"count": 1, "ms": 2, "rows": 3}}, {}),
        ({"took.ms": 5}, {}),
    ],
)
def test_totals_are_told_from_other_fields(
    line: dict[str, Any], totals: dict[str, Any]
) -> None:
    """An object of a count and a time, or what a store has made of one."""
    assert Record(line, Names()).totals == totals


def test_a_database_that_is_a_text_stays_readable(run: Run, tmp_path: Path) -> None:
    """The application's own `db`, and one that no row can be sorted by."""
    file = tmp_path / "a.log"
    file.write_bytes(ended("r1", ROUTE, db="orders") + ended("r2", ROUTE, db=None))
    code, out, err = run("top", file, "--sort", "db")
    assert (code, err) == (0, "ctxlog top: no line has a total 'db'\n")
    assert "DB" not in out
    assert "db=orders" in run("show", file)[1]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_call_of_another_service_is_no_request(
    run: Run, tmp_path: Path, schema: str
) -> None:
    """Its numbers are not the request's."""
    file = tmp_path / "a.log"
    file.write_bytes(
        ended(
            *("r1", ROUTE),
            **{"logger": "ctxlog.client", "path": "/", "schema": schema},
            **{"db": timed(1, 1), "took": 99.0},
        )
        + ended("r1", ROUTE, took=10.0, schema=schema)
    )
    assert "DB" not in run("top", file)[1]


def test_what_a_store_is_asked_for() -> None:
    """Every name that a route may have, where that says which lines are meant."""
    for criterion in (by_route(ROUTE), by_field(f"route={ROUTE}")):
        (condition,) = criterion.asked
        assert condition.values == (ROUTE,)
        assert {"route", "http.route", "_route"} <= {*condition.names}
    assert by_route("JobsController#show").asked == ()  # of two fields


def test_a_store_is_asked_for_a_route(run: Run) -> None:
    """`--explain` shows the query, which has a part of the route."""
    need("urllib3")
    code, out, _ = run("show", "loki://127.0.0.1:1", "--route", ROUTE, "--explain")
    assert (code, '|= "orders"' in out) == (0, True)


@given(st.text(min_size=1) | st.from_regex(r"/[a-z{}<>:?$^/]{0,20}"), st.booleans())
def test_any_route_is_found_by_its_bytes(route: str, ascii_only: bool) -> None:
    """However a logger escapes it; and nothing else is taken for it."""
    text = json.dumps({"route": route}, ensure_ascii=ascii_only)
    for written in (text, text.replace("/", "\\/")):
        line = written.encode("utf-8", "replace")
        criterion = by_route(route)
        (record,) = Record.read(line, Names())
        if criterion.scan is not None and record.route == route:
            block = Block(0, line + b"\n", len(line) + 1)
            assert list(criterion.scan(block)) == [0]
        if "\ud800" > max(route) or "\udfff" < max(route):
            assert criterion.holds(record, line)
    assert not by_route(route + "x").holds(record, line)
