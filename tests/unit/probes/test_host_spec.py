"""A host spec never becomes an option or a command."""

from __future__ import annotations

import pytest

from core.text import last_line
from fixtures.host import host_id
from fixtures.probes.host.shell import Shell
from fixtures.probes.host.spec import refusal, shown


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
def test_hostile_specs_are_refused(spec: str) -> None:
    """What could be taken for an option, a command or a secret is refused before anything runs."""
    reach = Shell(spec).reach()
    assert not reach.ok
    assert reach.reason.startswith(f"host {shown(spec)} cannot be reached: ")
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
def test_plain_specs_are_taken(spec: str) -> None:
    """What testinfra's users write is taken."""
    assert refusal(spec) is None


def test_last_line_is_harmless() -> None:
    """What a host said last is shown on one line, without control characters, and cut."""
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
def test_a_host_is_a_part_of_a_tests_name(spec: str, name: str) -> None:
    """A check that runs once a host is named for it, in letters that a command line takes."""
    assert host_id(spec) == name
