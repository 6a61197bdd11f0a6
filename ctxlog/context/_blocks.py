"""
What opens a frame: for a `with` block, or for a function and the body it returns.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar, cast

from ctxlog.context._exceptions import remember
from ctxlog.context._frames import (
    Frame,
    current,
    get_current,
    is_outermost,
    leave,
    set_current,
    standing,
)
from ctxlog.context._store import Store
from ctxlog.context.bodies import VariableRunner, decorated

_F = TypeVar("_F", bound=Callable[..., Any])


class Block:
    """A context manager that opens a frame, and the same as a decorator."""

    __slots__ = ("_entered",)

    def __init__(self) -> None:
        self._entered: Frame | None = None

    def _open(self) -> Frame:
        raise NotImplementedError

    def __enter__(self) -> None:
        frame = self._open()
        try:
            self._entered = frame
            frame.owner = self
            frame.token = set_current(frame)
        except BaseException:  # from a signal handler: `__exit__` will not be called
            self.__exit__(None, None, None)
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Leave the nearest frame that this object opened *here*: other tasks may have
        # entered the same object meanwhile.
        frame = get_current()
        while frame is not None and frame.owner is not self:
            frame = frame.parent
        if frame is None:
            frame = self._entered
        if frame is self._entered:
            self._entered = None
        if frame is not None:
            if error is not None:
                remember(frame, error)
            leave(frame)

    def __call__(self, fn: _F, /) -> _F:
        """
        Decorate `fn`: every call runs in the block, opened anew.

        `def`, `async def`, generator and async generator functions keep their kind.
        A generator's body is isolated: its consumer never sees the fields.
        """
        if isinstance(fn, staticmethod | classmethod):
            return cast(_F, type(fn)(self(fn.__func__)))
        return cast(_F, decorated(fn, lambda *_, **__: FrameRunner(self._open())))


class FrameRunner(VariableRunner):
    """Runs the body of a function in a frame of its own."""

    __slots__ = ("_frame", "_owned")

    def __init__(self, frame: Frame, owned: Store | None = None) -> None:
        self._variable = current
        self._value: Frame | None = frame
        self._frame = frame
        self._owned = owned

    def _restored(self, found: Frame | None, /) -> Frame | None:
        # The body may have ended a scope of its caller: by finishing a generator that
        # had opened one.
        return standing(found)

    def done(self, error: BaseException | None, /) -> None:
        """End the frame, and close the store if it is the runner's own."""
        if error is not None:
            remember(self._frame, error)
        self._frame.end()
        if self._owned is not None:
            lines = self._owned._view.lines
            if lines is not None:
                lines.finish(self._owned, error)
            self._owned.close()
        elif error is not None:
            lines = self._frame.source._view.lines
            if lines is not None and is_outermost(self._frame):
                lines.fail(error)
