"""Verification 3: the job worker's processes and its own log."""


def test_process_is_running(worker):
    """At least one running process matches the worker's `pattern`."""
    running = worker.running()
    assert running.at_least_one, running


def test_expected_count_is_running(worker):
    """At least `count` workers run, where the target has this key."""
    workers = worker.worker_count()
    assert workers.is_reached, workers


def test_process_is_responsive(worker):
    """No worker process stays stopped or is a zombie."""
    responsiveness = worker.responsiveness()
    assert responsiveness.all_responsive, responsiveness


def test_no_process_waits_on_disk(worker):
    """No worker process stays in uninterruptible sleep, as on a disk that hangs."""
    disk_wait = worker.disk_wait()
    assert disk_wait.none_waits, disk_wait


def test_process_is_settled(worker, limits):
    """Each worker process has been up longer than `worker_settle`."""
    uptime = worker.settled(limits.worker_settle)
    assert uptime.all_longer_than(limits.worker_settle), uptime


def test_worker_is_logging(logs, limits):
    """The worker log was written to within `log_silence_max`."""
    activity = logs.worker_log(limits.log_silence_max)
    assert activity.is_within(limits.log_silence_max), activity
