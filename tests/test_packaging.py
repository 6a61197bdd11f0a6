"""
What is installed is what the project says it ships.

The checks that only make sense for the built wheel run under tox, which installs one.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import ctxlog
from tests.helpers import ROOT

under_tox = pytest.mark.skipif(
    "TOX_ENV_NAME" not in os.environ, reason="only tox tests the built wheel"
)


def _classified_pythons() -> list[str]:
    classifiers = metadata.metadata("ctxlog-json").get_all("Classifier") or []
    found = [re.fullmatch(r".* :: Python :: (3\.\d+)", one) for one in classifiers]
    return [one[1] for one in found if one]


@under_tox
def test_the_wheel_is_tested_and_not_the_checkout() -> None:
    """Under tox the package comes from site-packages."""
    package = Path(ctxlog.__file__).resolve().parent
    assert package.parent.name == "site-packages"
    assert package != ROOT / "ctxlog"


@under_tox
def test_the_wheel_holds_the_package_as_it_is() -> None:
    """Every file of the package is in the wheel, byte for byte, and no test is."""
    package = Path(ctxlog.__file__).parent
    for path in (ROOT / "ctxlog").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            shipped = package / path.relative_to(ROOT / "ctxlog")
            assert shipped.read_bytes() == path.read_bytes(), path
    files = {str(file) for file in metadata.files("ctxlog-json") or ()}
    assert {file for file in files if file.startswith(("tests", "examples"))} == set()


@under_tox
def test_the_wheel_carries_the_shop() -> None:
    """The example shop has one source, and the wheel's demo has all of it."""
    shop = ROOT / "examples" / "shop"
    shipped = Path(ctxlog.__file__).parent / "demo" / "shop"
    names = {path.relative_to(shop).as_posix() for path in shop.rglob("*.py")}
    assert names, "examples/shop is empty"
    for name in names:
        assert (shipped / name).read_bytes() == (shop / name).read_bytes(), name


def test_types_are_shipped() -> None:
    """The package says that its annotations may be relied on."""
    assert (Path(ctxlog.__file__).parent / "py.typed").is_file()


def test_version_is_the_newest_in_the_changelog() -> None:
    """The version, installed and in `__version__`, heads the changelog with its day."""
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    first, newest, *_ = re.findall(r"^## (.*)$", changelog, flags=re.MULTILINE)
    assert first == "[Unreleased]"
    version = metadata.version("ctxlog-json")
    assert re.fullmatch(rf"\[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d", newest)
    assert re.fullmatch(r"\d+\.\d+\.\d+(?:rc\d+)?", version)
    assert version == ctxlog.__version__


def test_only_two_libraries_are_required() -> None:
    """Without extras ctxlog installs python-json-logger, and orjson on CPython."""
    required = [
        one for one in metadata.requires("ctxlog-json") or () if "extra ==" not in one
    ]
    names = sorted(re.split(r"[^\w-]", one, maxsplit=1)[0] for one in required)
    assert names == ["orjson", "python-json-logger"]
    (orjson,) = (one for one in required if one.startswith("orjson"))
    assert "platform_python_implementation" in orjson


def test_every_extra_that_an_error_names_exists() -> None:
    """An extra that `MissingDependencyError` names is one of the distribution."""
    extras = set(metadata.metadata("ctxlog-json").get_all("Provides-Extra") or ())
    named: set[str] = set()
    for path in Path(ctxlog.__file__).parent.rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        calls = r'requires\("([^"]+)"(?:, extra="([^"]+)")?\)'
        named |= {extra or library for library, extra in re.findall(calls, source)}
    assert named <= extras


def test_pythons_agree() -> None:
    """Classifiers, `requires-python`, tox and CI speak of the same versions."""
    classified = _classified_pythons()
    requires = metadata.metadata("ctxlog-json")["Requires-Python"]
    assert requires == f">={classified[0]}"
    tox = (ROOT / "tox.ini").read_text(encoding="utf-8")
    (pythons,) = re.findall(r"^    pythons = (.*)$", tox, flags=re.MULTILINE)
    in_tox = re.findall(r"3\.\d+", pythons)
    assert in_tox == [one for one in classified if one in in_tox]
    assert in_tox[0] == classified[0]
    workflow = ROOT / ".github" / "workflows" / "ci.yml"
    matrix = re.search(r"python: \[(.*)\]", workflow.read_text(encoding="utf-8"))
    assert matrix is not None
    # A Python that is run there and not yet classified comes last.
    assert re.findall(r"3\.\d+", matrix[1])[: len(classified)] == classified


def test_the_command_line_starts() -> None:
    """The console script `ctxlog` and `python -m ctxlog` both show their help."""
    (script,) = metadata.entry_points(group="console_scripts", name="ctxlog")
    assert script.value == "ctxlog.__main__:main"
    for arguments in (
        ["-m", "ctxlog"],
        ["-c", f"from {script.module} import {script.attr} as m; m()"],
    ):
        done = subprocess.run(
            [sys.executable, "-I", *arguments, "--help"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "usage" in done.stdout.lower()


def test_what_coverage_leaves_out_is_explained() -> None:
    """Every line that is kept out of the coverage count says why, beside the mark."""
    unexplained = [
        f"{path.name}:{number}"
        for path in Path(ctxlog.__file__).parent.rglob("*.py")
        for number, line in enumerate(
            path.read_text(encoding="utf-8").splitlines(), start=1
        )
        if re.search(r"pragma: no (cover|branch)\s*$", line)
    ]
    assert unexplained == []


def test_ci_runs_the_command_of_the_readme() -> None:
    """`.ci/run` runs the test command that the README and CONTRIBUTING give."""
    command = "python -m venv .venv && .venv/bin/pip install -q tox && .venv/bin/tox"
    for name in (".ci/run", "README.md", "CONTRIBUTING.md"):
        lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
        assert command in [line.strip() for line in lines], name
