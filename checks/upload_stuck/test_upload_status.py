"""Verification 1: the status of uploads by the API."""


def test_api_is_reachable(api):
    """The API gives an HTTP answer."""
    reach = api.reach()
    assert reach.ok, reach


def test_api_answers_without_server_error(api):
    """The API answers a status request without an HTTP 5xx."""
    answer = api.first_answer()
    assert answer.ok, answer
    # The first request is for an unused id.
    known = api.known_answer()
    assert known.ok, known


def test_api_answers_promptly(api, limits):
    """The API answers a status request within `api_answer_max`."""
    answer = api.answer_time(limits.api_answer_max)
    assert answer.ok, answer
    known = api.known_answer_time(limits.api_answer_max)
    assert known.ok, known


def test_token_is_accepted(api):
    """The API accepts the target's token."""
    token = api.token()
    assert token.accepted, token


def test_api_is_ready(api):
    """The API reports that it is ready."""
    readiness = api.readiness()
    assert readiness.ok, readiness


def test_worker_health_is_ok(api):
    """The API reports a healthy job worker."""
    health = api.worker_health()
    assert health.ok, health


def test_broker_accepts_the_application(api):
    """The API does not report that the broker refuses its login or its rights."""
    access = api.broker_access()
    assert not access.refusals, access


def test_uploads_have_left_uploading(api, subjects, limits):
    """The API reports none of the sampled uploads as still `uploading` or `pending`."""
    statuses = api.statuses(subjects, limits.stuck_after)
    assert not statuses.stuck, statuses


def test_progress_agrees_with_status(api, subjects, limits):
    """The API reports no sampled upload at 100 % progress as still `uploading` or `pending`."""
    statuses = api.statuses(subjects, limits.stuck_after)
    statuses.require_progress()
    assert not statuses.stuck_at_full_progress, statuses


def test_api_agrees_with_database(api_and_database, subjects, limits):
    """The API and the database report the same status of each sampled or finished upload."""
    same = api_and_database.same_status(subjects, limits.stuck_after)
    assert not same.differences, same


def test_metrics_are_served(metrics):
    """The API serves the metrics that the runbook watches."""
    served = metrics.served()
    assert not served.missing, served


def test_stuck_uploads_have_an_alert(alert_rules):
    """An alert rule in Prometheus is about uploads that wait; without one the check is skipped."""
    rules = alert_rules.about_waiting()
    assert rules.about_waiting, rules


def test_completed_track_is_served(tracks, database):
    """The API serves the track of the newest upload that completed some seconds ago."""
    newest = database.newest_completed()
    track = tracks.track(newest.known_id, newest.track_id)
    assert track.served, track
