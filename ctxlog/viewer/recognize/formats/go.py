"""
Formats of the loggers of Go and Rust.
"""

from __future__ import annotations

from ctxlog.viewer.recognize.formats._format import Format
from ctxlog.viewer.recognize.formats._text import (
    CLOCK,
    DAY,
    ISO,
    LEVEL,
    REQUEST,
    TextFormat,
)

FORMATS = (
    Format(
        "controller-runtime",
        '{"level":"error","ts":"2026-01-31T12:00:00.123Z","msg":"payment refused",'
        '"controller":"order","controllerKind":"Order","namespace":"shop","name":"o",'
        '"reconcileID":"7f3a91c2","error":"card expired"}',
        known_by="controller reconcileID",
        found={"id": "reconcileID"},
    ),
    Format(
        "zap, development",
        '{"L":"ERROR","T":"2026-01-31T12:00:00.123Z","C":"shop/payments.go:9",'
        '"M":"payment refused","request_id":"7f3a91c2",'
        '"S":"main.charge\\n\\tshop/payments.go:9"}',
        known_by="L T M",
        found={"time": "T", "level": "L", "message": "M", "traceback": "S"},
        unit=1.0,
    ),
    Format(
        "zap",
        '{"level":"error","ts":1769860800.123,"caller":"shop/payments.go:9",'
        '"msg":"payment refused","request_id":"7f3a91c2","duration":0.041,'
        '"stacktrace":"main.charge\\n\\tshop/payments.go:9"}',
        known_by="level ts msg",
        found={"time": "ts"},
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
        "slog-http",
        '{"time":"2026-01-31T12:00:00.123Z","level":"ERROR","msg":'
        '"503: Service Unavailable","request":{"time":"2026-01-31T12:00:00.082Z",'
        '"method":"POST","host":"shop","path":"/orders","length":2},'
        '"response":{"time":"2026-01-31T12:00:00.123Z","latency":41000000,'
        '"status":503,"length":12},"id":"7f3a91c2"}',
        known_by="level msg request response id",
        found={"id": "id"},
        unit=1e-09,
    ),
    Format(
        "Ory",
        '{"audience":"application","http_request":{"headers":{"x-request-id":'
        '"7f3a91c2"},"host":"shop","method":"POST","path":"/orders"},"http_response":'
        '{"size":12,"status":503,"took":41000000},"level":"error",'
        '"msg":"completed handling request","time":"2026-01-31T12:00:00.123Z"}',
        known_by="audience http_request http_response",
        found={"duration": "http_response.took"},
        unit=1e-09,
    ),
    Format(
        "Echo",
        '{"time":"2026-01-31T12:00:00.123Z","id":"7f3a91c2","remote_ip":"10.0.0.9",'
        '"method":"POST","uri":"/orders","status":503,"error":"","latency":41000000,'
        '"latency_human":"41ms","bytes_in":0,"bytes_out":12}',
        known_by="id latency_human",
        found={"id": "id", "duration": "latency"},
        unit=1e-09,
    ),
    Format(
        "go-kit",
        '{"caller":"payments.go:9","err":"payment refused","level":"error",'
        '"method":"charge","took":"41ms","ts":"2026-01-31T12:00:00.123Z",'
        '"request_id":"7f3a91c2"}',
    ),
    Format(
        "Linkerd, requests",
        '{"client.addr":"10.0.0.9:4321","host":"shop","method":"POST",'
        '"processing_ns":"123456","response_bytes":"12","status":503,'
        '"timestamp":"2026-01-31T12:00:00.123Z","total_ns":"41000000",'
        '"trace_id":"7f3a91c2","uri":"/orders","version":"HTTP/2.0"}',
    ),
    Format(
        "gRPC middleware, Gitaly",
        '{"correlation_id":"7f3a91c2","grpc.code":"Internal","grpc.method":"Charge",'
        '"grpc.service":"shop.Payments","grpc.time_ms":41.0,"level":"error",'
        '"msg":"payment refused","time":"2026-01-31T12:00:00.123Z"}',
    ),
    Format(
        "httplog",
        '{"time":"2026-01-31T12:00:00.123Z","level":"ERROR",'
        '"msg":"Response: 503 Server Error","service":"shop","httpRequest":'
        '{"url":"http://shop/orders","method":"POST","path":"/orders",'
        '"requestID":"7f3a91c2"},"httpResponse":{"status":503,"bytes":12,'
        '"elapsed":41.0}}',
        known_by="httpRequest httpResponse",
        found={"duration": "httpResponse.elapsed"},
        unit=0.001,
    ),
    Format(
        "hclog",
        '{"@level":"error","@message":"payment refused","@module":"shop",'
        '"@timestamp":"2026-01-31T12:00:00.123000Z","request_id":"7f3a91c2"}',
    ),
    Format(
        "Kubernetes, requests",
        '{"ts":1769860800123.4,"caller":"httplog/httplog.go:132","msg":"HTTP","v":3,'
        '"verb":"POST","URI":"/orders","latency":"41ms","audit-ID":"7f3a91c2",'
        '"resp":503}',
        known_by="ts msg verb resp",
        found={"status": "resp"},
        level=20,
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
    Format(
        "lager",
        '{"timestamp":"1769860800.123000000","source":"shop","message":'
        '"payment refused","log_level":2,"data":{"request_id":"7f3a91c2"}}',
        known_by="timestamp source message log_level",
        found={"level": "log_level"},
        scale="lager",
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
        within=r'^"HTTP" verb="(?P<method>[A-Z]+)" URI="(?P<path>[^"]+)" latency="'
        r'(?P<took>[\d.]+(?:[mµn]?s))".*? audit-ID="(?P<request_id>[^"]+)".* '
        r"resp=(?P<status>\d{3})",
    ),
    TextFormat(
        "logrus (terminal)",
        "ERRO[2026-01-31T12:00:00Z] payment refused        request_id=7f3a91c2",
        rf"(?P<level>TRAC|DEBU|INFO|WARN|ERRO|FATA|PANI)\[(?:(?P<time>{ISO})|"
        r"(?P<elapsed>\d{4,}))\] *(?P<message>.*)",
        first="TDIWEFP",
    ),
    TextFormat(
        "zap (console, epoch)",
        '1.7698608002500000e+09\terror\tshop/main.go:7\tpayment refused\t{"order": 7}',
        rf"(?P<time>\d\.\d+e\+09|\d{{10}}\.\d+)\t(?P<level>{LEVEL})\t(?P<message>.*)",
        first="0-9",
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
    TextFormat(
        "chi",
        '2026/01/31 12:00:00 [shop/aBcDeF-000001] "GET http://shop/orders/7 HTTP/1.1" '
        "from 10.0.0.7:51034 - 500 12B in 41.2ms",
        rf"(?P<time>{ISO}) \[(?P<request_id>[^\s\]/]+/[\w-]+-\d+)\] {REQUEST} from "
        r"(?P<client>\S+) - (?P<status>\d{3}) (?P<size>\d+)B in "
        r"(?P<took>[\d.]+(?:[mµn]?s))",
        first="0-9",
        needs='" from ',
    ),
    TextFormat(
        "Fiber",
        "12:00:00 | 500 |  41.2ms |  10.0.0.7 | GET     | /orders/7 | refused",
        rf"(?P<time>{CLOCK}) \| +(?P<status>\d{{3}}) \| +(?P<took>[\d.]+(?:[mµn]?s)) "
        r"\| +(?P<client>\S+) \| +(?P<method>[A-Z]+) +\| +(?P<path>\S+)"
        r"(?: +\| (?P<error>.*))?",
        first="0-9",
        needs=" | ",
    ),
    TextFormat(
        "zerolog (console)",
        "12:00PM ERR payment refused request_id=7f3a91c2",
        rf"(?P<time>\d{{1,2}}:\d\d[AP]M) (?P<level>{LEVEL}) "
        r"(?P<message>.*)",
        first="0-9",
    ),
    TextFormat(
        "env_logger, Actix",
        '[2026-01-31T12:00:00Z INFO  actix_web::middleware::logger] 10.0.0.7 "GET '
        '/orders/7 HTTP/1.1" 500 12 "-" "curl/8.5.0" 0.041',
        rf"\[(?P<time>{ISO}) (?P<level>{LEVEL}) +(?P<logger>[\w:-]+)\] (?P<message>.*)",
        first=r"\[",
        within=r'^\S+ "(?P<method>[A-Z]{3,17}) (?P<path>\S+)[^"]*" (?P<status>\d{3}) '
        r'\S+ "[^"]*" "[^"]*" (?P<s>[\d.]+)$',
    ),
    TextFormat(
        "CockroachDB",
        "E260131 12:00:00.250123 7 sql/exec.go:42 ⋮ [T1,n1,client=10.0.0.7:51034] 15  "
        "payment refused",
        rf"(?P<level>[IWEF])(?P<time>\d{{6}} {CLOCK}) (?P<thread>\d+) "
        r"(?P<caller>(?:\d+@)?[^\s\]]+:\d+) +(?:⋮ )?(?:\[(?P<tags>[^\]]*)\] )?"
        r"(?:\d+ +)?(?P<message>.*)",
        first="IWEF",
    ),
    TextFormat(
        "etcd (before 3.5)",
        "2026-01-31 12:00:00.250123 E | etcdserver: publish error: timed out",
        rf"(?P<time>{ISO}) (?P<level>[TDINWEC]) \| (?P<message>.*)",
        first="0-9",
        needs=" | ",
    ),
    TextFormat(
        "Abseil (before its start)",
        "I0000 00:00:1769860800.250000       7 orders.cc:42] payment refused",
        r"(?P<level>[IWEF])0000 00:00:(?P<time>\d{10}\.\d{6}) +(?P<thread>\d+) "
        r"(?P<caller>[^\s\]]+:\d+)\] (?P<message>.*)",
        first="IWEF",
    ),
)
