"""
What collectors write before a line: which service it is of, and when it came.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ctxlog.viewer.recognize.formats._text import LEVEL

_ISO = rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)"
_COLOR = rb"(?:\x1b\[[0-9;]{0,20}m){0,6}"
_FORMS = (
    # journalctl -o json-seq, -o json-sse
    re.compile(rb"(?:\x1e|data: )(?=\{)"),
    # docker compose logs
    re.compile(
        _COLOR
        + rb"(?P<service>[A-Za-z0-9][\w.-]{0,127}) {0,128}\|"
        + _COLOR
        + rb" ?"
        + _COLOR
    ),
    # kubectl logs --prefix
    re.compile(rb"\[pod/(?P<service>[\w.-]{1,255}/[\w.-]{1,63})\] "),
    # Heroku
    re.compile(
        _COLOR
        + rb"(?P<time>"
        + _ISO
        + rb") (?:app|heroku|[a-z][\w-]{0,30})\[(?P<service>[\w.-]{1,64})\]:"
        + _COLOR
        + rb" ?"
    ),
    # Fly.io
    re.compile(
        rb"(?P<time>"
        + _ISO
        + rb") (?:app|proxy|runner|health)\[(?P<service>\w{1,64})\] [a-z]{3} "
        rb"\[(?P<level>[a-z]{4,8})\] ?"
    ),
    # a runtime of the Container Runtime Interface
    re.compile(rb"(?P<time>" + _ISO + rb") (?:stdout|stderr) [PF](?::\S*)? "),
    # aws logs tail: a stream of Lambda's, or of a container
    re.compile(
        rb"(?P<time>" + _ISO + rb") (?P<stream>\d{4}/\d\d/\d\d/\[[^\]\s]*\]\w+|"
        rb"(?P<service>[\w.-]{1,64}/[\w.-]{1,64})/[0-9a-f-]{32,36}) "
    ),
    # sam logs
    re.compile(
        rb"(?P<stream>\d{4}/\d\d/\d\d/\[[^\]\s]*\]\w+) "
        rb"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?) "
    ),
    # Cloud Foundry
    re.compile(
        rb"(?P<time>" + _ISO + rb") \[(?P<service>[A-Z][\w/-]{0,99})\] "
        rb"(?P<stream>OUT|ERR) (?:\S+ - (?=\[))?"
    ),
    # logcli
    re.compile(
        rb"(?P<time>" + _ISO + rb") \{(?:(?:service_name|app|job)="
        rb'"(?P<service>[^"]*)"|[A-Za-z_]\w*="(?:[^"\\]|\\.)*"|, )*\} '
    ),
    # syslog, RFC 3164, which some send without the host, and journalctl, also with
    # -o short-iso, short-full, short-unix and short-monotonic
    re.compile(
        rb"(?:<(?P<priority>\d{1,3})>)?(?P<time>[A-Z][a-z]{2} [ \d]\d "
        rb"\d\d:\d\d:\d\d(?:\.\d{1,9})?|(?:[A-Z][a-z]{2} )?\d{4}-\d\d-\d\d "
        rb"\d\d:\d\d:\d\d(?:\.\d{1,9})? [A-Z]{3,5}|\d{10}\.\d{6}|\[ *\d+\.\d{6}\]|"
        + _ISO
        + rb") "
        rb"(?!"
        + LEVEL.encode()
        + rb" )(?:(?P<host>[\w.:-]{1,255}) |(?=[\w-]+\[\d+\]:))"
        rb"(?P<service>[\w./@:+-]{1,128}?)(?:\[(?P<pid>\d+)\])?:(?=[\s{]|$) ?"
    ),
    # syslog, RFC 5424
    re.compile(
        rb"(?:\d{1,6} )?<(?P<priority>\d{1,3})>1 (?P<time>"
        + _ISO
        + rb"|-) (?P<host>\S{1,255}) "
        rb"(?P<service>\S{1,48}) (?P<pid>\S{1,128}) \S{1,32}"
        # which Heroku leaves out
        rb'(?: (?:-(?=[ \n]|$)|(?P<said>(?:\[[^\s\]="]+'
        rb'(?: [^\s\]="]+="(?:[^"\\]|\\.)*")+\])+)))?'
        rb"(?: (?:\xef\xbb\xbf)?|$)"
    ),
)
#: stern: a pod and a container, which may be any two words.
_STERN = re.compile(
    _COLOR
    + rb"(?:(?P<namespace>[a-z0-9][a-z0-9-]{0,62}) (?=\S+ \S+ (?:[{\[\d]|\w+=)))?"
    + _COLOR
    + rb"(?P<pod>[a-z0-9][a-z0-9.-]{0,250}-[a-z0-9]{1,10})"
    + _COLOR
    + rb" "
    + _COLOR
    + rb"(?P<container>[a-z0-9][a-z0-9-]{0,62})"
    + _COLOR
    + rb" "
    + _COLOR
)
# kubectl --timestamps, docker compose --timestamps
_STAMP = re.compile(rb"(" + _ISO + rb") (?=\{)")


class Prefixed(NamedTuple):
    """
    A line behind what its collector has written.

    Attributes:
        service: Which service wrote it; empty if that is not said.
        time: When it came, as the collector writes it; empty if that is not said.
        rest: The service's own line.
        level: The level that a priority of syslog's says; empty if there is none.
        details: What else the prefix says.
    """

    service: str
    time: str
    rest: bytes
    level: str = ""
    details: tuple[tuple[str, str], ...] = ()


_DETAILS = ("host", "pid", "stream")
#: The structured data of RFC 5424.
_SAID = re.compile(r' ([^\s\]="]+)="((?:[^"\\]|\\.)*)"')
#: The levels of syslog's priorities.
PRIORITIES = "emergency alert critical error warning notice info debug".split()


def prefixed(line: bytes) -> Prefixed | None:
    """Return a line behind a collector's prefix; None if it has none."""
    for form in _FORMS:
        match = form.match(line)
        if match is not None:
            return _read(match, line)
    match = _STERN.match(line)
    if match is not None and any(digit in match["pod"] for digit in b"0123456789"):
        service = match["pod"] + b"/" + match["container"]
        return _stamped(Prefixed(service.decode(), "", line[match.end() :]))
    return None


def _read(match: re.Match[bytes], line: bytes) -> Prefixed:
    found = {
        name: value.decode("utf-8", "replace")
        for name, value in match.groupdict().items()
        if value not in (None, b"-")
    }
    level = found.get("level", "")
    if "priority" in found:
        level = PRIORITIES[int(found["priority"]) & 7]
    details = tuple((name, found[name]) for name in _DETAILS if name in found)
    for name, value in _SAID.findall(found.get("said", "")):
        if name not in found:
            details += ((name, re.sub(r"\\(.)", r"\1", value)),)
    rest = line[match.end() :]
    service, time = found.get("service", ""), found.get("time", "")
    return _stamped(Prefixed(service, time, rest, level, details))


def _stamped(found: Prefixed) -> Prefixed:
    match = None if found.time else _STAMP.match(found.rest)
    if match is None:
        return found
    return found._replace(time=match[1].decode(), rest=found.rest[match.end() :])
