"""
The text of an SQL statement without the literals in it, for a log line. Core.

Where a literal begins and ends depends on the database, and in some on a setting. Where
a text can be read in two ways, the rest of it is left out: too little is shown rather
than a value.
"""

from __future__ import annotations

import re
from typing import NamedTuple

#: Stands for a literal, and for what was left out at the end.
_LITERAL = "?"
_CUT = "..."


class _Grammar(NamedTuple):
    """
    How the statements of a database are read. The defaults are those of an unknown one.

    Attributes:
        names: The quotes around names. Any other quotes are those of literals.
        fallback: Whether a name in double quotes may turn out to be a literal.
        brackets: Whether names may stand in brackets; None if unknown.
        backslash: Whether a backslash may escape a quote.
        nested: Whether comments nest; None if unknown.
        dashes: Whether two dashes begin a comment, whatever follows; None if unknown.
        hash: Whether `#` begins a comment; None if unknown.
        dollars: Whether `$tag$` begins a literal; None if unknown.
        versions: Whether `/*!` may begin a comment that is executed.
    """

    names: str = ""
    fallback: bool = False
    brackets: bool | None = None
    backslash: bool = True
    nested: bool | None = None
    dashes: bool | None = None
    hash: bool | None = None
    dollars: bool | None = None
    versions: bool = True


_UNKNOWN = _Grammar()
# https://dev.mysql.com/doc/refman/8.4/en/lexical-structure.html
_MYSQL = _Grammar(
    names="`", brackets=False, nested=False, dashes=False, hash=True, dollars=None
)
# https://learn.microsoft.com/en-us/sql/t-sql/language-elements/
_MSSQL = _Grammar(
    brackets=True,
    backslash=False,
    nested=True,
    dashes=True,
    hash=False,
    versions=False,
)

#: By the name of SQLAlchemy's dialect, and of Django's vendor.
_GRAMMARS = {
    # https://www.postgresql.org/docs/current/sql-syntax-lexical.html
    "postgresql": _Grammar(
        names='"',
        brackets=False,
        nested=True,
        dashes=True,
        hash=False,
        dollars=True,
        versions=False,
    ),
    "mysql": _MYSQL,
    "mariadb": _MYSQL,
    # https://www.sqlite.org/lang_keywords.html, https://www.sqlite.org/quirks.html
    "sqlite": _Grammar(
        names='"`',
        fallback=True,
        brackets=True,
        backslash=False,
        nested=False,
        dashes=True,
        versions=False,
    ),
    # https://docs.oracle.com/en/database/oracle/oracle-database/23/sqlrf/Literals.html
    "oracle": _Grammar(
        names='"',
        brackets=False,
        backslash=False,
        nested=False,
        dashes=True,
        hash=False,
        versions=False,
    ),
    "mssql": _MSSQL,
    "microsoft": _MSSQL,
}

_TOKEN = re.compile(
    r"""
      (?P<space>\s+)
    | (?P<comment>--|/\*|\#)
    | (?P<quote>['"`])
    | (?P<bracket>\[)
    | (?P<dollars>\$(?:(?:[^\W\d]|[^\x00-\x7f])(?:\w|[^\x00-\x7f])*)?\$)
    | (?P<number>[$:?]?\d[\w.]*|\.\d[\w.]*)
    | (?P<word>(?:[^\W\d]|[^\x00-\x7f])(?:[\w$]|[^\x00-\x7f])*)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)

_COMMENT_MARK = re.compile(r"/\*|\*/")

# The rest of a quoted text, with its quotes doubled, and with backslashes that escape.
_DOUBLED = {
    quote: re.compile(f"[^{quote}]*(?:{quote}{quote}[^{quote}]*)*{quote}(?!{quote})")
    for quote in "'\"`"
}
_ESCAPED = {
    quote: re.compile(
        rf"[^{quote}\\]*(?:(?:{quote}{quote}|\\.)[^{quote}\\]*)*{quote}(?!{quote})",
        re.DOTALL,
    )
    for quote in "'\"`"
}

# After these SQLite reads a name in double quotes, never a literal. `FROM` is one of
# them, but in `IS DISTINCT FROM`.
_BEFORE_NAMES = {"AS", "FROM", "INDEX", "INTO", "JOIN", "TABLE", "UPDATE"}


def without_literals(statement: str, system: str, limit: int = 1000) -> str:
    """
    Return the text of a statement with `?` in place of each literal.

    Comments are left out, and white space is one space. Names stay, and the
    placeholders of parameters, but for numbered ones, which become `?`.

    Args:
        statement: The statement, as the database gets it.
        system: The kind of the database: the name of SQLAlchemy's dialect, or of
            Django's vendor.
        limit: The number of characters after which the text is cut.
    """
    scanner = _Scanner(statement, _GRAMMARS.get(system, _UNKNOWN))
    shown: list[str] = []
    length = 0
    while length <= limit:
        part = scanner.next()
        if part is None:
            break
        if part == " " and (not shown or shown[-1] == " "):
            continue
        shown.append(part)
        length += len(part)
    text = "".join(shown).strip()
    if len(text) <= limit and not scanner.cut:
        return text
    return text[: limit - len(_CUT)] + _CUT


class _Scanner:
    """
    Reads a statement part by part.

    Attributes:
        cut: Whether the rest cannot be shown.
    """

    def __init__(self, text: str, grammar: _Grammar) -> None:
        self._text = text
        self._grammar = grammar
        self._at = 0
        self._words: tuple[str, str] = ("", "")  # before this, with only spaces between
        self.cut = False

    def next(self) -> str | None:
        """Return the next part to show; None at the end."""
        token = _TOKEN.match(self._text, self._at)
        if token is None or self.cut:
            return None
        start, self._at = self._at, token.end()
        kind, text = token.lastgroup, token[0]
        words, self._words = self._words, ("", "")
        if kind == "space":
            self._words = words
            return " " if text.isascii() else self._rest()
        if kind == "comment":
            return self._comment(text)
        if kind == "quote":
            return self._quoted(text, start, words)
        if kind == "bracket":
            return self._bracketed()
        if kind == "dollars":
            return self._dollars(text)
        if kind == "word":
            self._words = (words[1], text.upper())
            return text
        if kind == "number":
            return _LITERAL
        return self._rest() if text == "\0" else text

    def _rest(self) -> str | None:
        """Leave the rest out: it could be read in two ways, or does not end."""
        self.cut = True
        return None

    def _comment(self, opening: str) -> str | None:
        grammar, text = self._grammar, self._text
        if opening == "/*":
            return self._block_comment()
        if opening == "#":
            begins = grammar.hash
        elif grammar.dashes:
            begins = True
        else:
            follows = text[self._at : self._at + 1]
            begins = True if not follows or follows <= " " else grammar.dashes
        if begins is None:
            return self._rest()
        if not begins:
            return opening
        end = text.find("\n", self._at)
        end = len(text) if end < 0 else end
        if "\r" in text[self._at : end].removesuffix("\r"):  # the end for some
            return self._rest()
        self._at = end
        return " "

    def _block_comment(self) -> str | None:
        grammar, text = self._grammar, self._text
        if grammar.versions and text.startswith(("!", "M!"), self._at):
            return self._rest()
        depth = 1
        for mark in _COMMENT_MARK.finditer(text, self._at):
            if mark[0] == "*/":
                depth -= 1
            elif grammar.nested is None:
                break
            elif grammar.nested:
                depth += 1
            if not depth:
                self._at = mark.end()
                return " "
        return self._rest()

    def _quoted(self, quote: str, start: int, words: tuple[str, str]) -> str | None:
        grammar, text = self._grammar, self._text
        is_name = quote in grammar.names
        if quote == "`" and not is_name:
            return self._rest()
        prefix = words[1] if start and not text[start - 1].isspace() else ""
        if prefix in ("Q", "NQ"):  # Oracle's, with quotes of its own
            return self._rest()
        doubled = _DOUBLED[quote].match(text, self._at)
        escaped = doubled
        if grammar.backslash and not is_name:
            escaped = _ESCAPED[quote].match(text, self._at)
            if prefix == "E" and grammar.dollars:
                doubled = escaped
        if doubled is None or escaped is None or doubled.end() != escaped.end():
            return self._rest()
        self._at = doubled.end()
        if is_name and (
            not grammar.fallback or quote == "`" or self._names_only(start, words)
        ):
            return text[start : self._at]
        return _LITERAL

    def _names_only(self, start: int, words: tuple[str, str]) -> bool:
        """Return whether no literal can stand here."""
        if "." in (self._text[start - 1 : start], self._text[self._at : self._at + 1]):
            return True
        return words[1] in _BEFORE_NAMES and words != ("DISTINCT", "FROM")

    def _bracketed(self) -> str | None:
        grammar, text = self._grammar, self._text
        if grammar.brackets is False:
            return "["
        end = text.find("]", self._at)
        while text.startswith("]]", end):  # one, in names of SQL Server
            end = text.find("]", end + 2)
        name = text[self._at : end]
        if end < 0 or (
            grammar.brackets is None and not name.replace(" ", "").isalnum()
        ):
            return self._rest()
        if grammar.brackets is None:
            return "["
        self._at = end + 1
        return f"[{name}]"

    def _dollars(self, tag: str) -> str | None:
        end = self._text.find(tag, self._at) if self._grammar.dollars else -1
        if end < 0:
            return self._rest()
        self._at = end + len(tag)
        return _LITERAL
