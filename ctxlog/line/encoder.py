"""
The line: one event as one JSON object and a newline. Core.

Speed comes from structure: each part of a line is encoded as seldom as it changes. The
context's fields once per change (kept by their `View`), the timestamp's seconds once
per second, level and logger once each; per event there remain the message, the
microseconds and the call's own fields, and one join.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from ctxlog._interrupts import is_interrupt
from ctxlog._json import FLAT_TYPES, dumps
from ctxlog._memory import remember
from ctxlog._names import (
    ACCESS_LOGGERS,
    ALIASES,
    COMPLETION_LOGGER,
    PLACEHOLDERS,
    Names,
    get_names,
)
from ctxlog.context.adapter import View
from ctxlog.errors import ConfigError
from ctxlog.line._pairs import is_named_value
from ctxlog.line._placing import undotted, without_dots
from ctxlog.line.event import Encoder, Event, ExceptionParts
from ctxlog.line.redact import Redactor
from ctxlog.line.redactor import get_redactor
from ctxlog.line.schema import Schema
from ctxlog.line.values import Walk, safe_str, type_name
from ctxlog.line.vendors import DEFAULT

_DIGITS = {"seconds": 0, "milliseconds": 3, "microseconds": 6}
_LEAST_LINE = 1024
_SHORT = 16
_MOST_KEYS, _LONGEST_KEY = 64, 128
# Members of a value within a value that is taken as it is, and levels of such: the
# same value may be in a field many times.
_FEW, _DEPTH = 16, 3

_Fields = Mapping[Any, Any]


class _Encoded:
    """
    What an encoder keeps of a view.

    Attributes:
        head: From the request's id to the message.
        body: The fields.
        started: When the store was made, in microseconds; None where there is no store.
        names: Those that a field of the call must not have, so that no key comes twice.
        clash: Whether the static fields already have one of the context's.
        problems: What had to be replaced.
        common: Whether lines in it may be put together in one step.
        nameless: Whether *head* has no id, which a field of the call may be.
    """

    __slots__ = (
        "body",
        "clash",
        "common",
        "head",
        "nameless",
        "names",
        "problems",
        "started",
    )

    def __init__(
        self,
        head: bytes,
        body: bytes,
        started: int | None,
        names: frozenset[str],
        clash: bool,
        problems: tuple[str, ...],
        common: bool,
        nameless: bool,
    ) -> None:
        self.head = head
        self.body = body
        self.started = started
        self.names = names
        self.clash = clash
        self.problems = problems
        self.common = common
        self.nameless = nameless


class LineEncoder(Encoder):
    """
    Turns events into lines of one schema.

    Immutable for its users; one may serve any number of threads. `encode` never
    raises and always returns exactly one line.

    Args:
        schema: The names of the keys.
        redactor: What to hide; the process's unless given.
        static: Fields of every line, of the lowest precedence. None values are left
            out.
        missing_request_id: What stands for the request's id outside of any; None
            leaves the key out.
        timespec: Precision of the timestamp: `seconds`, `milliseconds` or
            `microseconds`.
        max_line_bytes: The most bytes a line may have, its newline included.
        request_id_key: The name of the request's id; the process's unless given.
        case: The spelling of ctxlog's own names: `camel` or `snake`; the process's
            unless given.
        default: Asked first about values of types that JSON does not have; may raise
            `TypeError`.
        stacks_as_lists: Write tracebacks as lists of lines: `(exception, stack_info)`.

    Raises:
        ConfigError: an option has a value that it cannot have.
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
        stacks_as_lists: tuple[bool, bool] = (False, False),
    ) -> None:
        if not isinstance(timespec, str) or timespec not in _DIGITS:
            raise ConfigError("timespec", timespec, f"one of: {', '.join(_DIGITS)}")
        if type(max_line_bytes) is not int or max_line_bytes < _LEAST_LINE:
            allowed = f"a number of bytes, at least {_LEAST_LINE}"
            raise ConfigError("max_line_bytes", max_line_bytes, allowed)
        if missing_request_id is not None and not isinstance(missing_request_id, str):
            raise ConfigError(
                "missing_request_id", missing_request_id, "a string or None"
            )
        if static is not None and not isinstance(static, Mapping):
            raise ConfigError("static", static, "a mapping of names to values")
        self.names = names = Names.chosen(case, request_id_key)
        self.schema = schema = schema.spelled(names)
        self.redactor = redactor or get_redactor()
        self.max_line_bytes = max_line_bytes
        self._default = default
        self._stacks_as_lists = stacks_as_lists
        self._digits = _DIGITS[timespec]
        # Of the digits of a time in microseconds.
        self._fraction = slice(-6, self._digits - 6 or None)
        self._reserved = frozenset(schema.own_keys)
        self._shaped = not schema.plain
        # Whether most lines are put together in one step.
        self._common = not (
            self.redactor.patterns or schema.scalars or schema.otlp or schema.place
        )
        self._reads_messages = bool(self.redactor.patterns) or schema.scalars
        self._ending = b"," if schema.seconds else b'Z",'
        self._end = b"}\n"
        self._otlp = schema.otlp
        self._trace_ids = {
            names.trace_id: ("traceId", 32),
            names.span_id: ("spanId", 16),
        }
        self._rename = {names.request_id: schema.request_id, **schema.rename}
        self._renamed = self._reserved.union(self._rename, (schema.request_id,))
        self._second: tuple[int | None, bytes] = (None, b"")
        self._levels: dict[Any, bytes] = {}
        # A level's name is enough where the schema writes nothing else.
        self._by_name = schema.levels is None and not schema.level_value
        self._loggers: dict[str, bytes] = {}
        self._plain_keys: dict[tuple[Any, ...], frozenset[str]] = {}
        texts = {str} if self.redactor.patterns else set()
        self._flat = FLAT_TYPES.difference(texts)
        self.missing_request_id = missing_request_id and self._plain_id(
            missing_request_id
        )
        quote = b"" if schema.seconds else b'"'
        self._opening = b'{"%s":%s' % (_text(schema.timestamp), quote)
        self._id_key = b'"%s":' % _text(schema.request_id)
        self._message_key = b'"%s":' % _text(schema.message)
        self._elapsed, self._elapsed_end = b',"%s":' % _text(schema.elapsed), b""
        true = b'"true"' if schema.scalars else b"true"
        self._late = b',"%s":%s' % (_text(schema.late), true)
        self._static = {k: v for k, v in (static or {}).items() if v is not None}
        # An id for every line is what stands where there is no other.
        for name in (names.request_id, schema.request_id):
            request_id = self._static.pop(name, None)
            if request_id is not None:
                self.missing_request_id = self._plain_id(request_id)
        if self.missing_request_id:
            PLACEHOLDERS.add(self.missing_request_id)
        statics, self._static_names, self._static_problems = self._members(self._static)
        self._constants = schema.constant_members()
        if self._constants:
            statics = b"," + dumps(self._constants)[1:-1] + statics
        if schema.otlp:
            self._use_otlp(schema, statics)
            # They are the resource's there, and clash with nothing.
            statics, self._static_names = b"", _NO_NAMES
        self._static_bytes = statics
        self._taken = self._static_names | {schema.request_id, names.request_id}

    def _use_otlp(self, schema: Schema, statics: bytes) -> None:
        resource = b'{"resourceLogs":[{"resource":{"attributes":[%s]},' % statics[1:]
        records = b'"scopeLogs":[{"scope":{},"logRecords":[{"timeUnixNano":"'
        self._opening = resource + records
        self._shortest = b'{"resourceLogs":[{' + records
        # Nanoseconds have no point in them: the digits are always all there.
        self._digits = 6
        self._ending = b'000",'
        self._end = b"]}]}]}]}\n"
        number = b',{"key":"%s","value":{"doubleValue":'
        self._elapsed, self._elapsed_end = number % _text(schema.elapsed), b"}}"
        self._late = self._joined({schema.late: True})

    def _joined(self, members: Mapping[str, Any]) -> bytes:
        """Return members, each with a comma before it."""
        if not members:
            return b""
        if self._otlp:
            return b"," + dumps(_attributes(members))[1:-1]
        return b"," + dumps(members)[1:-1]

    # The event ------------------------------------------------------------------

    def encode_plain(
        self,
        created: float,
        level: str,
        levelno: int,
        logger: str,
        message: str,
        view: View,
        fields: _Fields,
    ) -> bytes | None:
        """
        Return the line of a usual event; None to be given the `Event` instead.

        It is what a log call costs, so it is written out at length. Whatever is
        uncommon about an event is for `encode`, which gives the same line. Never
        raises.
        """
        if not self._common or type(message) is not str:
            return None
        try:
            known = view.encoded
            context = known.get(self) if known else None
            if context is None:
                context = self._context(view)
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
                        return None
                if not names.isdisjoint(context.names):
                    return None
                # With its closing brace, which is the line's.
                comma, members, end = b",", dumps(fields)[1:], b"\n"
            micros = int(created * 1_000_000 + 0.5)
            second = micros // 1_000_000
            known_second, start = self._second
            if second != known_second:
                if second < 1:  # its microseconds have too few digits
                    return None
                start = self._start_of(second)
            elapsed, lasting = b"", b""
            if context.started is not None:
                lasted = micros - context.started
                # If the clock was set back, 0 rather than a negative time.
                elapsed = self._elapsed
                lasting = dumps(lasted / 1000 if lasted > 0 else 0.0)
            line = b"".join(
                (
                    start,
                    dumps(micros)[self._fraction],
                    self._levels[level],
                    context.head,
                    dumps(message),
                    self._loggers[logger],
                    context.body,
                    elapsed,
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

    def encode(self, event: Event) -> bytes:
        """Return the line of an event. Never raises."""
        created, level, levelno, logger, message, view = event[:6]
        own, error, stack_info, problems = event[6:]
        length: int | None = None
        try:
            if own and self.names.case != get_names().case and _is_ours(logger):
                own = self.names.respelled(own)
            context = (view.encoded or {}).get(self) or self._context(view)
            members, clash, head, fields = b"", context.clash, context.head, own
            if own and context.nameless and type(own) is dict:
                head, fields, found = self._own_id(head, own)
                problems += found
            if fields:
                members, names, found = self._members(
                    fields,
                    self._shaped and logger == COMPLETION_LOGGER,
                    self._room_beside(context, message),
                )
                clash = clash or not names.isdisjoint(context.names)
                if found:
                    problems += found
            if not clash:
                text = None if self._reads_messages else _quoted(message)
                if text is None:
                    text, found = self._read_message(message)
                    problems += found
                problems += context.problems
                micros = _micros(created)
                tail = b""
                if error is not None or stack_info is not None or problems:
                    walk = self._walk()
                    tail = self._tail(error, stack_info, walk)
                    tail += self._reported((*problems, *walk.problems))
                line = b"".join(
                    (
                        self._time(micros),
                        self._levels.get(level if self._by_name else (level, levelno))
                        or self._level(level, levelno),
                        head,
                        text,
                        self._loggers.get(logger) or self._logger(logger),
                        context.body,
                        self._since(view, micros),
                        members,
                        tail,
                        self._end,
                    )
                )
                length = len(line)
                if length <= self.max_line_bytes:
                    return line
        except Exception as failure:  # a record that was unpickled may hold anything
            if is_interrupt(failure):
                raise
            problems += (f"line built with difficulty: {type_name(failure)}",)
        event = event._replace(created=_finite(created), fields=own)
        try:
            return self._fitting(event, problems, length)
        except Exception as failure:  # out of memory, or of stack
            if is_interrupt(failure):
                raise
            return self._bare(
                event, f"line built with difficulty: {type_name(failure)}"
            )

    def _room_beside(self, context: _Encoded, message: object) -> int:
        """Return how many bytes the fields of a call may have, about."""
        taken = len(context.body) + len(self._static_bytes) + len(self._opening)
        if type(message) is str:
            taken += len(message)
        limit = self.max_line_bytes
        return max(limit - taken - _LEAST_LINE // 2, limit // 2)

    def json(self, members: _Fields, share: int) -> bytes:
        """
        Return any members as a JSON object, redacted and made plain. Never raises.

        Args:
            members: The names and values; of any types.
            share: The most bytes, about.
        """
        walk = self._walk(share, share)
        plain = walk.named(list(members.items()))
        if walk.problems:
            known = plain.get(self.schema.log_error)
            found = [known] if isinstance(known, str) else []
            plain[self.schema.log_error] = "; ".join([*found, *walk.problems])
        return dumps(plain)

    def _time(self, micros: int) -> bytes:
        second, fraction = divmod(micros, 1_000_000)
        known, start = self._second
        if second != known:
            start = self._start_of(second)
        return start + (b"%06d" % fraction)[: self._digits]

    def _start_of(self, second: int) -> bytes:
        try:
            if self.schema.seconds:
                shown = str(max(second, 0))
            else:
                shown = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        except (OverflowError, ValueError, OSError) as error:
            if is_interrupt(error):
                raise
            shown = "1970-01-01T00:00:00"  # a record with a broken `created`
        start = self._opening + shown.encode()
        if self._digits and not self._otlp:
            start += b"."
        if second > 0:
            self._second = second, start
        return start

    def _level(self, level: str, levelno: int) -> bytes:
        schema = self.schema
        number = levelno if type(levelno) is int else 0
        shown: str | int = safe_str(level)
        if schema.levels is not None:
            try:
                shown = schema.levels(safe_str(level), number)
            except Exception as error:  # the user's: the name is left
                if is_interrupt(error):
                    raise
        word = shown if type(shown) is int else self._walk(1024).text(safe_str(shown))
        members = {schema.level: word}
        if schema.level_value:
            members[schema.level_value] = number
        if schema.level_text:
            members[schema.level_text] = self._walk(1024).text(safe_str(level))
        member = self._ending + dumps(members)[1:-1] + b","
        key = level if self._by_name else (level, levelno)
        remember(self._levels, key, member)
        return member

    def _read_message(self, message: object) -> tuple[bytes, tuple[str, ...]]:
        walk = self._walk()
        text = dumps(self._message(message, walk))
        return text, tuple(f"message: {what}" for what in walk.problems)

    def _message(self, message: object, walk: Walk) -> str:
        text = walk.text(safe_str(message))
        # A GELF server refuses a line without a message.
        return "-" if self.schema.scalars and not text.strip() else text

    def _logger(self, logger: str) -> bytes:
        member = b',"%s":%s' % (_text(self.schema.logger), self._constant(logger))
        if self._otlp:
            shown = self._walk(1024).text(safe_str(logger))
            member = b'},"attributes":[' + self._joined({self.schema.logger: shown})[1:]
        member += self._static_bytes
        remember(self._loggers, logger, member)
        return member

    def _constant(self, text: object) -> bytes:
        return dumps(self._walk(1024).text(safe_str(text)))

    def _since(self, view: View, micros: int) -> bytes:
        if view.started is None:
            return b""
        lasted = dumps(max(micros - view.started // 1000, 0) / 1000)
        elapsed = self._elapsed + lasted + self._elapsed_end
        return elapsed + self._late if view.late else elapsed

    def _context(self, view: View) -> _Encoded:
        fields, key = view.fields, self.names.request_id
        name, others = self.names.divided(fields)
        request_id = fields.get(name)
        body, names, problems = self._members(others)
        head, found = self._head(request_id)
        problems += found
        if self._otlp:
            traced, body, names, problems = self._traced(others)
            head = traced + b'"body":{"stringValue":'
        id_in_body = self._otlp or self.schema.message_first
        if id_in_body:
            shown, _ = self._request_id(request_id)
            if shown is not None:
                body = self._joined({self.schema.request_id: shown}) + body
        problems += self._static_problems
        statics = self._static_names
        clash = bool(statics) and (name in statics or not statics.isdisjoint(names))
        names |= self._taken
        if name != key or request_id is None:  # one of the call's may be the id
            names = names.union(ALIASES, (get_names().request_id,))
        started = None if view.started is None else view.started // 1000
        common = not (clash or problems or view.late)
        nameless = request_id is None and not id_in_body
        encoded = _Encoded(
            head, body, started, names, clash, problems, common, nameless
        )
        if view.encoded is None:
            view.encoded = {}
        remember(view.encoded, self, encoded)
        return encoded

    def _traced(
        self, fields: _Fields
    ) -> tuple[bytes, bytes, frozenset[str], tuple[str, ...]]:
        """Return the trace's ids of a record of OTLP, and the attributes."""
        traced, others = self._without_trace(fields)
        body, names, problems = self._members(others)
        head = dumps(traced)[1:-1] + b"," if traced else b""
        return head, body, names | self._trace_ids.keys(), problems

    def _without_trace(self, fields: _Fields) -> tuple[dict[str, str], dict[Any, Any]]:
        """Divide fields in the ids of a trace, where they are such, and the others."""
        traced, others = {}, dict(fields)
        for name, (key, digits) in self._trace_ids.items():
            value = fields.get(name)
            if type(value) is str and len(value) == digits and _HEX.fullmatch(value):
                traced[key] = others.pop(name)
        return traced, others

    def _head(self, request_id: object) -> tuple[bytes, tuple[str, ...]]:
        shown, problems = self._request_id(request_id)
        if shown is None or self.schema.message_first:
            return self._message_key, problems
        return self._id_key + dumps(shown) + b"," + self._message_key, problems

    def _own_id(
        self, head: bytes, own: dict[Any, Any]
    ) -> tuple[bytes, dict[Any, Any], tuple[str, ...]]:
        """Return the head with the id that the call has, if any, and its others."""
        key, name = self.names.request_id, self.names.id_name(own)
        if own.get(name) is None:
            return head, own, ()
        head, problems = self._head(own[name])
        return head, {k: v for k, v in own.items() if k not in (key, name)}, problems

    def _plain_id(self, request_id: object) -> str:
        return self._walk(1024).text(safe_str(request_id))

    def _request_id(
        self, request_id: object, share: int | None = None
    ) -> tuple[str | None, tuple[str, ...]]:
        """Return what stands for the id, and what had to be replaced in it."""
        if request_id is None:
            return self.missing_request_id, ()
        if (
            type(request_id) is str
            and len(request_id) <= _LONGEST_KEY
            and request_id.isascii()
            and not self.redactor.patterns
        ):
            return request_id, ()
        walk = self._walk(share)
        if not isinstance(request_id, str):
            request_id = walk.value(request_id)  # bounded, and without secrets
        shown = walk.text(safe_str(request_id))
        key = self.names.request_id
        return shown, tuple(f"{key}: {what}" for what in walk.problems)

    # Fields ----------------------------------------------------------------------

    def _members(
        self, fields: _Fields, completion: bool = False, room: int | None = None
    ) -> tuple[bytes, frozenset[str], tuple[str, ...]]:
        """Encode fields as members of an object, each with a comma before it."""
        if not fields:
            return b"", _NO_NAMES, ()
        keys = tuple(fields)
        if type(fields) is dict and not completion:
            names = self._plain_keys.get(keys) or self._as_they_are(keys)
            if names and self._is_flat(fields):
                try:
                    if self._otlp:
                        return self._joined(fields), names, ()
                    return b"," + dumps(fields)[1:-1], names, ()
                except (TypeError, ValueError) as error:
                    # A big integer, or a lone surrogate.
                    if is_interrupt(error):
                        raise
        walk = self._walk(room=room)
        plain = self._plain(fields, walk, completion)
        names = frozenset(plain)
        if self._shaped:  # a user's parts may differ: the names that they come from
            names |= {key for key in keys if type(key) is str}
        found = tuple(walk.problems)
        if walk.cut:
            found = (f"cut to fit max_line_bytes={self.max_line_bytes}", *found)
        return self._joined(plain), names, found

    def _plain(
        self, fields: _Fields, walk: Walk, completion: bool = False
    ) -> dict[str, Any]:
        if (
            not self._shaped
            and type(fields) is dict
            and self._renamed.isdisjoint(fields)
            and {str}.issuperset(map(type, fields))
        ):
            plain: dict[str, Any] = walk.value(fields)
            return plain
        try:
            pairs = list(fields.items())
        except Exception as error:  # a third-party mapping
            if is_interrupt(error):
                raise
            walk.problem(f"fields unreadable: {type_name(error)}")
            return {}
        if not self._shaped:
            return walk.named(pairs, self._key)
        shaped: dict[str, Any] = {}
        claimed: set[str] = set()
        lines_own = self._reserved | {self.schema.request_id}
        for name, value in walk.named(pairs).items():
            if self.schema.undotted:
                value = undotted(value)
            members = self._placed(name, value, completion, walk)
            placed = members is not None
            if members is None:
                members = {self._key(name): value}
            if self.schema.scalars:
                members = _flattened(members)
            for wanted, part in members.items():
                # A field that is called as the vendor calls it is the vendor's own:
                # a tracer's id goes before one that came with the request.
                vendors = placed and wanted == name
                if placed and wanted in shaped and (vendors or wanted in claimed):
                    if vendors:
                        shaped[wanted] = part
                    continue
                if vendors:
                    claimed.add(wanted)
                if type(part) is dict and wanted in _MERGED and wanted in shaped:
                    shaped[wanted].update(part)
                    continue
                key, number = wanted, 2
                while key in shaped or key in lines_own:
                    key, number = f"{wanted}_{number}", number + 1
                shaped[key] = part
        return shaped

    def _placed(
        self, name: str, value: Any, completion: bool, walk: Walk
    ) -> dict[str, Any] | None:
        place = self.schema.place
        if place is None:
            return None
        try:
            members = place(name, value, completion)
            return None if members is None else dict(members)
        except Exception as error:  # the user's
            if is_interrupt(error):
                raise
            walk.problem(f"{name}: not placed: {type_name(error)}")
            return None

    def _key(self, name: str) -> str:
        key = self._rename.get(name)
        schema = self.schema
        if key is None:
            if not self._shaped:
                key = name
            else:
                first = name.partition(".")[0] if schema.undotted else name
                key = schema.prefix + name
                if schema.scalars:
                    key = schema.prefix + _NOT_IN_KEYS.sub("_", name)
                if first in schema.reserved or key in schema.reserved:
                    return schema.aside(name)
                if schema.undotted:
                    key = without_dots(key)
        # A field with the name that the schema has for the id is not the id.
        aside = key in self._reserved or (
            key == schema.request_id and name not in self._rename
        )
        return schema.aside(key.removeprefix(schema.prefix)) if aside else key

    def _as_they_are(self, keys: tuple[Any, ...]) -> frozenset[str]:
        """Return names if fields are written under all of them, and none is hidden."""
        used = get_names()
        respelled = () if used.case == self.names.case else used.of_fields
        plain = len(keys) <= _MOST_KEYS and all(
            type(key) is str
            and key not in respelled
            and key.isascii()
            and len(key) <= _LONGEST_KEY
            and self._key(key) == key
            and not (self._shaped and self._may_move(key))
            and not self.redactor.hides(key)
            for key in keys
        )
        if not plain or is_named_value(keys):
            return _NO_NAMES
        names = frozenset(keys)
        remember(self._plain_keys, keys, names)
        return names

    def _may_move(self, name: str) -> bool:
        place = self.schema.place
        return place is not None and name in getattr(place, "names", (name,))

    def _is_flat(self, fields: dict[Any, Any], depth: int = 0) -> bool:
        """Whether the encoder may have all values as they are."""
        values = fields.values()
        if self._flat.issuperset(map(type, values)):
            return True
        for value in values:
            kind = type(value)
            if kind is dict:
                if not self._is_plain_object(value, depth + 1):
                    return False
            elif kind is list:
                if not self._is_plain_list(value):
                    return False
            # A difference to itself is NaN of the infinite, too.
            elif kind not in self._flat and (kind is not float or value - value != 0.0):
                return False
        return True

    def _is_plain_object(self, value: dict[Any, Any], depth: int) -> bool:
        """Whether a field may be as it is: a user's id and name, mostly."""
        keys = tuple(value)
        return (
            not self._shaped
            and depth < _DEPTH
            and (depth == 1 or len(keys) <= _FEW)
            and bool(self._plain_keys.get(keys) or self._as_they_are(keys))
            and self._is_flat(value, depth)
        )

    def _is_plain_list(self, value: list[Any]) -> bool:
        """Whether a field may be as it is: some names or numbers."""
        if self._shaped or len(value) > _FEW:
            return False
        if len(value) == 2 and type(value[0]) is str and self.redactor.hides(value[0]):
            return False
        return self._flat.issuperset(map(type, value))

    def _walk(self, max_text: int | None = None, room: int | None = None) -> Walk:
        limit = self.max_line_bytes
        return Walk(
            self.redactor,
            limit if max_text is None else max_text,
            limit if room is None else room,
            self._default,
        )

    def _tail(
        self,
        error: ExceptionParts | BaseException | None,
        stack_info: str | None,
        walk: Walk,
    ) -> bytes:
        tail: dict[str, Any] = {}
        schema = self.schema
        as_lists, info_as_lists = self._stacks_as_lists
        if schema.scalars:
            as_lists = info_as_lists = False
        if error is not None:
            parts = (
                ExceptionParts.of(error) if isinstance(error, BaseException) else error
            )
            stack = walk.text(parts.stack)
            members = {
                schema.exception_type: walk.text(parts.type),
                schema.exception_message: walk.text(parts.message),
                schema.exception_stack: stack.splitlines() if as_lists else stack,
            }
            if schema.exception:
                tail[schema.exception] = members
            else:
                tail.update(members)
        if stack_info is not None:
            info = walk.text(safe_str(stack_info))
            tail[schema.stack_info] = info.splitlines() if info_as_lists else info
        return self._joined(tail)

    def _reported(self, problems: tuple[str, ...], room: int | None = None) -> bytes:
        if not problems:
            return b""
        report = self._walk(room).text("; ".join(dict.fromkeys(problems)))
        return self._joined({self.schema.log_error: report})

    # Lines that need more than that ---------------------------------------------

    def _fitting(
        self,
        event: Event,
        problems: tuple[str, ...],
        length: int | None = None,
    ) -> bytes:
        """
        Build a line of ever fewer bytes until it fits, which the first mostly does.

        `length` is that of the whole line if it is known to be too long.
        """
        limit = self.max_line_bytes
        if length is None:
            line = self._walked(event, problems, limit, limit)
            if len(line) <= limit:
                return line
            length = len(line)
        what = f"line of {length} bytes cut to fit max_line_bytes={limit}"
        room = limit - limit // 8
        while room > 64:
            line = self._walked(event, (what, *problems), room // 3, room)
            if len(line) <= limit:
                return line
            # Where a schema takes more bytes for a value than JSON does.
            room = min(room * limit // len(line), room // 2)
        return self._bare(event, what)

    def _bare(self, event: Event, what: str) -> bytes:
        """Build a line that always fits: the message and the id, both cut short."""
        walk = self._walk(_SHORT, 1)
        schema = self.schema
        request_id = self.names.id_of(event.view.fields)
        if request_id is None:
            request_id = self.missing_request_id
        texts = {
            schema.request_id: request_id,
            schema.message: event.message,
            schema.logger: event.logger,
        }
        line = {k: walk.text(safe_str(v)) for k, v in texts.items() if v is not None}
        line[schema.message] = self._message(event.message, walk)
        line[schema.log_error] = what
        line.update(self._constants)
        if schema.message_first and schema.request_id in line:
            line[schema.request_id] = line.pop(schema.request_id)
        start = self._time(_micros(event.created))
        if schema.otlp:  # without the resource, which may be what is too long
            start = self._shortest + start[len(self._opening) :]
        level = self._level(walk.text(safe_str(event.level)), event.levelno)
        return start + level + self._started(line) + self._end

    def _started(self, line: dict[str, Any]) -> bytes:
        if not self._otlp:
            return dumps(line)[1:-1]
        message = dumps(line.pop(self.schema.message))
        attributes = self._joined(line)[1:]
        return b'"body":{"stringValue":%s},"attributes":[%s' % (message, attributes)

    def _walked(
        self, event: Event, problems: tuple[str, ...], max_text: int, room: int
    ) -> bytes:
        """Build a line as a dict: slower, and right whatever clashes or is too long."""
        schema = self.schema
        view = event.view
        micros = _micros(event.created)
        walk = self._walk(max_text, room)
        # In the order of what matters most where there is not enough room.
        message = self._message(event.message, walk)
        logger = walk.text(safe_str(event.logger))
        level = self._level(walk.text(safe_str(event.level)), event.levelno)
        tail = self._tail(event.error, event.stack_info, walk)
        completion = self._shaped and event.logger == COMPLETION_LOGGER
        parts = with_one_id(self.names, event.fields, view)
        name, request_id, own, fields = parts
        shown, found = self._request_id(request_id, max_text)
        problems += found
        static = {k: v for k, v in self._static.items() if k != name}
        if self._shaped:  # what is one field is replaced as one
            raw: set[Any] = set()
            try:
                raw.update(own)
            except Exception as error:  # a third-party mapping: read above
                if is_interrupt(error):
                    raise
            fields = {k: v for k, v in fields.items() if k not in raw}
            static = {k: v for k, v in static.items() if k not in {*raw, *fields}}
        traced: dict[str, str] = {}
        if schema.otlp:
            traced, fields = self._without_trace(fields)
            static = {}
        statics = self._plain(static, walk)
        context = self._plain(fields, walk)
        plain_own = self._plain(own, walk, completion)
        line: dict[str, Any] = {}
        if shown is not None:
            line[schema.request_id] = shown
        line[schema.message] = message
        line[schema.logger] = logger
        taken = plain_own.keys() | context.keys()
        line.update(self._constants)
        line.update((k, v) for k, v in statics.items() if k not in taken)
        if schema.message_first and shown is not None:
            line[schema.request_id] = line.pop(schema.request_id)
        line.update((k, v) for k, v in context.items() if k not in plain_own)
        return b"".join(
            (
                self._time(micros),
                level,
                dumps(traced)[1:-1] + b"," if traced else b"",
                self._started(line),
                self._since(view, micros),
                self._joined(plain_own),
                tail,
                self._reported(
                    (*problems, *walk.problems), max(max_text, _LEAST_LINE // 4)
                ),
                self._end,
            )
        )


def with_one_id(
    names: Names, own: _Fields, view: View
) -> tuple[str, object, _Fields, dict[Any, Any]]:
    """
    Return the name and the value of a line's request id, and the line's other fields.

    Args:
        names: What the id is called.
        own: The fields of the log call; the third of what is returned.
        view: The context's; the fourth.
    """
    key = names.request_id
    known: dict[Any, Any] = {}
    try:
        known = own = dict(own)
    except Exception as error:  # a third-party mapping: `_plain` says so
        if is_interrupt(error):
            raise
    merged = {**view.fields, **{k: v for k, v in known.items() if v is not None}}
    name = names.id_name(merged)
    request_id = merged.get(name)
    if known:
        own = {k: v for k, v in known.items() if k not in (key, name)}
    fields = {k: v for k, v in view.fields.items() if k not in (key, name)}
    # A processor may have put the context's id into the call, under the chosen name.
    again = names.id_name(view.fields)
    if (
        name == key
        and again in fields
        and safe_str(fields[again]) == safe_str(request_id)
    ):
        del fields[again]
    return name, request_id, own, dict(names.respelled(fields))


# Objects of the Google Cloud schema that several fields fill.
_MERGED = frozenset({"httpRequest", "serviceContext"})

# GELF 1.1: what the name of an additional field must not have.
_NOT_IN_KEYS = re.compile(r"[^A-Za-z0-9_.-]")


def _flattened(members: Mapping[str, Any]) -> dict[str, Any]:
    """Return members with texts and numbers only: objects by dots, lists as JSON."""
    flat: dict[str, Any] = {}
    for name, value in members.items():
        if type(value) is dict and value:
            nested = {
                f"{name}.{_NOT_IN_KEYS.sub('_', part)}": of
                for part, of in value.items()
            }
            found: Mapping[str, Any] = _flattened(nested)
        elif type(value) in (str, int, float):
            found = {name: value}
        else:
            found = {name: dumps(value).decode()}
        for wanted, part in found.items():
            key, number = wanted, 2
            while key in flat:
                key, number = f"{wanted}_{number}", number + 1
            flat[key] = part
    return flat


_HEX = re.compile("[0-9a-f]+", re.IGNORECASE)


def _attributes(members: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _any_value(of)} for key, of in members.items()]


def _any_value(value: Any) -> dict[str, Any]:
    """Return a plain value as OTLP's `AnyValue`; 64-bit integers are texts there."""
    kind = type(value)
    if kind is str:
        return {"stringValue": value}
    if kind is bool:
        return {"boolValue": value}
    if kind is int:
        name = "intValue" if -(2**63) <= value < 2**63 else "stringValue"
        return {name: str(value)}
    if kind is float:
        return {"doubleValue": value}
    if kind is list:
        return {"arrayValue": {"values": [_any_value(item) for item in value]}}
    if kind is dict:
        return {"kvlistValue": {"values": _attributes(value)}}
    return {}


_NO_NAMES: frozenset[str] = frozenset()


def _is_ours(logger: object) -> bool:
    """Whether the fields of a logger's calls are named by ctxlog."""
    return logger in ACCESS_LOGGERS or safe_str(logger).startswith("ctxlog.")


def _is_finite(value: object) -> bool:
    return type(value) is float and value - value == 0.0


def _quoted(text: object) -> bytes | None:
    try:
        return dumps(text) if type(text) is str else None
    except (TypeError, ValueError) as error:  # lone surrogates
        if is_interrupt(error):
            raise
        return None


def _micros(seconds: float) -> int:
    return math.floor(seconds * 1_000_000 + 0.5)


def _finite(seconds: object) -> float:
    if type(seconds) in (int, float) and abs(seconds) < 1e12:  # type: ignore[arg-type]
        return float(seconds)  # type: ignore[arg-type]
    return 0.0


def _text(key: str) -> bytes:
    return dumps(key)[1:-1]
