"""
The level of one request: which lines are made in it, and in no other.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

import ctxlog
from tests.helpers import need
from tests.retention.conftest import Written


@pytest.fixture(params=["direct", "records"])
def log(request: pytest.FixtureRequest, written: Written) -> logging.Logger:
    """
    A logger whose lines are written, at INFO and above, in each way that they go.
    """
    written.configure(logger_class=request.param == "direct")
    log = logging.getLogger("retention.shop")
    log.addHandler(ctxlog.LineHandler(written.stream))
    log.propagate = False
    log.info("first")
    log.info("second")
    written.clear()
    return log


def request(fn: Any, *args: Any) -> Any:
    """
    Call *fn* in a store of its own.
    """
    return ctxlog.run({"requestID": "req-1"}, fn, *args)


def test_a_request_may_show_more(log: logging.Logger, written: Written) -> None:
    """
    From the call on, for the active store and for no other.
    """

    def body() -> None:
        log.debug("before")
        ctxlog.set_level("DEBUG")
        log.debug("one")

    request(body)
    request(log.debug, "another request")
    log.debug("none")
    assert written.messages() == ["one"]
    assert "buffered" not in written.lines()[0]


def test_a_request_may_show_less(log: logging.Logger, written: Written) -> None:
    """
    A level above the configured one drops what is below it.
    """

    def body() -> None:
        ctxlog.set_level("ERROR")
        log.info("one")
        log.warning("two")
        log.error("three")

    request(body)
    request(log.info, "another request")
    assert written.messages() == ["three", "another request"]


def test_none_takes_it_back(log: logging.Logger, written: Written) -> None:
    """
    Then the request is as all others are.
    """

    def body() -> None:
        ctxlog.set_level(logging.DEBUG)
        log.debug("one")
        ctxlog.set_level(None)
        log.debug("two")
        ctxlog.set_level("critical")
        log.error("three")
        ctxlog.set_level(None)
        log.error("four")

    request(body)
    assert written.messages() == ["one", "four"]


def test_all_that_runs_for_the_request_has_it(
    log: logging.Logger, written: Written
) -> None:
    """
    Its threads and tasks; a store that is opened inside has a level of its own.
    """

    async def body() -> None:
        ctxlog.set_level("DEBUG")
        await asyncio.to_thread(log.debug, "thread")
        await asyncio.create_task(asyncio.to_thread(log.debug, "task"))
        ctxlog.run({"part": 1}, log.debug, "inner")
        log.debug("outer")

    asyncio.run(request(body))
    assert written.messages() == ["thread", "task", "outer"]


def test_is_enabled_for_answers_for_the_request(log: logging.Logger) -> None:
    """
    For each thread by the store that is active in it.
    """
    inside, go_on = threading.Event(), threading.Event()
    found: list[bool] = []

    def body() -> None:
        ctxlog.set_level("DEBUG")
        inside.set()
        assert go_on.wait(60)
        found.append(log.isEnabledFor(logging.DEBUG))
        ctxlog.set_level("ERROR")
        found.append(log.isEnabledFor(logging.WARNING))

    thread = threading.Thread(target=request, args=(body,))
    thread.start()
    assert inside.wait(60)
    assert not log.isEnabledFor(logging.DEBUG)
    assert log.isEnabledFor(logging.WARNING)
    go_on.set()
    thread.join(60)
    assert found == [True, False]
    assert log.isEnabledFor(logging.WARNING)


def test_a_logger_whose_level_was_chosen_keeps_it(
    log: logging.Logger, written: Written
) -> None:
    """
    By `setLevel()`, in either direction: the request asks for others.
    """
    loud, quiet = log.getChild("loud"), log.getChild("quiet")
    loud.setLevel(logging.DEBUG)
    quiet.setLevel(logging.WARNING)

    def body() -> None:
        for level in ("ERROR", "DEBUG", None):
            ctxlog.set_level(level)
            assert loud.isEnabledFor(logging.DEBUG)
            assert not quiet.isEnabledFor(logging.INFO)
            loud.debug("loud %s", level)
            quiet.info("never")
            quiet.warning("quiet %s", level)

    request(body)
    assert written.messages() == [
        *("loud ERROR", "quiet ERROR", "loud DEBUG", "quiet DEBUG"),
        *("loud None", "quiet None"),
    ]


def test_the_levels_of_the_configuration_stay(written: Written) -> None:
    """
    Those of single loggers, that is: `level` is what the request replaces.
    """
    written.configure(levels={"retention.loud": "DEBUG", "retention.quiet": "WARNING"})
    loud = logging.getLogger("retention.loud")
    quiet = logging.getLogger("retention.quiet.part")

    def body(level: str) -> None:
        ctxlog.set_level(level)
        loud.debug("loud %s", level)
        quiet.info("never")
        logging.getLogger("retention.shop").info("shop %s", level)

    request(body, "ERROR")
    request(body, "DEBUG")
    assert written.messages() == ["loud ERROR", "loud DEBUG", "shop DEBUG"]


@pytest.mark.parametrize("buffer", [None, ctxlog.Buffer(level=5)])
@pytest.mark.parametrize("share", [False, True])
@pytest.mark.parametrize("library", ["structlog", "loguru"])
def test_the_levels_of_the_configuration_stay_in_other_libraries(
    written: Written, library: str, share: bool, buffer: ctxlog.Buffer | None
) -> None:
    """
    As in `logging`: the request replaces the level of all other loggers.
    """
    need(library)
    levels = {"shop.loud": "DEBUG", "shop.quiet": "WARNING"}
    levels["shop.quiet.heard"] = "INFO"
    written.configure(levels=levels, share_handlers=share, buffer=buffer)
    log = loggers_of(library)

    def body() -> None:
        for level in ("ERROR", "DEBUG", None):
            ctxlog.set_level(level)
            log("shop.loud", "debug", f"loud {level}")
            log("shop.quiet.part", "info", "never")
            log("shop.quiet.part", "warning", f"quiet {level}")
            log("shop.quiet.heard", "info", f"heard {level}")
            log("shop.other", "warning", f"other {level}")
            log("shop.other", "debug", f"more {level}")

    request(body)
    assert written.messages() == [
        *("loud ERROR", "quiet ERROR", "heard ERROR"),
        *("loud DEBUG", "quiet DEBUG", "heard DEBUG", "other DEBUG", "more DEBUG"),
        *("loud None", "quiet None", "heard None", "other None"),
    ]


def loggers_of(library: str) -> Callable[[str, str, str], object]:
    """
    Return a function that logs at a level, by a logger of a name.
    """
    module: Any = importlib.import_module(library)
    if library == "structlog":
        return lambda name, level, text: getattr(module.get_logger(name), level)(text)

    def log(name: str, level: str, text: str) -> None:
        # loguru's loggers have the names of their modules.
        space = {"__name__": name, "log": module.logger}
        exec(f"log.{level}({text!r})", space)

    return log


def test_a_level_that_is_lowered_is_below_no_more(written: Written) -> None:
    """
    With a buffer, what the request shows is written at once; the rest waits.
    """
    written.configure(buffer=ctxlog.Buffer(level=5))
    log = logging.getLogger("retention.shop")

    def body() -> None:
        log.debug("waits")
        ctxlog.set_level("DEBUG")
        log.debug("at once")
        log.log(5, "waits, too")
        assert written.messages() == ["at once"]
        log.error("failed")

    request(body)
    assert written.messages() == ["at once", "waits", "waits, too", "failed"]


def test_a_level_that_is_raised_makes_lines_wait(written: Written) -> None:
    """
    With a buffer, what the request does not show is not lost if it fails.
    """
    written.configure(buffer=ctxlog.Buffer())
    log = logging.getLogger("retention.shop")

    def body() -> None:
        ctxlog.set_level("ERROR")
        log.info("waits")
        log.warning("waits, too")
        assert written.messages() == []
        log.error("failed")

    request(body)
    assert written.messages() == ["waits", "waits, too", "failed"]
    assert written.buffered() == ["waits", "waits, too"]


def test_all_handlers_see_what_the_request_shows(
    log: logging.Logger, written: Written
) -> None:
    """
    The level is asked where a line is made, as that of a logger is.
    """
    seen: list[str] = []
    beside = logging.Handler()
    beside.emit = lambda record: seen.append(record.getMessage())  # type: ignore[method-assign]
    log.addHandler(beside)

    def body() -> None:
        ctxlog.set_level("DEBUG")
        log.debug("one")
        ctxlog.set_level("WARNING")
        log.info("two")
        log.warning("three")

    request(body)
    assert written.messages() == seen == ["one", "three"]


def test_what_logging_disables_is_not_made(
    log: logging.Logger, written: Written
) -> None:
    """
    `logging.disable()` is above all requests.
    """

    def body() -> None:
        ctxlog.set_level("DEBUG")
        logging.disable(logging.INFO)
        log.debug("one")
        log.info("two")
        log.warning("three")

    request(body)
    assert written.messages() == ["three"]


def test_there_is_nothing_to_set_outside_of_any_request(log: logging.Logger) -> None:
    """
    A warning says so; the level of the process is as before.
    """
    with pytest.warns(RuntimeWarning, match="no effect"):
        ctxlog.set_level("DEBUG")
    assert not log.isEnabledFor(logging.DEBUG)


@pytest.mark.parametrize("level", ["LOUD", -1, True, 1.5, object()])
def test_no_such_level(level: Any) -> None:
    """
    What is no level is told at the call, in a request or outside.
    """
    with pytest.raises(ctxlog.ConfigError, match="level"):
        ctxlog.set_level(level)
    with pytest.raises(ctxlog.ConfigError, match="level"):
        request(ctxlog.set_level, level)


def test_a_late_line_has_the_level_of_its_request(
    log: logging.Logger, written: Written
) -> None:
    """
    The level ends with the store's last line, not with its end.
    """
    store = ctxlog.Store(requestID="req-1")
    ctxlog.run(store, ctxlog.set_level, "DEBUG")
    store.close()
    ctxlog.run(store, log.debug, "late")
    assert written.messages() == ["late"]


def test_without_a_configuration_it_does_no_harm() -> None:
    """
    `set_level()` and `flush_buffer()` work wherever a store is active.
    """
    log = logging.getLogger("retention.bare")

    def body() -> None:
        ctxlog.set_level("DEBUG")
        ctxlog.flush_buffer()
        log.debug("one")

    request(body)
