"""Runs with a canary against the lab: healthy, broken, interrupted and killed."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from fixtures.probes.canary.clean_up import Remover
from fixtures.probes.canary.client import CanaryClient
from fixtures.probes.canary.journal import CanaryJournal
from fixtures.probes.canary.lookup import Lookup
from lab import faults
from tests.lab.fix_key_api import Gateway
from tests.lab.fix_made_api import NAME, STATUS, TRACK
from tests.suite import Run, run_suite, started_suite
from tests.waiting import PATIENCE, eventually

if TYPE_CHECKING:
    from lab.state import Lab

CANARY = (
    "canary/upload_is_accepted",
    "canary/no_proxy_refuses_the_upload",
    "canary/upload_leaves_uploading",
    "canary/upload_completes",
    "canary/track_is_served",
    "canary/canary_is_removed",
)


def left_in(lab: Lab) -> list[str]:
    """Return what canaries left in the lab: rows, jobs without an upload, files."""
    with psycopg.connect(lab.owner_dsn) as session:
        rows = session.execute("SELECT id::text FROM uploads WHERE filename LIKE 'veza-canary%'")
        left = [row[0] for row in rows.fetchall()]
        rows = session.execute(
            "SELECT j.id::text FROM job_queue j WHERE NOT EXISTS"
            " (SELECT 1 FROM uploads u WHERE u.id::text = j.payload ->> 'upload_id')"
        )
        left += [f"job {row[0]}" for row in rows.fetchall()]
    left += [str(path) for path in lab.uploads.glob("*/veza-canary*")]
    return left


def run_lab(lab: Lab, out: Path, *arguments: str) -> Run:
    """Run the suite against this lab; a library's warning fails the run."""
    environ = {"VEZA_LAB_DIR": str(lab.directory)}
    return run_suite("--target", "lab", "-W", "error", *arguments, out=out, environ=environ)


def waiting(lab: Lab, folder: Path, deadline: str) -> str:
    """Return the option for a targets file whose canary has this deadline."""
    file = folder / "targets.toml"
    canary = f'\n[targets.lab.canary]\ndeadline = "{deadline}"\n'
    file.write_text((lab.directory / "targets.toml").read_text() + canary)
    return f"--targets-file={file}"


@contextmanager
def broken(lab: Lab, fault: str) -> Iterator[None]:
    """Break the lab with this fault, and heal it afterwards."""
    faults.inject(lab.directory, (fault,))
    try:
        yield
    finally:
        faults.heal(lab.directory)


def events(out: Path) -> list[str]:
    """Return the events of the run's journal."""
    path = out / "lab" / "canaries.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line)["event"] for line in lines]


def test_a_canary_passes_in_a_healthy_lab(lab: Lab, tmp_path: Path) -> None:
    """All five checks pass with one canary, and nothing is left of it."""
    run = run_lab(lab, tmp_path, "--canary")
    assert {check: run.statuses.get(check) for check in CANARY} == dict.fromkeys(CANARY, "passed")
    assert run.state == "healthy", run.text
    assert run.status == 0
    assert events(tmp_path) == ["intended", "accepted", "removed"]
    assert left_in(lab) == []
    (timeline,) = run.outcome("canary/upload_completes")["observations"]
    assert [stage["status"] for stage in timeline["data"]["stages"]][-1] == "completed"
    assert all(stage["seconds"] >= 0 for stage in timeline["data"]["stages"])


def test_each_request_has_its_token_in_the_header_of_the_target(
    lab: Lab, key_api: Gateway, tmp_path: Path
) -> None:
    """Statuses, tracks and the canary's requests need it: an API behind such a gateway passes."""
    file = tmp_path / "targets.toml"
    text = (lab.directory / "targets.toml").read_text()
    url = f'url = "{lab.api_url}"\n'
    assert text.count(url) == 1
    own = f'url = "{key_api.url}"\ntoken_header = "X-Api-Key: {{token}}"\n'
    file.write_text(text.replace(url, own))
    run = run_lab(lab, tmp_path / "out", f"--targets-file={file}", "--canary")
    assert {check: run.statuses.get(check) for check in CANARY} == dict.fromkeys(CANARY, "passed")
    assert run.statuses["upload_status/token_is_accepted"] == "passed"
    assert run.statuses["upload_status/completed_track_is_served"] == "passed"
    assert lab.passwords.token not in (tmp_path / "out/lab/upload_stuck/report.json").read_text()


def test_a_run_without_the_option_sends_no_canary(lab: Lab, tmp_path: Path) -> None:
    """Without --canary nothing is written, and its checks do not run."""
    run = run_lab(lab, tmp_path)
    assert not set(CANARY) & set(run.statuses)
    assert events(tmp_path) == []


def test_a_selection_without_its_checks_sends_no_canary(lab: Lab, tmp_path: Path) -> None:
    """With --canary a canary is sent only if one of its checks is selected."""
    run = run_lab(lab, tmp_path, "--canary", "-k", "storage")
    assert not set(CANARY) & set(run.statuses)
    assert events(tmp_path) == []


@pytest.mark.parametrize(
    ("fault", "truth", "failed"),
    [
        ("worker-killed", "job_worker_down", "canary/upload_leaves_uploading"),
        ("disk-full", "storage_problem", "canary/upload_is_accepted"),
        ("slow-processing", "processing_timeout", "canary/upload_leaves_uploading"),
    ],
)
def test_a_fault_fails_the_canary_and_is_diagnosed(
    lab: Lab, tmp_path: Path, fault: str, truth: str, failed: str
) -> None:
    """The matching check of the canary fails, the cause is found, and the canary is removed."""
    missing = faults.missing_needs(lab.directory, (fault,))
    if missing:
        pytest.skip(f"{fault} needs {missing}")
    with broken(lab, fault):
        # It would not be done after the default 15 s either.
        run = run_lab(lab, tmp_path, "--canary", waiting(lab, tmp_path, "4 s"))
        assert left_in(lab) == []
    assert run.report
    assert run.report["diagnosis"]["most_likely_set"] == [truth], run.text
    assert run.statuses[failed] == "failed"
    assert run.statuses["canary/canary_is_removed"] == "passed"
    assert run.unsettled == []
    assert run.state == "incident"


LIVE = """
[targets.far]
environment = "live"
allow_writes = {writes}
[targets.far.api]
url = "http://127.0.0.1:1"
token = "env:HOME"
"""


@pytest.mark.parametrize(
    ("writes", "remedy"),
    [("false", "set allow_writes = true"), ("true", "add --yes-live")],
)
def test_a_target_without_permission_is_a_usage_error(
    tmp_path: Path, writes: str, remedy: str
) -> None:
    """The run ends with one sentence and exit status 4, before anything is written."""
    file = tmp_path / "targets.toml"
    file.write_text(LIVE.format(writes=writes))
    run = run_suite(f"--targets-file={file}", "--target", "far", "--canary", out=tmp_path / "out")
    assert run.status == 4
    assert remedy in run.errors + run.text
    assert "Traceback" not in run.errors + run.text
    assert not (tmp_path / "out" / "far" / "canaries.jsonl").exists()


def test_an_unreachable_api_gets_no_canary(tmp_path: Path) -> None:
    """With --yes-live the canary is tried; without a connection nothing was sent."""
    file = tmp_path / "targets.toml"
    file.write_text(LIVE.format(writes="true"))
    arguments = (f"--targets-file={file}", "--target", "far", "--canary", "--yes-live")
    run = run_suite(*arguments, out=tmp_path / "out")
    assert run.statuses["canary/upload_is_accepted"] == "unreachable"
    assert run.outcome("canary/canary_is_removed")["seen"].startswith("no canary was sent")
    lines = (tmp_path / "out" / "far" / "canaries.jsonl").read_text().splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["intended", "unsent"]


def test_another_user_s_upload_is_never_deleted(lab: Lab, tmp_path: Path) -> None:
    """An upload in the journal that does not have the canary's name is kept."""
    journal = CanaryJournal(tmp_path / "canaries.jsonl")
    journal.open()
    with psycopg.connect(lab.owner_dsn, autocommit=True) as session:
        row = session.execute(
            "INSERT INTO uploads (id, user_id, filename, status) VALUES"
            " (gen_random_uuid(), gen_random_uuid(), 'song.wav', 'completed') RETURNING id::text"
        ).fetchone()
        assert row
        journal.note("intended", NAME)
        journal.note("accepted", NAME, row[0])
        http = CanaryClient(lab.api_url, PATIENCE, "the API")
        lookup = Lookup(lab.dsn, "uploads", PATIENCE)
        remover = Remover(http, lab.passwords.token, TRACK, STATUS, lookup, journal)
        removal = remover.remove(NAME, row[0], is_answered=True)
        still = session.execute("SELECT 1 FROM uploads WHERE id::text = %s", (row[0],)).fetchone()
        session.execute("DELETE FROM uploads WHERE id::text = %s", (row[0],))
    assert still
    assert "does not have the canary's name" in str(removal)


@contextmanager
def started(lab: Lab, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a run whose canary has ten minutes; kill it at the end, if it still runs."""
    arguments = (waiting(lab, folder, "10 min"), "--target", "lab", "--canary")
    with started_suite(*arguments, "--budget", "15 min", out=folder) as process:
        yield process


def await_event(out: Path, event: str, process: subprocess.Popen[str]) -> None:
    """Wait until the journal has this event; fail when the run ends first."""
    eventually(
        lambda: event in events(out) or process.poll() is not None, f"{event} in the journal"
    )
    assert event in events(out), f"the run ended before {event}"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_removes_its_canary(
    lab: Lab, tmp_path: Path, number: signal.Signals
) -> None:
    """A run that is interrupted while the worker is down removes its canary without waiting."""
    with broken(lab, "worker-killed"), started(lab, tmp_path) as process:
        await_event(tmp_path, "accepted", process)
        process.send_signal(number)
        text, _ = process.communicate(timeout=PATIENCE)
        assert events(tmp_path)[-1] == "removed", text
        assert left_in(lab) == []
    assert (tmp_path / "lab/upload_stuck/partial/report.json").exists()


def test_the_next_run_removes_the_canary_of_a_killed_run(lab: Lab, tmp_path: Path) -> None:
    """SIGKILL leaves an accepted canary; the next run removes it and counts it."""
    with broken(lab, "worker-killed"), started(lab, tmp_path) as process:
        await_event(tmp_path, "accepted", process)
        process.kill()
        process.communicate()
        assert left_in(lab), "the killed run left its canary"
    run = run_lab(lab, tmp_path, "--canary")
    assert left_in(lab) == []
    assert run.statuses["canary/canary_is_removed"] == "passed"
    (observation,) = run.outcome("canary/canary_is_removed")["observations"]
    assert "1 earlier canary removed" in observation["seen"]


def test_killed_runs_leave_nothing_after_the_next(lab: Lab, tmp_path: Path) -> None:
    """Runs are killed at each event of the canary's journal; the next run removes it all."""
    for event in ("intended", "accepted", "removed"):
        before = events(tmp_path).count(event)
        with started(lab, tmp_path) as process:
            eventually(lambda: events(tmp_path).count(event) > before, event)  # noqa: B023
            process.kill()
    run = run_lab(lab, tmp_path, "--canary")
    assert left_in(lab) == []
    assert run.state == "healthy", run.text
