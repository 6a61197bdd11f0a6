"""
Each row of the page 'Pick your stack', as it stands there.

The rows whose library is not in the group `adapters` are run by `tests/stacks` and
`tests/tasks`, in environments of their own.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import stack_rows
from tests.helpers import ROOT
from tests.stack_rows import PROGRAMS, Program, Row


@pytest.mark.parametrize("program", stack_rows.programs("tests"), ids=str)
def test_row(program: Program, tmp_path: Path) -> None:
    """The page's code for a stack stamps the line of a request or a job."""
    stack_rows.check(program, tmp_path)


TABLE = stack_rows.rows(stack_rows.PAGE)


def test_every_row_has_a_program() -> None:
    """Each library that the tables name has a program, and nothing else has one."""
    named = [use for row in TABLE for use in row.uses]
    assert sorted(named) == sorted({program.use for program in PROGRAMS})


def test_the_readme_says_what_the_page_says() -> None:
    """The rows of the README's shorter table are rows of the page."""
    shown = stack_rows.rows((ROOT / "README.md").read_text(encoding="utf-8"))
    assert shown
    assert [row for row in shown if row not in TABLE] == []


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.uses[0])
def test_all_code_of_a_row_is_run(row: Row) -> None:
    """Each piece of code in the column 'write' is in a program of that row."""
    sources = "".join(p.source for p in PROGRAMS if p.use in row.uses)
    used = set(re.findall(r"WRITE(\d)", sources))
    assert used == {str(number) for number in range(len(row.write))}


def test_every_program_is_run_somewhere() -> None:
    """Programs of other folders are run there; a server without one is a stack."""
    stacks = (ROOT / "tests" / "stacks" / "stacks.py").read_text(encoding="utf-8")
    for program in PROGRAMS:
        if not program.source:
            assert program.where == "tests/stacks"
            assert f'("{program.use.lower()}"' in stacks, program.use
    runners = {
        "tests": __file__,
        "tests/stacks": ROOT / "tests" / "stacks" / "test_stack_rows.py",
        "tests/tasks": ROOT / "tests" / "tasks" / "test_stack_rows.py",
        "tests/tasks/test_arq.py": ROOT / "tests" / "tasks" / "test_arq.py",
    }
    for where in {program.where for program in PROGRAMS}:
        assert f'programs("{where}")' in Path(runners[where]).read_text("utf-8")


_TABLES = """
| D | `e` | |

| you use | write | example |
|---|---|---|
| A, `B`, ... | `a.b(x)` first in `C` ([more](docs/a.md#b)) | [a](b) |

| another | table |
|---|---|
| D | `e` |

| you use | write |
|---|---|
| F | `g` |
"""


def test_rows_are_read() -> None:
    """The first column is split into items, the second into its code."""
    assert stack_rows.rows(_TABLES) == [
        Row(("A", "B"), ("a.b(x)", "C")),
        Row(("F",), ("g",)),
    ]
