"""
Stamps of log records, kept beside the records' attributes. Core: standard library only.

Other handlers and formatters export every attribute that they do not know, so a stamp
must not be one. ctxlog's own record class has a slot for it. For records of any other
class the stamp is in a weak table, and `copyreg` takes it along in copies and pickles:
the record, its class and its attributes stay as they are.
"""

from __future__ import annotations

import copyreg
import weakref
from typing import Any

#: The name of the slot, in a record class that has one.
SLOT = "_ctxlog_stamp"


class _Reference(weakref.ref[Any]):
    """A weak reference to a record that knows the record's key in the table."""

    __slots__ = ("key",)

    key: int


# By identity: a record's class may define what is equal, and how it hashes.
_table: dict[int, tuple[_Reference, object]] = {}

# The classes whose copies and pickles take their stamps along.
_carried: weakref.WeakSet[type] = weakref.WeakSet()


def get_stamp(record: object) -> object:
    """Return the stamp of *record*, or None if it has none."""
    if hasattr(type(record), SLOT):
        return getattr(record, SLOT, None)
    known = _table.get(id(record))
    return None if known is None else known[1]


def set_stamp(record: Any, stamp: object) -> None:
    """
    Give *record* a stamp, or take its stamp away with None.

    A record of a class that allows no weak references gets none.
    """
    kind = type(record)
    if hasattr(kind, SLOT):
        setattr(record, SLOT, stamp)
    elif stamp is None:
        _table.pop(id(record), None)
    else:
        try:
            reference = _Reference(record, _forget)
        except TypeError:
            return
        reference.key = id(record)
        _table[reference.key] = reference, stamp
        if kind not in _carried:
            _carry(kind)


def _forget(reference: _Reference, table: dict[int, Any] = _table) -> None:
    # The table is a default: at the end of the process the module may be empty.
    table.pop(reference.key, None)


def _carry(kind: type) -> None:
    """Take the stamps of records of *kind* along in their copies and pickles."""
    before = copyreg.dispatch_table.get(kind)

    def reduced(record: Any) -> Any:
        found = record.__reduce_ex__(4) if before is None else before(record)
        return with_stamp(found, get_stamp(record))

    copyreg.pickle(kind, reduced)
    _carried.add(kind)


def with_stamp(reduced: Any, stamp: object) -> Any:
    """Return what a record's `__reduce_ex__` has returned, with *stamp* in it."""
    if stamp is None or not isinstance(reduced, tuple):
        return reduced
    make, args, *state = reduced
    return restored, (make, args, stamp), *state


def restored(make: Any, args: Any, stamp: object) -> Any:
    """Make a record from its copy or pickle, with its stamp."""
    record = make(*args)
    set_stamp(record, stamp)
    return record
