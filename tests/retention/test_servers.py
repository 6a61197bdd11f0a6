"""
Many requests to real servers and workers at once, of which one in fifty fails.
"""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import ctxlog
from tests.helpers import clean_environment, need, run_python
from tests.servers.serving import serving

#: Each request logs below the level by all loggers, and queries a database.
WORK = """
import logging

import loguru
import sqlalchemy
import structlog

import ctxlog

engine = sqlalchemy.create_engine("sqlite://", poolclass=sqlalchemy.pool.NullPool)
log = structlog.get_logger("shop.structlog")


def work(number):
    logging.getLogger("shop.stdlib").debug("looking at %d", number)
    log.debug("looking", number=number)
    loguru.logger.debug("looking at {}", number)
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text("select :number"), {"number": number})
    logging.getLogger("shop.stdlib").info("looked at %d", number)
    if number % 50 == 0:
        raise LookupError(number)
"""

ASGI = f"""{WORK}
import asyncio

ctxlog.configure(format="json", buffer=ctxlog.Buffer())


async def app(scope, receive, send):
    number = int(scope["path"].strip("/"))
    await asyncio.sleep(0)
    work(number)
    await send({{"type": "http.response.start", "status": 200, "headers": []}})
    await send({{"type": "http.response.body", "body": b"ok"}})


app = ctxlog.servers.asgi.ContextMiddleware(app)
"""

WSGI = f"""{WORK}
ctxlog.configure(format="json", buffer=ctxlog.Buffer())


def serve(environ, start_response):
    work(int(environ["PATH_INFO"].strip("/")))
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]


app = ctxlog.servers.wsgi.ContextMiddleware(serve)
"""

CELERY = f"""{WORK}
import threading
from celery import Celery
from celery.contrib.testing.worker import start_worker
from celery.signals import task_postrun

from ctxlog.tasks import celery

COUNT = 150
ctxlog.configure(format="json", buffer=ctxlog.Buffer(), levels={{"celery": "CRITICAL"}})
app = Celery(broker="memory://")
app.conf.update(worker_hijack_root_logger=False, worker_redirect_stdouts=False)
app.conf.broker_transport_options = {{"polling_interval": 0.001}}
celery.install(app)
left = COUNT
lock, done = threading.Lock(), threading.Event()


@task_postrun.connect
def count(**_):
    global left
    with lock:
        left -= 1
        if not left:
            done.set()


@app.task
def look(number):
    work(number)


options = {{"pool": "threads", "concurrency": 8, "loglevel": "INFO"}}
with start_worker(app, perform_ping_check=False, **options):
    for number in range(COUNT):
        ctxlog.run({{"requestID": f"r-{{number}}"}}, look.delay, number)
    assert done.wait(120)
"""

LOGGERS = {"shop.stdlib", "shop.structlog", "sqlalchemy.engine.Engine"}


def check(lines: list[dict[str, Any]], count: int) -> None:
    """
    Fail unless each failing request is there whole, and of others only what is usual.
    """
    requests: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in lines:
        if "elapsedMs" in line:
            requests[line["requestID"]].append(line)
    assert len(requests) == count
    for number in range(count):
        own = requests[f"r-{number}"]
        below = [one for one in own if one.get("buffered")]
        if number % 50:
            assert below == []
            assert [one["level"] for one in own] == ["INFO", "INFO"], own
        else:
            assert {one["logger"] for one in below} >= LOGGERS, own
            assert any("loguru" not in one["logger"] for one in below)
            levels = {(one["logger"], one["level"]) for one in below}
            assert ("shop.stdlib", "DEBUG") in levels
            assert ("shop.structlog", "DEBUG") in levels
            assert (
                len([one for one in below if one["message"] == f"looking at {number}"])
                == 2
            )
            stamps = [one["timestamp"] for one in below]
            assert stamps == sorted(stamps)


async def get_all(port: int, count: int, connections: int) -> None:
    """
    Send so many requests over so many connections at once.
    """

    async def some(first: int) -> None:
        for number in range(first, count, connections):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            head = f"GET /{number} HTTP/1.1\r\nHost: a\r\nX-Request-ID: r-{number}\r\n"
            writer.write(f"{head}Connection: close\r\n\r\n".encode())
            await writer.drain()
            status = (await reader.read()).split(b" ", 2)[1]
            assert status == (b"200" if number % 50 else b"500")
            writer.close()

    await asyncio.gather(*map(some, range(connections)))


@pytest.fixture(autouse=True)
def libraries() -> None:
    """
    What each request logs with.
    """
    for name in ("sqlalchemy", "structlog", "loguru"):
        need(name)


def test_uvicorn(tmp_path: Path) -> None:
    """
    Each failing request has all lines of all loggers; the others have none below.
    """
    need("uvicorn")
    with serving(ASGI, tmp_path, "h11") as server:
        asyncio.run(get_all(server.port, 1000, 100))
        lines = server.stop()
    reports = [one for one in lines if "Exception in ASGI" in one["message"]]
    assert len(reports) == 20
    check([one for one in lines if one not in reports], 1000)


def test_gunicorn(tmp_path: Path) -> None:
    """
    The same with threads, in processes that were forked.
    """
    need("gunicorn")
    (tmp_path / "served.py").write_text(WSGI, encoding="utf-8")
    # Bound here, so that the port is known and connections wait for the workers.
    with socket.create_server(("127.0.0.1", 0), backlog=512) as bound:
        descriptor, port = bound.fileno(), bound.getsockname()[1]
        installed = str(Path(ctxlog.__file__).parent.parent)
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "gunicorn", "served:app", "-w", "2"),
                *("--threads", "4", "--preload", "-b", f"fd://{descriptor}"),
            ],
            cwd=tmp_path,
            env=clean_environment(PYTHONPATH=f"{tmp_path}:{installed}"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=(descriptor,),
            encoding="utf-8",
        )
        with ThreadPoolExecutor(1) as pool:
            told = pool.submit(process.communicate, timeout=100)
            try:
                asyncio.run(get_all(port, 200, 20))
                process.terminate()
                out, _ = told.result()
            finally:
                process.kill()
    lines = [json.loads(one) for one in out.splitlines()]
    check([one for one in lines if one["logger"] != "gunicorn.error"], 200)


def test_celery(tmp_path: Path) -> None:
    """
    The same for tasks, whose completion lines say that they have failed.
    """
    need("celery")
    done = run_python("-c", CELERY, cwd=tmp_path)
    lines = [json.loads(one) for one in done.stdout.splitlines() if one[:1] == "{"]
    check([one for one in lines if "task" in one], 150)
