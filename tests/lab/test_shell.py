"""Commands on a real host: this one as it is, and this one behind a real ssh server."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fixtures.probes.errors import Unreachable
from fixtures.probes.host.shell import Hosts, Shell, TimedOut
from lab.processes import process_state
from tests.lab.fix_ssh import free_port
from tests.waiting import PATIENCE, eventually

if TYPE_CHECKING:
    from tests.lab.fix_ssh import SshServer

HOSTILE = 'it\'s $(touch pwned) `id` "q" \\ *'


def test_arguments_arrive_as_they_are(shell: Shell, tmp_path: Path) -> None:
    """Quotes, dollars, newlines and other letters reach the host unharmed, and run nothing."""
    words = (HOSTILE, "two\nlines", "données", "-n", "", "%s %d")
    answer = shell.run('cd "$1"; shift; printf "%s|" "$@"', str(tmp_path), *words)
    assert answer.stdout == "".join(f"{word}|" for word in words)
    assert list(tmp_path.iterdir()) == []


def test_a_command_that_hangs_is_ended(shell: Shell) -> None:
    """A command without end is ended on the host, and leaves no process there."""
    shell.run("exit 0")
    nap = f"sleep 600.{os.getpid()}"
    with pytest.raises(TimedOut, match=r"a nap gave no answer on .* within 0\.3 s"):
        shell.run(f"{nap} & {nap}", timeout=0.3, doing="a nap")
    eventually(lambda: nap not in shell.run("ps -ewwo args").stdout, "the nap to end")


def test_a_flood_is_cut_off(shell: Shell) -> None:
    """A command that says more than is taken is ended."""
    with pytest.raises(Unreachable, match="said more than 8 MiB"):
        shell.run("yes", timeout=PATIENCE)


def test_bytes_that_are_no_text_are_taken(shell: Shell) -> None:
    """Bytes that are not UTF-8 are replaced, and the exit code is the command's."""
    answer = shell.run(r"printf '\377\303\251'; exit 7")
    assert (answer.rc, answer.stdout) == (7, "\ufffdé")


def test_a_host_is_reached(shell: Shell) -> None:
    """A host that runs a command is reachable, and the sentence says in what time."""
    reach = shell.reach()
    assert reach.ok, reach
    assert "answered in" in str(reach)


def test_a_port_without_a_server_is_unreachable_at_once() -> None:
    """A refused connection is one sentence, and is not tried a second time."""
    port = free_port()
    shell = Shell(f"ssh://nobody@127.0.0.1:{port}")
    assert "cannot be reached: connect to host 127.0.0.1" in shell.reach().reason
    with socket.create_server(("127.0.0.1", port)) as late:
        assert "Connection refused" in shell.reach().reason
        assert callers(late) == 0
    shell.close()


def test_a_silent_server_is_given_up_in_time() -> None:
    """A server that accepts and says nothing costs its time limit, once."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        shell = Shell(f"ssh://nobody@127.0.0.1:{silent.getsockname()[1]}", timeout=1)
        reach = shell.reach()
        assert "within 1 s" in reach.reason
        assert callers(silent) == 1
        assert shell.reach().reason == reach.reason
        assert callers(silent) == 0
        shell.close()


def callers(server: socket.socket) -> int:
    """How many connections came in that nobody has taken yet; takes and ends them."""
    server.setblocking(False)
    number = 0
    while True:
        try:
            server.accept()[0].close()
        except BlockingIOError:
            return number
        number += 1


def test_an_unknown_key_is_refused(ssh_server: SshServer) -> None:
    """A server whose key is not known is not talked to, and the remedy is named."""
    config = ssh_server.config("unknown", known_hosts="nothing")
    shell = Shell(ssh_server.spec, ssh_config=config, ssh_identity=ssh_server.identity)
    assert "Host key verification failed. Add its key to known_hosts" in shell.reach().reason
    shell.close()


def test_a_stranger_is_denied(ssh_server: SshServer) -> None:
    """A key that is not let in is one sentence, and the remedy is named."""
    stranger = str(ssh_server.folder / "stranger")
    shell = Shell(ssh_server.spec, ssh_config=ssh_server.config(), ssh_identity=stranger)
    assert "Permission denied (publickey). Name a key" in shell.reach().reason
    shell.close()


def test_closing_leaves_nothing(ssh_server: SshServer) -> None:
    """After close() no ssh of ours runs, and no socket is left."""
    shell = ssh_server.shell()
    assert shell.reach().ok
    assert [command for command in children() if "ControlMaster=yes" in command]
    folder = Path(shell._master._folder)  # type: ignore[union-attr, arg-type]
    assert list(folder.iterdir())
    shell.close()
    assert not [command for command in children() if command.startswith("ssh ")]
    assert not folder.exists()


def test_a_killed_run_leaves_no_connection(ssh_server: SshServer) -> None:
    """When the process that looked is killed outright, its connection ends by itself."""
    code = (
        "import sys\nfrom fixtures.probes.host.shell import Shell\n"
        "shell = Shell(sys.argv[1], ssh_config=sys.argv[2], ssh_identity=sys.argv[3])\n"
        "print(shell.reach().ok, shell._master._process.pid, shell._master._folder, flush=True)\n"
        "sys.stdin.read()\n"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", code, ssh_server.spec, ssh_server.config(), ssh_server.identity],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    with run:
        assert run.stdout
        ok, pid, folder = run.stdout.readline().split()
        assert ok == "True"
        run.kill()
    eventually(lambda: not alive(int(pid)), "the connection to end")
    Path(folder).rmdir()


def test_one_host_is_opened_once() -> None:
    """A spec that storage, logs and worker share is one host."""
    hosts = Hosts()
    assert hosts.shell("local://") is hosts.shell("local://")
    assert hosts.reach("local://").ok
    hosts.close()


def children() -> list[str]:
    """Return the command lines of this process's children."""
    command = ["ps", "--ppid", str(os.getpid()), "-wwo", "args="]
    # Its exit code says whether there are any; ps is one itself.
    found = subprocess.run(command, check=True, capture_output=True, text=True)
    return found.stdout.splitlines()


def alive(pid: int) -> bool:
    """Say whether a process is there and no zombie."""
    return process_state(pid) not in (None, "Z")
