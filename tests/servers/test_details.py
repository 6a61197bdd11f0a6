"""
What a client sends does not bring secrets onto the completion line, however written.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import ctxlog
from ctxlog.line.redact import REDACTED
from ctxlog.servers import wsgi
from ctxlog.servers._details import redacted_query
from ctxlog.servers._route import templated
from ctxlog.servers.asgi import ContextMiddleware
from tests.servers.test_asgi import Lines, call

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2VjcmV0c2VjcmV0"

#: Queries, and what is shown of each.
QUERIES = {
    "page=2&token=abc": f"page=2&token={REDACTED}",
    "a=1;token=abc;b=2": f"a=1;token={REDACTED};b=2",
    "a=1&token[]=x&b=2": f"a=1&token[]={REDACTED}&b=2",
    "user[password]=x": f"user[password]={REDACTED}",
    "user.password=x": f"user.password={REDACTED}",
    "to%6ben=abc": f"to%6ben={REDACTED}",
    "%2574oken=abc": f"%2574oken={REDACTED}",
    "access+token=abc": f"access+token={REDACTED}",
    "TOKEN=abc&token": f"TOKEN={REDACTED}&token",
    "next=%2Fcb%3Ftoken%3Dabc&x=1": f"next={REDACTED}&x=1",
    "next=/cb?token=abc": f"next={REDACTED}",
    f"next={quote_plus(quote_plus('/?token=abc'))}": f"next={REDACTED}",
    "next=https%3A%2F%2Falice%3Apw%40shop%2F": f"next={REDACTED}",
    "filter=" + quote('{"password": "x"}'): f"filter={REDACTED}",
    "filter=" + quote('{"a": {"api_key": "cut o'): f"filter={REDACTED}",
    f"a=1&{JWT}": f"a=1&{REDACTED}",
    f"a=1&{JWT}=2": f"a=1&{REDACTED}",
    f"state={JWT}": f"state={REDACTED}",
    f"{'%25' * 3}41=1": f"{'%25' * 3}41=1",
    "q=what is a token": "q=what is a token",
    "q=100%&&=&;": "q=100%&&=&;",
    "": "",
}


@pytest.mark.parametrize("query", QUERIES)
def test_secrets_of_a_query(query: str) -> None:
    """
    They are found by the names of parameters in any encoding, and within values.
    """
    assert redacted_query(query) == QUERIES[query]


def test_a_text_that_is_encoded_without_end() -> None:
    """
    It is decoded a few times only, and then not shown.
    """
    query = "/?token=abc"
    for _ in range(20):
        query = quote_plus(query)
    assert redacted_query(f"next={query}") == f"next={REDACTED}"


@pytest.mark.parametrize("length", range(2020, 2090, 7))
def test_a_secret_that_is_cut_off(length: int) -> None:
    """
    No part of it is shown.
    """
    shown = redacted_query(f"a={'x' * length}&state={JWT}&b=1")
    assert "eyJ" not in shown
    assert len(shown) <= 2048 + len(f"state={REDACTED}...")


@example([("", "apiKey[]", "&")], 1)
@given(
    st.lists(
        st.tuples(
            st.text("ab%&;=[]+ ", max_size=6),
            st.sampled_from(["token", "a.password", "apiKey[]", "%74oken", "x token"]),
            st.sampled_from("&;"),
        ),
        max_size=30,
    ),
    st.integers(0, 2),
)
def test_no_parameter_shows_its_secret(
    parts: list[tuple[str, str, str]], encodings: int
) -> None:
    """
    Between whatever other parameters there are.
    """
    secrets = "".join(f"{mark}{name}=hush-hush" for _, name, mark in parts)
    query = "".join(
        f"{around}{mark}{name}=hush-hush{mark}" for around, name, mark in parts
    )
    for _ in range(encodings):
        secrets = quote_plus(secrets)
    assert "hush" not in redacted_query(f"{query}&next={secrets}")


@pytest.fixture
def lines() -> Iterator[Lines]:
    """
    Logging configured to write JSON lines to memory.
    """
    environment = Lines()
    ctxlog.configure(stream=environment.stream, format="json")
    yield environment
    ctxlog.unconfigure()
    environment.close()


#: Referers, and what is shown of each.
REFERERS = {
    "https://alice:pw@shop.example/cart?page=2#top": "https://shop.example/cart?page=2",
    "//alice:pw@shop.example/": "//shop.example/",
    "/cart?page=2": "/cart?page=2",
    "https://shop.example/@alice": "https://shop.example/@alice",
    "alice:pw@shop.example/": None,
    "https:alice:pw@shop.example/": None,
    "https:\\\\alice:pw@shop.example/": None,
    "http://[::1/?token=abc": None,
    f"https://shop.example/reset/{JWT}": f"https://shop.example/{REDACTED}",
    "https://shop.example/a;token=abc": f"https://shop.example/{REDACTED}",
}


@pytest.mark.parametrize("referer", REFERERS)
def test_secrets_of_a_referer(lines: Lines, referer: str) -> None:
    """
    A user's name, a fragment and secrets are left out; what is no URL is not shown.
    """
    app = ContextMiddleware(_answer, completion_fields=["referer"])
    call(app, headers=[("Referer", referer)])
    assert lines.completion().get("referer") == REFERERS[referer]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("acme", "acme"),
        ("text/html; charset=utf-8", "text/html; charset=utf-8"),
        ('"Chromium";v="120"', '"Chromium";v="120"'),
        ("https://shop.example/?token=abc", REDACTED),
        ("https://alice:pw@shop.example/", REDACTED),
        ("Bearer abcdefgh", REDACTED),
        (f"a {JWT}", REDACTED),
        ("x" * 2040 + " " + JWT, REDACTED),
        ("a\r\nb", "a\r\nb"),
    ],
)
def test_secrets_in_the_value_of_a_header(lines: Lines, value: str, shown: str) -> None:
    """
    A header without a secret name may have a secret in its value.
    """
    fields = ["header:X-Original-URL", "userAgent"]
    app = ContextMiddleware(_answer, completion_fields=fields)
    call(app, headers=[("X-Original-URL", value), ("User-Agent", value)])
    line = lines.completion()
    assert line["headers"] == {"X-Original-URL": shown}
    assert line["userAgent"] == shown


async def _answer(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


def test_fields_that_cannot_be_read_cost_no_line(lines: Lines) -> None:
    """
    A server that breaks its protocol has its line, and one that says what is missing.
    """

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("only a name",)])
        return [b"ok"]

    fields = ["query", "responseHeader:X-A"]
    middleware = wsgi.ContextMiddleware(app, completion_fields=fields)
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "QUERY_STRING": "a=1"}
    body: Any = middleware(environ, lambda *_: None)
    assert [*body] == [b"ok"]
    body.close()
    report, line = lines.load_all()
    assert report["message"] == "a field of the completion line could not be read"
    assert (line["message"], line["query"]) == ("GET / 200", "a=1")


class Unreadable:
    """
    The value of a parameter, as a converter of the application's makes it.
    """

    def __str__(self) -> str:
        raise ValueError("no text")


def test_parameters_that_cannot_be_read_cost_no_line(lines: Lines) -> None:
    """
    The message has the path without them.
    """
    found = templated("GET", "/orders/7", "200", [Unreadable()])
    assert found == ("GET /orders/%s 200", ("7",))
    (report,) = lines.load_all()
    assert report["exception"]["type"] == "ValueError"
