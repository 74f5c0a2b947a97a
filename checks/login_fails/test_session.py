"""Verification 2: the token of that login."""


def test_new_token_is_accepted(login):
    """The API accepts a token that it has just issued."""
    token = login.token()
    assert token.accepted, token


def test_login_is_not_slow_alone(login, login_limits):
    """The login takes at most `time_max` longer than the next request of its session."""
    delay = login.delay()
    assert delay.is_at_most(login_limits.time_max), delay


def test_new_token_is_valid_now(login, login_limits):
    """A token that was just issued is valid now, give or take `clock_difference_max`."""
    times = login.token_times()
    assert times.is_valid_now(login_limits.clock_difference_max), times
