"""Servers on loopback that hang, lie or flood; each behaviour is one function of a connection."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.waiting import PATIENCE

PIECE = b"\x00\xffAn answer without end. " * 2048
PAUSE = 0.2
"""Seconds between two bytes of a server that drips."""

Behaviour = Callable[["Peer"], None]


class Peer:
    """One connection; `ended` is set when the server is to stop, `asked` is what was read last."""

    def __init__(self, connection: socket.socket, ended: threading.Event) -> None:
        self.connection = connection
        self.ended = ended
        self.asked = b""

    def read(self) -> bytes:
        """Return what has come, b"" at the end of the stream."""
        self.asked = self.connection.recv(65536)
        return self.asked

    def asks(self, route: str) -> bool:
        """Return whether the HTTP request that was read last is for this route."""
        return self.asked.partition(b" ")[2].startswith(route.encode())

    def send(self, data: bytes) -> None:
        """Send all of it."""
        self.connection.sendall(data)

    def drip(self, data: bytes) -> None:
        """Send a byte at a time, over and over."""
        while True:
            for number in data:
                if self.ended.wait(PAUSE):
                    return
                self.send(bytes([number]))

    def flood(self, piece: bytes = PIECE) -> None:
        """Send without end."""
        while not self.ended.is_set():
            self.send(piece)

    def reset(self) -> None:
        """Close the connection with a reset."""
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()


@contextmanager
def serving(behave: Behaviour) -> Iterator[int]:
    """Accept connections on a free port and behave so on each; yields the port."""
    ended = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    connections: list[socket.socket] = []

    def converse(connection: socket.socket) -> None:
        # The client hangs up whenever it has had enough.
        with contextlib.suppress(OSError), connection:
            behave(Peer(connection, ended))

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connections.append(connection)
                threading.Thread(target=converse, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        ended.set()
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        thread.join(PATIENCE)


def silent(peer: Peer) -> None:
    """Take the connection and say nothing."""
    peer.ended.wait()


def drip(peer: Peer) -> None:
    """Send a byte now and then."""
    peer.drip(b"\x00")


def garbage(peer: Peer) -> None:
    """Answer with bytes that mean nothing, and end."""
    peer.read()
    peer.send(bytes(range(256)) * 40)


def cut(peer: Peer) -> None:
    """Reset the connection after the first bytes."""
    peer.read()
    peer.reset()


def endless(peer: Peer) -> None:
    """Answer without end."""
    peer.read()
    peer.flood()


_TLS_ALERT = b"\x15\x03\x01\x00\x02\x02\x46"


def tls(peer: Peer) -> None:
    """Answer as a TLS server does to a client that does not speak TLS."""
    peer.read()
    peer.send(_TLS_ALERT)


def http_answer(body: bytes, kind: str = "application/json", **headers: str) -> bytes:
    """Return an HTTP answer; a header's name has _ for -."""
    lines = ["HTTP/1.1 200 OK", f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def answering(act: Behaviour, route: str = "/") -> Behaviour:
    """Act on each HTTP request for this route, and know no other."""

    def behave(peer: Peer) -> None:
        while peer.read():
            if peer.asks(route):
                act(peer)
            else:
                answer = http_answer(b'{"error": {"message": "not found"}}')
                peer.send(answer.replace(b"200 OK", b"404 Not Found"))

    return behave


def _then(begin: bytes, act: Behaviour) -> Behaviour:
    def begin_and_act(peer: Peer) -> None:
        peer.send(begin)
        act(peer)

    return begin_and_act


def _says(answer: bytes) -> Behaviour:
    return lambda peer: peer.send(answer)


_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
_DEEP = b"[" * 100_000
_WRONG = {
    "status": 17,
    "data": [None, {"status": {}}],
    "error": 1e308,
    "alarms": "none",
    "messages": True,
    "messages_ready": "many",
    "consumers": [],
    "consumer_details": 5,
    "message_stats": [[]],
    "reason": ["\ud800"],
    "id": {"a": []},
    "progress": "\x1b[31m",
}
_ABSURD = (
    b'{"status": "ok", "timestamp": "99999-99-99T99:99:99Z", "data": {"progress": 1e400, '
    b'"created_at": "0000-00-00", "status": "uploading"}, "messages_ready": -1e309, "consumers": '
    + b"9" * 4_000
    + b', "messages": NaN, "uptime": Infinity}'
)

HTTP: dict[str, Behaviour] = {
    "silent": silent,
    "drip": _then(_HEAD + b"\r\n", lambda peer: peer.drip(b" ")),
    "garbage": lambda peer: peer.send(bytes(range(256)) * 40),
    "cut": _then(_HEAD + b'Content-Length: 99\r\n\r\n{"st', Peer.reset),
    "endless": _then(_HEAD + b"\r\n", Peer.flood),
    "endless header": _then(b"HTTP/1.1 200 OK\r\nX: ", lambda peer: peer.flood(b"x" * 65536)),
    "giant": _then(_HEAD + b"Content-Length: 99999999999\r\n\r\n", Peer.flood),
    "redirect loop": _says(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"),
    "redirect elsewhere": _says(
        b"HTTP/1.1 301 Moved\r\nLocation: http://192.0.2.1:81/login\r\nContent-Length: 0\r\n\r\n"
    ),
    "tls": lambda peer: peer.send(_TLS_ALERT),
    "bomb": _says(http_answer(gzip.compress(bytes(2**26)), Content_Encoding="gzip")),
    "wrong types": _says(http_answer(json.dumps(_WRONG).encode())),
    "empty object": _says(http_answer(b"{}")),
    "list": _says(http_answer(b"[]")),
    "deep": _says(http_answer(_DEEP)),
    "login page": _says(http_answer(b"<!DOCTYPE html><title>Sign in</title>", "text/html")),
    "absurd": _says(http_answer(_ABSURD)),
    "absurd metrics": _says(
        http_answer(
            b'veza_file_uploads_total{status="uploading"} 1e999\n'
            b'veza_file_uploads_total{status="uploading"} -5\nveza_file_uploads_total NaN\n'
            b"veza_upload_processing_duration_seconds_sum " + b"9" * 5_000 + b"\n",
            "text/plain",
        )
    ),
}
"""What is done with one request that was read."""


def _broker(answer: bytes) -> Behaviour:
    """Answer as RabbitMQ does where it names its version, and so everywhere else."""
    version = http_answer(b'{"rabbitmq_version": "3.13.7", "management_version": "3.13.7"}')
    return lambda peer: peer.send(version if peer.asks("/api/overview") else http_answer(answer))


MANAGEMENT = HTTP | {
    "empty objects of a broker": _broker(b"{}"),
    "wrong types of a broker": _broker(
        json.dumps(_WRONG | {"name": "process_upload", "items": [_WRONG, 1, None]}).encode()
    ),
    "absurd figures of a broker": _broker(
        _ABSURD.replace(b'"ok"', b'"ok", "name": "process_upload", "items": [{}]')
    ),
}


RAW: dict[str, Behaviour] = {
    "silent": silent,
    "drip": drip,
    "garbage": garbage,
    "cut": cut,
    "endless": endless,
    "tls": tls,
}


def _start_frame(peer: Peer) -> None:
    peer.read()
    peer.send(b"\x01\x00\x00" + struct.pack(">I", 2**31))
    peer.flood()


def _other_version(peer: Peer) -> None:
    peer.read()
    peer.send(b"AMQP\x00\x01\x00\x00")


_START = b"\x00\x0a\x00\x0a\x00\x09" + bytes(4) + b"\x00\x00\x00\x05PLAIN\x00\x00\x00\x05en_US"


def started(act: Behaviour) -> Behaviour:
    """Begin as RabbitMQ does, with its first frame."""
    frame = b"\x01\x00\x00" + struct.pack(">I", len(_START)) + _START + b"\xce"

    def behave(peer: Peer) -> None:
        peer.read()
        peer.send(frame)
        peer.read()
        act(peer)

    return behave


AMQP = RAW | {
    "giant": _start_frame,
    "other version": _other_version,
    "silent after the start": started(silent),
    "garbage after the start": started(lambda peer: peer.send(bytes(range(256)) * 9)),
    "endless after the start": started(Peer.flood),
}

SSH = RAW | {
    "silent after the greeting": _then(b"SSH-2.0-OpenSSH_9.6\r\n", silent),
    "garbage after the greeting": _then(b"SSH-2.0-OpenSSH_9.6\r\n", garbage),
    "endless after the greeting": _then(b"SSH-2.0-OpenSSH_9.6\r\n", endless),
    "greeting without end": lambda peer: peer.flood(b"welcome\r\n" * 4000),
}


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack(">I", len(body) + 4) + body


def _login(peer: Peer) -> None:
    """Accept any login, without TLS, as PostgreSQL does."""
    first = peer.read()
    if first[4:8] in (b"\x04\xd2\x16\x2f", b"\x04\xd2\x16\x30"):
        peer.send(b"N")
        return _login(peer)
    peer.send(_message(b"R", bytes(4)))
    peer.send(_message(b"S", b"server_version\x0016.0\x00"))
    peer.send(_message(b"S", b"client_encoding\x00UTF8\x00"))
    peer.send(_message(b"K", bytes(8)) + _message(b"Z", b"I"))
    return None


def _logged_in(act: Behaviour) -> Behaviour:
    def behave(peer: Peer) -> None:
        _login(peer)
        while peer.read():
            act(peer)

    return behave


_COLUMN = b"\x00\x01" + b"x\x00" + bytes(6) + struct.pack(">ihih", 25, -1, -1, 0)[:12]
_ROWS = _message(b"1", b"") + _message(b"2", b"") + _message(b"T", _COLUMN)
_ROW = _message(b"D", b"\x00\x01" + struct.pack(">I", 1000) + b"x" * 1000) * 60


_NOTICE = _message(b"N", b"SNOTICE\0C01000\0M" + b"x" * 600 + b"\0\0")
_SETTING = _message(b"S", b"application_name\0" + b"x" * 600 + b"\0")


def _row(*values: bytes) -> bytes:
    body = b"".join(struct.pack(">I", len(value)) + value for value in values)
    return _message(b"D", struct.pack(">H", len(values)) + body)


def _then_read(act: Behaviour) -> Behaviour:
    """Accept the login, and act before the server is ready."""

    def behave(peer: Peer) -> None:
        peer.read()
        peer.send(_message(b"R", bytes(4)))
        act(peer)

    return behave


def _giant_row(peer: Peer) -> None:
    size = 2**30 - 100
    peer.send(_ROWS + b"D" + struct.pack(">I", size + 10) + b"\x00\x01" + struct.pack(">I", size))
    peer.flood(b"x" * 65536)


LOGGED_IN: dict[str, Behaviour] = {
    "silent after login": _logged_in(silent),
    "garbage after login": _logged_in(lambda peer: peer.send(bytes(range(256)) * 9)),
    "two columns of one": _logged_in(
        lambda peer: peer.send(_ROWS + _row(b"x", b"y") + _message(b"Z", b"I"))
    ),
    "endless notices": _logged_in(lambda peer: peer.flood(_NOTICE * 90)),
    "giant error": _logged_in(
        lambda peer: peer.send(_message(b"E", b"SERROR\0C57014\0M" + b"x" * 2**26 + b"\0\0"))
    ),
    "endless rows": _logged_in(_then(_ROWS, lambda peer: peer.flood(_ROW))),
    "giant row": _logged_in(_giant_row),
}
POSTGRES = (
    RAW | LOGGED_IN | {"endless settings": _then_read(lambda peer: peer.flood(_SETTING * 90))}
)
