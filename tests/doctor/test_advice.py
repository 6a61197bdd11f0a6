"""
The doctor's advice, followed: the application's lines are stamped then, each once.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.doctor.conftest import Project, ids, todo
from tests.helpers import ROOT, need

_RUN = """
import logging
import shop
import ctxlog


def serve():
    for name in ("", "shop", "payments"):
        logging.getLogger(name).warning("from %s", name or "root")


ctxlog.run({"requestID": "req-A"}, serve)
"""

_EACH_ONCE = {"from root": 1, "from shop": 1, "from payments": 1}

_FASTAPI = """
import logging

from fastapi import FastAPI

log = logging.getLogger("shop")
app = FastAPI()


@app.get("/orders")
async def orders():
    log.info("served")
"""

_ASGI_REQUEST = """
import asyncio
import shop

app = shop.create_app() if hasattr(shop, "create_app") else shop.app
scope = {
    "type": "http", "method": "GET", "path": "/orders", "raw_path": b"/orders",
    "query_string": b"", "root_path": "", "scheme": "http", "http_version": "1.1",
    "server": ("shop", 80), "client": ("127.0.0.1", 1),
    "headers": [(b"host", b"shop"), (b"x-request-id", b"req-A")],
}


async def receive():
    return {"type": "http.request"}


async def send(message):
    pass


asyncio.run(app(scope, receive, send))
"""

_WSGI_REQUEST = """
import io
import sys
import shop

app = shop.create_app() if hasattr(shop, "create_app") else shop.app
environ = {
    "REQUEST_METHOD": "GET", "PATH_INFO": "/orders", "SCRIPT_NAME": "",
    "SERVER_NAME": "shop", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1",
    "REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "shop", "HTTP_X_REQUEST_ID": "req-A",
    "wsgi.version": (1, 0), "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(),
    "wsgi.errors": sys.stderr, "wsgi.multithread": True, "wsgi.multiprocess": False,
    "wsgi.run_once": False,
}
body = app(environ, lambda status, headers, exc_info=None: None)
list(body)
body.close()
"""

_SERVED = {"served": 1, "GET /orders 200": 1}


# Handlers of logging ------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(
            "import logging\nlogging.basicConfig(level='INFO')\n", id="basicConfig"
        ),
        pytest.param(
            "import logging\n"
            "payments = logging.getLogger('payments')\n"
            "payments.addHandler(logging.StreamHandler())\n"
            "payments.propagate = False\n",
            id="a logger that does not propagate",
        ),
        pytest.param(
            "import logging.config\n"
            "logging.config.dictConfig({\n"
            "    'version': 1,\n"
            "    'handlers': {'console': {'class': 'logging.StreamHandler'}},\n"
            "    'root': {'handlers': ['console'], 'level': 'INFO'},\n"
            "    'loggers': {\n"
            "        'payments': {'handlers': ['console'], 'propagate': False},\n"
            "    },\n"
            "})\n",
            id="a handler that two loggers have",
        ),
        pytest.param(
            "import logging\n"
            "import ctxlog\n"
            "ctxlog.configure(format='json')\n"
            "payments = logging.getLogger('payments')\n"
            "payments.addHandler(logging.StreamHandler())\n",
            id="a handler in front of ctxlog's",
        ),
        pytest.param(
            "import logging\nlogging.getLogger('payments').propagate = False\n",
            id="a logger that is cut off",
        ),
        pytest.param(
            "import logging\n"
            "import logging.handlers\n"
            "import queue\n"
            "items = queue.Queue()\n"
            "printer = logging.StreamHandler()\n"
            "listener = logging.handlers.QueueListener(items, printer)\n"
            "logging.getLogger().addHandler(logging.handlers.QueueHandler(items))\n"
            "listener.start()\n",
            id="a queue whose listener prints",
        ),
    ],
)
def test_handlers_are_cured(source: str, project: Project) -> None:
    """After the advice each logger's line comes out once, with the id."""
    project.write(source)
    assert todo(project.cure("shop"))
    assert ids(project.lines(_RUN)) == _EACH_ONCE


def test_a_file_gets_lines_with_the_id(project: Project) -> None:
    """A file's handler stays, and writes ctxlog's lines from then on."""
    project.write(
        "import logging\nlogging.getLogger().addHandler(logging.FileHandler('a.log'))\n"
    )
    project.cure("shop")
    assert ids(project.lines(_RUN)) == _EACH_ONCE
    written = (project.folder / "a.log").read_text(encoding="utf-8")
    assert written.count('"requestID":"req-A"') == 3


def test_a_file_that_two_handlers_write_is_doubled(project: Project) -> None:
    """Two handlers of one file, up the tree, are named, and one is left."""
    project.write(
        "import logging\n"
        "import ctxlog\n"
        "ctxlog.configure()\n"
        "for name in ('', 'payments'):\n"
        "    handler = logging.FileHandler('a.log')\n"
        "    handler.setFormatter(ctxlog.JsonFormatter())\n"
        "    logging.getLogger(name).addHandler(handler)\n"
    )
    (what,) = todo(project.cure("shop"))
    assert what.startswith("each line of logger 'payments' comes out twice on ")
    project.lines(_RUN)
    written = (project.folder / "a.log").read_text(encoding="utf-8")
    assert written.count("from payments") == 1


def test_options_of_a_call_stay(project: Project) -> None:
    """The call that is to be written has the options of the one that is there."""
    project.write(
        "import logging\n"
        "import ctxlog\n"
        "ctxlog.configure(format='json', service='shop')\n"
        "logging.getLogger('payments').addHandler(logging.StreamHandler())\n"
    )
    (step,) = project.report("shop")["steps"]
    assert step["lines"] == [
        'ctxlog.configure(format="json", service="shop", '
        'replace_console_handlers="all")'
    ]
    assert (step["file"], step["line"]) == ("shop.py", 3)


# structlog and loguru -----------------------------------------------------------------

_STRUCTLOG = """
import logging
import structlog

structlog.configure(
    processors=[structlog.processors.add_log_level, structlog.dev.ConsoleRenderer()]
)
log = structlog.get_logger("orders")
"""

_LOG_RUN = """
import shop
import ctxlog

ctxlog.run({"requestID": "req-A"}, shop.log.warning, "served")
"""


def test_structlog_that_is_half_migrated_is_cured(project: Project) -> None:
    """A chain that prints by itself is named; after the advice its lines are ours."""
    need("structlog")
    project.write("import ctxlog\nctxlog.configure(format='json')\n" + _STRUCTLOG)
    assert any("structlog" in one for one in todo(project.cure("shop")))
    assert ids(project.lines(_LOG_RUN)) == {"served": 1}


def test_loguru_with_a_sink_of_its_own_is_cured(project: Project) -> None:
    """A sink for the console is named; after the advice its lines are ours."""
    need("loguru")
    project.write(
        "import sys\n"
        "from loguru import logger as log\n"
        "log.remove()\n"
        "log.add(sys.stdout, format='{message}')\n"
    )
    assert any("loguru" in one for one in todo(project.cure("shop")))
    assert ids(project.lines(_LOG_RUN)) == {"served": 1}


# Frameworks ---------------------------------------------------------------------------


def test_fastapi_is_cured(project: Project) -> None:
    """Both lines are advised to an application without ctxlog; they are enough."""
    need("fastapi")
    project.write(_FASTAPI)
    assert [step["lines"][-1] for step in project.cure("shop:app")["steps"]] == [
        "ctxlog.configure()",
        "ctxlog.servers.asgi.install(app)",
    ]
    assert ids(project.lines(_ASGI_REQUEST)) == _SERVED


def test_a_factory_is_cured(project: Project) -> None:
    """An application that a function makes gets its middleware in that function."""
    need("starlette")
    project.write(
        "import logging\n"
        "from starlette.applications import Starlette\n"
        "from starlette.responses import Response\n"
        "from starlette.routing import Route\n"
        "async def orders(request):\n"
        "    logging.getLogger('shop').info('served')\n"
        "    return Response()\n"
        "def create_app():\n"
        "    app = Starlette(routes=[Route('/orders', orders)])\n"
        "    return app\n"
    )
    project.cure("shop:create_app()")
    assert ids(project.lines(_ASGI_REQUEST)) == _SERVED


def test_a_middleware_around_the_application_is_looked_through(
    project: Project,
) -> None:
    """An application within another object is well if it has the adapter itself."""
    need("starlette")
    project.write(
        "import ctxlog\n"
        "from starlette.applications import Starlette\n"
        "from starlette.middleware.gzip import GZipMiddleware\n"
        "ctxlog.configure()\n"
        "inner = Starlette()\n"
        "ctxlog.servers.asgi.install(inner)\n"
        "app = GZipMiddleware(inner)\n"
    )
    assert project.report("shop:app")["exit"] == 0


def test_a_middleware_that_was_added_is_named(project: Project) -> None:
    """With `add_middleware` the framework's own 500 has no id, which is said."""
    need("starlette")
    project.write(
        "import ctxlog\n"
        "from starlette.applications import Starlette\n"
        "ctxlog.configure()\n"
        "app = Starlette()\n"
        "app.add_middleware(ctxlog.servers.asgi.ContextMiddleware)\n"
    )
    assert todo(project.cure("shop:app")) == [
        "the middleware was added with add_middleware()"
    ]


def test_flask_is_cured(project: Project) -> None:
    """Flask has an adapter of its own, and is not wrapped."""
    need("flask")
    project.write(
        "import logging\n"
        "from flask import Flask\n"
        "app = Flask('shop')\n"
        "log = logging.getLogger('shop')\n"
        "@app.get('/orders')\n"
        "def orders():\n"
        "    log.info('served')\n"
        "    return ''\n"
    )
    lines = [step["lines"][-1] for step in project.cure("shop:app")["steps"]]
    assert lines == ["ctxlog.configure()", "ctxlog.servers.flask.install(app)"]
    assert ids(project.lines(_WSGI_REQUEST)) == _SERVED


def test_django_is_cured(project: Project) -> None:
    """The settings get the middleware, first, and the call of `configure()`."""
    need("django")
    project.write(
        "SECRET_KEY = 'x'\n"
        "ALLOWED_HOSTS = ['*']\n"
        "ROOT_URLCONF = 'urls'\n"
        "MIDDLEWARE = [\n"
        "    'django.middleware.common.CommonMiddleware',\n"
        "]\n",
        "settings.py",
    )
    project.write(
        "import logging\n"
        "from django.http import HttpResponse\n"
        "from django.urls import path\n"
        "def orders(request):\n"
        "    logging.getLogger('shop').info('served')\n"
        "    return HttpResponse('')\n"
        "urlpatterns = [path('orders', orders)]\n",
        "urls.py",
    )
    project.write(
        "import os\n"
        "from django.core.wsgi import get_wsgi_application\n"
        "os.environ['DJANGO_SETTINGS_MODULE'] = 'settings'\n"
        "app = get_wsgi_application()\n"
    )
    project.write(
        "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'settings')\n",
        "manage.py",
    )
    assert project.report()["exit"] == 1
    project.cure("shop:app")
    assert ids(project.lines(_WSGI_REQUEST)) == _SERVED


def test_the_middleware_goes_where_the_settings_have_it_from(
    project: Project,
) -> None:
    """Where settings import others the advice names the file of `MIDDLEWARE`."""
    need("django")
    base = "SECRET_KEY = 'x'\nMIDDLEWARE = [\n]\n"
    project.write("", "settings/__init__.py")
    project.write(base, "settings/base.py")
    project.write("from settings.base import *\n", "settings/prod.py")
    settings = {"DJANGO_SETTINGS_MODULE": "settings.prod"}
    report = project.cure(**settings)
    files = {step["lines"][-1]: Path(step["file"]).name for step in report["steps"]}
    assert files == {
        "ctxlog.configure()": "prod.py",
        '"ctxlog.servers.django.ContextMiddleware",': "base.py",
    }


def test_django_in_one_file_is_examined(project: Project) -> None:
    """Settings that are made in the code, without a module of their own, are found."""
    need("django")
    example = ROOT / "examples" / "django_app.py"
    project.write(example.read_text(encoding="utf-8"), "django_app.py")
    assert todo(project.report("django_app:application")) == []


# Queues -------------------------------------------------------------------------------


def test_celery_is_cured(project: Project) -> None:
    """The adapter of tasks is advised to a process that has tasks."""
    need("celery")
    project.write(
        "import logging\n"
        "from celery import Celery\n"
        "app = Celery('shop', broker='memory://', set_as_current=False)\n"
        "app.conf.task_always_eager = True\n"
        "@app.task\n"
        "def serve():\n"
        "    logging.getLogger('shop').info('served')\n"
    )
    project.cure("shop:app")
    lines = project.lines(
        "import shop, ctxlog\nctxlog.run({'requestID': 'req-A'}, shop.serve.delay)\n"
    )
    (served,) = [line for line in lines if line["message"] == "served"]
    assert served["requestID"] == "req-A"
    assert served["task"] == "shop.serve"


def test_a_queue_of_another_module_has_its_adapter_there(project: Project) -> None:
    """The adapter goes where the worker imports it, and a note tells of the worker."""
    need("celery")
    need("fastapi")
    project.write(
        "from celery import Celery\n"
        "queue = Celery('shop', broker='memory://', set_as_current=False)\n"
        "@queue.task\n"
        "def charge():\n"
        "    pass\n",
        "jobs.py",
    )
    project.write("from jobs import charge, queue\n" + _FASTAPI)
    report = project.cure("shop:app")
    files = {step["lines"][-1]: step["file"] for step in report["steps"]}
    assert files["ctxlog.tasks.celery.install()"] == "jobs.py"
    notes = [one["what"] for one in report["findings"] if one["kind"] == "note"]
    assert "a worker of celery is a process of its own" in notes
    assert todo(project.report("jobs:queue")) == ["nothing configures ctxlog"]
