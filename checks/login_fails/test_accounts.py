"""Verification 3: the accounts."""


def test_few_accounts_are_locked(accounts, login_limits):
    """At most `accounts_locked_max` of the accounts are locked."""
    locked = accounts.locked(login_limits.accounts_locked_max)
    assert not locked.are_too_many, locked
