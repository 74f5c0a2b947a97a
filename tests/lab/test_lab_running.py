"""A healthy lab behaves like Veza: upload path, logs, health, metrics, accounts."""

from __future__ import annotations

import json
import os
import subprocess
import tomllib
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx
import pika
import psycopg
import pytest
from pika.exceptions import ChannelClosedByBroker
from prometheus_client.parser import text_string_to_metric_families

from lab import lifecycle, targets
from lab.audio import tone
from lab.state import QUEUE
from tests.waiting import PATIENCE, eventually

if TYPE_CHECKING:
    from lab.state import Lab


@pytest.fixture
def client(lab: Lab) -> Iterator[httpx.Client]:
    """An HTTP client with the operations token."""
    token = {"Authorization": f"Bearer {lab.passwords.token}"}
    with httpx.Client(base_url=lab.api_url, headers=token, timeout=PATIENCE) as client:
        yield client


def upload(client: httpx.Client, content: bytes, until: str) -> dict[str, Any]:
    """Upload a file, wait for the status `until`, and return the answer of the status route."""
    answer = client.post("/api/v1/upload", files={"file": ("../try.wav", content, "audio/wav")})
    assert answer.status_code == 202, answer.text
    path = f"/api/v1/uploads/{answer.json()['data']['upload_id']}/status"
    eventually(lambda: client.get(path).json()["data"]["status"] == until, f"the status {until}")
    data: dict[str, Any] = client.get(path).json()["data"]
    return data


def test_upload_is_completed_served_and_deleted(client: httpx.Client, lab: Lab) -> None:
    """A WAV file is processed and served as a track; its deletion removes row and file."""
    audio = tone(0.3)
    completed = upload(client, audio, "completed")
    assert completed["progress"] == 100
    track = client.get(f"/api/v1/tracks/{completed['id']}").json()["data"]
    assert (track["size"], track["status"]) == (len(audio), "completed")
    assert [path.name for path in (lab.uploads / completed["id"]).iterdir()] == ["try.wav"]
    assert client.delete(f"/api/v1/tracks/{completed['id']}").json()["success"] is True
    assert client.get(f"/api/v1/uploads/{completed['id']}/status").status_code == 404
    assert not (lab.uploads / completed["id"]).exists()


def test_each_transition_is_logged(client: httpx.Client, lab: Lab) -> None:
    """The application's log has a line for uploading, processing and completed."""
    completed = upload(client, tone(0.3), "completed")

    def logged_statuses() -> list[str]:
        texts = [path.read_text() for path in lab.app_logs.glob("*.log")]
        lines = [line for text in texts for line in text.splitlines()]
        entries = [json.loads(line) for line in lines if completed["id"] in line]
        return [entry["status"] for entry in sorted(entries, key=lambda entry: float(entry["ts"]))]

    eventually(lambda: len(logged_statuses()) == 3, "three log lines")
    assert logged_statuses() == ["uploading", "processing", "completed"]


def test_invalid_audio_fails_with_a_reason(client: httpx.Client, lab: Lab) -> None:
    """An upload that is not audio becomes failed; its status and its job have the reason."""
    failed = upload(client, b"not a WAV file", "failed")
    assert "RIFF" in failed["error_message"]
    with psycopg.connect(lab.dsn) as session:
        row = session.execute(
            "SELECT status, error FROM job_queue WHERE payload ->> 'upload_id' = %s",
            (failed["id"],),
        ).fetchone()
    assert row == ("failed", failed["error_message"])


def test_status_has_the_fields_of_the_runbook(client: httpx.Client) -> None:
    """The answer is an envelope with status, progress and ISO times with a time zone."""
    completed = upload(client, tone(0.1), "completed")
    answer = client.get(f"/api/v1/uploads/{completed['id']}/status").json()
    assert answer["success"] is True
    assert set(answer["data"]) == {"id", "status", "progress", "created_at", "updated_at"}
    assert answer["data"]["created_at"].endswith("+00:00")


def test_refusals_are_envelopes(client: httpx.Client, lab: Lab) -> None:
    """Without a token 401, with a wrong one 401, for another user's upload 403, an unknown 404."""
    path = f"/api/v1/uploads/{upload(client, tone(0.1), 'completed')['id']}/status"
    answers = [
        httpx.get(lab.api_url + path),
        httpx.get(lab.api_url + path, headers={"Authorization": "Bearer wrong"}),
        client.get(path, headers={"Authorization": f"Bearer {lab.passwords.user_token}"}),
        client.get(f"/api/v1/uploads/{UUID(int=7)}/status"),
    ]
    assert [answer.status_code for answer in answers] == [401, 401, 403, 404]
    assert all(answer.json()["success"] is False for answer in answers)


def test_upload_that_is_too_large_is_not_read(client: httpx.Client) -> None:
    """A Content-Length of more than 50 MB is refused before the body is sent."""
    connection = HTTPConnection(client.base_url.host, client.base_url.port, timeout=PATIENCE)
    connection.putrequest("POST", "/api/v1/upload")
    connection.putheader("Content-Length", "60000000")
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


def test_health_routes_are_ok(client: httpx.Client) -> None:
    """Readiness and worker health answer 200 in a healthy lab."""
    assert client.get("/readyz").status_code == 200
    assert client.get("/health/worker").status_code == 200


def test_metrics_hold_the_series_of_the_runbook(client: httpx.Client) -> None:
    """Each status has a gauge, and the processing time is a histogram."""
    families = {
        family.name: family
        for family in text_string_to_metric_families(client.get("/metrics").text)
    }
    gauge = families["veza_file_uploads_total"]
    assert gauge.type == "gauge"
    statuses = {sample.labels["status"]: sample.value for sample in gauge.samples}
    assert statuses["completed"] > 100
    assert {"uploading", "pending", "processing", "failed", "quarantined"} <= set(statuses)
    assert families["veza_upload_processing_duration_seconds"].type == "histogram"


def test_monitor_can_read_and_not_write(lab: Lab) -> None:
    """The monitor's database role can read the tables and cannot change them."""
    with psycopg.connect(lab.dsn) as session:
        row = session.execute("SELECT count(*) FROM uploads").fetchone()
        assert row is not None
        assert row[0] > 100
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("UPDATE uploads SET progress = 0")


def test_monitor_can_declare_passively_and_not_publish(lab: Lab) -> None:
    """The monitor's broker user can read the queue's depth and cannot publish."""
    if not lab.broker:
        pytest.skip("no RabbitMQ on this machine")
    connection = pika.BlockingConnection(pika.URLParameters(lab.amqp_url))
    try:
        channel = connection.channel()
        assert channel.queue_declare(QUEUE, passive=True).method.consumer_count == 1
        channel.basic_publish("", QUEUE, b"x")
        with pytest.raises(ChannelClosedByBroker):
            channel.queue_declare(QUEUE, passive=True)
    finally:
        connection.close()


def test_targets_file_describes_this_lab(lab: Lab) -> None:
    """The lab's targets file is closed to other users and has this lab's addresses."""
    path = targets.path(lab)
    target = tomllib.loads(path.read_text())["targets"]["lab"]
    assert path.stat().st_mode & 0o077 == 0
    assert target["api"]["url"] == lab.api_url
    assert target["storage"]["path"] == str(lab.uploads)
    assert ("queue" in target) is lab.broker


def test_worker_pattern_matches_the_worker_alone(lab: Lab) -> None:
    """The target's worker pattern matches this lab's worker and no other process."""
    pgrep = subprocess.run(
        ["pgrep", "-f", "--", lab.worker_pattern], capture_output=True, text=True, check=True
    )
    processes = lifecycle.describe(lab.directory)["processes"]
    assert [int(pid) for pid in pgrep.stdout.split()] == [processes["worker"]["pid"]]


def test_services_obey_file_modes(lab: Lab) -> None:
    """API and worker run without the capabilities to ignore file modes, also under root."""
    if os.geteuid() == 0 and not lab.drops_capabilities:
        pytest.skip("root cannot drop capabilities on this machine")
    processes = lifecycle.describe(lab.directory)["processes"]
    for name in ("api", "worker"):
        status = Path(f"/proc/{processes[name]['pid']}/status").read_text().splitlines()
        line = next(line for line in status if line.startswith("CapEff:"))
        assert int(line.split()[1], 16) & 0b110 == 0, name
