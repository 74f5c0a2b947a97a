"""The verdict in short: state, impact, since when, the cause, and the first action."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from core.frozen import frozen
from core.language import mark, numeral, tr, trc
from core.text import capitalized, cut, listed, titled
from core.units import format_duration
from reports.history.trend import Point
from reports.model.headline import health, is_interruption
from reports.model.report import Report, state_word
from reports.render import verdict_words as phrases
from reports.render.first_steps import first_steps, verify_command
from reports.render.words import plain
from reports.runbook.document import Command
from reports.runbook.placeholders import placeholders

NOT_SEEN = mark("Not seen")
"""The label of a cause that hides what was to be observed."""

STATE_CLASSES = {"healthy": "good", "at risk": "warn", "incident": "bad"}
"""The kind of each state, for the pages its CSS class; that of any other is "open"."""

IMPACT_MAX = 160
LINE_MAX = 300
"""Characters: the bar stays in sight, and must not hide what it stands above."""


@frozen
class Since:
    """Start of the trouble: words before an ISO time, and how long that was before the run."""

    words: str
    at: str
    duration: str


@frozen
class FirstAction:
    """The first action. `steps` counts all steps."""

    title: str
    command: Command | None
    dangerous: bool
    steps: int


@frozen
class Verdict:
    """The verdict in short. Each text is a plain one that may quote the target.

    `cause` is the cause with how sure it is, or what is known instead; `because` the strongest
    evidence, `before` that the cause was confirmed earlier, `rivals` what else is possible.
    """

    kind: str
    impact: str
    since: Since | None
    streak: str
    label: str
    cause: str
    because: str
    before: str
    rivals: str
    action: FirstAction | None
    again: str


def verdict_of(report: Report, runs: Sequence[Point]) -> Verdict:
    """Return the verdict; `runs` are the runs up to this one, which is the last."""
    action = _action(report)
    label, cause, because = _cause(report)
    # A partial run says nothing about the target's health.
    is_open = report.partial and report.state == "healthy"
    return Verdict(
        kind="open" if is_open else STATE_CLASSES.get(report.state, "open"),
        impact=cut(impact(report), IMPACT_MAX),
        since=_since(report, runs),
        streak="" if report.partial else phrases.streak(runs),
        label=label,
        cause=cut(cause, LINE_MAX),
        because=cut(because, LINE_MAX),
        before=cut(_before(report), LINE_MAX),
        rivals=_rivals(report),
        action=action,
        again=verify_command(report),
    )


def impact(report: Report) -> str:
    """Return what users feel, on one line."""
    if report.partial and report.state == "healthy":
        return tr("{checks}; whether the target is healthy is not known", checks=_part(report))
    if report.state == "healthy":
        observed = health(report.results, report.figures, report.layout.impact)
        return ", ".join(filter(None, [observed, phrases.completed(report)]))
    symptoms = phrases.failed_symptoms(report)
    felt = f"{plain(symptoms[0].seen)}{phrases.more_symptoms(symptoms)}" if symptoms else ""
    suffering = phrases.items_affected(report) or felt or phrases.no_symptom(report)
    if not report.partial:
        return suffering
    checks = _part(report).partition(", ")[0]
    state = state_word(report.state)
    return tr("{checks}, {state} so far: {impact}", checks=checks, state=state, impact=suffering)


def _part(report: Report) -> str:
    """Return how many checks a partial run came to, without its name."""
    checks = phrases.partial_run(report).partition(": ")[2]
    if report.results and any(map(is_interruption, report.problems)):
        return tr("interrupted after {checks}", checks=checks)
    return checks


def _since(report: Report, runs: Sequence[Point]) -> Since | None:
    start = phrases.began(report, runs) if report.state != "healthy" else None
    if start is None:
        return None
    at, by_item = start
    ended = datetime.fromisoformat(report.started) + timedelta(seconds=report.seconds)
    ago = (ended - at).total_seconds()
    began_at = at.astimezone(UTC).isoformat()
    if began_at[:10] == report.started[:10]:
        words = tr("since about") if by_item else tr("since")
    elif by_item:
        words = trc("before a date", "since about")
    else:
        words = trc("before a date", "since")
    return Since(words, began_at, format_duration(ago) if ago > 0 else "")


def _cause(report: Report) -> tuple[str, str, str]:
    """Return a label, the cause in one line, and the strongest evidence."""
    diagnosis = report.diagnosis
    accepted = list(diagnosis.accepted)[: phrases.CAUSES_MAX]
    shared = phrases.reasons(report)
    if diagnosis.certainty == "none":
        if report.state == "healthy" or not shared:
            return "", "", ""
        reason, number = next(iter(shared.items()))
        return tr(NOT_SEEN), reason + phrases.checks_alike(number), ""
    if not accepted:
        text = capitalized(phrases.unnamed_cause(report))
        return tr("Cause"), text, next(iter(phrases.failed_causes_first(report)), "")
    names = [f"{one.title} ({phrases.sureness(report, one)})" for one in accepted]
    checks = phrases.accusing(report, accepted[0])
    because = plain(report.evidence(checks[0])) if checks else ""
    return tr("Cause"), listed(names), because + phrases.checks_alike(shared[because])


def _before(report: Report) -> str:
    accepted = list(report.diagnosis.accepted)[: phrases.CAUSES_MAX]
    earlier = [
        (one.title, text) for one in accepted if (text := phrases.seen_before(report, one, UTC))
    ]
    if len(accepted) == 1:
        return "".join(capitalized(text) for _, text in earlier)
    return tr("; ").join(titled(title, text) for title, text in earlier)


def _rivals(report: Report) -> str:
    rivals = report.diagnosis.also_possible[:2]
    named = [f"{one.title} ({numeral(one.probability, 2)})" for one in rivals]
    return listed(named, "or")


def _action(report: Report) -> FirstAction | None:
    """Return the first step that can be pasted, or the first place to look at."""
    if report.state == "healthy":
        return None
    steps = first_steps(report)
    total = sum(len(remedy.steps) for remedy in report.remedies)
    if steps:
        step = steps[0]
        ready = [one for one in step.commands if not placeholders(one.text)]
        command = next(iter(ready or step.commands), None)
        dangerous = command.dangerous if command else step.dangerous
        return FirstAction(step.title, command, dangerous, total)
    looks = phrases.where_to_look(report)
    title = capitalized(looks[0]) if looks else ""
    return FirstAction(title, None, dangerous=False, steps=0)
