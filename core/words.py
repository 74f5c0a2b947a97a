"""How the reports' sentences count things."""

from __future__ import annotations


def count(number: int, noun: str) -> str:
    """Return "1 check", "2 checks"."""
    return f"{number} {noun}{'s' * (number != 1)}"
