"""
Formats of the loggers of .NET.
"""

from __future__ import annotations

from ctxlog.viewer.recognize.formats._format import Format
from ctxlog.viewer.recognize.formats._text import CLOCK, DAY, ISO, TextFormat

FORMATS = (
    Format(
        ".NET, JsonConsole",
        '{"Timestamp":"2026-01-31T12:00:00.123Z","EventId":7,"LogLevel":"Error",'
        '"Category":"Shop.Payments","Message":"payment refused",'
        '"State":{"Message":"payment refused","Order":"o-7",'
        '"{OriginalFormat}":"payment refused"},"Scopes":[{"Message":"SpanId:b2,'
        ' TraceId:c3","SpanId":"b2","TraceId":"c3"},'
        '{"Message":"RequestPath:/orders RequestId:7f3a91c2","RequestId":"7f3a91c2",'
        '"RequestPath":"/orders"}]}',
    ),
    Format(
        "Serilog, compact",
        '{"@t":"2026-01-31T12:00:00.1230000Z","@mt":"payment of {Order} refused",'
        '"@l":"Error","@tr":"c3","@sp":"b2","Order":"o-7",'
        '"SourceContext":"Shop.Payments","RequestId":"7f3a91c2"}',
        known_by="@t @mt",
        found={"time": "@t", "level": "@l", "message": "@m @mt", "traceback": "@x"},
        level=20,
        unit=0.001,
        template="names",
    ),
    Format(
        "Serilog, compact and rendered",
        '{"@t":"2026-01-31T12:00:00.1230000Z",'
        '"@m":"HTTP \\"POST\\" \\"/orders\\" responded 503 in 41.0 ms","@i":"0f3b",'
        '"RequestMethod":"POST","RequestPath":"/orders","StatusCode":503,'
        '"Elapsed":41.0,"RequestId":"7f3a91c2"}',
        known_by="@t @m",
        found={"time": "@t", "level": "@l", "message": "@m", "traceback": "@x"},
        level=20,
        unit=0.001,
    ),
    Format(
        "Serilog, JSON",
        '{"Timestamp":"2026-01-31T13:00:00.1230000+01:00","Level":"Error",'
        '"MessageTemplate":"payment of {Order} refused",'
        '"RenderedMessage":"payment of o-7 refused","Properties":{"Order":"o-7",'
        '"RequestId":"7f3a91c2"}}',
        known_by="Timestamp Level MessageTemplate",
        found={"message": "RenderedMessage MessageTemplate"},
        unit=0.001,
        template="names",
    ),
    Format(
        "NLog",
        '{"time":"2026-01-31 12:00:00.1230","level":"ERROR","logger":"Shop.Payments",'
        '"message":"payment refused","properties":{"RequestId":"7f3a91c2"}}',
    ),
)

#: What a request belongs to, before the message.
_SCOPES = r"(?: (?P<tags>(?:=> (?:\w+:[^\s,]+(?:, | |$))+)+))? ?"
_ANSWERED = (
    r"HTTP (?P<method>[A-Z]+) (?P<path>\S+) responded (?P<status>\d{3}) in "
    r"(?P<ms>[\d.]+) ms"
)

#: Of text.
TEXTS = (
    TextFormat(
        "ASP.NET Core (console)",
        "2026-01-31T12:00:00.250Z fail: Shop.Orders[7] => RequestPath:/orders/7 "
        "RequestId:0HN1:00000001 payment refused",
        rf"(?:\[?(?P<time>{ISO}|{CLOCK})\]? ?)?"
        r"(?P<level>trce|dbug|info|warn|fail|crit): "
        rf"(?P<logger>[A-Z][\w.`+]*)\[(?P<eventId>-?\d+)\]{_SCOPES}(?P<message>.*)",
        first=r"\[\dtdiwfc",
        needs="]",
        within=r"^Request finished \S+ (?P<method>[A-Z]+) (?P<path>\S+) \S+ "
        r"(?P<status>\d{3}) \S+ \S+ (?P<ms>[\d.]+)ms$",
    ),
    TextFormat(
        "ASP.NET Core (systemd), sd-daemon",
        "<3>Shop.Orders[7] => RequestPath:/orders/7 RequestId:0HN1:00000001 refused",
        rf"(?P<level><[0-7]>)(?:(?P<time>{ISO}) )?"
        rf"(?:(?P<logger>[A-Z][\w.`+]*)\[(?P<eventId>-?\d+)\]{_SCOPES})?"
        r"(?P<message>.*)",
        first="<",
    ),
    TextFormat(
        "Serilog (file)",
        "2026-01-31 12:00:00.250 +00:00 [ERR] HTTP GET /orders/7 responded 500 in "
        "41.2 ms",
        rf"(?P<time>{ISO}) \[(?P<level>VRB|DBG|INF|WRN|ERR|FTL)\] (?P<message>.*)",
        first="0-9",
        needs=" [",
        within=_ANSWERED,
    ),
    TextFormat(
        "Serilog (console)",
        "[12:00:00 ERR] HTTP GET /orders/7 responded 500 in 41.2 ms",
        r"\[(?P<time>\d\d:\d\d:\d\d) (?P<level>VRB|DBG|INF|WRN|ERR|FTL)\] "
        r"(?P<message>.*)",
        first=r"\[",
        within=_ANSWERED,
    ),
    TextFormat(
        "IIS, Azure App Service (W3C)",
        "2026-01-31 12:00:00 10.1.0.7 GET /orders/7 full=1 443 alice 10.0.0.7 "
        "curl/8.5.0 - 500 0 0 41",
        rf"(?P<time>{DAY} {CLOCK}) (?:\S+ ){{0,3}}?(?P<method>[A-Z]{{3,17}}) "
        r"(?P<path>/\S*) (?P<query>\S+) (?P<port>\d+) (?P<user>\S+) "
        r"(?P<client>[\da-fA-F.:]+) (?:\S+ ){1,6}?(?P<status>\d{3}) \d+ \d+ "
        r"(?:\d+ \d+ )?(?P<ms>\d+)",
        first="0-9",
        needs=" /",
    ),
)
