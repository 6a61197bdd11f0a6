"""
Outgoing calls carry the active context, to the hosts that may have it; by each client.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest

import ctxlog
from ctxlog.clients._call import CallOptions
from ctxlog.context import Store
from ctxlog.context import fields as active_fields
from ctxlog.context.adapter import Entry, take_totals
from tests.clients.conftest import Client, Service, client_of
from tests.helpers import need

PARENT = "00-12345678901234567890123456789012-1234567890123456-01"


class Lines(logging.Handler):
    """Keeps the records of the calls' lines, with the context of each."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self.records.append({**record.__dict__, "context": active_fields()})


def _kinds(error: BaseException | None) -> set[type[BaseException]]:
    """The types of an error and of those that it comes from."""
    found = set()
    while error is not None:
        found.add(type(error))
        error = error.__cause__ or error.__context__
    return found


@pytest.fixture
def lines() -> Iterator[list[dict[str, Any]]]:
    """The records of the logger `ctxlog.client`."""
    logger, handler = logging.getLogger("ctxlog.client"), Lines()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler.records
    logger.removeHandler(handler)
    logger.setLevel(level)


def test_a_call_carries_the_request_id(client: Client, service: Service) -> None:
    """A call inside a request has its id in a header."""
    ctxlog.run({"requestID": "req-A"}, client.call, service.url("/charge"))
    assert [one.headers["x-request-id"] for one in service.arrived] == ["req-A"]


def test_a_call_outside_of_any_request_carries_nothing(
    client: Client, service: Service
) -> None:
    """Without a context there is no header."""
    client.call(service.url("/charge"))
    assert "x-request-id" not in service.arrived[0].headers
    assert "traceparent" not in service.arrived[0].headers


def test_another_host_gets_nothing(client: Client, service: Service) -> None:
    """A host that is not named sees neither the id nor the fields."""
    url = service.url("/charge", host="127.0.0.1")
    ctxlog.run(
        {"requestID": "req-A", "tenant": "t1", "traceID": "a" * 32},
        lambda: client.call(url, fields=["tenant"]),
    )
    sent = service.arrived[0].headers
    assert not {"x-request-id", "baggage", "traceparent"} & sent.keys()


def test_a_redirect_to_another_host_carries_nothing(
    client: Client, service: Service
) -> None:
    """The headers stay behind when a host that may have them redirects to another."""
    url = service.url("/to/127.0.0.1/there")
    ctxlog.run(
        {"requestID": "req-A", "tenant": "t1", "traceID": "a" * 32},
        lambda: client.call(url, fields=["tenant"]),
    )
    first, second = service.arrived
    assert first.headers["x-request-id"] == "req-A"
    assert second.path == "/there"
    assert not {"x-request-id", "baggage", "traceparent"} & second.headers.keys()


def test_a_redirect_to_a_named_host_carries_the_id(
    client: Client, service: Service
) -> None:
    """The headers come back with the hop to a host that may have them."""
    url = service.url("/to/localhost/there", host="127.0.0.1")
    ctxlog.run({"requestID": "req-A"}, client.call, url)
    first, second = service.arrived
    assert "x-request-id" not in first.headers
    assert second.headers["x-request-id"] == "req-A"


def test_a_redirect_on_the_same_host_carries_the_id(
    client: Client, service: Service
) -> None:
    """Both hops have the id, once."""
    ctxlog.run({"requestID": "req-A"}, client.call, service.url("/to/localhost/there"))
    assert [one.headers["x-request-id"] for one in service.arrived] == ["req-A"] * 2


def test_headers_of_the_caller_stay(client: Client, service: Service) -> None:
    """An id that the caller sets itself is sent, also to other hosts."""
    url = service.url("/to/127.0.0.1/there")
    ctxlog.run(
        {"requestID": "req-A"},
        lambda: client.call(url, headers={"x-request-id": "mine"}),
    )
    assert [one.headers["x-request-id"] for one in service.arrived] == ["mine"] * 2


def test_named_fields_go_as_baggage(client: Client, service: Service) -> None:
    """Of the store's fields only those that are named are sent."""
    ctxlog.run(
        {"requestID": "req-A", "tenant": "t 1", "secret": "s3cr3t"},
        lambda: client.call(service.url("/x"), fields=["tenant"]),
    )
    assert service.arrived[0].headers["baggage"] == "tenant=t%201"
    assert "s3cr3t" not in str(service.arrived[0])


def test_the_trace_goes_on(client: Client, service: Service) -> None:
    """A call inside a trace has its trace id, and a span id of its own."""
    store = ctxlog.carrier.ReceivedStore({"requestID": "req-A"})
    store.receive({"traceparent": PARENT, "tracestate": "a=1"})
    ctxlog.run(store, client.call, service.url("/x"))
    sent = service.arrived[0].headers
    version, trace_id, span_id, flags = sent["traceparent"].split("-")
    assert (version, trace_id, flags) == ("00", "1234567890" * 3 + "12", "01")
    assert span_id != "1234567890123456"
    assert sent["tracestate"] == "a=1"


def test_uninstall_takes_it_away(client: Client, service: Service) -> None:
    """After `uninstall()` a call carries nothing."""
    ctxlog.run(
        {"requestID": "req-A"}, lambda: client.call(service.url("/x"), undo=True)
    )
    assert "x-request-id" not in service.arrived[0].headers


def test_a_call_logs_one_line_where_asked_for(
    logging_client: Client, service: Service, lines: list[dict[str, Any]]
) -> None:
    """The line has method, host, path and status, without the query, in its request."""
    ctxlog.run(
        {"requestID": "req-A"},
        lambda: logging_client.call(
            service.url("/charge?token=s3cr3t"), "POST", completion_line=True
        ),
    )
    (line,) = lines
    host = f"localhost:{service.port}"
    assert line["msg"] % line["args"] == f"POST {host}/charge 200"
    assert (line["method"], line["host"], line["path"]) == ("POST", host, "/charge")
    assert line["status"] == 200
    assert line["levelname"] == "INFO"
    assert line["durationMs"] > 0
    assert line["context"]["requestID"] == "req-A"
    assert "s3cr3t" not in str(line)


def test_no_line_unless_asked_for(
    logging_client: Client, service: Service, lines: list[dict[str, Any]]
) -> None:
    """By default calls are not logged."""
    logging_client.call(service.url("/charge"))
    assert lines == []


def test_a_call_that_was_refused_is_a_warning(
    logging_client: Client, service: Service, lines: list[dict[str, Any]]
) -> None:
    """A status of 400 and above is logged as a warning."""
    logging_client.call(service.url("/status/503"), completion_line=True)
    assert [(line["levelname"], line["status"]) for line in lines] == [("WARNING", 503)]


def test_a_call_without_a_response_is_logged(
    logging_client: Client, service: Service, lines: list[dict[str, Any]]
) -> None:
    """The line of a call that fails names the error, which goes on."""
    url = service.url("/x")
    service.close()
    with pytest.raises(Exception, match="(?i)connect") as caught:
        logging_client.call(url, completion_line=True)
    (line,) = lines
    assert line["levelname"] == "WARNING"
    assert line["error"] in {kind.__name__ for kind in _kinds(caught.value)}
    assert "status" not in line


def test_a_redirect_logs_a_line_for_each_hop(
    logging_client: Client, service: Service, lines: list[dict[str, Any]]
) -> None:
    """Every request that was sent has a line of its own."""
    logging_client.call(service.url("/to/127.0.0.1/there"), completion_line=True)
    found = {(line["host"], line["path"], line["status"]) for line in lines}
    assert (f"127.0.0.1:{service.port}", "/there", 200) in found
    assert len(lines) == 2


def totals_of(fn: Callable[[], object]) -> dict[str, Any]:
    """What the completion line of a request shows that calls *fn*."""
    with Entry(Store()) as store:
        fn()
        return take_totals(store)


def test_calls_of_a_request_are_counted_and_timed(
    logging_client: Client, service: Service, lines: list[dict[str, Any]]
) -> None:
    """Their number and time are in its totals, whatever the host, without a line."""

    def request() -> None:
        logging_client.call(service.url("/charge"))
        logging_client.call(service.url("/status/503", host="127.0.0.1"))

    totals = totals_of(request)
    assert totals["http"]["count"] == 2
    assert totals["http"]["ms"] > 0
    assert list(totals) == ["http"]
    assert lines == []


def test_a_call_without_a_response_is_counted(
    logging_client: Client, service: Service
) -> None:
    """A call that fails has taken its time, too."""
    url = service.url("/x")
    service.close()

    def request() -> None:
        with pytest.raises(Exception, match="(?i)connect"):
            logging_client.call(url)

    assert totals_of(request)["http"]["count"] == 1


def test_a_redirect_is_one_more_call(
    logging_client: Client, service: Service, lines: list[dict[str, Any]]
) -> None:
    """The time of each hop is counted once."""
    url = service.url("/to/127.0.0.1/there")
    totals = totals_of(lambda: logging_client.call(url, completion_line=True))
    assert totals["http"]["count"] == len(service.arrived) == 2
    # Of which the time is that of the lines, which are taken a moment later.
    spent = sum(line["durationMs"] for line in lines)
    assert totals["http"]["ms"] == pytest.approx(spent, rel=0.5)


def test_event_hooks_count_nothing(service: Service) -> None:
    """They do not learn of a call that fails, so they have no part of the sum."""
    call = client_of("httpx, event hooks").call
    assert totals_of(lambda: call(service.url("/x"))) == {}


def test_a_redirect_without_a_target_is_one_call(service: Service) -> None:
    """aiohttp takes it for an answer."""
    call = client_of("aiohttp").call
    assert totals_of(lambda: call(service.url("/status/302")))["http"]["count"] == 1


def test_after_uninstalling_calls_are_not_counted(
    logging_client: Client, service: Service
) -> None:
    """`uninstall()` takes the count away, too."""
    call = logging_client.call
    assert totals_of(lambda: call(service.url("/x"), undo=True)) == {}


def test_a_call_in_the_background_counts_for_its_own_request(service: Service) -> None:
    """A call belongs to the request that made it, and counts until that completes."""
    need("httpx")
    import httpx

    from ctxlog.clients.httpx import AsyncContextTransport

    async def both() -> tuple[dict[str, Any], dict[str, Any]]:
        ended, sent = asyncio.Event(), asyncio.Event()

        class Waiting(httpx.AsyncBaseTransport):
            async def handle_async_request(self, request: Any) -> httpx.Response:
                sent.set()
                await ended.wait()
                return httpx.Response(200)

        transport = AsyncContextTransport(Waiting(), hosts=["*"])
        async with httpx.AsyncClient(transport=transport) as client:
            with Entry(Store()) as store:
                call = asyncio.create_task(client.get("http://payments/"))
                await sent.wait()
                first = take_totals(store)
            with Entry(Store()) as store:
                ended.set()
                await call
                return first, take_totals(store)

    first, second = asyncio.run(both())
    assert first["http"]["count"] == 1
    assert second == {}


def test_wrong_options_are_refused(client: Client, service: Service) -> None:
    """A wrong option raises an error that names it, and what is allowed."""
    for wrong in ({"hosts": "localhost"}, {"hosts": [""]}, {"fields": ["level"]}):
        with pytest.raises(ctxlog.ConfigError, match=next(iter(wrong))):
            client.call(service.url("/x"), **wrong)
    assert service.arrived == []


@pytest.mark.parametrize(
    ("host", "url", "allowed"),
    [
        ("payments", "http://payments/charge", True),
        ("payments", "http://PAYMENTS:8080/charge", True),
        ("Payments", "http://payments/charge", True),
        ("payments", "http://payments.evil.example/charge", False),
        ("payments", "http://evil.example/payments", False),
        ("payments", "http://payments@evil.example/", False),
        ("*.internal", "https://a.b.internal/", True),
        ("*.internal", "https://internal/", False),
        ("*.internal", "https://x.internal.evil.example/", False),
        ("*", "https://anything.example/", True),
        ("api:8443", "https://api:8443/", True),
        ("api:8443", "https://api/", False),
        ("api:443", "https://api/", True),
        ("api:80", "http://api/", True),
        ("[::1]", "http://[::1]:8000/", True),
        ("[::1]:8000", "http://[::1]:8000/", True),
        ("[::1]", "http://[::2]/", False),
        ("*", "no url at all", False),
        ("*", "http://[oh", False),
        ("api:80", "http://api:99999/", False),
    ],
)
def test_which_hosts_are_allowed(host: str, url: str, allowed: bool) -> None:
    """A host is compared whole, whatever its case; a port only where it is named."""
    assert CallOptions(hosts=[host]).allow(url) is allowed


@pytest.mark.parametrize(
    "hosts", ["payments", b"payments", None, 5, [5], ["http://payments"], ["a b"]]
)
def test_hosts_are_a_list_of_names(hosts: Any) -> None:
    """Anything else is refused: a URL, a single text, other types."""
    with pytest.raises(ctxlog.ConfigError, match="hosts"):
        CallOptions(hosts=hosts)


@pytest.mark.parametrize("library", ["httpx", "requests", "urllib3"])
def test_what_is_no_client_is_refused(library: str) -> None:
    """The error says what `install()` takes, and what it was given."""
    need(library)
    adapter = import_module(f"ctxlog.clients.{library}")
    with pytest.raises(TypeError, match=rf"install\(\) takes .*{library}.*, not 5"):
        adapter.install(5, hosts=["payments"])
