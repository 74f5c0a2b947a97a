"""Second look at the database: it asks for what the first one counted, by its keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import psycopg
import pytest

from fixtures.database import BEFORE, PROBE, pytest_second_look
from fixtures.probes.postgres.jobs import ENDED
from fixtures.probes.postgres.known import KEYS_MAX, Known
from fixtures.probes.postgres.uploads import NAMED, OVERDUE
from tests.lab.made_probes import database_probe

if TYPE_CHECKING:
    from fixtures.probes.postgres.database import DatabaseProbe
    from lab.state import Lab

Make = Callable[..., "DatabaseProbe"]
Owner = psycopg.Connection[tuple[Any, ...]]

IDS = {
    "uuid": "gen_random_uuid()",
    "bigint": "n * 7",
    "text": "'upload ' || n",
    "character varying": "'upload ' || n",
    "character(40)": "'upload ' || n",
}


@pytest.fixture
def second(odd: Owner, services: Lab) -> Iterator[Make]:
    """Make the second look's probe of the tables in `odd`; called before, make the first one's."""
    probes: list[DatabaseProbe] = []

    def make() -> DatabaseProbe:
        names = {"uploads_table": "odd.uploads", "jobs_table": "odd.jobs"}
        probes.append(database_probe(services.dsn, **names))
        if len(probes) > 1:
            probes[-1].look_after(probes[0].known)
        return probes[-1]

    yield make
    for probe in probes:
        probe.close()


def add(odd: Owner, number: int, kind: str = "uuid") -> None:
    """Make tables with so many stuck uploads, each with a job that waits."""
    odd.execute(
        "CREATE TABLE odd.uploads AS SELECT id, 'uploading' AS status, 0 AS progress, at AS"
        " created_at, at AS updated_at, NULL AS error_message, n % 3 AS user_id FROM"
        f" (SELECT ({IDS[kind]})::{kind} AS id, n, now() - n * interval '1 hour' AS at"
        f" FROM generate_series(1, {number}) AS n) AS made"
    )
    odd.execute(
        "CREATE TABLE odd.jobs AS SELECT id, 'process_upload' AS type, jsonb_build_object("
        "'upload_id', id) AS payload, 'pending' AS status, created_at, NULL::timestamptz AS"
        " started_at, NULL::timestamptz AS completed_at FROM odd.uploads"
    )
    odd.execute(
        f"INSERT INTO odd.jobs SELECT ({IDS[kind]})::{kind}, 'process_upload', '{{}}', 'completed',"
        " now() - interval '20 minutes', now() - interval '20 minutes', now() - interval"
        " '19 minutes' FROM generate_series(90000, 90000) AS n"
    )
    odd.execute("GRANT SELECT ON ALL TABLES IN SCHEMA odd TO veza_checks")


def counts(probe: DatabaseProbe) -> list[Any]:
    """Return what each question counts."""
    sampled = probe.subjects(None, 600.0, 20)
    stuck = probe.stuck_uploads(600.0)
    return [
        (len(sampled), stuck.total, stuck.users),
        probe.pending_jobs(300.0, 300.0).total,
        (passed_over := probe.passed_over_jobs(300.0)).total,
        passed_over.waiting,
        probe.sent_jobs_and_order(60.0)[0].waiting,
        (probe.flow(300.0).waiting, probe.flow(300.0).stands_still),
    ]


@pytest.mark.parametrize("kind", list(IDS))
@pytest.mark.parametrize("number", [3, 5 * KEYS_MAX])
def test_a_second_look_is_about_what_the_first_one_counted(
    odd: Owner, second: Make, monkeypatch: pytest.MonkeyPatch, kind: str, number: int
) -> None:
    """Whatever its ids are, it finds the same of few and of many, and nothing that is new."""
    add(odd, number, kind)
    first = counts(second())
    assert first[0] == (min(number, 20), number, min(number, 3))
    assert first[1:] == [number, number, number, number, (number, True)]
    odd.execute(
        f"INSERT INTO odd.uploads SELECT ({IDS[kind]})::{kind}, 'uploading', 0, now() - interval"
        " '2 years' FROM generate_series(90001, 90005) AS n"
    )
    probe = second()
    rows, values_seen = probe._session.rows, []

    def recorded(statement: Any, columns: Any, values: Any = None, *rest: Any) -> Any:
        if "odd" in statement.as_string(None):
            values_seen.append(values)
        return rows(statement, columns, values, *rest)

    monkeypatch.setattr(probe._session, "rows", recorded)
    assert counts(probe) == first
    assert len(values_seen) == 6
    assert all(len(values["keys"]) < 5 * KEYS_MAX for values in values_seen)


@pytest.mark.parametrize("kind", list(IDS))
@pytest.mark.parametrize("is_kept", [False, True])
def test_jobs_of_deleted_uploads_wait_for_nothing(
    odd: Owner, second: Make, kind: str, is_kept: bool
) -> None:
    """They are not counted in either look, whether their uploads are gone or have `deleted_at`."""
    add(odd, 9, kind)
    odd.execute("ALTER TABLE odd.uploads ADD deleted_at timestamptz")
    old = "created_at < now() - interval '200 minutes'"
    delete = "UPDATE odd.uploads SET deleted_at = now()" if is_kept else "DELETE FROM odd.uploads"
    odd.execute(f"{delete} WHERE {old}")
    assert counts(second())[1:] == [3, 3, 3, 3, (3, True)]
    assert counts(second())[1:] == [3, 3, 3, 3, (3, True)]
    odd.execute(delete)
    probe = second()
    probe.look_after(Known())
    assert counts(probe)[1:] == [0, 0, 0, 0, (0, False)]


def test_a_job_whose_upload_cannot_be_looked_for_waits(odd: Owner, second: Make) -> None:
    """Its payload has no id, or none that an upload can have; or the uploads cannot be read."""
    add(odd, 3)
    odd.execute("UPDATE odd.jobs SET payload = '{}' WHERE created_at < now() - interval '150 min'")
    odd.execute(
        """UPDATE odd.jobs SET payload = '{"upload_id": "7"}'"""
        " WHERE created_at BETWEEN now() - interval '150 min' AND now() - interval '90 min'"
    )
    odd.execute("DELETE FROM odd.uploads")
    assert second().pending_jobs(300.0, 300.0).total == 2
    odd.execute("REVOKE ALL ON odd.uploads FROM veza_checks")
    probe = second()
    probe.look_after(Known())
    assert probe.pending_jobs(300.0, 300.0).total == 3


def test_what_goes_on_is_no_longer_counted(odd: Owner, second: Make) -> None:
    """Of many, those that moved are subtracted; where all that are asked for did, it is settled."""
    many = 5 * KEYS_MAX
    add(odd, many)
    assert counts(second())[1] == many
    odd.execute(
        "UPDATE odd.jobs SET status = 'processing', started_at = now() WHERE status = 'pending'"
        " AND created_at < now() - interval '495 hours'"
    )
    probe = second()
    assert probe.pending_jobs(300.0, 300.0).total == many - 6
    assert probe.passed_over_jobs(300.0).total == many - 6
    # What they would have to be compared with is read again.
    assert probe.sent_jobs().waiting == many - 6
    odd.execute("UPDATE odd.uploads SET status = 'completed', updated_at = now()")
    odd.execute("UPDATE odd.jobs SET status = 'completed', completed_at = now()")
    settled = counts(second())
    assert settled[0] == (0, 0, 0)
    assert settled[1:] == [0, 0, 0, 0, (0, False)]


def test_of_few_messages_are_missing_as_long_as_they_wait(odd: Owner, second: Make) -> None:
    """Of three jobs that were sent, one starts: two still wait."""
    add(odd, 3)
    assert second().sent_jobs().waiting == 3
    odd.execute(
        "UPDATE odd.jobs SET status = 'processing', started_at = now() WHERE id = (SELECT id FROM"
        " odd.jobs WHERE status = 'pending' LIMIT 1)"
    )
    assert second().sent_jobs().waiting == 2
    assert second().unfinished_jobs().running == 1


def test_what_has_ended_is_not_asked_for_again(odd: Owner, second: Make) -> None:
    """The uploads that finished stay so, and so does what shows that others arrived."""
    add(odd, 3)
    odd.execute(
        "UPDATE odd.uploads SET status = 'completed', updated_at = now() - interval '5 minutes'"
        " WHERE created_at > now() - interval '90 minutes'"
    )
    first = second()
    finished = first.recently_finished()
    assert len(finished) == 1
    assert first.has_arrived_since(7200.0)
    assert not first.has_arrived_since(60.0)
    odd.execute("DELETE FROM odd.uploads")
    probe = second()
    assert probe.recently_finished() == finished
    assert probe.has_arrived_since(7201.0)
    assert not probe.has_arrived_since(60.0)


def test_an_upload_that_finished_lately_has_arrived(odd: Owner, second: Make) -> None:
    """It is not looked for again, neither by the same look nor by the second."""
    add(odd, 3)
    odd.execute(
        "UPDATE odd.uploads SET status = 'failed', updated_at = now() - interval '5 minutes'"
        " WHERE created_at > now() - interval '90 minutes'"
    )
    first = second()
    assert len(first.recently_finished()) == 1
    odd.execute("DELETE FROM odd.uploads")
    assert first.has_arrived_since(7200.0)
    assert not first.has_arrived_since(60.0)
    assert second().has_arrived_since(7201.0)


def test_finished_uploads_have_the_newest_whenever_it_completed(odd: Owner, second: Make) -> None:
    """The second look takes those of the first one."""
    add(odd, 3)
    odd.execute(
        "UPDATE odd.uploads SET status = 'completed' WHERE created_at < now() - interval '2 hours'"
    )
    first = second()
    (newest,) = first.finished_uploads()
    assert newest.id == first.newest_completed().id
    odd.execute("DELETE FROM odd.uploads")
    assert second().finished_uploads() == (newest,)


def test_only_the_first_look_is_handed_on(odd: Owner, second: Make) -> None:
    """A third look reads the tables again."""
    add(odd, 3)
    stash = pytest.Stash()
    stash[PROBE] = second()
    config = cast("pytest.Config", SimpleNamespace(stash=stash))
    pytest_second_look(config)
    assert stash[BEFORE] is stash[PROBE].known
    pytest_second_look(config)
    assert stash[BEFORE] is None


def test_unprocessed_uploads_are_those_that_a_check_has_read(
    odd: Owner, second: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No table is searched for them again, in neither look; what has ended is none of them."""
    add(odd, 7)
    odd.execute("UPDATE odd.uploads SET status = 'processing' WHERE user_id = 0")
    odd.execute(
        "UPDATE odd.jobs SET status = 'failed', completed_at = created_at"
        " WHERE id IN (SELECT id FROM odd.jobs ORDER BY created_at LIMIT 1)"
    )
    late = odd.execute("SELECT id::text FROM odd.uploads WHERE status = 'processing'").fetchall()
    failed = odd.execute("SELECT id::text FROM odd.uploads ORDER BY created_at LIMIT 1").fetchall()
    expected = {name for (name,) in late + failed}
    assert len(expected) > len(late) > 1
    statements: list[str] = []

    def probe_of_look() -> DatabaseProbe:
        probe = second()
        read = probe._tables.read

        def noted(statement: str, *rest: Any) -> Any:
            statements.append(statement)
            return read(statement, *rest)

        monkeypatch.setattr(probe._tables, "read", noted)
        return probe

    first = probe_of_look()
    first.overdue_processing(300.0)
    first.ended_jobs(300.0)
    statements.clear()
    assert {upload.id for upload in first.unprocessed(300.0)} == expected
    assert {upload.id for upload in probe_of_look().unprocessed(300.0)} == expected
    odd.execute("UPDATE odd.uploads SET status = 'completed' WHERE id::text = %s", failed[0])
    assert {upload.id for upload in probe_of_look().unprocessed(300.0)} == {one for (one,) in late}
    assert statements.count(NAMED) == 3
    assert not {OVERDUE, ENDED} & set(statements)
    alone = probe_of_look()
    alone.look_after(Known())
    assert {upload.id for upload in alone.unprocessed(300.0)} == {one for (one,) in late}
