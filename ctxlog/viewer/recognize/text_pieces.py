"""
What stands in brackets before a message, and behind a known part of an access log.
"""

from __future__ import annotations

import re
from typing import Any

UUID = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
ID_LIKE = re.compile(rf"req[-_][\w-]+|{UUID}|[0-9a-fA-F]{{16,64}}")
BRACKETED = re.compile(r"\[([^\[\]]*)\]")
DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s)")
TO_MS = {"ns": 1e-6, "us": 1e-3, "µs": 1e-3, "ms": 1.0, "s": 1e3}
_TRACE_ID = re.compile(r"([0-9a-f]{16,32})-([0-9a-f]{16})")
_NAMED = re.compile(r"([A-Za-z_][\w-]*)[=:](.*)", re.DOTALL)
#: Names of requests' ids, of which processes and users have none.
_OF_IDS = re.compile(
    r"(?i)(?:\w*[_-])?(?:r|req|request|correlation|corr|trace|unique)[_-]?id|id"
)
#: As Apache's mod_unique_id makes them.
_UNIQUE = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?:[\w@-]{24}|[\w@-]{27})")
_QUOTED_OR_BARE = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')


def milliseconds(text: str, unit: float) -> float | None:
    """Return a number of some unit, of so many milliseconds; None if it is none."""
    try:
        return float(text) * unit
    except ValueError:
        return None


def openstack(members: dict[str, Any], text: str) -> None:
    """Read OpenStack's request, user and project into members."""
    words = text.split()
    if len(words) > 1 and words[1].startswith("req-"):
        del words[0]  # `None`, or the id of the request that this one is part of
    request, *others = words
    if request not in ("-", "None"):
        members["request_id"] = request
    for name, value in zip(("user", "project"), others, strict=False):
        if value != "-":
            members[name] = value


def bracketed(members: dict[str, Any], text: str) -> None:
    """Read what is in brackets into members: a trace and a span, an id, a thread."""
    for inner in BRACKETED.findall(text):
        inner = inner.strip()
        spans = _TRACE_ID.fullmatch(inner)
        words = [word.strip() for word in inner.split(",")]
        if spans is not None:
            members["trace_id"], members["span_id"] = spans.groups()
        elif len(words) in (3, 4) and words[1]:  # Sleuth's: application, trace, span
            members["service"] = members.get("service") or words[0]
            members["trace_id"], members["span_id"] = words[1:3]
        elif inner.startswith("client "):
            members["client"] = inner[7:]
        elif ID_LIKE.fullmatch(inner):
            members.setdefault("request_id", inner)
        elif inner:
            if "thread" in members:
                members.setdefault("service", members["thread"])
            members["thread"] = inner


def after_access(members: dict[str, Any], text: str) -> None:
    """Read what follows the size into members: referer, agent, an id, a time."""
    quoted = 0
    if text.startswith("{"):  # the headers that HAProxy has captured
        text = text.replace("|", " ")
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
        named = None if in_quotes else _NAMED.fullmatch(word)
        if named is not None:
            key, word = named[1], named[2].strip('"')
            if re.fullmatch(r"(?i)rt|(?:request|response)_?time|duration|took", key):
                members.setdefault("duration_ms", milliseconds(word, 1e3))
            elif _OF_IDS.fullmatch(key) and word not in ("", "-"):
                members.setdefault("request_id", word)
            continue
        if ID_LIKE.fullmatch(word.strip("[]")):
            word = word.strip("[]")
        took = DURATION.fullmatch(word)
        if took is not None:
            members.setdefault("duration_ms", milliseconds(took[1], TO_MS[took[2]]))
        elif re.fullmatch(r"\d+\.\d+", word):
            members.setdefault("duration_ms", milliseconds(word, 1e3))
        elif _is_id(word):
            members.setdefault("request_id", word)


def _is_id(word: str) -> bool:
    if ID_LIKE.fullmatch(word) or _UNIQUE.fullmatch(word):
        return True
    return bool(
        re.fullmatch(r"(?=[^\d]*\d)[A-Za-z][\w-]*[-_][\w-]+", word) and len(word) >= 5
    )
