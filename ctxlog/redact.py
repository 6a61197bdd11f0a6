"""
What must not be written. Core: standard library only.

Redaction happens where values are encoded, so that one rule serves every logger:
by the name of a field at any depth, and by patterns over text where asked for. The
store itself keeps the raw value; the application reads its token from there.
"""

from __future__ import annotations

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

#: Names of secrets. Each is a sequence of words, matched against whole words of a
#: field's name: `api_key` is found in `apiKey` and `STRIPE_API_KEY`, and `token` in
#: `access_token` but not in `tokenizer`.
DEFAULT_KEYS: frozenset[str] = frozenset(
    {
        "access_key",
        "api_key",
        "apikey",
        "authorization",
        "card_number",
        "client_secret",
        "cookie",
        "cookies",
        "credential",
        "credentials",
        "credit_card",
        "cvc",
        "cvv",
        "jwt",
        "passphrase",
        "passwd",
        "password",
        "passwords",
        "private_key",
        "pwd",
        "secret",
        "secrets",
        "session_id",
        "sessionid",
        "signing_key",
        "ssn",
        "token",
        "x_api_key",
    }
)

# Words that say what is known *about* a secret: `password_changed_at` holds a time.
_ABOUT = frozenset({"at", "count", "expires", "expiry", "expired", "length", "type"})

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W_]+")


def _words(name: str) -> tuple[str, ...]:
    return tuple(word.lower() for word in _WORDS.findall(name))


def _luhn(digits: str) -> bool:
    total = 0
    for i, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + i % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _card(match: re.Match[str]) -> str:
    text = match.group()
    digits = re.sub(r"\D", "", text)
    return REDACTED if 13 <= len(digits) <= 19 and _luhn(digits) else text


_Replacement: TypeAlias = str | Callable[[re.Match[str]], str]

#: Patterns that can be asked for by name; none is on by default.
PATTERNS: dict[str, tuple[re.Pattern[str], _Replacement]] = {
    "card": (re.compile(r"(?<!\d)(?:\d[ -]?){12,18}\d(?!\d)"), _card),
    "bearer": (
        re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{4,}", re.IGNORECASE),
        rf"\1 {REDACTED}",
    ),
    "email": (
        re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}"),
        REDACTED,
    ),
}

_REMEMBERED = 4096


class Redactor:
    """
    Decides which fields and which parts of texts are replaced by `REDACTED`.

    Safe to use from any thread. Its methods never raise.

    Args:
        keys: Names of fields to hide, `DEFAULT_KEYS` unless given. A name is matched
            as whole words of a field's name, whatever the case and the separators.
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
        self._by_first: dict[str, list[tuple[str, ...]]] = {}
        if isinstance(keys, str) or isinstance(patterns, str):
            raise ConfigError("redact", keys or patterns, "an iterable of strings")
        for key in keys:
            words = _words(key) if isinstance(key, str) else ()
            if not words:
                raise ConfigError("redact", key, "names of fields")
            self._by_first.setdefault(words[0], []).append(words)
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
            verdict = self._judge(_words(name[:256]))
            # Names may come from outside (headers, query strings): bounded.
            if len(self._verdicts) >= _REMEMBERED:
                self._verdicts.clear()
            self._verdicts[name] = verdict
        return verdict

    def _judge(self, words: tuple[str, ...]) -> bool:
        if words and words[-1] in _ABOUT:
            return False
        for i, word in enumerate(words):
            for secret in self._by_first.get(word, ()):
                if words[i : i + len(secret)] == secret:
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
