"""`python -m actions` before it looks at the target: the list, the dry run, the refusals."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from actions import command_line
from actions.command_line import main
from actions.plan import plan_step
from core.language import PSEUDO, choose_language
from core.outcome import Outcome
from reports.history.actions import NAME
from reports.model.report import Report
from reports.model.report_json import to_json
from reports.runbook.document import Command, Step
from tests import saved_runs
from tests.suite import run_command

TARGETS = """
[targets.lab]
environment = "lab"

[targets.lab.worker]
hosts = ["local://"]
"""
RIGHTS = """
[targets.lab.actions]
hosts = ["local://"]
"""

# The command as `python -m actions`, in a process that starts no program and opens no connection.
STARTS_NOTHING = """
import sys
def audit(event, arguments):
    if event in ("subprocess.Popen", "os.posix_spawn", "os.exec", "os.fork", "socket.connect"):
        print(event, arguments, flush=True)
        sys.exit(99)
sys.addaudithook(audit)
from actions import command_line
from actions.command_line import main
from core.language import PSEUDO, choose_language
sys.exit(main())
"""


class Call:
    """Calls on the report of a saved incident: its job worker is down."""

    def __init__(self, folder: Path) -> None:
        self.report = folder / "out/lab/upload_stuck/report.json"
        self.targets = folder / "targets.toml"
        self.targets.write_text(TARGETS + RIGHTS)
        self.report.parent.mkdir(parents=True)
        self.write()

    def write(
        self, minutes: float = 0, saved: Report | None = None, *, partial: bool = False
    ) -> None:
        """Write the report of a run that began so many minutes ago."""
        started = (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat(timespec="seconds")
        saved = saved or saved_runs.load("incident", partial=partial)
        self.report.write_text(to_json(replace(saved, started=started)))

    def arguments(self, *options: str) -> list[str]:
        """Return the arguments of a call."""
        return [str(self.report), f"--targets-file={self.targets}", *options]


@pytest.fixture
def call(tmp_path: Path) -> Call:
    """A report that was just written, and a target with rights on the worker's host."""
    return Call(tmp_path)


def test_the_steps_are_listed_with_what_may_run(
    call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    """The cause, its steps with their commands, and why a step may not run."""
    assert main(call.arguments()) == 0
    text = capsys.readouterr().out
    assert "Job worker down (certain)" in text
    assert "1 Keep the evidence (by hand)" in text
    assert "2 Restart the worker (may run with --do 2)" in text
    assert "  → restart on local, verified by worker/process_is_running" in text
    assert "none may run now" not in text
    call.write(minutes=11)
    assert main(call.arguments()) == 0
    assert "none may run now: the report is 11 min old" in capsys.readouterr().out


def test_the_steps_of_every_cause_are_listed(
    call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only those of the likeliest one may run; their numbers go on from one cause to the next."""
    call.write(saved=saved_runs.load("two_causes"))
    assert main(call.arguments()) == 0
    text = capsys.readouterr().out
    first, title, second = text.partition("If the job worker is down\n")
    assert "Storage problem (certain)\n" in first
    assert title, text
    assert "5 Restart the worker (by hand)" in second
    assert "sudo systemctl restart" in second
    assert "may run" not in second
    assert main(call.arguments("--do", "5")) == 2
    refusal = 'step 5 is for people: it is not of the likeliest cause, "Storage problem"'
    assert capsys.readouterr().err == f"refused: {refusal}\n"


def test_the_list_says_how_to_run_several_steps(
    call: Call, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """After the first of them alone, the cause would be another one, and the rest be refused."""
    sentence = "If a repair takes several steps, run them in one call, such as "
    assert main(call.arguments()) == 0
    assert sentence not in capsys.readouterr().out
    monkeypatch.setattr(command_line, "refusal_of", lambda _step, _planned: "")
    assert main(call.arguments()) == 0
    assert f"\n{sentence}--do 1 --do 2\n" in capsys.readouterr().out


def test_a_lab_that_is_gone_is_said(
    call: Call, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its targets file went with it: nobody is told to write one."""
    monkeypatch.delenv("VEZA_TARGETS_FILE", raising=False)
    monkeypatch.setenv("VEZA_LAB_DIR", str(call.targets.parent / "gone"))
    assert main([str(call.report)]) == 2
    message = f"there is no lab in {call.targets.parent}/gone: its report can be acted on only "
    assert message in capsys.readouterr().err


def _symptoms_and_logs(outcome: Outcome) -> Outcome | None:
    return outcome if outcome.check.startswith(("signal/", "logs/")) else None


def test_the_looks_of_an_unclear_cause_are_listed(
    call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    """There is nothing to run, and commands to look at what failed."""
    call.write(saved=saved_runs.load("incident", _symptoms_and_logs))
    assert main(call.arguments()) == 0
    assert "1 Look at what failed (by hand)" in capsys.readouterr().out


def test_a_known_mistake_of_a_command_stands_below_it(call: Call) -> None:
    """A repair may write to a view that PostgreSQL cannot change."""
    command = Command("sql", "UPDATE now SET a = 1;", 1, warnings=("It is a view.",))
    step = Step(1, "Repair", "", (command,), 1)
    target = command_line._target(call.targets, "lab")
    text = command_line._described(step, plan_step(step, target, []))
    assert text.splitlines()[1:3] == ["    UPDATE now SET a = 1;", "  → It is a view."]


def test_the_commands_are_not_those_of_the_report(
    call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    """Anybody may have written the file: the runbook's own commands are shown."""
    text = call.report.read_text()
    assert "sudo systemctl restart" in text
    call.report.write_text(text.replace("sudo systemctl restart", "sudo rm -r"))
    assert main(call.arguments("--do", "2")) == 0
    assert "    sudo systemctl restart veza-backend-api\n" in capsys.readouterr().out


def test_a_dry_run_starts_no_process_and_opens_no_connection(call: Call) -> None:
    """It shows the commands, and leaves no journal."""
    arguments = call.arguments("--do", "2")
    done = run_command(sys.executable, "-c", STARTS_NOTHING, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "sudo systemctl restart" in done.stdout
    assert "dry run: nothing was started" in done.stdout
    assert not (call.report.parent / NAME).exists()


def test_only_a_step_that_may_run_is_offered(
    call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    """The dry run of a step for people does not say how to run it."""
    assert main(call.arguments("--do", "1")) == 0
    assert capsys.readouterr().out.endswith("dry run: nothing was started.\n")
    assert main(call.arguments("--do", "2")) == 0
    assert capsys.readouterr().out.endswith("Add --execute to run it.\n")


def test_a_healthy_report_names_the_others_of_its_target(
    call: Call, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The newest report stands for the folder: it may be of another runbook than the incident."""
    other = call.report.parents[1] / "other/report.json"
    other.parent.mkdir()
    other.write_bytes(call.report.read_bytes())
    monkeypatch.chdir(call.targets.parent)
    call.write(saved=saved_runs.load("healthy"))
    assert main(call.arguments()) == 2
    message = capsys.readouterr().err
    assert f"{call.report} names no cause: Healthy: " in message
    assert message.endswith("Reports of other runbooks: out/lab/other\n")


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("1", '"Keep the evidence" is for people: its commands have no run: in the runbook'),
        ("9", "there is no step 9: there are 1 to 4"),
    ],
)
def test_a_step_that_may_not_run_is_refused(
    call: Call, capsys: pytest.CaptureFixture[str], step: str, message: str
) -> None:
    """Before anything is looked at, and without a line in the journal."""
    assert main(call.arguments("--execute", "--do", step)) == 2
    assert capsys.readouterr().err == f"refused: {message}\n"
    assert not (call.report.parent / NAME).exists()


def test_a_step_is_a_number(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    """A word in its place is a usage error that says what to write."""
    with pytest.raises(SystemExit, match="2"):
        main(call.arguments("--do", "restart"))
    message = "python -m actions: argument --do: write the number of a step, such as 2\n"
    assert capsys.readouterr().err.endswith(message)


def test_a_report_that_is_no_ground_to_act_is_refused(
    call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    """An old one, a partial one, and one that lies elsewhere, without the target's journal."""
    act = ("--execute", "--do", "2")
    call.write(minutes=11)
    assert main(call.arguments(*act)) == 2
    assert "the report is 11 min old" in capsys.readouterr().err
    call.write(partial=True)
    assert main(call.arguments(*act)) == 2
    assert "is of a partial run" in capsys.readouterr().err
    call.write()
    call.report = call.report.rename(call.targets.parent / "report.json")
    assert main(call.arguments(*act)) == 2
    assert (
        "is not in the folder of its target and runbook, lab/upload_stuck"
        in capsys.readouterr().err
    )


def test_without_a_folder_for_the_looks_it_is_refused(
    call: Call,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Where nothing can be looked at, as on a full disk, one sentence says so and nothing runs."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    assert main(call.arguments("--do", "2", "--execute")) == 2
    assert "refused: the checks cannot be run: No such file or directory" in capsys.readouterr().err


def test_a_target_without_rights_is_refused(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the table, and without the host in it."""
    for rights, reason in {
        "": "the target has no [targets.lab.actions]",
        RIGHTS.replace('"local://"', ""): "the target's [actions] has no host for local",
    }.items():
        call.targets.write_text(TARGETS + rights)
        assert main(call.arguments("--execute", "--do", "2")) == 2
        assert capsys.readouterr().err == f'refused: "Restart the worker": {reason}\n'


def test_help_is_there_in_every_encoding() -> None:
    """Letters that it lacks are replaced, without a traceback."""
    command = (sys.executable, "-m", "actions", "--lang=fr", "--help")
    done = run_command(*command, environ={"PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "par d?faut" in done.stdout


def test_the_language_can_be_chosen(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    """With --lang, which the help obeys too; one that is not there is a wrong command line."""
    try:
        assert main(call.arguments("--lang", PSEUDO)) == 0
        shown = capsys.readouterr().out
        assert "(bý hàñd)" in shown
        assert "→ réstàrt öñ local" in shown
        with pytest.raises(SystemExit):
            main(["--help", f"--lang={PSEUDO}"])
        assert "rûñ thé stéps" in capsys.readouterr().out
        with pytest.raises(SystemExit) as exit_status:
            main(call.arguments("--lang", "xx"))
    finally:
        choose_language(None)
    assert exit_status.value.code == 2
    assert "--lang: there is no language 'xx'" in capsys.readouterr().err
