"""
Where the stamp of a log record is kept: beside the record, not among its attributes.

Other handlers and formatters export every attribute that they do not know, so a stamp
must not be one. Records of our own class have a slot for it. For records of any other
class a weak table has it, and `copyreg` takes it along in copies and pickles: the
record, its class and its attributes stay as they are.
"""

from __future__ import annotations

import copyreg
import weakref
from typing import Any

#: The slot of a record class that has one.
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
    """Return the stamp that *record* was given, or None."""
    if hasattr(type(record), SLOT):
        return getattr(record, SLOT, None)
    known = _table.get(id(record))
    return None if known is None else known[1]


def set_stamp(record: Any, stamp: object) -> None:
    """
    Give *record* a stamp, or take it away with None.

    A record of a class that allows no weak references is left without one.
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
    table.pop(reference.key, None)  # bound: the module may be gone by then


def _carry(kind: type) -> None:
    """Let copies and pickles of records of *kind* take their stamps along."""
    before = copyreg.dispatch_table.get(kind)

    def reduced(record: Any) -> Any:
        found = record.__reduce_ex__(4) if before is None else before(record)
        return with_stamp(found, get_stamp(record))

    copyreg.pickle(kind, reduced)
    _carried.add(kind)


def with_stamp(reduced: Any, stamp: object) -> Any:
    """Return what `__reduce_ex__` gave for a record, so that *stamp* comes along."""
    if stamp is None or not isinstance(reduced, tuple):
        return reduced
    make, args, *state = reduced
    return restored, (make, args, stamp), *state


def restored(make: Any, args: Any, stamp: object) -> Any:
    """Make a record again, with its stamp: called where it is copied or unpickled."""
    record = make(*args)
    set_stamp(record, stamp)
    return record
