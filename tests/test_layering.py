"""
Which module may import which: ranks, and one owner per third party.

The rules are read off the sources (`violations`) and off `sys.modules` of a fresh
interpreter (`loaded_by_import`). The second half of this module breaks each rule on
purpose and looks whether the checker notices.
"""

from __future__ import annotations

import ast
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

import ctxlog
from tests.helpers import ROOT, package_sources, run_python, unmeasured_environment

#: The one module that imports a third party, with private modules that begin with its
#: name (`_structlog_logger`); where both a server and a client of it are adapted, one
#: of each folder. A new adapter adds its row here.
OWNER: dict[str, str | tuple[str, ...]] = {
    "gevent": "ctxlog.runtime.gevent",
    "google": "ctxlog.aggregators.otlp_protobuf",
    "opentelemetry": "ctxlog.aggregators.otlp_protobuf",
    "orjson": "ctxlog._json",
    "PyInstaller": (
        "ctxlog._pyinstaller.hook-ctxlog",
        "ctxlog._pyinstaller.hook-ctxlog.__main__",
    ),
    "pytest": "ctxlog.pytest_plugin",
    "pythonjsonlogger": "ctxlog.loggers._formatters",
    "duckdb": "ctxlog.aggregators.duckdb",
    "apscheduler": "ctxlog.tasks.apscheduler",
    "arq": "ctxlog.tasks.arq",
    "celery": "ctxlog.tasks.celery",
    "dramatiq": "ctxlog.tasks.dramatiq",
    "faststream": "ctxlog.tasks.faststream",
    "huey": "ctxlog.tasks.huey",
    "rq": "ctxlog.tasks.rq",
    "taskiq": "ctxlog.tasks.taskiq",
    "aiohttp": ("ctxlog.servers.aiohttp", "ctxlog.clients.aiohttp"),
    "asgiref": "ctxlog.servers.django",
    "bottle": "ctxlog.servers.bottle",
    "django": "ctxlog.servers.django",
    "falcon": "ctxlog.servers.falcon",
    "flask": "ctxlog.servers.flask",
    "grpc": ("ctxlog.servers.grpc", "ctxlog.servers._grpc", "ctxlog.clients.grpc"),
    "gunicorn": "ctxlog.servers.gunicorn",
    "hypercorn": "ctxlog.servers.hypercorn",
    "httpx": "ctxlog.clients.httpx",
    "requests": "ctxlog.clients.requests",
    "sqlalchemy": "ctxlog.clients.sqlalchemy",
    "confluent_kafka": "ctxlog.aggregators.kafka",
    "nats": "ctxlog.aggregators.nats",
    "redis": ("ctxlog.clients.redis", "ctxlog.aggregators.redis"),
    "urllib3": ("ctxlog.clients.urllib3", "ctxlog.aggregators._http"),
    "litestar": "ctxlog.servers.litestar",
    "pyramid": "ctxlog.servers.pyramid",
    "quart": "ctxlog.servers.quart",
    "sanic": "ctxlog.servers.sanic",
    "starlette": ("ctxlog.servers.starlette", "ctxlog.viewer.web.server"),
    "tornado": "ctxlog.servers.tornado",
    "trio": "ctxlog.runtime.trio",
    "uvicorn": ("ctxlog.servers.uvicorn", "ctxlog.viewer.web.server"),
    "uvloop": "ctxlog.runtime.uvloop",
    "websockets": "ctxlog.servers.websockets",
    "werkzeug": "ctxlog.servers.werkzeug",
    "shtab": "ctxlog.viewer.commands.completion",
    "tomli": "ctxlog.viewer.read.toml",
    "tomllib": "ctxlog.viewer.read.toml",
    "zstandard": "ctxlog.viewer.read._zstd",
    "structlog": "ctxlog.loggers.structlog",
    "loguru": "ctxlog.loggers.loguru",
}

#: A room may import rooms of a lower rank. A room is a folder, or a module
#: beside the folders; `_entry` opens a task and `pytest_plugin` brings the fixtures, so
#: they belong to those rooms.
RANKS = {
    "context": 1,
    "line": 2,
    "_sql": 3,
    "aggregators": 3,
    "carrier": 3,
    "retention": 3,
    "sinks": 4,
    "completion": 5,
    "loggers": 5,
    "clients": 6,
    "runtime": 6,
    "servers": 6,
    "tasks": 6,
    "config": 7,
    "testing": 7,
    "demo": 8,
    "doctor": 8,
    "viewer": 8,
    "agent": 9,
    "__main__": 10,
}
ROOM_OF = {"_entry": "tasks", "pytest_plugin": "testing"}

#: Folders of adapters: one module per third party, or per protocol.
ADAPTER_ROOMS = {"clients", "loggers", "runtime", "servers", "tasks"}

#: The viewer reads lines of whatever origin; it knows nothing of how ours are made.
VIEWER_MAY_IMPORT = {
    "ctxlog.aggregators",
    "ctxlog.aggregators.split",
    "ctxlog.errors",
    "ctxlog._json",
    "ctxlog.terminal",
}

#: The viewer is a pipeline of rooms: each imports from those to the left of it.
VIEWER_ROOMS = ("read", "recognize", "group", "query", "show", "web", "commands")

#: Imports up, each with its reason.
EXCEPTIONS = {
    # gunicorn starts its logger class by name, before the application is imported:
    # the class is what configures there.
    ("ctxlog.servers.gunicorn", "ctxlog.config"),
    ("ctxlog.servers.gunicorn", "ctxlog.loggers.stdlib"),
}

#: The one module that imports what it is asked for.
LAZY = "ctxlog._lazy"

#: Known to type checkers only, so only under TYPE_CHECKING.
TYPING_ONLY = {"_typeshed", "typing_extensions"}

PACKAGE = Path(ctxlog.__file__).parent


class Import(NamedTuple):
    """One import statement, or a call that imports."""

    target: str
    line: int
    function: str | None
    type_checking: bool
    relative: bool = False


def _is_type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def imports(tree: ast.AST, modules: Mapping[str, str]) -> Iterator[Import]:
    """
    Yield every import of a module, wherever it stands.

    `from package import name` is an import of `package.name` if that is a module. A
    call of `__import__` or `import_module` with a name that cannot be read counts as
    an import of `"?"`.
    """

    def walk(node: ast.AST, function: str | None, typing: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, function, typing)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                base = node.module or ""
                full = f"{base}.{alias.name}"
                target = full if full in modules else base
                yield Import(target, node.lineno, function, typing, node.level > 0)
        elif isinstance(node, ast.Call):
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else ""
            name = called.id if isinstance(called, ast.Name) else name
            if name in ("__import__", "import_module"):
                first = node.args[0] if node.args else None
                target = str(first.value) if isinstance(first, ast.Constant) else "?"
                yield Import(target, node.lineno, function, typing)
        if isinstance(node, ast.If) and _is_type_checking(node.test):
            for statement in node.body:
                yield from walk(statement, function, True)
            for statement in node.orelse:
                yield from walk(statement, function, typing)
            return
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            # Decorators and defaults run with the module, the rest when called.
            for early in (*node.decorator_list, node.args):
                yield from walk(early, function, typing)
            for statement in node.body:
                yield from walk(statement, node.name, typing)
            return
        if isinstance(node, ast.Lambda):
            yield from walk(node.body, "lambda", typing)
            return
        for child in ast.iter_child_nodes(node):
            yield from walk(child, function, typing)

    yield from walk(tree, None, False)


def room_of(module: str) -> str:
    """Return a module's room; rank 0, whose modules are rooms of their own, is ""."""
    top = module.removeprefix("ctxlog").lstrip(".").partition(".")[0]
    return ROOM_OF.get(top, top if top in RANKS or top == "_pyinstaller" else "")


def rank_of(module: str) -> int:
    """Return the rank of a module's room."""
    return RANKS.get(room_of(module), 0)


def _is_private_to_its_room(module: str) -> bool:
    return any(part.startswith("_") for part in module.split(".")[2:])


def _own_import_allowed(importer: str, found: Import) -> bool:
    """Tell whether a module of ctxlog may import this other one."""
    target = found.target
    if (importer, target) in EXCEPTIONS:
        return True
    if importer == "ctxlog":
        # The package names what it offers lazily to type checkers only.
        return rank_of(target) <= RANKS["line"] or found.type_checking
    room = room_of(importer)
    if target == "ctxlog":
        return room in ("demo", "__main__")
    if room == "viewer" and room_of(target) != room:
        return target in VIEWER_MAY_IMPORT
    if room == room_of(target) == "viewer":
        return _is_leftwards(importer, target)
    if room_of(target) == room:
        if room not in ADAPTER_ROOMS or importer == "ctxlog._entry":
            return True
        if importer == f"ctxlog.{room}":  # it names its adapters to type checkers only
            return found.type_checking
        return _is_private_to_its_room(target)
    if room == "demo" or importer == "ctxlog.__main__":
        return rank_of(target) < RANKS["__main__"]
    return rank_of(target) < rank_of(importer) and not _is_private_to_its_room(target)


def _is_leftwards(importer: str, target: str) -> bool:
    """Tell whether a module of the viewer may import another one of the viewer."""
    here, there = (f"{name}.".split(".")[2] for name in (importer, target))
    if here == there:
        return True
    return (
        here in VIEWER_ROOMS
        and there in VIEWER_ROOMS[: VIEWER_ROOMS.index(here)]
        and not _is_private_to_its_room(target)
    )


def violations(
    sources: Mapping[str, str], owner: Mapping[str, str | tuple[str, ...]] = OWNER
) -> list[str]:
    """
    Return what the modules in *sources*, by dotted name, do against the rules.

    1. Imports are absolute, and go down in rank; within a room they are free, but for
       the rooms of the viewer, which import leftwards.
    2. A module with an underscore is imported within its room only.
    3. An adapter imports its third party and private modules of its room: no other.
    4. Ranks 0 to 3 import ctxlog and the standard library, at the top.
    5. `import ctxlog` brings ranks 0 to 2; the rest comes when a name is looked up.
    6. A third party is imported by one module, its owner, at the top.
    7. The demo is a program that uses ctxlog, so it may import what it likes; nothing
       but `__main__` may import it.
    8. No two modules import each other, directly or around corners, for types neither.
    9. No module is named as one of the standard library's.
    """
    found: list[str] = []
    all_imports: dict[str, set[str]] = {name: set() for name in sources}
    for module, source in sources.items():
        if module.rpartition(".")[2] in sys.stdlib_module_names - {"_json", "__main__"}:
            found.append(f"{module}: is named as a module of the standard library")
        core = rank_of(module) <= RANKS["carrier"] and module != "ctxlog"
        for one in imports(ast.parse(source), sources):
            where = f"{module}:{one.line}"
            top = one.target.partition(".")[0]
            if one.relative:
                found.append(f"{where}: a relative import")
            elif one.target == "?" and module == LAZY:
                continue
            elif core and one.function is not None:
                found.append(f"{where}: core imports {one.target} inside a function")
            elif one.target == "?":
                if module != "ctxlog" and rank_of(module) < RANKS["config"]:
                    found.append(f"{where}: imports a name that cannot be read off")
            elif top == "ctxlog":
                if not _own_import_allowed(module, one):
                    found.append(f"{where}: must not import {one.target}")
                elif one.function is None and module != "ctxlog":
                    all_imports[module].add(one.target)
            elif top in sys.stdlib_module_names or room_of(module) == "demo":
                continue
            elif one.type_checking and top in TYPING_ONLY:
                continue
            elif not {module, _adapter_of(module)} & _owners(owner.get(top, ())):
                owned = owner.get(top, "nobody yet")
                found.append(f"{where}: imports {top}, whose owner is {owned}")
            elif one.function is not None:
                found.append(f"{where}: imports {top} inside a function")
    rings = _rings(all_imports)
    found += [f"{' -> '.join(ring)}: import each other" for ring in rings]
    return found


def _adapter_of(module: str) -> str:
    """Return the adapter of which a module, `_structlog_logger`, is a private part."""
    room, _, name = module.rpartition(".")
    adapter, part, _ = name.removeprefix("_").partition("_")
    return f"{room}.{adapter}" if name.startswith("_") and part else module


def _owners(modules: str | tuple[str, ...]) -> set[str]:
    return {modules} if isinstance(modules, str) else set(modules)


def _rings(tops: Mapping[str, set[str]]) -> list[list[str]]:
    """Return the import cycles, each once, from its first module in the alphabet."""
    rings: dict[frozenset[str], list[str]] = {}

    def walk(path: list[str]) -> None:
        for target in sorted(tops.get(path[-1], ())):
            if target == path[0]:
                rings.setdefault(frozenset(path), [*path, target])
            elif target > path[0] and target not in path:
                walk([*path, target])

    for start in sorted(tops):
        walk([start])
    return list(rings.values())


_PROBE = """
import sys
{before}
known = set(sys.modules)
import ctxlog
{after}
print("\\n".join(sorted(set(sys.modules) - known)))
"""


def loaded_by_import(tmp_path: Path, *, before: str = "", after: str = "") -> set[str]:
    """
    Return what a fresh interpreter has in `sys.modules` through `import ctxlog`.

    The standard library is left out, and what its start-up had loaded already.
    """
    source = _PROBE.format(before=before, after=after)
    # Not measured: a broken copy of the package is none of coverage's business.
    env = unmeasured_environment()
    names = run_python("-c", source, cwd=tmp_path, env=env).stdout.split()
    return {n for n in names if n.partition(".")[0] not in sys.stdlib_module_names}


def not_allowed_at_import(loaded: set[str]) -> set[str]:
    """Return what `import ctxlog` must not have loaded."""
    return {
        name
        for name in loaded
        if name.partition(".")[0] not in ("ctxlog", "orjson")
        or rank_of(name) > RANKS["line"]
    }


def _real_sources() -> dict[str, str]:
    return {
        name: path.read_text(encoding="utf-8")
        for name, path in package_sources(PACKAGE)
    }


# The package as it is.


def test_every_module_keeps_to_its_layer() -> None:
    """No module of the installed package breaks a rule."""
    assert violations(_real_sources()) == []


def test_owners_own() -> None:
    """Every row of the table names a module that does import that third party."""
    sources = _real_sources()
    rows = ((name, one) for name, known in OWNER.items() for one in _owners(known))
    for third_party, module in rows:
        tops = {
            one.target.partition(".")[0]
            for one in imports(ast.parse(sources[module]), sources)
        }
        assert third_party in tops, f"{module} does not import {third_party}"


def test_a_frozen_program_has_no_library_for_ctxlogs_sake() -> None:
    """PyInstaller's hook excludes the libraries of all modules that it collects."""
    hook = ast.parse(_real_sources()["ctxlog._pyinstaller.hook-ctxlog"])
    (excluded,) = [
        ast.literal_eval(node.value)
        for node in hook.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id == "excludedimports"
    ]
    # The two that are required, and those of the modules that it leaves out.
    others = {"orjson", "pythonjsonlogger", "PyInstaller", "pytest", "shtab"}
    assert excluded == sorted(set(OWNER) - others - {"tomli", "tomllib", "zstandard"})


def test_import_loads_core_only(tmp_path: Path) -> None:
    """A plain `import ctxlog` loads no adapter and no third party but the encoder."""
    loaded = loaded_by_import(tmp_path)
    assert "ctxlog.context" in loaded
    assert not_allowed_at_import(loaded) == set()


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("ContextFilter", "ctxlog.loggers.stdlib"),
        ("JsonFormatter", "ctxlog.loggers.stdlib"),
        ("configure", "ctxlog.config"),
        ("dict_config", "ctxlog.config"),
        ("servers.asgi.install", "ctxlog.servers.asgi"),
        ("carrier.inject", "ctxlog.carrier"),
        ("unconfigure", "ctxlog.config"),
        ("testing.capture_lines", "ctxlog.testing"),
    ],
)
def test_lazy_names_load_their_module_when_used(
    name: str, module: str, tmp_path: Path
) -> None:
    """A name that needs an adapter loads it when it is first looked up."""
    loaded = loaded_by_import(tmp_path, after=f"ctxlog.{name}")
    assert module in loaded


def test_star_import_needs_no_optional_library(tmp_path: Path) -> None:
    """A star import gets every public name with the required libraries alone."""
    loaded = loaded_by_import(tmp_path, after="from ctxlog import *")
    optional = {"structlog", "loguru", "starlette", "fastapi", "django", "httpx"}
    assert loaded & optional == set()


def test_what_core_leaves_out_needs_no_optional_library(tmp_path: Path) -> None:
    """Rooms whose tests `tox -e core` leaves out import without any third party."""
    tox = (ROOT / "tox.ini").read_text(encoding="utf-8")
    core = tox.partition("[testenv:core]")[2].partition("[testenv")[0]
    rooms = set(re.findall(r"tests/(\w+)(?= |/test_\[)", core.partition("posargs:")[2]))
    assert rooms == {"retention", "viewer"}
    owners = {one for owner in OWNER.values() for one in _owners(owner)}
    modules = [
        name
        for name, _ in package_sources(PACKAGE)
        if name.split(".")[1:2] and name.split(".")[1] in rooms and name not in owners
    ]
    required = {"orjson", "pythonjsonlogger", "tomllib"}
    source = f"""
import importlib, sys

for library in {sorted(set(OWNER) - required)!r}:
    sys.modules[library] = None
for name in {modules!r}:
    importlib.import_module(name)
"""
    run_python("-c", source, cwd=tmp_path)


def test_importing_has_no_side_effects(tmp_path: Path) -> None:
    """Importing every core module and adapter changes no hook, handler or thread."""
    modules = [
        name
        for name, _ in package_sources(PACKAGE)
        if rank_of(name) <= RANKS["config"] and not name.startswith("ctxlog._py")
    ]
    source = f"""
import importlib, logging, logging.config, signal, sys, threading, warnings

for library in {sorted(OWNER)!r}:  # what these do when imported is not ours
    try:
        importlib.import_module(library)
    except ModuleNotFoundError:
        pass

def state():
    return (
        logging.root.handlers[:], logging.root.filters[:], logging.root.level,
        logging.getLogRecordFactory(), logging.getLoggerClass(),
        logging.config.dictConfigClass,
        sys.excepthook, sys.unraisablehook, threading.excepthook,
        threading.Thread.__init__, threading.Thread.start, threading.active_count(),
        warnings.showwarning, [signal.getsignal(s) for s in signal.valid_signals()],
    )

before = state()
for name in {modules!r}:
    try:
        importlib.import_module(name)
    except ImportError as error:
        if type(error).__name__ != "MissingDependencyError":
            raise
assert state() == before
"""
    run_python("-c", source, cwd=tmp_path)


# The checker itself: each rule broken on purpose.

_GOOD = {
    "ctxlog": (
        "from typing import TYPE_CHECKING\n"
        "from ctxlog.context import run\n"
        "if TYPE_CHECKING:\n"
        "    from ctxlog.config import configure\n"
        "def __getattr__(name):\n"
        "    from importlib import import_module\n"
        "    return getattr(import_module(_LAZY[name]), name)\n"
    ),
    "ctxlog._lazy": (
        "from importlib import import_module\n"
        "def submodule(package, name):\n"
        "    return import_module(f'{package}.{name}')\n"
    ),
    "ctxlog._json": "try:\n    import orjson\nexcept ModuleNotFoundError:\n    pass\n",
    "ctxlog.config": (
        "from ctxlog.loggers.stdlib import X\n"
        "def configure():\n"
        "    from ctxlog.loggers import structlog\n"
    ),
    "ctxlog.context": "from contextvars import ContextVar\n",
    "ctxlog.context.adapter": "from ctxlog.context import run\n",
    "ctxlog.line": "",
    "ctxlog.line._fit": "",
    "ctxlog.line.encoder": (
        "import json\n"
        "from ctxlog.context.adapter import run\n"
        "from ctxlog.line import _fit\n"
    ),
    "ctxlog.errors": "",
    "ctxlog.carrier.ids": "",
    "ctxlog.loggers": "",
    "ctxlog.loggers._shared": "from ctxlog.line.encoder import x\n",
    "ctxlog.loggers._formatters": "from pythonjsonlogger.core import x\n",
    "ctxlog.loggers.stdlib": (
        "from ctxlog.loggers._formatters import x\n"
        "from ctxlog.loggers._shared import x\n"
    ),
    "ctxlog.loggers.structlog": "import structlog\n",
    "ctxlog.servers": (
        "from typing import TYPE_CHECKING\n"
        "from ctxlog import _lazy\n"
        "if TYPE_CHECKING:\n"
        "    from ctxlog.servers import asgi as asgi\n"
        "else:\n"
        "    __getattr__, __dir__ = _lazy.lazily(__name__)\n"
    ),
    "ctxlog.servers._request": "from ctxlog.context import run\n",
    "ctxlog.servers.asgi": "from ctxlog.servers._request import y\n",
    "ctxlog.viewer": "",
    "ctxlog.viewer.read._zstd": "from ctxlog.errors import ConfigError\n",
    "ctxlog.viewer.read.source": "from ctxlog.viewer.read import _zstd\n",
    "ctxlog.viewer.query.search": "from ctxlog.viewer.read.source import Source\n",
    "ctxlog.viewer.show.table": "from ctxlog.viewer.read.source import Source\n",
    "ctxlog.demo": "import fastapi, ctxlog\n",
    "ctxlog.__main__": "def main():\n    from ctxlog import demo\n",
}
_GOOD_OWNER = {**OWNER, "structlog": "ctxlog.loggers.structlog"}


def test_checker_accepts_a_good_package() -> None:
    """A package that keeps to the rules is accepted."""
    assert violations(_GOOD, _GOOD_OWNER) == []


@pytest.mark.parametrize(
    ("module", "added", "complaint"),
    [
        pytest.param(
            "ctxlog.line.encoder",
            "from ctxlog.loggers.stdlib import JsonFormatter\n",
            "ctxlog.line.encoder:1: must not import ctxlog.loggers.stdlib",
            id="core imports an adapter",
        ),
        pytest.param(
            "ctxlog.line.encoder",
            "from ctxlog.loggers import stdlib\n",
            "ctxlog.line.encoder:1: must not import ctxlog.loggers.stdlib",
            id="core imports an adapter by its folder",
        ),
        pytest.param(
            "ctxlog.line.encoder",
            "import ctxlog\n",
            "ctxlog.line.encoder:1: must not import ctxlog",
            id="core imports the package itself",
        ),
        pytest.param(
            "ctxlog.line.encoder",
            "from ctxlog.config import configure\n",
            "ctxlog.line.encoder:1: must not import ctxlog.config",
            id="core imports an edge",
        ),
        pytest.param(
            "ctxlog.line.encoder",
            "import structlog\n",
            "ctxlog.line.encoder:1: imports structlog, "
            "whose owner is ctxlog.loggers.structlog",
            id="core imports a third party",
        ),
        pytest.param(
            "ctxlog.loggers.stdlib",
            "import structlog\n",
            "ctxlog.loggers.stdlib:1: imports structlog, "
            "whose owner is ctxlog.loggers.structlog",
            id="a second importer of a third party",
        ),
        pytest.param(
            "ctxlog.line.encoder",
            "try:\n    from orjson import dumps\nexcept ImportError:\n    pass\n",
            "ctxlog.line.encoder:2: imports orjson, whose owner is ctxlog._json",
            id="a second importer, in a try",
        ),
        pytest.param(
            "ctxlog.servers.asgi",
            "import blacksheep\n",
            "ctxlog.servers.asgi:1: imports blacksheep, whose owner is nobody yet",
            id="a third party without owner",
        ),
        pytest.param(
            "ctxlog.servers.asgi",
            "if TYPE_CHECKING:\n    import blacksheep\n",
            "ctxlog.servers.asgi:2: imports blacksheep, whose owner is nobody yet",
            id="a third party without owner, for types only",
        ),
        pytest.param(
            "ctxlog.servers.asgi",
            "import typing_extensions\n",
            "ctxlog.servers.asgi:1: imports typing_extensions, "
            "whose owner is nobody yet",
            id="a typing-only library at run time",
        ),
        pytest.param(
            "ctxlog.line.encoder",
            "def f():\n    import decimal\n",
            "ctxlog.line.encoder:2: core imports decimal inside a function",
            id="a lazy import in a core function",
        ),
        pytest.param(
            "ctxlog.line.encoder",
            "class A:\n"
            "    async def f(self):\n"
            "        from ctxlog.carrier.ids import x\n",
            "ctxlog.line.encoder:3: core imports ctxlog.carrier.ids inside a function",
            id="a lazy import in a core method",
        ),
        pytest.param(
            "ctxlog.line.encoder",
            "f = lambda: __import__('structlog')\n",
            "ctxlog.line.encoder:1: core imports structlog inside a function",
            id="a lazy import in a core lambda",
        ),
        pytest.param(
            "ctxlog.line.encoder",
            "import importlib\nx = importlib.import_module(name)\n",
            "ctxlog.line.encoder:2: imports a name that cannot be read off",
            id="an import by a computed name",
        ),
        pytest.param(
            "ctxlog.loggers.structlog",
            "def f():\n    import structlog.dev\n",
            "ctxlog.loggers.structlog:2: imports structlog inside a function",
            id="an owner's lazy import",
        ),
        pytest.param(
            "ctxlog",
            "from ctxlog.loggers.stdlib import JsonFormatter\n",
            "ctxlog:1: must not import ctxlog.loggers.stdlib",
            id="an eager import of an adapter in __init__",
        ),
        pytest.param(
            "ctxlog",
            "from ctxlog.config import configure\n",
            "ctxlog:1: must not import ctxlog.config",
            id="an eager import of an edge in __init__",
        ),
        pytest.param(
            "ctxlog",
            "if TYPE_CHECKING:\n    pass\nelse:\n    import ctxlog.config\n",
            "ctxlog:4: must not import ctxlog.config",
            id="an eager import beside TYPE_CHECKING",
        ),
        pytest.param(
            "ctxlog.loggers",
            "from ctxlog.loggers.stdlib import JsonFormatter\n",
            "ctxlog.loggers:1: must not import ctxlog.loggers.stdlib",
            id="a folder that imports its adapters",
        ),
        pytest.param(
            "ctxlog.loggers",
            "if TYPE_CHECKING:\n    from ctxlog.servers import asgi\n",
            "ctxlog.loggers:2: must not import ctxlog.servers.asgi",
            id="a folder that names another folder's adapter",
        ),
        pytest.param(
            "ctxlog.loggers.structlog",
            "from ctxlog.loggers.stdlib import JsonFormatter\n",
            "ctxlog.loggers.structlog:1: must not import ctxlog.loggers.stdlib",
            id="an adapter imports its neighbour",
        ),
        pytest.param(
            "ctxlog.servers.asgi",
            "from ctxlog.loggers._shared import x\n",
            "ctxlog.servers.asgi:1: must not import ctxlog.loggers._shared",
            id="an adapter imports another folder's private module",
        ),
        pytest.param(
            "ctxlog.servers.asgi",
            "from ctxlog.config import configure\n",
            "ctxlog.servers.asgi:1: must not import ctxlog.config",
            id="an adapter imports an edge",
        ),
        pytest.param(
            "ctxlog.config",
            "from ctxlog.demo import main\n",
            "ctxlog.config:1: must not import ctxlog.demo",
            id="an edge imports the demo",
        ),
        pytest.param(
            "ctxlog.line.encoder",
            "from .context import run\n",
            "ctxlog.line.encoder:1: a relative import",
            id="a relative import",
        ),
        pytest.param(
            "ctxlog.trace",
            "",
            "ctxlog.trace: is named as a module of the standard library",
            id="a name of the standard library",
        ),
        pytest.param(
            "ctxlog.carrier.ids",
            "from ctxlog.line import _fit\n",
            "ctxlog.carrier.ids:1: must not import ctxlog.line._fit",
            id="a module that is private to another room",
        ),
        pytest.param(
            "ctxlog.tasks.jobs",
            "from ctxlog.servers import asgi\n",
            "ctxlog.tasks.jobs:1: must not import ctxlog.servers.asgi",
            id="a room of the same rank",
        ),
        pytest.param(
            "ctxlog.viewer.read.source",
            "from ctxlog.line.encoder import x\n",
            "ctxlog.viewer.read.source:1: must not import ctxlog.line.encoder",
            id="the viewer imports how lines are made",
        ),
        pytest.param(
            "ctxlog.viewer.read.source",
            "from ctxlog.viewer.query.search import Reader\n",
            "ctxlog.viewer.read.source:1: must not import ctxlog.viewer.query.search",
            id="a room of the viewer imports one to the right",
        ),
        pytest.param(
            "ctxlog.viewer.query.search",
            "from ctxlog.viewer.read import _zstd\n",
            "ctxlog.viewer.query.search:1: must not import ctxlog.viewer.read._zstd",
            id="a room of the viewer imports a private module of another",
        ),
        pytest.param(
            "ctxlog.viewer.extra",
            "from ctxlog.viewer.read import source\n",
            "ctxlog.viewer.extra:1: must not import ctxlog.viewer.read.source",
            id="a module of the viewer outside of its rooms",
        ),
        pytest.param(
            "ctxlog.line._fit",
            "from ctxlog.line.encoder import x\n",
            "ctxlog.line._fit -> ctxlog.line.encoder -> ctxlog.line._fit: "
            "import each other",
            id="two modules that import each other",
        ),
        pytest.param(
            "ctxlog.line._fit",
            "if TYPE_CHECKING:\n    from ctxlog.line.encoder import x\n",
            "ctxlog.line._fit -> ctxlog.line.encoder -> ctxlog.line._fit: "
            "import each other",
            id="two modules that import each other, for types only",
        ),
    ],
)
def test_checker_notices(module: str, added: str, complaint: str) -> None:
    """Each rule, broken in an otherwise good package, is complained about once."""
    sources = {**_GOOD, module: added + _GOOD.get(module, "")}
    assert violations(sources, _GOOD_OWNER) == [complaint]


def test_probe_notices_an_eager_import(tmp_path: Path) -> None:
    """The look at `sys.modules` notices an adapter that `__init__` imports."""
    copy = tmp_path / "ctxlog"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    with (copy / "__init__.py").open("a", encoding="utf-8") as file:
        file.write("\nimport ctxlog.loggers.stdlib\n")
    loaded = loaded_by_import(tmp_path, before=f"sys.path.insert(0, {str(tmp_path)!r})")
    bad = not_allowed_at_import(loaded)
    assert "ctxlog.loggers.stdlib" in bad
    assert "pythonjsonlogger" in bad
