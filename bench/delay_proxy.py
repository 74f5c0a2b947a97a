"""A TCP proxy that makes a server on loopback as far away as a round trip of so many seconds."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Self

STARTED = 10.0
"""Seconds that the proxies may take to listen."""


@dataclass
class Traffic:
    """Traffic of one server: connections, and times that a client waited for its answer."""

    connections: int = 0
    round_trips: int = 0


class DelayProxies:
    """Proxies in front of the servers on these ports, while the context is entered.

    Each piece of data is delivered half a round trip after it was sent, and the first one of a
    connection a round trip later, as after a handshake.
    """

    def __init__(self, ports: Iterable[int], round_trip: float) -> None:
        self._round_trip = round_trip
        self.traffic = {port: Traffic() for port in ports}
        self.port_of: dict[int, int] = {}
        self._writers: set[asyncio.StreamWriter] = set()
        self._listening = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._listen()), name="delay proxies", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._listening.wait(STARTED):
            raise TimeoutError("the proxies do not listen")
        return self

    def __exit__(self, *_error: object) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()

    def counted(self) -> Traffic:
        """Return the traffic of all servers since the last call."""
        total = Traffic()
        for port, traffic in self.traffic.items():
            total.connections += traffic.connections
            total.round_trips += traffic.round_trips
            self.traffic[port] = Traffic()
        return total

    async def _listen(self) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        for port in self.traffic:
            server = await asyncio.start_server(partial(self._serve, port), "127.0.0.1")
            self.port_of[port] = server.sockets[0].getsockname()[1]
        self._listening.set()
        await self._ended.wait()
        for writer in self._writers:
            writer.transport.abort()
        if serving := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(serving, timeout=STARTED)

    async def _serve(
        self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.traffic[port].connections += 1
        waits = False

        def sent() -> None:
            nonlocal waits
            self.traffic[port].round_trips += not waits
            waits = True

        def answered() -> None:
            nonlocal waits
            waits = False

        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", port)
        self._writers |= {writer, server_writer}
        handshake = self._round_trip
        await asyncio.gather(
            self._deliver(reader, server_writer, handshake, sent),
            self._deliver(server_reader, writer, 0.0, answered),
            return_exceptions=True,
        )
        self._writers -= {writer, server_writer}

    async def _deliver(self, reader, writer, delay, notice) -> None:  # type: ignore[no-untyped-def]
        """Pass on what arrives, late, the first piece later by `delay`.

        A piece that arrives while the one before it waits does not overtake it.
        """
        pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def write() -> None:
            while True:
                due, data = await pieces.get()
                await asyncio.sleep(due - self._loop.time())
                writer.write(data)
                if not data:
                    break
            writer.close()

        writing = asyncio.ensure_future(write())
        data = b"-"
        while data:
            with contextlib.suppress(OSError):
                data = await reader.read(65536)
            if data:
                notice()
            pieces.put_nowait((self._loop.time() + delay + self._round_trip / 2, data))
            delay = 0.0
        await writing
