"""
Every stack: 100 % of the lines of a request carry its id, and none another's.
"""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Callable
from importlib import metadata

import pytest

from tests.helpers import ALL_PROMISED
from tests.stacks.driver import Stack, measure
from tests.stacks.stacks import STACKS


def need_stack(stack: Stack) -> None:
    """Skip the test where the stack does not run, or is not installed."""
    reason = stack.absent_on(platform.python_version())
    if reason is not None:
        pytest.skip(reason)
    for name in stack.needs:
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            if ALL_PROMISED:
                pytest.fail(f"{name} is missing, and CTXLOG_TEST_ALL promises it")
            pytest.skip(f"{name} is not installed")


@pytest.mark.timeout(180)
@pytest.mark.parametrize("stack", STACKS, ids=lambda stack: stack.name)
def test_every_line_has_the_id_of_its_request(
    stack: Stack, record_property: Callable[[str, object], None]
) -> None:
    """
    Eleven kinds of requests, twenty clients at once: no line is wrong or missing.
    """
    need_stack(stack)
    measured = measure(stack)
    cells = {kind: dataclasses.asdict(cell) for kind, cell in measured.cells.items()}
    found = {"name": stack.name, "cells": cells, "problems": measured.problems}
    record_property("stack", found)
    assert measured.problems == []
    for kind, cell in measured.cells.items():
        assert cell.right == cell.seen >= cell.expected > 0, kind
        assert (cell.wrong, cell.missing) == (0, 0), kind
        assert cell.routed > cell.unrouted == 0, kind
