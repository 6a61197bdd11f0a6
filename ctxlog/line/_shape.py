"""
The plan of a schema: how what an event has becomes members of a line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeGuard

from ctxlog._interrupts import is_interrupt
from ctxlog._names import Names
from ctxlog.line import _placing
from ctxlog.line._schema import ROUTE, Schema, without_dots
from ctxlog.line.event import Caller, ExceptionParts
from ctxlog.line.redact import Redactor
from ctxlog.line.values import Walk, safe_str, type_name

#: The names of no field.
NO_NAMES: frozenset[str] = frozenset()

#: The longest id, and name of a field, that are taken without a closer look.
SHORT_TEXT = 128

_Fields = Mapping[Any, Any]


class Shape:
    """
    A plan of the line: the schema and the options, computed once.

    Args:
        schema: The names of the keys.
        names: The names of ctxlog's own fields.
        redactor: Decides which values to hide.
        limit: The most bytes of a line.
        default: Asked first about values of types that JSON does not have.

    Attributes:
        placing: Whether fields are more than renamed.
    """

    def __init__(
        self,
        schema: Schema,
        names: Names,
        redactor: Redactor,
        limit: int,
        default: Callable[[Any], Any] | None = None,
    ) -> None:
        self.schema = schema
        self.names = names
        self.redactor = redactor
        self.limit = limit
        self.placing = not schema.plain
        self._default = default
        self._reserved = frozenset((*schema.own_keys, *schema.caller_keys))
        self._taken = self._reserved | {schema.request_id}
        self._rename = {names.request_id: schema.request_id, **schema.rename}
        self._renamed = self._taken.union(self._rename)
        # Outside of completion lines the schema's place is asked about these only.
        self.may_move: Callable[[str], bool] = lambda name: schema.place is not None
        if (moving := getattr(schema.place, "names", None)) is not None:
            self.may_move = moving.__contains__

    def walk(self, max_text: int | None = None, room: int | None = None) -> Walk:
        """Return a pass over values with the limits given, those of a line at most."""
        return Walk(
            self.redactor,
            self.limit if max_text is None else max_text,
            self.limit if room is None else room,
            self._default,
        )

    def short(self, text: object) -> str:
        """Return any value as a short text: a name, an id that stands on many lines."""
        return self.walk(1024).text(safe_str(text))

    # The line's own ------------------------------------------------------------------

    def is_short_id(self, request_id: object) -> TypeGuard[str]:
        """Return whether an id stands on the line as it is."""
        return (
            type(request_id) is str
            and len(request_id) <= SHORT_TEXT
            and request_id.isascii()
            and not self.redactor.patterns
        )

    def request_id(
        self, request_id: object, share: int | None = None
    ) -> tuple[str, tuple[str, ...]]:
        """Return an id as text, and what had to be replaced in it."""
        if self.is_short_id(request_id):
            return request_id, ()
        walk = self.walk(share)
        if not isinstance(request_id, str):
            request_id = walk.value(request_id)  # bounded, and without secrets
        shown = walk.text(safe_str(request_id))
        key = self.names.request_id
        return shown, tuple(f"{key}: {what}" for what in walk.problems)

    def message(self, message: object, walk: Walk) -> str:
        """Return the message, made plain."""
        text = walk.text(safe_str(message))
        # A GELF server refuses a line without a message.
        return "-" if self.schema.scalars and not text.strip() else text

    def level(self, level: object, levelno: object) -> dict[str, Any]:
        """Return what the line says of the level."""
        schema, name = self.schema, safe_str(level)
        number = levelno if type(levelno) is int else 0
        shown: str | int = name
        if schema.levels is not None:
            try:
                shown = schema.levels(name, number)
            except Exception as error:
                # A callable of the user's: the level's name is left.
                if is_interrupt(error):
                    raise
        members = {schema.level: shown if type(shown) is int else self.short(shown)}
        if schema.level_value:
            members[schema.level_value] = number
        if schema.level_text:
            members[schema.level_text] = self.short(name)
        return members

    def caller(self, caller: Caller, walk: Walk) -> dict[str, Any]:
        """Return what the line says of the caller."""
        schema = self.schema
        line = str(caller.line) if schema.caller_line_text else caller.line
        members: dict[str, Any] = {
            schema.caller_file: walk.text(caller.file),
            schema.caller_path: walk.text(caller.path),
            schema.caller_line: line,
        }
        if caller.function is not None:
            members[schema.caller_function] = walk.text(caller.function)
        members.pop("", None)
        return {schema.caller: members} if schema.caller and members else members

    def tail(
        self,
        error: ExceptionParts | BaseException | None,
        stack_info: str | None,
        walk: Walk,
    ) -> dict[str, Any]:
        """Return what the line says of an exception and of the stack."""
        tail: dict[str, Any] = {}
        schema = self.schema
        if error is not None:
            if isinstance(error, BaseException):
                error = ExceptionParts.of(error)
            # The stack first: it matters most if there is little room.
            stack = walk.text(error.stack)
            members = {
                schema.exception_type: walk.text(error.type),
                schema.exception_message: walk.text(error.message),
                schema.exception_stack: stack,
            }
            if schema.exception:
                tail[schema.exception] = members
            else:
                tail.update(members)
        if stack_info is not None:
            tail[schema.stack_info] = walk.text(safe_str(stack_info))
        return tail

    def report(
        self, problems: tuple[str, ...], room: int | None = None
    ) -> dict[str, Any]:
        """Return what the line says of problems."""
        if not problems:
            return {}
        report = self.walk(room).text("; ".join(dict.fromkeys(problems)))
        return {self.schema.log_error: report}

    # Fields --------------------------------------------------------------------------

    def members(
        self,
        fields: _Fields,
        walk: Walk,
        *,
        completion: bool = False,
        context: bool = False,
    ) -> dict[str, Any]:
        """
        Return fields as members of the line, made plain.

        Args:
            fields: The names and values, of any types.
            walk: The pass that makes them plain.
            completion: Whether they are the call's on a request's completion line.
            context: Whether they are the context's.
        """
        if (
            not self.placing
            and type(fields) is dict
            and self._renamed.isdisjoint(fields)
            and {str}.issuperset(map(type, fields))
        ):
            plain: dict[str, Any] = walk.value(fields)
            return plain
        try:
            pairs = list(fields.items())
        except Exception as error:
            # A third-party mapping may raise anything: the rest of the line is left.
            if is_interrupt(error):
                raise
            walk.problem(f"fields unreadable: {type_name(error)}")
            return {}
        if not self.placing:
            return walk.named(pairs, self.key)
        named, schema = walk.named(pairs), self.schema
        if schema.undotted:
            named = {name: _placing.undotted(value) for name, value in named.items()}

        def place(name: str, value: Any) -> dict[str, Any] | None:
            if schema.place is None:
                return None
            try:
                http = completion or (context and name == ROUTE)
                found = schema.place(name, value, http)
                return None if found is None else dict(found)
            except Exception as error:
                # A callable of the user's: the field stays where it is.
                if is_interrupt(error):
                    raise
                walk.problem(f"{name}: not placed: {type_name(error)}")
                return None

        return _placing.placed(named, place, self.key, self._taken, schema.scalars)

    def names_of(self, members: _Fields, fields: _Fields) -> frozenset[str]:
        """Return the names that are taken by members, and by the fields they are of."""
        names = frozenset(members)
        if self.placing:  # a user's parts may differ: the names that they come from
            names = names.union(key for key in fields if type(key) is str)
        return names

    def key(self, name: str) -> str:
        """Return the key of a field that has no place of its own."""
        schema, key = self.schema, self._rename.get(name)
        if key is None:
            key = schema.prefix + name
            if schema.scalars:
                key = schema.prefix + _placing.with_allowed_characters(name)
            first = name.partition(".")[0] if schema.undotted else name
            if first in schema.reserved or key in schema.reserved:
                return schema.prefixed(name)
            if schema.undotted:
                key = without_dots(key)
        # A field with the name that the schema has for the id is not the id.
        if key in self._reserved or (
            key == schema.request_id and name not in self._rename
        ):
            return schema.prefixed(key.removeprefix(schema.prefix))
        return key
