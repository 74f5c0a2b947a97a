"""Users that go on uploading: `python -m lab.load_generator --dir DIR`.

A small WAV every few seconds through the real API. The oldest tracks of these users are deleted
again, so that a lab that runs for days does not fill up.
"""

from __future__ import annotations

import argparse
import itertools
import signal
import sys
import threading
from pathlib import Path

import httpx
import psycopg

from lab.audio import tone
from lab.boot import TRICKLE_USER
from lab.state import Lab, load

SECONDS_BETWEEN = 2.5
KEPT = 60
WAITING_MAX = 250
"""So many uploads that do not end make users give up until some do."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m lab.load_generator", description=__doc__)
    parser.add_argument("--dir", type=Path, required=True, help="the lab's directory")
    lab = load(parser.parse_args().dir)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    headers = {"Authorization": f"Bearer {lab.passwords.user_token}"}
    with httpx.Client(base_url=lab.api_url, headers=headers, timeout=10) as client:
        for number in itertools.count():
            try:
                _upload(lab, client, number)
            except (httpx.HTTPError, psycopg.Error) as exc:
                # Users meet trouble too; they try again.
                print(f"{type(exc).__name__}: {exc}", file=sys.stderr)
            if stop.wait(SECONDS_BETWEEN):
                return


def _upload(lab: Lab, client: httpx.Client, number: int) -> None:
    with psycopg.connect(
        lab.owner_dsn, connect_timeout=3, options="-c statement_timeout=5000"
    ) as db:
        rows = db.execute(
            "SELECT id, status FROM uploads WHERE user_id = %s AND filename LIKE 'track-%%'"
            " ORDER BY created_at DESC LIMIT 1000",
            (TRICKLE_USER,),
        ).fetchall()
    ended = [row[0] for row in rows if row[1] in ("completed", "failed")]
    if len(rows) - len(ended) >= WAITING_MAX:
        return
    audio = tone(0.5, pitch=220 + number % 12 * 20)
    answer = client.post(
        "/api/v1/upload", files={"file": (f"track-{number}.wav", audio, "audio/wav")}
    )
    # Only then: a storage that is full must not be emptied by users who tidy up.
    for old in ended[KEPT:] if answer.is_success else ():
        client.delete(f"/api/v1/tracks/{old}")


if __name__ == "__main__":
    main()
