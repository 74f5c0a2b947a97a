"""The report: the one value that every renderer gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from functools import cached_property
from typing import Literal, get_args

from core.frozen import frozen
from core.journey import Journey
from core.language import ENGLISH, mark, tr
from core.outcome import OBSERVED, Affected, Outcome, Status, base_id, is_canary
from core.target_summary import TargetSummary
from reports.diagnosis.evidence import Evidence
from reports.diagnosis.result import Diagnosis
from reports.model.alike import sentences_of_hosts
from reports.model.figures import Figure
from reports.model.layout import Layout
from reports.runbook.document import Runbook, Step

SCHEMA = 1
"""Version of the report's shape; it changes when a reader of the old one would misread the new."""

AFFECTED_MAX = 20
"""Affected items that a report shows; the figures count all of them."""

State = Literal["healthy", "at risk", "incident", "unknown"]
STATES: tuple[State, ...] = get_args(State)
STATE_WORDS: dict[State, str] = {
    "healthy": mark("healthy"),
    "at risk": mark("at risk"),
    "incident": mark("incident"),
    "unknown": mark("unknown"),
}


def state_word(state: State) -> str:
    """Return the word that a person reads for a state."""
    return tr(STATE_WORDS[state])


@frozen
class Result:
    """An outcome with its place in the runbook. Verification 0 is the runbook's signal."""

    outcome: Outcome
    verification: int
    role: str
    component: str


@frozen
class VerificationTitle:
    """The number and title of a verification of the runbook."""

    number: int
    title: str


@frozen
class ComponentSummary:
    """A component: where it is, and how many of its selected checks observed it.

    `place` is None where the target does not configure the component.
    """

    component: str
    place: str | None
    observed: int
    selected: int


@frozen
class Remedy:
    """The runbook's corrective actions for an accepted hypothesis.

    `hypothesis` is a cause, or the component where only that is known. Placeholders without a value
    stay visible.
    """

    hypothesis: str
    title: str
    steps: tuple[Step, ...]


@frozen
class WatchedMetric:
    """A metric that the runbook says to watch after an incident.

    `figure` is the id of the figure that measures it, None where no check does. The metric recovers
    while the figure is within `limit`; where there is no limit, when it falls, or when it rises.
    `idle` is the figure that says for how many seconds nothing has come that could make it rise.
    """

    name: str
    figure: str | None = None
    rises: bool = False
    limit: float | None = None
    idle: str | None = None


@frozen
class SeenBefore:
    """A cause that was confirmed for `times` earlier incidents of the target.

    `last` is when the last of them began, in ISO 8601. `ended_by` is the action after which it was
    verified that this one was over, `seconds` after the action's beginning; empty and None where
    that is not known. `note` is what a person wrote about it.
    """

    cause: str
    times: int
    last: str
    ended_by: str = ""
    seconds: float | None = None
    note: str = ""


@frozen
class Report:
    """The result of a run. `started` is ISO 8601 in UTC, `seconds` the run's wall time.

    `problems` are sentences on the run itself, such as an interruption; `watch` are the runbook's
    metrics to watch after an incident. `partial`: the run was narrowed or interrupted, so that its
    state is not the target's. `journeys` are those of the items that the command line named.
    `seen_before` are the causes that people confirmed for earlier incidents. `layout` is what the
    report shows of its runbook, whose title is `runbook` and whose folder is `runbook_name`.
    Its sentences are in `language`.
    """

    target: TargetSummary
    runbook: str
    started: str
    seconds: float
    state: State
    headline: str
    verifications: tuple[VerificationTitle, ...]
    results: tuple[Result, ...]
    coverage: tuple[ComponentSummary, ...]
    figures: tuple[Figure, ...]
    diagnosis: Diagnosis
    remedies: tuple[Remedy, ...]
    problems: tuple[str, ...] = ()
    watch: tuple[WatchedMetric, ...] = ()
    partial: bool = False
    journeys: tuple[Journey, ...] = ()
    seen_before: tuple[SeenBefore, ...] = ()
    layout: Layout = field(default_factory=Layout)
    runbook_name: str = ""
    language: str = ENGLISH
    schema: int = field(default=SCHEMA)

    def figure(self, name: str) -> float | None:
        """Return a figure's value, None where it was not observed."""
        return next((figure.value for figure in self.figures if figure.id == name), None)

    @property
    def outcomes(self) -> list[Outcome]:
        return [result.outcome for result in self.results]

    @property
    def statuses(self) -> dict[str, Status]:
        """Return the status of each check."""
        return {outcome.check: outcome.status for outcome in self.outcomes}

    @property
    def failed(self) -> tuple[Result, ...]:
        return tuple(result for result in self.results if result.outcome.status == "failed")

    @property
    def affected(self) -> tuple[Affected, ...]:
        """Return the affected items, the worst first."""
        observations = (o for outcome in self.outcomes for o in outcome.observations)
        return next((o.affected[:AFFECTED_MAX] for o in observations if o.affected), ())

    @cached_property
    def host_sentences(self) -> dict[str, str]:
        """The sentence that stands for several checks of hosts that are alike, by check."""
        return sentences_of_hosts(self.outcomes)

    def seen(self, outcome: Outcome) -> str:
        """Return what a check saw, in the words that stand for all hosts that are alike."""
        return self.host_sentences.get(outcome.check, outcome.seen)

    def outcome(self, check: str) -> Outcome | None:
        """Return the outcome of a check; None where it was not selected."""
        return next((outcome for outcome in self.outcomes if outcome.check == check), None)

    def expected(self, check: str) -> str:
        """Return the sentence of a check, or its id where it was not selected."""
        outcome = self.outcome(check)
        return (outcome and outcome.expected) or check

    def evidence(self, check: str) -> str:
        """Return what a check saw, or its sentence where it recorded nothing."""
        outcome = self.outcome(check)
        if outcome is None:
            return check
        observed = outcome.observations[-1].seen if outcome.observations else ""
        return self.seen(outcome) or observed or outcome.expected or check


def place_results(outcomes: Sequence[Outcome], evidence: Evidence) -> tuple[Result, ...]:
    """Return the outcomes in the runbook's order; one without a row comes last, as a cause."""
    ranks = {row.id: rank for rank, row in enumerate(evidence.checks)}
    results = []
    for outcome in outcomes:
        row = evidence.row(outcome.check)
        if row:
            result = Result(outcome, row.verification, row.role, row.component)
        else:
            result = Result(outcome, 99, "cause", outcome.check.partition("/")[0])
        rank = ranks.get(base_id(outcome.check), len(ranks))
        results.append((result.verification, rank, outcome.check, result))
    return tuple(result for *_, result in sorted(results, key=lambda entry: entry[:-1]))


def state_of(results: Sequence[Result], problems: Sequence[str]) -> State:
    """Return the state of a run.

    A failed symptom is an incident and a failed cause a risk, however few checks were observed.
    With nothing failed, the run is healthy if every check passed or was skipped, at least one
    passed, and the run itself had no problem: silence is never health.
    """
    failed = {result.role for result in results if result.outcome.status == "failed"}
    if failed:
        return "incident" if "symptom" in failed else "at risk"
    statuses = {result.outcome.status for result in results}
    healthy = "passed" in statuses and statuses <= {"passed", "skipped"} and not problems
    return "healthy" if healthy else "unknown"


def coverage_of(
    results: Sequence[Result], components: dict[str, str | None]
) -> tuple[ComponentSummary, ...]:
    """Return the coverage of each component that a target can have."""
    summaries = []
    for component, place in components.items():
        statuses = [r.outcome.status for r in results if r.component == component]
        observed = sum(status in OBSERVED for status in statuses)
        summaries.append(ComponentSummary(component, place, observed, len(statuses)))
    return tuple(summaries)


def unselected_of(outcomes: Sequence[Outcome], evidence: Evidence) -> int:
    """Return how many of the runbook's checks were not selected.

    The canary's checks count only if one of them was selected: a run without a canary is complete.
    """
    selected = {base_id(outcome.check) for outcome in outcomes}
    canary = any(map(is_canary, selected))
    expected = {row.id for row in evidence.checks if canary or not is_canary(row.id)}
    return len(expected - selected)


def titles_of(runbook: Runbook) -> tuple[VerificationTitle, ...]:
    """Return the titles of the runbook's verifications, with its signal as number 0."""
    titles = [VerificationTitle(step.number, step.title) for step in runbook.verifications]
    return (VerificationTitle(0, tr("Signal")), *titles)


def exit_status(pytest_status: int, state: State) -> int:
    """Return the run's exit status: pytest's own, except that 0 is for a healthy run alone.

    A run that pytest counts as a success and that observed nothing ends with 5, "no tests":
    silence is never health.
    """
    return 5 if pytest_status == 0 and state != "healthy" else pytest_status
