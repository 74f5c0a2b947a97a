"""`python -m reports`, as a person and as a monitor use it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reports.cli.command import write
from reports.cli.main import COMMANDS, main
from reports.cli.render import FORMATS
from reports.history import store as history
from reports.model.report import Report
from reports.model.report_json import to_json
from tests import made
from tests.suite import run_command

Capture = pytest.CaptureFixture[str]

EVIDENCE = made.ROOT / "runbooks/upload_stuck/evidence.toml"


def save_report(folder: Path, report: Report, name: str = "report.json") -> Path:
    """Save a report, and return its path."""
    path = folder / name
    path.write_text(to_json(report), encoding="utf-8")
    return path


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """The path of an incident's saved report."""
    return save_report(tmp_path, made.incident())


FIRST = {
    "terminal": "INCIDENT  live",
    "json": '{\n "target": {',
    "html": "<!DOCTYPE html>",
    "prometheus": "# HELP veza_checks_run_timestamp_seconds",
}


@pytest.mark.parametrize("form", FORMATS)
def test_a_saved_report_is_shown_in_each_format(report: Path, form: str, capsys: Capture) -> None:
    """Every format needs the file alone."""
    assert main(["render", "--format", form, str(report)]) == 0
    # The mark before the state depends on what the terminal can show.
    assert capsys.readouterr().out.lstrip("\n✗x ").startswith(FIRST[form])


def test_a_replay_is_the_same_byte_for_byte(report: Path, capsys: Capture) -> None:
    """With the same evidence the same outcomes give the same bytes, and the command says so."""
    assert main(["replay", str(report)]) == 0
    out, err = capsys.readouterr()
    assert out == report.read_text()
    assert err == "The same report.\n"


def test_a_replay_with_edited_evidence_compares_the_headlines(
    report: Path, tmp_path: Path, capsys: Capture
) -> None:
    """Another evidence table gives another diagnosis of the same outcomes."""
    edited = tmp_path / "evidence.toml"
    text = EVIDENCE.read_text()
    edited.write_text(text.replace("job_worker_down = 0.", "job_worker_down = 0.000"))
    assert main(["replay", str(report), "--evidence", str(edited)]) == 0
    out, err = capsys.readouterr()
    again = json.loads(out)
    assert again["diagnosis"]["hypotheses"][0]["id"] != "job_worker_down"
    assert again["results"] == json.loads(report.read_text())["results"]
    assert "Before: Incident: 2 uploads stuck, oldest 47 min. Most likely: job worker" in err
    assert "Now: " in err


def test_a_replay_may_be_shown_in_another_format(report: Path, capsys: Capture) -> None:
    """The new diagnosis can be read on the terminal."""
    assert main(["replay", "--format", "terminal", str(report)]) == 0
    assert "CAUSE  Job worker down" in capsys.readouterr().out


def test_evidence_that_cannot_be_used_is_one_sentence(
    report: Path, tmp_path: Path, capsys: Capture
) -> None:
    """An error in the edited evidence is reported with its file and place."""
    broken = tmp_path / "evidence.toml"
    broken.write_text("hypotheses = 3")
    assert main(["replay", str(report), "--evidence", str(broken)]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "evidence.toml: [hypotheses]: must be a table" in err


def test_a_truncated_report_is_one_sentence(tmp_path: Path, capsys: Capture) -> None:
    """Each command reports it without a traceback."""
    path = tmp_path / "report.json"
    path.write_text(to_json(made.incident())[:5000])
    for command in ("render", "replay", "postmortem"):
        assert main([command, str(path)]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert "report.json is cut short" in err
        assert err.count("\n") == 1


def test_nagios_exits_with_the_status(tmp_path: Path, capsys: Capture) -> None:
    """The process ends with the monitor's exit status, and prints one line."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    cases = [
        (made.recovered(started=now), 0),
        (made.report(["storage/disk_space_is_free"], started=now), 1),
        (made.incident(started=now), 2),
        (made.report(none=True, started=now), 3),
        (made.recovered(), 3),
    ]
    for report, status in cases:
        assert main(["nagios", str(save_report(tmp_path, report))]) == status
        assert len(capsys.readouterr().out.splitlines()) == 1
    assert (
        main(["nagios", "--max-age", "99999d", str(save_report(tmp_path, made.recovered()))]) == 0
    )


def test_a_path_that_cannot_be_looked_at_is_one_sentence(tmp_path: Path, capsys: Capture) -> None:
    """A folder that the monitor's user may not enter. This name is an error for root too."""
    path = str(tmp_path / ("n" * 300))
    assert main(["nagios", path]) == 3
    assert capsys.readouterr().out.startswith("UNKNOWN: ")
    assert main(["render", path]) == 2
    assert main(["history", "--target-dir", path]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.endswith("cannot be read: File name too long") for line in lines] == [True, True]


@pytest.mark.parametrize("content", [None, "", "{", '{"schema": 9}'])
def test_nagios_prints_unknown_for_an_unreadable_report(
    tmp_path: Path, content: str | None, capsys: Capture
) -> None:
    """A missing or broken report is UNKNOWN on standard output, with exit status 3."""
    path = tmp_path / "report.json"
    if content is not None:
        path.write_text(content)
    assert main(["nagios", str(path)]) == 3
    out, err = capsys.readouterr()
    assert out.startswith("UNKNOWN: ")
    assert (out.count("\n"), err) == (1, "")


@pytest.mark.parametrize("before", [[], ["--lang=en"], ["--lang", "en"]])
@pytest.mark.parametrize(
    "arguments", [[], ["x", "--max-age", "soon"], ["x", "--mx-age", "1h"], ["x", "--lang=xx"]]
)
def test_nagios_prints_unknown_for_a_wrong_command_line(
    before: list[str], arguments: list[str], capsys: Capture
) -> None:
    """An error in the monitor's configuration is UNKNOWN, never WARNING or CRITICAL."""
    with pytest.raises(SystemExit) as left:
        main([*before, "nagios", *arguments])
    assert left.value.code == 3
    assert capsys.readouterr().out.startswith("UNKNOWN: ")


def test_a_post_mortem_can_be_written_after_the_incident(tmp_path: Path, capsys: Capture) -> None:
    """For a healthy report, the history beside it has the last incident with its evidence."""
    path = tmp_path / history.NAME
    after = "2026-03-02T10:30:00+00:00"
    for one in (made.incident(), made.recovered(started=after)):
        history.record(path, one)
    assert main(["postmortem", str(save_report(tmp_path, made.recovered(started=after)))]) == 0
    out = capsys.readouterr().out
    assert re.search(r"\*\*Ended\*\*: .* by the first run after it", out)
    assert "**Duration**: 77 min" in out
    assert "**Job worker down**, probability" in out


def test_without_an_incident_there_is_no_post_mortem(tmp_path: Path, capsys: Capture) -> None:
    """A healthy report without a history gets one sentence."""
    assert main(["postmortem", str(save_report(tmp_path, made.recovered()))]) == 2
    assert "report.json nor a history beside it has an incident" in capsys.readouterr().err


def test_an_incident_of_another_day_is_not_mixed_in(report: Path, capsys: Capture) -> None:
    """An incident that the history does not have is described by its report alone."""
    history.record(
        report.with_name(history.NAME), made.incident(started="2020-01-01T00:00:00+00:00")
    )
    assert main(["postmortem", str(report)]) == 0
    out = capsys.readouterr().out
    assert "2020" not in out
    assert "No other run is in the history." in out


def test_a_post_mortem_is_written_without_a_corrupt_history(report: Path, capsys: Capture) -> None:
    """Standard error says why the history is left out."""
    report.with_name(history.NAME).write_bytes(b"nonsense" * 500)
    assert main(["postmortem", str(report)]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("# Post-mortem")
    assert "The history is left out: " in err
    assert "is corrupt" in err


def test_the_history_is_printed(tmp_path: Path, capsys: Capture) -> None:
    """The last runs are printed oldest first, as many as asked for."""
    for minute in range(4):
        started = f"2026-03-02T10:0{minute}:00+00:00"
        history.record(tmp_path / history.NAME, made.incident(started=started))
    save_report(tmp_path, made.incident())
    assert main(["history", "--target-dir", str(tmp_path), "-n", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("2026-03-02T10:02:00+00:00  incident")
    assert lines[1].startswith("2026-03-02T10:03:00+00:00  incident")
    assert "2 stuck" in lines[1]
    assert "Job worker down (" in lines[1]


def test_the_history_reports_the_metrics_to_watch(tmp_path: Path, capsys: Capture) -> None:
    """The last report names them, and what suffers; without one, standard error says so."""
    after = made.recovered(started="2026-03-02T10:30:00+00:00")
    for report in (made.incident(), after):
        history.record(tmp_path / history.NAME, report)
    command = ["history", "--target-dir", str(tmp_path)]
    assert main(command) == 0
    out, err = capsys.readouterr()
    assert out.endswith("is over after 30 min.\n")
    assert err.startswith("The metrics to watch are left out: ")
    save_report(tmp_path, after)
    assert main(command) == 0
    out, err = capsys.readouterr()
    assert "\n  ✓ The queue's ready messages: 10 at worst, 0 now, falling\n" in out
    assert err == ""


def test_the_history_of_the_only_target_needs_no_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """The only target in out/ is the default; with two or none it must be named."""
    monkeypatch.chdir(tmp_path)
    assert main(["history"]) == 2
    assert "out/ has no history" in capsys.readouterr().err
    history.record(tmp_path / "out/live" / history.NAME, made.recovered())
    assert main(["history"]) == 0
    history.record(tmp_path / "out/staging" / history.NAME, made.recovered())
    assert main(["history"]) == 2
    assert "out/ has several histories: out/live, out/staging;" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["history", "confirm", "score"])
def test_a_target_with_several_runbooks_needs_the_name_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, command: str
) -> None:
    """The folder of such a target has no history of its own; its folders are named."""
    monkeypatch.chdir(tmp_path)
    for runbook in ("login_fails", "upload_stuck"):
        history.record(tmp_path / "out/lab" / runbook / history.NAME, made.recovered())
    assert main([command, "--target-dir", "out/lab"]) == 2
    assert capsys.readouterr().err == (
        "out/lab/ has several histories: out/lab/login_fails, out/lab/upload_stuck; "
        "name one of them with --target-dir\n"
    )


@pytest.mark.parametrize("number", ["0", "-1", "many", "9999999999"])
def test_an_invalid_number_of_runs_is_refused(number: str) -> None:
    """The command line is checked."""
    with pytest.raises(SystemExit) as left:
        main(["history", f"--number={number}"])
    assert left.value.code == 2


def test_a_text_goes_through_a_pipe_and_a_link(report: Path, tmp_path: Path) -> None:
    """What stands at the path of -o is written to, not replaced: it may be /dev/null."""
    page, link, pipe = tmp_path / "page.html", tmp_path / "link.html", tmp_path / "pipe"
    page.write_text("before")
    link.symlink_to(page)
    assert main(["render", "--format", "html", str(report), "-o", str(link)]) == 0
    assert link.is_symlink()
    assert page.read_text().startswith("<!DOCTYPE html>")
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write("text", pipe)
    assert os.read(reader, 99) == b"text"
    os.close(reader)
    assert pipe.is_fifo()
    assert main(["render", str(report), "-o", str(tmp_path)]) == 2


def test_a_text_is_written_to_a_file_atomically(report: Path, tmp_path: Path) -> None:
    """A file that cannot be written is one sentence, and nothing is lost."""
    out = tmp_path / "sub/metrics.prom"
    assert main(["render", "--format", "prometheus", "-o", str(out), str(report)]) == 0
    assert out.read_text().endswith("\n")
    assert main(["render", "-o", str(report / "below"), str(report)]) == 2
    assert report.read_text() == to_json(made.incident())


@pytest.mark.parametrize(("command", "status"), [("render", 0), ("nagios", 3)])
def test_a_closed_pipe_is_no_error(report: Path, command: str, status: int) -> None:
    """`python -m reports ... | head` prints no error, and nagios is not OK because of it."""
    reads, writes = os.pipe()
    os.close(reads)
    done = subprocess.run(
        [sys.executable, "-m", "reports", command, str(report)],
        cwd=made.ROOT,
        env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
        stdout=writes,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writes)
    assert (done.returncode, done.stderr) == (status, "")


@pytest.mark.parametrize(
    ("command", "redirection", "status", "errors"),
    [
        ("render", ">/dev/full", 2, "standard output cannot be written: No space left on device\n"),
        ("nagios", ">/dev/full", 3, "standard output cannot be written: No space left on device\n"),
        ("render", ">/dev/full 2>/dev/full", 2, ""),
        ("render", ">&-", 0, "standard output cannot be written: it is closed\n"),
        ("render", ">&- 2>&-", 0, ""),
    ],
)
def test_output_that_cannot_be_written_is_one_sentence(
    report: Path, command: str, redirection: str, status: int, errors: str
) -> None:
    """A full disk is an error of the command; output that the caller closed is not missed."""
    reports = [sys.executable, "-m", "reports", command, str(report)]
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {redirection}', "sh", *reports],
        cwd=made.ROOT,
        # What Python keeps in a buffer it writes at its exit.
        env={name: text for name, text in os.environ.items() if name != "PYTHONUNBUFFERED"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (status, "", errors)


def test_a_wrong_command_line_is_unknown_in_every_encoding(report: Path) -> None:
    """A traceback would end with 1, which says WARNING."""
    command = (sys.executable, "-m", "reports", "nagios", report, "--max-age=soon")
    done = run_command(*command, environ={"PYTHONIOENCODING": "ascii", "VEZA_LANG": "fr"})
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout.startswith("UNKNOWN: argument --max-age: l'?crire comme")


def test_a_terminal_with_another_encoding_works(report: Path, tmp_path: Path) -> None:
    """Characters that it lacks are replaced, without a traceback."""
    path = save_report(tmp_path, made.incident(seen="Überlauf ✗"))
    command = (sys.executable, "-m", "reports", "render", path)
    done = run_command(*command, environ={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0, done.stderr
    assert "Uberlauf x" in done.stdout


def test_help_begins_with_the_commands(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line or two for each, before the options."""
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert text.index("commands:") < text.index("options:")
    listed = text.partition("COMMAND\n")[2].partition("\n\n")[0].splitlines()
    assert len(listed) <= len(COMMANDS) + 2


INTERRUPTED = """
import runpy, sys

class Interrupt:
    def find_spec(self, name, *_):
        if name in ("reports.cli.main", "actions.command_line"):
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupt())
runpy.run_module(sys.argv[1], run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize("program", ["reports", "actions"])
def test_ctrl_c_while_python_reads_the_modules_is_no_traceback(program: str) -> None:
    """It takes half a second, in which a person may have seen the mistake in the line."""
    done = run_command(sys.executable, "-c", INTERRUPTED, program)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
