"""
The wheel and the archive of the source: built, checked, and installed from nothing.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from tests.helpers import ROOT, clean_environment
from tests.test_docs import Block, blocks, difference

VERSION = metadata.version("ctxlog-json")


def _run(*command: object, cwd: Path = ROOT) -> str:
    """Run a program and return what it printed; fail the test if it fails."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=240,
        check=False,
    )
    if done.returncode != 0:
        pytest.fail(f"{command[0]}: exit status {done.returncode}\n{done.stdout}")
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of the source, and the wheel that is built from it."""
    folder = tmp_path_factory.mktemp("dist")
    _run(sys.executable, "-Im", "build", "--outdir", folder, ROOT)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    """The wheel."""
    (found,) = built.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def source(built: Path) -> Path:
    """The archive of the source."""
    (found,) = built.glob("*.tar.gz")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment with the wheel and what it requires."""
    folder = tmp_path_factory.mktemp("empty")
    _run(sys.executable, "-Im", "venv", folder)
    programs = folder / ("Scripts" if sys.platform == "win32" else "bin")
    _run(programs / "python", "-Im", "pip", "install", "-q", wheel)
    return programs


def _described(text: bytes) -> tuple[str, str]:
    """Return the version of a description, and the README in it."""
    head, _, readme = text.decode("utf-8").partition("\n\n")
    fields = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)
    return fields["Version"], readme


def test_names_say_the_version(wheel: Path, source: Path) -> None:
    """Both files are named after the distribution and its version, for any system."""
    assert wheel.name == f"ctxlog_json-{VERSION}-py3-none-any.whl"
    assert source.name == f"ctxlog_json-{VERSION}.tar.gz"


def test_the_index_takes_them(built: Path) -> None:
    """The descriptions render, and no field is one that PyPI refuses."""
    found = sorted(built.iterdir())
    _run(sys.executable, "-Im", "twine", "check", "--strict", *found)


def test_the_wheel_holds_what_it_should(wheel: Path) -> None:
    """The wheel has no tests, no caches, nothing twice and nothing out of place."""
    _run(sys.executable, "-Im", "check_wheel_contents", wheel)


def test_both_show_the_readme(wheel: Path, source: Path) -> None:
    """The description of both is the README, of this version."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read(f"ctxlog_json-{VERSION}.dist-info/METADATA")
    with tarfile.open(source) as packed:
        member = packed.extractfile(f"ctxlog_json-{VERSION}/PKG-INFO")
        assert member is not None
        other = member.read()
    for version, shown in map(_described, (text, other)):
        assert version == VERSION
        assert shown.strip() == readme.strip()


def test_the_source_is_all_that_git_has(source: Path) -> None:
    """The archive has what the repository has, and only that."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no repository: the archive was made elsewhere")
    kept = set(_run("git", "ls-files").splitlines())
    with tarfile.open(source) as packed:
        names = {one.name.partition("/")[2] for one in packed if one.isfile()}
    assert names - {"PKG-INFO"} == kept


def _program() -> Block:
    page = ROOT / "README.md"
    (first, *_) = blocks(page, page.read_text(encoding="utf-8"))
    return first


def test_the_program_of_the_readme_runs(installed: Path, tmp_path: Path) -> None:
    """In an environment with the wheel only, the README's program prints its lines."""
    block = _program()
    script = tmp_path / "program.py"
    script.write_text(block.source, encoding="utf-8")
    printed = _run(installed / "python", "-I", script, cwd=tmp_path)
    assert block.output is not None
    assert difference(block.output, printed) is None


def test_the_command_says_its_version(installed: Path, tmp_path: Path) -> None:
    """The command of the wheel, with no extra, says the version and reads a file."""
    assert _run(installed / "ctxlog", "--version", cwd=tmp_path).split()[-1] == VERSION
    file = tmp_path / "app.log"
    file.write_text('{"requestID":"req-A","level":"INFO","message":"served"}\n')
    assert "served" in _run(installed / "ctxlog", "show", file, cwd=tmp_path)


def test_requirements_are_met(installed: Path, tmp_path: Path) -> None:
    """pip finds nothing missing and nothing in conflict."""
    _run(installed / "python", "-Im", "pip", "check", cwd=tmp_path)
