"""
The stacks of the matrix.
"""

from __future__ import annotations

from tests.stacks.driver import Stack

__all__ = ["STACKS"]


def _uvicorn(app: str, *options: str) -> tuple[str, ...]:
    return ("uvicorn", app, "--host", "127.0.0.1", "--port", "PORT", *options)


STACKS = [
    Stack(
        "uvicorn (asyncio, h11), Starlette",
        _uvicorn("starlette_app:app", "--loop", "asyncio", "--http", "h11"),
        needs=("uvicorn", "h11", "starlette"),
    ),
    Stack(
        "uvicorn (asyncio, httptools), Starlette",
        _uvicorn("starlette_app:app", "--loop", "asyncio", "--http", "httptools"),
        needs=("uvicorn", "httptools", "starlette"),
    ),
    Stack(
        "uvicorn (uvloop, httptools), Starlette",
        _uvicorn("starlette_app:app", "--loop", "uvloop", "--http", "httptools"),
        needs=("uvicorn", "uvloop", "starlette"),
    ),
    Stack(
        "hypercorn (asyncio), Starlette",
        ("hypercorn", "starlette_app:app", "-b", "127.0.0.1:PORT"),
        needs=("hypercorn", "starlette"),
    ),
]
