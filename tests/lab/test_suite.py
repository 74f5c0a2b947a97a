"""The whole of it: the checks against a running lab, as a user runs them."""

from __future__ import annotations

import os
import signal
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from lab import faults, lifecycle
from lab.faults.heal import delete_logs
from lab.faults.tools import FaultTools
from reports.model.report_json import load_report
from reports.render.nagios import status_of
from tests.suite import ROOT, Run, run_suite

if TYPE_CHECKING:
    from lab.state import Lab

EVIDENCE = tomllib.loads((ROOT / "runbooks/upload_stuck/evidence.toml").read_text())
# The canary's come with --canary.
CHECKS = {
    "hosts/host_is_reachable[local]" if c == "hosts/host_is_reachable" else c
    for c in EVIDENCE["checks"]
    if not c.startswith("canary/")
}

WITHOUT_PROMETHEUS = "upload_status/stuck_uploads_have_an_alert"
"""The one check of something that the lab does not have."""

AGED = """
WITH aged AS (
    INSERT INTO uploads (id, user_id, status, progress, size, filename, created_at, updated_at)
    VALUES (gen_random_uuid(), gen_random_uuid(), 'uploading', 100, 9, 'aged.wav',
            now() - interval '47 minutes', now() - interval '47 minutes')
    RETURNING id
)
INSERT INTO job_queue (id, type, payload, status, created_at)
SELECT gen_random_uuid(), 'process_upload', jsonb_build_object('upload_id', id), 'pending',
       now() - interval '47 minutes' FROM aged
RETURNING payload ->> 'upload_id'
"""


def run_lab(lab: Lab, out: Path, *arguments: str) -> Run:
    """Run the suite against this lab; a warning of a library fails it."""
    environ = {"VEZA_LAB_DIR": str(lab.directory)}
    return run_suite("--target", "lab", "-W", "error", *arguments, out=out, environ=environ)


def run_edited(lab: Lab, folder: Path, edits: dict[str, str], *arguments: str) -> Run:
    """Run the suite against this lab by a targets file in which these texts are replaced."""
    text = (lab.directory / "targets.toml").read_text()
    for old, new in edits.items():
        assert old in text, f"the lab's targets.toml has no {old!r}"
        text = text.replace(old, new)
    file = folder / "edited.toml"
    file.write_text(text)
    return run_suite(f"--targets-file={file}", "--target", "lab", *arguments, out=folder / "out")


def test_a_healthy_lab_is_healthy(lab: Lab, tmp_path: Path) -> None:
    """Every check of what the lab has passes, the verdict is healthy, the exit status 0."""
    with FaultTools(lab.directory) as tools:
        # A lab that was healed has lost the line of its worker's start with the fault's lines.
        for worker in lab.workers:
            tools.stop(worker)
        delete_logs(tools)
        for worker in lab.workers:
            tools.start(worker)
        tools.wait_for_all_workers()
        tools.wait_for_settled_worker()
    run = run_lab(lab, tmp_path)
    expected = dict.fromkeys(CHECKS, "passed") | {WITHOUT_PROMETHEUS: "skipped"}
    assert run.statuses == expected, run.text
    assert run.state == "healthy"
    assert run.status == 0
    assert "HEALTHY  lab" in run.text


@contextmanager
def broken_by_hand(lab: Lab) -> Iterator[str]:
    """Kill the worker and leave one upload of 47 minutes ago waiting; gives its id."""
    worker = lifecycle.describe(lab.directory)["processes"]["worker"]["pid"]
    try:
        os.kill(worker, signal.SIGKILL)
        with psycopg.connect(lab.owner_dsn) as connection:
            row = connection.execute(AGED).fetchone()
        assert row is not None
        file = lab.uploads / row[0] / "aged.wav"
        file.parent.mkdir()
        file.write_bytes(b"nine byte")
        yield row[0]
    finally:
        faults.heal(lab.directory)


def test_a_killed_worker_is_an_incident(lab: Lab, tmp_path: Path) -> None:
    """A worker killed by hand and an aged upload: the sentences say what is wrong, and why.

    After a narrowed run Nagios, the metrics file and the report say what they said before it.
    """
    folder = tmp_path / "lab/upload_stuck"
    with broken_by_hand(lab) as upload:
        run = run_lab(lab, tmp_path, "-v")
        names = ("report.json", "report.html", "metrics.prom", "history.sqlite3", "postmortem.md")
        before = {name: (folder / name).read_bytes() for name in names}
        narrowed = run_lab(lab, tmp_path, "-k", "storage")
    assert run.status == 1
    assert run.state == "incident"
    for check in (
        "worker/process_is_running",
        "queue/queue_has_a_consumer",
        "database/jobs_start_promptly",
        "signal/no_upload_is_stuck",
    ):
        outcome = run.outcome(check)
        assert outcome["status"] == "failed", outcome
        assert outcome["seen"].splitlines()[0] in " ".join(run.text.split()), outcome["seen"]
    assert upload in run.outcome("signal/no_upload_is_stuck")["seen"]
    verdict = run.text[run.text.index("✗ INCIDENT  lab") :]
    assert "CAUSE  Job worker down (" in verdict
    assert f"--upload-id={upload}" in verdict

    assert narrowed.status == 0
    assert narrowed.report is not None
    assert narrowed.report["headline"].startswith("Partial run: 8 of ")
    assert {name: (folder / name).read_bytes() for name in names} == before
    assert (
        b'run_state{runbook="upload_stuck",state="incident",target="lab"} 1.0'
        in before["metrics.prom"]
    )
    assert status_of(load_report(folder / "report.json")) == 2
    assert status_of(load_report(folder / "partial/report.json")) == 3


def test_a_fault_is_for_the_run_alone(lab: Lab, tmp_path: Path) -> None:
    """--fault breaks the lab, shows what that looks like, and heals it; a wrong name is refused."""
    run = run_lab(lab, tmp_path / "broken", "--fault", "error-swallowed")
    assert "CAUSE  Processing failed silently (" in run.text
    assert run_lab(lab, tmp_path / "healed").state == "healthy"
    slip = run_lab(lab, tmp_path / "slip", "--fault", "error-swalowed")
    assert slip.status == 4
    assert "did you mean error-swallowed?" in slip.errors


@pytest.mark.parametrize(
    ("edits", "failed", "sentence"),
    [
        ({"TOKEN": "wrong-token"}, "upload_status/token_is_accepted", "401"),
        ({'/veza"': '/postgres"'}, "database/schema_is_as_expected", "uploads"),
        (
            {'name = "process_upload"': 'name = "no_such_queue"'},
            "queue/queue_exists",
            "no_such_queue",
        ),
        ({"/storage/uploads": "/storage/nowhere"}, "storage/directory_exists", "nowhere"),
        ({"/log/veza-backend-api/": "/log/nowhere/"}, "logs/application_is_logging", "nowhere"),
        (
            {
                '[targets.lab.logs]\nhosts = ["local://"]': '[targets.lab.logs]\nhosts = ["ssh://nobody@127.0.0.1:1"]'
            },
            "hosts/host_is_reachable[ssh-nobody@127.0.0.1-1]",
            "127.0.0.1",
        ),
    ],
    ids=["token", "tables", "queue", "directory", "logs", "ssh"],
)
def test_a_wrong_target_costs_only_what_is_wrong(
    lab: Lab, tmp_path: Path, edits: dict[str, str], failed: str, sentence: str
) -> None:
    """One check says what is wrong and where; nothing breaks, no secret is told, the rest runs."""
    run = run_edited(
        lab,
        tmp_path,
        {old.replace("TOKEN", lab.passwords.token): new for old, new in edits.items()},
    )
    outcome = run.outcome(failed)
    assert outcome["status"] == "failed", run.text
    assert sentence in outcome["seen"]
    assert run.status == 1
    assert run.unsettled == []
    assert list(run.statuses.values()).count("passed") > 20
    everything = run.text + run.errors + str(run.report)
    assert "Traceback" not in everything
    for secret in (lab.passwords.token, lab.passwords.checks, "wrong-token"):
        assert secret not in everything


def test_a_login_that_is_refused_is_no_incident(lab: Lab, tmp_path: Path) -> None:
    """A wrong password in the targets file says nothing about the database and the broker."""
    password = lab.passwords.checks
    edits = {f"veza_checks:{password}@": "veza_checks:wrong-password@"}
    run = run_edited(lab, tmp_path, edits)
    for check in ("database/database_is_reachable", "queue/broker_is_reachable"):
        outcome = run.outcome(check)
        assert outcome["status"] == "unreachable", run.text
        assert "the login is refused; check the" in outcome["seen"] or (
            "refuses the login; check the" in outcome["seen"]
        )
    assert (run.state, run.status) == ("unknown", 1)
    everything = run.text + run.errors + str(run.report)
    assert not any(secret in everything for secret in (password, "wrong-password"))


def test_a_left_out_queue_is_skipped(lab: Lab, tmp_path: Path) -> None:
    """Without [queue] its checks are skipped with the reason, and the rest decides."""
    text = (lab.directory / "targets.toml").read_text()
    table = text[text.index("[targets.lab.queue]") :].partition("\n\n")[0]
    run = run_edited(lab, tmp_path, {table: ""})
    skipped = {check for check, status in run.statuses.items() if status == "skipped"}
    assert {check for check in CHECKS if check.startswith("queue/")} <= skipped
    assert "has no [queue]" in run.outcome("queue/queue_exists")["seen"]
    assert run.state == "healthy"


def test_a_named_upload_is_the_subject(lab: Lab, tmp_path: Path) -> None:
    """--upload-id aims the checks of single uploads at it, also where it is long completed."""
    with psycopg.connect(lab.dsn) as connection:
        row = connection.execute(
            "SELECT id::text FROM uploads WHERE status = 'completed'"
            " ORDER BY created_at DESC LIMIT 1"
        ).fetchone()
    assert row is not None
    run = run_lab(lab, tmp_path, "--upload-id", row[0], "-k", "upload_status")
    assert row[0] in str(run.outcome("upload_status/uploads_have_left_uploading")["observations"])
    assert run.status == 0


OF_STUCK_UPLOADS = (
    "database/no_stuck_upload_is_partial",
    "database/no_stuck_upload_ran_out_of_time",
    "database/stuck_uploads_have_a_job",
    "database/no_upload_was_passed_over",
    "logs/upload_transitions_are_logged",
    "storage/stuck_files_exist",
    "storage/stuck_files_are_readable",
    "storage/stuck_files_are_whole",
)


def test_an_id_that_nobody_has_ends_the_run(lab: Lab, tmp_path: Path) -> None:
    """A cut or mistyped --upload-id is refused in one sentence, with the ids near it."""
    with psycopg.connect(lab.dsn) as connection:
        row = connection.execute(
            "SELECT id::text FROM uploads ORDER BY created_at DESC LIMIT 1"
        ).fetchone()
    assert row is not None
    cut = run_lab(lab, tmp_path, "--upload-id", row[0][:18])
    assert cut.status == 4
    assert cut.report is None
    sentence = cut.errors.strip()
    assert f"no upload has the id {row[0][:18]}; the nearest " in sentence
    assert row[0] in sentence
    assert "Traceback" not in cut.text + cut.errors


def test_a_stuck_upload_is_followed_to_where_it_stopped(lab: Lab, tmp_path: Path) -> None:
    """--upload-id answers for that upload first: received, job created, never picked up."""
    with broken_by_hand(lab) as upload:
        run = run_lab(lab, tmp_path, "--upload-id", upload)
    assert run.report is not None
    (journey,) = run.report["journeys"]
    reached = {stage["name"]: stage["reached"] for stage in journey["stages"]}
    assert reached == {
        "received": True,
        "job created": True,
        "picked up": False,
        "processed": False,
        "recorded": False,
    }
    assert run.report["headline"].startswith(f"Upload {upload} is uploading: not picked up. ")
    verdict = run.text[run.text.index("UPLOAD  ") :]
    assert verdict.startswith(f"UPLOAD  {upload[:8]} is uploading: not picked up")
    assert "✓ received     47 min ago" in verdict
    assert "not picked up" in verdict
    assert "INCIDENT" in verdict


@pytest.mark.parametrize(
    ("age", "symptom"),
    [
        ("2 hours", "signal/no_upload_overstays_processing"),
        ("1 second", "database/failed_jobs_recorded_an_error"),
    ],
)
def test_the_file_of_an_upload_that_is_not_processed_is_looked_at(
    lab: Lab, tmp_path: Path, age: str, symptom: str
) -> None:
    """A worker that tries it again and again, or has given up, has it in `processing`."""
    job = (
        "INSERT INTO job_queue (id, type, payload, status, created_at, started_at, completed_at)"
        " SELECT gen_random_uuid(), 'process_upload', jsonb_build_object('upload_id', id),"
        " 'failed', created_at, created_at, created_at FROM uploads WHERE id::text = %s"
    )
    with psycopg.connect(lab.owner_dsn) as connection:
        row = connection.execute(
            "INSERT INTO uploads (id, user_id, status, progress, size, filename, created_at,"
            " updated_at) VALUES (gen_random_uuid(), gen_random_uuid(), 'processing', 100, 9,"
            " 'lost.wav', now() - interval '10 minutes', now() - %s::interval) RETURNING id::text",
            (age,),
        ).fetchone()
        assert row is not None
        if symptom.startswith("database"):
            connection.execute(job, row)
    try:
        run = run_lab(lab, tmp_path, "-k", "storage or overstays or recorded")
    finally:
        with psycopg.connect(lab.owner_dsn) as connection:
            connection.execute("DELETE FROM job_queue WHERE payload ->> 'upload_id' = %s", row)
            connection.execute("DELETE FROM uploads WHERE id::text = %s", row)
    assert run.outcome(symptom)["status"] == "failed", run.text
    lost = run.outcome("storage/stuck_files_exist")
    assert lost["status"] == "failed"
    assert f"1 of 1 upload has no file: {row[0]}" in lost["seen"]


def test_an_upload_that_ended_is_not_stuck(lab: Lab, tmp_path: Path) -> None:
    """Of an upload that ended no file and no log line is missed; its status is still compared."""
    with psycopg.connect(lab.owner_dsn) as connection:
        ended = "'failed', 0, 9, 'old.wav', now() - interval '3 hours', now()"
        row = connection.execute(
            "INSERT INTO uploads (id, user_id, status, progress, size, filename, created_at,"
            f" updated_at) VALUES (gen_random_uuid(), gen_random_uuid(), {ended})"
            " RETURNING id::text"
        ).fetchone()
    assert row is not None
    try:
        run = run_lab(lab, tmp_path, "--upload-id", row[0])
    finally:
        with psycopg.connect(lab.owner_dsn) as connection:
            connection.execute("DELETE FROM uploads WHERE id::text = %s", row)
    assert {run.outcome(check)["status"] for check in OF_STUCK_UPLOADS} == {"skipped"}, run.text
    seen = run.outcome("storage/stuck_files_exist")["seen"]
    assert f"not stuck, so not checked: {row[0]} (failed, 3 h old)" in seen
    assert run.outcome("upload_status/api_agrees_with_database")["status"] == "passed"
    assert run.state == "healthy"
