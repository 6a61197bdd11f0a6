"""
Replace a function of somebody else's, so that it can be given back. Core.

For adapters of what has no hook for it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

__all__ = ["Patch"]


class _Layer:
    """One installation: the function that was there, and the one put over it."""

    def __init__(self, previous: Any, wrapper: Callable[..., Any]) -> None:
        self.previous = previous
        self.active = True
        self.inherited = False
        of_class = isinstance(previous, classmethod)
        called = previous.__func__ if of_class else previous

        @functools.wraps(called)
        def function(*args: Any, **kwargs: Any) -> Any:
            below = called
            if of_class:
                below, args = functools.partial(called, args[0]), args[1:]
            if not self.active:
                return below(*args, **kwargs)
            return wrapper(below, *args, **kwargs)

        self.function: Any = classmethod(function) if of_class else function


class Patch:
    """
    A function of a class or a module with a wrapper around it: `install`, `uninstall`.

    Others may have put theirs over ours, or taken ours away: what is no longer on top
    only hands through. Doing either twice changes nothing.

    Args:
        owner: The class, module or object.
        name: The function's name there; a class method is one afterwards, too.
        wrapper: Called with the function that was there, then with the arguments;
            without the class if it is a class method.
    """

    def __init__(self, owner: Any, name: str, wrapper: Callable[..., Any]) -> None:
        self._owner = owner
        self._name = name
        self._wrapper = wrapper
        self._layers: list[_Layer] = []

    def _current(self) -> Any:
        if isinstance(self._owner, type):  # as it is stored: not bound to the class
            return inspect.getattr_static(self._owner, self._name)
        return getattr(self._owner, self._name)

    def install(self) -> None:
        """Put the wrapper on top."""
        current = self._current()
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
            if self._current() is not layer.function:
                break  # somebody else's is on top, and may call ours
            if layer.inherited:
                delattr(self._owner, self._name)
            else:
                setattr(self._owner, self._name, layer.previous)
            self._layers.pop()
