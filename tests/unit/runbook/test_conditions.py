"""When a step is shown, and what is flagged in a team's own document."""

from __future__ import annotations

import re

import pytest

from core.outcome import Outcome
from reports.runbook.conditions import checks_in, facts_of, holds
from reports.runbook.document import RunbookError, is_dangerous
from reports.runbook.markdown import load_runbook, parse_runbook
from tests import made
from tests.unit.runbook.test_runbook import FRENCH, SHIPPED

FACTS = facts_of(
    [Outcome("worker/a", "failed"), Outcome("hosts/b[x]", "passed"), Outcome("queue/c", "skipped")],
    {"queue": "here", "logs": None},
    ("local",),
)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("", True),
        ("worker/a failed", True),
        ("worker/a passed", False),
        ("worker/a not failed", False),
        ("hosts/b passed and queue/c failed", False),
        ("hosts/b failed or queue/c skipped", True),
        ("unknown/check not passed", True),
        ("target has queue", True),
        ("target has no queue", False),
        ("target has no logs", True),
        ("host is local", True),
        ("host is not docker and host is not kubectl", True),
    ],
)
def test_a_condition_is_read_from_outcomes_and_target(condition: str, expected: bool) -> None:
    """Statuses, components and hosts, with `and` before `or`."""
    assert holds(condition, FACTS) is expected


def test_every_condition_of_the_shipped_runbook_names_checks_that_exist() -> None:
    """A misspelt check would hide its step for ever, or show it always."""
    known = {row.id for row in made.bundle().evidence.checks}
    runbook = load_runbook(SHIPPED)
    named = {
        check
        for group in runbook.actions
        for step in group.steps
        for condition in (step.when, *(command.when for command in step.commands))
        for check in checks_in(condition)
    }
    assert named
    assert named <= known


def test_a_condition_that_cannot_be_read_is_refused_with_its_line() -> None:
    """Such a step would never be shown."""
    text = FRENCH.replace("1. **Remplir le bac**", "1. **Remplir le bac**\n   <!-- when: moon -->")
    with pytest.raises(RunbookError, match=r'panne\.md:\d+: cannot read "moon"'):
        parse_runbook(text, "panne.md")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("| sudo systemctl restart cups |", "has the bar of a table before it"),
        ("sudo systemctl restart cups |", "ends with a stray bar"),
        ("echo \u201ccups\u201d", "has typographic quotes"),
        ("systemctl \u2013now restart cups", "has typographic quotes or dashes"),
    ],
)
def test_a_damaged_command_is_refused_with_its_line(command: str, message: str) -> None:
    """A person who pastes it would run something else."""
    text = FRENCH.replace("docker restart cups", command)
    line = text[: text.index(command)].count("\n") + 1
    with pytest.raises(RunbookError, match=re.escape(f"panne.md:{line}: the command {message}")):
        parse_runbook(text, "panne.md")


def test_a_known_mistake_is_flagged_beside_its_command() -> None:
    """A team's own document is shown as it is, with the reason not to run a command."""
    text = FRENCH.replace("docker restart cups", "chmod -R 644 /srv/x")
    (command,) = parse_runbook(text).actions[0].steps[0].commands
    assert "nobody can enter them" in command.warnings[0]
    text = FRENCH.replace("docker restart cups", "chmod -R 755 /srv/x\nls | sort |\n  head")
    assert parse_runbook(text).actions[0].steps[0].commands[0].warnings == ()


def test_no_step_frees_a_worker_that_does_not_exist() -> None:
    """The steps follow the mechanism: without a process there is none to resume."""
    titles = _titles(0, "worker/process_is_running")
    assert "Restart the worker" in titles
    assert "Resume the frozen worker" not in titles
    assert "Resume the frozen worker" in _titles(0, "worker/process_is_responsive")


def test_room_is_made_first_where_there_is_none() -> None:
    """With a full disk the first step makes room, and without one no step does."""
    assert _titles(2, "storage/disk_space_is_free")[0] == "Make room"
    first = _titles(2, "storage/stuck_files_exist")[0]
    assert first == "Look at the link, the mount and who uses it"


def test_an_error_about_files_that_only_the_log_shows_has_a_step() -> None:
    """As of a worker that looks for the files elsewhere; a full disk has a step of its own."""
    logged = "logs/no_storage_errors_are_logged"
    for passed in ((), ("storage/stuck_files_exist", "storage/stuck_files_are_readable")):
        assert _titles(2, logged, passed=passed) == ["Compare the path in the log", "Verify"]
    assert "Compare the path in the log" not in _titles(2, logged, "storage/disk_space_is_free")


def _titles(hypothesis: int, *failed: str, passed: tuple[str, ...] = ()) -> list[str]:
    """Return the titles of the steps of a hypothesis that failed checks show."""
    outcomes = [Outcome(check, "failed") for check in failed]
    outcomes += [Outcome(check, "passed") for check in passed]
    facts = facts_of(outcomes, {"queue": "here"}, ("local",))
    steps = load_runbook(SHIPPED).actions[hypothesis].steps
    return [step.title for step in steps if holds(step.when, facts)]


def test_each_cause_outside_the_runbook_has_commands_that_only_look() -> None:
    """Two at least, none of them dangerous."""
    for cause in made.bundle().evidence.outside:
        assert len(cause.look) >= 2 or cause.id == "broker_access_refused", cause.id
        assert not any(map(is_dangerous, cause.look)), cause.id


def test_each_hypothesis_ends_with_the_command_that_shows_recovery() -> None:
    """The last step of each section runs the checks again."""
    for group in load_runbook(SHIPPED).actions:
        assert group.steps[-1].title == "Verify"
        assert [c.text for c in group.steps[-1].commands] == ["pytest --target <target>"]
