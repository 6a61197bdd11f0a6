"""
Adapters: which ones an application lacks, and the lines that put them in.

In this process: the applications are objects of the real libraries, and the lines of a
step are executed in the module that has them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

from ctxlog._lazy import submodules
from ctxlog.config._libraries import _ADAPTERS as OF_CONFIGURE
from ctxlog.doctor import adapters
from ctxlog.doctor.application import Application
from ctxlog.doctor.findings import Finding
from ctxlog.servers._frameworks import _ADAPTERS as OF_MIDDLEWARE
from tests.helpers import ROOT, need

Module = Callable[[str], ModuleType]


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Module:
    """
    Make the module `shop` of a source.
    """
    monkeypatch.chdir(tmp_path)

    def make(source: str) -> ModuleType:
        made = ModuleType("shop")
        made.__file__ = str(tmp_path / "shop.py")
        monkeypatch.setitem(sys.modules, "shop", made)
        exec(source, vars(made))
        return made

    return make


def findings(module: ModuleType, name: str | None = None) -> list[Finding]:
    """
    Return what is found about a module, and its application of that name.
    """
    app = None if name is None else getattr(module, name)
    found = adapters.examine(Application("shop", module, name, app, None, [], None))
    return [one for one in found if not one.what.startswith("installed, and not")]


def follow(module: ModuleType, finding: Finding) -> None:
    """
    Execute the lines of a finding in the module.
    """
    assert finding.step is not None
    exec("\n".join(finding.step.lines), vars(module))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore:pkg_resources")  # Pyramid imports it
@pytest.mark.parametrize(
    ("library", "source", "line"),
    [
        (
            "asyncio",
            "async def app(scope, receive, send): ...",
            "app = ctxlog.servers.asgi.ContextMiddleware(app)",
        ),
        (
            "wsgiref",
            "def app(environ, start_response): ...",
            "app = ctxlog.servers.wsgi.ContextMiddleware(app)",
        ),
        (
            "starlette",
            "from starlette.applications import Starlette\napp = Starlette()",
            "ctxlog.servers.asgi.install(app)",
        ),
        (
            "litestar",
            "from litestar import Litestar\napp = Litestar()",
            "ctxlog.servers.asgi.install(app)",
        ),
        (
            "quart",
            "from quart import Quart\napp = Quart('shop')",
            "ctxlog.servers.asgi.install(app)",
        ),
        (
            "falcon",
            "import falcon.asgi\napp = falcon.asgi.App()",
            "ctxlog.servers.asgi.install(app)",
        ),
        (
            "falcon",
            "import falcon\napp = falcon.App()",
            "app = ctxlog.servers.wsgi.ContextMiddleware(app)",
        ),
        (
            "bottle",
            "import bottle\napp = bottle.Bottle()",
            "app = ctxlog.servers.wsgi.ContextMiddleware(app)",
        ),
        (
            "pyramid",
            "from pyramid.config import Configurator\n"
            "app = Configurator().make_wsgi_app()",
            "ctxlog.servers.pyramid.install(app)",
        ),
        (
            "tornado",
            "from tornado.web import Application\napp = Application()",
            "ctxlog.servers.tornado.install(app)",
        ),
        (
            "sanic",
            "from sanic import Sanic\napp = Sanic('doctor', configure_logging=False)",
            "ctxlog.servers.sanic.install(app)",
        ),
    ],
)
def test_a_framework_has_its_adapter_after_the_advice(
    library: str, source: str, line: str, module: Module
) -> None:
    """The line is the one of the documentation, and all is well after it."""
    need(library)
    shop = module(source)
    (lacking, *_) = findings(shop, "app")
    assert (lacking.kind, lacking.step and lacking.step.lines[-1]) == ("todo", line)
    follow(shop, lacking)
    (well, *_) = findings(shop, "app")
    assert well.kind == "ok"
    page = (ROOT / "docs" / "pick-your-stack.md").read_text(encoding="utf-8")
    assert f"`{line}`" in page


def test_aiohttp_is_told_to_make_its_application_with_the_middleware(
    module: Module,
) -> None:
    """The middleware is an argument of the application; one with options counts too."""
    need("aiohttp")
    shop = module("from aiohttp import web\napp = web.Application()")
    (lacking, *_) = findings(shop, "app")
    assert lacking.kind == "todo"
    exec("import ctxlog", vars(shop))
    follow(shop, lacking)
    assert findings(shop, "app")[0].kind == "ok"
    exec(
        "made = ctxlog.servers.aiohttp.middleware(trust=False)\n"
        "app = web.Application(middlewares=[made])",
        vars(shop),
    )
    assert findings(shop, "app")[0].kind == "ok"


@pytest.mark.parametrize(
    ("library", "source", "line"),
    [
        (
            "requests",
            "import requests\nsession = requests.Session()",
            'ctxlog.clients.requests.install(session, hosts=["..."])',
        ),
        (
            "httpx",
            "import httpx\ncalls = httpx.Client()",
            'ctxlog.clients.httpx.install(calls, hosts=["..."])',
        ),
        (
            "urllib3",
            "import urllib3\nmanager = urllib3.PoolManager()",
            'ctxlog.clients.urllib3.install(manager, hosts=["..."])',
        ),
        (
            "redis",
            "import redis\nclient = redis.Redis()",
            "ctxlog.clients.redis.install(client)",
        ),
        (
            "sqlalchemy",
            "import sqlalchemy\nengine = sqlalchemy.create_engine('sqlite://')",
            "ctxlog.clients.sqlalchemy.install(engine)",
        ),
    ],
)
def test_a_client_has_its_adapter_after_the_advice(
    library: str, source: str, line: str, module: Module
) -> None:
    """A client of the module is named in a note; with its adapter all is well."""
    need(library)
    shop = module(source)
    named = {one.where: one for one in findings(shop) if one.where is not None}
    name = source.splitlines()[-1].partition(" ")[0]
    lacking = named[f"shop.{name}"]
    assert (lacking.kind, lacking.step and lacking.step.lines[-1]) == ("note", line)
    follow(shop, lacking)
    assert any(
        one.kind == "ok" and one.what.startswith(f"shop.{name} has")
        for one in findings(shop)
    )


def test_a_queue_has_its_adapter_after_the_advice(module: Module) -> None:
    """RQ has no object that the adapter is for: the process has it, or lacks it."""
    need("rq")
    rq = need("ctxlog.tasks.rq")
    shop = module("from rq import Queue")
    (lacking,) = [one for one in findings(shop) if "rq" in one.what]
    assert lacking.kind == "todo"
    try:
        follow(shop, lacking)
        (well,) = [one for one in findings(shop) if "rq" in one.what]
    finally:
        rq.uninstall()
    assert well.kind == "ok"


def test_a_library_that_only_others_import_is_no_matter(module: Module) -> None:
    """An imported client that no module of the application has is left out."""
    need("requests")
    found = findings(module("import logging"))
    assert [one for one in found if "requests" in one.what] == []


def test_a_library_without_an_object_is_told_what_to_do_with_one(
    module: Module,
) -> None:
    """A module that makes its clients within functions is told the line for one."""
    need("httpx")
    shop = module("from httpx import AsyncClient")
    (note,) = [one for one in findings(shop) if "httpx" in one.what]
    assert note.kind == "note"
    assert note.step is not None
    assert note.step.lines[-1].startswith("ctxlog.clients.httpx.install(")


def test_what_cannot_be_asked_is_told_in_a_note(module: Module) -> None:
    """Servers and channels of gRPC do not show their interceptors."""
    need("grpc")
    found = [one for one in findings(module("import grpc")) if "grpc" in one.what]
    assert [one.kind for one in found] == ["note", "note"]
    written = [line for one in found if one.step for line in one.step.lines]
    assert any("ctxlog.servers.grpc.ServerInterceptor()" in line for line in written)
    assert any("ctxlog.clients.grpc.interceptors(" in line for line in written)


def test_what_is_no_application_is_said(module: Module) -> None:
    """An object that no server could call is named, and nothing is advised."""
    (note, *_) = findings(module("app = 7"), "app")
    assert note.what == "app is no application of ASGI or WSGI"
    assert note.step is None


@pytest.mark.parametrize(
    "name",
    [
        f"{room}.{name}"
        for room in ("servers", "tasks", "clients")
        for name in submodules(f"ctxlog.{room}")
    ],
)
def test_the_doctor_knows_every_adapter(name: str) -> None:
    """
    An adapter can be asked, has lines of its own, or is installed by another call.
    """
    by_others = {adapter for adapter, _ in OF_CONFIGURE.values()}
    by_others |= {f"ctxlog.servers.{one}" for one in OF_MIDDLEWARE.values()}
    if f"ctxlog.{name}" in by_others or name in adapters._WRITTEN:
        return
    spec = find_spec(f"ctxlog.{name}")
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).read_text(encoding="utf-8")
    # The standard library's processes: any application may start them, few do.
    assert "def _is_installed(" in source or name == "tasks.processes"
