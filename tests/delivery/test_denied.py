"""
Kafka, NATS and Redis that deny, or that are not trusted: an operator is told.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ctxlog.aggregators import DeniedError, UnavailableError, receiver
from tests.aggregators.certificates import certificate
from tests.aggregators.lines import line_of
from tests.delivery import brokers
from tests.helpers import LIMIT, need

pytestmark = pytest.mark.real_server

LIBRARIES = {"kafkas": "confluent_kafka", "natss": "nats", "rediss": "redis"}


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    """A certificate that nobody has signed."""
    return certificate(tmp_path)


@contextlib.contextmanager
def _untrusted(pem: Path, greeting: bytes) -> Iterator[int]:
    """Listen with a certificate until the block ends; yield the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    listener = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        while True:
            try:
                there, _ = listener.accept()
            except OSError:
                return
            try:
                there.settimeout(LIMIT)
                there.sendall(greeting)
                with context.wrap_socket(there, server_side=True) as stream:
                    stream.recv(1)
            except OSError:
                there.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(LIMIT)


def _denied(address: str) -> str:
    """Return what is said at last; the first attempts may find it busy."""
    with contextlib.closing(receiver(address)) as one:
        for _ in range(20):
            try:
                one.send([line_of()], 10)
            except DeniedError as error:
                return str(error)
            except UnavailableError:
                continue
    pytest.fail("it does not deny")


@pytest.mark.parametrize("scheme", LIBRARIES)
def test_who_is_not_trusted_gets_nothing(scheme: str, pem: Path) -> None:
    """The other side's certificate is verified, unless told otherwise by no option."""
    need(LIBRARIES[scheme])
    greeting = b""
    if scheme == "natss":  # the server speaks first
        greeting = (
            b'INFO {"server_id":"x","max_payload":1048576,"tls_required":true}\r\n'
        )
    with _untrusted(pem, greeting) as port:
        said = _denied(f"{scheme}://127.0.0.1:{port}/logs")
    assert "verif" in said or "TLS fails: self" in said


@pytest.mark.parametrize("by", ["ca", "SSL_CERT_FILE"])
def test_nats_that_is_trusted(
    by: str, pem: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its certificate is trusted by an option, or by the variable."""
    need("nats")
    with brokers.nats("--tls", "--tlscert", str(pem), "--tlskey", str(pem)) as broker:
        address = f"natss://127.0.0.1:{broker.port}/logs"
        monkeypatch.setenv("SSL_CERT_FILE", str(pem) if by != "ca" else "/nothing")
        if by == "ca":
            address += f"?ca={pem}"
        # It is there, and has no stream.
        assert _denied(address) == "no stream takes this subject"


def test_a_wrong_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """NATS and Redis refuse it, and what is said does not have it."""
    need("nats", "redis")
    monkeypatch.setenv("WORD", "s3cret-word")
    with brokers.nats("--auth", "another") as broker:
        said = _denied(f"nats://127.0.0.1:{broker.port}/logs?token=$WORD")
    assert "uthorization" in said
    library = need("redis")
    with brokers.valkey() as broker:
        with library.Redis(port=broker.port) as client:
            client.config_set("requirepass", "another")
        place = f"redis://127.0.0.1:{broker.port}/logs"
        for address in (f"{place}?password=$WORD", place):
            assert "s3cret" not in _denied(address)
