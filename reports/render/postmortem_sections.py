"""The sections below a post-mortem's template, in Markdown: what the checks observed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.units import format_duration
from reports.history.incidents import recovery
from reports.model.headline import suspects
from reports.render.markdown import coded, escaped, fenced

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reports.diagnosis.result import Contribution
    from reports.history.incidents import Incident, RunRecord
    from reports.model.report import Remedy, Report
    from reports.runbook.document import Runbook

EVIDENCE_NAMED = 8
HISTORY_NAMED = 30

WATCHED = (
    "uploads_stuck",
    "oldest_stuck_seconds",
    "users_affected",
    "uploads_uploading",
    "uploads_completed",
    "processing_seconds",
    "backlog",
    "consumers",
)
NO_WORST = ("consumers", "uploads_completed")
"""Figures of which more is better."""


def causes_of(report: Report) -> list[str]:
    """Return the titles of the accepted causes, or the failed components where there is none."""
    names = [finding.title for finding in report.diagnosis.accepted]
    if names or report.diagnosis.certainty != "outside":
        return names
    return sorted({one.component for one in report.diagnosis.unexplained})


def timeline(report: Report, episode: Incident | None) -> Iterator[str]:
    yield "### Timeline"
    lines = [f"- Clearest run, {report.started}: {escaped(report.headline)}"]
    oldest = report.figure("oldest_stuck_seconds")
    if oldest:
        lines.append(f"- The oldest stuck upload was {format_duration(oldest)} old then.")
    if episode is None:
        lines.append("- No other run is in the history: start and end are not known.")
    else:
        before = episode.before.started if episode.before else "<last_good_run>"
        lines.append(f"- Last run without the incident: {before}")
        lines.append(f"- First run with the incident: {episode.runs[0].started}")
        after = episode.after.started if episode.after else "<ended_at>"
        lines.append(f"- First run after the incident: {after}")
        lines += [
            f"  - {run.started}, {escaped(run.state)}: {escaped(run.headline)}"
            for run in episode.runs[:HISTORY_NAMED]
        ]
        if len(episode.runs) > HISTORY_NAMED:
            lines.append(f"  - and {len(episode.runs) - HISTORY_NAMED} more runs")
    yield "\n".join(lines)


def uploads(report: Report) -> Iterator[str]:
    shown = report.affected
    if not shown:
        return
    total = report.figure("uploads_stuck") or len(shown)
    yield f"### Uploads affected: the oldest {len(shown)} of {total:.0f}"
    rows = ["| upload | user | age | error |", "| --- | --- | ---: | --- |"]
    for upload in shown:
        cells = (
            escaped(upload.id),
            escaped(upload.user_id or ""),
            "" if upload.age_seconds is None else format_duration(upload.age_seconds),
            escaped(upload.error_message or ""),
        )
        rows.append(f"| {' | '.join(cells)} |")
    yield "\n".join(rows)


def causes(report: Report) -> Iterator[str]:
    found = report.diagnosis.accepted
    if not found and report.diagnosis.certainty == "none":
        return
    yield "### Root cause and evidence"
    if not found and report.diagnosis.certainty == "outside":
        yield f"Outside this runbook: {escaped(', '.join(causes_of(report)))}."
        return
    if not found:
        names = " or ".join(escaped(finding.title) for finding in suspects(report.diagnosis))
        yield f"Not clear: {names or 'no hypothesis of the runbook explains it'}."
    for finding in found or suspects(report.diagnosis):
        lines = [f"**{escaped(finding.title)}**, probability {finding.probability:.2f}:", ""]
        lines += [_evidence(report, one, "for") for one in finding.supporting[:EVIDENCE_NAMED]]
        lines += [_evidence(report, one, "against") for one in finding.against[:2]]
        yield "\n".join(lines)


def _evidence(report: Report, one: Contribution, side: str) -> str:
    return (
        f"- {side} ({one.log_odds:+.1f}): {escaped(report.evidence(one.check))} {coded(one.check)}"
    )


def failures(report: Report) -> Iterator[str]:
    failed = [r.outcome for r in report.results if r.outcome.status == "failed"]
    if failed:
        yield "### Failed checks"
        yield "\n".join(f"- {coded(o.check)}: {escaped(o.seen or o.expected)}" for o in failed)


def actions(report: Report) -> Iterator[str]:
    if report.remedies:
        yield "### Proposed actions"
        yield "Tick what was done, and when."
    for remedy in report.remedies:
        yield from _action(remedy)


def _action(remedy: Remedy) -> Iterator[str]:
    yield f"**{escaped(remedy.title)}**"
    for step in remedy.steps:
        mark = " (changes the system)" if step.dangerous else ""
        yield f"- [ ] {escaped(step.title)}{mark}"
        for command in step.commands:
            block = fenced(command.text, command.language)
            yield "\n".join(f"  {line}" for line in block.splitlines())


def preventive(runbook: Runbook) -> Iterator[str]:
    if not runbook.preventive:
        return
    yield "### Preventive actions of the runbook"
    boxes = []
    for section in runbook.preventive:
        boxes += [
            f"- [ ] {escaped(section.title)}: {escaped(step.title)}" for step in section.steps
        ]
    yield "\n".join(boxes)


def figures(report: Report, episode: Incident | None, runs: Sequence[RunRecord]) -> Iterator[str]:
    yield "### Figures to watch afterwards"
    known = {figure.id: figure for figure in report.figures}
    latest = runs[-1].figures if runs else {}
    rows = ["| figure | clearest run | worst | last run |", "| --- | ---: | ---: | ---: |"]
    for name in WATCHED:
        if name in known:
            unit = known[name].unit
            worst = _value(episode.worst(name), unit) if episode and name not in NO_WORST else ""
            last = _value(latest.get(name), unit) if runs else ""
            cells = (escaped(known[name].meaning), _value(known[name].value, unit), worst, last)
            rows.append(f"| {' | '.join(cells)} |")
    yield "\n".join(rows)
    watched = recovery(runs, report.watch)
    words = {True: "recovers", False: "does not recover", None: "not observed"}
    yield "\n".join(f"- {words[one.recovers]}: {escaped(one.text)}" for one in watched)


def _value(value: float | None, unit: str) -> str:
    if value is None:
        return "not observed"
    return format_duration(value) if unit == "seconds" else f"{value:.0f}"
