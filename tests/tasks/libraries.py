"""
The same small shop for each task library: its source, how its worker is started, how a
program sends tasks.

Every shop has the tasks `charge` (logs its token), `fails` (raises), `flaky` (raises
once, where the library retries) and `parent` (sends `charge`), and a function or
coroutine function `send(name, token)`.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass

__all__ = ["ARQ", "LIBRARIES", "Library"]

HEAD = """
import logging
import os

import ctxlog

ctxlog.configure(format="json")
log = logging.getLogger("shop")


def work():
    with ctxlog.timed("render"):
        ctxlog.count("rows", 2)
    ctxlog.count("rows")


def fields(done):
    if "parent" in done.route:
        return False
    error = type(done.error).__name__
    return {"request": type(done.request).__name__, "ended": [done.status, error]}


RULES = {"slow": 0, "completion": fields} if os.environ.get("RULES") else {}
"""


@dataclass(frozen=True)
class Library:
    """
    A task library.

    Attributes:
        module: Its adapter's name.
        source: The shop.
        command: How the worker is started.
        request: The class of what it has a task in.
        ready: What the worker writes when it is; empty for one that ends by itself when
            there is nothing left to do, and is started after the sending.
        broker: Which server it needs.
        retries: Whether `flaky` is retried.
        own: Some of the worker's own lines about a task: how their messages begin.
        counts: Whether its functions run in the process that writes the lines.
        stop: The signal that ends the worker.
    """

    module: str
    source: str
    command: tuple[str, ...]
    ready: str
    request: str = ""
    broker: str = "redis"
    retries: bool = True
    own: tuple[str, ...] = ()
    counts: bool = True
    stop: int = signal.SIGTERM


DRAMATIQ = (
    HEAD
    + """
import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import AsyncIO
from ctxlog.tasks.dramatiq import install

broker = RedisBroker(url=os.environ["BROKER"])
broker.add_middleware(AsyncIO())
install(broker, fields=["user"], **RULES)
dramatiq.set_broker(broker)


@dramatiq.actor
async def charge(token):
    log.info("charging %s", token)
    work()


@dramatiq.actor(max_retries=0)
def fails(token):
    raise ValueError(f"broken {token}")


@dramatiq.actor(max_retries=2, min_backoff=1, max_backoff=2)
def flaky(token):
    log.info("trying %s", token)
    if ctxlog.fields()["attempt"] < 2:
        raise ConnectionError("gone")


@dramatiq.actor
def parent(token):
    charge.send(token)


def send(name, token):
    globals()[name].send(token)


def send_bare(name, token):
    from ctxlog.tasks.dramatiq import uninstall
    uninstall(broker)
    globals()[name].send(token)
"""
)

RQ = (
    HEAD
    + """
from redis import Redis
from rq import Queue, Retry, get_current_job
from ctxlog.tasks import rq

rq.install(fields=["user"], **RULES)
queue = Queue(connection=Redis.from_url(os.environ["BROKER"]))


def charge(token):
    log.info("charging %s", token)
    work()


def fails(token):
    raise ValueError(f"broken {token}")


def flaky(token):
    log.info("trying %s", token)
    if ctxlog.fields()["attempt"] < 2:
        raise ConnectionError("gone")


def parent(token):
    queue.enqueue("shop.charge", token)


def send(name, token):
    retry = Retry(max=2) if name == "flaky" else None
    queue.enqueue(f"shop.{name}", token, retry=retry)


def send_bare(name, token):
    rq.uninstall()
    queue.enqueue(f"shop.{name}", token)
"""
)

HUEY = (
    HEAD
    + """
from huey import RedisHuey
from ctxlog.tasks import huey as adapter

huey = RedisHuey("shop", url=os.environ["BROKER"])
adapter.install(huey, fields=["user"], **RULES)


@huey.task()
def charge(token):
    log.info("charging %s", token)
    work()


@huey.task()
def fails(token):
    raise ValueError(f"broken {token}")


@huey.task(retries=1)
def flaky(token):
    log.info("trying %s", token)
    if ctxlog.fields()["attempt"] < 2:
        raise ConnectionError("gone")


@huey.task()
def parent(token):
    charge(token)


def send(name, token):
    globals()[name](token)


def send_bare(name, token):
    adapter.uninstall(huey)
    globals()[name](token)
"""
)

TASKIQ = (
    HEAD
    + """
from taskiq import SimpleRetryMiddleware
from taskiq_redis import ListQueueBroker
from ctxlog.tasks import taskiq

broker = ListQueueBroker(os.environ["BROKER"]).with_middlewares(
    SimpleRetryMiddleware(default_retry_count=3)
)
taskiq.install(broker, fields=["user"], **RULES)


@broker.task
def charge(token):
    log.info("charging %s", token)
    work()


@broker.task
async def fails(token):
    raise ValueError(f"broken {token}")


@broker.task(retry_on_error=True)
async def flaky(token):
    log.info("trying %s", token)
    if ctxlog.fields()["attempt"] < 2:
        raise ConnectionError("gone")


@broker.task
async def parent(token):
    await charge.kiq(token)


async def send(name, token):
    await globals()[name].kiq(token)


async def send_bare(name, token):
    taskiq.uninstall(broker)
    await globals()[name].kiq(token)
"""
)

FASTSTREAM = (
    HEAD
    + """
from faststream import FastStream
from ctxlog.tasks import faststream

if os.environ["BROKER"].startswith("nats"):
    from faststream.nats import NatsBroker as Broker
else:
    from faststream.redis import RedisBroker as Broker

broker = Broker(os.environ["BROKER"])
faststream.install(broker, fields=["user"], **RULES)
app = FastStream(broker)


@broker.subscriber("charge")
async def charge(token: str):
    log.info("charging %s", token)
    work()


@broker.subscriber("fails")
async def fails(token: str):
    raise ValueError(f"broken {token}")


@broker.subscriber("parent")
@broker.publisher("charge")
async def parent(token: str) -> str:
    return token


async def send(name, token):
    async with broker:
        await broker.publish(token, name)


async def send_bare(name, token):
    faststream.uninstall(broker)
    await send(name, token)
"""
)

ARQ_SHOP = (
    HEAD
    + """
import asyncio
from datetime import datetime, timedelta, timezone

from arq import Retry, create_pool, func
from arq.connections import RedisSettings
from ctxlog.tasks import arq

arq.install(fields=["user"], **RULES)
settings = RedisSettings.from_dsn(os.environ["BROKER"])


async def charge(ctx, token):
    log.info("charging %s", token)
    work()


async def fails(ctx, token):
    raise ValueError(f"broken {token}")


async def flaky(ctx, token):
    log.info("trying %s", token)
    if ctx["job_try"] < 2:
        raise Retry(defer=0)


async def parent(ctx, token):
    await ctx["redis"].enqueue_job("charge", token)


async def slow(ctx, token):
    log.info("slow %s", token)
    await asyncio.Event().wait()


async def endless(ctx, token):
    log.info("endless %s", token)
    await asyncio.Event().wait()


async def send(name, token):
    pool = await create_pool(settings)
    if name == "abort":
        job = await pool.enqueue_job("endless", token)
        await job.abort(poll_delay=0.05)
    elif name == "later":
        await pool.enqueue_job("charge", token, _defer_by=0.05)
    elif name == "waited":
        due = datetime.now(timezone.utc) - timedelta(minutes=10)
        await pool.enqueue_job("charge", token, _defer_until=due)
    else:
        await pool.enqueue_job(name, token)
    await pool.aclose()


async def send_bare(name, token):
    arq.uninstall()
    await send(name, token)


class WorkerSettings:
    functions = [charge, fails, flaky, parent, func(slow, timeout=0.1), endless]
    allow_abort_jobs = True
    redis_settings = settings
    poll_delay = 0.05
"""
)

_HUEY = (
    "huey_consumer",
    "shop.huey",
    "-w",
    "3",
    "-d",
    "0.02",
    "-m",
    "0.05",
    "-f",
    "-k",
)

LIBRARIES = {
    "dramatiq": Library(
        "dramatiq",
        DRAMATIQ,
        ("dramatiq", "shop", "-p", "1", "-t", "4"),
        "Worker process is ready",
        request="MessageProxy",
        own=("Failed to process message",),
    ),
    "rq": Library(
        "rq",
        RQ,
        ("rq", "worker", "-u", "BROKER", "-c", "shop"),
        "*** Listening on",
        request="Job",
        own=("Worker ", "Successfully completed"),
    ),
    "rq, SimpleWorker": Library(
        "rq",
        RQ,
        ("rq", "worker", "-u", "BROKER", "-c", "shop", "-w", "rq.worker.SimpleWorker"),
        "*** Listening on",
        request="Job",
        own=("Worker ", "Successfully completed"),
    ),
    "rq, SpawnWorker": Library(
        "rq",
        RQ,
        ("rq", "worker", "-u", "BROKER", "-c", "shop", "-w", "rq.worker.SpawnWorker"),
        "*** Listening on",
        request="Job",
        own=("Worker ", "Successfully completed"),
    ),
    "huey, threads": Library(
        "huey",
        HUEY,
        (*_HUEY, "thread"),
        "+ shop.charge",
        request="charge",
        own=("Executing ",),
        stop=signal.SIGINT,
    ),
    "huey, processes": Library(
        "huey",
        HUEY,
        (*_HUEY, "process"),
        "+ shop.charge",
        request="charge",
        own=("Executing ",),
        stop=signal.SIGINT,
    ),
    "huey, greenlets": Library(
        "huey",
        HUEY,
        (*_HUEY, "greenlet"),
        "+ shop.charge",
        request="charge",
        own=("Executing ",),
        stop=signal.SIGINT,
    ),
    "taskiq": Library(
        "taskiq",
        TASKIQ,
        ("taskiq", "worker", "shop:broker", "-w", "1"),
        "Listening started",
        request="TaskiqMessage",
        own=("Executing task",),
    ),
    "taskiq, processes": Library(
        "taskiq",
        TASKIQ + "\nfrom ctxlog.tasks import processes\nprocesses.install()\n",
        ("taskiq", "worker", "shop:broker", "-w", "1", "--use-process-pool"),
        "Listening started",
        request="TaskiqMessage",
        own=("Executing task",),
        counts=False,
    ),
    "faststream, Redis": Library(
        "faststream",
        FASTSTREAM,
        ("faststream", "run", "shop:app"),
        "started successfully",
        request="RedisChannelMessage",
        own=("Received", "ValueError: broken own", "Processed"),
        retries=False,
    ),
    "faststream, NATS": Library(
        "faststream",
        FASTSTREAM,
        ("faststream", "run", "shop:app"),
        "started successfully",
        request="NatsMessage",
        broker="nats",
        own=("Received", "ValueError: broken own", "Processed"),
        retries=False,
    ),
}

ARQ = Library(
    "arq",
    ARQ_SHOP,
    ("arq", "shop.WorkerSettings"),
    "Starting worker",
    request="dict",
    own=("  0.",),
)
