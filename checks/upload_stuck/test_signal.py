"""The signal: what a user or an alert sees of uploads that are stuck."""


def test_no_upload_is_stuck(database, limits):
    """No upload stays in uploading for longer than it may."""
    stuck = database.stuck_uploads(limits.stuck_after)
    assert stuck.total == 0, stuck


def test_no_upload_overstays_processing(database, limits):
    """No upload stays in processing for longer than it may."""
    overstayed = database.overstayed_processing(limits.processing_max)
    assert overstayed.total == 0, overstayed


def test_uploading_gauge_is_low(metrics, limits):
    """The metric of uploads that are uploading stays under its threshold."""
    uploading = metrics.uploading()
    assert uploading.value <= limits.uploading_gauge_max, uploading


def test_processing_time_is_normal(pace, limits):
    """Recent uploads are processed within the time allowed, on average."""
    mean = pace.processing_time(limits.log_window)
    assert mean.seconds <= limits.processing_max, mean


def test_uploads_are_completing(database, limits):
    """While work is waiting, something has completed lately."""
    flow = database.flow(limits.processing_max)
    assert not flow.stands_still, flow
