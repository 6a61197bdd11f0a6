"""
A program that PyInstaller has made an executable of, with no option for ctxlog's sake.
"""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import clean_environment, load_line, need

need("PyInstaller", "structlog", "loguru", "flask")

PROGRAM = """
import logging
import sys
import threading

import structlog
from loguru import logger

import ctxlog

if sys.argv[1:]:
    from ctxlog.__main__ import main

    sys.exit(main())

ctxlog.configure(format="json", caller=True)
log = logging.getLogger("shop")


def adapter(name):
    try:
        return getattr(ctxlog.servers, name).__name__
    except ctxlog.MissingDependencyError as error:
        return str(error)


def serve():
    log.info("stdlib")
    ctxlog.run({}, log.info, "passed on")
    structlog.get_logger().info("structlog")
    logger.info("loguru")
    thread = threading.Thread(target=log.info, args=("thread",))
    thread.start()
    thread.join()
    log.info("version", extra={"is": ctxlog.__version__})
    log.info("asgi", extra={"is": adapter("asgi")})
    log.info("flask", extra={"is": adapter("flask")})
    raise ValueError("crash")


ctxlog.run({"requestID": "req-A"}, serve)
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The executable."""
    folder = tmp_path_factory.mktemp("frozen")
    (folder / "program.py").write_text(PROGRAM, encoding="utf-8")
    subprocess.run(
        [sys.executable, "-Im", "PyInstaller", "--log-level", "WARN", "program.py"],
        cwd=folder,
        check=True,
        timeout=300,
    )
    return folder / "dist" / "program" / "program"


@pytest.fixture(scope="module")
def lines(program: Path) -> dict[str, dict[str, Any]]:
    """Return the lines written, by message."""
    done = _run(program)
    written = [load_line(line) for line in done.stdout.splitlines()]
    return {line["message"]: line for line in written}


def _run(program: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program, *args],
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


# The first test that asks for the program builds it.
@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    "message", ["stdlib", "structlog", "loguru", "thread", "Uncaught exception"]
)
def test_lines_are_stamped(lines: dict[str, dict[str, Any]], message: str) -> None:
    """All loggers, threads and the crash report write lines with the request's id."""
    assert lines[message]["requestID"] == "req-A"


@pytest.mark.timeout(400)
@pytest.mark.parametrize("message", ["stdlib", "passed on", "structlog", "loguru"])
def test_callers_are_the_programs(
    lines: dict[str, dict[str, Any]], message: str
) -> None:
    """Its code has paths that are not those of files."""
    caller = lines[message]["caller"]
    assert (caller["file"], caller["function"]) == ("program.py", "serve")


@pytest.mark.timeout(400)
def test_the_version_is_known(lines: dict[str, dict[str, Any]]) -> None:
    """`ctxlog.__version__` is the version that was frozen."""
    assert lines["version"]["is"] == metadata.version("ctxlog-json")


@pytest.mark.timeout(400)
def test_adapters_are_there(lines: dict[str, dict[str, Any]]) -> None:
    """An adapter that the program looks up by attribute is in the executable."""
    assert lines["asgi"]["is"] == "ctxlog.servers.asgi"


@pytest.mark.timeout(400)
def test_libraries_that_the_program_does_not_use_stay_out(
    lines: dict[str, dict[str, Any]],
) -> None:
    """A framework that is installed and not imported is not frozen for its adapter."""
    assert "pip install 'ctxlog-json[flask]'" in lines["flask"]["is"]


@pytest.mark.timeout(400)
def test_the_command_line_works(program: Path, tmp_path: Path) -> None:
    """A program that calls ctxlog's command line has its commands."""
    log = tmp_path / "app.log"
    log.write_text(
        '{"timestamp":"2026-01-31T12:00:00.000Z","level":"INFO","requestID":"req-A",'
        '"message":"served","logger":"shop"}\n',
        encoding="utf-8",
    )
    done = _run(program, "show", str(log))
    assert done.returncode == 0, done.stderr
    assert "served" in done.stdout
