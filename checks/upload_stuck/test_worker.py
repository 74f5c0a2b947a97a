"""Verification 3: the job worker is there, and it works."""


def test_process_is_running(worker):
    """At least one process matches the worker's pattern."""
    running = worker.running()
    assert running.at_least_one, running


def test_process_is_responsive(worker):
    """No worker process is stopped, a zombie, or in uninterruptible sleep."""
    responsiveness = worker.responsiveness()
    assert responsiveness.all_responsive, responsiveness


def test_process_is_settled(worker, limits):
    """Each worker process has been up for longer than `worker_settle`."""
    uptime = worker.uptime()
    assert uptime.all_longer_than(limits.worker_settle), uptime


def test_worker_is_logging(logs, limits):
    """The worker's own log moved within `log_silence_max`; without uploads it may be silent."""
    activity = logs.worker_log(limits.log_silence_max)
    assert activity.is_within(limits.log_silence_max), activity
