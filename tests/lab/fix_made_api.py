"""An upload API on loopback that does what it is told, however ill-mannered."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

import pytest

from tests.lab.serving import LoopbackServer, Quiet

if TYPE_CHECKING:
    from collections.abc import Iterator


NAME = "veza-canary-test-1"
STATUS = "/api/v1/uploads/{upload_id}/status"
TRACK = "/api/v1/tracks/{track_id}"


@dataclass
class Manners:
    """How the made API behaves; the last of `statuses` is repeated, 404 means that it lost it."""

    posts: list[tuple[int, dict[str, Any], dict[str, str]]] = field(
        default_factory=lambda: [(202, {"data": {"upload_id": "u1", "status": "uploading"}}, {})]
    )
    statuses: list[str | int] = field(default_factory=lambda: ["uploading", "completed"])
    told_id: str = "u1"
    track: dict[str, Any] = field(default_factory=lambda: {"data": {"id": "u1"}})
    delete: int = 200
    shown_after: bool = False
    mute: bool = False
    silent: bool = False


class MadeApi(LoopbackServer):
    """An upload API on loopback with these manners; it keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__(Asked)
        self.manners = Manners()
        self.asked: list[tuple[str, str, str, bytes]] = []
        self.deleted = False


class Asked(Quiet, BaseHTTPRequestHandler):
    """Answers as the server's manners are."""

    server: MadeApi

    def _note(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        agent = self.headers.get("User-Agent", "")
        self.server.asked.append((self.command, self.path, agent, body))

    def _answer(self, status: int, told: object, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(told).encode()
        self.send_response(status)
        sent = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        for name, value in (sent | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self._note()
        if self.server.manners.silent:
            self.server.ended.wait()
            return
        posts = self.server.manners.posts
        self._answer(*(posts.pop(0) if len(posts) > 1 else posts[0]))

    def do_DELETE(self) -> None:
        self._note()
        if self.server.manners.mute:
            self.server.ended.wait()
            return
        status = self.server.manners.delete
        self.server.deleted = status < 300 and not self.server.manners.shown_after
        self._answer(status, {})

    def do_GET(self) -> None:
        self._note()
        manners = self.server.manners
        if self.server.deleted:
            self._answer(404, {"error": {"message": "no such upload"}})
        elif "/tracks/" in self.path:
            self._answer(200, manners.track)
        else:
            left = manners.statuses
            status = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(status, int):
                self._answer(status, {})
            else:
                told = {"id": manners.told_id, "status": status, "error_message": "disk on fire"}
                self._answer(200, {"data": told})


@pytest.fixture
def made_api() -> Iterator[MadeApi]:
    """The made API, well-mannered until a test tells it otherwise."""
    server = MadeApi()
    with server.serving():
        yield server
