"""
Formats of text that many loggers share: a time, a level and a message.
"""

from __future__ import annotations

from ctxlog.viewer.recognize.formats._text import (
    CALLER,
    CLF_TIME,
    CLOCK,
    CTIME,
    ISO,
    LEVEL,
    TextFormat,
)

#: Of text.
TEXTS = (
    TextFormat(
        "a time and a level (Tomcat, Kafka, ZooKeeper, zap, RabbitMQ, MySQL, Quarkus)",
        "2026-01-31 12:00:00,250 ERROR [io.shop.Orders] (executor-1) payment refused",
        rf"\[?(?P<time>(?:{ISO}|"
        rf"\d\d[-/ ][A-Z][a-z]{{2}}[-/ ]\d{{4}}[: ]{CLOCK}(?: [+-]\d{{4}})?|"
        rf"{CLOCK}Z?))\]?"
        # a word begins with no dash, or a row of them is divided in all ways
        r"(?P<head>(?:[\s|:-]{1,9}(?:\[[^\]]{0,120}\]|\([^)]{0,120}\)|"
        r"[\w.@/=][\w.@/=-]{0,79}(?: {0,12}\[\d+\])?:?)){0,3}?)"
        rf"[\s|:-]{{0,9}}[\s|:\[(<-](?P<level>{LEVEL})(?![\w.])\s*[\])>]?[\s|:-]*"
        r"(?P<message>.*)",
        first=r"\[\d",
        is_weak=True,
    ),
    TextFormat(
        "a level and a time (Log4j, structlog)",
        "ERROR [2026-01-31 12:00:00,250] io.shop.Orders: payment refused",
        # Go's runtime writes `panic: ` before what was given to it
        rf"(?!panic: )[\[<]?(?P<level>{LEVEL})[\]>]?[:\s]\s*\[?(?P<time>{ISO})\]?"
        r"[\s:-]*(?P<message>.*)",
        first=r"\[<A-Za-z",
    ),
    TextFormat(
        "a time (Go's log, and others)",
        "2026/01/31 12:00:00 main.go:42: listening",
        rf"\[?(?P<time>{ISO})\]?(?=[\s:,])[\s:,-]*(?P<message>.*)",
        first=r"\[\d",
        is_weak=True,
    ),
    TextFormat(
        "a day without a year, and a level (slog, tint)",
        "Jan 31 12:00:00.250 ERR payment refused request_id=7f3a91c2",
        rf"(?P<time>[A-Z][a-z]{{2}} [ \d]\d {CLOCK}) (?P<level>{LEVEL}) "
        r"(?P<message>.*)",
        first="A-Z",
    ),
    TextFormat(
        "a time in brackets (CherryPy, PHP, the kernel)",
        "[Sat Jan 31 12:00:00 2026] usb 1-1: new high-speed device",
        rf"\[(?P<time>{CTIME}|{CLF_TIME}|\d\d-[A-Z][a-z]{{2}}-\d{{4}} {CLOCK}"
        r"(?: [A-Za-z/_-]{3,40})?)\] +(?P<message>\S.*)",
        first=r"\[",
    ),
    TextFormat(
        "a level in brackets (CoreDNS, Maven)",
        "[ERROR] plugin/errors: 2 shop.example. A: timeout",
        rf"\[(?P<level>{LEVEL})\]:? +(?P<message>\S.*)",
        first=r"\[",
    ),
    TextFormat(
        "a level in capitals (Django, colorlog, rich)",
        "ERROR    payment refused",
        r"(?P<level>DEBUG?|INFO|WARN(?:ING)?|ERROR?|CRITICAL|FATAL?) +"
        rf"(?P<message>\S.*?){CALLER}",
        first="DIWECF",
    ),
    TextFormat(
        "a level (winston, captains-log, java.util.logging)",
        "error: payment refused",
        r"(?P<level>error|warn|warning|notice|info|http|verbose|debug|silly|ERROR|"
        r"CRITICAL|WARN|WARNING|INFO|DEBUG|SEVERE|CONFIG|FINE|FINER|FINEST): +"
        r"(?P<message>\S.*)",
        first="ewnihvdsECWIDSF",
    ),
    TextFormat(
        "a name and a level (OCaml's Logs)",
        "shop: [ERROR] payment refused",
        rf"(?P<service>[A-Za-z][\w.-]*): \[(?P<level>{LEVEL})\] +(?P<message>\S.*)",
        first="A-Za-z",
    ),
)
