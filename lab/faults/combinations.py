"""Pairs and triples of faults, each of which makes another hypothesis true."""

from __future__ import annotations

from lab.faults.model import LOGIN_FAILS, UPLOAD_STUCK

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

# Not those of which one hides the other: where every login ends in an error, no token is issued.
LOGIN_PAIRS: tuple[tuple[str, str], ...] = (
    ("signing-key-changed", "accounts-locked"),
    ("tokens-born-expired", "accounts-locked"),
    ("tokens-not-yet-valid", "hash-cost-raised"),
    ("signing-key-changed", "hash-cost-raised"),
    ("signing-key-changed", "rate-limit-by-proxy"),
    ("rate-limit-by-proxy", "accounts-locked"),
    ("login-panics", "accounts-locked"),
    ("login-route-gone", "accounts-locked"),
)

COMBINATIONS: dict[str, tuple[tuple[str, ...], ...]] = {
    UPLOAD_STUCK: (*PAIRS, *TRIPLES),
    LOGIN_FAILS: LOGIN_PAIRS,
}
"""The pairs and triples that the bench of each runbook injects."""
