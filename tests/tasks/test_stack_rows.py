"""
The rows of the page 'Pick your stack' whose library is installed here only.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import stack_rows
from tests.stack_rows import Program


@pytest.mark.parametrize("program", stack_rows.programs("tests/tasks"), ids=str)
def test_row(program: Program, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """The page's code for a queue stamps the line of a job."""
    broker = request.getfixturevalue("redis") if program.broker else ""
    stack_rows.check(program, tmp_path, BROKER=broker)
