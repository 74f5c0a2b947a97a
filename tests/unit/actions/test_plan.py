"""What of a step may run, and why not."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from actions.errors import Refused
from actions.execute import check_age
from actions.operations import Publication, Transaction
from actions.plan import BY_HAND, plan_step, refusal_of
from fixtures.target.load import load
from fixtures.target.model import Actions, Target
from reports.runbook.document import Command, Step
from reports.runbook.placeholders import sql_statements
from tests import made
from tests.targets import ENVIRON, FULL

RESTART = "on=worker effect=restart verify=worker/process_is_running"
CHOWN = "on=storage effect=permissions verify=storage/directory_exists"
ROWS = "on=database effect=rows verify=signal/no_upload_is_stuck"
PUBLISH = "on=queue effect=publish verify=signal/no_upload_is_stuck"
KNOWN = {row.id for row in made.bundle().evidence.checks}


@pytest.fixture
def target(tmp_path: Path) -> Target:
    """A target with rights on one of its two storage hosts, and on the database."""
    path = tmp_path / "targets.toml"
    path.write_text(FULL)
    return load(path, "full", ENVIRON)


def step(*rules: str) -> Step:
    """Return a step with a command for each rule; an empty one permits nothing."""
    commands = [
        Command("sql" if "=database" in rule or "=queue" in rule else "bash", "x", 1, run=rule)
        for rule in rules
    ]
    return Step(1, "Repair it", "", tuple(commands), 1)


def refusal(step: Step, target: Target, host: str = "") -> str:
    """Return why a step may not run."""
    return refusal_of(step, plan_step(step, target, KNOWN, host))


def test_only_what_the_runbook_permits_may_run(target: Target) -> None:
    """A step without any permission is for people, and so is a command beside a permitted one."""
    assert refusal(step(""), target) == BY_HAND
    assert refusal(step(), target) == BY_HAND
    planned = plan_step(step("", ROWS), target, KNOWN)
    assert [one.refusal for one in planned] == [BY_HAND, ""]
    assert refusal_of(step("", ROWS), planned) == ""


def test_a_command_runs_as_the_user_of_the_rights(target: Target) -> None:
    """The host is the component's, the user that of [actions]; another host is refused."""
    (planned,) = plan_step(step(CHOWN), target, KNOWN, "ssh://monitor@web-1")
    assert planned.place == "ssh://fixer@web-1"
    assert planned.refusal == ""
    for host, reason in {
        "ssh://monitor@web-2": "the target's [actions] has no host for ssh://monitor@web-2",
        "ssh://monitor@web-3": "the target's storage has no host ssh://monitor@web-3",
        "": "it can run on ssh://monitor@web-1 or ssh://monitor@web-2: choose one with --host",
    }.items():
        assert refusal(step(CHOWN), target, host) == reason
    no_host = "the target's [actions] has no host for kubectl://veza-worker"
    assert refusal(step(RESTART), target) == no_host


def test_a_signal_goes_to_the_host_of_the_processes(target: Target) -> None:
    """A process id means another process on any other host."""
    assert target.worker is not None
    hosts = ("ssh://monitor@web-1", "ssh://monitor@web-2")
    two = target.model_copy(update={"worker": target.worker.model_copy(update={"hosts": hosts})})
    resume = step(RESTART.replace("restart", "signal"))
    (planned,) = plan_step(resume, two, KNOWN, "ssh://monitor@web-2", "ssh://monitor@web-1")
    assert (planned.place, planned.refusal) == ("ssh://fixer@web-1", "")


def test_without_the_right_nothing_may_run(target: Target) -> None:
    """Each missing right is named by its key."""
    assert refusal(step(ROWS), target) == ""
    assert refusal(step(PUBLISH), target) == "the target's [actions] has no broker_url"
    without = target.model_copy(update={"actions": Actions()})
    assert refusal(step(ROWS), without) == "the target's [actions] has no dsn"
    nothing = target.model_copy(update={"actions": None})
    assert refusal(step(ROWS), nothing) == "the target has no [targets.full.actions]"


def test_a_check_that_does_not_exist_verifies_nothing(target: Target) -> None:
    """A step whose success nobody could see may not run."""
    wrong = step(ROWS.replace("no_upload_is_stuck", "no_upload_is_here"))
    assert refusal(wrong, target) == "the runbook's verify=signal/no_upload_is_here is no check"


def test_a_step_that_cannot_be_filled_says_so(target: Target) -> None:
    """The reason of the report takes the place of the command."""
    empty = replace(step(), left_out=("chown <service_user>: <service_user> is not known",))
    assert refusal(empty, target) == "chown <service_user>: <service_user> is not known"


@pytest.mark.parametrize(
    ("minutes", "message"), [(11, "the report is 11 min old"), (-3, "in the future")]
)
def test_an_old_report_is_refused(minutes: float, message: str) -> None:
    """So is one of the future: one of the clocks is wrong."""
    report = made.report()
    ended = datetime.fromisoformat(report.started) + timedelta(seconds=report.seconds)
    check_age(report, ended + timedelta(minutes=9))
    with pytest.raises(Refused, match=message):
        check_age(report, ended + timedelta(minutes=minutes))


def test_statements_are_separated_where_the_server_does_it() -> None:
    """A semicolon in a text or in a comment separates nothing."""
    script = "BEGIN;\n-- first; then\nUPDATE a SET b = 'x;y';\nINSERT INTO c VALUES ($$;$$);\n"
    assert sql_statements(script) == (
        "BEGIN",
        "-- first; then\nUPDATE a SET b = 'x;y'",
        "INSERT INTO c VALUES ($$;$$)",
    )


@pytest.mark.parametrize(
    "text",
    [
        "DROP TABLE uploads",
        "UPDATE a SET b = 1; COMMIT; UPDATE a SET b = 2",
        "BEGIN; UPDATE a SET b = 1",
        "/* */ TRUNCATE a",
        "",
    ],
)
def test_only_statements_that_write_rows_may_run(text: str) -> None:
    """Nothing else, and nothing that ends the transaction, reaches the server."""
    with pytest.raises(Refused, match=r"only UPDATE|no COMMIT"):
        Transaction("", text, Actions())


@pytest.mark.parametrize(
    "text", ["SELECT 1; DELETE FROM a", "DELETE FROM a", "SELECT 1 \\! rm x", "\\i x\nSELECT 1"]
)
def test_messages_come_from_one_query(text: str) -> None:
    """No other statement and no other command of psql."""
    with pytest.raises(Refused, match=re.escape("from one SELECT")):
        Publication("", "", "q", text, Actions())
