"""
VictoriaLogs: lines by its JSON stream API, and by LogsQL.

After the HTTP API and LogsQL of VictoriaLogs 1.26 (`POST /insert/jsonline`:
https://docs.victoriametrics.com/victorialogs/data-ingestion/; `POST
/select/logsql/query`, which streams any number of rows:
https://docs.victoriametrics.com/victorialogs/querying/;
https://docs.victoriametrics.com/victorialogs/logsql/), and what it does with a row
(app/vlinsert and lib/logstorage/log_rows.go at v1.26.0,
https://github.com/VictoriaMetrics/VictoriaLogs). Several names in `_time_field` need
version 1.22.

It makes a text of each value, and of members of objects fields with dots in their
names, and keeps the line as it was written beside that, in `_line`. It answers 200 also
where it leaves out a row: one without a Content-Type, longer than 256 KiB, with more
than 1,000 fields, or nested too deeply. So nothing of that kind is sent: such a line
goes without one or the other of its two forms, or is refused here.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from ctxlog._json import dumps, loads
from ctxlog.aggregators._address import Address
from ctxlog.aggregators._http import OPTIONS, Client
from ctxlog.aggregators._line import (
    ENVIRONMENTS,
    MESSAGES,
    SERVICES,
    TIMES,
    Line,
    read,
    rfc3339,
)
from ctxlog.aggregators._question import LINE_FIELD, Condition, Question, Reader
from ctxlog.aggregators._rows import (
    for_reading,
    kept,
    names_among,
    number,
    printable,
    rebuilt,
)
from ctxlog.aggregators._store import Receiver, UnavailableError

_PORT = 9428

# Writing ----------------------------------------------------------------------------

_INSERT = "/insert/jsonline?" + urlencode(
    {
        "_time_field": ",".join(("_time", *TIMES)),
        "_msg_field": ",".join(MESSAGES),
        "_stream_fields": ",".join((*SERVICES, *ENVIRONMENTS)),
        # They say again what `_time` says.
        "ignore_fields": "timestamp,@timestamp",
    }
)
_JSON_LINES = {"Content-Type": "application/stream+json"}

# What makes it leave out a row: its defaults of 1.26.
_LONGEST = 256 * 1024
_MOST_FIELDS = 1_000 - 2
_LONGEST_NAME = 128
_DEEPEST = 300 - 2


def receiver(address: Address) -> Receiver:
    """
    Return the writing side.

    Args:
        address: `vlogs://host:9428`; `?header=AccountID:12` names a tenant.
    """
    address.check_options(OPTIONS)
    return _Receiver(address)


class _Receiver(Receiver):
    def __init__(self, address: Address) -> None:
        self.name = address.name
        self._client = Client(address, _PORT)
        self._path = address.path.rstrip("/") + _INSERT

    def send(self, lines: Sequence[bytes], timeout: float) -> Mapping[int, str]:
        rows = [_row(line) for line in read(lines)]
        body = b"".join(one for one in rows if one is not None)
        if body:
            self._client.request(
                "POST", self._path, body, headers=_JSON_LINES, timeout=timeout
            )
        reason = f"longer than the {_LONGEST} bytes that VictoriaLogs takes"
        return {place: reason for place, one in enumerate(rows) if one is None}

    def close(self) -> None:
        self._client.close()


def _row(line: Line) -> bytes | None:
    """Return a line as a row, its newline included; None if it is too long."""
    added = {"_time": rfc3339(line.when)}
    written = {LINE_FIELD: line.text}
    if _is_taken(line.members):
        rows = [line.object(**added, **written), line.object(**added)]
        if line.time is not None and line.is_object:
            rows.append(line.raw)
    else:
        rows = [dumps({**added, **line.core, **written})]
    return next((one + b"\n" for one in rows if len(one) < _LONGEST), None)


def _is_taken(members: dict[str, Any]) -> bool:
    """Return whether its fields are few, have short names, and are not too deep."""
    if any(len(name.encode("utf-8", "replace")) > _LONGEST_NAME for name in members):
        return False
    fields, depth, level = 0, 0, [members]
    while level:
        depth += 1
        below: list[Any] = []
        for one in level:
            inner = one.values() if isinstance(one, dict) else one
            deeper = [of for of in inner if isinstance(of, (dict, list))]
            if isinstance(one, dict):  # an array is one field
                fields += len(one) - len(deeper)
                fields += sum(isinstance(of, list) for of in deeper)
            below += deeper
        level = below
    return fields <= _MOST_FIELDS and depth <= _DEEPEST


# Reading ----------------------------------------------------------------------------

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_QUERY = "/select/logsql/query"
_FIELD_NAMES = "/select/logsql/field_names"
#: The keys of a line that have become these fields.
_RENAMED = dict.fromkeys(MESSAGES, "_msg")
_META = re.compile(r"[.^$*+?{}\[\]\\|()]")


def reader(address: Address) -> Reader:
    """
    Return the reading side.

    Args:
        address: `vlogs://host:9428`; `?header=AccountID:12` names a tenant.
    """
    address.check_options(OPTIONS)
    return _Reader(address)


class _Reader(Reader):
    def __init__(self, address: Address) -> None:
        self.name = address.name
        self._client = Client(for_reading(address), _PORT)
        self._path = address.path.rstrip("/")

    def lines(self, question: Question) -> Iterator[bytes]:
        for row in self._post(_QUERY, self._arguments(question)):
            yield _line(row)

    def explain(self, question: Question) -> str:
        pairs = self._arguments(question)
        return "\n".join(
            [f"POST {self._path}{_QUERY}", *(f"{of}={pairs[of]}" for of in pairs)]
        )

    def _arguments(self, question: Question) -> dict[str, str]:
        times = _limits(question)
        there = frozenset[str]()
        if question.conditions:
            found = list(self._post(_FIELD_NAMES, {"query": "*", **times}))
            try:
                there = frozenset(
                    str(one["value"]) for row in found for one in row["values"]
                )
            except (KeyError, TypeError):
                raise UnavailableError("its answer is not that of LogsQL") from None
        return {"query": query(question, there), **times}

    def _post(self, path: str, arguments: dict[str, str]) -> Iterator[dict[str, Any]]:
        body = urlencode(arguments, quote_via=quote).encode()
        for line in self._client.lines("POST", self._path + path, body, headers=_FORM):
            if not line:
                continue
            try:
                row = loads(line)
            except ValueError:
                row = None
            if not isinstance(row, dict):  # an error in the middle of an answer
                text = line[:200].decode("utf-8", "replace")
                raise UnavailableError(f"it answers {text}")
            yield row

    def close(self) -> None:
        self._client.close()


def query(question: Question, there: frozenset[str]) -> str:
    """
    Return the LogsQL of a question.

    Args:
        question: The question; its times are arguments of their own.
        there: The names of the fields that the store has.
    """
    filters = [_filter(one, there) for one in question.conditions]
    text = " ".join(one for one in filters if one) or "*"
    if question.order != "any":
        text += " | sort by (_time" + (" desc)" if question.order == "newest" else ")")
    if question.limit is not None:
        text += f" | limit {question.limit}"
    return text


def _filter(condition: Condition, there: frozenset[str]) -> str:
    values = [printable(value) for value in condition.values]
    pattern = "|".join(_META.sub(r"\\\g<0>", value) for value in values)
    if condition.field == "text":
        if LINE_FIELD not in there:
            return ""
        # A line that was not kept as it was written is looked at by the caller.
        return f'({LINE_FIELD}:~{text_of(pattern)} or {LINE_FIELD}:"")'
    if condition.operator == "in":
        written = ",".join(map(text_of, values))
        # Of one value alone, `*` would mean any.
        compared = [f":in({written})" if len(values) > 1 else f":={written}"]
    elif condition.operator == "begins":
        compared = [f":={text_of(value)}*" for value in values]
    elif condition.operator == "contains":
        compared = [f":~{text_of(pattern)}"]
    else:
        compared = [f":range[{int(values[0])}, {int(values[1])}]"]
    names = names_among(condition, there)
    if condition.field in TIMES and not names:
        return ""  # it has become `_time`, and may be written otherwise there
    if condition.field in _RENAMED:
        names.append(_RENAMED[condition.field])
    filters = [text_of(name) + each for name in names for each in compared]
    # Where nothing has such a field, nothing matches.
    return f"({' or '.join(filters)})" if filters else "!*"


def text_of(text: str) -> str:
    """Return a text as LogsQL writes it: in double quotes, with Go's escapes."""
    return json.dumps(printable(text), ensure_ascii=False).replace("\x7f", "\\x7f")


def _limits(question: Question) -> dict[str, str]:
    """Return the limits of time in nanoseconds, wider by a millisecond."""
    times = {}
    if question.since is not None:
        times["start"] = str(math.floor(question.since * 1e3 - 1) * 1_000_000)
    if question.until is not None:  # `end` itself does not belong to it
        times["end"] = str(math.ceil(question.until * 1e3 + 1) * 1_000_000)
    return times


def _line(row: dict[str, Any]) -> bytes:
    line = kept(row, "_msg")
    if line is not None:
        return line
    members: dict[str, Any] = {}
    if row.keys().isdisjoint(TIMES):
        members["timestamp"] = row.get("_time")
    for name, value in row.items():
        if name not in ("_stream", "_stream_id", "_time", "_msg"):
            members[name] = number(value) if isinstance(value, str) else value
    if "_msg" in row:
        members.setdefault("message", row["_msg"])
    return rebuilt(members)
