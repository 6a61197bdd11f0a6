"""
The shared part of the commands: their input, their output, their exit codes.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import stat
import sys
from collections.abc import Sequence
from datetime import timedelta, timezone, tzinfo

from ctxlog.errors import ConfigError
from ctxlog.terminal import wants_color
from ctxlog.viewer.commands._options import settle
from ctxlog.viewer.group.collected import Collected
from ctxlog.viewer.query.naming import is_named
from ctxlog.viewer.query.search import Reader
from ctxlog.viewer.read.directory import files_of
from ctxlog.viewer.read.store import FAILED, source_of
from ctxlog.viewer.recognize.keys import Names
from ctxlog.viewer.show.look import Look
from ctxlog.viewer.show.printing import safe
from ctxlog.viewer.show.times import Clock, duration_text


def prepare(chosen: argparse.Namespace) -> None:
    """
    Replace what options say by what they mean: `look`, and criteria about times.

    Raises:
        ConfigError: if the time zone is not known.
        argparse.ArgumentTypeError: a text is no time.
    """
    if "tz" not in chosen:  # it shows no lines
        return
    zone = _zone_of(chosen)
    terminal = sys.stdout.isatty()
    colors = {"always": True, "never": False, None: False}
    chosen.look = Look(
        color=colors.get(getattr(chosen, "color", None), wants_color(terminal)),
        clock=Clock(zone),
        hidden=tuple(chosen.hide),
        width=shutil.get_terminal_size().columns if terminal else None,
    )
    settle(chosen, zone)


def _zone_of(chosen: argparse.Namespace) -> tzinfo | None:
    if chosen.local:
        return None
    return timezone.utc if chosen.tz is None else zone_of("--tz", chosen.tz)


def zone_of(where: str, name: str) -> tzinfo:
    """
    Return the time zone of a name or an offset from UTC, as it stands *where*.

    Raises:
        ConfigError: if the time zone is not known.
    """
    if name.upper() in ("UTC", "Z"):
        return timezone.utc
    offset = re.fullmatch(r"([+-])(\d\d):?(\d\d)", name)
    if offset is not None:
        minutes = int(offset[2]) * 60 + int(offset[3])
        if minutes < 24 * 60:
            signed = minutes if offset[1] == "+" else -minutes
            return timezone(timedelta(minutes=signed))
    # imported here: mostly no zone is asked for
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # no name, a folder, not there
        allowed = "a time zone that the system knows, such as Europe/Berlin, or +02:00"
        raise ConfigError(where, name, allowed) from None


def names_of(chosen: argparse.Namespace) -> Names:
    """Return the user's own names of fields, and what tells an id in text."""
    return Names(
        chosen.id_field,
        chosen.time_field,
        chosen.level_field,
        chosen.message_field,
        chosen.duration_field,
        id_patterns=tuple(chosen.id_regex),
        latest=_latest(chosen.files),
        services=tuple(chosen.services.items()),
    )


def reader_of(chosen: argparse.Namespace) -> Reader:
    """
    Return what reads the files and stores that are given, else standard input.

    Raises:
        ConfigError: if an address is invalid.
        MissingDependencyError: if a store needs a library that is not installed.
    """
    names = names_of(chosen)
    sources = [source_of(name) for name in files_of(chosen.files or ["-"])]
    return Reader(sources, names, getattr(chosen, "criteria", None) or [])


def _latest(files: Sequence[str]) -> float | None:
    """Return when the last one of some files was written; None if that is now."""
    try:
        return max((os.stat(name).st_mtime for name in files), default=None)
    except OSError:  # standard input, a store, a file that is not there
        return None


def _wanted(chosen: argparse.Namespace) -> list[str]:
    """Return the ids that were asked for: `show` takes several, others one."""
    request: list[str] | str | None = getattr(chosen, "request", None)
    return [request] if isinstance(request, str) else request or []


def explained(command: str, reader: Reader, chosen: argparse.Namespace) -> int:
    """Print what stores would be asked; return 0, or 2 if one does not answer."""
    prefix = next(iter(_wanted(chosen)), None)
    try:
        text = reader.explained(prefix, getattr(chosen, "criteria", None) or [])
    except FAILED as error:
        complain(command, str(error))
        return 2
    sys.stdout.buffer.write(encoded(text))
    sys.stdout.flush()
    return 0


def overwritten(chosen: argparse.Namespace) -> str | None:
    """
    Return the name of a file that is input and output at once, None if there is none.

    Standard input and output count if they are files; a link is what it leads to.
    """
    page = getattr(chosen, "html", None)
    written = {_identity(1), _identity(page) if page is not None else None}
    for name in chosen.files or ["-"]:
        identity = _identity(0 if name == "-" else name)
        if identity is not None and identity in written:
            return "standard input" if name == "-" else str(name)
    return None


def _identity(file: str | int) -> tuple[int, int] | None:
    """Return what identifies a regular file, by its name or descriptor, else None."""
    try:
        found = os.stat(file)
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if stat.S_ISREG(found.st_mode) else None


def ambiguous(command: str, collected: Collected, *wanted: str) -> bool:
    """Say which requests are meant, if there are several by one of some texts."""
    if collected.is_trace:
        return False
    for text in wanted:
        if "*" in text:  # of which several may be meant
            continue
        meant = sorted(one for one in collected.ids if is_named(one, text))
        if len(meant) > 1:
            complain(command, f"{text} is how several requests begin:")
            for request_id in meant[:20]:
                print(f"  {safe(request_id)}", file=sys.stderr)
            return True
    return False


def encoded(text: str) -> bytes:
    """Return text as it is printed: JSON may hold what UTF-8 cannot."""
    return text.encode("utf-8", "replace")


def exit_code(
    command: str, reader: Reader, number: int, chosen: argparse.Namespace
) -> int:
    """
    Say what could not be read, and why nothing was printed if nothing was; return 0 if
    requests were found, 1 if not.

    2 if a file could not be read, or if a store has not told all.
    """
    for problem in reader.problems:
        complain(command, problem)
    if reader.unread:
        noun = "line" if reader.unread == 1 else "lines"
        print(f"{reader.unread} {noun} could not be read", file=sys.stderr)
    if not number and not reader.problems:
        say_why(command, chosen, None if reader.has_stores else reader)
    if reader.problems or reader.is_partial:
        return 2
    return 0 if number else 1


def say_why(
    command: str, chosen: argparse.Namespace, reader: Reader | None = None
) -> None:
    """Say why nothing was printed; given what reads files, also what they have."""
    # imported here: mostly something is printed
    from ctxlog.viewer.query.silence import missed, reason

    wanted = _wanted(chosen)
    asked = [one.label for one in getattr(chosen, "criteria", None) or []]
    slow = getattr(chosen, "slow", None)
    asked += [] if slow is None else [f"--slow {duration_text(slow)}"]
    if reader is None:
        complain(command, missed(wanted, asked))
    else:
        found = reason(reader.files, reader.names, wanted=wanted, asked=asked)
        complain(command, found)


def complain(command: str, problem: str) -> None:
    """Say on standard error what is wrong."""
    print(f"ctxlog {command}: {safe(problem)}", file=sys.stderr)
