"""An OpenSSH server on loopback, with keys of its own, for as long as the tests want it."""

from __future__ import annotations

import fcntl
import getpass
import os
import shutil
import socket
import subprocess
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fixtures.probes.host.shell import Shell
from tests.waiting import PATIENCE, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

SEPARATION = Path("/run/sshd")
"""Where sshd, run by root, locks up the process that talks to strangers."""
OURS = "made-by-tests"


@dataclass(frozen=True)
class SshServer:
    """A running server and what a client needs to be let in."""

    folder: Path
    port: int
    pid: int

    @property
    def spec(self) -> str:
        """The server as a host spec."""
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}"

    @property
    def identity(self) -> str:
        """The key that is let in."""
        return str(self.folder / "user")

    def config(self, name: str = "known", known_hosts: str = "known_hosts") -> str:
        """Write a client configuration that believes only `known_hosts`; returns its path."""
        path = self.folder / f"{name}.conf"
        path.write_text(
            f"Host *\n  UserKnownHostsFile {self.folder / known_hosts}\n"
            "  GlobalKnownHostsFile /dev/null\n  StrictHostKeyChecking yes\n  IdentitiesOnly yes\n"
        )
        return str(path)

    def shell(self, timeout: float = PATIENCE) -> Shell:
        """Return a Shell that gets in."""
        return Shell(
            self.spec, timeout=timeout, ssh_config=self.config(), ssh_identity=self.identity
        )


@pytest.fixture(scope="session")
def ssh_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    """A server that lets the user who runs the tests in, by key."""
    sshd = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if sshd is None or shutil.which("ssh") is None:
        pytest.skip("there is no sshd here: apt-get install openssh-server")
    folder = tmp_path_factory.mktemp("sshd")
    for key in ("host", "user", "stranger"):
        command = [
            "ssh-keygen",
            "-q",
            "-t",
            "ed25519",
            "-N",
            "",
            "-C",
            key,
            "-f",
            str(folder / key),
        ]
        subprocess.run(command, check=True, timeout=PATIENCE)
    port = free_port()
    (folder / "authorized_keys").write_bytes((folder / "user.pub").read_bytes())
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {(folder / 'host.pub').read_text()}")
    (folder / "sshd.conf").write_text(
        f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {folder / 'host'}\nPidFile none\n"
        f"AuthorizedKeysFile {folder / 'authorized_keys'}\nStrictModes no\nUsePAM no\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\n"
        "PermitRootLogin prohibit-password\n"
    )
    log = folder / "sshd.log"
    with separation() if os.geteuid() == 0 else nullcontext():
        process = subprocess.Popen(
            [sshd, "-D", "-f", str(folder / "sshd.conf"), "-E", str(log)], stdin=subprocess.DEVNULL
        )
        try:
            eventually(lambda: listens(port) or process.poll() is not None, "sshd to listen")
            assert process.poll() is None, log.read_text()
            yield SshServer(folder, port, process.pid)
        finally:
            process.terminate()
            process.wait(PATIENCE)


@contextmanager
def separation() -> Iterator[None]:
    """Keep sshd's directory while any process that tests needs it; the last one removes it."""
    while True:
        with suppress(FileExistsError):
            SEPARATION.mkdir(mode=0o755)
            (SEPARATION / OURS).touch()
        # Once more where the one that was the last until now removes it meanwhile.
        with suppress(FileNotFoundError):
            held = os.open(SEPARATION, os.O_RDONLY)
            fcntl.flock(held, fcntl.LOCK_SH)
            if os.fstat(held).st_nlink:
                break
            os.close(held)
    try:
        yield
    finally:
        with suppress(BlockingIOError):
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if (SEPARATION / OURS).exists():
                (SEPARATION / OURS).unlink()
                SEPARATION.rmdir()
        os.close(held)


@pytest.fixture(params=["local", "ssh"])
def shell(request: pytest.FixtureRequest) -> Iterator[Shell]:
    """A host to look at: this machine as it is, and this machine through ssh."""
    if request.param == "local":
        opened = Shell("local://", timeout=PATIENCE)
    else:
        opened = request.getfixturevalue("ssh_server").shell()
    yield opened
    opened.close()


def free_port() -> int:
    """Return a TCP port of loopback on which nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def listens(port: int) -> bool:
    """Say whether something accepts connections on a port of loopback."""
    with socket.socket() as client:
        client.settimeout(PATIENCE)
        return client.connect_ex(("127.0.0.1", port)) == 0
