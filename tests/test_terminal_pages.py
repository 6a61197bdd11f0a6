"""
The pages that are followed at terminals (`tests/terminals.py`), but for the tutorial,
which needs a queue.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.helpers import ROOT, need

PAGES = [
    page
    for page in sorted((ROOT / "docs").glob("*.md"))
    if "<!-- terminal:" in page.read_text(encoding="utf-8")
    and page.name != "tutorial.md"
]


@pytest.mark.skipif(sys.platform == "win32", reason="terminals of POSIX")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_shows_what_its_reader_sees(page: Path, tmp_path: Path) -> None:
    """Each step of the page shows in its terminal what the page says."""
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"<!-- libraries: (\w+) -->", text):
        need(name)
    from tests import terminals

    terminals.follow(text, tmp_path)
