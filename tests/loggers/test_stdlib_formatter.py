"""
`JsonFormatter`: ctxlog's line, and the options of python-json-logger.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pythonjsonlogger.json import JsonFormatter as StockJsonFormatter

import ctxlog
from ctxlog.line.redact import Redactor
from tests.helpers import LogEnvironment, load_line


def make_record(**values: Any) -> logging.LogRecord:
    """
    A record with *values*, the same each time.
    """
    known = {"name": "shop", "levelname": "INFO", "levelno": 20, "msg": "seen %s"}
    fixed = {"args": ("1",), "created": 1_700_000_000.5, "msecs": 500.0, "process": 7}
    return logging.makeLogRecord({**known, **fixed, **values})


def line_of(formatter: logging.Formatter, **values: Any) -> dict[str, Any]:
    """
    The line that a formatter makes of a record.
    """
    return load_line(formatter.format(make_record(**values)))


def raised(error: BaseException) -> Any:
    """
    The exc_info of an exception that was raised.
    """
    try:
        raise error
    except BaseException:
        return sys.exc_info()


# The line ------------------------------------------------------------------------


def test_the_text_and_the_bytes_are_the_same_line() -> None:
    """
    A stock handler takes the text and adds the newline.
    """
    formatter = ctxlog.JsonFormatter()
    record = make_record(a="caf\u00e9")
    assert formatter.encode(record) == formatter.format(record).encode() + b"\n"


def test_a_dict_as_a_message_is_fields_with_extra_over_them() -> None:
    """
    The convention of python-json-logger; the dict itself stays as it is.
    """
    message = {"rows": 1, "message": "m", "password": "p", 3: 4}
    line = line_of(ctxlog.JsonFormatter(), msg=message, args=None, rows=2)
    assert (line["message"], line["rows"], line["3"]) == ("", 2, 4)
    assert (line["fields.message"], line["password"]) == ("m", "[redacted]")
    assert message == {"rows": 1, "message": "m", "password": "p", 3: 4}


def test_an_exc_info_of_nothing_is_no_exception() -> None:
    """
    logger.exception() outside of an except block.
    """
    line = line_of(ctxlog.JsonFormatter(), exc_info=(None, None, None))
    assert "exception" not in line
    assert line["message"] == "seen 1"


@pytest.mark.parametrize("name", ["color_message", "taskName"])
def test_what_servers_put_on_records_is_no_field(name: str) -> None:
    """
    uvicorn's ANSI escapes and asyncio's task name.
    """
    assert name not in line_of(ctxlog.JsonFormatter(), **{name: "\x1b[31mred"})


def test_djangos_request_is_no_field_and_any_other_is() -> None:
    """
    Its text has the query string, which holds secrets.
    """
    formatter = ctxlog.JsonFormatter()
    assert "request" not in line_of(formatter, name="django.request", request="/?t=1")
    assert line_of(formatter, name="shop", request="r-1")["request"] == "r-1"


def test_a_reporting_loggers_message_ends_without_a_newline() -> None:
    """
    uvicorn's crash message ends with one; another logger's is as it was written.
    """
    formatter = ctxlog.JsonFormatter()
    values = {"msg": "crashed\n", "args": None}
    assert line_of(formatter, name="uvicorn.error", **values)["message"] == "crashed"
    assert line_of(formatter, name="shop", **values)["message"] == "crashed\n"


@pytest.mark.parametrize("name", ["asyncio", "uvicorn.error", "django.request"])
def test_a_reporting_logger_speaks_of_the_exceptions_request(name: str) -> None:
    """
    In whatever context it happens to run; another logger keeps its own.
    """

    def fail() -> None:
        ctxlog.bind(user="u")
        raise ValueError("bad")

    try:
        ctxlog.run({"requestID": "A"}, fail)
    except ValueError:
        info = sys.exc_info()
    formatter = ctxlog.JsonFormatter()
    with ctxlog.scope(requestID="B"):
        theirs = line_of(formatter, name=name, exc_info=info)
        own = line_of(formatter, name="shop", exc_info=info)
    assert (theirs["requestID"], theirs["user"]) == ("A", "u")
    assert (own["requestID"], own["user"]) == ("B", "u")
    assert "late" not in theirs


def test_patterns_reach_the_stack() -> None:
    """
    An exception's text stands in its traceback as well.
    """
    formatter = ctxlog.JsonFormatter(redact=Redactor(patterns=["card"]))
    info = raised(ValueError("4111 1111 1111 1111"))
    line = line_of(formatter, exc_info=info, args=("4111111111111111",))
    assert "1111" not in str(line["exception"]["message"]) + line["message"]
    assert line["exception"]["stack"].endswith("ValueError: [redacted]")


@pytest.mark.parametrize(
    ("msg", "args", "shown"),
    [
        ("%d", ("x",), "%d [x]"),
        ("%s %s", ("one",), "%s %s [one]"),
        ("%s", (1, 2), "%s [1, 2]"),
        ("%(a)s", ({"b": 1},), '%(a)s [{"b":1}]'),
        ("100%", ("x",), "100% [x]"),
        ("%z", ([1, {"token": "t"}],), '%z [[1,{"token":"[redacted]"}]]'),
    ],
)
def test_a_wrong_format_shows_template_and_arguments(
    msg: str, args: tuple[Any, ...], shown: str
) -> None:
    """
    Nothing of the event is lost, and the line says what was wrong.
    """
    record = logging.LogRecord("shop", 20, "f.py", 1, msg, args, None)
    line = load_line(ctxlog.JsonFormatter().format(record))
    assert line["message"] == shown
    assert line["logError"].startswith("message not formatted: ")


class Logging:
    """
    A value that logs while it is being formatted.
    """

    def __init__(self, logger: logging.Logger) -> None:
        self.logger = logger

    def __str__(self) -> str:
        self.logger.info("inner")
        return "text"


@pytest.fixture
def free(log_env: LogEnvironment) -> logging.Logger:
    """
    A logger that pytest's own capture, which formats everything again, does not see.
    """
    logger = logging.Logger("free")
    logger.addHandler(ctxlog.LineHandler(log_env.stream))
    return logger


@pytest.mark.parametrize("where", ["argument", "extra"])
def test_a_value_that_logs_while_it_is_encoded_gives_its_own_line(
    log_env: LogEnvironment, free: logging.Logger, where: str
) -> None:
    """
    Both lines come out whole, without a deadlock.
    """
    if where == "argument":
        free.info("outer %s", Logging(free))
    else:
        free.info("outer", extra={"value": Logging(free)})
    inner, outer = log_env.load_all()
    assert inner["message"] == "inner"
    assert "text" in (outer["message"], outer["message"][6:], outer.get("value"))


class Endless(Exception):
    """
    A value, and an exception, that logs itself while it is being formatted.
    """

    def __init__(self, logger: logging.Logger) -> None:
        self.logger = logger

    def __str__(self) -> str:
        self.logger.info("again", exc_info=self, extra={"value": [self]})
        return "text"


@pytest.mark.parametrize("where", ["extra", "bound", "exception", "argument"])
def test_a_value_that_logs_itself_comes_to_an_end(
    log_env: LogEnvironment, free: logging.Logger, where: str
) -> None:
    """
    After a few lines within lines it is not looked into any more.
    """
    if where == "extra":
        free.info("first", extra={"value": Endless(free)})
    elif where == "bound":
        ctxlog.run({"requestID": "A", "value": Endless(free)}, free.info, "first")
    elif where == "exception":
        free.info("first", exc_info=Endless(free))
    else:
        free.info("first%.0s", Endless(free))
    lines = log_env.load_all()
    assert lines[-1]["message"] == "first"
    assert len(lines) < 500


# python-json-logger's options ----------------------------------------------------

_FMT = "%(levelname)s %(name)s %(message)s %(missing)s"

_OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "rename_fields": st.dictionaries(
            st.sampled_from(
                ["message", "levelname", "rows", "gone", "app", "timestamp"]
            ),
            st.sampled_from(["@a", "@b", "@c"]),
            max_size=2,
        ),
        "rename_fields_keep_missing": st.booleans(),
        "static_fields": st.dictionaries(
            st.sampled_from(["app", "rows"]), st.integers(0, 9), max_size=2
        ),
        "defaults": st.dictionaries(
            st.sampled_from(["app", "tier", "rows"]), st.integers(0, 9), max_size=2
        ),
        "reserved_attrs": st.sampled_from([[], ["rows"], ["args", "msg", "process"]]),
        "timestamp": st.sampled_from([False, True, "@timestamp"]),
        "prefix": st.sampled_from(["", "@cee: "]),
        "exc_info_as_array": st.booleans(),
        "stack_info_as_array": st.booleans(),
    },
)


@given(
    options=_OPTIONS,
    values=st.fixed_dictionaries(
        {},
        optional={
            "rows": st.integers(0, 9),
            "app": st.text(max_size=3),
            "stack_info": st.just("Stack\n  line"),
            "exc_info": st.just(raised(ValueError("bad"))),
        },
    ),
)
def test_the_options_mean_what_they_mean_there(
    options: dict[str, Any], values: dict[str, Any]
) -> None:
    """
    With a format of one's own every key of the stock formatter's line is on ours, with
    the same value, and the fields in the same order; ours adds the context.
    """
    record = make_record(**values)
    stock = StockJsonFormatter(_FMT, **options).format(record)
    ours = ctxlog.JsonFormatter(_FMT, **options).format(make_record(**values))
    prefix = options.get("prefix", "")
    assert ours.startswith(prefix)
    expected = load_line(stock.removeprefix(prefix))
    line = load_line(ours.removeprefix(prefix))
    if "reserved_attrs" in options:
        # Then the stock formatter writes these a second time, as objects of Python.
        for name in ("args", "exc_info", "exc_text", "stack_info", "taskName"):
            expected.pop(name, None)
    expected.pop("relativeCreated", None)  # of the moment
    # The stacks, and what is left out by default, come last.
    standard = vars(logging.makeLogRecord({}))
    order = [name for name in expected if name not in standard]
    assert [name for name in line if name in order] == order
    assert {name: line[name] for name in expected} == expected


_ATTRIBUTES = ["levelname", "message", "filename", "lineno", "asctime"]


@pytest.mark.parametrize(
    ("fmt", "style"),
    [
        ("[%(levelname)8s] %(message)s %(filename)s:%(lineno)d %(asctime)", "%"),
        ("{levelname} {message} {filename}:{lineno} {asctime}", "{"),
        ("$$ $levelname ${message} $filename:${lineno} $asctime", "$"),
        ("levelname,,message,filename, lineno,asctime,", ","),
        (_ATTRIBUTES, "%"),
        (tuple(_ATTRIBUTES), "%"),
    ],
    ids=["percent", "brace", "dollar", "comma", "list", "tuple"],
)
def test_every_way_to_write_a_format_is_read_as_there(fmt: Any, style: str) -> None:
    """
    Widths, empty names and escapes do not matter; the order does.
    """
    record = make_record(filename="a.py", lineno=3)
    ours = ctxlog.JsonFormatter(fmt, style=style, missing_request_id=None)
    line = load_line(ours.format(record))
    assert list(line) == _ATTRIBUTES
    assert line == load_line(StockJsonFormatter(fmt, style=style).format(record))


def test_every_attribute_of_a_record_can_be_named() -> None:
    """
    Those that the standard library documents, with the values that they have.
    """
    names = "asctime created filename funcName levelname levelno lineno module msecs"
    names += " message name pathname process processName relativeCreated thread"
    fmt = ",".join([*names.split(), "threadName", "unknown"])
    record = make_record()
    line = load_line(ctxlog.JsonFormatter(fmt, style=",").format(record))
    stock = load_line(StockJsonFormatter(fmt, style=",").format(record))
    assert {name: line[name] for name in stock} == stock
    assert line["unknown"] is None


@pytest.mark.parametrize(
    "options",
    [
        {"rename_fields": {"message": "@message"}},
        {"rename_fields": {"rows": "@rows"}, "defaults": {"rows": 1}},
        {"rename_fields": {"gone": "new"}},
        {"rename_fields": {"gone": "new"}, "rename_fields_keep_missing": True},
        {"rename_fields": {"levelname": "LEVEL", "message": "levelname"}},
        {"rename_fields": {"exc_info": "stack_trace"}},
        {"static_fields": {"log_stream": "kafka"}},
        {"static_fields": {"a": 1}, "rename_fields": {"a": "b"}},
        {"defaults": {"rows": 0, "second": 2}},
        {"defaults": {"d1": 1, "d2": "hello"}, "static_fields": {"d2": "s"}},
        {"exc_info_as_array": True},
        {"stack_info_as_array": True},
        {"timestamp": True},
        {"timestamp": "@timestamp", "rename_fields": {"@timestamp": "at"}},
        {"prefix": "log: "},
        {"datefmt": "%Y"},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "values",
    [
        {},
        {"rows": 5, "nested": {"more": "data"}, "5": "9"},
        {"msg": {"text": "t", "num": 1, 5: "9", "d2": "world"}, "args": None},
        {"exc_info": raised(ValueError("bad"))},
        {"stack_info": "Stack (most recent call last):\n  File"},
    ],
    ids=["plain", "extra", "dict", "exc_info", "stack_info"],
)
def test_an_option_does_what_it_does_there(
    options: dict[str, Any], values: dict[str, Any]
) -> None:
    """
    For records of every kind the line is the stock formatter's, but for the id.
    """
    fmt = "%(asctime)s %(levelname)s %(message)s"
    ours = ctxlog.JsonFormatter(fmt, missing_request_id=None, **options)
    text = ours.format(make_record(**values))
    stock = StockJsonFormatter(fmt, **options).format(make_record(**values))
    prefix = options.get("prefix", "")
    assert text.startswith(prefix)
    line = load_line(text.removeprefix(prefix))
    assert line == load_line(stock.removeprefix(prefix))


def test_json_default_may_say_nothing() -> None:
    """
    None is an answer, as there; a TypeError leaves the value to us.
    """

    class Thing:
        def __repr__(self) -> str:
            return "<thing>"

    def refuse(value: object) -> object:
        raise TypeError("no")

    shown = [
        line_of(ctxlog.JsonFormatter(json_default=default), own=Thing())["own"]
        for default in (lambda value: None, lambda value: (1, 2), refuse)
    ]
    assert shown == [None, [1, 2], "<thing>"]


@pytest.mark.parametrize(
    ("fmt", "style"),
    [
        ("%(levelname)s %(requestID)s %(message)s", "%"),
        ("{levelname} {requestID} {message}", "{"),
        ("$levelname ${requestID} $message", "$"),
        ("levelname,requestID,message", ","),
        (("levelname", "requestID", "message"), "%"),
    ],
    ids=["percent", "brace", "dollar", "comma", "sequence"],
)
def test_a_format_can_name_fields_of_the_context(fmt: Any, style: str) -> None:
    """
    In every style: the fields stand where the format says, the others behind.
    """
    formatter = ctxlog.JsonFormatter(fmt, style=style)
    with ctxlog.scope(requestID="A", user="u"):
        line = line_of(formatter)
    assert list(line.items()) == [
        ("levelname", "INFO"),
        ("requestID", "A"),
        ("message", "seen 1"),
        ("user", "u"),
    ]


def test_a_format_means_the_records_attributes() -> None:
    """
    A field that is called as one of them is moved aside, not mixed up with it.
    """
    formatter = ctxlog.JsonFormatter("%(name)s %(process)d")
    with ctxlog.scope(name="Alice", process="p"):
        line = line_of(formatter)
    assert (line["name"], line["process"]) == ("shop", 7)
    assert (line["fields.name"], line["fields.process"]) == ("Alice", "p")


def test_reserved_attributes_hide_fields_of_the_context_too() -> None:
    """
    reserved_attrs lists what must not be written, wherever it comes from.
    """
    formatter = ctxlog.JsonFormatter(reserved_attrs=["user", "rows"])
    with ctxlog.scope(user="u", kept=1):
        line = line_of(formatter, rows=1)
    assert "user" not in line
    assert "rows" not in line
    assert line["kept"] == 1


def test_renamed_fields_include_the_contexts() -> None:
    """
    rename_fields finds fields of the context, the schema's keys and the call's own.
    """
    formatter = ctxlog.JsonFormatter(
        rename_fields={"requestID": "request_id", "user": "who", "level": "severity"}
    )
    with ctxlog.scope(requestID="A", user="u"):
        line = line_of(formatter)
    assert (line["request_id"], line["who"], line["severity"]) == ("A", "u", "INFO")
    assert list(line)[:3] == ["timestamp", "severity", "request_id"]


def test_a_users_encoder_is_asked_about_unknown_types() -> None:
    """
    json_default, for the call's own fields and the bound ones.
    """
    formatter = ctxlog.JsonFormatter(json_default=lambda value: {"complex": True})
    with ctxlog.scope(bound=1j):
        line = line_of(formatter, own=2j)
    assert line["bound"] == line["own"] == {"complex": True}


@pytest.mark.parametrize(
    "options", [{}, {"prefix": "@cee:"}, {"timestamp": True}], ids=str
)
@pytest.mark.parametrize("limit", [1024, 4096])
def test_no_option_makes_a_line_too_long(options: dict[str, Any], limit: int) -> None:
    """
    max_line_bytes counts the prefix and the newline; the id stays.
    """
    formatter = ctxlog.JsonFormatter(max_line_bytes=limit, **options)
    values = {f"k{number}": "\x00" * 500 for number in range(100)}
    with ctxlog.scope(requestID="A"):
        line = formatter.encode(make_record(args=("\x00" * 9999,), **values))
    assert len(line) <= limit
    assert line.count(b"\n") == 1
    assert b'"requestID":"A"' in line


def test_its_options_and_hooks_are_for_the_default_schema() -> None:
    """
    A vendor's schema and a format of one's own would be two layouts of one line.
    """

    class Mine(ctxlog.JsonFormatter):
        def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
            return log_data

    for make in (
        lambda: ctxlog.JsonFormatter("%(message)s", schema="ecs"),
        lambda: ctxlog.JsonFormatter(schema="ecs", timestamp=True),
        lambda: Mine(schema="ecs"),
    ):
        with pytest.raises(ctxlog.ConfigError, match="^invalid value for schema: "):
            make()


def test_a_wrong_option_of_ours_is_a_config_error() -> None:
    """
    The error names the option.
    """
    for wrong in ({"schema": "x"}, {"timespec": "x"}, {"redact": 3}, {"static": 3}):
        with pytest.raises(
            ctxlog.ConfigError, match=f"value for {next(iter(wrong))}: "
        ):
            ctxlog.JsonFormatter(**wrong)  # type: ignore[arg-type]
