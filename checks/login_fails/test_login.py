"""Verification 1: one login as the synthetic account."""


def test_api_is_reachable(login):
    """The API gives an HTTP answer."""
    reach = login.reach()
    assert reach.ok, reach


def test_login_route_exists(login):
    """The route of the login exists and answers with data."""
    answer = login.route()
    assert not answer.problem, answer


def test_login_answers_without_server_error(login):
    """The login is answered without an HTTP 5xx."""
    answer = login.errors()
    assert not answer.problem, answer


def test_login_is_fast(login, login_limits):
    """A login is answered within `time_max`."""
    time = login.time()
    assert time.is_within(login_limits.time_max), time


def test_login_is_not_rate_limited(login):
    """The only login of this run is not refused as one too many."""
    rate = login.rate()
    assert not rate.refused, rate


def test_account_is_let_in(login):
    """The synthetic account is let in with its password."""
    credentials = login.credentials()
    assert credentials.accepted, credentials
