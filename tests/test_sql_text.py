"""
The text of a statement on a log line: never the content of a literal.

Statements are made of pieces, among which literals with a mark are written as each
database reads them. Whatever stands around them, the mark is not shown. SQLite itself
says whether a literal is one: it returns its value.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ctxlog._sql_text import _GRAMMARS, without_literals

SYSTEMS = [*_GRAMMARS, "another"]

#: What is in a literal, and nowhere else.
MARK = "SECRET"
NUMBER = "4711"
NUMBERS = ["4711", "-4711", "1.4711", ".4711", "0x4711", "4711e4711", "$4711", "=4711"]


@pytest.mark.parametrize(
    ("system", "statement", "shown"),
    [
        # Placeholders of all kinds stay.
        ("sqlite", "SELECT a FROM t WHERE b = ?", "SELECT a FROM t WHERE b = ?"),
        ("sqlite", "INSERT INTO t (a) VALUES (:a)", "INSERT INTO t (a) VALUES (:a)"),
        ("postgresql", "SELECT %(id_1)s, %s", "SELECT %(id_1)s, %s"),
        ("postgresql", "SELECT $1::VARCHAR", "SELECT ?::VARCHAR"),
        ("mssql", "SELECT @P1, @name", "SELECT @P1, @name"),
        ("oracle", "SELECT :1 FROM dual", "SELECT ? FROM dual"),
        # Literals go.
        ("postgresql", "SELECT 'a', 'it''s', ''", "SELECT ?, ?, ?"),
        ("postgresql", "SELECT 1, 2.5, .5, 1e-5, 0xFF", "SELECT ?, ?, ?, ?-?, ?"),
        ("postgresql", "WHERE a=-7 AND t1.c2 = 3", "WHERE a=-? AND t1.c2 = ?"),
        ("postgresql", r"SELECT E'it\'s', 'a\b', U&'\0061'", "SELECT E?, ?, U&?"),
        ("postgresql", "DO $$x$$; SELECT $a$ $$ ' $a$, a$b", "DO ?; SELECT ?, a$b"),
        ("mysql", r"""SELECT 'a\\', "b" FROM `t-1`""", "SELECT ?, ? FROM `t-1`"),
        ("oracle", r"""SELECT '\' FROM "dual" """, 'SELECT ? FROM "dual"'),
        ("mssql", "SELECT [it's], [a]]b], 'x', N'y'", "SELECT [it's], [a]]b], ?, N?"),
        # Names in double quotes; SQLite may take them for literals.
        ("postgresql", 'SELECT "it\'s", "a""b"', 'SELECT "it\'s", "a""b"'),
        ("sqlite", 'SELECT "t"."a", "b" FROM "t"', 'SELECT "t"."a", ? FROM "t"'),
        ("sqlite", 'SELECT a AS "b" FROM [it\'s]', 'SELECT a AS "b" FROM [it\'s]'),
        ("sqlite", 'a IS DISTINCT FROM "b"', "a IS DISTINCT FROM ?"),
        # Comments go, and white space is one space.
        ("sqlite", "SELECT a -- it's\n  FROM\tt\n", "SELECT a FROM t"),
        ("sqlite", "SELECT a /* it's /* */ FROM t", "SELECT a FROM t"),
        ("postgresql", "SELECT a /* /* it's */ ' */ FROM t", "SELECT a FROM t"),
        ("mysql", "SELECT a # it's\n, 5--1, 2 -- it's", "SELECT a , ?--?, ?"),
        ("postgresql", "SELECT a #>> 'b', a # 3", "SELECT a #>> ?, a # ?"),
        # The rest goes where it could be read in two ways, or does not end.
        ("mysql", r"SELECT a, 'it\'s', b", "SELECT a,..."),
        ("postgresql", r"SELECT a, 'it\'s', b", "SELECT a,..."),
        ("oracle", "SELECT q'[it's]' FROM dual", "SELECT q..."),
        ("mysql", "SELECT a /*!50000 , 'b' */", "SELECT a..."),
        ("mysql", "SELECT a, $$b$$", "SELECT a,..."),
        ("postgresql", "SELECT a, 'b", "SELECT a,..."),
        ("postgresql", "SELECT a /* b", "SELECT a..."),
        ("postgresql", "SELECT `a`", "SELECT..."),
        ("sqlite", "SELECT [a", "SELECT..."),
        ("sqlite", "SELECT a\0b", "SELECT a..."),
        ("sqlite", "SELECT a\u00a0b", "SELECT a\u00a0b"),
        ("postgresql", "SELECT a -- b\rc", "SELECT a..."),
        ("another", "SELECT a --b", "SELECT a..."),
        ("another", "SELECT a # b", "SELECT a..."),
        ("another", "SELECT [a b], ['c']", "SELECT [a b],..."),
        ("another", "SELECT 'a', \"b\" -- c\n, d", "SELECT ?, ? , d"),
    ],
)
def test_what_is_shown(system: str, statement: str, shown: str) -> None:
    """
    Each database reads quotes, comments and names in its own way.
    """
    assert without_literals(statement, system) == shown


def test_a_long_statement_is_cut() -> None:
    """
    The text has at most so many characters.
    """
    statement = "SELECT " + ", ".join(["name"] * 1000)
    shown = without_literals(statement, "postgresql")
    assert shown == statement[:997] + "..."
    assert without_literals("SELECT abc", "postgresql", limit=10) == "SELECT abc"
    assert without_literals("SELECT abcd", "postgresql", limit=10) == "SELECT ..."


def _doubled(quote: str) -> Callable[[str], str]:
    return lambda text: quote + text.replace(quote, quote * 2) + quote


def _escaped(text: str, quote: str = "'") -> str:
    return quote + text.replace("\\", "\\\\").replace(quote, "\\" + quote) + quote


def _plain(text: str) -> str:
    """A literal where a backslash would escape: each one is doubled."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def _dollars(text: str) -> str:
    tag = "$t$"
    while tag in f"{text}$":
        tag = f"$t{tag[1:]}"
    return tag + text + tag


def _block(text: str) -> str:
    return "/*" + text.replace("*/", "").replace("/*", "") + " */"


def _line(text: str) -> str:
    return "-- " + text.replace("\n", "").replace("\r", "") + "\n"


#: How a text is written as a literal, by the databases that read it so.
LITERALS: dict[str, list[Callable[[str], str]]] = {
    "postgresql": [
        _doubled("'"),  # standard_conforming_strings, as it is by default
        lambda text: "E" + _escaped(text),
        _plain,  # and as it was
        _dollars,
    ],
    "mysql": [_escaped, _plain, lambda text: _escaped(text, '"')],
    "sqlite": [_doubled("'"), lambda text: "= " + _doubled('"')(text)],
    "oracle": [_doubled("'"), lambda text: f"q'[{text.replace(']', '')}]'"],
    "mssql": [_doubled("'"), lambda text: "N" + _doubled("'")(text)],
    "another": [_doubled("'"), _escaped, _plain, lambda t: f"q'[{t.strip(']')}]'"],
}
LITERALS["mariadb"] = LITERALS["mysql"]
LITERALS["microsoft"] = LITERALS["mssql"]

NAMES: dict[str, list[Callable[[str], str]]] = {
    "postgresql": [_doubled('"')],
    "mysql": [_doubled("`")],
    "mariadb": [_doubled("`")],
    "sqlite": [_doubled('"'), _doubled("`"), lambda t: f"[{t.replace(']', '')}]"],
    "oracle": [lambda text: '"' + text.replace('"', "") + '"'],
    "mssql": [_doubled('"'), lambda text: "[" + text.replace("]", "]]") + "]"],
    "microsoft": [_doubled('"'), lambda text: "[" + text.replace("]", "]]") + "]"],
    "another": [_doubled('"')],
}

#: What lexers stumble over.
HOSTILE = st.text(
    st.sampled_from("'\"`\\$[]/*-#\n\r !eEqQtuU&%?:@.;,() 7x\t\u00e9\u00a0"),
    max_size=12,
)


@st.composite
def statements(draw: st.DrawFn, system: str) -> str:
    """
    A statement of a database, with marked literals between hostile pieces.
    """
    written: list[str] = []
    for _ in range(draw(st.integers(1, 6))):
        kind = draw(
            st.sampled_from(["literal", "number", "name", "block", "line", "plain"])
        )
        text = draw(HOSTILE)
        if kind == "literal":
            text += MARK + draw(HOSTILE)
            written.append(draw(st.sampled_from(LITERALS[system]))(text))
        elif kind == "number":
            written.append(
                draw(st.sampled_from(NUMBERS)) + draw(st.sampled_from(" ,)"))
            )
        elif kind == "name":
            text = text.replace("\0", "")
            written.append(draw(st.sampled_from(NAMES[system]))(text or "a"))
        elif kind == "block":
            written.append(_block(f" {text} {MARK}"))
        elif kind == "line":
            written.append(_line(f"{text} {MARK}"))
        else:
            plain = ["SELECT", "a", ",", "(", ")", "= %s", "LIMIT 7", "t.c", "--\n"]
            written.append(draw(st.sampled_from(plain)))
    return "SELECT " + " ".join(written) + draw(st.sampled_from(["", " "]))


@pytest.mark.parametrize("system", SYSTEMS)
@given(data=st.data())
@settings(max_examples=3 * settings().max_examples)
def test_no_content_of_a_literal_is_shown(system: str, data: st.DataObject) -> None:
    """
    Nor that of a comment, whatever stands before it.
    """
    statement = data.draw(statements(system))
    shown = without_literals(statement, system)
    assert MARK not in shown
    assert NUMBER not in shown


@given(st.text(), st.sampled_from(SYSTEMS))
@example("'" * 3, "sqlite")
@settings(max_examples=3 * settings().max_examples)
def test_any_text_is_read(text: str, system: str) -> None:
    """
    Nothing raises, and the limit holds.
    """
    assert len(without_literals(text, system, limit=20)) <= 20


@given(HOSTILE, HOSTILE, st.sampled_from(["'", '"']))
@settings(max_examples=3 * settings().max_examples)
def test_a_literal_of_sqlite_is_not_shown(before: str, after: str, quote: str) -> None:
    """
    SQLite returns the literal as a value: it is one, whatever stands around it.
    """
    text = f"{before}{MARK}{after}"
    statement = (
        f"SELECT /*{before.replace('*/', '')} */ {_doubled(quote)(text)} AS [it's]"
    )
    with sqlite3.connect(":memory:") as connection:
        assert connection.execute(statement).fetchone() == (text,)
    connection.close()
    shown = without_literals(statement, "sqlite")
    assert MARK not in shown
    assert shown == "SELECT ? AS [it's]"


def test_a_statement_of_a_megabyte_takes_a_moment() -> None:
    """
    Of whatever it is made: each part is read once.
    """
    for piece in ("'a', ", "/* a */", "-- a\n", '"a".', "a ", "1,", "''", "$a$ $a$"):
        shown = without_literals(piece * (1_000_000 // len(piece)), "postgresql")
        assert len(shown) <= 1000
