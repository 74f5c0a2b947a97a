"""Verification 5: the lines about logins in the application's logs."""


def test_no_crash_of_the_login_is_logged(login_logs):
    """No line of `crash_lines` was logged within `log_window`."""
    crashes = login_logs.lines("login-crash")
    assert crashes.none, crashes


def test_few_logins_are_rate_limited(login_logs, login_limits):
    """At most `limited_lines_max` lines of `limited_lines` were logged within `log_window`."""
    limited = login_logs.lines("limited-login")
    assert limited.are_at_most(login_limits.limited_lines_max), limited


def test_few_tokens_are_refused(login_logs, login_limits):
    """At most `refused_tokens_max` lines of `refused_token_lines` were logged within
    `log_window`.
    """
    refused = login_logs.lines("refused-token")
    assert refused.are_at_most(login_limits.refused_tokens_max), refused
