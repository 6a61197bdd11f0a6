"""
Patterns for secrets within texts.

Each takes time linear in any text: a part of a text that was looked at is either
replaced or not looked at by the same pattern again, but for a bounded number of
characters.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

#: The text in place of a secret.
REDACTED = "[redacted]"

#: Returns whether a name is that of a secret, given its value.
Hides: TypeAlias = Callable[[str, object], bool]

#: Hides the secrets of one kind in a text.
Preset: TypeAlias = Callable[[str, Hides], str]


# Card numbers ---------------------------------------------------------------------

_CARD = re.compile(r"(?<!\d)\d(?:[ -]?\d){12,}")
_DIGITS = re.compile(r"\d+")
_DOUBLED = bytes.maketrans(b"0123456789", b"0246813579")


def _is_card(digits: str) -> bool:
    # The first digit is of a card scheme: one in ten of all times in milliseconds
    # since 1970 has a right check digit, too, but those begin with 1.
    return 13 <= len(digits) <= 19 and digits[0] in "23456" and _luhn(digits)


def _luhn(digits: str) -> bool:
    try:
        code = digits.encode("ascii")
    except UnicodeEncodeError:  # digits of another script
        return False
    odd, even = code[-1::-2], code[-2::-2].translate(_DOUBLED)
    return (sum(odd) + sum(even) - 48 * len(code)) % 10 == 0


def _cards(match: re.Match[str]) -> str:
    """Hide the card numbers among groups of digits: a date may stand before one."""
    text = match.group()
    if _is_card("".join(_DIGITS.findall(text))):
        return REDACTED
    groups = list(_DIGITS.finditer(text))
    shown, position, i = [], 0, 0
    while i < len(groups):
        digits, end = "", None
        for j in range(i, len(groups)):
            group = groups[j].group()
            # Single digits have a right check digit too often.
            if len(group) < 3 or len(digits) + len(group) > 19:
                break
            digits += group
            if _is_card(digits):
                end = j
        if end is None:
            i += 1
            continue
        shown += [text[position : groups[i].start()], REDACTED]
        position, i = groups[end].end(), end + 1
    return "".join([*shown, text[position:]])


# Schemes of the Authorization header -----------------------------------------------

_BEARER = re.compile(
    r"\b(Bearer)\s+(?!(?:tokens?|auth\w*|scheme|credentials?)\b)"
    r"[A-Za-z0-9._~+/=-]{4,}",
    re.IGNORECASE,
)
_BASIC = re.compile(r"\b(Basic)\s+([A-Za-z0-9+/]{4,})={0,2}", re.IGNORECASE)


def _basic(match: re.Match[str]) -> str:
    # "Basic" is a word, too: what follows is a secret if it decodes to one.
    scheme, encoded = match.groups()
    try:
        decoded = base64.b64decode(encoded + "=" * (-len(encoded) % 4))
    except ValueError:
        return match.group()
    return f"{scheme} {REDACTED}" if b":" in decoded else match.group()


# Names with values -----------------------------------------------------------------

# A name, and what divides it from its value: `name=`, `"name": `, `'name' => `,
# `\"name\":`, `user[name]=`, `name[]=`, `name[0]=`, `--name `, `<name>`.
_NAME = re.compile(
    r"(?<![\w.-])(?P<name>[\w.-]{1,128})"
    r"(?:(?:\\{0,3}[\"'\]]){0,2}(?:\[\d{0,9}\])?"
    r"\s{0,4}(?P<mark>=>|:=|=|:(?![:/]))[^\S\n]{0,4}"
    r"|(?P<space>[^\S\n]{1,4})(?=[^\s=:-])|>)"
)
_PARAMETER = re.compile(r"(?<=[?&;])(?P<name>[\w.%-]{1,128})(?P<mark>=)")
_QUOTE = re.compile(r"[bru]{0,2}(\\{0,3})([\"'])")
_QUOTED = {
    '"': re.compile(r'(?:[^"\\]|\\.)*', re.DOTALL),
    "'": re.compile(r"(?:[^'\\]|\\.)*", re.DOTALL),
}
_BRACKETED = {
    "[": re.compile(r"\[[^\]]*\]?"),
    "{": re.compile(r"\{[^}]*\}?"),
}
_SCHEME = re.compile(
    r"(?:bearer|basic|token|digest|negotiate|ntlm|apikey|hawk|aws4-hmac-sha256)\s+",
    re.IGNORECASE,
)
_UNQUOTED = re.compile(r"[^\s&;<\"']+")
# The rest of a line, or of the quotes that a header stands in.
_LINE = {
    around: re.compile(rf"(?:[^\r\n\\{around}]|\\(?![rn{around}]))+")
    for around in ("", '"', "'")
}
_HEADER = re.compile(r"authorization|cookie", re.IGNORECASE)
_NOTHING = frozenset({"none", "null", "nil", "undefined", "true", "false"})


def _assigned(text: str, hides: Hides, named: re.Pattern[str] = _NAME) -> str:
    """Hide the values that stand with the names of secrets."""
    shown, position, start = [], 0, 0
    while match := named.search(text, start):
        start = match.end()
        name = match["name"]
        marked = match["mark"]
        if marked is None and not _is_marked(text, match):
            # It may be a name for what follows: `for token=...`.
            start = match.end("name")
            continue
        if not hides(name, ""):
            continue
        begin, end = _value(text, match)
        value = text[begin:end]
        count: object = 0 if value.isdecimal() else value
        if not value or value.lower() in _NOTHING or not hides(name, count):
            continue
        if not value.startswith(REDACTED):
            shown += [text[position:begin], REDACTED]
            position = end
        start = max(end, start)
    return "".join([*shown, text[position:]]) if shown else text


def _is_marked(text: str, match: re.Match[str]) -> bool:
    if match.groupdict().get("space") is not None:
        return match["name"].startswith("--")  # of a command line
    return text.startswith("<", match.start() - 1) and match.start() > 0


def _value(text: str, match: re.Match[str]) -> tuple[int, int]:
    """Return where the value after a name begins and ends."""
    begin = match.end()
    if match.re is _NAME and match["mark"] is None and match["space"] is None:
        end = text.find("<", begin)  # of an element
        return begin, len(text) if end < 0 else end
    if quote := _QUOTE.match(text, begin):
        begin, (escapes, mark) = quote.end(), quote.groups()
        if escapes:  # of a text within a text
            end = text.find(escapes + mark, begin)
            return begin, len(text) if end < 0 else end
        quoted = _QUOTED[mark].match(text, begin)
        return begin, quoted.end() if quoted else begin
    if bracketed := _BRACKETED.get(text[begin : begin + 1]):
        found = bracketed.match(text, begin)
        return begin, found.end() if found else begin
    if _HEADER.search(match["name"]) and match["mark"] == ":":
        before = text[max(match.start() - 1, 0) : match.start()]
        found = _LINE.get(before, _LINE[""]).match(text, begin)
        return begin, found.end() if found else begin
    scheme = _SCHEME.match(text, begin)
    found = _UNQUOTED.match(text, scheme.end() if scheme else begin)
    found = found or _UNQUOTED.match(text, begin)
    if not found:
        return begin, begin
    return begin, found.start() + len(found.group().rstrip(")]},.:"))


def _headers(text: str, hides: Hides) -> str:
    return _assigned(text, lambda name, value: bool(_HEADER.search(name)))


# URLs --------------------------------------------------------------------------------

# The delimiters around the user and the password of a URL, the end of the URL,
# and what ends a password: plain, and as a part of another URL.
_URLS = (
    (
        re.compile(r"://[^\s/:@?#\"'<>]*:"),
        re.compile(r"[\s\"'<>]|://"),
        re.compile(r"\d{1,5}[/?#]"),
        "@",
    ),
    (
        re.compile(r"%3A%2F%2F(?:(?!%3A|%40|%2F|%3F)[^\s&;\"'<>])*%3A", re.IGNORECASE),
        re.compile(r"[\s&;\"'<>]|%3A%2F%2F", re.IGNORECASE),
        re.compile(r"\d{1,5}%(?:2F|3F|23)", re.IGNORECASE),
        "%40",
    ),
)


def _urls(text: str, hides: Hides) -> str:
    """Hide passwords of URLs: before the host, and in parameters."""
    for opening, closing, port, at in _URLS:
        shown, position = [], 0
        for match in opening.finditer(text):
            begin = match.end()
            if port.match(text, begin):
                continue
            closed = closing.search(text, begin)
            # The last one before the host: a password may have one in it.
            end = text.rfind(at, begin, closed.start() if closed else len(text))
            if end > begin:
                shown += [text[position:begin], REDACTED]
                position = end
        text = "".join([*shown, text[position:]])
    return _assigned(text, hides, _PARAMETER)


# Tokens that are known by their look -------------------------------------------------

_JWT = re.compile(
    r"(?<![\w-])eyJ[\w-]{5,}\.(?:[\w-]+\.[\w-]*|(?:[\w-]*\.){3}[\w-]+)", re.ASCII
)
_AWS_ID = re.compile(r"(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?!\w)")
_AWS_SECRET = re.compile(r"(?<![A-Za-z0-9/+=])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])")
_TOKENS = {
    "github": r"(?:gh[opsur]_[A-Za-z0-9]{16,}|github_pat_\w{16,})",
    "gitlab": r"gl[a-z]{1,8}-[\w-]{16,}",
    "slack": r"(?:xox[a-z]-[\w-]{8,}|xapp-[\w-]{8,})",
    "stripe": r"(?:[rs]k_(?:live|test)_|whsec_)[A-Za-z0-9]{8,}",
    "google": r"(?:AIza[\w-]{30,}|ya29\.[\w-]{16,}|GOCSPX-[\w-]{16,})",
    "npm": r"npm_[A-Za-z0-9]{16,}",
    "pypi": r"pypi-[\w-]{16,}",
    "openai": r"sk-(?:[a-z]{2,8}-)?[\w-]{20,}",
}
_SLACK_HOOK = re.compile(r"(hooks\.slack\.com/(?:services|workflows)/)[\w/]+")
_PEM = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10}-----"
    r"(?:.*?-----END [A-Z0-9 ]{0,60}-----|.*)"
    # The end of one, where a long text is cut.
    r"|\A[\w+/=\s\\]*-----END [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10}-----",
    re.DOTALL,
)


def _aws(text: str, hides: Hides) -> str:
    # Forty characters are many things; beside the name of the vendor they are a key.
    if _AWS_ID.search(text) or "aws" in text.lower():
        text = _AWS_SECRET.sub(_mixed, text)
    return _AWS_ID.sub(REDACTED, text)


def _mixed(match: re.Match[str]) -> str:
    text = match.group()
    plain = text.islower() or text.isupper() or text.isalpha()
    return text if plain else REDACTED


def _replaced(
    text: str,
    hides: Hides,
    pattern: re.Pattern[str],
    replacement: str | Callable[[re.Match[str]], str] = REDACTED,
) -> str:
    return pattern.sub(replacement, text)


def replacing(
    pattern: re.Pattern[str],
    replacement: str | Callable[[re.Match[str]], str] = REDACTED,
) -> Preset:
    """Return a preset that replaces what `pattern` matches."""
    return partial(_replaced, pattern=pattern, replacement=replacement)


def _token(pattern: str) -> Preset:
    return replacing(re.compile(rf"(?<![A-Za-z0-9]){pattern}", re.ASCII))


def _slack(text: str, hides: Hides) -> str:
    return _SLACK_HOOK.sub(rf"\1{REDACTED}", _token(_TOKENS["slack"])(text, hides))


def _secrets(text: str, hides: Hides) -> str:
    for preset in _ALL_SECRETS:
        text = preset(text, hides)
    return text


#: Patterns that can be asked for by name; none is on by default.
PATTERNS: dict[str, Preset] = {
    "secrets": _secrets,
    "assignments": _assigned,
    "headers": _headers,
    "bearer": replacing(_BEARER, rf"\1 {REDACTED}"),
    "basic": replacing(_BASIC, _basic),
    "url": _urls,
    "pem": replacing(_PEM),
    "jwt": replacing(_JWT),
    "aws": _aws,
    **{name: _token(pattern) for name, pattern in _TOKENS.items()},
    "slack": _slack,
    "card": replacing(_CARD, _cards),
    "email": replacing(
        re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
    ),
}

# All but card numbers and addresses, which are personal. A value with a name first: its
# token is a part of it.
_ALL_SECRETS = [
    PATTERNS[name]
    for name in ("pem", "url", "assignments", "jwt", "aws", "slack", "bearer", "basic")
] + [
    _token(f"(?:{'|'.join(pattern for pattern in _TOKENS.values())})"),
]
