"""
Around each test: logging, warnings and hooks as they were, and no context left behind.
"""

from __future__ import annotations

import gc
import logging
import logging.config
import os
import sys
import threading
import warnings
from collections.abc import Generator, Iterator
from importlib import metadata
from typing import Any

import hypothesis
import pytest

import ctxlog
from ctxlog.__main__ import main
from tests.helpers import ALL_PROMISED, LogEnvironment, Run
from tests.reruns import (
    pytest_collection_modifyitems,
    pytest_sessionfinish,
    pytest_terminal_summary,
)

__all__ = [
    "log_env",
    "pytest_collection",
    "pytest_collection_modifyitems",
    "pytest_report_header",
    "pytest_sessionfinish",
    "pytest_terminal_summary",
    "run",
]

# No test may depend on the clock, so nothing has a deadline and slowness is not
# unhealthy; and a red run must be red for everybody, so the examples are always the
# same ones. CTXLOG_TEST_HYPOTHESIS=explore tries other and more examples each time, and
# `few` some of them: where all are tried in another environment of the same run.
# A test that needs more or fewer asks for a multiple of `settings().max_examples`.
hypothesis.settings.register_profile(
    "ctxlog",
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.register_profile(
    "explore",
    hypothesis.settings.get_profile("ctxlog"),
    derandomize=False,
    max_examples=1_000,
)
hypothesis.settings.register_profile(
    "few", hypothesis.settings.get_profile("ctxlog"), max_examples=25
)
hypothesis.settings.load_profile(os.environ.get("CTXLOG_TEST_HYPOTHESIS", "ctxlog"))

_REPORTED = (
    "ctxlog-json",
    "python-json-logger",
    "orjson",
    "structlog",
    "loguru",
    "starlette",
    "fastapi",
    "uvicorn",
    "hypercorn",
    "httpx",
    "django",
    "anyio",
    "trio",
    "hypothesis",
)


def pytest_report_header() -> list[str]:
    """
    Say which versions this run is about.
    """
    versions = []
    for name in _REPORTED:
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            versions.append(f"no {name}")
    promise = "every optional library is promised" if ALL_PROMISED else "none promised"
    return [f"ctxlog from {ctxlog.__file__}; {promise}", ", ".join(versions)]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """
    Keep the collected tests and what they import out of every garbage collection.

    They live as long as the process. Otherwise each `gc.collect()` of a test visits
    them: millions of objects, a tenth of a second and more.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()


def _loggers() -> list[logging.Logger]:
    known = list(logging.root.manager.loggerDict.values())
    return [logging.root, *(one for one in known if isinstance(one, logging.Logger))]


def _logger_state(logger: logging.Logger) -> dict[str, Any]:
    return {
        "handlers": list(logger.handlers),
        "filters": list(logger.filters),
        "level": logger.level,
        "propagate": logger.propagate,
        "disabled": logger.disabled,
    }


_FRESH_LOGGER = _logger_state(logging.Logger("fresh"))


def _restore_logger(logger: logging.Logger, state: dict[str, Any]) -> None:
    for handler in logger.handlers:
        if handler not in state["handlers"]:
            handler.close()
    logger.handlers[:] = state["handlers"]
    logger.filters[:] = state["filters"]
    logger.setLevel(state["level"])
    logger.propagate = state["propagate"]
    logger.disabled = state["disabled"]


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """
    Give every logger back its handlers, filters and level, and logging its globals.
    """
    loggers = {logger: _logger_state(logger) for logger in _loggers()}
    factory = logging.getLogRecordFactory()
    logger_class = logging.getLoggerClass()
    config_class = logging.config.dictConfigClass
    raises = logging.raiseExceptions
    disabled = logging.root.manager.disable
    show = warnings.showwarning
    hooks = sys.excepthook, sys.unraisablehook, threading.excepthook
    yield
    logging.captureWarnings(False)
    warnings.showwarning = show
    sys.excepthook, sys.unraisablehook, threading.excepthook = hooks
    logging.setLogRecordFactory(factory)
    logging.setLoggerClass(logger_class)
    logging.config.dictConfigClass = config_class
    logging.raiseExceptions = raises
    logging.disable(disabled)
    for logger in _loggers():
        _restore_logger(logger, loggers.get(logger, _FRESH_LOGGER))


@pytest.fixture(autouse=True)
def _no_context_left_behind() -> Iterator[None]:
    """
    Fail the test that leaves a store or a scope active, not the tests after it.
    """
    before = ctxlog.get_store(), ctxlog.fields()
    yield
    after = ctxlog.get_store(), ctxlog.fields()
    assert after[0] is before[0], f"the test left a store behind: {after[0]!r}"
    assert after[1] == before[1], f"the test left fields behind: {after[1]!r}"


@pytest.fixture(autouse=True)
def _no_sink_left_open() -> Iterator[None]:
    """
    Fail the test that leaves a sink's thread, which may log into the tests after it.
    """
    yield
    buffers = sys.modules.get("ctxlog.sinks._buffer")
    if buffers is not None:
        left = [one for one in list(buffers._buffers) if one._state.feed is not None]
        for buffer in left:
            buffer.close(0)
        assert left == [], f"the test left sinks open: {left!r}"


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Take away the environment variables that configure ctxlog or colors.
    """
    for name in list(os.environ):
        ours = name.startswith("CTXLOG_") and not name.startswith("CTXLOG_TEST_")
        if ours or name in ("NO_COLOR", "FORCE_COLOR"):
            monkeypatch.delenv(name)


@pytest.fixture
def log_env() -> Iterator[LogEnvironment]:
    """
    A logger of its own that writes to memory, with `load_json()`.
    """
    environment = LogEnvironment()
    yield environment
    environment.close()


@pytest.fixture
def run(capfdbinary: pytest.CaptureFixture[bytes]) -> Run:
    """Run the command line in this process: exit code, output, complaints."""

    def run(*words: object) -> tuple[int, str, str]:
        try:
            code = main([str(word) for word in words])
        except SystemExit as stopped:
            code = int(str(stopped.code))
        sys.stderr.flush()
        out, err = capfdbinary.readouterr()
        return code, out.decode(), err.decode()

    return run
