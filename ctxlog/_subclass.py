"""
Subclasses of other libraries' classes, for single objects. Core.

For adapters that change one object, and no class that others share.
"""

from __future__ import annotations

from typing import Any


def subclass_of(kind: type, *mixins: type, **members: object) -> Any:
    """
    Return a subclass that looks like the class itself, for `object.__class__`.

    Args:
        kind: The class.
        mixins: Classes with empty `__slots__`, whose methods come first. An object that
            has a `__dict__` takes none.
        members: The members of the subclass.
    """
    names = ("__module__", "__qualname__", "__doc__")
    members |= {name: getattr(kind, name) for name in names}
    make: Any = type(kind)
    return make(kind.__name__, (*mixins, kind), {"__slots__": (), **members})
