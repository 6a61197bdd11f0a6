"""
Sinks by their addresses. Private to `sinks/`, which exports `sink`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from ctxlog.errors import ConfigError
from ctxlog.sinks._sink import Sink
from ctxlog.sinks._stream import Stream

#: What an error shows as an address.
EXPECTED = "an address, such as stdout, file:app.log or otlp://collector:4318"


def sink(address: str) -> Sink:
    """
    Return a new sink for an address.

    Args:
        address: `stdout` or `stderr`, `file:` with a path, or the URL of a store.

    Raises:
        ConfigError: if there is no such sink, or it cannot be opened.
        MissingDependencyError: if what it needs is not installed.
    """
    scheme, colon, _ = address.partition(":")
    make = _MAKE.get(scheme if colon else address)
    if make is None and "://" in address:
        make = _ship
    if make is None:
        # The rest may have credentials.
        shown = f"{scheme}:..." if colon else address
        raise ConfigError("to", shown, EXPECTED)
    return make(address)


# What makes a sink of an address, by its scheme. Modules are imported when they are
# asked for: one may need a library.


def _stdout(address: str) -> Sink:
    return Stream()


def _stderr(address: str) -> Sink:
    return Stream(sys.stderr)


def _file(address: str) -> Sink:
    from ctxlog.sinks._file import File

    path = address.partition(":")[2]
    if path.startswith("//"):  # a URL of three slashes
        path = path.removeprefix("//")
    try:
        return File(path)
    except OSError as error:
        expected = f"a file that can be opened: {error.strerror}"
        raise ConfigError("to", address, expected) from error


def _ship(address: str) -> Sink:
    from ctxlog.sinks._ship import Ship

    return Ship(address)


def _journal(address: str) -> Sink:
    from ctxlog.sinks._journal import Journal

    return Journal(address.partition(":")[2])


def _syslog(address: str) -> Sink:
    from ctxlog.sinks._syslog import Syslog

    return Syslog(address)


_MAKE: dict[str, Callable[[str], Sink]] = {
    "file": _file,
    "journal": _journal,
    "stderr": _stderr,
    "stdout": _stdout,
    "syslog": _syslog,
    "syslogs": _syslog,
}
