"""
What the environment of a CGI-like request says, for completion lines and routes.

PEP 3333 names its variables after RFC 3875; Django has the same in `request.META`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, TypeAlias

_Environ: TypeAlias = Mapping[str, Any]

#: The headers that have no prefix.
_UNPREFIXED = ("CONTENT_TYPE", "CONTENT_LENGTH")

#: The most prefixes that are told apart, and the longest of them.
_MOST_MOUNTS, _LONGEST_MOUNT = 100, 200

_mounts: set[str] = set()


def decoded(value: str) -> str:
    """Decode a value of the environment: it is bytes, shown as Latin-1."""
    if value.isascii():
        return value
    try:
        return value.encode("latin-1").decode("utf-8", "replace")
    except UnicodeEncodeError:
        return value


def headers_of(environ: _Environ) -> Iterator[tuple[str, str]]:
    """Yield the headers of a request, by their names in lower case."""
    for key, value in environ.items():
        if key.startswith("HTTP_"):
            name = key[5:]
            if name in _UNPREFIXED:  # some servers have them twice
                continue
        elif key in _UNPREFIXED:
            name = key
        else:
            continue
        if value not in ("", None):
            yield name.replace("_", "-").lower(), str(value)


def query_of(environ: _Environ) -> str:
    """Return the query string of a request."""
    return str(environ.get("QUERY_STRING") or "")


def http_version_of(environ: _Environ) -> str | None:
    """Return the version of HTTP as ASGI has it, `1.1` or `2`."""
    name, _, version = str(environ.get("SERVER_PROTOCOL") or "").partition("/")
    if name.upper() != "HTTP" or not version:
        return None
    return version if version.startswith("1.") else version.removesuffix(".0")


def mounted(route: str, environ: _Environ) -> str:
    """
    Return a route with the prefix that its application is mounted under.

    The prefix is `SCRIPT_NAME`, which the path of a completion line begins with, too.
    Middleware may take that from a header, so at most a hundred prefixes are told
    apart: no client makes routes without end.

    Args:
        route: The template, as the application knows it.
        environ: The request's environment when the application routes it.
    """
    mount = environ.get("SCRIPT_NAME")
    if not mount or not isinstance(mount, str):
        return route
    with suppress(UnicodeError):  # Bottle has decoded the prefixes of its mounts
        mount = mount.encode("latin-1").decode()
    mount = mount.rstrip("/")
    if mount not in _mounts:
        if len(_mounts) >= _MOST_MOUNTS or len(mount) > _LONGEST_MOUNT:
            return route
        _mounts.add(mount)
    return f"{mount}/{route.removeprefix('/')}"
