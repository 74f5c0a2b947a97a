"""Faults outside the runbook: something is broken that no hypothesis covers."""

from __future__ import annotations

import hashlib
import signal
from typing import TYPE_CHECKING

from lab.faults.model import Family, Kind

if TYPE_CHECKING:
    from lab.faults.tools import FaultTools

FAMILY = Family(Kind.OUTSIDE)


@FAMILY.fault("api-down", "the API's process was killed")
def api_down(tools: FaultTools) -> None:
    tools.signal("api", signal.SIGKILL)
    tools.wait_for_http_status("/readyz", 0)


@FAMILY.fault("api-5xx", "the API answers every request under /api/v1 with 500")
def api_5xx(tools: FaultTools) -> None:
    tools.turn_on(api_panics=True)
    path = tools.lab.variant.routes.status.format(upload_id="any")
    tools.wait_for_http_status(path, 500)


@FAMILY.fault("token-expired", "the operations token was revoked")
def token_expired(tools: FaultTools) -> None:
    digest = hashlib.sha256(tools.lab.passwords.token.encode()).hexdigest()
    tools.query("UPDATE api_tokens SET revoked_at = now() WHERE token_sha256 = %s", digest)


@FAMILY.fault("database-down", "PostgreSQL is not running")
def database_down(tools: FaultTools) -> None:
    tools.stop("postgres")
    tools.wait_for_http_status("/readyz", 503)


@FAMILY.fault("database-locked", "a session holds an exclusive lock on uploads")
def database_locked(tools: FaultTools) -> None:
    tools.start_helper("table_lock")
    tools.wait(
        lambda: bool(
            tools.query(
                "SELECT 1 FROM pg_locks w JOIN pg_stat_activity a USING (pid)"
                " WHERE NOT w.granted AND w.relation = to_regclass(%s)"
                " AND now() - a.query_start > interval '3 seconds' LIMIT 1",
                tools.lab.variant.locked_table,
            )
        ),
        30,
        "a session that waits for the lock",
    )
