"""Adapters for how a program runs: threads, crashes, greenlets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ctxlog import _lazy

if TYPE_CHECKING:
    from ctxlog.runtime import gevent as gevent
    from ctxlog.runtime import hooks as hooks
    from ctxlog.runtime import threads as threads
    from ctxlog.runtime import trio as trio
    from ctxlog.runtime import uvloop as uvloop
else:
    __getattr__, __dir__ = _lazy.lazily(__name__)
