"""Build a report from outcomes. Pure: the same outcomes give the same report."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

from core.frozen import frozen
from core.journey import Journey
from core.language import language, tr
from core.outcome import Outcome, component_word
from core.target_summary import TargetSummary
from core.text import listed, uncapitalized
from reports.diagnosis.diagnose import diagnose
from reports.diagnosis.result import POSSIBLE, Diagnosis
from reports.model.figures import Figure, at_zero, figures_of, placeholders_of
from reports.model.headline import headline_of, journey_sentence
from reports.model.layout import MetricKind
from reports.model.report import (
    Remedy,
    Report,
    Result,
    SeenBefore,
    WatchedMetric,
    coverage_of,
    place_results,
    state_of,
    titles_of,
    unselected_of,
)
from reports.runbook.conditions import Facts, facts_of, holds
from reports.runbook.document import ActionGroup, Command, Runbook, Step
from reports.runbook.placeholders import fill_step, with_routes

if TYPE_CHECKING:
    from reports.model.bundle import RunbookBundle

LOOKS_MAX = 3
"""Commands that are shown where the cause is not clear."""

SHARED_MIN = 0.9
"""Sum of the probabilities of causes, from which on it is one of them."""

_SENDS = re.compile(r"\bcurl\b.*\s(-X|-F|-d|-T|--data\S*|--form|--request)\b")
"""A request that may change something, such as that of the canary."""


@frozen
class EndedRun:
    """What a run observed, before a runbook says what it means; `seconds` is its wall time."""

    outcomes: Sequence[Outcome]
    problems: Sequence[str]
    target: TargetSummary
    started: str
    seconds: float
    partial: bool = False
    """The run was narrowed or interrupted."""
    journeys: tuple[Journey, ...] = ()
    """Those of named items."""
    seen_before: tuple[SeenBefore, ...] = ()
    """The causes that were confirmed for earlier incidents."""


def build_report(
    run: EndedRun, bundle: RunbookBundle, figures: tuple[Figure, ...] | None = None
) -> Report:
    """Return the report on a run.

    `figures` are those of a report that is replayed; None takes them from the outcomes.
    """
    layout, target = bundle.layout, run.target
    results = place_results(run.outcomes, bundle.evidence)
    # In the report's order: of two observations of one figure, a replay takes the same one.
    ordered = [result.outcome for result in results]
    figures = figures_of(ordered, layout.figures) if figures is None else figures
    state = state_of(results, run.problems)
    evidence = bundle.evidence.without(target.absent, run.outcomes)
    diagnosis = diagnose(evidence, run.outcomes, zero=at_zero(figures))
    # The target file and the command line come before the observations.
    values = with_routes(
        {**placeholders_of(ordered, layout), **target.placeholders, "target": target.name}
    )
    headline = headline_of(
        state,
        results,
        run.problems,
        diagnosis,
        figures,
        unselected_of(run.outcomes, bundle.evidence),
        impact=layout.impact,
        partial=run.partial,
    )
    return Report(
        target=target,
        runbook=bundle.document.title,
        started=run.started,
        seconds=round(run.seconds, 3),
        state=state,
        headline=journey_sentence(run.journeys, layout) + headline,
        verifications=titles_of(bundle.document),
        results=results,
        coverage=coverage_of(results, _components_of(target, bundle)),
        figures=figures,
        diagnosis=diagnosis,
        remedies=remedies_for(
            diagnosis,
            bundle,
            values,
            facts_of(ordered, target.components, target.worker_hosts),
            _looked_at(results, diagnosis),
        ),
        problems=tuple(run.problems),
        watch=watched_metrics(
            bundle.document.watch, layout.metrics, target.limits | target.minimums
        ),
        partial=run.partial,
        journeys=run.journeys,
        seen_before=run.seen_before,
        layout=layout.in_report(),
        runbook_name=bundle.name,
        language=language(),
    )


def _looked_at(results: Sequence[Result], diagnosis: Diagnosis) -> frozenset[str]:
    """Return the checks of causes that failed; those of symptoms where nothing else is left."""
    failed = [result for result in results if result.outcome.status == "failed"]
    causes = [result for result in failed if result.role == "cause"]
    if not causes and not diagnosis.next_check:
        causes = failed
    return frozenset(result.outcome.check for result in causes)


def _components_of(target: TargetSummary, bundle: RunbookBundle) -> dict[str, str | None]:
    """Return the target's components that the runbook has checks of, each with its place."""
    looked_at = {row.component for row in bundle.evidence.checks} - set(target.absent)
    return {name: place for name, place in target.components.items() if name in looked_at}


def replay(report: Report, bundle: RunbookBundle) -> Report:
    """Diagnose the outcomes of a report again with this runbook.

    The result equals the report if the runbook is the one that it was made with.
    """
    run = EndedRun(
        report.outcomes,
        report.problems,
        report.target,
        report.started,
        report.seconds,
        report.partial,
        report.journeys,
        report.seen_before,
    )
    return build_report(run, bundle, report.figures)


def remedies_for(
    diagnosis: Diagnosis,
    bundle: RunbookBundle,
    values: Mapping[str, str],
    facts: Facts,
    failed: frozenset[str] = frozenset(),
) -> tuple[Remedy, ...]:
    """Return the actions for each accepted cause, with placeholders filled.

    A hypothesis has the runbook's steps whose conditions hold. A cause outside the runbook has
    commands that only look. A component outside it whose cause is not known has the commands of its
    checks that failed. Where the cause is unclear there are those of the checks that `failed`: a
    remedy for a guess is a second incident. What is no guess comes last: a restart that each of
    the likely causes has, and the steps for just one failure that only one hypothesis explains,
    where that one is not accepted.
    The steps of all of them are numbered in one row, so that a number names one step.
    """
    hypotheses = [cause.id for cause in bundle.evidence.hypotheses]
    actions = dict(zip(hypotheses, bundle.document.actions, strict=True))
    looks = {cause.id: cause.look for cause in bundle.evidence.outside}
    remedies = []
    for cause in diagnosis.accepted:
        if not cause.outside:
            group = actions[cause.id]
            title, steps = group.title, _shown(group.steps, facts)
        elif looks[cause.id]:
            title = tr("{cause}: look, change nothing", cause=cause.title)
            steps = [_look(_looks_of(looks[cause.id]))]
        else:
            continue
        remedies.append(Remedy(cause.id, title, tuple(fill_step(step, values) for step in steps)))
    if diagnosis.certainty == "outside" and not remedies:
        remedies += _looks_at_components(diagnosis, bundle, values)
    if failed and not remedies:
        remedies += _looks_at_checks(failed, bundle, values)
    if diagnosis.certainty == "unclear":
        remedies += _shared_restart(diagnosis, actions, values, facts)
    unexplained = {f"{one.check} failed": one.check for one in diagnosis.unexplained}
    for hypothesis, group in actions.items():
        steps = [
            step
            for step in group.steps
            if (row := bundle.evidence.row(unexplained.get(step.when, "")))
            and [other for other, _ in row.explained_by] == [hypothesis]
        ]
        if steps:
            filled = tuple(fill_step(step, values) for step in _shown(steps, facts))
            remedies.append(Remedy(hypothesis, group.title, filled))
    return tuple(_numbered(remedies))


def _shared_restart(
    diagnosis: Diagnosis,
    actions: Mapping[str, ActionGroup],
    values: Mapping[str, str],
    facts: Facts,
) -> Iterator[Remedy]:
    """Yield the step with a restart that each of the likely causes has, whichever of them it is."""
    likely = [cause for cause in diagnosis.ranked if cause.probability >= POSSIBLE]
    is_one_of_them = math.fsum(cause.probability for cause in likely) >= SHARED_MIN
    if len(likely) < 2 or not is_one_of_them or any(cause.outside for cause in likely):
        return
    groups = [
        [fill_step(step, values) for step in _shown(actions[cause.id].steps, facts)]
        for cause in likely
    ]
    texts = [{one.text for step in steps for one in step.commands} for steps in groups]
    for step in groups[0]:
        commands = tuple(one for one in step.commands if all(one.text in own for own in texts))
        if any("effect=restart" in one.run.split() for one in commands):
            names = listed([uncapitalized(cause.title) for cause in likely], "or")
            group = tr("Helps whichever it is: {causes}", causes=names)
            title = tr("{step}: it helps in each of these cases", step=step.title)
            shared = replace(step, title=title, commands=commands, left_out=())
            yield Remedy("", group, (shared,))
            return


def _numbered(remedies: Sequence[Remedy]) -> Iterator[Remedy]:
    numbers = count(1)
    for remedy in remedies:
        steps = (replace(step, number=next(numbers)) for step in remedy.steps)
        yield replace(remedy, steps=tuple(steps))


def _looks_at_checks(
    failed: frozenset[str], bundle: RunbookBundle, values: Mapping[str, str]
) -> Iterator[Remedy]:
    """Yield the first commands of the runbook's verifications for these checks.

    First are those for what no cause brings about: it is what no guess would look at.
    """
    text = tr(
        "The cause is not clear, and a fix for the wrong cause can be a second incident. These "
        "are the runbook's commands to look at what failed."
    )
    rows = {check: bundle.evidence.row(check) for check in failed}
    apart = {check for check, row in rows.items() if row and not row.explained_by}
    commands = sorted(
        _commands_of(failed, bundle.document), key=lambda one: apart.isdisjoint(one.checks)
    )
    whole = Step(1, tr("Look at what failed"), text, tuple(commands), 0)
    step = _first_looks(fill_step(whole, values))
    if step.commands:
        yield Remedy("", tr("The cause is not clear: look, change nothing"), (step,))


def _commands_of(checks: Set[str], document: Runbook) -> tuple[Command, ...]:
    """Return the commands of the verifications for these checks that only look."""
    return tuple(
        command
        for verification in document.verifications
        for command in verification.commands
        if not checks.isdisjoint(command.checks)
        and not command.dangerous
        and not _SENDS.search(command.text)
    )


def _first_looks(step: Step) -> Step:
    return replace(step, commands=step.commands[:LOOKS_MAX], left_out=())


def _looks_at_components(
    diagnosis: Diagnosis, bundle: RunbookBundle, values: Mapping[str, str]
) -> Iterator[Remedy]:
    """Yield for each component the commands of its checks that failed.

    Where none can be filled, those of the first cause that lies in it.
    """
    for component in dict.fromkeys(failure.component for failure in diagnosis.unexplained):
        failed = {one.check for one in diagnosis.unexplained if one.component == component}
        causes = (cause.look for cause in bundle.evidence.outside if cause.component == component)
        steps = [
            _first_looks(fill_step(_look(_commands_of(failed, bundle.document)), values)),
            *(fill_step(_look(_looks_of(look)), values) for look in causes if look),
        ]
        step = next((step for step in steps if step.commands), None)
        if step:
            title = tr("{cause}: look, change nothing", cause=component_word(component))
            yield Remedy(component, title, (step,))


def _shown(steps: Sequence[Step], facts: Facts) -> list[Step]:
    """Return the steps and commands whose conditions hold."""
    return [
        replace(
            step,
            commands=tuple(command for command in step.commands if holds(command.when, facts)),
        )
        for step in steps
        if holds(step.when, facts)
    ]


def _look(commands: tuple[Command, ...]) -> Step:
    """Return the step that has the commands of a cause outside the runbook."""
    text = tr("The runbook has no repair for this cause. These commands only read.")
    return Step(1, tr("Look at it"), text, commands, 0)


def _looks_of(texts: Sequence[str]) -> tuple[Command, ...]:
    return tuple(
        Command("sql" if text.startswith("SELECT ") else "bash", text, 0) for text in texts
    )


def watched_metrics(
    items: Sequence[str], kinds: Sequence[MetricKind], limits: Mapping[str, float]
) -> tuple[WatchedMetric, ...]:
    """Return the metrics of the runbook's list; `limits` are the target's, by the figure's id."""
    metrics = []
    for item in items:
        name = re.split(r"\s[-–—]\s", item)[0].replace("`", "")
        kind = next((one for one in kinds if re.search(one.pattern, name)), None)
        if kind is None:
            metrics.append(WatchedMetric(name))
        else:
            limit = limits.get(kind.figure) if kind.limited else None
            idle = kind.idle or None
            metrics.append(WatchedMetric(name, kind.figure, kind.rises, limit, idle))
    return tuple(metrics)
