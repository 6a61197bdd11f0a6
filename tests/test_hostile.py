"""
Values that JSON cannot hold, through the whole line: never lost, never two lines.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import logging
import math
import uuid
from collections import deque, namedtuple
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ctxlog
from ctxlog.context.adapter import View, current_view
from ctxlog.line.encoder import LineEncoder
from ctxlog.line.event import Event
from ctxlog.line.redact import Redactor
from ctxlog.line.schema import Schema
from ctxlog.loggers._factory import RecordFactory
from tests.helpers import encoded, load_line, need, run_python


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


class Liar:
    @property
    def __class__(self) -> Any:
        raise RuntimeError("no class")


class Color(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Card:
    owner: str
    password: str
    notes: str = dataclasses.field(default="x", repr=False)


Login = namedtuple("Login", "user password")


def circular() -> list[object]:
    values: list[object] = []
    values.append(values)
    return values


def deep(levels: int) -> object:
    value: object = "bottom"
    for _ in range(levels):
        value = [value]
    return value


def wide() -> object:
    value: object = "x"
    for _ in range(30):
        value = [value] * 10
    return value


REPLACED = {
    "nan": math.nan,
    "infinity": -math.inf,
    "big integer": 2**70,
    "huge integer": 10**5000,
    "not UTF-8": b"\xff\x00",
    "lone surrogate": "\ud800",
    "raising str": Unprintable(),
    "raising class": Liar(),
    "cycle": circular(),
    "depth": deep(500),
    "width": wide(),
    "10 MB": "x" * 10_000_000,
    "clashing keys": {1: "a", "1": "b"},
}


class Text(str):
    pass


class Number(int):
    pass


class Level(enum.IntEnum):
    HIGH = 3


@dataclasses.dataclass
class Slotted:
    __slots__ = ("missing", "there")
    missing: str
    there: str

    def __init__(self) -> None:
        self.there = "yes"


KEPT = {
    "str subclass": (Text("x"), "x"),
    "int subclass": (Number(3), 3),
    "int enum": (Level.HIGH, 3),
    "time": (datetime.time(1, 2), "01:02:00"),
    "timedelta": (datetime.timedelta(minutes=1), "0:01:00"),
    "memoryview": (memoryview(b"abc"), "abc"),
    "unset slot": (Slotted(), {"there": "yes"}),
    "enum key": ({Color.RED: 1}, {"red": 1}),
    "large set": (set(range(1001)), list(range(1001))),
    "bytes": (b"abc", "abc"),
    "set": ({"b", "a"}, ["a", "b"]),
    "date": (datetime.date(2026, 11, 22), "2026-11-22"),
    "decimal": (decimal.Decimal("1.20"), "1.20"),
    "uuid": (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    "enum": (Color.RED, "red"),
    "dataclass": (Card("A", "s"), {"owner": "A", "password": "[redacted]"}),
    "namedtuple": (Login("A", "s"), {"user": "A", "password": "[redacted]"}),
    "exception": (ValueError("bad"), "ValueError: bad"),
    "class": (ValueError, "ValueError"),
    "deque": (deque([1]), [1]),
    "range": (range(3), [0, 1, 2]),
    "keys": ({None: 1, True: 2, 3: 4}, {"null": 1, "true": 2, "3": 4}),
    "nested secret": ({"a": [{"apiKey": "s"}]}, {"a": [{"apiKey": "[redacted]"}]}),
    "store": (ctxlog.Store(a=1), {"a": 1}),
}


def encode(encoder: LineEncoder | None = None, **event: Any) -> dict[str, Any]:
    encoder = encoder or LineEncoder()
    usual = Event(1_700_000_000.5, "INFO", 20, "shop", "hello", current_view())
    line = encoded(encoder, usual._replace(**event))
    assert line.count(b"\n") == 1
    assert line.endswith(b"}\n")
    assert len(line) <= encoder.max_line_bytes
    return load_line(line)


@pytest.mark.parametrize("name", REPLACED)
def test_a_field_of_the_call_that_json_cannot_hold_is_replaced(name: str) -> None:
    """
    One line comes out, it has the id, and it says what was replaced.
    """
    with ctxlog.scope(requestID="req-A"):
        line = encode(fields={"value": REPLACED[name]})

    assert line["requestID"] == "req-A"
    assert "logError" in line


@pytest.mark.parametrize("name", REPLACED)
def test_a_bound_field_that_json_cannot_hold_is_replaced(name: str) -> None:
    """
    A bound value is replaced as a call's is, on every line of the request.
    """
    encoder = LineEncoder()
    with ctxlog.scope(requestID="req-A", value=REPLACED[name]):
        lines = [encode(encoder), encode(encoder, fields={"rows": 1})]

    assert all(line["requestID"] == "req-A" and line["logError"] for line in lines)


@pytest.mark.parametrize("name", KEPT)
def test_a_value_with_a_usual_form_is_written_in_it(name: str) -> None:
    """
    Values that JSON lacks but people write in one way are written so.
    """
    value, shown = KEPT[name]

    line = encode(fields={"value": value})

    assert line["value"] == shown
    assert "logError" not in line


def test_attrs_pydantic_and_numpy_are_looked_into() -> None:
    """
    Records of well-known libraries are objects, and their secrets are hidden.
    """
    attrs, pydantic, numpy = need("attrs"), need("pydantic"), need("numpy")
    login = attrs.make_class("Login", ["user", "token"])("A", "s")
    model = pydantic.create_model("Model", user=(str, ...), secret=(str, ...))

    line = encode(
        fields={
            "attrs": login,
            "pydantic": model(user="A", secret="s"),
            "array": numpy.array([1, 2]),
            "scalar": numpy.float64(1.5),
        }
    )

    assert line["attrs"] == {"user": "A", "token": "[redacted]"}
    assert line["pydantic"] == {"user": "A", "secret": "[redacted]"}
    assert (line["array"], line["scalar"]) == ([1, 2], 1.5)


_NAMES = st.text(max_size=8) | st.sampled_from(
    ["message", "level", "requestID", "logger", "password", "late", "order"]
)
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=20)
    | st.binary(max_size=10)
    | st.sampled_from([circular(), deep(50)]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=4) | st.integers(), inner, max_size=3)
    ),
    max_leaves=8,
)
_FIELDS = st.dictionaries(_NAMES, _VALUES, max_size=5)


@given(static=_FIELDS, bound=_FIELDS, scoped=_FIELDS, own=_FIELDS, message=st.text())
def test_whatever_is_logged_is_one_line_with_every_key_once(
    static: dict[str, Any],
    bound: dict[str, Any],
    scoped: dict[str, Any],
    own: dict[str, Any],
    message: str,
) -> None:
    """
    Any fields at any level of precedence give one valid line, no key twice.
    """
    encoder = LineEncoder(static=static)

    def log() -> None:
        with ctxlog.scope(**scoped):
            for fields in ({}, own):
                line = encode(encoder, fields=fields, message=message)
                assert list(line)[:2] == ["timestamp", "level"]
                assert "requestID" in line

    ctxlog.run(bound, log)


@given(st.integers(1024, 4096), _FIELDS, st.text(max_size=5000))
def test_no_line_is_longer_than_the_limit(
    limit: int, own: dict[str, Any], message: str
) -> None:
    """
    A line is cut to its limit, and what is left is still whole JSON.
    """
    encoder = LineEncoder(max_line_bytes=limit)

    encode(encoder, fields={**own, "text": message * 3}, message=message * 2)


def test_a_cut_line_keeps_its_id_and_says_so() -> None:
    """
    What does not fit is cut in the middle; the line tells how long it was.
    """
    with ctxlog.scope(requestID="req-A", note="n" * 3000):
        line = encode(LineEncoder(max_line_bytes=1024), message="m" * 3000)

    assert line["requestID"] == "req-A"
    assert line["message"].startswith("mmm")
    assert "max_line_bytes=1024" in line["logError"]


def test_precedence_is_call_then_scope_then_store_then_static() -> None:
    """
    The nearer a field is to the log call, the more it counts.
    """
    encoder = LineEncoder(static=dict.fromkeys("abcd", "static"))

    def log() -> dict[str, Any]:
        with ctxlog.scope(b="scope", c="scope"):
            return encode(encoder, fields={"c": "call"})

    line = ctxlog.run({"a": "store", "b": "store", "c": "store"}, log)

    assert [line[key] for key in "abcd"] == ["store", "scope", "call", "static"]


def test_the_lines_own_names_cannot_be_overwritten() -> None:
    """
    A field with a name of the line's own comes out under `fields.`.
    """
    reserved = (
        *("timestamp", "level", "message", "logger", "exception"),
        *("elapsedMs", "late", "logError"),
    )

    line = encode(fields=dict.fromkeys(reserved, "mine"))

    assert {name: line[f"fields.{name}"] for name in reserved} == dict.fromkeys(
        reserved, "mine"
    )
    assert (line["level"], line["message"]) == ("INFO", "hello")


def test_the_id_of_the_call_wins_over_the_contexts() -> None:
    """
    A log call may name the request that it speaks of.
    """
    with ctxlog.scope(requestID="req-A"):
        assert encode(fields={"requestID": "req-B"})["requestID"] == "req-B"


@pytest.mark.parametrize(
    ("bound", "shown"), [(7, "7"), (None, "N/A"), ("x\ny", "x\ny")], ids=str
)
def test_an_id_is_text(bound: object, shown: str) -> None:
    """
    An id of another type is its text; None is treated as missing.
    """
    with ctxlog.scope(requestID=bound):
        assert encode()["requestID"] == shown


def test_a_bind_between_two_lines_replaces_the_key() -> None:
    """
    The cached context is dropped by a bind: no stale value, no second key.
    """
    encoder = LineEncoder()

    def log() -> list[object]:
        seen = []
        for value in (1, 2):
            ctxlog.bind(attempt=value)
            seen.append(encode(encoder)["attempt"])
        return seen

    assert ctxlog.run({}, log) == [1, 2]


@pytest.mark.parametrize(
    ("timespec", "shown"),
    [
        ("seconds", "2023-11-14T22:13:20Z"),
        ("milliseconds", "2023-11-14T22:13:20.123Z"),
        ("microseconds", "2023-11-14T22:13:20.123457Z"),
    ],
)
def test_timestamps_are_utc_in_the_precision_asked_for(
    timespec: str, shown: str
) -> None:
    """
    RFC 3339, UTC, rounded or cut to the precision.
    """
    line = encode(LineEncoder(timespec=timespec), created=1_700_000_000.123457)

    assert line["timestamp"] == shown


@pytest.mark.parametrize(
    "options",
    [
        {"timespec": "days"},
        {"max_line_bytes": 10},
        {"max_line_bytes": True},
        {"missing_request_id": 3},
        {"static": [1]},
    ],
    ids=str,
)
def test_a_wrong_option_is_named(options: dict[str, Any]) -> None:
    """
    The error names the option, the value and what is allowed.
    """
    (name, value), *_ = options.items()

    with pytest.raises(ctxlog.ConfigError) as caught:
        LineEncoder(**options)

    assert (caught.value.option, caught.value.value) == (name, value)
    assert caught.value.allowed in str(caught.value)


def test_a_schema_renames_keys_and_fields() -> None:
    """
    A user's own schema decides the names.
    """
    schema = Schema(name="mine", request_id="request_id", rename={"user": "who"})

    with ctxlog.scope(requestID="req-A", user="u"):
        line = encode(LineEncoder(schema))

    assert (line["request_id"], line["who"]) == ("req-A", "u")
    assert "requestID" not in line


def test_a_static_id_stands_where_there_is_no_other() -> None:
    """
    As any static field it is of the lowest precedence, and there once.
    """
    encoder = LineEncoder(static={"requestID": "job-1"})

    assert encode(encoder)["requestID"] == "job-1"
    with ctxlog.scope(requestID="req-A"):
        assert encode(encoder)["requestID"] == "req-A"


def test_a_field_with_the_schemas_name_of_the_id_is_not_the_id() -> None:
    """
    It is prefixed, as any field with a name of the line's own.
    """
    encoder = LineEncoder(Schema(name="mine", request_id="request_id"))

    with ctxlog.scope(requestID="req-A", request_id="other"):
        line = encode(encoder)

    assert (line["request_id"], line["fields.request_id"]) == ("req-A", "other")


@pytest.mark.parametrize(
    "wrong",
    [{"message": "level"}, {"level": ""}, {"rename": "x"}, {"rename": {"a": "level"}}],
    ids=str,
)
def test_a_schema_with_a_key_twice_is_refused(wrong: dict[str, Any]) -> None:
    """
    Keys are non-empty and all different.
    """
    with pytest.raises(ctxlog.ConfigError):
        Schema(**wrong)


@pytest.mark.parametrize(
    "name",
    [
        *("password", "db_password", "dbPassword", "DB-PASSWORD", "apiKey"),
        *("STRIPE_API_KEY", "access_token", "Authorization", "Set-Cookie"),
        *("client_secret", "privateKey", "x-api-key"),
    ],
)
def test_names_of_secrets_are_found_by_whole_words(name: str) -> None:
    """
    Case and separators do not matter.
    """
    assert Redactor().hides(name)


@pytest.mark.parametrize(
    "name",
    ["tokenizer", "author", "cookiecutter", "passworded_at", "secretary", "keyboard"],
)
def test_words_that_only_contain_a_secret_are_not_hit(name: str) -> None:
    """
    A part of a word is not the word.
    """
    assert not Redactor().hides(name)


@pytest.mark.parametrize(
    ("pattern", "text", "shown"),
    [
        ("card", "pay 4111 1111 1111 1111 now", "pay [redacted] now"),
        ("card", "order 4111 1111 1111 1112", "order 4111 1111 1111 1112"),
        ("bearer", "Bearer abcdef.123", "Bearer [redacted]"),
        ("email", "to a.b@example.org!", "to [redacted]!"),
        (r"\d{3}", "a 123 b", "a [redacted] b"),
    ],
)
def test_patterns_hide_within_texts(pattern: str, text: str, shown: str) -> None:
    """
    In messages, fields and exceptions' messages, where asked for.
    """
    encoder = LineEncoder(redactor=Redactor(patterns=[pattern]))

    line = encode(encoder, message=text, fields={"f": text}, error=ValueError(text))

    assert line["message"] == line["f"] == line["exception"]["message"] == shown
    assert ("[redacted]" in shown) == (text not in line["exception"]["stack"])


@pytest.mark.parametrize("wrong", [{"patterns": ["("]}, {"keys": [""]}, {"keys": "a"}])
def test_a_wrong_redaction_is_refused(wrong: dict[str, Any]) -> None:
    """
    A pattern that is no expression, a key that is no name.
    """
    with pytest.raises(ctxlog.ConfigError):
        Redactor(**wrong)


def test_a_view_of_a_closed_store_is_late() -> None:
    """
    Lines after the request's end say so.
    """
    store = ctxlog.Store(requestID="req-A")
    store.close()

    assert ctxlog.run(store, encode)["late"] is True
    assert "late" not in encode(view=View({"requestID": "req-A"}, None))


def test_a_set_of_what_has_no_order_is_a_list() -> None:
    """
    Members that cannot be compared come out in any order.
    """
    assert sorted(map(str, encode(fields={"value": {1, "a"}})["value"])) == ["1", "a"]


def test_an_array_that_is_too_large_is_described() -> None:
    """
    Its shape and type stand for it.
    """
    numpy = need("numpy")

    line = encode(
        LineEncoder(max_line_bytes=1024), fields={"value": numpy.zeros((100, 100))}
    )

    assert line["value"] == "<array of 100x100 float64>"
    assert "logError" in line


def test_an_exception_that_cannot_be_formatted_is_still_reported() -> None:
    """
    Its type is there, whatever its text and its causes do.
    """

    class Hostile(Exception):
        @property
        def __cause__(self) -> Any:  # type: ignore[override]
            raise RuntimeError("no cause")

        def __str__(self) -> str:
            raise RuntimeError("no text")

        __repr__ = __str__

    line = encode(error=Hostile())

    assert line["exception"]["type"] == "Hostile"
    assert "unprintable" in line["exception"]["message"]


@pytest.mark.parametrize("created", [1e18, -1e18], ids=str)
def test_a_time_that_no_calendar_has_costs_no_line(created: float) -> None:
    """
    A record with a broken time still comes out.
    """
    assert encode(created=created)["message"] == "hello"


def test_a_hundred_thousand_loggers_do_not_fill_the_memory() -> None:
    """
    What is remembered per logger and per set of names is bounded.
    """
    encoder = LineEncoder()
    for number in range(1100):
        encode(encoder, logger=f"l{number}", fields={f"k{number}": 1})

    assert len(encoder._loggers) <= 1024
    assert len(encoder._plain_keys) <= 1024


def test_names_that_come_from_outside_are_not_remembered_without_end() -> None:
    """
    The verdicts of a redactor are bounded.
    """
    redactor = Redactor()
    for number in range(5000):
        assert not redactor.hides(f"k{number}")

    assert len(redactor._verdicts) <= 4096


def test_names_of_any_length_are_remembered_in_bounded_memory() -> None:
    """
    A long name, of a logger, a level or a field, is written and not kept.
    """
    redactor = Redactor()
    encoder = LineEncoder(redactor=redactor)
    for number in range(50):
        name = "n" * 20_000 + str(number)
        encode(
            encoder, logger=name, level=name, fields={name: {name: 1}, "a": {name: 1}}
        )
    kept = (encoder._loggers, encoder._levels, encoder._plain_keys)
    for known in (*kept, redactor._verdicts, redactor._plain_shapes):
        assert len(str(list(known))) < 1024


def test_objects_that_refer_to_the_same_one_many_times_are_bounded() -> None:
    """
    What would be written out for ever is cut, in whichever shape it comes.
    """
    shapes = [
        lambda value: {f"k{i}": value for i in range(60)},
        lambda value: {f"k{i}": value for i in range(16)},
        lambda value: [value] * 16,
        lambda value: {"k": [value, {"a": value}]},
    ]
    for shape in shapes:
        value: object = 1
        for _ in range(20):
            value = shape(value)
        assert "value" in encode(fields={"value": value})


def test_a_place_with_a_long_name_is_not_remembered() -> None:
    """
    Neither is a logger of 20 kB by the factory of records.
    """
    factory = RecordFactory(logging.LogRecord)
    for name in ("short", "n" * 20_000):
        factory(name, 20, "f.py", 1, "hello", (), None)
    assert [key[0] for key in factory._call_sites] == ["short"]


def test_without_orjson_the_lines_are_the_same(tmp_path: Path) -> None:
    """
    The standard library's encoder takes its place, big integers and all.
    """
    program = (
        "import sys\n"
        "{block}\n"
        "import ctxlog, logging, math\n"
        "ctxlog.configure(format='json', timespec='seconds')\n"
        "logging.info('caf\u00e9', extra={{'a': [1, 2**70, math.nan], 'b': 2**70,"
        " 'c': {{'d': None}}, 'e': '\\ud800'}})\n"
    )
    with_it = run_python("-c", program.format(block=""), cwd=tmp_path)
    without = run_python(
        "-c", program.format(block="sys.modules['orjson'] = None"), cwd=tmp_path
    )

    first, second = load_line(with_it.stdout), load_line(without.stdout)
    first.pop("timestamp")
    second.pop("timestamp")
    assert first == second
    assert list(first) == list(second)
