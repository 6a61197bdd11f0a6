"""
A request that has ended, as the application's own rules see it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any


class HeaderMap(Mapping[str, str]):
    """
    Headers by their names, in whatever case those are looked up.

    Args:
        pairs: The names and values, as texts or as bytes. The values of a name that
            comes several times are joined by a comma (RFC 9110, section 5.2).
        hidden: The name, in lower case, of one to leave out.
    """

    __slots__ = ("_values",)

    def __init__(
        self, pairs: Iterable[tuple[Any, Any]] = (), hidden: str | None = None
    ) -> None:
        values: dict[str, str] = {}
        for name, value in pairs:
            key, text = _text(name).lower(), _text(value)
            values[key] = f"{values[key]}, {text}" if key in values else text
        if hidden is not None:
            values.pop(hidden, None)
        self._values = values

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        # Names only: the values may be secrets.
        return f"<{type(self).__name__} of {', '.join(self) or 'no headers'}>"


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).decode("latin-1")
    return str(value)


class Completed:
    """
    A request, task or call that has ended: what `completion=` and its like are given.

    It is of use during that call only.

    Attributes:
        method: The method of a request; None for a task.
        path: Its path, without the query string; None for a task.
        route: The template that matched, or the task's name; None if nothing matched.
        status: The status of the response, the name of gRPC's status code, or how a
            task ended; None if there was no response.
        duration: How long it took, in seconds.
        error: The exception that ended it; None without one.
    """

    __slots__ = (
        *("duration", "error", "method", "path", "route", "status"),
        *("_headers", "_hidden", "_read_headers", "_read_request"),
    )

    def __init__(
        self,
        *,
        method: str | None = None,
        path: str | None = None,
        route: object,
        status: int | str | None,
        duration: float,
        error: BaseException | None,
        headers: Callable[[], Iterable[tuple[Any, Any]]],
        request: Callable[[], object],
        hidden: str | None = None,
    ) -> None:
        self.method = method
        self.path = path
        self.route = route
        self.status = status
        self.duration = duration
        self.error = error
        self._headers: HeaderMap | None = None
        self._read_headers = headers
        self._read_request = request
        self._hidden = hidden

    @property
    def headers(self) -> Mapping[str, str]:
        """
        The headers of the request, or of the task's message, in any case.

        Without `debug_header`, whose value is a secret.
        """
        if self._headers is None:
            self._headers = HeaderMap(self._read_headers(), self._hidden)
        return self._headers

    @property
    def request(self) -> Any:
        """The framework's own request, as each adapter documents; None without one."""
        return self._read_request()

    def __repr__(self) -> str:
        what = self.route or self.path
        return f"<{type(self).__name__} {self.method or 'task'} {what} {self.status}>"
