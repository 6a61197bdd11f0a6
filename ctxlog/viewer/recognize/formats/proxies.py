"""
Formats of servers and proxies in front of applications.
"""

from __future__ import annotations

from ctxlog.viewer.recognize.formats._format import Format

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
)
