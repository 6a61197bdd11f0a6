"""
Writes docs/command-line.md from the parsers: `python -m tests.command_line_page`.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator

from ctxlog.__main__ import command_of, parsers
from tests.helpers import ROOT

PAGE = ROOT / "docs" / "command-line.md"

_HEAD = """\
# The command line: all commands

`ctxlog`, or `python -m ctxlog`, has the commands below. Each has `-h` and `--help`,
and all but `demo` have `--version`. A command that is wrongly written ends with the
exit code 2, and one sentence says what is wrong.

[Reading log files by request](viewer.md) shows what the readers print, and how
[a file](viewer.md#configuration-file) gives them other defaults.
[`ctxlog ship`](ship.md) is about sending lines, [Requests to look at](web.md) about
pages. This page is made of the parsers: `python -m tests.command_line_page`.

"""


def page() -> str:
    """Return the page."""
    parser, demo, others = parsers()
    for name, other in others.items():
        command_of(name).arguments(other)
    said = {one.dest: one.help or "" for one in _choices(parser)}
    sections = [_HEAD + _tables(parser)]
    for name, command in {"demo": demo, **others}.items():
        sections.append(_section(name, command, said[name]))
    return "\n".join(sections)


def _choices(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Return the commands of the parser, with their sentences."""
    (commands,) = (one for one in parser._actions if one.dest == "command")
    return list(commands._get_subactions())


def _section(name: str, parser: argparse.ArgumentParser, said: str) -> str:
    words = " ".join(_operand(one) for one in parser._actions if not one.option_strings)
    usage = " ".join(["ctxlog", name, "[OPTION ...]", words]).rstrip()
    parts = [f"## ctxlog {name}\n", f"`{usage}`: {said}.\n"]
    if parser.formatter_class is argparse.RawDescriptionHelpFormatter:
        parts.append(f"```text\n{(parser.description or '').strip()}\n```\n")
    elif parser.description:
        parts.append(parser.description + "\n")
    return "\n".join([*parts, _tables(parser)])


def _operand(action: argparse.Action) -> str:
    name = str(action.metavar or action.dest)
    return f"[{name} ...]" if action.nargs == "*" else name


def _tables(parser: argparse.ArgumentParser) -> str:
    return "\n".join(_groups(parser))


def _groups(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield a table for the arguments without a group, and one for each group."""
    standard, titled = parser._action_groups[:2], parser._action_groups[2:]
    tables = [("", [one for group in standard for one in group._group_actions])]
    tables += [
        (f"{group.title}".capitalize(), group._group_actions) for group in titled
    ]
    for title, actions in tables:
        rows = [_row(one) for one in actions if _is_shown(one)]
        if rows:
            head = [f"{title}:", ""] if title else []
            yield "\n".join([*head, "| Argument | Meaning |", "|---|---|", *rows, ""])


def _is_shown(action: argparse.Action) -> bool:
    hidden = action.help is argparse.SUPPRESS or action.dest in ("help", "command")
    return not hidden


def _row(action: argparse.Action) -> str:
    value = action.metavar or "|".join(map(str, action.choices or ()))
    tail = "" if action.nargs == 0 else f" {value}"
    names = ", ".join(f"`{name}{tail}`" for name in action.option_strings)
    said = (action.help or "") % {**vars(action), "prog": "ctxlog"}
    if action.required and names:
        said += "; must be given"
    return f"| {_cell(names or f'`{value}`')} | {_cell(_plain(said))} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _plain(text: str) -> str:
    """Return a text whose characters mean nothing in Markdown."""
    return re.sub(r"([\\*<])", r"\\\1", text)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
