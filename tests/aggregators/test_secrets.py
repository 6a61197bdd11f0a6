"""
Credentials of environment variables: nothing that is said or shown repeats them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from ctxlog import sinks
from ctxlog.aggregators import (
    Question,
    RefusedError,
    UnavailableError,
    reader,
    receiver,
)
from ctxlog.aggregators._address import parse
from ctxlog.sinks._ship import Ship
from tests.aggregators.web import Answer, Request, Store, serving
from tests.helpers import need

need("urllib3")
SECRET = "s3cret-word"
LINE = b'{"message":"a"}\n'
HTTP = ["clickhouse", "elastic", "loki", "otlp", "vlogs"]
READ = ["clickhouse", "elastic", "loki", "vlogs"]
#: Those with options of their own, and the library that each needs.
CLIENTS = {
    "kafka": ("confluent_kafka", "user=u&password=$WORD"),
    "nats": ("nats", "token=$WORD"),
    "redis": ("redis", "user=u&password=$WORD"),
}


class Echo(Store):
    """A server that repeats the headers that it was sent."""

    status = 401

    def answer_to(self, request: Request) -> Answer | str:
        super().answer_to(request)
        return Answer(self.status, repr(request.headers).encode())


@pytest.fixture(autouse=True)
def _word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORD", SECRET)
    monkeypatch.setenv("AUTH", f"Basic {SECRET}")


@pytest.fixture
def echo() -> Iterator[Echo]:
    """Such a server."""
    with serving(Echo()) as store:
        assert isinstance(store, Echo)
        yield store


def _shown(one: object) -> str:
    return f"{one!r} {one}"


@pytest.mark.parametrize("status", [400, 401, 429, 503])
@pytest.mark.parametrize("scheme", HTTP)
def test_what_a_store_repeats(echo: Echo, scheme: str, status: int) -> None:
    """An answer with the header in it is shown without the header's value."""
    echo.status = status
    header = "header=Authorization:$AUTH&header=X-Api-Key:$WORD"
    address = f"{scheme}://127.0.0.1:{echo.port}/logs?{header}"
    sink = Ship(address)
    assert SECRET not in _shown(sink) + sink.name + repr(sink.stats())
    with contextlib.closing(receiver(address)) as one:
        with pytest.raises((RefusedError, UnavailableError)) as raised:
            one.send([LINE], 30)
        assert SECRET not in _shown(one) + one.name + _shown(raised.value)
    assert str(status) in str(raised.value)
    assert echo.requests[0].headers["X-Api-Key"] == SECRET
    assert SECRET not in _shown(parse(address))


@pytest.mark.parametrize("scheme", READ)
def test_what_is_asked(echo: Echo, scheme: str) -> None:
    """Neither the question that is printed nor an error has the value."""
    address = f"{scheme}://127.0.0.1:{echo.port}/logs?header=Authorization:$AUTH"
    with contextlib.closing(reader(address)) as one:
        with pytest.raises((RefusedError, UnavailableError)) as raised:
            list(one.lines(Question()))
        assert SECRET not in _shown(one) + one.name + _shown(raised.value)
        with contextlib.suppress(RefusedError, UnavailableError):
            assert SECRET not in one.explain(Question())
    assert echo.requests


@pytest.mark.parametrize("scheme", CLIENTS)
def test_clients_of_streams(scheme: str) -> None:
    """Nothing that a client says of a broker that is away has the value."""
    library, options = CLIENTS[scheme]
    need(library)
    sink = sinks.sink(f"{scheme}://127.0.0.1:1/logs?{options}&timeout=1")
    assert SECRET not in _shown(sink) + sink.name
    with contextlib.closing(
        receiver(f"{scheme}://127.0.0.1:1/logs?{options}&timeout=1")
    ) as one:
        with pytest.raises(UnavailableError) as raised:
            one.send([LINE], 1)
        assert SECRET not in _shown(one) + one.name + _shown(raised.value)
