"""
What the pages about structlog, loguru and OpenTelemetry say beside what they show.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import load_line, need
from tests.migrations.pages import PAGES
from tests.migrations.running import IDS, Observed, changed_section, observe

Look = Callable[[str, str], Observed]


def _written(seen: Observed, name: str) -> list[str]:
    return (seen.folder / name).read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("page", ["structlog", "loguru"])
def test_before_the_500_and_the_crash_report_have_no_id(
    page: str, observed: Look
) -> None:
    """Before, neither the response nor the server's report has the request's id."""
    seen = observed(page, "Before")
    assert seen.failed.status == 500
    assert "x-request-id" not in seen.failed.headers
    report = seen.crash[seen.crash.index("ERROR") :]
    assert "JSONDecodeError" in report
    assert IDS[2] not in report


def test_a_file_of_structlog_has_the_id_by_merge_context(tmp_path: Path) -> None:
    """Side by side, a `ProcessorFormatter` with `merge_context` has the id."""
    need(*PAGES["structlog"].needs)
    section = changed_section(
        PAGES["structlog"].sections["Side by side"],
        "app.py",
        "shared = [\n    structlog",
        "from ctxlog.loggers.structlog import merge_context\n\n"
        "shared = [\n    merge_context,\n    structlog",
    )
    section = changed_section(
        section, "app.py", "logging.StreamHandler()", 'logging.FileHandler("own.log")'
    )
    events = [
        json.loads(line) for line in _written(observe(section, tmp_path), "own.log")
    ]
    ours = [one for one in events if one["logger"] == "shop"]
    assert {one["requestID"] for one in ours} >= set(IDS)


def test_before_a_middleware_does_not_see_what_an_endpoint_binds(
    tmp_path: Path,
) -> None:
    """Before, a line of the middleware has no `shop`."""
    need(*PAGES["structlog"].needs)
    section = changed_section(
        PAGES["structlog"].sections["Before"],
        "app.py",
        "    response = await call_next(request)\n",
        "    response = await call_next(request)\n    log.info('answered')\n",
    )
    lines = observe(section, tmp_path).shown.splitlines()
    answered = [json.loads(line) for line in lines if "answered" in line]
    assert [one.get("shop") for one in answered] == [None, None]


def test_with_ctxlog_the_last_line_has_what_an_endpoint_binds(observed: Look) -> None:
    """The completion line has the `shop` that the endpoint has bound."""
    lines = [load_line(one) for one in observed("structlog", "After").two.splitlines()]
    assert {line["shop"] for line in lines if "status" in line} == {"north"}


def test_loguru_serializes_an_object_of_13_keys(observed: Look) -> None:
    """Before, each line has a text and loguru's record."""
    seen = observed("loguru", "Before")
    line = load_line(seen.shown.splitlines()[0])
    assert (list(line), len(line["record"])) == (["text", "record"], 13)


def test_after_the_file_has_what_the_console_has(observed: Look) -> None:
    """After, a file of `to=` has the lines of loguru and of `logging`."""
    seen = observed("loguru", "After")
    assert set(seen.two.splitlines()) <= set(_written(seen, "shop.log"))


def test_a_sink_of_loguru_keeps_loguru_s_lines(observed: Look) -> None:
    """Side by side, loguru's file has its own lines with the id, and no others."""
    text = "\n".join(_written(observed("loguru", "Side by side"), "shop.log"))
    assert f"'requestID': '{IDS[0]}'" in text
    assert "order received" in text
    assert "body parsed" not in text


def _records(seen: Observed) -> list[dict[str, Any]]:
    return [json.loads(line) for line in _written(seen, "exported.jsonl")]


def test_before_exported_records_have_a_trace_and_no_id(observed: Look) -> None:
    """Before, the application's records are exported, without the request's id."""
    records = _records(observed("opentelemetry", "Before"))
    ours = [one for one in records if "order" in one["body"]]
    assert all(int(one["trace_id"], 16) for one in ours)
    assert "requestID" not in json.dumps(records)
    assert "JSONDecodeError" not in json.dumps(records)


def test_side_by_side_exported_records_have_the_id(observed: Look) -> None:
    """With `ContextFilter` on the handler each record of a request has its id."""
    seen = observed("opentelemetry", "Side by side")
    records = [
        (one["body"], one["attributes"].get("requestID")) for one in _records(seen)
    ]
    for one in IDS[:2]:
        bodies = [body for body, request_id in records if request_id == one]
        assert len(bodies) == 3
        assert "POST /orders 200" in bodies


@pytest.mark.parametrize("section", ["After", "Side by side"])
def test_lines_have_the_trace_that_is_exported(section: str, observed: Look) -> None:
    """Every line of a request has the trace of its span."""
    lines = [
        load_line(one) for one in observed("opentelemetry", section).two.splitlines()
    ]
    for one in IDS[:2]:
        traces = {line["traceID"] for line in lines if line["requestID"] == one}
        assert len(traces) == 1
