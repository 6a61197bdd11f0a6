"""
Lines that are text: what each format says, which lines are entries, and by which id.
"""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ctxlog.viewer.recognize.formats import TEXTS
from ctxlog.viewer.recognize.keys import Names
from ctxlog.viewer.recognize.record import Record
from ctxlog.viewer.recognize.scales import iso
from ctxlog.viewer.recognize.text import begins
from ctxlog.viewer.recognize.text_times import written
from tests.helpers import Run

NOON = 1769860800.0  # 2026-01-31T12:00:00Z
NAMES = Names(latest=NOON + 7200)
UUID = "4f1c22ab-90d3-4e5c-8ab1-7d2e1f0a9b8c"


def record(text: str) -> Record:
    """Return what a line says."""
    (found,) = Record.read(text.encode() + b"\n", NAMES)
    return found


@pytest.mark.parametrize("declared", TEXTS, ids=lambda one: one.name)
def test_each_sample_is_of_its_format(declared: Any) -> None:
    """A format's own row is the first that takes its sample."""
    takes = [one.name for one in TEXTS if one.form.fullmatch(declared.sample)]
    assert takes[0] == declared.name
    assert declared.needs in declared.sample
    assert begins(declared.sample.encode(), NAMES)


#: Seconds after noon, level, id, method, path, status, milliseconds; None if not said.
_Said = tuple[
    float | None, int, str | None, str | None, str | None, int | None, float | None
]
SAID: dict[str, _Said] = {
    "access log": (0, 0, "4f1c22ab90d34e5c8ab1", "GET", "/orders/7?full=1", 500, 125),
    "HAProxy": (0.359, 0, "req-7f3a91", "GET", "/orders/7", 200, 109),
    "Envoy": (
        *(0.262, 0, "7a0e3f0c-41c8-9d1e-8a52-0d2b6fd1a7c4"),
        *("GET", "/orders/7", 503, 12),
    ),
    "uvicorn (access)": (None, 20, None, "GET", "/orders/7", 200, None),
    "uvicorn (messages)": (None, 40, None, None, None, None, None),
    "logging (basicConfig)": (None, 30, None, None, None, None, None),
    "logging (asctime": (0.25, 40, None, None, None, None, None),
    "klog": (0.25, 40, None, None, None, None, None),
    "nginx": (0, 40, None, "GET", "/orders/7", None, None),
    "Apache (error log)": (0.25, 40, None, None, None, None, None),
    "Spring Boot": (
        *(0.25, 40, "65b8f3a1c2d4e5f60718293a4b5c6d7e"),
        *(None, None, None, None),
    ),
    "Logback": (0.25, 40, None, None, None, None, None),
    "OpenStack": (0.25, 40, f"req-{UUID}", None, None, None, None),
    "Rails (Logger": (0.25, 20, UUID, "GET", "/orders/7", None, None),
    "Rails (tagged)": (None, 0, UUID, None, None, 500, 12),
    "Rails (untagged)": (0, 0, None, "GET", "/orders/7", None, None),
    "PostgreSQL": (0.25, 40, None, None, None, None, None),
    "Redis": (0.25, 30, None, None, None, None, None),
    "loguru": (0.25, 40, None, None, None, None, None),
    "gunicorn": (0, 40, None, None, None, None, None),
    "Celery": (0.25, 40, UUID, None, None, None, None),
    "Monolog": (0.25, 40, None, None, None, None, None),
    "AWS Lambda (Node.js)": (0.25, 40, UUID, None, None, None, None),
    "AWS Lambda (platform)": (None, 0, UUID, None, None, None, 12.5),
    "Gin": (0, 0, None, "POST", "/orders", 500, 1.25),
    "morgan": (None, 0, None, "GET", "/orders/7", 500, 12.345),
    "Elasticsearch": (0.25, 40, None, None, None, None, None),
    "AWS load balancers": (
        *(0.25, 0, "Root=1-58337262-36d228ad5d99923122bbe354"),
        *("GET", "https://shop:443/orders/7", 500, 41),
    ),
    "Amazon S3": (0, 0, "3E57427F3EXAMPLE", "GET", "/shop/orders/7", 503, 41),
    "Amazon CloudFront": (
        *(0, 0, "SOX4xwn4XV6Q4rgb7XiVGOHms_BGlTAC4KyHmA=="),
        *("GET", "/orders/7", 502, 41),
    ),
    "Azure Functions": (0.25, 40, UUID, None, None, None, 41),
    "Serilog": (0, 40, None, "GET", "/orders/7", 500, 41.2),
    "Serilog (file": (0.25, 40, None, "GET", "/orders/7", 500, 41.2),
    "ASP.NET Core (console": (0.25, 40, "0HN1:00000001", None, "/orders/7", None, None),
    "ASP.NET Core (systemd": (None, 40, "0HN1:00000001", None, "/orders/7", None, None),
    "semantic_logger": (0.250123, 40, "7f3a91c2", None, None, None, 41),
    "pino-pretty": (0.25, 40, None, None, None, None, None),
    "logrus": (0, 40, "7f3a91c2", None, None, None, None),
    "zap": (0.25, 40, None, None, None, None, None),
    "AWS Lambda (failures)": (3.25, 40, UUID, None, None, None, None),
    "Amazon API Gateway": (None, 0, UUID, None, None, 500, None),
    "java.util.logging": (0, 40, None, None, None, None, None),
    "Bunyan": (0.25, 40, "7f3a91c2", None, None, None, None),
    "Akka": (0.25, 40, None, None, None, None, None),
    "HAProxy (TCP)": (0.291, 0, None, None, None, None, 41),
    "Envoy (messages)": (0.25, 40, None, None, None, None, None),
    "PostgreSQL (Amazon": (0, 40, None, None, None, None, None),
    "PostgreSQL (csvlog)": (0.25, 40, None, None, None, None, None),
    "rich": (0, 40, None, None, None, None, None),
    "Tornado": (0, 40, None, "GET", "/orders/7", 500, 41.25),
    "Sanic": (0, 20, None, "GET", "http://shop/orders/7", 500, None),
    "RQ": (0, 0, UUID, None, None, None, None),
    "IIS": (0, 0, None, "GET", "/orders/7", 500, 41),
    "MySQL (error": (0.25, 40, None, None, None, None, None),
    "MySQL (slow": (0.25, 0, None, None, None, None, None),
    "CoreDNS": (None, 20, None, None, None, None, 41),
    "NATS": (0.25, 40, None, None, None, None, None),
    "Squid": (0.25, 0, None, "GET", "http://shop/orders/7", 503, 41),
    "Cassandra": (0.25, 40, None, None, None, None, None),
    "Spark": (0, 40, None, None, None, None, None),
    "java.util.logging (": (0, 0, None, None, None, None, None),
    "Sidekiq": (0.25, 20, "b4a577edbccf1d805744efa9", None, None, None, 41),
    "Airflow": (0.25, 40, None, None, None, None, None),
    "Odoo": (0.25, 20, None, "POST", "/web/dataset", 500, None),
    "Django": (0, 0, None, "GET", "/orders/7", 500, None),
    "morgan (tiny": (None, 0, None, "GET", "/orders/7", 500, 12.345),
    "NestJS": (0, 40, None, None, None, None, None),
    "hapi": (0.25, 0, None, "get", "/orders/7", 500, 41),
    "chi": (0, 0, "shop/aBcDeF-000001", "GET", "http://shop/orders/7", 500, 41.2),
    "Fiber": (0, 0, None, "GET", "/orders/7", 500, 41.2),
    "zerolog": (0, 40, "7f3a91c2", None, None, None, None),
    "env_logger": (0, 20, None, "GET", "/orders/7", 500, 41),
    "Elixir": (0.25, 40, "GAz3kPq2XbVv1aIAAAFh", None, None, 500, 41),
    "Erlang": (0.25, 40, None, None, None, None, None),
    "Cloud Foundry": (0.291, 0, UUID, "GET", "/orders/7", 500, 41),
    "Flask": (0.25, 40, None, "GET", "/orders/7", None, None),
    "Granian": (0, 0, None, "GET", "/orders/7", 500, 41.25),
    "uWSGI": (0, 0, None, "GET", "/orders/7", 500, 41),
    "Twisted": (0, 40, None, None, None, None, None),
    "TensorFlow": (0.25, 40, None, None, None, None, None),
    "vLLM": (0, 40, None, None, None, None, None),
    "Sidekiq (before": (0.25, 20, "b4a577edbccf1d805744efa9", None, None, None, 41),
    "PHP (dev": (0, 0, None, "GET", "/orders/7", 500, None),
    "PHP-FPM": (0, 0, None, "GET", "/index.php", 500, None),
    "Symfony": (0, 20, None, "GET", "/orders/7", 500, None),
    "Google Cloud Run": (
        *(0, 0, None),
        *("GET", "https://shop.example/orders/7", 500, None),
    ),
    "AWS load balancers (net": (0, 0, None, None, None, None, None),
    "Amazon VPC": (0, 0, None, None, None, None, None),
    "PostgreSQL (without": (None, 40, None, None, None, None, None),
    "PgBouncer": (0.25, 40, None, None, None, None, None),
    "Redis, Valkey (sig": (0, 0, None, None, None, None, None),
    "MongoDB": (0.25, 40, None, None, None, None, 41),
    "ClickHouse": (0.25, 40, UUID, None, None, None, None),
    "Linux audit": (0.25, 0, None, None, None, None, None),
    "Mosquitto": (0, 0, None, None, None, None, None),
    "CockroachDB": (0.250123, 40, None, None, None, None, None),
    "etcd": (0.250123, 40, None, None, None, None, None),
    "Abseil": (0.25, 20, None, None, None, None, None),
    "fern": (0, 40, None, None, None, None, None),
    "loguru (C++)": (0.25, 40, None, None, None, None, None),
    "Chromium": (0.250123, 40, None, None, None, None, None),
    "quill": (0.250123, 40, None, None, None, None, None),
    "katip": (0, 40, "7f3a91c2", None, None, None, None),
    "Dream": (0.25, 20, None, "GET", "/orders/7", None, None),
    "Android (logcat)": (0.25, 40, None, None, None, None, None),
    "Android (logcat, b": (None, 40, None, None, None, None, None),
    "Android Studio": (0.25, 40, None, None, None, None, None),
    "a day without a year": (0.25, 40, "7f3a91c2", None, None, None, None),
    "a time in brackets": (0, 0, None, None, None, None, None),
    "a name and a level": (None, 40, None, None, None, None, None),
    "a level in brackets": (None, 40, None, None, None, None, None),
    "a level in capitals": (None, 40, None, None, None, None, None),
    "a level (winston": (None, 40, None, None, None, None, None),
    "a time and a level": (0.25, 40, None, None, None, None, None),
    "a level and a time": (0.25, 40, None, None, None, None, None),
    "a time (Go": (0, 0, None, None, None, None, None),
}


@pytest.mark.parametrize("name", SAID)
def test_what_each_format_says(name: str) -> None:
    """Time, level, id, method, path, status and duration are those of the sample."""
    after, level, request, method, path, status, took = SAID[name]
    declared = next(one for one in TEXTS if one.name.startswith(name))
    found = record(declared.sample)
    assert found.time == (None if after is None else pytest.approx(NOON + after))
    assert (found.level, found.request, found.method) == (level, request, method)
    assert (found.path, found.status) == (path, status)
    milliseconds = None if found.took is None else found.took * 1000
    assert milliseconds == (None if took is None else pytest.approx(took))
    assert found.message or name == "ASP.NET"


@pytest.mark.parametrize(
    ("text", "level", "message", "request_id"),
    [
        (
            'time=2026-01-31T12:00:00Z level=WARN msg="slow \\"query\\"" request_id=r1',
            *(30, 'slow "query"', "r1"),
        ),
        ("ts=2026-01-31T12:00:00Z caller=a.go:1 level=error msg=x", 40, "x", None),
        (
            "at=info method=GET path=/orders host=shop request_id=r1 fwd=10.0.0.7 "
            "dyno=web.1 connect=1ms service=12ms status=200 bytes=4",
            *(20, "", "r1"),
        ),
    ],
    ids=["slog, logrus", "Go kit, Loki", "Heroku's router"],
)
def test_logfmt(text: str, level: int, message: str, request_id: str | None) -> None:
    """Pairs of a line of logfmt mean what members of an object do."""
    found = record(text)
    assert (found.level, found.request) == (level, request_id)
    assert found.message == message or not message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "Jan 31 12:00:00 lb haproxy[7]: 10.0.0.7:1 [31/Jan/2026:12:00:00.250] web "
            'shop/s1 0/0/1/40/41 503 213 - - SC-- 1/1/0/0/3 0/0 "GET /a HTTP/1.1" '
            "7F000001:8296_0003:790E",
            ("7F000001:8296_0003:790E", 503, 0),
        ),
        (
            '[2026-01-31T12:00:00.250Z] "GET /a HTTP/2" 503 - via_upstream - "-" 0 9 '
            '41 40 "10.0.0.7" "curl" "7f3a91c2" "shop" "-" inbound|80||',
            ("7f3a91c2", 503, 0),
        ),
        (
            'I0131 12:00:00.250000 1 httplog.go:132] "HTTP" verb="GET" URI="/a" '
            'latency="41.25ms" userAgent="x" audit-ID="7f3a91c2" srcIP="" resp=500',
            ("7f3a91c2", 500, 20),
        ),
        ("method:GET\tpath:/a\tstatus:500\treqId:7f3a91c2\tx:-", ("7f3a91c2", 500, 0)),
        (
            "12:00:00 ERROR traceId=7f3a91c2, parentId=, sampled=true [shop] (x) no",
            ("7f3a91c2", None, 40),
        ),
        ("12:00:00 ERROR traceId= parentId= [shop] (x) no", (None, None, 40)),
        ('12:00:00 ERROR Connection id "a", Request id "b": no', ("b", None, 40)),
        ("12:00:00.250Z ERROR shop: no (req_id=r1, a=7)", ("r1", None, 40)),
        ("31/Jan/2026 12:00:00 ERROR    request_id=r1 no", ("r1", None, 40)),
        ("\x1b[31mERROR   \x1b[0m no request_id=r1", ("r1", None, 40)),
        (
            'at=ERROR when="2026-01-31 12:00:00,250" msg=no request_id=r1',
            ("r1", None, 40),
        ),
        (
            "2026-01-31 12:00:00 INFO [shop,7f3a91c2,b2,true] 7 --- [exec-1] a.B : no",
            ("7f3a91c2", None, 20),
        ),
        (
            '10.0.0.7 [31/Jan/2026:12:00:00 +0000] "GET /a HTTP/1.1" 500 1',
            (None, 500, 0),
        ),
        (
            '10.0.0.7 - - [Sat, 31 Jan 2026 12:00:00 GMT] "GET /a HTTP/1.1" 500 1',
            (None, 500, 0),
        ),
        ('INFO:werkzeug:10.0.0.7 - - [x] "GET /a HTTP/1.1" 500 -', (None, 500, 20)),
        (
            '12:00:00.250 [x-1] INFO A - 10.0.0.7 [y] "GET /a HTTP/1.1" 500',
            (None, 500, 20),
        ),
    ],
    ids=lambda text: text[:20] if isinstance(text, str) else "",
)
def test_ids_and_answers_in_other_forms(
    text: str, said: tuple[str | None, int | None, int]
) -> None:
    """What the same systems write in another place, or leave out, is found, too."""
    found = record(text)
    assert (found.request, found.status, found.level) == said


@pytest.mark.parametrize(
    ("prefix", "service"),
    [
        ("\x1b[36mshop-1   |\x1b[0m ", "shop-1"),
        ("\x1b[32mshop-7d4-abc1\x1b[0m \x1b[32mapp\x1b[0m ", "shop-7d4-abc1/app"),
        ("default shop-7d4-abc1 app ", "shop-7d4-abc1/app"),
        ("\x1b[36m2026-01-31T12:00:00.25+00:00 app[web.1]:\x1b[0m ", "web.1"),
        ("83 <190>1 2026-01-31T12:00:00.25+00:00 host app web.1 - ", "app"),
        ("<134>Jan 31 12:00:00 shop[7]: ", "shop"),
        ("Sat 2026-01-31 12:00:00 UTC web1 shop[7]: ", "shop"),
        ("1769860800.250000 web1 shop[7]: ", "shop"),
        ("2026-01-31T12:00:00Z 2026/01/31/[$LATEST]6f1a ", None),
        (f"2026-01-31T12:00:00Z ecs/shop/{UUID.replace('-', '')} ", "ecs/shop"),
        ('2026-01-31T12:00:00Z {app="shop", pod="x"} ', "shop"),
        ("2026-01-31T12:00:00Z {} ", None),
        ("2026-01-31T12:00:00.123456789Z ", None),
    ],
    ids=repr,
)
def test_prefixes_before_lines_of_all_forms(prefix: str, service: str | None) -> None:
    """What stands behind a collector's words is read by its own format."""
    for line in (
        '{"level":"error","request_id":"r1","msg":"no"}',
        "level=error msg=no request_id=r1",
        f"[ERROR]\t2026-01-31T12:00:00.250Z\t{UUID}\tno",
    ):
        found = record(prefix + line)
        assert found.request in ("r1", UUID)
        assert (found.level, found.message) == (40, "no")
        assert found.says("service") == service


def test_a_level_behind_a_prefix() -> None:
    """A word in capitals is the level of a line whose collector says it is one."""
    found = record("Jan 31 12:00:00 web1 shop[7]: ERROR no such order")
    assert (found.level, found.message) == (40, "no such order")
    assert record("Jan 31 12:00:00 web1 shop[7]: Errors: 0").level == 0


def test_entries_that_are_indented() -> None:
    """A line for people is an entry though it is indented, by its time and level."""
    text = "  2026-01-31T12:00:00.250000Z ERROR shop::orders: refused"
    found = record(text)
    assert (found.time, found.level) == (NOON + 0.25, 40)
    same_second = "                    WARNING  no such order          orders.py:42"
    assert (record(same_second).level, record(same_second).message) == (
        30,
        "no such order",
    )
    assert not begins(b"    at src/orders.rs:7 on main", NAMES)
    assert not begins(b"                    ERROR is a word", NAMES)
    assert not begins(b"  2026-01-31 is a day", NAMES)


def test_values_of_logfmt_in_single_quotes() -> None:
    """Lines within a value are lines, as in double quotes: structlog writes both."""
    found = record("event='no' level='error' exception='Traceback:\\nError'")
    assert (found.message, found.level) == ("no", 40)
    assert found.stack == "Traceback:\nError"


def test_pairs_behind_other_words() -> None:
    """A message of pairs, as lograge writes them after an id, is read as these."""
    found = record(
        f"[{UUID}] method=GET path=/orders controller=Orders action=show status=500 "
        "error='no such order' duration=41.00 view=1.1"
    )
    assert (found.request, found.message) == (UUID, "GET /orders 500")
    assert (found.route, found.took) == ("Orders#show", pytest.approx(0.041))
    assert found.get("error") == "no such order"


@pytest.mark.parametrize(
    "text",
    ["x = 1", "a=b", "key=value other=thing", 'msg="torn', "level=", "= level=info"],
)
def test_what_is_no_logfmt(text: str) -> None:
    """A line with an equals sign is no entry by that."""
    assert not begins(text.encode(), NAMES) or text == "level="


def test_colors_are_no_part_of_a_line() -> None:
    """What a terminal would show in color is read without the codes."""
    found = record(
        "\x1b[2m2026-01-31T12:00:00Z\x1b[0m \x1b[31mERROR\x1b[0m shop: refused"
    )
    assert (found.time, found.level) == (NOON, 40)
    assert "\x1b" not in found.message


@pytest.mark.parametrize(
    ("text", "now", "expected"),
    [
        ("Jan 31 12:00:00", NOON + 1, "2026-01-31T12:00:00Z"),
        ("Jan 31 23:00:00", NOON, "2026-01-31T23:00:00Z"),
        ("Feb  2 12:00:00", NOON, "2025-02-02T12:00:00Z"),
        ("Dec 31 23:59:59", NOON, "2025-12-31T23:59:59Z"),
        ("Feb 29 00:00:00", NOON, "2024-02-29T00:00:00Z"),
        ("Feb 30 00:00:00", NOON, None),
        ("0131 12:00:00.250000", NOON + 1, "2026-01-31T12:00:00.250000Z"),
        ("12:00:00.250", NOON + 1, "2026-01-31T12:00:00.250Z"),
        ("13:00:00,250", NOON, "2026-01-30T13:00:00.250Z"),
        ("2026-01-31 13:00:00 CET", NOON, "2026-01-31T13:00:00+01:00"),
        ("31/Jan/2026:12:00:00 -0500", NOON, "2026-01-31T12:00:00-05:00"),
        ("2026.01.31 12:00:00", NOON, "2026-01-31T12:00:00Z"),
        ("2026-01-31, 12:00:00 UTC", NOON, "2026-01-31T12:00:00Z"),
        ("01/31/2026, 1:02:03 PM", NOON, "2026-01-31T13:02:03Z"),
        ("01/31/2026, 12:00:00\u202fAM", NOON, "2026-01-31T00:00:00Z"),
        ("Jan 1, 2026 12:00:00 PM", NOON, "2026-01-01T12:00:00Z"),
        ("26/01/31 12:00:00", NOON, "2026-01-31T12:00:00Z"),
        ("260131/120000.250", NOON, "2026-01-31T12:00:00.250Z"),
        ("3:04PM", NOON, "2026-01-30T15:04:00Z"),
        ("1-Jan-2026::12:00:00.250000", NOON, "2026-01-01T12:00:00.250000Z"),
        ("13:00PM", NOON, None),
    ],
)
def test_times_without_all_parts(text: str, now: float, expected: str | None) -> None:
    """A time without a year or a day is the last one that is not in the future."""
    assert written(text, now) == expected


PREFIXES = {
    "web-1  | ": "web-1",
    "\x1b[36mweb-1  | \x1b[0m": "web-1",
    "[pod/shop-7d9/web] ": "shop-7d9/web",
    "shop-7d9 web ": "shop-7d9/web",
    "2026-01-31T12:00:00.250Z app[web.1]: ": "web.1",
    "Jan 31 12:00:00 host shop[123]: ": "shop",
    "2026-01-31T12:00:00+0000 host shop[123]: ": "shop",
    "<14>1 2026-01-31T12:00:00Z host shop 123 - - ": "shop",
}


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize(
    "inner",
    ['{"requestID":"r1","level":"error","message":"no"}', "level=error msg=no id=1"],
    ids=["JSON", "logfmt"],
)
def test_a_collectors_prefix_is_the_service(prefix: str, inner: str) -> None:
    """What a collector writes before a line says which service it is of."""
    found = record(prefix + inner)
    assert (found.level, found.message) == (40, "no")
    assert found.get("service") == PREFIXES[prefix]


@pytest.mark.parametrize(
    ("line", "time"),
    [
        ("2026-01-31T12:00:00.500Z stdout F ", NOON),
        ("<14>1 2026-01-31T12:00:00.500Z host shop 123 - - ", NOON),
    ],
)
def test_a_time_and_a_level_of_the_line_win(line: str, time: float) -> None:
    """What the line says of itself counts, not what its collector says."""
    found = record(line + '{"severity":"error","time":1769860800000,"msg":"no"}')
    assert (found.time, found.level) == (time, 40)


def test_a_level_is_no_host() -> None:
    """A level between a time and a name is no host of syslog's."""
    found = record("2026-01-31T12:00:00Z ERROR shop: refused")
    assert (found.time, found.level, found.get("host")) == (NOON, 40, None)


def test_a_level_of_a_collectors() -> None:
    """What Fly.io says before a line is its level if it says none itself."""
    prefix = "2026-01-31T12:00:00Z app[148e4d2f] fra [error] "
    assert record(prefix + "refused").level == 40
    assert record(prefix + '{"level":"info","msg":"ok"}').level == 20


def test_a_service_of_the_line_wins() -> None:
    """A line that names its service knows better than its collector."""
    found = record('web-1  | {"requestID":"r1","service":"shop","message":"no"}')
    assert found.get("service") == "shop"


_CONTENT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60)


@given(_CONTENT, _CONTENT)
@example('an ERROR {"code": 7}', "f")
@example("2026-01-31 12:00:00", "f")
def test_a_traceback_stays_below(content: str, name: str) -> None:
    """No line of a traceback is an entry, whatever it tells of."""
    word = "".join(one for one in name if one.isascii() and one.isalnum()) or "f"
    lines = [
        "Traceback (most recent call last):",
        f'  File "{content}.py", line 7, in {word}',
        f"    {content}",
        f"ValueError: {content}",
        f"shop.errors.Refused{word}Error: {content}",
        "During handling of the above exception, another exception occurred:",
        f"java.lang.IllegalStateException: {content}",
        f"\tat io.shop.{word}.run({word}.java:7)",
        f"Caused by: io.shop.{word}: {content}",
        "\t... 7 more",
        f"panic: {content}",
        "goroutine 7 [running]:",
        f"main.{word}(0xc000010000, 0x7)",
        f"\t/app/{content}.go:7 +0x1d",
        f"TypeError: {content}",
        f"    at {word} (/app/{content}.js:7:7)",
        "",
        "}",
    ]
    assert [one for one in lines if begins(f"{one}\n".encode(), NAMES)] == []


@given(st.binary(max_size=200))
def test_hostile_text_never_raises(line: bytes) -> None:
    """Whatever a line is, it is read or it is none."""
    for found in Record.read(line, NAMES):
        assert isinstance(found.message, str)
        assert found.time is None or iso(found.time)


@pytest.mark.parametrize(
    "form",
    [
        *("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "utf-8-sig"),
        *("utf-8-sig.gz", "utf-16-le.gz", "utf-16-be.gz", "utf-32-le.gz"),
    ],
)
def test_marks_of_the_byte_order(run: Run, tmp_path: Path, form: str) -> None:
    """Wider encodings are text, also compressed; a mark is no part of a line."""
    encoding, packed = form.removesuffix(".gz"), form.endswith(".gz")
    file, text = tmp_path / "a.log", ""
    for number in range(3000):
        said = {
            "requestID": f"r{number}",
            "level": "ERROR",
            "message": "gr\xfc\xdf\u20ac",
        }
        text += json.dumps(said, ensure_ascii=False) + "\r\n"
    mark = "" if encoding == "utf-8-sig" else "\ufeff"
    data = f"{mark}{text}".encode(encoding)
    file.write_bytes(gzip.compress(data) if packed else data)
    for words in ((file,), (file, "--errors"), (tmp_path,)):
        code, out, err = run("show", *words, "--format", "{requestID} {message}")
        assert (code, err) == (0, "")
        lines = [f"r{number} gr\xfc\xdf\u20ac" for number in range(3000)]
        assert out.splitlines() == lines


@pytest.mark.parametrize("end", [b"", b"{", b"\0\xd8", b"\0\xd8{"])
def test_a_torn_end_of_utf_16(run: Run, tmp_path: Path, end: bytes) -> None:
    """The lines before it are read."""
    file = tmp_path / "a.log"
    file.write_bytes('{"requestID":"r1","message":"x"}\n'.encode("utf-16") + end)
    code, out, _ = run("show", file)
    assert code == 0
    assert out.startswith("r1  0.0 ms  1 line  0 errors\n")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ('{"requestID":"r1"}\n'.encode("utf-16"), "UTF-16; convert it with iconv"),
        (gzip.compress(b""), "compressed"),
    ],
    # what gzip writes has the time in it
    ids=["UTF-16", "gzip"],
)
def test_what_cannot_be_followed(
    run: Run, tmp_path: Path, data: bytes, said: str
) -> None:
    """It is said in a sentence, and nothing is printed."""
    file = tmp_path / "a.log"
    file.write_bytes(data)
    code, out, err = run("follow", file)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_show_groups_text_by_id(run: Run, tmp_path: Path) -> None:
    """Requests are found in a file of mixed formats, with what is below a line."""
    file = tmp_path / "a.log"
    file.write_text(
        f"2026-01-31 12:00:00.000 7 INFO nova.api [req-{UUID} alice shop] begin\n"
        f"2026-01-31 12:00:00.250 7 ERROR nova.api [req-{UUID} alice shop] refused\n"
        "Traceback (most recent call last):\n"
        "ValueError: level=info msg=x\n"
        "time=2026-01-31T12:00:01Z level=info msg=other request_id=r2\n"
        '{"timestamp":"2026-01-31T12:00:02Z","requestID":"r3","message":"third"}\n'
    )
    code, out, err = run("show", file, "--errors")
    assert (code, err) == (0, "")
    assert out.startswith(f"req-{UUID}  alice  2026-01-31T12:00:00.000Z  250.0 ms")
    assert "ValueError: level=info msg=x" in out
    assert "other" not in out
    _, out, _ = run("show", file, "-r", "r2")
    assert "other" in out
    _, out, _ = run("show", file)
    assert out.count("2026-01-31T12:00") == 3


def test_an_id_by_a_pattern(run: Run, tmp_path: Path) -> None:
    """Lines of any form are grouped by what the first pattern with an id finds."""
    file = tmp_path / "a.log"
    file.write_text(
        "begin of order 7\nbuying\nTraceback\nrefused <job 7>\nbegin of order 8\n"
    )
    patterns = ("--id-regex", r"order (\d+)", "--id-regex", r"<job (\d+)>")
    code, out, _ = run("show", file, "-r", "7", *patterns)
    assert code == 0
    assert [line.strip() for line in out.splitlines()[1:]] == [
        *("begin of order 7", "buying", "Traceback", "refused <job 7>")
    ]


@pytest.mark.parametrize(
    ("pattern", "said"), [("req-[^ ]+", "has no group"), ("(", "unterminated")]
)
def test_a_pattern_without_an_id(run: Run, pattern: str, said: str) -> None:
    """A pattern that cannot find an id is wrong use."""
    code, out, err = run("show", "a.log", "--id-regex", pattern)
    assert (code, out) == (2, "")
    assert said in err.splitlines()[-1]


def test_lines_of_syslog_without_a_year(run: Run, tmp_path: Path) -> None:
    """Their year is that of the last time before the file was written."""
    file = tmp_path / "a.log"
    file.write_text("Dec 31 23:59:59 host shop[7]: order placed request_id=r1\n")
    os.utime(file, (NOON, NOON))
    code, out, _ = run("show", file)
    assert code == 0
    assert "2025-12-31T23:59:59.000Z" in out


def test_the_lane_of_a_collectors_prefix(run: Run, tmp_path: Path) -> None:
    """What a collector says of the service is the lane of a waterfall."""
    file = tmp_path / "a.log"
    logged = '{"timestamp":"2026-01-31T12:00:0%dZ","requestID":"r1","message":"m"}'
    file.write_text(f"shop-1  | {logged % 0}\nmail-1  | {logged % 1}\n")
    code, out, _ = run("timeline", file, "-r", "r1")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[1:]] == ["shop-1", "mail-1"]


def test_requests_without_an_id_are_rows(run: Run, tmp_path: Path) -> None:
    """Each line of an access log is a request, also if nothing tells which."""
    for name in ("a.log", "b.log"):
        (tmp_path / name).write_text(
            '10.0.0.7 - - [31/Jan/2026:12:00:00 +0000] "GET /a HTTP/1.1" 200 9\n'
            '10.0.0.7 - - [31/Jan/2026:12:00:00 +0000] "GET /a HTTP/1.1" 500 9\n'
            '10.0.0.7 - - [31/Jan/2026:12:00:00 +0000] "GET /b HTTP/1.1" 200 9\n'
        )
    code, out, _ = run("top", "--by", "path", tmp_path / "a.log", tmp_path / "b.log")
    assert code == 0
    assert [line.split()[:3] for line in out.splitlines()[1:]] == [
        ["/a", "4", "50.0%"],
        ["/b", "2", "0.0%"],
    ]


def test_text_that_docker_has_wrapped() -> None:
    """A line of text is read within an object of Docker's json-file, too."""
    found = record(
        '{"log":"level=error msg=no request_id=r1\\n","stream":"stderr",'
        '"time":"2026-01-31T12:00:00Z"}'
    )
    assert (found.time, found.level, found.request) == (NOON, 40, "r1")
    assert found.message == "no"


@pytest.mark.parametrize(
    ("end", "request_id", "milliseconds"),
    [
        ('"-" "curl" "req-7f3a" 0.125', "req-7f3a", 125),
        ('"-" "curl" rt=0.125 uct="0.1" request_id=abc', "abc", 125),
        ('"-" "curl" "-" "-"', None, None),
        ('"-" "curl" "10.0.0.8, 10.0.0.9"', None, None),
        ('"-" "-" 7 "web@docker" "http://10.0.0.7:80" 5ms', None, 5),
    ],
)
def test_the_end_of_access_logs(
    end: str, request_id: str | None, milliseconds: float | None
) -> None:
    """An id and a duration are found after the agent, however they are set up."""
    found = record(
        f'10.0.0.7 - - [31/Jan/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 9 {end}'
    )
    assert found.request == request_id
    took = None if found.took is None else found.took * 1000
    assert took == (None if milliseconds is None else pytest.approx(milliseconds))


@pytest.mark.parametrize(
    ("head", "repeated"),
    [
        ("2026-01-31 12:00:00", " -"),
        ("2026-01-31 12:00:00", " |"),
        ("[2026-01-31 12:00:00,250: ERROR/P] ", "a.a"),
        ("Jan 31 12:00:00 host unit: ", "a("),
        (f"[{UUID}] ", "Completed 200 "),
        ('10.0.0.7 - - [31/Jan/2026:12:00:00 +0000] "', "\\\\"),
    ],
)
def test_long_lines_take_no_longer_than_their_length(head: str, repeated: str) -> None:
    """A line that repeats what a pattern looks for is read in steps, not in powers."""
    for found in Record.read((head + repeated * 20_000).encode(), NAMES):
        assert found.request in (None, UUID)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '<11>1 2026-01-31T12:00:00Z h shop 7 - [ctx@1 request_id="r1" user="a"] no',
            ("r1", 40, "no"),
        ),
        (
            f"Jan 31 12:00:00 h nova[7]: ERROR nova [None req-{UUID} al] no",
            ("req-", 40),
        ),
        (
            "10.0.0.7:5 [31/Jan/2026:12:00:00.250] fe be/s 0/0/1/40/41 500 12 - - ---- "
            f'1/1/0/0/0 0/0 {{{UUID}|curl}} {{}} "GET / HTTP/1.1"',
            (UUID,),
        ),
        (
            "[Sat Jan 31 12:00:00 2026] [security2:error] [client 10.0.0.7] "
            'ModSecurity: denied [uri "/"] [unique_id "aXoAAX8AAQEAAAAHYzEAAABA"]',
            ("aXoAAX8AAQEAAAAHYzEAAABA", 40),
        ),
        (
            '10.0.0.7 - - [31/Jan/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "c" '
            "aXoAAX8AAQEAAAAHYzEAAABA 41250",
            ("aXoAAX8AAQEAAAAHYzEAAABA",),
        ),
    ],
    ids=["RFC 5424", "OpenStack", "HAProxy", "ModSecurity", "mod_unique_id"],
)
def test_ids_have_places_of_their_own(text: str, said: tuple[Any, ...]) -> None:
    """An id is found in structured data, behind `None`, among captured headers."""
    found = record(text)
    assert found.request is not None
    assert found.request.startswith(said[0])
    assert (found.level, found.message)[: len(said) - 1] == said[1:]


@pytest.mark.parametrize(
    "last", ["pid=7", "user_id=7", 'app_id:"7f3a"', "[default-shop-80]"]
)
def test_no_other_id_becomes_that_of_a_request(last: str) -> None:
    """Ids of processes, users and applications behind an access log are not taken."""
    line = '10.0.0.7 - - [31/Jan/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "c" '
    assert record(line + last).request is None


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("31-Jan-2026 13:00:00 Europe/Berlin", "2026-01-31T13:00:00+01:00"),
        ("31-Jan-2026 13:00:00 Europe/Nowhere", "2026-01-31T13:00:00Z"),
        ("2026-01-31 13:00:00 +01", "2026-01-31T13:00:00+01:00"),
        ("2026-01-31  9:00:00", "2026-01-31T09:00:00Z"),
        ("20260131120000250", "2026-01-31T12:00:00.250Z"),
        ("31.01.26 12:00:00.250", "2026-01-31T12:00:00.250Z"),
        ("01-31 12:00:00.250", "2026-01-31T12:00:00.250Z"),
        ("31 Jan 12:00:00.250", "2026-01-31T12:00:00.250Z"),
        ("0131/120000.250123", "2026-01-31T12:00:00.250123Z"),
        ("1/31/2026, 12:00:00.250 PM", "2026-01-31T12:00:00.250Z"),
        ("Jan 31, 2026 @ 12:00:00.250", "2026-01-31T12:00:00.250Z"),
    ],
)
def test_times_of_more_loggers(text: str, iso: str) -> None:
    """Zones by name, hours of one digit, days before months."""
    assert written(text, NOON + 7200) == iso


@pytest.mark.parametrize("piece", ["-", " ", "[", "A", "a-", "\x1b[m", '" '])
def test_no_row_of_a_character_is_divided_in_all_ways(piece: str) -> None:
    """Lines with such rows, as rulers are, are read as soon as others."""
    row = piece * (3000 // len(piece))
    for one in TEXTS:
        for place in (len(one.sample) // 3, 2 * len(one.sample) // 3, len(one.sample)):
            line = f"{one.sample[:place]}{row}{one.sample[place:]}\n"
            for record in Record.read(line.encode(), Names()):
                assert record.fields is not None


@pytest.mark.parametrize(
    "line",
    [
        f"2026-01-31 12:00:00 {'-' * 100}",
        f"2026-01-31 12:00:00 x {'-' * 100} done",
        f"2026-01-31T12:00:00.350Z [{'ERROR' * 3000}",
        f"ERROR refused{' ' * 5000}x",
    ],
)
def test_rulers(line: str) -> None:
    """A time with a row of dashes behind it took minutes to be read as no entry."""
    for record in Record.read(f"{line}\n".encode(), Names()):
        assert record.fields is not None


@pytest.mark.parametrize("took", ["0!041", "9" * 40])
def test_a_duration_that_is_none(took: str) -> None:
    """When the request ended is not told then, and the line is read."""
    line = (
        '[2026-01-31T12:00:00.250Z] "GET /orders/7 HTTP/1.1" 500 0 12 "-" "curl/8.5.0" '
        '"10.0.0.7:51034" "10.1.0.7:80" vcap_request_id:"4f1c22ab-90d3-4e5c-8ab1-'
        f'7d2e1f0a9b8c" response_time:{took}\n'
    )
    (record,) = Record.read(line.encode(), Names())
    assert record.request == "4f1c22ab-90d3-4e5c-8ab1-7d2e1f0a9b8c"
    assert record.time == 1769860800.25
