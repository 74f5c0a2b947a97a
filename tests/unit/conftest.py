"""The clock of the unit tests: in UTC, and none for an example of Hypothesis."""

from __future__ import annotations

import os
import time

from hypothesis import HealthCheck, settings

settings.register_profile(
    "tests", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("tests")

# The snapshots have the times of this zone, whatever the machine's own is.
os.environ["TZ"] = "UTC"
time.tzset()
