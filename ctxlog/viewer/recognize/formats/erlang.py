"""
Formats of the loggers of Erlang and Elixir.
"""

from __future__ import annotations

from ctxlog.viewer.recognize.formats._format import Format
from ctxlog.viewer.recognize.formats._text import CLOCK, DAY, LEVEL, TextFormat

FORMATS = (
    Format(
        "LoggerJSON, Datadog",
        '{"message":"payment refused","request_id":"7f3a91c2",'
        '"syslog":{"hostname":"shop-1","severity":"error",'
        '"timestamp":"2026-01-31T12:00:00.123Z"},"logger":{"thread_name":"<0.1.0>"}}',
        known_by="message syslog",
        found={"time": "syslog.timestamp", "level": "syslog.severity"},
    ),
    Format(
        "LoggerJSON",
        '{"message":"payment refused","metadata":{"request_id":"7f3a91c2"},'
        '"severity":"error","time":"2026-01-31T12:00:00.123Z"}',
    ),
)

#: Of text.
TEXTS = (
    TextFormat(
        "Elixir (Logger, Phoenix)",
        "12:00:00.250 request_id=GAz3kPq2XbVv1aIAAAFh [error] Sent 500 in 41ms",
        rf"(?P<time>(?:{DAY}[T ])?{CLOCK}) (?P<head>(?:[\w.]+=\S+ )*)"
        rf"\[(?P<level>{LEVEL})\] (?P<message>.*)",
        first="0-9",
        needs="] ",
        within=r"^(?P<method>[A-Z]{3,17}) (?P<path>/\S*)$|"
        r"^(?:Sent|Chunked) (?P<status>\d{3}) in (?P<took>[\d.]+(?:[mµ]?s))$",
    ),
    TextFormat(
        "Erlang (reports)",
        "=ERROR REPORT==== 31-Jan-2026::12:00:00.250000 ===",
        rf"=(?P<message>(?P<level>[A-Z]+) REPORT)==== "
        rf"(?P<time>\d\d?-[A-Z][a-z]{{2}}-\d{{4}}::{CLOCK}) ===",
        first="=",
    ),
)
