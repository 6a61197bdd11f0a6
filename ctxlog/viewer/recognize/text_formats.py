"""
The formats of text logs, one small declaration each: a new format is a row.

The names of a pattern's groups are the names of what they hold. These have a meaning of
their own: `time` is a time in any form; `ms`, `us` and `s` are durations; `head` has
words in brackets before the message; `rest` follows a known part of an access log.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

_CLOCK = r"\d\d:\d\d:\d\d(?:[.,]\d{1,9})?"
_DAY = r"\d{4}[-/]\d\d[-/]\d\d"
_ISO = rf"{_DAY}[T ]{_CLOCK}(?:Z| ?[+-]\d\d:?\d\d)?"
_LEVEL = (
    r"(?i:trace|debug\d?|verbose|fine|finer|finest|config|info|information|notice|"
    r"success|audit|warn|warning|err|error|severe|crit|critical|fatal|alert|emerg|"
    r"emergency|panic|dpanic)"
)
_CLF_TIME = r"\d\d/[A-Z][a-z]{2}/\d{4}[: ]\d\d:\d\d:\d\d(?:\.\d+)?(?: [+-]\d{4})?"
#: What a client has sent first may be anything.
_REQUEST = (
    r'"(?:(?P<method>[A-Z]{3,20}) (?P<path>[^\s"]+)(?: HTTP/[\d.]+)?|(?:[^"\\]|\\.)*)"'
)
_LOGGER = r"(?P<logger>[\w.$/<>\[\]-]+)"


@dataclass(frozen=True)
class TextFormat:
    """
    A format of log lines that are not JSON.

    Attributes:
        name: Its name, as its users call it.
        sample: A line of it, made after its documentation.
        pattern: What its lines match, from the beginning to the end.
        first: Which characters a line of it begins with: the inside of a `[...]` of a
            regular expression; any if empty.
        within: What else is found within its message.
        begins: Whether the time is when what took a while began, not when it ended.
    """

    name: str
    sample: str
    pattern: str
    first: str = ""
    within: str = ""
    begins: bool = False

    @cached_property
    def form(self) -> re.Pattern[str]:
        """The pattern, compiled when it is needed first."""
        first = f"(?=[{self.first}])" if self.first else ""
        return re.compile(first + self.pattern, re.DOTALL)

    @cached_property
    def inner(self) -> re.Pattern[str] | None:
        """The pattern of what is within its message."""
        return re.compile(self.within) if self.within else None


#: The first one that matches counts; those that match more come later.
FORMATS = (
    TextFormat(
        "access log (common, combined; Apache, nginx, gunicorn, Traefik)",
        '10.0.0.7 - alice [31/Jan/2026:12:00:00 +0000] "GET /orders/7?full=1 HTTP/1.1" '
        '500 1042 "https://shop.example/" "curl/8.5.0" 4f1c22ab90d34e5c8ab1 0.125',
        r"(?:[\w.-]+:\d+ )?(?P<client>[\w.:-]{2,255}) \S+ (?P<user>\S+) "
        rf"\[(?P<time>{_CLF_TIME})\] {_REQUEST} (?P<status>\d{{3}}|-)"
        r"(?: (?P<size>\d+|-))?(?P<rest>(?: .*)?)",
        first=r"\w:",
    ),
    TextFormat(
        "HAProxy (HTTP)",
        "10.0.0.7:33318 [31/Jan/2026:12:00:00.250] web~ shop/shop1 10/0/30/69/109 200 "
        '2750 - - ---- 1/1/1/1/0 0/0 {req-7f3a91} {} "GET /orders/7 HTTP/1.1"',
        rf"(?P<client>[\w.:]+):\d+ \[(?P<time>{_CLF_TIME})\] (?P<frontend>\S+) "
        r"(?P<backend>[^\s/]+/\S+) (?:-?\d+/){4}\+?(?P<ms>\d+) (?P<status>\d{3}|-1) "
        r"\+?(?P<size>\d+) \S+ \S+ \S{4} \S+ \S+ (?P<rest>(?:\{[^}]*\} ){0,2})"
        rf"{_REQUEST}.*",
        first=r"\w:",
        begins=True,
    ),
    TextFormat(
        "Envoy, Istio (access log)",
        '[2026-01-31T12:00:00.250Z] "GET /orders/7 HTTP/1.1" 503 UF 0 91 12 - "-" '
        '"curl/8.5.0" "7a0e3f0c-41c8-9d1e-8a52-0d2b6fd1a7c4" "shop" "10.1.0.7:8080"',
        rf"\[(?P<time>{_ISO})\] {_REQUEST} (?P<status>\d{{3}}) "
        r'(?:[^"]*? )?\d+ (?P<size>\d+) (?P<ms>\d+) \S+ '
        r'(?:"[^"]*" ){2}"(?P<request_id>[^"]*)".*',
        first=r"\[",
        begins=True,
    ),
    TextFormat(
        "uvicorn (access)",
        'INFO:     10.0.0.7:51034 - "GET /orders/7 HTTP/1.1" 200 OK',
        rf"(?P<level>INFO): {{5}}(?P<client>\S+:\d+) - {_REQUEST} (?P<status>\d{{3}})"
        r"(?: [\w' -]*)?",
        first="I",
    ),
    TextFormat(
        "uvicorn (messages)",
        "ERROR:    Exception in ASGI application",
        r"(?P<level>(?:TRACE|DEBUG|ERROR)(?=: {4})|INFO(?=: {5})|WARNING(?=: {2})|"
        r"CRITICAL(?=: )): +(?P<message>\S.*)",
        first="TDEIWC",
    ),
    TextFormat(
        "logging (basicConfig)",
        "WARNING:shop.orders:stock is low",
        r"(?P<level>DEBUG|INFO|WARNING|ERROR|CRITICAL):(?P<logger>\w[\w.<>-]*):"
        r"(?P<message>.*)",
        first="DIWEC",
    ),
    TextFormat(
        "logging (asctime - name - levelname - message)",
        "2026-01-31 12:00:00,250 - shop.orders - ERROR - payment refused",
        rf"(?P<time>{_ISO}) - (?P<logger>[\w.<>-]+) - (?P<level>{_LEVEL}) - "
        r"(?P<message>.*)",
        first="0-9",
    ),
    TextFormat(
        "klog, glog",
        "E0131 12:00:00.250000       1 controller.go:117] reconcile failed",
        r"(?P<level>[IWEFD])(?P<time>(?:\d{4})?\d{4} \d\d:\d\d:\d\d\.\d{6}) +"
        r"(?P<thread>\d+) (?P<caller>[^\s\]]+:\d+)\] (?P<message>.*)",
        first="IWEFD",
    ),
    TextFormat(
        "nginx (error log)",
        "2026/01/31 12:00:00 [error] 31#31: *12 connect() failed (111: Connection "
        "refused) while connecting to upstream, client: 10.0.0.7, server: shop, "
        'request: "GET /orders/7 HTTP/1.1", upstream: "http://10.1.0.7/", host: "shop"',
        rf"(?P<time>{_DAY} {_CLOCK}) \[(?P<level>{_LEVEL})\] (?P<pid>\d+)#\d+: "
        r"(?:\*(?P<connection>\d+) )?(?P<message>.*)",
        first="0-9",
        within=r', request: "(?P<method>[A-Z]+) (?P<path>[^\s"]+)',
    ),
    TextFormat(
        "Apache (error log)",
        "[Sat Jan 31 12:00:00.250000 2026] [core:error] [pid 31:tid 32] "
        "[client 10.0.0.7:51034] AH00124: Request exceeded the limit",
        rf"\[(?P<time>[A-Z][a-z]{{2}} [A-Z][a-z]{{2}} [ \d]\d {_CLOCK} \d{{4}})\] "
        r"\[(?:(?P<module>[\w-]*):)?(?P<level>[a-z]+\d?)\] "
        r"(?:\[pid (?P<pid>\d+)[^\]]*\] )?(?P<head>(?:\[[^\]]*\] )*)(?P<message>.*)",
        first=r"\[",
    ),
    TextFormat(
        "Spring Boot",
        "2026-01-31T12:00:00.250Z ERROR 1 --- [shop] [nio-8080-exec-1] "
        "[65b8f3a1c2d4e5f60718293a4b5c6d7e-9f8e7d6c5b4a3921] c.e.shop.Orders : refused",
        rf"(?P<time>{_ISO}) +(?P<level>{_LEVEL}) +(?P<head>\[[^\]]*\] )?(?P<pid>\S+) "
        rf"--- (?P<heads>(?:\[[^\]]*\] ?){{1,4}}){_LOGGER} *: (?P<message>.*)",
        first="0-9",
    ),
    TextFormat(
        "Logback, Log4j2 (default)",
        "12:00:00.250 [http-nio-1] ERROR c.e.shop.Orders -- payment refused",
        rf"(?P<time>(?:{_DAY}[T ])?{_CLOCK}) \[(?P<thread>[^\]]*)\] "
        rf"(?P<level>{_LEVEL}) +(?P<head>(?:\[[^\]]*\] ?)*){_LOGGER} --? "
        r"(?P<message>.*)",
        first="0-9",
    ),
    TextFormat(
        "OpenStack (oslo.log)",
        "2026-01-31 12:00:00.250 7 ERROR nova.api [req-4f1c22ab-90d3-4e5c-8ab1-"
        "7d2e1f0a9b8c alice shop - - -] Unexpected API error",
        rf"(?:\S+\.log\S* )?(?P<time>{_ISO}) (?P<pid>\d+) (?P<level>{_LEVEL}) "
        r"(?P<logger>[\w.]+) \[(?P<request>[^\]]*)\] (?P<message>.*)",
        first=r"\w",
        within=r'"(?P<method>[A-Z]{3,20}) (?P<path>\S+) HTTP/[\d.]+"'
        r"(?: status: (?P<status>\d{3}))?(?: len: (?P<size>\d+))?"
        r"(?: time: (?P<s>[\d.]+))?",
    ),
    TextFormat(
        "Rails (Logger::Formatter)",
        "I, [2026-01-31T12:00:00.250000 #7]  INFO -- : [4f1c22ab-90d3-4e5c-8ab1-"
        '7d2e1f0a9b8c] Started GET "/orders/7" for 10.0.0.7 at 2026-01-31 12:00:00 UTC',
        rf"[DIWEFA], \[(?P<time>{_ISO}) #(?P<pid>\d+)\] +(?P<level>{_LEVEL}|ANY) -- "
        r"(?P<program>[^:]*): (?P<head>(?:\[[\w.:-]+\] )*)(?P<message>.*)",
        first="DIWEFA",
        within=r'Started (?P<method>[A-Z]+) "(?P<path>[^"]+)"|'
        r"Completed (?P<status>\d{3}) .{0,60}? in (?P<ms>[\d.]+)ms",
    ),
    TextFormat(
        "Rails (tagged)",
        "[4f1c22ab-90d3-4e5c-8ab1-7d2e1f0a9b8c] Completed 500 Internal Server Error in "
        "12ms (ActiveRecord: 1.2ms)",
        r"(?P<head>\[(?:[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{32})\] "
        r"(?:\[[\w.:-]+\] )*)(?P<message>.*)",
        first=r"\[",
        within=r'Started (?P<method>[A-Z]+) "(?P<path>[^"]+)"'
        rf"(?: for \S+ at (?P<time>{_DAY} {_CLOCK} (?:UTC|[+-]\d{{4}})))?|"
        r"Completed (?P<status>\d{3}) .{0,60}? in (?P<ms>[\d.]+)ms",
    ),
    TextFormat(
        "Rails (untagged)",
        'Started GET "/orders/7" for 10.0.0.7 at 2026-01-31 12:00:00 +0000',
        r'(?P<message>Started (?P<method>[A-Z]+) "(?P<path>[^"]+)" for '
        rf"(?P<client>\S+) at (?P<time>{_DAY} {_CLOCK} (?:UTC|[+-]\d{{4}})))",
        first="S",
    ),
    TextFormat(
        "Rails (untagged, end)",
        "Completed 200 OK in 12ms (Views: 8.1ms)",
        r"(?P<message>Completed (?P<status>\d{3}) .{0,60}? in (?P<ms>[\d.]+)ms.*)",
        first="C",
    ),
    TextFormat(
        "PostgreSQL",
        "2026-01-31 12:00:00.250 UTC [77] shop@orders ERROR:  relation is missing",
        rf"(?P<time>{_DAY} {_CLOCK} (?:[A-Z]{{3,5}}|[+-]\d\d(?::?\d\d)?)) "
        r"\[(?P<pid>\d+)(?:-\d+)?\] (?:(?P<user>[\w.-]+)@(?P<database>\S+) )?"
        r"(?P<level>DEBUG\d?|LOG|INFO|NOTICE|WARNING|ERROR|FATAL|PANIC|DETAIL|HINT|"
        r"STATEMENT|CONTEXT|QUERY): {1,2}(?P<message>.*)",
        first="0-9",
        within=r"^duration: (?P<ms>[\d.]+) ms",
    ),
    TextFormat(
        "Redis, Valkey",
        "1:M 31 Jan 2026 12:00:00.250 # Out Of Memory allocating 64 bytes",
        r"(?P<pid>\d+):(?P<role>[A-Z]) "
        rf"(?P<time>\d\d [A-Z][a-z]{{2}} \d{{4}} {_CLOCK}) "
        r"(?P<level>[.*#-]) (?P<message>.*)",
        first="0-9",
    ),
    TextFormat(
        "loguru",
        "2026-01-31 12:00:00.250 | ERROR    | shop.orders:place:42 - payment refused",
        rf"(?P<time>{_ISO}) \| (?P<level>[A-Z]+) *\| (?P<logger>[^\s:]+:\S+:\d+) - "
        r"(?P<message>.*)",
        first="0-9",
    ),
    TextFormat(
        "gunicorn (error log)",
        "[2026-01-31 12:00:00 +0000] [7] [ERROR] Worker (pid:9) was sent SIGKILL!",
        rf"\[(?P<time>{_ISO})\] \[(?P<pid>\d+)\] \[(?P<level>{_LEVEL})\] "
        r"(?P<message>.*)",
        first=r"\[",
    ),
    TextFormat(
        "Celery",
        "[2026-01-31 12:00:00,250: ERROR/ForkPoolWorker-1] Task shop.mail"
        "[4f1c22ab-90d3-4e5c-8ab1-7d2e1f0a9b8c] raised unexpected: OSError()",
        rf"\[(?P<time>{_ISO}): (?P<level>{_LEVEL})/(?P<process>[^\]]+)\] "
        r"(?P<message>.*)",
        first=r"\[",
        within=r"Task (?P<route>[\w.]{1,200})\[(?P<request_id>[0-9a-f-]{36})\]"
        r"(?: succeeded in (?P<s>[\d.]+)s)?",
    ),
    TextFormat(
        "Monolog, Laravel",
        "[2026-01-31T12:00:00.250000+00:00] production.ERROR: payment refused [] []",
        rf"\[(?P<time>{_ISO})\] (?P<channel>[\w-]+)\.(?P<level>{_LEVEL}): "
        r"(?P<message>.*)",
        first=r"\[",
    ),
    TextFormat(
        "AWS Lambda (Node.js)",
        "2026-01-31T12:00:00.250Z\t4f1c22ab-90d3-4e5c-8ab1-7d2e1f0a9b8c\tERROR\trefused",
        rf"(?P<time>{_ISO})\t(?P<request_id>[0-9a-f-]{{36}})\t(?P<level>{_LEVEL})\t"
        r"(?P<message>.*)",
        first="0-9",
    ),
    TextFormat(
        "AWS Lambda (Python)",
        "[ERROR]\t2026-01-31T12:00:00.250Z\t4f1c22ab-90d3-4e5c-8ab1-7d2e1f0a9b8c\tno",
        rf"\[(?P<level>{_LEVEL})\]\t(?P<time>{_ISO})\t(?P<request_id>[0-9a-f-]{{36}})\t"
        r"(?P<message>.*)",
        first=r"\[",
    ),
    TextFormat(
        "AWS Lambda (platform)",
        "REPORT RequestId: 4f1c22ab-90d3-4e5c-8ab1-7d2e1f0a9b8c\tDuration: 12.5 ms",
        r"(?P<message>(?:START|END|REPORT) RequestId: (?P<request_id>[0-9a-f-]{36})"
        r"(?:\s+Duration: (?P<ms>[\d.]+) ms)?.*)",
        first="SER",
    ),
    TextFormat(
        "Gin",
        "[GIN] 2026/01/31 - 12:00:00 | 500 |    1.25ms |        10.0.0.7 | POST     "
        '"/orders"',
        rf"\[GIN\] (?P<time>{_DAY} - {_CLOCK}) \| *(?P<status>\d{{3}}) *\| *"
        r"(?P<took>[\d.]+(?:[mµn]?s)|\d+m[\d.]+s) *\| *(?P<client>\S+) *\| *"
        r'(?P<method>[A-Z]+) +"(?P<path>[^"]*)".*',
        first=r"\[",
    ),
    TextFormat(
        "morgan (dev)",
        "GET /orders/7 500 12.345 ms - 42",
        r"(?P<method>GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) (?P<path>/\S*) "
        r"(?P<status>\d{3}) (?P<ms>[\d.]+) ms - (?P<size>\d+|-)",
        first="GHPDO",
    ),
    TextFormat(
        "ASP.NET Core (console)",
        "fail: Shop.Orders[7]",
        r"(?P<level>trce|dbug|info|warn|fail|crit): (?P<logger>[A-Z][\w.`+]*)"
        r"\[(?P<eventId>\d+)\](?P<message>)",
        first="tdiwfc",
    ),
    TextFormat(
        "Elasticsearch",
        "[2026-01-31T12:00:00,250][ERROR][o.e.n.Node] [node-1] failed to start",
        rf"\[(?P<time>{_ISO})\]\[(?P<level>[A-Z]+) *\]\[(?P<logger>[^\]]*)\] ?"
        r"(?P<message>.*)",
        first=r"\[",
    ),
    TextFormat(
        "PHP",
        "[31-Jan-2026 12:00:00 UTC] PHP Fatal error:  Allowed memory size exhausted",
        rf"\[(?P<time>\d\d-[A-Z][a-z]{{2}}-\d{{4}} {_CLOCK}(?: [A-Z]{{3,5}})?)\] "
        r"(?:PHP )?(?P<level>(?i:fatal|notice|warning|error|alert))(?: error)?: +"
        r"(?P<message>.*)",
        first=r"\[",
    ),
    TextFormat(
        "a time and a level (Tomcat, Kafka, ZooKeeper, zap, RabbitMQ, MySQL, Quarkus)",
        "2026-01-31 12:00:00,250 ERROR [io.shop.Orders] (executor-1) payment refused",
        rf"\[?(?P<time>(?:{_ISO}|\d\d-[A-Z][a-z]{{2}}-\d{{4}} {_CLOCK}|"
        rf"\d\d:\d\d:\d\d[.,]\d+))\]?"
        r"(?P<head>(?:[\s|:-]{1,9}(?:\[[^\]]{0,120}\]|\([^)]{0,120}\)|[\w.@/=-]{1,80}:?)){0,3}?)"
        rf"[\s|:-]{{0,9}}[\s|:\[(<-](?P<level>{_LEVEL})(?![\w.])\s*[\])>]?[\s|:-]*"
        r"(?P<message>.*)",
        first=r"\[\d",
    ),
    TextFormat(
        "a level and a time (Log4j, structlog)",
        "ERROR [2026-01-31 12:00:00,250] io.shop.Orders: payment refused",
        rf"[\[<]?(?P<level>{_LEVEL})[\]>]?[:\s]\s*\[?(?P<time>{_ISO})\]?[\s:-]*"
        r"(?P<message>.*)",
        first=r"\[<A-Za-z",
    ),
    TextFormat(
        "a time (Go's log, and others)",
        "2026/01/31 12:00:00 main.go:42: listening",
        rf"\[?(?P<time>{_ISO})\]?(?=[\s:,])[\s:,-]*(?P<message>.*)",
        first=r"\[\d",
    ),
)
