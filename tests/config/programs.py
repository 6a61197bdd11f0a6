"""
Programs that configure logging in a process of their own, and what they print.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.helpers import load_line, run_python


class Printed:
    """The output of a program: its lines on standard output, and the rest."""

    def __init__(self, out: str, err: str) -> None:
        self.lines = [load_line(line) for line in out.splitlines()]
        self.err = err

    @property
    def messages(self) -> list[str]:
        """The messages of the application's lines."""
        return [one["message"] for one in self.lines if one["logger"] != "ctxlog"]

    @property
    def warnings(self) -> list[str]:
        """The messages of ctxlog's own warnings."""
        return [one["message"] for one in self.lines if one["logger"] == "ctxlog"]


def run_program(source: str, tmp_path: Path, **options: Any) -> Printed:
    """Run *source* in a fresh process: every line on standard output must be JSON."""
    (tmp_path / "program.py").write_text(source)
    done = run_python("program.py", cwd=tmp_path, **options)
    return Printed(done.stdout, done.stderr)
