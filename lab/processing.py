"""Process one job: decode the file, update the upload, record the result."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from lab import database
from lab.audio import NotAudioError, Track
from lab.bugs import Bugs, is_unusual, read_bugs

if TYPE_CHECKING:
    from lab.state import Lab
    from lab.zaplog import ZapLog

MAX_ATTEMPTS = 3
CALLER = "jobs/upload_processor.go"


class DeadlineExceededError(Exception):
    """Processing took longer than `processing_timeout`."""


class BrokerAnswer(Enum):
    """The answer to the broker about a job's message."""

    DONE = "acknowledge"
    RETRY = "requeue"
    REJECT = "requeue at once"
    DEAD = "dead-letter"


class Processor:
    """Processes jobs; safe to call from several threads."""

    def __init__(self, lab: Lab, pool: database.Pool, zap: ZapLog) -> None:
        self._lab = lab
        self._pool = pool
        self._zap = zap
        # A message may come twice: from a worker that died, or from a broker that lost its
        # acknowledgement. A row of the table is one worker's alone.
        self._startable = ("pending", "processing") if lab.broker else ("pending",)
        self._attempts: dict[str, int] = {}
        self._lock = threading.Lock()

    def process(self, job: str) -> BrokerAnswer:
        """Process a job and record its errors in the log and the database; raises nothing."""
        bugs = read_bugs(self._lab.directory)
        try:
            with self._pool.connection() as session:
                row = database.start_job(session, self._lab.variant, job, self._startable)
            if row is None:
                return BrokerAnswer.DONE
            return self._attempt(job, row, bugs)
        except psycopg.Error as exc:
            # The job is not at fault: it is tried again once the database answers.
            self._zap.warn(
                f"{CALLER}:58", "database unavailable, job put back", reason=database.reason(exc)
            )
            return BrokerAnswer.RETRY

    def _attempt(self, job: str, row: dict[str, Any], bugs: Bugs) -> BrokerAnswer:
        upload: str = row["id"]
        name: str = row["filename"]
        # The bug `loses_updates`: the job's id in the place of the upload's.
        status_id = job if bugs.loses_updates and is_unusual(name) else upload
        deadline = time.monotonic() + bugs.processing_timeout
        try:
            path = self._lab.stored_file(upload, stored_name(name))
            _check_size(path, row["size"])
            with Track(path) as track:
                self._change_status(job, upload, status_id, "uploading", "processing", 10)
                track.analyse(self._progress_callback(status_id, name, deadline, bugs))
        except (OSError, NotAudioError, DeadlineExceededError) as exc:
            return self._record_error(job, upload, exc, bugs)
        with self._pool.connection() as session:
            database.complete_job(session, job)
        self._change_status(job, upload, status_id, "processing", "completed", 100)
        with self._lock:
            self._attempts.pop(job, None)
        return BrokerAnswer.DONE

    def _change_status(
        self, job: str, upload: str, status_id: str, before: str, after: str, progress: int
    ) -> None:
        with self._pool.connection() as session:
            database.set_status(session, status_id, after, progress)
        self._zap.info(
            f"{CALLER}:78",
            "process_upload: %s -> %s",
            before,
            after,
            id=upload,
            job_id=job,
            status=after,
        )

    def _progress_callback(
        self, status_id: str, name: str, deadline: float, bugs: Bugs
    ) -> Callable[[float], None]:
        """Return a callback for each chunk that saves the progress and enforces the deadline."""
        saved = 10

        def on_progress(share: float) -> None:
            nonlocal saved
            if bugs.hangs and is_unusual(name):
                threading.Event().wait()
            if bugs.seconds_per_chunk:
                time.sleep(max(0.0, min(bugs.seconds_per_chunk, deadline - time.monotonic())))
            if time.monotonic() >= deadline:
                raise DeadlineExceededError("context deadline exceeded")
            progress = 10 + int(80 * share)
            if progress >= saved + 40:
                saved = progress
                with self._pool.connection() as session:
                    database.set_status(session, status_id, "processing", progress)

        return on_progress

    def _record_error(self, job: str, upload: str, exc: Exception, bugs: Bugs) -> BrokerAnswer:
        message = f"{exc.strerror}: {exc.filename}" if isinstance(exc, OSError) else str(exc)
        if isinstance(exc, NotAudioError):
            return self._reject(job, upload, message, bugs)
        self._zap.error(f"{CALLER}:139", "upload processing failed", id=upload, error=message)
        if isinstance(exc, OSError):
            # No retry: an operator must repair the storage first.
            with self._pool.connection() as session:
                database.fail_job(session, job, message)
                database.keep_for_operator(session, upload, message)
            return BrokerAnswer.DONE
        with self._lock:
            attempt = self._attempts.get(job, 0) + 1
            self._attempts[job] = attempt
        with self._pool.connection() as session:
            database.keep_for_operator(session, upload, message)
            if attempt < MAX_ATTEMPTS:
                database.retry_job(session, job)
                return BrokerAnswer.RETRY
            database.fail_job(session, job, message)
        self._zap.error(f"{CALLER}:158", "job failed", job_id=job, attempts=attempt)
        with self._lock:
            self._attempts.pop(job, None)
        return BrokerAnswer.DEAD

    def _reject(self, job: str, upload: str, message: str, bugs: Bugs) -> BrokerAnswer:
        """Record that a file is not audio; without a bug, its user sees the message."""
        if bugs.abandons_jobs:
            return BrokerAnswer.DONE
        with self._pool.connection() as session:
            if bugs.swallows_errors:
                database.complete_job(session, job)
            elif bugs.forgets_errors:
                database.fail_job(session, job, None)
            else:
                database.fail_job(session, job, message)
                database.fail_upload(session, upload, message)
                self._zap.warn(f"{CALLER}:171", "upload rejected", id=upload, reason=message)
        return BrokerAnswer.DONE


def _check_size(path: Path, recorded: int | None) -> None:
    """Raise OSError when a file's size differs from the size that was received."""
    size = path.stat().st_size
    if recorded is not None and size != recorded:
        raise OSError(errno.EIO, f"{size} of {recorded} bytes", str(path))


def stored_name(filename: str) -> str:
    """Return a safe file name, derived from the user's, for the upload's directory."""
    base = filename.replace("\\", "/").rpartition("/")[2]
    safe = "".join(
        char if (char.isalnum() and char.isascii()) or char in "._-" else "_" for char in base
    )
    return safe.lstrip(".")[-100:] or "upload"
