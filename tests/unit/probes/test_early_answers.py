"""Jobs whose messages are acknowledged before they begin, or only wake the worker."""

from __future__ import annotations

from typing import Any, cast

import pytest

from fixtures.probes import jobs_and_queue
from fixtures.probes.errors import NotOffered, Unreachable
from fixtures.probes.jobs_and_queue import JobConsistency
from fixtures.probes.postgres.job_results import UnfinishedJobs
from fixtures.probes.postgres.overdue import Overdue
from fixtures.probes.rabbitmq.management import Consumer, QueueFigures
from fixtures.probes.rabbitmq.results import DeadLetters, Depth

PENDING, UPTIME = 11, 600.0


class Jobs:
    """A database with jobs that wait, and jobs that run for so many seconds."""

    def __init__(self, *running: float, in_order: bool = False) -> None:
        self.ages = running
        self.in_order = in_order

    def sent_jobs(self) -> UnfinishedJobs:
        """Return the jobs that wait."""
        return UnfinishedJobs(PENDING, ("a", "b"), 12.0, len(self.ages))

    def unfinished_jobs(self, after: float) -> UnfinishedJobs:
        """Return the same."""
        return self.sent_jobs()

    def running_jobs(self, after: float) -> Overdue:
        """Return the jobs that run for longer than that."""
        ages = [age for age in self.ages if age > after]
        return Overdue("db", "job", "processing", after, len(ages), max(ages, default=0.0), ("c",))

    def sent_jobs_and_order(self, window: float) -> tuple[UnfinishedJobs, bool]:
        """Return them, and whether those that have waited start."""
        return self.sent_jobs(), self.in_order

    def jobs_worked_on(self, seconds: float, longer: float) -> tuple[int, int]:
        """Return none."""
        return 0, 0


class Messages:
    """A queue of which a consumer has these messages; management counts those it gave out."""

    def __init__(self, unacknowledged: int, delivered: int = 0) -> None:
        consumer = Consumer("1.2.3.4", "veza", "t", 3, True, "c", "worker", unacknowledged, 40)
        self._figures = QueueFigures(0, unacknowledged, 40, (consumer,), delivered=delivered)

    def depth(self) -> Depth:
        """Return an empty queue with a consumer."""
        return Depth("mq", "jobs", 0, 1)

    def figures(self, seconds: float) -> QueueFigures:
        """Return the figures."""
        return self._figures

    def named_alike(self) -> tuple[tuple[str, int], ...]:
        return ()

    def holders(self, consumers: tuple[Consumer, ...]) -> tuple[Consumer, ...]:
        """Return the consumers."""
        return consumers

    def delayed(self) -> None:
        """Return that there is no other queue."""

    def dead_letters(self) -> None:
        """Raise NotOffered."""
        raise NotOffered("none")


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_and_queue, "RECENT", 0.0)
    monkeypatch.setattr(jobs_and_queue, "POLL_INTERVAL", 0.0)


def consistency(jobs: Jobs, messages: Messages) -> JobConsistency:
    """Make the comparison beside a worker that has run for ten minutes."""
    return JobConsistency(cast(Any, jobs), cast(Any, messages), lambda: (UPTIME,), patience=0.0)


def test_jobs_that_run_without_a_message_say_that_it_is_acknowledged_early() -> None:
    """Neither the jobs that wait nor those that run have one: no message is lost for sure, none was
    ignored, and no job is abandoned.
    """
    hanging = consistency(Jobs(50.0, 45.0, 44.0), Messages(0, delivered=6))
    with pytest.raises(
        NotOffered, match=r"3 jobs that run have no message either.*write queue = false"
    ):
        hanging.jobs_in_queue()
    with pytest.raises(NotOffered, match="have no message either"):
        hanging.ignored_messages()
    with pytest.raises(NotOffered, match="have no message either"):
        hanging.overdue_messages(30.0)


def test_jobs_that_start_without_a_message_have_lost_none() -> None:
    """A backlog of short jobs moves on in its order, while no message is anywhere."""
    with pytest.raises(NotOffered, match="jobs that have waited start without one"):
        consistency(Jobs(3.0, in_order=True), Messages(0)).jobs_in_queue()
    assert consistency(Jobs(3.0, in_order=True), Messages(1)).jobs_in_queue().messages_lost


@pytest.mark.parametrize(
    ("running", "held"),
    [((), 0), ((50.0,), 1), ((9.0,), 0), ((4000.0,), 0)],
    ids=["none runs", "it has its message", "it began just now", "an earlier worker left it"],
)
def test_messages_of_jobs_that_wait_are_lost(running: tuple[float, ...], held: int) -> None:
    """Where the jobs that run have theirs, or none runs, those that wait have lost theirs."""
    jobs = consistency(Jobs(*running), Messages(held)).jobs_in_queue()
    assert jobs.missing == PENDING - held


def test_the_last_question_about_dead_letters_is_the_queues() -> None:
    """The connection to the broker is closed after that one, far away some time before the end."""
    asked = []

    class Asked(Messages):
        def figures(self, seconds: float) -> QueueFigures:
            asked.append("management")
            return super().figures(seconds)

        def dead_letters(self) -> Any:
            asked.append("queue")
            return DeadLetters("mq", "dead", 1)

    assert not consistency(Jobs(), Asked(0)).dropped_messages(1).with_a_job
    assert asked == ["management", "queue"]


def test_a_broker_that_does_not_answer_is_told_without_a_management_api() -> None:
    """Its error comes before the one that says what the check needs."""

    class Silent(Messages):
        def figures(self, seconds: float) -> QueueFigures:
            raise NotOffered("needs queue.management_url")

        def dead_letters(self) -> None:
            raise Unreachable("no answer")

    with pytest.raises(Unreachable, match="no answer"):
        consistency(Jobs(), Silent(0)).dropped_messages(1)
