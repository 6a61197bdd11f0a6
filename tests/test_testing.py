"""
`ctxlog.testing.capture_lines()`, and the pytest plugin in a pytest of its own.
"""

from __future__ import annotations

import json
import logging
import logging.config
import threading
import uuid
from pathlib import Path
from typing import Any

import pytest

import ctxlog
from ctxlog.testing import CapturedLines, capture_lines
from tests.helpers import LogEnvironment, need, run_python

# Collecting ----------------------------------------------------------------------


def test_lines_come_with_their_context() -> None:
    """
    Nothing is configured, and every level is collected as the line it would be.
    """
    with capture_lines() as lines:
        ctxlog.run({"requestID": "req-A"}, logging.getLogger("shop").debug, "hi")
        logging.getLogger("shop").error("outside", extra={"rows": 3})

    first, second = lines
    assert (first["requestID"], first["level"], first["message"]) == (
        *("req-A", "DEBUG"),
        "hi",
    )
    assert (second["requestID"], second["rows"]) == ("N/A", 3)
    assert [json.loads(line) for line in lines.raw] == list(lines)
    assert all(line.endswith(b"\n") for line in lines.raw)


def test_after_the_block_nothing_more_is_collected() -> None:
    """
    What was collected stays; logging is as it was before.
    """
    methods = logging.Logger.isEnabledFor, logging.Logger.callHandlers
    with capture_lines() as lines:
        logging.info("inside")
    logging.warning("outside")

    assert [line["message"] for line in lines] == ["inside"]
    assert methods == (logging.Logger.isEnabledFor, logging.Logger.callHandlers)


def test_what_is_configured_writes_what_it_would_have(log_env: LogEnvironment) -> None:
    """
    Levels of loggers and handlers are as they were for everybody else.
    """
    log_env.logger.setLevel(logging.WARNING)
    with capture_lines() as lines:
        log_env.logger.info("seen by the test")
        log_env.logger.error("seen by all")

    assert [line["message"] for line in lines] == ["seen by the test", "seen by all"]
    assert log_env.text() == "seen by all\n"
    assert not log_env.logger.isEnabledFor(logging.INFO)


def test_lines_are_collected_whatever_is_configured_meanwhile() -> None:
    """
    A program that configures logging in the block takes nothing away.
    """
    with capture_lines() as lines:
        ctxlog.configure(level="ERROR", format="json")
        logging.getLogger("a").info("one")
        logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})
        logging.getLogger("a").info("two")
        ctxlog.config.unconfigure()
        logging.disable(logging.CRITICAL)
        logging.getLogger("a").info("three")
        logging.disable(logging.NOTSET)

    assert [line["message"] for line in lines] == ["one", "two", "three"]


def test_a_disabled_logger_is_not_collected() -> None:
    """
    It would not have logged.
    """
    logger = logging.getLogger("test.disabled")
    logger.disabled = True
    with capture_lines() as lines:
        logger.error("never")

    assert len(lines) == 0


@pytest.mark.parametrize("level", ["WARNING", logging.WARNING])
def test_a_level_leaves_out_what_is_below(level: int | str) -> None:
    """
    By name or by number.
    """
    with capture_lines(level) as lines:
        logging.info("no")
        logging.warning("yes")

    assert [line["message"] for line in lines] == ["yes"]


@pytest.mark.parametrize("level", ["LOUD", None, 1.5])
def test_a_level_that_is_none_is_refused(level: Any) -> None:
    """
    The error names the option and the value.
    """
    with pytest.raises(ctxlog.ConfigError, match="value for level: "):
        capture_lines(level)


def test_blocks_end_in_any_order() -> None:
    """
    Each collects in its own block, at its own level.
    """
    outer, inner = capture_lines("DEBUG"), capture_lines("ERROR")
    first = outer.__enter__()
    second = inner.__enter__()
    logging.info("info")
    logging.error("error")
    outer.__exit__(None, None, None)
    logging.error("more")
    inner.__exit__(None, None, None)
    logging.error("nobody's")

    assert [line["message"] for line in first] == ["info", "error"]
    assert [line["message"] for line in second] == ["error", "more"]


def test_the_same_block_can_be_used_again_within_itself() -> None:
    """
    An object that is entered twice is left twice.
    """
    block = capture_lines()
    with block as outer:
        with block as inner:
            logging.info("one")
        logging.info("two")

    assert [len(outer), len(inner)] == [2, 1]


def test_lines_of_all_threads_are_collected() -> None:
    """
    With the context of the thread that logged each.
    """

    def work(name: str) -> None:
        ctxlog.run({"requestID": name}, logging.getLogger("w").info, name)

    with capture_lines() as lines:
        threads = [threading.Thread(target=work, args=(f"r{n}",)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert sorted(line["message"] for line in lines) == ["r0", "r1", "r2", "r3"]
    assert all(line["requestID"] == line["message"] for line in lines)


def test_a_filter_of_a_logger_has_its_say() -> None:
    """
    What it drops is not logged, so it is not collected.
    """
    logger = logging.getLogger("test.filtered")
    logger.addFilter(lambda record: record.getMessage() != "drop")
    with capture_lines() as lines:
        logger.info("drop")
        logger.info("keep")
    logger.filters.clear()

    assert [line["message"] for line in lines] == ["keep"]


# Three loggers --------------------------------------------------------------------


def test_lines_of_all_three_loggers_are_collected() -> None:
    """
    None of them is configured; each line has the context, and they are alike.
    """
    structlog, loguru = need("structlog"), need("loguru")

    def handle() -> None:
        logging.getLogger("shop").info("hi", extra={"rows": 1})
        structlog.get_logger().bind(rows=1).info("hi")
        loguru.logger.bind(rows=1).info("hi")

    with capture_lines() as lines:
        ctxlog.run({"requestID": "req-A"}, handle)
    handle()

    keys = ["timestamp", "level", "requestID", "message", "logger", "elapsedMs", "rows"]
    assert [list(line) for line in lines] == [keys] * 3
    assert all((line["message"], line["rows"]) == ("hi", 1) for line in lines)
    lines.assert_stamped(requestID="req-A", level="INFO")


def test_an_event_that_is_handed_on_is_one_line() -> None:
    """
    structlog over stdlib, and stdlib into loguru by the recipe of its documentation.
    """
    structlog, loguru = need("structlog"), need("loguru")

    class InterceptHandler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            loguru.logger.info(record.getMessage())

    handler = InterceptHandler()
    logging.getLogger("shop").addHandler(handler)
    structlog.configure(
        processors=[structlog.stdlib.render_to_log_kwargs],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    try:
        with capture_lines() as lines:
            structlog.get_logger("shop").info("%s", "one", rows=1)
            logging.getLogger("shop").warning("two")
            loguru.logger.debug("three")
    finally:
        structlog.reset_defaults()

    assert [line["message"] for line in lines] == ["one", "two", "three"]
    assert (lines[0]["rows"], lines[0]["logger"]) == (1, "shop")


def test_lines_of_a_configured_process_are_captured(tmp_path: Path) -> None:
    """
    Of all three loggers, each once, although none of them takes the long way.
    """
    need("structlog", "loguru")
    program = """
import logging, structlog, loguru
import ctxlog
from ctxlog.testing import capture_lines

ctxlog.configure(to=["file:app.log"], format="json")
logging.info("zero")
with capture_lines() as lines:
    logging.info("one")
    structlog.get_logger("shop").info("two %s", "b", rows=2)
    loguru.logger.info("three")
print([line["message"] for line in lines])
structlog.get_logger("shop").info("four")
"""
    done = run_python("-c", program, cwd=tmp_path)
    assert done.stdout == "['one', 'two b', 'three']\n"
    assert (tmp_path / "app.log").read_text().count("\n") == 5


def test_lines_are_captured_whatever_becomes_of_their_request(tmp_path: Path) -> None:
    """
    Those that wait and those that are dropped; what is written stays as it is.
    """
    need("structlog", "loguru")
    program = """
import logging, sys, structlog, loguru
import ctxlog
from ctxlog.testing import capture_lines

def configure():
    ctxlog.configure(
        to=["file:app.log"],
        format="json",
        buffer=ctxlog.Buffer(),
        sampling=ctxlog.Sampling(rate=0.0),
    )

def work(failing):
    for log in (logging, structlog.get_logger(), loguru.logger):
        log.debug("details")
        log.info("hello")
    if failing:
        logging.error("failed")

inside = sys.argv[1] == "inside"
if not inside:
    configure()
with capture_lines() as lines:
    if inside:
        configure()
    for failing in (False, True):
        ctxlog.run({"requestID": f"req-{failing}"}, work, failing)
print([line["message"][0] for line in lines])
with open("app.log") as file:
    print(len(file.readlines()))
ctxlog.run({}, work, True)
with open("app.log") as file:
    print(len(file.readlines()))
"""
    for moment in ("before", "inside"):
        done = run_python("-c", program, moment, cwd=tmp_path)
        captured, written, more = done.stdout.splitlines()
        assert captured == str(["d", "h"] * 6 + ["f"]), moment
        assert (written, more) == ("7", "14")
        (tmp_path / "app.log").unlink()


def test_fields_of_structlogs_contextvars_come_along() -> None:
    """
    On structlog's lines, as with its own processor.
    """
    structlog = need("structlog")
    with capture_lines() as lines, structlog.contextvars.bound_contextvars(a=1):
        structlog.get_logger().info("hi", b=2)

    assert (lines[0]["a"], lines[0]["b"]) == (1, 2)


def test_levels_are_those_of_every_logger() -> None:
    """
    A line below the level is left out, from any logger.
    """
    structlog, loguru = need("structlog"), need("loguru")
    with capture_lines("WARNING") as lines:
        for log in (structlog.get_logger(), loguru.logger, logging.getLogger("shop")):
            log.info("no")
            log.warning("yes")

    assert [line["message"] for line in lines] == ["yes"] * 3


def test_loguru_is_left_as_it_was() -> None:
    """
    Also if the application removes all sinks within the block.
    """
    loguru = need("loguru")
    core = loguru.logger._core
    before = dict(core.handlers)
    with capture_lines():
        assert len(core.handlers) == len(before) + 1
    assert core.handlers == before
    with capture_lines() as lines:
        loguru.logger.info("one")
        for number in set(core.handlers) - set(before):
            loguru.logger.remove(number)
        loguru.logger.info("two")

    assert core.handlers == before
    assert [line["message"] for line in lines] == ["one"]


# What was collected --------------------------------------------------------------


def collected(*lines: dict[str, object]) -> CapturedLines:
    """
    Lines as they would have been collected.
    """
    captured = CapturedLines()
    for line in lines:
        full = {"level": "INFO", "requestID": "N/A", "message": "m", "logger": "l"}
        captured.add(json.dumps({**full, **line}).encode() + b"\n")
    return captured


def test_lines_are_a_sequence() -> None:
    """
    Indices, slices, length and a repr; `clear()` forgets them.
    """
    lines = collected({"n": 1}, {"n": 2}, {"n": 3})

    assert lines[0]["n"] == 1
    assert [line["n"] for line in lines[1:]] == [2, 3]
    assert (len(lines), "'n': 2" in repr(lines)) == (3, True)
    lines.clear()
    assert (list(lines), lines.raw) == ([], [])


def test_lines_that_are_stamped_pass() -> None:
    """
    With the values as they were bound, or as the line shows them.
    """
    key = uuid.uuid4()
    lines = collected({"requestID": "A", "key": str(key), "user": {"id": "u"}})

    lines.assert_stamped()
    lines.assert_stamped(requestID="A", key=key, user={"id": "u"})
    lines.assert_stamped(key=str(key))


def test_no_line_is_not_stamped() -> None:
    """
    An assertion about no line at all could never fail.
    """
    with pytest.raises(AssertionError, match="no line was logged"):
        CapturedLines().assert_stamped(requestID="A")


def test_the_failure_says_which_line_lacks_what() -> None:
    """
    By number, level, logger and message, and what it has instead.
    """
    lines = collected(
        {"requestID": "A", "user": "u"},
        {"requestID": "B", "message": "x" * 100},
        {"requestID": "A", "user": None},
    )

    with pytest.raises(AssertionError) as caught:
        lines.assert_stamped(requestID="A", user="u")

    assert str(caught.value) == (
        "2 of 3 lines are not stamped:\n"
        f"  line 1, INFO l '{'x' * 57}...': requestID is 'B', not 'A'; "
        "it has no user ('u' expected)\n"
        "  line 2, INFO l 'm': user is None, not 'u'"
    )


def test_many_failures_are_counted() -> None:
    """
    The first five are shown.
    """
    with pytest.raises(AssertionError) as caught:
        collected(*[{}] * 8).assert_stamped()

    text = str(caught.value)
    assert text.startswith("8 of 8 lines are not stamped")
    assert text.count("it has no requestID") == 5
    assert text.endswith("and 3 more")


# The plugin ----------------------------------------------------------------------


def run_pytest(
    folder: Path, source: str, *options: str, ini: str = "", asyncio: bool = False
) -> str:
    """
    Run pytest on *source* in a process of its own; it must pass. Returns the report.
    """
    if not asyncio:  # it warns unless it is told how to be used
        options = ("-p", "no:asyncio", *options)
    (folder / "test_it.py").write_text(source, encoding="utf-8")
    (folder / "pytest.ini").write_text(f"[pytest]\n{ini}\n", encoding="utf-8")
    options = ("-p", "no:cacheprovider", "-W", "error", *options)
    return run_python("-m", "pytest", *options, cwd=folder).stdout


STORES = "ctxlog_store = true"


def test_every_test_has_a_store_of_its_own(tmp_path: Path) -> None:
    """
    `test` is the node id, in the test and in its fixtures, from setup to teardown.
    """
    source = """
import logging, pytest, ctxlog

stores = []

@pytest.fixture
def before_and_after(request):
    assert ctxlog.fields() == {"test": request.node.nodeid}
    yield
    assert ctxlog.fields() == {"test": request.node.nodeid, "user": "u"}

@pytest.mark.parametrize("n", [1, 2])
def test_one(n, before_and_after, request):
    assert ctxlog.fields() == {"test": f"test_it.py::test_one[{n}]"}
    ctxlog.bind(user="u")
    stores.append(ctxlog.get_store())

class TestMethods:
    @pytest.fixture
    def me(self):
        return self

    def test_two(self, me):
        assert me is self
        assert ctxlog.fields() == {"test": "test_it.py::TestMethods::test_two"}

def test_three():
    assert len(set(map(id, stores))) == 2
    assert all(store.closed for store in stores)
"""
    assert "4 passed" in run_pytest(tmp_path, source, ini=STORES)


def test_what_serves_several_tests_is_in_no_tests_store(tmp_path: Path) -> None:
    """
    Fixtures of a wider scope run outside, at both ends; pytest binds methods as ever.
    """
    source = """
import pytest, ctxlog

@pytest.fixture(scope="session")
def wide():
    assert ctxlog.get_store() is None
    yield 1
    assert ctxlog.get_store() is None

@pytest.fixture(scope="module", autouse=True)
def plain():
    assert ctxlog.get_store() is None

class TestClass:
    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def shared(cls, wide):
        assert ctxlog.get_store() is None
        cls.value = wide

    def test_a(self):
        assert self.value == 1
        assert ctxlog.get_store() is not None
"""
    assert "1 passed" in run_pytest(tmp_path, source, ini=STORES)


ASYNC_TESTS = """
import pytest, ctxlog
from hypothesis import given, settings, strategies as st
MARKS

@WIDE
async def wide():
    assert ctxlog.get_store() is None
    yield
    assert ctxlog.get_store() is None

@FIXTURE
async def plain(request):
    return ctxlog.fields()["test"] == request.node.nodeid

@FIXTURE
async def generator(request):
    assert ctxlog.fields() == {"test": request.node.nodeid}
    yield
    assert ctxlog.fields() == {"test": request.node.nodeid}

@pytest.mark.parametrize("n", [1, 2])
async def test_async(n, wide, plain, generator, request):
    assert plain
    assert ctxlog.fields() == {"test": request.node.nodeid}

@settings(deadline=None, max_examples=3)
@given(n=st.integers())
async def test_property(n):
    assert ctxlog.fields()["test"].startswith("test_it.py::test_property")

class TestMethods:
    async def test_method(self, wide, generator, request):
        assert isinstance(self, TestMethods)
        assert ctxlog.fields() == {"test": request.node.nodeid}
"""


def test_asynchronous_tests_have_it_under_pytest_asyncio(tmp_path: Path) -> None:
    """
    Also where one event loop serves all tests of the session.
    """
    need("pytest_asyncio")
    source = ASYNC_TESTS.replace(
        "MARKS",
        "import pytest_asyncio\npytestmark = pytest.mark.asyncio(loop_scope='session')",
    )
    source = source.replace("WIDE", "pytest_asyncio.fixture(scope='session')")
    source = source.replace("FIXTURE", "pytest_asyncio.fixture(loop_scope='session')")
    ini = f"{STORES}\nasyncio_default_fixture_loop_scope = session"
    assert "4 passed" in run_pytest(
        tmp_path, source, "-p", "no:anyio", ini=ini, asyncio=True
    )


def test_asynchronous_tests_have_it_under_anyio(tmp_path: Path) -> None:
    """
    On both of its backends; a fixture of the module keeps one runner for all tests.
    """
    source = ASYNC_TESTS.replace("MARKS", "pytestmark = pytest.mark.anyio")
    source = source.replace("WIDE", "pytest.fixture(scope='module')")
    source = source.replace("FIXTURE", "pytest.fixture")
    assert "8 passed" in run_pytest(tmp_path, source, ini=STORES)


@pytest.mark.parametrize("stored", [True, False])
def test_the_fixture_collects_the_tests_lines(tmp_path: Path, stored: bool) -> None:
    """
    `ctxlog_lines` is `capture_lines()` around the test, with or without stores.
    """
    source = """
import logging, unittest, ctxlog

def test_lines(ctxlog_lines, caplog, request):
    test = STORED and {"test": request.node.nodeid}
    with ctxlog.scope(requestID="req-A"):
        logging.getLogger("shop").debug("hi")
        logging.getLogger("shop").warning("hi")
    ctxlog_lines.assert_stamped(requestID="req-A", **test)
    assert len(ctxlog_lines) == 2
    assert ("test" in ctxlog_lines[0]) is bool(STORED)
    assert [record.levelname for record in caplog.records] == ["WARNING"]

def test_failing(ctxlog_lines):
    logging.getLogger("shop").error("hi")
    try:
        ctxlog_lines.assert_stamped(requestID="req-A")
    except AssertionError as error:
        assert "line 0, ERROR shop 'hi': requestID is 'N/A'" in str(error)
    else:
        assert False

class Case(unittest.TestCase):
    def test_case(self):
        test = STORED and {"test": "test_it.py::Case::test_case"}
        assert ctxlog.fields() == test
"""
    source = f"STORED = {stored!r} or {{}}\n{source}"
    ini = STORES if stored else ""
    assert "3 passed" in run_pytest(tmp_path, source, ini=ini)


OUTSIDE = """
import logging, sys
import ctxlog, pytest

@pytest.fixture(scope="module")
def wide():
    return ctxlog.get_store()

@pytest.fixture
def narrow():
    return ctxlog.get_store()

def test_outside(wide, narrow):
    assert ctxlog.get_store() is wide is narrow is None
"""


@pytest.mark.parametrize("ini", ["", "ctxlog_store = false"])
def test_no_test_has_a_store_unasked(tmp_path: Path, ini: str) -> None:
    """
    Without the option the plugin registers no hook that runs with a test.
    """
    source = f"""{OUTSIDE}
def test_no_hooks(pytestconfig):
    manager = pytestconfig.pluginmanager
    (plugin,) = [p for name, p in manager.list_name_plugin() if name == "ctxlog"]
    hooks = {{hook.name for hook in manager.get_hookcallers(plugin)}}
    assert hooks == {{"pytest_addoption", "pytest_configure"}}
    assert not manager.has_plugin("ctxlog_stores")
"""
    assert "2 passed" in run_pytest(tmp_path, source, ini=ini)


def test_the_plugin_can_be_left_out(tmp_path: Path) -> None:
    """
    `-p no:ctxlog` is without the plugin.
    """
    assert "1 passed" in run_pytest(tmp_path, OUTSIDE, "-pno:ctxlog")


def test_pyproject_asks_for_stores(tmp_path: Path) -> None:
    """
    The option may stand in `pyproject.toml`, as what TOML has for true.
    """
    source = """
import ctxlog

def test_stored(request):
    assert ctxlog.fields() == {"test": request.node.nodeid}
"""
    (tmp_path / "test_it.py").write_text(source, encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text(
        "[tool.pytest.ini_options]\nctxlog_store = true\n", encoding="utf-8"
    )
    options = ("-p", "no:cacheprovider", "-p", "no:asyncio", "-W", "error")
    done = run_python("-m", "pytest", *options, cwd=tmp_path)
    assert "1 passed" in done.stdout


def test_a_program_that_has_imported_ctxlog_may_run_pytest(tmp_path: Path) -> None:
    """
    pytest does not warn that it cannot rewrite the assertions of ctxlog any more.
    """
    (tmp_path / "test_it.py").write_text("def test_it(): pass\n", encoding="utf-8")
    source = """
import sys
import ctxlog, pytest

options = ["-p", "no:cacheprovider", "-p", "no:asyncio", "-W", "error"]
sys.exit(pytest.main(options))
"""
    assert "1 passed" in run_python("-c", source, cwd=tmp_path).stdout


def test_a_failure_is_reported_as_ever(tmp_path: Path) -> None:
    """
    Tests that fail, skip and error do so with the plugin, too.
    """
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        "@pytest.fixture\ndef broken():\n    raise ValueError('bad')\n"
        "def test_fail():\n    assert 1 == 2\n"
        "def test_error(broken):\n    pass\n"
        "def test_skip():\n    pytest.skip('why')\n",
        encoding="utf-8",
    )
    options = ("-m", "pytest", "-p", "no:cacheprovider")
    done = run_python(*options, cwd=tmp_path, check=False)
    assert "1 failed, 1 skipped, 1 error" in done.stdout
    assert "ctxlog/" not in done.stdout


def test_the_plugin_loads_nothing_heavy(tmp_path: Path) -> None:
    """
    Where no test asks for lines, no adapter is imported, and logging is not touched.
    """
    source = """
import logging, sys

def test_loaded():
    assert "ctxlog.pytest_plugin" in sys.modules
    heavy = {"ctxlog.testing", "ctxlog.loggers.stdlib", "ctxlog.config"}
    heavy.add("ctxlog.line.encoder")
    third = {"orjson", "pythonjsonlogger", "structlog", "loguru"}
    assert not (heavy | third) & set(sys.modules)
    assert logging.getLogRecordFactory() is logging.LogRecord
"""
    assert "1 passed" in run_pytest(tmp_path, source)
