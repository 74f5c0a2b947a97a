"""Fixtures `ssh_server` and `shell`: an OpenSSH server on loopback with its own keys."""

from __future__ import annotations

import fcntl
import getpass
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from fixtures.probes.host.shell import Shell
from tests.waiting import PATIENCE, eventually

PRIVSEP_DIR = Path("/run/sshd")
"""Directory to which sshd, run by root, confines its unprivileged process."""
MARKER = "made-by-tests"


@dataclass(frozen=True)
class SshServer:
    """A running server, and the keys and configuration of its client."""

    folder: Path
    port: int
    pid: int

    @property
    def spec(self) -> str:
        """Host spec of the server."""
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}"

    @property
    def identity(self) -> str:
        """Path of the private key that the server accepts."""
        return str(self.folder / "user")

    def config(self, name: str = "known", known_hosts: str = "known_hosts") -> str:
        """Write a client configuration that trusts only `known_hosts`; returns its path."""
        path = self.folder / f"{name}.conf"
        path.write_text(
            f"Host *\n  UserKnownHostsFile {self.folder / known_hosts}\n"
            "  GlobalKnownHostsFile /dev/null\n  StrictHostKeyChecking yes\n  IdentitiesOnly yes\n"
        )
        return str(path)

    def shell(self, timeout: float = PATIENCE) -> Shell:
        """Return a Shell on the server."""
        return Shell(
            self.spec, timeout=timeout, ssh_config=self.config(), ssh_identity=self.identity
        )


@pytest.fixture(scope="session")
def ssh_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    """A server that accepts the user who runs the tests, by key."""
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
        # Without the start-up files of the user's shell, which would run with each command.
        f"PermitRootLogin prohibit-password\nSetEnv HOME={folder}\n"
    )
    log = folder / "sshd.log"
    with privsep_dir() if os.geteuid() == 0 else nullcontext():
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
def privsep_dir() -> Iterator[None]:
    """Keep sshd's directory while any test process needs it; the last one removes it."""
    while True:
        with suppress(FileExistsError):
            PRIVSEP_DIR.mkdir(mode=0o755)
            (PRIVSEP_DIR / MARKER).touch()
        # Another process may remove it between mkdir and the lock: then try again.
        with suppress(FileNotFoundError):
            descriptor = os.open(PRIVSEP_DIR, os.O_RDONLY)
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            if os.fstat(descriptor).st_nlink:
                break
            os.close(descriptor)
    try:
        yield
    finally:
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if (PRIVSEP_DIR / MARKER).exists():
                (PRIVSEP_DIR / MARKER).unlink()
                PRIVSEP_DIR.rmdir()
        os.close(descriptor)


@pytest.fixture(params=["local", "ssh"])
def shell(request: pytest.FixtureRequest) -> Iterator[Shell]:
    """A shell on this machine: directly, and through ssh."""
    if request.param == "local":
        shell = Shell("local://", timeout=PATIENCE)
    else:
        shell = request.getfixturevalue("ssh_server").shell()
    yield shell
    shell.close()


def free_port() -> int:
    """Return a TCP port of loopback on which nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def listens(port: int) -> bool:
    """Return whether a server accepts connections on a port of loopback."""
    with socket.socket() as client:
        client.settimeout(PATIENCE)
        return client.connect_ex(("127.0.0.1", port)) == 0
