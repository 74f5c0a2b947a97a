"""The first line of every report: the state, and the one reason for it, fit to be read aloud."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.report import Result, State

SENTENCE_MAX = 200
"""Characters of a reason in the first line; the whole of it is further down."""


def headline_of(state: State, results: Sequence[Result], problems: Sequence[str]) -> str:
    """Return one sentence of what the state is and why."""
    reason = _reason(state, results, problems)
    text = f"{state.capitalize()}: {reason}"
    text = text if len(text) <= SENTENCE_MAX else f"{text[: SENTENCE_MAX - 1]}…"
    return text if text.endswith((".", "…", "!", "?")) else f"{text}."


def _reason(state: State, results: Sequence[Result], problems: Sequence[str]) -> str:
    if state in ("incident", "at risk"):
        role = "symptom" if state == "incident" else "cause"
        first, *others = [r for r in results if r.outcome.status == "failed" and r.role == role]
        more = f" ({len(others)} more {role}s fail)" if len(others) > 1 else ""
        return _without_stop(first.outcome.seen) + more
    passed = sum(result.outcome.status == "passed" for result in results)
    if state == "healthy":
        return f"all {passed} checks that could look hold"
    if problems:
        return problems[0]
    if not results:
        return "no check was selected, so nothing was looked at"
    unsure = [r.outcome for r in results if r.outcome.status not in ("passed", "skipped")]
    if not unsure:
        return f"all {len(results)} selected checks were skipped, so nothing was looked at"
    return (
        f"{len(unsure)} of {len(results)} checks could not tell, "
        f"the first: {_without_stop(unsure[0].seen or unsure[0].expected)}"
    )


def _without_stop(sentence: str) -> str:
    return sentence.removesuffix(".")
