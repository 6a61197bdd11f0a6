"""
Addresses of stores: `otlp://collector:4318`, `lokis://logs?header=X-Scope-OrgID:team`.

A scheme that ends with an `s` more means TLS. Credentials come from environment
variables, which an address names: `?header=Authorization:$LOKI_AUTH`. So an address can
stand in a file or a command line, and nothing that is made of it shows a secret.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from ctxlog.errors import ConfigError
from ctxlog.line.redact import Redactor

_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?")
#: Words of `Authorization` that are no secret, and what is too short to be one.
_KINDS = frozenset({"ApiKey", "Basic", "Bearer", "Token"})
_LEAST_SECRET = 4


@dataclass(frozen=True)
class Address:
    """
    An address, read.

    Attributes:
        name: The address without credentials: for lines and errors.
        scheme: Which store it is, without the `s` of TLS.
        tls: Whether to use TLS.
        hosts: Names of hosts with their ports; one, unless the store takes several.
        path: What follows the host, or all that follows the scheme if there is no host;
            may be empty.
        options: The options but `header`, with the values of variables filled in.
        headers: The headers that requests carry, with values filled in.
        secrets: What of them comes from environment variables.
    """

    name: str
    scheme: str
    tls: bool
    hosts: tuple[tuple[str, int | None], ...]
    path: str
    options: Mapping[str, str] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    secrets: frozenset[str] = field(default=frozenset(), repr=False)

    @staticmethod
    def parse(text: str) -> Address:
        """
        Read an address.

        Raises:
            ConfigError: if it is none, has credentials in itself, or names an
                environment variable that is not set.
        """
        return parse(text)

    @property
    def host(self) -> str:
        """The first host; empty if there is none."""
        return self.hosts[0][0] if self.hosts else ""

    def port(self, default: int) -> int:
        """Return the port of the first host, or the store's usual one."""
        port = self.hosts[0][1] if self.hosts else None
        return default if port is None else port

    def hosts_and_ports(self, default: int) -> list[str]:
        """Return each host with its port, an IPv6 address in brackets."""
        return [
            (f"[{host}]" if ":" in host else host) + f":{port or default}"
            for host, port in self.hosts
        ]

    def check_options(self, known: Collection[str]) -> None:
        """
        Raise if there is an option that the store does not know.

        Raises:
            ConfigError: if there is one.
        """
        for name in self.options.keys() - set(known):
            allowed = ", ".join(sorted({*known, "header"}))
            raise self.error(f"one of the options {allowed}", f"?{name}=")

    def choice(self, name: str, *allowed: str) -> str:
        """
        Return an option that is one of some words; the first is the default.

        Raises:
            ConfigError: if it is another one.
        """
        value = self.options.get(name, allowed[0])
        if value not in allowed:
            shown = self.without_secrets(value)
            raise ConfigError(f"{name} of {self.name}", shown, " or ".join(allowed))
        return value

    def seconds(self, name: str, default: float) -> float:
        """
        Return an option that is a number of seconds.

        Raises:
            ConfigError: if it is none, or 0.
        """
        text = self.options.get(name)
        if text is None:
            return default
        if not _SECONDS.fullmatch(text) or not 0 < float(text) <= 3600:
            shown = self.without_secrets(text)
            raise ConfigError(f"{name} of {self.name}", shown, "seconds, as 2.5")
        return float(text)

    def without_secrets(self, text: str) -> str:
        """Return what a store has said, which may repeat what it was sent."""
        for secret in sorted(self.secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text

    def error(self, allowed: str, value: object = None) -> ConfigError:
        """Return the error to raise for this address, without credentials."""
        shown = self.name
        if value is not None:
            shown += self.without_secrets(str(value))
        return ConfigError("address", shown, allowed)


def parse(text: str) -> Address:
    """
    Read an address.

    Raises:
        ConfigError: if it is none, has credentials in itself, or names an environment
            variable that is not set.
    """
    before, colon, rest = text.partition(":")
    if not colon or not re.fullmatch("[a-z][a-z0-9+.-]*", before):
        shown = _without_secrets(text)
        raise ConfigError("address", shown, "one as otlp://collector:4318")
    if not rest.startswith("//"):  # `duckdb:app.db`, `docker:shop`
        if before not in _WITHOUT_HOST or (before in _SOCKETS and rest[:1] not in "/"):
            allowed = "a host after //, as otlp://collector:4318"
            raise ConfigError("address", f"{before}:", allowed)
        return Address(text, before, False, (), rest, {}, {})
    url = urlsplit(text)
    name = f"{before}://{url.netloc.rpartition('@')[2]}{url.path}"
    if "@" in url.netloc:
        raise ConfigError(
            "address",
            name,
            "no user and password in it; name environment variables in its options: "
            "?header=Authorization:$VARIABLE, or ?user=NAME&password=$VARIABLE where "
            "the store has those",
        )
    secrets: set[str] = set()
    options, headers = _options(name, url.query, secrets)
    tls = before.endswith("s") and before not in _WITHOUT_TLS
    scheme = before[:-1] if tls else before
    hosts = tuple(_host(name, part) for part in url.netloc.split(","))
    path = unquote(url.path)
    return Address(name, scheme, tls, hosts, path, options, headers, frozenset(secrets))


#: Schemes of which a file, or the name of something on this machine, follows.
_WITHOUT_HOST = frozenset({"docker", "duckdb", "file", "journal", "kube", "syslog"})
#: Those where that is the absolute path of a socket, or nothing.
_SOCKETS = frozenset({"syslog"})
#: Schemes that end with an `s` of their own.
_WITHOUT_TLS = frozenset({"nats", "redis", "vlogs"})


def _without_secrets(text: str) -> str:
    return text.partition("?")[0].rpartition("@")[2]


def _host(name: str, text: str) -> tuple[str, int | None]:
    try:
        one = urlsplit(f"//{text}")
        port, host = one.port, one.hostname
    except ValueError:
        port, host = None, None
    if not host:
        raise ConfigError("address", name, "a host, as collector:4318")
    return host, port


def _options(
    name: str, query: str, secrets: set[str]
) -> tuple[dict[str, str], dict[str, str]]:
    options: dict[str, str] = {}
    headers: dict[str, str] = {}
    for option, value in parse_qsl(query, keep_blank_values=True):
        if option == "header":
            header, colon, content = value.partition(":")
            if not colon or not _HEADER_NAME.fullmatch(header):
                allowed = "?header=NAME:VALUE or ?header=NAME:$VARIABLE"
                raise ConfigError(f"header of {name}", header, allowed)
            before = f"header={header}:"
            headers[header] = _filled(before, header, content.strip(), secrets)
            if not headers[header].isprintable() or not headers[header].isascii():
                raise ConfigError(f"header of {name}", header, "printable ASCII text")
        elif option in options:
            raise ConfigError(f"{option} of {name}", "twice", "one value")
        else:
            options[option] = _filled(f"{option}=", option, value, secrets)
    return options, headers


def _filled(before: str, name: str, text: str, secrets: set[str]) -> str:
    """
    Return a value with the values of the environment variables that it names.

    Args:
        before: What the address has before it, for an error.
        name: What has the value.
        text: The value, as the address has it.
        secrets: Words of these variables' values are added to it.
    """
    if is_secret(name) and not _VARIABLE.search(text):
        allowed = f"the name of an environment variable: ?{before}$VARIABLE"
        raise ConfigError(name, "text in the address", allowed)

    def value(match: re.Match[str]) -> str:
        variable = match[1] or match[2]
        try:
            content = os.environ[variable]
        except KeyError:
            allowed = f"a text: the address of a store names it for {name}"
            raise ConfigError(variable, None, allowed) from None
        words = {content, *content.split()} - _KINDS
        secrets.update(word for word in words if len(word) >= _LEAST_SECRET)
        return content

    return _VARIABLE.sub(value, text)


def is_secret(name: str) -> bool:
    """Return whether a header or an option with this name is a credential."""
    return _redactor().hides(name) or name.lower().endswith("-key")


@functools.cache
def _redactor() -> Redactor:
    return Redactor()
