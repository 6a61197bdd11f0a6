"""
Loki: lines by its push API, as JSON, and by LogQL.

After Loki 3.7's HTTP API, `POST /loki/api/v1/push`
(https://grafana.com/docs/loki/latest/reference/loki-http-api/), its default limits, and
what its distributor and ingester answer (pkg/validation/limits.go,
pkg/distributor/http.go, pkg/distributor/validator.go and pkg/ingester/stream.go at
v3.7.6, https://github.com/grafana/loki).

A stream is made of few labels: the service, the environment and the level. The
request's id is structured metadata of its line: as a label it would make a stream of
each request. Of two lines with the same labels, time and text Loki shows one, so that
sending a batch again stores nothing twice.

Read by `GET /loki/api/v1/query_range`, page by page: the labels of streams and the text
of lines tell roughly which ones are meant.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple
from urllib.parse import urlencode

from ctxlog._json import dumps, loads
from ctxlog.aggregators._address import Address
from ctxlog.aggregators._http import OPTIONS, Client
from ctxlog.aggregators._line import SPANS, TRACES, Line, nanoseconds, read, rfc3339
from ctxlog.aggregators._question import Condition, Question, Reader
from ctxlog.aggregators._rows import for_reading, needle, numbers_pattern, printable
from ctxlog.aggregators._store import Receiver, RefusedError, UnavailableError

#: The labels of a stream, beside those of the address.
_LABELS = ("service", "environment", "level")
#: The name of the request's id among a line's structured metadata.
_REQUEST_ID = "request_id"

_PORT = 3100
_PUSH = "/loki/api/v1/push"
_JSON = {"Content-Type": "application/json"}
_LABEL = re.compile(r"([a-zA-Z_][a-zA-Z0-9_]*):(.+)")


def receiver(address: Address) -> Receiver:
    """
    Return the writing side.

    Args:
        address: `loki://host:3100`; `?labels=host:web-1,zone:a` are further labels.
    """
    address.check_options({*OPTIONS, "labels"})
    return _Receiver(address)


def _body(lines: Sequence[Line], labels: Mapping[str, str]) -> dict[str, Any]:
    """Return what is posted, before it is JSON."""
    streams: dict[tuple[tuple[str, str], ...], dict[str, Any]] = {}
    for line in lines:
        own = _own_labels(line)
        key = tuple(own.items())
        if key not in streams:
            streams[key] = {"stream": {**labels, **own}, "values": []}
        entry = [str(line.when), line.text, *_metadata(line)]
        streams[key]["values"].append(entry)
    return {"streams": list(streams.values())}


def _own_labels(line: Line) -> dict[str, str]:
    values = line.service, line.environment, line.level_name
    return {name: of for name, of in zip(_LABELS, values, strict=True) if of}


def _metadata(line: Line) -> list[dict[str, str]]:
    found = {
        _REQUEST_ID: line.request_id,
        "trace_id": line.first(TRACES),
        "span_id": line.first(SPANS),
    }
    metadata = {name: value for name, value in found.items() if value}
    return [metadata] if metadata else []


class _Receiver(Receiver):
    def __init__(self, address: Address) -> None:
        self.name = address.name
        self._client = Client(address, _PORT)
        self._path = address.path.rstrip("/") + _PUSH
        self._labels = _labels(address)

    def send(self, lines: Sequence[bytes], timeout: float) -> Mapping[int, str]:
        deadline = time.monotonic() + timeout
        left = dict(enumerate(read(lines)))
        refused: dict[int, str] = {}
        while left:
            try:
                self._push(list(left.values()), deadline - time.monotonic())
                break
            except RefusedError as error:
                old = _too_old(error, left, self._labels)
                if not old:
                    raise
                # The others were stored, or will be now: Loki shows them once.
                refused.update(old)
                left = {place: of for place, of in left.items() if place not in old}
            except UnavailableError as error:
                error.left, error.refused = list(left), refused
                raise
        return refused

    def _push(self, lines: Sequence[Line], timeout: float) -> None:
        content = dumps(_body(lines, self._labels))
        answer = self._client.request(
            "POST", self._path, content, headers=_JSON, timeout=max(timeout, 0.1)
        )
        if answer.status not in (200, 204):  # 260: nothing is taken now
            raise self._client.failure(answer)

    def close(self) -> None:
        self._client.close()


def _labels(address: Address) -> dict[str, str]:
    text = address.options.get("labels", "")
    found: dict[str, str] = {}
    for part in text.split(",") if text else []:
        match = _LABEL.fullmatch(part)
        if match is None or match[1] in _LABELS:
            raise address.error("labels as labels=host:web-1,zone:a", f"?labels={part}")
        found[match[1]] = match[2]
    return found


# What was too old -------------------------------------------------------------------

_OLDEST = re.compile(r"oldest acceptable timestamp is: (\d[\d:.TZ+-]*[\dZ])")
# The ingester says it of one stream, the last one; the distributor of all.
_FOR_STREAM = re.compile(r"entry too far behind.*for stream: \{(.*)\}", re.DOTALL)
_PAIR = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
#: A label that Loki adds.
_DISCOVERED = "service_name"


def _too_old(
    error: RefusedError, lines: Mapping[int, Line], labels: Mapping[str, str]
) -> dict[int, str]:
    """
    Return why lines of a batch were refused for their times, by their places.

    Loki has taken the others, and its answer says how old a line may be. To find these
    lines by halving would need two posts for each of them.
    """
    text = error.answer.decode("utf-8", "replace")
    oldest = [nanoseconds(found) or 0 for found in _OLDEST.findall(text)]
    if not oldest:
        return {}
    match = _FOR_STREAM.search(text)
    stream = _labeled(dict(_PAIR.findall(match[1]))) if match else None
    reason = f"too old: the oldest that Loki takes is of {rfc3339(max(oldest))}"
    return {
        place: reason
        for place, line in lines.items()
        if line.when < max(oldest)
        and (stream is None or stream == _labeled({**labels, **_own_labels(line)}))
    }


def _labeled(labels: Mapping[str, str]) -> dict[str, str]:
    return {name: of for name, of in labels.items() if name != _DISCOVERED}


# Reading ----------------------------------------------------------------------------

_QUERY = "/loki/api/v1/query_range"
_AT_ONCE = 1000
#: The most lines that Loki gives at once: its default `max_entries_limit_per_query`.
_MOST_AT_ONCE = 5000
#: Loki answers for at most `max_query_length`, 721 hours by default.
_SPAN = 30 * 86_400 * 1_000_000_000
_SELECTOR = '{level=~".+"}'
_LEVELS = ("critical", "error", "warning", "info", "debug", "trace")
_META = re.compile(r"[.^$*+?{}\[\]\\|()]")


def reader(address: Address) -> Reader:
    """
    Return the reading side.

    Args:
        address: `loki://host:3100`; `?selector={app="shop"}` selects the streams, in
            LogQL. Without it, those of ctxlog are read, which have a label `level`.
            `?header=X-Scope-OrgID:NAME` names a tenant.
    """
    address.check_options({*OPTIONS, "labels", "selector"})
    return _Reader(address)


class _Reader(Reader):
    def __init__(self, address: Address) -> None:
        self.name = address.name
        self._client = Client(for_reading(address), _PORT)
        self._path = address.path.rstrip("/") + _QUERY
        self._selector = address.options.get("selector")

    def lines(self, question: Question) -> Iterator[bytes]:
        text = query(question, self._selector)
        lines = (
            line
            for begin, end in _spans(question)
            for line in self._span(text, begin, end, question)
        )
        return islice(lines, question.limit)

    def explain(self, question: Question) -> str:
        texts = [
            f"GET {self._path}\nquery={query(question, self._selector)}\n"
            f"start={begin}\nend={end}\ndirection={_direction(question)}"
            for begin, end in _spans(question)
        ]
        return "\n\n".join(texts)

    def _span(
        self, text: str, begin: int, end: int, question: Question
    ) -> Iterator[bytes]:
        """
        Yield the lines of a span of time, page by page.

        A page begins with the time of the last line of the one before: more lines may
        have that time. Those that are known are passed over.
        """
        newest = question.order == "newest"
        known: set[tuple[str, str]] = set()
        limit = _AT_ONCE
        while begin < end:
            entries = self._page(text, begin, end, limit, question)
            new = [one for one in entries if one.key not in known]
            for entry in new:
                yield entry.line.encode("utf-8", "replace").rstrip(b"\r\n") + b"\n"
            if len(entries) < limit:
                return
            last = entries[-1].time
            if last == entries[0].time:  # all of them of one time, or more
                if limit == _MOST_AT_ONCE:
                    raise RefusedError(
                        f"more than {limit} lines have the same time, and it gives no "
                        "more at once"
                    )
                known.update(one.key for one in new)
                limit = min(limit * 2, _MOST_AT_ONCE)
                continue
            known = {one.key for one in entries if one.time == last}
            limit = _AT_ONCE
            if newest:
                end = last + 1
            else:
                begin = last

    def _page(
        self, text: str, begin: int, end: int, limit: int, question: Question
    ) -> list[_Entry]:
        arguments = {
            "query": text,
            "start": str(begin),
            "end": str(end),
            "limit": str(limit),
            "direction": _direction(question),
        }
        answer = self._client.request("GET", f"{self._path}?{urlencode(arguments)}")
        try:
            streams = loads(answer.body)["data"]["result"]
            entries = [
                _Entry(
                    int(value[0]), str(value[1]), repr(sorted(one["stream"].items()))
                )
                for one in streams
                for value in one["values"]
            ]
        except (ValueError, TypeError, KeyError, IndexError, AttributeError):
            raise UnavailableError("its answer is not that of query_range") from None
        entries.sort(key=lambda one: one.time, reverse=question.order == "newest")
        return entries

    def close(self) -> None:
        self._client.close()


class _Entry(NamedTuple):
    """A line with its time in nanoseconds, and the labels of its stream as a text."""

    time: int
    line: str
    stream: str

    @property
    def key(self) -> tuple[str, str]:
        return self.line, self.stream


def _direction(question: Question) -> str:
    return "backward" if question.order == "newest" else "forward"


def _spans(question: Question) -> list[tuple[int, int]]:
    """Return the times to ask for, in nanoseconds: in order, each not too long."""
    until = time.time() + 3600 if question.until is None else question.until + 0.001
    end = math.ceil(until * 1e6) * 1000
    begin = end - _SPAN
    if question.since is not None:
        begin = math.floor((question.since - 0.001) * 1e6) * 1000
    spans = [(one, min(one + _SPAN, end)) for one in range(begin, end, _SPAN)]
    return spans[::-1] if question.order == "newest" else spans


def query(question: Question, selector: str | None) -> str:
    """
    Return the LogQL of a question.

    Args:
        question: The question; its times are arguments of their own.
        selector: What selects the streams; None for those of ctxlog.
    """
    filters = [_filter(one, ours=selector is None) for one in question.conditions]
    return " ".join([selector or _SELECTOR, *(one for one in filters if one)])


def _filter(condition: Condition, *, ours: bool) -> str:
    """Return what finds lines roughly, by their text; nothing if nothing does."""
    values = [printable(value) for value in condition.values]
    if condition.field == "level":
        if not ours:
            return ""
        # A level that the writing side does not know has the label `unknown`.
        names = [name for name in _LEVELS if name in values]
        return f"| level=~{_text('|'.join([*names, 'unknown']))}"
    if condition.operator == "between":
        return f"|~ {_text(numbers_pattern(values[0], values[1]))}"
    needles = values
    if condition.field != "text":
        needles = [needle(value) for value in values]
    if not all(needles):
        return ""
    if len(needles) == 1:
        return f"|= {_text(needles[0])}"
    return f"|~ {_text('|'.join(_META.sub(_BACKSLASH, one) for one in needles))}"


#: Puts a backslash before what a pattern has found.
_BACKSLASH = r"\\\g<0>"


def _text(text: str) -> str:
    """Return a text as LogQL writes it: in double quotes, with Go's escapes."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\x7f")
