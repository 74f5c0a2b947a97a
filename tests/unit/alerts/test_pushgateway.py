"""`python -m reports push`, to a real HTTP server on loopback."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bench.receiver import Receiver
from reports.alerts import http_call
from reports.cli.main import main
from reports.model.report_json import to_json
from tests import made

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """The path of an incident's saved report."""
    path = tmp_path / "report.json"
    path.write_text(to_json(made.incident()), encoding="utf-8")
    return path


def test_the_metrics_replace_the_target_s_group(report: Path, receiver: Receiver) -> None:
    """One PUT to the group of job and target, with metrics that Prometheus can parse."""
    assert main(["push", str(report), "--to", f"http://{receiver.address}/prefix/"]) == 0
    (got,) = receiver.requests
    group = "/metrics/job/veza_checks/target/live/runbook/upload_stuck"
    assert (got.method, got.path) == ("PUT", f"/prefix{group}")
    names = {family.name for family in text_string_to_metric_families(got.body)}
    assert "veza_checks_run_state" in names


def test_the_name_of_a_target_is_quoted_in_the_path(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A password goes into a header."""
    path = tmp_path / "report.json"
    path.write_text(to_json(made.incident()).replace('"name": "live"', '"name": "a b?c"', 1))
    monkeypatch.setenv("GATEWAY", f"http://me:hunter22@{receiver.address}")
    assert main(["push", str(path), "--to", "env:GATEWAY"]) == 0
    assert "/job/veza_checks/target/a%20b%3Fc/runbook/" in receiver.requests[0].path
    assert receiver.requests[0].headers["Authorization"].startswith("Basic ")


def test_a_failed_push_is_one_sentence(
    report: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """A gateway that refuses, hangs or is down: exit status 1."""
    receiver.status = 400
    command = ["push", str(report), "--to", f"http://{receiver.address}"]
    assert main(command) == 1
    assert main(["push", str(report), "--to", "http://127.0.0.1:1"]) == 1
    receiver.hang = True
    monkeypatch.setattr(http_call, "SECONDS_MAX", 0.3)
    assert main(command) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        f"not delivered: {receiver.address}: it answered 400",
        "not delivered: 127.0.0.1:1: connection refused",
        f"not delivered: {receiver.address}: no answer within 0.3 s",
    ]


@pytest.mark.parametrize("to", ["gateway:9091", "ftp://gateway", "http://", "http://a:b@gateway"])
def test_an_invalid_address_is_refused(report: Path, capsys: Capture, to: str) -> None:
    """It ends with 2; a password on the command line is refused too."""
    assert main(["push", str(report), "--to", to]) == 2
    assert capsys.readouterr().err.startswith("--to")
