"""
The WSGI adapter, driven as servers drive it, with `wsgiref.validate` on both sides.
"""

from __future__ import annotations

import gc
import io
import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.util import FileWrapper, setup_testing_defaults
from wsgiref.validate import validator

import pytest

import ctxlog
from ctxlog import config
from ctxlog.errors import ConfigError
from ctxlog.servers.wsgi import ContextMiddleware
from tests.helpers import LogEnvironment

App = Callable[[Any, Any], Iterable[bytes]]

LOG = logging.getLogger("tests.app")


class Server:
    """
    One request, served as PEP 3333 says, or as a server that is not so careful.
    """

    def __init__(self, app: App, *, checked: bool = True, **environ: Any) -> None:
        self.environ: dict[str, Any] = {"REMOTE_ADDR": "203.0.113.7", **environ}
        setup_testing_defaults(self.environ)
        if self.environ.setdefault("QUERY_STRING", "") is None:
            del self.environ["QUERY_STRING"]
        self.app = validator(app) if checked else app
        self.started: list[tuple[str, list[tuple[str, str]]]] = []
        self.sent: list[bytes] = []
        #: The context of the server's thread between the pieces.
        self.between: list[object] = []

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        if exc_info is not None:
            if self.sent:
                raise exc_info[1]
            self.started.clear()
        assert not self.started, "start_response was called twice"
        self.started.append((status, headers))
        return self.sent.append

    def respond(self) -> Any:
        body = self.app(self.environ, self.start_response)
        self.between.append(ctxlog.get_store())
        return body

    def serve(self) -> Server:
        body = self.respond()
        try:
            for chunk in body:
                self.between.append(ctxlog.get_store())
                self.sent.append(chunk)
        finally:
            body.close()
        self.between.append(ctxlog.get_store())
        return self

    @property
    def status(self) -> str:
        """
        The response's status.
        """
        ((status, _),) = self.started
        return status

    @property
    def body(self) -> bytes:
        """
        All that was sent.
        """
        return b"".join(self.sent)

    def header(self, name: str = "x-request-id") -> str:
        """
        The one header of this name.
        """
        ((_, headers),) = self.started
        (value,) = [value for key, value in headers if key.lower() == name]
        return value


@pytest.fixture
def lines(log_env: LogEnvironment) -> LogEnvironment:
    """
    All that is logged, as lines.
    """
    config.configure(format="json", stream=log_env.stream, level="DEBUG")
    return log_env


@pytest.fixture(autouse=True)
def _unconfigured() -> Iterator[None]:
    yield
    config.unconfigure()


def completion(lines: LogEnvironment) -> dict[str, Any]:
    """
    The one completion line.
    """
    (line,) = [one for one in lines.load_all() if one["logger"] == "ctxlog.request"]
    return line


PLAIN = [("Content-Type", "text/plain")]


def hello(environ: Any, start_response: Any) -> Iterable[bytes]:
    LOG.info("called")
    start_response("200 OK", PLAIN)
    return [b"hello"]


def streaming(environ: Any, start_response: Any) -> Iterator[bytes]:
    LOG.info("started")
    start_response("200 OK", PLAIN)
    try:
        for number in range(3):
            LOG.info("chunk %d", number)
            yield b"x"
    finally:
        LOG.info("closed")


def test_every_line_of_a_request_has_its_id(lines: LogEnvironment) -> None:
    """
    The lines of the call, and the completion line, have the id that is echoed.
    """
    server = Server(ContextMiddleware(hello), HTTP_X_REQUEST_ID="req-1").serve()
    assert (server.status, server.body) == ("200 OK", b"hello")
    assert server.header() == "req-1"
    called, done = lines.load_all()
    assert called["requestID"] == done["requestID"] == "req-1"
    assert done["logger"] == "ctxlog.request"
    assert done["message"] == "GET / 200"
    assert done["status"] == 200
    assert done["client"] == "203.0.113.7"
    assert "late" not in done
    assert server.between == [None] * len(server.between)


def test_a_body_runs_in_the_store_until_it_is_closed(lines: LogEnvironment) -> None:
    """
    A generator that starts late, its chunks and its end are one request's.
    """
    middleware = ContextMiddleware(validator(streaming))
    server = Server(middleware, HTTP_X_REQUEST_ID="req-1").serve()
    assert server.body == b"xxx"
    messages = [(one["message"], one["requestID"]) for one in lines.load_all()]
    assert messages == [
        ("started", "req-1"),
        ("chunk 0", "req-1"),
        ("chunk 1", "req-1"),
        ("chunk 2", "req-1"),
        ("closed", "req-1"),
        ("GET / 200", "req-1"),
    ]
    assert len(server.between) == 5
    assert set(server.between) == {None}


def test_two_requests_in_turns_on_one_thread(lines: LogEnvironment) -> None:
    """
    Bodies that one thread iterates in turns share nothing, nor do their scopes.
    """

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", PLAIN)
        with ctxlog.scope(part=environ["HTTP_X_REQUEST_ID"]):
            for _ in range(3):
                LOG.info("chunk")
                yield b"x"

    ids = ["req-1", "req-2"]
    middleware = ContextMiddleware(app)
    bodies = [iter(Server(middleware, HTTP_X_REQUEST_ID=one).respond()) for one in ids]
    for _ in range(3):
        for body in bodies:
            next(body)
            assert ctxlog.fields() == {}
    for body in bodies:
        assert next(body, None) is None
        body.close()
    chunks = [one for one in lines.load_all() if one["message"] == "chunk"]
    assert [one["requestID"] for one in chunks] == ids * 3
    assert all(one["part"] == one["requestID"] for one in chunks)


def test_a_list_stays_a_list_of_known_length() -> None:
    """
    The length of what the application returned is still known, so servers can tell
    the content's.
    """
    middleware = ContextMiddleware(hello)
    body = Server(middleware, checked=False).respond()
    assert len(body) == 1
    body.close()
    body = Server(ContextMiddleware(streaming), checked=False).respond()
    assert not hasattr(body, "__len__")
    body.close()


def test_close_is_called_once_and_on_the_applications_own(
    lines: LogEnvironment,
) -> None:
    """
    `close()` of the iterable that the application returned runs once, in the store.
    """

    class Result:
        closed = 0

        def __iter__(self) -> Iterator[bytes]:
            return iter([b"x"])

        def close(self) -> None:
            self.closed += 1
            LOG.info("closing")

    result = Result()

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", PLAIN)
        return result

    body = Server(ContextMiddleware(app), checked=False).respond()
    assert list(body) == [b"x"]
    body.close()
    body.close()
    assert result.closed == 1
    closing, done = lines.load_all()
    assert closing["requestID"] == done["requestID"] != "N/A"


def test_a_close_that_raises_is_the_requests_error(lines: LogEnvironment) -> None:
    """
    The request ends by what its `close()` raised, which goes on to the server.
    """

    class Result(list[bytes]):
        def close(self) -> None:
            raise ValueError("bad")

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", PLAIN)
        return Result([b"x"])

    body = Server(ContextMiddleware(app), checked=False).respond()
    assert list(body) == [b"x"]
    with pytest.raises(ValueError, match="bad"):
        body.close()
    done = completion(lines)
    assert (done["error"], done["level"]) == ("ValueError", "ERROR")


def test_an_error_before_the_response_is_a_500_with_the_id(
    lines: LogEnvironment,
) -> None:
    """
    The middleware answers 500; the error goes on, and its report is the request's.
    """

    def app(environ: Any, start_response: Any) -> Any:
        ctxlog.bind(order="o-7")
        raise ValueError("broken")

    server = Server(ContextMiddleware(app), HTTP_X_REQUEST_ID="req-1")
    with pytest.raises(ValueError, match="broken") as caught:
        server.respond()
    assert server.status == "500 Internal Server Error"
    assert server.header() == "req-1"
    assert server.body == b"Internal Server Error"
    assert ctxlog.get_store() is None
    error = caught.value
    logging.getLogger("gunicorn.error").error("Error handling", exc_info=error)
    done, report = lines.load_all()
    assert done["message"] == "GET / 500"
    assert done["error"] == "ValueError"
    assert report["requestID"] == "req-1"
    assert report["order"] == "o-7"
    assert "late" not in report


def test_an_error_after_start_response_replaces_the_response(
    lines: LogEnvironment,
) -> None:
    """
    What was started and not sent is replaced by the 500, as the protocol allows.
    """

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", PLAIN)
        raise ValueError("broken")
        yield b""

    server = Server(ContextMiddleware(app), HTTP_X_REQUEST_ID="req-1")
    with pytest.raises(ValueError, match="broken"):
        server.serve()
    assert server.status == "500 Internal Server Error"
    assert server.header() == "req-1"
    assert completion(lines)["status"] == 500


def test_an_error_in_the_middle_of_the_body(lines: LogEnvironment) -> None:
    """
    After the first chunk the status stays; the completion line comes with `close()`.
    """

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", PLAIN)
        yield b"x"
        raise ValueError("broken")

    server = Server(ContextMiddleware(app))
    body = server.respond()
    chunks = iter(body)
    next(chunks)
    server.sent.append(b"x")
    with pytest.raises(ValueError, match="broken") as caught:
        next(chunks)
    assert lines.load_all() == []
    chunks.close()
    logging.getLogger("waitress").error("Exception", exc_info=caught.value)
    done, report = lines.load_all()
    assert (done["status"], done["error"], done["level"]) == (
        200,
        "ValueError",
        "ERROR",
    )
    assert report["requestID"] == done["requestID"] == server.header()
    assert "late" not in report


def test_what_the_server_raises_while_it_sends(lines: LogEnvironment) -> None:
    """
    A server that cannot send a chunk reports it with the request's id.
    """

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", PLAIN)
        return ["no bytes"]

    server = Server(ContextMiddleware(app), checked=False, HTTP_X_REQUEST_ID="req-1")
    body = server.respond()
    try:
        try:
            for chunk in body:
                memoryview(chunk)
        finally:
            body.close()
    except TypeError:
        logging.getLogger("gunicorn.error").exception("Error handling request")
    done, report = lines.load_all()
    assert (done["error"], done["requestID"]) == ("TypeError", "req-1")
    assert report["requestID"] == "req-1"


@pytest.mark.parametrize("gone", [BrokenPipeError, GeneratorExit, None])
def test_a_client_that_leaves(lines: LogEnvironment, gone: Any) -> None:
    """
    A body that is closed early, for a broken pipe or for no reason, is a disconnect.
    """
    server = Server(ContextMiddleware(streaming), checked=False)
    body = server.respond()
    next(iter(body))
    if gone is None:
        body.close()
    else:
        try:
            raise gone
        except gone:
            body.close()
    done = completion(lines)
    assert done["disconnected"] is True
    assert (done["status"], done["level"]) == (200, "WARNING")
    closed = [one for one in lines.load_all() if one["message"] == "closed"]
    assert closed[0]["requestID"] == done["requestID"]


def test_an_error_around_the_server_is_not_the_requests(lines: LogEnvironment) -> None:
    """
    A request that is served while some error is being handled has nothing of it.
    """
    try:
        raise KeyError("earlier")
    except KeyError:
        Server(ContextMiddleware(hello)).serve()
    assert "error" not in completion(lines)


def test_head_has_no_body_to_read(lines: LogEnvironment) -> None:
    """
    A server that does not read the body of a HEAD request has not been left.
    """
    server = Server(ContextMiddleware(streaming), checked=False, REQUEST_METHOD="HEAD")
    server.respond().close()
    assert "disconnected" not in completion(lines)


def test_a_server_that_never_closes_loses_no_line(lines: LogEnvironment) -> None:
    """
    The completion line comes when the server has dropped the body.
    """
    server = Server(ContextMiddleware(hello), checked=False)
    body = server.respond()
    assert list(body) == [b"hello"]
    assert len(lines.load_all()) == 1
    del body
    gc.collect()
    assert completion(lines)["status"] == 200


def test_write_is_the_servers(lines: LogEnvironment) -> None:
    """
    `write()` goes to the server; an error after it changes the status no more.
    """

    def app(environ: Any, start_response: Any) -> Any:
        write = start_response("200 OK", PLAIN)
        write(b"sent")
        raise ValueError("broken")

    server = Server(ContextMiddleware(app))
    with pytest.raises(ValueError, match="broken"):
        server.respond()
    assert (server.status, server.body) == ("200 OK", b"sent")
    done = completion(lines)
    assert (done["status"], done["error"]) == (200, "ValueError")


def test_start_response_again_with_an_error(lines: LogEnvironment) -> None:
    """
    An application that answers an error by itself has its own status and one id.
    """

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", PLAIN)
        try:
            raise ValueError("broken")
        except ValueError:
            headers = [*PLAIN, ("X-Request-Id", "their-own")]
            start_response("503 Down", headers, sys.exc_info())
        return [b"down"]

    server = Server(ContextMiddleware(app), HTTP_X_REQUEST_ID="req-1").serve()
    assert server.status == "503 Down"
    assert server.header() == "req-1"
    assert completion(lines)["status"] == 503


@pytest.mark.parametrize("status", ["banana", "", "200", 200, None, "9999 OK"])
def test_an_invalid_status_goes_to_the_server_as_it_is(
    lines: LogEnvironment, status: Any
) -> None:
    """
    What is no status line is the server's to judge, and costs no line.
    """

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response(status, PLAIN)
        return [b"x"]

    server = Server(ContextMiddleware(app), checked=False).serve()
    assert server.status == status
    assert completion(lines).get("status") == (200 if status == "200" else None)


def test_an_application_that_returns_nothing(lines: LogEnvironment) -> None:
    """
    What cannot be iterated over is an error of the request.
    """

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", PLAIN)

    server = Server(ContextMiddleware(app), checked=False)
    with pytest.raises(TypeError):
        server.respond()
    assert server.status == "500 Internal Server Error"
    assert completion(lines)["error"] == "TypeError"


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_the_end_of_the_process_is_not_answered(
    lines: LogEnvironment, error: type[BaseException]
) -> None:
    """
    A worker that is told to end is no 500; the request has its line.
    """

    def app(environ: Any, start_response: Any) -> Any:
        raise error

    server = Server(ContextMiddleware(app))
    with pytest.raises(error):
        server.respond()
    assert server.started == []
    assert completion(lines)["error"] == error.__name__


def test_a_debugger_shows_the_error_itself(lines: LogEnvironment) -> None:
    """
    What asks for errors, around the middleware, gets them with nothing sent.
    """

    def app(environ: Any, start_response: Any) -> Any:
        raise ValueError("broken")

    wanted = {"werkzeug.debug.preserve_context": [].append}
    server = Server(ContextMiddleware(app), **wanted)
    with pytest.raises(ValueError, match="broken"):
        server.respond()
    assert server.started == []
    assert completion(lines)["status"] == 500


def test_a_file_is_left_to_the_server(lines: LogEnvironment) -> None:
    """
    A server's own file wrapper stays what it is; its `close()` ends the request.
    """

    class File(io.BytesIO):
        def close(self) -> None:
            if not self.closed:
                LOG.info("closing the file")
            super().close()

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", PLAIN)
        return environ["wsgi.file_wrapper"](File(b"content"))

    middleware = ContextMiddleware(app)
    server = Server(middleware, checked=False, **{"wsgi.file_wrapper": FileWrapper})
    body = server.respond()
    assert type(body) is FileWrapper
    assert b"".join(body) == b"content"
    body.close()
    closing, done = lines.load_all()
    assert closing["requestID"] == done["requestID"] != "N/A"
    assert done["status"] == 200
    assert "disconnected" not in done


def test_a_file_wrapper_that_cannot_be_watched_is_iterated_over(
    lines: LogEnvironment,
) -> None:
    """
    A wrapper without attributes of its own loses the server's short cut, not the line.
    """

    class Wrapper:
        __slots__ = ("file",)

        def __init__(self, file: Any) -> None:
            self.file = file

        def __iter__(self) -> Iterator[bytes]:
            return iter(self.file)

        def close(self) -> None:
            self.file.close()

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", PLAIN)
        return Wrapper(io.BytesIO(b"content"))

    middleware = ContextMiddleware(app)
    server = Server(middleware, checked=False, **{"wsgi.file_wrapper": Wrapper})
    assert server.serve().body == b"content"
    assert completion(lines)["status"] == 200


def test_the_path_has_the_mount_point_and_no_query(lines: LogEnvironment) -> None:
    """
    The path is SCRIPT_NAME and PATH_INFO, as text; a query string is never logged.
    """
    path = "/käse".encode().decode("latin-1")
    Server(
        ContextMiddleware(hello),
        SCRIPT_NAME="/shop",
        PATH_INFO=path,
        QUERY_STRING="token=secret",
    ).serve()
    assert completion(lines)["path"] == "/shop/käse"
    assert "secret" not in lines.text()


@pytest.mark.parametrize(
    "bad", ["a" * 129, "a b", "a\r\nX: y", "one, two", "", "\x00", "ä"]
)
def test_an_id_that_is_not_usable_is_replaced_and_not_logged(
    lines: LogEnvironment, bad: str
) -> None:
    """
    An id that does not fit is replaced by a new one; a line says so, without it.
    """
    server = Server(ContextMiddleware(hello), HTTP_X_REQUEST_ID=bad).serve()
    made = server.header()
    assert len(made) == 32
    assert {one["requestID"] for one in lines.load_all()} == {made}
    assert not bad or bad not in lines.text()
    (said,) = [one for one in lines.load_all() if "replaced" in one["message"]]
    assert said["level"] == "WARNING"


def test_further_headers_and_the_trust(lines: LogEnvironment) -> None:
    """
    The id is also taken from X-Correlation-ID, and from trusted clients only.
    """
    middleware = ContextMiddleware(hello, trust=["203.0.113.0/24"])
    server = Server(middleware, HTTP_X_CORRELATION_ID="corr-1").serve()
    assert server.header() == "corr-1"
    server = Server(
        middleware, HTTP_X_CORRELATION_ID="corr-1", REMOTE_ADDR="192.0.2.1"
    ).serve()
    assert server.header() != "corr-1"


def test_the_user_is_read_late(lines: LogEnvironment) -> None:
    """
    REMOTE_USER, or what `user=` returns, is on the completion line.
    """

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        environ["REMOTE_USER"] = "alice"
        return hello(environ, start_response)

    Server(ContextMiddleware(app)).serve()
    assert completion(lines)["user"] == {"name": "alice"}
    lines.clear()
    Server(ContextMiddleware(app, user=lambda environ: {"id": 7})).serve()
    assert completion(lines)["user"] == {"id": 7}


def test_a_user_that_cannot_be_read_costs_nothing(lines: LogEnvironment) -> None:
    """
    A `user=` that raises is reported in a line of the request.
    """

    def broken(environ: Any) -> object:
        raise RuntimeError("no database")

    server = Server(ContextMiddleware(hello, user=broken)).serve()
    _, said, done = lines.load_all()
    assert said["message"] == "the user of the request could not be read"
    assert said["requestID"] == done["requestID"] == server.header()


def test_inside_another_one_it_does_nothing(lines: LogEnvironment) -> None:
    """
    Applied twice there is one store and one completion line.
    """
    app = ContextMiddleware(ContextMiddleware(hello))
    server = Server(app, HTTP_X_REQUEST_ID="req-1").serve()
    assert server.header() == "req-1"
    assert completion(lines)["requestID"] == "req-1"


def test_an_environment_that_is_used_again_is_a_new_request(
    lines: LogEnvironment,
) -> None:
    """
    The same environment, given twice, makes two requests.
    """
    server = Server(ContextMiddleware(hello)).serve()
    first = server.header()
    server.started.clear()
    server.serve()
    assert server.header() != first


def test_the_servers_own_lines_are_the_requests_until_it_ends(
    lines: LogEnvironment,
) -> None:
    """
    Between the pieces a server's logger has the request's fields, others have none.
    """
    config.configure(stream=lines.stream, format="json", access_lines="both")
    server = Server(ContextMiddleware(hello), checked=False, HTTP_X_REQUEST_ID="req-1")
    body = server.respond()
    list(body)
    logging.getLogger("gunicorn.access").info("GET /")
    logging.getLogger("tests.other").info("nobody's")
    body.close()
    logging.getLogger("gunicorn.access").info("400")
    ids = {one["message"]: one["requestID"] for one in lines.load_all()}
    assert ids == {
        "called": "req-1",
        "GET /": "req-1",
        "nobody's": "N/A",
        "GET / 200": "req-1",
        "400": "N/A",
    }


@pytest.mark.parametrize("logger", ["gunicorn.access", "django.server", "werkzeug"])
def test_the_servers_access_line_is_not_needed(
    lines: LogEnvironment, logger: str
) -> None:
    """
    An access line between the pieces is dropped where there is a completion line.
    """
    server = Server(ContextMiddleware(hello, ignore_paths=["/health"]), checked=False)
    body = server.respond()
    logging.getLogger(logger).info("access")
    body.close()
    assert [one["logger"] for one in lines.load_all()] == [
        "tests.app",
        "ctxlog.request",
    ]
    lines.clear()
    server = Server(server.app, checked=False, PATH_INFO="/health")
    body = server.respond()
    logging.getLogger(logger).info("access")
    body.close()
    called, access = lines.load_all()
    assert access["message"] == "access"
    assert access["requestID"] == called["requestID"]


def test_werkzeugs_crash_report_stays(lines: LogEnvironment) -> None:
    """
    A report that a server writes as text while it handles the error is the request's.
    """

    def app(environ: Any, start_response: Any) -> Any:
        raise ValueError("broken")

    server = Server(ContextMiddleware(app), HTTP_X_REQUEST_ID="req-1")
    try:
        server.respond()
    except ValueError:
        logging.getLogger("werkzeug").info('"GET /" 500')
        logging.getLogger("werkzeug").error("Error on request: ...")
    done, report = lines.load_all()
    assert done["logger"] == "ctxlog.request"
    assert report["message"] == "Error on request: ..."
    assert report["requestID"] == "req-1"
    assert "late" not in report


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("request_id_header", "a b"),
        ("accept_headers", "X-ID"),
        ("trust", ["nowhere"]),
        ("generator", 1),
        ("validator", 1),
        ("user", 1),
        ("ignore_paths", "/x"),
        ("completion_line", 1),
    ],
)
def test_a_wrong_option_is_named(option: str, value: Any) -> None:
    """
    A value that an option cannot have is refused when the middleware is made.
    """
    options: Any = {option: value}
    with pytest.raises(ConfigError, match=option):
        ContextMiddleware(hello, **options)
