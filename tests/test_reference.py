"""
The reference among the documentation says what the code says.
"""

from __future__ import annotations

import re

from tests import public_names_page
from tests.helpers import ROOT
from tests.test_exports import SOURCES, exported

API = ROOT / "docs" / "api"


def test_the_list_of_public_names_is_written_anew() -> None:
    """`docs/public-names.md` has each name of each `__all__`, with its purpose."""
    written = public_names_page.PAGE.read_text(encoding="utf-8")
    assert written == public_names_page.page()


def test_the_reference_has_exactly_the_public_modules() -> None:
    """Each module with an `__all__` is on one page of `docs/api`, and no other."""
    pages = "".join(page.read_text(encoding="utf-8") for page in API.glob("*.md"))
    documented = re.findall(r"^\.\. public:: (\S+)$", pages, flags=re.MULTILINE)
    public = [module for module, tree in SOURCES.items() if exported(tree) is not None]
    assert sorted(documented) == sorted(public)
