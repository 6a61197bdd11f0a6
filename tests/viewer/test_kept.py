"""
Requests that came out of a buffer or of a sample, in each command.
"""

from __future__ import annotations

import importlib
import io
import logging
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ctxlog
from ctxlog._names import BUFFERED, SUPPRESSED, get_names
from ctxlog.context.adapter import View
from ctxlog.line.encoder import LineEncoder
from ctxlog.line.event import Event
from ctxlog.line.vendors import SCHEMAS
from ctxlog.retention._sample import in_share
from ctxlog.viewer.group.summary import Row
from ctxlog.viewer.group.tables import Groups, Order
from ctxlog.viewer.query.criteria import failing
from ctxlog.viewer.query.watch import Watch, in_order
from ctxlog.viewer.recognize.keys import Names
from ctxlog.viewer.recognize.record import Record
from ctxlog.viewer.show.look import Look
from ctxlog.viewer.show.printing import LinePrinter
from ctxlog.viewer.show.table import groups
from tests.aggregators.web import serving
from tests.helpers import Run, need

BEGIN = 1_795_858_237.25

each_schema = pytest.mark.parametrize("schema", SCHEMAS)
each_case = pytest.mark.parametrize("case", ["camel", "snake"])


@pytest.fixture(autouse=True)
def _unconfigured() -> Iterator[None]:
    yield
    ctxlog.unconfigure()


class Service:
    """
    Writes lines as ctxlog does.

    Args:
        schema: The schema.
        case: The spelling of ctxlog's own names.
    """

    def __init__(self, schema: str = "default", case: str = "camel") -> None:
        self.encoder = LineEncoder(SCHEMAS[schema], case=case)
        self.names = self.encoder.names

    def line(
        self,
        request: str,
        message: str,
        at: float,
        level: int = 20,
        logger: str = "shop",
        **fields: Any,
    ) -> bytes:
        """Return a line, written *at* milliseconds after the request began."""
        view = View({self.names.request_id: request}, int(BEGIN * 1e9))
        word = {10: "DEBUG", 20: "INFO", 40: "ERROR"}[level]
        created = BEGIN + at / 1000
        event = Event(created, word, level, logger, message, view, fields)
        return self.encoder.encode(event)

    def ended(self, request: str, at: float, status: int = 200, **fields: Any) -> bytes:
        """Return the completion line of a request."""
        own: dict[str, Any] = {"method": "GET", "path": "/", "status": status}
        own[self.names.duration] = at
        return self.line(request, "GET", at, 20, "ctxlog.request", **{**own, **fields})

    def flushed(self, request: str = "req-A") -> list[bytes]:
        """
        Return the lines of a request of a sample, as they are written.

        Two lines waited in its buffer until an error, others had no room there.
        """
        rate: dict[str, Any] = {self.names.sample_rate: 10}
        held: dict[str, Any] = {BUFFERED: True, **rate}
        first: dict[str, Any] = {self.names.dropped_lines: 12, **held}
        return [
            self.line(request, "order received", 10, **rate),
            self.line(request, "SELECT 1", 5, 10, rows=1, **first),
            self.line(request, "SELECT 2", 15, 10, rows=2, **held),
            self.line(request, "payment refused", 20, 40, **rate),
            self.line(request, "rollback", 21, 10, **rate),
            self.ended(request, 30),
        ]


def shown(out: str) -> list[str]:
    """Return the lines of a request without their fields."""
    lines = out.splitlines()[1:]
    return [re.match(r" *(\S+ +\S+ +(?:\S+ )*\S+)", line)[1] for line in lines]  # type: ignore[index]


IN_ORDER = [
    "+5.0~ DEBUG     SELECT 1",
    "+10.0  INFO      order received",
    "+15.0~ DEBUG     SELECT 2",
    "+20.0  ERROR     payment refused",
    "+21.0  DEBUG     rollback",
    "+30.0  INFO      GET",
]


@each_schema
@each_case
def test_a_request_says_what_it_came_out_of(
    run: Run, tmp_path: Path, schema: str, case: str
) -> None:
    """Its lines are in the order of their times, and those that waited are marked."""
    service, file = Service(schema, case), tmp_path / "app.log"
    file.write_bytes(b"".join(service.flushed()))
    code, out, err = run("show", file, "-r", "req-A")
    header = out.splitlines()[0]
    assert (code, err) == (0, "")
    assert "6 lines  1 error  sampled 1/10  2 buffered  12 lines dropped" in header
    assert shown(out) == IN_ORDER
    assert "buffered=" not in out  # that is what the mark says
    assert f"{service.names.dropped_lines}=12" in out


@each_schema
@each_case
def test_what_ctxlog_writes_is_read(
    run: Run, tmp_path: Path, schema: str, case: str
) -> None:
    """A request of a sample whose buffer was flushed, with less room than lines."""
    sampling = ctxlog.Sampling(rate=0.5)
    ids = (f"req-{number}" for number in range(100))
    sampled = next(one for one in ids if in_share(one, sampling.rate))
    log = logging.getLogger("shop")

    def handle() -> None:
        for number in range(100):
            log.debug("SELECT %d", number)
            if number == 97:
                log.info("order received")
        log.error("payment refused")
        log.debug("rollback")

    file = tmp_path / "app.log"
    with file.open("wb") as stream:
        buffer = ctxlog.Buffer(max_bytes=4000)
        options: dict[str, Any] = {"schema": schema, "case": case, "format": "json"}
        ctxlog.configure(stream=stream, buffer=buffer, sampling=sampling, **options)
        ctxlog.run({get_names().request_id: sampled}, handle)
        ctxlog.unconfigure()
    code, out, err = run("show", file, "-r", sampled)
    header, *lines = out.splitlines()
    assert (code, err) == (0, "")
    waited = sum("~ DEBUG     SELECT " in line for line in lines)
    dropped = 100 - waited
    assert 0 < waited < 50
    assert header.endswith(f"sampled 1/2  {waited} buffered  {dropped} lines dropped")
    messages = [line.split(maxsplit=2)[2].split("  ")[0] for line in lines]
    messages.remove("order received")  # in order, too, if the clock is fine enough
    selected = [f"SELECT {number}" for number in range(dropped, 100)]
    assert messages == [*selected, "payment refused", "rollback"]


@each_case
def test_the_bytes_are_those_of_the_file(run: Run, tmp_path: Path, case: str) -> None:
    """`--json` prints all that is on the lines, in the order of time."""
    lines, file = Service(case=case).flushed(), tmp_path / "app.log"
    file.write_bytes(b"".join(lines))
    wanted = [lines[index] for index in (1, 0, 2, 3, 4, 5)]
    assert run("show", file, "--json")[1].encode() == b"".join(wanted)
    fields = run("show", file, "--format", "{buffered} {message}")[1].splitlines()
    assert fields[0] == "True SELECT 1"


@pytest.mark.parametrize(
    ("rate", "text"), [(10, "1/10"), (3.3333333333, "1/3.3"), ("20", "1/20")]
)
def test_the_share(run: Run, tmp_path: Path, rate: object, text: str) -> None:
    """A share may be any, and a store may have made a text of the number."""
    file = tmp_path / "app.log"
    file.write_bytes(Service().line("req-A", "m", 0, sampleRate=rate))
    assert (
        run("show", file)[1]
        .splitlines()[0]
        .endswith(f"1 line  0 errors  sampled {text}")
    )


@pytest.mark.parametrize("rate", [1, 1.0, 0, -3, "fast", None, True, [10], "1e99"])
def test_what_is_no_share(run: Run, tmp_path: Path, rate: object) -> None:
    """A request that stands for itself is not said to be of a sample."""
    file = tmp_path / "app.log"
    file.write_bytes(Service().line("req-A", "m", 0, sampleRate=rate))
    assert "sampled" not in run("show", file)[1]


@pytest.mark.parametrize("value", [1, 12.5, False, "yes", None])
def test_what_did_not_wait(run: Run, tmp_path: Path, value: object) -> None:
    """A field of the application's own of this name is shown as any other."""
    file = tmp_path / "app.log"
    file.write_bytes(Service().line("req-A", "m", 0, buffered=value))
    header, text = run("show", file)[1].splitlines()
    assert header.endswith("1 line  0 errors")
    assert "~" not in text
    assert "buffered=" in text


@pytest.mark.parametrize(
    "line",
    [
        b'{"level":30,"time":1795858237250,"reqId":"req-A","msg":"m",'
        b'"sampleRate":44100,"buffered":true}\n',
        b'{"request_id":"req-A","event":"m","level":"info","sample_rate":16000,'
        b'"timestamp":"2026-11-28T00:00:00Z","dropped_lines":3}\n',
        Service().line("req-A", "m", 0, sample_rate=16_000, dropped_lines=3),
        Service(case="snake").line("req-A", "m", 0, sampleRate=16_000, droppedLines=3),
    ],
    ids=["pino", "structlog", "camel", "snake"],
)
def test_fields_of_these_names_may_be_others(
    run: Run, tmp_path: Path, line: bytes
) -> None:
    """A sound has a sample rate, too: other loggers' and other spellings are fields."""
    file = tmp_path / "app.log"
    file.write_bytes(line)
    header, text = run("show", file)[1].splitlines()
    assert header.endswith("1 line  0 errors")
    assert "~" not in text
    for name in ("ample", "ropped", "uffered"):
        assert (name in text) == (name.encode() in line)


def test_a_large_file_is_read_by_parts(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines that waited are in order, wherever in the file they were written."""
    service, file = Service(), tmp_path / "app.log"
    others = [service.line(f"req-{number}", "x" * 200, number) for number in range(50)]
    written = [one for line in service.flushed() for one in (*others, line)]
    file.write_bytes(b"".join(written))
    small = run("show", file, "-r", "req-A"), run("top", file)
    monkeypatch.setattr("ctxlog.viewer.query.processes._LARGE", 1)
    monkeypatch.setattr("ctxlog.viewer.query.processes._PART", 4096)
    monkeypatch.setattr("ctxlog.viewer.query.processes._processors", lambda: 2)
    assert (run("show", file, "-r", "req-A"), run("top", file)) == small
    assert shown(small[0][1]) == IN_ORDER


STORES = {
    "clickhouse": "ClickHouse",
    "elastic": "Elasticsearch",
    "loki": "Loki",
    "vlogs": "VictoriaLogs",
}


@pytest.mark.parametrize("name", STORES)
@each_case
def test_a_store_has_the_same_order(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, case: str
) -> None:
    """Some give values back as texts, and lines in the order of time."""
    need("urllib3")
    monkeypatch.setattr("ctxlog.aggregators.loki.time.time", lambda: BEGIN + 3600)
    lines, file = Service(case=case).flushed(), tmp_path / "app.log"
    file.write_bytes(b"".join(lines))
    stub = importlib.import_module(f"tests.aggregators.{name}_stub")
    with serving(getattr(stub, STORES[name])(lines)) as server:
        address = f"{name}://127.0.0.1:{server.port}"
        for words in (("show", "-r", "req-A"), ("timeline", "-r", "req-A")):
            command, *rest = words
            expected = run(command, file, *rest)
            assert run(command, address, *rest) == expected
    assert "~ DEBUG" in expected[1]


def test_the_timeline(run: Run, tmp_path: Path) -> None:
    """It says the same of the request and of its lines; so does the page."""
    file, page = tmp_path / "app.log", tmp_path / "a.html"
    file.write_bytes(b"".join(Service().flushed()))
    header, *lines = run("timeline", file, "-r", "req-A")[1].splitlines()
    assert header.endswith("30.0 ms  sampled 1/10  2 buffered  12 lines dropped")
    assert [line.split("|")[2].split()[0] for line in lines if "~" in line] == [
        "5.0~",
        "15.0~",
    ]
    assert run("timeline", file, "-r", "req-A", "--html", page)[0] == 0
    text = page.read_text(encoding="utf-8")
    assert '["sampled 1/10","2 buffered","12 lines dropped"]' in text


# As they are written ----------------------------------------------------------------


def test_follow_prints_a_request_in_order(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was held back comes by its times; `--json` prints it as it was written."""
    written = b"".join(Service().flushed())

    def follow(*words: str) -> str:
        typed = io.TextIOWrapper(io.BytesIO(written))
        monkeypatch.setattr(sys, "stdin", typed)
        return run("follow", "-", "--errors", *words)[1]

    assert follow("--json").encode() == written
    messages = follow("--format", "{message}").splitlines()
    assert messages == [line.split(maxsplit=2)[2] for line in IN_ORDER]


def test_what_is_held_back_is_printed_in_order() -> None:
    """A traceback stays below its line."""
    lines = Service().flushed()
    lines.insert(1, b"Traceback\n")
    watch = Watch(Names(), [failing])
    released = [found for line in lines for found in in_order(watch.add("f", line))]
    texts = [
        found.record.message if found.record else found.line.decode()
        for found in released
    ]
    first = ["SELECT 1", "order received", "Traceback\n", "SELECT 2"]
    assert texts == [*first, "payment refused", "rollback", "GET"]


def test_follow_marks_lines_that_waited(tmp_path: Path) -> None:
    """And a line that says how many were left out says it as any other field."""
    service, printer = Service(), LinePrinter(Look())
    suppressed: dict[str, Any] = {SUPPRESSED: 48_213}
    limited = service.line("req-B", "slow", 1, **suppressed)
    texts = []
    for line in (*service.flushed(), limited):
        [record] = Record.read(line, Names())
        texts.append(printer.text(line, record))
    assert [text[12] for text in texts] == [" ", "~", "~", " ", " ", " ", " "]
    assert not any("buffered" in text for text in texts)
    assert "suppressed=48213" in texts[-1]


def test_lines_without_a_time_stay_as_they_came() -> None:
    """Nothing can be said about their order."""
    watch = Watch(Names(), [failing])
    lines = [
        Service().line("req-A", "two", 2),
        b'{"requestID":"req-A","message":"m"}\n',
        Service().line("req-A", "one", 1, 40),
    ]
    released = [
        found.line for line in lines for found in in_order(watch.add("f", line))
    ]
    assert released == lines


def test_a_slow_request_begins_with_its_earliest_line() -> None:
    """Which may come later than others."""
    service, watch = Service(), Watch(Names(), [], slow=0.5)
    assert watch.add("f", service.line("req-A", "two", 400)) == []
    assert watch.add("f", service.line("req-A", "one", 0, buffered=True)) == []
    assert len(watch.add("f", service.line("req-A", "three", 600))) == 3


# Groups -----------------------------------------------------------------------------


def test_a_group_counts_what_is_in_the_files(run: Run, tmp_path: Path) -> None:
    """Unless it is weighted: then a request of a sample counts as all of its kind."""
    service, file = Service(), tmp_path / "app.log"
    lines = [
        service.ended(f"req-{n}", 10, sampleRate=10, db={"count": 2, "ms": 1.0})
        for n in range(9)
    ]
    lines += [service.ended(f"bad-{n}", 500, status=503) for n in range(10)]
    file.write_bytes(b"".join(lines))
    _, plain, _ = run("top", file, "--by", "path")
    assert plain.splitlines()[1].split() == [
        "/",
        "19",
        "52.6%",
        "500.0",
        "500.0",
        "500.0",
        "0.9x",
        "0.5",
    ]
    _, weighted, _ = run("top", file, "--by", "path", "--weighted")
    assert weighted.splitlines()[1].split() == [
        "/",
        "100",
        "10.0%",
        "10.0",
        "500.0",
        "500.0",
        "1.8x",
        "0.9",
    ]


def test_weighted_is_about_groups(run: Run, tmp_path: Path) -> None:
    """Without any it is wrong use."""
    file = tmp_path / "app.log"
    file.write_bytes(Service().ended("req-A", 10))
    code, out, err = run("top", file, "--weighted")
    assert (code, out) == (2, "")
    assert "--by" in err


@each_schema
@each_case
def test_the_completion_line_weighs(schema: str, case: str) -> None:
    """Other lines, and those about calls, have a number for another reason."""
    service = Service(schema, case)
    rate: dict[str, Any] = {service.names.sample_rate: 10}
    call: dict[str, Any] = {
        service.names.duration: 99.0,
        "path": "/",
        "status": 200,
        **rate,
    }
    kept = [
        service.line("req-A", "m", 1, **rate),
        service.line("req-A", "GET", 2, logger="ctxlog.client", **call),
        service.ended("req-A", 10),
    ]
    sampled = [*kept[:2], service.ended("req-A", 10, **rate)]
    assert [row_of(lines).weight for lines in (kept, sampled)] == [1, 10]


def row_of(lines: list[bytes]) -> Row:
    """Return what lines say of their request."""
    row = Row("req-A")
    for line in lines:
        for record in Record.read(line, Names()):
            row.add(record)
    return row


@given(
    st.lists(st.tuples(st.integers(0, 50), st.sampled_from([None, 5, 10])), max_size=8),
    st.integers(0, 8),
)
def test_the_longest_completion_line_weighs(
    ends: list[tuple[int, int | None]], cut: int
) -> None:
    """However the lines are divided; a request takes longer than its tasks."""
    service = Service()
    lines = [
        service.ended("req-A", took, **({"sampleRate": rate} if rate else {}))
        for took, rate in ends
    ]
    row = row_of(lines[:cut])
    row.merge(row_of(lines[cut:]))
    longest = max((took for took, _ in ends), default=0)
    last = [rate or 1 for took, rate in ends if took == longest]
    assert row.weight == (last[-1] if last else 1)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 30),
            st.integers(1, 5),
            st.booleans(),
            st.integers(0, 3),
        ),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from([None, "duration", "errors", "lines", "db", "db.count"]),
)
def test_a_weight_is_as_many_requests(
    requests: list[tuple[int, int, bool, int]], order: str | None
) -> None:
    """A weighted table is that of each request so many times."""
    service = Service()

    def rows(times: Callable[[int], int]) -> list[Row]:
        found = []
        for took, weight, failed, count in requests:
            fields: dict[str, Any] = {"db": {"count": count, "ms": count * 1.5}}
            if weight > 1:
                fields["sampleRate"] = weight
            line = service.ended("req-A", took, 500 if failed else 200, **fields)
            found += [row_of([line]) for _ in range(times(weight))]
        return found

    weighted, repeated = Groups("status", weighted=True), Groups("status")
    for row in rows(lambda _: 1):
        weighted.add(row)
    for row in rows(lambda weight: weight):
        repeated.add(row)
    chosen = Order.of(order)
    tables = [table.first(chosen) for table in (weighted, repeated)]
    shown = [sorted(groups(found, "status", chosen)) for found in tables]
    assert shown[0] == shown[1]
