"""Hold an exclusive lock on the uploads table, as a migration that does not end."""

from __future__ import annotations

import argparse
import signal
from pathlib import Path

import psycopg

from lab.state import load


def main() -> None:
    """Hold the lock until the supervisor stops this process."""
    parser = argparse.ArgumentParser(prog="python -m lab.faults.table_lock", description=__doc__)
    parser.add_argument("--dir", type=Path, required=True, help="the lab's directory")
    lab = load(parser.parse_args().dir)
    with psycopg.connect(lab.owner_dsn, application_name="migration") as session:
        session.execute("LOCK TABLE uploads IN ACCESS EXCLUSIVE MODE")
        signal.pause()


if __name__ == "__main__":
    main()
