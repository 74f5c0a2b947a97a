"""Seed data of a new lab: a day of uploads and jobs, the newest files, ten minutes of logs."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, LiteralString

import psycopg

from lab.audio import tone
from lab.database import payload_of
from lab.state import WORKER, Lab
from lab.zaplog import log_line

if TYPE_CHECKING:
    from lab.variants import Variant

UPLOADS = 300
UPLOADS_WITH_FILE = 20
LOG_SECONDS = 600
REJECTIONS = (
    "not a RIFF/WAVE file: file does not start with RIFF id",
    "not a RIFF/WAVE file: unknown format: 85",
    "24-bit samples at 48000 Hz are not supported",
)


def seed(lab: Lab) -> None:
    """Write the seed data; its uploads are at least 30 s old and all have ended."""
    random_source = random.Random(20251215)  # noqa: S311 - made-up data, the same in every lab
    now = datetime.now(UTC)
    audio = tone(0.4)
    lines: list[tuple[float, str, str]] = []
    # Most uploads are recent; a few lie within the last ten minutes. The oldest gets the first id.
    ages = sorted((30 + 86_000 * (i / UPLOADS) ** 2.2 for i in range(UPLOADS)), reverse=True)
    with psycopg.connect(lab.owner_dsn) as session:
        for number, age in enumerate(ages):
            created = now - timedelta(seconds=age)
            started = created + timedelta(seconds=random_source.uniform(0.1, 2))
            ended = started + timedelta(seconds=random_source.uniform(0.5, 9))
            has_file = number >= UPLOADS - UPLOADS_WITH_FILE
            failed = not has_file and number % 47 == 0
            error = random_source.choice(REJECTIONS) if failed else None
            status = "failed" if failed else "completed"
            name = f"take-{number:03d}.wav"
            size = len(audio) if has_file else random_source.randrange(200_000, 40_000_000)
            user = lab.variant.ids.operator
            upload = _insert(
                session,
                "INSERT INTO uploads (user_id, filename, status, progress, size, created_at,"
                " updated_at, error_message) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"
                " RETURNING id::text",
                *(user, name, status, 10 if failed else 100, size, created, ended, error),
            )
            job = _insert(
                session,
                "INSERT INTO job_queue (type, payload, status, created_at, started_at,"
                " completed_at, error) VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id::text",
                *(lab.variant.job_type, payload_of(lab.variant, upload), status),
                *(created, started, ended, error),
            )
            if has_file:
                path = lab.stored_file(upload, name)
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(audio)
            if age < LOG_SECONDS:
                lines += _transition_lines(lab.variant, upload, job, created, started, ended)
    _write_logs(lab, lines)


def _insert(session: psycopg.Connection, statement: LiteralString, *values: object) -> str:
    """Insert a row and return its id."""
    row = session.execute(statement, values).fetchone()
    assert row is not None
    return str(row[0])


def _transition_lines(
    variant: Variant, upload: str, job: str, created: datetime, started: datetime, ended: datetime
) -> list[tuple[float, str, str]]:
    """Return (seconds since 1970, "api" or "jobs", log line) for each transition of an upload."""
    processor, msg = "jobs/upload_processor.go:78", "process_upload: %s -> %s"
    accepted = log_line(
        variant,
        "info",
        created.timestamp(),
        "handlers/upload.go:88",
        "upload accepted",
        id=upload,
        status="uploading",
    )
    transitions = ((started, "uploading", "processing"), (ended, "processing", "completed"))
    return [
        (created.timestamp(), "api", accepted),
        *(
            (
                at.timestamp(),
                "jobs",
                log_line(
                    variant,
                    "info",
                    at.timestamp(),
                    processor,
                    msg,
                    before,
                    after,
                    id=upload,
                    job_id=job,
                    status=after,
                ),
            )
            for at, before, after in transitions
        ),
    ]


def _write_logs(lab: Lab, lines: list[tuple[float, str, str]]) -> None:
    """Write the logs of API and workers, with heartbeats between the transitions.

    Of several workers, the first has done all the work.
    """
    now = int(time.time())
    heartbeats = [
        (
            float(ts),
            "jobs",
            log_line(
                lab.variant,
                "info",
                ts,
                "jobs/worker.go:66",
                "job worker heartbeat",
                consuming=True,
            ),
        )
        for ts in range(now - LOG_SECONDS, now, 2)
    ]
    _write(lab.api_log, [line for line in lines if line[1] == "api"])
    jobs = [line for line in lines if line[1] == "jobs"]
    for worker in lab.workers:
        for path in lab.worker_log_files(worker):
            _write(path, heartbeats + (jobs if worker == WORKER else []))


def _write(path: Path, lines: list[tuple[float, str, str]]) -> None:
    path.write_text("".join(text for _, _, text in sorted(lines)), encoding="utf-8")
