"""
Handlers and formatters of others that send every attribute of a record: beside ctxlog
they send what they send without it.
"""

from __future__ import annotations

import copy
import json
import logging
import logging.handlers
import pickle
import queue
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pythonjsonlogger.json import JsonFormatter as StockJsonFormatter

import ctxlog
from tests.helpers import LogEnvironment, load_line, need

_Export = Callable[[logging.LogRecord], object]


def _plain_json() -> _Export:
    return lambda record: json.loads(json.dumps(record.__dict__, default=repr))


def _http_handler() -> _Export:
    return logging.handlers.HTTPHandler("127.0.0.1", "/log", "POST").mapLogRecord


def _datagram_handler() -> _Export:
    handler = logging.handlers.DatagramHandler("127.0.0.1", 9)
    return lambda record: pickle.loads(handler.makePickle(record)[4:])


def _formatted(formatter: Any) -> _Export:
    return lambda record: json.loads(formatter.format(record))


def _python_json_logger() -> _Export:
    return _formatted(StockJsonFormatter())


def _ecs_logging() -> _Export:
    return _formatted(need("ecs_logging").StdlibFormatter())


def _json_log_formatter() -> _Export:
    return _formatted(need("json_log_formatter").VerboseJSONFormatter())


def _logstash_async() -> _Export:
    need("logstash_async")
    from logstash_async.formatter import LogstashFormatter

    return _formatted(LogstashFormatter())


def _powertools() -> _Export:
    need("aws_lambda_powertools")
    from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

    return _formatted(LambdaPowertoolsFormatter())


def _structlog_extra_adder() -> _Export:
    structlog = need("structlog")
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.ExtraAdder()],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
    )
    return _formatted(formatter)


EXPORTS = [
    _plain_json,
    _http_handler,
    _datagram_handler,
    _python_json_logger,
    _ecs_logging,
    _json_log_formatter,
    _logstash_async,
    _powertools,
    _structlog_extra_adder,
]


@pytest.fixture(params=EXPORTS, ids=lambda made: made.__name__.strip("_"))
def export(request: pytest.FixtureRequest) -> _Export:
    """
    The output of another library's handler or formatter for a record.
    """
    made: _Export = request.param()
    return made


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    yield
    ctxlog.uninstall_record_factory()
    logging.setLogRecordFactory(logging.LogRecord)


def _paths(value: Any, prefix: str = "") -> set[str]:
    """
    The names in a value, at any depth.
    """
    if not isinstance(value, dict):
        return {prefix}
    return {
        path for name in value for path in _paths(value[name], f"{prefix}/{name}")
    } or {prefix}


class Mine(logging.LogRecord):
    """
    A record class of an application.
    """


def _log() -> list[logging.LogRecord]:
    """
    The records of a line with fields and of a crash, as a handler gets them.
    """
    records: list[logging.LogRecord] = []
    logger = logging.Logger("shop")
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign]
    logger.addHandler(handler)
    logger.info("paid %s", 3, extra={"rows": 3})
    try:
        raise ValueError("bad")
    except ValueError:
        logger.exception("failed")
    return records


@pytest.mark.parametrize("kind", [logging.LogRecord, Mine])
@pytest.mark.parametrize("queued", [False, True])
def test_an_exporter_sends_nothing_of_ours(
    export: _Export, kind: type[logging.LogRecord], queued: bool
) -> None:
    """
    The same names as without ctxlog, also for records that went through a queue.
    """

    def exported() -> list[set[str]]:
        records = _log()
        if queued:
            prepare = logging.handlers.QueueHandler(queue.Queue()).prepare
            records = list(map(prepare, records))
        return [_paths(export(copy.copy(record))) for record in records]

    logging.setLogRecordFactory(kind)
    expected = exported()
    ctxlog.install_record_factory()
    assert ctxlog.run({"requestID": "A", "user": "u"}, exported) == expected


def test_an_exporter_sends_the_fields_that_the_filter_sets(export: _Export) -> None:
    """
    With `ContextFilter` the context's fields are attributes, and there is no more.
    """
    ctxlog.install_record_factory()
    expected = [_paths(export(record)) for record in _log()]
    records = ctxlog.run({"requestID": "A", "user": "u"}, _log)
    for record, paths in zip(records, expected, strict=True):
        assert ctxlog.ContextFilter().filter(record)
        found = _paths(export(record))
        assert found >= paths
        names = {path.rpartition("/")[2] for path in found - paths}
        assert names == {"requestID", "user"}


def _sdk_handler(provider: Any) -> logging.Handler:
    from opentelemetry.sdk._logs import LoggingHandler

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        handler: logging.Handler = LoggingHandler(logger_provider=provider)
    return handler


def _instrumentation_handler(provider: Any) -> logging.Handler:
    need("opentelemetry.instrumentation.logging")
    from opentelemetry.instrumentation.logging.handler import LoggingHandler

    handler: logging.Handler = LoggingHandler(logger_provider=provider)
    return handler


@pytest.mark.parametrize("make", [_sdk_handler, _instrumentation_handler])
def test_opentelemetrys_handlers_export_one_record_for_a_line(
    make: Callable[[Any], logging.Handler],
) -> None:
    """
    No attribute of ours that they cannot encode: they would warn, line by line, through
    the very handler.
    """
    need("opentelemetry.sdk")
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs import export as exporting

    kind: Any = getattr(exporting, "InMemoryLogRecordExporter", None)
    exporter = (kind or exporting.InMemoryLogExporter)()
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(exporting.SimpleLogRecordProcessor(exporter))
    handler = make(provider)
    root = logging.getLogger()
    root.addHandler(handler)
    ctxlog.install_record_factory()
    try:
        ctxlog.run(
            {"requestID": "A"},
            lambda: logging.getLogger("shop").warning("paid", extra={"rows": 3}),
        )
    finally:
        root.removeHandler(handler)
        provider.shutdown()
    (exported,) = exporter.get_finished_logs()
    record = getattr(exported, "log_record", exported)
    assert record.body == "paid"
    code = {name for name in record.attributes if name.startswith("code.")}
    assert record.attributes.keys() - code == {"rows"}


@pytest.mark.parametrize("first", ["theirs", "ours"])
@pytest.mark.parametrize("last", ["theirs", "ours"])
def test_opentelemetrys_instrumentation_in_any_order(
    log_env: LogEnvironment, first: str, last: str
) -> None:
    """
    Its attributes and our stamp are on a line; taken off, both are gone.
    """
    need("opentelemetry.instrumentation.logging")
    from opentelemetry.instrumentation.logging import LoggingInstrumentor

    instrumentor = LoggingInstrumentor()
    on = {
        "theirs": lambda: instrumentor.instrument(
            inject_trace_context=True, enable_log_auto_instrumentation=False
        ),
        "ours": ctxlog.install_record_factory,
    }
    off = {
        "theirs": instrumentor.uninstrument,
        "ours": ctxlog.uninstall_record_factory,
    }
    log_env.set_formatter(ctxlog.JsonFormatter())
    on.pop(first)()
    on.popitem()[1]()
    ctxlog.run({"requestID": "A"}, log_env.logger.info, "both")
    off.pop(last)()
    off.popitem()[1]()
    log_env.logger.info("none")
    assert logging.getLogRecordFactory() is logging.LogRecord
    both, none = log_env.load_all()
    assert both["requestID"] == "A"
    assert "otelServiceName" in both
    assert "otelServiceName" not in none


def test_a_memory_handler_keeps_the_stamp(log_env: LogEnvironment) -> None:
    """
    A record that waits for the buffer to be flushed has the context of its call.
    """
    log_env.set_formatter(ctxlog.JsonFormatter())
    ctxlog.install_record_factory()
    buffering = logging.handlers.MemoryHandler(10, target=log_env.handler)
    logger = logging.Logger("shop")
    logger.addHandler(buffering)
    ctxlog.run({"requestID": "A"}, logger.info, "x")
    ctxlog.run({"requestID": "B"}, buffering.close)
    assert log_env.load_json()["requestID"] == "A"


def test_structlogs_formatter_in_the_thread_of_a_queue() -> None:
    """
    It copies the record, attributes only: the copy has the stamp of the original.
    """
    structlog = need("structlog")
    from ctxlog.loggers.structlog import JsonRenderer, merge_context

    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[merge_context], processors=[JsonRenderer()]
    )
    written: queue.Queue[str] = queue.Queue()
    target = logging.Handler()
    target.emit = lambda record: written.put(  # type: ignore[method-assign]
        formatter.format(record)
    )
    waiting: queue.Queue[Any] = queue.Queue()
    logger = logging.Logger("shop")
    logger.addHandler(logging.handlers.QueueHandler(waiting))
    listener = logging.handlers.QueueListener(waiting, target)
    ctxlog.install_record_factory()

    def work() -> None:
        ctxlog.bind(user="u")
        logger.info("x", extra={"rows": 3})

    ctxlog.run({"requestID": "A"}, work)
    ctxlog.run({"requestID": "B"}, listener.start)
    listener.stop()
    line = load_line(written.get_nowait())
    assert (line["requestID"], line["user"], line["rows"]) == ("A", "u", 3)
    assert "elapsedMs" in line
