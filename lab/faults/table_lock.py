"""A migration that does not end: it holds an exclusive lock on uploads."""

from __future__ import annotations

import argparse
import signal
from pathlib import Path

import psycopg

from lab.state import load


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", type=Path, required=True)
    lab = load(parser.parse_args().dir)
    with psycopg.connect(lab.owner_dsn, application_name="migration") as session:
        session.execute("LOCK TABLE uploads IN ACCESS EXCLUSIVE MODE")
        signal.pause()


if __name__ == "__main__":
    main()
