"""The first line of every report: the state, and the one reason for it, fit to be read aloud."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.text import count, listed, uncapitalized
from core.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.diagnosis.result import Diagnosis, Finding, NextCheck
    from reports.model.figures import Figure
    from reports.model.report import Result, State

WORTH_NAMING = 0.05
"""Probability below which a hypothesis is not worth a person's thought."""

BROKEN_OFF = "; what is below is a part of it"
"""How the problem of a run ends that did not come to its end."""

SENTENCE_MAX = 200
"""Characters of a reason in the first line; the whole of it is further down."""


def headline_of(
    state: State,
    results: Sequence[Result],
    problems: Sequence[str],
    diagnosis: Diagnosis,
    figures: Sequence[Figure],
    unselected: int = 0,
) -> str:
    """Return what the state is and rests on, and the most likely cause: two sentences.

    Before them it says how far a run came that was interrupted. `unselected` are the runbook's
    checks that the run was not asked for: without them health is a part of it.
    """
    others = [problem for problem in problems if not problem.endswith(BROKEN_OFF)]
    interrupted = bool(results) and len(others) < len(problems)
    reason = _stuck(figures)
    if not reason and state == "healthy":
        reason = _health(results, unselected)
    if not reason:
        reason = _reason(state, results, others if interrupted else problems, interrupted)
    part = " as far as it was looked" if state == "healthy" and unselected else ""
    text = f"{state.capitalize()}{part}: {reason}"
    text = text if len(text) <= SENTENCE_MAX else f"{text[: SENTENCE_MAX - 1]}…"
    text = text if text.endswith((".", "…", "!", "?")) else f"{text}."
    if interrupted:
        text = f"Interrupted after {_reported(results)}; so far: {text}"
    cause = cause_of(diagnosis)
    return f"{text} {cause}" if cause else text


def cause_of(diagnosis: Diagnosis) -> str:
    """Return the sentence that names the cause, or says that it is not known; empty if all is well.

    A hypothesis is followed by its probability.
    """
    if diagnosis.certainty == "none":
        return ""
    if diagnosis.certainty == "outside":
        named = [finding.title for finding in diagnosis.accepted]
        parts = named or sorted({u.component for u in diagnosis.unexplained})
        return f"Outside this runbook: {listed([uncapitalized(part) for part in parts])}."
    if diagnosis.certainty == "unclear":
        open_to = suspects(diagnosis)
        if not open_to:
            return "No hypothesis of the runbook explains it."
        return f"The cause is not clear: {' or '.join(_named(finding) for finding in open_to)}."
    held = [_named(finding) for finding in diagnosis.accepted if not finding.outside]
    return f"Most likely: {listed(held)}."


def suspects(diagnosis: Diagnosis) -> list[Finding]:
    """Return the hypotheses worth a name where the cause is not clear: at most two, none absurd."""
    return [f for f in diagnosis.hypotheses[:2] if f.probability >= WORTH_NAMING]


def next_look(diagnosis: Diagnosis) -> NextCheck | None:
    """Return the check that would tell two causes apart, where one of them is worth a thought."""
    proposed = diagnosis.next_check
    if proposed is None or diagnosis.certainty == "none":
        return None
    near = max(f.probability for f in diagnosis.causes if f.id in proposed.between)
    return proposed if near >= WORTH_NAMING else None


def _named(finding: Finding) -> str:
    return f"{uncapitalized(finding.title)} ({finding.probability:.2f})"


def _reported(results: Sequence[Result]) -> str:
    done = sum(result.outcome.status != "missing" for result in results)
    return f"{done} of {count(len(results), 'check')}"


def _health(results: Sequence[Result], unselected: int) -> str:
    passed = sum(result.outcome.status == "passed" for result in results)
    skipped = len(results) - passed
    hold = "holds" if passed == 1 else "hold"
    left = f"{skipped} {'was' if skipped == 1 else 'were'} skipped"
    if unselected:
        verb = "was" if len(results) == 1 else "were"
        selected = f"{len(results)} of {count(len(results) + unselected, 'check')} {verb} selected"
        return f"{selected}; {passed} {hold}, {left}" if skipped else f"{selected}, and {hold}"
    every = "the only check" if passed == 1 else f"all {passed} checks"
    return f"{every} that could look {hold}, {left}" if skipped else f"{every} {hold}"


def _reason(
    state: State, results: Sequence[Result], problems: Sequence[str], interrupted: bool
) -> str:
    if state in ("incident", "at risk"):
        role = "symptom" if state == "incident" else "cause"
        first, *others = [r for r in results if r.outcome.status == "failed" and r.role == role]
        more = f" ({len(others)} more {role}s fail)" if len(others) > 1 else ""
        return _without_stop(first.outcome.seen) + more
    if problems:
        return problems[0]
    if not results:
        return "no check was selected, so nothing was looked at"
    known = {"passed", "skipped"} | ({"missing"} if interrupted else set())
    unsure = [r.outcome for r in results if r.outcome.status not in known]
    if not unsure and interrupted:
        return "nothing has failed"
    if not unsure:
        only = len(results) == 1
        every = (
            "the only selected check was" if only else f"all {len(results)} selected checks were"
        )
        return f"{every} skipped, so nothing was looked at"
    return (
        f"{len(unsure)} of {count(len(results), 'check')} could not tell, "
        f"the first: {_without_stop(unsure[0].seen or unsure[0].expected)}"
    )


def _stuck(figures: Sequence[Figure]) -> str:
    """Return how many uploads are stuck and for how long, where some are."""
    values = {figure.id: figure.value for figure in figures}
    total, oldest = values.get("uploads_stuck"), values.get("oldest_stuck_seconds")
    if not total or oldest is None:
        return ""
    return f"{total:.0f} upload{'s' * (total != 1)} stuck, oldest {format_duration(oldest)}"


def _without_stop(sentence: str) -> str:
    return sentence.removesuffix(".")
