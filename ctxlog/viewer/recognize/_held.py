"""
Objects that are no entries but hold some: files and answers of services.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

#: Where a line that was wrapped keeps the time of what wrapped it.
WRAPPED_TIME = "__REALTIME_TIMESTAMP"
#: The name of what is held, and all others that such an object may have: an entry that
#: has a list of records beside its own message is none of these.
_HOLDERS = {
    # files of CloudTrail, and of Azure's diagnostics
    "Records": "",
    "records": "",
    # a list of Kubernetes, such as of audit events
    "items": "kind apiVersion metadata",
    # an answer of Google's logging
    "entries": "nextPageToken",
    # an answer of Elasticsearch
    "hits": "took timed_out _shards hits _scroll_id pit_id num_reduce_phases max_score "
    "total",
    # what Splunk exports, and what it is sent
    "result": "preview offset lastrow",
    "event": "time host source sourcetype index fields",
    # what Loki is sent, and its answer
    "streams": "",
    "data": "status",
}
_KNOWN = {name: frozenset((name, *more.split())) for name, more in _HOLDERS.items()}


def holder(members: dict[str, Any]) -> str | None:
    """Return the name of what an object holds; None if it is no such object."""
    if _KNOWN.keys().isdisjoint(members):  # as most are
        return None
    for name, known in _KNOWN.items():
        if members.get(name) is not None and members.keys() <= known:
            return name
    return None


def held(members: dict[str, Any]) -> Sequence[dict[str, Any]]:
    """Return the entries that an object holds; nothing if it is none of these."""
    name = holder(members)
    if name is None:
        return ()
    found = members[name]
    if name in ("streams", "data"):
        return list(_of_streams(found))
    if name == "hits" and isinstance(found, dict):
        found = found.get("hits")
    if isinstance(found, dict):
        time = members.get("time")
        return [found if time is None else {**found, WRAPPED_TIME: time}]
    return dicts(found)


def _of_streams(found: object) -> Iterator[dict[str, Any]]:
    """Yield the lines of Loki's streams, as logcli prints them."""
    streams = found.get("result") if isinstance(found, dict) else found
    for stream in dicts(streams):
        values = stream.get("values")
        for value in values if isinstance(values, list) else ():
            if isinstance(value, list) and len(value) >= 2:
                labels = stream.get("stream")
                yield {"labels": labels, "line": value[1], "timestamp": value[0]}


def dicts(found: object) -> list[dict[str, Any]]:
    """Return the objects of a list; nothing if it is none."""
    members = found if isinstance(found, list) else []
    return [one for one in members if isinstance(one, dict)]
