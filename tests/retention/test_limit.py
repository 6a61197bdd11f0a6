"""
The limit in the loggers: what is of one kind, and what is not limited.
"""

from __future__ import annotations

import importlib
import logging
from pathlib import Path
from typing import Any

import pytest

import ctxlog
from ctxlog.context.adapter import Entry
from ctxlog.errors import ConfigError
from ctxlog.retention import _floods
from tests.helpers import need, run_python
from tests.retention.conftest import Written

LIMIT = ctxlog.RateLimit(first=3, per_second=0)


@pytest.fixture(autouse=True)
def one_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """All lines of a test come in one second."""
    now = _floods.Floods.__init__
    monkeypatch.setattr(
        _floods.Floods,
        "__init__",
        lambda self, limit, say: now(self, limit, say, clock=lambda: 1000.0),
    )


def flood(library: str) -> None:
    """Log 10 lines of one template by a logging library."""
    if library == "stdlib":
        for number in range(10):
            logging.getLogger("shop").info("paid %d", number)
    elif library == "records":
        for number in range(10):
            logging.getLogger("shop").info("paid %d", number, stack_info=True)
    elif library == "structlog":
        log: Any = importlib.import_module("structlog").get_logger("shop")
        for number in range(10):
            log.info("paid", number=number)
    else:
        loguru: Any = importlib.import_module("loguru").logger
        for number in range(10):
            loguru.info("paid {}", number)


@pytest.mark.parametrize("share", [False, True])
@pytest.mark.parametrize("library", ["stdlib", "records", "structlog", "loguru"])
def test_lines_of_one_template(written: Written, library: str, share: bool) -> None:
    """The first three are written, and one line says how many were left out."""
    if library in ("structlog", "loguru"):
        need(library)
    if (library, share) == ("loguru", True):
        pytest.skip("a record has its message formatted only")
    written.configure(limit=LIMIT, share_handlers=share)
    ctxlog.run({"requestID": "r-1"}, flood, library)
    logging.getLogger("shop").info("another template")
    ctxlog.unconfigure()

    *first, another, summary = written.lines()
    assert len(first) == 3
    assert {line["requestID"] for line in first} == {"r-1"}
    assert another["message"] == "another template"
    template = {"structlog": "paid", "loguru": "paid {}"}.get(library, "paid %d")
    logger = __name__ if library == "loguru" else "shop"
    assert summary.pop("timestamp")
    assert summary == {
        "level": "INFO",
        "requestID": "N/A",
        "message": template,
        "logger": logger,
        "suppressed": 7,
    }


def test_a_level_that_logging_has_no_name_for(written: Written) -> None:
    """The line has the name that its logger has for the level."""
    need("loguru")
    loguru: Any = importlib.import_module("loguru").logger
    written.configure(limit=LIMIT)
    for _ in range(4):
        loguru.success("paid")
    ctxlog.unconfigure()
    assert [one["level"] for one in written.lines()] == ["SUCCESS"] * 4


def test_other_handlers_get_every_line(
    written: Written, caplog: pytest.LogCaptureFixture
) -> None:
    """The limit is that of ctxlog's lines."""
    written.configure(limit=LIMIT)
    flood("stdlib")
    assert len(written.lines()) == 3
    assert len(caplog.records) == 10


def test_lines_that_come_out_of_a_buffer(written: Written) -> None:
    """They are not limited, and neither are they counted."""
    written.configure(limit=LIMIT, buffer=ctxlog.Buffer())

    def work() -> None:
        for number in range(10):
            logging.getLogger("shop").debug("looked at %d", number)
        ctxlog.flush_buffer()

    ctxlog.run({"requestID": "r-1"}, work)
    assert len(written.buffered()) == 10
    ctxlog.unconfigure()
    assert len(written.lines()) == 10


def test_completion_lines(written: Written) -> None:
    """Each call has its own, however many there are."""
    written.configure(limit=LIMIT)

    @ctxlog.entry("nightly")
    def work() -> None:
        pass

    for _ in range(10):
        work()
    assert written.messages() == ["nightly succeeded"] * 10


def test_a_line_that_is_left_out_still_decides(written: Written) -> None:
    """An error lets the lines of its request go, whether it is written or not."""
    written.configure(limit=LIMIT, buffer=ctxlog.Buffer())

    def work(number: int) -> None:
        logging.getLogger("shop").debug("before %d", number)
        logging.getLogger("shop").error("failed %d", number)

    for number in range(5):
        ctxlog.run({"requestID": f"r-{number}"}, work, number)
    assert [one for one in written.messages() if one.startswith("failed")] == [
        *("failed 0", "failed 1", "failed 2")
    ]
    assert written.buffered() == [f"before {number}" for number in range(5)]


def test_a_summary_is_said_at_the_end_of_the_process(tmp_path: Path) -> None:
    """A flood that ends the program does not take its number along."""
    program = """
import logging
import ctxlog

ctxlog.configure(format="json")
for number in range(1_000):
    logging.getLogger("shop").info("paid %d", number)
"""
    done = run_python("-c", program, cwd=tmp_path, env={"CTXLOG_LIMIT": "first=5"})
    assert done.stdout.count('"suppressed":') == 1
    assert done.stdout.count("paid") < 20


def test_without_a_store_and_in_one(written: Written) -> None:
    """Lines of all requests and of none are counted together."""
    written.configure(limit=LIMIT)
    flood("stdlib")
    with Entry(ctxlog.Store(requestID="r-1")):
        flood("stdlib")
    ctxlog.unconfigure()
    assert [one.get("suppressed") for one in written.lines()] == [
        *(None, None, None, 17)
    ]


@pytest.mark.parametrize("value", [100, {"first": 1}, "on"])
def test_what_is_no_limit(value: object) -> None:
    """The error says what is allowed."""
    with pytest.raises(ConfigError, match=r"limit.*ctxlog\.RateLimit, or None"):
        ctxlog.configure(limit=value)  # type: ignore[arg-type]
