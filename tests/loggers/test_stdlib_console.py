"""
`ConsoleFormatter`: text for people, that cannot drive their terminal.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ctxlog
from ctxlog.redact import Redactor

EVIL = "a\x1b[2J\x1b]0;owned\x07\r\b\x00\x9b31m\u202e\u2028b"


def text_of(formatter: logging.Formatter | None = None, **values: Any) -> str:
    """
    The text of a record with *values*.
    """
    known = {"name": "shop", "levelname": "INFO", "levelno": 20, "msg": "hello"}
    record = logging.makeLogRecord({**known, **values})
    return (formatter or ctxlog.ConsoleFormatter()).format(record)


def raised(error: BaseException) -> Any:
    """
    The exc_info of an exception that was raised.
    """
    try:
        raise error
    except BaseException:
        return sys.exc_info()


def test_a_line_for_people() -> None:
    """
    Time, level, the id's begin, logger, message, the context's and the call's fields.
    """
    with ctxlog.scope(requestID="req-0123456789", user={"id": 1}, note="two words"):
        text = text_of(rows=3)
    assert text.partition(" ")[2] == (
        'INFO     req-0123 shop: hello user={"id":1} note=two words rows=3'
    )


def test_outside_of_a_request_there_is_no_id() -> None:
    """
    A placeholder would only be in the way.
    """
    assert text_of().partition(" ")[2] == "INFO     shop: hello"


def test_the_calls_own_fields_win() -> None:
    """
    As on a line of JSON, and no field is there twice.
    """
    with ctxlog.scope(user="bound", requestID="A"):
        text = text_of(user="call")
    assert "user=call" in text
    assert "bound" not in text
    assert "#2" not in text


@pytest.mark.parametrize(
    "values",
    [
        {"msg": EVIL},
        {"name": EVIL},
        {"levelname": EVIL},
        {"field": EVIL},
        {EVIL: 1},
        {"field": {"deep": [EVIL]}},
        {"exc_info": raised(ValueError(EVIL))},
        {"exc_text": EVIL},
        {"stack_info": EVIL},
        {"msg": "%d", "args": (EVIL,)},
    ],
    ids=lambda values: next(iter(values)) if values.keys() != {EVIL} else "key",
)
@pytest.mark.parametrize("color", [True, False], ids=["colour", "plain"])
def test_nothing_in_the_data_drives_the_terminal(
    values: dict[str, Any], color: bool
) -> None:
    """
    No control character but the newlines of a traceback and our own colours.
    """
    with ctxlog.scope(requestID=EVIL, bound=EVIL):
        text = text_of(ctxlog.ConsoleFormatter(color=color), **values)
    lines = text.split("\n")
    for code in ("2", "31", "32", "33", "34", "35", "36", "94", "95", "96", "92", "93"):
        lines = [line.replace(f"\x1b[{code}m", "") for line in lines]
    assert all(line.replace("\x1b[0m", "").isprintable() for line in lines)


@given(st.text(st.characters()))
def test_any_text_stays_on_its_line(text: str) -> None:
    """
    A message, a name and a value never begin a line that looks like another event.
    """
    with ctxlog.scope(requestID=text, bound=text):
        shown = text_of(msg=text, name=text, own=text)
    assert shown.isprintable()


def test_tracebacks_and_stacks_follow_line_by_line() -> None:
    """
    As Python shows them.
    """
    text = text_of(exc_info=raised(ValueError("bad")), stack_info="Stack\n  frame")
    first, *rest = text.split("\n")
    assert first.endswith("shop: hello")
    assert rest[0] == "Traceback (most recent call last):"
    assert rest[-3:] == ["ValueError: bad", "Stack", "  frame"]


def test_secrets_are_hidden() -> None:
    """
    Names, and patterns in message, fields and traceback.
    """
    formatter = ctxlog.ConsoleFormatter(redact=Redactor(patterns=["card"]))
    card = "4111111111111111"
    with ctxlog.scope(card_note=card):
        text = text_of(
            formatter, msg=card, other=card, exc_info=raised(ValueError(card))
        )
    assert card not in text
    assert "password=[redacted]" in text_of(password="hunter2")


def test_a_wrong_format_string_is_reported() -> None:
    """
    The template, the arguments and what was wrong.
    """
    text = text_of(msg="%d items", args=("many",))
    assert "%d items [many]" in text
    assert "logError=message not formatted" in text


def test_colours_are_of_the_level_and_the_request() -> None:
    """
    Only where asked for.
    """
    with ctxlog.scope(requestID="A"):
        coloured = text_of(ctxlog.ConsoleFormatter(color=True))
        plain = text_of(ctxlog.ConsoleFormatter())
    assert coloured.count("\x1b[0m") == 2
    assert "\x1b[32mINFO    \x1b[0m" in coloured
    assert "\x1b" not in plain


def test_the_time_has_the_format_that_was_asked_for() -> None:
    """
    datefmt, then milliseconds.
    """
    formatter = ctxlog.ConsoleFormatter(datefmt="%Y")
    formatter.converter = __import__("time").gmtime
    assert text_of(formatter, created=0.25, msecs=250.0).startswith("1970.250 INFO")
