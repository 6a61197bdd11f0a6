"""
Why nothing was printed: said on standard error, never passed over.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxlog.__main__ import main
from ctxlog.viewer.query.silence import reason
from ctxlog.viewer.read.source import Source
from ctxlog.viewer.recognize.keys import Names

OURS = {"timestamp": "2026-01-31T12:00:00Z", "level": "INFO", "message": "m"}


@pytest.mark.parametrize(
    ("lines", "words", "said"),
    [
        ([], [], "app.log: empty"),
        (["x y z"] * 2000, [], "2,000 lines, none is JSON, logfmt or of another"),
        (["x y z"], [], "is known; if they name their requests, try --id-regex"),
        (["x y z"], ["--id-regex", "(a)"], "known, and none matches --id-regex"),
        (
            [{"CorrelationKey": f"k-{n // 2}0000", "n": n} for n in range(80)],
            [],
            "80 lines, none has a request's id; candidates: CorrelationKey (40 "
            "different values); try --id-field CorrelationKey",
        ),
        (
            [{"SessionId": f"s-{n}", "job": "a b", "pid": n} for n in range(9)],
            [],
            "candidates: SessionId (9 different values); try --id-field SessionId",
        ),
        ([{"message": "m", "n": 1}] * 3, [], "try --id-field NAME, or --id-regex"),
        (
            [{**OURS, "requestID": f"r-{n}"} for n in range(1204)] + ["{torn"],
            ["--errors"],
            "no request has an error; 1,204 requests, 1 line could not be read",
        ),
        (
            [{**OURS, "requestID": "r-1"}],
            ["--status", "5xx", "--slow", "2s"],
            "no request is meant by --status 5xx --slow 2.0 s; 1 request, 0 lines",
        ),
        (
            [{**OURS, "requestID": "r-1"}],
            ["-r", "zzz"],
            "no request's id begins with zzz; 1 request",
        ),
    ],
)
def test_why_nothing_is_shown(
    tmp_path: Path,
    lines: list[object],
    words: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """
    What the file has, and what to try.
    """
    file = tmp_path / "app.log"
    texts = [one if isinstance(one, str) else json.dumps(one) for one in lines]
    file.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    assert main(["show", str(file), *words]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert len(err.splitlines()) <= 2


@pytest.mark.parametrize("command", ["show", "top", "timeline", "tree"])
def test_each_command_says_it(
    tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    Of a file that is no log.
    """
    file = tmp_path / "picture.png"
    file.write_bytes(b"\x89PNG\r\n\x00\x00\n")
    words = ["-r", "x"] if command in ("timeline", "tree") else []
    assert main([command, str(file), *words]) == 1
    assert "picture.png: no text" in capsys.readouterr().err


def test_nothing_is_said_where_something_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    Standard error stays empty.
    """
    file = tmp_path / "app.log"
    file.write_text(json.dumps({**OURS, "requestID": "r-1"}) + "\n", encoding="utf-8")
    assert main(["show", str(file)]) == 0
    assert capsys.readouterr().err == ""


@given(st.binary(max_size=300))
def test_any_bytes_have_a_reason(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    """
    It is one line, whatever the file has.
    """
    file = tmp_path_factory.mktemp("any") / "x.log"
    file.write_bytes(data)
    said = reason([Source(str(file))], Names(), asked=["--errors"])
    assert said
    assert "\n" not in said
