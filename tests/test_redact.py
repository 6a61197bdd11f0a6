"""
What must not be written: names of secrets, patterns, and where neither may hit.
"""

from __future__ import annotations

import dataclasses
import io
import logging
import re
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ctxlog
import ctxlog.config
import ctxlog.line.vendors
from ctxlog.context.adapter import View, current_view
from ctxlog.line.encoder import LineEncoder
from ctxlog.line.event import Event
from ctxlog.line.redact import DEFAULT_KEYS, PATTERNS, REDACTED, Redactor
from ctxlog.line.redactor import get_redactor, set_redactor
from tests.helpers import load_line


def line_of(redactor: Redactor, view: View | None = None, **event: Any) -> bytes:
    """
    Encode an event with *redactor*.
    """
    usual = Event(0.0, "INFO", 20, "shop", "hello", view or current_view())
    return LineEncoder(redactor=redactor).encode(usual._replace(**event))


# Names -----------------------------------------------------------------------------

SECRET_NAMES = [
    *("password", "PASSWORD", "Password", "passWord", "pass_word", "password2"),
    *("db_password", "dbPassword", "DB-PASSWORD", "db.password", "userPasswordHash"),
    *("pass", "db_pass", "smtpPass", "pw", "passcode", "PGPASSWORD", "htpasswd"),
    *("apiKey", "api_key", "APIKey", "apikey", "APIKEY", "x-api-key", "STRIPE_API_KEY"),
    *("access_token", "accessToken", "accesstoken", "id_token", "X-Auth-Token"),
    *("oauth2token", "v1token", "x-amz-security-token", "client_assertion"),
    *("csrfmiddlewaretoken", "csrf_token", "Authorization", "Proxy-Authorization"),
    *("Set-Cookie", "cookies", "sessionid", "session_id", "SESSION-ID", "XSRF-TOKEN"),
    *("session", "user_session", "sid", "connect.sid", "JSESSIONID", "PHPSESSID"),
    *("ASP.NET_SessionId", "aiohttp_session", "_csrf", "basic_auth", "http.auth"),
    *("client_secret", "clientSecret", "privateKey", "AWS_SECRET_ACCESS_KEY"),
    *("ssh_key", "encryption_key", "SECRET_KEY_BASE", "DD-APPLICATION-KEY"),
    *("otp", "pin", "user_pin", "pin2", "mfa_code", "2fa_code", "twoFactorCode"),
    *("dsn", "SENTRY_DSN", "DATABASE_URL", "SQLALCHEMY_DATABASE_URI", "REDIS_URL"),
    *("connection_string", "ConnectionString", "conn_str"),
    *("creditCard", "card_number", "cvv", "ssn", "pwd", "passphrase"),
    *("api_keys", "private-keys", "accessTokens", "passwords", "sessions", "tokens"),
]

OTHER_NAMES = [
    *("tokenizer", "author", "authors", "cookiecutter", "passworded_at", "secretary"),
    *("token_count", "tokenCount", "token_type", "bypass", "compass", "passenger"),
    *("password_changed_at", "cookie_expires", "password_length", "token_expiry"),
    *("token_expires_in", "cookie_max_age", "cookie_consent", "session_timeout"),
    *("pass_rate", "passed", "passes", "passport_number", "pinned", "pin_code"),
    *("spinner", "shipping", "opinion", "sidebar", "inside", "resident"),
    *("session_count", "sessionStorage", "auth_method", "auth_time", "author_id"),
    *("keyboard", "key", "keys", "user", "card", "number", "", "_", "1"),
    *("primary_key", "foreign_key", "public_key", "cache_key", "Sec-WebSocket-Key"),
    *("client_id", "nonce", "url", "base_url", "callback_url", "status_code"),
    *("description", "authentication", "authorize", "monkey", "apis", "access"),
]


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_secrets_name_is_found_in_whole_words(name: str) -> None:
    """
    Whatever the case, the separators and the other words are.
    """
    assert Redactor().hides(name)


@pytest.mark.parametrize("name", OTHER_NAMES)
def test_other_names_are_not_hit(name: str) -> None:
    """
    Neither a part of a word, nor what is only known about a secret.
    """
    assert not Redactor().hides(name)


@pytest.mark.parametrize("key", sorted(DEFAULT_KEYS))
def test_every_default_key_is_found_in_every_spelling(key: str) -> None:
    """
    snake_case, camelCase, KEBAB-CASE, and run together.
    """
    words = key.split("_")
    camel = words[0] + "".join(map(str.capitalize, words[1:]))
    for name in (
        key,
        camel,
        key.upper().replace("_", "-"),
        "".join(words),
        f"my_{key}",
    ):
        assert Redactor().hides(name), name


def test_a_key_that_was_asked_for_is_hidden_whatever_it_says() -> None:
    """
    `expiry` says something about a secret, unless it is the secret itself.
    """
    redactor = Redactor(["expiry", "expires_at"])
    assert redactor.hides("expiry")
    assert redactor.hides("cardExpiry")
    assert redactor.hides("link_expires_at")
    assert not Redactor(["link"]).hides("link_expiry")


@pytest.mark.parametrize(
    "name", ["tokens", "max_tokens", "prompt_tokens", "totalTokens", "sessions", "pins"]
)
def test_a_number_under_a_plural_is_a_count(name: str) -> None:
    """
    The tokens of a language model are shown; a list or a text of tokens is not.
    """
    fields = {"of": {name: 12}, name: 1.5, "list": {name: ["s3cret"]}}
    line = load_line(line_of(Redactor(), fields=fields))
    assert line["of"] == {name: 12}
    assert line[name] == 1.5
    assert line["list"] == {name: REDACTED}


def test_a_number_under_a_singular_is_a_secret() -> None:
    """
    A PIN is a number, mostly.
    """
    fields = {"pin": 1234, "otp": 123456, "nested": [{"token": 1}]}
    line = load_line(line_of(Redactor(), fields=fields))
    assert (line["pin"], line["otp"]) == (REDACTED, REDACTED)
    assert line["nested"] == [{"token": REDACTED}]


def test_names_are_added_and_taken_away() -> None:
    """
    Whole names of the list, or one field that the list has a part of.
    """
    redactor = Redactor(
        (DEFAULT_KEYS - {"session"}) | {"iban"}, shown=["next_page_token"]
    )
    assert redactor.hides("user_iban")
    assert not redactor.hides("session")
    assert redactor.hides("session_id")
    assert not redactor.hides("nextPageToken")
    assert redactor.hides("page_token")


_NAME = st.lists(
    st.sampled_from([*sorted(DEFAULT_KEYS), "my", "x", "2", "rate", "at", "K", "\n"]),
    min_size=1,
    max_size=4,
).map("_".join) | st.text(st.characters(), max_size=20)


@given(st.lists(_NAME, max_size=20, unique=True))
def test_many_names_are_judged_as_each_is(names: list[str]) -> None:
    """
    The quick look at all keys of a large object finds what each key's own does.
    """
    redactor = Redactor()
    assert redactor.hides_any(names) is any(map(redactor.hides, names))


@given(st.text(st.characters(), max_size=50))
def test_judging_a_name_never_raises_and_never_changes(name: str) -> None:
    """
    The same name has the same verdict, from memory too.
    """
    redactor = Redactor()
    assert redactor.hides(name) is redactor.hides(name)


@given(st.sampled_from(sorted(DEFAULT_KEYS)), st.sampled_from(["", "s", "2", "_1"]))
def test_a_name_with_a_prefix_a_plural_or_a_number_is_found(
    key: str, ending: str
) -> None:
    """
    Each default key ends a field's name, whatever stands before it.
    """
    for prefix in ("", "my_", "x-", "HTTP_X_", "app."):
        assert Redactor().hides(prefix + key + ending)
        assert Redactor().hides(prefix.upper() + key.upper() + ending.upper())


def test_long_names_are_judged_and_not_remembered() -> None:
    """
    A name that came from outside neither takes memory nor time.
    """
    redactor = Redactor()
    assert redactor.hides("password_" + "x" * 100_000)
    assert redactor.hides("x" * 100_000 + "_password")
    assert not redactor.hides("x_" * 100_000)
    assert not redactor._verdicts


def test_the_default_names_are_those_of_the_documentation() -> None:
    """
    Each is in the table of its group, and no other is.
    """
    page = Path(__file__).parent.parent.joinpath("docs", "redaction.md").read_text()
    table = page.partition("## The default names")[2].partition("\n## ")[0]
    rows = [row.split("|")[2] for row in table.splitlines() if row.startswith("| ")]
    assert set(re.findall(r"`(\w+)`", "".join(rows))) == DEFAULT_KEYS


# Depth -----------------------------------------------------------------------------


@dataclasses.dataclass
class Login:
    user: str
    password: str


_NESTINGS = st.recursive(
    st.sampled_from(
        [
            {"password": "hunter2"},
            {"headers": {"Authorization": "hunter2"}},
            Login("u", "hunter2"),
            (("api_key", "x"), {"apiKey": ["hunter2"]}),
            {"token": {"deep": "hunter2"}},
        ]
    ),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3)
        | st.dictionaries(st.sampled_from("abc"), inner, min_size=1)
        | st.tuples(inner)
    ),
    max_leaves=5,
)


@given(value=_NESTINGS, patterns=st.sampled_from([(), ("email",)]))
def test_a_secret_is_hidden_at_any_depth(value: Any, patterns: tuple[str, ...]) -> None:
    """
    In dicts, lists, tuples and records of any nesting, bound or of the call.
    """
    redactor = Redactor(patterns=patterns)
    for line in (
        line_of(redactor, fields={"value": value}),
        line_of(redactor, View({"value": value}, None)),
        line_of(redactor, View({"value": value}, None), fields={"value": value}),
        LineEncoder(redactor=redactor, static={"value": value}).encode(
            Event(0, "INFO", 20, "shop", "hello", current_view())
        ),
    ):
        assert b"hunter2" not in line
        assert REDACTED.encode() in line


def test_the_outermost_names_count_before_they_are_renamed() -> None:
    """
    A schema that renames `token` to something harmless does not show it.
    """
    schema = ctxlog.Schema(name="mine", rename={"token": "auth"})
    line = LineEncoder(schema).encode(
        Event(0, "INFO", 20, "a", "b", View({"token": "hunter2"}, None))
    )
    assert load_line(line)["auth"] == REDACTED


def test_a_name_that_is_cut_is_judged_whole() -> None:
    """
    A name too long for its line is not shortened to a harmless one.
    """
    name = "a" * 400 + "_password_" + "b" * 400
    line = LineEncoder(max_line_bytes=1024).encode(
        Event(0, "INFO", 20, "a", "m" * 5000, current_view(), {name: "hunter2"})
    )
    assert b"hunter2" not in line


def test_no_secret_is_none() -> None:
    """
    That there is no password is no secret.
    """
    assert load_line(line_of(Redactor(), fields={"password": None}))["password"] is None


def test_the_store_keeps_what_was_put_in() -> None:
    """
    The application reads its token from there.
    """

    def log() -> object:
        line_of(Redactor())
        return ctxlog.fields()["token"]

    assert ctxlog.run({"token": "hunter2"}, log) == "hunter2"


# Patterns --------------------------------------------------------------------------

HIT = [
    ("card", "4111111111111111", "[redacted]"),
    ("card", "pay 4111 1111 1111 1111.", "pay [redacted]."),
    ("card", "5500-0000-0000-0004", "[redacted]"),
    ("card", "3782 822463 10005", "[redacted]"),
    ("card", "2026-11-22 4111111111111111 ok", "2026-11-22 [redacted] ok"),
    ("card", "12 4111 1111 1111 1111 13", "12 [redacted] 13"),
    ("card", "4111111111111111 5500000000000004", "[redacted] [redacted]"),
    ("bearer", "Authorization: Bearer abc.def-123", "Authorization: Bearer [redacted]"),
    ("bearer", "bearer secrettoken", "bearer [redacted]"),
    ("basic", "Basic dXNlcjpwYXNz", "Basic [redacted]"),
    ("basic", "basic dXNlcjpwYXNzMQ== x", "basic [redacted] x"),
    ("email", "<a.b+c@mail.example.org>", "<[redacted]>"),
    (r"sk-\w+", "key sk-abc!", "key [redacted]!"),
]

NOT_HIT = [
    ("card", "4111 1111 1111 1112"),
    ("card", "1700000000004"),
    ("card", "12345678901234567890123"),
    ("card", "0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9"),
    ("card", "2026-11-22 21:44:39"),
    ("bearer", "the bearer token is missing"),
    ("bearer", "Bearer authentication failed"),
    ("basic", "Basic information about basic usage"),
    ("basic", "Basic authentication"),
    ("email", "a @ b, @decorator, user@host"),
]


@pytest.mark.parametrize(("pattern", "text", "shown"), HIT)
def test_a_pattern_hides_everywhere(pattern: str, text: str, shown: str) -> None:
    """
    In message, fields, names of fields, exceptions' messages and stacks, stack_info.
    """
    line = load_line(
        line_of(
            Redactor(patterns=[pattern]),
            View({"bound": [text]}, None),
            message=text,
            fields={"own": {"deep": text}, f"name {text}": 1},
            error=ValueError(text),
            stack_info=text,
        )
    )
    assert text not in str(line)
    assert line["message"] == line["bound"][0] == line["own"]["deep"] == shown
    assert line["exception"]["message"] == line["stackInfo"] == shown
    assert line["exception"]["stack"] == f"ValueError: {shown}"
    assert f"name {shown}" in line


@pytest.mark.parametrize(("pattern", "text"), NOT_HIT)
def test_a_pattern_leaves_other_text(pattern: str, text: str) -> None:
    """
    Words, numbers and times that only look alike.
    """
    assert Redactor(patterns=[pattern]).text(text) == text


def test_no_pattern_is_on_by_default() -> None:
    """
    Searching every text costs time, so it is asked for.
    """
    texts = [text for _, text, _ in HIT]
    assert [Redactor().text(text) for text in texts] == texts


# Options ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "hidden"),
    [
        (None, {"password"}),
        (True, {"password"}),
        (False, set()),
        (["iban"], {"password", "iban"}),
        ({"iban"}, {"password", "iban"}),
        (Redactor(["iban"]), {"iban"}),
        (Redactor(()), set()),
    ],
    ids=["none", "true", "false", "list", "set", "redactor", "empty"],
)
def test_what_a_redact_option_means(option: Any, hidden: set[str]) -> None:
    """
    The default names, nothing, more names, or a Redactor of one's own.
    """
    redactor = get_redactor(option)
    assert {
        name for name in ("password", "iban", "rows") if redactor.hides(name)
    } == hidden


@pytest.mark.parametrize(
    "make",
    [
        lambda: get_redactor(3),
        lambda: get_redactor("password"),
        lambda: get_redactor(b"password"),
        lambda: get_redactor([3]),
        lambda: get_redactor(["-"]),
        lambda: Redactor("password"),
        lambda: Redactor(3),  # type: ignore[arg-type]
        lambda: Redactor(patterns="card"),
        lambda: Redactor(patterns=["("]),
        lambda: Redactor(patterns=[3]),  # type: ignore[list-item]
    ],
    ids=range(10),
)
def test_a_wrong_option_is_a_config_error(make: Any) -> None:
    """
    It names the option and what is allowed.
    """
    with pytest.raises(
        ctxlog.ConfigError, match="^invalid value for redact: .*expected "
    ):
        make()


def test_a_compiled_pattern_keeps_its_flags() -> None:
    """
    A user's expression is used as it is.
    """
    assert (
        Redactor(patterns=[re.compile("SECRET", re.I)]).text("a secret")
        == "a [redacted]"
    )


def test_the_process_has_one_redactor_for_whoever_is_given_none() -> None:
    """
    An encoder that is given none takes the one in use.
    """
    before = get_redactor()
    try:
        set_redactor(Redactor(["iban"]))
        line = LineEncoder().encode(
            Event(0, "I", 20, "a", "b", current_view(), {"iban": "DE"})
        )
    finally:
        set_redactor(before)
    assert load_line(line)["iban"] == REDACTED


def test_a_wrong_format_string_shows_no_secret() -> None:
    """
    The arguments that are shown because they do not fit are looked into.
    """
    record = logging.LogRecord("a", 20, "f", 1, "%d", ({"password": "hunter2"},), None)
    line = ctxlog.JsonFormatter().format(record)
    assert "hunter2" not in line
    assert REDACTED in line


PAIRS = [
    [(b"Authorization", b"Bearer s3cret"), ("x-api-key", "s3cret"), ("a", 1)],
    [["authorization", "Bearer s3cret"], ["a", 1]],
    (("password", "s3cret"), ["a", 1]),
    [["a", 1], ["password", ["s3cret"]]],
    {"nested": [{"headers": [["Cookie", "a=s3cret"], ["a", 1]]}]},
    [["a", 1], ("token", "s3cret"), "no pair", 3, ("a", "b", "c")],
    [["a", 1], ("authorization", "Bearer s3cret")],
    {"a": 1, "pair": ("authorization", "Bearer s3cret")},
]


@pytest.mark.parametrize("value", PAIRS, ids=range(len(PAIRS)))
def test_headers_as_pairs_are_looked_into(value: Any) -> None:
    """
    As servers and clients give them: a name and its value, in bytes or text.
    """
    for line in (
        line_of(Redactor(), View({"headers": value}, None)),
        line_of(Redactor(patterns=["card"]), fields={"headers": value}),
    ):
        assert b"s3cret" not in line
        assert REDACTED.encode() in line
        assert b'"a"' in line


@pytest.mark.parametrize(
    "value",
    [
        ["token", "count"],
        ["password", "user_id"],
        ["name", "password"],
        [["max_tokens", 100], ["tokens", 3]],
        [["a", "token"], ["b", "password"]],
        ["password", "token", "secret"],
    ],
    ids=str,
)
def test_words_of_a_list_are_no_pair(value: list[Any]) -> None:
    """
    Two plain words by themselves are words; a number may be a count.
    """
    for shown in (value, tuple(value)):
        line = load_line(line_of(Redactor(), fields={"value": shown}))
        assert line["value"] == value


NAMED = [
    {"name": "Authorization", "value": "Bearer s3cret"},
    {"key": "DB_PASSWORD", "value": "s3cret", "enabled": True},
    {"Key": "api-key", "Value": "s3cret"},
    {"key": "password", "value": {"stringValue": "s3cret"}},
    {"value": "s3cret", "name": b"cookie"},
    {"type": "string_type", "loc": ("body", "password"), "input": "s3cret"},
]


@pytest.mark.parametrize("value", NAMED, ids=str)
def test_a_name_and_its_value_in_an_object_are_a_pair(value: dict[str, Any]) -> None:
    """
    HTTP archives, clouds' tags and variables, OTLP and pydantic have them so.
    """
    for own in (value, {"of": value}, {"of": [value, {"name": "a", "value": 1}]}):
        for _ in range(2):
            line = line_of(Redactor(), fields=own)
            assert b"s3cret" not in line
            assert REDACTED.encode() in line


@pytest.mark.parametrize(
    "value",
    [
        {"name": "rows", "value": 3},
        {"name": "max_tokens", "value": 100},
        {"name": "token", "count": 3},
        {"field": "password", "message": "is required"},
        {"value": "token", "name": "a"},
        {"name": "password", "value": None},
    ],
    ids=str,
)
def test_an_object_with_a_harmless_name_is_shown(value: dict[str, Any]) -> None:
    """
    Only the value is one, and only of a name that is a secret's.
    """
    assert load_line(line_of(Redactor(), fields={"of": [value]}))["of"] == [value]


def test_a_password_in_a_url_is_hidden_by_its_preset() -> None:
    """
    The user and the host stay; without the preset all does.
    """
    text = "at https://ann:s3cret@db.example.com/x and https://example.com:80/@me"
    hidden = text.replace("s3cret", "[redacted]")
    assert Redactor(patterns=["url"]).text(text) == hidden
    assert Redactor().text(text) == text


JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5NXgL0n3I"
PEM = (
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEs3cret\nBgkqs3cret\n"
    "-----END RSA PRIVATE KEY-----"
)

# The placeholder of the secret, and the preset that finds it.
SECRETS = [
    ("assignments", "login password=s3cret ok", "login password=# ok"),
    ("assignments", '{"password": "s3cret", "a": 1}', '{"password": "#", "a": 1}'),
    ("assignments", "password: 's3 \\' cret' x", "password: '#' x"),
    ("assignments", '{\\"token\\": \\"s3cret\\"} x', '{\\"token\\": \\"#\\"} x'),
    ("assignments", "GET /x?token=s3cret&a=1 HTTP/1.1", "GET /x?token=#&a=1 HTTP/1.1"),
    ("assignments", "user[password]=s3cret&a=1", "user[password]=#&a=1"),
    ("assignments", "a=1&token[]=s3cret&a=1", "a=1&token[]=#&a=1"),
    ("assignments", "user[token][]=s3cret", "user[token][]=#"),
    ("assignments", "token[0]=s3cret token[1]=s3cret", "token[0]=# token[1]=#"),
    (
        "assignments",
        "Login(user='a', password='s3cret')",
        "Login(user='a', password='#')",
    ),
    ("assignments", "tokens: ['s3cret', 's3cret'] x", "tokens: # x"),
    ("assignments", "mysql --password s3cret -h x", "mysql --password # -h x"),
    ("assignments", "<password>s3cret</password>", "<password>#</password>"),
    ("assignments", "PGPASSWORD=s3cret psql", "PGPASSWORD=# psql"),
    ("assignments", "(password => s3cret)", "(password => #)"),
    ("assignments", "Server=h;Pwd=s3cret;Database=d", "Server=h;Pwd=#;Database=d"),
    ("assignments", "url='https://h/?sid=s3cret' x", "url='https://h/?sid=#' x"),
    ("assignments", "authorization=Bearer s3cret x", "authorization=# x"),
    ("headers", "Authorization: Token s3cret\nA: b", "Authorization: #\nA: b"),
    ("headers", 'Authorization: Digest a="s", b="s3cret"\r\n', "Authorization: #\r\n"),
    ("headers", "Set-Cookie: sid=s3cret; Path=/", "Set-Cookie: #"),
    ("headers", 'curl -H "Cookie: a=s3cret" h', 'curl -H "Cookie: #" h'),
    ("headers", "{'Authorization': 'Token s3cret'}", "{'Authorization': '#'}"),
    ("bearer", "sent Bearer s3cret.s3cret ok", "sent Bearer # ok"),
    ("basic", "sent Basic dXNlcjpwYXNz ok", "sent Basic # ok"),
    ("url", "amqp://u:p@s3cr3t@h/ x", "amqp://u:#@h/ x"),
    ("url", "postgres://u:s3/cret@h:5432/d", "postgres://u:#@h:5432/d"),
    ("url", "redis://:s3cret@h", "redis://:#@h"),
    ("url", "mongodb+srv://u:s3cret@h/,x", "mongodb+srv://u:#@h/,x"),
    ("url", "amqp://u:s3%40cret@h", "amqp://u:#@h"),
    ("url", f"https://u:{'s3cret' * 1000}@h/", "https://u:#@h/"),
    ("url", "a://u:s3cret@h,b://u:s3cret@h", "a://u:#@h,b://u:#@h"),
    ("url", "?next=amqp%3A%2F%2Fu%3As3cret%40h x", "?next=amqp%3A%2F%2Fu%3A#%40h x"),
    (
        "url",
        "jdbc:sqlserver://h;user=a;password=s3cret;b=c",
        "jdbc:sqlserver://h;user=a;password=#;b=c",
    ),
    (
        "url",
        "jdbc:mysql://h/d?user=a&password=s3cret",
        "jdbc:mysql://h/d?user=a&password=#",
    ),
    ("pem", f"key {PEM} end", "key # end"),
    ("pem", '{"k": "' + PEM.replace("\n", "\\n") + '"}', '{"k": "#"}'),
    ("pem", PEM[:50], "#"),
    ("pem", f"{PEM[40:]} end", "# end"),
    ("jwt", f"got {JWT} end", "got # end"),
    ("aws", "id AKIAIOSFODNN7EXAMPLE end", "id # end"),
    ("aws", "aws wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY end", "aws # end"),
    ("github", "x ghp_16C7e42F292c6912E7710c838347Ae178B4a y", "x # y"),
    ("github", "x github_pat_11AAAAAAA0abcdefghijkl_xyz y", "x # y"),
    ("gitlab", "x glpat-abcdefghij1234567890 y", "x # y"),
    ("slack", "x xoxb-123456789012-abcdefABCDEF y", "x # y"),
    ("stripe", "x sk_live_4eC39HqLyjWDarjtT1zdp7dc y", "x # y"),
    ("google", "x AIzaSyDdI0hCZtE6vySjMm-WEfRq3CPzqKqqsHI y", "x # y"),
    ("npm", "x npm_abcdefghijklmnopqrstuvwxyz0123456789 y", "x # y"),
    ("pypi", "x pypi-AgEIcHlwaS5vcmcCJGY0 y", "x # y"),
    ("openai", "x sk-proj-abcdefghij1234567890ABCD y", "x # y"),
]

NO_SECRETS = [
    "max_tokens=100 tokens: 5 sessions=3",
    "password=None token: null secret=false",
    "https://example.com:80/@me https://example.com/a:b@c https://h:8080/?a=b@c",
    "12:30:05 INFO a: b",
    "pass_rate=0.5 session_count=3 key=abc author: bob",
    "for the token and the password of it",
    "sk-learn-is-a-library",
    "aws 2fd4e1c67a2d28fced849ee1bb76e7391b93eb12",
    "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----",
    "Token::new http://x",
    "password=[redacted] token: '[redacted]'",
    "",
]


@pytest.mark.parametrize(
    ("preset", "text", "shown"), SECRETS, ids=[str(i) for i in range(len(SECRETS))]
)
def test_a_preset_hides_secrets_in_text(preset: str, text: str, shown: str) -> None:
    """
    By itself, and as a part of `secrets`, which changes nothing when it comes again.
    """
    wanted = shown.replace("#", REDACTED)
    assert Redactor(patterns=[preset]).text(text) == wanted
    both = Redactor(patterns=["secrets"]).text(text)
    assert "s3c" not in both
    assert REDACTED in both
    assert Redactor(patterns=["secrets"]).text(both) == both


@pytest.mark.parametrize("text", NO_SECRETS)
def test_other_text_is_left(text: str) -> None:
    """
    Counts, nothing, ports, words, hashes and what was hidden before.
    """
    assert Redactor(patterns=["secrets"]).text(text) == text


def test_the_names_in_a_text_are_those_of_the_redactor() -> None:
    """
    Added, taken away or shown as for fields.
    """
    redactor = Redactor(["iban"], ["assignments"], shown=["my_iban"])
    text = "password=a iban=b my_iban=c"
    assert redactor.text(text) == "password=a iban=[redacted] my_iban=c"


@pytest.mark.parametrize("name", ["list", "environment"])
def test_presets_are_asked_for_among_the_names(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    `pattern:secrets` in `redact=` and in CTXLOG_REDACT.
    """
    option: Any = ["iban", "pattern:secrets"]
    if name == "environment":
        monkeypatch.setenv("CTXLOG_REDACT", "iban, pattern:secrets")
        option = None
    stream = io.StringIO()
    more = {} if option is None else {"redact": option}
    ctxlog.configure(stream=stream, format="json", loggers=["stdlib"], **more)
    try:
        logging.getLogger("shop").warning("password=s3cret", extra={"iban": "DE"})
    finally:
        ctxlog.config.unconfigure()
    line = load_line(stream.getvalue())
    assert (line["message"], line["iban"]) == ("password=[redacted]", REDACTED)


# Beginnings of what a pattern looks for, over and over.
HOSTILE = [
    *("a", "1", " ", "-", "=", "_", "\n", "\\", '"', "'", "é", "a@", "a.", "@a.a"),
    *("1 ", "411 ", "4111-", "4111 1111 1111 1111 ", "a@" + "a." * 99, "٣٣٣ "),
    *("Bearer ", "Basic ", "Basic A", "Bearer" + " " * 999),
    *("://", "://a:", "://a:b@", "://a:b@c ", "%3A%2F%2F", "%3A%2F%2Fa%3A"),
    *("token=", 'token="', "token='\\\"", 'token=\\"', "token=\\", "token: ", "token:"),
    *("token=[", "token={", "<token>", "--token ", "tokens=1", "a=1 ", "?token=1"),
    *("Cookie: ", '"Cookie: a" ', "Authorization: Digest ", "password=" + ")" * 500),
    *("eyJaaaaa.", "eyJ-", "eyJaaaaaa", "AKIA", "aws " + "aA1" * 14, "ghp_", "sk-"),
    *("-----BEGIN PRIVATE KEY-----", "-----BEGIN ", "-----END ", 'token\\\\\\"'),
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_preset_takes_time_linear_in_the_text(pattern: str) -> None:
    """
    Four times the text takes about four times the processor's time, not sixteen, also
    of texts that were made to be slow. They are short, so that no run takes long.
    """
    redactor = Redactor(patterns=[pattern])

    def taken(text: str) -> float:
        times = []
        for _ in range(2):
            began = time.process_time()
            redactor.text(text)
            times.append(time.process_time() - began)
        return min(times)

    for part in HOSTILE:
        number = 4_000 // len(part) + 1
        few, many = taken(part * number), taken(part * 4 * number)
        assert many < 8 * few + 0.01, part


@pytest.mark.parametrize("schema", sorted(ctxlog.line.vendors.SCHEMAS))
def test_patterns_reach_tracebacks_in_every_schema(schema: str) -> None:
    """
    The message, a field, the exception's message and the source line that it shows.
    """
    redactor = Redactor(patterns=["card"])
    formatter = ctxlog.JsonFormatter(schema=schema, redact=redactor)
    record = logging.makeLogRecord({"msg": "paid 4111111111111111", "levelno": 20})
    record.note = ["4111 1111 1111 1111"]
    try:
        raise ValueError("refused 4111-1111-1111-1111")
    except ValueError as error:
        record.exc_info = (type(error), error, error.__traceback__)
    line = formatter.format(record)
    assert "ValueError" in line
    assert "1111" not in line
