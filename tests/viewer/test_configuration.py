"""
The configuration file of the viewer: names of fields, and how lines look.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest

from ctxlog.__main__ import main
from ctxlog.viewer import read
from ctxlog.viewer.commands._configuration import _KEYS
from ctxlog.viewer.query.watch import Watch
from ctxlog.viewer.recognize.keys import Names
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


SERVICES = """
[services]
"api-*.log" = "api"
worker = "jobs"
"worker-mail.log" = "mail"
"shop/logs/" = "shop"
"*" = "others"
"""


@pytest.mark.parametrize(
    ("file", "service"),
    [
        ("api-1.log", "api"),
        ("web/api-2.log", "api"),
        ("worker.log", "jobs"),
        ("worker-7.log.1", "jobs"),
        ("worker-mail.log", "mail"),
        ("shop/logs/a/app.log", "shop"),
        ("myshop/logs/app.log", "others"),
        ("API-1.log", "others"),
    ],
)
@pytest.mark.parametrize("place", ["ctxlog.toml", "pyproject.toml"])
def test_the_service_of_a_file(
    folder: Path, file: str, service: str, place: str, capsys: Captured
) -> None:
    """
    By its name, by a pattern, or by how it begins; the first counts, but for a name.
    """
    head = "tool.ctxlog." if place == "pyproject.toml" else ""
    text = SERVICES.replace("[services]", f"[{head}services]")
    (folder / place).write_text(text, encoding="utf-8")
    log = folder / file
    log.parent.mkdir(parents=True, exist_ok=True)
    line = {**LINE, "requestID": "r-1", "timestamp": "2026-01-31T12:00:00Z"}
    log.write_text(json.dumps(line), encoding="utf-8")
    assert main(["show", str(log)]) == 0
    assert f"service={service}\n" in capsys.readouterr().out
    assert main(["timeline", "-r", "r-1", str(log)]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith(f"{service}  |")


@pytest.mark.parametrize(
    "own",
    [
        {"service": "own"},
        {"service.name": "own"},
        {"app": "own"},
        {"dd.service": "own"},
    ],
)
def test_what_a_line_says_of_its_service_wins(
    folder: Path, own: dict[str, str], capsys: Captured
) -> None:
    """
    It knows better than the name of its file.
    """
    (folder / "ctxlog.toml").write_text(SERVICES, encoding="utf-8")
    lines = [{**LINE, "requestID": "r-1"}, {**LINE, "requestID": "r-1", **own}]
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    (folder / "api-1.log").write_text(text, encoding="utf-8")
    assert main(["show", "../api-1.log", "-r", "r-1"]) == 0
    _, first, second = capsys.readouterr().out.splitlines()
    assert ("service=api" in first, "service=api" in second) == (True, False)


def test_each_file_has_its_service(folder: Path, capsys: Captured) -> None:
    """
    Also where the lines of several are one request, and outside of requests.
    """
    (folder / "ctxlog.toml").write_text(SERVICES, encoding="utf-8")
    for number, name in enumerate(("api-1.log", "worker.log", "api-2.log")):
        at = {"timestamp": f"2026-01-31T12:00:0{number}Z"}
        lines = [{**at, "requestID": "r-1", "level": "ERROR"}, {**at, "level": "ERROR"}]
        text = "".join(f"{json.dumps(line)}\n" for line in lines)
        (folder / name).write_text(text, encoding="utf-8")
    names = ["../api-1.log", "../worker.log", "../api-2.log"]
    expected = ["api", "jobs", "api"]
    assert main(["show", *names, "--errors"]) == 0
    assert re.findall(r"service=(\w+)", capsys.readouterr().out) == expected * 2
    assert main(["tree", *names, "-r", "r-1"]) == 0
    assert set(re.findall(r"api|jobs|worker", capsys.readouterr().out)) <= {*expected}


@pytest.mark.parametrize(
    "asked",
    [
        ["-g", "service=jobs"],
        ["-g", "(?i)SERVICE=JOBS"],
        ["-g", "=jobs|nothing"],
        ["--field", "service=jobs"],
    ],
    ids=str,
)
def test_a_service_of_a_file_is_found(
    folder: Path, asked: list[str], capsys: Captured
) -> None:
    """
    What is shown of a line's service is found, though it does not stand on the line.
    """
    (folder / "ctxlog.toml").write_text(SERVICES, encoding="utf-8")
    for number, name in enumerate(("api-1.log", "worker.log")):
        line = {**LINE, "requestID": f"r-{number}", "level": "ERROR"}
        (folder / name).write_text(f"{json.dumps(line)}\n", encoding="utf-8")
    names = ["../api-1.log", "../worker.log"]
    assert main(["show", *names, *asked]) == 0
    shown = capsys.readouterr().out
    assert ("r-0" in shown, "r-1" in shown) == (False, True)
    assert main(["top", *names, *asked, "--json"]) == 0
    assert '"r-1"' in capsys.readouterr().out


def test_a_line_that_is_followed_has_the_service_of_its_file() -> None:
    """
    Each of the files that are followed has its own.
    """
    watch = Watch(Names(services=(("api-*", "api"),)), [])
    line = json.dumps({"requestID": "r-1", "message": "x"}).encode()
    records = [watch.add(name, line)[0].record for name in ("a/api-1.log", "b.log")]
    assert [one and one.says("service") for one in records] == ["api", None]


@pytest.mark.parametrize("wrong", ["1", "[]", '{ "a" = 1 }', '{ "" = "a" }'])
def test_a_wrong_table_of_services(folder: Path, wrong: str, capsys: Captured) -> None:
    """
    It is told in one sentence.
    """
    (folder / "ctxlog.toml").write_text(f"services = {wrong}", encoding="utf-8")
    assert main(["show", "../app.log"]) == 2
    assert "services" in capsys.readouterr().err


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
        ('tz = "Moon"', "ctxlog.toml: tz: 'Moon' (expected a time zone"),
        ("hide = " + "[" * 100_000, "'nested too deeply' (expected TOML, as UTF-8)"),
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


def test_a_list_on_the_command_line_replaces_that_of_the_file(
    folder: Path, capsys: Captured
) -> None:
    """
    As options that have one value do.
    """
    text = "id-field = 'CorrelationKey'\nmessage-field = 'm'\nhide = ['order']"
    (folder / "ctxlog.toml").write_text(text, encoding="utf-8")
    assert "order=" not in _shown(capsys)[1]
    assert "order=o-7" in _shown(capsys, "--hide", "t1")[1]


def test_an_option_wins_that_says_what_is_the_default_without_a_file(
    folder: Path, capsys: Captured
) -> None:
    """
    `--color auto` is an answer to a file that says always.
    """
    text = TEXT + "color = 'always'"
    (folder / "ctxlog.toml").write_text(text, encoding="utf-8")
    assert "\x1b" in _shown(capsys)[0]
    assert "\x1b" not in _shown(capsys, "--color", "auto")[0]


@pytest.mark.parametrize(
    "text",
    [
        "[ tool . ctxlog ]\nid-field = 'CorrelationKey'",
        "[tool.'ctxlog']\nid-field = 'CorrelationKey'",
        "[tool]\nx = 1\nctxlog = {id-field = 'CorrelationKey'}",
        "tool.ctxlog.id-field = 'CorrelationKey'",
    ],
)
def test_every_spelling_of_the_table(folder: Path, text: str, capsys: Captured) -> None:
    """
    Whatever TOML allows is the table of a pyproject.toml.
    """
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    assert _shown(capsys)[0].startswith("k-1")


@pytest.mark.parametrize(
    "text", ["[tool.ctxlog-more]\n= x", "dependencies = ['ctxlog'\n= x"]
)
def test_what_is_wrong_in_the_rest_of_a_pyproject(
    folder: Path, text: str, capsys: Captured
) -> None:
    """
    It is not ours to tell where no table is ours.
    """
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    assert _shown(capsys, "--id-field", "CorrelationKey")[0].startswith("k-1")


def test_a_value_in_place_of_the_table(folder: Path, capsys: Captured) -> None:
    """
    It is told, and not treated as missing.
    """
    (folder / "pyproject.toml").write_text("tool.ctxlog = 1", encoding="utf-8")
    assert main(["show", "../app.log"]) == 2
    assert "tool.ctxlog: 1 (expected a table)" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["show", "--help"]])
def test_help_reads_no_file(folder: Path, words: list[str], capsys: Captured) -> None:
    """
    It is there when the file is broken.
    """
    (folder / "ctxlog.toml").write_text("= x", encoding="utf-8")
    try:
        code: object = main(words)
    except SystemExit as end:
        code = end.code
    assert code == 0
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(sys.version_info >= (3, 11), reason="Python reads TOML itself")
def test_a_file_without_what_reads_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    """
    Before Python 3.11 the sentence says what to install.
    """
    monkeypatch.delattr(read, "toml", raising=False)
    monkeypatch.delitem(sys.modules, "ctxlog.viewer.read.toml", raising=False)
    monkeypatch.setitem(sys.modules, "tomli", None)
    (folder / "ctxlog.toml").write_text(TEXT, encoding="utf-8")
    assert main(["show", "../app.log"]) == 2
    assert "ctxlog-json[cli]" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="a folder in use stays there")
def test_a_working_directory_that_was_removed(folder: Path, capsys: Captured) -> None:
    """
    Nothing is configured there, and a file elsewhere is read.
    """
    gone = folder / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    file = str(folder / "app.log")
    assert main(["show", file, "--id-field", "CorrelationKey"]) == 0
    assert capsys.readouterr().out.startswith("k-1")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_is_no_file(folder: Path, capsys: Captured) -> None:
    """
    It is not waited for.
    """
    os.mkfifo(folder / "ctxlog.toml")
    assert _shown(capsys, "--id-field", "CorrelationKey")[0].startswith("k-1")


def test_the_example_of_the_page(folder: Path, capsys: Captured) -> None:
    """
    The file in docs/viewer.md is one that commands take, and the page has every key.
    """
    page = Path(__file__).parents[2] / "docs" / "viewer.md"
    section = page.read_text(encoding="utf-8").split("## Configuration file")[1]
    section = section.split("\n## ")[0]
    example = re.search(r"```toml\n(.*?)```", section, re.DOTALL)
    assert example is not None
    (folder / "ctxlog.toml").write_text(example[1], encoding="utf-8")
    assert _shown(capsys)[0].startswith("k-1")
    assert [key for key in _KEYS if key not in section] == []
