"""`python -m reports score`: verdicts on confirmed incidents, and the priors that they suggest."""

from __future__ import annotations

import re
import subprocess
import tomllib
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.cli.main import main
from reports.diagnosis.evidence_file import load_evidence, parse_evidence
from reports.history.actions import Action
from reports.history.confirmed import FALSE_ALARM, OTHER, Confirmation, write_confirmation
from reports.history.score import (
    Case,
    calibration,
    judge,
    suggest_priors,
    with_priors,
)
from reports.model.report import Report
from reports.render.score import diff_of
from tests import made, saved_runs

if TYPE_CHECKING:
    from syrupy.assertion import SnapshotAssertion


Capture = pytest.CaptureFixture[str]

EVIDENCE = made.bundle().evidence
FILE = made.ROOT / "runbooks/upload_stuck/evidence.toml"
DIFF = re.compile(r"^--- .*?(?=^With these)", re.MULTILINE | re.DOTALL)
CAUSES = [cause.id for cause in EVIDENCE.causes]


def at(hours: float) -> str:
    """A time that many hours after the first run."""
    return (datetime.fromisoformat(made.STARTED) + timedelta(hours=hours)).isoformat()


def confirmed(day: int, *causes: str, minutes: float = 20) -> Confirmation:
    """The confirmation of an incident of that day, which a restart ended."""
    action = Action(at(24 * day + 0.2), "Restart the worker", (), "verified", 31.0, True)
    end = at(24 * day + minutes / 60)
    return Confirmation(at(24 * day), at(24 * day), causes, "a note", end, (action,))


def pairs() -> list[tuple[Confirmation, Report]]:
    """Two incidents named rightly, a wrong cause, one of two, a false alarm, and another cause."""
    dead, symptom = made.incident(), made.report(["signal/no_upload_is_stuck"])
    return [
        (confirmed(0, "job_worker_down"), dead),
        (confirmed(1, "job_worker_down", minutes=40), saved_runs.load("incident")),
        (confirmed(2, "queue_blocked"), dead),
        (confirmed(3, "storage_problem", "job_worker_down"), dead),
        (confirmed(4, FALSE_ALARM), symptom),
        (confirmed(5, OTHER), symptom),
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a target with these confirmed incidents."""
    for confirmation, report in pairs():
        write_confirmation(tmp_path, confirmation, report)
    return tmp_path


def test_the_score_of_confirmed_incidents(
    folder: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, snapshot_txt: SnapshotAssertion
) -> None:
    """All that a person reads before a change of the evidence table, but the diff itself."""
    monkeypatch.chdir(made.ROOT)
    before = FILE.read_text()
    assert main(["score", "--target-dir", str(folder)]) == 0
    out = capsys.readouterr().out
    assert DIFF.sub("DIFF\n\n", out) == snapshot_txt
    assert FILE.read_text() == before


def test_a_verdict_is_right_wrong_or_missed() -> None:
    """A cause that is not confirmed makes it wrong; nothing is named in a false alarm."""
    verdicts = [case.verdict for case in judge(EVIDENCE, pairs())]
    assert verdicts == ["right", "right", "wrong", "missed", "right", "right"]
    renamed = (confirmed(0, "of_an_older_table"), made.report(["signal/no_upload_is_stuck"]))
    assert [case.verdict for case in judge(EVIDENCE, [renamed])] == ["missed"]


def test_the_diff_can_be_applied(folder: Path, tmp_path: Path, capsys: Capture) -> None:
    """`patch` makes the table whose priors the score has printed, and nothing else changes."""
    table = tmp_path / "evidence.toml"
    table.write_text(FILE.read_text())
    assert main(["score", "--target-dir", str(folder), "--evidence", str(table)]) == 0
    out = capsys.readouterr().out
    diff = DIFF.search(out)
    assert diff
    done = subprocess.run(
        ["patch", str(table)], input=diff[0], text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    patched = load_evidence(table)
    assert patched.checks == EVIDENCE.checks
    worker, queue = (patched.causes[place].prior for place in (0, 1))
    assert worker > 0.05
    assert re.search(rf"job_worker_down +3 +0.05 +{worker:g} ", out)
    assert re.search(rf"queue_blocked +1 +0.05 +{queue:g} ", out)


def test_priors_in_another_form_are_refused(folder: Path, tmp_path: Path, capsys: Capture) -> None:
    """A table that a diff by lines would not change rightly is named, and no diff is printed."""
    table = tmp_path / "evidence.toml"
    old = '[hypotheses.queue_blocked]\ntitle = "Queue blocked"\nprior = 0.05\n'
    new = '[hypotheses]\nqueue_blocked = { title = "Queue blocked", prior = 0.05 }\n'
    text = FILE.read_text()
    assert old in text
    table.write_text(new + text.replace(old, ""))
    assert main(["score", "--target-dir", str(folder), "--evidence", str(table)]) == 2
    out, err = capsys.readouterr()
    assert (out, "its priors are written in a way" in err) == ("", True)


def test_a_report_that_is_lost_is_left_out(folder: Path, capsys: Capture) -> None:
    """The other incidents are scored, and a sentence counts those without a report."""
    min(folder.joinpath("confirmed").glob("*.report.json")).unlink()
    assert main(["score", "--target-dir", str(folder)]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("5 confirmed incidents")
    assert err == "1 incident without a report left out\n"


def test_without_a_confirmed_incident_there_is_no_score(tmp_path: Path, capsys: Capture) -> None:
    """One sentence says how an incident is confirmed."""
    assert main(["score", "--target-dir", str(tmp_path)]) == 2
    assert "has no confirmed incident: python -m reports confirm" in capsys.readouterr().err


NAMES = st.lists(st.sampled_from([*CAUSES, OTHER]), min_size=1, max_size=3, unique=True)


@pytest.mark.patient
@settings(max_examples=30)
@given(st.lists(NAMES, min_size=1, max_size=8))
def test_priors_keep_their_sum_and_follow_the_counts(incidents: list[list[str]]) -> None:
    """The more often a cause was confirmed, the higher its prior; the interval is around it."""
    cases = [
        Case(confirmed(day, *causes), frozenset(causes) & frozenset(CAUSES), frozenset(), {})
        for day, causes in enumerate(incidents)
    ]
    priors = suggest_priors(EVIDENCE, cases)
    single = all(len(case.expected) == 1 for case in cases)
    before = sum(cause.prior for cause in EVIDENCE.causes)
    if single:
        assert sum(prior.suggested for prior in priors) == pytest.approx(before, rel=0.05)
    for prior in priors:
        assert prior.low <= prior.suggested <= prior.high
        for other in priors:
            if prior.cause.prior == other.cause.prior and prior.incidents > other.incidents:
                assert prior.suggested > other.suggested
    text, diff = diff_of(FILE.read_text(), priors, "evidence.toml")
    assert parse_evidence(tomllib.loads(text), EVIDENCE.path) == with_priors(EVIDENCE, priors)
    assert diff


def test_false_alarms_change_no_prior() -> None:
    """An incident that was none says nothing of the causes."""
    case = Case(confirmed(0, FALSE_ALARM), frozenset(), frozenset(), {})
    priors = suggest_priors(EVIDENCE, [case])
    assert with_priors(EVIDENCE, priors) == EVIDENCE


def test_calibration_counts_each_cause_once() -> None:
    """A bin has its causes and those of them that were true; 1 belongs to the last one."""
    case = Case(
        confirmed(0, "a"), frozenset("a"), frozenset(), {"a": 1.0, "b": 0.9, "c": 0.5, "d": 0.0}
    )
    bins, brier = calibration([case, replace(case, expected=frozenset("ac"))])
    assert [(b.low, b.causes, b.true) for b in bins] == [(0, 2, 0), (0.5, 2, 1), (0.9, 4, 2)]
    assert brier == pytest.approx((2 * 0.81 + 2 * 0.25) / 8)
