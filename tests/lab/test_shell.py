"""Commands on a real host: locally and through a real ssh server."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.probes.errors import Unreachable
from fixtures.probes.host.shell import Hosts, Shell, TimedOut
from lab.processes import process_state
from tests.lab.fix_ssh import SshServer, free_port
from tests.waiting import PATIENCE, eventually

HOSTILE = 'it\'s $(touch pwned) `id` "q" \\ *'


def test_arguments_are_quoted(shell: Shell, tmp_path: Path) -> None:
    """Quotes, dollars, newlines and accents reach the host unchanged, and run nothing."""
    arguments = (HOSTILE, "two\nlines", "données", "-n", "", "%s %d")
    result = shell.run('cd "$1"; shift; printf "%s|" "$@"', str(tmp_path), *arguments)
    assert result.stdout == "".join(f"{word}|" for word in arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_command_that_hangs_is_ended(shell: Shell) -> None:
    """A command that runs too long is ended, and leaves no process on the host."""
    shell.run("exit 0")
    nap = f"sleep 600.{os.getpid()}"
    with pytest.raises(TimedOut, match=r"a nap timed out on .* after 0\.3 s"):
        shell.run(f"{nap} & {nap}", timeout=0.3, doing="a nap")
    eventually(lambda: nap not in shell.run("ps -ewwo args").stdout, "the nap to end")


def test_too_much_output_is_unreachable(shell: Shell) -> None:
    """A command that prints too much is ended."""
    with pytest.raises(Unreachable, match=r"printed more than 8\.0 MiB"):
        shell.run("yes", timeout=PATIENCE)


def test_invalid_utf_8_is_replaced(shell: Shell) -> None:
    """Bytes that are not UTF-8 are replaced, and the exit code is the command's."""
    result = shell.run(r"printf '\377\303\251'; exit 7")
    assert (result.rc, result.stdout) == (7, "\ufffdé")


def test_a_host_is_reached(shell: Shell) -> None:
    """A host that runs a command is reachable, and the sentence has the time it took."""
    reach = shell.reach()
    assert reach.ok, reach
    assert "answered in" in str(reach)


def test_a_port_without_a_server_is_unreachable_at_once() -> None:
    """A refused connection is one sentence, and is not tried again."""
    port = free_port()
    shell = Shell(f"ssh://nobody@127.0.0.1:{port}", timeout=PATIENCE)
    assert "cannot be reached: connect to host 127.0.0.1" in shell.reach().reason
    with socket.create_server(("127.0.0.1", port)) as late:
        assert "Connection refused" in shell.reach().reason
        assert callers(late) == 0
    shell.close()


def test_a_server_without_response_is_given_up_in_time() -> None:
    """A server that accepts and does not respond costs its time limit, once."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        shell = Shell(f"ssh://nobody@127.0.0.1:{silent.getsockname()[1]}", timeout=1)
        reach = shell.reach()
        # Whose deadline passes first, ours or the one of ssh itself, is a race.
        assert re.search(r"within 1 s|timed out", reach.reason, re.IGNORECASE)
        assert callers(silent) == 1
        assert shell.reach().reason == reach.reason
        assert callers(silent) == 0
        shell.close()


def callers(server: socket.socket) -> int:
    """Accept and close the waiting connections; return their number."""
    server.setblocking(False)
    number = 0
    while True:
        try:
            server.accept()[0].close()
        except BlockingIOError:
            return number
        number += 1


def test_an_unknown_key_is_refused(ssh_server: SshServer) -> None:
    """A server with an unknown host key is not used, and the sentence has the remedy."""
    config = ssh_server.config("unknown", known_hosts="nothing")
    shell = Shell(
        ssh_server.spec, timeout=PATIENCE, ssh_config=config, ssh_identity=ssh_server.identity
    )
    assert "Host key verification failed. Add its key to known_hosts" in shell.reach().reason
    shell.close()


def test_a_wrong_key_is_denied(ssh_server: SshServer) -> None:
    """A key that the server does not accept is one sentence with the remedy."""
    stranger = str(ssh_server.folder / "stranger")
    shell = Shell(
        ssh_server.spec, timeout=PATIENCE, ssh_config=ssh_server.config(), ssh_identity=stranger
    )
    assert "Permission denied (publickey). Name a key" in shell.reach().reason
    shell.close()


def test_closing_leaves_nothing(ssh_server: SshServer) -> None:
    """After close() no ssh process runs and no socket is left."""
    shell = ssh_server.shell()
    assert shell.reach().ok
    assert [command for command in children() if "ControlMaster=yes" in command]
    folder = Path(shell._master._folder)  # type: ignore[union-attr, arg-type]
    assert list(folder.iterdir())
    shell.close()
    assert not [command for command in children() if command.startswith("ssh ")]
    assert not folder.exists()


def test_a_killed_run_leaves_no_connection(ssh_server: SshServer) -> None:
    """The ssh connection of a killed run ends by itself."""
    code = (
        "import sys\nfrom fixtures.probes.host.shell import Shell\n"
        "shell = Shell(sys.argv[1], ssh_config=sys.argv[2], ssh_identity=sys.argv[3],"
        f" timeout={PATIENCE})\n"
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
    """A spec that storage, logs and worker share is one connection."""
    hosts = Hosts()
    assert hosts.shell("local://") is hosts.shell("local://")
    assert hosts.reach("local://").ok
    hosts.close()


def children() -> list[str]:
    """Return the command lines of this process's children."""
    command = ["ps", "--ppid", str(os.getpid()), "-wwo", "args="]
    # Its exit code says whether there are any; ps is one itself.
    listing = subprocess.run(command, check=True, capture_output=True, text=True)
    return listing.stdout.splitlines()


def alive(pid: int) -> bool:
    """Return whether a process exists and is no zombie."""
    return process_state(pid) not in (None, "Z")


def test_a_command_that_a_signal_ends_timed_out(shell: Shell) -> None:
    """busybox's `timeout` leaves no exit code of its own: its command dies of the signal."""
    with pytest.raises(TimedOut, match="a search timed out on"):
        shell.run("kill -TERM $$", doing="a search")
    assert shell.run("echo on").stdout == "on\n"


def test_what_a_login_prints_is_no_output(ssh_server: SshServer) -> None:
    """A greeting of the user's start-up files is not taken for the answer."""
    start_up = ssh_server.folder / ".bashrc"
    start_up.write_text("echo Welcome to Veza\n")
    shell = ssh_server.shell()
    try:
        result = shell.run("echo empty")
    finally:
        start_up.unlink()
        shell.close()
    assert result.stdout == "empty\n"


def test_a_script_that_timed_out_is_not_run_again(tmp_path: Path) -> None:
    """On a disk that hangs each script costs one time limit, not one for each check."""
    shell = Shell("local://", timeout=PATIENCE)
    nap = f"echo begun >> {tmp_path}/begun; sleep 600.{os.getpid()}"
    for _ in range(2):
        with pytest.raises(TimedOut, match=r"a nap timed out on local after 0\.3 s"):
            shell.run(nap, timeout=0.3, doing="a nap")
    assert (tmp_path / "begun").read_text() == "begun\n"
    assert shell.run("echo on").stdout == "on\n"


FREEZING = """#!/bin/sh
echo called >> {0}/calls
if [ "$(wc -l < {0}/calls)" -gt 1 ]; then exec sleep 600; fi
echo veza-ready
"""


def test_a_host_that_froze_is_not_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a connection that worked once, a host that runs nothing is unreachable at once."""
    client = tmp_path / "docker"
    client.write_text(FREEZING.format(tmp_path))
    client.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    shell = Shell("docker://frozen", timeout=0.3)
    with pytest.raises(Unreachable, match="host docker://frozen cannot be reached: no response"):
        shell.run("df", doing="reading the free space")
    calls = (tmp_path / "calls").read_text()
    for script in ("df", "ps", "exit 0"):
        with pytest.raises(Unreachable, match="cannot be reached: no response within 1 s"):
            shell.run(script)
    assert (tmp_path / "calls").read_text() == calls
