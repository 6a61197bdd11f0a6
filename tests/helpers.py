"""
What several test modules use: the guard for optional libraries, a logger that writes
to memory, fresh interpreters.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import pytest

from ctxlog.line.event import Encoder, Event

#: The checkout that the tests stand in; the package itself is imported from where it
#: is installed.
ROOT = Path(__file__).resolve().parent.parent

#: The fixture that runs the command line: exit code, output, complaints.
Run = Callable[..., tuple[int, str, str]]

#: Whether this environment promises every optional library.
ALL_PROMISED = os.environ.get("CTXLOG_TEST_ALL", "") not in ("", "0")


#: After so many seconds a real process is taken for one that hangs. Machines may be
#: loaded, so this is long; nothing waits for it that goes well.
LIMIT = 60


def _is_absence_of(error: ImportError, name: str) -> bool:
    missing = error.name or ""
    return missing.partition(".")[0] == name.partition(".")[0]


def need(*names: str) -> ModuleType:
    """
    Import the libraries that a test needs and return the first one.

    Skips the test, or the whole module when called at a module's top, where one is not
    installed. Fails instead where the environment promises all of them
    (`CTXLOG_TEST_ALL`). An installed library that fails to import is an error anywhere.
    """
    modules = []
    for name in names:
        try:
            modules.append(importlib.import_module(name))
        except ImportError as error:
            if not _is_absence_of(error, name):
                raise
            if ALL_PROMISED:
                pytest.fail(f"{name} is missing, and CTXLOG_TEST_ALL promises it")
            pytest.skip(f"{name} is not installed", allow_module_level=True)
    return modules[0]


def encoded(encoder: Encoder, event: Event) -> bytes:
    """
    Encode an event; the short way gives the same bytes, or none.
    """

    def plain() -> bytes | None:
        if event.error is None and event.stack_info is None and not event.problems:
            return encoder.encode_plain(*event[:7])
        return None

    first, line = plain(), encoder.encode(event)
    if event.error is None and event.stack_info is None and not event.problems:
        assert encoder.encode_at(event.caller, event[:7]) == line
    # A cache filled by one line makes the next one faster, and changes nothing else.
    assert encoder.encode(event) == line
    assert {first, plain()} <= {None, line}
    return line


def _no_repeats(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    assert len(fields) == len(pairs), f"a key is there twice: {[k for k, _ in pairs]}"
    return fields


def _no_constant(name: str) -> NoReturn:
    raise AssertionError(f"{name} is not JSON")


def load_line(line: bytes | str) -> dict[str, Any]:
    """
    Read one line as strict JSON: an object, no key twice, no NaN, valid UTF-8.
    """
    text = line.decode("utf-8") if isinstance(line, bytes) else line
    assert "\n" not in text.rstrip("\n"), f"more than one line: {text!r}"
    event = json.loads(text, object_pairs_hook=_no_repeats, parse_constant=_no_constant)
    assert isinstance(event, dict), f"not an object: {text!r}"
    return event


class LogEnvironment:
    """
    A logger of its own that writes to memory.

    `stream` is a text stream over bytes, as `sys.stdout` is, so a handler may write
    either; what was written is read back with `text()`, `lines()` and the two
    `load_…` functions.
    """

    def __init__(self, name: str = "test.env") -> None:
        self._bytes = io.BytesIO()
        self.stream = io.TextIOWrapper(
            self._bytes, encoding="utf-8", newline="\n", write_through=True
        )
        self.handler: logging.Handler = logging.StreamHandler(self.stream)
        self.logger = logging.getLogger(name)
        self.logger.setLevel(logging.DEBUG)
        self.logger.propagate = False
        self.logger.addHandler(self.handler)

    def use(self, handler: logging.Handler) -> None:
        """
        Let the logger write through another handler only.
        """
        self.logger.removeHandler(self.handler)
        self.handler = handler
        self.logger.addHandler(handler)

    def set_formatter(self, formatter: logging.Formatter) -> None:
        """
        Let the handler format with *formatter*.
        """
        self.handler.setFormatter(formatter)

    def raw(self) -> bytes:
        """
        Everything written so far, as bytes.
        """
        self.stream.flush()
        return self._bytes.getvalue()

    def text(self) -> str:
        """
        Everything written so far.
        """
        return self.raw().decode("utf-8")

    def lines(self) -> list[str]:
        """
        The lines written so far, each without its newline.

        Splits at newlines only, as log readers do: `str.splitlines` knows nine more.
        """
        text = self.text()
        assert text == "" or text.endswith("\n"), f"an unfinished line: {text!r}"
        return text.split("\n")[:-1]

    def load_all(self) -> list[dict[str, Any]]:
        """
        The lines written so far, each read as strict JSON.
        """
        return [load_line(line) for line in self.lines()]

    def load_json(self) -> dict[str, Any]:
        """
        The one line written so far, read as strict JSON.
        """
        (line,) = self.lines()
        return load_line(line)

    def clear(self) -> None:
        """
        Forget what was written.
        """
        self.stream.flush()
        self._bytes.seek(0)
        self._bytes.truncate()

    def close(self) -> None:
        """
        Take the handler off the logger.
        """
        self.logger.removeHandler(self.handler)


def clean_environment(**extra: str) -> dict[str, str]:
    """
    The environment without the variables that configure ctxlog or colors.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("CTXLOG_")
        and name not in ("NO_COLOR", "FORCE_COLOR", "PYTHONPATH")
    }
    return {**kept, **extra}


def unmeasured_environment() -> dict[str, str]:
    """
    The same for a process whose coverage is not measured.
    """
    return {k: v for k, v in clean_environment().items() if "COVERAGE" not in k}


def free_port() -> int:
    """
    Return a port of 127.0.0.1 on which nothing listens.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def until(process: subprocess.Popen[Any], reached: Callable[[], bool]) -> None:
    """
    Return when something holds that a process brings about; fail if it ends before.
    """
    for _ in range(LIMIT * 20):
        if reached():
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.05)
            break
    assert reached(), f"the process did not come so far; it is {process.poll()}"


def until_listening(process: subprocess.Popen[Any], port: int) -> None:
    """
    Return when a process accepts connections on a port of 127.0.0.1.
    """

    def reached() -> bool:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=LIMIT).close()
            return True
        return False

    until(process, reached)


def run_python(
    *args: str,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    check: bool = True,
    timeout: float = 240,
) -> subprocess.CompletedProcess[str]:
    """
    Run a fresh interpreter, isolated, so that it imports the installed ctxlog.

    `run_python("-c", source, cwd=tmp_path)`. Fails the test with what it printed if it
    does not exit with 0, unless *check* is false.
    """
    done = subprocess.run(
        [sys.executable, "-I", "-X", "utf8", *args],
        cwd=cwd,
        env=clean_environment() if env is None else dict(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=timeout,
        check=False,
    )
    if check and done.returncode != 0:
        pytest.fail(
            f"exit status {done.returncode}\n--- stdout\n{done.stdout}"
            f"\n--- stderr\n{done.stderr}"
        )
    return done


def package_sources(folder: Path) -> Iterator[tuple[str, Path]]:
    """
    Yield the dotted name and the path of every module of the package in *folder*.
    """
    for path in sorted(folder.rglob("*.py")):
        parts = (folder.name, *path.relative_to(folder).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts = parts[:-1]
        yield ".".join(parts), path
