"""What sends and removes the canary is imported before the canary is sent."""

from __future__ import annotations

import sys

from tests.suite import run_command

IMPORTS = """
import sys
import fixtures.probes.canary.client
import fixtures.probes.canary.lookup
missing = {"httpx", "psycopg", "fixtures.probes.postgres.connection"} - set(sys.modules)
sys.exit(", ".join(missing) or 0)
"""


def test_the_removal_imports_nothing_late() -> None:
    """An interrupt during a check's import cannot break the import that the removal needs."""
    done = run_command(sys.executable, "-c", IMPORTS)
    assert done.returncode == 0, done.stderr
