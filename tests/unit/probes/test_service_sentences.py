"""Pure functions and results of the service probes."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.secrets import without_password
from core.text import NO_BREAK, count, first_line, named
from core.urls import origin
from fixtures.probes.errors import NotOffered, Unreachable
from fixtures.probes.http.api import age_between, unhealthy_parts
from fixtures.probes.http.api_results import StatusesResult, UploadStatus
from fixtures.probes.http.metrics import parse
from fixtures.probes.jobs_and_queue import returned_again_and_again
from fixtures.probes.jobs_and_queue_results import HeldDeliveries
from fixtures.probes.postgres.job_results import Flow
from fixtures.probes.postgres.slow_writes import SlowWrites
from fixtures.probes.rabbitmq.management import (
    FIGURE_MAX,
    Consumer,
    QueueFigures,
    acknowledged,
    consumer,
    dropped_by,
    history,
    number,
    seconds_above_zero,
    seconds_of_rises,
    seconds_without_rise,
)
from fixtures.probes.rabbitmq.queue import acknowledged_between, acknowledged_lately, shorter
from fixtures.probes.rabbitmq.results import Deliveries


def figures(acknowledged: int | None, stalled_for: float | None) -> QueueFigures:
    return QueueFigures(0, 0, acknowledged, (), no_acknowledgement_for=stalled_for)


def samples(*values: int) -> list[tuple[int, float]]:
    """Return the history of a figure, the newest value first, a sample every five seconds."""
    return [(value, 5.0 * index) for index, value in enumerate(values)]


@given(st.text())
def test_any_text_is_metrics_or_a_value_error(text: str) -> None:
    """The metrics parser returns families or raises ValueError, whatever the text."""
    with suppress(ValueError):
        assert parse(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.text() | st.floats(),
        lambda below: st.lists(below) | st.dictionaries(st.text(), below),
    )
)
@example({"0\xa00": False})
def test_any_health_report_gives_few_printable_parts(value: object) -> None:
    """Any health report gives at most five unhealthy parts, all printable."""
    parts = unhealthy_parts(value)
    assert len(parts) <= 5
    assert all(letter.isprintable() or letter in NO_BREAK for part in parts for letter in part)


JSON = st.recursive(
    st.none() | st.booleans() | st.text() | st.floats() | st.integers() | st.just("\ud800"),
    lambda below: st.lists(below) | st.dictionaries(st.text(), below),
)


@given(st.dictionaries(st.sampled_from(["ack", "deliver_get", "x-max-length"]), JSON))
def test_any_figure_is_a_count_unknown_or_unreachable(data: dict[str, object]) -> None:
    """Whatever JSON management answers, a figure is a count that a broker can have, or none."""
    with suppress(Unreachable):
        value = number(data, "ack")
        assert value is None or 0 <= value < FIGURE_MAX
        assert acknowledged(data) in (value, 0)
    assert all(re.fullmatch(r"max-length \d{1,16}", one) for one in dropped_by(data, {}))


@pytest.mark.patient
@given(
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(
            ("channel_details", "consumer_tag", "prefetch_count", "ack_required"), JSON
        ),
    )
)
def test_any_consumer_is_a_printable_sentence(details: dict[str, object]) -> None:
    """Whatever management tells of a consumer, it has a sentence without control characters."""
    with suppress(Unreachable):
        assert str(consumer(details)).isprintable()


def held(consumers: tuple[Consumer, ...], **counts: int) -> HeldDeliveries:
    zero = dict.fromkeys(("unacknowledged", "pending", "missing", "running", "just_ended"), 0)
    stalled, flowing = bool(counts.pop("stalled", 0)), bool(counts.pop("flowing", 0))
    return HeldDeliveries(
        "the broker", 300.0, consumers=consumers, stalled=stalled, flowing=flowing, **zero | counts
    )


WORKER = Consumer("1", "app", "a", 4, True, "1 (1)", "worker-1", 2, 90)
FRESH_WORKER = Consumer("2", "app", "b", 4, True, "2 (1)", "worker-2", 4, 0)
EXPORT = Consumer("3", "app", "c", 0, True, "3 (1)", "export", 5, 0)
TAKER = Consumer("4", "app", "d", 0, False, "4 (1)", "export", 0, 0)
ALIKE = replace(EXPORT, client="worker-9")
UNNAMED = replace(EXPORT, prefetch=4, client=None)


@pytest.mark.parametrize(
    ("consumers", "counts", "keeps"),
    [
        # Nobody else's: the worker holds what runs, and what it fetched ahead.
        ((WORKER,), {"unacknowledged": 2, "pending": 3, "running": 2}, False),
        ((WORKER, FRESH_WORKER), {"unacknowledged": 6, "pending": 3, "running": 4}, False),
        # Another program acknowledges nothing.
        ((WORKER, EXPORT), {"unacknowledged": 7, "pending": 3, "running": 2}, True),
        ((WORKER, EXPORT), {"unacknowledged": 7, "pending": 0, "running": 2}, False),
        # Its program is not known yet, and it may be a worker.
        ((WORKER, replace(EXPORT, prefetch=4)), {"unacknowledged": 7, "pending": 3}, True),
        ((WORKER, UNNAMED), {"unacknowledged": 7, "pending": 3}, False),
        ((replace(WORKER, client=None), replace(EXPORT, prefetch=4)), {"pending": 3}, False),
        # A running job may be its own: the worker holds less than runs.
        ((WORKER, EXPORT), {"unacknowledged": 7, "pending": 3, "running": 5}, False),
        # The same program without a limit, and more messages than jobs.
        ((WORKER, ALIKE), {"unacknowledged": 7, "pending": 3, "running": 2}, True),
        ((WORKER, ALIKE), {"unacknowledged": 7, "pending": 3, "running": 6}, False),
        # Nobody has acknowledged yet, or the counts are not known.
        ((replace(WORKER, acknowledged=0), EXPORT), {"unacknowledged": 7, "pending": 3}, False),
        ((WORKER, replace(EXPORT, acknowledged=None)), {"unacknowledged": 7, "pending": 3}, False),
        # One that acknowledges before it works leaves jobs without a message.
        ((WORKER, TAKER), {"unacknowledged": 2, "pending": 3, "missing": 1}, True),
        ((WORKER, TAKER), {"unacknowledged": 2, "pending": 3, "missing": 0}, False),
    ],
)
def test_a_consumer_keeps_messages_that_no_job_explains(
    consumers: tuple[Consumer, ...], counts: dict[str, int], keeps: bool
) -> None:
    """Only what neither a running job nor a worker's prefetch explains is kept."""
    deliveries = held(consumers, **counts)
    assert bool(deliveries.keepers) is keeps
    assert bool(deliveries.placeholders()) is keeps or not deliveries.active
    assert str(deliveries).isprintable()


RETURNING = replace(EXPORT, returned=900)
BUSY = replace(WORKER, returned=0)


@pytest.mark.parametrize(
    ("consumers", "keeps", "by_workers"),
    [
        # Each consumer returns the messages, or the only one whose counts are not known.
        ((replace(WORKER, returned=900),), False, True),
        ((replace(WORKER, returned=900), replace(FRESH_WORKER, returned=9)), False, True),
        ((WORKER, FRESH_WORKER), False, True),
        ((), False, True),
        # Another program returns them, and a worker gets none.
        ((BUSY, RETURNING), True, False),
        ((BUSY, RETURNING, replace(FRESH_WORKER, returned=0)), True, False),
        # It may be a worker: of the same name, with acknowledgements of its own, or unknown.
        ((BUSY, replace(RETURNING, client="worker-9")), False, False),
        ((BUSY, replace(RETURNING, acknowledged=7)), False, False),
        ((BUSY, replace(RETURNING, client=None)), False, False),
        ((replace(BUSY, client=None), RETURNING), False, False),
        # The other one may be none, or nobody knows which of them returns the messages.
        ((replace(BUSY, acknowledged=0), RETURNING), False, False),
        ((WORKER, EXPORT), False, False),
    ],
)
def test_who_returns_messages_is_a_worker_another_program_or_unknown(
    consumers: tuple[Consumer, ...], keeps: bool, by_workers: bool
) -> None:
    """Only a program that is certainly no worker is closed, and only a worker is blamed."""
    deliveries = held(consumers, unacknowledged=7, pending=3, returned=900)
    assert (bool(deliveries.keepers), deliveries.are_returned) == (keeps, by_workers)
    assert bool(deliveries.placeholders()) is keeps
    assert not deliveries.unprocessed
    assert ("(returned 900" in str(deliveries)) is not keeps
    assert ("(export) has returned 900 messages and" in str(deliveries)) is keeps


def test_a_worker_that_does_the_others_retries_some() -> None:
    """Messages that come back while others are acknowledged are no fault of the whole worker."""
    worker = (replace(WORKER, returned=900),)
    some = held(worker, unacknowledged=2, pending=2, returned=900, flowing=True)
    assert (some.are_retried, some.are_returned) == (True, False)
    assert "(returned 900 times while others were acknowledged)" in str(some)
    for_good = held(worker, unacknowledged=2, pending=2, rejected=9, flowing=True)
    assert (for_good.are_retried, for_good.are_returned) == (False, True)


def test_the_only_consumer_has_the_messages() -> None:
    """Management counts a channel's messages later than the queue's: its consumer is named."""
    deliveries = held((replace(EXPORT, unacknowledged=0),), unacknowledged=1, pending=1)
    assert "1 unacknowledged, held by app from 3 (export)" in str(deliveries)
    assert deliveries.placeholders() == {"broker_connection": deliveries.consumers[0].connection}


def test_history_is_read_newest_first() -> None:
    """Samples in any order become seconds before the newest."""
    details = {
        "samples": [
            {"sample": 3, "timestamp": 5_000},
            {"sample": "x", "timestamp": 7_000},
            {"sample": 4, "timestamp": 10_000},
            "nonsense",
        ]
    }
    assert history(details) == [(4, 0.0), (3, 5.0)]
    assert history({}) == []


@pytest.mark.parametrize(
    ("values", "above_zero", "without_rise"),
    [((), None, None), ((0, 3), 0.0, 0.0), ((2, 2, 2), 10.0, 10.0), ((2, 1, 0), 5.0, 0.0)],
)
def test_history_gives_durations(
    values: tuple[int, ...], above_zero: float | None, without_rise: float | None
) -> None:
    """A history gives the seconds above zero and without a rise; None without samples."""
    assert seconds_above_zero(samples(*values)) == above_zero
    assert seconds_without_rise(samples(*values)) == without_rise


@pytest.mark.parametrize(
    ("values", "seconds"),
    [
        ((), 0.0),
        ((2, 2, 2), 0.0),
        ((3, 2, 2, 2), 0.0),
        ((4, 3, 3, 2), 10.0),
        ((4, 3, 2, 2, 1), 5.0),
    ],
)
def test_rises_of_a_window_are_apart(values: tuple[int, ...], seconds: float) -> None:
    """The seconds between the first and the last rise of a window of 15 s, of 5 s a sample."""
    assert seconds_of_rises(samples(*values), 15.0) == seconds


def test_shorter_of_an_unknown_duration_is_unknown() -> None:
    """The shorter of two durations is None where one is unknown."""
    assert shorter(3.0, 5.0) == 3.0
    assert shorter(3.0, None) is None
    assert shorter(None, 5.0) is None


def test_acknowledgements_between_need_two_readings() -> None:
    """The number of acknowledgements is unknown where one reading is missing."""
    assert acknowledged_between(figures(2, None), figures(5, None)) == 3
    assert acknowledged_between(None, figures(5, None)) is None
    assert acknowledged_between(figures(None, None), figures(5, None)) is None


def test_acknowledgement_is_recent_only_if_there_was_one() -> None:
    """A counter at zero has no recent acknowledgement, whatever its history."""
    assert acknowledged_lately(figures(5, 0.0))
    assert not acknowledged_lately(figures(5, 60.0))
    assert not acknowledged_lately(figures(0, 0.0))
    assert not acknowledged_lately(figures(5, None))
    assert not acknowledged_lately(None)


def test_few_deliveries_are_stuck_after_a_while() -> None:
    """A few deliveries are stuck when none was acknowledged for too long."""

    def deliveries(seconds: float | None, number: int = 3) -> Deliveries:
        return Deliveries("here", "q", number, 50, 300.0, seconds, ())

    assert not deliveries(None).are_stuck
    assert not deliveries(299.0).are_stuck
    assert deliveries(300.0).are_stuck
    assert not deliveries(300.0, 0).are_stuck
    assert deliveries(None, 51).are_stuck


def test_work_stands_still_only_while_some_waits() -> None:
    """Neither an idle system nor one that completes jobs stands still."""
    assert not Flow("db", 300.0, 0, None, 0, 4000.0).stands_still
    assert not Flow("db", 300.0, 9, 400.0, 1, 1.0).stands_still
    assert Flow("db", 300.0, 1, 400.0, 0, 4000.0).stands_still


def test_age_goes_by_the_servers_clock() -> None:
    """The age is the difference of the API's own times; malformed times give None."""
    date = "Mon, 15 Dec 2025 10:12:00 GMT"
    assert age_between("2025-12-15T10:00:00Z", date) == 720
    assert age_between("2025-12-15T10:00:00", date) == 720
    for malformed in (None, 7, "soon", ""):
        assert age_between(malformed, date) is None
    assert age_between("2025-12-15T10:00:00Z", "") is None


def test_lists_are_cut_with_a_total() -> None:
    """A list names three items and counts the rest."""
    assert named(["a", "b"]) == "a, b"
    assert named(["a", "b", "c", "d"], 100_000) == "a, b, c and 99,997 more"
    assert count(1, "upload") == "1 upload"
    assert count(12_345, "upload") == "12,345 uploads"


def test_addresses_lose_their_secrets() -> None:
    """Neither a URL nor a client's error message keeps a password."""
    assert origin("amqp://u:p%40w@h:5672/v?x=secret") == "amqp://h:5672"
    assert origin("http://[::1]:80/a") == "http://[::1]:80"
    assert origin("http://[broken") == "the URL of the target file"
    text = without_password("cannot reach postgresql://u:hunter2@h, password='a b' host=h")
    assert "hunter2" not in text
    assert "a b" not in text


def test_client_errors_are_one_printable_line() -> None:
    """A client's error text is cut to its first line, without control characters."""
    assert first_line("\n  no \x1b[31mroute\nHINT: secret") == "no ?[31mroute"
    assert len(first_line("x" * 1000)) == 200


NONE_RUNS = {"unacknowledged": 4, "pending": 3}


def test_no_connection_of_a_worker_that_does_other_work_is_to_be_closed() -> None:
    """Behind other work in the same queue uploads wait; a worker that acknowledges is at it."""
    assert held((WORKER,), **NONE_RUNS).placeholders()
    busy = held((WORKER,), flowing=1, **NONE_RUNS)
    assert not busy.placeholders()
    assert "(acknowledged meanwhile: other work)" in str(busy)
    beside = held((WORKER, EXPORT), flowing=1, **NONE_RUNS)
    assert beside.placeholders() == {"broker_connection": EXPORT.connection}


@pytest.mark.parametrize(
    ("consumers", "counts", "astray", "idle"),
    [
        # A worker has acknowledged before, or bears the name of one that has.
        ((WORKER,), NONE_RUNS, False, True),
        ((replace(WORKER, unacknowledged=0), FRESH_WORKER), NONE_RUNS, False, True),
        ((replace(WORKER, unacknowledged=0, client=""), UNNAMED), NONE_RUNS, True, False),
        (
            (replace(WORKER, unacknowledged=0, client=""), replace(EXPORT, client="")),
            NONE_RUNS,
            True,
            False,
        ),
        # Where each consumer has messages, a worker does, or none consumes.
        ((FRESH_WORKER,), NONE_RUNS, False, True),
        ((FRESH_WORKER, FRESH_WORKER), NONE_RUNS, False, True),
        # One that lets no other consume may keep the workers out.
        ((replace(FRESH_WORKER, is_exclusive=True),), NONE_RUNS, True, False),
        ((replace(WORKER, is_exclusive=True),), NONE_RUNS, False, True),
        ((WORKER, EXPORT), NONE_RUNS, True, True),
        ((replace(WORKER, unacknowledged=0), EXPORT), NONE_RUNS, True, False),
        ((replace(WORKER, acknowledged=None),), NONE_RUNS, True, False),
        ((), NONE_RUNS, True, False),
        # Jobs run, or none waits.
        ((WORKER, EXPORT), NONE_RUNS | {"running": 1}, False, False),
        ((WORKER, EXPORT), {"unacknowledged": 4}, False, False),
    ],
)
def test_a_worker_that_starts_nothing_is_told_from_another_consumer(
    consumers: tuple[Consumer, ...], counts: dict[str, int], astray: bool, idle: bool
) -> None:
    """Both hold messages while jobs wait and none runs; only a worker has answered others."""
    deliveries = held(consumers, stalled=1, **counts)
    assert deliveries.astray is astray
    assert bool(deliveries.idle_workers) is idle
    # One that acknowledges meanwhile does other work: the messages of uploads wait behind it.
    assert not held(consumers, **counts).idle_workers
    assert held(consumers, **counts).astray is deliveries.unprocessed


def test_messages_that_come_back_are_held_by_nobody() -> None:
    """A client that may be the worker puts them back: no connection is to be closed."""
    counts = {"unacknowledged": 4, "pending": 3}
    assert held((FRESH_WORKER,), **counts).placeholders()
    returned = held((WORKER, replace(EXPORT, prefetch=4)), returned=900, **counts)
    assert returned.come_back
    assert not returned.unprocessed
    assert not returned.keepers
    assert not returned.placeholders()
    assert "(returned 900 times meanwhile)" in str(returned)
    assert not held((WORKER,), unacknowledged=4, returned=900).come_back


@pytest.mark.parametrize(
    ("ready", "delivered", "redelivered", "returned"),
    [(10, 6, 61, 61), (10, 6, 60, 0), (0, 0, 13, 13), (0, 50, 150, 0), (3, None, None, 0)],
)
def test_a_message_returns_again_and_again_after_its_tries(
    ready: int, delivered: int | None, redelivered: int | None, returned: int
) -> None:
    """Of the messages that are there or were given out, each may come back for three tries."""
    known = QueueFigures(
        *(ready, 4, 0, ()), delivered=delivered, redelivered=redelivered, no_redelivery_for=0.0
    )
    assert returned_again_and_again(known, ready, 300.0) == returned
    assert not returned_again_and_again(replace(known, no_redelivery_for=30.0), ready, 300.0)


@pytest.mark.parametrize(
    ("acknowledged", "none_for", "returned", "lasted", "counted"),
    [
        (9, 300.0, 8, 200.0, 8),
        (0, None, 8, 200.0, 8),
        (9, 300.0, 3, 200.0, 0),
        (9, 300.0, 8, 140.0, 0),
        (9, 200.0, 8, 200.0, 0),
    ],
    ids=["slow tries", "none ever done", "few tries", "all at once", "others are done"],
)
def test_slow_tries_count_while_no_message_is_done(
    acknowledged: int, none_for: float | None, returned: int, lasted: float, counted: int
) -> None:
    """A worker that takes a minute for each try returns few messages, and does none."""
    known = QueueFigures(
        *(15, 20, acknowledged, ()),
        no_acknowledgement_for=none_for,
        delivered=4,
        redelivered=returned,
        no_redelivery_for=0.0,
        redelivered_for=lasted,
    )
    assert returned_again_and_again(known, 15, 300.0) == counted


def test_a_slow_write_counts_while_jobs_are_late() -> None:
    """An operator's long statement delays nothing while no job is late."""
    slow = SlowWrites("the database", 300.0, 3, ("process 7 (api) for 4 s",))
    assert slow.delay_work
    assert not replace(slow, late=0).delay_work
    assert not replace(slow, statements=()).delay_work
    assert "1 slow statement writes to the upload tables: process 7 (api) for 4 s; 3 " in str(slow)


def test_an_upload_is_not_below_full_progress_where_none_is_told() -> None:
    """An API may have no progress, or call it otherwise; one that tells some is judged."""

    def statuses(*progress: float | None) -> StatusesResult:
        uploads = [UploadStatus("u", 200, "uploading", one, 700.0) for one in progress]
        return StatusesResult("the API", 600.0, tuple(uploads))

    with pytest.raises(NotOffered, match="tells no upload's progress"):
        statuses(None, None).require_progress()
    assert "after 10 min: u" in str(statuses(None))
    for told in (statuses(), statuses(None, 0.0)):
        told.require_progress()
    assert "after 10 min, 0 at 100 %: u" in str(statuses(0.0))
