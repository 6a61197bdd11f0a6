"""
Where lines go, as `to=` says it: streams, sinks, addresses, descriptions of sinks.

Private to `sinks/`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ctxlog.errors import ConfigError
from ctxlog.line.writer import LineWriter, Writer, is_console
from ctxlog.sinks._addresses import EXPECTED, sink
from ctxlog.sinks._fan import Fan, shared
from ctxlog.sinks._sink import Sink
from ctxlog.sinks._stream import Stream


def places_of(option: str, value: Any) -> tuple[Any, ...]:
    """
    Check the value of an option `to`, and return its parts. Nothing is opened.

    Args:
        option: The name of the option, for errors.
        value: A list of places, or one.

    Raises:
        ConfigError: if a part is no place.
    """
    places = tuple(_parts(value))
    for place in places:
        described = isinstance(place, Mapping) and "()" in place
        writable = callable(getattr(place, "write", None))
        if not (described or writable or (isinstance(place, str) and place)):
            raise ConfigError(option, place, f"a stream, a sink or {EXPECTED}")
    if not places:
        raise ConfigError(option, value, "a list of at least one place")
    return places


def _parts(value: Any) -> Iterable[Any]:
    if not isinstance(value, Sequence) or isinstance(value, (str, bytes)):
        return [value]
    # One by one: the list of a dictConfig resolves `ext://sys.stdout` then.
    return (value[number] for number in range(len(value)))


def stream_of(place: Any) -> Any:
    """Return the stream that a place writes to; None if it is not a stream."""
    if isinstance(place, str):
        return {"stdout": sys.stdout, "stderr": sys.stderr}.get(place)
    if isinstance(place, (Sink, Mapping)):
        return getattr(place, "stream", None)
    return place


def may_reach_console(place: Any) -> bool:
    """Return whether lines for a place may come out on the console."""
    stream = stream_of(place)
    if isinstance(place, (Sink, str, Mapping)):
        return is_console(stream)
    return True  # what a third-party stream does is not known


def writer_to(places: Sequence[Any], option: str = "to") -> Writer:
    """
    Return what writes lines to some places: for a single stream, a `LineWriter`.

    An address that a writer in use has, too, is the same sink.

    Args:
        places: As `places_of()` returns them.
        option: The name of the option, for errors.

    Raises:
        ConfigError: if a sink cannot be made. None is left open.
    """
    if len(places) == 1:
        (place,) = places
        if place == "stdout":
            return LineWriter()
        stream = stream_of(place)
        if stream is not None and not isinstance(place, Sink):
            return LineWriter(stream)
    sinks: list[Sink] = []
    made: list[Sink] = []
    addresses: dict[str, Sink] = {}
    try:
        for place in places:
            if isinstance(place, str):
                known = addresses.get(place) or shared(place)
                if known is None:
                    known = sink(place)
                    made.append(known)
                addresses[place] = known
            elif isinstance(place, Mapping):
                known = _described(place)
                made.append(known)
            else:
                known = place if isinstance(place, Sink) else Stream(place)
            if all(one is not known for one in sinks):
                sinks.append(known)
    except Exception as error:
        for one in made:
            one.close(0)
        if isinstance(error, ConfigError):
            raise ConfigError(option, error.value, error.allowed) from error
        raise
    return Fan(sinks, [*made, *addresses.values()], addresses=addresses)


def _described(description: Mapping[str, Any]) -> Sink:
    """Return a new sink from a description, as `dictConfig` has them."""
    from logging.config import BaseConfigurator

    # It takes out what it has read.
    made = BaseConfigurator({}).configure_custom(dict(description))
    if not isinstance(made, Sink):
        raise ConfigError("to", description["()"], "what makes a ctxlog.sinks.Sink")
    return made
