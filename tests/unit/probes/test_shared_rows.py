"""Statements on the same rows, read as one."""

from __future__ import annotations

from typing import Any

import psycopg.sql
import pytest

from fixtures.probes.postgres.answers import Column
from fixtures.probes.postgres.shared_rows import TEXT_MAX, Query, as_one, rows_of, sharing

WAITING = psycopg.sql.SQL("(SELECT * FROM jobs WHERE kind = %(kind)s)").format()


def query(text: str, *columns: Column, shared: Any = (WAITING,), **values: Any) -> Query:
    """Return the query of a statement on the rows that wait."""
    statement = psycopg.sql.SQL(text).format(rows=WAITING)
    return Query(statement, values, columns, shared)


COUNT = query("SELECT count(*) FROM {rows} AS r WHERE age > %(age)s", Column.COUNT, age=1, kind="a")
OLDEST = query(
    "SELECT id, age FROM {rows} AS r WHERE age > %(age)s",
    *(Column.TEXT, Column.SECONDS),
    age=2,
    kind="a",
)


def test_readings_of_the_same_rows_are_a_group() -> None:
    """One that shares its rows with no other is in none."""
    alone = query("SELECT 1", Column.COUNT, shared=())
    assert sharing({"a": COUNT, "b": alone, "c": OLDEST}) == {"a": COUNT, "c": OLDEST}
    assert sharing({"a": COUNT, "b": alone}) == {}


def test_one_statement_names_the_rows_once_and_keeps_all_values() -> None:
    """Values of the same name stay apart, but for those of the shared rows."""
    one = as_one([COUNT, OLDEST])
    text = one.statement.as_string(None)
    assert text.count("FROM jobs") == 1
    assert one.values is not None
    assert (one.values["age_0"], one.values["age_1"], one.values["kind"]) == (1, 2, "a")
    assert "age > %(age_0)s" in text
    assert "age > %(age_1)s" in text


def test_a_statement_may_share_the_rows_of_several_tables() -> None:
    """Each of them is named once, and adds to the time that the statement may take."""
    other = psycopg.sql.SQL("(SELECT * FROM uploads)").format()
    both = psycopg.sql.SQL("SELECT count(*) FROM {} AS a, {} AS b").format(WAITING, other)
    one = as_one([COUNT, Query(both, {"kind": "a"}, (Column.COUNT,), (WAITING, other))])
    text = one.statement.as_string(None)
    assert (text.count("FROM jobs"), text.count("FROM uploads")) == (1, 1)
    assert "FROM shared_rows_0 AS a, shared_rows_1 AS b" in text
    assert one.patience == 2 * as_one([COUNT, OLDEST]).patience


def test_the_rows_of_each_are_of_its_columns() -> None:
    """A whole number of seconds, which JSON has as an integer, is seconds all the same."""
    rows = rows_of([("[[3]]", '[["a", 5], ["b", 1.5]]')], [COUNT, OLDEST])
    assert rows == [[(3,)], [("a", 5.0), ("b", 1.5)]]
    assert isinstance(rows[1][0][1], float)
    assert rows_of([("[[0]]", None)], [COUNT, OLDEST]) == [[(0,)], []]


@pytest.mark.parametrize(
    "answer",
    [
        [],
        [("[[1]]",)],
        [(1, 2)],
        [("[[1]]", "no JSON")],
        [("[[1, 2]]", "[]")],
        [("[1]", "[]")],
        [("[[1]]", "[" * 100_000)],
        [("[[1]]", f'[["a", {"9" * 400}]]')],
        [("[[1]]", f'[["{"a" * TEXT_MAX}", 1]]')],
    ],
    ids=["none", "few", "no text", "no JSON", "wide", "no rows", "deep", "huge", "long"],
)
def test_an_answer_that_is_not_postgresqls_is_no_rows(answer: list[tuple[Any, ...]]) -> None:
    """Each statement is then read by itself."""
    with pytest.raises(ValueError, match=r".*"):
        rows_of(answer, [COUNT, OLDEST])
