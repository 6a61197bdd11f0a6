"""
What the tests of ASGI applications have in common.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

import ctxlog
from tests.servers.test_asgi import Lines


@pytest.fixture
def lines() -> Iterator[Lines]:
    """
    Logging configured to write JSON lines to memory; no framework's hook stays.
    """
    environment = Lines()
    ctxlog.configure(stream=environment.stream, format="json")
    yield environment
    ctxlog.unconfigure()
    for name in ("falcon", "litestar", "quart", "starlette"):
        adapter = sys.modules.get(f"ctxlog.servers.{name}")
        if adapter is not None:
            adapter.uninstall()
    environment.close()
