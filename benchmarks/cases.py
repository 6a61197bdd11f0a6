"""
What is measured: one way to log a line each, all doing the same work.

A case is a function that sets its library up to write to standard output and returns a
function that logs one event. The same work for everybody: a UTC timestamp, the level,
the logger, a message with one argument, `requestID`, `user {id, name}` and two fields
of the call. Every case runs in a process of its own, since some libraries replace the
standard one when they are imported.

`bench.py` runs them; `python benchmarks/cases.py NAME` shows the line of one.
"""

from __future__ import annotations

import contextvars
import logging
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

Log = Callable[[], object]
Setup = Callable[[], Log]

CONTEXT: dict[str, Any] = {
    "requestID": "3f0c2a9d5b7e4c1f8a6d2e9b0c4f7a13",
    "user": {"id": "user-123", "name": "Alice"},
}

#: What is logged by the cases that go through the standard library's front end: a
#: `line`, one with an `exception`, or one of a `disabled` level.
EVENT = "line"

#: What stays open for the whole process.
KEPT: list[Any] = []

#: What to call when all lines have been logged: for loggers that write later.
FINISH: list[Callable[[], object]] = []

CASES: dict[str, Setup] = {}
PACKAGES: dict[str, str] = {}


def case(name: str, package: str | None = None) -> Callable[[Setup], Setup]:
    """Register a case; `package` is the distribution whose version is reported."""

    def register(setup: Setup) -> Setup:
        CASES[name] = setup
        if package is not None:
            PACKAGES[name] = package
        return setup

    return register


def keep(context_manager: Any) -> None:
    """Enter a context for the rest of the process, as a request's middleware does."""
    KEPT.append(context_manager)
    context_manager.__enter__()


# The standard library -----------------------------------------------------------


def stdlib_logger(handler: logging.Handler) -> logging.Logger:
    """Set up as `logging.basicConfig()` does: the handler is the root logger's."""
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    return logging.getLogger("shop.users")


def stdlib_log(log: Any) -> Log:
    def one() -> None:
        log.info(
            "Fetching details for user %s", "user-123", extra={"rows": 3, "hit": True}
        )

    def disabled() -> None:
        log.debug(
            "Fetching details for user %s", "user-123", extra={"rows": 3, "hit": True}
        )

    def exception() -> None:
        try:
            raise ValueError("bad")
        except ValueError:
            log.exception("Fetching details for user %s", "user-123")

    return {"line": one, "disabled": disabled, "exception": exception}[EVENT]


def formatted(formatter: Any, *filters: Any) -> Log:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    for one in filters:
        handler.addFilter(one)
    return stdlib_log(stdlib_logger(handler))


@case("stdlib, constant string")
def constant() -> Log:
    return formatted(logging.Formatter("x", validate=False))


@case("stdlib, plain text")
def plain() -> Log:
    shape = "%(asctime)s %(levelname)s %(name)s %(message)s"
    formatter = logging.Formatter(shape)
    formatter.converter = time.gmtime
    return formatted(formatter)


# Its formatters, with the context by the filter that their documentation shows ----

_context: contextvars.ContextVar[Mapping[str, Any]] = contextvars.ContextVar("context")


def copy_context(record: logging.LogRecord) -> bool:
    for name, value in _context.get().items():
        setattr(record, name, value)
    return True


def python_json_logger(formatter_class: Any) -> Log:
    _context.set(CONTEXT)
    formatter = formatter_class(
        ["levelname", "message", "name"],
        rename_fields={"levelname": "level", "name": "logger"},
        timestamp=True,
    )
    return formatted(formatter, copy_context)


@case("python-json-logger, json", "python-json-logger")
def pjl_json() -> Log:
    from pythonjsonlogger.json import JsonFormatter

    return python_json_logger(JsonFormatter)


@case("python-json-logger, orjson", "python-json-logger")
def pjl_orjson() -> Log:
    from pythonjsonlogger.orjson import OrjsonFormatter

    return python_json_logger(OrjsonFormatter)


@case("python-json-logger, msgspec", "python-json-logger")
def pjl_msgspec() -> Log:
    from pythonjsonlogger.msgspec import MsgspecFormatter

    return python_json_logger(MsgspecFormatter)


@case("ecs-logging", "ecs-logging")
def ecs() -> Log:
    import ecs_logging

    _context.set(CONTEXT)
    return formatted(ecs_logging.StdlibFormatter(), copy_context)


# structlog, by the recipes of its documentation ----------------------------------

# Each logs through a bound logger, as that page says where many lines are logged:
# what `get_logger()` returns looks its logger up at every call.


def structlog_log(log: Any) -> Log:
    def one() -> None:
        log.info("Fetching details for user %s", "user-123", rows=3, hit=True)

    return one


@case("structlog, orjson to bytes", "structlog")
def structlog_bytes() -> Log:
    import orjson
    import structlog

    structlog.configure(
        cache_logger_on_first_use=True,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(serializer=orjson.dumps),
        ],
        logger_factory=structlog.BytesLoggerFactory(sys.stdout.buffer),
    )
    structlog.contextvars.bind_contextvars(**CONTEXT)
    return structlog_log(structlog.get_logger().bind(logger="shop.users"))


@case("structlog, stdlib", "structlog")
def structlog_stdlib() -> Log:
    import structlog

    stdlib_logger(logging.StreamHandler(sys.stdout))
    structlog.configure(
        cache_logger_on_first_use=True,
        wrapper_class=structlog.stdlib.BoundLogger,
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    structlog.contextvars.bind_contextvars(**CONTEXT)
    return structlog_log(structlog.get_logger("shop.users").bind())


@case("structlog, ProcessorFormatter", "structlog")
def structlog_formatter() -> Log:
    import structlog

    shared = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    stdlib_logger(handler)
    structlog.configure(
        cache_logger_on_first_use=True,
        wrapper_class=structlog.stdlib.BoundLogger,
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    structlog.contextvars.bind_contextvars(**CONTEXT)
    return structlog_log(structlog.get_logger("shop.users").bind())


# loguru ---------------------------------------------------------------------------


def loguru_log(log: Any) -> Log:
    def one() -> None:
        log.info("Fetching details for user {}", "user-123", rows=3, hit=True)

    return one


@case("loguru, serialize", "loguru")
def loguru_serialize() -> Log:
    from loguru import logger

    logger.remove()
    logger.add(sys.stdout, serialize=True, level="INFO")
    keep(logger.contextualize(**CONTEXT))
    return loguru_log(logger)


@case("loguru, null sink", "loguru")
def loguru_null() -> Log:
    from loguru import logger

    logger.remove()
    logger.add(lambda message: None, level="INFO", format="x")
    return loguru_log(logger)


# Others, where they install -------------------------------------------------------


@case("structguru", "structguru")
def structguru() -> Log:
    import structguru

    structguru.configure(service="shop", level="INFO", format="json", target="stdout")
    log = structguru.Logger(name="shop.users")
    keep(log.contextualize(**CONTEXT))
    return loguru_log(log)


@case("logxide, plain text", "logxide")
def logxide() -> Log:
    from logxide import logging as replaced

    handler = replaced.StreamHandler(sys.stdout)
    handler.setFormatter(
        replaced.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s")
    )
    log = replaced.getLogger("shop.users")
    log.addHandler(handler)
    log.setLevel(replaced.INFO)
    return stdlib_log(log)


@case("picologging, plain text", "picologging")
def picologging() -> Log:
    import picologging

    handler = picologging.StreamHandler(sys.stdout)
    handler.setFormatter(
        picologging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s")
    )
    log = picologging.getLogger("shop.users")
    log.addHandler(handler)
    log.setLevel(picologging.INFO)
    return stdlib_log(log)


@case("fapilog", "fapilog")
def fapilog() -> Log:
    import asyncio

    import fapilog

    # It writes from a thread of its own; by default it drops what that cannot keep up
    # with. What counts is the time until everything has been written.
    settings = fapilog.Settings(core={"drop_on_full": False, "enable_redactors": False})
    log = fapilog.get_logger(name="shop.users", settings=settings)
    log.bind(**CONTEXT)
    FINISH.append(lambda: asyncio.run(log.stop_and_drain()))

    def one() -> None:
        log.info("Fetching details for user user-123", rows=3, hit=True)

    return one


# ctxlog ---------------------------------------------------------------------------


def enter(fields: Mapping[str, Any]) -> None:
    from ctxlog.context import Store
    from ctxlog.context.adapter import Entry

    keep(Entry(Store(fields)))


def ctxlog_logging(**options: Any) -> Log:
    import ctxlog

    ctxlog.configure(format="json", loggers=["stdlib"], **options)
    enter(CONTEXT)
    return stdlib_log(logging.getLogger("shop.users"))


@case("ctxlog, stdlib", "ctxlog-json")
def ctxlog_stdlib() -> Log:
    return ctxlog_logging()


@case("ctxlog, stdlib, stock loggers", "ctxlog-json")
def ctxlog_stock_loggers() -> Log:
    return ctxlog_logging(logger_class=False)


@case("ctxlog, structlog", "ctxlog-json")
def ctxlog_structlog() -> Log:
    import structlog

    import ctxlog

    ctxlog.configure(format="json", loggers=["structlog"])
    enter(CONTEXT)
    return structlog_log(structlog.get_logger("shop.users").bind())


@case("ctxlog, loguru", "ctxlog-json")
def ctxlog_loguru() -> Log:
    from loguru import logger

    import ctxlog

    ctxlog.configure(format="json", loggers=["loguru"])
    enter(CONTEXT)
    return loguru_log(logger)


if __name__ == "__main__":
    for shown in sys.argv[1:]:
        CASES[shown]()()
    for finish in FINISH:
        finish()
