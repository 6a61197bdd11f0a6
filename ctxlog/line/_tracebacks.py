"""
Tracebacks as Python shows them, which an interrupt may stop.

`traceback.format_exception` swallows whatever is raised while it reads the text of an
exception, a time limit that a signal handler raises among it.
"""

from __future__ import annotations

import builtins
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from ctxlog.line._stacks import format_stack

_LINKS = (
    "\nThe above exception was the direct cause of the following exception:\n\n",
    "\nDuring handling of the above exception, another exception occurred:\n\n",
)

# Exceptions of which Python shows more than a type and a text: a place in a source, a
# similar name.
_SHOWN_BY_PYTHON = (AttributeError, ImportError, NameError, SyntaxError)


def _group_type() -> Any:
    """Return the type of exceptions that have others as members, or ()."""
    if sys.version_info >= (3, 11):
        return builtins.BaseExceptionGroup
    else:
        # The package of this name, of which anyio and others raise groups, teaches
        # `traceback` to show the members.
        return getattr(sys.modules.get("exceptiongroup"), "BaseExceptionGroup", ())


def format_exception(
    error: BaseException, text_of: Callable[[BaseException], str]
) -> str:
    """
    Return the traceback of `error`, of its cause and of its context.

    Args:
        error: The exception.
        text_of: Returns the text of an exception; may be interrupted.
    """
    parts: list[str] = []
    group = _group_type()
    for one, link in _chain(error):
        if isinstance(one, group):
            # Each member is shown with all that led to it.
            return "".join(
                traceback.format_exception(type(error), error, error.__traceback__)
            )
        parts += (link, _last_lines(one, text_of))
        if one.__traceback__ is not None:
            parts += (format_stack(one.__traceback__), _TRACEBACK)
    parts.reverse()
    return "".join(parts)


_TRACEBACK = "Traceback (most recent call last):\n"


def _last_lines(error: BaseException, text_of: Callable[[BaseException], str]) -> str:
    """Return what follows the stack of an exception."""
    if isinstance(error, _SHOWN_BY_PYTHON) or _notes(error):
        # It takes the names in the last frame from the traceback, of which it shows
        # nothing here.
        shown = traceback.TracebackException(
            *(type(error), error, error.__traceback__), limit=0
        )
        return "".join(shown.format_exception_only())
    text, name = text_of(error), _name(type(error))
    return f"{name}: {text}\n" if text else f"{name}\n"


def _chain(error: BaseException) -> Iterator[tuple[BaseException, str]]:
    """Yield an exception and those that led to it, each with what follows it."""
    link = ""
    following: BaseException | None = error
    seen: set[int] = set()
    while following is not None:
        one = following
        seen.add(id(one))
        yield one, link
        following, link = one.__cause__, _LINKS[0]
        if following is None or id(following) in seen:
            following, link = one.__context__, _LINKS[1]
            if one.__suppress_context__ or id(following) in seen:
                return


def _notes(error: BaseException) -> Any:
    return getattr(error, "__notes__", None)


def _name(kind: type) -> str:
    module = kind.__module__
    if module in ("__main__", "builtins"):
        return kind.__qualname__
    return f"{module if isinstance(module, str) else '<unknown>'}.{kind.__qualname__}"
