"""
`configure()` imports no library, and looks after those that are imported later.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

import pytest

from ctxlog._imports import ImportHook
from tests.config.programs import run_program
from tests.helpers import need

LIBRARIES = (
    *("structlog", "loguru", "rich", "uvloop", "trio", "gevent", "opentelemetry"),
    "asyncio",  # takes longer than all the rest
)


def test_configure_imports_no_library(tmp_path: Path) -> None:
    """
    An application that logs through `logging` alone pays for nothing else.
    """
    run_program(
        "import sys, ctxlog\n"
        "ctxlog.configure()\n"
        f"assert not [name for name in {LIBRARIES!r} if name in sys.modules]\n",
        tmp_path,
    )


@pytest.mark.parametrize(
    "importing",
    [
        "import structlog, loguru",
        "import importlib\n"
        "structlog, loguru = map(importlib.import_module, ['structlog', 'loguru'])",
        "import structlog, loguru, importlib; importlib.reload(structlog)",
        "import ctxlog.loggers.structlog, ctxlog.loggers.loguru, structlog, loguru",
        "import importlib.util, sys\n"
        "def lazily(name):\n"
        "    spec = importlib.util.find_spec(name)\n"
        "    spec.loader = importlib.util.LazyLoader(spec.loader)\n"
        "    module = sys.modules[name] = importlib.util.module_from_spec(spec)\n"
        "    spec.loader.exec_module(module)\n"
        "    return module\n"
        "structlog, loguru = lazily('structlog'), lazily('loguru')",
    ],
    ids=["import", "import_module", "reload", "adapter", "lazy loader"],
)
def test_libraries_that_are_imported_later_are_taken_over(
    importing: str, tmp_path: Path
) -> None:
    """
    The order of imports and of `configure()` does not matter.
    """
    need("structlog", "loguru")
    printed = run_program(
        "import ctxlog\n"
        "ctxlog.configure(format='json')\n"
        f"{importing}\n"
        "structlog.get_logger('shop').info('from structlog')\n"
        "loguru.logger.info('from loguru')\n",
        tmp_path,
    )

    assert printed.messages == ["from structlog", "from loguru"]
    assert (printed.warnings, printed.err) == ([], "")


def test_what_is_imported_after_unconfigure_is_left_alone(tmp_path: Path) -> None:
    """
    The hook goes with the configuration, and leaves the finders as they were.
    """
    need("loguru")
    printed = run_program(
        "import sys, ctxlog\n"
        "finders = sys.meta_path[:]\n"
        "ctxlog.configure(format='json')\n"
        "ctxlog.config.unconfigure()\n"
        "assert sys.meta_path == finders\n"
        "from loguru import logger\n"
        "logger.info('hello')\n",
        tmp_path,
    )

    assert printed.lines == []
    assert printed.err.endswith("hello\n")


# The hook -------------------------------------------------------------------------


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    name = "waited_for"
    (tmp_path / f"{name}.py").write_text("value = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield name
    sys.modules.pop(name, None)


@pytest.fixture
def calls(module: str) -> Iterator[list[int]]:
    seen: list[int] = []
    hook = ImportHook({module: lambda: seen.append(sys.modules[module].value)})
    hook.install()
    yield seen
    hook.uninstall()


def test_the_module_is_complete_when_it_calls_back(
    module: str, calls: list[int]
) -> None:
    """
    Once per import.
    """
    importlib.import_module(module)
    importlib.import_module(module)

    assert calls == [1]


def test_the_module_has_the_loader_that_it_would_have_had(
    module: str, calls: list[int]
) -> None:
    """
    Resources and sources are read through it.
    """
    loaded = importlib.import_module(module)

    assert type(loaded.__loader__) is type(loaded.__spec__.loader)  # type: ignore[union-attr]
    assert type(loaded.__loader__).__name__ == "SourceFileLoader"


def test_looking_for_a_module_calls_nothing_back(module: str, calls: list[int]) -> None:
    """
    Libraries ask whether another one is installed.
    """
    assert importlib.util.find_spec(module) is not None

    assert calls == []


def test_a_module_that_fails_to_import_calls_nothing_back(
    module: str, calls: list[int], tmp_path: Path
) -> None:
    """
    Its error reaches the importing code.
    """
    (tmp_path / f"{module}.py").write_text("raise LookupError('broken')\n")

    with pytest.raises(LookupError):
        importlib.import_module(module)

    assert calls == []


def test_two_hooks_that_ask_each_other_call_back_once_each(
    module: str, calls: list[int]
) -> None:
    """
    Tracers have such a finder, too, which asks all finders again.
    """
    others: list[int] = []

    class Other(MetaPathFinder):
        asking = False

        def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
            if self.asking or fullname != module:
                return None
            self.asking = True
            others.append(1)
            try:
                return importlib.util.find_spec(fullname)
            finally:
                self.asking = False

    other = Other()
    sys.meta_path.insert(0, other)
    try:
        importlib.import_module(module)
    finally:
        sys.meta_path.remove(other)

    assert (calls, others) == ([1], [1])
