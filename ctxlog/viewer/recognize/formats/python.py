"""
Formats of the loggers of Python.
"""

from __future__ import annotations

from ctxlog.viewer.recognize.formats._format import Format
from ctxlog.viewer.recognize.formats._text import (
    CALLER,
    CLF_TIME,
    CLOCK,
    CTIME,
    DAY,
    ISO,
    LEVEL,
    REQUEST,
    TextFormat,
)

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
    Format(
        "django-structlog",
        '{"code":503,"request":"POST /orders","event":"request_finished",'
        '"ip":"10.0.0.9","request_id":"7f3a91c2","user_id":"alice",'
        '"timestamp":"2026-01-31T12:00:00.123Z",'
        '"logger":"django_structlog.middlewares.request","level":"error"}',
        known_by="code request event",
        found={"status": "code"},
    ),
)

#: Of text.
TEXTS = (
    TextFormat(
        "uvicorn (access)",
        'INFO:     10.0.0.7:51034 - "GET /orders/7 HTTP/1.1" 200 OK',
        rf"(?P<level>INFO): {{5}}(?P<client>\S+:\d+) - {REQUEST} (?P<status>\d{{3}})"
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
        rf"(?P<time>{ISO}) - (?P<logger>[\w.<>-]+) - (?P<level>{LEVEL}) - "
        r"(?P<message>.*)",
        first="0-9",
        needs=" - ",
    ),
    TextFormat(
        "loguru",
        "2026-01-31 12:00:00.250 | ERROR    | shop.orders:place:42 - payment refused",
        rf"(?P<time>{ISO}) \| (?P<level>[A-Z]+) *\| (?P<logger>[^\s:]+:\S+:\d+) - "
        r"(?P<message>.*)",
        first="0-9",
        needs=" | ",
    ),
    TextFormat(
        "gunicorn (error log)",
        "[2026-01-31 12:00:00 +0000] [7] [ERROR] Worker (pid:9) was sent SIGKILL!",
        rf"\[(?P<time>{ISO})\] \[(?P<pid>\d+)\] \[(?P<level>{LEVEL})\] "
        r"(?P<message>.*)",
        first=r"\[",
    ),
    TextFormat(
        "Celery",
        "[2026-01-31 12:00:00,250: ERROR/ForkPoolWorker-1] Task shop.mail"
        "[4f1c22ab-90d3-4e5c-8ab1-7d2e1f0a9b8c] raised unexpected: OSError()",
        rf"\[(?P<time>{ISO}): (?P<level>{LEVEL})/(?P<process>[^\]]+)\] "
        r"(?P<message>.*)",
        first=r"\[",
        within=r"Task (?P<route>[\w.]{1,200})\[(?P<request_id>[0-9a-f-]{36})\]"
        r"(?: succeeded in (?P<s>[\d.]+)s)?",
    ),
    TextFormat(
        "rich",
        "[01/31/26 12:00:00] ERROR    payment refused                     orders.py:42",
        r"(?P<time>\[\d\d/\d\d/\d\d \d\d:\d\d:\d\d\]) "
        rf"(?P<level>{LEVEL}) +(?P<message>.*?){CALLER}",
        first=r"\[",
    ),
    TextFormat(
        "Tornado",
        "[E 260131 12:00:00 web:2344] 500 GET /orders/7 (10.0.0.7) 41.25ms",
        r"\[(?P<level>[DIWEC]) (?P<time>\d{6} \d\d:\d\d:\d\d) (?P<caller>\S+:\d+)\] "
        r"(?P<message>.*)",
        first=r"\[",
        within=r"^(?P<status>\d{3}) (?P<method>[A-Z]+) (?P<path>\S+) "
        r"\((?P<client>[^)]*)\) (?P<ms>[\d.]+)ms$",
    ),
    TextFormat(
        "Sanic (access)",
        "[2026-01-31 12:00:00 +0000] - (sanic.access)[INFO][10.0.0.7:51034]: GET "
        "http://shop/orders/7  500 145",
        rf"\[(?P<time>{ISO})\] - \((?P<logger>[\w.]+)\)\[(?P<level>{LEVEL})\]"
        r"\[(?P<client>[^\]]*)\]: (?P<message>.*)",
        first=r"\[",
        within=r"^(?P<method>[A-Z]+) (?P<path>\S+) +(?P<status>\d{3}) ",
    ),
    TextFormat(
        "RQ (worker)",
        "12:00:00 default: Job OK (4f1c22ab-90d3-4e5c-8ab1-7d2e1f0a9b8c)",
        rf"(?P<time>{CLOCK}) (?P<queue>[\w.-]+): "
        r"(?P<message>.*\((?P<request_id>[0-9a-f-]{36})\).*)",
        first="0-9",
        needs="(",
    ),
    TextFormat(
        "OpenStack (oslo.log)",
        "2026-01-31 12:00:00.250 7 ERROR nova.api [req-4f1c22ab-90d3-4e5c-8ab1-"
        "7d2e1f0a9b8c alice shop - - -] Unexpected API error",
        rf"(?:\S+\.log\S* )?(?P<time>{ISO}) (?P<pid>\d+) (?P<level>{LEVEL}) "
        r"(?P<logger>[\w.]+) \[(?P<request>[^\]]*)\] (?P<message>.*)",
        first=r"\w",
        needs=" [",
        within=r'"(?P<method>[A-Z]{3,20}) (?P<path>\S+) HTTP/[\d.]+"'
        r"(?: status: (?P<status>\d{3}))?(?: len: (?P<size>\d+))?"
        r"(?: time: (?P<s>[\d.]+))?",
    ),
    TextFormat(
        "Airflow",
        "[2026-01-31T12:00:00.250+0000] {taskinstance.py:2905} ERROR - Task failed",
        rf"\[(?P<time>{DAY}(?:[T ]|, ){CLOCK}(?: ?(?:[+-]\d{{4}}|UTC|Z))?)\] "
        rf"\{{(?P<caller>[^}}]+)\}} (?P<level>{LEVEL}) - (?P<message>.*)",
        first=r"\[",
    ),
    TextFormat(
        "Odoo",
        "2026-01-31 12:00:00,250 7 INFO shop werkzeug: 10.0.0.7 - - [31/Jan/2026 "
        '12:00:00] "POST /web/dataset HTTP/1.1" 500 - 12 0.010 0.031',
        rf"(?P<time>{ISO}) (?P<pid>\d+) (?P<level>{LEVEL}) (?P<database>\S+) "
        r"(?P<logger>[\w.]+): (?P<message>.*)",
        first="0-9",
        needs=": ",
        within=r'"(?P<method>[A-Z]{3,20}) (?P<path>\S+) HTTP/[\d.]+" (?P<status>\d{3})',
    ),
    TextFormat(
        "Django (runserver)",
        '[31/Jan/2026 12:00:00] "GET /orders/7 HTTP/1.1" 500 145',
        rf"\[(?P<time>{CLF_TIME})\] {REQUEST} (?P<status>\d{{3}}) (?P<size>\d+)",
        first=r"\[",
    ),
    TextFormat(
        "Flask",
        "[2026-01-31 12:00:00,250] ERROR in app: Exception on /orders/7 [GET]",
        rf"\[(?P<time>{ISO})\] (?P<level>{LEVEL}) in (?P<logger>[\w.]+): "
        r"(?P<message>.*)",
        first=r"\[",
        needs=" in ",
        within=r"^Exception on (?P<path>\S+) \[(?P<method>[A-Z]+)\]$",
    ),
    TextFormat(
        "Granian (access)",
        '[2026-01-31 12:00:00 +0000] 10.0.0.7 - "GET /orders/7 HTTP/1.1" 500 41.250',
        rf"\[(?P<time>{ISO})\] (?P<client>\S+) - {REQUEST} (?P<status>\d{{3}}) "
        r"(?P<ms>[\d.]+)",
        first=r"\[",
    ),
    TextFormat(
        "uWSGI",
        "[pid: 7|app: 0|req: 1/1] 10.0.0.7 () {36 vars in 512 bytes} [Sat Jan 31 "
        "12:00:00 2026] GET /orders/7 => generated 21 bytes in 41 msecs (HTTP/1.1 500) "
        "2 headers in 78 bytes (1 switches on core 0)",
        r"\[pid: (?P<pid>\d+)\|[^\]]*\] (?P<client>\S+) \((?P<user>[^)]*)\) \{[^}]*\} "
        rf"\[(?P<time>{CTIME})\] (?P<method>[A-Z]+) (?P<path>\S+) => generated "
        r"(?P<size>\d+) bytes in (?:(?P<ms>\d+) msecs|(?P<us>\d+) micros) "
        r"\(HTTP/\S+ (?P<status>\d{3})\).*",
        first=r"\[",
        needs=" => ",
    ),
    TextFormat(
        "Twisted",
        "2026-01-31T12:00:00+0000 [shop.orders.Orders#error] payment refused",
        rf"(?P<time>{ISO}) \[(?P<logger>[^\]#]+)#(?P<level>{LEVEL})\] (?P<message>.*)",
        first="0-9",
        needs="#",
    ),
    TextFormat(
        "TensorFlow",
        "2026-01-31 12:00:00.250000: E xla/cuda_dnn.cc:9342] payment refused",
        rf"(?P<time>{ISO}): (?P<level>[IWEF]) (?P<caller>\S+:\d+)\] (?P<message>.*)",
        first="0-9",
        needs="] ",
    ),
    TextFormat(
        "vLLM",
        "(EngineCore_0 pid=7) ERROR 01-31 12:00:00 [core.py:42] payment refused",
        rf"(?:\(\w+ pid=(?P<pid>\d+)\) )?(?P<level>{LEVEL}) "
        r"(?P<time>\d\d-\d\d \d\d:\d\d:\d\d) \[?(?P<caller>\S+:\d+)\] (?P<message>.*)",
        first=r"\(A-Z",
        needs="] ",
    ),
)
