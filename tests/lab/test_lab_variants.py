"""Labs of the other variants: upload path, what the monitor sees, a fault and its healing."""

from __future__ import annotations

import os
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql

from lab import cli, faults, lifecycle, targets
from lab.audio import tone
from lab.errors import LabError
from lab.faults.tools import NOT_AUDIO, FaultTools
from lab.variants import BARE, BIGINT, STANDARD, ULID, VARIANTS
from tests.suite import run_suite

if TYPE_CHECKING:
    from lab.state import Lab

OTHERS = [variant for variant in VARIANTS.values() if variant is not STANDARD]
REQUIRED = "id, status, progress, created_at, updated_at, error_message"


@pytest.fixture(scope="module", params=OTHERS, ids=lambda variant: variant.name)
def other(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A healthy lab of another variant; a test that breaks it heals it."""
    with tempfile.TemporaryDirectory(prefix="veza-test-") as folder:
        running = lifecycle.up(Path(folder), variant=request.param, owner=os.getpid())
        try:
            yield running
        finally:
            lifecycle.down(Path(folder))


@pytest.fixture
def tools(other: Lab) -> Iterator[FaultTools]:
    """The fault tools of the lab; a fault that a test leaves injected is healed after it."""
    with FaultTools(other.directory) as tools:
        yield tools
    if faults.active(other.directory):
        faults.heal(other.directory)


def payload_of(tools: FaultTools, body: dict[str, Any]) -> dict[str, Any]:
    """Return the data of an answer in the variant's form."""
    data: dict[str, Any] = body["data"] if tools.lab.variant.has_envelope else body
    return data


def status_of(tools: FaultTools, upload: object) -> dict[str, Any]:
    """Return the API's answer about an upload."""
    path = tools.lab.variant.routes.status.format(upload_id=upload)
    return payload_of(tools, tools.client.get(path).json())


def test_an_upload_is_processed_served_and_deleted(tools: FaultTools) -> None:
    """A WAV file is completed and served as a track under its own id, and can be deleted."""
    variant = tools.lab.variant
    audio = tone(0.3)
    answer = tools.send("try.wav", audio)
    assert answer.status_code == variant.accepted_status
    upload = payload_of(tools, answer.json())["upload_id"]
    assert isinstance(upload, int) is (variant is BIGINT)
    assert variant.ids.pattern.fullmatch(str(upload))
    tools.wait_for_uploads([str(upload)], "completed", "completed")
    status = status_of(tools, upload)
    assert (status["id"], status["progress"]) == (upload, 100)
    track = status.get("track_id", upload)
    assert (track != upload) is (variant in (ULID, BARE))
    track_path = variant.routes.track.format(track_id=track)
    assert payload_of(tools, tools.client.get(track_path).json())["size"] == len(audio)
    path = tools.stored_file(str(upload))
    assert path.read_bytes() == audio
    delete_path = variant.routes.delete.format(upload_id=upload, track_id=track)
    assert tools.client.delete(delete_path).status_code == 200
    assert not path.exists()
    assert tools.client.get(track_path).status_code == 404


def test_a_malformed_id_is_refused_as_the_variant_does(tools: FaultTools) -> None:
    """An id of another form has the variant's HTTP status; the token is asked for first."""
    variant = tools.lab.variant
    path = variant.routes.status.format(upload_id="x")
    assert tools.client.get(path).status_code == variant.malformed_id_status
    refused = tools.client.get(path, headers={"Authorization": "Bearer wrong"})
    assert refused.status_code == 401


def test_routes_that_the_variant_lacks_do_not_exist(tools: FaultTools) -> None:
    """Metrics and worker health are served where the variant has them."""
    routes = tools.lab.variant.routes
    assert tools.http_status("/metrics") == (200 if routes.metrics else 404)
    assert tools.http_status("/health/worker") == (200 if routes.worker_health else 404)


def test_invalid_audio_fails_with_a_reason(tools: FaultTools) -> None:
    """The user of an upload that is not audio gets a reason."""
    (upload,) = tools.upload(1, content=NOT_AUDIO)
    tools.wait_for_uploads([upload], "failed", "failed")
    assert "RIFF" in status_of(tools, upload)["error_message"]


def test_the_monitor_reads_the_named_relations(other: Lab) -> None:
    """The monitor can read the required columns of the tables in targets.toml, and write none.

    By the clock of its session, the newest upload is seconds old: the times need no correction.
    """
    database = tomllib.loads(targets.path(other).read_text())["targets"]["lab"]["database"]
    uploads = sql.Identifier(*database.get("uploads_table", "uploads").split("."))
    with psycopg.connect(database["dsn"]) as session:
        statement = sql.SQL(f"SELECT {REQUIRED} FROM {{}} LIMIT 1").format(uploads)
        assert session.execute(statement).fetchone() is not None
        statement = sql.SQL(
            "SELECT extract(epoch FROM min(now() - created_at))::float FROM {}"
        ).format(uploads)
        row = session.execute(statement).fetchone()
        assert row is not None
        assert -1 < row[0] < 600
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(sql.SQL("UPDATE {} SET progress = 0").format(uploads))


def test_times_have_no_zone_where_the_variant_says_so(other: Lab) -> None:
    """Two variants store naive times: one in the database's time zone, one in another."""
    with psycopg.connect(other.superuser_dsn) as session:
        row = session.execute(
            "SELECT format_type(atttypid, NULL), current_setting('timezone') FROM pg_attribute"
            " WHERE attrelid = 'uploads'::regclass AND attname = 'created_at'"
        ).fetchone()
    zoned = ("timestamp with time zone", "UTC")
    naive = ("timestamp without time zone", "Europe/Paris")
    assert row == (zoned if other.variant is BARE else naive)
    assert ("TimeZone" in other.dsn) is (other.variant is ULID)


def test_a_run_of_the_checks_breaks_on_no_variant(other: Lab, tmp_path: Path) -> None:
    """Every check has an outcome that says something of the lab."""
    run = run_suite("--target", "lab", out=tmp_path, environ={"VEZA_LAB_DIR": str(other.directory)})
    assert run.report is not None
    assert run.unsettled == []
    assert run.outcome("signal/no_upload_is_stuck")["status"] == "passed"
    assert run.outcome("database/schema_is_as_expected")["status"] == "passed"


def test_killed_workers_leave_uploads_stuck(tools: FaultTools) -> None:
    """Without its workers, old uploads wait with pending jobs; healing has them processed."""
    earlier = tools.recorded_uploads()
    faults.inject(tools.directory, ["worker-killed"])
    assert all(tools.pid(worker) is None for worker in tools.lab.workers)
    uploads = [upload for upload in tools.recorded_uploads() if upload not in earlier]
    assert set(tools.uploads_with(uploads, "uploading", "pending")) == set(uploads)
    statement = "SELECT count(*) FROM uploads WHERE created_at < now() - interval '10 minutes'"
    assert tools.query(f"{statement} AND id::text = ANY(%s)", uploads) == [(len(uploads),)]
    faults.heal(tools.directory)
    assert tools.query("SELECT 1 FROM uploads WHERE id::text = ANY(%s)", uploads) == []
    assert tools.worker_state() == "ok"


def test_a_missing_upload_directory_stays_missing(tools: FaultTools) -> None:
    """Without the upload directory, uploads are refused, and the API does not make it again."""
    faults.inject(tools.directory, ["directory-missing"])
    assert not tools.lab.uploads.exists()
    faults.heal(tools.directory)
    assert tools.lab.uploads.is_dir()


def test_one_of_two_workers_does_the_work(tools: FaultTools) -> None:
    """When one of two workers is dead, uploads complete and the worker's health is ok."""
    if len(tools.lab.workers) == 1:
        with pytest.raises(LabError, match=r"needs two workers.* up --variant bigint$"):
            faults.inject(tools.directory, ["one-worker-dead"])
        return
    faults.inject(tools.directory, ["one-worker-dead"])
    assert [tools.pid(worker) is None for worker in tools.lab.workers] == [False, True]
    assert tools.worker_state() == "ok"
    faults.heal(tools.directory)
    assert all(tools.pid(worker) for worker in tools.lab.workers)


def test_another_variant_is_not_started_beside_a_running_lab(
    other: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    """`up --variant` refuses a directory in which a lab of another variant runs."""
    directory = str(other.directory)
    assert cli.main(["up", "--variant", "standard", "--dir", directory]) == 1
    assert f"a lab of the variant {other.variant.name} runs" in capsys.readouterr().err
    assert cli.main(["status", "--json", "--dir", directory]) == 0
    assert f'"variant": "{other.variant.name}"' in capsys.readouterr().out


def test_variants_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """`variants` prints one line for each."""
    assert cli.main(["variants"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(VARIANTS)
