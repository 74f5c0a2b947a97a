"""The steps of an action on a terminal: a command is never cut, so that it can be copied."""

from __future__ import annotations

from itertools import takewhile

from rich.cells import cell_len
from rich.text import Text

from core.language import trn
from reports.runbook.document import Command, Step, without_comments
from reports.runbook.placeholders import placeholders

TITLE_WIDTH = 22
"""Columns of a step's number and title, where the command stands beside it."""

INDENT = " " * 4
LINES_MIN = 3
"""Lines that a single command may have, however little room there is."""

STYLE = "cyan"


def step_lines(step: Step, width: int, room: int) -> tuple[list[Text], bool]:
    """Return a step, with its commands on about `room` lines, and whether they are all there.

    They come in their order: what looks before a change says whether it may be made. In a step that
    changes something none comes without a long one before it. One for another system, as for
    Docker, is left out.
    """
    ready = [command for command in step.commands if not placeholders(command.text)]
    commands = ready or list(step.commands)
    lines = [_lines(command, width - len(INDENT)) for command in commands]
    places = [n for n, command in enumerate(commands) if not (n and command.is_alternative)]
    limit = max(room, LINES_MIN)

    def is_short(place: int) -> bool:
        return 0 < len(lines[place]) <= limit

    short = list(takewhile(is_short, places) if step.dangerous else filter(is_short, places))
    shown: list[int] = []
    for place in short:
        left = room - sum(len(lines[one]) for one in shown)
        if len(lines[place]) > (left if shown else limit):
            break
        shown.append(place)
    is_marked = any(commands[place].dangerous for place in shown)
    mark = " ⚠" if is_marked or (not shown and step.dangerous) else ""
    is_whole = len(shown) == len(commands)
    if commands and not shown:
        mark += trn(" ({n} command, not shown)", " ({n} commands, not shown)", len(commands))
    elif not is_whole:
        mark += trn(
            " ({shown} of {n} command)",
            " ({shown} of {n} commands)",
            len(commands),
            shown=len(shown),
        )
    texts = [line for place in sorted(shown) for line in lines[place]]
    return command_lines(f"  {step.number} {step.title}", mark, texts, width), is_whole


def command_lines(title: str, mark: str, commands: list[str], width: int) -> list[Text]:
    """Return a title and its command: beside it where there is room, or else below."""
    label = Text(title)
    label.truncate(width - cell_len(mark), overflow="ellipsis")
    label.append(mark, "yellow")
    if len(commands) == 1:
        gap = max(TITLE_WIDTH - label.cell_len, 2)
        if label.cell_len + gap + cell_len(commands[0]) <= width:
            return [label.append(" " * gap).append(commands[0], STYLE)]
    return [label, *(Text(f"{INDENT}{command}", STYLE) for command in commands)]


def _lines(command: Command, width: int) -> list[str]:
    """Return a command in lines of at most `width`; none if it cannot be broken so."""
    lines = without_comments(command.text.strip())
    if command.language == "sql":
        # A comment within a line would swallow what is joined to it.
        if any("--" in line for line in lines):
            return []
        return wrap(" ".join(lines), width, "") or []
    parts = [wrap(line, width, " \\") for line in lines]
    return [] if None in parts else [line for part in parts if part for line in part]


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
