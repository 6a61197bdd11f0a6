"""
`configure(share_handlers=True)`: one set of handlers for the three loggers.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from typing import Any

import pytest

import ctxlog
from ctxlog.config import unconfigure
from tests.helpers import load_line, need

structlog: Any = need("structlog")
loguru: Any = need("loguru")


class Exporter(logging.Handler):
    """A handler of the application's own, such as a file's or an exporter's."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def exporter() -> Iterator[Exporter]:
    handler = Exporter()
    logging.getLogger().addHandler(handler)
    yield handler
    unconfigure()
    logging.getLogger().removeHandler(handler)


@pytest.fixture
def stream(exporter: Exporter) -> io.StringIO:
    stream = io.StringIO()
    ctxlog.configure(stream=stream, format="json", share_handlers=True)
    return stream


def test_handlers_of_logging_get_the_events_of_all_three(
    exporter: Exporter, stream: io.StringIO
) -> None:
    """
    With their levels, names, fields and exceptions, and each line is written once.
    """

    def log() -> None:
        logging.getLogger("shop").info("from %s", "stdlib", extra={"rows": 1})
        structlog.get_logger("shop").info("from %s", "structlog", rows=2)
        loguru.logger.bind(rows=3).success("from {}", "loguru")

    ctxlog.run({"requestID": "A"}, log)

    lines = [load_line(line) for line in stream.getvalue().splitlines()]
    assert [(line["message"], line["rows"], line["requestID"]) for line in lines] == [
        *(("from stdlib", 1, "A"), ("from structlog", 2, "A"), ("from loguru", 3, "A"))
    ]
    assert [(one.getMessage(), one.levelname) for one in exporter.records] == [
        *(("from stdlib", "INFO"), ("from structlog", "INFO")),
        ("from loguru", "SUCCESS"),
    ]
    assert [vars(one)["rows"] for one in exporter.records] == [1, 2, 3]


@pytest.mark.parametrize("library", ["structlog", "loguru"])
def test_exceptions_are_shared(
    exporter: Exporter, stream: io.StringIO, library: str
) -> None:
    """
    As `exc_info`, which exporters look for.
    """
    log = {
        "structlog": structlog.get_logger("shop").exception,
        "loguru": loguru.logger.exception,
    }[library]
    error = LookupError("gone")
    try:
        raise error
    except LookupError:
        log("failed")

    (record,) = exporter.records
    assert record.exc_info is not None
    assert record.exc_info[1] is error
    assert load_line(stream.getvalue())["exception"]["message"] == "gone"


def test_a_field_that_a_record_has_itself_is_prefixed(
    exporter: Exporter, stream: io.StringIO
) -> None:
    """
    `name` is the logger's name in a record.
    """
    structlog.get_logger("shop").info("hello", name="alice")

    assert load_line(stream.getvalue())["fields.name"] == "alice"


@pytest.mark.parametrize("problem", ["%d items", "%s %s"])
def test_a_wrong_format_costs_no_line(
    exporter: Exporter, stream: io.StringIO, problem: str
) -> None:
    """
    A field names the error, and the other handlers get it as well.
    """
    structlog.get_logger("shop").info(problem, "x")

    line = load_line(stream.getvalue())
    assert "message not formatted" in line["fields.logError"]
    assert line["message"] == f"{problem} [x]"
