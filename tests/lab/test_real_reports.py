"""Reports of real runs, of a lab that is healthy, broken, and not looked at: every format holds."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import pytest

from lab import faults
from reports.cli.main import main
from reports.cli.render import FORMATS
from reports.history import store as history
from reports.history.incidents import recovery
from reports.model.report_json import load_report
from reports.render.preventive import look
from reports.render.prometheus import render as render_prometheus
from tests import made
from tests.suite import ROOT, run_suite

if TYPE_CHECKING:
    from lab.state import Lab

STATES = {"healthy": 0, "incident": 2, "unknown": 3}
"""The states that are made here, and what Nagios is told of them."""


def confirm_an_earlier_incident(folder: Path) -> None:
    """Record an incident of half an hour in March, and confirm that its worker was down."""
    for report in (made.incident(), made.recovered(started="2026-03-02T10:30:00+00:00")):
        history.record(folder / history.NAME, report)
    assert main(["confirm", "--target-dir", str(folder), "--cause", "job_worker_down"]) == 0


@pytest.fixture(scope="module")
def reports(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """The report.json of a healthy run, of one with a dead worker, of one that selected nothing.

    And "after": of a run when the worker is back. Before the dead worker of "incident" there was
    one in March, whose cause a person has confirmed.
    """
    out = tmp_path_factory.mktemp("runs")
    environ = {"VEZA_LAB_DIR": str(lab.directory)}

    def run(name: str, *arguments: str) -> Path:
        done = run_suite("--target", "lab", *arguments, out=out / name, environ=environ)
        assert done.report is not None, done.text + done.errors
        folder = out / name / "lab/upload_stuck"
        return (folder / "partial" if arguments else folder) / "report.json"

    made = {"healthy": run("healthy"), "unknown": run("unknown", "-k", "no_such_check")}
    confirm_an_earlier_incident(out / "incident" / "lab/upload_stuck")
    try:
        faults.inject(lab.directory, ["worker-killed"])
        made["incident"] = run("incident")
    finally:
        faults.heal(lab.directory)
    made["after"] = run("after")
    yield made
    shutil.rmtree(out)


@pytest.mark.parametrize("state", STATES)
def test_a_real_report_fits_the_published_schema(reports: dict[str, Path], state: str) -> None:
    """What a run writes is valid by the JSON Schema that is published."""
    document = json.loads(reports[state].read_text())
    assert document["state"] == state
    schema = json.loads((ROOT / "reports/model/schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(document)


@pytest.mark.parametrize("state", STATES)
def test_a_real_report_is_replayed_byte_for_byte(
    reports: dict[str, Path], state: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same evidence makes the same bytes of what a real run saw."""
    assert main(["replay", str(reports[state])]) == 0
    out, err = capsys.readouterr()
    assert err == "The same report.\n"
    assert out == reports[state].read_text()


@pytest.mark.parametrize("state", STATES)
def test_a_real_report_is_shown_in_each_format(
    reports: dict[str, Path], state: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each format is made of each state; a post-mortem only where there was an incident."""
    for form in FORMATS:
        assert main(["render", "--format", form, str(reports[state])]) == 0
        assert capsys.readouterr().out
    is_incident = state == "incident"
    assert main(["postmortem", str(reports[state])]) == (0 if is_incident else 2)
    assert bool(capsys.readouterr().out) == is_incident


@pytest.mark.parametrize("state", STATES)
def test_nagios_is_told_of_a_real_report(
    reports: dict[str, Path], state: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A fresh report has the exit status of its state."""
    assert main(["nagios", "--max-age", "1h", str(reports[state])]) == STATES[state]
    assert capsys.readouterr().out.count("\n") == 1


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool: apt-get install prometheus")
@pytest.mark.parametrize("state", STATES)
def test_promtool_finds_no_fault_with_a_real_report(reports: dict[str, Path], state: str) -> None:
    """The metrics of a real run are clean for Prometheus's own tool."""
    text = render_prometheus(load_report(reports[state]))
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_recovery_of_a_real_incident_is_seen(reports: dict[str, Path], tmp_path: Path) -> None:
    """When the worker is back, its history says that stuck uploads fall and others complete."""
    path = tmp_path / history.NAME
    for name in ("healthy", "incident", "after"):
        runs = history.record(path, load_report(reports[name]))[0]
    after = load_report(reports["after"])
    metrics = after.watch
    recoveries = recovery(runs, metrics, after.layout.figures)
    recovers = {
        metric.figure: one.recovers for metric, one in zip(metrics, recoveries, strict=True)
    }
    for figure in ("uploads_uploading", "uploads_completed", "backlog"):
        assert recovers[figure], (figure, recoveries, [run.outcomes for run in runs])


def test_a_confirmed_cause_is_told_by_the_next_incident(
    reports: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """A real run that names the cause says that it was seen before, and so does its page."""
    assert main(["render", str(reports["incident"])]) == 0
    text = capsys.readouterr().out
    assert "seen 1 time, on 2 Mar" in text
    assert "Seen 1 time, on 2 Mar" in reports["incident"].with_name("report.html").read_text()
    assert load_report(reports["healthy"]).seen_before == ()


def test_a_real_run_shows_preventive_actions(reports: dict[str, Path]) -> None:
    """What the lab's API has is seen in the observations of a run, and what it has not."""
    report = load_report(reports["healthy"])
    assert look("Record the processing time", report).in_place
    health = look("A health endpoint for the worker", report)
    assert (health.in_place, "/readyz does not include the worker" in health.text) == (False, True)
