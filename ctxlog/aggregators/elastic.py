"""
Elasticsearch and OpenSearch: lines by the bulk API, and by searches.

After Elasticsearch 9.5's `POST /{index}/_bulk`
(https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk, made of
specification/_global/bulk at 9d9b9a5,
https://github.com/elastic/elasticsearch-specification), which OpenSearch 3.8 has as
well (https://docs.opensearch.org/latest/api-reference/document-apis/bulk/). A data
stream takes no action but `create`; an index takes it, too.

A line is a document of a data stream, as it was written, with `@timestamp` in front if
it has none. It is created without an id of ours: a store that has to look for ids takes
lines more slowly, and an id made of a line's bytes would lose one of two equal lines.
So lines are stored twice if an answer is lost; `ctxlog show` shows such lines once.

Read by a search that is scrolled, `POST /{index}/_search?scroll=2m`
(https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-scroll,
https://docs.opensearch.org/latest/api-reference/search-apis/scroll/): both have that,
stable, with one snapshot for all pages. Both recommend `search_after` with a point in
time instead for many users who turn pages, but its paths and bodies differ between
them, and a command that reads once and clears its scroll holds one context. How a field
can be asked goes by its type, which `_field_caps` tells.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from ctxlog._json import dumps, loads
from ctxlog.aggregators._address import Address
from ctxlog.aggregators._http import OPTIONS, Client
from ctxlog.aggregators._line import Line, nanoseconds, read, rfc3339
from ctxlog.aggregators._question import Condition, Question, Reader
from ctxlog.aggregators._rows import for_reading, printable
from ctxlog.aggregators._store import (
    DeniedError,
    Receiver,
    RefusedError,
    UnavailableError,
)

_PORT = 9200
#: The data stream, unless the address names another: that of type, data set and
#: namespace for which Elasticsearch has a template.
_DATA_STREAM = "logs-ctxlog-default"

# Writing ----------------------------------------------------------------------------

_JSON_LINES = {"Content-Type": "application/x-ndjson"}
_ANSWER = "errors,items.*.status,items.*.error.type,items.*.error.reason"
_CREATE = b'{"create":{}}\n'
_TIME = "@timestamp"
# Fields of Elasticsearch's own: it refuses a document that has such a member.
_METADATA = frozenset(
    "_data_stream_timestamp _doc_count _field_names _id _ignored _ignored_source "
    "_index _nested_path _primary_term _routing _seq_no _size _source _tier "
    "_ts_routing_hash _tsid _type _version".split()
)
# Answers to single documents that are not about the document: no right or no index,
# which the operator will change; too busy, or out of disk.
_DENIED = frozenset({401, 403, 404})
_NOT_ABOUT_LINES = _DENIED | {408, 429}


def receiver(address: Address) -> Receiver:
    """
    Return the writing side.

    Args:
        address: `elastic://host:9200/logs-shop-default`; the path names the data stream
            or the index. `?header=Authorization:$VARIABLE` has the credentials.
    """
    address.check_options(OPTIONS)
    return _Receiver(address)


class _Receiver(Receiver):
    def __init__(self, address: Address) -> None:
        self.name = address.name
        self._client = Client(address, _PORT)
        before, _, index = address.path.strip("/").rpartition("/")
        path = quote(f"/{before}" if before else "")
        index = quote(index or _DATA_STREAM, safe="")
        self._path = f"{path}/{index}/_bulk?filter_path={quote(_ANSWER, safe=',.*')}"

    def send(self, lines: Sequence[bytes], timeout: float) -> Mapping[int, str]:
        answer = self._client.request(
            "POST",
            self._path,
            b"".join(_CREATE + _document(line) for line in read(lines)),
            headers=_JSON_LINES,
            timeout=timeout,
        )
        return _refused(answer.body, len(lines))

    def close(self) -> None:
        self._client.close()


def _document(line: Line) -> bytes:
    """Return a line as a document, its newline included."""
    added: dict[str, Any] = {}
    stated = line.members.get(_TIME)
    if not isinstance(stated, str) or nanoseconds(stated) is None:
        added[_TIME] = rfc3339(line.when)
    if not _METADATA.isdisjoint(line.members):
        members = {
            f"fields.{name}" if name in _METADATA else name: of
            for name, of in line.members.items()
        }
        line = Line(dumps(members))
    return line.object(**added) + b"\n"


def _refused(body: bytes, number: int) -> dict[int, str]:
    """
    Return why documents were refused, by their places, from the answer to a batch.

    Its status is 200 also if none was stored: each has an answer of its own.

    Raises:
        UnavailableError: if some are to be sent again, or it is no such answer.
    """
    try:
        answer = loads(body)
        if answer["errors"] is False:
            return {}
        results = [next(iter(item.values())) for item in answer["items"]]
        statuses = [int(result["status"]) for result in results]
    except (ValueError, TypeError, KeyError, AttributeError, StopIteration):
        raise UnavailableError("its answer is not that of the bulk API") from None
    if len(statuses) != number:
        raise UnavailableError("it does not answer for each line")
    refused: dict[int, str] = {}
    left: dict[int, str] = {}
    for place, status in enumerate(statuses):
        # 409 says that it has the line already.
        if not (200 <= status < 300 or status == 409):
            again = status >= 500 or status in _NOT_ABOUT_LINES
            (left if again else refused)[place] = _reason(status, results[place])
    if left:
        denied = [place for place in left if statuses[place] in _DENIED]
        kind = DeniedError if denied else UnavailableError
        reason = left[denied[0]] if denied else next(iter(left.values()))
        raise kind(reason, left=list(left), refused=refused)
    return refused


def _reason(status: int, result: Mapping[str, Any]) -> str:
    error = result.get("error")
    if isinstance(error, dict):
        error = f"{error.get('type')}: {error.get('reason')}"
    return f"it answers {status} for a line: {str(error)[:200]}"


# Reading ----------------------------------------------------------------------------

_AT_ONCE = 1000
_KEPT_FOR = "2m"
_JSON = {"Content-Type": "application/json"}
#: Types of fields by what they can be asked: whole texts, words, numbers.
_WHOLE = frozenset({"keyword", "constant_keyword", "wildcard", "flattened"})
_WORDS = frozenset({"text", "match_only_text"})
_NUMBERS = frozenset(
    "long integer short byte double float half_float scaled_float unsigned_long".split()
)
_OTHER_TIMES = frozenset({"timestamp", "time", "ts"})


def reader(address: Address) -> Reader:
    """
    Return the reading side.

    Args:
        address: As for `receiver()`; the name may be a pattern, such as `logs-*`.
    """
    address.check_options(OPTIONS)
    return _Reader(address)


class _Reader(Reader):
    def __init__(self, address: Address) -> None:
        self.name = address.name
        self._client = Client(for_reading(address), _PORT)
        before, _, index = address.path.strip("/").rpartition("/")
        self._before = quote(f"/{before}" if before else "")
        self._index = f"{self._before}/{quote(index or _DATA_STREAM, safe=',*')}"

    def lines(self, question: Question) -> Iterator[bytes]:
        body = self._search(question)
        left = question.limit
        answer = self._ask("POST", f"{self._index}/_search?scroll={_KEPT_FOR}", body)
        scroll = None
        try:
            while True:
                scroll = answer.get("_scroll_id", scroll)
                hits = _hits(answer)
                for hit in hits[:left]:
                    yield _line(hit)
                left = None if left is None else max(left - len(hits), 0)
                if len(hits) < body["size"] or left == 0:
                    return
                more = {"scroll": _KEPT_FOR, "scroll_id": scroll}
                answer = self._ask("POST", f"{self._before}/_search/scroll", more)
        finally:
            if scroll is not None:
                with suppress(UnavailableError, RefusedError):  # it ends by itself, too
                    path = f"{self._before}/_search/scroll"
                    self._ask("DELETE", path, {"scroll_id": scroll})

    def explain(self, question: Question) -> str:
        body = dumps(self._search(question)).decode()
        return f"POST {self._index}/_search?scroll={_KEPT_FOR}\n{body}"

    def _search(self, question: Question) -> dict[str, Any]:
        types: Mapping[str, frozenset[str]] = {}
        if question.conditions:
            path = f"{self._index}/_field_caps?fields=*&filter_path=fields.*.*.type"
            fields = self._ask("GET", path, None).get("fields", {})
            if not isinstance(fields, dict):
                raise UnavailableError("its answer is not that of _field_caps")
            types = {name: frozenset(kinds) for name, kinds in fields.items()}
        return search(question, types)

    def _ask(self, method: str, path: str, body: Any) -> dict[str, Any]:
        content = None if body is None else dumps(body)
        answer = self._client.request(method, path, content, headers=_JSON)
        try:
            found = loads(answer.body)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise UnavailableError("its answer is no JSON object")
        return found

    def close(self) -> None:
        self._client.close()


def _hits(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    shards = answer.get("_shards")
    if answer.get("timed_out") or (isinstance(shards, dict) and shards.get("failed")):
        raise UnavailableError("some of its shards did not answer")
    within = answer.get("hits")
    hits = within.get("hits") if isinstance(within, dict) else None
    if not isinstance(hits, list):
        raise UnavailableError("its answer is not that of a search")
    return hits


def search(question: Question, types: Mapping[str, frozenset[str]]) -> dict[str, Any]:
    """
    Return the body of a search.

    Args:
        question: The question.
        types: The types of the fields that the indices have.
    """
    filters = [_filter(one, types) for one in question.conditions]
    times: dict[str, Any] = {}
    if question.since is not None:
        times["gte"] = math.floor(question.since * 1e3) - 1
    if question.until is not None:
        times["lte"] = math.ceil(question.until * 1e3) + 1
    if times:
        filters.append({"range": {_TIME: {**times, "format": "epoch_millis"}}})
    # In the order of the index, which costs it nothing.
    sort: list[Any] = ["_doc"]
    if question.order != "any":
        sort = [{_TIME: "desc" if question.order == "newest" else "asc"}]
    query: dict[str, Any] = {"bool": {"filter": filters}}
    size = _AT_ONCE if question.limit is None else min(question.limit, _AT_ONCE)
    return {
        "size": size,
        "query": query if filters else {"match_all": {}},
        "sort": sort,
        "track_total_hits": False,
    }


def _filter(
    condition: Condition, types: Mapping[str, frozenset[str]]
) -> dict[str, Any]:
    if condition.field == "text":
        return {"match_all": {}}  # it has no field for the line as a text
    values = [printable(value) for value in condition.values]
    found: list[dict[str, Any]] = []
    for name in condition.names:
        for kind in sorted(_types_of(name, types)):
            found += _compared(condition.operator, name, kind, values, types)
    if not found:
        return {"match_none": {}}
    return {"bool": {"should": found, "minimum_should_match": 1}}


def _types_of(name: str, types: Mapping[str, frozenset[str]]) -> frozenset[str]:
    if name in types:
        return types[name] - {"object", "nested"}
    parts = name.split(".")
    for end in range(len(parts) - 1, 0, -1):
        if "flattened" in types.get(".".join(parts[:end]), ()):
            return frozenset({"flattened"})
    return frozenset()


def _compared(
    operator: str,
    name: str,
    kind: str,
    values: list[str],
    types: Mapping[str, frozenset[str]],
) -> list[dict[str, Any]]:
    there: list[dict[str, Any]] = [{"exists": {"field": name}}]
    if kind in _NUMBERS:
        if operator == "between":
            low, high = (int(value) for value in values)
            return [{"range": {name: {"gte": low, "lte": high}}}]
        if operator != "in":
            return there
        whole = [int(one) for one in values if re.fullmatch(r"-?\d{1,18}", one)]
        return [{"terms": {name: whole}}] if whole else []
    if kind in _WORDS and operator == "in":
        # It is asked for the words of a value, one after the other.
        return [
            {"match_phrase": {name: {"query": value, "zero_terms_query": "all"}}}
            for value in values
        ]
    if kind in _WORDS and "keyword" in types.get(f"{name}.keyword", ()):
        name, kind = f"{name}.keyword", "keyword"
    if kind not in _WHOLE:
        return there
    if operator == "between":
        return [{"range": {name: {"gte": values[0], "lte": values[1]}}}]
    if operator == "begins":
        return [{"prefix": {name: value}} for value in values]
    if operator == "contains":
        if kind == "flattened":
            return there
        return [{"wildcard": {name: f"*{_escaped(value)}*"}} for value in values]
    return [{"terms": {name: values}}]


def _escaped(value: str) -> str:
    return re.sub(r"([*?\\])", r"\\\1", value)


def _line(hit: Mapping[str, Any]) -> bytes:
    source = hit.get("_source") if isinstance(hit, dict) else None
    if not isinstance(source, dict):
        raise RefusedError("it does not keep its documents' _source")
    if next(iter(source), None) == _TIME and _OTHER_TIMES & source.keys():
        # It is what the writing side has put in front of the line.
        source = {name: of for name, of in source.items() if name != _TIME}
    return dumps(source) + b"\n"
