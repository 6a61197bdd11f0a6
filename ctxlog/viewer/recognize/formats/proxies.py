"""
Formats of servers and proxies in front of applications.
"""

from __future__ import annotations

from ctxlog.viewer.recognize.formats._format import Format
from ctxlog.viewer.recognize.formats._text import (
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
        "nginx",
        '{"time_local":"31/Jan/2026:12:00:00 +0000","remote_addr":"10.0.0.9",'
        '"remote_user":"alice","request":"POST /orders HTTP/1.1","status":"503",'
        '"body_bytes_sent":"91","request_time":"0.041","http_referrer":"",'
        '"http_user_agent":"curl/8.5.0","request_id":"7f3a91c2"}',
    ),
    Format(
        "nginx, msec",
        '{"msec":"1769860800.123","request_method":"POST","request_uri":"/orders",'
        '"status":503,"request_time":0.041,"upstream_response_time":"0.040",'
        '"request_id":"7f3a91c2"}',
    ),
    Format(
        "Envoy",
        '{"start_time":"2026-01-31T12:00:00.123Z","method":"POST","path":"/orders",'
        '"protocol":"HTTP/1.1","response_code":503,"response_flags":"UH",'
        '"bytes_received":12,"bytes_sent":91,"duration":41,'
        '"upstream_service_time":null,"x_forwarded_for":null,'
        '"user_agent":"curl/8.5.0","request_id":"7f3a91c2","authority":"shop",'
        '"upstream_host":null}',
        known_by="start_time response_code",
        unit=0.001,
        begins=True,
    ),
    Format(
        "Istio",
        '{"start_time":"2026-01-31T12:00:00.123Z","method":"POST","path":"/orders",'
        '"protocol":"HTTP/2","response_code":503,"response_flags":"UF",'
        '"response_code_details":"upstream_reset_before_response_started",'
        '"requested_server_name":null,"route_name":"default","duration":41,'
        '"upstream_cluster":"outbound|80||shop","request_id":"7f3a91c2"}',
    ),
    Format(
        "Traefik",
        '{"ClientAddr":"10.0.0.9:4321","ClientUsername":"alice",'
        '"DownstreamStatus":503,"Duration":41000000,"OriginDuration":40000000,'
        '"OriginStatus":503,"Overhead":1000000,"RequestMethod":"POST",'
        '"RequestPath":"/orders","RequestProtocol":"HTTP/1.1",'
        '"RouterName":"shop@docker","StartUTC":"2026-01-31T12:00:00.123Z",'
        '"level":"info","msg":"","request_X-Request-Id":"7f3a91c2",'
        '"time":"2026-01-31T12:00:00Z"}',
        known_by="DownstreamStatus StartUTC",
        found={
            "time": "StartUTC",
            "duration": "Duration",
            "status": "DownstreamStatus",
        },
        unit=1e-09,
        begins=True,
    ),
    Format(
        "Caddy",
        '{"level":"error","ts":1769860800.123,"logger":"http.log.access",'
        '"msg":"handled request","request":{"remote_ip":"10.0.0.9",'
        '"proto":"HTTP/2.0","method":"POST","host":"shop","uri":"/orders",'
        '"headers":{"User-Agent":["curl/8.5.0"],"X-Request-Id":["7f3a91c2"]}},'
        '"user_id":"alice","duration":0.041,"size":91,"status":503,'
        '"resp_headers":{"Server":["Caddy"]}}',
    ),
    Format(
        "HAProxy, names of its manual",
        '{"accept_date":"31/Jan/2026:12:00:00.123","client_ip":"10.0.0.9",'
        '"frontend_name":"shop","backend_name":"shop","server_name":"s1",'
        '"unique_id":"7f3a91c2","http_request":"POST /orders HTTP/1.1",'
        '"status_code":503,"Ta":41,"bytes_read":91}',
        known_by="frontend_name backend_name",
        found={"id": "unique_id", "duration": "Ta Tt"},
        unit=0.001,
        begins=True,
    ),
    Format(
        "HAProxy",
        '{"timestamp":"2026-01-31T12:00:00.123Z","frontend":"shop","backend":"shop",'
        '"server":"s1","unique_id":"7f3a91c2","http_method":"POST",'
        '"http_uri":"/orders","status_code":503,"time_total":41,"bytes_read":91}',
        known_by="frontend backend unique_id",
        found={"id": "unique_id", "path": "http_uri", "duration": "time_total"},
        unit=0.001,
    ),
    Format(
        "Kong",
        '{"request":{"id":"7f3a91c2","method":"POST","uri":"/orders",'
        '"url":"http://shop/orders","headers":{"host":"shop"}},'
        '"response":{"status":503,"size":91},"latencies":{"request":41,"kong":1,'
        '"proxy":40},"started_at":1769860800123,"client_ip":"10.0.0.9"}',
        known_by="latencies started_at",
        found={
            "time": "started_at",
            "path": "request.uri",
            "duration": "latencies.request",
        },
        unit=0.001,
        begins=True,
    ),
    Format(
        "Contour",
        '{"@timestamp":"2026-01-31T12:00:00.123Z","authority":"shop","duration":41,'
        '"method":"POST","path":"/orders","request_id":"7f3a91c2",'
        '"response_code":503,"response_flags":"UH","upstream_cluster":"shop"}',
        known_by="@timestamp response_code response_flags",
        unit=0.001,
        begins=True,
    ),
    Format(
        "APISIX",
        '{"route_id":"1","start_time":1769860800123,"latency":41.0,"client_ip":'
        '"10.0.0.9","upstream_latency":40,"apisix_latency":1.0,"request":{"method":'
        '"POST","uri":"/orders","headers":{"x-request-id":"7f3a91c2"}},'
        '"response":{"status":503,"size":12}}',
        known_by="apisix_latency latency",
        found={"path": "request.uri", "duration": "latency"},
        unit=0.001,
        begins=True,
    ),
    Format(
        "Akamai",
        '{"version":1,"reqId":"7f3a91c2","reqTimeSec":"1769860800.123","cliIP":'
        '"10.0.0.9","statusCode":"503","reqHost":"shop","reqMethod":"POST",'
        '"reqPath":"/orders"}',
        known_by="reqTimeSec reqPath",
        found={"time": "reqTimeSec", "path": "reqPath", "method": "reqMethod"},
    ),
    Format(
        "nginx, Logstash's names",
        '{"@timestamp":"2026-01-31T12:00:00.123Z","clientip":"10.0.0.9",'
        '"http_x_request_id":"7f3a91c2","request":"POST /orders HTTP/1.1",'
        '"status":503,"responsetime":0.041,"upstreamtime":"0.040"}',
        known_by="responsetime upstreamtime",
        unit=1.0,
    ),
)

#: Of text.
TEXTS = (
    TextFormat(
        "access log (common, combined; Apache, nginx, gunicorn, Traefik)",
        '10.0.0.7 - alice [31/Jan/2026:12:00:00 +0000] "GET /orders/7?full=1 HTTP/1.1" '
        '500 1042 "https://shop.example/" "curl/8.5.0" 4f1c22ab90d34e5c8ab1 0.125',
        r"(?![A-Z]+:)(?:\[httpd\] |[\w.-]+:\d+ )?(?P<client>[\w.:-]{2,255})"
        r"(?: [^\s\[]\S*(?: (?P<user>\S+))?)? "
        rf"\[(?P<time>{CLF_TIME})\] {REQUEST} (?P<status>\d{{3}}|-)"
        r"(?: (?P<size>\d+|-))?(?P<rest>(?: .*)?)",
        first=r"\w:\[",
        needs='] "',
    ),
    TextFormat(
        "HAProxy (HTTP)",
        "10.0.0.7:33318 [31/Jan/2026:12:00:00.250] web~ shop/shop1 10/0/30/69/109 200 "
        '2750 - - ---- 1/1/1/1/0 0/0 {req-7f3a91} {} "GET /orders/7 HTTP/1.1"',
        rf"(?P<client>[\w.:]+):\d+ \[(?P<time>{CLF_TIME})\] (?P<frontend>\S+) "
        r"(?P<backend>[^\s/]+/\S+) (?:-?\d+/){4}\+?(?P<ms>\d+) (?P<status>\d{3}|-1) "
        r"\+?(?P<size>\d+) \S+ \S+ \S{4} \S+ \S+ (?P<rest>(?:\{[^}]*\} ){0,2})"
        rf"{REQUEST}(?: (?P<request_id>[\w:.-]{{8,128}}))?.*",
        first=r"\w:",
        needs=" [",
        begins=True,
    ),
    TextFormat(
        "HAProxy (TCP)",
        "10.0.0.7:33320 [31/Jan/2026:12:00:00.250] mysql mysql/db1 0/1/41 212 SD "
        "1/1/1/1/0 0/0",
        rf"(?P<client>[\w.:]+):\d+ \[(?P<time>{CLF_TIME})\] (?P<frontend>\S+) "
        r"(?P<message>[^\s/]+/\S+) -?\d+/-?\d+/\+?(?P<ms>\d+) \+?(?P<size>\d+) "
        r"(?P<ended>[\w-]{2}) [\d/+]+ \d+/\d+",
        first=r"\w:",
        needs=" [",
        begins=True,
    ),
    TextFormat(
        "Envoy, Istio (access log)",
        '[2026-01-31T12:00:00.250Z] "GET /orders/7 HTTP/1.1" 503 UF 0 91 12 - "-" '
        '"curl/8.5.0" "7a0e3f0c-41c8-9d1e-8a52-0d2b6fd1a7c4" "shop" "10.1.0.7:8080"',
        rf"\[(?P<time>{ISO})\] {REQUEST} (?P<status>\d{{3}}) "
        r'(?:[^"]*? )?(?:"[^"]*" )?\d+ (?P<size>\d+) (?P<ms>\d+) \S+ '
        r'(?:"[^"]*" ){2}"(?P<request_id>[^"]*)".*',
        first=r"\[",
        begins=True,
    ),
    TextFormat(
        "Cloud Foundry (router)",
        '[2026-01-31T12:00:00.250Z] "GET /orders/7 HTTP/1.1" 500 0 12 "-" "curl/8.5.0" '
        '"10.0.0.7:51034" "10.1.0.7:80" vcap_request_id:"4f1c22ab-90d3-4e5c-8ab1-'
        '7d2e1f0a9b8c" response_time:0.041 app_id:"7a0e3f0c"',
        rf"\[(?P<time>{ISO})\] {REQUEST} (?P<status>\d{{3}}) \d+ (?P<size>\d+)"
        r"(?P<rest> .*)",
        first=r"\[",
        needs="vcap_request_id",
        begins=True,
    ),
    TextFormat(
        "Envoy (messages)",
        "[2026-01-31 12:00:00.250][7][error][config] [source/grpc.cc:101] no stream",
        rf"\[(?P<time>{ISO})\]\[(?P<thread>\d+)\]\[(?P<level>{LEVEL})\]"
        r"\[(?P<logger>[^\]]*)\] (?:\[(?P<caller>[^\]]*:\d+)\] )?(?P<message>.*)",
        first=r"\[",
    ),
    TextFormat(
        "nginx (error log)",
        "2026/01/31 12:00:00 [error] 31#31: *12 connect() failed (111: Connection "
        "refused) while connecting to upstream, client: 10.0.0.7, server: shop, "
        'request: "GET /orders/7 HTTP/1.1", upstream: "http://10.1.0.7/", host: "shop"',
        rf"(?P<time>{DAY} {CLOCK}) \[(?P<level>{LEVEL})\] (?P<pid>\d+)#\d+: "
        r"(?:\*(?P<connection>\d+) )?(?P<message>.*)",
        first="0-9",
        needs="#",
        within=r', request: "(?P<method>[A-Z]+) (?P<path>[^\s"]+)',
    ),
    TextFormat(
        "Apache (error log)",
        "[Sat Jan 31 12:00:00.250000 2026] [core:error] [pid 31:tid 32] "
        "[client 10.0.0.7:51034] AH00124: Request exceeded the limit",
        rf"\[(?P<time>{CTIME})\] "
        r"\[(?:(?P<module>[\w-]*):)?(?P<level>[a-z]+\d?)\] "
        r"(?:\[pid (?P<pid>\d+)(?!\d)[^\]]*\] )?(?P<head>(?:\[[^\]]*\] )*)"
        r"(?P<message>.*)",
        first=r"\[",
    ),
)
