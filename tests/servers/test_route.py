"""
The templates of completion lines: one for all requests of a route.
"""

from __future__ import annotations

import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxlog.servers._route import templated
from ctxlog.servers.wsgi import ContextMiddleware
from tests.helpers import need


@pytest.mark.parametrize(
    ("path", "parameters", "template"),
    [
        ("/health", (), "/health"),
        ("/", (), "/"),
        ("/orders/7", (), "/orders/%s"),
        ("/v1/orders/7/lines/a1", (), "/v1/orders/%s/lines/%s"),
        ("/users/alice/orders", ("alice",), "/users/%s/orders"),
        ("/users/alice", ("al",), "/users/alice"),
        ("/50%/alice", ("alice",), "/%s/%s"),
        ("/a%b/7", (), "/a%%b/%s"),
        ("/a%b", (), "/a%b"),
    ],
)
def test_what_varies_within_a_route_is_an_argument(
    path: str, parameters: tuple[str, ...], template: str
) -> None:
    """
    The route's parameters, and parts with digits; a version is none.
    """
    made, _ = templated("GET", path, "500", parameters)
    assert made == f"GET {template} 500"


@given(
    st.text(), st.text(alphabet="ab7%s/", max_size=20), st.lists(st.text(max_size=2))
)
def test_the_message_is_the_same(method: str, path: str, known: list[str]) -> None:
    """
    With its arguments a template is what it was made of, whatever that is.
    """
    template, arguments = templated(method, path, "200", known)
    message = template % arguments if arguments else template
    assert message == f"{method} {path} 200"


def test_records_of_one_route_have_one_template(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """
    So trackers and breadcrumbs put them together; the text names the path.
    """
    flask, adapter = need("flask"), need("ctxlog.servers.flask")
    app = flask.Flask("tests")
    app.add_url_rule("/users/<name>", view_func=lambda name: ("", 500))
    adapter.init_app(app)
    with caplog.at_level(logging.INFO, "ctxlog.request"):
        for name in ("alice", "bob"):
            app.test_client().get(f"/users/{name}").close()
    records = [one for one in caplog.records if one.name == "ctxlog.request"]
    assert {record.msg for record in records} == {"GET /users/%s 500"}
    assert [one.getMessage() for one in records] == [
        "GET /users/alice 500",
        "GET /users/bob 500",
    ]


def test_two_routes_have_two_templates(caplog: pytest.LogCaptureFixture) -> None:
    """
    Their records are told apart, also where no framework knows the route.
    """

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("500 Internal Server Error", [])
        return []

    with caplog.at_level(logging.INFO, "ctxlog.request"):
        for path in ("/orders/7", "/orders/8", "/users/7"):
            body: Any = ContextMiddleware(app)(
                {"PATH_INFO": path}, lambda *started: None
            )
            body.close()
    found = [one.msg for one in caplog.records if one.name == "ctxlog.request"]
    assert found == ["GET /orders/%s 500", "GET /orders/%s 500", "GET /users/%s 500"]
