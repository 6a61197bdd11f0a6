"""
Commands made with Typer, Click and argparse under `@ctxlog.entry`, as processes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.helpers import load_line, need, run_python

need("typer", "click", "rich")

BODY = """
    print("never JSON", file=sys.stderr)
    if how.startswith("exit"):
        leave(int(how[4:]))
    if how.startswith("sys"):
        sys.exit(int(how[3:]))
    if how == "text":
        sys.exit("wrong")
    if how == "interrupt":
        raise KeyboardInterrupt
    if how == "usage":
        raise wrong_use("no such order")
    if how == "crash":
        raise ValueError("broken")
"""

START = """
import sys

import ctxlog

ctxlog.configure(format="json")
"""

TYPER = """
import typer

app = typer.Typer(OPTIONS)
wrong_use = typer.BadParameter


def leave(code):
    raise typer.Exit(code) if code else typer.Exit()


@app.command()
@ctxlog.entry
def main(how: str):
"""

CLICK = """
import click

wrong_use = click.BadParameter


def leave(code):
    click.get_current_context().exit(code)


@click.command()
@click.argument("how")
@ctxlog.entry
def app(how):
"""

ARGPARSE = """
import argparse

parser = argparse.ArgumentParser()
parser.add_argument("how")
leave = sys.exit


def wrong_use(text):
    parser.error(text)


@ctxlog.entry
def app():
    how = parser.parse_args().how
"""

OUTSIDE = """
import click

wrong_use = click.BadParameter


def leave(code):
    click.get_current_context().exit(code)


@click.command()
@click.argument("how")
def command(how):
BODY

@ctxlog.entry
def app():
    command()
"""

PROGRAMS = {
    "typer": TYPER.replace("OPTIONS", "") + BODY,
    "typer, plain": TYPER.replace("OPTIONS", "pretty_exceptions_enable=False") + BODY,
    "click": CLICK + BODY,
    "click, inside": OUTSIDE.replace("BODY", BODY),
    "argparse": ARGPARSE + BODY,
}

ORDERS = {
    "configured first": lambda program: START + program,
    "imported first": lambda program: "import typer\n" + START + program,
    "Rich over it": lambda program: (
        START + "import rich.traceback\nrich.traceback.install()\n" + program
    ),
}


def _run(program: str, how: str, tmp_path: Path) -> tuple[int, list[dict[str, Any]]]:
    script = tmp_path / "command.py"
    script.write_text(program + "\n\napp()\n", encoding="utf-8")
    done = run_python(str(script), how, cwd=tmp_path, check=False)
    return done.returncode, [load_line(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize(
    ("how", "status", "level"),
    [
        ("well", 0, "INFO"),
        ("exit0", 0, "INFO"),
        ("exit3", 3, "ERROR"),
        ("sys0", 0, "INFO"),
        ("sys4", 4, "ERROR"),
        ("text", 1, "ERROR"),
        ("usage", 2, "ERROR"),
    ],
)
def test_the_line_says_how_the_process_ended(
    program: str, how: str, status: int, level: str, tmp_path: Path
) -> None:
    """A command has succeeded if its process exits with 0, and else says its code."""
    ended, (line,) = _run(START + PROGRAMS[program], how, tmp_path)
    assert ended == status
    assert line["logger"] == "ctxlog.task"
    assert line["level"] == level
    assert line["outcome"] == ("failed" if status else "succeeded")
    assert line.get("exitCode", 0) == status


@pytest.mark.parametrize("program", ["typer", "click", "argparse"])
def test_an_interrupt_cancels(program: str, tmp_path: Path) -> None:
    """A command that Ctrl-C ends is cancelled."""
    ended, (line,) = _run(START + PROGRAMS[program], "interrupt", tmp_path)
    assert ended != 0
    assert (line["level"], line["outcome"]) == ("WARNING", "cancelled")


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_crash_is_a_line(program: str, order: str, tmp_path: Path) -> None:
    """One line with the command's id has the traceback, also if a library prints it."""
    source = ORDERS[order](PROGRAMS[program])
    ended, (end, crash) = _run(source, "crash", tmp_path)
    assert ended == 1
    assert (end["logger"], end["outcome"]) == ("ctxlog.task", "failed")
    assert crash["logger"] == "ctxlog.crash"
    assert crash["exception"]["type"] == "ValueError"
    assert crash["requestID"] == end["requestID"]
