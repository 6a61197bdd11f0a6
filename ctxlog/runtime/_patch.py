"""
Replace a function of somebody else's, so that it can be given back.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

__all__ = ["Patch"]


class _Layer:
    """One installation: the function that was there, and the one put over it."""

    def __init__(self, previous: Callable[..., Any], wrapper: Callable[..., Any]):
        self.previous = previous
        self.active = True
        self.inherited = False

        @functools.wraps(previous)
        def function(*args: Any, **kwargs: Any) -> Any:
            if not self.active:
                return previous(*args, **kwargs)
            return wrapper(previous, *args, **kwargs)

        self.function = function


class Patch:
    """
    A function of a class or a module with a wrapper around it: `install`, `uninstall`.

    Others may have put theirs over ours, or taken ours away: what is no longer on top
    only hands through. Doing either twice changes nothing.

    Args:
        owner: The class or module.
        name: The function's name there.
        wrapper: Called with the function that was there, then with the arguments.
    """

    def __init__(self, owner: Any, name: str, wrapper: Callable[..., Any]) -> None:
        self._owner = owner
        self._name = name
        self._wrapper = wrapper
        self._layers: list[_Layer] = []

    def install(self) -> None:
        """Put the wrapper on top."""
        current = getattr(self._owner, self._name)
        if self._layers and self._layers[-1].active:
            if self._layers[-1].function is current:
                return
            self._layers[-1].active = False
        layer = _Layer(current, self._wrapper)
        self._layers.append(layer)
        layer.inherited = self._name not in vars(self._owner)
        setattr(self._owner, self._name, layer.function)

    def uninstall(self) -> None:
        """Put back what was there, or hand through to it."""
        if self._layers:
            self._layers[-1].active = False
        while self._layers:
            layer = self._layers[-1]
            if getattr(self._owner, self._name) is not layer.function:
                break  # somebody else's is on top, and may call ours
            if layer.inherited:
                delattr(self._owner, self._name)
            else:
                setattr(self._owner, self._name, layer.previous)
            self._layers.pop()
