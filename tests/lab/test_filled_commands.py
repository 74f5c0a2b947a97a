"""Filled commands, read by the real parsers: PostgreSQL and a shell."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reports.runbook.placeholders import fill_command

if TYPE_CHECKING:
    import psycopg

VALUES = st.text(st.sampled_from("a1 '\"\\-/*;$()`|&<>\n.%é#!"), min_size=1, max_size=25)
SHELL = 'printf "%s\\n" <queue_name> "x<queue_name>y" \'x<queue_name>y\' z # <queue_name>'
CALM = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@CALM
@given(value=VALUES)
def test_postgresql_reads_a_filled_value_as_one_literal(
    owner: psycopg.Connection[tuple[Any, ...]], value: str
) -> None:
    """Bare, within quotes, as an alias, and in a comment, the value stays what it is."""
    statement = (
        "SELECT <queue_name> AS \"x<queue_name>\", 'y<queue_name>' -- <queue_name>\n, 1 AS z"
    )
    text, missing = fill_command(statement, "sql", {"queue_name": value})
    if missing:
        return
    cursor = owner.execute(text.encode())
    assert cursor.fetchall() == [(value, f"y{value}", 1)]
    assert cursor.description is not None
    assert cursor.description[0].name == f"x{value}"


@CALM
@given(value=VALUES)
def test_a_shell_reads_a_filled_value_as_part_of_one_word(value: str) -> None:
    """Bare and within either quotes, bash prints the value that was filled in."""
    text, missing = fill_command(SHELL, "bash", {"queue_name": value})
    if missing:
        return
    output = subprocess.run(["bash", "-c", text], capture_output=True, text=True, check=True).stdout
    assert output == f"{value}\nx{value}y\nx{value}y\nz\n"
