"""
One request of 200 at once: by its id, one command finds in every store the lines that
the file has of it.

The application sends its lines itself, to all stores at once, and writes them to a
file; then `ctxlog ship` sends that file.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ctxlog.aggregators._line import Line
from tests.aggregators.clickhouse_stub import ClickHouse
from tests.aggregators.elastic_stub import Elasticsearch
from tests.aggregators.loki_stub import Loki
from tests.aggregators.vlogs_stub import VictoriaLogs
from tests.aggregators.web import Store, serving
from tests.delivery.journald import journald, why_not
from tests.delivery.streams import KINDS
from tests.helpers import (
    LIMIT,
    clean_environment,
    free_port,
    need,
    until_listening,
)
from tests.tasks.worker import Process

need("urllib3", "uvicorn", "starlette", "duckdb", "opentelemetry.proto")

from google.protobuf import json_format  # noqa: E402
from opentelemetry.proto.collector.logs.v1 import (  # noqa: E402
    logs_service_pb2 as service,
)

from tests.aggregators.otlp_store import OtlpStore, attributes  # noqa: E402

pytestmark = pytest.mark.real_server

REQUESTS = 200
#: Of the request that is looked for, whose order is one of those that fail.
NUMBER = 137
ID = f"req-{NUMBER}"

#: No request goes on before all have begun.
APPLICATION = r"""
import asyncio, json, logging, os
import ctxlog
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

ctxlog.configure(
    format="json",
    schema=os.environ["SCHEMA"],
    service="shop",
    environment="production",
    to=json.loads(os.environ["TO"]),
    flush_timeout=60,
)
log = logging.getLogger("shop.orders")
begun, all_begun = set(), asyncio.Event()


async def part(name, number):
    await asyncio.sleep(number % 7 / 1000)
    log.info("order %d: %s", number, name, extra={"odd": 'quo"te \\ \u2028 é\t'})
    await asyncio.sleep(number % 3 / 1000)


def pack(number):
    log.warning("order %d: packed", number, extra={"weight": number / 8})


async def order(request):
    number = request.path_params["number"]
    ctxlog.bind(user={"id": f"u-{number}", "name": "Zoë"})
    log.info("order %d: received", number)
    begun.add(number)
    if len(begun) == int(os.environ["REQUESTS"]):
        all_begun.set()
    await all_begun.wait()
    await asyncio.gather(part("reserved", number), part("charged", number))
    await asyncio.to_thread(pack, number)
    if number % 5 != 2:
        return PlainTextResponse("ok")
    try:
        raise ValueError(f"no van\nfor {number}")
    except ValueError:
        log.exception("order %d: failed", number)
    return PlainTextResponse("failed", 503)


app = Starlette(routes=[Route("/orders/{number:int}", order)])
ctxlog.servers.asgi.install(app)
"""


def messages(number: int) -> Counter[str]:
    """Return what is logged of a request."""
    status = 503 if number % 5 == 2 else 200
    parts = ["received", "reserved", "charged", "packed"]
    parts += ["failed"] if status == 503 else []
    said = [f"order {number}: {part}" for part in parts]
    return Counter([*said, f"GET /orders/{number} {status}"])


async def _ask(port: int, number: int) -> None:
    reading, writing = await asyncio.open_connection("127.0.0.1", port)
    writing.write(
        f"GET /orders/{number} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n"
        f"X-Request-ID: req-{number:03}\r\n\r\n".encode()
    )
    answer = await reading.read()
    status = b"503" if number % 5 == 2 else b"200"
    assert answer.startswith(b"HTTP/1.1 " + status), answer
    writing.close()
    await writing.wait_closed()


async def _ask_at_once(port: int) -> None:
    asked = (_ask(port, number) for number in range(REQUESTS))
    await asyncio.wait_for(asyncio.gather(*asked), LIMIT)


# Stores -----------------------------------------------------------------------------


@dataclass
class Stored:
    """
    A store of a test's own.

    Attributes:
        address: Its address.
        found: Returns the lines that it has of the request, of so many of all. None if
            `ctxlog show` reads the store.
        command: Returns the command that runs a program where the store is.
    """

    address: str
    found: Callable[[int], bytes] | None = None
    command: Callable[..., list[str]] = lambda *words: list(words)

    def ctxlog(self, *words: object) -> bytes:
        """Return what `ctxlog` prints."""
        done = subprocess.run(
            self.command(sys.executable, "-Im", "ctxlog", *map(str, words)),
            env=clean_environment(),
            capture_output=True,
            timeout=LIMIT,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout


@contextlib.contextmanager
def _stub(scheme: str, store: Store) -> Iterator[Stored]:
    with serving(store):
        yield Stored(f"{scheme}://127.0.0.1:{store.port}")


@contextlib.contextmanager
def _journal() -> Iterator[Stored]:
    with journald() as journal:
        yield Stored("journal:", command=journal.command)


@contextlib.contextmanager
def _stream(name: str) -> Iterator[Stored]:
    with KINDS[name]() as stream:

        def found(number: int) -> bytes:
            stored = stream.stored(number)
            assert len(stored) == number
            return b"".join(line + b"\n" for key, line in stored if key == ID)

        yield Stored(stream.address, found)


STORES: dict[str, Callable[[], contextlib.AbstractContextManager[Stored]]] = {
    "clickhouse": lambda: _stub("clickhouse", ClickHouse()),
    "elastic": lambda: _stub("elastic", Elasticsearch()),
    "journal": _journal,
    "kafka": lambda: _stream("kafka"),
    "loki": lambda: _stub("loki", Loki()),
    "nats": lambda: _stream("nats"),
    "redis": lambda: _stream("redis"),
    "vlogs": lambda: _stub("vlogs", VictoriaLogs()),
}

# Elasticsearch gets OpenTelemetry's lines under other names: it would index the others
# as lists.
SCHEMAS: dict[str, Sequence[str]] = {
    "default": list(STORES),
    "ecs": ["elastic", "journal", "vlogs"],
    "otel": ["clickhouse", "journal", "kafka", "loki", "nats", "redis", "vlogs"],
}


@dataclass
class Shop:
    """
    What an application has left that has answered all requests.

    Attributes:
        file: Its file.
        stores: The stores that it has sent its lines to.
        otlp: A receiver of OpenTelemetry's protocol that it has sent them to.
    """

    file: Path
    stores: dict[str, Stored]
    otlp: OtlpStore

    @functools.cached_property
    def all(self) -> list[bytes]:
        """All lines of the file."""
        return self.file.read_bytes().splitlines(keepends=True)

    @functools.cached_property
    def lines(self) -> bytes:
        """The lines of the request, as `ctxlog show` finds them in the file."""
        return Stored("").ctxlog("show", self.file, "-r", ID, "--json")


class Shops:
    """
    The shops of all schemas, each run when it is first asked for.

    Args:
        folder: Where they may keep files.
        stack: Ends their stores.
    """

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self._folder, self._stack = folder, stack
        self._shops: dict[str, Shop] = {}
        (folder / "shop.py").write_text(APPLICATION)

    def of(self, schema: str) -> Shop:
        """Return the shop whose lines have a schema."""
        if schema not in self._shops:
            self._shops[schema] = self._run(schema)
        return self._shops[schema]

    def _run(self, schema: str) -> Shop:
        stores = {
            name: self._stack.enter_context(STORES[name]())
            for name in SCHEMAS[schema]
            if name != "journal" or not why_not()
        }
        file, otlp = self._folder / f"{schema}.log", OtlpStore()
        self._stack.enter_context(serving(otlp))
        addresses = [store.address for store in stores.values()]
        to = [f"file:{file}", f"otlp://127.0.0.1:{otlp.port}", *addresses]
        port = free_port()
        command = [sys.executable, "-m", "uvicorn", "shop:app", "--port", str(port)]
        if "journal" in stores:
            command = stores["journal"].command(*command)
            command[0] = str(shutil.which(command[0]))
        variables = {"SCHEMA": schema, "TO": json.dumps(to), "REQUESTS": str(REQUESTS)}
        process = Process(command, self._folder, **variables)
        try:
            until_listening(process.process, port)
            asyncio.run(_ask_at_once(port))
            process.process.terminate()
            process.process.wait(LIMIT)
        finally:
            process.stop()
        assert process.written == []
        return Shop(file, stores, otlp)


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shops]:
    """End their stores after the last test."""
    with contextlib.ExitStack() as stack:
        yield Shops(tmp_path_factory.mktemp("shops"), stack)


_NOT_HERE = {"journal": pytest.mark.skipif(bool(why_not()), reason=why_not())}
PAIRS = [
    pytest.param(schema, name, marks=_NOT_HERE.get(name, ()), id=f"{schema}-{name}")
    for schema, names in SCHEMAS.items()
    for name in names
]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_requests_overlap_and_have_their_own_lines(shops: Shops, schema: str) -> None:
    """The file has every line once, with the id of its own request."""
    shop = shops.of(schema)
    found: dict[str, list[str]] = defaultdict(list)
    ids = []
    for line in map(Line, shop.all):
        if line.request_id is not None:
            found[line.request_id].append(line.message)
            ids.append(line.request_id)
    assert {name: Counter(of) for name, of in found.items()} == {
        f"req-{number:03}": messages(number) for number in range(REQUESTS)
    }
    assert len(set(ids[:REQUESTS])) == REQUESTS  # the first line of each
    lines = shop.lines.splitlines(keepends=True)
    assert lines == [line for line in shop.all if Line(line).request_id == ID]


@pytest.mark.parametrize(("schema", "name"), PAIRS)
def test_what_the_process_sent_is_found(shops: Shops, schema: str, name: str) -> None:
    """`ctxlog show STORE -r ID --json` prints what it prints for the file."""
    shop = shops.of(schema)
    _check(shop, shop.stores[name])


@pytest.mark.parametrize(("schema", "name"), PAIRS)
def test_what_was_shipped_is_found(shops: Shops, schema: str, name: str) -> None:
    """As well as what `ctxlog ship` sends of the file."""
    shop = shops.of(schema)
    with STORES[name]() as store:
        store.ctxlog("ship", shop.file, "--to", store.address, "--once")
        _check(shop, store)


def _check(shop: Shop, store: Stored) -> None:
    if store.found is not None:
        found = store.found(len(shop.all))
    else:
        found = store.ctxlog("show", store.address, "-r", ID, "--json")
    assert found == shop.lines
    assert found.count(b"\n") == messages(NUMBER).total()


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_database_of_the_file(shops: Shops, schema: str, tmp_path: Path) -> None:
    """DuckDB reads the file; what was null on a line it does not tell."""
    shop = shops.of(schema)
    duckdb: Any = need("duckdb")
    store = tmp_path / "logs.db"
    with duckdb.connect(str(store)) as connection:
        connection.execute(
            f"CREATE TABLE logs AS SELECT * FROM read_json('{shop.file}')"
        )
    found = Stored("").ctxlog("show", f"duckdb:{store}", "-r", ID, "--json")
    assert list(map(json.loads, found.splitlines())) == list(
        map(json.loads, shop.lines.splitlines())
    )


# OpenTelemetry's protocol -----------------------------------------------------------


@pytest.mark.parametrize("schema", ["default", "otel"])
@pytest.mark.parametrize("way", ["process", "json", "protobuf"])
def test_records_are_those_of_the_file(shops: Shops, schema: str, way: str) -> None:
    """Each line of the request is a record, with all that stands on the line."""
    shop = shops.of(schema)
    store = shop.otlp if way == "process" else OtlpStore()
    if way != "process":
        with serving(store):
            address = f"otlp://127.0.0.1:{store.port}?encoding={way}"
            Stored("").ctxlog("ship", shop.file, "--to", address, "--once")
    assert len(store.records) == len(shop.all)
    found = [
        _members(resource, record)
        for resource, record in store.records
        if attributes(record).get("requestID") == ID
    ]
    assert found == list(map(_expected, shop.lines.splitlines()))


def _members(resource: Any, record: Any) -> dict[str, Any]:
    assert record.observed_time_unix_nano
    return {
        "time": record.time_unix_nano,
        "severity": record.severity_text,
        "number": record.severity_number,
        "body": record.body.string_value,
        **attributes(resource),
        **attributes(record),
    }


def _expected(text: bytes) -> dict[str, Any]:
    members = json.loads(text)
    if "resourceLogs" in members:
        batch: Any = json_format.Parse(text, service.ExportLogsServiceRequest())
        (of_resource,) = batch.resource_logs
        (record,) = of_resource.scope_logs[0].log_records
        record.observed_time_unix_nano = 1
        return _members(of_resource.resource, record)
    severity = members.pop("level")
    error = members.pop("exception", {})
    names = {"type": "type", "message": "message", "stack": "stacktrace"}
    del members["timestamp"]
    return {
        "time": Line(text).time,
        "severity": severity,
        "number": {"INFO": 9, "WARNING": 13, "ERROR": 17}[severity],
        "body": members.pop("message"),
        "service.name": members.pop("service"),
        "deployment.environment.name": members.pop("environment"),
        "logger.name": members.pop("logger"),
        **{f"exception.{names[name]}": of for name, of in error.items()},
        **members,
    }
