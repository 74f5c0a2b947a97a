"""Commands on this machine, beside what else the process does meanwhile."""

from __future__ import annotations

import threading

from fixtures.probes.host.local_command import run_bounded
from fixtures.probes.postgres.connection import memory_limit
from tests.waiting import PATIENCE

MOMENT = 0.5
"""Seconds in which a command that does not wait would have ended."""


def test_a_command_does_not_inherit_the_limit_to_memory() -> None:
    """A command that starts while the database's answer is read gets this process's own limit."""
    before = run_bounded("sh -c 'ulimit -v'", PATIENCE)
    results: list[tuple[int, bytes, bytes]] = []
    ready, ended = threading.Event(), threading.Event()

    def run() -> None:
        ready.wait(PATIENCE)
        results.append(run_bounded("sh -c 'ulimit -v'", PATIENCE))
        ended.set()

    thread = threading.Thread(target=run)
    thread.start()
    with memory_limit():
        ready.set()
        ended.wait(MOMENT)
    thread.join(PATIENCE)
    assert results == [before]
