"""`python -m reports`, as a person and as a monitor call it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from reports.cli.main import main
from reports.cli.offline import FORMATS
from reports.history import store as history
from reports.model.report_json import to_json
from tests import made

if TYPE_CHECKING:
    from pathlib import Path

    from reports.model.report import Report

Says = pytest.CaptureFixture[str]

EVIDENCE = made.ROOT / "runbooks/upload_stuck/evidence.toml"


def saved(folder: Path, report: Report, name: str = "report.json") -> Path:
    """A report in a file."""
    path = folder / name
    path.write_text(to_json(report), encoding="utf-8")
    return path


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """The saved report of an incident."""
    return saved(tmp_path, made.incident())


FIRST = {
    "terminal": "\nIncident: 2 uploads stuck, oldest 47 min.",
    "json": '{\n "target": {',
    "html": "<!DOCTYPE html>",
    "prometheus": "# HELP veza_checks_run_timestamp_seconds",
    "nagios": "CRITICAL: Incident: 2 uploads stuck",
    "postmortem": "# Post-mortem: Upload stuck, target live",
}


@pytest.mark.parametrize("form", FORMATS)
def test_a_saved_report_is_shown_in_each_format(report: Path, form: str, capsys: Says) -> None:
    """Every format is made from the file alone."""
    assert main(["render", "--format", form, str(report)]) == 0
    assert capsys.readouterr().out.startswith(FIRST[form])


def test_a_replay_is_the_same_byte_for_byte(report: Path, capsys: Says) -> None:
    """By the same evidence the same outcomes make the same bytes, and it says so."""
    assert main(["replay", str(report)]) == 0
    out, err = capsys.readouterr()
    assert out == report.read_text()
    assert err == "The same report.\n"


def test_a_replay_with_edited_evidence_says_what_would_have_been_said(
    report: Path, tmp_path: Path, capsys: Says
) -> None:
    """Another evidence table makes another verdict of the same outcomes."""
    edited = tmp_path / "evidence.toml"
    text = EVIDENCE.read_text()
    edited.write_text(text.replace("job_worker_down = 0.", "job_worker_down = 0.000"))
    assert main(["replay", str(report), "--evidence", str(edited)]) == 0
    out, err = capsys.readouterr()
    again = json.loads(out)
    assert again["diagnosis"]["hypotheses"][0]["id"] != "job_worker_down"
    assert again["results"] == json.loads(report.read_text())["results"]
    assert "Said then: Incident: 2 uploads stuck, oldest 47 min. Most likely: job worker" in err
    assert "Said now: " in err


def test_a_replay_may_be_shown_in_another_format(report: Path, capsys: Says) -> None:
    """What would have been said can be read on the terminal."""
    assert main(["replay", "--format", "terminal", str(report)]) == 0
    assert "Why Job worker down" in capsys.readouterr().out


def test_evidence_that_cannot_be_used_is_one_sentence(
    report: Path, tmp_path: Path, capsys: Says
) -> None:
    """A slip in the edited evidence is told by its file and place."""
    broken = tmp_path / "evidence.toml"
    broken.write_text("hypotheses = 3")
    assert main(["replay", str(report), "--evidence", str(broken)]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "evidence.toml: [hypotheses]: must be a table" in err


def test_a_file_that_is_no_report_is_one_sentence(tmp_path: Path, capsys: Says) -> None:
    """A truncated report is told by each command, without a traceback."""
    path = tmp_path / "report.json"
    path.write_text(to_json(made.incident())[:5000])
    for command in ("render", "replay", "postmortem"):
        assert main([command, str(path)]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert "report.json is cut short" in err
        assert err.count("\n") == 1


def test_nagios_exits_with_the_status(tmp_path: Path, capsys: Says) -> None:
    """The exit status of the process is the monitor's, and the line goes to standard output."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    cases = [
        (made.recovered(started=now), 0),
        (made.report(["storage/disk_space_is_free"], started=now), 1),
        (made.incident(started=now), 2),
        (made.report(none=True, started=now), 3),
        (made.recovered(), 3),
    ]
    for report, status in cases:
        assert main(["nagios", str(saved(tmp_path, report))]) == status
        assert len(capsys.readouterr().out.splitlines()) == 1
    assert main(["nagios", "--max-age", "99999d", str(saved(tmp_path, made.recovered()))]) == 0


@pytest.mark.parametrize("content", [None, "", "{", '{"schema": 9}'])
def test_nagios_says_unknown_of_what_it_cannot_read(
    tmp_path: Path, content: str | None, capsys: Says
) -> None:
    """A report that is missing or broken is UNKNOWN on standard output, and exit status 3."""
    path = tmp_path / "report.json"
    if content is not None:
        path.write_text(content)
    assert main(["nagios", str(path)]) == 3
    out, err = capsys.readouterr()
    assert out.startswith("UNKNOWN: ")
    assert (out.count("\n"), err) == (1, "")


@pytest.mark.parametrize("arguments", [[], ["x", "--max-age", "soon"], ["x", "--mx-age", "1h"]])
def test_nagios_says_unknown_of_a_wrong_command_line(arguments: list[str], capsys: Says) -> None:
    """A slip in the monitor's own configuration is UNKNOWN, and never WARNING or CRITICAL."""
    with pytest.raises(SystemExit) as left:
        main(["nagios", *arguments])
    assert left.value.code == 3
    assert capsys.readouterr().out.startswith("UNKNOWN: ")


def test_a_post_mortem_is_written_when_all_is_well_again(tmp_path: Path, capsys: Says) -> None:
    """Of a healthy report, the history beside it tells the last incident with its evidence."""
    path = tmp_path / history.NAME
    after = "2026-03-02T10:30:00+00:00"
    for one in (made.incident(), made.recovered(started=after)):
        history.record(path, one)
    assert main(["postmortem", str(saved(tmp_path, made.recovered(started=after)))]) == 0
    out = capsys.readouterr().out
    assert f"**Ended**: {after}" in out
    assert "**Duration**: 30 min" in out
    assert "**Job worker down**, probability" in out


def test_without_an_incident_there_is_no_post_mortem(tmp_path: Path, capsys: Says) -> None:
    """A healthy report without a history is told to have nothing to write about."""
    assert main(["postmortem", str(saved(tmp_path, made.recovered()))]) == 2
    assert "saw no incident, and no history beside it holds one" in capsys.readouterr().err


def test_a_history_of_other_days_explains_nothing(report: Path, capsys: Says) -> None:
    """An incident that the history does not hold is told by its report alone."""
    history.record(
        report.with_name(history.NAME), made.incident(started="2020-01-01T00:00:00+00:00")
    )
    assert main(["postmortem", str(report)]) == 0
    out = capsys.readouterr().out
    assert "2020-01-01" not in out
    assert f"**Began**: {made.STARTED} or earlier" in out


def test_a_corrupt_history_costs_nobody_the_post_mortem(report: Path, capsys: Says) -> None:
    """The report is told without its history, and why."""
    report.with_name(history.NAME).write_bytes(b"nonsense" * 500)
    assert main(["postmortem", str(report)]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("# Post-mortem")
    assert "Without the history: " in err
    assert "is corrupt" in err


def test_the_history_is_printed(tmp_path: Path, capsys: Says) -> None:
    """The last runs are printed oldest first, as many as asked for."""
    for minute in range(4):
        started = f"2026-03-02T10:0{minute}:00+00:00"
        history.record(tmp_path / history.NAME, made.incident(started=started))
    assert main(["history", "--target-dir", str(tmp_path), "-n", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("2026-03-02T10:02:00+00:00  incident")
    assert lines[1].startswith("2026-03-02T10:03:00+00:00  incident")
    assert "2 stuck" in lines[1]
    assert "Job worker down (" in lines[1]


def test_the_history_of_the_only_target_needs_no_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Says
) -> None:
    """With one target in out/ it is that; with two or none it is asked for."""
    monkeypatch.chdir(tmp_path)
    assert main(["history"]) == 2
    assert "out/ holds no history" in capsys.readouterr().err
    history.record(tmp_path / "out/live" / history.NAME, made.recovered())
    assert main(["history"]) == 0
    history.record(tmp_path / "out/staging" / history.NAME, made.recovered())
    assert main(["history"]) == 2
    assert "which of out/live, out/staging?" in capsys.readouterr().err


@pytest.mark.parametrize("number", ["0", "-1", "many", "9999999999"])
def test_a_number_that_is_none_is_refused(number: str) -> None:
    """The number of runs is checked on the command line."""
    with pytest.raises(SystemExit) as left:
        main(["history", f"--number={number}"])
    assert left.value.code == 2


def test_a_text_goes_to_a_file_whole_or_not_at_all(report: Path, tmp_path: Path) -> None:
    """With -o the file is written atomically; a place that cannot be written is one sentence."""
    out = tmp_path / "sub/metrics.prom"
    assert main(["render", "--format", "prometheus", "-o", str(out), str(report)]) == 0
    assert out.read_text().endswith("\n")
    assert main(["render", "-o", str(report / "below"), str(report)]) == 2
    assert report.read_text() == to_json(made.incident())


@pytest.mark.parametrize(("command", "status"), [("render", 0), ("nagios", 3)])
def test_a_reader_that_has_enough_is_no_error(report: Path, command: str, status: int) -> None:
    """`python -m reports ... | head` ends without a complaint, and is never OK by that."""
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


def test_a_terminal_of_another_alphabet_is_served(report: Path, tmp_path: Path) -> None:
    """What the terminal cannot write is replaced, not a traceback."""
    path = saved(tmp_path, replace(made.incident(), headline="Überlauf ✗"))
    done = subprocess.run(
        [sys.executable, "-m", "reports", "render", str(path)],
        cwd=made.ROOT,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "?berlauf ?" in done.stdout
