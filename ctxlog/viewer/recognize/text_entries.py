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
from ctxlog.viewer.recognize.scales import iso, level_number, seconds
from ctxlog.viewer.recognize.text_pieces import (
    BRACKETED,
    DURATION,
    ID_LIKE,
    TO_MS,
    after_access,
    bracketed,
    milliseconds,
    openstack,
)
from ctxlog.viewer.recognize.text_prefixes import PRIORITIES, Prefixed, prefixed
from ctxlog.viewer.recognize.text_times import written

#: About what is read at once.
_MOST_KNOWN, _MOST_BYTES = 8192, 1 << 20
#: Where JSON begins that stands behind something else.
_PREFIX = 400
#: An entry that is indented, as Rust's and HashiCorp's are for people, those of Cloud
#: Foundry, and rich's of the same second as the one before.
_INDENTED = re.compile(
    rb" {11,24}(?:DEBUG|INFO|WARNING|ERROR|CRITICAL) {1,8}\S.* [\w.-]+:\d+\s*$|"
    rb" {1,8}\x1b?[^ \x1b]{0,4}\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,9}Z\S{0,8} +"
    rb"(?:\x1b\[[0-9;]*m)*\[? ?(?:TRACE|DEBUG|INFO|WARN|ERROR)\b|"
    rb" (?:INFO|WARN) [\w:]+(?:\{[^}]*\}|:) ?|"
    rb" {3}\d{4}-\d\d-\d\dT[\d:.]{8,18}[+-]\d{4} \[[A-Z][\w/-]{0,99}\] (?:OUT|ERR) "
)
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
#: What docker logs --timestamps and others write before a line that is an entry by
#: itself: one with a time, a level or pairs of its own, or of an access log.
_STAMP = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)) "
    r"(?=[\[<\d]|[A-Za-z_@.]{1,30}=|[A-Z]{4,8}:|[A-Z], \[|[IWEF]\d{4} |[A-Z]{3,7} /|"
    r"[\w:.]{3,40} \S{1,40} \S{1,40} \[)"
)
#: How precise their times are before each line of a traceback.
_STAMPED_TRACE = re.compile(r"\d{4}-\d\d-\d\dT[\d:]{8}\.\d{6,9}Z (.*)", re.DOTALL)
#: A level before a message, with nothing between them that tells.
_SHOUTED = re.compile(
    r"\[?(TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL)\b\]?:?\s+(\S.*)",
    re.DOTALL,
)
#: The line of an access log within another one.
_ACCESS = re.compile(r'"([A-Z]{3,17}) (\S+)(?: (?:HTTP/)?[\d.]+)?" ([1-5]\d\d)\b')
_NAMED_ID = re.compile(
    r"\b(?:x-)?(request|req|correlation|trace|unique(?=_id \"))[-_ ]?id"
    r"(?:[\"']?\s?[=:]\s?[\"']?| \")"
    r"([\w.:/+-]{1,128})(?![\w.:/+=-])",
    re.IGNORECASE,
)
#: In milliseconds.
_YEAR = 366 * 86_400_000
_PAIRS = re.compile(r"(?<!\S)([A-Za-z][\w.]*)=(\S+)")
_TAGS = re.compile(r"([A-Za-z][\w.]*)[=:]\s?([^\s,{}\]]+)")
#: Levels as klog, Redis, ASP.NET and PostgreSQL write them.
_LEVELS = {
    **{f"<{number}>": name for number, name in enumerate(PRIORITIES)},
    "T": "trace",
    "I": "info",
    "W": "warning",
    "E": "error",
    "F": "fatal",
    "D": "debug",
    "V": "verbose",
    "N": "notice",
    "C": "critical",
    "A": "alert",
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
    "task timed out": "error",
    "failed": "error",
    "parse": "error",
    "deprecated": "warning",
    "critica": "critical",
    "emergen": "emergency",
    "timeout": "error",
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
        # A line is asked about more than once: whether it is an entry, what it says.
        self._known: dict[bytes, Sequence[dict[str, Any]]] = {}
        self._before, self._size = self._known, 0

    def begins(self, line: bytes) -> bool:
        """Return whether a line is an entry, not a part of the one above it."""
        return bool(self.read(line))

    def read(self, line: bytes) -> Sequence[dict[str, Any]]:
        """
        Return what a line that does not begin with `{` says; nothing if it is no entry.

        That is what a collector has written before it, and what the line itself says,
        as JSON or as text.
        """
        if line[:1] in _CONTINUATION and not _INDENTED.match(line):
            return ()
        found = self._known.get(line)
        if found is None:
            found = self._before.get(line)
        if found is None:
            if len(self._known) >= _MOST_KNOWN or self._size >= _MOST_BYTES:
                self._before, self._known, self._size = self._known, {}, 0
            found = self._known[line] = self._read(line)
            self._size += len(line)
        return found

    def wrapped(self, line: bytes) -> Sequence[dict[str, Any]]:
        """
        Return what a text says that is wrapped in JSON.

        Of one that is no entry by itself that is its message and its id; nothing if it
        names no id.
        """
        found = self.read(line)
        if found:
            return found
        members: dict[str, Any] = {"message": _text(line)}
        self._identify(members, members["message"])
        return (members,) if len(members) > 1 else ()

    def _read(self, line: bytes) -> Sequence[dict[str, Any]]:
        line = line.lstrip(b" ")
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
            return objects(line, self.wrapped)
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
        shouted = _SHOUTED.match(text)
        if shouted is not None:
            members["level"], members["message"] = shouted.groups()
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
        elif "\t" in text and (labeled := logfmt.labeled(text)) is not None:
            return labeled
        for one in texts_from(text[:1]):
            match = one.form.fullmatch(text) if one.needs in text else None
            if match is not None:
                if one.is_weak and (stamp := _STAMP.match(text)) is not None:
                    inner = self._text(text[stamp.end() :])
                    if inner is not None:
                        return _merged({"timestamp": stamp[1]}, inner)
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
        if level_number(pairs.get("at")) and "level" not in pairs:
            members["level"] = members.pop("at")  # of Heroku's router, Logfmter
        for name in ("service", "connect"):
            if "dyno" in pairs and name in pairs:
                members.pop(name)
                match = DURATION.fullmatch(pairs[name])
                if match is None:
                    continue
                key = "duration_ms" if name == "service" else "connect_ms"
                members[key] = float(match[1]) * TO_MS[match[2]]
        return members

    def _matched(self, one: TextFormat, match: re.Match[str]) -> dict[str, Any] | None:
        found = {
            name: value.strip()
            for name, value in match.groupdict().items()
            if value and (value != "-" or name == "level")
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
        if "csv" in found:
            found["message"] = found.pop("csv").replace('""', '"')
        for name, unit in (("ms", 1.0), ("us", 1e-3), ("s", 1e3)):
            if name in found:
                members["duration_ms"] = milliseconds(found.pop(name), unit)
        took = DURATION.fullmatch(found.pop("took", ""))
        if took is not None:
            members["duration_ms"] = milliseconds(took[1], TO_MS[took[2]])
        heads = found.pop("head", "") + found.pop("heads", "")
        rest = found.pop("rest", "")
        request = found.pop("request", "")
        if "tags" in found:
            for name, value in _TAGS.findall(found.pop("tags")):
                members.setdefault(name, value)
        if logfmt.may_be(found.get("message", "")):
            pairs = logfmt.pairs(found["message"])
            if pairs is not None:  # all of it, as lograge has it
                del found["message"]
                members.update(self._logfmt(pairs))
        members.update(found)
        if request:
            openstack(members, request)
        if rest:
            after_access(members, rest)
        if heads:
            bracketed(members, heads)
            for name, value in _PAIRS.findall(heads):
                members.setdefault(name, value)
            for word in heads.split():  # not a number of digits only, as threads have
                if "-" in word and ID_LIKE.fullmatch(word):
                    members.setdefault("request_id", word)
        message = members.get("message", "")
        if '" ' in message and "status" not in members:
            access = _ACCESS.search(message)
            if access is not None:
                asked = zip(("method", "path", "status"), access.groups(), strict=True)
                members.update(asked)
        if "message" not in members and "status" in members:
            line = (members.get("method"), members.get("path"), members["status"])
            members["message"] = " ".join(word for word in line if word)
        taken: Any = members.get("duration_ms")
        if taken is None:  # or no number
            members.pop("duration_ms", None)
        elif one.begins and "timestamp" in members:
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
            name = "request_id" if kind in ("req", "unique") else f"{kind}_id"
            members.setdefault(name, found[2])
        if "request_id" not in members:
            for inner in BRACKETED.findall(message[:400]):
                word = inner.removeprefix("None ").partition(" ")[0]
                if ID_LIKE.fullmatch(word):
                    members["request_id"] = word
                    return


_CONTINUATION = frozenset({b"", *(bytes([one]) for one in _CONTINUED)})


def _may_have_prefix(line: bytes) -> bool:
    return line[0] not in b"\"'("


def _text(line: bytes) -> str:
    text = line.decode("utf-8", "replace").rstrip("\r\n")
    return _COLORS.sub("", text).lstrip(" ") if "\x1b" in text else text


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


def _later(text: str, taken: float) -> str:
    """Return when something ended that began then; as other lines have their times."""
    moment = seconds(text)
    # a digit too many makes it thousands of years
    return text if moment is None or taken > _YEAR else iso(moment + taken / 1000)
