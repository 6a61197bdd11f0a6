"""
One case, in a process of its own: `program.py PART MODE VENDOR...`.

MODE is `alone` (without ctxlog), `before` (the libraries are set up before ctxlog) or
`after`. The last line of the output is a JSON object: what was not right, how many
lines were read, and what the libraries saw of it.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import http.client
import io
import json
import logging
import logging.handlers
import multiprocessing
import queue
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

log = logging.getLogger("shop")

#: Loggers in which the libraries say that they have been set up, and that they cannot
#: export Django's request.
_OF_THEMSELVES = ("ddtrace", "newrelic", "opentelemetry.attributes")


class Case:
    """
    The libraries and ctxlog, set up in one order.
    """

    def __init__(self, part: str, mode: str, vendors: list[Any]) -> None:
        self.part = part
        self.mode = mode
        self.vendors = vendors
        self.problems: list[str] = []
        self.seen: dict[str, Counter[str]] = defaultdict(Counter)
        self._counting = threading.Lock()
        self._bytes = io.BytesIO()
        self.stream = io.TextIOWrapper(self._bytes, "utf-8", write_through=True)
        self.ours = mode != "alone"

    def set_up(self) -> None:
        """Set all up, in the order of the case."""
        if self.mode == "after":
            self.configure()
        for vendor in self.vendors:
            vendor.on(self.part)
        if self.mode == "before":
            self.configure()
        if self.mode == "alone":
            logging.basicConfig(stream=io.StringIO(), level=logging.INFO)

    def configure(self) -> None:
        """Set up ctxlog for the process."""
        import ctxlog

        ctxlog.configure(stream=self.stream, format="json", level="INFO")

    def on_app(self, kind: str, app: Any, install: Callable[[Any], None]) -> Any:
        """Set all up for an application, in the order of the case."""
        if self.mode == "after":
            install(app)
        for vendor in self.vendors:
            app = vendor.on_app(kind, app)
        if self.mode == "before":
            install(app)
        return app

    def run(self, store: dict[str, object], fn: Callable[..., Any], *args: Any) -> Any:
        """Run something in a store, where there is ctxlog."""
        if not self.ours:
            return fn(*args)
        import ctxlog

        return ctxlog.run(store, fn, *args)

    def note(self, what: str, trace: dict[str, str | None] | str) -> None:
        """Note whether each library sees here the trace that it should see."""
        for vendor in self.vendors:
            wanted = trace if isinstance(trace, str) else trace[vendor.name]
            state = "same" if vendor.current() == wanted else "other"
            # Handlers run in several threads; to make a counter is more than one step.
            with self._counting:
                self.seen[vendor.name][f"{what}: {state} trace"] += 1

    def traces(self) -> dict[str, str | None]:
        """The trace that each library sees here."""
        return {vendor.name: vendor.current() for vendor in self.vendors}

    def lines(self) -> list[dict[str, Any]]:
        """Return the lines written so far, each read as JSON."""
        found = []
        for line in self._bytes.getvalue().decode().split("\n")[:-1]:
            try:
                event = json.loads(line)
            except ValueError:
                self.problem(f"not JSON: {line}")
                continue
            if "_ctxlog" in line or "ctxlog.context." in line or "logError" in event:
                self.problem(f"not as it should be: {line}")
            of_themselves = event["logger"].startswith(_OF_THEMSELVES)
            # With ddtrace's middleware in place OpenTelemetry skips the application.
            skipped = "got <class 'ddtrace." in event["message"]
            if not of_themselves and not skipped:
                found.append(event)
        return found

    def problem(self, text: str) -> None:
        """Note what is not right."""
        self.problems.append(text)

    def expect(self, what: str, found: object, wanted: object) -> None:
        """Note what differs."""
        if found != wanted:
            self.problem(f"{what}: {found!r} instead of {wanted!r}")

    def expect_lines(self, wanted: dict[str, int], found: list[str], name: str) -> None:
        """Each message so often, and none else."""
        counted = dict(Counter(found))
        if counted != wanted:
            surplus = {k: n for k, n in counted.items() if n > wanted.get(k, 0)}
            missing = {k: n for k, n in wanted.items() if n > counted.get(k, 0)}
            self.problem(f"{name}: missing {missing}, surplus {surplus}")

    def result(self) -> dict[str, Any]:
        """Return the result to print at the end."""
        for vendor in self.vendors:
            vendor.flush()
        return {
            "problems": self.problems,
            "lines": len(self.lines()) if self.ours else 0,
            "seen": self.seen,
            "recorded": {
                vendor.name: {
                    "units": sorted(vendor.traces.values()),
                    "errors": vendor.errors,
                }
                for vendor in self.vendors
            },
        }


# Threads, executors, event loops -------------------------------------------------


def runtime(case: Case) -> None:
    """Everything that goes on elsewhere, in two requests."""
    from vendors import together

    case.set_up()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        for name in "AB":
            with together(case.vendors, f"request {name}"):
                places = _Places(case, name, pool)
                case.run({"requestID": name}, places.visit)
        pool.submit(log.info, "outside").result()
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=spawn) as processes:
        case.expect("process pool", processes.submit(int, "3").result(), 3)
    if not case.ours:
        return
    of: dict[str, list[str]] = defaultdict(list)
    for line in case.lines():
        of[line["requestID"]].append(line["message"].partition("\n")[0])
    case.expect_lines({"outside": 1}, of.pop("N/A", []), "no request")
    for name in "AB":
        wanted = {
            f"{place} {name}": 1
            for place in (
                *("thread", "subclass", "timer", "daemon", "own run", "pool", "map"),
                *("callback", "listener", "crashing", "loop"),
                *("executor", "to_thread", "task", "call_soon"),
                *("generator", "async generator", "closed"),
            )
        }
        reports = {
            f"Uncaught exception in thread crash {name}": 1,
            "Task exception was never retrieved": 1,
            f"Exception in callback crash_{name}()": 1,
        }
        found = [
            f"Exception in callback crash_{name}()"
            if f".crash_{name}()" in message
            else message
            for message in of.pop(name, [])
        ]
        case.expect_lines({**wanted, **reports}, found, f"request {name}")
    case.expect("other requests", dict(of), {})


class _Places:
    """The places that one request goes to."""

    def __init__(
        self, case: Case, name: str, pool: concurrent.futures.Executor
    ) -> None:
        self.case = case
        self.name = name
        self.pool = pool
        self.trace = case.traces()

    def say(self, place: str, *_: object) -> None:
        """Log a line, and note what the libraries see."""
        log.info("%s %s", place, self.name)
        self.case.note(place, self.trace)

    def visit(self) -> None:
        """Go to all of them."""
        self.threads()
        self.jobs()
        self.listener()
        for _ in self.generator():
            pass
        asyncio.run(self.loop())
        gc.collect()

    def threads(self) -> None:
        """Threads of every kind, one of which crashes."""
        say = self.say

        class Subclass(threading.Thread):
            def run(self) -> None:
                say("subclass")

        def crash() -> None:
            say("crashing")
            raise RuntimeError("on purpose")

        own = threading.Thread()
        # sentry-sdk calls it with the thread, whatever it is.
        own.run = lambda *_: say("own run")  # type: ignore[method-assign]
        threads = [
            threading.Thread(target=say, args=("thread",)),
            Subclass(),
            threading.Timer(0, say, ("timer",)),
            threading.Thread(target=say, args=("daemon",), daemon=True),
            own,
            threading.Thread(target=crash, name=f"crash {self.name}"),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def jobs(self) -> None:
        """Jobs of a pool, and the callback of one."""
        registered, called = threading.Event(), threading.Event()

        def job() -> None:
            self.say("pool")
            registered.wait(20)

        def callback(_: object) -> None:
            self.say("callback")
            called.set()

        self.pool.submit(job).add_done_callback(callback)
        registered.set()
        if not called.wait(20):
            self.case.problem("the callback was not called")
        list(self.pool.map(self.say, ["map"]))

    def listener(self) -> None:
        """A queue with a listener, whose thread the request starts."""
        records: queue.SimpleQueue[Any] = queue.SimpleQueue()
        said = threading.Event()
        place = self

        class Handler(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                place.say("listener")
                said.set()

        listener = logging.handlers.QueueListener(records, Handler())
        listener.start()
        records.put(logging.makeLogRecord({"msg": "queued"}))
        if not said.wait(20):
            self.case.problem("the listener's thread has not begun")
        listener.stop()

    def generator(self) -> Iterator[None]:
        """A generator."""
        yield
        self.say("generator")

    async def loop(self) -> None:
        """Run the cases that need an event loop."""
        self.say("loop")
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self.pool, self.say, "executor")
        await asyncio.to_thread(self.say, "to_thread")
        await asyncio.create_task(self.task())
        done = asyncio.Event()
        loop.call_soon(self.say, "call_soon")

        def crash() -> None:
            done.set()
            raise RuntimeError("on purpose")

        crash.__qualname__ = f"company.crash_{self.name}"
        loop.call_soon(crash)
        await done.wait()
        failing = asyncio.create_task(self.failing())
        await asyncio.wait([failing])
        del failing
        gc.collect()
        async for _ in self.numbers():
            break
        gc.collect()
        await asyncio.sleep(0)

    async def task(self) -> None:
        """A task."""
        self.say("task")

    async def failing(self) -> None:
        """A task whose result is never awaited."""
        raise RuntimeError("on purpose")

    async def numbers(self) -> AsyncIterator[int]:
        """An async generator that is left unfinished."""
        try:
            self.say("async generator")
            yield 1
            yield 2
        finally:
            self.say("closed")


# Loggers -------------------------------------------------------------------------


def loggers(case: Case) -> None:
    """Three loggers in one span: each line once, with nothing of anyone's in it."""
    import loguru
    import structlog
    from vendors import together

    case.set_up()

    def work() -> None:
        log.info("stdlib %s", 1, extra={"order": "o-7"})
        log.warning("stdlib warning")
        try:
            1 / 0  # noqa: B018
        except ZeroDivisionError:
            log.exception("stdlib exception")
        structlog.get_logger("shop").info("structlog", order="o-7")
        loguru.logger.bind(order="o-7").info("loguru")

    with together(case.vendors, "logging"):
        trace = case.traces()
        case.run({"requestID": "A"}, work)
    for vendor in case.vendors:
        records = getattr(vendor, "records", None)
        if records is not None:
            for one in records.get_finished_logs():
                record = one.log_record
                if one.instrumentation_scope.name != "shop":
                    continue
                names = ", ".join(sorted(record.attributes or {}))
                case.seen[vendor.name][f"{record.body}: {names}"] += 1
    if not case.ours:
        return
    wanted = ["stdlib 1", "stdlib warning", "stdlib exception", "structlog", "loguru"]
    lines = case.lines()
    case.expect_lines(
        dict.fromkeys(wanted, 1), [one["message"] for one in lines], "lines"
    )
    for line in lines:
        case.expect(f"id of {line['message']}", line["requestID"], "A")
        if "opentelemetry" in trace:
            found = line.get("traceID")
            case.expect(f"trace of {line['message']}", found, trace["opentelemetry"])
        if line["message"] in ("stdlib 1", "structlog", "loguru"):
            case.expect(f"field of {line['message']}", line.get("order"), "o-7")


# Web applications ----------------------------------------------------------------

_KINDS = ("sync", "async", "fail")


def _work(case: Case, kind: str, request: str) -> None:
    """Log a line with each logger, as a handler does."""
    import loguru
    import structlog

    log.info("stdlib %s", request)
    structlog.get_logger("shop").info(f"structlog {request}")
    loguru.logger.info(f"loguru {request}")
    case.note(f"{kind} handler", _trace(request))
    if kind == "fail":
        raise RuntimeError(f"failing {request}")


def _trace(request: str) -> str:
    return f"{int.from_bytes(request.encode(), 'big'):032x}"


def _send(case: Case, port: int, kind: str, number: int) -> str:
    request = f"r-{kind}-{number}"
    trace, span = _trace(request), f"{number + 1:016x}"
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {
        "X-Request-ID": request,
        "traceparent": f"00-{trace}-{span}-01",
        "sentry-trace": f"{trace}-{span}-1",
    }
    client.request("GET", f"/{kind}/{request}", headers=headers)
    response = client.getresponse()
    body = response.read()
    client.close()
    wanted = 500 if kind == "fail" else 200
    case.expect(f"status of {request} ({body[:200]!r})", response.status, wanted)
    if case.ours:
        case.expect(f"id of {request}", response.headers["X-Request-ID"], request)
    return request


def _serve_and_judge(case: Case, port: int, kinds: tuple[str, ...]) -> None:
    """Send four requests of each kind at once, and look at every line."""
    jobs = [(kind, number) for number in range(4) for kind in kinds]
    sent: list[str] = []

    def client(kind: str, number: int) -> None:
        sent.append(_send(case, port, kind, number))

    clients = [threading.Thread(target=client, args=job) for job in jobs]
    for one in clients:
        one.start()
    for one in clients:
        one.join()
    case.expect("requests", sorted(sent), sorted(f"r-{k}-{n}" for k, n in jobs))


def _judge(case: Case, kinds: tuple[str, ...]) -> None:
    if not case.ours:
        return
    of: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in case.lines():
        of[line["requestID"]].append(line)
    of.pop("N/A", None)  # the server, of itself
    for kind in kinds:
        for number in range(4):
            request = f"r-{kind}-{number}"
            lines = of.pop(request, [])
            for line in lines:
                if line.get("traceID") != _trace(request):
                    case.problem(f"{request} has another trace: {line}")
            own = [one["message"] for one in lines if one["logger"] == "shop"]
            own += [
                one["message"] for one in lines if one["message"].startswith("loguru ")
            ]
            wanted = {f"{name} {request}": 1 for name in ("stdlib", "structlog")}
            wanted[f"loguru {request}"] = 1
            case.expect_lines(wanted, own, request)
            ends = [one for one in lines if one["logger"] == "ctxlog.request"]
            case.expect(f"completion lines of {request}", len(ends), 1)
            for one in ends:
                status = 500 if kind == "fail" else 200
                case.expect(f"status of {request}", one.get("status"), status)
            others = [
                one for one in lines if one not in ends and one["message"] not in own
            ]
            reports = [one for one in others if "exception" in one]
            case.expect(f"reports of {request}", len(reports), int(kind == "fail"))
            if len(others) != len(reports):
                case.problem(f"{request} has lines of others: {others}")
    case.expect("other requests", sorted(of), [])


def fastapi(case: Case) -> None:
    """FastAPI behind uvicorn."""
    case.set_up()
    import uvicorn
    from fastapi import FastAPI

    app = FastAPI()

    @app.get("/sync/{request}")
    def sync(request: str) -> str:
        _work(case, "sync", request)
        return request

    @app.get("/async/{request}")
    async def coroutine(request: str) -> str:
        await asyncio.to_thread(_work, case, "async", request)
        return request

    @app.get("/fail/{request}")
    async def fail(request: str) -> str:
        _work(case, "fail", request)
        return request

    def install(app: Any) -> None:
        from ctxlog.servers import asgi

        asgi.install(app)

    app = case.on_app("fastapi", app, install)
    config = uvicorn.Config(app, "127.0.0.1", 0, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    started = threading.Event()
    startup = server.startup

    async def noting_startup(*args: Any, **kwargs: Any) -> None:
        await startup(*args, **kwargs)
        started.set()

    server.startup = noting_startup  # type: ignore[method-assign]
    thread = threading.Thread(target=server.run)
    thread.start()
    if not started.wait(30):
        case.problem("uvicorn has not started")
    port = server.servers[0].sockets[0].getsockname()[1]
    _serve_and_judge(case, port, _KINDS)
    server.should_exit = True
    thread.join()
    _judge(case, _KINDS)


@contextmanager
def _wsgi(app: Any) -> Iterator[int]:
    from werkzeug.serving import make_server

    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def flask(case: Case) -> None:
    """Flask behind werkzeug's server."""
    case.set_up()
    from flask import Flask

    app = Flask("web")
    for kind in ("sync", "fail"):

        def view(request: str, kind: str = kind) -> str:
            _work(case, kind, request)
            return request

        app.add_url_rule(f"/{kind}/<request>", kind, view)

    def install(app: Any) -> None:
        from ctxlog.servers import flask as adapter

        adapter.init_app(app)

    app = case.on_app("flask", app, install)
    with _wsgi(app) as port:
        _serve_and_judge(case, port, ("sync", "fail"))
    _judge(case, ("sync", "fail"))


def django(case: Case) -> None:
    """Django behind werkzeug's server."""
    case.set_up()
    import django as library
    from django.conf import settings
    from vendors import ELASTIC

    ours = ["ctxlog.servers.django.ContextMiddleware"] if case.ours else []
    theirs = [name for vendor in case.vendors for name in vendor.middleware()]
    middleware = theirs + ours if case.mode == "before" else ours + theirs
    apps = ["elasticapm.contrib.django"] if theirs else []
    settings.configure(
        ALLOWED_HOSTS=["*"],
        SECRET_KEY="company",
        ROOT_URLCONF=__name__,
        MIDDLEWARE=middleware,
        INSTALLED_APPS=apps,
        LOGGING_CONFIG=None,
        ELASTIC_APM=ELASTIC,
    )
    for vendor in case.vendors:
        vendor.on_app("django", None)
    library.setup()
    from django.core.wsgi import get_wsgi_application
    from django.http import HttpResponse
    from django.urls import path

    def view(request: Any, kind: str, name: str) -> HttpResponse:
        _work(case, kind, name)
        return HttpResponse(name)

    globals()["urlpatterns"] = [path("<str:kind>/<str:name>", view)]
    sys.modules[__name__] = sys.modules["__main__"]
    with _wsgi(get_wsgi_application()) as port:
        _serve_and_judge(case, port, ("sync", "fail"))
    _judge(case, ("sync", "fail"))


# Queues and clients --------------------------------------------------------------


def celery(case: Case) -> None:
    """A Celery worker in a thread, with a broker in memory."""
    from vendors import together

    case.set_up()
    from celery import Celery
    from celery.contrib.testing.worker import start_worker

    app = Celery("shop", broker="memory://", backend="cache+memory://")
    app.conf.worker_hijack_root_logger = False

    @app.task(name="work")
    def work(request: str) -> str:
        log.info("task %s", request)
        return request

    if case.ours:
        from ctxlog.tasks import celery as adapter

        if case.mode == "after":
            adapter.install()
    for vendor in case.vendors:
        vendor.on_app("celery", app)
    if case.mode == "before":
        adapter.install()
    traces: dict[str, dict[str, str | None]] = {}

    def request(name: str) -> None:
        log.info("sending %s", name)
        case.expect(f"result of {name}", work.delay(name).get(timeout=30), name)

    options: dict[str, Any] = {"perform_ping_check": False, "loglevel": "INFO"}
    with start_worker(app, pool="threads", concurrency=2, **options):
        for name in ("A", "B"):
            with together(case.vendors, f"request {name}"):
                traces[name] = case.traces()
                case.run({"requestID": name}, request, name)
    if not case.ours:
        return
    for name in ("A", "B"):
        lines = [one for one in case.lines() if one["requestID"] == name]
        own = [one["message"] for one in lines if one["logger"] == "shop"]
        wanted = {f"sending {name}": 1, f"task {name}": 1}
        case.expect_lines(wanted, own, f"request {name}")
        ends = [one for one in lines if one["logger"] == "ctxlog.task"]
        case.expect(f"completion lines of {name}", len(ends), 1)
        if "opentelemetry" in traces[name]:
            for line in lines:
                case.expect(
                    f"trace of {line['message']}",
                    line.get("traceID"),
                    traces[name]["opentelemetry"],
                )


def clients(case: Case) -> None:
    """Requests and HTTPX: one id and one trace in the headers of a call."""
    from vendors import together

    case.set_up()
    import httpx
    import requests

    received: queue.SimpleQueue[Any] = queue.SimpleQueue()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            received.put(self.headers)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    if case.ours:
        from ctxlog.clients import httpx as of_httpx
        from ctxlog.clients import requests as of_requests

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/"

    def with_requests() -> None:
        with requests.Session() as session:
            if case.ours:
                of_requests.install(session, hosts=["127.0.0.1"])
            session.get(url)

    def with_httpx() -> None:
        with httpx.Client(trust_env=False) as client:
            if case.ours:
                of_httpx.install(client, hosts=["127.0.0.1"])
            client.get(url)

    try:
        for name, call in (("requests", with_requests), ("httpx", with_httpx)):
            with together(case.vendors, name):
                trace = case.traces()
                case.run({"requestID": "A"}, call)
            headers = received.get(timeout=20)
            parents = headers.get_all("traceparent", [])
            case.seen["headers"][f"{name}: {len(parents)} traceparent"] += 1
            for vendor in case.vendors:
                told = any(str(trace[vendor.name]) in one for one in parents)
                case.seen[vendor.name][f"{name}: its trace is sent: {told}"] += 1
            if case.ours:
                ids = headers.get_all("X-Request-ID", [])
                case.expect(f"ids that {name} sends", ids, ["A"])
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


# Taking everything off ------------------------------------------------------------


def _globals() -> dict[str, Any]:
    """Return the process globals that instrumentation replaces, by name."""
    import logging.config
    import warnings

    import loguru
    import structlog

    owners: dict[str, Any] = {
        one.__qualname__ if isinstance(one, type) else one.__name__: one
        for one in (
            *(threading, threading.Thread, threading.Timer),
            *(concurrent.futures.Future, concurrent.futures.ThreadPoolExecutor),
            *(concurrent.futures.ProcessPoolExecutor, asyncio.BaseEventLoop),
            *(logging, logging.config, logging.Logger, logging.Handler),
            *(logging.LogRecord, logging.LoggerAdapter, logging.Manager),
            *(loguru._logger.Logger, structlog._base.BoundLoggerBase),
        )
    }
    found = {
        f"{owner}.{name}": value
        for owner, of in owners.items()
        for name, value in list(vars(of).items())
        if callable(value) or isinstance(value, (staticmethod, classmethod))
    }
    found.update(
        {
            "sys.excepthook": sys.excepthook,
            "sys.unraisablehook": sys.unraisablehook,
            "sys.meta_path": list(sys.meta_path),
            "gc.callbacks": list(gc.callbacks),
            "warnings.showwarning": warnings.showwarning,
            "the record factory": logging.getLogRecordFactory(),
            "the class of loggers": logging.getLoggerClass(),
            "structlog's configuration": structlog.get_config(),
            "loguru's handlers": dict(loguru.logger._core.handlers),
            "loguru's patcher": loguru.logger._core.patcher,
        }
    )
    for name in (None, "shop", "uvicorn", "celery", "py.warnings"):
        logger = logging.getLogger(name)
        state = (list(logger.handlers), list(logger.filters), logger.propagate)
        found[f"logger {name}"] = (*state, logger.level, logger.disabled)
    return found


def _left(before: dict[str, Any]) -> list[str]:
    after = _globals()
    return sorted(
        name
        for name in {*before, *after}
        if before.get(name) is not after.get(name)
        and (callable(after.get(name)) or before.get(name) != after.get(name))
    )


def _go_elsewhere(case: Case) -> list[object]:
    """Which ids a thread, a timer and a job have that a request starts."""
    ids: list[object] = []

    def note() -> None:
        import ctxlog

        ids.append(ctxlog.fields().get("requestID"))

    def work() -> None:
        log.error("elsewhere")
        threads = [threading.Thread(target=note), threading.Timer(0, note)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            pool.submit(note).result()
        future: concurrent.futures.Future[None] = concurrent.futures.Future()
        future.add_done_callback(lambda _: None)
        future.set_result(None)

        async def crash() -> None:
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda *_: None)
            loop.call_exception_handler({"message": "on purpose"})

            async def numbers() -> AsyncIterator[int]:
                yield 1
                yield 2

            async for _ in numbers():
                break

        asyncio.run(crash())

    case.run({"requestID": "A"}, work)
    return ids


def _off(case: Case, *, ours_first: bool) -> None:
    asyncio.run(asyncio.sleep(0))
    before = _globals()
    if case.ours:
        import ctxlog
    case.set_up()
    if case.ours:
        case.expect("ids where all is on", _go_elsewhere(case), ["A"] * 3)
        if ours_first:
            ctxlog.config.unconfigure()
    for vendor in case.vendors if ours_first else reversed(case.vendors):
        vendor.off()
    if case.ours and not ours_first:
        ctxlog.config.unconfigure()
    if case.mode == "alone":
        logging.getLogger().handlers[:] = before["logger None"][0]
        logging.getLogger().setLevel(before["logger None"][3])
    if case.ours:
        case.expect("ids where all is off", _go_elsewhere(case), [None] * 3)
    for name in _left(before):
        case.seen["left"][name] += 1


def off_first(case: Case) -> None:
    """ctxlog is taken off first, then the libraries."""
    _off(case, ours_first=True)


def off_last(case: Case) -> None:
    """The libraries are taken off first, then ctxlog."""
    _off(case, ours_first=False)


PARTS: dict[str, Callable[[Case], None]] = {
    one.__name__: one
    for one in (runtime, loggers, fastapi, flask, django, celery, clients)
}
PARTS.update(off_first=off_first, off_last=off_last)


def main(part: str, mode: str, *names: str) -> None:
    """Run one case and print what became of it."""
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    from vendors import VENDORS

    case = Case(part, mode, [VENDORS[name]() for name in names])
    PARTS[part](case)
    result = case.result()
    sys.stdout.flush()
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
