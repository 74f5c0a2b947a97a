"""The report for a terminal: the state first, then the runbook's order, then what was covered."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from core.text import count
from reports.render.terminal_explanation import print_explanation

if TYPE_CHECKING:
    from core.outcome import Outcome
    from reports.model.report import Report, Result, VerificationTitle

WIDTH_MIN, WIDTH_MAX = 40, 120

STYLES = {"healthy": "bold green", "at risk": "bold yellow", "incident": "bold red"}
"""Of the states; unknown is told in the style of neither good nor bad."""

MARKS = {
    "failed": ("✗", "red"),
    "unreachable": ("?", "yellow"),
    "error": ("!", "bold magenta"),
    "missing": ("…", "magenta"),
    "skipped": ("-", "dim"),
}
"""Of the statuses that get a line of their own; what passed is a number."""

WORDS = (
    ("failed", "failed"),
    ("unreachable", "could not look"),
    ("error", "broken check"),
    ("missing", "never reported"),
    ("skipped", "skipped"),
)


def render(report: Report, width: int = 80, color: bool = False, path: str = "") -> str:
    """Return the report as text of at most `width` columns; `path` is where its JSON lies."""
    out = io.StringIO()
    console = Console(
        file=out,
        width=max(WIDTH_MIN, min(width, WIDTH_MAX)),
        force_terminal=color,
        color_system="standard" if color else None,
        no_color=not color,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    console.print()
    console.print(Text(report.headline, STYLES.get(report.state, "bold magenta")))
    print_explanation(console, report)
    for step in report.verifications:
        _verification(console, step, [r for r in report.results if r.verification == step.number])
    known = {step.number for step in report.verifications}
    _other(console, [r for r in report.results if r.verification not in known])
    for problem in report.problems:
        console.print(Text(f"! {problem}", "bold magenta"))
    _coverage(console, report)
    console.print(_last_line(report, path))
    # rich pads some lines to the width; a pipe has no use for it.
    return "\n".join(line.rstrip() for line in out.getvalue().split("\n"))


def _verification(console: Console, step: VerificationTitle, results: list[Result]) -> None:
    if not results:
        return
    number = f"{step.number} " if step.number else ""
    _heading(console, f"{number}{step.title}", [result.outcome for result in results])


def _other(console: Console, results: list[Result]) -> None:
    if results:
        _heading(console, "Not in the runbook", [result.outcome for result in results])


def _heading(console: Console, title: str, outcomes: list[Outcome]) -> None:
    counts = [(sum(o.status == status for o in outcomes), word) for status, word in WORDS]
    told = ", ".join(f"{count} {word}" for count, word in counts if count)
    passed = sum(outcome.status == "passed" for outcome in outcomes)
    line = Text(f"{title}: ", "bold")
    line.append(f"{passed} of {len(outcomes)} hold" + (f", {told}" if told else ""), "not bold")
    console.print()
    console.print(line)
    for outcome in outcomes:
        if outcome.status in MARKS:
            _outcome(console, outcome)


def _outcome(console: Console, outcome: Outcome) -> None:
    mark, style = MARKS[outcome.status]
    if outcome.status == "skipped":
        console.print(
            Padding(Text(f"{mark} {outcome.seen} [{outcome.check}]", style), (0, 0, 0, 2))
        )
        return
    line = Text(f"{mark} ", style)
    line.append(outcome.expected or outcome.check, "")
    line.append(f" [{outcome.check}]", "dim")
    console.print(Padding(line, (0, 0, 0, 2)))
    if outcome.seen:
        console.print(Padding(Text(outcome.seen, style), (0, 0, 0, 6)))


def _coverage(console: Console, report: Report) -> None:
    parts = []
    for source in report.coverage:
        if source.place is None:
            parts.append(f"{source.component} left out")
        elif source.selected:
            parts.append(f"{source.component} {source.observed}/{source.selected}")
    console.print()
    if parts:
        console.print(Text(f"Seen of what was to be looked at: {', '.join(parts)}", "dim"))


def _last_line(report: Report, path: str) -> Text:
    where = f"; report: {path}" if path else ""
    name = report.target.name
    checks = count(len(report.results), "check")
    text = f"Target {name}: {checks} in {report.seconds:.1f} s{where}"
    return Text(text, "dim")
