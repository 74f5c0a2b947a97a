"""What a login's answer holds: a token at a JSON pointer, and what a JWT says of itself."""

from __future__ import annotations

import time

import pytest

from core.units import Amount
from fixtures.probes.login.results import LoginDelay, TokenTimes
from fixtures.probes.login.visit import claims_in, value_at
from fixtures.probes.postgres.accounts import Attempts, Connections, LockedAccounts, shown_id
from lab import accounts


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("/data/token", "t"),
        ("/data/list/1", "b"),
        ("/data/a~1b", "slash"),
        ("/data/missing", None),
        ("/data/list/7", None),
        ("/data/token/deeper", None),
    ],
)
def test_a_pointer_leads_to_a_value_or_nowhere(pointer: str, value: object) -> None:
    """A JSON pointer finds keys and items, and None where there is nothing."""
    answer = {"data": {"token": "t", "list": ["a", "b"], "a/b": "slash"}}
    assert value_at(answer, pointer) == value


@pytest.mark.parametrize("token", ["opaque", "a.b", "a.%%%.c", "e30.W10.x", "x." * 9000 + "y"])
def test_an_opaque_token_has_no_claims(token: str) -> None:
    """What is no JWT is left alone."""
    assert claims_in(token) is None


def test_a_jwt_has_claims() -> None:
    """The claims of a JWT are read without its key."""
    token = accounts.sign(accounts.claims_of("u1", "s1", time.time()), "key")
    assert (claims_in(token) or {})["sub"] == "u1"


@pytest.mark.parametrize(
    ("starts", "ends", "is_valid"),
    [
        (0.0, 3600.0, True),
        (30.0, 3630.0, True),
        (7200.0, 10800.0, False),
        (-7200.0, -3600.0, False),
        (None, 3600.0, True),
        (0.0, None, True),
    ],
)
def test_a_token_is_valid_between_its_times(
    starts: float | None, ends: float | None, is_valid: bool
) -> None:
    """A token is valid from its start to its end, give or take a minute of two clocks."""
    assert TokenTimes("the API", starts, ends, "its own").is_valid_now(60) is is_valid


def test_a_login_is_slow_alone_or_with_the_request_after_it() -> None:
    """A hash takes its time in the login alone; a slow database or API takes it in both."""
    assert not LoginDelay("the API", 6.9, 0.1).is_at_most(3)
    assert LoginDelay("the API", 6.9, 6.0).is_at_most(3)


@pytest.mark.parametrize(
    ("locked", "limit", "few"), [(1, "5%", True), (3, "5%", False), (3, "3", True), (2, "1", False)]
)
def test_locked_accounts_have_a_limit(locked: int, limit: str, few: bool) -> None:
    """A share or a number; a single locked account is never more than a share allows."""
    accounts_locked = LockedAccounts("db", 10, locked, (("a1", "locked"),), Amount.parse(limit))
    assert accounts_locked.are_too_many is not few
    assert bool(accounts_locked.affected()) is not few


def test_logins_stop_where_many_are_usual() -> None:
    """Three logins are a stop where a hundred are usual; eighty are not."""
    assert Attempts("db", 900, 3, 0, usual=100, last_success=1200).have_stopped
    assert not Attempts("db", 900, 90, 80, usual=100, last_success=2).have_stopped


def test_connections_are_used_up_before_the_last() -> None:
    """A share is kept free; with a limit of 0, nothing is."""
    assert not Connections("db", "the role veza", 30, 30).are_free(Amount.parse("5%"))
    assert Connections("db", "the server", 5, 97).are_free(Amount.parse("5%"))
    assert not Connections("db", "the role veza", 0, 0).are_free(Amount.parse("0"))


def test_an_address_is_shown_as_a_hash() -> None:
    """An account's id is shown as it is, and an e-mail address never."""
    assert shown_id("120007") == "120007"
    assert "@" not in shown_id("somebody@example.org")
    assert shown_id("Somebody@example.org") == shown_id("somebody@example.org")
