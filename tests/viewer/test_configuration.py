"""
The configuration file of the viewer: names of fields, and how lines look.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from ctxlog.__main__ import main
from tests.helpers import need

Captured = pytest.CaptureFixture[str]

LINE = {"t1": "2026-01-31T12:00:00Z", "order": "o-7", "CorrelationKey": "k-1", "m": "x"}
TEXT = """
id-field = "CorrelationKey"
time-field = "t1"
message-field = "m"
hide = ["order"]
tz = "+02:00"
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """
    A project's folder, in which the test is; nothing is configured outside.
    """
    if sys.version_info < (3, 11):
        need("tomli")
    project = tmp_path / "project"
    (project / "logs").mkdir(parents=True)
    (project / "app.log").write_text(json.dumps(LINE) + "\n", encoding="utf-8")
    monkeypatch.chdir(project / "logs")
    for name in ("XDG_CONFIG_HOME", "APPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    return project


def _shown(capsys: Captured, *words: str) -> list[str]:
    assert main(["show", "../app.log", *words]) == 0
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("place", ["ctxlog.toml", "pyproject.toml", "home"])
def test_where_the_file_may_be(folder: Path, place: str, capsys: Captured) -> None:
    """
    In the project, from the working directory upwards, or the user's.
    """
    file, head = folder / place, ""
    if place == "pyproject.toml":
        head = '[project]\nname = "x"\n[tool.ctxlog]\n'
    if place == "home":
        file = folder.parent / "home" / "ctxlog" / "config.toml"
        file.parent.mkdir(parents=True)
    file.write_text(head + TEXT, encoding="utf-8")
    header, line = _shown(capsys)
    assert header.startswith("k-1  2026-01-31T14:00:00.000+02:00")
    assert line.split() == ["+0.0", "x"]


def test_the_nearest_file_counts(folder: Path, capsys: Captured) -> None:
    """
    As a whole: files are not merged.
    """
    (folder / "ctxlog.toml").write_text('hide = ["m"]', encoding="utf-8")
    (folder / "logs" / "ctxlog.toml").write_text(TEXT, encoding="utf-8")
    assert _shown(capsys)[0].startswith("k-1")


def test_options_win(folder: Path, capsys: Captured) -> None:
    """
    What stands on the command line replaces what the file says.
    """
    (folder / "ctxlog.toml").write_text(TEXT, encoding="utf-8")
    assert "12:00:00.000Z" in _shown(capsys, "--tz", "UTC")[0]
    assert _shown(capsys, "--id-field", "order")[0].startswith("o-7")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('colour = "never"', "expected one of the keys: id-field, time-field"),
        ('color = "blue"', "color: 'blue' (expected one of: always, never, auto)"),
        ("hide = 1", "hide: 1 (expected a list of texts)"),
        ('id-field = ""', "id-field: '' (expected a text)"),
        ('id-regex = ["x"]', "id-regex: "),
        ("= x", "(expected TOML, as UTF-8)"),
        ('tz = "Moon"', "--tz: 'Moon'"),
    ],
)
def test_what_is_wrong(folder: Path, text: str, said: str, capsys: Captured) -> None:
    """
    One sentence names the file, the key, and what is allowed.
    """
    (folder / "ctxlog.toml").write_text(text, encoding="utf-8")
    assert main(["show", "../app.log"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.count("\n") == 1


def test_a_pyproject_without_the_table(folder: Path, capsys: Captured) -> None:
    """
    It is any other project's, and the user's file counts.
    """
    (folder / "pyproject.toml").write_text("[tool.ruff]\n", encoding="utf-8")
    file = folder.parent / "home" / "ctxlog" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text(TEXT, encoding="utf-8")
    assert _shown(capsys)[0].startswith("k-1")
