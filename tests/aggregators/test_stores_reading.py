"""
Loki, Elasticsearch and ClickHouse: what they are asked, and page by page.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ctxlog import aggregators
from ctxlog._json import dumps
from ctxlog.aggregators import (
    Condition,
    Operator,
    Question,
    RefusedError,
    UnavailableError,
)
from ctxlog.errors import ConfigError
from tests.aggregators.clickhouse_stub import COLUMNS, ClickHouse
from tests.aggregators.elastic_stub import Elasticsearch
from tests.aggregators.lines import TIME, line_of
from tests.aggregators.loki_stub import Loki
from tests.aggregators.loki_stub import holds as finds
from tests.aggregators.web import Answer, Store, serving
from tests.helpers import need

need("urllib3")

from ctxlog.aggregators import clickhouse, elastic, loki  # noqa: E402

SECONDS = TIME / 1e9
HOSTILE = st.text(
    st.sampled_from("\"'\\`*?%|(){}=~,$\n\t\r\b\x00\x7f\u2028é\ud800 abor")
)
EXAMPLES = (
    "' OR 1=1 --",
    '" or *',
    "{p1:String}",
    "*",
    "\\",
    "\\'",
    "a\tb",
    '"}} |= "',
)


def found(
    server: Store, scheme: str, *conditions: Condition, **more: Any
) -> list[bytes]:
    """Return the lines that a store gives for conditions."""
    reader = aggregators.reader(f"{scheme}://127.0.0.1:{server.port}")
    more.setdefault("since", SECONDS - 60)
    more.setdefault("until", SECONDS + 60)
    try:
        return list(reader.lines(Question(conditions, **more)))
    finally:
        reader.close()


def request(operator: Operator, *values: str) -> Condition:
    """Return a condition for the request's id."""
    return Condition("request", operator, values, ("requestID", "request_id"))


@settings(max_examples=50)
@given(value=HOSTILE, other=HOSTILE)
@example(*EXAMPLES[:2])
@example(*EXAMPLES[2:4])
@example(*EXAMPLES[4:6])
@example(*EXAMPLES[6:])
def test_no_value_is_more_than_a_value(value: str, other: str) -> None:
    """Whatever stands in a question, a line that has it comes, and hardly another."""
    ids = [text.encode("utf-8", "replace").decode() for text in (value, other, "x y")]
    wanted = ids[0]
    lines = [line_of(request_id=text) for text in ids]
    relations: list[tuple[Operator, Callable[[str], bool]]] = [
        ("in", lambda text: text == wanted),
        ("begins", lambda text: text.startswith(wanted)),
        ("contains", lambda text: wanted in text),
    ]
    clickhouse_stub, elastic_stub = ClickHouse(lines), Elasticsearch(lines)
    for row, text in zip(clickhouse_stub.rows, ids, strict=True):
        row["request_id"] = text  # also one that is no id on the line
    for operator, holds in relations:
        condition = request(operator, value)
        sql, values = clickhouse.select("logs", COLUMNS, Question((condition,)))
        sent = {
            f"param_{name}": [one.translate(clickhouse._ESCAPES)]
            for name, one in values.items()
        }
        rows = clickhouse_stub._found(sql, sent)
        expected = [
            row["line"] for row in clickhouse_stub.rows if holds(row["request_id"])
        ]
        assert [row["line"] for row in rows] == expected
        body = elastic.search(
            Question((condition,)), {"requestID": frozenset({"keyword"})}
        )
        answer = elastic_stub._answer(
            "POST",
            "/logs-ctxlog-default/_search",
            {"scroll": ["1m"]},
            json.loads(json.dumps(body)),
        )
        there = [hit["_source"]["requestID"] for hit in answer["hits"]["hits"]]
        all_ids = [doc["requestID"] for doc in elastic_stub.documents]
        assert there == [text for text in all_ids if holds(text)]
        text = loki.query(Question((condition,)), None)
        for line, one in zip(lines, ids, strict=True):
            if holds(one):  # others may come, too: the text of a line tells roughly
                assert finds(text, {"level": "error"}, line.decode().rstrip())


@pytest.mark.parametrize(
    ("scheme", "stub"), [("loki", Loki), ("elastic", Elasticsearch)]
)
@pytest.mark.parametrize("number", [0, 1, 1000, 2500])
def test_pages_have_each_line_once(
    scheme: str,
    stub: Callable[..., Store],
    number: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whole pages, parts of them, and none."""
    base = json.loads(line_of())
    lines = []
    for place in range(number):
        micro = 250_000 + place
        base |= {"timestamp": f"2026-11-28T09:30:37.{micro:06}Z", "place": place}
        lines.append(dumps(base) + b"\n")
    with serving(stub(lines)) as server:
        for order in ("any", "oldest"):
            assert found(server, scheme, order=order) == lines
        assert found(server, scheme, order="newest") == lines[::-1]
        assert found(server, scheme, order="newest", limit=7) == lines[::-1][:7]
        assert found(server, scheme, order="oldest", limit=1200) == lines[:1200]


@pytest.mark.parametrize("order", ["oldest", "newest"])
def test_loki_has_lines_of_one_time_once(order: Any) -> None:
    """Many lines have the same nanosecond; a page may end among them."""
    lines = [line_of(place=place) for place in range(2500)]
    with serving(Loki(lines)) as server:
        assert sorted(found(server, "loki", order=order)) == sorted(lines)
    lines = [line_of(place=place) for place in range(5001)]
    with serving(Loki(lines)) as server:
        with pytest.raises(RefusedError, match="more than 5000 lines"):
            found(server, "loki", order=order)


def test_loki_is_asked_for_no_longer_than_it_allows() -> None:
    """Long times are asked for one after the other."""
    with serving(Loki([line_of()])) as server:
        since = SECONDS - 100 * 86_400
        assert found(server, "loki", since=since) == [line_of()]
        assert len(server.requests) == 4
        assert found(server, "loki", order="newest", since=since, limit=1) == [
            line_of()
        ]
        assert len(server.requests) == 5


def test_loki_reads_the_streams_that_are_selected() -> None:
    """Those of other programs need not have the label of a level."""
    level = Condition("level", "in", ("ERROR", "error"), ("level",))
    assert loki.query(Question((level,)), '{app="x"}') == '{app="x"}'
    text = '{level=~".+"} | level=~"error|unknown"'
    assert loki.query(Question((level,)), None) == text


def test_elasticsearch_is_asked_by_the_types_of_fields() -> None:
    """A query that a type does not have would be an error of the whole search."""
    types = {
        "n": frozenset({"long"}),
        "t": frozenset({"text"}),
        "t2": frozenset({"text"}),
        "t2.keyword": frozenset({"keyword"}),
        "f": frozenset({"flattened"}),
        "b": frozenset({"boolean"}),
    }

    def asked(operator: Operator, name: str, *values: str) -> Any:
        condition = Condition("x", operator, values, (name,))
        query = elastic.search(Question((condition,)), types)["query"]
        (one,) = query["bool"]["filter"]
        return one["bool"]["should"] if "bool" in one else one

    phrase = {"query": "a b", "zero_terms_query": "all"}
    there = [{"exists": {"field": "t"}}]
    assert asked("in", "n", "7", "x") == [{"terms": {"n": [7]}}]
    assert asked("in", "n", "x") == {"match_none": {}}
    assert asked("begins", "n", "7") == [{"exists": {"field": "n"}}]
    assert asked("between", "n", "1", "9") == [{"range": {"n": {"gte": 1, "lte": 9}}}]
    assert asked("in", "t", "a b") == [{"match_phrase": {"t": phrase}}]
    assert asked("begins", "t", "a") == there
    assert asked("begins", "t2", "a") == [{"prefix": {"t2.keyword": "a"}}]
    assert asked("contains", "t2", "a*") == [{"wildcard": {"t2.keyword": "*a\\**"}}]
    assert asked("in", "f.id", "7") == [{"terms": {"f.id": ["7"]}}]
    assert asked("contains", "f.id", "7") == [{"exists": {"field": "f.id"}}]
    assert asked("in", "b", "x") == [{"exists": {"field": "b"}}]
    assert asked("in", "none", "x") == {"match_none": {}}


def test_elasticsearch_closes_what_it_has_opened() -> None:
    """Also when no more lines are asked for."""
    lines = [line_of(place=place) for place in range(3000)]
    stub = Elasticsearch(lines)
    with serving(stub) as server:
        reader = aggregators.reader(f"elastic://127.0.0.1:{server.port}")
        some = reader.lines(Question())
        assert next(some) == lines[0]
        assert stub.scrolls
        some.close()  # type: ignore[attr-defined]
        assert not stub.scrolls
        assert server.requests[-1].method == "DELETE"


def test_elasticsearch_says_that_shards_failed() -> None:
    """Lines are missing then."""
    with serving() as server:
        answer = {"_scroll_id": "1", "_shards": {"failed": 1}, "hits": {"hits": []}}
        server.usual = Answer(200, json.dumps(answer).encode())
        with pytest.raises(UnavailableError, match="some of its shards did not answer"):
            found(server, "elastic")
        answer = {"hits": {"hits": [{"_id": "1"}]}}
        server.usual = Answer(200, json.dumps(answer).encode())
        with pytest.raises(RefusedError, match="_source"):
            found(server, "elastic")


def test_clickhouse_is_asked_by_the_columns_of_the_table() -> None:
    """What has no column is looked for on the line, else nothing can have it."""
    status = Condition("status", "between", ("500", "599"), ("status",))
    user = Condition("user", "in", ("alice", "u-1"), ("user", "user.id"))
    sql, values = clickhouse.select("logs", COLUMNS, Question((status, user)))
    assert sql == (
        "SELECT `line` FROM logs\n"
        "WHERE match(`line`, {p0:String})\n"
        "AND (position(`line`, {p1:String}) > 0 OR position(`line`, {p2:String}) > 0)"
    )
    assert values == {
        "p0": "tatus[^:]*:[^0-9]*5[0-9][0-9]",
        "p1": "alice",
        "p2": "u-1",
    }
    typed = {"status": "Nullable(UInt16)", "user": "Tuple(id String)", "ts": "String"}
    sql, values = clickhouse.select("logs", typed, Question((status, user), since=1.0))
    assert sql == (
        "SELECT * FROM logs\n"
        "WHERE (toInt64OrNull(toString(`status`)) BETWEEN {p0:Int64} AND {p1:Int64})\n"
        "AND (true OR true)"
    )
    assert values == {"p0": "500", "p1": "599"}
    other = Condition("order", "in", ("o-7",), ("order",))
    assert clickhouse.select("logs", typed, Question((other,)))[0].endswith("false")


def test_clickhouse_says_an_error_in_the_middle() -> None:
    """It answers 200 before it knows that it can."""
    described = json.dumps({"name": "line", "type": "String"}).encode()
    for said in (b'{"exception":"Code: 241. memory"}', b"Code: 241. memory"):
        with serving() as server:
            rows = b'{"line":"{}"}\n' + said
            server.answers.extend([Answer(200, described), Answer(200, rows)])
            reader = aggregators.reader(f"clickhouse://127.0.0.1:{server.port}")
            lines = reader.lines(Question())
            assert next(lines) == b"{}\n"
            with pytest.raises(UnavailableError, match="Code: 241"):
                next(lines)


def test_clickhouse_rebuilds_lines_of_other_tables() -> None:
    """A column for each field; a line that was kept as a message is one."""
    columns = {"time": "String", "message": "String", "requestID": "String"}
    stub = ClickHouse([], columns)
    stub.rows = [
        {"time": "t", "message": "m", "requestID": "req-A"},
        {"time": "t", "message": '{"a": 1}', "requestID": "req-A"},
        {"time": "t", "message": "m", "requestID": "req-B"},
    ]
    with serving(stub) as server:
        assert found(server, "clickhouse", request("in", "req-A")) == [
            b'{"time":"t","message":"m","requestID":"req-A"}\n',
            b'{"a": 1}\n',
        ]
    with pytest.raises(ConfigError):
        aggregators.reader("clickhouse://host/a;b")
