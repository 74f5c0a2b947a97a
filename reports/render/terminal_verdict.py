"""The verdict for a terminal: one screen that says what is wrong, why, and what to do.

It is made of blocks of lines. Where they are too many for the screen, the blocks that matter least
are left out; no line is ever wider than the screen, and no command is cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePath

from rich.cells import cell_len
from rich.text import Text

from core.frozen import frozen
from core.journey import Stage
from core.language import numeral, tr, trn
from core.outcome import component_word, counted, counted_status
from core.text import capitalized, flat, listed, titled
from core.units import format_duration
from reports.diagnosis.result import Finding
from reports.history.incidents import RunRecord
from reports.model.headline import health
from reports.model.report import Report, state_word
from reports.render import verdict_words as phrases
from reports.render.first_steps import (
    actions_command,
    command_again,
    count_steps,
    first_steps,
    verify_command,
)
from reports.render.journey import with_outcomes
from reports.render.terminal_commands import INDENT, command_lines, step_lines, wrap
from reports.render.terminal_path import path_lines
from reports.render.words import clock, plain, short_ids

LINES_MAX = 23
"""Lines of the verdict: a screen of 24 without that of the prompt which follows."""

ROOMS = (16, 8, 5, 3, 2, 1)
"""Lines for the commands of each step: as many as fit on the screen."""

ADDITION = 4
"""Rank from which a block makes way for the lines of a command."""

REASONS_MAX = 2

STAGE_WIDTH = 12
"""Columns of a stage's name, and of its age."""

STYLES = {
    "healthy": ("✓", "bold green"),
    "at risk": ("!", "bold yellow"),
    "incident": ("✗", "bold red"),
    "unknown": ("?", "bold magenta"),
}
"""Mark and style of each state."""

SIGNS = {"failed": ("✗", "red"), "passed": ("✓", "green"), "unreachable": ("?", "yellow")}


@frozen
class Footer:
    """Facts that a report does not know of itself.

    `page` is where report.html lies, `decision` the sentence of a gate, cut to one line,
    `unwritten` why the report could not be written.
    """

    page: str = ""
    decision: str = ""
    unwritten: str = ""


@frozen
class Block:
    """Lines that stay together. Of too many blocks, those of the highest rank are left out."""

    rank: int
    lines: tuple[Text, ...]


def verdict(
    report: Report, width: int, footer: Footer, runs: Sequence[RunRecord] = ()
) -> list[Text]:
    """Return the lines of the verdict; `runs` are the last ones of the history, with this one."""
    if report.state == "healthy":
        return fitting(_Screen(report, width, footer, runs).healthy())
    blocks: list[Block] = []
    for room in ROOMS:
        blocks = _Screen(report, width, footer, runs, room).bad()
        if sum(len(block.lines) for block in blocks if block.rank < ADDITION) <= LINES_MAX:
            break
    return fitting(blocks)


def without_actions(report: Report, width: int, runs: Sequence[RunRecord]) -> list[Block]:
    """Return the blocks of the verdict on state, effect and cause, without what to do."""
    return _Screen(report, width, Footer(), runs).without_actions()


def blank() -> Block:
    """Return an empty line, which is the first to make way."""
    return Block(9, (Text(),))


def fitting(blocks: list[Block], most: int = LINES_MAX) -> list[Text]:
    """Return the lines of as many blocks as fit on `most` lines."""
    while sum(len(block.lines) for block in blocks) > most:
        highest = max(block.rank for block in blocks)
        if not highest:
            break
        last = max(place for place, block in enumerate(blocks) if block.rank == highest)
        del blocks[last]
    return [line for block in blocks for line in block.lines]


def _ago(seconds: float) -> str:
    return tr("{duration} ago", duration=format_duration(seconds))


class _Screen:
    """The blocks of one report's verdict."""

    def __init__(
        self,
        report: Report,
        width: int,
        footer: Footer,
        runs: Sequence[RunRecord],
        room: int = ROOMS[-1],
    ) -> None:
        self._report = report
        self._width = width
        self._footer = footer
        self._runs = runs
        self._room = room
        self._again = command_again(report)
        self._reasons = phrases.reasons(report)
        self._shown: set[str] = set()

    def healthy(self) -> list[Block]:
        return [blank(), *self._journeys(), *self._health(), self._foot()]

    def without_actions(self) -> list[Block]:
        if self._report.state == "healthy":
            return self._health()
        return [*self._head(), *self._problems(), *self._path(), *self._cause()]

    def _health(self) -> list[Block]:
        where = self._report.target.name
        seconds = f"{numeral(self._report.seconds, 1)} s"
        if self._report.partial:
            title = self._title(f"{phrases.partial_run(self._report)} · {where} · {seconds}")
            second = tr(
                "this is not the whole state of {target}; to see it: {command}",
                target=where,
                command=self._again,
            )
        else:
            report = self._report
            observed = health(report.results, report.figures, report.layout.impact)
            title = self._title(state_word("healthy").upper(), where, observed, seconds)
            passed = sum(result.outcome.status == "passed" for result in report.results)
            second = phrases.completed(report) or trn(
                "{n} check passed", "{n} checks passed", passed
            )
        return [
            Block(0, (title,)),
            *self._decision(),
            self._block(1, f"  {second}", "dim"),
        ]

    def bad(self) -> list[Block]:
        return [
            blank(),
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
        word = state_word(report.state).upper()
        facts = [phrases.since(report, self._runs), phrases.streak(self._runs)]
        if not any(facts):
            time = clock(report.started, report.started)
            facts = [tr("seen at {time}", time=time)]
        blocks = []
        if report.partial:
            blocks.append(Block(0, (self._title(phrases.partial_run(self._report)),)))
            target = report.target.name
            so_far = tr("{target}: {state} in what was checked", target=target, state=word)
            facts.insert(0, so_far)
            blocks.append(self._block(1, f"  {' · '.join(filter(None, facts))}"))
        else:
            blocks.append(Block(0, (self._title(word, report.target.name, *facts),)))
        impact = self._impact()
        if impact:
            blocks.append(self._block(1, f"  {impact}", "bold"))
        return blocks

    def _journeys(self) -> list[Block]:
        """Return the way of each item that the command line named: it is the first question."""
        noun = self._report.layout.noun
        blocks = []
        for of_database in self._report.journeys:
            journey = with_outcomes(of_database, self._report)
            stopped = journey.stopped_at
            if stopped:
                where = tr("not {stage}", stage=tr(stopped.name))
            elif journey.stages:
                where = tr("through every stage")
            else:
                where = tr("nothing else is known of it")
            status = journey.status or tr("unknown")
            title = Text.assemble(
                (noun.upper(), "bold"),
                tr("  {id} is {status}: ", id=short_ids(journey.id), status=status),
                (where, "bold"),
            )
            blocks.append(Block(0, (self._cut(title),)))
            blocks += self._stages(journey.stages)
        return [*blocks, blank()] if blocks else []

    def _stages(self, stages: Sequence[Stage]) -> Iterator[Block]:
        ages = ["" if one.age_seconds is None else _ago(one.age_seconds) for one in stages]
        names = [tr(stage.name) for stage in stages]
        name_width = max([STAGE_WIDTH, *map(cell_len, names)])
        age_width = max([STAGE_WIDTH, *map(cell_len, ages)])
        for stage, name, ago in zip(stages, names, ages, strict=True):
            status = {True: "passed", False: "failed", None: "unreachable"}[stage.reached]
            note = f" ({stage.note})" if stage.note else ""
            source = plain(stage.source + note)
            yield self._sign(2, status, f"{name:<{name_width}} {ago:<{age_width}} {source}")

    def _impact(self) -> str:
        affected = phrases.items_affected(self._report)
        if affected:
            return affected
        symptoms = phrases.failed_symptoms(self._report)
        if symptoms:
            self._shown.add(phrases.gist(plain(symptoms[0].seen)))
            return self._counted(symptoms[0].seen, phrases.more_symptoms(symptoms))
        return phrases.no_symptom(self._report)

    def _decision(self) -> list[Block]:
        if not self._footer.decision:
            return []
        return [self._block(0, f"  {self._footer.decision}", "bold")]

    def _problems(self) -> list[Block]:
        if self._report.partial:
            return []
        return [
            self._block(1 + place, f"  ! {problem}", "magenta")
            for place, problem in enumerate(self._report.problems[:2])
        ]

    def _path(self) -> list[Block]:
        if self._report.partial or not self._report.results:
            return []
        lines = path_lines(self._report, self._width - 2)
        ranked = zip((1, 3), lines, strict=False)
        return [
            blank(),
            *(Block(rank, (Text("  ").append_text(line),)) for rank, line in ranked),
        ]

    def _cause(self) -> list[Block]:
        diagnosis = self._report.diagnosis
        if diagnosis.certainty == "none":
            return []
        blocks = [blank()]
        accepted = list(diagnosis.accepted)[: phrases.CAUSES_MAX]
        if accepted:
            most = 2 if len(accepted) == 1 else 1
            for place, finding in enumerate(accepted):
                label = tr("  and") if place else tr("CAUSE")
                blocks.append(Block(0, (self._cause_title(label, finding),)))
                before = phrases.seen_before(self._report, finding)
                if before:
                    blocks.append(self._block(2, f"  {before}"))
                blocks += self._evidence(finding, most)
            blocks += self._rivals()
        else:
            blocks += self._unclear()
        return blocks

    def _cause_title(self, label: str, finding: Finding) -> Text:
        sure = phrases.sureness(self._report, finding)
        room = self._width - cell_len(f"{label}   ({sure})")
        title = Text(finding.title)
        title.truncate(max(room, 1), overflow="ellipsis")
        return self._cut(
            Text.assemble((label, "bold"), "  ", (title.plain, "bold red"), f" ({sure})")
        )

    def _evidence(self, finding: Finding, most: int) -> list[Block]:
        blocks: list[Block] = []
        for check in phrases.accusing(self._report, finding):
            text = self._report.evidence(check)
            if not text or phrases.gist(plain(text)) in self._shown:
                continue
            self._shown.add(phrases.gist(plain(text)))
            rank = 1 if not blocks else 4
            blocks.append(self._sign(rank, "failed", self._counted(text)))
            most -= 1
            blocks += self._quoted(rank + 1, plain(text))
            if not most:
                break
        for contribution in phrases.notable(finding.against, "passed")[:1]:
            text = self._report.evidence(contribution.check)
            # One look can fail one check and pass another: its sentence stands there already.
            if phrases.gist(plain(text)) in self._shown:
                continue
            against = tr("against it: {evidence}", evidence=plain(text))
            blocks.append(self._sign(5, "passed", against))
        return blocks

    def _rivals(self) -> list[Block]:
        diagnosis = self._report.diagnosis
        blocks = []
        for finding in diagnosis.also_possible[:2]:
            text = tr(
                "  or   {title} ({probability})",
                title=finding.title,
                probability=numeral(finding.probability, 2),
            )
            blocks.append(self._block(3, text))
        out = phrases.ruled_out(self._report)
        if out:
            blocks.append(self._sign(5, "passed", tr("ruled out: {causes}", causes=", ".join(out))))
        return blocks

    def _unclear(self) -> list[Block]:
        diagnosis = self._report.diagnosis
        text = phrases.unnamed_cause(self._report)
        label = tr("CAUSE")
        title = Text.assemble((label, "bold"), "  ", (text, "bold"))
        indent = " " * (cell_len(label) + 2)
        blocks = [Block(0, tuple(self._split(title, indent, most=2)))]
        failed = phrases.failed_causes_first(self._report)
        new = {
            phrases.gist(one): one
            for one in reversed(failed)
            if phrases.gist(one) not in self._shown
        }
        for text in list(reversed(new.values()))[:2]:
            self._shown.add(phrases.gist(text))
            blocks += [self._sign(3, "failed", self._counted(text)), *self._quoted(4, text)]
        if diagnosis.unseen:
            components = listed([component_word(one.component) for one in diagnosis.unseen])
            text = tr("not seen: {names}", names=components)
            blocks.append(self._sign(2, "unreachable", text))
        return blocks

    def _to_do(self) -> list[Block]:
        steps = first_steps(self._report)
        blocks: list[Block] = []
        are_whole = len(steps) == count_steps(self._report)
        for place, step in enumerate(steps):
            lines, is_whole = step_lines(step, self._width, self._room)
            blocks.append(Block(place, tuple(lines)))
            are_whole = are_whole and is_whole
        if not self._report.diagnosis.accepted or not steps:
            last = steps[-1].number if steps else 0
            blocks += [
                self._block(number - 1, f"  {number} {text}")
                for number, text in enumerate(phrases.where_to_look(self._report), start=last + 1)
            ]
        if not are_whole and self._footer.page:
            command = actions_command(self._report, str(PurePath(self._footer.page).parent))
            blocks.append(self._command(1, tr("  all commands"), command))
        blocks.append(self._verify(first=not blocks))
        marked = any("⚠" in line.plain for block in blocks for line in block.lines)
        note = f"  ⚠ {tr('changes the system')}" if marked else ""
        title = Text.assemble((tr("DO THIS"), "bold"), (note, "yellow"))
        return [blank(), Block(0, (title,)), *blocks]

    def _verify(self, *, first: bool) -> Block:
        command = verify_command(self._report)
        if self._report.diagnosis.accepted and self._report.remedies:
            label = tr("  verify") if first else tr("  then verify")
        else:
            label = tr("  check again") if first else tr("  then check again")
        return self._command(0, label, command)

    def _command(self, rank: int, label: str, command: str) -> Block:
        lines = wrap(command, self._width - len(INDENT), " \\")
        if lines:
            return Block(rank, tuple(command_lines(label, "", lines, self._width)))
        # A word is wider than the screen. A shell joins its parts, if nothing stands before them.
        size = self._width - 1
        parts = [command[at : at + size] for at in range(0, len(command), size)]
        joined = [f"{part}\\" for part in parts[:-1]] + parts[-1:]
        return Block(rank, (Text(label), *(Text(part, "cyan") for part in joined)))

    def _counts(self) -> list[Block]:
        outcomes = self._report.outcomes
        statuses = counted(outcomes)
        failed = statuses.pop("failed", 0)
        parts = [counted_status(number, status) for status, number in statuses.items()]
        blocks = [blank()]
        if failed:
            parts = [tr("{number} of {total}", number=failed, total=len(outcomes)), *parts]
            head = (tr("FAILED"), "bold red")
        else:
            if parts:
                parts[0] = titled(len(outcomes), parts[0])
            parts = parts or [tr("none")]
            head = (tr("CHECKS"), "bold")
        line = Text.assemble(head, "  ", " · ".join(parts))
        blocks.append(Block(0, (self._cut(line),)))
        places = phrases.failed_components(self._report)
        if places:
            text = "  ".join(f"{name} {number}" for name, number in places)
            blocks.append(self._block(4, f"  {text}"))
        reasons = [reason for reason in self._reasons if phrases.gist(reason) not in self._shown]
        for place, reason in enumerate(reasons[:REASONS_MAX]):
            if failed:
                blocks.append(self._sign(3, "unreachable", self._counted(reason)))
                continue
            # Nothing else says what to do: its remedy stands at its end.
            mark, style = SIGNS["unreachable"]
            whole = Text.assemble(
                "  ", (mark, style), f" {reason}{phrases.checks_alike(self._reasons[reason])}"
            )
            lines = self._split(whole, "    ", most=3)
            blocks.append(Block(3 if place else 1, tuple(lines)))
        if reasons[REASONS_MAX:]:
            more = len(reasons) - REASONS_MAX
            text = trn("    and {n} other reason", "    and {n} other reasons", more)
            blocks.append(self._block(6, text))
        return blocks

    def _foot(self) -> Block:
        details = tr("details: {command}", command=self._again + " -v")
        if self._footer.unwritten:
            first = tr("the report was not written: {reason}", reason=self._footer.unwritten)
            line = Text(f"  {flat(capitalized(first))}", "bold")
            return Block(0, tuple(self._split(line, "  ", most=3)))
        if not self._footer.page:
            return self._block(0, f"  {details}", "dim")
        page = self._footer.page
        text = tr("report {page}", page=page)
        on_one_line = f"  {text} · {details}"
        if cell_len(on_one_line) <= self._width:
            return Block(0, (Text(on_one_line, "dim"),))
        start = Text(f"  {text}", "dim")
        if start.cell_len > self._width:
            # Its end tells more than its beginning.
            room = self._width - 4 - cell_len(tr("report {page}", page="…"))
            end = tr("report {page}", page="…" + page[-room:])
            start = Text(f"  {end}", "dim")
        return Block(0, (self._cut(start), self._line(f"  {details}", "dim")))

    def _counted(self, text: str, after: str = "") -> str:
        """Return a reason as a person says it, with how many checks have the same."""
        text = plain(text)
        checks = phrases.checks_alike(self._reasons[text])
        room = self._width - 4 - cell_len(checks + after)
        shown = Text(text)
        shown.truncate(max(room, 10), overflow="ellipsis")
        return f"{shown.plain}{checks}{after}"

    def _quoted(self, rank: int, text: str) -> list[Block]:
        """Return what a cut line leaves of a quotation, such as the words of a log."""
        room = self._width - 4
        _, mark, words = text.partition('"')
        if not mark or cell_len(text) <= room or phrases.gist(words) in self._shown:
            return []
        self._shown.add(phrases.gist(words))
        return [Block(rank, tuple(self._split(Text(f'    "{words}'), "    ", most=2)))]

    def _sign(self, rank: int, status: str, text: str) -> Block:
        mark, style = SIGNS[status]
        return Block(rank, (self._cut(Text.assemble("  ", (mark, style), f" {text}")),))

    def _block(self, rank: int, text: str, style: str = "") -> Block:
        return Block(rank, (self._line(text, style),))

    def _line(self, text: str, style: str = "") -> Text:
        return self._cut(Text(text, style))

    def _cut(self, line: Text) -> Text:
        line.truncate(self._width, overflow="ellipsis")
        return line

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
            first, remainder = last.divide([at])
            remainder = remainder[1:] if remainder.plain.startswith(" ") else remainder
            lines += [first, Text(indent).append_text(remainder)]
        return [self._cut(one) for one in lines]
