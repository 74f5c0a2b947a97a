"""The probe of the alert rules, against a real Prometheus and against other servers."""

from __future__ import annotations

import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from fixtures.probes.errors import NotOffered
from fixtures.probes.http.alert_rules import AlertRulesProbe
from fixtures.probes.http.client import HttpClient
from tests.lab.fix_services import Reply, ReplyServer
from tests.suite import ROOT
from tests.waiting import PATIENCE, eventually

RULES = """
groups:
  - name: uploads
    rules:
      - record: veza:uploads:waiting
        expr: sum(veza_file_uploads_total{status="uploading"})
      - alert: SeriesAbsent
        expr: absent(veza_file_uploads_total{status="uploading"})
"""


@contextmanager
def prometheus(folder: Path, *rules: Path) -> Iterator[str]:
    """A Prometheus on loopback with these files of rules; yields its URL."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("there is no prometheus here: apt-get install prometheus")
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    config = folder / "prometheus.yml"
    config.write_text(f"rule_files: {[str(path) for path in rules]}\n")
    with subprocess.Popen(
        [
            program,
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={address}",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            eventually(lambda: is_ready(f"http://{address}/-/ready"), "Prometheus")
            yield f"http://{address}"
        finally:
            process.terminate()


def is_ready(url: str) -> bool:
    """Return whether a server answers with 200."""
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@contextmanager
def probe_of(url: str, token: str | None = None) -> Iterator[AlertRulesProbe]:
    """A probe of the server at this URL."""
    http = HttpClient(url, PATIENCE, "Prometheus")
    try:
        yield AlertRulesProbe(http, token)
    finally:
        http.close()


def test_our_own_rules_are_found(tmp_path: Path) -> None:
    """The rules of deploy/ about waiting uploads are named, and no others."""
    with (
        prometheus(tmp_path, ROOT / "deploy/prometheus/rules.yml") as url,
        probe_of(url) as probe,
    ):
        rules = probe.about_waiting()
    assert rules.about_waiting == ("VezaOldestUploadStuck", "VezaUploadsStuck")
    assert rules.total > 2
    assert str(rules).endswith("has the alert rule VezaOldestUploadStuck, VezaUploadsStuck")


def test_no_such_rule_is_no_failure(tmp_path: Path) -> None:
    """A recording rule alerts nobody, and an absent series is something else: skipped."""
    (tmp_path / "rules.yml").write_text(RULES)
    with (
        prometheus(tmp_path, tmp_path / "rules.yml") as url,
        probe_of(url) as probe,
        pytest.raises(NotOffered, match="has 1 alert rule, and none whose query names"),
    ):
        probe.about_waiting()


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(401), r"refuses the login with HTTP 401; check prometheus\.token"),
        (Reply(302, location="/login"), r"a redirect to .*check prometheus\.url"),
        (Reply(body=b'{"status": "success"}'), r"not its rules; check prometheus\.url"),
        (Reply(body=b'{"data": {"groups": [7, {"rules": [null, {}]}]}}'), "has 0 alert rules"),
        (
            Reply(
                body=b'{"data": {"groups": [{"rules": [{"type": "alerting", "name": "Stuck", '
                b'"health": "err", "lastError": "many-to-many", '
                b'"query": "veza_file_uploads_total{status=\\"uploading\\"} > 0"}]}]}}'
            ),
            "Stuck is about stuck uploads, and fails: many-to-many",
        ),
    ],
)
def test_what_cannot_be_read_is_no_failure(
    reply_server: ReplyServer, reply: Reply, reason: str
) -> None:
    """Whatever the monitoring answers, the check is skipped with the reason."""
    reply_server.reply = reply
    with probe_of(reply_server.url, "a-token") as probe, pytest.raises(NotOffered, match=reason):
        probe.about_waiting()
    (_, path, header), *_ = reply_server.requests
    assert path == "/api/v1/rules?type=alert&exclude_alerts=true"
    assert header == "Bearer a-token"


def test_a_prometheus_that_is_down_is_no_failure() -> None:
    """Its outage is not one of the uploads."""
    with (
        probe_of("http://127.0.0.1:1") as probe,
        pytest.raises(NotOffered, match=r"Prometheus at http://127\.0\.0\.1:1 cannot be reached"),
    ):
        probe.about_waiting()
