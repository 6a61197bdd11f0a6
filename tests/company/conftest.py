"""
Prints the table of what was run, and writes it to the page if asked to.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.company import report


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
    results: dict[tuple[str, str], dict[str, Any]] = {}
    for category in ("passed", "failed"):
        for one in terminalreporter.stats.get(category, ()):
            for name, value in one.user_properties:
                if name == "company":
                    results[value["library"], value["part"]] = value["modes"]
    if not results:
        return
    terminalreporter.section("in company")
    terminalreporter.write_line(report.table(results, {}))
    if config.getoption("--write"):
        terminalreporter.write_line(f"written to {report.write(results)}")
