"""
Queues, pickles and sockets: a record is stamped where it was made and read elsewhere.
"""

from __future__ import annotations

import io
import json
import logging
import logging.handlers
import pickle
import queue
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pythonjsonlogger.json import JsonFormatter as StockJsonFormatter

import ctxlog
from tests.helpers import LogEnvironment, load_line, run_python


@pytest.fixture(autouse=True)
def _uninstalled() -> Iterator[None]:
    yield
    ctxlog.uninstall_record_factory()


class Queued:
    """
    A logger of its own behind a stock queue, and what its listener writes.
    """

    def __init__(self, how: str) -> None:
        self.waiting: queue.Queue[Any] = queue.Queue()
        self.handler = logging.handlers.QueueHandler(self.waiting)
        self.logger = logging.Logger("shop")  # pytest's capture fails on wrong formats
        self.logger.addHandler(self.handler)
        if how == "filter":
            self.handler.addFilter(ctxlog.ContextFilter())
        else:
            ctxlog.install_record_factory()

    def lines(self, formatter: logging.Formatter | None = None) -> list[dict[str, Any]]:
        """
        Let the listener write everything, and read it.
        """
        stream = io.BytesIO()
        handler = ctxlog.LineHandler(stream)
        handler.setFormatter(formatter or ctxlog.JsonFormatter())
        listener = logging.handlers.QueueListener(self.waiting, handler)
        listener.start()
        listener.stop()
        return [load_line(line) for line in stream.getvalue().splitlines()]


@pytest.fixture(params=["filter", "factory"])
def queued(request: pytest.FixtureRequest) -> Queued:
    """
    Stamped by the filter on the queue's handler, and by the record factory.
    """
    return Queued(request.param)


def fail(text: str = "bad") -> None:
    raise ValueError(text)


def test_the_context_is_the_producers(queued: Queued) -> None:
    """
    Fields bound after the call are not on the line; another request's never are.
    """

    def handler() -> None:
        queued.logger.info("one")
        ctxlog.bind(user="u")
        with ctxlog.scope(step="pay"):
            queued.logger.info("two", extra={"rows": 1})

    ctxlog.run({"requestID": "A"}, handler)
    ctxlog.run({"requestID": "B"}, queued.logger.info, "three")
    queued.logger.info("four")
    one, two, three, four = ctxlog.run({"requestID": "C"}, queued.lines)
    assert (one["requestID"], "user" in one) == ("A", False)
    assert list(two)[-4:] == ["user", "step", "elapsedMs", "rows"]
    assert (three["requestID"], four["requestID"]) == ("B", "N/A")


def test_an_exception_keeps_its_parts_and_the_message_is_the_message(
    queued: Queued,
) -> None:
    """
    The stock handler merges both into one text; type, message and stack come out apart.
    """
    try:
        fail()
    except ValueError:
        queued.logger.exception("failed at %s", "once", stack_info=True)
    (line,) = queued.lines()
    assert line["message"] == "failed at once"
    assert line["exception"]["type"] == "ValueError"
    assert line["exception"]["message"] == "bad"
    assert line["exception"]["stack"].startswith("Traceback")
    assert line["stackInfo"].startswith("Stack (most recent call last)")


def test_a_stack_without_an_exception_is_not_in_the_message(queued: Queued) -> None:
    """
    stack_info alone is merged by the stock handler as well.
    """
    queued.logger.info("here", stack_info=True)
    (line,) = queued.lines()
    assert line["message"] == "here"
    assert line["stackInfo"].startswith("Stack (most recent call last)")


def test_a_format_of_the_queues_own_stays_in_the_message(queued: Queued) -> None:
    """
    A formatter on the queue's handler is the application's; the stack stays a field.
    """
    queued.handler.setFormatter(logging.Formatter("[%(levelname)s] %(message)s"))
    try:
        fail()
    except ValueError:
        queued.logger.exception("failed")
    (line,) = queued.lines()
    assert line["message"] == "[ERROR] failed"
    assert "Traceback" in line["exception"]["stack"]


def test_a_mask_before_the_queue_holds_behind_it(queued: Queued) -> None:
    """
    Text that a filter took out of a crash's message does not come back.
    """

    def mask(record: logging.LogRecord) -> bool:
        record.msg, record.args = "login with ***", None
        return True

    queued.logger.addFilter(mask)
    try:
        fail()
    except ValueError:
        queued.logger.exception("login with %s", "hunter2")
    (line,) = queued.lines()
    assert line["message"] == "login with ***"


def test_wrong_arguments_are_not_lost(queued: Queued) -> None:
    """
    The stock handler formats in the producer, and would drop the record.
    """
    queued.logger.info("%d items", "many")
    (line,) = queued.lines()
    assert line["message"] == "%d items [many]"


def test_the_stock_formatter_behind_the_queue_shows_the_fields() -> None:
    """
    With the filter on the queue's handler any formatter of the listener does.
    """
    queued = Queued("filter")
    ctxlog.run({"requestID": "A", "user": {"id": 1}}, queued.logger.info, "x")
    (line,) = queued.lines(StockJsonFormatter())
    assert (line["requestID"], line["user"]) == ("A", {"id": 1})


def test_the_crash_of_a_request_is_queued_with_the_requests_context(
    queued: Queued,
) -> None:
    """
    Logged outside of it, by what the exception remembers, and not late.
    """
    try:
        ctxlog.run({"requestID": "A"}, fail)
    except ValueError:
        queued.logger.exception("crashed")
    (line,) = queued.lines()
    assert line["requestID"] == "A"
    assert "late" not in line


# Pickles -------------------------------------------------------------------------


def pickled(
    handler: logging.handlers.SocketHandler, record: logging.LogRecord
) -> bytes:
    """
    Return the bytes that a stock SocketHandler sends of a record.
    """
    data = handler.makePickle(record)
    (length,) = struct.unpack(">L", data[:4])
    assert length == len(data) - 4
    return data[4:]


def sent(how: str, secret: object = "hunter2") -> bytes:
    """
    The pickle of a crash line of a request that has a secret and an odd value.
    """
    handler = logging.handlers.SocketHandler("localhost", 9)
    if how == "factory":
        ctxlog.install_record_factory()
    records: list[logging.LogRecord] = []

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    keeping = Keeping()
    if how == "filter":
        keeping.addFilter(ctxlog.ContextFilter())
    logger = logging.Logger("shop")
    logger.addHandler(keeping)

    def log() -> None:
        try:
            fail()
        except ValueError:
            logger.exception("failed", extra={"rows": 3})

    fields = {"requestID": "A", "user": {"password": secret}, "odd": object()}
    ctxlog.run(fields, log)
    return pickled(handler, records[0])


def test_a_socket_carries_the_fields_that_the_filter_has_set() -> None:
    """
    The stock handler sends a record's attributes, as the filter left them: redacted.
    """
    data = sent("filter")
    assert b"hunter2" not in data
    record = logging.makeLogRecord(pickle.loads(data))
    line = load_line(ctxlog.JsonFormatter().format(record))
    assert (line["requestID"], line["rows"]) == ("A", 3)
    assert line["user"] == {"password": "[redacted]"}
    assert line["message"] == "failed"
    assert "ValueError: bad" in line["exception"]["stack"]


@pytest.mark.parametrize("how", ["filter", "factory"])
def test_a_receiver_without_ctxlog_reads_the_pickle(how: str, tmp_path: Path) -> None:
    """
    It holds builtin types only.
    """
    (tmp_path / "record").write_bytes(sent(how))
    program = (
        "import sys\n"
        "class Blocker:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] not in sys.stdlib_module_names:\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, Blocker())\n"
        "import logging, pickle\n"
        "values = pickle.load(open('record', 'rb'))\n"
        "record = logging.makeLogRecord(values)\n"
        "print(logging.Formatter('%(message)s %(rows)d').format(record))\n"
        "print(getattr(record, 'requestID', None))\n"
    )
    done = run_python("-S", "-c", program, cwd=tmp_path)
    first, *_, last = done.stdout.splitlines()
    assert (first, last) == ("failed 3", "A" if how == "filter" else "None")


HOSTILE_RECORDS: list[dict[str, Any]] = [
    {"name": []},
    {"name": None, "levelname": None, "levelno": "x"},
    {"created": "x", "msecs": "x"},
    {"created": float("nan"), "msecs": float("nan")},
    {"args": 3},
    {"args": {"a": 1}, "msg": "%d"},
    {"exc_info": 3},
    {"exc_info": (1, 2)},
    {"exc_info": (1, 2, 3)},
    {"exc_text": 3},
    {"stack_info": 3},
    {"stack_info": ""},
    {1: 2, None: 3},
    {"name": "django.request", "request": 3},
]


@pytest.mark.parametrize("values", HOSTILE_RECORDS, ids=str)
@pytest.mark.parametrize(
    "formatter",
    [
        ctxlog.JsonFormatter(),
        ctxlog.JsonFormatter("%(name)s %(message)s %(asctime)s %(exc_info)s"),
        ctxlog.ConsoleFormatter(),
    ],
    ids=["json", "fmt", "text"],
)
def test_a_record_that_no_logger_made_is_a_line(
    values: dict[Any, Any], formatter: logging.Formatter
) -> None:
    """
    Formatting never raises, whatever the attributes are.
    """
    values = {"msg": "kept", **values}
    record = logging.makeLogRecord(values)
    shown = formatter.format(record)
    assert str(values["msg"]) in shown
    if isinstance(formatter, ctxlog.JsonFormatter):
        load_line(shown)


# Processes -----------------------------------------------------------------------


def test_a_process_pool_logs_through_one_queue(tmp_path: Path) -> None:
    """
    A multiprocessing queue and the stock handlers: each line has its process's context.
    """
    program = tmp_path / "program.py"
    program.write_text(
        "import ctxlog, logging, logging.handlers, multiprocessing, sys\n"
        "def child(waiting, name):\n"
        "    ctxlog.install_record_factory()\n"
        "    handler = logging.handlers.QueueHandler(waiting)\n"
        "    logging.getLogger().addHandler(handler)\n"
        "    def work():\n"
        "        try:\n"
        "            1 / 0\n"
        "        except ZeroDivisionError:\n"
        "            logging.exception('failed %s', name)\n"
        "    ctxlog.run({'requestID': name, 'odd': object()}, work)\n"
        "if __name__ == '__main__':\n"
        "    context = multiprocessing.get_context('spawn')\n"
        "    waiting = context.Queue()\n"
        "    listener = logging.handlers.QueueListener(waiting, ctxlog.LineHandler())\n"
        "    listener.start()\n"
        "    children = [context.Process(target=child, args=(waiting, name))\n"
        "                for name in 'AB']\n"
        "    for each in children: each.start()\n"
        "    for each in children: each.join()\n"
        "    listener.stop()\n"
    )
    done = run_python(str(program), cwd=tmp_path)
    lines = sorted(map(load_line, done.stdout.splitlines()), key=lambda e: e["message"])
    assert [line["requestID"] for line in lines] == ["A", "B"]
    assert [line["message"] for line in lines] == ["failed A", "failed B"]
    assert {line["exception"]["type"] for line in lines} == {"ZeroDivisionError"}


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork on Windows")
def test_a_forked_child_keeps_logging(tmp_path: Path) -> None:
    """
    Also when another thread held the handler's lock at the fork; no line comes twice.
    """
    program = (
        "import ctxlog, logging, os, threading\n"
        "ctxlog.configure(format='json')\n"
        "handler = logging.getLogger().handlers[0]\n"
        "held, let_go = threading.Event(), threading.Event()\n"
        "def hold():\n"
        "    handler.acquire(); held.set(); let_go.wait(); handler.release()\n"
        "def work():\n"
        "    print('printed', flush=True)\n"
        "    logging.info('before')\n"
        "    threading.Thread(target=hold, daemon=True).start(); held.wait()\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        logging.info('child'); os._exit(0)\n"
        "    os.waitpid(child, 0)\n"
        "    let_go.set()\n"
        "    logging.info('parent')\n"
        "ctxlog.run({'requestID': 'A'}, work)\n"
    )
    done = run_python("-W", "ignore", "-c", program, cwd=tmp_path)
    printed, *lines = done.stdout.splitlines()
    assert printed == "printed"
    assert [json.loads(line)["message"] for line in lines] == [
        "before",
        "child",
        "parent",
    ]
    assert {json.loads(line)["requestID"] for line in lines} == {"A"}


def test_two_handlers_of_two_threads_write_one_record(
    log_env: LogEnvironment,
) -> None:
    """
    A record that is handled by two threads at once is written by both.
    """
    record = logging.makeLogRecord({"msg": "x", "a": 1})
    log_env.set_formatter(ctxlog.JsonFormatter())
    queued = Queued("factory")
    queued.handler.handle(record)
    log_env.handler.handle(record)
    assert (queued.lines()[0]["a"], log_env.load_json()["a"]) == (1, 1)
