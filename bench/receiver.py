"""A small HTTP server that records its requests, for alerts, heartbeats and pushed metrics."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True)
class ReceivedRequest:
    """One request that the receiver got."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: str

    @property
    def json(self) -> dict[str, Any]:
        """The JSON object in the body."""
        content: dict[str, Any] = json.loads(self.body)
        return content


class Receiver:
    """A server on loopback that runs while its context is entered.

    It answers `status` without a body, or what `answer` returns for a request; a redirect leads to
    `redirects_to`. With `hang` it does not answer before the context is left.
    """

    def __init__(self) -> None:
        self.requests: list[ReceivedRequest] = []
        self.status = 200
        self.answer: Callable[[ReceivedRequest], tuple[int, str]] = lambda _: (self.status, "")
        self.hang = False
        self.redirects_to = "/elsewhere"
        self._released = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def _record(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                got = ReceivedRequest(self.command, self.path, dict(self.headers), body)
                receiver.requests.append(got)
                if receiver.hang:
                    receiver._released.wait(60)
                status, text = receiver.answer(got)
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", receiver.redirects_to)
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                if text:
                    self.wfile.write(text.encode())

            do_GET = do_POST = do_PUT = _record  # noqa: N815 - the names of http.server

            def log_message(self, *_arguments: object) -> None:
                """Print nothing; `requests` has everything."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def address(self) -> str:
        """The server's "host:port"."""
        return f"127.0.0.1:{self._server.server_port}"

    def requests_to(self, prefix: str) -> list[ReceivedRequest]:
        """Return the requests whose path begins with `prefix`, in the order of their arrival."""
        return [request for request in self.requests if request.path.startswith(prefix)]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
