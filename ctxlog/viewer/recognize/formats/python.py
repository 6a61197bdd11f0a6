"""
Formats of the loggers of Python.
"""

from __future__ import annotations

from ctxlog.viewer.recognize.formats._format import Format

FORMATS = (
    Format(
        "structlog",
        '{"request_id":"7f3a91c2","event":"payment refused","level":"error",'
        '"timestamp":"2026-01-31T12:00:00.123000Z"}',
    ),
    Format(
        "loguru",
        '{"text":"payment refused\\n","record":{"elapsed":{"repr":"0:00:01",'
        '"seconds":1.0},"exception":null,"extra":{"request_id":"7f3a91c2"},'
        '"level":{"icon":"x","name":"ERROR","no":40},"message":"payment refused",'
        '"name":"shop","time":{"repr":"2026-01-31 12:00:00.123000+00:00",'
        '"timestamp":1769860800.123}}}',
    ),
    Format(
        "python-json-logger",
        '{"asctime":"2026-01-31 12:00:00,123","levelname":"ERROR","name":"shop",'
        '"message":"payment refused","request_id":"7f3a91c2"}',
    ),
)
