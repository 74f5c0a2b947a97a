"""No output of a run holds a secret, in any encoding, whatever option writes it.

`tox -e hostile` tries all options; without VEZA_HOSTILE=all a few stand for the others.
"""

from __future__ import annotations

import base64
import html
import json
import os
import re
import struct
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.hostile import servers
from tests.suite import Run, run_command, run_suite

TOKEN = "t0ken/with+signs&quotes'7"
PASSWORD = "c0rrect-Horse&battery_"
LOGIN = f"monitor:{quote(PASSWORD, safe='')}"
TARGETS = """
[targets.planted]
environment = "live"
[targets.planted.api]
url = "{api}"
token = "env:PLANTED_TOKEN"
[targets.planted.database]
dsn = "env:PLANTED_DSN"
[targets.planted.queue]
url = "env:PLANTED_AMQP"
management_url = "env:PLANTED_MANAGEMENT"
name = "process_upload"
[targets.planted.prometheus]
url = "{api}"
token = "env:PLANTED_TOKEN"
[targets.planted.logs]
files = ["{folder}/veza.log"]
[targets.planted.worker]
pattern = "nobody-runs-this"
"""

OPTIONS = [
    "--debug={}/debug.log --trace-config -vv -rA --setup-show",
    "--debug={}/debug.log --junitxml={}/junit.xml --alluredir={}/allure",
    "--log-cli-level=DEBUG --log-file={}/log --log-file-level=DEBUG --tb=long -l",
    "--log-level=DEBUG --capture=no --full-trace --durations=0 -rA",
    "--check-config",
    "",
    "-q -q",
    "-v",
    "-vvv --tb=auto",
    "-rA --tb=native",
    "--tb=short --showlocals",
    "--tb=line --show-capture=all",
    "--tb=no -rfEsxXpP",
    "--setup-show -v",
    "--setup-plan",
    "--setup-only",
    "--collect-only",
    "--capture=no",
    "--capture=sys -rP",
    "--capture=tee-sys --log-level=0 -rA",
    "--debug={}/debug.log",
    "--debug={}/debug.log --check-config",
    "--debug={}/debug.log --tb=long -l --full-trace --assert=rewrite",
    "--debug={}/debug.log --collect-only",
    "--debug={}/debug.log --canary",
    "--debug={}/debug.log --target planted,planted2",
    "--trace-config --log-cli-level=0 -v",
    "-o log_cli=true -o log_cli_level=1 -rA",
    "--log-file={}/log --log-file-level=0",
    "--log-file={}/log --log-file-level=DEBUG --log-format=%(message)s%(args)s%(exc_info)s",
    "--junitxml={}/junit.xml -o junit_logging=all -o junit_log_passing_tests=true",
    "--junitxml={}/junit.xml --log-level=DEBUG",
    "--alluredir={}/allure --log-level=DEBUG",
    "--alluredir={}/allure --allure-no-capture",
    "--durations=0 --durations-min=0 -vv",
    "--assert=rewrite -vv --tb=long",
    "-W error --tb=long -l",
    "-x --tb=long -l",
    "-m verification_4 -rA --log-level=DEBUG",
    "-k database --tb=long --log-cli-level=DEBUG",
    "--budget=5s -rA",
    "--upload-id=7f9c2b1e-0d4a-4c58-9e6f-3a1b5d7c8e90 --log-level=DEBUG -rA",
    "--runbook-doc=runbooks/upload_stuck/runbook.md -v",
    "-p no:terminal",
    "-p no:logging -p no:capture -v",
]
"""Options of a run; {} is a folder for what they write. Those of 5 runs are tried in `tox`."""

CHOSEN = OPTIONS if os.environ.get("VEZA_HOSTILE") == "all" else OPTIONS[:5]

COMMANDS = [
    "render --format terminal -v {}",
    "render --format json {}",
    "render --format html {}",
    "render --format prometheus {}",
    "nagios {}",
    "postmortem {}",
    "replay {}",
    "replay --format terminal {}",
    "replay --robustness {}",
]
"""Subcommands of `python -m reports`; {} is the report."""


def written_forms(secret: str) -> dict[str, str]:
    """Return a secret as programs write it, each with the part that must not be shown."""
    within_json = json.dumps(secret)[1:-1]
    quoted = quote(secret, safe="")
    plain = (
        secret,
        quoted,
        re.sub("%..", lambda code: code[0].lower(), quoted),
        quote(secret, safe="!'()*"),
        quote(quoted),
        html.escape(secret),
        html.escape(secret).replace("&#x27;", "&#39;"),
        within_json,
        json.dumps(within_json)[1:-1],
        within_json.replace("&", "\\u0026"),
    )
    # The first and the last letters of base64 depend on what is beside the secret.
    logins = (base64.b64encode(user + secret.encode()).decode() for user in (b"", b"u:", b"user:"))
    return {form: form for form in plain} | {login: login[8:-4] for login in logins}


FORMS = written_forms(TOKEN) | written_forms(PASSWORD)


def echo(forms: Sequence[str]) -> servers.Behaviour:
    """Answer HTTP with the login of the request, and with these forms of the secrets."""

    def behave(peer: servers.Peer) -> None:
        headers = peer.asked.decode("latin-1").split("\r\n")
        logins = [line[15:] for line in headers if line.lower().startswith("authorization:")]
        login = "".join(logins)
        parts = {f"part {number}": form for number, form in enumerate(forms)}
        answer = servers.http_answer(
            json.dumps({"status": f"failed: {login}", "checks": parts}).encode(), X_Echo=login
        )
        peer.send(answer.replace(b"200 OK", b"503 " + login.encode()))

    return behave


def refuse_session(forms: Sequence[str]) -> servers.Behaviour:
    """Refuse a PostgreSQL session in a message that has the secrets in it."""
    text = " ".join(forms)
    message = f"SFATAL\0C28P01\0M{text}\0D{text}\0H{text}\0\0".encode()

    def behave(peer: servers.Peer) -> None:
        peer.read()
        peer.send(b"E" + struct.pack(">I", len(message) + 4) + message)

    return behave


def close_connection(forms: Sequence[str]) -> servers.Behaviour:
    """Close an AMQP connection with a reason that has the secrets in it."""
    reason = f"ACCESS_REFUSED {' '.join(forms)}".encode()[:255]
    close = b"\x00\x0a\x00\x32\x01\x93" + bytes([len(reason)]) + reason + bytes(4)
    frame = b"\x01\x00\x00" + struct.pack(">I", len(close)) + close + b"\xce"
    return servers.started(lambda peer: peer.send(frame))


@contextmanager
def planted(folder: Path, first: int = 0) -> Iterator[tuple[str, dict[str, str]]]:
    """Serve components that repeat the secrets; yields --targets-file and the environment.

    Reports quote the beginning of what a component says: there stands the form number `first`.
    """
    first %= len(FORMS)
    forms = [*FORMS][first:] + [*FORMS][:first]
    folder.mkdir()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    lines = [f"{stamp} ERROR upload failed: {form}\n" for form in reversed(forms)]
    (folder / "veza.log").write_text("".join(lines))
    with ExitStack() as stack:
        api, database, broker = (
            stack.enter_context(servers.serving(behave))
            for behave in (
                servers.answering(echo(forms)),
                refuse_session(forms),
                close_connection(forms),
            )
        )
        targets = TARGETS.format(api=f"http://127.0.0.1:{api}", folder=folder)
        file = folder / "targets.toml"
        file.write_text(targets + targets.replace("targets.planted", "targets.planted2"))
        yield (
            f"--targets-file={file}",
            {
                "PLANTED_TOKEN": TOKEN,
                "PLANTED_DSN": f"postgresql://{LOGIN}@127.0.0.1:{database}/veza",
                "PLANTED_AMQP": f"amqp://{LOGIN}@127.0.0.1:{broker}/%2F",
                "PLANTED_MANAGEMENT": f"http://{LOGIN}@127.0.0.1:{api}",
            },
        )


def found_in(run: Run, folder: Path) -> dict[str, int]:
    """Return how often each form of a secret is in what a run printed and wrote."""
    written = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    everything = b"\n".join([run.text.encode(), run.errors.encode(), *written])
    counts = {form: everything.count(form.encode()) for form in set(FORMS.values())}
    return {form: number for form, number in counts.items() if number}


@pytest.mark.parametrize("options", CHOSEN)
def test_no_output_holds_a_secret(tmp_path: Path, options: str) -> None:
    """Nothing that a run prints or writes has a planted secret or one of its encodings."""
    written = tmp_path / "written"
    written.mkdir()
    target = [] if "--target" in options else ["--target", "planted"]
    with planted(tmp_path / "planted", OPTIONS.index(options)) as (file, environ):
        run = run_suite(
            file, *target, *options.format(*[written] * 3).split(),
            out=written / "out",
            environ=environ,
        )  # fmt: skip
    assert not found_in(run, written)
    assert "Traceback" not in run.errors
    if run.report is not None:
        assert run.state != "healthy"
        # The components did repeat them.
        assert "***" in json.dumps(run.report)


@pytest.mark.parametrize("command", COMMANDS if len(CHOSEN) > 5 else COMMANDS[:1])
def test_no_saved_report_holds_a_secret(tmp_path: Path, command: str) -> None:
    """Nothing that is made from the report of a run has a secret either."""
    with planted(tmp_path / "planted") as (file, environ):
        run_suite(file, "--target", "planted", out=tmp_path / "out", environ=environ)
    report = tmp_path / "out/planted/upload_stuck/report.json"
    done = run_command(
        sys.executable, "-m", "reports", *command.format(report).split(), environ=environ
    )
    assert len(done.stdout) > 50, done.stderr
    printed = done.stdout + done.stderr
    assert not [form for form in FORMS.values() if form in printed]


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
