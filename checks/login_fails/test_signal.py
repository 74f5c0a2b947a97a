"""The signal: what users and alerts see of a login that fails."""


def test_logins_have_not_stopped(accounts, limits, login_limits):
    """Where users usually log in, some have got in within `log_window`."""
    attempts = accounts.attempts(limits.log_window, login_limits.attempts_min)
    assert not attempts.have_stopped, attempts


def test_most_logins_succeed(accounts, limits, login_limits):
    """At least `success_min` of the logins within `log_window` succeed."""
    attempts = accounts.outcomes(limits.log_window, login_limits.attempts_min)
    assert attempts.succeed_at_least(login_limits.success_min), attempts
