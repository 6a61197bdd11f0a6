"""
Formats of the loggers of PHP.
"""

from __future__ import annotations

from ctxlog.viewer.recognize.formats._format import Format

FORMATS = (
    Format(
        "Monolog",
        '{"message":"payment refused","context":{"order":"o-7"},"level":400,'
        '"level_name":"ERROR","channel":"shop",'
        '"datetime":"2026-01-31T12:00:00.123000+00:00",'
        '"extra":{"request_id":"7f3a91c2"}}',
    ),
    Format(
        "Monolog, information",
        '{"message":"order received","context":{},"level":200,"level_name":"INFO",'
        '"channel":"shop","datetime":"2026-01-31T12:00:00.123000+00:00",'
        '"extra":{"request_id":"7f3a91c2"}}',
    ),
    Format(
        "Laravel",
        '{"message":"payment refused","context":{"request_id":"7f3a91c2",'
        '"userId":"alice"},"level":400,"level_name":"ERROR","channel":"production",'
        '"datetime":"2026-01-31T12:00:00.123456+00:00","extra":{}}',
    ),
)
