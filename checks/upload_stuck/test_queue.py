"""Verification 4: the broker and the upload queue."""


def test_broker_is_reachable(queue):
    """The broker accepts an AMQP connection."""
    reach = queue.reach()
    assert reach.ok, reach


def test_broker_has_no_alarm(queue):
    """The broker has no memory or disk alarm and blocks no publisher."""
    alarms = queue.alarms()
    assert not alarms.block_publishers, alarms


def test_clients_are_connected(queue):
    """Clients other than these checks are connected to the virtual host."""
    clients = queue.clients()
    assert clients.connections >= 1, clients


def test_queue_exists(queue):
    """The upload queue exists."""
    existence = queue.exists()
    assert existence.ok, existence


def test_queue_has_a_consumer(queue):
    """The upload queue has at least one consumer."""
    depth = queue.consumers()
    assert depth.consumers >= 1 or depth.is_polled, depth


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
    """No consumer that may be no worker holds messages while jobs wait longer than
    `job_pending_max` and none runs.
    """
    deliveries = jobs_and_queue.held_deliveries(limits.job_pending_max)
    assert not deliveries.astray, deliveries


def test_worker_starts_what_it_holds(jobs_and_queue, limits):
    """No worker holds messages while jobs wait longer than `job_pending_max` and none runs."""
    deliveries = jobs_and_queue.held_deliveries(limits.job_pending_max)
    assert not deliveries.idle_workers, deliveries


def test_no_consumer_keeps_messages(jobs_and_queue, limits):
    """No other consumer keeps messages from the workers while jobs wait longer than
    `job_pending_max`.
    """
    deliveries = jobs_and_queue.kept_deliveries(limits.job_pending_max)
    assert not deliveries.keepers, deliveries


def test_messages_are_not_returned(jobs_and_queue, limits):
    """No worker returns or rejects the messages of jobs that wait longer than `job_pending_max`."""
    deliveries = jobs_and_queue.returned_deliveries(limits.job_pending_max)
    assert not deliveries.are_returned, deliveries


def test_no_message_is_retried_forever(jobs_and_queue, limits):
    """No message of a job that waits longer than `job_pending_max` comes back again and again while
    the workers acknowledge others.
    """
    deliveries = jobs_and_queue.returned_deliveries(limits.job_pending_max)
    assert not deliveries.are_retried, deliveries


def test_overdue_jobs_have_a_message(jobs_and_queue, limits):
    """Each job that is `processing` longer than `processing_max` still has its message."""
    messages = jobs_and_queue.overdue_messages(limits.processing_max)
    assert not messages.without, messages


def test_taken_messages_start_jobs(jobs_and_queue):
    """No consumer takes and answers a message while its job stays pending."""
    messages = jobs_and_queue.ignored_messages()
    assert not messages.ignored, messages


def test_dead_letters_are_empty(queue, limits):
    """The dead-letter queue holds at most `dead_letters_max` messages."""
    dead_letters = queue.dead_letters()
    assert dead_letters.messages <= limits.dead_letters_max, dead_letters


def test_messages_do_not_expire(jobs_and_queue, limits):
    """No message becomes a dead letter while its job is pending."""
    dropped = jobs_and_queue.dropped_messages(limits.dead_letters_max)
    assert not dropped.with_a_job, dropped


def test_queue_is_draining(queue, limits):
    """The queue drains."""
    draining = queue.draining(limits.processing_max)
    assert draining.drains, draining
