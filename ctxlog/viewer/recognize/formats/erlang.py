"""
Formats of the loggers of Erlang and Elixir.
"""

from __future__ import annotations

from ctxlog.viewer.recognize.formats._format import Format
from ctxlog.viewer.recognize.formats._text import TextFormat

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
TEXTS: tuple[TextFormat, ...] = ()
