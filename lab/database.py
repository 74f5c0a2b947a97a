"""SQL of API and worker, and a small connection pool."""

from __future__ import annotations

import queue
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import psycopg
from psycopg.rows import DictRow, dict_row

from lab.state import QUEUE

if TYPE_CHECKING:
    from collections.abc import Iterator

Connection = psycopg.Connection[DictRow]
STATUSES = ("uploading", "pending", "processing", "completed", "failed", "quarantined")


def reason(exc: Exception) -> str:
    """Return the first line of a database error, worded as a Go driver words it."""
    text = str(exc).partition("\n")[0]
    if "refused" in text:
        return "dial tcp: connect: connection refused"
    if isinstance(exc, psycopg.OperationalError) and exc.sqlstate is None:
        return "unexpected EOF"
    return f"pq: {text}"


class Pool:
    """A pool of connections for one process; it replaces broken ones."""

    def __init__(self, dsn: str, application: str, size: int = 8) -> None:
        self._dsn = dsn
        self._application = application
        self._idle: queue.LifoQueue[Connection] = queue.LifoQueue(size)

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Lend a connection within one transaction; raises psycopg.OperationalError."""
        connection = self._borrow()
        try:
            with connection.transaction():
                yield connection
        except BaseException:
            if connection.closed or connection.broken:
                connection.close()
            else:
                self._return(connection)
            raise
        self._return(connection)

    def _borrow(self) -> Connection:
        try:
            while True:
                connection = self._idle.get_nowait()
                try:
                    # The server may have restarted since the last use.
                    connection.execute("SELECT 1")
                except psycopg.OperationalError:
                    connection.close()
                else:
                    return connection
        except queue.Empty:
            return psycopg.connect(
                self._dsn,
                row_factory=dict_row,
                autocommit=True,
                connect_timeout=3,
                application_name=self._application,
                options="-c statement_timeout=8000",
            )

    def _return(self, connection: Connection) -> None:
        try:
            self._idle.put_nowait(connection)
        except queue.Full:
            connection.close()


def create_upload(session: Connection, upload: UUID, user: UUID, filename: str) -> None:
    """Insert an upload with status `uploading`."""
    session.execute(
        "INSERT INTO uploads (id, user_id, filename, status, progress)"
        " VALUES (%s, %s, %s, 'uploading', 0)",
        (upload, user, filename),
    )


def find_upload(session: Connection, upload: UUID) -> DictRow | None:
    """Return the row of an upload, None when there is none."""
    return session.execute("SELECT * FROM uploads WHERE id = %s", (upload,)).fetchone()


def find_token(session: Connection, digest: str) -> DictRow | None:
    """Return the token with this SHA-256 digest, None when it is unknown or revoked."""
    return session.execute(
        "SELECT user_id FROM api_tokens WHERE token_sha256 = %s AND revoked_at IS NULL", (digest,)
    ).fetchone()


def delete_upload(session: Connection, upload: UUID) -> None:
    """Delete an upload and its jobs."""
    delete_jobs(session, upload)
    session.execute("DELETE FROM uploads WHERE id = %s", (upload,))


def delete_jobs(session: Connection, upload: UUID) -> None:
    """Delete the jobs of an upload."""
    session.execute("DELETE FROM job_queue WHERE payload ->> 'upload_id' = %s", (str(upload),))


def create_job(session: Connection, upload: UUID) -> UUID:
    """Insert a pending job for an upload and return its id."""
    job = uuid4()
    session.execute(
        "INSERT INTO job_queue (id, type, payload, status)"
        " VALUES (%s, %s, jsonb_build_object('upload_id', %s::text), 'pending')",
        (job, QUEUE, str(upload)),
    )
    return job


def set_received(session: Connection, upload: UUID, size: int) -> None:
    """Record that all of an upload has arrived, with its size in bytes."""
    session.execute(
        "UPDATE uploads SET progress = 100, size = %s, updated_at = now() WHERE id = %s",
        (size, upload),
    )


def set_status(session: Connection, upload: UUID, status: str, progress: int) -> None:
    """Set an upload's status and progress in percent; a completed one loses its error."""
    session.execute(
        "UPDATE uploads SET status = %s, progress = %s, updated_at = now(),"
        " error_message = CASE WHEN %s = 'completed' THEN NULL ELSE error_message END"
        " WHERE id = %s",
        (status, progress, status, upload),
    )


def start_job(session: Connection, job: UUID) -> dict[str, Any] | None:
    """Mark a job as `processing` and return its upload's row; None when the job has ended.

    A message can be delivered twice, so an ended job must not start again.
    """
    return session.execute(
        "UPDATE job_queue j SET status = 'processing', started_at = now(), error = NULL"
        " FROM uploads u WHERE j.id = %s AND j.status IN ('pending', 'processing')"
        " AND u.id = (j.payload ->> 'upload_id')::uuid"
        " RETURNING u.id, u.filename, u.size",
        (job,),
    ).fetchone()


def complete_job(session: Connection, job: UUID) -> None:
    """Mark a job as completed."""
    session.execute(
        "UPDATE job_queue SET status = 'completed', completed_at = now() WHERE id = %s", (job,)
    )


def retry_job(session: Connection, job: UUID) -> None:
    """Mark a job as pending again."""
    session.execute(
        "UPDATE job_queue SET status = 'pending', started_at = NULL WHERE id = %s", (job,)
    )


def fail_job(session: Connection, job: UUID, error: str | None) -> None:
    """Mark a job as failed, with its error."""
    session.execute(
        "UPDATE job_queue SET status = 'failed', completed_at = now(), error = %s WHERE id = %s",
        (error, job),
    )


def fail_upload(session: Connection, upload: UUID, message: str) -> None:
    """Mark an upload as failed, with the message that its user sees."""
    session.execute(
        "UPDATE uploads SET status = 'failed', error_message = %s, updated_at = now()"
        " WHERE id = %s",
        (message, upload),
    )


def keep_for_operator(session: Connection, upload: UUID, message: str) -> None:
    """Set an upload back to `uploading` with an error: an operator can have it processed again."""
    session.execute(
        "UPDATE uploads SET status = 'uploading', error_message = %s, updated_at = now()"
        " WHERE id = %s",
        (message, upload),
    )


def heartbeat(session: Connection, worker: str, consuming: bool) -> None:
    """Record that a worker is alive, and whether it consumes jobs."""
    session.execute(
        "INSERT INTO worker_heartbeats (worker, seen_at, consuming) VALUES (%s, now(), %s)"
        " ON CONFLICT (worker) DO UPDATE SET seen_at = now(), consuming = excluded.consuming",
        (worker, consuming),
    )
