"""
Frameworks whose routes are learned from a hook of their own, by an adapter each.
"""

from __future__ import annotations

import sys

from ctxlog import _lazy

#: The adapters, by the module of the framework that does the routing.
_ADAPTERS = {
    "bottle": "bottle",
    "falcon.app": "falcon",
    "litestar.app": "litestar",
    "quart.app": "quart",
    "starlette.routing": "starlette",
}


def follow_routes() -> None:
    """Let requests learn their route from every framework that is imported by now."""
    for module, adapter in _ADAPTERS.items():
        if module in sys.modules:
            _lazy.submodule("ctxlog.servers", adapter).install()
