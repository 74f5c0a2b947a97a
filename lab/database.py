"""SQL of API and worker, and a small connection pool.

Ids are text: the database casts them to its own type. What the statements call `uploads` and
`job_queue` are tables or views, see lab.variants.
"""

from __future__ import annotations

import json
import queue
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql
from psycopg.rows import DictRow, dict_row

if TYPE_CHECKING:
    from lab.variants import Variant

Connection = psycopg.Connection[DictRow]
# For sessions that must write while the database is read-only for the application.
WRITABLE = "-c default_transaction_read_only=off"
HEARTBEAT_MAX_SECONDS = 4
STATUSES = ("uploading", "pending", "processing", "completed", "failed", "quarantined")


def reason(exc: Exception) -> str:
    """Return the first line of a database error, worded as a Go driver words it."""
    text = str(exc).partition("\n")[0]
    if "refused" in text:
        return "dial tcp: connect: connection refused"
    # A refused login has no SQLSTATE here, but the server's reason.
    _, fatal, refusal = text.partition("FATAL:  ")
    if fatal:
        return f"pq: {refusal}"
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


UPLOAD = sql.SQL(
    "SELECT id::text, {track_column}::text AS track_id, user_id::text, filename,"
    " status::text, progress, size, created_at, updated_at, error_message"
    " FROM uploads WHERE {key} = %s"
)


def create_upload(session: Connection, user: str, filename: str) -> str:
    """Insert an upload with status `uploading` and return its id."""
    row = session.execute(
        "INSERT INTO uploads (user_id, filename, status, progress)"
        " VALUES (%s, %s, 'uploading', 0) RETURNING id::text",
        (user, filename),
    ).fetchone()
    return _id_of(row)


def _id_of(row: DictRow | None) -> str:
    """Return the id of a row that an INSERT has returned."""
    assert row is not None
    return str(row["id"])


def find_upload(
    session: Connection, value: str, track_column: str, *, by_track: bool = False
) -> DictRow | None:
    """Return the row of an upload by its own id or its track's, None when there is none."""
    key = track_column if by_track else "id"
    statement = UPLOAD.format(track_column=sql.Identifier(track_column), key=sql.Identifier(key))
    return session.execute(statement, (value,)).fetchone()


def find_token(session: Connection, digest: str) -> DictRow | None:
    """Return the token with this SHA-256 digest, None when it is unknown or revoked."""
    return session.execute(
        "SELECT user_id FROM api_tokens WHERE token_sha256 = %s AND revoked_at IS NULL", (digest,)
    ).fetchone()


def delete_upload(session: Connection, upload: str) -> None:
    """Delete an upload and its jobs."""
    delete_jobs(session, upload)
    session.execute("DELETE FROM uploads WHERE id = %s", (upload,))


def delete_jobs(session: Connection, upload: str) -> None:
    """Delete the jobs of an upload."""
    session.execute("DELETE FROM job_queue WHERE payload::jsonb ->> 'upload_id' = %s", (upload,))


def create_job(session: Connection, variant: Variant, upload: str) -> str:
    """Insert a pending job for an upload and return its id."""
    row = session.execute(
        "INSERT INTO job_queue (type, payload, status) VALUES (%s, %s, 'pending')"
        " RETURNING id::text",
        (variant.job_type, payload_of(variant, upload)),
    ).fetchone()
    return _id_of(row)


def payload_of(variant: Variant, upload: str) -> str:
    """Return the payload of an upload's job."""
    return json.dumps({"upload_id": variant.ids.in_json(upload)})


def set_progress(session: Connection, upload: str, progress: int) -> None:
    """Record how many percent of an upload have arrived."""
    session.execute(
        "UPDATE uploads SET progress = %s, updated_at = now() WHERE id = %s", (progress, upload)
    )


def set_received(session: Connection, upload: str, size: int) -> None:
    """Record that all of an upload has arrived, with its size in bytes."""
    session.execute(
        "UPDATE uploads SET progress = 100, size = %s, updated_at = now() WHERE id = %s",
        (size, upload),
    )


def set_status(session: Connection, upload: str, status: str, progress: int) -> None:
    """Set an upload's status and progress in percent; a completed one loses its error."""
    session.execute(
        "UPDATE uploads SET status = %s, progress = %s, updated_at = now(),"
        " error_message = CASE WHEN %s = 'completed' THEN NULL ELSE error_message END"
        " WHERE id = %s",
        (status, progress, status, upload),
    )


def start_job(
    session: Connection, variant: Variant, job: str, statuses: Sequence[str]
) -> DictRow | None:
    """Mark a job as `processing` and return its upload's row.

    Returns None when the job has none of these statuses: a message can be delivered twice, and an
    ended job must not start again. So it does when the upload was deleted.
    """
    # Each row by its own key, as an application does: a join by the text of the ids reads a table.
    named = session.execute(
        "SELECT payload::jsonb ->> 'upload_id' AS upload FROM job_queue WHERE id = %s", (job,)
    ).fetchone()
    upload = find_upload(session, named["upload"], variant.track_column) if named else None
    if upload is None:
        return None
    started = session.execute(
        "UPDATE job_queue SET status = 'processing', started_at = now(), error = NULL"
        " WHERE id = %s AND status::text = ANY(%s) RETURNING id",
        (job, list(statuses)),
    ).fetchone()
    return upload if started else None


def complete_job(session: Connection, job: str) -> None:
    """Mark a job as completed."""
    session.execute(
        "UPDATE job_queue SET status = 'completed', completed_at = now() WHERE id = %s", (job,)
    )


def retry_job(session: Connection, job: str) -> None:
    """Mark a job as pending again."""
    session.execute(
        "UPDATE job_queue SET status = 'pending', started_at = NULL WHERE id = %s", (job,)
    )


def fail_job(session: Connection, job: str, error: str | None) -> None:
    """Mark a job as failed, with its error."""
    session.execute(
        "UPDATE job_queue SET status = 'failed', completed_at = now(), error = %s WHERE id = %s",
        (error, job),
    )


def fail_upload(session: Connection, upload: str, message: str) -> None:
    """Mark an upload as failed, with the message that its user sees."""
    session.execute(
        "UPDATE uploads SET status = 'failed', error_message = %s, updated_at = now()"
        " WHERE id = %s",
        (message, upload),
    )


def keep_for_operator(session: Connection, upload: str, message: str) -> None:
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


def consuming_workers(session: Connection) -> dict[str, float]:
    """Return the workers that are alive and consume jobs, with the age of each heartbeat."""
    rows = session.execute(
        "SELECT worker, extract(epoch FROM now() - seen_at)::float AS age FROM worker_heartbeats"
        " WHERE consuming AND now() - seen_at < make_interval(secs => %s)",
        (HEARTBEAT_MAX_SECONDS,),
    )
    return {row["worker"]: row["age"] for row in rows}


def worker_state(session: Connection) -> str:
    """Return "ok" while any worker is alive and consumes jobs, or else the reason."""
    row = session.execute(
        "SELECT consuming, extract(epoch FROM now() - seen_at)::float AS age"
        " FROM worker_heartbeats"
        " ORDER BY (now() - seen_at < make_interval(secs => %s) AND consuming) DESC, seen_at DESC"
        " LIMIT 1",
        (HEARTBEAT_MAX_SECONDS,),
    ).fetchone()
    if row is None:
        return "no worker has sent a heartbeat yet"
    if row["age"] > HEARTBEAT_MAX_SECONDS:
        return f"last heartbeat {row['age']:.0f} s ago"
    return "ok" if row["consuming"] else "running but not consuming"
