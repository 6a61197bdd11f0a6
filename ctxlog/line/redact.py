"""
Hiding of secrets.

Redaction happens where values are encoded, so that one rule serves every logger:
by the name of a field at any depth, and by patterns over text where asked for. The
store itself keeps the raw value; the application reads its token from there.
"""

from __future__ import annotations

import re
import string
from collections.abc import Collection, Iterable
from itertools import chain
from numbers import Number
from typing import Any

from ctxlog._memory import remember
from ctxlog.errors import ConfigError
from ctxlog.line._pairs import VALUE_KEYS, is_named_value
from ctxlog.line._presets import PATTERNS, REDACTED, Preset, replacing

__all__ = ["DEFAULT_KEYS", "PATTERNS", "REDACTED", "Redactor"]

# The groups of `docs/redaction.md`, which gives the reason for each.
_PASSWORDS = "password passwd passphrase passcode pwd pass pw"
_ONE_TIME = (
    "pin otp totp otp_code totp_code mfa_code 2fa_code two_factor_code"
    " verification_code one_time_code recovery_code backup_code sms_code access_code"
    " security_code security_answer seed_phrase recovery_phrase"
)
_TOKENS = (
    "token access_token refresh_token auth_token secret client_secret jwt bearer"
    " authorization auth oauth credential auth_code authorization_code device_code"
    " code_verifier client_assertion saml_response amz_signature goog_signature"
)
_SESSIONS = (
    "cookie session session_id session_key sid jsessionid phpsessid csrf csrf_token"
    " csrf_middleware_token xsrf xsrf_token"
)
_KEYS = (
    "api_key secret_key private_key access_key signing_key encryption_key"
    " decryption_key ssh_key pgp_key gpg_key master_key account_key shared_key"
    " app_key application_key auth_key client_key deploy_key functions_key"
    " license_key service_account_key signature_key subscription_key"
)
_CONNECTIONS = (
    "dsn connection_string conn_str connection_url connection_uri database_url"
    " database_uri db_url db_uri jdbc_url redis_url mongo_url mongo_uri mongodb_url"
    " mongodb_uri amqp_url broker_url postgres_url postgresql_url mysql_url"
)
_PAYMENT = "credit_card card_number cvc cvv ssn social_security_number"

#: Names of secrets. Each is found in the whole words of a field's name, wherever those
#: are divided: `api_key` in `apiKey`, `apikey` and `STRIPE_API_KEY`, and `token` in
#: `id_token` but not in `tokenizer`. The plural of a name counts, too.
DEFAULT_KEYS: frozenset[str] = frozenset(
    " ".join(
        (_PASSWORDS, _ONE_TIME, _TOKENS, _SESSIONS, _KEYS, _CONNECTIONS, _PAYMENT)
    ).split()
)

#: Names that are part of other names, too: `pass` counts in `db_pass` and not in
#: `pass_rate`. They count only where they end a field's name.
_AT_THE_END = frozenset(
    {"auth", "bearer", "csrf", "dsn", "oauth", "otp", "pass", "pin", "pw"}
    | {"session", "sid", "totp", "xsrf"}
)

# Names that are run together with a word before them: `PGPASSWORD`, `aspsessionid`.
_ENDINGS = (
    *("accesskey", "apikey", "passcode", "passphrase", "passwd", "password"),
    *("privatekey", "secretkey", "sessionid"),
)

# Words that say what is known *about* a secret: `password_changed_at` holds a time.
_ABOUT = frozenset(
    {"age", "at", "consent", "count", "endpoint", "expiration", "expired", "expires"}
    | {"expiresin", "expiry", "length", "lifetime", "limit", "name", "policy"}
    | {"strength", "timeout", "ttl", "type", "usage"}
)

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_]+")


# One digit for all: names that differ in their numbers only have the same verdict.
_DIGITS_ALIKE = {ord(digit): "0" for digit in "123456789"}

# The letters of names, in lower case, each name still on a line of its own.
_LETTERS: dict[int, int | None] = dict.fromkeys(range(128))
_LETTERS |= {code: code for code in (10, *range(ord("a"), ord("z") + 1))}
_LETTERS |= {ord(letter): ord(letter.lower()) for letter in string.ascii_uppercase}


def _words(name: str) -> list[str]:
    return [word.lower() for word in _WORDS.findall(name.translate(_DIGITS_ALIKE))]


def _any_of(texts: Iterable[str]) -> re.Pattern[str]:
    """Return what finds any of `texts`, divided by first letters to be quick."""
    shortest: list[str] = []
    for text in sorted(set(texts), key=len):
        if not any(known in text for known in shortest):
            shortest.append(text)
    initials: dict[str, list[str]] = {}
    for text in sorted(shortest):
        initials.setdefault(text[:1], []).append(re.escape(text[1:]))
    return re.compile(
        "|".join(f"{first}(?:{'|'.join(rest)})" for first, rest in initials.items())
        or "(?!)"
    )


# The verdict on a name: no secret; a secret; a secret unless it is a number, since
# `max_tokens` and `sessions` count.
_SHOWN, _HIDDEN, _NO_COUNT = range(3)


def _joined(key: object) -> str:
    joined = "".join(_words(key)) if isinstance(key, str) else ""
    if not joined:
        raise ConfigError("redact", key, "names of fields")
    return joined


_REMEMBERED = 4096
_FEW = 32
_LONG_NAME = 1024


class Redactor:
    """
    Decide which fields and which parts of texts are replaced by `REDACTED`.

    Safe to use from any thread. Its methods never raise.

    Args:
        keys: Names of fields to hide, `DEFAULT_KEYS` unless given. A name is found in
            the whole words of a field's name, whatever the case and the separators,
            and so is its plural.
        patterns: What to hide within texts: names of `PATTERNS`, regular expressions
            as strings, or compiled ones.
        shown: Names of fields to show although *keys* has a part of them. They are
            compared whole: `next_page_token` shows `nextPageToken`.

    Raises:
        ConfigError: If a pattern is no regular expression, or a key is no name.
    """

    def __init__(
        self,
        keys: Iterable[str] = DEFAULT_KEYS,
        patterns: Iterable[str | re.Pattern[str]] = (),
        *,
        shown: Iterable[str] = (),
    ) -> None:
        for option in (keys, patterns, shown):
            if isinstance(option, (str, bytes)) or not isinstance(option, Iterable):
                raise ConfigError("redact", option, "an iterable of strings")
        self._secrets = {_joined(key) for key in keys}
        self._shown = {_joined(key) for key in shown}
        self._endings = tuple(self._secrets.intersection(_ENDINGS))
        self._longest = max(map(len, self._secrets), default=0) + 1  # its plural's s
        self.patterns = [self._pattern(pattern) for pattern in patterns]
        self._verdicts: dict[str, int] = {}
        self._plain_shapes: dict[tuple[Any, ...], bool] = {}
        # The letters of which every hidden name has some.
        letters = [key.translate(_LETTERS) for key in self._secrets if key.isascii()]
        self._letters = _any_of(letters)
        self._all_ascii = len(letters) == len(self._secrets)

    @staticmethod
    def _pattern(pattern: str | re.Pattern[str]) -> Preset:
        if isinstance(pattern, str) and pattern in PATTERNS:
            return PATTERNS[pattern]
        try:
            return replacing(re.compile(pattern))
        except (re.error, TypeError) as error:
            allowed = f"one of: {', '.join(PATTERNS)}, or a regular expression; {error}"
            raise ConfigError("redact", pattern, allowed) from None

    def hides(self, name: str, value: object = "") -> bool:
        """
        Return whether a field is a secret.

        Args:
            name: The name of the field.
            value: The value of the field; a text unless given. None is no secret, nor
                is a number under a plural, which counts: `max_tokens`.
        """
        verdict = self._verdicts.get(name)
        if verdict is None:
            judged = name
            if len(name) > 2 * _LONG_NAME:
                judged = f"{name[:_LONG_NAME]}_{name[-_LONG_NAME:]}"
            verdict = self._judge(_words(judged))
            remember(self._verdicts, name, verdict, _REMEMBERED)
        if verdict == _SHOWN or value is None:
            return False
        return verdict == _HIDDEN or not issubclass(type(value), Number)

    def hides_any(self, names: Collection[str]) -> bool:
        """Return whether one of `names` is that of a secret; quick for many."""
        text = "\n".join(names)
        if not (self._all_ascii and text.isascii()):
            return any(map(self.hides, names))
        letters = text.translate(_LETTERS)
        if not self._letters.search("\n".join(set(letters.split("\n")))):
            return False
        alike = text.translate(_DIGITS_ALIKE).split("\n")
        suspects = set(alike)
        if len(alike) != len(names):  # a name of two lines
            suspects = set(names)
        elif len(suspects) > _REMEMBERED:
            suspects, line, end = set(), 0, 0
            for match in self._letters.finditer(letters):
                line += letters.count("\n", end, match.start())
                end = match.start()
                suspects.add(alike[line])
        return any(map(self.hides, suspects))

    def shows_all(self, shapes: Collection[tuple[Any, ...]]) -> bool:
        """Return whether the keys of objects are texts, and none hides a value."""
        new = [keys for keys in shapes if keys not in self._plain_shapes]
        if not new:
            return True
        names = set(chain.from_iterable(new))
        if set(map(type, names)) - {str} or self.hides_any(names):
            return False
        if not names.isdisjoint(VALUE_KEYS) and any(map(is_named_value, new)):
            return False
        if len(new) <= _FEW:
            for keys in new:
                remember(self._plain_shapes, keys, True)
        return True

    def _judge(self, words: list[str]) -> int:
        if self._shown and "".join(words) in self._shown:
            return _SHOWN
        while len(words) > 1 and words[-1].isdecimal():  # `password2`
            del words[-1]
        last = len(words) - 1
        about = bool(_ABOUT.intersection((*words[-1:], "".join(words[-2:]))))
        for i in range(len(words)):
            joined = ""
            for j in range(i, len(words)):
                joined += words[j]
                if len(joined) > self._longest:
                    break
                verdict = self._named(joined)
                # A secret may itself be called so: `expiry` where it was asked for.
                if not verdict or (about and j < last):
                    continue
                if j == last or _AT_THE_END.isdisjoint((joined, joined[:-1])):
                    return verdict
            if self._endings and words[i].endswith(self._endings):
                if i == last or not about:
                    return _HIDDEN
        return _SHOWN

    def _named(self, joined: str) -> int:
        if joined in self._secrets:
            return _HIDDEN
        return _NO_COUNT if joined.removesuffix("s") in self._secrets else _SHOWN

    def text(self, text: str) -> str:
        """Return `text` with what the patterns match hidden."""
        for preset in self.patterns:
            text = preset(text, self.hides)
        return text
