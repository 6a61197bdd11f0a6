"""
Objects that are given a subclass of their class: an application stays what it is.
"""

from __future__ import annotations

from typing import Any


def give_subclass(app: Any, *mixins: type, **members: object) -> None:
    """
    Give an object a subclass of its class.

    Args:
        app: The object.
        mixins: Classes with empty `__slots__`, whose methods come first. An object that
            has a `__dict__` takes none.
        members: The members of the subclass.

    Raises:
        TypeError: if the object does not take another class.
    """
    kind = type(app)
    names = ("__module__", "__qualname__", "__doc__")
    members |= {name: getattr(kind, name) for name in names}
    make: Any = type(kind)
    app.__class__ = make(kind.__name__, (*mixins, kind), {"__slots__": (), **members})


def take_subclass(app: Any) -> None:
    """Give an object back the class that it had before `give_subclass()`."""
    app.__class__ = type(app).__bases__[-1]
