"""
The store of a request, and the immutable views that log lines take of it.

Writing is copy-on-write: it replaces the store's view by a new one, so a line that
waits in a queue keeps the values that it was logged with.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import Any, Protocol, TypeVar

_T = TypeVar("_T")


class Lines(Protocol):
    """
    What becomes of the lines of one store; see `ctxlog.retention`.

    Attributes:
        identified: Whether the store has its id by now, if it is to have one.
        trace_sampled: Whether the caller records the trace that came in; None without
            a trace.
    """

    identified: bool
    trace_sampled: bool | None

    def outgoing(self, view: View) -> float | None:
        """Return how many requests a view's stands for; None if nothing is decided."""

    def receive(self, rate: float) -> None:
        """Take over what another process has decided: the request is kept."""

    def enter(self, enclosing: View) -> None:
        """Take note of the view of the store that this one is opened over."""

    def fail(self, error: BaseException) -> None:
        """Take note of an exception that leaves a store which its owner closes."""

    def finish(self, store: Store, error: BaseException | None) -> None:
        """Decide about the lines: the store has ended. The first time counts."""

    def end(self) -> None:
        """Drop what still waits: the store has ended."""


class NewLines:
    """
    Makes the `lines` of new stores.

    Attributes:
        make: Returns them; None as long as every line is written.
    """

    def __init__(self) -> None:
        self.make: Callable[[], Lines] | None = None


new_lines = NewLines()


class View:
    """
    The context of one log line: an immutable snapshot of its fields.

    Attributes:
        fields: The fields of the store and of the scopes over it.
        started: When the store was made, in nanoseconds since the epoch; None if there
            is no store.
        late: Whether the store was already closed.
        lines: What becomes of the lines of the store; None where each is written.
        base: The store's view that the fields of scopes were merged over, if any.
        encoded: A cache of the encoders of lines, each under itself: the bytes of
            *fields*. None until an encoder writes to it.
    """

    __slots__ = ("base", "encoded", "fields", "late", "lines", "started")

    def __init__(
        self,
        fields: dict[str, object],
        started: int | None,
        late: bool = False,
        lines: Lines | None = None,
        base: View | None = None,
    ) -> None:
        # Called without names: by name, a call takes half as long again.
        self.fields = fields
        self.started = started
        self.late = late
        self.base = base
        self.lines = lines
        self.encoded: dict[object, Any] | None = None

    @property
    def empty(self) -> bool:
        """Whether there is neither a store nor a field."""
        return self.started is None and not self.fields


#: The view where there is no context.
NOTHING = View({}, None)

# Guards the replacement of a store's view. Re-entrant, since a signal handler may bind
# while the interrupted code does.
_lock = threading.RLock()


def _renew_lock() -> None:
    # In a forked child, a lock that another thread held would never be released.
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):  # pragma: no branch (all but Windows)
    os.register_at_fork(after_in_child=_renew_lock)


class Store(MutableMapping[str, object]):
    """
    The fields of one request, shared by everything that runs for it.

    A mapping from field names to any values, which are returned as they were put in.
    Writing is thread-safe; lines that were logged before keep the values that they had.
    Values are encoded when they are first logged after a write: changing a bound value
    in place has no effect on the lines until it is bound again. May be subclassed to
    give the fields names and types.

    A store lives as long as something refers to it: the request, and the tasks and
    threads that the request started.

    Args:
        fields: The first fields.
        more: Further fields.

    Raises:
        TypeError: if a field's name is not a string.
    """

    __slots__ = ("__weakref__", "_totals", "_view")

    def __init__(
        self,
        fields: Mapping[str, object] | Iterable[tuple[str, object]] = (),
        /,
        **more: object,
    ) -> None:
        first = dict(fields)
        if more:
            first.update(more)
        for name in first:
            if type(name) is not str:
                _check_name(name)
        lines = None if new_lines.make is None else new_lines.make()
        self._view = View(first, time.time_ns(), False, lines)
        # What `count()` and `timed()` sum up; None where no completion line shows it.
        self._totals: dict[str, Any] | None = None

    @property
    def closed(self) -> bool:
        """Whether the request has completed. Lines logged after that are late."""
        return self._view.late

    def close(self) -> None:
        """Mark the request as completed and keep its fields. Idempotent."""
        with _lock:
            seen = self._view
            self._view = View(seen.fields, seen.started, True, seen.lines)
        if seen.lines is not None:
            seen.lines.finish(self, None)
            seen.lines.end()

    def _retain(self, make: Callable[[], Lines]) -> Lines:
        """Return what becomes of its lines, which *make* makes if need be."""
        with _lock:
            seen = self._view
            lines = seen.lines
            if lines is None:
                lines = make()
                self._view = View(seen.fields, seen.started, seen.late, lines)
            return lines

    def __getitem__(self, name: str) -> object:
        return self._view.fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._view.fields)

    def __len__(self) -> int:
        return len(self._view.fields)

    def __contains__(self, name: object) -> bool:
        return name in self._view.fields

    def __setitem__(self, name: str, value: object) -> None:
        _check_name(name)
        self._put({name: value})

    def __delitem__(self, name: str) -> None:
        self._change(lambda fields: fields.__delitem__(name))

    # `MutableMapping` composes the following methods of two steps, between which
    # another thread could write. Here each is one step.

    def setdefault(self, name: str, default: Any = None) -> Any:
        """Return a field; if it does not exist, write `default` to it first."""
        _check_name(name)
        return self._change(lambda fields: fields.setdefault(name, default))

    def pop(self, name: str, *default: Any) -> Any:
        """Remove a field and return its value, or `default` if it does not exist."""
        return self._change(lambda fields: fields.pop(name, *default))

    def popitem(self) -> tuple[str, object]:
        """Remove the newest field and return its name and value."""
        return self._change(dict.popitem)

    def clear(self) -> None:
        """Remove all fields at once."""
        self._change(dict.clear)

    def update(self, other: Any = (), /, **more: object) -> None:
        """Write several fields at once: no line shows only some of them."""
        new = dict(other, **more)
        for name in new:
            if type(name) is not str:
                _check_name(name)
        self._put(new)

    def discard(self, *names: str) -> None:
        """Remove those of the fields that exist, at once."""

        def remove(fields: dict[str, object]) -> None:
            for name in names:
                fields.pop(name, None)

        self._change(remove)

    def __repr__(self) -> str:
        # Names only: the values may be secrets, and a repr ends up in a log.
        return f"<{type(self).__name__} of {', '.join(self) or 'no fields'}>"

    #: Sentry would expand a mapping among a frame's variables.
    __sentry_repr__ = __repr__

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._view.fields,)

    def _put(self, new: dict[str, object]) -> None:
        with _lock:
            seen = self._view
            fields = {**seen.fields, **new}
            self._view = View(fields, seen.started, seen.late, seen.lines)

    def _change(self, change: Callable[[dict[str, object]], _T]) -> _T:
        # Without the lock, and again if another thread wrote meanwhile: `change`
        # compares and hashes names, which may run user-defined code.
        while True:
            seen = self._view
            changed = dict(seen.fields)
            result = change(changed)
            view = View(changed, seen.started, seen.late, seen.lines)
            with _lock:
                if self._view is seen:
                    self._view = view
                    return result


def _check_name(name: object) -> None:
    if not isinstance(name, str):
        raise TypeError(
            f"a field's name must be a string, not {type(name).__name__}: {name!r}"
        )
