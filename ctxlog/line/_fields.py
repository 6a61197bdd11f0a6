"""
Fields as the bytes of members: of a context once per change, of a call once per line.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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


class Context:
    """
    The encoded parts of a view, for one encoder. Immutable for its users.

    No tuple, whose members would be looked up by name more slowly on each line.

    Attributes:
        head: From the request's id to the message.
        body: The fields.
        until_elapsed: The same, and what precedes the time since the store was made.
        started: When the store was made, in microseconds; None where there is no store.
        names: The names that no field of the call may have, or a key would come twice.
        clash: Whether a line in it must be built part by part: the context has a name
            of the static fields, or an id without a value.
        problems: The replacements made, in words.
        common: Whether usual events in it may take the short way.
        nameless: Whether *head* has no id, which a field of the call may be.
    """

    __slots__ = (
        *("body", "clash", "common", "head", "nameless", "names", "problems"),
        *("started", "until_elapsed"),
    )

    def __init__(
        self,
        view: View,
        head: bytes,
        body: bytes,
        elapsed: bytes,
        names: frozenset[str],
        clash: bool = False,
        problems: tuple[str, ...] = NO_PROBLEMS,
        nameless: bool = False,
    ) -> None:
        self.head = head
        self.body = body
        self.started: float | None = None
        self.until_elapsed = body
        if view.started is not None:
            self.started = float(view.started // 1000)
            self.until_elapsed = body + elapsed
        self.names = names
        self.clash = clash
        self.problems = problems
        self.common = not (clash or problems or view.late)
        self.nameless = nameless


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
        # What no field of a call may be called, by the names of a context's fields.
        self._usual_names: dict[tuple[Any, ...], frozenset[str]] = {}

    def context(self, view: View, encoder: object) -> Context:
        """Return a view, encoded; it is kept by the view, under *encoder*."""
        context = self._usual(view) or self._any(view)
        if view.encoded is None:
            view.encoded = {encoder: context}
        else:
            remember(view.encoded, encoder, context)
        return context

    def _usual(self, view: View) -> Context | None:
        """Return a view, encoded, if one with the same names had nothing uncommon."""
        shape, fields = self._shape, view.fields
        names = self._usual_names.get(tuple(fields))
        if names is None or get_names().case != shape.names.case:
            return None
        others: dict[Any, Any] = fields.copy()
        request_id = others.pop(shape.names.request_id)
        if not (shape.is_short_id(request_id) and self.plain.are_flat(others)):
            return None
        try:
            body = self._layout.joined(others)
            return Context(view, *self._with_id(request_id, {}, body), names)
        except (TypeError, ValueError) as error:
            # A big integer, or a lone surrogate.
            if is_interrupt(error):
                raise
            return None

    def _any(self, view: View) -> Context:
        """Return any view, encoded, and remember the names of a usual one."""
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
        body, names, problems = self.members(others, context=True)
        problems += found + self._static_problems
        clash = bool(statics) and (name in statics or not statics.isdisjoint(names))
        if request_id is None and not fields.keys().isdisjoint((key, *ALIASES)):
            clash = True  # an id of the call replaces a name that has no value here
        names |= self._taken
        if name != key or request_id is None:  # one of the call's may be the id
            names = names.union(ALIASES, (get_names().request_id,))
        nameless = request_id is None and not layout.id_in_body
        parts = self._with_id(shown, trace, body)
        context = Context(view, *parts, names, clash, problems, nameless)
        if (
            not (clash or problems or layout.trace_ids)
            and name == key
            and shape.is_short_id(request_id)
            and (not others or tuple(others) in self.plain.known)
        ):
            remember(self._usual_names, tuple(fields), names)
        return context

    def _with_id(
        self, request_id: str | None, trace: Mapping[str, str], body: bytes
    ) -> tuple[bytes, bytes, bytes]:
        """
        Return what precedes the message, the fields, what precedes the elapsed time.

        One of the first two has the id.
        """
        layout = self._layout
        if layout.id_in_body and request_id is not None:
            body = layout.joined({self._shape.schema.request_id: request_id}) + body
        return layout.head(request_id, trace), body, layout.elapsed

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
        *,
        completion: bool = False,
        context: bool = False,
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
        plain = shape.members(fields, walk, completion=completion, context=context)
        found = cut_reported(walk, shape.limit)
        return layout.joined(plain), shape.names_of(plain, fields), found


def cut_reported(walk: Walk, limit: int) -> tuple[str, ...]:
    """Return the problems of a pass; first of all that something was cut."""
    cut = (f"cut to fit max_line_bytes={limit}",) if walk.cut else ()
    return (*cut, *walk.problems)
