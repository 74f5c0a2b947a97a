"""Verification 4: the broker and the upload queue."""


def test_broker_is_reachable(queue):
    """The broker opens an AMQP connection."""
    reach = queue.reach()
    assert reach.ok, reach


def test_broker_has_no_alarm(queue):
    """The broker has no memory or disk alarm, and holds no publisher back."""
    alarms = queue.alarms()
    assert not alarms.block_publishers, alarms


def test_queue_exists(queue):
    """The upload queue exists."""
    existence = queue.exists()
    assert existence.ok, existence


def test_queue_has_a_consumer(queue):
    """The upload queue is being consumed by at least one worker."""
    depth = queue.depth()
    assert depth.consumers >= 1, depth


def test_backlog_is_bounded(queue, limits):
    """No more messages wait in the upload queue than may."""
    depth = queue.depth()
    assert depth.ready <= limits.backlog_max, depth


def test_deliveries_are_acknowledged(queue, limits):
    """Delivered messages are acknowledged: not too many are held, and none for too long."""
    deliveries = queue.deliveries(limits.unacknowledged_max, limits.processing_max)
    assert not deliveries.are_stuck, deliveries


def test_deliveries_reach_the_worker(jobs_and_queue, limits):
    """While messages are held and jobs wait too long, somebody is at work on them."""
    held = jobs_and_queue.held_deliveries(limits.job_pending_max)
    assert not held.idle, held


def test_dead_letters_are_empty(queue, limits):
    """No more messages were given up than may be."""
    dead = queue.dead_letters()
    assert dead.messages <= limits.dead_letters_max, dead


def test_queue_is_draining(queue, limits):
    """A backlog is being worked off."""
    draining = queue.draining(limits.processing_max)
    assert draining.drains, draining
