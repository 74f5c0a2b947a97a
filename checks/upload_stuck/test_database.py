"""Verification 6: uploads and jobs in the database."""


def test_database_is_reachable(database):
    """The database opens a read-only session."""
    reach = database.reach()
    assert reach.ok, reach


def test_schema_is_as_expected(database):
    """The tables and columns that the checks read are there and can be read."""
    schema = database.schema()
    assert not schema.lacking, schema


def test_stuck_uploads_have_a_job(database, received, limits):
    """Each stuck upload that was received, of those looked at, has a job that processes it."""
    jobs = database.jobs_of(received, limits.stuck_after)
    assert not jobs.without, jobs


def test_no_upload_was_passed_over(database, received, limits):
    """No stuck upload that was received lacks a job while later uploads got theirs."""
    jobs = database.jobs_of(received, limits.stuck_after)
    assert not jobs.passed_over, jobs


def test_jobs_start_promptly(database, limits):
    """No job waits for longer than it may to be started."""
    pending = database.pending_jobs(limits.job_pending_max, limits.processing_max)
    assert pending.total == 0, pending


def test_jobs_finish_in_time(database, limits):
    """No job is processing for longer than it may."""
    running = database.running_jobs(limits.processing_max)
    assert running.total == 0, running


def test_finished_jobs_updated_their_upload(database):
    """No job has completed while its upload is still unfinished."""
    ended = database.ended_jobs()
    assert ended.unnoticed == 0, ended


def test_failed_jobs_recorded_an_error(database):
    """No job has failed while its upload tells neither the failure nor an error."""
    ended = database.ended_jobs()
    assert ended.unrecorded == 0, ended


def test_pending_jobs_are_in_the_queue(jobs_and_queue):
    """Each job that waits in the table has its message in the broker."""
    jobs = jobs_and_queue.jobs_in_queue()
    assert not jobs.lost, jobs


def test_no_lock_blocks_uploads(database, limits):
    """No session waits too long for a lock on the upload tables."""
    locks = database.locks(limits.lock_wait_max)
    assert not locks.block_uploads, locks
