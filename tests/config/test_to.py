"""
`configure(to=[...])`: several places for the lines of all loggers.
"""

from __future__ import annotations

import io
import logging
import logging.config
import os
import pty
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ctxlog
from ctxlog import sinks
from ctxlog.errors import ConfigError
from tests.helpers import load_line, need, run_python
from tests.sinks.test_fan import Kept


@pytest.fixture(autouse=True)
def _unconfigured() -> Iterator[None]:
    yield
    ctxlog.unconfigure()
    assert sinks.stats() == {}


def messages(path: Path) -> list[str]:
    return [load_line(line)["message"] for line in path.read_text().splitlines()]


def test_lines_of_all_loggers_are_in_every_place(tmp_path: Path) -> None:
    """Those of stdlib logging, structlog, loguru, and a server's."""
    structlog: Any = need("structlog")
    loguru: Any = need("loguru")
    stream, kept = io.StringIO(), Kept()
    path = tmp_path / "app.log"
    ctxlog.configure(to=[stream, f"file:{path}", kept], format="json")
    logging.getLogger("shop").info("one")
    logging.getLogger("shop").info("two")
    structlog.get_logger("shop").info("three")
    loguru.logger.info("four")
    logging.getLogger("uvicorn.error").info("five")
    assert messages(path) == ["one", "two", "three", "four", "five"]
    assert stream.getvalue() == path.read_text()
    assert b"".join(kept.lines) == path.read_bytes()
    counted = sinks.stats()
    assert counted[f"file:{path}"]["shipped"] == counted["StringIO"]["shipped"] == 5


def test_shared_handlers_reach_every_place(tmp_path: Path) -> None:
    """Each line once."""
    structlog: Any = need("structlog")
    path = tmp_path / "app.log"
    ctxlog.configure(to=[f"file:{path}", Kept()], format="json", share_handlers=True)
    structlog.get_logger("shop").info("one")
    assert messages(path) == ["one"]


def test_a_line_needs_no_record(tmp_path: Path) -> None:
    """The logger class writes to several places straight from the call, too."""
    program = """
import logging, ctxlog
ctxlog.configure(to=["stdout", "file:app.log"], format="json")
log = logging.getLogger("shop")
for message in ("one", "two", "three"):
    log.info(message)
assert logging.getLogRecordFactory().ways["shop"].direct
"""
    done = run_python("-c", program, cwd=tmp_path)
    assert messages(tmp_path / "app.log") == ["one", "two", "three"]
    assert done.stdout == (tmp_path / "app.log").read_text()


def test_one_stream_is_what_it_was() -> None:
    """It has no fan, is not counted and costs what it did."""
    stream = io.StringIO()
    ctxlog.configure(to=[stream], format="json")
    logging.info("one")
    assert load_line(stream.getvalue())["message"] == "one"
    assert sinks.stats() == {}


@pytest.mark.parametrize("to", ["stdout", ["stdout"], None])
def test_stdout_follows(to: object, capsys: pytest.CaptureFixture[str]) -> None:
    """It is `sys.stdout` as it is when a line is written, which is the default."""
    ctxlog.configure(to=to, format="json")
    captured = io.StringIO()
    before, sys.stdout = sys.stdout, captured
    try:
        logging.info("one")
    finally:
        sys.stdout = before
    assert load_line(captured.getvalue())["message"] == "one"
    assert capsys.readouterr().out == ""


def test_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """It may be the only place."""
    ctxlog.configure(to="stderr", format="json")
    logging.info("one")
    assert load_line(capsys.readouterr().err)["message"] == "one"


def test_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`CTXLOG_TO` has addresses; a call with `stream=` or `to=` goes before it."""
    path = tmp_path / "app.log"
    monkeypatch.setenv("CTXLOG_TO", f"stderr, file:{path}")
    stream = io.StringIO()
    ctxlog.configure(stream=stream, format="json")
    logging.info("zero")
    ctxlog.configure(format="json")
    logging.info("one")
    assert messages(path) == ["one"]
    assert load_line(stream.getvalue())["message"] == "zero"


@pytest.mark.parametrize(
    ("to", "message"),
    [
        ([], r"value for to: \[\] \(expected a list of at least one place\)"),
        ([3], r"value for to: 3 \(expected a stream, a sink or an address, such as"),
        (["app.log"], r"value for to: 'app.log' \(expected an address, such as"),
        (["nowhere://me:s3cret@host"], r"value for to: .*\(expected "),
        ([{"()": "io.StringIO"}], r"'io.StringIO' \(expected what makes a"),
    ],
)
def test_a_wrong_place(to: object, message: str, tmp_path: Path) -> None:
    """The error names the option; nothing is changed, and nothing stays open."""
    stream = io.StringIO()
    ctxlog.configure(stream=stream, format="json")
    if isinstance(to, list) and to:
        to = [f"file:{tmp_path}/app.log", *to]
    with pytest.raises(ConfigError, match=message) as caught:
        ctxlog.configure(to=to)
    assert "s3cret" not in str(caught.value)
    logging.info("one")
    assert load_line(stream.getvalue())["message"] == "one"
    assert sinks.stats() == {}


def test_a_wrong_place_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the variable."""
    monkeypatch.setenv("CTXLOG_TO", "app.log")
    with pytest.raises(ConfigError, match="invalid value for CTXLOG_TO: 'app.log'"):
        ctxlog.configure()


def test_a_stream_beside_to() -> None:
    """Which of them is meant cannot be known."""
    with pytest.raises(ConfigError, match=r"expected no stream= beside it"):
        ctxlog.configure(stream=io.StringIO(), to=["stdout"])
    with pytest.raises(ConfigError, match="no stream beside it"):
        ctxlog.LineHandler(io.StringIO(), to=["stdout"])


def test_sinks_that_are_given_again_stay(tmp_path: Path) -> None:
    """Neither flushed nor closed; an address that is given again is the same sink."""
    kept, path = Kept(), tmp_path / "app.log"
    ctxlog.configure(to=[kept, f"file:{path}"], format="json")
    logging.info("one")
    ctxlog.configure(to=[f"file:{path}", kept], format="json")
    logging.info("two")
    assert kept.asked == []
    assert sinks.stats()[f"file:{path}"]["shipped"] == 2
    ctxlog.unconfigure()
    assert [act for act, _ in kept.asked] == ["flush", "flush"]


def test_unconfigure_waits_for_the_time_that_was_given() -> None:
    """So does the end of the process, and `flush()` unless it is told otherwise."""
    kept = Kept()
    ctxlog.configure(to=[kept, Kept()], flush_timeout=0.5)
    sinks.flush()
    assert 0.4 < kept.asked[-1][1] <= 0.5
    sinks.flush(timeout=7)
    assert 6 < kept.asked[-1][1] <= 7
    ctxlog.unconfigure()
    assert 0.4 < kept.asked[-1][1] <= 0.5
    ctxlog.configure(to=[kept, Kept()])
    sinks.flush()
    assert 1.9 < kept.asked[-1][1] <= 2


@pytest.mark.parametrize("wrong", [-1, "2", True])
def test_a_wrong_time(wrong: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a number of seconds."""
    with pytest.raises(ConfigError, match="flush_timeout"):
        ctxlog.configure(flush_timeout=wrong)  # type: ignore[arg-type]
    monkeypatch.setenv("CTXLOG_FLUSH_TIMEOUT", "soon")
    with pytest.raises(ConfigError, match="CTXLOG_FLUSH_TIMEOUT"):
        ctxlog.configure()


# The form of the lines ----------------------------------------------------------------


@pytest.fixture
def terminal() -> Iterator[Any]:
    main, other = pty.openpty()
    with os.fdopen(other, "w") as stream:
        yield stream
    os.close(main)


def test_text_is_for_terminals_only(terminal: Any, tmp_path: Path) -> None:
    """A file beside the terminal makes JSON of `auto`; `format=` decides otherwise."""
    path = tmp_path / "app.log"
    ctxlog.configure(to=[terminal, f"file:{path}"])
    logging.info("one")
    assert messages(path) == ["one"]
    ctxlog.configure(to=[terminal, f"file:{path}"], format="console")
    logging.info("two")
    assert "two" in path.read_text().splitlines()[1]
    assert not path.read_text().splitlines()[1].startswith("{")
    copy = io.StringIO()
    copy.isatty = lambda: True  # type: ignore[method-assign]
    ctxlog.configure(to=[terminal, copy])
    logging.info("three")
    assert "three" in copy.getvalue()
    assert not copy.getvalue().startswith("{")


# Handlers of the console beside it ----------------------------------------------------


def test_no_warning_where_nothing_comes_out_twice(tmp_path: Path) -> None:
    """A library's console handler repeats no line of a file."""
    log = logging.getLogger("test.to.library")
    log.addHandler(logging.StreamHandler(sys.__stderr__))
    path = tmp_path / "app.log"
    ctxlog.configure(to=[f"file:{path}"], format="json")
    log.warning("one")
    assert messages(path) == ["one"]
    ctxlog.configure(to=[f"file:{path}", "stdout"], format="json")
    assert "its lines come out a second time" in messages(path)[-1]


def test_a_logger_that_does_not_propagate_is_named(tmp_path: Path) -> None:
    """Its lines are not in the file."""
    log = logging.getLogger("test.to.apart")
    log.addHandler(logging.StreamHandler(sys.__stderr__))
    log.propagate = False
    path = tmp_path / "app.log"
    ctxlog.configure(to=[f"file:{path}"], format="json")
    assert "'test.to.apart' keeps a console handler" in messages(path)[-1]


def test_a_handler_that_prints_and_keeps_a_file_stays(tmp_path: Path) -> None:
    """Its lines come out a second time, which is said."""
    path, own = tmp_path / "app.log", tmp_path / "own.log"
    handler = ctxlog.LineHandler(to=["stderr", f"file:{own}"])
    logging.getLogger().addHandler(handler)
    ctxlog.configure(to=[f"file:{path}", "stdout"], format="json")
    logging.info("one")
    said, one = messages(path)
    assert "LineHandler" in said
    assert messages(own)[-1] == one == "one"
    handler.close()


# dictConfig ---------------------------------------------------------------------------


def test_a_dict_config(tmp_path: Path) -> None:
    """It opens nothing; the file is there when it is used."""
    path = tmp_path / "app.log"
    described = ctxlog.dict_config(to=["stderr", f"file:{path}"], format="json")
    assert not path.exists()
    logging.config.dictConfig(described)
    logging.info("one")
    assert messages(path) == ["one"]
    logging.getLogger().handlers[0].close()


def test_one_stream_in_a_dict_config() -> None:
    """It is the handler's stream, as without `to`."""
    handler = ctxlog.dict_config(to=["stdout"])["handlers"]["ctxlog"]
    assert handler["stream"] is None
    assert "to" not in handler


def test_sinks_in_a_dict_of_ones_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A class or a function by name, its arguments, and streams by `ext://`."""
    path = tmp_path / "app.log"
    logging.config.dictConfig(
        {
            "version": 1,
            "handlers": {
                "lines": {
                    "class": "ctxlog.LineHandler",
                    "to": [
                        {"()": "ctxlog.sinks.File", "path": str(path)},
                        "ext://sys.stderr",
                    ],
                }
            },
            "root": {"handlers": ["lines"], "level": "INFO"},
        }
    )
    logging.info("one")
    assert messages(path) == ["one"]
    assert capsys.readouterr().err == path.read_text()
    (handler,) = (
        one
        for one in logging.getLogger().handlers
        if isinstance(one, ctxlog.LineHandler)
    )
    assert repr(handler) == f"<LineHandler file:{path}, stderr (NOTSET)>"
    file: Any = handler.writer.sinks[0]  # type: ignore[attr-defined]
    handler.close()
    assert file.stream.closed
    assert sinks.stats() == {}
    logging.info("two")  # as uvicorn closes the handlers of others
    assert messages(path) == ["one", "two"]
    assert list(sinks.stats()) == [f"file:{path}", "stderr"]
    handler.close()


def test_the_end_of_the_process(tmp_path: Path) -> None:
    """Sinks are closed, also those that were given."""
    program = """
import logging, ctxlog, sys
from ctxlog import sinks

class Late(sinks.Sink):
    def __init__(self):
        self.lines = []
    def write(self, line):
        self.lines.append(line)
    def close(self, timeout):
        sys.stdout.write(b"".join(self.lines).decode())
        return 0

ctxlog.configure(to=[Late(), "file:app.log"], format="json")
logging.info("one")
"""
    done = run_python("-c", program, cwd=tmp_path)
    assert load_line(done.stdout)["message"] == "one"
    assert messages(tmp_path / "app.log") == ["one"]
