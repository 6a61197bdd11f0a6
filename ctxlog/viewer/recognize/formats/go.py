"""
Formats of the loggers of Go and Rust.
"""

from __future__ import annotations

from ctxlog.viewer.recognize.formats._format import Format
from ctxlog.viewer.recognize.formats._text import CLOCK, DAY, TextFormat

FORMATS = (
    Format(
        "zap",
        '{"level":"error","ts":1769860800.123,"caller":"shop/payments.go:9",'
        '"msg":"payment refused","request_id":"7f3a91c2","duration":0.041,'
        '"stacktrace":"main.charge\\n\\tshop/payments.go:9"}',
        known_by="level ts msg",
        unit=1.0,
    ),
    Format(
        "zap, Google's names",
        '{"severity":"ERROR","timestamp":"2026-01-31T12:00:00.123Z",'
        '"caller":"shop/payments.go:9","message":"payment refused",'
        '"requestID":"7f3a91c2"}',
    ),
    Format(
        "zerolog",
        '{"level":"error","request_id":"7f3a91c2","dur":41.0,'
        '"time":"2026-01-31T12:00:00.123Z","message":"payment refused"}',
        known_by="level time message",
        unit=0.001,
    ),
    Format(
        "logrus",
        '{"level":"error","msg":"payment refused","request_id":"7f3a91c2",'
        '"elapsed":41000000,"time":"2026-01-31T12:00:00.123Z"}',
    ),
    Format(
        "slog",
        '{"time":"2026-01-31T13:00:00.123+01:00","level":"ERROR",'
        '"msg":"payment refused","request_id":"7f3a91c2","took":41000000}',
    ),
    Format(
        "hclog",
        '{"@level":"error","@message":"payment refused","@module":"shop",'
        '"@timestamp":"2026-01-31T12:00:00.123000Z","request_id":"7f3a91c2"}',
    ),
    Format(
        "klog",
        '{"ts":1769860800123.4,"caller":"shop/payments.go:9","msg":"payment refused",'
        '"requestID":"7f3a91c2","err":"card expired"}',
        known_by="ts msg err",
        level=40,
    ),
    Format(
        "klog, information",
        '{"ts":1769860800123.4,"caller":"shop/payments.go:9","msg":"order received",'
        '"v":0,"requestID":"7f3a91c2"}',
        known_by="ts msg v",
        level=20,
    ),
    Format(
        "tracing",
        '{"timestamp":"2026-01-31T12:00:00.123456Z","level":"ERROR",'
        '"fields":{"message":"payment refused","order":"o-7"},'
        '"target":"shop::payments","span":{"name":"charge"},'
        '"spans":[{"request_id":"7f3a91c2","name":"request"},{"name":"charge"}]}',
    ),
)

#: Of text.
TEXTS = (
    TextFormat(
        "klog, glog",
        "E0131 12:00:00.250000       1 controller.go:117] reconcile failed",
        r"(?P<level>[IWEFD])(?P<time>(?:\d{4})?\d{4} \d\d:\d\d:\d\d\.\d{6}) +"
        r"(?P<thread>\d+) (?P<caller>[^\s\]]+:\d+)\] (?P<message>.*)",
        first="IWEFD",
    ),
    TextFormat(
        "Gin",
        "[GIN] 2026/01/31 - 12:00:00 | 500 |    1.25ms |        10.0.0.7 | POST     "
        '"/orders"',
        rf"\[GIN\] (?P<time>{DAY} - {CLOCK}) \| *(?P<status>\d{{3}}) *\| *"
        r"(?P<took>[\d.]+(?:[mµn]?s)|\d+m[\d.]+s) *\| *(?P<client>\S+) *\| *"
        r'(?P<method>[A-Z]+) +"(?P<path>[^"]*)".*',
        first=r"\[",
    ),
)
