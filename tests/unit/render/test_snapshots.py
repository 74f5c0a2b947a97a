"""Whole outputs as a person reads them, as text files that a reviewer reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from core.journey import Journey, Stage
from core.outcome import Outcome
from reports.alerts.message import body_of, title_of
from reports.alerts.policy import Change
from reports.history import store as history
from reports.history.incidents import RunRecord, last_incident
from reports.model.headline import INTERRUPTED
from reports.model.report import Report, SeenBefore
from reports.render.chat import render as as_chat
from reports.render.nagios import render as as_nagios
from reports.render.postmortem import render as as_postmortem
from reports.render.terminal import render as as_terminal
from reports.render.terminal_verdict import Footer
from tests import made, saved_runs

if TYPE_CHECKING:
    from syrupy.assertion import SnapshotAssertion


def symptoms_only(outcome: Outcome) -> Outcome | None:
    """Keep the checks of the signal: too few to name a cause."""
    return outcome if outcome.check.startswith("signal/") else None


def storage_only(outcome: Outcome) -> Outcome | None:
    """Keep what `-k storage` selects."""
    return outcome if outcome.check.startswith("storage/") else None


def not_run_after_signal(outcome: Outcome) -> Outcome:
    """Return the outcome of a run that was interrupted after the signal's checks."""
    if outcome.check.startswith("signal/"):
        return outcome
    seen = "the run ended before this check"
    return replace(outcome, status="missing", seen=seen, observations=())


def unreachable(outcome: Outcome) -> Outcome:
    """Return the outcome of a check whose component does not answer."""
    seen = "the database at 127.0.0.1:5432 does not answer within 5 s"
    return replace(outcome, status="unreachable", seen=seen, observations=())


STUCK_UPLOAD = Journey(
    "98a27a56-ccc8-4df3-a2d0-203f1c5b9ddc",
    "uploading",
    (
        Stage("received", True, 1826.0, "uploads"),
        Stage("job created", True, 1825.0, "job_queue", "its job is pending"),
        Stage("picked up", False, None, "job_queue", "its job is pending"),
        Stage("processed", False, None, "job_queue", "its job is pending"),
        Stage("recorded", False, None, "uploads", "uploading"),
    ),
)

INTERRUPTED_RUN = f"the run was interrupted{INTERRUPTED}"

REPORTS: dict[str, Callable[[], Report]] = {
    "healthy": lambda: saved_runs.load("healthy"),
    "incident": lambda: saved_runs.load("incident"),
    "two causes": lambda: saved_runs.load("two_causes"),
    "outside the runbook": lambda: saved_runs.load("outside"),
    "unclear": lambda: saved_runs.load("incident", symptoms_only),
    "at risk": lambda: saved_runs.load("at_risk"),
    "narrowed": lambda: saved_runs.load("healthy", storage_only, partial=True),
    "interrupted": lambda: saved_runs.load(
        "incident", not_run_after_signal, INTERRUPTED_RUN, partial=True
    ),
    "one upload": lambda: replace(
        saved_runs.load("incident", partial=True), journeys=(STUCK_UPLOAD,)
    ),
    "seen before": lambda: replace(
        saved_runs.load("incident"),
        seen_before=(
            SeenBefore(
                "job_worker_down", 3, "2025-11-03T09:40:00+00:00", "Restart the worker", 31.0
            ),
        ),
    ),
    "no check": lambda: made.report(none=True),
    "nothing observed": lambda: saved_runs.load("healthy", unreachable),
}


FOOTER = Footer(page="out/lab/report.html")


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("name", REPORTS)
def test_terminal(name: str, width: int, snapshot_txt: SnapshotAssertion) -> None:
    """The verdict, without colour."""
    assert as_terminal(REPORTS[name](), width, FOOTER) == snapshot_txt


def test_terminal_in_ascii_at_60_columns(snapshot_txt: SnapshotAssertion) -> None:
    """The verdict of an incident on a small terminal without Unicode."""
    assert as_terminal(REPORTS["incident"](), 60, FOOTER, unicode=False) == snapshot_txt


@pytest.mark.parametrize("name", ["incident", "healthy"])
def test_terminal_with_every_check(name: str, snapshot_txt: SnapshotAssertion) -> None:
    """What -v puts before the verdict."""
    assert as_terminal(REPORTS[name](), 80, FOOTER, verbose=True) == snapshot_txt


def test_nagios_lines(snapshot_txt: SnapshotAssertion) -> None:
    """The line of each state."""
    lines = {name: as_nagios(make()) for name, make in REPORTS.items()}
    assert "\n".join(f"{name}:\n  {line}" for name, line in lines.items()) == snapshot_txt


@pytest.mark.parametrize("name", ["incident", "two causes", "outside the runbook"])
def test_post_mortem(name: str, snapshot_txt: SnapshotAssertion) -> None:
    """The post-mortem of a report without a history."""
    report = REPORTS[name]()
    assert as_postmortem(report, made.bundle().document) == snapshot_txt


def test_post_mortem_with_its_course(tmp_path: Path, snapshot_txt: SnapshotAssertion) -> None:
    """The post-mortem of an incident that is over, from the runs of an hour."""
    incident, healthy = REPORTS["incident"](), REPORTS["healthy"]()
    at = datetime.fromisoformat(incident.started)
    runs: tuple[RunRecord, ...] = ()
    for minutes, report in ((-50, healthy), (-5, incident), (0, incident), (5, healthy)):
        started = (at + timedelta(minutes=minutes)).isoformat()
        runs, _ = history.record(tmp_path / history.NAME, replace(report, started=started))
    episode = last_incident(runs)
    document = made.bundle().document
    assert as_postmortem(incident, document, episode, runs) == snapshot_txt


def test_text_for_a_chat(snapshot_txt: SnapshotAssertion) -> None:
    """The message of each state that the page has to copy."""
    texts = {name: as_chat(make()) for name, make in REPORTS.items()}
    assert "\n".join(f"{name}:\n\n{text}" for name, text in texts.items()) == snapshot_txt


def test_messages(snapshot_txt: SnapshotAssertion) -> None:
    """The message of an incident, its recovery, and what others begin with."""
    since = (datetime.fromisoformat(REPORTS["incident"]().started) - timedelta(hours=1)).isoformat()
    changes = [
        ("incident", Change("alert", "incident", since, 3600.0, since)),
        ("healthy", Change("recovery", "incident", since, 3600.0, since)),
        ("two causes", Change("reminder", "incident", since, 5 * 3600.0, since)),
        ("outside the runbook", Change("worse", "incident", since, 3600.0, since)),
        ("unclear", Change("alert", "incident", since, 3600.0, since)),
        ("seen before", Change("alert", "incident", since, 3600.0, since)),
        ("nothing observed", Change("alert", "unknown", since, 3600.0, since)),
    ]
    path, base = Path("out"), "https://veza.example"
    texts = []
    for name, change in changes:
        report = REPORTS[name]()
        body = body_of(report, change, path, base)
        texts.append(f"{title_of(report, change)}\n\n{body}")
    assert f"\n\n{'-' * 80}\n\n".join(texts) == snapshot_txt
