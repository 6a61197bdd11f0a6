"""
What other libraries put around the functions that ctxlog replaces, and how a `Patch` is
judged in company with them.
"""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable
from typing import Any

import wrapt

from ctxlog._patch import Patch

_MISSING = object()


class Theirs:
    """
    Another library's patch: what it puts over a function, and how it takes that away.
    """

    def __init__(self, owner: Any, name: str) -> None:
        self.owner = owner
        self.name = name
        self.before = vars(owner).get(name, _MISSING)
        self.wrapper: Any = None

    def install(self) -> None:
        self.wrapper = self.around(inspect.getattr_static(self.owner, self.name))
        setattr(self.owner, self.name, self.wrapper)

    def around(self, stored: Any) -> Any:
        raise NotImplementedError

    def uninstall(self) -> None:
        """
        Put back what was found, whatever is there by now: as `monkeypatch` does.
        """
        if self.before is _MISSING:
            delattr(self.owner, self.name)
        else:
            setattr(self.owner, self.name, self.before)


class Closure(Theirs):
    """
    A plain function that calls what an attribute access gave: as sentry-sdk does.
    """

    def around(self, stored: Any) -> Any:
        found = getattr(self.owner, self.name)

        def theirs(*args: Any, **kwargs: Any) -> Any:
            return found(*args, **kwargs)

        return staticmethod(theirs) if _is_bound(self.owner, stored) else theirs


class Wrapped(Theirs):
    """
    The same with `functools.wraps`.
    """

    def around(self, stored: Any) -> Any:
        found = getattr(self.owner, self.name)

        @functools.wraps(found)
        def theirs(*args: Any, **kwargs: Any) -> Any:
            return found(*args, **kwargs)

        return staticmethod(theirs) if _is_bound(self.owner, stored) else theirs


class Wrapt(Theirs):
    """
    A `wrapt.FunctionWrapper`: as OpenTelemetry, Elastic APM and New Relic do.
    """

    def around(self, stored: Any) -> Any:
        if not isinstance(self.owner, type):
            stored = getattr(self.owner, self.name)
        return wrapt.FunctionWrapper(stored, forward)


def forward(below: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    return below(*args, **kwargs)


def _is_bound(owner: Any, stored: Any) -> bool:
    return isinstance(owner, type) and isinstance(stored, (staticmethod, classmethod))


class Unwrapped(Wrapt):
    """
    The same, taken off by what it says it wraps: as OpenTelemetry's `unwrap` does.
    """

    def uninstall(self) -> None:
        found = getattr(self.owner, self.name)
        if isinstance(found, wrapt.BaseObjectProxy):
            setattr(self.owner, self.name, found.__wrapped__)


KINDS: list[type[Theirs]] = [Closure, Wrapped, Wrapt, Unwrapped]

#: Both are on, and both are off again, in every order.
ORDERS = [
    (*on, *off)
    for on in itertools.permutations(["ours on", "theirs on"])
    for off in itertools.permutations(["ours off", "theirs off"])
]


def steps(ours: Patch, theirs: Theirs) -> dict[str, Callable[[], None]]:
    """
    What each step of an order does.
    """
    return {
        "ours on": ours.install,
        "ours off": ours.uninstall,
        "theirs on": theirs.install,
        "theirs off": theirs.uninstall,
    }


def looks(owner: Any, name: str) -> tuple[object, ...]:
    """
    What the inspection of a function shows.
    """
    stored = inspect.getattr_static(owner, name)
    found = getattr(owner, name)
    try:
        signature: object = str(inspect.signature(found))
    except ValueError:  # of C functions some have none
        signature = None
    kinds = (staticmethod, classmethod)
    return (
        [kind for kind in kinds if isinstance(stored, kind)],
        inspect.iscoroutinefunction(found),
        getattr(found, "__name__", name),
        getattr(found, "__doc__", None),
        signature,
    )


def judge(patch: Patch) -> None:
    """
    Fail unless a patch looks as what it replaces and leaves nothing behind, with each
    kind of company, in each order.
    """
    owner, name = patch.owner, patch.name
    before = vars(owner).get(name, _MISSING)

    def left() -> Any:
        return vars(owner).get(name, _MISSING)

    def clear() -> None:
        if before is not _MISSING:
            setattr(owner, name, before)
        elif name in vars(owner):
            delattr(owner, name)

    for kind in KINDS:
        alone = kind(owner, name)
        alone.install()
        alone.uninstall()
        if left() is not before:  # `unwrap` is for functions that the owner has itself
            clear()
            continue
        for order in ORDERS:
            theirs = kind(owner, name)
            act = steps(patch, theirs)
            try:
                for step in order:
                    shown = looks(owner, name)
                    act[step]()
                    if step == "ours on":
                        assert looks(owner, name) == shown, (kind, order)
                if order[1:3] == ("ours on", "theirs off") and kind is Unwrapped:
                    # It is not on top then, so `unwrap` has left it where it was.
                    assert left() is theirs.wrapper
                    theirs.uninstall()
                # As the next call does where they have put ours back.
                patch.uninstall()
                assert left() is before, (kind, order)
            finally:
                clear()
