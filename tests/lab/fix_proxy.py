"""Fixture `proxy`: TCP proxies that put faults between a client and a real server."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from tests.waiting import PATIENCE


class Proxy:
    """TCP proxy on a free port of 127.0.0.1 for `server` (host, port).

    `accepted` is the number of connections so far.
    """

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server
        self._selector = selectors.DefaultSelector()
        self._peers: dict[socket.socket, socket.socket] = {}
        self._lock = threading.Lock()
        self._deaf = False
        self._ended = False
        self.accepted = 0
        self._listener: socket.socket | None = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Refuse new connections and close the open ones."""
        with self._lock:
            if self._listener is not None:
                self._selector.unregister(self._listener)
                self._listener.close()
                self._listener = None
        self.cut()

    def go_deaf(self) -> None:
        """Accept connections and forward nothing, also on the open ones."""
        self._deaf = True

    def cut(self) -> None:
        """Close the open connections."""
        with self._lock:
            for connection in list(self._peers):
                self._end(connection)

    def close(self) -> None:
        """Stop the proxy and its thread."""
        self.stop()
        self._ended = True
        self._thread.join(PATIENCE)
        self._selector.close()

    def _run(self) -> None:
        while not self._ended:
            for key, _ in self._selector.select(0.05):
                with self._lock:
                    if key.fileobj is self._listener:
                        self._accept(self._listener)
                    elif isinstance(key.fileobj, socket.socket) and not self._deaf:
                        self._forward(key.fileobj)

    def _accept(self, listener: socket.socket) -> None:
        client, _ = listener.accept()
        self.accepted += 1
        try:
            server = socket.create_connection(self._server, timeout=PATIENCE)
        except OSError:
            client.close()
            return
        for connection, peer in ((client, server), (server, client)):
            self._peers[connection] = peer
            self._selector.register(connection, selectors.EVENT_READ)

    def _forward(self, connection: socket.socket) -> None:
        if connection not in self._peers:
            return
        with contextlib.suppress(OSError):
            if data := connection.recv(65536):
                self._peers[connection].sendall(data)
                return
        self._end(connection)

    def _end(self, connection: socket.socket) -> None:
        peer = self._peers.pop(connection, None)
        if peer is not None:
            self._peers.pop(peer, None)
        for end in (connection, peer):
            if end is not None and end.fileno() >= 0:
                self._selector.unregister(end)
                end.close()


@pytest.fixture
def proxy() -> Iterator[Callable[[str, int], Proxy]]:
    """Make proxies for servers; each is stopped after the test."""
    proxies: list[Proxy] = []

    def make(host: str, port: int) -> Proxy:
        proxies.append(Proxy((host, port)))
        return proxies[-1]

    yield make
    for proxy in proxies:
        proxy.close()
