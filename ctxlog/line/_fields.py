"""
Fields as the bytes of members: of a context once per change, of a call once per line.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ctxlog._interrupts import is_interrupt
from ctxlog._memory import remember
from ctxlog._names import ALIASES, get_names
from ctxlog.context.adapter import View
from ctxlog.line._layout import Layout
from ctxlog.line._plain import PlainFields
from ctxlog.line._shape import NO_NAMES, Shape
from ctxlog.line.values import Walk

#: Nothing had to be replaced.
NO_PROBLEMS: tuple[str, ...] = ()


class Context(NamedTuple):
    """
    The encoded parts of a view, for one encoder.

    Attributes:
        head: From the request's id to the message.
        body: The fields.
        started: When the store was made, in microseconds; None where there is no store.
        names: The names that no field of the call may have, or a key would come twice.
        clash: Whether a line in it must be built part by part: the context has a name
            of the static fields, or an id without a value.
        problems: The replacements made, in words.
        common: Whether usual events in it may take the short way.
        nameless: Whether *head* has no id, which a field of the call may be.
    """

    head: bytes
    body: bytes
    started: int | None
    names: frozenset[str]
    clash: bool
    problems: tuple[str, ...]
    common: bool
    nameless: bool


class Fields:
    """
    Encodes fields, together with what is known of the static ones.

    Args:
        shape: The plan of the schema.
        layout: The bytes around the parts of a line.
        missing_request_id: The id outside of any request.
        static: The names of the static fields.
        problems: The replacements made in them.

    Attributes:
        plain: Tells which fields are written as they are.
    """

    def __init__(
        self,
        shape: Shape,
        layout: Layout,
        missing_request_id: str | None,
        static: frozenset[str],
        problems: tuple[str, ...],
    ) -> None:
        self.plain = PlainFields(shape)
        self._shape = shape
        self._layout = layout
        self._missing = missing_request_id
        self._static = static
        self._static_problems = problems
        self._taken = static.union(
            (shape.schema.request_id, shape.names.request_id), layout.trace_ids
        )

    def context(self, view: View, encoder: object) -> Context:
        """Return a view, encoded; it is kept by the view, under *encoder*."""
        shape, layout, fields = self._shape, self._layout, view.fields
        key, statics = shape.names.request_id, self._static
        name, others = shape.names.divided(fields)
        request_id = fields.get(name)
        shown, found = self._missing, NO_PROBLEMS
        if request_id is not None:
            shown, found = shape.request_id(request_id)
        trace: Mapping[str, str] = {}
        if layout.trace_ids:
            trace, others = layout.traced(others)
        body, names, problems = self.members(others)
        if layout.id_in_body and shown is not None:
            body = layout.joined({shape.schema.request_id: shown}) + body
        problems += found + self._static_problems
        clash = bool(statics) and (name in statics or not statics.isdisjoint(names))
        if request_id is None and not fields.keys().isdisjoint((key, *ALIASES)):
            clash = True  # an id of the call replaces a name that has no value here
        names |= self._taken
        if name != key or request_id is None:  # one of the call's may be the id
            names = names.union(ALIASES, (get_names().request_id,))
        context = Context(
            head=layout.head(shown, trace),
            body=body,
            started=None if view.started is None else view.started // 1000,
            names=names,
            clash=clash,
            problems=problems,
            common=not (clash or problems or view.late),
            nameless=request_id is None and not layout.id_in_body,
        )
        if view.encoded is None:
            view.encoded = {}
        remember(view.encoded, encoder, context)
        return context

    def own_id(
        self, head: bytes, fields: dict[Any, Any]
    ) -> tuple[bytes, dict[Any, Any], tuple[str, ...]]:
        """Return the head with the id that the call has, if any, and its others."""
        names = self._shape.names
        key, name = names.request_id, names.id_name(fields)
        if fields.get(name) is None:
            return head, fields, NO_PROBLEMS
        shown, problems = self._shape.request_id(fields[name])
        others = {k: v for k, v in fields.items() if k not in (key, name)}
        return self._layout.head(shown, {}), others, problems

    def members(
        self,
        fields: Mapping[Any, Any],
        completion: bool = False,
        room: int | None = None,
    ) -> tuple[bytes, frozenset[str], tuple[str, ...]]:
        """Return fields as members, their names, and what had to be replaced."""
        if not fields:
            return b"", NO_NAMES, NO_PROBLEMS
        shape, layout = self._shape, self._layout
        if type(fields) is dict and not completion:
            names = self.plain.names(fields)
            if names:
                try:
                    return layout.joined(fields), names, NO_PROBLEMS
                except (TypeError, ValueError) as error:
                    # A big integer, or a lone surrogate.
                    if is_interrupt(error):
                        raise
        walk = shape.walk(room=room)
        plain = shape.members(fields, walk, completion)
        found = cut_reported(walk, shape.limit)
        return layout.joined(plain), shape.names_of(plain, fields), found


def cut_reported(walk: Walk, limit: int) -> tuple[str, ...]:
    """Return the problems of a pass; first of all that something was cut."""
    cut = (f"cut to fit max_line_bytes={limit}",) if walk.cut else ()
    return (*cut, *walk.problems)
