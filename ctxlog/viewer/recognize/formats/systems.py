"""
Formats of databases, of systems and of what collects lines.
"""

from __future__ import annotations

from ctxlog.viewer.recognize.formats._format import Format
from ctxlog.viewer.recognize.formats._text import CLOCK, DAY, ISO, LEVEL, TextFormat

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
    Format(
        "MinIO, audit",
        '{"version":"1","time":"2026-01-31T12:00:00.123Z","api":{"name":"PutObject",'
        '"status":"Slow Down","statusCode":503,"timeToResponse":"41000000ns"},'
        '"requestID":"7f3a91c2","requestPath":"/orders","userAgent":"mc"}',
        known_by="api requestPath",
        found={
            "message": "api.name",
            "status": "api.statusCode",
            "duration": "api.timeToResponse",
        },
    ),
    Format(
        "Vault, audit",
        '{"time":"2026-01-31T12:00:00.123Z","type":"response","auth":{"display_name":'
        '"token-alice"},"request":{"id":"7f3a91c2","operation":"read","path":'
        '"secret/shop"},"error":"permission denied"}',
        known_by="time type auth request",
        found={"message": "error type", "method": "request.operation"},
    ),
    Format(
        "Nextcloud",
        '{"reqId":"7f3a91c2","level":3,"time":"2026-01-31T12:00:00+00:00",'
        '"remoteAddr":"10.0.0.9","user":"alice","app":"shop","method":"POST",'
        '"url":"/orders","message":"payment refused","version":"28.0.1.1"}',
        known_by="reqId level remoteAddr app",
        scale="Ruby",
    ),
    Format(
        "Graylog",
        '{"gl2_message_id":"01H","source":"shop-1","message":"payment refused",'
        '"level":3,"request_id":"7f3a91c2","timestamp":"2026-01-31T12:00:00.123Z"}',
        known_by="gl2_message_id",
        scale="syslog",
    ),
    Format(
        "ClickHouse",
        '{"date_time":"1769860800.123000","thread_name":"TCPServer","level":"Error",'
        '"query_id":"7f3a91c2","logger_name":"executeQuery",'
        '"message":"payment refused"}',
        known_by="date_time query_id logger_name",
        found={"id": "query_id"},
    ),
    Format(
        "CockroachDB, compact",
        '{"c":1,"t":"1769860800.123000000","s":3,"sev":"E","g":71,"f":"payments.go",'
        '"l":9,"n":1,"r":1,"tags":{"request_id":"7f3a91c2"},'
        '"message":"payment refused"}',
        known_by="c t s g f l",
        found={"level": "sev s"},
        scale="CockroachDB",
    ),
    Format(
        "CockroachDB, events",
        '{"channel_numeric":9,"channel":"SQL_EXEC","timestamp":"1769860800.123000000",'
        '"severity_numeric":1,"severity":"INFO","tags":{"request_id":"7f3a91c2"},'
        '"event":{"EventType":"query_execute","Statement":"SELECT 1"}}',
        known_by="channel_numeric event",
        found={"message": "event.EventType"},
    ),
    Format(
        "CloudNativePG",
        '{"level":"info","ts":"2026-01-31T12:00:01Z","logger":"postgres",'
        '"msg":"record","logging_pod":"shop-1","record":{"log_time":'
        '"2026-01-31 12:00:00.123 UTC","error_severity":"ERROR",'
        '"message":"payment refused"}}',
        known_by="logger msg record",
        found={
            "time": "record.log_time",
            "level": "record.error_severity",
            "message": "record.message",
        },
    ),
    Format(
        "MySQL",
        '{"prio":1,"err_code":10,"subsystem":"Server","msg":"payment refused",'
        '"time":"2026-01-31T12:00:00.123000Z","ts":1769860800123,"label":"Error"}',
        known_by="prio err_code",
        found={"level": "label prio"},
        scale="MySQL",
    ),
    Format(
        "MongoDB, audit",
        '{"atype":"authenticate","ts":{"$date":"2026-01-31T12:00:00.123+00:00"},'
        '"local":{"ip":"10.0.0.1"},"remote":{"ip":"10.0.0.9"},"param":{"db":"shop"},'
        '"result":18}',
        known_by="atype ts",
        found={"message": "atype"},
    ),
    Format(
        "Consul, Nomad (audit)",
        '{"created_at":"2026-01-31T12:00:00.123Z","event_type":"audit","payload":'
        '{"id":"7f3a91c2","type":"HTTPEvent","timestamp":"2026-01-31T12:00:00.123Z",'
        '"request":{"operation":"POST","endpoint":"/orders"},"response":{"status":'
        '"503"},"stage":"OperationComplete"}}',
        known_by="created_at event_type payload",
        found={
            "id": "payload.id",
            "path": "payload.request.endpoint",
            "method": "payload.request.operation",
        },
    ),
    Format(
        "Kubernetes, events",
        '{"metadata":{"name":"shop.1","namespace":"shop"},"reason":"BackOff",'
        '"message":"payment refused","source":{"component":"kubelet"},'
        '"lastTimestamp":"2026-01-31T12:00:00Z","type":"Warning",'
        '"involvedObject":{"kind":"Pod","name":"shop-1"}}',
        known_by="involvedObject reason type",
        found={"time": "lastTimestamp eventTime", "level": "type"},
    ),
    Format(
        "Kubernetes, list of audit events",
        '{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":'
        '[{"kind":"Event","level":"Metadata","auditID":"7f3a91c2",'
        '"stage":"ResponseComplete","requestURI":"/orders","verb":"create",'
        '"user":{"username":"alice"},"responseStatus":{"code":503},'
        '"requestReceivedTimestamp":"2026-01-31T12:00:00.123000Z"}]}',
    ),
    Format(
        "Elasticsearch, answer",
        '{"took":5,"timed_out":false,"hits":{"total":{"value":1},"hits":'
        '[{"_index":"logs","_id":"a","_source":{"@timestamp":'
        '"2026-01-31T12:00:00.123Z","level":"ERROR","message":"payment refused",'
        '"request_id":"7f3a91c2"}}]}}',
    ),
    Format(
        "Loki, answer",
        '{"status":"success","data":{"resultType":"streams","result":[{"stream":'
        '{"app":"shop"},"values":[["1769860800123000000","{\\"level\\":\\"error\\",'
        '\\"request_id\\":\\"7f3a91c2\\",\\"msg\\":\\"payment refused\\"}"]]}]}}',
    ),
    Format(
        "Splunk, events",
        '{"time":"1769860800.123","host":"shop-1","sourcetype":"_json","event":'
        '{"message":"payment refused","severity":"ERROR",'
        '"properties":{"requestId":"7f3a91c2"}}}',
    ),
    Format(
        "Splunk, export",
        '{"preview":false,"offset":0,"result":{"_raw":"{\\"level\\":\\"error\\",'
        '\\"request_id\\":\\"7f3a91c2\\",\\"msg\\":\\"payment refused\\"}",'
        '"_time":"2026-01-31 12:00:00.123 UTC","host":"shop-1"}}',
    ),
    Format(
        "Hasura",
        '{"type":"http-log","timestamp":"2026-01-31T12:00:00.123+0000",'
        '"level":"error","detail":{"request_id":"7f3a91c2","http_info":{"status":503,'
        '"url":"/orders","method":"POST","ip":"10.0.0.9"}}}',
    ),
)

#: Of PostgreSQL.
_SEVERITY = (
    r"DEBUG\d?|LOG|INFO|NOTICE|WARNING|ERROR|FATAL|PANIC|DETAIL|HINT|STATEMENT|CONTEXT|"
    r"QUERY"
)

#: Of text.
TEXTS = (
    TextFormat(
        "PostgreSQL",
        "2026-01-31 12:00:00.250 UTC [77] shop@orders ERROR:  relation is missing",
        # syslog's number of the statement, the time, and what log_line_prefix has
        r"(?:\[\d+-\d+\] )?"
        rf"(?P<time>{DAY} {CLOCK} (?:[A-Z]{{3,5}}|[+-]\d\d(?::?\d\d)?)|"
        r"\d{10}\.\d{3}) (?:[a-z][a-z ]{1,30})?\[(?P<pid>[\w.]+)(?:-\d+)?\] "
        r"(?:(?P<user>[\w.-]+)@(?P<database>\S+) )?(?P<tags>[^:]{1,200}? )?"
        rf"(?P<level>{_SEVERITY}): {{1,2}}(?P<message>.*)",
        first=r"\[\d",
        needs="[",
        within=r"^duration: (?P<ms>[\d.]+) ms",
    ),
    TextFormat(
        "PostgreSQL (Amazon RDS, pgBadger)",
        "2026-01-31 12:00:00 UTC:10.0.0.7(51034):alice@shop:[77]:ERROR:  no relation",
        rf"(?P<time>{DAY} {CLOCK} (?:[A-Z]{{3,5}}|[+-]\d\d(?::?\d\d)?))"
        r"(?::(?P<client>[^\s:]*):(?P<user>[^\s:@]*)@(?P<database>[^\s:]*):"
        r"\[(?P<pid>\d+)\]:| \[\d+\]:? (?:\[\d+-\d+\] )?(?P<tags>user=\S* ?.*?) )"
        rf"(?P<level>{_SEVERITY}): {{1,2}}(?P<message>.*)",
        first="0-9",
        within=r"^duration: (?P<ms>[\d.]+) ms",
    ),
    TextFormat(
        "PostgreSQL (csvlog)",
        '2026-01-31 12:00:00.250 UTC,"alice","shop",77,"10.0.0.7:51034",697df0.4d,3,'
        '"SELECT",2026-01-31 11:59:00 UTC,4/12,0,ERROR,42P01,"relation ""x"" is gone"'
        ',,,,,,"select 1",15,,"psql","client backend",,0',
        rf"(?P<time>{DAY} {CLOCK} [A-Z]{{3,5}}),"
        r'(?:"(?P<user>[^"]*)")?,'
        r'(?:"(?P<database>[^"]*)")?,(?P<pid>\d*),(?:"(?P<client>[^"]*)")?,'
        r'(?P<session>[\da-f.]*),\d*,(?:"[^"]*")?,[^,]*,[^,]*,\d*,'
        rf"(?P<level>{_SEVERITY}),(?P<code>\w{{5}}),"
        r'(?:"(?P<csv>(?:[^"]|"")*)"?)?.*',
        first="0-9",
        needs=",",
    ),
    TextFormat(
        "PostgreSQL (without a time)",
        '[77] ERROR:  relation "orders" does not exist',
        rf"\[(?P<pid>\d+)\] (?P<level>{_SEVERITY}):  (?P<message>.*)",
        first=r"\[",
    ),
    TextFormat(
        "PgBouncer",
        "2026-01-31 12:00:00.250 UTC [77] ERROR C-0x55d0: shop/alice@10.0.0.7:51034 no",
        rf"(?P<time>{DAY} {CLOCK} [A-Z]{{3,5}}) \[(?P<pid>\d+)\] "
        rf"(?P<level>{_SEVERITY}|NOISE) (?P<message>\S.*)",
        first="0-9",
        needs=" [",
    ),
    TextFormat(
        "Redis, Valkey",
        "1:M 31 Jan 2026 12:00:00.250 # Out Of Memory allocating 64 bytes",
        r"(?:(?P<pid>\d+):(?P<role>[A-Z])|\[\d+\]) "
        rf"(?P<time>\d\d [A-Z][a-z]{{2}} (?:\d{{4}} )?{CLOCK}) "
        r"(?P<level>[.*#-]) (?P<message>.*)",
        first=r"\[\d",
    ),
    TextFormat(
        "Redis, Valkey (signals)",
        "1:signal-handler (1769860800) Received SIGTERM scheduling shutdown...",
        r"(?P<pid>\d+):signal-handler \((?P<time>\d{10})\) (?P<message>.*)",
        first="0-9",
    ),
    TextFormat(
        "MongoDB (before 4.4)",
        "2026-01-31T12:00:00.250+0000 E  COMMAND  [conn7] command shop.orders 41ms",
        rf"(?P<time>{ISO}) (?P<level>[DIWEF]\d?) +(?P<component>[A-Z_-]+) +"
        r"\[(?P<thread>[^\]]*)\] (?P<message>.*)",
        first="0-9",
        needs=" [",
        within=r" (?P<ms>\d+)ms$",
    ),
    TextFormat(
        "ClickHouse",
        "2026.01.31 12:00:00.250000 [ 7 ] {4f1c22ab-90d3-4e5c-8ab1-7d2e1f0a9b8c} "
        "<Error> executeQuery: Code: 62. Syntax error",
        rf"(?P<time>{DAY} {CLOCK}) \[ (?P<thread>\d+) \] \{{(?P<request_id>[^}}]*)\}} "
        r"<(?P<level>[A-Z][a-z]+)> (?P<message>.*)",
        first="0-9",
        needs="} <",
    ),
    TextFormat(
        "Elasticsearch",
        "[2026-01-31T12:00:00,250][ERROR][o.e.n.Node] [node-1] failed to start",
        rf"\[(?P<time>{ISO})\]\[(?P<level>[A-Z]+) *\]\[(?P<logger>[^\]]*)\] ?"
        r"(?P<message>.*)",
        first=r"\[",
        within=r"took_millis\[(?P<ms>\d+)\]",
    ),
    TextFormat(
        "MySQL (error log)",
        "2026-01-31T12:00:00.250000Z 12 [ERROR] [MY-012574] [InnoDB] no lock on it",
        # MariaDB writes hours of one digit, and once wrote days of six
        rf"(?P<time>(?:{ISO}|{DAY}  \d:\d\d:\d\d)(?= \d)|\d{{6}} {CLOCK})"
        r"(?: (?P<thread>\d+))? "
        r"\[(?P<level>System|Note|Warning|(?i:error))\] "
        r"(?:\[(?P<code>MY-\d+)\] \[(?P<subsystem>\w+)\] )?(?P<message>.*)",
        first="0-9",
        needs=" [",
    ),
    TextFormat(
        "MySQL (slow query log)",
        "# Time: 2026-01-31T12:00:00.250000Z",
        rf"(?P<message># Time: (?P<time>{ISO}))",
        first="#",
    ),
    TextFormat(
        "CoreDNS (queries)",
        '[INFO] 10.0.0.7:50759 - 29008 "A IN shop.example. udp 41 false 4096" NOERROR '
        "qr,rd,ra 68 0.041s",
        rf"\[(?P<level>{LEVEL})\] (?P<client>\S+:\d+) - (?P<query>\d+) "
        r'"(?P<message>[^"]*)" (?P<rcode>[A-Z]+) \S+ (?P<size>\d+) (?P<s>[\d.]+)s',
        first=r"\[",
    ),
    TextFormat(
        "NATS",
        "[7] 2026/01/31 12:00:00.250000 [ERR] 10.0.0.9:1 - cid:7 - no such user",
        rf"\[(?P<pid>\d+)\] (?P<time>{ISO}) \[(?P<level>{LEVEL})\] (?P<message>.*)",
        first=r"\[",
    ),
    TextFormat(
        "Squid",
        "1769860800.250     41 10.0.0.7 TCP_MISS/503 1234 GET http://shop/orders/7 - "
        "HIER_DIRECT/10.1.0.7 text/html",
        r"(?P<time>\d{10}\.\d{3}) +(?P<ms>\d+) (?P<client>\S+) (?P<result>[A-Z_]+)/"
        r"(?P<status>\d{3}) (?P<size>\d+) (?P<method>[A-Z]+) (?P<path>\S+) "
        r"(?P<user>\S+) .*",
        first="0-9",
    ),
    TextFormat(
        "Cassandra",
        "ERROR [main] 2026-01-31 12:00:00,250 Server.java:7 - payment refused",
        rf"(?P<level>{LEVEL}) +\[(?P<thread>[^\]]*)\] (?P<time>{ISO}) "
        r"(?P<caller>\S+:\d+) - (?P<message>.*)",
        first="A-Z",
    ),
    TextFormat(
        "Spark, Hadoop",
        "26/01/31 12:00:00 ERROR Executor: payment refused",
        rf"(?P<time>\d\d/\d\d/\d\d {CLOCK}) (?P<level>{LEVEL}) (?P<logger>[\w.$]+): "
        r"(?P<message>.*)",
        first="0-9",
    ),
    TextFormat(
        "Linux audit",
        "type=AVC msg=audit(1769860800.250:41): avc:  denied  { read } for  pid=7",
        r"(?:node=\S+ )?type=(?P<type>[A-Z_\d]+) "
        r"msg=audit\((?P<time>\d{10}\.\d{3}):\d+\): (?P<message>.*)",
        first="nt",
        needs="msg=audit(",
    ),
    TextFormat(
        "Mosquitto",
        "1769860800: New connection from 10.0.0.7 on port 1883.",
        r"(?P<time>\d{10}): (?P<message>\S.*)",
        first="0-9",
        needs=": ",
    ),
)
