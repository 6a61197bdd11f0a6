"""
Tracebacks as loggers write them: text, part of a text, or objects.
"""

from __future__ import annotations

from typing import Any

_BEGIN = "Traceback (most recent call last):"


def as_text(told: object) -> str:
    """
    Return a traceback as text: one that is, or a list of its lines, or objects.

    Of structlog's objects the cause comes first. Empty if it is none.
    """
    if isinstance(told, str):
        return told if "\n" in told else ""
    if not isinstance(told, list) or not told:
        return ""
    if all(isinstance(one, str) for one in told):
        shown = "\n".join(one.rstrip("\n") for one in told)
        return shown if "\n" in shown else ""
    frames = [_frame(one) for one in told if isinstance(one, dict)]
    if frames and all(frames):
        return "\n".join(frames)
    return "\n\n".join(filter(None, map(_from_object, reversed(told))))


def _frame(told: dict[str, Any]) -> str:
    """Return a call of Java's, or of tslog's, as tracebacks have it; else nothing."""
    place = told.get("filePathWithLine")
    if isinstance(place, str):
        return f"    at {told.get('method')} ({place})"
    kind = told.get("class") or told.get("className")
    method = told.get("method") or told.get("methodName")
    if not (isinstance(kind, str) and isinstance(method, str)):
        return ""
    file = told.get("file") or told.get("fileName") or "Unknown Source"
    line = told.get("line", told.get("lineNumber"))
    return f"\tat {kind}.{method}({file}{f':{line}' if line else ''})"


def _from_object(told: object) -> str:
    if not isinstance(told, dict):
        return ""
    stack = told.get("StackTraceString")  # Serilog's, for Elasticsearch
    if isinstance(stack, str):
        return f"{told.get('ClassName')}: {told.get('Message')}\n{stack}"
    if "exc_type" not in told:
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
