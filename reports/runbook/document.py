"""A runbook as loaded: its hypotheses, verifications and actions as frozen values.

`reports.runbook.markdown` makes them of a document.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

COMMENT = re.compile(r"\s*(#|--(\s|$))")
"""A line of a command that only explains, in a shell or in SQL."""

# A step is dangerous if it throws data away, changes rights in depth, interrupts a service or
# writes to the database. The rule is small on purpose: it marks, it does not protect.
_DANGEROUS = re.compile(
    r"\b(purge_queue|delete_queue|reset|close_connection|rm|rmdir|kill|pkill|killall|truncate)\b"
    r"|\bch(own|mod|grp)\b.*\s-\w*R"
    r"|(?<![\w.-])(restart|stop|down|reboot|shutdown|remount)(?![\w.-])"
    r"|\s-delete\b",
)
_WRITES = re.compile(r"\b(update|insert\s+into|delete\s+from|truncate|drop|alter)\b", re.IGNORECASE)


class RunbookError(ValueError):
    """The document does not fit; the message names file, line and what was expected there."""


@dataclass(frozen=True)
class Command:
    """One command or query of the runbook. `line` is its first line in the document, from 1.

    `checks` are the ids of the checks that do the same by machine, where the document names them.
    """

    language: str
    text: str
    line: int
    checks: tuple[str, ...] = ()

    @property
    def dangerous(self) -> bool:
        """Whether it may lose data or interrupt the service (`is_dangerous`)."""
        return is_dangerous(self.text)


@dataclass(frozen=True)
class Hypothesis:
    """One numbered hypothesis, in the document's words."""

    number: int
    title: str
    text: str
    line: int


@dataclass(frozen=True)
class Verification:
    """One numbered verification with its commands."""

    number: int
    title: str
    text: str
    commands: tuple[Command, ...]
    line: int


@dataclass(frozen=True)
class Step:
    """One step of an action: what to do, why, and the commands that do it."""

    number: int
    title: str
    text: str
    commands: tuple[Command, ...]
    line: int

    @property
    def dangerous(self) -> bool:
        """Whether any of its commands may lose data or interrupt the service."""
        return any(command.dangerous for command in self.commands)


@dataclass(frozen=True)
class Section:
    """The corrective actions of one hypothesis, or one group of preventive ones.

    `number` is the hypothesis's number, or the group's place from 1.
    """

    number: int
    title: str
    steps: tuple[Step, ...]
    line: int


@dataclass(frozen=True)
class Runbook:
    """A runbook as loaded. `signal` and `postmortem` are Markdown, `watch` the metrics to watch."""

    title: str
    signal: str
    hypotheses: tuple[Hypothesis, ...]
    verifications: tuple[Verification, ...]
    actions: tuple[Section, ...]
    preventive: tuple[Section, ...]
    postmortem: str
    watch: tuple[str, ...]
    references: tuple[str, ...]
    path: str

    def action(self, number: int) -> Section | None:
        """The corrective section of a hypothesis by its number, from 1; None if there is none."""
        return self.actions[number - 1] if 1 <= number <= len(self.actions) else None


def is_dangerous(command: str) -> bool:
    """Whether a command may lose data or interrupt a service.

    Purges, deletions, recursive changes of rights, restarts, and SQL that writes.
    Comment lines do not count. A rule of thumb for the reader's eye, not a guard.
    """
    lines = (line for line in command.splitlines() if not COMMENT.match(line))
    return any(_DANGEROUS.search(line) or _WRITES.search(line) for line in lines)
