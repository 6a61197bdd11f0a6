"""
The line: its shape, what stands on it and in which order, and that it always comes out.
"""

from __future__ import annotations

import itertools
import logging
import math
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import ctxlog
from ctxlog._names import CASES, get_names, set_names
from ctxlog.context.adapter import View, current_view, error_view
from ctxlog.line.encoder import LineEncoder
from ctxlog.line.event import Caller, Event, ExceptionParts
from ctxlog.line.redact import Redactor
from ctxlog.line.schema import Schema
from ctxlog.line.vendors import SCHEMAS
from tests.helpers import encoded, load_line

AT = 1_795_383_879.123456


def line_of(encoder: LineEncoder, view: View | None = None, **event: Any) -> bytes:
    """
    Encode an event that differs from a usual one by *event*.
    """
    view = current_view() if view is None else view
    usual = Event(AT, "INFO", 20, "shop", "hello", view)
    line = encoded(encoder, usual._replace(**event))
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    assert len(line) <= encoder.max_line_bytes
    return line


def read(
    encoder: LineEncoder, view: View | None = None, **event: Any
) -> dict[str, Any]:
    """
    Encode an event and read its line as strict JSON.
    """
    return load_line(line_of(encoder, view, **event))


# Shape ---------------------------------------------------------------------------


def test_a_bare_line_byte_for_byte() -> None:
    """
    Outside of a request a line is these bytes: compact, the id early.
    """
    assert line_of(LineEncoder()) == (
        b'{"timestamp":"2026-11-22T21:44:39.123456Z","level":"INFO","requestID":"N/A",'
        b'"message":"hello","logger":"shop"}\n'
    )


def test_a_full_line_byte_for_byte() -> None:
    """
    Static fields, the context, the elapsed time, the call's own, the exception.
    """
    view = View({"order": "o-7", "requestID": "req-A"}, round(AT * 1e9) - 12_300_000)
    line = line_of(
        LineEncoder(static={"service": "shop"}),
        view,
        fields={"rows": 3},
        error=ExceptionParts("ValueError", "bad", "Traceback ..."),
        stack_info="Stack ...",
        problems=("one", "two", "one"),
    )
    assert line == (
        b'{"timestamp":"2026-11-22T21:44:39.123456Z","level":"INFO",'
        b'"requestID":"req-A","message":"hello","logger":"shop","service":"shop",'
        b'"order":"o-7","elapsedMs":12.3,"rows":3,"exception":{"type":"ValueError",'
        b'"message":"bad","stack":"Traceback ..."},"stackInfo":"Stack ...",'
        b'"logError":"one; two"}\n'
    )


def test_the_order_is_the_same_when_a_key_clashes() -> None:
    """
    A line on which the call replaces a field has its keys in the usual order.
    """
    view = View({"a": 1, "b": 2}, 0)
    keys = list(read(LineEncoder(static={"s": 0}), view, fields={"a": 3, "c": 4}))
    assert keys == [
        *("timestamp", "level", "requestID", "message", "logger"),
        *("s", "b", "elapsedMs", "a", "c"),
    ]


@pytest.mark.parametrize("request_id", ["req-A", 'with "quotes"', "caf\u00e9 \u2028"])
def test_the_id_can_be_searched_for_as_bytes(request_id: str) -> None:
    """
    The id is one byte sequence on every line of a request, before anything of a user's.
    """
    encoder = LineEncoder()
    with ctxlog.scope(requestID=request_id, a=1):
        lines = [
            line_of(encoder),
            line_of(encoder, fields={"a": 2}),
            line_of(encoder, message="\ud800", error=ValueError("x")),
        ]
    prefix = {line[: line.index(b',"message":')] for line in lines}
    assert len(prefix) == 1
    assert b'"requestID":"' in prefix.pop()


def test_no_id_at_all_where_asked_for() -> None:
    """
    missing_request_id=None leaves the key out outside of a request, and only there.
    """
    encoder = LineEncoder(missing_request_id=None)
    assert "requestID" not in read(encoder)
    assert read(encoder, View({"requestID": "A"}, None))["requestID"] == "A"


def test_what_stands_for_a_missing_id_is_made_plain_once() -> None:
    """
    A placeholder that JSON cannot hold costs no line.
    """
    assert read(LineEncoder(missing_request_id="\ud800"))["requestID"] == "\\ud800"


@pytest.mark.parametrize(
    ("created", "shown"),
    [
        (-0.5, "1969-12-31T23:59:59.500000Z"),
        (0.0, "1970-01-01T00:00:00.000000Z"),
        (0.000012, "1970-01-01T00:00:00.000012Z"),
        (1.000012, "1970-01-01T00:00:01.000012Z"),
        (86_400.25, "1970-01-02T00:00:00.250000Z"),
    ],
)
def test_a_time_of_few_digits(created: float, shown: str) -> None:
    """
    A clock that was never set, or is before 1970, shows its time all the same.
    """
    encoder = LineEncoder()

    for _ in range(2):
        line = encoder.encode(
            Event(created, "INFO", 20, "shop", "hello", View({}, None))
        )
        assert load_line(line)["timestamp"] == shown


def test_an_elapsed_time_is_never_negative() -> None:
    """
    A clock that was set back does not show.
    """
    assert read(LineEncoder(), View({}, round(AT * 1e9) + 10**9))["elapsedMs"] == 0


def test_control_characters_are_escaped() -> None:
    """
    A newline or an escape sequence in a message, a name or an id forges nothing.
    """
    evil = "x\n\r\x1b[2J\x00\x7f"
    line = line_of(
        LineEncoder(),
        View({"requestID": evil, evil: evil}, None),
        message=evil,
        logger=evil,
        level=evil,
        fields={evil + "2": evil},
    )
    assert not any(byte < 0x20 for byte in line[:-1])
    assert load_line(line)["message"] == evil


# Precedence ----------------------------------------------------------------------

_SOURCES = ("static", "store", "scope", "call")


@given(
    given=st.sets(st.sampled_from(_SOURCES), min_size=1), encoded_before=st.booleans()
)
def test_the_nearest_source_wins(given: set[str], encoded_before: bool) -> None:
    """
    call > scope > store > static, whichever are given and whatever was cached.
    """
    fields: dict[str, dict[str, Any]] = {
        source: {"key": source} if source in given else {} for source in _SOURCES
    }
    encoder = LineEncoder(static=fields["static"])

    def log() -> dict[str, Any]:
        with ctxlog.scope(**fields["scope"]):
            if encoded_before:
                read(encoder)
            return read(encoder, fields=fields["call"])

    line = ctxlog.run(fields["store"], log)
    assert line["key"] == max(given, key=_SOURCES.index)


def test_none_is_a_value_and_wins() -> None:
    """
    A field that the call sets to None hides the context's.
    """
    line = read(LineEncoder(), View({"a": 1}, None), fields={"a": None})
    assert line["a"] is None


@pytest.mark.parametrize("where", ["static", "bound", "own"])
def test_the_lines_own_names_are_moved_aside_everywhere(where: str) -> None:
    """
    A static, a bound or a call's field cannot take a name of the line's own.
    """
    reserved = dict.fromkeys(Schema().own_keys, "mine")
    line = read(
        LineEncoder(static=reserved if where == "static" else None),
        View(reserved if where == "bound" else {}, None),
        fields=reserved if where == "own" else {},
        error=ValueError("bad"),
    )
    assert [line.pop(f"fields.{name}") for name in reserved] == ["mine"] * len(reserved)
    assert "mine" not in str(line)


def test_two_fields_with_one_key_both_come_out() -> None:
    """
    1 and "1" are one key of JSON; neither value is lost, and the line says so.
    """
    line = read(LineEncoder(), fields={1: "number", "1": "text"})
    assert (line["1"], line["1#2"]) == ("number", "text")
    assert "a second key of this name" in line["logError"]


# Late lines, exceptions ----------------------------------------------------------


def test_lines_after_the_end_are_late_and_others_are_not() -> None:
    """
    "late" is true or not there.
    """
    encoder, store = LineEncoder(), ctxlog.Store(requestID="A")
    before = ctxlog.run(store, read, encoder)
    store.close()
    after = ctxlog.run(store, read, encoder)
    assert "late" not in before
    assert (after["late"], after["requestID"]) == (True, "A")


def failed(fn: Callable[[], Any]) -> BaseException:
    """
    Return the exception that *fn* raises.
    """
    try:
        fn()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def test_the_report_of_a_failed_request_is_not_late() -> None:
    """
    It necessarily comes after the request's end.
    """

    def handler() -> None:
        with ctxlog.scope(step="pay"):
            raise ValueError("bad")

    error = failed(lambda: ctxlog.run({"requestID": "A"}, handler))
    line = read(LineEncoder(), error_view(error), error=error)
    assert (line["requestID"], line["step"]) == ("A", "pay")
    assert "late" not in line


def test_a_line_with_a_context_only_gains_what_it_lacks() -> None:
    """
    An exception from another request does not take a line's own fields away.
    """

    def handler() -> None:
        ctxlog.bind(table="users")
        raise ValueError("bad")

    error = failed(lambda: ctxlog.run({"requestID": "inner"}, handler))
    with ctxlog.scope(requestID="outer"):
        own = read(LineEncoder(), error_view(error), error=error)
        reported = read(LineEncoder(), error_view(error, reporting=True), error=error)
    assert (own["requestID"], own["table"]) == ("outer", "users")
    assert (reported["requestID"], reported["table"]) == ("inner", "users")


def test_a_whole_chain_of_exceptions_is_in_the_stack() -> None:
    """
    Causes are shown as Python shows them; type and message are the last one's.
    """

    def fail() -> None:
        try:
            raise KeyError("first")
        except KeyError as error:
            raise ValueError("second") from error

    exception = read(LineEncoder(), error=failed(fail))["exception"]
    assert (exception["type"], exception["message"]) == ("ValueError", "second")
    assert "KeyError: 'first'" in exception["stack"]
    assert exception["stack"].endswith("ValueError: second")


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exception groups are of 3.11")
def test_the_members_of_a_group_are_in_the_stack() -> None:
    """
    An ExceptionGroup shows what each of its members says.
    """
    group = ExceptionGroup("both", [ValueError("one"), KeyError("two")])  # noqa: F821
    stack = read(LineEncoder(), error=group)["exception"]["stack"]
    assert "ValueError: one" in stack
    assert "KeyError: 'two'" in stack


# It always comes out -------------------------------------------------------------


class Raising:
    """
    Raises from every method that an encoder might call.
    """

    def _raise(self, *args: Any) -> Any:
        raise RuntimeError("hostile")

    __str__ = __repr__ = __iter__ = __len__ = __bool__ = __eq__ = _raise
    __hash__ = __getattribute__ = _raise  # type: ignore[assignment]
    __class__ = property(_raise)  # type: ignore[assignment]


class NamelessType(type):
    @property
    def __name__(cls) -> Any:  # type: ignore[override]
        raise RuntimeError("no name")

    __module__ = __name__  # type: ignore[assignment]


class Nameless(metaclass=NamelessType):
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


class RaisingError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


def circular() -> dict[str, Any]:
    """
    A value that contains itself, by two ways.
    """
    value: dict[str, Any] = {}
    value["list"] = [value]
    return value


def laughs() -> Any:
    """
    A small value that is 10 to the power of 20 strings when written out.
    """
    value: Any = "lol"
    for _ in range(20):
        value = [value] * 10
    return value


HOSTILE = {
    "raising": Raising(),
    "nameless": Nameless(),
    "circular": circular(),
    "laughs": laughs(),
    "one large text many times": ["x" * 200_000] * 100_000,
    "large text": "x" * 10_000_000,
    "lone surrogate": "\udcff",
    "not a number": math.nan,
    "infinite": [math.inf, -math.inf],
    "huge integer": 10**10_000,
    "raising error": RaisingError(),
    "bytes": b"\xff" * 300_000,
    "key that raises": {Nameless(): 1},
    "long key": {"k" * 300_000: 1},
}

# By name: pytest asks the values too many questions.
_hostile = pytest.mark.parametrize("name", HOSTILE)
# `str()` of the others takes for ever by itself.
_hostile_text = pytest.mark.parametrize(
    "name",
    [name for name in HOSTILE if name not in ("laughs", "one large text many times")],
)


@_hostile
@pytest.mark.parametrize("where", ["own", "bound", "static"])
def test_a_hostile_field_costs_neither_the_line_nor_its_id(
    name: str, where: str
) -> None:
    """
    One line with the id and the message comes out, and says that something is missing.
    """
    value = HOSTILE[name]
    line = read(
        LineEncoder(static={"value": value} if where == "static" else None),
        View(
            {"requestID": "req-A", **({"value": value} if where == "bound" else {})},
            None,
        ),
        fields={"value": value} if where == "own" else {"rows": 1},
    )
    assert (line["requestID"], line["message"]) == ("req-A", "hello")
    assert "logError" in line


@_hostile
def test_a_hostile_id_is_a_text(name: str) -> None:
    """
    Whatever is bound as the id is written as one, its secrets hidden.
    """
    value = [HOSTILE[name], {"password": "hunter2"}]
    line = line_of(LineEncoder(), View({"requestID": value}, None))
    assert isinstance(load_line(line)["requestID"], str)
    assert b"hunter2" not in line


@_hostile_text
def test_a_hostile_value_as_anything_else_costs_no_line(name: str) -> None:
    """
    Records that were unpickled may hold anything, as time, level, logger or exception.
    """
    for part in (
        "message",
        "level",
        "logger",
        "created",
        "error",
        "stack_info",
        "fields",
    ):
        assert isinstance(read(LineEncoder(), **{part: HOSTILE[name]})["message"], str)


@pytest.mark.parametrize(
    "created", [math.nan, math.inf, -math.inf, None, "x", 1e300, -1e300, 2**80], ids=str
)
def test_a_time_that_is_none_costs_no_field(created: Any) -> None:
    """
    The line keeps all that it has, its time is the epoch's begin.
    """
    line = read(LineEncoder(), created=created, fields={"rows": 1})
    assert line["rows"] == 1
    assert line["timestamp"].startswith("19")


def test_a_hostile_exception_is_reported_by_its_type() -> None:
    """
    An exception whose text, causes and type's name raise still gives one line.
    """
    line = read(LineEncoder(), error=RaisingError())
    assert line["exception"]["type"] == "RaisingError"
    nameless = NamelessType("Bad", (Exception,), {"__str__": Nameless.__str__})
    line = read(LineEncoder(), error=nameless())
    assert line["exception"]["type"] == "Bad"


@pytest.mark.parametrize("limit", [1024, 1500, 4096, 262_144])
def test_the_limit_holds_however_much_needs_escaping(limit: int) -> None:
    """
    Characters that take six bytes each, everywhere at once, still fit and keep the id.
    """
    long = "\x00" * limit
    fields = {f"{long}{number}": long for number in range(50)}
    encoder = LineEncoder(max_line_bytes=limit, static=fields)
    line = read(
        encoder,
        View({"requestID": "req-A", **fields}, None),
        fields=fields,
        message=long,
        logger=long,
        level=long,
        error=ValueError(long),
        stack_info=long,
        problems=(long,),
    )
    assert line["requestID"] == "req-A"
    assert f"max_line_bytes={limit}" in line["logError"]


def test_a_cut_line_still_says_what_else_was_wrong() -> None:
    """
    The notice of the cut does not replace what was reported before.
    """
    line = read(
        LineEncoder(max_line_bytes=4096),
        message="x" * 10_000,
        problems=("message not formatted",),
    )
    assert "message not formatted" in line["logError"]
    assert "max_line_bytes=4096" in line["logError"]


def test_a_long_context_is_cut_on_its_lines_only() -> None:
    """
    One request's long value does not cost another's lines anything.
    """
    encoder = LineEncoder(max_line_bytes=2048)
    long = read(encoder, View({"note": "x" * 5000}, None))
    short = read(encoder, View({"note": "y"}, None))
    assert "logError" in long
    assert "logError" not in short


_TEXT = st.text(st.characters(), max_size=30)  # lone surrogates too
_NAMES = _TEXT | st.sampled_from(
    [*Schema().own_keys, "requestID", "fields.level", "fields.message", "key", "token"]
)
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | _TEXT
    | st.binary(max_size=20)
    | st.sampled_from(["nameless", "circular"]).map(lambda n: HOSTILE[n]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(_TEXT | st.integers() | st.booleans(), inner, max_size=4)
        | st.frozensets(st.integers() | _TEXT, max_size=4)
        | inner.map(lambda value: (value, value))
    ),
    max_leaves=12,
)
_FIELDS = st.dictionaries(_NAMES, _VALUES, max_size=6)


@given(
    static=_FIELDS,
    bound=_FIELDS,
    own=_FIELDS | st.dictionaries(st.integers() | _NAMES, _VALUES, max_size=6),
    message=_VALUES,
    limit=st.sampled_from([1024, 3000, 262_144]),
    patterns=st.sampled_from([(), ("card", "bearer", "basic", "email")]),
    failing=st.booleans(),
)
def test_any_event_is_one_valid_line(
    static: dict[Any, Any],
    bound: dict[Any, Any],
    own: dict[Any, Any],
    message: Any,
    limit: int,
    patterns: tuple[str, ...],
    failing: bool,
) -> None:
    """
    Whatever is logged in whatever context: strict JSON, no key twice, within the limit.
    """
    encoder = LineEncoder(
        static=static, max_line_bytes=limit, redactor=Redactor(patterns=patterns)
    )
    view = View(bound, 0)
    for fields in ({}, own):
        line = read(
            encoder,
            view,
            fields=fields,
            message=message,
            error=ValueError(message) if failing else None,
        )
        assert list(line)[:2] == ["timestamp", "level"]
        assert isinstance(line["requestID"], str)
        assert isinstance(line["message"], str)


_PLAIN = st.dictionaries(
    _NAMES | st.sampled_from(["rows", "hit", "a", "b"]),
    st.none() | st.booleans() | st.integers() | st.floats() | _TEXT,
    max_size=4,
)


@given(
    created=st.floats(-10, 4e9) | st.floats(),
    message=_TEXT,
    logger=_TEXT,
    bound=_PLAIN,
    started=st.none() | st.integers(0, 4 * 10**18),
    own=_PLAIN | st.dictionaries(st.sampled_from(["a", "b"]), _VALUES),
    options=st.sampled_from(
        [
            *({}, {"timespec": "seconds"}, {"timespec": "milliseconds"}),
            *({"static": {"a": 1}}, {"missing_request_id": None}),
            *({"max_line_bytes": 1024}, {"case": "snake"}),
        ]
    ),
    caller=st.none() | st.builds(Caller, _TEXT, st.integers(), st.none() | _TEXT),
    schema=st.sampled_from(list(SCHEMAS)),
)
@example(  # a time whose microseconds are not exact as a float
    created=7031480357354057.0,
    message="",
    logger="",
    bound={},
    started=0,
    own={},
    options={},
    caller=None,
    schema="default",
)
def test_the_short_way_gives_the_same_bytes(
    created: float,
    message: str,
    logger: str,
    bound: dict[Any, Any],
    started: int | None,
    own: dict[Any, Any],
    options: dict[str, Any],
    caller: Caller | None,
    schema: str,
) -> None:
    """
    `encode_plain` returns the bytes of `encode`, or None; `encode_at` returns them.
    """
    encoder = LineEncoder(SCHEMAS[schema], caller=caller is not None, **options)
    view = View(bound, started)
    total, secret = {"count": 2, "ms": 1.5}, {"token": "x", "name": "token"}
    for fields in (
        *({}, own, {"rows": 3, "hit": True}, {"caller": 1}),
        *({"db": total}, {"db": secret}, {"db": [total]}, {"db": {"a": secret}}),
    ):
        line_of(encoder, view, fields=fields, caller=caller)
        line_of(
            encoder,
            view,
            created=created,
            logger=logger,
            message=message,
            fields=fields,
            caller=caller,
        )


@given(
    bound=st.dictionaries(
        st.sampled_from(["a", "taskID", "traceID", "level", "token"]),
        st.sampled_from(["ab" * 16, 1, None, math.nan, "\ud800", 2**70])
        | st.dictionaries(st.sampled_from(["id", "token"]), _TEXT),
        min_size=1,
        max_size=2,
    ),
    request_id=st.sampled_from(["A", None, "\ud800", 7, "a" * 2000]),
    schema=st.sampled_from(["default", "ecs", "otel", "gelf"]),
    options=st.sampled_from(
        [
            *({}, {"case": "snake"}, {"request_id_key": "a"}, {"static": {"a": 1}}),
            {"redactor": Redactor(patterns=[r"\d"])},
        ]
    ),
    case=st.sampled_from(["camel", "snake"]),
)
@example({"traceID": "ab" * 16}, "A", "otel", {}, "camel")
@example({"taskID": "ab" * 16}, "A", "default", {"case": "snake"}, "snake")
@example({"taskID": "ab" * 16}, "A", "default", {"case": "snake"}, "camel")
@example({"a": 1}, None, "ecs", {}, "camel")
@example({"a": 1}, "A", "default", {"static": {"a": 1}}, "camel")
def test_a_context_with_names_seen_before_gives_the_same_bytes(
    bound: dict[str, Any],
    request_id: Any,
    schema: str,
    options: dict[str, Any],
    case: str,
) -> None:
    """
    Whatever its values are, and whichever names the process uses by then.
    """
    used = get_names()
    for name, now in itertools.product(("requestID", "request_id"), CASES):
        seen, fresh = (LineEncoder(SCHEMAS[schema], **options) for _ in range(2))
        view = View({**bound, name: request_id}, 0)
        try:
            set_names(CASES[case])
            line_of(seen, View(dict.fromkeys(view.fields, "ab" * 16), 0))
            set_names(CASES[now])
            for fields in ({}, {"a": 1}, {"request_id": "B"}):
                line = line_of(seen, view, fields=fields)
                assert line == line_of(fresh, view, fields=fields)
        finally:
            set_names(used)


@given(bound=_FIELDS, own=_FIELDS, failing=st.booleans())
@settings(max_examples=30)
def test_the_caller_changes_nothing_else(
    bound: dict[Any, Any], own: dict[Any, Any], failing: bool
) -> None:
    """
    A line without its caller is the line of an encoder that shows none.
    """
    view = View({k: of for k, of in bound.items() if k != "caller"}, None)
    event: dict[str, Any] = {
        "fields": {k: of for k, of in own.items() if k != "caller"},
        "error": ValueError("bad") if failing else None,
    }
    without = read(LineEncoder(), view, **event)
    caller = Caller("/a/orders.py", 42, "place")
    found = read(LineEncoder(caller=True), view, caller=caller, **event)
    assert found.pop("caller") == {"file": "orders.py", "line": 42, "function": "place"}
    assert list(found.items()) == list(without.items())


def test_a_usual_event_goes_the_short_way() -> None:
    """
    With a context and fields of plain values, as soon as their names have been seen.
    """
    encoder, view = LineEncoder(), View({"requestID": "A", "user": {"id": "u"}}, 0)
    for fields in (
        {"rows": 3, "took": 0.5},
        {"status": 200, "db": {"count": 7, "ms": 31.2}},  # as a request ends
    ):
        event = Event(AT, "INFO", 20, "shop", "hello", view, fields)
        line = encoder.encode(event)
        assert encoder.encode_plain(*event[:7]) == line


# Caches between lines ------------------------------------------------------------


def test_a_request_is_encoded_once_for_all_its_lines() -> None:
    """
    The context's bytes are made for its first line, and again after a bind only.
    """
    asked = []

    class Counted:
        def __str__(self) -> str:
            asked.append(1)
            return "counted"

    encoder = LineEncoder()

    def log() -> None:
        for _ in range(3):
            assert read(encoder)["value"] == "counted"
        ctxlog.bind(more=1)
        assert read(encoder)["more"] == 1

    ctxlog.run({"value": Counted()}, log)
    assert len(asked) == 2


def test_two_encoders_of_one_context_do_not_mix() -> None:
    """
    What one schema caches is not what another writes.
    """
    mine = Schema(name="mine", request_id="request_id", rename={"user": "who"})
    with ctxlog.scope(requestID="A", user="u"):
        for _ in range(2):
            assert read(LineEncoder())["user"] == "u"
            assert read(LineEncoder(mine))["who"] == "u"


def test_encoders_that_come_and_go_do_not_fill_the_memory() -> None:
    """
    What lines outside of a request keep per encoder is bounded.
    """
    view = current_view()
    for _ in range(1_100):
        line_of(LineEncoder())
    assert len(view.encoded or ()) <= 1_024


def test_names_of_any_length_and_number_are_not_remembered() -> None:
    """
    Only short sets of short names are, however many come from outside.
    """
    encoder = LineEncoder()
    for number in range(20):
        read(encoder, fields={f"{number}" + "x" * 10_000: 1})
    read(encoder, fields={f"k{number}": 1 for number in range(500)})
    assert not encoder._plain_keys
    read(encoder, fields={"rows": 1})
    assert list(encoder._plain_keys) == [("rows",)]


def test_a_key_with_a_percent_sign_is_a_key() -> None:
    """
    The names of a schema are not format strings.
    """
    schema = Schema(name="mine", elapsed="%d%%s", level="100%", logger="{}")
    line = read(LineEncoder(schema), View({}, 0))
    assert {"%d%%s", "100%", "{}"} <= line.keys()


def test_a_level_above_all_names_is_a_text() -> None:
    """
    Level and logger are texts, whatever a record says.
    """
    record = logging.makeLogRecord({"levelname": 35, "name": None})
    line = read(LineEncoder(), level=record.levelname, logger=record.name)
    assert (line["level"], line["logger"]) == ("35", "None")


def test_an_id_that_is_too_long_is_cut_like_any_text() -> None:
    """
    The rest of the line is still there.
    """
    line = read(LineEncoder(max_line_bytes=1024), View({"requestID": "x" * 5000}, None))
    assert line["requestID"].startswith("xxx")
    assert (line["message"], line["logger"]) == ("hello", "shop")
    assert "cut" in line["logError"]
