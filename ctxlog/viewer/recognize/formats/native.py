"""
Formats of the loggers of Rust, C++, Haskell and OCaml, and of telephones.
"""

from __future__ import annotations

from ctxlog.viewer.recognize.formats._text import CLOCK, DAY, ISO, LEVEL, TextFormat

#: Of text.
TEXTS = (
    TextFormat(
        "fern",
        "[2026-01-31][12:00:00][shop::orders][ERROR] payment refused",
        rf"\[(?P<time>{DAY}\]\[{CLOCK})\]\[(?P<logger>[^\]]*)\]"
        rf"\[(?P<level>{LEVEL})\] (?P<message>.*)",
        first=r"\[",
    ),
    TextFormat(
        "loguru (C++)",
        "2026-01-31 12:00:00.250 (   0.041s) [main thread     ]      orders.cpp:42     "
        "ERR| payment refused",
        rf"(?P<time>{ISO}) \( *[\d.]+s\) \[(?P<thread>[^\]]*)\] *(?P<caller>\S+:\d+) +"
        r"(?P<level>\w+)\| (?P<message>.*)",
        first="0-9",
        needs="s) [",
    ),
    TextFormat(
        "Chromium, Electron",
        "[7:8:0131/120000.250123:ERROR:orders.cc(42)] payment refused",
        r"\[(?:(?P<pid>\d+):(?P<thread>\d+):)?(?P<time>\d{4}/\d{6}\.\d{3,6}):"
        rf"(?P<level>{LEVEL})\d?:(?P<caller>[^\]]+)\] (?P<message>.*)",
        first=r"\[",
    ),
    TextFormat(
        "quill",
        "12:00:00.250123 [7] orders.cpp:42     LOG_ERROR     root     payment refused",
        rf"(?P<time>{CLOCK}) \[(?P<thread>\d+)\] (?P<caller>\S+:\d+) +"
        r"LOG_(?P<level>[A-Z]+)(?![A-Z])\S* +(?P<logger>\S+) +(?P<message>.*)",
        first="0-9",
        needs=" LOG_",
    ),
    TextFormat(
        "katip",
        "[2026-01-31 12:00:00][shop.orders][Error][host][PID 7][ThreadId 7]"
        "[request_id:7f3a91c2][main:Shop Orders.hs:42:5] payment refused",
        rf"\[(?P<time>{ISO})\]\[(?P<logger>[^\]]*)\]\[(?P<level>{LEVEL})\]"
        r"\[(?P<host>[^\]]*)\]\[PID (?P<pid>\d+)\]\[ThreadId (?P<thread>\d+)\]"
        r"(?P<tags>(?:\[[^\]]*\])*) (?P<message>.*)",
        first=r"\[",
        needs="][PID ",
    ),
    TextFormat(
        "Dream",
        "31.01.26 12:00:00.250       dream.logger  INFO REQ 1 GET /orders/7 10.0.0.7",
        rf"(?P<time>\d\d\.\d\d\.\d\d {CLOCK}) +(?P<logger>[\w.]+) +(?P<level>{LEVEL}) "
        r"(?:REQ (?P<number>\d+) )?(?P<message>.*)",
        first="0-9",
        within=r"^(?P<method>[A-Z]{3,7}) (?P<path>/\S*) |"
        r"^(?P<status>\d{3}) in (?P<us>\d+) μs$",
    ),
    TextFormat(
        "Android (logcat)",
        "01-31 12:00:00.250  1234  5678 E Orders  : payment refused",
        rf"(?P<time>(?:\d{{4}}-)?\d\d-\d\d {CLOCK}(?: [+-]\d{{4}})?|\d{{10}}\.\d{{3}})"
        r" +(?P<pid>\d+) +(?P<thread>\d+) (?P<level>[VDIWEFA]) (?P<logger>[^:]*): "
        r"(?P<message>.*)",
        first="0-9",
    ),
    TextFormat(
        "Android (logcat, brief)",
        "E/Orders  ( 1234): payment refused",
        rf"(?:(?P<time>\d\d-\d\d {CLOCK}) )?(?P<level>[VDIWEFA])/(?P<logger>[^(]*)"
        r"\( *(?P<pid>\d+)\): (?P<message>.*)",
        first="VDIWEFA0-9",
        needs="): ",
    ),
    TextFormat(
        "Android Studio",
        "2026-01-31 12:00:00.250  1234-5678  Orders    com.shop    E  payment refused",
        rf"(?P<time>{DAY} {CLOCK}) +(?P<pid>\d+)-(?P<thread>\d+) +(?P<logger>\S+) +"
        r"(?P<application>\S+) +(?P<level>[VDIWEFA]) +(?P<message>.*)",
        first="0-9",
    ),
)
