"""
The standard library's `logging`: stamping, formatting, writing.
"""

from __future__ import annotations

import io
import json
import logging
import logging.config
import logging.handlers
import os
import pickle
import queue
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from pythonjsonlogger.json import JsonFormatter as StockJsonFormatter

import ctxlog
from tests.helpers import LogEnvironment, load_line, need, run_python


def free_logger(handler: logging.Handler) -> logging.Logger:
    """
    A logger that pytest's own capture, which fails on wrong formats, does not see.
    """
    logger = logging.Logger("free")
    logger.addHandler(handler)
    return logger


@pytest.fixture
def lines(log_env: LogEnvironment) -> LogEnvironment:
    """
    A logger that writes ctxlog's lines to memory.
    """
    handler = ctxlog.LineHandler(log_env.stream)
    handler.setFormatter(ctxlog.JsonFormatter())
    log_env.use(handler)
    return log_env


def test_a_line_has_the_keys_of_the_design_in_their_order(
    lines: LogEnvironment,
) -> None:
    """
    Fixed keys first, the context, the time since its start, the call's own.
    """

    def log() -> None:
        with ctxlog.scope(order="o-7"):
            try:
                raise ValueError("bad")
            except ValueError:
                lines.logger.exception("oops %s", "x", extra={"rows": 3})

    ctxlog.run({"requestID": "req-A", "user": {"id": "u"}}, log)
    line = lines.load_json()

    assert list(line) == [
        *("timestamp", "level", "requestID", "message", "logger"),
        *("user", "order", "elapsedMs", "rows", "exception"),
    ]
    assert line["exception"]["type"] == "ValueError"
    assert line["exception"]["message"] == "bad"
    assert line["exception"]["stack"].startswith("Traceback")
    assert b'"requestID":"req-A"' in lines.raw()


def test_outside_of_a_request_the_id_says_so(lines: LogEnvironment) -> None:
    """
    `requestID` is there, as N/A; or not at all where asked for.
    """
    lines.logger.info("one")
    lines.handler.setFormatter(ctxlog.JsonFormatter(missing_request_id=None))
    lines.logger.info("two")

    first, second = lines.load_all()
    assert first["requestID"] == "N/A"
    assert "requestID" not in second


@pytest.mark.parametrize("args", [("x",), ({"a": 1},), (1, 2)], ids=str)
def test_a_wrong_format_string_costs_no_line(
    lines: LogEnvironment, args: tuple[object, ...]
) -> None:
    """
    The template and its arguments are shown, and the line says why.
    """
    free_logger(lines.handler).info("%d items", *args)

    line = lines.load_json()
    assert line["message"].startswith("%d items [")
    assert "message not formatted" in line["logError"]


def test_a_dict_as_the_message_is_the_events_fields(lines: LogEnvironment) -> None:
    """
    As in python-json-logger.
    """
    lines.logger.info({"rows": 3})

    assert (lines.load_json()["rows"], lines.load_json()["message"]) == (3, "")


def test_stack_info_is_on_the_line(lines: LogEnvironment) -> None:
    """
    `stack_info=True` is `stackInfo` there, as all keys of ctxlog's own are spelled.
    """
    lines.logger.info("here", stack_info=True)

    assert "Stack (most recent call last)" in lines.load_json()["stackInfo"]


def test_a_logger_adapters_fields_are_the_calls_own(lines: LogEnvironment) -> None:
    """
    `LoggerAdapter` works as it does.
    """
    logging.LoggerAdapter(lines.logger, {"job": "j"}).info("x")

    assert lines.load_json()["job"] == "j"


def test_an_extra_of_a_bound_name_wins_and_raises_nothing(
    lines: LogEnvironment,
) -> None:
    """
    With the record factory a clash of `extra` and context is no KeyError.
    """
    ctxlog.install_record_factory()

    ctxlog.run({"user": "bound"}, lines.logger.info, "x", extra={"user": "call"})

    assert lines.load_json()["user"] == "call"


# ContextFilter -------------------------------------------------------------------


def test_the_filter_serves_any_format_string(log_env: LogEnvironment) -> None:
    """
    `%(requestID)s` works in a plain formatter, in a request and outside.
    """
    log_env.handler.addFilter(ctxlog.ContextFilter())
    log_env.set_formatter(logging.Formatter("%(requestID)s %(message)s"))

    ctxlog.run({"requestID": "req-A"}, log_env.logger.info, "one")
    log_env.logger.info("two")

    assert log_env.lines() == ["req-A one", "N/A two"]


def test_the_filter_serves_the_stock_json_formatter(log_env: LogEnvironment) -> None:
    """
    python-json-logger's own formatter shows the fields, secrets hidden.
    """
    log_env.handler.addFilter(ctxlog.ContextFilter())
    log_env.set_formatter(StockJsonFormatter())

    ctxlog.run(
        {"requestID": "req-A", "user": {"id": 1, "password": "p"}, "token": "t"},
        log_env.logger.info,
        "one",
    )

    line = log_env.load_json()
    assert line["requestID"] == "req-A"
    assert line["user"] == {"id": 1, "password": "[redacted]"}
    assert line["token"] == "[redacted]"


def test_the_filter_never_replaces_an_attribute(log_env: LogEnvironment) -> None:
    """
    The record's own attributes and the call's extra stay.
    """
    log_env.handler.addFilter(ctxlog.ContextFilter())
    log_env.set_formatter(logging.Formatter("%(name)s %(user)s"))

    ctxlog.run(
        {"name": "bound", "user": "bound"},
        log_env.logger.info,
        "x",
        extra={"user": "call"},
    )

    assert log_env.lines() == ["test.env call"]


def test_fields_set_by_the_filter_are_not_the_calls_own(lines: LogEnvironment) -> None:
    """
    Behind the filter our line keeps its order.
    """
    lines.handler.addFilter(ctxlog.ContextFilter())

    ctxlog.run({"requestID": "r", "a": 1}, lines.logger.info, "x", extra={"b": 2})

    assert list(lines.load_json())[-3:] == ["a", "elapsedMs", "b"]


def test_the_filter_reads_any_storage(log_env: LogEnvironment) -> None:
    """
    A callable turns a storage's value into fields; a failing one costs no line.
    """
    tenant: ctxlog.AsyncLocalStorage[str] = ctxlog.AsyncLocalStorage("tenant")
    log_env.set_formatter(StockJsonFormatter())
    for found in (None, lambda value: {"upper": value.upper()}, lambda value: 1 / 0):
        log_env.handler.filters[:] = [
            ctxlog.ContextFilter(storage=tenant, fields=found)
        ]
        tenant.run("acme", log_env.logger.info, "x")
    log_env.logger.info("outside")

    plain, upper, failed, outside = log_env.load_all()
    assert (plain["tenant"], upper["upper"]) == ("acme", "ACME")
    assert "ZeroDivisionError" in failed["logError"]
    assert outside == {"message": "outside"}


# Queues and pickles --------------------------------------------------------------


@pytest.mark.parametrize("how", ["filter", "factory"])
def test_a_queued_record_is_stamped_where_it_was_made(
    lines: LogEnvironment, how: str
) -> None:
    """
    Behind a stock QueueHandler a line keeps its context, exception and message.
    """
    waiting: queue.Queue[Any] = queue.Queue()
    producer = logging.handlers.QueueHandler(waiting)
    if how == "filter":
        producer.addFilter(ctxlog.ContextFilter())
    else:
        ctxlog.install_record_factory()
    consumer = lines.handler
    logger = free_logger(producer)

    def log() -> None:
        logger.info("first %s", 1)
        ctxlog.bind(late_field=1)
        try:
            raise ValueError("bad")
        except ValueError:
            logger.exception("failed")
        logger.info("%d", "wrong")

    ctxlog.run({"requestID": "req-A"}, log)
    listener = logging.handlers.QueueListener(waiting, consumer)
    listener.start()
    listener.stop()

    first, failed, wrong = lines.load_all()
    assert {line["requestID"] for line in (first, failed, wrong)} == {"req-A"}
    assert "late_field" not in first
    assert (failed["message"], failed["exception"]["type"]) == ("failed", "ValueError")
    assert "Traceback" in failed["exception"]["stack"]
    assert "wrong" in wrong["message"]


def test_a_pickled_record_is_read_by_our_formatter(lines: LogEnvironment) -> None:
    """
    Through SocketHandler's pickle a line keeps its fields, secrets hidden.
    """
    sent: list[bytes] = []

    class Socket(logging.handlers.SocketHandler):
        def send(self, s: bytes) -> None:
            sent.append(s[4:])

    lines.logger.addHandler(socket := Socket("localhost", 9))
    socket.addFilter(ctxlog.ContextFilter())

    def log() -> None:
        lines.logger.info("one")
        try:
            raise ValueError("bad")
        except ValueError:
            lines.logger.exception("two")

    ctxlog.run({"requestID": "req-A", "password": "p", "odd": object()}, log)
    lines.logger.removeHandler(socket)
    lines.clear()
    for data in sent:
        assert b"ctxlog.context" not in data
        lines.handler.handle(logging.makeLogRecord(pickle.loads(data)))

    one, two = lines.load_all()
    assert (one["requestID"], one["password"]) == ("req-A", "[redacted]")
    assert "ValueError: bad" in two["exception"]["stack"]


def test_a_record_of_another_process_keeps_its_context(tmp_path: Path) -> None:
    """
    Through a multiprocessing queue, from a spawned process.
    """
    program = tmp_path / "program.py"
    program.write_text(
        "import ctxlog, logging, logging.handlers, multiprocessing\n"
        "def child(waiting):\n"
        "    handler = logging.handlers.QueueHandler(waiting)\n"
        "    handler.addFilter(ctxlog.ContextFilter())\n"
        "    logging.getLogger().addHandler(handler)\n"
        "    ctxlog.run({'requestID': 'req-child'}, logging.warning, 'x')\n"
        "if __name__ == '__main__':\n"
        "    context = multiprocessing.get_context('spawn')\n"
        "    waiting = context.Queue()\n"
        "    process = context.Process(target=child, args=(waiting,))\n"
        "    process.start()\n"
        "    ctxlog.LineHandler().handle(waiting.get(timeout=30))\n"
        "    process.join()\n"
    )

    done = run_python(str(program), cwd=tmp_path)

    assert load_line(done.stdout)["requestID"] == "req-child"


# The record factory --------------------------------------------------------------


def test_the_factory_before_is_called() -> None:
    """
    Another library's factory keeps working under ours.
    """

    def theirs(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = logging.LogRecord(*args, **kwargs)
        record.otelTraceID = "t"
        return record

    logging.setLogRecordFactory(theirs)
    uninstall = ctxlog.install_record_factory()
    record = logging.getLogger().makeRecord("a", 20, "f", 1, "m", (), None)
    uninstall()

    assert record.otelTraceID == "t"  # type: ignore[attr-defined]
    assert logging.getLogRecordFactory() is theirs


def test_installing_the_factory_twice_is_once() -> None:
    """
    One uninstall brings the factory of before back.
    """
    ctxlog.install_record_factory()
    ctxlog.install_record_factory()
    ctxlog.uninstall_record_factory()
    ctxlog.uninstall_record_factory()

    assert logging.getLogRecordFactory() is logging.LogRecord


def test_a_record_of_the_factory_formats_for_any_handler(
    log_env: LogEnvironment,
) -> None:
    """
    A wrong format string costs the stock handler no line either.
    """
    ctxlog.install_record_factory()

    log_env.logger.info("%d", "wrong")

    assert log_env.lines() == ["%d [wrong]"]


# The formatter's options -----------------------------------------------------------


@pytest.mark.parametrize(
    ("fmt", "style"),
    [
        ("%(levelname)s %(message)s", "%"),
        ("{levelname} {message}", "{"),
        ("$levelname $message", "$"),
        ("levelname, message", ","),
        (["levelname", "message"], "%"),
    ],
    ids=str,
)
def test_fmt_names_the_attributes_to_write(
    lines: LogEnvironment, fmt: Any, style: str
) -> None:
    """
    In every style of python-json-logger; the context follows.
    """
    lines.handler.setFormatter(ctxlog.JsonFormatter(fmt, style=style))

    ctxlog.run({"requestID": "r", "a": 1}, lines.logger.info, "x")

    assert list(lines.load_json()) == [
        *("levelname", "message", "requestID", "a", "elapsedMs")
    ]


def test_the_options_of_python_json_logger_keep_their_meaning(
    lines: LogEnvironment,
) -> None:
    """
    Renamed, static, default, reserved and missing fields, and the time stamp.
    """
    lines.handler.setFormatter(
        ctxlog.JsonFormatter(
            rename_fields={"message": "@message", "gone": "@gone"},
            rename_fields_keep_missing=True,
            static_fields={"app": "shop", "rows": 0},
            defaults={"tier": "free", "app": "none"},
            reserved_attrs=[*StockJsonFormatter().reserved_attrs, "dropped"],
            timestamp="@timestamp",
        )
    )

    lines.logger.info("x", extra={"dropped": 1, "rows": 5})
    line = lines.load_json()

    assert line["@message"] == "x"
    assert line["@gone"] is None
    assert (line["app"], line["tier"], line["rows"]) == ("shop", "free", 5)
    assert line["@timestamp"].endswith("+00:00")
    assert "dropped" not in line


def test_prefix_arrays_and_json_default(lines: LogEnvironment) -> None:
    """
    A prefix before the object; tracebacks as lists; a user's own encoding.
    """

    class Money:
        pass

    lines.handler.setFormatter(
        ctxlog.JsonFormatter(
            prefix="@cee:",
            exc_info_as_array=True,
            stack_info_as_array=True,
            json_default=lambda value: {"money": 1},
        )
    )
    try:
        raise ValueError("bad")
    except ValueError:
        lines.logger.exception("x", stack_info=True, extra={"price": Money()})

    (text,) = lines.lines()
    line = load_line(text.removeprefix("@cee:"))
    assert line["price"] == {"money": 1}
    assert line["exception"]["stack"][-1] == "ValueError: bad"
    assert line["stackInfo"][0].startswith("Stack")


def test_a_subclass_may_change_the_line(lines: LogEnvironment) -> None:
    """
    python-json-logger's hook is called; one that raises costs no line.
    """

    class Mine(ctxlog.JsonFormatter):
        def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
            if log_data["message"] == "fail":
                raise RuntimeError("hook")
            return {**log_data, "mine": True}

    lines.handler.setFormatter(Mine())
    lines.logger.info("x")
    lines.logger.info("fail")

    first, second = lines.load_all()
    assert first["mine"] is True
    assert "RuntimeError: hook" in second["logError"]


def test_console_text_is_for_people(log_env: LogEnvironment) -> None:
    """
    Time, level, short id, logger, message, fields, traceback; nothing that drives
    the terminal.
    """
    log_env.set_formatter(ctxlog.ConsoleFormatter())

    def log() -> None:
        try:
            raise ValueError("bad")
        except ValueError:
            log_env.logger.exception("\x1b[2Jhello", extra={"rows": 3})

    ctxlog.run({"requestID": "req-0123456789"}, log)

    first, *rest = log_env.lines()
    assert "ERROR    req-0123456789 test.env: \\x1b[2Jhello rows=3" in first
    assert rest[-1] == "ValueError: bad"


def test_console_colors_a_request_the_same_on_every_line() -> None:
    """
    The color depends on the id only.
    """
    formatter = ctxlog.ConsoleFormatter(color=True)
    record = logging.makeLogRecord({"msg": "x", "levelname": "INFO", "levelno": 20})

    texts = {
        ctxlog.run({"requestID": "req-A"}, formatter.format, record) for _ in range(2)
    }

    assert len(texts) == 1
    assert "\x1b[" in texts.pop()


# Writing -------------------------------------------------------------------------


def test_lines_and_prints_come_in_order(tmp_path: Path) -> None:
    """
    Text that `print` left in the buffer comes before the line that was logged after it.
    """
    program = (
        "import ctxlog, logging; ctxlog.configure(format='json');"
        "print('one'); logging.warning('two'); print('three')"
    )

    done = run_python("-c", program, cwd=tmp_path)

    one, two, three = done.stdout.splitlines()
    assert (one, load_line(two)["message"], three) == ("one", "two", "three")


def test_a_line_that_cannot_be_written_goes_to_standard_error(tmp_path: Path) -> None:
    """
    On a full disk the line is still to be seen, and logging does not raise.
    """
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full here")
    program = (
        "import ctxlog, logging; ctxlog.configure(stream=open('/dev/full', 'w'));"
        "logging.warning('kept'); print('alive')"
    )

    done = run_python("-c", program, cwd=tmp_path)

    assert done.stdout == "alive\n"
    assert load_line(done.stderr.splitlines()[0])["message"] == "kept"


def test_a_closed_stream_costs_no_line(capfd: pytest.CaptureFixture[str]) -> None:
    """
    The line of a closed stream goes to standard error.
    """
    stream = io.StringIO()
    handler = ctxlog.LineHandler(stream)
    stream.close()

    handler.handle(logging.makeLogRecord({"msg": "kept"}))

    assert load_line(capfd.readouterr().err)["message"] == "kept"


def test_any_stream_will_do() -> None:
    """
    Binary, text, and text of a narrow encoding.
    """
    binary = io.BytesIO()
    text = io.StringIO()
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    record = logging.makeLogRecord({"msg": "caf\u00e9"})
    for stream in (binary, text, narrow):
        ctxlog.LineHandler(stream).handle(record)

    assert load_line(binary.getvalue())["message"] == "caf\u00e9"
    assert load_line(text.getvalue())["message"] == "caf\u00e9"
    assert b"caf\\xe9" in narrow.buffer.getvalue()  # type: ignore[attr-defined]


def test_threads_do_not_interleave_in_a_pipe() -> None:
    """
    Lines longer than a pipe takes at once come out whole.
    """
    reading, writing = os.pipe()
    stream = os.fdopen(writing, "w")
    handler = ctxlog.LineHandler(stream)
    handler.setFormatter(ctxlog.JsonFormatter())
    received: list[bytes] = []

    def read() -> None:
        with os.fdopen(reading, "rb") as pipe:
            received.extend(pipe.read().splitlines())

    def log(letter: str) -> None:
        for _ in range(20):
            handler.handle(logging.makeLogRecord({"msg": letter * 100_000}))

    reader = threading.Thread(target=read)
    reader.start()
    writers = [threading.Thread(target=log, args=(letter,)) for letter in "ab"]
    for thread in writers:
        thread.start()
    for thread in writers:
        thread.join()
    stream.close()
    reader.join()

    assert len(received) == 40
    assert {len(set(load_line(line)["message"])) for line in received} == {1}


def test_a_full_pipe_that_does_not_block_loses_nothing() -> None:
    """
    A non-blocking descriptor is waited for.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    stream = os.fdopen(writing, "w")
    handler = ctxlog.LineHandler(stream)
    received: list[bytes] = []

    def read() -> None:
        with os.fdopen(reading, "rb") as pipe:
            received.append(pipe.read())

    reader = threading.Thread(target=read)
    reader.start()
    handler.handle(logging.makeLogRecord({"msg": "x" * 200_000}))
    stream.close()
    reader.join()

    assert load_line(received[0])["message"] == "x" * 200_000


def test_a_third_party_formatter_that_raises_costs_no_line(
    log_env: LogEnvironment, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    The line is written by ours instead, and logging reports the failure as ever.
    """

    class Broken(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            raise RuntimeError("broken")

    handler = ctxlog.LineHandler(log_env.stream)
    handler.setFormatter(Broken())
    log_env.use(handler)

    log_env.logger.info("kept")

    assert log_env.load_json()["message"] == "kept"
    assert "RuntimeError: broken" in capsys.readouterr().err


def test_a_filter_can_drop_and_replace_records(lines: LogEnvironment) -> None:
    """
    Filters of the handler keep their say.
    """
    lines.handler.addFilter(lambda record: record.msg != "dropped")

    lines.logger.info("dropped")
    lines.logger.info("kept")

    assert lines.load_json()["message"] == "kept"


def test_a_disabled_level_does_not_look_at_the_context(lines: LogEnvironment) -> None:
    """
    A line that is not logged costs no encoding.
    """

    class Untouchable:
        def __str__(self) -> str:
            raise AssertionError("looked at")

    lines.logger.setLevel(logging.WARNING)

    ctxlog.run({"value": Untouchable()}, lines.logger.info, "x")

    assert lines.lines() == []


def test_dict_config_takes_the_classes_by_name(tmp_path: Path) -> None:
    """
    Filter, formatter and handler by their dotted names, as factory and as class.
    """
    settings = {
        "version": 1,
        "filters": {"context": {"()": "ctxlog.ContextFilter"}},
        "formatters": {
            "factory": {"()": "ctxlog.JsonFormatter", "service": "shop"},
            "class": {"class": "ctxlog.JsonFormatter"},
        },
        "handlers": {
            name: {
                "class": "ctxlog.LineHandler",
                "stream": "ext://sys.stdout",
                "formatter": name,
                "filters": ["context"],
            }
            for name in ("factory", "class")
        },
        "root": {"handlers": ["factory", "class"], "level": "INFO"},
    }
    program = (
        f"import ctxlog, logging.config; logging.config.dictConfig({settings!r});"
        "ctxlog.run({'requestID': 'r'}, logging.info, 'x')"
    )

    done = run_python("-c", program, cwd=tmp_path)

    factory, plain = map(load_line, done.stdout.splitlines())
    assert (factory["service"], factory["requestID"]) == ("shop", "r")
    assert (plain["requestID"], "service" in plain) == ("r", False)


def test_django_takes_the_dict_as_its_logging_setting(tmp_path: Path) -> None:
    """
    `LOGGING = ctxlog.dict_config()` in Django's settings.
    """
    need("django")
    program = (
        "import ctxlog, logging, django; from django.conf import settings;"
        "settings.configure(LOGGING=ctxlog.dict_config(format='json'));"
        "django.setup(); ctxlog.run({'requestID': 'r'},"
        "logging.getLogger('django.request').warning, 'Not Found: /x',"
        "extra={'status_code': 404, 'request': 'GET /x?token=1'})"
    )

    done = run_python("-c", program, cwd=tmp_path)

    line = load_line(done.stdout)
    assert (line["requestID"], line["status_code"]) == ("r", 404)
    assert "token" not in done.stdout


def test_caplog_works_beside(
    caplog: pytest.LogCaptureFixture, lines: LogEnvironment
) -> None:
    """
    pytest's own capture sees the records of a stamped logger.
    """
    ctxlog.install_record_factory()
    logging.getLogger("shop").warning("seen %s", 1)

    assert caplog.messages == ["seen 1"]


def test_a_record_with_formatted_exception_text_shows_it() -> None:
    """
    `exc_text` of a record that was pickled elsewhere is the stack.
    """
    record = logging.makeLogRecord({"msg": "x", "exc_text": "Traceback ..."})

    line = json.loads(ctxlog.JsonFormatter().format(record))

    assert line["exception"]["stack"] == "Traceback ..."


def test_the_handler_shows_its_stream() -> None:
    """
    Its `repr()` names where lines go.
    """
    assert "<stdout>" in repr(ctxlog.LineHandler(sys.__stdout__))
