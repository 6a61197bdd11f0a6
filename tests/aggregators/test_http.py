"""
HTTP to a store: what each answer, and each lack of one, stands for.
"""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from email.utils import formatdate

import pytest

from ctxlog.aggregators import RefusedError, UnavailableError, UnreachableError
from ctxlog.aggregators._address import parse
from ctxlog.errors import ConfigError
from tests.aggregators.web import HALF, RESET, Answer, Store, serving
from tests.helpers import free_port, need

need("urllib3")
from ctxlog.aggregators._http import Client, retry_after  # noqa: E402


@pytest.fixture
def store() -> Iterator[Store]:
    """A server that answers 200, and says what it was sent."""
    with serving() as store:
        yield store


def client(store: Store, options: str = "") -> Client:
    """Return a client of it."""
    return Client(parse(f"otlp://127.0.0.1:{store.port}{options}"), 1)


def test_a_request_is_compressed_and_has_the_headers(store: Store) -> None:
    """A body goes as gzip; headers of the address come before those of the store."""
    store.usual = Answer(200, gzip.compress(b"yes"), {"Content-Encoding": "gzip"})
    one = client(store, "?header=X-Scope-OrgID:team")
    headers = {"Content-Type": "text/plain", "X-Scope-OrgID": "other"}
    answer = one.request("POST", "/a?b=c", b"x" * 1000, headers=headers)
    assert (answer.status, answer.body) == (200, b"yes")
    (request,) = store.requests
    assert (request.method, request.path) == ("POST", "/a?b=c")
    assert request.body == b"x" * 1000
    assert request.headers["Content-Encoding"] == "gzip"
    assert request.headers["Content-Type"] == "text/plain"
    assert request.headers["X-Scope-OrgID"] == "team"
    one.close()


def test_compression_can_be_turned_off(store: Store) -> None:
    """`?gzip=false` sends bodies as they are."""
    one = client(store, "?gzip=false")
    one.request("POST", "/", b"body")
    assert "Content-Encoding" not in store.requests[0].headers
    assert store.requests[0].body == b"body"
    one.close()


def test_connections_are_kept_and_opened_again(store: Store) -> None:
    """Requests share a connection, until it is closed."""
    one = client(store)
    one.request("GET", "/")
    one.request("GET", "/")
    assert store.connections == 1
    one.close()
    one.close()
    one.request("GET", "/")
    assert store.connections == 2
    one.close()


@pytest.mark.parametrize("status", [401, 403, 404, 408, 429, 500, 502, 503, 504, 301])
def test_some_answers_are_not_about_the_lines(store: Store, status: int) -> None:
    """A busy or broken store, wrong credentials, a wrong path: the lines wait."""
    store.usual = Answer(status, b"later,\nplease " + b"x" * 1000)
    one = client(store)
    with pytest.raises(UnavailableError, match=f"answers {status}: later, please") as e:
        one.request("POST", "/", b"x")
    assert e.value.retry_after is None
    assert len(str(e.value)) < 250
    one.close()


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_other_answers_refuse_the_lines(store: Store, status: int) -> None:
    """An answer that says that the body is wrong is no reason to send it again."""
    store.usual = Answer(status)
    one = client(store)
    with pytest.raises(RefusedError, match=f"it answers {status}"):
        one.request("POST", "/", b"x")
    one.close()


def test_a_store_may_ask_for_a_while(store: Store) -> None:
    """`Retry-After` is passed on."""
    store.usual = Answer(503, headers={"Retry-After": "7"})
    one = client(store)
    with pytest.raises(UnavailableError) as raised:
        one.request("POST", "/", b"x")
    assert raised.value.retry_after == 7.0
    one.close()


def test_retry_after_is_seconds_or_a_date() -> None:
    """Both forms of the header are read; what is none is left out."""
    assert retry_after(None) is None
    assert retry_after(" 3 ") == 3.0
    assert retry_after("9" * 1000) == 300.0
    assert retry_after(formatdate(1_000_010, usegmt=True), 1_000_000) == 10.0
    assert retry_after(formatdate(1_000_000, usegmt=True), 1_000_010) == 0.0
    assert retry_after("soon") is None
    assert retry_after("٣") is None


@pytest.mark.parametrize("how", [RESET, HALF])
def test_a_broken_connection_is_no_answer(store: Store, how: str) -> None:
    """A reset and half an answer are as no answer; the next request is as usual."""
    store.answers.append(how)
    one = client(store)
    with pytest.raises(UnavailableError, match="broke off"):
        one.request("POST", "/", b"x")
    assert one.request("POST", "/", b"x").status == 200
    one.close()


def test_half_an_error_is_no_answer(store: Store) -> None:
    """Lines of half an answer come, and then the error."""
    store.answers.append(HALF)
    one = client(store)
    with pytest.raises(UnavailableError, match="broke off"):
        list(one.lines("GET", "/"))
    one.close()


def test_an_answer_that_does_not_come_is_waited_for_so_long(store: Store) -> None:
    """The time limit of the address, or of the call, ends a request."""
    never = threading.Event()
    store.usual = Answer(after=never)
    one = client(store, "?timeout=0.05")
    with pytest.raises(UnavailableError, match="no answer in time"):
        one.request("POST", "/", b"x")
    one.close()
    one = client(store)
    with pytest.raises(UnavailableError, match="no answer in time"):
        one.request("POST", "/", b"x", timeout=0.05)
    one.close()
    never.set()


def test_nothing_that_listens_is_a_case_of_its_own() -> None:
    """A refused connection and an unknown name are told from a store that is busy."""
    one = Client(parse(f"otlp://127.0.0.1:{free_port()}"), 1)
    with pytest.raises(UnreachableError, match="refused"):
        one.request("POST", "/", b"x")
    one = Client(parse("otlp://nothing.invalid"), 1)
    with pytest.raises(UnreachableError, match="name"):
        one.request("POST", "/", b"x")


def test_tls_that_fails_is_said(store: Store) -> None:
    """A server without TLS is unavailable to a client with it."""
    one = Client(parse(f"otlps://127.0.0.1:{store.port}"), 1)
    with pytest.raises(UnavailableError, match="TLS"):
        one.request("POST", "/", b"x")
    one.close()
    with pytest.raises(ConfigError, match="certificates"):
        Client(parse("otlps://host?ca=/nothing"), 1)


def test_lines_come_as_they_are_sent(store: Store) -> None:
    """An answer is read line by line; the last one need not end with a newline."""
    store.usual = Answer(200, b"a\n\nb" + b"x" * 100_000 + b"\nc")
    one = client(store)
    assert list(one.lines("GET", "/")) == [b"a", b"", b"b" + b"x" * 100_000, b"c"]
    store.usual = Answer(200)
    assert list(one.lines("GET", "/")) == []
    store.usual = Answer(503)
    with pytest.raises(UnavailableError):
        list(one.lines("GET", "/"))
    one.close()
