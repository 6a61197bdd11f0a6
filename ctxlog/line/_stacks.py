"""
The frames of a traceback as Python shows them, each rendered once.

A frame is shown with its source line and, from 3.11 on, with the part of it that
failed, for which Python parses the line: most of what a line with an exception costs.
The same places fail again and again, so their texts are kept, as long as the source is
the same.
"""

from __future__ import annotations

import linecache
import os
import signal
import sys
import threading
import traceback
from types import CodeType, TracebackType
from typing import Any, NamedTuple

from ctxlog._interrupts import handled_signals
from ctxlog._memory import remember

# Python shows this many frames of one place in a row, and counts the others.
_IN_A_ROW = 3

# Longer texts, of generated code, are rendered again.
_LONG = 4096


class _Rendered(NamedTuple):
    """
    The text of a frame.

    Attributes:
        code: The frame's code; its identity is part of the key while it is kept here.
        source: What `linecache` has of the source that the text shows; None if it is
            none, as of code that was made from a string.
        text: The text.
    """

    code: CodeType
    source: Any
    text: str


_known: dict[tuple[int, int, int], _Rendered] = {}


def format_stack(trace: TracebackType) -> str:
    """Return the text of `traceback.format_tb`."""
    if hasattr(sys, "tracebacklimit"):
        return _by_python(trace)
    cache, known = linecache.cache, _known
    unchanged: set[int] = set()
    texts: list[str] = []
    place, count = None, 0
    node: TracebackType | None = trace
    while node is not None:
        code, lineno = node.tb_frame.f_code, node.tb_lineno
        file = code.co_filename
        before, place = place, (file, lineno, code.co_name)
        count = count + 1 if place == before else 1
        if count > _IN_A_ROW:
            return _by_python(trace)
        found = known.get((id(code), node.tb_lasti, lineno))
        if found is None or found.source is not cache.get(file):
            texts.append(_rendered(node))
        else:
            source = found.source
            if id(source) not in unchanged:
                if not _is_unchanged(source):
                    return _by_python(trace)
                unchanged.add(id(source))
            texts.append(found.text)
        node = node.tb_next
    return "".join(texts)


def _is_unchanged(source: Any) -> bool:
    """Return whether a file is still the one that `linecache` has read."""
    if source is None:
        return True
    size, modified, _, path = source
    if modified is None:
        return True
    try:
        now = os.stat(path)
    except OSError:
        return False
    return bool(size == now.st_size and modified == now.st_mtime)


def _rendered(node: TracebackType) -> str:
    """Return the text of a traceback's first frame, and keep it."""
    code = node.tb_frame.f_code
    file = code.co_filename
    before = linecache.cache.get(file)
    text = _by_python(node, 1)
    # A source that was read meanwhile may be another one: the next time is soon enough.
    if linecache.cache.get(file) is before and len(text) <= _LONG:
        if before is None:  # a file that is missing may come yet
            lasting = file.startswith("<") and file.endswith(">")
        else:  # a loader that has not been asked for its source has one member
            lasting = len(before) == 4
        if lasting:
            key = (id(code), node.tb_lasti, node.tb_lineno)
            remember(_known, key, _Rendered(code, before, text))
    return text


def _by_python(trace: TracebackType, limit: int | None = None) -> str:
    # From 3.13 on Python swallows what is raised while it looks for the part of a
    # source line that failed. It takes a millisecond: signals wait for its end, if no
    # other thread gets them.
    numbers = handled_signals() if _DEFERS else ()
    if not numbers or threading.get_ident() != threading.main_thread().ident:
        return "".join(traceback.format_tb(trace, limit))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
        return "".join(traceback.format_tb(trace, limit))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_DEFERS = sys.version_info >= (3, 13) and hasattr(signal, "pthread_sigmask")
