"""
What must hold for the lines of all workers, whatever the queue.

The truth of which request a line belongs to is a token in its message, which the sender
gave as the task's argument.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

__all__ = ["check_tokens", "completions", "one_store_each"]

_TOKEN = re.compile(r"tok-(\d+)")


def check_tokens(events: Iterable[dict[str, Any]]) -> Counter[str]:
    """
    Check that every line with a token has the id of its request; count them by token.
    """
    counted: Counter[str] = Counter()
    for event in events:
        # A queue shows a task's arguments in its own lines, and perhaps as fields.
        found = set(_TOKEN.findall(event["message"]))
        if found:
            (number,) = found
            assert event["requestID"] == f"req-{number}", event
            counted[f"tok-{number}"] += 1
    return counted


def completions(events: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The completion lines of tasks."""
    return [event for event in events if event["logger"] == "ctxlog.task"]


def one_store_each(events: Iterable[dict[str, Any]]) -> None:
    """
    Check that all lines of a task have one id, and each attempt one completion line.
    """
    seen: dict[str, str] = {}
    ends: Counter[tuple[str, int | None]] = Counter()
    for event in events:
        task_id = event.get("taskID")
        if task_id is None:
            continue
        assert seen.setdefault(task_id, event["requestID"]) == event["requestID"], event
        assert event.get("parentTaskID") != task_id, event
        if event["logger"] == "ctxlog.task":
            ends[task_id, event.get("attempt")] += 1
    assert {key for key, count in ends.items() if count > 1} == set()
