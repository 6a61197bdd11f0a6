"""
The behaviours that the lines of every logger share, as one table.
"""

from __future__ import annotations

import asyncio
import datetime
import decimal
import json
import math
import re
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

from ctxlog._names import get_names
from ctxlog.context import (
    Store,
    bind,
    detached,
    fields,
    run,
    scope,
    unbind,
    wrap,
)
from ctxlog.context.adapter import Entry

_MOST_BYTES = 262_144
_NO_FIELDS: Mapping[str, Any] = {}


class Event(NamedTuple):
    """
    One event to log, as a user of the logger would.

    Attributes:
        message: The message, which is no template.
        level: Name of the level, as the line shows it.
        fields: Fields of the call itself.
        bound: Fields bound to the logger; of those that cannot bind, the call's, too,
            under its own.
        error: The exception to report.
        logger: The logger's name.
    """

    message: str = "hello"
    level: str = "INFO"
    fields: Mapping[str, Any] = _NO_FIELDS
    bound: Mapping[str, Any] = _NO_FIELDS
    error: BaseException | None = None
    logger: str = "ctxlog.conformance"


_Log = Callable[[Event], object]
_Read = Callable[[], "bytes | str"]


@dataclass(frozen=True)
class Behaviour:
    """
    One thing that holds for the lines of every logger.

    Attributes:
        name: A word or two, for test ids.
        sentence: What holds.
    """

    name: str
    sentence: str
    _check: Callable[[_Bench], None]

    def __str__(self) -> str:
        return self.name

    def check(self, log: _Log, read: _Read) -> None:
        """
        Check it on one logger: see `check_adapter()`.

        Raises:
            AssertionError: it does not hold.
        """
        # In an empty context: this may be called from within a test's own.
        Context().run(self._run, _Bench(log, read))

    def _run(self, bench: _Bench) -> None:
        try:
            self._check(bench)
        except AssertionError:
            raise
        except Exception as error:
            what = f"logging raised {type(error).__name__}: {error}"
            raise AssertionError(what) from error


def check_adapter(log: _Log, read: _Read, *, skip: Iterable[str] = ()) -> None:
    """
    Check that a logger's lines behave as those of every other logger.

    For who writes an adapter of their own, in the default schema and by the names of
    the process (`request_id_key`, `case`): all of `BEHAVIOURS`, one after the other.
    Each may also be a test of its own:

        @pytest.mark.parametrize("behaviour", BEHAVIOURS, ids=str)
        def test_conformance(behaviour):
            behaviour.check(log, read)

    Args:
        log: Logs one `Event` with the logger. Called from several threads, and within
            event loops.
        read: Returns everything that was written so far, from the very first line on;
            with a queue, waits for it.
        skip: Names of behaviours to leave out.

    Raises:
        AssertionError: some do not hold; it lists all of them.
        ValueError: there is no behaviour of a name in *skip*.
    """
    __tracebackhide__ = True
    left_out = set(skip)
    unknown = left_out - {behaviour.name for behaviour in BEHAVIOURS}
    if unknown:
        raise ValueError(f"no such behaviour: {', '.join(sorted(unknown))}")
    failed = []
    for behaviour in BEHAVIOURS:
        if behaviour.name in left_out:
            continue
        try:
            behaviour.check(log, read)
        except AssertionError as error:
            text = str(error).replace("\n", "\n      ")
            failed.append(f"- {behaviour.name}: {behaviour.sentence}\n      {text}")
    if failed:
        count = f"{len(failed)} of {len(BEHAVIOURS) - len(left_out)} behaviours"
        raise AssertionError(f"{count} do not hold:\n" + "\n".join(failed))


# The bench ----------------------------------------------------------------------


def _require(held: object, what: str) -> None:
    # Not `assert`: the suite must hold under `python -O`, and say what it saw.
    if not held:
        raise AssertionError(what)


def _same(found: object, expected: object, what: str) -> None:
    _require(found == expected, f"{what}: {_short(found)}, not {_short(expected)}")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 500 else f"{text[:400]}...{text[-80:]}"


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    twice = sorted({name for name in names if names.count(name) > 1})
    _require(not twice, f"keys that are there twice: {twice}")
    return dict(pairs)


def _no_constant(name: str) -> NoReturn:
    raise AssertionError(f"{name} is not JSON")


class _Bench:
    """A logger to try things on."""

    def __init__(self, log: _Log, read: _Read) -> None:
        self._log = log
        self._read = read
        self._seen = len(self._everything())

    def log(self, *args: Any, **event: Any) -> None:
        """Log one event."""
        self._log(Event(*args, **event))

    def line(self, *args: Any, **event: Any) -> dict[str, Any]:
        """Log one event, and return its one line."""
        self.log(*args, **event)
        return self.only()

    def only(self) -> dict[str, Any]:
        """Return the one line that was written since the last look."""
        lines = self.lines()
        _same(len(lines), 1, "number of lines of one event")
        return lines[0]

    def lines(self) -> list[dict[str, Any]]:
        """Return the lines that were written since the last look, read strictly."""
        everything = self._everything()
        new, self._seen = everything[self._seen :], len(everything)
        _require(new.endswith(b"\n") or not new, f"an unfinished line: {_short(new)}")
        return [self._strictly(line) for line in new.split(b"\n")[:-1]]

    def _everything(self) -> bytes:
        found = self._read()
        return found.encode() if isinstance(found, str) else bytes(found)

    def _strictly(self, line: bytes) -> dict[str, Any]:
        size = len(line) + 1
        _require(size <= _MOST_BYTES, f"a line of {size} bytes")
        try:
            text = line.decode("utf-8")
            read = json.loads(
                text, object_pairs_hook=_once, parse_constant=_no_constant
            )
        except ValueError as error:
            raise AssertionError(f"not JSON: {error}: {_short(line)}") from None
        _require(isinstance(read, dict), f"not an object: {_short(line)}")
        result: dict[str, Any] = read
        return result


_TABLE: list[Behaviour] = []


def _behaviour(sentence: str) -> Callable[[Callable[[_Bench], None]], None]:
    def add(check: Callable[[_Bench], None]) -> None:
        name = check.__name__.strip("_").replace("_", " ")
        _TABLE.append(Behaviour(name, sentence, check))

    return add


def _has(line: Mapping[str, Any], **expected: object) -> None:
    for name, value in expected.items():
        _require(name in line, f"no {name} in {_short(line)}")
        _same(line[name], value, name)


def _request(request_id: object, /, **more: object) -> dict[str, object]:
    """Return the fields of a request."""
    return {get_names().request_id: request_id, **more}


# The line -----------------------------------------------------------------------


@_behaviour("An event is one line: a JSON object whose first keys never change.")
def _one_line(bench: _Bench) -> None:
    line = run(_request("req-A"), bench.line, "hello")
    keys = ["timestamp", "level", get_names().request_id, "message", "logger"]
    _same(list(line)[:5], keys, "the first keys")
    _has(line, **_request("req-A", message="hello", logger="ctxlog.conformance"))


@_behaviour("The timestamp is RFC 3339, in UTC and microseconds, and the present.")
def _timestamp(bench: _Bench) -> None:
    before = datetime.datetime.now(datetime.timezone.utc)
    shown = str(bench.line()["timestamp"])
    after = datetime.datetime.now(datetime.timezone.utc)
    form = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
    _require(re.fullmatch(form, shown), f"timestamp {shown!r}")
    moment = datetime.datetime.fromisoformat(shown.replace("Z", "+00:00"))
    second = datetime.timedelta(seconds=1)
    _require(before - second <= moment <= after + second, f"it is not {shown}")


@_behaviour("Levels are named as the standard library names them.")
def _levels(bench: _Bench) -> None:
    for level in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"):
        _has(bench.line("m", level), level=level)


@_behaviour("The line has the logger's name.")
def _logger_name(bench: _Bench) -> None:
    for name in ("shop", "shop.users"):
        _has(bench.line(logger=name), logger=name)


@_behaviour("Outside of any request the id is N/A, and nothing else is added.")
def _outside(bench: _Bench) -> None:
    keys = ["timestamp", "level", get_names().request_id, "message", "logger", "rows"]
    line = bench.line(fields={"rows": 3})
    _same(list(line), keys, "the keys")
    _has(line, **_request("N/A", rows=3))


@_behaviour("Keys come in order: the context's, the time, the call's, the exception.")
def _order(bench: _Bench) -> None:
    def handle() -> dict[str, Any]:
        bind(user="u")
        with scope(order="o-7"):
            more = {"rows": 3, "zeta": 1, "alpha": 2}
            return bench.line(fields=more, error=_raised(ValueError("bad")))

    line = run(_request("req-A", z=1), handle)
    context = ["z", "user", "order", get_names().elapsed]
    keys = [*context, "rows", "zeta", "alpha", "exception"]
    _same(list(line)[5:], keys, "the keys")


@_behaviour("Values that JSON has come back as they were.")
def _plain_values(bench: _Bench) -> None:
    values = {
        "text": "x",
        "number": -7,
        "real": 0.25,
        "yes": True,
        "nothing": None,
        "list": [1, "two", None, [3.5]],
        "tree": {"id": "user-123", "of": {"deep": []}},
    }
    _has(run(values, bench.line, fields=_NO_FIELDS), **values)
    _has(bench.line(fields=values), **values)
    _has(bench.line(bound=values), **values)


@_behaviour("Values that JSON lacks but people write in one way are written so.")
def _usual_values(bench: _Bench) -> None:
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
    for line in (
        bench.line(fields=given),
        bench.line(bound=given),
        run(given, bench.line),
    ):
        _has(line, **shown)
        problem = line.get(get_names().log_error)
        _require(problem is None, f"{get_names().log_error}: {problem}")


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


@_behaviour("Any text comes back as it was, as a message and as a value, on one line.")
def _texts(bench: _Bench) -> None:
    for text in _TEXTS:
        _has(bench.line(text), message=text)
        _has(bench.line("m", fields={"f": text}), f=text)
        _has(bench.line("m", bound={"f": text}), f=text)
        _has(run({"f": text}, bench.line), f=text)


# Context ------------------------------------------------------------------------


@_behaviour("A request's fields are on its lines, and gone after it.")
def _stamped(bench: _Bench) -> None:
    def handle() -> dict[str, Any]:
        bind(user={"id": "user-123"})
        return bench.line()

    line = run(_request("req-A", path="/"), handle)
    _has(line, **_request("req-A", path="/", user={"id": "user-123"}))
    elapsed = line[get_names().elapsed]
    _require(elapsed >= 0, f"{get_names().elapsed} is {elapsed}")
    _same(list(bench.line())[5:], [], "fields after the request")


@_behaviour("What is bound deep down is on the outer code's next line.")
def _bound_deep(bench: _Bench) -> None:
    def outer() -> list[dict[str, Any]]:
        first = bench.line()
        copy_context().run(bind, user="u")
        second = bench.line()
        unbind("user")
        return [first, second, bench.line()]

    seen = [line.get("user") for line in run(_request("req-A"), outer)]
    _same(seen, [None, "u", None], "user, line by line")


@_behaviour("A field that is bound again shows its new value, once.")
def _bound_again(bench: _Bench) -> None:
    def handle() -> list[Any]:
        seen = []
        for attempt in (1, 2, 3):
            bind(attempt=attempt)
            seen.append(bench.line()["attempt"])
        return seen

    _same(run({}, handle), [1, 2, 3], "attempt, line by line")


@_behaviour("A scope's fields are on the lines of its block only.")
def _scoped(bench: _Bench) -> None:
    def handle() -> list[Any]:
        with scope(order="o-7"):
            inside = bench.line()
        return [inside.get("order"), bench.line().get("order")]

    _same(run(_request("req-A"), handle), ["o-7", None], "order, line by line")


@_behaviour("A request within a request has its own lines, and the outer one its own.")
def _nested(bench: _Bench) -> None:
    def outer() -> list[str]:
        inner = run(_request("req-B"), bench.line)
        return [inner[get_names().request_id], bench.line()[get_names().request_id]]

    _same(run(_request("req-A"), outer), ["req-B", "req-A"], "ids, line by line")


@_behaviour("Detached code has no context.")
def _detached(bench: _Bench) -> None:
    def handle() -> list[str]:
        before = bench.line()
        with detached():
            inside = bench.line()
        return [line[get_names().request_id] for line in (before, inside, bench.line())]

    ids = ["req-A", "N/A", "req-A"]
    _same(run(_request("req-A"), handle), ids, "ids, line by line")


@_behaviour("The nearer a field is to the log call, the more it counts.")
def _precedence(bench: _Bench) -> None:
    def handle() -> dict[str, Any]:
        with scope(b="scope", c="scope", d="scope"):
            return bench.line(
                fields={"d": "call"}, bound={"c": "logger", "d": "logger"}
            )

    line = run(dict.fromkeys("abcd", "store"), handle)
    _has(line, a="store", b="scope", c="logger", d="call")


@_behaviour("A call may name the request that it speaks of.")
def _own_id(bench: _Bench) -> None:
    line = run(_request("req-A"), bench.line, fields=_request("req-B"))
    _has(line, **_request("req-B"))


@_behaviour("An id is text, whatever was bound.")
def _id_is_text(bench: _Bench) -> None:
    for bound, shown in ((7, "7"), (None, "N/A"), ("x\ny", "x\ny")):
        _has(run(_request(bound), bench.line), **_request(shown))


@_behaviour("A field with a name of the line's own comes out as fields.<name>.")
def _reserved_names(bench: _Bench) -> None:
    elapsed = get_names().elapsed
    names = (
        *("timestamp", "level", "message", "logger", "exception"),
        *(elapsed, "late", get_names().log_error),
    )
    moved = {f"fields.{name}": "mine" for name in names}
    line = run(dict.fromkeys(names, "mine"), bench.line)
    _has(line, level="INFO", message="hello", **moved)
    late = bench.line(fields={"late": "mine", elapsed: "mine"})
    _has(late, **{"fields.late": "mine", f"fields.{elapsed}": "mine"})


@_behaviour("A line logged after its request's end says that it is late.")
def _late(bench: _Bench) -> None:
    store = Store(_request("req-A"))
    with Entry(store):
        in_time = bench.line()
        later = wrap(bench.line)
    line = later()
    _require("late" not in in_time, "a line within the request is late")
    _has(line, **_request("req-A", late=True))


@_behaviour("A line never changes once it was logged, also while it waits in a queue.")
def _waiting(bench: _Bench) -> None:
    def handle() -> None:
        bind(step=1)
        bench.log("first")
        bind(step=2)
        bench.log("second")
        unbind("step")

    run(_request("req-A"), handle)
    lines = bench.lines()
    _same([line.get("step") for line in lines], [1, 2], "step, line by line")
    _same({line[get_names().request_id] for line in lines}, {"req-A"}, "ids")


@_behaviour("Logging changes neither the store nor what was passed to it.")
def _untouched(bench: _Bench) -> None:
    own: dict[str, Any] = {"rows": [1, {"token": "s"}]}

    def handle() -> None:
        before = fields()
        bench.line(fields=own, bound=own)
        _same(fields(), before, "the context after a line")

    run(_request("req-A", password="s", tree={"a": [1]}), handle)
    _same(own, {"rows": [1, {"token": "s"}]}, "the fields after a line")


# Concurrency --------------------------------------------------------------------

_WORKERS, _ROUNDS = 6, 15


def _each_its_own(lines: list[dict[str, Any]]) -> None:
    _same(len(lines), _WORKERS * _ROUNDS, "number of lines")
    key = get_names().request_id
    mixed = [line for line in lines if line[key] != f"req-{line['worker']}"]
    _require(not mixed, f"{len(mixed)} lines have another request's id")
    rounds = [line["round"] == line["bound"] for line in lines]
    _require(all(rounds), "a line has another line's field")


@_behaviour("Threads that serve requests at once never mix their lines.")
def _threads(bench: _Bench) -> None:
    start = threading.Barrier(_WORKERS)

    def work(number: int) -> None:
        start.wait(30)
        for turn in range(_ROUNDS):
            bind(bound=turn)
            bench.log(fields={"worker": number, "round": turn})

    threads = [
        threading.Thread(target=run, args=(_request(f"req-{n}"), work, n))
        for n in range(_WORKERS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    _each_its_own(bench.lines())


@_behaviour(
    "Tasks of one event loop that serve requests at once never mix their lines."
)
def _tasks(bench: _Bench) -> None:
    async def work(number: int) -> None:
        for turn in range(_ROUNDS):
            bind(bound=turn)
            await asyncio.sleep(0)
            bench.log(fields={"worker": number, "round": turn})

    async def main() -> None:
        requests = (run(_request(f"req-{n}"), work, n) for n in range(_WORKERS))
        await asyncio.gather(*requests)

    _in_a_thread(lambda: asyncio.run(main()))
    # The event loop may log lines of its own.
    _each_its_own([line for line in bench.lines() if "worker" in line])


def _in_a_thread(work: Callable[[], object]) -> None:
    # This thread may be running an event loop already.
    failed: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=guarded)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]


# Exceptions ---------------------------------------------------------------------


def _raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


@_behaviour("An exception is on its line as type, message and traceback.")
def _exception(bench: _Bench) -> None:
    error = ValueError("bad")
    error.__cause__ = _raised(KeyError("why"))
    line = bench.line("failed", "ERROR", error=_raised(error))
    shown = line["exception"]
    _same(list(shown), ["type", "message", "stack"], "keys of the exception")
    _has(shown, type="ValueError", message="bad")
    for part in ("Traceback (most recent call last)", "KeyError: 'why'", "_raised"):
        _require(part in shown["stack"], f"no {part!r} in {shown['stack']}")
    _require(shown["stack"].endswith("ValueError: bad"), f"{shown['stack']!r}")
    _has(line, message="failed")


@_behaviour("An exception that is reported outside brings its request's fields along.")
def _exception_remembers(bench: _Bench) -> None:
    def fail() -> None:
        bind(user="u")
        raise ValueError("bad")

    try:
        run(_request("req-A"), fail)
    except ValueError as error:
        line = bench.line("crashed", "ERROR", error=error)
        _has(line, **_request("req-A", user="u"))
        other = run(_request("req-B"), bench.line, "m", "ERROR", error=error)
        _has(other, **_request("req-B"))


@_behaviour("An exception that cannot be shown costs no line.")
def _broken_exception(bench: _Bench) -> None:
    class BrokenError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    error = _raised(BrokenError())
    line = run(_request("req-A"), bench.line, "m", "ERROR", error=error)
    _has(line, **_request("req-A", message="m"))
    _require("BrokenError" in line["exception"]["type"], _short(line["exception"]))


# Hostile values -----------------------------------------------------------------


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


def _survives(log: Callable[[str, object], dict[str, Any]]) -> None:
    failed = []
    for name, value in _hostile().items():
        try:
            line = log(name, value)
            _has(line, **_request("req-A"))
            _require(line.get(get_names().log_error), f"no {get_names().log_error}")
        except AssertionError as error:
            failed.append(f"{name}: {error}")
        except Exception as error:
            failed.append(f"{name}: logging raised {type(error).__name__}: {error}")
    _require(not failed, "\n".join(failed))


@_behaviour(
    "A field of the call that JSON cannot hold is replaced, and the line says so."
)
def _hostile_field(bench: _Bench) -> None:
    def log(name: str, value: object) -> dict[str, Any]:
        return run(_request("req-A"), bench.line, fields={"value": value})

    _survives(log)


@_behaviour("A logger's field that JSON cannot hold is replaced, and the line says so.")
def _hostile_bound(bench: _Bench) -> None:
    def log(name: str, value: object) -> dict[str, Any]:
        return run(_request("req-A"), bench.line, bound={"value": value})

    _survives(log)


@_behaviour(
    "A request's field that JSON cannot hold is replaced, and the line says so."
)
def _hostile_context(bench: _Bench) -> None:
    def log(name: str, value: object) -> dict[str, Any]:
        return run(_request("req-A", value=value), bench.line)

    _survives(log)


@_behaviour("A message that no line can hold is cut or made readable, and says so.")
def _hostile_message(bench: _Bench) -> None:
    for message in ("a \ud800 b", "x" * 10_000_000):
        line = run(_request("req-A"), bench.line, message)
        _has(line, **_request("req-A"))
        _require(line["message"][:1] == message[:1], "the message is lost")
        _require(line.get(get_names().log_error), f"no {get_names().log_error}")


# Secrets ------------------------------------------------------------------------


@_behaviour("Secrets are hidden by their names at any depth, and only they are.")
def _secrets(bench: _Bench) -> None:
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
    _has(bench.line(fields=values), **hidden)
    _has(bench.line(bound=values), **hidden)
    _has(run(values, bench.line), **hidden)


#: What holds for the lines of every logger, in the order of being checked.
BEHAVIOURS: tuple[Behaviour, ...] = tuple(_TABLE)
