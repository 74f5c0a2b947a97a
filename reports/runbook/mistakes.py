"""Known mistakes in the commands of a runbook, and damage that makes a command useless."""

from __future__ import annotations

import re

from core.language import mark, tr
from reports.runbook.document import COMMENT, without_comments

_MISTAKES = {
    r"\bchmod\s+(-\w*R\w*|--recursive)\s+0?[246][0-7]{2}\b": mark(
        "Sets this mode on directories too: without their execute bit nobody can enter them. "
        "Use chmod -R u=rwX,go=rX instead."
    ),
    r"\bps\s+-?a\w*\b[^|]*\|\s*grep\b(?!.*\[)": mark(
        "Lists the grep itself, so that it always finds a process. Use pgrep -af instead."
    ),
    r"\bpurge_queue\b": mark(
        "Deletes every waiting job of all users. Save the pending jobs first."
    ),
    r"\bkill\s+(-9|-KILL|-s\s*KILL)\b": mark(
        "Ends the process without letting it finish or return its job."
    ),
}
"""A sentence for each known mistake, by its regular expression."""

_BAR_AT_START = re.compile(r"\s*\|(?!\|)")
_BAR_AT_END = re.compile(r"(?<!\|)\|\s*$")
_TYPOGRAPHIC = re.compile("[\u201c\u201d]|(?:^|[\\s=(])[\u2018\u2019]|(?:^|\\s)[\u2013\u2014]\\w")


def warnings_of(command: str) -> tuple[str, ...]:
    """Return a sentence for each known mistake in a command."""
    lines = without_comments(command)
    return tuple(
        tr(why) for form, why in _MISTAKES.items() if any(re.search(form, line) for line in lines)
    )


def damage_of(command: str) -> tuple[int, str] | None:
    """Return the line, from 0, and a sentence on the damage in a command; None where there is none.

    A table's bars around a line, as a copy from a wiki leaves them, and typographic quotes or
    dashes, which a shell takes for letters.
    """
    rows = command.splitlines()
    for number, row in enumerate(rows):
        if COMMENT.match(row):
            continue
        ends_with_bar = bool(_BAR_AT_END.search(row)) and not any(
            map(str.strip, rows[number + 1 :])
        )
        if _BAR_AT_START.match(row) and (number == 0 or _BAR_AT_END.search(row)):
            return number, tr("the command has the bar of a table before it")
        if ends_with_bar:
            return number, tr("the command ends with a stray bar")
        if _TYPOGRAPHIC.search(row):
            return number, tr(
                "the command has typographic quotes or dashes, which no shell and no SQL knows"
            )
    return None
