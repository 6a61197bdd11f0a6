"""
Messages that are put together: templates, and first lines of requests.
"""

from __future__ import annotations

import json
import re
from typing import Any

#: A hole of a message template: `{Name}`, `{@Object}`, `{Number:000}`, `{Text,-10}`.
_HOLE = re.compile(r"\{[@$]?([\w.]+)(?:,-?\d+)?(?::([^{}]*))?\}")
_REQUEST_LINE = re.compile(r'"?(?:([A-Z]{3,17}) (\S+)(?: HTTP/\d(?:\.\d)?)?|(/\S*))"?')


def filled(template: str, members: dict[str, Any]) -> str:
    """Return a message template with its holes filled by the members they name."""
    inner = members.get("Properties")
    if isinstance(inner, dict):
        members = {**members, **inner}
    again = members.get("Renderings")  # of Serilog's, by the names of the holes
    again = again if isinstance(again, dict) else {}
    rendered = members.get("@r")  # what has a form of its own, in turn
    rendered = list(rendered) if isinstance(rendered, list) else []

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if rendered and ":" in match[0]:
            return str(rendered.pop(0))
        listed = again.get(name)
        first = listed[0] if isinstance(listed, list) and listed else None
        if isinstance(first, dict) and first.get("Format") == match[2]:
            return str(first.get("Rendering"))
        return str(members[name]) if name in members else match[0]

    shown = _HOLE.sub(value, template)
    return shown.replace("{{", "{").replace("}}", "}")


def placed(template: str, arguments: object) -> str:
    """Return a message with each `{}` replaced by the next of its arguments."""
    left = list(arguments) if isinstance(arguments, list) else []
    return re.sub(r"\{\}", lambda hole: str(left.pop(0)) if left else hole[0], template)


def spoken(values: list[Any]) -> str:
    """Return what was logged as several values, as consoles print it."""
    texts = (
        one if isinstance(one, str) else json.dumps(one, ensure_ascii=False)
        for one in values
    )
    return " ".join(texts)


def request_line(text: str) -> tuple[str | None, str] | None:
    """
    Return the method and the path of a request's first line; None if it is none.

    Some write the path alone.
    """
    match = _REQUEST_LINE.fullmatch(text)
    return (match[1], match[2] or match[3]) if match else None
