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
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from markdown_it.token import Token

MAX_BYTES = 1 << 20
MAX_LINES = 20_000
MAX_VALUE = 200

PARTS = (
    ("Signal", "Signal", r"signal|symptom"),
    ("Hypotheses", "Hypothèses", r"hypothes"),
    ("Verifications", "Vérifications", r"verif"),
    ("Corrective actions", "Actions correctives", r"(actions? )?correct|remed"),
    ("Preventive actions", "Actions préventives", r"(actions? )?prevent"),
    ("Post-mortem notes", "Post-mortem", r"(notes? )?post.?mortem"),
    ("References", "Références", r"referenc"),
)

_PLACEHOLDER = re.compile(r"<([a-z][a-z0-9_]{0,40})>")
# Control characters, and those that reorder what is displayed.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_CHECKS = re.compile(r"<!--\s*checks:([^>]*)-->")
_NUMBERED = re.compile(r"(\d{1,3})[.)]\s+(.*)")
_BOLD = re.compile(r"\*\*(.+?)\*\*\s*(.*)", re.DOTALL)
_COMMENT = re.compile(r"\s*(#|--(\s|$))")

# A step is dangerous if it throws data away, changes rights in depth, interrupts a service or
# writes to the database. The rule is small on purpose: it marks, it does not protect.
_DANGEROUS = re.compile(
    r"\b(purge_queue|delete_queue|reset|close_connection|rm|rmdir|kill|pkill|killall|truncate)\b"
    r"|\bch(own|mod|grp)\b.*\s-\w*R"
    r"|(?<![\w.-])(restart|stop|down|reboot|shutdown|remount)(?![\w.-])"
    r"|\s-delete\b",
)
_WRITES = re.compile(r"\b(update|insert\s+into|delete\s+from|truncate|drop|alter)\b", re.IGNORECASE)

# Secrets are never written into an action that a report shows.
_NEVER_FILLED = frozenset({"token", "password", "secret"})


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


def load_runbook(path: str | Path, *, hypotheses: int = 0, verifications: int = 0) -> Runbook:
    """Read a runbook of at most 1 MiB and 20,000 lines of UTF-8 Markdown.

    `hypotheses` and `verifications`, where not 0, are how many the evidence knows: a document with
    another number is refused. Raises RunbookError if it cannot be read or does not fit.
    """
    try:
        with Path(path).open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as exc:
        raise RunbookError(f"{path}: cannot be read ({exc.strerror or exc})") from exc
    if len(raw) > MAX_BYTES:
        raise RunbookError(f"{path}: larger than {MAX_BYTES} bytes")
    try:
        source = raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = raw.count(b"\n", 0, exc.start) + 1
        raise RunbookError(f"{path}:{line}: is not UTF-8") from exc
    return parse_runbook(source, str(path), hypotheses=hypotheses, verifications=verifications)


def parse_runbook(
    source: str, path: str = "runbook.md", *, hypotheses: int = 0, verifications: int = 0
) -> Runbook:
    """Take a runbook from its Markdown source; `path` is only named in errors.

    Raises RunbookError if it does not fit.
    """
    source = _CONTROL.sub("", source.replace("\r\n", "\n"))
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
        references=tuple(text for _, text in document.items(parts[6].tokens)),
        path=path,
    )


def is_dangerous(command: str) -> bool:
    """Whether a command may lose data or interrupt a service.

    Purges, deletions, recursive changes of rights, restarts, and SQL that writes.
    Comment lines do not count. A rule of thumb for the reader's eye, not a guard.
    """
    lines = (line for line in command.splitlines() if not _COMMENT.match(line))
    return any(_DANGEROUS.search(line) or _WRITES.search(line) for line in lines)


def placeholders(text: str) -> tuple[str, ...]:
    """The names of the placeholders in a text, each once, in order of appearance."""
    return tuple(dict.fromkeys(_PLACEHOLDER.findall(text)))


def fill(text: str, values: Mapping[str, str]) -> str:
    """Replace placeholders such as `<upload_id>` by what was observed.

    One without a value, and one that would be a secret, stays visible. Values lose control
    characters and line breaks and are cut at 200 characters; they are not quoted for a shell.
    """

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name in _NEVER_FILLED or name not in values:
            return match.group(0)
        clean = re.sub(r"[\n\t]", " ", _CONTROL.sub("", str(values[name]))).strip()
        return clean[:MAX_VALUE] or match.group(0)

    return _PLACEHOLDER.sub(value, text)


def fill_step(step: Step, values: Mapping[str, str]) -> Step:
    """The step with its text and commands filled (`fill`)."""
    commands = tuple(replace(command, text=fill(command.text, values)) for command in step.commands)
    return replace(
        step, title=fill(step.title, values), text=fill(step.text, values), commands=commands
    )


@dataclass(frozen=True)
class _Part:
    """A heading and everything below it, up to the next heading of its level."""

    title: str
    line: int
    end: int
    tokens: Sequence[Token]


class _Document:
    def __init__(self, source: str, path: str) -> None:
        self.path = path
        self.lines = source.split("\n")
        # Only the block structure is needed; inline parsing is what hostile input makes slow.
        self.tokens = MarkdownIt("commonmark").disable("inline").parse(source)

    def fail(self, line: int, problem: str) -> RunbookError:
        return RunbookError(f"{self.path}:{line}: {problem}")

    def split(self, tokens: Sequence[Token], tag: str, end: int) -> list[_Part]:
        starts = [
            index
            for index, token in enumerate(tokens)
            if token.type == "heading_open" and token.tag == tag and token.level == 0
        ]
        parts = []
        for index, following in pairwise([*starts, len(tokens)]):
            stop = _line(tokens[following]) if following < len(tokens) else end
            title = _flat(tokens[index + 1].content)
            parts.append(_Part(title, _line(tokens[index]), stop, tokens[index + 3 : following]))
        return parts

    def title(self) -> str:
        heads = self.split(self.tokens, "h1", len(self.lines) + 1)
        if not heads or not heads[0].title:
            raise self.fail(1, 'expected the heading "# <title of the runbook>"')
        return heads[0].title

    def parts(self) -> list[_Part]:
        end = len(self.lines) + 1
        self.title()
        found = self.split(self.tokens, "h2", end)
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

    def markdown(self, part: _Part) -> str:
        return "\n".join(self.lines[part.line : part.end - 1]).strip("\n")

    def items(self, tokens: Sequence[Token]) -> Iterator[tuple[int, str]]:
        """The first paragraph of each list item, with its line."""
        for index, token in enumerate(tokens):
            if token.type == "list_item_open":
                inline = tokens[index + 2] if index + 2 < len(tokens) else token
                yield _line(token), _flat(inline.content) if inline.type == "inline" else ""

    def hypotheses(self, part: _Part, expected: int) -> tuple[Hypothesis, ...]:
        found: list[Hypothesis] = []
        for index, token in enumerate(part.tokens):
            if token.type != "list_item_open" or token.markup not in (".", ")") or token.level != 1:
                continue
            title, text = _titled(_flat(part.tokens[index + 2].content))
            number = int(token.info or 0)
            if number != len(found) + 1 or not title:
                raise self.fail(
                    _line(token), f'expected the hypothesis "{len(found) + 1}. **title** - text"'
                )
            found.append(Hypothesis(number, title, text, _line(token)))
        if not found or (expected and len(found) != expected):
            wanted = f"{expected} numbered hypotheses" if expected else "a numbered hypothesis"
            raise self.fail(
                part.line, f'expected {wanted} under "{part.title[:80]}", found {len(found)}'
            )
        return tuple(found)

    def verifications(self, part: _Part, expected: int) -> tuple[Verification, ...]:
        found: list[Verification] = []
        for head in self.split(part.tokens, "h3", part.end):
            match = _NUMBERED.match(head.title)
            if not match or int(match.group(1)) != len(found) + 1:
                raise self.fail(
                    head.line,
                    f'expected the heading "### {len(found) + 1}. <what to verify>", '
                    f'found "{head.title[:80]}"',
                )
            commands = tuple(_commands(head.tokens))
            if not commands:
                raise self.fail(head.line, f'expected a code block under "{head.title[:80]}"')
            text = "\n".join(
                _flat(token.content) for token in head.tokens if token.type == "inline"
            )
            found.append(Verification(len(found) + 1, match.group(2), text, commands, head.line))
        if not found or (expected and len(found) != expected):
            wanted = expected or 1
            raise self.fail(
                part.end,
                f'expected the heading "### {min(len(found) + 1, wanted)}. <what to verify>": '
                f"{wanted} verifications, found {len(found)}",
            )
        return tuple(found)

    def actions(self, part: _Part, claims: tuple[Hypothesis, ...]) -> tuple[Section, ...]:
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

    def sections(self, part: _Part) -> tuple[Section, ...]:
        heads = self.split(part.tokens, "h3", part.end)
        return tuple(
            Section(number, head.title, tuple(_steps(head.tokens)), head.line)
            for number, head in enumerate(heads, 1)
        )

    def watch(self, part: _Part) -> tuple[str, ...]:
        heads = self.split(part.tokens, "h3", part.end)
        return tuple(text for _, text in self.items(heads[-1].tokens)) if len(heads) > 1 else ()


def _commands(tokens: Sequence[Token]) -> Iterator[Command]:
    """The commands of the code blocks: what stands between blank lines, save for mere comments."""
    for index, token in enumerate(tokens):
        if token.type != "fence":
            continue
        following = tokens[index + 1] if index + 1 < len(tokens) else token
        named = _CHECKS.match(following.content) if following.type == "html_block" else None
        names = (name.strip() for name in named.group(1).split(",")) if named else ()
        checks = tuple(name for name in names if name)
        language = token.info.split()[0] if token.info.strip() else ""
        for line, text in _chunks(token.content, _line(token) + 1):
            yield Command(language, text, line, checks)


def _chunks(code: str, line: int) -> Iterator[tuple[int, str]]:
    chunk: list[str] = []
    for number, row in enumerate([*code.split("\n"), ""], line):
        if row.strip():
            chunk.append(row.rstrip())
            continue
        if any(not _COMMENT.match(text) for text in chunk):
            yield number - len(chunk), "\n".join(chunk)
        chunk = []


def _steps(tokens: Sequence[Token]) -> Iterator[Step]:
    """The numbered steps of a section; what follows a step, up to the next, belongs to it."""
    starts = [
        index
        for index, token in enumerate(tokens)
        if token.type == "list_item_open" and token.markup in (".", ")") and token.level == 1
    ]
    for number, (start, stop) in enumerate(pairwise([*starts, len(tokens)]), 1):
        own = tokens[start:stop]
        texts = [_flat(token.content) for token in own if token.type == "inline"]
        title, first = _titled(texts[0]) if texts else ("", "")
        text = "\n".join(part for part in (first, *texts[1:]) if part)
        yield Step(number, title, text, tuple(_commands(own)), _line(tokens[start]))


def _titled(text: str) -> tuple[str, str]:
    """Split "**title**: text" into its title and its text."""
    match = _BOLD.match(text)
    if not match:
        return text.rstrip(" :"), ""
    return match.group(1).rstrip(" :."), match.group(2).lstrip(" :,-–—").strip()


def _flat(text: str) -> str:
    return " ".join(text.split())


def _fold(text: str) -> str:
    """Lower case without accents, so that "Hypothèses" and "hypotheses" are one."""
    plain = unicodedata.normalize("NFKD", text)
    return "".join(char for char in plain if not unicodedata.combining(char)).casefold().strip()


def _line(token: Token) -> int:
    return token.map[0] + 1 if token.map else 1
