"""A small HTTP server that keeps what it is sent: alert service, dead man's switch, gateway."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Got:
    """One request."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: str

    @property
    def said(self) -> dict[str, Any]:
        """The JSON object in the body."""
        found: dict[str, Any] = json.loads(self.body)
        return found


class Receiver:
    """Listens on loopback while it is entered.

    `status` is what it answers; with `hold` it answers nothing until it is left.
    """

    def __init__(self) -> None:
        self.got: list[Got] = []
        self.status = 200
        self.hold = False
        self._released = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def _take(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                outer.got.append(Got(self.command, self.path, dict(self.headers), body))
                if outer.hold:
                    outer._released.wait(60)
                self.send_response(outer.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST = do_PUT = _take  # noqa: N815 - the server's names

            def log_message(self, *_said: object) -> None:
                """Print nothing: what came is in `got`."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def place(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self._server.server_port}"

    def under(self, prefix: str) -> list[Got]:
        """Return the requests whose path begins so, in their order."""
        return [got for got in self.got if got.path.startswith(prefix)]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
