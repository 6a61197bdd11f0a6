"""
Which tests are run once more when they fail, and how often in a run.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers import ROOT, run_python

_CONFTEST = f"""
import sys

sys.path.insert(0, {str(ROOT)!r})
from tests.reruns import *
"""

_TESTS = """
import pytest

runs = set()

{mark}
@pytest.mark.parametrize("number", range({tests}))
def test_the_first_time(number):
    first = number not in runs
    runs.add(number)
    assert not first, "the port is taken"
"""


def run(folder: Path, tests: int, mark: str, *options: str) -> tuple[int, str]:
    """
    Run tests that fail the first time; return pytest's exit status and what it printed.
    """
    (folder / "conftest.py").write_text(_CONFTEST)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = real_server")
    (folder / "test_server.py").write_text(_TESTS.format(tests=tests, mark=mark))
    done = run_python("-m", "pytest", "-q", *options, cwd=folder, check=False)
    return done.returncode, done.stdout


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_a_few_tests_of_real_servers_may_fail_once(
    options: tuple[str, ...], tmp_path: Path
) -> None:
    """Three that pass the second time leave a run green; their failures are shown."""
    status, printed = run(tmp_path, 3, "@pytest.mark.real_server", *options)
    assert status == 0, printed
    assert "run once more: 3, of at most 3" in printed
    assert printed.count("AssertionError: the port is taken") >= 3


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_more_than_a_few_fail_the_run(options: tuple[str, ...], tmp_path: Path) -> None:
    """A fourth makes the run red, though each has passed in the end."""
    status, printed = run(tmp_path, 4, "@pytest.mark.real_server", *options)
    assert status == 1, printed
    assert "4 passed" in printed


def test_all_others_fail_at_once(tmp_path: Path) -> None:
    """A test without the mark is not run again."""
    status, printed = run(tmp_path, 1, "")
    assert status == 1
    assert "1 failed" in printed
    assert "run once more" not in printed
