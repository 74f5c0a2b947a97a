"""Faults of the runbook "Login fails", and its controls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import psycopg

from lab import accounts, login_load
from lab.faults.model import LOGIN_FAILS, Family, Kind

if TYPE_CHECKING:
    from lab.faults.tools import FaultTools

BROKEN = Family(Kind.SINGLE, "login_route_broken", runbook=LOGIN_FAILS)
REFUSED = Family(Kind.SINGLE, "tokens_refused", runbook=LOGIN_FAILS)
SLOW = Family(Kind.SINGLE, "password_check_slow", runbook=LOGIN_FAILS)
LIMITED = Family(Kind.SINGLE, "rate_limit_hits_everybody", runbook=LOGIN_FAILS)
LOCKED = Family(Kind.SINGLE, "accounts_locked", runbook=LOGIN_FAILS)
BLOCKED = Family(Kind.SINGLE, "database_blocks_logins", runbook=LOGIN_FAILS)
CONTROLS = Family(Kind.CONTROL, runbook=LOGIN_FAILS)
OUTSIDE = Family(Kind.OUTSIDE, runbook=LOGIN_FAILS)
FAMILIES = (CONTROLS, BROKEN, REFUSED, SLOW, LIMITED, LOCKED, BLOCKED, OUTSIDE)

SILENT_MINUTES = 20
"""Age of the newest login where nobody has got in since."""
TWO_HOURS = 7200.0
HIGH_COST = 10_000_000
"""Rounds of a password's hash that take several seconds."""


@BROKEN.fault("login-panics", "a deploy broke the login: each one ends with HTTP 500")
def panics(tools: FaultTools) -> None:
    tools.turn_on(login_panics=True)
    _wait_for_status(tools, 500)
    _make_logins_older(tools)


@BROKEN.fault("login-route-gone", "a deploy lost the login's route: HTTP 404")
def route_gone(tools: FaultTools) -> None:
    tools.turn_on(login_route_gone=True)
    _wait_for_status(tools, 404)
    _make_logins_older(tools)


@REFUSED.fault("signing-key-changed", "tokens are signed with a new key, verified with the old one")
def key_changed(tools: FaultTools) -> None:
    tools.turn_on(verifies_with_old_key=True)
    _wait_for_refused_token(tools)


@REFUSED.fault("tokens-not-yet-valid", "the clock that dates the tokens is two hours ahead")
def clock_ahead(tools: FaultTools) -> None:
    tools.turn_on(token_clock_offset=TWO_HOURS)
    _wait_for_refused_token(tools)


@REFUSED.fault("tokens-born-expired", "the clock that dates the tokens is two hours behind")
def clock_behind(tools: FaultTools) -> None:
    tools.turn_on(token_clock_offset=-TWO_HOURS)
    _wait_for_refused_token(tools)


@SLOW.fault("hash-cost-raised", "the cost of a password's hash was raised: a login takes seconds")
def hash_cost_raised(tools: FaultTools) -> None:
    """Raise the cost, and have the account of the checks log in once.

    As in a real product each user's hash is made again at the next login, and is slow from then on.
    """
    stored = accounts.hash_password(tools.lab.passwords.login, HIGH_COST)
    tools.turn_on(hash_rounds=HIGH_COST)
    tools.query("UPDATE users SET password_hash = %s", stored)


@LIMITED.fault(
    "rate-limit-by-proxy", "the limit of logins counts everybody as one: the proxy's address"
)
def rate_limit(tools: FaultTools) -> None:
    tools.turn_on(ignores_proxy=True)
    _wait_for_status(tools, 429)
    _make_logins_older(tools)


@LOCKED.fault("accounts-locked", "a job gone wild has locked seven of ten accounts")
def locked(tools: FaultTools) -> None:
    tools.query(
        "UPDATE users SET status = 'locked', updated_at = now() WHERE email <> %s AND id IN"
        " (SELECT id FROM users ORDER BY email LIMIT (SELECT count(*) * 7 / 10 FROM users))",
        accounts.CHECKS_ACCOUNT,
    )
    _make_logins_older(tools)
    with _visitors(tools) as client:
        for number in range(accounts.USERS):
            login_load.visit(tools.lab, client, number)


@BLOCKED.fault("accounts-table-locked", "a migration holds an exclusive lock on the accounts")
def table_locked(tools: FaultTools) -> None:
    table = tools.lab.variant.login.locked_table
    tools.start_helper("table_lock", "--table", table)
    tools.wait_for_lock(table, "a login that waits for the lock")
    _make_logins_older(tools)


@BLOCKED.fault("connections-exhausted", "a job holds every connection that the API may have")
def connections_exhausted(tools: FaultTools) -> None:
    """Let a helper open sessions, and then allow the role no more than it holds."""
    _make_logins_older(tools)
    tools.start_helper("connection_hog")
    with psycopg.connect(tools.lab.superuser_dsn, connect_timeout=5, autocommit=True) as admin:
        counted = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'report-job'"
        tools.wait(lambda: admin.execute(counted).fetchone() == (HOGGED,), 20, "its sessions")
        admin.execute(f"ALTER ROLE veza CONNECTION LIMIT {HOGGED}")
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE usename = 'veza' AND application_name <> 'report-job'"
        )
    _wait_for_status(tools, 503)


HOGGED = 30
"""Sessions that `connection_hog` holds."""


@OUTSIDE.fault(
    "passwords-guessed",
    "somebody tries passwords on many accounts, from a few addresses",
    cause="passwords_guessed",
)
def passwords_guessed(tools: FaultTools) -> None:
    """Try until each address is limited, as a list of stolen passwords is tried."""
    with _visitors(tools) as client:
        for number in range(GUESSES):
            address = f"203.0.113.{number % GUESSERS + 1}"
            login_load.visit(tools.lab, client, number, is_wrong=True, address=address)


GUESSERS = 12
GUESSES = 26 * GUESSERS
"""More than the users' logins of `log_window`, and more for an address than its limit."""


@CONTROLS.fault("wrong-passwords", "users type wrong passwords, as they do on any day")
def wrong_passwords(tools: FaultTools) -> None:
    with _visitors(tools) as client:
        for number in range(24):
            login_load.visit(tools.lab, client, number, is_wrong=number % 3 == 0)


@CONTROLS.fault("login-burst", "many users log in at once, after an announcement")
def burst(tools: FaultTools) -> None:
    with _visitors(tools) as client:
        for number in range(3 * accounts.USERS):
            login_load.visit(tools.lab, client, number)


@CONTROLS.fault("one-account-locked", "one account is locked, as its owner has asked")
def one_locked(tools: FaultTools) -> None:
    tools.query(
        "UPDATE users SET status = 'locked', updated_at = now() WHERE email = %s",
        accounts.email_of(0),
    )
    with _visitors(tools) as client:
        login_load.visit(tools.lab, client, 0)


def _visitors(tools: FaultTools) -> httpx.Client:
    return httpx.Client(base_url=tools.lab.api_url, timeout=20)


def _wait_for_status(tools: FaultTools, status: int) -> None:
    """Log in as several users until the answer has this status."""
    numbers = iter(range(10**6))
    with _visitors(tools) as client:
        tools.wait(
            lambda: login_load.visit(tools.lab, client, next(numbers)) == status,
            30,
            f"a login that is answered with {status}",
        )


def _wait_for_refused_token(tools: FaultTools) -> None:
    def is_refused() -> bool:
        log = tools.lab.api_log.read_text(encoding="utf-8")
        message = tools.lab.variant.messages.get("token refused", "token refused")
        return log.count(message) >= REFUSED_TOKENS

    numbers = iter(range(10**6))

    def visit_until_refused() -> bool:
        login_load.visit(tools.lab, client, next(numbers))
        return is_refused()

    with _visitors(tools) as client:
        tools.wait(visit_until_refused, 30, "tokens that are refused")


REFUSED_TOKENS = 40
"""Refused tokens in the log that no ordinary day has."""


def _make_logins_older(tools: FaultTools) -> None:
    """Move all logins into the past: since then, nobody has got in."""
    statement: Any = "UPDATE login_attempts SET created_at = created_at - make_interval(mins => %s)"
    tools.query(statement, SILENT_MINUTES)
