"""The text of a message: what fits into it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.units import format_duration
from reports.alerts.message import body_of
from reports.alerts.policy import Change
from reports.model.report import Report
from reports.render.message import to_do
from reports.runbook.document import Command, Step
from tests import made


@pytest.mark.parametrize("limit", [-500, 0, 50, 200])
def test_the_steps_give_way_to_the_limit(limit: int) -> None:
    """With little room the steps are left out, and how to verify stays."""
    report = made.incident()
    shortest = to_do(report, -10_000)
    text = to_do(report, limit)
    assert len(text) <= max(limit, len(shortest))
    assert "Then verify: " in text
    assert "(more in the report)" in text


def test_no_command_is_cut() -> None:
    """One with a line that is too long is left out with what follows it in its step."""
    long = f"SELECT 1 FROM uploads WHERE id IN ({', '.join(str(n) for n in range(200))});"
    report = with_step(Command("sql", long, 1), Command("bash", "cat messages.jsonl", 2))
    text = to_do(report, 1_800)
    assert "SELECT" not in text
    assert "cat" not in text
    assert text.startswith("Do this:\n1. Send them again\n(more in the report)\nThen verify: ")
    whole = to_do(with_step(Command("bash", "cat messages.jsonl", 1)), 1_800)
    assert "1. Send them again\n    cat messages.jsonl\nThen verify: " in whole


def test_a_command_stays_what_it_is_or_is_left_out() -> None:
    """A mention of everybody in it is neither sent nor made harmless: the command would differ."""
    report = with_step(Command("bash", "ssh ops@all-in-one uptime", 1))
    text = to_do(report, 1_800)
    assert "@" not in text
    assert "(more in the report)\nThen verify: " in text
    command = "veza-checks --out=/srv/@here/out"
    report = with_step(Command("bash", "ssh ops@web-1 uptime", 1))
    target = replace(report.target, command=command)
    text = to_do(replace(report, target=target), 1_800)
    assert text == "Do this:\n1. Send them again\n    ssh ops@web-1 uptime\n(more in the report)"


def with_step(*commands: Command) -> Report:
    """Return an incident whose only corrective step has these commands."""
    report = made.incident()
    step = Step(1, "Send them again", "", commands, 1)
    return replace(report, remedies=(replace(report.remedies[0], steps=(step,)),))


def test_an_alert_says_since_when_users_suffer() -> None:
    """Not since the run that saw it first: the oldest upload is older."""
    report = made.incident()
    change = Change("alert", "incident", report.started, 0.0, "1")
    text = body_of(report, change, Path("out/lab/report.json"), None)
    oldest = report.figure("oldest_stuck_seconds")
    assert oldest
    assert f"({format_duration(oldest)})" in text, text
    assert "(0 s)" not in text
