"""
`ctxlog show` and `ctxlog top`: whole requests out of the files of several loggers.
"""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ctxlog.aggregators.split import unwrapped
from ctxlog.context.adapter import View
from ctxlog.line.encoder import LineEncoder
from ctxlog.line.event import Event
from ctxlog.line.vendors import SCHEMAS
from ctxlog.viewer.recognize.keys import Names
from ctxlog.viewer.recognize.record import Record
from ctxlog.viewer.show.look import Look
from ctxlog.viewer.show.printing import LinePrinter
from tests.aggregators.test_split import SPLITS, Split, docker
from tests.helpers import Run, need

#: A line as each logger documents it, its id, level, message and time.
FORMATS = {
    "pino": '{"level":50,"time":1767225600000,"pid":1,"hostname":"h","reqId":"a1",'
    '"msg":"broke"}',
    "pino-http": '{"level":50,"time":1767225600000,"req":{"id":"a1","method":"GET",'
    '"url":"/o"},"msg":"broke"}',
    "structlog": '{"request_id":"a1","event":"broke","level":"error",'
    '"timestamp":"2026-01-01T00:00:00.000000Z"}',
    "loguru": '{"text":"x","record":{"elapsed":{"repr":"0","seconds":0.1},'
    '"extra":{"request_id":"a1"},"level":{"icon":"x","name":"ERROR","no":40},'
    '"message":"broke","time":{"repr":"2026-01-01","timestamp":1767225600.0}}}',
    "python-json-logger": '{"asctime":"2026-01-01 00:00:00,000","levelname":"ERROR",'
    '"message":"broke","request_id":"a1"}',
    "zap": '{"level":"error","ts":1767225600.0,"caller":"m.go:1","msg":"broke",'
    '"request_id":"a1"}',
    "slog": '{"time":"2026-01-01T01:00:00.000000000+01:00","level":"ERROR+2",'
    '"msg":"broke","request_id":"a1"}',
    "tracing": '{"timestamp":"2026-01-01T00:00:00.000000Z","level":"ERROR",'
    '"fields":{"message":"broke"},"target":"m","span":{"name":"r"},'
    '"spans":[{"name":"r","request_id":"a1"}]}',
    "bunyan": '{"name":"m","hostname":"h","pid":1,"level":50,"req_id":"a1",'
    '"msg":"broke","time":"2026-01-01T00:00:00.000Z","v":0}',
    "ecs": '{"@timestamp":"2026-01-01T00:00:00.000Z","log.level":"error",'
    '"message":"broke","http":{"request":{"id":"a1"}},"ecs.version":"8.17.0"}',
    "google": '{"severity":"ERROR","time":"2026-01-01T00:00:00Z","message":"broke",'
    '"logging.googleapis.com/trace":"a1"}',
}


def line(request: str, message: str = "m", **more: Any) -> bytes:
    """Return a line of ctxlog's default schema."""
    members = {"timestamp": "2026-01-01T00:00:00.000Z", "level": "INFO"}
    members |= {"message": message, "requestID": request, **more}
    return json.dumps(members).encode() + b"\n"


def test_the_caller_of_a_line(run: Run, tmp_path: Path) -> None:
    """It is a field as any other, and each of its parts can be asked for."""
    file = tmp_path / "a.log"
    place = {"file": "orders.py", "line": 42, "function": "place"}
    file.write_bytes(line("a1", caller=place) + line("b2"))
    _, out, _ = run("show", file, "--field", "caller.function=place")
    assert "caller.file=orders.py caller.line=42 caller.function=place" in out
    assert "b2" not in out


@pytest.mark.parametrize("logger", FORMATS)
@pytest.mark.parametrize("question", [("-r", "a1"), ("--errors",)])
def test_reads_other_loggers(
    run: Run, tmp_path: Path, logger: str, question: tuple[str, ...]
) -> None:
    """A documented line of each logger is understood with no option."""
    file = tmp_path / "a.log"
    file.write_text(FORMATS[logger] + "\n")
    code, out, _ = run("show", file, *question)
    assert code == 0
    header, shown = out.splitlines()
    assert header.startswith("a1 ")
    assert "2026-01-01T00:00:00.000Z" in header
    assert shown.split()[:3] == ["+0.0", "ERROR", "broke"]


@pytest.mark.parametrize(
    ("logger", "fields"),
    [
        ("pino-http", {"req": {"method": "GET", "url": "/o"}}),
        ("structlog", {}),
        ("zap", {"caller": "m.go:1"}),
        ("bunyan", {"name": "m", "hostname": "h", "pid": 1, "v": 0}),
        ("ecs", {"ecs.version": "8.17.0"}),
    ],
)
def test_what_else_a_line_says(logger: str, fields: dict[str, Any]) -> None:
    """A line's fields are what has no place of its own: no time, level, id, message."""
    [record] = Record.read(FORMATS[logger].encode(), Names())
    assert record.fields == fields


def test_fields_of_loguru() -> None:
    """They are the members of its `extra`, and the logger's name."""
    told = {"name": "shop", "extra": {"request_id": "a1", "rows": 3}, "message": "m"}
    text = json.dumps({"text": "x", "record": told})
    [record] = Record.read(text.encode(), Names())
    assert record.fields == {"logger": "shop", "rows": 3}


_NAMES = st.from_regex("[a-z]{2,6}_x(\\.[a-z]{2})?", fullmatch=True)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_NAMES, inner),
    max_leaves=5,
)


@given(st.dictionaries(_NAMES, _VALUES.filter(lambda value: value != {})))
@example({"aa_x": [-(2**63) - 1], "bb_x": {"cc_x": [2**64]}, "dd_x": 2**70})
def test_no_field_is_lost(fields: dict[str, Any]) -> None:
    """Whatever a call adds to a line is among its fields, as it was written."""
    [record] = Record.read(line("r1", **fields), Names())
    assert record.fields == fields


_KNOWN = st.sampled_from(
    "record extra fields span spans context message event level severity timestamp "
    "time requestID req request user exception error exc_info status path method "
    "log MESSAGE __REALTIME_TIMESTAMP resourceLogs attributes timeUnixNano durationMs "
    "httpRequest id name stack text".split()
)
_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_KNOWN, inner),
    max_leaves=12,
)


@given(st.dictionaries(_KNOWN, _ANY))
def test_nothing_about_a_line_raises(members: dict[str, Any]) -> None:
    """Members with names that mean something may have any values."""
    text = json.dumps(members)
    names = [name for name in dir(Record) if not name.startswith("_")]
    for record in Record.read(text.encode(), Names()):
        assert record.members is not None
        for name in names:
            getattr(record, name)
        assert LinePrinter(Look(color=True)).text(text.encode(), record).endswith("\n")


@pytest.mark.parametrize(
    "words",
    [
        ("show",),
        ("show", "--errors"),
        ("show", "--errors", "--json"),
        ("show", "-r", "r1"),
        ("show", "--format", "{requestID} {user}"),
        ("top",),
        ("top", "--by", "user"),
        ("timeline", "-r", "r1"),
        ("timeline", "-r", "r1", "--html", "page.html"),
    ],
    ids=" ".join,
)
def test_what_utf8_cannot_hold(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
) -> None:
    """JSON can hold half of a character, in an id, too: it is printed as `?`."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "a.log"
    half = "\ud800"
    file.write_bytes(line(f"r1{half}", half, level="ERROR", user=half, path=half))
    command, *more = words
    code, out, err = run(command, file, *more)
    assert (code, err) == (0, "")
    assert "?" in out or more[-1:] in (["page.html"], ["--json"])


@pytest.mark.parametrize("said", ["12345678901234567890123", "-9223372036854775809"])
def test_long_numbers(said: str) -> None:
    """A number that does not fit into 64 bits is read as it stands, also as an id."""
    [record] = Record.read(f'{{"request_id":{said},"n":{said}}}'.encode(), Names())
    assert record.request == said
    assert record.fields == {"n": int(said)}


def test_a_trace_beside_a_request_is_a_field() -> None:
    """The id by which lines are grouped is not repeated; another one is shown."""
    [record] = Record.read(line("r1", traceID="t1", trace={"id": "t2"}), Names())
    assert record.fields == {"traceID": "t1", "trace": {"id": "t2"}}


def test_the_names_that_are_given_are_no_fields() -> None:
    """`--id-field` and `--time-field` name the line's id and time."""
    names = Names(id="rid", time="when.at")
    text = b'{"rid":"r1","when":{"at":1767225600,"by":"ntp"},"msg":"m"}'
    [record] = Record.read(text, names)
    assert record.fields == {"when": {"by": "ntp"}}


def test_fields_are_shown_but_not_repeated(run: Run, tmp_path: Path) -> None:
    """A field stands on a line unless the request's line above had the same."""
    file = tmp_path / "a.log"
    file.write_bytes(
        line("r1", "one", order="o-7", rows=3)
        + line("r2", "alien", order="o-8")
        + line("r1", "two", order="o-7", rows=4)
        + line("r1", "three", order="o-7", text="two words\x1b")
    )
    _, out, _ = run("show", file, "-r", "r1")
    assert [text.split("INFO")[1].strip() for text in out.splitlines()[1:]] == [
        "one  order=o-7 rows=3",
        "two  rows=4",
        'three  text="two words\\u001b"',
    ]


def test_a_traceback_is_shown_once(run: Run, tmp_path: Path) -> None:
    """It is printed below its line, readable, and not among the fields."""
    file = tmp_path / "a.log"
    told = {
        "type": "ValueError",
        "message": "bad",
        "stack": "Traceback\nValueError: bad",
    }
    file.write_bytes(line("r1", "broke", exception=told))
    _, out, _ = run("show", file, "-r", "r1")
    assert [text.strip() for text in out.splitlines()[2:]] == [
        "Traceback",
        "ValueError: bad",
    ]
    assert "exception" not in out


@pytest.mark.parametrize(
    ("told", "left"),
    [
        ({"exception": {"type": "E", "message": "bad", "stack": "T\nE: bad"}}, {}),
        ({"exc_info": "T\nE: bad"}, {}),
        ({"err": {"type": "E", "message": "bad", "stack": "E: bad\n  at f"}}, {}),
        (
            {"error": {"type": "E", "message": "bad", "stack_trace": "in f\n  f()"}},
            {"error": {"type": "E", "message": "bad"}},
        ),
        ({"error": "oops", "stacktrace": "main.f\n\ta.go:9"}, {"error": "oops"}),
        ({"error.type": "E", "error.stack_trace": "f\nE: bad"}, {}),
        ({"exception": {"stack": "T\nE: bad", "code": 7}}, {"exception": {"code": 7}}),
    ],
)
def test_what_is_told_beside_a_traceback(
    told: dict[str, Any], left: dict[str, Any]
) -> None:
    """Type and message are fields unless they stand in the traceback."""
    [record] = Record.read(line("r1", **told), Names())
    assert record.stack
    assert record.fields == left


def test_a_traceback_of_loguru() -> None:
    """It stands in the text that loguru has made beside the record."""
    told = {"extra": {"request_id": "a1"}, "message": "m"}
    told["exception"] = {"type": "ValueError", "value": "bad", "traceback": True}
    text = "12:00 | ERROR | m\nTraceback (most recent call last):\nValueError: bad\n"
    whole = json.dumps({"text": text, "record": told}).encode()
    [record] = Record.read(whole, Names())
    assert record.stack == "Traceback (most recent call last):\nValueError: bad\n"
    assert record.fields == {}


def test_tracebacks_of_structlog() -> None:
    """Tracebacks that are objects are shown as Python shows them, the cause first."""
    frame = {"filename": "a.py", "lineno": 3, "name": "f", "line": "f()"}
    told = [
        {"exc_type": "ValueError", "exc_value": "bad", "frames": [frame]},
        {"exc_type": "KeyError", "exc_value": "'k'", "frames": [frame]},
    ]
    [record] = Record.read(line("r1", exception=told), Names())
    assert record.stack.splitlines() == [
        "Traceback (most recent call last):",
        '  File "a.py", line 3, in f',
        "KeyError: 'k'",
        "",
        "Traceback (most recent call last):",
        '  File "a.py", line 3, in f',
        "ValueError: bad",
    ]
    assert record.fields == {}


@pytest.mark.parametrize("name", ["u-1", "Alice"])
@pytest.mark.parametrize("key", ["user", "usr"])
def test_a_user_by_id_or_name(run: Run, tmp_path: Path, key: str, name: str) -> None:
    """`--user` is any of what names the user of a line."""
    file = tmp_path / "a.log"
    file.write_bytes(line("r1", **{key: {"id": "u-1", "name": "Alice"}}))
    assert run("show", file, "--user", name)[0] == 0
    assert run("show", file, "--user", "u")[0] == 1


@pytest.mark.parametrize(
    "said",
    [
        {"durationMs": 600.0},
        {"event": {"duration": 600_000_000}},
        {"httpRequest": {"latency": "0.6s"}},
    ],
)
def test_a_line_that_says_how_long_it_took(
    run: Run, tmp_path: Path, said: dict[str, Any]
) -> None:
    """A request began when what its lines speak of did: alike in show, top, follow."""
    file = tmp_path / "a.log"
    file.write_bytes(line("r1", "done", **said) + line("r2", "quick"))
    code, out, _ = run("show", file, "--slow", "500ms")
    assert (code, out.split()[0]) == (0, "r1")
    assert "  600.0 ms  1 line  " in out
    assert "+600.0  INFO      done" in out
    assert run("show", file, "--slow", "700ms")[0] == 1
    assert run("top", file)[1].splitlines()[1].split()[:3:2] == ["r1", "600.0"]


def completed(path: str, status: int, took: float, **more: Any) -> dict[str, Any]:
    """A line about something that has a path and took some time."""
    return {"method": "GET", "path": path, "status": status, "durationMs": took, **more}


def test_what_a_request_is_about(run: Run, tmp_path: Path) -> None:
    """Of lines with a path and a status it is the one that took longest."""
    file = tmp_path / "a.log"
    file.write_bytes(
        line("r1", "in the service that is called", **completed("/charge", 201, 20.0))
        + line("r1", "calls", **completed("/charge", 201, 95.0, logger="ctxlog.client"))
        + line("r1", "the request", **completed("/orders", 200, 90.0))
        + line("r1", "a task calls", **completed("/mail", 202, 10.0))
    )
    _, out, _ = run("show", file)
    assert out.splitlines()[0].split()[:4] == ["r1", "GET", "/orders", "200"]
    _, out, _ = run("top", file)
    assert out.splitlines()[1].split()[-2:] == ["200", "/orders"]


def test_without_durations_the_last_counts(run: Run, tmp_path: Path) -> None:
    """A path of the first line, a status of the last one."""
    file = tmp_path / "a.log"
    file.write_bytes(
        line("r1", "begins", path="/orders") + line("r1", "ends", status=200)
    )
    _, out, _ = run("show", file)
    assert out.splitlines()[0].split()[:3] == ["r1", "/orders", "200"]


def test_a_call_that_failed_is_no_failure(run: Run, tmp_path: Path) -> None:
    """A request may do well although something that it called has not."""
    file = tmp_path / "a.log"
    call = completed("/charge", 503, 9.0, logger="ctxlog.client", level="WARNING")
    file.write_bytes(line("r1", **call) + line("r1", **completed("/orders", 200, 20.0)))
    assert run("show", file, "--errors")[0] == 1
    assert run("show", file, "--status", "503")[0] == 0
    assert "0.0%" in run("top", file, "--by", "path")[1]


@given(st.lists(st.sampled_from(["aa", "bb", "cc", "dd"]), min_size=1, max_size=60))
def test_never_mixes_requests(order: list[str]) -> None:
    """However requests interleave, each is printed whole, in order, and alone."""
    every = [line(one, f"{one} {number}") for number, one in enumerate(order)]
    for one in set(order):
        shown = collected(b"".join(every), one)
        assert shown == [text for text in every if f'"{one}"'.encode() in text]


def collected(data: bytes, request: str) -> list[bytes]:
    """Return what a reader collects for a request out of *data*."""
    from ctxlog.viewer.query.search import Reader
    from ctxlog.viewer.read.source import Block

    class Memory:
        name = "memory"
        size = None

        def blocks(self, begin: int = 0, end: int | None = None) -> list[Block]:
            middle = data.find(b"\n", len(data) // 2) + 1
            return [
                Block(0, data[: middle + 3], middle),
                Block(middle, data[middle:], len(data) - middle),
            ]

    reader = Reader([Memory()], Names())  # type: ignore[list-item]
    with reader.collect({request}) as found:
        return [entry.line for entry in found.request(request).entries]


def test_errors_prints_whole_requests(run: Run, tmp_path: Path) -> None:
    """A request that failed is printed with its good lines, and no other is."""
    file = tmp_path / "a.log"
    file.write_bytes(
        line("r1", "one") + line("r2", "other") + line("r1", "two", level="ERROR")
    )
    code, out, _ = run("show", file, "--errors", "--json")
    assert code == 0
    assert out.encode() == line("r1", "one") + line("r1", "two", level="ERROR")


def test_of_much_the_first_that_is_found_comes_first(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All others follow by when they began; each is whole, and none comes twice."""
    monkeypatch.setattr("ctxlog.viewer.query.processes._LARGE", 1)
    monkeypatch.setattr("ctxlog.viewer.query.processes._processors", lambda: 1)
    path = tmp_path / "app.log"
    order = [3, 1, 2]
    stamp = "2026-01-01T00:00:{:02}.000Z"
    began = [line(f"req-{n}", timestamp=stamp.format(n)) for n in (1, 2, 3)]
    failed = [
        line(f"req-{n}", level="ERROR", timestamp=stamp.format(n + 10)) for n in order
    ]
    path.write_bytes(b"".join([*began, *failed]))
    code, out, _ = run("show", str(path), "--errors", "--json")
    ids = [json.loads(text)["requestID"] for text in out.splitlines()]
    assert (code, ids) == (0, ["req-3"] * 2 + ["req-1"] * 2 + ["req-2"] * 2)


def test_criteria_combine_with_and(run: Run, tmp_path: Path) -> None:
    """A request is chosen if every criterion holds for some line of it."""
    file = tmp_path / "a.log"
    file.write_bytes(
        line("r1", path="/orders/1", status=503)
        + line("r2", path="/orders/2", status=200)
        + line("r1", "x", user="alice")
        + line("r2", "x", user="alice")
    )
    words = ("--path", "/orders/*", "--status", "5xx", "--user", "alice")
    code, out, _ = run("show", file, *words, "--format", "{requestID}")
    assert (code, out.split()) == (0, ["r1", "r1"])
    assert run("show", file, "--user", "bob")[0] == 1


def test_ambiguous_prefix(run: Run, tmp_path: Path) -> None:
    """A prefix of two ids is wrong use, and both are named; a unique one is enough."""
    file = tmp_path / "a.log"
    file.write_bytes(line("abc1") + line("abc2"))
    code, out, err = run("show", file, "-r", "abc")
    assert (code, out) == (2, "")
    assert "abc1" in err
    assert "abc2" in err
    assert run("show", file, "-r", "abc2")[0] == 0


@pytest.mark.parametrize("odd", ["", '"q', "/p", "\u00e9t\u00e9"])
def test_odd_ids(run: Run, tmp_path: Path, odd: str) -> None:
    """An id, or a part of one, that JSON escapes is found; so is the empty part."""
    file = tmp_path / "a.log"
    file.write_bytes(line(f"{odd}r1") * 2)
    assert run("show", file, "-r", odd, "--json")[1].encode() == line(f"{odd}r1") * 2


def test_lines_that_are_not_json_stay_above(run: Run, tmp_path: Path) -> None:
    """A traceback belongs to the request above it, behind a container's prefix too."""
    file = tmp_path / "a.log"
    file.write_bytes(
        b"web-1  | " + line("r1") + b"web-1  | Traceback {x}\nweb-2  | alien\n"
        b"web-1  | " + line("r2")
    )
    _, out, _ = run("show", file, "-r", "r1")
    assert "Traceback {x}" in out
    assert "alien" not in out


def test_hostile_file(run: Run, tmp_path: Path) -> None:
    """Ten megabytes in a line, bad UTF-8, control characters, a torn end: all told."""
    file = tmp_path / "a.log"
    file.write_bytes(
        line("r1", "x" * 10_000_000)
        + line("r1", "esc").replace(b"esc", b"\xff\\u001b[31m\\u202e")
        + b'{"requestID":"r1","mess'
    )
    code, out, err = run("show", file, "-r", "r1")
    assert code == 0
    assert "x" * 10_000_000 in out
    assert "\\x1b[31m\\u202e" in out
    assert "\x1b" not in out
    assert "1 line could not be read" in err


@pytest.mark.parametrize("end", ["gz", "bz2", "xz", "zst"])
def test_compressed(run: Run, tmp_path: Path, end: str) -> None:
    """Compressed files are read by the end of their name."""
    pack: dict[str, Callable[[bytes], bytes]] = {
        "gz": gzip.compress,
        "bz2": bz2.compress,
        "xz": lzma.compress,
    }
    if end == "zst":
        pack["zst"] = need("zstandard").compress
    file = tmp_path / f"a.log.{end}"
    file.write_bytes(pack[end](line("r1")))
    assert run("show", file, "-r", "r1", "--json")[1].encode() == line("r1")


def test_broken_pipe_and_stdin(tmp_path: Path) -> None:
    """The reader of the output may stop early without a complaint."""
    command = [sys.executable, "-m", "ctxlog", "show", "-"]
    data = b"".join(line(f"r{number}", "x" * 1000) for number in range(2000))
    file = tmp_path / "a.log"
    file.write_bytes(data)
    with file.open("rb") as given:
        process = subprocess.Popen(
            command, stdin=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline().startswith(b"r0 ")
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(30) == 0


def test_missing_file_and_wrong_use(run: Run, tmp_path: Path) -> None:
    """Wrong use and files that are not there end with 2."""
    assert run("show", tmp_path / "none")[0] == 2
    assert run("show", "--status", "9")[0] == 2
    assert run("show", "--level", "loud")[0] == 2


def test_top(run: Run, tmp_path: Path) -> None:
    """A row per request, the longest first; by path, a group each."""
    file = tmp_path / "a.log"
    file.write_bytes(
        line("r1", path="/a")
        + line("r2", path="/a", level="ERROR")
        + line("r1", timestamp="2026-01-01T00:00:02Z")
    )
    _, out, _ = run("top", file)
    assert [row.split()[:3:2] for row in out.splitlines()[1:]] == [
        ["r1", "2000.0"],
        ["r2", "0.0"],
    ]
    _, out, _ = run("top", file, "--by", "path")
    assert out.splitlines()[1].split() == [
        "/a",
        "2",
        "50.0%",
        "0.0",
        "2000.0",
        "2000.0",
    ]


def test_every_schema_has_an_id() -> None:
    """The request's id is found under the key of each of ctxlog's schemas."""
    for schema in SCHEMAS.values():
        if not schema.otlp:
            assert Record({schema.request_id: "r"}, Names()).request == "r"


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("case", ["camel", "snake"])
def test_both_spellings_are_read(schema: str, case: str) -> None:
    """The duration of a ctxlog line is its own, not the time of its request."""
    encoder = LineEncoder(SCHEMAS[schema], case=case)
    view = View({encoder.names.request_id: "a1"}, 0)
    own = {"path": "/", "status": 200, encoder.names.duration: 1500.0}
    completion = encoder.encode(
        Event(9.0, "INFO", 20, "ctxlog.request", "end", view, own)
    )
    event = encoder.encode(Event(9.0, "INFO", 20, "shop", "begin", view, {"rows": 1}))
    (end,), (begin,) = Record.read(completion, Names()), Record.read(event, Names())
    assert (begin.request, begin.took, begin.message) == ("a1", None, "begin")
    assert (end.request, end.took) == ("a1", 1.5)
    # Of another logger's `duration` the line does not say the unit.
    assert Record({"duration": 1.5, "status": 200}, Names()).took is None
    assert not [name for name in begin.fields if "elapsed" in name]


def test_another_loggers_elapsed_time_is_how_long_it_took() -> None:
    """`elapsed_ms` is the time since the begin on lines of ctxlog's only."""
    line = b'{"ts":1767225600.0,"level":"info","msg":"done","elapsed_ms":250}'
    (record,) = Record.read(line, Names())
    assert record.took == 0.25


@pytest.mark.parametrize(
    "wrapper",
    [
        {
            "log": FORMATS["zap"] + "\n",
            "stream": "stderr",
            "time": "2026-01-01T00:00:00Z",
        },
        {"MESSAGE": FORMATS["zap"], "__REALTIME_TIMESTAMP": "1767225600000000"},
        {"MESSAGE": '{"msg":"broke","level":"error","request_id":"a1"}'}
        | {"__REALTIME_TIMESTAMP": "1767225600000000"},
    ],
    ids=["docker", "journal", "journal's time"],
)
def test_lines_that_are_wrapped(
    run: Run, tmp_path: Path, wrapper: dict[str, str]
) -> None:
    """A line that a collector has put into an object of its own is taken out of it."""
    file = tmp_path / "a.log"
    file.write_text(json.dumps(wrapper) + "\n")
    code, out, _ = run("show", file, "--errors")
    header, shown = out.splitlines()
    assert code == 0
    assert "2026-01-01T00:00:00.000Z" in header
    assert shown.split()[:3] == ["+0.0", "ERROR", "broke"]


@pytest.mark.parametrize(
    "prefix",
    [
        "shop-1  | ",  # docker compose
        "[pod/shop-6d4f/app] ",  # kubectl logs --prefix
        "Nov 25 06:50:00 host shop[123]: ",  # journalctl
        "2026-11-25T06:50:00+0000 host shop[123]: ",  # journalctl -o short-iso
    ],
)
def test_lines_with_a_prefix(run: Run, tmp_path: Path, prefix: str) -> None:
    """A prefix before the JSON is passed over, and shown before what is not JSON."""
    file = tmp_path / "a.log"
    lines = [FORMATS["structlog"], "Traceback (most recent call last):"]
    file.write_text("".join(f"{prefix}{line}\n" for line in lines), encoding="utf-8")
    code, out, _ = run("show", str(file), "-r", "a1")
    assert code == 0
    assert "ERROR     broke" in out
    assert f"{prefix}Traceback" in out


def test_what_is_damaged_is_counted(run: Run, tmp_path: Path) -> None:
    """A line of 10 MB is read, one that is torn is counted, invalid UTF-8 is shown."""
    file = tmp_path / "a.log"
    long = json.dumps({"request_id": "a1", "event": "x" * 10_000_000, "level": "info"})
    torn = '{"request_id":"a1","event":"to'
    odd = b'{"request_id":"a1","event":"\xff","level":"info"}\n'
    file.write_bytes(long.encode() + b"\n" + odd + torn.encode())
    code, out, err = run("show", str(file), "-r", "a1")
    assert code == 0
    assert "x" * 1000 in out
    assert "\ufffd" in out
    assert err == "1 line could not be read\n"


@pytest.mark.parametrize("question", [("-r", "r1"), ("--errors",), ("--user", "bob")])
def test_a_torn_end_is_counted_whatever_is_asked(
    run: Run, tmp_path: Path, question: tuple[str, ...]
) -> None:
    """It may have been of any request."""
    file = tmp_path / "a.log"
    file.write_bytes(line("r1", level="ERROR", user="bob") + b'{"timestamp":"2026-0')
    assert run("show", file, *question)[::2] == (0, "1 line could not be read\n")


@pytest.mark.skipif(sys.platform == "win32", reason="starts a shell")
def test_an_output_that_is_closed(tmp_path: Path) -> None:
    """It is said in one line; the exit code is 2."""
    path = tmp_path / "app.log"
    path.write_bytes(line("req-1"))
    done = subprocess.run(
        ["sh", "-c", f'"{sys.executable}" -m ctxlog show "{path}" >&-'],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == "ctxlog show: standard output is closed\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device here")
def test_an_output_that_is_full(tmp_path: Path) -> None:
    """It is said in one line; the exit code is 2."""
    path = tmp_path / "app.log"
    path.write_bytes(b"".join(line("req-1", "m" * 500) for _ in range(100)))
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "ctxlog", "show", str(path)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr == "ctxlog show: [Errno 28] No space left on device\n"


@pytest.mark.parametrize(
    ("environment", "colored"),
    [
        ({"FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ({}, False),
    ],
)
def test_colors_follow_the_environment(
    environment: dict[str, str],
    colored: bool,
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A pipe has colors if they are forced, and `NO_COLOR` wins, as for the console."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    file = tmp_path / "app.log"
    file.write_bytes(line("req-A", level="ERROR"))
    code, printed, _ = run("show", file)
    assert code == 0
    assert ("\x1b[" in printed) is colored


@pytest.mark.parametrize("split", SPLITS.values(), ids=SPLITS)
@pytest.mark.parametrize("question", [("-r", "req-1"), ("--errors",), ("--grep", "mm")])
def test_a_line_that_a_collector_has_split(
    run: Run, tmp_path: Path, split: Split, question: tuple[str, ...]
) -> None:
    """A long line is found and shown whole, whichever part the question is about."""
    long = line("req-1", "m" * 100_000, level="ERROR", end="last")
    others = [line(f"req-{n}", "short") for n in range(2, 20)]
    file = tmp_path / "a.log"
    parts = [part for text in (others[0], long, *others[1:]) for part in split(text)]
    file.write_bytes(b"".join(parts))
    code, out, err = run("show", file, *question)
    assert (code, err) == (0, "")
    assert "m" * 100_000 in out
    assert "end=last" in out
    assert "short" not in out
    _, out, _ = run("show", file, *question, "--json")
    assert unwrapped(out.encode()) == long


@pytest.mark.parametrize("split", SPLITS.values(), ids=SPLITS)
@pytest.mark.parametrize("command", [("show", "-r", "req-2"), ("show",), ("top",)])
def test_a_split_line_that_never_ends(
    run: Run, tmp_path: Path, split: Split, command: tuple[str, ...]
) -> None:
    """It is counted, whatever is asked."""
    *parts, _ = split(line("req-1", "m" * 100_000, level="ERROR"))
    file = tmp_path / "a.log"
    file.write_bytes(b"".join([*parts, *split(line("req-2"), "stderr")]))
    name, *options = command
    code, out, err = run(name, file, *options)
    assert (code, err) == (0, "1 line could not be read\n")
    assert "req-2" in out


def test_a_split_line_in_several_blocks(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parts of a line may be blocks away from each other, in a packed file, too."""
    monkeypatch.setattr("ctxlog.viewer.read.source._BLOCK", 40_000)
    long = [line(f"req-{n}", f"{n}" * 60_000, level="ERROR") for n in range(4)]
    between = [*docker(line("req-9", "x" * 10_000))] * 10
    parts: list[bytes] = []
    for text in long:
        head, *rest = docker(text, "stderr")
        parts += [head, *between, *rest]
    plain, packed = tmp_path / "a.log", tmp_path / "a.log.gz"
    plain.write_bytes(b"".join(parts))
    with gzip.open(packed, "wb") as file:
        file.write(b"".join(parts))
    for path in (plain, packed):
        code, out, err = run("show", path, "--errors", "--json")
        assert (code, err) == (0, "")
        shown = out.encode().splitlines(keepends=True)
        assert [unwrapped(one) for one in shown] == long


@pytest.mark.parametrize(
    "key",
    ["X-Request-ID", "RequestId", "x_request_id", "requestid", "REQUEST_ID", "reqId"],
)
@pytest.mark.parametrize("home", ["", "mdc", "contextMap", "named_tags", "Properties"])
def test_an_id_in_any_spelling(run: Run, tmp_path: Path, key: str, home: str) -> None:
    """Case and separators of its name do not matter, nor does a logger's context."""
    told = {key: "a1"}
    members = {"level": "error", "message": "m", **({home: told} if home else told)}
    file = tmp_path / "a.log"
    file.write_text(json.dumps(members) + "\n")
    _, out, _ = run("show", file, "--errors")
    assert out.startswith("a1 ")


@pytest.mark.parametrize("key", ["user_request_count", "id", "request", "last_request"])
def test_what_is_no_id(key: str) -> None:
    """A name that only looks like a request's is a field as any other."""
    [record] = Record.read(json.dumps({key: "a1", "msg": "m"}).encode(), Names())
    assert record.request is None
    assert record.fields == {key: "a1"}


def test_a_level_that_is_not_known(run: Run, tmp_path: Path) -> None:
    """It is shown as it is written, and so are those below `DEBUG`."""
    file = tmp_path / "a.log"
    file.write_bytes(line("r1", level="TRACE") + line("r1", level="AUDIT"))
    _, out, _ = run("show", file)
    assert [shown.split()[1] for shown in out.splitlines()[1:]] == ["TRACE", "AUDIT"]


@pytest.mark.parametrize("size", [1, 70_000, 3 << 20], ids=["one", "some", "many"])
def test_zeros_before_the_first_line(run: Run, tmp_path: Path, size: int) -> None:
    """A file that was cut while its writer went on is read, also in a directory."""
    file = tmp_path / "app.log"
    file.write_bytes(b"\0" * size + line("a1", "first") + line("a1", "second"))
    for name in (file, tmp_path):
        code, out, err = run("show", str(name))
        assert (code, err) == (0, "")
        assert "first" in out
        assert "second" in out
