"""
Writes docs/configuration.md from the options: `python -m tests.options_page`.

Types, defaults and variables are those of the code, the texts those of docstrings. An
option that has no example here is an error.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import fields

import ctxlog
from ctxlog.config._options import ConfigureOptions, DictOptions
from ctxlog.config._settings import Option, Settings
from tests.helpers import ROOT

PAGE = ROOT / "docs" / "configuration.md"

_HEAD = """\
# Options of `configure()`

```python
import ctxlog

ctxlog.configure(level="DEBUG", service="shop", levels={"sqlalchemy.engine": "INFO"})
```

An option that the call leaves out is read from its environment variable, if that is
set and not empty; a value in the call wins. A flag's variable is `1`, `true`, `yes` or
`on`, or `0`, `false`, `no` or `off`. A wrong value, of either, raises
`ctxlog.ConfigError`: it names the option or the variable, the value and what is
allowed. Nothing has been changed then. Each option says whether `dict_config()` has it,
too. This page is made of the code: `python -m tests.options_page`.

"""

#: What a call may say for each option, and a variable that says the same.
EXAMPLES: dict[str, tuple[str, str | None]] = {
    "level": ('"DEBUG"', "DEBUG"),
    "format": ('"json"', "json"),
    "schema": ('"ecs"', "ecs"),
    "stream": ("sys.stderr", None),
    "to": ('["stdout", "file:/var/log/shop.log"]', "stdout,file:/var/log/shop.log"),
    "service": ('"shop"', "shop"),
    "environment": ('"production"', "production"),
    "levels": ('{"shop.db": "DEBUG", "httpx": "ERROR"}', "shop.db=DEBUG,httpx=ERROR"),
    "static": ('{"region": "eu-1"}', None),
    "redact": ('["iban", "pattern:secrets"]', "iban,pattern:secrets"),
    "loggers": ('["stdlib", "structlog"]', "stdlib,structlog"),
    "threads": ("False", "off"),
    "hooks": ("False", "off"),
    "access_lines": ('"both"', "both"),
    "missing_request_id": ('"-"', "-"),
    "timespec": ('"milliseconds"', "milliseconds"),
    "max_line_bytes": ("65_536", "65536"),
    "replace_console_handlers": ('"all"', "all"),
    "share_handlers": ("True", "on"),
    "logger_class": ("False", "off"),
    "warn": ("False", "off"),
    "request_id_key": ('"correlation_id"', "correlation_id"),
    "case": ('"snake"', "snake"),
    "caller": ("True", "on"),
    "flush_timeout": ("5.0", "5"),
    "buffer": (
        'Buffer(level="DEBUG", flush_level="ERROR")',
        "level=DEBUG,flush_level=ERROR",
    ),
    "sampling": ('Sampling(rate=0.05, by="trace")', "rate=0.05,by=trace"),
    "limit": ("RateLimit(first=50, per_second=5)", "first=50,per_second=5"),
}

#: The options that are objects with options of their own.
_OBJECTS = {
    "buffer": ctxlog.Buffer,
    "sampling": ctxlog.Sampling,
    "limit": ctxlog.RateLimit,
}


def page() -> str:
    """Return the page."""
    texts = arguments(ctxlog.configure)
    types = {
        name: kind.__forward_arg__
        for name, kind in ConfigureOptions.__annotations__.items()
    }
    rows = []
    sections = []
    for row in fields(Settings):
        name, option = row.name, row.metadata["option"]
        default = f"`{option.default!r}`".replace("'", '"')
        variables = ", ".join(f"`{one}`" for one in variables_of(name, option))
        rows.append(f"| [`{name}`](#{name}) | {default} | {variables} |")
        example, text = EXAMPLES[name]
        examples = f"`configure({name}={_written(example)})`"
        if text is not None:
            examples += f", `{variables_of(name, option)[0]}={text}`"
        facts = {
            "Type": f"`{types[name]}`".replace("|", "\\|"),
            "Default": default,
            "Variable": variables or "none",
            "Example": examples,
            "Also of `dict_config()`": "yes"
            if name in DictOptions.__annotations__
            else "no",
        }
        table = "\n".join(f"| {title} | {fact} |" for title, fact in facts.items())
        section = f"## `{name}`\n\n{texts[name]}\n\n| | |\n|---|---|\n{table}\n"
        sections.append(section + _parts(name))
    overview = "\n".join(["| Option | Default | Variable |", "|---|---|---|", *rows])
    return _HEAD + overview + "\n\n" + "\n".join(sections)


def variables_of(name: str, option: Option) -> list[str]:
    """Return the environment variables of an option, the first that is set wins."""
    if option.read is None:
        return []
    return [f"CTXLOG_{name.upper()}", *option.variables]


def arguments(described: object) -> dict[str, str]:
    """Return what a docstring of Google's style says about each argument."""
    text = inspect.getdoc(described) or ""
    section = re.search(r"^Args:\n((?:(?: +.*)?\n)*)", text + "\n", flags=re.MULTILINE)
    assert section is not None, f"no Args: in the docstring of {described}"
    found = re.findall(
        r"^    (\w+): (.*(?:\n     +.*)*)", section[1], flags=re.MULTILINE
    )
    return {name: " ".join(said.split()) for name, said in found}


def _written(example: str) -> str:
    return re.sub(r"^(?=[A-Z]\w*\()", "ctxlog.", example)


def _parts(name: str) -> str:
    """Return the table of the options that an option's object has."""
    kind = _OBJECTS.get(name)
    if kind is None:
        return ""
    return "\n".join(
        ["", f"`ctxlog.{kind.__name__}` has these options:\n", *_rows(kind), ""]
    )


def _rows(kind: type) -> Iterator[str]:
    yield "| Option | Type | Default | Meaning |"
    yield "|---|---|---|---|"
    texts = arguments(kind)
    for one in fields(kind):
        if one.init:
            written = str(one.type).replace("|", "\\|")
            default = f"`{one.default!r}`".replace("'", '"')
            yield f"| `{one.name}` | `{written}` | {default} | {texts[one.name]} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
