"""
Tests of real servers may be run once more, a few in a run; all others fail at once.

Ports, signals, brokers and browsers are shared with the whole machine, so a test of
theirs may fail without a fault of ours. Elsewhere a failure seen once in fifty runs is
the fault that is looked for. The hooks here are pytest's; `conftest.py` imports them.
"""

from __future__ import annotations

from typing import Any

import pytest

__all__ = [
    "MOST_RERUNS",
    "pytest_collection_modifyitems",
    "pytest_sessionfinish",
    "pytest_terminal_summary",
]

#: A run in which more tests than these had to be run once more fails.
MOST_RERUNS = 3

#: Folders in which each test starts a real server or broker.
_FOLDERS = {"company", "migrations", "stacks", "tasks", "web"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let tests with the mark `real_server`, and these folders' tests, run again."""
    for item in items:
        real = item.path.parent.name in _FOLDERS
        if real or item.get_closest_marker("real_server"):
            item.add_marker(pytest.mark.flaky(reruns=1))


def _reruns(config: pytest.Config) -> list[pytest.TestReport]:
    # The worker processes of pytest-xdist have no terminal; their reports arrive here.
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    return list(reporter.stats.get("rerun", ())) if reporter else []


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run in which too many tests were run once more."""
    if len(_reruns(session.config)) > MOST_RERUNS:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print each first failure."""
    reruns = _reruns(config)
    if reruns:
        title = f"run once more: {len(reruns)}, of at most {MOST_RERUNS}"
        terminalreporter.section(title)
        for report in reruns:
            terminalreporter.write_line(f"{report.nodeid}\n{report.longreprtext}\n")
