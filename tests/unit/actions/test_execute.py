"""Running a step where this machine cannot keep what came of it, or show it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from actions.execute import Execution
from actions.looks import LookSettings, Recovery
from actions.operations import operation_of
from actions.plan import PlannedCommand
from actions.rights import resolve_rights
from fixtures.target.load import load
from reports.runbook.document import Command
from reports.runbook.run_rules import parse_rule
from tests.suite import ROOT

TARGETS = """
[targets.lab]
environment = "lab"

[targets.lab.actions]
hosts = ["local://"]
"""
RULE = "on=worker effect=restart verify=worker/process_is_running"

QUESTION = """
import sys
from actions import command_line

def ask(options):
    print("Type live", flush=True)

command_line._run = ask
sys.exit(command_line.main())
"""


@pytest.fixture
def execution(tmp_path: Path) -> Execution:
    """Actions on this machine, with a journal in a folder of its own."""
    file = tmp_path / "targets.toml"
    file.write_text(TARGETS)
    target = load(file, "lab", {})
    looks = LookSettings(target, file, ROOT / "checks/upload_stuck")
    return Execution(tmp_path, looks, resolve_rights(target, file, {}), ())


def run(execution: Execution, text: str) -> bool:
    """Run a command of a step; return whether it ran and its end is in the journal."""
    rule = parse_rule(RULE, "bash")
    planned = PlannedCommand(Command("bash", text, 1, run=RULE), rule, "local://")
    operation = operation_of(planned, execution.target, execution.rights)
    try:
        return execution._run_commands("one", [planned], [operation])
    finally:
        operation.close()


@pytest.mark.parametrize(
    ("status", "shown"), [(0, "restarted\n"), (3, "restarted\nfailed: the command ended with")]
)
def test_what_came_of_a_command_is_shown_without_a_journal(
    execution: Execution, capsys: pytest.CaptureFixture[str], status: int, shown: str
) -> None:
    """The command has run: a full disk does not hide that, and it is not verified."""
    path = execution.journal.path
    text = f"rm {path} && mkdir {path} && echo restarted && exit {status}"
    assert not run(execution, text)
    out = capsys.readouterr().out
    assert shown in out
    assert f"not in the journal: {path} cannot be written: Is a directory" in out


@pytest.mark.parametrize(
    ("is_last", "shown"),
    [(True, "; Ctrl-C ends only that\n"), (False, "; after Ctrl-C the next step is not run\n")],
)
def test_what_ctrl_c_ends_is_said(
    execution: Execution,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    is_last: bool,
    shown: str,
) -> None:
    """Between two steps it ends more than the looks."""
    recovery = Recovery({}, {}, 0.0)
    monkeypatch.setattr(LookSettings, "until_they_hold", lambda *_: iter([recovery]))
    assert execution._verify("one", ["worker/process_is_running"], 120.0, is_last=is_last)
    assert f"verifying for at most 2 min{shown}" in capsys.readouterr().out


def test_a_question_without_a_reader_is_no_success() -> None:
    """What needs an answer was not run where its reader has stopped, as in `| head -2`."""
    command = [sys.executable, "-c", QUESTION, "out/live", "--do", "2", "--execute"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.close()
        assert process.wait() == 2
