"""
Formats of the services of Amazon, Google and others.
"""

from __future__ import annotations

from ctxlog.viewer.recognize.formats._format import Format
from ctxlog.viewer.recognize.formats._text import (
    CLF_TIME,
    CLOCK,
    DAY,
    ISO,
    LEVEL,
    REQUEST,
    TextFormat,
)

FORMATS = (
    Format(
        "AWS Lambda, Python",
        '{"timestamp":"2026-01-31T12:00:00Z","level":"ERROR",'
        '"message":"payment refused","logger":"root","requestId":"7f3a91c2"}',
    ),
    Format(
        "AWS Lambda, Node.js",
        '{"timestamp":"2026-01-31T12:00:00.123Z","level":"ERROR",'
        '"requestId":"7f3a91c2","message":"payment refused"}',
    ),
    Format(
        "AWS Lambda, platform",
        '{"time":"2026-01-31T12:00:00.123Z","type":"platform.report",'
        '"record":{"requestId":"7f3a91c2","metrics":{"durationMs":41.0,'
        '"billedDurationMs":42,"memorySizeMB":128,"maxMemoryUsedMB":80},'
        '"status":"success"}}',
        known_by="time type record",
        found={
            "message": "record.message type",
            "level": "record.level record.status",
            "duration": "record.metrics.durationMs",
        },
        scale="Lambda",
    ),
    Format(
        "Powertools, Python",
        '{"level":"ERROR","location":"charge:9","message":"payment refused",'
        '"timestamp":"2026-01-31 12:00:00,123+0000","service":"shop",'
        '"cold_start":false,"function_name":"shop","function_memory_size":"128",'
        '"function_arn":"arn:aws:lambda:eu-west-1:1:function:shop",'
        '"function_request_id":"7f3a91c2","xray_trace_id":"1-c3-d4"}',
    ),
    Format(
        "Powertools, TypeScript",
        '{"level":"ERROR","message":"payment refused","sampling_rate":0,'
        '"service":"shop","timestamp":"2026-01-31T12:00:00.123Z",'
        '"xray_trace_id":"1-c3-d4","cold_start":false,"function_name":"shop",'
        '"function_request_id":"7f3a91c2"}',
    ),
    Format(
        "Powertools, Java",
        '{"@timestamp":"2026-01-31T12:00:00.123Z","ecs.version":"1.2.0",'
        '"level":"ERROR","message":"payment refused","cold_start":false,'
        '"function_name":"shop","function_request_id":"7f3a91c2","service":"shop",'
        '"xray_trace_id":"1-c3-d4"}',
    ),
    Format(
        "Powertools, .NET",
        '{"level":"Error","message":"payment refused",'
        '"timestamp":"2026-01-31T12:00:00.1230000Z","service":"shop",'
        '"cold_start":false,"function_name":"shop","function_request_id":"7f3a91c2",'
        '"xray_trace_id":"1-c3-d4","name":"Shop.Payments"}',
    ),
    Format(
        "CloudWatch, events",
        '{"logStreamName":"shop/1","timestamp":1769860800123,'
        '"message":"{\\"level\\":\\"ERROR\\",\\"request_id\\":\\"7f3a91c2\\",'
        '\\"message\\":\\"payment refused\\"}","ingestionTime":1769860801000,'
        '"eventId":"3712"}',
    ),
    Format(
        "CloudWatch, subscription",
        '{"messageType":"DATA_MESSAGE","owner":"1","logGroup":"shop",'
        '"logStream":"shop/1","subscriptionFilters":["all"],'
        '"logEvents":[{"id":"3712","timestamp":1769860800123,'
        '"message":"{\\"level\\":\\"ERROR\\",\\"request_id\\":\\"7f3a91c2\\",'
        '\\"message\\":\\"payment refused\\"}"}]}',
    ),
    Format(
        "CloudWatch, Insights",
        '{"@timestamp":"2026-01-31 12:00:00.123","@message":"payment refused",'
        '"@requestId":"7f3a91c2","@logStream":"shop/1","@ptr":"Cm0K"}',
    ),
    Format(
        "Google Cloud, jsonPayload",
        '{"insertId":"a1","jsonPayload":{"message":"payment refused",'
        '"requestId":"7f3a91c2","order":"o-7"},"resource":{"type":"k8s_container",'
        '"labels":{"pod_name":"shop-1"}},"timestamp":"2026-01-31T12:00:00.123Z",'
        '"severity":"ERROR","logName":"projects/shop/logs/stderr"}',
    ),
    Format(
        "Google Cloud, textPayload",
        '{"insertId":"a1","textPayload":"payment refused",'
        '"resource":{"type":"cloud_run_revision","labels":{"service_name":"shop"}},'
        '"timestamp":"2026-01-31T12:00:00.123Z","severity":"ERROR",'
        '"logName":"projects/shop/logs/run.googleapis.com%2Fstderr",'
        '"trace":"projects/shop/traces/7f3a91c2"}',
    ),
    Format(
        "Google Cloud, httpRequest",
        '{"insertId":"a1","httpRequest":{"requestMethod":"POST",'
        '"requestUrl":"/orders","status":503,"latency":"0.041s",'
        '"remoteIp":"10.0.0.9","protocol":"HTTP/1.1"},'
        '"resource":{"type":"cloud_run_revision","labels":{"service_name":"shop"}},'
        '"timestamp":"2026-01-31T12:00:00.123Z","severity":"ERROR",'
        '"logName":"projects/shop/logs/run.googleapis.com%2Frequests",'
        '"trace":"projects/shop/traces/7f3a91c2"}',
    ),
    Format(
        "Datadog",
        '{"timestamp":"2026-01-31T12:00:00.123Z","status":"error",'
        '"message":"payment refused","logger.name":"shop","service":"shop",'
        '"dd.trace_id":"7f3a91c2","dd.span_id":"91",'
        '"http.url_details.path":"/orders","http.method":"POST",'
        '"http.status_code":503,"duration":41000000}',
        known_by="http.url_details.path",
        unit=1e-09,
    ),
    Format(
        "Datadog, object",
        '{"date":"2026-01-31T12:00:00.123Z","level":"error",'
        '"message":"payment refused","dd":{"trace_id":"7f3a91c2","span_id":"91",'
        '"service":"shop"}}',
    ),
    Format(
        "Heroku, router",
        '{"timestamp":"2026-01-31T12:00:00.123Z","app_name":"heroku",'
        '"proc_id":"router","source_type":"heroku_logs",'
        '"message":"at=error code=H12 desc=\\"payment refused\\" method=POST '
        'path=/orders request_id=7f3a91c2 service=41ms status=503"}',
        known_by="source_type proc_id service",
        found={"duration": "service", "message": "desc", "level": "at"},
    ),
    Format(
        "Amazon API Gateway",
        '{"requestId":"7f3a91c2","ip":"10.0.0.9","caller":"-","user":"-",'
        '"requestTime":"31/Jan/2026:12:00:00 +0000","httpMethod":"POST",'
        '"resourcePath":"/orders","status":"503","responseLatency":"41",'
        '"protocol":"HTTP/1.1","responseLength":"91"}',
        known_by="requestTime httpMethod",
        found={"path": "path resourcePath", "time": "requestTime"},
        unit=0.001,
    ),
    Format(
        "AWS CloudTrail",
        '{"eventVersion":"1.11","userIdentity":{"type":"IAMUser","userName":"alice"},'
        '"eventTime":"2026-01-31T12:00:00Z","eventSource":"s3.amazonaws.com",'
        '"eventName":"PutObject","requestID":"7f3a91c2","eventID":"e1"}',
        known_by="eventTime eventName eventSource",
        found={"message": "eventName", "user": "userIdentity.userName"},
    ),
    Format(
        "CloudFront",
        '{"date":"2026-01-31","time":"12:00:00","x-edge-location":"FRA2",'
        '"c-ip":"10.0.0.9","cs-method":"POST","cs(Host)":"shop","cs-uri-stem":'
        '"/orders","sc-status":"503","x-edge-request-id":"7f3a91c2",'
        '"time-taken":"0.041"}',
        known_by="x-edge-request-id",
        found={"id": "x-edge-request-id"},
        unit=1.0,
    ),
    Format(
        "Google Cloud, audit",
        '{"protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog",'
        '"status":{"code":7,"message":"permission denied"},"authenticationInfo":'
        '{"principalEmail":"alice"},"methodName":"storage.objects.create"},'
        '"insertId":"a1","timestamp":"2026-01-31T12:00:00.123Z","severity":"ERROR",'
        '"logName":"projects/shop/logs/cloudaudit.googleapis.com%2Fdata_access"}',
        known_by="protoPayload logName",
        found={
            "message": "protoPayload.methodName",
            "path": "protoPayload.resource",
            "user": "protoPayload.authenticationInfo.principalEmail",
        },
    ),
    Format(
        "Cloudflare Workers",
        '{"Event":{"RayID":"7f3a91c2","Request":{"URL":"/orders","Method":"POST"},'
        '"Response":{"Status":503}},"EventTimestampMs":1769860800123,"EventType":'
        '"fetch","Exceptions":[{"Name":"Error","Message":"payment refused"}],'
        '"Logs":[],"Outcome":"exception","ScriptName":"shop"}',
        known_by="EventTimestampMs Outcome",
        found={
            "time": "EventTimestampMs",
            "level": "Outcome",
            "message": "Exceptions.Message",
            "status": "Event.Response.Status",
            "path": "Event.Request.URL",
            "method": "Event.Request.Method",
            "service": "ScriptName",
        },
        scale="Workers",
    ),
    Format(
        "Cloudflare",
        '{"RayID":"7f3a91c2","EdgeStartTimestamp":"2026-01-31T12:00:00.123Z",'
        '"ClientRequestMethod":"POST","ClientRequestURI":"/orders",'
        '"EdgeResponseStatus":503,"ClientIP":"10.0.0.9"}',
    ),
    Format(
        "Datadog, API",
        '{"id":"AQA","type":"log",'
        '"attributes":{"timestamp":"2026-01-31T12:00:00.123Z","status":"error",'
        '"service":"shop","message":"payment refused",'
        '"attributes":{"request_id":"7f3a91c2"}}}',
        known_by="id type attributes",
        found={
            "time": "attributes.timestamp",
            "level": "attributes.status",
            "message": "attributes.message",
        },
    ),
    Format(
        "Fastly",
        '{"timestamp":"2026-01-31T12:00:00","time_elapsed":41000,"client_ip":'
        '"10.0.0.9","request":"POST","url":"/orders","response_status":503,'
        '"request_id":"7f3a91c2"}',
        known_by="time_elapsed url request",
        found={"method": "request"},
        unit=1e-06,
    ),
    Format(
        "CloudWatch, embedded metrics",
        '{"_aws":{"Timestamp":1769860800123,"CloudWatchMetrics":[]},"service":"shop",'
        '"level":"ERROR","message":"payment refused","requestId":"7f3a91c2"}',
        known_by="_aws",
        found={"time": "_aws.Timestamp"},
    ),
    Format(
        "AWS CloudTrail, file",
        '{"Records":[{"eventVersion":"1.11","userIdentity":{"userName":"alice"},'
        '"eventTime":"2026-01-31T12:00:00Z","eventSource":"s3.amazonaws.com",'
        '"eventName":"PutObject","requestID":"7f3a91c2","eventID":"e1"}]}',
    ),
    Format(
        "AWS Step Functions",
        '{"id":"2","type":"ExecutionFailed","details":{"cause":"card expired"},'
        '"previous_event_id":"1","event_timestamp":"1769860800123",'
        '"execution_arn":"7f3a91c2"}',
        known_by="event_timestamp execution_arn",
        found={"id": "execution_arn", "message": "type"},
    ),
    Format(
        "AWS Lambda, telemetry",
        '{"time":"2026-01-31T12:00:00.123Z","type":"function","record":{"timestamp":'
        '"2026-01-31T12:00:00.123Z","level":"ERROR","message":"payment refused",'
        '"requestId":"7f3a91c2"}}',
    ),
    Format(
        "Google Cloud, answer",
        '{"entries":[{"insertId":"a1","jsonPayload":{"message":"payment refused",'
        '"requestId":"7f3a91c2"},"timestamp":"2026-01-31T12:00:00.123Z",'
        '"severity":"ERROR"}],"nextPageToken":"x"}',
    ),
)

#: Of text.
TEXTS = (
    TextFormat(
        "AWS Lambda (Node.js)",
        "2026-01-31T12:00:00.250Z\t4f1c22ab-90d3-4e5c-8ab1-7d2e1f0a9b8c\tERROR\trefused",
        rf"(?P<time>{ISO})\t(?:undefined|(?P<request_id>[0-9a-f-]{{36}}))\t"
        rf"(?P<level>{LEVEL}|fail|trce)\t(?P<message>.*)",
        first="0-9",
        needs="\t",
    ),
    TextFormat(
        "AWS Lambda (Python)",
        "[ERROR]\t2026-01-31T12:00:00.250Z\t4f1c22ab-90d3-4e5c-8ab1-7d2e1f0a9b8c\tno",
        rf"\[(?P<level>{LEVEL})\]\t(?P<time>{ISO})\t(?P<request_id>[0-9a-f-]{{36}})\t"
        r"(?P<message>.*)",
        first=r"\[",
    ),
    TextFormat(
        "AWS Lambda (platform)",
        "REPORT RequestId: 4f1c22ab-90d3-4e5c-8ab1-7d2e1f0a9b8c\tDuration: 12.5 ms",
        r"(?P<message>(?:(?:START|END|REPORT) RequestId: (?P<request_id>[0-9a-f-]{36})"
        r"(?:\s+Duration: (?P<ms>[\d.]+) ms)?|INIT_(?:START|REPORT) )"
        r"(?:.*Status: (?P<level>timeout|error))?.*)",
        first="SERI",
    ),
    TextFormat(
        "AWS Lambda (failures)",
        "2026-01-31T12:00:03.250Z 4f1c22ab-90d3-4e5c-8ab1-7d2e1f0a9b8c Task timed out "
        "after 3.00 seconds",
        rf"(?:(?P<time>{ISO}) )?(?:RequestId: )?(?P<request_id>[0-9a-f-]{{36}}) "
        r"(?P<message>(?P<level>Task timed out|Error)\b.*)",
        first="0-9a-fR",
    ),
    TextFormat(
        "Amazon API Gateway (execution log)",
        "(4f1c22ab-90d3-4e5c-8ab1-7d2e1f0a9b8c) Method completed with status: 500",
        r"\((?P<request_id>[0-9a-f-]{36})\) (?P<message>.*)",
        first=r"\(",
        within=r"^Method completed with status: (?P<status>\d{3})$",
    ),
    TextFormat(
        "AWS load balancers (application, classic)",
        "https 2026-01-31T12:00:00.250000Z app/shop/50dc6c495c0c9188 10.0.0.7:51034 "
        '10.1.0.7:80 0.000 0.041 0.000 500 500 34 366 "GET https://shop:443/orders/7 '
        'HTTP/1.1" "curl/8.5.0" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:aws:shop '
        '"Root=1-58337262-36d228ad5d99923122bbe354" "shop" "-" 0',
        rf"(?:(?:https?|h2|grpcs?|wss?) )?(?P<time>{ISO}) (?P<balancer>\S+) "
        r"(?P<client>\S+:\d+) (?P<target>\S+) -?[\d.]+ (?P<s>-?[\d.]+) -?[\d.]+ "
        rf"(?P<status>\d{{3}}|-) (?:\d{{3}}|-) \d+ (?P<size>\d+) {REQUEST} "
        r'"[^"]*" \S+ \S+(?: \S+ "(?P<trace_id>[^"]*)".*)?',
        first=r"hgw\d",
        needs='"',
    ),
    TextFormat(
        "Amazon S3 (access log)",
        "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be shop "
        "[31/Jan/2026:12:00:00 +0000] 10.0.0.7 alice 3E57427F3EXAMPLE REST.GET.OBJECT "
        'orders/7 "GET /shop/orders/7 HTTP/1.1" 503 SlowDown 113 - 41 - "-" "curl" -',
        rf"[0-9a-f]{{64}} (?P<bucket>\S+) \[(?P<time>{CLF_TIME})\] (?P<client>\S+) "
        r"(?P<user>\S+) (?P<request_id>\S+) (?P<operation>[A-Z]+\.\S+) (?P<key>\S+) "
        rf"{REQUEST} (?P<status>\d{{3}}|-) (?P<error>\S+) (?P<size>\d+|-) \S+ "
        r"(?P<ms>\d+|-) .*",
        first="0-9a-f",
    ),
    TextFormat(
        "Amazon CloudFront (standard log)",
        "2026-01-31\t12:00:00\tFRA2\t2390\t10.0.0.7\tGET\td1.cloudfront.net\t/orders/7"
        "\t502\t-\tcurl/8.5.0\t-\t-\tError\tSOX4xwn4XV6Q4rgb7XiVGOHms_BGlTAC4KyHmA=="
        "\tshop.example\thttps\t23\t0.041\t-\tTLSv1.2\tECDHE\tError\tHTTP/2.0\t-\t-",
        rf"(?P<time>{DAY}\t{CLOCK})\t(?P<edge>\S+)\t(?P<size>\d+)\t(?P<client>\S+)\t"
        r"(?P<method>[A-Z]+)\t\S+\t(?P<path>\S+)\t(?P<status>\d{3})\t(?:[^\t]*\t){5}"
        r"(?P<request_id>\S+)\t(?P<host>\S+)\t\S+\t\S+\t(?P<s>[\d.]+)(?:\t.*)?",
        first="0-9",
        needs="\t",
    ),
    TextFormat(
        "Azure Functions",
        "2026-01-31T12:00:00.250 [Error] Executed 'Functions.Orders' (Failed, "
        "Id=4f1c22ab-90d3-4e5c-8ab1-7d2e1f0a9b8c, Duration=41ms)",
        rf"\[?(?P<time>{ISO})\]? +(?:\[(?P<level>{LEVEL})\] +)?"
        r"(?P<message>Execut(?:ing|ed) '(?P<route>[\w.-]+)' \(.*)",
        first=r"\[\d",
        needs="Execut",
        within=r"(?:\((?P<level>Failed), )?\bId=(?P<request_id>[0-9a-f-]{36})"
        r"(?:, Duration=(?P<ms>\d+)ms)?",
    ),
    TextFormat(
        "Google Cloud Run (gcloud run services logs read)",
        "2026-01-31 12:00:00 GET 500 https://shop.example/orders/7",
        rf"(?P<time>{DAY} {CLOCK}) (?P<method>[A-Z]{{3,7}}) (?P<status>\d{{3}}) "
        r"(?P<path>\S+)",
        first="0-9",
    ),
    TextFormat(
        "AWS load balancers (network)",
        "tls 2.0 2026-01-31T12:00:00 net/shop/c6e77e28c25b2234 g3d4b5e8bb8464cd "
        "10.0.0.7:51034 10.1.0.7:443 41 2 98 246 - arn:aws:shop - ECDHE tlsv12 - shop",
        rf"tls \d\.\d (?P<time>{ISO}) (?P<message>(?P<balancer>net/\S+) \S+ "
        r"(?P<client>\S+:\d+) .*)",
        first="t",
    ),
    TextFormat(
        "Amazon VPC (flow log)",
        "2 123456789010 eni-1235b8ca 10.0.0.7 10.1.0.7 51034 22 6 20 4249 1769860800 "
        "1769860860 REJECT OK",
        r"\d \d{12} (?P<message>eni-\w+ (?P<client>\S+) .* (?P<time>\d{10}) \d{10} "
        r"(?:ACCEPT|REJECT|-) (?:OK|NODATA|SKIPDATA))",
        first="0-9",
        needs=" eni-",
    ),
)
