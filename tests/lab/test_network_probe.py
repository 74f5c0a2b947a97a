"""Which server answers this machine: real sockets on loopback."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from functools import partial

import pytest

from fixtures.network import address, database_addresses
from fixtures.probes.errors import AccessRefused, NotOffered
from fixtures.probes.network import NetworkProbe, Server
from fixtures.probes.reachability import Reachability

DOWN = partial(Reachability, "here", False, "it cannot be reached")
UP = partial(Reachability, "here", True, "it answers")


@pytest.fixture
def free_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


@pytest.fixture
def open_port() -> Iterator[int]:
    """A port that accepts connections, and whose server says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_server_that_is_reached_answers(free_port: int) -> None:
    """No connection of its own is made then: nothing listens on the port."""
    network = NetworkProbe([Server("127.0.0.1", free_port, UP)]).look()
    assert str(network) == f"127.0.0.1:{free_port} answers this machine"


def test_a_server_that_refuses_the_login_answers(free_port: int) -> None:
    """It has read what it refuses."""

    def refused() -> Reachability:
        raise AccessRefused("the login is refused")

    assert NetworkProbe([Server("127.0.0.1", free_port, refused)]).look().answers


def test_a_refused_connection_is_an_answer(free_port: int) -> None:
    """A machine that is there refuses it, whatever became of the others."""
    servers = [Server("no-such-host.invalid", 80, DOWN), Server("127.0.0.1", free_port)]
    network = NetworkProbe(servers).look()
    assert network.is_there
    assert str(network).startswith(f"127.0.0.1:{free_port} refuses a connection: its machine ")


def test_a_server_that_hangs_answers(open_port: int) -> None:
    """Its machine accepts the connection."""
    network = NetworkProbe([Server("127.0.0.1", open_port, DOWN)]).look()
    assert (network.answers, network.is_there) == (f"127.0.0.1:{open_port}", True)


def test_without_any_answer_the_network_is_not_there() -> None:
    """Each attempt is named with its error."""
    network = NetworkProbe([Server("no-such-host.invalid", 80, DOWN)]).look()
    assert not network.is_there
    assert str(network).startswith("no server answers this machine: no-such-host.invalid:80: ")


def test_a_target_with_the_broker_alone_is_not_asked(free_port: int) -> None:
    """Its log would tell of a broken connection after each run."""
    with pytest.raises(NotOffered, match=r"no \[api\], and no \[database\] over the network"):
        NetworkProbe([Server("127.0.0.1", free_port)]).look()


@pytest.mark.parametrize(
    ("dsn", "places"),
    [
        ("postgresql://u@a:1,b/veza", [("a", 1), ("b", 5432)]),
        ("host=a,b port=7 dbname=veza", [("a", 7), ("b", 7)]),
        ("host=/run/postgresql dbname=veza", []),
        ("hostaddr=10.0.0.7 dbname=veza", [("10.0.0.7", 5432)]),
        ("postgresql://", []),
        ("no connection string", []),
    ],
)
def test_where_a_connection_string_leads(dsn: str, places: list[tuple[str, int]]) -> None:
    """Several hosts have a port each, or one for all; a socket is no server of the network."""
    assert database_addresses(dsn) == places


def test_where_a_url_leads() -> None:
    """Without a port it is that of the scheme."""
    assert address("https://api.veza.test/v1") == ("api.veza.test", 443)
    assert address("amqp://u:p@[::1]:5673/") == ("::1", 5673)
