"""
Formats of the loggers of Java.
"""

from __future__ import annotations

from ctxlog.viewer.recognize.formats._format import Format
from ctxlog.viewer.recognize.formats._text import (
    CLOCK,
    DAY,
    ISO,
    LEVEL,
    LOGGER,
    TextFormat,
)

FORMATS = (
    Format(
        "Spring Boot, logstash",
        '{"@timestamp":"2026-01-31T12:00:00.123Z","@version":"1",'
        '"message":"payment refused","logger_name":"shop.Payments",'
        '"thread_name":"exec-1","level":"ERROR","level_value":40000,'
        '"requestId":"7f3a91c2"}',
    ),
    Format(
        "Spring Boot, ECS",
        '{"@timestamp":"2026-01-31T12:00:00.123456789Z","log":{"level":"ERROR",'
        '"logger":"shop.Payments"},"process":{"pid":71,"thread":{"name":"exec-1"}},'
        '"service":{"name":"shop"},"message":"payment refused",'
        '"requestId":"7f3a91c2","ecs":{"version":"8.11"}}',
    ),
    Format(
        "Spring Boot, GELF",
        '{"version":"1.1","short_message":"payment refused",'
        '"timestamp":1769860800.123,"level":3,"_level_name":"ERROR",'
        '"_process_pid":71,"_process_thread_name":"exec-1","host":"shop",'
        '"_log_logger":"shop.Payments","_requestId":"7f3a91c2"}',
    ),
    Format(
        "Quarkus",
        '{"timestamp":"2026-01-31T13:00:00.123+01:00","sequence":91,'
        '"loggerClassName":"org.jboss.logging.Logger","loggerName":"shop.Payments",'
        '"level":"ERROR","message":"payment refused","threadName":"executor-1",'
        '"threadId":22,"mdc":{"requestId":"7f3a91c2"},"ndc":"","hostName":"shop-1",'
        '"processName":"shop","processId":71}',
    ),
    Format(
        "Logback, JsonEncoder",
        '{"sequenceNumber":0,"timestamp":1769860800123,"nanoseconds":123456000,'
        '"level":"ERROR","threadName":"exec-1","loggerName":"shop.Payments",'
        '"context":{"name":"default","birthdate":1769860000000,"properties":{}},'
        '"mdc":{"X-Request-ID":"7f3a91c2"},"message":"payment {}",'
        '"arguments":["refused"],"throwable":null}',
        known_by="sequenceNumber loggerName message arguments",
        template="arguments",
    ),
    Format(
        "Log4j2, JsonTemplateLayout",
        '{"@timestamp":"2026-01-31T12:00:00.123Z","ecs.version":"1.2.0",'
        '"log.level":"ERROR","message":"payment refused",'
        '"process.thread.name":"exec-1","log.logger":"shop.Payments",'
        '"contextMap":{"correlationId":"7f3a91c2"}}',
    ),
    Format(
        "Log4j2, JsonLayout",
        '{"instant":{"epochSecond":1769860800,"nanoOfSecond":123000000},'
        '"thread":"exec-1","level":"ERROR","loggerName":"shop.Payments",'
        '"message":"payment refused","endOfBatch":false,'
        '"loggerFqcn":"org.apache.logging.log4j.spi.AbstractLogger",'
        '"contextMap":{"requestId":"7f3a91c2"},"threadId":31,"threadPriority":5}',
        known_by="instant loggerName message",
    ),
    Format(
        "Logback, requests",
        '{"@timestamp":"2026-01-31T12:00:00.123Z","@version":"1",'
        '"message":"10.0.0.9 - - [2026-01-31T12:00:00.123Z] \\"POST /orders HTTP/1.1\\"'
        ' 503 12","method":"POST","protocol":"HTTP/1.1","status_code":503,'
        '"requested_url":"POST /orders HTTP/1.1","requested_uri":"/orders",'
        '"remote_host":"10.0.0.9","content_length":12,"elapsed_time":41,'
        '"request_headers":{"x-request-id":"7f3a91c2"}}',
        known_by="requested_uri elapsed_time",
        unit=0.001,
    ),
    Format(
        "Dropwizard, requests",
        '{"timestamp":1769860800123,"method":"POST","uri":"/orders","status":503,'
        '"protocol":"HTTP/1.1","requestTime":41,"contentLength":12,'
        '"remoteAddress":"10.0.0.9","headers":{"X-Request-ID":"7f3a91c2"}}',
        known_by="timestamp requestTime uri",
        unit=0.001,
    ),
    Format(
        "Spring Cloud Sleuth",
        '{"timestamp":"2026-01-31T12:00:00.123Z","severity":"ERROR","service":"shop",'
        '"trace":"7f3a91c2","span":"91","pid":"71","thread":"exec-1",'
        '"class":"shop.Payments","rest":"payment refused"}',
        known_by="severity trace span rest",
        found={"id": "trace", "message": "rest"},
    ),
    Format(
        "Spring, Google's names",
        '{"traceId":"7f3a91c2","spanId":"91","timestampSeconds":1769860800,'
        '"timestampNanos":123000000,"severity":"ERROR","thread":"exec-1",'
        '"logger":"shop.Payments","message":"payment refused","context":"default"}',
    ),
    Format(
        "Tomcat, requests",
        '{"host":"10.0.0.9","user":"alice","time":"[31/Jan/2026:12:00:00 +0000]",'
        '"request":"POST /orders HTTP/1.1","statusCode":"503","size":"12",'
        '"elapsedTimeS":"0.041","requestHeaders":{"X-Request-Id":"7f3a91c2"}}',
        known_by="statusCode elapsedTimeS",
        found={"duration": "elapsedTimeS"},
        unit=1.0,
    ),
    Format(
        "SAP, Cloud Foundry",
        '{"written_at":"2026-01-31T12:00:00.123Z","type":"request","request":"/orders",'
        '"method":"POST","response_status":503,"response_time_ms":41.0,'
        '"correlation_id":"7f3a91c2","level":"INFO"}',
    ),
    Format(
        "Logstash's own",
        '{"level":"ERROR","loggerName":"shop.Payments","timeMillis":1769860800123,'
        '"thread":"exec-1","logEvent":{"message":"payment refused",'
        '"request_id":"7f3a91c2"}}',
    ),
)

#: Of text.
TEXTS = (
    TextFormat(
        "Spring Boot",
        "2026-01-31T12:00:00.250Z ERROR 1 --- [shop] [nio-8080-exec-1] "
        "[65b8f3a1c2d4e5f60718293a4b5c6d7e-9f8e7d6c5b4a3921] c.e.shop.Orders : refused",
        rf"(?P<time>{ISO}) +(?P<level>{LEVEL}) +(?P<head>\[[^\]]*\] )?(?P<pid>\S+) "
        rf"--- (?P<heads>(?:\[[^\]]*\] ?){{1,4}}){LOGGER} *: (?P<message>.*)",
        first="0-9",
        needs=" --- ",
    ),
    TextFormat(
        "Logback, Log4j2 (default)",
        "12:00:00.250 [http-nio-1] ERROR c.e.shop.Orders -- payment refused",
        rf"(?P<time>(?:{DAY}[T ]|\d\d [A-Z][a-z]{{2}} \d{{4}} )?{CLOCK}|"
        rf"\d{{13}}|\d{{17}}) \[(?P<thread>[^\]]*)\] (?P<level>{LEVEL}) +"
        rf"(?P<head>(?:\[[^\]]*\] ?)*){LOGGER} (?:\{{(?P<tags>[^}}]*)\}} )?--? "
        r"(?P<message>.*)",
        first="0-9",
        needs=" [",
    ),
    TextFormat(
        "Akka, Pekko (standard output)",
        "[ERROR] [01/31/2026 12:00:00.250] [shop-dispatcher-5] [akka://shop/user/a] "
        "payment refused",
        rf"\[(?P<level>{LEVEL})\] \[(?P<time>\d\d/\d\d/\d{{4}} {CLOCK})\] "
        r"\[(?P<thread>[^\]]*)\] \[(?P<logger>[^\]]*)\] (?P<message>.*)",
        first=r"\[",
    ),
    TextFormat(
        "java.util.logging",
        "Jan 31, 2026 12:00:00 PM com.example.Orders place SEVERE: payment refused",
        r"(?P<time>[A-Z][a-z]{2} \d\d?, \d{4} \d{1,2}:\d\d:\d\d\s[AP]M) "
        r"(?P<logger>[\w.$]+)(?: (?P<function>[\w<>$]+))? "
        r"(?P<level>SEVERE|WARNING|INFO|CONFIG|FINE|FINER|FINEST): (?P<message>.*)",
        first="A-Z",
    ),
    TextFormat(
        "java.util.logging (first line)",
        "Jan 31, 2026 12:00:00 PM com.example.Orders place",
        r"(?P<time>[A-Z][a-z]{2} \d\d?, \d{4} \d{1,2}:\d\d:\d\d\s[AP]M) "
        r"(?P<message>(?P<logger>[\w.$]+)(?: [\w<>$]+)?)",
        first="A-Z",
    ),
)
