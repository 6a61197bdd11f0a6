"""
Every library before and after ctxlog: all lines are right, and so is what the library
sees; what is taken off leaves nothing behind.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from tests.company.cases import (
    LIBRARIES,
    MODES,
    PARTS,
    WITHOUT,
    Library,
    expected_left,
)
from tests.helpers import ALL_PROMISED, run_python

_PROGRAM = Path(__file__).with_name("program.py")


def need_library(library: Library) -> None:
    """
    Skip the test where the library is not installed.
    """
    for name in library.needs:
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            if ALL_PROMISED:
                pytest.fail(f"{name} is missing, and CTXLOG_TEST_ALL promises it")
            pytest.skip(f"{name} is not installed")


def _case(part: str, mode: str, library: Library, cwd: Path) -> dict[str, Any]:
    done = run_python(str(_PROGRAM), part, mode, *library.vendors, cwd=cwd, timeout=100)
    assert "--- Logging error ---" not in done.stderr, done.stderr
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


@pytest.mark.timeout(300)
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.name)
def test_before_and_after(
    library: Library,
    part: str,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """
    Each line once, with the id and the trace of its request; what the library sees and
    records is what it does without ctxlog; what is taken off leaves nothing behind.
    """
    need_library(library)
    alone = _case(part, WITHOUT, library, tmp_path)
    assert alone["problems"] == []
    seen_alone = alone["seen"]
    left_alone = set(seen_alone.pop("left", ()))
    found = {}
    for mode in MODES:
        result = _case(part, mode, library, tmp_path)
        problems = list(result["problems"])
        left = set(result["seen"].pop("left", ())) - left_alone
        surplus = left - expected_left(part, mode, library.vendors)
        if surplus:
            problems.append(f"left behind: {sorted(surplus)}")
        if not part.startswith("off"):  # where an error is logged
            for name in ("seen", "recorded"):
                if result[name] != alone[name]:
                    problems.append(
                        f"{name}: {result[name]!r} instead of {alone[name]!r}"
                    )
        found[mode] = {"lines": result["lines"], "problems": problems}
    record_property("company", {"library": library.name, "part": part, "modes": found})
    assert {mode: one["problems"] for mode, one in found.items()} == {
        mode: [] for mode in MODES
    }
