"""
What stays outside of `configure()`: looked through, taken away, or said once.
"""

from __future__ import annotations

import io
import logging
import logging.handlers
import queue
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import ctxlog
from ctxlog.config import unconfigure
from tests.config.programs import run_program
from tests.helpers import load_line, need, run_python


def messages(stream: io.StringIO, logger: str) -> list[str]:
    lines = [load_line(line) for line in stream.getvalue().splitlines()]
    return [line["message"] for line in lines if line["logger"] == logger]


# Consoles in disguise -------------------------------------------------------------

BEFORE = """
import logging, logging.handlers, queue, sys
root = logging.getLogger()
{handler}
import ctxlog
ctxlog.configure(format="json")
ctxlog.run({{"requestID": "A"}}, logging.getLogger("shop").warning, "hello")
{end}
"""

QUEUE = """
q = queue.Queue()
listener = logging.handlers.QueueListener(q, logging.StreamHandler())
listener.start()
root.addHandler(logging.handlers.QueueHandler(q))
"""

MEMORY = """
root.addHandler(logging.handlers.MemoryHandler(1, target=logging.StreamHandler()))
"""

REOPENED = """
root.addHandler(logging.FileHandler("/dev/stderr"))
"""

LAST_RESORT = """
root.addHandler(logging.lastResort)
"""

WRAPPING = """
class Wrapping(logging.Handler):
    def __init__(self, below):
        super().__init__()
        self.below = below
    def emit(self, record):
        self.below.emit(record)
root.addHandler(Wrapping(logging.StreamHandler(sys.stdout)))
"""


@pytest.mark.parametrize(
    ("handler", "end"),
    [
        (QUEUE, "listener.stop()"),
        (MEMORY, ""),
        (LAST_RESORT, ""),
        (WRAPPING, ""),
        pytest.param(
            REOPENED,
            "",
            marks=pytest.mark.skipif(sys.platform == "win32", reason="no /dev/stderr"),
        ),
    ],
    ids=["queue", "memory", "last resort", "wrapping", "reopened"],
)
def test_a_console_in_disguise_is_looked_through(
    handler: str, end: str, tmp_path: Path
) -> None:
    """
    The line comes once, as JSON, and nothing is said.
    """
    printed = run_program(BEFORE.format(handler=handler, end=end), tmp_path)

    assert printed.messages == ["hello"]
    assert (printed.warnings, printed.err) == ([], "")


REDIRECTING = """
import logging
import ctxlog
class Redirecting(logging.Handler):
    def __init__(self, target):
        super().__init__()
        self.target = target
    def emit(self, record):
        self.target.handle(record)
ctxlog.configure(format="json")
server = logging.getLogger("werkzeug")
server.addHandler(Redirecting(logging.getLogger("commands")))
server.propagate = False
server.warning("hello")
"""


def test_a_handler_that_hands_on_to_another_logger_is_looked_through(
    tmp_path: Path,
) -> None:
    """
    As `runserver_plus` gives werkzeug's logger one: the line comes once.
    """
    printed = run_program(REDIRECTING, tmp_path)

    assert printed.messages == ["hello"]
    assert (printed.warnings, printed.err) == ([], "")


def test_the_consoles_of_other_libraries_are_looked_through(tmp_path: Path) -> None:
    """
    rich's, absl's and coloredlogs' handlers on the root logger, set up before.
    """
    need("rich", "absl", "coloredlogs")
    handlers = (
        "from rich.logging import RichHandler\n"
        "root.addHandler(RichHandler())\n"
        "from absl import logging as from_absl\n"
        "from_absl.use_absl_handler()\n"
        "import coloredlogs\n"
        "coloredlogs.install()\n"
    )
    printed = run_program(BEFORE.format(handler=handlers, end=""), tmp_path)

    assert printed.messages == ["hello"]
    assert (printed.warnings, printed.err) == ([], "")


def test_a_listeners_other_handlers_go_on(stream: io.StringIO, tmp_path: Path) -> None:
    """
    Of a listener that writes to the console and to a file, the file stays.
    """
    file = logging.FileHandler(tmp_path / "app.log")
    console = logging.StreamHandler(sys.__stderr__)
    waiting: queue.Queue[logging.LogRecord] = queue.Queue()
    listener = logging.handlers.QueueListener(waiting, console, file)
    logging.getLogger().addHandler(logging.handlers.QueueHandler(waiting))

    ctxlog.configure(stream=stream)
    listener.start()
    logging.warning("hello")
    listener.stop()
    file.close()

    assert (tmp_path / "app.log").read_text() == "hello\n"
    assert listener.handlers == (file,)
    unconfigure()
    assert listener.handlers == (console, file)


def test_a_queue_that_nothing_is_known_of_is_said(stream: io.StringIO) -> None:
    """
    The reader of a queue may be in another process.
    """
    logging.getLogger().addHandler(logging.handlers.QueueHandler(queue.Queue()))

    ctxlog.configure(stream=stream, format="json")

    (message,) = messages(stream, "ctxlog")
    assert "the root logger keeps a QueueHandler" in message


# Handlers of single loggers -------------------------------------------------------


@pytest.fixture
def shop() -> Iterator[logging.Logger]:
    logger = logging.getLogger("shop.outside")
    console = logging.StreamHandler(sys.__stderr__)
    logger.addHandler(console)
    yield logger
    logger.removeHandler(console)
    logger.propagate = True


@pytest.mark.parametrize(
    ("propagate", "what"),
    [(True, "come out a second time"), (False, "are text without")],
)
def test_a_logger_with_a_console_handler_is_said(
    stream: io.StringIO, shop: logging.Logger, propagate: bool, what: str
) -> None:
    """
    Once, with what happens to its lines and what to write.
    """
    shop.propagate = propagate

    ctxlog.configure(stream=stream, format="json")
    shop.warning("hello")
    shop.warning("hello")

    (message,) = messages(stream, "ctxlog")
    assert "logger 'shop.outside' keeps a console handler" in message
    assert what in message
    assert "replace_console_handlers='all'" in message


def test_every_such_logger_is_in_the_one_line(
    stream: io.StringIO, shop: logging.Logger
) -> None:
    """
    One line names everything that stays outside.
    """
    other = logging.getLogger("other.outside")
    console = logging.StreamHandler(sys.__stdout__)
    other.addHandler(console)
    try:
        ctxlog.configure(stream=stream, format="json")
    finally:
        other.removeHandler(console)

    (message,) = messages(stream, "ctxlog")
    assert message.count("keeps a console handler") == 2


def test_the_warning_can_be_silenced(stream: io.StringIO, shop: logging.Logger) -> None:
    """
    `configure(warn=False)` says nothing.
    """
    ctxlog.configure(stream=stream, format="json", warn=False)

    assert stream.getvalue() == ""


@pytest.mark.parametrize("propagate", [True, False])
def test_the_console_handlers_of_all_loggers_can_be_replaced(
    stream: io.StringIO, shop: logging.Logger, propagate: bool
) -> None:
    """
    Each line comes once, also from a logger that hands nothing on, and is given back.
    """
    shop.propagate = propagate
    before = shop.handlers[:]

    ctxlog.configure(stream=stream, format="json", replace_console_handlers="all")
    shop.warning("hello")

    assert messages(stream, "shop.outside") == ["hello"]
    assert messages(stream, "ctxlog") == []
    unconfigure()
    assert (shop.handlers, shop.propagate) == (before, propagate)


def test_a_handler_that_writes_ctxlogs_lines_is_not_outside(
    stream: io.StringIO, shop: logging.Logger
) -> None:
    """
    A logger may have its own, as in a `LOGGING` that names the formatter.
    """
    shop.propagate = False
    shop.handlers[0].setFormatter(ctxlog.JsonFormatter())

    ctxlog.configure(stream=stream, format="json")

    assert stream.getvalue() == ""


# Added later ----------------------------------------------------------------------


def test_a_console_handler_that_is_added_later_is_taken_away(
    stream: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    The first line of a new place in the code looks for it; that is said once.
    """
    ctxlog.configure(stream=stream, format="json")
    logging.getLogger().addHandler(logging.StreamHandler(sys.stderr))

    logging.getLogger("shop").warning("one")
    logging.getLogger("shop").warning("two")

    assert messages(stream, "shop") == ["one", "two"]
    (message,) = messages(stream, "ctxlog")
    assert "StreamHandler was added to logger 'root'" in message
    assert capsys.readouterr().err == ""


def test_handlers_that_were_replaced_come_back(
    stream: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    `basicConfig(force=True)` in a library takes all of the root logger's away.
    """
    pytests = logging.getLogger().handlers[:]
    ctxlog.configure(stream=stream, format="json")
    for handler in pytests:  # they are pytest's, not the root logger's to close
        logging.getLogger().removeHandler(handler)
    logging.basicConfig(force=True)

    logging.getLogger("shop").warning("one")

    assert messages(stream, "shop") == ["one"]
    assert len(messages(stream, "ctxlog")) == 1
    assert capsys.readouterr().err == ""


# Libraries ------------------------------------------------------------------------

STRUCTLOG = """
import logging, structlog
{setup}
import ctxlog
ctxlog.configure(format="json")
structlog.get_logger("shop").warning("hello")
"""


@pytest.mark.parametrize(
    ("setup", "said"),
    [
        ("structlog.configure(processors=[structlog.processors.JSONRenderer()])", True),
        (
            "from ctxlog.loggers.structlog import JsonRenderer\n"
            "structlog.configure(processors=[JsonRenderer()])",
            False,
        ),
        (
            "structlog.configure(logger_factory=structlog.stdlib.LoggerFactory(),"
            " processors=[structlog.stdlib.ProcessorFormatter.wrap_for_formatter])",
            False,
        ),
        (
            "structlog.configure(logger_factory=structlog.stdlib.LoggerFactory(),"
            " processors=[structlog.processors.JSONRenderer()])",
            True,
        ),
        ("", False),
    ],
    ids=["renderer", "ctxlog's renderer", "wrapped", "rendered for logging", "default"],
)
def test_structlog_is_named_where_its_lines_are_not_ctxlogs(
    setup: str, said: bool, tmp_path: Path
) -> None:
    """
    With what to write; nothing is said of a chain whose events become lines.
    """
    need("structlog")
    (tmp_path / "program.py").write_text(STRUCTLOG.format(setup=setup))
    done = run_python("program.py", cwd=tmp_path)

    assert ("outside of ctxlog: structlog" in done.stdout) is said


BOUND = """
import logging, structlog
structlog.configure(logger_factory=structlog.stdlib.LoggerFactory(),
    processors=[structlog.stdlib.ProcessorFormatter.wrap_for_formatter])
import ctxlog
ctxlog.configure(format="json")
structlog.contextvars.bind_contextvars(tenant="acme")
logging.getLogger("shop").warning("hello")
"""


def test_what_structlog_has_bound_is_on_lines_of_logging(tmp_path: Path) -> None:
    """
    Also where structlog is left as the application has configured it.
    """
    need("structlog")
    (line,) = run_program(BOUND, tmp_path).lines

    assert (line["message"], line["tenant"]) == ("hello", "acme")


LOGURU = """
import logging, sys
from loguru import logger
class Intercepting(logging.Handler):
    def emit(self, record):
        logger.opt(exception=record.exc_info).log(record.levelname, record.getMessage())
logging.getLogger().addHandler(Intercepting())
{setup}
import ctxlog
ctxlog.configure(format="json"{options})
logging.getLogger("shop").warning("from stdlib")
logger.warning("from loguru")
"""


def test_a_handler_that_feeds_loguru_is_a_console_in_disguise(tmp_path: Path) -> None:
    """
    With loguru's lines in the same stream, each line comes once.
    """
    need("loguru")
    printed = run_program(LOGURU.format(setup="", options=""), tmp_path)

    assert printed.messages == ["from stdlib", "from loguru"]
    assert (printed.warnings, printed.err) == ([], "")


OWN_SINK = "logger.remove(); logger.add(sys.stderr, format='mine {message}')"


def test_loguru_with_sinks_of_its_own_keeps_them(tmp_path: Path) -> None:
    """
    Its lines are as the application wants them; stdlib's are ctxlog's, and once.
    """
    need("loguru")
    printed = run_program(LOGURU.format(setup=OWN_SINK, options=""), tmp_path)

    assert printed.messages == ["from stdlib"]
    assert printed.err == "mine from loguru\n"
    (message,) = printed.warnings
    assert "loguru was configured by the application" in message


def test_loguru_that_is_asked_for_loses_its_sinks_for_the_console(
    tmp_path: Path,
) -> None:
    """
    A list of loggers takes loguru, whatever the application has set up.
    """
    need("loguru")
    options = ', loggers=["stdlib", "loguru"]'
    printed = run_program(LOGURU.format(setup=OWN_SINK, options=options), tmp_path)

    assert printed.messages == ["from stdlib", "from loguru"]
    assert (printed.warnings, printed.err) == ([], "")


def test_a_handler_that_feeds_a_console_and_a_file_is_named(tmp_path: Path) -> None:
    """
    Loguru's file needs it, and each line of `logging` comes twice: the warning says so.
    """
    need("loguru")
    setup = f"{OWN_SINK}; logger.add('own.log')"
    printed = run_program(LOGURU.format(setup=setup, options=""), tmp_path)

    (message,) = printed.warnings
    assert "the root logger keeps a console handler" in message
    assert "come out a second time (Intercepting)" in message
    assert "mine from stdlib" in printed.err


def test_a_handler_that_feeds_loguru_stays_where_it_writes_to_files(
    tmp_path: Path,
) -> None:
    """
    The file of the application goes on getting stdlib's lines.
    """
    need("loguru")
    setup = "logger.remove(); logger.add('app.log', format='{message}')"
    printed = run_program(LOGURU.format(setup=setup, options=""), tmp_path)

    assert printed.messages == ["from stdlib"]
    file = (tmp_path / "app.log").read_text()
    assert file == "from stdlib\nfrom loguru\n"


LATER = """
import logging, sys
{imports}
import ctxlog
ctxlog.configure(format="json"{options})
{setup}
logging.getLogger("shop").warning("from stdlib")
{log}.warning("from the library")
"""

STRUCTLOG_LATER = {
    "imports": "import structlog",
    "setup": "structlog.configure(processors=[structlog.processors.JSONRenderer()],"
    " logger_factory=structlog.PrintLoggerFactory(sys.stderr))",
    "log": 'structlog.get_logger("shop")',
}
LOGURU_LATER = {
    "imports": "from loguru import logger",
    "setup": "logger.configure(handlers=[{'sink': sys.stderr}])",
    "log": "logger",
}


@pytest.mark.parametrize("options", ["", ', loggers=["stdlib", "{library}"]'])
@pytest.mark.parametrize(
    ("library", "program"),
    [("structlog", STRUCTLOG_LATER), ("loguru", LOGURU_LATER)],
)
def test_a_library_that_the_application_configures_later_is_said(
    library: str, program: dict[str, str], options: str, tmp_path: Path
) -> None:
    """
    With the next line of `logging`, and with the call that brings its lines back.
    """
    need(library)
    options = options.format(library=library)
    printed = run_program(LATER.format(**program, options=options), tmp_path)

    (message,) = printed.warnings
    assert f"{library} was configured by the application after ctxlog" in message
    assert f"call ctxlog.configure(loggers=['stdlib', '{library}'])" in message


@pytest.mark.parametrize(
    ("library", "program"),
    [("structlog", STRUCTLOG_LATER), ("loguru", LOGURU_LATER)],
)
def test_a_call_after_that_has_the_librarys_lines(
    library: str, program: dict[str, str], tmp_path: Path
) -> None:
    """
    The call is the one that the warning proposes.
    """
    need(library)
    again = f'ctxlog.configure(format="json", loggers=["stdlib", "{library}"])'
    program = {**program, "setup": f"{program['setup']}\n{again}"}
    printed = run_program(LATER.format(**program, options=""), tmp_path)

    assert printed.messages == ["from stdlib", "from the library"]
    assert (printed.warnings, printed.err) == ([], "")


def test_a_sink_for_the_console_that_comes_later_is_said(tmp_path: Path) -> None:
    """
    It writes loguru's lines a second time.
    """
    need("loguru")
    program = {**LOGURU_LATER, "setup": "logger.add(sys.stderr, format='{message}')"}
    printed = run_program(LATER.format(**program, options=""), tmp_path)

    assert printed.messages == ["from stdlib", "from the library"]
    (message,) = printed.warnings
    assert "loguru was given a sink for the console after ctxlog" in message


def test_what_the_application_made_of_structlog_since_stays() -> None:
    """
    `unconfigure()` gives back what ctxlog replaced, not over a later set-up.
    """
    structlog = need("structlog")
    ctxlog.configure(format="json", loggers=["structlog"])
    mine = [structlog.processors.JSONRenderer()]
    structlog.configure(processors=mine)
    unconfigure()
    try:
        assert structlog.get_config()["processors"] is mine
    finally:
        structlog.reset_defaults()
