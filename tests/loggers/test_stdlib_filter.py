"""
`ContextFilter`: the fields as attributes of a record, for any formatter.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest
from pythonjsonlogger.json import JsonFormatter as StockJsonFormatter

import ctxlog
from ctxlog.line.redact import Redactor
from tests.helpers import LogEnvironment, run_python


@pytest.fixture
def filtered(log_env: LogEnvironment) -> LogEnvironment:
    """
    A logger whose handler has the filter and the stock JSON formatter.
    """
    log_env.handler.addFilter(ctxlog.ContextFilter())
    log_env.set_formatter(StockJsonFormatter())
    return log_env


def test_a_plain_format_has_the_id_of_every_logger_below(
    log_env: LogEnvironment,
) -> None:
    """
    On a handler the filter sees the records of child loggers, a logger's own does not.
    """
    log_env.handler.addFilter(ctxlog.ContextFilter())
    log_env.set_formatter(logging.Formatter("%(requestID)s %(name)s %(message)s"))
    child = logging.getLogger(f"{log_env.logger.name}.child")
    ctxlog.run({"requestID": "A"}, child.info, "in")
    child.info("out")
    assert log_env.lines() == ["A test.env.child in", "N/A test.env.child out"]


@pytest.mark.parametrize(
    ("bound", "shown"), [("A", "A"), (7, "7"), (None, "-"), (1.5, "1.5")], ids=str
)
def test_the_id_is_always_a_text(
    filtered: LogEnvironment, bound: Any, shown: str
) -> None:
    """
    Of whatever type it was bound, and the placeholder where it is None.
    """
    filtered.handler.filters[:] = [ctxlog.ContextFilter(missing_request_id="-")]
    ctxlog.run({"requestID": bound}, filtered.logger.info, "x")
    assert filtered.load_json()["requestID"] == shown


def test_without_a_placeholder_there_is_no_attribute(filtered: LogEnvironment) -> None:
    """
    missing_request_id=None: outside of a request a line says nothing of it.
    """
    filtered.handler.filters[:] = [ctxlog.ContextFilter(missing_request_id=None)]
    filtered.logger.info("x")
    assert filtered.load_json() == {"message": "x"}


def test_the_fields_come_in_the_order_in_which_they_were_bound(tmp_path: Any) -> None:
    """
    The same in every process, whatever its hash seed is.
    """
    program = (
        "import ctxlog, logging\n"
        "record = logging.makeLogRecord({})\n"
        "fields = {f'field{n}': n for n in range(20)}\n"
        "ctxlog.run(fields, ctxlog.ContextFilter().filter, record)\n"
        "print([name for name in vars(record) if name.startswith('field')]"
        " == list(fields))"
    )
    assert run_python("-c", program, cwd=tmp_path).stdout == "True\n"


def test_values_are_as_they_were_bound_but_for_secrets(
    filtered: LogEnvironment,
) -> None:
    """
    Numbers stay numbers, containers are copied, secrets at any depth are hidden.
    """
    bound: dict[str, Any] = {"n": 1, "list": [1, {"token": "t"}], "flag": True}
    records: list[logging.LogRecord] = []
    filtered.handler.addFilter(lambda record: bool(records.append(record)) or True)
    ctxlog.run(bound, filtered.logger.info, "x")
    line = filtered.load_json()
    assert (line["n"], line["flag"]) == (1, True)
    assert line["list"] == [1, {"token": "[redacted]"}]
    assert vars(records[0])["list"] is not bound["list"]
    assert bound["list"] == [1, {"token": "t"}]


@pytest.mark.parametrize(
    ("redact", "shown"),
    [
        (None, ("[redacted]", "b", "c@example.org")),
        (False, ("a", "b", "c@example.org")),
        (["iban"], ("[redacted]", "[redacted]", "c@example.org")),
        (Redactor((), patterns=["email"]), ("a", "b", "[redacted]")),
    ],
    ids=["default", "off", "more", "pattern"],
)
def test_what_is_hidden_can_be_chosen(
    filtered: LogEnvironment, redact: Any, shown: tuple[str, ...]
) -> None:
    """
    As with configure(); the context's fields, the call's own are not the filter's.
    """
    filtered.handler.filters[:] = [ctxlog.ContextFilter(redact=redact)]
    bound = {"password": "a", "iban": "b", "note": "c@example.org"}
    ctxlog.run(bound, filtered.logger.info, "x")
    line = filtered.load_json()
    assert (line["password"], line["iban"], line["note"]) == shown


def test_a_wrong_redaction_is_an_error_at_once() -> None:
    """
    When the filter is made, not when something is logged.
    """
    with pytest.raises(ctxlog.ConfigError, match="value for redact: 3"):
        ctxlog.ContextFilter(redact=3)


@pytest.mark.parametrize("name", ["name", "msg", "args", "levelname", "message"])
def test_a_record_keeps_its_own_attributes(filtered: LogEnvironment, name: str) -> None:
    """
    A field with the name of a record's attribute does not break the record.
    """
    ctxlog.run({name: "bound"}, filtered.logger.info, "seen %s", 1)
    line = filtered.load_json()
    assert line["message"] == "seen 1"
    assert "bound" not in str(line)


def test_an_extra_of_the_call_wins(filtered: LogEnvironment) -> None:
    """
    Also over the id, and without a KeyError.
    """
    ctxlog.run(
        {"requestID": "A", "user": "bound"},
        filtered.logger.info,
        "x",
        extra={"requestID": "B", "user": "call"},
    )
    assert filtered.load_json() == {"message": "x", "requestID": "B", "user": "call"}


def test_two_handlers_with_a_filter_each_agree(log_env: LogEnvironment) -> None:
    """
    The record is stamped once: the second filter does not take the first's fields for
    the call's.
    """
    other = LogEnvironment("test.other")
    handler = ctxlog.LineHandler(other.stream)
    handler.setFormatter(ctxlog.JsonFormatter())
    for each in (log_env.handler, handler):
        each.addFilter(ctxlog.ContextFilter())
    log_env.logger.addHandler(handler)
    ctxlog.run({"requestID": "A", "a": 1}, log_env.logger.info, "x", extra={"b": 2})
    log_env.logger.removeHandler(handler)
    assert list(other.load_json())[-3:] == ["a", "elapsedMs", "b"]
    other.close()


def test_a_wrong_format_string_costs_no_stock_handler_its_line(
    filtered: LogEnvironment,
) -> None:
    """
    The stock formatter would raise; the filter puts the arguments beside the text.
    """
    # Not under pytest's own capture, which fails the test for it.
    logger = logging.Logger("free")
    logger.addHandler(filtered.handler)
    logger.info("%d items", "many")
    assert filtered.load_json()["message"] == "%d items [many]"


def test_it_never_drops_a_record() -> None:
    """
    Whatever its name is: a filter's name usually chooses loggers.
    """
    record = logging.makeLogRecord({"name": "other"})
    assert ctxlog.ContextFilter("shop").filter(record) is True


def test_a_store_of_any_type_gives_its_fields(log_env: LogEnvironment) -> None:
    """
    A callable reads ctxlog's active store, and is not asked where there is none.
    """
    asked: list[Any] = []

    def fields(store: Any) -> dict[str, object]:
        asked.append(store)
        return {"upper": store["user"].upper()}

    log_env.handler.addFilter(ctxlog.ContextFilter(fields=fields))
    log_env.set_formatter(StockJsonFormatter())
    ctxlog.run({"user": "alice"}, log_env.logger.info, "in")
    log_env.logger.info("out")
    assert [line.get("upper") for line in log_env.load_all()] == ["ALICE", None]
    assert len(asked) == 1


def test_a_storages_fields_stand_beside_the_contexts(log_env: LogEnvironment) -> None:
    """
    Two filters on one handler, in either order.
    """
    tenant = ctxlog.AsyncLocalStorage[dict[str, str]]("tenant")
    filters = [ctxlog.ContextFilter(), ctxlog.ContextFilter(storage=tenant)]
    log_env.set_formatter(logging.Formatter("%(requestID)s %(tenant)s"))
    for order in (filters, filters[::-1]):
        log_env.handler.filters[:] = order
        ctxlog.run(
            {"requestID": "A"},
            tenant.run,
            {"tenant": "acme"},
            log_env.logger.info,
            "x",
        )
    assert log_env.lines() == ["A acme", "A acme"]


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_a_callable_that_fails_costs_no_line(filtered: LogEnvironment) -> None:
    """
    Also by an exception that cannot be printed, or with what is no mapping.
    """

    def unprintable(store: Any) -> Any:
        raise Unprintable

    for fields in (unprintable, lambda store: 3):
        filtered.handler.filters[:] = [ctxlog.ContextFilter(fields=fields)]
        ctxlog.run({"a": 1}, filtered.logger.info, "kept")
    assert [line["message"] for line in filtered.load_all()] == ["kept", "kept"]
    assert all("logError" in line for line in filtered.load_all())


def test_a_line_of_another_thread_has_that_threads_context(
    filtered: LogEnvironment,
) -> None:
    """
    Two requests in two threads through one filter: each line has its own fields.
    """
    both = threading.Barrier(2)

    def log(request_id: str) -> None:
        for number in range(50):
            both.wait()
            filtered.logger.info("%s", request_id, extra={"number": number})

    threads = [
        threading.Thread(target=ctxlog.run, args=({"requestID": name}, log, name))
        for name in ("A", "B")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = filtered.load_all()
    assert len(lines) == 100
    assert all(line["requestID"] == line["message"] for line in lines)
