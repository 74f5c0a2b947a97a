"""Host specs: validation, and the names made of them."""

from __future__ import annotations

import pytest

from core.text import last_line
from fixtures.host import host_id, longest
from fixtures.probes.host.shell import Shell
from fixtures.probes.host.spec import display_name, invalid_reason
from fixtures.run.budget import CHECK_MAX


@pytest.mark.parametrize(
    "spec",
    [
        "ssh://-oProxyCommand=x",
        "ssh://%2DoProxyCommand=x",
        "ssh://user@-oProxyCommand=x",
        "ssh://-l@host",
        "ssh://user:password@host",
        "ssh://host:port",
        "ssh://a b",
        "ssh://$(id)",
        "ssh://[::1",
        "docker://--privileged",
        "docker://a;b",
        "kubectl://pod?kubeconfig=%24(touch%20x)",
        "kubectl://pod?namespace=--x",
        "local://x",
        "ssh://",
    ],
)
def test_invalid_specs_are_refused(spec: str) -> None:
    """A spec with an option, a command or a password is refused before anything runs."""
    reach = Shell(spec).reach()
    assert not reach.ok
    assert reach.reason.startswith(f"host {display_name(spec)} cannot be reached: ")
    assert "password@" not in str(reach)


@pytest.mark.parametrize(
    "spec",
    [
        "local://",
        "ssh://host",
        "ssh://veza@host.example:2222",
        "ssh://[::1]:22",
        "ssh://veza@host?sudo=true&sudo_user=veza",
        "docker://veza@veza-backend-api",
        "kubectl://pod-1?namespace=veza&container=api",
    ],
)
def test_valid_specs_are_accepted(spec: str) -> None:
    """The specs that testinfra documents are valid."""
    assert invalid_reason(spec) is None


def test_last_line_is_printable() -> None:
    """The last line of an output is cut and has no control characters."""
    assert last_line("a\n\x1b[31mred\x07\n\n") == "[31mred"
    assert len(last_line("x" * 1000)) == 200
    assert last_line("") == "no output"


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("local://", "local"),
        ("ssh://veza@host", "ssh-veza@host"),
        ("kubectl://pod?namespace=veza", "kubectl-pod-namespace-veza"),
    ],
)
def test_a_host_id_is_fit_for_a_test_s_name(spec: str, name: str) -> None:
    """A check that runs once for each host has the host in its name, in safe characters."""
    assert host_id(spec) == name


def test_a_check_of_many_hosts_gets_more_time() -> None:
    """Two hundred logins take longer than one; a single host has the time of every check."""
    assert longest(()) == longest(("local://",)) == CHECK_MAX
    assert longest([f"ssh://web-{number}" for number in range(200)]) > 2 * CHECK_MAX
