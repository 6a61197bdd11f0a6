"""
The statements of SQLAlchemy's engines: counted, timed, and logged if they are slow.
"""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import ctxlog
from ctxlog import config
from ctxlog.context import Store
from ctxlog.context.adapter import Entry, take_totals
from tests.helpers import LIMIT, LogEnvironment, need

sqlalchemy = need("sqlalchemy")
orm = need("sqlalchemy.orm")
adapter = need("ctxlog.clients.sqlalchemy")

text: Callable[[str], Any] = sqlalchemy.text


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Any]:
    """
    An engine on a file, with a table `t` of one column, and nothing installed.
    """
    made = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'db'}")
    with made.begin() as connection:
        connection.execute(text("CREATE TABLE t (a INTEGER, note TEXT)"))
    yield made
    adapter.uninstall(made)
    made.dispose()


@pytest.fixture
def lines(log_env: LogEnvironment) -> Iterator[LogEnvironment]:
    """
    All that is logged, as lines.
    """
    config.configure(format="json", stream=log_env.stream)
    yield log_env
    config.unconfigure()


def totals_of(fn: Callable[[], object]) -> dict[str, Any]:
    """
    What the completion line of a request shows that calls *fn*.
    """
    with Entry(Store()) as store:
        fn()
        return take_totals(store)


def select(engine: Any, count: int = 1) -> None:
    with engine.connect() as connection:
        for number in range(count):
            connection.execute(text("SELECT :n"), {"n": number})


def test_statements_of_a_request_are_counted_and_timed(engine: Any) -> None:
    """
    The request's totals have the number of statements and their time.
    """
    adapter.install(engine)
    totals = totals_of(lambda: select(engine, 7))
    assert totals["db"]["count"] == 7
    assert totals["db"]["ms"] > 0
    assert list(totals) == ["db"]


def test_outside_of_a_request_statements_run_as_without(engine: Any) -> None:
    """
    Nothing is counted, and nothing is logged.
    """
    adapter.install(engine)
    select(engine)
    ctxlog.run({"requestID": "req-A"}, select, engine)
    assert totals_of(lambda: None) == {}


def test_many_rows_are_one_statement(engine: Any) -> None:
    """
    `executemany` of the driver counts once.
    """
    adapter.install(engine)

    def insert() -> None:
        with engine.begin() as connection:
            rows = [{"a": 1}, {"a": 2}, {"a": 3}]
            connection.execute(text("INSERT INTO t (a) VALUES (:a)"), rows)

    assert totals_of(insert)["db"]["count"] == 1


def test_a_statement_that_fails_is_counted(engine: Any) -> None:
    """
    The error goes on; the next statement of the connection counts as before.
    """
    adapter.install(engine)

    def fail() -> None:
        with engine.connect() as connection:
            with pytest.raises(sqlalchemy.exc.OperationalError, match="no such table"):
                connection.execute(text("SELECT * FROM missing"))
            connection.execute(text("SELECT 1"))

    assert totals_of(fail)["db"]["count"] == 2


def test_installing_again_replaces_the_option(
    engine: Any, lines: LogEnvironment
) -> None:
    """
    Each statement counts once, and the last option holds.
    """
    adapter.install(engine)
    adapter.install(engine, slow_queries=0)
    assert totals_of(lambda: select(engine))["db"]["count"] == 1
    assert len(lines.lines()) == 1
    adapter.install(engine)
    assert totals_of(lambda: select(engine))["db"]["count"] == 1
    assert len(lines.lines()) == 1


def test_uninstall_takes_it_away(engine: Any) -> None:
    """
    Also from connections that are open; without `install()` it is a no-op.
    """
    adapter.uninstall(engine)
    adapter.install(engine)
    with engine.connect() as connection:
        adapter.uninstall(engine)
        adapter.uninstall(engine)
        assert totals_of(lambda: connection.execute(text("SELECT 1"))) == {}


def test_engines_are_apart(engine: Any, tmp_path: Path) -> None:
    """
    Two engines add to one total; one that is not installed adds nothing.
    """
    other = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'other'}")
    adapter.install(engine)

    def both() -> None:
        select(engine)
        select(other, 2)

    assert totals_of(both)["db"]["count"] == 1
    adapter.install(other)
    assert totals_of(both)["db"]["count"] == 3
    adapter.uninstall(engine)
    assert totals_of(both)["db"]["count"] == 2
    adapter.uninstall(other)
    other.dispose()


def test_engines_with_options_of_their_own_are_covered(engine: Any) -> None:
    """
    A statement counts once, also if the engine with options is installed as well.
    """
    derived = engine.execution_options(isolation_level="AUTOCOMMIT")
    adapter.install(engine)
    assert totals_of(lambda: select(derived))["db"]["count"] == 1
    adapter.install(derived)
    assert totals_of(lambda: select(derived))["db"]["count"] == 1
    adapter.uninstall(derived)
    assert totals_of(lambda: select(derived))["db"]["count"] == 1


def test_an_engine_that_is_dropped_is_not_kept() -> None:
    """
    `install()` holds no engine.
    """
    made = sqlalchemy.create_engine("sqlite://")
    adapter.install(made)
    select(made)
    made.dispose()
    known = weakref.ref(made)
    del made
    gc.collect()
    assert known() is None


def test_threads_and_scoped_sessions_count_exactly(engine: Any) -> None:
    """
    Each statement of 8 threads of a request is in its total.
    """
    adapter.install(engine)
    session = orm.scoped_session(orm.sessionmaker(engine))
    barrier = threading.Barrier(8)

    def work() -> None:
        barrier.wait(LIMIT)
        for _ in range(25):
            session.execute(text("SELECT 1"))
        session.remove()

    def request() -> None:
        threads = [threading.Thread(target=ctxlog.wrap(work)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert totals_of(request)["db"]["count"] == 200


def test_async_engines_count_for_the_task_that_asks(tmp_path: Path) -> None:
    """
    Requests at once, each with statements of several tasks; one is cancelled.
    """
    need("aiosqlite")
    extension = need("sqlalchemy.ext.asyncio")

    async def main() -> list[Any]:
        engine = extension.create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'db'}")
        adapter.install(engine)

        async def ask() -> None:
            async with extension.AsyncSession(engine) as session:
                await session.execute(text("SELECT 1"))

        async def request(count: int) -> Any:
            with Entry(Store()) as store:
                await asyncio.gather(*(ask() for _ in range(count)))
                return take_totals(store)

        totals = await asyncio.gather(request(1), request(2), request(5))
        asked, done = threading.Event(), threading.Event()

        def wait() -> int:
            asked.set()
            return int(done.wait(LIMIT))

        with Entry(Store()) as store:
            async with engine.connect() as connection:
                raw: Any = (await connection.get_raw_connection()).driver_connection
                await raw.create_function("wait", 0, wait)
                task = asyncio.create_task(connection.execute(text("SELECT wait()")))
                assert await asyncio.to_thread(asked.wait, LIMIT)
                task.cancel()
                done.set()
                with pytest.raises(asyncio.CancelledError):
                    await task
            totals.append(take_totals(store))
        await engine.dispose()
        adapter.uninstall(engine)
        return totals

    counts = [one["db"]["count"] for one in asyncio.run(main())]
    assert counts == [1, 2, 5, 1]


def test_a_statement_under_way_counts_when_the_request_completes(engine: Any) -> None:
    """
    The completion line of a request that was given up says what it waited for.
    """
    adapter.install(engine)
    asked, done = threading.Event(), threading.Event()

    @sqlalchemy.event.listens_for(engine, "connect")
    def connected(connection: Any, record: Any) -> None:
        def wait() -> int:
            asked.set()
            assert done.wait(LIMIT)
            return 1

        connection.create_function("wait", 0, wait)

    def work() -> None:
        with engine.connect() as connection:
            assert connection.execute(text("SELECT wait()")).scalar() == 1

    engine.dispose()
    with Entry(Store()) as store:
        thread = threading.Thread(target=ctxlog.wrap(work))
        thread.start()
        assert asked.wait(LIMIT)
        totals: Any = take_totals(store)
        done.set()
        thread.join()
    assert totals["db"]["count"] == 1


def test_slow_statements_have_a_line(engine: Any, lines: LogEnvironment) -> None:
    """
    With text and time, in the request, without values: no parameters and no literals.
    """
    adapter.install(engine, slow_queries=0)

    def ask() -> None:
        with engine.connect() as connection:
            statement = "SELECT note FROM t WHERE note = 'SECRET' AND a = :a -- SECRET"
            connection.execute(text(statement), {"a": "SECRET"})

    ctxlog.run({"requestID": "req-A"}, ask)
    line = lines.load_json()
    assert (line["level"], line["logger"]) == ("WARNING", "ctxlog.db")
    assert (line["message"], line["requestID"]) == ("slow query", "req-A")
    statement = "SELECT note FROM t WHERE note = ? AND a = ?"
    assert line["db"] == {"system": "sqlite", "statement": statement}
    assert line["durationMs"] >= 0
    assert "SECRET" not in lines.text()


def test_a_slow_statement_that_fails_has_a_line(
    engine: Any, lines: LogEnvironment
) -> None:
    """
    A statement that was refused, or timed out, is slow as well.
    """
    adapter.install(engine, slow_queries=0)
    with (
        engine.connect() as connection,
        pytest.raises(sqlalchemy.exc.OperationalError),
    ):
        connection.execute(text("SELECT 'SECRET' FROM missing"))
    assert lines.load_json()["db"]["statement"] == "SELECT ? FROM missing"


def test_quick_statements_have_no_line(engine: Any, lines: LogEnvironment) -> None:
    """
    The limit is in seconds.
    """
    adapter.install(engine, slow_queries=3600)
    select(engine)
    assert lines.lines() == []


def test_listeners_of_others_stay(engine: Any) -> None:
    """
    They see what they saw, and may change a statement.
    """
    seen: list[str] = []

    def comment(
        connection: Any, cursor: Any, statement: str, parameters: Any, *more: Any
    ) -> Any:
        return f"{statement} -- traced", parameters

    def note(connection: Any, cursor: Any, statement: str, *more: Any) -> None:
        seen.append(statement)

    sqlalchemy.event.listen(engine, "before_cursor_execute", comment, retval=True)
    adapter.install(engine)
    sqlalchemy.event.listen(engine, "after_cursor_execute", note)
    assert totals_of(lambda: select(engine))["db"]["count"] == 1
    assert seen == ["SELECT ? -- traced"]
    adapter.uninstall(engine)
    select(engine)
    assert len(seen) == 2


@pytest.mark.parametrize("what", [5, None, "sqlite://"])
def test_what_is_no_engine_is_refused(what: Any) -> None:
    """
    The error says what `install()` takes, and what it was given.
    """
    for function in (adapter.install, adapter.uninstall):
        with pytest.raises(TypeError, match=rf"takes an Engine .*, not {what!r}"):
            function(what)


@pytest.mark.parametrize("wrong", [-1, True, "1", float("inf"), float("nan")])
def test_a_wrong_option_is_refused(engine: Any, wrong: Any) -> None:
    """
    Nothing is installed then.
    """
    with pytest.raises(ctxlog.ConfigError, match="slow_queries"):
        adapter.install(engine, slow_queries=wrong)
    assert totals_of(lambda: select(engine)) == {}


@pytest.mark.real_server
def test_a_query_for_each_row_is_seen_at_a_glance(
    tmp_path: Path, lines: LogEnvironment
) -> None:
    """
    An endpoint that asks for the customer of each of 211 orders has 212 queries.
    """
    fastapi, uvicorn = need("fastapi"), need("uvicorn")
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'shop'}")
    adapter.install(engine)
    Base = orm.declarative_base()

    class Customer(Base):  # type: ignore[misc, valid-type]
        __tablename__ = "customers"
        id = orm.mapped_column(sqlalchemy.Integer, primary_key=True)

    class Order(Base):  # type: ignore[misc, valid-type]
        __tablename__ = "orders"
        id = orm.mapped_column(sqlalchemy.Integer, primary_key=True)
        customer_id = orm.mapped_column(sqlalchemy.ForeignKey(Customer.id))
        customer = orm.relationship(Customer)

    Base.metadata.create_all(engine)
    with orm.Session(engine) as session:
        session.add_all(Order(customer=Customer()) for _ in range(211))
        session.commit()

    app = fastapi.FastAPI()
    ctxlog.servers.asgi.install(app)

    def orders() -> int:
        with orm.Session(engine) as session:
            return sum(bool(one.customer.id) for one in session.query(Order))

    app.get("/orders")(orders)
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    with socket.create_connection(listener.getsockname(), timeout=LIMIT) as client:
        client.sendall(b"GET /orders HTTP/1.0\r\n\r\n")
        answer = b"".join(iter(lambda: client.recv(4096), b""))
    server.should_exit = True
    thread.join()
    listener.close()
    engine.dispose()
    assert json.loads(answer.rpartition(b"\r\n")[2]) == 211
    (line,) = (one for one in lines.load_all() if one["logger"] == "ctxlog.request")
    assert line["route"] == "/orders"
    assert line["db"]["count"] == 212
