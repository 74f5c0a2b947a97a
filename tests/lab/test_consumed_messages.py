"""What consumers did with messages: compared with the jobs, by the lab's RabbitMQ and database."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import repeat
from typing import TYPE_CHECKING, Any

import pytest

from fixtures.probes.errors import NotOffered
from fixtures.probes.jobs_and_queue import TRIES_MAX, JobConsistency, LateJobs
from fixtures.probes.jobs_and_queue_results import AbandonedJobs, IgnoredMessages
from fixtures.probes.postgres.database import DatabaseProbe
from fixtures.probes.rabbitmq.queue import QueueProbe
from tests.lab.fix_queue import Make, client_named, consumers_are_known, hold_message
from tests.waiting import eventually

if TYPE_CHECKING:
    from lab.state import Lab

LONGEST = 300.0


def acknowledge(channel: Any, method: Any, *_: object) -> None:
    """Acknowledge a message and do nothing."""
    channel.basic_ack(method.delivery_tag)


def reject(channel: Any, method: Any, *_: object) -> None:
    """Reject a message for good: without a dead-letter queue the broker drops it."""
    channel.basic_reject(method.delivery_tag, requeue=False)


def without_messages(database: DatabaseProbe, probe: QueueProbe, *channels: Any) -> JobConsistency:
    """Answer all messages, until the broker's late figures show them all answered."""
    comparisons: list[JobConsistency] = []

    def is_without() -> bool:
        for channel in channels:
            channel.connection.process_data_events(0.01)
        comparisons.append(JobConsistency(database, probe))
        return comparisons[-1].jobs_in_queue().missing == 1

    eventually(is_without, "answers to all messages")
    return comparisons[-1]


def test_no_overdue_job_needs_no_message(
    queue_probe_of: Make, channel: Any, lab_database: DatabaseProbe
) -> None:
    """Where no job runs too long the broker is not asked."""
    messages = JobConsistency(lab_database, queue_probe_of(management=None)).overdue_messages(
        LONGEST
    )
    assert messages.without == 0
    assert "no job processing longer than 5 min" in str(messages)


def test_an_overdue_job_without_a_message_is_abandoned(
    queue_probe: QueueProbe,
    consistency: JobConsistency,
    channel: Any,
    queue_name: str,
    aged_upload: Callable[..., str],
) -> None:
    """A job in processing whose message no consumer holds is nobody's; one that is held is not."""
    upload = aged_upload("processing", job="processing", started=30.0)
    channel.basic_consume(queue_name, lambda *_: None)
    eventually(lambda: consumers_are_known(queue_probe, 0), "figures of the consumer")
    messages = consistency.overdue_messages(LONGEST)
    assert messages.without == 1
    assert upload in str(messages)
    assert ": 1 job is without a message (0 unacknowledged, 0 wait again); " in str(messages)
    channel.basic_publish("", queue_name, b"1")
    eventually(lambda: consumers_are_known(queue_probe, 1), "figures of the delivery")
    assert consistency.overdue_messages(LONGEST).without == 0


@pytest.mark.parametrize("acknowledges", [True, False])
def test_a_worker_that_fetches_has_the_messages_of_the_jobs_that_run(
    queue_probe: QueueProbe,
    consistency: JobConsistency,
    channel: Any,
    queue_name: str,
    aged_upload: Callable[..., str],
    acknowledges: bool,
) -> None:
    """One that acknowledges what it fetched keeps it meanwhile; of another one nothing is known."""
    aged_upload("processing", job="processing", started=30.0)
    channel.basic_publish("", queue_name, b"1")
    method, _, _ = channel.basic_get(queue_name, auto_ack=not acknowledges)
    unacknowledged = int(acknowledges)
    eventually(
        lambda: fetched_and_unacknowledged(queue_probe) == (1, unacknowledged),
        "figures of the fetch",
    )
    if not acknowledges:
        with pytest.raises(NotOffered, match="nothing is known of its consumers"):
            consistency.overdue_messages(LONGEST)
        return
    assert consistency.overdue_messages(LONGEST).without == 0
    channel.basic_ack(method.delivery_tag)
    eventually(lambda: fetched_and_unacknowledged(queue_probe) == (1, 0), "figures of the answer")
    assert consistency.overdue_messages(LONGEST).without == 1


def fetched_and_unacknowledged(probe: QueueProbe) -> tuple[int | None, int | None]:
    """Return how often a message was asked for, and how many are unacknowledged."""
    figures = probe.figures(LONGEST)
    return figures.fetched, figures.unacknowledged


def test_a_job_that_waits_for_its_next_attempt_does_not_run(
    queue_probe_of: Make,
    channel: Any,
    queue_name: str,
    lab_database: DatabaseProbe,
    aged_upload: Callable[..., str],
) -> None:
    """Its message is in a queue that gives it back later; a job whose message is held may run."""
    upload = aged_upload("processing", job="processing", started=30.0)
    probe = queue_probe_of()
    assert LateJobs(lab_database, probe).running(LONGEST).total == 1
    assert LateJobs(lab_database, None).running(LONGEST).upload_ids == (upload,)
    retry = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": queue_name}
    delay = f"retry.{queue_name}"
    channel.queue_declare(delay, arguments=retry | {"x-message-ttl": 3_600_000})
    try:
        channel.basic_publish("", delay, b"1")
        eventually(lambda: probe.delayed() == 1, "figures of the retry queue")
        with pytest.raises(NotOffered, match="1 message waits in another queue for its next"):
            LateJobs(lab_database, probe).running(LONGEST)
        hold_message(channel, queue_name, probe)
        assert LateJobs(lab_database, probe).running(LONGEST).total == 1
    finally:
        channel.queue_delete(delay)


def test_a_job_that_an_earlier_worker_left_is_not_late(
    queue_probe_of: Make, lab_database: DatabaseProbe, aged_upload: Callable[..., str]
) -> None:
    """Each worker that runs is younger, as after a deployment: none of them began the job."""
    aged_upload("processing", job="processing", started=30.0)
    probe = queue_probe_of()
    for uptime in (1600.0, 1790.0):
        with pytest.raises(NotOffered, match="each worker process that runs is younger"):
            LateJobs(lab_database, probe, repeat((uptime,)).__next__).running(LONGEST)
    # It was late before, or that worker may run it: it may have begun the job at its start.
    for unknown in ((60.0,), (1799.0,), (1900.0,), ()):
        late = LateJobs(lab_database, probe, repeat(unknown).__next__).running(LONGEST)
        assert late.total == 1


def test_a_late_job_that_began_before_each_worker_is_abandoned(
    queue_probe_of: Make, lab_database: DatabaseProbe, aged_upload: Callable[..., str]
) -> None:
    """Without a queue nothing gives the job of a worker that died to another one."""

    def abandoned(*uptimes: float) -> AbandonedJobs:
        return LateJobs(lab_database, None, lambda: uptimes).abandoned(LONGEST)

    assert abandoned().total == 0, "no job is late"
    upload = aged_upload("processing", job="processing", started=30.0)
    assert str(abandoned(1600.0)).endswith(
        ": 1 late job began before each worker that runs, the oldest for 27 min, so none works on "
        f"it; uploads {upload}"
    )
    assert abandoned(1600.0).placeholders() == {"overdue_upload_ids": upload}
    # It may have begun the job: the clocks of the database and the host may differ.
    assert abandoned(1790.0).total == 0
    with pytest.raises(NotOffered, match="some were late before a worker that runs began"):
        abandoned(60.0)
    with pytest.raises(NotOffered, match="how long the workers run is not known"):
        abandoned()
    for younger in (1500.0, 1799.0, 1801.0):
        with pytest.raises(NotOffered, match="may have taken the place of the one that began"):
            abandoned(1900.0, younger)
    assert abandoned(1900.0, 1850.0).total == 0
    with pytest.raises(NotOffered, match="their messages in the queue tell whether they run"):
        LateJobs(lab_database, queue_probe_of(), lambda: (1600.0,)).abandoned(LONGEST)


def test_a_job_whose_message_is_a_dead_letter_is_given_up(
    queue_probe_of: Make,
    channel: Any,
    queue_name: str,
    lab_database: DatabaseProbe,
    aged_upload: Callable[..., str],
) -> None:
    """Its worker rejected the message, and recorded no end: nobody works on the job."""
    dead = f"{queue_name}.dead"
    channel.queue_declare(dead)
    try:
        aged_upload("processing", job="processing", started=30.0)
        channel.basic_consume(queue_name, lambda *_: None)
        probe = queue_probe_of(dead_letter=dead)
        consistency = JobConsistency(lab_database, probe)
        eventually(lambda: consumers_are_known(probe, 0), "figures of the consumer")
        channel.basic_publish("", dead, b"1")
        messages = consistency.overdue_messages(LONGEST)
        assert (messages.returned, messages.dead_letters, messages.without) == (0, 1, 1)
        assert "(0 unacknowledged, 0 wait again, 1 dead letter)" in str(messages)
        with pytest.raises(NotOffered, match="1 message is a dead letter, and nobody runs its job"):
            LateJobs(lab_database, probe).running(LONGEST)
    finally:
        channel.queue_delete(dead)


def test_automatic_acknowledgement_says_nothing_about_overdue_jobs(
    queue_probe: QueueProbe,
    consistency: JobConsistency,
    channel: Any,
    queue_name: str,
    lab_database: DatabaseProbe,
    aged_upload: Callable[..., str],
) -> None:
    """Such a consumer never holds a message; without a consumer nothing is known either."""
    aged_upload("processing", job="processing", started=30.0)
    eventually(lambda: queue_probe.figures(LONGEST).unacknowledged == 0, "figures of the queue")
    with pytest.raises(NotOffered, match="nothing is known of its consumers"):
        consistency.overdue_messages(LONGEST)
    channel.basic_consume(queue_name, lambda *_: None, auto_ack=True)
    eventually(lambda: consumers_are_known(queue_probe, 0), "figures of the consumer")
    with pytest.raises(NotOffered, match=r"veza from .* acknowledges automatically"):
        consistency.overdue_messages(LONGEST)
    # The job began half an hour ago: before a young worker, and while an old one ran.
    lost = JobConsistency(lab_database, queue_probe, lambda: (600.0,)).overdue_messages(LONGEST)
    assert lost.without == 1
    assert ": 1 job is without a message" in str(lost)
    assert str(lost).endswith("; each worker that runs is younger")
    with pytest.raises(NotOffered, match=r"veza from .* acknowledges automatically"):
        JobConsistency(lab_database, queue_probe, lambda: (1790.0,)).overdue_messages(LONGEST)


def test_a_message_that_is_put_back_is_taken_once(
    queue_probe_of: Make, channel: Any, queue_name: str
) -> None:
    """A worker that cannot use its database puts a message back again and again."""
    put_back: list[int] = []

    def answer(channel: Any, method: Any, *_: object) -> None:
        if len(put_back) < 30:
            put_back.append(method.delivery_tag)
            channel.basic_nack(method.delivery_tag)
        else:
            channel.basic_ack(method.delivery_tag)

    probe = queue_probe_of()
    channel.basic_publish("", queue_name, b"1")
    eventually(lambda: probe.figures(120.0).ready == 1, "figures of the queue")
    channel.basic_consume(queue_name, answer)

    def is_answered() -> bool:
        channel.connection.process_data_events(0.01)
        figures = probe.figures(120.0)
        return figures.acknowledged == 1 and figures.delivered is not None

    eventually(is_answered, "figures of the answer")
    assert len(put_back) == 30
    assert (probe.figures(120.0).delivered or 0) <= 1


@pytest.mark.parametrize("answer", [acknowledge, reject])
def test_messages_of_pending_jobs_that_were_answered_are_ignored(
    answer: Callable[..., None],
    queue_probe_of: Make,
    channel: Any,
    queue_name: str,
    lab_database: DatabaseProbe,
    aged_upload: Callable[..., str],
) -> None:
    """A consumer that answers messages while jobs stay pending ignores them, unless jobs end."""
    aged_upload(minutes=2.0, job="pending")
    channel.basic_consume(queue_name, answer)
    probe = queue_probe_of()

    def are_more_than_jobs() -> bool:
        # The lab's own jobs are worked on, too.
        for _ in range(5):
            channel.basic_publish("", queue_name, b"1")
        channel.connection.process_data_events(0.01)
        taken = probe.figures(120.0).delivered or 0
        return taken > TRIES_MAX * max(lab_database.jobs_worked_on(300.0, 300.0)) + 20

    eventually(lambda: consumers_are_known(probe, 0), "figures of the consumer")

    eventually(are_more_than_jobs, "figures of deliveries")
    consistency = without_messages(lab_database, probe, channel)
    messages = consistency.ignored_messages()
    assert messages.ignored == 1
    sentence = str(messages)
    assert ": 1 pending job has no message; since the newest was created, 2 min ago, " in sentence
    assert f"consumers took {messages.taken:,} messages and " in sentence
    assert "; its consumers: veza from 127.0.0.1" in sentence
    for _ in range(messages.taken // TRIES_MAX + 1):
        aged_upload("completed", minutes=2.0, job="completed")
    with pytest.raises(NotOffered, match="what became of the missing messages is not known"):
        consistency.ignored_messages()
    # They ended just before the pending job was created, and may be of the time before a fault.
    for _ in range(messages.taken + 20):
        aged_upload("completed", minutes=messages.since / 60 + 1.03, job="completed")
    with pytest.raises(NotOffered, match="what became of the missing messages is not known"):
        consistency.ignored_messages()
    for _ in range(messages.taken + 20):
        aged_upload("completed", minutes=2.0, job="completed")
    assert consistency.ignored_messages().ignored == 0


def test_messages_that_a_worker_fetched_and_answered_are_ignored(
    queue_probe_of: Make,
    channel: Any,
    queue_name: str,
    lab_database: DatabaseProbe,
    aged_upload: Callable[..., str],
) -> None:
    """Such a worker is no consumer; it may drop what it cannot read."""
    aged_upload(minutes=2.0, job="pending")
    probe = queue_probe_of()
    found: list[IgnoredMessages] = []

    def are_ignored() -> bool:
        # More than the jobs that the lab's own worker works on meanwhile.
        for _ in range(5):
            channel.basic_publish("", queue_name, b"1")
            method, _, _ = channel.basic_get(queue_name)
            channel.basic_reject(method.delivery_tag, requeue=False)
        with suppress(NotOffered):
            found.append(JobConsistency(lab_database, probe).ignored_messages())
        return bool(found) and found[-1].ignored == 1

    eventually(are_ignored, "figures of the fetches")
    assert str(found[-1]).endswith("; its consumers: clients that fetch them one by one")


def test_nothing_is_said_of_messages_that_may_have_gone_elsewhere(
    queue_probe_of: Make,
    services: Lab,
    channel: Any,
    queue_name: str,
    lab_database: DatabaseProbe,
    aged_upload: Callable[..., str],
) -> None:
    """Without deliveries, or with consumers of two programs, nobody is accused."""
    aged_upload(minutes=2.0, job="pending")
    channel.basic_consume(queue_name, acknowledge)
    probe = queue_probe_of()
    eventually(lambda: consumers_are_known(probe, 0), "figures of the consumer")
    unknown = "1 job pending .*; what became of the missing messages is not known"
    with pytest.raises(NotOffered, match=unknown):
        JobConsistency(lab_database, probe).ignored_messages()
    with client_named(services, "export") as other:
        other.basic_consume(queue_name, acknowledge)

        def are_two() -> bool:
            for number in range(2):
                channel.basic_publish("", queue_name, str(number).encode())
            channel.connection.process_data_events(0.01)
            other.connection.process_data_events(0.01)
            figures = probe.figures(120.0)
            return len(figures.consumers) == 2 and (figures.delivered or 0) > 3

        eventually(are_two, "figures of both consumers")
        consistency = without_messages(lab_database, probe, channel, other)
        with pytest.raises(NotOffered, match=r" \(export\).*; what became of"):
            consistency.ignored_messages()


def test_each_pending_job_with_its_message_is_well(
    queue_probe_of: Make,
    channel: Any,
    queue_name: str,
    lab_database: DatabaseProbe,
    aged_upload: Callable[..., str],
) -> None:
    """Nothing is missing, so nothing was ignored."""
    aged_upload(minutes=2.0, job="pending")
    channel.basic_publish("", queue_name, b"1")
    messages = JobConsistency(lab_database, queue_probe_of()).ignored_messages()
    assert messages.ignored == 0
    assert "each pending job has its message" in str(messages)


def test_a_message_that_was_rejected_is_not_ignored(
    queue_probe_of: Make,
    channel: Any,
    queue_name: str,
    lab_database: DatabaseProbe,
    aged_upload: Callable[..., str],
) -> None:
    """It became a dead letter: something keeps the worker from its job, and it does not swallow."""
    dead = f"{queue_name}.dead"
    channel.queue_declare(dead)
    try:
        aged_upload(minutes=2.0, job="pending")
        channel.basic_publish("", dead, b"1")
        probe = queue_probe_of(dead_letter=dead)
        messages = JobConsistency(lab_database, probe).ignored_messages()
        assert (messages.without, messages.ignored) == (0, 0)
        assert str(messages).endswith("or it is a dead letter")
    finally:
        channel.queue_delete(dead)
