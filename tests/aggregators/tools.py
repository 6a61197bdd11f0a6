"""
Command line tools of stores, as scripts that print what they are told.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

_SCRIPT = """\
#!{python} -IS
import os, sys
here = {here!r}
name = {name!r}
with open(f"{{here}}/{{name}}.calls", "a") as calls:
    calls.write(" ".join(sys.argv[1:]) + "\\n")
def said(kind, when):
    try:
        with open(f"{{here}}/{{name}}.{{kind}}.{{when}}", "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None
failure = said("fails", "")
if failure is not None:
    os.write(2, failure)
    sys.exit(1)
words = [word.replace("/", "_") for word in sys.argv[1:]]
for when in (*words, ""):
    printed = said("prints", when)
    if printed is not None:
        sys.stdout.buffer.write(printed)
        sys.stdout.flush()
        sys.stderr.buffer.write(said("errors", when) or b"")
        sys.stderr.flush()
        break
while said("forever", ""):
    os.write(1, printed)
"""


class Tool:
    """
    A program on `PATH`.

    Args:
        name: Its name.
        folder: Where it may keep files.
        monkeypatch: Puts it on `PATH`.
    """

    def __init__(
        self, name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self._folder, self._name = folder, name
        (folder / "bin").mkdir(exist_ok=True)
        self.path = folder / "bin" / name
        script = _SCRIPT.format(python=sys.executable, here=str(folder), name=name)
        self.path.write_text(script)
        self.path.chmod(0o755)
        monkeypatch.setenv("PATH", str(folder / "bin"))

    def prints(
        self,
        *lines: bytes,
        errors: bytes = b"",
        when: str = "",
        forever: bool = False,
    ) -> None:
        """Let it print lines, if one of its arguments is *when*; else in any case."""
        self._say("prints", when, b"".join(lines))
        self._say("errors", when, errors)
        if forever:
            self._say("forever", "", b"1")

    def fails(self, error: str) -> None:
        """Let it print an error and end with 1."""
        self._say("fails", "", error.encode())

    def _say(self, kind: str, when: str, text: bytes) -> None:
        path = self._folder / f"{self._name}.{kind}.{when.replace('/', '_')}"
        path.write_bytes(text)

    def calls(self) -> list[str]:
        """The arguments of each of its calls."""
        text = (self._folder / f"{self._name}.calls").read_text()
        return text.splitlines()
