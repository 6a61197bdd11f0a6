"""
Behaviors of a line by itself: keys, values, exceptions, secrets.
"""

from __future__ import annotations

import datetime
import decimal
import math
import re
import uuid
from collections.abc import Callable
from typing import Any, NoReturn

from ctxlog._names import get_names
from ctxlog.context import bind, run, scope
from ctxlog.testing._bench import Bench, behavior, has, request, require, same

# The line ---------------------------------------------------------------------


@behavior("An event is one line: a JSON object whose first keys never change.")
def _one_line(bench: Bench) -> None:
    line = run(request("req-A"), bench.line, "hello")
    keys = ["timestamp", "level", get_names().request_id, "message", "logger"]
    same(list(line)[:5], keys, "the first keys")
    has(line, **request("req-A", message="hello", logger="ctxlog.conformance"))


@behavior("The timestamp is RFC 3339, in UTC and microseconds, and the present.")
def _timestamp(bench: Bench) -> None:
    before = datetime.datetime.now(datetime.timezone.utc)
    shown = str(bench.line()["timestamp"])
    after = datetime.datetime.now(datetime.timezone.utc)
    form = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
    require(re.fullmatch(form, shown), f"timestamp {shown!r}")
    moment = datetime.datetime.fromisoformat(shown.replace("Z", "+00:00"))
    second = datetime.timedelta(seconds=1)
    require(before - second <= moment <= after + second, f"it is not {shown}")


@behavior("Levels are named as the standard library names them.")
def _levels(bench: Bench) -> None:
    for level in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"):
        has(bench.line("m", level), level=level)


@behavior("The line has the logger's name.")
def _logger_name(bench: Bench) -> None:
    for name in ("shop", "shop.users"):
        has(bench.line(logger=name), logger=name)


@behavior("Outside of any request the id is N/A, and nothing else is added.")
def _outside(bench: Bench) -> None:
    keys = ["timestamp", "level", get_names().request_id, "message", "logger", "rows"]
    line = bench.line(fields={"rows": 3})
    same(list(line), keys, "the keys")
    has(line, **request("N/A", rows=3))


@behavior("Keys come in order: the context's, the time, the call's, the exception.")
def _order(bench: Bench) -> None:
    def handle() -> dict[str, Any]:
        bind(user="u")
        with scope(order="o-7"):
            more = {"rows": 3, "zeta": 1, "alpha": 2}
            return bench.line(fields=more, error=_raised(ValueError("bad")))

    line = run(request("req-A", z=1), handle)
    context = ["z", "user", "order", get_names().elapsed]
    keys = [*context, "rows", "zeta", "alpha", "exception"]
    same(list(line)[5:], keys, "the keys")


@behavior("Values that JSON has come back as they were.")
def _plain_values(bench: Bench) -> None:
    values = {
        "text": "x",
        "number": -7,
        "real": 0.25,
        "yes": True,
        "nothing": None,
        "list": [1, "two", None, [3.5]],
        "tree": {"id": "user-123", "of": {"deep": []}},
    }
    for line in bench.lines_with(values):
        has(line, **values)


@behavior("Values that JSON lacks but people write in one way are written so.")
def _usual_values(bench: Bench) -> None:
    values: dict[str, tuple[object, object]] = {
        "uuid": (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        "date": (datetime.date(2026, 11, 22), "2026-11-22"),
        "decimal": (decimal.Decimal("1.20"), "1.20"),
        "octets": (b"abc", "abc"),
        "set": ({"b", "a"}, ["a", "b"]),
        "tuple": ((1, 2), [1, 2]),
        "error": (ValueError("bad"), "ValueError: bad"),
    }
    given = {name: value for name, (value, _) in values.items()}
    shown = {name: value for name, (_, value) in values.items()}
    for line in bench.lines_with(given):
        has(line, **shown)
        problem = line.get(get_names().log_error)
        require(problem is None, f"{get_names().log_error}: {problem}")


_TEXTS = (
    "",
    "caf\u00e9 \u6f22\u5b57 \U0001f600",
    "two\nlines\r\n",
    "\x00 \x1b[31mred\x1b[0m \x7f",
    "\u2028 \u2029 \x85 \x0b \x0c",
    '"quoted" \\ </script>',
    "100% {done} %s %(a)s {0} {a.b} ${c}",
    "<red>markup</red> [bold]",
)


@behavior("Any text comes back as it was, as a message and as a value, on one line.")
def _texts(bench: Bench) -> None:
    for text in _TEXTS:
        has(bench.line(text), message=text)
        for line in bench.lines_with({"field": text}):
            has(line, field=text)


# Exceptions -------------------------------------------------------------------


def _raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


@behavior("An exception is on its line as type, message and traceback.")
def _exception(bench: Bench) -> None:
    error = ValueError("bad")
    error.__cause__ = _raised(KeyError("why"))
    line = bench.line("failed", "ERROR", error=_raised(error))
    shown = line["exception"]
    same(list(shown), ["type", "message", "stack"], "keys of the exception")
    has(shown, type="ValueError", message="bad")
    for part in ("Traceback (most recent call last)", "KeyError: 'why'", "_raised"):
        require(part in shown["stack"], f"no {part!r} in {shown['stack']}")
    require(shown["stack"].endswith("ValueError: bad"), f"{shown['stack']!r}")
    has(line, message="failed")


@behavior("An exception that is reported outside brings its request's fields along.")
def _exception_remembers(bench: Bench) -> None:
    def fail() -> None:
        bind(user="u")
        raise ValueError("bad")

    try:
        run(request("req-A"), fail)
    except ValueError as error:
        line = bench.line("crashed", "ERROR", error=error)
        has(line, **request("req-A", user="u"))
        other = run(request("req-B"), bench.line, "m", "ERROR", error=error)
        has(other, **request("req-B"))


@behavior("An exception that cannot be shown costs no line.")
def _broken_exception(bench: Bench) -> None:
    class BrokenError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    error = _raised(BrokenError())
    line = run(request("req-A"), bench.line, "m", "ERROR", error=error)
    has(line, **request("req-A", message="m"))
    require("BrokenError" in line["exception"]["type"], repr(line["exception"]))


# Hostile values ---------------------------------------------------------------


class _Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


def _no_class(value: object) -> NoReturn:
    raise RuntimeError("no class")


# By a call, since to type checkers no class may be like that.
_Liar: Any = type("Liar", (), {"__class__": property(_no_class)})


def _circular() -> list[object]:
    values: list[object] = []
    values.append(values)
    return values


def _deep() -> object:
    value: object = "bottom"
    for _ in range(500):
        value = [value]
    return value


def _hostile() -> dict[str, object]:
    return {
        "NaN": math.nan,
        "infinity": -math.inf,
        "a big integer": 2**70,
        "bytes that are no text": b"\xff\x00",
        "a lone surrogate": "\ud800",
        "a raising __str__": _Unprintable(),
        "a raising __class__": _Liar(),
        "a cycle": _circular(),
        "depth": _deep(),
        "clashing keys": {1: "a", "1": "b"},
        "10 MB of text": "x" * 10_000_000,
    }


def _survives(place: Callable[[object], dict[str, Any]]) -> None:
    for name, value in _hostile().items():
        try:
            line = run(request("req-A"), place, value)
            has(line, **request("req-A"))
            require(line.get(get_names().log_error), f"no {get_names().log_error}")
        except Exception as error:
            # A failed requirement, or the logger under test raised it.
            kind = type(error).__name__
            raise AssertionError(f"{name}: {kind}: {error}") from error


@behavior(
    "A field of the call that JSON cannot hold is replaced, and the line says so."
)
def _hostile_field(bench: Bench) -> None:
    _survives(lambda value: bench.line(fields={"value": value}))


@behavior("A logger's field that JSON cannot hold is replaced, and the line says so.")
def _hostile_bound(bench: Bench) -> None:
    _survives(lambda value: bench.line(bound={"value": value}))


@behavior("A request's field that JSON cannot hold is replaced, and the line says so.")
def _hostile_context(bench: Bench) -> None:
    _survives(lambda value: run(request("req-A", value=value), bench.line))


@behavior("A message that no line can hold is cut or made readable, and says so.")
def _hostile_message(bench: Bench) -> None:
    for message in ("a \ud800 b", "x" * 10_000_000):
        line = run(request("req-A"), bench.line, message)
        has(line, **request("req-A"))
        require(line["message"][:1] == message[:1], "the message is lost")
        require(line.get(get_names().log_error), f"no {get_names().log_error}")


# Secrets ----------------------------------------------------------------------


@behavior("Secrets are hidden by their names at any depth, and only they are.")
def _secrets(bench: Bench) -> None:
    values: dict[str, Any] = {
        "password": "s3cret",
        "user": {"name": "A", "apiKey": "s3cret"},
        "sent": [{"Authorization": "s3cret"}],
        "tokenizer": "fast",
        "author": "A",
    }
    hidden = {
        **values,
        "password": "[redacted]",
        "user": {"name": "A", "apiKey": "[redacted]"},
        "sent": [{"Authorization": "[redacted]"}],
    }
    for line in bench.lines_with(values):
        has(line, **hidden)
