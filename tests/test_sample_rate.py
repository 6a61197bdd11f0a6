"""
What one process tells the next of a sampled request: `X-Sample-Rate`, `sampleRate`.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ctxlog
from ctxlog.carrier import extract, inject, pack, unpack
from ctxlog.carrier.messages import common_message, redated
from ctxlog.carrier.messages import settle as settle_message
from ctxlog.carrier.rates import checked_rate, received_rate
from ctxlog.clients._call import CallOptions
from ctxlog.servers import asgi
from tests.helpers import LogEnvironment, need
from tests.servers.adapters import ADAPTERS, Serve
from tests.servers.serving import Response, is_completion, of, request, serving
from tests.servers.test_asgi import call

LOG = logging.getLogger("tests.app")

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"

#: Ids of a request that is in a share of a tenth, and of one that is not.
IN, OUT = "req-1", "req-2"


@pytest.fixture
def written(log_env: LogEnvironment) -> Iterator[LogEnvironment]:
    """
    The lines of a process that writes a tenth of its requests.
    """
    configured(log_env)
    yield log_env
    ctxlog.unconfigure()


def configured(log_env: LogEnvironment, rate: float = 0.1, **options: Any) -> None:
    sampling = ctxlog.Sampling(rate=rate, **options)
    levels = dict.fromkeys(("asyncio", "uvicorn", "websockets", "sanic"), "CRITICAL")
    ctxlog.configure(
        format="json", stream=log_env.stream, sampling=sampling, levels=levels
    )


def in_request(request_id: str, fn: Callable[[], Any]) -> Any:
    return ctxlog.run({"requestID": request_id}, fn)


def sent(request_id: str) -> str | None:
    """
    What a call of a request tells.
    """
    headers: dict[str, str] = in_request(request_id, lambda: inject({}))
    return headers.get("X-Sample-Rate")


# What is sent ---------------------------------------------------------------------


def test_the_ids_of_these_tests(written: LogEnvironment) -> None:
    """
    One is in the share, one is not.
    """
    for request_id in (IN, OUT):
        in_request(request_id, lambda: LOG.info("hello"))
    assert [one["requestID"] for one in written.load_all()] == [IN]
    assert written.load_all()[0]["sampleRate"] == 10


def test_one_of_the_share_stands_for_others(written: LogEnvironment) -> None:
    """
    That is known from the beginning, before any line.
    """
    assert sent(IN) == "10"
    assert json.loads(in_request(IN, pack))["sampleRate"] == 10


def test_nothing_is_sent_before_it_is_decided(written: LogEnvironment) -> None:
    """
    Whether the request will be kept: the receiver decides by itself.
    """
    assert sent(OUT) is None
    assert "sampleRate" not in json.loads(in_request(OUT, pack))


def test_one_that_is_kept_stands_for_itself(written: LogEnvironment) -> None:
    """
    For a reason: here, for a line.
    """

    def work() -> Any:
        before: dict[str, str] = inject({})
        LOG.warning("odd")
        return before, inject({}), json.loads(pack())

    before, after, message = in_request(OUT, work)
    assert "X-Sample-Rate" not in before
    assert after["X-Sample-Rate"] == "1"
    assert message["sampleRate"] == 1


def test_a_share_that_is_no_part_of_one(log_env: LogEnvironment) -> None:
    """
    The number is a decimal fraction, never one with an exponent.
    """
    try:
        configured(log_env, rate=0.3)
        text = sent(IN)
        assert text is not None
        assert received_rate([text]) == pytest.approx(1 / 0.3)
    finally:
        ctxlog.unconfigure()


def test_nothing_is_sent_where_nothing_is_sampled(log_env: LogEnvironment) -> None:
    """
    Neither without sampling, with a buffer or a level, nor outside of any request.
    """
    assert sent(IN) is None
    try:
        configured(log_env)
        assert "X-Sample-Rate" not in inject({})
        assert "sampleRate" not in json.loads(pack())
        ctxlog.configure(format="json", stream=log_env.stream, buffer=ctxlog.Buffer())
        assert sent(IN) is None

        def with_level() -> dict[str, str]:
            ctxlog.set_level("DEBUG")
            return inject({})

        assert "X-Sample-Rate" not in in_request(IN, with_level)
    finally:
        ctxlog.unconfigure()


def test_a_header_that_is_there_stays(written: LogEnvironment) -> None:
    """
    In whatever case.
    """
    headers = in_request(IN, lambda: inject({"x-sample-rate": "7"}))
    assert headers["x-sample-rate"] == "7"
    assert "X-Sample-Rate" not in headers


def test_clients_send_it_to_their_hosts_alone(written: LogEnvironment) -> None:
    """
    As the other headers.
    """
    options = CallOptions(hosts=["payments"])
    headers: dict[str, str] = {}
    others: dict[str, str] = {}
    in_request(IN, lambda: options.inject("http://payments/", headers))
    in_request(IN, lambda: options.inject("http://elsewhere/", others))
    assert headers == {"X-Request-ID": IN, "X-Sample-Rate": "10"}
    assert others == {}


def test_grpc_clients_send_it_as_metadata(written: LogEnvironment) -> None:
    """
    By names in lower case, as grpc wants them.
    """
    grpc = need("grpc")
    clients = need("ctxlog.clients.grpc")
    seen: list[dict[str, Any]] = []

    def serve(request: bytes, context: Any) -> bytes:
        seen.append(dict(context.invocation_metadata()))
        return request

    method = grpc.unary_unary_rpc_method_handler(serve)
    handlers = grpc.method_handlers_generic_handler("Shop", {"pay": method})
    with ThreadPoolExecutor(1) as pool:
        server = grpc.server(pool)
        server.add_generic_rpc_handlers((handlers,))
        target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        added = clients.interceptors(target, hosts=["127.0.0.1"])
        with grpc.intercept_channel(grpc.insecure_channel(target), *added) as channel:
            pay = channel.unary_unary("/Shop/pay")
            in_request(IN, lambda: pay(b"", timeout=60))
            in_request(OUT, lambda: pay(b"", timeout=60))
        server.stop(None).wait(60)
    assert [one.get("x-sample-rate") for one in seen] == ["10", None]


# What is received -----------------------------------------------------------------

INVALID = [
    *("", " ", "0", "0.99", "-1", "+2", "1e3", "nan", "inf", "ten", "1,5", "10, 10"),
    *("1000000001", "1000000000.1", "9" * 400, "1_0", "\u0661\u0660", "10;q=1", "0x10"),
]


@pytest.mark.parametrize("text", INVALID)
def test_invalid_numbers_are_ignored(text: str) -> None:
    """
    Of headers.
    """
    assert received_rate([text]) is None


@pytest.mark.parametrize(
    "value", ["10", None, True, 0, -1, 0.5, math.nan, math.inf, 1e9 + 1, 10**400, [10]]
)
def test_invalid_members_are_ignored(value: Any) -> None:
    """
    Of messages.
    """
    assert checked_rate(value) is None


@given(rate=st.floats(1, 1e9) | st.integers(1, 10**9))
def test_valid_numbers_are_read(rate: float) -> None:
    """
    As they were sent.
    """
    assert checked_rate(rate) == rate
    text = str(rate)
    if len(text.partition(".")[2]) <= 17:
        assert received_rate([text]) == rate


@given(values=st.lists(st.text(max_size=12), max_size=3))
def test_whatever_comes_is_no_error(values: list[str]) -> None:
    """
    Two values are none.
    """
    rate = received_rate(values)
    assert rate is None or (len(values) == 1 and 1 <= rate <= 1e9)


def test_it_is_no_field(written: LogEnvironment) -> None:
    """
    `extract()` returns fields, and a message's member is none.
    """
    assert extract({"X-Sample-Rate": "10"}) == {}
    store = unpack('{"requestID":"req-A","sampleRate":4}')
    assert dict(store) == {"requestID": "req-A"}


def test_a_task_is_kept_as_its_sender_says(written: LogEnvironment) -> None:
    """
    With its rate on each line, and on what it sends in turn.
    """
    message = json.dumps({"requestID": OUT, "sampleRate": 4})

    def task() -> str:
        LOG.info("working")
        return pack()

    further = ctxlog.run(unpack(message), task)
    (line,) = written.load_all()
    assert (line["message"], line["sampleRate"]) == ("working", 4)
    assert json.loads(further)["sampleRate"] == 4


def test_a_task_of_a_request_that_was_kept(written: LogEnvironment) -> None:
    """
    Its lines stand for themselves.
    """
    message = json.dumps({"requestID": OUT, "sampleRate": 1})
    ctxlog.run(unpack(message), LOG.info, "working")
    (line,) = written.load_all()
    assert "sampleRate" not in line


def test_invalid_rates_decide_nothing(written: LogEnvironment) -> None:
    """
    The receiver decides by the id, as without.
    """
    for rate in (0, "10", None, 1e10, True):
        message = json.dumps({"requestID": OUT, "sampleRate": rate})
        ctxlog.run(unpack(message), LOG.info, "working")
    assert written.load_all() == []


def test_receivers_that_sample_nothing_write_all(log_env: LogEnvironment) -> None:
    """
    And say nothing of a rate.
    """
    ctxlog.configure(format="json", stream=log_env.stream)
    try:
        message = json.dumps({"requestID": OUT, "sampleRate": 4})
        ctxlog.run(unpack(message), LOG.info, "working")
        (line,) = log_env.load_all()
        assert "sampleRate" not in line
    finally:
        ctxlog.unconfigure()


def test_the_flag_of_a_trace_decides(log_env: LogEnvironment) -> None:
    """
    With `by="trace"`, where a trace came in; also of a task.
    """
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0{}"
    try:
        configured(log_env, by="trace")
        for flag in (0, 1):
            message = {"requestID": IN, "traceparent": parent.format(flag)}
            ctxlog.run(unpack(json.dumps(message)), LOG.info, "flag %s", flag)
        ctxlog.run(unpack(json.dumps({"requestID": IN})), LOG.info, "none")
        ids_alone = {"requestID": IN, "traceID": parent[3:35]}
        ctxlog.run(unpack(json.dumps(ids_alone)), LOG.info, "open")
        found = [(one["message"], one["sampleRate"]) for one in log_env.load_all()]
        assert found == [("flag 1", 10), ("none", 10), ("open", 10)]
    finally:
        ctxlog.unconfigure()


def test_messages_that_are_passed_on(written: LogEnvironment) -> None:
    """
    Schedulers and workers that pack again keep the number.
    """
    message = json.dumps({"requestID": OUT, "sampleRate": 4})
    assert json.loads(str(redated(message, 1.0)))["sampleRate"] == 4
    assert json.loads(settle_message(message, task_id="t-1")[1])["sampleRate"] == 4
    without_id = json.dumps({"sampleRate": 4})
    assert json.loads(settle_message(without_id, task_id="t-1")[1])["sampleRate"] == 4


def test_a_batch_of_one_request() -> None:
    """
    Some of its messages may have been sent before the request was kept.
    """
    undecided = json.dumps({"requestID": "req-A", "timestamp": 1000})
    kept = json.dumps({"requestID": "req-A", "timestamp": 2000, "sampleRate": 1})
    later = json.dumps({"requestID": "req-A", "timestamp": 3000, "sampleRate": 1})
    other = json.dumps({"requestID": "req-B", "sampleRate": 1})
    assert common_message([undecided, later, kept]) == kept
    assert common_message([undecided, undecided]) == undecided
    assert common_message([kept, other]) is None


@pytest.mark.parametrize("through", [lambda item: item, None], ids=["as is", "pickled"])
def test_items_of_queues(written: LogEnvironment, through: Any) -> None:
    """
    Of a request that was kept, an item's lines are, too; else the id decides.
    """

    def pickled(item: Any) -> Any:
        return pickle.loads(pickle.dumps(item))

    def kept() -> Any:
        LOG.warning("odd")
        return ctxlog.carry("kept")

    items = [in_request(OUT, kept), in_request(OUT, lambda: ctxlog.carry("waiting"))]
    items.append(in_request(IN, lambda: ctxlog.carry("share")))
    written.clear()
    for item in items:
        with ctxlog.adopt((through or pickled)(item)) as name:
            LOG.info("item %s", name)
    found = [(one["message"], one.get("sampleRate")) for one in written.load_all()]
    assert found == [("item kept", None), ("item share", 10)]


# Servers --------------------------------------------------------------------------


@pytest.fixture(params=ADAPTERS, ids=lambda serve: serve.__name__[3:])
def serve(request: pytest.FixtureRequest) -> Serve:
    """
    One adapter.
    """
    found: Serve = request.param
    return found


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:pkg_resources")
@pytest.mark.parametrize("asks", [False, True], ids=["trust", "callable"])
def test_every_server_takes_it_over(
    serve: Serve, written: LogEnvironment, asks: bool
) -> None:
    """
    From trusted clients, for whom no share is taken once more.
    """
    trusted: Any = (lambda client: True) if asks else True
    strange: Any = (lambda client: False) if asks else False
    rates = ["4", "2.5", "1", "0", "ten", ""]
    requests = [[("X-Sample-Rate", rate)] for rate in rates]

    def generator() -> str:
        return OUT

    def hello() -> None:
        LOG.info("hello")

    serve(requests, hello, trust=trusted, generator=generator)
    lines = [one for one in written.load_all() if one["logger"] == "tests.app"]
    assert [(one["requestID"], one.get("sampleRate")) for one in lines] == [
        *((OUT, 4), (OUT, 2.5), (OUT, None)),
    ]
    written.clear()
    serve(requests, hello, trust=strange, generator=generator)
    assert not any(one["logger"] == "tests.app" for one in written.load_all())


def test_completion_lines_have_it(written: LogEnvironment) -> None:
    """
    A store that weighs completion lines counts right.
    """
    headers = [("X-Request-ID", OUT), ("X-Sample-Rate", "4")]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    call(asgi.ContextMiddleware(app), headers=headers)
    call(asgi.ContextMiddleware(app), headers=[("X-Request-ID", OUT)])
    lines = [one for one in written.load_all() if one["logger"] == "ctxlog.request"]
    assert [one.get("sampleRate") for one in lines] == [4, None]


FRONT = """
import logging, os
import ctxlog, httpx
from ctxlog.clients.httpx import AsyncContextTransport
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

ctxlog.configure(
    format="json", sampling=ctxlog.Sampling(rate=0.1), levels={"httpx": "ERROR"}
)
log = logging.getLogger("app")
transport = AsyncContextTransport(httpx.AsyncHTTPTransport(), hosts=["127.0.0.1"])
client = httpx.AsyncClient(transport=transport)


async def order(request):
    log.info("ordering")
    if request.url.path == "/odd":
        log.warning("odd")
    await client.get(f"http://127.0.0.1:{os.environ['BACK']}/pay")
    return PlainTextResponse("thanks")


app = Starlette(routes=[Route("/{name}", order)])
ctxlog.servers.asgi.install(app)
"""

BACK = """
import logging
import ctxlog
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

# By itself it would write nothing.
ctxlog.configure(format="json", sampling=ctxlog.Sampling(rate=0.0))
log = logging.getLogger("app")


async def pay(request):
    log.info("paid")
    return PlainTextResponse("")


app = Starlette(routes=[Route("/pay", pay)])
ctxlog.servers.asgi.install(app)
"""


@pytest.mark.real_server
def test_two_services_agree(tmp_path: Path) -> None:
    """
    Of each request that the front end writes, of a tenth and for a reason, the back end
    writes its part; of others neither has more than a completion line.
    """
    need("httpx", "starlette", "uvicorn")
    count = 120
    folders = [tmp_path / "back", tmp_path / "front"]
    for folder in folders:
        folder.mkdir()
    with serving(BACK, folders[0], "h11") as back:
        variables = {"BACK": str(back.port)}
        with serving(FRONT, folders[1], "h11", **variables) as front:
            with front.connect() as connection:
                for number in range(count):
                    path = "/odd" if number % 40 == 0 else "/order"
                    message = request(path, request_id=f"req-{number}")
                    connection.sendall(message)
                    assert Response(connection).status == 200
            events = [front.stop(), back.stop()]
    found = [
        {one["requestID"]: one.get("sampleRate") for one in of(lines, "app")}
        for lines in events
    ]
    share = {f"req-{number}" for number in range(count) if number % 40} & {*found[0]}
    assert found[0] == found[1]
    assert {found[0][name] for name in share} == {10}
    assert 3 <= len(share) <= 30
    for lines in events:
        assert len([one for one in lines if is_completion(one)]) == count
        odd = [one for one in of(lines, "app") if one["requestID"] == "req-40"]
        assert odd
        assert not any("sampleRate" in one for one in odd)


# When it is decided ---------------------------------------------------------------


def test_lines_before_the_id_decide_nothing(written: LogEnvironment) -> None:
    """
    Those of the callables that choose it are written; the id decides about the rest.
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:
        LOG.info("serving")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def trust(client: str | None) -> bool:
        LOG.info("asked")
        return True

    middleware = asgi.ContextMiddleware(app, trust=trust)
    for request_id in [IN, OUT] * 10:
        headers = [("X-Request-ID", request_id), ("traceparent", PARENT)]
        call(middleware, headers=headers)
    lines = [one for one in written.load_all() if one["logger"] == "tests.app"]
    asked = [one for one in lines if one["message"] == "asked"]
    assert len(asked) == 40
    assert not any("sampleRate" in one for one in asked)
    served = [one for one in lines if one["message"] == "serving"]
    assert [one["requestID"] for one in served] == [IN] * 10


def test_an_entry_that_reads_its_id_itself(written: LogEnvironment) -> None:
    """
    The lines of `request_id` and `headers` are written, and decide nothing.
    """

    def read(request_id: str) -> str:
        LOG.info("reading")
        return request_id

    @ctxlog.entry(request_id=read, headers=lambda request_id: LOG.info("reading"))
    def job(request_id: str) -> None:
        LOG.info("working")

    for request_id in [IN, OUT] * 10:
        job(request_id)
    found = [one["message"] for one in written.load_all()]
    assert found.count("reading") == 40
    assert found.count("working") == 10


def test_a_store_that_is_used_again_is_not_over(written: LogEnvironment) -> None:
    """
    A failure that the caller handles does not decide about the request around it.
    """

    def fail() -> None:
        raise ValueError("broken")

    def work() -> None:
        LOG.info("working")
        with contextlib.suppress(ValueError):
            ctxlog.run(ctxlog.get_store() or {}, fail)

    in_request(OUT, work)
    assert written.load_all() == []
