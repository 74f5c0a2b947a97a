"""One job: read the file, move the upload on, record how it ended."""

from __future__ import annotations

import errno
import threading
import time
from enum import Enum
from typing import TYPE_CHECKING, Any

import psycopg

from lab import database
from lab.audio import NotAudioError, Track
from lab.bugs import Bugs, is_unusual, read_bugs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from uuid import UUID

    from lab.state import Lab
    from lab.zaplog import ZapLog

MAX_ATTEMPTS = 3
CALLER = "jobs/upload_processor.go"


class DeadlineExceededError(Exception):
    """Processing took longer than it may."""


class Verdict(Enum):
    """What becomes of the job's message."""

    DONE = "acknowledge"
    RETRY = "back into the queue"
    DEAD = "into the dead-letter queue"


class Processor:
    """Works off one job at a time for each thread that calls it."""

    def __init__(self, lab: Lab, pool: database.Pool, zap: ZapLog) -> None:
        self._lab = lab
        self._pool = pool
        self._zap = zap
        self._attempts: dict[UUID, int] = {}
        self._lock = threading.Lock()

    def process(self, job: UUID) -> Verdict:
        """Process the job; never raises. What went wrong is in the log and the database."""
        bugs = read_bugs(self._lab.directory)
        try:
            with self._pool.connection() as session:
                row = database.start_job(session, job)
            if row is None:
                return Verdict.DONE
            return self._attempt(job, row, bugs)
        except psycopg.Error as exc:
            # Not the job's fault: it waits for the database.
            self._zap.warn(
                f"{CALLER}:58", "database unavailable, job put back", reason=database.reason(exc)
            )
            return Verdict.RETRY

    def _attempt(self, job: UUID, row: dict[str, Any], bugs: Bugs) -> Verdict:
        upload: UUID = row["id"]
        name: str = row["filename"]
        # The bug: status updates are sent to the job's id instead of the upload's.
        target = job if bugs.loses_updates and is_unusual(name) else upload
        began = time.monotonic()
        try:
            path = self._lab.uploads / str(upload) / stored_name(name)
            _check_size(path, row["size"])
            with Track(path) as track:
                self._moved(job, upload, target, "uploading", "processing", 10)
                track.analyse(self._watch(target, name, began, bugs))
        except (OSError, NotAudioError, DeadlineExceededError) as exc:
            return self._failed(job, upload, exc, bugs)
        with self._pool.connection() as session:
            database.complete_job(session, job)
        self._moved(job, upload, target, "processing", "completed", 100)
        with self._lock:
            self._attempts.pop(job, None)
        return Verdict.DONE

    def _moved(
        self, job: UUID, upload: UUID, target: UUID, before: str, after: str, progress: int
    ) -> None:
        with self._pool.connection() as session:
            database.set_status(session, target, after, progress)
        self._zap.info(
            f"{CALLER}:78",
            f"process_upload: {before} -> {after}",
            id=str(upload),
            job_id=str(job),
            status=after,
        )

    def _watch(self, target: UUID, name: str, began: float, bugs: Bugs) -> Callable[[float], None]:
        """What is to be done after each chunk: tell the progress, mind the deadline."""
        deadline = began + bugs.processing_timeout
        shown = 10

        def on_progress(share: float) -> None:
            nonlocal shown
            if bugs.hangs and is_unusual(name):
                threading.Event().wait()
            if bugs.seconds_per_chunk:
                time.sleep(max(0.0, min(bugs.seconds_per_chunk, deadline - time.monotonic())))
            if time.monotonic() >= deadline:
                raise DeadlineExceededError("context deadline exceeded")
            progress = 10 + int(80 * share)
            if progress >= shown + 40:
                shown = progress
                with self._pool.connection() as session:
                    database.set_status(session, target, "processing", progress)

        return on_progress

    def _failed(self, job: UUID, upload: UUID, exc: Exception, bugs: Bugs) -> Verdict:
        message = f"{exc.strerror}: {exc.filename}" if isinstance(exc, OSError) else str(exc)
        if isinstance(exc, NotAudioError):
            return self._rejected(job, upload, message, bugs)
        self._zap.error(f"{CALLER}:139", "upload processing failed", id=str(upload), error=message)
        if isinstance(exc, OSError):
            # Nothing that trying again would mend: an operator puts the storage right.
            with self._pool.connection() as session:
                database.fail_job(session, job, message)
                database.keep_for_operator(session, upload, message)
            return Verdict.DONE
        with self._lock:
            attempt = self._attempts.get(job, 0) + 1
            self._attempts[job] = attempt
        with self._pool.connection() as session:
            database.keep_for_operator(session, upload, message)
            if attempt < MAX_ATTEMPTS:
                database.retry_job(session, job)
                return Verdict.RETRY
            database.fail_job(session, job, message)
        self._zap.error(f"{CALLER}:158", "job failed", job_id=str(job), attempts=attempt)
        with self._lock:
            self._attempts.pop(job, None)
        return Verdict.DEAD

    def _rejected(self, job: UUID, upload: UUID, message: str, bugs: Bugs) -> Verdict:
        """A file that is no audio: normally the user's mistake, which the user is told."""
        with self._pool.connection() as session:
            if bugs.swallows_errors:
                database.complete_job(session, job)
            elif bugs.forgets_errors:
                database.fail_job(session, job, None)
            else:
                database.fail_job(session, job, message)
                database.fail_upload(session, upload, message)
                self._zap.warn(f"{CALLER}:171", "upload rejected", id=str(upload), reason=message)
        return Verdict.DONE


def _check_size(path: Path, recorded: int | None) -> None:
    """A file that is not what was received is the storage's trouble, not the user's."""
    size = path.stat().st_size
    if recorded is not None and size != recorded:
        raise OSError(errno.EIO, f"{size} of {recorded} bytes", str(path))


def stored_name(filename: str) -> str:
    """A name that is safe inside the upload's own directory, derived from the user's."""
    base = filename.replace("\\", "/").rpartition("/")[2]
    kept = "".join(
        char if (char.isalnum() and char.isascii()) or char in "._-" else "_" for char in base
    )
    return kept.lstrip(".")[-100:] or "upload"
