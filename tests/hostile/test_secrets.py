"""No output of a run holds a secret, in any encoding, whatever option writes it."""

from __future__ import annotations

import base64
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from core.secrets import encodings
from tests.lab.serving import LoopbackServer, QuietHandler
from tests.suite import run_suite

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN = "t0ken/with+signs&quotes'7"
PASSWORD = "c0rrect-Horse_battery"
SECRETS = {
    "PLANTED_TOKEN": TOKEN,
    "PLANTED_DSN": f"postgresql://monitor:{PASSWORD}@127.0.0.1:1/veza",
    "PLANTED_AMQP": f"amqp://monitor:{PASSWORD}@127.0.0.1:1/%2F",
}


class EchoHandler(QuietHandler, BaseHTTPRequestHandler):
    """Sends the Authorization header back: in a header, as it is, for a URL and in base64."""

    def do_GET(self) -> None:
        login = self.headers.get("Authorization", "")
        secret = login.rpartition(" ")[2]
        if login.startswith("Basic"):
            secret = base64.b64decode(secret).decode()
        body = (
            f'{{"status": "failed", "error": "{login}", "more": "{quote(secret, safe="")} '
            f'{base64.b64encode(secret.encode()).decode()}"}}'
        ).encode()
        self.send_response(503)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Echo", login)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def echo() -> Iterator[LoopbackServer]:
    """A server that repeats the login of each request."""
    server = LoopbackServer(EchoHandler)
    with server.serving():
        yield server


@pytest.mark.parametrize(
    "options",
    [
        ["--debug={}/debug.log", "--trace-config", "-vv", "-rA", "--setup-show"],
        ["--debug={}/debug.log", "-n1", "--junitxml={}/junit.xml", "--alluredir={}/allure"],
        ["--log-cli-level=DEBUG", "--log-file={}/log", "--log-file-level=DEBUG", "--tb=long", "-l"],
        ["--log-level=DEBUG", "--capture=no", "--full-trace", "--durations=0", "-n1", "-rA"],
        ["--check-config"],
    ],
)
def test_no_output_holds_a_secret(echo: LoopbackServer, tmp_path: Path, options: list[str]) -> None:
    """Nothing that a run prints or writes has a planted secret or one of its encodings."""
    file = tmp_path / "targets.toml"
    file.write_text(
        f"""
[targets.planted]
environment = "live"
[targets.planted.api]
url = "{echo.url}"
token = "env:PLANTED_TOKEN"
[targets.planted.database]
dsn = "env:PLANTED_DSN"
[targets.planted.queue]
url = "env:PLANTED_AMQP"
management_url = "env:PLANTED_MANAGEMENT"
name = "process_upload"
[targets.planted.logs]
files = ["{tmp_path}/environ.log"]
[targets.planted.worker]
pattern = "nobody-runs-this"
"""
    )
    (tmp_path / "environ.log").write_text(
        f"2026-03-02T10:00:00Z ERROR upload failed: {TOKEN} {quote(PASSWORD)} panic\n"
    )
    run = run_suite(
        f"--targets-file={file}", "--target", "planted",
        *(option.format(tmp_path) for option in options),
        out=tmp_path / "out",
        environ={**SECRETS, "PLANTED_MANAGEMENT": echo.url},
    )  # fmt: skip
    (tmp_path / "environ.log").unlink()
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    everything = b"\n".join([run.text.encode(), run.errors.encode(), *written])
    found = {
        form: everything.count(form.encode())
        for secret in (TOKEN, PASSWORD)
        for form in encodings(secret)
        if form.encode() in everything
    }
    assert not found
    assert "Traceback" not in run.errors
    assert run.status == (0 if "--check-config" in options else 1), run.text + run.errors
    if "--check-config" not in options:
        assert run.state == "incident"


def test_a_child_inherits_no_secret(tmp_path: Path) -> None:
    """A command on this machine does not have the variables that the targets file refers to."""
    file = tmp_path / "targets.toml"
    (tmp_path / "bin").mkdir()
    spy = tmp_path / "bin" / "env"
    spy.write_text(f'#!/bin/sh\n/usr/bin/env >> {tmp_path}/environment\nexec /usr/bin/env "$@"\n')
    spy.chmod(0o755)
    file.write_text(
        """
[targets.other]
environment = "live"
[targets.other.api]
url = "http://127.0.0.1:1"
token = "env:OTHER_TOKEN"
[targets.planted]
environment = "live"
[targets.planted.api]
url = "http://127.0.0.1:1"
token = "env:PLANTED_TOKEN"
[targets.planted.storage]
path = "/tmp"
"""
    )
    secrets = {"PLANTED_TOKEN": TOKEN, "OTHER_TOKEN": PASSWORD}
    path = f"{spy.parent}:/usr/local/bin:/usr/bin:/bin"
    run_suite(
        f"--targets-file={file}", "--target", "planted", "-k", "hosts",
        out=tmp_path / "out",
        environ={**secrets, "PATH": path},
    )  # fmt: skip
    environment = (tmp_path / "environment").read_text()
    assert "PATH=" in environment
    assert TOKEN not in environment
    assert PASSWORD not in environment
