"""Hold database sessions of the application's role, as a job that never gives one back."""

from __future__ import annotations

import signal

import psycopg

from lab.faults.login import HOGGED
from lab.program import load_lab


def main() -> None:
    """Hold the sessions until the supervisor stops this process."""
    lab = load_lab("lab.faults.connection_hog", __doc__)
    sessions = [
        psycopg.connect(lab.owner_dsn, application_name="report-job") for _ in range(HOGGED)
    ]
    for session in sessions:
        session.execute("SELECT 1")
    signal.pause()


if __name__ == "__main__":
    main()
