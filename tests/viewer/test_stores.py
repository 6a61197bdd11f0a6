"""
`ctxlog show`, `top`, `timeline` and `follow` on stores, as on files.

Each store is a stub that evaluates what it is asked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest

from tests.aggregators.clickhouse_stub import ClickHouse
from tests.aggregators.elastic_stub import Elasticsearch
from tests.aggregators.loki_stub import Loki
from tests.aggregators.shop import BEGIN, QUESTIONS, lines_of
from tests.aggregators.vlogs_stub import VictoriaLogs
from tests.aggregators.web import Answer, serving
from tests.helpers import Run, need

need("urllib3")


STORES = {
    "clickhouse": ClickHouse,
    "elastic": Elasticsearch,
    "loki": Loki,
    "vlogs": VictoriaLogs,
}


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loki is asked for the last thirty days."""
    monkeypatch.setattr("ctxlog.aggregators.loki.time.time", lambda: BEGIN + 3600)


# Elasticsearch gets OpenTelemetry's lines under other names: it would index the others
# as lists.
PAIRS = [(name, "default") for name in STORES] + [
    ("clickhouse", "otel"),
    ("elastic", "ecs"),
    ("elastic", "logstash"),
    ("loki", "otel"),
    ("vlogs", "datadog"),
    ("vlogs", "gcp"),
    ("vlogs", "logstash"),
    ("vlogs", "otel"),
]


@pytest.fixture(scope="module", params=PAIRS, ids="-".join)
def both(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, str]]:
    """Yield a file, and the address of a store that has the same lines."""
    name, schema = request.param
    lines = lines_of(schema)
    file = tmp_path_factory.mktemp("lines") / "app.log"
    file.write_bytes(b"".join(lines))
    with serving(STORES[name](lines)) as server:
        yield file, f"{name}://127.0.0.1:{server.port}"


@pytest.mark.parametrize("question", QUESTIONS, ids=" ".join)
def test_a_store_answers_as_a_file_does(
    run: Run, both: tuple[Path, str], question: tuple[str, ...]
) -> None:
    """The same words print the same, whatever the store can be asked."""
    file, address = both
    command, *words = question
    expected = run(command, file, *words)
    found = run(command, address, *words)
    assert found[:2] == expected[:2]
    # Of a file it is said, too, what it has instead.
    assert found[2].rstrip() == expected[2].partition(";")[0].rstrip()
    assert run(command, address, file, *words)[1] == expected[1]


def test_the_question_is_explained(run: Run, both: tuple[Path, str]) -> None:
    """The queries are printed, and no line."""
    _, address = both
    for command in ("show", "follow", "timeline"):
        code, out, err = run(command, address, "-r", "req-007", "--explain")
        assert (code, err) == (0, "")
        assert out.startswith(f"{address}:\n\n")
        assert "order received" not in out


@pytest.mark.parametrize("trace", ["traceID", "trace_id"])
@pytest.mark.parametrize("name", STORES)
def test_a_tree_is_joined(run: Run, tmp_path: Path, name: str, trace: str) -> None:
    """Requests of one trace are found by its id, in both spellings of its field."""
    log = tmp_path / "app.log"
    with log.open("w", encoding="utf-8") as file:
        for number, (request, said) in enumerate(zip("ABC", "112", strict=True)):
            time = datetime.fromtimestamp(BEGIN + number, timezone.utc).isoformat()
            fields = {"timestamp": time, "level": "INFO", "message": f"step {number}"}
            fields |= {
                "requestID": f"req-{request}",
                trace: f"t-{said}",
                "service": "a",
            }
            file.write(json.dumps(fields) + "\n")
    lines = log.read_bytes().splitlines(keepends=True)
    with serving(STORES[name](lines)) as server:
        found = run("tree", f"{name}://127.0.0.1:{server.port}", "-r", "req-A")
    assert found == run("tree", log, "-r", "req-A")
    assert "step 1" in found[1]


# What goes wrong -------------------------------------------------------------------

COMMANDS = [
    ("show", "-r", "req-007"),
    ("show",),
    ("top",),
    ("timeline", "-r", "r"),
    ("follow",),
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("name", STORES)
def test_a_dead_store_is_one_sentence(
    run: Run, name: str, words: tuple[str, ...]
) -> None:
    """The exit code is 2, and the name of the store is said, without a traceback."""
    with serving() as gone:
        address = f"{name}://127.0.0.1:{gone.port}"
    code, out, err = run(words[0], address, *words[1:])
    assert code == 2
    assert out.count("\n") == (words[0] == "top")  # the names of its columns
    assert err == f"ctxlog {words[0]}: {address}: Connection refused\n"


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("name", STORES)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 503])
def test_a_refusal_is_one_sentence(
    run: Run,
    name: str,
    words: tuple[str, ...],
    status: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The store's words are said, the credential is not."""
    monkeypatch.setenv("STORE_AUTH", "Basic c2VjcmV0")
    with serving() as server:
        server.usual = Answer(status, b"no such user\n")
        address = f"{name}://127.0.0.1:{server.port}"
        credential = "?header=Authorization:$STORE_AUTH"
        code, out, err = run(words[0], address + credential, *words[1:])
    assert server.requests[0].headers["Authorization"] == "Basic c2VjcmV0"
    assert (code, out.count("\n")) == (2, words[0] == "top")
    said = f"ctxlog {words[0]}: {address}: it answers {status}: no such user\n"
    assert err == said


@pytest.mark.parametrize("name", STORES)
@pytest.mark.parametrize("body", [b"<html>", b'{"status":', b"[1]", b"{}", b"null"])
def test_an_answer_that_is_none_is_no_traceback(
    run: Run, name: str, body: bytes
) -> None:
    """Something that is no such store, or breaks off, is a sentence or has nothing."""
    with serving() as server:
        server.usual = Answer(200, body)
        code, out, err = run("show", f"{name}://127.0.0.1:{server.port}", "--errors")
    assert (code, out) in ((2, ""), (1, ""))
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("unknown://logs", "invalid value for address: 'unknown:' (expected one of "),
        ("vlogs://user:secret@logs", "no user and password in it"),
        ("vlogs://logs?header=Authorization:secret", "environment variable"),
        ("vlogs://logs?header=Authorization:$NOT_SET_HERE", "NOT_SET_HERE"),
        ("vlogs://logs?table=1", "one of the options"),
    ],
)
def test_a_wrong_address_is_one_sentence(run: Run, address: str, said: str) -> None:
    """The exit code is 2, and no secret is said."""
    for command in ("show", "top", "follow"):
        code, out, err = run(command, address)
        assert (code, out) == (2, "")
        assert err.startswith(f"ctxlog {command}: ")
        assert err.count("\n") == 1
        assert said in err
        assert "secret" not in err


def test_a_part_of_an_answer_is_not_all(run: Run, tmp_path: Path) -> None:
    """A store that fails beside a file is said, and the exit code is 2."""
    file = tmp_path / "app.log"
    file.write_bytes(b"".join(lines_of("default", 1)))
    with serving() as gone:
        address = f"vlogs://127.0.0.1:{gone.port}"
    code, out, err = run("show", file, address)
    assert code == 2
    assert "order received" in out
    assert err == f"ctxlog show: {address}: Connection refused\n"


# The same line ---------------------------------------------------------------------


def test_a_line_that_was_stored_twice_counts_once(run: Run, tmp_path: Path) -> None:
    """A batch whose answer was lost has been sent again."""
    lines = lines_of("default", 3)
    file = tmp_path / "app.log"
    file.write_bytes(b"".join(lines))
    with serving(VictoriaLogs(lines + lines)) as server:
        address = f"vlogs://127.0.0.1:{server.port}"
        assert run("top", address) == run("top", file)
        assert run("show", address) == run("show", file)


def test_a_line_that_a_file_has_twice_is_shown_twice(run: Run, tmp_path: Path) -> None:
    """A program may write the same line again; the store's copies add none."""
    lines = lines_of("default", 1)
    file = tmp_path / "app.log"
    file.write_bytes(b"".join(lines + lines))
    with serving(VictoriaLogs(lines + lines)) as server:
        address = f"vlogs://127.0.0.1:{server.port}"
        for order in ((file, address), (address, file)):
            assert run("top", *order)[1] == run("top", file)[1]


@pytest.mark.parametrize("schema", ["default", "ecs", "gcp", "datadog", "logstash"])
def test_a_rebuilt_line_is_the_same_as_the_files(
    run: Run, tmp_path: Path, schema: str
) -> None:
    """A store that took the line apart, and kept texts only, adds no line."""
    lines = lines_of(schema, 5)
    file = tmp_path / "app.log"
    file.write_bytes(b"".join(lines))
    with serving(VictoriaLogs(lines, kept=False)) as server:
        address = f"vlogs://127.0.0.1:{server.port}"
        assert run("show", file, address) == run("show", file)
        found, alone = run("show", address)[1], run("show", file)[1]
        assert len(found.splitlines()) == len(alone.splitlines())


# Following -------------------------------------------------------------------------


def test_a_store_is_followed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes later is printed once, of the requests that are asked for."""
    lines = lines_of("default", 3)
    stub = VictoriaLogs(lines[:2])
    looks = iter([lines[2:5], [], lines[5:]])
    clock = [BEGIN]

    def wait(_seconds: float) -> bool:
        clock[0] += 2.0
        added = next(looks, None)
        if added is None:
            raise KeyboardInterrupt
        stub.rows += VictoriaLogs(added).rows
        return False

    monkeypatch.setattr("time.time", lambda: clock[0])
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    monkeypatch.setattr("ctxlog.viewer.read.tail._pause.wait", wait)
    with serving(stub) as server:
        address = f"vlogs://127.0.0.1:{server.port}"
        code, out, err = run("follow", address, "--json", "-r", "req-001")
    assert (code, err) == (130, "")
    expected = [line.decode() for line in lines[2:] if b"req-001" in line]
    assert out == "".join(expected)
    assert json.loads(expected[0])["requestID"] == 'req-001 "\\'


def test_following_goes_on_after_an_outage(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The outage is said once, and what was written meanwhile is printed."""
    lines = lines_of("default", 1)
    stub = VictoriaLogs([])
    clock = [BEGIN]
    steps: Iterator[Callable[[], object]] = iter(
        [
            lambda: stub.answers.extend([Answer(503), Answer(503)]),
            lambda: None,
            lambda: stub.rows.extend(VictoriaLogs(lines).rows),
        ]
    )

    def wait(_seconds: float) -> bool:
        clock[0] += 2.0
        step = next(steps, None)
        if step is None:
            raise KeyboardInterrupt
        step()
        return False

    monkeypatch.setattr("time.time", lambda: clock[0])
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    monkeypatch.setattr("ctxlog.viewer.read.tail._pause.wait", wait)
    with serving(stub) as server:
        address = f"vlogs://127.0.0.1:{server.port}"
        code, out, err = run("follow", address, "--json")
    assert code == 130
    assert out == b"".join(lines).decode()
    assert err == f"ctxlog follow: {address}: it answers 503; it is asked again\n"
