"""
Addresses of stores: what they say, and that they never show a credential.
"""

from __future__ import annotations

import pytest

from ctxlog import aggregators
from ctxlog.aggregators._address import parse
from ctxlog.errors import ConfigError
from tests.helpers import need


def test_an_address_has_a_scheme_a_host_a_port_and_a_path() -> None:
    """The parts of an address are read, and a port may be left out."""
    address = parse("otlp://collector:4319/v1/logs")
    assert (address.scheme, address.tls) == ("otlp", False)
    assert (address.host, address.port(4318)) == ("collector", 4319)
    assert address.path == "/v1/logs"
    assert address.name == "otlp://collector:4319/v1/logs"
    assert parse("otlp://collector").port(4318) == 4318
    assert parse("otlp://[::1]:1").hosts == (("::1", 1),)
    several = parse("kafka://a:1,b,[::1],[::1]:2/topic")
    assert several.hosts[:2] == (("a", 1), ("b", None))
    assert several.hosts_and_ports(9) == ["a:1", "b:9", "[::1]:9", "[::1]:2"]


@pytest.mark.parametrize(
    ("text", "scheme", "tls"),
    [
        ("otlps://a", "otlp", True),
        ("rediss://a", "redis", True),
        ("redis://a", "redis", False),
        ("nats://a", "nats", False),
        ("vlogs://a", "vlogs", False),
        ("vlogss://a", "vlogs", True),
    ],
)
def test_one_s_more_is_tls(text: str, scheme: str, tls: bool) -> None:
    """A scheme with an `s` added means TLS, and one that has an `s` anyway does not."""
    address = parse(text)
    assert (address.scheme, address.tls) == (scheme, tls)


def test_what_has_no_host_has_a_path() -> None:
    """A file or a container follows the scheme as it is."""
    address = parse("duckdb:logs/app.db")
    assert (address.scheme, address.path, address.hosts) == (
        "duckdb",
        "logs/app.db",
        (),
    )


def test_headers_and_options_take_values_of_variables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A credential comes from an environment variable, alone or within a text."""
    monkeypatch.setenv("LOKI_AUTH", "Bearer s3cret")
    monkeypatch.setenv("WORD", "s3cret")
    address = parse(
        "loki://host?header=Authorization:$LOKI_AUTH&header=X-Scope-OrgID:team"
        "&header=X-Api-Key:${WORD}.1&password=$WORD&index=app"
    )
    assert address.headers == {
        "Authorization": "Bearer s3cret",
        "X-Scope-OrgID": "team",
        "X-Api-Key": "s3cret.1",
    }
    assert address.options == {"password": "s3cret", "index": "app"}
    assert address.name == "loki://host"
    assert "s3cret" not in repr(address)


@pytest.mark.parametrize(
    "text",
    [
        "otlp://user:s3cret@host/path?x=s3cret",
        "otlp://s3cret@host",
        "loki://host?header=Authorization:Bearer+s3cret",
        "loki://host?header=X-API-Key:s3cret",
        "clickhouse://host?header=X-ClickHouse-Key:s3cret",
        "redis://host?password=s3cret",
        "otlp://host:s3cret@port",
        "s3cret@host?x=s3cret",
        "nothing://host?token=$WORD",
        "otlp:user:s3cret@host:4318",
        "syslog:user:s3cret@host:514",
    ],
)
def test_no_credential_is_in_an_address_or_its_error(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An address with a credential is refused, and the error does not repeat it."""
    monkeypatch.setenv("WORD", "s3cret")
    with pytest.raises(ConfigError) as raised:
        aggregators.receiver(text)
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        "otlp://host?encoding=$WORD",
        "otlp://host?timeout=$WORD",
        "loki://host?labels=$WORD",
    ],
)
def test_no_credential_is_in_the_error_of_an_option(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable that stands where no credential belongs is not shown either."""
    need("urllib3")
    monkeypatch.setenv("WORD", "s3cret")
    with pytest.raises(ConfigError) as raised:
        aggregators.receiver(text)
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("nothing", "otlp://collector:4318"),
        ("Otlp://host", "otlp://collector:4318"),
        ("otlp://", "a host"),
        ("otlp:collector:4318", "a host after //"),
        ("syslog:collector:514", "a host after //"),
        ("otlp://host:port", "a host"),
        ("otlp://user:word@host", r"\$VARIABLE"),
        ("otlp://host?header=Authorization", "NAME:VALUE"),
        ("otlp://host?header=a b:c", "NAME:VALUE"),
        ("otlp://host?header=A:b%0Ac", "printable"),
        ("otlp://host?header=A:$NOT_SET", "NOT_SET"),
        ("otlp://host?x=1&x=2", "one value"),
        ("nothing://host", "otlp://host:4318"),
    ],
)
def test_a_wrong_address_says_what_is_right(text: str, complaint: str) -> None:
    """Each mistake in an address is a `ConfigError` that says what to write."""
    with pytest.raises(ConfigError, match=complaint):
        aggregators.receiver(text)


def test_options_are_checked() -> None:
    """An unknown option, a wrong word and a wrong time are errors."""
    address = parse("otlp://host?encoding=xml&timeout=soon&gzip=true&wait=2.5")
    with pytest.raises(ConfigError, match="encoding, gzip, header, timeout"):
        address.check_options({"encoding", "gzip", "timeout"})
    with pytest.raises(ConfigError, match="json or protobuf"):
        address.choice("encoding", "json", "protobuf")
    assert address.choice("gzip", "false", "true") == "true"
    assert address.choice("other", "false", "true") == "false"
    with pytest.raises(ConfigError, match="seconds"):
        address.seconds("timeout", 1.0)
    assert address.seconds("wait", 1.0) == 2.5
    assert address.seconds("other", 1.0) == 1.0
