"""
Replace a function of another library, and give it back. Core.

For adapters of libraries without a hook. Tracers and error trackers replace the same
functions, before or after: a patch goes over and under any other, and comes off in any
order.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable
from types import (
    ClassMethodDescriptorType,
    FunctionType,
    MethodDescriptorType,
    MethodType,
    WrapperDescriptorType,
)
from typing import Any

_MISSING: Any = object()

# Calling one of these with an instance is the same as binding it to that instance.
_METHODS = (FunctionType, MethodDescriptorType, WrapperDescriptorType)
_CLASS_METHODS = (classmethod, ClassMethodDescriptorType)

# Returns the function below, and the arguments for it.
_Finder = Callable[[tuple[Any, ...]], tuple[Any, tuple[Any, ...]]]


class Patch:
    """
    A function of a class, a module or an object with a wrapper around it.

    Other libraries may put wrappers under or over this one, and remove them again. Of
    several layers of a patch the topmost one works and the others only hand through. A
    layer that cannot be taken off, since another library has built on it, goes with the
    first call after that library has left. Installing and uninstalling are idempotent.
    The replacement has the name, the signature and the kind of the original: a class
    method or a coroutine function stays one.

    Args:
        owner: The class, module or object.
        name: The function's name there.
        wrapper: Called with the function below, then with the arguments. Of a method
            the first one is the instance, for the function below, too; a class method
            is called without its class.
    """

    def __init__(self, owner: Any, name: str, wrapper: Callable[..., Any]) -> None:
        self.owner = owner
        self.name = name
        self.wrapper = wrapper
        self._installed = False
        self._layers: list[_Layer] = []

    @property
    def installed(self) -> bool:
        """Whether it has been installed, and not uninstalled since."""
        return self._installed

    def install(self) -> None:
        """
        Put the wrapper on top.

        Raises:
            AttributeError: if the owner has no attribute of that name.
            TypeError: if that is not a function: a property, for one.
        """
        self._installed = True
        for layer in self._layers:
            layer.active = layer.on_top
        if not any(layer.active for layer in self._layers):
            layer = _Layer(self)
            self._layers.append(layer)
            setattr(self.owner, self.name, layer.replacement)

    def uninstall(self) -> None:
        """Put the original back, or hand through while another library needs it."""
        self._installed = False
        for layer in self._layers:
            layer.active = False
        self._take_off()

    def uncovered(self, layer: _Layer) -> bool:
        """Return whether a layer that handed through is on top again, and works."""
        if not layer.on_top:
            return False
        if self._installed:
            self.install()
        else:
            self._take_off()
        return layer.active

    def _take_off(self) -> None:
        for layer in reversed(self._layers):
            if layer.free:
                layer.restore()
                self._layers = [one for one in self._layers if one is not layer]
            else:
                layer.cut_out()


class _Layer:
    """
    One installation of a patch.

    Attributes:
        active: Whether the wrapper is called; else the layer only hands through.
        replacement: The attribute of the owner in place of the original.
    """

    def __init__(self, patch: Patch) -> None:
        self._patch = patch
        self._owner = patch.owner
        self._name = patch.name
        self._replaced: Any = vars(self._owner).get(self._name, _MISSING)
        self.active = True
        self.replacement = self._make()
        self._code = self._code_now()

    @property
    def on_top(self) -> bool:
        """Whether the owner has this layer under the name."""
        return vars(self._owner).get(self._name) is self.replacement

    @property
    def free(self) -> bool:
        """Whether it can be taken off: ddtrace rewrites functions in place."""
        return self.on_top and self._code_now() is self._code

    def restore(self) -> None:
        """Put the original back."""
        if self._replaced is _MISSING:
            delattr(self._owner, self._name)
        else:
            setattr(self._owner, self._name, self._replaced)

    def cut_out(self) -> None:
        """Let a wrapper over it with a `__wrapped__`, as wrapt's, wrap the next one."""
        over = vars(self._owner).get(self._name)
        known: list[Any] = []
        while over is not None and not any(over is one for one in known):
            known.append(over)
            below = getattr(over, "__wrapped__", None)
            if below is self.replacement:
                with contextlib.suppress(AttributeError, TypeError):  # read-only
                    over.__wrapped__ = self._stored()
            over = below

    def _call(
        self, find: _Finder, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Call the wrapper, or the function below if the layer only hands through."""
        below, args = find(args)
        if self.active or self._patch.uncovered(self):
            return self._patch.wrapper(below, *args, **kwargs)
        return below(*args, **kwargs)

    def _code_now(self) -> object:
        function = getattr(self.replacement, "__func__", self.replacement)
        return getattr(function, "__code__", None)

    def _stored(self) -> Any:
        """Return what the owner or its class stores without this layer."""
        if self._replaced is not _MISSING:
            return self._replaced
        # Anew at each call: another library may patch the class that has it.
        owner = self._owner
        bases = owner.__mro__[1:] if isinstance(owner, type) else type(owner).__mro__
        for base in bases:
            if self._name in vars(base):
                return vars(base)[self._name]
        raise AttributeError(f"{owner!r} has no attribute {self._name!r}")

    def _make(self) -> Any:
        stored = self._stored()
        if not isinstance(self._owner, type):
            return self._function(self._of_object)
        if isinstance(stored, staticmethod):
            return staticmethod(self._function(self._of_owner))
        if isinstance(stored, _CLASS_METHODS):
            template = getattr(stored, "__func__", stored)
            return classmethod(self._function(self._of_class, template))
        if isinstance(stored, _METHODS):
            return self._function(self._of_instance, stored)
        of_owner = self._function(self._of_owner)
        of_instance = self._function(self._of_instance, of_owner)
        return _Attribute(stored, of_owner, of_instance)

    def _function(self, find: _Finder, template: Any = None) -> Any:
        if template is None:
            template = find(())[0]
        if not callable(template):
            raise TypeError(f"{self._name} of {self._owner!r} is not a function")

        def function(*args: Any, **kwargs: Any) -> Any:
            return self._call(find, args, kwargs)

        async def coroutine_function(*args: Any, **kwargs: Any) -> Any:
            return await self._call(find, args, kwargs)

        is_async = inspect.iscoroutinefunction(template)
        made: Any = coroutine_function if is_async else function
        made.__name__ = self._name  # a partial has none
        return functools.update_wrapper(made, template)

    def _of_object(self, args: tuple[Any, ...]) -> Any:
        stored = self._stored()
        if self._replaced is _MISSING:
            stored = _bound(stored, self._owner, type(self._owner))
        return stored, args

    def _of_owner(self, args: tuple[Any, ...]) -> Any:
        return _bound(self._stored(), None, self._owner), args

    def _of_class(self, args: tuple[Any, ...]) -> Any:
        return _bound(self._stored(), None, args[0]), args[1:]

    def _of_instance(self, args: tuple[Any, ...]) -> Any:
        stored = self._stored()
        return stored if type(stored) in _METHODS else _Unbound(stored), args


class _Attribute:
    """A class attribute for a callable that binds in its own way, or not at all."""

    def __init__(self, stored: Any, of_class: Any, of_instance: Any) -> None:
        functools.update_wrapper(self, stored)
        self._of_class = of_class
        self._of_instance = of_instance

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self._of_class
        return MethodType(self._of_instance, instance)

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        return self._of_class(*args, **kwargs)


class _Unbound:
    """An attribute of a class, to be called with an instance."""

    def __init__(self, stored: Any) -> None:
        self._stored = stored

    def __call__(self, instance: Any, /, *args: Any, **kwargs: Any) -> Any:
        return _bound(self._stored, instance, type(instance))(*args, **kwargs)


def _bound(stored: Any, instance: Any, owner: type) -> Any:
    """Bind an attribute of a class, as an attribute access does."""
    bind = getattr(type(stored), "__get__", None)
    return stored if bind is None else bind(stored, instance, owner)
