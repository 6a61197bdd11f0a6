"""
The line: one event as one JSON object and a newline.

Speed comes from structure: each part of a line is encoded as seldom as it changes. The
context's fields once per change (kept by their `View`), the timestamp's seconds once
per second, level and logger once each; per event there remain the message, the
microseconds and the call's own fields, and one join.

A usual event takes the short way, `encode_plain`. Any other takes the general one,
`encode`, which makes the parts of the line by the plan of the schema (`_shape`) and
joins them (`_layout`). Where a key would come twice or the line is too long, the parts
are made once more, without what is known of the context (`_fit`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ctxlog._interrupts import is_interrupt
from ctxlog._json import FLAT_TYPES, dumps
from ctxlog._memory import remember
from ctxlog._names import (
    ACCESS_LOGGERS,
    COMPLETION_LOGGER,
    PLACEHOLDERS,
    Names,
    get_names,
)
from ctxlog.context.adapter import View
from ctxlog.errors import ConfigError
from ctxlog.line._fields import NO_PROBLEMS, Context, Fields, cut_reported
from ctxlog.line._fit import LEAST_LINE, Fitter, micros_of
from ctxlog.line._layout import DIGITS, EXACT, Layout
from ctxlog.line._otlp import OtlpLayout
from ctxlog.line._schema import Schema
from ctxlog.line._shape import NO_NAMES, Shape
from ctxlog.line.event import Caller, Encoder, Event, ExceptionParts, Plain
from ctxlog.line.redact import Redactor
from ctxlog.line.redactor import get_redactor
from ctxlog.line.values import safe_str, type_name
from ctxlog.line.vendors import DEFAULT


class LineEncoder(Encoder):
    """
    Turns events into lines of one schema.

    Immutable for its users; one may serve any number of threads. `encode` never
    raises and always returns exactly one line. The class is long because the short way
    is written out at length.

    Args:
        schema: The names of the keys.
        redactor: Decides which values to hide; by default, the process-wide redactor.
        static: Fields of every line, of the lowest precedence. None values are left
            out.
        missing_request_id: The id outside of any request; None leaves the key out.
        timespec: Precision of the timestamp: `seconds`, `milliseconds` or
            `microseconds`.
        max_line_bytes: The most bytes a line may have, its newline included.
        request_id_key: The name of the request's id; by default, the process's.
        case: The spelling of ctxlog's own names: `camel` or `snake`; by default, the
            process's.
        default: Asked first about values of types that JSON does not have; may raise
            `TypeError`.
        caller: Show where in the code an event was logged.

    Raises:
        ConfigError: If an option is invalid.
    """

    def __init__(
        self,
        schema: Schema = DEFAULT,
        *,
        redactor: Redactor | None = None,
        static: Mapping[str, object] | None = None,
        missing_request_id: str | None = "N/A",
        timespec: str = "microseconds",
        max_line_bytes: int = 262_144,
        request_id_key: str | None = None,
        case: str | None = None,
        default: Callable[[Any], Any] | None = None,
        caller: bool = False,
    ) -> None:
        if not isinstance(timespec, str) or timespec not in DIGITS:
            raise ConfigError("timespec", timespec, f"one of: {', '.join(DIGITS)}")
        if type(max_line_bytes) is not int or max_line_bytes < LEAST_LINE:
            allowed = f"a number of bytes, at least {LEAST_LINE}"
            raise ConfigError("max_line_bytes", max_line_bytes, allowed)
        if missing_request_id is not None and not isinstance(missing_request_id, str):
            raise ConfigError(
                "missing_request_id", missing_request_id, "a string or None"
            )
        if static is not None and not isinstance(static, Mapping):
            raise ConfigError("static", static, "a mapping of names to values")
        if type(caller) is not bool:
            raise ConfigError("caller", caller, "True or False")
        self.caller = caller
        self.names = names = Names.chosen(case, request_id_key)
        self.schema = schema = schema.spelled(names, caller)
        self.redactor = redactor or get_redactor()
        self.max_line_bytes = max_line_bytes
        self._shape = shape = Shape(
            *(schema, names, self.redactor, max_line_bytes, default)
        )
        fields = {k: v for k, v in (static or {}).items() if v is not None}
        # An id for every line is what stands where there is no other.
        self.missing_request_id = missing_request_id and shape.short(missing_request_id)
        for name in (names.request_id, schema.request_id):
            if (request_id := fields.pop(name, None)) is not None:
                self.missing_request_id = shape.short(request_id)
        if self.missing_request_id:
            PLACEHOLDERS.add(self.missing_request_id)
        walk = shape.walk()
        members = shape.members(fields, walk)
        layout = (timespec, schema.constant_members(), members)
        self._layout = (
            OtlpLayout(schema, *layout, names)
            if schema.otlp
            else Layout(schema, *layout)
        )
        # The resource's fields clash with nothing.
        taken = NO_NAMES
        if not self._layout.has_resource:
            taken = shape.names_of(members, fields)
        self._fields = Fields(
            *(shape, self._layout, self.missing_request_id),
            *(taken, cut_reported(walk, max_line_bytes)),
        )
        self._fitter = Fitter(shape, self._layout, fields, self.missing_request_id)
        patterns = bool(self.redactor.patterns)
        self._reads_messages = patterns or schema.scalars
        # A level's name is enough where the schema writes nothing else.
        self._by_name = schema.levels is None and not schema.level_value
        # Whether any event may take the short way, with its caller or without.
        self._usual = self._by_name and not (
            self._reads_messages or schema.otlp or schema.place
        )
        self._common = self._usual and not caller
        # The digits of a second's fraction, as far as they are shown.
        self._millis = _THREE if self._layout.digits else _NONE
        self._micros = _THREE if self._layout.digits == 6 else _NONE
        self._levels: dict[Any, bytes] = {}
        self._loggers: dict[str, bytes] = {}
        self._callers: dict[Caller, bytes] = {}
        self._plain_keys = self._fields.plain.known

    def encode_plain(
        self,
        created: float,
        level: str,
        levelno: int,
        logger: str,
        message: str,
        view: View,
        fields: Mapping[Any, Any],
        called: bool = False,
    ) -> bytes | None:
        """
        Return the line of a usual event; None to be given the `Event` instead.

        It is what a log call costs, so it is written out at length. Whatever is
        uncommon about an event is for `encode`, which gives the same line; *called* is
        for `encode_at`, which adds the caller. Never raises.
        """
        if not (self._common or called) or type(message) is not str:
            return None
        try:
            known = view.encoded
            context = known.get(self) if known else None
            if context is None:
                context = self._fields.context(view, self)
            if not context.common:
                return None
            comma, members, end = b"", b"", b"}\n"
            if fields:
                if type(fields) is not dict:
                    return None
                names = self._plain_keys.get(tuple(fields))
                if names is None:
                    return None
                for value in fields.values():
                    if type(value) not in FLAT_TYPES and not _is_finite(value):
                        # Such as the totals of a request: an object of two numbers.
                        if not self._fields.plain.are_flat(fields):
                            return None
                        break
                if not names.isdisjoint(context.names):
                    return None
                # With its closing brace, which is the line's.
                comma, members, end = b",", dumps(fields)[1:], b"\n"
            second, start = self._layout.second
            fraction = int((created - second) * 1_000_000 + 0.5)
            if not 0 <= fraction < 1_000_000:
                # Another second. Exactly as `micros_of()`, so that both ways agree.
                second, start = self._layout.turn_to(created)
                fraction = int((created - second) * 1_000_000 + 0.5)
                if fraction == 1_000_000 or second > EXACT:
                    return None
            lasting = b""
            if context.started is not None:
                lasted = second * 1_000_000 + fraction - context.started
                # If the clock was set back, 0 rather than a negative time.
                lasting = dumps(lasted / 1000 if lasted > 0 else 0.0)
            line = b"".join(
                (
                    start,
                    self._millis[fraction // 1000],
                    self._micros[fraction % 1000],
                    self._levels[level],
                    context.head,
                    dumps(message),
                    self._loggers[logger],
                    context.until_elapsed,
                    lasting,
                    comma,
                    members,
                    end,
                )
            )
        except Exception as failure:
            # A level or a logger of which nothing is known yet, a lone surrogate, a
            # broken `created`, a key that cannot be hashed. The line is for `encode`.
            if is_interrupt(failure):
                raise
            return None
        return line if len(line) <= self.max_line_bytes else None

    def prepare(self, view: View) -> int | None:
        """Encode a context now; return how many bytes the view keeps for that."""
        context = self._fields.context(view, self)
        return len(context.head) + len(context.body) + len(context.until_elapsed)

    def encode_at(self, caller: Caller | None, plain: Plain) -> bytes:
        """Return the line of an event that is not plain, or has a caller."""
        if caller is not None and self._usual:
            line = self.encode_plain(*plain, called=True)
            if line is not None:
                line = line[:-2] + self._caller(caller) + b"}\n"
                if len(line) <= self.max_line_bytes:
                    return line
        return self.encode(Event(*plain, caller=caller))

    def encode(self, event: Event) -> bytes:
        """Return the line of an event. Never raises."""
        (
            created,
            level,
            levelno,
            logger,
            message,
            view,
            fields,
            error,
            stack_info,
            problems,
            caller,
        ) = event
        length = None
        try:
            if fields and self.names.case != get_names().case and _is_ours(logger):
                fields = self.names.respelled(fields)
                event = event._replace(fields=fields)
            context = (view.encoded or {}).get(self)
            if context is None:
                context = self._fields.context(view, self)
            own, names, head = b"", NO_NAMES, context.head
            if fields and context.nameless and type(fields) is dict:
                head, fields, found = self._fields.own_id(head, fields)
                problems += found
            if fields:
                own, names, found = self._fields.members(
                    fields,
                    completion=self._shape.placing and logger == COMPLETION_LOGGER,
                    room=self._room_beside(context, message),
                )
                problems += found
            if not context.clash and names.isdisjoint(context.names):
                text, found = self._text(message)
                problems += found + context.problems
                tail = b"" if caller is None else self._caller(caller)
                if error is not None or stack_info is not None or problems:
                    tail += self._tail(error, stack_info, problems)
                line = self._layout.line(
                    micros_of(created),
                    view,
                    self._level(level, levelno),
                    head,
                    text,
                    self._loggers.get(logger) or self._logger(logger),
                    context.body,
                    own,
                    tail,
                )
                length = len(line)
                if length <= self.max_line_bytes:
                    return line
        except Exception as failure:
            # A record that was unpickled may hold anything, in any part. With what it
            # has as text there is still a line.
            if is_interrupt(failure):
                raise
            problems += (f"line built with difficulty: {type_name(failure)}",)
        event = event._replace(created=_finite(created))
        try:
            return self._fitter.line(event, problems, length)
        except Exception as failure:
            # Out of memory, or of stack: a short line needs little of both.
            if is_interrupt(failure):
                raise
            what = f"line built with difficulty: {type_name(failure)}"
            return self._fitter.shortest(event, what)

    def json(self, members: Mapping[Any, Any], share: int) -> bytes:
        """
        Return any members as a JSON object, redacted and made plain. Never raises.

        Args:
            members: The names and values; of any types.
            share: The most bytes, about.
        """
        walk = self._shape.walk(share, share)
        plain = walk.named(list(members.items()))
        if walk.problems:
            known = plain.get(self.schema.log_error)
            found = [known] if isinstance(known, str) else []
            plain[self.schema.log_error] = "; ".join([*found, *walk.problems])
        return dumps(plain)

    def caller_members(self, caller: Caller) -> dict[str, Any]:
        """Return what a line says of a caller."""
        return self._shape.caller(caller, self._shape.walk(1024))

    # The parts -----------------------------------------------------------------------

    def _room_beside(self, context: Context, message: object) -> int:
        """Return how many bytes the fields of a call may have, about."""
        layout, limit = self._layout, self.max_line_bytes
        taken = len(context.body) + len(layout.statics) + len(layout.opening)
        if type(message) is str:
            taken += len(message)
        return max(limit - taken - LEAST_LINE // 2, limit // 2)

    def _text(self, message: object) -> tuple[bytes, tuple[str, ...]]:
        if type(message) is str and not self._reads_messages:
            try:
                return dumps(message), NO_PROBLEMS
            except (TypeError, ValueError) as error:  # lone surrogates
                if is_interrupt(error):
                    raise
        walk = self._shape.walk()
        text = dumps(self._shape.message(message, walk))
        return text, tuple(f"message: {what}" for what in walk.problems)

    def _level(self, level: str, levelno: int) -> bytes:
        key = level if self._by_name else (level, levelno)
        member = self._levels.get(key)
        if member is None:
            member = self._layout.level(self._shape.level(level, levelno))
            remember(self._levels, key, member)
        return member

    def _logger(self, logger: str) -> bytes:
        name = self._layout.logger(self._shape.short(logger))
        member = name + self._layout.statics
        remember(self._loggers, logger, member)
        return member

    def _caller(self, caller: Caller) -> bytes:
        member = self._callers.get(caller)
        if member is None:
            member = self._layout.joined(self.caller_members(caller))
            remember(self._callers, caller, member)
        return member

    def _tail(
        self,
        error: ExceptionParts | BaseException | None,
        stack_info: str | None,
        problems: tuple[str, ...],
    ) -> bytes:
        walk = self._shape.walk()
        tail = self._shape.tail(error, stack_info, walk)
        report = self._shape.report((*problems, *walk.problems))
        return self._layout.joined(tail) + self._layout.joined(report)


# Three digits, and none, of each thousandth.
_THREE = [b"%03d" % number for number in range(1000)]
_NONE = [b""] * 1000


def _is_ours(logger: object) -> bool:
    """Return whether the fields of a logger's calls are named by ctxlog."""
    return logger in ACCESS_LOGGERS or safe_str(logger).startswith("ctxlog.")


def _is_finite(value: object) -> bool:
    return type(value) is float and value - value == 0.0


def _finite(seconds: object) -> float:
    if type(seconds) in (int, float) and abs(seconds) < 1e12:  # type: ignore[arg-type]
        return float(seconds)  # type: ignore[arg-type]
    return 0.0
