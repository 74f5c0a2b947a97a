"""Faults outside the runbook: something is broken that no hypothesis covers."""

from __future__ import annotations

import hashlib
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx

from lab import broker
from lab.audio import tone
from lab.errors import LabError
from lab.faults.model import EVERY_RUNBOOK, Family, Kind, Need
from lab.faults.tools import STEM, STUCK_UPLOADS

if TYPE_CHECKING:
    from lab.faults.tools import FaultTools

FAMILY = Family(Kind.OUTSIDE)


@FAMILY.fault(
    "api-down", "the API's process was killed", cause="api_failing", runbooks=EVERY_RUNBOOK
)
def api_down(tools: FaultTools) -> None:
    tools.signal("api", signal.SIGKILL)
    tools.wait_for_http_status("/readyz", 0)


@FAMILY.fault(
    "api-5xx", "the API answers every request about uploads with 500", cause="api_failing"
)
def api_5xx(tools: FaultTools) -> None:
    tools.turn_on(api_panics=True)
    path = tools.lab.variant.routes.status.format(upload_id="any")
    tools.wait_for_http_status(path, 500)


@FAMILY.fault("api-slow", "the API takes seconds for every answer", cause="api_failing")
def api_slow(tools: FaultTools) -> None:
    """Have each request about uploads wait, as behind an overloaded service.

    Uploads go on, and the health routes are quick.
    """
    tools.turn_on(seconds_per_answer=3.0)


# The diagnosis knows no cause for it: the report names the component, which is the API.
@FAMILY.fault("stale-cache", "the API answers from a cache: finished uploads are still uploading")
def stale_cache(tools: FaultTools) -> None:
    """Have the API serve the first status of each upload forever.

    Worker, queue and storage are well, and the database has the result. Only the API is wrong.
    """
    tools.turn_on(caches_statuses=True)
    uploads = tools.make_old_uploads("completed", "completed")
    path = tools.lab.variant.routes.status.format(upload_id=uploads[0])
    answer = tools.client.get(path).text
    if '"uploading"' not in answer:
        raise LabError(f"the API does not answer from its cache: {answer[:200]}")


@FAMILY.fault("token-expired", "the operations token was revoked", cause="access_refused")
def token_expired(tools: FaultTools) -> None:
    digest = hashlib.sha256(tools.lab.passwords.token.encode()).hexdigest()
    tools.query("UPDATE api_tokens SET revoked_at = now() WHERE token_sha256 = %s", digest)


@FAMILY.fault(
    "database-down",
    "PostgreSQL is not running",
    cause="database_down",
    runbooks=EVERY_RUNBOOK,
)
def database_down(tools: FaultTools) -> None:
    tools.stop("postgres")
    tools.wait_for_http_status("/readyz", 503)


@FAMILY.fault(
    "database-locked", "a session holds an exclusive lock on uploads", cause="database_locked"
)
def database_locked(tools: FaultTools) -> None:
    table = tools.lab.variant.locked_table
    tools.start_helper("table_lock", "--table", table)
    tools.wait_for_lock(table, "a session that waits for the lock")


@FAMILY.fault(
    "database-readonly",
    "the database takes no writes from the application",
    cause="database_read_only",
    runbooks=EVERY_RUNBOOK,
)
def database_readonly(tools: FaultTools) -> None:
    """Make the database read-only by default, and have the application connect again.

    An operator does so before a migration, and a failover to a replica has the same effect.
    """
    # Stopped for a moment, so that these uploads wait when the writes end.
    tools.signal_workers(signal.SIGSTOP, until="T")
    try:
        tools.backdate_history()
        tools.backdate(tools.upload())
        tools.set_read_only(on=True)
    finally:
        for worker in tools.lab.workers:
            tools.ask("signal", name=worker, number=signal.SIGCONT)
    tools.wait(lambda: tools.send("refused.wav", tone(0.1)).status_code == 503, 20, "HTTP 503")
    tools.wait_for_no_worker()
    tools.wait_for_worker_log()


@FAMILY.fault(
    "broker-permission-revoked",
    "the application's user has lost its rights in RabbitMQ",
    Need.BROKER,
    cause="broker_access_refused",
)
def broker_permission_revoked(tools: FaultTools) -> None:
    user = broker.APPLICATION
    broker.manage(tools.lab, "DELETE", broker.path_of(tools.lab, "permissions", user))
    # The broker checks some rights at login only, so a rotation of accounts closes connections.
    broker.control(tools.lab, "close_all_user_connections", user, "permissions changed")
    tools.wait_for_queue(consumers=(0, 0))
    tools.backdate_history()
    uploads = tools.upload()
    tools.backdate(uploads)
    tools.wait_for_uploads(uploads, "uploading", "pending")
    tools.wait_for_http_status("/readyz", 503)
    tools.wait_for_no_worker()
    tools.wait_for_worker_log()


class GaveUpError(Exception):
    """The user closed the browser."""


@FAMILY.fault("given-up", "users send half of a file and go away", cause="given_up")
def given_up(tools: FaultTools) -> None:
    names = [f"{STEM}-{uuid4().hex[:12]}.wav" for _ in range(STUCK_UPLOADS)]
    for name in names:
        _send_half(tools, name)
    uploads = tools.record_uploads(names)
    tools.wait_for_uploads(uploads, "uploading", None)
    tools.backdate(uploads)


def _send_half(tools: FaultTools, name: str) -> None:
    """Upload half of a file, and close the connection when the API has stored a part of it."""
    variant = tools.lab.variant
    url = tools.lab.api_url + variant.routes.upload
    request = tools.client.build_request(
        "POST", url, files={variant.file_field: (name, tone(30), "audio/wav")}
    )
    body = request.read()
    statement = "SELECT 1 FROM uploads WHERE filename = %s AND progress BETWEEN 20 AND 60"

    def half() -> Iterator[bytes]:
        yield body[: len(body) // 2]
        tools.wait(lambda: bool(tools.query(statement, name)), 20, f"a part of {name}")
        raise GaveUpError

    with httpx.Client(timeout=20) as client:
        try:
            client.post(url, headers=request.headers, content=half())
        except GaveUpError:
            # Its connection closes with the client.
            return
