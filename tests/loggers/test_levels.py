"""
Levels that have no method of their own: alike in all three loggers.
"""

from __future__ import annotations

import asyncio
import io
import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import ctxlog
from tests.helpers import load_line, need

_Log = Callable[[int, str], object]


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    before = logging._levelToName.copy(), logging._nameToLevel.copy()
    yield
    ctxlog.config.unconfigure()
    for names, known in zip(
        (logging._levelToName, logging._nameToLevel), before, strict=True
    ):
        names.clear()  # type: ignore[attr-defined]
        names.update(known)  # type: ignore[attr-defined]


def _stdlib() -> _Log:
    return logging.getLogger("shop").log


def _structlog() -> _Log:
    log: _Log = need("structlog").get_logger("shop").log
    return log


def _structlog_asynchronous() -> _Log:
    log = need("structlog").get_logger("shop")
    return lambda level, message: asyncio.run(log.alog(level, message))


def _loguru() -> _Log:
    log: _Log = need("loguru").logger.log
    return log


@pytest.fixture(params=[_stdlib, _structlog, _structlog_asynchronous, _loguru])
def made(request: pytest.FixtureRequest) -> Callable[[], _Log]:
    """
    Makes a logger's method `log`, once the process is configured.
    """
    request.param()
    make: Callable[[], _Log] = request.param
    return make


def written(level: int, make: Callable[[], _Log], *numbers: int) -> list[Any]:
    """
    The level and the message of each line that is written of events at these levels.
    """
    stream = io.StringIO()
    ctxlog.configure(level=level, stream=stream, format="json", warn=False)
    log = make()
    for number in numbers:
        log(number, f"at {number}")
    lines = [load_line(line) for line in stream.getvalue().splitlines()]
    return [
        (line["level"], line["message"])
        for line in lines
        if line["logger"] != "asyncio"
    ]


@pytest.mark.parametrize("least", [0, 5, 10, 25, 30, 45, 55])
def test_a_least_level_between_the_known_ones(
    made: Callable[[], _Log], least: int
) -> None:
    """
    Nothing below it is written, and all else is.
    """
    numbers = [5, 10, 20, 24, 25, 26, 30, 40, 50, 60]
    messages = [message for _, message in written(least, made, *numbers)]
    assert messages == [f"at {number}" for number in numbers if number >= least]


def test_a_level_with_a_name(made: Callable[[], _Log]) -> None:
    """
    The line has the name that `logging` knows the number by.
    """
    logging.addLevelName(25, "NOTICE")
    logging.addLevelName(5, "Trace")
    assert written(1, made, 25, 5, 30) == [
        ("NOTICE", "at 25"),
        ("Trace", "at 5"),
        ("WARNING", "at 30"),
    ]


def test_a_level_without_a_name(made: Callable[[], _Log]) -> None:
    """
    It is called as `logging` calls it.
    """
    assert written(1, made, 33) == [("Level 33", "at 33")]


def test_a_level_of_loguru() -> None:
    """
    A level that the application has added there, by its name and by its number.
    """
    logger = need("loguru").logger
    try:
        logger.level("AUDIT", no=27)
    except (TypeError, ValueError):  # it is there: levels cannot be removed
        pass
    found = written(25, _loguru, 27)
    stream = io.StringIO()
    ctxlog.configure(level="WARNING", stream=stream, format="json", warn=False)
    logger.log("AUDIT", "not written")
    assert found == [("AUDIT", "at 27")]
    assert stream.getvalue() == ""


@pytest.mark.parametrize("factory", ["PrintLogger", "logging"])
def test_a_custom_level_of_structlog_to_another_logger(
    factory: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    Loggers of structlog and of `logging` have no method of that name.
    """
    structlog = need("structlog")
    logging.addLevelName(25, "NOTICE")
    ctxlog.configure(level=20, format="json", warn=False)
    if factory == "logging":
        records: list[logging.LogRecord] = []
        target: Any = logging.Logger("shop")
        handler = logging.Handler()
        handler.emit = records.append  # type: ignore[method-assign]
        target.addHandler(handler)
    else:
        target = structlog.PrintLogger(sys.stdout)
    structlog.wrap_logger(target).log(25, "hello %s", "x")
    if factory == "logging":
        ((levelno, text),) = [(one.levelno, one.getMessage()) for one in records]
        assert levelno == 25
    else:
        text = capsys.readouterr().out
    line = load_line(text)
    assert (line["level"], line["message"]) == ("NOTICE", "hello x")


def test_processors_know_a_custom_level() -> None:
    """
    They get its name; what `add_log_level` makes of it is no field.
    """
    structlog = need("structlog")
    from ctxlog.loggers import structlog as adapter

    logging.addLevelName(25, "NOTICE")
    stream = io.StringIO()
    names: list[str] = []

    def note(logger: Any, name: str, event: Any) -> Any:
        names.append(name)
        return event

    adapter.configure(
        structlog.processors.add_log_level,
        note,
        level=20,
        levels={"quiet": 26},
        stream=stream,
    )
    structlog.get_logger("shop").log(25, "x")
    structlog.get_logger("quiet").log(25, "x")
    adapter.unconfigure()
    line = load_line(stream.getvalue())
    assert names == ["notice"]
    assert (line["level"], line["logger"]) == ("NOTICE", "shop")
    assert "fields.level" not in line
