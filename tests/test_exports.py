"""
What is public is listed, sorted and described; what is tested says what for.

All of it is read off the sources, so it holds for adapters too whose third party is not
installed here.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

import ctxlog
from ctxlog.errors import MissingDependencyError
from tests.helpers import ALL_PROMISED, ROOT, package_sources, run_python

PACKAGE = Path(ctxlog.__file__).parent
_Function = ast.FunctionDef | ast.AsyncFunctionDef


SOURCES = {
    name: ast.parse(path.read_text(encoding="utf-8"))
    for name, path in package_sources(PACKAGE)
}
#: Folders of adapters, whose modules are public unless they have an underscore.
FOLDERS = ["clients", "loggers", "runtime", "servers", "tasks"]


def exported(tree: ast.Module) -> list[str] | None:
    """Return the literal `__all__` of a module, or None if it has none."""
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [t.id for t in targets if isinstance(t, ast.Name)]
            if "__all__" in names and node.value is not None:
                return list(ast.literal_eval(node.value))
    return None


def _is_public(module: str) -> bool:
    """Tell a module that has an `__all__`, and any adapter: those must have one."""
    folder, _, name = module.removeprefix("ctxlog.").rpartition(".")
    adapter = folder in FOLDERS and not name.startswith("_")
    return adapter or exported(SOURCES[module]) is not None


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements that run with the module, those of blocks included."""
    for node in body:
        yield node
        if isinstance(node, ast.If):
            yield from _statements([*node.body, *node.orelse])
        elif isinstance(node, ast.With):
            yield from _statements(node.body)
        elif isinstance(node, ast.Try):
            handlers = [s for h in node.handlers for s in h.body]
            yield from _statements([*node.body, *handlers, *node.orelse])


PUBLIC = [name for name in SOURCES if _is_public(name)]


def defined(tree: ast.Module) -> set[str]:
    """Return the public names that a module defines itself."""
    names: set[str] = set()
    for node in _statements(tree.body):
        if isinstance(node, _Function | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {t.id for t in node.targets if isinstance(t, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return {name for name in names if not name.startswith("_")}


def undescribed(tree: ast.Module, module: str) -> list[str]:
    """Return the public things of a module that have no docstring."""
    missing = [] if ast.get_docstring(tree) else [module]

    def look(body: list[ast.stmt], where: str) -> None:
        for node in _statements(body):
            if not isinstance(node, _Function | ast.ClassDef):
                continue
            if node.name.startswith("_") or _repeats(node):
                continue
            name = f"{where}.{node.name}"
            if not ast.get_docstring(node):
                missing.append(name)
            if isinstance(node, ast.ClassDef):
                look(node.body, name)

    look(tree.body, module)
    return missing


def _repeats(node: _Function | ast.ClassDef) -> bool:
    """Tell an overload or a property's setter: described where it is first defined."""
    marks = {
        mark.attr if isinstance(mark, ast.Attribute) else getattr(mark, "id", "")
        for mark in node.decorator_list
    }
    return bool(marks & {"overload", "setter", "deleter"})


def unexplained_tests(tree: ast.Module, where: str) -> list[str]:
    """Return the tests whose docstring is missing or is not one sentence."""
    wrong = []
    for node in ast.walk(tree):
        if isinstance(node, _Function) and node.name.startswith("test"):
            text = inspect.cleandoc(ast.get_docstring(node) or "")
            if "\n\n" in text or not text.endswith("."):
                wrong.append(f"{where}: {node.name}")
    return wrong


@pytest.mark.parametrize("module", PUBLIC)
def test_all_is_sorted_and_complete(module: str) -> None:
    """A public module's `__all__` is sorted, and lists whatever it defines."""
    listed = exported(SOURCES[module])
    names = defined(SOURCES[module])
    if listed is None:
        # A folder of adapters may be no more than its docstring.
        assert names == set(), f"{module} has no __all__"
        return
    assert listed == sorted(set(listed))
    assert names <= set(listed), f"not listed: {sorted(names - set(listed))}"
    assert [name for name in listed if name.startswith("_")] == []


@pytest.mark.parametrize("module", PUBLIC)
def test_all_exists(module: str) -> None:
    """Every name that a public module lists can be imported from it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a library's own deprecations
            imported = importlib.import_module(module)
    except ImportError as error:
        known = isinstance(error, MissingDependencyError)
        # Task queues are promised by `tox -e tasks` and `tox -e arq`, which run them.
        promised = ALL_PROMISED and not module.startswith("ctxlog.tasks.")
        if promised or not (known or module.startswith("ctxlog.demo")):
            raise
        pytest.skip(str(error))
    missing = [
        name for name in exported(SOURCES[module]) or () if not hasattr(imported, name)
    ]
    assert missing == []


@pytest.mark.parametrize("module", PUBLIC)
def test_public_things_have_a_docstring(module: str) -> None:
    """Every public module, class, function and method says what it does."""
    assert undescribed(SOURCES[module], module) == []


def test_there_are_few_public_names() -> None:
    """A new public name replaces another one, or has a reason to raise the limit."""
    listed = [exported(tree) or () for tree in SOURCES.values()]
    assert sum(map(len, listed)) <= 230


def test_dir_of_the_package_lists_what_is_public() -> None:
    """Completion on `ctxlog.` shows every public name, the lazy ones too."""
    below = {name.split(".")[1] for name in PUBLIC if name != "ctxlog"}
    listed = {name for name in below if not name.startswith("_")}
    assert set(ctxlog.__all__) | listed <= set(dir(ctxlog))


def _adapters(folder: str) -> list[str]:
    prefix = f"ctxlog.{folder}."
    return [name.removeprefix(prefix) for name in PUBLIC if name.startswith(prefix)]


def _named_to_type_checkers(module: str) -> set[str]:
    """Return what a module imports under TYPE_CHECKING as itself, `x as x`."""
    return {
        alias.name
        for node in _statements(SOURCES[module].body)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname == alias.name
    }


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_adapter_is_there_after_importing_the_package(
    folder: str, tmp_path: Path
) -> None:
    """After `import ctxlog` each adapter is an attribute, or says what to install."""
    source = f"""
import ctxlog

for name in {_adapters(folder)!r}:
    try:
        found = getattr(ctxlog.{folder}, name)
    except ctxlog.MissingDependencyError as error:
        assert f"ctxlog-json[{{error.extra}}]" in str(error)
    else:
        assert found.__name__ == f"ctxlog.{folder}.{{name}}"
"""
    run_python("-c", source, cwd=tmp_path)


@pytest.mark.parametrize("folder", FOLDERS)
def test_dir_of_a_folder_lists_its_adapters(folder: str) -> None:
    """Completion on `ctxlog.servers.` shows every adapter, installed or not."""
    assert dir(getattr(ctxlog, folder)) == _adapters(folder)


@pytest.mark.parametrize("folder", FOLDERS)
def test_type_checkers_see_every_adapter(folder: str) -> None:
    """A folder names each of its adapters to type checkers, and the package both."""
    assert _named_to_type_checkers(f"ctxlog.{folder}") == set(_adapters(folder))
    assert folder in _named_to_type_checkers("ctxlog")


def test_a_missing_library_is_named_with_its_extra(tmp_path: Path) -> None:
    """An adapter whose library is not installed says so, by attribute as by import."""
    source = """
import sys

sys.modules["flask"] = None  # as if it were not installed
import ctxlog

try:
    ctxlog.servers.flask
except ctxlog.MissingDependencyError as error:
    print(error)
"""
    printed = run_python("-c", source, cwd=tmp_path).stdout
    assert "pip install 'ctxlog-json[flask]'" in printed


def test_what_an_adapter_fails_with_is_not_hidden(tmp_path: Path) -> None:
    """An error of a module that is imported by attribute is no AttributeError."""
    source = """
import sys

sys.modules["ctxlog.servers._request"] = None
import ctxlog

try:
    ctxlog.servers.asgi
except ModuleNotFoundError as error:
    print(error.name)
"""
    printed = run_python("-c", source, cwd=tmp_path).stdout
    assert printed == "ctxlog.servers._request\n"


@pytest.mark.parametrize("package", ["ctxlog", *(f"ctxlog.{one}" for one in FOLDERS)])
@pytest.mark.parametrize("name", ["configur3", "_private", "__wrapped__"])
def test_unknown_name_raises_attribute_error(package: str, name: str) -> None:
    """A misspelt or private name raises an AttributeError that repeats it."""
    module = importlib.import_module(package)
    with pytest.raises(AttributeError, match=f"{package}' has no attribute '{name}'"):
        getattr(module, name)


@pytest.mark.parametrize(
    "path",
    sorted((ROOT / "tests").rglob("test_*.py")),
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_every_test_says_what_for(path: Path) -> None:
    """Every test has a docstring of one sentence."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert unexplained_tests(tree, path.name) == []


_SLOPPY = '''
"""A module."""
__all__ = ["beta", "alpha"]
CONSTANT = 1
_private = 2
try:
    import x
except ImportError:
    def fallback(): ...
class Thing:
    """A thing."""
    def method(self): ...
    def _hidden(self): ...
def test_nothing(): ...
def test_fragment():
    """no sentence"""
'''


def test_checkers_notice() -> None:
    """The checks above find what is unlisted, undescribed or unexplained."""
    tree = ast.parse(_SLOPPY)
    assert exported(tree) == ["beta", "alpha"]
    assert {"CONSTANT", "fallback", "Thing"} <= defined(tree)
    assert "_private" not in defined(tree)
    assert undescribed(tree, "m") == ["m.fallback", "m.Thing.method", "m.test_nothing"]
    assert unexplained_tests(tree, "t") == ["t: test_nothing", "t: test_fragment"]
