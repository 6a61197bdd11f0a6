"""
One table of behaviors over every logger, and over a fourth that is home-made.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import logging
import logging.handlers
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ctxlog
from ctxlog.context.adapter import View, current_view, error_view
from ctxlog.line.encoder import LineEncoder
from ctxlog.line.event import Event as LineEvent
from ctxlog.line.redact import Redactor
from ctxlog.testing import BEHAVIORS, Behavior, LogCall, check_adapter
from tests.helpers import load_line, need

NUMBERS = logging._nameToLevel


def stdlib_log(event: LogCall) -> None:
    """
    Log as a user of the standard library does, who has no loggers with fields.
    """
    logging.getLogger(event.logger).log(
        NUMBERS[event.level],
        event.message,
        extra={**event.bound, **event.fields},
        exc_info=event.error,
    )


class Backend:
    """
    A logger that writes to memory: `log` and `read` for the table.
    """

    def __init__(self) -> None:
        self.stream = io.BytesIO()
        self.log: Callable[[LogCall], object] = stdlib_log
        self.before_reading: Callable[[], object] = lambda: None

    def read(self) -> bytes:
        """
        Everything written so far.
        """
        self.before_reading()
        return self.stream.getvalue()


def stdlib_handler(backend: Backend) -> logging.Handler:
    """
    What writes records as lines to the backend's stream.
    """
    handler = ctxlog.LineHandler(backend.stream)
    handler.setFormatter(ctxlog.JsonFormatter())
    return handler


@contextlib.contextmanager
def unseen_by_pytest() -> Iterator[None]:
    """
    Take pytest's own handlers off the root logger.

    They keep what is logged for the report, which pytest-xdist cannot send if it holds
    lone surrogates.
    """
    handlers = logging.root.handlers[:]
    theirs = [one for one in handlers if type(one).__module__.startswith("_pytest")]
    logging.root.handlers[:] = [one for one in handlers if one not in theirs]
    try:
        yield
    finally:
        logging.root.handlers += theirs


@contextlib.contextmanager
def stdlib_direct() -> Iterator[Backend]:
    """
    stdlib logging with our handler and nothing else.
    """
    backend = Backend()
    handler = stdlib_handler(backend)
    logging.root.addHandler(handler)
    logging.root.setLevel(logging.DEBUG)
    yield backend
    logging.root.removeHandler(handler)


@contextlib.contextmanager
def stdlib_queued() -> Iterator[Backend]:
    """
    stdlib logging whose records wait in a queue, and are written by another thread.
    """
    backend = Backend()
    waiting: queue.Queue[Any] = queue.Queue()
    listener = logging.handlers.QueueListener(waiting, stdlib_handler(backend))
    listener.start()

    def everything() -> None:
        listener.stop()
        listener.start()

    backend.before_reading = everything
    ctxlog.install_record_factory()
    handler = logging.handlers.QueueHandler(waiting)
    logging.root.addHandler(handler)
    logging.root.setLevel(logging.DEBUG)
    yield backend
    logging.root.removeHandler(handler)
    listener.stop()
    ctxlog.uninstall_record_factory()


@contextlib.contextmanager
def stdlib_configured() -> Iterator[Backend]:
    """
    stdlib logging after `configure()`.
    """
    backend = Backend()
    ctxlog.configure(level="DEBUG", stream=backend.stream, format="json")
    yield backend
    ctxlog.config.unconfigure()


def loguru_log(event: LogCall) -> None:
    """
    Log as a user of loguru does, from a module of the logger's name.
    """
    logger = need("loguru").logger.patch(
        lambda record: record.update(name=event.logger)
    )
    logger = logger.bind(**event.bound).bind(**event.fields)
    logger.opt(exception=event.error).log(event.level, "{}", event.message)


@contextlib.contextmanager
def loguru_installed(**options: Any) -> Iterator[Backend]:
    """
    loguru after `install()`.
    """
    loguru = need("loguru")
    adapter = importlib.import_module("ctxlog.loggers.loguru")
    backend = Backend()
    backend.log = loguru_log
    backend.before_reading = loguru.logger.complete
    adapter.install(backend.stream, level="DEBUG", **options)
    yield backend
    adapter.uninstall()


def structlog_log(event: LogCall) -> None:
    """
    Log as a user of structlog does.
    """
    logger = need("structlog").get_logger(event.logger).bind(**event.bound)
    fields = dict(event.fields)
    if event.error is not None:
        fields["exc_info"] = event.error
    getattr(logger, event.level.lower())(event.message, **fields)


@contextlib.contextmanager
def structlog_configured() -> Iterator[Backend]:
    """
    structlog after `configure()`.
    """
    need("structlog")
    adapter = importlib.import_module("ctxlog.loggers.structlog")
    backend = Backend()
    backend.log = structlog_log
    adapter.configure(stream=backend.stream, level=logging.DEBUG)
    yield backend
    adapter.unconfigure()


@contextlib.contextmanager
def structlog_over_stdlib() -> Iterator[Backend]:
    """
    structlog that hands its events on to stdlib logging, with our renderer there.
    """
    structlog = need("structlog")
    adapter = importlib.import_module("ctxlog.loggers.structlog")
    backend = Backend()
    backend.log = structlog_log
    handler = logging.StreamHandler(
        io.TextIOWrapper(
            backend.stream, encoding="utf-8", newline="\n", write_through=True
        )
    )
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                adapter.JsonRenderer(),
            ],
        )
    )
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    logging.root.addHandler(handler)
    logging.root.setLevel(logging.DEBUG)
    yield backend
    logging.root.removeHandler(handler)
    structlog.reset_defaults()


@contextlib.contextmanager
def all_configured(log: Callable[[LogCall], object]) -> Iterator[Backend]:
    """
    A logger after the one call that configures all three.
    """
    need("structlog", "loguru")
    backend = Backend()
    backend.log = log
    ctxlog.configure(
        level="DEBUG",
        stream=backend.stream,
        format="json",
        loggers=["stdlib", "structlog", "loguru"],
    )
    yield backend
    ctxlog.config.unconfigure()


#: Every way to configure each logger; of the same event all of them make one line.
BACKENDS: dict[str, Callable[[], contextlib.AbstractContextManager[Backend]]] = {
    "stdlib": stdlib_direct,
    "stdlib, queued": stdlib_queued,
    "stdlib, configured": stdlib_configured,
    "structlog": structlog_configured,
    "structlog over stdlib": structlog_over_stdlib,
    "loguru": loguru_installed,
    "loguru, queued": lambda: loguru_installed(enqueue=True),
    "all, stdlib": lambda: all_configured(stdlib_log),
    "all, structlog": lambda: all_configured(structlog_log),
    "all, loguru": lambda: all_configured(loguru_log),
}


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """
    Every logger that is installed, in every way to configure it.
    """
    with BACKENDS[request.param]() as opened:
        yield opened


@pytest.mark.parametrize("behavior", BEHAVIORS, ids=str)
def test_every_logger_behaves_the_same(behavior: Behavior, backend: Backend) -> None:
    """
    Each behavior of the public table holds for each logger.
    """
    with unseen_by_pytest():
        behavior.check(backend.log, backend.read)


# One event, logged by all of them --------------------------------------------------

_NAMES = st.sampled_from(
    [
        "user",
        "order",
        "rows",
        "password",
        "late",
        "elapsedMs",
        "caf\u00e9",
        "a b",
        "x.y",
    ]
)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3)
    ),
    max_leaves=6,
)
_FIELDS = st.dictionaries(_NAMES, _VALUES, max_size=4)
_ERRORS = st.none() | st.builds(
    lambda kind, text: raised(kind(text)),
    st.sampled_from([ValueError, KeyError, OSError, AssertionError]),
    st.text(max_size=20),
)
_EVENTS = st.builds(
    LogCall,
    message=st.text(),
    level=st.sampled_from(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]),
    fields=_FIELDS,
    bound=_FIELDS,
    error=_ERRORS,
    logger=st.sampled_from(["shop", "shop.users", "ctxlog.conformance"]),
)


def raised(error: Exception) -> Exception:
    """
    The exception with a traceback.
    """
    try:
        raise error
    except Exception as caught:
        return caught


def timeless(line: dict[str, Any]) -> dict[str, Any]:
    """
    A line without what differs from one moment to the next.
    """
    return {
        name: name if name in ("timestamp", "elapsedMs") else value
        for name, value in line.items()
    }


@given(
    event=_EVENTS,
    store=st.none() | _FIELDS | st.just({"requestID": "req-A"}),
    scoped=_FIELDS,
)
def test_one_event_is_the_same_line_from_every_logger(
    event: LogCall, store: dict[str, Any] | None, scoped: dict[str, Any]
) -> None:
    """
    The same keys in the same order with the same values, except for the time.
    """
    lines = {}
    for name in ("stdlib", "structlog", "loguru"):
        with BACKENDS[name]() as backend, unseen_by_pytest():
            _log_in(store, scoped, backend, event)
            text = backend.read()
        lines[name] = list(timeless(load_line(text)).items())
    first = lines["stdlib"]
    assert [name for name, _ in first][0] == "timestamp"
    for name, line in lines.items():
        assert line == first, name


def _log_in(
    store: dict[str, Any] | None,
    scoped: dict[str, Any],
    backend: Backend,
    event: LogCall,
) -> None:
    def log() -> None:
        with ctxlog.scope(**scoped):
            backend.log(event)

    if store is None:
        log()
    else:
        ctxlog.run(store, log)


# A fourth logger -----------------------------------------------------------------


class HomeMade:
    """
    A user-defined logger, none of the three.

    The methods are the places where one goes wrong: `BROKEN` replaces one each.
    """

    def __init__(self) -> None:
        self.encoder = LineEncoder()
        self.written = b""
        self.lock = threading.Lock()

    def view(self, event: LogCall) -> View:
        """
        The context that the event is logged in.
        """
        return error_view(event.error)

    def own(self, event: LogCall) -> dict[str, Any]:
        """
        The fields of the call.
        """
        return {**event.bound, **event.fields}

    def encode(self, event: LogCall) -> bytes:
        """
        The event's line.
        """
        return self.encoder.encode(
            LineEvent(
                time.time(),
                event.level,
                NUMBERS[event.level],
                event.logger,
                event.message,
                self.view(event),
                self.own(event),
                event.error,
            )
        )

    def log(self, event: LogCall) -> None:
        """
        Log one event.
        """
        line = self.encode(event)
        with self.lock:
            self.written += line

    def read(self) -> bytes:
        """
        Everything so far.
        """
        return self.written


def changed(change: Callable[[dict[str, Any]], object]) -> type[HomeMade]:
    """
    A logger whose lines are changed before they are written.
    """

    class Changing(HomeMade):
        def encode(self, event: LogCall) -> bytes:
            line = json.loads(super().encode(event))
            change(line)
            return json.dumps(line).encode() + b"\n"

    return Changing


def without(name: str) -> type[HomeMade]:
    """
    A logger whose lines lack a key.
    """
    return changed(lambda line: line.pop(name, None))


class Stale(HomeMade):
    """Keeps the first context that it sees, per thread or for all."""

    def __init__(self) -> None:
        super().__init__()
        self.first: View | None = None

    def view(self, event: LogCall) -> View:
        self.first = self.first or super().view(event)
        return self.first


class Waiting(HomeMade):
    """Reads the context when the line is written, not when it is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[LogCall] = []

    def log(self, event: LogCall) -> None:
        self.events.append(event)
        self.store = ctxlog.get_store() or ctxlog.Store()

    def read(self) -> bytes:
        for event in self.events:
            self.written += ctxlog.run(self.store, self.encode, event)
        self.events.clear()
        return self.written


class Shared(HomeMade):
    """Takes the context from a global of the process."""

    latest: View | None = None

    def view(self, event: LogCall) -> View:
        seen, Shared.latest = Shared.latest, current_view()
        return seen or Shared.latest


class Remembering(HomeMade):
    """Takes the last context that there was where there is none."""

    latest = current_view()

    def view(self, event: LogCall) -> View:
        if ctxlog.get_store() is not None:
            self.latest = current_view()
        return self.latest


class Tidy(HomeMade):
    """Redacts what it was given, in place."""

    def own(self, event: LogCall) -> dict[str, Any]:
        for row in event.fields.get("rows", ()):
            if isinstance(row, dict):
                row.clear()
        return super().own(event)


class NoCopy(HomeMade):
    """Lets the context's fields win."""

    def own(self, event: LogCall) -> dict[str, Any]:
        return {**super().own(event), **ctxlog.fields()}


class PlainJson(HomeMade):
    """Encodes with the standard library and nothing else."""

    def own(self, event: LogCall) -> dict[str, Any]:
        own = super().own(event)
        json.dumps(own, allow_nan=False).encode()
        return own

    def view(self, event: LogCall) -> View:
        view = super().view(event)
        json.dumps(view.fields, allow_nan=False).encode()
        return view

    def encode(self, event: LogCall) -> bytes:
        event.message.encode()
        return super().encode(event)


class Formatting(HomeMade):
    """Takes the message for a template."""

    def encode(self, event: LogCall) -> bytes:
        return super().encode(event._replace(message=event.message.format()))


class Careless(HomeMade):
    """Shows exceptions by their text alone."""

    def encode(self, event: LogCall) -> bytes:
        if event.error is not None:
            str(event.error)
        return super().encode(event)


class Forgetful(HomeMade):
    """Does not ask exceptions for their context."""

    def view(self, event: LogCall) -> View:
        return current_view()


class Open(HomeMade):
    """Hides nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = LineEncoder(redactor=Redactor(keys=()))


class StoreOnly(HomeMade):
    """Knows the store, and no scope."""

    def view(self, event: LogCall) -> View:
        store = ctxlog.get_store()
        return View({}, None) if store is None else View(dict(store), time.time_ns())


class ScopeStays(HomeMade):
    """Keeps a field that it saw once."""

    order: object = None

    def own(self, event: LogCall) -> dict[str, Any]:
        self.order = ctxlog.fields().get("order", self.order)
        return {"order": self.order, **super().own(event)}


#: A logger that is wrong in one way, for each behavior.
BROKEN: dict[str, type[HomeMade]] = {
    "one line": changed(lambda line: line.update(timestamp=line.pop("timestamp"))),
    "timestamp": changed(lambda line: line.update(timestamp="2026-11-22T21:44:39Z")),
    "levels": changed(lambda line: line.update(level=line["level"].lower())),
    "logger name": changed(lambda line: line.update(logger="root")),
    "outside": without("requestID"),
    "order": changed(lambda line: line.update(user=line.pop("user", None))),
    "plain values": changed(lambda line: line.update(number=str(line.get("number")))),
    "usual values": changed(lambda line: line.update(date=repr(line.get("date")))),
    "texts": Formatting,
    "stamped": Stale,
    "bound deep": Stale,
    "bound again": Stale,
    "scoped": ScopeStays,
    "nested": Stale,
    "detached": Remembering,
    "precedence": NoCopy,
    "own id": NoCopy,
    "id is text": changed(lambda line: line.update(requestID=7)),
    "reserved names": changed(lambda line: line.pop("fields.late", None)),
    "late": without("late"),
    "waiting": Waiting,
    "untouched": Tidy,
    "threads": Shared,
    "tasks": Shared,
    "exception": without("exception"),
    "exception remembers": Forgetful,
    "broken exception": Careless,
    "hostile field": PlainJson,
    "hostile bound": PlainJson,
    "hostile context": PlainJson,
    "hostile message": PlainJson,
    "secrets": Open,
}


@pytest.mark.parametrize("behavior", BEHAVIORS, ids=str)
def test_a_logger_that_breaks_a_behavior_fails_it(behavior: Behavior) -> None:
    """
    For every behavior there is a logger that is wrong in this, and is found.
    """
    broken = BROKEN[behavior.name]()
    with pytest.raises(AssertionError):
        behavior.check(broken.log, broken.read)


def test_a_logger_of_ones_own_can_pass() -> None:
    """
    A home-made logger that takes the context as it should has all behaviors.
    """
    own = HomeMade()
    check_adapter(own.log, own.read)


def test_all_that_failed_is_listed_with_its_sentence() -> None:
    """
    One error tells everything that is wrong, and nothing else.
    """

    def change(line: dict[str, Any]) -> None:
        line.update(logger="root")
        line.pop("late", None)

    broken = changed(change)()
    with pytest.raises(AssertionError) as caught:
        check_adapter(broken.log, broken.read)
    text = str(caught.value)
    assert f"3 of {len(BEHAVIORS)} behaviors do not hold" in text
    for behavior in BEHAVIORS:
        listed = f"- {behavior.name}: {behavior.sentence}" in text
        wrong = behavior.name in ("one line", "logger name", "late")
        assert listed == wrong, behavior.name


def test_a_behavior_can_be_skipped() -> None:
    """
    What a logger cannot do is left out by name; a name that is none is an error.
    """
    broken = changed(lambda line: line.update(logger="root"))()
    check_adapter(broken.log, broken.read, skip=["logger name", "one line"])
    with pytest.raises(ValueError, match="no such behavior: logger nam"):
        check_adapter(broken.log, broken.read, skip=["logger nam"])


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (b"{} ", "an unfinished line"),
        (b"[]\n", "not an object"),
        (b'{"a":1,"a":2}\n', "repeated keys: ['a']"),
        (b'{"a":NaN}\n', "NaN is not JSON"),
        (b"\xff\n", "not JSON"),
        (b"{}\n{}\n", "number of lines of one call: 2, not 1"),
        (b"", "number of lines of one call: 0, not 1"),
        (b'"' + b"x" * 262_144 + b'"\n', "a line of 262147 bytes"),
    ],
    ids=lambda value: str(value)[:16],
)
def test_what_is_no_line_is_found(written: bytes, said: str) -> None:
    """
    Lines are read as strictly as the strictest reader does.
    """
    own = HomeMade()

    def log(event: LogCall) -> None:
        own.written += written

    with pytest.raises(AssertionError) as caught:
        BEHAVIORS[0].check(log, own.read)
    assert said in str(caught.value)
