"""
The logger class changes nothing that can be seen: random set-ups, with and without it.

Each example is a list of steps: set-ups and log calls in any order. They are taken
twice, in two worlds, and everything that came of them is compared: the bytes of every
stream, the records that handlers, filters and factories saw, the calls of replaced
methods with the stack above them, and the exceptions that left a log call.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

import ctxlog
from tests.loggers.worlds import World, world

NAMES = ["", "a", "a.b", "a.b.c", "d", "asyncio", "uvicorn.access", "ctxlog.access"]


class Unreadable:
    """A value whose text cannot be had."""

    def __str__(self) -> str:
        raise ValueError("no text")


class OwnMapping(Mapping[str, object]):
    """A mapping that is no dict."""

    def __getitem__(self, key: str) -> object:
        return {"own": 1}[key]

    def __iter__(self) -> Any:
        return iter(["own"])

    def __len__(self) -> int:
        return 1


class Subclass(logging.Logger):
    """A logger class of a third party."""

    def makeRecord(self, *args: Any, **more: Any) -> logging.LogRecord:
        record = super().makeRecord(*args, **more)
        record.made_by = "a subclass"
        return record


def subclass_of_the_current() -> type[logging.Logger]:
    class Derived(logging.getLoggerClass()):  # type: ignore[misc]
        def notice(self, message: str, *args: object, **more: Any) -> None:
            self._log(25, message, args, **more)

    return Derived


# The steps ------------------------------------------------------------------------

names = st.sampled_from(NAMES)
levels = st.sampled_from([0, 5, 10, 20, 25, 30, 40, 60])
kinds_of_handlers = st.sampled_from(["noting", "text", "memory", "line", "json"])
kinds_of_filters = st.sampled_from(["passing", "adding", "dropping", "context"])
steps_of_a_call = [
    *("_log", "callHandlers", "filter", "findCaller", "handle", "isEnabledFor"),
    "makeRecord",
]

set_ups = st.one_of(
    st.tuples(st.just("level"), names, levels),
    st.tuples(st.just("propagate"), names, st.booleans()),
    st.tuples(st.just("disabled"), names, st.booleans()),
    st.tuples(st.just("disable"), levels),
    st.tuples(st.just("add"), names, kinds_of_handlers, levels),
    st.tuples(st.just("append"), names, kinds_of_handlers),
    st.tuples(st.just("replace"), names, kinds_of_handlers),
    st.tuples(st.just("remove"), names),
    st.tuples(st.just("filter"), names, kinds_of_filters),
    st.tuples(st.just("unfilter"), names),
    st.tuples(st.just("filter of the handler"), kinds_of_filters),
    st.tuples(st.just("unfilter the handler")),
    st.tuples(st.just("level of the handler"), levels),
    st.tuples(st.just("formatter"), st.sampled_from(["json", "text", "console"])),
    st.tuples(st.just("factory"), st.sampled_from(["class", "wrapping"])),
    st.tuples(st.just("reset factory")),
    st.tuples(st.just("patch class"), st.sampled_from(steps_of_a_call)),
    st.tuples(
        st.just("patch logger"),
        names,
        st.sampled_from([*steps_of_a_call, "info"]),
    ),
    st.tuples(st.just("patch handler"), st.sampled_from(["emit", "handle", "filter"])),
    st.tuples(st.just("unpatch")),
    st.tuples(st.just("logger class"), st.sampled_from(["stock", "sub", "derived"])),
    st.tuples(st.just("rename level"), st.sampled_from(["NOTICE", "Note"])),
)

messages = st.sampled_from(
    [
        *("hello", "%s and %d", "%(own)s", "100%", "", "hé\ud800", "%s"),
        *(7, {"event": "x", "own": 1}, Unreadable(), None),
    ]
)
arguments = st.sampled_from(
    [
        *((), (), ("x",), ("x", 1), ({"own": 1},), ({},), (OwnMapping(),)),
        *((Unreadable(),), (MappingProxyType({"own": 2}),), ([1],)),
    ]
)
extras = st.sampled_from(
    [
        *(None, None, {}, {"rows": 3, "hit": True}, {"rows": 1.5}, {"requestID": "B"}),
        *({"name": "clash"}, {"message": "clash"}, {"taskName": "x"}, {"exc_info": 1}),
        *({"level": "info"}, {"logger": "x"}, {"stack": "x"}, {"timestamp": 1}),
        *({"user": {"id": 1}}, {"password": "hunter2"}, {5: "five"}, {"elapsedMs": 1}),
        *(OwnMapping(), {"value": Unreadable()}, {"rows": float("nan")}, {"_own": 1}),
    ]
)
exceptions = st.sampled_from(
    [None, None, None, False, True, "itself", "tuple", (None, None, None)]
)
calls = st.fixed_dictionaries(
    {
        "name": names,
        "method": st.sampled_from(
            [
                *("debug", "info", "info", "warning", "error", "critical"),
                *("exception", "log", "_log"),
            ]
        ),
        "level": levels,
        "message": messages,
        "args": arguments,
        "extra": extras,
        "exc_info": exceptions,
        "stack_info": st.sampled_from([False, False, False, True]),
        "stacklevel": st.sampled_from([1, 1, 1, 0, 2, 3, 50]),
        "how": st.sampled_from(["directly", "run", "adapter", "request", "request"]),
        "times": st.sampled_from([1, 2, 3]),
    }
)
usual_calls = st.fixed_dictionaries(
    {
        "name": names,
        "method": st.just("info"),
        "level": st.just(20),
        "message": st.just("hello %s"),
        "args": st.just(("x",)),
        "extra": st.sampled_from([None, {"rows": 3}]),
        "exc_info": st.none(),
        "stack_info": st.just(False),
        "stacklevel": st.just(1),
        "how": st.just("request"),
        "times": st.just(2),
    }
)
all_calls = st.tuples(st.just("call"), calls | usual_calls)
# As many calls as set-ups, of which there are many kinds: `one_of` would weigh those.
steps = st.lists(
    st.booleans().flatmap(lambda is_call: all_calls if is_call else set_ups),
    min_size=4,
    max_size=14,
)


# Taking them ----------------------------------------------------------------------


def set_up(own: World, what: str, *values: Any) -> None:
    """Take a step that is no log call."""
    ours = [one for one in logging.root.handlers if isinstance(one, ctxlog.LineHandler)]
    handler: Any = ours[0] if ours else logging.NullHandler()
    named = values and values[0] in NAMES
    logger = logging.getLogger(values[0] if named else "")
    if what == "level":
        logger.setLevel(values[1])
    elif what == "propagate":
        logger.propagate = values[1]
    elif what == "disabled":
        logger.disabled = values[1]
    elif what == "disable":
        logging.disable(values[0])
    elif what in ("add", "append", "replace"):
        new = own.handler(values[1])
        if what == "add":
            new.setLevel(values[2])
            logger.addHandler(new)
        elif what == "append":
            logger.handlers.append(new)
        else:
            logger.handlers = [new]
    elif what == "remove":
        for one in logger.handlers[-1:]:
            logger.removeHandler(one)
    elif what == "filter":
        logger.addFilter(own.filter(values[1]))
    elif what == "unfilter":
        logger.filters.clear()
    elif what == "filter of the handler":
        handler.addFilter(own.filter(values[0]))
    elif what == "unfilter the handler":
        handler.filters.clear()
    elif what == "level of the handler":
        handler.setLevel(values[0])
    elif what == "formatter":
        formatters = {
            "json": ctxlog.JsonFormatter,
            "text": logging.Formatter,
            "console": ctxlog.ConsoleFormatter,
        }
        handler.setFormatter(formatters[values[0]]())
    elif what == "factory":
        own.set_factory(values[0])
    elif what == "reset factory":
        own.reset_factory()
    elif what == "patch class":
        own.patch(logging.Logger, values[0])
    elif what == "patch logger":
        own.patch(logger, values[1])
    elif what == "patch handler":
        own.patch(handler, values[0])
    elif what == "unpatch":
        own.unpatch()
    elif what == "logger class":
        made = {"stock": logging.Logger, "sub": Subclass}.get(values[0])
        logging.setLoggerClass(made or subclass_of_the_current())
    elif what == "rename level":
        logging.addLevelName(25, values[0])


def perform(call: dict[str, Any]) -> None:
    """Make a log call."""
    logger: Any = logging.getLogger(call["name"])
    more: dict[str, Any] = {}
    if call["stacklevel"] != 1:
        more["stacklevel"] = call["stacklevel"]
    if call["extra"] is not None:
        more["extra"] = call["extra"]
    # A stack from within `logging` shows the code of its method, which is ours.
    if call["stack_info"] and call["stacklevel"]:
        more["stack_info"] = True
    if call["exc_info"] is not None:
        more["exc_info"] = call["exc_info"]
    if call["how"] == "adapter":
        logger = logging.LoggerAdapter(logger, {"adapted": True})
    args = call["args"]
    if call["method"] in ("log", "_log"):
        method = getattr(logger, call["method"])
        args = (call["level"], call["message"], *args)
        if call["method"] == "_log":
            args = (*args[:2], args[2:])
    else:
        method, args = getattr(logger, call["method"]), (call["message"], *args)
    try:
        raise LookupError("being handled")
    except LookupError as error:
        if more.get("exc_info") == "itself":
            more["exc_info"] = error
        elif more.get("exc_info") == "tuple":
            more["exc_info"] = (type(error), error, error.__traceback__)
        if call["how"] == "run":
            ctxlog.run({"requestID": "R"}, method, *args, **more)
        else:
            method(*args, **more)


def take(own: World, step: tuple[Any, ...]) -> None:
    """Take a step; note an exception that leaves it."""
    if step[0] != "call":
        set_up(own, *step)
        return
    call = step[1]
    for number in range(call["times"]):
        try:
            if call["how"] == "request":
                store = {"requestID": f"req-{number}", "user": "Alice"}
                ctxlog.run(store, perform, call)
            else:
                perform(call)
        except Exception as error:
            own.seen.append(("raised", type(error), str(error)))


def outcome(before: list[Any], after: list[Any], *, logger_class: bool) -> World:
    """Take all steps in a world of their own, and return it."""
    names_of_levels = dict(logging._levelToName)
    with world() as own:
        try:
            for step in before:
                take(own, step)
            ctxlog.configure(
                level="DEBUG",
                format="json",
                stream=own.output,
                hooks=False,
                threads=False,
                warn=False,
                loggers=["stdlib"],
                logger_class=logger_class,
            )
            for step in after:
                take(own, step)
        finally:
            for level in logging._levelToName.keys() - names_of_levels.keys():
                logging._nameToLevel.pop(logging._levelToName.pop(level))
    return own


@given(before=st.lists(set_ups, max_size=3), after=steps)
@settings(max_examples=4 * settings().max_examples)
def test_nothing_that_is_seen_differs(before: list[Any], after: list[Any]) -> None:
    """
    Bytes, records, calls of replaced methods, stacks and exceptions are the same.
    """
    # From one line of code, which stacks show.
    expected, found = (
        outcome(before, after, logger_class=chosen) for chosen in (False, True)
    )

    event(f"lines written: {bool(found.lines())}")
    assert found.lines() == expected.lines()
    assert found.text.getvalue() == expected.text.getvalue()
    assert found.seen == expected.seen
