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


def _cell(part: str, found: Mapping[str, Any]) -> str:
    if found["problems"]:
        return f"{len(found['problems'])} wrong"
    if part.startswith("off"):
        return "nothing left"
    return f"{found['lines']} lines" if found["lines"] > 1 else "right"


def table(results: Results, known: Mapping[tuple[str, str], list[str]]) -> str:
    """
    Two rows for each library: set up before ctxlog, and after it.

    A cell that this run has not measured keeps its known value.
    """
    rows = [["Library", "set up", *PARTS.values()], ["---"] * (len(PARTS) + 2)]
    for library in LIBRARIES:
        for mode in MODES:
            cells = known.get((library.name, mode), ["not run"] * len(PARTS))
            for number, part in enumerate(PARTS):
                measured = results.get((library.name, part))
                if measured is not None:
                    cells[number] = _cell(part, measured[mode])
            rows.append([library.name, mode, *cells])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _rows(section: str) -> dict[tuple[str, str], list[str]]:
    rows = [line[2:-2].split(" | ") for line in section.split("\n") if line[:2] == "| "]
    return {(row[0], row[1]): row[2:] for row in rows if len(row) == len(PARTS) + 2}


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
    versions = (
        f"Written by `tox -e company -- --write` on {platform.system()}, with CPython "
        f"{platform.python_version()} and {_versions()}."
    )
    page = PAGE.read_text(encoding="utf-8")
    pattern = re.compile(
        rf"<!-- begin {python} -->.*?<!-- end {python} -->\n", re.DOTALL
    )
    before = pattern.search(page)
    same = before is not None and versions in before[0]
    rows = table(results, _rows(before[0]) if before is not None and same else {})
    section = (
        f"<!-- begin {python} -->\n## Python {python}\n\n"
        f"{versions}\n\n{rows}\n<!-- end {python} -->\n"
    )
    if before is not None:
        page = pattern.sub(lambda _: section, page)
    else:
        page = f"{page.rstrip()}\n\n{section}"
    PAGE.write_text(page, encoding="utf-8")
    return PAGE
