"""
Formats of the loggers of PHP.
"""

from __future__ import annotations

from ctxlog.viewer.recognize.formats._format import Format
from ctxlog.viewer.recognize.formats._text import (
    CLF_TIME,
    CLOCK,
    CTIME,
    ISO,
    LEVEL,
    REQUEST,
    TextFormat,
)

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
        rf"\[(?P<time>\d\d-[A-Z][a-z]{{2}}-\d{{4}} {CLOCK}(?: [A-Za-z/_-]{{3,40}})?)\] "
        r"(?:PHP )?(?:(?i:recoverable|catchable) )?(?P<level>(?i:fatal|parse|notice|"
        r"warning|deprecated|error|alert|debug))(?: error)?: +(?P<message>.*)",
        first=r"\[",
    ),
    TextFormat(
        "PHP-FPM (access)",
        '10.0.0.7 -  31/Jan/2026:12:00:00 +0000 "GET /index.php" 500',
        rf"(?P<client>[\w.:]+) - (?P<user>\S*) (?P<time>{CLF_TIME}) {REQUEST} "
        r"(?P<status>\d{3})(?: .*)?",
        first=r"\w:",
        needs=" - ",
    ),
    TextFormat(
        "PHP (development server)",
        "[Sat Jan 31 12:00:00 2026] 127.0.0.1:51034 [500]: GET /orders/7",
        rf"\[(?P<time>{CTIME})\] (?P<client>\S+) \[(?P<status>\d{{3}})\]: "
        r"(?P<method>[A-Z]+) (?P<path>\S+).*",
        first=r"\[",
    ),
    TextFormat(
        "Symfony (command line)",
        '[Web Server ] Jan 31 12:00:00 |INFO   | SERVER GET  (500) /orders/7 ip="::1"',
        rf"\[(?P<service>[A-Z][\w /-]*)\] (?P<time>[A-Z][a-z]{{2}} [ \d]\d {CLOCK}) "
        r"\|(?P<level>[A-Z]+) *\| (?P<message>.*)",
        first=r"\[",
        within=r"^SERVER (?P<method>[A-Z]+) +\((?P<status>\d{3})\) (?P<path>\S+)",
    ),
)
