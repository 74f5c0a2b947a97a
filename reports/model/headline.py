"""The headline of a report: the state, the reason for it, and the most likely cause."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from core.outcome import STATUS_WORDS
from core.text import capitalized, count, cut, listed, uncapitalized
from core.units import format_duration
from reports.model.alike import merged, sentences

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.journey import Journey
    from reports.diagnosis.result import Diagnosis, Finding, NextCheck
    from reports.model.figures import Figure
    from reports.model.layout import Impact, Layout
    from reports.model.report import Result, State

WORTH_NAMING = 0.05
"""Probability below which a hypothesis is not named."""

INTERRUPTED = "; the report is incomplete"
"""The end of the sentence on an interruption among the problems of a run."""

REASON_MAX = 200
"""Characters of a reason in the headline; the rest of the report has all of it."""

WITHOUT_RESULT = {"unreachable": "unreachable", "error": "in error", "missing": "not run"}
"""The statuses of a check without a result, as a sentence says them."""

NOT_SELECTED = {"skipped": "skipped", "absent": "not selected"}
"""The statuses of a check that was left out, as a sentence says them."""


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
    others = [problem for problem in problems if not problem.endswith(INTERRUPTED)]
    interrupted = bool(results) and len(others) < len(problems)
    if interrupted:
        problems = others
    part = (
        partial_run(results, len(results) + unselected, interrupted=interrupted) if partial else ""
    )
    if part and state == "healthy":
        return part
    reason = _impact(figures, impact)
    if not reason and state == "healthy":
        reason = _health(results)
    if not reason:
        reason = _reason(state, results, problems, interrupted)
    text = cut(f"{state.capitalize()}: {reason}", REASON_MAX)
    if not text.endswith((".", "…", "!", "?")):
        text += "."
    if part:
        text = f"{part} {text}"
    elif interrupted:
        reported = sum(result.outcome.status != "missing" for result in results)
        checks = count(len(results), "check")
        text = f"Interrupted after {reported} of {checks}; so far: {text}"
    return f"{text} {cause_sentence(diagnosis)}".rstrip()


def journey_sentence(journeys: Sequence[Journey], layout: Layout) -> str:
    """Return where each named item is, with a space at its end; empty where none was named."""
    noun = capitalized(layout.noun)
    sentences = []
    for journey in journeys:
        stopped = journey.stopped_at
        where = f"not {stopped.name}" if stopped else "through every stage"
        if not journey.stages:
            where = "nothing else is known of it"
        sentences.append(f"{noun} {journey.id} is {journey.status or 'unknown'}: {where}. ")
    return "".join(sentences)


def cause_sentence(diagnosis: Diagnosis) -> str:
    """Return the sentence that names the cause, or says that it is unclear; empty if none failed.

    A hypothesis is followed by its probability.
    """
    if diagnosis.certainty == "none":
        return ""
    outside = [finding.title for finding in diagnosis.accepted if finding.outside]
    if diagnosis.certainty == "outside":
        names = outside or sorted({failure.component for failure in diagnosis.unexplained})
        return f"{_outside(names)}{_also(diagnosis)}."
    if diagnosis.certainty == "unclear":
        named = [_with_probability(finding) for finding in suspects(diagnosis)]
        if not named:
            return "No hypothesis of the runbook explains it."
        return f"The cause is not clear: {listed(named, 'or')}.{_unseen(diagnosis)}"
    named = [_with_probability(finding) for finding in diagnosis.accepted if not finding.outside]
    beside = f" {_outside(outside)}." if outside else ""
    return f"Most likely: {listed(named)}{_also(diagnosis)}.{beside}"


def _outside(names: Sequence[str]) -> str:
    return f"Outside this runbook: {listed([uncapitalized(name) for name in names])}"


def _also(diagnosis: Diagnosis) -> str:
    """Return "; also possible: ..." where another cause is worth naming."""
    names = [_with_probability(finding) for finding in diagnosis.also_possible]
    return f"; also possible: {listed(names, 'or')}" if names else ""


def _unseen(diagnosis: Diagnosis) -> str:
    """Return " Not seen: queue (unreachable)." where components hide the cause."""
    reasons: dict[str, list[str]] = {}
    for unseen in diagnosis.unseen:
        reasons.setdefault((STATUS_WORDS | NOT_SELECTED)[unseen.status], []).append(
            unseen.component
        )
    parts = [f"{listed(components)} ({reason})" for reason, components in reasons.items()]
    return f" Not seen: {'; '.join(parts)}." if parts else ""


def suspects(diagnosis: Diagnosis) -> list[Finding]:
    """Return the hypotheses to name where the cause is unclear: at most two."""
    return [f for f in diagnosis.hypotheses[:2] if f.probability >= WORTH_NAMING]


def next_check_of(diagnosis: Diagnosis) -> NextCheck | None:
    """Return the check that would best tell two causes apart, if one of them is worth naming."""
    proposed = diagnosis.next_check
    if proposed is None or diagnosis.certainty == "none":
        return None
    likelier = max(f.probability for f in diagnosis.causes if f.id in proposed.between)
    return proposed if likelier >= WORTH_NAMING else None


def _with_probability(finding: Finding) -> str:
    return f"{uncapitalized(finding.title)} ({finding.probability:.2f})"


def partial_run(results: Sequence[Result], total: int, *, interrupted: bool) -> str:
    """Return the sentence on the checks of a partial run; `total` counts the runbook's."""
    counter = Counter(result.outcome.status for result in results)
    reported = len(results) - counter["missing"]
    words = [
        (word, counter[status]) for status, word in STATUS_WORDS.items() if status != "missing"
    ]
    parts = [f"{number} {word}" for word, number in words if number]
    if reported and counter["passed"] == reported:
        parts = ["all passed" if reported > 1 else "passed"]
    said = f"{reported} of {count(total, 'check')}"
    why = ", interrupted" if interrupted else ""
    return f"Partial run{why}: {', '.join([said, *parts])}."


def _health(results: Sequence[Result]) -> str:
    selected = len(results)
    passed = sum(result.outcome.status == "passed" for result in results)
    skipped = f"{selected - passed} {'was' if selected - passed == 1 else 'were'} skipped"
    if passed < selected:
        return f"{passed} of {selected} checks passed, {skipped}"
    return f"all {passed} checks passed" if passed > 1 else "the only check passed"


def _reason(
    state: State, results: Sequence[Result], problems: Sequence[str], interrupted: bool
) -> str:
    if state in ("incident", "at risk"):
        role = "symptom" if state == "incident" else "cause"
        told = sentences([result.outcome for result in results])
        failed = [r.outcome for r in results if r.outcome.status == "failed" and r.role == role]
        first, *others = merged(failed, told)
        more = f" ({count(len(others), f'more {role}')} failed)" if others else ""
        return first.seen.removesuffix(".") + more
    if problems:
        return problems[0]
    if not results:
        return "no check was selected"
    # Of an interrupted run the headline already says how many checks were not run.
    words = {s: word for s, word in WITHOUT_RESULT.items() if s != "missing" or not interrupted}
    without_result = [r.outcome for r in results if r.outcome.status in words]
    if without_result:
        statuses = {outcome.status for outcome in without_result}
        number, first_outcome = len(without_result), without_result[0]
        what = listed([word for status, word in words.items() if status in statuses], "or")
        sentence = (first_outcome.seen or first_outcome.expected).removesuffix(".")
        verb = "is" if number == 1 else "are"
        return f"{number} of {count(len(results), 'check')} {verb} {what}; the first: {sentence}"
    if interrupted:
        return "no check has failed"
    return (
        f"all {len(results)} checks were skipped" if results[1:] else "the only check was skipped"
    )


def _impact(figures: Sequence[Figure], impact: Impact | None) -> str:
    """Return how many items suffer and for how long; empty if none does."""
    if impact is None:
        return ""
    values = {figure.id: figure.value for figure in figures}
    suffering, oldest = values.get(impact.count), values.get(impact.age)
    if not suffering or (impact.age and oldest is None):
        return ""
    number = count(round(suffering), impact.noun, impact.plural)
    old = "" if oldest is None else f", oldest {format_duration(oldest)}"
    return f"{number} {impact.state}{old}"
