"""
A report, as text for people and as JSON.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from dataclasses import asdict

from ctxlog.doctor.findings import Finding, Report, Step

_MARKS = {"ok": "ok  ", "note": "note", "todo": "TODO"}
_INDENT = " " * 6
_WIDTH = 88


def as_json(report: Report) -> str:
    """Return a report as one JSON object."""
    return json.dumps(
        {
            "subject": report.subject,
            "exit": report.exit_code,
            "findings": [asdict(one) for one in report.findings],
            "steps": [asdict(one) for one in report.steps],
        }
    )


def as_text(report: Report) -> str:
    """Return a report as text."""
    return "\n".join(_text(report))


def _text(report: Report) -> Iterator[str]:
    yield f"{report.subject}"
    yield ""
    for finding in report.findings:
        yield from _finding(finding)
    yield ""
    if not report.exit_code:
        yield "Nothing has to be written."
        return
    yield "Write:"
    for step in report.steps:
        yield from _step(step)


def _finding(finding: Finding) -> Iterator[str]:
    yield _wrapped(finding.what, f"{_MARKS[finding.kind]}  ")
    for more in (finding.where, finding.why):
        if more is not None:
            yield _wrapped(more, _INDENT)
    if finding.kind == "note" and finding.step is not None:
        yield _wrapped(f"{finding.step.place}:", _INDENT)
        for line in finding.step.lines:
            if line and not line.startswith("import "):
                yield f"{_INDENT}  {line}"


def _wrapped(text: str, before: str) -> str:
    return textwrap.fill(
        text,
        _WIDTH,
        initial_indent=before,
        subsequent_indent=_INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _step(step: Step) -> Iterator[str]:
    yield ""
    yield f"  {step.place}:"
    yield ""
    for line in step.lines:
        yield f"    {line}".rstrip()
