"""The signal: symptoms of stuck uploads that a user or an alert sees."""


def test_no_upload_is_stuck(database, limits):
    """No upload stays in `uploading` or `pending` longer than `stuck_after`."""
    stuck = database.stuck_uploads(limits.stuck_after)
    assert stuck.total == 0, stuck


def test_no_upload_overstays_processing(database, limits):
    """No upload stays in `processing` longer than `processing_max`."""
    overdue = database.overdue_processing(limits.processing_max)
    assert overdue.total == 0, overdue


def test_uploading_gauge_is_low(metrics, limits):
    """The API's metric counts at most `uploading_gauge_max` uploads in `uploading`."""
    uploading = metrics.uploading(limits.uploading_gauge_max)
    assert uploading.value <= limits.uploading_gauge_max, uploading


def test_processing_time_is_normal(processing, limits):
    """The mean processing time of recent uploads is at most `processing_max`."""
    mean = processing.mean_time(limits.log_window)
    assert mean.seconds <= limits.processing_max, mean


def test_uploads_do_not_all_fail(database, limits):
    """Not all uploads of several users that ended last have failed."""
    last = database.last_jobs(limits.processing_max)
    assert not last.all_failed, last


def test_uploads_are_completing(database, limits):
    """Uploads complete while work is waiting."""
    flow = database.flow(limits.processing_max)
    assert not flow.stands_still, flow
