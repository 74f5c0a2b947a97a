"""The dead man's switch: a ping after each completed run, which somebody else misses.

Three shapes, told apart by the address: Uptime Kuma's push, Gatus' external endpoint, and for all
others that of Healthchecks: the address for a success, with /fail for a failure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlencode

from reports.alerts.addresses import http_address
from reports.alerts.http_call import call

if TYPE_CHECKING:
    from urllib.parse import SplitResult

SAID_MAX = 200
"""Characters of the headline in an address; a body has room for all of it."""


def ping(address: str, *, ok: bool, said: str) -> None:
    """Tell that a run has completed; raises GivenError, CallError.

    `ok`: whether it is to count as a success; `said` is the headline.
    """
    parts = http_address(address, "--heartbeat")
    if "/api/push/" in parts.path:
        told = {"status": "up" if ok else "down", "msg": said[:SAID_MAX]}
        call("GET", _with_query(parts, told))
    elif "/api/v1/endpoints/" in parts.path and parts.path.rstrip("/").endswith("/external"):
        told = {"success": "true" if ok else "false"} | ({} if ok else {"error": said[:SAID_MAX]})
        token = unquote(parts.password or parts.username or "")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        call("POST", _with_query(parts, told), headers=headers)
    else:
        path = parts.path if ok else f"{parts.path.rstrip('/')}/fail"
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        call("POST", parts._replace(path=path), said, headers)


def _with_query(parts: SplitResult, told: dict[str, str]) -> SplitResult:
    given = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] not in told]
    return parts._replace(query=urlencode([*given, *told.items()]))
