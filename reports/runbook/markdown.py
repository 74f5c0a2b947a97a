"""Load a runbook: a Markdown document whose headings come in a fixed order, in English or French.

    # title
    ## Signal                  ## Signal
    ## Hypotheses              ## Hypothèses            a numbered list, "**title** - text"
    ## Verifications           ## Vérifications         ### 1. title, its commands in code blocks
    ## Corrective actions      ## Actions correctives   ### one per hypothesis, in the same order
    ## Preventive actions      ## Actions préventives
    ## Post-mortem notes       ## Post-mortem           ### last: the metrics to watch afterwards
    ## References              ## Références

A part is recognised by its place, and its heading must match: otherwise the document is refused
with the line and the heading that was expected there. After a code block of a verification, the
comment `<!-- checks: module/name, module/name -->` may name the checks that automate it. In a step
of an action, `<!-- when: module/name failed -->` says when a report shows the step, or after a code
block this command alone (`reports.runbook.conditions`); without it, it is always shown. There,
`<!-- run: ... -->` permits `python -m actions` to run the command (`reports.runbook.run_rules`).
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from markdown_it import MarkdownIt

from core.files import FileError, read_text
from core.language import tr
from core.text import CONTROL, flat
from reports.runbook import blocks
from reports.runbook.conditions import problem_of
from reports.runbook.document import ActionGroup, Command, Runbook, RunbookError, Verification
from reports.runbook.mistakes import damage_of
from reports.runbook.run_rules import parse_rule

MAX_LINES = 20_000

RUN = ("bash", "sh", "shell", "console", "zsh", "sql", "postgresql", "psql", "")
"""Languages of the code blocks that somebody runs."""

PARTS = (
    ("Signal", "Signal", r"signal|symptom"),
    ("Hypotheses", "Hypothèses", r"hypothes"),
    ("Verifications", "Vérifications", r"verif"),
    ("Corrective actions", "Actions correctives", r"(actions? )?correct|remed"),
    ("Preventive actions", "Actions préventives", r"(actions? )?prevent"),
    ("Post-mortem notes", "Post-mortem", r"(notes? )?post.?mortem"),
    ("References", "Références", r"referenc"),
)

_H2 = re.compile(r"^##\s+(.+?)\s*$", re.MULTILINE)
_NUMBERED = re.compile(r"(\d{1,3})[.)]\s+(.*)")


def load_runbook(path: str | Path, *, hypotheses: int = 0, verifications: int = 0) -> Runbook:
    """Load a runbook of at most 1 MiB and 20,000 lines of UTF-8 Markdown.

    `hypotheses` and `verifications`, where not 0, are the numbers in the evidence table: a document
    with another number is refused. Raises RunbookError.
    """
    try:
        source = read_text(path)
    except FileError as exc:
        raise RunbookError(str(exc)) from exc
    return parse_runbook(source, str(path), hypotheses=hypotheses, verifications=verifications)


def parse_runbook(
    source: str, path: str = "runbook.md", *, hypotheses: int = 0, verifications: int = 0
) -> Runbook:
    """Parse a runbook's Markdown; `path` is only named in errors. Raises RunbookError."""
    source = CONTROL.sub("", source.replace("\r\n", "\n"))
    if source.count("\n") > MAX_LINES:
        problem = tr("expected the end of the document by this line")
        raise RunbookError.at(f"{path}:{MAX_LINES}", problem)
    parser = _Parser(source, path)
    parts = parser.parts()
    titles = parser.hypotheses(parts[1], hypotheses)
    return Runbook(
        title=parser.title(),
        hypotheses=titles,
        verifications=parser.verifications(parts[2], verifications),
        actions=parser.actions(parts[3], titles),
        preventive=tuple(map(_group_of, parser.subsections(parts[4]))),
        postmortem=parser.markdown(parts[5]),
        watch=parser.watch(parts[5]),
        path=path,
    )


def language_of(path: str | Path) -> str | None:
    """Return the language of a document's headings: "fr" or "en", None where they do not tell."""
    try:
        source = read_text(path)
    except FileError:
        return None
    titles = {flat(title).casefold() for title in _H2.findall(source)}
    for code, column in (("fr", 1), ("en", 0)):
        if any(part[column].casefold() in titles for part in PARTS if part[0] != part[1]):
            return code
    return None


class _Parser:
    def __init__(self, source: str, path: str) -> None:
        self.path = path
        self.lines = source.split("\n")
        # Only the block structure is needed; inline parsing is what hostile input makes slow.
        self.tokens = MarkdownIt("commonmark").disable("inline").parse(source)

    def misfit(self, line: int, problem: str, /, **parts: object) -> RunbookError:
        """Return the error for a line; with `parts` its sentence is translated and filled."""
        return RunbookError.at(f"{self.path}:{line}", tr(problem, **parts) if parts else problem)

    def title(self) -> str:
        headings = blocks.sections_of(self.tokens, "h1", len(self.lines) + 1)
        if not headings or not headings[0].title:
            raise self.misfit(1, tr('expected the heading "# <title of the runbook>"'))
        return headings[0].title

    def parts(self) -> list[blocks.Section]:
        end = len(self.lines) + 1
        self.title()
        parts = blocks.sections_of(self.tokens, "h2", end)
        for index, (english, french, pattern) in enumerate(PARTS):
            expected = _expected(english, french)
            if index >= len(parts):
                raise self.misfit(
                    end, "{expected}, found the end of the document", expected=expected
                )
            if not re.match(pattern, _fold(parts[index].title)):
                title = parts[index].title[:80]
                raise self.misfit(
                    parts[index].line, '{expected}, found "{title}"', expected=expected, title=title
                )
        if len(parts) > len(PARTS):
            extra = parts[len(PARTS)]
            raise self.misfit(
                extra.line,
                'expected the end of the document, found "{title}"',
                title=extra.title[:80],
            )
        return parts

    def subsections(self, part: blocks.Section) -> list[blocks.Section]:
        return blocks.sections_of(part.tokens, "h3", part.end)

    def markdown(self, part: blocks.Section) -> str:
        return "\n".join(self.lines[part.line : part.end - 1]).strip("\n")

    def hypotheses(self, part: blocks.Section, expected: int) -> tuple[str, ...]:
        titles: list[str] = []
        for index, token in enumerate(part.tokens):
            if not blocks.is_numbered(token):
                continue
            title, _ = blocks.split_title(flat(part.tokens[index + 2].content))
            number = len(titles) + 1
            if int(token.info or 0) != number or not title:
                raise self.misfit(
                    blocks.line_of(token),
                    'expected the hypothesis "{number}. **title** - text"',
                    number=number,
                )
            titles.append(title)
        if not titles or (expected and len(titles) != expected):
            title = part.title[:80]
            problem = (
                tr(
                    'expected {expected} numbered hypotheses under "{title}", found {found}',
                    expected=expected,
                    title=title,
                    found=len(titles),
                )
                if expected
                else tr('expected a numbered hypothesis under "{title}", found 0', title=title)
            )
            raise self.misfit(part.line, problem)
        return tuple(titles)

    def verifications(self, part: blocks.Section, expected: int) -> tuple[Verification, ...]:
        verifications: list[Verification] = []
        for section in self.subsections(part):
            number = len(verifications) + 1
            match = _NUMBERED.match(section.title)
            if not match or int(match.group(1)) != number:
                raise self.misfit(
                    section.line,
                    'expected the heading "### {number}. <what to verify>", found "{title}"',
                    number=number,
                    title=section.title[:80],
                )
            commands = tuple(blocks.read_commands(section.tokens))
            if not commands:
                raise self.misfit(
                    section.line, 'expected a code block under "{title}"', title=section.title[:80]
                )
            verifications.append(Verification(number, match.group(2), commands))
        count = len(verifications)
        if not count or (expected and count != expected):
            wanted = expected or 1
            raise self.misfit(
                part.end,
                'expected the heading "### {number}. <what to verify>": {wanted} '
                "verifications, found {found}",
                number=min(count + 1, wanted),
                wanted=wanted,
                found=count,
            )
        return tuple(verifications)

    def actions(self, part: blocks.Section, hypotheses: tuple[str, ...]) -> tuple[ActionGroup, ...]:
        sections = self.subsections(part)
        if len(sections) < len(hypotheses):
            title = hypotheses[len(sections)]
            raise self.misfit(
                part.end,
                'expected the heading "### If {title}": each hypothesis has its actions',
                title=title,
            )
        if len(sections) > len(hypotheses):
            extra = sections[len(hypotheses)]
            raise self.misfit(
                extra.line,
                '{expected}: "{title}" belongs to no hypothesis',
                expected=_expected(*PARTS[4][:2]),
                title=extra.title[:80],
            )
        groups = tuple(map(_group_of, sections))
        for section, group in zip(sections, groups, strict=True):
            if not group.steps:
                raise self.misfit(
                    section.line,
                    'expected numbered steps under "{title}"',
                    title=section.title[:80],
                )
            self.check_steps(group)
            misplaced = blocks.misplaced_run(section.tokens)
            if misplaced:
                raise self.misfit(misplaced, tr('"run:" belongs directly after a code block'))
        return groups

    def check_steps(self, group: ActionGroup) -> None:
        """Raise RunbookError for a damaged command, and for an annotation that cannot be read."""
        for step in group.steps:
            places = [(step.line, step.when), *((c.line, c.when) for c in step.commands)]
            for line, condition in places:
                problem = problem_of(condition) if condition else ""
                if problem:
                    raise self.misfit(line, problem)
            for command in step.commands:
                damage = damage_of(command.text) if command.language in RUN else None
                if damage:
                    raise self.misfit(command.line + damage[0], damage[1])
                self.check_rule(command)

    def check_rule(self, command: Command) -> None:
        try:
            if command.run:
                parse_rule(command.run, command.language)
        except ValueError as exc:
            raise self.misfit(command.line, str(exc)) from exc

    def watch(self, part: blocks.Section) -> tuple[str, ...]:
        sections = self.subsections(part)
        return tuple(blocks.read_items(sections[-1].tokens)) if len(sections) > 1 else ()


def _expected(english: str, french: str) -> str:
    if french == english:
        return tr('expected the heading "## {english}"', english=english)
    return tr(
        'expected the heading "## {english}" (or "## {french}")', english=english, french=french
    )


def _group_of(section: blocks.Section) -> ActionGroup:
    return ActionGroup(section.title, tuple(blocks.read_steps(section.tokens)))


def _fold(text: str) -> str:
    """Return a text in lower case without accents: "Hypothèses" becomes "hypotheses"."""
    plain = unicodedata.normalize("NFKD", text)
    return "".join(char for char in plain if not unicodedata.combining(char)).casefold().strip()
