"""
The reference of the public names, and links to it from all pages.

`.. public:: MODULE` documents the names of a module's `__all__` from their docstrings.
A name that several modules list is documented once; the others link to it. Code in a
page's text that is such a name, as `ctxlog.bind()`, links to the reference.
"""

from __future__ import annotations

import importlib
import re
from types import ModuleType

from docutils import nodes
from sphinx.addnodes import desc_signature, pending_xref
from sphinx.application import Sphinx
from sphinx.domains.python import PythonDomain
from sphinx.ext.autodoc.mock import mock
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective

#: The modules whose names stand elsewhere, too: those of `ctxlog` come first.
_FIRST = ("ctxlog", "ctxlog.context", "ctxlog.carrier", "ctxlog.config")
#: How autodoc writes the beginning of `_T`, with or without its module.
_TYPE_VARIABLE = re.compile(r"~(?:\w+\.)*~?_(?=[A-Z])")


def _first_with(name: str, module: ModuleType) -> str:
    """Return the first module that lists the same object under the same name."""
    for first in _FIRST:
        owner = importlib.import_module(first)
        if name in owner.__all__ and getattr(owner, name) is getattr(module, name):
            return first
    return module.__name__


class Public(SphinxDirective):
    """Document what a module lists in its `__all__`."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the module's docstring and its names, by autodoc."""
        with mock(self.config.autodoc_mock_imports):
            module = importlib.import_module(self.arguments[0])
            owners = {name: _first_with(name, module) for name in module.__all__}
        again = {name: one for name, one in owners.items() if one != module.__name__}
        text = f".. automodule:: {module.__name__}\n   :members:\n"
        if again:
            links = ", ".join(f":py:obj:`{one}.{name}`" for name, one in again.items())
            text += f"   :exclude-members: {', '.join(again)}\n\nAlso here: {links}.\n"
        return self.parse_text_to_nodes(text)


def _skip(
    app: Sphinx, what: str, name: str, member: object, skip: bool, options: object
) -> bool | None:
    """Leave out the fields of a named tuple, which its docstring describes."""
    text = getattr(member, "__doc__", None) or ""
    return True if text.startswith("Alias for field number") else None


def _shorten(
    app: Sphinx, what: str, name: str, obj: object, options: object, *signature: str
) -> tuple[str | None, ...]:
    """Show type variables by their names alone, and made defaults as an ellipsis."""
    return tuple(
        part and _TYPE_VARIABLE.sub("_", part).replace("<factory>", "...")
        for part in signature
    )


def _dashes(app: Sphinx, document: nodes.document) -> None:
    """Put a dash between a parameter and its meaning, as `smartquotes` would."""
    for text in list(document.findall(nodes.Text)):
        if text == " -- ":
            text.parent.replace(text, nodes.Text(" \N{EN DASH} "))


class LinkNames(SphinxPostTransform):
    """Make code that is a public name a link to its reference."""

    default_priority = 5  # before references are resolved
    _NAME = re.compile(r"(ctxlog\.)?([A-Za-z]\w*(?:\.\w+)*)(\(\))?")

    def run(self, **kwargs: object) -> None:
        """Replace the literals of a page."""
        within = (nodes.reference, nodes.title, desc_signature, pending_xref)
        for literal in list(self.document.findall(nodes.literal)):
            parents = _parents(literal)
            if not any(isinstance(parent, within) for parent in parents):
                self._link(literal, parents)

    def _link(self, literal: nodes.literal, parents: list[nodes.Element]) -> None:
        name = self._NAME.fullmatch(literal.astext())
        if name is None:
            return
        prefix, rest, called = name.groups()
        # A bare word may be anything; a call or a class of the package's own is meant.
        found = None
        if self.env.docname == "public-names":
            section = next(one for one in parents if isinstance(one, nodes.section))
            found = self._found(f"{section[0].astext()}.{rest}")
        if found is None and (prefix or called or rest[0].isupper()):
            found = self._found(f"ctxlog.{rest}")
        if found is not None:
            docname, anchor, target = found
            uri = self.app.builder.get_relative_uri(self.env.docname, docname)
            if docname == self.env.docname:
                uri = ""
            link = nodes.reference(
                "", "", internal=True, refuri=f"{uri}#{anchor}", reftitle=target
            )
            literal.replace_self(link)
            link += literal

    def _found(self, target: str) -> tuple[str, str, str] | None:
        domain: PythonDomain = self.env.domains.python_domain
        entry = domain.objects.get(target)
        if entry is None:
            module, _, name = target.rpartition(".")
            entry = domain.objects.get(f"ctxlog.{name}") if module in _FIRST else None
        return None if entry is None else (entry.docname, entry.node_id, target)


def _parents(node: nodes.Node) -> list[nodes.Element]:
    parents = []
    while node.parent is not None:
        node = node.parent
        parents.append(node)
    return parents


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directive and the links."""
    app.add_directive("public", Public)
    app.connect("autodoc-skip-member", _skip)
    app.connect("autodoc-process-signature", _shorten)
    app.connect("doctree-read", _dashes)
    app.add_post_transform(LinkNames)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
