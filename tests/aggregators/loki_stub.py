"""
A Loki that takes what is pushed as Loki 3.7 does, answers in its words, and answers
the LogQL that is documented, as far as ctxlog uses it.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ctxlog.aggregators._line import read
from tests.aggregators.web import Answer, Request, Store
from tests.helpers import need

need("urllib3")
_body = need("ctxlog.aggregators.loki")._body

_STRING = r'"((?:[^"\\]|\\.)*)"'
_SELECTOR = re.compile(r"\{(\w+)(=~|=)" + _STRING + r"\}")
_FILTER = re.compile(r"\s*(\|=|\|~|\| \w+=~) " + _STRING + r"|\s*(\| \w+=~)" + _STRING)


class Loki(Store):
    """
    The streams of lines, of their services and levels.

    Args:
        lines: Lines that it has already.

    Attributes:
        stored: The labels of each entry, with its metadata, by its stream, time and
            line: each is there once.
        oldest: Entries before this time (in seconds) are too old for all streams.
        behind: Entries before this time are too far behind in the stream of a level.
    """

    def __init__(self, lines: Iterable[bytes] = ()) -> None:
        super().__init__()
        self.stored: dict[tuple[str, str, str], dict[str, str]] = {}
        self.oldest = 0
        self.behind: dict[str, int] = {}
        self._push(_body(read(lines), {})["streams"])

    def answer_to(self, request: Request) -> Answer | str:
        """Take what is pushed; answer a query of a range of time."""
        noted = super().answer_to(request)
        if noted is not self.usual or noted != Answer():
            return noted
        url = urlsplit(request.path)
        if url.path == "/loki/api/v1/push":
            assert request.method == "POST"
            assert request.headers["Content-Type"] == "application/json"
            return self._push(json.loads(request.body)["streams"])
        assert (request.method, url.path) == ("GET", "/loki/api/v1/query_range")
        arguments = {name: of[0] for name, of in parse_qs(url.query).items()}
        try:
            return Answer(200, json.dumps(self._found(arguments)).encode())
        except (AssertionError, ValueError) as error:
            return Answer(400, f"parse error: {error!r}".encode())

    def _push(self, streams: Sequence[Any]) -> Answer:
        errors: list[str] = []
        behind: list[str] = []
        for stream in streams:
            labels = stream["stream"]
            assert labels
            for name, value in labels.items():
                assert re.fullmatch("[a-zA-Z_][a-zA-Z0-9_]*", name)
                assert isinstance(value, str)
                assert value
            self._push_to(labels, stream["values"], errors, behind)
        if behind:  # of several streams, the last one's
            return Answer(400, behind[-1].encode() + b"\n")
        if errors:
            return Answer(400, "; ".join(dict.fromkeys(errors)).encode() + b"\n")
        return Answer(204)

    def _push_to(
        self,
        labels: dict[str, str],
        values: Sequence[Any],
        errors: list[str],
        behind: list[str],
    ) -> None:
        known = {**labels, "service_name": labels.get("service", "unknown_service")}
        pairs = ", ".join(f'{name}="{known[name]}"' for name in sorted(known))
        shown, late = "{" + pairs + "}", []
        for time, line, *metadata in values:
            assert isinstance(time, str)
            assert re.fullmatch(r"\d{1,19}", time)
            assert all(type(of) is str for one in metadata for of in one.values())
            seconds = int(time) // 1_000_000_000
            if seconds < self.oldest:
                errors.append(
                    f"entry for stream '{shown}' has timestamp too old: "
                    f"{rfc(seconds)}, oldest acceptable timestamp is: "
                    f"{rfc(self.oldest)}"
                )
            elif len(line.encode()) > 256 * 1024:
                errors.append(
                    f"max entry size '262144' bytes exceeded for stream '{shown}' "
                    f"while adding an entry with length '{len(line.encode())}' bytes"
                )
            elif seconds < self.behind.get(labels["level"], 0):
                late.append(
                    f"entry with timestamp {time} ignored, reason: 'entry too far "
                    f"behind, entry timestamp is: {rfc(seconds)}, oldest acceptable "
                    f"timestamp is: {rfc(self.behind[labels['level']])}',\n"
                )
            else:
                of = metadata[0] if metadata else {}
                self.stored[shown, time, line] = {**known, **of}
        if late:
            number = f"total ignored: {len(late)} out of {len(values)}"
            behind.append(f"{''.join(late)}user 'fake', {number} for stream: {shown}")

    @property
    def lines(self) -> list[str]:
        """The lines that are stored, in order of their times."""
        return [line for _, _, line in sorted(self.stored, key=lambda key: key[1])]

    def _found(self, arguments: dict[str, str]) -> dict[str, Any]:
        begin, end = int(arguments["start"]), int(arguments["end"])
        limit = int(arguments["limit"])
        assert limit <= 5000, "max entries limit per query exceeded"
        assert end - begin <= 721 * 3600 * 10**9, "the query time range exceeds"
        entries = [
            (int(time), labels, line)
            for (_, time, line), labels in list(self.stored.items())
            if begin <= int(time) < end and holds(arguments["query"], labels, line)
        ]
        backward = arguments["direction"] == "backward"
        entries.sort(key=lambda entry: entry[0], reverse=backward)
        streams: dict[str, list[list[str]]] = defaultdict(list)
        for time, labels, line in entries[:limit]:
            streams[json.dumps(labels)].append([str(time), line])
        result = [
            {"stream": json.loads(labels), "values": values}
            for labels, values in streams.items()
        ]
        return {
            "status": "success",
            "data": {"resultType": "streams", "result": result},
        }


def rfc(seconds: int) -> str:
    """Return a time as Loki writes it."""
    return f"{datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%dT%H:%M:%SZ}"


def holds(query: str, labels: dict[str, str], line: str) -> bool:
    """Return whether a query finds a line."""
    selector = _SELECTOR.match(query)
    assert selector, "no selector"
    name, how, text = selector.groups()
    found = _matches(how, _text(text), labels.get(name, ""), whole=True)
    at = selector.end()
    while at < len(query):
        part = _FILTER.match(query, at)
        assert part, f"unexpected {query[at:]}"
        at = part.end()
        mark, text = part[1] or part[3], _text(part[2] if part[1] else part[4])
        if mark.startswith("| "):
            label = labels.get(mark[2:-2], "")
            found = found and _matches("=~", text, label, whole=True)
        else:
            found = found and _matches(mark[1:], text, line, whole=False)
    return found


def _text(literal: str) -> str:
    return str(json.loads('"' + literal.replace("\\x7f", "\\u007f") + '"'))


def _matches(how: str, text: str, value: str, *, whole: bool) -> bool:
    if how == "=":
        return value == text if whole else text in value
    form = re.compile(text)
    return bool(form.fullmatch(value) if whole else form.search(value))
