"""The end of a run while a host is being opened."""

from __future__ import annotations

import pytest

from fixtures.probes.host.shell import HostUnreachable, Shell
from fixtures.probes.host.ssh import SshMaster


def test_a_host_that_was_closed_opens_no_connection() -> None:
    """A thread that comes to it later leaves no ssh behind."""
    shell = Shell("ssh://monitor@host.invalid")
    shell.close()
    with pytest.raises(HostUnreachable, match="the run has ended"):
        shell.run("true")


def test_a_connection_that_was_closed_starts_nothing() -> None:
    """Nor does a thread that was just about to start ssh."""
    master = SshMaster(1.0)
    master.close()
    with pytest.raises(OSError, match="the run has ended"):
        master.start("sleep 60")
    assert not master.is_running
