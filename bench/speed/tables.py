"""The case `tables`: millions of uploads and jobs, many of them stuck, with and without indexes."""

from __future__ import annotations

from pathlib import Path

import psycopg
from psycopg import sql

from bench.speed.timed import CELLS, head, lab, row, suite, take_turns

ROWS, STUCK = 3_000_000, 100_000

UPLOADS = """
INSERT INTO uploads (user_id, filename, status, progress, size, created_at, updated_at)
SELECT gen_random_uuid(), 'a.mp3', CASE WHEN n <= %(stuck)s THEN 'uploading' ELSE 'completed' END,
       CASE WHEN n <= %(stuck)s THEN 0 ELSE 100 END, 4000000,
       now() - interval '1 hour' - n * interval '10 seconds',
       now() - interval '1 hour' - n * interval '10 seconds'
FROM generate_series(1, %(rows)s) AS n
"""
JOBS = """
INSERT INTO job_queue (type, payload, status, created_at, started_at, completed_at)
SELECT 'process_upload', jsonb_build_object('upload_id', id),
       CASE status WHEN 'uploading' THEN 'pending' ELSE 'completed' END, created_at,
       CASE status WHEN 'uploading' THEN NULL ELSE created_at END,
       CASE status WHEN 'uploading' THEN NULL ELSE created_at + interval '1 minute' END
FROM uploads WHERE created_at < now() - interval '1 hour'
"""
INDEXES = """
SELECT indexname, indexdef FROM pg_indexes
WHERE tablename IN ('uploads', 'job_queue') AND indexname NOT LIKE '%pkey'
"""


def measure(runs: int) -> None:
    """Print a row for the lab's own tables, and one for big ones without and with indexes."""
    head("tables", "state", *CELLS, "of the small tables' time", "slowest looks")
    with lab() as (folder, status):
        dsn = str(status["database"]["superuser_dsn"])
        small = suite("as the lab has them", folder)
        take_turns([small], runs)
        row(small.name, small.state, *small.cells(small), small.slowest)
        with psycopg.connect(dsn, autocommit=True) as connection:
            indexes = connection.execute(INDEXES).fetchall()
            for name, _ in indexes:
                connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
            connection.execute(UPLOADS, {"rows": ROWS, "stuck": STUCK})
            connection.execute(JOBS)
            connection.execute("VACUUM ANALYZE uploads, job_queue")
            big(f"{ROWS:,} rows, {STUCK:,} stuck, no index", folder, runs, small)
            for _, definition in indexes:
                connection.execute(definition.encode())
            big(f"{ROWS:,} rows, {STUCK:,} stuck, indexes", folder, runs, small)


def big(name: str, folder: Path, runs: int, small: object) -> None:
    """Print the row of big tables."""
    timed = suite(name, folder)
    take_turns([timed], runs)
    row(name, timed.state, *timed.cells(small), timed.slowest)  # type: ignore[arg-type]
