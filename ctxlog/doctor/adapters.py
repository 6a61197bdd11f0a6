"""
Which adapters an application has, and which it lacks.

The rooms of ctxlog say which adapters there are, each adapter what it is installed on
(`_is_installed`), and the names of their libraries are their own.
"""

from __future__ import annotations

import gc
import importlib
import inspect
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from ctxlog import clients, servers, tasks
from ctxlog._lazy import submodules
from ctxlog.doctor.application import Application, shown
from ctxlog.doctor.configured import uses
from ctxlog.doctor.findings import At, Finding, Kind, Step
from ctxlog.servers import asgi, wsgi

_ROOMS = {"servers": servers, "tasks": tasks, "clients": clients}

#: Schedulers that run their jobs in the process of the application.
_RUNS_INSIDE = ("apscheduler",)

#: Attributes under which middleware has the application that it is around.
_INNER = ("app", "application", "asgi_app", "wsgi_app", "_app", "inner")

#: What an adapter is put in with that has no `install()`: the lines, and where.
_WRITTEN: dict[str, tuple[tuple[str, ...], str, At]] = {
    "servers.aiohttp": (
        ("{name} = web.Application(middlewares=[ctxlog.servers.aiohttp.middleware])",),
        "where {name} is made, in front of its other middlewares",
        "instead",
    ),
    "servers.django": (
        ('"ctxlog.servers.django.ContextMiddleware",',),
        "first in MIDDLEWARE",
        "instead",
    ),
    "servers.grpc": (
        (
            "grpc.server(pool, interceptors=[ctxlog.servers.grpc.ServerInterceptor()])",
            "grpc.aio.server(interceptors=[ctxlog.servers.grpc.AioServerInterceptor()])",
        ),
        "where the server is made, the one or the other",
        "instead",
    ),
    "servers.gunicorn": (
        ("gunicorn --logger-class ctxlog.servers.gunicorn.Logger",),
        "on the command line of gunicorn",
        "command line",
    ),
    "servers.websockets": (
        (
            "serve(handler, host, port, "
            "create_connection=ctxlog.servers.websockets.ContextConnection)",
        ),
        "where the server is made",
        "instead",
    ),
    "clients.grpc": (
        (
            "grpc.intercept_channel(channel, "
            "*ctxlog.clients.grpc.interceptors(hosts=[...]))",
        ),
        "where the channel is made",
        "instead",
    ),
}


def examine(application: Application) -> Iterator[Finding]:
    """Yield which adapters an application has, and which it lacks."""
    if application.is_empty:
        yield from _installed_only(application)
        return
    if application.object is not None or application.django is not None:
        yield from _server(application)
    for library in _names_in("servers"):
        if library in sys.modules and uses(application, library):
            yield from _made_with(library, application)
    for library in _names_in("tasks"):
        if library in sys.modules and uses(application, library):
            yield from _each("tasks", library, application)
            yield from _worker(library, application)
    for library in _names_in("clients"):
        if library in sys.modules and uses(application, library):
            yield from _each("clients", library, application)
    yield from _installed_only(application)


def _names_in(room: str) -> list[str]:
    """Return the names of a room's adapters."""
    return submodules(_ROOMS[room].__name__)


# The server's side ----------------------------------------------------------------


def _server(application: Application) -> Iterator[Finding]:
    """Yield whether requests to the application have a store."""
    if application.django is not None and _is_django(application.object):
        yield _django(application)
        return
    layers = list(_layers(application.object))
    for layer in layers:
        if any(_asked(adapter, layer) for adapter in (asgi, wsgi, _adapter_of(layer))):
            yield Finding(
                "ok", f"requests have a store: {_kind(layer)} has the adapter"
            )
            return
        if any(
            getattr(one, "cls", None) is asgi.ContextMiddleware
            for one in getattr(layer, "user_middleware", ())
        ):
            yield Finding(
                "todo",
                "the middleware was added with add_middleware()",
                _kind(layer),
                "the framework's own 500 is sent outside of it, without an id",
                None,
                _install(
                    "servers", "asgi", application, "in place of add_middleware()"
                ),
            )
            return
    app = layers[0]
    if not callable(app):
        yield from _task_application(application)
        return
    adapter = _adapter_of(app)
    name = adapter.__name__.rpartition(".")[2]
    protocol = "requests have no store: nothing of a request is on its lines"
    yield Finding(
        "todo", protocol, _kind(app), None, None, _put(name, app, application)
    )


def _made_with(library: str, application: Application) -> Iterator[Finding]:
    """Yield what a server is made with, where it cannot be asked for it."""
    key = f"servers.{library}"
    if key in _WRITTEN and not hasattr(
        importlib.import_module(f"ctxlog.{key}"), "_is_installed"
    ):
        what = f"{library} is used: a server of it is made with the adapter"
        yield Finding("note", what, None, None, None, _written(key, application))


def _layers(app: Any) -> Iterator[Any]:
    """Yield an application, and the one within it if it is a middleware, and so on."""
    seen: list[Any] = []
    while app is not None and not any(app is one for one in seen) and len(seen) < 16:
        yield app
        seen.append(app)
        found = vars(app) if hasattr(app, "__dict__") else {}
        app = next((found[name] for name in _INNER if callable(found.get(name))), None)


def _adapter_of(app: Any) -> Any:
    """Return the adapter for an object: that of its library, or of its protocol."""
    for kind in type(app).__mro__:
        name = kind.__module__.partition(".")[0]
        for room in ("servers", "tasks"):
            if name in _names_in(room) and name in sys.modules:
                adapter = importlib.import_module(f"ctxlog.{room}.{name}")
                if _asked(adapter, app) is not None:
                    return adapter
    call = app if inspect.isfunction(app) else getattr(type(app), "__call__", None)  # noqa: B004
    return asgi if inspect.iscoroutinefunction(call) else wsgi


def _asked(adapter: Any, target: object) -> bool | None:
    """Return whether a target has an adapter; None if it is none for that adapter."""
    ask = getattr(adapter, "_is_installed", None)
    if ask is None or not inspect.signature(ask).parameters:
        return None
    installed: bool | None = ask(target)
    return installed


def _put(adapter: str, app: Any, application: Application) -> Step:
    """Return how an application gets a server's adapter."""
    if f"servers.{adapter}" in _WRITTEN:
        return _written(f"servers.{adapter}", application)
    module = {"asgi": asgi, "wsgi": wsgi}.get(adapter)
    own = type(app).__module__.partition(".")[0] in _names_in("servers")
    if module is None or (module is asgi and (own or hasattr(app, "router"))):
        return _install("servers", adapter, application)
    name = _name(application)
    line = f"{name} = ctxlog.servers.{adapter}.ContextMiddleware({name})"
    return _step((line,), application, f"after `{name}` is made")


def _name(application: Application) -> str:
    return application.name or "app"


def _install(
    room: str, adapter: str, application: Application, where: str | None = None
) -> Step:
    name = _name(application)
    line = f"ctxlog.{room}.{adapter}.install({name})"
    return _step((line,), application, where or f"after `{name}` is made")


def _step(
    lines: tuple[str, ...], application: Application, where: str, at: At = "end"
) -> Step:
    file = application.file
    if application.factory is not None:
        where = f"in {application.factory}(), {where}"
        file = shown(getattr(application.module, "__file__", None))
    place = f"in {file}, {where}" if file else where
    return Step(("import ctxlog", "", *lines), place, at, file)


def _written(key: str, application: Application, file: str | None = None) -> Step:
    lines, where, at = _WRITTEN[key]
    name = _name(application)
    lines = tuple(line.replace("{name}", name) for line in lines)
    where = where.replace("{name}", f"`{name}`")
    file = None if at == "command line" else file or application.file
    place = f"in {file}, {where}" if file else where
    return Step(lines, place, at, file)


def _kind(app: object) -> str:
    kind = type(app)
    return f"{kind.__module__.partition('.')[0]}'s {kind.__qualname__}"


def _is_django(app: Any) -> bool:
    return app is None or type(app).__module__.startswith("django.")


def _django(application: Application) -> Finding:
    adapter = importlib.import_module("ctxlog.servers.django")
    if adapter._is_installed():
        return Finding("ok", "requests have a store: the middleware is in MIDDLEWARE")
    names = vars(application.django)
    file = application.file
    if "MIDDLEWARE" in names:  # settings often have it from others
        file = application.origin("MIDDLEWARE", names["MIDDLEWARE"]) or file
    return Finding(
        "todo",
        "requests have no store: nothing of a request is on its lines",
        file,
        "the middleware is not in MIDDLEWARE",
        None,
        _written("servers.django", application, file),
    )


def _task_application(application: Application) -> Iterator[Finding]:
    """Yield a note, unless it is of a queue: that is looked at with the queues."""
    kind = type(application.object)
    library = kind.__module__.partition(".")[0]
    if library not in _names_in("tasks"):
        what = f"{application.name} is no application of ASGI or WSGI"
        yield Finding("note", what, _kind(application.object))


# Queues and clients ---------------------------------------------------------------


def _each(room: str, library: str, application: Application) -> Iterator[Finding]:
    """Yield whether the objects of a library, or the process, have its adapter."""
    key = f"{room}.{library}"
    if key in _WRITTEN:
        yield Finding(
            "note", f"{library} is used", None, None, None, _written(key, application)
        )
        return
    adapter = importlib.import_module(f"ctxlog.{key}")
    whole = not inspect.signature(adapter._is_installed).parameters
    # To have calls carry the id is a decision: some hosts must not have it.
    kind: Kind = "todo" if room == "tasks" else "note"
    lacks = {
        "tasks": f"tasks of {library} have no store, and no id of the request",
        "clients": f"calls by {library} do not carry the id, and are not counted",
    }[room]
    if whole:
        if adapter._is_installed():
            yield Finding("ok", f"tasks of {library} have a store")
        else:
            line = f"ctxlog.{key}.install()"
            yield Finding(
                "todo", lacks, None, None, None, _shared(library, line, application)
            )
        return
    found = list(_targets(adapter, library))
    for target, installed in found:
        name = application.name_of(target)
        if installed:
            yield Finding("ok", f"{name or _kind(target)} has the adapter of {library}")
        elif name is not None or room == "tasks":
            yield Finding(
                kind, lacks, name, None, None, _target(key, name, application)
            )
    if not found:
        yield Finding("note", lacks, None, None, None, _target(key, None, application))


def _shared(library: str, line: str, application: Application) -> Step:
    """Return how a process gets an adapter: where its workers import it, too."""
    file = application.home(library)
    if file is None:
        return _step((line,), application, "after the imports")
    lines = ("import ctxlog", "", line)
    return Step(lines, f"in {file}, after the imports", "end", file)


def _worker(library: str, application: Application) -> Iterator[Finding]:
    """Yield a note about the process that runs the tasks of an application."""
    kind = type(application.object).__module__.partition(".")[0]
    if application.object is None or kind == library or library in _RUNS_INSIDE:
        return
    yield Finding(
        "note",
        f"a worker of {library} is a process of its own",
        None,
        "examine the module that it imports, too: `ctxlog doctor MODULE`",
    )


def _targets(adapter: Any, library: str) -> Iterator[tuple[Any, bool]]:
    """Yield the objects of a library that an adapter is for, and whether it is on."""
    known: dict[type, bool] = {}
    for one in gc.get_objects():
        kind = type(one)
        if kind not in known:
            names = (base.__module__ for base in kind.__mro__)
            known[kind] = any(
                isinstance(name, str) and name.partition(".")[0] == library
                for name in names
            )
        if known[kind]:
            installed = adapter._is_installed(one)
            if installed is not None:
                yield one, installed


#: What an object is called that has no name in a module of the application.
_CALLED = {
    "httpx": "client",
    "redis": "client",
    "requests": "session",
    "aiohttp": "session",
    "sqlalchemy": "engine",
    "urllib3": "manager",
    "huey": "huey",
}


def _target(key: str, name: str | None, application: Application) -> Step:
    room, library = key.split(".")
    module, _, called = (name or "").rpartition(".")
    called = called or _CALLED.get(library, "broker")
    # Headers go to hosts that are named: to no other party.
    carries = room == "clients" and library not in ("redis", "sqlalchemy")
    hosts = ', hosts=["..."]' if carries else ""
    line = f"ctxlog.{key}.install({called}{hosts})"
    file = shown(getattr(sys.modules.get(module), "__file__", None))
    where = f"after `{called}` is made" if name else f"where a {called} is made"
    place = f"in {file}, {where}" if file else where
    return Step(("import ctxlog", "", line), place, "end", file or application.file)


def _installed_only(application: Application) -> Iterator[Finding]:
    """Yield the libraries that are installed, and that nothing has imported."""
    names = {name: room for room in _ROOMS for name in _names_in(room)}
    found = []
    for name, room in sorted(names.items()):
        key = f"{room}.{name}"
        # Adapters that are named after no library have none that could be installed.
        if name in sys.modules or find_spec(name) is None:
            continue
        found.append(name)
        if key in _WRITTEN and _WRITTEN[key][2] == "command line":
            step = _written(key, application)
            yield Finding("note", f"{name} is installed", None, None, None, step)
    if found:
        yield Finding("note", f"installed, and not imported: {', '.join(found)}")
