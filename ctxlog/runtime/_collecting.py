"""
Whether garbage is being collected: what is finalized then is not its thread's.
"""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

# `gc` calls back with a phase ("start", "stop") and a dict of its own for each phase.
# It must not be a function of Python's: a signal handler may run in that, and what the
# handler raises there is lost. So the arguments of the last call are noted by an object
# of C that does nothing else, and in each thread those of its own calls.
_last: Any = Exception("stop", None)
_threads: Any = threading.local()
if type(_threads).__module__ != "_thread":  # gevent's: there is one thread
    _threads = SimpleNamespace()

#: For `gc.callbacks`.
CALLBACKS: tuple[Any, ...] = (_last.__init__, _threads.__setattr__)


def collecting() -> bool:
    """Whether this thread collects garbage, in whatever request that happened."""
    phase, info = _last.args
    return phase == "start" and getattr(_threads, "start", None) is info


def forget() -> None:
    """Forget a collection whose end will not be noted."""
    _last.args = ("stop", None)
