"""
Other code configures logging after `configure()`: the lines survive it.
"""

from __future__ import annotations

import io
import logging
import logging.config
import sys
import types
from pathlib import Path
from typing import Any

import pytest

import ctxlog
from ctxlog.config import unconfigure
from tests.config.programs import run_program
from tests.helpers import load_line, need, run_python

INI = """
[loggers]
keys = root, library
[handlers]
keys = console
[formatters]
keys = generic
[logger_root]
level = WARN
handlers = console
[logger_library]
level = INFO
handlers =
qualname = library
[handler_console]
class = StreamHandler
args = (sys.stderr,)
formatter = generic
[formatter_generic]
format = %(levelname)s %(message)s
"""


@pytest.fixture
def ini(tmp_path: Path) -> str:
    (tmp_path / "logging.ini").write_text(INI)
    return str(tmp_path / "logging.ini")


def messages(stream: io.StringIO) -> list[str]:
    return [load_line(line)["message"] for line in stream.getvalue().splitlines()]


def test_a_file_config_is_survived(
    stream: io.StringIO, ini: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    It removes the handlers, raises the level and disables the loggers that it finds.
    """
    before = logging.getLogger("shop.later")
    ctxlog.configure(stream=stream, format="json")

    logging.config.fileConfig(ini)
    before.info("one")
    logging.getLogger("library").info("two")

    assert messages(stream) == ["one", "two"]
    assert capsys.readouterr().err == ""


def test_a_module_that_holds_file_config_is_survived_as_well(
    stream: io.StringIO, ini: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    `from logging.config import fileConfig`, as servers have it, before `configure()`.
    """
    holder: Any = types.ModuleType("holder")
    holder.fileConfig = original = logging.config.fileConfig
    monkeypatch.setitem(sys.modules, "holder", holder)
    ctxlog.configure(stream=stream, format="json")

    holder.fileConfig(ini)
    logging.getLogger("shop.later").info("one")

    assert messages(stream) == ["one"]
    unconfigure()
    assert holder.fileConfig is logging.config.fileConfig is original


def test_alembics_environment_is_survived(tmp_path: Path) -> None:
    """
    The template of `alembic init` calls fileConfig where migrations run.
    """
    need("alembic", "sqlalchemy")
    run_python("-m", "alembic", "init", "migrations", cwd=tmp_path)
    printed = run_program(
        "import logging\n"
        "from alembic import command\n"
        "from alembic.config import Config\n"
        "import ctxlog\n"
        "log = logging.getLogger('shop')\n"
        "ctxlog.configure(format='json')\n"
        "config = Config('alembic.ini')\n"
        "config.set_main_option('sqlalchemy.url', 'sqlite:///shop.db')\n"
        "command.upgrade(config, 'head')\n"
        "ctxlog.run({'requestID': 'A'}, log.info, 'hello')\n",
        tmp_path,
    )

    assert printed.messages[-1] == "hello"
    assert len(printed.messages) == len(set(printed.messages)) > 1
    assert (printed.warnings, printed.err) == ([], "")


@pytest.mark.parametrize("name", ["", "chatty.later"])
def test_a_level_of_an_incremental_dict_config_stands(
    stream: io.StringIO, name: str
) -> None:
    """
    The root logger's, and that of a logger in `levels`.
    """
    ctxlog.configure(stream=stream, format="json", levels={"chatty.later": "INFO"})
    wish = {"level": "ERROR"}
    section = {"loggers": {name: wish}} if name else {"root": wish}

    logging.config.dictConfig({"version": 1, "incremental": True, **section})
    logging.getLogger(name or "shop.later").warning("no")
    logging.getLogger(name or "shop.later").error("yes")

    assert messages(stream) == ["yes"]


def test_a_level_that_was_set_by_hand_survives_a_servers_dict_config(
    stream: io.StringIO,
) -> None:
    """
    A level that a server's set-up changes is put back to the one before, not to the
    option's.
    """
    ctxlog.configure(stream=stream, format="json")
    logging.getLogger().setLevel("DEBUG")

    logging.config.dictConfig({"version": 1, "root": {"level": "ERROR"}})
    logging.getLogger("shop.later").debug("hello")

    assert messages(stream) == ["hello"]


def test_structlog_and_loguru_follow_an_incremental_dict_config(
    stream: io.StringIO,
) -> None:
    """
    One level for all three, also for loggers that were used before.
    """
    structlog = need("structlog")
    loguru: Any = need("loguru")
    ctxlog.configure(stream=stream, format="json")
    log = structlog.get_logger("shop.later")
    log.info("one")

    logging.config.dictConfig(
        {"version": 1, "incremental": True, "root": {"level": "ERROR"}}
    )
    log.warning("no")
    loguru.logger.warning("no")
    log.error("two")
    loguru.logger.error("three")

    assert messages(stream) == ["one", "two", "three"]


@pytest.mark.parametrize("level", ["DEBUG", "ERROR"])
def test_a_second_configure_changes_the_level_of_all_three(
    stream: io.StringIO, level: str
) -> None:
    """
    Also for loggers that were used since the first.
    """
    structlog = need("structlog")
    loguru: Any = need("loguru")
    ctxlog.configure(stream=stream, format="json", level="WARNING")
    loggers = [
        logging.getLogger("shop.later"),
        structlog.get_logger("shop.later"),
        structlog.get_logger("shop.later").bind(a=1),
        loguru.logger,
    ]
    for logger in loggers:
        logger.warning("first")
    assert messages(stream) == ["first"] * len(loggers)

    ctxlog.configure(stream=stream, format="json", level=level)
    for logger in loggers:
        logger.debug("debug")
        logger.warning("warning")
        logger.error("error")

    wanted = {"DEBUG": ["debug", "warning", "error"], "ERROR": ["error"]}[level]
    assert messages(stream)[len(loggers) :] == wanted * len(loggers)


def test_a_dict_config_disables_no_logger_of_the_application(
    stream: io.StringIO,
) -> None:
    """
    `disable_existing_loggers` is on unless the other set-up says otherwise.
    """
    log = logging.getLogger("shop.later.existing")
    ctxlog.configure(stream=stream, format="json")

    logging.config.dictConfig({"version": 1})
    log.info("hello")

    assert messages(stream) == ["hello"]


_IMPORTING = """
import importlib.abc, logging, sys, threading
import ctxlog

ctxlog.configure(format="json")
importing, logged = threading.Event(), threading.Event()

class Slow(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "ctxlog.loggers.LIBRARY":
            importing.set()
            assert logged.wait(40)

sys.meta_path.insert(0, Slow())
thread = threading.Thread(target=__import__, args=("LIBRARY",))
thread.start()
assert importing.wait(40)
logging.getLogger("shop").warning("meanwhile")
logging.getLogger().addHandler(logging.StreamHandler())
logging.getLogger("shop").warning("with a handler that is new")
logged.set()
thread.join()
"""


@pytest.mark.parametrize("library", ["structlog", "loguru"])
def test_a_log_call_does_not_wait_for_an_import(library: str, tmp_path: Path) -> None:
    """
    While another thread is importing a logging library, lines are written as ever.
    """
    need(library)
    program = _IMPORTING.replace("LIBRARY", library)
    lines = run_python("-c", program, cwd=tmp_path).stdout.splitlines()
    messages = [load_line(line)["message"] for line in lines]
    assert messages[0] == "meanwhile"
    assert "with a handler that is new" in messages
