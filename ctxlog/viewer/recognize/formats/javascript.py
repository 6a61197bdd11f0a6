"""
Formats of the loggers of JavaScript.
"""

from __future__ import annotations

from ctxlog.viewer.recognize.formats._format import Format
from ctxlog.viewer.recognize.formats._text import CLOCK, ISO, LEVEL, TextFormat

FORMATS = (
    Format(
        "winston",
        '{"level":"error","message":"payment refused","requestId":"7f3a91c2",'
        '"service":"shop","timestamp":"2026-01-31T12:00:00.123Z"}',
    ),
    Format(
        "winston, npm levels",
        '{"level":"silly","message":"order received","requestId":"7f3a91c2",'
        '"timestamp":"2026-01-31T12:00:00.123Z"}',
    ),
    Format(
        "pino",
        '{"level":50,"time":1769860800123,"pid":71,"hostname":"shop-1",'
        '"reqId":"7f3a91c2","msg":"payment refused"}',
        known_by="level time pid hostname",
        unit=0.001,
    ),
    Format(
        "pino-http",
        '{"level":50,"time":1769860800123,"pid":71,"hostname":"shop-1",'
        '"req":{"id":"7f3a91c2","method":"POST","url":"/orders",'
        '"headers":{"host":"shop"},"remoteAddress":"10.0.0.9"},'
        '"res":{"statusCode":503,"headers":{}},"responseTime":41,'
        '"msg":"request errored"}',
    ),
    Format(
        "Bunyan",
        '{"name":"shop","hostname":"shop-1","pid":71,"level":50,"req_id":"7f3a91c2",'
        '"msg":"payment refused","time":"2026-01-31T12:00:00.123Z","v":0}',
    ),
    Format(
        "tslog",
        '{"0":"payment refused","requestId":"7f3a91c2","_meta":{"runtime":"Nodejs",'
        '"hostname":"shop-1","date":"2026-01-31T12:00:00.123Z","logLevelId":5,'
        '"logLevelName":"ERROR","path":{"fileName":"payments.ts","fileLine":"9"}}}',
        known_by="_meta",
        found={
            # beside the message, as those who write it do
            "id": "_meta.requestId requestId 1.requestId 1.request_id 1.reqId",
            "time": "_meta.date",
            "level": "_meta.logLevelName",
            "message": "0 0.message",
            "traceback": "1.stack 0.stack",
        },
    ),
    Format(
        "tslog 3",
        '{"hostname":"shop-1","requestId":"7f3a91c2","date":"2026-01-31T12:00:00.123Z",'
        '"logLevel":"error","logLevelId":5,"filePath":"payments.ts","lineNumber":9,'
        '"argumentsArray":["payment refused"]}',
        known_by="logLevel argumentsArray",
        found={"level": "logLevel", "message": "argumentsArray"},
    ),
    Format(
        "Roarr",
        '{"context":{"package":"shop","logLevel":50,"requestId":"7f3a91c2"},'
        '"message":"payment refused","sequence":"0","time":1769860800123,'
        '"version":"2.0.0"}',
        known_by="context message sequence version",
        found={"level": "context.logLevel"},
    ),
    Format(
        "log4js",
        '{"startTime":"2026-01-31T12:00:00.123Z","categoryName":"shop",'
        '"data":["payment refused"],"level":{"level":40000,"levelStr":"ERROR",'
        '"colour":"red"},"context":{"requestId":"7f3a91c2"},"pid":71}',
        known_by="startTime categoryName data",
        found={"message": "data"},
    ),
    Format(
        "NestJS",
        '{"level":"error","pid":71,"timestamp":1769860800123,"message":'
        '"payment refused","context":"Payments","requestId":"7f3a91c2"}',
    ),
)

#: Of text.
TEXTS = (
    TextFormat(
        "morgan (dev)",
        "GET /orders/7 500 12.345 ms - 42",
        r"(?P<method>GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) (?P<path>/\S*) "
        r"(?P<status>\d{3}) (?P<ms>[\d.]+) ms - (?P<size>\d+|-)",
        first="GHPDO",
    ),
    TextFormat(
        "morgan (tiny, short)",
        "10.0.0.7 - GET /orders/7 HTTP/1.1 500 42 - 12.345 ms",
        r"(?:(?P<client>\S+) (?P<user>\S+) )?(?P<method>[A-Z]{3,17}) (?P<path>/\S*)"
        r"(?: HTTP/[\d.]+)? (?P<status>\d{3}|-) (?P<size>\d+|-) - (?P<ms>[\d.]+|-) ms",
        first=r"\w:-",
        needs=" ms",
    ),
    TextFormat(
        "pino-pretty",
        "[12:00:00.250] ERROR (shop/71 on shop-1): payment refused",
        rf"\[(?P<time>{ISO}|{CLOCK}|\d{{13}})\] (?P<level>{LEVEL}) "
        r"\((?:(?P<service>[\w.@/-]+)/)?(?P<pid>\d+)(?: on (?P<host>\S+))?\): ?"
        r"(?P<message>.*)",
        first=r"\[",
    ),
    TextFormat(
        "Bunyan (text)",
        "[2026-01-31T12:00:00.250Z] ERROR: shop/71 on shop-1 (/app/a.js:7 in place): "
        "payment refused (req_id=7f3a91c2, order=7)",
        r"(?=\[[^\]]+\] +\w+: [^\s/:]+/\d+ on |\d\d:\d\d:\d\d\.\d+Z )"
        rf"\[?(?P<time>{ISO}|{CLOCK}Z)\]? +(?P<level>{LEVEL}):? "
        r"(?P<service>[^\s/:]+)(?:/(?P<pid>\d+) on (?P<host>[^\s:]+))?"
        r"(?: \((?P<caller>[^)]*)\))?: (?P<message>.*?)(?: \((?P<tags>[\w.]+=.*)\))?",
        first=r"\[\d",
        needs=": ",
    ),
    TextFormat(
        "NestJS",
        "[Nest] 1234  - 01/31/2026, 12:00:00 PM   ERROR [ExceptionsHandler] refused",
        r"\[Nest\] (?P<pid>\d+) +- "
        r"(?P<time>\d\d/\d\d/\d{4}, \d{1,2}:\d\d:\d\d\s[AP]M) +(?P<level>[A-Z]+) "
        r"(?:\[(?P<logger>[^\]]+)\] )?(?P<message>.*)",
        first=r"\[",
    ),
    TextFormat(
        "hapi (good-console)",
        "260131/120000.250, [response,api] http://shop:3000: get /orders/7 {} 500 "
        "(41ms)",
        r"(?P<time>\d{6}/\d{6}\.\d{3}), "
        r"\[(?:[^\]]*?\b(?P<level>debug|info|warn|error)\b)?[^\]]*\] "
        r"(?P<message>.*)",
        first="0-9",
        within=r"^https?://\S+: (?P<method>[a-z]+) (?P<path>/\S*) .*?(?P<status>\d{3}) "
        r"\((?P<ms>\d+)ms\)",
    ),
)
