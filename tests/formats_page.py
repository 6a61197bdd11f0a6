"""
Writes docs/formats.md from the table of formats: `python -m tests.formats_page`.
"""

from __future__ import annotations

from typing import Any

from ctxlog.viewer.recognize._objects import objects
from ctxlog.viewer.recognize._shape import Shape, without
from ctxlog.viewer.recognize.formats import FORMATS, TEXTS, Format, TextFormat
from ctxlog.viewer.recognize.keys import Names
from ctxlog.viewer.recognize.record import Record
from ctxlog.viewer.recognize.scales import iso
from ctxlog.viewer.show.printing import level_name
from tests.helpers import ROOT

PAGE = ROOT / "docs/formats.md"

_HEAD = """\
# Formats of logs

[The viewer](viewer.md) reads lines that are JSON objects, whichever logger has written
them. Names of fields are compared without case and separators: `RequestId`,
`X-Request-ID` and `x_request_id` are one. They are also found in the objects in which
loggers keep their context (`mdc`, `contextMap`, `named_tags`, `Properties`, `Scopes`,
`jsonPayload`, `extra`, `context`, `fields`, `spans`, headers, and more). The id of a
request comes before those of a correlation, an audit, a transaction and a trace.

Durations have the unit that their name (`_ms`, `Seconds`) or their value (`1.5s`,
`PT0.5S`) says, else the one of their format; without any they are not guessed. A level
that is not known is shown as it is written. `--id-field` and `--time-field` name fields
that none of this finds.

These are the formats that are tested, each with a line as its documentation has it, and
where its parts are found. A name of an inner object is written with dots. This page is
made of the table in `ctxlog/viewer/recognize/formats/`: a new format is a row there,
with a sample.
"""
_TEXT_HEAD = """\
## Text

Lines of these formats are read, too, and those of logfmt. A line that begins with a
time, and maybe a level, is read as that. A time without a year, or without a day, is
the last one before the file was written; one without a zone is in UTC. The request's id
is found in the message: `request_id=...`, or `[req-...]` and a UUID in brackets;
`--id-regex` finds others. These rows are made of the same table.

Some write an entry over several lines for people: the console of ASP.NET Core, Rust's
tracing in its pretty form, pino-pretty, `java.util.logging`, `journalctl -o export`.
Each such entry is read as one line, with the scopes and fields below its first.
"""
# The day of the samples, at one o'clock in the afternoon.
_CLOCK = 1769864400.0
#: What is said of a sample: the title, what is looked for, and how a record has it.
_PARTS = (
    ("time", "time", "time"),
    ("level", "level", "level"),
    ("message", "message", "message"),
    ("request's id", "id", "request"),
    ("duration", "duration", "took"),
    ("status", "status", "status"),
)


def page() -> str:
    """Return the page."""
    texts = map(_text_section, TEXTS)
    return "\n".join([_HEAD, *map(_section, FORMATS), _TEXT_HEAD, *texts])


def _text_section(form: TextFormat) -> str:
    [record] = Record.read(form.sample.encode(), Names(latest=_CLOCK))
    said = {
        "time": None if record.time is None else iso(record.time),
        "level": level_name(record.level) or None,
        "message": record.message or None,
        "request's id": record.request,
        "duration": None if record.took is None else f"{record.took * 1000:g} ms",
        "status": record.status,
    }
    rows = [f"| {title} | {_code(str(one))} |" for title, one in said.items() if one]
    table = "\n".join(["| | read as |", "|---|---|", *rows])
    return f"### {form.name}\n\n{table}\n\n```text\n{form.sample}\n```\n"


def _code(text: str) -> str:
    return f"`{text.replace('|', chr(92) + '|')}`"


def _section(form: Format) -> str:
    [members] = objects(form.sample.encode())
    found = [(title, _place(members, what, name)) for title, what, name in _PARTS]
    rows = [f"| {title} | `{place}` |" for title, place in found if place is not None]
    table = "\n".join(["| | found at |", "|---|---|", *rows])
    return f"## {form.name}\n\n{table}\n\n```json\n{form.sample}\n```\n"


def _place(members: dict[str, Any], what: str, name: str) -> str | None:
    """Return the first path without which an object says something else."""
    said = getattr(Record(members, Names()), name)
    for place in Shape.of(members).places(what, members):
        steps = (place,) if isinstance(place, str) else place
        other = Record(without(members, steps), Names())
        if getattr(other, name) != said:
            return ".".join(step for step in steps if isinstance(step, str))
    return None


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
