"""
Third-party libraries, set up as soon as they are imported. Private to `config`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib import import_module
from typing import Any

from ctxlog._imports import ImportHook
from ctxlog.config._settings import Settings

#: The modules that are waited for: the adapter that is installed when one is imported,
#: and the option that asks for it.
_ADAPTERS = {
    "gevent": ("ctxlog.runtime.gevent", "threads"),
    "granian": ("ctxlog.servers.granian", "hooks"),
    "hypercorn.logging": ("ctxlog.servers.hypercorn", "only_completion_lines"),
    "opentelemetry.trace": ("ctxlog.carrier.spans", None),
    "sentry_sdk.integrations.logging": ("ctxlog._trackers", None),
    "trio": ("ctxlog.runtime.trio", "hooks"),
    "uvicorn.server": ("ctxlog.servers.uvicorn", "hooks"),
    "uvloop": ("ctxlog.runtime.uvloop", "hooks"),
    "waitress": ("ctxlog.servers.waitress", "hooks"),
    "werkzeug.debug": ("ctxlog.servers.werkzeug", "hooks"),
}

#: The logging libraries: the functions of their adapters that begin and end it.
_LOGGING = {
    "structlog": ("configure", "unconfigure"),
    "loguru": ("install", "uninstall"),
}


class Libraries:
    """
    The third-party libraries of the process, and what is installed for each.

    Args:
        settings: The options of `configure()`.
        output: The `writer` and the `encoder` of structlog and loguru.
        warn: Called with sentences about libraries that could not be set up.
    """

    def __init__(
        self,
        settings: Settings,
        output: Mapping[str, Any],
        warn: Callable[[list[str]], None],
    ) -> None:
        self._settings = settings
        self._output = output
        self._warn = warn
        self._levels: tuple[int, dict[str, int]] = settings.level, settings.levels
        self._undo: list[Callable[[], object]] = []
        self._done: set[str] = set()
        self._loggers: dict[str, Any] = {}
        named = settings.loggers
        # Imported before anything is changed: an import may fail.
        for library in _LOGGING:
            if library in sys.modules or library in (named or ()):
                import_module(f"ctxlog.loggers.{library}")
        # Adapters that an application imports, and that import their library.
        self._early: set[str] = set()
        waited_for: dict[str, Callable[[], None]] = {}
        for library in _LOGGING:
            if named is None or library in named:
                act = partial(self._take_over, library)
                waited_for |= self._waiting(library, f"ctxlog.loggers.{library}", act)
        for module, (adapter, option) in _ADAPTERS.items():
            if option is None or getattr(settings, option):
                act = partial(self._install, adapter)
                waited_for |= self._waiting(module, adapter, act)
        self._hook = ImportHook(waited_for)

    @property
    def set_up(self) -> list[str]:
        """The names of the adapters that are installed by now."""
        return sorted(self._done)

    def begin(self) -> None:
        """Set up what is imported, and wait for the rest."""
        if self._settings.threads:
            self._install("ctxlog.runtime.threads")
        if self._settings.hooks:
            self._install("ctxlog.runtime.hooks")
        self._undo.append(self._hook.uninstall)
        self._hook.install()

    def undo(self) -> None:
        """Take everything off again."""
        for undo in reversed(self._undo):
            undo()

    def follow(self, level: int, levels: dict[str, int]) -> None:
        """Let structlog and loguru have the levels that `logging` has been given."""
        if (level, levels) != self._levels:
            self._levels = level, levels
            for library in _LOGGING:
                if library in self._done:
                    self._take_over(library)

    def outside(self) -> Iterator[str]:
        """Yield a sentence about each library whose lines are not ctxlog's."""
        # Of those that are imported wholly. A log call never imports: another thread
        # may be importing the library right now, and its adapter with it.
        for adapter in list(self._loggers.values()):
            sentence = adapter.outside()
            if sentence is not None:
                yield sentence

    def _waiting(
        self, module: str, adapter: str, act: Callable[[], None]
    ) -> dict[str, Callable[[], None]]:
        """Return the callbacks that act once a module and its adapter are imported."""

        def imported() -> None:
            if _is_being_imported(adapter):
                self._early.add(adapter)
            else:
                self._attempt(module, act)

        def whole() -> None:
            if adapter in self._early:
                self._early.discard(adapter)
                self._attempt(module, act)

        return {module: imported, adapter: whole}

    def _attempt(self, module: str, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:
            # A later release of the library may have moved what the adapter needs,
            # with any error: no reason for the application's import to fail.
            name, kind = module.partition(".")[0], type(error).__name__
            self._warn([f"{name} could not be set up: {kind}: {error}"])

    def _install(self, name: str) -> None:
        if name not in self._done:
            self._done.add(name)
            adapter = import_module(name)
            adapter.install()
            self._undo.append(adapter.uninstall)

    def _take_over(self, library: str) -> None:
        adapter = import_module(f"ctxlog.loggers.{library}")
        self._loggers[library] = adapter
        if self._settings.loggers is None and adapter.is_configured():
            # By the application: `outside()` says so.
            if library == "structlog" and adapter.__name__ not in self._done:
                self._done.add(adapter.__name__)
                adapter.show_callers()
                adapter.bridge()
                self._undo += [adapter.hide_callers, adapter.unbridge]
            return
        begin, end = (getattr(adapter, name) for name in _LOGGING[library])
        level, levels = self._levels
        begin(level=level, levels=levels, **self._output)
        if library not in self._done:
            self._done.add(library)
            self._undo.append(end)


def _is_being_imported(name: str) -> bool:
    spec = getattr(sys.modules.get(name), "__spec__", None)
    return bool(getattr(spec, "_initializing", False))
