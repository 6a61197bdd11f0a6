"""
VictoriaLogs: what it is asked, and lines of its rows.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ctxlog import aggregators
from ctxlog.aggregators import Condition, Question, UnavailableError
from tests.aggregators.lines import line_of
from tests.aggregators.vlogs_stub import VictoriaLogs
from tests.aggregators.web import Answer, serving
from tests.helpers import need

need("urllib3")

from ctxlog.aggregators.vlogs import query  # noqa: E402

THERE = frozenset({"_line", "_msg", "requestID", "user.id", "status"})


def asked(*conditions: Condition, **more: Any) -> str:
    """Return the query of a question."""
    return query(Question(conditions, **more), THERE)


def test_the_query_is_what_is_documented() -> None:
    """Each operator has its filter; what the store does not have is not asked for."""
    names = ("requestID", "request_id")
    one = Condition("request", "in", ("req-A",), names)
    assert asked() == "*"
    assert asked(one) == '("requestID":="req-A")'
    some = Condition("request", "in", ("a", "*"), names)
    assert asked(some) == '("requestID":in("a","*"))'
    prefix = Condition("request", "begins", ("a*",), names)
    assert asked(prefix) == '("requestID":="a*"*)'
    part = Condition("user", "contains", ("a.b",), ("user.id", "user"))
    assert asked(part) == '("user.id":~"a\\\\.b")'
    status = Condition("status", "between", ("500", "599"), ("status",))
    assert asked(one, status) == ('("requestID":="req-A") ("status":range[500, 599])')
    text = Condition("text", "contains", ("paid",))
    assert asked(text) == '(_line:~"paid" or _line:"")'
    assert asked(Condition("x", "in", ("1",), ("x",))) == "!*"
    assert asked(limit=3, order="newest") == "* | sort by (_time desc) | limit 3"


HOSTILE = (
    st.text(st.sampled_from("\"'\\`*|()#:=~,\n\t\x00\x7f\u2028é\ud800 abor"))
    | st.text()
)


@given(value=HOSTILE, other=HOSTILE)
@example('" or *', "x")
@example("*", "x")
@example('x") | delete _msg', "x")
@example("x\\", '" or "a":="')
def test_no_value_is_more_than_a_value(value: str, other: str) -> None:
    """Whatever stands in a question, the query has rows that have it, and no others."""
    names = ("requestID", "user.id", "status")
    wanted = value.encode("utf-8", "replace").decode()
    missed = other.encode("utf-8", "replace").decode()
    stub = VictoriaLogs([])
    for text in (wanted, missed, "unrelated"):
        stub.rows += [{"_time": "2026-11-28T09:30:37Z", "requestID": text, "_msg": ""}]
    there = frozenset({"requestID"})
    for operator, holds in (
        ("in", lambda text: text == wanted),
        ("begins", lambda text: text.startswith(wanted)),
        ("contains", lambda text: wanted in text),
    ):
        condition = Condition("request", operator, (value,), names)
        found = stub._found({"query": query(Question((condition,)), there)})
        expected = [row for row in stub.rows if holds(row["requestID"])]
        assert found == expected
    both = Condition("request", "in", (value, other), names)
    found = stub._found({"query": query(Question((both,)), there)})
    if value != "*" or other != "*":
        expected = [row for row in stub.rows if row["requestID"] in (wanted, missed)]
        assert found == expected


def test_times_are_nanoseconds_and_wider() -> None:
    """The store leaves out its `end`; nothing is lost to a rounded time."""
    with serving(VictoriaLogs([line_of()])) as server:
        store = aggregators.reader(f"vlogs://127.0.0.1:{server.port}")
        question = Question(since=1_795_858_237.25, until=1_795_858_237.25)
        assert list(store.lines(question)) == [line_of()]
        assert server.requests[-1].body == (
            b"query=%2A&start=1795858237249000000&end=1795858237251000000"
        )
        assert not list(store.lines(Question(since=1_795_858_237.26)))


def test_a_line_comes_as_it_was_written() -> None:
    """`_line`, or a message that is the line, else what can be rebuilt."""
    rows = [
        b'{"_time":"2026-11-28T09:30:37Z","_msg":"m","_line":"{\\"a\\": 1}"}',
        b'{"_time":"2026-11-28T09:30:37Z","_msg":"{\\"a\\": 2}"}',
        b'{"_time":"2026-11-28T09:30:37Z","_msg":"{no","user.id":"7","zip":"07",'
        b'"rate":"0.5","_stream":"{}","_stream_id":"0"}',
        b'{"_time":"2026-11-28T09:30:37Z","time":"x"}',
        b"",
    ]
    with serving() as server:
        server.usual = Answer(200, b"\n".join(rows))
        store = aggregators.reader(f"vlogs://127.0.0.1:{server.port}/select/0")
        assert list(store.lines(Question())) == [
            b'{"a": 1}\n',
            b'{"a": 2}\n',
            b'{"timestamp":"2026-11-28T09:30:37Z","user.id":7,"zip":"07","rate":0.5,'
            b'"message":"{no"}\n',
            b'{"time":"x"}\n',
        ]
    assert server.requests[0].path == "/select/0/select/logsql/query"


def test_an_error_in_the_middle_of_an_answer_is_one() -> None:
    """The store begins to answer before it knows that it can."""
    with serving() as server:
        server.usual = Answer(200, b'{"_msg":"1"}\ncannot go on\n')
        store = aggregators.reader(f"vlogs://127.0.0.1:{server.port}")
        found = store.lines(Question())
        assert next(found) == b'{"message":"1"}\n'
        with pytest.raises(UnavailableError, match="it answers cannot go on"):
            next(found)
