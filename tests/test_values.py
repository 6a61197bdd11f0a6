"""
Any value made fit for JSON: what it becomes, and what is reported of it.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import http.client
import io
import itertools
import json
import pathlib
import sqlite3
import sys
import threading
import time
import types
import typing
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ctxlog
from ctxlog._json import dumps
from ctxlog.context.adapter import View
from ctxlog.line._budget import cut
from ctxlog.line._copies import Copier
from ctxlog.line.encoder import LineEncoder
from ctxlog.line.event import Event
from ctxlog.line.redact import Redactor
from ctxlog.line.values import Walk, safe_str
from tests.helpers import need


def walk(**options: Any) -> Walk:
    """
    A walk with the limits of an ordinary line, unless *options* say otherwise.
    """
    limits = {"redactor": Redactor(), "max_text": 10_000, "max_bytes": 40_000}
    return Walk(**{**limits, **options})


def plain(value: object) -> Any:
    """
    What *value* becomes, given that nothing of it had to be replaced.
    """
    walking = walk()
    shown = walking.value(value)
    assert walking.problems == []
    assert json.loads(json.dumps(shown)) == shown
    return shown


class Color(enum.Enum):
    RED = "red"


class Flags(enum.IntFlag):
    A = 1
    B = 2


class Masked(str):
    """
    A text that shows itself in another form, as libraries' secrets do.
    """

    def __str__(self) -> str:
        return "***"


class Point(typing.NamedTuple):
    x: int
    token: str


@dataclasses.dataclass(frozen=True)
class Address:
    street: str
    pin: str = dataclasses.field(default="1234", repr=False)


@dataclasses.dataclass
class User:
    name: str
    address: Address
    api_key: str = "k"


class Plain:
    def __str__(self) -> str:
        return "plain"


UTC = datetime.timezone.utc

USUAL = [
    (None, None),
    (True, True),
    (2**64 - 1, 2**64 - 1),
    (-(2**63), -(2**63)),
    (1.5, 1.5),
    ("caf\u00e9 \u2028 \x00", "caf\u00e9 \u2028 \x00"),
    (b"bytes", "bytes"),
    (bytearray(b"bytes"), "bytes"),
    (memoryview(b"bytes")[::2], "bts"),
    ((1, (2, [3])), [1, [2, [3]]]),
    ({3, 1, 2}, [1, 2, 3]),
    (frozenset("a"), ["a"]),
    ({"a": 1}.keys(), ["a"]),
    (range(3), [0, 1, 2]),
    (collections.deque([1, 2]), [1, 2]),
    (collections.OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
    (collections.Counter("aab"), {"a": 2, "b": 1}),
    (collections.ChainMap({"a": 1}, {"b": 2}), {"b": 2, "a": 1}),
    (collections.UserDict(token="t"), {"token": "[redacted]"}),
    (types.MappingProxyType({"a": 1}), {"a": 1}),
    (types.SimpleNamespace(a=1, password="p"), {"a": 1, "password": "[redacted]"}),
    (
        argparse.Namespace(user="u", password="p"),
        {"user": "u", "password": "[redacted]"},
    ),
    (ctxlog.Store(a=1, secret=2), {"a": 1, "secret": "[redacted]"}),
    (datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05+00:00"),
    (datetime.date(2026, 1, 2), "2026-01-02"),
    (datetime.time(3, 4), "03:04:00"),
    (datetime.timedelta(days=1), "1 day, 0:00:00"),
    (decimal.Decimal("1.10"), "1.10"),
    (decimal.Decimal("NaN"), "NaN"),
    (fractions.Fraction(1, 3), "1/3"),
    (uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
    (pathlib.PurePosixPath("/a/b"), "/a/b"),
    (Color.RED, "red"),
    (Flags.A | Flags.B, 3),
    (Masked("hidden"), "***"),
    (Point(1, "t"), {"x": 1, "token": "[redacted]"}),
    (
        User("A", Address("S")),
        {"name": "A", "address": {"street": "S"}, "api_key": "[redacted]"},
    ),
    (ValueError("bad"), "ValueError: bad"),
    (ValueError, "ValueError"),
    (Plain(), "plain"),
    (
        {Color.RED: 1, None: 3, True: 4},
        {"red": 1, "null": 3, "true": 4},
    ),
    ({(1, 2): {b"k": 1}}, {"(1, 2)": {"b'k'": 1}}),
]


@pytest.mark.parametrize(
    ("value", "shown"), USUAL, ids=[type(value).__name__ for value, _ in USUAL]
)
def test_a_value_with_a_usual_form_is_written_in_it(value: object, shown: Any) -> None:
    """
    Nothing is reported of it, and its order is kept.
    """
    assert json.dumps(plain(value)) == json.dumps(shown)


REPLACED = [
    (float("nan"), "NaN", "not a JSON number"),
    (float("-inf"), "-Infinity", "not a JSON number"),
    (2**64, str(2**64), "over 64 bits"),
    (-(2**63) - 1, str(-(2**63) - 1), "over 64 bits"),
    (b"\xff", "\\xff", "not UTF-8"),
    ("a\ud800b", "a\\ud800b", "lone surrogates"),
    ({"\udfff": 1}, {"\\udfff": 1}, "lone surrogates"),
    ({1: "a", "1": "b"}, {"1": "a", "1#2": "b"}, "a second key of this name"),
]


@pytest.mark.parametrize(
    ("value", "shown", "what"),
    REPLACED,
    ids=["nan", "-inf", "large", "small", "bytes", "text", "key", "keys"],
)
def test_what_json_cannot_hold_is_readable_and_reported(
    value: object, shown: Any, what: str
) -> None:
    """
    The replacement tells what there was, the report tells where.
    """
    walking = walk()
    assert walking.named([("outer", [value])]) == {"outer": [shown]}
    (problem,) = walking.problems
    assert problem.startswith("outer.0")
    assert what in problem


def test_a_number_too_long_to_be_written_in_decimals_is_written_in_hexadecimals() -> (
    None
):
    """
    Python refuses to convert it, the line does not.
    """
    assert walk(max_text=100_000).value(10**5000).startswith("0x")


def test_a_value_within_itself_is_named_and_a_repeated_one_is_not() -> None:
    """
    Only a cycle is one: the same value twice side by side is written twice.
    """
    value: dict[str, Any] = {"a": [1]}
    value["b"] = value["a"]
    value["self"] = value
    assert walk().value(value) == {"a": [1], "b": [1], "self": "[circular]"}


def test_depth_ends_somewhere() -> None:
    """
    Log stores refuse documents of many levels; Python's own stack does not matter.
    """
    value: Any = "bottom"
    for _ in range(100_000):
        value = [value]
    walking = walk()
    assert "[too deep]" in str(walking.value(value))
    assert "levels deep" in walking.problems[0]


def test_the_bytes_of_a_value_end_somewhere() -> None:
    """
    A container is cut where the whole pass has written enough, and says so.
    """
    walking = walk(max_bytes=50)
    shown = walking.value({"first": list(range(100)), "second": 1})
    assert shown["first"][-1] == "[...]"
    assert "further values left out" in walking.problems[0]


def test_texts_together_are_bounded() -> None:
    """
    One text that is referred to a thousand times is not written a thousand times.
    """
    walking = walk(max_bytes=50_000)
    shown = walking.value(["x" * 9_000] * 1_000)
    assert len(json.dumps(shown)) < 60_000
    assert walking.problems


def test_a_wide_value_names_only_some_of_its_problems() -> None:
    """
    The report itself stays short.
    """
    walking = walk()
    walking.value([float("nan")] * 1000)
    assert len(walking.problems) < 20
    assert walking.problems[-1] == "and more"


@given(st.text(st.characters(), max_size=300), st.integers(16, 200))
def test_a_cut_text_keeps_both_ends(text: str, limit: int) -> None:
    """
    Its begin and its end stay, and what is dropped is counted.
    """
    shown = cut(text, limit)
    if len(text) <= limit:
        assert shown == text
    else:
        head, tail = limit * 2 // 3, limit // 3
        dropped = len(text) - head - tail
        assert shown == f"{text[:head]}[... {dropped} characters ...]{text[-tail:]}"


@given(st.integers(0, 120))
def test_a_secret_on_the_edge_of_a_cut_is_hidden(position: int) -> None:
    """
    No part of a card number remains where a long text is cut.
    """
    walking = walk(max_text=90, redactor=Redactor(patterns=["card"]))
    dots, card = "." * position, " 4111-1111-1111-1111 "
    for text in (dots + card + "." * 1000, "." * 1000 + card + dots):
        assert "111" not in walking.text(text)


# Values that misbehave -------------------------------------------------------------


class Falling:
    """
    A text of its own, but no equality, hash, length or truth.
    """

    def _fall(self, *args: object) -> Any:
        raise RuntimeError("fell")

    __eq__ = __hash__ = __len__ = __bool__ = __iter__ = _fall  # type: ignore[assignment]

    def __str__(self) -> str:
        return "standing"


class Liar:
    """
    Says that it is a dict.
    """

    __class__ = dict  # type: ignore[assignment]

    def __str__(self) -> str:
        return "liar"


@dataclasses.dataclass
class Lazy:
    there: int

    def __getattribute__(self, name: str) -> Any:
        if name == "there":
            raise ConnectionError("the session is closed")
        return super().__getattribute__(name)


class Endless(list):  # type: ignore[type-arg]
    def __iter__(self) -> Any:
        while True:
            yield "again"


class Pairless(collections.UserDict):  # type: ignore[type-arg]
    def items(self) -> Any:
        return [1, 2, 3]


class Recursive:
    def __str__(self) -> str:
        return str(self)

    __repr__ = __str__


def test_an_object_without_equality_or_truth_is_its_text() -> None:
    """
    Values are never compared, hashed or asked whether they are true.
    """
    assert plain(Falling()) == "standing"


@pytest.mark.parametrize(
    "make",
    [Liar, lambda: Lazy(1), Pairless, Recursive],
    ids=["liar", "lazy", "pairless", "recursive"],
)
def test_a_value_that_fails_while_being_read_is_named(make: Any) -> None:
    """
    Its type stands for it, its neighbours stay, and the report names the error.
    """
    walking = walk()
    shown = walking.value({"bad": make(), "good": 1})
    assert shown["good"] == 1
    assert isinstance(shown["bad"], (str, dict))
    assert walking.problems[0].startswith("bad: ")


def test_an_endless_value_ends() -> None:
    """
    A container that never stops is cut.
    """
    assert walk(max_bytes=1000).value(Endless())[-1] == "[...]"


def test_what_is_no_exception_of_the_program_is_not_held_up() -> None:
    """
    Ctrl-C while a value is being read interrupts the program as ever.
    """

    class Interrupted:
        def __str__(self) -> str:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        walk().value(Interrupted())


@pytest.mark.parametrize(
    "kind", [dict, list, set, collections.deque, collections.OrderedDict]
)
def test_a_value_that_another_thread_changes_meanwhile_is_read(kind: Any) -> None:
    """
    A container that grows and shrinks while it is encoded costs no value.
    """
    value = kind()
    add: dict[Any, Any] = {list: "append", set: "add", collections.deque: "append"}
    started, done = threading.Event(), threading.Event()

    def change() -> None:
        number = 0
        while not done.is_set():
            number += 1
            if isinstance(value, dict):
                value[str(number % 50)] = number
            else:
                getattr(value, add[kind])(number % 50)
            if number % 50 == 0:
                value.clear()
            started.set()

    thread = threading.Thread(target=change)
    thread.start()
    started.wait()
    problems = []
    for _ in range(300):
        walking = walk()
        walking.value(value)
        problems += walking.problems
    done.set()
    thread.join()
    assert problems == []


# Other libraries' values -----------------------------------------------------------


def test_attrs_fields_are_looked_into() -> None:
    """
    A class of attrs is its fields, without those that its author hides from repr.
    """
    attrs = need("attrs")

    @attrs.define
    class Login:
        user: str
        token: str
        pin: str = attrs.field(default="1234", repr=False)

    assert plain(Login("A", "t")) == {"user": "A", "token": "[redacted]"}


def pydantic_modules() -> list[str]:
    """
    Both generations of pydantic's models.
    """
    return ["pydantic", "pydantic.v1"]


@pytest.mark.parametrize("module", pydantic_modules())
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_pydantic_models_are_looked_into(module: str) -> None:
    """
    A model is its fields at any depth, without those its author hides or excludes.
    """
    pydantic = need(module)

    class Login(pydantic.BaseModel):  # type: ignore[name-defined, misc]
        user: str
        token: str
        pin: str = pydantic.Field("1234", repr=False)
        pan: str = pydantic.Field("4111", exclude=True)

    request = pydantic.create_model("Request", login=(Login, ...))
    shown = plain(request(login=Login(user="A", token="t")))
    assert shown == {"login": {"user": "A", "token": "[redacted]"}}


def test_pydantic_secrets_extras_and_root_models() -> None:
    """
    A SecretStr stays hidden, extra fields are fields, a root model is what it holds.
    """
    pydantic = need("pydantic")

    class Open(pydantic.BaseModel):  # type: ignore[name-defined, misc]
        model_config = {"extra": "allow"}
        hidden: pydantic.SecretStr  # type: ignore[name-defined]

    class Names(pydantic.RootModel[list[str]]):  # type: ignore[name-defined, misc]
        pass

    shown = plain(Open(hidden="s", color="red", password="p"))
    assert shown == {"hidden": "**********", "color": "red", "password": "[redacted]"}
    assert plain(Names(["a"])) == ["a"]


def test_numpy_values_are_numbers_and_lists() -> None:
    """
    Scalars, arrays and times; an array that is too large is described.
    """
    numpy = need("numpy")
    assert plain(numpy.float32(1.5)) == 1.5
    assert plain(numpy.int64(3)) == 3
    assert plain(numpy.bool_(True)) is True
    assert plain(numpy.array([[1, 2], [3, 4]])) == [[1, 2], [3, 4]]
    assert plain(numpy.datetime64("2026-01-02T03:04:05.000000001")) == (
        "2026-01-02T03:04:05.000000001"
    )
    walking = walk(max_bytes=1000)
    assert walking.value(numpy.zeros((200, 3))) == "<array of 200x3 float64>"
    assert "600 values left out" in walking.problems[0]
    walking = walk()
    assert walking.value(numpy.array([1.0, numpy.nan])) == [1.0, "NaN"]


# Mappings that do not say so -------------------------------------------------------

HEADERS = [("Authorization", "Bearer s3cret"), ("Cookie", "a=s3cret"), ("Accept", "x")]
HEADERS += [("Accept", "y")]


def _message() -> Any:
    headers = "".join(f"{name}: {value}\r\n" for name, value in HEADERS)
    return http.client.parse_headers(io.BytesIO(f"{headers}\r\n".encode()))


def _add(made: Any) -> Any:
    for name, value in HEADERS:
        made.add(name, value)
    return made


def _raw() -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in HEADERS]


def _environ() -> dict[str, str]:
    return {f"HTTP_{name.upper()}": value for name, value in HEADERS}


HEADERS_OF = {
    "http.client": ("http.client", lambda _: _message()),
    "email": ("email.message", lambda _: _message()),
    "wsgiref": ("wsgiref.headers", lambda lib: lib.Headers([*HEADERS])),
    "werkzeug": ("werkzeug.datastructures", lambda lib: lib.Headers(HEADERS)),
    "flask": ("werkzeug.datastructures", lambda lib: lib.EnvironHeaders(_environ())),
    "multidict": (
        "multidict",
        lambda lib: lib.CIMultiDictProxy(lib.CIMultiDict(HEADERS)),
    ),
    "tornado": ("tornado.httputil", lambda lib: _add(lib.HTTPHeaders())),
    "urllib3": ("urllib3", lambda lib: _add(lib.HTTPHeaderDict())),
    "starlette": ("starlette.datastructures", lambda lib: lib.Headers(raw=_raw())),
    "httpx": ("httpx", lambda lib: lib.Headers(HEADERS)),
    "requests": ("requests.structures", lambda lib: lib.CaseInsensitiveDict(HEADERS)),
    "django": ("django.http.request", lambda lib: lib.HttpHeaders(_environ())),
    "sanic": ("sanic.compat", lambda lib: lib.Header(HEADERS)),
    "grpc": (
        "grpc.aio",
        lambda lib: lib.Metadata(*[(n.lower(), v) for n, v in HEADERS]),
    ),
    "twisted": ("twisted.web.http_headers", lambda lib: _twisted(lib.Headers())),
}


def _twisted(made: Any) -> Any:
    for name, value in HEADERS:
        made.addRawHeader(name, value)
    return made


@pytest.mark.parametrize("name", HEADERS_OF)
def test_headers_of_any_library_are_read_by_name(name: str) -> None:
    """
    Whether or not they say that they are a mapping.
    """
    module, make = HEADERS_OF[name]
    shown = {k.lower(): v for k, v in plain(make(need(module))).items()}
    assert (shown["authorization"], shown["cookie"]) == ("[redacted]", "[redacted]")
    assert shown["accept"] in ("y", "x, y", "x,y", ["x", "y"])


REPEATING = {
    "werkzeug": ("werkzeug.datastructures", lambda lib: lib.MultiDict),
    "starlette": ("starlette.datastructures", lambda lib: lib.QueryParams),
    "httpx": (
        "httpx",
        lambda lib: lambda pairs: lib.QueryParams("token=s&a=1&a=2&a=3"),
    ),
    "multidict": ("multidict", lambda lib: lib.MultiDict),
    "django": ("django.utils.datastructures", lambda lib: _django(lib.MultiValueDict)),
}


def _django(kind: Any) -> Any:
    return lambda pairs: kind({"token": ["s"], "a": ["1", "2", "3"]})


@pytest.mark.parametrize("name", REPEATING)
def test_all_values_of_a_name_are_kept(name: str) -> None:
    """
    What came three times in a query is a list of three.
    """
    module, make = REPEATING[name]
    pairs = [("token", "s"), ("a", "1"), ("a", "2"), ("a", "3")]
    shown = plain(make(need(module))(pairs))
    assert shown == {"token": "[redacted]", "a": ["1", "2", "3"]}


def test_raw_headers_of_h11_are_pairs() -> None:
    """
    A sequence of a class of its own is a list.
    """
    headers = need("h11").Request(
        method="GET", target="/", headers=_raw()[:2] + [(b"Host", b"h")]
    )
    assert plain(headers.headers)[:1] == [["authorization", "[redacted]"]]


def test_rows_are_read_by_column() -> None:
    """
    Those of sqlite3 and SQLAlchemy, which are sequences, and those of pandas.
    """
    query = "select 'A' as user, 's' as password"
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    row = connection.execute(query).fetchone()
    connection.close()
    shown = {"user": "A", "password": "[redacted]"}
    assert plain(row) == shown
    sqlalchemy = need("sqlalchemy")
    engine = sqlalchemy.create_engine("sqlite://")
    with engine.connect() as opened:
        found = opened.execute(sqlalchemy.text(query)).one()
        assert plain([found, found._mapping]) == [shown, shown]
    engine.dispose()


def test_a_table_is_its_text_and_its_row_a_mapping() -> None:
    """
    The items of a DataFrame are columns, which are no values of a line.
    """
    pandas = need("pandas")
    table = pandas.DataFrame({"user": ["A"], "password": ["s"]})
    assert plain(table[["user"]]) == str(table[["user"]])
    assert plain(table.iloc[0]) == {"user": "A", "password": "[redacted]"}


def test_cookies_of_a_jar_are_hidden() -> None:
    """
    Whatever they are called: of the standard library, requests and httpx.
    """
    requests, httpx = need("requests.cookies"), need("httpx")
    jar = requests.RequestsCookieJar()
    jar.set("theme", "s3cret")
    cookies = httpx.Cookies({"theme": "s3cret"})
    for value in (jar, cookies, cookies.jar, next(iter(jar))):
        assert plain(value) == {"theme": "[redacted]"}


class Odd:
    """
    Has `items()` and `keys()`, and means something else by them.
    """

    def __init__(self, found: Any) -> None:
        self.found = found

    def items(self) -> Any:
        return self.found() if callable(self.found) else self.found

    def keys(self) -> Any:
        return []

    def __getitem__(self, name: str) -> Any:
        raise KeyError(name)


def test_items_that_are_no_pairs_cost_no_line() -> None:
    """
    None, numbers, an error or no end of pairs.
    """
    endless = (("a", "b") for _ in itertools.count())
    for found in (None, [1, 2], lambda: 1 / 0, endless):
        walking = walk(max_bytes=1000)
        shown = walking.value({"odd": Odd(found), "next": 1})
        assert "odd" in shown
        assert walking.problems


# Large values ----------------------------------------------------------------------

_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(st.characters(), max_size=8)
)
_TREES = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=12)
        | st.tuples(st.sampled_from(["token", "tokens", "a"]), inner)
        | st.dictionaries(
            st.sampled_from(["a", "value", "name", "token", "max_tokens"])
            | st.text(max_size=3),
            inner,
            max_size=12,
        )
    ),
    max_leaves=60,
)


@given(_TREES)
def test_the_quick_look_at_a_value_changes_nothing(value: Any) -> None:
    """
    A value is the same whether or not all of its members were looked at together.
    """
    quick, careful = walk(max_bytes=10**6), walk(max_bytes=10**6)
    careful._copier = Copier(Redactor(), 0)  # it looks at each member by itself
    for walking in (quick, careful):
        walking._path.append("field")
    shown = quick.value(value)
    assert shown == careful.value(value)
    assert quick.problems == careful.problems
    # A short text may have quotes that are escaped.
    assert quick._room <= 10**6 - len(dumps(shown)) / 2


LARGE = {
    "keys": lambda number: {f"key{i}": i for i in range(number)},
    "texts": lambda number: {f"key{i}": f"value {i}" for i in range(number)},
    "list": lambda number: list(range(10 * number)),
    "objects": lambda number: [{"id": i, "name": "x"} for i in range(number)],
    "nested": lambda number: {"rows": [[i, {"id": i}] for i in range(number)]},
    "odd": lambda number: [{"at": UTC, "id": i} for i in range(number)],
}


def _calls(act: Any) -> int:
    """
    The calls of Python functions and of builtins that *act* makes.
    """
    counted = 0

    def count(frame: Any, event: str, argument: Any) -> None:
        nonlocal counted
        counted += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        act()
    finally:
        sys.setprofile(None)
    return counted


def _line_calls(value: object) -> tuple[bytes, int]:
    """
    The line with a field *value*, and the calls that it took.
    """
    encoder = LineEncoder()
    view = View({"requestID": "req-A", "user": {"id": 7}}, None)
    own = {"data": value, "next": 1}
    lines: list[bytes] = []
    calls = _calls(
        lambda: lines.append(
            encoder.encode(Event(0, "INFO", 20, "shop", "hello", view, own))
        )
    )
    return lines[0], calls


@pytest.mark.parametrize("name", LARGE)
def test_what_a_large_value_takes_is_bounded_by_the_bytes_of_its_line(
    name: str,
) -> None:
    """
    A value that is three times as large takes no more calls; what is left fills the
    line, in which all else is there and which says what is not.
    """
    line, calls = _line_calls(LARGE[name](50_000))
    _, of_three = _line_calls(LARGE[name](150_000))
    assert of_three < calls * 1.5 + 2_000
    shown = json.loads(line)
    assert 90_000 < len(line) <= 262_144
    assert (shown["requestID"], shown["user"], shown["next"]) == ("req-A", {"id": 7}, 1)
    assert "data" in shown["logError"]
    assert "left out" in shown["logError"]
    assert "cut to fit max_line_bytes=262144" in shown["logError"]


def test_a_value_that_fits_takes_no_call_for_each_of_its_keys() -> None:
    """
    All keys and values are looked at together.
    """
    few, many = (
        _line_calls({f"key{i:06}": i for i in range(number)})[1]
        for number in (2_000, 14_000)
    )
    assert many < 2 * few < 1_000


# The user's own encoder ------------------------------------------------------------


def test_a_default_is_asked_first_about_unknown_types() -> None:
    """
    What it returns is encoded in turn, secrets hidden; TypeError means: not mine.
    """

    def default(value: object) -> object:
        if isinstance(value, Plain):
            return {"plain": True, "password": "p"}
        raise TypeError

    walking = walk(default=default)
    shown = walking.value([Plain(), decimal.Decimal(1)])
    assert shown == [{"plain": True, "password": "[redacted]"}, "1"]


def test_a_default_that_fails_or_returns_its_argument_costs_no_line() -> None:
    """
    An exception of the user's function costs no line.
    """
    walking = walk(default=lambda value: value)
    assert walking.value(Plain()) == "[circular]"
    walking = walk(default=lambda value: 1 / 0)
    assert walking.value(Plain()) == "<unreadable Plain>"
    assert "ZeroDivisionError" in walking.problems[0]


def test_safe_str_never_raises() -> None:
    """
    Text, else repr, else the type's name.
    """

    class NoText:
        def __str__(self) -> str:
            raise RuntimeError

    class Nothing(NoText):
        __repr__ = NoText.__str__

    assert safe_str(Plain()) == "plain"
    assert "NoText object at" in safe_str(NoText())
    assert safe_str(Nothing()) == "<unprintable Nothing>"
    assert safe_str(time.struct_time(range(9))).startswith("time.struct_time")
