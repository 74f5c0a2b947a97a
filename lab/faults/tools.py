"""What an engineer with root could do to the lab: the means of every fault."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, LiteralString
from uuid import UUID, uuid4

import httpx
import psycopg

from lab import broker, control
from lab.audio import tone
from lab.bugs import read_bugs, write_bugs
from lab.errors import LabError
from lab.processes import process_state, wait_until
from lab.state import QUEUE, load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

NOT_AUDIO = b"ID3\x03\x00 this is no RIFF file, whatever its name says\n" * 40
PAST_MINUTES = 50
STUCK = 8
OLDEST_MINUTES, NEWEST_MINUTES = 47.0, 12.5


class FaultTools:
    """Opened for one injection or healing; use it as a context manager."""

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
        return control.ask(self.directory, command, arguments)

    def pid(self, name: str) -> int | None:
        """The process id of a service that runs."""
        found = self.ask("status")["processes"].get(name)
        return found["pid"] if found else None

    def signal(self, name: str, number: int, until: str | None = None) -> None:
        """Send a signal and wait for the process's state, None for its end."""
        pid = self.pid(name)
        if pid is None:
            return
        self.ask("signal", name=name, number=number)
        ended = (None, "Z") if until is None else (until,)
        self.wait(lambda: process_state(pid) in ended, 10, f"signal {number} for {name}")

    def helper(self, name: str, *argv: str) -> None:
        """Start a helper module of this package under the supervisor."""
        module = f"lab.faults.{name}"
        self.ask("helper", name=name, argv=[module, "--dir", str(self.directory), *argv])

    def wait(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        wait_until(condition, seconds, what)

    # The program's bugs

    def switch(self, **bugs: bool | float) -> None:
        """Switch bugs of the lab's program on beside those that are on already."""
        now = read_bugs(self.directory)
        write_bugs(self.directory, dataclasses.replace(now, **bugs))  # type: ignore[arg-type]

    # The database

    def query(self, statement: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        """Run one statement as the owner of the tables; its rows, if it has any."""
        with psycopg.connect(self.lab.owner_dsn, connect_timeout=5) as session:
            cursor = session.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def count(self, uploads: Sequence[UUID], status: str, job: str | None) -> int:
        """How many of the uploads have this status, and their job that one (None: no job)."""
        rows = self.query(
            "SELECT count(*) FROM uploads u LEFT JOIN job_queue j"
            " ON j.payload ->> 'upload_id' = u.id::text"
            " WHERE u.id = ANY(%s) AND u.status = %s AND j.status IS NOT DISTINCT FROM %s",
            list(uploads),
            status,
            job,
        )
        return int(rows[0][0])

    def wait_for(
        self, uploads: Sequence[UUID], status: str, job: str | None, seconds: float = 20
    ) -> None:
        """Until every upload has this status and its job that one."""
        self.wait(
            lambda: self.count(uploads, status, job) == len(uploads),
            seconds,
            f"{len(uploads)} uploads {status} with {job or 'no'} job",
        )

    # Users

    @property
    def client(self) -> httpx.Client:
        if self._client is None:
            token = {"Authorization": f"Bearer {self.lab.passwords.user_token}"}
            self._client = httpx.Client(base_url=self.lab.api_url, headers=token, timeout=20)
        return self._client

    def upload(
        self, count: int = STUCK, *, stem: str = "session", content: bytes | None = None
    ) -> list[UUID]:
        """Upload through the API as a user would, accepted or not; the ids of the rows it made."""
        # Unique names, because the answer to an upload that failed does not tell its id.
        names = [f"{stem}-{uuid4().hex[:12]}.wav" for _ in range(count)]
        audio = content if content is not None else tone(0.5)
        for name in names:
            try:
                self.client.post("/api/v1/upload", files={"file": (name, audio, "audio/wav")})
            except httpx.TransportError as exc:
                raise LabError(f"the lab's API does not take uploads: {exc}") from exc
        rows = self.query("SELECT id FROM uploads WHERE filename = ANY(%s)", names)
        if len(rows) != count:
            raise LabError(f"{count} uploads were sent, {len(rows)} are in the database")
        self.note([row[0] for row in rows])
        return [row[0] for row in rows]

    @contextmanager
    def without_users(self) -> Iterator[None]:
        """Nobody else uploads or tidies up meanwhile."""
        self.ask("stop", name="trickle")
        try:
            yield
        finally:
            self.ask("start", name="trickle")

    def note(self, uploads: Sequence[UUID]) -> None:
        """Remember uploads that the fault made, so that healing can take them away."""
        path = self.directory / "fault-uploads.json"
        known = json.loads(path.read_text()) if path.exists() else []
        path.write_text(json.dumps(known + [str(each) for each in uploads]))

    def noted(self) -> list[UUID]:
        """The uploads that `note` remembers."""
        path = self.directory / "fault-uploads.json"
        return [UUID(each) for each in json.loads(path.read_text())] if path.exists() else []

    def forget_noted(self) -> None:
        (self.directory / "fault-uploads.json").unlink(missing_ok=True)

    def file_of(self, upload: UUID) -> Path:
        """The stored file. LabError when there is none."""
        for path in (self.lab.uploads / str(upload)).iterdir():
            return path
        raise LabError(f"upload {upload} has no file")

    # Time: nobody waits ten minutes. Ages are all that is changed here.

    def age(
        self,
        uploads: Sequence[UUID],
        newest: float = NEWEST_MINUTES,
        oldest: float = OLDEST_MINUTES,
    ) -> None:
        """Make uploads, their jobs and files `newest` to `oldest` minutes older, spread evenly."""
        step = (oldest - newest) / max(len(uploads) - 1, 1)
        with psycopg.connect(self.lab.owner_dsn, connect_timeout=5) as session:
            for number, upload in enumerate(uploads):
                by = timedelta(minutes=newest + number * step)
                session.execute(
                    "UPDATE uploads SET created_at = created_at - %s, updated_at = updated_at - %s"
                    " WHERE id = %s",
                    (by, by, upload),
                )
                session.execute(
                    "UPDATE job_queue SET created_at = created_at - %s,"
                    " started_at = started_at - %s, completed_at = completed_at - %s"
                    " WHERE payload ->> 'upload_id' = %s",
                    (by, by, by, str(upload)),
                )
                self._age_files(upload, by.total_seconds())

    def _age_files(self, upload: UUID, seconds: float) -> None:
        directory = self.lab.uploads / str(upload)
        if not directory.is_dir() or not os.access(directory, os.R_OK | os.X_OK):
            return
        for path in [*directory.iterdir(), directory]:
            before = path.stat().st_mtime
            try:
                os.utime(path, (before - seconds, before - seconds))
            except OSError:
                # A file system that is read-only by the fault keeps its times.
                return

    def age_past(self, minutes: float = PAST_MINUTES) -> None:
        """Move what ended before now back in time: since the trouble began, nothing has ended.

        The logs so far are set aside as a rotated file of that age, as lumberjack does it.
        """
        by = timedelta(minutes=minutes)
        since = datetime.now(UTC) - by
        self.query(
            "WITH ended AS (UPDATE uploads SET created_at = created_at - %s,"
            " updated_at = updated_at - %s WHERE updated_at > %s"
            " AND status IN ('completed', 'failed') RETURNING id::text)"
            " UPDATE job_queue SET created_at = created_at - %s, started_at = started_at - %s,"
            " completed_at = completed_at - %s WHERE payload ->> 'upload_id' IN (TABLE ended)",
            *(by, by, since, by, by, by),
        )
        for directory in (self.lab.app_logs, self.lab.worker_logs):
            for path in directory.glob("*.log"):
                if "-20" not in path.name:
                    self._rotate(path, by.total_seconds())

    def _rotate(self, path: Path, seconds: float) -> None:
        moved = path.with_suffix(".moved")
        path.rename(moved)
        lines = []
        for text in moved.read_text(encoding="utf-8").splitlines():
            values = json.loads(text)
            values["ts"] = round(values["ts"] - seconds, 6)
            lines.append(json.dumps(values, ensure_ascii=False, separators=(",", ":")) + "\n")
        moved.write_text("".join(lines), encoding="utf-8")
        then = time.time() - seconds
        os.utime(moved, (then, then))
        stamp = datetime.fromtimestamp(then, UTC).strftime("%Y-%m-%dT%H-%M-%S.%f")[:-3]
        moved.rename(path.with_name(f"{path.stem}-{stamp}.log"))

    # What shows that a fault has taken hold

    def wait_for_worker_line(self) -> None:
        """Until the worker, which lives, has written to the log that `age_past` began."""
        log = self.lab.worker_logs / "worker.log"
        self.wait(log.exists, 10, "the next line of the worker")

    def health(self, path: str) -> int:
        """The HTTP status of a health route, 0 when nobody answers."""
        try:
            return httpx.get(self.lab.api_url + path, timeout=10).status_code
        except httpx.TransportError:
            return 0

    def wait_for_health(self, path: str, status: int, seconds: float = 20) -> None:
        self.wait(lambda: self.health(path) == status, seconds, f"{path} answers {status}")

    def depth(self, queue: str = QUEUE) -> dict[str, int]:
        """Messages ready and unacknowledged, and consumers; absent figures are left out."""
        found = broker.manage(self.lab, "GET", f"/api/queues/%2F/{queue}")
        keys = ("messages_ready", "messages_unacknowledged", "consumers")
        return {key: found[key] for key in keys if key in found}

    def wait_for_depth(self, seconds: float = 40, **limits: tuple[int, int]) -> None:
        """Until each figure of the queue lies in its range (least, most)."""

        def holds() -> bool:
            now = self.depth()
            return all(
                key in now and least <= now[key] <= most for key, (least, most) in limits.items()
            )

        self.wait(holds, seconds, f"queue with {limits}")
