"""
What a page of docs/migrations shows, read off its text.

A page has the sections "Before", "After" and perhaps "Side by side", each of which is
one state of an application. HTML comments right above a block say what it is:

- `<!-- needs: structlog, uvicorn -->`, anywhere: the modules that the page imports.
- `<!-- file: app.py -->`: the block is this file of the section.
- `<!-- change: app.py -->`: the block is a diff of this file of "Before". Lines with a
  minus go, lines with a plus come, `@@` separates the places. Every other line, and
  every one that goes, must stand in the file as shown.

A file of "Before" that a later section does not change is in that section as well.

A `sh` block is what somebody types in the folder, the block below it what is logged
then. A command with `&` at its end starts a server; what that says of its own start and
end is left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from tests.helpers import ROOT

FOLDER = ROOT / "docs" / "migrations"
FIRST = "Before"

_HEADING = re.compile(r"^## (?P<title>.+)$", flags=re.MULTILINE)
_BLOCK = re.compile(
    r"(?:<!--[ ]*(?P<role>file|change):[ ]*(?P<name>\S+)[ ]*-->\n)?"
    r"^```(?P<kind>\w*)\n(?P<body>.*?)^```$",
    flags=re.DOTALL | re.MULTILINE,
)
_NEEDS = re.compile(r"<!--[ ]*needs:[ ]*(.+?)[ ]*-->")


@dataclass
class Section:
    """One state of the application: its files, what is typed, what is logged."""

    title: str
    files: dict[str, str] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)
    log: str = ""

    @property
    def id_header(self) -> str:
        """The header in which the first request has its id."""
        found = re.search(r"-H '([\w-]+): ", self.commands[1])
        assert found is not None, f"{self.title}: the first request has no id"
        return found[1]


@dataclass
class Page:
    """A page of docs/migrations."""

    name: str
    needs: list[str]
    sections: dict[str, Section]


def read(path: Path) -> Page:
    """Read a page."""
    text = path.read_text(encoding="utf-8")
    needs = re.findall(r"[\w.]+", " ".join(_NEEDS.findall(text)))
    sections: dict[str, Section] = {}
    headings = [*_HEADING.finditer(text)]
    ends = [heading.start() for heading in headings[1:]] + [len(text)]
    for heading, end in zip(headings, ends, strict=True):
        first = sections.get(FIRST, Section(FIRST))
        found = _section(heading["title"], text[heading.end() : end], first.files)
        if found.commands:
            sections[found.title] = found
    return Page(path.stem, needs, sections)


def _section(title: str, text: str, before: dict[str, str]) -> Section:
    section = Section(title, dict(before))
    blocks = [*_BLOCK.finditer(text)]
    for number, block in enumerate(blocks):
        name, body = block["name"], block["body"]
        if block["role"] == "file":
            section.files[name] = body
        elif block["role"] == "change":
            section.files[name] = changed(before[name], body)
        elif block["kind"] == "sh":
            assert not section.commands, f"{title}: more than one block of commands"
            section.commands = body.splitlines()
            section.log = blocks[number + 1]["body"]
    return section


def changed(text: str, diff: str) -> str:
    """Return *text* with a diff applied; fail if it has other lines than the diff."""
    lines, done = text.splitlines(), 0
    result: list[str] = []
    for place in re.split(r"^@@.*\n", diff, flags=re.MULTILINE):
        marked = [(line[:1] or " ", line[1:]) for line in place.splitlines()]
        old = [line for mark, line in marked if mark in " -"]
        if not marked:
            continue
        assert {mark for mark, _ in marked} <= set(" -+"), f"no diff: {place}"
        at = [n for n in range(done, len(lines)) if lines[n : n + len(old)] == old]
        assert len(at) == 1, f"is there {len(at)} times:\n{place}"
        result += lines[done : at[0]]
        result += [line for mark, line in marked if mark in " +"]
        done = at[0] + len(old)
    return "\n".join([*result, *lines[done:]]) + "\n"


PAGES = {
    path.stem: read(path)
    for path in sorted(FOLDER.glob("*.md"))
    if path.name != "index.md"
}
