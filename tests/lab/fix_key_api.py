"""Fixture `key_api`: the lab's API behind a gateway that reads the token in `X-Api-Key` alone."""

from __future__ import annotations

from collections.abc import Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.lab.serving import LoopbackServer, QuietHandler
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from lab.state import Lab


class Gateway(LoopbackServer):
    """HTTP server that passes each request on to the API at `address`."""

    def __init__(self, address: str) -> None:
        super().__init__(GatewayHandler)
        self.address = address


class GatewayHandler(QuietHandler, BaseHTTPRequestHandler):
    """Passes a request on with its key as the bearer token; any other login is dropped."""

    server: Gateway

    def do_GET(self) -> None:
        own = ("host", "connection", "authorization", "x-api-key")
        headers = {name: text for name, text in self.headers.items() if name.lower() not in own}
        if key := self.headers.get("X-Api-Key"):
            headers["Authorization"] = f"Bearer {key}"
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        connection = HTTPConnection(self.server.address, timeout=PATIENCE)
        try:
            connection.request(self.command, self.path, body, headers)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        self.send_response(response.status)
        for name in ("Content-Type", "Location"):
            if value := response.getheader(name):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_DELETE = do_GET  # noqa: N815 - names that http.server calls


@pytest.fixture
def key_api(lab: Lab) -> Iterator[Gateway]:
    """The lab's API for clients with a key."""
    gateway = Gateway(urlsplit(lab.api_url).netloc)
    with gateway.serving():
        yield gateway
