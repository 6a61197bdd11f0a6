"""
The ASGI adapter, driven as a server drives it: scope, receive and send are the tests'.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from types import SimpleNamespace
from typing import Any

import pytest

import ctxlog
from ctxlog import _endings
from ctxlog.servers import _request
from ctxlog.servers.asgi import ContextMiddleware, install, uninstall
from tests.helpers import LogEnvironment, need

Message = Any
App = Callable[[Any, Any, Any], Awaitable[None]]

LOG = logging.getLogger("tests.app")


class Answer:
    """
    What an application sent for one request, and how it ended.
    """

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.error: BaseException | None = None

    @property
    def start(self) -> Message:
        """
        The one message that starts the response.
        """
        starts = "http.response.start", "websocket.accept"
        (start,) = [one for one in self.sent if one["type"] in starts]
        return start

    @property
    def status(self) -> int:
        """
        The response's status.
        """
        status = self.start["status"]
        assert isinstance(status, int)
        return status

    @property
    def body(self) -> bytes:
        """
        The response's body.
        """
        return b"".join(one.get("body", b"") for one in self.sent)

    def header(self, name: str = "x-request-id") -> str:
        """
        The one header of this name.
        """
        (value,) = self.headers(name)
        return value

    def headers(self, name: str) -> list[str]:
        """
        All headers of this name.
        """
        wanted = name.lower().encode()
        pairs = self.start.get("headers", ())
        return [value.decode() for key, value in pairs if key.lower() == wanted]


def new_scope(kind: str, headers: Iterable[tuple[str, str]], **more: Any) -> Any:
    scope: dict[str, Any] = {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "scheme": "http",
        "path": "/",
        "raw_path": b"/",
        "root_path": "",
        "query_string": b"",
        "headers": [(k.lower().encode(), v.encode("latin-1")) for k, v in headers],
        "client": ("203.0.113.7", 50123),
        "server": ("127.0.0.1", 80),
    }
    if kind == "http":
        scope["method"] = "GET"
    return {**scope, **more}


async def serve(
    app: App,
    *,
    kind: str = "http",
    headers: Iterable[tuple[str, str]] = (),
    messages: Iterable[Message] = ({"type": "http.request"},),
    **more: Any,
) -> Answer:
    """
    Give *app* one connection; afterwards the client is silent.
    """
    answer = Answer()
    coming = list(messages)

    async def receive() -> Message:
        if coming:
            return coming.pop(0)
        return await asyncio.Event().wait()

    async def send(message: Message) -> None:
        answer.sent.append(message)

    try:
        await app(new_scope(kind, headers, **more), receive, send)
    except Exception as error:
        answer.error = error
    return answer


def call(app: App, **how: Any) -> Answer:
    return asyncio.run(serve(app, **how))


def with_id(*values: str, name: str = "X-Request-ID") -> list[tuple[str, str]]:
    return [(name, value) for value in values]


async def respond(send: Any, status: int = 200, body: bytes = b"ok") -> None:
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": body})


async def plain(scope: Any, receive: Any, send: Any) -> None:
    """
    Log one line and answer 200.
    """
    LOG.info("handling")
    await respond(send)


def answering(status: int) -> App:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await respond(send, status)

    return app


async def crashing(scope: Any, receive: Any, send: Any) -> None:
    """
    Raise before anything is answered.
    """
    raise ValueError("broken")


class Lines(LogEnvironment):
    """
    What `ctxlog.configure()` writes.
    """

    def completions(self) -> list[dict[str, Any]]:
        """
        The completion lines.
        """
        return [one for one in self.load_all() if one["logger"] == "ctxlog.request"]

    def completion(self) -> dict[str, Any]:
        """
        The one completion line.
        """
        (line,) = self.completions()
        return line

    def of(self, logger: str) -> list[dict[str, Any]]:
        """
        The lines of one logger.
        """
        return [one for one in self.load_all() if one["logger"] == logger]


# The store ----------------------------------------------------------------------


def test_every_request_has_a_store_of_its_own(lines: Lines) -> None:
    """
    What one request binds is not there in the next one, even in the same task.
    """
    stores: list[ctxlog.Store | None] = []
    seen: list[dict[str, object]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        stores.append(ctxlog.get_store())
        seen.append(ctxlog.fields())
        ctxlog.bind(secret=scope["path"])
        await respond(send)

    async def both() -> None:
        wrapped = ContextMiddleware(app)
        await serve(wrapped, path="/a")
        await serve(wrapped, path="/b")
        assert ctxlog.get_store() is None

    asyncio.run(both())
    assert stores[0] is not stores[1]
    assert [set(fields) for fields in seen] == [{"requestID"}, {"requestID"}]
    assert seen[0] != seen[1]


def test_a_request_does_not_inherit_what_is_active(lines: Lines) -> None:
    """
    A store that is active around the server is not the request's, and is back after it.
    """
    seen: list[dict[str, object]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(ctxlog.fields())
        await respond(send)

    async def body() -> None:
        await serve(ContextMiddleware(app), headers=with_id("mine"))
        assert ctxlog.fields() == {"outer": 1}

    async def outer() -> None:
        await ctxlog.run({"outer": 1}, body)

    asyncio.run(outer())
    assert seen == [{"requestID": "mine"}]


def test_a_repeated_id_gives_two_stores(lines: Lines) -> None:
    """
    Two requests at once with the same id do not share what they bind.
    """

    async def both() -> None:
        arrived = 0
        all_here = asyncio.Event()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            nonlocal arrived
            ctxlog.bind(at=scope["path"])
            arrived += 1
            if arrived == 2:
                all_here.set()
            await all_here.wait()
            assert ctxlog.fields() == {"requestID": "same", "at": scope["path"]}
            await respond(send)

        wrapped = ContextMiddleware(app)
        answers = await asyncio.gather(
            *(serve(wrapped, path=path, headers=with_id("same")) for path in "ab")
        )
        assert [one.error for one in answers] == [None, None]

    asyncio.run(both())
    seen = {(one["path"], one["at"]) for one in lines.completions()}
    assert seen == {("a", "a"), ("b", "b")}


def test_the_store_is_closed_after_the_request(lines: Lines) -> None:
    """
    A line of a task that outlives its request has the request's id and is marked late.
    """

    async def body() -> None:
        ended = asyncio.Event()
        tasks = []

        async def later() -> None:
            await ended.wait()
            LOG.info("afterwards")

        async def app(scope: Any, receive: Any, send: Any) -> None:
            tasks.append(asyncio.create_task(later()))
            await respond(send)

        await serve(ContextMiddleware(app), headers=with_id("one"))
        ended.set()
        await tasks[0]

    asyncio.run(body())
    (line,) = lines.of("tests.app")
    assert line["requestID"] == "one"
    assert line["late"] is True


# The id -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("logger", "request_id"),
    [
        ("daphne.server", "N/A"),
        ("uvicorn.error", "N/A"),
        ("aiohttp.access", "req-1"),
        ("shop", "req-1"),
    ],
)
def test_who_speaks_in_a_context_that_is_over(
    lines: Lines, logger: str, request_id: str
) -> None:
    """
    A timer or a signal may run in it: a server speaks of itself then, not of a request.
    """
    over = ctxlog.run({"requestID": "req-1"}, contextvars.copy_context)
    over.run(logging.getLogger(logger).warning, "stopping")
    (line,) = lines.load_all()
    assert line["requestID"] == request_id
    assert ("late" in line) == (request_id == "req-1")


def test_an_id_is_taken_and_echoed(lines: Lines) -> None:
    """
    A valid id is on every line of its request and on the response.
    """
    answer = call(ContextMiddleware(plain), headers=with_id("abc-123"))
    assert answer.header() == "abc-123"
    assert [one["requestID"] for one in lines.load_all()] == ["abc-123", "abc-123"]


def test_a_missing_id_is_made(lines: Lines) -> None:
    """
    Without an id there is a new one of 32 hexadecimal digits, and no warning.
    """
    made = call(ContextMiddleware(plain)).header()
    assert len(made) == 32
    assert int(made, 16) >= 0
    assert {one["requestID"] for one in lines.load_all()} == {made}
    assert {one["level"] for one in lines.load_all()} == {"INFO"}


@pytest.mark.parametrize(
    "value",
    [
        "v" * 10_240,
        "v" * 129,
        "line\nbreak",
        "carriage\r\nSet-Cookie: a=b",
        "escape\x1b[31m",
        "nul\x00",
        'quo"te',
        "<script>alert(1)</script>",
        "caf\xe9-id",
        "two words",
        "",
    ],
    ids=lambda value: ascii(value)[:12],
)
def test_an_id_that_is_not_valid_is_replaced(lines: Lines, value: str) -> None:
    """
    An id of a wrong form is replaced, and stands neither in a line nor in the response.
    """
    answer = call(ContextMiddleware(plain), headers=with_id(value))
    made = answer.header()
    assert len(made) == 32
    assert {one["requestID"] for one in lines.load_all()} == {made}
    (warning,) = lines.of("ctxlog")
    assert warning["level"] == "WARNING"
    assert "x-request-id" in warning["message"]
    for part in (value, "Set-Cookie", "script", "[31m", "vvv", "quo"):
        assert not part or part not in lines.text()


def test_an_id_outside_of_ascii_is_replaced(lines: Lines) -> None:
    """
    An id of UTF-8 bytes is replaced and its bytes are not logged.
    """
    headers = [("X-Request-ID", "идентификатор".encode().decode("latin-1"))]
    answer = call(ContextMiddleware(plain), headers=headers)
    assert answer.header().isascii()
    assert "\xd0" not in lines.text()
    assert "иден" not in lines.text()


def test_two_different_ids_are_replaced(lines: Lines) -> None:
    """
    Where two headers disagree neither is used.
    """
    answer = call(ContextMiddleware(plain), headers=with_id("first", "second"))
    assert answer.header() not in ("first", "second")
    assert "first" not in lines.text()
    assert "second" not in lines.text()


def test_the_same_id_twice_is_taken(lines: Lines) -> None:
    """
    Two headers with the same id are as good as one.
    """
    answer = call(ContextMiddleware(plain), headers=with_id("same", "same"))
    assert answer.header() == "same"


def test_another_header_is_accepted(lines: Lines) -> None:
    """
    X-Correlation-ID is taken too, and echoed as X-Request-ID.
    """
    headers = with_id("corr", name="X-Correlation-ID")
    answer = call(ContextMiddleware(plain), headers=headers)
    assert answer.header() == "corr"
    assert answer.headers("x-correlation-id") == []


def test_the_first_header_wins(lines: Lines) -> None:
    """
    With both headers the request id's own one counts.
    """
    headers = [*with_id("corr", name="X-Correlation-ID"), *with_id("own")]
    assert call(ContextMiddleware(plain), headers=headers).header() == "own"


def test_the_headers_can_be_chosen(lines: Lines) -> None:
    """
    With other header names the usual ones are ignored, and the echo has the new name.
    """
    app = ContextMiddleware(plain, request_id_header="X-Trace", accept_headers=())
    headers = [*with_id("usual"), *with_id("corr", name="X-Correlation-ID")]
    headers += with_id("chosen", name="x-trace")
    answer = call(app, headers=headers)
    assert answer.header("x-trace") == "chosen"
    assert answer.headers("x-request-id") == []


def test_the_echo_replaces_the_applications_header(lines: Lines) -> None:
    """
    An id header that the application set itself is not there a second time.
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"X-Request-ID", b"other"), (b"x-more", b"kept")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body"})

    answer = call(ContextMiddleware(app), headers=with_id("mine"))
    assert answer.header() == "mine"
    assert answer.header("x-more") == "kept"


def test_an_unsafe_id_of_the_application_is_not_echoed(lines: Lines) -> None:
    """
    An id that the application binds cannot split the response's headers.
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:
        ctxlog.bind(requestID="a\r\nSet-Cookie: b=c")
        await respond(send)

    answer = call(ContextMiddleware(app))
    assert answer.headers("x-request-id") == []


@pytest.mark.parametrize("options", [{}, {"validator": None}])
def test_what_stands_for_no_request_is_replaced(lines: Lines, options: Any) -> None:
    """
    A request that calls itself `N/A` gets an id by which it can be found.
    """
    answer = call(ContextMiddleware(plain, **options), headers=with_id("N/A"))
    assert answer.header() != "N/A"
    assert lines.completion()["requestID"] == answer.header()


def trust_local(client: str | None) -> bool:
    return client == "203.0.113.7"


def trust_broken(client: str | None) -> bool:
    raise LookupError("no such client")


@pytest.mark.parametrize(
    ("trust", "client", "taken"),
    [
        (True, ("203.0.113.7", 1), True),
        (True, None, True),
        (False, ("203.0.113.7", 1), False),
        (["203.0.113.0/24", "10.0.0.0/8"], ("203.0.113.7", 1), True),
        (["203.0.113.0/24"], ("198.51.100.1", 1), False),
        (["2001:db8::/32"], ("2001:db8::1", 1), True),
        (["10.0.0.0/8"], ("testclient", 1), False),
        (["10.0.0.0/8"], None, False),
        ([], ("203.0.113.7", 1), False),
        (trust_local, ("203.0.113.7", 1), True),
        (trust_local, None, False),
    ],
)
def test_only_trusted_clients_ids_are_used(
    lines: Lines, trust: Any, client: Any, taken: bool
) -> None:
    """
    An id counts only from the clients that `trust` names; others are not logged.
    """
    app = ContextMiddleware(plain, trust=trust)
    answer = call(app, headers=with_id("theirs"), client=client)
    assert (answer.header() == "theirs") is taken
    assert ("theirs" in lines.text()) is taken


def test_a_failing_trust_callable_trusts_nobody(lines: Lines) -> None:
    """
    A trust callable that raises costs the id, is logged, and breaks nothing.
    """
    app = ContextMiddleware(plain, trust=trust_broken)
    answer = call(app, headers=with_id("theirs"))
    assert answer.status == 200
    assert answer.header() != "theirs"
    assert lines.of("ctxlog")[0]["level"] == "ERROR"


def test_the_generator_makes_the_ids(lines: Lines) -> None:
    """
    With a generator a new id is what it returns.
    """
    app = ContextMiddleware(plain, generator=lambda: "made-1")
    assert call(app).header() == "made-1"


def broken_generator() -> str:
    raise RuntimeError("no entropy")


@pytest.mark.parametrize(
    "generator", [broken_generator, lambda: "a\nb", lambda: 7, lambda: ""]
)
def test_a_failing_generator_is_replaced(lines: Lines, generator: Any) -> None:
    """
    A generator that raises or returns no usable id is logged; the id is then our own.
    """
    answer = call(ContextMiddleware(plain, generator=generator))
    assert len(answer.header()) == 32
    assert len(lines.of("ctxlog")) == 1


def test_the_validator_decides(lines: Lines) -> None:
    """
    Only an id that the validator accepts is taken.
    """
    app = ContextMiddleware(plain, validator=lambda text: text.startswith("ok "))
    assert call(app, headers=with_id("ok go")).header() == "ok go"
    assert call(app, headers=with_id("abc")).header() != "abc"


def test_without_a_validator_a_line_break_is_still_refused(lines: Lines) -> None:
    """
    `validator=None` takes any id that fits into a header, and no other.
    """
    app = ContextMiddleware(plain, validator=None)
    assert call(app, headers=with_id('a "b"')).header() == 'a "b"'
    assert len(call(app, headers=with_id("a\nb")).header()) == 32


def test_a_failing_validator_refuses(lines: Lines) -> None:
    """
    A validator that raises costs the id, is logged, and breaks nothing.
    """

    def validator(text: str) -> bool:
        raise ValueError("cannot say")

    app = ContextMiddleware(plain, validator=validator)
    answer = call(app, headers=with_id("theirs"))
    assert answer.status == 200
    assert answer.header() != "theirs"
    assert lines.of("ctxlog")[0]["level"] == "ERROR"


@pytest.mark.parametrize(
    "options",
    [
        {"request_id_header": ""},
        {"request_id_header": "X Request"},
        {"request_id_header": "X-R\r\n"},
        {"request_id_header": None},
        {"accept_headers": "X-One"},
        {"accept_headers": [1]},
        {"accept_headers": ["a:b"]},
        {"trust": ["no network"]},
        {"trust": ["10.0.0.1/8"]},
        {"trust": "10.0.0.0/8"},
        {"trust": None},
        {"generator": "uuid4"},
        {"validator": "[a-z]+"},
        {"user": "me"},
        {"ignore_paths": "/health"},
        {"ignore_paths": [None]},
        {"completion_line": "no"},
    ],
    ids=str,
)
def test_a_wrong_option_is_an_error(options: dict[str, Any]) -> None:
    """
    An invalid option is reported by name when wrapping.
    """
    (name,) = options
    with pytest.raises(ctxlog.ConfigError, match=name):
        ContextMiddleware(plain, **options)


# The completion line ------------------------------------------------------------


def test_the_completion_line_says_what_happened(lines: Lines) -> None:
    """
    The completion line has method, path, status, duration and client.
    """
    call(ContextMiddleware(plain), method="PUT", path="/things/7")
    line = lines.completion()
    assert line["message"] == "PUT /things/7 200"
    assert line["level"] == "INFO"
    assert (line["method"], line["path"]) == ("PUT", "/things/7")
    assert (line["status"], line["client"]) == (200, "203.0.113.7")
    assert line["durationMs"] >= 0
    assert "late" not in line


def test_without_a_client_there_is_no_client(lines: Lines) -> None:
    """
    A client without an address, as on a Unix socket, is left out.
    """
    call(ContextMiddleware(plain), client=None)
    assert "client" not in lines.completion()


@pytest.mark.parametrize(
    ("status", "level"),
    [(200, "INFO"), (304, "INFO"), (404, "WARNING"), (500, "ERROR"), (503, "ERROR")],
)
def test_the_level_follows_the_status(lines: Lines, status: int, level: str) -> None:
    """
    A completion line is an error for 5xx, a warning for 4xx, else information.
    """
    call(ContextMiddleware(answering(status)))
    line = lines.completion()
    assert (line["status"], line["level"]) == (status, level)


def test_the_completion_line_has_what_was_bound_late(lines: Lines) -> None:
    """
    What code deep down bound, in a task of its own, is on the completion line.
    """

    async def authenticate() -> None:
        ctxlog.bind(user={"id": "u-1"})

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.create_task(authenticate())
        await respond(send)

    call(ContextMiddleware(app))
    assert lines.completion()["user"] == {"id": "u-1"}


def test_the_query_string_is_not_logged(lines: Lines) -> None:
    """
    No line has the query string.
    """
    call(ContextMiddleware(plain), query_string=b"token=s3cret")
    assert "s3cret" not in lines.text()


def test_an_exception_passes_through_with_its_line(lines: Lines) -> None:
    """
    An exception reaches the server unchanged, and the request has one completion line.
    """
    answer = call(ContextMiddleware(crashing), headers=with_id("one"))
    assert type(answer.error) is ValueError
    line = lines.completion()
    assert (line["status"], line["level"]) == (500, "ERROR")
    assert line["error"] == "ValueError"
    assert line["requestID"] == "one"


def test_an_exception_after_the_start_keeps_the_status(lines: Lines) -> None:
    """
    An exception in the middle of a response is an error with the status that was sent.
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        raise ValueError("broken")

    answer = call(ContextMiddleware(app))
    assert answer.status == 200
    line = lines.completion()
    assert (line["status"], line["level"]) == (200, "ERROR")


def test_the_middleware_answers_500_itself(lines: Lines) -> None:
    """
    If the application raises before it answers, the client gets a 500 with the id.
    """
    answer = call(ContextMiddleware(crashing), headers=with_id("one"))
    assert answer.status == 500
    assert answer.header() == "one"
    assert answer.body == b"Internal Server Error"
    assert answer.header("content-length") == str(len(answer.body))


def test_the_exception_carries_its_request(lines: Lines) -> None:
    """
    A server that reports the exception outside of the request logs the request's id.
    """
    answer = call(ContextMiddleware(crashing), headers=with_id("one"))
    logging.getLogger("uvicorn.error").error("Exception", exc_info=answer.error)
    (line,) = lines.of("uvicorn.error")
    assert line["requestID"] == "one"
    assert "late" not in line


def test_a_cancelled_request_has_its_line(lines: Lines) -> None:
    """
    A cancelled request has one completion line, a warning, and stays cancelled.
    """

    async def body() -> None:
        started = asyncio.Event()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            started.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(
            serve(ContextMiddleware(app), headers=with_id("one"))
        )
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(body())
    line = lines.completion()
    assert line["level"] == "WARNING"
    assert line["message"] == "GET / cancelled"
    assert line["requestID"] == "one"
    assert "status" not in line


def test_a_disconnect_before_the_response_is_said(lines: Lines) -> None:
    """
    A client that leaves before it is answered gives one line that says so.
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "http.disconnect"

    call(ContextMiddleware(app), messages=[{"type": "http.disconnect"}])
    line = lines.completion()
    assert line["disconnected"] is True
    assert line["level"] == "WARNING"
    assert "status" not in line


def test_a_disconnect_during_the_response_is_a_warning(lines: Lines) -> None:
    """
    A client that leaves in the middle of a response is a warning with its status.
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        await receive()

    call(ContextMiddleware(app), messages=[{"type": "http.disconnect"}])
    line = lines.completion()
    assert (line["status"], line["level"]) == (200, "WARNING")
    assert line["disconnected"] is True


def test_a_disconnect_after_the_response_is_none(lines: Lines) -> None:
    """
    The disconnect that every connection ends with is not worth a word.
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await respond(send)
        await receive()

    call(ContextMiddleware(app), messages=[{"type": "http.disconnect"}])
    line = lines.completion()
    assert line["level"] == "INFO"
    assert "disconnected" not in line


def test_a_disconnect_while_the_last_part_is_sent_is_none(lines: Lines) -> None:
    """
    A server that closes the connection after a response, and says so at once.
    """
    closed = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        listening = asyncio.ensure_future(receive())
        await respond(send)
        assert (await listening)["type"] == "http.disconnect"

    async def receive() -> Message:
        await closed.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            closed.set()
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    asyncio.run(ContextMiddleware(app)(new_scope("http", []), receive, send))
    line = lines.completion()
    assert line["level"] == "INFO"
    assert "disconnected" not in line


@pytest.mark.parametrize(
    "parts",
    [
        [{"type": "http.response.body", "body": b"ok"}],
        [
            {"type": "http.response.body", "body": b"o", "more_body": True},
            {"type": "http.response.body", "body": b"k"},
        ],
        [{"type": "http.response.pathsend", "path": "/tmp/a"}],
        [
            {"type": "http.response.zerocopysend", "file": 3, "more_body": True},
            {"type": "http.response.zerocopysend", "file": 3},
        ],
    ],
    ids=["body", "two bodies", "path", "file in two parts"],
)
def test_the_duration_ends_with_the_response(
    lines: Lines, monkeypatch: pytest.MonkeyPatch, parts: list[Any]
) -> None:
    """
    The last part of a response ends it; what the application does then is not counted.
    """
    now = 1.0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal now
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for part in parts:
            now += 0.125
            await send(part)
        now = 9.0

    clock = SimpleNamespace(perf_counter=lambda: now, time_ns=time.time_ns)
    monkeypatch.setattr(_request, "time", clock)
    call(ContextMiddleware(app))
    assert lines.completion()["durationMs"] == 125 * len(parts)


@pytest.mark.parametrize(
    ("path", "quiet"),
    [
        ("/health", True),
        ("/health/deep", False),
        ("/static/a/b.css", True),
        ("/other", False),
    ],
)
def test_ignored_paths_have_no_line(lines: Lines, path: str, quiet: bool) -> None:
    """
    An ignored path has a store, an id and its own lines, but no completion line.
    """
    app = ContextMiddleware(plain, ignore_paths=["/health", "/static/*"])
    answer = call(app, path=path, headers=with_id("one"))
    assert answer.header() == "one"
    assert [one["requestID"] for one in lines.of("tests.app")] == ["one"]
    assert (lines.completions() == []) is quiet


def test_the_completion_line_can_be_off(lines: Lines) -> None:
    """
    `completion_line=False` leaves out the line, also for a crash.
    """
    call(ContextMiddleware(plain, completion_line=False))
    call(ContextMiddleware(crashing, completion_line=False))
    assert lines.completions() == []


# The user -----------------------------------------------------------------------


class StarletteUser:
    """
    As Starlette's AuthenticationMiddleware leaves one.
    """

    is_authenticated = True
    display_name = "Alice"

    @property
    def identity(self) -> str:
        """
        Not every subclass has one.
        """
        raise NotImplementedError


def test_the_user_callable_is_asked_at_the_end(lines: Lines) -> None:
    """
    `user=` gets the scope when the request has ended, and its answer is bound.
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["session"] = {"who": "u-9"}
        await respond(send)

    call(ContextMiddleware(app, user=lambda scope: scope["session"]["who"]))
    assert lines.completion()["user"] == "u-9"


def test_a_failing_user_callable_breaks_nothing(lines: Lines) -> None:
    """
    A user callable that raises is logged, and the completion line comes without it.
    """
    answer = call(ContextMiddleware(plain, user=lambda scope: scope["nothing"]))
    assert answer.error is None
    assert lines.of("ctxlog")[0]["level"] == "ERROR"
    assert "user" not in lines.completion()


def test_a_bound_user_is_kept(lines: Lines) -> None:
    """
    A user that the application bound is not replaced by what `user=` says.
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:
        ctxlog.bind(user="bound")
        await respond(send)

    call(ContextMiddleware(app, user=lambda scope: "asked"))
    assert lines.completion()["user"] == "bound"


def test_starlettes_user_is_taken(lines: Lines) -> None:
    """
    An authenticated `scope["user"]` is bound with what it has.
    """
    call(ContextMiddleware(plain), user=StarletteUser())
    assert lines.completion()["user"] == {"name": "Alice"}


def test_starlettes_anonymous_user_is_none(lines: Lines) -> None:
    """
    A user that is not authenticated is not bound.
    """
    authentication = need("starlette.authentication")
    call(ContextMiddleware(plain), user=authentication.UnauthenticatedUser())
    assert "user" not in lines.completion()


def test_the_user_of_starlettes_authentication(lines: Lines) -> None:
    """
    The user that Starlette's AuthenticationMiddleware found is on the completion line.
    """
    authentication = need("starlette.authentication")
    need("starlette")
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.authentication import AuthenticationMiddleware

    class Backend(authentication.AuthenticationBackend):
        async def authenticate(self, conn: Any) -> Any:
            credentials = authentication.AuthCredentials(["authenticated"])
            return credentials, authentication.SimpleUser("alice")

    app = Starlette(
        middleware=[Middleware(AuthenticationMiddleware, backend=Backend())]
    )
    install(app)
    call(app)
    assert lines.completion()["user"]["name"] == "alice"


# Websockets ---------------------------------------------------------------------


def call_websocket(app: App, *messages: Message, **how: Any) -> Answer:
    connect = {"type": "websocket.connect"}
    return call(
        ContextMiddleware(app), kind="websocket", messages=[connect, *messages], **how
    )


def test_a_websocket_has_one_store_and_line(lines: Lines) -> None:
    """
    An accepted websocket echoes its id and has one line, when it closes.
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        LOG.info("talking")
        await receive()

    leaving = {"type": "websocket.disconnect", "code": 1001}
    answer = call_websocket(app, leaving, headers=with_id("ws"))
    assert answer.header() == "ws"
    assert lines.of("tests.app")[0]["requestID"] == "ws"
    line = lines.completion()
    assert (line["status"], line["level"]) == (101, "INFO")
    assert (line["closeCode"], line["requestID"]) == (1001, "ws")


def test_a_websocket_that_the_application_closes(lines: Lines) -> None:
    """
    The code that the application closes a websocket with is on the line.
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 4001})

    call_websocket(app)
    line = lines.completion()
    assert (line["status"], line["closeCode"]) == (101, 4001)


def test_a_rejected_websocket_is_a_403(lines: Lines) -> None:
    """
    A websocket that is closed before it is accepted is a warning with 403.
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.close"})

    call_websocket(app)
    line = lines.completion()
    assert (line["status"], line["level"]) == (403, "WARNING")


def test_a_websocket_denied_with_a_response(lines: Lines) -> None:
    """
    A denial response has the id, and its status is on the line.
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.http.response.start", "status": 401})
        await send({"type": "websocket.http.response.body", "body": b"no"})

    answer = call_websocket(app, headers=with_id("ws"))
    assert answer.sent[0]["headers"] == [(b"x-request-id", b"ws")]
    assert lines.completion()["status"] == 401


@pytest.mark.parametrize("accepted", [True, False])
def test_an_exception_in_a_websocket(lines: Lines, accepted: bool) -> None:
    """
    An exception reaches the server, which closes; the line is an error.
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        if accepted:
            await send({"type": "websocket.accept"})
        raise ValueError("broken")

    answer = call_websocket(app)
    assert type(answer.error) is ValueError
    assert [one["type"] for one in answer.sent] == ["websocket.accept"] * accepted
    line = lines.completion()
    assert (line["level"], line["error"]) == ("ERROR", "ValueError")
    assert line["status"] == (101 if accepted else 500)


# Lifespan and other scopes ------------------------------------------------------


def test_the_lifespan_has_no_context(lines: Lines) -> None:
    """
    What starts in the lifespan has no store, even if the server runs in one.
    """
    seen: list[object] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.extend([ctxlog.get_store(), ctxlog.fields()])

    async def outer() -> None:
        await ctxlog.run({"outer": 1}, serve, ContextMiddleware(app), kind="lifespan")

    asyncio.run(outer())
    assert seen == [None, {}]
    assert lines.completions() == []


@pytest.mark.parametrize("outcome", ["complete", "failed"])
def test_held_lines_are_shipped_before_the_server_knows_of_the_shutdown(
    monkeypatch: pytest.MonkeyPatch, outcome: str
) -> None:
    """
    A server may end the process as soon as it knows; a start-up is no end.
    """
    told: list[str] = []
    monkeypatch.setattr(_endings, "end", lambda: told.append("end"))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "lifespan.startup.complete"})
        await send({"type": f"lifespan.shutdown.{outcome}"})

    async def outer() -> None:
        scope = new_scope("lifespan", ())

        async def send(message: Message) -> None:
            told.append(message["type"])

        await ContextMiddleware(app)(scope, asyncio.Event().wait, send)

    asyncio.run(outer())
    assert told == ["lifespan.startup.complete", "end", f"lifespan.shutdown.{outcome}"]


def test_an_unknown_scope_is_passed_on(lines: Lines) -> None:
    """
    A kind of connection that ctxlog does not know reaches the application as it is.
    """
    kinds = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        kinds.append(scope["type"])

    call(ContextMiddleware(app), kind="other")
    assert kinds == ["other"]


def test_applied_twice_is_applied_once(lines: Lines) -> None:
    """
    The inner one of two does nothing: one store, one line, the outer one's options.
    """
    inner = ContextMiddleware(plain, generator=lambda: "inner")
    answer = call(ContextMiddleware(inner, generator=lambda: "outer"))
    assert answer.header() == "outer"
    assert lines.completion()["requestID"] == "outer"
    assert lines.of("tests.app")[0]["requestID"] == "outer"


# What the server sees -----------------------------------------------------------


def test_receive_runs_without_the_context(lines: Lines) -> None:
    """
    The server's receive sees no store, and the application has its own after it.
    """
    seen: list[object] = []

    async def receive() -> Message:
        seen.append(ctxlog.get_store())
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        pass

    async def app(scope: Any, receive: Any, send: Any) -> None:
        store = ctxlog.get_store()
        await receive()
        assert ctxlog.get_store() is store
        await respond(send)

    wrapped = ContextMiddleware(app)
    asyncio.run(_await(wrapped(new_scope("http", ()), receive, send)))
    assert seen == [None]


async def _await(awaitable: Awaitable[None]) -> None:
    await awaitable


def test_send_runs_with_the_context_and_captures_none(lines: Lines) -> None:
    """
    The server's send logs as the request; a callback that it registers has nothing.
    """
    seen: list[dict[str, object]] = []
    later: list[dict[str, object]] = []

    async def body() -> None:
        called = asyncio.Event()

        async def receive() -> Message:
            return {"type": "http.request"}

        def callback() -> None:
            later.append(ctxlog.fields())
            called.set()

        async def send(message: Message) -> None:
            seen.append(ctxlog.fields())
            asyncio.get_running_loop().call_soon(callback)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200})
            await called.wait()

        scope = new_scope("http", with_id("one"))
        await ContextMiddleware(app)(scope, receive, send)

    asyncio.run(body())
    assert seen == [{"requestID": "one"}]
    assert later == [{}]


@pytest.mark.parametrize("access_lines", ["ctxlog", "both"])
def test_the_servers_access_line(lines: Lines, access_lines: str) -> None:
    """
    A server's access line, written by send, is dropped unless it is asked for.
    """
    ctxlog.configure(stream=lines.stream, format="json", access_lines=access_lines)
    access = logging.getLogger("uvicorn.access")

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            access.info("GET / 200")

    scope = new_scope("http", with_id("one"))
    asyncio.run(_await(ContextMiddleware(plain)(scope, receive, send)))
    kept = [one["requestID"] for one in lines.of("uvicorn.access")]
    assert kept == ([] if access_lines == "ctxlog" else ["one"])


def test_the_access_line_of_an_ignored_path_stays(lines: Lines) -> None:
    """
    Where ctxlog writes no completion line the server's access line is not dropped.
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:
        logging.getLogger("uvicorn.access").info("GET / 200")
        await respond(send)

    call(ContextMiddleware(app, completion_line=False))
    assert len(lines.of("uvicorn.access")) == 1


# Starlette and FastAPI ----------------------------------------------------------


def starlette_app(
    endpoint: Callable[[Any], Coroutine[Any, Any, Any]], **how: Any
) -> Any:
    need("starlette")
    from starlette.applications import Starlette
    from starlette.routing import Route

    return Starlette(routes=[Route("/", endpoint)], **how)


async def crashing_endpoint(request: Any) -> Any:
    """
    Raise.
    """
    raise ValueError("broken")


def crashing_app(framework: str, **how: Any) -> Any:
    if framework == "starlette":
        return starlette_app(crashing_endpoint, **how)
    app = need("fastapi").FastAPI(**how)

    async def endpoint() -> None:
        raise ValueError("broken")

    app.add_api_route("/", endpoint)
    return app


frameworks = pytest.mark.parametrize("framework", ["starlette", "fastapi"])


@frameworks
def test_the_frameworks_own_500_has_the_id(lines: Lines, framework: str) -> None:
    """
    With install(app) the 500 that the framework sends itself echoes the id.
    """
    app = crashing_app(framework)
    install(app)
    answer = call(app, headers=with_id("one"))
    assert (answer.status, answer.header()) == (500, "one")
    assert type(answer.error) is ValueError
    assert lines.completion()["status"] == 500


@frameworks
def test_the_applications_500_handler_keeps_its_say(
    lines: Lines, framework: str
) -> None:
    """
    The application's own handler for 500 answers, with the id, and logs with it.
    """
    responses = need("starlette.responses")

    async def handler(request: Any, error: Exception) -> Any:
        LOG.info("handling the error")
        return responses.PlainTextResponse("sorry", 500)

    app = crashing_app(framework, exception_handlers={Exception: handler})
    install(app)
    answer = call(app, headers=with_id("one"))
    assert (answer.status, answer.body) == (500, b"sorry")
    assert answer.header() == "one"
    assert lines.of("tests.app")[0]["requestID"] == "one"


@frameworks
def test_an_added_middleware_leaves_the_500_to_the_framework(
    lines: Lines, framework: str
) -> None:
    """
    Added with add_middleware() it answers nothing itself, and logs one line.
    """
    app = crashing_app(framework)
    app.add_middleware(ContextMiddleware)
    answer = call(app, headers=with_id("one"))
    assert answer.status == 500
    assert lines.completion()["requestID"] == "one"


def test_install_and_add_middleware_are_one(lines: Lines) -> None:
    """
    Installed and added as well, a request has one line.
    """
    app = crashing_app("starlette")
    app.add_middleware(ContextMiddleware)
    install(app)
    install(app)
    call(app)
    assert len(lines.completions()) == 1


def test_install_after_the_first_request(lines: Lines) -> None:
    """
    An application that has served requests can still be wrapped, and unwrapped.
    """
    app = crashing_app("starlette")
    assert call(app).headers("x-request-id") == []
    install(app)
    assert call(app, headers=with_id("one")).header() == "one"
    uninstall(app)
    assert call(app).headers("x-request-id") == []
    assert len(lines.completions()) == 1


def test_uninstall_before_the_first_request(lines: Lines) -> None:
    """
    uninstall(app) takes back what install(app) did; a second time it does nothing.
    """
    app = crashing_app("starlette")
    before = dict(vars(app))
    install(app)
    uninstall(app)
    uninstall(app)
    assert vars(app) == before
    assert call(app).headers("x-request-id") == []


def test_a_middleware_can_be_added_after_install(lines: Lines) -> None:
    """
    What is added after install(app) is inside of the request's store.
    """
    seen: list[object] = []
    app = crashing_app("starlette")
    install(app)

    class Added:
        def __init__(self, app: App) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            seen.append(ctxlog.fields())
            await self.app(scope, receive, send)

    app.add_middleware(Added)
    call(app, headers=with_id("one"))
    assert seen == [{"requestID": "one"}]


def test_install_takes_starlette_only() -> None:
    """
    install() of any other application is a TypeError that names the way out.
    """
    with pytest.raises(TypeError, match=r"ContextMiddleware\(app\)"):
        install(plain)


def test_install_reports_wrong_options_at_once() -> None:
    """
    A wrong option is reported by install(app), which then has changed nothing.
    """
    app = crashing_app("starlette")
    before = dict(vars(app))
    with pytest.raises(ctxlog.ConfigError):
        install(app, trust=["nonsense"])
    assert vars(app) == before


def test_a_background_task_is_the_requests(lines: Lines) -> None:
    """
    A background task's lines have the id and are not late; the duration leaves it out.
    """
    responses = need("starlette.responses")
    background = need("starlette.background")

    async def work() -> None:
        LOG.info("working")

    async def endpoint(request: Any) -> Any:
        task = background.BackgroundTask(work)
        return responses.PlainTextResponse("ok", background=task)

    app = starlette_app(endpoint)
    install(app)
    call(app, headers=with_id("one"))
    (line,) = lines.of("tests.app")
    assert line["requestID"] == "one"
    assert "late" not in line
    assert lines.completion()["status"] == 200


def test_a_synchronous_background_task_is_the_requests(lines: Lines) -> None:
    """
    A background task that runs in a thread logs with the request's id.
    """
    responses = need("starlette.responses")
    background = need("starlette.background")

    async def endpoint(request: Any) -> Any:
        task = background.BackgroundTask(LOG.info, "working")
        return responses.PlainTextResponse("ok", background=task)

    app = starlette_app(endpoint)
    install(app)
    call(app, headers=with_id("one"))
    assert [one["requestID"] for one in lines.of("tests.app")] == ["one"]


def test_a_streaming_response_has_the_context(lines: Lines) -> None:
    """
    A generator that makes the body logs with the id, and the line comes after it.
    """
    responses = need("starlette.responses")

    async def chunks() -> Any:
        for number in range(3):
            LOG.info("chunk", extra={"number": number})
            yield b"x"

    async def endpoint(request: Any) -> Any:
        return responses.StreamingResponse(chunks())

    app = starlette_app(endpoint)
    install(app)
    answer = call(app, headers=with_id("one"))
    assert answer.body == b"xxx"
    loggers = [one["logger"] for one in lines.load_all()]
    assert loggers == ["tests.app"] * 3 + ["ctxlog.request"]
    assert {one["requestID"] for one in lines.load_all()} == {"one"}


def test_fastapis_synchronous_parts_share_the_store(lines: Lines) -> None:
    """
    What a dependency binds in its thread is on the endpoint's and completion lines.
    """
    fastapi = need("fastapi")

    def authenticate() -> None:
        ctxlog.bind(user="u-1")

    def endpoint() -> str:
        LOG.info("handling")
        return "ok"

    app = fastapi.FastAPI(dependencies=[fastapi.Depends(authenticate)])
    app.add_api_route("/", endpoint)
    install(app)
    assert call(app).error is None
    assert [one["user"] for one in lines.load_all()] == ["u-1", "u-1"]


def test_a_mounted_application_with_its_own_is_one(lines: Lines) -> None:
    """
    A mounted application that is wrapped as well belongs to the outer request.
    """
    need("starlette")
    from starlette.applications import Starlette
    from starlette.routing import Mount

    app = Starlette(routes=[Mount("/sub", ContextMiddleware(plain))])
    install(app)
    call(app, path="/sub/x", headers=with_id("one"))
    assert lines.completion()["path"] == "/sub/x"
    assert lines.of("tests.app")[0]["requestID"] == "one"


def test_a_finished_request_leaves_nothing_to_the_garbage_collector() -> None:
    """
    Nothing of a request refers to itself: it is freed when the server lets go of it.
    """

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x"})

    app = ContextMiddleware(application)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        pass

    async def ask() -> None:
        scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
        await app(scope, receive, send)

    async def main() -> int:
        await ask()
        gc.collect()
        gc.disable()
        try:
            await ask()
            return gc.collect()
        finally:
            gc.enable()

    assert asyncio.run(main()) == 0


def test_a_trace_of_another_system_needs_trust_too(lines: Lines) -> None:
    """
    The header of a load balancer is read from the clients that `trust` names only.
    """
    headers = [("X-Amzn-Trace-Id", f"Root=1-{'1' * 8}-{'2' * 24};Parent={'3' * 16}")]
    call(ContextMiddleware(plain), headers=headers)
    line = lines.completion()
    assert (line["traceID"], line["spanID"]) == ("1" * 8 + "2" * 24, "3" * 16)
    lines.clear()
    call(ContextMiddleware(plain, trust=False), headers=headers)
    assert "traceID" not in lines.completion()


class Slotted:
    """
    An application whose objects take no attributes, as Litestar's.
    """

    __slots__ = ("status",)

    def __init__(self, status: int) -> None:
        self.status = status

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        LOG.info("handling")
        await respond(send, self.status)


def test_install_takes_any_object_that_is_an_application(lines: Lines) -> None:
    """
    It stays an object of its class, by name too; it gets back the class that it had.
    """
    app = Slotted(204)
    install(app)
    install(app)
    assert isinstance(app, Slotted)
    assert (type(app).__name__, type(app).__module__) == ("Slotted", __name__)
    answer = call(app, headers=with_id("one"))
    assert (answer.status, answer.header()) == (204, "one")
    assert lines.completion()["requestID"] == "one"
    assert type(Slotted(200)) is Slotted
    uninstall(app)
    assert type(app) is Slotted
    assert call(app, headers=with_id("one")).headers("x-request-id") == []


def test_install_is_undone_under_a_class_of_others(lines: Lines) -> None:
    """
    Another library may have given the object a class over ours; that one stays.
    """
    app = Slotted(200)
    install(app)

    class Traced(type(app)):  # type: ignore[misc]
        __slots__ = ()

    app.__class__ = Traced
    uninstall(app)
    assert type(app) is Traced
    assert call(app, headers=with_id("one")).headers("x-request-id") == []
    install(app)
    assert call(app, headers=with_id("one")).header() == "one"


@pytest.mark.parametrize("app", [object(), print, Slotted, lambda scope: None])
def test_install_refuses_what_is_no_application(app: object) -> None:
    """
    A class, a function, or an object that is not called as ASGI applications are.
    """
    with pytest.raises(TypeError, match=r"ContextMiddleware\(app\)"):
        install(app)


# Sizes --------------------------------------------------------------------------


def sending(*bodies: Message, headers: Any = ()) -> App:
    """
    An application that reads the request's body and sends these messages.
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:
        more = True
        while more:
            more = (await receive()).get("more_body", False)
        start = {"type": "http.response.start", "status": 200, "headers": headers}
        await send(start)
        for body in bodies:
            await send(body)

    return app


BODY = "http.response.body"
LENGTH = [(b"Content-Length", b"1234")]
SIZES: list[tuple[str, list[Message], Any, int | None]] = [
    ("GET", [{"type": BODY, "body": b"x" * 10}], (), 10),
    ("GET", [{"type": BODY}], (), 0),
    ("GET", [{"type": BODY, "body": memoryview(b"x" * 9)}], (), 9),
    ("GET", [{"type": BODY, "body": memoryview(bytes(12)).cast("i")}], (), 12),
    ("GET", [{"type": BODY, "body": bytearray(7)}], (), 7),
    ("GET", [{"type": BODY, "body": None}], (), 0),
    ("GET", [{"type": BODY, "body": "text"}], (), 0),
    ("HEAD", [{"type": BODY, "body": b"x" * 10}], LENGTH, 0),
    ("HEAD", [{"type": "http.response.pathsend", "path": "/a"}], LENGTH, 0),
    ("GET", [{"type": "http.response.pathsend", "path": "/a"}], LENGTH, 1234),
    ("GET", [{"type": "http.response.zerocopysend", "file": 3}], LENGTH, 1234),
    ("GET", [{"type": "http.response.pathsend", "path": "/a"}], (), None),
    (
        "GET",
        [{"type": "http.response.pathsend", "path": "/a"}],
        [(b"content-length", b"many")],
        None,
    ),
]


@pytest.mark.parametrize(("method", "bodies", "headers", "size"), SIZES)
def test_size_of_the_body(
    lines: Lines, method: str, bodies: list[Message], headers: Any, size: int | None
) -> None:
    """
    It is that of the body as sent; a file's is what the headers say.
    """
    app = sending(*bodies, headers=headers)
    call(ContextMiddleware(app), method=method)
    assert lines.completion().get("bytesOut") == size


def test_size_of_the_request(lines: Lines) -> None:
    """
    What the application has read is counted, whatever buffers the server gives it.
    """
    pieces = (b"x" * 10, bytearray(20), memoryview(bytes(30)))
    messages = [
        {"type": "http.request", "body": piece, "more_body": True} for piece in pieces
    ]
    app = ContextMiddleware(sending(), completion_fields=["bytesIn"])
    call(app, messages=[*messages, {"type": "http.request"}])
    assert lines.completion()["bytesIn"] == 60


@pytest.mark.parametrize("query", [b"a=%62", "a=%62", memoryview(b"a=%62"), None])
def test_the_query_is_read_whatever_its_type(lines: Lines, query: Any) -> None:
    """
    Servers and tests give bytes, texts, or none at all.
    """
    app = ContextMiddleware(plain, completion_fields=["query"])
    call(app, query_string=query)
    assert lines.completion().get("query") == (None if query is None else "a=%62")
    assert not lines.of("ctxlog")


def test_a_scope_without_most_of_it_has_a_line(lines: Lines) -> None:
    """
    All that can be asked for is absent where the scope does not have it.
    """
    asked_for = (
        *("query", "userAgent", "referer", "host", "scheme", "httpVersion"),
        *("bytesIn", "bytesOut", "header:X-A", "responseHeader:X-B"),
    )
    app = ContextMiddleware(plain, completion_fields=asked_for)

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        pass

    asyncio.run(app({"type": "http", "path": "/"}, receive, send))
    line = lines.completion()
    assert line["bytesOut"] == 2
    assert not {"query", "host", "scheme", "headers", "responseHeaders"} & line.keys()
