"""
Which request an exception comes from.

An exception that leaves a store or a scope remembers it. Nothing else could tell its
request: it is reported by others, later, in whatever context they happen to run.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from typing import Any

from ctxlog._interrupts import is_interrupt

#: A frame of `_api`, which imports this module.
_Frame = Any

_ATTRIBUTE = "__ctxlog_origin__"

#: From how many requests one instance may come at once, all not yet reported.
_MOST = 32


class Origin:
    """
    Where an exception was raised, once.

    Attributes:
        frame: The innermost frame that it left.
        late: Whether the request had ended by then.
        outermost: The outermost frame that it has left so far.
        thread: In which thread it left the first one.
    """

    __slots__ = ("frame", "late", "outermost", "thread")

    def __init__(self, frame: _Frame) -> None:
        self.frame = frame
        self.late = frame.source._view.late
        self.outermost = frame
        self.thread = threading.get_ident()

    def reached(self, frame: _Frame) -> bool:
        """Whether `frame` encloses this origin; the exception is leaving it."""
        node: _Frame | None = self.outermost
        while node is not None and node is not frame:
            node = node.parent
        if node is None:
            return False
        self.outermost = frame  # the next frame to be left is further out
        return True


class _Origins:
    """
    All origins of an exception, an attribute of it; the newest one is the last.

    Mostly there is one. An instance that a program raises again and again, even in
    several requests at once, has more.
    """

    __slots__ = ("_all",)

    def __init__(self) -> None:
        self._all: list[Origin] = []

    def add(self, frame: _Frame) -> None:
        """Note that the exception is leaving `frame`."""
        # One from within is more precise; any other is of another request.
        if not any(origin.reached(frame) for origin in reversed(self._all[:])):
            # Each of these is one step, whatever other threads do.
            self._all.append(Origin(frame))
            del self._all[:-_MOST]

    def one(self, here: _Frame | None) -> Origin | None:
        """The origin that a report made at `here` is about; None if that is unclear."""
        origins = self._all[::-1]
        if len(origins) < 2:
            return origins[0] if origins else None
        store = None if here is None else here.store
        if store is not None:
            for origin in origins:
                if origin.frame.store is store:
                    return origin
        thread = threading.get_ident()
        for origin in origins:
            if origin.thread == thread:
                return origin
        return None

    def __reduce__(self) -> tuple[Any, ...]:
        # In another process there is None instead: a store may hold secrets, and
        # the reader of the pickle need not have ctxlog.
        return type(None), ()

    def __copy__(self) -> _Origins:
        return self

    def __deepcopy__(self, memo: object) -> _Origins:
        return self


def _look(error: BaseException, name: str) -> Any:
    # Not getattr/setattr: an exception may be frozen, or override either, and what
    # it overrides may raise anything.
    try:
        return object.__getattribute__(error, name)
    except Exception as failure:
        if is_interrupt(failure):
            raise
        return None


def remember(frame: _Frame, error: BaseException | None) -> None:
    """Attach a frame to an exception that is leaving it. Never raises."""
    if error is None or frame.store is None and not frame.overlay:
        return
    origins = _attached(error)
    if origins is None:
        origins = _attach(error)
    if origins is not None:
        origins.add(frame)


def _attach(error: BaseException) -> _Origins | None:
    attributes = _look(error, "__dict__")
    if not isinstance(attributes, dict) or not (
        attributes or _pickles_with_attribute(type(error))
    ):
        return _put_aside(error)
    # In one step: another thread may be raising the same instance.
    origins = attributes.setdefault(_ATTRIBUTE, _Origins())
    if not isinstance(origins, _Origins):  # None, of a pickle
        origins = attributes[_ATTRIBUTE] = _Origins()
    return origins


# Of errors that can hold no attribute, by their identity.
_aside: dict[int, tuple[weakref.ref[BaseException], _Origins]] = {}


def _put_aside(error: BaseException) -> _Origins | None:
    identity = id(error)
    with contextlib.suppress(TypeError):  # nor be referred to weakly
        gone = weakref.ref(error, lambda _: _aside.pop(identity, None))
        return _aside.setdefault(identity, (gone, _Origins()))[1]
    return None


def _attached(error: BaseException) -> _Origins | None:
    attached = (_look(error, "__dict__") or {}).get(_ATTRIBUTE)
    if isinstance(attached, _Origins):
        return attached
    if _aside:
        kept, origins = _aside.get(id(error), (None, None))
        if kept is not None and kept() is error:
            return origins
    return None


def _pickles_with_attribute(kind: type[BaseException]) -> bool:
    # An error without attributes is pickled and copied without a state. The first
    # attribute makes one, which some kinds cannot restore: those that refuse
    # `setattr`, and frozen dataclasses with slots, which take it for their fields.
    restore: Any = kind.__setstate__
    if restore is BaseException.__setstate__:
        return kind.__setattr__ is BaseException.__setattr__
    return getattr(restore, "__module__", None) != "dataclasses"


def origin_of(
    error: object,
    here: _Frame | None,
    known: dict[int, Origin | None] | None = None,
) -> Origin | None:
    """
    Return the origin of `error`, or of the nearest that it comes from. Never raises.

    Args:
        error: What is reported; None or another object has no origin.
        here: The frame that is active where it is reported.
        known: What has been found of further errors, by their identities.
    """
    if known is None:
        known = {}
    asked = []
    origin = None
    while isinstance(error, BaseException):
        if id(error) in known:  # a cycle, or a common cause
            origin = known[id(error)]
            break
        known[id(error)] = None
        asked.append(id(error))
        origins = _attached(error)
        if origins is not None:
            origin = origins.one(here)
            break
        origin = _common_origin(_look(error, "exceptions"), here, known)
        if origin is not None:
            break
        cause = _look(error, "__cause__")
        if cause is None and not _look(error, "__suppress_context__"):
            cause = _look(error, "__context__")
        error = cause
    known.update(dict.fromkeys(asked, origin))
    return origin


def _common_origin(
    members: object, here: _Frame | None, known: dict[int, Origin | None]
) -> Origin | None:
    """The origin of an exception group's members, if all come from one store."""
    if not isinstance(members, tuple) or not members:
        return None
    origins = [origin_of(member, here, known) for member in members]
    first = origins[0]
    if first is None or first.frame.store is None:
        return None
    if any(o is None or o.frame.store is not first.frame.store for o in origins):
        return None
    return first
