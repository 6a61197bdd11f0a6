"""
The options of the completion line: fields that are asked for, and rules of one's own.

They are the same in every adapter; here the ASGI middleware stands for all.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ctxlog
from ctxlog import ConfigError
from ctxlog.completion import Completed
from ctxlog.line.redact import REDACTED
from ctxlog.servers._details import redacted_query
from ctxlog.servers.asgi import ContextMiddleware
from tests.servers.test_asgi import Lines, call, crashing, plain, respond

pytestmark = pytest.mark.usefixtures("lines")


def completion_of(lines: Lines, app: Any = plain, **options: Any) -> dict[str, Any]:
    """
    The completion line of one request to *app*, with its options.
    """
    call(ContextMiddleware(app, **options))
    return lines.completion()


# Fields that are asked for --------------------------------------------------------

HEADERS = [
    ("User-Agent", "curl/8"),
    ("Referer", "https://alice:pw@shop.example/cart?page=2&token=abc#top"),
    ("Host", "shop.example:8443"),
    ("Content-Length", "3"),
    ("X-Tenant", "acme"),
    ("Authorization", "Bearer abc"),
]

#: Each field, and what the request of `asked` shows there.
FIELDS: dict[str, tuple[str, object]] = {
    "query": ("query", f"page=2&token={REDACTED}"),
    "userAgent": ("userAgent", "curl/8"),
    "referer": ("referer", f"https://shop.example/cart?page=2&token={REDACTED}"),
    "host": ("host", "shop.example:8443"),
    "scheme": ("scheme", "https"),
    "httpVersion": ("httpVersion", "2"),
    "bytesIn": ("bytesIn", 3),
    "bytesOut": ("bytesOut", 2),
    "header:X-Tenant": ("headers", {"X-Tenant": "acme"}),
    "header:authorization": ("headers", {"authorization": REDACTED}),
    "responseHeader:content-type": ("responseHeaders", {"content-type": "text/plain"}),
    "responseHeader:Set-Cookie": ("responseHeaders", {"Set-Cookie": REDACTED}),
}


async def typed(scope: Any, receive: Any, send: Any) -> None:
    """
    Read the request, and answer with headers.
    """
    await receive()
    headers = [(b"content-type", b"text/plain"), (b"set-cookie", b"sid=1")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})


def asked(*fields: str, **options: Any) -> None:
    """
    Send a request that has everything, with fields asked for.
    """
    call(
        ContextMiddleware(typed, completion_fields=fields, **options),
        headers=HEADERS,
        messages=[{"type": "http.request", "body": b"abc"}],
        scheme="https",
        http_version="2",
        query_string=b"page=2&token=abc",
    )


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_that_is_asked_for(lines: Lines, field: str) -> None:
    """
    The line has each field that is named, without secrets.
    """
    asked(field)
    key, value = FIELDS[field]
    assert lines.completion()[key] == value


def test_the_time_to_the_first_byte(lines: Lines) -> None:
    """
    `ttfbMs` is there if it is asked for, and is not longer than the request.
    """
    asked("ttfbMs")
    line = lines.completion()
    assert 0 <= line["ttfbMs"] <= line["durationMs"]


def test_only_the_size_of_the_response_is_there_unasked(lines: Lines) -> None:
    """
    By default the line has `bytesOut`; a list of one's own replaces that.
    """
    asked("bytesOut")
    usual = lines.completion()
    lines.stream.truncate(0)
    lines.stream.seek(0)
    call(ContextMiddleware(typed))
    assert [*lines.completion()] == [*usual]
    lines.stream.truncate(0)
    lines.stream.seek(0)
    asked()
    assert [*usual] == [*lines.completion(), "bytesOut"]


def test_what_a_request_does_not_have_is_absent(lines: Lines) -> None:
    """
    A field without a value is left out.
    """
    fields = ["query", "userAgent", "referer", "header:X-Tenant", "responseHeader:ETag"]
    line = completion_of(lines, completion_fields=fields)
    assert not {"query", "userAgent", "referer", "headers", "responseHeaders"} & {*line}


def test_values_of_a_repeated_header_are_joined(lines: Lines) -> None:
    """
    All values of a header are shown (RFC 9110, section 5.2).
    """
    call(
        ContextMiddleware(plain, completion_fields=["header:X-Tenant"]),
        headers=[("x-tenant", "a"), ("X-TENANT", "b")],
    )
    assert lines.completion()["headers"] == {"X-Tenant": "a, b"}


def test_both_spellings_of_a_field_may_be_asked_for() -> None:
    """
    `user_agent` is `userAgent`.
    """
    ContextMiddleware(plain, completion_fields=["user_agent", "bytes_out", "ttfb_ms"])


def test_long_texts_of_clients_are_cut(lines: Lines) -> None:
    """
    A query of a megabyte shows its beginning.
    """
    call(
        ContextMiddleware(plain, completion_fields=["query", "userAgent"]),
        headers=[("User-Agent", "a" * 100_000)],
        query_string=b"q=" + b"a" * 1_000_000,
    )
    line = lines.completion()
    assert line["query"] == f"q={'a' * 2046}..."
    assert line["userAgent"] == f"{'a' * 2048}..."


def test_a_streamed_body_is_counted_whole(lines: Lines) -> None:
    """
    `bytesOut` is the sum of all parts.
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for size in (10, 20, 0):
            more = {"body": b"x" * size, "more_body": size > 0}
            await send({"type": "http.response.body", **more})

    assert completion_of(lines, app)["bytesOut"] == 30


@given(
    st.dictionaries(
        st.sampled_from(["password", "apiKey", "page", "q", "access_token"]),
        st.text(min_size=1),
        max_size=5,
    )
)
def test_no_secret_of_a_query_is_shown(parameters: dict[str, str]) -> None:
    """
    Whatever the values and their encoding, those of secret names are hidden.
    """
    secrets = {"password", "apiKey", "access_token"}
    query = "&".join(
        f"{quote(name)}={quote('!secret!' + value if name in secrets else value)}"
        for name, value in parameters.items()
    )
    shown = redacted_query(query)
    assert "secret" not in shown
    for name, value in parameters.items():
        expected = REDACTED if name in secrets else quote(value)
        assert f"{name}={expected}" in shown.split("&")


# Rules ----------------------------------------------------------------------------


def test_completion_adds_fields(lines: Lines) -> None:
    """
    What `completion` returns stands on the line.
    """
    line = completion_of(lines, completion=lambda _: {"tenant": "acme", "rows": 3})
    assert (line["tenant"], line["rows"]) == ("acme", 3)


def test_completion_is_given_what_has_ended(lines: Lines) -> None:
    """
    The object has the request, its end, and its headers in any case.
    """
    seen: list[Completed] = []

    def note(completed: Completed) -> None:
        seen.append(completed)
        assert completed.headers["x-TENANT"] == "acme"
        assert "authorization" in completed.headers
        assert completed.request["type"] == "http"

    asked(completion=note)
    (completed,) = seen
    assert (completed.method, completed.path, completed.route) == ("GET", "/", None)
    assert (completed.status, completed.error) == (200, None)
    assert completed.duration * 1000 == pytest.approx(
        lines.completion()["durationMs"], abs=0.001
    )
    assert repr(completed) == "<Completed GET / 200>"
    assert "Bearer" not in repr(completed.headers)


def test_completion_is_given_the_error(lines: Lines) -> None:
    """
    The exception that ended the request is among it.
    """
    line = completion_of(
        lines, crashing, completion=lambda completed: {"why": str(completed.error)}
    )
    assert line["why"] == "broken"
    assert line["error"] == "ValueError"


def test_completion_may_leave_the_line_out(lines: Lines) -> None:
    """
    False means no line.
    """
    call(ContextMiddleware(plain, completion=lambda completed: False))
    assert lines.completions() == []


def test_completion_may_tell_which_lines_to_keep(lines: Lines) -> None:
    """
    True keeps the line as it is: a condition may be returned.
    """
    call(ContextMiddleware(plain, completion=lambda completed: completed.duration >= 0))
    assert lines.completion()["status"] == 200
    assert lines.of("ctxlog") == []


class Hostile(Mapping[str, object]):
    """
    A mapping that cannot be read.
    """

    def __getitem__(self, name: str) -> object:
        raise RuntimeError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(["a"])

    def __len__(self) -> int:
        return 1


def raising(completed: Completed) -> Any:
    raise RuntimeError("no")


@pytest.mark.parametrize("rule", [raising, lambda _: Hostile()])
def test_completion_that_fails_costs_its_fields(
    lines: Lines, rule: Callable[[Completed], Any]
) -> None:
    """
    An exception is reported, and the line comes without the fields.
    """
    line = completion_of(lines, completion=rule)
    assert line["status"] == 200
    (report,) = lines.of("ctxlog")
    assert report["message"] == "completion failed"
    assert report["exception"]["type"] == "RuntimeError"


def test_completion_that_returns_something_else_is_said_once(lines: Lines) -> None:
    """
    A value that is neither fields nor False is named, once.
    """
    wrong: Any = lambda completed: "acme"  # noqa: E731
    middleware = ContextMiddleware(plain, completion=wrong)
    call(middleware)
    call(middleware)
    (report,) = lines.of("ctxlog")
    assert report["message"] == (
        "completion returned a str (expected a mapping of fields, None or False);"
        " said once"
    )
    assert len(lines.completions()) == 2


def test_fields_with_names_of_the_line_are_prefixed(lines: Lines) -> None:
    """
    Neither `completion` nor a count replaces a field of the line, or of a record.
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:
        ctxlog.count("durationMs", 5)
        ctxlog.count("rows", 2)
        await respond(send)

    line = completion_of(
        lines,
        app,
        completion=lambda _: {"status": "mine", "message": "m", "args": 1, "rows": 0},
    )
    assert line["status"] == 200
    assert line["rows"] == 2
    assert line["fields.durationMs"] == 5
    assert line["fields.status"] == "mine"
    assert line["fields.message"] == "m"
    assert line["fields.args"] == 1
    assert line["fields.rows"] == 0


def test_names_of_the_context_stay_its_own(lines: Lines) -> None:
    """
    Neither a total nor a callable replaces the request's id or its user.
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:
        ctxlog.bind(user="u-7", db="orders")
        for name in ("requestID", "user", "db"):
            ctxlog.count(name)
        await respond(send)

    line = completion_of(lines, app, completion=lambda _: {"traceID": "other"})
    assert (line["user"], line["db"], line["traceID"]) == ("u-7", "orders", "other")
    assert (line["fields.user"], line["fields.db"]) == (1, 1)
    assert line["fields.requestID"] == 1
    assert line["requestID"] != 1


def test_ten_megabytes_of_fields_fit_into_a_line(lines: Lines) -> None:
    """
    However much `completion` returns, the line is as long as lines may be.
    """
    completion_of(lines, completion=lambda _: {"blob": "x" * 10_000_000})
    raw = lines.raw().splitlines()[-1]
    assert len(raw) <= 262_144
    assert json.loads(raw)["path"] == "/"


def test_fields_of_any_names_and_types_are_shown(lines: Lines) -> None:
    """
    What cannot be encoded is replaced, and the line says so.
    """
    odd: Any = {1: "one", "self": object(), "number": math.nan, "": {}}
    line = completion_of(lines, completion=lambda _: odd)
    assert line["1"] == "one"
    assert line["status"] == 200


@pytest.mark.parametrize(
    ("level", "expected"),
    [("ERROR", "ERROR"), ("error", "ERROR"), (logging.DEBUG + 20, "WARNING")],
)
def test_completion_level_chooses_the_level(
    lines: Lines, level: int | str, expected: str
) -> None:
    """
    A number or a name is the line's level.
    """
    line = completion_of(lines, completion_level=lambda completed: level)
    assert line["level"] == expected


@pytest.mark.parametrize("level", [None, "LOUD", True, 3.5])
def test_another_level_is_the_usual_one(lines: Lines, level: Any) -> None:
    """
    None stands for the usual level; what is no level is reported.
    """
    line = completion_of(lines, completion_level=lambda completed: level)
    assert line["level"] == "INFO"
    assert len(lines.of("ctxlog")) == (0 if level is None else 1)


def test_completion_level_that_fails_is_reported(lines: Lines) -> None:
    """
    The line has its usual level.
    """
    line = completion_of(lines, completion_level=raising)
    assert line["level"] == "INFO"
    assert lines.of("ctxlog")[0]["message"] == "completion_level failed"


def test_a_level_that_is_not_logged_asks_for_no_fields(lines: Lines) -> None:
    """
    `completion` is not called for a line that nothing takes.
    """
    call(
        ContextMiddleware(
            plain, completion_level=lambda _: logging.DEBUG, completion=raising
        )
    )
    assert lines.completions() == []
    assert lines.of("ctxlog") == []


def test_a_slow_request_is_a_warning(lines: Lines) -> None:
    """
    From `slow` seconds on the line says so, and is at least a warning.
    """
    line = completion_of(lines, slow=0)
    assert (line["level"], line["slow"]) == ("WARNING", True)


def test_a_slow_request_that_failed_stays_an_error(lines: Lines) -> None:
    """
    A level above WARNING is kept.
    """
    assert completion_of(lines, crashing, slow=0)["level"] == "ERROR"


def test_a_quick_request_is_not_slow(lines: Lines) -> None:
    """
    Below that time nothing changes.
    """
    line = completion_of(lines, slow=3600)
    assert line["level"] == "INFO"
    assert "slow" not in line


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"completion_fields": ["agent"]},
            "invalid value for completion_fields: 'agent' (expected one of: query,"
            " userAgent, referer, host, scheme, httpVersion, bytesIn, ttfbMs, bytesOut,"
            " header:NAME, responseHeader:NAME)",
        ),
        (
            {"completion_fields": ["header:a b"]},
            "invalid value for completion_fields: 'header:a b' (expected header:NAME,"
            " as in RFC 9110)",
        ),
        (
            {"completion_fields": "query"},
            "invalid value for completion_fields: 'query' (expected a list of strings)",
        ),
        (
            {"completion": {}},
            "invalid value for completion: {} (expected a callable)",
        ),
        (
            {"completion_level": "INFO"},
            "invalid value for completion_level: 'INFO' (expected a callable)",
        ),
        *(
            (
                {"slow": slow},
                f"invalid value for slow: {slow!r} (expected a number of seconds)",
            )
            for slow in (-1, math.nan, math.inf, True, "1")
        ),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], message: str) -> None:
    """
    The error says what is allowed.
    """
    with pytest.raises(ConfigError) as raised:
        ContextMiddleware(plain, **options)
    assert str(raised.value) == message


# Totals ---------------------------------------------------------------------------


def test_totals_stand_on_the_completion_line_alone(lines: Lines) -> None:
    """
    Counts and times of a request come out at its end.
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:
        ctxlog.count("cacheHits", 3)
        with ctxlog.timed("render"):
            await plain(scope, receive, send)

    line = completion_of(lines, app)
    assert line["cacheHits"] == 3
    assert line["render"]["count"] == 1
    (other,) = [one for one in lines.load_all() if one["message"] == "handling"]
    assert not {"cacheHits", "render"} & {*other}


def test_a_request_without_a_line_counts_for_nothing(lines: Lines) -> None:
    """
    Counting is harmless where no line shows it.
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:
        ctxlog.count("rows")
        await respond(send)

    call(ContextMiddleware(app, completion_line=False))
    assert lines.load_all() == []
