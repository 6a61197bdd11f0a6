"""
Every line arrives, however a server or a worker ends.

The sink of these programs ships nothing by itself: what arrives was shipped by one of
the hooks of an ending. So a line that is missing here is one that a sink would lose
that is about to send.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.aggregators.web import serving
from tests.helpers import (
    LIMIT,
    clean_environment,
    free_port,
    need,
    run_python,
    until,
    until_listening,
)
from tests.tasks.brokers import valkey
from tests.tasks.worker import Process

pytestmark = pytest.mark.real_server

REQUESTS = 11

#: The sink, the configuration of all programs, and what tasks do.
HOLDING = '''
import os, threading, urllib.request
import ctxlog


class Holding(ctxlog.sinks.Sink):
    """Holds its lines until it is flushed."""

    name = "holding"

    def __init__(self):
        self.renew()
        os.register_at_fork(after_in_child=self.renew)

    def renew(self):
        self._lock = threading.RLock()
        self._lines = []
        self._number = 0

    def write(self, line):
        with self._lock:
            self._number += 1
            self._lines.append((self._number, line))

    def flush(self, timeout):
        # A signal's handler may raise in the middle: lines are held until they are
        # there, and the receiver knows those that it has.
        with self._lock:
            lines = list(self._lines)
        if lines:
            body = b"".join(b"%d-%d %s" % (os.getpid(), *one) for one in lines)
            urllib.request.urlopen(os.environ["RECEIVER"], body, 30).close()
            with self._lock:
                self._lines = [one for one in self._lines if one not in lines]
        return 0


def configure():
    if "STORE" in os.environ:
        sink = ctxlog.sinks.Ship(os.environ["STORE"])
    elif "RECEIVER" in os.environ:
        sink = Holding()
    else:  # one of the programs that send tasks
        return
    ctxlog.configure(format="json", level="INFO", to=[sink])


def done():
    import redis

    redis.Redis.from_url(os.environ["BROKER"]).incr("done")
'''

ASGI = """
import contextlib, logging
import ctxlog, holding
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

holding.configure()
log = logging.getLogger("shop")


@contextlib.asynccontextmanager
async def lifespan(app):
    yield
    log.info("closing the shop")


async def order(request):
    log.info("order")
    return PlainTextResponse("ok")


app = Starlette(routes=[Route("/order", order)], lifespan=lifespan)
ctxlog.servers.asgi.install(app)


async def bare(scope, receive, send):
    assert scope["type"] == "http"
    log.info("bare order")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})
"""

WSGI = """
import logging
import ctxlog, holding

holding.configure()
log = logging.getLogger("shop")


def order(environ, start_response):
    log.info("order")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"ok"]


app = ctxlog.servers.wsgi.ContextMiddleware(order)
"""


#: A task for each library, and `send()`; the worker's program is the same.
WORKERS = {
    "celery_shop": """
import os
import holding
from celery import Celery
from ctxlog.tasks import celery

holding.configure()
celery.install()
app = Celery("shop", broker=os.environ["BROKER"])
app.conf.task_ignore_result = True


@app.task
def charge(number):
    holding.done()


def send(number):
    charge.delay(number)
""",
    "rq_shop": """
import os
import holding
from redis import Redis
from rq import Queue
from ctxlog.tasks import rq

holding.configure()
rq.install()
queue = Queue(connection=Redis.from_url(os.environ["BROKER"]))


def charge(number):
    holding.done()


def send(number):
    queue.enqueue(charge, number)
""",
    "dramatiq_shop": """
import os
import dramatiq, holding
from dramatiq.brokers.redis import RedisBroker
from ctxlog.tasks.dramatiq import install

holding.configure()
broker = RedisBroker(url=os.environ["BROKER"])
install(broker)
dramatiq.set_broker(broker)


@dramatiq.actor
def charge(number):
    holding.done()


def send(number):
    charge.send(number)
""",
    "taskiq_shop": """
import asyncio, os
import holding
from taskiq_redis import ListQueueBroker
from ctxlog.tasks.taskiq import install

holding.configure()
broker = ListQueueBroker(os.environ["BROKER"])
install(broker)


@broker.task
async def charge(number):
    holding.done()


async def send_one(number):
    await broker.startup()
    await charge.kiq(number)
    await broker.shutdown()


def send(number):
    asyncio.run(send_one(number))
""",
    "executor": """
import sys

sys.path.insert(0, __file__.rpartition("/")[0])
import holding, logging, multiprocessing, sys
from concurrent.futures import ProcessPoolExecutor

holding.configure()
log = logging.getLogger("shop")


def work(number):
    log.info("order %d", number)


if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    log.info("begin")
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        list(pool.map(work, range(11)))
    log.info("end")
""",
    "crash": """
import holding, logging

holding.configure()
logging.getLogger("shop").info("begin")
raise ValueError("broken")
""",
}


class Receiver:
    """
    Takes lines by HTTP, each request with some lines; none that it has already.
    """

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        lines, known, lock = self.lines, set[bytes](), threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with lock:
                    for one in body.splitlines():
                        name, _, line = one.partition(b" ")
                        if name not in known:
                            known.add(name)
                            lines.append(json.loads(line))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def of(self, logger: str) -> list[dict[str, Any]]:
        """The lines of one logger."""
        return [one for one in self.lines if one["logger"] == logger]

    def messages(self) -> list[str]:
        """The messages of all lines."""
        return [one["message"] for one in self.lines]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    sources = {"holding": HOLDING, "asgi": ASGI, "wsgi": WSGI, **WORKERS}
    for name, source in sources.items():
        (tmp_path / f"{name}.py").write_text(source)
    return tmp_path


def end(process: Process, number: int) -> str:
    """Let a process end by a signal, and return what it has written to its output."""
    if number == signal.SIGINT:  # as a terminal sends it: to all processes
        os.killpg(process.process.pid, number)
    else:
        process.process.send_signal(number)
    try:
        process.process.wait(timeout=LIMIT)
    finally:
        process.stop()
    return "".join(process.written)


def serve(
    command: str,
    folder: Path,
    number: int = signal.SIGTERM,
    **variables: str,
) -> str:
    """Have a server answer requests, end it, and return its output."""
    port = free_port()
    args = command.format(port=port).split()
    process = Process(args, folder, **variables)
    try:
        until_listening(process.process, port)
        for request in range(REQUESTS):
            asked = urllib.request.Request(f"http://127.0.0.1:{port}/order")
            asked.add_header("X-Request-ID", f"req-{request}")
            with urllib.request.urlopen(asked, timeout=LIMIT) as response:
                assert response.read() == b"ok"
    except BaseException as error:
        process.stop()
        raise AssertionError("".join(process.written)) from error
    return end(process, number)


def check_completions(receiver: Receiver, output: str) -> None:
    """All requests are complete, each once."""
    ids = [one["requestID"] for one in receiver.of("ctxlog.request")]
    wanted = [f"req-{request}" for request in range(REQUESTS)]
    assert sorted(ids) == sorted(wanted), output


TERM, INT = signal.SIGTERM, signal.SIGINT


@pytest.mark.parametrize(
    ("options", "number"),
    [
        ("", TERM),
        ("", INT),
        ("--workers 2", TERM),
        ("--workers 2", INT),
        ("--lifespan off", TERM),
        ("--log-level warning", TERM),
    ],
)
def test_uvicorn(options: str, number: int, folder: Path, receiver: Receiver) -> None:
    """It is killed by the signal that it raises again, after its own last line."""
    need("uvicorn", "starlette")
    command = f"uvicorn asgi:app {options} --port "
    output = serve(command + "{port}", folder, number, RECEIVER=receiver.url)
    check_completions(receiver, output)
    messages = receiver.messages()
    assert ("closing the shop" in messages) is (options != "--lifespan off")
    workers = {"--workers 2": 2, "--log-level warning": 0}.get(options, 1)
    ends = [one for one in messages if one.startswith("Finished server process")]
    assert len(ends) == workers, output


def test_uvicorn_without_our_middleware(folder: Path, receiver: Receiver) -> None:
    """An application that knows no lifespan ends by uvicorn's shutdown alone."""
    need("uvicorn", "starlette")
    command = "uvicorn asgi:bare --port {port}"
    output = serve(command, folder, RECEIVER=receiver.url)
    assert receiver.messages().count("bare order") == REQUESTS, output
    assert receiver.messages()[-1].startswith("Finished server process")


GUNICORN = {
    "sync": "gunicorn wsgi:app -k sync --workers 2",
    "gthread": "gunicorn wsgi:app -k gthread --threads 4",
    "gevent": "gunicorn wsgi:app -k gevent",
    "uvicorn": "gunicorn asgi:app -k uvicorn_worker.UvicornWorker --workers 2",
}


@pytest.mark.parametrize(
    ("kind", "preload", "number"),
    [
        ("sync", False, TERM),
        ("sync", True, TERM),
        ("sync", True, INT),
        ("gthread", False, TERM),
        ("gevent", True, TERM),
        ("uvicorn", False, TERM),
        ("uvicorn", True, TERM),
        ("uvicorn", False, INT),
    ],
)
def test_gunicorn(
    kind: str, preload: bool, number: int, folder: Path, receiver: Receiver
) -> None:
    """
    A worker begins with nothing of the master's, and ends with all that it has.
    """
    need("gunicorn", "uvicorn_worker", "gevent")
    command = GUNICORN[kind] + " --preload" * preload + " --bind 127.0.0.1:{port}"
    output = serve(command, folder, number, RECEIVER=receiver.url)
    check_completions(receiver, output)
    if preload:
        # The master's own lines, once each.
        ends = [m for m in receiver.messages() if m.startswith("Shutting down: Master")]
        assert len(ends) == 1, output


@pytest.mark.parametrize("kind", [*GUNICORN, "uvicorn alone"])
def test_lines_of_ship(kind: str, folder: Path) -> None:
    """What `Ship` holds arrives, none of it twice, across a fork and beside gevent."""
    need("uvicorn_worker", "gevent", "urllib3", "opentelemetry.proto")
    from tests.aggregators.otlp_store import OtlpStore

    command = GUNICORN.get(kind, "uvicorn asgi:app") + " --port {port}"
    if kind in GUNICORN:
        command = command.replace("--port ", "--preload --bind 127.0.0.1:")
    store = OtlpStore()
    with serving(store):
        output = serve(command, folder, STORE=f"otlp://127.0.0.1:{store.port}")
    assert store.messages.count("GET /order 200") == REQUESTS, output
    assert store.messages.count("order") == REQUESTS


@pytest.fixture(scope="module")
def broker() -> Iterator[Any]:
    redis: Any = need("redis")
    with valkey() as url:
        yield url, redis.Redis.from_url(url)


_CELERY = "celery -A celery_shop worker --without-gossip --without-mingle "
WORKER_COMMANDS = {
    "celery prefork": _CELERY + "-P prefork -c 2",
    "celery threads": _CELERY + "-P threads -c 2",
    "celery solo": _CELERY + "-P solo",
    "rq": "rq worker -c rq_shop -u {broker}",
    "dramatiq": "dramatiq dramatiq_shop -p 2 -t 2",
    "taskiq": "taskiq worker taskiq_shop:broker -w 2",
}
ENDED = [(kind, TERM) for kind in WORKER_COMMANDS]


def work(
    kind: str, folder: Path, broker: Any, number: int = signal.SIGTERM, **variables: str
) -> str:
    """Have a worker do tasks, end it, and return its output."""
    url, client = broker
    client.flushall()
    shop = kind.split()[0] + "_shop"
    send = f"import sys; sys.path.insert(0, {str(folder)!r}); import {shop}\n"
    send += f"for number in range({REQUESTS}): {shop}.send(number)"
    run_python("-c", send, cwd=folder, env=clean_environment(BROKER=url))
    command = WORKER_COMMANDS[kind].format(broker=url).split()
    process = Process(command, folder, BROKER=url, **variables)
    try:
        until(process.process, lambda: int(client.get("done") or 0) == REQUESTS)
    except BaseException as error:
        process.stop()
        raise AssertionError("".join(process.written)) from error
    return end(process, number)


@pytest.mark.parametrize(
    ("kind", "number"), [*ENDED, ("celery prefork", INT), ("rq", INT)]
)
def test_queues(
    kind: str, number: int, folder: Path, receiver: Receiver, broker: Any
) -> None:
    """A worker that is asked to end ships the completion line of every task."""
    need("celery", "rq", "dramatiq", "taskiq_redis")
    output = work(kind, folder, broker, number, RECEIVER=receiver.url)
    tasks = [one["taskID"] for one in receiver.of("ctxlog.task")]
    assert len(set(tasks)) == len(tasks) == REQUESTS, output


@pytest.mark.parametrize("start", ["fork", "spawn", "forkserver"])
def test_processes_of_a_pool(start: str, folder: Path, receiver: Receiver) -> None:
    """They end by `os._exit`, and have none of the lines of the main process."""
    env = clean_environment(RECEIVER=receiver.url)
    run_python(str(folder / "executor.py"), start, cwd=folder, env=env)
    messages = receiver.messages()
    assert messages[-1] == "end"
    wanted = [f"order {number}" for number in range(REQUESTS)]
    assert sorted(m for m in messages if m.startswith("order")) == sorted(wanted)
    assert messages.count("end") == 1


def test_a_crash(folder: Path, receiver: Receiver) -> None:
    """The line of the exception that ends a program is its last, and arrives."""
    env = clean_environment(RECEIVER=receiver.url)
    source = f"import sys; sys.path.insert(0, {str(folder)!r}); import crash"
    done = run_python("-c", source, cwd=folder, env=env, check=False)
    assert done.returncode == 1
    begin, last = receiver.lines
    assert begin["message"] == "begin"
    assert last["exception"]["type"] == "ValueError"


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a store that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"otlp://127.0.0.1:{listener.getsockname()[1]}"


def check_given_up(output: str, least: int) -> None:
    """Each process says how many lines the store has not taken."""
    lines = [json.loads(one) for one in output.splitlines() if one.startswith("{")]
    said = [one for one in lines if one["logger"] == "ctxlog.sinks"]
    assert all("not shipped: no answer in time" in one["message"] for one in said)
    assert sum(one["dropped"] for one in said) >= least, output


@pytest.mark.parametrize(
    "command",
    [
        "uvicorn asgi:app --port {port}",
        "uvicorn asgi:app --lifespan off --port {port}",
        "gunicorn wsgi:app --preload --bind 127.0.0.1:{port}",
        "gunicorn asgi:app -k uvicorn_worker.UvicornWorker --bind 127.0.0.1:{port}",
    ],
)
def test_a_server_says_what_a_dead_store_has_not_taken(
    command: str, folder: Path, silent: str
) -> None:
    """Before it is killed; the requests' own lines, and the server's."""
    need("uvicorn", "gunicorn", "opentelemetry.proto")
    check_given_up(serve(command, folder, STORE=silent), 2 * REQUESTS)


@pytest.mark.parametrize("kind", ["celery prefork", "celery threads", "dramatiq"])
def test_a_worker_says_what_a_dead_store_has_not_taken(
    kind: str, folder: Path, silent: str, broker: Any
) -> None:
    """As a server does."""
    need("celery", "dramatiq", "opentelemetry.proto")
    check_given_up(work(kind, folder, broker, STORE=silent), REQUESTS)
