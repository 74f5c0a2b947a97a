"""Verification 2: the application's logs."""


def test_application_is_logging(logs, limits):
    """The application log was written to within `log_silence_max`, or no upload arrived since."""
    activity = logs.activity(limits.log_silence_max)
    assert activity.is_within(limits.log_silence_max), activity


def test_no_recent_processing_errors(logs):
    """No upload error, failed processing or failed job was logged within `log_window`."""
    errors = logs.errors()
    assert errors.none, errors


def test_uploads_arrive_beside_errors(logs):
    """Where errors about uploads that are not recorded are logged, others still arrive."""
    errors = logs.errors_beside_arrivals()
    assert not errors.keep_uploads_out, errors


def test_upload_transitions_are_logged(logs, received):
    """The logs have every status, up to `completed`, of each stuck upload that was received."""
    transitions = logs.transitions(received)
    assert transitions.complete, transitions


def test_worker_activity_is_logged(logs, limits):
    """The worker logs at most `log_silence_max` after an upload arrives."""
    lines = logs.worker_lines(limits.log_silence_max)
    assert lines.keeps_up(limits.log_silence_max), lines


def test_worker_starts_once(logs, limits):
    """The worker started at most `worker_starts_max` times, or once per process that runs."""
    starts = logs.starts(limits.worker_starts_max)
    assert starts.are_at_most(limits.worker_starts_max), starts


def test_no_timeouts_are_logged(logs):
    """No timeout or exceeded deadline was logged within `log_window`."""
    timeouts = logs.timeouts()
    assert timeouts.none, timeouts


def test_no_job_ran_out_of_time(logs):
    """No job that exceeded its deadline was logged within `log_window`."""
    expired = logs.expired_jobs()
    assert expired.none, expired


def test_no_storage_errors_are_logged(logs):
    """No file of uploads that could not be read or written was logged within `log_window`."""
    errors = logs.storage_errors()
    assert errors.none, errors


def test_no_database_write_is_refused(logs):
    """No write that the database refused, read-only or full, was logged within `log_window`."""
    refused = logs.refused_writes()
    assert refused.none, refused


def test_no_database_access_is_refused(logs):
    """No database that refused the application or a statement, or that it could not find or trust,
    was logged within `log_window`.
    """
    refused = logs.database_refusals()
    assert refused.none, refused


def test_no_broker_access_is_refused(logs):
    """No broker that refused the application, or that it could not find or trust, was logged within
    `log_window`.
    """
    refused = logs.broker_refusals()
    assert refused.none, refused
