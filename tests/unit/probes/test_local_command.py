"""Commands on this machine, beside what else the process does meanwhile."""

from __future__ import annotations

import mmap
import threading

import pytest

from fixtures.probes.host.local_command import run_bounded
from fixtures.probes.postgres.connection import MEMORY_MAX, memory_limit
from tests.waiting import PATIENCE

MOMENT = 0.5
"""Seconds in which a command that does not wait would have ended."""


def test_a_command_does_not_inherit_the_limit_to_memory() -> None:
    """A command that starts while the database's answer is read gets this process's own limit."""
    before = run_bounded("sh -c 'ulimit -d'", PATIENCE)
    results: list[tuple[int, bytes, bytes]] = []
    ready, ended = threading.Event(), threading.Event()

    def run() -> None:
        ready.wait(PATIENCE)
        results.append(run_bounded("sh -c 'ulimit -d'", PATIENCE))
        ended.set()

    thread = threading.Thread(target=run)
    thread.start()
    with memory_limit():
        ready.set()
        ended.wait(MOMENT)
    thread.join(PATIENCE)
    assert results == [before]


def test_reserved_memory_is_not_limited() -> None:
    """A new thread's allocator reserves more than the limit leaves, and uses little of it."""
    with memory_limit():
        mmap.mmap(-1, 4 * MEMORY_MAX, prot=mmap.PROT_READ).close()
        with pytest.raises(MemoryError):
            bytearray(4 * MEMORY_MAX)
