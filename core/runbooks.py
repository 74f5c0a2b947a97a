"""The runbooks by their names: those that are there, and what a call of pytest asks for."""

from __future__ import annotations

import os
from pathlib import Path

ALL = "all"
"""The name that stands for every runbook, and for every target."""

VARIABLE = "VEZA_RUNBOOK"


WORDS = (
    *("path", "noun", "plural", "state", "owner", "arrived", "words", "last"),
    *("meaning", "chart", "title", "name", "one", "short"),
)
"""The keys of evidence.toml and report.toml whose values a person reads: they are translated."""

AGREEING = {
    ("impact", "state"): ("state", "states"),
    ("success", "words"): ("one", "words"),
    ("figures", "words"): ("one", "words"),
}
"""Tables and keys of report.toml whose words may have a plural of their own, as in French.

Each has the keys for one thing and for several.
"""


def names_in(root: Path) -> list[str]:
    """Return the names of the runbooks in a project's folder, in order."""
    return sorted(path.parent.name for path in root.glob("runbooks/*/evidence.toml"))


def asked_for(option: str | None) -> str:
    """Return what --runbook names, or else the environment; empty where neither does."""
    return option or os.environ.get(VARIABLE, "")
