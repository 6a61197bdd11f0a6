"""
The text of any value, and how deep third-party code is in being read.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from ctxlog._interrupts import is_interrupt

#: Returns the name of a class. Not `kind.__name__`, which a metaclass may define.
class_name: Callable[[type], str] = type.__dict__["__name__"].__get__


class _Reading(threading.local):
    """Per-thread nesting depth while third-party values are read."""

    reader: object = None
    depth = 0


#: A value may log while it is being read, itself perhaps: a line within a line within
#: a line. Beyond `MAX_READING` of them no third-party value is read, to come to an end.
reading = _Reading()
MAX_READING = 4


def type_name(value: object) -> str:
    """Return the name of the type of `value`. Never raises."""
    return class_name(type(value))


def safe_str(value: object) -> str:
    """
    Return `str(value)`, else its `repr()`, else its type's name.

    Raises nothing but what interrupts it.
    """
    for convert in (str, repr):
        try:
            return str.__str__(convert(value))
        except Exception as error:
            # A third-party __str__ or __repr__ may raise anything: the next is asked.
            if is_interrupt(error):
                raise
    return f"<unprintable {type_name(value)}>"
