"""
What a line costs, counted in calls: a guard that does not depend on the clock.

Python's profiler sees every call of a Python function and of a builtin. The bounds have
a little room for other Pythons; a change that adds work to every line exceeds them.
"""

from __future__ import annotations

import gc
import io
import logging
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import ctxlog
from tests.helpers import need


def calls(fn: Callable[[], object]) -> int:
    """
    How many calls *fn* makes, of Python functions and of builtins, its own included.
    """
    counted = 0

    def count(frame: Any, event: str, argument: Any) -> None:
        nonlocal counted
        counted += event in ("call", "c_call")

    gc.disable()
    sys.setprofile(count)
    try:
        fn()
    finally:
        sys.setprofile(None)
        gc.enable()
    return counted - 1  # the profiler's own end


@pytest.fixture
def sink() -> Iterator[io.TextIOWrapper]:
    """
    The null device, as a file that a program writes to.
    """
    with open(os.devnull, "w", encoding="utf-8") as stream:
        yield stream
        ctxlog.config.unconfigure()


def stdlib_logger(sink: io.TextIOWrapper) -> logging.Logger:
    """
    A logger whose lines go to the stream only, and not to pytest.
    """
    ctxlog.configure(stream=sink, format="json", loggers=["stdlib"])
    root = logging.getLogger()
    for handler in root.handlers[:]:
        if not isinstance(handler, ctxlog.LineHandler):
            root.removeHandler(handler)
    return logging.getLogger("shop.users")


def line(log: Callable[[], object], **fields: object) -> int:
    """
    The calls of one line in a store, once everything has been seen before.
    """

    def repeated() -> int:
        for _ in range(3):
            log()
        return calls(log)

    return ctxlog.run({"requestID": "req-A", **fields}, repeated)


def test_a_line_of_stdlib_logging(sink: io.TextIOWrapper) -> None:
    """
    Half of these calls are logging's own.
    """
    log = stdlib_logger(sink)
    extra = {"rows": 3, "hit": True}
    assert line(lambda: log.info("user %s", "u-1", extra=extra)) <= 62


def test_a_line_costs_the_same_with_many_context_fields(
    sink: io.TextIOWrapper,
) -> None:
    """
    Fifty fields of the store are encoded once for all lines.
    """
    log = stdlib_logger(sink)
    many: dict[str, object] = {f"field{number}": number for number in range(50)}
    few = line(lambda: log.info("hello"))
    assert line(lambda: log.info("hello"), **many) == few


def test_a_disabled_level_costs_nothing(sink: io.TextIOWrapper) -> None:
    """
    What is not logged is not made.
    """
    log = stdlib_logger(sink)
    assert line(lambda: log.debug("hello", extra={"rows": 3})) <= 4


def test_a_line_of_structlog(sink: io.TextIOWrapper) -> None:
    """
    The event goes straight to the renderer, and from there to the stream.
    """
    structlog = need("structlog")
    ctxlog.configure(stream=sink, format="json", loggers=["structlog"])
    log = structlog.get_logger("shop.users")
    assert line(lambda: log.info("user %s", "u-1", rows=3, hit=True)) <= 31


def test_a_line_of_loguru(sink: io.TextIOWrapper) -> None:
    """
    Nothing is formatted, copied or rendered for a sink that does not want it.
    """
    loguru = need("loguru")
    ctxlog.configure(stream=sink, format="json", loggers=["loguru"])
    log = loguru.logger
    assert line(lambda: log.info("user {}", "u-1", rows=3, hit=True)) <= 78


def test_looking_the_store_up() -> None:
    """
    One call, and the variable's.
    """
    assert line(ctxlog.get_store) <= 3
