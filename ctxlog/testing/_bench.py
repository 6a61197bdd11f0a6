"""
A logger on the bench: log one call, read its one line back strictly.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextvars import Context
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

from ctxlog._names import get_names
from ctxlog.context import run

_MOST_BYTES = 262_144
_NO_FIELDS: Mapping[str, Any] = {}


class LogCall(NamedTuple):
    """
    One log call, as a user of the logger would write it.

    Attributes:
        message: The message, as it is: no template.
        level: Name of the level, as the line shows it.
        fields: Fields of the call itself.
        bound: Fields bound to the logger. A logger that cannot bind fields adds them to
            the call's, under those of the same name.
        error: The exception to report.
        logger: The logger's name.
    """

    message: str = "hello"
    level: str = "INFO"
    fields: Mapping[str, Any] = _NO_FIELDS
    bound: Mapping[str, Any] = _NO_FIELDS
    error: BaseException | None = None
    logger: str = "ctxlog.conformance"


Log = Callable[[LogCall], object]
Read = Callable[[], "bytes | str"]


class Bench:
    """A logger, and the lines that it has written since the last look."""

    def __init__(self, log: Log, read: Read) -> None:
        self._log = log
        self._read = read
        self._seen = len(self._everything())

    def log(self, *args: Any, **call: Any) -> None:
        """Make one log call."""
        self._log(LogCall(*args, **call))

    def line(self, *args: Any, **call: Any) -> dict[str, Any]:
        """Make one log call and return its one line."""
        self.log(*args, **call)
        lines = self.lines()
        same(len(lines), 1, "number of lines of one call")
        return lines[0]

    def lines_with(self, values: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the lines that have *values* from the call, the logger, a store."""
        return [
            self.line(fields=values),
            self.line(bound=values),
            run(values, self.line),
        ]

    def lines(self) -> list[dict[str, Any]]:
        """Return the lines that were written since the last look."""
        everything = self._everything()
        new, self._seen = everything[self._seen :], len(everything)
        require(new.endswith(b"\n") or not new, f"an unfinished line: {_short(new)}")
        return [_strictly(line) for line in new.split(b"\n")[:-1]]

    def _everything(self) -> bytes:
        found = self._read()
        return found.encode() if isinstance(found, str) else bytes(found)


def _strictly(line: bytes) -> dict[str, Any]:
    require(len(line) < _MOST_BYTES, f"a line of {len(line) + 1} bytes")
    try:
        text = line.decode("utf-8")
        read = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except ValueError as error:
        raise AssertionError(f"not JSON: {error}: {_short(line)}") from None
    require(isinstance(read, dict), f"not an object: {_short(line)}")
    result: dict[str, Any] = read
    return result


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    repeated = sorted({name for name in names if names.count(name) > 1})
    require(not repeated, f"repeated keys: {repeated}")
    return dict(pairs)


def _no_constant(name: str) -> NoReturn:
    raise AssertionError(f"{name} is not JSON")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 500 else f"{text[:400]}...{text[-80:]}"


# Checks ---------------------------------------------------------------------------


def require(held: object, message: str) -> None:
    """Fail with *message* unless *held* is true."""
    # Not `assert`: the suite must hold under `python -O`, and say what it saw.
    if not held:
        raise AssertionError(message)


def same(found: object, expected: object, subject: str) -> None:
    """Require that both are equal."""
    require(found == expected, f"{subject}: {_short(found)}, not {_short(expected)}")


def has(line: Mapping[str, Any], **expected: object) -> None:
    """Require that *line* has these fields with these values."""
    for name, value in expected.items():
        require(name in line, f"no {name} in {_short(line)}")
        same(line[name], value, name)


def request(request_id: object, /, **more: object) -> dict[str, object]:
    """Return the fields of a request."""
    return {get_names().request_id: request_id, **more}


# Behaviors ------------------------------------------------------------------------


@dataclass(frozen=True)
class Behavior:
    """
    A statement that is true of the lines of every logger.

    Attributes:
        name: A word or two, for test ids.
        sentence: The statement.
    """

    name: str
    sentence: str
    _check: Callable[[Bench], None]

    def __str__(self) -> str:
        return self.name

    def check(self, log: Log, read: Read) -> None:
        """
        Check it on one logger: see `check_adapter()`.

        Raises:
            AssertionError: if it does not hold.
        """
        # In an empty context: the caller may be a test with a context of its own.
        Context().run(self._run, Bench(log, read))

    def _run(self, bench: Bench) -> None:
        try:
            self._check(bench)
        except AssertionError:
            raise
        except Exception as error:
            # The logger under test raised it, and a log call never raises.
            text = f"logging raised {type(error).__name__}: {error}"
            raise AssertionError(text) from error


def behavior(sentence: str) -> Callable[[Callable[[Bench], None]], Behavior]:
    """Make a behavior of the decorated check, under its own name."""

    def make(check: Callable[[Bench], None]) -> Behavior:
        return Behavior(check.__name__.strip("_").replace("_", " "), sentence, check)

    return make
