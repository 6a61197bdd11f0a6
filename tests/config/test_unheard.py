"""
Completion lines in a logging configuration of the application's own.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers import run_python

PROGRAM = """
import asyncio, logging, logging.config, sys
import ctxlog

logging.config.dictConfig({{
    "version": 1,
    "formatters": {{"json": {{"()": "ctxlog.JsonFormatter"}}}},
    "handlers": {{
        "out": {{
            "class": "logging.StreamHandler",
            "stream": "ext://sys.stdout",
            "formatter": "json",
        }}
    }},
    {loggers}
}})


async def app(scope, receive, send):
    logging.getLogger("shop").warning("hello")
    await send({{"type": "http.response.start", "status": 200, "headers": []}})
    await send({{"type": "http.response.body", "body": b""}})


async def nothing(message=None):
    return {{"type": "http.disconnect"}}


scope = {{"type": "http", "method": "GET", "path": "/", "headers": []}}
for _ in range(2):
    served = ctxlog.servers.asgi.ContextMiddleware(app)
    asyncio.run(served(dict(scope), nothing, nothing))
"""


def test_completion_lines_without_a_handler_are_said_once(tmp_path: Path) -> None:
    """
    A `LOGGING` that names the application's logger alone loses them.
    """
    loggers = '"loggers": {"shop": {"handlers": ["out"]}}'
    done = run_python("-c", PROGRAM.format(loggers=loggers), cwd=tmp_path)

    assert done.stdout.count("hello") == 2
    assert done.stderr.count("'ctxlog.request' has no handler") == 1


@pytest.mark.parametrize(
    "loggers",
    [
        '"root": {"handlers": ["out"], "level": "INFO"}',
        '"loggers": {"shop": {"handlers": ["out"]},'
        ' "ctxlog": {"handlers": ["out"], "level": "INFO"}}',
    ],
    ids=["root", "ctxlog"],
)
def test_completion_lines_with_a_handler_come(tmp_path: Path, loggers: str) -> None:
    """
    The root logger's, or that of the logger `ctxlog`.
    """
    done = run_python("-c", PROGRAM.format(loggers=loggers), cwd=tmp_path)

    assert done.stdout.count('"logger":"ctxlog.request"') == 2
    assert done.stderr == ""
