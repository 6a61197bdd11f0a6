"""
Elasticsearch and OpenSearch: what is sent in bulk, and the answers to each document.

The stub checks a batch as the bulk API does, and answers in its words.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from ctxlog.aggregators import RefusedError, UnavailableError, receiver
from ctxlog.aggregators._line import Line
from ctxlog.errors import ConfigError
from tests.aggregators.elastic_stub import Elasticsearch
from tests.aggregators.hostile import HOSTILE
from tests.aggregators.lines import line_of
from tests.aggregators.web import HALF, RESET, Answer, serving
from tests.helpers import need

need("urllib3")

PATH = (
    "/logs-ctxlog-default/_bulk"
    "?filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason"
)
BUSY = (429, "es_rejected_execution_exception", "rejected execution of coordinating")
WRONG = (400, "document_parsing_exception", "[1:9] failed to parse field [rows]")


@pytest.fixture
def elastic() -> Iterator[Elasticsearch]:
    with serving(Elasticsearch()) as store:
        assert isinstance(store, Elasticsearch)
        yield store


def address(elastic: Elasticsearch, rest: str = "") -> str:
    return f"elastic://127.0.0.1:{elastic.port}{rest}"


def test_a_line_is_a_document_of_a_data_stream(elastic: Elasticsearch) -> None:
    """
    It is created as it was written, with `@timestamp` in front.
    """
    line = line_of(rows=3)

    assert receiver(address(elastic)).send([line, line_of("ecs")], 5) == {}

    (request,) = elastic.requests
    assert request.path == PATH
    time = b'{"@timestamp":"2026-11-28T09:30:37.250000Z",'
    assert request.body == (
        b'{"create":{}}\n' + time + line[1:] + b'{"create":{}}\n' + line_of("ecs")
    )


@pytest.mark.parametrize(
    ("rest", "path"),
    [
        ("/logs-shop-prod", "/logs-shop-prod/_bulk"),
        ("/es/shop%20logs/", "/es/shop%20logs/_bulk"),
    ],
)
def test_the_path_names_the_data_stream(
    elastic: Elasticsearch, rest: str, path: str
) -> None:
    """
    A gateway may have a path before it.
    """
    writer = receiver(address(elastic, rest))

    writer.send([line_of()], 5)
    writer.close()

    assert elastic.requests[0].path.partition("?")[0] == path


def test_hostile_lines_are_documents(elastic: Elasticsearch) -> None:
    """
    Each is one, with a time, and without the names that no document may have.
    """
    assert receiver(address(elastic)).send(list(HOSTILE.values()), 5) == {}

    assert len(elastic.documents) == len(HOSTILE)
    found = dict(zip(HOSTILE, elastic.documents, strict=True))
    assert found["text"]["message"] == "Traceback (most recent call last):"
    assert found["no UTF-8"]["message"] == Line(HOSTILE["no UTF-8"]).text
    assert found["otel"]["requestID"] == "req-A"
    assert found["no strings"]["timestamp"] == [3]
    assert found["metadata"] == {
        "@timestamp": found["metadata"]["@timestamp"],
        "message": "m",
        "fields._id": "1",
        "fields._source": 2,
        "_time": 3,
        "_line": 4,
    }


def test_a_time_that_is_none_is_replaced(elastic: Elasticsearch) -> None:
    """
    A data stream refuses a document without a good one.
    """
    receiver(address(elastic)).send([b'{"@timestamp":"now","message":"m"}\n'], 5)

    assert elastic.documents[0]["@timestamp"].startswith("20")


def test_a_document_that_is_refused_is_named_with_its_reason(
    elastic: Elasticsearch,
) -> None:
    """
    The status of the answer is 200 all the same.
    """
    elastic.failing = {"b": [WRONG]}
    lines = [line_of(message=text) for text in "abc"]

    refused = receiver(address(elastic)).send(lines, 5)

    assert refused == {
        1: "it answers 400 for a line: document_parsing_exception: "
        "[1:9] failed to parse field [rows]"
    }
    assert [one["message"] for one in elastic.documents] == ["a", "c"]


@pytest.mark.parametrize(
    "failing",
    [
        BUSY,
        (429, "cluster_block_exception", "index [x] blocked: disk usage exceeded"),
        (503, "unavailable_shards_exception", "primary shard is not active"),
        (404, "index_not_found_exception", "no such index"),
        (403, "security_exception", "action is unauthorized"),
    ],
)
def test_only_what_is_left_is_sent_again(
    elastic: Elasticsearch, failing: tuple[int, str, str]
) -> None:
    """
    Of one batch some documents may be stored, some refused, and some sent again.
    """
    elastic.failing = {"a": [WRONG], "c": [failing]}
    lines = [line_of(message=text) for text in "abcd"]

    with pytest.raises(UnavailableError, match=failing[1]) as error:
        receiver(address(elastic)).send(lines, 5)

    assert error.value.left == [2]
    assert list(error.value.refused) == [0]
    assert [one["message"] for one in elastic.documents] == ["b", "d"]


def test_a_document_that_is_there_already_is_stored(elastic: Elasticsearch) -> None:
    """
    A pipeline may give documents ids of its own.
    """
    conflict = (409, "version_conflict_engine_exception", "document already exists")
    elastic.failing = {"a": [conflict]}

    assert receiver(address(elastic)).send([line_of(message="a")], 5) == {}


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>",
        b"[]",
        b"{}",
        b'{"errors":true,"items":[]}',
        b'{"errors":true,"items":[{}]}',
        b'{"errors":true,"items":[{"create":{"status":"x"}}]}',
        b'{"errors":true,"items":[3]}',
    ],
)
def test_an_answer_of_something_else(elastic: Elasticsearch, answer: bytes) -> None:
    """
    A proxy that answers 200 has stored nothing.
    """
    elastic.answers.append(Answer(200, answer))

    with pytest.raises(UnavailableError, match="answer"):
        receiver(address(elastic)).send([line_of()], 5)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(429, b""), UnavailableError),
        (Answer(401, b'{"error":"missing authentication"}'), UnavailableError),
        (Answer(413, b"too large"), RefusedError),
        (RESET, UnavailableError),
        (HALF, UnavailableError),
    ],
)
def test_answers_to_the_batch(
    elastic: Elasticsearch, answer: Answer | str, error: type[Exception]
) -> None:
    """
    One that is too large is halved, all else sent again.
    """
    elastic.answers.append(answer)

    with pytest.raises(error):
        receiver(address(elastic)).send([line_of()], 5)


def test_an_error_without_words(elastic: Elasticsearch) -> None:
    """
    A reason is said as far as there is one.
    """
    items = [{"create": {"status": 400, "error": "no such thing"}}]
    body = json.dumps({"errors": True, "items": items}).encode()
    elastic.answers.append(Answer(200, body))

    refused = receiver(address(elastic)).send([line_of()], 5)

    assert refused == {0: "it answers 400 for a line: no such thing"}


def test_an_unknown_option() -> None:
    """
    A misspelled option is no option.
    """
    with pytest.raises(ConfigError, match="index"):
        receiver("elastic://localhost?index=logs")
