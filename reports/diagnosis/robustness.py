"""Change a diagnosis: less is observed, or a reading is wrong."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Sequence
from dataclasses import replace

from core.language import tr
from core.outcome import OBSERVED, Outcome, Status, base_id, component_word
from core.text import titled
from reports.diagnosis.diagnose import diagnose
from reports.diagnosis.evidence import Evidence

FLIPPED: dict[Status, Status] = {"passed": "failed", "failed": "passed"}


def named(
    evidence: Evidence, readings: Iterable[Outcome], zero: Container[str] = ()
) -> frozenset[str]:
    """Return the ids of the causes that a report on these readings names.

    `zero` are the figures that are 0 in it.
    """
    diagnosis = diagnose(evidence, readings, zero=zero, explain=False)
    return frozenset(cause.id for cause in diagnosis.accepted)


def observed_components(evidence: Evidence, readings: Iterable[Outcome]) -> tuple[str, ...]:
    """Return the components with at least one observed check, in the evidence table's order."""
    observed = {base_id(reading.check) for reading in readings if reading.status in OBSERVED}
    return tuple(dict.fromkeys(row.component for row in evidence.checks if row.id in observed))


def without(
    evidence: Evidence, readings: Iterable[Outcome], components: Collection[str]
) -> list[Outcome]:
    """Return the readings with the checks of these components unreachable."""
    rows = [(reading, evidence.row(reading.check)) for reading in readings]
    return [
        replace(reading, status="unreachable") if row and row.component in components else reading
        for reading, row in rows
    ]


def flipped(readings: Iterable[Outcome], checks: Collection[str]) -> list[Outcome]:
    """Return the readings with a pass of these checks turned into a failure, and the reverse."""
    return [
        replace(reading, status=FLIPPED.get(reading.status, reading.status))
        if reading.check in checks
        else reading
        for reading in readings
    ]


def explain_robustness(
    evidence: Evidence, readings: Sequence[Outcome], zero: Container[str] = ()
) -> str:
    """Return a text: what would be named without each component, and with one reading flipped.

    `zero` are the figures that are 0 in the run.
    """
    titles = {cause.id: cause.title for cause in evidence.causes}

    def words(causes: frozenset[str]) -> str:
        return tr(" and ").join(titles[cause] for cause in titles if cause in causes) or tr(
            "no cause"
        )

    usual = named(evidence, readings, zero)
    lines = [tr("Named: {causes}.", causes=words(usual)), "", tr("With one component hidden:")]
    for component in observed_components(evidence, readings):
        causes = named(evidence, without(evidence, readings, {component}), zero)
        text = tr("the same") if causes == usual else words(causes)
        lines.append(f"  {component_word(component):<10} {text}")
    observed = [reading.check for reading in readings if reading.status in OBSERVED]
    changes = [
        (check, causes)
        for check in observed
        if (causes := named(evidence, flipped(readings, {check}), zero)) != usual
    ]
    same = len(observed) - len(changes)
    lines += [
        "",
        tr(
            "With one reading flipped: the same for {same} of {observed} checks.",
            same=same,
            observed=len(observed),
        ),
    ]
    lines += ["  " + titled(check, words(causes)) for check, causes in changes]
    return "\n".join([*lines, ""])
