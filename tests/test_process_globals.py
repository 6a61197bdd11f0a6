"""
The globals that each call replaces are the ones that `docs/process-globals.md` lists.

A fresh process compares every function of every imported module and class, before and
after the call. A call with options replaces what the one without does, and more.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.helpers import ROOT, run_python

_COMPARE = """
import concurrent.futures.process, concurrent.futures.thread, gc, logging.config
import importlib, multiprocessing.pool, sys, threading

import ctxlog

call, *libraries = sys.argv[1:]
for library in libraries:
    importlib.import_module(library)
name, _, options = call.partition("(")
module, _, function = name.rpartition(".")
function = getattr(importlib.import_module(module), function)
options = eval(f"dict({options or ')'}")


def state():
    functions, classes = {}, set()
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in ("ctxlog", "__main__"):
            continue
        for attribute, value in list(getattr(module, "__dict__", {}).items()):
            if callable(value):
                functions[f"{name}.{attribute}"] = value
            if isinstance(value, type):
                owner = f"{value.__module__}.{value.__qualname__}"
                classes.add(owner)
                for method, stored in list(vars(value).items()):
                    functions[f"{owner}.{method}"] = stored
    for holder, name in ((sys, "meta_path"), (gc, "callbacks")):
        functions[f"{holder.__name__}.{name}"] = [*getattr(holder, name)]
    return functions, classes


before, classes = state()
function(**options)
after, _ = state()
for name, value in sorted(after.items()):
    known = name in before or name.rpartition(".")[0] in classes
    if not known or value is before.get(name):
        continue
    if isinstance(value, (staticmethod, classmethod)):
        value = value.__func__
    if (callable(value) or isinstance(value, list)) and value != before.get(name):
        print(name)
"""

#: The libraries that a call is for; the call is looked at where they are installed.
_LIBRARIES = {
    "ctxlog.runtime.hooks.install": ["asyncio"],
    "ctxlog.runtime.gevent.install": ["gevent"],
    "ctxlog.runtime.trio.install": ["trio"],
    "ctxlog.runtime.uvloop.install": ["uvloop"],
    "ctxlog.loggers.structlog.configure": ["structlog"],
    "ctxlog.servers.bottle.install": ["bottle"],
    "ctxlog.servers.falcon.install": ["falcon"],
    "ctxlog.servers.hypercorn.install": ["hypercorn.logging"],
    "ctxlog.servers.litestar.install": ["litestar"],
    "ctxlog.servers.quart.install": ["quart"],
    "ctxlog.servers.starlette.install": ["starlette.routing", "fastapi"],
    "ctxlog.servers.uvicorn.install": ["uvicorn.server"],
    "ctxlog.servers.werkzeug.install": ["werkzeug.debug"],
    "ctxlog.tasks.apscheduler.install": ["apscheduler"],
    "ctxlog.tasks.arq.install": ["arq"],
    "ctxlog.tasks.celery.install": ["celery"],
    "ctxlog.tasks.rq.install": ["rq"],
}


def _documented() -> dict[str, set[str]]:
    page = (ROOT / "docs" / "process-globals.md").read_text(encoding="utf-8")
    calls: dict[str, set[str]] = {}
    for line in page.splitlines():
        if line.startswith("## "):
            replaced = calls.setdefault(line.removeprefix("## "), set())
        elif row := re.match(r"\| `([\w.]+)` \| \w", line):
            replaced.add(row[1])
    return calls


@pytest.mark.parametrize(("call", "documented"), _documented().items())
def test_a_call_replaces_what_the_documentation_says(
    call: str, documented: set[str], tmp_path: Path
) -> None:
    """
    Nothing else is replaced; releases of a library may lack some of it.
    """
    name, _, options = call.partition("(")
    if options:
        documented = documented | _documented()[name]
    libraries = _LIBRARIES.get(call, [])
    if any(find_spec(name.partition(".")[0]) is None for name in libraries):
        pytest.skip(f"{', '.join(libraries)} not installed")
    done = run_python("-c", _COMPARE, call, *libraries, cwd=tmp_path)
    replaced = set(done.stdout.split())
    assert replaced <= documented
    if not libraries or libraries == ["asyncio"]:
        assert replaced == documented
