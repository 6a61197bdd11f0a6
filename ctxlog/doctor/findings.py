"""
What was found, and what to write about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

#: How a finding counts: it is well; the user may want more; the user has to do more.
Kind = Literal["ok", "note", "todo"]

#: Where in a file lines are to be put: at its beginning; where all else has been set
#: up; in place of what is there; or in no file at all.
At = Literal["top", "end", "instead", "command line"]


@dataclass(frozen=True)
class Step:
    """
    Lines to write.

    Attributes:
        lines: The lines, without indentation.
        place: Where they go, in words: `at the top of shop.py`.
        at: The same for programs.
        file: The file, if there is one.
        line: The number of the line that they replace, with `at="instead"`.
    """

    lines: tuple[str, ...]
    place: str
    at: At
    file: str | None = None
    line: int | None = None


@dataclass(frozen=True)
class Finding:
    """
    One thing that was found.

    Attributes:
        kind: Whether there is something to do.
        what: A sentence.
        where: What it is about: a logger, an object, a file.
        why: What follows from it, as a sentence; None if that is plain.
        options: Options of `configure()` that mend it. Those of all findings make one
            call.
        step: Lines that mend it, beside the options.
    """

    kind: Kind
    what: str
    where: str | None = None
    why: str | None = None
    options: Mapping[str, object] | None = None
    step: Step | None = None


@dataclass(frozen=True)
class Report:
    """
    All that was found about an application.

    Attributes:
        subject: The application, as it was named, or the directory.
        findings: What was found.
        steps: What to write, in the order in which it runs.
    """

    subject: str
    findings: list[Finding]
    steps: list[Step] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 if all is well, 1 if there is something to do."""
        return int(any(one.kind == "todo" for one in self.findings))


def merged_options(findings: Iterable[Finding]) -> dict[str, object] | None:
    """Return the options of `configure()` that all findings need; None if none does."""
    wanted = [one.options for one in findings if one.options is not None]
    if not wanted:
        return None
    merged: dict[str, object] = {}
    for options in wanted:
        for name, value in options.items():
            known = merged.get(name)
            if isinstance(known, list) and isinstance(value, list):
                value = [*known, *(one for one in value if one not in known)]
            merged[name] = value
    return merged
