"""
Submodules that are imported when they are first looked up. Core.

`import ctxlog` imports no adapter, and yet `ctxlog.servers.asgi` works after it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType


def submodule(package: str, name: str) -> ModuleType:
    """
    Import and return the public submodule *name* of a package.

    Raises:
        AttributeError: if there is no such module.
        MissingDependencyError: if it is an adapter whose library is not installed.
    """
    full = f"{package}.{name}"
    # Tools look for private names of all kinds, on every module there is.
    if not name.startswith("_"):
        try:
            return import_module(full)
        except ModuleNotFoundError as error:
            if error.name != full:
                raise
    raise AttributeError(
        f"module {package!r} has no attribute {name!r}",
        name=name,
        obj=sys.modules[package],
    )


def submodules(package: str) -> list[str]:
    """Return the names of a package's public submodules, sorted."""
    found = (one.name for one in iter_modules(sys.modules[package].__path__))
    return sorted(name for name in found if not name.startswith("_"))


def lazily(
    package: str,
) -> tuple[Callable[[str], ModuleType], Callable[[], list[str]]]:
    """Return the `__getattr__` and the `__dir__` of a package of submodules only."""
    return (
        lambda name: submodule(package, name),
        lambda: submodules(package),
    )
