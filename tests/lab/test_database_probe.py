"""The database probe against the lab's PostgreSQL, through the fault proxy, over odd schemas."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import psycopg
import psycopg.sql
import pytest

from fixtures.probes.errors import NotOffered, Unreachable
from fixtures.probes.postgres.database import Database
from tests.lab.fix_services import locked
from tests.waiting import PATIENCE, eventually

if TYPE_CHECKING:
    from lab.state import Lab
    from tests.lab.fix_proxy import Proxy

Make = Callable[..., Database]
Owner = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def probe_of() -> Iterator[Make]:
    """Make probes of a database; each is closed after the test."""
    made: list[Database] = []

    def make(dsn: str, **settings: Any) -> Database:
        made.append(Database(dsn, **{"timeout": PATIENCE} | settings))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def probe(services: Lab, probe_of: Make) -> Database:
    """The probe with the right and the rights of the checks' user."""
    return probe_of(services.dsn)


@pytest.fixture
def odd(owner: Owner) -> Iterator[Owner]:
    """A schema `odd` of the application, gone after the test."""
    owner.execute("CREATE SCHEMA odd")
    owner.execute("GRANT USAGE ON SCHEMA odd TO veza_checks")
    yield owner
    owner.execute("DROP SCHEMA odd CASCADE")


def test_healthy_database_is_well(probe: Database) -> None:
    """Of a healthy lab the session opens, the schema fits, nothing is stuck, late or locked."""
    assert probe.reach().ok
    assert probe.schema().lacking == ()
    assert probe.stuck_uploads(600.0).total == 0
    assert probe.subjects(None, 600.0, 20) == ()
    assert probe.overstayed_processing(300.0).total == 0
    assert probe.pending_jobs(300.0, 300.0).total == 0
    assert probe.running_jobs(300.0).total == 0
    assert not probe.flow(300.0).stands_still
    assert probe.ended_jobs().unnoticed == probe.ended_jobs().unrecorded == 0
    assert not probe.locks(2.0).block_uploads


def test_session_can_only_read(services: Lab, probe_of: Make) -> None:
    """Even with the application's own login the session refuses to write."""
    from psycopg import sql

    strong, weak = probe_of(services.owner_dsn), probe_of(services.dsn, timeout=90.0)
    assert strong.reach().ok
    with pytest.raises(Unreachable, match="read-only transaction"):
        strong._session.rows(sql.SQL("DELETE FROM uploads RETURNING id"))
    rows = weak._session.rows(
        sql.SQL(
            "SELECT current_setting('statement_timeout'), current_setting('lock_timeout'),"
            " current_setting('application_name')"
        )
    )
    assert rows == [("90s", "1s", "veza-checks")]


@pytest.mark.parametrize(
    ("wanted", "accepted"),
    [("any", True), ("read-write", True), ("primary", True), ("read-only", False)],
)
def test_wanted_kind_of_server_is_found(
    services: Lab, probe_of: Make, wanted: str, accepted: bool
) -> None:
    """A DSN that wants the primary gets it, although the session itself cannot write."""
    reach = probe_of(f"{services.dsn}?target_session_attrs={wanted}").reach()
    assert reach.ok is accepted, reach


def test_stuck_uploads_are_counted_and_named(
    probe: Database, aged_upload: Callable[..., str]
) -> None:
    """The stuck are counted with their users, the oldest first; the young are not among them."""
    older, old = aged_upload(minutes=60, job="pending"), aged_upload(minutes=47)
    aged_upload(minutes=3)
    stuck = probe.stuck_uploads(600.0)
    assert (stuck.total, stuck.users, [one.id for one in stuck.shown]) == (2, 2, [older, old])
    assert 3600 <= stuck.oldest_seconds < 3660
    assert (
        f"2 uploads of 2 users uploading for longer than 10 min, the oldest for 60 min: {older}"
        in (str(stuck))
    )
    subjects = probe.subjects(None, 600.0, 1)
    assert [one.id for one in subjects] == [older]
    jobs = probe.jobs_of(probe.subjects((old, older, "no-such"), 600.0, 3), 600.0)
    assert (jobs.looked_at, jobs.without) == (2, (old,))
    # The trickle of uploads goes on: theirs are the later jobs.
    assert jobs.passed_over == (old,)
    assert f"1 of 2 stuck uploads without a job, 1 while later uploads got theirs: {old}" in str(
        jobs
    )


def test_late_jobs_are_told_apart(probe: Database, aged_upload: Callable[..., str]) -> None:
    """Jobs that wait and jobs that run too long are counted apart, and nothing completes."""
    waiting = aged_upload(job="pending", minutes=9)
    hung = aged_upload("processing", job="processing", minutes=30, started=29)
    told = f"for longer than 5 min, the oldest for 29 min; uploads {hung}"
    pending = probe.pending_jobs(300.0, 300.0)
    assert pending.shown == (waiting,)
    assert "1 job pending for longer than 5 min, the oldest for 9 min" in str(pending)
    assert f"1 job processing {told}" in str(probe.running_jobs(300.0))
    assert f"1 upload processing {told}" in str(probe.overstayed_processing(300.0))
    assert "no job is pending for longer than 20 min" in str(probe.pending_jobs(1200.0, 1200.0))
    assert probe.moving_jobs(300.0).waiting == 1
    flow = probe.flow(300.0)
    assert flow.waiting == 2
    assert "2 unfinished for longer than that, the oldest for 30 min" in str(flow)


def test_job_that_waits_again_is_not_late_at_once(
    probe: Database, aged_upload: Callable[..., str]
) -> None:
    """A job that ran before it waited again is late only when both times are over."""
    aged_upload(job="pending", minutes=30, started=9)
    assert probe.pending_jobs(300.0, 300.0).total == 0
    aged_upload(job="pending", minutes=30, started=11)
    assert probe.pending_jobs(300.0, 300.0).total == 1


def test_processing_began_with_the_last_start(
    owner: Owner, probe: Database, aged_upload: Callable[..., str]
) -> None:
    """An upload is processed since its last job at work started; without one, since its update."""
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
    seen = probe.overstayed_processing(300.0)
    assert (seen.total, seen.shown) == (3, (once, ended, without))
    assert 1800 <= seen.oldest_seconds < 1860


def test_zero_time_is_no_start(
    owner: Owner, probe: Database, aged_upload: Callable[..., str]
) -> None:
    """A start in the year 1 is none: such a job is as late as it is old, and was never started."""
    aged_upload(job="pending", minutes=3)
    late = aged_upload(job="pending", minutes=9)
    hung = aged_upload("processing", job="processing", minutes=30)
    owner.execute(
        "UPDATE job_queue SET started_at = '0001-01-01 00:00:00+00'"
        " WHERE created_at < now() - interval '2 min' AND status IN ('pending', 'processing')"
    )
    pending, running = probe.pending_jobs(300.0, 300.0), probe.running_jobs(300.0)
    assert (pending.shown, running.shown) == ((late,), (hung,))
    assert 540 <= pending.oldest_seconds < 600
    assert 1800 <= running.oldest_seconds < 1860
    assert probe.overstayed_processing(300.0).oldest_seconds < 1860
    assert probe.moving_jobs(300.0).shown == (late,)


def test_silent_ends_are_found(probe: Database, aged_upload: Callable[..., str]) -> None:
    """A job that ended unknown to its upload is told; one with an error, or tried again, is not."""
    unnoticed = aged_upload(job="completed")
    unrecorded = aged_upload(job="failed")
    aged_upload(job="failed", error="disk full")
    aged_upload("failed", job="failed", error="not audio")
    aged_upload("completed", job="completed")
    ended = probe.ended_jobs()
    assert ended.unnoticed_uploads == (unnoticed,)
    assert ended.unrecorded_uploads == (unrecorded,)
    assert f"1 job completed while the upload is unfinished: {unnoticed}" in str(ended)


def test_refused_and_silent_servers_are_said_once(
    services: Lab, proxy: Callable[[str, int], Proxy], probe_of: Make
) -> None:
    """A server that refuses or is silent fails reach in time; the rest repeats it at once."""
    for fault, said in (("stop", "Connection refused"), ("go_deaf", "did not answer within")):
        way = proxy("127.0.0.1", services.ports.postgres)
        getattr(way, fault)()
        dsn = services.dsn.replace(f":{services.ports.postgres}/", f":{way.port}/")
        probe = probe_of(dsn, timeout=1.0)
        assert not probe.reach().ok
        assert said in str(probe.reach())
        for look in (probe.schema, probe.ended_jobs, lambda: probe.locks(2.0)):  # noqa: B023
            with pytest.raises(Unreachable, match=said):
                look()
        assert way.accepted == (fault == "go_deaf"), "the silent server is asked once"
        assert services.passwords.checks not in str(probe.reach())


def test_server_that_falls_silent_is_cut(
    services: Lab, proxy: Callable[[str, int], Proxy], probe_of: Make
) -> None:
    """A server that no longer answers after the session opened does not hold a check for ever."""
    way = proxy("127.0.0.1", services.ports.postgres)
    probe = probe_of(
        # Time enough for the answers before, and all of it is waited for after.
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
    ("change", "said"),
    [
        (("{password}", "a-wrong-secret"), "the login is refused; see the user and password"),
        (
            ("{port}/veza", "{port}/nowhere"),
            'database "nowhere" does not exist; see the names in dsn',
        ),
        (("postgresql://", "bogus secret "), "dsn is no connection string"),
    ],
)
def test_wrong_dsn_is_a_sentence_without_secret(
    services: Lab, probe_of: Make, change: tuple[str, str], said: str
) -> None:
    """A wrong password, name or DSN says what to mend, and shows no password."""
    names = {"password": services.passwords.checks, "port": services.ports.postgres}
    old, new = (text.format(**names) for text in change)
    reach = probe_of(services.dsn.replace(old, new)).reach()
    assert not reach.ok
    assert said in str(reach)
    assert services.passwords.checks not in str(reach)
    assert "wrong-secret" not in str(reach)
    assert "\n" not in str(reach)


def test_missing_tables_and_columns_are_named(odd: Owner, services: Lab, probe_of: Make) -> None:
    """A schema that lacks tables or columns fails its own check; the rest points to it."""
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
    for look in (probe.ended_jobs, lambda: probe.stuck_uploads(600.0)):
        with pytest.raises(Unreachable, match="see database/schema_is_as_expected"):
            look()


def test_tables_without_rights_are_named(odd: Owner, services: Lab, probe_of: Make) -> None:
    """A table that the checks' user may not read is told apart from one that is missing."""
    odd.execute("CREATE TABLE odd.uploads AS SELECT * FROM uploads WITH NO DATA")
    schema = probe_of(services.dsn, uploads_table="odd.uploads").schema()
    assert (schema.missing, schema.unreadable) == ((), ("table odd.uploads",))


def test_text_payloads_and_zoneless_times_are_read(
    odd: Owner, services: Lab, probe_of: Make
) -> None:
    """Payloads as text, malformed ones among them, and times without a zone are all read."""
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
        " now() - interval '1 hour', NULL FROM generate_series(1, 2) AS n"
    )
    odd.execute(
        "INSERT INTO odd.jobs SELECT n, 'process_upload', payload, 'completed',"
        " now() - interval '1 hour', now() - interval '59 min', now() - interval '58 min'"
        ' FROM (VALUES (1, \'{"a": 1, "upload_id": "1"}\'), (2, \'{broken\'), (3, NULL))'
        " AS v(n, payload)"
    )
    odd.execute("GRANT SELECT ON ALL TABLES IN SCHEMA odd TO veza_checks")
    probe = probe_of(services.dsn, uploads_table="odd.uploads", jobs_table="odd.jobs")
    stuck = probe.stuck_uploads(600.0)
    assert (stuck.total, stuck.users, stuck.shown[0].size) == (2, None, None)
    assert 3600 <= stuck.oldest_seconds < 3700
    assert probe.ended_jobs().unnoticed_uploads == ("1",)
    assert probe.jobs_of(probe.subjects(None, 600.0, 5), 600.0).without == ("2",)
    with pytest.raises(NotOffered, match="no upload has ever completed"):
        probe.newest_completed()


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Paris"])
def test_zoneless_times_are_those_of_the_database(
    odd: Owner, services: Lab, probe_of: Make, zone: str
) -> None:
    """Times without a zone that the database wrote by its own zone are as old as they are."""
    odd.execute(
        "CREATE TABLE odd.uploads (id int, status text DEFAULT 'uploading', progress int,"
        " created_at timestamp, updated_at timestamp, error_message text)"
    )
    odd.execute("GRANT SELECT ON odd.uploads TO veza_checks")
    name = psycopg.sql.Literal(zone)
    odd.execute(psycopg.sql.SQL("ALTER DATABASE veza SET TimeZone TO {}").format(name))
    try:
        odd.execute(psycopg.sql.SQL("SET TimeZone TO {}").format(name))
        odd.execute(
            "INSERT INTO odd.uploads (id, created_at) VALUES (1, now() - interval '1 min'),"
            " (2, now() - interval '30 min')"
        )
        stuck = probe_of(services.dsn, uploads_table="odd.uploads").stuck_uploads(600.0)
    finally:
        odd.execute("ALTER DATABASE veza RESET TimeZone")
    assert [one.id for one in stuck.shown] == ["2"]
    assert 1800 <= stuck.oldest_seconds < 1900


@pytest.mark.parametrize("kind", ["float8", "numeric", "text"])
def test_progress_that_cannot_be_is_not_recorded(
    odd: Owner, services: Lab, probe_of: Make, kind: str
) -> None:
    """A progress that is no finite number, or an absurd one, is none; the upload is still told."""
    odd.execute(
        f"CREATE TABLE odd.uploads (id int, status text, progress {kind}, created_at timestamptz,"
        " updated_at timestamptz, error_message text)".encode()
    )
    odd.execute(
        "INSERT INTO odd.uploads (id, status, progress, created_at) SELECT n, 'uploading', told,"
        f" now() - interval '1 hour' FROM unnest('{{NaN, NULL, 1e300, 99.5}}'::{kind}[])"
        " WITH ORDINALITY AS v(told, n)".encode()
    )
    if kind != "numeric":
        odd.execute("UPDATE odd.uploads SET progress = 'Infinity' WHERE id = 2")
    odd.execute("GRANT SELECT ON odd.uploads TO veza_checks")
    probe = probe_of(services.dsn, uploads_table="odd.uploads")
    told = [one.progress for one in probe.stuck_uploads(600.0).shown]
    assert told == [None, None, None, 99]


def test_locked_table_costs_one_wait_and_names_its_holder(services: Lab, probe: Database) -> None:
    """A locked table is waited for once; the lock check still works and names who holds it."""
    with locked(services.owner_dsn, "uploads") as pid:
        with pytest.raises(Unreachable, match="uploads is locked by another session"):
            probe.stuck_uploads(600.0)
        locks = probe.locks(2.0)
        assert locks.block_uploads
        assert f"process {pid} (a-migration) holds uploads in a transaction open" in str(locks)
        assert probe.flow(300.0)
    # Who would wait once more would find the table open now.
    for look in (probe.ended_jobs, probe.newest_completed):
        with pytest.raises(Unreachable, match="is locked by another session"):
            look()


def test_lock_on_one_table_leaves_the_other_readable(services: Lab, probe: Database) -> None:
    """A statement over both tables that meets a lock gives up only the table that is locked."""
    with locked(services.owner_dsn, "uploads"):
        with pytest.raises(Unreachable, match=": uploads is locked"):
            probe.ended_jobs()
        assert probe.flow(300.0)


def test_brief_lock_is_no_fault(services: Lab, probe: Database) -> None:
    """A table that opens again within a reader's patience does not fail the lock check."""
    with locked(services.owner_dsn, "job_queue"):
        assert probe._tables.schema()
        first = probe.locks(30.0)
    assert first.block_uploads
    assert not probe.locks(30.0).block_uploads


def test_row_waits_are_seen(
    services: Lab, owner: Owner, probe: Database, aged_upload: Callable[..., str]
) -> None:
    """A session that waits for a row of ours is counted against the threshold, with its blocker."""
    upload = aged_upload()
    statement = b"UPDATE uploads SET progress = 99 WHERE id = %s"
    with psycopg.connect(services.owner_dsn, application_name="holder") as holder:
        holder.execute(statement, (upload,))
        with psycopg.connect(services.owner_dsn, autocommit=True) as waiter:
            waiter.pgconn.send_query_params(statement.replace(b"%s", b"$1"), [upload.encode()])
            eventually(lambda: probe.locks(0.05).block_uploads, "the wait to be over its limit")
            locks = probe.locks(0.05)
            assert locks.overdue
            assert locks.overdue[0].blocked_by == (holder.info.backend_pid,)
            assert "(holder) holds uploads" in str(locks)
            assert not locks.unreadable
            holder.rollback()
            waiter.pgconn.get_result()
            waiter.pgconn.get_result()


@pytest.mark.parametrize(
    ("statement", "blocks"),
    [
        (b"CREATE INDEX CONCURRENTLY made_for_test ON uploads (error_message)", False),
        (b"LOCK TABLE uploads IN EXCLUSIVE MODE", True),
    ],
)
def test_only_waits_that_hold_up_uploads_block(
    services: Lab,
    owner: Owner,
    probe: Database,
    aged_upload: Callable[..., str],
    statement: bytes,
    blocks: bool,
) -> None:
    """An index built concurrently waits for a writer to end and blocks nobody; a lock does."""
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
    assert locks.block_uploads is blocks, locks
