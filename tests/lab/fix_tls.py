"""Fixtures `server_side` and `tls_server`: TLS with an authority that only SSL_CERT_FILE knows."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest


@pytest.fixture
def server_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """Return a server's context for api.test and this machine, whose authority SSL_CERT_FILE is."""
    if shutil.which("openssl") is None:
        pytest.skip("no certificate can be made here: apt-get install openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=api.test", "-addext", "subjectAltName=DNS:api.test,IP:127.0.0.1"]
    command += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    return context


@pytest.fixture
def tls_server(server_side: ssl.SSLContext) -> Iterator[int]:
    """Yield the port of a server of HTTPS on 127.0.0.1 that answers 404 to one request."""

    def answer(listener: socket.socket) -> None:
        with suppress(OSError), server_side.wrap_socket(listener.accept()[0], True) as peer:
            peer.recv(65536)
            peer.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=answer, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1]
