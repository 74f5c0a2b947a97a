"""Many ssh hosts on loopback: names of one sshd in a client's configuration."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PRIVSEP_DIR = Path("/run/sshd")
STARTING = 20.0
"""Seconds that sshd may take to listen."""


@contextmanager
def ssh_hosts(folder: Path, number: int) -> Iterator[tuple[list[str], str, int]]:
    """Start an sshd; yields the specs of `number` hosts, a target's [ssh] table, and its pid."""
    sshd = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if sshd is None:
        sys.exit("there is no sshd here: apt-get install openssh-server")
    folder.mkdir(parents=True, exist_ok=True)
    for key in ("host", "user"):
        (folder / key).unlink(missing_ok=True)
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)]
        subprocess.run(command, check=True)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    (folder / "sshd.conf").write_text(
        f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {folder / 'host'}\nPidFile none\n"
        f"AuthorizedKeysFile {folder / 'user.pub'}\nStrictModes no\nUsePAM no\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\n"
        # One server stands for many: each of those would accept ten connections at once. The
        # start-up files of this machine's user would run with each command.
        f"PermitRootLogin prohibit-password\nMaxStartups 1000\nSetEnv HOME={folder}\n"
    )
    names = [f"bench-{place:03}" for place in range(1, number + 1)]
    known = (folder / "host.pub").read_text(encoding="utf-8")
    (folder / "known_hosts").write_text(f"bench-host {known}")
    (folder / "ssh.conf").write_text(
        f"Host {' '.join(names)}\n  HostName 127.0.0.1\n  Port {port}\n"
        f"  HostKeyAlias bench-host\n  User {getpass.getuser()}\n  IdentitiesOnly yes\n"
        f"  UserKnownHostsFile {folder / 'known_hosts'}\n  GlobalKnownHostsFile /dev/null\n"
    )
    if os.geteuid() == 0:
        PRIVSEP_DIR.mkdir(mode=0o755, exist_ok=True)
    command = [sshd, "-D", "-f", str(folder / "sshd.conf"), "-E", str(folder / "sshd.log")]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as server:
        try:
            wait_for(port)
            table = f'config_file = "{folder}/ssh.conf"\nidentity_file = "{folder}/user"\n'
            yield [f"ssh://{name}" for name in names], table, server.pid
        finally:
            server.terminate()


def wait_for(port: int) -> None:
    """Wait until a server listens on a port of loopback."""
    ends = time.monotonic() + STARTING
    while True:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        if time.monotonic() > ends:
            sys.exit(f"nothing listens on port {port} after {STARTING:g} s")
        time.sleep(0.05)
