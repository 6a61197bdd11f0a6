"""
The table of `docs/coexistence.md`: only what this run has measured, with its versions.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from tests.company.cases import LIBRARIES, MODES, PARTS
from tests.helpers import ROOT

__all__ = ["PAGE", "table", "write"]

PAGE = ROOT / "docs" / "coexistence.md"

#: By the library and the part: what was found in each mode.
Results = Mapping[tuple[str, str], Mapping[str, Any]]


def _cell(part: str, found: Mapping[str, Any] | None) -> str:
    if found is None:
        return "not run"
    if found["problems"]:
        return f"{len(found['problems'])} wrong"
    if part.startswith("off"):
        return "nothing left"
    return f"{found['lines']} lines" if found["lines"] > 1 else "right"


def table(results: Results) -> str:
    """
    Two rows for each library: set up before ctxlog, and after it.
    """
    rows = [["Library", "set up", *PARTS.values()], ["---"] * (len(PARTS) + 2)]
    for library in LIBRARIES:
        for mode in MODES:
            cells = [
                _cell(part, results.get((library.name, part), {}).get(mode))
                for part in PARTS
            ]
            rows.append([library.name, mode, *cells])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _versions() -> str:
    names = {name for library in LIBRARIES for name in library.needs}
    names |= {"celery", "django", "fastapi", "flask", "httpx", "requests"}
    known = []
    for name in sorted(names):
        try:
            known.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            known.append(f"no {name}")
    return ", ".join(known)


def write(results: Results) -> Path:
    """
    Put the table of this Python into the page; those of other Pythons stay.
    """
    python = ".".join(platform.python_version_tuple()[:2])
    section = (
        f"<!-- begin {python} -->\n"
        f"## Python {python}\n\n"
        "Written by `tox -e company -- --write` on "
        f"{platform.system()}, with CPython {platform.python_version()} and "
        f"{_versions()}.\n\n{table(results)}\n"
        f"<!-- end {python} -->\n"
    )
    page = PAGE.read_text(encoding="utf-8")
    pattern = re.compile(
        rf"<!-- begin {python} -->.*?<!-- end {python} -->\n", re.DOTALL
    )
    if pattern.search(page):
        page = pattern.sub(lambda _: section, page)
    else:
        page = f"{page.rstrip()}\n\n{section}"
    PAGE.write_text(page, encoding="utf-8")
    return PAGE
