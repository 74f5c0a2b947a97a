"""Filled commands, read by the real parsers: PostgreSQL and a shell."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reports.runbook.markdown import load_runbook
from reports.runbook.placeholders import fill_command
from tests.lab.fix_operator import Operator

if TYPE_CHECKING:
    import psycopg

    from lab.state import Lab

RUNBOOKS = Path(__file__).parents[2] / "runbooks" / "upload_stuck"

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


@pytest.mark.parametrize("document", ["runbook.md", "runbook.fr.md"])
@pytest.mark.parametrize(
    ("form", "message", "kind"),
    [
        ("payload", '{"upload_id": "UPLOAD"}', "application/json"),
        ("job_id", "JOB", "text/plain"),
        ("upload_id", "UPLOAD", "text/plain"),
        ('{"v": 2, "job": "{job_id}"}', '{"v": 2, "job": "JOB"}', "application/json"),
        ("it's {upload_id}, {job_id}", "it's UPLOAD, JOB", "text/plain"),
    ],
)
def test_a_message_is_published_in_the_targets_form(
    owner: psycopg.Connection[tuple[Any, ...]],
    aged_upload: Callable[..., str],
    document: str,
    form: str,
    message: str,
    kind: str,
) -> None:
    """Each query of the runbook that writes messages writes them as the worker reads them.

    A job whose upload was deleted gets none.
    """
    upload, deleted = aged_upload(job="pending"), aged_upload(job="pending")
    owner.execute("DELETE FROM uploads WHERE id::text = %s", (deleted,))
    job = owner.execute(
        "SELECT id::text FROM job_queue WHERE payload ->> 'upload_id' = %s", (upload,)
    ).fetchone()
    assert job is not None
    message = message.replace("UPLOAD", upload).replace("JOB", job[0])
    text = (RUNBOOKS / document).read_text()
    queries = re.findall(
        r"(SELECT json_build_object\(\s+'routing_key'.*?)\n\s+\\g", text, re.DOTALL
    )
    assert len(queries) == 5
    values = {
        "queue_name": "q",
        "message": form,
        "uploads_table": "uploads",
        "jobs_table": "job_queue",
        "job_type": "process_upload",
        "upload_id": upload,
        "upload_ids": upload,
        "unreadable_upload_ids": upload,
        "overdue_upload_ids": upload,
    }
    for query in queries:
        text, missing = fill_command(query, "sql", values)
        assert not missing
        bodies = [row[0] for row in owner.execute(text.encode()).fetchall()]
        [written] = [json.loads(one) if isinstance(one, str) else one for one in bodies]
        assert written["payload"] == message
        assert written["properties"]["priority"] == 255, "old messages come first"
        assert written["properties"]["content_type"] == kind


@pytest.mark.parametrize("document", ["runbook.md", "runbook.fr.md"])
def test_postgresql_reads_each_statement_of_the_verifications(
    owner: psycopg.Connection[tuple[Any, ...]], document: str
) -> None:
    """A report prints them where the cause is not clear."""
    values = {
        "uploads_table": "uploads",
        "jobs_table": "job_queue",
        "job_type": "process_upload",
        "upload_id": "0f0e0d0c-0b0a-4908-8706-050403020100",
        "stuck_seconds": "600",
        "processing_max_seconds": "300",
    }
    statements = [
        command
        for verification in load_runbook(RUNBOOKS / document).verifications
        for command in verification.commands
        if command.language == "sql"
    ]
    assert statements
    for command in statements:
        text, missing = fill_command(command.text, "sql", values)
        assert not missing
        owner.execute(text.encode())


@pytest.mark.parametrize("document", ["runbook.md", "runbook.fr.md"])
def test_the_first_command_for_an_alarm_shows_disk_and_memory(
    lab: Lab, operator: Operator, document: str
) -> None:
    """Either can be the reason, and each limit stands beside what there is."""
    if not lab.broker:
        pytest.skip("RabbitMQ is not installed; install it with: python -m lab setup")
    when = "queue/broker_has_no_alarm failed"
    groups = load_runbook(RUNBOOKS / document).actions
    [step] = [step for group in groups for step in group.steps if step.when == when]
    output = operator.run(step.commands[0])
    for text in ("Free disk space: ", "Low free disk space watermark: ", "Total memory used: "):
        assert text in output
