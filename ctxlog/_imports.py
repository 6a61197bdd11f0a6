"""
Call back when a module is imported, however late. Core.

A finder at the front of `sys.meta_path` lets the other finders find the module, and
runs the callback when the module has been executed. It finds only the modules that are
waited for.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec


class ImportHook:
    """
    Call back for modules: at once for imported ones, else after their import.

    It lasts from `install()` to `uninstall()`. A module that is imported again
    (`importlib.reload`) calls back again. An exception of a callback goes to the
    importing code, so a callback handles its own errors.

    Args:
        callbacks: Module name to callback.
    """

    def __init__(self, callbacks: Mapping[str, Callable[[], object]]) -> None:
        self._callbacks = dict(callbacks)
        self._searches: set[tuple[int, str]] = set()

    # No subclass of `importlib.abc.MetaPathFinder`: importing that costs more than all
    # that `configure()` does.

    def install(self) -> None:
        """Call back for imported modules, and wait for the rest; again, a no-op."""
        if self in sys.meta_path:
            return
        sys.meta_path.insert(0, self)
        for name, callback in self._callbacks.items():
            if name in sys.modules:
                callback()

    def uninstall(self) -> None:
        """Stop waiting. Without `install()`, a no-op."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Return the other finders' spec of a module that is waited for."""
        callback = self._callbacks.get(fullname)
        search = (threading.get_ident(), fullname)
        # Another library's hook asks the finders in turn again, this one included.
        if callback is None or search in self._searches:
            return None
        self._searches.add(search)
        try:
            spec = self._find(fullname, path, target)
        finally:
            self._searches.discard(search)
        if spec is not None and hasattr(spec.loader, "exec_module"):
            calling_back: Any = _CallingBack(spec.loader, callback)
            spec.loader = calling_back
        return spec

    def _find(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None,
    ) -> ModuleSpec | None:
        for finder in sys.meta_path:
            if finder is not self and hasattr(finder, "find_spec"):
                spec = finder.find_spec(fullname, path, target)
                if spec is not None:
                    return spec
        return None


class _CallingBack:
    """The loader of one module: the one that was found, then the callback."""

    def __init__(self, loader: Any, callback: Callable[[], object]) -> None:
        self._loader = loader
        self._callback = callback

    def __getattr__(self, name: str) -> Any:
        # Loaders may also have the source, resources, the code for `runpy`.
        if name == "_loader":  # of a copy that is not filled yet
            raise AttributeError(name)
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Leave it to the loader that was found."""
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Execute the module, with its own loader to be seen in it, and call back."""
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._callback()
