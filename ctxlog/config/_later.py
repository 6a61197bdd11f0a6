"""
Later configurations of `logging`, which `configure()` survives. Private to `config`.

Servers configure logging when they start, after the application's own call (uvicorn
does so inside of `uvicorn.run`).
"""

from __future__ import annotations

import functools
import logging.config
import sys
from collections.abc import Callable
from typing import Any

from ctxlog._patch import Patch

#: Configures logging by calling its argument; *levels* says whether those stay.
_Survive = Callable[..., None]

_file_config_patches: list[Patch] = []


def install(survive: _Survive) -> None:
    """Have every later `dictConfig` and `fileConfig` done by *survive*; once."""
    # `dictConfigClass` is the documented place to hook into dictConfig.
    below: Any = logging.config.dictConfigClass
    if getattr(below, "applies_ctxlog", False):
        return

    class ApplyingConfigurator(below):  # type: ignore[misc]
        applies_ctxlog = True

        def configure(self) -> None:
            incremental = bool(self.config.get("incremental", False))
            survive(super().configure, levels=incremental)

    def file_config(previous: Callable[..., None], *args: Any, **kwargs: Any) -> None:
        survive(functools.partial(previous, *args, **kwargs), levels=False)

    logging.config.dictConfigClass = ApplyingConfigurator
    # fileConfig has no such place, so it is replaced wherever a module holds it.
    original = logging.config.fileConfig
    for module in list(sys.modules.values()):
        if getattr(module, "__dict__", {}).get("fileConfig") is original:
            patch = Patch(module, "fileConfig", file_config)
            patch.install()
            _file_config_patches.append(patch)


def uninstall() -> None:
    """Undo `install()`; without it, a no-op."""
    installed: Any = logging.config.dictConfigClass
    if getattr(installed, "applies_ctxlog", False):
        logging.config.dictConfigClass = installed.__base__
    while _file_config_patches:
        _file_config_patches.pop().uninstall()
