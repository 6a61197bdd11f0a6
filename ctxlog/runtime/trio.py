"""
Unfinished async generators of Trio, as `ctxlog.runtime.hooks` handles those of asyncio.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import Any

from ctxlog._patch import Patch
from ctxlog.context.adapter import Carried
from ctxlog.errors import requires
from ctxlog.runtime._generators import note, place, taken

with requires("trio"):
    import trio  # noqa: F401

__all__ = ["install", "uninstall"]


def install() -> None:
    """
    Have Trio close unfinished async generators in the context that began them.

    Calling it again is a no-op; it lasts until `uninstall()`.
    """
    for patch in _PATCHES:
        patch.install()
    _take_hooks()


def uninstall() -> None:
    """Undo `install()`. Without it, a no-op."""
    for patch in _PATCHES:
        patch.uninstall()


# Where those were begun that Trio is about to close, by their identity.
_abandoned: dict[int, Carried] = {}


def _install_hooks(previous: Callable[..., None], generators: Any, runner: Any) -> None:
    previous(generators, runner)
    _take_hooks()


def _take_hooks() -> None:
    """Put ours around those of the run that is going on here, if there is one."""
    hooks = sys.get_asyncgen_hooks()
    theirs = getattr(hooks.firstiter, "__module__", None) == "trio._core._asyncgens"
    if not theirs or hooks.firstiter is None or hooks.finalizer is None:
        return
    begin, abandon = hooks.firstiter, hooks.finalizer

    def first(generator: Any) -> None:
        begin(generator)
        note(generator, first)

    def finalizer(generator: Any) -> None:
        _abandoned[id(generator)] = taken(generator)
        try:
            abandon(generator)  # which keeps it until it is closed
        except BaseException:
            _abandoned.pop(id(generator), None)
            raise

    sys.set_asyncgen_hooks(first, finalizer)


async def _finalize_one(
    previous: Callable[..., Awaitable[None]],
    generators: Any,
    generator: Any,
    name: object,
) -> None:
    # Trio does it in tasks of its own, which have no context.
    (_abandoned.pop(id(generator), None) or place(generator)).enter()
    try:
        await previous(generators, generator, name)
    finally:
        Carried.nothing().enter()


# Trio has no public place for it: a release that moves it has it as without ctxlog.
_OWNER = getattr(sys.modules.get("trio._core._asyncgens"), "AsyncGenerators", None)
_PATCHES = tuple(
    Patch(_OWNER, name, wrapper)
    for name, wrapper in (
        ("install_hooks", _install_hooks),
        ("_finalize_one", _finalize_one),
    )
    if hasattr(_OWNER, name)
)
