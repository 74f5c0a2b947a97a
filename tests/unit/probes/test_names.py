"""Host names are resolved once."""

from __future__ import annotations

import socket
import threading

import pytest

from fixtures.probes import names


def test_an_address_is_asked_of_no_name_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """IPv4 and IPv6 addresses are returned as they are."""
    monkeypatch.delattr(socket, "getaddrinfo")
    for address in ("127.0.0.1", "::1", "fe80::1%eth0"):
        assert names.addresses(address) == (address,)


def test_a_name_is_resolved_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Upper and lower case are one name, and the resolver is asked once for it."""
    asked = []

    def resolve(host: str, *_args: object, **_options: object) -> list[tuple[object, ...]]:
        asked.append(host)
        return [(0, 0, 0, "", (address, 0)) for address in ("192.0.2.7", "2001:db8::7")]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert names.addresses("db.veza.example") == ("192.0.2.7", "2001:db8::7")
    assert names.addresses("DB.veza.example") == ("192.0.2.7", "2001:db8::7")
    assert asked == ["db.veza.example"]
    names.start([])
    names.addresses("db.veza.example")
    assert asked == ["db.veza.example"] * 2, "the next run of this process asks again"


def test_the_addresses_of_a_name_share_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each address gets its part of what is left, so that all together end in time."""
    entries = [(0, 0, 0, "", (address, 0)) for address in ("192.0.2.1", "192.0.2.2")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: entries)
    (first, half), (second, remaining) = names.share("two.veza.example", 10.0)
    assert (first, second) == ("192.0.2.1", "192.0.2.2")
    assert half <= 5.0
    assert half <= remaining <= 10.0


def test_a_silent_name_server_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second question is refused at once, with the remedy."""
    silent = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: [silent.wait()][1:])
    names.start(["silent.veza.example"], 0.3)
    for _ in range(2):
        with pytest.raises(names.NameTimeout, match=r"within 0\.3 s for its name; check the"):
            names.addresses("silent.veza.example")
    silent.set()
