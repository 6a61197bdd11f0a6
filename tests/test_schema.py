"""
The names of a line's keys.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest

import ctxlog
from ctxlog.context.adapter import View
from ctxlog.line.encoder import LineEncoder
from ctxlog.line.event import Caller, Event
from ctxlog.line.schema import Schema, get_schema
from ctxlog.line.vendors import DEFAULT, SCHEMAS
from tests.helpers import load_line


def keys_of(schema: Schema) -> list[str]:
    """
    The keys of a line that has everything.
    """
    late = View({"requestID": "A", "user": "u"}, 0, late=True)
    line = LineEncoder(schema).encode(
        Event(
            *(
                0.0,
                "INFO",
                20,
                "shop",
                "hello",
                late,
                {"rows": 1},
                ValueError("bad"),
                "Stack",
            ),
            problems=("x",),
        )
    )
    return list(load_line(line))


def test_the_default_schema_is_the_documented_one() -> None:
    """
    All keys that a line can have, in their order.
    """
    assert keys_of(DEFAULT) == [
        *("timestamp", "level", "requestID", "message", "logger", "user"),
        *("elapsedMs", "late", "rows", "exception", "stackInfo", "logError"),
    ]


def test_every_key_can_be_renamed() -> None:
    """
    A schema of one's own decides all names, and the order stays.
    """
    names = [
        field.name
        for field in dataclasses.fields(Schema)
        if isinstance(field.default, str) and field.default
    ]
    own = {name: f"my_{name}" for name in names if name != "name"}
    assert keys_of(Schema(name="mine", rename={"user": "who"}, **own)) == [
        *("my_timestamp", "my_level", "my_request_id", "my_message", "my_logger"),
        *("who", "my_elapsed", "my_late", "rows", "my_exception", "my_stack_info"),
        "my_log_error",
    ]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({}, {"caller": {"file": "b.py", "line": 7, "function": "f"}}),
        (
            {"caller": "at", "caller_path": "path", "caller_file": ""},
            {"at": {"path": "/a/b.py", "line": 7, "function": "f"}},
        ),
        (
            {"caller": "", "caller_file": "f", "caller_function": ""},
            {"f": "b.py", "line": 7},
        ),
        ({"caller_line_text": True, "caller_function": ""}, "7"),
        (
            {
                "caller_file": "",
                "caller_path": "",
                "caller_line": "",
                "caller_function": "",
            },
            {},
        ),
    ],
)
def test_the_callers_keys(given: dict[str, Any], shown: Any) -> None:
    """
    An object or keys of the line; a part without a key is left out.
    """
    event = Event(0, "I", 20, "a", "b", View({}, None))
    event = event._replace(caller=Caller("/a/b.py", 7, "f"))
    line = load_line(LineEncoder(Schema(**given), caller=True).encode(event))
    plain = load_line(LineEncoder(Schema(**given)).encode(event))
    found = {key: of for key, of in line.items() if key not in plain}
    assert found == shown or found["caller"]["line"] == shown


def test_the_ids_name_must_not_be_the_callers() -> None:
    """
    Only where lines show it.
    """
    LineEncoder(request_id_key="caller")
    LineEncoder(SCHEMAS["gelf"], request_id_key="file")
    for schema, key in ((DEFAULT, "caller"), (SCHEMAS["gelf"], "file")):
        with pytest.raises(ctxlog.ConfigError, match="request_id_key"):
            LineEncoder(schema, request_id_key=key, caller=True)


def test_a_reserved_name_is_of_the_schema_not_of_the_default() -> None:
    """
    With another key for the time, `timestamp` is a field as any other.
    """
    schema = Schema(name="mine", timestamp="@timestamp")
    line = load_line(
        LineEncoder(schema).encode(
            Event(0, "I", 20, "a", "b", View({"timestamp": 1, "@timestamp": 2}, None))
        )
    )
    assert (line["timestamp"], line["fields.@timestamp"]) == (1, 2)


def test_a_schema_can_give_a_reserved_field_a_name() -> None:
    """
    A rename comes before the prefix.
    """
    schema = Schema(name="mine", rename={"message": "note"})
    line = LineEncoder(schema).encode(
        Event(0, "I", 20, "a", "b", View({"message": "x"}, None))
    )
    assert load_line(line)["note"] == "x"


@pytest.mark.parametrize(
    "wrong",
    [
        {"message": "level"},
        {"request_id": "message"},
        {"exception_type": "stack"},
        {"level": ""},
        {"level": None},
        {"level": "x" * 65},
        {"level": "\ud800"},
        {"exception_stack": ""},
        {"rename": "user"},
        {"rename": {"a": "level"}},
        {"rename": {"a": "b", "c": "b"}},
        {"rename": {"a": 1}},
        {"rename": {"requestID": "rid"}},
        {"name": 3},
        {"level_value": None},
        {"level_text": 5},
        {"level_text": "level"},
        {"prefix": None},
        {"seconds": 1},
        {"otlp": True},
        {"message_first": "yes"},
        {"caller": None},
        {"caller": "level"},
        {"caller_file": "line"},
        {"caller": "", "caller_line": "message"},
        {"caller_line_text": 1},
        {"rename": {"a": "caller"}},
        {"constants": "a"},
        {"constants": {"a": 1}},
        {"constants": {"a": "\ud800"}},
        {"constants": {"message": "a"}},
        {"constants": {1: "a"}},
        {"reserved": "user"},
        {"reserved": {1}},
        {"place": "user"},
        {"levels": {"INFO": 1}},
        {"levels": lambda name, number: {}["x"]},
        {"levels": lambda name, number: number / 10},
        {"levels": lambda name: name},
    ],
    ids=lambda wrong: re.sub(" at 0x[0-9a-f]+", "", str(wrong)),
)
def test_a_wrong_schema_is_refused(wrong: dict[str, Any]) -> None:
    """
    Keys are short texts and all different; the id has an attribute of its own.
    """
    with pytest.raises(ctxlog.ConfigError, match="^invalid value for .*expected "):
        Schema(**wrong)


def test_a_constant_may_be_asked_for_when_an_encoder_is_made() -> None:
    """
    What it gives is on every line of that encoder.
    """
    pods = iter(["pod-1", "pod-2"])
    schema = Schema(constants={"app": "shop", "pod": lambda: next(pods)})
    for wanted in ("pod-1", "pod-2"):
        encoder = LineEncoder(schema)
        for _ in range(2):
            line = load_line(
                encoder.encode(Event(0, "I", 20, "a", "b", View({}, None)))
            )
            assert (line["app"], line["pod"]) == ("shop", wanted)


def test_a_constant_that_gives_no_text_is_refused() -> None:
    """
    When the encoder is made, not when a line is lost.
    """
    schema = Schema(constants={"pod": lambda: 1})  # type: ignore[dict-item,return-value]
    with pytest.raises(ctxlog.ConfigError, match="for constants: 1 .*a string for pod"):
        LineEncoder(schema)


def test_levels_that_raise_leave_the_name() -> None:
    """
    For a level that they do not know.
    """
    known = {10: 1, 20: 2, 30: 3, 40: 4, 50: 5}
    encoder = LineEncoder(Schema(levels=lambda name, number: known[number]))
    lines = [
        load_line(encoder.encode(Event(0, name, number, "a", "b", View({}, None))))
        for name, number in [("INFO", 20), ("MINE", 25)]
    ]
    assert [line["level"] for line in lines] == [2, "MINE"]


def test_a_place_of_ones_own_moves_fields() -> None:
    """
    By value too, never onto the line's own keys, and the rest stays where it is.
    """

    def place(name: str, value: Any, http: bool) -> dict[str, Any] | None:
        if name == "took" and type(value) is int:
            return {"took.ms": value}
        return {"message": value, "requestID": value} if name == "rude" else None

    encoder = LineEncoder(Schema(place=place))
    view = View({"requestID": "A", "rude": "x"}, None)
    line = load_line(
        encoder.encode(Event(0, "I", 20, "a", "b", view, {"took": 3, "n": 1}))
    )
    assert (line["took.ms"], line["n"]) == (3, 1)
    assert (line["message"], line["requestID"]) == ("b", "A")
    line = load_line(
        encoder.encode(Event(0, "I", 20, "a", "b", view, {"took": "long"}))
    )
    assert line["took"] == "long"


@pytest.mark.parametrize(
    "place", [lambda name, value, http: 1 / 0, lambda name, value, http: 3]
)
def test_a_place_that_fails_leaves_the_field(place: Any) -> None:
    """
    The line is written, and says so.
    """
    encoder = LineEncoder(Schema(place=place))
    line = load_line(encoder.encode(Event(0, "I", 20, "a", "b", View({"n": 1}, None))))
    assert line["n"] == 1
    assert line["logError"].startswith("n: not placed: ")


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_vendors_schema_can_be_changed(name: str) -> None:
    """
    With `dataclasses.replace`, which checks the copy as a new one.
    """
    mine = dataclasses.replace(get_schema(name), name="mine", late="tooLate")
    encoder = LineEncoder(mine)
    line = encoder.encode(Event(0, "I", 20, "a", "b", View({}, 0, late=True)))
    assert b'"tooLate"' in line


@pytest.mark.parametrize("limit", [1024, 262_144])
def test_the_message_can_come_before_the_id(limit: int) -> None:
    """
    On a common line, on one with a clash, and on one that is cut.
    """
    encoder = LineEncoder(Schema(message_first=True), max_line_bytes=limit)
    view = View({"requestID": "A", "n": 1}, None)
    for own in (None, {"m": 2}, {"n": 2}, {"requestID": "B"}, {"n": "x" * 5_000}):
        line = load_line(encoder.encode(Event(0, "I", 20, "a", "b", view, own)))
        assert list(line)[:4] == ["timestamp", "level", "message", "logger"]
        assert line["requestID"] == (own or {}).get("requestID", "A")


def test_a_field_can_be_given_a_name_of_the_vendors() -> None:
    """
    A rename is a decision: no name is reserved against it.
    """
    schema = dataclasses.replace(get_schema("ecs"), rename={"action": "event.action"})
    own = {"action": "login", "event": "x"}
    line = LineEncoder(schema).encode(Event(0, "I", 20, "a", "b", View({}, None), own))
    shown = load_line(line)
    assert (shown["event.action"], shown["fields.event"]) == ("login", "x")


def test_a_schema_does_not_change() -> None:
    """
    Neither by its attributes nor by the mapping that it was made of.
    """
    rename = {"user": "who"}
    schema = Schema(rename=rename)
    rename["user"] = "other"
    assert schema.rename["user"] == "who"
    with pytest.raises(TypeError):
        schema.rename["user"] = "x"  # type: ignore[index]
    with pytest.raises(dataclasses.FrozenInstanceError):
        schema.level = "x"  # type: ignore[misc]


def test_a_schema_is_found_by_its_name_or_is_itself() -> None:
    """
    What schema= takes.
    """
    mine = Schema(name="mine")
    assert get_schema("default") is DEFAULT
    assert get_schema(mine) is mine
    assert all(get_schema(name).name == name for name in SCHEMAS)


@pytest.mark.parametrize("wrong", ["unknown", None, 3, ["default"]], ids=str)
def test_an_unknown_schema_is_refused(wrong: Any) -> None:
    """
    The error lists the names that there are.
    """
    with pytest.raises(
        ctxlog.ConfigError, match="for schema: .*default, .*or a Schema"
    ):
        get_schema(wrong)
