"""
Examine an application: all findings, and what to write.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

from ctxlog.doctor import adapters, configured, lines
from ctxlog.doctor.application import Application, shown
from ctxlog.doctor.findings import At, Finding, Report, Step, merged_options


def examine(application: Application) -> Report:
    """Return the report about an application that has been imported."""
    own = {one.__name__.partition(".")[0] for one in application.modules()}
    findings = [
        *configured.examine(application),
        *lines.examine(application.file, own),
        *adapters.examine(application),
    ]
    return Report(application.subject, findings, list(_steps(application, findings)))


def _steps(application: Application, findings: list[Finding]) -> Iterable[Step]:
    """Yield what to write, once for each place."""
    todo = [one for one in findings if one.kind == "todo"]
    options = merged_options(todo)
    if options is not None:
        yield _call(application, options)
    merged: dict[str, Step] = {}
    for one in todo:
        if one.step is None:
            continue
        known = merged.get(one.step.place)
        merged[one.step.place] = one.step if known is None else _both(known, one.step)
    yield from merged.values()


def _both(first: Step, second: Step) -> Step:
    """Return the lines of two steps for one place: imports first, each once."""
    every = [*first.lines, *second.lines]
    imports = [one for one in dict.fromkeys(every) if one.startswith("import ")]
    rest = [one for one in every if one and not one.startswith("import ")]
    return Step((*imports, "", *rest), first.place, first.at, first.file)


def _call(application: Application, options: dict[str, object]) -> Step:
    """Return the call of `configure()` with options that are lacking."""
    file = application.file
    inside = f"in {application.factory}(), " if application.factory else ""
    # Libraries that the application sets up are taken over after that.
    last = f"{inside}after all that sets logging up"
    if not application.calls:
        lines = ("import ctxlog", "", _written(options))
        where = last if options else "at the top"
        if application.django:
            where = "at the end"
        at: At = "top" if where == "at the top" else "end"
        return Step(lines, f"in {file}, {where}" if file else where, at, file)
    call = application.calls[-1]
    whole = _written({**call.options, **options})
    here = f"{shown(call.file)}, line {call.line}"
    if "loggers" not in options:
        place = f"in {here}, in place of the call"
        if "..." in whole:
            place += ", whose own value stands where `...` does"
        return Step((whole,), place, "instead", shown(call.file), call.line)
    place = f"in {file}, {last}, and no longer in {here}"
    return Step(("import ctxlog", "", whole), place, "end", file, call.line)


def _written(options: dict[str, object]) -> str:
    """Return the code of a call; `...` stands for what has no literal."""
    arguments = (f"{name}={_literal(value)}" for name, value in options.items())
    return f"ctxlog.configure({', '.join(arguments)})"


def _literal(value: object) -> str:
    code = repr(value)
    try:
        ast.literal_eval(code)
    except (ValueError, SyntaxError):
        return "..."
    return code.replace("'", '"') if '"' not in code else code
