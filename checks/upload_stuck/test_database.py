"""Verification 6: uploads and jobs in the database."""


def test_database_is_reachable(database):
    """The database accepts a read-only session."""
    reach = database.reach()
    assert reach.ok, reach


def test_database_accepts_writes(database, limits):
    """The application's transactions can write: no standby, no read-only setting, and no commit
    that waits for a standby longer than `lock_wait_max`.
    """
    writes = database.writes(limits.lock_wait_max)
    assert writes.accepted, writes


def test_schema_is_as_expected(database):
    """The tables and columns that the checks read exist and are readable."""
    schema = database.schema()
    assert not schema.defects, schema


def test_no_stuck_upload_is_partial(transfers, stuck):
    """No sampled stuck upload stopped part-way, below 100 %, without a job or an error."""
    stopped = transfers.transfers(stuck)
    assert not stopped.partial, stopped


def test_no_stuck_upload_ran_out_of_time(database, stuck):
    """No sampled stuck upload has a timeout or an exceeded deadline as its error."""
    errors = database.recorded_errors(stuck)
    assert not errors.timeouts, errors


def test_stuck_uploads_have_a_job(database, received, limits):
    """Each sampled stuck upload that was received has a job."""
    jobs = database.jobs_of(received, limits.stuck_after)
    assert not jobs.without, jobs


def test_no_upload_was_passed_over(database, received, limits):
    """No sampled stuck upload is without a job while later uploads have one."""
    jobs = database.jobs_of(received, limits.stuck_after)
    assert not jobs.passed_over, jobs


def test_jobs_start_promptly(database, limits):
    """No job is `pending` longer than `job_pending_max`."""
    pending = database.pending_jobs(limits.job_pending_max, limits.processing_max)
    assert pending.total == 0, pending


def test_workers_keep_up(database, limits):
    """Workers start jobs before these have waited longer than `job_pending_max`."""
    starts = database.late_starts(limits.job_pending_max)
    assert not starts.are_late, starts


def test_no_job_was_passed_over(database, limits):
    """No job is `pending` longer than `job_pending_max` while later ones have started."""
    passed_over = database.passed_over_jobs(limits.job_pending_max)
    assert passed_over.total == 0, passed_over


def test_jobs_finish_in_time(jobs, limits):
    """No job is `processing` longer than `processing_max`."""
    running = jobs.running(limits.processing_max)
    assert running.total == 0, running


def test_late_jobs_have_a_worker(jobs, limits):
    """Each job that is late began while a worker ran that still does."""
    abandoned = jobs.abandoned(limits.processing_max)
    assert abandoned.total == 0, abandoned


def test_finished_jobs_updated_their_upload(database, limits):
    """No completed job leaves its upload in `uploading` or `processing`."""
    ended = database.ended_jobs(limits.processing_max)
    assert ended.unnoticed == ended.gone == 0, ended


def test_failed_jobs_recorded_an_error(database, limits):
    """Each failed job has recorded the failure or an error on its upload."""
    ended = database.ended_jobs(limits.processing_max)
    assert ended.unrecorded == 0, ended


def test_pending_jobs_are_in_the_queue(jobs_and_queue):
    """Each pending job has its message in the broker."""
    jobs = jobs_and_queue.jobs_in_queue()
    assert not jobs.messages_lost, jobs


def test_no_lock_blocks_uploads(database, limits):
    """The upload tables are readable, no session waits for a lock on them longer than
    `lock_wait_max`, or until a shorter time limit, or behind a transaction that is idle for that
    long, and no job that waits longer than `processing_max` is locked by another program.
    """
    locks = database.locks(limits.lock_wait_max, limits.processing_max)
    assert not locks.are_blocking, locks


def test_no_transaction_keeps_a_job(database, limits):
    """No job waits longer than `processing_max` while a transaction in which it may have begun has
    not ended.
    """
    locks = database.locks(limits.lock_wait_max, limits.processing_max)
    assert not locks.kept, locks


def test_no_write_is_slow(database, limits):
    """No statement takes seconds to write to the upload tables while uploads are stuck, or jobs
    unfinished longer than `job_pending_max`.
    """
    writes = database.slow_writes(limits.job_pending_max, limits.stuck_after)
    assert not writes.delay_work, writes
