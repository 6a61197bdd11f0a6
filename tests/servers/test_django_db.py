"""
The statements of Django's connections: counted, timed, and logged if they are slow.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ctxlog
from ctxlog.context import Store
from ctxlog.context.adapter import Entry, take_totals
from ctxlog.errors import ConfigError
from tests.helpers import LogEnvironment, need, run_python

connections = need("django.db").connections
asgiref = need("asgiref.sync")
observe = need("ctxlog.servers._django_db").observe
# After `need`: the module is skipped as a whole without Django.
from tests.servers.test_django import (  # noqa: E402
    ask,
    ask_async,
    http,
    lines,
    override,
    path,
)

__all__ = ["lines"]


@pytest.fixture(autouse=True)
def databases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """
    Two databases of the test's own; nothing is observed before and after.
    """
    configured = {
        name: {"ENGINE": "django.db.backends.sqlite3", "NAME": tmp_path / name}
        for name in ("default", "other")
    }
    settings = connections.configure_settings(configured)
    monkeypatch.setattr(connections, "settings", settings)
    yield
    observe()
    connections.close_all()
    for connection in connections.all(initialized_only=True):
        del connections[connection.alias]


def execute(statement: str = "SELECT 1", name: str = "default") -> None:
    with connections[name].cursor() as cursor:
        cursor.execute(statement)


def execute_in_a_thread() -> None:
    def run() -> None:
        execute()
        connections.close_all()

    thread = threading.Thread(target=ctxlog.wrap(run))
    thread.start()
    thread.join()


def totals_of(fn: Any) -> dict[str, Any]:
    """
    What the completion line of a request shows that calls *fn*.
    """
    with Entry(Store()) as store:
        fn()
        return take_totals(store)


def view(request: Any) -> Any:
    execute()
    execute("SELECT 2", "other")
    execute_in_a_thread()
    return http.HttpResponse("page")


async def view_async(request: Any) -> Any:
    await asyncio.gather(*(asgiref.sync_to_async(execute)() for _ in range(2)))
    # A thread of a pool has a connection of its own.
    apart = asgiref.sync_to_async(execute_in_a_thread, thread_sensitive=False)
    await apart()
    await asgiref.sync_to_async(connections.close_all)()
    return http.HttpResponse("page")


urlpatterns = [path("sync", view), path("async", view_async)]


@pytest.mark.parametrize("serve", [ask, ask_async])
@pytest.mark.parametrize("url", ["/sync", "/async"])
def test_statements_of_all_connections_and_threads_are_counted(
    lines: LogEnvironment, serve: Any, url: str
) -> None:
    """
    The completion line has their number and time: of two databases, and of threads.
    """
    with override(ROOT_URLCONF=__name__, CTXLOG={"db": True}):
        serve(url)
        serve(url)
    for line in lines.load_all():
        assert line["logger"] == "ctxlog.request"
        assert line["db"]["count"] == 3
        assert line["db"]["ms"] > 0


def test_by_default_nothing_is_counted(lines: LogEnvironment) -> None:
    """
    Without the option no connection has a wrapper, nor any more when it is gone.
    """
    for setting in ({}, {"db": True}, {"db": False}, {}):
        lines.clear()
        with override(ROOT_URLCONF=__name__, CTXLOG=setting):
            ask("/sync")
        wrappers = connections["default"].execute_wrappers
        assert ("db" in lines.load_json()) is bool(wrappers) is bool(setting.get("db"))


def test_connections_that_are_open_are_observed() -> None:
    """
    Each once, also when the option is set again.
    """
    execute()
    observe(db=True)
    observe(db=True)
    assert totals_of(execute)["db"]["count"] == 1


def test_a_connection_of_another_thread_is_found_by_its_next_request() -> None:
    """
    A thread that has opened its connection before the middleware was made.
    """
    started = need("django.core.signals").request_started
    opened, observed = threading.Event(), threading.Event()
    totals: dict[str, Any] = {}

    def serve() -> None:
        execute()
        opened.set()
        assert observed.wait(60)
        started.send(sender=None)
        totals.update(totals_of(execute))
        connections.close_all()

    thread = threading.Thread(target=serve)
    thread.start()
    assert opened.wait(60)
    observe(db=True)
    observed.set()
    thread.join()
    assert totals["db"]["count"] == 1


def test_many_rows_are_one_statement() -> None:
    """
    `executemany()` counts once.
    """
    observe(db=True)

    def insert() -> None:
        with connections["default"].cursor() as cursor:
            cursor.execute("CREATE TABLE t (a integer)")
            cursor.executemany("INSERT INTO t VALUES (%s)", [(1,), (2,), (3,)])

    assert totals_of(insert)["db"]["count"] == 2


def test_a_statement_that_fails_is_counted() -> None:
    """
    The error goes on.
    """
    observe(db=True)

    def fail() -> None:
        with pytest.raises(need("django.db").OperationalError, match="no such table"):
            execute("SELECT * FROM missing")

    assert totals_of(fail)["db"]["count"] == 1


def test_wrappers_of_the_application_stay() -> None:
    """
    The block of one may open the connection: its end takes away that one alone.
    """
    observe(db=True)
    seen: list[str] = []

    def wrapper(execute: Any, sql: str, *args: Any) -> Any:
        seen.append(sql)
        return execute(sql, *args)

    connection = connections["default"]
    with connection.execute_wrapper(wrapper):
        execute("SELECT 1")
    assert totals_of(lambda: execute("SELECT 2"))["db"]["count"] == 1
    assert seen == ["SELECT 1"]


def test_slow_statements_have_a_line(lines: LogEnvironment) -> None:
    """
    With the text of the statement, without values, and the time that it took.
    """
    setting = {"db": True, "slow_queries": 0}
    with override(ROOT_URLCONF=__name__, CTXLOG=setting):
        ask("/sync")
    slow = [one for one in lines.load_all() if one["logger"] == "ctxlog.db"]
    assert len(slow) == 3
    for line in slow:
        assert (line["level"], line["message"]) == ("WARNING", "slow query")
        assert line["db"] == {"system": "sqlite", "statement": "SELECT ?"}
        assert line["durationMs"] >= 0
        assert line["requestID"] == "req-1"


def test_quick_statements_have_no_line(lines: LogEnvironment) -> None:
    """
    The limit is in seconds.
    """
    with override(ROOT_URLCONF=__name__, CTXLOG={"db": True, "slow_queries": 3600.0}):
        ask("/sync")
    assert lines.load_json()["db"]["count"] == 3


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"db": 1}, "db: 1"),
        ({"db": True, "slow_queries": -1}, "slow_queries: -1"),
        ({"db": True, "slow_queries": True}, "slow_queries: True"),
        ({"db": True, "slow_queries": "1"}, "slow_queries: '1'"),
        ({"db": True, "slow_queries": float("nan")}, "slow_queries: nan"),
        ({"slow_queries": 1}, "without db=True"),
    ],
)
def test_wrong_options_are_named(setting: Any, said: str) -> None:
    """
    When the server starts; nothing is observed then.
    """
    with (
        override(ROOT_URLCONF=__name__, CTXLOG=setting),
        pytest.raises(ConfigError, match=said),
    ):
        ask("/sync")
    assert totals_of(execute) == {}


_PROJECT = """
import sys
import django
from django.conf import settings

settings.configure(
    SECRET_KEY="only a test",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF="project",
    MIDDLEWARE=["ctxlog.servers.django.ContextMiddleware"],
    CTXLOG={"db": True},
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db"}},
)
sys.modules["project"] = sys.modules[__name__]
django.setup()

import threading
from urllib.request import urlopen
from wsgiref.simple_server import make_server

from django.core.wsgi import get_wsgi_application
from django.db import connection, models
from django.http import HttpResponse
from django.urls import path

import ctxlog


class Customer(models.Model):
    name = models.CharField(max_length=100)

    class Meta:
        app_label = "shop"


class Order(models.Model):
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE)

    class Meta:
        app_label = "shop"


def orders(request):
    # A query for the orders, and one for the customer of each.
    names = [order.customer.name for order in Order.objects.all()]
    return HttpResponse(", ".join(names))


urlpatterns = [path("orders", orders)]

with connection.schema_editor() as editor:
    editor.create_model(Customer)
    editor.create_model(Order)
for number in range(211):
    customer = Customer.objects.create(name=f"customer {number}")
    Order.objects.create(customer=customer)
connection.close()

ctxlog.configure(format="json")
server = make_server("127.0.0.1", 0, get_wsgi_application())
threading.Thread(target=server.serve_forever, daemon=True).start()
with urlopen(f"http://127.0.0.1:{server.server_port}/orders") as response:
    assert response.read().endswith(b"customer 210")
server.shutdown()
"""


@pytest.mark.real_server
def test_a_query_for_each_row_is_seen_at_a_glance(tmp_path: Path) -> None:
    """
    A view that asks for the customer of each of 211 orders has 212 queries.
    """
    done = run_python("-c", _PROJECT, cwd=tmp_path)
    assert '"db":{"count":212,"ms":' in done.stdout
