"""
The page 'Pick your stack', and a program for each library that its tables name.

The column 'write' is read off the page and put into the program as it stands; before
it comes only `import ctxlog` beside the libraries' own imports. One request
or job goes through, and the line that the program logs about it must be stamped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tests.helpers import ROOT, clean_environment, load_line, need, run_python

__all__ = ["PROGRAMS", "Program", "Row", "check", "programs", "rows"]


@dataclass(frozen=True)
class Row:
    """
    A row of a table.

    Attributes:
        uses: The libraries of the first column, item by item.
        write: The code of the second column.
    """

    uses: tuple[str, ...]
    write: tuple[str, ...]


def rows(text: str) -> list[Row]:
    """Return the rows of a page's tables that begin with 'you use' and 'write'."""
    found = []
    wanted = False
    for line in text.splitlines():
        heading = line.startswith("| you use | write |")
        wanted = heading or (wanted and line.startswith("|"))
        if not wanted or heading or line.startswith("|--"):
            continue
        uses, write = line.removeprefix("| ").split(" | ")[:2]
        items = uses.replace("`", "").split(", ")
        code = re.sub(r"\(\[more\].*?\)\)", "", write)
        found.append(
            Row(
                tuple(one for one in items if one != "..."),
                tuple(re.findall(r"`([^`]+)`", code)),
            )
        )
    return found


@dataclass(frozen=True)
class Program:
    """
    A program that does what a row says.

    Attributes:
        use: The item of the first column.
        source: The program, with `WRITE0`, `WRITE1`, ... for the row's code. Empty for
            a server that `tests/stacks` runs, and nothing is to be written for.
        where: The folder of tests that runs it, where its libraries are installed.
        needs: The libraries.
        line: The message of the line that must be stamped.
        request_id: Its id; None if the job has an id of its own.
        broker: Whether it needs a server of the Redis protocol: `os.environ["BROKER"]`.
    """

    use: str
    source: str
    where: str = "tests"
    needs: tuple[str, ...] = ()
    line: str = "served"
    request_id: str | None = "req-A"
    broker: bool = False

    def __str__(self) -> str:
        code = "+".join(re.findall(r"WRITE(\d)", self.source))
        return f"{self.use} {code}".strip()


_HEAD = """
import logging
import socket
import threading
import urllib.error
import urllib.request

import ctxlog

log = logging.getLogger("shop")
"""

_CONFIGURED = _HEAD + 'ctxlog.configure(format="json")\n'

#: `ask()` sends the one request, to a socket that listens already.
_ASK = """
listener = socket.create_server(("127.0.0.1", 0))
port = listener.getsockname()[1]


def ask(then=lambda: None, port=port):
    def run():
        url = f"http://127.0.0.1:{port}/"
        request = urllib.request.Request(url, headers={"X-Request-ID": "req-A"})
        try:
            urllib.request.urlopen(request, timeout=30).read()
        except urllib.error.HTTPError as error:
            error.close()
        then()

    threading.Thread(target=run).start()
"""

_SERVE_ASGI = """
import uvicorn

server = uvicorn.Server(uvicorn.Config(app, lifespan="off"))
ask(then=lambda: setattr(server, "should_exit", True))
server.run(sockets=[listener])
"""

_SERVE_WSGI = """
from wsgiref.simple_server import make_server

with make_server("127.0.0.1", 0, app) as server:
    ask(port=server.server_port)
    server.handle_request()
"""

_RAW_ASGI = """
async def app(scope, receive, send):
    log.info("served")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"served"})
"""

_RAW_WSGI = """
def app(environ, start_response):
    log.info("served")
    start_response("200 OK", [("Content-Length", "6")])
    return [b"served"]
"""

#: The server's own report of an application that crashes.
_CRASHING_ASGI = """
async def app(scope, receive, send):
    raise RuntimeError("crashed")

app = ctxlog.servers.asgi.ContextMiddleware(app)
"""


def _asgi(use: str, source: str, *, where: str = "tests", name: str = "") -> Program:
    whole = _CONFIGURED + _ASK + source + _SERVE_ASGI
    return Program(use, whole, where=where, needs=(name or use.lower(), "uvicorn"))


_SERVERS = [
    _asgi(
        "Starlette",
        """
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route


async def serve(request):
    log.info("served")
    return PlainTextResponse("served")


app = Starlette(routes=[Route("/", serve)])
WRITE0
""",
    ),
    _asgi(
        "FastAPI",
        """
from fastapi import FastAPI

app = FastAPI()
WRITE0


@app.get("/")
def serve():
    log.info("served")
""",
    ),
    _asgi(
        "Litestar",
        """
from litestar import Litestar, get


@get("/")
async def serve() -> None:
    log.info("served")


app = Litestar([serve], logging_config=None)
WRITE0
""",
        where="tests/stacks",
    ),
    _asgi(
        "Quart",
        """
from quart import Quart

app = Quart("shop")


@app.get("/")
async def serve():
    log.info("served")
    return "served"


WRITE0
""",
        where="tests/stacks",
    ),
    _asgi(
        "Falcon",
        """
import falcon.asgi


class Shop:
    async def on_get(self, request, response):
        log.info("served")


app = falcon.asgi.App()
app.add_route("/", Shop())
WRITE0
""",
        where="tests/stacks",
    ),
    _asgi("any other ASGI application", _RAW_ASGI + "\nWRITE0\n", name="uvicorn"),
    Program(
        "Django",
        _CONFIGURED
        + _ASK
        + """
import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path


def serve(request):
    log.info("served")
    return HttpResponse("served")


urlpatterns = [path("", serve)]
settings.configure(
    WRITE1=[WRITE0, "django.middleware.common.CommonMiddleware"],
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["*"],
    LOGGING_CONFIG=None,
)
app = get_wsgi_application()
"""
        + _SERVE_WSGI,
        needs=("django",),
    ),
    Program(
        "Flask",
        _CONFIGURED
        + _ASK
        + """
from flask import Flask

app = Flask("shop")
WRITE0


@app.get("/")
def serve():
    log.info("served")
    return "served"
"""
        + _SERVE_WSGI,
        needs=("flask",),
    ),
    Program(
        "Pyramid",
        _CONFIGURED
        + _ASK
        + """
import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # WebOb imports the module `cgi`
    from pyramid.config import Configurator
    from pyramid.response import Response


def serve(request):
    log.info("served")
    return Response("served")


config = Configurator()
config.add_route("serve", "/")
config.add_view(serve, route_name="serve")
app = config.make_wsgi_app()
WRITE0
"""
        + _SERVE_WSGI,
        needs=("pyramid",),
    ),
    Program(
        "Bottle",
        _CONFIGURED
        + _ASK
        + """
import bottle

app = bottle.Bottle()


@app.get("/")
def serve():
    log.info("served")
    return "served"


WRITE0
"""
        + _SERVE_WSGI,
        where="tests/stacks",
        needs=("bottle",),
    ),
    Program(
        "any other WSGI application",
        _CONFIGURED + _ASK + _RAW_WSGI + "\nWRITE0\n" + _SERVE_WSGI,
    ),
    Program(
        "uvicorn",
        _CONFIGURED + _ASK + _CRASHING_ASGI + _SERVE_ASGI,
        needs=("uvicorn",),
        line="Exception in ASGI application",
    ),
    Program(
        "hypercorn",
        _CONFIGURED
        + _ASK
        + _CRASHING_ASGI
        + """
import asyncio

from hypercorn.asyncio import serve
from hypercorn.config import Config


async def main():
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    ask(then=lambda: loop.call_soon_threadsafe(ended.set))
    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    await serve(app, config, shutdown_trigger=ended.wait)


asyncio.run(main())
""",
        needs=("hypercorn",),
        line="Error in ASGI Framework",
    ),
    Program("granian", "", where="tests/stacks"),
    Program("daphne", "", where="tests/stacks"),
    Program(
        "waitress",
        _CONFIGURED
        + _ASK
        + """
import waitress


def app(environ, start_response):
    raise RuntimeError("crashed")


app = ctxlog.servers.wsgi.ContextMiddleware(app)
server = waitress.create_server(app, sockets=[listener])
ask(then=lambda: server.trigger.pull_trigger(server.close))
try:
    server.run()
except OSError:
    pass  # its listening socket has been closed
""",
        needs=("waitress",),
        line="Exception while serving /",
    ),
    Program("uWSGI", "", where="tests/stacks"),
    Program(
        "aiohttp",
        _CONFIGURED
        + _ASK
        + """
import asyncio

from aiohttp import web


async def serve(request):
    log.info("served")
    return web.Response(text="served")


async def main():
    app = WRITE0
    app.router.add_get("/", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    ask(then=lambda: loop.call_soon_threadsafe(ended.set))
    await ended.wait()
    await runner.cleanup()


asyncio.run(main())
""",
        needs=("aiohttp",),
    ),
    Program(
        "Tornado",
        _CONFIGURED
        + _ASK
        + """
import asyncio

from tornado.web import Application, RequestHandler


class Serve(RequestHandler):
    def get(self):
        log.info("served")


async def main():
    app = Application([("/", Serve)])
    WRITE0
    server = app.listen(0, "127.0.0.1")
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    (listening,) = server._sockets.values()
    ask(
        then=lambda: loop.call_soon_threadsafe(ended.set),
        port=listening.getsockname()[1],
    )
    await ended.wait()


asyncio.run(main())
""",
        needs=("tornado",),
    ),
    Program(
        "Sanic",
        _CONFIGURED
        + _ASK
        + """
from sanic import Sanic
from sanic.response import text

app = Sanic("shop", configure_logging=False)
WRITE0


@app.get("/")
async def serve(request):
    log.info("served")
    return text("served")


@app.after_server_start
async def started(app):
    loop = app.loop
    ask(then=lambda: loop.call_soon_threadsafe(app.stop))


if __name__ == "__main__":
    app.run(sock=listener, single_process=True, access_log=False, motd=False)
""",
        needs=("sanic",),
    ),
]

_EDGES = [
    Program(
        "gRPC",
        _CONFIGURED
        + """
from concurrent.futures import ThreadPoolExecutor

import grpc


def serve(request, context):
    log.info("served")
    return request


pool = ThreadPoolExecutor(1)
server = WRITE0
handlers = {"Serve": grpc.unary_unary_rpc_method_handler(serve)}
server.add_registered_method_handlers("shop.Shop", handlers)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
    call = channel.unary_unary("/shop.Shop/Serve")
    call(b"", timeout=30, metadata=[("x-request-id", "req-A")])
server.stop(None).wait()
""",
        needs=("grpc",),
    ),
    Program(
        "gRPC",
        _CONFIGURED
        + """
import asyncio

import grpc


async def serve(request, context):
    log.info("served")
    return request


async def main():
    server = WRITE1
    handlers = {"Serve": grpc.unary_unary_rpc_method_handler(serve)}
    server.add_registered_method_handlers("shop.Shop", handlers)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary("/shop.Shop/Serve")
        await call(b"", timeout=30, metadata=[("x-request-id", "req-A")])
    await server.stop(None)


asyncio.run(main())
""",
        needs=("grpc",),
    ),
    Program(
        "websockets (the package)",
        _CONFIGURED
        + """
import asyncio

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

host, port = "127.0.0.1", 0


async def handler(connection):
    log.info("served")
    await connection.send("served")


async def main():
    async with WRITE0 as server:
        bound = server.sockets[0].getsockname()[1]
        async with connect(
            f"ws://127.0.0.1:{bound}",
            additional_headers={"X-Request-ID": "req-A"},
            proxy=None,
        ) as client:
            assert await client.recv() == "served"


asyncio.run(main())
""",
        needs=("websockets",),
    ),
    Program(
        "gunicorn",
        _HEAD
        + '''
import os
import pathlib
import sys

from gunicorn.app.wsgiapp import run

os.dup2(1, 2)  # its lines go to standard error
pathlib.Path("shop.py").write_text("""
import ctxlog

ctxlog.configure(format="json")


def app(environ, start_response):
    raise RuntimeError("crashed")


app = ctxlog.servers.wsgi.ContextMiddleware(app)
""")
pathlib.Path("settings.py").write_text("""
import os
import signal
import socket
import threading
import urllib.error
import urllib.request
'''
        + _ASK
        + '''

def when_ready(arbiter):
    (listening,) = arbiter.LISTENERS
    ask(
        then=lambda: os.kill(os.getpid(), signal.SIGTERM),
        port=listening.getsockname()[1],
    )
""")
sys.argv[1:] = "WRITE0 -c settings.py -b 127.0.0.1:0 shop:app".split()
run()
''',
        needs=("gunicorn",),
        line="Error handling request",
    ),
]

_RUN = """

def serve():
    LOG


ctxlog.run({"requestID": "req-A"}, serve)
"""

_STDLIB_RUN = _RUN.replace("LOG", 'log.warning("served")')

_LOGGERS = [
    Program("stdlib logging", _HEAD + "\nWRITE0\n" + _STDLIB_RUN),
    Program(
        "structlog",
        _HEAD
        + "\nimport structlog\n\nWRITE0\n"
        + _RUN.replace("LOG", 'structlog.get_logger().info("served")'),
        needs=("structlog",),
    ),
    Program(
        "structlog",
        _HEAD
        + """
import structlog

structlog.configure(
    processors=[structlog.processors.add_log_level, WRITE1],
    logger_factory=structlog.BytesLoggerFactory(),
)
"""
        + _RUN.replace("LOG", 'structlog.get_logger().info("served")'),
        needs=("structlog",),
    ),
    Program(
        "loguru",
        _HEAD
        + "\nfrom loguru import logger\n\nWRITE0\n"
        + _RUN.replace("LOG", 'logger.info("served")'),
        needs=("loguru",),
    ),
    Program(
        "loguru",
        _HEAD
        + "\nfrom loguru import logger\n\nWRITE1\n"
        + _RUN.replace("LOG", 'logger.info("served")'),
        needs=("loguru",),
    ),
    Program(
        "dictConfig",
        _HEAD
        + "\nimport logging.config\n\nlogging.config.dictConfig(WRITE0)\n"
        + _STDLIB_RUN,
    ),
    Program(
        "Django's LOGGING",
        _HEAD
        + """
import django
from django.conf import settings

settings.configure(
    LOGGING={
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"context": {"()": "WRITE2"}},
        "formatters": {"json": {"class": "WRITE1"}},
        "handlers": {
            "console": {
                "class": "logging.StreamHandler",
                "filters": ["context"],
                "formatter": "json",
                "stream": "ext://sys.stdout",
            }
        },
        "root": {"handlers": ["console"]},
    }
)
django.setup()
"""
        + _STDLIB_RUN,
        needs=("django",),
    ),
]

#: A service that answers with the id that it was asked with; calls to the host
#: `payments` go to it.
_PAYMENTS = """
from http.server import BaseHTTPRequestHandler, HTTPServer


class Payments(BaseHTTPRequestHandler):
    def do_GET(self):
        body = self.headers["X-Request-ID"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


payments = HTTPServer(("127.0.0.1", 0), Payments)
threading.Thread(target=payments.handle_request, daemon=True).start()
url = f"http://payments:{payments.server_port}/"
resolve = socket.getaddrinfo


def to_loopback(host, *args, **kwargs):
    name = "127.0.0.1" if host in ("payments", b"payments") else host
    return resolve(name, *args, **kwargs)


socket.getaddrinfo = to_loopback
"""


def _client(use: str, name: str, source: str) -> Program:
    return Program(use, _CONFIGURED + _PAYMENTS + source, needs=(name,))


_CLIENTS = [
    _client(
        "httpx",
        "httpx",
        """
import httpx

client = httpx.Client(trust_env=False)
WRITE0


def serve():
    assert client.get(url).text == "req-A"
    log.info("served")


ctxlog.run({"requestID": "req-A"}, serve)
""",
    ),
    _client(
        "Requests",
        "requests",
        """
import requests

session = requests.Session()
session.trust_env = False
WRITE0


def serve():
    assert session.get(url).text == "req-A"
    log.info("served")


ctxlog.run({"requestID": "req-A"}, serve)
""",
    ),
    _client(
        "aiohttp's client",
        "aiohttp",
        """
import asyncio

import aiohttp


async def serve():
    connector = aiohttp.TCPConnector(resolver=aiohttp.ThreadedResolver())
    async with aiohttp.ClientSession(connector=connector) as session:
        WRITE0
        async with session.get(url) as response:
            assert await response.text() == "req-A"
    log.info("served")


asyncio.run(ctxlog.run({"requestID": "req-A"}, serve))
""",
    ),
    _client(
        "urllib3",
        "urllib3",
        """
import urllib3

manager = urllib3.PoolManager()
WRITE0


def serve():
    assert manager.request("GET", url).data == b"req-A"
    log.info("served")


ctxlog.run({"requestID": "req-A"}, serve)
""",
    ),
]

_TASKS = [
    Program(
        "Celery",
        _CONFIGURED
        + """
from celery import Celery

WRITE0
app = Celery("shop", broker="memory://", set_as_current=False)
app.conf.task_always_eager = True


@app.task
def serve():
    log.info("served")


ctxlog.run({"requestID": "req-A"}, serve.delay)
""",
        where="tests/tasks",
        needs=("celery",),
    ),
    Program(
        "Dramatiq",
        _CONFIGURED
        + """
import dramatiq
from dramatiq.brokers.stub import StubBroker

broker = StubBroker()
WRITE0
dramatiq.set_broker(broker)


@dramatiq.actor
def serve():
    log.info("served")


ctxlog.run({"requestID": "req-A"}, serve.send)
worker = dramatiq.Worker(broker)
worker.start()
broker.join("default", timeout=30_000)
worker.stop()
""",
        where="tests/tasks",
        needs=("dramatiq",),
    ),
    Program(
        "RQ",
        _CONFIGURED
        + """
import os
import pathlib
import sys

from redis import Redis
from rq import Queue, SimpleWorker

WRITE0
pathlib.Path("shop.py").write_text(
    "import logging\\n"
    "def serve():\\n"
    "    logging.getLogger('shop').info('served')\\n"
)
sys.path.insert(0, os.getcwd())
connection = Redis.from_url(os.environ["BROKER"])
queue = Queue(connection=connection)
ctxlog.run({"requestID": "req-A"}, queue.enqueue, "shop.serve")
SimpleWorker([queue], connection=connection).work(burst=True)
""",
        where="tests/tasks",
        needs=("rq",),
        broker=True,
    ),
    Program(
        "Huey",
        _CONFIGURED
        + """
from huey import MemoryHuey

huey = MemoryHuey()
WRITE0


@huey.task()
def serve():
    log.info("served")


ctxlog.run({"requestID": "req-A"}, serve)
huey.execute(huey.dequeue())
""",
        where="tests/tasks",
        needs=("huey",),
    ),
    Program(
        "taskiq",
        _CONFIGURED
        + """
import asyncio

from taskiq import InMemoryBroker

broker = InMemoryBroker()
WRITE0


@broker.task
async def serve():
    log.info("served")


async def main():
    await broker.startup()
    task = await ctxlog.run({"requestID": "req-A"}, serve.kiq)
    await task.wait_result(timeout=30)
    await broker.shutdown()


asyncio.run(main())
""",
        where="tests/tasks",
        needs=("taskiq",),
    ),
    Program(
        "arq",
        _CONFIGURED
        + """
import asyncio
import os

from arq import create_pool
from arq.connections import RedisSettings
from arq.worker import Worker

WRITE0
settings = RedisSettings.from_dsn(os.environ["BROKER"])


async def serve(context):
    log.info("served")


async def main():
    pool = await create_pool(settings)
    await ctxlog.run({"requestID": "req-A"}, pool.enqueue_job, "serve")
    worker = Worker([serve], redis_pool=pool, burst=True, handle_signals=False)
    await worker.async_run()
    await worker.close()


asyncio.run(main())
""",
        where="tests/tasks/test_arq.py",
        needs=("arq",),
        broker=True,
    ),
    Program(
        "FastStream",
        _CONFIGURED
        + """
import asyncio
import os

from faststream.redis import RedisBroker

broker = RedisBroker(os.environ["BROKER"])
WRITE0
served = asyncio.Event()


@broker.subscriber(list="orders")
async def serve(order: str):
    log.info("served")
    served.set()


async def main():
    async with broker:
        await broker.start()
        await ctxlog.run({"requestID": "req-A"}, broker.publish, "o-7", list="orders")
        await asyncio.wait_for(served.wait(), 30)


asyncio.run(main())
""",
        where="tests/tasks",
        needs=("faststream",),
        broker=True,
    ),
    Program(
        "APScheduler",
        _CONFIGURED
        + """
import threading

from apscheduler.schedulers.background import BackgroundScheduler

WRITE0
scheduler = BackgroundScheduler(timezone="UTC")
served = threading.Event()


@scheduler.scheduled_job("date", misfire_grace_time=None)
def serve():
    log.info("served")
    served.set()


scheduler.start()
served.wait()
scheduler.shutdown()
""",
        where="tests/tasks",
        needs=("apscheduler",),
        request_id=None,
    ),
    Program(
        "multiprocessing",
        _CONFIGURED
        + """
import multiprocessing

WRITE0


def serve():
    log.info("served")


if __name__ == "__main__":
    process = multiprocessing.get_context("fork").Process(target=serve)
    ctxlog.run({"requestID": "req-A"}, process.start)
    process.join()
""",
    ),
    Program(
        "ProcessPoolExecutor",
        _CONFIGURED
        + """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

WRITE0


def serve():
    log.info("served")


if __name__ == "__main__":
    with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as pool:
        ctxlog.run({"requestID": "req-A"}, pool.submit, serve).result()
""",
    ),
]

_ENTRY = """
WRITE0
def main(*args):
    log.info("served")


main()
"""

_OTHERS = [
    Program("a command", _CONFIGURED + _ENTRY, request_id=None),
    Program("a cron job", _CONFIGURED + _ENTRY, request_id=None),
    Program(
        "AWS Lambda",
        _CONFIGURED + _ENTRY.replace("main()", "main({}, None)"),
        request_id=None,
    ),
    Program(
        "a queue of your own",
        _CONFIGURED
        + """
import queue as queues

queue = queues.Queue()


def work():
    item = queue.get()
    WRITE1 as order:
        log.info("served")


def send(item):
    WRITE0


worker = threading.Thread(target=work)
worker.start()
ctxlog.run({"requestID": "req-A"}, send, "o-7")
worker.join()
""",
    ),
    Program(
        "anything else",
        _CONFIGURED
        + """

def fn():
    log.info("served")


WRITE0
""",
    ),
    Program(
        "pytest",
        """
import pathlib
import sys

import pytest

pathlib.Path("test_shop.py").write_text('''
import logging
import sys


def test_shop(WRITE0):
    logging.getLogger("shop").info("served")
    (line,) = WRITE0
    assert line["WRITE2"] == "test_shop.py::test_shop"
    sys.__stdout__.buffer.write(WRITE0.raw[0])
''')
options = ["-p", "no:cacheprovider", "-p", "no:terminal", "-s", "-c", "pytest.ini"]
pathlib.Path("pytest.ini").write_text("[pytest]\\nWRITE1\\n")
sys.exit(pytest.main(options))
""",
        request_id="N/A",
    ),
]

PROGRAMS = [*_SERVERS, *_EDGES, *_LOGGERS, *_CLIENTS, *_TASKS, *_OTHERS]

PAGE = (ROOT / "docs" / "pick-your-stack.md").read_text(encoding="utf-8")


def programs(where: str) -> list[Program]:
    """Return the programs that the tests of a folder run."""
    return [one for one in PROGRAMS if one.where == where and one.source]


def written(program: Program, table: list[Row]) -> str:
    """Return the program with the code of its row."""
    (row,) = [row for row in table if program.use in row.uses]
    source = program.source
    for number, code in enumerate(row.write):
        source = source.replace(f"WRITE{number}", code)
    assert "WRITE" not in source, f"the row of {program.use} has less code"
    return source


def check(program: Program, tmp_path: Path, **environment: str) -> None:
    """Run a program with what the page says, and judge its line."""
    if program.needs:
        need(*program.needs)
    script = tmp_path / "program.py"
    script.write_text(written(program, rows(PAGE)), encoding="utf-8")
    # The C core of gRPC notes on standard error how connections ended, if it is late.
    env = clean_environment(GRPC_VERBOSITY="ERROR", **environment)
    done = run_python(str(script), cwd=tmp_path, env=env)
    lines = [load_line(line) for line in done.stdout.splitlines()]
    (line,) = [line for line in lines if line["message"] == program.line]
    if program.request_id is None:
        assert line["requestID"] != "N/A"
        assert line["task"]
    else:
        assert line["requestID"] == program.request_id
