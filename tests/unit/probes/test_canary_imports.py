"""What sends and removes the canary is imported before the canary is sent."""

from __future__ import annotations

import subprocess
import sys

IMPORTS = """
import sys
import fixtures.probes.canary.client
import fixtures.probes.canary.lookup
missing = {"httpx", "psycopg", "fixtures.probes.postgres.connection"} - set(sys.modules)
sys.exit(", ".join(missing) or 0)
"""


def test_the_removal_imports_nothing_late() -> None:
    """An interrupt during a check's import cannot break the import that the removal needs."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
