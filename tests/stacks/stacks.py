"""
The stacks of the matrix: not every pair of a server and a framework, but every server
with one or two frameworks and every framework with a server.
"""

from __future__ import annotations

from tests.stacks.driver import STEPS, Stack

__all__ = ["STACKS"]


def _uvicorn(app: str, *options: str) -> tuple[str, ...]:
    return ("uvicorn", f"{app}:app", "--host", "127.0.0.1", "--port", "PORT", *options)


def _hypercorn(app: str, *options: str) -> tuple[str, ...]:
    return ("hypercorn", f"{app}:app", "-b", "127.0.0.1:PORT", *options)


def _granian(interface: str, app: str, *options: str) -> tuple[str, ...]:
    address = ("--host", "127.0.0.1", "--port", "PORT")
    return ("granian", "--interface", interface, *address, *options, f"{app}:app")


def _gunicorn(app: str, *options: str) -> tuple[str, ...]:
    return ("gunicorn", f"{app}:app", "-b", "127.0.0.1:PORT", *options)


_ABANDONED = (
    "The async generator of a client that went away is closed by the event loop: its "
    "last line has no id, or does not come within the time that is waited for it."
)
_TORN = (
    "Two processes write to one pipe, and the system may tear lines of over 4,096 "
    "bytes, such as crash reports."
)
_GRANIAN = (
    "Granian reports an exception of an ASGI application without the exception and "
    "after the request: as text, without an id."
)
_WAITRESS = (
    "waitress says that a client went away after the request has ended: without an id."
)


def _everywhere(*steps: str) -> dict[str, tuple[str, ...]]:
    return dict.fromkeys(STEPS, steps)


_DEPENDENCIES = _everywhere(
    "dependency", "dependency-async", "enter", "enter-async", "exit", "exit-async"
)

ASGI = [
    Stack(
        "uvicorn (asyncio, h11), Starlette",
        _uvicorn("starlette_app", "--loop", "asyncio", "--http", "h11"),
        needs=("uvicorn", "h11", "starlette"),
    ),
    Stack(
        "uvicorn (asyncio, httptools), Starlette",
        _uvicorn("starlette_app", "--loop", "asyncio", "--http", "httptools"),
        needs=("uvicorn", "httptools", "starlette"),
    ),
    Stack(
        "uvicorn (uvloop, httptools), FastAPI",
        _uvicorn("fastapi_app", "--loop", "uvloop", "--http", "httptools"),
        needs=("uvicorn", "uvloop", "httptools", "fastapi"),
        more=_DEPENDENCIES,
    ),
    Stack(
        "uvicorn (two workers), FastAPI",
        _uvicorn("fastapi_app", "--workers", "2"),
        needs=("uvicorn", "uvloop", "httptools", "fastapi"),
        more=_DEPENDENCIES,
        open=_TORN,
    ),
    Stack(
        "uvicorn.run() in code, Starlette",
        ("python", "run_in_code.py"),
        needs=("uvicorn", "uvloop", "httptools", "starlette"),
    ),
    Stack(
        "uvicorn, Starlette behind a BaseHTTPMiddleware",
        _uvicorn("starlette_base_http"),
        needs=("uvicorn", "uvloop", "httptools", "starlette"),
        more=_everywhere("before", "after"),
        open=_ABANDONED,
    ),
    Stack(
        "uvicorn, Litestar",
        _uvicorn("litestar_app"),
        needs=("uvicorn", "uvloop", "httptools", "litestar"),
    ),
    Stack(
        "uvicorn, Quart",
        _uvicorn("quart_app"),
        needs=("uvicorn", "uvloop", "httptools", "quart"),
    ),
    Stack(
        "uvicorn, Django",
        _uvicorn("django_async_app"),
        needs=("uvicorn", "uvloop", "httptools", "django"),
    ),
    Stack(
        "uvicorn, Falcon",
        _uvicorn("falcon_async_app"),
        needs=("uvicorn", "uvloop", "httptools", "falcon"),
    ),
    Stack(
        "hypercorn (asyncio), Starlette",
        _hypercorn("starlette_app"),
        needs=("hypercorn", "starlette"),
    ),
    Stack(
        "hypercorn (asyncio), Quart",
        _hypercorn("quart_app"),
        needs=("hypercorn", "quart"),
    ),
    Stack(
        "hypercorn (trio), Starlette",
        _hypercorn("starlette_trio", "-k", "trio"),
        needs=("hypercorn", "trio", "starlette"),
        open=_ABANDONED,
    ),
    Stack(
        "granian, Starlette",
        _granian("asgi", "starlette_app"),
        needs=("granian", "starlette"),
        open=f"{_GRANIAN} {_ABANDONED}",
    ),
    Stack(
        "granian (two workers), Litestar",
        _granian("asgi", "litestar_app", "--workers", "2"),
        needs=("granian", "litestar"),
        open=_ABANDONED,
    ),
    Stack(
        "daphne, Django",
        ("daphne", "-v", "0", "-b", "127.0.0.1", "-p", "PORT", "django_async_app:app"),
        needs=("daphne", "django"),
    ),
    Stack(
        "daphne, Starlette",
        ("daphne", "-v", "0", "-b", "127.0.0.1", "-p", "PORT", "starlette_app:app"),
        needs=("daphne", "starlette"),
    ),
    Stack(
        "gunicorn (uvicorn's worker), FastAPI",
        _gunicorn("fastapi_app", "-k", "uvicorn_worker.UvicornWorker", "-w", "2"),
        needs=("gunicorn", "uvicorn-worker", "uvicorn", "fastapi"),
        more=_DEPENDENCIES,
    ),
]

WSGI = [
    Stack(
        "gunicorn (sync), Flask",
        _gunicorn("flask_app"),
        needs=("gunicorn", "flask"),
        loop=False,
    ),
    Stack(
        "gunicorn (gthread), Flask",
        _gunicorn("flask_app", "-k", "gthread", "--threads", "8"),
        needs=("gunicorn", "flask"),
        loop=False,
    ),
    Stack(
        "gunicorn (gthread), Django",
        _gunicorn("django_app", "-k", "gthread", "--threads", "8"),
        needs=("gunicorn", "django"),
        loop=False,
    ),
    Stack(
        "gunicorn (gevent), Flask",
        _gunicorn("flask_app", "-k", "gevent"),
        needs=("gunicorn", "gevent", "flask"),
        loop=False,
    ),
    Stack(
        "waitress, Falcon",
        ("waitress-serve", "--listen=127.0.0.1:PORT", "--threads=8", "falcon_app:app"),
        needs=("waitress", "falcon"),
        loop=False,
        open=_WAITRESS,
    ),
    Stack(
        "waitress, Bottle",
        ("waitress-serve", "--listen=127.0.0.1:PORT", "--threads=8", "bottle_app:app"),
        needs=("waitress", "bottle"),
        loop=False,
        open=_WAITRESS,
    ),
    Stack(
        "uWSGI (threads), Flask",
        (
            *(
                "uwsgi",
                "--http11-socket",
                "127.0.0.1:PORT",
                "--module",
                "flask_app:app",
            ),
            *("--enable-threads", "--threads", "8", "--master", "--die-on-term"),
            *("--need-app", "--disable-logging", "--ignore-write-errors"),
        ),
        needs=("pyuwsgi", "flask"),
        loop=False,
    ),
    Stack(
        "granian (WSGI), Flask",
        _granian("wsgi", "flask_app", "--blocking-threads", "8"),
        needs=("granian", "flask"),
        loop=False,
    ),
    Stack(
        "werkzeug's development server, Flask",
        ("flask", "--app", "flask_app", "run", "--port", "PORT"),
        needs=("werkzeug", "flask"),
        loop=False,
    ),
    Stack(
        "runserver, Django",
        ("python", "django_app.py", "runserver", "--noreload", "127.0.0.1:PORT"),
        needs=("django",),
        loop=False,
    ),
]

STACKS = [*ASGI, *WSGI]
