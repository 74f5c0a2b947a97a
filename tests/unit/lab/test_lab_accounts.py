"""The lab's accounts: hashes, tokens, and the limit of logins."""

from __future__ import annotations

import time

import pytest

from lab import accounts
from lab.logins import ATTEMPTS_MAX, RateLimit


def test_a_hash_is_of_its_password_alone() -> None:
    """A stored hash accepts its password, refuses another, and names its cost."""
    stored = accounts.hash_password("open sesame", rounds=10)
    assert accounts.is_password("open sesame", stored)
    assert not accounts.is_password("open sesam", stored)
    assert accounts.rounds_of(stored) == 10


def test_a_token_is_accepted_with_its_key_alone() -> None:
    """A token has its claims back with the key that signed it; with another it is refused."""
    token = accounts.sign(accounts.claims_of("u1", "s1", time.time()), "key")
    assert accounts.verify(token, "key")["sub"] == "u1"
    with pytest.raises(accounts.TokenError, match="signature"):
        accounts.verify(token, "other")


@pytest.mark.parametrize(
    ("offset", "reason"), [(7200, "not valid yet"), (-7200, "expired"), (20, ""), (-20, "")]
)
def test_a_token_has_its_time(offset: float, reason: str) -> None:
    """A token of a clock that is hours off is refused; seconds do not matter."""
    token = accounts.sign(accounts.claims_of("u1", "s1", time.time() + offset), "key")
    if not reason:
        assert accounts.verify(token, "key")
        return
    with pytest.raises(accounts.TokenError, match=reason):
        accounts.verify(token, "key")


def test_the_limit_counts_each_address() -> None:
    """One address more than the limit has to wait; another one does not."""
    limit = RateLimit()
    assert not any(limit.wait_for("a") for _ in range(ATTEMPTS_MAX))
    assert 0 < limit.wait_for("a") <= 60
    assert limit.wait_for("b") == 0
