"""
The view that a log line takes: the current frame's, and the fields of sources over it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from ctxlog.context._frames import get_current
from ctxlog.context._store import NOTHING, View


def current_view() -> View:
    """
    Return the context of a line that is logged now: what `ctxlog.fields()` shows.

    For adapters of loggers. The view is immutable, so it can be kept for as long as the
    line needs it, also by another thread. Calling this is cheap: the view is made anew
    only after a change. Outside of any context the view is `empty`. Never raises.
    """
    frame = get_current()
    if frame is None:
        view = NOTHING
    else:
        view = frame.view
        newest = frame.source._view
        if view is not newest and view.base is not newest:
            view = frame.refresh()
    for _, found in _sources:
        if found:
            return _with_sources(view)
    return view


_Source = Callable[[], Mapping[str, object]]

# In the order in which they were added: fields of an earlier one win. Each with what is
# empty as long as it has none.
_sources: tuple[tuple[_Source, Collection[object]], ...] = ()
_ALWAYS = (None,)

# The last view that `_with_sources` made, and what of: most lines in a row have the
# same fields, and encoders cache their bytes with the view.
_last: tuple[View, dict[str, object], View] = (NOTHING, {}, NOTHING)


def add_source(
    source: _Source, /, *, unless_empty: Collection[object] = _ALWAYS
) -> None:
    """
    Add a source of fields, which win over those of the store and its scopes.

    For adapters of libraries that keep a context of their own, such as
    `structlog.contextvars`. It holds for the whole process, until `remove_source()`.
    Adding a source again is a no-op.

    Args:
        source: Returns the fields. It is called in the context of every log call: keep
            it fast and do not raise. Of two sources the one that was added first wins.
        unless_empty: A container that is empty as long as the source has no field: no
            source is called while all these are empty.
    """
    global _sources
    if source not in [other for other, _ in _sources]:
        _sources = (*_sources, (source, unless_empty))


def remove_source(source: _Source, /) -> None:
    """
    Remove a source of fields, for the whole process.

    Args:
        source: The callable that was given to `add_source()`; a no-op if it was not.
    """
    global _sources
    _sources = tuple(other for other in _sources if other[0] is not source)


def _with_sources(view: View) -> View:
    global _last
    found: dict[str, object] = {}
    for source, _ in _sources:
        fields = source()
        if fields:
            found = {**fields, **found}
    if not found:
        return view
    below, known, merged = _last
    if below is not view or not _same(known, found):
        fields = {**view.fields, **found}
        merged = View(fields, view.started, view.late, view.lines)
        _last = (view, found, merged)
    return merged


def _same(one: dict[str, object], other: dict[str, object]) -> bool:
    # By identity: values may be equal without being the same on a line (1 and True).
    return list(one) == list(other) and all(one[name] is other[name] for name in one)
