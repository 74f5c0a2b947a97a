"""Load a runbook: a Markdown document whose headings come in a fixed order, in English or French.

    # title
    ## Signal                  ## Signal
    ## Hypotheses              ## Hypothèses            a numbered list, "**title** - text"
    ## Verifications           ## Vérifications         ### 1. title, its commands in code blocks
    ## Corrective actions      ## Actions correctives   ### one a hypothesis, in the same order
    ## Preventive actions      ## Actions préventives
    ## Post-mortem notes       ## Post-mortem
    ## References              ## Références

A part is recognised by its place, and its heading must say so: a document that does not fit is
refused with the line and the heading that was expected there. After a code block of a verification,
the comment `<!-- checks: module/name, module/name -->` may name the checks that do the same by
machine.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

from core.files import FileError, read_text
from core.text import CONTROL, flat
from reports.runbook.blocks import (
    Part,
    line_of,
    parts_at,
    read_commands,
    read_items,
    read_steps,
    titled,
)
from reports.runbook.document import (
    Hypothesis,
    Runbook,
    RunbookError,
    Section,
    Verification,
)

if TYPE_CHECKING:
    from pathlib import Path

MAX_LINES = 20_000

PARTS = (
    ("Signal", "Signal", r"signal|symptom"),
    ("Hypotheses", "Hypothèses", r"hypothes"),
    ("Verifications", "Vérifications", r"verif"),
    ("Corrective actions", "Actions correctives", r"(actions? )?correct|remed"),
    ("Preventive actions", "Actions préventives", r"(actions? )?prevent"),
    ("Post-mortem notes", "Post-mortem", r"(notes? )?post.?mortem"),
    ("References", "Références", r"referenc"),
)

_NUMBERED = re.compile(r"(\d{1,3})[.)]\s+(.*)")


def load_runbook(path: str | Path, *, hypotheses: int = 0, verifications: int = 0) -> Runbook:
    """Read a runbook of at most 1 MiB and 20,000 lines of UTF-8 Markdown.

    `hypotheses` and `verifications`, where not 0, are how many the evidence knows: a document with
    another number is refused. Raises RunbookError if it cannot be read or does not fit.
    """
    try:
        source = read_text(path)
    except FileError as exc:
        raise RunbookError(str(exc)) from exc
    return parse_runbook(source, str(path), hypotheses=hypotheses, verifications=verifications)


def parse_runbook(
    source: str, path: str = "runbook.md", *, hypotheses: int = 0, verifications: int = 0
) -> Runbook:
    """Take a runbook from its Markdown source; `path` is only named in errors.

    Raises RunbookError if it does not fit.
    """
    source = CONTROL.sub("", source.replace("\r\n", "\n"))
    if source.count("\n") > MAX_LINES:
        raise RunbookError(f"{path}:{MAX_LINES}: expected the end of the document by this line")
    document = _Document(source, path)
    parts = document.parts()
    claims = document.hypotheses(parts[1], hypotheses)
    return Runbook(
        title=document.title(),
        signal=document.markdown(parts[0]),
        hypotheses=claims,
        verifications=document.verifications(parts[2], verifications),
        actions=document.actions(parts[3], claims),
        preventive=document.sections(parts[4]),
        postmortem=document.markdown(parts[5]),
        watch=document.watch(parts[5]),
        references=tuple(text for _, text in read_items(parts[6].tokens)),
        path=path,
    )


class _Document:
    def __init__(self, source: str, path: str) -> None:
        self.path = path
        self.lines = source.split("\n")
        # Only the block structure is needed; inline parsing is what hostile input makes slow.
        self.tokens = MarkdownIt("commonmark").disable("inline").parse(source)

    def fail(self, line: int, problem: str) -> RunbookError:
        return RunbookError(f"{self.path}:{line}: {problem}")

    def title(self) -> str:
        heads = parts_at(self.tokens, "h1", len(self.lines) + 1)
        if not heads or not heads[0].title:
            raise self.fail(1, 'expected the heading "# <title of the runbook>"')
        return heads[0].title

    def parts(self) -> list[Part]:
        end = len(self.lines) + 1
        self.title()
        found = parts_at(self.tokens, "h2", end)
        for index, (english, french, pattern) in enumerate(PARTS):
            other = f' (or "## {french}")' if french != english else ""
            expected = f'expected the heading "## {english}"{other}'
            if index >= len(found):
                raise self.fail(end, f"{expected}, found the end of the document")
            if not re.match(pattern, _fold(found[index].title)):
                raise self.fail(found[index].line, f'{expected}, found "{found[index].title[:80]}"')
        if len(found) > len(PARTS):
            extra = found[len(PARTS)]
            raise self.fail(
                extra.line, f'expected the end of the document, found "{extra.title[:80]}"'
            )
        return found

    def markdown(self, part: Part) -> str:
        return "\n".join(self.lines[part.line : part.end - 1]).strip("\n")

    def hypotheses(self, part: Part, expected: int) -> tuple[Hypothesis, ...]:
        found: list[Hypothesis] = []
        for index, token in enumerate(part.tokens):
            if token.type != "list_item_open" or token.markup not in (".", ")") or token.level != 1:
                continue
            title, text = titled(flat(part.tokens[index + 2].content))
            number = int(token.info or 0)
            if number != len(found) + 1 or not title:
                raise self.fail(
                    line_of(token), f'expected the hypothesis "{len(found) + 1}. **title** - text"'
                )
            found.append(Hypothesis(number, title, text, line_of(token)))
        if not found or (expected and len(found) != expected):
            wanted = f"{expected} numbered hypotheses" if expected else "a numbered hypothesis"
            raise self.fail(
                part.line, f'expected {wanted} under "{part.title[:80]}", found {len(found)}'
            )
        return tuple(found)

    def verifications(self, part: Part, expected: int) -> tuple[Verification, ...]:
        found: list[Verification] = []
        for head in parts_at(part.tokens, "h3", part.end):
            match = _NUMBERED.match(head.title)
            if not match or int(match.group(1)) != len(found) + 1:
                raise self.fail(
                    head.line,
                    f'expected the heading "### {len(found) + 1}. <what to verify>", '
                    f'found "{head.title[:80]}"',
                )
            commands = tuple(read_commands(head.tokens))
            if not commands:
                raise self.fail(head.line, f'expected a code block under "{head.title[:80]}"')
            text = "\n".join(flat(token.content) for token in head.tokens if token.type == "inline")
            found.append(Verification(len(found) + 1, match.group(2), text, commands, head.line))
        if not found or (expected and len(found) != expected):
            wanted = expected or 1
            raise self.fail(
                part.end,
                f'expected the heading "### {min(len(found) + 1, wanted)}. <what to verify>": '
                f"{wanted} verifications, found {len(found)}",
            )
        return tuple(found)

    def actions(self, part: Part, claims: tuple[Hypothesis, ...]) -> tuple[Section, ...]:
        found = self.sections(part)
        if len(found) < len(claims):
            title = claims[len(found)].title
            raise self.fail(
                part.end, f'expected the heading "### If {title}": each hypothesis has its actions'
            )
        if len(found) > len(claims):
            extra = found[len(claims)]
            raise self.fail(
                extra.line,
                f'expected the heading "## {PARTS[4][0]}" (or "## {PARTS[4][1]}"): '
                f'"{extra.title[:80]}" belongs to no hypothesis',
            )
        for section in found:
            if not section.steps:
                raise self.fail(
                    section.line, f'expected numbered steps under "{section.title[:80]}"'
                )
        return found

    def sections(self, part: Part) -> tuple[Section, ...]:
        heads = parts_at(part.tokens, "h3", part.end)
        return tuple(
            Section(number, head.title, tuple(read_steps(head.tokens)), head.line)
            for number, head in enumerate(heads, 1)
        )

    def watch(self, part: Part) -> tuple[str, ...]:
        heads = parts_at(part.tokens, "h3", part.end)
        return tuple(text for _, text in read_items(heads[-1].tokens)) if len(heads) > 1 else ()


def _fold(text: str) -> str:
    """Lower case without accents, so that "Hypothèses" and "hypotheses" are one."""
    plain = unicodedata.normalize("NFKD", text)
    return "".join(char for char in plain if not unicodedata.combining(char)).casefold().strip()
