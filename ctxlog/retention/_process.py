"""
The policy of the process: `configure()` installs it.
"""

from __future__ import annotations

import os

from ctxlog._endings import before_end, not_before_end
from ctxlog.context import Store
from ctxlog.context.adapter import new_lines
from ctxlog.retention._asked import asked
from ctxlog.retention._limit import LineLimit
from ctxlog.retention._lines import RequestLines
from ctxlog.retention._policy import Policy, policies
from ctxlog.retention.options import Buffer, Sampling

_policy = Policy()
_limit: LineLimit | None = None


def make_lines() -> RequestLines:
    """Return what becomes of the lines of a new store."""
    return RequestLines(_policy)


def install(
    buffer: Buffer | None, sampling: Sampling | None, limit: LineLimit | None = None
) -> None:
    """
    Do something with the lines of all requests that begin from now on.

    Args:
        buffer: Which lines wait that are below the level; None for none.
        sampling: Which requests are written; None for all.
        limit: Leaves out lines that come too often, of all requests.
    """
    global _policy, _limit
    uninstall()
    _limit = limit
    _policy = policy = Policy(buffer, sampling)
    if buffer is not None or sampling is not None:
        new_lines.make = make_lines
        before_end(policy.give_up)
    asked.begin(new_lines.make is not None or limit is not None, policy.least, limit)


def uninstall() -> None:
    """Write all lines of requests that begin from now on; a no-op if they are."""
    global _policy, _limit
    before, _policy = _policy, Policy()
    limit, _limit = _limit, None
    new_lines.make = None
    not_before_end(before.give_up)
    before.stop()
    asked.begin(False)
    if limit is not None:
        limit.close()


def settle(store: Store, *, failed: bool, seconds: float, level: int) -> None:
    """
    Decide about the lines of a request or task, before its completion line.

    For adapters. Free where every line is written.

    Args:
        store: Its store.
        failed: Whether it has failed.
        seconds: How long it took.
        level: The level of its completion line; 0 if it has none.
    """
    lines = store._view.lines
    if isinstance(lines, RequestLines):
        lines.settle(store, failed=failed, seconds=seconds, level=level)


def _renew() -> None:
    for policy in list(policies):
        policy.renew()


if hasattr(os, "register_at_fork"):  # pragma: no branch (all but Windows)
    os.register_at_fork(after_in_child=_renew)
