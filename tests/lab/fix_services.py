"""Fixtures for the probes: the lab's real services, and a server with a set reply."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.lab.serving import LoopbackServer, QuietHandler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lab.state import Lab


@pytest.fixture(scope="session")
def services(lab: Lab) -> Lab:
    """The session's lab, which the tests of the probes leave healthy."""
    return lab


@pytest.fixture
def owner(services: Lab) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """A database session of the application, which may write."""
    with psycopg.connect(services.owner_dsn, autocommit=True) as session:
        yield session


@dataclass
class Reply:
    """Reply of a ReplyServer: `body` at once, or one byte every `drip` seconds."""

    status: int = 200
    body: bytes = b"{}"
    media_type: str = "application/json"
    drip: float = 0.0
    location: str = ""
    ahead: float = 0.0
    """Seconds that its Date header is ahead."""


class ReplyServer(LoopbackServer):
    """HTTP server with one reply, or one for each path of `replies`.

    `requests` has the method, path and Authorization header of each request.
    """

    def __init__(self) -> None:
        super().__init__(ReplyHandler)
        self.reply = Reply()
        self.replies: dict[str, Reply] = {}
        self.requests: list[tuple[str, str, str | None]] = []


class ReplyHandler(QuietHandler, BaseHTTPRequestHandler):
    """Answers with the server's reply."""

    server: ReplyServer

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        self.server.requests.append((self.command, self.path, self.headers.get("Authorization")))
        reply = self.server.replies.get(path, self.server.reply)
        self.send_response_only(reply.status)
        self.send_header("Date", self.date_time_string(time.time() + reply.ahead))
        self.send_header("Content-Type", reply.media_type)
        self.send_header("Content-Length", str(len(reply.body)))
        if reply.location:
            self.send_header("Location", reply.location)
        self.end_headers()
        try:
            if not reply.drip:
                self.wfile.write(reply.body)
            for byte in reply.body if reply.drip else b"":
                if self.server.ended.wait(reply.drip):
                    break
                self.wfile.write(bytes([byte]))
        except OSError:
            self.close_connection = True


@pytest.fixture
def reply_server() -> Iterator[ReplyServer]:
    """A server whose reply the test sets."""
    server = ReplyServer()
    with server.serving():
        yield server


@pytest.fixture
def aged_upload(
    owner: psycopg.Connection[tuple[Any, ...]],
) -> Iterator[Callable[..., str]]:
    """Insert uploads `minutes` old, with or without a job; they are deleted after the test."""
    upload_ids: list[str] = []

    def make(
        status: str = "uploading",
        minutes: float = 47.0,
        job: str | None = None,
        error: str | None = None,
        started: float | None = None,
    ) -> str:
        row = owner.execute(
            "INSERT INTO uploads (id, user_id, filename, status, progress, created_at, updated_at,"
            " error_message) VALUES (gen_random_uuid(), gen_random_uuid(), 'aged.wav', %s, 100,"
            " now() - %s * interval '1 minute', now() - %s * interval '1 minute', %s)"
            " RETURNING id::text",
            (status, minutes, minutes, error),
        ).fetchone()
        assert row is not None
        upload_ids.append(row[0])
        if job is not None:
            ended = minutes - 1 if job in ("completed", "failed") else None
            began = ended if started is None else started
            owner.execute(
                "INSERT INTO job_queue (id, type, payload, status, created_at, started_at,"
                " completed_at) VALUES (gen_random_uuid(), 'process_upload',"
                " jsonb_build_object('upload_id', %s::text), %s,"
                " now() - %s * interval '1 minute', now() - %s * interval '1 minute',"
                " now() - %s * interval '1 minute')",
                (row[0], job, minutes, began, ended),
            )
        return str(row[0])

    yield make
    owner.execute("DELETE FROM job_queue WHERE payload ->> 'upload_id' = ANY(%s)", (upload_ids,))
    owner.execute("DELETE FROM uploads WHERE id::text = ANY(%s)", (upload_ids,))


@pytest.fixture
def odd(
    owner: psycopg.Connection[tuple[Any, ...]],
) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """The application's session with a schema `odd`, which is dropped after the test."""
    owner.execute("CREATE SCHEMA odd")
    owner.execute("GRANT USAGE ON SCHEMA odd TO veza_checks")
    yield owner
    owner.execute("DROP SCHEMA odd CASCADE")


@contextmanager
def locked(dsn: str, table: str) -> Iterator[int]:
    """Lock `table` as a migration does; yields the session's process id."""
    with psycopg.connect(dsn, application_name="a-migration") as session:
        session.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
        yield session.info.backend_pid
        session.rollback()
