"""The verdict for a terminal: one screen that says what is wrong, why, and what to do.

It is made of blocks of lines. Where they are too many for the screen, the blocks that matter least
are left out; no line is ever wider than the screen, and no command is cut.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from core.text import capitalized, count, flat, listed
from core.units import format_duration
from reports.render.first_steps import command_again, first_steps, verify_command
from reports.render.journey import with_outcomes
from reports.render.terminal_commands import INDENT, step_lines, titled, wrap
from reports.render.terminal_path import path_lines
from reports.render.terminal_words import bad_runs, clock, ordinal, plain, short_ids
from reports.render.verdict_words import (
    completed,
    counted_statuses,
    failed_components,
    failed_symptoms,
    items_affected,
    more_symptoms,
    no_symptom,
    partial_run,
    reasons,
    ruled_out,
    seen_before,
    since,
    sureness,
    telling,
    unnamed_cause,
    where_to_look,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from core.journey import Stage
    from reports.diagnosis.result import Finding
    from reports.history.incidents import RunRecord
    from reports.model.report import Report

LINES_MAX = 23
"""Lines of the verdict: a screen of 24 without that of the prompt which follows."""

CAUSES_MAX = 3
REASONS_MAX = 2

STYLES = {
    "healthy": ("✓", "bold green"),
    "at risk": ("!", "bold yellow"),
    "incident": ("✗", "bold red"),
    "unknown": ("?", "bold magenta"),
}
"""Mark and style of each state."""

SIGNS = {"failed": ("✗", "red"), "passed": ("✓", "green"), "unreachable": ("?", "yellow")}


@dataclass(frozen=True)
class Footer:
    """What a report does not know of itself.

    `page` is where report.html lies, `decision` the sentence of a gate, cut to one line,
    `unwritten` why the report could not be written. Times are those of `zone`, None for the
    machine's own.
    """

    page: str = ""
    decision: str = ""
    unwritten: str = ""
    zone: tzinfo | None = None


@dataclass(frozen=True)
class Block:
    """Lines that stay together. Of too many blocks, those of the highest rank are left out."""

    rank: int
    lines: tuple[Text, ...]


def verdict(
    report: Report, width: int, footer: Footer, runs: Sequence[RunRecord] = ()
) -> list[Text]:
    """Return the lines of the verdict; `runs` are the last ones of the history, with this one."""
    screen = _Screen(report, width, footer, runs)
    if report.state == "healthy":
        return fitting(screen.healthy())
    return fitting(screen.bad())


def what_is_wrong(
    report: Report, width: int, footer: Footer, runs: Sequence[RunRecord] = ()
) -> list[Block]:
    """Return the blocks of the verdict on state, effect and cause, without what to do."""
    return _Screen(report, width, footer, runs).what_is_wrong()


def fitting(blocks: list[Block], most: int = LINES_MAX) -> list[Text]:
    """Return the lines of as many blocks as fit on `most` lines."""
    while sum(len(block.lines) for block in blocks) > most:
        highest = max(block.rank for block in blocks)
        if not highest:
            break
        last = max(place for place, block in enumerate(blocks) if block.rank == highest)
        del blocks[last]
    return [line for block in blocks for line in block.lines]


class _Screen:
    """The blocks of one report's verdict."""

    def __init__(
        self, report: Report, width: int, footer: Footer, runs: Sequence[RunRecord]
    ) -> None:
        self._report = report
        self._width = width
        self._footer = footer
        self._runs = runs
        self._again = command_again(report)
        self._reasons = reasons(report)
        self._shown: set[str] = set()

    def healthy(self) -> list[Block]:
        return [self._blank(), *self._journeys(), *self._health(), self._foot()]

    def what_is_wrong(self) -> list[Block]:
        if self._report.state == "healthy":
            return self._health()
        return [*self._head(), *self._problems(), *self._path(), *self._cause()]

    def _health(self) -> list[Block]:
        counter = Counter(result.outcome.status for result in self._report.results)
        where = self._report.target.name
        seconds = f"{self._report.seconds:.1f} s"
        if self._report.partial:
            title = self._title(f"{partial_run(self._report)} · {where} · {seconds}")
            second = f"partial, so not the state of {where}; the whole: {self._again}"
        else:
            checks = self._report.headline.partition(": ")[2].removesuffix(".")
            title = self._title("HEALTHY", where, checks, seconds)
            second = completed(self._report) or f"{count(counter['passed'], 'check')} passed"
        return [
            Block(0, (title,)),
            *self._decision(),
            Block(1, (self._line(f"  {second}", "dim"),)) if second else Block(9, ()),
        ]

    def bad(self) -> list[Block]:
        return [
            self._blank(),
            *self._journeys(),
            *self._head(),
            *self._decision(),
            *self._problems(),
            *self._path(),
            *self._cause(),
            *self._to_do(),
            *self._counts(),
            self._foot(),
        ]

    def _title(self, state: str, *facts: str) -> Text:
        mark, style = STYLES[self._report.state]
        line = Text.assemble((f"{mark} {state}", style), "  ", " · ".join(filter(None, facts)))
        return self._cut(line)

    def _head(self) -> list[Block]:
        report = self._report
        word = report.state.upper()
        facts = [since(report, self._runs, self._footer.zone), self._streak()]
        if not any(facts):
            facts = [f"seen at {clock(report.started, report.started, self._footer.zone)}"]
        blocks = []
        if report.partial:
            blocks.append(Block(0, (self._title(partial_run(self._report)),)))
            facts.insert(0, f"{report.target.name}: {word} as far as it was looked")
            blocks.append(Block(1, (self._line(f"  {' · '.join(filter(None, facts))}"),)))
        else:
            blocks.append(Block(0, (self._title(word, report.target.name, *facts),)))
        impact = self._impact()
        if impact:
            blocks.append(Block(1, (self._line(f"  {impact}", "bold"),)))
        return blocks

    def _journeys(self) -> list[Block]:
        """Return the way of each item that the command line named: it is the first question."""
        noun = self._report.layout.noun
        blocks = []
        for journey in self._report.journeys:
            stages = with_outcomes(journey, self._report)
            stopped = next((stage for stage in stages if stage.reached is False), None)
            where = f"not {stopped.name}" if stopped else "through every stage"
            title = Text.assemble(
                (noun.upper(), "bold"),
                f"  {short_ids(journey.id)} is {journey.status}: ",
                (where, "bold"),
            )
            blocks.append(Block(0, (self._cut(title),)))
            blocks += map(self._stage, stages)
        return [*blocks, self._blank()] if blocks else []

    def _stage(self, stage: Stage) -> Block:
        status = {True: "passed", False: "failed", None: "unreachable"}[stage.reached]
        ago = "" if stage.age_seconds is None else f"{format_duration(stage.age_seconds)} ago"
        note = f" ({stage.note})" if stage.note else ""
        return self._sign(2, status, f"{stage.name:<12} {ago:<12} {plain(stage.source + note)}")

    def _streak(self) -> str:
        """Return "3rd bad run": how many runs in a row were no better."""
        length = len(bad_runs(self._runs))
        return f"{ordinal(length)} bad run in a row" if length > 1 else ""

    def _impact(self) -> str:
        """Return what users feel."""
        affected = items_affected(self._report)
        if affected:
            return affected
        symptoms = failed_symptoms(self._report)
        if symptoms:
            self._shown.add(plain(symptoms[0].seen))
            return self._counted(symptoms[0].seen, more_symptoms(symptoms))
        return no_symptom(self._report)

    def _decision(self) -> list[Block]:
        if not self._footer.decision:
            return []
        return [Block(0, (self._line(f"  {self._footer.decision}", "bold"),))]

    def _problems(self) -> list[Block]:
        if self._report.partial:
            return []
        return [
            Block(1 + place, (self._line(f"  ! {problem}", "magenta"),))
            for place, problem in enumerate(self._report.problems[:2])
        ]

    def _path(self) -> list[Block]:
        if self._report.partial or not self._report.results:
            return []
        lines = path_lines(self._report, self._width - 2)
        ranked = zip((1, 3), lines, strict=False)
        return [
            self._blank(),
            *(Block(rank, (Text("  ").append_text(line),)) for rank, line in ranked),
        ]

    def _cause(self) -> list[Block]:
        diagnosis = self._report.diagnosis
        if diagnosis.certainty == "none":
            return []
        blocks = [self._blank()]
        accepted = list(diagnosis.accepted)[:CAUSES_MAX]
        if accepted:
            each = 2 if len(accepted) == 1 else 1
            for place, finding in enumerate(accepted):
                label = "CAUSE" if not place else "  and"
                blocks.append(Block(0, (self._cause_title(label, finding),)))
                before = seen_before(self._report, finding, self._footer.zone)
                if before:
                    blocks.append(Block(3, (self._line(f"  {before}"),)))
                blocks += self._evidence(finding, each)
            blocks += self._rivals()
        else:
            blocks += self._unclear()
        return blocks

    def _cause_title(self, label: str, finding: Finding) -> Text:
        sure = sureness(self._report, finding)
        room = self._width - cell_len(f"{label}   ({sure})")
        title = Text(finding.title)
        title.truncate(max(room, 1), overflow="ellipsis")
        return self._cut(
            Text.assemble((label, "bold"), "  ", (title.plain, "bold red"), f" ({sure})")
        )

    def _evidence(self, finding: Finding, most: int) -> list[Block]:
        blocks: list[Block] = []
        for contribution in telling(finding.supporting, "failed"):
            text = self._report.evidence(contribution.check)
            if not text or plain(text) in self._shown:
                continue
            self._shown.add(plain(text))
            rank = 1 if not blocks else 4
            blocks.append(self._sign(rank, "failed", self._counted(text)))
            if len(blocks) == most:
                break
        for contribution in telling(finding.against, "passed")[:1]:
            text = self._report.evidence(contribution.check)
            blocks.append(self._sign(5, "passed", f"against it: {plain(text)}"))
        return blocks

    def _rivals(self) -> list[Block]:
        diagnosis = self._report.diagnosis
        blocks = []
        for finding in diagnosis.also_possible[:2]:
            text = f"  or   {finding.title} ({finding.probability:.2f})"
            blocks.append(Block(4, (self._line(text),)))
        out = ruled_out(self._report)
        if out:
            blocks.append(self._sign(5, "passed", f"ruled out: {', '.join(out)}"))
        return blocks

    def _unclear(self) -> list[Block]:
        diagnosis = self._report.diagnosis
        text = unnamed_cause(self._report)
        title = Text.assemble(("CAUSE", "bold"), "  ", (text, "bold"))
        blocks = [Block(0, tuple(self._split(title, "       ", most=2)))]
        failed = [
            plain(self._report.seen(result.outcome))
            for result in sorted(self._report.results, key=lambda r: r.role != "cause")
            if result.outcome.status == "failed"
        ]
        for text in [one for one in dict.fromkeys(failed) if one not in self._shown][:2]:
            self._shown.add(text)
            blocks.append(self._sign(4, "failed", self._counted(text)))
        if diagnosis.unseen:
            text = f"not seen: {listed([unseen.component for unseen in diagnosis.unseen])}"
            blocks.append(self._sign(2, "unreachable", text))
        return blocks

    def _to_do(self) -> list[Block]:
        remedies = self._report.remedies
        steps = first_steps(remedy.steps for remedy in remedies)
        blocks: list[Block] = []
        for place, step in enumerate(steps):
            lines = step_lines(len(blocks) + 1, step, self._width)
            blocks.append(Block(place, tuple(lines)))
        if not steps:
            blocks = [
                Block(place, (self._line(f"  {place + 1} {text}"),))
                for place, text in enumerate(where_to_look(self._report))
            ]
        blocks.append(self._verify("then " * bool(blocks)))
        marked = any("⚠" in line.plain for block in blocks for line in block.lines)
        note = "  ⚠ changes the system" if marked else ""
        title = Text.assemble(("DO THIS", "bold"), (note, "yellow"))
        return [self._blank(), Block(0, (title,)), *blocks]

    def _verify(self, then: str) -> Block:
        command = verify_command(self._report)
        label = f"  {then}{'verify' if self._report.remedies else 'check again'}"
        lines = wrap(command, self._width - len(INDENT), " \\")
        if lines:
            return Block(0, tuple(titled(label, "", lines, self._width)))
        # A word is wider than the screen. A shell joins its parts, if nothing stands before them.
        size = self._width - 1
        parts = [command[at : at + size] for at in range(0, len(command), size)]
        joined = [f"{part}\\" for part in parts[:-1]] + parts[-1:]
        return Block(0, (Text(label), *(Text(part, "cyan") for part in joined)))

    def _counts(self) -> list[Block]:
        results = self._report.results
        words = counted_statuses(self._report)
        failed = dict(words).get("failed", 0)
        blocks = [self._blank()]
        if failed:
            parts = [f"{failed} of {len(results)}"]
            parts += [f"{number} {word}" for word, number in words if word != "failed"]
            head = ("FAILED", "bold red")
        else:
            parts = [f"{number} {word}" for word, number in words]
            parts = [f"{len(results)}: {parts[0]}", *parts[1:]] if parts else ["none"]
            head = ("CHECKS", "bold")
        line = Text.assemble(head, "  ", " · ".join(parts))
        blocks.append(Block(0, (self._cut(line),)))
        places = failed_components(self._report)
        if places:
            text = "  ".join(f"{name} {number}" for name, number in places)
            blocks.append(Block(4, (self._line(f"  {text}"),)))
        reasons = [reason for reason in self._reasons if reason not in self._shown]
        for place, reason in enumerate(reasons[:REASONS_MAX]):
            rank = 3 if failed or place else 1
            blocks.append(self._sign(rank, "unreachable", self._counted(reason)))
        if reasons[REASONS_MAX:]:
            rest = count(len(reasons) - REASONS_MAX, "other reason")
            blocks.append(Block(6, (self._line(f"    and {rest}"),)))
        return blocks

    def _foot(self) -> Block:
        details = f"details: {self._again} -v"
        if self._footer.unwritten:
            first = f"the report was not written: {self._footer.unwritten}"
            return Block(0, tuple(self._wrapped(capitalized(first), "bold", most=3)))
        if not self._footer.page:
            return Block(0, (self._line(f"  {details}", "dim"),))
        page = f"report {self._footer.page}"
        whole = f"  {page} · {details}"
        if cell_len(whole) <= self._width:
            return Block(0, (Text(whole, "dim"),))
        start = Text(f"  {page}", "dim")
        if start.cell_len > self._width:
            # Its end tells more than its beginning.
            start = Text(f"  report …{page[-(self._width - 12) :]}", "dim")
        return Block(0, (self._cut(start), self._line(f"  {details}", "dim")))

    def _counted(self, text: str, after: str = "") -> str:
        """Return a reason as a person says it, with how many checks have the same."""
        text = plain(text)
        number = self._reasons.get(text, 0)
        checks = f" ({number} checks)" if number > 1 else ""
        room = self._width - 4 - cell_len(checks + after)
        shown = Text(text)
        shown.truncate(max(room, 10), overflow="ellipsis")
        return f"{shown.plain}{checks}{after}"

    def _sign(self, rank: int, status: str, text: str) -> Block:
        mark, style = SIGNS[status]
        return Block(rank, (self._cut(Text.assemble("  ", (mark, style), f" {text}")),))

    def _blank(self) -> Block:
        return Block(9, (Text(),))

    def _line(self, text: str, style: str = "") -> Text:
        return self._cut(Text(text, style))

    def _cut(self, line: Text) -> Text:
        line.truncate(self._width, overflow="ellipsis")
        return line

    def _wrapped(self, text: str, style: str, most: int) -> list[Text]:
        return self._split(Text(f"  {flat(text)}", style), "  ", most)

    def _split(self, line: Text, indent: str, most: int) -> list[Text]:
        """Return a line on at most so many lines, the later ones indented."""
        lines = [line]
        while lines[-1].cell_len > self._width and len(lines) < most:
            last = lines.pop()
            at = last.plain.rfind(" ", len(indent) + 1, self._width + 1)
            following = last.plain[at + 1 :].partition(" ")[0]
            if at < 0 or cell_len(following) > self._width:
                # A word that is wider than a line is broken in any case.
                at = self._width
            first, rest = last.divide([at])
            rest = rest[1:] if rest.plain.startswith(" ") else rest
            lines += [first, Text(indent).append_text(rest)]
        return [self._cut(one) for one in lines]
