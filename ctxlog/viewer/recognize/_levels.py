"""
A level as a line has it, under which name and in which format.
"""

from __future__ import annotations

from typing import Any

from ctxlog.viewer.recognize.keys import plain
from ctxlog.viewer.recognize.scales import SCALES, level_number, outcome

#: The scales of numbers under names that have one.
_SCALES = {
    "priority": "syslog",
    "severitynumber": "OpenTelemetry",
    "levelno": "Python",
}
#: Datadog's word for the level is also that of an answer, an order or a pod.
_STATUSES = frozenset(
    "debug info notice warn warning error err critical fatal alert emergency emerg "
    "crit".split()
)


def level_of(found: Any, name: str, scale: str) -> int | None:
    """
    Return a level on logging's scale; 0 if it is not known, None if it is no level.

    Args:
        found: What stands there.
        name: The name under which it stands.
        scale: The scale of the format's numbers.
    """
    word = plain(name)
    if isinstance(found, str):
        ended = outcome(found, scale)
        if ended is not None:
            return ended
        if word == "status" and found.lower() not in _STATUSES:
            return None
        level = level_number(found)
        if level or not found.isdigit() or len(found) > 4:
            return level if found else None
        found = int(found)
    if type(found) is not int or word == "status":
        return None
    if word == "severity" and not scale and found <= 24:
        scale = "syslog" if found <= 7 else "OpenTelemetry"
    return SCALES[_SCALES.get(word, scale)](found)
