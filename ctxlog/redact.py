"""
What must not be written. Core: standard library only.

Redaction happens where values are encoded, so that one rule serves every logger:
by the name of a field at any depth, and by patterns over text where asked for. The
store itself keeps the raw value; the application reads its token from there.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable
from typing import TypeAlias

from ctxlog.errors import ConfigError

__all__ = [
    "DEFAULT_KEYS",
    "PATTERNS",
    "REDACTED",
    "Redactor",
    "active",
    "redactor",
    "use",
]

#: What stands in the place of a secret.
REDACTED = "[redacted]"

#: Names of secrets. Each is found in the whole words of a field's name, wherever those
#: are divided: `api_key` in `apiKey`, `apikey` and `STRIPE_API_KEY`, and `token` in
#: `id_token` but not in `tokenizer`.
DEFAULT_KEYS: frozenset[str] = frozenset(
    {
        "access_key",
        "access_token",
        "api_key",
        "auth_token",
        "authorization",
        "card_number",
        "client_secret",
        "cookie",
        "cookies",
        "credential",
        "credentials",
        "credit_card",
        "csrf_middleware_token",
        "csrf_token",
        "cvc",
        "cvv",
        "jwt",
        "passphrase",
        "passwd",
        "password",
        "passwords",
        "private_key",
        "pwd",
        "refresh_token",
        "secret",
        "secret_key",
        "secrets",
        "session_id",
        "signing_key",
        "ssn",
        "token",
    }
)

# Words that say what is known *about* a secret: `password_changed_at` holds a time.
_ABOUT = frozenset({"at", "count", "expires", "expiry", "expired", "length", "type"})

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W_]+")


def _words(name: str) -> list[str]:
    return [word.lower() for word in _WORDS.findall(name)]


def _luhn(digits: str) -> bool:
    total = 0
    for i, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + i % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _is_card(digits: str) -> bool:
    # The first digit is of a card scheme: one in ten of all times in milliseconds
    # since 1970 has a right check digit, too, but those begin with 1.
    return 13 <= len(digits) <= 19 and digits[0] in "23456" and _luhn(digits)


_DIGITS = re.compile(r"\d+")


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


def _basic(match: re.Match[str]) -> str:
    # "Basic" is a word, too: what follows is a secret if it decodes to one.
    scheme, encoded = match.groups()
    try:
        decoded = base64.b64decode(encoded + "=" * (-len(encoded) % 4))
    except ValueError:
        return match.group()
    return f"{scheme} {REDACTED}" if b":" in decoded else match.group()


_Replacement: TypeAlias = str | Callable[[re.Match[str]], str]

#: Patterns that can be asked for by name; none is on by default.
PATTERNS: dict[str, tuple[re.Pattern[str], _Replacement]] = {
    "card": (re.compile(r"(?<!\d)\d(?:[ -]?\d){12,}"), _cards),
    "bearer": (
        re.compile(
            r"\b(Bearer)\s+(?!(?:tokens?|auth\w*|scheme|credentials?)\b)"
            r"[A-Za-z0-9._~+/=-]{4,}",
            re.IGNORECASE,
        ),
        rf"\1 {REDACTED}",
    ),
    "basic": (
        re.compile(r"\b(Basic)\s+([A-Za-z0-9+/]{4,})={0,2}", re.IGNORECASE),
        _basic,
    ),
    "url": (
        re.compile(r"(://[^\s/:@]{0,128}:)[^\s/@]{1,512}(?=@)"),
        rf"\1{REDACTED}",
    ),
    "email": (
        re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}"),
        REDACTED,
    ),
}

_REMEMBERED = 4096
_LONG_NAME = 1024


class Redactor:
    """
    Decides which fields and which parts of texts are replaced by `REDACTED`.

    Safe to use from any thread. Its methods never raise.

    Args:
        keys: Names of fields to hide, `DEFAULT_KEYS` unless given. A name is found in
            the whole words of a field's name, whatever the case and the separators.
        patterns: What to hide within texts: names of `PATTERNS`, regular expressions
            as strings, or compiled ones.

    Raises:
        ConfigError: a pattern is not a regular expression, or a key is not a name.
    """

    def __init__(
        self,
        keys: Iterable[str] = DEFAULT_KEYS,
        patterns: Iterable[str | re.Pattern[str]] = (),
    ) -> None:
        for option in (keys, patterns):
            if isinstance(option, (str, bytes)) or not isinstance(option, Iterable):
                raise ConfigError("redact", option, "an iterable of strings")
        self._secrets: set[str] = set()
        for key in keys:
            secret = "".join(_words(key)) if isinstance(key, str) else ""
            if not secret:
                raise ConfigError("redact", key, "names of fields")
            self._secrets.add(secret)
        self._longest = max(map(len, self._secrets), default=0)
        self.patterns = [self._pattern(pattern) for pattern in patterns]
        self._verdicts: dict[str, bool] = {}

    @staticmethod
    def _pattern(
        pattern: str | re.Pattern[str],
    ) -> tuple[re.Pattern[str], _Replacement]:
        if isinstance(pattern, str) and pattern in PATTERNS:
            return PATTERNS[pattern]
        try:
            return re.compile(pattern), REDACTED
        except (re.error, TypeError) as error:
            allowed = f"{', '.join(PATTERNS)} or a regular expression ({error})"
            raise ConfigError("redact", pattern, allowed) from None

    def hides(self, name: str) -> bool:
        """Whether the value of a field called `name` is a secret."""
        verdict = self._verdicts.get(name)
        if verdict is None:
            verdict = self._judge(_words(name[:_LONG_NAME]))
            # Names may come from outside (headers, query strings): bounded.
            if len(name) < _LONG_NAME:
                if len(self._verdicts) >= _REMEMBERED:
                    self._verdicts.clear()
                self._verdicts[name] = verdict
        return verdict

    def _judge(self, words: list[str]) -> bool:
        about = bool(words) and words[-1] in _ABOUT
        for i in range(len(words)):
            joined = ""
            for j in range(i, len(words)):
                joined += words[j]
                if len(joined) > self._longest:
                    break
                # A secret may itself be called so: `expiry` where it was asked for.
                if joined in self._secrets and not (about and j < len(words) - 1):
                    return True
        return False

    def text(self, text: str) -> str:
        """Return `text` with what the patterns match hidden."""
        for pattern, replacement in self.patterns:
            text = pattern.sub(replacement, text)
        return text


#: Hides nothing.
_NOTHING = Redactor(keys=())

_active = Redactor()


def active() -> Redactor:
    """Return the redactor of this process: the default one, or `configure()`'s."""
    return _active


def use(redactor: Redactor) -> None:
    """Make `redactor` the one of this process, for whoever is given none."""
    global _active
    _active = redactor


def redactor(option: object) -> Redactor:
    """
    Return the redactor that a `redact=` option means.

    Args:
        option: None is the process's, False hides nothing, True is the default one,
            names add to the default ones, and a `Redactor` is itself.

    Raises:
        ConfigError: it is none of these.
    """
    if option is None:
        return active()
    if isinstance(option, Redactor):
        return option
    if option is False:
        return _NOTHING
    if option is True:
        return Redactor()
    if isinstance(option, Iterable) and not isinstance(option, (str, bytes)):
        return Redactor(DEFAULT_KEYS.union(option))
    raise ConfigError(
        "redact", option, "None, True, False, names of fields or a Redactor"
    )
