"""Database probe against the lab's PostgreSQL, through the fault proxy, and on odd schemas."""

from __future__ import annotations

import itertools
import math
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import psycopg.sql
import pytest

from fixtures.probes.api_and_database import StatusConsistency
from fixtures.probes.background import forget_reads, last_read, settle
from fixtures.probes.errors import AccessRefused, NotOffered, Unreachable
from fixtures.probes.host.shell import Hosts
from fixtures.probes.host.storage import StorageProbe
from fixtures.probes.http.client import HttpClient
from fixtures.probes.postgres import session
from fixtures.probes.postgres.answers import Column
from fixtures.probes.postgres.database import DatabaseProbe
from fixtures.probes.postgres.job_results import LateStarts
from fixtures.probes.postgres.locks import LockQueries, Locks
from fixtures.probes.postgres.slow_writes import SLOW
from fixtures.probes.subjects import Subject
from fixtures.probes.transfers import TransferProbe, Transfers
from reports.runbook.placeholders import fill_command
from tests.lab.fix_postgres import standby_of
from tests.lab.fix_services import Reply, locked
from tests.lab.made_probes import api_probe, database_probe
from tests.waiting import PATIENCE, eventually

if TYPE_CHECKING:
    from fixtures.probes.http.api import ApiProbe
    from fixtures.probes.postgres.job_results import LastJobs
    from lab.state import Lab
    from tests.lab.fix_proxy import Proxy
    from tests.lab.fix_services import ReplyServer

RUNBOOKS = Path(__file__).parents[2] / "runbooks" / "upload_stuck"

Make = Callable[..., DatabaseProbe]
Owner = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def probe_of() -> Iterator[Make]:
    """Make database probes; each is closed after the test."""
    probes: list[DatabaseProbe] = []

    def make(dsn: str, **settings: Any) -> DatabaseProbe:
        probes.append(database_probe(dsn, **settings))
        return probes[-1]

    yield make
    for probe in probes:
        probe.close()


@pytest.fixture
def probe(services: Lab, probe_of: Make) -> DatabaseProbe:
    """A probe with the login of the checks' user."""
    return probe_of(services.dsn)


def test_healthy_database_passes(probe: DatabaseProbe) -> None:
    """A healthy lab has the expected schema, and nothing is stuck, overdue or locked."""
    assert probe.reach().ok
    assert probe.schema().defects == ()
    assert probe.stuck_uploads(600.0).total == 0
    assert probe.subjects(None, 600.0, 20) == ()
    assert probe.overdue_processing(300.0).total == 0
    assert probe.pending_jobs(300.0, 300.0).total == 0
    assert probe.running_jobs(300.0).total == 0
    assert not probe.flow(300.0).stands_still
    assert probe.ended_jobs().unnoticed == probe.ended_jobs().unrecorded == 0
    assert not probe.locks(2.0).are_blocking


def test_the_time_of_rest_is_known(services: Lab, odd: Owner, probe_of: Make) -> None:
    """It begins with the newest upload's arrival; there is none while an upload is unfinished."""
    odd.execute("CREATE TABLE odd.uploads (LIKE uploads)")
    odd.execute("GRANT SELECT ON odd.uploads TO veza_checks")

    def idle() -> float | None:
        probe = probe_of(services.dsn, uploads_table="odd.uploads")
        return probe.stuck_uploads(600.0).figures()["idle_seconds"]

    def add(status: str, age: str) -> None:
        odd.execute(
            "INSERT INTO odd.uploads (id, user_id, status, progress, filename, size, created_at,"
            " updated_at) VALUES (gen_random_uuid(), gen_random_uuid(), %s, 100, 'a', 1,"
            " now() - %s::interval, now())",
            (status, age),
        )

    assert idle() is None
    add("completed", "2 hours")
    add("failed", "1 hour")
    add("completed", "-1 hour")
    seconds = idle()
    assert seconds is not None
    assert 3600 <= seconds < 3600 + 2 * PATIENCE
    add("pending", "3 minutes")
    assert idle() == 0
    add("uploading", "3 minutes")
    assert probe_of(services.dsn, uploads_table="odd.uploads").uploading(9) == 1


def test_a_status_that_is_null_is_no_word(services: Lab, odd: Owner, probe_of: Make) -> None:
    """The journey of such an upload, and of its job, names no status."""
    upload = "7f9c2b1e-0d4a-4c58-9e6f-3a1b5d7c8e90"
    odd.execute("CREATE TABLE odd.uploads AS TABLE uploads WITH NO DATA")
    odd.execute("CREATE TABLE odd.jobs AS TABLE job_queue WITH NO DATA")
    odd.execute("GRANT SELECT ON ALL TABLES IN SCHEMA odd TO veza_checks")
    odd.execute(
        "INSERT INTO odd.uploads (id, created_at, updated_at) VALUES (%s, now(), now())",
        (upload,),
    )
    odd.execute(
        "INSERT INTO odd.jobs (id, type, payload, created_at) VALUES"
        " (gen_random_uuid(), 'process_upload', jsonb_build_object('upload_id', %s::text), now())",
        (upload,),
    )
    probe = probe_of(services.dsn, uploads_table="odd.uploads", jobs_table="odd.jobs")
    journey = probe.journey(upload)
    assert journey.status is None
    assert {stage.note for stage in journey.stages} == {"", "its job is unknown"}


def test_session_can_only_read(services: Lab, probe_of: Make) -> None:
    """The session cannot write, even with the application's own login."""
    from psycopg import sql

    owner_probe = probe_of(services.owner_dsn)
    probe = probe_of(services.dsn, timeout=90.0)
    assert owner_probe.reach().ok
    with pytest.raises(Unreachable, match="read-only transaction"):
        owner_probe._session.rows(sql.SQL("DELETE FROM uploads RETURNING id"), (Column.TEXT,))
    rows = probe._session.rows(
        sql.SQL(
            "SELECT current_setting('statement_timeout'), current_setting('lock_timeout'),"
            " current_setting('jit'), current_setting('application_name')"
        ),
        (Column.TEXT,) * 4,
    )
    assert rows == [("90s", "1s", "off", "veza-checks")]


def test_a_pooler_keeps_the_limits(pooler: str, probe_of: Make) -> None:
    """Behind a pooler that takes no settings of a session, each statement has its limits."""
    from psycopg import sql

    probe = probe_of(pooler, timeout=90.0)
    assert probe.reach().ok
    with pytest.raises(Unreachable, match="read-only transaction"):
        probe._session.rows(sql.SQL("DELETE FROM uploads RETURNING id"), (Column.TEXT,))
    limits = sql.SQL("SELECT current_setting('statement_timeout'), current_setting('lock_timeout')")
    assert probe._session.rows(limits, (Column.TEXT,) * 2) == [("90s", "1s")]
    others = sql.SQL("SELECT setting FROM pg_settings WHERE name = 'default_transaction_read_only'")
    assert probe._session.rows(others, (Column.TEXT,)) == [("off",)], "left to the next client"


def test_a_standby_that_does_not_replay_is_not_believed(
    own_server: Lab, probe_of: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of a standby far behind its primary are old; one that has all of them is read."""
    monkeypatch.setattr("fixtures.probes.postgres.tables.BEHIND_MAX", 0.5)
    with standby_of(own_server) as port:
        dsn = own_server.dsn.replace(f":{own_server.ports.postgres}/", f":{port}/")
        assert probe_of(dsn).stuck_uploads(600.0).total == 0
        on_standby = own_server.superuser_dsn.replace(f":{own_server.ports.postgres}/", f":{port}/")
        with psycopg.connect(on_standby, autocommit=True) as session:
            session.execute("SELECT pg_wal_replay_pause()")
        superuser(own_server, "CREATE TABLE made_for_test ()", "DROP TABLE made_for_test")

        def is_behind() -> bool:
            try:
                probe_of(dsn).stuck_uploads(600.0)
            except Unreachable as error:
                return "s behind its primary; look why it does not replay" in str(error)
            return False

        eventually(is_behind, "the standby to be behind")


@pytest.mark.parametrize(
    ("session_attrs", "accepted"),
    [("any", True), ("read-write", True), ("primary", True), ("read-only", False)],
)
def test_primary_is_found_in_a_read_only_session(
    services: Lab, probe_of: Make, session_attrs: str, accepted: bool
) -> None:
    """A DSN for the primary finds it, although the session itself cannot write."""
    reach = probe_of(f"{services.dsn}?target_session_attrs={session_attrs}").reach()
    assert reach.ok is accepted, reach


def test_stuck_uploads_are_counted_and_named(
    probe: DatabaseProbe, aged_upload: Callable[..., str]
) -> None:
    """Uploads that are uploading or pending for long are counted with their users, oldest first."""
    older = aged_upload("pending", minutes=60, job="pending")
    old = aged_upload(minutes=47)
    aged_upload(minutes=3)
    stuck = probe.stuck_uploads(600.0)
    assert (stuck.total, stuck.users, [upload.id for upload in stuck.shown]) == (2, 2, [older, old])
    assert 3600 <= stuck.oldest_seconds < 3660
    assert (
        f"2 uploads of 2 users stuck for longer than 10 min, the oldest for 60 min: {older}"
        in str(stuck)
    )
    assert [subject.id for subject in probe.subjects(None, 600.0, 1)] == [older]
    jobs = probe.jobs_of(probe.subjects((old, older, "no-such"), 600.0, 3), 600.0)
    assert (jobs.sampled, jobs.without) == (2, (old,))
    # The load generator goes on uploading: its jobs are the later ones.
    assert jobs.passed_over == (old,)
    assert (
        f"1 of 2 sampled stuck uploads without a job, 1 although later uploads have one: {old}"
        in str(jobs)
    )


def test_partial_uploads_have_no_job_and_no_whole_file(
    services: Lab, owner: Owner, probe: DatabaseProbe, aged_upload: Callable[..., str]
) -> None:
    """Of uploads at 10 %, the one without a job and without a whole file stopped part-way."""
    put_back = aged_upload(minutes=50, job="failed")
    whole, partial = aged_upload(minutes=49), aged_upload(minutes=48)
    ids = [put_back, whole, partial]
    owner.execute("UPDATE uploads SET progress = 10, size = 5 WHERE id::text = ANY(%s)", (ids,))
    for upload, content in ((whole, b"whole"), (partial, b"par")):
        services.stored_file(upload, "aged.wav").parent.mkdir()
        services.stored_file(upload, "aged.wav").write_bytes(content)
    hosts = Hosts()
    storage = StorageProbe([hosts.shell("local://")], str(services.uploads), "root")
    try:
        subjects = probe.subjects(None, 600.0, 20)
        transfers = TransferProbe(storage).transfers(subjects)
        without_storage = TransferProbe(None).partial(subjects)
    finally:
        hosts.close()
        for upload in (whole, partial):
            services.delete_stored_file(upload, "aged.wav")
    assert transfers.partial == (f"{partial} (at 10 %)",)
    assert [subject.id for subject in without_storage] == [whole, partial]


def test_no_user_is_blamed_where_uploads_stopped_near_the_end(
    services: Lab, owner: Owner, probe: DatabaseProbe, aged_upload: Callable[..., str]
) -> None:
    """The API may have failed after it received them, unless their files are seen to be cut."""
    uploads = [aged_upload(minutes=minutes) for minutes in (50, 49, 48)]
    hosts = Hosts()
    storage = StorageProbe([hosts.shell("local://")], str(services.uploads), "root")

    def transfers(*rows: tuple[int, int | None]) -> Transfers:
        for upload, row in zip(uploads, rows, strict=True):
            statement = "UPDATE uploads SET progress = %s, size = %s WHERE id::text = %s"
            owner.execute(statement, (*row, upload))
        return TransferProbe(storage).transfers(probe.subjects(tuple(uploads), 600.0, 20))

    try:
        for upload in uploads:
            services.stored_file(upload, "aged.wav").parent.mkdir()
            services.stored_file(upload, "aged.wav").write_bytes(b"12345")
        with pytest.raises(Unreachable, match="gave up or the API failed is unknown") as unknown:
            transfers((88, None), (99, None), (40, None))
        assert f": {uploads[0]} (at 88 %), {uploads[1]} (at 99 %)" in str(unknown.value)
        assert len(transfers((88, 6), (99, 6), (40, None)).partial) == 3, "their files are cut"
        assert len(transfers((88, None), (30, None), (40, None)).partial) == 3, "users leave so"
        assert not transfers((88, 5), (99, 5), (80, 5)).partial, "their files are whole"
    finally:
        hosts.close()
        for upload in uploads:
            services.delete_stored_file(upload, "aged.wav")


def test_an_upload_that_still_arrives_is_not_stuck(
    owner: Owner, probe: DatabaseProbe, aged_upload: Callable[..., str]
) -> None:
    """It is part-way, has no job, and changed lately; with a job or an old change it is stuck."""
    arriving, stopped, working = (
        aged_upload(minutes=49),
        aged_upload(minutes=48),
        aged_upload(minutes=47, job="pending"),
    )
    owner.execute("UPDATE uploads SET progress = 40 WHERE id::text = %s", (stopped,))
    owner.execute(
        "UPDATE uploads SET progress = 40, updated_at = now() WHERE id::text = ANY(%s)",
        ([arriving, working],),
    )
    stuck = probe.stuck_uploads(600.0)
    assert [upload.id for upload in stuck.shown] == [stopped, working]
    assert (stuck.total, stuck.users) == (2, 2)
    assert str(stuck).endswith(f"; 1 that is as old still arrives: {arriving}")
    sampled = probe.subjects(None, 600.0, 20)
    assert [subject.id for subject in sampled] == [stopped, working]
    (named,) = probe.subjects((arriving,), 600.0, 20)
    assert named.is_arriving


def test_several_partial_uploads_know_whether_others_arrived(
    owner: Owner, probe: DatabaseProbe, aged_upload: Callable[..., str]
) -> None:
    """Of three that stopped, a later upload that is complete tells users from a broken API."""
    ids = [aged_upload(minutes=minutes) for minutes in (52, 51, 50)]
    owner.execute("UPDATE uploads SET progress = 10 WHERE id::text = ANY(%s)", (ids,))
    assert [one.others_arrived for one in probe.subjects(tuple(ids), 600.0, 3)] == [True] * 3
    assert [one.others_arrived for one in probe.subjects(tuple(ids[:2]), 600.0, 3)] == [None] * 2
    # Nothing is younger than a second but what the load generator may just have sent.
    assert probe.has_arrived_since(3600.0)
    assert not probe.has_arrived_since(-60.0)


def test_an_upload_at_zero_knows_whether_progress_is_recorded(
    services: Lab, owner: Owner, probe_of: Make, aged_upload: Callable[..., str]
) -> None:
    """The newest completed upload shows it."""
    upload = aged_upload(minutes=50)
    owner.execute("UPDATE uploads SET progress = 0 WHERE id::text = %s", (upload,))
    for progress, recorded in ((0, False), (100, True)):
        owner.execute("UPDATE uploads SET progress = %s WHERE status = 'completed'", (progress,))
        (subject,) = probe_of(services.dsn).subjects((upload,), 600.0, 20)
        assert (subject.records_progress, subject.looks_partial) == (recorded, recorded)
        assert subject.has_job is (False if recorded else None)
        # Also of one alone: whether the API accepts others tells who stopped it.
        assert (subject.others_arrived is None) is not recorded


def test_errors_of_time_limits_are_told_from_others(
    probe: DatabaseProbe, aged_upload: Callable[..., str]
) -> None:
    """A stuck upload's error that speaks of a time limit is found, in English and French."""
    late = aged_upload(minutes=50, error="context deadline exceeded")
    tard = aged_upload(minutes=49, error="délai de traitement dépassé")
    task = aged_upload(minutes=48.5, error="SoftTimeLimitExceeded()")
    aged_upload(minutes=48, error="no such file or directory")
    aged_upload(minutes=47)
    aged_upload(
        minutes=46, error="QueuePool limit of size 5 overflow 10 reached, connection timed out"
    )
    errors = probe.recorded_errors(probe.subjects(None, 600.0, 20))
    assert [text.split()[0] for text in errors.timeouts] == [late, tard, task]
    assert f"3 of 6 sampled stuck uploads with a timeout as the error: {late} (context" in str(
        errors
    )


def test_overdue_jobs_are_counted(probe: DatabaseProbe, aged_upload: Callable[..., str]) -> None:
    """Jobs that wait too long and jobs that run too long are counted separately."""
    waiting = aged_upload(job="pending", minutes=9)
    hung = aged_upload("processing", job="processing", minutes=30, started=29)
    overdue = f"processing longer than 5 min, the oldest for 29 min; uploads {hung}"
    pending = probe.pending_jobs(300.0, 300.0)
    assert pending.upload_ids == (waiting,)
    assert "1 job pending longer than 5 min, the oldest for 9 min" in str(pending)
    assert f"1 job {overdue}" in str(probe.running_jobs(300.0))
    assert f"1 upload {overdue}" in str(probe.overdue_processing(300.0))
    assert "no job pending longer than 20 min" in str(probe.pending_jobs(1200.0, 1200.0))
    assert probe.unfinished_jobs(300.0).waiting == 1
    flow = probe.flow(300.0)
    assert flow.waiting == 2
    assert "2 jobs unfinished for longer, the oldest for 30 min" in str(flow)


def test_restarted_job_is_not_overdue_at_once(
    probe: DatabaseProbe, aged_upload: Callable[..., str]
) -> None:
    """A job that waits again after a start is overdue only after both limits."""
    aged_upload(job="pending", minutes=30, started=9)
    assert probe.pending_jobs(300.0, 300.0).total == 0
    aged_upload(job="pending", minutes=30, started=11)
    assert probe.pending_jobs(300.0, 300.0).total == 1


def test_age_of_a_job_that_is_tried_again_is_known(
    owner: Owner, probe: DatabaseProbe, aged_upload: Callable[..., str]
) -> None:
    """A job that began lately and waits again is young; a start in the future has no age."""
    upload = aged_upload(job="pending", minutes=30, started=1)
    assert probe.pending_jobs(300.0, 300.0).total == 0
    assert probe.passed_over_jobs(300.0).total == 0
    owner.execute(
        "UPDATE job_queue SET started_at = now() + interval '2 h'"
        " WHERE payload ->> 'upload_id' = %s",
        (upload,),
    )
    with pytest.raises(Unreachable, match="ahead of the database's clock"):
        probe.pending_jobs(300.0, 300.0)
    with pytest.raises(Unreachable, match="ahead of the database's clock"):
        probe.passed_over_jobs(300.0)


def test_processing_begins_with_the_last_start(
    owner: Owner, probe: DatabaseProbe, aged_upload: Callable[..., str]
) -> None:
    """Processing counts from the start of the last running job, else from the last update."""
    without = aged_upload("processing", minutes=20)
    ended = aged_upload("processing", job="completed", minutes=25, started=24)
    once = aged_upload("processing", job="processing", minutes=40, started=30)
    twice = aged_upload("processing", job="processing", minutes=40, started=30)
    owner.execute(
        "INSERT INTO job_queue (id, type, payload, status, created_at, started_at) SELECT"
        " gen_random_uuid(), type, payload, status, created_at, now() - interval '1 min'"
        " FROM job_queue WHERE payload ->> 'upload_id' = %s",
        (twice,),
    )
    overdue = probe.overdue_processing(300.0)
    assert (overdue.total, overdue.upload_ids) == (3, (once, ended, without))
    assert 1800 <= overdue.oldest_seconds < 1860


def test_zero_time_is_a_missing_start_time(
    owner: Owner, probe: DatabaseProbe, aged_upload: Callable[..., str]
) -> None:
    """Go's zero time counts as a missing start time: the job was never started."""
    young = aged_upload(job="pending", minutes=3)
    waiting = aged_upload(job="pending", minutes=9)
    hung = aged_upload("processing", job="processing", minutes=30)
    owner.execute(
        "UPDATE job_queue SET started_at = '0001-01-01 00:00:00+00'"
        " WHERE payload ->> 'upload_id' = ANY(%s)",
        ([young, waiting, hung],),
    )
    pending, running = probe.pending_jobs(300.0, 300.0), probe.running_jobs(300.0)
    assert (pending.upload_ids, running.upload_ids) == ((waiting,), (hung,))
    assert 540 <= pending.oldest_seconds < 600
    assert 1800 <= running.oldest_seconds < 1860
    assert probe.overdue_processing(300.0).oldest_seconds < 1860
    assert probe.unfinished_jobs(300.0).upload_ids == (waiting,)


def test_an_upload_is_found_by_its_own_id_and_by_its_jobs(
    probe: DatabaseProbe, owner: Owner, aged_upload: Callable[..., str]
) -> None:
    """Log lines may have either; an id of something else is nobody's."""
    failed, waiting = aged_upload("failed", minutes=5.0, job="failed"), aged_upload(job="pending")
    rows = owner.execute(
        "SELECT payload ->> 'upload_id', id::text FROM job_queue"
        " WHERE payload ->> 'upload_id' = ANY(%s)",
        ([failed, waiting],),
    ).fetchall()
    jobs: dict[str, str] = dict(rows)
    ids = (jobs[failed], jobs[waiting], failed, str(uuid4()), "req-ac586e4248d2")
    assert probe.uploads_of_ids(ids) == {
        jobs[failed]: failed,
        jobs[waiting]: waiting,
        failed: failed,
    }


def test_uploads_that_ended_are_counted(
    probe: DatabaseProbe, aged_upload: Callable[..., str]
) -> None:
    """Those of the time that is asked for: a failure in it is one of them."""
    before = probe.ended_uploads(300.0)
    aged_upload("failed", minutes=4.0)
    aged_upload("completed", minutes=4.0)
    aged_upload("completed", minutes=6.0)
    assert probe.ended_uploads(300.0) == (before[0] + 1, before[1] + 1)


def test_uploads_that_failed_with_an_error_are_the_newest(
    probe: DatabaseProbe, owner: Owner, aged_upload: Callable[..., str]
) -> None:
    """One without an error, or one that failed too long ago, has no reason to look for in a log."""
    failed = [aged_upload("failed", minutes=minutes) for minutes in (6.0, 4.0, 3.0, 2.0)]
    told = "UPDATE uploads SET error_message = 'not an audio file' WHERE id = ANY(%s)"
    owner.execute(told, [failed[:3]])
    uploads = probe.told_uploads(300.0, 10)
    found = [one.id for one in uploads if one.id in failed]
    assert found == [failed[2], failed[1]]
    assert {one.error_message for one in uploads if one.id in failed} == {"not an audio file"}
    assert len(probe.told_uploads(300.0, 1)) == 1


@pytest.mark.parametrize(
    ("status", "job", "gone"),
    [
        ("processing", None, True),
        ("processing", "processing", False),
        ("processing", "completed", False),
        ("uploading", None, False),
    ],
)
def test_an_upload_that_is_processing_without_a_job_lost_it(
    probe: DatabaseProbe,
    owner: Owner,
    aged_upload: Callable[..., str],
    status: str,
    job: str | None,
    gone: bool,
) -> None:
    """Its job ended without a trace, where the rows of ended jobs are deleted."""
    upload = aged_upload(status, job=job)
    update = "UPDATE uploads SET updated_at = now() - interval '4 minutes' WHERE id = %s"
    owner.execute(update, [upload])
    assert probe.ended_jobs(300.0).gone == 0
    ended = probe.ended_jobs(180.0)
    assert ended.gone_uploads == (upload,) * gone
    assert ("1 upload is processing and has no job" in str(ended)) == gone
    assert (upload in ended.placeholders().get("upload_ids", "")) == (gone or job == "completed")


@pytest.mark.parametrize("job", ["completed", "failed"])
def test_an_upload_of_two_jobs_has_not_ended_with_the_first(
    probe: DatabaseProbe, owner: Owner, aged_upload: Callable[..., str], job: str
) -> None:
    """While one of its jobs waits or runs, nothing need be recorded on the upload."""
    upload = aged_upload("processing", job="processing")
    owner.execute(
        "INSERT INTO job_queue (type, payload, status, created_at, started_at, completed_at)"
        " SELECT type, payload, %s, created_at + interval '1 ms', started_at,"
        " now() - interval '1 min' FROM job_queue WHERE payload ->> 'upload_id' = %s",
        (job, upload),
    )
    ended = probe.ended_jobs()
    assert (ended.unnoticed, ended.unrecorded) == (0, 0)


def test_what_ended_last_may_have_a_step_ahead(odd: Owner, services: Lab, probe_of: Make) -> None:
    """Where others have waited ever since, the worker hangs; not where a later job has ended."""
    odd.execute("CREATE TABLE odd.uploads (LIKE uploads INCLUDING DEFAULTS)")
    odd.execute("CREATE TABLE odd.jobs (LIKE job_queue INCLUDING DEFAULTS)")
    odd.execute("GRANT SELECT ON ALL TABLES IN SCHEMA odd TO veza_checks")

    def unnoticed(upload: str, job: str, created: float, ended: float | None) -> int:
        odd.execute(
            "WITH added AS (INSERT INTO odd.uploads (id, user_id, filename, status, created_at)"
            " SELECT gen_random_uuid(), gen_random_uuid(), 'a', %s,"
            " now() - %s * interval '1 minute' RETURNING id, created_at)"
            " INSERT INTO odd.jobs (id, type, payload, status, created_at, completed_at)"
            " SELECT gen_random_uuid(), 'process_upload', jsonb_build_object('upload_id', id), %s,"
            " created_at, now() - %s * interval '1 minute' FROM added",
            (upload, created, job, ended),
        )
        probe = probe_of(services.dsn, uploads_table="odd.uploads", jobs_table="odd.jobs")
        return probe.ended_jobs().unnoticed

    assert unnoticed("processing", "completed", 12.0, 11.0) == 1
    assert unnoticed("uploading", "pending", 10.0, None) == 1
    assert unnoticed("uploading", "pending", 11.5, None) == 0
    assert unnoticed("completed", "completed", 12.0, 9.0) == 1


def test_unrecorded_ends_are_found(probe: DatabaseProbe, aged_upload: Callable[..., str]) -> None:
    """Jobs are found that ended without a completed status or an error on their upload."""
    unnoticed = aged_upload(job="completed")
    unrecorded = aged_upload(job="failed")
    aged_upload(job="failed", error="disk full")
    aged_upload("failed", job="failed", error="not audio")
    aged_upload("completed", job="completed")
    ended = probe.ended_jobs()
    assert ended.unnoticed_uploads == (unnoticed,)
    assert ended.unrecorded_uploads == (unrecorded,)
    assert f"1 job completed, but the upload is unfinished: {unnoticed}" in str(ended)
    assert ended.placeholders() == {"upload_ids": f"{unnoticed}\n{unrecorded}"}


def test_uploads_that_all_fail_are_told_from_bad_files(
    odd: Owner, services: Lab, probe_of: Make
) -> None:
    """The uploads of several users all fail for another reason than their files; a few may."""
    odd.execute("CREATE TABLE odd.uploads (LIKE uploads INCLUDING DEFAULTS)")
    odd.execute("CREATE TABLE odd.jobs (LIKE job_queue INCLUDING DEFAULTS)")
    odd.execute("GRANT SELECT ON ALL TABLES IN SCHEMA odd TO veza_checks")

    def add(status: str, minutes: int, number: int = 1, job: str | None = None) -> None:
        odd.execute(
            "WITH added AS (INSERT INTO odd.uploads (id, user_id, filename, size, status, progress)"
            " SELECT gen_random_uuid(), gen_random_uuid(), 'a', 1, %s, 100"
            " FROM generate_series(1, %s) RETURNING id)"
            " INSERT INTO odd.jobs (id, type, payload, status, completed_at)"
            " SELECT gen_random_uuid(), 'process_upload', jsonb_build_object('upload_id', id), %s,"
            " now() - %s * interval '1 minute' FROM added",
            (status, number, job or status, minutes),
        )

    def last_jobs(window: float = 300.0) -> LastJobs:
        probe = probe_of(services.dsn, uploads_table="odd.uploads", jobs_table="odd.jobs")
        return probe.last_jobs(window)

    assert not last_jobs().all_failed
    add("failed", minutes=3, number=7)
    assert not last_jobs().all_failed
    add("failed", minutes=2)
    assert last_jobs().all_failed
    odd.execute("UPDATE odd.uploads SET size = 0, error_message = E'not a WAV file\\nat 0'")
    seen = "completed none of 8 uploads of 8 users; the newest ended 2 min ago"
    assert f"{seen}; 8 of 0 bytes; most often: not a WAV file" in str(last_jobs())
    assert not last_jobs(30.0).all_failed
    # A job that completes may have sent its upload into quarantine.
    add("quarantined", minutes=2, job="completed")
    assert last_jobs().all_failed
    add("completed", minutes=4)
    assert not last_jobs().all_failed
    # What completed before the window is another time's.
    assert last_jobs(200.0).all_failed
    # Of errors that no file brings about three are enough.
    add("failed", minutes=2)
    assert not last_jobs(150.0).all_failed
    odd.execute("UPDATE odd.uploads SET error_message = 'fopen(/srv/u/7): Permission denied'")
    last = last_jobs(150.0)
    assert (last.all_failed, last.uploads, last.by_system) == (True, 3, 3)
    # Uploads that the API could not store have no job; those that it gives up are older.
    odd.execute("TRUNCATE odd.jobs")
    odd.execute("DELETE FROM odd.uploads WHERE status = 'completed'")
    odd.execute("UPDATE odd.uploads SET created_at = now() - interval '10 minutes'")
    assert not last_jobs().all_failed
    odd.execute("UPDATE odd.uploads SET created_at = now()")
    assert last_jobs().all_failed
    add("completed", minutes=1)
    assert not last_jobs().all_failed
    # One of two jobs of an upload has completed, and the other runs: its upload has not.
    odd.execute("UPDATE odd.uploads SET status = 'processing' WHERE status = 'completed'")
    odd.execute(
        "INSERT INTO odd.jobs (id, type, payload, status) SELECT gen_random_uuid(), type, payload,"
        " 'processing' FROM odd.jobs WHERE status = 'completed'"
    )
    assert last_jobs().all_failed


def test_unreachable_server_costs_one_timeout(
    services: Lab, proxy: Callable[[str, int], Proxy], probe_of: Make
) -> None:
    """A refusing or silent server fails reach in time; later calls repeat the error at once."""
    for fault, message in (("stop", "Connection refused"), ("go_deaf", "did not answer within")):
        way = proxy("127.0.0.1", services.ports.postgres)
        getattr(way, fault)()
        dsn = services.dsn.replace(f":{services.ports.postgres}/", f":{way.port}/")
        probe = probe_of(dsn, timeout=1.0)
        assert not probe.reach().ok
        assert message in str(probe.reach())
        for call in (probe.schema, probe.ended_jobs, lambda: probe.locks(2.0)):  # noqa: B023
            with pytest.raises(Unreachable, match=message):
                call()
        assert way.accepted == (fault == "go_deaf"), "the silent server costs one time-out"
        assert services.passwords.checks not in str(probe.reach())


def test_silent_server_is_cut_off(
    services: Lab, proxy: Callable[[str, int], Proxy], probe_of: Make
) -> None:
    """A server that stops answering after the session opened ends the call in time."""
    way = proxy("127.0.0.1", services.ports.postgres)
    probe = probe_of(
        # Long enough for the healthy answers; the silent server costs all of it.
        services.dsn.replace(f":{services.ports.postgres}/", f":{way.port}/"),
        timeout=3.0,
    )
    assert probe.reach().ok
    way.go_deaf()
    with pytest.raises(Unreachable, match="did not answer a statement within 3 s"):
        probe.flow(300.0)
    with pytest.raises(Unreachable):
        probe.ended_jobs()
    assert way.accepted == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("{port}/veza", "{port}/nowhere"),
            'database "nowhere" does not exist; check the names in database.dsn',
        ),
        (("postgresql://", "bogus secret "), "invalid connection string; write database.dsn as"),
    ],
)
def test_wrong_dsn_has_a_remedy_and_no_secret(
    services: Lab, probe_of: Make, change: tuple[str, str], message: str
) -> None:
    """A wrong password, name or DSN gives a remedy and shows no password."""
    names = {"password": services.passwords.checks, "port": services.ports.postgres}
    old, new = (text.format(**names) for text in change)
    reach = probe_of(services.dsn.replace(old, new)).reach()
    assert not reach.ok
    assert message in str(reach)
    assert services.passwords.checks not in str(reach)
    assert "wrong-secret" not in str(reach)
    assert "\n" not in str(reach)


def test_refused_login_says_nothing_about_the_database(services: Lab, probe_of: Make) -> None:
    """A wrong password of the checks is no database that is down, and is not shown."""
    dsn = services.dsn.replace(services.passwords.checks, "a-wrong-secret")
    with pytest.raises(AccessRefused, match="the login is refused; check the user and") as refused:
        probe_of(dsn).reach()
    assert "wrong-secret" not in str(refused.value)


def test_missing_tables_and_columns_are_named(odd: Owner, services: Lab, probe_of: Make) -> None:
    """Missing tables and columns are named; other calls refer to the schema's check."""
    odd.execute("CREATE TABLE odd.uploads (id int, status text, created_at timestamp)")
    odd.execute("GRANT SELECT ON odd.uploads TO veza_checks")
    probe = probe_of(services.dsn, uploads_table="odd.uploads", jobs_table="odd.jobs")
    schema = probe.schema()
    assert schema.missing == (
        "column odd.uploads.progress",
        "column odd.uploads.updated_at",
        "column odd.uploads.error_message",
        "table odd.jobs",
    )
    for call in (probe.ended_jobs, lambda: probe.stuck_uploads(600.0)):
        with pytest.raises(Unreachable, match="see database/schema_is_as_expected"):
            call()


def test_tables_without_rights_are_named(odd: Owner, services: Lab, probe_of: Make) -> None:
    """A table that the checks' user may not read is unreadable, not missing."""
    odd.execute("CREATE TABLE odd.uploads AS SELECT * FROM uploads WITH NO DATA")
    schema = probe_of(services.dsn, uploads_table="odd.uploads").schema()
    assert (schema.missing, schema.unreadable) == ((), ("table odd.uploads",))


def test_rows_that_a_policy_hides_are_no_empty_table(
    odd: Owner, services: Lab, probe_of: Make
) -> None:
    """Row level security without a policy for the checks' user is a defect; with one it is not."""
    odd.execute("CREATE TABLE odd.uploads (LIKE uploads)")
    odd.execute("ALTER TABLE odd.uploads ENABLE ROW LEVEL SECURITY")
    odd.execute("GRANT SELECT ON odd.uploads TO veza_checks")
    probe = probe_of(services.dsn, uploads_table="odd.uploads")
    assert probe.schema().hidden == ("table odd.uploads",)
    assert "row level security hides every row of table odd.uploads" in str(probe.schema())
    with pytest.raises(Unreachable, match=r"table odd\.uploads cannot be read"):
        probe.stuck_uploads(600.0)
    odd.execute("CREATE POLICY monitor ON odd.uploads FOR SELECT TO veza_checks USING (true)")
    probe = probe_of(services.dsn, uploads_table="odd.uploads")
    assert not probe.schema().defects
    assert probe.stuck_uploads(600.0).total == 0


def test_deleted_uploads_are_left_out(odd: Owner, services: Lab, probe_of: Make) -> None:
    """A row that is kept with `deleted_at` is no upload; without the right to the column it is."""
    odd.execute("CREATE TABLE odd.uploads (LIKE uploads INCLUDING DEFAULTS, deleted_at timestamp)")
    odd.execute("GRANT SELECT ON odd.uploads TO veza_checks")
    odd.execute(
        "INSERT INTO odd.uploads (id, user_id, filename, status, progress, created_at, deleted_at)"
        " SELECT gen_random_uuid(), gen_random_uuid(), 'a', 'uploading', 100,"
        " now() - interval '1 hour', deleted FROM (VALUES (now()), (NULL)) AS rows(deleted)"
    )
    probe = probe_of(services.dsn, uploads_table="odd.uploads")
    assert probe.stuck_uploads(600.0).total == 1
    assert probe.schema().placeholders()["uploads_table_keeps_deleted"]
    odd.execute("REVOKE SELECT ON odd.uploads FROM veza_checks")
    odd.execute(
        "GRANT SELECT (id, status, progress, created_at, updated_at, error_message)"
        " ON odd.uploads TO veza_checks"
    )
    probe = probe_of(services.dsn, uploads_table="odd.uploads")
    assert probe.stuck_uploads(600.0).total == 2
    assert "uploads_table_keeps_deleted" not in probe.schema().placeholders()


def test_deleted_jobs_are_left_out(odd: Owner, services: Lab, probe_of: Make) -> None:
    """A job that is kept with `deleted_at` waits for nobody, and its upload has none."""
    odd.execute("CREATE TABLE odd.jobs (LIKE job_queue INCLUDING DEFAULTS, deleted_at timestamptz)")
    odd.execute("GRANT SELECT ON odd.jobs TO veza_checks")
    odd.execute(
        "INSERT INTO odd.jobs (id, type, payload, status, created_at, deleted_at)"
        " SELECT gen_random_uuid(), 'process_upload', jsonb_build_object('upload_id', n), "
        " 'pending', now() - interval '1 hour', deleted"
        " FROM (VALUES (1, now()), (2, NULL)) AS rows(n, deleted)"
    )
    probe = probe_of(services.dsn, jobs_table="odd.jobs")
    assert probe.pending_jobs(300.0, 300.0).total == 1
    subjects = [Subject(id=str(n), status="uploading", age_seconds=3600.0) for n in (1, 2)]
    assert probe.ids_with_job(subjects) == {"2"}


def test_text_payloads_and_zoneless_times_are_read(
    odd: Owner, services: Lab, probe_of: Make
) -> None:
    """Text payloads, also malformed ones, and times without a zone are read."""
    odd.execute(
        "CREATE TABLE odd.uploads (id int, status text, progress numeric, created_at timestamp,"
        " updated_at timestamp, error_message text)"
    )
    odd.execute(
        "CREATE TABLE odd.jobs (id int, type text, payload text, status text,"
        " created_at timestamp, started_at timestamp, completed_at timestamp)"
    )
    odd.execute("SET TimeZone TO 'UTC'")
    odd.execute(
        "INSERT INTO odd.uploads SELECT n, 'uploading', 99.5, now() - interval '1 hour',"
        " now() - interval '1 hour', NULL FROM generate_series(1, 3) AS n"
    )
    odd.execute(
        "INSERT INTO odd.jobs SELECT n, 'process_upload', payload, 'completed',"
        " now() - interval '1 hour', now() - interval '59 min', now() - interval '58 min'"
        ' FROM (VALUES (1, \'{"a": 1, "upload_id": "1"}\'), (2, \'{broken\'), (3, NULL),'
        " (4, '{\"upload_id\":3}'), (5, '{\"upload_id\": null}'))"
        " AS v(n, payload)"
    )
    odd.execute("GRANT SELECT ON ALL TABLES IN SCHEMA odd TO veza_checks")
    probe = probe_of(services.dsn, uploads_table="odd.uploads", jobs_table="odd.jobs")
    stuck = probe.stuck_uploads(600.0)
    assert (stuck.total, stuck.users, stuck.shown[0].size) == (3, None, None)
    assert 3600 <= stuck.oldest_seconds < 3700
    assert probe.ended_jobs().unnoticed_uploads == ("1", "3")
    assert probe.jobs_of(probe.subjects(None, 600.0, 5), 600.0).without == ("2",)
    with pytest.raises(NotOffered, match="no upload has ever completed"):
        probe.newest_completed()
    odd.execute("DELETE FROM odd.jobs WHERE id IN (1, 4)")
    with pytest.raises(Unreachable, match="name no upload: `payload` has no `upload_id`"):
        probe.jobs_of(probe.subjects(None, 600.0, 5), 600.0)


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Paris"])
def test_zoneless_times_are_in_the_zone_of_the_database(
    own_server: Lab, probe_of: Make, zone: str
) -> None:
    """Times without a zone are read in the time zone of the database."""
    try:
        superuser(
            own_server,
            f"ALTER DATABASE veza SET TimeZone TO '{zone}'",
            f"SET TimeZone TO '{zone}'",
            "CREATE TABLE zoneless (id int, status text DEFAULT 'uploading', progress int,"
            " created_at timestamp, updated_at timestamp, error_message text)",
            "GRANT SELECT ON zoneless TO veza_checks",
            "INSERT INTO zoneless (id, created_at) VALUES (1, now() - interval '1 min'),"
            " (2, now() - interval '30 min')",
        )
        probe = probe_of(own_server.dsn, uploads_table="zoneless")
        stuck, placeholders = probe.stuck_uploads(600.0), probe.schema().placeholders()
    finally:
        superuser(own_server, "DROP TABLE IF EXISTS zoneless", "ALTER DATABASE veza RESET TimeZone")
    assert (placeholders["naive_time_zone"], placeholders["zoned_tables"]) == (zone, "jobs_table")
    assert [upload.id for upload in stuck.shown] == ["2"]
    assert 1800 <= stuck.oldest_seconds < 1900


@pytest.mark.parametrize("kind", ["float8", "numeric", "text"])
def test_invalid_progress_is_ignored(odd: Owner, services: Lab, probe_of: Make, kind: str) -> None:
    """An infinite or absurd progress is read as None, and the upload is still counted."""
    odd.execute(
        f"CREATE TABLE odd.uploads (id int, status text, progress {kind}, created_at timestamptz,"
        " updated_at timestamptz, error_message text)".encode()
    )
    odd.execute(
        "INSERT INTO odd.uploads (id, status, progress, created_at) SELECT n, 'uploading', value,"
        f" now() - interval '1 hour' FROM unnest('{{NaN, NULL, 1e300, 99.5}}'::{kind}[])"
        " WITH ORDINALITY AS v(value, n)".encode()
    )
    if kind != "numeric":
        odd.execute("UPDATE odd.uploads SET progress = 'Infinity' WHERE id = 2")
    odd.execute("GRANT SELECT ON odd.uploads TO veza_checks")
    probe = probe_of(services.dsn, uploads_table="odd.uploads")
    progress = [upload.progress for upload in probe.stuck_uploads(600.0).shown]
    assert progress == [None, None, None, 99]


def test_locked_table_costs_one_wait_and_names_its_holder(own_server: Lab, probe_of: Make) -> None:
    """A locked table is waited for once; locks() still works and names the holder."""
    probe = probe_of(own_server.dsn)
    with locked(own_server.owner_dsn, "uploads") as pid:
        with pytest.raises(Unreachable, match="uploads is locked by another session"):
            probe.stuck_uploads(600.0)
        locks = probe.locks(2.0)
        assert locks.are_blocking
        assert f"process {pid} (a-migration) locks uploads in a transaction open" in str(locks)
        assert probe.flow(300.0)
    # A second wait would find the table unlocked by now.
    for call in (probe.ended_jobs, probe.newest_completed):
        with pytest.raises(Unreachable, match="is locked by another session"):
            call()


def test_lock_on_one_table_leaves_the_other_readable(own_server: Lab, probe_of: Make) -> None:
    """A statement on both tables that meets a lock marks only the locked table."""
    probe = probe_of(own_server.dsn)
    with locked(own_server.owner_dsn, "uploads"):
        with pytest.raises(Unreachable, match=": uploads is locked"):
            probe.ended_jobs()
        assert probe.flow(300.0)


def test_brief_lock_is_no_fault(own_server: Lab, probe_of: Make) -> None:
    """A lock that ends within a reader's time limit blocks no upload."""
    probe = probe_of(own_server.dsn)
    with locked(own_server.owner_dsn, "job_queue"):
        assert probe._tables.schema()
        first = probe.locks(30.0)
    assert first.are_blocking
    assert not probe.locks(30.0).are_blocking


def test_a_copy_of_the_database_does_not_count(own_server: Lab, probe_of: Make) -> None:
    """Locks in a database made from this one are none of its own, though the numbers are equal."""
    with (
        closing(psycopg.connect(own_server.superuser_dsn, dbname="postgres")) as admin,
        closing(admin.cursor()) as cursor,
    ):
        admin.autocommit = True
        cursor.execute("CREATE DATABASE copy TEMPLATE veza")
        try:
            with closing(psycopg.connect(own_server.owner_dsn, dbname="copy")) as other:
                other.execute("LOCK TABLE uploads, job_queue IN ACCESS EXCLUSIVE MODE")
                other.execute("UPDATE job_queue SET status = status WHERE id IS NULL")
                other.pgconn.send_query(b"SELECT pg_sleep(9)")
                probe = probe_of(own_server.dsn)
                assert not probe.locks(30.0).are_blocking
                active = (
                    "SELECT 1 FROM pg_stat_activity WHERE datname = 'copy'"
                    " AND query_start < clock_timestamp() - interval '2 s'"
                )
                eventually(lambda: bool(cursor.execute(active).fetchone()), "a slow statement")
                assert not probe.slow_writes(1e6, 1e6).statements
        finally:
            cursor.execute("DROP DATABASE copy WITH (FORCE)")


def test_slow_writes_are_seen(
    services: Lab, probe: DatabaseProbe, aged_upload: Callable[..., str]
) -> None:
    """A statement that writes for seconds delays the late jobs; one that only reads does not."""
    aged_upload(job="pending")
    with (
        closing(psycopg.connect(services.owner_dsn, application_name="api")) as writer,
        closing(psycopg.connect(services.owner_dsn, application_name="report")) as reader,
    ):
        writer.execute("UPDATE job_queue SET status = status WHERE id IS NULL")
        writer.pgconn.send_query(b"SELECT pg_sleep(9)")
        reader.execute("SELECT 1 FROM job_queue LIMIT 1")
        reader.pgconn.send_query(b"SELECT pg_sleep(9)")
        eventually(lambda: probe.slow_writes(300.0).delay_work, "a slow statement")
        writes = probe.slow_writes(300.0)
        assert f"process {writer.info.backend_pid} (api) for " in str(writes)
        assert len(writes.statements) == 1
        assert not probe.slow_writes(1e6, 1e6).delay_work
        # An API whose writes are slow may create no job.
        stuck = probe.slow_writes(1e6, 600.0)
        assert stuck.delay_work
        assert re.search("uploads? stuck for longer than 10 min", str(stuck))
        superuser(services, "REVOKE pg_read_all_stats FROM veza_checks")
        try:
            assert not probe.slow_writes(1e6, 1e6).statements

            def names_the_writer() -> bool:
                with pytest.raises(Unreachable, match=r"process \d+ .*pg_read_") as refused:
                    probe.slow_writes(300.0)
                return f"process {writer.info.backend_pid} " in str(refused.value)

            # The lab's own API may be in the middle of a write, and one of them is named.
            eventually(names_the_writer, "the writer to be the one that is named")
        finally:
            superuser(services, "GRANT pg_read_all_stats TO veza_checks")


def test_row_waits_are_seen(
    services: Lab, owner: Owner, probe: DatabaseProbe, aged_upload: Callable[..., str]
) -> None:
    """A session that waits too long for a row is overdue, with its blocker."""
    upload = aged_upload()
    statement = b"UPDATE uploads SET progress = 99 WHERE id = %s"
    with psycopg.connect(services.owner_dsn, application_name="holder") as holder:
        holder.execute(statement, (upload,))
        with psycopg.connect(services.owner_dsn, autocommit=True) as waiter:
            waiter.pgconn.send_query_params(statement.replace(b"%s", b"$1"), [upload.encode()])
            eventually(lambda: bool(probe.locks(0.05).overdue), "the wait to be over its limit")
            locks = probe.locks(0.05)
            assert locks.overdue
            assert locks.overdue[0].blocked_by == (holder.info.backend_pid,)
            assert "(holder) locks uploads" in str(locks)
            assert 0 < (locks.holders[0].idle_seconds or 0) <= (locks.holders[0].seconds or 0)
            assert not locks.unreadable
            holder.rollback()
            waiter.pgconn.get_result()
            waiter.pgconn.get_result()


@pytest.mark.parametrize(
    ("place", "setting", "value", "seconds"),
    [
        ("ROLE veza", "statement_timeout", "'20s'", 20.0),
        ("ROLE veza IN DATABASE veza", "lock_timeout", "20000", 20.0),
        ("DATABASE veza", "statement_timeout", "'0.5 min'", 30.0),
        ("ROLE veza", "statement_timeout", "0", None),
        ("SYSTEM", "lock_timeout", "'25s'", 25.0),
    ],
)
def test_a_waiting_session_has_the_time_limit_of_its_role(
    own_server: Lab, probe_of: Make, place: str, setting: str, value: str, seconds: float | None
) -> None:
    """A wait that ends at such a limit counts behind a transaction that is open for long."""
    probe = probe_of(own_server.dsn)

    def limits() -> list[float | None]:
        return [waiting.time_limit for waiting in probe.locks(30.0).waiting]

    superuser(own_server, f"ALTER {place} SET {setting} = {value}", "SELECT pg_reload_conf()")
    try:
        with (
            psycopg.connect(own_server.owner_dsn) as holder,
            psycopg.connect(own_server.owner_dsn, autocommit=True) as waiter,
        ):
            holder.execute("LOCK TABLE uploads IN SHARE MODE")
            waiter.pgconn.send_query(b"UPDATE uploads SET progress = progress")
            # The server reads its own configuration a moment later.
            eventually(lambda: limits() == [seconds], "the wait and its limit")
            holder.rollback()
            while waiter.pgconn.get_result():
                pass
    finally:
        superuser(own_server, f"ALTER {place} RESET {setting}", "SELECT pg_reload_conf()")


def test_statements_that_end_at_their_time_limit_wait_for_a_lock(
    own_server: Lab, probe_of: Make
) -> None:
    """Each wait is short and the next one follows: none is overdue, and no upload goes on."""
    probe = probe_of(own_server.dsn)
    superuser(own_server, "ALTER ROLE veza SET statement_timeout = '500ms'")
    ends = threading.Event()
    try:
        with (
            psycopg.connect(own_server.owner_dsn, autocommit=True) as client,
            psycopg.connect(own_server.owner_dsn) as holder,
        ):

            def try_again_and_again() -> None:
                while not ends.wait(0.2):
                    with suppress(psycopg.errors.QueryCanceled):
                        client.execute("UPDATE uploads SET progress = progress")

            holder.execute("LOCK TABLE uploads IN SHARE MODE")
            trying = threading.Thread(target=try_again_and_again)
            trying.start()
            try:
                eventually(lambda: probe.locks(1.0).are_cut_short, "a wait up to its limit")
                assert not probe.locks(1.0).overdue
            finally:
                ends.set()
                trying.join()
    finally:
        superuser(own_server, "ALTER ROLE veza RESET statement_timeout")


@pytest.mark.parametrize(
    ("job", "completed", "program", "blocks"),
    [
        ("pending", False, "report", True),
        (None, False, "report", False),
        ("pending", True, "report", False),
        ("pending", False, "worker", False),
    ],
    ids=["jobs wait", "nothing waits", "others complete", "processes take turns"],
)
def test_an_advisory_lock_counts_where_it_may_hold_jobs_up(
    odd: Owner,
    services: Lab,
    probe_of: Make,
    aged_upload: Callable[..., str],
    job: str | None,
    completed: bool,
    program: str,
    blocks: bool,
) -> None:
    """Behind another program, while jobs are late and none has completed since: it is named."""
    statement = b"SELECT pg_advisory_lock(4711)"
    # Tables of their own: uploads complete in the lab's all the time.
    ids = [aged_upload("completed", minutes=5.0), aged_upload(job=job)]
    for table, key in (("uploads", "id::text"), ("job_queue", "payload ->> 'upload_id'")):
        copy = f"CREATE TABLE odd.{table} AS SELECT * FROM {table} WHERE {key} = ANY(%s)"
        odd.execute(copy.encode(), (ids,))
    odd.execute("GRANT SELECT ON ALL TABLES IN SCHEMA odd TO veza_checks")
    with (
        psycopg.connect(services.owner_dsn, application_name=program) as holder,
        psycopg.connect(services.owner_dsn, application_name="worker", autocommit=True) as waiter,
    ):
        holder.execute(statement)
        waiter.pgconn.send_query(statement)
        count = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"
        eventually(lambda: holder.execute(count).fetchone() == (1,), "a wait for the lock")
        if completed:
            # Later than the lock, however fast this is.
            later = "UPDATE odd.uploads SET updated_at = now() + interval '50 s'"
            odd.execute(f"{later} WHERE status = 'completed'".encode())
        probe = probe_of(services.dsn, uploads_table="odd.uploads", jobs_table="odd.job_queue")
        locks, pid = probe.locks(0.0), holder.info.backend_pid
        holder.execute("SELECT pg_advisory_unlock_all()")
        while waiter.pgconn.get_result():
            pass
    assert locks.are_blocking is blocks, locks
    named = f"process {pid} (report) holds an advisory lock, for "
    assert (named in str(locks)) is blocks


@pytest.mark.parametrize(
    ("lock", "wait"),
    [
        (b"LOCK TABLE odd.tracks", b"INSERT INTO odd.tracks VALUES ('x')"),
        (b"DELETE FROM odd.tracks", b"DELETE FROM odd.tracks"),
    ],
    ids=["table", "row"],
)
@pytest.mark.parametrize("job", ["processing", "completed"])
def test_a_lock_on_another_table_counts_where_jobs_are_late(
    odd: Owner,
    services: Lab,
    probe_of: Make,
    aged_upload: Callable[..., str],
    job: str,
    lock: bytes,
    wait: bytes,
) -> None:
    """A worker needs other tables as well: behind another program, while its jobs are late."""
    ids = [aged_upload("completed", minutes=5.0), aged_upload("processing", job=job, started=30.0)]
    for table, key in (("uploads", "id::text"), ("job_queue", "payload ->> 'upload_id'")):
        copy = f"CREATE TABLE odd.{table} AS SELECT * FROM {table} WHERE {key} = ANY(%s)"
        odd.execute(copy.encode(), (ids,))
    odd.execute(b"CREATE TABLE odd.tracks AS SELECT 'y'::text AS id")
    odd.execute(b"GRANT SELECT ON odd.uploads, odd.job_queue TO veza_checks")
    with (
        psycopg.connect(services.owner_dsn, application_name="migration") as holder,
        psycopg.connect(services.owner_dsn, application_name="worker", autocommit=True) as waiter,
    ):
        holder.execute(lock)
        waiter.pgconn.send_query(wait)
        count = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = %s"
        mine = (waiter.info.backend_pid,)
        eventually(lambda: holder.execute(count, mine).fetchone() == (1,), "a wait for the lock")
        probe = probe_of(services.dsn, uploads_table="odd.uploads", jobs_table="odd.job_queue")
        locks, pid = probe.locks(0.0), holder.info.backend_pid
        holder.rollback()
        while waiter.pgconn.get_result():
            pass
    is_late = job == "processing"
    assert locks.are_blocking is is_late, locks
    assert not locks.unreadable
    assert (f"process {pid} (migration) locks odd.tracks in a" in str(locks)) is is_late


def test_an_attempt_after_a_pause_is_seen(
    services: Lab,
    probe: DatabaseProbe,
    aged_upload: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A session that tries again behind an idle transaction is seen, though it waits not yet."""
    look = LockQueries._query
    statement = b"SELECT FROM uploads WHERE id = $1 FOR UPDATE"
    values = [aged_upload().encode()]
    with (
        psycopg.connect(services.owner_dsn) as holder,
        psycopg.connect(services.owner_dsn, autocommit=True) as waiter,
    ):

        def look_before_the_attempt(*arguments: Any) -> tuple[Locks, bool]:
            locks, is_left_open = look(*arguments)
            if not locks.waiting:
                waiter.pgconn.send_query_params(statement, values)
                monkeypatch.undo()
            return locks, is_left_open

        holder.pgconn.exec_(b"BEGIN")
        holder.pgconn.exec_params(statement, values)
        monkeypatch.setattr(LockQueries, "_query", look_before_the_attempt)
        locks = probe.locks(0.0)
        holder.rollback()
        while waiter.pgconn.get_result():
            pass
    assert locks.is_left_open, locks


@pytest.mark.parametrize(
    ("statement", "blocks"),
    [
        (b"CREATE INDEX CONCURRENTLY made_for_test ON uploads (error_message)", False),
        (b"LOCK TABLE uploads IN EXCLUSIVE MODE", True),
    ],
)
def test_only_waits_that_delay_uploads_block(
    services: Lab,
    owner: Owner,
    probe: DatabaseProbe,
    aged_upload: Callable[..., str],
    statement: bytes,
    blocks: bool,
) -> None:
    """CREATE INDEX CONCURRENTLY waits for a writer and blocks no upload; a table lock does."""
    upload = aged_upload()
    with (
        psycopg.connect(services.owner_dsn) as writer,
        psycopg.connect(services.owner_dsn, autocommit=not blocks) as waiter,
    ):
        writer.execute("UPDATE uploads SET progress = 99 WHERE id = %s", (upload,))
        if blocks:
            waiter.execute("SELECT 1")
        waiter.pgconn.send_query(statement)
        waits = (
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = %s"
            " AND clock_timestamp() - waitstart > interval '0.1 s'"
        )
        eventually(
            lambda: owner.execute(waits, (waiter.info.backend_pid,)).fetchone() == (1,),
            "the wait to be over its limit",
        )
        locks = probe.locks(0.1)
        writer.rollback()
        while waiter.pgconn.get_result():
            pass
    owner.execute("DROP INDEX IF EXISTS made_for_test")
    assert locks.are_blocking is blocks, locks


@contextmanager
def job_in_a_transaction(services: Lab, owner: Owner, upload: str, name: str) -> Iterator[None]:
    """Let a session of this name lock an upload's job, and do nothing for a tenth of a second."""
    idle = "SELECT clock_timestamp() - state_change > interval '0.1 s' FROM pg_stat_activity"
    with psycopg.connect(services.owner_dsn, application_name=name) as holder:
        holder.execute(
            "SELECT FROM job_queue WHERE payload ->> 'upload_id' = %s FOR UPDATE SKIP LOCKED",
            (upload,),
        )
        pid = holder.info.backend_pid
        eventually(
            lambda: owner.execute(f"{idle} WHERE pid = %s", (pid,)).fetchone() == (True,),
            "the transaction to be idle",
        )
        yield


def test_jobs_that_an_idle_transaction_has_locked_are_passed_over(
    services: Lab, owner: Owner, probe: DatabaseProbe, aged_upload: Callable[..., str]
) -> None:
    """A worker that skips locked rows waits for nothing, so no wait shows them."""
    aged_upload(job="pending")
    with job_in_a_transaction(services, owner, aged_upload(job="pending"), "psql"):
        locks = probe.locks(0.1)
        assert not probe.locks(0.1, 300.0).are_blocking
    assert (locks.passed_over, locks.kept, locks.are_blocking) == (1, 0, True)
    assert "1 job waits that another program may have locked, so that a worker" in str(locks)
    assert f"process {locks.placeholders()['blocking_pid']} " in str(locks)
    done = aged_upload("completed", job="completed")
    with job_in_a_transaction(services, owner, done, "psql"):
        assert not probe.locks(0.1).are_blocking


@pytest.mark.parametrize("is_view", [False, True])
def test_a_job_that_the_application_does_in_one_transaction_is_kept(
    services: Lab,
    owner: Owner,
    odd: Owner,
    probe_of: Make,
    aged_upload: Callable[..., str],
    is_view: bool,
) -> None:
    """A worker's sessions have one name; what one of them keeps is no lock of another program."""
    odd.execute("CREATE VIEW odd.jobs AS SELECT * FROM job_queue")
    odd.execute("GRANT SELECT ON odd.jobs TO veza_checks")
    probe = probe_of(services.dsn, jobs_table="odd.jobs" if is_view else "job_queue")
    aged_upload(job="pending")
    name = "transcoder"
    with (
        psycopg.connect(services.owner_dsn, application_name=name),
        job_in_a_transaction(services, owner, aged_upload(job="pending"), name),
    ):
        locks = probe.locks(0.1)
        assert not probe.locks(0.1, 300.0).kept
    # Of a view it is not known which of the jobs that wait is locked.
    assert (locks.kept, locks.are_blocking) == (2 if is_view else 1, False)
    assert "a transaction in which" in str(locks)
    assert "(transcoder) locks" in str(locks)
    assert not probe.locks(0.1).kept
    with job_in_a_transaction(services, owner, aged_upload(job="pending"), "psql"):
        locks = probe.locks(0.1)
    assert (locks.passed_over, locks.kept) == (3 if is_view else 1, 0)


NEW_UPLOAD = b"""
INSERT INTO uploads (user_id, filename, status) VALUES (gen_random_uuid(), 'a.wav', 'completed')
"""


def superuser(lab: Lab, *statements: str) -> None:
    """Run statements as the superuser, in a session that can write whatever the setting."""
    options = "-c default_transaction_read_only=off"
    with psycopg.connect(lab.superuser_dsn, autocommit=True, options=options) as session:
        for statement in statements:
            session.execute(statement.encode())


@pytest.mark.parametrize(
    ("on", "off", "reason"),
    [
        ("DATABASE veza SET {} = on", "DATABASE veza RESET {}", "is on for veza"),
        ("ROLE veza SET {} = yes", "ROLE veza RESET {}", "is on for veza"),
        ("ROLE ALL SET {} = on", "ROLE ALL RESET {}", "is on for veza"),
        ("SYSTEM SET {} = on", "SYSTEM RESET {}", "is on (set by: configuration file)"),
    ],
)
def test_a_read_only_setting_is_found(
    own_server: Lab, probe_of: Make, on: str, off: str, reason: str
) -> None:
    """The database refuses writes if a setting of any level makes the application read-only."""
    assert probe_of(own_server.dsn).writes(PATIENCE).accepted
    setting = "default_transaction_read_only"
    try:
        superuser(own_server, f"ALTER {on.format(setting)}", "SELECT pg_reload_conf()")

        def refused() -> bool:
            return not probe_of(own_server.dsn).writes(PATIENCE).accepted

        eventually(refused, "the server to have read its configuration")
        assert f"{setting} {reason}" in str(probe_of(own_server.dsn).writes(PATIENCE))
    finally:
        superuser(own_server, f"ALTER {off.format(setting)}", "SELECT pg_reload_conf()")
    eventually(lambda: not refused(), "the server to have read its configuration")


def test_settings_of_other_roles_do_not_refuse_writes(own_server: Lab, probe_of: Make) -> None:
    """The checks' own role may be read-only, and a role that comes before the database may not."""
    setting = "default_transaction_read_only"
    try:
        superuser(own_server, f"ALTER ROLE veza_checks SET {setting} = on")
        with pytest.raises(NotOffered, match="RESET default_transaction_read_only"):
            probe_of(own_server.dsn).writes(PATIENCE)
        superuser(
            own_server,
            NEW_UPLOAD.decode(),
        )
        assert probe_of(own_server.dsn).writes(PATIENCE).accepted, "a row was written just now"
        superuser(
            own_server,
            "DELETE FROM uploads",
            f"ALTER DATABASE veza SET {setting} = on",
            f"ALTER ROLE veza IN DATABASE veza SET {setting} = off",
        )
        assert probe_of(own_server.dsn).writes(PATIENCE).accepted
    finally:
        superuser(
            own_server,
            "DELETE FROM uploads",
            f"ALTER ROLE veza_checks RESET {setting}",
            f"ALTER ROLE veza IN DATABASE veza RESET {setting}",
            f"ALTER DATABASE veza RESET {setting}",
        )


def test_a_commit_that_waits_for_a_standby_is_found(own_server: Lab, probe_of: Make) -> None:
    """The database keeps a commit for as long as its synchronous standby is gone."""
    probe = probe_of(own_server.dsn)
    setting = "synchronous_standby_names"
    superuser(own_server, f"ALTER SYSTEM SET {setting} = 'gone'", "SELECT pg_reload_conf()")
    with closing(psycopg.connect(own_server.owner_dsn)) as writer:
        try:
            writer.execute("SET synchronous_commit = on")
            writer.execute("UPDATE job_queue SET status = status")
            writer.execute(NEW_UPLOAD)
            writer.pgconn.send_query(b"COMMIT")
            eventually(lambda: not probe.writes(SLOW).accepted, "the commit to have waited")
            assert "1 commit waits for a synchronous standby, for " in str(probe.writes(SLOW))
            assert probe.writes(PATIENCE).accepted, "it may wait for a while"
            assert not probe.slow_writes(PATIENCE, PATIENCE).statements
        finally:
            superuser(own_server, f"ALTER SYSTEM RESET {setting}", "SELECT pg_reload_conf()")

        def has_ended() -> bool:
            writer.pgconn.consume_input()
            return not writer.pgconn.is_busy()

        # Only then is there a row to delete, which would show that writes are accepted.
        eventually(has_ended, "the commit")
    superuser(own_server, "DELETE FROM uploads")
    eventually(lambda: probe.writes(0.0).accepted, "the server to have read its configuration")


MANY_LOST = """
INSERT INTO uploads (user_id, filename, status, created_at)
SELECT gen_random_uuid(), 'a.wav', 'uploading', now() - n % 2 * interval '1 day'
FROM generate_series(1, 80000) AS n;
INSERT INTO job_queue (type, payload, status, created_at, started_at, completed_at)
SELECT 'process_upload', jsonb_build_object('upload_id', id),
       CASE WHEN is_lost THEN 'completed' ELSE 'pending' END, created_at,
       CASE WHEN is_lost THEN created_at END, CASE WHEN is_lost THEN created_at END
FROM (SELECT *, created_at < now() - interval '1 hour' AS is_lost FROM uploads) AS u
"""


def test_many_lost_updates_beside_many_waiting_jobs(own_server: Lab, probe_of: Make) -> None:
    """The time grows with the number of jobs: compared in pairs, they would take minutes."""
    superuser(own_server, MANY_LOST, "ANALYZE uploads, job_queue")
    try:
        assert probe_of(own_server.dsn, timeout=20.0).ended_jobs().unnoticed == 40_000
    finally:
        superuser(own_server, "TRUNCATE uploads, job_queue")


VIEWS = """
CREATE TABLE odd.media (LIKE uploads) PARTITION BY LIST (status);
CREATE TABLE odd.media_part PARTITION OF odd.media DEFAULT;
CREATE VIEW odd.middle AS SELECT * FROM odd.media;
CREATE VIEW odd.uploads AS SELECT * FROM odd.middle;
GRANT SELECT ON odd.uploads TO veza_checks
"""


@pytest.mark.parametrize("table", ["odd.uploads", "odd.media", "odd.media_part"])
def test_a_lock_below_a_view_is_found(
    odd: Owner, services: Lab, probe_of: Make, table: str
) -> None:
    """A lock on a table or a partition below views blocks the uploads, and is named."""
    odd.execute(VIEWS.encode())
    probe = probe_of(services.dsn, uploads_table="odd.uploads")
    assert probe.schema().defects == ()
    assert not probe.locks(2.0).are_blocking
    with locked(services.owner_dsn, table) as pid:
        with pytest.raises(Unreachable, match=r"odd\.uploads is locked by another session"):
            probe.ended_jobs()
        locks = probe.locks(2.0)
    assert locks.are_blocking
    assert f"process {pid} (a-migration) locks odd." in str(locks)


@pytest.mark.parametrize(
    ("status", "views"), [("status", ()), ("lower(status) AS status", ("jobs_table",))]
)
def test_a_view_that_no_repair_can_change_is_known(
    odd: Owner, services: Lab, probe_of: Make, status: str, views: tuple[str, ...]
) -> None:
    """PostgreSQL passes a change on to the table where the column is the table's own."""
    odd.execute(
        "CREATE VIEW odd.jobs AS SELECT id, type, payload, "
        f"{status}, created_at, started_at, completed_at FROM public.job_queue".encode()
    )
    odd.execute("GRANT SELECT ON odd.jobs TO veza_checks")
    schema = probe_of(services.dsn, jobs_table="odd.jobs").schema()
    assert schema.defects == ()
    assert schema.views == views
    with locked(services.owner_dsn, "odd.jobs"):
        assert probe_of(services.dsn, jobs_table="odd.jobs").schema() == replace(schema, views=())


NEEDY = """
CREATE TABLE odd.jobs (id uuid NOT NULL PRIMARY KEY, type text, payload json, status text,
    created_at timestamptz, started_at timestamptz, completed_at timestamptz,
    upload_id uuid NOT NULL, attempts int NOT NULL, "updated at" timestamptz NOT NULL,
    run_at timestamptz, number bigint GENERATED ALWAYS AS IDENTITY,
    owner text NOT NULL DEFAULT 'api');
GRANT SELECT ON odd.jobs TO veza_checks;
INSERT INTO odd.jobs VALUES (gen_random_uuid(), 'process_upload',
    '{"upload_id": "UPLOAD", "path": "/a"}', 'failed', now() - interval '1 hour',
    NULL, now(), 'UPLOAD', 0, now(), NULL);
"""


@pytest.mark.parametrize("document", ["runbook.md", "runbook.fr.md"])
def test_the_statements_that_create_jobs_fill_the_columns_without_a_default(
    odd: Owner,
    services: Lab,
    probe_of: Make,
    aged_upload: Callable[..., str],
    document: str,
) -> None:
    """The platform gives its jobs ids and times by itself; what its worker needs stays in them."""
    commands = re.findall(r"```sql\n(.*?)```", (RUNBOOKS / document).read_text(), re.DOTALL)
    statements = [text for text in commands if "INSERT INTO <jobs_table>" in text]
    assert len(statements) == 4
    upload = aged_upload()
    odd.execute(NEEDY.replace("UPLOAD", upload).encode())
    known = probe_of(services.dsn, jobs_table="odd.jobs").schema().placeholders()
    values = {"uploads_table": "uploads", "jobs_table": "odd.jobs", "job_type": "process_upload"}
    values["processing_max_seconds"] = "300"
    ids = dict.fromkeys(("upload_ids", "unreadable_upload_ids", "overdue_upload_ids"), upload)
    for statement in statements:
        text, missing = fill_command(statement, "sql", values | ids | known)
        assert not missing
        odd.execute(text.encode())
        created = "SELECT payload ->> 'path', upload_id::text, attempts, run_at FROM odd.jobs"
        rows = odd.execute(f"{created} WHERE status = 'pending'".encode()).fetchall()
        assert [row[:-1] for row in rows] == [("/a", upload, 0)]
        assert rows[0][-1] is not None
        odd.execute("DELETE FROM odd.jobs WHERE status = 'pending'")


ODD_TABLES = """
CREATE TYPE odd.state AS ENUM ('uploading', 'completed');
CREATE TYPE odd.kind AS ENUM ('other');
CREATE TABLE odd.uploads (id {id}, status odd.state, progress text, size text, user_id int[],
    created_at timestamptz, updated_at timestamptz, error_message text);
CREATE TABLE odd.jobs (id {id}, type {type}, payload {payload}, status text,
    created_at timestamptz, started_at timestamptz, completed_at timestamptz);
GRANT SELECT ON ALL TABLES IN SCHEMA odd TO veza_checks
"""
LONG = "u" * 8000
UUID = "0F0E0D0C-0B0A-4908-8706-050403020100"


@pytest.mark.parametrize("payload", ["text", "json", "jsonb", "bytea"])
@pytest.mark.parametrize(
    ("kind", "upload_id", "in_json"),
    [
        ("uuid", UUID, f'"{UUID}"'),
        ("bigint", "120001", "120001"),
        ("bigint", "120001", '"120001"'),
        ("text", "01JEV0C1C00000000000000001", '"01JEV0C1C00000000000000001"'),
        ("text", LONG, f'"{LONG}"'),
    ],
)
def test_ids_and_payloads_of_any_type_are_read(
    odd: Owner, services: Lab, probe_of: Make, payload: str, kind: str, upload_id: str, in_json: str
) -> None:
    """Ids as UUID, number and text, also long and missing ones, in payloads of each type."""
    odd.execute(ODD_TABLES.format(id=kind, type="text", payload=payload).encode())
    odd.execute(
        "INSERT INTO odd.uploads (id, status, progress, size, created_at) VALUES"
        f" ('{upload_id}', 'uploading', 'none', 'large', now() - interval '1 hour'),"
        " (NULL, 'uploading', 'NaN', '12', now() - interval '2 hours')".encode()
    )
    odd.execute(
        "INSERT INTO odd.jobs (type, payload, status, created_at) VALUES"
        f" ('process_upload', '{{\"upload_id\": {in_json}}}', 'completed',"
        " now() - interval '1 hour')".encode()
    )
    probe = probe_of(services.dsn, uploads_table="odd.uploads", jobs_table="odd.jobs")
    assert probe.schema().defects == ()
    shown = probe.stuck_uploads(600.0).shown
    expected = upload_id.lower() if kind == "uuid" else upload_id[:100]
    assert [upload.id for upload in shown] == ["(no upload id)", expected]
    assert [upload.size for upload in shown] == [12, None]
    assert probe.jobs_of(shown, 600.0).without == ("(no upload id)",)
    assert probe.ended_jobs().unnoticed_uploads == (expected,)
    assert probe.overdue_processing(300.0).total == 0
    with pytest.raises(NotOffered):
        probe.newest_completed()


def test_an_enum_without_our_names_has_no_such_rows(
    odd: Owner, services: Lab, probe_of: Make
) -> None:
    """Enums of statuses and job types need not have the names that the checks look for."""
    odd.execute(ODD_TABLES.format(id="int", type="odd.kind", payload="jsonb").encode())
    odd.execute("INSERT INTO odd.jobs (type, payload, status) VALUES ('other', '[]', 'pending')")
    probe = probe_of(services.dsn, uploads_table="odd.uploads", jobs_table="odd.jobs")
    assert probe.stuck_uploads(600.0).total == probe.pending_jobs(300.0, 300.0).total == 0
    assert probe.flow(300.0).completed == probe.ended_jobs().unnoticed == 0


def test_columns_that_hold_no_times_are_named(odd: Owner, services: Lab, probe_of: Make) -> None:
    """A time as a number is named with its column; a domain over a timestamp is a time."""
    odd.execute("CREATE DOMAIN odd.moment AS timestamptz")
    odd.execute(
        "CREATE TABLE odd.uploads (id int, status text, progress int, created_at bigint,"
        " updated_at odd.moment, error_message text)"
    )
    odd.execute("GRANT SELECT ON odd.uploads TO veza_checks")
    schema = probe_of(services.dsn, uploads_table="odd.uploads").schema()
    assert schema.mistyped == ("column odd.uploads.created_at",)
    assert "no time in column odd.uploads.created_at (give database.uploads_table" in str(schema)


@pytest.mark.parametrize(
    ("uploads", "jobs", "unknown"),
    [
        ("upper(status)", "status", "column odd.uploads.status"),
        ("status", "upper(status)", "column odd.jobs.status"),
        ("upper(status)::odd.word", "status", "column odd.uploads.status"),
        ("CASE id WHEN gen_random_uuid() THEN status ELSE 'cancelled' END", "status", None),
    ],
)
def test_words_of_a_status_in_other_letters_are_named(
    odd: Owner,
    probe_of: Make,
    services: Lab,
    aged_upload: Callable[..., str],
    uploads: str,
    jobs: str,
    unknown: str | None,
) -> None:
    """Of rows in capitals nothing is found: that would look healthy. A word of another is none."""
    aged_upload(job="pending", minutes=30)
    odd.execute("CREATE TYPE odd.word AS ENUM ('UPLOADING', 'COMPLETED', 'FAILED')")
    for name, table, status in (("uploads", "uploads", uploads), ("jobs", "job_queue", jobs)):
        columns = {
            "uploads": "id, progress, created_at, updated_at, error_message",
            "jobs": "id, type, payload, created_at, started_at, completed_at",
        }[name]
        view = f"CREATE VIEW odd.{name} AS SELECT {columns}, {status} AS status FROM {table}"
        odd.execute(view.encode())
        odd.execute(f"GRANT SELECT ON odd.{name} TO veza_checks".encode())
    schema = probe_of(services.dsn, uploads_table="odd.uploads", jobs_table="odd.jobs").schema()
    assert schema.unknown_words == ((unknown,) if unknown else ())
    assert ("words in " in str(schema)) == bool(unknown)


def assert_age_is_unknown(call: Callable[[], object], why: str) -> None:
    """Assert that the call says so, and why."""
    with pytest.raises(Unreachable, match=f"is unknown: {why}"):
        call()


CLOCK_AHEAD = "is up to (89|90) min ahead of the database's clock; set that clock, or the one"
OTHER_ZONE = "is up to (89|90) min in the future and has no time zone; end database.dsn with"


@pytest.mark.parametrize(
    ("created", "kind", "why"),
    [
        ("NULL", "timestamptz", "a time is missing or infinite"),
        ("'infinity'", "timestamptz", "a time is missing or infinite"),
        ("now() + interval '90 min'", "timestamptz", f".*created_at {CLOCK_AHEAD}"),
        ("now() + interval '90 min'", "timestamp", f".*created_at {OTHER_ZONE}"),
    ],
)
def test_an_unknown_age_never_passes(
    odd: Owner, services: Lab, probe_of: Make, created: str, kind: str, why: str
) -> None:
    """An upload or a job whose time is missing or in the future is not young: it is unknown."""
    tables = ODD_TABLES.format(id="int", type="text", payload="jsonb")
    odd.execute(tables.replace("created_at timestamptz", f"created_at {kind}").encode())
    odd.execute(
        "INSERT INTO odd.uploads (id, status, created_at) VALUES"
        f" (1, 'uploading', {created})".encode()
    )
    odd.execute(
        "INSERT INTO odd.jobs (type, payload, status, created_at) SELECT 'process_upload', '{}',"
        f" status, {created} FROM unnest('{{pending, processing}}'::text[]) AS status".encode()
    )
    probe = probe_of(services.dsn, uploads_table="odd.uploads", jobs_table="odd.jobs")
    for call in (
        lambda: probe.stuck_uploads(600.0),
        lambda: probe.subjects(None, 600.0, 5),
        lambda: probe.pending_jobs(300.0, 300.0),
        lambda: probe.running_jobs(300.0),
        lambda: probe.passed_over_jobs(300.0),
        lambda: probe.late_starts(300.0),
        lambda: probe.flow(300.0),
        probe.unfinished_jobs,
    ):
        assert_age_is_unknown(call, why)
    odd.execute("UPDATE odd.uploads SET status = 'completed'")
    assert probe.stuck_uploads(600.0).total == 0
    odd.execute(
        "INSERT INTO odd.uploads (id, status, created_at) VALUES"
        " (4, 'uploading', now() - interval '1 hour')"
    )
    assert [upload.id for upload in probe.stuck_uploads(600.0).shown] == ["4"]


def test_a_completion_in_the_future_is_unknown(odd: Owner, services: Lab, probe_of: Make) -> None:
    """A job that seems to complete in an hour is of a clock that is ahead: it tells no flow."""
    odd.execute(ODD_TABLES.format(id="int", type="text", payload="jsonb").encode())
    odd.execute(
        "INSERT INTO odd.jobs (type, payload, status, created_at, completed_at) VALUES"
        " ('process_upload', '{}', 'completed', now(), now() + interval '90 min')"
    )
    probe = probe_of(services.dsn, uploads_table="odd.uploads", jobs_table="odd.jobs")
    for call in (
        lambda: probe.flow(300.0),
        lambda: probe.processing_time(300.0),
        probe.just_ended_jobs,
    ):
        assert_age_is_unknown(call, f"odd.jobs.completed_at {CLOCK_AHEAD}")
    # It may have been long ago: it is counted only where one too many leaves the question open.
    assert probe.jobs_worked_on(300.0, 300.0) == (0, 1)


def test_a_queue_that_deletes_completed_jobs_tells_no_flow(
    odd: Owner, services: Lab, probe_of: Make
) -> None:
    """Where uploads complete and none of their jobs is recorded, no completion is missed."""
    odd.execute(ODD_TABLES.format(id="int", type="text", payload="jsonb").encode())
    odd.execute("INSERT INTO odd.uploads (id, status, created_at) VALUES (1, 'uploading', now())")
    odd.execute(
        "INSERT INTO odd.jobs (type, payload, status, created_at, completed_at) VALUES"
        " ('process_upload', '{}', 'pending', now() - interval '1 hour', NULL),"
        " ('process_upload', '{\"upload_id\": 1}', 'failed', now() - interval '1 hour', now())"
    )

    def probe() -> DatabaseProbe:
        return probe_of(services.dsn, uploads_table="odd.uploads", jobs_table="odd.jobs")

    assert probe().flow(300.0).stands_still
    odd.execute(
        "INSERT INTO odd.uploads (id, status, created_at, updated_at) VALUES"
        " (2, 'completed', now() - interval '2 min', now() - interval '1 min')"
    )
    assert probe().flow(30.0).stands_still
    for call in (lambda: probe().flow(300.0), lambda: probe().last_jobs(300.0)):
        with pytest.raises(NotOffered, match="uploads complete, and no job of them is recorded"):
            call()
    odd.execute(
        "INSERT INTO odd.jobs (type, payload, status, created_at, completed_at) VALUES"
        " ('process_upload', '{\"upload_id\": 2}', 'completed', now(), now())"
    )
    assert probe().flow(300.0).completed == 1
    assert probe().last_jobs(300.0).completed == 1


def test_a_named_upload_is_found_whatever_its_id_is(
    odd: Owner, services: Lab, probe_of: Make
) -> None:
    """A number as id is found by its text, and so is an id that no number can be."""
    odd.execute(ODD_TABLES.format(id="bigint", type="text", payload="jsonb").encode())
    odd.execute("INSERT INTO odd.uploads (id, status, created_at) VALUES (7, 'completed', now())")
    probe = probe_of(services.dsn, uploads_table="odd.uploads", jobs_table="odd.jobs")
    seven, other = probe.subjects(("7", "seven"), 0.0, 2)
    assert (seven.status, other.status) == ("completed", None)
    assert probe.subjects(("7",), 0.0, 1)[0].status == "completed"


@pytest.fixture
def own_jobs(odd: Owner, services: Lab, probe_of: Make) -> DatabaseProbe:
    """A probe whose table of jobs is empty: the lab's load has another one."""
    odd.execute("CREATE TABLE odd.jobs AS TABLE public.job_queue WITH NO DATA")
    odd.execute("GRANT SELECT ON ALL TABLES IN SCHEMA odd TO veza_checks")
    return probe_of(services.dsn, jobs_table="odd.jobs")


def add_job(odd: Owner, status: str, created: float, started: float | None = None) -> None:
    """Insert a job that was created, and started, so many seconds ago."""
    odd.execute(
        "INSERT INTO odd.jobs (id, type, payload, status, created_at, started_at) VALUES"
        " (gen_random_uuid(), 'process_upload', '{}', %s, now() - %s * interval '1 s',"
        " now() - %s * interval '1 s')",
        (status, created, started),
    )


def test_jobs_start_in_order_until_one_is_passed_over(odd: Owner, own_jobs: DatabaseProbe) -> None:
    """The newest job that has started had waited, and no job that waits is older."""
    add_job(odd, "pending", 540)
    assert not own_jobs.jobs_start_in_order(60.0)
    add_job(odd, "processing", 570, 30)
    assert own_jobs.jobs_start_in_order(60.0)
    assert not own_jobs.jobs_start_in_order(20.0)
    add_job(odd, "pending", 600)
    assert not own_jobs.jobs_start_in_order(60.0)


def test_workers_that_start_only_late_jobs_do_not_keep_up(
    odd: Owner, own_jobs: DatabaseProbe
) -> None:
    """A retry is late by itself, and says nothing where a newer job started in time."""

    def add(status: str, created: float, started: float | None = None) -> LateStarts:
        add_job(odd, status, created, started)
        return own_jobs.late_starts(300.0)

    assert not add("processing", 900, 30).are_late, "no job waits"
    late = add("pending", 500)
    assert late.are_late
    assert str(late).endswith(
        ": workers start jobs only after 14 min; 1 job waits too long, 1 started in the last 60 s"
    )
    add("completed", 1000, 90)
    in_time = add("completed", 100, 20)
    assert not in_time.are_late
    assert str(in_time).endswith(": 1 job waits too long, 2 started in the last 60 s")
    with pytest.raises(Unreachable, match="age"):
        add("pending", -7200)


def test_a_job_passed_over_is_named(
    services: Lab, probe: DatabaseProbe, aged_upload: Callable[..., str]
) -> None:
    """A job that never started is passed over once a later one has started, and not before."""
    first = aged_upload(minutes=50, job="pending")
    again = aged_upload(minutes=49, job="pending", started=40)
    young = aged_upload(minutes=1, job="pending")
    aged_upload("completed", minutes=30, job="completed")
    passed_over = probe.passed_over_jobs(300.0)
    assert passed_over.upload_ids == (first,)
    assert f"1 job never started although later ones did; uploads {first}" in str(passed_over)
    assert {again, young}.isdisjoint(passed_over.upload_ids)


def test_a_retry_waits_since_it_is_due(
    odd: Owner, services: Lab, probe_of: Make, aged_upload: Callable[..., str]
) -> None:
    """A job whose next attempt is ahead neither is late nor has a message; one that is due may."""
    later = aged_upload(job="pending", minutes=30, started=0.5)
    due = aged_upload(job="pending", minutes=30)
    odd.execute(
        "CREATE VIEW odd.jobs AS SELECT *, now() + CASE payload ->> 'upload_id'"
        f" WHEN '{later}' THEN interval '20 min' WHEN '{due}' THEN interval '-10 min' END"
        " AS next_attempt_at FROM job_queue"
        f" WHERE payload ->> 'upload_id' IN ('{later}', '{due}')".encode()
    )
    odd.execute("GRANT SELECT ON odd.jobs TO veza_checks")
    probe = probe_of(services.dsn, jobs_table="odd.jobs")
    pending = probe.pending_jobs(300.0, 300.0)
    assert pending.upload_ids == (due,)
    assert pending.oldest_seconds == pytest.approx(600.0, abs=60.0)
    assert probe.unfinished_jobs().waiting == 1
    # It started half a minute ago, before it is due: it did not wait for that start.
    starts = probe.late_starts(300.0)
    assert (starts.waiting, starts.started, starts.waited) == (1, 0, None)


def test_finished_uploads_are_spread_over_an_hour(
    odd: Owner, services: Lab, probe_of: Make
) -> None:
    """Of each six minutes of the last hour, the newest finished upload is sampled."""
    odd.execute(ODD_TABLES.format(id="text", type="text", payload="jsonb").encode())
    odd.execute(
        "INSERT INTO odd.uploads (id, status, updated_at) SELECT name, status::odd.state,"
        " now() - minutes * interval '1 min' FROM (VALUES ('moments ago', 'completed', 0.5),"
        " ('newer', 'completed', 13), ('older', 'completed', 17), ('next', 'completed', 31),"
        " ('waiting', 'uploading', 43), ('ancient', 'completed', 70))"
        " AS made(name, status, minutes)"
    )
    probe = probe_of(services.dsn, uploads_table="odd.uploads", jobs_table="odd.jobs")
    assert [upload.id for upload in probe.recently_finished()] == ["newer", "next"]


@pytest.fixture
def api(services: Lab) -> Iterator[ApiProbe]:
    """A probe of the lab's API."""
    http = HttpClient(services.api_url, PATIENCE, "the API")
    yield api_probe(http, services.passwords.token)
    http.close()


def test_another_time_zone_is_seen_in_the_times_of_the_api(
    odd: Owner,
    services: Lab,
    probe_of: Make,
    api: ApiProbe,
    aged_upload: Callable[..., str],
) -> None:
    """Where uploads are hours older than in the API, their zone is another: nothing is compared."""
    odd.execute(
        "CREATE VIEW odd.uploads AS SELECT id, status, progress, error_message, updated_at,"
        " created_at AT TIME ZONE 'UTC' AS created_at FROM uploads"
    )
    odd.execute("GRANT SELECT ON odd.uploads TO veza_checks")
    stuck = aged_upload(minutes=47)
    for zone, hours in (("UTC", 0), ("Etc/GMT-2", 2)):
        dsn = f"{services.dsn}?options=-c%20TimeZone%3D{zone}"
        probe = probe_of(dsn, uploads_table="odd.uploads")
        subjects = probe.subjects((stuck,), 600.0, 1)
        consistency = StatusConsistency(api, probe, probe.recently_finished)
        if not hours:
            same = consistency.same_status(subjects, 600.0)
            assert same.compared >= 1
            assert same.differences == ()
            continue
        with pytest.raises(Unreachable, match=r"uploads are 2 h older in the database than in"):
            consistency.same_status(subjects, 600.0)


@pytest.fixture
def made_api(reply_server: ReplyServer) -> Iterator[ApiProbe]:
    """A probe of an API whose replies the test sets."""
    http = HttpClient(reply_server.url, PATIENCE, "the API")
    yield api_probe(http, "token")
    http.close()


@pytest.mark.parametrize(("minutes", "way"), [(20, "ahead of"), (-20, "behind")])
def test_another_clock_of_the_api_is_no_health(
    services: Lab,
    probe_of: Make,
    made_api: ApiProbe,
    reply_server: ReplyServer,
    minutes: int,
    way: str,
) -> None:
    """Ages are wrong by as much as the clocks differ: with that, nothing counts as compared."""
    reply_server.reply = Reply(404, b"{}", ahead=minutes * 60.0)
    consistency = StatusConsistency(made_api, probe_of(services.dsn), tuple)
    with pytest.raises(Unreachable, match=f"the API's clock is 20 min {way} the database's"):
        consistency.same_status((), 600.0)


def test_an_upload_that_the_api_cannot_read_does_not_hide_a_difference(
    services: Lab,
    probe_of: Make,
    made_api: ApiProbe,
    reply_server: ReplyServer,
    aged_upload: Callable[..., str],
) -> None:
    """The others are compared; where they agree, that one keeps the answer unknown."""
    broken, other = aged_upload(minutes=20), aged_upload(minutes=21)
    probe = probe_of(services.dsn)
    subjects = probe.subjects((broken, other), 600.0, 2)
    reply_server.reply = Reply(404, b"{}")
    reply_server.replies[f"/api/v1/uploads/{broken}/status"] = Reply(500)
    reply_server.replies[f"/api/v1/uploads/{other}/status"] = Reply(body=b'{"status": "failed"}')
    consistency = StatusConsistency(made_api, probe, tuple)
    same = consistency.same_status(subjects, 600.0)
    assert [difference.id for difference in same.differences] == [other]
    reply_server.replies[f"/api/v1/uploads/{other}/status"] = Reply(body=b'{"status": "uploading"}')
    with pytest.raises(Unreachable, match=f"answers HTTP 500 for upload {broken}"):
        consistency.same_status(subjects, 600.0)


def test_text_of_an_sql_ascii_database_is_read(services: Lab, probe_of: Make) -> None:
    """Text that is not UTF-8 has replacement characters, and breaks nothing."""
    superuser(services, "CREATE DATABASE ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'")
    try:
        dsn = services.superuser_dsn.replace("/veza", "/ascii")
        with psycopg.connect(dsn, autocommit=True) as session:
            session.execute(
                "CREATE TABLE uploads (id int, status text, progress int, created_at timestamptz,"
                " updated_at timestamptz, error_message text)"
            )
            session.execute(
                "INSERT INTO uploads VALUES (1, 'uploading', 50, now() - interval '1 hour', now(),"
                " convert_from('\\x66fc72', 'SQL_ASCII'))"
            )
        probe = probe_of(dsn)
        (upload,) = probe.stuck_uploads(600.0).shown
        assert (upload.status, upload.error_message) == ("uploading", "f\N{REPLACEMENT CHARACTER}r")
    finally:
        superuser(services, "DROP DATABASE ascii WITH (FORCE)")


def reads_of(
    probe: DatabaseProbe, monkeypatch: pytest.MonkeyPatch
) -> list[tuple[list[str], float, float]]:
    """Return a list that will have the statements, the beginning and the end of each reading."""
    reads: list[tuple[list[str], float, float]] = []
    read = probe._session._read_at_once

    def noted(connection: Any, missing: Any) -> bool:
        began = time.monotonic()
        is_whole = read(connection, missing)
        reads.append((list(missing), began, time.monotonic()))
        return is_whole

    monkeypatch.setattr(probe._session, "_read_at_once", noted)
    return reads


@pytest.mark.parametrize("is_large", [True, False])
def test_of_large_tables_the_first_questions_wait_for_the_others(
    probe: DatabaseProbe, monkeypatch: pytest.MonkeyPatch, *, is_large: bool
) -> None:
    """Their rows are then read once, for all; of other tables nobody waits."""
    monkeypatch.setattr(session, "LARGE", range(2**31 if is_large else 0))
    monkeypatch.setattr(session, "GATHERING", 0.0)
    probe.schema()
    reads = reads_of(probe, monkeypatch)
    questions: list[Callable[[], Any]] = [
        lambda: probe.flow(300.0),
        lambda: probe.processing_time(900.0),
    ]
    rounds = probe.rehearse(questions)
    assert [len(next(rounds)), len(next(rounds))] == [0, 0 if is_large else 2]
    questions += [lambda: probe.running_jobs(300.0), lambda: probe.uploading(9)]
    assert {2, 3} <= dict(itertools.chain.from_iterable(rounds)).keys()
    assert len(reads) == (1 if is_large else 2)


def test_the_rows_of_all_tables_below_are_expected(
    odd: Owner, services: Lab, probe_of: Make
) -> None:
    """The server's estimate of partitions and of tables below views is known with the columns."""
    odd.execute(
        "CREATE TABLE odd.parts (LIKE public.uploads INCLUDING DEFAULTS) PARTITION BY HASH (id)"
    )
    for place in range(2):
        odd.execute(
            f"CREATE TABLE odd.part_{place} PARTITION OF odd.parts"
            f" FOR VALUES WITH (MODULUS 2, REMAINDER {place})".encode()
        )
    odd.execute(
        "INSERT INTO odd.parts (user_id, filename, status)"
        " SELECT gen_random_uuid(), 'a', 'completed' FROM generate_series(1, 700)"
    )
    odd.execute("CREATE VIEW odd.uploads AS SELECT * FROM odd.parts")
    odd.execute("CREATE TABLE odd.jobs AS TABLE public.job_queue WITH NO DATA")
    odd.execute("GRANT SELECT ON ALL TABLES IN SCHEMA odd TO veza_checks")
    names = {"uploads_table": "odd.uploads", "jobs_table": "odd.jobs"}

    def expected() -> int:
        probe = probe_of(services.dsn, **names)
        probe.schema()
        return probe._session.rows_expected

    assert expected() == 0, "nobody has counted them"
    odd.execute("ANALYZE odd.parts")
    assert expected() == 700


def test_the_jobs_of_the_oldest_uploads_are_read_with_the_sample(
    probe: DatabaseProbe,
    monkeypatch: pytest.MonkeyPatch,
    owner: Owner,
    aged_upload: Callable[..., str],
) -> None:
    """Whether an upload that looks partial has a job is then known, without another statement."""
    upload = aged_upload(job="pending")
    owner.execute("UPDATE uploads SET progress = 10 WHERE id::text = %s", (upload,))
    probe.schema()
    reads = reads_of(probe, monkeypatch)
    answers = rehearse(probe, lambda: probe.subjects(None, 600.0, 3), probe.recently_finished)
    assert [(one.id, one.has_job) for one in answers[0].result()] == [(upload, True)]
    assert len(reads) == 1


def rehearse(probe: DatabaseProbe, *questions: Callable[[], Any]) -> dict[int, Future[Any]]:
    """Read ahead for these questions; returns the answers that this gives, by their places."""
    return dict(itertools.chain.from_iterable(probe.rehearse(questions)))


def test_questions_are_read_ahead_together(
    services: Lab, proxy: Callable[[str, int], Proxy], probe_of: Make
) -> None:
    """After a rehearsal the questions ask nothing: they are answered although the server hangs."""
    way = proxy("127.0.0.1", services.ports.postgres)
    probe = probe_of(services.dsn.replace(f":{services.ports.postgres}/", f":{way.port}/"))
    questions: list[Callable[[], Any]] = [
        lambda: probe.stuck_uploads(600.0),
        lambda: probe.flow(300.0),
        # A transaction that is open for longer would be looked at again.
        lambda: probe.locks(600.0),
        probe.recently_finished,
    ]
    rehearse(probe, *questions)
    way.go_deaf()
    stuck, flow, locks, _ = [question() for question in questions]
    assert (stuck.total, flow.stands_still, locks.are_blocking) == (0, False, False)
    assert way.accepted == 1


def sharing(probe: DatabaseProbe) -> list[Callable[[], Any]]:
    """Return questions whose statements share rows."""
    return [
        lambda: probe.pending_jobs(300.0, 300.0),
        lambda: probe.running_jobs(300.0),
        lambda: probe.passed_over_jobs(300.0),
        lambda: probe.late_starts(300.0),
        lambda: probe.flow(300.0),
        lambda: probe.processing_time(900.0),
        lambda: probe.last_jobs(300.0),
        probe.unfinished_jobs,
        lambda: probe.unfinished_and_ended(300.0),
        lambda: probe.sent_jobs_and_order(60.0),
        lambda: probe.slow_writes(300.0),
        probe.ended_jobs,
        lambda: probe.uploading(9),
        lambda: probe.overdue_processing(300.0),
    ]


def rounded(answer: object) -> str:
    """Return an answer with its seconds as whole minutes."""
    return re.sub(r"\b\d+\.\d+\b", lambda number: f"{float(number[0]) / 60:.0f}", repr(answer))


@pytest.mark.parametrize("kind", ["jsonb", "text"])
def test_statements_on_the_same_rows_are_one(
    odd: Owner, services: Lab, probe_of: Make, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """They have the answers that each has by itself."""
    odd.execute("CREATE TABLE odd.uploads AS TABLE public.uploads WITH NO DATA")
    odd.execute("CREATE TABLE odd.jobs AS TABLE public.job_queue WITH NO DATA")
    odd.execute(f"ALTER TABLE odd.jobs ALTER payload TYPE {kind}")
    odd.execute("GRANT SELECT ON ALL TABLES IN SCHEMA odd TO veza_checks")
    names = {"uploads_table": "odd.uploads", "jobs_table": "odd.jobs"}

    def answers(*, together: bool, later: tuple[int, ...] = (1,)) -> list[str]:
        probe = probe_of(services.dsn, **names)
        probe.schema()
        reads = reads_of(probe, monkeypatch)
        if together:
            rehearse(probe, *sharing(probe))
            assert tuple(len(one) for one, _, _ in reads) == (3, *later), (
                "with those for locks and sessions; then the last uploads, and, where some jobs "
                "wait for nothing, those whose uploads are there"
            )
        told = []
        for question in sharing(probe):
            probe.begin_question()
            told.append(rounded(settle(Future[object](), question)._result or "raised"))
        return told

    assert answers(together=True) == answers(together=False)
    odd.execute(
        "INSERT INTO odd.uploads (id, user_id, status, progress, created_at, updated_at)"
        " SELECT gen_random_uuid(), gen_random_uuid(), (array['uploading', 'pending', 'processing',"
        " 'completed', 'failed'])[n % 5 + 1], 100, now() - n * interval '1 minute', now() -"
        " interval '20 minutes' FROM generate_series(1, 60) AS n"
    )
    odd.execute(
        "INSERT INTO odd.jobs (id, type, payload, status, created_at, started_at, completed_at)"
        " SELECT gen_random_uuid(), 'process_upload', (CASE WHEN progress > 0 THEN"
        f" jsonb_build_object('upload_id', id) END)::{kind}, (array['pending', 'processing',"
        " 'completed', 'failed'])[extract(epoch FROM now() - created_at)::int / 60 % 4 + 1],"
        " created_at, CASE WHEN status <> 'pending' THEN created_at + interval '10 s' END,"
        " CASE WHEN status <> 'pending' THEN created_at + interval '20 s' END FROM odd.uploads"
    )
    together = answers(together=True)
    assert together == answers(together=False)
    assert "raised" not in together
    odd.execute("DELETE FROM odd.uploads WHERE status = 'uploading'")
    without = answers(together=True, later=(2,))
    assert without == answers(together=False)
    assert "raised" not in without
    assert without[0] != together[0], "some jobs wait for nothing"


def test_of_rows_that_cannot_be_read_each_question_has_the_error(
    odd: Owner, services: Lab, probe_of: Make
) -> None:
    """Of statements that are read as one, each is then read by itself."""
    odd.execute(
        "CREATE VIEW odd.jobs AS SELECT id, type, payload, CASE WHEN random() >= 0 THEN"
        " (1 / 0)::text END AS status, created_at, started_at, completed_at FROM public.job_queue"
    )
    odd.execute("GRANT SELECT ON odd.jobs TO veza_checks")
    probe = probe_of(services.dsn, jobs_table="odd.jobs")
    rehearse(probe, *sharing(probe))
    for question in sharing(probe)[:3]:
        probe.begin_question()
        with pytest.raises(Unreachable, match="division by zero"):
            question()
    assert probe.uploading(9) >= 0, "the lab's own uploads are read by another statement"


def test_a_common_statement_may_take_longer(odd: Owner, services: Lab, probe_of: Make) -> None:
    """What reads the same rows has more time together, and each by itself as much as before."""
    odd.execute(
        "CREATE VIEW odd.jobs AS SELECT id, type, payload, status, created_at, started_at,"
        " completed_at FROM (SELECT *, pg_sleep(4) FROM public.job_queue LIMIT 1) AS job"
    )
    odd.execute("GRANT SELECT ON odd.jobs TO veza_checks")
    probe = probe_of(services.dsn, jobs_table="odd.jobs", timeout=3.0)
    probe.schema()
    questions: list[Callable[[], Any]] = [
        lambda: probe.pending_jobs(300.0, 300.0),
        lambda: probe.running_jobs(300.0),
    ]
    rehearse(probe, *questions)
    for question in questions:
        assert question().total == 0
    probe.end_rehearsal()
    with pytest.raises(Unreachable, match="did not answer a statement within 3 s"):
        questions[0]()


def test_the_sample_is_read_once(
    services: Lab,
    owner: Owner,
    proxy: Callable[[str, int], Proxy],
    probe_of: Make,
    aged_upload: Callable[..., str],
) -> None:
    """The check of stuck uploads counts those among which the sample was selected.

    What has a job is known.
    """
    upload = aged_upload(job="pending")
    owner.execute("UPDATE uploads SET progress = 10 WHERE id::text = %s", (upload,))
    way = proxy("127.0.0.1", services.ports.postgres)
    probe = probe_of(services.dsn.replace(f":{services.ports.postgres}/", f":{way.port}/"))
    sampled = probe.subjects(None, 600.0, 3)
    assert [one.id for one in sampled] == [upload]
    way.go_deaf()
    assert probe.jobs_of(sampled, 600.0).without == ()
    stuck = probe.stuck_uploads(600.0)
    assert (stuck.total, stuck.users, stuck.shown[0].id) == (1, 1, upload)


def test_older_rows_are_read_where_few_are_recent(
    odd: Owner, services: Lab, probe_of: Make
) -> None:
    """The newest upload, its progress, the last jobs and completion may be of any age."""
    odd.execute("CREATE TABLE odd.uploads AS TABLE public.uploads WITH NO DATA")
    odd.execute("CREATE TABLE odd.jobs AS TABLE public.job_queue WITH NO DATA")
    odd.execute("ALTER TABLE odd.uploads ADD COLUMN track_id uuid")
    odd.execute("GRANT SELECT ON ALL TABLES IN SCHEMA odd TO veza_checks")

    def probe() -> DatabaseProbe:
        return probe_of(services.dsn, uploads_table="odd.uploads", jobs_table="odd.jobs")

    def add(minutes: int) -> str:
        row = odd.execute(
            "INSERT INTO odd.uploads (id, status, progress, created_at, updated_at) SELECT"
            " gen_random_uuid(), 'completed', 100, at, at FROM (SELECT now() - %s * interval"
            " '1 minute') AS it(at) RETURNING id::text",
            (minutes,),
        ).fetchone()
        assert row is not None
        odd.execute(
            "INSERT INTO odd.jobs (id, type, payload, status, created_at, started_at, completed_at)"
            " SELECT gen_random_uuid(), 'process_upload', jsonb_build_object('upload_id', id),"
            " 'completed', created_at, created_at, created_at FROM odd.uploads WHERE id::text = %s",
            row,
        )
        return str(row[0])

    old = [add(minutes) for minutes in (300, 200, 100)]
    assert probe().newest_completed().id == old[-1]
    assert probe().records_progress()
    odd.execute("UPDATE odd.uploads SET progress = 0 WHERE id::text = %s", (old[-1],))
    assert not probe().records_progress()
    assert "0 jobs completed in the last 5 min, the last one 100 min ago" in str(
        probe().flow(300.0)
    )
    assert probe().flow(3 * 3600.0).completed == 1
    assert "2 uploads completed in the last 4 h" in str(probe().processing_time(4 * 3600.0))
    last = probe().last_jobs(300.0)
    assert (last.completed, round(last.newest_seconds or 0) // 60) == (3, 100)
    assert probe().newest_completed().known_id == old[-1]
    new = add(2)
    assert probe().newest_completed().id == new
    assert probe().records_progress()
    newest = add(0)
    track = "UPDATE odd.uploads SET track_id = gen_random_uuid() WHERE id::text = %s RETURNING"
    row = odd.execute(f"{track} track_id::text".encode(), (new,)).fetchone()
    assert row is not None
    known = probe().newest_completed()
    assert (known.id, known.known_id, known.track_id) == (newest, new, row[0])
    odd.execute("DELETE FROM odd.uploads WHERE id::text = %s", (newest,))
    odd.execute("DELETE FROM odd.jobs WHERE payload ->> 'upload_id' = %s", (newest,))
    last = probe().last_jobs(300.0)
    assert (last.completed, round(last.newest_seconds or 0) // 60) == (4, 2)
    assert probe().flow(300.0).completed == 1


def test_what_was_read_ahead_is_used_once(probe: DatabaseProbe, aged_upload: Any) -> None:
    """A second call reads anew, and so does a first one after the rehearsal was ended."""
    questions: list[Callable[[], Any]] = [
        lambda: probe.stuck_uploads(600.0),
        lambda: probe.flow(300.0),
    ]
    rehearse(probe, *questions)
    assert probe.stuck_uploads(600.0).total == 0
    aged_upload()
    assert probe.stuck_uploads(600.0).total == 1
    rehearse(probe, *questions)
    aged_upload()
    probe.end_rehearsal()
    assert probe.stuck_uploads(600.0).total == 2


def test_a_question_is_answered_when_it_has_read_all(
    probe: DatabaseProbe, aged_upload: Callable[..., str]
) -> None:
    """The other ones may take more round trips; one that reads the same again is left for later."""
    upload_id = aged_upload()

    def twice() -> tuple[int, int]:
        return probe.stuck_uploads(600.0).total, probe.stuck_uploads(600.0).total

    def one_after_the_other() -> tuple[object, bool]:
        return probe.subjects((upload_id,), 600.0, 1), probe.records_progress()

    questions: list[Callable[[], Any]] = [
        lambda: probe.flow(300.0),
        one_after_the_other,
        twice,
        lambda: probe.pending_jobs(300.0, 300.0),
    ]
    probe.schema()
    steps = [[place for place, _ in answers] for answers in probe.rehearse(questions)]
    assert steps == [[], [0, 3], [1]]


def test_a_question_that_joins_is_about_what_is_then(
    probe: DatabaseProbe, aged_upload: Callable[..., str]
) -> None:
    """What was read before it came is not for it; what nobody has read is read with the others."""
    questions: list[Callable[[], Any]] = [
        lambda: probe.pending_jobs(300.0, 300.0),
        lambda: (probe.flow(300.0), probe.records_progress()),
    ]
    probe.schema()
    rehearsal = probe.rehearse(questions)
    assert next(rehearsal) == []
    ((_, before),) = next(rehearsal)
    aged_upload(job="pending")
    questions += [lambda: probe.pending_jobs(300.0, 300.0), lambda: probe.running_jobs(300.0)]
    assert next(rehearsal) == []
    answers = dict(itertools.chain.from_iterable(rehearsal))
    assert (before.result().total, answers[2].result().total) == (0, 1)
    assert answers[3].result().total == 0


def test_the_tables_below_are_read_with_the_columns(
    probe: DatabaseProbe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What joins then need not ask for them, and so need not be read in another rehearsal."""
    reads = reads_of(probe, monkeypatch)
    questions: list[Callable[[], Any]] = [lambda: probe.stuck_uploads(600.0), probe.schema]
    rehearsal = probe.rehearse(questions)
    assert [next(rehearsal), next(rehearsal)] == [[], []]
    questions.append(lambda: probe.slow_writes(300.0))
    assert 2 in dict(itertools.chain.from_iterable(rehearsal))
    asked = [sum(key.lstrip().startswith("WITH RECURSIVE") for key in one) for one, _, _ in reads]
    assert asked == [2, *[0] * (len(asked) - 1)], "the tables below, and whether one is locked"


@pytest.mark.parametrize("is_slow", [True, False])
def test_where_reading_is_slow_the_first_questions_come_first(
    probe: DatabaseProbe, monkeypatch: pytest.MonkeyPatch, *, is_slow: bool
) -> None:
    """Others wait for what they ask; a further round trip costs little there, and else too much."""
    monkeypatch.setattr(session, "SLOW", -1.0 if is_slow else math.inf)
    questions: list[Callable[[], Any]] = [
        lambda: (probe.flow(300.0), probe.records_progress()),
        lambda: probe.running_jobs(300.0),
    ]
    probe.schema()
    rounds = probe.rehearse(questions)
    assert [len(next(rounds)), len(next(rounds))] == [0, 1]
    questions.append(lambda: probe.pending_jobs(300.0, 300.0))
    steps = [[place for place, _ in answers] for answers in rounds]
    first = next(number for number, step in enumerate(steps) if 0 in step)
    joined = next(number for number, step in enumerate(steps) if 2 in step)
    assert (first < joined) == is_slow, steps


@pytest.mark.parametrize("takes_long", [False, True])
def test_where_reading_is_slow_the_same_rows_are_read_once(
    probe: DatabaseProbe,
    monkeypatch: pytest.MonkeyPatch,
    aged_upload: Callable[..., str],
    *,
    takes_long: bool,
) -> None:
    """The first questions wait for those that have joined them where both read these rows.

    They do not where reading takes so long that all together may end at its time limit.
    """
    monkeypatch.setattr(session, "SLOW", -1.0)
    monkeypatch.setattr(session, "WAITING_MAX", 0.0 if takes_long else math.inf)
    upload = aged_upload(job="pending")
    questions: list[Callable[[], Any]] = [
        lambda: probe.ids_with_job(probe.subjects((upload,), 600.0, 1)),
        lambda: probe.running_jobs(300.0),
    ]
    probe.schema()
    reads = reads_of(probe, monkeypatch)
    rounds = probe.rehearse(questions)
    assert [len(next(rounds)), len(next(rounds))] == [0, 1]
    questions += [lambda: probe.pending_jobs(300.0, 300.0), lambda: probe.flow(300.0)]
    answers = dict(itertools.chain.from_iterable(rounds))
    assert answers[0].result() == {upload}
    assert answers[2].result().total == 1
    assert len(reads) == (3 if takes_long else 2)
    assert len(reads[1][0]) == 1, "the jobs of the sample alone, or all that is read in one"


def test_the_time_of_an_answer_is_when_it_was_read(
    probe: DatabaseProbe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If it was read ahead, that is before the question has its turn."""
    probe.schema()
    reads = reads_of(probe, monkeypatch)

    def question() -> float | None:
        forget_reads()
        probe.flow(300.0)
        return last_read()

    answers = rehearse(probe, question, lambda: probe.pending_jobs(300.0, 300.0))
    at = answers[0].result()
    ((_, began, ended), *_) = reads
    assert began <= at < ended
    assert question() == at
    probe.end_rehearsal()
    now = time.monotonic()
    assert (question() or 0.0) >= now


def test_two_statements_of_one_question_are_sent_together(
    own_jobs: DatabaseProbe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One statement alone is left to its question, whose error explains it."""
    # No job of the lab's load waits here: beside one that does, a question asks a third thing.
    own_jobs.schema()
    reads = reads_of(own_jobs, monkeypatch)
    assert rehearse(own_jobs, lambda: own_jobs.unfinished_and_ended(300.0))
    assert not rehearse(own_jobs, lambda: own_jobs.pending_jobs(300.0, 300.0))
    assert [len(one) for one, _, _ in reads] == [1], (
        "both read the same rows, and so are one statement"
    )


def test_closing_waits_for_what_is_rehearsed_with_it(probe: DatabaseProbe) -> None:
    """A session that was closed too early would be opened again, and left."""
    probe.schema()
    assert [*rehearse(probe, lambda: probe.flow(300.0), probe.close)] == [0]
    assert probe._session._connection is not None


def test_a_statement_that_fails_ahead_costs_no_other(
    odd: Owner, services: Lab, probe_of: Make
) -> None:
    """Of statements that are sent together, each has its own rows or its own error."""
    odd.execute(
        "CREATE VIEW odd.uploads AS SELECT id, CASE WHEN random() >= 0 THEN (1 / 0)::text END"
        " AS status, progress, created_at, updated_at, error_message FROM public.uploads"
    )
    odd.execute("GRANT SELECT ON odd.uploads TO veza_checks")
    probe = probe_of(services.dsn, uploads_table="odd.uploads")
    questions = [lambda: probe.stuck_uploads(600.0), lambda: probe.flow(300.0)]
    rehearse(probe, *questions)
    with pytest.raises(Unreachable, match="division by zero"):
        probe.stuck_uploads(600.0)
    assert not probe.flow(300.0).stands_still


def test_a_locked_table_is_not_read_ahead(own_server: Lab, probe_of: Make) -> None:
    """While a table is locked, a rehearsal waits for nothing, and the lock is named afterwards."""
    probe = probe_of(own_server.dsn)
    with locked(own_server.owner_dsn, "uploads"):
        rehearse(probe, lambda: probe.stuck_uploads(600.0))
        assert not probe._session.is_locked("uploads")
        with pytest.raises(Unreachable, match="uploads is locked by another session"):
            probe.stuck_uploads(600.0)
