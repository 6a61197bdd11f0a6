"""
Each section of a page is run once, for all tests that look at it.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.helpers import need
from tests.migrations.pages import PAGES
from tests.migrations.running import Observed, observe


@pytest.fixture(scope="session")
def observed(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str, str], Observed]:
    """Return what the section of a page does, by the names of both."""
    known: dict[tuple[str, str], Observed] = {}

    def look(page: str, section: str) -> Observed:
        need(*PAGES[page].needs)
        if (page, section) not in known:
            folder = tmp_path_factory.mktemp(page)
            known[page, section] = observe(PAGES[page].sections[section], folder)
        return known[page, section]

    return look
