"""
How ctxlog is configured, and which logging libraries it has taken over.
"""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Iterator
from typing import Any

from ctxlog import loggers
from ctxlog._lazy import submodules
from ctxlog.config import state
from ctxlog.doctor.application import Application, shown
from ctxlog.doctor.findings import Finding
from ctxlog.doctor.lines import shows_id
from ctxlog.sinks import stream_of


def examine(application: Application) -> Iterator[Finding]:
    """Yield what `configure()` does in an application, or that nothing calls it."""
    settings = state.settings()
    if settings is not None:
        yield Finding("ok", _described(settings), _where(application))
        taken = [name.rpartition(".")[2] for name in state.set_up()]
        if taken:
            names = ", ".join(sorted(set(taken)))
            yield Finding("ok", f"configure() has set up: {names}")
    elif shows_id(logging.getLogger()):
        yield Finding("ok", "logging is set up without configure(), and shows the id")
        yield Finding(
            "note",
            "a server that sets its own loggers up later writes their lines as text: "
            "configure() would take them over, or give the server the same set-up",
        )
    elif application.is_empty:
        yield Finding(
            "note",
            "no application was named: `ctxlog doctor MODULE:APP` examines one",
        )
    else:
        yield Finding(
            "todo",
            "nothing configures ctxlog",
            None,
            "no line has the id of its request",
            {},
        )
    yield from _libraries(application, settings)


def _described(settings: state.Settings) -> str:
    places = ", ".join(map(_place, settings.to.places))
    forms = {"json": "JSON", "console": "text", "auto": "text on a terminal, else JSON"}
    return (
        f"configure() is called: {forms[settings.format]}, to {places}, from level "
        f"{logging.getLevelName(settings.level)}, the id as {settings.request_id_key!r}"
    )


def _place(place: Any) -> str:
    if isinstance(place, str):
        return place
    return str(getattr(stream_of(place), "name", type(place).__name__))


def _where(application: Application) -> str | None:
    if not application.calls:
        return None
    last = application.calls[-1]
    return f"{shown(last.file)}, line {last.line}"


# structlog, loguru ----------------------------------------------------------------


def _libraries(
    application: Application, settings: state.Settings | None
) -> Iterator[Finding]:
    """Yield what becomes of the lines of structlog and loguru, as the adapters say."""
    for library in submodules(loggers.__name__):
        if library not in sys.modules:
            continue  # `stdlib` is no library, and is examined handler by handler
        adapter = importlib.import_module(f"ctxlog.loggers.{library}")
        options = {"loggers": _names(library, settings)}
        sentence = adapter.outside()
        if sentence is not None:
            yield Finding("todo", sentence, None, None, options)
        elif adapter.is_configured():
            yield Finding("ok", f"{library} writes ctxlog's lines, as set up by hand")
        elif settings is None:
            if uses(application, library):
                yield Finding(
                    "todo", f"{library} prints its lines by itself", None, None, {}
                )
        elif settings.loggers is not None and library not in settings.loggers:
            what = f"{library} is left out by configure(loggers=...)"
            yield Finding("todo", what, None, "it prints its lines by itself", options)


def uses(application: Application, library: str) -> bool:
    """Return whether a module of the application has a library, or a part of it."""
    for module in application.modules():
        for value in list(vars(module).values()):
            owner = getattr(type(value), "__module__", "")
            if isinstance(value, type(sys)):
                owner = value.__name__
            elif callable(value):
                owner = getattr(value, "__module__", None) or owner
            if str(owner).partition(".")[0] == library:
                return True
    return False


def _names(library: str, settings: state.Settings | None) -> list[str]:
    """Return the option `loggers=` with a library that it has to name."""
    named = None if settings is None else settings.loggers
    if named is not None:
        return [*named, library]
    others = [one for one in submodules(loggers.__name__) if one in sys.modules]
    return ["stdlib", *(one for one in others if one != library), library]
