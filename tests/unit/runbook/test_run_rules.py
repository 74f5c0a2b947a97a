"""The annotation that permits a command to be run."""

from __future__ import annotations

import re

import pytest

from reports.runbook.document import RunbookError
from reports.runbook.markdown import load_runbook, parse_runbook
from reports.runbook.run_rules import RunRule, parse_rule
from tests import made
from tests.unit.runbook.test_runbook import FRENCH, SHIPPED

RULE = "on=worker effect=restart verify=worker/process_is_running"
END_OF_CODE = "docker restart cups\n```\n"


def annotated(comments: str) -> str:
    """Return a document with comments after its first command."""
    return FRENCH.replace(END_OF_CODE, END_OF_CODE + comments)


def test_a_command_keeps_its_condition_and_its_permission() -> None:
    """Two comments after a code block belong to the command, in any order, and not to the step."""
    when, run = "<!-- when: host is local -->\n", f"<!-- run: {RULE} -->\n"
    for comments in (when + run, run + when):
        step = parse_runbook(annotated(comments)).actions[0].steps[0]
        assert [(c.when, c.run) for c in step.commands] == [("host is local", RULE)]
        assert step.when == ""
    assert parse_rule(RULE, "bash") == RunRule("worker", "restart", ("worker/process_is_running",))


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (RULE.replace("on=", "at="), '"run:" has no key "at"; it has on, effect and verify'),
        (RULE.partition(" verify")[0], '"run:" needs on, effect and verify, each once'),
        (f"{RULE} on=worker", '"run:" needs on, effect and verify, each once'),
        (RULE.replace("=worker ", "=moon "), '"on=moon" in "run:": write worker, storage'),
        (RULE.replace("restart", "rows"), '"effect=rows" in "run:": with on=worker write restart'),
        (RULE.replace("worker/", ""), '"verify=" in "run:": write module/check'),
        (
            "on=database effect=rows verify=signal/no_upload_is_stuck",
            '"run:" with on=database needs a code block in sql',
        ),
    ],
)
def test_a_permission_that_cannot_be_read_is_refused_with_its_line(rule: str, message: str) -> None:
    """A misspelt permission must not be taken for another one, nor for none."""
    text = annotated(f"<!-- run: {rule} -->\n")
    line = text[: text.index("sudo systemctl")].count("\n") + 1
    with pytest.raises(RunbookError, match=re.escape(f"panne.md:{line}: {message}")):
        parse_runbook(text, "panne.md")


def test_a_permission_of_a_whole_step_is_refused() -> None:
    """A step may have commands that are alternatives, so each needs its own."""
    text = FRENCH.replace("1. **Rallumer**:\n", f"1. **Rallumer**:\n   <!-- run: {RULE} -->\n")
    with pytest.raises(RunbookError, match=r'"run:" belongs directly after a code block'):
        parse_runbook(text, "panne.md")


def test_the_messages_of_new_jobs_have_a_step_of_their_own() -> None:
    """All commands of a step are announced before one runs, and new jobs have no messages then."""
    for group in load_runbook(SHIPPED).actions:
        for step in group.steps:
            rules = [parse_rule(one.run, one.language) for one in step.commands if one.run]
            effects = {rule.effect for rule in rules}
            assert not {"rows", "publish"} <= effects, step.title


def test_the_permissions_of_the_shipped_runbook_name_checks_that_exist() -> None:
    """A misspelt check could never verify the step."""
    known = {row.id for row in made.bundle().evidence.checks}
    runbook = load_runbook(SHIPPED)
    rules = [
        parse_rule(command.run, command.language)
        for group in runbook.actions
        for step in group.steps
        for command in step.commands
        if command.run
    ]
    assert len(rules) >= 15
    assert {check for rule in rules for check in rule.verify} <= known
