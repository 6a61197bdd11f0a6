"""
`ConsoleFormatter`: text for people, that cannot drive their terminal.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ctxlog
from ctxlog.line.redact import Redactor
from ctxlog.terminal import wants_color
from tests.helpers import run_python

EVIL = "a\x1b[2J\x1b]0;owned\x07\r\b\x00\x9b31m\u202e\u2028b"


def text_of(formatter: logging.Formatter | None = None, /, **values: Any) -> str:
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
    Time, level, id, logger, message, the context's and the call's fields.
    """
    with ctxlog.scope(requestID="req-01234567", user={"id": 1}, note="two words"):
        text = text_of(rows=3)
    assert text.partition(" ")[2] == (
        'INFO     req-01234567 shop: hello user={"id":1} note="two words" rows=3'
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
@pytest.mark.parametrize("color", [True, False], ids=["color", "plain"])
def test_nothing_in_the_data_drives_the_terminal(
    values: dict[str, Any], color: bool
) -> None:
    """
    No control character but the newlines of a traceback and our own colors.
    """
    with ctxlog.scope(requestID=EVIL, bound=EVIL):
        text = text_of(ctxlog.ConsoleFormatter(color=color), **values)
    # Only our own colors.
    text = re.sub(r"\x1b\[(0|1|2|3[1-6]|1;31|9[2-6])m", "", text)
    assert all(line.isprintable() for line in text.split("\n"))


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
    assert 'logError="message not formatted' in text


def test_colors_are_of_the_level_and_the_request() -> None:
    """
    Only where asked for; without them the text is the same.
    """
    values = {"rows": 3, "exc_info": raised(ValueError("bad"))}
    with ctxlog.scope(requestID="A"):
        colored = text_of(ctxlog.ConsoleFormatter(color=True), **values)
        plain = text_of(ctxlog.ConsoleFormatter(), **values)
    assert "\x1b[32mINFO    \x1b[0m" in colored
    assert "\x1b[1mhello\x1b[0m" in colored
    assert colored.endswith("\x1b[31mValueError: bad\x1b[0m")
    assert re.sub(r"\x1b\[[0-9;]+m", "", colored)[12:] == plain[12:]
    assert "\x1b" not in plain


@pytest.mark.parametrize(
    ("number", "code"),
    [(5, "2"), (10, "2"), (25, "32"), (30, "33"), (45, "31"), (50, "1;31")],
)
def test_levels_between_the_known_ones_have_their_colors(
    number: int, code: str
) -> None:
    """
    Custom levels, and those of loguru.
    """
    formatter = ctxlog.ConsoleFormatter(color=True)
    text = text_of(formatter, levelno=number, levelname="OWN")
    assert f"\x1b[{code}mOWN     \x1b[0m" in text


def test_a_request_has_one_color_in_every_process(tmp_path: Path) -> None:
    """
    Whatever the seed of `hash()`; and not all requests have the same.
    """
    program = """
import logging, ctxlog
formatter = ctxlog.ConsoleFormatter(color=True)
for number in range(8):
    record = logging.LogRecord("shop", 50, "", 0, "x", (), None)
    record.requestID = f"req-{number}"
    print(formatter.format(record).split()[2])
"""
    first, second = (run_python("-c", program, cwd=tmp_path).stdout for _ in "ab")
    assert first == second
    assert len({line.partition("m")[0] for line in first.splitlines()}) > 3


def test_a_long_id_is_shown_by_both_ends() -> None:
    """
    Ids that are made from the time begin alike.
    """
    with ctxlog.scope(requestID="0193a7c2-5f1e-7a3b-9c4d-0e1f2a3b4c5d"):
        assert " 0193a7c2\u2026c5d shop: hello" in text_of()


def test_columns_stand_below_each_other() -> None:
    """
    Those of the request and the logger are as wide as the widest so far, up to a limit.
    """
    formatter = ctxlog.ConsoleFormatter()

    def column(name: str, request_id: str | None = None) -> int:
        with ctxlog.scope(requestID=request_id):
            return text_of(formatter, name=name).index("hello")

    long = "a.logger.whose.name.is.longer.than.most"
    first = column("shop")
    assert column("shop.users", "0" * 32) == first + len(".users") + 13
    assert column("shop") == column("shop.users", "req-B") == column("s", "r")
    assert column(long) > column("s") == column("s", "r")


def test_a_long_field_is_shown_by_its_begin() -> None:
    """
    And says how long it is; also a long message.
    """
    text = text_of(field="x" * 900, msg="y" * 9000, after=1)
    assert f" field={'x' * 500}\u2026 (900 characters) after=1" in text
    assert f" {'y' * 8192}\u2026 (9000 characters) " in text


def test_a_long_traceback_keeps_its_end() -> None:
    """
    Where the exception is named.
    """
    text = text_of(exc_text="Traceback\n" + "  frame\n" * 3000 + "ValueError: bad")
    assert text.endswith("\nValueError: bad")


@pytest.mark.parametrize("value", ["", "two words", "a=b", 'a"b', "tab\there"])
def test_a_text_that_might_be_taken_for_more_is_quoted(value: str) -> None:
    """
    A value cannot look like the next field.
    """
    assert text_of(field=value, after=1).endswith(f"field={json.dumps(value)} after=1")


def test_the_time_since_the_request_began_is_shown() -> None:
    """
    In a store; `late` after its end. A clock that was put back does no harm.
    """
    formatter = ctxlog.ConsoleFormatter()
    store = ctxlog.Store(requestID="A")
    began = time.time()
    soon = ctxlog.run(store, text_of, formatter, created=began + 1)
    later = ctxlog.run(store, text_of, formatter, created=began + 75)
    before = ctxlog.run(store, text_of, formatter, created=began - 75)
    assert re.search(r" hello \+(999|1000)\.\dms$", soon)
    assert re.search(r" hello \+7[45]\.\ds$", later)
    assert before.endswith(" hello +0.0ms")


def test_a_line_after_the_requests_end_is_late() -> None:
    """
    As on a line of JSON.
    """

    def begin() -> ctxlog.Snapshot:
        return ctxlog.Snapshot()

    after = ctxlog.run({"requestID": "A"}, begin)
    assert after.run(text_of).endswith("ms late")


def test_a_record_made_by_hand_is_shown() -> None:
    """
    It may lack a level.
    """
    formatter = ctxlog.ConsoleFormatter(color=True)
    record = logging.makeLogRecord({"msg": "hello", "rows": 3})
    text = re.sub(r"\x1b\[[0-9;]+m", "", formatter.format(record))
    assert text.endswith("hello rows=3")
    assert "logError" not in text


def test_a_group_of_exceptions_is_colored_too() -> None:
    """
    Behind its margins: headings, places in the code, what was raised.
    """
    stack = (
        "  + Exception Group Traceback (most recent call last):\n"
        '  |   File "shop.py", line 1, in work\n'
        "  |     fail()\n"
        "  | ExceptionGroup: two (1 sub-exception)\n"
        "  +-+---------------- 1 ----------------\n"
        "    | ValueError: bad\n"
        "    +------------------------------------\n"
        "\n"
        "During handling of the above exception, another exception occurred:"
    )
    formatter = ctxlog.ConsoleFormatter(color=True)
    heading, place, code, group, rule, member, *rest = text_of(
        formatter, exc_text=stack
    ).split("\n")[1:]
    assert heading.startswith("\x1b[2m")
    assert place.startswith("\x1b[36m")
    assert group.startswith("\x1b[31m")
    assert member.startswith("\x1b[31m")
    assert not any("\x1b" in line for line in (code, rule, *rest))


@pytest.mark.parametrize(
    ("environment", "terminal", "expected"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": "0"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": ""}, False, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
        ({"TERM": "dumb"}, True, False),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, True, True),
    ],
)
def test_the_environment_decides_on_colors(
    environment: dict[str, str],
    terminal: bool,
    expected: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    In the order in which Python itself looks.
    """
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert wants_color(terminal) is expected


def test_the_time_has_the_format_that_was_asked_for() -> None:
    """
    datefmt, then milliseconds.
    """
    formatter = ctxlog.ConsoleFormatter(datefmt="%Y")
    formatter.converter = __import__("time").gmtime
    assert text_of(formatter, created=0.25, msecs=250.0).startswith("1970.250 INFO")
