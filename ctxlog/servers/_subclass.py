"""
Objects that are given a subclass of their class: an application stays what it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ctxlog._subclass import subclass_of

_MIDDLEWARE = "_context_middleware"


def give_subclass(app: Any, *mixins: type, **members: object) -> None:
    """
    Give an object a subclass of its class.

    Args:
        app: The object.
        mixins: As for `subclass_of()`.
        members: The members of the subclass.

    Raises:
        TypeError: if the object does not take another class.
    """
    app.__class__ = subclass_of(type(app), *mixins, **members)


def take_subclass(app: Any) -> None:
    """Give an object back the class that it had before `give_subclass()`."""
    app.__class__ = type(app).__bases__[-1]


def put_middleware(
    app: Any, middleware: object, make_call: Callable[[Any], Any]
) -> None:
    """
    Have an application called through a middleware, once; `take_middleware()` ends it.

    Args:
        app: The application.
        middleware: The middleware, for `middleware_of()`.
        make_call: Returns the `__call__` of a subclass, given the subclass.

    Raises:
        TypeError: if the object does not take another class.
    """
    owner = middleware_class(type(app))
    if owner is None:
        give_subclass(app, **{_MIDDLEWARE: middleware})
        owner = type(app)
        owner.__call__ = make_call(owner)
    elif getattr(owner, _MIDDLEWARE) is None:
        setattr(owner, _MIDDLEWARE, middleware)


def take_middleware(app: Any) -> Any:
    """Take the middleware away and return it; None if there is none."""
    owner = middleware_class(type(app))
    if owner is None:
        return None
    middleware = middleware_of(owner)
    if owner is type(app):
        take_subclass(app)
    else:  # another library has given a subclass since
        setattr(owner, _MIDDLEWARE, None)
    return middleware


def middleware_class(kind: type) -> Any:
    """Return the class that `put_middleware()` made, if *kind* is or extends one."""
    return next((one for one in kind.__mro__ if _MIDDLEWARE in vars(one)), None)


def middleware_of(owner: Any) -> Any:
    """Return the middleware of a `middleware_class()`; None once it was taken away."""
    return None if owner is None else getattr(owner, _MIDDLEWARE)
