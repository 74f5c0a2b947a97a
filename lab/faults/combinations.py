"""Pairs and triples of faults, each of which makes another hypothesis true."""

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

TRIPLES: tuple[tuple[str, str, str], ...] = (
    ("error-swallowed", "file-missing", "worker-killed"),
    ("error-not-recorded", "file-empty", "broker-memory-alarm"),
    ("error-swallowed", "file-missing", "job-hung"),
    ("error-not-recorded", "job-hung", "worker-frozen"),
    ("error-swallowed", "deadline-exceeded", "queue-deleted"),
    ("file-unreadable", "job-hung", "broker-down"),
)
