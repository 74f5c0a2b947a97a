"""The heartbeat: a ping after each run, so that an outside service notices when runs stop.

The address decides its form: Uptime Kuma's push, Gatus' external endpoint, or else that of
Healthchecks, which is the address for a success and /fail below it for a failure.
"""

from __future__ import annotations

from urllib.parse import SplitResult, parse_qsl, unquote, urlencode

from reports.alerts.addresses import parse_http_address
from reports.alerts.http_call import call

QUERY_TEXT_MAX = 200
"""Characters of the headline that fit into an address; a body has room for all of it."""


def ping(address: str, *, success: bool, headline: str) -> None:
    """Send the heartbeat of a run; raises OptionError, CallError."""
    parts = parse_http_address(address, "--heartbeat")
    text = headline[:QUERY_TEXT_MAX]
    if "/api/push/" in parts.path:
        query = {"status": "up" if success else "down", "msg": text}
        call("GET", _with_query(parts, query), redirects=True)
    elif "/api/v1/endpoints/" in parts.path and parts.path.rstrip("/").endswith("/external"):
        query = {"success": "true"} if success else {"success": "false", "error": text}
        token = unquote(parts.password or parts.username or "")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        call("POST", _with_query(parts, query), headers=headers, secrets=[token], redirects=True)
    else:
        path = parts.path if success else f"{parts.path.rstrip('/')}/fail"
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        # Healthchecks takes a ping without its text too.
        call("POST", parts._replace(path=path), headline, headers, redirects=True)


def _with_query(parts: SplitResult, query: dict[str, str]) -> SplitResult:
    others = [
        pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] not in query
    ]
    return parts._replace(query=urlencode([*others, *query.items()]))
