"""The report for a terminal: state and cause first, then the checks by verification."""

from __future__ import annotations

import io
from collections import Counter
from typing import TYPE_CHECKING

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from core.outcome import STATUS_WORDS
from core.text import count
from reports.render.terminal_explanation import print_explanation

if TYPE_CHECKING:
    from core.outcome import Outcome
    from reports.model.report import Report

WIDTH_MIN, WIDTH_MAX = 40, 120

STYLES = {"healthy": "bold green", "at risk": "bold yellow", "incident": "bold red"}
"""The style of each state; any other is unknown."""

MARKS = {
    "failed": ("✗", "red"),
    "unreachable": ("?", "yellow"),
    "error": ("!", "bold magenta"),
    "missing": ("…", "magenta"),
    "skipped": ("-", "dim"),
}
"""Mark and style of each status that gets a line of its own; passed checks are only counted."""


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
    titles = {
        step.number: f"{step.number} {step.title}" if step.number else step.title
        for step in report.verifications
    }
    for number, title in titles.items():
        _group(console, title, [r.outcome for r in report.results if r.verification == number])
    others = [r.outcome for r in report.results if r.verification not in titles]
    _group(console, "Checks outside the runbook", others)
    for problem in report.problems:
        console.print(Text(f"! {problem}", "bold magenta"))
    _coverage(console, report)
    console.print(_last_line(report, path))
    # rich pads some lines to the width.
    return "\n".join(line.rstrip() for line in out.getvalue().split("\n"))


def _group(console: Console, title: str, outcomes: list[Outcome]) -> None:
    if not outcomes:
        return
    counter = Counter(outcome.status for outcome in outcomes)
    counts = [
        f"{counter[status]} {word}" for status, word in STATUS_WORDS.items() if counter[status]
    ]
    line = Text(f"{title}: ", "bold")
    line.append(", ".join(counts), "not bold")
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
            parts.append(f"{source.component} not configured")
        elif source.selected:
            parts.append(f"{source.component} {source.observed}/{source.selected}")
    console.print()
    if parts:
        console.print(Text(f"Coverage: {', '.join(parts)}", "dim"))


def _last_line(report: Report, path: str) -> Text:
    where = f"; report: {path}" if path else ""
    name = report.target.name
    checks = count(len(report.results), "check")
    text = f"Target {name}: {checks} in {report.seconds:.1f} s{where}"
    return Text(text, "dim")
