"""
TLS to every store by HTTP and to syslog, and IPv6: who is trusted, and what is said.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from ctxlog.aggregators import (
    DeniedError,
    Question,
    RefusedError,
    UnavailableError,
    reader,
    receiver,
)
from tests.aggregators.certificates import certificate
from tests.aggregators.web import Answer, Store, serving
from tests.helpers import need

need("urllib3")

#: Stores by HTTP, with an answer that says that one line was taken.
HTTP = {
    "clickhouses": Answer(200),
    "elastics": Answer(200, b'{"errors":false,"items":[]}'),
    "lokis": Answer(204),
    "otlps": Answer(200, b"{}"),
    "vlogss": Answer(200),
}
LINE = b'{"message":"a"}\n'


def _context(pem: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that nobody has signed, for 127.0.0.1 and ::1."""
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def store(pem: Path) -> Iterator[Store]:
    """A server with that certificate."""
    with serving(tls=_context(pem)) as store:
        yield store


@pytest.fixture(autouse=True)
def _no_other_trust(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


def _send(address: str) -> None:
    with contextlib.closing(receiver(address)) as one:
        assert one.send([LINE], 30) == {}


@pytest.mark.parametrize("scheme", HTTP)
def test_who_is_not_trusted_gets_nothing(store: Store, scheme: str) -> None:
    """An operator has to act, and is told what to do."""
    with pytest.raises(DeniedError) as raised:
        _send(f"{scheme}://127.0.0.1:{store.port}")
    said = str(raised.value)
    assert said.startswith("TLS fails: self")
    assert said.endswith("name its CA by ?ca=FILE or SSL_CERT_FILE")
    assert store.requests == []


@pytest.mark.parametrize("scheme", HTTP)
def test_a_ca_of_ones_own(
    store: Store, scheme: str, pem: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is named by the address, or by OpenSSL's environment variable."""
    store.usual = HTTP[scheme]
    _send(f"{scheme}://127.0.0.1:{store.port}?ca={pem}")
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    _send(f"{scheme}://127.0.0.1:{store.port}")
    assert len(store.requests) == 2


@pytest.mark.parametrize("scheme", ["clickhouses", "elastics", "lokis", "vlogss"])
def test_reading_trusts_as_writing_does(store: Store, scheme: str, pem: Path) -> None:
    """The reading side verifies, too."""
    store.usual = Answer(400)
    address = f"{scheme}://127.0.0.1:{store.port}"
    with contextlib.closing(reader(address)) as one:
        with pytest.raises(DeniedError, match="TLS fails"):
            list(one.lines(Question()))
    with contextlib.closing(reader(f"{address}?ca={pem}")) as one:
        with pytest.raises(RefusedError):
            list(one.lines(Question()))


def test_a_certificate_for_another_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that is not in the certificate is an error, though it is trusted."""
    pem = certificate(tmp_path, "DNS:logs.example")
    with serving(tls=_context(pem)) as store:
        with pytest.raises(DeniedError, match="TLS fails: .*not valid for") as raised:
            _send(f"otlps://127.0.0.1:{store.port}?ca={pem}")
        assert "ca=FILE" not in str(raised.value)
        assert store.requests == []


@pytest.mark.parametrize("tls", [False, True])
def test_an_ipv6_address(pem: Path, tls: bool) -> None:
    """It stands in brackets, and is in the `Host` header as such."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    with serving(host="::1", tls=_context(pem) if tls else None) as store:
        store.usual = HTTP["otlps"]
        _send(f"otlp{'s' * tls}://[::1]:{store.port}?ca={pem}")
        assert store.requests[0].headers["Host"] == f"[::1]:{store.port}"


def test_proxies_of_the_environment_are_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A connection goes to the address, not to `HTTP_PROXY`."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
        monkeypatch.setenv(name.lower(), "http://127.0.0.1:1")
    with serving() as store:
        store.usual = HTTP["otlps"]
        _send(f"otlp://127.0.0.1:{store.port}")
        assert len(store.requests) == 1


def test_syslog_says_the_same(store: Store) -> None:
    """A receiver of syslog is verified as a store by HTTP is."""
    with pytest.raises(DeniedError, match="TLS fails: self.*ca=FILE"):
        _send(f"syslogs://127.0.0.1:{store.port}")


def test_a_connection_that_ends_within_the_handshake_is_tried_again(pem: Path) -> None:
    """That is no matter of trust."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with contextlib.closing(receiver(f"otlps://127.0.0.1:{port}?ca={pem}")) as one:
            server.settimeout(0)
            with pytest.raises(UnavailableError) as raised:
                one.send([LINE], 0.2)
    assert not isinstance(raised.value, DeniedError)
