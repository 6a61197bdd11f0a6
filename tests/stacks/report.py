"""
The table of `docs/stacks.md`: only what this run has measured, with its versions.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from tests.helpers import ROOT
from tests.stacks.driver import STEPS, Cell, Measured, Stack

__all__ = ["PAGE", "summary", "table", "write"]

PAGE = ROOT / "docs" / "stacks.md"


def summary(cell: Cell) -> str:
    """One cell: how many lines, and what is not right with them."""
    text = f"{cell.right}/{cell.seen}"
    if cell.wrong:
        text += f", {cell.wrong} wrong"
    if cell.missing:
        text += f", {cell.missing} missing"
    return text


def table(stacks: list[Stack], results: Mapping[str, Measured]) -> str:
    """All stacks, a row each; those without a result say why."""
    version = platform.python_version()
    kinds = list(STEPS)
    rows = [
        ["Stack", *kinds, "lines seen", "right", "wrong", "missing"],
        ["---", *["---"] * len(kinds), *["---:"] * 4],
    ]
    notes: list[str] = []
    for stack in stacks:
        reason = stack.absent_on(version)
        measured = results.get(stack.name)
        if measured is None:
            note = _note(notes, reason) if reason else ""
            cells = ["not run" + note, *[""] * (len(kinds) - 1), *[""] * 4]
        else:
            cells = []
            for kind in kinds:
                marks = [
                    _note(notes, why)
                    for key, why in stack.unreachable.items()
                    if key.partition("/")[0] == kind
                ]
                cell = measured.cells.get(kind)
                cells.append(("-" if cell is None else summary(cell)) + "".join(marks))
            total = sum(measured.cells.values(), Cell())
            counts = (total.seen, total.right, total.wrong, total.missing)
            cells += [str(count) for count in counts]
        rows.append([stack.name, *cells])
    text = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([text, "", *notes]).strip()


def routes(stacks: list[Stack], results: Mapping[str, Measured]) -> str:
    """The stacks that were run, with how many of their lines have the right route."""
    kinds = list(STEPS)
    rows = [["Stack", "Route", *kinds], ["---", "---", *["---"] * len(kinds)]]
    notes: list[str] = []
    for stack in stacks:
        measured = results.get(stack.name)
        if measured is None:
            continue
        cells = []
        for kind in kinds:
            cell = measured.cells.get(kind)
            if cell is None:
                cells.append("-" + _note(notes, stack.unreachable[kind]))
            else:
                cells.append(f"{cell.routed}/{cell.routed + cell.unrouted}")
        rows.append([stack.name, f"`{stack.route}`", *cells])
    text = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([text, "", *notes]).strip()


def _note(notes: list[str], reason: str) -> str:
    for number, note in enumerate(notes, start=1):
        if note.endswith(f" {reason}"):
            return f" ({number})"
    notes.append(f"{len(notes) + 1}. {reason}")
    return f" ({len(notes)})"


def versions(stacks: list[Stack]) -> str:
    """The versions of everything that was measured."""
    names = sorted({name for stack in stacks for name in stack.needs})
    return ", ".join(f"{name} {metadata.version(name)}" for name in names)


def write(stacks: list[Stack], results: Mapping[str, Measured]) -> Path:
    """Put the table of this Python into the page; those of other Pythons stay."""
    python = ".".join(platform.python_version_tuple()[:2])
    run = [stack for stack in stacks if stack.name in results]
    section = (
        f"<!-- begin {python} -->\n"
        f"## Python {python}\n\n"
        "Written by `python -Im pytest tests/stacks --write` (what "
        f"`tox -e stacks -- --write` runs) on {platform.system()}, with CPython "
        f"{platform.python_version()} and {versions(run)}.\n\n"
        f"{table(stacks, results)}\n\n"
        f"### Routes on Python {python}\n\n"
        f"{routes(stacks, results)}\n"
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
