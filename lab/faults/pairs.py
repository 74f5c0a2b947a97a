"""Pairs of faults that make two different hypotheses true at once."""

from __future__ import annotations

PAIRS: tuple[tuple[str, str], ...] = (
    ("disk-full", "worker-killed"),
    ("file-missing", "broker-down"),
    ("error-swallowed", "slow-processing"),
    ("file-unreadable", "worker-frozen"),
    ("job-never-created", "broker-memory-alarm"),
    ("error-not-recorded", "worker-crash-loop"),
    ("status-update-lost", "queue-saturated"),
    ("file-empty", "job-hung"),
    ("error-swallowed", "file-missing"),
    ("file-missing", "deadline-exceeded"),
)
