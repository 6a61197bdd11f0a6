"""
The stacks of the matrix: not every pair of a server and a framework, but every server
with one or two frameworks and every framework with a server.
"""

from __future__ import annotations

from tests.stacks.clients import GrpcClient, WebSocketClient
from tests.stacks.driver import STEPS, Stack

__all__ = ["STACKS", "granian", "gunicorn", "hypercorn", "uvicorn"]


def uvicorn(app: str, *options: str) -> tuple[str, ...]:
    """How uvicorn is started with an application."""
    return ("uvicorn", f"{app}:app", "--host", "127.0.0.1", "--port", "PORT", *options)


def hypercorn(app: str, *options: str) -> tuple[str, ...]:
    """How hypercorn is started with an application."""
    return ("hypercorn", f"{app}:app", "-b", "127.0.0.1:PORT", *options)


def granian(interface: str, app: str, *options: str) -> tuple[str, ...]:
    """How granian is started with an application."""
    address = ("--host", "127.0.0.1", "--port", "PORT")
    return ("granian", "--interface", interface, *address, *options, f"{app}:app")


def gunicorn(app: str, *options: str) -> tuple[str, ...]:
    """How gunicorn is started with an application."""
    return ("gunicorn", f"{app}:app", "-b", "127.0.0.1:PORT", *options)


_LEFT = {
    "disconnect/closed": "The framework leaves the generator of a body whose client "
    "went away to the garbage collector, which may not come while the server runs; "
    "its line has the id whenever it comes ({})."
}


def _left(issue: str) -> dict[str, str]:
    return {step: reason.format(issue) for step, reason in _LEFT.items()}


def _everywhere(*steps: str) -> dict[str, tuple[str, ...]]:
    return dict.fromkeys(STEPS, steps)


_DEPENDENCIES = _everywhere(
    "dependency", "dependency-async", "enter", "enter-async", "exit", "exit-async"
)
del _DEPENDENCIES["not found"]

_FALCON = {"mounted": "Falcon has no applications within others."}
_GRPC = {"mounted": "gRPC has no services within others: a method is a route."}

ASGI = [
    Stack(
        "uvicorn (asyncio, h11), Starlette",
        uvicorn("starlette_app", "--loop", "asyncio", "--http", "h11"),
        needs=("uvicorn", "h11", "starlette"),
    ),
    Stack(
        "uvicorn (asyncio, httptools), Starlette",
        uvicorn("starlette_app", "--loop", "asyncio", "--http", "httptools"),
        needs=("uvicorn", "httptools", "starlette"),
    ),
    Stack(
        "uvicorn (uvloop, httptools), FastAPI",
        uvicorn("fastapi_app", "--loop", "uvloop", "--http", "httptools"),
        needs=("uvicorn", "uvloop", "httptools", "fastapi"),
        more=_DEPENDENCIES,
    ),
    Stack(
        "uvicorn (two workers), FastAPI",
        uvicorn("fastapi_app", "--workers", "2"),
        needs=("uvicorn", "uvloop", "httptools", "fastapi"),
        more=_DEPENDENCIES,
        journal=True,
    ),
    Stack(
        "uvicorn.run() in code, Starlette",
        ("python", "run_in_code.py"),
        needs=("uvicorn", "uvloop", "httptools", "starlette"),
    ),
    Stack(
        "uvicorn, Starlette behind a BaseHTTPMiddleware",
        uvicorn("starlette_base_http"),
        needs=("uvicorn", "uvloop", "httptools", "starlette"),
        more=_everywhere("before", "after"),
        unreachable=_left("https://github.com/Kludex/starlette/pull/3491"),
    ),
    Stack(
        "uvicorn, Litestar",
        uvicorn("litestar_app"),
        needs=("uvicorn", "uvloop", "httptools", "litestar"),
    ),
    Stack(
        "uvicorn, Quart",
        uvicorn("quart_app"),
        needs=("uvicorn", "uvloop", "httptools", "quart"),
        route="/PATH/<token>",
    ),
    Stack(
        "uvicorn, Django",
        uvicorn("django_async_app"),
        needs=("uvicorn", "uvloop", "httptools", "django"),
        route="PATH/<token>",
    ),
    Stack(
        "uvicorn, Falcon",
        uvicorn("falcon_async_app"),
        needs=("uvicorn", "uvloop", "httptools", "falcon"),
        unreachable=_FALCON,
    ),
    Stack(
        "hypercorn (asyncio), Starlette",
        hypercorn("starlette_app"),
        needs=("hypercorn", "starlette"),
    ),
    Stack(
        "hypercorn (asyncio), Quart",
        hypercorn("quart_app"),
        needs=("hypercorn", "quart"),
        route="/PATH/<token>",
    ),
    Stack(
        "hypercorn (trio), Starlette",
        hypercorn("starlette_trio", "-k", "trio"),
        needs=("hypercorn", "trio", "starlette"),
    ),
    Stack(
        "granian, Starlette",
        granian("asgi", "starlette_app"),
        needs=("granian", "starlette"),
        unreachable=_left("https://github.com/Kludex/starlette/pull/3491"),
    ),
    Stack(
        "granian (two workers), Litestar",
        granian("asgi", "litestar_app", "--workers", "2"),
        journal=True,
        needs=("granian", "litestar"),
        unreachable=_left("https://github.com/litestar-org/litestar/pull/4394"),
    ),
    Stack(
        "daphne, Django",
        ("daphne", "-v", "0", "-b", "127.0.0.1", "-p", "PORT", "django_async_app:app"),
        needs=("daphne", "django"),
        route="PATH/<token>",
    ),
    Stack(
        "daphne, Starlette",
        ("daphne", "-v", "0", "-b", "127.0.0.1", "-p", "PORT", "starlette_app:app"),
        needs=("daphne", "starlette"),
    ),
    Stack(
        "gunicorn (uvicorn's worker), FastAPI",
        gunicorn("fastapi_app", "-k", "uvicorn_worker.UvicornWorker", "-w", "2"),
        journal=True,
        needs=("gunicorn", "uvicorn-worker", "uvicorn", "fastapi"),
        more=_DEPENDENCIES,
    ),
]

WSGI = [
    Stack(
        "gunicorn (sync), Flask",
        gunicorn("flask_app"),
        needs=("gunicorn", "flask"),
        loop=False,
        route="/PATH/<token>",
    ),
    Stack(
        "gunicorn (sync, two workers), Falcon",
        gunicorn("falcon_app", "-w", "2"),
        journal=True,
        needs=("gunicorn", "falcon"),
        loop=False,
        unreachable=_FALCON,
    ),
    Stack(
        "gunicorn (gthread), Flask",
        gunicorn("flask_app", "-k", "gthread", "--threads", "8"),
        needs=("gunicorn", "flask"),
        loop=False,
        route="/PATH/<token>",
    ),
    Stack(
        "gunicorn (gthread), Django",
        gunicorn("django_app", "-k", "gthread", "--threads", "8"),
        needs=("gunicorn", "django"),
        loop=False,
        route="PATH/<token>",
    ),
    Stack(
        "gunicorn (gevent), Flask",
        gunicorn("flask_app", "-k", "gevent"),
        needs=("gunicorn", "gevent", "flask"),
        loop=False,
        route="/PATH/<token>",
    ),
    Stack(
        "waitress, Falcon",
        ("waitress-serve", "--listen=127.0.0.1:PORT", "--threads=8", "falcon_app:app"),
        needs=("waitress", "falcon"),
        loop=False,
        unreachable=_FALCON,
    ),
    Stack(
        "waitress, Bottle",
        ("waitress-serve", "--listen=127.0.0.1:PORT", "--threads=8", "bottle_app:app"),
        needs=("waitress", "bottle"),
        loop=False,
        route="/PATH/<token>",
    ),
    Stack(
        "uWSGI (threads), Flask",
        (
            *("uwsgi", "--http11-socket", "127.0.0.1:PORT"),
            *("--module", "flask_app:app"),
            *("--enable-threads", "--threads", "8", "--master", "--die-on-term"),
            *("--need-app", "--disable-logging", "--ignore-write-errors"),
        ),
        needs=("pyuwsgi", "flask"),
        loop=False,
        route="/PATH/<token>",
    ),
    Stack(
        "uWSGI (two processes), Bottle",
        (
            *("uwsgi", "--http11-socket", "127.0.0.1:PORT"),
            *("--module", "bottle_app:app", "--processes", "2"),
            *("--enable-threads", "--threads", "12"),
            *("--master", "--die-on-term", "--lazy-apps", "--need-app"),
            *("--disable-logging", "--ignore-write-errors"),
        ),
        journal=True,
        needs=("pyuwsgi", "bottle"),
        loop=False,
        route="/PATH/<token>",
    ),
    Stack(
        "granian (WSGI), Flask",
        granian("wsgi", "flask_app", "--blocking-threads", "8"),
        needs=("granian", "flask"),
        loop=False,
        route="/PATH/<token>",
    ),
    Stack(
        "werkzeug's development server, Flask",
        ("flask", "--app", "flask_app", "run", "--port", "PORT"),
        needs=("werkzeug", "flask"),
        loop=False,
        route="/PATH/<token>",
    ),
    Stack(
        "runserver, Django",
        ("python", "django_app.py", "runserver", "--noreload", "127.0.0.1:PORT"),
        needs=("django",),
        loop=False,
        route="PATH/<token>",
    ),
]

_SANIC = ("sanic", "sanic_app:app", "--host=127.0.0.1", "--port=PORT")

#: Servers that speak neither ASGI nor WSGI with their applications.
OWN = [
    Stack("aiohttp.web", ("python", "aiohttp_app.py"), needs=("aiohttp",)),
    Stack(
        "Tornado",
        ("python", "tornado_app.py"),
        needs=("tornado",),
        route="/PATH/(.+)",
    ),
    Stack(
        "Sanic",
        (*_SANIC, "--single-process"),
        needs=("sanic",),
        route="/PATH/<token:str>",
    ),
    Stack(
        "Sanic (two workers)",
        (*_SANIC, "--workers=2"),
        journal=True,
        needs=("sanic",),
        route="/PATH/<token:str>",
    ),
    Stack(
        "uvicorn, Sanic",
        uvicorn("sanic_app"),
        needs=("uvicorn", "uvloop", "httptools", "sanic"),
        route="/PATH/<token:str>",
    ),
]

#: Stacks that speak another protocol than plain HTTP.
OTHER = [
    Stack(
        "grpcio",
        ("python", "grpc_app.py"),
        needs=("grpcio",),
        loop=False,
        client=GrpcClient,
        route="/PATH/TOKEN",
        unreachable=_GRPC,
    ),
    Stack(
        "grpcio (aio)",
        ("python", "grpc_aio_app.py"),
        needs=("grpcio",),
        client=GrpcClient,
        route="/PATH/TOKEN",
        unreachable=_GRPC,
    ),
    Stack(
        "websockets",
        ("python", "websockets_app.py"),
        needs=("websockets", "werkzeug"),
        client=WebSocketClient,
        route="/PATH/<token>",
    ),
]

STACKS = [*ASGI, *WSGI, *OWN, *OTHER]
