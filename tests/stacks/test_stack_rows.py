"""
The rows of the page 'Pick your stack' whose library is installed here only.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import stack_rows
from tests.stack_rows import Program


@pytest.mark.parametrize("program", stack_rows.programs("tests/stacks"), ids=str)
def test_row(program: Program, tmp_path: Path) -> None:
    """The page's code for a stack stamps the line of a request."""
    stack_rows.check(program, tmp_path)
