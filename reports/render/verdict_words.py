"""The verdict in words that every format says alike: impact, cause, evidence, reasons."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo

from core.language import month, numeral, tr, trn
from core.outcome import Outcome, base_id, component_word
from core.text import count, cut, listed, uncapitalized
from core.units import format_duration
from reports.diagnosis.result import Contribution, Finding
from reports.history.trend import Point
from reports.model.headline import next_check_of, suspects
from reports.model.layout import Impact
from reports.model.report import Report
from reports.render.incident_times import times_of
from reports.render.words import bad_runs, clock, ordinal, plain, short_ids

NOTABLE = 0.3
"""Log-odds below which a check is not worth a line."""

RULED_OUT = 0.01
"""Probability below which a hypothesis that has evidence against it is called ruled out."""

GIST = 60
"""Characters by which two sentences of one line are told apart."""

PLACES_MAX = 3
CAUSES_MAX = 3
EVIDENCE_LINE_MAX = 160
"""Characters of a sentence of evidence in a message."""


def items_affected(report: Report) -> str:
    """Return how many items of how many users suffer, and the oldest; empty if none does."""
    impact = report.layout.impact
    suffering = report.figure(impact.count) if impact else None
    if impact is None or not suffering:
        return ""
    text = how_many(impact, suffering, report.figure(impact.owners))
    oldest = report.figure(impact.age)
    if oldest is None:
        return text
    name = f" ({short_ids(report.affected[0].id)})" if report.affected else ""
    return text + tr(", oldest {duration}{name}", duration=format_duration(oldest), name=name)


def how_many(impact: Impact, suffering: float, owners: float | None) -> str:
    """Return how many items of how many users suffer: "12 uploads of 3 users stuck"."""
    items = count(round(suffering), impact.noun, impact.plural)
    state = impact.state_of(round(suffering))
    if not owners or not round(owners):
        return f"{items} {state}"
    users = count(round(owners), impact.owner)
    return tr("{items} of {owners} {state}", items=items, owners=users, state=state)


def failed_symptoms(report: Report) -> list[Outcome]:
    """Return the failed checks that say what users feel, in the runbook's order."""
    return [result.outcome for result in report.failed if result.role == "symptom"]


def more_symptoms(symptoms: Sequence[Outcome]) -> str:
    """Return how many symptoms failed beside the first, for the end of it; empty where none did."""
    more = len(symptoms) - 1
    return trn(", and {n} more symptom", ", and {n} more symptoms", more) if more > 0 else ""


def no_symptom(report: Report) -> str:
    """Return what is known of the users where no symptom was seen."""
    if not report.results:
        return tr("no check was selected")
    impact, done = report.layout.impact, completed(report)
    if impact is None:
        return done or tr("no symptom was seen")
    if report.figure(impact.count) is None:
        states = impact.state_of(2)
        return tr("not seen: whether {nouns} are {state}", nouns=impact.nouns, state=states)
    text = tr("no {noun} is {state}", noun=impact.noun, state=impact.state)
    return ", ".join(filter(None, [text, done]))


def completed(report: Report) -> str:
    """Return what went well lately; empty where that was not observed."""
    success = report.layout.success
    number = report.figure(success.count) if success else None
    if success is None or number is None:
        return ""
    return f"{count(round(number), success.noun, success.plural)} {success.words_of(round(number))}"


def partial_run(report: Report) -> str:
    """Return the sentence with which the headline of a partial run begins."""
    # The report may be in another language, so no word of its sentences is known. Those on the
    # named items come first.
    text = report.headline if report.partial else ""
    for journey in report.journeys:
        _, separator, after = text.partition(journey.id)
        text = after.partition(". ")[2] if separator else text
    sentence = re.match(r".+?(?=\.( |$))", text)
    return sentence[0] if sentence else tr("Partial run")


def began(report: Report, runs: Sequence[Point]) -> tuple[datetime, bool] | None:
    """Return since when users suffer, and whether an item says so; None where it is not known.

    The time is that of the oldest item that suffers, or else of the first bad run in a row.
    """
    impact = report.layout.impact
    if impact and report.figure(impact.count) and report.figure(impact.age):
        oldest = times_of(report, None).oldest
        return (oldest, True) if oldest else None
    streak = bad_runs(runs)
    if len(streak) > 1:
        return (streak[0].at, False) if streak[0].at else None
    return None


def streak(runs: Sequence[Point]) -> str:
    """Return "3rd bad run in a row"; empty for the first one."""
    length = len(bad_runs(runs))
    return tr("{ordinal} bad run in a row", ordinal=ordinal(length)) if length > 1 else ""


def since(report: Report, runs: Sequence[Point]) -> str:
    """Return since when users suffer, by this machine's clock."""
    start = began(report, runs)
    if start is None:
        return ""
    at, by_item = start
    time, impact = clock(at.isoformat(), report.started), report.layout.impact
    if not by_item or impact is None:
        return tr("since {time}", time=time)
    return tr(
        "{nouns} {state} since about {time}",
        nouns=impact.nouns,
        state=impact.state_of(2),
        time=time,
    )


def sureness(report: Report, finding: Finding) -> str:
    """Return how sure an accepted cause is, in words."""
    probability = numeral(finding.probability, 2)
    if finding.outside:
        return tr("outside this runbook, {probability}", probability=probability)
    if report.diagnosis.certainty == "certain":
        return tr("certain")
    return tr("likely, {probability}", probability=probability)


def probability(value: float) -> str:
    """Return a probability as the headline says it; a tiny one as "<0.01"."""
    return f"<{numeral(0.01, 2)}" if 0 < value < 0.005 else numeral(value, 2)


def weight(log_odds: float) -> str:
    """Return the weight of an observation with its sign: "+2.3"."""
    return f"{log_odds:+.1f}"[0] + numeral(abs(log_odds), 1)


def seen_before(report: Report, finding: Finding, zone: tzinfo | None = None) -> str:
    """Return how often a cause was confirmed before, and how it ended the last time.

    Empty where it never was. Days are those of `zone`, None for the machine's own.
    """
    earlier = next((earlier for earlier in report.seen_before if earlier.cause == finding.id), None)
    if earlier is None:
        return ""
    at, now = (datetime.fromisoformat(t).astimezone(zone) for t in (earlier.last, report.started))
    day = f"{at.day} {month(at)}" + ("" if at.year == now.year else f" {at.year}")
    end = tr(", note: {note}", note=earlier.note) if earlier.note else ""
    if earlier.ended_by:
        took = "" if earlier.seconds is None else f" ({format_duration(earlier.seconds)})"
        end = tr(", ended by: {action}{took}", action=uncapitalized(earlier.ended_by), took=took)
    times = trn("seen {n} time, on {day}", "seen {n} times, last on {day}", earlier.times, day=day)
    return times + end


def unnamed_cause(report: Report) -> str:
    """Return what is known of a cause that no hypothesis stands for."""
    diagnosis = report.diagnosis
    if diagnosis.certainty == "outside":
        parts = sorted({failure.component for failure in diagnosis.unexplained})
        return tr("outside this runbook: {names}", names=listed([*map(component_word, parts)]))
    named = [f"{f.title} ({numeral(f.probability, 2)})" for f in suspects(diagnosis)]
    if not named:
        failed = sorted({result.component for result in report.failed})
        return tr("not clear; what failed: {names}", names=listed([*map(component_word, failed)]))
    return tr("not clear: {causes}", causes=listed(named, "or"))


def cause_of(report: Report) -> str:
    """Return the causes that are named with how sure each is, or what is known instead.

    Empty where nothing failed.
    """
    diagnosis = report.diagnosis
    named = [f"{one.title} ({sureness(report, one)})" for one in diagnosis.accepted]
    return listed(named) or ("" if diagnosis.certainty == "none" else unnamed_cause(report))


def notable(contributions: Sequence[Contribution], status: str = "") -> list[Contribution]:
    """Return the checks (of this status) that weigh enough for a line, the strongest first."""
    return [c for c in contributions if status in ("", c.status) and abs(c.log_odds) >= NOTABLE]


def accusing(report: Report, finding: Finding) -> list[str]:
    """Return the failed checks that accuse a cause, the strongest first.

    Those of the signal's components come last: they say that something is wrong, and not what.
    """
    symptoms = {result.component for result in report.results if result.verification == 0}
    component = {base_id(result.outcome.check): result.component for result in report.results}
    checks = [one.check for one in notable(finding.supporting, "failed")]
    return sorted(checks, key=lambda check: component.get(base_id(check)) in symptoms)


def ruled_out(report: Report) -> list[str]:
    """Return the titles of the hypotheses that the evidence speaks against."""
    diagnosis = report.diagnosis
    return [
        uncapitalized(finding.title)
        for finding in diagnosis.hypotheses
        if finding.probability < RULED_OUT and finding.against and finding not in diagnosis.accepted
    ]


def failed_causes_first(report: Report) -> list[str]:
    """Return what the failed checks saw as a person says it, those of causes before symptoms.

    First comes what no cause of the model brings about: no probability shows it. Then comes what
    speaks most for a likely cause.
    """
    causes = report.diagnosis.causes
    speaks = {one.check: 0.0 for cause in causes for one in (*cause.supporting, *cause.against)}
    for cause in causes:
        for one in cause.supporting:
            speaks[one.check] = max(speaks[one.check], cause.probability * one.log_odds)
    failed = sorted(
        report.failed,
        key=lambda result: (
            result.role != "cause",
            -speaks.get(result.outcome.check, math.inf),
        ),
    )
    return [plain(report.seen(result.outcome)) for result in failed]


def checks_alike(number: int) -> str:
    """Return " (3 checks)" after a sentence that several checks say; empty for one check."""
    return trn(" ({n} check)", " ({n} checks)", number) if number > 1 else ""


def gist(sentence: str) -> str:
    """Return the first words without figures: two sentences with the same ones say the same."""
    return re.sub(r"\d[\d.,]*", "0", sentence[:GIST])


def evidence_lines(report: Report, most: int) -> Iterator[str]:
    """Yield what accuses the named causes, else what failed, and the causes that are ruled out.

    Each cause has `most` sentences at most.
    """
    accepted = report.diagnosis.accepted
    groups = [accusing(report, one) for one in accepted]
    if not any(groups):
        groups = [[result.outcome.check for result in report.failed]]
    shown: dict[str, str] = {}
    for checks in groups[:CAUSES_MAX]:
        sentences = [cut(plain(report.evidence(check)), EVIDENCE_LINE_MAX) for check in checks]
        new = {gist(one): one for one in reversed(sentences) if one and gist(one) not in shown}
        shown |= list(reversed(new.items()))[:most]
    yield from (f"✗ {sentence}" for sentence in shown.values())
    out = ruled_out(report)
    if accepted and out:
        yield "✓ " + tr("ruled out: {causes}", causes=", ".join(out))


def where_to_look(report: Report) -> list[str]:
    """Return what to do where the runbook has no action: the places to look at."""
    places = {source.component: source.place for source in report.coverage if source.place}
    broken = dict.fromkeys(f.component for f in report.diagnosis.accepted if f.component)
    looks = [
        tr(
            "look at the {component} (no action in this runbook): {place}",
            component=component_word(name),
            place=re.sub(r"//[^/]*@", "//", places[name]),
        )
        for name in broken
        if name in places
    ]
    proposed = next_check_of(report.diagnosis)
    if proposed and not looks:
        sentence = report.expected(proposed.check)
        if sentence == proposed.check:
            # It was not selected.
            looks = [tr("run the check {check}", check=proposed.check)]
        else:
            looks = [tr("find out whether this holds: {sentence}", sentence=plain(sentence))]
    return looks[:PLACES_MAX]


def failed_components(report: Report) -> list[tuple[str, int]]:
    """Return the components of the failed checks with their number, the most first."""
    return Counter(component_word(result.component) for result in report.failed).most_common()


def reasons(report: Report) -> Counter[str]:
    """Return why checks have no result, the most frequent reason first, with how many say it.

    A failed check that gives the reason itself is counted too.
    """
    names = shared_reasons(report)
    counter: Counter[str] = Counter()
    failed = Counter(plain(report.seen(result.outcome)) for result in report.failed)
    for result in report.results:
        outcome = result.outcome
        if outcome.status in ("unreachable", "error") and outcome.seen:
            counter[names[plain(outcome.seen)]] += 1
    for reason in counter:
        counter[reason] += failed[reason]
    return Counter(dict(counter.most_common()))


def shared_reasons(report: Report) -> dict[str, str]:
    """Return the reason that stands for each one why a check has no result.

    A reason that another one quotes at its end is the same one, and so is that of a host that is
    told together with others.
    """
    failed = {plain(r.outcome.seen): plain(report.seen(r.outcome)) for r in report.failed}
    unseen = [
        plain(r.outcome.seen)
        for r in report.results
        if r.outcome.status in ("unreachable", "error") and r.outcome.seen
    ]
    known = dict.fromkeys((*failed, *unseen))
    shortest = {
        reason: min((one for one in known if reason.endswith(f": {one}")), key=len, default=reason)
        for reason in dict.fromkeys(unseen)
    }
    return {reason: failed.get(stands, stands) for reason, stands in shortest.items()}
