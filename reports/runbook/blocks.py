"""Read the blocks that a runbook is made of: parts, list items, commands and numbered steps.

Tokens are those of markdown-it, lines are counted from 1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from core.text import flat
from reports.runbook.document import COMMENT, Command, Step

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markdown_it.token import Token

_CHECKS = re.compile(r"<!--\s*checks:([^>]*)-->")
_BOLD = re.compile(r"\*\*(.+?)\*\*\s*(.*)", re.DOTALL)


@dataclass(frozen=True)
class Part:
    """A heading and everything below it, up to the next heading of its level."""

    title: str
    line: int
    end: int
    tokens: Sequence[Token]


def parts_at(tokens: Sequence[Token], tag: str, end: int) -> list[Part]:
    """The parts below the headings `tag`, such as "h2"; `end` is the line after the last part."""
    starts = [
        index
        for index, token in enumerate(tokens)
        if token.type == "heading_open" and token.tag == tag and token.level == 0
    ]
    parts = []
    for index, following in pairwise([*starts, len(tokens)]):
        stop = line_of(tokens[following]) if following < len(tokens) else end
        title = flat(tokens[index + 1].content)
        parts.append(Part(title, line_of(tokens[index]), stop, tokens[index + 3 : following]))
    return parts


def read_items(tokens: Sequence[Token]) -> Iterator[tuple[int, str]]:
    """The first paragraph of each list item, with its line."""
    for index, token in enumerate(tokens):
        if token.type == "list_item_open":
            inline = tokens[index + 2] if index + 2 < len(tokens) else token
            yield line_of(token), flat(inline.content) if inline.type == "inline" else ""


def read_commands(tokens: Sequence[Token]) -> Iterator[Command]:
    """The commands of the code blocks: what stands between blank lines, save for mere comments."""
    for index, token in enumerate(tokens):
        if token.type != "fence":
            continue
        following = tokens[index + 1] if index + 1 < len(tokens) else token
        named = _CHECKS.match(following.content) if following.type == "html_block" else None
        names = (name.strip() for name in named.group(1).split(",")) if named else ()
        checks = tuple(name for name in names if name)
        language = token.info.split()[0] if token.info.strip() else ""
        for line, text in _chunks(token.content, line_of(token) + 1):
            yield Command(language, text, line, checks)


def _chunks(code: str, line: int) -> Iterator[tuple[int, str]]:
    chunk: list[str] = []
    for number, row in enumerate([*code.split("\n"), ""], line):
        if row.strip():
            chunk.append(row.rstrip())
            continue
        if any(not COMMENT.match(text) for text in chunk):
            yield number - len(chunk), "\n".join(chunk)
        chunk = []


def read_steps(tokens: Sequence[Token]) -> Iterator[Step]:
    """The numbered steps of a section; what follows a step, up to the next, belongs to it."""
    starts = [
        index
        for index, token in enumerate(tokens)
        if token.type == "list_item_open" and token.markup in (".", ")") and token.level == 1
    ]
    for number, (start, stop) in enumerate(pairwise([*starts, len(tokens)]), 1):
        own = tokens[start:stop]
        texts = [flat(token.content) for token in own if token.type == "inline"]
        title, first = titled(texts[0]) if texts else ("", "")
        text = "\n".join(part for part in (first, *texts[1:]) if part)
        yield Step(number, title, text, tuple(read_commands(own)), line_of(tokens[start]))


def titled(text: str) -> tuple[str, str]:
    """Split "**title**: text" into its title and its text."""
    match = _BOLD.match(text)
    if not match:
        return text.rstrip(" :"), ""
    return match.group(1).rstrip(" :."), match.group(2).lstrip(" :,-–—").strip()


def line_of(token: Token) -> int:
    """The line on which a token begins, from 1."""
    return token.map[0] + 1 if token.map else 1
