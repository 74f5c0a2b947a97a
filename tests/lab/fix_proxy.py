"""Faults between a client and a real server: a TCP proxy that can be stopped, go deaf, and cut."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Proxy:
    """Listens on a port of 127.0.0.1 and passes bytes to and from `server` (host, port).

    After `stop()` connections are refused; after `go_deaf()` they are accepted, and nothing is
    passed on, also not on those that are open; `cut()` ends those that are open. `accepted` is the
    number of connections so far.
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
        """Refuse connections from now on, and end those that are open."""
        with self._lock:
            if self._listener is not None:
                self._selector.unregister(self._listener)
                self._listener.close()
                self._listener = None
        self.cut()

    def go_deaf(self) -> None:
        """Accept connections without ever answering."""
        self._deaf = True

    def cut(self) -> None:
        """End every open connection."""
        with self._lock:
            for one in list(self._peers):
                self._end(one)

    def close(self) -> None:
        """End the proxy and its thread."""
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
                        self._pass_on(key.fileobj)

    def _accept(self, listener: socket.socket) -> None:
        client, _ = listener.accept()
        self.accepted += 1
        try:
            server = socket.create_connection(self._server, timeout=PATIENCE)
        except OSError:
            client.close()
            return
        for one, other in ((client, server), (server, client)):
            self._peers[one] = other
            self._selector.register(one, selectors.EVENT_READ)

    def _pass_on(self, one: socket.socket) -> None:
        if one not in self._peers:
            return
        with contextlib.suppress(OSError):
            if data := one.recv(65536):
                self._peers[one].sendall(data)
                return
        self._end(one)

    def _end(self, one: socket.socket) -> None:
        other = self._peers.pop(one, None)
        if other is not None:
            self._peers.pop(other, None)
        for each in (one, other):
            if each is not None and each.fileno() >= 0:
                self._selector.unregister(each)
                each.close()


@pytest.fixture
def proxy() -> Iterator[Callable[[str, int], Proxy]]:
    """Make proxies before servers; each is ended after the test."""
    made: list[Proxy] = []

    def make(host: str, port: int) -> Proxy:
        made.append(Proxy((host, port)))
        return made[-1]

    yield make
    for one in made:
        one.close()
