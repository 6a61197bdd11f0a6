"""
Who may import whom: core <- adapters <- edges, and one owner per third party.

The rules are read off the sources (`violations`) and off `sys.modules` of a fresh
interpreter (`loaded_by_import`). The second half of this module breaks each rule on
purpose and looks whether the checker notices.
"""

from __future__ import annotations

import ast
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

import ctxlog
from tests.helpers import clean_environment, package_sources, run_python

#: The one module that imports a third party; where both a server and a client of it
#: are adapted, one of each folder. A new adapter adds its row here.
OWNER: dict[str, str | tuple[str, ...]] = {
    "gevent": "ctxlog.runtime.gevent",
    "orjson": "ctxlog._json",
    "PyInstaller": (
        "ctxlog._pyinstaller.hook-ctxlog",
        "ctxlog._pyinstaller.hook-ctxlog.__main__",
    ),
    "pytest": "ctxlog.pytest_plugin",
    "pythonjsonlogger": "ctxlog.loggers.stdlib",
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
    "django": "ctxlog.servers.django",
    "flask": "ctxlog.servers.flask",
    "grpc": ("ctxlog.servers.grpc", "ctxlog.clients.grpc"),
    "gunicorn": "ctxlog.servers.gunicorn",
    "hypercorn": "ctxlog.servers.hypercorn",
    "httpx": "ctxlog.clients.httpx",
    "requests": "ctxlog.clients.requests",
    "urllib3": "ctxlog.clients.urllib3",
    "sanic": "ctxlog.servers.sanic",
    "tornado": "ctxlog.servers.tornado",
    "trio": "ctxlog.runtime.trio",
    "uvloop": "ctxlog.runtime.uvloop",
    "websockets": "ctxlog.servers.websockets",
    "werkzeug": "ctxlog.servers.werkzeug",
    "shtab": "ctxlog.viewer.completion",
    "zstandard": "ctxlog.viewer.zstd",
    "structlog": "ctxlog.loggers.structlog",
    "loguru": "ctxlog.loggers.loguru",
}

CORE = {
    "ctxlog._datadog",
    "ctxlog._imports",
    "ctxlog._json",
    "ctxlog._lazy",
    "ctxlog._memory",
    "ctxlog._unheard",
    "ctxlog._names",
    "ctxlog._presets",
    "ctxlog.carrier",
    "ctxlog.console",
    "ctxlog.context",
    "ctxlog.errors",
    "ctxlog.ids",
    "ctxlog.interrupts",
    "ctxlog.isolate",
    "ctxlog.kept",
    "ctxlog.line",
    "ctxlog.origin",
    "ctxlog.patch",
    "ctxlog.redact",
    "ctxlog.schema",
    "ctxlog.stamps",
    "ctxlog.task",
    "ctxlog.trace",
    "ctxlog.tracebacks",
    "ctxlog.trackers",
    "ctxlog.values",
    "ctxlog.writer",
}

#: Folders of adapters: one module per third party, or per protocol.
ADAPTER_FOLDERS = {
    f"ctxlog.{folder}"
    for folder in ("clients", "loggers", "runtime", "servers", "sinks", "tasks")
}

#: What wires adapters together, and who may import it.
EDGES = {
    "ctxlog.config": {
        "ctxlog",
        "ctxlog.testing",
        "ctxlog.demo",
        "ctxlog.servers.gunicorn",
        "ctxlog.__main__",
    },
    "ctxlog.config._settings": {"ctxlog.config"},
    "ctxlog.pytest_plugin": set[str](),
    "ctxlog.testing": {"ctxlog.demo", "ctxlog.pytest_plugin", "ctxlog.__main__"},
    "ctxlog.viewer": {"ctxlog.__main__", "ctxlog.demo"},
    "ctxlog.demo": {"ctxlog.__main__"},
    # PyInstaller asks for it.
    "ctxlog._pyinstaller": set[str](),
    # gunicorn starts it, as Python does __main__; it stands where users look for it.
    "ctxlog.servers.gunicorn": set[str](),
    "ctxlog.__main__": set[str](),
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


def _folder(module: str) -> str | None:
    if module in EDGES:
        return None
    for folder in ADAPTER_FOLDERS:
        if module == folder or module.startswith(folder + "."):
            return folder
    return None


def _edge(module: str) -> str | None:
    for edge in EDGES:
        if module == edge or module.startswith(edge + "."):
            return edge
    return None


def _own_import_allowed(importer: str, found: Import) -> bool:
    """Tell whether a module of ctxlog may import this other one."""
    target = found.target
    if target in CORE:
        return True
    if importer == "ctxlog":
        # The package names what it offers lazily to type checkers only.
        return found.type_checking
    if importer in CORE:
        return False
    folder = _folder(importer)
    if folder is not None:
        if importer == folder:  # it names its adapters to type checkers only
            return found.type_checking and target.startswith(f"{folder}.")
        private = target.removeprefix(folder + ".").split(".")[-1].startswith("_")
        return _folder(target) == folder and private
    edge = _edge(importer)
    if target == "ctxlog":
        return edge in ("ctxlog.demo", "ctxlog.__main__")
    if _folder(target) is not None or _edge(target) == edge:
        return True
    return edge in EDGES.get(_edge(target) or "", set())


def violations(
    sources: Mapping[str, str], owner: Mapping[str, str | tuple[str, ...]] = OWNER
) -> list[str]:
    """
    Return what the modules in *sources*, by dotted name, do against the rules.

    1. A module is in a layer: core, a folder of adapters, or an edge.
    2. Imports are absolute.
    3. Core imports core and the standard library, and nothing inside a function.
    4. An adapter imports core, private modules of its folder, and its third party.
    5. `import ctxlog` brings core only; adapters come when their name is looked up.
    6. A third party is imported by one module, its owner, at the top.
    7. The demo is a program that uses ctxlog, so it may import what it likes; nothing
       but `__main__` may import it.
    8. No two modules import each other at their tops, directly or around corners.
    """
    found: list[str] = []
    tops: dict[str, set[str]] = {name: set() for name in sources}
    for module, source in sources.items():
        if (
            module != "ctxlog"
            and module not in CORE
            and not (_folder(module) or _edge(module))
        ):
            found.append(f"{module}: is in no layer")
            continue
        core = module in CORE
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
                if module != "ctxlog" and _edge(module) is None:
                    found.append(f"{where}: imports what cannot be read off")
            elif top == "ctxlog":
                if not _own_import_allowed(module, one):
                    found.append(f"{where}: must not import {one.target}")
                elif one.function is None and not one.type_checking:
                    tops[module].add(one.target)
            elif top in sys.stdlib_module_names or _edge(module) == "ctxlog.demo":
                continue
            elif one.type_checking and top in TYPING_ONLY:
                continue
            elif module not in _owners(owner.get(top, ())):
                owned = owner.get(top, "nobody yet")
                found.append(f"{where}: imports {top}, whose owner is {owned}")
            elif one.function is not None:
                found.append(f"{where}: imports {top} inside a function")
    found += [f"{' -> '.join(ring)}: import each other" for ring in _rings(tops)]
    return found


def _owners(modules: str | tuple[str, ...]) -> tuple[str, ...]:
    return (modules,) if isinstance(modules, str) else modules


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
    env = {k: v for k, v in clean_environment().items() if "COVERAGE" not in k}
    names = run_python("-c", source, cwd=tmp_path, env=env).stdout.split()
    return {n for n in names if n.partition(".")[0] not in sys.stdlib_module_names}


def not_allowed_at_import(loaded: set[str]) -> set[str]:
    """Return what `import ctxlog` must not have loaded."""
    allowed = CORE | {"ctxlog"}
    return {
        name
        for name in loaded
        if name not in allowed and name.partition(".")[0] != "orjson"
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
    assert excluded == sorted(set(OWNER) - others - {"zstandard"})


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
        ("config.unconfigure", "ctxlog.config"),
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


def test_importing_has_no_side_effects(tmp_path: Path) -> None:
    """Importing every core module and adapter changes no hook, handler or thread."""
    modules = [
        name
        for name, _ in package_sources(PACKAGE)
        if name in CORE or _folder(name) or name == "ctxlog.config"
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
    "ctxlog.line": "import json\nfrom ctxlog.context import run\n",
    "ctxlog.loggers": "",
    "ctxlog.loggers._shared": "from ctxlog.line import x\n",
    "ctxlog.loggers.stdlib": (
        "from pythonjsonlogger.core import BaseJsonFormatter\n"
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
            "ctxlog.line",
            "from ctxlog.loggers.stdlib import JsonFormatter\n",
            "ctxlog.line:1: must not import ctxlog.loggers.stdlib",
            id="core imports an adapter",
        ),
        pytest.param(
            "ctxlog.line",
            "from ctxlog.loggers import stdlib\n",
            "ctxlog.line:1: must not import ctxlog.loggers.stdlib",
            id="core imports an adapter by its folder",
        ),
        pytest.param(
            "ctxlog.line",
            "import ctxlog\n",
            "ctxlog.line:1: must not import ctxlog",
            id="core imports the package itself",
        ),
        pytest.param(
            "ctxlog.line",
            "from ctxlog.config import configure\n",
            "ctxlog.line:1: must not import ctxlog.config",
            id="core imports an edge",
        ),
        pytest.param(
            "ctxlog.line",
            "import structlog\n",
            "ctxlog.line:1: imports structlog, whose owner is ctxlog.loggers.structlog",
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
            "ctxlog.line",
            "try:\n    from orjson import dumps\nexcept ImportError:\n    pass\n",
            "ctxlog.line:2: imports orjson, whose owner is ctxlog._json",
            id="a second importer, in a try",
        ),
        pytest.param(
            "ctxlog.servers.asgi",
            "import starlette\n",
            "ctxlog.servers.asgi:1: imports starlette, whose owner is nobody yet",
            id="a third party without owner",
        ),
        pytest.param(
            "ctxlog.servers.asgi",
            "if TYPE_CHECKING:\n    import starlette\n",
            "ctxlog.servers.asgi:2: imports starlette, whose owner is nobody yet",
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
            "ctxlog.line",
            "def f():\n    import decimal\n",
            "ctxlog.line:2: core imports decimal inside a function",
            id="a lazy import in a core function",
        ),
        pytest.param(
            "ctxlog.line",
            "class A:\n    async def f(self):\n        from ctxlog.ids import x\n",
            "ctxlog.line:3: core imports ctxlog.ids inside a function",
            id="a lazy import in a core method",
        ),
        pytest.param(
            "ctxlog.line",
            "f = lambda: __import__('structlog')\n",
            "ctxlog.line:1: core imports structlog inside a function",
            id="a lazy import in a core lambda",
        ),
        pytest.param(
            "ctxlog.line",
            "import importlib\nx = importlib.import_module(name)\n",
            "ctxlog.line:2: imports what cannot be read off",
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
            "ctxlog.line",
            "from .context import run\n",
            "ctxlog.line:1: a relative import",
            id="a relative import",
        ),
        pytest.param(
            "ctxlog.utils",
            "",
            "ctxlog.utils: is in no layer",
            id="a module in no layer",
        ),
        pytest.param(
            "ctxlog.context",
            "from ctxlog.line import x\n",
            "ctxlog.context -> ctxlog.line -> ctxlog.context: import each other",
            id="two modules that import each other",
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
