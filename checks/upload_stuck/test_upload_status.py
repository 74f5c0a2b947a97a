"""Verification 1: what the API tells its user."""


def test_api_is_reachable(api):
    """The API answers, and not with a failure of its own."""
    reach = api.reach()
    assert reach.ok, reach


def test_token_is_accepted(api):
    """The API accepts the token of the target file."""
    token = api.token()
    assert token.accepted, token


def test_api_is_ready(api):
    """The API says that it is ready."""
    readiness = api.readiness()
    assert readiness.ok, readiness


def test_worker_health_is_ok(api):
    """The API says that its job worker is well."""
    health = api.worker_health()
    assert health.ok, health


def test_uploads_have_left_uploading(api, subjects, limits):
    """None of the uploads looked at is still uploading, as the API tells its user."""
    statuses = api.statuses(subjects, limits.stuck_after)
    assert not statuses.stuck, statuses


def test_progress_agrees_with_status(api, subjects, limits):
    """No upload whose bytes have all arrived is still uploading."""
    statuses = api.statuses(subjects, limits.stuck_after)
    assert not statuses.stuck_when_whole, statuses


def test_api_agrees_with_database(api, api_and_database, subjects, limits):
    """API and database report the same status of each upload looked at."""
    statuses = api.statuses(subjects, limits.stuck_after)
    same = api_and_database.same_status(subjects, statuses)
    assert not same.differences, same


def test_metrics_are_served(metrics):
    """The API serves the metrics that the runbook watches."""
    served = metrics.served()
    assert not served.missing, served


def test_completed_track_is_served(api, database):
    """The track of the newest completed upload is served."""
    newest = database.newest_completed()
    track = api.track(newest.track_id)
    assert track.served, track
