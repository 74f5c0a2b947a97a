"""Fixture `made_api`: an upload API on loopback whose behaviour a test sets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from tests.lab.serving import LoopbackServer, QuietHandler

NAME = "veza-canary-test-1"
STATUS = "/api/v1/uploads/{upload_id}/status"
TRACK = "/api/v1/tracks/{track_id}"


@dataclass
class Manners:
    """Behaviour of the API: its answers in order, of which the last one repeats.

    A body of bytes is sent as it is. A number among `statuses` is an HTTP status. A `silent` API
    never answers a POST, a `mute` one never answers a DELETE. With `shown_after`, a deleted upload
    is still served.
    """

    posts: list[tuple[int, dict[str, Any] | bytes, dict[str, str]]] = field(
        default_factory=lambda: [(202, {"data": {"upload_id": "u1", "status": "uploading"}}, {})]
    )
    statuses: list[str | int] = field(default_factory=lambda: ["uploading", "completed"])
    told_id: str = "u1"
    track: dict[str, Any] = field(default_factory=lambda: {"data": {"id": "u1"}})
    track_status: int = 200
    track_headers: dict[str, str] = field(default_factory=dict)
    delete: int = 200
    shown_after: bool = False
    mute: bool = False
    silent: bool = False


class MadeApi(LoopbackServer):
    """Upload API on loopback with these manners; `asked` has the requests it got."""

    def __init__(self) -> None:
        super().__init__(MadeApiHandler)
        self.manners = Manners()
        self.asked: list[tuple[str, str, str, bytes]] = []
        self.deleted = False


class MadeApiHandler(QuietHandler, BaseHTTPRequestHandler):
    """Answers as the server's manners say."""

    server: MadeApi

    def _record(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        agent = self.headers.get("User-Agent", "")
        self.server.asked.append((self.command, self.path, agent, body))

    def _answer(self, status: int, data: object, headers: dict[str, str] | None = None) -> None:
        body = data if isinstance(data, bytes) else json.dumps(data).encode()
        self.send_response(status)
        standard = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        for name, value in (standard | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self._record()
        if self.server.manners.silent:
            self.server.ended.wait()
            return
        posts = self.server.manners.posts
        self._answer(*(posts.pop(0) if len(posts) > 1 else posts[0]))

    def do_DELETE(self) -> None:
        self._record()
        if self.server.manners.mute:
            self.server.ended.wait()
            return
        status = self.server.manners.delete
        self.server.deleted = status < 300 and not self.server.manners.shown_after
        self._answer(status, {})

    def do_GET(self) -> None:
        self._record()
        manners = self.server.manners
        if self.server.deleted:
            self._answer(404, {"error": {"message": "no such upload"}})
        elif "/tracks/" in self.path:
            self._answer(manners.track_status, manners.track, manners.track_headers)
        else:
            statuses = manners.statuses
            status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
            if isinstance(status, int):
                self._answer(status, {})
            else:
                data = {"id": manners.told_id, "status": status, "error_message": "disk on fire"}
                self._answer(200, {"data": data})


@pytest.fixture
def made_api() -> Iterator[MadeApi]:
    """An upload API that accepts and completes an upload until a test sets another behaviour."""
    server = MadeApi()
    with server.serving():
        yield server
