"""
Attributes left on other libraries' objects show no value to those who print them.
"""

from __future__ import annotations

import copy
import pprint
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import ctxlog
from ctxlog._kept import Kept
from ctxlog.servers.wsgi import ContextMiddleware

SECRET = "hunter2"


def walked(value: object, seen: set[int] | None = None) -> Iterator[object]:
    """
    All that an error tracker may find: members, items, attributes and slots.
    """
    seen = set() if seen is None else seen
    if id(value) in seen:
        return
    seen.add(id(value))
    yield value
    inside: list[object] = []
    if isinstance(value, Mapping):
        inside += [*value.keys(), *value.values()]
    elif isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        inside += [*value] if isinstance(value, (list, tuple, set)) else []
    inside += getattr(value, "__dict__", {}).values()
    for kind in type(value).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        names = [slots] if isinstance(slots, str) else slots
        inside += [getattr(value, name, None) for name in names]
    for one in inside:
        yield from walked(one, seen)


def test_a_kept_store_shows_the_names_of_its_fields_only() -> None:
    """
    Neither its text nor a walk through it gives a value; its owner gets it back.
    """
    store = ctxlog.Store(requestID="req-A", card=SECRET)
    kept = Kept(store)
    assert kept.take() is store
    assert copy.copy(kept).take() is store
    assert repr(kept) == "<Store of requestID, card>"
    assert not isinstance(kept, (Mapping, Iterable))
    shown = [one for one in walked(kept) if not isinstance(one, type)]
    assert all(SECRET not in pprint.pformat(one) for one in shown)


def test_a_wsgi_environment_shows_no_field() -> None:
    """
    An error tracker that shows the environment finds no value of the store.
    """
    seen: list[str] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        ctxlog.bind(card=SECRET)
        ours = [environ["ctxlog.store"], environ["wsgi.errors"]]
        seen.extend(pprint.pformat(one) for part in ours for one in walked(part))
        return []

    class Errors:
        __slots__ = ()

    environ = {"wsgi.errors": Errors(), "REQUEST_METHOD": "GET", "PATH_INFO": "/"}
    ContextMiddleware(app)(environ, lambda *started: None)
    assert seen
    assert SECRET not in "".join(seen)
