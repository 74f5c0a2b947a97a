"""The sections below a post-mortem's template, in Markdown: what the checks observed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from core.language import mark, numeral, tr, trn
from core.outcome import component_word
from core.text import capitalized, listed, titled
from core.units import format_duration
from reports.diagnosis.result import Contribution
from reports.history.actions import Action
from reports.history.confirmed import FALSE_ALARM, OTHER, Confirmation
from reports.history.incidents import Incident, RunRecord, recovery
from reports.model.alike import merged
from reports.model.figures import quantity
from reports.model.headline import suspects
from reports.model.layout import Impact
from reports.model.report import Remedy, Report
from reports.render.incident_times import Times, local
from reports.render.markdown import coded, escaped, fenced
from reports.render.preventive import box
from reports.render.verdict_words import cause_of, failed_symptoms, how_many, weight
from reports.render.words import plain
from reports.runbook.document import Runbook

EVIDENCE_NAMED = 8
HISTORY_NAMED = 30
LAST_NAMED = 10
"""Runs of a long timeline: so many in all, and of them the last ones."""


def causes_of(report: Report) -> list[str]:
    """Return the titles of the accepted causes, or the failed components where there is none."""
    names = [finding.title for finding in report.diagnosis.accepted]
    if names or report.diagnosis.certainty != "outside":
        return names
    return sorted({component_word(one.component) for one in report.diagnosis.unexplained})


def confirmed_cause(report: Report, confirmed: Confirmation | None) -> str:
    """Return what people confirmed as the cause; empty where nobody has."""
    if confirmed is None:
        return ""
    titles = {finding.id: finding.title for finding in report.diagnosis.causes}
    titles |= {OTHER: tr("none of this model's causes"), FALSE_ALARM: tr("a false alarm")}
    names = listed([titles.get(cause, cause) for cause in confirmed.causes])
    if confirmed.note:
        return tr("{causes} (confirmed): {note}", causes=names, note=confirmed.note)
    return tr("{causes} (confirmed)", causes=names)


def summary(
    report: Report,
    episode: Incident | None,
    times: Times,
    confirmed: Confirmation | None,
) -> str:
    """Return the incident in a few sentences: impact, duration, cause."""
    cause = confirmed_cause(report, confirmed) or cause_of(report)
    if times.end:
        span = tr(
            "It lasted {duration}, from about {time} to {end}",
            duration=duration(times),
            time=local(times.began),
            end=local(times.end),
        )
    elif times.began == times.oldest:
        span = tr("It began about {time}; no run has seen its end yet", time=local(times.began))
    else:
        span = tr("It began before {time}; no run has seen its end yet", time=local(times.began))
    sentences = [
        _impact(report, episode),
        span,
        tr("Cause: {cause}", cause=cause) if cause else "",
    ]
    return " ".join(f"{escaped(one)}." for one in sentences if one)


def _impact(report: Report, episode: Incident | None) -> str:
    """Return what users felt, at worst."""

    def worst(name: str) -> float | None:
        return episode.worst(name) if episode else report.figure(name)

    impact = report.layout.impact
    suffering = worst(impact.count) if impact else None
    if impact and suffering:
        owners, oldest = worst(impact.owners), worst(impact.age)
        text = how_many(impact, suffering, owners)
        if episode:
            text = tr("{impact} at worst", impact=text)
        if oldest:
            text += tr(", the oldest for {duration}", duration=format_duration(oldest))
        return text
    symptoms = failed_symptoms(report)
    return capitalized(plain(symptoms[0].seen).removesuffix(".")) if symptoms else ""


def duration(times: Times) -> str:
    """Return how long it lasted; empty where it is not known."""
    if times.seconds is None:
        return ""
    length = format_duration(times.seconds)
    if times.end:
        return length
    # One run alone has seen a moment.
    if times.seconds < 60:
        return ""
    return tr("at least {duration}, until the last run that saw it", duration=length)


def since_when(impact: Impact | None, times: Times) -> Iterator[str]:
    """Yield since when the users suffered, by all who know something of it."""
    yield tr("### Since when")
    oldest = [(capitalized(impact.oldest), times.oldest, tr("not observed"))] if impact else []
    rows = [
        *oldest,
        (tr("Last good run"), times.last_good, "<last_good_run>"),
        (tr("First bad run"), times.first_bad, ""),
        (tr("Last bad run"), times.last_bad, ""),
        (tr("First good run after it"), times.end, "<ended_at>"),
    ]
    lines = [f"| {name} | {local(at) if at else blank} |" for name, at, blank in rows]
    yield "\n".join([tr("| | time |"), "| --- | --- |", *lines])


def timeline(report: Report, episode: Incident | None, times: Times) -> Iterator[str]:
    """Yield the course of the incident, run by run."""
    yield tr("### Timeline")
    runs = (episode.before, *episode.runs, episode.after) if episode else ()
    events = [(at, run.state, run.headline) for run in runs if run and (at := run.at)]
    if episode is None:
        events = [(datetime.fromisoformat(report.started), report.state, report.headline)]
    rows = [(local(at), tr(str(state)), text) for at, state, text in events]
    if len(rows) > HISTORY_NAMED:
        left = trn("{n} more run", "{n} more runs", len(rows) - HISTORY_NAMED)
        rows = [*rows[: HISTORY_NAMED - LAST_NAMED], ("", "", left), *rows[-LAST_NAMED:]]
    impact = report.layout.impact
    if times.oldest and impact:
        # It may have arrived before the last good run, when it did not suffer yet.
        place = sum(at < times.oldest for at, *_ in events[:2])
        text = tr("The {oldest} {arrived}", oldest=impact.oldest, arrived=impact.arrived)
        rows.insert(place, (local(times.oldest), "", text))
    lines = [f"| {at} | {escaped(state)} | {escaped(text)} |" for at, state, text in rows]
    yield "\n".join([tr("| time | state | what was seen |"), "| --- | --- | --- |", *lines])
    if episode is None:
        yield tr("No other run is in the history.")


def affected(report: Report) -> Iterator[str]:
    """Yield the items that suffer, the oldest first."""
    shown, impact = report.affected, report.layout.impact
    if not shown or impact is None:
        return
    total = report.figure(impact.count) or len(shown)
    nouns = escaped(capitalized(impact.nouns))
    yield tr(
        "### {nouns} affected: the oldest {shown} of {total}",
        nouns=nouns,
        shown=len(shown),
        total=numeral(total, 0),
    )
    names = tr(
        "| {item} | {owner} | age | error |",
        item=escaped(impact.noun),
        owner=escaped(impact.owner),
    )
    rows = [names, "| --- | --- | ---: | --- |"]
    for item in shown:
        cells = (
            escaped(item.id),
            escaped(item.user_id or ""),
            "" if item.age_seconds is None else format_duration(item.age_seconds),
            escaped(item.error_message or ""),
        )
        rows.append(f"| {' | '.join(cells)} |")
    yield "\n".join(rows)


def causes(
    report: Report, episode: Incident | None, confirmed: Confirmation | None
) -> Iterator[str]:
    """Yield the cause with its evidence, and a blank for what made it so."""
    accepted = report.diagnosis.accepted
    if not accepted and report.diagnosis.certainty == "none":
        return
    yield tr("### Root cause and evidence")
    if confirmed:
        cause = escaped(confirmed_cause(report, confirmed))
        yield tr("Confirmed by a person: {cause}.", cause=cause)
    yield tr("What made it so, and why it was not noticed earlier: <what_made_it_so>")
    runs = episode.runs if episode else ()
    named = list(dict.fromkeys(title for run in runs for title in run.accepted))
    if len(named) > len(accepted):
        yield tr(
            "In its course the runs named, in this order: {causes}.",
            causes=escaped(", ".join(named)),
        )
    if not accepted and report.diagnosis.certainty == "outside":
        names = escaped(", ".join(causes_of(report)))
        yield tr("Outside this runbook: {names}.", names=names)
        return
    if not accepted:
        names = listed([escaped(finding.title) for finding in suspects(report.diagnosis)], "or")
        if names:
            yield tr("Not clear: {causes}.", causes=names)
        else:
            yield tr("Not clear: no hypothesis of the runbook explains it.")
    for finding in accepted or suspects(report.diagnosis):
        lines = [
            tr(
                "**{cause}**, probability {probability}:",
                cause=escaped(finding.title),
                probability=numeral(finding.probability, 2),
            ),
            "",
        ]
        for contribution in finding.supporting[:EVIDENCE_NAMED]:
            text = tr("for ({weight}): {evidence}", **_evidence(report, contribution))
            lines.append(f"- {text} {coded(contribution.check)}")
        for contribution in finding.against[:2]:
            text = tr("against ({weight}): {evidence}", **_evidence(report, contribution))
            lines.append(f"- {text} {coded(contribution.check)}")
        yield "\n".join(lines)


def _evidence(report: Report, contribution: Contribution) -> dict[str, str]:
    return {
        "weight": weight(contribution.log_odds),
        "evidence": escaped(report.evidence(contribution.check)),
    }


def failures(report: Report) -> Iterator[str]:
    if report.failed:
        yield tr("### Failed checks")
        yield "\n".join(
            "- " + titled(coded(o.check), escaped(o.seen or o.expected))
            for o in merged((r.outcome for r in report.failed), report.host_sentences)
        )


def actions(report: Report, episode: Incident | None, taken: Sequence[Action]) -> Iterator[str]:
    """Yield what is known of what was done: by the journal, what changed, what was proposed."""
    yield tr("### Actions")
    if taken:
        rows = [tr("| time | action | took | result |"), "| --- | --- | ---: | --- |"]
        for action in taken:
            took = "" if action.seconds is None else format_duration(action.seconds)
            at = local(datetime.fromisoformat(action.at))
            rows.append(f"| {at} | {escaped(action.step)} | {took} | {escaped(action.result)} |")
        yield "\n".join(rows)
        yield tr("What else was done, by whom, and when: <actions_taken>")
    else:
        yield tr("What was done, by whom, and when: <actions_taken>")
    changes = list(_changes(report, episode)) if episode and episode.after else []
    if changes:
        yield tr("Between the last bad run and the first good one:")
        yield "\n".join(f"- {change}" for change in changes)
    if report.remedies:
        yield tr("The runbook proposed the following. Tick what was done, and when.")
    for remedy in report.remedies:
        yield from _action(remedy)


def _changes(report: Report, episode: Incident) -> Iterator[str]:
    """Yield what the runs saw change when the incident ended: the trace of a repair."""
    last, after = episode.runs[-1], episode.after
    assert after is not None
    repaired = {kind.id for kind in report.layout.figures if kind.repaired}
    for figure in report.figures:
        before, now = last.figures.get(figure.id), after.figures.get(figure.id)
        if figure.id in repaired and before is not None and now is not None and before != now:
            yield tr(
                "{figure}: from {before} to {after}",
                figure=escaped(figure.meaning),
                before=quantity(before, figure.unit),
                after=quantity(now, figure.unit),
            )
    roles = {result.outcome.check: result.role for result in report.results}
    for check, status in last.outcomes.items():
        cause = roles.get(check) == "cause"
        if cause and status == "failed" and after.outcomes.get(check) == "passed":
            yield tr("{check} passes again", check=coded(check))


def _action(remedy: Remedy) -> Iterator[str]:
    yield f"**{escaped(remedy.title)}**"
    for step in remedy.steps:
        warning = f" ({tr('changes the system')})" if step.dangerous else ""
        yield f"- [ ] {escaped(step.title)}{warning}"
        for command in step.commands:
            block = fenced(command.text, command.language)
            yield "\n".join(f"  {line}" for line in block.splitlines())
        for reason in step.left_out:
            yield f"  {escaped(tr('left out: {reason}', reason=reason))}"


def preventive(report: Report, runbook: Runbook) -> Iterator[str]:
    if not runbook.preventive:
        return
    yield tr("### Preventive actions of the runbook")
    yield tr("A box is ticked where the checks have seen that the action is in place.")
    yield "\n".join(
        f"- {box(step.title, report, section.title)}"
        for section in runbook.preventive
        for step in section.steps
    )


def figures(report: Report, episode: Incident | None, runs: Sequence[RunRecord]) -> Iterator[str]:
    yield tr("### Figures to watch afterwards")
    known = {figure.id: figure for figure in report.figures}
    latest = runs[-1].figures if runs else {}
    rows = [tr("| figure | clearest run | worst | last run |"), "| --- | ---: | ---: | ---: |"]
    for kind in report.layout.figures:
        if kind.followed and kind.id in known:
            name, unit = kind.id, kind.unit
            has_worst = not kind.more_is_better
            worst = quantity(episode.worst(name), unit) if episode and has_worst else ""
            last = quantity(latest.get(name), unit) if runs else ""
            cells = (escaped(known[name].meaning), quantity(known[name].value, unit), worst, last)
            rows.append(f"| {' | '.join(cells)} |")
    yield "\n".join(rows)
    watched = recovery(runs, report.watch, report.layout.figures)
    words = {
        True: mark("recovers: {metric}"),
        False: mark("does not recover: {metric}"),
        None: mark("not observed: {metric}"),
    }
    yield "\n".join(f"- {tr(words[one.recovers], metric=escaped(one.text))}" for one in watched)
