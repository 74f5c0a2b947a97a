"""Verification 4: the broker and the upload queue."""


def test_broker_is_reachable(queue):
    """The broker accepts an AMQP connection."""
    reach = queue.reach()
    assert reach.ok, reach


def test_broker_has_no_alarm(queue):
    """The broker has no memory or disk alarm and blocks no publisher."""
    alarms = queue.alarms()
    assert not alarms.block_publishers, alarms


def test_queue_exists(queue):
    """The upload queue exists."""
    existence = queue.exists()
    assert existence.ok, existence


def test_queue_has_a_consumer(queue):
    """The upload queue has at least one consumer."""
    depth = queue.depth()
    assert depth.consumers >= 1, depth


def test_backlog_is_bounded(queue, limits):
    """At most `backlog_max` messages wait in the upload queue."""
    depth = queue.depth()
    assert depth.ready <= limits.backlog_max, depth


def test_deliveries_are_acknowledged(queue, limits):
    """Consumers hold at most `unacknowledged_max` messages and acknowledge them within
    `processing_max`.
    """
    deliveries = queue.deliveries(limits.unacknowledged_max, limits.processing_max)
    assert not deliveries.are_stuck, deliveries


def test_deliveries_reach_the_worker(jobs_and_queue, limits):
    """No message is held unprocessed while jobs wait longer than `job_pending_max`."""
    deliveries = jobs_and_queue.held_deliveries(limits.job_pending_max)
    assert not deliveries.unprocessed, deliveries


def test_dead_letters_are_empty(queue, limits):
    """The dead-letter queue holds at most `dead_letters_max` messages."""
    dead_letters = queue.dead_letters()
    assert dead_letters.messages <= limits.dead_letters_max, dead_letters


def test_queue_is_draining(queue, limits):
    """The queue drains."""
    draining = queue.draining(limits.processing_max)
    assert draining.drains, draining
