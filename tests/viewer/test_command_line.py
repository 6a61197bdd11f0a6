"""
The command line itself: completion, the progress bar, how fast it is there.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

from ctxlog.__main__ import main
from ctxlog.viewer.read import progress
from ctxlog.viewer.read.progress import Progress
from tests.helpers import need, run_python

_SCRIPT = "import sys; from ctxlog.__main__ import main; sys.exit(main())"


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion(shell: str, capfd: pytest.CaptureFixture[str]) -> None:
    """A script is printed that knows the commands and their options."""
    need("shtab")
    assert main(["--print-completion", shell]) == 0
    script = capfd.readouterr().out
    words = "show top follow timeline tree diff ship --errors --html --spill --position"
    for word in words.split():
        assert word in script


def test_completion_is_taken_by_bash(capfd: pytest.CaptureFixture[str]) -> None:
    """bash reads it without a complaint."""
    need("shtab")
    main(["--print-completion", "bash"])
    script = capfd.readouterr().out
    done = subprocess.run(
        ["bash", "-n"], input=script, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_completion_of_an_unknown_shell(capfd: pytest.CaptureFixture[str]) -> None:
    """The error names the shell, and those that there are."""
    need("shtab")
    with pytest.raises(SystemExit) as ended:
        main(["--print-completion", "cmd"])
    assert ended.value.code == 2
    assert "cmd: must be one of bash" in capfd.readouterr().err


@pytest.mark.parametrize("start", [("-m", "ctxlog"), ("-c", _SCRIPT)])
def test_version(start: tuple[str, ...], tmp_path: Path) -> None:
    """`--version` prints the name and the version, and nothing else."""
    printed = run_python(*start, "--version", cwd=tmp_path).stdout
    assert printed == f"ctxlog {metadata.version('ctxlog-json')}\n"


_LOG = (
    '{"timestamp":"2026-01-31T12:00:00.000Z","level":"INFO","requestID":"req-A",'
    '"message":"served","logger":"shop"}\n'
)


@pytest.mark.parametrize(
    "link",
    [
        pytest.param(lambda log, page: log.rename(page), id="itself"),
        pytest.param(lambda log, page: page.symlink_to(log), id="symbolic link"),
        pytest.param(lambda log, page: page.hardlink_to(log), id="hard link"),
    ],
)
def test_a_page_does_not_overwrite_its_log(
    link: Callable[[Path, Path], object],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """`--html` with the name of an input, or a link to it, is refused."""
    log, page = tmp_path / "app.log", tmp_path / "page.html"
    log.write_text(_LOG, encoding="utf-8")
    link(log, page)
    read = page if not log.exists() else log
    assert main(["timeline", str(read), "-r", "req-A", "--html", str(page)]) == 2
    assert f"{read} is input and output at once" in capfd.readouterr().err
    assert read.read_text(encoding="utf-8") == _LOG


@pytest.mark.parametrize("command", ["show", "top", "follow", "timeline", "tree"])
@pytest.mark.parametrize("named", [True, False])
def test_a_log_is_not_printed_into_itself(
    command: str, named: bool, tmp_path: Path
) -> None:
    """Standard output that goes to a file which is read, by any name, is refused."""
    log = tmp_path / "app.log"
    log.write_text(_LOG, encoding="utf-8")
    words = [command, *(["-r", "req-A"] if command in ("timeline", "tree") else [])]
    with log.open("rb") as read, log.open("ab") as written:
        done = subprocess.run(
            [sys.executable, "-Im", "ctxlog", *words, *([str(log)] if named else [])],
            stdin=read,
            stdout=written,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            timeout=50,
            check=False,
        )
    assert done.returncode == 2
    name = str(log) if named else "standard input"
    assert f"ctxlog {command}: {name} is input and output at once" in done.stderr
    assert log.read_text(encoding="utf-8") == _LOG


def test_devices_may_be_input_and_output(tmp_path: Path) -> None:
    """Only files are compared: a terminal and /dev/null are both at once."""
    done = subprocess.run(
        [sys.executable, "-Im", "ctxlog", "top"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        timeout=50,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "ctxlog top: standard input: empty\n")


def test_help_imports_no_command(tmp_path: Path) -> None:
    """`ctxlog --help` loads neither the commands nor what they read with."""
    source = (
        "import sys; from ctxlog.__main__ import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([name for name in sys.modules if name.startswith('ctxlog')])"
    )
    printed = run_python("-c", source, cwd=tmp_path).stdout
    assert "usage: ctxlog" in printed
    assert "ctxlog.viewer" not in printed.splitlines()[-1]
    assert "ctxlog.agent" not in printed.splitlines()[-1]


class Terminal:
    """A standard error that says it is a terminal."""

    def __init__(self) -> None:
        self.written: list[str] = []

    def isatty(self) -> bool:
        """It is."""
        return True

    def write(self, text: str) -> None:
        """Keep what is written."""
        self.written.append(text)

    def flush(self) -> None:
        """Nothing to do."""


def test_the_progress_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal it grows, and is gone at the end."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(progress, "_PAUSE", 0.0)
    bar = Progress(progress.LEAST)
    for _ in range(4):
        bar.add(progress.LEAST // 4)
    assert [text[-4:] for text in terminal.written] == [" 25%", " 50%", " 75%", "100%"]
    bar.end()
    assert terminal.written[-1] == "\r\x1b[K"


@pytest.mark.parametrize("total", [None, 1000])
def test_no_progress_bar(monkeypatch: pytest.MonkeyPatch, total: int | None) -> None:
    """A short file, or one of unknown size, has no progress bar."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    bar = Progress(total)
    bar.add(500)
    bar.end()
    assert terminal.written == []


def test_no_progress_bar_in_a_file(capfd: pytest.CaptureFixture[str]) -> None:
    """Where standard error is no terminal there is none."""
    bar = Progress(progress.LEAST)
    bar.add(progress.LEAST)
    bar.end()
    assert capfd.readouterr().err == ""
