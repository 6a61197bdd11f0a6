"""
VictoriaLogs: lines by LogsQL.

After the HTTP API and LogsQL of VictoriaLogs 1.26 (docs/victorialogs/querying,
docs/victorialogs/LogsQL.md, https://github.com/VictoriaMetrics/VictoriaLogs): `POST
/select/logsql/query` streams any number of rows; all values are texts, and members of
objects are fields with dots in their names.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

from ctxlog._json import loads
from ctxlog.aggregators._address import Address
from ctxlog.aggregators._http import OPTIONS, Client
from ctxlog.aggregators._question import LINE_FIELD, Condition, Question, Reader
from ctxlog.aggregators._rows import (
    for_reading,
    kept,
    names_among,
    number,
    printable,
    rebuilt,
)
from ctxlog.aggregators._store import UnavailableError

_PORT = 9428
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}

# Reading ----------------------------------------------------------------------------

_QUERY = "/select/logsql/query"
_FIELD_NAMES = "/select/logsql/field_names"
#: The keys of a line that have become these fields.
_RENAMED = {"message": "_msg", "msg": "_msg", "short_message": "_msg", "event": "_msg"}
_TIMES = frozenset({"timestamp", "@timestamp", "time", "ts"})
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
    if condition.field in _TIMES and not names:
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
    if not _TIMES & row.keys():
        members["timestamp"] = row.get("_time")
    for name, value in row.items():
        if name not in ("_stream", "_stream_id", "_time", "_msg"):
            members[name] = number(value) if isinstance(value, str) else value
    if "_msg" in row:
        members.setdefault("message", row["_msg"])
    return rebuilt(members)
