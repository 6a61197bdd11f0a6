"""
Tracebacks as loggers write them: text, part of a text, or objects.
"""

from __future__ import annotations

from typing import Any

_BEGIN = "Traceback (most recent call last):"


def as_text(told: object) -> str:
    """
    Return a traceback as text: one that is, or structlog's objects, the cause first.

    Empty if it is none.
    """
    if isinstance(told, str):
        return told if "\n" in told else ""
    if isinstance(told, list):
        return "\n\n".join(filter(None, map(_from_object, reversed(told))))
    return ""


def _from_object(told: object) -> str:
    if not isinstance(told, dict) or "exc_type" not in told:
        return ""
    frames = told.get("frames")
    shown = [
        f'  File "{frame.get("filename")}", line {frame.get("lineno")}, '
        f"in {frame.get('name')}"
        for frame in (frames if isinstance(frames, list) else ())
        if isinstance(frame, dict)
    ]
    return "\n".join([_BEGIN, *shown, f"{told['exc_type']}: {told.get('exc_value')}"])


def within(text: str) -> str:
    """Return the traceback that a text ends with; empty if there is none."""
    _, begin, rest = text.partition(_BEGIN)
    return begin + rest


def beside(told: object, traceback: str) -> Any:
    """
    Return what is told about an exception and cannot be read in its traceback.

    Empty (`""`, `[]`, `{}`) if that is nothing.
    """
    if isinstance(told, dict):
        members = {name: beside(value, traceback) for name, value in told.items()}
        return {name: left for name, left in members.items() if left not in _NOTHING}
    if isinstance(told, str):
        # Python ends with the type and the message, JavaScript begins with them.
        lines = traceback.strip().splitlines() or [""]
        shown = told == traceback or told in lines[0] or told in lines[-1]
        return "" if shown else told
    return [] if isinstance(told, list) or told in (True, None) else told


_NOTHING: tuple[object, ...] = ("", [], {})
