"""Read the blocks of a runbook: sections, list items, commands and numbered steps.

Tokens are those of markdown-it; lines are counted from 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise, takewhile

from markdown_it.token import Token

from core.frozen import frozen
from core.text import flat
from reports.runbook.document import COMMENT, Command, Step
from reports.runbook.mistakes import warnings_of

_CHECKS = re.compile(r"<!--\s*checks:([^>]*)-->")
_WHEN = re.compile(r"<!--\s*when:([^>]*?)-->")
_RUN = re.compile(r"<!--\s*run:([^>]*?)-->")
_BOLD = re.compile(r"\*\*(.+?)\*\*\s*(.*)", re.DOTALL)


@frozen
class Section:
    """A heading and everything below it, up to the next heading of its level."""

    title: str
    line: int
    end: int
    tokens: Sequence[Token]


def sections_of(tokens: Sequence[Token], tag: str, end: int) -> list[Section]:
    """Return the sections below the headings `tag`, such as "h2"; `end` is the line after them."""
    starts = [
        index
        for index, token in enumerate(tokens)
        if token.type == "heading_open" and token.tag == tag and token.level == 0
    ]
    sections = []
    for index, following in pairwise([*starts, len(tokens)]):
        stop = line_of(tokens[following]) if following < len(tokens) else end
        title = flat(tokens[index + 1].content)
        sections.append(Section(title, line_of(tokens[index]), stop, tokens[index + 3 : following]))
    return sections


def read_items(tokens: Sequence[Token]) -> Iterator[str]:
    """Yield the first paragraph of each list item."""
    for index, token in enumerate(tokens):
        if token.type == "list_item_open":
            inline = tokens[index + 2] if index + 2 < len(tokens) else token
            yield flat(inline.content) if inline.type == "inline" else ""


def read_commands(tokens: Sequence[Token]) -> Iterator[Command]:
    """Yield the commands of the code blocks; a blank line separates two of them."""
    for index, token in enumerate(tokens):
        if token.type != "fence":
            continue
        following = takewhile(lambda one: one.type == "html_block", tokens[index + 1 :])
        after = "".join(comment.content for comment in following)
        comment = _CHECKS.search(after)
        when, run = condition_in(after), _first_group(_RUN, after)
        names = (name.strip() for name in comment.group(1).split(",")) if comment else ()
        checks = tuple(name for name in names if name)
        language = token.info.split()[0] if token.info.strip() else ""
        for line, text in _chunks(token.content, line_of(token) + 1):
            yield Command(language, text, line, checks, when, warnings_of(text), run)


def _chunks(code: str, line: int) -> Iterator[tuple[int, str]]:
    """Yield the parts of a code block between blank lines, except those of comments alone."""
    chunk: list[str] = []
    for number, row in enumerate([*code.split("\n"), ""], line):
        if row.strip():
            chunk.append(row.rstrip())
            continue
        if any(not COMMENT.match(text) for text in chunk):
            yield number - len(chunk), "\n".join(chunk)
        chunk = []


def read_steps(tokens: Sequence[Token]) -> Iterator[Step]:
    """Yield the numbered steps of a section, each with everything up to the next one."""
    starts = [index for index, token in enumerate(tokens) if is_numbered(token)]
    for number, (start, stop) in enumerate(pairwise([*starts, len(tokens)]), 1):
        own = tokens[start:stop]
        texts = [flat(token.content) for token in own if token.type == "inline"]
        title, first = split_title(texts[0]) if texts else ("", "")
        text = "\n".join(part for part in (first, *texts[1:]) if part)
        commands = tuple(read_commands(own))
        yield Step(number, title, text, commands, line_of(tokens[start]), _step_condition(own))


def _step_condition(tokens: Sequence[Token]) -> str:
    """Return the condition of a step: a comment that does not follow a code block."""
    conditions = (condition_in(token.content) for token in _own_comments(tokens))
    return next(filter(None, conditions), "")


def misplaced_run(tokens: Sequence[Token]) -> int | None:
    """Return the line of a comment `<!-- run: ... -->` that follows no code block, if any."""
    lines = (line_of(token) for token in _own_comments(tokens) if _RUN.search(token.content))
    return next(lines, None)


def _own_comments(tokens: Sequence[Token]) -> Iterator[Token]:
    """Yield the comments that do not follow a code block."""
    after_code = False
    for token in tokens:
        if token.type != "html_block":
            after_code = token.type == "fence"
        elif not after_code:
            yield token


def condition_in(text: str) -> str:
    """Return the condition of a comment `<!-- when: ... -->` in a text; empty where none is."""
    return _first_group(_WHEN, text)


def _first_group(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return flat(match.group(1)) if match else ""


def is_numbered(token: Token) -> bool:
    """Return whether a token starts an item of a numbered list that is not within another."""
    return token.type == "list_item_open" and token.markup in (".", ")") and token.level == 1


def split_title(text: str) -> tuple[str, str]:
    """Split "**title**: text" into its title and its text."""
    match = _BOLD.match(text)
    if not match:
        return text.rstrip(" :"), ""
    return match.group(1).rstrip(" :."), match.group(2).lstrip(" :,-–—").strip()


def line_of(token: Token) -> int:
    """Return the line on which a token begins, from 1."""
    return token.map[0] + 1 if token.map else 1
