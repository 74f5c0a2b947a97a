"""`python -m reports confirm`, as the person who found the cause uses it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from reports.cli.main import main
from reports.history import store
from reports.history.confirmed import read_learned
from reports.model.report_json import to_json
from tests import made

Capture = pytest.CaptureFixture[str]


def at(hours: float) -> str:
    """A time that many hours after the first run."""
    return (datetime.fromisoformat(made.STARTED) + timedelta(hours=hours)).isoformat()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a target with two incidents, a day apart, both over."""
    folder = tmp_path / "out" / "live"
    disk = made.report(["signal/no_upload_is_stuck", "storage/disk_space_is_free"], started=at(24))
    reports = [
        made.incident(),
        made.recovered(started=at(0.5)),
        disk,
        made.recovered(started=at(24.2)),
    ]
    for report in reports:
        store.record(folder / store.NAME, report)
    (folder / "report.json").write_text(to_json(reports[-1]))
    return folder


def causes(folder: Path) -> dict[str, tuple[str, ...]]:
    """The confirmed causes, by the incident."""
    return {one.incident: one.causes for one in read_learned(folder).confirmations}


def test_the_last_incident_is_confirmed(folder: Path, capsys: Capture) -> None:
    """One option is enough; the answer says what was written, and what the runs had named."""
    arguments = ["confirm", "--target-dir", str(folder), "--cause", "storage_problem"]
    assert main([*arguments, "--note", "logs filled the disk"]) == 0
    out = capsys.readouterr().out
    assert "Storage problem. The runs named Storage problem.\n" in out
    assert "From its first run to the first good one: 12 min.\n" in out
    assert causes(folder) == {at(24): ("storage_problem",)}
    assert main(["postmortem", str(folder / "report.json")]) == 0
    assert "Storage problem (confirmed): logs filled the disk" in capsys.readouterr().out


def test_the_folder_is_found_where_there_is_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the folder of the checks the command needs no path, as `history` does not."""
    monkeypatch.chdir(folder.parents[1])
    assert main(["confirm", "--cause", "queue_blocked", "--cause", "storage_problem"]) == 0
    assert causes(folder) == {at(24): ("queue_blocked", "storage_problem")}


@pytest.mark.parametrize("time", ["2026-03-02", "2026-03-02T10:00", "2026-03-02 10:00"])
def test_an_older_incident_is_named_by_its_time(folder: Path, time: str) -> None:
    """The start of one of its runs, as `history` prints it, is enough."""
    arguments = ["confirm", "--target-dir", str(folder), "--incident", time]
    assert main([*arguments, "--cause", "false-alarm"]) == 0
    assert causes(folder) == {made.STARTED: ("false-alarm",)}


def test_without_a_cause_it_lists_what_can_be_confirmed(folder: Path, capsys: Capture) -> None:
    """A person who does not know the ids sees them, with the incidents and what was confirmed."""
    main(["confirm", "--target-dir", str(folder), "--cause", "queue_blocked"])
    capsys.readouterr()
    assert main(["confirm", "--target-dir", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:3] == [
        f"  {made.STARTED}  over, named: Job worker down, not confirmed",
        f"  {at(24)}  over, named: Storage problem, confirmed: Queue blocked",
    ]
    assert "  job_worker_down             Job worker down" in lines
    assert "  other                       none of these; --note says which" in lines


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--cause", "job_worker_dwn"], "'job_worker_dwn' is not a cause; did you mean"),
        (["--cause", "x"], "'x' is not a cause; without --cause this command lists them"),
        (["--cause", "other"], "--cause other needs --note, which says what it was"),
        (["--cause", "other", "--note", "  "], "--cause other needs --note"),
        (["--note", "out of memory"], "--note needs --cause"),
        (["--cause", "false-alarm", "--cause", "other"], "false-alarm excludes any other cause"),
        (["--incident", "2026-03"], "several incidents have a run that began '2026-03'"),
        (["--incident", "2025"], "no incident has a run that began '2025'"),
        (["--incident", " "], "no incident has a run that began ''"),
    ],
)
def test_what_cannot_be_confirmed_is_refused(
    folder: Path, capsys: Capture, options: list[str], sentence: str
) -> None:
    """One sentence says what is wrong, and nothing is written."""
    assert main(["confirm", "--target-dir", str(folder), *options]) == 2
    assert sentence in capsys.readouterr().err
    assert causes(folder) == {}


def test_without_an_incident_there_is_nothing_to_confirm(tmp_path: Path, capsys: Capture) -> None:
    """A target that was always well, or that has no history, is answered with one sentence."""
    assert main(["confirm", "--target-dir", str(tmp_path), "--cause", "other"]) == 2
    assert "there is no history at" in capsys.readouterr().err
    store.record(tmp_path / store.NAME, made.recovered())
    assert main(["confirm", "--target-dir", str(tmp_path), "--cause", "other"]) == 2
    assert "has no incident" in capsys.readouterr().err


def test_an_incident_that_goes_on_has_actions_and_no_end(folder: Path, capsys: Capture) -> None:
    """An action that was verified ended it only when a run has seen its end."""
    store.record(folder / store.NAME, made.incident(started=at(48)))
    event = {"at": at(48.1), "action": "a", "event": "start", "step": "Restart the worker"}
    ended = {"at": at(48.2), "action": "a", "event": "verified", "result": "verified"}
    lines = [json.dumps(event), json.dumps(ended)]
    (folder / "actions.jsonl").write_text("\n".join(lines))
    arguments = ["confirm", "--target-dir", str(folder), "--cause", "job_worker_down"]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "Its end is added when a run has seen it.\nActions taken: Restart the worker.\n" in out
    store.record(folder / store.NAME, made.recovered(started=at(49)))
    assert main(arguments) == 0
    assert "Ended by: Restart the worker (6 min).\n" in capsys.readouterr().out
