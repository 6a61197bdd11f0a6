"""
Writes docs/public-names.md from each `__all__`: `python -m tests.public_names_page`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.helpers import ROOT
from tests.test_exports import PACKAGE, SOURCES, exported

PAGE = ROOT / "docs" / "public-names.md"

_HEAD = """\
# Public names

These are the names that [a version promises](../SECURITY.md#what-a-version-promises):
what each module lists in its `__all__`. Every other name may change in any version.
`help()` of a name describes its parameters, as does [the reference](api/index.md).
This page is made of the docstrings: `python -m tests.public_names_page`.
"""


def page() -> str:
    """Return the page."""
    return "\n".join([_HEAD, *_sections()])


def _sections() -> Iterator[str]:
    for module, tree in SOURCES.items():
        names = exported(tree)
        if names is not None:
            rows = [f"| `{name}` | {_purpose(module, name)} |" for name in names]
            head = (f"## {module}\n", "| Name | Purpose |", "|---|---|")
            yield "\n".join([*head, *rows, ""])


def _purpose(module: str, name: str) -> str:
    """Return the first sentences of a docstring, or of the comment above a constant."""
    for node in ast.walk(SOURCES[module]):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            text = ast.get_docstring(node)
            if node.name == name and text:  # an overload has none
                return " ".join(text.partition("\n\n")[0].split())
        elif isinstance(node, ast.ImportFrom) and node.module in SOURCES:
            for alias in node.names:
                if name == (alias.asname or alias.name):
                    return _purpose(node.module, alias.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if name in [one.id for one in targets if isinstance(one, ast.Name)]:
                if isinstance(node.value, ast.Name):
                    return _purpose(module, node.value.id)
                return _comment(module, node.lineno)
    raise LookupError(f"{module}.{name} has no docstring")


def _comment(module: str, line: int) -> str:
    path = PACKAGE.parent.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    above = path.read_text(encoding="utf-8").splitlines()[: line - 1]
    words: list[str] = []
    while above and above[-1].startswith("#: "):
        words.insert(0, above.pop().removeprefix("#: "))
    return re.split(r"(?<=\.) ", " ".join(words))[0]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
