"""A loaded runbook as frozen values. `reports.runbook.markdown` loads it."""

from __future__ import annotations

import re

from core.errors import TranslatedError
from core.frozen import frozen

COMMENT = re.compile(r"\s*(#|--(\s|$))")
"""A comment line of a command, in a shell or in SQL."""

ALTERNATIVE = re.compile(r"\s*#\s*(or|ou)\b", re.IGNORECASE)
"""The first line of a command that stands for the one before it, such as "# or, in Docker"."""

# A step is dangerous if it throws data away, changes rights, interrupts a service, writes to the
# database or to the broker. The rule is small on purpose: it marks, it does not protect.
_DANGEROUS = re.compile(
    r"\b(purge_queue|delete_queue|reset|close_connection|rm|rmdir|kill|pkill|killall|truncate)\b"
    r"|\bcurl\s.*\s(-X\s*(POST|PUT|PATCH|DELETE)|--data)"
    r"|(?<![\w.-])(restart|stop|down|reboot|shutdown|remount)(?![\w.-])"
    r"|\s-delete\b",
)
_RIGHTS = re.compile(r"\bch(own|mod|grp)\s")
_WRITES = re.compile(r"\b(update|insert\s+into|delete\s+from|truncate|drop|alter)\b", re.IGNORECASE)


class RunbookError(TranslatedError, ValueError):
    """The document is not a runbook; the message names the file, the line and what is expected."""


@frozen
class Command:
    """One command or query of the runbook. `line` is its first line in the document, from 1.

    `checks` are the ids of the checks that automate it, where the document names them. `when` is
    the condition for showing it (`reports.runbook.conditions`), `run` the permission to run it
    (`reports.runbook.run_rules`). `warnings` are known mistakes in it, each a sentence.
    """

    language: str
    text: str
    line: int
    checks: tuple[str, ...] = ()
    when: str = ""
    warnings: tuple[str, ...] = ()
    run: str = ""

    @property
    def dangerous(self) -> bool:
        """Return whether it changes the system (`is_dangerous`)."""
        return is_dangerous(self.text)

    @property
    def harmful(self) -> bool:
        """Return whether it may lose data or interrupt the service: rights can be set back."""
        return _matches(self.text, _DANGEROUS, _WRITES)

    @property
    def is_alternative(self) -> bool:
        """Return whether it is for another system than the command before it."""
        return bool(ALTERNATIVE.match(self.text))


@frozen
class Verification:
    """One numbered verification with its commands."""

    number: int
    title: str
    commands: tuple[Command, ...]


@frozen
class Step:
    """One step of an action: its title, the reason for it, and its commands.

    `when` is the condition for showing it. `left_out` says which commands a report leaves out, and
    why.
    """

    number: int
    title: str
    text: str
    commands: tuple[Command, ...]
    line: int
    when: str = ""
    left_out: tuple[str, ...] = ()

    @property
    def dangerous(self) -> bool:
        """Return whether a command of it changes the system."""
        return any(command.dangerous for command in self.commands)


@frozen
class ActionGroup:
    """The corrective actions of one hypothesis, or one group of preventive actions."""

    title: str
    steps: tuple[Step, ...]


@frozen
class Runbook:
    """A loaded runbook.

    `hypotheses` are their titles, and `actions` the corrective actions of each, in the same order.
    `postmortem` is Markdown, `watch` the metrics to watch after an incident.
    """

    title: str
    hypotheses: tuple[str, ...]
    verifications: tuple[Verification, ...]
    actions: tuple[ActionGroup, ...]
    preventive: tuple[ActionGroup, ...]
    postmortem: str
    watch: tuple[str, ...]
    path: str


def is_dangerous(command: str) -> bool:
    """Return whether a command changes the system.

    Purges, deletions, changes of rights, restarts, and what writes to the database or by HTTP.
    Comment lines do not count. A rule of thumb for the reader, not a guard.
    """
    return _matches(command, _DANGEROUS, _RIGHTS, _WRITES)


def _matches(command: str, *patterns: re.Pattern[str]) -> bool:
    return any(pattern.search(line) for line in without_comments(command) for pattern in patterns)


def without_comments(command: str) -> list[str]:
    """Return the lines of a command that are no comments."""
    return [line for line in command.splitlines() if not COMMENT.match(line)]
