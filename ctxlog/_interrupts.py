"""
Exceptions that interrupt a log call, told apart from bad values. Core.

A log call survives whatever a value raises while it is read. An exception that a signal
handler raises in the middle of a log call is not about a value: it is a time limit, a
worker's shutdown, Ctrl-C, and must reach the program. Both arrive at the same `except`.
"""

from __future__ import annotations

import functools
import signal
from collections.abc import Iterator
from opcode import opmap
from types import CodeType, FrameType, FunctionType, MethodType, TracebackType
from typing import Any

_KNOWN: tuple[type[BaseException], ...] = ()

# Raised by the interpreter and by ourselves all the time, never by a time limit.
_ORDINARY = frozenset({AttributeError, KeyError, TypeError, ValueError})

_JUMPS = ("JUMP_BACKWARD", "POP_JUMP_BACKWARD_IF", "POP_JUMP_IF")

# Instructions that raise nothing by themselves, but at which the interpreter looks
# whether something is to be raised from outside.
_PLACES = frozenset(
    number
    for name, number in opmap.items()
    if name in ("RESUME", "JUMP_ABSOLUTE") or name.startswith(_JUMPS)
)


def add_interrupt(kind: type[BaseException]) -> None:
    """
    Let exceptions of a type always leave a log call.

    For adapters of libraries that raise a time limit in another thread
    (`PyThreadState_SetAsyncExc`), where no signal handler is involved. Adding it again
    is a no-op.
    """
    global _KNOWN
    if kind not in _KNOWN:
        _KNOWN = (*_KNOWN, kind)


def is_interrupt(error: BaseException) -> bool:
    """
    Return whether `error` was raised from outside of the code that it stopped.

    For an `except` clause that survives what third-party code raises, which raises the
    exception again if this is true. An exception interrupts if

    - a frame of its traceback is a signal handler's,
    - its type was added by `add_interrupt`, or
    - it was raised at an instruction that raises nothing by itself.

    Only the last is left of a handler without Python code, and of an exception that
    another thread set. After a call of a C function they cannot be told from an
    exception of that function, and count as such.
    """
    if isinstance(error, _KNOWN):
        return True
    trace = error.__traceback__
    if trace is None:
        return False
    # The first frame is the one that asks: it handles no signal.
    if trace.tb_next is not None:
        codes = {code for _, handler in _handlers() for code in _codes(handler)}
        while trace.tb_next is not None:
            trace = trace.tb_next
            frame = trace.tb_frame
            if frame.f_code in codes or _is_given_its_caller(frame):
                return True
    return type(error) not in _ORDINARY and _is_between_calls(trace)


# Below `signal.getsignal`, which takes fifty times as long to give an enum's member.
_getsignal: Any = getattr(signal, "_signal", signal).getsignal


def handled_signals() -> list[int]:
    """Return the signals that have a handler in Python."""
    return [number for number, _ in _handlers()]


def _handlers() -> Iterator[tuple[int, Any]]:
    for number in range(1, signal.NSIG):
        try:
            handler = _getsignal(number)
        except ValueError:  # Windows has a few only
            continue
        if callable(handler) and handler is not signal.default_int_handler:
            yield number, handler


def _codes(handler: Any) -> Iterator[CodeType]:
    """Yield the Python code that runs first when `handler` is called."""
    while isinstance(handler, functools.partial):
        handler = handler.func
    called = handler
    if not isinstance(handler, (FunctionType, MethodType)):
        called = type(handler).__call__
    if isinstance(called, MethodType):
        called = called.__func__
    if isinstance(called, FunctionType):
        yield called.__code__


def _is_given_its_caller(frame: FrameType) -> bool:
    """
    Return whether a function was called as a signal handler: with a number and a frame.

    The frame is the interrupted one, which is the caller's. So a handler is found
    although it has been replaced meanwhile, or is called by code in C.
    """
    code, caller = frame.f_code, frame.f_back
    count = code.co_argcount
    variable = bool(code.co_flags & _VARIABLE)
    if caller is None or count + variable == 0:
        return False
    found = frame.f_locals
    given = [found.get(name) for name in code.co_varnames[:count]]
    if variable:  # named after the keyword-only ones
        given += found.get(code.co_varnames[count + code.co_kwonlyargcount], ())[:2]
    return any(
        after is caller and issubclass(type(before), int)
        for before, after in zip(given, given[1:], strict=False)
    )


_VARIABLE = 0x04  # `inspect.CO_VARARGS`, without importing that


def _is_between_calls(trace: TracebackType) -> bool:
    place = trace.tb_lasti
    # Before 3.11 there is no instruction where a function begins.
    return place < 0 or trace.tb_frame.f_code.co_code[place] in _PLACES
