"""
The request that an exception comes from.

An exception that leaves a store or a scope remembers it. Nothing else could tell its
request later, when other code reports it, in whatever context that happens to run.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from typing import Any

from ctxlog._interrupts import is_interrupt
from ctxlog.context._frames import Frame, TemporaryFrame

_ATTRIBUTE = "__ctxlog_origin__"

#: The most unreported requests that are remembered of one exception instance.
_MOST = 32


class Origin:
    """
    The place where an exception was raised, once.

    Attributes:
        frame: The innermost frame that it left.
        late: Whether the request had ended by then.
        outermost: The outermost frame that it has left so far.
        thread: The thread in which it left the first frame.
    """

    __slots__ = ("frame", "late", "outermost", "thread")

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.late = frame.source._view.late
        self.outermost = frame
        self.thread = threading.get_ident()

    def reached(self, frame: Frame) -> bool:
        """Return whether `frame`, which the exception leaves, encloses this origin."""
        node: Frame | None = self.outermost
        while node is not None and node is not frame:
            node = node.parent
        if node is None:
            return False
        self.outermost = frame  # the next frame to be left is further out
        return True


class _Origins:
    """
    All origins of an exception, the newest one last. An attribute of the exception.

    Mostly there is one. An instance that a program raises again and again, even in
    several requests at once, has more.
    """

    __slots__ = ("_all",)

    def __init__(self) -> None:
        self._all: list[Origin] = []

    def add(self, frame: Frame) -> None:
        """Note that the exception is leaving `frame`."""
        # An origin inside of the frame is more precise; any other is another request's.
        if not any(origin.reached(frame) for origin in reversed(self._all[:])):
            # Each of these statements is atomic: other threads may do the same.
            self._all.append(Origin(frame))
            del self._all[:-_MOST]

    def one(self, here: Frame | None) -> Origin | None:
        """Return the origin that a report made at `here` means; None if unclear."""
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
        # A pickle has None instead: a store may hold secrets, and the process that
        # reads it may not have ctxlog.
        return type(None), ()

    def __copy__(self) -> _Origins:
        return self

    def __deepcopy__(self, memo: object) -> _Origins:
        return self


def _look(error: BaseException, name: str) -> Any:
    # Not getattr, which the exception may override.
    try:
        return object.__getattribute__(error, name)
    except Exception as failure:
        # A property of a user-defined exception may raise anything. Such an attribute
        # is treated as missing, and the line is written without the fields from there.
        if is_interrupt(failure):
            raise
        return None


def remember(frame: Frame, error: BaseException) -> None:
    """
    Note that an exception is leaving a frame. Never raises.

    An exception that has neither attributes nor weak references remembers nothing.
    """
    if isinstance(frame, TemporaryFrame) or frame.store is None and not frame.overlay:
        return
    origins = _attached(error) or _attach(error)
    if origins is not None:
        origins.add(frame)


# The origins of exceptions that can hold no attribute, by the exception's identity.
_beside: dict[int, tuple[weakref.ref[BaseException], _Origins]] = {}


def _attached(error: BaseException) -> _Origins | None:
    attached = (_look(error, "__dict__") or {}).get(_ATTRIBUTE)
    if isinstance(attached, _Origins):
        return attached
    if _beside:
        kept, origins = _beside.get(id(error), (None, None))
        if kept is not None and kept() is error:
            return origins
    return None


def _attach(error: BaseException) -> _Origins | None:
    attributes = _look(error, "__dict__")
    if isinstance(attributes, dict) and (
        attributes or _pickles_with_attribute(type(error))
    ):
        # In one step: another thread may be raising the same instance.
        origins = attributes.setdefault(_ATTRIBUTE, _Origins())
        if not isinstance(origins, _Origins):  # None, from a pickle
            origins = attributes[_ATTRIBUTE] = _Origins()
        return origins
    identity = id(error)
    with contextlib.suppress(TypeError):  # it has no weak references either
        gone = weakref.ref(error, lambda _: _beside.pop(identity, None))
        return _beside.setdefault(identity, (gone, _Origins()))[1]
    return None


def _pickles_with_attribute(kind: type[BaseException]) -> bool:
    # An exception without attributes is pickled and copied without a state. The first
    # attribute makes one, which some kinds cannot restore: those that refuse `setattr`,
    # and frozen dataclasses with slots, which mistake it for their fields.
    restore: Any = kind.__setstate__
    if restore is BaseException.__setstate__:
        return kind.__setattr__ is BaseException.__setattr__
    return getattr(restore, "__module__", None) != "dataclasses"


def origin_of(
    error: object,
    here: Frame | None,
    known: dict[int, Origin | None] | None = None,
) -> Origin | None:
    """
    Return the origin of `error`, or of the nearest of its causes. Never raises.

    Args:
        error: The reported object. Return None if it is no exception.
        here: The frame that is active where the error is reported.
        known: The origins of exceptions that have been visited, by identity.
    """
    if known is None:
        known = {}
    visited = []
    origin = None
    while isinstance(error, BaseException):
        if id(error) in known:  # a cycle, or a common cause
            origin = known[id(error)]
            break
        known[id(error)] = None
        visited.append(id(error))
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
    known.update(dict.fromkeys(visited, origin))
    return origin


def _common_origin(
    members: object, here: Frame | None, known: dict[int, Origin | None]
) -> Origin | None:
    """Return the origin of an exception group's members, if all have one store."""
    if not isinstance(members, tuple) or not members:
        return None
    origins = [origin_of(member, here, known) for member in members]
    first = origins[0]
    if first is None or first.frame.store is None:
        return None
    if any(o is None or o.frame.store is not first.frame.store for o in origins):
        return None
    return first
