"""
PyInstaller cannot see which modules ctxlog imports: they are imported when needed.

The hook collects all of them but those of other programs. Of the libraries that
adapters are for it collects none: those that the program uses come into it by its
own imports, and the others would make it several times as large.
"""

from __future__ import annotations

from typing import Any

from PyInstaller.utils.hooks import collect_submodules, copy_metadata

_OTHER_PROGRAMS = (
    "ctxlog.__main__",
    "ctxlog._pyinstaller",
    "ctxlog.demo",
    "ctxlog.pytest_plugin",
    "ctxlog.viewer",
)

datas = copy_metadata("ctxlog-json")  # the version
hiddenimports = collect_submodules(
    "ctxlog", filter=lambda name: not name.startswith(_OTHER_PROGRAMS)
)
excludedimports = [
    "aiohttp",
    "apscheduler",
    "arq",
    "asgiref",
    "bottle",
    "celery",
    "confluent_kafka",
    "django",
    "dramatiq",
    "duckdb",
    "falcon",
    "faststream",
    "flask",
    "gevent",
    "google",
    "grpc",
    "gunicorn",
    "httpx",
    "huey",
    "hypercorn",
    "litestar",
    "loguru",
    "nats",
    "opentelemetry",
    "pyramid",
    "quart",
    "redis",
    "requests",
    "rq",
    "sanic",
    "sqlalchemy",
    "starlette",
    "structlog",
    "taskiq",
    "tornado",
    "trio",
    "urllib3",
    "uvicorn",
    "uvloop",
    "websockets",
    "werkzeug",
]


def hook(api: Any) -> None:
    """Add what only Celery's workers import, to a program that uses Celery."""
    if api.module_graph.find_node("celery") is not None:
        api.add_imports("celery.worker.consumer", "celery.worker.request")
