"""
The options of buffering and sampling: what is possible, and from outside.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest

import ctxlog
from ctxlog.retention import _process
from tests.retention.conftest import Written

Buffer, Sampling = ctxlog.Buffer, ctxlog.Sampling


@pytest.mark.parametrize(
    ("kind", "option", "value"),
    [
        (Buffer, "level", "LOUD"),
        (Buffer, "level", -1),
        (Buffer, "level", None),
        (Buffer, "flush_level", "LOUD"),
        (Buffer, "flush_level", True),
        (Buffer, "flush_slower_than", -1.0),
        (Buffer, "flush_slower_than", "1"),
        (Buffer, "flush_slower_than", math.nan),
        (Buffer, "max_bytes", 0),
        (Buffer, "max_bytes", -1),
        (Buffer, "max_bytes", 1.5),
        (Buffer, "max_bytes", True),
        (Buffer, "total_bytes", 0),
        (Buffer, "total_bytes", "64M"),
        (Sampling, "rate", -0.1),
        (Sampling, "rate", 1.1),
        (Sampling, "rate", math.nan),
        (Sampling, "rate", math.inf),
        (Sampling, "rate", "0.1"),
        (Sampling, "rate", True),
        (Sampling, "rate", None),
        (Sampling, "keep_level", "LOUD"),
        (Sampling, "keep_slower_than", -1),
        (Sampling, "keep", "yes"),
        (Sampling, "by", "user"),
        (Sampling, "by", None),
        (Sampling, "completion_lines", 1),
        (Sampling, "max_bytes", 0),
        (Sampling, "max_wait", -1),
        (Sampling, "max_wait", None),
        (Sampling, "max_wait", math.nan),
    ],
)
def test_an_invalid_option_is_told(kind: Any, option: str, value: object) -> None:
    """
    Where the object is made, by the name of the option and its value.
    """
    with pytest.raises(ctxlog.ConfigError) as told:
        kind(**{option: value})
    assert told.value.option == option
    assert option in str(told.value)


def test_the_defaults_are_the_documented_ones() -> None:
    """
    Each option has the default of its docstring.
    """
    assert Buffer() == Buffer("DEBUG", "ERROR", None, 65_536, 67_108_864)
    sampling = Sampling(0.1, "WARNING", None, None, "id", True, 65_536, 60.0)
    assert Sampling() == sampling


@pytest.mark.parametrize("made", [Buffer(), Sampling()], ids=repr)
def test_they_do_not_change(made: Any) -> None:
    """
    What was configured is what holds.
    """
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.level = made.rate = 1


@pytest.mark.parametrize("option", ["buffer", "sampling"])
@pytest.mark.parametrize("value", [True, 1, "on", {}, Buffer, Sampling])
def test_configure_takes_nothing_else(
    written: Written, option: str, value: object
) -> None:
    """
    And has changed nothing then.
    """
    with pytest.raises(ctxlog.ConfigError, match=option):
        written.configure(**{option: value})
    assert not written.lines()


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("on", Buffer()),
        ("yes", Buffer()),
        ("TRUE", Buffer()),
        ("off", None),
        ("INFO", Buffer(level="INFO")),
        ("level=INFO", Buffer(level="INFO")),
        ("level=10, flush_level=WARNING", Buffer(level=10, flush_level="WARNING")),
        ("flush_slower_than=1.5", Buffer(flush_slower_than=1.5)),
        (
            "max_bytes=1000,total_bytes=100000",
            Buffer(max_bytes=1000, total_bytes=100_000),
        ),
    ],
)
def test_a_buffer_from_outside(
    written: Written, monkeypatch: pytest.MonkeyPatch, text: str, made: Buffer | None
) -> None:
    """
    `CTXLOG_BUFFER` is a word, a level, or a list of options.
    """
    monkeypatch.setenv("CTXLOG_BUFFER", text)
    written.configure()
    found = _process._policy.buffer
    assert (None if made is None else dataclasses.replace(made)) == found or (
        found is not None
        and made is not None
        and (found.least, found.flush) == (made.least, made.flush)
        and dataclasses.replace(found, level=made.level, flush_level=made.flush_level)
        == made
    )


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("on", Sampling()),
        ("off", None),
        ("0.25", Sampling(rate=0.25)),
        ("1", Sampling(rate=1.0)),
        ("0", Sampling(rate=0.0)),
        ("rate=0.5,keep_level=ERROR", Sampling(rate=0.5, keep_level="ERROR")),
        ("0.5,by=trace", Sampling(rate=0.5, by="trace")),
        ("completion_lines=no", Sampling(completion_lines=False)),
        ("keep_slower_than=2", Sampling(keep_slower_than=2.0)),
        ("max_bytes=9,max_wait=5", Sampling(max_bytes=9, max_wait=5.0)),
    ],
)
def test_sampling_from_outside(
    written: Written, monkeypatch: pytest.MonkeyPatch, text: str, made: Sampling | None
) -> None:
    """
    `CTXLOG_SAMPLING` is a word, a rate, or a list of options.
    """
    monkeypatch.setenv("CTXLOG_SAMPLING", text)
    written.configure()
    assert _process._policy.sampling == made


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("CTXLOG_BUFFER", "LOUD"),
        ("CTXLOG_BUFFER", "size=1"),
        ("CTXLOG_BUFFER", "least=1"),
        ("CTXLOG_BUFFER", "max_bytes=many"),
        ("CTXLOG_BUFFER", "max_bytes=0"),
        ("CTXLOG_SAMPLING", "2"),
        ("CTXLOG_SAMPLING", "rate=much"),
        ("CTXLOG_SAMPLING", "keep=shop.keep"),
        ("CTXLOG_SAMPLING", "completion_lines=perhaps"),
        ("CTXLOG_SAMPLING", ","),
    ],
)
def test_an_invalid_variable_is_told(
    written: Written, monkeypatch: pytest.MonkeyPatch, variable: str, text: str
) -> None:
    """
    By its name, before anything is changed.
    """
    monkeypatch.setenv(variable, text)
    with pytest.raises(ctxlog.ConfigError) as told:
        written.configure()
    assert variable in str(told.value)


def test_an_argument_is_before_the_variable(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    As with every option: what the code says counts.
    """
    monkeypatch.setenv("CTXLOG_BUFFER", "INFO")
    written.configure(buffer=Buffer(level="WARNING"))
    assert _process._policy.buffer == Buffer(level="WARNING")


def test_off_again(written: Written) -> None:
    """
    Configuring without them, or `unconfigure()`, ends both; stores have no part of it.
    """
    written.configure(buffer=Buffer(), sampling=Sampling())
    assert ctxlog.Store()._view.lines is not None
    written.configure()
    assert ctxlog.Store()._view.lines is None
    written.configure(buffer=Buffer())
    ctxlog.unconfigure()
    assert ctxlog.Store()._view.lines is None
