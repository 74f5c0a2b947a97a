"""The gate before a deploy: what must have been seen to hold, and what is worse than before."""

from __future__ import annotations

import itertools
import re
from collections.abc import Container

from _pytest.mark.expression import Expression

from core.language import tr, trn
from core.outcome import OBSERVED
from reports.model.report import Report, exit_status

BAD = ("failed", "unreachable", "error", "missing")
"""Statuses that keep a gate closed; in a gate, skipped does too: it is not known to pass."""


def is_gate(expression: str) -> bool:
    """Return whether this `-m` expression selects checks by their marker `gate`.

    It does if, for some combination of the other markers, it selects a check with `gate` and not
    the same check without it. An invalid expression, which pytest refuses, is no gate.
    """
    try:
        # pytest has no public way to evaluate an expression.
        compiled = Expression.compile(expression)
    except SyntaxError:
        return False

    def selects(markers: Container[str]) -> bool:
        return compiled.evaluate(lambda name, /, **_: name in markers)

    others = set(re.findall(r"\w+", expression)) - {"gate", "and", "or", "not"}
    sizes = range(len(others) + 1)
    combinations = itertools.chain.from_iterable(
        itertools.combinations(others, size) for size in sizes
    )
    return any(selects({"gate", *names}) and not selects(names) for names in combinations)


def unseen(report: Report) -> list[str]:
    """Return the checks that a gate asks for and that were skipped, those of a reason with it."""
    alike: dict[str, list[str]] = {}
    for check, status in report.statuses.items():
        if status == "skipped":
            alike.setdefault(report.evidence(check), []).append(check)
    return [f"{', '.join(checks)} ({reason})" for reason, checks in alike.items()]


def worse(report: Report, baseline: Report) -> tuple[str, ...]:
    """Return the checks that are bad now and were not, or were not there, in the baseline.

    What could not be observed there is not known to have failed before.
    """
    before = baseline.statuses
    return tuple(
        check
        for check, status in report.statuses.items()
        if status in BAD
        and (was := before.get(check)) != "failed"
        and (status == "failed" or was not in BAD)
    )


def verdict(
    pytests: int, report: Report, *, gate: bool, baseline: Report | None
) -> tuple[int, str]:
    """Return the run's exit status, and a sentence where gate or baseline decide it.

    `pytests` is pytest's own exit status. A baseline forgives what failed before; it never
    forgives a run that broke off or that saw nothing.
    """
    status = exit_status(pytests, report.state)
    if gate and unseen(report):
        names = "; ".join(unseen(report))
        return status or 1, tr(
            "The gate stays closed: skipped, so not known to pass: {checks}.", checks=names
        )
    if baseline is None:
        return status, ""
    worsened = worse(report, baseline)
    if worsened:
        return status or 1, tr("Worse than the baseline: {checks}.", checks=", ".join(worsened))
    statuses = report.statuses.values()
    if report.problems or not any(status in OBSERVED for status in statuses):
        return status, ""
    known = sum(status in BAD for status in statuses)
    if not known:
        return 0, ""
    return 0, trn(
        "Not worse than the baseline: {n} known failure.",
        "Not worse than the baseline: {n} known failures.",
        known,
    )
