"""Many hosts behind ssh: names of one real server."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from fixtures.probes.errors import Unreachable
from fixtures.probes.host.processes import ProcessProbe
from fixtures.probes.host.shell import Hosts
from fixtures.probes.host.storage import StorageProbe
from tests.lab.fix_ssh import SshServer
from tests.lab.test_shell import callers, children
from tests.waiting import PATIENCE, eventually

NAMES = [f"many-{number}" for number in range(1, 31)]


@pytest.fixture
def hung() -> Iterator[socket.socket]:
    """A server that accepts connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.fixture
def many(ssh_server: SshServer, hung: socket.socket, tmp_path: Path) -> Iterator[Hosts]:
    """The hosts of `NAMES`, and `hung`."""
    trusting = ssh_server.config()
    config = tmp_path / "ssh.conf"
    config.write_text(
        f"Host hung\n  HostName 127.0.0.1\n  Port {hung.getsockname()[1]}\n"
        f"Host many-*\n  HostName 127.0.0.1\n  Port {ssh_server.port}\n"
        f"  User {getpass.getuser()}\nInclude {trusting}\n"
    )
    hosts = Hosts(PATIENCE, str(config), ssh_server.identity)
    yield hosts
    hosts.close()


def test_a_host_that_hangs_is_waited_for_once(
    many: Hosts, hung: socket.socket, tmp_path: Path
) -> None:
    """It holds up no other host, and all that look at it wait for one connection."""
    shells = [many.shell(f"ssh://{name}") for name in ("hung", *NAMES)]
    storage = StorageProbe(shells, str(tmp_path), "root")
    worker = ProcessProbe(shells, "no such worker")
    with ThreadPoolExecutor() as pool:
        looks: list[Future[object]] = [
            pool.submit(storage.directory),
            pool.submit(worker.running),
        ]
        reaching = [pool.submit(many.reach, f"ssh://{name}") for name in ("hung", *NAMES)]
        others = [future.result() for future in reaching[1:]]
        assert [str(reach) for reach in others if not reach.ok] == []
        assert [reach.host for reach in others] == [f"ssh://{name}" for name in NAMES]
        eventually(lambda: callers(hung) == 1, "the connection to the host that hangs")
        assert not reaching[0].done()
        assert not any(look.done() for look in looks)
        hung.close()
        assert not reaching[0].result().ok
        for look in looks:
            with pytest.raises(Unreachable, match="host ssh://hung cannot be reached"):
                look.result()


def test_all_connections_are_closed_together(many: Hosts, tmp_path: Path) -> None:
    """Each host has been asked, and after close() no ssh process is left."""
    shells = [many.shell(f"ssh://{name}") for name in NAMES]
    directory = StorageProbe(shells, str(tmp_path), "root").directory()
    assert str(directory) == f"{tmp_path} is a directory on 30 hosts"
    masters = [command for command in children() if "ControlMaster=yes" in command]
    assert len(masters) == len(NAMES)
    many.close()
    assert not [command for command in children() if command.startswith("ssh ")]
