"""The steps of an action on a terminal: a command is never cut, so that it can be copied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from core.language import trn
from reports.runbook.document import COMMENT
from reports.runbook.placeholders import placeholders

if TYPE_CHECKING:
    from reports.runbook.document import Command, Step

TITLE_WIDTH = 22
"""Columns of a step's number and title, where the command stands beside it."""

INDENT = " " * 4
LINES_MAX = 3
"""Lines of one command; a longer one is in the report."""

STEP_LINES_MAX = 2
"""Lines from which no further command of a step is shown."""

STYLE = "cyan"


def step_lines(number: int, step: Step, width: int) -> list[Text]:
    """Return a step: its number, title and first commands."""
    ready = [command for command in step.commands if not placeholders(command.text)]
    commands = ready or list(step.commands)
    shown: list[str] = []
    dangerous = False
    number_shown = 0
    for command in commands:
        lines = command_lines(command, width - len(INDENT))
        if lines is None or (shown and len(shown) + len(lines) > STEP_LINES_MAX):
            break
        shown += lines
        number_shown += 1
        dangerous = dangerous or command.dangerous
    mark = " ⚠" if dangerous or (not shown and step.dangerous) else ""
    if number_shown < len(commands):
        mark += trn(
            " ({shown} of {n} command; all: report)",
            " ({shown} of {n} commands; all: report)",
            len(commands),
            shown=number_shown,
        )
    return titled(f"  {number} {step.title}", mark, shown, width)


def titled(title: str, mark: str, commands: list[str], width: int) -> list[Text]:
    """Return a title and its command: beside it where there is room, or else below."""
    label = Text(title)
    label.truncate(width - cell_len(mark), overflow="ellipsis")
    label.append(mark, "yellow")
    if len(commands) == 1:
        gap = max(TITLE_WIDTH - label.cell_len, 2)
        if label.cell_len + gap + cell_len(commands[0]) <= width:
            return [label.append(" " * gap).append(commands[0], STYLE)]
    return [label, *(Text(f"{INDENT}{command}", STYLE) for command in commands)]


def command_lines(command: Command, width: int) -> list[str] | None:
    """Return a command in lines of at most `width`; None if it does not fit into LINES_MAX."""
    lines = [line for line in command.text.strip().splitlines() if not COMMENT.match(line)]
    if command.language == "sql":
        # A comment within a line would swallow what is joined to it.
        if any("--" in line for line in lines):
            return None
        wrapped = wrap(" ".join(lines), width, "")
    else:
        parts = [wrap(line, width, " \\") for line in lines]
        wrapped = None if None in parts else [line for part in parts if part for line in part]
    return wrapped if wrapped and len(wrapped) <= LINES_MAX else None


def wrap(text: str, width: int, end: str) -> list[str] | None:
    """Return a command in lines that end with `end`, broken between words, never within quotes.

    None if a word is wider than a line.
    """
    if cell_len(text) <= width:
        return [text]
    lines = [""]
    words = _words(text)
    for place, word in enumerate(words):
        last = place == len(words) - 1
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if cell_len(longer) + (0 if last else len(end)) <= width:
            lines[-1] = longer
        elif lines[-1] and cell_len(word) + (0 if last else len(end)) <= width:
            lines[-1] += end
            lines.append(word)
        else:
            return None
    return lines


def _words(text: str) -> list[str]:
    """Return the words of a command; spaces within quotes and escaped ones are part of a word."""
    words, word, quote, escaped = [], "", "", False
    for letter in text:
        if letter == " " and not quote and not escaped:
            if word:
                words.append(word)
            word = ""
            continue
        word += letter
        if escaped:
            escaped = False
        elif letter == "\\" and quote != "'":
            escaped = True
        elif quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
    return [*words, word] if word else words
