"""Hold an exclusive lock on the uploads table, as a migration that does not end."""

from __future__ import annotations

import argparse
import signal
from pathlib import Path

import psycopg
from psycopg import sql

from lab.state import load


def main() -> None:
    """Hold the lock until the supervisor stops this process."""
    parser = argparse.ArgumentParser(prog="python -m lab.faults.table_lock", description=__doc__)
    parser.add_argument("--dir", type=Path, required=True, help="the lab's directory")
    lab = load(parser.parse_args().dir)
    with psycopg.connect(lab.owner_dsn, application_name="migration") as session:
        table = sql.Identifier(*lab.variant.locked_table.split("."))
        session.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(table))
        signal.pause()


if __name__ == "__main__":
    main()
