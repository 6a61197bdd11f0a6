"""
`set_level()` and `flush_buffer()`: what code of a request says of its own lines.
"""

from __future__ import annotations

import warnings

from ctxlog._levels import level_of
from ctxlog.context import Store, get_store
from ctxlog.retention._asked import asked
from ctxlog.retention._lines import RequestLines
from ctxlog.retention._process import make_lines


def set_level(level: int | str | None) -> None:
    """
    Give the active store a least level of its own, from here on.

    It holds for all lines of the request, whatever code logs them, in all threads and
    tasks; loggers whose level was set by `configure(levels=...)` or by `setLevel()`
    keep theirs. `isEnabledFor()` answers for the active store. The level ends with the
    store; stores that are opened inside have their own. Outside of any store there is
    nothing to set: a `RuntimeWarning` is issued.

    Args:
        level: The name or the number of a level; None for the configured one.

    Raises:
        ConfigError: if there is no such level.
    """
    number = None if level is None else level_of("level", level)
    store = get_store()
    if store is None:
        warnings.warn(
            "set_level() outside of any context has no effect; call it where a store "
            "is active",
            RuntimeWarning,
            stacklevel=2,
        )
        return
    set_store_level(store, number)


def set_store_level(store: Store, level: int | None) -> None:
    """Give a store a least level of its own; None takes it back."""
    lines = store._retain(make_lines)
    assert isinstance(lines, RequestLines)
    if level is not None:
        # First, since from then on loggers ask.
        asked.level(level)
    lines.level = level


def keep(store: Store) -> None:
    """Write the lines of a store whole, where requests are sampled; else a no-op."""
    lines = store._view.lines
    if isinstance(lines, RequestLines):
        lines.keep()


def flush_buffer() -> None:
    """
    Write the lines of the active store that wait in its buffer, and all further ones.

    So do the stores that enclose it. Of a request that is sampled all lines are written
    then. Outside of any store, a no-op. May be called in a signal handler.
    """
    store = get_store()
    lines = None if store is None else store._view.lines
    if isinstance(lines, RequestLines):
        lines.flush()
