"""
Lines that are not one JSON object: which ones are entries, and what they say.

Whether a line is an entry is decided by the line alone. All else, such as a traceback,
belongs to the entry above it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from typing import Any

from ctxlog.viewer.recognize import text_logfmt as logfmt
from ctxlog.viewer.recognize._objects import objects
from ctxlog.viewer.recognize.formats import TextFormat, texts_from
from ctxlog.viewer.recognize.keys import WORDS, plain
from ctxlog.viewer.recognize.scales import iso, seconds
from ctxlog.viewer.recognize.text_prefixes import Prefixed, prefixed
from ctxlog.viewer.recognize.text_times import written

#: Where JSON begins that stands behind something else.
_PREFIX = 400
_CONTINUED = b" \t\r\n})]"
_COLORS = re.compile(r"\x1b\[[0-9;]*m")
_TRACE = re.compile(
    r"\s|$|Traceback \(|Caused by: |Suppressed: |at \S+\(|\.\.\. \d+ more|"
    r"goroutine \d+ |panic: |created by |[\w./*()-]{1,99}\([^()]*\)$|"
    r"During handling of |The above exception |"
    r"[\w.$]*(?:Error|Exception|Exit|Interrupt|Warning)(?:: |$)|[})\]]"
)
#: An entry that its beginning does not show: JSON after the application's own words.
_WORDS = re.compile(
    rb"(?:[^{]*\b(?:(?i:trace|debug|info|notice|warn|warning|error|critical|fatal)\b|"
    rb"\d\d:\d\d:\d\d))"
)
_UUID = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
_ID_LIKE = re.compile(rf"req[-_][\w-]+|{_UUID}|[0-9a-fA-F]{{16,64}}")
_TRACE_ID = re.compile(r"([0-9a-f]{16,32})-([0-9a-f]{16})")
_NAMED_ID = re.compile(
    r"\b(?:x-)?(request|req|correlation|trace)[-_ ]?id[\"']?\s?[=:]\s?[\"']?"
    r"([\w.:/+-]{1,128})",
    re.IGNORECASE,
)
_PAIRS = re.compile(r"(?<!\S)([A-Za-z][\w.]*)=(\S+)")
_BRACKETED = re.compile(r"\[([^\]]*)\]")
_QUOTED_OR_BARE = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s)")
_TO_MS = {"ns": 1e-6, "us": 1e-3, "µs": 1e-3, "ms": 1.0, "s": 1e3}
#: Levels as klog, Redis, ASP.NET and PostgreSQL write them.
_LEVELS = {
    "I": "info",
    "W": "warning",
    "E": "error",
    "F": "fatal",
    "D": "debug",
    ".": "debug",
    "-": "debug",
    "*": "info",
    "#": "warning",
    "trce": "trace",
    "dbug": "debug",
    "fail": "error",
    "crit": "critical",
    "emerg": "emergency",
    "severe": "error",
    "log": "info",
    "fine": "debug",
    "config": "debug",
    "system": "info",
    "note": "info",
    "crash": "error",
    "supervisor": "error",
    "progress": "info",
}


class Entries:
    """
    Tells which lines are entries, and what those say that are text.

    Args:
        patterns: Patterns whose first group is a request's id; a line that one of them
            is found in is an entry.
        now: The clock, in seconds since the epoch: a time without a year is the last
            such time that is not after it.
    """

    def __init__(
        self,
        patterns: Sequence[re.Pattern[str]] = (),
        now: Callable[[], float] = time.time,
    ) -> None:
        self._patterns, self._now = patterns, now

        # A line is asked about more than once, one after the other.
        self._last: tuple[bytes, Sequence[dict[str, Any]]] = (b"", ())

    def begins(self, line: bytes) -> bool:
        """Return whether a line is an entry, not a part of the one above it."""
        return bool(self.read(line))

    def read(self, line: bytes) -> Sequence[dict[str, Any]]:
        """
        Return what a line that does not begin with `{` says; nothing if it is no entry.

        That is what a collector has written before it, and what the line itself says,
        as JSON or as text.
        """
        if line[:1] in _CONTINUATION:
            return ()
        if self._last[0] != line:
            self._last = line, self._read(line)
        return self._last[1]

    def _read(self, line: bytes) -> Sequence[dict[str, Any]]:
        found = None if not _may_have_prefix(line) else prefixed(line)
        if found is None:
            return self._own(line)
        inner: Sequence[dict[str, Any]] = ()
        if found.rest[:1] not in _CONTINUATION:
            inner = self._own(found.rest)
        if not inner:
            inner = self._free(found)
        around = self._around(found)
        return [_merged(around, one) for one in inner]

    def _own(self, line: bytes) -> Sequence[dict[str, Any]]:
        start = line.find(b"{", 0, _PREFIX)
        if start == 0:
            return objects(line)
        text = _text(line)
        members = self._text(text)
        is_entry = members is not None or (
            _WORDS.match(line, 0, start) and not _TRACE.match(text)
        )
        if start > 0 and is_entry:
            within = objects(line[start:])
            if within and members is not None:
                head = self._text(_text(line[:start])) or {}
                return [_merged(head, one) for one in within]
            if within:
                return within
        return () if members is None else (members,)

    def _free(self, found: Prefixed) -> Sequence[dict[str, Any]]:
        """Return what a line says that has the form of its collector only."""
        text = _text(found.rest)
        if not found.time or _TRACE.match(text):
            return ()
        members = {"message": text}
        self._identify(members, text)
        return (members,)

    def _around(self, found: Prefixed) -> dict[str, Any]:
        members: dict[str, Any] = {}
        if found.time:
            when = written(found.time, self._now())
            if when is not None:
                members["timestamp"] = when
        if found.level:
            members["level"] = found.level
        if found.service:
            members["service"] = found.service
        members.update(found.details)
        return members

    def _text(self, text: str) -> dict[str, Any] | None:
        """Return what a line of text says; None if it is no entry."""
        if logfmt.may_be(text):
            pairs = logfmt.pairs(text)
            if pairs is not None:
                return self._logfmt(pairs)
        for one in texts_from(text[:1]):
            match = one.form.fullmatch(text)
            if match is not None:
                members = self._matched(one, match)
                if members is not None:
                    self._identify(members, text)
                    return members
        for pattern in self._patterns:
            if pattern.search(text):
                members = {"message": text}
                self._identify(members, text)
                return members
        return None

    def _logfmt(self, pairs: dict[str, str]) -> dict[str, Any]:
        members: dict[str, Any] = dict(pairs)
        if pairs.get("at") in ("info", "error", "warning") and "level" not in pairs:
            members["level"] = members.pop("at")  # Heroku's router
        for name in ("service", "connect"):
            if "dyno" in pairs and name in pairs:
                members.pop(name)
                match = _DURATION.fullmatch(pairs[name])
                if match is None:
                    continue
                key = "duration_ms" if name == "service" else "connect_ms"
                members[key] = float(match[1]) * _TO_MS[match[2]]
        return members

    def _matched(self, one: TextFormat, match: re.Match[str]) -> dict[str, Any] | None:
        found = {
            name: value.strip()
            for name, value in match.groupdict().items()
            if value is not None and value not in ("", "-")
        }
        message = found.get("message", "")
        inner = one.inner.search(message) if one.inner is not None else None
        if inner is not None:
            found.update(
                {name: value for name, value in inner.groupdict().items() if value}
            )
        members: dict[str, Any] = {}
        if "time" in found:
            when = written(found.pop("time"), self._now())
            if when is None:
                return None
            members["timestamp"] = when
        if "level" in found:
            level = found.pop("level")
            members["level"] = _LEVELS.get(level, _LEVELS.get(level.lower(), level))
        for name, unit in (("ms", 1.0), ("us", 1e-3), ("s", 1e3)):
            if name in found:
                members["duration_ms"] = _number(found.pop(name), unit)
        took = _DURATION.fullmatch(found.pop("took", ""))
        if took is not None:
            members["duration_ms"] = _number(took[1], _TO_MS[took[2]])
        heads = found.pop("head", "") + found.pop("heads", "")
        rest = found.pop("rest", "")
        request = found.pop("request", "")
        if logfmt.may_be(found.get("message", "")):
            pairs = logfmt.pairs(found["message"])
            if pairs is not None:  # all of it, as lograge has it
                del found["message"]
                members.update(self._logfmt(pairs))
        members.update(found)
        if request:
            _openstack(members, request)
        if rest:
            _after_access(members, rest)
        if heads:
            _bracketed(members, heads)
            for name, value in _PAIRS.findall(heads):
                members.setdefault(name, value)
        if "message" not in members and "status" in members:
            line = (members.get("method"), members.get("path"), members["status"])
            members["message"] = " ".join(word for word in line if word)
        if one.begins and "duration_ms" in members and "timestamp" in members:
            taken: Any = members["duration_ms"]
            members["timestamp"] = _later(members["timestamp"], taken)
        return members

    def _identify(self, members: dict[str, Any], text: str) -> None:
        """Find the request's id, where the format has no place of its own for it."""
        for pattern in self._patterns:
            match = pattern.search(text)
            if match is not None and match[1]:
                members["request_id"] = match[1]
                return
        if "request_id" in members:
            return
        message = members.get("message", "")
        for found in _NAMED_ID.finditer(message[:4000]):
            kind = found[1].lower()
            name = "request_id" if kind == "req" else f"{kind}_id"
            members.setdefault(name, found[2])
        if "request_id" not in members:
            for inner in _BRACKETED.findall(message[:400]):
                word = inner.partition(" ")[0]
                if _ID_LIKE.fullmatch(word):
                    members["request_id"] = word
                    return


_CONTINUATION = frozenset({b"", *(bytes([one]) for one in _CONTINUED)})


def _may_have_prefix(line: bytes) -> bool:
    return line[0] not in b"\"'("


def _text(line: bytes) -> str:
    text = line.decode("utf-8", "replace").rstrip("\r\n")
    return _COLORS.sub("", text) if "\x1b" in text else text


#: What a collector says of a line, and the names under which the line says it itself.
_OF_COLLECTORS = {
    "timestamp": frozenset(map(plain, WORDS["time"])),
    "level": frozenset(map(plain, WORDS["level"])) - {"status"},
    "service": frozenset({*map(plain, WORDS["service"]), "resourceservicename"}),
}


def _merged(outer: dict[str, Any], inner: dict[str, Any]) -> dict[str, Any]:
    """Return what both say; the line knows better than its collector."""
    if not outer:
        return inner
    own = set(map(plain, inner))
    kept = {
        name: said
        for name, said in outer.items()
        if own.isdisjoint(_OF_COLLECTORS.get(name, ()))
    }
    return {**kept, **inner}


def _later(text: str, milliseconds: float) -> str:
    """Return when something ended that began then; as other lines have their times."""
    moment = seconds(text)
    return text if moment is None else iso(moment + milliseconds / 1000)


def _number(text: str, unit: float) -> float | None:
    try:
        return float(text) * unit
    except ValueError:
        return None


def _openstack(members: dict[str, Any], text: str) -> None:
    request, *others = text.split()
    if request != "-":
        members["request_id"] = request
    for name, value in zip(("user", "project"), others, strict=False):
        if value != "-":
            members[name] = value


def _bracketed(members: dict[str, Any], text: str) -> None:
    """Read what stands in brackets: a trace and a span, an id, a thread."""
    for inner in _BRACKETED.findall(text):
        inner = inner.strip()
        spans = _TRACE_ID.fullmatch(inner)
        words = [word.strip() for word in inner.split(",")]
        if spans is not None:
            members["trace_id"], members["span_id"] = spans.groups()
        elif len(words) == 3 and words[1]:  # Sleuth's: the application, trace, span
            members["service"] = members.get("service") or words[0]
            members["trace_id"], members["span_id"] = words[1:]
        elif inner.startswith("client "):
            members["client"] = inner[7:]
        elif _ID_LIKE.fullmatch(inner):
            members.setdefault("request_id", inner)
        elif inner:
            if "thread" in members:
                members.setdefault("service", members["thread"])
            members["thread"] = inner


def _after_access(members: dict[str, Any], text: str) -> None:
    """Read what an access log has after the size: referer, agent, an id, a time."""
    quoted = 0
    for in_quotes, bare in _QUOTED_OR_BARE.findall(
        text.replace("{", " ").replace("}", " ")
    ):
        word = in_quotes or bare
        if in_quotes or not bare:
            quoted += 1
            if quoted <= 2:
                if in_quotes not in ("", "-"):
                    members[("referer", "agent")[quoted - 1]] = in_quotes
                continue
        key, equals, value = word.partition("=")
        if equals and re.fullmatch(r"\w+", key):
            word = value.strip('"')
            if re.fullmatch(r"(?i)rt|request_?time|duration|took", key):
                members.setdefault("duration_ms", _number(word, 1e3))
                continue
            if re.search(r"(?i)id$", key) and word not in ("", "-"):
                members.setdefault("request_id", word)
            continue
        took = _DURATION.fullmatch(word)
        if took is not None:
            members.setdefault("duration_ms", _number(took[1], _TO_MS[took[2]]))
        elif re.fullmatch(r"\d+\.\d+", word):
            members.setdefault("duration_ms", _number(word, 1e3))
        elif _is_id(word):
            members.setdefault("request_id", word)


def _is_id(word: str) -> bool:
    if _ID_LIKE.fullmatch(word):
        return True
    return bool(
        re.fullmatch(r"(?=[^\d]*\d)[A-Za-z][\w-]*[-_][\w-]+", word) and len(word) >= 5
    )
