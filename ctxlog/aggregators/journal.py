"""
The journal of systemd: written to by its native protocol, read by `journalctl`.

After systemd 252: the native journal protocol
(https://systemd.io/JOURNAL_NATIVE_PROTOCOL/), systemd.journal-fields(7) and
journalctl(1). Each line is one entry; its members are fields that the journal has an
index of, and `CTXLOG_LINE` is the line as it was written.
"""

from __future__ import annotations

import _socket
import array
import errno
import fcntl
import functools
import os
import re
import socket
import struct
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ctxlog._json import dumps, loads
from ctxlog._names import PLACEHOLDERS
from ctxlog.aggregators._address import Address
from ctxlog.aggregators._command import DELAY, in_order, output, shown
from ctxlog.aggregators._line import TIMES, Line
from ctxlog.aggregators._program import program
from ctxlog.aggregators._question import Condition, Cursor, Question, Reader
from ctxlog.aggregators._rows import printable
from ctxlog.aggregators._store import Receiver, UnavailableError, UnreachableError
from ctxlog.aggregators.split import JOURNAL_LINE, Joiner, unwrapped

# Writing ----------------------------------------------------------------------------

#: Where journald listens.
SOCKET = "/run/systemd/journal/socket"
_SEND_BUFFER = 8 << 20
#: journald takes no more of an entry.
_TOO_LONG = 64 << 20

#: Set on an entry with members that are no fields of it: too many, too deep, or under
#: a name that is taken. The time is none either: an index of it would be large.
_PARTIAL = "CTXLOG_PARTIAL"
#: A longer value is in `CTXLOG_LINE` only.
_LONGEST_VALUE = 1024
_MOST_FIELDS, _DEEPEST = 100, 3
_CALLER = {
    "CODE_FILE": (
        "caller.file",
        "log.origin.file.name",
        "logging.googleapis.com/sourceLocation.file",
        "caller_file_name",
        "code.file.path",
        "_file",
    ),
    "CODE_LINE": (
        "caller.line",
        "log.origin.file.line",
        "logging.googleapis.com/sourceLocation.line",
        "caller_line_number",
        "code.line.number",
        "_line",
    ),
    "CODE_FUNC": (
        "caller.function",
        "log.origin.function",
        "logging.googleapis.com/sourceLocation.function",
        "logger.method_name",
        "caller_method_name",
        "code.function.name",
        "_function",
    ),
}
_CALLER_HEADS = frozenset(
    head
    for paths in _CALLER.values()
    for path in paths
    for head in (path, path.partition(".")[0])
    if head != "logger"  # mostly a text
)
#: The priorities of syslog, with the least level of each.
_PRIORITIES = ((50, 2), (40, 3), (30, 4), (25, 5), (20, 6), (1, 7))
_INFO = 6


def receiver(address: Address) -> Receiver:
    """
    Return the writing side.

    Args:
        address: `journal:`, or `journal:NAME` with a `SYSLOG_IDENTIFIER` for lines that
            have no service.
    """
    if address.hosts:
        raise address.error("journal: or journal:NAME, the journal of this machine")
    return JournalReceiver(address.path, address.name)


class JournalReceiver(Receiver):
    """
    Gives lines to journald.

    journald answers nothing. What it was given is in the memory of its socket, and
    outlives the process that has sent it.

    Args:
        identifier: The `SYSLOG_IDENTIFIER` of lines that have no service; unless given,
            the name of the program.
        name: What lines and errors call it.
        path: Where journald listens.
        wait: The most seconds to wait at once for a journald that is busy.
    """

    def __init__(
        self,
        identifier: str = "",
        name: str = "journal:",
        path: str = SOCKET,
        wait: float = 0.02,
    ) -> None:
        self.name = name
        self._identifier = identifier or program()
        self._path = path
        self._wait = wait
        self._socket: _socket.socket | None = None

    def send(self, lines: Sequence[bytes], timeout: float) -> Mapping[int, str]:
        """Give lines to journald, one after the other."""
        end = time.monotonic() + timeout
        refused: dict[int, str] = {}
        for place, line in enumerate(lines):
            data = self.entry(line)
            if data is None:
                refused[place] = "too long for the journal"
                continue
            try:
                while not self.give(data):
                    if time.monotonic() >= end:
                        raise UnavailableError("it takes no lines", None, [], refused)
            except OSError as error:
                reason = f"{self._path}: {error.strerror}"
                left = range(place, len(lines))
                raise UnreachableError(reason, None, left, refused) from None
            except UnavailableError as error:
                error.left = range(place, len(lines))
                raise
        return refused

    def entry(self, line: bytes) -> bytes | None:
        """Return a line as an entry; None if it is too long for the journal."""
        data = entry(Line(line), self._identifier)
        return data if len(data) <= _TOO_LONG else None

    def give(self, data: bytes) -> bool:
        """
        Give one entry to journald; return False if it does not take it in time.

        From any thread.

        Raises:
            OSError: if there is no journald.
        """
        there = self._socket or self._open()
        flags = 0 if self._wait else socket.MSG_DONTWAIT
        try:
            try:
                there.sendto(data, flags, self._path)
            except OSError as error:
                # A datagram is bounded by the buffer of its sender.
                if error.errno not in (errno.EMSGSIZE, errno.ENOBUFS):
                    raise
                _send_in_memory(there, data, flags, self._path)
        except BlockingIOError:
            return False
        return True

    def _open(self) -> _socket.socket:
        # Not connected: a journald that starts again is found by its path. No socket of
        # gevent's: it would wait for what is always there, a place in its own buffer.
        there = _socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        there.setblocking(True)
        there.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        if self._wait:
            seconds, rest = divmod(max(int(self._wait * 1e6), 1), 1_000_000)
            time_out = struct.pack("ll", seconds, rest)
            there.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, time_out)
        self._socket = there
        return there

    def close(self) -> None:
        """Close the socket."""
        there, self._socket = self._socket, None
        if there is not None:
            there.close()


def _send_in_memory(there: _socket.socket, data: bytes, flags: int, path: str) -> None:
    """Send an entry as a file in memory, which is sealed: it does not change."""
    kind = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    with open(os.memfd_create("ctxlog", kind), "wb", buffering=0) as file:
        view = memoryview(data)
        while view:
            view = view[file.write(view) :]
        fcntl.fcntl(
            file,
            fcntl.F_ADD_SEALS,
            fcntl.F_SEAL_SHRINK
            | fcntl.F_SEAL_GROW
            | fcntl.F_SEAL_WRITE
            | fcntl.F_SEAL_SEAL,
        )
        sent = array.array("i", [file.fileno()])
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, sent)
        there.sendmsg([], [rights], flags, path)


def entry(line: Line, identifier: str) -> bytes:
    """Return a line as an entry of the journal, in its native format."""
    is_text = line.members == {"message": line.text}
    fields = {
        "MESSAGE": line.message,
        "PRIORITY": str(priority(line.level)),
        "SYSLOG_IDENTIFIER": line.service or identifier,
    }
    if not _CALLER_HEADS.isdisjoint(line.members):
        for name, paths in _CALLER.items():
            found = line.first(paths)
            if found is not None:
                fields[name] = found
    if line.request_id is not None:
        fields["REQUEST_ID"] = line.request_id
    if is_text:
        return b"".join(map(_field, fields, fields.values()))
    members = {key: of for key, of in line.members.items() if key not in TIMES}
    if not _add(fields, members, "", 1):
        fields[_PARTIAL] = "1"
    kept = _field(JOURNAL_LINE, line.raw)
    return b"".join([*map(_field, fields, fields.values()), kept])


def priority(level: int) -> int:
    """Return the priority, of syslog's eight, of a level on logging's scale."""
    return next((of for least, of in _PRIORITIES if level >= least), _INFO)


def _add(
    fields: dict[str, str], members: Mapping[str, Any], head: str, depth: int
) -> bool:
    """Make fields of members; return whether none is missing that is not too long."""
    whole = True
    for key, value in members.items():
        path = f"{head}{key}"
        if isinstance(value, dict):
            deeper = depth < _DEEPEST and _add(fields, value, f"{path}.", depth + 1)
            whole = whole and deeper
        elif isinstance(value, list):
            # Values in lists are not asked for, but for those of spans.
            whole = whole and not any(isinstance(one, dict) for one in value)
        elif value is not None:
            text = _text(value)
            name = field_name(path)
            if len(text) > _LONGEST_VALUE or fields.get(name) == text:
                continue
            if name == "REQUEST_ID" and text in PLACEHOLDERS:
                continue
            if not name or name in fields or len(fields) >= _MOST_FIELDS:
                whole = False
            else:
                fields[name] = text
    return whole


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@functools.lru_cache(4096)
def field_name(path: str) -> str:
    """
    Return the field for a member: `userId` is `USER_ID`, `user.id` is, too.

    Empty if nothing of the name is left: fields have ASCII letters, digits and `_`, and
    begin with a letter; journald keeps those for itself that begin with `_`.
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", path).upper()
    return re.sub(r"[^A-Z0-9_]+", "_", words).lstrip("_0123456789")[:64]


def _field(name: str, value: str | bytes) -> bytes:
    data = value.encode("utf-8", "replace") if isinstance(value, str) else value
    if b"\n" in data:
        return b"%b\n%b%b\n" % (name.encode(), len(data).to_bytes(8, "little"), data)
    return b"%b=%b\n" % (name.encode(), data)


# Reading ----------------------------------------------------------------------------

#: Of an entry, what is needed.
_FIELDS = (
    "MESSAGE",
    JOURNAL_LINE,
    "PRIORITY",
    "_STREAM_ID",
    "_LINE_BREAK",
    "CONTAINER_ID_FULL",
    "CONTAINER_PARTIAL_MESSAGE",
)
#: Lines that came another way, whose fields say nothing of them: by standard output,
#: by /dev/log, and by the programs that run containers.
_OTHERS = (
    "_TRANSPORT=stdout",
    "_TRANSPORT=syslog",
    "_COMM=dockerd",
    "_COMM=conmon",
)
#: The most alternatives in a question to journalctl.
_MOST_MATCHES = 1000


def reader(address: Address) -> Reader:
    """
    Return the reading side.

    Args:
        address: `journal:` for all of the journal that one may read, `journal:UNIT` for
            one unit, `journal:/PATH` for a directory or a file of another one.
    """
    if address.hosts:
        raise address.error("journal:, journal:UNIT or journal:/PATH")
    return _Reader(address)


class _Reader(Reader):
    pause = 0.5

    def __init__(self, address: Address) -> None:
        self.name = address.name
        path = address.path
        self._where: tuple[str, ...] = ()
        if path.startswith("/"):
            where = "--directory" if os.path.isdir(path) else "--file"
            self._where = (f"{where}={path}",)
        elif path:
            self._where = (f"--unit={path}",)
        #: The text of a unit belongs to its lines; that of the whole machine does not.
        self.as_written = bool(path) and not path.startswith("/")

    def lines(self, question: Question) -> Iterator[bytes]:
        lines = self._lines(self._command(question))
        # Parts of a split line are in order: not if they were asked for the other way.
        newest = question.order == "newest"
        return in_order(lines, question if newest else Question(limit=question.limit))

    def explain(self, question: Question) -> str:
        return shown(self._command(question))

    def follow(self, question: Question, *, from_start: bool = False) -> Cursor:
        """Return a cursor that goes on after the last entry that it has read."""
        return _Cursor(self, question, from_start=from_start)

    def entries(self, *arguments: str) -> Iterator[bytes]:
        """Yield entries as JSON."""
        return output(self.command(*arguments))

    def command(self, *arguments: str) -> list[str]:
        """Return a call of journalctl for entries."""
        fields = f"--output-fields={','.join(_FIELDS)}"
        form = ("--output=json", "--all", fields)
        return [*self._tool(), *form, *arguments]

    def _tool(self) -> list[str]:
        return ["journalctl", "--quiet", "--no-pager", *self._where]

    def _command(self, question: Question) -> list[str]:
        arguments = []
        if question.since is not None:
            arguments.append(f"--since=@{int(question.since)}")
        if question.until is not None:
            arguments.append(f"--until=@{int(question.until) + 1 + DELAY}")
        for condition in question.conditions:
            matches = self._matches(condition)
            if matches is not None:
                # One of several conditions is asked; the others are left to the caller.
                alternatives = [*matches, f"{_PARTIAL}=1", *_OTHERS]
                for number, match in enumerate(alternatives):
                    arguments += ["+", match] if number else [match]
                break
        return self.command(*arguments)

    def _matches(self, condition: Condition) -> list[str] | None:
        """Return what one of must match; None if the journal has no index for it."""
        if condition.field == "text" or set(condition.names) & set(TIMES):
            return None
        if condition.field == "level":
            numbers = [_level(value) for value in condition.values]
            most = max((priority(number) for number in numbers if number), default=7)
            return [f"PRIORITY={number}" for number in range(most + 1)]
        there = set(map(_stripped, output([*self._tool(), "--fields"])))
        names = {field_name(name) for name in condition.names} & there
        if condition.field == "request":
            names.add("REQUEST_ID")
        matches: list[str] = []
        for name in sorted(names):
            for value in self._values(condition, name):
                if len(value) > _LONGEST_VALUE or not _is_argument(value):
                    return None
                matches.append(f"{name}={value}")
                if len(matches) > _MOST_MATCHES:
                    return None
        return matches

    def _values(self, condition: Condition, name: str) -> Iterable[str]:
        """Yield the values of a field that are meant."""
        if condition.operator == "in":
            return condition.values
        values = map(_stripped, output([*self._tool(), f"--field={name}"]))
        if condition.operator == "between":
            least, most = map(int, condition.values)
            return (
                value
                for value in values
                if re.fullmatch(r"-?\d{1,18}", value) and least <= int(value) <= most
            )
        if condition.operator == "begins":
            known = [value for value in values if value.startswith(condition.values)]
            # A whole id is asked for by itself, whatever the index has by now.
            whole = condition.values if condition.field == "request" else ()
            return sorted({*known, *whole})
        return (
            value for value in values if any(one in value for one in condition.values)
        )

    def _lines(self, command: Sequence[str]) -> Iterator[bytes]:
        joiner = Joiner()
        for one in output(command):
            for joined in joiner.add(one):
                yield from self.read(joined.line)
        for joined in joiner.end():
            yield from self.read(joined.line)

    def read(self, line: bytes) -> Iterator[bytes]:
        """Yield the line that an entry is, unless it is text of some other program."""
        text = unwrapped(line)
        if self.as_written or b"{" in text:
            yield text


def _level(word: str) -> int:
    return Line(dumps({"level": word})).level


def _is_argument(value: str) -> bool:
    """Return whether a program can be given a value; one with two lines is no match."""
    return value == printable(value) and "\0" not in value and "\n" not in value


def _stripped(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip("\n")


class _Cursor(Cursor):
    """Goes on after an entry: each has a cursor of its own."""

    def __init__(
        self, reader: _Reader, question: Question, *, from_start: bool
    ) -> None:
        self._reader = reader
        self._since: tuple[str, ...] = ()
        if question.since is not None:
            self._since = (f"--since=@{int(question.since)}",)
        self._after: str | None = None
        self._from_start, self._joiner = from_start, Joiner()

    def read(self) -> Iterator[bytes]:
        if self._after is None and not self._from_start:
            self._after = next(map(_cursor_of, self._reader.entries("--lines=1")), None)
            self._from_start = self._after is None
            return
        arguments = self._since
        if self._after is not None:
            arguments = (f"--after-cursor={self._after}",)
        for one in self._reader.entries(*arguments):
            self._after = _cursor_of(one) or self._after
            for joined in self._joiner.add(one):
                yield from self._reader.read(joined.line)


def _cursor_of(line: bytes) -> str | None:
    try:
        found = loads(line)
    except ValueError:
        return None
    cursor = found.get("__CURSOR") if isinstance(found, dict) else None
    return cursor if isinstance(cursor, str) else None
