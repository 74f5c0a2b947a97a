"""Host names are resolved once, and what is known of them is shared."""

from __future__ import annotations

import time

import pytest

from fixtures.probes import names


def test_an_address_is_asked_of_no_name_server() -> None:
    """IPv4 and IPv6 addresses are returned as they are."""
    for address in ("127.0.0.1", "::1", "fe80::1%eth0"):
        assert names.addresses(address) == (address,)
    assert not set(names.known()) & {"127.0.0.1", "::1", "fe80::1%eth0"}


def test_a_name_is_resolved_once_and_can_be_learned() -> None:
    """Another process takes over the addresses; upper and lower case are one name."""
    found = names.addresses("localhost")
    assert set(found) <= {"127.0.0.1", "::1"}
    assert names.known()["localhost"] == found
    names.learn({"db.veza.example": ["192.0.2.7", "2001:db8::7"]}, 1.0)
    assert names.addresses("DB.veza.example") == ("192.0.2.7", "2001:db8::7")


def test_the_addresses_of_a_name_share_its_time() -> None:
    """Each address gets its part of what is left, so that all together end in time."""
    names.learn({"two.veza.example": ["192.0.2.1", "192.0.2.2"]}, 1.0)
    (first, half), (second, rest) = names.share("two.veza.example", 10.0)
    assert (first, second) == ("192.0.2.1", "192.0.2.2")
    assert half <= 5.0
    assert half <= rest <= 10.0


def test_a_silent_name_server_is_not_waited_for_again() -> None:
    """A name that timed out in another process is refused at once, with the remedy."""
    names.learn({"silent.veza.example": None}, 3.0)
    started = time.monotonic()
    with pytest.raises(names.NameTimeout, match="within 3 s for its name; check the name servers"):
        names.addresses("silent.veza.example")
    assert time.monotonic() - started < names.SECONDS_MAX
    assert names.known()["silent.veza.example"] is None
