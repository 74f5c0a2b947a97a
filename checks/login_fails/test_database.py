"""Verification 4: what the database allows the application."""


def test_database_is_reachable(accounts):
    """The database accepts a read-only session."""
    reach = accounts.reach()
    assert reach.ok, reach


def test_no_lock_blocks_logins(accounts, limits):
    """The tables of accounts are readable, and no session waits for a lock on them longer than
    `lock_wait_max`, or behind a transaction that is idle for that long.
    """
    locks = accounts.locks(limits.lock_wait_max)
    assert not locks.are_blocking, locks


def test_connections_are_free(accounts, login_limits):
    """At least `connections_free_min` of the application's connections are free."""
    connections = accounts.connections()
    assert connections.are_free(login_limits.connections_free_min), connections


def test_database_accepts_writes(accounts, limits):
    """The application's transactions can write: no standby, no read-only setting, and no commit
    that waits for a standby longer than `lock_wait_max`.
    """
    writes = accounts.writes(limits.lock_wait_max)
    assert writes.accepted, writes
