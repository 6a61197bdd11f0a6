"""The items of in-process queues and pools, with the context they were made in."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Generic, TypeVar, overload

from ctxlog._names import PLACEHOLDERS, get_names
from ctxlog.carrier.ids import new_request_id
from ctxlog.carrier.rates import outgoing_rate
from ctxlog.carrier.received import ReceivedStore
from ctxlog.carrier.spans import outgoing_trace
from ctxlog.carrier.trace_context import Trace
from ctxlog.context.adapter import Entry, current_view
from ctxlog.line.redactor import get_redactor
from ctxlog.line.values import Walk, safe_str

_T = TypeVar("_T")

_MAX_PICKLED = 262_144


class CarriedItem(Generic[_T]):
    """
    An item with the context that it was made in; what `carry()` returns.

    It can be pickled: then the fields become plain and redacted.

    Attributes:
        item: The item itself.
    """

    __slots__ = ("_fields", "_rate", "_trace", "item")

    def __init__(
        self,
        item: _T,
        fields: Mapping[str, object],
        trace: Trace | None,
        rate: float | None = None,
    ) -> None:
        self.item = item
        self._fields = fields
        self._trace = trace
        self._rate = rate

    def __repr__(self) -> str:
        return f"<CarriedItem {self.item!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        fields = Walk(get_redactor(), _MAX_PICKLED, _MAX_PICKLED).named(
            self._fields.items()
        )
        return CarriedItem, (self.item, fields, self._trace, self._rate)

    def store(self) -> ReceivedStore:
        """Return a fresh store with the fields; with a new id if there was none."""
        store = ReceivedStore(self._fields)
        names = get_names()
        request_id = names.id_of(store)
        if request_id is None or safe_str(request_id) in PLACEHOLDERS:
            store[names.request_id] = new_request_id()
        store.enter_trace(self._trace)
        store.enter_rate(self._rate)
        return store


def carry(item: _T, /) -> CarriedItem[_T]:
    """
    Return *item* with the active context, to be put into a queue. Never raises.

    For workers of the same application that have run since before the request: threads,
    tasks and processes that take items from a `queue.Queue`, `asyncio.Queue`,
    `multiprocessing.Queue` or pool. All fields of the store and the scopes go along as
    they are now. The worker calls `adopt()`.
    """
    view = current_view()
    return CarriedItem(item, view.fields, outgoing_trace(), outgoing_rate(view))


class adopt(Generic[_T]):
    """
    Handle an item from a queue in the context that it was put in with.

    ::

        with ctxlog.adopt(queue.get()) as item:
            ...

    Inside, a fresh store with the fields of the request is active, whatever was active
    before; it is closed at the end. An item that was not carried gets a fresh store
    with a new request id. Leaving never raises.

    Args:
        carried: What `carry()` returned, or any other item.
    """

    __slots__ = ("_carried", "_entries")

    @overload
    def __init__(self, carried: CarriedItem[_T], /) -> None: ...
    @overload
    def __init__(self, carried: _T, /) -> None: ...
    def __init__(self, carried: Any, /) -> None:
        self._carried: CarriedItem[_T] = (
            carried
            if isinstance(carried, CarriedItem)
            else CarriedItem(carried, {}, None)
        )
        self._entries: list[Entry] = []

    def __enter__(self) -> _T:
        entry = Entry(self._carried.store())
        self._entries.append(entry)
        entry.__enter__()
        return self._carried.item

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._entries.pop().__exit__(kind, error, traceback)
