"""
`ctxlog show` on what other command line tools read: the journal, containers, pods.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ctxlog.__main__ import main
from tests.aggregators.test_journal import native
from tests.aggregators.tools import Tool

Run = Callable[..., tuple[int, bytes, str]]


@pytest.fixture
def run(capfdbinary: pytest.CaptureFixture[bytes]) -> Run:
    """Run the command line in this process: exit code, output, complaints."""

    def run(*words: str) -> tuple[int, bytes, str]:
        code = main(list(words))
        out, err = capfdbinary.readouterr()
        return code, out, err.decode()

    return run


def line(request: str, level: str = "INFO") -> bytes:
    """A line of the default schema."""
    members = {"timestamp": "2026-01-01T00:00:00.000000Z", "level": level}
    members |= {"requestID": request, "message": "m"}
    return json.dumps(members).encode() + b"\n"


@pytest.mark.parametrize(
    ("tool", "address"),
    [("journalctl", "journal:"), ("docker", "docker:shop"), ("kubectl", "kube:app=a")],
)
@pytest.mark.parametrize("question", [("-r", "req-A"), ("--errors",)])
def test_one_request(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tool: str,
    address: str,
    question: tuple[str, ...],
) -> None:
    """Its lines are those that were written."""
    lines = [line("req-A"), line("req-B"), line("req-A", "ERROR")]
    program = Tool(tool, tmp_path, monkeypatch)
    program.prints(b"REQUEST_ID\n", when="--fields")
    program.prints(b"req-A\nreq-B\n", when="--field=REQUEST_ID")
    program.prints(*(map(native, lines) if tool == "journalctl" else lines))
    assert run("show", address, *question, "--json") == (0, lines[0] + lines[2], "")
    code, out, _ = run("show", address, "--explain", *question)
    assert code == 0
    assert f"{tool} ".encode() in out


@pytest.mark.parametrize(
    ("tool", "address"),
    [("journalctl", "journal:"), ("docker", "docker:shop"), ("kubectl", "kube:app=a")],
)
def test_a_tool_that_is_missing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tool: str, address: str
) -> None:
    """It is said in one sentence; the exit code is 2."""
    monkeypatch.setenv("PATH", str(tmp_path))
    complaint = f"ctxlog show: {address}: {tool} is not installed\n"
    assert run("show", address, "-r", "req-A") == (2, b"", complaint)


def test_the_journal_as_json(run: Run, tmp_path: Path) -> None:
    """The output of journalctl may be a file: of our entries the line is shown."""
    path = tmp_path / "journal.json"
    path.write_bytes(native(line("req-A")) + native(line("req-B")))
    code, out, err = run("show", str(path), "-r", "req-A")
    assert (code, err) == (0, "")
    assert b"INFO" in out
