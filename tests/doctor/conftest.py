"""
Small applications in a directory of their own, and the doctor run on them as users do.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import clean_environment, load_line, run_python

#: The last line of a function that makes an application.
_RETURN = "    return app\n"


class Project:
    """
    A directory with an application in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, source: str, name: str = "shop.py") -> None:
        """
        Write a module of the application.
        """
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(source.lstrip("\n"), encoding="utf-8")

    def doctor(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        """
        Run `ctxlog doctor`: return the exit status, the output and the complaints.
        """
        done = run_python(
            *("-m", "ctxlog", "doctor", *arguments),
            cwd=self.folder,
            env=clean_environment(**environment),
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def report(self, *arguments: str, **environment: str) -> dict[str, Any]:
        """
        Return the report as JSON, which has the same exit status as the process.
        """
        status, output, complaints = self.doctor("--json", *arguments, **environment)
        assert status in (0, 1), complaints
        report: dict[str, Any] = json.loads(output)
        assert report["exit"] == status
        return report

    def follow(self, report: Mapping[str, Any]) -> None:
        """
        Write the lines of a report where it says.
        """
        # From the last to the first, so that the numbers of lines hold.
        order = {"end": 0, "instead": 1, "top": 2}
        for step in sorted(report["steps"], key=lambda one: order[one["at"]]):
            self._write(step)

    def _write(self, step: Mapping[str, Any]) -> None:
        path = self.folder / step["file"]
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        new = [f"{line}\n" for line in step["lines"]]
        number = step["line"]
        if "MIDDLEWARE" in step["place"]:
            number = next(i for i, one in enumerate(lines) if "MIDDLEWARE" in one)
            lines[number + 1 : number + 1] = new
        elif step["at"] == "top":
            lines[:0] = new
        elif step["at"] == "instead":
            lines[number - 1 : number] = new
        else:
            if number is not None:
                lines[number - 1] = "\n"
            end = lines.index(_RETURN) if _RETURN in lines else None
            inner = new if end is None else [f"    {line}" for line in new]
            lines[len(lines) if end is None else end : end] = inner
        path.write_text("".join(lines), encoding="utf-8")

    def cure(self, *arguments: str, **environment: str) -> dict[str, Any]:
        """
        Follow the advice, after which all is well; return the report before that.
        """
        before = self.report(*arguments, **environment)
        self.follow(before)
        after = self.report(*arguments, **environment)
        assert todo(after) == []
        return before

    def lines(self, source: str) -> list[dict[str, Any]]:
        """
        Run a program beside the application: return its output, all of it lines.
        """
        before = f"import sys\nsys.path.insert(0, {str(self.folder)!r})\n"
        done = run_python("-c", before + source, cwd=self.folder)
        found = [load_line(line) for line in done.stdout.splitlines()]
        assert done.stderr == ""
        return found


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """
    An empty directory for an application.
    """
    return Project(tmp_path)


def todo(report: Mapping[str, Any]) -> list[str]:
    """
    Return what there is to do, as a report says it.
    """
    return [one["what"] for one in report["findings"] if one["kind"] == "todo"]


def ids(lines: list[dict[str, Any]]) -> Counter[str]:
    """
    Return how many times each message came out with the id of the request.

    The application's: ctxlog says itself which handlers it has taken away.
    """
    return Counter(
        line["message"]
        for line in lines
        if line["requestID"] == "req-A" and line["logger"] != "ctxlog"
    )
