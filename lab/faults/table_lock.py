"""Hold an exclusive lock on the uploads table, as a migration that does not end."""

from __future__ import annotations

import signal

import psycopg
from psycopg import sql

from lab.program import load_lab


def main() -> None:
    """Hold the lock until the supervisor stops this process."""
    lab = load_lab("lab.faults.table_lock", __doc__)
    with psycopg.connect(lab.owner_dsn, application_name="migration") as session:
        table = sql.Identifier(*lab.variant.locked_table.split("."))
        session.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(table))
        signal.pause()


if __name__ == "__main__":
    main()
