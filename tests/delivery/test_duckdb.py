"""
Lines read back from a DuckDB database: of 200 requests at once, one by its id.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ctxlog import aggregators
from ctxlog.aggregators import Condition, Question, RefusedError, UnavailableError
from ctxlog.line.vendors import SCHEMAS
from tests.aggregators.shop import BEGIN, QUESTIONS, lines_of
from tests.helpers import Run, need, run_python
from tests.viewer.serving import ids, listed, opened, serving, written

duckdb: Any = need("duckdb")


def database(folder: Path, lines: list[bytes]) -> tuple[Path, Path]:
    """Return a file of lines, and a database that was made of it as documented."""
    file, store = folder / "app.log", folder / "logs.db"
    file.write_bytes(b"".join(lines))
    with duckdb.connect(str(store)) as connection:
        connection.execute("SET enable_progress_bar = false")
        connection.execute(f"CREATE TABLE logs AS SELECT * FROM read_json('{file}')")
    return file, store


@pytest.fixture(scope="module", params=SCHEMAS)
def both(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """Return a file of 200 requests, and the address of a database with its lines."""
    folder = tmp_path_factory.mktemp("lines")
    file, store = database(folder, lines_of(request.param, 200))
    return file, f"duckdb:{store}"


def plain(text: str) -> list[Any]:
    """Return the objects of lines without their nulls, whatever their order."""
    return [json.loads(line) for line in text.split("\n") if line]


def test_one_request_of_200_is_found_by_its_id(
    run: Run, both: tuple[Path, str]
) -> None:
    """Its lines are those of the file, in every schema."""
    file, address = both
    for number in (0, 7, 13, 199):
        words = ("-r", f'req-{number:03} "', "--json")
        code, out, err = run("show", address, *words)
        assert (code, err) == (0, "")
        assert plain(out) == plain(run("show", file, *words)[1])
        assert len(plain(out)) == 2 + (number % 5 >= 3)


@pytest.mark.parametrize("both", ["default", "otel"], indirect=True)
@pytest.mark.parametrize("question", QUESTIONS, ids=" ".join)
def test_a_database_answers_as_a_file_does(
    run: Run, both: tuple[Path, str], question: tuple[str, ...]
) -> None:
    """The same words find the same, whatever can be asked by SQL."""
    file, address = both
    command, *words = question
    code, expected, said = run(command, file, *words)
    again, found, complaint = run(command, address, *words)
    assert again == code
    # Of a file it is said, too, what it has instead.
    assert complaint.rstrip() == said.partition(";")[0].rstrip()
    # The order of the fields of a line is that of the table's columns.
    assert "--json" in words or words_of(found) == words_of(expected)
    together = run(command, address, file, *words)[1]
    assert "--json" in words or words_of(together) == words_of(expected)


def words_of(text: str) -> list[list[str]]:
    """Return the words of each line, sorted in those that have fields."""
    lines = [line.split() for line in text.split("\n")]
    return [sorted(line) if line and line[0][0] == "+" else line for line in lines]


def asked(store: Path, *conditions: Condition, **more: Any) -> list[Any]:
    """Return the objects of the lines for which conditions may hold."""
    reader = aggregators.reader(f"duckdb:{store}")
    return [json.loads(line) for line in reader.lines(Question(conditions, **more))]


def test_no_value_is_more_than_a_value(tmp_path: Path) -> None:
    """Values are parameters: quotes, comments and wildcards find what has them."""
    hostile = st.text(st.sampled_from("'\"\\;%_$-/*?ab \n\t\u2028é\ud800")) | st.text()
    store = tmp_path / "logs.db"

    @given(hostile, hostile)
    @example("' OR true --", "x")
    @example("$p1", "$p0")
    @example("%", "_")
    def check(value: str, other: str) -> None:
        wanted, missed = (
            text.encode("utf-8", "replace").decode() for text in (value, other)
        )
        store.unlink(missing_ok=True)
        with duckdb.connect(str(store)) as connection:
            connection.execute("CREATE TABLE logs (requestID VARCHAR, time TIMESTAMP)")
            connection.executemany(
                "INSERT INTO logs VALUES (?, NULL)", [(wanted,), (missed,), ("x y",)]
            )
        there = [wanted, missed, "x y"]
        for operator, holds in (
            ("in", lambda text: text == wanted),
            ("begins", lambda text: text.startswith(wanted)),
            ("contains", lambda text: wanted in text),
        ):
            condition = Condition("request", operator, (value,), ("requestID",))
            found = [one["requestID"] for one in asked(store, condition)]
            assert found == [text for text in there if holds(text)]

    check()


def test_names_of_columns_and_tables_are_quoted(tmp_path: Path) -> None:
    """A quote in a name is a part of it."""
    store = tmp_path / "logs.db"
    with duckdb.connect(str(store)) as connection:
        connection.execute(
            'CREATE TABLE "lo""gs; --" ("a""b" STRUCT("c\'d" VARCHAR), "time" VARCHAR)'
        )
        connection.execute("INSERT INTO \"lo\"\"gs; --\" VALUES ({'c''d': 'x'}, 't')")
    name = "a\"b.c'd"
    assert asked(store, Condition(name, "in", ("x",), (name,))) == [
        {'a"b': {"c'd": "x"}, "time": "t"}
    ]
    assert asked(store, Condition(name, "in", ("y",), (name,))) == []


def test_order_and_limit(tmp_path: Path) -> None:
    """The newest or the oldest lines come first, of all tables of lines."""
    lines = lines_of("default", 20)
    _, store = database(tmp_path, lines)
    times = [json.loads(line)["timestamp"] for line in lines]
    newest = asked(store, limit=3, order="newest")
    assert [one["timestamp"] for one in newest] == times[:-4:-1]
    oldest = asked(store, limit=3, order="oldest", since=BEGIN + 1)
    assert [one["timestamp"] for one in oldest] == times[20:23]
    with duckdb.connect(str(store)) as connection:
        connection.execute("CREATE TABLE other AS SELECT 1 AS unrelated")
        connection.execute("CREATE TABLE more AS SELECT * FROM logs LIMIT 2")
    assert len(asked(store)) == len(lines) + 2
    assert len(asked(store, limit=len(lines) + 1)) == len(lines) + 1
    reader = aggregators.reader(f"duckdb:{store}?table=more")
    assert len(list(reader.lines(Question()))) == 2


def test_times_are_read_as_they_are_stored(tmp_path: Path) -> None:
    """Timestamps of each kind, and numbers of each scale."""
    for kind, value in (
        ("TIMESTAMP", "make_timestamp(1795858237250000)"),
        ("TIMESTAMPTZ", "to_timestamp(1795858237.25)"),
        ("TIMESTAMP_NS", "make_timestamp(1795858237250000)"),
        ("DOUBLE", "1795858237.25"),
        ("BIGINT", "1795858237250"),
        ("BIGINT", "1795858237250000"),
        ("BIGINT", "1795858237250000000"),
    ):
        store = tmp_path / "logs.db"
        store.unlink(missing_ok=True)
        with duckdb.connect(str(store)) as connection:
            connection.execute(f"CREATE TABLE logs AS SELECT {value}::{kind} AS time")
        assert len(asked(store, since=BEGIN, until=BEGIN)) == 1, kind
        assert not asked(store, since=BEGIN + 1), kind
        (line,) = asked(store)
        if kind.startswith("TIME"):
            assert line["time"].startswith("2026-11-28T09:30:37.250000"), kind
            assert line["time"].endswith("Z")


def test_lines_that_were_kept_come_as_they_were(tmp_path: Path) -> None:
    """A column `_line` has them, here of read_json_objects()."""
    lines = [b'{"requestID": "req-A", "b": null}\n', b'{"requestID": "req-B"}\n']
    file, store = tmp_path / "app.log", tmp_path / "logs.db"
    file.write_bytes(b"".join(lines))
    with duckdb.connect(str(store)) as connection:
        connection.execute(
            "CREATE TABLE kept AS SELECT json::VARCHAR AS _line "
            f"FROM read_json_objects('{file}')"
        )
    reader = aggregators.reader(f"duckdb:{store}?table=kept")
    assert list(reader.lines(Question())) == lines
    one = Condition("request", "in", ("req-A",), ("requestID",))
    assert list(reader.lines(Question((one,)))) == lines[:1]
    text = Condition("text", "contains", ('"b": null',))
    assert list(reader.lines(Question((text,)))) == lines[:1]
    assert list(aggregators.reader(f"duckdb:{store}").lines(Question())) == lines


def test_what_is_missing_is_one_sentence(run: Run, tmp_path: Path) -> None:
    """A file, a database, a table, a table of lines, an option: each is said."""
    _, store = database(tmp_path, lines_of("default", 1))
    empty, other = tmp_path / "empty.db", tmp_path / "other.db"
    with duckdb.connect(str(empty)):
        pass
    with duckdb.connect(str(other)) as connection:
        connection.execute("CREATE TABLE users AS SELECT 1 AS id")
    for address, said in (
        (f"{tmp_path}/none.db", "there is no such file"),
        (str(tmp_path / "app.log"), "not a valid DuckDB database file"),
        (f"{store}?table=none", "Table with name none does not exist"),
        (f"{store}?tables=none", "duckdb:FILE?table=NAME"),
        (f"{store}?", "duckdb:FILE?table=NAME"),
        ("", "duckdb:FILE?table=NAME"),
        (str(empty), "no table of lines, such as read_json() makes; tables: none"),
        (str(other), "no table of lines, such as read_json() makes; tables: users"),
    ):
        for command in ("show", "follow"):
            code, out, err = run(command, f"duckdb:{address}")
            assert (code, out) == (2, ""), address
            assert said in err
            assert err.count("\n") == 1


def test_nothing_is_drawn_beside_the_lines(tmp_path: Path) -> None:
    """DuckDB draws a progress bar on standard output in a shell."""
    # It takes a program without a file, as this one, for a shell.
    lines = [b'{"timestamp":"2026-01-31T12:00:00Z","message":"paid"}\n']
    _, store = database(tmp_path, lines)
    source = f"""
import duckdb
from ctxlog.aggregators import reader

SETTING = "SELECT current_setting('enable_progress_bar')"
assert duckdb.connect().execute(SETTING).fetchall() == [(True,)]
with reader("duckdb:{store}")._connected() as connection:
    print(connection.execute(SETTING).fetchall())
"""
    assert run_python("-c", source, cwd=tmp_path).stdout == "[(False,)]\n"


def test_a_database_is_only_read(tmp_path: Path) -> None:
    """Reading leaves the file's bytes as they are."""
    _, store = database(tmp_path, lines_of("default", 1))
    before = store.read_bytes()
    assert asked(store)
    assert store.read_bytes() == before
    with pytest.raises(UnavailableError):
        asked(tmp_path / "none.db")
    with pytest.raises(RefusedError):
        list(aggregators.reader(f"duckdb:{store}?table=x").lines(Question()))
    assert not (tmp_path / "none.db").exists()


def test_the_page_has_a_database_as_a_store(tmp_path: Path) -> None:
    """The requests of DuckDB's file are listed, searched and opened."""
    need("starlette", "uvicorn")
    _, store = database(tmp_path, written(tmp_path).read_bytes().splitlines(True))
    with serving([f"duckdb:{store}"]) as address:
        assert listed(address)["matched"] == 50
        assert ids(listed(address, grep="order 17 received")) == ["req-17"]
        head, lines = opened(address, id="req-09")
        assert (head["status"], len(lines)) == ("503", 2)
