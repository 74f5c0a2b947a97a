"""The report: the one value that every renderer gets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

from core.outcome import OBSERVED, Affected, Outcome, base_id, is_canary
from core.target_summary import TargetSummary
from reports.diagnosis.result import Diagnosis
from reports.model.figures import Figure
from reports.runbook.document import Step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.diagnosis.evidence import Evidence
    from reports.runbook.document import Runbook

SCHEMA = 1
"""Version of the report's shape; it changes when a reader of the old one would misread the new."""

AFFECTED_MAX = 20
"""Items of users that a report shows; all of them are counted."""

State = Literal["healthy", "at risk", "incident", "unknown"]
STATES: tuple[State, ...] = get_args(State)


@dataclass(frozen=True)
class Result:
    """An outcome with its place in the runbook. Verification 0 is the runbook's signal."""

    outcome: Outcome
    verification: int
    role: str
    component: str


@dataclass(frozen=True)
class Verification:
    """A numbered verification of the runbook."""

    number: int
    title: str


@dataclass(frozen=True)
class Source:
    """A configured component and how many of its selected checks could see it.

    `place` is None where the target leaves the component out.
    """

    component: str
    place: str | None
    observed: int
    selected: int


@dataclass(frozen=True)
class Remedy:
    """The runbook's corrective actions for a hypothesis that is held to be true.

    What could be filled in is; a placeholder that could not stays visible.
    """

    hypothesis: str
    title: str
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Report:
    """What a run found out. `started` is ISO 8601 in UTC, `seconds` the run's wall time."""

    target: TargetSummary
    runbook: str
    started: str
    seconds: float
    state: State
    headline: str
    verifications: tuple[Verification, ...]
    results: tuple[Result, ...]
    coverage: tuple[Source, ...]
    figures: tuple[Figure, ...]
    diagnosis: Diagnosis
    remedies: tuple[Remedy, ...]
    problems: tuple[str, ...] = ()
    schema: int = field(default=SCHEMA)

    def figure(self, name: str) -> float | None:
        """Return a figure's value, None where it was not observed."""
        return next((figure.value for figure in self.figures if figure.id == name), None)

    @property
    def affected(self) -> tuple[Affected, ...]:
        """Return the users' items that suffer, the worst first."""
        observed = (one for result in self.results for one in result.outcome.observations)
        return next((one.affected[:AFFECTED_MAX] for one in observed if one.affected), ())

    def expected(self, check: str) -> str:
        """Return the sentence of a check, or its id where it has not run."""
        found = (r.outcome.expected for r in self.results if r.outcome.check == check)
        return next(found, "") or check

    def seen(self, check: str) -> str:
        """Return what stood against a check's expectation; empty where it held or has not run."""
        return next((r.outcome.seen for r in self.results if r.outcome.check == check), "")


def place_results(outcomes: Sequence[Outcome], evidence: Evidence) -> tuple[Result, ...]:
    """Return the outcomes in the runbook's order; one without a row comes last, as a cause."""
    order = {row.id: number for number, row in enumerate(evidence.checks)}
    placed = []
    for outcome in outcomes:
        row = evidence.row(outcome.check)
        rank = order[row.id] if row else len(order)
        result = (
            Result(outcome, row.verification, row.role, row.component)
            if row
            else Result(outcome, 99, "cause", outcome.check.partition("/")[0])
        )
        placed.append((result.verification, rank, outcome.check, result))
    return tuple(entry[-1] for entry in sorted(placed, key=lambda entry: entry[:-1]))


def state_of(results: Sequence[Result], problems: Sequence[str]) -> State:
    """Return the state of a run.

    A failed symptom is an incident and a failed cause a risk, however little else was seen. With
    nothing failed the run is healthy only if all that was to be looked at was seen or is rightly
    skipped, and something was seen at all: silence is never health.
    """
    failed = {result.role for result in results if result.outcome.status == "failed"}
    if failed:
        return "incident" if "symptom" in failed else "at risk"
    statuses = {result.outcome.status for result in results}
    unsure = statuses & {"unreachable", "error", "missing"}
    return "healthy" if "passed" in statuses and not unsure and not problems else "unknown"


def coverage_of(results: Sequence[Result], components: dict[str, str | None]) -> tuple[Source, ...]:
    """Return what was seen of each component that a target can have."""
    sources = []
    for component, place in components.items():
        mine = [r.outcome for r in results if r.component == component]
        seen = sum(outcome.status in OBSERVED for outcome in mine)
        sources.append(Source(component, place, seen, len(mine)))
    return tuple(sources)


def unselected_of(results: Sequence[Result], evidence: Evidence) -> int:
    """Return how many of the runbook's checks were not selected.

    Those of the canary count only where one of them was: a run without it is whole.
    """
    selected = {base_id(result.outcome.check) for result in results}
    canary = any(map(is_canary, selected))
    asked = [row.id for row in evidence.checks if canary or not is_canary(row.id)]
    return sum(check not in selected for check in asked)


def titles_of(runbook: Runbook) -> tuple[Verification, ...]:
    """Return the runbook's verifications with its signal before them as number 0."""
    steps = [Verification(step.number, step.title) for step in runbook.verifications]
    return (Verification(0, "Signal"), *steps)


def exit_status(pytests: int, state: State) -> int:
    """Return the run's exit status: pytest's own, but 0 for a healthy run alone.

    A run that pytest is content with and that saw nothing ends as 5, "no tests": silence is never
    health.
    """
    return 5 if pytests == 0 and state != "healthy" else pytests
