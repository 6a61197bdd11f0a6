"""Adapters for web servers and frameworks, a module for each interface."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ctxlog import _lazy

if TYPE_CHECKING:
    from ctxlog.servers import aiohttp as aiohttp
    from ctxlog.servers import asgi as asgi
    from ctxlog.servers import bottle as bottle
    from ctxlog.servers import django as django
    from ctxlog.servers import falcon as falcon
    from ctxlog.servers import flask as flask
    from ctxlog.servers import granian as granian
    from ctxlog.servers import grpc as grpc
    from ctxlog.servers import gunicorn as gunicorn
    from ctxlog.servers import hypercorn as hypercorn
    from ctxlog.servers import litestar as litestar
    from ctxlog.servers import pyramid as pyramid
    from ctxlog.servers import quart as quart
    from ctxlog.servers import sanic as sanic
    from ctxlog.servers import starlette as starlette
    from ctxlog.servers import tornado as tornado
    from ctxlog.servers import uvicorn as uvicorn
    from ctxlog.servers import waitress as waitress
    from ctxlog.servers import websockets as websockets
    from ctxlog.servers import werkzeug as werkzeug
    from ctxlog.servers import wsgi as wsgi
else:
    __getattr__, __dir__ = _lazy.lazily(__name__)
