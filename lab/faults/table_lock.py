"""Hold an exclusive lock on a table, as a migration that does not end."""

from __future__ import annotations

import signal

import psycopg
from psycopg import sql

from lab.program import argument_parser
from lab.state import load


def main() -> None:
    """Hold the lock until the supervisor stops this process."""
    parser = argument_parser("lab.faults.table_lock", __doc__)
    parser.add_argument("--table", required=True, help="its name, with its schema if it has one")
    arguments = parser.parse_args()
    lab = load(arguments.dir)
    with psycopg.connect(lab.owner_dsn, application_name="migration") as session:
        table = sql.Identifier(*arguments.table.split("."))
        session.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(table))
        signal.pause()


if __name__ == "__main__":
    main()
