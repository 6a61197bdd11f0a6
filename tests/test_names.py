"""
The request id's name, and ctxlog's own names in two spellings.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import importlib
import io
import json
import logging
import logging.config
import re
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import ctxlog
from ctxlog import retention
from ctxlog._names import ALIASES, CAMEL, CASES, SNAKE, Names, get_names
from ctxlog.carrier import extract, inject, pack, unpack
from ctxlog.clients._call import Call, CallOptions
from ctxlog.config import unconfigure
from ctxlog.context.adapter import View
from ctxlog.line.encoder import LineEncoder
from ctxlog.line.event import Event as LineEvent
from ctxlog.line.schema import Schema
from ctxlog.line.vendors import SCHEMAS
from ctxlog.loggers.stdlib import ContextFilter
from ctxlog.retention._sample import in_share
from ctxlog.servers.asgi import ContextMiddleware
from ctxlog.tasks._task import Task
from ctxlog.testing import LogCall, capture_lines, check_adapter
from tests.helpers import ROOT, load_line, need

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{SPAN}-01"

#: The names of the default, of the other spelling, and of one's own choice.
CHOICES: dict[str, dict[str, Any]] = {
    "camel": {},
    "snake": {"case": "snake"},
    "rid": {"request_id_key": "rid"},
    "snake, rid": {"case": "snake", "request_id_key": "rid"},
}


@pytest.fixture(autouse=True)
def _unconfigured() -> Iterator[None]:
    yield
    unconfigure()


@pytest.fixture
def stream() -> io.BytesIO:
    return io.BytesIO()


@pytest.fixture(params=CHOICES)
def names(request: pytest.FixtureRequest, stream: io.BytesIO) -> Names:
    """
    The process's names after `configure()`, which writes to the stream.
    """
    ctxlog.configure(stream=stream, format="json", **CHOICES[request.param])
    return get_names()


def written(stream: io.BytesIO) -> list[dict[str, Any]]:
    return [load_line(line) for line in stream.getvalue().splitlines()]


def log_stdlib(**fields: object) -> None:
    logging.getLogger("shop").info("hello", extra=fields)


def log_structlog(**fields: object) -> None:
    need("structlog").get_logger("shop").info("hello", **fields)


def log_loguru(**fields: object) -> None:
    need("loguru").logger.info("hello", **fields)


LOGGERS = {"stdlib": log_stdlib, "structlog": log_structlog, "loguru": log_loguru}

each_logger = pytest.mark.parametrize("logger", LOGGERS)


def logged(
    logger: str, store: dict[str, object], own: dict[str, object], **options: Any
) -> dict[str, Any]:
    """
    The line that a logger writes after `configure()`, of a call within a store.
    """
    if logger != "stdlib":
        need(logger)
    stream = io.BytesIO()
    ctxlog.configure(stream=stream, format="json", loggers=[logger], **options)
    ctxlog.run(store, LOGGERS[logger], **own)
    unconfigure()
    (line,) = written(stream)
    return line


# The request's id -----------------------------------------------------------------


@each_logger
@pytest.mark.parametrize("alias", [*ALIASES, "rid"])
@pytest.mark.parametrize("choice", CHOICES)
def test_an_id_of_another_name_is_the_lines(
    logger: str, alias: str, choice: str
) -> None:
    """
    What is bound under an alias stands under the chosen key, at its place, and only
    there.
    """
    if alias == "rid" and "rid" not in choice:
        alias = "request_id"
    names = Names.chosen(**CHOICES[choice])
    line = logged(logger, {alias: "req-A"}, {"rows": 3}, **CHOICES[choice])
    own = [names.request_id, "message", "logger", names.elapsed, "rows"]
    assert list(line) == ["timestamp", "level", *own]
    assert line[names.request_id] == "req-A"


@each_logger
def test_the_key_is_where_a_byte_search_finds_it(logger: str) -> None:
    """
    The id follows the level: key, colon and quotes without spaces.
    """
    if logger != "stdlib":
        need(logger)
    stream = io.BytesIO()
    ctxlog.configure(
        stream=stream, format="json", loggers=[logger], request_id_key="rid"
    )
    ctxlog.run({"request_id": "req-A"}, LOGGERS[logger])
    assert b'"level":"INFO","rid":"req-A","message":' in stream.getvalue()


@each_logger
def test_outside_of_a_request_the_chosen_key_says_so(logger: str) -> None:
    """
    The key is always there.
    """
    line = logged(logger, {}, {}, request_id_key="rid")
    assert (line["rid"], "requestID" in line) == ("N/A", False)


@each_logger
def test_the_chosen_name_wins_over_the_others(logger: str) -> None:
    """
    With an id of its own name, others of that kind are ordinary fields, from wherever.
    """
    store: dict[str, object] = {"correlation_id": "c", "requestID": "req-A"}
    line = logged(logger, store, {"request_id": "call"})
    assert line["requestID"] == "req-A"
    assert (line["correlation_id"], line["request_id"]) == ("c", "call")


@each_logger
@pytest.mark.parametrize("key", ["requestID", "request_id", "rid"])
def test_the_nearer_id_counts(logger: str, key: str) -> None:
    """
    A call's own id wins over the context's of the same name; so does a scope's.
    """
    options = {} if key == "request_id" else {"request_id_key": key}
    line = logged(logger, {key: "store"}, {key: "call"}, **options)
    shown = options.get("request_id_key", "requestID")
    assert [name for name in line if "id" in name.lower()] == [shown]
    assert line[shown] == "call"


_IDS = st.sampled_from([*ALIASES, "rid"])
_FIELDS = st.dictionaries(
    _IDS | st.sampled_from(["rows", "user"]),
    st.none() | st.text(max_size=4) | st.integers(0, 9),
    max_size=5,
)


@pytest.mark.parametrize("schema", SCHEMAS)
@example(
    choice="camel",
    store={"request_id": None},
    scope={},
    own={"request_id": ""},
    error=None,
)
@given(
    choice=st.sampled_from(sorted(CHOICES)),
    store=_FIELDS,
    scope=_FIELDS,
    own=_FIELDS,
    error=st.sampled_from([None, ValueError("bad")]),
)
def test_a_line_has_one_id(
    schema: str,
    choice: str,
    store: dict[str, object],
    scope: dict[str, object],
    own: dict[str, object],
    error: ValueError | None,
) -> None:
    """
    Of any mixture the id is the chosen name's, else the first alias's; it is shown
    once, and every other field under its own name.
    """
    encoder = LineEncoder(SCHEMAS[schema], **CHOICES[choice])
    names = encoder.names
    view = View({**store, **scope}, 0)
    given_own = {name: value for name, value in own.items() if value is not None}
    merged = {**view.fields, **given_own}
    order = [names.request_id, *ALIASES]
    name = next((one for one in order if merged.get(one) is not None), None)
    expected = "N/A" if name is None else str(merged[name])

    line = encoder.encode(LineEvent(1.5, "INFO", 20, "shop", "m", view, own, error))
    if schema == "otel":
        records = json.loads(line)["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
        attributes = [one for one in records[0]["attributes"] if one]
        keys = [one["key"] for one in attributes]
        (shown,) = [
            one["value"]["stringValue"]
            for one in attributes
            if one["key"] == encoder.schema.request_id
        ]
    else:
        found = load_line(line)
        keys, shown = list(found), found[encoder.schema.request_id]
    assert shown == expected
    prefix = encoder.schema.prefix
    again = names.id_name(view.fields)  # not shown if the call says the same id
    same = name in given_own and str(view.fields.get(again)) == expected
    hidden = {names.request_id, name, "user", again if same else None}
    for other in merged.keys() - hidden:
        assert keys.count(prefix + other) == 1
    if name is not None and name != names.request_id:
        assert prefix + name not in keys or encoder.schema.request_id == prefix + name


def test_a_static_field_of_an_aliass_name_is_a_field() -> None:
    """
    Static fields of the whole process name no request; a request's id replaces one of
    its own name.
    """
    encoder = LineEncoder(static={"correlation_id": "deploy-7"})

    def line(fields: dict[str, object]) -> dict[str, Any]:
        view = View(fields, None)
        return load_line(encoder.encode(LineEvent(1.5, "INFO", 20, "shop", "m", view)))

    outside, inside = line({}), line({"correlation_id": "req-A"})
    assert (outside["requestID"], outside["correlation_id"]) == ("N/A", "deploy-7")
    assert (inside["requestID"], "correlation_id" in inside) == ("req-A", False)


WRONG = ["", 7, None, True, b"id", "message", "logError", "service", "name", "traceID"]
WRONG += ["a\nb", "\x00", "\ud800", "x" * 65, "\u202e"]


@pytest.mark.parametrize("key", WRONG, ids=repr)
def test_a_name_that_is_none_is_refused(key: Any) -> None:
    """
    Nothing is configured, and the error says what was wrong.
    """
    with pytest.raises(ctxlog.ConfigError, match="request_id_key"):
        ctxlog.configure(request_id_key=key)
    assert get_names() is CAMEL


@pytest.mark.parametrize("key", [key for key in WRONG if key is not None], ids=repr)
@pytest.mark.parametrize(
    "make", [ctxlog.JsonFormatter, ctxlog.ContextFilter, ctxlog.ConsoleFormatter]
)
def test_formatters_and_filters_refuse_it_as_well(
    make: Callable[..., object], key: Any
) -> None:
    """
    The option of each is checked like that of `configure()`.
    """
    with pytest.raises(ctxlog.ConfigError, match="request_id_key"):
        make(request_id_key=key)


@pytest.mark.parametrize("make", [ctxlog.configure, ctxlog.JsonFormatter])
@pytest.mark.parametrize("case", ["", "Snake", "kebab", 1])
def test_a_spelling_that_is_none_is_refused(
    make: Callable[..., object], case: Any
) -> None:
    """
    The error names the two that there are.
    """
    with pytest.raises(ctxlog.ConfigError, match="for case: .*one of: camel, snake"):
        make(case=case)


@pytest.mark.parametrize(
    ("schema", "key"),
    [
        ("gelf", "id"),
        ("gelf", "a b"),
        ("gelf", "short_message"),
        ("gcp", "severity"),
        (Schema(name="mine", message="msg"), "msg"),
        (Schema(name="mine", rename={"rid": "other"}), "rid"),
    ],
    ids=str,
)
def test_a_name_that_the_schema_needs_is_refused(
    schema: str | Schema, key: str
) -> None:
    """
    Each schema has names of its own.
    """
    with pytest.raises(ctxlog.ConfigError, match="request_id_key"):
        ctxlog.configure(schema=schema, request_id_key=key)


def test_variables_choose_the_names(
    monkeypatch: pytest.MonkeyPatch, stream: io.BytesIO
) -> None:
    """
    `CTXLOG_CASE` and `CTXLOG_REQUEST_ID_KEY` fill what the call leaves out.
    """
    monkeypatch.setenv("CTXLOG_CASE", "snake")
    ctxlog.configure()
    assert get_names() is SNAKE
    monkeypatch.setenv("CTXLOG_REQUEST_ID_KEY", "rid")
    ctxlog.configure()
    assert (get_names().request_id, get_names().case) == ("rid", "snake")
    ctxlog.configure(request_id_key="requestID", case="camel")
    assert get_names() is CAMEL
    monkeypatch.setenv("CTXLOG_REQUEST_ID_KEY", "message")
    with pytest.raises(ctxlog.ConfigError, match="CTXLOG_REQUEST_ID_KEY"):
        ctxlog.configure()


def test_unconfigure_gives_the_names_back() -> None:
    """
    A second call replaces the first one's choice, and the end restores the default.
    """
    ctxlog.configure(case="snake", request_id_key="rid")
    ctxlog.configure(case="snake")
    assert get_names() is SNAKE
    unconfigure()
    assert get_names() is CAMEL


# Where an id is put ---------------------------------------------------------------


async def respond(scope: Any, receive: Any, send: Any) -> None:
    """
    An ASGI application that logs, and answers.
    """
    logging.getLogger("shop").info("inside")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def close(scope: Any, receive: Any, send: Any) -> None:
    """
    An ASGI application that refuses to go on with a WebSocket.
    """
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close", "code": 4001})


async def ignore(message: Any) -> None:
    pass


def request(app: Any = respond, kind: str = "http") -> None:
    """
    One request to an ASGI application in the middleware.
    """
    headers = [
        (b"x-request-id", b"req-A"),
        (b"traceparent", PARENT.encode()),
        (b"user-agent", b"test"),
        (b"content-length", b"0"),
    ]
    scope = {
        "type": kind,
        "method": "GET",
        "path": "/",
        "headers": headers,
        "http_version": "1.1",
    }

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    asked_for = [getattr(CAMEL, name) for name in DETAILS[:-1]]
    asked_for.append("responseHeader:X-Request-ID")
    middleware = ContextMiddleware(app, completion_fields=asked_for)
    asyncio.run(middleware(scope, receive, ignore))


def test_middleware_puts_the_id_under_the_chosen_name(
    names: Names, stream: io.BytesIO
) -> None:
    """
    The store, `fields()` and all lines of the request agree.
    """
    seen: list[dict[str, object]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        store = ctxlog.get_store()
        assert store is not None
        seen.extend((dict(store), ctxlog.fields()))
        await respond(scope, receive, send)

    request(app)
    trace = {names.trace_id: TRACE, names.span_id: SPAN}
    assert seen == [{names.request_id: "req-A", **trace}] * 2
    assert {line[names.request_id] for line in written(stream)} == {"req-A"}


def test_fields_has_the_id_under_the_chosen_name() -> None:
    """
    `fields()` is what a line shows; the store keeps what was put in.
    """

    def look() -> tuple[dict[str, object], dict[str, object]]:
        store = ctxlog.get_store()
        assert store is not None
        return ctxlog.fields(), dict(store)

    ctxlog.configure(request_id_key="rid")
    shown, kept = ctxlog.run({"user": "u", "request_id": "req-A"}, look)
    assert shown == {"user": "u", "rid": "req-A"}
    assert kept == {"user": "u", "request_id": "req-A"}


def test_entries_put_a_new_id_under_the_chosen_name(names: Names) -> None:
    """
    `entry`, `adopt()` and `unpack()` make one where there is none.
    """

    @ctxlog.entry
    def job() -> dict[str, object]:
        return ctxlog.fields()

    assert names.request_id in job()
    with ctxlog.adopt("item"):
        assert names.request_id in ctxlog.fields()
    with ctxlog.adopt(ctxlog.run({"user": "u"}, ctxlog.carry, "item")):
        assert names.request_id in ctxlog.fields()
    assert names.request_id in unpack(None)


def test_a_carried_id_stays_under_its_name(names: Names) -> None:
    """
    An item goes on with the fields that it was put in with, and gets no second id.
    """
    with ctxlog.adopt(ctxlog.run({"correlation_id": "req-A"}, ctxlog.carry, "item")):
        store = ctxlog.get_store()
        assert store is not None
        assert dict(store) == {"correlation_id": "req-A"}
        assert ctxlog.fields() == {names.request_id: "req-A"}


def test_the_carrier_reads_and_writes_the_chosen_name(names: Names) -> None:
    """
    Headers and messages have the id whatever it is called on this side.
    """
    store = {"correlationId": "req-A", names.trace_id: TRACE}
    headers: dict[str, str] = ctxlog.run(store, inject, {})
    assert headers["X-Request-ID"] == "req-A"
    assert TRACE in headers["traceparent"]
    shown = extract(headers)
    assert (shown[names.request_id], shown[names.trace_id]) == ("req-A", TRACE)
    received = unpack(ctxlog.run(store, pack))
    assert (received[names.request_id], received[names.trace_id]) == ("req-A", TRACE)


def test_processes_of_two_spellings_understand_each_other() -> None:
    """
    The keys of a message are the same whatever its sender calls its fields.
    """
    ctxlog.configure(case="snake", request_id_key="rid")
    store: dict[str, object] = {"rid": "req-A", "task_id": "t-1"}
    message = ctxlog.run(store, pack)
    assert json.loads(message) == {"requestID": "req-A", "parentTaskID": "t-1"}
    unconfigure()
    assert dict(unpack(message)) == {"requestID": "req-A", "parentTaskID": "t-1"}
    ctxlog.configure(case="snake")
    assert dict(unpack(message)) == {"request_id": "req-A", "parent_task_id": "t-1"}


def test_the_filter_sets_the_chosen_attribute(names: Names) -> None:
    """
    A record has the id under the one name, from the context or from its own call.
    """
    key = names.request_id

    def attributes(store: dict[str, object], **own: object) -> dict[str, object]:
        def made() -> logging.LogRecord:
            record = logging.makeLogRecord({"msg": "m", **own})
            ContextFilter().filter(record)
            return record

        record = ctxlog.run(store, made)
        return {
            name: value
            for name, value in vars(record).items()
            if name in {key, *ALIASES, "user"}
        }

    shown = attributes({"requestId": "req-A", "user": "u"})
    assert shown == {key: "req-A", "user": "u"}
    assert attributes({}) == {key: "N/A"}
    assert attributes({}, correlationId="own")[key] == "own"
    assert attributes({key: "req-A"}, correlationId="own")[key] == "req-A"


def test_a_filter_and_a_formatter_have_names_of_their_own() -> None:
    """
    In a dictConfig alone, the option is theirs; the line of a record that the filter
    has seen has the id once.
    """
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(ContextFilter(request_id_key="rid"))
    handler.setFormatter(ctxlog.JsonFormatter(request_id_key="rid", case="snake"))
    logger = logging.getLogger("test.names")
    logger.addHandler(handler)
    ctxlog.run({"requestID": "req-A"}, logger.warning, "x")
    line = load_line(stream.getvalue())
    assert list(line)[2:] == ["rid", "message", "logger", "elapsed_ms"]
    assert line["rid"] == "req-A"


@pytest.mark.parametrize("choice", CHOICES)
def test_dict_config_chooses_the_names(choice: str, stream: io.BytesIO) -> None:
    """
    Without `configure()` the lines of a request have the chosen names, and fields of
    the user's own keep theirs.
    """
    chosen: Any = CHOICES[choice]
    names = Names.chosen(**chosen)
    config = ctxlog.dict_config(format="json", stream=stream, **chosen)
    logging.config.dictConfig(config)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        logging.getLogger("shop").info("m", extra={"durationMs": 1, "close_code": 2})
        await respond(scope, receive, send)

    request(app)
    own, inside, completion = written(stream)
    assert (own["durationMs"], own["close_code"]) == (1, 2)
    for line in (own, inside, completion):
        assert line[names.request_id] == "req-A"
        assert (line[names.trace_id], line[names.span_id]) == (TRACE, SPAN)
    assert names.duration in completion
    assert not names.of_fields[:1] == ("duration_ms",) or "durationMs" not in completion


def test_loguru_shows_the_chosen_name_to_every_sink(names: Names) -> None:
    """
    The patcher puts the id into `extra`, once.
    """
    loguru = need("loguru")
    adapter = importlib.import_module("ctxlog.loggers.loguru")
    record: dict[str, Any] = {"exception": None, "extra": {"rows": 1}, "name": "m"}
    ctxlog.run({"correlation_id": "req-A"}, adapter.patcher, record)
    assert record["extra"] == {names.request_id: "req-A", "rows": 1}
    assert loguru.logger


def test_structlogs_processors_see_the_chosen_name(names: Names) -> None:
    """
    `merge_context` puts the id into the event, and the line still has it once.
    """
    need("structlog")
    adapter = importlib.import_module("ctxlog.loggers.structlog")

    def event() -> dict[str, Any]:
        return dict(adapter.merge_context(None, "info", {"event": "m"}))

    def line() -> bytes:
        encoded: bytes = adapter.JsonRenderer().encode(None, "info", event())
        return encoded

    store: dict[str, object] = {"request_id": "req-A"}
    assert ctxlog.run(store, event) == {"event": "m", names.request_id: "req-A"}
    shown = load_line(ctxlog.run(store, line))
    assert [name for name in shown if shown[name] == "req-A"] == [names.request_id]


def test_what_structlogs_contextvars_bind_is_the_id(names: Names) -> None:
    """
    The recipe that most of structlog's users have needs no change.
    """
    structlog = need("structlog")
    stream = io.BytesIO()
    ctxlog.configure(
        stream=stream,
        format="json",
        case=names.case,
        request_id_key=names.request_id,
    )

    def handle() -> None:
        structlog.contextvars.bind_contextvars(request_id="req-A")
        log_structlog()
        log_stdlib()
        structlog.contextvars.clear_contextvars()

    ctxlog.run({}, handle)
    shown = [line[names.request_id] for line in written(stream)]
    assert shown == ["req-A", "req-A"]


def test_captured_lines_follow_the_choice() -> None:
    """
    `capture_lines()` shows the process's names, also of a choice made meanwhile.
    """
    with capture_lines() as lines:
        ctxlog.run({"request_id": "req-A"}, log_stdlib)
        lines.assert_stamped(requestID="req-A")
        ctxlog.configure(case="snake", stream=io.BytesIO())
        lines.clear()
        ctxlog.run({"requestID": "req-A"}, log_stdlib)
        lines.assert_stamped()
        lines.assert_stamped(request_id="req-A")
        ctxlog.run({}, log_stdlib)
        with pytest.raises(AssertionError, match="it has no request_id"):
            lines.assert_stamped()


@each_logger
def test_the_behaviors_hold_under_other_names(logger: str) -> None:
    """
    `check_adapter()` goes by the process's names.
    """

    def log(event: LogCall) -> None:
        level = getattr(logging, event.level)
        error = event.error
        if logger == "stdlib":
            own = {**event.bound, **event.fields}
            target = logging.getLogger(event.logger)
            target.log(level, "%s", event.message, extra=own, exc_info=error)
        elif logger == "structlog":
            bound = need("structlog").get_logger(event.logger).bind(**event.bound)
            own = {**event.fields, **({"exc_info": error} if error else {})}
            getattr(bound, event.level.lower())(event.message, **own)
        else:
            named = need("loguru").logger.patch(
                lambda record: record.update(name=event.logger)
            )
            own = {**event.bound, **event.fields}
            named.bind(**own).opt(exception=error).log(event.level, "{}", event.message)

    if logger != "stdlib":
        need(logger)
    stream = io.BytesIO()
    ctxlog.configure(
        level="DEBUG",
        stream=stream,
        format="json",
        loggers=[logger],
        case="snake",
        request_id_key="rid",
    )
    theirs = [one for one in logging.root.handlers if "_pytest" in type(one).__module__]
    for handler in theirs:  # they keep lone surrogates for a report
        logging.root.removeHandler(handler)
    check_adapter(log, stream.getvalue)


# The two spellings ----------------------------------------------------------------


def snake(name: str) -> str:
    """
    A camel-case name in snake case.
    """
    return re.sub(r"(?<=[a-z])([A-Z])", r"_\1", name).lower()


def test_the_table_has_each_name_in_both_spellings() -> None:
    """
    The second column follows from the first, and no name is there twice.
    """
    camel, other = dataclasses.asdict(CAMEL), dataclasses.asdict(SNAKE)
    assert (camel.pop("case"), other.pop("case")) == ("camel", "snake")
    assert {name: snake(value) for name, value in camel.items()} == other
    assert len(set(camel.values())) == len(camel)


def test_the_documentation_has_the_table() -> None:
    """
    Every row of the code, in its order.
    """
    page = (ROOT / "docs" / "logging.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \|", page, flags=re.MULTILINE)
    camel, other = dataclasses.astuple(CAMEL), dataclasses.astuple(SNAKE)
    assert rows == list(zip(camel[1:], other[1:], strict=True))


def test_no_other_module_spells_such_a_name() -> None:
    """
    The table is the only place, so that a new adapter cannot forget one spelling; the
    viewer reads other programs' lines, too.
    """
    camel = dataclasses.astuple(CAMEL)[1:]
    literal = re.compile("|".join(f"[\"']{name}[\"']" for name in camel))
    package = ROOT / "ctxlog"
    placers = {"line/vendors.py"}  # what a vendor calls them, by the canonical names
    found = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if literal.search(path.read_text(encoding="utf-8"))
    }
    readers = {name for name in found if name.startswith(("viewer/", "demo/"))}
    assert found - readers - placers == {"_names.py"}


def completion_of_a_task(names: Names) -> None:
    store = unpack(json.dumps({"parentTaskID": "t-0", "traceparent": PARENT}))
    running = Task(store, name="job", task_id="t-1")
    running.note_due(time.time())
    with running:
        pass


def completion_of_a_call(names: Names) -> None:
    options = CallOptions(hosts=["*"], completion_line=True)
    Call(options, "GET", "http://shop/").end(200)


def exit_of_a_program(names: Names) -> None:
    with contextlib.suppress(SystemExit):
        ctxlog.entry(sys.exit)(3)


def wrong_format(names: Names) -> None:
    logging.getLogger("shop").info("%d", "x", stack_info=True)


def line_that_waited(names: Names) -> None:
    def handle() -> None:
        logging.getLogger("shop").debug("x" * 2000)
        logging.getLogger("shop").debug("m")
        ctxlog.flush_buffer()

    retention.install(ctxlog.Buffer(max_bytes=1000), None)
    ctxlog.run({names.request_id: "req-A"}, handle)


def line_of_a_sample(names: Names) -> None:
    sampling = ctxlog.Sampling(rate=0.5)
    ids = (f"req-{number}" for number in range(100))
    sampled = next(one for one in ids if in_share(one, sampling.rate))
    retention.install(None, sampling)
    ctxlog.run({names.request_id: sampled}, log_stdlib)


#: The fields that the completion line of a request has if they are asked for.
DETAILS = (
    *("bytes_in", "bytes_out", "user_agent", "http_version"),
    *("ttfb", "response_headers"),
)

#: For each name of the table, what makes a line that has it.
SOURCES: dict[str, tuple[Callable[[Names], object], ...]] = {
    "request_id": (wrong_format, lambda names: request()),
    "elapsed": (lambda names: request(), completion_of_a_task),
    "log_error": (wrong_format,),
    "stack_info": (wrong_format,),
    "duration": (
        *(lambda names: request(), completion_of_a_task, completion_of_a_call),
    ),
    "close_code": (lambda names: request(close, "websocket"),),
    "exit_code": (exit_of_a_program,),
    "task_id": (completion_of_a_task,),
    "parent_task_id": (completion_of_a_task,),
    "trace_id": (lambda names: request(), completion_of_a_task),
    "span_id": (lambda names: request(), completion_of_a_task),
    **dict.fromkeys(DETAILS, (lambda names: request(),)),
    "queue_time": (completion_of_a_task,),
    "dropped_lines": (line_that_waited,),
    "sample_rate": (line_of_a_sample,),
}


def test_every_name_has_a_source() -> None:
    """
    The tests below leave no name of the table out.
    """
    assert list(SOURCES) == [field.name for field in dataclasses.fields(Names)][1:]


@pytest.mark.parametrize("own", SOURCES)
def test_each_source_spells_its_names_as_chosen(
    own: str, names: Names, stream: io.BytesIO
) -> None:
    """
    Every adapter asks for the name of a field that it sets.
    """
    others = {*dataclasses.astuple(CAMEL), *dataclasses.astuple(SNAKE)}
    others -= {*dataclasses.astuple(names)}
    for source in SOURCES[own]:
        stream.truncate(0)
        stream.seek(0)
        source(names)
        lines = written(stream)
        assert getattr(names, own) in lines[-1]
        assert all(others.isdisjoint(line) for line in lines)


def test_an_active_span_is_spelled_as_chosen(names: Names, stream: io.BytesIO) -> None:
    """
    OpenTelemetry's ids come under the names of a trace that came with a request.
    """
    otel = need("opentelemetry.trace")
    context = otel.SpanContext(int(TRACE, 16), int(SPAN, 16), is_remote=False)
    with otel.use_span(otel.NonRecordingSpan(context)):
        log_stdlib()
    (line,) = written(stream)
    assert (line[names.trace_id], line[names.span_id]) == (TRACE, SPAN)


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("choice", CHOICES)
def test_a_vendors_names_stay_and_ours_follow(schema: str, choice: str) -> None:
    """
    Between two spellings lines differ by ctxlog's own names only.
    """

    def line(**options: Any) -> str:
        encoder = LineEncoder(SCHEMAS[schema], **options)
        names = encoder.names
        trace = {names.trace_id: TRACE, names.span_id: SPAN, names.task_id: "t-1"}
        view = View({names.request_id: "req-A", "user": {"id": 7}, **trace}, 0)
        own = {"method": "GET", "path": "/", "status": 200, names.duration: 1.5}
        text = encoder.encode(
            LineEvent(
                *(1.5, "INFO", 20, "ctxlog.request", "m", view, own, ValueError("bad")),
                stack_info="Stack",
                problems=("x",),
            )
        ).decode()
        for field in dataclasses.fields(Names):
            # GELF has a prefix.
            key = re.compile(f'"(_?){re.escape(getattr(names, field.name))}"')
            text = key.sub(rf'"\1<{field.name}>"', text)
        return text

    canonical = line(case="camel", request_id_key="requestID")
    assert line(**CHOICES[choice]) == canonical
    assert "<elapsed>" in canonical
    assert "<stack_info>" in canonical
    assert not re.search('"_?(requestID|elapsedMs|logError|stackInfo)"', canonical)


@each_logger
@pytest.mark.parametrize("choice", ["camel", "snake"])
def test_a_users_fields_are_never_renamed(logger: str, choice: str) -> None:
    """
    Names of the other spelling, and any other name, come out as they were given.
    """
    other = CASES["snake" if choice == "camel" else "camel"]
    fields: dict[str, object] = dict.fromkeys((*other.of_lines, *other.of_fields), 1)
    fields |= {"orderID": 1, "order_id": 2, "OrderId": 3}
    own = {f"{name}2": value for name, value in fields.items()}
    line = logged(logger, fields, own, **CHOICES[choice])
    assert {name: line[name] for name in fields} == fields
    assert {name: line[name] for name in own} == own
    call = logged(logger, {}, {"durationMs": 1, "duration_ms": 2}, **CHOICES[choice])
    assert (call["durationMs"], call["duration_ms"]) == (1, 2)


@each_logger
@pytest.mark.parametrize("choice", ["camel", "snake"])
def test_what_is_reserved_follows_the_spelling(logger: str, choice: str) -> None:
    """
    A field with one of the line's own names is prefixed; another spelling is a
    field.
    """
    names = CASES[choice]
    other = CASES["snake" if choice == "camel" else "camel"]
    fields: dict[str, object] = {
        name: "mine"
        for name in (names.elapsed, other.elapsed, names.log_error, other.log_error)
    }
    line = logged(logger, fields, {}, **CHOICES[choice])
    assert line[f"fields.{names.elapsed}"] == "mine"
    assert line[f"fields.{names.log_error}"] == "mine"
    assert (line[other.elapsed], line[other.log_error]) == ("mine", "mine")


@pytest.mark.parametrize("logger", ["stdlib", "structlog"])
def test_a_wrong_format_is_said_under_the_chosen_name(
    logger: str, names: Names, stream: io.BytesIO
) -> None:
    """
    Both loggers that format with `%` say it under the same key.
    """
    if logger == "structlog":
        need("structlog").get_logger("shop").info("%d items", "x")
    else:
        logging.getLogger("shop").info("%d items", "x")
    (line,) = written(stream)
    assert "message not formatted" in line[names.log_error]


def test_the_console_follows_the_spelling() -> None:
    """
    The text for people has the id in its column, and no field again.
    """
    stream = io.StringIO()
    ctxlog.configure(stream=stream, format="console", case="snake")
    log = logging.getLogger("shop")
    ctxlog.run({"requestID": "req-A"}, log.info, "%d items", "x")
    assert " req-A shop: %d items [x] log_error=" in stream.getvalue()
    assert "requestID" not in stream.getvalue()
