"""Seed data of a new lab: a day of uploads and jobs, the newest files, ten minutes of logs."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg

from lab.audio import tone
from lab.state import QUEUE, Lab
from lab.zaplog import zap_line

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
    uploads, jobs, lines = [], [], []
    # Most uploads are recent; a few lie within the last ten minutes.
    ages = sorted(30 + 86_000 * (i / UPLOADS) ** 2.2 for i in range(UPLOADS))
    for number, age in enumerate(ages):
        created = now - timedelta(seconds=age)
        started = created + timedelta(seconds=random_source.uniform(0.1, 2))
        ended = started + timedelta(seconds=random_source.uniform(0.5, 9))
        upload, job, user = (UUID(int=random_source.getrandbits(128), version=4) for _ in range(3))
        has_file = number < UPLOADS_WITH_FILE
        failed = not has_file and number % 47 == 0
        error = random_source.choice(REJECTIONS) if failed else None
        status = "failed" if failed else "completed"
        name = f"take-{number:03d}.wav"
        size = len(audio) if has_file else random_source.randrange(200_000, 40_000_000)
        progress = 10 if failed else 100
        uploads.append((upload, user, name, status, progress, size, created, ended, error))
        jobs.append((job, QUEUE, str(upload), status, created, started, ended, error))
        if has_file:
            directory = lab.uploads / str(upload)
            directory.mkdir()
            (directory / name).write_bytes(audio)
        if age < LOG_SECONDS:
            lines += _transition_lines(str(upload), str(job), created, started, ended)
    with psycopg.connect(lab.owner_dsn) as session, session.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO uploads (id, user_id, filename, status, progress, size, created_at,"
            " updated_at, error_message) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            uploads,
        )
        cursor.executemany(
            "INSERT INTO job_queue (id, type, payload, status, created_at, started_at,"
            " completed_at, error)"
            " VALUES (%s, %s, jsonb_build_object('upload_id', %s::text), %s, %s, %s, %s, %s)",
            jobs,
        )
    _write_logs(lab, lines)


def _transition_lines(
    upload: str, job: str, created: datetime, started: datetime, ended: datetime
) -> list[tuple[float, str, str]]:
    """Return (seconds since 1970, "api" or "jobs", log line) for each transition of an upload."""

    def line(at: datetime, caller: str, msg: str, status: str) -> str:
        return zap_line("info", at.timestamp(), caller, msg, id=upload, job_id=job, status=status)

    processor = "jobs/upload_processor.go:78"
    transitions = (
        (started, "process_upload: uploading -> processing", "processing"),
        (ended, "process_upload: processing -> completed", "completed"),
    )
    return [
        (
            created.timestamp(),
            "api",
            line(created, "handlers/upload.go:88", "upload accepted", "uploading"),
        ),
        *(
            (at.timestamp(), "jobs", line(at, processor, msg, status))
            for at, msg, status in transitions
        ),
    ]


def _write_logs(lab: Lab, lines: list[tuple[float, str, str]]) -> None:
    """Write the logs of API and worker, with the worker's heartbeats between the transitions."""
    now = int(time.time())
    heartbeats = [
        (
            float(ts),
            "jobs",
            zap_line("info", ts, "jobs/worker.go:66", "job worker heartbeat", consuming=True),
        )
        for ts in range(now - LOG_SECONDS, now, 2)
    ]
    lines = sorted(lines + heartbeats)
    api = "".join(line for _, source, line in lines if source == "api")
    jobs = "".join(line for _, source, line in lines if source == "jobs")
    (lab.app_logs / "api.log").write_text(api)
    (lab.app_logs / "jobs.log").write_text(jobs)
    (lab.worker_logs / "worker.log").write_text(jobs)
