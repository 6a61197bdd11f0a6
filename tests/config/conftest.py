"""
Each test begins and ends without a configuration of ctxlog's.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest

from ctxlog.config import unconfigure


@pytest.fixture(autouse=True)
def _unconfigured() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    unconfigure()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()
