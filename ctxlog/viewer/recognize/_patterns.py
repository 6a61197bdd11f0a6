"""
Patterns for lines of several forms, which share their beginnings.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ctxlog.viewer.recognize._form import Form, Token

#: What a form may tell of a line.
ROLES = ("time", "level", "id", "user", "path", "method")
#: A line without a form.
OTHER = rb"([^\n]*\n|[^\n]+)"


class Leaf(NamedTuple):
    """A form, and the numbers of the groups of its pattern for each of `ROLES`."""

    groups: tuple[int, ...]
    form: Form


class Step(NamedTuple):
    """A piece of a pattern, and what its group captures; nothing if it has none."""

    pattern: bytes
    role: str = ""


class Node:
    """A place in a pattern up to which some forms are alike, and what goes on there."""

    def __init__(self) -> None:
        self.next: dict[Step, Node] = {}
        self.form: Form | None = None

    def add(self, form: Form, steps: Iterable[Step]) -> None:
        """Let a form go on from here, by some steps."""
        node = self
        for step in steps:
            node = node.next.setdefault(step, Node())
        node.form = form


class Pattern:
    """
    A pattern for lines of some forms, which share their beginnings.

    Args:
        root: Where the forms begin.
        ends: Whether the end of a line is a group of its own for each form.

    Attributes:
        source: The pattern, without what matches other lines.
        leaves: The forms, each with the number of the group that is its line's end, and
            the numbers of the groups that capture something.
    """

    def __init__(self, root: Node, *, ends: bool = False) -> None:
        self._count = 1  # the first group, which is empty
        self._ends = ends
        self.leaves: list[tuple[int, Form, Mapping[str, int]]] = []
        self.source = self._of(root, {})

    @property
    def compiled(self) -> re.Pattern[bytes]:
        """The pattern; its last group has all of a line without a form."""
        return re.compile(rb"()(?:%s|%s)" % (self.source, OTHER))

    def _of(self, node: Node, above: Mapping[str, int]) -> bytes:
        if node.form is not None:
            self._count += self._ends
            self.leaves.append((self._count - 1, node.form, above))
            return rb"(\n)" if self._ends else rb"\n"
        found = []
        for step, below in node.next.items():
            captured = above
            if step.role:
                self._count += 1
                captured = {**above, step.role: self._count - 1}
            found.append(step.pattern + self._of(below, captured))
        return found[0] if len(found) == 1 else b"(?:%s)" % b"|".join(found)


def compiled(
    forms: Iterable[Form], asked: Collection[str]
) -> tuple[re.Pattern[bytes], Mapping[int, Leaf]]:
    """
    Return a pattern for all lines, and what its groups mean.

    Its first group is empty, and the last one has all of a line without a form. Where
    forms are read in several ways each has a leaf, by the number of the group that is
    the line's end; else there is one, by the number 0.
    """
    root = Node()
    for form in forms:
        root.add(form, [step_of(token, asked) for token in form.tokens])
    pattern = Pattern(root)
    common = _common([leaf for _, leaf in _leaves(pattern)])
    leaves = {0: common} if common is not None else {}
    if common is None:
        pattern = Pattern(root, ends=True)
        leaves = dict(_leaves(pattern))
    return pattern.compiled, leaves


def _leaves(pattern: Pattern) -> Iterator[tuple[int, Leaf]]:
    for number, form, groups in pattern.leaves:
        yield number, Leaf(tuple(groups.get(role, 0) for role in ROLES), form)


def step_of(token: Token, asked: Collection[str]) -> Step:
    """Return what a token matches; its value is captured if its role is asked for."""
    if token.role in asked:
        return Step(token.captured, token.role)
    return Step(token.alone)


def low_step(token: Token, words: Collection[bytes]) -> Step:
    """Return what a token matches where the level is one of some words."""
    return Step(token.among(words) if token.role == "level" else token.alone)


def _common(leaves: Sequence[Leaf]) -> Leaf | None:
    """Return what is true of all leaves; None if they differ."""
    groups = []
    for of_leaves in zip(*(leaf.groups for leaf in leaves), strict=True):
        if len({number for number in of_leaves if number}) > 1:
            return None
        groups.append(max(of_leaves))  # in the others it is empty
    form = leaves[0].form
    if any(leaf.form.reading != form.reading for leaf in leaves):
        return None
    return Leaf(tuple(groups), form)
