"""
Elasticsearch and OpenSearch: lines by the bulk API.

After Elasticsearch 9.1's `POST /{index}/_bulk`
(https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk, and what
answers it: server/src/main/java/org/elasticsearch/action/bulk in
https://github.com/elastic/elasticsearch), which OpenSearch 3 has as well
(https://docs.opensearch.org/latest/api-reference/document-apis/bulk/).

A line is a document of a data stream, as it was written, with `@timestamp` in front if
it has none. It is created without an id of ours: a store that has to look for ids takes
lines more slowly, and an id made of a line's bytes would lose one of two equal lines.
So lines are stored twice if an answer is lost; `ctxlog show` shows such lines once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from ctxlog._json import dumps, loads
from ctxlog.aggregators._address import Address
from ctxlog.aggregators._http import OPTIONS, Client
from ctxlog.aggregators._line import Line, nanoseconds, read, rfc3339
from ctxlog.aggregators._store import Receiver, UnavailableError

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
_NOT_ABOUT_LINES = frozenset({401, 403, 404, 408, 429})


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
        reason = next(iter(left.values()))
        raise UnavailableError(reason, left=list(left), refused=refused)
    return refused


def _reason(status: int, result: Mapping[str, Any]) -> str:
    error = result.get("error")
    if isinstance(error, dict):
        error = f"{error.get('type')}: {error.get('reason')}"
    return f"it answers {status} for a line: {str(error)[:200]}"
