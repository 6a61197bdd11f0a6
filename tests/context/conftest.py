"""
What the tests of the store share: event loops to choose from, and no garbage collector.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import anyio
import pytest
import trio

_Main = Callable[[], Awaitable[Any]]

_RUNNERS: dict[str, Callable[[_Main], Any]] = {
    "asyncio": lambda main: asyncio.run(main()),  # type: ignore[arg-type]
    "anyio on asyncio": lambda main: anyio.run(main, backend="asyncio"),
    "anyio on trio": lambda main: anyio.run(main, backend="trio"),
    "trio": trio.run,
}


@pytest.fixture(params=_RUNNERS)
def run_loop(request: pytest.FixtureRequest) -> Callable[[_Main], Any]:
    """
    Run an async function that takes nothing, in each library in turn.
    """
    return _RUNNERS[request.param]


@pytest.fixture(params=["anyio on asyncio", "anyio on trio"])
def run_anyio(request: pytest.FixtureRequest) -> Callable[[_Main], Any]:
    """
    Run an async function that uses anyio, on each of its backends in turn.
    """
    return _RUNNERS[request.param]


@pytest.fixture
def no_gc() -> Iterator[None]:
    """
    Leave reference cycles where they are, so that one keeps its store alive.
    """
    gc.collect()
    gc.disable()
    yield
    gc.enable()
