"""
An Elasticsearch that checks a batch as the bulk API does, and answers the searches that
are documented, as far as ctxlog uses them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ctxlog.aggregators._line import nanoseconds, read
from tests.aggregators.web import Answer, Request, Store
from tests.helpers import need

need("urllib3")
document = need("ctxlog.aggregators.elastic")._document

Doc = dict[str, Any]
_WILDCARD = re.compile(r"\\(.)|(\*)|(\?)|(.)", re.DOTALL)


class Elasticsearch(Store):
    """
    An index of lines: texts are keywords, messages are searched by their words.

    Args:
        lines: Lines that it has already.

    Attributes:
        documents: What is stored.
        failing: The status, type and reason for documents whose message is this one, in
            the order of batches.
    """

    def __init__(self, lines: Iterable[bytes] = ()) -> None:
        super().__init__()
        self.documents: list[Doc] = []
        self.failing: dict[str, list[tuple[int, str, str]]] = {}
        for line in read(lines):
            self._create(document(line))
        self.scrolls: dict[str, tuple[list[Doc], int]] = {}

    def answer_to(self, request: Request) -> Answer | str:
        """
        Take a batch; answer a search, a page of one, or a question for the types of
        fields.
        """
        noted = super().answer_to(request)
        if noted is not self.usual or noted != Answer():
            return noted
        url = urlsplit(request.path)
        if url.path.endswith("/_bulk"):
            return self._bulk(request)
        body = json.loads(request.body) if request.body else {}
        try:
            found = self._answer(request.method, url.path, parse_qs(url.query), body)
        except (AssertionError, KeyError, ValueError) as error:
            return Answer(400, json.dumps({"error": repr(error)}).encode())
        return Answer(200, json.dumps(found).encode())

    def _bulk(self, request: Request) -> Answer:
        assert request.method == "POST"
        assert request.headers["Content-Type"] == "application/x-ndjson"
        assert request.body.endswith(b"\n")
        lines = request.body.split(b"\n")[:-1]
        assert set(lines[::2]) == {b'{"create":{}}'}
        items = [{"create": self._create(line)} for line in lines[1::2]]
        failed = any("error" in item["create"] for item in items)
        answer = {"errors": failed, "items": items}
        return Answer(200, json.dumps(answer).encode())

    def _create(self, line: bytes) -> dict[str, Any]:
        document = json.loads(line)
        assert isinstance(document["@timestamp"], str)
        for name in ("_id", "_source", "_index"):
            assert name not in document
        failing = self.failing.get(str(document.get("message")))
        if failing:
            status, kind, reason = failing.pop(0)
            return {"status": status, "error": {"type": kind, "reason": reason}}
        self.documents.append(document)
        return {"status": 201}

    def _answer(self, method: str, path: str, arguments: Any, body: Any) -> Any:
        if path.endswith("/_field_caps"):
            assert arguments["fields"] == ["*"]
            return {"fields": self.types()}
        if path == "/_search/scroll":
            scroll = body["scroll_id"]
            if method == "DELETE":
                del self.scrolls[scroll]
                return {"succeeded": True}
            return self._page(scroll)
        assert path == "/logs-ctxlog-default/_search"
        types = self.types()
        docs = [doc for doc in self.documents if _holds(body["query"], doc, types)]
        (sort,) = body["sort"]
        if sort != "_doc":
            docs.sort(key=_time, reverse=sort["@timestamp"] == "desc")
        scroll = f"scroll-{len(self.requests)}"
        assert arguments["scroll"]
        assert body["size"] > 0
        self.scrolls[scroll] = (docs, body["size"])
        return self._page(scroll)

    def _page(self, scroll: str) -> Any:
        docs, size = self.scrolls[scroll]
        self.scrolls[scroll] = (docs[size:], size)
        hits = [{"_source": doc} for doc in docs[:size]]
        return {
            "_scroll_id": scroll,
            "timed_out": False,
            "_shards": {"failed": 0},
            "hits": {"hits": hits},
        }

    def types(self) -> dict[str, dict[str, dict[str, str]]]:
        """Return the types of all fields, as `_field_caps` does."""
        types: dict[str, dict[str, dict[str, str]]] = {}
        for doc in self.documents:
            for name, value in _flat(doc, ""):
                kind = "keyword"
                if name == "@timestamp":
                    kind = "date"
                elif name in ("message", "short_message"):
                    kind = "match_only_text"
                elif isinstance(value, bool):
                    kind = "boolean"
                elif isinstance(value, int):
                    kind = "long"
                elif isinstance(value, float):
                    kind = "float"
                types.setdefault(name, {})[kind] = {"type": kind}
        return types


def _flat(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, of in value.items():
            yield from _flat(of, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        for one in value:
            yield from _flat(one, name)
    elif value is not None:
        yield name, value


def _form(part: re.Match[str]) -> str:
    """Return a part of a wildcard pattern as a regular expression."""
    if part[2] or part[3]:
        return ".*" if part[2] else "."
    return re.escape(part[1] or part[4])


def _time(doc: Doc) -> int:
    return nanoseconds(doc["@timestamp"]) or 0


def _holds(query: Any, doc: Doc, types: Any) -> bool:
    ((kind, inner),) = query.items()
    if kind == "match_all":
        return True
    if kind == "match_none":
        return False
    if kind == "bool":
        needed = all(_holds(one, doc, types) for one in inner.get("filter", ()))
        should = inner.get("should")
        if should is None:
            return needed
        assert inner["minimum_should_match"] == 1
        return needed and any(_holds(one, doc, types) for one in should)
    if kind == "exists":
        return bool(_values(doc, inner["field"]))
    ((name, asked),) = inner.items()
    values = _values(doc, name)
    words = "match_only_text" in types.get(name, ())
    if kind == "terms":
        assert not words
        return any(value in asked for value in values)
    if kind == "prefix":
        assert types[name].keys() == {"keyword"}, "Can only use prefix queries on texts"
        return any(value.startswith(asked) for value in values)
    if kind == "wildcard":
        assert types[name].keys() == {"keyword"}
        form = re.compile(_WILDCARD.sub(_form, asked), re.DOTALL)
        return any(form.fullmatch(value) for value in values)
    if kind == "range":
        low, high = asked.get("gte"), asked.get("lte")
        if name == "@timestamp":
            assert asked["format"] == "epoch_millis"
            values = [_time(doc) / 1e6]
        return any(
            (low is None or low <= value) and (high is None or value <= high)
            for value in values
        )
    assert kind == "match_phrase"
    assert words
    phrase = re.findall(r"\w+", asked["query"].lower())
    found = [re.findall(r"\w+", value.lower()) for value in values]
    return any(
        phrase == words_of[at : at + len(phrase)]
        for words_of in found
        for at in range(len(words_of) + 1)
    )


def _values(doc: Doc, name: str) -> list[Any]:
    return [value for path, value in _flat(doc, "") if path == name]
