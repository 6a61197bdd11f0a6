"""
Loki: lines by its push API, as JSON.

After Loki 3.7's HTTP API (docs/sources/reference/loki-http-api.md, `POST
/loki/api/v1/push`), and what its distributor and ingester answer
(pkg/distributor/http.go, pkg/distributor/validator.go and pkg/ingester/stream.go at
v3.7.6, https://github.com/grafana/loki).

A stream is made of few labels: the service, the environment and the level. The
request's id is structured metadata of its line: as a label it would make a stream of
each request. Of two lines with the same labels, time and text Loki shows one, so that
sending a batch again stores nothing twice.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ctxlog._json import dumps
from ctxlog.aggregators._address import Address
from ctxlog.aggregators._http import OPTIONS, Client, failure
from ctxlog.aggregators._line import SPANS, TRACES, Line, nanoseconds, read, rfc3339
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
            raise failure(answer)

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
