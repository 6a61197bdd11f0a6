"""
What the README and the pages under docs/ show is what happens.

A ```` ```python ```` block is run by a fresh interpreter in an empty folder; it must
end well. If the next block of the page is a ```` ```text ````, ```` ```json ```` or
```` ```console ```` one, that is what it must print, standard output and error
together:

- A line that is a JSON object matches one with the same keys in the same order and
  equal values. Times and durations (`VOLATILE`) need only be of the same kind.
- In other lines `...` stands for anything, as in doctest.

An HTML comment above a python block changes that:

- `<!-- needs: structlog -->`: skipped where one of these libraries is missing.
- `<!-- continues -->`: runs after the python blocks above it that it continues; only
  what this block adds to their output is compared.
- `<!-- not run: a reason -->`: compiled, not run.

The pages under docs/migrations need libraries that ctxlog has nothing to do with;
tests/migrations runs them, in an environment of its own.
"""

from __future__ import annotations

import doctest
import importlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import ctxlog
from ctxlog.errors import MissingDependencyError
from tests.helpers import (
    ALL_PROMISED,
    ROOT,
    clean_environment,
    need,
    package_sources,
    run_python,
)

_DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [
    ROOT / "README.md",
    *(page for page in _DOCS if page.parent.name != "migrations"),
]
ALL_PAGES = [*sorted(ROOT.glob("*.md")), *_DOCS]

#: Fields whose values differ from run to run, by the path to them.
VOLATILE = {
    "timestamp",
    "elapsedMs",
    "_elapsedMs",
    "elapsed_ms",
    "durationMs",
    "ttfbMs",
    "queueMs",
    "db.ms",
    "http.ms",
    "exception.stack",
    "resourceLogs.scopeLogs.logRecords.attributes.value.doubleValue",
}

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<kind>[\w-]*)[^\n]*\n(?P<body>.*?)^(?P=indent)```[ ]*$",
    flags=re.DOTALL | re.MULTILINE,
)
_REMARK = re.compile(r"<!--\s*(needs|continues|not run)\s*:?\s*(.*?)\s*-->")
_OUTPUT_KINDS = {"text", "json", "console"}
_START = "-- ctxlog: here begins the block --"


@dataclass
class Block:
    """A python block of a page and what stands around it."""

    page: Path
    line: int
    source: str
    before: str
    remarks: dict[str, str]
    output: str | None

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT).as_posix()}:{self.line}"


def blocks(page: Path, text: str) -> Iterator[Block]:
    """Yield the python blocks of a page."""
    fences = list(_FENCE.finditer(text))
    end = 0
    before = ""
    for number, fence in enumerate(fences):
        between, end = text[end : fence.start()], fence.end()
        if fence["kind"] != "python":
            continue
        following = fences[number + 1] if number + 1 < len(fences) else None
        shown = following is not None and following["kind"] in _OUTPUT_KINDS
        # The remarks that count stand right above, with only blank lines between.
        tail = re.search(r"(?:<!--[^>]*-->\s*)*\Z", between)
        remarks = dict(_REMARK.findall(tail[0] if tail else ""))
        source = _dedented(fence)
        before = before if "continues" in remarks else ""
        yield Block(
            page=page,
            line=text.count("\n", 0, fence.start()) + 1,
            source=source,
            before=before,
            remarks=remarks,
            output=_dedented(following) if shown and following else None,
        )
        before += source + "\n"


def _dedented(fence: re.Match[str]) -> str:
    indent = len(fence["indent"])
    return "\n".join(line[indent:] for line in fence["body"].splitlines())


def _as_object(line: str) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _kind(value: object) -> str:
    if isinstance(value, str):
        return re.sub(r"\d", "0", value) if re.match(r"\d{4}-", value) else "string"
    return "number" if isinstance(value, int | float) else type(value).__name__


def _same_value(shown: object, printed: object, path: str) -> bool:
    if path in VOLATILE:
        return _kind(shown) == _kind(printed)
    if isinstance(shown, dict) and isinstance(printed, dict):
        return list(shown) == list(printed) and all(
            _same_value(shown[key], printed[key], f"{path}.{key}" if path else key)
            for key in shown
        )
    if isinstance(shown, list) and isinstance(printed, list):
        return len(shown) == len(printed) and all(
            _same_value(*pair, path) for pair in zip(shown, printed, strict=True)
        )
    if isinstance(shown, str) and isinstance(printed, str):
        return _same_text(shown, printed)
    return type(shown) is type(printed) and shown == printed


def _same_text(shown: str, printed: str) -> bool:
    flags = doctest.ELLIPSIS
    return doctest.OutputChecker().check_output(shown + "\n", printed + "\n", flags)


def difference(shown: str, printed: str) -> str | None:
    """Return how what was printed differs from what the page shows, or None."""
    wanted, got = shown.rstrip().split("\n"), printed.rstrip().split("\n")
    for number, (want, have) in enumerate(zip(wanted, got, strict=False), start=1):
        objects = _as_object(want), _as_object(have)
        if objects[0] is not None and objects[1] is not None:
            same = _same_value(objects[0], objects[1], "")
        else:
            same = _same_text(want.rstrip(), have.rstrip())
        if not same:
            return f"line {number}\n  shown:   {want}\n  printed: {have}"
    if len(wanted) != len(got):
        return f"{len(wanted)} lines shown, {len(got)} printed:\n{printed}"
    return None


def run(block: Block, tmp_path: Path) -> str:
    """Run a block in a fresh interpreter and return what it printed."""
    source = f"{block.before}\nprint({_START!r}, flush=True)\n{block.source}"
    script = tmp_path / "block.py"
    # A block may say `from __future__ import ...` on its first line.
    script.write_text(source if block.before else block.source, encoding="utf-8")
    joined = (
        "import os, sys, runpy; os.dup2(1, 2); sys.path.insert(0, os.getcwd());"
        "runpy.run_path('block.py', run_name='__main__')"
    )
    # The C core of gRPC notes on standard error how connections ended, if it is late.
    environment = clean_environment(GRPC_VERBOSITY="ERROR")
    printed = run_python("-c", joined, cwd=tmp_path, env=environment).stdout
    return printed.partition(_START + "\n")[2] if block.before else printed


BLOCKS = [
    block
    for page in PAGES
    if page.exists()
    for block in blocks(page, page.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_python_block(block: Block, tmp_path: Path) -> None:
    """A python block of the documentation runs, and prints what stands under it."""
    if "not run" in block.remarks:
        assert block.remarks["not run"], "say why the block is not run"
        compile(block.source, str(block), "exec")
        return
    names = re.findall(r"[\w.]+", block.remarks.get("needs", ""))
    if names:
        need(*names)
    printed = run(block, tmp_path)
    if block.output is not None:
        problem = difference(block.output, printed)
        assert problem is None, f"{block}: {problem}"


def test_readme_shows_code_and_its_output() -> None:
    """The README has a python block that is run, with the JSON that it prints."""
    shown = [
        block
        for block in BLOCKS
        if block.page.name == "README.md"
        and "not run" not in block.remarks
        and block.output is not None
    ]
    assert any(_as_object(b.output.split("\n")[0]) for b in shown if b.output)


@pytest.mark.parametrize(
    "page", ALL_PAGES, ids=lambda p: p.relative_to(ROOT).as_posix()
)
def test_links_lead_somewhere(page: Path) -> None:
    """A relative link in the documentation names a file of the project."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    local = [t.partition("#")[0] for t in targets if not re.match(r"[a-z]+:|#", t)]
    assert [t for t in local if not (page.parent / t).exists()] == []


def test_every_page_is_in_the_contents() -> None:
    """A page stands in a `toctree` of `docs/index.md`, or of its folder's index."""
    listed: set[Path] = set()
    for page in (ROOT / "docs").rglob("index.md"):
        for fence in _FENCE.finditer(page.read_text(encoding="utf-8")):
            entries = re.findall(
                r"^(?:.* <)?([\w/*-]+)>?$", fence["body"], re.MULTILINE
            )
            listed.update(*(page.parent.glob(f"{entry}.md") for entry in entries))
    pages = set((ROOT / "docs").rglob("*.md")) - {ROOT / "docs" / "index.md"}
    assert sorted(pages - listed) == []


_PICTURES = sorted((ROOT / "docs" / "pictures").iterdir())


@pytest.mark.parametrize("picture", _PICTURES, ids=lambda path: path.name)
def test_pictures_are_shown_and_small(picture: Path) -> None:
    """A page shows each picture, which is no larger than a page should wait for."""
    shown = f"pictures/{picture.name})"
    assert any(shown in page.read_text(encoding="utf-8") for page in PAGES)
    assert picture.stat().st_size < 150_000


_MODULES = [
    name
    for name, path in package_sources(Path(ctxlog.__file__).parent)
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("module", _MODULES)
def test_doctests(module: str) -> None:
    """The examples in the docstrings print what they show."""
    try:
        imported = importlib.import_module(module)
    except MissingDependencyError as error:
        if ALL_PROMISED:
            raise
        pytest.skip(str(error))
    result = doctest.testmod(
        imported, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    )
    assert result.attempted > 0
    assert result.failed == 0


# The checker itself.

_PAGE = """\
Text.

```python
print("one")
```

```text
one
```

<!-- continues -->
```python
import sys
print("two", file=sys.stderr)
print('{"a": 1, "timestamp": "2026-11-22T21:44:39Z"}')
```

prints

```json
two
{"a": 1, "timestamp": "2025-01-01T00:00:00Z"}
```

<!-- needs: structlog, loguru -->

```python
x = 1
```

<!-- not run: it never ends -->
```python
while True: pass
```
"""


def test_blocks_are_found() -> None:
    """Blocks, their remarks and the output under them are read off a page."""
    first, second, third, fourth = blocks(ROOT / "X.md", _PAGE)
    assert (first.line, first.output) == (3, "one")
    assert second.before == 'print("one")\n'
    assert second.output is not None
    assert second.output.startswith("two")
    assert third.remarks == {"needs": "structlog, loguru"}
    assert (third.before, third.output) == ("", None)
    assert fourth.remarks == {"not run": "it never ends"}


def test_a_continued_block_is_compared_on_its_own(tmp_path: Path) -> None:
    """Of a block that continues another, only its own output is compared."""
    _, second, *_ = blocks(ROOT / "X.md", _PAGE)
    assert second.output is not None
    assert difference(second.output, run(second, tmp_path)) is None


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("one", "two"),
        ("one", "one\ntwo"),
        ("one\ntwo", "one"),
        ('{"a": 1}', '{"a": 2}'),
        ('{"a": 1}', '{"a": true}'),
        ('{"a": 1, "b": 2}', '{"b": 2, "a": 1}'),
        ('{"a": 1}', '{"a": 1, "b": 2}'),
        ('{"a": {"b": 1}}', '{"a": {"b": 2}}'),
        ('{"a": [1, "x"]}', '{"a": [1, "y"]}'),
        ('{"a": [1]}', '{"a": [1, 2]}'),
        ('{"timestamp": "2026-11-22T21:44:39Z"}', '{"timestamp": 5}'),
        ('{"timestamp": "2026-11-22T21:44:39Z"}', '{"timestamp": "2026-11-22"}'),
        ('{"elapsedMs": 1.5}', '{"elapsedMs": "1.5"}'),
    ],
)
def test_differences_are_noticed(shown: str, printed: str) -> None:
    """Output that is not what the page shows is reported."""
    assert difference(shown, printed) is not None


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("one", "one\n"),
        ("a ... z", "a b c z"),
        ('{"a": 1, "elapsedMs": 0.1}', '{"a":1,"elapsedMs":12}'),
        ('{"requestID": "..."}', '{"requestID": "5f"}'),
        ('{"a": [{"b": "..."}]}', '{"a": [{"b": "5f"}]}'),
        (
            '{"timestamp": "2026-11-22T21:44:39Z"}',
            '{"timestamp": "2025-01-02T03:04:05Z"}',
        ),
    ],
)
def test_what_differs_between_runs_is_not_a_difference(
    shown: str, printed: str
) -> None:
    """Times, durations and what `...` stands for may differ."""
    assert difference(shown, printed) is None
