"""
Streams: how each takes bytes, and which hand them to a logger.
"""

from __future__ import annotations

import io
import logging
import os
import select
import sys
from types import FrameType, FunctionType, MethodType
from typing import Any

from ctxlog._interrupts import is_interrupt


def descriptor_of(stream: Any) -> int | None:
    """
    Return the descriptor of `stream` if writing to it is as good as to the stream.

    Only for these very types: others that have a `fileno()` may compress, copy or
    convert what is written to them (`gzip`, a notebook's output, a tee).
    """
    raw = stream
    try:
        if type(raw) is io.TextIOWrapper:
            raw = raw.buffer
        if type(raw) is io.BufferedWriter:
            raw = raw.raw
        return raw.fileno() if type(raw) is io.FileIO else None
    except ValueError:  # closed, or detached
        return None


def nothing() -> None:
    """Flush nothing: where bytes are not written by the descriptor."""


def blocks(descriptor: int) -> bool:
    try:
        return os.get_blocking(descriptor)
    except (AttributeError, OSError):  # Windows before 3.12
        return True


def wait_until_writable(descriptor: int) -> None:
    if hasattr(select, "poll"):  # select() takes no descriptor over 1023
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        poll.poll(1000)
    else:
        select.select((), (descriptor,), (), 1.0)


def write_text(stream: Any, line: bytes) -> None:
    """Write `line` to any stream, binary or text. Raises what the stream does."""
    if isinstance(stream, (io.RawIOBase, io.BufferedIOBase)):
        stream.write(line)
    else:
        text = line.decode("utf-8", "replace")
        try:
            stream.write(text)
        except UnicodeEncodeError:  # a text stream with a narrow encoding
            stream.write(text.encode("ascii", "backslashreplace").decode())
        except TypeError as error:  # a binary stream that is none of io's
            if is_interrupt(error):
                raise
            stream.write(line)
    flush = getattr(stream, "flush", None)
    if flush is not None:
        flush()


# Streams that log ---------------------------------------------------------------


def logs(stream: Any) -> bool:
    """
    Return whether a stream seems to hand what is written to it to a logger.

    Its `write` is of Python, and the stream holds a logger, or `write` names one.
    """
    write = getattr(type(stream), "write", None)
    if type(write) is not FunctionType:
        return False
    held = list(getattr(stream, "__dict__", {}).values())
    held += [write.__globals__.get(name) for name in write.__code__.co_names]
    for cell in write.__closure__ or ():
        try:
            held.append(cell.cell_contents)
        except ValueError:  # it is empty yet
            continue
    return any(map(_is_logger, held))


def _is_logger(value: Any) -> bool:
    if type(value) is MethodType:
        value = value.__self__
    kind = type(value)
    return (
        value is logging
        or issubclass(kind, (logging.Logger, logging.LoggerAdapter))
        or str(kind.__module__).partition(".")[0] in ("loguru", "structlog")
    )


def is_writing(stream: Any) -> bool:
    """Return whether the `write` of a stream is running: what it calls is logging."""
    write = getattr(type(stream), "write", None)
    if type(write) is not FunctionType:
        return False
    code = write.__code__
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code is code and frame.f_locals.get(code.co_varnames[0]) is stream:
            return True
        frame = frame.f_back
    return False


def echoes(logged: bytes, line: bytes) -> bool:
    """Return whether the message of a line is another line."""
    # Within JSON there are backslashes before the quotation marks.
    return line.replace(b"\\", b"").strip()[:256] in logged.replace(b"\\", b"")
