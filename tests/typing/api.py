"""
The public interface as its users write it: store, scopes, stdlib loggers, configure.

Never run. Where the type that a call gives matters, it is assigned to a name with that
type or to `assert_type`; what must be refused carries a `type: ignore` that mypy would
report as unused if it were accepted.
"""

from __future__ import annotations

import asyncio
import io
import logging
import logging.config
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ctxlog

if TYPE_CHECKING:
    from typing_extensions import assert_type


# The store.


def handler(order: str, *, retries: int = 0) -> int:
    return len(order) + retries


async def async_handler(order: str) -> bytes:
    return order.encode()


def run() -> None:
    assert_type(ctxlog.run({"requestID": "req-A"}, handler, "o-7", retries=2), int)
    assert_type(asyncio.run(ctxlog.run({"requestID": "a"}, async_handler, "o")), bytes)
    ctxlog.run(ctxlog.Store({"requestID": "req-A"}), handler, "o-7")
    ctxlog.run({}, handler, 7)  # type: ignore[arg-type]  # pyright: ignore


def store() -> None:
    current = ctxlog.get_store()
    assert_type(current, ctxlog.Store | None)
    if current is not None:
        current["user"] = {"id": "user-123"}
        value: object = current["user"]
        del current["user"]
        current.update(order="o-7")
        assert_type(len(current), int)
        _ = value
    ctxlog.bind(user={"id": "user-123", "name": "Alice"}, self=1, store=2, fn=3)
    ctxlog.unbind("user", "order")
    found: dict[str, object] = ctxlog.fields()
    _ = found


class RequestStore(ctxlog.Store):
    @property
    def user(self) -> object:
        return self.get("user")


def typed_store() -> None:
    ctxlog.run(RequestStore({"requestID": "req-A"}), handler, "o-7")
    current = ctxlog.get_store()
    if isinstance(current, RequestStore):
        _ = current.user


# Scopes and detached blocks, as blocks and as decorators.


def scopes() -> None:
    with ctxlog.scope(order="o-7", self=1, fn=2):
        pass
    with ctxlog.detached():
        pass


@ctxlog.scope(job="nightly")
def decorated(x: int) -> str:
    return str(x)


@ctxlog.scope(job="nightly")
async def decorated_async(x: int) -> str:
    return str(x)


@ctxlog.scope(job="nightly")
def decorated_generator(x: int) -> Iterator[str]:
    yield str(x)


@ctxlog.scope(job="nightly")
async def decorated_async_generator(x: int) -> AsyncIterator[str]:
    yield str(x)


async def use_decorated() -> None:
    assert_type(decorated(1), str)
    assert_type(await decorated_async(1), str)
    assert_type(list(decorated_generator(1)), list[str])
    assert_type([x async for x in decorated_async_generator(1)], list[str])
    decorated("1")  # type: ignore[arg-type]  # pyright: ignore


# Snapshots and further storages.


def snapshots() -> None:
    snapshot = ctxlog.Snapshot()
    assert_type(snapshot.run(handler, "o-7", retries=1), int)
    assert_type(ctxlog.wrap(handler)("o-7", retries=1), int)


@dataclass
class Tenant:
    name: str


tenants = ctxlog.AsyncLocalStorage[Tenant]("tenant")


def storages() -> None:
    assert_type(tenants.run(Tenant("acme"), handler, "o-7"), int)
    assert_type(tenants.get_store(), Tenant | None)
    tenants.enter_with(Tenant("acme"))
    assert_type(tenants.exit(handler, "o-7"), int)
    tenants.enter_with("acme")  # type: ignore[arg-type]  # pyright: ignore


def tenant_fields(tenant: Tenant) -> dict[str, object]:
    return {"tenant": tenant.name}


# The stdlib logger.


def stdlib_by_hand() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(ctxlog.ContextFilter())
    handler.addFilter(ctxlog.ContextFilter(storage=tenants, fields=tenant_fields))
    handler.setFormatter(ctxlog.JsonFormatter())
    handler.setFormatter(ctxlog.ConsoleFormatter())
    formatter: logging.Formatter = ctxlog.JsonFormatter()
    assert_type(formatter.format(logging.makeLogRecord({})), str)
    lines: logging.Handler = ctxlog.LineHandler(stream)
    _ = lines
    ctxlog.install_record_factory()
    ctxlog.uninstall_record_factory()


def configure() -> None:
    ctxlog.configure()
    ctxlog.configure(
        level="INFO",
        format="auto",
        schema="default",
        stream=io.StringIO(),
        service="shop",
        environment="production",
        levels={"httpx": "WARNING"},
        static={"region": "eu"},
        redact=None,
        loggers="auto",
        threads=True,
        hooks=True,
        access_lines="ctxlog",
        missing_request_id="N/A",
        timespec="microseconds",
        max_line_bytes=262_144,
        caller=True,
    )
    ctxlog.configure(level=logging.DEBUG, loggers=["stdlib"], missing_request_id=None)
    ctxlog.configure(request_id_key="rid", case="snake")
    ctxlog.ContextFilter(request_id_key="rid", case="snake")
    ctxlog.configure(1.5)  # type: ignore[call-arg,arg-type]  # pyright: ignore
    ctxlog.configure(levl="INFO")  # type: ignore[call-arg]  # pyright: ignore
    ctxlog.configure(level=1.5)  # type: ignore[arg-type]  # pyright: ignore
    ctxlog.dict_config(hooks=True)  # type: ignore[call-arg]  # pyright: ignore
    ctxlog.unconfigure()


def dict_config() -> None:
    logging.config.dictConfig(ctxlog.dict_config(level="INFO", format="json"))


def errors() -> None:
    try:
        ctxlog.configure(level="LOUD")
    except ctxlog.ConfigError as error:
        as_value_error: ValueError = error
        _ = as_value_error
    as_import_error: type[ImportError] = ctxlog.MissingDependencyError
    _ = as_import_error


def submodules() -> None:
    ctxlog.servers.asgi.install(object(), trust=False)
    ctxlog.servers.asgi.install(object(), level=lambda scope: scope["level"] or None)
    ctxlog.servers.wsgi.ContextMiddleware(
        lambda environ, start: [], debug_header="X-Debug-Token", debug_token="x" * 16
    )
    ctxlog.servers.asgi.install(object(), level="DEBUG")  # type: ignore[arg-type]  # pyright: ignore
    sent: dict[str, str] = ctxlog.carrier.inject({"Accept": "*/*"}, fields=["tenant"])
    ctxlog.config.unconfigure()
    ctxlog.tasks.celery.install(fields=1)  # type: ignore[arg-type]  # pyright: ignore
    ctxlog.servers.asgy.install()  # type: ignore[attr-defined]  # pyright: ignore
    ctxlog.configur3()  # type: ignore[attr-defined]  # pyright: ignore
    as_text: str = ctxlog.__version__
    _ = sent, as_text
