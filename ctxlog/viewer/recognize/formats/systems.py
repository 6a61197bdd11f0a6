"""
Formats of databases, of systems and of what collects lines.
"""

from __future__ import annotations

from ctxlog.viewer.recognize.formats._format import Format
from ctxlog.viewer.recognize.formats._text import CLOCK, DAY, ISO, TextFormat

FORMATS = (
    Format(
        "Kubernetes audit",
        '{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata",'
        '"auditID":"7f3a91c2","stage":"ResponseComplete",'
        '"requestURI":"/api/v1/namespaces/shop/pods","verb":"create",'
        '"user":{"username":"alice","groups":["dev"]},"sourceIPs":["10.0.0.9"],'
        '"responseStatus":{"metadata":{},"code":503},'
        '"requestReceivedTimestamp":"2026-01-31T12:00:00.123000Z",'
        '"stageTimestamp":"2026-01-31T12:00:00.164000Z"}',
        known_by="auditID stage",
        found={"time": "requestReceivedTimestamp"},
        begins=True,
    ),
    Format(
        "MongoDB",
        '{"t":{"$date":"2026-01-31T12:00:00.123+00:00"},"s":"E","c":"COMMAND",'
        '"id":51803,"ctx":"conn9","msg":"Slow query","attr":{"ns":"shop.orders",'
        '"durationMillis":41}}',
        known_by="t s c msg",
        found={"time": "t", "level": "s", "duration": "attr.durationMillis"},
    ),
    Format(
        "PostgreSQL",
        '{"timestamp":"2026-01-31 12:00:00.123 UTC","user":"alice","dbname":"shop",'
        '"pid":71,"remote_host":"10.0.0.9","session_id":"697df0.47","line_num":1,'
        '"ps":"INSERT","session_start":"2026-01-31 11:59:00 UTC",'
        '"error_severity":"ERROR","message":"payment refused",'
        '"application_name":"shop","backend_type":"client backend"}',
    ),
    Format(
        "systemd journal",
        '{"__REALTIME_TIMESTAMP":"1769860800123000","__CURSOR":"s=1","_BOOT_ID":"b1",'
        '"PRIORITY":"3","SYSLOG_IDENTIFIER":"shop","_PID":"71",'
        '"MESSAGE":"payment refused","REQUEST_ID":"7f3a91c2"}',
    ),
    Format(
        "systemd journal, a JSON line",
        '{"__REALTIME_TIMESTAMP":"1769860800123000","PRIORITY":"6",'
        '"SYSLOG_IDENTIFIER":"shop","MESSAGE":"{\\"level\\":\\"error\\",'
        '\\"request_id\\":\\"7f3a91c2\\",\\"msg\\":\\"payment refused\\"}"}',
    ),
    Format(
        "OpenTelemetry, ClickHouse",
        '{"Timestamp":"2026-01-31 12:00:00.123","TraceId":"c3","SpanId":"b2",'
        '"SeverityText":"ERROR","SeverityNumber":17,"ServiceName":"shop",'
        '"Body":"payment refused","ResourceAttributes":{},'
        '"LogAttributes":{"request.id":"7f3a91c2"}}',
    ),
    Format(
        "logcli",
        '{"labels":{"app":"shop"},"line":"{\\"level\\":\\"error\\",'
        '\\"request_id\\":\\"7f3a91c2\\",\\"msg\\":\\"payment refused\\"}",'
        '"timestamp":"2026-01-31T12:00:00.123Z"}',
    ),
    Format(
        "Docker json-file",
        '{"log":"{\\"level\\":\\"error\\",\\"request_id\\":\\"7f3a91c2\\",'
        '\\"msg\\":\\"payment refused\\"}\\n","stream":"stderr",'
        '"time":"2026-01-31T12:00:00.123Z"}',
    ),
    Format(
        "Fluent Bit",
        '{"date":1769860800.123,"log":"{\\"level\\":\\"error\\",'
        '\\"request_id\\":\\"7f3a91c2\\",\\"msg\\":\\"payment refused\\"}",'
        '"stream":"stderr","kubernetes":{"pod_name":"shop-1",'
        '"namespace_name":"shop"}}',
    ),
    Format(
        "Fluent Bit, merged",
        '{"date":1769860800.123,"stream":"stderr","log_processed":{"level":"error",'
        '"request_id":"7f3a91c2","msg":"payment refused"},'
        '"kubernetes":{"pod_name":"shop-1","namespace_name":"shop"}}',
    ),
    Format(
        "Vector",
        '{"file":"/var/log/shop.log","host":"shop-1",'
        '"message":"{\\"level\\":\\"error\\",\\"request_id\\":\\"7f3a91c2\\",'
        '\\"msg\\":\\"payment refused\\"}","source_type":"file",'
        '"timestamp":"2026-01-31T12:00:00.123Z"}',
    ),
    Format(
        "OpenTelemetry, file exporter",
        '{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name",'
        '"value":{"stringValue":"shop"}}]},"scopeLogs":[{"scope":{"name":"shop"},'
        '"logRecords":[{"timeUnixNano":"1769860800123000000","severityNumber":17,'
        '"severityText":"ERROR","body":{"stringValue":"payment refused"},'
        '"attributes":[{"key":"request_id","value":{"stringValue":"7f3a91c2"}}],'
        '"traceId":"c3","spanId":"b2"}]}]}]}',
    ),
    Format(
        "OpenTelemetry, flattened",
        '{"timestamp":"2026-01-31T12:00:00.123Z","severity_number":17,'
        '"body":"payment refused","attributes":{"request.id":"7f3a91c2"},'
        '"resource":{"service.name":"shop"},"trace_id":"c3","span_id":"b2"}',
    ),
    Format(
        "GELF",
        '{"version":"1.1","host":"shop-1","short_message":"payment refused",'
        '"timestamp":1769860800.123,"level":3,"_request_id":"7f3a91c2"}',
        known_by="short_message",
        scale="syslog",
    ),
)

#: Of text.
TEXTS = (
    TextFormat(
        "PostgreSQL",
        "2026-01-31 12:00:00.250 UTC [77] shop@orders ERROR:  relation is missing",
        rf"(?P<time>{DAY} {CLOCK} (?:[A-Z]{{3,5}}|[+-]\d\d(?::?\d\d)?)) "
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
        rf"(?P<time>\d\d [A-Z][a-z]{{2}} \d{{4}} {CLOCK}) "
        r"(?P<level>[.*#-]) (?P<message>.*)",
        first="0-9",
    ),
    TextFormat(
        "Elasticsearch",
        "[2026-01-31T12:00:00,250][ERROR][o.e.n.Node] [node-1] failed to start",
        rf"\[(?P<time>{ISO})\]\[(?P<level>[A-Z]+) *\]\[(?P<logger>[^\]]*)\] ?"
        r"(?P<message>.*)",
        first=r"\[",
    ),
)
