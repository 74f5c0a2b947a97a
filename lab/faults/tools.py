"""Tools that faults are made with: processes, bugs, SQL, uploads, ages, and waiting."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, LiteralString
from uuid import uuid4

import httpx
import psycopg
from psycopg.rows import dict_row

from lab import broker, control, database, targets
from lab.audio import tone
from lab.bugs import read_bugs, write_bugs
from lab.database import WRITABLE
from lab.errors import LabError
from lab.processes import process_state, uptime, wait_until
from lab.processing import stored_name
from lab.state import LOAD_GENERATOR, WORKER, load

NOT_AUDIO = b"ID3\x03\x00 not a RIFF file, although its name ends in .wav\n" * 40
HISTORY_MINUTES = 50
STEM = "session"
"""How the files of the uploads are named that faults make."""

STUCK_UPLOADS = 8
OLDEST_MINUTES, NEWEST_MINUTES = 47.0, 12.5


class FaultTools:
    """The tools for one injection or one healing; a context manager that closes its HTTP client."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.lab = load(directory)
        self._client: httpx.Client | None = None

    def __enter__(self) -> FaultTools:
        return self

    def __exit__(self, *_: object) -> None:
        if self._client:
            self._client.close()

    # Processes

    def ask(self, command: str, **arguments: object) -> Any:
        """Send a command to the supervisor and return its answer; raises LabError."""
        return control.ask(self.directory, command, arguments)

    def start(self, name: str) -> None:
        """Start a service, unless it runs."""
        self.ask("start", name=name)

    def stop(self, name: str) -> None:
        """Stop a service, if it runs."""
        self.ask("stop", name=name)

    def pid(self, name: str) -> int | None:
        """Return the process id of a service, None when it does not run."""
        process = self.ask("status")["processes"].get(name)
        return process["pid"] if process else None

    def signal(self, name: str, number: int, until: str | None = None) -> None:
        """Send a signal to a service and wait for the process state `until`; None: for its end."""
        pid = self.pid(name)
        if pid is None:
            return
        self.ask("signal", name=name, number=number)
        states = (None, "Z") if until is None else (until,)
        self.wait(lambda: process_state(pid) in states, 10, f"signal {number} for {name}")

    def signal_workers(self, number: int, until: str | None = None) -> None:
        """Send a signal to each worker and wait as `signal` does."""
        for worker in self.lab.workers:
            self.signal(worker, number, until)

    def start_helper(self, name: str, *arguments: str) -> None:
        """Start the module `name` of this package as a process of the supervisor."""
        argv = [f"lab.faults.{name}", "--dir", str(self.directory), *arguments]
        self.ask("helper", name=name, argv=argv)

    @contextmanager
    def load_generator_stopped(self) -> Iterator[None]:
        """Stop the load generator for a while, so that it neither uploads nor deletes."""
        self.stop(LOAD_GENERATOR)
        try:
            yield
        finally:
            self.start(LOAD_GENERATOR)

    # The program's bugs

    def turn_on(self, **bugs: bool | float) -> None:
        """Turn on bugs of the lab's program, or off by False; the others stay as they are."""
        current = read_bugs(self.directory)
        write_bugs(self.directory, dataclasses.replace(current, **bugs))  # type: ignore[arg-type]

    # The database

    def query(self, statement: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        """Run one statement as the owner of the tables and return its rows."""
        with self._owner_session() as session:
            cursor = session.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def _owner_session(self) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(self.lab.owner_dsn, connect_timeout=5, options=WRITABLE)

    def is_read_only(self) -> bool:
        """Return whether the application's new sessions are read-only by default."""
        with psycopg.connect(self.lab.owner_dsn, connect_timeout=5) as session:
            return session.execute("SHOW default_transaction_read_only").fetchone() == ("on",)

    def set_read_only(self, *, on: bool) -> None:
        """Make the database read-only by default, or not, and end the application's sessions."""
        dsn = self.lab.superuser_dsn
        with psycopg.connect(dsn, connect_timeout=5, options=WRITABLE) as session:
            if on:
                session.execute("ALTER DATABASE veza SET default_transaction_read_only = on")
            else:
                session.execute("ALTER DATABASE veza RESET default_transaction_read_only")
            session.commit()
            session.autocommit = True
            # One that is being opened has read the setting, and has no user yet.
            statement = (
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE backend_type = 'client backend' AND coalesce(usename, 'veza') = 'veza'"
                " AND backend_start < %s"
            )
            now = session.execute("SELECT clock_timestamp()").fetchone()
            self.wait(
                lambda: not session.execute(statement, now).fetchall(),
                10,
                "the end of the application's sessions",
            )

    def uploads_with(
        self, uploads: Sequence[str], status: str, job_status: str | None
    ) -> list[str]:
        """Return those of `uploads` with this status and this job status (None: no job)."""
        rows = self.query(
            "SELECT u.id::text FROM uploads u LEFT JOIN job_queue j"
            " ON j.payload::jsonb ->> 'upload_id' = u.id::text"
            " WHERE u.id::text = ANY(%s) AND u.status = %s"
            " AND j.status::text IS NOT DISTINCT FROM %s ORDER BY u.created_at",
            list(uploads),
            status,
            job_status,
        )
        return [row[0] for row in rows]

    def worker_state(self) -> str:
        """Return "ok" while a worker is alive and consumes jobs, or else the reason."""
        with self._dict_session() as session:
            return database.worker_state(session)

    def _dict_session(self) -> database.Connection:
        return psycopg.connect(self.lab.owner_dsn, connect_timeout=5, row_factory=dict_row)

    def wait_for_all_workers(self) -> None:
        """Wait until every worker consumes jobs, by a heartbeat of its present process."""
        pids = {worker: self.pid(worker) for worker in self.lab.workers}

        def consume() -> bool:
            with self._dict_session() as session:
                ages = database.consuming_workers(session)
            return all(
                pid and worker in ages and ages[worker] < uptime(pid)
                for worker, pid in pids.items()
            )

        self.wait(consume, 30, "workers that consume")

    def wait_for_no_worker(self) -> None:
        """Wait until no worker consumes jobs."""
        self.wait(lambda: self.worker_state() != "ok", 20, "no worker that consumes")

    # Messages

    @contextmanager
    def workers_paused(self) -> Iterator[None]:
        """Have the workers consume nothing for a while, as during a deploy."""
        self.turn_on(stops_consuming=True)
        self.wait_for_no_worker()
        try:
            yield
        finally:
            self.turn_on(stops_consuming=False)
        self.wait_for_all_workers()

    def purge_queue(self) -> None:
        """Delete the messages of the upload queue that wait for a consumer."""
        path = broker.path_of(self.lab, "queues", self.lab.rabbitmq.queue, "contents")
        broker.manage(self.lab, "DELETE", path)

    # Uploads

    @property
    def client(self) -> httpx.Client:
        """The HTTP client of an ordinary user."""
        if self._client is None:
            token = {"Authorization": f"Bearer {self.lab.passwords.user_token}"}
            self._client = httpx.Client(base_url=self.lab.api_url, headers=token, timeout=20)
        return self._client

    def upload(
        self, count: int = STUCK_UPLOADS, *, stem: str = STEM, content: bytes | None = None
    ) -> list[str]:
        """Upload `count` files through the API and return the ids of the rows in `uploads`.

        An upload that the API refuses counts too: it leaves a row. Raises LabError when the API
        does not answer or a row is missing.
        """
        # The names are unique: a refused upload's answer has no id, so its row is found by name.
        names = [f"{stem}-{uuid4().hex[:12]}.wav" for _ in range(count)]
        audio = content if content is not None else tone(0.5)
        for name in names:
            try:
                self.send(name, audio)
            except httpx.TransportError as exc:
                raise LabError(f"the lab's API does not answer: {exc}") from exc
        return self.record_uploads(names)

    def make_old_uploads(
        self,
        status: str,
        job_status: str | None,
        *,
        seconds: float = 20,
        stem: str = STEM,
        content: bytes | None = None,
    ) -> list[str]:
        """Upload files, wait until each has these statuses, make them old, and return their ids."""
        uploads = self.upload(stem=stem, content=content)
        self.wait_for_uploads(uploads, status, job_status, seconds)
        self.backdate(uploads)
        return uploads

    def send(self, name: str, audio: bytes) -> httpx.Response:
        """Upload one file through the API and return its answer; raises httpx.TransportError."""
        variant = self.lab.variant
        return self.client.post(
            variant.routes.upload, files={variant.file_field: (name, audio, "audio/wav")}
        )

    def record_uploads(self, names: Sequence[str]) -> list[str]:
        """Record the uploads with these file names, and return their ids.

        Raises LabError when a row is missing.
        """
        rows = self.query("SELECT id::text FROM uploads WHERE filename = ANY(%s)", list(names))
        if len(rows) != len(names):
            raise LabError(f"{len(names)} uploads were sent, {len(rows)} are in the database")
        uploads = [row[0] for row in rows]
        self._record_file.write_text(json.dumps([*self.recorded_uploads(), *uploads]))
        return uploads

    def recorded_uploads(self) -> list[str]:
        """Return the uploads that faults made; healing deletes them."""
        if not self._record_file.exists():
            return []
        return list(json.loads(self._record_file.read_text()))

    def forget_recorded_uploads(self) -> None:
        """Empty the record, once the uploads are deleted."""
        self._record_file.unlink(missing_ok=True)

    @property
    def _record_file(self) -> Path:
        return self.directory / "fault-uploads.json"

    def stored_file(self, upload: str) -> Path:
        """Return the path of an upload's file, which may be missing."""
        rows = self.query("SELECT filename FROM uploads WHERE id = %s", upload)
        return self.lab.stored_file(upload, stored_name(rows[0][0]))

    # Time. Waiting ten minutes is too slow, so rows, files and logs are made older instead.

    def backdate(self, uploads: Sequence[str]) -> None:
        """Make uploads, their jobs and files older than any limit of the target.

        Those whose job never started get the younger half of the time: also with several faults no
        worker has passed over a job.
        """
        waiting = {
            row[0]
            for row in self.query(
                "SELECT payload::jsonb ->> 'upload_id' FROM job_queue"
                " WHERE status::text = 'pending' AND started_at IS NULL"
            )
        }
        middle = (NEWEST_MINUTES + OLDEST_MINUTES) / 2
        started = [upload for upload in uploads if upload not in waiting]
        self.backdate_between(started, middle, OLDEST_MINUTES)
        waited = [upload for upload in uploads if upload in waiting]
        self.backdate_between(waited, NEWEST_MINUTES, middle)

    def backdate_between(self, uploads: Sequence[str], newest: float, oldest: float) -> None:
        """Make uploads `newest` to `oldest` minutes older, spread evenly, the first one most."""
        step = (oldest - newest) / max(len(uploads) - 1, 1)
        with self._owner_session() as session:
            for number, upload in enumerate(uploads):
                age = timedelta(minutes=oldest - number * step)
                session.execute(
                    "UPDATE uploads SET created_at = created_at - %s, updated_at = updated_at - %s"
                    " WHERE id = %s",
                    (age, age, upload),
                )
                session.execute(
                    "UPDATE job_queue SET created_at = created_at - %s,"
                    " started_at = started_at - %s, completed_at = completed_at - %s"
                    " WHERE payload::jsonb ->> 'upload_id' = %s",
                    (age, age, age, upload),
                )
                self._backdate_files(upload, age.total_seconds())

    def _backdate_files(self, upload: str, seconds: float) -> None:
        path = self.stored_file(upload)
        own_directory = [path.parent] if path.parent != self.lab.uploads else []
        for entry in [path, *own_directory]:
            if not entry.exists():
                continue
            modified = entry.stat().st_mtime - seconds
            try:
                os.utime(entry, (modified, modified))
            except OSError:
                # The fault made the file system read-only: its times cannot change.
                return

    def backdate_history(self, minutes: float = HISTORY_MINUTES) -> None:
        """Move ended uploads and the logs into the past: since then, nothing has ended.

        The logs become rotated files of that age, named as lumberjack names them.
        """
        age = timedelta(minutes=minutes)
        since = datetime.now(UTC) - age
        self.query(
            "WITH ended AS (UPDATE uploads SET created_at = created_at - %s,"
            " updated_at = updated_at - %s WHERE updated_at > %s"
            " AND status IN ('completed', 'failed') RETURNING id::text)"
            " UPDATE job_queue SET created_at = created_at - %s, started_at = started_at - %s,"
            " completed_at = completed_at - %s"
            " WHERE payload::jsonb ->> 'upload_id' IN (TABLE ended)",
            *(age, age, since, age, age, age),
        )
        for directory in (self.lab.app_logs, self.lab.worker_logs):
            for path in directory.glob("*.log"):
                if "-20" not in path.name:
                    self._rotate(path, age.total_seconds())

    def _rotate(self, path: Path, seconds: float) -> None:
        """Rename a log to a rotated one in which every line is `seconds` older."""
        moved = path.with_suffix(".moved")
        path.rename(moved)
        make_older = self.lab.variant.log_format.make_older
        lines = moved.read_text(encoding="utf-8").splitlines()
        moved.write_text("".join(make_older(line, seconds) for line in lines), encoding="utf-8")
        modified = time.time() - seconds
        os.utime(moved, (modified, modified))
        stamp = datetime.fromtimestamp(modified, UTC).strftime("%Y-%m-%dT%H-%M-%S.%f")[:-3]
        moved.rename(path.with_name(f"{path.stem}-{stamp}.log"))

    # Waiting for a condition; each method raises LabError on a timeout.

    def wait(self, condition: Callable[[], bool], seconds: float, awaited: str) -> None:
        """Wait until `condition()` is true; `awaited` names it in the error."""
        wait_until(condition, seconds, awaited)

    def wait_for_uploads(
        self, uploads: Sequence[str], status: str, job_status: str | None, seconds: float = 20
    ) -> None:
        """Wait until all uploads have this status and this job status (None: no job)."""
        self.wait(
            lambda: len(self.uploads_with(uploads, status, job_status)) == len(uploads),
            seconds,
            f"{len(uploads)} uploads {status} with {job_status or 'no'} job",
        )

    def wait_for_lock(self, table: str, waiting: str) -> None:
        """Wait until a session has waited for a lock on a table for 3 s; `waiting` names it."""
        statement = (
            "SELECT 1 FROM pg_locks w JOIN pg_stat_activity a USING (pid)"
            " WHERE NOT w.granted AND w.relation = to_regclass(%s)"
            " AND now() - a.query_start > interval '3 seconds' LIMIT 1"
        )
        self.wait(lambda: bool(self.query(statement, table)), 30, waiting)

    def wait_for_worker_log(self) -> None:
        """Wait until the workers write to the new logs that `backdate_history` left to them."""
        for worker in self.lab.workers:
            log = self.worker_log(worker)
            self.wait(log.exists, 10, f"the next line in the log of {worker}")

    def worker_log(self, worker: str = WORKER) -> Path:
        """Return one of the files that a worker logs to."""
        return self.lab.worker_log_files(worker)[-1]

    def wait_for_settled_worker(self) -> None:
        """Wait until each worker is older than the target's `worker_settle`."""
        pids = [self.pid(worker) for worker in self.lab.workers]
        self.wait(
            lambda: all(pid and uptime(pid) > targets.SETTLED_SECONDS for pid in pids),
            20,
            "workers that have run for a few seconds",
        )

    def http_status(self, path: str) -> int:
        """Return the HTTP status of a GET, 0 when the API does not answer."""
        try:
            return httpx.get(self.lab.api_url + path, timeout=10).status_code
        except httpx.TransportError:
            return 0

    def wait_for_http_status(self, path: str, status: int, seconds: float = 20) -> None:
        """Wait until a GET of `path` answers `status`; 0: until the API does not answer."""
        self.wait(lambda: self.http_status(path) == status, seconds, f"{path} answers {status}")

    def queue_figures(self) -> dict[str, int]:
        """Return the upload queue's messages and consumers; a figure may be missing for a while."""
        queue = broker.upload_queue(self.lab)
        keys = ("messages_ready", "messages_unacknowledged", "consumers")
        return {key: queue[key] for key in keys if key in queue}

    def wait_for_queue(self, seconds: float = 40, **limits: tuple[int, int]) -> None:
        """Wait until each named figure of the upload queue lies within (minimum, maximum)."""

        def within_limits() -> bool:
            figures = self.queue_figures()
            return all(
                key in figures and minimum <= figures[key] <= maximum
                for key, (minimum, maximum) in limits.items()
            )

        self.wait(within_limits, seconds, f"queue with {limits}")
