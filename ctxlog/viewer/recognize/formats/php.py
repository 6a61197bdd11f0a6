"""
Formats of the loggers of PHP.
"""

from __future__ import annotations

from ctxlog.viewer.recognize.formats._format import Format
from ctxlog.viewer.recognize.formats._text import CLOCK, ISO, LEVEL, TextFormat

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

#: Of text.
TEXTS = (
    TextFormat(
        "Monolog, Laravel",
        "[2026-01-31T12:00:00.250000+00:00] production.ERROR: payment refused [] []",
        rf"\[(?P<time>{ISO})\] (?P<channel>[\w-]+)\.(?P<level>{LEVEL}): "
        r"(?P<message>.*)",
        first=r"\[",
    ),
    TextFormat(
        "PHP",
        "[31-Jan-2026 12:00:00 UTC] PHP Fatal error:  Allowed memory size exhausted",
        rf"\[(?P<time>\d\d-[A-Z][a-z]{{2}}-\d{{4}} {CLOCK}(?: [A-Z]{{3,5}})?)\] "
        r"(?:PHP )?(?P<level>(?i:fatal|notice|warning|error|alert))(?: error)?: +"
        r"(?P<message>.*)",
        first=r"\[",
    ),
)
