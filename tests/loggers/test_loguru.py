"""
loguru's lines: the same as those of stdlib logging, with every option that it has.
"""

from __future__ import annotations

import copy
import datetime
import io
import json
import logging
import multiprocessing
import operator
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import ctxlog
from ctxlog.line.console import ConsoleEncoder
from tests.helpers import load_line, need, run_python

loguru = need("loguru")

from ctxlog.loggers import loguru as adapter  # noqa: E402 (after the guard)

logger = loguru.logger


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    core = logger._core
    patcher, handlers = core.patcher, set(core.handlers)
    yield
    adapter.uninstall()
    for number in set(core.handlers) - handlers:
        logger.remove(number)
    core.patcher = patcher
    logger.configure(extra={})


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


def written(stream: io.StringIO) -> list[dict[str, Any]]:
    """
    The lines in *stream*, read as strict JSON.
    """
    return [load_line(line) for line in stream.getvalue().split("\n")[:-1]]


def in_store(fn: Any, **fields: object) -> Any:
    """
    Call *fn* in a store with an id.
    """
    return ctxlog.run({"requestID": "req-A", **fields}, fn)


def test_an_event_is_the_line_that_a_record_is(stream: io.StringIO) -> None:
    """
    Keys, their order and their values are those of stdlib logging.
    """
    ctxlog.configure(stream=stream, format="json", loggers=["stdlib", "loguru"])

    def work() -> None:
        logger.bind(order=7).warning("{} of {}", "one", 2, rows=3)
        extra = {"order": 7, "rows": 3}
        logging.getLogger(__name__).warning("%s of %d", "one", 2, extra=extra)

    in_store(work, user="alice")
    ctxlog.config.unconfigure()

    ours, stock = written(stream)
    assert list(ours) == list(stock)
    changing = ("timestamp", "elapsedMs")
    assert all(ours[key] == stock[key] for key in ours if key not in changing)
    assert ours["message"] == "one of 2"


def test_levels_have_logurus_words(stream: io.StringIO) -> None:
    """
    Its own ones, those of the application, and bare numbers.
    """
    adapter.install(stream, level="TRACE")
    if "NOTICE" not in logger._core.levels:
        logger.level("NOTICE", no=23)
    logger.trace("1")
    logger.success("2")
    logger.log("NOTICE", "3")
    logger.log(15, "4")
    logger.critical("5")
    assert [line["level"] for line in written(stream)] == [
        *("TRACE", "SUCCESS", "NOTICE", "Level 15", "CRITICAL")
    ]


def test_events_below_the_level_are_dropped(stream: io.StringIO) -> None:
    """
    `level` counts for all modules, `levels` for single ones.
    """
    adapter.install(stream, level="ERROR", levels={"shop.db": 10})
    logger.patch(lambda record: record.update(name="shop.db.pool")).debug("seen")
    logger.patch(lambda record: record.update(name="shop")).info("not seen")
    logger.error("seen, too")
    assert [line["message"] for line in written(stream)] == ["seen", "seen, too"]


def test_precedence_is_call_bound_contextualized_scope_store(
    stream: io.StringIO,
) -> None:
    """
    A field has one value, and stands once on the line.
    """
    adapter.install(stream)

    def work() -> None:
        with ctxlog.scope(a="scope", b="scope", c="scope", d="scope"):
            with logger.contextualize(a="contextualized", b="x", c="contextualized"):
                logger.bind(a="bound", b="bound").info("hello", a="call")

    in_store(work, d="store", e="store")
    (line,) = written(stream)
    assert [line[key] for key in "abcde"] == [
        *("call", "bound", "contextualized", "scope", "store")
    ]


def test_exceptions_are_shown_as_on_a_record(stream: io.StringIO) -> None:
    """
    `exception()`, `opt(exception=...)` and `catch`; no variables' values, once.
    """
    adapter.install(stream)
    secret = "hunter2"

    def fail() -> None:
        local = secret
        raise ValueError(f"bad {len(local)}")

    def work() -> None:
        try:
            fail()
        except ValueError as error:
            logger.exception("failed")
            logger.opt(exception=True).error("failed")
            logger.opt(exception=error).error("failed")
        logger.catch(message="failed")(fail)()

    in_store(work)
    lines = written(stream)
    assert len(lines) == 4
    for line in lines:
        assert line["message"] == "failed"
        assert line["exception"]["type"] == "ValueError"
        assert line["exception"]["message"] == "bad 7"
        assert line["exception"]["stack"].startswith("Traceback")
    assert secret not in stream.getvalue()


def test_an_exception_brings_its_context(stream: io.StringIO) -> None:
    """
    A line that reports an exception outside of the request has the request's fields.
    """
    adapter.install(stream)

    def fail() -> None:
        raise ValueError("bad")

    with pytest.raises(ValueError, match="bad") as raised:
        in_store(fail, user="alice")
    logger.opt(exception=raised.value).error("failed")
    (line,) = written(stream)
    assert (line["requestID"], line["user"]) == ("req-A", "alice")
    assert "late" not in line


def test_options_of_a_call_keep_their_meaning(stream: io.StringIO) -> None:
    """
    Lazy values, color marks, the record as a field, a depth.
    """
    adapter.install(stream)
    logger.opt(lazy=True).info("lazy {}", lambda: 7)
    logger.opt(colors=True).info("<red>red</red> {}", 7)
    logger.opt(record=True).info("{record[function]}")
    logger.opt(raw=True).info("raw")
    logger.opt(capture=False).info("{rows}", rows=3)
    lines = written(stream)
    assert [line["message"] for line in lines] == [
        *("lazy 7", "red 7"),
        "test_options_of_a_call_keep_their_meaning",
        *("raw", "3"),
    ]
    assert "rows" not in lines[-1]


@pytest.mark.parametrize("enqueue", [False, True])
def test_odd_records_cost_no_line(stream: io.StringIO, enqueue: bool) -> None:
    """
    No exception where one was promised; names that are none.
    """
    adapter.install(stream, enqueue=enqueue, levels={"shop": 30})
    logger.exception("no exception")
    logger.opt(exception=(None, None, None)).info("none")
    for name in (None, 5, ""):
        logger.patch(lambda record, name=name: record.update(name=name)).info("named")
    logger.patch(lambda record: record.update(message=5)).info("a number")
    logger.complete()
    lines = written(stream)
    assert len(lines) == 6
    assert not any("exception" in line for line in lines)
    assert [line["logger"] for line in lines[2:5]] == ["root", "5", "root"]
    assert lines[5]["message"] == "5"


def test_a_wrong_format_raises_in_the_log_call_as_ever(stream: io.StringIO) -> None:
    """
    loguru formats before any patcher or sink sees the event.
    """
    adapter.install(stream)
    with pytest.raises(IndexError):
        logger.info("{} {}", 1)


def test_hostile_fields_cost_no_line(stream: io.StringIO) -> None:
    """
    A value that is not JSON is replaced, and the line says so.
    """

    class Hostile:
        def __str__(self) -> str:
            raise RuntimeError("no")

        __repr__ = __str__

    adapter.install(stream)

    def work() -> None:
        logger.bind(bound=Hostile()).info(
            "hello", called=Hostile(), number=float("nan"), password="hunter2"
        )

    in_store(work, kept=Hostile())
    (line,) = written(stream)
    assert (line["requestID"], line["password"]) == ("req-A", "[redacted]")
    assert line["number"] == "NaN"
    assert "RuntimeError" in line["logError"]


def test_a_sink_of_the_applications_finds_the_fields_in_extra(
    stream: io.StringIO,
) -> None:
    """
    Also outside of a request, and without secrets.
    """
    text = io.StringIO()
    adapter.install(stream)
    logger.add(text, format="{extra[requestID]} {message} {extra}")
    in_store(lambda: logger.info("hello", rows=3), user="alice", token="hunter2")
    logger.info("outside")
    first, second = text.getvalue().splitlines()
    assert first.startswith("req-A hello ")
    assert "'user': 'alice'" in first
    assert "'rows': 3" in first
    assert "hunter2" not in first
    assert second.startswith("N/A outside ")
    assert len(written(stream)) == 2


def test_an_id_that_is_no_text_is_one_in_extra(stream: io.StringIO) -> None:
    """
    As on the line.
    """
    text = io.StringIO()
    adapter.install(stream)
    logger.add(text, format="{extra[requestID]}")
    ctxlog.run({"requestID": 7}, logger.info, "hello")
    assert text.getvalue() == "7\n"
    assert written(stream)[0]["requestID"] == "7"


@pytest.mark.parametrize("later", ["bind", "mask", "remove", "override"])
def test_a_patcher_that_comes_later_has_its_say(
    stream: io.StringIO, later: str
) -> None:
    """
    `logger.patch()` may add fields, and change or remove those that are there.
    """

    def patch(record: Any) -> None:
        if later == "bind":
            record["extra"]["more"] = 1
        elif later == "mask":
            record["extra"]["card"] = "****"
        elif later == "override":
            record["extra"]["user"] = "bob"
        else:
            del record["extra"]["card"]

    adapter.install(stream)
    in_store(lambda: logger.patch(patch).info("hello", card="4111"), user="alice")
    (line,) = written(stream)
    assert line["user"] == ("bob" if later == "override" else "alice")
    shown = {"bind": "4111", "override": "4111", "mask": "****"}
    assert line.get("card") == shown.get(later)
    assert line.get("more") == (1 if later == "bind" else None)


CHANGES: dict[str, Callable[[Any], object]] = {
    "__setitem__": lambda extra: operator.setitem(extra, "rows", 4),
    "__delitem__": lambda extra: operator.delitem(extra, "rows"),
    "__ior__": lambda extra: operator.ior(extra, {"more": 1}),
    "clear": lambda extra: extra.clear(),
    "pop": lambda extra: extra.pop("rows"),
    "popitem": lambda extra: extra.popitem(),
    "setdefault": lambda extra: extra.setdefault("more", 1),
    "update": lambda extra: extra.update({"more": 1}, rows=None),
}


@pytest.mark.parametrize("method", [*CHANGES, "none"])
def test_however_a_patcher_changes_extra_it_is_on_the_line(
    method: str, stream: io.StringIO
) -> None:
    """
    All methods of a dict that change it.
    """
    adapter.install(stream)
    expected = {"rows": 3}
    change = CHANGES.get(method, len)
    change(expected)
    patched = logger.patch(lambda record: change(record["extra"]) and None)
    in_store(lambda: patched.info("hello", rows=3), user="alice")
    (line,) = written(stream)
    assert {k: line[k] for k in ("rows", "more") if k in line} == expected
    assert line["user"] == "alice"


def test_every_method_that_changes_a_dict_is_known() -> None:
    """
    A later Python may have more of them.
    """
    reading = {"copy", "fromkeys", "get", "items", "keys", "values"}
    assert {k for k in vars(dict) if k[0] != "_"} - reading == {
        k for k in CHANGES if k[0] != "_"
    }


def test_install_keeps_a_patcher_and_uninstall_gives_it_back(
    stream: io.StringIO,
) -> None:
    """
    `configure(patcher=...)` would have replaced it.
    """

    def mine(record: Any) -> None:
        record["extra"]["mine"] = 1

    logger.configure(patcher=mine)
    adapter.install(stream)
    adapter.install(stream)
    in_store(lambda: logger.info("hello"))
    adapter.uninstall()
    adapter.uninstall()
    (line,) = written(stream)
    assert (line["requestID"], line["mine"]) == ("req-A", 1)
    assert logger._core.patcher is mine


def test_the_patcher_and_the_sink_serve_a_setup_by_hand(stream: io.StringIO) -> None:
    """
    `logger.configure()` and `logger.add()`, as everywhere with loguru.
    """

    def mine(record: Any) -> None:
        record["extra"]["mine"] = 1

    logger.configure(patcher=adapter.patcher(mine))
    logger.add(adapter.JsonSink(stream), format="")
    in_store(lambda: logger.info("hello", rows=3), user="alice")
    (line,) = written(stream)
    assert list(line)[4:] == ["logger", "user", "elapsedMs", "rows", "mine"] or (
        list(line)[4:] == ["logger", "user", "elapsedMs", "mine", "rows"]
    )


def test_a_sink_without_a_patcher_takes_the_active_context(
    stream: io.StringIO,
) -> None:
    """
    loguru calls a sink in the thread that logs, unless it is a queue's.
    """
    logger.add(adapter.JsonSink(stream), format="")

    def work() -> None:
        logger.info("hello")
        logger.opt(exception=ValueError("bad")).info("failed")

    in_store(work)
    hello, failed = written(stream)
    assert hello["requestID"] == failed["requestID"] == "req-A"
    assert failed["exception"]["message"] == "bad"


class Unpicklable(Exception):
    """An exception that pickle refuses."""

    def __reduce__(self) -> Any:
        raise TypeError("no")


def test_a_queue_changes_nothing(stream: io.StringIO) -> None:
    """
    With `enqueue=True` another thread writes, after a pickle.
    """
    adapter.install(stream, enqueue=True)

    def work() -> None:
        logger.info("hello", rows=3, user="call")
        try:
            raise Unpicklable("bad")
        except Unpicklable:
            logger.exception("failed")

    in_store(work, user="alice", password="hunter2")
    logger.complete()
    hello, failed = written(stream)
    assert (hello["requestID"], hello["user"], hello["rows"]) == ("req-A", "call", 3)
    assert failed["user"] == "alice"
    assert failed["exception"]["type"] == "Unpicklable"
    assert "raise Unpicklable" in failed["exception"]["stack"]
    assert "hunter2" not in stream.getvalue()


class Refusing:
    """A value that pickles, and refuses to come back."""

    def __reduce__(self) -> Any:
        return int, ("not a number",)

    def __str__(self) -> str:
        return "refusing"


def test_what_does_not_pickle_costs_a_queue_no_line(stream: io.StringIO) -> None:
    """
    The lines are those of a sink without a queue, in the order of the calls.
    """

    class Local(Exception):
        pass

    def add(record: Any) -> None:
        record["added"] = lambda: None

    def work() -> None:
        logger.info("a lambda", fn=len, rows=3, ratio=0.5)
        logger.bind(bound=lambda: None).info("bound")
        logger.info("refusing", value=Refusing())
        try:
            raise Local("bad")
        except Local:
            logger.exception("local")
        try:
            raise Unpicklable("bad")
        except Unpicklable as error:
            logger.info("as a field", error=error)
        logger.patch(add).info("patched")

    direct = io.StringIO()
    adapter.install(direct)
    in_store(work)
    adapter.install(stream, enqueue=True)
    in_store(work)
    logger.complete()
    without, queued = written(direct), written(stream)
    assert [line["message"] for line in queued] == [
        *("a lambda", "bound", "refusing", "local", "as a field", "patched")
    ]
    assert queued[3]["exception"]["stack"].endswith(".Local: bad")
    for one, other in zip(without, queued, strict=True):
        assert list(one) == list(other)
        for key in one.keys() - {"timestamp", "elapsedMs"}:
            if key in ("bound", "fn"):  # the address of a lambda
                continue
            assert one[key] == other[key], key


def test_the_sinks_of_the_application_keep_their_values(stream: io.StringIO) -> None:
    """
    One without a queue has the values themselves; one with a queue those that pickle.
    """

    class Local(Exception):
        pass

    direct, queued = [], []
    refusing, when = Refusing(), datetime.date(2026, 11, 22)
    adapter.install(stream, enqueue=True)
    logger.add(lambda message: direct.append(message.record), format="")
    logger.add(lambda message: queued.append(message.record), format="", enqueue=True)
    error = Local("bad")
    logger.patch(lambda record: record.update(added=refusing, fine=[1])).opt(
        exception=error
    ).info("hello", refusing=refusing, when=when, rows=3)
    logger.opt(exception=ValueError("bad")).info("hello")
    logger.complete()

    assert direct[0]["extra"]["refusing"] is refusing
    assert direct[0]["exception"].value is error
    assert queued[0]["extra"] == {
        **{"requestID": "N/A", "refusing": "refusing"},
        **{"when": when, "rows": 3},
    }
    assert queued[0]["exception"].type is Exception
    assert (queued[0]["added"], queued[0]["fine"]) == ("refusing", [1])
    assert isinstance(queued[1]["exception"].value, ValueError)
    assert [line["message"] for line in written(stream)] == ["hello", "hello"]


def test_a_queue_has_the_levels_of_single_loggers(stream: io.StringIO) -> None:
    """
    A record below its level does not get into the queue.
    """
    adapter.install(stream, level="ERROR", levels={"shop.db": 10}, enqueue=True)
    logger.patch(lambda record: record.update(name="shop.db")).debug("seen")
    logger.info("not seen")
    logger.complete()
    assert [line["message"] for line in written(stream)] == ["seen"]


SPAWN = """
import multiprocessing
import operator
import sys
import ctxlog
from ctxlog.loggers import loguru as adapter
from loguru import logger

class Refusing:
    def __reduce__(self):
        raise TypeError("no")
    def __str__(self):
        return "refusing"

def child(log):
    class Local(Exception):
        pass
    log.info("from the child", rows=3, value=Refusing())
    ctxlog.run({"requestID": "req-B"}, log.info, "in the child's own")
    log.opt(exception=Local("bad")).info("failed")
    log.complete()

if __name__ == "__main__":
    how, option = sys.argv[1:]
    options = {"default": lambda value: "default"} if option == "stays" else {}
    adapter.install(enqueue=True, context=how, **options)
    process = multiprocessing.get_context(how).Process(target=child, args=(logger,))
    ctxlog.run({"requestID": "req-A"}, logger.info, "from the parent")
    process.start()
    process.join()
    logger.complete()
    logger.remove()
"""


@pytest.mark.skipif(loguru.__version__ < "0.7", reason="loguru's add() has no context")
@pytest.mark.parametrize("encoder", ["goes", "stays"])
@pytest.mark.parametrize("how", multiprocessing.get_all_start_methods())
def test_a_child_process_writes_through_the_queue(
    tmp_path: Path, how: str, encoder: str
) -> None:
    """
    The parent writes the child's lines, also where the encoder cannot go there.
    """
    program = tmp_path / "program.py"
    program.write_text(SPAWN)
    done = run_python(str(program), how, encoder, cwd=tmp_path)
    lines = [load_line(line) for line in done.stdout.splitlines()]
    assert [(line["message"], line["requestID"]) for line in lines] == [
        ("from the parent", "req-A"),
        ("from the child", "N/A"),
        ("in the child's own", "req-B"),
        ("failed", "N/A"),
    ]
    assert lines[1]["rows"] == 3
    value = lines[1]["value"]
    assert value == "refusing" or (encoder, value) == ("stays", "default")
    assert lines[3]["exception"]["stack"].endswith(".Local: bad")
    assert not done.stderr


def test_the_default_sink_is_gone_and_comes_back() -> None:
    """
    It would write every event a second time; installing twice changes nothing.
    """
    program = """
import sys
from loguru import logger
from ctxlog.loggers import loguru as adapter
assert not adapter.is_configured()
adapter.install(sys.stdout)
adapter.install(sys.stdout)
logger.info("ours")
adapter.uninstall()
assert not adapter.is_configured()
logger.info("default")
adapter.install(sys.stdout)
logger.info("ours again")
"""
    done = subprocess.run(
        [sys.executable, "-Ic", program], capture_output=True, text=True, check=True
    )
    assert [load_line(line)["message"] for line in done.stdout.splitlines()] == [
        *("ours", "ours again")
    ]
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith("default\n")


def test_a_sink_for_the_console_of_its_own_is_a_set_up_of_the_application(
    stream: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    `configure(loggers="auto")` leaves loguru alone, and says so in one line.
    """
    number = logger.add(sys.stderr, format="{message}")
    assert adapter.is_configured()
    ctxlog.configure(stream=stream, format="json")
    logger.info("hello")
    ctxlog.config.unconfigure()
    logger.remove(number)
    assert "hello" in capsys.readouterr().err.splitlines()
    (line,) = written(stream)
    assert "loguru was configured by the application" in line["message"]


def test_a_sink_that_reports_elsewhere_is_no_set_up_of_the_application(
    stream: io.StringIO,
) -> None:
    """
    Trackers and tracers add sinks and a patcher: loguru is taken over, theirs stay.
    """
    tracker: list[str] = []
    number = logger.add(tracker.append, format="{message} {extra[requestID]}")
    logger.configure(patcher=lambda record: record["extra"].update(traced=1))
    try:
        ctxlog.configure(stream=stream, format="json")
        in_store(lambda: logger.info("hello"))
        ctxlog.config.unconfigure()
    finally:
        logger.remove(number)
        logger.configure(patcher=lambda record: None)
        logger._core.patcher = None
    assert tracker == ["hello req-A\n"]
    (line,) = written(stream)
    assert (line["requestID"], line["traced"]) == ("req-A", 1)


@pytest.mark.parametrize("removing", ["logger.remove()", "logger.remove(0)"])
def test_an_application_that_sets_up_loguru_after_configure_has_its_way(
    removing: str, tmp_path: Path
) -> None:
    """
    `logger.remove(0)` takes ctxlog's sink away, as it would take loguru's own.
    """
    done = run_python(
        "-c",
        "import ctxlog, sys; ctxlog.configure()\n"
        "from loguru import logger\n"
        f"{removing}; logger.add(sys.stderr, format='mine {{message}}')\n"
        "logger.info('hello'); ctxlog.config.unconfigure(); logger.info('again')\n",
        cwd=tmp_path,
    )
    assert (done.stdout, done.stderr) == ("", "mine hello\nmine again\n")


def test_records_that_are_handed_on_to_stdlib_keep_their_fields(
    stream: io.StringIO,
) -> None:
    """
    The recipe of loguru's documentation: one line, not two, and no loop.
    """

    class Propagating(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            logging.getLogger(record.name).handle(record)

    number = logger.add(Propagating(), format="{message}")
    ctxlog.configure(stream=stream, format="json", loggers=["stdlib"])
    in_store(lambda: logger.bind(rows=3).info("hello"))
    ctxlog.config.unconfigure()
    logger.remove(number)
    (line,) = written(stream)
    assert (line["message"], line["requestID"]) == ("hello", "req-A")
    assert line["extra"] == {"rows": 3}


def test_completion_lines_that_are_handed_on_to_loguru_are_whole(
    tmp_path: Path,
) -> None:
    """
    The handler of loguru's documentation hands on the text alone.
    """
    need("starlette", "httpx")
    done = run_python(
        "-c",
        """
import inspect, logging, sys
from loguru import logger
from starlette.applications import Starlette
from starlette.testclient import TestClient
import ctxlog
from ctxlog.loggers.loguru import JsonSink, patcher

class InterceptHandler(logging.Handler):
    def emit(self, record):
        frame, depth = inspect.currentframe(), 0
        while frame and (depth == 0 or frame.f_code.co_filename == logging.__file__):
            frame = frame.f_back
            depth += 1
        logger.opt(depth=depth, exception=record.exc_info).log(
            record.levelname, record.getMessage()
        )

logging.basicConfig(handlers=[InterceptHandler()], level="INFO")
logger.remove()
logger.configure(patcher=patcher)
logger.add(JsonSink(sys.stdout), format="")
app = Starlette()
ctxlog.servers.asgi.install(app)
TestClient(app).get("/missing", headers={"X-Request-ID": "req-A"})
""",
        cwd=tmp_path,
    )
    lines = [load_line(line) for line in done.stdout.splitlines()]
    (line,) = [one for one in lines if one["logger"] == "ctxlog.request"]
    assert (line["method"], line["path"], line["status"]) == ("GET", "/missing", 404)
    assert line["requestID"] == "req-A"


def test_records_of_stdlib_that_are_handed_on_to_loguru_are_stamped(
    stream: io.StringIO,
) -> None:
    """
    The recipe of loguru's documentation the other way round.
    """

    class Intercepting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            logger.opt(exception=record.exc_info).log(
                record.levelname, record.getMessage()
            )

    log = logging.getLogger("test.intercepted")
    log.addHandler(Intercepting())
    log.setLevel(logging.INFO)
    log.propagate = False
    adapter.install(stream)
    in_store(lambda: log.info("hello %s", "you"))
    (line,) = written(stream)
    assert (line["message"], line["requestID"]) == ("hello you", "req-A")


def test_the_text_for_people_is_that_of_other_loggers(stream: io.StringIO) -> None:
    """
    On a terminal `configure()` gives the sink the console's encoder.
    """
    adapter.install(stream, encoder=ConsoleEncoder())
    in_store(lambda: logger.info("hello", rows=3))
    assert f"INFO     req-A {__name__}: hello rows=3 +" in stream.getvalue()


def test_a_sink_says_where_it_writes_to() -> None:
    """
    loguru shows it in its own error messages.
    """
    assert repr(adapter.JsonSink(sys.stderr)) == f"<JsonSink {sys.stderr.name}>"


# In company of other sinks -------------------------------------------------------

#: The keys of a record that loguru documents.
RECORD_KEYS = {
    *("elapsed", "exception", "extra", "file", "function", "level", "line"),
    *("message", "module", "name", "process", "thread", "time"),
}


@pytest.mark.parametrize("enqueue", [False, True])
def test_a_record_has_the_keys_of_loguru_only(enqueue: bool) -> None:
    """
    For filters, formats, patchers and sinks of others, before and after our sink.
    """
    keys: list[set[str]] = []

    def see(record: Any) -> Any:
        keys.append(set(record))
        return "{message}"

    def sink(message: Any) -> None:
        keys.append(set(message.record))

    def add() -> None:
        logger.add(sink, format=see, filter=see, enqueue=enqueue, catch=False)

    add()
    adapter.install(io.StringIO(), enqueue=enqueue)
    add()
    in_store(lambda: logger.patch(see).info("x", rows=3))
    logger.complete()
    assert len(keys) == 7
    assert all(one == RECORD_KEYS for one in keys)


def test_a_serializing_sink_shows_fields_and_nothing_of_ours() -> None:
    """
    `serialize=True` has the context's fields in `extra`, beside those of the call.
    """
    shown: list[str] = []
    logger.add(shown.append, serialize=True)
    adapter.install(io.StringIO())
    in_store(lambda: logger.info("x", rows=3), user="u")
    record = json.loads(shown[0])["record"]
    assert record["extra"] == {"requestID": "req-A", "user": "u", "rows": 3}
    assert "_ctxlog" not in shown[0]


def test_extra_looks_like_a_dict_and_is_copied_as_one() -> None:
    """
    For sinks that show, compare, copy or dump it.
    """
    extras: list[Any] = []
    logger.add(lambda message: extras.append(message.record["extra"]))
    adapter.install(io.StringIO())
    value = [1]
    in_store(lambda: logger.info("x", rows=value))
    (extra,) = extras
    expected = {"requestID": "req-A", "rows": [1]}
    assert (extra, repr(extra), str(extra)) == (expected, repr(expected), str(expected))
    copies = [copy.copy(extra), copy.deepcopy(extra), extra.copy(), {**extra}]
    assert copies == [expected] * 4
    assert {type(one) for one in copies} == {dict}
    assert copies[0]["rows"] is value is not copies[1]["rows"]


def test_a_patcher_that_replaces_extra_costs_no_line(stream: io.StringIO) -> None:
    """
    A later patcher may put a dict of its own there; the line is still the request's.
    """
    adapter.install(stream)

    def replace(record: Any) -> None:
        record["extra"] = {"mine": True}

    in_store(lambda: logger.patch(replace).info("x", rows=3))
    (line,) = written(stream)
    assert (line["requestID"], line["mine"], "rows" in line) == ("req-A", True, False)


def test_a_queued_sink_of_ones_own_has_the_stamp(stream: io.StringIO) -> None:
    """
    `JsonSink` behind loguru's queue: the record is pickled, its stamp comes along.
    """
    logger.configure(patcher=adapter.patcher)
    number = logger.add(adapter.JsonSink(stream), format="", enqueue=True)

    def work() -> None:
        ctxlog.bind(password="hunter2")
        logger.info("x", rows=3, lock=threading.Lock())

    in_store(work)
    logger.complete()
    logger.remove(number)
    (line,) = written(stream)
    assert (line["requestID"], line["rows"]) == ("req-A", 3)
    assert line["password"] == "[redacted]"
    assert "elapsedMs" in line
    assert "lock" in line["lock"]
