"""
Prints the table of the stacks that were run, and writes it to the page if asked to.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.stacks import report
from tests.stacks.driver import Cell, Measured
from tests.stacks.stacks import STACKS


def pytest_addoption(parser: pytest.Parser) -> None:
    """
    `--write` keeps the table.
    """
    parser.addoption(
        "--write", action="store_true", help=f"write the table to {report.PAGE.name}"
    )


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """
    Print the table, also with pytest-xdist: the results travel with the reports.
    """
    results: dict[str, Measured] = {}
    loads: list[str] = []
    for category in ("passed", "failed", "xfailed"):
        for one in terminalreporter.stats.get(category, ()):
            for name, value in one.user_properties:
                if name == "stack":
                    cells = {
                        kind: Cell(**cell) for kind, cell in value["cells"].items()
                    }
                    results[value["name"]] = Measured(cells, value["problems"])
                elif name == "load":
                    loads.append(value)
    if loads:
        terminalreporter.section("load")
        terminalreporter.write_line("\n".join(loads))
    if not results:
        return
    terminalreporter.section("stacks")
    terminalreporter.write_line(report.table(STACKS, results))
    terminalreporter.write_line(report.routes(STACKS, results))
    if config.getoption("--write"):
        terminalreporter.write_line(f"written to {report.write(STACKS, results)}")
