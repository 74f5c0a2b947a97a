"""The report for Prometheus, in its text format: for node_exporter's textfile collector.

A status or a state is a StateSet, as OpenMetrics calls it: one series for each value, 1 for the
current one and 0 for the others. So no series appears or disappears when a check changes:
`avg_over_time` is the share of the time, `changes` counts the changes, and an alert's `for` is not
reset. A figure that was not observed has no series: absent is not zero. Without any observed check
there are no probabilities either.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from core.outcome import STATUSES
from reports.model.report import STATES, Report

WHERE = ("target", "runbook")
"""The labels that every series has."""


def render(report: Report) -> str:
    """Return the report as metrics, each labelled with target and runbook."""

    class Once(Collector):
        def collect(self) -> Iterator[Metric]:
            return _metrics(report)

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Once())
    return generate_latest(registry).decode("utf-8")


def _metrics(report: Report) -> Iterator[Metric]:
    where = (report.target.name, report.runbook_name)

    def single(name: str, documentation: str, value: float) -> Metric:
        metric = GaugeMetricFamily(f"veza_checks_{name}", documentation, labels=[*WHERE])
        metric.add_metric([*where], value)
        return metric

    started = datetime.fromisoformat(report.started).timestamp()
    yield single("run_timestamp_seconds", "Start of the last run, in Unix time.", started)
    yield single("run_duration_seconds", "Duration of the last run, in seconds.", report.seconds)
    yield single("run_problems", "Problems of the run itself.", len(report.problems))
    state = GaugeMetricFamily(
        "veza_checks_run_state",
        "1 for the state of the last run, 0 for the others.",
        labels=[*WHERE, "state"],
    )
    # What a partial run saw is not the state of the target.
    current = "unknown" if report.partial else report.state
    for name in STATES:
        state.add_metric([*where, name.replace(" ", "_")], float(name == current))
    yield state
    yield _statuses(report, where)
    if report.diagnosis.coverage.observed:
        yield from _causes(report, where)
    english = {kind.id: kind.english for kind in report.layout.figures}
    for figure in report.figures:
        if figure.value is not None:
            # All targets of a Prometheus have the same help for a metric, whatever their language.
            meaning = english.get(figure.id) or figure.meaning
            yield single(figure.id, f"{meaning[:1].upper()}{meaning[1:]}.", figure.value)


def _causes(report: Report, where: tuple[str, str]) -> Iterator[Metric]:
    labels = [*WHERE, "hypothesis", "scope"]
    probabilities = GaugeMetricFamily(
        "veza_checks_hypothesis_probability",
        "Probability of each cause, given the observed checks.",
        labels=labels,
    )
    named = GaugeMetricFamily(
        "veza_checks_hypothesis_named",
        "1 for each cause that the verdict names, 0 for the others.",
        labels=labels,
    )
    for finding in report.diagnosis.causes:
        values = [*where, finding.id, "outside" if finding.outside else "runbook"]
        probabilities.add_metric(values, finding.probability)
        named.add_metric(values, float(finding in report.diagnosis.accepted))
    yield probabilities
    yield named


def _statuses(report: Report, where: tuple[str, str]) -> Metric:
    metric = GaugeMetricFamily(
        "veza_checks_check_status",
        "1 for the status of each check in the last run, 0 for the others.",
        labels=[*WHERE, "check", "verification", "status"],
    )
    for result in report.results:
        for status in STATUSES:
            labels = [*where, result.outcome.check, str(result.verification), status]
            metric.add_metric(labels, float(status == result.outcome.status))
    return metric
