"""
WSGI servers and applications: any framework of its own, Falcon, Bottle. Adapter.

For Flask and Django there are adapters of their own. Imports no framework, only core.
"""

from __future__ import annotations

from ctxlog.servers._wsgi import ContextMiddleware

__all__ = ["ContextMiddleware"]


def _is_installed(app: object) -> bool:
    """Return whether an application has the middleware around it."""
    return isinstance(app, ContextMiddleware)
