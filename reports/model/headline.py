"""The headline of a report: the state, the reason for it, and the most likely cause."""

from __future__ import annotations

from collections.abc import Sequence

from core.journey import Journey
from core.language import in_every_language, mark, numeral, tr, trn
from core.outcome import STATUS_WORDS, component_word, counted, counts_in_words
from core.text import capitalized, count, cut, flat, listed, titled, uncapitalized
from core.units import format_duration
from reports.diagnosis.evidence import Role
from reports.diagnosis.result import Diagnosis, Finding, NextCheck
from reports.model.alike import merged, sentences_of_hosts
from reports.model.figures import Figure
from reports.model.layout import Impact, Layout
from reports.model.report import Result, State, state_word

WORTH_NAMING = 0.05
"""Probability below which a hypothesis is not named."""

INTERRUPTED = mark("; the report is incomplete")
"""The end of the sentence on an interruption among the problems of a run: `is_interruption`."""

REASON_MAX = 200
"""Characters of a reason in the headline; the rest of the report has all of it."""

WITHOUT_RESULT = {
    "unreachable": mark("unreachable"),
    "error": mark("in error"),
    "missing": mark("not run"),
}
"""The statuses of a check without a result, as a sentence says them."""

NOT_SELECTED = {"skipped": mark("skipped"), "absent": mark("not selected")}
"""The statuses of a check that was left out, as a sentence says them."""


def is_interruption(problem: str) -> bool:
    """Return whether a problem of a run says that it was interrupted.

    A saved report that is replayed may be in another language than that of the process.
    """
    return problem.endswith(in_every_language(INTERRUPTED))


def headline_of(
    state: State,
    results: Sequence[Result],
    problems: Sequence[str],
    diagnosis: Diagnosis,
    figures: Sequence[Figure],
    unselected: int = 0,
    *,
    impact: Impact | None = None,
    partial: bool = False,
) -> str:
    """Return the state with its reason, and the most likely cause: two sentences.

    Before them stands how many checks a partial run or one that broke off came to. `unselected` is
    the number of the runbook's checks that the run did not select. `impact` says what suffers.
    """
    others = [problem for problem in problems if not is_interruption(problem)]
    interrupted = bool(results) and len(others) < len(problems)
    if interrupted:
        problems = others
    part = (
        partial_run(results, len(results) + unselected, interrupted=interrupted) if partial else ""
    )
    if part and state == "healthy":
        return part
    if state == "healthy":
        reason = health(results, figures, impact)
    else:
        reason = _impact(figures, impact) or _reason(state, results, problems, interrupted)
    named = capitalized(state_word(state))
    text = cut(flat(titled(named, reason)), REASON_MAX)
    if not text.endswith((".", "…", "!", "?")):
        text += "."
    if part:
        text = f"{part} {text}"
    elif interrupted:
        reported = sum(result.outcome.status != "missing" for result in results)
        text = trn(
            "Interrupted after {reported} of {n} check; so far: {text}",
            "Interrupted after {reported} of {n} checks; so far: {text}",
            len(results),
            reported=numeral(reported),
            text=text,
        )
    return f"{text} {cause_sentence(diagnosis)}".rstrip()


def journey_sentence(journeys: Sequence[Journey], layout: Layout) -> str:
    """Return where each named item is, with a space at its end; empty where none was named."""
    return "".join(f"{_journey(journey, capitalized(layout.noun))} " for journey in journeys)


def _journey(journey: Journey, noun: str) -> str:
    parts = {"noun": noun, "id": journey.id, "status": journey.status or tr("unknown")}
    if not journey.stages:
        return tr("{noun} {id} is {status}: nothing else is known of it.", **parts)
    stopped = journey.stopped_at
    if stopped:
        return tr("{noun} {id} is {status}: not {stage}.", **parts, stage=tr(stopped.name))
    return tr("{noun} {id} is {status}: through every stage.", **parts)


def cause_sentence(diagnosis: Diagnosis) -> str:
    """Return the sentence that names the cause, or says that it is unclear; empty if none failed.

    A hypothesis is followed by its probability.
    """
    if diagnosis.certainty == "none":
        return ""
    outside = [finding.title for finding in diagnosis.accepted if finding.outside]
    if diagnosis.certainty == "outside":
        components = sorted({failure.component for failure in diagnosis.unexplained})
        names = outside or list(map(component_word, components))
        return f"{_outside(names)}{_also(diagnosis)}."
    if diagnosis.certainty == "unclear":
        named = [_with_probability(finding) for finding in suspects(diagnosis)]
        if not named:
            return tr("No hypothesis of the runbook is likely.")
        unclear = tr("The cause is not clear: {causes}.", causes=listed(named, "or"))
        return unclear + _unseen(diagnosis)
    named = [_with_probability(finding) for finding in diagnosis.accepted if not finding.outside]
    beside = f" {_outside(outside)}." if outside else ""
    return tr("Most likely: {causes}", causes=listed(named)) + f"{_also(diagnosis)}.{beside}"


def _outside(names: Sequence[str]) -> str:
    return tr(
        "Outside this runbook: {causes}", causes=listed([uncapitalized(name) for name in names])
    )


def _also(diagnosis: Diagnosis) -> str:
    """Return "; also possible: ..." where another cause is worth naming."""
    names = [_with_probability(finding) for finding in diagnosis.also_possible]
    return tr("; also possible: {causes}", causes=listed(names, "or")) if names else ""


def _unseen(diagnosis: Diagnosis) -> str:
    """Return " Not seen: queue (unreachable)." where components hide the cause."""
    reasons: dict[str, list[str]] = {}
    for unseen in diagnosis.unseen:
        reason = tr((STATUS_WORDS | NOT_SELECTED)[unseen.status])
        reasons.setdefault(reason, []).append(component_word(unseen.component))
    parts = [f"{listed(components)} ({reason})" for reason, components in reasons.items()]
    return tr(" Not seen: {components}.", components=tr("; ").join(parts)) if parts else ""


def suspects(diagnosis: Diagnosis) -> list[Finding]:
    """Return the causes to name where it is unclear which is true: at most two."""
    return [f for f in diagnosis.ranked[:2] if f.probability >= WORTH_NAMING]


def next_check_of(diagnosis: Diagnosis) -> NextCheck | None:
    """Return the check that would best tell two causes apart, if one of them is worth naming."""
    proposed = diagnosis.next_check
    if proposed is None or diagnosis.certainty == "none":
        return None
    likelier = max(f.probability for f in diagnosis.causes if f.id in proposed.between)
    return proposed if likelier >= WORTH_NAMING else None


def _with_probability(finding: Finding) -> str:
    return f"{uncapitalized(finding.title)} ({numeral(finding.probability, 2)})"


def partial_run(results: Sequence[Result], total: int, *, interrupted: bool) -> str:
    """Return the sentence on the checks of a partial run; `total` counts the runbook's."""
    counts = counted(result.outcome for result in results)
    reported = len(results) - counts.pop("missing", 0)
    if reported and counts.get("passed") == reported:
        statuses = tr("all passed") if reported > 1 else tr("passed")
    else:
        statuses = counts_in_words(counts)
    coverage = trn(
        "{reported} of {n} check", "{reported} of {n} checks", total, reported=numeral(reported)
    )
    checks = ", ".join(filter(None, [coverage, statuses]))
    if interrupted:
        return tr("Partial run, interrupted: {checks}.", checks=checks)
    return tr("Partial run: {checks}.", checks=checks)


def health(results: Sequence[Result], figures: Sequence[Figure], impact: Impact | None) -> str:
    """Return what a healthy run observed: the items that suffer, or else how many checks passed."""
    affected = _impact(figures, impact)
    if affected:
        return affected
    selected = len(results)
    passed = sum(result.outcome.status == "passed" for result in results)
    if passed < selected:
        some = trn(
            "{n} of {selected} checks passed",
            "{n} of {selected} checks passed",
            passed,
            selected=numeral(selected),
        )
        return some + trn(", {n} was skipped", ", {n} were skipped", selected - passed)
    if passed > 1:
        return tr("all {number} checks passed", number=numeral(passed))
    return tr("the only check passed")


def _reason(
    state: State, results: Sequence[Result], problems: Sequence[str], interrupted: bool
) -> str:
    if state in ("incident", "at risk"):
        role: Role = "symptom" if state == "incident" else "cause"
        host_sentences = sentences_of_hosts([result.outcome for result in results])
        failed = [r.outcome for r in results if r.outcome.status == "failed" and r.role == role]
        first, *others = merged(failed, host_sentences)
        return first.seen.removesuffix(".") + (_more(len(others), role) if others else "")
    if problems:
        return problems[0]
    if not results:
        return tr("no check was selected")
    # Of an interrupted run the headline already says how many checks were not run.
    words = {s: word for s, word in WITHOUT_RESULT.items() if s != "missing" or not interrupted}
    without_result = [r.outcome for r in results if r.outcome.status in words]
    if without_result:
        statuses = {outcome.status for outcome in without_result}
        number, first_outcome = len(without_result), without_result[0]
        words_used = listed(
            [tr(word) for status, word in words.items() if status in statuses], "or"
        )
        sentence = (first_outcome.seen or first_outcome.expected).removesuffix(".")
        return trn(
            "{n} of {checks} is {status}; the first: {sentence}",
            "{n} of {checks} are {status}; the first: {sentence}",
            number,
            checks=trn("{n} check", "{n} checks", len(results)),
            status=words_used,
            sentence=sentence,
        )
    if interrupted:
        return tr("no check has failed")
    if results[1:]:
        return tr("all {number} checks were skipped", number=numeral(len(results)))
    return tr("the only check was skipped")


def _more(number: int, role: Role) -> str:
    if role == "symptom":
        return trn(" ({n} more symptom failed)", " ({n} more symptoms failed)", number)
    return trn(" ({n} more cause failed)", " ({n} more causes failed)", number)


def _impact(figures: Sequence[Figure], impact: Impact | None) -> str:
    """Return how many items suffer and for how long; empty if none does."""
    if impact is None:
        return ""
    values = {figure.id: figure.value for figure in figures}
    suffering, oldest = values.get(impact.count), values.get(impact.age)
    if not suffering or (impact.age and oldest is None):
        return ""
    number = count(round(suffering), impact.noun, impact.plural)
    old = "" if oldest is None else tr(", oldest {duration}", duration=format_duration(oldest))
    return f"{number} {impact.state_of(suffering)}{old}"
