"""
The pictures of terminals in the README and docs/viewer.md: commands in a terminal.

    python benchmarks/terminal_pictures.py

Each command runs in a pseudo-terminal of the width that its picture has; what it
prints, colors included, becomes the picture. Needs rich and a POSIX system.
"""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import sys
import tempfile
import termios
from pathlib import Path

from made_up_shop import lines, written
from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

_ROOT = Path(__file__).resolve().parent.parent
_PICTURES = _ROOT / "docs" / "pictures"
#: Without the fonts of another site, which rich's own has.
_SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">
<style>
.{unique_id}-matrix {{ font-family: Menlo, Consolas, "DejaVu Sans Mono", monospace;
font-size: {char_height}px; line-height: {line_height}px; }}
{styles}
</style>
<defs>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})">
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
"""
_CONSOLE = """\
import logging

import ctxlog

ctxlog.configure()
log = logging.getLogger("shop.orders")


def order(user, items):
    ctxlog.bind(user={"id": f"u-{user}", "name": user})
    log.info("order received", extra={"items": items})
    if items > 2:
        log.warning("stock is low", extra={"sku": "A-4711", "left": 2})
    try:
        if user == "bob":
            raise ValueError("card declined")
        log.info("card charged", extra={"amount": items * 12.5})
    except ValueError:
        log.exception("payment refused", extra={"code": 402})


for number, (user, items) in enumerate([("alice", 3), ("bob", 1), ("carol", 2)], 1):
    ctxlog.run({"requestID": f"req-{number}"}, order, user, items)
"""


def _printed(command: list[str], width: int, folder: Path) -> str:
    """Return what a command prints in a terminal of some width."""
    process, terminal = pty.fork()
    if not process:
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 60, width, 0, 0))
        os.chdir(folder)
        os.environ |= {"TERM": "xterm-256color", "PAGER": "cat"}
        os.environ.pop("COLUMNS", None)
        os.execv(sys.executable, [sys.executable, *command])
    parts = []
    try:
        while part := os.read(terminal, 65_536):
            parts.append(part)
    except OSError:  # the terminal is closed
        pass
    os.waitpid(process, 0)
    return b"".join(parts).decode().replace("\r\n", "\n")


def _picture(name: str, shown: list[str], width: int, folder: Path) -> None:
    """Make a picture of a command, whose first word is `ctxlog` or `python`."""
    program, *words = shown
    command = ["-m", "ctxlog", *words] if program == "ctxlog" else words
    text = Text.from_ansi(_printed(command, width, folder).rstrip())
    wide = [line.plain for line in text.split() if line.cell_len > width]
    if wide:
        raise ValueError(f"{name}: wider than its terminal: {wide[0]}")
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=width, file=nowhere)
        console.print(Text(f"$ {' '.join(shown)}", "bold"), soft_wrap=True)
        console.print(text, soft_wrap=True)
        svg = console.export_svg(
            title="", theme=DIMMED_MONOKAI, code_format=_SVG, unique_id=name
        )
    (_PICTURES / f"{name}.svg").write_text(svg, encoding="utf-8")
    print(f"{name}: {len(svg)} bytes")


def main() -> None:
    """Make the pictures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        written(folder / "logs", lines())
        (folder / "shop.py").write_text(_CONSOLE, encoding="utf-8")
        _picture("console", ["python", "shop.py"], 120, folder)
        one = ["logs/", "-r", "0966b1"]
        for width in (80, 120, 200):
            _picture(f"show-{width}", ["ctxlog", "show", *one], width, folder)
        _picture("top", ["ctxlog", "top", "logs/", "-n", "6"], 100, folder)
        over = ["ctxlog", "top", "logs/", "--over", "30s"]
        _picture("top-over", over, 100, folder)
        _picture("tree", ["ctxlog", "tree", *one], 110, folder)
        _picture("timeline", ["ctxlog", "timeline", *one], 110, folder)


if __name__ == "__main__":
    main()
