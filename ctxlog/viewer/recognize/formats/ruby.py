"""
Formats of the loggers of Ruby.
"""

from __future__ import annotations

from ctxlog.viewer.recognize.formats._format import Format
from ctxlog.viewer.recognize.formats._text import CLOCK, DAY, ISO, LEVEL, TextFormat

FORMATS = (
    Format(
        "lograge",
        '{"method":"POST","path":"/orders","format":"json",'
        '"controller":"OrdersController","action":"create","status":503,'
        '"duration":41.0,"view":0.0,"db":12.3,'
        '"@timestamp":"2026-01-31T12:00:00.123Z","@version":"1",'
        '"message":"[503] POST /orders (OrdersController#create)",'
        '"request_id":"7f3a91c2"}',
        known_by="controller action duration",
        unit=0.001,
    ),
    Format(
        "Rails 8.1, events",
        '{"name":"payment.refused","payload":{"order":"o-7"},"tags":{},'
        '"context":{"request_id":"7f3a91c2"},"timestamp":1769860800123000000,'
        '"source_location":{"filepath":"app/models/payment.rb","lineno":9,'
        '"label":"Payment#charge"}}',
        known_by="name payload timestamp source_location",
        found={"message": "name"},
        unit=0.001,
    ),
    Format(
        "semantic_logger",
        '{"host":"shop-1","application":"shop","environment":"production",'
        '"timestamp":"2026-01-31T12:00:00.123000Z","level":"error","level_index":4,'
        '"pid":71,"thread":"puma 001","duration_ms":41.0,"duration":"41.0ms",'
        '"named_tags":{"request_id":"7f3a91c2"},"name":"OrdersController",'
        '"message":"Completed #create","payload":{"method":"POST","path":"/orders",'
        '"status":503}}',
    ),
    Format(
        "ougai",
        '{"name":"shop","hostname":"shop-1","pid":71,"level":50,'
        '"time":"2026-01-31T12:00:00.123Z","v":0,"msg":"payment refused",'
        '"request_id":"7f3a91c2"}',
    ),
    Format(
        "Sidekiq",
        '{"ts":"2026-01-31T12:00:00.123Z","pid":71,"tid":"2xk","lvl":"ERROR",'
        '"msg":"payment refused","ctx":{"class":"MailJob","jid":"7f3a91c2",'
        '"elapsed":0.041}}',
        known_by="ts tid lvl msg ctx",
        found={"id": "ctx.jid", "route": "ctx.class", "duration": "ctx.elapsed"},
        unit=1.0,
    ),
)

#: Of text.
TEXTS = (
    TextFormat(
        "Rails (Logger::Formatter)",
        "I, [2026-01-31T12:00:00.250000 #7]  INFO -- : [4f1c22ab-90d3-4e5c-8ab1-"
        '7d2e1f0a9b8c] Started GET "/orders/7" for 10.0.0.7 at 2026-01-31 12:00:00 UTC',
        rf"[DIWEFA], \[(?P<time>{ISO}) #(?P<pid>\d+)\] +(?P<level>{LEVEL}|ANY) -- "
        r"(?P<program>[^:]*): (?P<head>(?:\[[\w.:-]+\] )*)(?P<message>.*)",
        first="DIWEFA",
        within=r'Started (?P<method>[A-Z]+) "(?P<path>[^"]+)"|'
        r"Completed (?P<status>\d{3}) .{0,60}? in (?P<ms>[\d.]+)ms",
    ),
    TextFormat(
        "Rails (tagged)",
        "[4f1c22ab-90d3-4e5c-8ab1-7d2e1f0a9b8c] Completed 500 Internal Server Error in "
        "12ms (ActiveRecord: 1.2ms)",
        rf"(?!\[{LEVEL}\])(?:\[[A-Za-z][\w.:-]*\] ){{0,3}}?"
        r"(?P<head>\[(?:[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{32})\] "
        r"(?:\[[\w.:-]+\] )*)(?P<message>.*)",
        first=r"\[",
        within=r'Started (?P<method>[A-Z]+) "(?P<path>[^"]+)"'
        rf"(?: for \S+ at (?P<time>{DAY} {CLOCK} (?:UTC|[+-]\d{{4}})))?|"
        r"(?:Completed (?P<status>\d{3})|(?:Performed|Error performing) "
        r"(?P<route>[\w:]+) ).{0,120}? in (?P<ms>[\d.]+)ms",
    ),
    TextFormat(
        "Rails (untagged)",
        'Started GET "/orders/7" for 10.0.0.7 at 2026-01-31 12:00:00 +0000',
        r'(?P<message>Started (?P<method>[A-Z]+) "(?P<path>[^"]+)" for '
        rf"(?P<client>\S+) at (?P<time>{DAY} {CLOCK} (?:UTC|[+-]\d{{4}})))",
        first="S",
    ),
    TextFormat(
        "Rails (untagged, end)",
        "Completed 200 OK in 12ms (Views: 8.1ms)",
        r"(?P<message>Completed (?P<status>\d{3}) .{0,60}? in (?P<ms>[\d.]+)ms.*)",
        first="C",
    ),
    TextFormat(
        "semantic_logger (text)",
        "2026-01-31 12:00:00.250123 E [7:puma 001 orders.rb:42] {request_id: 7f3a91c2} "
        "(41.0ms) OrdersController -- Completed #show",
        rf"(?P<time>{DAY} {CLOCK}) (?P<level>[TDIWEF]) \[(?P<thread>[^\]]*)\] "
        r"(?:\[[^\]]*\] )*(?:\{(?P<tags>[^}]*)\} )?"
        r"(?:\((?P<took>[\d.]+(?:[mµn]?s))\) )?(?P<logger>\S+) -- (?P<message>.*)",
        first="0-9",
        needs=" -- ",
    ),
    TextFormat(
        "Sidekiq (text)",
        "2026-01-31T12:00:00.250Z pid=7 tid=2xk class=MailJob "
        "jid=b4a577edbccf1d805744efa9 elapsed=0.041 INFO: done",
        # a process manager's own time takes the place of its
        rf"(?:(?P<time>{ISO}) )?pid=(?P<pid>\d+) tid=(?P<tid>\w+) "
        r"(?:class=(?P<route>\S+) )?"
        r"(?:jid=(?P<request_id>\w+) )?(?:[a-z]+=\S+ )*?(?:elapsed=(?P<s>[\d.]+) )?"
        rf"(?P<level>{LEVEL}): (?P<message>.*)",
        first="0-9p",
        needs=" tid=",
    ),
    TextFormat(
        "Sidekiq (before 6)",
        "2026-01-31T12:00:00.250Z 7 TID-ox2abc MailJob JID-b4a577edbccf1d805744efa9 "
        "INFO: done: 0.041 sec",
        rf"(?P<time>{ISO}) (?P<pid>\d+) TID-(?P<tid>\w+) "
        r"(?:(?P<route>\S+) JID-(?P<request_id>\w+) )?(?:BID-\S+ )?"
        rf"(?P<level>{LEVEL}): (?P<message>.*)",
        first="0-9",
        needs=" TID-",
        within=r"^(?:done|fail): (?P<s>[\d.]+) sec$",
    ),
)
