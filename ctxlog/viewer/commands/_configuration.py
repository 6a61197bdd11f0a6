"""
The configuration file of the viewer: defaults of its options.

Values are those of the nearest `ctxlog.toml`, or `[tool.ctxlog]` of a `pyproject.toml`,
from the working directory upwards; else of `ctxlog/config.toml` in the user's folder of
configurations.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ctxlog.errors import ConfigError
from ctxlog.viewer.commands._options import COLORS
from ctxlog.viewer.commands.common import zone_of
from ctxlog.viewer.query.criteria import id_pattern

#: The keys, each with what it is.
_KEYS = {
    "id-field": "a text",
    "time-field": "a text",
    "level-field": "a text",
    "message-field": "a text",
    "duration-field": "a text",
    "id-regex": "a list of texts",
    "hide": "a list of texts",
    "tz": "a text",
    "services": "a table of texts",
    "color": f"one of: {', '.join(COLORS)}",
}
#: What a file has if it may have a table of ctxlog's. Most projects have none: their
#: files are not parsed, and what is wrong there is not ours to tell.
_MENTIONS = re.compile(rb"(?m)\btool\W+ctxlog(?![\w-])|^[ \t]*\[[ \t]*tool[ \t]*\]")


def set_defaults(parser: argparse.ArgumentParser, given: argparse.Namespace) -> None:
    """
    Make what the configuration file says the defaults of a command's options.

    A list that is *given* on the command line replaces that of the file.

    Raises:
        ConfigError: if the file cannot be read, or a key or a value is wrong.
        MissingDependencyError: if there is a file, and Python cannot read it.
    """
    for file, section in _places():
        found = _section(file, section)
        if found is not None:
            for name, value in _checked(file, section, found).items():
                if name not in given or (isinstance(value, list) and vars(given)[name]):
                    continue
                parser.set_defaults(**{name: value})
            return


def _places() -> Iterator[tuple[Path, str]]:
    """Yield the files that may be there, each with the table that is meant."""
    try:
        here = Path.cwd()
        folders = [here, *here.parents]
    except FileNotFoundError:  # it was removed
        folders = []
    for folder in folders:
        yield folder / "ctxlog.toml", ""
        yield folder / "pyproject.toml", "tool.ctxlog"
    own = os.environ.get("APPDATA" if sys.platform == "win32" else "XDG_CONFIG_HOME")
    try:
        home = Path(own) if own else Path.home() / ".config"
    except RuntimeError:  # a user without a home
        return
    yield home / "ctxlog" / "config.toml", ""


def _section(file: Path, section: str) -> Mapping[str, Any] | None:
    """Return a table of a file; None if there is no such file or table."""
    try:
        if not file.is_file():  # a pipe would be waited for
            return None
        text = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None
    except OSError as error:
        raise ConfigError(str(file), error.strerror, "a file of TOML") from None
    if section and not _MENTIONS.search(text):
        return None
    found: Any = _read(file, text)
    for name in filter(None, section.split(".")):
        found = found.get(name) if isinstance(found, dict) else None
    if found is not None and not isinstance(found, dict):
        raise ConfigError(f"{file}: {section}", found, "a table")
    return found


def _read(file: Path, text: bytes) -> Any:
    # imported here: mostly there is no file
    from ctxlog.viewer.read import toml

    try:
        return toml.read(text)
    except ValueError as error:
        raise ConfigError(str(file), str(error), "TOML, as UTF-8") from None


def _checked(file: Path, section: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of options by their destinations."""
    where = f"{file} [{section}]" if section else str(file)
    values: dict[str, Any] = {}
    for key, value in found.items():
        allowed = _KEYS.get(key)
        if allowed is None:
            raise ConfigError(where, key, f"one of the keys: {', '.join(_KEYS)}")
        if not _is_allowed(allowed, value):
            raise ConfigError(f"{where}: {key}", value, allowed)
        if key == "tz":
            zone_of(f"{where}: tz", value)
        if key == "id-regex":
            value = [_pattern(where, text) for text in value]
        values[key.replace("-", "_")] = value
    return values


def _is_allowed(allowed: str, value: object) -> bool:
    if allowed == "a table of texts":
        return isinstance(value, dict) and all(
            name and isinstance(one, str) and one for name, one in value.items()
        )
    if allowed == "a list of texts":
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    if allowed.startswith("one of"):
        return value in COLORS
    return isinstance(value, str) and bool(value)


def _pattern(where: str, text: str) -> Any:
    try:
        return id_pattern(text)
    except argparse.ArgumentTypeError as error:
        allowed = "a regular expression with a group"
        raise ConfigError(f"{where}: id-regex", str(error), allowed) from None
