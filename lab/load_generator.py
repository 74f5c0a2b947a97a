"""Upload small WAV files, and log in: `python -m lab.load_generator --dir DIR`.

It uses the API as a user does. It deletes its oldest tracks, so that a lab can run for days.
"""

from __future__ import annotations

import itertools
import signal
import sys
import threading
from typing import TYPE_CHECKING

import httpx
import psycopg
from psycopg import sql

from lab import login_load
from lab.audio import tone
from lab.program import load_lab

if TYPE_CHECKING:
    from lab.state import Lab

INTERVAL_SECONDS = 2.5
TRACKS_KEPT = 60
WAITING_MAX = 250
"""Unfinished uploads at which it sends no more."""


def main() -> None:
    """Upload and log in until SIGTERM."""
    lab = load_lab("lab.load_generator", __doc__)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    # In a thread of its own: a login that hangs keeps no upload waiting.
    threading.Thread(target=login_load.run, args=(lab, stop), daemon=True).start()
    headers = {"Authorization": f"Bearer {lab.passwords.user_token}"}
    with httpx.Client(base_url=lab.api_url, headers=headers, timeout=10) as client:
        for number in itertools.count():
            try:
                _upload(lab, client, number)
            except (httpx.HTTPError, psycopg.Error) as exc:
                # The lab may be broken on purpose: the next round tries again.
                print(f"{type(exc).__name__}: {exc}", file=sys.stderr)
            if stop.wait(INTERVAL_SECONDS):
                return


def _upload(lab: Lab, client: httpx.Client, number: int) -> None:
    routes = lab.variant.routes
    statement = sql.SQL(
        "SELECT id::text, {track}::text, status::text FROM uploads"
        " WHERE user_id = %s AND filename LIKE 'track-%%' ORDER BY created_at DESC LIMIT 1000"
    ).format(track=sql.Identifier(lab.variant.track_column))
    with psycopg.connect(
        lab.owner_dsn, connect_timeout=3, options="-c statement_timeout=5000"
    ) as db:
        rows = db.execute(statement, (lab.variant.ids.load_generator,)).fetchall()
    ended = [row[:2] for row in rows if row[2] in ("completed", "failed")]
    if len(rows) - len(ended) >= WAITING_MAX:
        return
    audio = tone(0.5, pitch=220 + number % 12 * 20)
    answer = client.post(
        routes.upload,
        files={lab.variant.file_field: (f"track-{number}.wav", audio, "audio/wav")},
    )
    # Only after a successful upload: deletions must not free a disk that a fault has filled.
    for upload, track in ended[TRACKS_KEPT:] if answer.is_success else ():
        client.delete(routes.delete.format(upload_id=upload, track_id=track))


if __name__ == "__main__":
    main()
