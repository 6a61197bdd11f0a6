"""
Clients for the stacks that do not speak plain HTTP: the same requests.
"""

from __future__ import annotations

from tests.stacks.driver import BODY, LIMIT, Gate, Request

__all__ = ["GrpcClient", "WebSocketClient"]


class GrpcClient:
    """
    A client of a gRPC server whose methods are called as the paths are.

    gRPC's status is noted as the one that HTTP would have.
    """

    errors: tuple[type[Exception], ...]

    def __init__(self, port: int) -> None:
        import grpc

        self.errors = (grpc.RpcError,)
        # Else all channels of a process share one connection.
        options = [("grpc.use_local_subchannel_pool", 1)]
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}", options)

    def send(self, request: Request, gate: Gate) -> None:
        """Call a method, read its responses, note what came back."""
        import grpc

        metadata = (
            [] if request.sent_id is None else [("x-request-id", request.sent_id)]
        )
        posted = request.path.startswith("/plain")
        # One response is a stream of one, on the wire.
        method = self._channel.unary_stream(request.path)
        call = method(BODY if posted else b"", metadata=metadata, timeout=LIMIT)
        request.echoed_id = dict(call.initial_metadata()).get("x-request-id")
        if request.kind == "disconnect":
            next(call)
            request.status = 200
            gate.until_waiting(request.token)
            call.cancel()
            return
        try:
            body = b"".join(call)
        except grpc.RpcError:
            codes = {grpc.StatusCode.UNKNOWN: 500, grpc.StatusCode.UNIMPLEMENTED: 404}
            request.status = codes.get(call.code())
        else:
            request.status = 200
            assert not posted or body == BODY, f"{len(body)} bytes came back"

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()


class WebSocketClient:
    """
    A client that opens a websocket for each request.

    A server that closes it because of an error has noted the status 500.
    """

    errors: tuple[type[Exception], ...]

    def __init__(self, port: int) -> None:
        from websockets.exceptions import WebSocketException

        self.errors = (WebSocketException,)
        self._port = port

    def send(self, request: Request, gate: Gate) -> None:
        """Open a websocket, read its messages to the end, note what came back."""
        from websockets.exceptions import ConnectionClosedError, InvalidStatus
        from websockets.sync.client import connect

        headers = {} if request.sent_id is None else {"X-Request-ID": request.sent_id}
        url = f"ws://127.0.0.1:{self._port}{request.path}"
        try:
            opened = connect(url, additional_headers=headers, open_timeout=LIMIT)
        except InvalidStatus as refused:
            request.echoed_id = refused.response.headers.get("X-Request-ID")
            request.status = refused.response.status_code
            return
        with opened as socket:
            assert socket.response is not None
            request.echoed_id = socket.response.headers.get("X-Request-ID")
            request.status = 200
            posted = request.path.startswith("/plain")
            if posted:
                socket.send(BODY)
            if request.kind == "disconnect":
                socket.recv(LIMIT)
                gate.until_waiting(request.token)
                socket.close_socket()
                return
            try:
                body = b"".join(socket)  # type: ignore[arg-type]
            except ConnectionClosedError:
                request.status = 500
            else:
                assert not posted or body == BODY, f"{len(body)} bytes came back"

    def close(self) -> None:
        """Nothing to do: a connection lasts as long as its request."""
