"""Probes with the routes and tables that a target has where its file names no others."""

from __future__ import annotations

from typing import Any

from pydantic import SecretStr

from fixtures.database import open_database
from fixtures.probes.http.api import ApiProbe
from fixtures.probes.http.client import HttpClient
from fixtures.probes.postgres.database import DatabaseProbe
from fixtures.target.model import Api, Database
from tests.waiting import PATIENCE

API = Api.model_construct()


def api_probe(http: HttpClient, token: str, **settings: Any) -> ApiProbe:
    """Return a probe of the API that this client calls."""
    routes = {
        "status_path": API.status_path,
        "ready_path": API.ready_path,
        "worker_health_path": API.worker_health_path,
    }
    return ApiProbe(http, token, **routes | settings)


def database_probe(dsn: str, **settings: Any) -> DatabaseProbe:
    """Return a probe of a database."""
    known: dict[str, Any] = {"dsn": SecretStr(dsn), "timeout": PATIENCE} | settings
    return open_database(Database.model_construct(**known))
