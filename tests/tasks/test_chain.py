"""
One request through nine processes: every line of all of them has its id.

HTTP request (uvicorn) -> Celery task -> chained task that retries once -> HTTP call to
a second service -> Dramatiq -> RQ -> taskiq -> FastStream -> HTTP call to a third
service -> arq. The last two have an environment of their own, since arq needs an older
client of Redis than the others: `CTXLOG_ARQ_BIN` is where its programs are. Without one
the chain ends before them.
"""

from __future__ import annotations

import json
import os
import re
import urllib.request
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.helpers import free_port, need
from tests.tasks.worker import Process, running

need("celery", "rq", "dramatiq", "taskiq", "taskiq_redis", "faststream", "uvicorn")

REQUESTS = 50

FILES = {
    "setup.py": """
import logging
import os

import ctxlog

ctxlog.configure(format="json", service=os.environ["SERVICE"])
log = logging.getLogger("chain")
BROKER = os.environ["BROKER"]
""",
    "web.py": """
from setup import log
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import ctxlog
import work
from ctxlog.servers.asgi import install


async def start(request):
    token = request.path_params["token"]
    ctxlog.bind(user={"id": token})
    log.info("web %s", token)
    work.begin(token)
    return PlainTextResponse("ok")


app = Starlette(routes=[Route("/start/{token}", start, methods=["POST"])])
install(app)
""",
    "work.py": """
import os

import httpx
from celery import Celery, chain
from setup import BROKER, log

from ctxlog.clients.httpx import install as install_client
from ctxlog.tasks import celery

celery.install(fields=["user"])
app = Celery("work", broker=BROKER + "/1", backend=BROKER + "/1")
app.conf.broker_connection_retry_on_startup = True


@app.task
def first(token):
    log.info("first %s", token)
    return token


@app.task(bind=True, max_retries=1)
def second(self, token):
    log.info("second %s", token)
    if self.request.retries == 0:
        raise self.retry(countdown=0)
    with httpx.Client(timeout=30) as client:
        install_client(client, hosts=["127.0.0.1"], completion_line=True)
        client.post(os.environ["OTHER"] + f"/pay/{token}").raise_for_status()


def begin(token):
    chain(first.s(token), second.s()).apply_async()
""",
    "other.py": """
from setup import log
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import actors
from ctxlog.servers.asgi import install


def pay(request):
    log.info("pay %s", request.path_params["token"])
    actors.act.send(request.path_params["token"])
    return PlainTextResponse("ok")


app = Starlette(routes=[Route("/pay/{token}", pay, methods=["POST"])])
install(app)
""",
    "actors.py": """
import dramatiq
from dramatiq.brokers.redis import RedisBroker
from setup import BROKER, log

import jobs
from ctxlog.tasks.dramatiq import install

broker = RedisBroker(url=BROKER + "/2")
install(broker)
dramatiq.set_broker(broker)


@dramatiq.actor
def act(token):
    log.info("act %s", token)
    jobs.queue.enqueue("jobs.do", token)
""",
    "jobs.py": """
import asyncio

from redis import Redis
from rq import Queue
from setup import BROKER, log

from ctxlog.tasks import rq

rq.install()
queue = Queue(connection=Redis.from_url(BROKER + "/3"))


def do(token):
    import messages

    log.info("do %s", token)

    async def send():
        await messages.broker.startup()
        await messages.handle.kiq(token)
        await messages.broker.shutdown()

    asyncio.run(send())
""",
    "messages.py": """
from setup import BROKER, log
from taskiq import TaskiqEvents
from taskiq_redis import ListQueueBroker

import streams
from ctxlog.tasks.taskiq import install

broker = ListQueueBroker(BROKER + "/4")
install(broker)


@broker.on_event(TaskiqEvents.WORKER_STARTUP)
async def connect(state):
    await streams.broker.connect()


@broker.on_event(TaskiqEvents.WORKER_SHUTDOWN)
async def disconnect(state):
    await streams.broker.stop()


@broker.task
async def handle(token: str):
    log.info("handle %s", token)
    await streams.broker.publish(token, "last")
""",
    "streams.py": """
import os

import httpx
from faststream import FastStream
from faststream.redis import RedisBroker
from setup import BROKER, log

from ctxlog.clients.httpx import install as install_client
from ctxlog.tasks.faststream import install

broker = RedisBroker(BROKER + "/5")
install(broker)
app = FastStream(broker)


@broker.subscriber("last")
async def last(token: str):
    log.info("last %s", token)
    if not os.environ["THIRD"]:
        return
    async with httpx.AsyncClient(timeout=30) as client:
        install_client(client, hosts=["127.0.0.1"])
        sent = await client.post(os.environ["THIRD"] + f"/mail/{token}")
        sent.raise_for_status()
""",
    "third.py": """
from arq import create_pool
from setup import log
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import mails
from ctxlog.servers.asgi import install


async def mail(request):
    log.info("mail %s", request.path_params["token"])
    pool = await create_pool(mails.settings)
    await pool.enqueue_job("post", request.path_params["token"])
    await pool.aclose()
    return PlainTextResponse("ok")


app = Starlette(routes=[Route("/mail/{token}", mail, methods=["POST"])])
install(app)
""",
    "mails.py": """
from arq.connections import RedisSettings
from setup import BROKER, log

from ctxlog.tasks import arq

arq.install()
settings = RedisSettings.from_dsn(BROKER + "/6")


async def post(ctx, token):
    log.info("post %s", token)


class WorkerSettings:
    functions = [post]
    redis_settings = settings
    poll_delay = 0.05
""",
}

#: Where the programs of arq's environment are, if there is one.
ARQ = os.environ.get("CTXLOG_ARQ_BIN", "")
HAS_ARQ = bool(ARQ) and (Path(ARQ) / "arq").exists()

#: Which lines of the application a request has, and how many, by process.
STEPS = {
    "web": {"web": 1},
    "celery": {"first": 1, "second": 2},
    "other": {"pay": 1},
    "dramatiq": {"act": 1},
    "rq": {"do": 1},
    "taskiq": {"handle": 1},
    "faststream": {"last": 1},
    **({"third": {"mail": 1}, "arq": {"post": 1}} if HAS_ARQ else {}),
}
LAST = list(STEPS)[-1]


@pytest.mark.timeout(180)
def test_one_id_through_all_processes(redis: str, tmp_path: Path) -> None:
    """Fifty requests at once: none wrong, none missing, found by one byte search."""
    for name, source in FILES.items():
        (tmp_path / name).write_text(source, encoding="utf-8")
    port, other, third = free_port(), free_port(), free_port()
    serve = ("uvicorn", "--host", "127.0.0.1", "--port")
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    commands: dict[str, tuple[tuple[str, ...], str]] = {
        "web": ((*serve, str(port), "web:app"), "Uvicorn running"),
        "other": ((*serve, str(other), "other:app"), "Uvicorn running"),
        "celery": (("celery", "-A", "work", "worker", "-c", "2", *quiet), " ready."),
        "dramatiq": (("dramatiq", "actors", "-p", "1", "-t", "4"), "ready for action"),
        "rq": (
            ("rq", "worker", "-c", "jobs", "-w", "rq.worker.SimpleWorker"),
            "Listening on",
        ),
        "taskiq": (("taskiq", "worker", "messages:broker", "-w", "1"), "Listening"),
        "faststream": (("faststream", "run", "streams:app"), "started successfully"),
    }
    if HAS_ARQ:
        program, *options = serve
        served = (f"{ARQ}/{program}", *options, str(third), "third:app")
        commands["third"] = (served, "Uvicorn running")
        commands["arq"] = ((f"{ARQ}/arq", "mails.WorkerSettings"), "Starting worker")
    broker = redis.rpartition("/")[0]
    processes: dict[str, Process] = {}
    with ExitStack() as stack:
        for name, (command, ready) in commands.items():
            if name == "rq":
                command = (*command, "-u", broker + "/3")
            processes[name] = stack.enter_context(
                running(
                    command,
                    tmp_path,
                    BROKER=broker,
                    SERVICE=name,
                    OTHER=f"http://127.0.0.1:{other}",
                    THIRD=f"http://127.0.0.1:{third}" if HAS_ARQ else "",
                )
            )
            processes[name].until_text(ready)

        def ask(number: int) -> None:
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}/start/tok-{number}",
                method="POST",
                headers={"X-Request-ID": f"req-{number}"},
            )
            urllib.request.urlopen(request, timeout=30).read()

        with ThreadPoolExecutor(REQUESTS) as pool:
            list(pool.map(ask, range(REQUESTS)))
        # The completion lines of the last are the last of all; that of FastStream comes
        # when the third service has answered.
        for name in {LAST, "faststream"}:
            processes[name].until(
                lambda event: event["logger"] == "ctxlog.task", REQUESTS
            )
    written = {name: list(process.written) for name, process in processes.items()}
    for number in range(REQUESTS):
        _judge(number, written)


def _judge(number: int, written: dict[str, list[str]]) -> None:
    needle = f'"requestID":"req-{number}"'
    tasks: dict[str, set[str]] = defaultdict(set)
    for process, steps in STEPS.items():
        # One byte search finds the lines of the request, in each process.
        events = [json.loads(line) for line in written[process] if needle in line]
        counted: Counter[str] = Counter()
        for event in events:
            token = re.search(r"tok-(\d+)", event["message"])
            assert token is None or token[1] == str(number), event
            assert event["service"] == process
            if event["logger"] == "chain":
                counted[event["message"].split()[0]] += 1
            if "taskID" in event:
                tasks[event["taskID"]].add(f"{process} {event['task']}")
        assert counted == steps, (process, number)
        # FastStream's own lines about the message, too.
        if process == "faststream":
            said = {e["message"] for e in events if "access" in e["logger"]}
            assert said == {"Received", "Processed"}, events
        # And nothing of it stands under another id.
        strays = [
            line
            for line in written[process]
            if re.search(
                rf"\b(web|first|second|pay|act|do|handle|last|mail|post) "
                rf"tok-{number}\b",
                line,
            )
            and line.startswith("{")
            and needle not in line
        ]
        assert strays == [], strays[:1]
    # Each task has an id of its own, the retry that of the first attempt.
    assert {len(names) for names in tasks.values()} == {1}
    assert len(tasks) == 6 + HAS_ARQ
