"""
What carries fields to another process: what goes out, and what is let in.
"""

from __future__ import annotations

import json
import logging
import math
import pickle
import threading
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ctxlog
from ctxlog import carrier
from ctxlog.carrier import extract, inject, pack, unpack
from ctxlog.carrier.fields import is_field_name
from ctxlog.carrier.ids import is_safe_header_value
from ctxlog.carrier.messages import (
    MAX_MESSAGE_BYTES,
    common_message,
    redated,
    settle,
)


def sent(fields: dict[str, object], *names: str) -> dict[str, str]:
    """The headers that a call in a store of these fields gets."""
    headers: dict[str, str] = {}
    ctxlog.run(fields, lambda: inject(headers, fields=names))
    return headers


def message(fields: dict[str, object], *names: str) -> str:
    """The text that a task sent in a store of these fields gets."""
    return ctxlog.run(fields, lambda: pack(fields=names))


# Headers ------------------------------------------------------------------------


def test_nothing_goes_out_unasked() -> None:
    """Of a store only the id goes out: no user, no secret."""
    store: dict[str, object] = {"requestID": "req-A", "user": "alice", "token": "x"}
    assert sent(store) == {"X-Request-ID": "req-A"}
    assert json.loads(message(store)) == {"requestID": "req-A"}


def test_inject_returns_the_headers() -> None:
    """`inject()` returns what it was given, added to."""
    headers = {"Accept": "*/*"}
    assert ctxlog.run({"requestID": "req-A"}, inject, headers) is headers
    assert headers == {"Accept": "*/*", "X-Request-ID": "req-A"}


def test_outside_of_any_context_nothing_is_added() -> None:
    """Without a context there are no headers and no fields in a message."""
    assert inject({}) == {}
    assert json.loads(pack()) == {}


@pytest.mark.parametrize("name", ["x-request-id", "X-Request-ID", "X-REQUEST-ID"])
def test_an_id_that_is_there_stays(name: str) -> None:
    """The caller's own header wins, whatever the case of its name."""
    headers = {name: "mine"}
    ctxlog.run({"requestID": "req-A"}, inject, headers)
    assert headers == {name: "mine"}


def test_an_id_of_another_type_is_sent_as_text() -> None:
    """As on a line: the text of the value."""
    request_id = uuid.UUID(int=5)
    assert sent({"requestID": request_id}) == {"X-Request-ID": str(request_id)}


@pytest.mark.parametrize(
    "wrong", ["a\r\nSet-Cookie: b", "", "x" * 257, "ä", " a", "\0"]
)
def test_an_unsafe_id_is_not_sent(wrong: str) -> None:
    """An id that would split or break a header is not sent."""
    assert sent({"requestID": wrong}) == {}
    assert json.loads(message({"requestID": wrong})) == {}


def test_scopes_go_along() -> None:
    """The fields sent are those of a line: a scope lies over the store."""

    def call() -> None:
        with ctxlog.scope(tenant="inner"):
            inject(headers, fields=["tenant"])

    headers: dict[str, str] = {}
    ctxlog.run({"requestID": "req-A", "tenant": "outer"}, call)
    assert headers["baggage"] == "tenant=inner"


def test_baggage_is_added_to_what_is_there() -> None:
    """Another's baggage stays, and wins where it has the same name."""
    headers = {"Baggage": "a=1;p=2,tenant=theirs"}
    ctxlog.run(
        {"tenant": "mine", "order": "o-7"},
        lambda: inject(headers, fields=["tenant", "order"]),
    )
    assert headers == {"Baggage": "a=1;p=2,tenant=theirs,order=o-7"}


def test_secrets_among_named_fields_are_redacted() -> None:
    """A field that is hidden on lines is hidden from others, too."""
    fields: dict[str, object] = {"password": "s3cr3t", "user": {"token": "s3cr3t"}}
    headers = sent(fields, "password", "user")
    assert "s3cr3t" not in str(headers)
    assert "s3cr3t" not in message(fields, "password", "user")


def test_what_does_not_fit_is_left_out_and_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A field that is too long is not sent; the others are, and a warning says it."""
    fields: dict[str, object] = {"requestID": "req-A", "a": "1", "b": "x" * 9000}
    with caplog.at_level(logging.WARNING, "ctxlog"):
        headers = sent(fields, "a", "b")
        text = message(fields, "a", "b")
    assert headers == {"X-Request-ID": "req-A", "baggage": "a=1"}
    assert json.loads(text) == {"requestID": "req-A", "a": "1"}
    assert [record.getMessage()[:20] for record in caplog.records] == [
        "the field 'b' is not"
    ] * 2


@pytest.mark.parametrize(
    "wrong",
    ["tenant", b"a", None, 5, [5], [["a"]], [""], ["level"], ["taskID"], ["\n"]],
)
def test_fields_are_names(wrong: Any) -> None:
    """Anything but names of one's own fields is refused, and the option named."""
    for use in (inject, extract):
        with pytest.raises(ctxlog.ConfigError, match="fields"):
            use({}, fields=wrong)
    with pytest.raises(ctxlog.ConfigError, match="fields"):
        pack(fields=wrong)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Request-ID": "req-A"},
        {"x-request-id": "req-A"},
        {"X-Correlation-ID": "req-A"},
        [("X-Request-Id", "req-A")],
        [(b"x-request-id", b"req-A")],
        [["x-request-id", " req-A\t"]],
        [("x-request-id", "req-A"), ("x-request-id", "req-A")],
        {"x-correlation-id": "other", "x-request-id": "req-A"},
    ],
)
def test_an_id_is_found(headers: Any) -> None:
    """In any mapping or list of pairs, whatever the case, of texts or bytes."""
    assert extract(headers) == {"requestID": "req-A"}


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Request-ID": "a b"},
        {"X-Request-ID": "a\r\nb: c"},
        {"X-Request-ID": "x" * 129},
        {"X-Request-ID": "x" * 1_000_000},
        {"X-Request-ID": ""},
        {"X-Request-ID": 5},
        {"X-Request-ID": None},
        {5: "req-A"},
        [("x-request-id", "req-A"), ("x-request-id", "req-B")],
        [("x-request-id",)],
        [None, 5, "x-request-id"],
        "x-request-id: req-A",
        b"x-request-id",
        None,
        5,
    ],
)
def test_wrong_headers_are_as_none(headers: Any) -> None:
    """An invalid id is left out, and so are objects that are no headers."""
    assert extract(headers) == {}


def test_a_wrong_id_does_not_make_room_for_the_next_header() -> None:
    """An id that is not valid is not replaced by another header's."""
    assert extract({"X-Request-ID": "a b", "X-Correlation-ID": "req-B"}) == {}


def test_baggage_is_taken_by_name_only() -> None:
    """Anybody can send baggage: only fields that are named come in, and no reserved."""
    headers = {
        "baggage": "tenant=t%201;p=1, order = o-7 ,level=DEBUG,user=mallory,=x,y"
    }
    assert extract(headers) == {}
    found = extract(headers, fields=["tenant", "order"])
    assert found == {"tenant": "t 1", "order": "o-7"}


def test_baggage_with_control_characters_is_left_out() -> None:
    """A line break that was quoted does not come in."""
    assert extract({"baggage": "tenant=a%0D%0Ab"}, fields=["tenant"]) == {}


def test_too_much_baggage_is_left_out() -> None:
    """A header of 1 MB is not searched."""
    headers = {"baggage": f"tenant=t,a={'x' * 1_000_000}"}
    assert extract(headers, fields=["tenant"]) == {}


_TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=100
)


@given(st.dictionaries(st.sampled_from(["tenant", "order", "a.b", "x_y"]), _TEXT))
def test_fields_survive_a_call(fields: dict[str, object]) -> None:
    """Any text sent as baggage arrives unchanged."""
    assert extract(sent(fields, *fields), fields=list(fields)) == fields


# Task messages ------------------------------------------------------------------

_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "c"]), inner)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["tenant", "order", "user", "é"]), _JSON))
def test_fields_survive_a_message(fields: dict[str, object]) -> None:
    """Any plain value that is packed is unpacked with the same type."""
    found = dict(unpack(message({"requestID": "req-A", **fields}, *fields)))
    assert found == {"requestID": "req-A", **fields}
    assert repr(found) == repr({"requestID": "req-A", **fields})


@given(st.text() | st.binary() | st.none() | st.integers() | st.lists(st.text()))
def test_any_message_gives_a_store(text: object) -> None:
    """Whatever comes in, there is a store with a usable id."""
    store = unpack(text)
    assert is_safe_header_value(str(store["requestID"]))


@given(st.dictionaries(st.text(), _JSON))
def test_no_message_sets_a_name_of_the_line(members: dict[str, object]) -> None:
    """A forged object sets no reserved name, however it is made."""
    forged = {**members, "level": "DEBUG", "timestamp": "t", "taskID": "t", "task": "x"}
    forged |= {"message": "m", "logger": "l", "late": True, "service": "s"}
    store = unpack(json.dumps(forged))
    assert not store.keys() & (forged.keys() - members.keys())


@pytest.mark.parametrize(
    "text",
    [
        "{" * 1000,
        '{"a":' * 1000 + "1" + "}" * 1000,
        '{"a":"' + "x" * 1_000_000 + '"}',
        "[]",
        "null",
        '"requestID"',
        "",
        "NaN",
        '{"requestID":NaN}',
        "\ud800",
        b"\xff",
        {"requestID": "req-A"},
        ["requestID", "req-A"],
        5,
        None,
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_bad_message_is_as_none(text: object) -> None:
    """Too long, too deep, of another type, no object: a fresh id and nothing else."""
    store = unpack(text)
    assert list(store) == ["requestID"]
    assert len(str(store["requestID"])) == 32


def test_what_is_wrong_in_a_message_is_left_out() -> None:
    """Members that are not valid go, the others stay."""
    deep: Any = "bottom"
    for _ in range(20):
        deep = [deep]
    members = {
        "requestID": "a\nb",
        "parentTaskID": 5,
        "traceID": "no",
        "rows": 3,
        "deep": deep,
        "a\nb": 1,
        "x" * 200: 1,
        "": 1,
    }
    found = dict(unpack(json.dumps(members)))
    assert found.pop("requestID") != "a\nb"
    assert found == {"rows": 3}


def test_a_message_has_a_limited_number_of_fields() -> None:
    """Of too many fields the first are taken."""
    members = {"requestID": "req-A", **{f"f{n}": n for n in range(500)}}
    found = unpack(json.dumps(members))
    assert len(found) == 64
    assert found["requestID"] == "req-A"


def test_a_message_is_never_too_long() -> None:
    """A message with large fields is short enough to be read back."""
    fields: dict[str, object] = {"requestID": "req-A"}
    fields |= {f"f{n}": "ü" * 1000 for n in range(20)}
    text = message(fields, *(name for name in fields if name != "requestID"))
    assert len(text.encode()) <= MAX_MESSAGE_BYTES
    assert unpack(text)["requestID"] == "req-A"


def test_a_task_that_sends_a_task_is_its_parent() -> None:
    """The id of the active task travels as the parent's."""
    text = message({"requestID": "req-A", "taskID": "t-1"})
    assert dict(unpack(text)) == {"requestID": "req-A", "parentTaskID": "t-1"}


def test_a_retry_keeps_the_first_attempts_parent() -> None:
    """A task that sends itself is not its own parent."""
    store = {"requestID": "req-A", "taskID": "t-2", "parentTaskID": "t-1"}
    text = ctxlog.run(store, lambda: pack(task_id="t-2"))
    assert unpack(text)["parentTaskID"] == "t-1"


# When a task is due -------------------------------------------------------------


def test_a_message_says_when_it_was_due() -> None:
    """In milliseconds; it is no field of the receiver's store."""
    text = ctxlog.run({"requestID": "req-A"}, lambda: pack(due=1_764_000_000.1234))
    assert json.loads(text) == {"timestamp": 1_764_000_000_123, "requestID": "req-A"}
    store = unpack(text)
    assert (dict(store), store.due) == ({"requestID": "req-A"}, 1_764_000_000.123)
    assert unpack('{"requestID":"req-A"}').due is None
    # Receivers that do not know the member leave it out.
    assert not is_field_name("timestamp")


@pytest.mark.parametrize("due", [math.nan, math.inf, -math.inf, 0.0, -1.0, 1e300])
def test_a_time_that_is_none_is_not_sent(due: float) -> None:
    """Sending goes on without it."""
    text = ctxlog.run({"requestID": "req-A"}, lambda: pack(due=due))
    assert text == '{"requestID":"req-A"}'
    assert unpack(redated('{"requestID":"req-A","timestamp":5000}', due)).due is None


@pytest.mark.parametrize(
    "due",
    ['"2026-11-25T05:50:39Z"', "true", "null", "-1", "0", "1e15", "[1764000000123]"],
)
def test_a_time_that_is_none_is_left_out(due: str) -> None:
    """Whatever stands there, the rest of the message is taken."""
    store = unpack(f'{{"requestID":"req-A","timestamp":{due}}}')
    assert (store["requestID"], store.due) == ("req-A", None)


@pytest.mark.parametrize("due", ["NaN", "Infinity", "1e400", "9" * 400])
def test_a_time_that_is_no_number_of_json(due: str) -> None:
    """It is no time either, whatever reads it."""
    assert unpack(f'{{"requestID":"req-A","timestamp":{due}}}').due is None


def test_a_full_message_may_say_when_it_was_due() -> None:
    """The time counts among the bytes."""
    fields: dict[str, object] = {f"f{n}": "x" * 1000 for n in range(20)}
    text = ctxlog.run(fields, lambda: pack(fields=[*fields], due=1_764_000_000.0))
    assert len(text) <= MAX_MESSAGE_BYTES
    assert unpack(text).due == 1_764_000_000.0


@pytest.mark.parametrize(
    ("message", "due"), [("{}", None), ('{"timestamp":1764000000000}', 1_764_000_000.0)]
)
def test_a_message_that_is_settled_keeps_its_time(
    message: str, due: float | None
) -> None:
    """The second process reads the same as the first."""
    store, settled = settle(message, task_id="t-1")
    again = unpack(settled)
    assert again["requestID"] == store["requestID"]
    assert (store.due, again.due) == (due, due)


def test_a_message_that_a_scheduler_passes_on() -> None:
    """It is of the same request, and due then."""
    text = ctxlog.run({"requestID": "req-A"}, lambda: pack(due=1_764_000_000.0))
    store = unpack(redated(text, 1_764_000_060.0))
    assert (store["requestID"], store.due) == ("req-A", 1_764_000_060.0)
    for other in (None, 5, "{", "[]", b"\xff"):
        assert redated(other, 1_764_000_060.0) is other


def test_the_message_of_a_batch() -> None:
    """It is that of all, whenever they were sent: the one that has waited longest."""
    first, second, other = (
        f'{{"requestID":"{name}","timestamp":{due}}}'
        for name, due in (("req-A", 1000), ("req-A", 2000), ("req-B", 1000))
    )
    assert common_message([None, second, first]) == first
    assert common_message(['{"requestID":"req-A"}', second]) == second
    assert common_message([first, other]) is None
    assert common_message([None, None]) is None
    assert common_message([]) is None


# Items of queues ----------------------------------------------------------------


def test_an_item_takes_the_context_along() -> None:
    """Adopting an item gives its fields: the store's and the scopes'."""

    def put() -> carrier.CarriedItem[int]:
        with ctxlog.scope(order="o-7"):
            return ctxlog.carry(5)

    carried = ctxlog.run({"requestID": "req-A"}, put)
    with ctxlog.adopt(carried) as item:
        assert item == 5
        assert ctxlog.fields() == {"requestID": "req-A", "order": "o-7"}
    assert ctxlog.get_store() is None


def test_an_item_has_the_fields_of_when_it_was_put() -> None:
    """A field bound later does not belong to the item."""

    def put() -> carrier.CarriedItem[str]:
        carried = ctxlog.carry("item")
        ctxlog.bind(user="alice")
        return carried

    with ctxlog.adopt(ctxlog.run({"requestID": "req-A"}, put)):
        assert ctxlog.fields() == {"requestID": "req-A"}


def test_adopting_opens_a_fresh_store() -> None:
    """A field that the worker binds is not in the request nor in the next item."""
    store = ctxlog.Store(requestID="req-A")
    carried = ctxlog.run(store, ctxlog.carry, "item")
    with ctxlog.adopt(carried):
        ctxlog.bind(attempt=1)
    with ctxlog.adopt(carried):
        assert ctxlog.fields() == {"requestID": "req-A"}
    assert dict(store) == {"requestID": "req-A"}


def test_adopting_replaces_what_was_active() -> None:
    """The worker's own context, perhaps of an earlier item, does not show through."""

    def work() -> None:
        with ctxlog.scope(worker=1), ctxlog.adopt(ctxlog.carry("plain")):
            assert ctxlog.fields()["requestID"] == "worker"
        assert ctxlog.fields() == {"requestID": "worker"}

    ctxlog.run({"requestID": "worker"}, work)


@pytest.mark.parametrize("item", [None, "plain", {"n": 1}])
def test_an_item_that_nobody_carried_gets_an_id(item: object) -> None:
    """A plain item works, in a fresh store with a new id."""
    with ctxlog.adopt(item) as got:
        assert got is item
        assert list(ctxlog.fields()) == ["requestID"]
    with ctxlog.adopt(ctxlog.carry(item)) as got:
        assert got is item
        assert list(ctxlog.fields()) == ["requestID"]


def test_a_carried_item_pickles_without_secrets() -> None:
    """In another process the fields are plain and redacted."""
    fields: dict[str, object] = {"requestID": "req-A", "token": "s3cr3t"}
    fields["lock"] = threading.Lock()
    data = pickle.dumps(ctxlog.run(fields, ctxlog.carry, {"n": 1}))
    assert b"s3cr3t" not in data
    with ctxlog.adopt(pickle.loads(data)) as item:
        assert item == {"n": 1}
        found = ctxlog.fields()
    assert (found["requestID"], found["token"]) == ("req-A", "[redacted]")


def test_the_store_of_an_item_is_closed_at_the_end() -> None:
    """A line of work that outlives its item is late."""
    with ctxlog.adopt(ctxlog.carry("item")):
        store = ctxlog.get_store()
        assert store is not None
        assert not store.closed
    assert store.closed


def test_one_adopt_may_be_nested() -> None:
    """The same object entered again within itself leaves in order."""
    again = ctxlog.adopt("item")
    with again:
        outer = ctxlog.fields()["requestID"]
        with again:
            assert ctxlog.fields()["requestID"] != outer
        assert ctxlog.fields()["requestID"] == outer


def test_the_repr_of_a_carried_item_shows_no_fields() -> None:
    """A queue that is logged shows its items, not their contexts."""
    carried = ctxlog.run({"token": "s3cr3t"}, ctxlog.carry, "item")
    assert repr(carried) == "<CarriedItem 'item'>"


@pytest.mark.parametrize("use", [inject, ctxlog.carry])
def test_the_context_is_left_alone(use: Callable[[Any], object]) -> None:
    """Carrying changes nothing in the store."""
    store = ctxlog.Store(requestID="req-A")
    ctxlog.run(store, use, {})
    assert dict(store) == {"requestID": "req-A"}


# Placeholders for "no request" ---------------------------------------------------


@pytest.mark.parametrize("word", ["N/A", "-"])
def test_what_stands_for_no_request_is_no_id(word: str) -> None:
    """An id that lines show outside of any request is taken from nowhere, nor sent."""
    ctxlog.JsonFormatter(missing_request_id="-")
    assert not carrier.is_valid_request_id(word)
    assert extract({"X-Request-ID": word}) == {}
    assert unpack(f'{{"requestID":"{word}"}}')["requestID"] != word
    assert ctxlog.run({"requestID": word}, inject, {}) == {}
    carried = ctxlog.run({"requestID": word}, ctxlog.carry, "item")
    with ctxlog.adopt(carried):
        store = ctxlog.get_store()
        assert store is not None
        assert carrier.is_valid_request_id(str(store["requestID"]))
