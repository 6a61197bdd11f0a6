"""
Lines of logfmt: `level=info msg="order placed" request_id=r1`, and of LTSV.
"""

from __future__ import annotations

import re

_PAIR = re.compile(
    r'([A-Za-z_@][\w.@/\-]{0,99})=("(?:[^"\\]|\\.)*"|\'[^\']*\'|[^\s"]*|'
    # an object, as lograge has parameters, with one more within it
    r'\{(?:[^{}"]|"(?:[^"\\]|\\.)*"|\{(?:[^{}"]|"(?:[^"\\]|\\.)*")*\})*\})(?=\s|$)'
)
_BARE = re.compile(r"[\w.@/\-]+(?=\s|$)")
_SPACE = re.compile(r"\s*")
#: Keys that a line of logfmt begins with.
_FIRST = frozenset("time ts t timestamp @timestamp level lvl msg message at".split())
#: Keys of which a line of logfmt has two.
_KNOWN = _FIRST | frozenset(
    "severity caller logger event "
    "err error method path status service duration app source "
    "request_id requestid req_id trace_id traceid host fwd dyno component user".split()
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_LIKELY = re.compile(r"[A-Za-z_@][\w.@/\-]{0,99}=")


_LABELED = re.compile(r"([A-Za-z_][\w.-]{0,63}):([^\t]*)")


def labeled(text: str) -> dict[str, str] | None:
    """Return what a line of LTSV says, `method:GET<Tab>status:500`; else None."""
    pieces = text.split("\t")
    if len(pieces) < 3:
        return None
    pairs = [_LABELED.fullmatch(piece) for piece in pieces]
    if None in pairs:
        return None
    return {pair[1]: pair[2].strip("[]") for pair in pairs if pair and pair[2] != "-"}


def may_be(text: str) -> bool:
    """Return whether a line may be logfmt, quickly."""
    return _LIKELY.match(text) is not None


def pairs(text: str) -> dict[str, str] | None:
    """
    Return what a line of logfmt says; None if it is none.

    Every word of it is a pair or a bare key, the first one is a pair, and two keys are
    those of a log line.
    """
    found: dict[str, str] = {}
    at, end = 0, len(text)
    while at < end:
        match = _PAIR.match(text, at)
        if match is not None:
            key, value = match.groups()
            found.setdefault(key, _unquoted(value))
        else:
            match = _BARE.match(text, at)
            if match is None or not found:
                return None
        space = _SPACE.match(text, match.end())
        at = space.end() if space is not None else end
    known = [key for key in found if key.lower() in _KNOWN]
    if len(known) >= 2 or (known and known[0] == next(iter(found)) in _FIRST):
        if "t" in found:  # the time, as Grafana writes it
            found.setdefault("timestamp", found.pop("t"))
        return found
    return None


def _unquoted(value: str) -> str:
    if value[:1] not in ("'", '"') or len(value) < 2:  # lograge has errors in the first
        return value
    inner = value[1:-1]
    if "\\" not in inner:
        return inner
    return re.sub(r"\\(.)", lambda one: _ESCAPES.get(one[1], one[1]), inner)
