"""Variants: platforms that different teams could have built from the same runbook.

A variant is data. Schema, API, worker, logs and the lab's targets.toml read it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lab.errors import find
from lab.log_formats import SLOG, ZAP_CONSOLE, ZAP_JSON, LogFormat
from lab.messages import FRENCH

SCHEMAS = Path(__file__).parent / "schemas"


@dataclass(frozen=True)
class Ids:
    """The form of the ids of uploads and jobs; the database makes them."""

    pattern: re.Pattern[str]
    """An id as text."""
    in_json: Callable[[str], str | int]
    """Return the id as the value that JSON has for it."""
    operator: str
    """The user who owns the uploads of operations."""
    load_generator: str
    """The load generator's user."""


UUIDS = Ids(
    re.compile(r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}"),
    str,
    "00000000-0000-0000-0000-000000000000",
    "7e2a0c1c-0000-4000-8000-000000000001",
)
NUMBERS = Ids(re.compile(r"[1-9][0-9]{0,17}"), int, "0", "7001")
ULIDS = Ids(
    re.compile(r"[0-9A-HJKMNP-TV-Z]{26}"),
    str,
    "00000000000000000000000000",
    "01JEV0C1C00000000000000001",
)


@dataclass(frozen=True)
class ApiRoutes:
    """The API's routes; a health or metrics route that is None does not exist."""

    upload: str = "/api/v1/upload"
    status: str = "/api/v1/uploads/{upload_id}/status"
    track: str = "/api/v1/tracks/{track_id}"
    delete: str = "/api/v1/tracks/{track_id}"
    worker_health: str | None = "/health/worker"
    metrics: str | None = "/metrics"


@dataclass(frozen=True)
class LoginNames:
    """The login: its routes, its fields, and the relations that the monitor may read."""

    path: str = "/auth/login"
    me: str = "/auth/me"
    logout: str = "/auth/logout"
    email_field: str = "email"
    token: str = "token"  # noqa: S105 - the name of a field
    users_table: str = "users"
    attempts_table: str = "login_attempts"
    status: str = "status"
    """The column of `users_table` that has an account's status."""
    outcome: str = "succeeded"
    """The column of `attempts_table` that has the outcome."""
    at: str = "created_at"
    """The column of `attempts_table` that has the time."""
    locked_table: str = "users"
    """The table that has the accounts, below all views."""


@dataclass(frozen=True)
class Broker:
    """The names in RabbitMQ, and what of it the operators opened to the monitor."""

    vhost: str = "/"
    queue: str = "process_upload"
    queue_type: str = "classic"
    management: bool = True

    @property
    def dead_letter(self) -> str:
        """The queue for messages of jobs that failed for good."""
        return f"{self.queue}.dead"

    @property
    def type_argument(self) -> dict[str, str]:
        """The argument of a queue's declaration for its type; classic is the default."""
        return {} if self.queue_type == "classic" else {"x-queue-type": self.queue_type}

    @property
    def queue_arguments(self) -> dict[str, str]:
        """All arguments of the upload queue's declaration."""
        dead_letter = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": self.dead_letter}
        return self.type_argument | dead_letter


@dataclass(frozen=True)
class Variant:
    """One platform; the defaults are those of the standard one.

    API and worker use the relations `uploads` and `job_queue` of their search path. They are
    tables, or views of tables with other names and columns: see the variant's schema.
    """

    name: str
    description: str

    ids: Ids = UUIDS
    uploads_table: str = "uploads"
    """The relation that the monitor may read, as are the jobs."""
    jobs_table: str = "job_queue"
    locked_table: str = "uploads"
    """The table that has the uploads, below all views."""
    dsn_options: str = ""
    """The end of the monitor's connection string."""
    job_type: str = "process_upload"
    track_column: str = "id"
    """The column of `uploads` that has the id of the upload's track."""

    broker: Broker | None = Broker()
    workers: int = 1

    routes: ApiRoutes = ApiRoutes()
    login: LoginNames = LoginNames()
    file_field: str = "file"
    """The field of the upload form that has the file."""
    accepted_status: int = 202
    malformed_id_status: int = 404
    has_envelope: bool = True
    """True: answers are {"success": ..., "data": ...}; False: the bare object."""

    stored_name: str = "{upload}/{name}"
    """An upload's file below the upload directory."""
    log_format: LogFormat = ZAP_JSON
    messages: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Log messages that are worded differently, by the English ones."""
    worker_logs: tuple[str, ...] = (
        "veza-backend-api/jobs{suffix}.log",
        "veza-worker/worker{suffix}.log",
    )
    """The files that a worker logs to, below the log directory."""

    @property
    def schema(self) -> str:
        """The SQL that creates tables, views and rights."""
        names = ["common", *(["uuid_tables"] if self.ids is UUIDS else []), self.name]
        return "\n".join((SCHEMAS / f"{name}.sql").read_text("utf-8") for name in names)

    def success(self, data: dict[str, Any]) -> dict[str, Any]:
        """Return the body of an answer."""
        return {"success": True, "data": data} if self.has_envelope else data

    def failure(self, code: str, message: str) -> dict[str, Any]:
        """Return the body of an error."""
        if self.has_envelope:
            return {"success": False, "error": {"code": code, "message": message}}
        return {"error": message, "code": code}


STANDARD = Variant(
    "standard", "UUIDs, jsonb, timestamptz, zap's JSON logs, one worker, RabbitMQ with management"
)
BIGINT = Variant(
    "bigint",
    "numbers as ids, enums, text payloads, local times without a zone, console logs, two workers",
    ids=NUMBERS,
    uploads_table="media.file_uploads",
    jobs_table="media.jobs",
    locked_table="media.file_uploads",
    job_type="file.process",
    broker=Broker(vhost="veza", queue="media.files"),
    workers=2,
    routes=ApiRoutes(
        upload="/api/v2/files",
        status="/api/v2/files/{upload_id}",
        track="/api/v2/tracks/{track_id}",
        delete="/api/v2/files/{upload_id}",
    ),
    login=LoginNames(
        path="/auth/v2/login",
        me="/auth/v2/me",
        logout="/auth/v2/logout",
        users_table="auth.accounts",
        attempts_table="auth.logins",
        status="state",
        outcome="successful",
        at="logged_at",
        locked_table="auth.accounts",
    ),
    file_field="audio",
    accepted_status=201,
    malformed_id_status=400,
    log_format=ZAP_CONSOLE,
)
ULID = Variant(
    "ulid",
    "ULIDs, views, json payloads, UTC without a zone, quorum queue, French logs, own track ids",
    ids=ULIDS,
    locked_table="media_assets",
    dsn_options="?options=-c%20TimeZone%3DUTC",
    track_column="track_id",
    broker=Broker(queue="uploads", queue_type="quorum", management=False),
    routes=ApiRoutes(
        upload="/v1/uploads",
        status="/v1/uploads/{upload_id}",
        track="/v1/tracks/{track_id}",
        delete="/v1/uploads/{upload_id}",
    ),
    login=LoginNames(
        path="/session",
        me="/session/user",
        logout="/session/end",
        email_field="username",
        token="access_token",  # noqa: S106 - the name of a field
        locked_table="people",
    ),
    file_field="upload",
    malformed_id_status=422,
    has_envelope=False,
    messages=FRENCH,
    worker_logs=("veza-worker/worker{suffix}.log",),
)
BARE = Variant(
    "bare",
    "no broker, no metrics, no worker health, no worker log, key=value logs, only what is required",
    uploads_table="monitoring.uploads",
    jobs_table="monitoring.job_queue",
    track_column="track_id",
    broker=None,
    routes=ApiRoutes(
        upload="/api/uploads",
        status="/api/uploads/{upload_id}",
        track="/api/tracks/{track_id}",
        delete="/api/tracks/{track_id}",
        worker_health=None,
        metrics=None,
    ),
    login=LoginNames(
        users_table="monitoring.users",
        attempts_table="monitoring.login_attempts",
        outcome="result",
        at="attempted_at",
    ),
    file_field="data",
    has_envelope=False,
    stored_name="{upload}.{name}",
    log_format=SLOG,
    worker_logs=("veza-backend-api/jobs{suffix}.log",),
)
VARIANTS: Mapping[str, Variant] = MappingProxyType(
    {variant.name: variant for variant in (STANDARD, BIGINT, ULID, BARE)}
)


def get_variant(name: str) -> Variant:
    """Return a variant by name; raises LabError that suggests the closest name."""
    return find("variant", name, VARIANTS)
