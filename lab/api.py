"""The upload API: `python -m lab.api --dir DIR`."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from lab import database
from lab.bugs import Bugs, read_bugs
from lab.logins import Logins
from lab.metrics import UploadCollector
from lab.program import load_lab
from lab.publisher import Publisher
from lab.routes import MAX_BYTES, TOO_LARGE, RefusedError, Uploads
from lab.zaplog import ZapLog

if TYPE_CHECKING:
    from lab.state import Lab
    from lab.variants import Variant

BODY_MAX = MAX_BYTES + 4096


def build(lab: Lab) -> FastAPI:
    """Return the application and start its publisher thread."""
    variant = lab.variant
    zap = ZapLog(variant, lab.api_log)
    pool = database.Pool(lab.owner_dsn, "veza-api")
    publisher = Publisher(lab, zap) if lab.broker else None
    if publisher:
        publisher.start()
    registry = CollectorRegistry()
    registry.register(UploadCollector(pool, datetime.now(UTC)))
    app = FastAPI(title="Veza upload API", docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(Uploads(lab, pool, publisher, zap).router())
    app.include_router(Logins(lab, pool, zap).router())
    _add_error_handlers(app, lab, zap)

    def metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    def ready() -> JSONResponse:
        checks = {"database": _database_state(pool)}
        if publisher:
            checks["broker"] = publisher.state
        return _health(variant, checks)

    def worker() -> JSONResponse:
        return _health(variant, {"worker": _worker_state(pool)})

    app.add_api_route("/readyz", ready)
    if variant.routes.metrics:
        app.add_api_route(variant.routes.metrics, metrics)
    if variant.routes.worker_health:
        app.add_api_route(variant.routes.worker_health, worker)
    zap.info("cmd/api/main.go:74", "API listening", port=lab.ports.api)
    return app


def _health(variant: Variant, checks: dict[str, str]) -> JSONResponse:
    healthy = all(state == "ok" for state in checks.values())
    data = {"status": "ok" if healthy else "unavailable", "checks": checks}
    body = {"success": healthy, "data": data} if variant.has_envelope else data
    return JSONResponse(body, 200 if healthy else 503)


def _database_state(pool: database.Pool) -> str:
    try:
        with pool.connection() as session:
            session.execute("SELECT 1")
    except psycopg.Error as exc:
        return database.reason(exc)
    return "ok"


def _worker_state(pool: database.Pool) -> str:
    try:
        with pool.connection() as session:
            return database.worker_state(session)
    except psycopg.Error as exc:
        return database.reason(exc)


def _add_error_handlers(app: FastAPI, lab: Lab, zap: ZapLog) -> None:
    """Answer errors as the variant does, and apply the bugs of every request."""

    def failure(status: int, code: str, message: str) -> JSONResponse:
        return JSONResponse(lab.variant.failure(code, message), status)

    # All of its routes that are about uploads, and none about health.
    prefix = os.path.commonpath([lab.variant.routes.upload, lab.variant.routes.track])

    @app.exception_handler(RefusedError)
    def refused(_: Request, exc: Exception) -> JSONResponse:
        assert isinstance(exc, RefusedError)
        return failure(exc.status, exc.code, exc.message)

    @app.exception_handler(psycopg.Error)
    def database_down(request: Request, exc: Exception) -> JSONResponse:
        zap.error(
            "database/pool.go:61",
            "database unavailable",
            path=request.url.path,
            reason=database.reason(exc),
        )
        return failure(503, "DATABASE_UNAVAILABLE", "the database does not answer")

    @app.exception_handler(404)
    def not_found(request: Request, _: Exception) -> JSONResponse:
        return failure(404, "NOT_FOUND", f"no such route: {request.url.path[:200]}")

    @app.middleware("http")
    async def check_request(request: Request, call_next: Any) -> Any:
        # Refused before the body is read: a size that is too large, or not given.
        length = request.headers.get("content-length", "")
        if request.method == "POST" and not (length.isdecimal() and int(length) <= BODY_MAX):
            return failure(413 if length else 411, "TOO_LARGE", TOO_LARGE)
        bugs = read_bugs(lab.directory) if request.url.path.startswith(prefix) else Bugs()
        await asyncio.sleep(bugs.seconds_per_answer)
        if bugs.api_panics:
            zap.error(
                "middleware/recovery.go:41",
                "panic recovered: nil pointer dereference",
                path=request.url.path,
            )
            return failure(500, "INTERNAL_ERROR", "internal server error")
        return await call_next(request)


def main() -> None:
    """Serve the API until this process is stopped."""
    lab = load_lab("lab.api", __doc__)
    uvicorn.run(
        build(lab),
        host="127.0.0.1",
        port=lab.ports.api,
        access_log=False,
        log_level="warning",
        # Whether the proxy is trusted is for the login to say.
        proxy_headers=False,
    )


if __name__ == "__main__":
    main()
